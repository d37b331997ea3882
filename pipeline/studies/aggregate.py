"""`channelmaps aggregate`: what devices, placed or spread at a density, do together to DTT reception.

The devices, each in a channel or over a bond of its profile, come from a table or stand on a regular lattice.
Writes for each DTT channel that they concern ``aggregate_chNN.tif`` (bands ``fall_pct``, ``excess_pct``,
``margin_db``) and one table ``aggregate.csv``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field, ValidationInfo, model_validator

from pipeline.config.bonds import Bond, DeviceChannel, channel_named
from pipeline.config.config import Config
from pipeline.config.protection import Device
from pipeline.dtt.channel_files import ChannelFiles
from pipeline.dtt.multiple_interference import AGGREGATE_LAYERS, PlacedDevices, run
from pipeline.errors import InputError
from pipeline.files import GEOTIFF_FILE, check_output_folder, kind_of_table, table_bytes, write_output
from pipeline.grid import raster
from pipeline.grid.grid import Grid
from pipeline.grid.layer_files import layer_file, two_digits
from pipeline.grid.open_rasters import values_at
from pipeline.plan.territory_file import files_read, load_config
from pipeline.quantise import NODATA_CENTI, NOT_EVALUATED, NOT_PERMITTED
from pipeline.radio.allocations import is_partial
from pipeline.radio.emission import device_cap_dbm
from pipeline.reference.limiting_channels import victim_channels
from pipeline.registers.transmitters import read_register
from pipeline.rows.row_models import (
    MAY_BE_EMPTY,
    LatCell,
    LonCell,
    RowModel,
    read_rows,
    row_problem,
    rules_of,
)
from pipeline.territory.codes import Surface

# --- devices on the grid ------------------------------------------------------------------------------------


_NOTHING_PERMITTED = (NOT_PERMITTED, NOT_EVALUATED, NODATA_CENTI)
_Level = Annotated[float, Field(ge=-200)]


def _channel(text: object) -> object:
    """A channel by number or a bond such as 20-21."""
    if not isinstance(text, str):
        return text
    if not text.strip():
        raise ValueError("value is missing")
    try:
        return channel_named(text.strip().removesuffix(".0"))
    except ValueError:
        raise ValueError("neither a channel nor a bond") from None


_ChannelCell = Annotated[
    int | Bond, BeforeValidator(_channel), Field(description="a channel, or a bond such as 20-21")
]


class _Setting(NamedTuple):
    """What rows are checked against."""

    ids: list[str]
    caps_dbm: list[float]
    channels: list[Sequence[DeviceChannel]]


class _PlacedRow(RowModel):
    """One device; an empty e.i.r.p. is what is permitted there."""

    device: str
    channel: _ChannelCell
    lon: LonCell
    lat: LatCell
    eirp_dbm: Annotated[_Level | None, MAY_BE_EMPTY, Field(description="-200 dBm to the cap, or empty")]

    @model_validator(mode="after")
    def _in_the_territory_file(self, info: ValidationInfo) -> _PlacedRow:
        setting = rules_of(info, _Setting)
        if self.device not in setting.ids:
            raise row_problem("device", "is not allowed", ", ".join(setting.ids))
        number = setting.ids.index(self.device)
        if self.channel not in setting.channels[number]:
            bonds = not isinstance(setting.channels[number][0], int)
            allowed = f"a bond of {self.device}" if bonds else "a channel of channels.wsd"
            raise row_problem("channel", "is not allowed", allowed)
        cap_dbm = setting.caps_dbm[number]
        if self.eirp_dbm is not None and self.eirp_dbm > cap_dbm:
            raise row_problem("eirp_dbm", "is not allowed", f"a number from -200 to {cap_dbm:g}")
        return self


def _read_placed(path: Path, config: Config, surface: xr.DataArray, folder: Path) -> PlacedDevices:
    """A table ``lon, lat, channel, eirp_dbm, device``; an empty e.i.r.p. is what is permitted there.

    Each device stands in the territory, on a channel of the maps, below the cap of its profile.
    """
    ids = [device.id for device in config.devices]
    caps_dbm = [device_cap_dbm(device) for device in config.devices]
    setting = _Setting(ids, caps_dbm, [config.channels_of(device) for device in config.devices])
    rows = read_rows(path, _PlacedRow, context=setting)
    pixels = [_pixel(path, row, surface) for row in rows]
    eirp_dbm = [
        _permitted_dbm(config, path, row, folder, *pixel) if row.eirp_dbm is None else row.eirp_dbm
        for row, pixel in zip(rows, pixels, strict=True)
    ]
    row_px, col_px = np.array(pixels).T
    numbers = np.array([ids.index(row.device) for row in rows])
    return PlacedDevices(row_px, col_px, [row.channel for row in rows], np.array(eirp_dbm), numbers)


def spread(
    config: Config, device: Device, density_per_km2: float, surface: xr.DataArray, folder: Path
) -> PlacedDevices:
    """On every channel a square lattice of devices over the territory, each at what is permitted there."""
    grid: Grid = surface.attrs["grid"]
    row, col = lattice(grid, density_per_km2)
    home = surface.values[row, col] == Surface.HOME
    row, col = row[home], col[home]
    channels, places, levels_dbm = config.channels_of(device), [], []
    for channel in channels:
        with raster.reading(_layer(config, folder, device.id, channel)) as layer:
            raw = values_at(layer, 0, row, col)
        on = ~np.isin(raw, _NOTHING_PERMITTED)
        places.append(np.flatnonzero(on))
        levels_dbm.append(raw[on] / 100.0)
    every = [channel for channel, found in zip(channels, places, strict=True) for _ in found]
    which = np.concatenate(places)
    number = np.full(which.size, list(config.devices).index(device))
    return PlacedDevices(row[which], col[which], every, np.concatenate(levels_dbm), number)


def lattice(grid: Grid, density_per_km2: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and columns of a square lattice of pixels with ``density_per_km2``, over the whole grid."""
    largest = 1e6 / grid.resolution_m**2
    if not 0.0 < density_per_km2 <= largest:
        raise InputError(
            "density is outside its range",
            field="--density-per-km2",
            value=density_per_km2,
            allowed=f"more than 0, at most one device per pixel: {largest:g}",
        )
    step_px = math.sqrt(largest / density_per_km2)
    rows, cols = (
        ((np.arange(int(size / step_px + 0.5)) + 0.5) * step_px).astype(np.int64) for size in grid.shape
    )
    row, col = np.meshgrid(rows[rows < grid.height], cols[cols < grid.width], indexing="ij")
    if row.size == 0:
        raise InputError(
            "density leaves no device on the whole map",
            field="--density-per-km2",
            value=density_per_km2,
            allowed=f"{largest / grid.height / grid.width:g} (about one on the map) to {largest:g}",
        )
    return row.ravel(), col.ravel()


