"""The web map of a folder of published layers: of a run, or of several that are shown as one."""

from __future__ import annotations

import json
from pathlib import Path

from pipeline.config.config import Config
from pipeline.files import write_whole
from pipeline.grid import raster
from pipeline.hashing import file_sha256
from pipeline.plan.run_files import RELIEF_ARCHIVE
from pipeline.publish.web.boundaries import view_box_deg
from pipeline.publish.web.relief_tiles import write_relief
from pipeline.publish.web.web_files import (
    archives_of,
    below,
    describe,
    geography,
    layers_of,
    max_eirp_file,
    page_files,
    write_numbers,
    write_pictures,
)

_HASH_DIGITS = 12
TIFF_ENDING, VRT_ENDING = ".tif", ".vrt"


def write_web_map(config: Config, public: Path, *, threads: int, ending: str = TIFF_ENDING) -> None:
    """Write all files of ``<public>/web``; ``ending`` of the layers in ``public``."""
    layers = [layer.with_ending(ending) for layer in layers_of(config)]
    device = config.devices[0]
    first = (public / max_eirp_file(config, device, config.channels_of(device)[0])).with_suffix(ending)
    place = geography(first)
    view_deg = view_box_deg(place.box_deg)
    present = write_pictures(public, layers, place, threads)
    for device in config.devices:
        write_numbers(config, public, device, place.box_deg, ending)
    if config.terrain.dem is not None:
        write_relief(public / "web" / RELIEF_ARCHIVE, config.terrain.dem, place.box_deg, place.zooms)
    files = {name: file_sha256(public / "web" / name)[:_HASH_DIGITS] for name in archives_of(config, layers)}
    tags = raster.read_layout(first).tags
    facts = describe(config, place, view_deg, tags=tags, present=present, files=files)
    facts["rasters"] = {layer.archive: layer.raster for layer in layers}
    texts = {
        "maps.json": json.dumps(facts, ensure_ascii=False, indent=1) + "\n",
        "boundaries.geojson": below(config, view_deg, place.grid.resolution_m),
    }
    for name, content in (
        page_files(config.publish.basemap) | {name: text.encode() for name, text in texts.items()}
    ).items():
        write_whole(public / "web" / name, content)
