"""The path of a device: basic transmission loss to a victim receiver, and its tables.

The distance is the smallest between the two pixels as squares, over the largest scale of the grid, at least
d_min. Up to 80 m free space on the slant; beyond, the model of the table over land without profiles, in open
surroundings, with the effective height of the device if one is given and a part of the path over sea; never
less than free space. The step at 80 m stays (docs/method.md, section 9). For
receivers at points the loss is tabulated by distance: nodes are 0.1 % apart; between them the loss is linear
in the logarithm of the distance, which is within 0.002 dB of the exact loss. Where it jumps (the step at
80 m) the smaller end counts.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.kernels import kernel
from pipeline.propagation.free_space import slant_losses_db
from pipeline.propagation.models import model_named, module_of

NEAR_KM = 0.08
_RECEIVER_M = 10.0
# The higher antenna is the base only from here on (P.1546-6, Annex 5, sec. 1.1).
_BASE_FROM_M = 10.0
# P.1546 ends here.
FARTHEST_KM = 1000.0
STEP = 1e-3
_JUMP_DB = 0.1
_MEDIAN_TIME_PCT = 50.0

_PathKind = Literal["land", "sea"]
NearSlant = Literal["antennas", "horizontal"]


class LossTables(NamedTuple):
    """Loss in dB by (|dy|, |dx|) pixels, float32[n, n], rounded down; +inf beyond the radius.

    ``near_db`` holds the offsets up to 80 m and +inf elsewhere, ``far_db`` the others.
    """

    near_db: NDArray[np.float32]
    far_db: NDArray[np.float32]


class DevicePath(NamedTuple):
    """The path between a device and a receiver: what its loss depends on beside the distance.

    ``inland_km`` distances of both ends from the sea in all: 0 = at the coast, infinite = no sea near.
    """

    model: str
    f_mhz: float
    device_m: float
    receiver_m: float
    time_pct: float
    inland_km: float
    effective_m: float = math.nan
    near_slant: NearSlant = "antennas"


class LossProfile(NamedTuple):
    """Loss in dB at distances ``from_km`` e^(i step): ``left_db`` at node i, ``right_db`` at node i + 1."""

    from_km: float
    left_db: NDArray[np.float64]
    right_db: NDArray[np.float64]

    def reach_km(self, node: int) -> float:
        """Distance of the far end of the interval after a node."""
        return self.from_km * math.exp(STEP * (node + 1))


def path_loss_db(
    d_km: NDArray[np.float64],
    f_mhz: float,
    height_m: float,
    *,
    receiver_m: float = _RECEIVER_M,
    model: str = "p1546",
    path: _PathKind = "land",
    time_pct: float = _MEDIAN_TIME_PCT,
    effective_m: float = math.nan,
    near_slant: NearSlant = "antennas",
) -> NDArray[np.float64]:
    """Basic transmission loss in dB, same shape as the horizontal distance ``d_km`` > 0.

    ``height_m`` antenna of the device, ``receiver_m`` of the victim, above ground; ``model`` a name of the
    table. ``effective_m`` effective height of the device beyond 80 m, NaN = flat land; up to there the slant
    is that between the antennas, or with ``horizontal`` the distance alone. Only P.1546 knows effective
    heights, the sea and the percentage of time; the others give one loss for all of them.
    """
    flat_km = np.ascontiguousarray(d_km, dtype=np.float64).ravel()
    loss_db = slant_losses_db(flat_km, f_mhz, height_m, receiver_m)
    far = flat_km > NEAR_KM
    if near_slant == "horizontal":
        loss_db[~far] = slant_losses_db(flat_km[~far], f_mhz, receiver_m, receiver_m)
    beyond_db = module_of(model_named(model)).flat_path_loss_db(
        flat_km[far], f_mhz, height_m, receiver_m, time_pct, path == "sea", effective_m
    )
    loss_db[far] = np.maximum(loss_db[far], beyond_db)
    return loss_db.reshape(np.shape(d_km))


def sea_share_at(d_km: NDArray[np.float64], inland_km: float) -> NDArray[np.float64]:
    """Largest share of sea, 0 to 1, in a path whose ends lie ``inland_km`` from the sea in all.

    0: at the coast, all of the path may be sea; infinite: there is no sea.
    """
    if inland_km == 0.0:
        return np.ones(np.shape(d_km))
    return np.maximum(0.0, 1.0 - inland_km / d_km)


def mixed_loss_db(
    land_db: NDArray[np.float64], sea_db: NDArray[np.float64], sea_share: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Loss of a path with a share of sea (P.1546-6, Annex 5, sec. 8); never above that over land."""
    gain_db = np.maximum(0.0, land_db - sea_db)
    weight = (1.0 - (1.0 - sea_share) ** (2.0 / 3.0)) ** (1.0 + gain_db / 40.0)
    return np.where(sea_share >= 1.0, np.minimum(land_db, sea_db), land_db - weight * gain_db)