def _pixel(path: Path, placed: _PlacedRow, surface: xr.DataArray) -> tuple[int, int]:
    """The pixel of a device; refused outside the territory."""
    grid: Grid = surface.attrs["grid"]
    row, col = grid.pixel_of(placed.lon, placed.lat)
    if not grid.has_pixel(row, col) or surface.values[row, col] != Surface.HOME:
        raise InputError(
            "is not allowed",
            file=path,
            row=placed.row,
            field="lon",
            value=placed.lon,
            allowed="a place in the territory",
        )
    return row, col


def _permitted_dbm(config: Config, path: Path, placed: _PlacedRow, folder: Path, row: int, col: int) -> float:
    layer = _layer(config, folder, placed.device, placed.channel)
    raw = int(raster.read(layer, rows=slice(row, row + 1), cols=slice(col, col + 1)).values.item())
    if raw in _NOTHING_PERMITTED:
        raise InputError(
            "is not allowed",
            file=path,
            row=placed.row,
            field="eirp_dbm",
            value="",
            allowed="a number: nothing is permitted there on this channel",
        )
    return raw / 100.0


def _layer(config: Config, folder: Path, device: str, channel: DeviceChannel) -> Path:
    return folder / layer_file("max_eirp", device=device, channel=channel, partial=is_partial(config))


# --- the check ----------------------------------------------------------------------------------------------


_PERCENTILES = (50, 90, 95, 99)
_TABLE_FILE = "aggregate.csv"


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
    _check_folder(config, out, [devices] if devices else [])
    surface = raster.read(folder / "territory" / "surface.tif")
    if devices is not None:
        placed = _read_placed(devices, config, surface, folder)
    else:
        device = _device(config, device_id)
        placed = spread(config, device, float(density_per_km2 or 0.0), surface, folder)
    out.mkdir(parents=True, exist_ok=True)
    rows = list(_channels(config, folder, placed, surface.attrs["grid"], out, threads))
    table = pd.DataFrame(rows, columns=list(rows[0]) if rows else ["channel"])
    write_output(out / _TABLE_FILE, table_bytes(table, number_format=None))
    print("\n".join(_summary(placed, rows, out)))


def _check_folder(config: Config, out: Path, inputs: Sequence[Path]) -> None:
    register, _ = read_register(config)
    channels = victim_channels(config, register["channel"].values.tolist(), config.all_device_channels())
    products = {_TABLE_FILE: kind_of_table("channel")} | {_map_file(c): GEOTIFF_FILE for c in channels}
    check_output_folder("--out", out, products, [*files_read(config), *inputs])


def _map_file(channel: int) -> str:
    return f"aggregate_ch{two_digits(channel)}.tif"


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
    for channel in victim_channels(config, occupied, set(placed.channel)):
        found = run(config, ChannelFiles(folder, channel), placed, threads=threads)
        if found is None:
            continue
        # Strips without a receiver in reach, until one has some.
        empty: list[slice] = []
        for rows, layers in found.strips:
            if np.isfinite(layers).any():
                strips = chain(_nothing(empty, layers.shape), [(rows, layers)], found.strips)
                tags = {"channel": str(channel), "devices": str(placed.row.size), "notice": config.notice}
                yield _write_channel(config, folder, out, channel, found.grid, grid, strips, tags)
                break
            empty.append(rows)


