"""Polygons in which no device may transmit: quiet zones, exclusion areas, by channel.

With nothing configured they limit nothing, and that is known everywhere.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.errors import NotGeoreferencedWarning
from rasterio.features import rasterize
from shapely.geometry.base import BaseGeometry

from pipeline.budget import Budget, Term
from pipeline.config.bonds import DeviceChannel
from pipeline.config.config import Config
from pipeline.config.protection import Device
from pipeline.grid.grid import Grid
from pipeline.grid.polygons import project
from pipeline.registers.areas import ChannelArea, concerns, read_exclusions
from pipeline.services.base import BlockLimit, ServiceContext, ServiceLimit, check_channels, forbid, unlimited
from pipeline.services.table import ServiceRow
from pipeline.territory.rasters import CheckedTerritory


def prepare(
    service: ServiceRow, context: ServiceContext, device: Device, channel: DeviceChannel
) -> BlockLimit:
    """No permission in pixels that an exclusion area of the channel touches."""
    areas = [a for a in read_exclusions(context.config.areas.exclusions) if concerns(a, channel)]
    shapes = project([area.shape for area in areas], context.grid.crs)

    def limit(rows: slice, cols: slice) -> ServiceLimit:
        lowest = unlimited(rows, cols)
        forbid(lowest, touched(shapes, context.grid, rows, cols), service.code)
        return lowest

    return limit


def explain(
    service: ServiceRow, context: ServiceContext, device: Device, channel: DeviceChannel, row: int, col: int
) -> Budget | None:
    """Reasons of the areas that touch a pixel."""
    areas = areas_at(read_exclusions(context.config.areas.exclusions), channel, context.grid, row, col)
    reasons = [area.values["reason"] for area in areas]
    if not reasons:
        return None
    return Budget(
        {"reasons": reasons}, (Term("exclusion area", -math.inf, "; ".join(reasons)),), service.code
    )


def check(service: ServiceRow, config: Config, ground: CheckedTerritory) -> Iterator[str]:
    """Read the polygons, refused if faulty or if the plan lacks a channel; ``adjustments`` counts them."""
    check_area_channels(config, read_exclusions(config.areas.exclusions))
    yield from ()


def check_area_channels(config: Config, areas: Sequence[ChannelArea]) -> None:
    """Refuse areas for channels that the plan does not have."""
    for area in areas:
        check_channels(config, "channels", Path(area.file), area.channels or ())


def areas_at(
    areas: Sequence[ChannelArea], channel: DeviceChannel, grid: Grid, row: int, col: int
) -> list[ChannelArea]:
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
