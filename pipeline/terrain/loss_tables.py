"""Losses between a mast and receivers all around it: what a model that sees the whole profile is asked once.

A table holds, by azimuth and distance, the loss of a channel for some percentages of time beyond that of free
space over the same distance: that part varies slowly with the distance and is read by linear interpolation in
dB (docs/method.md, section 34). The samples of a profile are as far apart as those of the terrain model.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.config.reception import PathClimate, Propagation, nuisance_times_pct
from pipeline.errors import InputError
from pipeline.files import whole_file
from pipeline.grid.grid import GEOD
from pipeline.kernels import kernel
from pipeline.propagation.p1812.climate import half_way_latitude_deg, median_radius_km
from pipeline.propagation.p1812.profile_link import Link, Wave, p1812_link
from pipeline.propagation.p1812.radial_losses import FIRST_RECEIVER, SharedTerms, radial_losses, shared_terms
from pipeline.terrain.elevation import has_hole
from pipeline.terrain.path_profiles import MastSite, ProfileGround, sample_profile
from pipeline.terrain.polar_nodes import LossLattice, RadialNodes, node_km, ranges_of, samples_of_nodes
from pipeline.terrain.records import Mast, UnknownTerrain, add_array

# Codes of a table: hundredths of a dB from here up; a path may have less than free space by focusing.
LOWEST_EXCESS_DB = -10.0
PER_DB = 100.0
UNKNOWN = 65535
# Basic transmission loss of free space at 1 GHz and 1 km (P.1812-8, eq. 8).
FREE_SPACE_DB = 92.4
# Parts of the step from the mast to the first sample: a path needs points between its ends.
_NEAR_PARTS = 4
_RADIALS_A_TIME = 64
# Endings of the names of a table of regimes, and of the numbers of a lattice.
_REGIMES, _LATTICE = "/regimes", "/lattice"


class Waves(NamedTuple):
    """Frequencies in GHz, percentages of time, polarisation; lapse rate in N/km and refractivity."""

    f_ghz: NDArray[np.float64]
    time_pct: NDArray[np.float64]
    vertical: bool
    lapse_n_per_km: float
    refractivity: float


class PlacePath(NamedTuple):
    """A profile [n] from a mast to a place: distance, terrain and cover in m, zone; and the link along it."""

    d_km: NDArray[np.float64]
    terrain_m: NDArray[np.float64]
    cover_m: NDArray[np.float64]
    zone: NDArray[np.int64]
    link: Link


class FarAndNear(NamedTuple):
    """Distances of the samples of a radial, and of points up to the first one, with what they share.

    ``receivers`` [range] numbers of the samples at the nodes.
    """

    d_km: NDArray[np.float64]
    receivers: NDArray[np.int64]
    shared: SharedTerms
    near_km: NDArray[np.float64]
    near: SharedTerms


class MastLosses(NamedTuple):
    """Losses of a mast: ``codes`` uint16[frequency, time, radial, range]; or, without the first axis, of one.

    ``regimes`` uint8[frequency, radial, range]: what decides the first percentage, 0 where nothing is known.
    """

    codes: NDArray[np.uint16]
    regimes: NDArray[np.uint8]


class SquareLosses(NamedTuple):
    """Tables of the masts of a square: lattices as they are stored by mast, tables of one channel by name."""

    lattices: Mapping[str, NDArray[np.float64]]
    tables: Mapping[str, MastLosses]


class RegimeTable(NamedTuple):
    """What decides the wanted losses of one mast in one channel: uint8[radial, range] on a polar lattice."""

    first_deg: float
    step_deg: float
    ranges: RadialNodes
    regimes: NDArray[np.uint8]


class LossTable(NamedTuple):
    """Losses of one mast in one channel: ``codes`` uint16[time, radial, range] on a polar lattice."""

    first_deg: float
    step_deg: float
    ranges: RadialNodes
    codes: NDArray[np.uint16]


def waves_of(settings: Propagation, f_mhz: Sequence[float], vertical: bool) -> Waves:
    """Frequencies with the percentages and the air of a territory: of wanted fields, then of others."""
    times_pct = [settings.wanted_time_pct, *nuisance_times_pct(settings.nuisance_time_pct)]
    climate = settings.climate or PathClimate()
    return Waves(
        1e-3 * np.array(f_mhz, np.float64),
        np.array(times_pct),
        vertical,
        climate.lapse_n_per_km.value,
        climate.refractivity.value,
    )


def run(
    mast: Mast,
    ground: ProfileGround,
    lattice: LossLattice,
    waves: Waves,
    receiver_m: float,
    *,
    threads: int = 1,
) -> MastLosses:
    """Losses of a mast; the same for any threads.

    ``UNKNOWN`` from where a profile crosses land of unknown height.
    """
    receivers = samples_of_nodes(lattice)
    d_km = lattice.sample_km * np.arange(max(int(receivers[-1]), FIRST_RECEIVER) + 1, dtype=np.float64)
    near_km = lattice.sample_km * np.arange(_NEAR_PARTS + 1, dtype=np.float64) / _NEAR_PARTS
    far = FarAndNear(d_km, receivers, _shared_terms(waves, d_km), near_km, _shared_terms(waves, near_km))
    free_db = FREE_SPACE_DB + 20.0 * np.log10(waves.f_ghz)
    nodes = (lattice.radials, receivers.size)
    codes = np.full((free_db.size, waves.time_pct.size, *nodes), UNKNOWN, np.uint16)
    regimes = np.zeros((free_db.size, *nodes), np.uint8)
    site = MastSite(mast.lon_deg, mast.lat_deg, mast.site_height_asl_m, mast.antenna_height_agl_m)

    def fill(first: int) -> None:
        last = min(first + _RADIALS_A_TIME, lattice.radials)
        _fill_radials(ground, site, lattice, far, free_db, receiver_m, (first, last), codes, regimes)

    with ThreadPoolExecutor(max_workers=threads) as pool:
        list(pool.map(fill, range(0, lattice.radials, _RADIALS_A_TIME)))
    return MastLosses(codes, regimes)


def _shared_terms(waves: Waves, d_km: NDArray[np.float64]) -> SharedTerms:
    return shared_terms(
        d_km,
        waves.f_ghz.tolist(),
        waves.time_pct.tolist(),
        vertical=waves.vertical,
        median_radius_km=median_radius_km(waves.lapse_n_per_km),
        refractivity=waves.refractivity,
    )


def losses_to(
    mast: Mast,
    ground: ProfileGround,
    waves: Waves,
    step_km: float,
    azimuth_deg: NDArray[np.float64],
    d_km: NDArray[np.float64],
    receiver_m: float,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Losses to single places [n] beyond those of free space, in dB, and the regimes that decide them.

    Each place has a profile of its own (``path_to``). NaN, and the first regime, where its terrain is not
    known.
    """
    free_db = FREE_SPACE_DB + 20.0 * math.log10(waves.f_ghz[0])
    excess_db, regime = np.full(d_km.size, np.nan), np.zeros(d_km.size, np.int64)
    for place, way in enumerate(zip(azimuth_deg.tolist(), d_km.tolist(), strict=True)):
        path = path_to(mast, ground, waves, step_km, *way, receiver_m)
        if path is not None:
            excess_db[place] = path.link.loss_db - free_db - 20.0 * math.log10(way[1])
            regime[place] = path.link.regime
    return excess_db, regime


