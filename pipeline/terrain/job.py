"""Job terrain: the radial terrain profiles of every mast of a terrain tile, square by square.

Input: register, padded grid, land mask, DEM. Output: ``terrain/<tile>.npz``, profiles by mast key.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from pipeline.config.config import Config
from pipeline.grid.kept_records import digest_of
from pipeline.grid.raster import read
from pipeline.registers.transmitters import read_register
from pipeline.terrain.kept_squares import keep_squares, kept_squares
from pipeline.terrain.records import Sweep, SweepFacts, facts_of, read_sweeps, write_sweeps
from pipeline.terrain.tile_sweeps import (
    by_square,
    grid_lattice_deg,
    heights_of_receivers,
    masts_of_tile,
    on_lattice,
    read_land,
    summary,
    sweep_towards,
)


def main(config: Config, build: Path, *, threads: int, tile: str, basis: str = "") -> None:
    """Profiles of the masts of one terrain tile to ``<build>/terrain/<tile>.npz``.

    ``basis``: hash of code and settings, by which squares of the last run may hold; empty: all are swept.
    """
    register, _ = read_register(config)
    reach = read(build / "territory" / "reach.tif")
    lattice_deg, needed = grid_lattice_deg(reach.attrs["grid"]), on_lattice(reach.values == 1)
    land = read_land(build / "territory" / "land_lonlat.tif")
    squares = by_square(masts_of_tile(register, tile))
    follow_from = {name: digest_of([mast.key for mast in masts]) for name, masts in squares.items()}
    basis = basis and digest_of(basis, lattice_deg, needed, land)
    path, facts = build / "terrain" / f"{tile}.npz", list[SweepFacts]()
    earlier, kept = kept_squares(path, basis, follow_from)
    receivers = heights_of_receivers(lattice_deg, land, config.terrain, needed)

    def swept() -> Iterator[dict[str, Sweep]]:
        for name, masts in squares.items():
            if name in kept:
                sweeps = read_sweeps(earlier, [mast.key for mast in masts])
            else:
                sweeps = sweep_towards(masts, lattice_deg, receivers, land, config.terrain, threads=threads)
            facts.extend(map(facts_of, sweeps.values()))
            yield sweeps

    write_sweeps(path, swept())
    keep_squares(path, basis, follow_from, kept)
    print(f"terrain {tile}: {summary(facts)}", file=sys.stderr)
