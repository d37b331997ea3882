"""Manual adjustments: signed dB by area and channel, added to the limit that protects DTT.

As in Ofcom's "unscheduled adjustments" (docs/method.md, section 22) they act on what DTT allows under the
device's cap, and -100 switches the channel off. They raise nothing above the cap, and nothing that another
service limits.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from pipeline.budget import Budget, Term, total_dbm
from pipeline.config.bonds import DeviceChannel
from pipeline.config.config import Config
from pipeline.config.protection import Device
from pipeline.grid.grid import Grid
from pipeline.grid.polygons import project
from pipeline.radio.emission import device_cap_dbm
from pipeline.registers.areas import OFF_DB, Adjustment, concerns, read_adjustments, read_exclusions
from pipeline.services.base import BlockLimit, ServiceContext, ServiceLimit, unlimited
from pipeline.services.exclusion_areas import check_area_channels, touched
from pipeline.services.table import ServiceRow, service_code
from pipeline.territory.rasters import CheckedTerritory


class PlacedAdjustment(NamedTuple):
    """An adjustment on the grid: its polygon in the grid's CRS, and dB with -inf in place of -100 or less."""

    adjustment: Adjustment
    shape: BaseGeometry
    change_db: float


def prepare(
    service: ServiceRow, context: ServiceContext, device: Device, channel: DeviceChannel
) -> BlockLimit:
    """The adjustments where DTT is not evaluated: on the cap alone. With DTT they are in its limits."""
    if _in_limits_of_dtt(context.config):
        return unlimited
    return adjusted_limit(unlimited, context, device, channel)


def explain(
    service: ServiceRow, context: ServiceContext, device: Device, channel: DeviceChannel, row: int, col: int
) -> Budget | None:
    """The adjustments of a pixel, on the cap alone."""
    return adjusted_budget(None, context, device, channel, row, col)


def check(service: ServiceRow, config: Config, ground: CheckedTerritory) -> Iterator[str]:
    """Read the adjustments, refused if faulty or if the plan lacks their channels; how many polygons act."""
    found = read_adjustments(config.areas.adjustments)
    check_area_channels(config, [adjustment.area for adjustment in found])
    exclusions = read_exclusions(config.areas.exclusions)
    if exclusions or found:
        yield f"  areas         {len(exclusions)} exclusions, {len(found)} manual adjustments"


def adjusted_limit(
    limit: BlockLimit, context: ServiceContext, device: Device, channel: DeviceChannel
) -> BlockLimit:
    """A limit with the manual adjustments of a channel added."""
    changes = changes_of(context, channel)
    if not changes:
        return limit
    cap_dbm = device_cap_dbm(device)

    def adjusted(rows: slice, cols: slice) -> ServiceLimit:
        placed = [(extent(change, context.grid, rows, cols), change.change_db) for change in changes]
        return with_changes(limit(rows, cols), placed, cap_dbm)

    return adjusted


def adjusted_budget(
    budget: Budget | None, context: ServiceContext, device: Device, channel: DeviceChannel, row: int, col: int
) -> Budget | None:
    """A budget with the manual adjustments of its pixel as the last terms."""
    rows, cols = slice(row, row + 1), slice(col, col + 1)
    found = [c for c in changes_of(context, channel) if extent(c, context.grid, rows, cols).any()]
    return _with_terms(budget, found, device_cap_dbm(device)) if found else budget


def _in_limits_of_dtt(config: Config) -> bool:
    return any(config.services[name].evaluated for name in ("dtt", "foreign_dtt"))


def changes_of(context: ServiceContext, channel: DeviceChannel) -> list[PlacedAdjustment]:
    """The adjustments of a channel."""
    found = read_adjustments(context.config.areas.adjustments)
    return [
        PlacedAdjustment(
            adjustment,
            project([adjustment.area.shape], context.grid.crs)[0],
            -math.inf if adjustment.adjustment_db <= OFF_DB else adjustment.adjustment_db,
        )
        for adjustment in found
        if concerns(adjustment.area, channel)
    ]


def extent(change: PlacedAdjustment, grid: Grid, rows: slice, cols: slice) -> NDArray[np.bool_]:
    """Pixels of a window for which a change holds.

    One that lowers the limit holds wherever the area touches the pixel, one that raises it only in pixels
    wholly inside: the device may stand anywhere in its pixel.
    """
    inside = touched([change.shape], grid, rows, cols)
    if change.change_db > 0.0:
        inside &= ~touched([change.shape.boundary], grid, rows, cols)
    return inside


def with_changes(
    limit: ServiceLimit, changes: Sequence[tuple[NDArray[np.bool_], float]], cap_dbm: float
) -> ServiceLimit:
    """A limit with adjustments added, each where its mask says (of the shape of the limit), under the cap."""
    change_db = np.zeros(limit.eirp_dbm.shape)
    concerned = np.zeros(limit.eirp_dbm.shape, dtype=np.bool_)
    for inside, own_db in changes:
        change_db[inside] += own_db
        concerned |= inside
    eirp_dbm = np.where(concerned, np.minimum(limit.eirp_dbm, cap_dbm) + change_db, limit.eirp_dbm)
    label = np.where(concerned, np.uint8(service_code("manual_adjustment")), limit.label)
    return ServiceLimit(eirp_dbm, label, limit.not_evaluated)


def _with_terms(budget: Budget | None, found: Sequence[PlacedAdjustment], cap_dbm: float) -> Budget:
    terms = [] if budget is None else list(budget.terms)
    allowed_dbm = total_dbm(terms) if terms else math.inf
    if allowed_dbm > cap_dbm:
        terms = [Term("device cap", cap_dbm, "DTT would allow more")]
    for change in found:
        values = change.adjustment.area.values
        note = f"{values['who']}, {values['when']}: {values['why']}"
        terms.append(Term("manual adjustment", change.change_db, note))
    victim = {} if budget is None else budget.victim
    return Budget(victim, tuple(terms), service_code("manual_adjustment"))
