"""What goes into the radial terrain profiles of a mast, its sweep, and what comes out of them; their file.

The file holds the sweeps of a batch of masts: NumPy arrays in a zip, one folder per mast.
"""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Iterable, Mapping
from enum import IntEnum
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import InputError
from pipeline.files import whole_file
from pipeline.grid.distance import column_distance_px, row_distance_px

# Arc of a degree in km (mean Earth radius 6371 km): turns DEM steps into km, nothing finer.
KM_PER_DEG = math.pi * 6371.0 / 180.0
# One count of ``Sweep.tca_counts``: 0.002 deg is at most 0.02 dB of the correction of P.1546-6 sec. 11.
TCA_COUNT_DEG = 0.002
# Count that stands for "no terrain known at the receiver".
TCA_UNKNOWN = -32768
# Pieces of a step of ``Sweep.sea_pieces``, each of which is sea or land: 0.25 km of the step of 1 km.
SEA_PIECES = 4
ARRAYS = ("heff_m", "theta_eff1_deg", "hb_m", "sea_pieces", "tca_counts")
# Clearance angles are nearly noise: harder compression costs seconds per mast and saves a few per cent.
COMPRESSION_LEVEL = 1
# The archive's clock, so that equal profiles give equal bytes.
EPOCH = (1980, 1, 1, 0, 0, 0)


class TerrainSource(IntEnum):
    """Where the effective heights of a mast come from."""

    DEM = 0  # terrain known on every radial
    PARTIAL = 1  # some radials know only a part of the terrain, or none of it
    HAAT = 2  # the register's height above average terrain, on all radials
    AGL = 3  # the antenna height above ground, on all radials


class UnknownTerrain(InputError):
    """Terrain that no file knows at a place, or on the path to it; ``place`` in degrees east and north.

    Who has the place from a table names its row.
    """

    def __init__(self, problem: str, place: tuple[float, float], allowed: str) -> None:
        super().__init__(problem, field="terrain", value=f"{place[0]:.4f}, {place[1]:.4f}", allowed=allowed)
        self.place = place


class LonLatRaster(NamedTuple):
    """A regular north-up raster in degrees (WGS84); pixel (0, 0) has its outer corner at (west, north).

    ``values`` [row, column]: float32 heights above sea level in m, NaN unknown (an elevation), or uint8,
    0 sea and 1 land (a land mask). West of a raster that crosses 180 deg stays continuous (170 ... 190).
    """

    values: NDArray[Any]
    west_deg: float
    north_deg: float
    step_lon_deg: float
    step_lat_deg: float


def inland_km(land: LonLatRaster, lat_deg: float) -> NDArray[np.float32]:
    """Distance of the pixels [y, x] of a land mask from the sea: 0 there, infinite where there is none.

    A degree of longitude is everywhere as long as at ``lat_deg``.
    """
    high_km = KM_PER_DEG * land.step_lat_deg
    wide_km = KM_PER_DEG * land.step_lon_deg * math.cos(math.radians(lat_deg))
    distance_px = row_distance_px(column_distance_px(land.values == 0), high_km / wide_km)
    return np.float32(wide_km) * distance_px


class Mast(NamedTuple):
    """One antenna on one mast: all transmitters with the same key have the same profiles. NaN = not given."""

    key: str
    lon_deg: float
    lat_deg: float
    antenna_height_agl_m: float
    site_height_asl_m: float
    haat_m: float


class MastView(NamedTuple):
    """What of the surroundings a mast's paths can reach: the receiving grid as seen from the mast.

    Azimuths ``first_azimuth_deg`` to ``first_azimuth_deg + width_deg`` (0 and 360 where the mast stands in
    the grid), distances ``near_km`` to ``far_km``.
    """

    first_azimuth_deg: float
    width_deg: float
    near_km: float
    far_km: float


class SweepSettings(NamedTuple):
    """Steps and limits of the radial terrain profiles.

    ``tca`` is ``auto``, ``on`` or ``off``; with ``auto`` terrain coarser than ``tca_max_dem_step_m`` gives no
    clearance angle. ``tca_step_km``, ``tca_arc_km``: spacing of the clearance angles along a radial, and
    between radials at the range limit; 0 = one DEM step. ``tca_max_cells``: bound of the memory of one mast
    (2 bytes per cell); the spacings grow where it would be exceeded.
    """

    azimuth_step_deg: float = 0.5
    hb_step_km: float = 0.25
    sea_step_km: float = 1.0
    tca: str = "auto"
    tca_max_dem_step_m: float = 250.0
    tca_step_km: float = 0.0
    tca_arc_km: float = 0.0
    tca_max_cells: int = 12_000_000


class SweepFacts(NamedTuple):
    """What the manifest reports of the terrain of one mast."""

    source: TerrainSource
    with_clearance_angles: bool
    with_sea: bool


