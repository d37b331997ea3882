"""Basic transmission loss from a device to a victim receiver, and its table over pixel offsets.

protection.md, section 3: the distance is the smallest between the two pixels as squares, over the largest
scale of the grid, at least d_min. Up to 80 m free space on the slant; beyond P.1546 (or extended Hata, open)
over flat land without terrain, rural, 50 % of time; never less than free space. The step at 80 m stays.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.kernels import kernel
from pipeline.propagation.free_space import free_space_loss_db
from pipeline.propagation.hata import Environment, extended_hata_loss_db
from pipeline.propagation.p1546.pixel import Prepared, p1546_pixel_field, prepare
from pipeline.propagation.p1546.tables import Area, load_curves
from pipeline.units import loss_from_field_db

NEAR_KM = 0.08
# P.1546 takes no base antenna below 10 m: a lower device is the other end of the path.
BASE_MIN_M = 10.0
CLUTTER_M = 10.0
TIME_PCT = 50.0
# P.1546 ends here.
FARTHEST_KM = 1000.0

Model = Literal["p1546", "extended_hata", "free_space"]
Path = Literal["land", "sea"]
_RURAL = int(Area.RURAL)
_OPEN = int(Environment.OPEN)


class LossTables(NamedTuple):
    """Loss in dB by (|dy|, |dx|) pixels, float32[n, n], rounded down; +inf beyond the radius.

    ``near_db`` holds the offsets up to 80 m and +inf elsewhere, ``far_db`` the others.
    """

    near_db: NDArray[np.float32]
    far_db: NDArray[np.float32]


def path_loss_db(
    d_km: NDArray[np.float64],
    f_mhz: float,
    height_m: float,
    *,
    receiver_m: float = BASE_MIN_M,
    model: Model = "p1546",
    path: Path = "land",
    time_pct: float = TIME_PCT,
) -> NDArray[np.float64]:
    """Basic transmission loss in dB, same shape as the horizontal distance ``d_km`` > 0.

    ``height_m`` antenna of the device, ``receiver_m`` of the victim, above ground. Only P.1546 knows
    the sea and the percentage of time; the other models give one loss for all of them.
    """
    flat_km = np.ascontiguousarray(d_km, dtype=np.float64).ravel()
    if model == "extended_hata":
        loss_db = _extended_hata_db(flat_km, f_mhz, height_m, receiver_m)
    elif model == "free_space":
        loss_db = _free_space_db(flat_km, f_mhz, height_m, receiver_m)
    else:
        curves = load_curves()
        prepared = prepare(curves, f_mhz, time_pct)
        loss_db = _p1546_db(flat_km, prepared, curves, f_mhz, height_m, receiver_m, path == "sea", time_pct)
    return loss_db.reshape(np.shape(d_km))


def smaller_path_loss_db(
    d_km: NDArray[np.float64],
    f_mhz: float,
    height_m: float,
    *,
    receiver_m: float,
    model: Model,
    coastal: bool,
    time_pct: float = TIME_PCT,
) -> NDArray[np.float64]:
    """Loss over land or, for victims near the coast, the smaller of the losses over land and over sea."""
    land_db = path_loss_db(d_km, f_mhz, height_m, receiver_m=receiver_m, model=model, time_pct=time_pct)
    if not coastal:
        return land_db
    sea_db = path_loss_db(
        d_km, f_mhz, height_m, receiver_m=receiver_m, model=model, path="sea", time_pct=time_pct
    )
    return np.minimum(land_db, sea_db)


@kernel
def slant_loss_db(d_km: float, f_mhz: float, height_m: float, receiver_m: float) -> float:
    """Free-space loss in dB between two antennas at different heights, ``d_km`` apart on the ground."""
    rise_km = 1e-3 * (height_m - receiver_m)
    return free_space_loss_db((d_km * d_km + rise_km * rise_km) ** 0.5, f_mhz)


@kernel
def _free_space_db(
    d_km: NDArray[np.float64], f_mhz: float, height_m: float, receiver_m: float
) -> NDArray[np.float64]:
    loss_db = np.empty(d_km.size)
    for i in range(d_km.size):
        loss_db[i] = slant_loss_db(d_km[i], f_mhz, height_m, receiver_m)
    return loss_db


@kernel
def _p1546_db(
    d_km: NDArray[np.float64],
    prepared: Prepared,
    curves: NDArray[np.float64],
    f_mhz: float,
    height_m: float,
    receiver_m: float,
    over_sea: bool,
    time_pct: float,
) -> NDArray[np.float64]:
    loss_db = np.empty(d_km.size)
    nan = np.nan
    h1_m = height_m if height_m >= BASE_MIN_M else BASE_MIN_M
    h2_m = receiver_m if height_m >= BASE_MIN_M else height_m
    for i in range(d_km.size):
        d = d_km[i]
        free_db = slant_loss_db(d, f_mhz, height_m, receiver_m)
        loss_db[i] = free_db
        if d > NEAR_KM:
            sea_km = d if over_sea else 0.0
            e_dbuvm = p1546_pixel_field(
                prepared,
                curves,
                f_mhz,
                time_pct,
                d,
                h1_m,
                nan,
                h1_m,
                h2_m,
                CLUTTER_M,
                _RURAL,
                sea_km,
                False,
                nan,
                nan,
                False,
            )
            loss_db[i] = max(free_db, loss_from_field_db(e_dbuvm, f_mhz))
    return loss_db


@kernel
def _extended_hata_db(
    d_km: NDArray[np.float64], f_mhz: float, height_m: float, receiver_m: float
) -> NDArray[np.float64]:
    loss_db = np.empty(d_km.size)
    for i in range(d_km.size):
        free_db = slant_loss_db(d_km[i], f_mhz, height_m, receiver_m)
        loss_db[i] = free_db
        if d_km[i] > NEAR_KM:
            hata_db = extended_hata_loss_db(f_mhz, d_km[i], height_m, receiver_m, _OPEN)[0]
            loss_db[i] = max(free_db, hata_db)
    return loss_db


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
    receiver_m: float = BASE_MIN_M,
    model: Model = "p1546",
    coastal: bool = False,
) -> LossTables:
    """Quadrant tables of the loss for the distances of ``offset_distance_km``."""
    unique_km, place = np.unique(distance_km, return_inverse=True)
    within = unique_km <= radius_km
    loss_db = np.full(unique_km.size, np.inf)
    loss_db[within] = smaller_path_loss_db(
        unique_km[within], f_mhz, height_m, receiver_m=receiver_m, model=model, coastal=coastal
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
