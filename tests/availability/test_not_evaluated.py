"""Area that is not evaluated, against sums written here."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.availability.statistics import not_evaluated_area, not_evaluated_table, write_not_evaluated
from pipeline.grid import raster
from pipeline.grid.grid import Grid
from pipeline.grid.raster import make_array

GRID = Grid("EPSG:3794", 200.0, 400_000.0, 150_000.0, 3, 2)
RAW = np.array([[-32768, -9998, -9999], [3600, -9998, 1200]], np.int16)
AREA_KM2 = np.array([[9.0, 1.0, 2.0], [3.0, 4.0, 5.0]])
PEOPLE = np.array([[np.nan, 10.0, np.nan], [20.0, 5.0, 65.0]])


@pytest.fixture
def layer(tmp_path):
    data = make_array(RAW, GRID, units="dBm", long_name="e.i.r.p.", nodata=-32768, scale_factor=0.01)
    raster.write(tmp_path / "max.tif", data, tags={}, publish=True)
    return tmp_path / "max.tif"


def test_not_evaluated_area_is_weighted_by_true_area_and_people(layer):
    assert not_evaluated_area(layer, AREA_KM2, PEOPLE) == pytest.approx((5.0, 100 * 5 / 15, 15.0))


def test_table_has_empty_shares_without_population(layer, tmp_path):
    table = not_evaluated_table([("fixed30", 21, layer)], AREA_KM2, None)
    write_not_evaluated(table, tmp_path / "n.csv")
    lines = (tmp_path / "n.csv").read_text().splitlines()
    assert lines == ["device,channel,area_km2,area_pct,population_pct", "fixed30,21,5.0000,33.3333,"]
