"""The query raster: the values of all channels' layers, one small block for all channels of a pixel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from pyproj import Geod, Transformer
from rasterio.enums import Interleaving
from rio_cogeo.cogeo import cog_validate

from tests.published import HEIGHT, NORTH_M, PIXEL_M, WEST_M, publish


@pytest.fixture
def query_file(tiny: Path) -> Path:
    return publish(tiny) / "public/query_fixed30.tif"


def test_query_raster_has_the_values_of_every_channel(query_file: Path) -> None:
    with rasterio.open(query_file) as query:
        assert query.descriptions == tuple(f"channel {channel}" for channel in range(21, 31))
        stack = query.read()
        for channel, band in zip(range(21, 31), stack, strict=True):
            with rasterio.open(query_file.parent / f"max_eirp_fixed30_ch{channel}.tif") as layer:
                np.testing.assert_array_equal(band, layer.read(1))
                assert query.transform == layer.transform
    assert {-32768, -9999, -9998} < set(np.unique(stack).tolist())


def test_query_raster_is_a_cog_of_small_blocks_with_all_channels(query_file: Path) -> None:
    with rasterio.open(query_file) as query:
        assert query.interleaving == Interleaving.pixel
        assert set(query.block_shapes) == {(32, 32)}
        assert (query.nodata, set(query.units), set(query.scales)) == (-32768, {"dBm"}, {0.01})
        assert query.tags()["product"] == "test"
    assert cog_validate(query_file, strict=True)[0]


def test_query_raster_knows_the_largest_scale_of_its_grid(query_file: Path) -> None:
    with rasterio.open(query_file) as query:
        scale = float(query.tags()["largest_scale"])
    to_degrees = Transformer.from_crs(3794, 4326, always_xy=True)
    south_m = NORTH_M - HEIGHT * PIXEL_M
    ratios = []
    for x_m in np.linspace(WEST_M, WEST_M + 24_000.0, 7):
        west, east = (to_degrees.transform(x_m + dx_m, south_m) for dx_m in (-50.0, 50.0))
        ratios.append(100.0 / Geod(ellps="GRS80").inv(*west, *east)[2])
    assert scale == pytest.approx(max(ratios), abs=2e-5)


def test_query_raster_is_the_same_twice(tiny: Path) -> None:
    first = (publish(tiny) / "public/query_fixed30.tif").read_bytes()
    assert (publish(tiny, "fedcba9876543210") / "public/query_fixed30.tif").read_bytes() == first
