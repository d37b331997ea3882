"""Decisions that close or cap channels and areas whatever the registers say: three rows of the table.

In channels kept for other uses and in polygons where no device may transmit (quiet zones, exclusion areas)
nothing is permitted; caps by channel and emission class share the label of the device's own cap. With nothing
configured they limit nothing, and that is known everywhere.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import shapely
from numpy.typing import NDArray
from pydantic import Field
from rasterio.errors import NotGeoreferencedWarning
from rasterio.features import rasterize
from shapely.geometry.base import BaseGeometry

from pipeline.budget import Budget, Term
from pipeline.config.config import Config
from pipeline.config.protection import Device
from pipeline.grid.grid import Grid
from pipeline.grid.polygons import project
from pipeline.reference.ratio_tables import ANY, ClassOrAnyCell
from pipeline.registers.areas import ChannelArea, concerns, read_exclusions
from pipeline.rows.row_models import NumberCell, SourcedRow, WholeCell, read_rows, refuse_second
from pipeline.services.base import (
    BlockLimit,
    ServiceContext,
    ServiceLimit,
    check_channels,
    everywhere,
    forbid,
    unlimited,
)
from pipeline.services.table import ServiceRow
from pipeline.territory.rasters import CheckedTerritory


class _CapRow(SourcedRow):
    channel: Annotated[WholeCell, Field(ge=1, le=99, description="1 to 99")]
    emission_class: ClassOrAnyCell
    cap_dbm: Annotated[NumberCell, Field(ge=-99, le=60, description="-99 to 60 dBm")]


def prepare(service: ServiceRow, context: ServiceContext, device: Device, channel: int) -> BlockLimit:
    """The limit by one of the three decisions."""
    areas = context.config.areas
    if service.name == "channel_caps":
        return everywhere(channel_cap_dbm(areas.channel_caps, device, channel), service.code)
    if service.name == "reserved_channel":
        return everywhere(-math.inf if _kept_for(context.config, channel) else math.inf, service.code)
    return _outside_areas(read_exclusions(areas.exclusions), context.grid, channel, service.code)


def explain(
    service: ServiceRow, context: ServiceContext, device: Device, channel: int, row: int, col: int
) -> Budget | None:
    """The cap of the channel, what it is kept for, or the reasons of the areas that touch a pixel."""
    areas = context.config.areas
    if service.name == "channel_caps":
        return _explain_cap(areas.channel_caps, device, channel, service.code)
    if service.name == "reserved_channel":
        reasons = _kept_for(context.config, channel)
    else:
        found = areas_at(read_exclusions(areas.exclusions), channel, context.grid, row, col)
        reasons = [area.values["reason"] for area in found]
    if not reasons:
        return None
    return Budget({"reasons": reasons}, (Term(service.label, -math.inf, "; ".join(reasons)),), service.code)


def check(service: ServiceRow, config: Config, ground: CheckedTerritory) -> Iterator[str]:
    """Read table and polygons, refused if faulty or if the plan lacks a channel; ``adjustments`` reports."""
    areas = config.areas
    if service.name == "channel_caps":
        if areas.channel_caps is not None:
            capped = [channel for channel, _ in read_channel_caps(areas.channel_caps)]
            check_channels(config, "channel", areas.channel_caps, capped)
    elif service.name == "reserved_channel":
        for entry in areas.reserved:
            check_channels(config, "areas.reserved", None, entry.channels)
    else:
        check_area_channels(config, read_exclusions(areas.exclusions))
    yield from ()


def _kept_for(config: Config, channel: int) -> list[str]:
    return [entry.reason for entry in config.areas.reserved if channel in entry.channels]


def _outside_areas(areas: Sequence[ChannelArea], grid: Grid, channel: int, label: int) -> BlockLimit:
    """No permission in pixels that an area of the channel touches."""
    shapes = project([area.shape for area in areas if concerns(area, channel)], grid.crs)

    def limit(rows: slice, cols: slice) -> ServiceLimit:
        lowest = unlimited(rows, cols)
        forbid(lowest, touched(shapes, grid, rows, cols), label)
        return lowest

    return limit


def _explain_cap(table: Path | None, device: Device, channel: int, label: int) -> Budget | None:
    cap_dbm = channel_cap_dbm(table, device, channel)
    if table is None or math.isinf(cap_dbm):
        return None
    note = f"{table.name}, emission class {device.emission_class}"
    return Budget({"channel": channel}, (Term("channel cap", cap_dbm, note),), label)


def channel_cap_dbm(table: Path | None, device: Device, channel: int) -> float:
    """Smallest cap that the table gives for a channel and the device's class; infinite without one."""
    caps = {} if table is None else read_channel_caps(table)
    classes = (ANY, str(device.emission_class))
    return min((caps[channel, name] for name in classes if (channel, name) in caps), default=math.inf)


def read_channel_caps(path: Path) -> dict[tuple[int, str], float]:
    """Cap in dBm (in the device's bandwidth) by channel and emission class, ``*`` = all classes."""
    rows = read_rows(path, _CapRow)
    refuse_second(path, rows, ("channel", "emission_class"))
    return {(row.channel, row.emission_class): row.cap_dbm for row in rows}


def check_area_channels(config: Config, areas: Sequence[ChannelArea]) -> None:
    """Refuse areas for channels that the plan does not have."""
    for area in areas:
        check_channels(config, "channels", Path(area.file), area.channels or ())


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
