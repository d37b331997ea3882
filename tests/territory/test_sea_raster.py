"""The raster of the classes of the distance from the sea against the distances between all squares."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from pipeline.grid import raster
from pipeline.grid.grid import make_grid
from pipeline.territory.codes import Surface
from pipeline.territory.rasters import write_sea

GRID = make_grid("EPSG:3035", 1000.0, (4_000_000.0, 2_500_000.0, 4_090_000.0, 2_560_000.0), 0.0)
EDGES_KM = [0.0, 5.0, 10.0, 20.0, 40.0]


def by_pairs_km(sea: np.ndarray) -> np.ndarray:
    """Least distance between the square of each pixel and any square of sea, in km of the ground."""
    rows, cols = np.nonzero(sea)
    y, x = np.indices(sea.shape)
    down = np.maximum(np.abs(y[..., np.newaxis] - rows) - 1, 0)
    along = np.maximum(np.abs(x[..., np.newaxis] - cols) - 1, 0)
    return np.hypot(down, along).min(axis=-1) / GRID.largest_scale()


@pytest.mark.parametrize("sea_paths", ["coastal", "ignore"])
def test_classes_are_those_of_the_distances(tmp_path, sea_paths):
    random = np.random.default_rng(7)
    sea = np.zeros(GRID.shape, bool)
    sea[[3, 30, 55], [10, 12, 50]] = True
    surface = np.where(sea, Surface.SEA, random.choice([Surface.HOME, Surface.FOREIGN], GRID.shape))
    settings = SimpleNamespace(protection=SimpleNamespace(sea_paths=sea_paths, sea_classes_km=EDGES_KM))
    write_sea(tmp_path / "sea.tif", settings, surface.astype(np.uint8), GRID)
    found = raster.read(tmp_path / "sea.tif").values
    if sea_paths == "ignore":
        assert (found == len(EDGES_KM)).all()
        return
    expected = np.digitize(by_pairs_km(sea), [*EDGES_KM[1:], np.inf])
    assert len(np.unique(expected)) == len(EDGES_KM)
    np.testing.assert_array_equal(found, expected)
