"""Job losses: losses from the masts of a terrain tile by a model that sees the whole profile.

Input: register, padded grid, land mask, terrain model. Output: ``losses/<tile>.npz``, tables by mast, channel
and polarisation.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pipeline.blocks import ReadOnce, threads_within
from pipeline.config.config import Config
from pipeline.errors import InputError
from pipeline.grid.grid import Box
from pipeline.grid.kept_records import digest_of
from pipeline.grid.raster import read
from pipeline.radio.channel_plan import channel_centre_mhz
from pipeline.registers.transmitters import read_register
from pipeline.terrain.elevation import elevation_of
from pipeline.terrain.kept_squares import found_in_squares, keep_squares, kept_squares
from pipeline.terrain.land_cover import load_land_cover
from pipeline.terrain.loss_tables import (
    MastLosses,
    SquareLosses,
    read_square,
    require_known,
    run,
    table_name,
    waves_of,
    write_losses,
)
from pipeline.terrain.path_profiles import ProfileGround, profile_ground
from pipeline.terrain.polar_nodes import LossLattice, loss_lattice, stored_lattice
from pipeline.terrain.records import LonLatRaster, Mast
from pipeline.terrain.sweep import dem_step_km, view_of
from pipeline.terrain.tile_sweeps import (
    above_ground,
    box_around,
    by_square,
    grid_lattice_deg,
    masts_of_tile,
    on_lattice,
    outline_of,
    read_land,
)
from pipeline.territory.masks import is_land

_BESIDE_KM = 2.0


def main(config: Config, build: Path, *, threads: int, tile: str, basis: str = "") -> None:
    """Tables of the masts of one terrain tile to ``<build>/losses/<tile>.npz``.

    ``basis``: hash of code and settings, by which squares of the last run may hold; empty: all is computed.
    """
    register, _ = read_register(config)
    reach, surface = (read(build / "territory" / f"{name}.tif") for name in ("reach", "surface"))
    lattice_deg = grid_lattice_deg(reach.attrs["grid"])
    # Only on land there are receivers.
    needed = on_lattice((reach.values == 1) & is_land(surface.values))
    land = ReadOnce(partial(read_land, build / "territory" / "land_lonlat.tif"))
    squares = by_square(masts_of_tile(register, tile))
    follow_from = {name: _what_counts(register, masts) for name, masts in squares.items()}
    basis = basis and digest_of(basis, lattice_deg, needed, land())
    path, tables = build / "losses" / f"{tile}.npz", list[str]()
    earlier, kept = kept_squares(path, basis, follow_from)
    ground = ReadOnce(partial(_ground_in, config, land))
    area = _Area(lattice_deg, needed)
    of_square = partial(_of_square, config, register, ground, area, threads_within(threads))
    found = found_in_squares(squares, kept, partial(read_square, earlier), of_square, name=f"losses {tile}")

    def computed() -> Iterator[SquareLosses]:
        for its in found:
            tables.extend(its.tables)
            yield its

    write_losses(path, computed())
    keep_squares(path, basis, follow_from, kept)
    masts = sum(map(len, squares.values()))
    print(f"losses {tile}: {masts} masts, {len(tables)} tables", file=sys.stderr)


class _Area(NamedTuple):
    """Longitudes and latitudes of a lattice over the grid, and at which of its points losses are needed."""

    lattice_deg: tuple[NDArray[np.float64], NDArray[np.float64]]
    needed: NDArray[np.bool_]


def _what_counts(register: xr.Dataset, masts: Sequence[Mast]) -> str:
    """Digest of masts with their channels and polarisations."""
    rows = np.isin(register["mast"].values, [mast.key for mast in masts])
    columns = [register[name].values[rows].tolist() for name in ("mast", "channel", "polarisation")]
    return digest_of(sorted(set(zip(*columns, strict=True))))


def _box_of(masts: Sequence[Mast], lattice_deg: tuple[NDArray[np.float64], NDArray[np.float64]]) -> Box:
    """Box in degrees around masts and grid."""
    sites = ([mast.lon_deg for mast in masts], [mast.lat_deg for mast in masts])
    lon_deg, lat_deg = (np.append(*parts) for parts in zip(sites, lattice_deg, strict=True))
    return box_around(lon_deg, lat_deg, _BESIDE_KM)


def _ground_in(
    config: Config, land_of: ReadOnce[LonLatRaster], box: Box
) -> tuple[ProfileGround, LonLatRaster]:
    """What profiles lead over within a box, and the terrain model there."""
    land = land_of()
    elevation = elevation_of(config.terrain, box, land)
    if elevation is None:
        raise InputError("no terrain model", row="terrain.dem", allowed="a raster of heights")
    return profile_ground(elevation, land, load_land_cover(config.terrain.clutter, box, land)), elevation


def _of_square(
    config: Config,
    register: xr.Dataset,
    ground_of: ReadOnce[tuple[ProfileGround, LonLatRaster]],
    area: _Area,
    threads: int,
    masts: Sequence[Mast],
) -> SquareLosses:
    """Lattices and tables of the masts of a square."""
    lattice_deg, needed = area
    ground, elevation = ground_of(_box_of(masts, lattice_deg))
    outline, found = [outline_of(part) for part in lattice_deg], dict[str, MastLosses]()
    lattices: dict[str, NDArray[np.float64]] = {}
    for mast in masts:
        view = view_of(mast.lon_deg, mast.lat_deg, *outline)
        lattice = loss_lattice(dem_step_km(elevation, mast.lat_deg), view)
        standing = above_ground(mast, elevation)
        tables = _tables(config, register, standing, ground, lattice, threads=threads)
        # All tables of a mast end where its terrain does.
        require_known(mast, next(iter(tables.values())).codes[0], lattice, *lattice_deg, needed)
        lattices[mast.key] = stored_lattice(lattice)
        found |= tables
    return SquareLosses(lattices, found)


def _tables(
    config: Config,
    register: xr.Dataset,
    mast: Mast,
    ground: ProfileGround,
    lattice: LossLattice,
    *,
    threads: int,
) -> dict[str, MastLosses]:
    """Losses by name of all channels and polarisations of a mast."""
    rows = np.flatnonzero(register["mast"].values == mast.key)
    channels, polarisations = (register[name].values[rows] for name in ("channel", "polarisation"))
    found: dict[str, MastLosses] = {}
    for vertical in (False, True):
        used = sorted({int(c) for c in channels[(polarisations == "V") == vertical]})
        if not used:
            continue
        f_mhz = [channel_centre_mhz(config.channels, channel) for channel in used]
        waves = waves_of(config.propagation, f_mhz, vertical)
        tables = run(mast, ground, lattice, waves, config.coverage.receiver_height_m, threads=threads)
        found |= {
            table_name(mast.key, channel, vertical): MastLosses(tables.codes[i], tables.regimes[i])
            for i, channel in enumerate(used)
        }
    return found
