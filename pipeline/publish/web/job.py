"""Job web: ``public/web/`` from the published layers of all devices, boundaries and terrain, nothing else.

index.html, app.js, app.css, LICENSES.txt    the page
maps.json                                    devices, channels, levels, classes, statements
boundaries.geojson                           land, borders, places
tiles/<layer>.pmtiles                        pictures of one layer: 512-pixel PNG tiles of the web's map
tiles/relief.pmtiles                         light and shade of the terrain, where there is a terrain model
numbers/<device>.pmtiles                     levels and limiting services of all channels (``web_tiles.py``)
"""

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


def main(config: Config, build: Path, *, threads: int) -> None:
    """Write all files of ``<build>/public/web``."""
    public = build / "public"
    layers = layers_of(config)
    device = config.devices[0]
    first = public / max_eirp_file(config, device, config.channels_of(device)[0])
    place = geography(first)
    view_deg = view_box_deg(place.box_deg)
    present = write_pictures(public, layers, place, threads)
    for device in config.devices:
        write_numbers(config, public, device, place.box_deg)
    if config.terrain.dem is not None:
        write_relief(public / "web" / RELIEF_ARCHIVE, config.terrain.dem, place.box_deg, place.zooms)
    files = {name: file_sha256(public / "web" / name)[:_HASH_DIGITS] for name in archives_of(config, layers)}
    facts = describe(
        config, place, view_deg, tags=raster.read_layout(first).tags, present=present, files=files
    )
    facts["rasters"] = {layer.archive: layer.raster for layer in layers}
    texts = {
        "maps.json": json.dumps(facts, ensure_ascii=False, indent=1) + "\n",
        "boundaries.geojson": below(config, view_deg, place.grid.resolution_m),
    }
    for name, content in (
        page_files(config.publish.basemap) | {name: text.encode() for name, text in texts.items()}
    ).items():
        write_whole(public / "web" / name, content)
