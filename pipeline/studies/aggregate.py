"""`channelmaps aggregate`: what devices, placed or spread at a density, do together to DTT reception.

Writes for each DTT channel that they concern ``aggregate_chNN.tif`` (bands ``fall_pct``, ``excess_pct``,
``margin_db``) and one table ``aggregate.csv``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from pipeline.config.config import Config
from pipeline.config.protection import Device
from pipeline.dtt.channel_files import ChannelFiles
from pipeline.dtt.multiple_interference import AGGREGATE_LAYERS, PlacedDevices, run
from pipeline.errors import InputError
from pipeline.files import table_bytes, write_output
from pipeline.grid import raster
from pipeline.grid.grid import Grid
from pipeline.plan.run_files import two_digits
from pipeline.plan.territory_file import load_config
from pipeline.radio.channel_plan import victim_channels
from pipeline.registers.transmitters import read_register
from pipeline.studies.placed import read_placed, spread

_PERCENTILES = (50, 90, 95, 99)


def aggregate_command(
    config_path: Path,
    out: Path,
    *,
    devices: Path | None = None,
    density_per_km2: float | None = None,
    device_id: str | None = None,
    build: Path | None = None,
    threads: int = 1,
) -> None:
    """Check a table of devices, or the permitted e.i.r.p. everywhere at a density, and write the findings."""
    config = load_config(config_path)
    folder = build or Path("build") / config.name
    if config.protection.method != "degradation":
        raise InputError(
            "the check needs location probabilities",
            file=config_path,
            row="protection.method",
            value=config.protection.method,
            allowed="degradation",
        )
    if (devices is None) == (density_per_km2 is None):
        raise InputError("give either --devices or --density-per-km2", field="--devices")
    surface = raster.read(folder / "territory" / "surface.tif")
    if devices is not None:
        placed = read_placed(devices, config, surface, folder / "public")
    else:
        device = _device(config, device_id)
        placed = spread(config, device, float(density_per_km2 or 0.0), surface, folder / "public")
    out.mkdir(parents=True, exist_ok=True)
    rows = list(_channels(config, folder, placed, surface.attrs["grid"], out, threads))
    table = pd.DataFrame(rows, columns=list(rows[0]) if rows else ["channel"])
    write_output(out / "aggregate.csv", table_bytes(table, number_format=None))
    print("\n".join(_summary(placed, rows, out)))


def _device(config: Config, device_id: str | None) -> Device:
    for device in config.devices:
        if device_id in (None, device.id):
            return device
    known = ", ".join(device.id for device in config.devices)
    raise InputError("no such device", field="--device", value=device_id, allowed=known)


def _channels(
    config: Config, folder: Path, placed: PlacedDevices, grid: Grid, out: Path, threads: int
) -> Iterator[dict[str, float | int]]:
    """Compute and write the DTT channels one by one; yields their lines of the table."""
    register, _ = read_register(config)
    occupied = register["channel"].values.tolist()
    for channel in victim_channels(config, occupied, np.unique(placed.channel).tolist()):
        layers = run(config, ChannelFiles(folder, channel), placed, threads=threads)
        if layers is None or not np.isfinite(layers.values).any():
            continue
        tags = {"channel": str(channel), "devices": str(placed.row.size), "notice": config.notice}
        raster.write(out / f"aggregate_ch{two_digits(channel)}.tif", layers, tags=tags, publish=True)
        yield _channel_row(config, folder, channel, layers, grid)


def _channel_row(
    config: Config, folder: Path, channel: int, layers: xr.DataArray, grid: Grid
) -> dict[str, float | int]:
    """One line of the table: percentiles of q1 - q2 over the pixels in reach, what exceeds dq, the margin."""
    fall, excess, margin = (layers.sel(band=name).values for name in AGGREGATE_LAYERS)
    reached, over = np.isfinite(fall), np.nan_to_num(excess) > 0.0
    rows, cols = _window(layers.attrs["grid"], grid)
    area_km2 = grid.area_km2(rows, cols)
    people = _population(config, folder, rows, cols)
    worst = np.unravel_index(np.nanargmax(fall), fall.shape)
    lon_deg, lat_deg = layers.attrs["grid"].lonlat_deg()
    percentiles = np.percentile(fall[reached], _PERCENTILES)
    return {
        "channel": channel,
        "pixels_in_reach": int(reached.sum()),
        **{f"fall_p{p}_pct": round(float(v), 4) for p, v in zip(_PERCENTILES, percentiles, strict=True)},
        "fall_max_pct": round(float(fall[worst]), 4),
        "excess_pixels": int(over.sum()),
        "excess_km2": round(float(area_km2[over].sum(dtype=np.float64)), 3),
        "excess_population": math.nan if people is None else round(float(np.nansum(people[over])), 1),
        "margin_db": round_up(float(np.nanmax(margin))),
        "worst_lon": round(float(lon_deg[worst]), 6),
        "worst_lat": round(float(lat_deg[worst]), 6),
    }


def round_up(margin_db: float) -> float:
    """To 0.01 dB, so that the written margin is enough."""
    return math.ceil(round(100.0 * margin_db, 6)) / 100.0


def _window(part: Grid, grid: Grid) -> tuple[slice, slice]:
    row, col = grid.offset_px(part)
    return slice(row, row + part.height), slice(col, col + part.width)


def _population(config: Config, folder: Path, rows: slice, cols: slice) -> NDArray[np.float32] | None:
    if config.population is None:
        return None
    return np.asarray(raster.read(folder / "territory" / "population.tif", rows=rows, cols=cols).values)


def _summary(placed: PlacedDevices, rows: list[dict[str, float | int]], out: Path) -> Iterator[str]:
    yield f"{placed.row.size} devices, {len(rows)} DTT channels in reach: {out / 'aggregate.csv'}"
    for row in rows:
        yield (
            f"  channel {row['channel']:>2}  q1 - q2 at most {row['fall_max_pct']:.2f} points, "
            f"{row['excess_km2']:.2f} km2 over dq, required margin {row['margin_db']:.2f} dB"
        )
    if rows:
        needed = max(rows, key=lambda row: row["margin_db"])
        yield f"required margin_db for all: {needed['margin_db']:.2f} (channel {needed['channel']})"
