"""Paths of devices over terrain: Rec. ITU-R P.1812-8 between devices and receivers, singly and all around.

Median of locations; both ends stand at their heights above the ground, sea by the land mask. Limits by DTT
keep the path of section 9 of docs/method.md; this one is what they are held against (section 39). Receivers
of services and placed devices may take it (section 40): a table of losses around one end, which holds for
both directions, since P.1812 is the same either way at the median of locations.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.config.config import Config
from pipeline.config.protection import Device
from pipeline.coverage.loss_lookup import (
    AT_1_KM_DBUVM,
    Losses,
    PolarTable,
    largest_field_dbuvm,
    lookup_room,
    pack_losses,
    table_fields,
)
from pipeline.coverage.profile_fields import PlacesGround, ground_in
from pipeline.errors import InputError
from pipeline.grid.grid import GEOD, Grid
from pipeline.kernels import kernel
from pipeline.terrain.loss_tables import (
    FREE_SPACE_DB,
    LOWEST_EXCESS_DB,
    PER_DB,
    UNKNOWN,
    PlacePath,
    Waves,
    path_to,
    run,
    waves_of,
)
from pipeline.terrain.path_profiles import ProfileGround
from pipeline.terrain.polar_nodes import loss_lattice
from pipeline.terrain.records import Mast, MastView
from pipeline.terrain.tile_sweeps import box_around, grid_lattice_deg, read_land

DEVICE_TIME_PCT = 1.0
"""Percentage of time that the path of an interfering device is computed for."""
NEAREST_KM = 0.25
"""Shorter paths are outside the range of P.1812."""
_MARGIN_KM = 2.0
# Half of the last digit of a table, and what stands in one for an unknown loss.
_HALF_CODE_DB, _NO_CODE_DB = 0.5 / PER_DB, LOWEST_EXCESS_DB + 0.5 / PER_DB


class LossesAround(NamedTuple):
    """Losses over terrain around one place in degrees, at a frequency in MHz, out to ``reach_km``.

    ``gaps``: to some places of it they are not known.
    """

    lon_deg: float
    lat_deg: float
    losses: Losses
    f_mhz: float
    reach_km: float
    gaps: bool


def terrain_of_grid(config: Config, build: Path, grid: Grid, beside_km: float = 0.0) -> PlacesGround:
    """Terrain, coasts and land cover of the grid and beside it; InputError without a terrain model."""
    land = read_land(build / "territory" / "land_lonlat.tif")
    lon_deg, lat_deg = grid_lattice_deg(grid)
    box = box_around(lon_deg, lat_deg, _MARGIN_KM + beside_km)
    found = ground_in(config, box, land, float(np.abs(lat_deg).max()))
    if found is None:
        raise InputError(
            "no paths over terrain", file=config.file, row="terrain.dem", allowed="a terrain model"
        )
    return found


def waves_of_device(config: Config, device: Device, f_mhz: float, time_pct: float = DEVICE_TIME_PCT) -> Waves:
    """The wave of a device: vertical if it says so, in the air of the territory."""
    waves = waves_of(config.propagation, [f_mhz], device.polarisation == "V")
    return waves._replace(time_pct=np.array([time_pct]))


def device_mast(device: Device, lon_deg: float, lat_deg: float) -> Mast:
    """A device on the ground of the terrain model."""
    return Mast(device.id, lon_deg, lat_deg, device.height_m, math.nan, math.nan)


def terrain_path(
    terrain: PlacesGround,
    device: Device,
    waves: Waves,
    ends_deg: tuple[tuple[float, float], tuple[float, float]],
    receiver_m: float,
) -> PlacePath | None:
    """The path from a device to a receiver, both (longitude, latitude); None over unknown terrain."""
    (lon_deg, lat_deg), victim_deg = ends_deg
    azimuth_deg, _, length_m = GEOD.inv(lon_deg, lat_deg, *victim_deg)
    mast = device_mast(device, lon_deg, lat_deg)
    place = float(azimuth_deg), 1e-3 * float(length_m)
    return path_to(mast, terrain.profiles, waves, terrain.step_km, *place, receiver_m)


# --- all around a place -------------------------------------------------------------------------------------


def losses_around(
    terrain: PlacesGround, place: Mast, waves: Waves, other_m: float, view: MastView, *, threads: int = 1
) -> LossesAround:
    """Losses between an antenna and others ``other_m`` above ground in its view, in steps of the terrain."""
    every = all_losses_around(terrain.profiles, terrain.step_km, place, waves, other_m, view, threads=threads)
    return every[0]


def all_losses_around(
    ground: ProfileGround,
    step_km: float,
    place: Mast,
    waves: Waves,
    other_m: float,
    view: MastView,
    *,
    threads: int = 1,
) -> list[LossesAround]:
    """The same at each frequency of ``waves``, for the first percentage; samples ``step_km`` apart."""
    lattice = loss_lattice(step_km, view)
    codes = run(place, ground, lattice, waves, other_m, threads=threads).codes[:, 0]
    unknown = codes == UNKNOWN
    # The least of the codes: no mean and no minimum with it passes for a loss.
    codes[unknown] = 0
    place_deg = lattice.first_azimuth_deg, lattice.azimuth_step_deg
    found = []
    for f_ghz, own in zip(waves.f_ghz.tolist(), codes, strict=True):
        table = PolarTable(*place_deg, lattice.ranges, LOWEST_EXCESS_DB, (own, None))
        losses = pack_losses([table], block_side=1)
        found.append(
            LossesAround(place.lon_deg, place.lat_deg, losses, 1e3 * f_ghz, view.far_km, bool(unknown.any()))
        )
    return found


def losses_at_db(
    around: LossesAround, d_km: NDArray[np.float64], azimuth_deg: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Losses to places at distances and azimuths of any shape; NaN where paths over terrain do not hold."""
    field_dbuvm = np.empty(d_km.size)
    room = lookup_room(d_km.size)
    table_fields(around.losses, 0, 0, d_km.ravel(), azimuth_deg.ravel(), field_dbuvm, room)
    loss_db = _field_and_loss_db(around) - field_dbuvm.reshape(d_km.shape)
    if around.gaps:
        loss_db[np.isnan(least_losses_db(around, d_km, azimuth_deg, 0.0))] = np.nan
    loss_db[(d_km < NEAREST_KM) | (d_km > around.reach_km)] = np.nan
    return loss_db


