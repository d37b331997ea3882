"""Limits that PMSE receivers set to devices, pixel by pixel (docs/method.md, section 17).

A device may stand anywhere on a lattice (10 m) of its pixel; the point nearest to the receiver counts. A
pixel with the receiver in one of its lattice cells is blocked. Loss: free space up to 40 m, extended Hata
from 100 m on, between them interpolated over log distance, never below free space; free space alone for an
airborne receiver. It never falls with distance, so a receiver limits nothing beyond its reach.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.kernels import kernel
from pipeline.propagation.extended_hata import extended_hata_from_base_db, extended_hata_loss_db
from pipeline.propagation.free_space import slant_loss_db

AIRBORNE = -1
"""In place of a code of ``Environment``: free space at every distance."""
BLOCKED_DBM = -999.0
"""Limit in a receiver's own cell: finite, so that budgets remain plain numbers."""
_FARTHEST_KM = 1000.0
_BISECTIONS = 60


class PmseReceivers(NamedTuple):
    """PMSE receivers as a device in one channel meets them, arrays [n].

    ``x_m``, ``y_m`` on the grid; ``f_mhz`` of the loss; ``height_m`` above ground; ``environment`` a code of
    ``Environment`` or AIRBORNE; ``permissible_dbm`` what the device may radiate at a loss of 0 dB;
    ``entry_db`` building entry loss; ``known`` False where the kind has no numbers, ``permissible_dbm`` then
    being the strictest kind's; ``reach_km`` beyond which nothing is limited below the cap, ``terrain_km`` the
    same on paths over terrain, 0 where there are none; ``number`` its place among all of the channel.
    """

    x_m: NDArray[np.float64]
    y_m: NDArray[np.float64]
    f_mhz: NDArray[np.float64]
    height_m: NDArray[np.float64]
    environment: NDArray[np.int64]
    permissible_dbm: NDArray[np.float64]
    entry_db: NDArray[np.float64]
    known: NDArray[np.bool_]
    reach_km: NDArray[np.float64]
    terrain_km: NDArray[np.float64]
    number: NDArray[np.int64]


def some_receivers(receivers: PmseReceivers, which: Any) -> PmseReceivers:  # noqa: ANN401 an index of NumPy
    """Some of the receivers, by mask, numbers or slice."""
    return PmseReceivers(*(values[which] for values in receivers))


class PmseLinkRules(NamedTuple):
    """What all receivers share: device, distances, cap.

    ``height_m`` of the device; ``device_is_base`` in extended Hata; ``nearest_km`` smallest distance;
    ``entry_from_km`` distance up to which it does not count (negative: it always does); ``within_km``
    receivers farther away are left out; ``cap_dbm`` from which on nothing limits.
    """

    height_m: float
    device_is_base: bool
    nearest_km: float
    entry_from_km: float
    within_km: float
    cap_dbm: float


class LatticeBlock(NamedTuple):
    """First and last lattice coordinate (m) of the columns and rows of a block, and the lattice's step.

    ``scale``: largest ratio of grid to true distance.
    """

    west_m: NDArray[np.float64]
    east_m: NDArray[np.float64]
    south_m: NDArray[np.float64]
    north_m: NDArray[np.float64]
    lattice_m: float
    scale: float


class PmseTerrain(NamedTuple):
    """Losses over terrain in the window of a single receiver [y, x], empty where several have no such paths.

    NaN where the path of section 17 holds; with ``smaller`` this holds too where its loss is less.
    """

    loss_db: NDArray[np.float64]
    smaller: bool


@kernel
def pmse_loss_db(
    d_km: float, f_mhz: float, device_m: float, receiver_m: float, environment: int, device_is_base: bool
) -> float:
    """Basic transmission loss in dB between a device and a PMSE receiver at the heights given."""
    if environment == AIRBORNE:
        return slant_loss_db(d_km, f_mhz, device_m, receiver_m)
    if device_is_base:
        return extended_hata_from_base_db(f_mhz, d_km, device_m, receiver_m, environment)[0]
    return extended_hata_loss_db(f_mhz, d_km, device_m, receiver_m, environment)[0]


@kernel
def axis_distance_m(low_m: float, high_m: float, place_m: float, lattice_m: float) -> float:
    """Distance along one axis from a receiver to the nearest lattice point of low..high (both on it)."""
    if place_m < low_m:
        return low_m - place_m
    if place_m > high_m:
        return place_m - high_m
    return abs(place_m - round(place_m / lattice_m) * lattice_m)


