"""Channels and areas closed or capped by decision: reserved channels, exclusion polygons, channel caps.

They need no switch: with nothing configured they limit nothing, and that is known everywhere.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import shapely
from numpy.typing import NDArray
from pydantic import Field
from rasterio.errors import NotGeoreferencedWarning
from rasterio.features import rasterize
from shapely.geometry.base import BaseGeometry

from pipeline.config.protection import Device
from pipeline.grid.grid import Grid
from pipeline.grid.polygons import project
from pipeline.reference.ratio_tables import ANY, ClassOrAnyCell
from pipeline.registers.areas import ChannelArea, concerns, read_exclusions
from pipeline.rows.row_models import NumberCell, SourcedRow, WholeCell, read_rows, refuse_second
from pipeline.services.base import (
    BlockLimit,
    Explanation,
    ServiceContext,
    ServiceLimit,
    Term,
    lower,
    unlimited,
)
from pipeline.services.codes import LimitingService

CapKey = tuple[int, str]


class _CapRow(SourcedRow):
    channel: Annotated[WholeCell, Field(ge=1, le=99, description="1 to 99")]
    emission_class: ClassOrAnyCell
    cap_dbm: Annotated[NumberCell, Field(ge=-99, le=60, description="-99 to 60 dBm")]


# --- reserved channels --------------------------------------------------------------------------------------


def prepare_reserved(context: ServiceContext, device: Device, channel: int) -> BlockLimit:
    """No permission anywhere in a reserved channel."""
    return everywhere(-math.inf if _reasons(context, channel) else math.inf, LimitingService.RESERVED_CHANNEL)


def explain_reserved(
    context: ServiceContext, device: Device, channel: int, row: int, col: int
) -> Explanation | None:
    """What the channel is kept for."""
    reasons = _reasons(context, channel)
    return _closed("reserved channel", reasons, LimitingService.RESERVED_CHANNEL) if reasons else None


def _reasons(context: ServiceContext, channel: int) -> list[str]:
    return [entry.reason for entry in context.config.areas.reserved if channel in entry.channels]


# --- channel caps -------------------------------------------------------------------------------------------


def prepare_caps(context: ServiceContext, device: Device, channel: int) -> BlockLimit:
    """The cap of a channel for the device's emission class, by label the same as the device's own cap."""
    return everywhere(cap_dbm(context.config.areas.channel_caps, device, channel), LimitingService.DEVICE_CAP)


def explain_caps(
    context: ServiceContext, device: Device, channel: int, row: int, col: int
) -> Explanation | None:
    """The cap of the channel."""
    table = context.config.areas.channel_caps
    limit_dbm = cap_dbm(table, device, channel)
    if math.isinf(limit_dbm):
        return None
    note = f"{table.name if table else ''}, emission class {device.emission_class}"
    return Explanation(
        {"channel": channel}, (Term("channel cap", limit_dbm, note),), int(LimitingService.DEVICE_CAP)
    )


def cap_dbm(table: Path | None, device: Device, channel: int) -> float:
    """Smallest cap that the table gives for a channel and the device's class; infinite without one."""
    caps = {} if table is None else read_channel_caps(table)
    classes = (ANY, str(device.emission_class))
    return min((caps[channel, name] for name in classes if (channel, name) in caps), default=math.inf)


def read_channel_caps(path: Path) -> dict[CapKey, float]:
    """Cap in dBm (in the device's bandwidth) by channel and emission class, ``*`` = all classes."""
    rows = read_rows(path, _CapRow)
    refuse_second(path, rows, ("channel", "emission_class"))
    return {(row.channel, row.emission_class): row.cap_dbm for row in rows}


# --- exclusion areas ----------------------------------------------------------------------------------------


def prepare_exclusions(context: ServiceContext, device: Device, channel: int) -> BlockLimit:
    """No permission in pixels that an exclusion area of the channel touches."""
    areas = [a for a in read_exclusions(context.config.areas.exclusions) if concerns(a, channel)]
    shapes = project([area.shape for area in areas], context.grid.crs)

    def limit(rows: slice, cols: slice) -> ServiceLimit:
        lowest = unlimited(rows, cols)
        inside = touched(shapes, context.grid, rows, cols)
        lower(lowest, np.where(inside, -np.inf, np.inf), LimitingService.EXCLUSION_AREA)
        return lowest

    return limit


def explain_exclusions(
    context: ServiceContext, device: Device, channel: int, row: int, col: int
) -> Explanation | None:
    """Reasons of the areas that touch a pixel."""
    areas = areas_at(read_exclusions(context.config.areas.exclusions), channel, context.grid, row, col)
    reasons = [area.values["reason"] for area in areas]
    return _closed("exclusion area", reasons, LimitingService.EXCLUSION_AREA) if reasons else None


def areas_at(areas: Sequence[ChannelArea], channel: int, grid: Grid, row: int, col: int) -> list[ChannelArea]:
    """The areas of a channel that touch one pixel."""
    rows, cols = slice(row, row + 1), slice(col, col + 1)
    return [
        area
        for area in areas
        if concerns(area, channel) and touched(project([area.shape], grid.crs), grid, rows, cols).any()
    ]


def touched(shapes: Sequence[BaseGeometry], grid: Grid, rows: slice, cols: slice) -> NDArray[np.bool_]:
    """True where a pixel of the window and a shape (projected) have any point in common.

    A device may stand anywhere in its pixel.
    """
    shape_px = (rows.stop - rows.start, cols.stop - cols.start)
    inside = np.zeros(shape_px, dtype=np.uint8)
    place = grid.window(rows, cols).transform
    # With a ring of pixels around the window, so that the cut edges touch nothing of it.
    west, north = place @ (-2, -2)
    east, south = place @ (shape_px[1] + 2, shape_px[0] + 2)
    parts = [shapely.clip_by_rect(shape, west, south, east, north) for shape in shapes]
    parts = [part for part in parts if not part.is_empty]
    if parts:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            rasterize([(part, 1) for part in parts], out=inside, transform=place, all_touched=True)
    return inside.astype(np.bool_)


# --- shared -------------------------------------------------------------------------------------------------


def everywhere(eirp_dbm: float, label: LimitingService) -> BlockLimit:
    """The same limit in every pixel."""

    def limit(rows: slice, cols: slice) -> ServiceLimit:
        lowest = unlimited(rows, cols)
        lower(lowest, np.full(lowest.eirp_dbm.shape, eirp_dbm), label)
        return lowest

    return limit


def _closed(name: str, reasons: Sequence[str], label: LimitingService) -> Explanation:
    term = Term(name, -math.inf, "; ".join(reasons))
    return Explanation({"reasons": list(reasons)}, (term,), int(label))
