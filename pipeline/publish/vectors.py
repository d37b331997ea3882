"""Vector layers of the QGIS projects: boundaries for everybody, transmitters for the house."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import shapely
import xarray as xr

from pipeline.config import Territory
from pipeline.coordination.radar.geopackage import geopackage_bytes
from pipeline.publish.qgis_project import Symbol
from pipeline.publish.styles import read_base_colours
from pipeline.publish.web.boundaries import boundary_features, geojson_text, view_box_deg
from pipeline.publish.web.place import Box
from pipeline.territory.stage import boundaries_of

AREAS, LINES = ("land", "territory"), ("border", "home_border")
TRANSMITTERS = "transmitters"
# Facts of a station as they stand in the register.
COLUMNS = (
    "id", "site", "channel", "centre_mhz", "bandwidth_mhz", "erp_kw", "antenna_height_agl_m", "polarisation",
    "system", "mode", "sfn", "country",
)  # fmt: skip


def boundary_texts(territory: Territory, box_deg: Box, resolution_m: float) -> dict[str, str]:
    """GeoJSON of land and territory (polygons), and of borders (lines), around a box, by name."""
    view_deg = view_box_deg(box_deg)
    features = boundary_features(boundaries_of(territory), view_deg, resolution_m)
    return {
        name: geojson_text(feature for feature in features if feature["properties"]["kind"] in kinds)
        for name, kinds in (("land", AREAS), ("boundaries", LINES))
    }


def transmitter_bytes(register: xr.Dataset) -> bytes:
    """GeoPackage with a point for each row of the register, WGS84, in the register's order."""
    places = shapely.points(register["lon_deg"].values, register["lat_deg"].values)
    columns = {name: register[name].values for name in COLUMNS if name in register}
    frame = gpd.GeoDataFrame(columns, geometry=places, crs="EPSG:4326")
    texts = [name for name in columns if np.asarray(columns[name]).dtype.kind == "U"]
    frame[texts] = frame[texts].astype(object)
    return geopackage_bytes({TRANSMITTERS: frame}, {TRANSMITTERS: "Point"})


def area_symbols() -> tuple[Symbol, ...]:
    """Land and territory below the rasters."""
    base = read_base_colours()
    return tuple(
        Symbol(kind, label, "fill", "SimpleFill", {"color": base[kind], "outline_style": "no"})
        for kind, label in (("land", "land"), ("territory", "territory"))
    )


def line_symbols() -> tuple[Symbol, ...]:
    """Borders above the rasters."""
    base = read_base_colours()
    kinds = (("home_border", "border of the territory", "0.5"), ("border", "other borders", "0.2"))
    return tuple(
        Symbol(kind, label, "line", "SimpleLine", {"line_color": base[kind], "line_width": width})
        for kind, label, width in kinds
    )


def station_symbols() -> tuple[Symbol, ...]:
    """Transmitters."""
    options = {"name": "triangle", "color": "#ffffff", "outline_color": "#000000", "size": "3"}
    return (Symbol(None, "", "marker", "SimpleMarker", options),)
