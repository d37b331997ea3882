"""A small world of lon/lat rectangles: HHH (home) west, BBB east with a bay, CCC beyond, islands, sea."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Geod

from pipeline.coordination.radar.borders import CountryPolygon

GEOD = Geod(ellps="WGS84")
BOX = (8.0, 42.0, 16.0, 47.0)
STEP_DEG = 1.0 / 60.0
# Coast along 44 N; home west of 11 E, with an exclave on the island; a bay reaches into BBB to 45 N.
HOME = shapely.union_all([shapely.box(8.0, 44.0, 11.0, 47.0), shapely.box(10.0, 42.5, 10.3, 42.7)])
BBB = shapely.difference(shapely.box(11.0, 44.0, 13.0, 47.0), shapely.box(12.0, 44.0, 12.5, 45.0))
CCC = shapely.box(13.0, 44.0, 16.0, 47.0)
ISLANDS = shapely.union_all([shapely.box(10.3, 42.5, 10.6, 42.7), shapely.box(13.5, 43.0, 13.7, 43.2)])
COUNTRIES = [
    CountryPolygon("home", ("HHH",), HOME),
    CountryPolygon("b", ("BBB",), BBB),
    CountryPolygon("c", ("CCC",), CCC),
    CountryPolygon("islands", ("III", "CCC"), ISLANDS),
    CountryPolygon("nobody", (), shapely.box(9.0, 42.1, 9.1, 42.2)),
]


class Paths:
    """The rule of docs/method.md, section 29, by looking at every sample of every path with pyproj."""

    def __init__(self, land: NDArray[np.bool_]) -> None:
        self.land = land

    def is_land(self, lon: NDArray[np.float64], lat: NDArray[np.float64]) -> NDArray[np.bool_]:
        col = np.floor((lon - BOX[0]) / STEP_DEG).astype(int)
        row = np.floor((BOX[3] - lat) / STEP_DEG).astype(int)
        inside = (row >= 0) & (row < self.land.shape[0]) & (col >= 0) & (col < self.land.shape[1])
        return (
            inside
            & self.land[np.clip(row, 0, self.land.shape[0] - 1), np.clip(col, 0, self.land.shape[1] - 1)]
        )

    def crosses_sea(self, lon: float, lat: float, end_lon: float, end_lat: float, samples: int = 1) -> bool:
        n = int(np.ceil(GEOD.inv(lon, lat, end_lon, end_lat)[2] / 2000.0))
        if n < 2:
            return False
        points = np.array(GEOD.npts(lon, lat, end_lon, end_lat, n - 1))
        return int((~self.is_land(points[:, 0], points[:, 1])).sum()) >= samples
