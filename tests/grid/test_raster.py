"""Raster files: what is written is what another program reads, byte for byte the same each time."""

from __future__ import annotations

import os
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.transform import Affine
from rio_cogeo.cogeo import cog_validate

from pipeline import quantise
from pipeline.blocks import block_slices
from pipeline.errors import InputError
from pipeline.grid import foreign_rasters, raster
from pipeline.grid.grid import Grid
from pipeline.grid.stacks import build_vrt

GRID = Grid("EPSG:3794", 200.0, 400_000.0, 160_000.0, 1300, 1100)


def noise(dtype: str = "int16", bands: int | None = None) -> np.ndarray:
    shape = (GRID.height, GRID.width) if bands is None else (bands, GRID.height, GRID.width)
    return np.random.default_rng(7).integers(-9000, 9000, shape).astype(dtype)


def levels(values: np.ndarray | None = None) -> object:
    return raster.make_array(
        noise() if values is None else values,
        GRID,
        units="dBm",
        long_name="maximum e.i.r.p.",
        nodata=-32768,
        scale_factor=0.01,
    )


@pytest.mark.parametrize("publish", [False, True])
def test_written_file_is_read_by_gdal_with_place_unit_scale_and_description(tmp_path, publish):
    path = tmp_path / "deep" / "levels.tif"
    raster.write(path, levels(), tags={"model": "p1546", "inputs": "abc"}, publish=publish)
    with rasterio.open(path) as source:
        assert source.crs.to_epsg() == 3794
        assert tuple(source.bounds) == (400_000.0, -60_000.0, 660_000.0, 160_000.0)
        assert source.units == ("dBm",)
        assert source.scales == (0.01,)
        assert source.offsets == (0.0,)
        assert source.nodata == -32768
        assert source.descriptions == ("maximum e.i.r.p.",)
        assert source.tags()["model"] == "p1546"
        assert source.block_shapes == [(512, 512)]
        assert "TIFFTAG_DATETIME" not in source.tags()
        # x 400 310 lies in column 1, y 159 390 in row 3
        assert source.read(1)[3, 1] == next(source.sample([(400_310.0, 159_390.0)]))[0] == noise()[3, 1]
    assert sorted(p.name for p in path.parent.iterdir()) == ["levels.tif"]


def test_read_returns_what_was_written(tmp_path):
    data = raster.make_array(
        noise("float32", 2),
        GRID,
        units=["dBuV/m", "deg"],
        long_name="field",
        nodata=float("nan"),
        band_names=["wanted", "azimuth"],
    )
    raster.write(tmp_path / "a.tif", data, tags={"code": "1"}, publish=False)
    back = raster.read(tmp_path / "a.tif")
    np.testing.assert_array_equal(back.values, data.values)
    assert back.dims == ("band", "y", "x")
    assert list(back["band"].values) == ["wanted", "azimuth"]
    assert back.attrs["grid"] == GRID
    assert back.attrs["units"] == ("dBuV/m", "deg")
    assert back.attrs["tags"] == {"code": "1"}
    assert np.isnan(back.attrs["nodata"])
    assert raster.read(tmp_path / "a.tif", bands=["azimuth"]).attrs["units"] == "deg"


def test_window_has_the_coordinates_of_its_pixels(tmp_path):
    raster.write(tmp_path / "a.tif", levels(), tags={}, publish=False)
    part = raster.read(tmp_path / "a.tif", rows=slice(600, 700), cols=slice(30, 32))
    np.testing.assert_array_equal(part.values, noise()[600:700, 30:32])
    assert part["x_m"].values.tolist() == [406_100.0, 406_300.0]
    assert part["y_m"].values[0] == 160_000.0 - 600 * 200.0 - 100.0
    assert part.attrs["grid"] == Grid("EPSG:3794", 200.0, 406_000.0, 40_000.0, 2, 100)