def least_losses_db(
    around: LossesAround, d_km: NDArray[np.float64], azimuth_deg: NDArray[np.float64], half_km: float
) -> NDArray[np.float64]:
    """Losses that no place within ``half_km`` of others falls below; NaN where paths do not hold.

    The least of all nodes that the circles around these places touch, over their smallest distances.
    """
    loss_db = np.empty(d_km.size)
    sum_db = _field_and_loss_db(around)
    _fill_least(around.losses, sum_db, around.reach_km, half_km, d_km.ravel(), azimuth_deg.ravel(), loss_db)
    return loss_db.reshape(d_km.shape)


def _field_and_loss_db(around: LossesAround) -> float:
    """Field of 1 kW e.r.p. and basic transmission loss: their sum, the same everywhere."""
    return AT_1_KM_DBUVM + (FREE_SPACE_DB + 20.0 * math.log10(1e-3 * around.f_mhz))


@kernel
def _fill_least(
    losses: Losses,
    sum_db: float,
    reach_km: float,
    half_km: float,
    d_km: NDArray[np.float64],
    azimuth_deg: NDArray[np.float64],
    loss_db: NDArray[np.float64],
) -> None:
    """Fill the losses [n] that nothing within ``half_km`` of a place falls below, NaN where one is not known.

    ``sum_db`` of field and loss.
    """
    for p in range(d_km.size):
        near_km, far_km = d_km[p] - half_km, d_km[p] + half_km
        loss_db[p] = math.nan
        if near_km < NEAREST_KM or far_km > reach_km:
            continue
        half_deg = math.degrees(math.asin(half_km / d_km[p]))
        from_deg, to_deg = azimuth_deg[p] - half_deg, azimuth_deg[p] + half_deg
        field_dbuvm = largest_field_dbuvm(losses, 0, 0, near_km, far_km, from_deg, to_deg)
        if AT_1_KM_DBUVM - 20.0 * math.log10(near_km) - field_dbuvm > _NO_CODE_DB:
            loss_db[p] = sum_db - field_dbuvm - _HALF_CODE_DB
