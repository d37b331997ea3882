"""Polygon files that are damaged or lie: areas in closed form, refusals in one line, repairs said."""

from __future__ import annotations

import io
import json
import math
import sqlite3
import time
import zipfile
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely
from shapely.geometry.base import BaseGeometry

from pipeline.errors import InputError
from pipeline.grid.polygons import box_boundaries, read_boundaries
from pipeline.grid.repair import area_km2
from pipeline.registers.areas import read_exclusions
from tests.grid.polygon_cases import GEOMETRIES, ring, write_geojson

SQUARE = ring(0, 0, 1, 1)


def boundaries_area(path: Path) -> float:
    return read_boundaries(path, ["AA"], countries_layer=path.stem, land_layer=None).territory.area


def areas_area(path: Path) -> float:
    return float(read_exclusions([path])[0].shape.area)


def sea_area(path: Path) -> float:
    return float(box_boundaries(["AA"], (-20.0, -20.0, 20.0, 20.0), world=path).territory.area)


READERS = {"boundaries": boundaries_area, "areas": areas_area, "sea": sea_area}


def geopackage(source: Path, path: Path) -> Path:
    """The same layer as a GeoPackage, geometry as it stands."""
    frame = gpd.read_file(source)
    frame.to_file(path, layer=path.stem, driver="GPKG")
    return path


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("kind", ["geojson", "gpkg"])
@pytest.mark.parametrize("case", [name for name, (_, area, _) in GEOMETRIES.items() if area is not None])
def test_area_is_that_of_all_parts_together(tmp_path: Path, case: str, kind: str, reader: str) -> None:
    geometry, area, _ = GEOMETRIES[case]
    file = write_geojson(tmp_path / "shape.geojson", geometry)
    if kind == "gpkg":
        file = geopackage(file, tmp_path / "shape.gpkg")
    assert READERS[reader](file) == pytest.approx(area, rel=1e-12)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("case", [name for name, (_, area, _) in GEOMETRIES.items() if area is None])
def test_what_cannot_be_is_refused_with_its_row(tmp_path: Path, case: str, reader: str) -> None:
    geometry, _, said = GEOMETRIES[case]
    file = write_geojson(tmp_path / "shape.geojson", geometry)
    with pytest.raises(InputError) as refused:
        READERS[reader](file)
    line = str(refused.value)
    assert "shape.geojson" in line
    assert said in line or "empty" in line
    assert "\n" not in line


@pytest.mark.parametrize("case", [name for name, (_, _, said) in GEOMETRIES.items() if "repaired" in said])
def test_repair_is_said_with_its_area(tmp_path: Path, case: str) -> None:
    geometry, area, _ = GEOMETRIES[case]
    file = write_geojson(tmp_path / "shape.geojson", geometry)
    found = read_boundaries(file, ["AA"], countries_layer="shape", land_layer=None).repairs
    assert [repair.row for repair in found] == [1]
    # A square degree at the equator; the shapes lie within three degrees of it.
    assert area is not None
    assert found[0].area_km2 == pytest.approx(area * 12_305.0, rel=2e-3)
    assert read_exclusions([file])[0].repair == found[0]


def test_valid_polygons_are_not_repaired(tmp_path: Path) -> None:
    file = write_geojson(tmp_path / "shape.geojson", {"type": "Polygon", "coordinates": [SQUARE]})
    assert read_boundaries(file, ["AA"], countries_layer="shape", land_layer=None).repairs == ()


def test_area_is_that_on_the_ellipsoid() -> None:
    """A zone of the authalic sphere: 2 pi R^2 (sin b2 - sin b1) / 360 for a degree of longitude."""
    authalic_km = 6371.0071809
    e2 = 0.00669437999014

    def sine(lat_deg: float) -> float:
        def q(s: float) -> float:
            e = math.sqrt(e2)
            return (1 - e2) * (s / (1 - e2 * s * s) + math.atanh(e * s) / e)

        return q(math.sin(math.radians(lat_deg))) / q(1.0)

    zone = math.radians(1.0) * authalic_km**2 * (sine(47.0) - sine(46.0))
    assert area_km2(shapely.box(14, 46, 15, 47)) == pytest.approx(zone, rel=1e-5)
    holed = shapely.box(14, 46, 15, 47) - shapely.box(14.2, 46.2, 14.4, 46.4)
    parts = shapely.MultiPolygon([holed, shapely.box(14.2, 46.2, 14.4, 46.4)])
    assert area_km2(parts) == pytest.approx(zone, rel=1e-5)


