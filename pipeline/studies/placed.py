"""White-space devices on the grid of a territory: a table of them, or a regular lattice."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pipeline.config.config import Config
from pipeline.config.protection import Device
from pipeline.dtt.multiple_interference import Placed
from pipeline.errors import InputError
from pipeline.grid import raster
from pipeline.grid.grid import Grid
from pipeline.quantise import NODATA_CENTI, NOT_EVALUATED, NOT_PERMITTED
from pipeline.radio.emission import device_cap_dbm
from pipeline.registers.tables import Record, read_table
from pipeline.territory.codes import Surface

_COLUMNS = ("lon", "lat", "channel", "eirp_dbm", "device")
NOTHING_PERMITTED = (NOT_PERMITTED, NOT_EVALUATED, NODATA_CENTI)


def read_placed(path: Path, config: Config, surface: xr.DataArray, public: Path) -> Placed:
    """A table ``lon, lat, channel, eirp_dbm, device``; an empty e.i.r.p. is what is permitted there.

    Each device stands in the territory, on a channel of the maps, below the cap of its profile.
    """
    table = read_table(path, _COLUMNS)
    if table.rejected:
        raise table.rejected[0]
    rows = [_placed_row(path, record, config, surface, public) for record in table.records]
    row, col, channel, eirp_dbm, device = zip(*rows, strict=True)
    return Placed(np.array(row), np.array(col), np.array(channel), np.array(eirp_dbm), np.array(device))


def spread(
    config: Config, device: Device, density_per_km2: float, surface: xr.DataArray, public: Path
) -> Placed:
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
            Placed(row[on], col[on], np.full(count, channel), raw[on] / 100.0, np.full(count, number))
        )
    return Placed(*(np.concatenate(values) for values in zip(*parts, strict=True)))


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
        ((np.arange(int(size / step_px + 0.5)) + 0.5) * step_px).astype(np.int64)
        for size in (grid.height, grid.width)
    )
    row, col = np.meshgrid(rows[rows < grid.height], cols[cols < grid.width], indexing="ij")
    return row.ravel(), col.ravel()


def _placed_row(
    path: Path, record: Record, config: Config, surface: xr.DataArray, public: Path
) -> tuple[int, int, int, float, int]:
    ids = [device.id for device in config.devices]
    if record.values["device"] not in ids:
        raise _refusal(path, record, "device", ", ".join(ids))
    number = ids.index(record.values["device"])
    text = record.values["channel"]
    if not (text.isdecimal() and int(text) in config.channels.wsd):
        raise _refusal(path, record, "channel", "a channel of channels.wsd")
    row, col = _pixel(path, record, surface)
    cap_dbm = device_cap_dbm(config.devices[number])
    if record.values["eirp_dbm"]:
        eirp_dbm = _number(path, record, "eirp_dbm", -200.0, cap_dbm)
    else:
        eirp_dbm = _permitted_dbm(path, record, public, ids[number], int(text), row, col)
    return row, col, int(text), eirp_dbm, number


def _pixel(path: Path, record: Record, surface: xr.DataArray) -> tuple[int, int]:
    """The pixel of a device; refused outside the territory."""
    grid: Grid = surface.attrs["grid"]
    lon_deg, lat_deg = (
        _number(path, record, name, -limit, limit) for name, limit in (("lon", 180.0), ("lat", 90.0))
    )
    row, col = grid.pixel_of(lon_deg, lat_deg)
    if not grid.has_pixel(row, col) or surface.values[row, col] != Surface.HOME:
        raise _refusal(path, record, "lon", "a place in the territory")
    return row, col


def _permitted_dbm(
    path: Path, record: Record, public: Path, device: str, channel: int, row: int, col: int
) -> float:
    layer = _layer(public, device, channel)
    here = raster.read(layer, rows=slice(row, row + 1), cols=slice(col, col + 1))
    raw = int(here.values.item())
    if raw in NOTHING_PERMITTED:
        raise _refusal(path, record, "eirp_dbm", "a number: here nothing is permitted on this channel")
    return raw / 100.0


def _layer(public: Path, device: str, channel: int) -> Path:
    return public / f"max_eirp_{device}_ch{channel:02d}.tif"


def _number(path: Path, record: Record, field: str, low: float, high: float) -> float:
    try:
        number = float(record.values[field])
    except ValueError:
        number = math.nan
    if not low <= number <= high:
        raise _refusal(path, record, field, f"a number from {low:g} to {high:g}")
    return number


def _refusal(path: Path, record: Record, field: str, allowed: str) -> InputError:
    value = record.values[field]
    return InputError("is not allowed", file=path, row=record.row, field=field, value=value, allowed=allowed)