def path_to(
    mast: Mast,
    ground: ProfileGround,
    waves: Waves,
    step_km: float,
    azimuth_deg: float,
    length_km: float,
    receiver_m: float,
) -> PlacePath | None:
    """The profile from a mast to a single place, and the link along it; None where its terrain is not known.

    Samples are at most ``step_km`` apart. For the first frequency and percentage of ``waves``.
    """
    site = MastSite(mast.lon_deg, mast.lat_deg, mast.site_height_asl_m, mast.antenna_height_agl_m)
    wave = Wave(
        waves.f_ghz[0], waves.time_pct[0], 50.0, 0.0, waves.vertical, waves.lapse_n_per_km, waves.refractivity
    )
    count = max(math.ceil(length_km / step_km), _NEAR_PARTS) + 1
    along_km = np.linspace(0.0, length_km, count)
    terrain_m, cover_m, zone = np.empty(count), np.empty(count), np.empty(count, np.int64)
    if sample_profile(ground, site, azimuth_deg, along_km[1], terrain_m, cover_m, zone) != count:
        return None
    half_way_deg = half_way_latitude_deg(math.radians(mast.lat_deg), math.radians(azimuth_deg), length_km)
    antennas_m, no_coasts = (site.antenna_m, receiver_m), (math.nan, math.nan)
    path = (along_km, terrain_m, cover_m, zone)
    return PlacePath(*path, p1812_link(*path, antennas_m, no_coasts, half_way_deg, wave))