class Sweep(NamedTuple):
    """The radial terrain profiles of one mast; read through ``pipeline.terrain.lookup``.

    Radials stand at 0, ``azimuth_step_deg``, ... true azimuth at the mast, all around. The clearance angles
    have their own polar lattice: azimuths ``tca_first_azimuth_deg + k tca_azimuth_step_deg`` (a sector
    where the mast stands outside the grid), distances ``tca_first_km + k tca_step_km``.
    """

    terrain_source: int  # TerrainSource
    ground_asl_m: float  # of the record if given, else of the DEM; NaN unknown
    azimuth_step_deg: float
    heff_m: NDArray[np.float32]  # [azimuth] antenna above mean terrain 3-15 km (P.1546-6 sec. 3)
    theta_eff1_deg: NDArray[np.float32]  # [azimuth] horizon of the antenna within 15 km; NaN with TCA off
    hb_step_km: float
    hb_m: NDArray[np.float32]  # [azimuth, k] antenna above mean terrain 0.2 d ... d, d = k step; n_k 0: none
    sea_step_km: float
    sea_pieces: NDArray[np.uint16]  # [azimuth, k] of sea between the mast and d = k step; n_k 0: no sea
    tca_first_azimuth_deg: float
    tca_azimuth_step_deg: float
    tca_first_km: float
    tca_step_km: float
    tca_counts: NDArray[np.int16]  # [azimuth, k] unclipped clearance angle in TCA_COUNT_DEG; n_k 0: TCA off


SCALARS = tuple(name for name in Sweep._fields if name not in ARRAYS)


def without_profiles(sweep: Sweep) -> Sweep:
    """Profiles of a mast with nothing of what depends on the distance."""
    # Copies, though of nothing: a view would hold the whole table.
    hb_m, sea_pieces = sweep.hb_m[:, :0].copy(), sweep.sea_pieces[:, :0].copy()
    return sweep._replace(hb_m=hb_m, sea_pieces=sea_pieces, tca_counts=sweep.tca_counts[:, :0].copy())


def write_sweeps(path: str | Path, squares: Iterable[Mapping[str, Sweep]]) -> None:
    """Write profiles by mast key, square by square, the whole file or none; equal ones give equal bytes."""
    with whole_file(Path(path)) as ready, _new_archive(ready) as archive:
        for key, sweep in (pair for sweeps in squares for pair in sorted(sweeps.items())):
            scalars = np.array([getattr(sweep, name) for name in SCALARS], dtype=np.float64)
            add_array(archive, f"{key}/scalars", scalars)
            for name in ARRAYS:
                add_array(archive, f"{key}/{name}", getattr(sweep, name))


def read_sweeps(path: str | Path, masts: Iterable[str] | None = None) -> dict[str, Sweep]:
    """Profiles of a file by mast key: all, or those asked for."""
    with _opened(path) as archive:
        known = _masts(archive)
        wanted = known if masts is None else set(masts)
        if missing := sorted(wanted - known):
            raise InputError("no sweep of this mast", file=path, field="mast", value=missing[0])
        return {key: _sweep(archive, key) for key in sorted(wanted)}


def read_facts(path: str | Path) -> dict[str, SweepFacts]:
    """What the manifest reports of the profiles of a file, by mast key; no clearance angle is unpacked."""
    with _opened(path) as archive:
        return {key: _facts(archive, key) for key in sorted(_masts(archive))}


def facts_of(sweep: Sweep) -> SweepFacts:
    """What the manifest reports of a mast's profiles."""
    return SweepFacts(
        TerrainSource(sweep.terrain_source), sweep.tca_counts.shape[1] > 0, sweep.sea_pieces.shape[1] > 0
    )


def _new_archive(path: Path) -> zipfile.ZipFile:
    return zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=COMPRESSION_LEVEL)


def _opened(path: str | Path) -> zipfile.ZipFile:
    if not Path(path).is_file():
        raise InputError("file not found", file=path, allowed="sweeps written by the job terrain")
    return zipfile.ZipFile(path)


def _masts(archive: zipfile.ZipFile) -> set[str]:
    return {name.split("/")[0] for name in archive.namelist()}


def _facts(archive: zipfile.ZipFile, key: str) -> SweepFacts:
    scalars = dict(zip(SCALARS, _load(archive, f"{key}/scalars").tolist(), strict=True))
    source = TerrainSource(int(scalars["terrain_source"]))
    angles, sea = (_columns(archive, f"{key}/{name}") > 0 for name in ("tca_counts", "sea_pieces"))
    return SweepFacts(source, with_clearance_angles=angles, with_sea=sea)


def _columns(archive: zipfile.ZipFile, name: str) -> int:
    """Columns of an array, from its header alone."""
    with archive.open(f"{name}.npy") as stream:
        np.lib.format.read_magic(stream)
        shape, _, _ = np.lib.format.read_array_header_1_0(stream)
    return int(shape[1])


def _sweep(archive: zipfile.ZipFile, key: str) -> Sweep:
    fields: dict[str, Any] = dict(zip(SCALARS, _load(archive, f"{key}/scalars").tolist(), strict=True))
    fields["terrain_source"] = int(fields["terrain_source"])
    fields |= {name: _load(archive, f"{key}/{name}") for name in ARRAYS}
    return Sweep(**fields)


def add_array(
    archive: zipfile.ZipFile, name: str, values: NDArray[np.generic], *, compression: int | None = None
) -> None:
    """Add an array to an archive that `numpy.load` reads, by default packed as it is; without a clock."""
    entry = zipfile.ZipInfo(f"{name}.npy", EPOCH)
    entry.compress_type = archive.compression if compression is None else compression
    entry.external_attr = 0o644 << 16
    with archive.open(entry, "w", force_zip64=True) as sink:
        np.lib.format.write_array(sink, np.ascontiguousarray(values), version=(1, 0), allow_pickle=False)


def _load(archive: zipfile.ZipFile, name: str) -> NDArray[np.generic]:
    stream = io.BytesIO(archive.read(f"{name}.npy"))
    values: NDArray[np.generic] = np.lib.format.read_array(stream, allow_pickle=False)
    return values
