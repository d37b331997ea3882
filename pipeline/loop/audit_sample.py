"""Requests that another database is audited with: places of a sample, in turn with several uncertainties."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pipeline.errors import InputError
from pipeline.files import JsonObject
from pipeline.grid.grid import LONLAT
from pipeline.quantise import NODATA_CENTI
from pipeline.query.database import Database
from pipeline.query.raster_values import values_of
from pipeline.rows.row_models import LatCell, LonCell, RowModel, read_rows

_UNCERTAINTIES_M = (0.0, 50.0, 500.0)
_WORST_SHARE = 0.3


class AuditSample(NamedTuple):
    """Places as ``--sample`` names them, for a device of the maps (None: the first)."""

    places: str
    device: str | None = None
    seed: int = 1


class _PlaceRow(RowModel):
    lon: LonCell
    lat: LatCell


def requests_for(database: Database, sample: str, device: str | None, seed: int) -> list[JsonObject]:
    """AVAIL_SPECTRUM_REQ at the places of a sample, in turn with several uncertainties."""
    devices = {entry["id"]: entry for entry in database.facts["devices"]}
    if device is not None and device not in devices:
        raise InputError("no such device", field="--device", value=device, allowed=", ".join(devices))
    profile = devices[device or next(iter(devices))]
    places = _places(database, profile, sample, seed)
    return [
        _request(
            database, profile, number, lon_deg, lat_deg, _UNCERTAINTIES_M[number % len(_UNCERTAINTIES_M)]
        )
        for number, (lon_deg, lat_deg) in enumerate(places)
    ]


def _places(database: Database, profile: JsonObject, sample: str, seed: int) -> list[tuple[float, float]]:
    kind, _, number = sample.partition(":")
    if kind == "random" and number.isdigit() and int(number) > 0:
        return _random_places(database, profile, int(number), seed)
    if kind == "grid" and number.replace(".", "", 1).isdigit() and float(number) > 0:
        return _lattice(database, profile, 1000.0 * float(number))
    if Path(sample).is_file():
        return [(row.lon, row.lat) for row in read_rows(Path(sample), _PlaceRow)]
    raise InputError(
        "is no sample", field="--sample", value=sample, allowed="random:N, grid:KM or a CSV file"
    )


def _random_places(
    database: Database, profile: JsonObject, count: int, seed: int
) -> list[tuple[float, float]]:
    """Places by area, three in ten of them where the channels of neighbouring pixels differ."""
    values = _whole_raster(database, profile)
    home = values[0] != NODATA_CENTI
    permitted = (values > 0).sum(axis=0)
    edge = home & (
        (permitted != np.roll(permitted, 1, axis=0)) | (permitted != np.roll(permitted, 1, axis=1))
    )
    rng = np.random.default_rng(seed)
    places = []
    for pixels, part in ((home, count - int(_WORST_SHARE * count)), (edge, int(_WORST_SHARE * count))):
        row, col = np.nonzero(pixels)
        if row.size:
            chosen = rng.integers(row.size, size=part)
            places += _lonlat(
                database, profile, row[chosen] + rng.random(part), col[chosen] + rng.random(part)
            )
    return places


def _lattice(database: Database, profile: JsonObject, step_m: float) -> list[tuple[float, float]]:
    """A lattice over the whole grid, places outside the territory too."""
    grid = database.rasters[profile["id"]].grid
    step_px = max(step_m / grid.resolution_m, 1.0)
    row, col = np.meshgrid(
        np.arange(0.5, grid.height, step_px), np.arange(0.5, grid.width, step_px), indexing="ij"
    )
    return _lonlat(database, profile, row.ravel(), col.ravel())


def _whole_raster(database: Database, profile: JsonObject) -> np.ndarray[Any, np.dtype[np.int16]]:
    opened = database.rasters[profile["id"]]
    return np.asarray(values_of(opened, slice(0, opened.grid.height), slice(0, opened.grid.width)))


def _lonlat(
    database: Database, profile: JsonObject, row: np.ndarray[Any, Any], col: np.ndarray[Any, Any]
) -> list[tuple[float, float]]:
    from pyproj import Transformer

    grid = database.rasters[profile["id"]].grid
    x_m, y_m = grid.west_m + col * grid.resolution_m, grid.north_m - row * grid.resolution_m
    lon_deg, lat_deg = Transformer.from_crs(grid.crs, LONLAT, always_xy=True).transform(x_m, y_m)
    return list(zip(np.round(lon_deg, 6).tolist(), np.round(lat_deg, 6).tolist(), strict=True))


def _request(
    database: Database, profile: JsonObject, number: int, lon_deg: float, lat_deg: float, radius_m: float
) -> JsonObject:
    point = {"center": {"latitude": lat_deg, "longitude": lon_deg}}
    return {
        "jsonrpc": "2.0",
        "id": f"a-{number}",
        "method": "spectrum.paws.getSpectrum",
        "params": {
            "type": "AVAIL_SPECTRUM_REQ",
            "version": "1.0",
            "deviceDesc": {
                "serialNumber": f"AUDIT-{number}",
                "manufacturerId": "audit",
                "modelId": "audit",
                "rulesetIds": [database.facts["ruleset"]["rulesetId"]],
                "etsiEnDeviceType": profile["type"],
                "etsiEnDeviceEmissionsClass": str(profile["emission_class"]),
                "etsiEnTechnologyId": "audit",
                "etsiEnDeviceCategory": "master",
            },
            "location": {"point": point | {"semiMajorAxis": radius_m, "semiMinorAxis": radius_m}},
            "antenna": {"height": profile["height_m"], "heightType": "AGL"},
        },
    }
