"""Manual adjustments: signed dB by area and channel, added to the limit that protects DTT.

As in Ofcom's "unscheduled adjustments" (whitespace-rules.md, section 1.2) they act on what DTT allows under
the device's cap, and -100 switches the channel off. They raise nothing above the cap, and nothing that
another service limits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from pipeline.config.protection import Device
from pipeline.grid.grid import Grid
from pipeline.grid.polygons import project
from pipeline.radio.emission import device_cap_dbm
from pipeline.registers.areas import OFF_DB, Adjustment, concerns, read_adjustments
from pipeline.services.base import (
    BlockLimit,
    Explain,
    Explanation,
    Prepare,
    ServiceContext,
    ServiceLimit,
    Term,
    unlimited,
)
from pipeline.services.codes import LimitingService
from pipeline.services.restrictions import touched


class Change(NamedTuple):
    """An adjustment on the grid: its polygon in the grid's CRS, and dB with -inf in place of -100 or less."""

    adjustment: Adjustment
    shape: BaseGeometry
    change_db: float


def adjusted(prepare: Prepare) -> Prepare:
    """The limits of a service with the manual adjustments added."""

    def prepare_adjusted(context: ServiceContext, device: Device, channel: int) -> BlockLimit | None:
        limit = prepare(context, device, channel)
        changes = changes_of(context, channel)
        if limit is None or not changes:
            return limit
        cap_dbm = device_cap_dbm(device)
        return lambda rows, cols: _changed(limit(rows, cols), changes, context.grid, rows, cols, cap_dbm)

    return prepare_adjusted


def adjusted_explanation(explain: Explain) -> Explain:
    """The budgets of a service with the manual adjustments as their last terms."""

    def explain_adjusted(
        context: ServiceContext, device: Device, channel: int, row: int, col: int
    ) -> Explanation | None:
        budget = explain(context, device, channel, row, col)
        rows, cols = slice(row, row + 1), slice(col, col + 1)
        found = [c for c in changes_of(context, channel) if extent(c, context.grid, rows, cols).any()]
        return _with_terms(budget, found, device_cap_dbm(device)) if found else budget

    return explain_adjusted


def prepare_without_dtt(context: ServiceContext, device: Device, channel: int) -> BlockLimit:
    """The adjustments where DTT is not evaluated: on the cap alone. With DTT they are in its limits."""
    if any(context.config.services[name].evaluated for name in ("dtt", "foreign_dtt")):
        return unlimited
    return adjusted(lambda *_: unlimited)(context, device, channel) or unlimited


def changes_of(context: ServiceContext, channel: int) -> list[Change]:
    """The adjustments of a channel."""
    found = read_adjustments(context.config.areas.adjustments)
    return [
        Change(
            adjustment,
            project([adjustment.area.shape], context.grid.crs)[0],
            -math.inf if adjustment.adjustment_db <= OFF_DB else adjustment.adjustment_db,
        )
        for adjustment in found
        if concerns(adjustment.area, channel)
    ]


def extent(change: Change, grid: Grid, rows: slice, cols: slice) -> NDArray[np.bool_]:
    """Pixels of a window for which a change holds.

    One that lowers the limit holds wherever the area touches the pixel, one that raises it only in pixels
    wholly inside: the device may stand anywhere in its pixel.
    """
    inside = touched([change.shape], grid, rows, cols)
    if change.change_db > 0.0:
        inside &= ~touched([change.shape.boundary], grid, rows, cols)
    return inside


def _changed(
    limit: ServiceLimit, changes: Sequence[Change], grid: Grid, rows: slice, cols: slice, cap_dbm: float
) -> ServiceLimit:
    change_db = np.zeros(limit.eirp_dbm.shape)
    concerned = np.zeros(limit.eirp_dbm.shape, dtype=np.bool_)
    for change in changes:
        inside = extent(change, grid, rows, cols)
        change_db[inside] += change.change_db
        concerned |= inside
    eirp_dbm = np.where(concerned, np.minimum(limit.eirp_dbm, cap_dbm) + change_db, limit.eirp_dbm)
    label = np.where(concerned, np.uint8(LimitingService.MANUAL_ADJUSTMENT), limit.label)
    return ServiceLimit(eirp_dbm, label, limit.not_evaluated)


def _with_terms(budget: Explanation | None, found: Sequence[Change], cap_dbm: float) -> Explanation:
    terms = [] if budget is None else list(budget.terms)
    total_dbm = sum(term.value_db for term in terms) if terms else math.inf
    if total_dbm > cap_dbm:
        terms = [Term("device cap", cap_dbm, "DTT would allow more")]
    for change in found:
        values = change.adjustment.area.values
        note = f"{values['who']}, {values['when']}: {values['why']}"
        terms.append(Term("manual adjustment", change.change_db, note))
    victim = {} if budget is None else budget.victim
    return Explanation(victim, tuple(terms), int(LimitingService.MANUAL_ADJUSTMENT))
