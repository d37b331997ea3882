"""Vector layers of the QGIS projects: boundaries for everybody, transmitters and radars for internal use."""

from __future__ import annotations

from collections.abc import Collection

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
import xarray as xr

from pipeline.config.territory import Territory
from pipeline.grid.geopackage import geopackage_bytes
from pipeline.grid.grid import LONLAT, Box
from pipeline.grid.polygons import read_countries
from pipeline.publish.qgis.project import Labels, Symbol
from pipeline.publish.styles import read_base_colours
from pipeline.publish.web.boundaries import boundary_features, geojson_text, view_box_deg
from pipeline.registers.transmitters import country_of
from pipeline.territory.rasters import boundaries_of

_AREAS, _LINES = ("land", "territory"), ("border", "home_border")
TRANSMITTER_LAYER, SITE_LAYER = "transmitters", "sites"
HOME, _ABROAD = "home", "abroad"
# On maps of a larger scale there is room for more than names.
_NEAR_SCALE = 500_000
_LARGE_PLACES = 60
_RADAR_COLOUR = "#882255"
# Analysts zoom out more than readers of the web map: buffer around the territory, as a fraction of its size.
_BUFFER_FRACTION = 2.0
# Facts of a station as they stand in the register.
_COLUMNS = (
    "id",
    "site",
    "channel",
    "centre_mhz",
    "bandwidth_mhz",
    "erp_kw",
    "antenna_height_agl_m",
    "polarisation",
    "system",
    "mode",
    "sfn",
    "country",
)


def boundary_texts(territory: Territory, box_deg: Box, resolution_m: float) -> dict[str, str]:
    """GeoJSON of land and territory (polygons), and of borders (lines), around a box, by name."""
    view_deg = view_box_deg(box_deg, _BUFFER_FRACTION)
    features = boundary_features(boundaries_of(territory), view_deg, resolution_m)
    return {
        name: geojson_text(feature for feature in features if feature["properties"]["kind"] in kinds)
        for name, kinds in (("land", _AREAS), ("boundaries", _LINES))
    }


def transmitter_bytes(register: xr.Dataset, territory: Territory) -> bytes:
    """GeoPackage of the register, WGS84: its rows in their order, and the sites where they stand."""
    rows = transmitter_frame(register)
    located = rows.assign(country=countries_of(rows, territory))
    layers = {SITE_LAYER: site_frame(located, territory.home), TRANSMITTER_LAYER: rows}
    return geopackage_bytes(layers, dict.fromkeys(layers, "Point"))


def transmitter_frame(register: xr.Dataset) -> gpd.GeoDataFrame:
    """A point for each row of the register."""
    places = shapely.points(register["lon_deg"].values, register["lat_deg"].values)
    columns = {name: register[name].values for name in _COLUMNS if name in register}
    frame = gpd.GeoDataFrame(columns, geometry=places, crs=LONLAT)
    texts = [name for name in columns if np.asarray(columns[name]).dtype.kind == "U"]
    frame[texts] = frame[texts].astype(object)
    return frame


def countries_of(rows: gpd.GeoDataFrame, territory: Territory) -> pd.Series:
    """The country of each row; where the register names none, that of the polygon around it or the home."""
    stated, polygons = rows["country"], territory.polygons
    if polygons is None:
        return stated.where(stated != "", territory.home[0])
    countries = read_countries(polygons)
    return stated.where(
        stated != "", country_of(rows.geometry.x, rows.geometry.y, countries, polygons.country_field)
    )


def site_frame(rows: gpd.GeoDataFrame, home: Collection[str]) -> gpd.GeoDataFrame:
    """A point for each place with transmitters: name, channels, largest e.r.p., ``kind`` home or abroad."""
    named = rows.assign(site=rows["site"].where(rows["site"] != "", rows["id"]))
    records, places = [], []
    for place, group in named.groupby(rows.geometry.to_wkb(), sort=False):
        first = group.iloc[0]
        records.append(
            {
                "site": " / ".join(dict.fromkeys(group["site"])),
                "channels": ", ".join(str(channel) for channel in sorted(set(group["channel"]))),
                "largest_erp_kw": float(group["erp_kw"].max()),
                "country": first["country"],
                "kind": HOME if first["country"] in home else _ABROAD,
            }
        )
        places.append(shapely.from_wkb(place))
    return gpd.GeoDataFrame(records, geometry=places, crs=rows.crs)