@kernel
def path_loss_db(
    rules: PmseLinkRules, receivers: PmseReceivers, i: int, d_km: float, terrain_db: float, smaller: bool
) -> float:
    """Loss between the device and receiver ``i``; ``terrain_db`` over terrain, NaN where none holds."""
    if not smaller and not math.isnan(terrain_db):
        return terrain_db
    loss_db = pmse_loss_db(
        d_km,
        receivers.f_mhz[i],
        rules.height_m,
        receivers.height_m[i],
        receivers.environment[i],
        rules.device_is_base,
    )
    return terrain_db if terrain_db < loss_db else loss_db


@kernel
def eirp_limit_dbm(
    rules: PmseLinkRules, receivers: PmseReceivers, i: int, d_km: float, terrain_db: float, smaller: bool
) -> float:
    """Permitted e.i.r.p. for receiver ``i`` at a distance: permissible level + both losses."""
    loss_db = path_loss_db(rules, receivers, i, d_km, terrain_db, smaller)
    entry_db = receivers.entry_db[i] if d_km > rules.entry_from_km else 0.0
    return receivers.permissible_dbm[i] + loss_db + entry_db


@kernel
def limit_in_pixel_dbm(
    rules: PmseLinkRules,
    places: LatticeBlock,
    receivers: PmseReceivers,
    i: int,
    row: int,
    col: int,
    terrain_db: float,
    smaller: bool,
) -> tuple[float, float]:
    """Limit in dBm by receiver ``i`` in one pixel of a block, +inf where none; distance in km."""
    x_m, y_m = receivers.x_m[i], receivers.y_m[i]
    west_m, east_m, south_m, north_m = (
        places.west_m[col],
        places.east_m[col],
        places.south_m[row],
        places.north_m[row],
    )
    if west_m <= x_m <= east_m and south_m <= y_m <= north_m:
        return BLOCKED_DBM, 0.0
    dx_m = axis_distance_m(west_m, east_m, x_m, places.lattice_m)
    dy_m = axis_distance_m(south_m, north_m, y_m, places.lattice_m)
    d_km = max(1e-3 * math.sqrt(dx_m * dx_m + dy_m * dy_m) / places.scale, rules.nearest_km)
    if d_km > rules.within_km:
        return math.inf, d_km
    limit = eirp_limit_dbm(rules, receivers, i, d_km, terrain_db, smaller)
    return (limit if limit < rules.cap_dbm else math.inf), d_km


@kernel
def lower_block(
    rules: PmseLinkRules,
    places: LatticeBlock,
    receivers: PmseReceivers,
    windows: NDArray[np.int64],
    terrain: PmseTerrain,
    lowest_dbm: NDArray[np.float64],
    not_evaluated: NDArray[np.bool_],
) -> None:
    """Lower the limits [y, x] of a block in place; mark pixels that receivers without numbers concern.

    ``windows`` int64[n, 4]: first and last + 1 row and column of the block that receiver n may concern.
    """
    for i in range(windows.shape[0]):
        top, left = windows[i, 0], windows[i, 2]
        for row in range(top, windows[i, 1]):
            for col in range(left, windows[i, 3]):
                terrain_db = terrain.loss_db[row - top, col - left] if terrain.loss_db.size > 0 else np.nan
                limit, _ = limit_in_pixel_dbm(
                    rules, places, receivers, i, row, col, terrain_db, terrain.smaller
                )
                if limit == math.inf:
                    continue
                if not receivers.known[i]:
                    not_evaluated[row, col] = True
                elif limit < lowest_dbm[row, col]:
                    lowest_dbm[row, col] = limit


@kernel
def pixel_limits(
    rules: PmseLinkRules,
    places: LatticeBlock,
    receivers: PmseReceivers,
    terrain_db: NDArray[np.float64],
    smaller: bool,
    limits_dbm: NDArray[np.float64],
    d_km: NDArray[np.float64],
) -> None:
    """Fill limit and distance [n] of every receiver for the single pixel of ``places``."""
    for i in range(limits_dbm.size):
        limits_dbm[i], d_km[i] = limit_in_pixel_dbm(rules, places, receivers, i, 0, 0, terrain_db[i], smaller)


@kernel
def reaches_km(rules: PmseLinkRules, receivers: PmseReceivers) -> NDArray[np.float64]:
    """Distance [n] beyond which a receiver limits nothing below the cap: bisection, rounded up."""
    reach_km = np.empty(receivers.permissible_dbm.size)
    for i in range(reach_km.size):
        low_km, high_km = 0.0, _FARTHEST_KM
        if eirp_limit_dbm(rules, receivers, i, _FARTHEST_KM, np.nan, False) >= rules.cap_dbm:
            for _ in range(_BISECTIONS):
                middle_km = 0.5 * (low_km + high_km)
                if eirp_limit_dbm(rules, receivers, i, middle_km, np.nan, False) < rules.cap_dbm:
                    low_km = middle_km
                else:
                    high_km = middle_km
        reach_km[i] = min(high_km, rules.within_km)
    return reach_km
