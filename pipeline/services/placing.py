"""Receivers of other services on the grid: where they stand, what reaches them, how far out they matter."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.config.bonds import DeviceChannel, channels_in
from pipeline.config.config import Config
from pipeline.config.protection import Device
from pipeline.grid.grid import Grid
from pipeline.propagation.homogeneous import STEP, DevicePath, LossProfile, loss_profile
from pipeline.radio.channel_plan import channel_centre_mhz, channel_width_mhz
from pipeline.radio.coupling import Coupling, coupling_of, permitted_array_dbm
from pipeline.radio.emission import Band, Emission, FloorBand, device_cap_dbm
from pipeline.reference.ratio_tables import read_device_classes
from pipeline.services.base import ServiceContext
from pipeline.territory.reach import sea_class, sea_edges_km

# A projection of the whole Earth has no bounded scale: receivers farther out cannot matter (P.1546 ends).
FARTHEST_M = 1.0e6


class ProtectedReceiver(NamedTuple):
    """One protected receiver; powers in dBm in its own bandwidth at the antenna's output.

    ``gain_dbi`` float64[3600] by tenths of a degree from the axis (``antennas``); ``azimuth_deg`` true
    azimuth of the axis; ``acs_db`` infinite where not known; ``coastal`` None = from the map of the coast;
    ``inland_km`` distance from the sea that goes before both.
    """

    id: str
    lon_deg: float
    lat_deg: float
    band: Band
    i_max_dbm: float
    gain_dbi: NDArray[np.float64]
    azimuth_deg: float
    feeder_db: float
    height_m: float
    acs_db: float
    coastal: bool | None
    inland_km: float | None = None


class ReceiverCriteria(NamedTuple):
    """What all receivers of a service share: label where they limit, path, margin, exclusion level.

    A limit below ``exclude_below_dbm`` counts as no permission (-inf = never).
    """

    label: int
    model: str
    time_pct: float
    margin_db: float = 0.0
    exclude_below_dbm: float = -math.inf
    floor_dbm_per_100khz: float = -math.inf


class PlacedReceiver(NamedTuple):
    """A receiver on the grid: its place in pixels (col, row) from the corner, and all that its limits need.

    ``inland_km`` its distance from the sea, 0 = at the coast, infinite = no sea; ``px_km`` true kilometres of
    a pixel at the largest scale; ``permissible_dbm`` = I_max + L_f - margin; ``reach_km`` the distance beyond
    which the limit exceeds the device's cap.
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
        if not _within_m(grid, x_m, y_m, FARTHEST_M):
            continue
        own_scale = scale if _within_m(grid, x_m, y_m, 0.0) else _joined(grid, x_m, y_m).largest_scale()
        centre_mhz = 0.5 * (receiver.band.low_mhz + receiver.band.high_mhz)
        path = DevicePath(
            criteria.model, centre_mhz, device.height_m, receiver.height_m, criteria.time_pct, inland_km
        )
        coupling = coupling_of(emission, receiver.band, receiver.acs_db)
        profile = loss_profile(path, separation_km)
        permissible_dbm = receiver.i_max_dbm + receiver.feeder_db - criteria.margin_db
        strongest_dbm = permissible_dbm - float(receiver.gain_dbi.max())
        reach_km = farthest_limiting_km(profile, strongest_dbm, coupling, device_cap_dbm(device))
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
            )


def emission_of(
    context: ServiceContext, device: Device, channel: DeviceChannel, floor_dbm_per_100khz: float
) -> Emission:
    """What a device radiates around one of its channels or bonds."""
    channels, bond = context.config.channels, len(channels_in(channel))
    centre_mhz, half_mhz = channel_centre_mhz(channels, channel), 0.5 * device.bandwidth_mhz
    aflr_db = read_device_classes(context.config.protection.device_classes)[device.emission_class]
    block = Band(centre_mhz - half_mhz, centre_mhz + half_mhz)
    bands = _floor_bands(context.config) if math.isfinite(floor_dbm_per_100khz) else ()
    width_mhz = channel_width_mhz(channels, channel) / bond
    return Emission(block, width_mhz, aflr_db, floor_dbm_per_100khz, bands, bond)


