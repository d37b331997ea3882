"""A propagation model that a test adds to the table: the same loss at every distance up to a horizon."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pipeline.propagation.models import Model

LOSS_DB = 120.0
HORIZON_KM = math.inf
_BEYOND_DB = 400.0
ROW = Model(
    name="constant",
    title="constant loss",
    module="tests.propagation.constant_loss",
    roles=frozenset({"homogeneous", "receiver", "link"}),
    needs=frozenset(),
    f_mhz=(100.0, 1000.0),
    d_km=(0.1, 50.0),
    field_constant_db=139.36,
    regimes=("undefined", "constant"),
    link_columns=("f_mhz", "d_km"),
    link_required=("f_mhz", "d_km"),
)


def flat_path_loss_db(
    d_km: NDArray[np.float64],
    f_mhz: float,
    device_m: float,
    receiver_m: float,
    time_pct: float,
    over_sea: bool,
    effective_m: float = math.nan,
) -> NDArray[np.float64]:
    """3 dB less over sea, so that a test sees which path is taken."""
    return np.where(d_km <= HORIZON_KM, LOSS_DB - 3.0 * over_sea, _BEYOND_DB)


def predict_links(
    links: Mapping[str, NDArray[np.float64]],
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.bool_]]:
    """Field from the loss by the model's own constant."""
    f_mhz, d_km = links["f_mhz"], links["d_km"]
    field_dbuvm = ROW.field_constant_db - LOSS_DB + 20.0 * np.log10(f_mhz)
    low, high = ROW.f_mhz
    return field_dbuvm, np.ones(d_km.size, dtype=np.int64), (low <= f_mhz) & (f_mhz <= high)
