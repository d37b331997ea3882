"""No distance to border points is more than 10 m too long: against a border of points 5 m apart."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from pipeline.coordination.radar.borders import CountryPolygon, NearPlaces, foreign_borders
from pipeline.grid.grid import GEOD, Grid

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
