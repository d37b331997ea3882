"""Job coverage: wanted field, best server, nuisance, location probability and service of one DTT channel.

Input: ``surface``, ``reach`` (and ``density``) of the territory, terrain model, land cover, the transmitters
of the channel and its neighbours with their sweeps. Output: ``chNN.tif`` float32 (``LEVEL_BANDS``, NaN = no
server), ``chNN_class.tif`` uint16 (``CLASS_BANDS``), ``chNN_servers.json`` (what the indices mean).
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import xarray as xr

from pipeline.blocks import beside
from pipeline.config.config import Config
from pipeline.config.reception import nuisance_times_pct
from pipeline.coverage.channel import (
    compute_blocks,
    merge_times,
    place_files,
    read_places,
    write_results,
    write_servers,
)
from pipeline.coverage.inputs import Paths, channel_inputs, planning_of
from pipeline.coverage.kept_coverage import KeptCoverage
from pipeline.coverage.network import load_losses, load_paths, read_network, station_details
from pipeline.coverage.receiver_ground import load_ground
from pipeline.coverage.receiver_surroundings import surroundings_of_pixels
from pipeline.grid.grid import Grid
from pipeline.grid.raster import read_grid
from pipeline.hashing import sha256_of_files


def main(config: Config, build: Path, *, threads: int, channel: int, basis: str = "") -> None:
    """Compute one channel and write its three files to ``<build>/coverage``.

    ``basis``: hash of code and settings, by which tiles of the last run may hold; empty: all is computed.
    """
    territory = build / "territory"
    files = [*place_files(territory)]
    grid = read_grid(files[0])
    # The masks of a country take about as long to unpack as its network to read.
    network = partial(_network_with_paths, config, build, grid, channel, threads)
    (transmitters, paths), places = beside(network, partial(read_places, territory), threads)
    planning = planning_of(config, transmitters, channel)
    ground = load_ground(config.terrain, grid, territory / "land_lonlat.tif")
    around = surroundings_of_pixels(config, grid, places.values)
    by_density = config.population is not None and config.coverage.min_density_per_km2 > 0.0
    density = territory / "density.tif" if by_density else None
    files += [density] if density else []
    stem, found, kept = build / "coverage" / f"ch{channel:02d}", [], None
    times = nuisance_times_pct(config.propagation.nuisance_time_pct)
    for time in range(len(times)):
        losses = load_losses(config, build, transmitters, threads)
        inputs = channel_inputs(transmitters, paths, planning, config, channel, time, losses)
        if basis and len(times) == 1:  # of two the file has neither alone
            of_pixels = channel, grid, ground, around, *sha256_of_files(files).values()
            kept = KeptCoverage.of(stem, basis, inputs, transmitters, threads, planning.modes, of_pixels)
        blocks = compute_blocks(
            inputs,
            grid,
            places.values,
            density,
            ground=ground,
            environments=around,
            threads=threads,
            kept=kept,
        )
        found.append(blocks)
    blocks = merge_times(*found) if len(found) > 1 else found[0]
    write_results(stem, grid, blocks, ordinary=len(found) > 1)
    if kept is not None:
        kept.keep()
    details = station_details(config, transmitters, paths.ground_asl_m[inputs.stations.mast])
    write_servers(stem.with_name(f"{stem.name}_servers.json"), transmitters, planning, details)


def _network_with_paths(
    config: Config, build: Path, grid: Grid, channel: int, threads: int
) -> tuple[xr.Dataset, Paths]:
    transmitters = read_network(config, grid, channel)
    return transmitters, load_paths(config, build, transmitters, threads)
