"""`import channelmaps`: arrays and tables of a run are what rasterio reads of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from pyproj import Transformer

import pipeline.api as channelmaps
from pipeline.query.query import Request, answer, close_database, open_database
from tests.published import publish, with_devices


@pytest.fixture
def results(tiny: Path) -> Path:
    with_devices(tiny, ("a30", "A", 1, 30.0), ("a10", "A", 1, 10.0))
    publish(tiny)
    return tiny.parent / "results/tiny"


def test_array_is_that_of_the_layers(results: Path) -> None:
    levels = channelmaps.open_results(results, "a10")
    assert levels.dims == ("channel", "y", "x")
    assert (levels.attrs["device"], levels.dtype) == ("a10", np.int16)
    for channel in levels["channel"].values:
        with rasterio.open(results / f"latest/public/max_eirp_a10_ch{channel}.tif") as layer:
            np.testing.assert_array_equal(levels.sel(channel=channel), layer.read(1))
            assert (levels["x_m"].values[3], levels["y_m"].values[5]) == layer.xy(5, 3)


def test_accessor_tells_levels_from_codes(results: Path) -> None:
    levels = channelmaps.open_results(results)
    raw, dbm = levels.values, levels.channelmaps.dbm()
    assert (np.isnan(dbm.values) == (raw <= -9998)).all()
    np.testing.assert_allclose(dbm.values[raw > -9998], raw[raw > -9998] * 0.01, atol=1e-5)
    for level_dbm in (20.0, 10.01, -200.0):
        counted = ((raw > -9998) & (raw * 0.01 >= level_dbm - 1e-9)).sum(axis=0)
        np.testing.assert_array_equal(levels.channelmaps.count(level_dbm), counted)


def test_place_in_the_array_is_that_of_the_query(results: Path) -> None:
    levels = channelmaps.open_results(results)
    to_lonlat = Transformer.from_crs("EPSG:3794", "OGC:CRS84", always_xy=True)
    lon, lat = to_lonlat.transform(levels["x_m"].values[61], levels["y_m"].values[44])
    found = levels.channelmaps.at(lon, lat)
    np.testing.assert_array_equal(found, levels.values[:, 44, 61])
    table = channelmaps.availability_at(results, lon, lat, device="a30", height_m=30.0)
    pairs = zip(levels["channel"].values, found.values, strict=True)
    wanted = {channel: raw / 100 for channel, raw in pairs if raw > -9998}
    assert dict(zip(table["channel"], table["max_eirp_dbm"], strict=True)) == wanted
    assert table.attrs["device"] == "a30"
    with pytest.raises(channelmaps.InputError, match="beyond the grid"):
        levels.channelmaps.at(2.0, 48.0)


def test_table_is_the_answer_of_the_database(results: Path) -> None:
    table = channelmaps.availability_at(results, 14.16, 46.1, uncertainty_m=300.0)
    database = open_database(results)
    message = answer(database, Request(14.16, 46.1, uncertainty_m=300.0))
    close_database(database)
    assert list(table["max_eirp_dbm"]) == [entry["dbm"] for entry in message["channels"]]
    with pytest.raises(channelmaps.PawsError):
        channelmaps.availability_at(results, 2.0, 48.0)


def test_unknown_device_and_folder_without_run_are_refused(results: Path, tmp_path: Path) -> None:
    with pytest.raises(channelmaps.InputError, match="allowed: a30, a10"):
        channelmaps.open_results(results, "b")
    with pytest.raises(channelmaps.InputError, match="no published run"):
        channelmaps.open_results(tmp_path / "configs")