def smaller_path_loss_db(
    d_km: NDArray[np.float64],
    f_mhz: float,
    height_m: float,
    *,
    receiver_m: float,
    model: str,
    coastal: bool,
    time_pct: float = _MEDIAN_TIME_PCT,
    effective_m: float = math.nan,
    near_slant: NearSlant = "antennas",
) -> NDArray[np.float64]:
    """Loss over land or, for victims near the coast, the smaller of the losses over land and over sea."""
    return coast_path_loss_db(
        d_km,
        DevicePath(
            model,
            f_mhz,
            height_m,
            receiver_m,
            time_pct,
            0.0 if coastal else math.inf,
            effective_m=effective_m,
            near_slant=near_slant,
        ),
    )


def coast_path_loss_db(d_km: NDArray[np.float64], path: DevicePath) -> NDArray[np.float64]:
    """Loss of a path with the largest share of sea that its ends admit."""
    land_db, sea_db = one_surface_losses_db(d_km, path, sea=path.inland_km < math.inf)
    return mixed_loss_db(land_db, sea_db, sea_share_at(d_km, path.inland_km))


def one_surface_losses_db(
    d_km: NDArray[np.float64], path: DevicePath, *, sea: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Losses of a path if it were all land and if it were all sea; without ``sea`` twice those of land."""
    land_db = _one_surface_loss_db(d_km, path, "land")
    return land_db, _one_surface_loss_db(d_km, path, "sea") if sea else land_db


def _one_surface_loss_db(d_km: NDArray[np.float64], path: DevicePath, kind: _PathKind) -> NDArray[np.float64]:
    return path_loss_db(
        d_km,
        path.f_mhz,
        path.device_m,
        receiver_m=path.receiver_m,
        model=path.model,
        path=kind,
        time_pct=path.time_pct,
        effective_m=path.effective_m,
        near_slant=path.near_slant,
    )


def offset_distance_km(
    size: int, resolution_m: float, largest_scale: float, min_separation_m: float
) -> NDArray[np.float64]:
    """Distance between two pixels as squares by (|dy|, |dx|) < ``size``: float64[size, size].

    0 for a pixel and its neighbours, then raised to ``min_separation_m``; grid metres over ``largest_scale``
    (grid/true) are never longer than true metres.
    """
    gap_km = np.maximum(np.arange(size) - 1, 0) * resolution_m / largest_scale / 1000.0
    between_km = np.hypot(gap_km[:, np.newaxis], gap_km[np.newaxis, :])
    return np.maximum(between_km, min_separation_m / 1000.0)


def table_size(radius_km: float, resolution_m: float, largest_scale: float) -> int:
    """Side of a quadrant table that holds every offset up to ``radius_km``."""
    return int(np.floor(radius_km * 1000.0 * largest_scale / resolution_m)) + 2


def loss_table_db(
    distance_km: NDArray[np.float64],
    radius_km: float,
    f_mhz: float,
    height_m: float,
    *,
    receiver_m: float = _RECEIVER_M,
    model: str = "p1546",
    coastal: bool = False,
    effective_m: float = math.nan,
    near_slant: NearSlant = "antennas",
) -> LossTables:
    """Quadrant tables of the loss for the distances of ``offset_distance_km``."""
    unique_km, place = np.unique(distance_km, return_inverse=True)
    within = unique_km <= radius_km
    loss_db = np.full(unique_km.size, np.inf)
    loss_db[within] = smaller_path_loss_db(
        unique_km[within],
        f_mhz,
        height_m,
        receiver_m=receiver_m,
        model=model,
        coastal=coastal,
        effective_m=effective_m,
        near_slant=near_slant,
    )
    all_db = round_down(loss_db)[place].reshape(distance_km.shape)
    near = distance_km <= NEAR_KM
    infinite = np.float32(np.inf)
    return LossTables(np.where(near, all_db, infinite), np.where(near, infinite, all_db))


def round_down(values: NDArray[np.float64]) -> NDArray[np.float32]:
    """The largest float32 not above each value: a limit must not rise by storing it."""
    nearest = values.astype(np.float32)
    above = nearest.astype(np.float64) > values
    return np.where(above, np.nextafter(nearest, np.float32(-np.inf)), nearest)


@lru_cache(maxsize=512)
def loss_profile(path: DevicePath, from_km: float) -> LossProfile:
    """Table from ``from_km`` to 1000 km, where P.1546 ends; made once for all devices of a height."""
    nodes = math.ceil(math.log(FARTHEST_KM / from_km) / STEP) + 1
    d_km = np.minimum(from_km * np.exp(STEP * np.arange(nodes)), FARTHEST_KM)
    loss_db = exact_loss_db(path, d_km)
    left, right = loss_db[:-1].copy(), loss_db[1:].copy()
    jumps = np.abs(right - left) > _JUMP_DB
    smaller = np.minimum(left, right)
    left[jumps], right[jumps] = smaller[jumps], smaller[jumps]
    return LossProfile(from_km, left, right)


def exact_loss_db(path: DevicePath, d_km: NDArray[np.float64]) -> NDArray[np.float64]:
    """Loss in dB at ground distances, any shape.

    P.1546 takes the higher antenna as the base (Annex 5, sec. 1.1) and the lower as the receiver.
    """
    high_m, low_m = max(path.device_m, path.receiver_m), min(path.device_m, path.receiver_m)
    first_m, second_m = (high_m, low_m) if high_m >= _BASE_FROM_M else (low_m, high_m)
    return coast_path_loss_db(d_km, path._replace(device_m=first_m, receiver_m=second_m))


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
