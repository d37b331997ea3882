"""Receivers of other services as devices meet them: what reaches them, and how far out they matter."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np

from pipeline.config.bonds import DeviceChannel, channels_in
from pipeline.config.config import Config
from pipeline.config.protection import Device
from pipeline.dtt.leakage_floor import leakage_floors
from pipeline.dtt.terrain_paths import NEAREST_KM
from pipeline.grid.grid import Grid
from pipeline.propagation.homogeneous import STEP, DevicePath, LossProfile, loss_profile
from pipeline.radio.channel_plan import channel_centre_mhz, channel_width_mhz
from pipeline.radio.coupling import Coupling, coupling_of, permitted_array_dbm
from pipeline.radio.emission import Band, Emission, device_cap_dbm
from pipeline.reference.ratio_tables import leakage_in_use
from pipeline.services.base import ServiceContext
from pipeline.services.protected_receivers import (
    ProtectedReceiver,
    inland_lengths_km,
    project_receivers,
    within_m,
)
from pipeline.services.receiver_terrain import ReceiverEnd, TerrainAround, losses_of
from pipeline.terrain.loss_tables import FREE_SPACE_DB, PER_DB

# A projection of the whole Earth has no bounded scale: receivers farther out cannot matter (P.1546 ends).
FARTHEST_M = 1.0e6


class ReceiverCriteria(NamedTuple):
    """What all receivers of a service share: label where they limit, path, margin, exclusion level.

    A limit below ``exclude_below_dbm`` counts as no permission (-inf = never). ``device_path``: that of
    ``protection`` where paths may lead over terrain.
    """

    label: int
    model: str
    time_pct: float
    margin_db: float = 0.0
    exclude_below_dbm: float = -math.inf
    floor_dbm_per_100khz: float = -math.inf
    device_path: Literal["homogeneous", "smaller", "p1812"] = "homogeneous"


class PlacedReceiver(NamedTuple):
    """A receiver on the grid: its place in pixels (col, row) from the corner, and all that its limits need.

    ``inland_km`` its distance from the sea, 0 = at the coast, infinite = no sea; ``px_km`` true kilometres of
    a pixel at the largest scale; ``permissible_dbm`` = I_max + L_f - margin; ``reach_km`` the distance beyond
    which the limit exceeds the device's cap, ``terrain_km`` that on paths over terrain, 0 = there are none.
    ``around``: losses over terrain where they were asked for; ``smaller``: those of section 9 hold if less.
    """

    receiver: ProtectedReceiver
    inland_km: float
    col_px: float
    row_px: float
    px_km: float
    permissible_dbm: float
    coupling: Coupling
    profile: LossProfile
    reach_km: float
    terrain_km: float
    smaller: bool
    around: TerrainAround | None = None


def place_receivers(
    context: ServiceContext,
    device: Device,
    channel: DeviceChannel,
    receivers: Sequence[ProtectedReceiver],
    criteria: ReceiverCriteria,
) -> Iterator[PlacedReceiver]:
    """The receivers that can limit the device somewhere, in their order."""
    grid, emission = context.grid, emission_of(context, device, channel, criteria.floor_dbm_per_100khz)
    separation_km = device.min_separation_m.value / 1000.0
    scale = grid.largest_scale()
    lengths_km = inland_lengths_km(context, receivers)
    places = project_receivers(grid, receivers)
    for receiver, inland_km, (x_m, y_m) in zip(receivers, lengths_km, places, strict=True):
        if not within_m(grid, x_m, y_m, FARTHEST_M):
            continue
        own_scale = scale if within_m(grid, x_m, y_m, 0.0) else _joined(grid, x_m, y_m).largest_scale()
        centre_mhz = 0.5 * (receiver.band.low_mhz + receiver.band.high_mhz)
        path = DevicePath(
            criteria.model, centre_mhz, device.height_m, receiver.height_m, criteria.time_pct, inland_km
        )
        coupling = coupling_of(emission, receiver.band, receiver.acs_db)
        profile = loss_profile(path, separation_km)
        permissible_dbm = receiver.i_max_dbm + receiver.feeder_db - criteria.margin_db
        strongest_dbm = permissible_dbm - float(receiver.gain_dbi.max())
        limits = strongest_dbm, coupling, device_cap_dbm(device)
        terrain_km = 0.0
        if criteria.device_path != "homogeneous":
            farthest_km = context.config.protection.device_path_km
            terrain_km = farthest_limiting_km(
                least_terrain_losses(centre_mhz, criteria.time_pct, farthest_km), *limits
            )
        reach_km = max(farthest_limiting_km(profile, *limits), terrain_km)
        if reach_km > 0.0:
            row_px, col_px = grid.row_col(x_m, y_m)
            yield PlacedReceiver(
                receiver,
                inland_km,
                col_px,
                row_px,
                grid.resolution_m / own_scale / 1000.0,
                permissible_dbm,
                coupling,
                profile,
                reach_km,
                terrain_km,
                criteria.device_path == "smaller",
            )


def with_terrain(
    context: ServiceContext, device: Device, criteria: ReceiverCriteria, placed: PlacedReceiver
) -> PlacedReceiver:
    """The receiver with its losses over terrain, if it has such paths and they reach the grid."""
    if placed.terrain_km == 0.0:
        return placed
    receiver = placed.receiver
    end = ReceiverEnd(
        receiver.id,
        receiver.lon_deg,
        receiver.lat_deg,
        receiver.height_m,
        0.5 * (receiver.band.low_mhz + receiver.band.high_mhz),
        criteria.time_pct,
        placed.terrain_km,
    )
    return placed._replace(around=losses_of(context, end, device))


@lru_cache(maxsize=512)
def least_terrain_losses(f_mhz: float, time_pct: float, farthest_km: float) -> LossProfile:
    """Losses that no path over terrain falls below: free space and most focusing (P.1812-8, eq. 8 to 10)."""
    nodes = math.ceil(math.log(farthest_km / NEAREST_KM) / STEP) + 1
    d_km = np.minimum(NEAREST_KM * np.exp(STEP * np.arange(nodes)), farthest_km)
    focusing_db = 2.6 * (1.0 - np.exp(-0.1 * d_km)) * math.log10(time_pct / 50.0)
    loss_db = FREE_SPACE_DB + 20.0 * np.log10(1e-3 * f_mhz * d_km) + focusing_db - 1.0 / PER_DB
    return LossProfile(NEAREST_KM, loss_db[:-1], loss_db[1:])


def emission_of(
    context: ServiceContext, device: Device, channel: DeviceChannel, floor_dbm_per_100khz: float
) -> Emission:
    """What a device radiates around one of its channels or bonds."""
    channels, bond = context.config.channels, len(channels_in(channel))
    centre_mhz, half_mhz = channel_centre_mhz(channels, channel), 0.5 * device.bandwidth_mhz
    aflr_db = leakage_in_use(context.config.protection)[device.emission_class]
    block = Band(centre_mhz - half_mhz, centre_mhz + half_mhz)
    bands = leakage_floors(context.config).bands if math.isfinite(floor_dbm_per_100khz) else ()
    width_mhz = channel_width_mhz(channels, channel) / bond
    return Emission(block, width_mhz, aflr_db, floor_dbm_per_100khz, bands, bond)


def leakage_floor_dbm_per_100khz(config: Config) -> float:
    """Below this no device's leakage falls; -inf where no other services are configured."""
    return -math.inf if config.incumbents is None else leakage_floors(config).general_dbm_per_100khz


def outside_km(placed: PlacedReceiver, grid: Grid) -> float:
    """Kilometres from a receiver to the grid; 0 on it."""
    beyond_col = max(-placed.col_px, 0.0, placed.col_px - grid.width)
    beyond_row = max(-placed.row_px, 0.0, placed.row_px - grid.height)
    return math.hypot(beyond_col, beyond_row) * placed.px_km


def farthest_limiting_km(
    profile: LossProfile, strongest_dbm: float, coupling: Coupling, cap_dbm: float
) -> float:
    """Largest distance at which the limit does not exceed the cap; 0 where it always does."""
    smaller_db = np.minimum(profile.left_db, profile.right_db)
    limits_dbm = permitted_array_dbm(strongest_dbm + smaller_db, *coupling)
    limiting = np.flatnonzero(limits_dbm <= cap_dbm)
    return 0.0 if limiting.size == 0 else profile.reach_km(int(limiting[-1]))


def _joined(grid: Grid, x_m: float, y_m: float) -> Grid:
    """A grid that holds the given one and a point: where paths between them run."""
    west, south, east, north = grid.bounds_m
    west, east, south, north = min(west, x_m), max(east, x_m), min(south, y_m), max(north, y_m)
    return grid.spanning((west, south, east, north))
