"""What goes into the radial terrain profiles of a mast, its sweep, and what comes out of them."""

from __future__ import annotations

import math
from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

# Arc of a degree in km (mean Earth radius 6371 km): turns DEM steps into km, nothing finer.
KM_PER_DEG = math.pi * 6371.0 / 180.0
# One count of ``Sweep.tca_counts``: 0.002 deg is at most 0.02 dB of the correction of P.1546-6 sec. 11.
TCA_COUNT_DEG = 0.002
# Count that stands for "no terrain known at the receiver".
TCA_UNKNOWN = -32768


class TerrainSource(IntEnum):
    """Where the effective heights of a mast come from."""

    DEM = 0  # terrain known on every radial
    PARTIAL = 1  # some radials know only a part of the terrain, or none of it
    HAAT = 2  # the register's height above average terrain, on all radials
    AGL = 3  # the antenna height above ground, on all radials


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
    sea_km: NDArray[np.float32]  # [azimuth, k] length over sea from the mast to d = k step; n_k 0: no sea
    tca_first_azimuth_deg: float
    tca_azimuth_step_deg: float
    tca_first_km: float
    tca_step_km: float
    tca_counts: NDArray[np.int16]  # [azimuth, k] unclipped clearance angle in TCA_COUNT_DEG; n_k 0: TCA off
