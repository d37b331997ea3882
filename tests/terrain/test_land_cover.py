"""Land cover: tables of heights, rasters of classes on one lattice, and what no table knows."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import rasterio
from pyproj import Transformer
from rasterio.enums import ColorInterp
from rasterio.transform import from_origin

from pipeline.config.territory import Clutter
from pipeline.errors import InputError
from pipeline.grid.foreign_rasters import require_one_band
from pipeline.reference.clutter_heights import (
    NO_DATA,
    NO_ENVIRONMENT,
    read_clutter_heights,
    read_environments,
)
from pipeline.terrain.land_cover import load_land_cover
from pipeline.terrain.records import LonLatRaster
from tests.rasters import write_raster

# 0.5 deg west to east, 0.4 deg north to south.
BOX = (14.0, 46.0, 14.5, 46.4)
STEP_DEG = 0.01


def raster(
    path: Path, values: np.ndarray, *, crs="EPSG:4326", corner=(14.0, 46.4), step=STEP_DEG, nodata=None
):
    return write_raster(path, values, from_origin(*corner, step, step), crs=crs, nodata=nodata)


def table(path: Path, heights: dict[object, float]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream)
        rows.writerow(["code", "land_cover", "clutter_height_m", "source", "verified"])
        rows.writerows([code, f"class {code}", height, "test", "true"] for code, height in heights.items())
    return path


def stripes() -> np.ndarray:
    """Codes 1 to 5 from west to east, 10 columns each; the southernmost row is 3."""
    codes = np.broadcast_to(1 + np.arange(50) // 10, (40, 50)).astype(np.uint8).copy()
    codes[-1] = 3
    return codes


HEIGHTS = {1: 0.0, 2: 10.0, 3: 15.0, 4: 20.0, 5: 2.5}


def clutter(tmp_path: Path, *rasters: Path, heights: dict[object, float] | None = None) -> Clutter:
    heights = HEIGHTS if heights is None else heights
    return Clutter(raster=list(rasters), table=table(tmp_path / "heights.csv", heights))


def code_at(cover, lon_deg: float, lat_deg: float) -> int:
    col = int((lon_deg - cover.classes.west_deg) / cover.classes.step_lon_deg)
    row = int((cover.classes.north_deg - lat_deg) / cover.classes.step_lat_deg)
    return int(cover.classes.values[row, col])


# --- tables -------------------------------------------------------------------------------------------------


def test_shipped_tables_have_every_class_of_their_legend(repository: Path) -> None:
    found = {
        name: read_clutter_heights(repository / f"configs/tables/clutter_{name}.csv")
        for name in ("corine", "worldcover", "igbp")
    }
    codes = {name: set(np.flatnonzero(~np.isnan(heights)).tolist()) for name, heights in found.items()}
    clc = [111, 112, *range(121, 125), *range(131, 134), 141, 142, *range(211, 214), *range(221, 224), 231]
    clc += [*range(241, 245), *range(311, 314), *range(321, 325), *range(331, 336), 411, 412]
    clc += [*range(421, 424), 511, 512, *range(521, 524)]
    # Rasters of CORINE hold the place of a class in this list, or its code.
    assert codes["corine"] == {*range(1, 45), *clc}
    np.testing.assert_array_equal(found["corine"][1:45], found["corine"][clc])
    assert codes["worldcover"] == {10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 100}
    assert codes["igbp"] == set(range(18))
    # P.1812: open 0, suburban 10, urban and trees 15, dense urban 20 m.
    for heights in found.values():
        assert set(heights[~np.isnan(heights)].tolist()) <= {0.0, 10.0, 15.0, 20.0}
    assert found["corine"][[1, 2, 23, 25, 18, 44]].tolist() == [20.0, 10.0, 15.0, 15.0, 0.0, 0.0]
    assert found["worldcover"][[10, 40, 50, 80]].tolist() == [15.0, 0.0, 10.0, 0.0]
    assert found["igbp"][[0, 1, 5, 12, 13]].tolist() == [0.0, 15.0, 15.0, 0.0, 10.0]


@pytest.mark.parametrize(
    ("heights", "field"),
    [({"x": 1.0}, "code"), ({70000: 1.0}, "code"), ({10000: 1.0}, "code"), ({4: -1.0}, "clutter_height_m")],
)
def test_table_that_is_none_is_refused(tmp_path: Path, heights: dict[object, float], field: str) -> None:
    with pytest.raises(InputError) as caught:
        read_clutter_heights(table(tmp_path / "heights.csv", heights))
    assert (caught.value.row, caught.value.field) == (2, field)


def test_class_named_twice_is_refused(tmp_path: Path) -> None:
    path = table(tmp_path / "heights.csv", {4: 1.0})
    path.write_text(path.read_text() + "4,again,2,test,true\n")
    with pytest.raises(InputError) as caught:
        read_clutter_heights(path)
    assert (caught.value.problem, caught.value.row, caught.value.value) == ("is given twice", 3, "4")


def test_the_code_of_unknown_cover_is_a_word_alone(tmp_path: Path) -> None:
    """The number that stands for it inside is no code of a table."""
    with pytest.raises(InputError) as caught:
        read_clutter_heights(table(tmp_path / "heights.csv", {NO_DATA: 1.0}))
    assert (caught.value.row, caught.value.field, caught.value.value) == (2, "code", str(NO_DATA))
    assert caught.value.allowed == "0 to 9999, or nodata for unknown land cover"


def test_surroundings_are_those_of_the_table(repository: Path, tmp_path: Path) -> None:
    """What stands 20 m high is urban, what is open is bare, the rest suburban; a table may do without."""
    environment_of_m = {0.0: 0, 10.0: 1, 15.0: 1, 20.0: 2}
    for name in ("corine", "worldcover", "igbp"):
        path = repository / f"configs/tables/clutter_{name}.csv"
        heights_m, environments = read_clutter_heights(path), read_environments(path)
        known = ~np.isnan(heights_m)
        assert environments[known].tolist() == [environment_of_m[height] for height in heights_m[known]]
        assert (environments[~known] == NO_ENVIRONMENT).all()
    assert (read_environments(table(tmp_path / "heights.csv", {4: 1.0})) == NO_ENVIRONMENT).all()


# --- rasters ------------------------------------------------------------------------------------------------


def test_pixels_in_degrees_stay_where_they_are(tmp_path: Path) -> None:
    codes = stripes()
    cover = load_land_cover(clutter(tmp_path, raster(tmp_path / "a.tif", codes)), BOX, None)
    assert cover is not None
    np.testing.assert_array_equal(cover.classes.values, codes)
    assert cover.classes[1:] == pytest.approx((14.0, 46.4, STEP_DEG, STEP_DEG))
    assert cover.heights_m[[1, 2, 3, 4, 5]].tolist() == list(HEIGHTS.values())
    assert np.isnan(cover.heights_m[NO_DATA])
    part = load_land_cover(clutter(tmp_path, tmp_path / "a.tif"), (14.123, 46.1, 14.2, 46.2), None)
    assert part is not None
    np.testing.assert_array_equal(part.classes.values, codes[20:30, 12:20])
    assert load_land_cover(None, BOX, None) is None


def test_tiles_join_and_the_first_named_wins(tmp_path: Path) -> None:
    codes = stripes()
    west, east = raster(tmp_path / "w.tif", codes[:, :30]), codes[:, 20:].copy()
    east[:, :10] = 1  # where both know, the western one holds
    tiles = west, raster(tmp_path / "e.tif", east, corner=(14.2, 46.4))
    cover = load_land_cover(clutter(tmp_path, *tiles), BOX, None)
    assert cover is not None
    np.testing.assert_array_equal(cover.classes.values, codes)
    turned = load_land_cover(clutter(tmp_path, *reversed(tiles)), BOX, None)
    assert turned is not None
    assert (turned.classes.values[:, 20:30] == 1).all()


def test_projected_raster_gives_the_nearest_pixel(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    codes = rng.integers(1, 6, (900, 900)).astype(np.uint8)
    to_grid = Transformer.from_crs("EPSG:4326", "EPSG:3035", always_xy=True)
    x_m, y_m = to_grid.transform(14.25, 46.2)
    corner = round(x_m, -2) - 45_000.0, round(y_m, -2) + 45_000.0
    path = raster(tmp_path / "laea.tif", codes, crs="EPSG:3035", corner=corner, step=100.0)
    cover = load_land_cover(clutter(tmp_path, path), BOX, None)
    assert cover is not None
    lon_deg, lat_deg = rng.uniform(14.0, 14.5, 2000), rng.uniform(46.0, 46.4, 2000)
    # Whole pixels of the lattice, so at their centres.
    step = cover.classes.step_lon_deg
    lon_deg = cover.classes.west_deg + step * (np.floor((lon_deg - cover.classes.west_deg) / step) + 0.5)
    lat_deg = cover.classes.north_deg - step * (np.floor((cover.classes.north_deg - lat_deg) / step) + 0.5)
    x_m, y_m = to_grid.transform(lon_deg, lat_deg)
    expected = codes[((corner[1] - y_m) / 100.0).astype(int), ((x_m - corner[0]) / 100.0).astype(int)]
    found = np.array([code_at(cover, *place) for place in zip(lon_deg, lat_deg, strict=True)])
    # Nearer to an edge than the warp's 0.125 pixels either neighbour is right.
    assert np.mean(found == expected) > 0.95
    assert step == pytest.approx(100.0 / 111_194.9, rel=1e-4)


def test_longitudes_a_full_turn_away_are_the_same_place(tmp_path: Path) -> None:
    path = raster(tmp_path / "far.tif", stripes(), corner=(374.0, 46.4))
    cover = load_land_cover(clutter(tmp_path, path), BOX, None)
    assert cover is not None
    np.testing.assert_array_equal(cover.classes.values, stripes())


# --- what is not known --------------------------------------------------------------------------------------


def land(values: np.ndarray) -> LonLatRaster:
    return LonLatRaster(values.astype(np.uint8), 14.0, 46.4, 0.1, 0.1)


def test_class_without_a_row_is_refused_with_its_share_of_the_land(tmp_path: Path) -> None:
    codes = stripes()
    codes[:10, :10] = 48  # 100 of 2000 pixels
    codes[0, 0] = 49
    given = clutter(tmp_path, raster(tmp_path / "a.tif", codes))
    with pytest.raises(InputError, match=r"no row in .*heights\.csv") as caught:
        load_land_cover(given, BOX, None)
    assert caught.value.file == str(tmp_path / "a.tif")
    assert caught.value.value == "code 48 on 4.95 % of the land around the paths, and 1 more codes"
    # A tenth of the mask's land: the western half of the northernmost tenth.
    mask = np.zeros((4, 5))
    mask[:2, 0] = 1
    with pytest.raises(InputError) as caught:
        load_land_cover(given, BOX, land(mask))
    assert str(caught.value.value).startswith("code 48 on 49.5 % of the land")
    # At sea the class does not count.
    assert load_land_cover(given, BOX, land(np.arange(20).reshape(4, 5) >= 5)) is not None


@pytest.mark.parametrize("value", [1.5, -7.0, 12345.0])
def test_value_that_is_no_code_is_refused(tmp_path: Path, value: float) -> None:
    codes = stripes().astype(np.float32)
    codes[5, 5] = value
    with pytest.raises(InputError) as caught:
        load_land_cover(clutter(tmp_path, raster(tmp_path / "a.tif", codes)), BOX, None)
    assert "no whole number" in str(caught.value.value)


def test_pixels_without_data_are_unknown_or_have_the_height_that_the_table_says(tmp_path: Path) -> None:
    codes = stripes()
    codes[3, 4] = 255
    path = raster(tmp_path / "a.tif", codes, nodata=255)
    wider = (13.9, 46.0, 14.5, 46.4)
    cover = load_land_cover(clutter(tmp_path, path), wider, None)
    assert cover is not None
    assert code_at(cover, 14.045, 46.365) == code_at(cover, 13.95, 46.2) == NO_DATA
    assert np.isnan(cover.heights_m[NO_DATA])
    stated = load_land_cover(clutter(tmp_path, path, heights=HEIGHTS | {"nodata": 7.0}), wider, None)
    assert stated is not None
    assert stated.heights_m[NO_DATA] == 7.0


def test_raster_elsewhere_is_refused(tmp_path: Path) -> None:
    path = raster(tmp_path / "a.tif", stripes(), corner=(20.0, 46.4))
    with pytest.raises(InputError, match="does not touch"):
        load_land_cover(clutter(tmp_path, path), BOX, None)


def test_picture_of_classes_is_refused(tmp_path):
    """Red, green and blue of a rendered map are no codes, though some of them may have a row."""
    path = raster(tmp_path / "classes.tif", np.ones((4, 4), np.uint8))
    with rasterio.open(path) as source:
        profile = source.profile | {"count": 3, "photometric": "RGB"}
    with rasterio.open(path, "w", **profile) as target:
        target.write(np.ones((3, 4, 4), np.uint8))
    with pytest.raises(InputError, match="several bands; found 3; allowed: one band"):
        require_one_band(path)
    profile |= {"count": 2, "photometric": None, "alpha": "yes"}
    with rasterio.open(path, "w", **profile) as target:
        target.write(np.ones((2, 4, 4), np.uint8))
        target.colorinterp = [ColorInterp.gray, ColorInterp.alpha]
    require_one_band(path)
