"""``maps.json``: what the page has to know of the maps, as plain data without a clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.availability.classes import published_levels_dbm
from pipeline.config.config import Config
from pipeline.config.protection import Device
from pipeline.grid.layer_files import style_name
from pipeline.layers import LAYERS
from pipeline.publish.styles import Scheme, hex_colour, lowest_raw, read_base_colours, read_schemes
from pipeline.publish.web.numbers import BLOCK_PX, number_zoom
from pipeline.publish.web.place import WEB_TILE_PX, Box, Fit
from pipeline.publish.web.shown_layers import Geography
from pipeline.radio.channel_plan import channel_centre_mhz
from pipeline.radio.emission import device_cap_dbm

_FORMAT = "channelmaps-web/1"
_STATEMENTS = ("notice", "product", "unverified", "method", "model")


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
        "attribution": config.attribution,
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
            row.family: _family_entry(schemes[style_name(row)]) for row in LAYERS.values() if row.view.web
        },
        "services": {str(entry.code): entry.label for entry in schemes["limiting_service"].classes},
        "present": present,
        "files": files,
        "base": read_base_colours(),
    }


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
            {"channel": channel, "centre_mhz": channel_centre_mhz(config.channels, channel)}
            for channel in sorted(config.channels.wsd)
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
