"""No distance to border points is more than 10 m too long: against a border of points 5 m apart."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pyproj
import pytest
import shapely
from scipy.spatial import cKDTree

from pipeline.config.coordination import Radars
from pipeline.coordination.radar.borders import CountryPolygon, NearPlaces, foreign_borders
from pipeline.coordination.radar.scene import radar_files
from pipeline.grid import raster
from pipeline.grid.grid import GEOD, Grid
from pipeline.territory.codes import Surface

# A neighbour with a long straight border in the west, a bend and an edge along a parallel.
NEIGHBOUR = shapely.Polygon([(14.0, 45.0), (14.02, 46.0), (14.3, 46.2), (15.5, 46.2), (15.5, 45.0)])
COUNTRIES = [
    CountryPolygon("east", ("HRV",), NEIGHBOUR),
    CountryPolygon("home", ("SVN",), shapely.box(12, 45, 13, 46)),
]
GRID = Grid("EPSG:3794", 200.0, 420_000.0, 122_000.0, 150, 100)


def least_km(places: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Geodesic from each place to the nearest of the points."""
    return np.array(
        [
            GEOD.inv(np.full(len(points), lon), np.full(len(points), lat), *points.T)[2].min() / 1000.0
            for lon, lat in places
        ]
    )


def border(step_m: float = 5.0) -> np.ndarray:
    """The edges near the places, straight in lon/lat."""
    line = shapely.LineString([(14.01, 45.5), (14.02, 46.0), (14.3, 46.2), (14.6, 46.2)])
    return shapely.get_coordinates(shapely.segmentize(line, step_m / 111_700.0))


def home_pixels() -> tuple[np.ndarray, np.ndarray]:
    lon, lat = GRID.lonlat_deg()
    home = ~shapely.contains_xy(NEIGHBOUR, lon, lat)
    return home, np.column_stack([lon[home], lat[home]])


@pytest.fixture(scope="module")
def chosen() -> np.ndarray:
    """Pixels of the home side, of which most are near the border."""
    _, places = home_pixels()
    rng = np.random.default_rng(612)
    return places[rng.choice(len(places), 60, replace=False)]


def test_nearest_point_is_nowhere_10_m_farther_than_the_border(chosen: np.ndarray) -> None:
    exact = least_km(chosen, border())
    for near in (NearPlaces(chosen), NearPlaces(home_pixels()[1], 0.0, GRID), NearPlaces(chosen, 3.0)):
        found = foreign_borders(COUNTRIES, "SVN", near=near)
        error_km = least_km(chosen, found.lonlat_deg) - exact
        assert error_km.max() <= 0.01 + 1e-4
        assert error_km.min() >= -0.003  # the 5 m between the points of the comparison


def test_points_a_kilometre_apart_are_up_to_half_of_it_too_far(chosen: np.ndarray) -> None:
    """What the closer points mend."""
    found = foreign_borders(COUNTRIES, "SVN")
    error_km = least_km(chosen, found.lonlat_deg) - least_km(chosen, border())
    assert 0.05 < error_km.max() < 0.5


def test_far_borders_keep_their_points_and_near_ones_get_few_more() -> None:
    plain = foreign_borders(COUNTRIES, "SVN").lonlat_deg
    far = foreign_borders(COUNTRIES, "SVN", near=NearPlaces(np.array([[5.0, 50.0]]))).lonlat_deg
    np.testing.assert_array_equal(plain, far)
    lattice = foreign_borders(COUNTRIES, "SVN", near=NearPlaces(home_pixels()[1], 0.0, GRID)).lonlat_deg
    everywhere = foreign_borders(COUNTRIES, "SVN", near=NearPlaces(home_pixels()[1], 1.0)).lonlat_deg
    assert len(plain) < len(lattice) < 0.6 * len(everywhere)


# --- the layer of a territory, and the table of a registered radar ---


def ragged(rng: np.random.Generator) -> shapely.Polygon:
    """A neighbour around home's east with edges of some hundred metres to ten kilometres, and a bay."""
    north = np.sort(rng.uniform(45.2, 46.4, 60)) + np.where(np.arange(60) % 7 == 0, 0.01, 0.0)
    west = 14.1 + rng.uniform(0.0, 0.35, 60) * (np.arange(60) % 3 > 0)
    return shapely.make_valid(shapely.Polygon([*zip(west, north, strict=True), (17.0, 46.6), (17.0, 45.0)]))


def exact_km(places: np.ndarray, shape: shapely.Geometry) -> np.ndarray:
    """Geodesics by PROJ to the nearest of points 4 m apart; chords order near points as geodesics do."""
    points = shapely.get_coordinates(shapely.segmentize(shapely.boundary(shape), 4.0 / 111_700.0))
    to_ecef = pyproj.Transformer.from_crs("EPSG:4979", "EPSG:4978", always_xy=True)
    tree = cKDTree(np.column_stack(to_ecef.transform(*points.T, np.zeros(len(points)))))
    nearest = tree.query(np.column_stack(to_ecef.transform(*places.T, np.zeros(len(places)))))[1]
    return np.asarray(pyproj.Geod(ellps="WGS84").inv(*places.T, *points[nearest].T)[2]) / 1000.0


def test_layer_of_a_territory_and_table_of_a_radar_are_exact_to_10_m(tmp_path: Path) -> None:
    """From files to float32 kilometres: every pixel of home, a border of edges of all lengths."""
    neighbour = ragged(np.random.default_rng(17))
    shapes = [shapely.difference(shapely.box(12.0, 45.0, 16.0, 46.5), neighbour), neighbour]
    codes = {"iso_numeric": ["705", "191"], "name": ["home", "east"]}
    gpd.GeoDataFrame(codes, geometry=shapes, crs="EPSG:4326").to_file(tmp_path / "world.gpkg")
    radar = (
        "A,SVN,SVN,TX,42.25,50,+19.0,N0N--,,N,N,+453000,+0140500,Home,H-1,S5AA1,a@b.example,,01.10.2014,,Y,"
    )
    (tmp_path / "radars.csv").write_text(radar + "\n", encoding="latin-1")
    settings = Radars(
        administration="SVN",
        borders=tmp_path / "world.gpkg",
        frequencies_mhz=[42.25],
        register_file=tmp_path / "radars.csv",
    )
    lon, lat = GRID.lonlat_deg()
    home = shapely.contains_xy(shapes[0], lon, lat)
    values = np.where(home, Surface.HOME, Surface.FOREIGN).astype(np.uint8)
    surface = raster.make_array(values, GRID, units="", long_name="surface", nodata=None)
    files = radar_files(settings, surface, threads=1)
    found = files.layers["public/radar612_dist_foreign.tif"].values[0]
    error_km = found[home] - exact_km(np.column_stack([lon[home], lat[home]]), neighbour)
    assert home.sum() > 5000
    assert -0.003 < error_km.min() <= error_km.max() < 0.0101
    (tmp_path / "radar612.gpkg").write_bytes(files.contents["internal/radar612.gpkg"])
    table = gpd.read_file(tmp_path / "radar612.gpkg", layer="radar612_affected")
    site = np.array([[14.0 + 5.0 / 60.0, 45.5]])
    assert table.d_min_km.tolist() == pytest.approx(exact_km(site, neighbour), abs=0.0101)
