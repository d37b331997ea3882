"""Virtual rasters over files of several grids, as GDAL reads them: values, gaps, labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio

from pipeline.grid import raster
from pipeline.grid.grid import Grid
from pipeline.grid.mosaics import MosaicPiece, mosaic_text

STEP_M = 100.0
WHOLE = Grid("EPSG:3035", STEP_M, 4_000_000.0, 3_000_000.0, 1400, 900)
LABELS = {"units": "dBm", "long_name": "made up", "scale_factor": 0.01}
# Rows and columns of two padded grids that overlap, and of the land in each.
FILES = [(slice(0, 800), slice(0, 800)), (slice(100, 900), slice(500, 1400))]
LAND = [(slice(100, 700), slice(100, 600)), (slice(200, 800), slice(600, 1300))]


def values_of(dtype: str, nodata: float) -> np.ndarray:
    """Two bands of random values on the whole grid; nodata beyond the land, and in a hole of it."""
    rng = np.random.default_rng(7)
    top = 2**31 if dtype == "uint32" else 120
    drawn = rng.integers(top - 100, top, (2, *WHOLE.shape)).astype(dtype)
    found = np.full_like(drawn, nodata)
    for rows, cols in LAND:
        found[:, rows, cols] = drawn[:, rows, cols]
    found[:, 300:320, 550:650] = nodata
    return found


@pytest.fixture(params=[("int16", -32768), ("uint32", 2**32 - 1), ("uint8", 255), ("float32", np.nan)])
def mosaic(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[np.ndarray, Path]:
    """The values of the whole, and a virtual raster over two published files that hold half of them each."""
    dtype, nodata = request.param
    whole, pieces = values_of(dtype, nodata), []
    for number, (own, land) in enumerate(zip(FILES, LAND, strict=True)):
        values = np.full_like(whole, nodata)
        values[:, land[0], land[1]] = whole[:, land[0], land[1]]
        path, grid = tmp_path / "tiles" / f"{number}.tif", WHOLE.window(*own)
        data = raster.make_array(
            values[:, own[0], own[1]],
            grid,
            nodata=nodata,
            band_names=["one", "two"],
            categories={1: "first", 7: "a & b"},
            **LABELS,
        )
        raster.write(path, data, tags={"device": "x"}, publish=True)
        rows, cols = (slice(a.start - b.start, a.stop - b.start) for a, b in zip(land, own, strict=True))
        pieces.append(MosaicPiece(path, grid, rows, cols))
    path = tmp_path / "whole.vrt"
    layout = raster.read_layout(pieces[0].path)
    path.write_text(mosaic_text(pieces, WHOLE, layout, tmp_path), encoding="utf-8")
    return whole, path


def test_values_are_those_of_the_whole(mosaic: tuple[np.ndarray, Path]) -> None:
    whole, path = mosaic
    with rasterio.open(path) as source:
        np.testing.assert_array_equal(source.read(), whole)
        assert source.transform == WHOLE.transform


def test_smaller_pictures_have_no_other_values(mosaic: tuple[np.ndarray, Path]) -> None:
    """Programs that show a map ask for fewer pixels: nodata must not hide the other file then, either."""
    whole, path = mosaic
    with rasterio.open(path) as source:
        small = source.read(1, out_shape=(90, 140))
    assert set(np.unique(small[~np.isnan(small.astype(np.float64))])) <= set(np.unique(whole[0]))
    missing = np.isnan(small) if small.dtype.kind == "f" else small == whole[0, 0, 0]
    expected = np.zeros((90, 140), dtype=bool)
    for rows, cols in LAND:
        expected[rows.start // 10 : rows.stop // 10, cols.start // 10 : cols.stop // 10] = True
    expected[30:32, 55:65] = False
    assert (missing == expected).mean() < 0.01


def test_labels_and_tags_are_kept(mosaic: tuple[np.ndarray, Path]) -> None:
    whole, path = mosaic
    tile = raster.read_layout(path.parent / "tiles/0.tif")
    found = raster.read_layout(path)
    placed = found._replace(transform=tile.transform, width=tile.width, height=tile.height)
    assert str(placed) == str(tile)  # as texts, so that NaN equals NaN
    assert found.dtype == whole.dtype.name
    assert found.categories == {1: "first", 7: "a & b"}


def test_folder_may_be_moved(mosaic: tuple[np.ndarray, Path]) -> None:
    whole, path = mosaic
    moved = path.parent.rename(path.parent.with_name(f"{path.parent.name}_moved"))
    np.testing.assert_array_equal(raster.read(moved / path.name).values, whole)
