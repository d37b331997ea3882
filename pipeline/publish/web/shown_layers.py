"""The published layers that the web map shows, their files, and where the territory lies on them."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pipeline.config.config import Config
from pipeline.config.protection import Device
from pipeline.grid.grid import Grid
from pipeline.grid.layer_files import layer_file, style_name
from pipeline.plan.published_layers import published_layers
from pipeline.publish.web.place import (
    Box,
    Fit,
    box_of_pixels,
    lonlat_of_pixels,
    pixels_of_lonlat,
    worst_px,
    zooms_of,
)

_SAMPLES = 5000  # pixels at which places are checked


class WebLayer(NamedTuple):
    """A published raster, relative to ``public``, with its family and the scheme of its classes."""

    family: str
    scheme: str
    raster: str

    @property
    def archive(self) -> str:
        """Archive of the layer's pictures, relative to ``public/web``."""
        return f"tiles/{Path(self.raster).stem}.pmtiles"


class Geography(NamedTuple):
    """Where the territory lies: on the grid (``inside`` [height, width], ``box_px``) and in lon/lat.

    ``to_pixel`` leads from (lon, lat) to (column, row), ``to_lonlat`` back; ``error_px`` how far the former
    leads astray at most, within the territory.
    """

    grid: Grid
    inside: NDArray[np.bool_]
    box_px: Box
    box_deg: Box
    to_pixel: Fit
    to_lonlat: Fit
    error_px: float
    zooms: range


def layers_of(config: Config) -> list[WebLayer]:
    """All layers with pictures, device by device."""
    return [
        WebLayer(found.layer.family, style_name(found.layer), found.file.removeprefix("public/"))
        for device in config.devices
        for found in published_layers(config, device=device.id)
        if found.layer.view.web
    ]


def max_eirp_file(device: Device, channel: int) -> str:
    """Raster of the maximum e.i.r.p., relative to ``public``."""
    return layer_file("max_eirp", device=device.id, channel=channel).removeprefix("public/")


def limiting_service_file(device: Device, channel: int) -> str:
    """Raster of the limiting service, relative to ``public``."""
    return layer_file("limiting_service", device=device.id, channel=channel).removeprefix("public/")


def numbers_archive(device: Device) -> str:
    """Archive of a device's numbers, relative to ``public/web``."""
    return f"numbers/{device.id}.pmtiles"


def geography(layer: xr.DataArray) -> Geography:
    """Where a layer of maximum e.i.r.p. (y, x), as read from its file, has a value."""
    grid, inside = layer.attrs["grid"], layer.values != layer.attrs["nodata"]
    rows, cols = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    box_px = (float(cols[0]), float(rows[0]), float(cols[-1] + 1), float(rows[-1] + 1))
    box_deg = box_of_pixels(grid, box_px)
    to_pixel = pixels_of_lonlat(grid, box_deg)
    sample = np.argwhere(inside)[:: max(1, int(inside.sum()) // _SAMPLES)].astype(np.float64) + 0.5
    return Geography(
        grid,
        inside,
        box_px,
        box_deg,
        to_pixel,
        lonlat_of_pixels(grid, box_px, box_deg),
        worst_px(to_pixel, grid, sample[:, 1], sample[:, 0]),
        zooms_of(box_deg, grid.resolution_m),
    )
