"""Files of the web map: pictures and numbers of the published layers, and the boundaries."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import shapely
from pmtiles.tile import Compression, TileType

from pipeline.config.config import Config
from pipeline.config.protection import Device
from pipeline.grid import raster
from pipeline.grid.grid import Box
from pipeline.publish.styles import Scheme, class_index, read_schemes
from pipeline.publish.web.archive import write_archive
from pipeline.publish.web.boundaries import boundary_features, geojson_text, place_features
from pipeline.publish.web.numbers import number_tiles
from pipeline.publish.web.picture import TilePixels, draw, pyramid
from pipeline.publish.web.shown_layers import (
    Geography,
    WebLayer,
    limiting_service_file,
    max_eirp_file,
    numbers_archive,
)
from pipeline.territory.rasters import boundaries_of


def archives_of(config: Config, layers: list[WebLayer]) -> list[str]:
    """All archives, relative to ``public/web``."""
    return [layer.archive for layer in layers] + [numbers_archive(device) for device in config.devices]


def write_pictures(
    public: Path, layers: list[WebLayer], place: Geography, threads: int
) -> dict[str, list[int]]:
    """Write the archives of all layers; positions of the classes that occur in each, by archive."""
    schemes = read_schemes()
    tiles = pyramid(place.to_pixel, place.inside, place.box_deg, place.zooms)

    def picture(layer: WebLayer) -> list[int]:
        return write_picture(public, layer, schemes[layer.scheme], tiles, place.box_deg)

    with ThreadPoolExecutor(max_workers=threads) as pool:
        found = list(pool.map(picture, layers))
    return {layer.archive: classes for layer, classes in zip(layers, found, strict=True)}


def write_picture(
    public: Path, layer: WebLayer, scheme: Scheme, tiles: list[TilePixels], box_deg: Box
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
