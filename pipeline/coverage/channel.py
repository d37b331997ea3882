"""Stage coverage: wanted field, best server, nuisance, location probability and service of one DTT channel.

Input: ``surface`` (and ``density``) of the territory, the transmitters of the channel and its neighbours with
their sweeps. Output: ``chNN.tif`` float32 (``LEVEL_BANDS``, NaN = no server), ``chNN_class.tif`` uint16
(``CLASS_BANDS``), ``chNN_servers.json`` (what the indices mean).
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import geopandas as gpd
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pipeline.blocks import map_blocks
from pipeline.config.config import Config
from pipeline.config.load import load_config
from pipeline.coverage.fields import INTERFERING, WANTED, CoverageModel, Receiver, Tables
from pipeline.coverage.packed import Paths, Stations, pack_paths, pack_stations
from pipeline.coverage.planning import (
    OFFSETS,
    Planning,
    planning_values,
    select_channel,
    with_default_mode,
    within_reach,
)
from pipeline.coverage.tiles import FOREIGN, HOME, LEVEL_BANDS, NO_RECEPTION, TILE_PX, Rules, compute_block
from pipeline.files import json_bytes, write_whole
from pipeline.grid.geodesy import lattice
from pipeline.grid.grid import Grid
from pipeline.grid.raster import layout_on, read, write_blocks
from pipeline.propagation.hata import Environment
from pipeline.propagation.models import Surroundings
from pipeline.propagation.p1546.curves import load_curves
from pipeline.propagation.p1546.pixel import prepare
from pipeline.radio.channel_plan import channel_centre_mhz, receiver_band
from pipeline.reference.ratio_tables import read_protection_tables
from pipeline.reference.ratios import dtt_ratio_db
from pipeline.registers.missing_values import fill_countries
from pipeline.registers.transmitters import read_register
from pipeline.terrain.records import Sweep
from pipeline.terrain.sweep_file import read_sweeps
from pipeline.territory.codes import Surface

BLOCK_PX = 512
CLASS_BANDS = ("served", "server", "mode")
NO_CLASS = 65535
LEVEL_UNITS = ("dB(uV/m)", "dB(uV/m)", "dB(uV/m)", "dB", "deg", "1")

# A block of results: rows, columns, levels float32[6, y, x], classes uint16[3, y, x].
Block = tuple[slice, slice, NDArray[np.float32], NDArray[np.uint16]]


class Job(NamedTuple):
    """Everything the blocks of one channel share."""

    stations: Stations
    paths: Paths
    tables: Tables
    receiver: Receiver
    rules: Rules
    q_min: float
    min_density_per_km2: float


def prepare_job(
    transmitters: xr.Dataset,
    sweeps: Mapping[str, Sweep],
    planning: Planning,
    config: Config,
    channel: int,
    *,
    exhaustive: bool = False,
) -> Job:
    """Arrays for the kernels; ``transmitters`` as of ``planning.select_channel``, ``sweeps`` by mast key.

    ``exhaustive``: compute what pruning would leave out (for tests).
    """
    coverage = config.coverage
    masts = sorted({str(key) for key in transmitters["mast"].values})
    agl_m = dict(zip(transmitters["mast"].values, transmitters["antenna_height_agl_m"].values, strict=True))
    rules = Rules(
        planning.ratio_db,
        planning.noise_dbuvm,
        coverage.location_sigma_db,
        coverage.location_sigma_db,
        # The threshold method asks for the field of any transmitter (protection.md, section 6).
        coverage.protect_spillover or config.protection.method == "threshold",
        exhaustive,
    )
    stations = pack_stations(
        transmitters,
        channel,
        config.territory.home,
        planning.modes,
        masts,
        coverage.guard_us,
        coverage.default_guard_us,
    )
    return Job(
        stations,
        pack_paths([sweeps[key] for key in masts], [float(agl_m[key]) for key in masts]),
        _tables(config, channel),
        _receiver(config, channel),
        rules,
        coverage.q_min.value,
        coverage.min_density_per_km2,
    )


def _tables(config: Config, channel: int) -> Tables:
    """The model at the channel and its neighbours; a neighbour outside the plan has no transmitters."""
    centre_mhz = channel_centre_mhz(config.channels, channel)
    f_mhz = np.array([_centre_or(config, channel + offset, centre_mhz) for offset in OFFSETS])
    settings = config.propagation
    t_pct = np.array([settings.wanted_time_pct, settings.nuisance_time_pct])
    curves = load_curves()
    prepared = tuple(prepare(curves, f, t_pct[time]) for f in f_mhz for time in (WANTED, INTERFERING))
    return Tables(int(CoverageModel[settings.coverage_model.upper()]), curves, prepared, f_mhz, t_pct)


def _centre_or(config: Config, channel: int, otherwise_mhz: float) -> float:
    try:
        return channel_centre_mhz(config.channels, channel)
    except KeyError:
        return otherwise_mhz


def _receiver(config: Config, channel: int) -> Receiver:
    band = receiver_band(config.coverage, channel_centre_mhz(config.channels, channel))
    area = config.propagation.area
    environment = {"rural": Environment.OPEN, "suburban": Environment.SUBURBAN}.get(area, Environment.URBAN)
    return Receiver(
        config.coverage.receiver_height_m,
        config.propagation.clutter_height_m,
        int(Surroundings[area.upper()]),
        int(environment),
        config.territory.sea == "warm",
        band.flat_deg,
        band.end_deg,
        band.discrimination_db,
        config.coverage.cross_polar_db,
    )


def compute_blocks(
    job: Job,
    grid: Grid,
    surface: NDArray[np.uint8],
    density_per_km2: NDArray[np.float32] | None,
    *,
    threads: int = 1,
    block_px: int = BLOCK_PX,
) -> Iterator[Block]:
    """Results block by block, row by row; sides are rounded up to whole tiles of 32 pixels.

    The values depend neither on the threads nor on the size of the blocks.
    """
    side_px = -(-block_px // TILE_PX) * TILE_PX
    kinds_of = _kinds_of(job)

    def compute(
        rows: slice, cols: slice, surface: NDArray[np.uint8], density_per_km2: NDArray[np.float32] | None
    ) -> tuple[NDArray[np.float32], NDArray[np.uint16]]:
        return _compute_block(job, grid, rows, cols, kinds_of(surface), surface, density_per_km2)

    blocks = map_blocks(
        compute, (grid.height, grid.width), side_px, threads, cut=(surface, density_per_km2), name="coverage"
    )
    for rows, cols, (levels, classes) in blocks:
        yield rows, cols, levels, classes


def _kinds_of(job: Job) -> Callable[[NDArray[np.uint8]], NDArray[np.uint8]]:
    """Surface codes -> kinds of pixel; a kind without any possible server is left out at once."""
    servers = job.stations.home[job.stations.offset == 0]
    spillover = job.rules.spillover and servers.size > 0
    kind = np.full(256, NO_RECEPTION, dtype=np.uint8)
    kind[[Surface.HOME, Surface.HOME_BEYOND]] = HOME if servers.any() or spillover else NO_RECEPTION
    kind[Surface.FOREIGN] = FOREIGN if (~servers).any() or spillover else NO_RECEPTION

    def kinds(surface: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return kind[surface]

    return kinds


def _compute_block(
    job: Job,
    grid: Grid,
    rows: slice,
    cols: slice,
    kinds: NDArray[np.uint8],
    surface: NDArray[np.uint8],
    density_per_km2: NDArray[np.float32] | None,
) -> tuple[NDArray[np.float32], NDArray[np.uint16]]:
    levels = np.full((len(LEVEL_BANDS), *kinds.shape), np.nan, dtype=np.float32)
    servers = np.zeros(kinds.shape, dtype=np.uint16)
    if kinds.any():
        nodes = lattice(grid, rows, cols)
        compute_block(
            job.stations,
            job.paths,
            job.tables,
            job.receiver,
            job.rules,
            *nodes,
            rows.start,
            cols.start,
            kinds,
            levels,
            servers,
        )
    return levels, classify(job, surface, density_per_km2, levels, servers)


def classify(
    job: Job,
    surface: NDArray[np.uint8],
    density_per_km2: NDArray[np.float32] | None,
    levels: NDArray[np.float32],
    servers: NDArray[np.uint16],
) -> NDArray[np.uint16]:
    """Classes uint16[3, y, x]: served 0 / 1 (65535 off land), server index + 1 (0 none), mode (65535 none).

    Served: q1 >= q_min on land, in the territory only where at least the configured number of people live;
    a density that is not known protects.
    """
    own = (surface == Surface.HOME) | (surface == Surface.HOME_BEYOND)
    land = own | (surface == Surface.FOREIGN)
    served = levels[LEVEL_BANDS.index("probability")] >= job.q_min
    if density_per_km2 is not None and job.min_density_per_km2 > 0.0:
        served &= ~((density_per_km2 < job.min_density_per_km2) & own)
    modes = np.append(job.stations.mode, NO_CLASS)[servers.astype(np.int64) - 1]
    return np.stack([np.where(land, served, NO_CLASS), servers, modes]).astype(np.uint16)


def run(
    surface: xr.DataArray,
    transmitters: xr.Dataset,
    sweeps: Mapping[str, Sweep],
    planning: Planning,
    config: Config,
    channel: int,
    *,
    density: xr.DataArray | None = None,
    threads: int = 1,
    block_px: int = BLOCK_PX,
    exhaustive: bool = False,
) -> xr.Dataset:
    """Coverage in memory: float32 ``levels`` (band, y, x), uint16 ``classes`` (class_band, y, x).

    ``surface`` as read from ``surface.tif`` (attribute ``grid``), ``density`` in persons per km2 on its grid.
    """
    grid: Grid = surface.attrs["grid"]
    job = prepare_job(transmitters, sweeps, planning, config, channel, exhaustive=exhaustive)
    levels = np.empty((len(LEVEL_BANDS), grid.height, grid.width), dtype=np.float32)
    classes = np.empty((len(CLASS_BANDS), grid.height, grid.width), dtype=np.uint16)
    values = None if density is None else density.values
    blocks = compute_blocks(job, grid, surface.values, values, threads=threads, block_px=block_px)
    for rows, cols, some_levels, some_classes in blocks:
        levels[:, rows, cols] = some_levels
        classes[:, rows, cols] = some_classes
    return xr.Dataset(
        {
            "levels": (("band", "y", "x"), levels, {"units": LEVEL_UNITS, "long_name": "DTT coverage"}),
            "classes": (("class_band", "y", "x"), classes, {"units": "1", "long_name": "DTT service"}),
        },
        coords={"band": list(LEVEL_BANDS), "class_band": list(CLASS_BANDS)},
        attrs={"grid": grid, "channel": channel},
    )


def split_blocks(blocks: Iterator[Block]) -> tuple[Iterator[Any], Iterator[Any]]:
    """Two sequences for two files written one after the other: levels, then classes.

    The classes wait compressed: they are uniform over wide areas.
    """
    waiting: list[tuple[slice, slice, tuple[int, ...], bytes]] = []

    def levels() -> Iterator[tuple[slice, slice, NDArray[np.float32]]]:
        for rows, cols, some_levels, some_classes in blocks:
            waiting.append((rows, cols, some_classes.shape, zlib.compress(some_classes.tobytes(), 1)))
            yield rows, cols, some_levels

    def classes() -> Iterator[tuple[slice, slice, NDArray[np.uint16]]]:
        for rows, cols, shape, packed in waiting:
            yield rows, cols, np.frombuffer(zlib.decompress(packed), dtype=np.uint16).reshape(shape)

    return levels(), classes()


def main(config_path: str | Path, build: str | Path, *, channel: int, threads: int = 1) -> None:
    """Compute one channel and write its three files to ``<build>/coverage``."""
    config, territory = load_config(Path(config_path)), Path(build) / "territory"
    surface = read(territory / "surface.tif")
    grid: Grid = surface.attrs["grid"]
    transmitters = read_network(config, grid, channel)
    planning = planning_of(config, transmitters, channel)
    job = prepare_job(transmitters, load_sweeps(build, transmitters), planning, config, channel)
    density = None
    if config.population is not None and config.coverage.min_density_per_km2 > 0.0:
        density = read(territory / "density.tif").values
    blocks = compute_blocks(job, grid, surface.values, density, threads=threads)
    write_results(Path(build) / "coverage" / f"ch{channel:02d}", grid, blocks)
    write_servers(Path(build) / "coverage" / f"ch{channel:02d}_servers.json", transmitters, planning)


def read_network(config: Config, grid: Grid, channel: int) -> xr.Dataset:
    """The transmitters that matter in a channel, with countries and modes filled in."""
    register, _ = read_register(config)
    selected = select_channel(register, channel)
    reached = within_reach(selected, outline_m(grid), config.channels.reach_km)
    selected = selected.isel(transmitter=reached)
    default = config.coverage.default_mode
    return with_default_mode(with_countries(config, selected), (default.system, default.mode))


def outline_m(grid: Grid) -> NDArray[np.float64]:
    """Geocentric positions [n, 3] of lattice nodes all over a grid, at most some ten kilometres apart."""
    nodes = lattice(grid).nodes[:, :, :3]
    every = max(1, min(nodes.shape[:2]) // 64)
    rows = np.append(np.arange(0, nodes.shape[0] - 1, every), nodes.shape[0] - 1)
    cols = np.append(np.arange(0, nodes.shape[1] - 1, every), nodes.shape[1] - 1)
    positions_m: NDArray[np.float64] = nodes[np.ix_(rows, cols)].reshape(-1, 3)
    return positions_m


def with_countries(config: Config, transmitters: xr.Dataset) -> xr.Dataset:
    """Stations without a country get that of the polygon around them; a mere box is home."""
    polygons = config.territory.polygons
    if polygons is None:
        stated = transmitters["country"].values
        own = np.where(stated == "", config.territory.home[0], stated)
        return transmitters.assign(country=("transmitter", own))
    countries = gpd.read_file(polygons.path, layer=polygons.countries_layer)
    return fill_countries(transmitters, countries, polygons.country_field)


def planning_of(config: Config, transmitters: xr.Dataset, channel: int) -> Planning:
    """Planning values from the tables that the configuration names."""
    tables = read_protection_tables(config.protection)
    return planning_values(
        transmitters,
        channel,
        channel_centre_mhz(config.channels, channel),
        config.coverage,
        tables.modes,
        lambda mode, offset: dtt_ratio_db(tables, mode, offset),
    )


def load_sweeps(build: str | Path, transmitters: xr.Dataset) -> dict[str, Sweep]:
    """The sweeps of all masts of some transmitters, from the files of their tiles."""
    tiles: dict[str, set[str]] = {}
    for tile, mast in zip(transmitters["tile"].values, transmitters["mast"].values, strict=True):
        tiles.setdefault(str(tile), set()).add(str(mast))
    sweeps: dict[str, Sweep] = {}
    for tile, masts in sorted(tiles.items()):
        sweeps |= read_sweeps(Path(build) / "terrain" / f"{tile}.npz", sorted(masts))
    return sweeps


def write_results(stem: Path, grid: Grid, blocks: Iterator[Block]) -> None:
    """Write ``<stem>.tif`` and ``<stem>_class.tif`` in bounded memory."""
    levels, classes = split_blocks(blocks)
    layout = layout_on(
        grid, LEVEL_BANDS, dtype="float32", nodata=float("nan"), units=LEVEL_UNITS, long_name="DTT coverage"
    )
    write_blocks(stem.with_name(f"{stem.name}.tif"), layout, levels, publish=False)
    layout = layout_on(grid, CLASS_BANDS, dtype="uint16", nodata=NO_CLASS, units="1", long_name="DTT service")
    write_blocks(stem.with_name(f"{stem.name}_class.tif"), layout, classes, publish=False)


def write_servers(path: Path, transmitters: xr.Dataset, planning: Planning) -> None:
    """Write what the numbers of the class file mean: transmitters from 1, modes from 0."""
    names = ("id", "site", "channel", "system", "mode", "polarisation", "sfn", "country")
    columns = [transmitters[name].values.tolist() for name in names]
    rows = [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
    content = {"transmitters": rows, "modes": [list(mode) for mode in planning.modes]}
    write_whole(path, json_bytes(content))
