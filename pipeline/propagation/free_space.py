"""Free-space propagation, Rec. ITU-R P.525."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pipeline.kernels import inner, kernel
from pipeline.propagation.models import model_named

# P.525 to one decimal, as P.1546 and Hata have it (106.9 = 139.3 - 32.4); exactly 32.448.
_LOSS_AT_1KM_1MHZ_DB = 32.4
FIELD_AT_1KM_DBUVM = 106.9
_FREE_SPACE = model_named("free_space").regimes.index("free_space")


@kernel
def free_space_loss_db(distance_km: float, f_mhz: float) -> float:
    """Basic transmission loss of free space in dB over the slant ``distance_km`` (P.525, eq. 4)."""
    return _LOSS_AT_1KM_1MHZ_DB + 20.0 * math.log10(f_mhz) + 20.0 * math.log10(distance_km)


@kernel
def free_space_field_dbuvm(distance_km: float) -> float:
    """Field of 1 kW e.r.p. in dB(uV/m) at the slant ``distance_km`` (P.1546-6, Annex 5, eq. 2)."""
    return FIELD_AT_1KM_DBUVM - 20.0 * math.log10(distance_km)


@inner
def slant_loss_db(d_km: float, f_mhz: float, height_m: float, receiver_m: float) -> float:
    """Free-space loss in dB between two antennas at different heights, ``d_km`` apart on the ground."""
    rise_km = 1e-3 * (height_m - receiver_m)
    return free_space_loss_db((d_km * d_km + rise_km * rise_km) ** 0.5, f_mhz)


@kernel
def slant_losses_db(
    d_km: NDArray[np.float64], f_mhz: float, height_m: float, receiver_m: float
) -> NDArray[np.float64]:
    """``slant_loss_db`` at the ground distances ``d_km``, float64[n]."""
    loss_db = np.empty(d_km.size)
    for i in range(d_km.size):
        loss_db[i] = slant_loss_db(d_km[i], f_mhz, height_m, receiver_m)
    return loss_db


def flat_path_loss_db(
    d_km: NDArray[np.float64],
    f_mhz: float,
    device_m: float,
    receiver_m: float,
    time_pct: float,
    over_sea: bool,
    effective_m: float,
) -> NDArray[np.float64]:
    """Loss of the table's role ``receiver``; free space knows neither time nor sea."""
    del time_pct, over_sea, effective_m
    return slant_losses_db(d_km, f_mhz, device_m, receiver_m)


def predict_links(
    links: Mapping[str, NDArray[np.float64]],
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.bool_]]:
    """Field, regime and validity of links; ``d_km`` is taken as the length of the ray (P.525)."""
    d_km = links["d_km"]
    defined = (d_km > 0.0) & (links["f_mhz"] > 0.0)
    field = [free_space_field_dbuvm(d) if ok else math.nan for d, ok in zip(d_km, defined, strict=True)]
    return np.array(field, dtype=np.float64), np.full(d_km.size, _FREE_SPACE), defined
