"""The public layers as a SpatioTemporal Asset Catalog, version 1.1, in the folder ``stac/``.

``collection.json`` and an item for each device and channel, each device's summaries and each comparison of
coordination. Links are relative: the folder may be served or copied as it is, together with ``public/``. The
time of an item is that of the data (register, bookings), never that of the computation.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.config.bonds import plain_channel
from pipeline.grid import raster
from pipeline.grid.grid import Box
from pipeline.plan.plan import Plan
from pipeline.plan.published_layers import stac_item_file
from pipeline.plan.run_files import project_to_pass_on, stac_items
from pipeline.publish.legends import credit_line
from pipeline.publish.release import period_of_bookings
from pipeline.publish.styles import Scheme

_VERSION = "1.1.0"
EXTENSIONS = tuple(
    f"https://stac-extensions.github.io/{name}/v2.0.0/schema.json" for name in ("projection", "raster")
)
_COG = "image/tiff; application=geotiff; profile=cloud-optimized"
# An item must have a time; a register without a date holds at any.
_ALWAYS = {"start_datetime": "1970-01-01T00:00:00Z", "end_datetime": "9999-12-31T23:59:59Z"}
_DECIMALS = 6
# An identifier of a licence as STAC asks for it; anything else is "other", in words in the description.
_SPDX = r"[A-Za-z0-9.-]+"
_Json = dict[str, Any]


def times_of(plan: Plan) -> _Json:
    """Fields of an item's time: the day of the bookings, else that of the register, else always."""
    period, config = period_of_bookings(plan), plan.config
    if period is not None:
        start, stop = period
        return {"datetime": start, "start_datetime": start, "end_datetime": stop}
    if config.registers.as_of is not None:
        return {"datetime": f"{config.registers.as_of.isoformat()}T00:00:00Z"}
    return {"datetime": None, **_ALWAYS}


def item_of(plan: Plan, name: str, layouts: Mapping[str, raster.Layout], box_deg: Box, time: _Json) -> _Json:
    """An item without its assets; all its rasters lie on one grid."""
    layout = next(iter(layouts.values()))
    place = layout.transform
    west, north = place.c, place.f
    shape = {
        "proj:code": layout.crs,
        "proj:shape": [layout.height, layout.width],
        "proj:transform": list(place)[:6],
        "proj:bbox": [west, north + place.e * layout.height, west + place.a * layout.width, north],
    }
    subject = {
        f"channelmaps:{key}": layout.tags[key] for key in ("device", "channel", "model") if key in layout.tags
    }
    described = _described(plan)
    return {
        "type": "Feature",
        "stac_version": _VERSION,
        "stac_extensions": list(EXTENSIONS),
        "id": name,
        "collection": plan.config.name,
        "geometry": footprint(box_deg),
        "bbox": bbox_of(box_deg),
        "properties": {**time, **described, "title": f"{described['title']}: {name}", **subject, **shape},
        "links": [link_to(rel, "./collection.json") for rel in ("root", "parent", "collection")],
        "assets": {},
    }


def asset_of(file: str, layout: raster.Layout, scheme: Scheme | None) -> _Json:
    """A raster; the codes among its values are in the description."""
    codes = [entry for entry in scheme.classes if entry.code is not None] if scheme is not None else []
    meaning = ", ".join(f"{entry.code} {entry.label}" for entry in codes)
    text = f"Raw values that are codes: {meaning}." if meaning else ""
    return {
        "href": f"../{file}",
        "type": _COG,
        "title": layout.long_name,
        **({"description": text} if text else {}),
        "roles": ["data"],
        "raster:spatial_resolution": layout.transform.a,
        "bands": [band_of(layout, band) for band in range(len(layout.band_names))],
    }


def band_of(layout: raster.Layout, band: int) -> _Json:
    """A band, counted from 0: name, unit, type, nodata, scale."""
    found: _Json = {"name": layout.band_names[band], "data_type": layout.dtype}
    if layout.units[band]:
        found["unit"] = layout.units[band]
    if layout.nodata is not None:
        found["nodata"] = "nan" if math.isnan(layout.nodata) else layout.nodata
    return found | {"raster:scale": layout.scale_factor, "raster:offset": 0.0}


def collection_of(plan: Plan, box_deg: Box, time: _Json) -> _Json:
    """The collection of a territory; as its items, it needs no folder but ``public/``."""
    config = plan.config
    start = time.get("start_datetime", time["datetime"])
    interval = [start, None if time["datetime"] is None else time.get("end_datetime")]
    return {
        "type": "Collection",
        "stac_version": _VERSION,
        "id": config.name,
        **_described(plan),
        "license": config.licence if re.fullmatch(_SPDX, config.licence) else "other",
        "extent": {"spatial": {"bbox": [bbox_of(box_deg)]}, "temporal": {"interval": [interval]}},
        "summaries": {
            "channelmaps:device": [device.id for device in config.devices],
            "channelmaps:channel": [plain_channel(channel) for channel in config.all_device_channels()],
        },
        "assets": {
            "statistics": _file(
                "../public/statistics.csv", "text/csv", "Channels against area and population"
            ),
            "project": _file(f"../{project_to_pass_on(plan)}", "application/x-qgis-project", "QGIS project"),
        },
        "links": [
            link_to("root", "./collection.json"),
            *(link_to("item", f"./{Path(stac_item_file(name)).name}") for name in stac_items(plan)),
        ],
    }


def bbox_of(box_deg: Box) -> list[float]:
    """West, south, east, north; west of a box across 180 degrees is larger than east (RFC 7946, 5.2)."""
    west, south, east, north = (round(bound, _DECIMALS) for bound in box_deg)
    return [west, south, round(east - 360.0, _DECIMALS) if east > 180.0 else east, north]


def footprint(box_deg: Box) -> _Json:
    """The box as a geometry, cut at 180 degrees if need be (RFC 7946, 3.1.9)."""
    west, south, east, north = (round(bound, _DECIMALS) for bound in box_deg)
    if east <= 180.0:
        return {"type": "Polygon", "coordinates": [_ring(west, south, east, north)]}
    halves = [_ring(west, south, 180.0, north), _ring(-180.0, south, round(east - 360.0, _DECIMALS), north)]
    return {"type": "MultiPolygon", "coordinates": [[half] for half in halves]}


def _ring(west: float, south: float, east: float, north: float) -> Sequence[Sequence[float]]:
    return [[west, south], [east, south], [east, north], [west, north], [west, south]]


def _described(plan: Plan) -> _Json:
    config = plan.config
    title = config.title or config.name
    texts = [
        f"Maximum e.i.r.p. of white-space devices and availability of TV channels: {title}.",
        config.notice,
        credit_line(config.model_dump(include={"attribution", "licence"})),
    ]
    return {"title": title, "description": " ".join(text for text in texts if text)}


def link_to(rel: str, href: str) -> _Json:
    """A link of an item or a collection."""
    media = "application/geo+json" if rel == "item" else "application/json"
    return {"rel": rel, "href": href, "type": media}


def _file(href: str, media: str, title: str) -> _Json:
    return {"href": href, "type": media, "title": title, "roles": ["metadata"]}