# --- the file around them -----------------------------------------------------------------------------------


def refused(path: Path, **changed: Any) -> str:
    options = {"countries_layer": path.stem, "land_layer": None} | changed
    begun = time.process_time()
    with pytest.raises(InputError) as error:
        read_boundaries(path, ["AA"], **options)
    assert time.process_time() - begun < 10.0
    assert "\n" not in str(error.value)
    assert "previous exception" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("EPSG:99999", "unknown CRS"),
        ("nonsense", "unknown CRS"),
        ('LOCAL_CS["site"]', "CRS"),
        ("EPSG:5773", "CRS"),
        ("ESRI:104905", "wrong CRS"),
    ],
    ids=["unknown", "nonsense", "local", "vertical", "Mars"],
)
def test_crs_that_places_nothing_is_refused(tmp_path: Path, name: str, said: str) -> None:
    geometry = {"type": "Polygon", "coordinates": [SQUARE]}
    crs = {"type": "name", "properties": {"name": name}}
    file = write_geojson(tmp_path / "shape.geojson", geometry, crs=crs)
    assert said in refused(file)
    with pytest.raises(InputError, match="CRS"):
        read_exclusions([file])


def test_stated_crs_of_a_geojson_is_used(tmp_path: Path) -> None:
    metres = {"type": "Polygon", "coordinates": [ring(0, 0, 111319.49079327358, 111325.14286638486)]}
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::3857"}}
    file = write_geojson(tmp_path / "shape.geojson", metres, crs=crs)
    assert boundaries_area(file) == pytest.approx(1.0, rel=1e-9)


def test_geopackage_with_a_local_crs_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "shape.gpkg"
    frame = gpd.GeoDataFrame({"iso2": ["AA"]}, geometry=[shapely.box(0, 0, 1, 1)], crs='LOCAL_CS["site"]')
    frame.to_file(file, layer="shape", driver="GPKG")
    assert "CRS" in refused(file)


