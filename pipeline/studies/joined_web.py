"""The web map of joined maps; above a number of pixels it has only some of them, and says so.

Its tiles keep the pixel under each of theirs, so that a page of all pixels of a continent would take dozens
of gigabytes to make. Then every second (third, ...) row and column are shown, each pixel with its own values.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from affine import Affine
from numpy.typing import NDArray

from pipeline.config.config import Config
from pipeline.grid import raster
from pipeline.grid.grid import STRIP_PX, Grid, strips_of_rows
from pipeline.grid.raster import Layout, Opened, Part
from pipeline.publish.web.web_files import layers_of
from pipeline.publish.web.web_map import VRT_ENDING, write_web_map

WEB_PIXELS = 200_000_000
# Beside ``public/`` while the page is made: the rasters that it has, and the page itself.
_SCRATCH = ".web"


def step_of_web(grid: Grid) -> int:
    """Of how many rows, and columns, the web map of a grid has one."""
    return max(math.ceil(math.sqrt(grid.width * grid.height / WEB_PIXELS)), 1)


def write_joined_web(config: Config, grid: Grid, out: Path, *, threads: int) -> None:
    """Write ``<out>/public/web`` from the virtual rasters in ``<out>/public``."""
    step = step_of_web(grid)
    if step == 1:
        write_web_map(config, out / "public", threads=threads, ending=VRT_ENDING)
        return
    scratch = out / _SCRATCH
    try:
        for layer in layers_of(config):
            file = layer.with_ending(VRT_ENDING).raster
            write_thinned(out / "public" / file, scratch / file, step)
        write_web_map(config, scratch, threads=threads, ending=VRT_ENDING)
        (scratch / "web").rename(out / "public" / "web")
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def write_thinned(source: Path, target: Path, step: int) -> None:
    """Write a raster of the pixels in the middle of each square of ``step`` x ``step``; whole squares only.

    Its notice says so.
    """
    with raster.reading(source) as opened:
        layout = _thinned(opened.layout, step)
        raster.write_blocks(target, layout, _parts(opened, layout, step), publish=False)


def _parts(opened: Opened, layout: Layout, step: int) -> Iterator[Part]:
    """Strips of the thinned raster."""
    middle, every = step // 2, slice(0, layout.width)
    for rows in strips_of_rows(0, layout.height, STRIP_PX):
        read = slice(rows.start * step, rows.stop * step)
        values: NDArray[Any] = raster.read_window(opened, read, slice(0, layout.width * step))
        yield rows, every, values[:, middle::step, middle::step]


def _thinned(layout: Layout, step: int) -> Layout:
    """Size, place and notice of a thinned raster."""
    place = layout.transform
    notice = f"This web map has one of {step} x {step} pixels; the rasters have all."
    tags = dict(layout.tags) | {"notice": " ".join(filter(None, (layout.tags.get("notice", ""), notice)))}
    return layout._replace(
        transform=Affine(place.a * step, 0.0, place.c, 0.0, place.e * step, place.f),
        width=layout.width // step,
        height=layout.height // step,
        tags=tags,
    )
