"""Polygons in which no device may transmit, or only below a cap: quiet zones, exclusion areas, masks.

Service contours of licences are the reverse: devices may transmit in pixels wholly inside them alone.

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
from pipeline.config.bonds import DeviceChannel, channels_in
from pipeline.config.config import Config
from pipeline.config.protection import Device
from pipeline.errors import InputError
from pipeline.grid.grid import Grid
from pipeline.grid.polygons import project
from pipeline.radio.emission import device_cap_dbm
from pipeline.registers.areas import ChannelArea, LimitingMask, concerns, read_exclusions, read_masks
from pipeline.services.base import (
    BlockLimit,
    ServiceContext,
    ServiceLimit,
    check_channels,
    forbid,
    lower,
    unlimited,
)
from pipeline.services.table import ServiceRow
from pipeline.territory.rasters import CheckedTerritory


def prepare(
    service: ServiceRow, context: ServiceContext, device: Device, channel: DeviceChannel
) -> BlockLimit:
    """No permission in pixels that an exclusion area of the channel touches; its masks' caps in theirs."""
    settings, grid = context.config.areas, context.grid
    areas = [a for a in read_exclusions(settings.exclusions) if concerns(a, channel)]
    shapes = project([area.shape for area in areas], grid.crs)
    masks = [mask for mask in read_masks(settings.masks) if concerns(mask.area, channel)]
    masked = [(project([mask.area.shape], grid.crs), mask.eirp_dbm(device.bandwidth_mhz)) for mask in masks]
    licensed = _licensed(context, channel)

    def limit(rows: slice, cols: slice) -> ServiceLimit:
        lowest = unlimited(rows, cols)
        forbid(lowest, touched(shapes, grid, rows, cols), service.code)
        for contour in licensed:
            forbid(lowest, _reaches_outside(contour, grid, rows, cols), service.code)
        for shape, cap_dbm in masked:
            lower(lowest, np.where(touched(shape, grid, rows, cols), cap_dbm, np.inf), service.code)
        return lowest

    return limit


def explain(
    service: ServiceRow, context: ServiceContext, device: Device, channel: DeviceChannel, row: int, col: int
) -> Budget | None:
    """Reasons of the areas that touch a pixel; without one the strictest mask."""
    settings, grid = context.config.areas, context.grid
    areas = areas_at(read_exclusions(settings.exclusions), channel, grid, row, col)
    reasons = [area.values["reason"] for area in areas]
    if reasons:
        term = Term("exclusion area", -math.inf, "; ".join(reasons))
        return Budget({"reasons": reasons}, (term,), service.code)
    window = slice(row, row + 1), slice(col, col + 1)
    if any(_reaches_outside(contour, grid, *window).any() for contour in _licensed(context, channel)):
        told_outside = "outside the service contours of the licences of this channel"
        term = Term("licensed area", -math.inf, told_outside)
        return Budget({"reasons": [told_outside]}, (term,), service.code)
    masks = [mask for mask in read_masks(settings.masks) if areas_at([mask.area], channel, grid, row, col)]
    if not masks:
        return None
    strictest = min(masks, key=lambda mask: mask.eirp_dbm(device.bandwidth_mhz))
    told = strictest.area.values
    term = Term(
        "limiting mask", strictest.eirp_dbm(device.bandwidth_mhz), f"{told['reason']} ({told['source']})"
    )
    return Budget({"reasons": [told["reason"]]}, (term,), service.code)


def check(service: ServiceRow, config: Config, ground: CheckedTerritory) -> Iterator[str]:
    """Read the polygons, refused if faulty or if the plan lacks a channel; ``adjustments`` counts them."""
    check_area_channels(config, read_exclusions([*config.areas.exclusions, *config.areas.licensed]))
    masks = read_masks(config.areas.masks)
    check_area_channels(config, [mask.area for mask in masks])
    for mask in masks:
        _refuse_idle(mask, config)
    yield from ()


def _licensed(context: ServiceContext, channel: DeviceChannel) -> list[BaseGeometry]:
    """Union of service contours for each channel of a bond, projected; none without licences."""
    paths = context.config.areas.licensed
    contours = read_exclusions(paths)
    return [
        shapely.union_all(
            project([area.shape for area in contours if concerns(area, number)], context.grid.crs)
        )
        for number in (channels_in(channel) if paths else ())
    ]


def _reaches_outside(contour: BaseGeometry, grid: Grid, rows: slice, cols: slice) -> NDArray[np.bool_]:
    """True where a pixel of the window is not wholly inside a contour."""
    place = grid.window(rows, cols).transform
    west, north = place @ (-3, -3)
    east, south = place @ (cols.stop - cols.start + 3, rows.stop - rows.start + 3)
    return touched([shapely.box(west, south, east, north).difference(contour)], grid, rows, cols)


def _refuse_idle(mask: LimitingMask, config: Config) -> None:
    """A mask above what every device may radiate anyway limits nothing: somebody meant something else."""
    if all(mask.eirp_dbm(device.bandwidth_mhz) > device_cap_dbm(device) for device in config.devices):
        raise InputError(
            "mask lies above the cap of every device",
            file=mask.area.file,
            row=mask.area.row,
            field="cap_dbm",
            value=mask.cap_dbm if mask.cap_dbm is not None else mask.cap_density_dbm_per_100khz,
            allowed="less than a device of this territory may radiate",
        )


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