def unknown_path(mast: Mast, lon_deg: float, lat_deg: float, far_end: str) -> InputError:
    """The refusal of a path over terrain that is not known; ``far_end``: what it leads to."""
    return UnknownTerrain(
        f"terrain between the mast at {mast.lon_deg:.4f}, {mast.lat_deg:.4f} and a place is not known",
        (lon_deg, lat_deg),
        f"heights, and land cover if there is any, of all land between the masts and the {far_end}",
    )


def require_known(
    mast: Mast,
    codes: NDArray[np.uint16],
    lattice: LossLattice,
    lon_deg: NDArray[np.float64],
    lat_deg: NDArray[np.float64],
    needed: NDArray[np.bool_],
) -> None:
    """InputError unless the losses to the places of a lattice that are needed are known, all [rows, columns].

    ``codes`` [radial, range]. Single places pass, as with the cover of the terrain model.
    """
    sites = np.full(lon_deg.shape, mast.lon_deg), np.full(lon_deg.shape, mast.lat_deg)
    azimuth_deg, _, length_m = GEOD.inv(*sites, lon_deg, lat_deg)
    bearing = ((np.asarray(azimuth_deg) - lattice.first_azimuth_deg) % 360.0) / lattice.azimuth_step_deg
    radial = np.minimum(bearing.astype(np.int64), lattice.radials - 1)
    node = np.searchsorted(node_km(lattice.ranges)[:-1], 1e-3 * np.asarray(length_m))
    unknown = (codes[radial, node] == UNKNOWN) & needed
    if has_hole(unknown, needed):
        place = tuple(np.argwhere(unknown)[0])
        raise unknown_path(mast, lon_deg[place], lat_deg[place], "territory")


@kernel
def _fill_radials(
    ground: ProfileGround,
    site: MastSite,
    lattice: LossLattice,
    far: FarAndNear,
    free_db: NDArray[np.float64],
    receiver_m: float,
    radials: tuple[int, int],
    codes: NDArray[np.uint16],
    regimes: NDArray[np.uint8],
) -> None:
    """Fill what is known of radials first to last - 1; ``free_db`` free space at 1 km, by frequency."""
    d_km, n, receivers_m = far.d_km, far.d_km.size, np.array([receiver_m])
    terrain_m, cover_m, zone, half_way_deg = np.empty(n), np.empty(n), np.empty(n, np.int64), np.empty(n)
    loss_db = np.empty((1, codes.shape[0], codes.shape[1], n))
    regime = np.empty(loss_db.shape, np.uint8)
    for radial in range(radials[0], radials[1]):
        azimuth_deg = lattice.first_azimuth_deg + radial * lattice.azimuth_step_deg
        known = sample_profile(ground, site, azimuth_deg, d_km[1], terrain_m, cover_m, zone)
        if known < FIRST_RECEIVER:
            continue
        for i in range(known):
            half_way_deg[i] = half_way_latitude_deg(
                math.radians(site.lat_deg), math.radians(azimuth_deg), d_km[i]
            )
        part = slice(0, known)
        radial_losses(
            d_km[part],
            terrain_m[part],
            cover_m[part],
            zone[part],
            half_way_deg,
            site.antenna_m,
            receivers_m,
            far.receivers,
            far.shared,
            loss_db,
            regime,
        )
        _fill_near(
            far, terrain_m, cover_m, zone, half_way_deg[1], site.antenna_m, receivers_m, loss_db, regime
        )
        _fill_nodes(
            far.receivers,
            d_km,
            known,
            loss_db[0],
            regime[0],
            free_db,
            codes[:, :, radial],
            regimes[:, radial],
        )


@kernel
def _fill_near(
    far: FarAndNear,
    terrain_m: NDArray[np.float64],
    cover_m: NDArray[np.float64],
    zone: NDArray[np.int64],
    half_way_deg: float,
    antenna_m: float,
    receivers_m: NDArray[np.float64],
    loss_db: NDArray[np.float64],
    regime: NDArray[np.uint8],
) -> None:
    """Fill losses and regimes of the first sample: up to it ground and its cover rise or fall evenly."""
    d_km = far.near_km
    last = d_km.size - 1
    share = d_km / d_km[last]
    ground_m = terrain_m[0] + share * (terrain_m[1] - terrain_m[0])
    over_m = cover_m[0] + share * (cover_m[1] - cover_m[0])
    zones = np.where(share < 0.5, zone[0], zone[1])
    half_way = np.full(d_km.size, half_way_deg)
    near_db = np.empty((*loss_db.shape[:3], d_km.size))
    near_regime = np.empty(near_db.shape, np.uint8)
    radial_losses(
        d_km,
        ground_m,
        over_m,
        zones,
        half_way,
        antenna_m,
        receivers_m,
        np.array([last]),
        far.near,
        near_db,
        near_regime,
    )
    loss_db[:, :, :, 1] = near_db[:, :, :, last]
    regime[:, :, :, 1] = near_regime[:, :, :, last]