def test_curves_are_drawn(tmp_path: Path) -> None:
    """A half disc of radius 1."""
    arc = shapely.Polygon([(math.cos(a), math.sin(a)) for a in np.linspace(0, math.pi, 9)])
    file = tmp_path / "shape.gpkg"
    frame = gpd.GeoDataFrame({"iso2": ["AA"]}, geometry=[arc], crs=4326)
    frame.to_file(file, layer="shape", driver="GPKG")
    blob = _curve_polygon()
    with sqlite3.connect(file) as base:
        names = [row[0] for row in base.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")]
        for name in names:
            base.execute(f'DROP TRIGGER "{name}"')
        base.execute("UPDATE gpkg_geometry_columns SET geometry_type_name = 'GEOMETRY'")
        base.execute("UPDATE shape SET geom = ?", (blob,))
    assert boundaries_area(file) == pytest.approx(math.pi / 2, rel=1e-3)


def _curve_polygon() -> bytes:
    """CURVEPOLYGON(COMPOUNDCURVE(CIRCULARSTRING(1 0, 0 1, -1 0), (-1 0, 1 0))) in a GeoPackage's blob."""
    import struct

    def points(*xy: float) -> bytes:
        return struct.pack("<I", len(xy) // 2) + struct.pack(f"<{len(xy)}d", *xy)

    arc = struct.pack("<BI", 1, 8) + points(1, 0, 0, 1, -1, 0)
    line = struct.pack("<BI", 1, 2) + points(-1, 0, 1, 0)
    compound = struct.pack("<BII", 1, 9, 2) + arc + line
    return b"GP\0\1" + struct.pack("<i", 4326) + struct.pack("<BII", 1, 10, 1) + compound


def test_archives_are_not_unpacked(tmp_path: Path) -> None:
    """Blanks that unpack to gigabytes are refused by their first bytes."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("shape.geojson", b" " * 50_000_000)
    for name in ("shape.zip", "shape.geojson", "shape.gpkg", "shape.xlsx"):
        (tmp_path / name).write_bytes(packed.getvalue())
        assert "unpacked" in refused(tmp_path / name)


@pytest.mark.parametrize(
    "content",
    [
        "<OGRVRTDataSource><OGRVRTLayer name='x'><SrcDataSource>/vsicurl/http://127.0.0.1/x</SrcDataSource>"
        "</OGRVRTLayer></OGRVRTDataSource>",
        "<kml><Document><Placemark/></Document></kml>",
        "iso2,WKT\nAA,POINT (1 1)\n",
        "",
        " " * 5000,
    ],
    ids=["virtual", "KML", "CSV", "nothing", "blanks"],
)
def test_other_kinds_of_file_are_refused_by_name(tmp_path: Path, content: str) -> None:
    (tmp_path / "shape.geojson").write_text(content, encoding="utf-8")
    assert "GeoJSON, GeoPackage, shapefile" in refused(tmp_path / "shape.geojson")


@pytest.mark.parametrize(
    "content",
    ['{"type": "FeatureCollection", "features": [', "{" * 100_000, '{"type": "Feature', "{}", '{"crs": 3}'],
    ids=["cut", "deep", "open quotes", "object", "CRS"],
)
def test_damaged_geojson_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "shape.geojson").write_text(content, encoding="utf-8")
    refused(tmp_path / "shape.geojson")


def test_endless_layer_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.rows.vector_files._MOST_FEATURES", 3)
    file = tmp_path / "shape.gpkg"
    shapes: list[BaseGeometry] = [shapely.box(i, 0, i + 1, 1) for i in range(5)]
    gpd.GeoDataFrame({"iso2": ["AA"] * 5}, geometry=shapes, crs=4326).to_file(file, layer="shape")
    assert "too many features" in refused(file)


def test_large_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    file = tmp_path / "shape.geojson"
    file.write_text('{"type": "FeatureCollection"', encoding="utf-8")
    with file.open("r+b") as stream:
        stream.truncate(3_000_000_000)
    assert "too large" in refused(file)


def test_heights_are_dropped(tmp_path: Path) -> None:
    high = {"type": "Polygon", "coordinates": [[[*point, 5.0] for point in SQUARE]]}
    file = write_geojson(tmp_path / "shape.geojson", high)
    found = read_boundaries(file, ["AA"], countries_layer="shape", land_layer=None)
    assert not shapely.has_z(found.territory)
    assert json.loads(shapely.to_geojson(found.territory))["type"] == "Polygon"


def scribble(vertices: int) -> dict[str, Any]:
    """A ring of vertices anywhere: each two of its edges cross with a probability of 0.23."""
    points = np.random.default_rng(1).random((vertices, 2)).tolist()
    return {"type": "Polygon", "coordinates": [[*points, points[0]]]}


def test_ring_without_order_is_refused_at_once(tmp_path: Path) -> None:
    """2,000 vertices are 480,000 crossings, and were repaired in 74 s."""
    file = write_geojson(tmp_path / "shape.geojson", scribble(2000))
    started_s = time.process_time()
    assert "more than 100000 crossings" in refused(file)
    assert time.process_time() - started_s < 10.0


def test_ring_with_some_crossings_is_repaired(tmp_path: Path) -> None:
    """A tenth of the vertices: 4,600 crossings; the area is that of the parts with a winding number."""
    geometry = scribble(200)
    file = write_geojson(tmp_path / "shape.geojson", geometry)
    ring = shapely.Polygon(geometry["coordinates"][0]).exterior
    faces = list(shapely.polygonize([shapely.node(ring)]).geoms)
    inside = [face.area for face in faces if winding_number(face.representative_point(), ring)]
    assert boundaries_area(file) == pytest.approx(sum(inside), rel=1e-9)


def winding_number(point: shapely.Point, ring: shapely.LinearRing) -> int:
    """How often a ring goes round a point: signed crossings of the ray from it to the east."""
    x, y = shapely.get_coordinates(ring).T
    up, down = (y[:-1] <= point.y) & (y[1:] > point.y), (y[:-1] > point.y) & (y[1:] <= point.y)
    with np.errstate(divide="ignore", invalid="ignore"):
        at = x[:-1] + (point.y - y[:-1]) / (y[1:] - y[:-1]) * (x[1:] - x[:-1])
    return int((up & (at > point.x)).sum()) - int((down & (at > point.x)).sum())
