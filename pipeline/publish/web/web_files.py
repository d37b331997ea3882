"""Files of the web map: the layers shown, their pictures and numbers, boundaries, the page and its facts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray
from pmtiles.tile import Compression, TileType

from pipeline.availability.classes import published_levels_dbm
from pipeline.config.bonds import DeviceChannel, plain_channel
from pipeline.config.config import Config
from pipeline.config.products import Basemap
from pipeline.config.protection import Device
from pipeline.grid import raster
from pipeline.grid.grid import Box, Grid, strips_of_rows
from pipeline.grid.layer_files import archive_name, layer_file, raster_of, style_name
from pipeline.layers import LAYERS
from pipeline.plan.published_layers import published_layers
from pipeline.plan.run_files import PAGE_FILES, RELIEF_ARCHIVE
from pipeline.publish.legends import credit_line
from pipeline.publish.styles import (
    Scheme,
    class_index,
    hex_colour,
    lowest_raw,
    read_base_colours,
    read_schemes,
)
from pipeline.publish.web import bundle
from pipeline.publish.web.boundaries import boundary_features, geojson_text, place_features
from pipeline.publish.web.languages import catalogues
from pipeline.publish.web.place import (
    WEB_TILE_PX,
    Fit,
    box_of_pixels,
    lonlat_of_pixels,
    pixels_of_lonlat,
    worst_px,
    zooms_of,
)
from pipeline.publish.web.tile_pixels import TerritoryWindow, pyramid
from pipeline.publish.web.web_tiles import BLOCK_PX, Pictures, number_tiles, number_zoom, write_archive
from pipeline.radio.allocations import is_partial
from pipeline.radio.channel_plan import channel_centre_mhz
from pipeline.radio.emission import device_cap_dbm
from pipeline.territory.rasters import boundaries_of, window_with_values

_SAMPLES = 5000  # pixels at which places are checked
# By import, so that an edited page makes the job run again as an edited module does.
BUNDLE = Path(bundle.__file__).parent
_FORMAT = "channelmaps-web/2"
_NOT_PUBLIC = "(not published)"
_STATEMENTS = ("notice", "product", "unverified", "method", "model")


class WebLayer(NamedTuple):
    """A published raster, relative to ``public``, with its family and the scheme of its classes."""

    family: str
    scheme: str
    raster: str

    @property
    def archive(self) -> str:
        """Archive of the layer's pictures, relative to ``public/web``."""
        return f"tiles/{archive_name(self.raster)}.pmtiles"

    def with_ending(self, ending: str) -> WebLayer:
        """The layer as a file of another ending."""
        return self._replace(raster=Path(self.raster).with_suffix(ending).as_posix())


class Geography(NamedTuple):
    """Where the territory lies: on the grid (``window``, ``box_px``) and in lon/lat.

    ``to_pixel`` leads from (lon, lat) to (column, row), ``to_lonlat`` back; ``error_px`` how far the former
    leads astray at most, within the territory.
    """

    grid: Grid
    window: TerritoryWindow
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


def max_eirp_file(config: Config, device: Device, channel: DeviceChannel) -> str:
    """Raster of the maximum e.i.r.p., relative to ``public``."""
    fields = {"device": device.id, "channel": channel}
    return layer_file("max_eirp", partial=is_partial(config), **fields).removeprefix("public/")


def _numbers_archive(device: Device) -> str:
    """Archive of a device's numbers, relative to ``public/web``."""
    return f"numbers/{device.id}.pmtiles"


def geography(path: Path) -> Geography:
    """Where a layer of maximum e.i.r.p. has a value."""
    with raster.reading(path) as opened:
        grid = opened.grid
        rows, cols = window_with_values(opened) or (slice(0, grid.height), slice(0, grid.width))
        inside = np.empty((rows.stop - rows.start, cols.stop - cols.start), np.bool_)
        window = TerritoryWindow(rows, cols, inside)
        for strip, own in window.strips():
            (values,) = raster.read_window(opened, strip, cols)
            inside[own] = values != opened.layout.nodata
    box_px = (float(cols.start), float(rows.start), float(cols.stop), float(rows.stop))
    box_deg = box_of_pixels(grid, box_px)
    to_pixel = pixels_of_lonlat(grid, box_deg)
    sample = _sample_of(inside) + np.array([rows.start, cols.start]) + 0.5
    return Geography(
        grid,
        window,
        box_px,
        box_deg,
        to_pixel,
        lonlat_of_pixels(grid, box_px, box_deg),
        worst_px(to_pixel, grid, sample[:, 1], sample[:, 0]),
        zooms_of(box_deg, grid.resolution_m),
    )