@pytest.mark.parametrize(("dtype", "predictor"), [("int16", "2"), ("float32", "3"), ("uint8", None)])
def test_published_file_is_a_strictly_valid_cog(tmp_path, dtype, predictor):
    data = levels(noise(dtype)).assign_attrs(nodata=0)
    raster.write(tmp_path / "a.tif", data, tags={}, publish=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        valid, errors, remarks = cog_validate(tmp_path / "a.tif", strict=True)
    assert (valid, errors, remarks) == (True, [], [])
    with rasterio.open(tmp_path / "a.tif") as source:
        assert source.compression.value == "DEFLATE"
        assert source.tags(ns="IMAGE_STRUCTURE").get("PREDICTOR") == predictor
        assert source.overviews(1) == [2, 4]


def test_overviews_of_levels_take_values_that_exist_and_of_classes_the_most_frequent(tmp_path):
    values = np.full((GRID.height, GRID.width), 3, dtype=np.uint8)
    values[::2, ::2] = 1  # one pixel of four, and the one that "nearest" may choose
    for name, categories in (("classes", {1: "one", 3: "three"}), ("levels", None)):
        data = raster.make_array(values, GRID, units="", long_name=name, nodata=255, categories=categories)
        raster.write(tmp_path / f"{name}.tif", data, tags={}, publish=True)
    with rasterio.open(tmp_path / "classes.tif", overview_level=0) as source:
        assert np.unique(source.read(1)).tolist() == [3]
    with rasterio.open(tmp_path / "levels.tif", overview_level=0) as source:
        assert set(np.unique(source.read(1))) <= {1, 3}
    assert raster.read(tmp_path / "classes.tif").attrs["categories"] == {1: "one", 3: "three"}


@pytest.mark.parametrize("publish", [False, True])
def test_same_data_gives_same_bytes_whatever_the_threads(tmp_path, monkeypatch, publish):
    for threads in ("1", "2"):
        monkeypatch.setitem(os.environ, "GDAL_NUM_THREADS", threads)
        tags = {"a": "1", "b": "2"} if threads == "1" else {"b": "2", "a": "1"}
        raster.write(tmp_path / f"{threads}.tif", levels(), tags=tags, publish=publish)
    assert (tmp_path / "1.tif").read_bytes() == (tmp_path / "2.tif").read_bytes()


def test_blocks_give_the_same_file_as_the_whole(tmp_path):
    values = noise()
    parts = [
        (slice(r, min(r + 512, GRID.height)), slice(c, min(c + 512, GRID.width)))
        for r in range(0, GRID.height, 512)
        for c in range(0, GRID.width, 512)
    ]
    blocks = ((rows, cols, values[rows, cols]) for rows, cols in parts)
    layout = raster.layout_on(
        GRID,
        ["maximum e.i.r.p."],
        dtype="int16",
        nodata=-32768,
        units="dBm",
        long_name="maximum e.i.r.p.",
        scale_factor=0.01,
    )
    raster.write_blocks(tmp_path / "a.tif", layout, blocks, publish=True)
    raster.write(tmp_path / "b.tif", levels(), tags={}, publish=True)
    assert (tmp_path / "a.tif").read_bytes() == (tmp_path / "b.tif").read_bytes()


def test_files_of_other_jobs_are_the_same_for_blocks_of_any_size(tmp_path, monkeypatch):
    monkeypatch.setattr(raster, "TILE_PX", 128)
    values, files = noise("float32", bands=3), set()
    layout = raster.layout_on(GRID, "abc", dtype="float32", nodata=None, units="1", long_name="x")
    for number, shape_px in enumerate([(128, 128), (256, 384), (640, 128), (128, GRID.width), GRID.shape]):
        blocks = ((rows, cols, values[:, rows, cols]) for rows, cols in block_slices(GRID.shape, shape_px))
        raster.write_blocks(tmp_path / f"{number}.tif", layout, blocks, publish=False)
        np.testing.assert_array_equal(raster.read(tmp_path / f"{number}.tif").values, values)
        files.add((tmp_path / f"{number}.tif").read_bytes())
    assert len(files) == 1


@pytest.mark.parametrize("publish", [False, True])
def test_failed_write_leaves_the_old_file_and_no_rest(tmp_path, publish):
    path = tmp_path / "a.tif"
    raster.write(path, levels(), tags={}, publish=publish)
    before = path.read_bytes()

    def blocks():
        yield slice(0, 10), slice(0, 10), np.zeros((10, 10), np.int16)
        raise RuntimeError("stopped")

    layout = raster.layout_on(GRID, ["x"], dtype="int16", nodata=-32768, units="", long_name="x")
    with pytest.raises(RuntimeError, match="stopped"):
        raster.write_blocks(path, layout, blocks(), publish=publish)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.tif"]


def test_lonlat_raster_is_read_back_as_external(tmp_path):
    place = Affine(0.0025, 0, 13.0, 0, -0.0025, 47.0)
    attrs = {"crs": "EPSG:4326", "transform": place, "units": "", "long_name": "land", "nodata": None}
    data = levels(noise()).drop_vars(["x_m", "y_m"]).assign_attrs({}).copy()
    data.attrs = attrs
    raster.write(tmp_path / "land.tif", data, tags={}, publish=False)
    back = foreign_rasters.read_external(tmp_path / "land.tif")
    np.testing.assert_array_equal(back.values, noise())
    assert back.attrs["crs"] == "EPSG:4326"
    assert back.attrs["transform"].almost_equals(place)
    part = foreign_rasters.read_external(tmp_path / "land.tif", bounds=(13.0051, 46.9, 13.0099, 46.9049))
    # columns 2 and 3 of the file; rows 38 (46.905) to 39 (46.9)
    np.testing.assert_array_equal(part.values, noise()[38:40, 2:4])
    assert part.attrs["transform"].c == pytest.approx(13.005)
    assert part.attrs["transform"].f == pytest.approx(46.905)


def stack(folder: Path) -> list[Path]:
    paths = [folder / f"ch{c}.tif" for c in (21, 22)]
    for k, path in enumerate(paths):
        raster.write(path, levels(noise() + np.int16(k)), tags={}, publish=True)
    return paths


def test_vrt_stacks_files_under_relative_paths(tmp_path):
    paths = stack(tmp_path / "run")
    (tmp_path / "run" / "all.vrt").write_text(build_vrt(paths, ["21", "22"]), encoding="utf-8")
    shutil.move(tmp_path / "run", tmp_path / "moved")
    with rasterio.open(tmp_path / "moved" / "all.vrt") as source:
        assert source.descriptions == ("21", "22")
        assert source.nodatavals == (-32768, -32768)
        assert source.scales == (0.01, 0.01)
        assert source.units == ("dBm", "dBm")
        assert source.crs.to_epsg() == 3794
        assert source.transform == Affine(200, 0, 400_000, 0, -200, 160_000)
        assert source.dtypes == ("int16", "int16")
        np.testing.assert_array_equal(source.read(2), noise() + 1)


def test_vrt_of_different_grids_is_refused(tmp_path):
    paths = stack(tmp_path)
    other = levels()
    other.attrs = {**other.attrs, "grid": GRID._replace(west_m=400_200.0)}
    raster.write(paths[1], other, tags={}, publish=True)
    with pytest.raises(InputError, match="another grid"):
        build_vrt(paths, ["21", "22"])


@pytest.mark.parametrize(
    ("value", "floor", "nearest", "ceil"),
    [
        (33.96 - 1e-13, 3396, 3396, 3396),  # noise of the arithmetic
        (33.96 + 1e-13, 3396, 3396, 3396),
        (33.96 - 1e-7, 3395, 3396, 3396),  # a real difference goes to the protected side
        (33.96 + 1e-7, 3396, 3396, 3397),
        (-10.004, -1001, -1000, -1000),
        (0.0, 0, 0, 0),
        (np.nan, -32768, -32768, -32768),
        (np.inf, 32767, 32767, 32767),
        (-np.inf, -32767, -32767, -32767),
        (-400.0, -32767, -32767, -32767),  # never the nodata value
    ],
)
def test_centi_steps_round_to_the_protected_side(value, floor, nearest, ceil):
    found = [int(quantise.to_centi(value, rounding)) for rounding in ("floor", "nearest", "ceil")]
    assert found == [floor, nearest, ceil]


def test_every_centi_value_survives_float64_and_float32():
    raw = np.arange(-20_000, 20_001)
    for dtype in (np.float64, np.float32):
        for rounding in ("floor", "nearest", "ceil"):
            found = quantise.to_centi((raw / 100.0).astype(dtype), rounding)
            np.testing.assert_array_equal(found, raw)


def test_float32_below_a_step_by_more_than_its_noise_is_rounded_down():
    values = np.nextafter(np.float32(33.96), np.float32(0), dtype=np.float32)
    for _ in range(3):
        values = np.nextafter(values, np.float32(0), dtype=np.float32)
    assert quantise.to_centi(np.array([values]), "floor")[0] == 3395


def test_probability_steps_keep_nodata_apart():
    found = quantise.to_step(np.array([0.0, 0.95, 1.0, np.nan, 9.0]), 0.0001, "uint16", 65535)
    assert found.dtype == np.uint16
    assert found.tolist() == [0, 9500, 10_000, 65535, 65534]


def test_raw_values_become_physical_ones():
    values = np.array([[100, -32768]], dtype=np.int16)
    small = GRID._replace(width=2, height=1)
    data = raster.make_array(values, small, units="dBm", long_name="", nodata=-32768, scale_factor=0.01)
    np.testing.assert_array_equal(quantise.from_raw(data).values, [[1.0, np.nan]])


def foreign(path: Path, *, crs: str | None, transform: Affine) -> Path:
    options = {"driver": "GTiff", "width": 4, "height": 4, "count": 1, "dtype": "int16"}
    with rasterio.open(path, "w", **options, crs=crs, transform=transform) as sink:
        sink.write(np.zeros((1, 4, 4), np.int16))
    return path


SQUARE = Affine(100, 0, 0, 0, -100, 0)


def test_missing_raster_is_refused(tmp_path):
    for read in (raster.read, foreign_rasters.read_external, raster.read_grid):
        with pytest.raises(InputError, match=r"gone\.tif.*not found"):
            read(tmp_path / "gone.tif")


def test_text_as_raster_is_refused(tmp_path):
    (tmp_path / "a.tif").write_text("no raster", encoding="utf-8")
    with pytest.raises(InputError, match="no raster"):
        foreign_rasters.read_external(tmp_path / "a.tif")


def test_truncated_raster_is_refused(tmp_path):
    raster.write(tmp_path / "a.tif", levels(), tags={}, publish=False)
    content = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "b.tif").write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=r"b\.tif"):
        raster.read(tmp_path / "b.tif")


