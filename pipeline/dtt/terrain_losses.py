"""Losses over terrain from placed devices to the pixels around them (docs/method.md, section 40).

Between the centres of both pixels. Where a path over terrain does not hold, the homogeneous one does: nearer
than 0.25 km and in touching pixels, farther than ``protection.device_path_km``, and over unknown terrain.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.blocks import on_threads
from pipeline.config.config import Config
from pipeline.config.protection import Device
from pipeline.coverage.profile_fields import PlacesGround
from pipeline.dtt.terrain_paths import device_mast, losses_around, losses_at_db, waves_of_device
from pipeline.grid.geodesy import rays_to
from pipeline.grid.grid import Grid
from pipeline.kernels import kernel
from pipeline.terrain.records import MastView
from pipeline.terrain.sweep import FULL_CIRCLE_DEG


class TerrainLosses(NamedTuple):
    """Losses over terrain from one device to the pixels of a window, its corner at ``row`` and ``col``.

    ``loss_db`` float32[y, x], NaN where the homogeneous path holds; ``around`` pixels on each side of the
    device, 0 without terrain. ``smaller``: the homogeneous loss holds where it is less. ``gaps``: around the
    device terrain is not known everywhere.
    """

    row: int
    col: int
    loss_db: NDArray[np.float32]
    around: int
    smaller: bool
    gaps: bool


NO_TERRAIN = TerrainLosses(0, 0, np.empty((0, 0), np.float32), 0, False, False)


def terrain_reach_px(config: Config, grid: Grid) -> int:
    """Pixels around a device out to which its paths are computed over terrain; 0 = none are."""
    if config.protection.device_path == "homogeneous":
        return 0
    return math.ceil(1000.0 * config.protection.device_path_km * grid.largest_scale() / grid.resolution_m)


def losses_of_devices(
    config: Config,
    device: Device,
    f_mhz: float,
    ground: PlacesGround,
    grid: Grid,
    pixels: Sequence[tuple[int, int]],
    threads: int,
) -> Iterator[TerrainLosses]:
    """Losses from devices of one kind in pixels (row, column), in their order; equal for any threads."""

    def losses(pixel: tuple[int, int]) -> TerrainLosses:
        return _losses_of_device(config, device, f_mhz, ground, grid, pixel)

    return on_threads(losses, zip(pixels, strict=True), threads)


def _losses_of_device(
    config: Config, device: Device, f_mhz: float, ground: PlacesGround, grid: Grid, pixel: tuple[int, int]
) -> TerrainLosses:
    own = slice(pixel[0], pixel[0] + 1), slice(pixel[1], pixel[1] + 1)
    lon_deg, lat_deg = (float(values.item()) for values in grid.lonlat_deg(*own))
    view = MastView(0.0, FULL_CIRCLE_DEG, 0.0, config.protection.device_path_km)
    around = losses_around(
        ground,
        device_mast(device, lon_deg, lat_deg),
        waves_of_device(config, device, f_mhz),
        config.coverage.receiver_height_m,
        view,
    )
    reach_px = terrain_reach_px(config, grid)
    rows, cols = (
        slice(max(at - reach_px, 0), min(at + reach_px + 1, size))
        for at, size in zip(pixel, (grid.height, grid.width), strict=True)
    )
    loss_db = losses_at_db(around, *rays_to(lon_deg, lat_deg, grid, rows, cols)).astype(np.float32)
    smaller = config.protection.device_path == "smaller"
    return TerrainLosses(rows.start, cols.start, loss_db, reach_px, smaller, around.gaps)


@kernel
def chosen_loss_db(over: TerrainLosses, row: int, col: int, loss_db: np.float32) -> np.float32:
    """Loss to a pixel of the grid: over terrain where that path holds, else the homogeneous one given."""
    y, x = row - over.row, col - over.col
    if not (0 <= y < over.loss_db.shape[0] and 0 <= x < over.loss_db.shape[1]):
        return loss_db
    found_db = over.loss_db[y, x]
    if math.isnan(found_db) or (over.smaller and loss_db < found_db):
        return loss_db
    return found_db
