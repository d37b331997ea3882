"""Job terrain: the radial terrain profiles of every mast of a terrain tile, square by square.

Input: register, padded grid, land mask, DEM. Output: ``terrain/<tile>.npz``, profiles by mast key.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.blocks import ReadOnce, threads_within
from pipeline.config.config import Config
from pipeline.grid.kept_records import digest_of
from pipeline.grid.raster import read
from pipeline.registers.transmitters import read_register
from pipeline.terrain.kept_squares import found_in_squares, keep_squares, kept_squares
from pipeline.terrain.records import (
    LonLatRaster,
    Mast,
    Sweep,
    SweepFacts,
    facts_of,
    read_sweeps,
    write_sweeps,
)
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
    surroundings = ReadOnce(partial(_surroundings, config, build, lattice_deg, needed))
    squares = by_square(masts_of_tile(register, tile))
    follow_from = {name: digest_of([mast.key for mast in masts]) for name, masts in squares.items()}
    basis = basis and digest_of(basis, lattice_deg, needed, surroundings().land)
    path, facts = build / "terrain" / f"{tile}.npz", list[SweepFacts]()
    earlier, kept = kept_squares(path, basis, follow_from)
    of_square = partial(_of_square, config, surroundings, lattice_deg, threads_within(threads))
    found = found_in_squares(squares, kept, partial(read_sweeps, earlier), of_square, name=f"terrain {tile}")

    def swept() -> Iterator[dict[str, Sweep]]:
        for sweeps in found:
            facts.extend(map(facts_of, sweeps.values()))
            yield sweeps

    write_sweeps(path, swept())
    keep_squares(path, basis, follow_from, kept)
    print(f"terrain {tile}: {summary(facts)}", file=sys.stderr)


class _Surroundings(NamedTuple):
    """Land mask and, if there is a terrain model, the heights around the grid."""

    land: LonLatRaster
    receivers: LonLatRaster | None


def _surroundings(
    config: Config,
    build: Path,
    lattice_deg: tuple[NDArray[np.float64], NDArray[np.float64]],
    needed: NDArray[np.bool_],
) -> _Surroundings:
    land = read_land(build / "territory" / "land_lonlat.tif")
    return _Surroundings(land, heights_of_receivers(lattice_deg, land, config.terrain, needed))


def _of_square(
    config: Config,
    surroundings: ReadOnce[_Surroundings],
    lattice_deg: tuple[NDArray[np.float64], NDArray[np.float64]],
    threads: int,
    masts: Sequence[Mast],
) -> dict[str, Sweep]:
    """Profiles of the masts of a square."""
    land, receivers = surroundings()
    return sweep_towards(masts, lattice_deg, receivers, land, config.terrain, threads=threads)
