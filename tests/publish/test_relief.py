"""Light and shade against the closed form for planes; pictures of neighbouring tiles fit."""

from __future__ import annotations

import io
import math
from pathlib import Path

import numpy as np
import pytest
import rasterio
from PIL import Image
from pmtiles.reader import MemorySource, Reader

from pipeline.grid.grid import Grid
from pipeline.publish.relief import FLAT_SHADE, heights_m, shade, shade_on_grid
from pipeline.publish.web.relief_tiles import write_relief

BOX = (14.0, 46.0, 14.6, 46.4)


def write_dem(path: Path, slope_east: float, slope_north: float, step_deg: float = 1 / 240) -> None:
    """A plane: metres of height for each degree to the east and to the north."""
    cols, rows = round(1.2 / step_deg), round(1.0 / step_deg)
    lon, lat = 13.7 + (np.arange(cols) + 0.5) * step_deg, 46.7 - (np.arange(rows) + 0.5) * step_deg
    heights = 1000.0 + slope_east * (lon[None, :] - 14.3) + slope_north * (lat[:, None] - 46.2)
    place = rasterio.Affine(step_deg, 0, 13.7, 0, -step_deg, 46.7)
    options = {"driver": "GTiff", "height": rows, "width": cols, "count": 1, "dtype": "float32"}
    with rasterio.open(path, "w", crs="EPSG:4326", transform=place, **options) as sink:
        sink.write(heights.astype(np.float32), 1)


@pytest.mark.parametrize(("east", "north"), [(0.0, 0.0), (0.2, 0.0), (0.0, -0.3), (-0.15, 0.1), (0.5, -0.5)])
def test_shade_of_a_plane(east: float, north: float) -> None:
    """Cosine of the angle between its normal and the sun in the north-west at 45 degrees, slopes doubled."""
    row, col = np.mgrid[0:6, 0:7].astype(float)
    found = shade(100.0 * (east * col - north * row), 100.0)
    normal = np.array([-2 * east, -2 * north, 1.0])
    sun = np.array([-0.5, 0.5, math.sqrt(0.5)])
    light = max(0.0, float(normal @ sun / np.linalg.norm(normal)))
    assert found.shape == (4, 5)
    assert set(found.ravel().tolist()) == {1 + round(254 * light)}


def test_flat_land_is_neither_light_nor_dark() -> None:
    assert set(shade(np.zeros((5, 5)), 10.0).ravel().tolist()) == {FLAT_SHADE}


@pytest.mark.parametrize("pixel_m", [100.0, 2000.0])
def test_heights_of_a_plane_are_its_own(tmp_path: Path, pixel_m: float) -> None:
    """Bilinear, and averaged where pixels are coarser than the model."""
    write_dem(tmp_path / "dem.tif", 800.0, -300.0)
    lon, lat = np.array([14.1, 14.31, 14.5]), np.array([46.1, 46.22, 46.3])
    found = heights_m([tmp_path / "dem.tif"], BOX, pixel_m, lon, lat)
    assert found == pytest.approx(1000.0 + 800.0 * (lon - 14.3) - 300.0 * (lat - 46.2), abs=0.5)


def test_heights_beyond_the_model_are_the_sea(tmp_path: Path) -> None:
    write_dem(tmp_path / "dem.tif", 0.0, 0.0)
    there = heights_m(
        [tmp_path / "dem.tif"], (5.0, 40.0, 6.0, 41.0), 100.0, np.array([5.5]), np.array([40.5])
    )
    assert there == [0.0]


def test_strips_of_a_grid_have_no_seams(tmp_path: Path) -> None:
    """A plane has one shade on a grid of many strips, but for the step of a degree at another latitude."""
    write_dem(tmp_path / "dem.tif", 2400.0, 0.0)
    grid = Grid("EPSG:3794", 20.0, 440_000.0, 120_000.0, 30, 1300)
    found = shade_on_grid([tmp_path / "dem.tif"], grid)
    assert found.shape == (1300, 30)
    assert int(found.max()) - int(found.min()) <= 1


def test_tiles_have_no_seams_and_coarser_ones_are_means(tmp_path: Path) -> None:
    write_dem(tmp_path / "dem.tif", 2400.0, 0.0)
    write_relief(tmp_path / "relief.pmtiles", [tmp_path / "dem.tif"], BOX, range(8, 11))
    reader = Reader(MemorySource((tmp_path / "relief.pmtiles").read_bytes()))
    header = reader.header()
    assert (header["min_zoom"], header["max_zoom"]) == (8, 10)
    assert header["tile_type"].name == "PNG"
    steps = set()
    for zoom in (8, 9, 10):
        x, y = (
            (14.3 + 180) / 360 * 2**zoom,
            (0.5 - math.asinh(math.tan(math.radians(46.2))) / math.tau) * 2**zoom,
        )
        picture = Image.open(io.BytesIO(reader.get(zoom, int(x), int(y))))
        assert picture.size == (512, 512)
        steps.add(picture.convert("RGBA").getpixel((int(x % 1 * 512), int(y % 1 * 512))))
        if zoom == 10:
            assert len(np.unique(np.asarray(picture))) == 1
    assert len(steps) == 1
    assert next(iter(steps))[3] > 0, "a slope that rises to the east is lit from the west"
