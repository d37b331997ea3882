"""Job coverage: wanted field, best server, nuisance, location probability and service of one DTT channel.

Input: ``surface``, ``reach`` (and ``density``) of the territory, terrain model, land cover, the transmitters
of the channel and its neighbours with their sweeps. Output: ``chNN.tif`` float32 (``LEVEL_BANDS``, NaN = no
server), ``chNN_class.tif`` uint16 (``CLASS_BANDS``), ``chNN_servers.json`` (what the indices mean).
"""

from __future__ import annotations

from pathlib import Path

from pipeline.config.config import Config
from pipeline.config.reception import nuisance_times_pct
from pipeline.coverage.channel import compute_blocks, merge_times, read_places, write_results, write_servers
from pipeline.coverage.inputs import channel_inputs, planning_of
from pipeline.coverage.network import load_losses, load_paths, read_network, station_details
from pipeline.coverage.receiver_ground import load_ground
from pipeline.coverage.receiver_surroundings import surroundings_of_pixels
from pipeline.grid.grid import Grid
from pipeline.territory.masks import is_land


def main(config: Config, build: Path, *, threads: int, channel: int) -> None:
    """Compute one channel and write its three files to ``<build>/coverage``."""
    territory = build / "territory"
    places = read_places(territory)
    grid: Grid = places.attrs["grid"]
    transmitters = read_network(config, grid, channel)
    planning = planning_of(config, transmitters, channel)
    paths = load_paths(build, transmitters)
    ground = load_ground(config.terrain, grid, territory / "land_lonlat.tif")
    around = surroundings_of_pixels(config, grid, is_land(places.values))
    losses = load_losses(config, build, transmitters)
    by_density = config.population is not None and config.coverage.min_density_per_km2 > 0.0
    found = []
    for time in range(len(nuisance_times_pct(config.propagation.nuisance_time_pct))):
        inputs = channel_inputs(transmitters, paths, planning, config, channel, time, losses)
        blocks = compute_blocks(
            inputs,
            grid,
            places.values,
            territory / "density.tif" if by_density else None,
            ground=ground,
            environments=around,
            threads=threads,
        )
        found.append(blocks)
    blocks = merge_times(*found) if len(found) > 1 else found[0]
    write_results(build / "coverage" / f"ch{channel:02d}", grid, blocks, ordinary=len(found) > 1)
    details = station_details(config, transmitters, paths.ground_asl_m[inputs.stations.mast])
    write_servers(build / "coverage" / f"ch{channel:02d}_servers.json", transmitters, planning, details)
