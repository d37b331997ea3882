"""Stage query: all channels of a device in one file whose blocks hold every channel of a few pixels.

``public/query_<device>.tif`` has the values of ``max_eirp_<device>_chNN.tif``, one band per channel: a point
costs one block there, not one of every channel's file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.blocks import block_slices
from pipeline.grid import raster
from pipeline.grid.grid import STRIP_PX, Grid
from pipeline.grid.layer_files import channel_bands, layer_file, layer_layout
from pipeline.hashing import file_sha256, json_hash, source_hash
from pipeline.plan.plan import Plan, load_plan
from pipeline.plan.run_files import max_eirp_files
from pipeline.publish.query_facts import SCALE_TAG

# Tags of the layers that hold for all their channels.
SHARED_TAGS = ("device", "method", "model", "notice", "product", "unverified")


def main(config_path: Path, build: Path, *, device: str, threads: int = 1) -> None:
    """Write the query raster of one device; compression is not threaded."""
    plan = load_plan(config_path)
    paths = [build / name for name in max_eirp_files(plan, device)]
    grid = raster.read_grid(paths[0])
    bands, tags = channel_bands("query", plan.wsd), query_tags(plan, paths, grid)
    layout = layer_layout("query", grid, bands, {"device": device}, tags=tags)
    target, tile_px = build / layer_file("query", device=device), plan.config.query.block_px
    raster.write_blocks(target, layout, strips(paths, grid), publish=True, tile_px=tile_px)


def strips(paths: Sequence[Path], grid: Grid) -> Iterator[tuple[slice, slice, NDArray[np.int16]]]:
    """The layers of all channels stacked [channel, y, x], strip by strip from the north."""
    for rows, cols in block_slices((grid.height, grid.width), (STRIP_PX, grid.width)):
        yield rows, cols, np.stack([raster.read(path, rows=rows).values for path in paths])


def query_tags(plan: Plan, paths: Sequence[Path], grid: Grid) -> dict[str, str]:
    """What the file depends on, and the largest scale of its grid, which a query needs to stay quick."""
    layer_tags = raster.read_layout(paths[0]).tags
    own = [[file_sha256(path) for path in paths], plan.config.query.block_px, source_hash(__name__)]
    return {
        **{name: layer_tags[name] for name in SHARED_TAGS if name in layer_tags},
        "hash": json_hash(own),
        SCALE_TAG: f"{grid.largest_scale():.9f}",
    }
