"""Vector layers as the bytes of a GeoPackage: equal layers give equal bytes."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import geopandas as gpd
import pyogrio

from pipeline.files import disk_fault

# Version 1.2 is read without a warning by every GDAL and QGIS in use.
_VERSION = {"VERSION": "1.2"}
# A GeoPackage notes when it was written.
_CLOCK = "OGR_CURRENT_DATE"
_NO_TIME = "1970-01-01T00:00:00.000Z"


def geopackage_bytes(layers: Mapping[str, gpd.GeoDataFrame], geometries: Mapping[str, str]) -> bytes:
    """The file with these layers of these geometry types; equal layers give equal bytes.

    It is made in the folder of temporary files; OSError if that takes no more.
    """
    with tempfile.TemporaryDirectory() as folder, _without_clock():
        path = Path(folder) / "layers.gpkg"
        try:
            for name, frame in layers.items():
                pyogrio.write_dataframe(
                    frame,
                    path,
                    layer=name,
                    driver="GPKG",
                    geometry_type=geometries[name],
                    append=path.exists(),
                    dataset_options=None if path.exists() else _VERSION,
                )
        except RuntimeError as error:
            raise disk_fault(path, f"GDAL: {error}") from error
        return path.read_bytes()


@contextmanager
def _without_clock() -> Iterator[None]:
    before = pyogrio.get_gdal_config_option(_CLOCK)
    pyogrio.set_gdal_config_options({_CLOCK: _NO_TIME})
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options({_CLOCK: before})
