"""Job query: all channels of a device in one file whose blocks hold every channel of a few pixels.

``public/query_<device>.tif`` has the values of ``max_eirp_<device>_chNN.tif``, one band per channel: a point
costs one block there, not one of every channel's file. Where bookings change within the period of the run,
``internal/query_<device>_*.tif`` have the same hour by hour.
"""

from __future__ import annotations

from pathlib import Path

from pipeline.config.config import Config
from pipeline.grid import raster
from pipeline.grid.layer_files import channel_bands, layer_file, layer_layout
from pipeline.grid.stacks import parts
from pipeline.plan.plan import channels_of, plan_of
from pipeline.plan.run_files import max_eirp_files
from pipeline.publish.query_raster import query_tags
from pipeline.publish.query_slices import write_slices
from pipeline.radio.allocations import is_partial


def main(config: Config, build: Path, *, threads: int, device: str, code: str) -> None:
    """Write the query raster of one device; compression is not threaded."""
    plan = plan_of(config)
    paths = [build / name for name in max_eirp_files(plan, device)]
    grid = raster.read_grid(paths[0])
    bands = channel_bands("query", channels_of(plan, device))
    tags = query_tags(plan, paths, grid, code)
    layout = layer_layout("query", grid, bands, {"device": device}, tags=tags)
    target, tile_px = (
        build / layer_file("query", device=device, partial=is_partial(config)),
        plan.config.query.block_px,
    )
    raster.write_blocks(target, layout, parts(paths, grid), publish=True, tile_px=tile_px)
    if plan.slices:
        (own,) = [one for one in config.devices if one.id == device]
        write_slices(plan, build, own, grid, tags)