def _sample_of(inside: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Row and column [n, 2] of every so many pixels of the territory."""
    step, passed = max(1, int(np.count_nonzero(inside)) // _SAMPLES), 0
    found = []
    for rows in strips_of_rows(0, len(inside)):
        places = np.argwhere(inside[rows])
        found.append(places[-passed % step :: step] + np.array([rows.start, 0]))
        passed += len(places)
    return np.concatenate(found).astype(np.float64)


# --- writing ------------------------------------------------------------------------------------------------


def archives_of(config: Config, layers: list[WebLayer]) -> list[str]:
    """All archives, relative to ``public/web``."""
    relief = [] if config.terrain.dem is None else [RELIEF_ARCHIVE]
    numbers = [_numbers_archive(device) for device in config.devices]
    return [layer.archive for layer in layers] + numbers + relief


def write_pictures(
    public: Path, layers: list[WebLayer], place: Geography, threads: int
) -> dict[str, list[int]]:
    """Write the archives of all layers; positions of the classes that occur in each, by archive."""
    schemes = read_schemes()
    pictures = Pictures(list(pyramid(place.to_pixel, place.window, place.box_deg, place.zooms)))

    def picture(layer: WebLayer) -> list[int]:
        return _write_picture(public, layer, schemes[layer.scheme], pictures, place)

    with ThreadPoolExecutor(max_workers=threads) as pool:
        found = list(pool.map(picture, layers))
    return {layer.archive: classes for layer, classes in zip(layers, found, strict=True)}


def _write_picture(
    public: Path, layer: WebLayer, scheme: Scheme, pictures: Pictures, place: Geography
) -> list[int]:
    """Write the archive of one layer; positions of the classes that occur."""
    path = public / layer.raster
    classes, occurring = _classes_of(path, scheme, place.window)
    metadata = {"name": raster.read_layout(path).long_name, "unit": scheme.unit}
    write_archive(
        public / "web" / layer.archive,
        pictures.of_layer(scheme, classes),
        box_deg=place.box_deg,
        tile_type=TileType.PNG,
        compression=Compression.NONE,
        metadata=metadata,
    )
    return occurring


def _classes_of(path: Path, scheme: Scheme, window: TerritoryWindow) -> tuple[NDArray[np.uint8], list[int]]:
    """Classes of a layer in the window and the positions of those that occur; around it there is nodata."""
    classes = np.empty(window.inside.shape, np.uint8)
    number = np.zeros(len(scheme.classes), np.int64)
    with raster.reading(path) as opened:
        for strip, own in window.strips():
            (values,) = raster.read_window(opened, strip, window.cols)
            classes[own] = class_index(scheme, values)
            number += np.bincount(classes[own].ravel(), minlength=number.size)
        if classes.shape != opened.grid.shape:
            number[class_index(scheme, np.array([opened.layout.nodata], values.dtype))] += 1
    return classes, np.flatnonzero(number).tolist()


def write_numbers(config: Config, public: Path, device: Device, box_deg: Box, ending: str) -> None:
    """Write the numbers of all channels of a device; what limits is 255 where that is not public.

    ``ending``: of the layers.
    """
    channels = config.channels_of(device)
    levels = [(public / max_eirp_file(config, device, channel)).with_suffix(ending) for channel in channels]
    services = [
        (public.parent / found.file).with_suffix(ending)
        for found in published_layers(config, device=device.id)
        if found.layer.family == "limiting_service"
    ]
    what = "maximum e.i.r.p. and limiting service" if services else "maximum e.i.r.p."
    write_archive(
        public / "web" / _numbers_archive(device),
        number_tiles(levels, services),
        box_deg=box_deg,
        tile_type=TileType.UNKNOWN,
        compression=Compression.GZIP,
        metadata={
            "name": f"{what}, {device.id}",
            "channels": [plain_channel(channel) for channel in channels],
        },
    )


def below(config: Config, view_deg: Box, resolution_m: float) -> str:
    """Text of ``boundaries.geojson``: land, borders and the larger places within the view."""
    places = config.population.places if config.population is not None else None
    boundaries = boundaries_of(config.territory)
    shapely.prepare(boundaries.territory)
    features = boundary_features(boundaries, view_deg, resolution_m)
    return geojson_text([*features, *place_features(places, view_deg, boundaries.territory)])


def page_files(basemap: Basemap | None = None) -> dict[str, bytes]:
    """Content of the page's own files by name; with a basemap its policy names the server of that too."""
    files = {name: (BUNDLE / name).read_bytes() for name in PAGE_FILES}
    if basemap is not None:
        for rule in (b"img-src 'self'", b"connect-src 'self'"):
            files["index.html"] = files["index.html"].replace(rule, rule + b" " + basemap.origin.encode())
    return files


# --- facts of the page --------------------------------------------------------------------------------------


def describe(
    config: Config,
    place: Geography,
    view_deg: Box,
    *,
    tags: Mapping[str, str],
    present: Mapping[str, Sequence[int]],
    files: Mapping[str, str],
) -> dict[str, Any]:
    """Facts of the page; ``tags`` those of a layer of maximum e.i.r.p.

    ``present`` has the positions of the classes that occur, ``files`` the first digits of the SHA-256, both
    by archive.
    """
    schemes = read_schemes()
    return {
        "format": _FORMAT,
        "title": config.title or config.name,
        "attribution": credit_line(config.model_dump(include={"attribution", "licence"})),
        "statements": {key: tags.get(key, "") for key in _STATEMENTS},
        "bookings_at": config.pmse.at if config.pmse.registers else None,
        "registers_as_of": None if config.registers.as_of is None else config.registers.as_of.isoformat(),
        "box_deg": place.box_deg,
        "view_deg": view_deg,
        "zooms": [place.zooms[0], place.zooms[-1]],
        "tile_px": WEB_TILE_PX,
        "grid": _grid_entry(place),
        "numbers": {"block_px": BLOCK_PX, "zoom": number_zoom(place.grid)},
        "devices": [_device_entry(config, device) for device in config.devices],
        "families": {
            row.family: _family_entry(schemes[style_name(row)])
            for row in LAYERS.values()
            if row.family in _families_shown(config)
        },
        "services": _services_shown(config, schemes["limiting_service"]),
        "present": present,
        "files": files,
        "base": read_base_colours(),
        "relief": None if config.terrain.dem is None else RELIEF_ARCHIVE,
        "basemap": None if config.publish.basemap is None else config.publish.basemap.model_dump(),
        "languages": catalogues(),
    }


def _families_shown(config: Config) -> set[str]:
    return {found.layer.family for found in published_layers(config) if found.layer.view.web}


def _services_shown(config: Config, scheme: Scheme) -> dict[str, str]:
    """Labels by code of what the numbers hold; of none where what limits is not public."""
    if config.publish.limiting_service == "internal":
        return {str(int(raster_of("limiting_service").nodata)): _NOT_PUBLIC}
    return {str(entry.code): entry.label for entry in scheme.classes}


def _grid_entry(place: Geography) -> dict[str, Any]:
    grid = place.grid
    return {
        "crs": grid.crs,
        "resolution_m": grid.resolution_m,
        "width": grid.width,
        "height": grid.height,
        "box_px": place.box_px,
        "error_px": round(place.error_px, 4),
        "to_pixel": _fit_entry(place.to_pixel),
        "to_lonlat": _fit_entry(place.to_lonlat),
    }


def _fit_entry(fitted: Fit) -> dict[str, Any]:
    return {"box": fitted.box, "first": fitted.first.tolist(), "second": fitted.second.tolist()}


def _device_entry(config: Config, device: Device) -> dict[str, Any]:
    return {
        "id": device.id,
        "height_m": device.height_m,
        "bandwidth_mhz": device.bandwidth_mhz,
        "cap_dbm": device_cap_dbm(device),
        "levels_dbm": published_levels_dbm(config, device),
        "channels": [
            {"channel": plain_channel(channel), "centre_mhz": channel_centre_mhz(config.channels, channel)}
            for channel in config.channels_of(device)
        ],
        "modes": [
            {"slug": entry.slug, "mode": entry.mode, "cpe": entry.cpe}
            for entry in config.reach
            if entry.device == device.id
        ],
    }


def _family_entry(scheme: Scheme) -> dict[str, Any]:
    classes = [
        {
            "label": entry.label,
            "colour": hex_colour(entry.rgba) if entry.rgba[3] else None,
            "code": entry.code,
            "from_raw": lowest_raw(scheme, entry),
        }
        for entry in scheme.classes
    ]
    return {"title": scheme.title, "unit": scheme.unit, "note": scheme.note, "classes": classes}
