"""Stage web: ``public/web/`` from the published layers of all devices and the boundaries, nothing else.

index.html, app.js, app.css, LICENSES.txt    the page
maps.json                                    devices, channels, levels, classes, statements
boundaries.geojson                           land, borders, places
tiles/<layer>.pmtiles                        pictures of one layer: 512-pixel PNG tiles of the web's map
numbers/<device>.pmtiles                     levels and limiting services of all channels (``numbers.py``)
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import shapely
from pmtiles.tile import Compression, TileType

from pipeline.config.config import Config
from pipeline.config.load import load_config
from pipeline.config.protection import Device
from pipeline.files import write_whole
from pipeline.grid import raster
from pipeline.grid.grid import Box
from pipeline.hashing import file_sha256
from pipeline.publish.styles import Scheme, class_index, read_schemes
from pipeline.publish.web.archive import write_archive
from pipeline.publish.web.boundaries import boundary_features, geojson_text, place_features, view_box_deg
from pipeline.publish.web.bundle import page_files
from pipeline.publish.web.describe import describe
from pipeline.publish.web.numbers import number_tiles
from pipeline.publish.web.picture import TilePixels, draw, pyramid
from pipeline.publish.web.shown_layers import (
    Geography,
    Layer,
    geography,
    layers_of,
    limiting_service_file,
    max_eirp_file,
    numbers_archive,
)
from pipeline.territory.rasters import boundaries_of

HASH_DIGITS = 12


def main(config_path: Path, build: Path, *, threads: int = 1) -> None:
    """Write all files of ``<build>/public/web``."""
    config, public = load_config(config_path), build / "public"
    layers = layers_of(config)
    first = raster.read(public / max_eirp_file(config.devices[0], min(config.channels.wsd)))
    place = geography(first)
    view_deg = view_box_deg(place.box_deg)
    present = write_pictures(public, layers, place, threads)
    for device in config.devices:
        write_numbers(config, public, device, place.box_deg)
    files = {name: file_sha256(public / "web" / name)[:HASH_DIGITS] for name in archives_of(config, layers)}
    facts = describe(config, place, view_deg, tags=first.attrs["tags"], present=present, files=files)
    texts = {
        "maps.json": json.dumps(facts, ensure_ascii=False, indent=1) + "\n",
        "boundaries.geojson": below(config, view_deg, place.grid.resolution_m),
    }
    for name, content in (page_files() | {name: text.encode() for name, text in texts.items()}).items():
        write_whole(public / "web" / name, content)


def archives_of(config: Config, layers: list[Layer]) -> list[str]:
    """All archives, relative to ``public/web``."""
    return [layer.archive for layer in layers] + [numbers_archive(device) for device in config.devices]


def write_pictures(public: Path, layers: list[Layer], place: Geography, threads: int) -> dict[str, list[int]]:
    """Write the archives of all layers; positions of the classes that occur in each, by archive."""
    schemes = read_schemes()
    tiles = pyramid(place.to_pixel, place.inside, place.box_deg, place.zooms)

    def picture(layer: Layer) -> list[int]:
        return write_picture(public, layer, schemes[layer.family], tiles, place.box_deg)

    with ThreadPoolExecutor(max_workers=threads) as pool:
        found = list(pool.map(picture, layers))
    return {layer.archive: classes for layer, classes in zip(layers, found, strict=True)}


def write_picture(
    public: Path, layer: Layer, scheme: Scheme, tiles: list[TilePixels], box_deg: Box
) -> list[int]:
    """Write the archive of one layer; positions of the classes that occur."""
    data = raster.read(public / layer.raster)
    classes = class_index(scheme, data.values)
    metadata = {"name": data.attrs["long_name"], "unit": scheme.unit}
    write_archive(
        public / "web" / layer.archive,
        draw(scheme, classes, tiles),
        box_deg=box_deg,
        tile_type=TileType.PNG,
        compression=Compression.NONE,
        metadata=metadata,
    )
    return [int(place) for place in np.flatnonzero(np.bincount(classes.ravel()))]


def write_numbers(config: Config, public: Path, device: Device, box_deg: Box) -> None:
    """Write the numbers of all channels of a device."""
    channels = sorted(config.channels.wsd)
    levels, services = (
        [public / file(device, channel) for channel in channels]
        for file in (max_eirp_file, limiting_service_file)
    )
    write_archive(
        public / "web" / numbers_archive(device),
        number_tiles(levels, services),
        box_deg=box_deg,
        tile_type=TileType.UNKNOWN,
        compression=Compression.GZIP,
        metadata={"name": f"maximum e.i.r.p. and limiting service, {device.id}", "channels": channels},
    )


def below(config: Config, view_deg: Box, resolution_m: float) -> str:
    """Text of ``boundaries.geojson``: land, borders and the larger places within the view."""
    places = config.population.places if config.population is not None else None
    boundaries = boundaries_of(config.territory)
    shapely.prepare(boundaries.territory)
    features = boundary_features(boundaries, view_deg, resolution_m)
    return geojson_text([*features, *place_features(places, view_deg, boundaries.territory)])
