"""Job stac: the public layers as a SpatioTemporal Asset Catalog in the folder ``stac/``."""

from __future__ import annotations

from pathlib import Path

from pipeline.config.config import Config
from pipeline.files import json_bytes, write_whole
from pipeline.grid import raster
from pipeline.plan.plan import plan_of
from pipeline.plan.published_layers import COLLECTION, stac_item_file
from pipeline.plan.run_files import stac_items
from pipeline.publish.catalogue import families
from pipeline.publish.stac import asset_of, collection_of, item_of, times_of
from pipeline.publish.styles import read_schemes
from pipeline.publish.web.place import box_of_pixels


def main(config: Config, build: Path, *, threads: int) -> None:
    """Write the collection and its items into ``build``."""
    plan = plan_of(config)
    time, kinds, schemes = times_of(plan), families(plan), read_schemes()
    boxes_deg = []
    for name, files in stac_items(plan).items():
        layouts = {file: raster.read_layout(build / file) for file in files}
        grid = raster.read_grid(build / files[0])
        box_deg = box_of_pixels(grid, (0.0, 0.0, float(grid.width), float(grid.height)))
        boxes_deg.append(box_deg)
        item = item_of(plan, name, layouts, box_deg, time)
        for file, layout in layouts.items():
            item["assets"][Path(file).stem] = asset_of(file, layout, schemes.get(kinds[file]))
        write_whole(build / stac_item_file(name), json_bytes(item))
    write_whole(build / COLLECTION, json_bytes(collection_of(plan, boxes_deg[0], time)))
