"""Zones of registered radars and the administrations they concern, as a GeoPackage."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import geopandas as gpd
import pyogrio

from pipeline.coordination.radar.borders import foreign_borders
from pipeline.coordination.radar.ground import Ground
from pipeline.coordination.radar.zones import RegisteredRadar, affected_frame, zones_frame

# Version 1.2 is read without a warning by every GDAL and QGIS in use.
GEOPACKAGE_VERSION = {"VERSION": "1.2"}
# A GeoPackage notes when it was written; equal content must give equal bytes.
CLOCK = "OGR_CURRENT_DATE"
NO_TIME = "1970-01-01T00:00:00.000Z"
GEOMETRIES = {"radar612_zone": "MultiPolygon", "radar612_affected": "Point"}


def zone_layers(
    found: Sequence[RegisteredRadar], ground: Ground, sea_min_km: float
) -> dict[str, gpd.GeoDataFrame]:
    """Zones of registered radars, and the administrations foreign to each that they concern."""
    owners = sorted({station.administration for station in found if station.separation is not None})
    borders_of = {name: foreign_borders(ground.countries, name, ground.clip_deg) for name in owners}
    return {
        "radar612_zone": zones_frame(found, ground.clearance, sea_min_km),
        "radar612_affected": affected_frame(found, borders_of, ground.clearance, sea_min_km),
    }


def geopackage_bytes(
    layers: Mapping[str, gpd.GeoDataFrame], geometries: Mapping[str, str] = GEOMETRIES
) -> bytes:
    """The file with these layers of these geometry types; equal layers give equal bytes."""
    with tempfile.TemporaryDirectory() as folder, _without_clock():
        path = Path(folder) / "layers.gpkg"
        for name, frame in layers.items():
            pyogrio.write_dataframe(
                frame,
                path,
                layer=name,
                driver="GPKG",
                geometry_type=geometries[name],
                append=path.exists(),
                dataset_options=None if path.exists() else GEOPACKAGE_VERSION,
            )
        return path.read_bytes()


@contextmanager
def _without_clock() -> Iterator[None]:
    before = pyogrio.get_gdal_config_option(CLOCK)
    pyogrio.set_gdal_config_options({CLOCK: NO_TIME})
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options({CLOCK: before})
