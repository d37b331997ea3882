"""What the check of paths over terrain writes: statistics, worst cases, and a map for each device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.availability.terrain_check import DeviceCheck, PathStatus, SampledPixels, lonlat_of
from pipeline.config.config import Config
from pipeline.files import table_bytes, write_whole
from pipeline.grid import raster
from pipeline.grid.grid import Grid
from pipeline.grid.layer_files import channel_bands, layer_file, layer_layout, raster_of
from pipeline.hashing import json_hash
from pipeline.propagation.models import model_named
from pipeline.quantise import to_centi

_PERCENTILES = (5, 50, 95)
# Worst cases told of each device and channel, and from which difference on a case counts as large.
_WORST, _LARGE_DB = 5, 10.0
STATISTICS_COLUMNS = (
    "device",
    "channel",
    "sampled",
    "limited",
    "adjacent",
    "unknown",
    "checked",
    "mean_db",
    "p5_db",
    "p50_db",
    "p95_db",
    "lets_more_pct",
    "lets_10db_more_pct",
    "most_more_db",
)
"""Of the table of statistics; ``most_more_db`` by how much the terrain lets most through, 0 if nowhere."""
_WORST_COLUMNS = (
    "device",
    "channel",
    "lon",
    "lat",
    "victim_channel",
    "group",
    "victim_lon",
    "victim_lat",
    "distance_km",
    "published_db",
    "terrain_db",
    "difference_db",
    "mechanism",
)


def statistics_row(check: DeviceCheck) -> dict[str, object]:
    """One line of statistics: how many pixels, and the differences of the paths that were checked."""
    status = check.paths.status
    count = {kind: int((status == kind).sum()) for kind in PathStatus}
    row: dict[str, object] = {
        "device": check.device.id,
        "channel": str(check.channel),
        "sampled": status.size,
        "limited": status.size - count[PathStatus.UNLIMITED],
        "adjacent": count[PathStatus.ADJACENT],
        "unknown": count[PathStatus.UNKNOWN],
        "checked": count[PathStatus.CHECKED],
    }
    found_db = check.paths.difference_db[status == PathStatus.CHECKED]
    if found_db.size:
        percentiles = np.percentile(found_db, _PERCENTILES)
        row |= {"mean_db": found_db.mean()}
        row |= {f"p{p}_db": value for p, value in zip(_PERCENTILES, percentiles, strict=True)}
        row |= {
            "lets_more_pct": 100.0 * (found_db < 0.0).mean(),
            "lets_10db_more_pct": 100.0 * (found_db < -_LARGE_DB).mean(),
            "most_more_db": max(0.0, -found_db.min()),
        }
    return row


def worst_rows(check: DeviceCheck, grid: Grid, pixels: SampledPixels) -> list[dict[str, object]]:
    """The paths over which the terrain lets most more through, as ``explain`` asks for them."""
    paths = check.paths
    worse_db = np.where(paths.status == PathStatus.CHECKED, paths.difference_db, np.inf)
    order = [n for n in np.argsort(worse_db, kind="stable")[:_WORST].tolist() if worse_db[n] < 0.0]
    places = lonlat_of(grid, pixels.row[order], pixels.col[order])
    victims = lonlat_of(grid, paths.victim_row[order], paths.victim_col[order])
    regimes = model_named("p1812").regimes
    return [
        {
            "device": check.device.id,
            "channel": str(check.channel),
            "lon": round(float(place[0]), 6),
            "lat": round(float(place[1]), 6),
            "victim_channel": int(check.victim_channel[n]),
            "group": check.group[n],
            "victim_lon": round(float(victim[0]), 6),
            "victim_lat": round(float(victim[1]), 6),
            "distance_km": paths.d_km[n],
            "published_db": paths.published_db[n],
            "terrain_db": paths.terrain_db[n],
            "difference_db": paths.difference_db[n],
            "mechanism": regimes[paths.regime[n]],
        }
        for n, place, victim in zip(order, places, victims, strict=True)
    ]


def write_checks(
    config: Config, build: Path, grid: Grid, pixels: SampledPixels, checks: Sequence[DeviceCheck]
) -> None:
    """Both tables and the maps."""
    _write_table(build, "wsd_terrain_statistics", STATISTICS_COLUMNS, [statistics_row(one) for one in checks])
    worst = [row for check in checks for row in worst_rows(check, grid, pixels)]
    _write_table(build, "wsd_terrain_worst", _WORST_COLUMNS, worst)
    for device_id, of_device in groupby(checks, key=lambda check: check.device.id):
        _write_map(config, build, grid, pixels, device_id, list(of_device))


def _write_table(
    build: Path, family: str, columns: Sequence[str], rows: Sequence[Mapping[str, object]]
) -> None:
    table = pd.DataFrame(list(rows), columns=list(columns))
    write_whole(build / layer_file(family), table_bytes(table))


def _write_map(
    config: Config,
    build: Path,
    grid: Grid,
    pixels: SampledPixels,
    device_id: str,
    checks: Sequence[DeviceCheck],
) -> None:
    """Differences in a band for each channel; the tag ``hash`` is that of the values."""
    row, bands = raster_of("wsd_terrain"), channel_bands("wsd_terrain", [check.channel for check in checks])
    centi = [to_centi(check.paths.difference_db) for check in checks]
    places = [pixels.row.tolist(), pixels.col.tolist()]
    tags = {
        "hash": json_hash([places, [values.tolist() for values in centi]]),
        "model": "p1812",
        "notice": config.notice,
    }
    layout = layer_layout("wsd_terrain", grid, bands, {"device": device_id}, tags=tags)
    with raster.writing(build / layer_file("wsd_terrain", device=device_id), layout, publish=True) as put:
        whole = slice(0, grid.height), slice(0, grid.width)
        values = np.full((len(checks), *grid.shape), row.nodata, dtype=row.dtype)
        values[:, pixels.row, pixels.col] = centi
        put(*whole, values)
