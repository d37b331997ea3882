"""White-space devices on the grid of a territory: a table of them, or a regular lattice."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from pydantic import Field, ValidationInfo, model_validator

from pipeline.config.config import Config
from pipeline.config.protection import Device
from pipeline.dtt.multiple_interference import PlacedDevices
from pipeline.errors import InputError
from pipeline.grid import raster
from pipeline.grid.grid import Grid
from pipeline.quantise import NODATA_CENTI, NOT_EVALUATED, NOT_PERMITTED
from pipeline.radio.emission import device_cap_dbm
from pipeline.rows.row_models import (
    MAY_BE_EMPTY,
    LatCell,
    LonCell,
    RowModel,
    WholeCell,
    read_rows,
    row_problem,
    rules_of,
)
from pipeline.territory.codes import Surface

NOTHING_PERMITTED = (NOT_PERMITTED, NOT_EVALUATED, NODATA_CENTI)
_Level = Annotated[float, Field(ge=-200)]


class _Setting(NamedTuple):
    """What rows are checked against."""

    ids: list[str]
    caps_dbm: list[float]
    channels: Sequence[int]


class _PlacedRow(RowModel):
    """One device; an empty e.i.r.p. is what is permitted there."""

    device: str
    channel: WholeCell
    lon: LonCell
    lat: LatCell
    eirp_dbm: Annotated[_Level | None, MAY_BE_EMPTY, Field(description="-200 dBm to the cap, or empty")]

    @model_validator(mode="after")
    def _in_the_territory_file(self, info: ValidationInfo) -> _PlacedRow:
        setting = rules_of(info, _Setting)
        if self.device not in setting.ids:
            raise row_problem("device", "is not allowed", ", ".join(setting.ids))
        if self.channel not in setting.channels:
            raise row_problem("channel", "is not allowed", "a channel of channels.wsd")
        cap_dbm = setting.caps_dbm[setting.ids.index(self.device)]
        if self.eirp_dbm is not None and self.eirp_dbm > cap_dbm:
            raise row_problem("eirp_dbm", "is not allowed", f"a number from -200 to {cap_dbm:g}")
        return self


def read_placed(path: Path, config: Config, surface: xr.DataArray, public: Path) -> PlacedDevices:
    """A table ``lon, lat, channel, eirp_dbm, device``; an empty e.i.r.p. is what is permitted there.

    Each device stands in the territory, on a channel of the maps, below the cap of its profile.
    """
    ids = [device.id for device in config.devices]
    setting = _Setting(ids, [device_cap_dbm(device) for device in config.devices], config.channels.wsd)
    rows = read_rows(path, _PlacedRow, context=setting)
    pixels = [_pixel(path, row, surface) for row in rows]
    eirp_dbm = [
        _permitted_dbm(path, row, public, *pixel) if row.eirp_dbm is None else row.eirp_dbm
        for row, pixel in zip(rows, pixels, strict=True)
    ]
    row_px, col_px = np.array(pixels).T
    numbers = np.array([ids.index(row.device) for row in rows])
    return PlacedDevices(row_px, col_px, np.array([row.channel for row in rows]), np.array(eirp_dbm), numbers)


def spread(
    config: Config, device: Device, density_per_km2: float, surface: xr.DataArray, public: Path
) -> PlacedDevices:
    """On every channel a square lattice of devices over the territory, each at what is permitted there."""
    grid: Grid = surface.attrs["grid"]
    row, col = lattice(grid, density_per_km2)
    home = surface.values[row, col] == Surface.HOME
    row, col = row[home], col[home]
    number = list(config.devices).index(device)
    parts = []
    for channel in sorted(config.channels.wsd):
        raw = raster.read(_layer(public, device.id, channel)).values[row, col]
        on = ~np.isin(raw, NOTHING_PERMITTED)
        count = int(on.sum())
        parts.append(
            PlacedDevices(row[on], col[on], np.full(count, channel), raw[on] / 100.0, np.full(count, number))
        )
    return PlacedDevices(*(np.concatenate(values) for values in zip(*parts, strict=True)))


def lattice(grid: Grid, density_per_km2: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and columns of a square lattice of pixels with ``density_per_km2``, over the whole grid."""
    largest = 1e6 / grid.resolution_m**2
    if not 0.0 < density_per_km2 <= largest:
        raise InputError(
            "density is outside its range",
            field="--density-per-km2",
            value=density_per_km2,
            allowed=f"more than 0, at most one device per pixel: {largest:g}",
        )
    step_px = math.sqrt(largest / density_per_km2)
    rows, cols = (
        ((np.arange(int(size / step_px + 0.5)) + 0.5) * step_px).astype(np.int64) for size in grid.shape
    )
    row, col = np.meshgrid(rows[rows < grid.height], cols[cols < grid.width], indexing="ij")
    return row.ravel(), col.ravel()


def _pixel(path: Path, placed: _PlacedRow, surface: xr.DataArray) -> tuple[int, int]:
    """The pixel of a device; refused outside the territory."""
    grid: Grid = surface.attrs["grid"]
    row, col = grid.pixel_of(placed.lon, placed.lat)
    if not grid.has_pixel(row, col) or surface.values[row, col] != Surface.HOME:
        raise InputError(
            "is not allowed",
            file=path,
            row=placed.row,
            field="lon",
            value=placed.lon,
            allowed="a place in the territory",
        )
    return row, col


def _permitted_dbm(path: Path, placed: _PlacedRow, public: Path, row: int, col: int) -> float:
    layer = _layer(public, placed.device, placed.channel)
    raw = int(raster.read(layer, rows=slice(row, row + 1), cols=slice(col, col + 1)).values.item())
    if raw in NOTHING_PERMITTED:
        raise InputError(
            "is not allowed",
            file=path,
            row=placed.row,
            field="eirp_dbm",
            value="",
            allowed="a number: nothing is permitted there on this channel",
        )
    return raw / 100.0


def _layer(public: Path, device: str, channel: int) -> Path:
    return public / f"max_eirp_{device}_ch{channel:02d}.tif"
