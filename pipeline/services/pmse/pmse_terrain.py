"""Paths between devices and PMSE receivers over terrain (docs/method.md, section 40): reach and losses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.config.config import Config
from pipeline.config.protection import Device
from pipeline.dtt.terrain_paths import DEVICE_TIME_PCT
from pipeline.grid.grid import Grid
from pipeline.services.base import ServiceContext
from pipeline.services.placing import least_terrain_losses
from pipeline.services.pmse.pmse_kernels import (
    AIRBORNE,
    PmseLinkRules,
    PmseReceivers,
    PmseTerrain,
    some_receivers,
)
from pipeline.services.receiver_terrain import ReceiverEnd, TerrainAround, losses_of, pixel_losses_db


def with_terrain_reach(config: Config, rules: PmseLinkRules, receivers: PmseReceivers) -> PmseReceivers:
    """The receivers with the distances out to which they may limit on paths over terrain."""
    if config.protection.device_path == "homogeneous":
        return receivers
    terrain_km = np.zeros(receivers.x_m.size)
    ground = np.isfinite(receivers.x_m) & (receivers.environment != AIRBORNE)
    for i in np.flatnonzero(ground).tolist():
        least = least_terrain_losses(
            float(receivers.f_mhz[i]), DEVICE_TIME_PCT, config.protection.device_path_km
        )
        limits_dbm = receivers.permissible_dbm[i] + least.right_db + receivers.entry_db[i]
        limiting = np.flatnonzero(limits_dbm < rules.cap_dbm)
        if limiting.size:
            terrain_km[i] = min(least.reach_km(int(limiting[-1])), rules.within_km)
    return receivers._replace(terrain_km=terrain_km, reach_km=np.maximum(receivers.reach_km, terrain_km))


def tables_of(
    context: ServiceContext, device: Device, ids: NDArray[np.str_], receivers: PmseReceivers
) -> list[TerrainAround | None]:
    """Losses over terrain around each receiver; None where there are no such paths."""
    tables: list[TerrainAround | None] = [None] * receivers.x_m.size
    over = np.flatnonzero(receivers.terrain_km > 0.0)
    places_deg = context.grid.to_lonlat().transform(receivers.x_m[over], receivers.y_m[over])
    for i, lon_deg, lat_deg in zip(over.tolist(), *places_deg, strict=True):
        facts = (receivers.height_m[i], receivers.f_mhz[i], DEVICE_TIME_PCT, receivers.terrain_km[i])
        end = ReceiverEnd(str(ids[i]), float(lon_deg), float(lat_deg), *(float(fact) for fact in facts))
        tables[i] = losses_of(context, end, device)
    return tables


def terrain_parts(
    config: Config,
    grid: Grid,
    tables: Sequence[TerrainAround | None],
    receivers: PmseReceivers,
    windows: NDArray[np.int64],
    corner: tuple[int, int],
) -> Iterator[tuple[PmseReceivers, NDArray[np.int64], PmseTerrain]]:
    """Receivers of a block with their windows and the losses over terrain there, few at a time.

    Those without such paths together, then each with them: the losses of one window are in memory at a time.
    ``tables`` by ``number`` of the receivers; ``corner`` first row and column of the block.
    """
    over = np.array([tables[number] is not None for number in receivers.number.tolist()], np.bool_)
    smaller = config.protection.device_path == "smaller"
    yield some_receivers(receivers, ~over), windows[~over], PmseTerrain(np.empty((0, 0)), smaller)
    for n in np.flatnonzero(over).tolist():
        one, (top, bottom, left, right) = slice(n, n + 1), windows[n].tolist()
        around = tables[int(receivers.number[n])]
        if around is not None:
            rows = slice(top + corner[0], bottom + corner[0])
            cols = slice(left + corner[1], right + corner[1])
            found = PmseTerrain(pixel_losses_db(around, grid, rows, cols), smaller)
            yield some_receivers(receivers, one), windows[one], found