@kernel
def _fill_nodes(
    receivers: NDArray[np.int64],
    d_km: NDArray[np.float64],
    known: int,
    loss_db: NDArray[np.float64],
    regime: NDArray[np.uint8],
    free_db: NDArray[np.float64],
    codes: NDArray[np.uint16],
    regimes: NDArray[np.uint8],
) -> None:
    """Fill codes [frequency, time, range] of a radial and regimes [frequency, range] of the first percentage.

    The mast itself has those of the first sample.
    """
    for k in range(codes.shape[2]):
        i = max(receivers[k], 1)
        if i >= known:
            break
        length_db = 20.0 * math.log10(d_km[i])
        for f in range(codes.shape[0]):
            for t in range(codes.shape[1]):
                codes[f, t, k] = code_of_excess(loss_db[f, t, i] - free_db[f] - length_db)
            regimes[f, k] = regime[f, 0, i]


@kernel
def code_of_excess(excess_db: float) -> int:
    """Code of a loss beyond that of free space, to the nearest 0.01 dB within those that there are."""
    return int(min(max(math.floor((excess_db - LOWEST_EXCESS_DB) * PER_DB + 0.5), 0.0), UNKNOWN - 1))


# --- file ---------------------------------------------------------------------------------------------------


def table_name(mast: str, channel: int, vertical: bool) -> str:
    """Name of a table in its file."""
    return f"{mast}/{channel:02d}{'V' if vertical else 'H'}"


def write_losses(path: Path, squares: Iterable[SquareLosses]) -> None:
    """Write the tables of the masts of a terrain tile, square by square.

    Regimes are packed, as they have few values over large areas; codes would hardly shrink.
    """
    with whole_file(path) as ready, zipfile.ZipFile(ready, "w") as archive:
        for lattices, tables in squares:
            for mast, numbers in sorted(lattices.items()):
                add_array(archive, f"{mast}{_LATTICE}", numbers)
            for name, table in sorted(tables.items()):
                add_array(archive, name, table.codes)
                add_array(archive, f"{name}{_REGIMES}", table.regimes, compression=zipfile.ZIP_DEFLATED)


def read_square(path: Path, masts: Iterable[str]) -> SquareLosses:
    """All that the file of a terrain tile has of some masts."""
    with np.load(path) as stored:
        lattices = {mast: stored[f"{mast}{_LATTICE}"] for mast in masts}
        names = [name.removesuffix(_REGIMES) for name in stored.files if name.endswith(_REGIMES)]
        tables = {
            name: MastLosses(stored[name], stored[f"{name}{_REGIMES}"])
            for name in names
            if name.rpartition("/")[0] in lattices
        }
    return SquareLosses(lattices, tables)


def read_loss_table(path: Path, mast: str, channel: int, vertical: bool) -> LossTable:
    """The table of a mast, channel and polarisation from the file of a terrain tile."""
    return LossTable(*_read_table(path, mast, table_name(mast, channel, vertical)))


def read_regimes(path: Path, mast: str, channel: int, vertical: bool) -> RegimeTable:
    """What decides the wanted losses of a mast, channel and polarisation, from the file of its tile."""
    return RegimeTable(*_read_table(path, mast, f"{table_name(mast, channel, vertical)}{_REGIMES}"))


def _read_table(path: Path, mast: str, name: str) -> tuple[float, float, RadialNodes, NDArray[Any]]:
    if not path.is_file():
        raise InputError("file not found", file=path, allowed="losses written by the job losses")
    with np.load(path) as stored:
        numbers = stored[f"{mast}{_LATTICE}"]
        return float(numbers[0]), float(numbers[1]), ranges_of(numbers), stored[name]


def profile_steps_km(path: Path) -> list[float]:
    """Steps of the profiles of the masts in the file of a terrain tile; none if there is no such file."""
    if not path.is_file():
        return []
    with np.load(path) as stored:
        return [float(stored[name][-1]) for name in stored.files if name.endswith(_LATTICE)]
