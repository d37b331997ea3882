"""PMSE under the separation method: devices keep a distance from each booking (SM.2405, Annex 10).

The distance depends on the type, the antenna height and the e.i.r.p. of the device and on whether the booking
lies in its channel or in one that touches it; the table is that of ``reference.separation_distances``, with
rows for bookings. It is kept between the square of a pixel and the place of the booking, over the largest
scale of the grid. A device for which the table has no row is not evaluated around bookings in its channel.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pipeline.budget import Budget, Term
from pipeline.config.bonds import DeviceChannel
from pipeline.config.protection import Device
from pipeline.grid.grid import Grid
from pipeline.radio.emission import device_cap_dbm
from pipeline.reference.separation_distances import (
    RELATIONS,
    DistanceStep,
    farthest_km,
    matching_steps,
    permitted_dbm,
    read_distances,
)
from pipeline.services.base import BlockLimit, ServiceContext, ServiceLimit, lower, unlimited
from pipeline.services.coarsening import middle_of_block_m
from pipeline.services.pmse.pmse_register import read_pmse_register
from pipeline.services.pmse.pmse_victims import channel_offsets, concerned, on_grid_m
from pipeline.services.table import ServiceRow


class _Bookings(NamedTuple):
    """Bookings in one relation to a channel, in grid coordinates, and what a device has to keep."""

    relation: str
    rows: xr.Dataset
    x_m: NDArray[np.float64]
    y_m: NDArray[np.float64]
    steps: list[DistanceStep]
    unknown_km: float


def separation_limit(
    service: ServiceRow, context: ServiceContext, device: Device, channel: DeviceChannel
) -> BlockLimit:
    """Limit by the distance from all bookings in the channel, and in those that touch it."""
    found = _bookings_of(context, device, channel)

    def limit(rows: slice, cols: slice) -> ServiceLimit:
        lowest = unlimited(rows, cols)
        for bookings in found:
            distance_km = _nearest_km(bookings, context.grid, rows, cols)
            if bookings.steps:
                lower(lowest, _permitted_dbm(bookings.steps, device, distance_km), service.code)
            else:
                lowest.not_evaluated[distance_km < bookings.unknown_km] = True
        return lowest

    return limit


def explain_separation_of_pmse(
    service: ServiceRow, context: ServiceContext, device: Device, channel: DeviceChannel, row: int, col: int
) -> Budget | None:
    """The relation whose bookings leave least at a pixel; None where nothing known limits below the cap."""
    pixel = slice(row, row + 1), slice(col, col + 1)
    strictest: Budget | None = None
    lowest_dbm = math.inf
    for bookings in _bookings_of(context, device, channel):
        if not bookings.steps:
            continue
        distance_km = _nearest_km(bookings, context.grid, *pixel)
        eirp_dbm = float(_permitted_dbm(bookings.steps, device, distance_km)[0, 0])
        if eirp_dbm < lowest_dbm:
            near = int(np.argmin(_each_km(bookings, context.grid, *pixel)[:, 0, 0]))
            victim = {
                "kind": str(bookings.rows["kind"].values[near]),
                "id": str(bookings.rows["id"].values[near]),
                "freq_mhz": float(bookings.rows["freq_mhz"].values[near]),
                "distance_km": float(distance_km[0, 0]),
            }
            term = Term("e.i.r.p. whose separation is kept", eirp_dbm, f"dBm, {bookings.relation} channel")
            strictest, lowest_dbm = Budget(victim, (term,), service.code), eirp_dbm
    return strictest


def _bookings_of(context: ServiceContext, device: Device, channel: DeviceChannel) -> list[_Bookings]:
    """Bookings in the channel and in those that touch it; without a row for these nothing is kept there."""
    config = context.config
    file = config.protection.separation.pmse_distances
    register, _ = read_pmse_register(config)
    chosen = concerned(config, device, channel, register, context.span)
    register = register.isel(assignment=np.flatnonzero(chosen))
    offsets = channel_offsets(config, device, channel, register)
    x_m, y_m = on_grid_m(register, context.grid)
    if context.block_m > 0.0:
        x_m, y_m = (middle_of_block_m(at_m, context.block_m) for at_m in (x_m, y_m))
    rules, found = read_distances(file), []
    for relation, those in RELATIONS.items():
        chosen = np.isin(offsets, those)
        steps = matching_steps(rules, device, relation, file)
        if chosen.any() and (steps or relation == "co"):
            rows = register.isel(assignment=np.flatnonzero(chosen))
            found.append(_Bookings(relation, rows, x_m[chosen], y_m[chosen], steps, farthest_km(rules)))
    return found


def _permitted_dbm(
    steps: list[DistanceStep], device: Device, distance_km: NDArray[np.float64]
) -> NDArray[np.float64]:
    """E.i.r.p. of the device, of a bond for its share in one channel; +inf where its cap is reached."""
    bond_db = 10.0 * math.log10(device.bond)
    nowhere = np.zeros(distance_km.shape, np.bool_)
    kept = permitted_dbm(steps, device_cap_dbm(device) - bond_db, nowhere, distance_km)
    return kept.astype(np.float64) + bond_db


def _nearest_km(bookings: _Bookings, grid: Grid, rows: slice, cols: slice) -> NDArray[np.float64]:
    return np.asarray(_each_km(bookings, grid, rows, cols).min(axis=0))


def _each_km(bookings: _Bookings, grid: Grid, rows: slice, cols: slice) -> NDArray[np.float64]:
    """Distance in km from the squares of a block to each booking, [booking, y, x]; never above the true."""
    west_m = grid.west_m + grid.resolution_m * np.arange(cols.start, cols.stop)
    north_m = grid.north_m - grid.resolution_m * np.arange(rows.start, rows.stop)
    dx_m = _outside_m(bookings.x_m[:, np.newaxis], west_m, west_m + grid.resolution_m)
    dy_m = _outside_m(bookings.y_m[:, np.newaxis], north_m - grid.resolution_m, north_m)
    apart_m = np.hypot(dy_m[:, :, np.newaxis], dx_m[:, np.newaxis, :])
    return np.asarray(apart_m / (1000.0 * grid.largest_scale()))


def _outside_m(
    at_m: NDArray[np.float64], low_m: NDArray[np.float64], high_m: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Distance of coordinates from intervals; inf where the projection does not reach."""
    with np.errstate(invalid="ignore"):
        return np.maximum(np.maximum(low_m - at_m, at_m - high_m), 0.0)