def _floor_bands(config: Config) -> tuple[FloorBand, ...]:
    """Floors of the leakage by frequency, beside the general one."""
    floors = () if config.incumbents is None else config.incumbents.leakage_floor
    return tuple(FloorBand(Band(f.from_mhz, f.to_mhz), f.dbm_per_100khz) for f in floors)


def leakage_floor_dbm_per_100khz(config: Config) -> float:
    """Below this no device's leakage falls; -inf where no other services are configured."""
    incumbents = config.incumbents
    return -math.inf if incumbents is None else incumbents.leakage_floor_dbm_per_100khz.value


def outside_km(placed: PlacedReceiver, grid: Grid) -> float:
    """Kilometres from a receiver to the grid; 0 on it."""
    beyond_col = max(-placed.col_px, 0.0, placed.col_px - grid.width)
    beyond_row = max(-placed.row_px, 0.0, placed.row_px - grid.height)
    return math.hypot(beyond_col, beyond_row) * placed.px_km


def project_receivers(grid: Grid, receivers: Sequence[ProtectedReceiver]) -> list[tuple[float, float]]:
    """Projected coordinates in m; infinite where the projection does not reach."""
    to_grid = grid.from_lonlat()
    return [to_grid.transform(receiver.lon_deg, receiver.lat_deg) for receiver in receivers]


def inland_lengths_km(context: ServiceContext, receivers: Sequence[ProtectedReceiver]) -> list[float]:
    """Length of land between each receiver and the sea: 0 at the coast, infinite where there is no sea.

    Lower edge of its class of distance from the sea; a register's word on the coast goes before the map.
    Where neither tells, the receiver stands at the coast: that protects more.
    """
    if context.config.protection.sea_paths == "ignore":
        return [math.inf] * len(receivers)
    grid = context.grid
    places = project_receivers(grid, receivers)
    inside = [_within_m(grid, x_m, y_m, 0.0) for x_m, y_m in places]
    if not any(receiver.coastal is None and here for receiver, here in zip(receivers, inside, strict=True)):
        return [_inland_km(receiver, 0.0) for receiver in receivers]
    edges_km = sea_edges_km(context.config.protection.sea_classes_km)

    def on_map_km(place: tuple[float, float]) -> float:
        return float(edges_km[sea_class(_at(context.sea_km, grid, place), edges_km)])

    return [
        _inland_km(receiver, on_map_km(place) if here else 0.0)
        for receiver, here, place in zip(receivers, inside, places, strict=True)
    ]


def _inland_km(receiver: ProtectedReceiver, on_map_km: float) -> float:
    if receiver.inland_km is not None:
        return receiver.inland_km
    if receiver.coastal is None:
        return on_map_km
    return 0.0 if receiver.coastal else math.inf


def farthest_limiting_km(
    profile: LossProfile, strongest_dbm: float, coupling: Coupling, cap_dbm: float
) -> float:
    """Largest distance at which the limit does not exceed the cap; 0 where it always does."""
    smaller_db = np.minimum(profile.left_db, profile.right_db)
    limits_dbm = permitted_array_dbm(strongest_dbm + smaller_db, *coupling)
    limiting = np.flatnonzero(limits_dbm <= cap_dbm)
    return 0.0 if limiting.size == 0 else profile.from_km * math.exp(STEP * (int(limiting[-1]) + 1))


def _at(values: NDArray[np.float32], grid: Grid, place: tuple[float, float]) -> NDArray[np.float32]:
    row, col = grid.pixel_at(*place)
    return np.asarray(values[min(row, grid.height - 1), min(col, grid.width - 1)])


def _within_m(grid: Grid, x_m: float, y_m: float, margin_m: float) -> bool:
    west, south, east, north = grid.bounds_m
    return west - margin_m <= x_m <= east + margin_m and south - margin_m <= y_m <= north + margin_m


def _joined(grid: Grid, x_m: float, y_m: float) -> Grid:
    """A grid that holds the given one and a point: where paths between them run."""
    west, south, east, north = grid.bounds_m
    west, east, south, north = min(west, x_m), max(east, x_m), min(south, y_m), max(north, y_m)
    return grid.spanning((west, south, east, north))
