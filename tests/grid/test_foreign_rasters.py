"""Rasters of others are read as they state; what cannot be is refused in one line."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

from pipeline.companions import files_of
from pipeline.errors import InputError
from pipeline.grid.foreign_rasters import read_external, read_place

PLACE = Affine(0.01, 0.0, 14.0, 0.0, -0.01, 46.2)
VALUES = np.arange(12, dtype=np.int16).reshape(3, 4)


def write(path: Path, values: np.ndarray = VALUES, **options) -> Path:
    mask = options.pop("mask", None)
    labels = {name: options.pop(name) for name in ("scales", "offsets", "units") if name in options}
    shape = {"width": values.shape[1], "height": values.shape[0], "count": 1, "dtype": values.dtype}
    with rasterio.open(
        path, "w", **({"driver": "GTiff", "crs": "EPSG:4326", "transform": PLACE} | shape | options)
    ) as sink:
        sink.write(values, 1)
        for name, value in labels.items():
            setattr(sink, name, (value,))
        if mask is not None:
            sink.write_mask(mask)
    return path


def test_scale_and_offset_are_applied_and_nodata_is_of_the_raw_values(tmp_path):
    path = write(tmp_path / "a.tif", scales=0.1, offsets=-5.0, nodata=7)
    right = VALUES * 0.1 - 5.0
    right[1, 3] = np.nan
    np.testing.assert_allclose(read_external(path).values, right, atol=1e-12)


def test_unit_of_the_band_and_of_the_heights_of_the_crs(tmp_path):
    assert read_place(write(tmp_path / "a.tif", units="US survey foot")).unit == "US survey foot"
    # NAVD88 height (ftUS) above NAD83
    assert "foot" in read_place(write(tmp_path / "b.tif", crs="EPSG:4269+6360")).unit.lower()
    assert read_place(write(tmp_path / "c.tif")).unit == ""


@pytest.mark.parametrize("inside", ["YES", "NO"])
def test_mask_band_is_honoured(tmp_path, inside):
    mask = np.ones(VALUES.shape, np.uint8) * 255
    mask[0, 2] = 0
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=inside):
        path = write(tmp_path / "a.tif", mask=mask)
    values = read_external(path).values
    assert np.isnan(values[0, 2])
    assert np.isnan(values).sum() == 1
    # A mask beside the file is an input as well.
    assert len(files_of(path)) == (1 if inside == "YES" else 2)


def test_south_up_equals_north_up_whole_and_in_part(tmp_path):
    up = Affine(0.01, 0.0, 14.0, 0.0, 0.01, 46.17)
    south = write(tmp_path / "s.tif", np.ascontiguousarray(VALUES[::-1]), transform=up)
    north = write(tmp_path / "n.tif")
    for bounds in (None, (14.011, 46.181, 14.019, 46.189), (13.0, 46.175, 14.015, 47.0)):
        turned, plain = read_external(south, bounds=bounds), read_external(north, bounds=bounds)
        np.testing.assert_array_equal(turned.values, plain.values)
        assert turned.attrs["transform"].almost_equals(plain.attrs["transform"], 1e-9)


MARS = "+proj=longlat +a=3396190 +b=3376200 +no_defs"
LOCAL = 'LOCAL_CS["site",UNIT["metre",1]]'


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"transform": Affine.identity()}, "where it lies"),
        ({"crs": MARS}, "wrong CRS"),
        ({"crs": LOCAL}, "wrong CRS"),
        ({"crs": None}, "coordinate reference system"),
        ({"transform": Affine(-0.01, 0.0, 14.0, 0.0, -0.01, 46.2)}, "mirrored"),
        ({"transform": Affine(1e-300, 0.0, 14.0, 0.0, -1e-300, 46.2)}, "no size"),
    ],
)
def test_raster_that_lies_nowhere_on_earth_is_refused(tmp_path, options, words):
    path = write(tmp_path / "a.tif", **options)
    with pytest.raises(InputError, match=words) as caught:
        read_external(path)
    assert "\n" not in str(caught.value)


def test_sparse_raster_is_refused_before_it_is_read(tmp_path):
    options = {"driver": "GTiff", "width": 200_000, "height": 200_000, "count": 1, "dtype": "int16"}
    options |= {"tiled": True, "sparse_ok": True, "bigtiff": "YES", "crs": "EPSG:4326"}
    with rasterio.open(tmp_path / "a.tif", "w", transform=Affine(1e-5, 0, 14, 0, -1e-5, 47), **options):
        pass
    with pytest.raises(InputError, match="too large"):
        read_external(tmp_path / "a.tif")
    assert read_external(tmp_path / "a.tif", bounds=(14.0, 46.9999, 14.0001, 47.0)).size <= 121


def vrt(path: Path, source: str, relative: int = 1) -> Path:
    path.write_text(
        '<VRTDataset rasterXSize="4" rasterYSize="3"><SRS>EPSG:4326</SRS>'
        "<GeoTransform>14.0, 0.01, 0, 46.2, 0, -0.01</GeoTransform>"
        '<VRTRasterBand dataType="Int16" band="1"><SimpleSource>'
        f'<SourceFilename relativeToVRT="{relative}">{source}</SourceFilename><SourceBand>1</SourceBand>'
        '<SrcRect xOff="0" yOff="0" xSize="4" ySize="3"/><DstRect xOff="0" yOff="0" xSize="4" ySize="3"/>'
        "</SimpleSource></VRTRasterBand></VRTDataset>",
        encoding="utf-8",
    )
    return path


def test_sources_of_virtual_rasters_are_its_files_through_all_levels(tmp_path):
    source = write(tmp_path / "tile.tif")
    outer = vrt(tmp_path / "dem.tif", vrt(tmp_path / "inner.vrt", "tile.tif").name)
    np.testing.assert_array_equal(read_external(outer).values, VALUES)
    assert files_of(outer) == [outer, tmp_path / "inner.vrt", source]


@pytest.mark.parametrize(
    "source",
    [
        "/vsicurl/http://127.0.0.1:9/a.tif",
        "http://127.0.0.1:9/a.tif",
        "/VSIZIP/vsicurl/http://127.0.0.1:9/a.zip/a.tif",
        "gone.tif",
        "wms.tif",
        "dem.vrt",
    ],
)
def test_sources_that_are_no_files_are_refused(tmp_path, source):
    (tmp_path / "wms.tif").write_text(
        '<GDAL_WMS><Service name="TMS"><ServerUrl>http://127.0.0.1:9/${z}</ServerUrl></Service></GDAL_WMS>',
        encoding="utf-8",
    )
    path = vrt(tmp_path / "dem.vrt", source, int("/" not in source))
    with pytest.raises(InputError) as caught:
        read_external(path)
    assert "\n" not in str(caught.value)
    assert files_of(path)[0] == path


def test_service_description_as_raster_is_refused(tmp_path):
    (tmp_path / "dem.tif").write_text("<GDAL_WMS><Service/></GDAL_WMS>", encoding="utf-8")
    with pytest.raises(InputError, match="no raster"):
        read_external(tmp_path / "dem.tif")


@pytest.mark.parametrize(
    "change",
    [
        lambda text: re.sub("<SimpleSource>.*</SimpleSource>", "", text),
        lambda text: text.replace("</VRTDataset>", '<VRTRasterBand dataType="Int16" band="2"/></VRTDataset>'),
        lambda text: text.replace("</VRTDataset>", "<MaskBand><VRTRasterBand/></MaskBand></VRTDataset>"),
    ],
    ids=["only band", "second band", "mask"],
)
def test_band_of_a_virtual_raster_without_source_is_refused(tmp_path, change):
    """GDAL reads zeros from it: a plain at sea level, or nobody anywhere."""
    write(tmp_path / "tile.tif")
    path = vrt(tmp_path / "dem.vrt", "tile.tif")
    assert read_external(path).max() > 0
    path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(InputError, match="has a band without a source"):
        read_external(path)


@pytest.mark.parametrize(
    ("name", "header"),
    [("dem", "dem.hdr"), ("dem.dat", "dem.hdr"), ("dem.img", "dem.img.hdr"), ("dem.raw", "dem.raw.hdr")],
)
def test_header_of_envi_belongs_to_its_raster_and_is_applied(tmp_path, name, header):
    """Scale, offset and no data of the header hold, and a change of it is a change of the input."""
    profile = {"driver": "ENVI", "width": 4, "height": 3, "count": 1, "dtype": "int16", "crs": "EPSG:4326"}
    with rasterio.open(tmp_path / "x", "w", transform=Affine(0.01, 0, 14, 0, -0.01, 46.2), **profile) as sink:
        sink.write(np.arange(12, dtype=np.int16).reshape(1, 3, 4))
    (tmp_path / "x.aux.xml").unlink(missing_ok=True)
    (tmp_path / "x").rename(tmp_path / name)
    (tmp_path / "x.hdr").rename(tmp_path / header)
    assert files_of(tmp_path / name) == [tmp_path / name, tmp_path / header]
    plain = read_external(tmp_path / name).values
    with (tmp_path / header).open("a") as text:
        text.write("data gain values = {0.1}\ndata offset values = {100}\ndata ignore value = 3\n")
    changed = read_external(tmp_path / name).values
    expected = np.where(plain == 3, np.nan, 100.0 + 0.1 * plain)
    np.testing.assert_allclose(changed, expected, rtol=1e-6)


def test_other_header_beside_a_file_is_none_of_its_own(tmp_path):
    (tmp_path / "places.csv").write_text("id\n")
    (tmp_path / "places.hdr").write_text("printed by hand")
    assert files_of(tmp_path / "places.csv") == [tmp_path / "places.csv"]