def area_symbols() -> tuple[Symbol, ...]:
    """Land and territory below the rasters; outlined in their own colour, so that no seams show."""
    base = read_base_colours()
    colours = {kind: base[kind] for kind in _AREAS}
    return tuple(
        Symbol(kind, kind, "fill", "SimpleFill", _area(colour, colour, "0.2"))
        for kind, colour in colours.items()
    )


def line_symbols() -> tuple[Symbol, ...]:
    """Borders above the rasters."""
    base = read_base_colours()
    kinds = (("home_border", "border of the territory", "0.5"), ("border", "other borders", "0.2"))
    return tuple(
        Symbol(kind, label, "line", "SimpleLine", {"line_color": base[kind], "line_width": width})
        for kind, label, width in kinds
    )


def site_symbols() -> tuple[Symbol, ...]:
    """Places with transmitters, in colours that no class of the rasters has."""
    kinds = (
        (HOME, "of the territory", read_base_colours()["pixel"], "#ffffff"),
        (_ABROAD, "abroad", "#ffffff", "#000000"),
    )
    return tuple(
        Symbol(kind, label, "marker", "SimpleMarker", _marker("triangle", colour, edge, "3"))
        for kind, label, colour, edge in kinds
    )


def site_labels() -> Labels:
    """The site's name; seen from near, its channels as well."""
    near = '"site" || \'\\nch \' || "channels"'
    return Labels(f'CASE WHEN @map_scale < {_NEAR_SCALE} THEN {near} ELSE "site" END', 3_000_000)


def place_symbols() -> tuple[Symbol, ...]:
    """Places: nothing but their names, which stand over them."""
    unseen = _marker("circle", "0,0,0,0", "0,0,0,0", "0.1") | {"outline_style": "no"}
    return (Symbol(None, "", "marker", "SimpleMarker", unseen),)


def place_labels() -> Labels:
    """Names of the larger places; on maps of a larger scale of all of the territory."""
    return Labels(
        f'CASE WHEN "rank" < {_LARGE_PLACES} OR ("home" AND @map_scale < {_NEAR_SCALE}) THEN "name" END',
        5_000_000,
    )


def station_symbols() -> tuple[Symbol, ...]:
    """Transmitters: small, since those of a site lie on one another."""
    return (Symbol(None, "", "marker", "SimpleMarker", _marker("circle", "#ffffff", "#000000", "1.6")),)


def zone_symbols() -> tuple[Symbol, ...]:
    """Zones of radars: hardly filled, for they overlap."""
    return (Symbol(None, "", "fill", "SimpleFill", _area("204,121,167,25", _RADAR_COLOUR, "0.5")),)


def zone_labels() -> Labels:
    """The radar and the distances that bound its zone."""
    text = "\"radar\" || '\\n' || \"d_s_km\" || ' km over sea, ' || \"d_l_km\" || ' km over land'"
    return Labels(text, 20_000_000)


def affected_symbols() -> tuple[Symbol, ...]:
    """Radars: a point for each administration that one concerns."""
    return (Symbol(None, "", "marker", "SimpleMarker", _marker("diamond", _RADAR_COLOUR, "#000000", "3")),)


def _area(colour: str, edge: str, width_mm: str) -> dict[str, str]:
    return {"color": colour, "outline_color": edge, "outline_width": width_mm}


def _marker(shape: str, colour: str, edge: str, size_mm: str) -> dict[str, str]:
    return {"name": shape, "color": colour, "outline_color": edge, "size": size_mm}
