"""Basic transmission loss by distance for receivers at points, tabulated once and looked up per pixel.

Nodes are 0.1 % apart in distance; between them the loss is linear in the logarithm of the distance, which is
within 0.002 dB of the exact loss. Where it jumps (the step at 80 m) the smaller end counts.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.kernels import kernel
from pipeline.propagation.homogeneous import BASE_MIN_M, FARTHEST_KM, Model, smaller_path_loss_db

STEP = 1e-3
JUMP_DB = 0.1


class Path(NamedTuple):
    """How the path to a receiver is computed; ``coastal``: the smaller loss of land and sea."""

    model: Model
    f_mhz: float
    device_m: float
    receiver_m: float
    time_pct: float
    coastal: bool


class LossProfile(NamedTuple):
    """Loss in dB at distances ``from_km`` e^(i step): ``left_db`` at node i, ``right_db`` at node i + 1."""

    from_km: float
    left_db: NDArray[np.float64]
    right_db: NDArray[np.float64]


def loss_profile(path: Path, from_km: float) -> LossProfile:
    """Table from ``from_km`` to 1000 km, where P.1546 ends."""
    nodes = math.ceil(math.log(FARTHEST_KM / from_km) / STEP) + 1
    d_km = np.minimum(from_km * np.exp(STEP * np.arange(nodes)), FARTHEST_KM)
    loss_db = exact_loss_db(path, d_km)
    left, right = loss_db[:-1].copy(), loss_db[1:].copy()
    jumps = np.abs(right - left) > JUMP_DB
    smaller = np.minimum(left, right)
    left[jumps], right[jumps] = smaller[jumps], smaller[jumps]
    return LossProfile(from_km, left, right)


def exact_loss_db(path: Path, d_km: NDArray[np.float64]) -> NDArray[np.float64]:
    """Loss in dB at ground distances, any shape.

    P.1546 takes the higher antenna as the base (Annex 5, sec. 1.1) and the lower as the receiver.
    """
    high_m, low_m = max(path.device_m, path.receiver_m), min(path.device_m, path.receiver_m)
    first_m, second_m = (high_m, low_m) if high_m >= BASE_MIN_M else (low_m, high_m)
    return smaller_path_loss_db(
        d_km,
        path.f_mhz,
        first_m,
        receiver_m=second_m,
        model=path.model,
        coastal=path.coastal,
        time_pct=path.time_pct,
    )


@kernel
def profile_loss_db(
    from_km: float, left_db: NDArray[np.float64], right_db: NDArray[np.float64], d_km: float
) -> float:
    """Loss at a distance; at least ``from_km`` is assumed; infinite beyond the table."""
    place = np.log(max(d_km, from_km) / from_km) / STEP
    i = int(place)
    if i >= left_db.size:
        return np.inf
    return left_db[i] + (place - i) * (right_db[i] - left_db[i])