def test_geographic_raster_is_no_grid(tmp_path):
    path = foreign(tmp_path / "a.tif", crs="EPSG:4326", transform=Affine(0.1, 0, 0, 0, -0.1, 0))
    with pytest.raises(InputError, match="projected"):
        raster.read(path)


def test_pixels_that_are_not_square_are_no_grid(tmp_path):
    path = foreign(tmp_path / "a.tif", crs="EPSG:3035", transform=Affine(100, 0, 0, 0, -50, 0))
    with pytest.raises(InputError, match="square"):
        raster.read(path)


def test_external_raster_without_crs_or_rotated_is_refused(tmp_path):
    with pytest.raises(InputError, match="coordinate reference system"):
        foreign_rasters.read_external(foreign(tmp_path / "a.tif", crs=None, transform=SQUARE))
    turned = SQUARE @ Affine.rotation(20)
    with pytest.raises(InputError, match="rotated"):
        foreign_rasters.read_external(foreign(tmp_path / "b.tif", crs="EPSG:3035", transform=turned))


def test_external_raster_elsewhere_is_refused(tmp_path):
    path = foreign(tmp_path / "a.tif", crs="EPSG:3035", transform=SQUARE)
    with pytest.raises(InputError, match="does not touch"):
        foreign_rasters.read_external(path, bounds=(1000, 1000, 2000, 2000))


def test_unknown_band_is_refused(tmp_path):
    raster.write(tmp_path / "a.tif", levels(), tags={}, publish=False)
    with pytest.raises(InputError, match="no such band"):
        raster.read(tmp_path / "a.tif", bands=["azimuth"])


def test_values_of_another_size_than_the_grid_are_a_fault(tmp_path):
    data = levels().isel(x=slice(0, 10))
    with pytest.raises(ValueError, match="grid of"):
        raster.write(tmp_path / "a.tif", data, tags={}, publish=False)
