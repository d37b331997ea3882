"""What the table of models names of Rec. ITU-R P.1546-6: links of a table, and the flat path of a device."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pipeline.kernels import kernel
from pipeline.propagation.models import model_named
from pipeline.propagation.p1546.curves import NOMINAL_H1_M, Curves, load_curves
from pipeline.propagation.p1546.link import p1546_field
from pipeline.propagation.p1546.pixel import PreparedCurves, device_field_dbuvm, prepare
from pipeline.units import loss_from_field_db

# There is no curve for a base below 10 m: a lower device is the other end of the path.
_BASE_MIN_M = float(NOMINAL_H1_M[0])


def predict_links(
    links: Mapping[str, NDArray[np.float64]],
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.bool_]]:
    """Field, regime and validity of links, with everything that a table may give."""
    columns = [links[name] for name in model_named("p1546").link_columns]
    return p1546_links(load_curves(), np.stack(columns, axis=1))


@kernel
def p1546_links(
    curves: Curves, links: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.bool_]]:
    """Field of 1 kW e.r.p. in dB(uV/m), index of the regime and validity of each link.

    ``links`` float64[n, 21] in the order of ``link_columns`` of the model, which is that of the arguments of
    ``p1546_field``; logical ones are 0 or 1, NaN = absent.
    """
    count = links.shape[0]
    field_dbuvm = np.empty(count)
    regime = np.empty(count, np.int64)
    valid = np.empty(count, np.bool_)
    for row in range(count):
        link = links[row]
        field_dbuvm[row], regime[row], valid[row] = p1546_field(
            curves,
            link[0],
            link[1],
            link[2],
            link[3],
            link[4] > 0.0,
            link[5] > 0.0,
            link[6],
            link[7],
            link[8],
            link[9] > 0.0,
            link[10],
            link[11],
            int(link[12]),
            link[13],
            link[14],
            link[15],
            link[16],
            link[17],
            link[18],
            link[19],
            link[20],
        )
    return field_dbuvm, regime, valid


def flat_path_loss_db(
    d_km: NDArray[np.float64],
    f_mhz: float,
    device_m: float,
    receiver_m: float,
    time_pct: float,
    over_sea: bool,
    effective_m: float,
) -> NDArray[np.float64]:
    """Loss over rural land, or over sea, in dB at the ground distances ``d_km``, float64[n].

    ``effective_m`` h1 of the device, for any distance; NaN: that of flat land.
    """
    curves = load_curves()
    low = device_m < _BASE_MIN_M
    base_m, other_m = (_BASE_MIN_M, device_m) if low else (device_m, receiver_m)
    h1_m = base_m if math.isnan(effective_m) else effective_m
    prepared = prepare(curves, f_mhz, time_pct)
    return _flat_losses_db(prepared, curves, f_mhz, d_km, base_m, other_m, over_sea, h1_m)


@kernel
def _flat_losses_db(
    prepared: PreparedCurves,
    curves: Curves,
    f_mhz: float,
    d_km: NDArray[np.float64],
    base_m: float,
    other_m: float,
    over_sea: bool,
    h1_m: float,
) -> NDArray[np.float64]:
    loss_db = np.empty(d_km.size)
    for i in range(d_km.size):
        sea_km = d_km[i] if over_sea else 0.0
        field_dbuvm = device_field_dbuvm(prepared, curves, d_km[i], h1_m, base_m, other_m, sea_km)
        loss_db[i] = loss_from_field_db(field_dbuvm, f_mhz)
    return loss_db
