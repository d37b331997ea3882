"""Limits around receivers at known points: telescopes, base stations, fixed links.

    EIRP_max(pixel) = min over receivers [ I_max + L_f - margin + Lb(d) - G_r(direction) + A(df) ]

(docs/method.md, section 16). The distance is the smallest between the receiver and the square of the pixel,
over the largest scale of the grid, at least the device's smallest separation; the gain is the largest towards
any part of the pixel. A receiver is looked at only out to where it could limit the device below its cap.
Where ``protection.device_path`` asks for it, Lb is that over terrain (section 40).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.budget import Budget, Term
from pipeline.config.bonds import DeviceChannel, plain_channel
from pipeline.config.protection import Device
from pipeline.grid.boxes import shifted
from pipeline.grid.geodesy import rays_to
from pipeline.grid.grid import Grid
from pipeline.kernels import kernel
from pipeline.propagation.homogeneous import profile_loss_db
from pipeline.radio.antennas import largest_gain_dbi
from pipeline.radio.coupling import floors_in, permitted_dbm
from pipeline.services.base import BlockLimit, ServiceContext, ServiceLimit, lower, part_of, unlimited
from pipeline.services.placing import (
    PlacedReceiver,
    ReceiverCriteria,
    emission_of,
    place_receivers,
    with_terrain,
)
from pipeline.services.protected_receivers import ProtectedReceiver
from pipeline.services.receiver_terrain import HALF_DIAGONAL, chosen_losses_db, pixel_losses_db


def prepare_points(
    context: ServiceContext,
    device: Device,
    channel: DeviceChannel,
    receivers: Sequence[ProtectedReceiver],
    criteria: ReceiverCriteria,
) -> BlockLimit:
    """Smallest limit over all receivers, by block."""
    whole = slice(0, context.grid.height), slice(0, context.grid.width)
    placed = [
        with_terrain(context, device, criteria, victim)
        for victim in place_receivers(context, device, channel, receivers, criteria)
        if _window(victim, *whole) is not None
    ]

    def limit(rows: slice, cols: slice) -> ServiceLimit:
        lowest = unlimited(rows, cols)
        for victim in placed:
            window = _window(victim, rows, cols)
            if window is not None:
                eirp_dbm = limit_map_dbm(victim, context.grid, *window, criteria.exclude_below_dbm)
                _lower_window(lowest, eirp_dbm, criteria.label, (rows, cols), window)
        return lowest

    return limit


def explain_points(
    context: ServiceContext,
    device: Device,
    channel: DeviceChannel,
    receivers: Sequence[ProtectedReceiver],
    criteria: ReceiverCriteria,
    place: tuple[int, int],
) -> Budget | None:
    """Budget of the limiting receiver at a pixel (row, col); None where none is within reach."""
    rows, cols = (slice(index, index + 1) for index in place)
    best: tuple[float, PlacedReceiver] | None = None
    for victim in place_receivers(context, device, channel, receivers, criteria):
        if _window(victim, rows, cols) is None:
            continue
        found = with_terrain(context, device, criteria, victim)
        eirp_dbm = float(limit_map_dbm(found, context.grid, rows, cols, criteria.exclude_below_dbm)[0, 0])
        if best is None or eirp_dbm < best[0]:
            best = eirp_dbm, found
    if best is None:
        return None
    budget = _budget(best[1], context.grid, place, best[0], criteria, channel)
    emission = emission_of(context, device, channel, criteria.floor_dbm_per_100khz)
    floors = floors_in(emission, best[1].receiver.band)
    return budget._replace(victim=budget.victim | {"leakage_floor_dbm_per_100khz": floors})


# --- one receiver's limits ----------------------------------------------------------------------------------


def limit_map_dbm(
    victim: PlacedReceiver, grid: Grid, rows: slice, cols: slice, exclude_below_dbm: float
) -> NDArray[np.float64]:
    """Limit by one receiver on a window, float64[rows, cols]; not cut at its reach."""
    gain_dbi = gains_dbi(victim.receiver, grid, rows, cols)
    eirp_dbm = loss_map_db(victim, grid, rows, cols)
    _fill_limits(victim.permissible_dbm, gain_dbi, *victim.coupling, eirp_dbm)
    eirp_dbm[eirp_dbm < exclude_below_dbm] = -np.inf
    return eirp_dbm


def loss_map_db(victim: PlacedReceiver, grid: Grid, rows: slice, cols: slice) -> NDArray[np.float64]:
    """Path loss from each pixel of a window to a receiver, float64[rows, cols]."""
    loss_db = np.empty((rows.stop - rows.start, cols.stop - cols.start))
    place = victim.row_px - rows.start, victim.col_px - cols.start, victim.px_km
    _fill_losses(*place, *victim.profile, loss_db)
    if victim.around is None:
        return loss_db
    terrain_db = pixel_losses_db(victim.around, grid, rows, cols)
    return chosen_losses_db(loss_db, terrain_db, smaller=victim.smaller)


def gains_dbi(receiver: ProtectedReceiver, grid: Grid, rows: slice, cols: slice) -> NDArray[np.float64]:
    """Largest gain of a receiver towards each pixel of a window, float64[rows, cols]."""
    shape = (rows.stop - rows.start, cols.stop - cols.start)
    if np.ptp(receiver.gain_dbi) == 0.0:
        return np.full(shape, receiver.gain_dbi[0])
    d_km, bearing_deg = rays_to(receiver.lon_deg, receiver.lat_deg, grid, rows, cols)
    gains = np.empty(shape)
    half_km = HALF_DIAGONAL * grid.resolution_m / 1000.0
    _fill_gains(receiver.gain_dbi, receiver.azimuth_deg, d_km, bearing_deg, half_km, gains)
    return gains


@kernel
def square_distance_km(row_px: float, col_px: float, i: int, j: int, px_km: float) -> float:
    """Smallest distance from a point (row, col in pixels) to the square of pixel (i, j)."""
    dy = max(i - row_px, 0.0, row_px - (i + 1))
    dx = max(j - col_px, 0.0, col_px - (j + 1))
    return np.sqrt(dy * dy + dx * dx) * px_km


@kernel
def _fill_losses(
    row_px: float,
    col_px: float,
    px_km: float,
    from_km: float,
    left_db: NDArray[np.float64],
    right_db: NDArray[np.float64],
    loss_db: NDArray[np.float64],
) -> None:
    for i in range(loss_db.shape[0]):
        for j in range(loss_db.shape[1]):
            d_km = square_distance_km(row_px, col_px, i, j, px_km)
            loss_db[i, j] = profile_loss_db(from_km, left_db, right_db, d_km)


@kernel
def _fill_limits(
    permissible_dbm: float,
    gain_dbi: NDArray[np.float64],
    lines: NDArray[np.float64],
    rejection_db: float,
    linear_from_dbm: float,
    values: NDArray[np.float64],
) -> None:
    """Turn path losses into permitted e.i.r.p. in place."""
    for i in range(values.shape[0]):
        for j in range(values.shape[1]):
            arriving_dbm = permissible_dbm + values[i, j] - gain_dbi[i, j]
            values[i, j] = permitted_dbm(arriving_dbm, lines, rejection_db, linear_from_dbm)


@kernel
def _fill_gains(
    table_dbi: NDArray[np.float64],
    axis_deg: float,
    d_km: NDArray[np.float64],
    bearing_deg: NDArray[np.float64],
    half_km: float,
    gains: NDArray[np.float64],
) -> None:
    for i in range(gains.shape[0]):
        for j in range(gains.shape[1]):
            # The pixel's circumscribed circle, seen from the receiver.
            d = d_km[i, j]
            half_deg = np.degrees(np.arcsin(half_km / d)) if d > half_km else 180.0
            gains[i, j] = largest_gain_dbi(table_dbi, bearing_deg[i, j] - axis_deg, half_deg)


def _window(victim: PlacedReceiver, rows: slice, cols: slice) -> tuple[slice, slice] | None:
    """Part of a block within the reach of a receiver."""
    reach_px = victim.reach_km / victim.px_km + 1.0
    parts = []
    for part, centre in ((rows, victim.row_px), (cols, victim.col_px)):
        start = max(part.start, math.floor(centre - reach_px))
        stop = min(part.stop, math.ceil(centre + reach_px))
        if start >= stop:
            return None
        parts.append(slice(start, stop))
    return parts[0], parts[1]


def _lower_window(
    lowest: ServiceLimit,
    eirp_dbm: NDArray[np.float64],
    label: int,
    block: tuple[slice, slice],
    window: tuple[slice, slice],
) -> None:
    rows, cols = (shifted(part, -whole.start) for part, whole in zip(window, block, strict=True))
    lower(part_of(lowest, rows, cols), eirp_dbm, label)


# --- budget -------------------------------------------------------------------------------------------------


def _budget(
    victim: PlacedReceiver,
    grid: Grid,
    place: tuple[int, int],
    eirp_dbm: float,
    criteria: ReceiverCriteria,
    channel: DeviceChannel,
) -> Budget:
    """The terms of one limit, in the order in which they are added."""
    receiver = victim.receiver
    rows, cols = (slice(index, index + 1) for index in place)
    d_km = square_distance_km(victim.row_px, victim.col_px, place[0], place[1], victim.px_km)
    d_km = max(d_km, victim.profile.from_km)
    loss_db = float(loss_map_db(victim, grid, rows, cols)[0, 0])
    gain_dbi = float(gains_dbi(receiver, grid, rows, cols)[0, 0])
    width_mhz = receiver.band.high_mhz - receiver.band.low_mhz
    terms = [
        Term("interference limit", receiver.i_max_dbm, f"I_max in {width_mhz:g} MHz, dBm"),
        Term("feeder loss", receiver.feeder_db, "of the receiver"),
        Term("margin", -criteria.margin_db, "multiple interference"),
        Term("path loss", loss_db, _path_note(victim, grid, place, criteria, d_km)),
        Term("receiving antenna", -gain_dbi, "largest gain towards the pixel"),
        Term("rejection", victim.coupling.rejection_db, "overlap, leakage and selectivity"),
    ]
    rest_db = eirp_dbm - sum(term.value_db for term in terms)
    if rest_db != 0.0:
        terms.append(Term("leakage floor", rest_db, "leakage that stays as the power falls, or exclusion"))
    _, azimuth_deg = rays_to(receiver.lon_deg, receiver.lat_deg, grid, rows, cols)
    return Budget(
        {
            "id": receiver.id,
            "lon": receiver.lon_deg,
            "lat": receiver.lat_deg,
            "distance_km": d_km,
            "azimuth_from_victim_deg": float(azimuth_deg[0, 0]),
            "channel": plain_channel(channel),
            "band_mhz": [receiver.band.low_mhz, receiver.band.high_mhz],
            "coastal": victim.inland_km == 0.0,
            **({} if math.isinf(victim.inland_km) else {"inland_km": victim.inland_km}),
        },
        tuple(terms),
        criteria.label,
    )


def _path_note(
    victim: PlacedReceiver, grid: Grid, place: tuple[int, int], criteria: ReceiverCriteria, d_km: float
) -> str:
    """Which path a loss is of; both losses where there are two."""
    flat = f"{criteria.model}, {criteria.time_pct:g} % of time, {d_km:.3f} km"
    if victim.around is None:
        return flat
    flat_db = float(profile_loss_db(*victim.profile, d_km))
    pixel = (slice(index, index + 1) for index in place)
    terrain_db = float(pixel_losses_db(victim.around, grid, *pixel)[0, 0])
    if math.isnan(terrain_db):
        return f"{flat}; not over terrain: too near, too far, or terrain not known"
    if victim.smaller and flat_db < terrain_db:
        return f"{flat}; over terrain {terrain_db:.2f} dB"
    over = f"P.1812 over terrain, least of the pixel, {criteria.time_pct:g} % of time"
    return f"{over}, {d_km:.3f} km; homogeneous path {flat_db:.2f} dB"
