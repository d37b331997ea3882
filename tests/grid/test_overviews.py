"""Overviews are those that GDAL makes: the bytes of a file do not depend on who made them."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
import rasterio.shutil

from pipeline.grid import overviews, raster
from pipeline.grid.overviews import Reduction

NODATA = 255


def patches(bands: int, height: int, width: int, dtype: str) -> np.ndarray:
    """Values in patches with ragged edges, nodata in a part of the lines and columns."""
    rng = np.random.default_rng(5)
    coarse = rng.integers(0, 5, (bands, height // 7 + 1, width // 7 + 1))
    values = np.repeat(np.repeat(coarse, 7, axis=1), 7, axis=2)[:, :height, :width]
    values = np.where(rng.random(values.shape) < 0.2, rng.integers(0, 5, values.shape), values)
    values[:, : height // 5] = values[:, :, width // 2 : width * 3 // 4] = NODATA
    values[rng.random(values.shape) < 0.05] = NODATA
    return values.astype(dtype)


def layout_of(values: np.ndarray, *, classes: bool) -> raster.Layout:
    bands, height, width = values.shape
    return raster.Layout(
        crs="EPSG:3794",
        transform=rasterio.Affine(200.0, 0.0, 400_000.0, 0.0, -200.0, 160_000.0),
        width=width,
        height=height,
        band_names=tuple(f"channel {number}" for number in range(bands)),
        units=("dBm",) * bands,
        dtype=str(values.dtype),
        nodata=NODATA,
        long_name="values",
        scale_factor=1.0,
        categories={0: "no", 1: "yes"} if classes else {},
        tags={},
    )


@pytest.mark.parametrize(
    ("shape", "dtype", "classes", "tile_px"),
    [
        ((1, 500, 517), "uint8", True, 64),
        ((1, 501, 300), "int16", False, 32),
        ((3, 333, 450), "float32", False, 32),
        # Many bands: overviews but the first and the last ones are made from the full resolution.
        ((28, 402, 459), "int16", False, 32),
        ((28, 702, 759), "uint8", True, 64),
        ((10, 1101, 1120), "uint8", False, 256),
        # Narrower than two pixels of the last overviews.
        ((1, 700, 9), "uint8", False, 16),
    ],
)
def test_bytes_are_those_of_gdal(tmp_path, shape, dtype, classes, tile_px):
    values = patches(*shape, dtype)
    layout = layout_of(values, classes=classes)
    block = (slice(0, layout.height), slice(0, layout.width), values)
    raster.write_blocks(tmp_path / "ours.tif", layout, [block], publish=True, tile_px=tile_px)
    kind = {"driver": "GTiff", "tiled": True, "blockxsize": 512, "blockysize": 512, "interleave": "band"}
    size = {"count": shape[0], "height": shape[1], "width": shape[2], "dtype": dtype}
    place = {"crs": layout.crs, "transform": layout.transform, "nodata": NODATA}
    with rasterio.Env(**raster.GDAL_SETTINGS):
        with rasterio.open(tmp_path / "plain.tif", "w", **kind, **size, **place) as sink:
            sink.descriptions, sink.units = layout.band_names, layout.units
            named = {"categories": "0=no;1=yes"} if classes else {}
            sink.update_tags(**named, long_name="values")
            sink.write(values)
        options = {
            "COMPRESS": "DEFLATE",
            "LEVEL": 6,
            "PREDICTOR": {"float32": 3, "int16": 2, "uint8": "NO"}[dtype],
            "BLOCKSIZE": tile_px,
            "OVERVIEWS": "IGNORE_EXISTING",
            "OVERVIEW_RESAMPLING": "MODE" if classes else "NEAREST",
        }
        rasterio.shutil.copy(tmp_path / "plain.tif", tmp_path / "gdal.tif", driver="COG", **options)
    for level, _ in enumerate(overviews.overview_shapes(shape[1:], tile_px)):
        with (
            rasterio.open(tmp_path / "ours.tif", overview_level=level) as ours,
            rasterio.open(tmp_path / "gdal.tif", overview_level=level) as theirs,
        ):
            np.testing.assert_array_equal(ours.read(), theirs.read(), err_msg=f"overview {level}")
    assert (tmp_path / "ours.tif").read_bytes() == (tmp_path / "gdal.tif").read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {"ours.tif", "plain.tif", "gdal.tif"}


def test_most_frequent_of_equal_counts_is_the_first_to_have_so_many():
    values = np.array([[[7, 7, 2, 2], [2, 2, 7, NODATA], [NODATA, NODATA, 3, NODATA], [NODATA] * 4]], "uint8")
    reduction = Reduction((4, 4), (2, 2), classes=True, nodata=NODATA)
    (piece,) = overviews.pieces_of(reduction)
    found = overviews.reduced(values, reduction, piece)
    # 7 twice, then 2 twice; 2 twice before one 7; nodata where nothing else is; one 3 among nodata.
    assert found.tolist() == [[[7, 2], [NODATA, 3]]]


@pytest.mark.parametrize("classes", [True, False])
def test_pieces_make_the_same_as_the_whole(monkeypatch, classes):
    values = patches(2, 331, 157, "uint8")
    reduction = Reduction((331, 157), (165, 78), classes=classes, nodata=NODATA)

    def made() -> tuple[int, np.ndarray]:
        found = np.empty((2, 165, 78), "uint8")
        pieces = list(overviews.pieces_of(reduction))
        for piece in pieces:
            source = values[:, piece.source_rows, piece.source_cols]
            found[:, piece.rows, piece.cols] = overviews.reduced(source, reduction, piece)
        return len(pieces), found

    number, whole = made()
    assert number == 1
    for name, most_px in (("_STRIP_PX", 40), ("_PIECE_PX", 31)):
        monkeypatch.setattr(overviews, name, most_px)
    number, in_pieces = made()
    assert number == 54
    np.testing.assert_array_equal(in_pieces, whole)