_Strip = tuple[slice, NDArray[np.float32]]


def _nothing(strips: Sequence[slice], shape: tuple[int, ...]) -> Iterator[_Strip]:
    for rows in strips:
        yield rows, np.full((shape[0], rows.stop - rows.start, shape[2]), np.nan, np.float32)


def _write_channel(
    config: Config,
    folder: Path,
    out: Path,
    channel: int,
    part: Grid,
    grid: Grid,
    strips: Iterable[_Strip],
    tags: Mapping[str, str],
) -> dict[str, float | int]:
    """Write the map of a channel on a ``part`` of the grid strip by strip; returns its line of the table."""
    layout = raster.layout_on(
        part,
        AGGREGATE_LAYERS,
        dtype="float32",
        nodata=math.nan,
        units=("percentage points", "percentage points", "dB"),
        long_name=f"fall of location probability by all placed devices, channel {channel}",
        tags=tags,
    )
    facts = []
    with raster.writing(out / _map_file(channel), layout, publish=True) as put:
        for rows, layers in strips:
            put(rows, slice(0, part.width), layers)
            if np.isfinite(layers[0]).any():
                facts.append(_facts_of(config, folder, part, grid, rows, layers))
    return _channel_row(channel, part, facts)


class _StripFacts(NamedTuple):
    """Of the pixels of a strip in reach: q1 - q2 of each, what exceeds dq, the margin, and the worst one."""

    fall_pct: NDArray[np.float32]
    excess_pixels: int
    excess_km2: float
    excess_people: float
    margin_db: float
    worst: tuple[int, int]


def _facts_of(
    config: Config, folder: Path, part: Grid, grid: Grid, strip: slice, layers: NDArray[np.float32]
) -> _StripFacts:
    fall, excess, margin = layers
    over = np.nan_to_num(excess) > 0.0
    row, col = grid.offset_px(part)
    rows, cols = slice(row + strip.start, row + strip.stop), slice(col, col + part.width)
    people = _population(config, folder, rows, cols)
    y, x = np.unravel_index(np.nanargmax(fall), fall.shape)
    return _StripFacts(
        fall[np.isfinite(fall)],
        int(over.sum()),
        float(grid.area_km2(rows, cols)[over].sum(dtype=np.float64)),
        math.nan if people is None else float(np.nansum(people[over], dtype=np.float64)),
        float(np.nanmax(margin)),
        (strip.start + int(y), int(x)),
    )


def _channel_row(channel: int, part: Grid, facts: Sequence[_StripFacts]) -> dict[str, float | int]:
    """One line of the table: percentiles of q1 - q2 over the pixels in reach, what exceeds dq, the margin."""
    fall = np.concatenate([one.fall_pct for one in facts])
    worst = max(facts, key=lambda one: float(one.fall_pct.max()))
    lon_deg, lat_deg = part.lonlat_deg(*(slice(at, at + 1) for at in worst.worst))
    percentiles = np.percentile(fall, _PERCENTILES)
    return {
        "channel": channel,
        "pixels_in_reach": fall.size,
        **{f"fall_p{p}_pct": round(float(v), 4) for p, v in zip(_PERCENTILES, percentiles, strict=True)},
        "fall_max_pct": round(float(fall.max()), 4),
        "excess_pixels": sum(one.excess_pixels for one in facts),
        "excess_km2": round(math.fsum(one.excess_km2 for one in facts), 3),
        "excess_population": round(math.fsum(one.excess_people for one in facts), 1),
        "margin_db": round_up(max(one.margin_db for one in facts)),
        "worst_lon": round(float(lon_deg.item()), 6),
        "worst_lat": round(float(lat_deg.item()), 6),
    }


def round_up(margin_db: float) -> float:
    """To 0.01 dB, so that the written margin is enough."""
    return math.ceil(round(100.0 * margin_db, 6)) / 100.0


def _population(config: Config, folder: Path, rows: slice, cols: slice) -> NDArray[np.float32] | None:
    if config.population is None:
        return None
    return np.asarray(raster.read(folder / "territory" / "population.tif", rows=rows, cols=cols).values)


def _summary(placed: PlacedDevices, rows: list[dict[str, float | int]], out: Path) -> Iterator[str]:
    yield f"{placed.row.size} devices, {len(rows)} DTT channels in reach: {out / _TABLE_FILE}"
    for row in rows:
        yield (
            f"  channel {row['channel']:>2}  q1 - q2 at most {row['fall_max_pct']:.2f} points, "
            f"{row['excess_km2']:.2f} km2 over dq, required margin {row['margin_db']:.2f} dB"
        )
    if rows:
        needed = max(rows, key=lambda row: row["margin_db"])
        yield f"required margin_db for all: {needed['margin_db']:.2f} (channel {needed['channel']})"
