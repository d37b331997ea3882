"""Field strengths of one transmitter at the pixels of a tile, and bounds of them over the tile."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.coverage.inputs import ChannelInputs, CoverageModel, FieldModel, Paths, Stations, TvReceiver
from pipeline.coverage.loss_lookup import LookupRoom, has_table, list_outside, lookup_room, table_fields
from pipeline.coverage.tile_facts import LIMITS
from pipeline.kernels import borrowing, constant, inlined, inner, kernel, lent
from pipeline.propagation.extended_hata import extended_hata_loss_db
from pipeline.propagation.free_space import free_space_field_dbuvm
from pipeline.propagation.hata import add_environments, hata_loss_db
from pipeline.propagation.p1546.corrections import EFFECTIVE_EARTH_KM, far_slope_correction_db
from pipeline.propagation.p1546.pixel import PreparedCurves, p1546_pixel_field
from pipeline.radio.antennas import vertical_attenuation_at
from pipeline.terrain.lookup import hb_at, heff_at, radial_position, sea_at, tca_at
from pipeline.units import field_from_loss_dbuvm

WANTED, INTERFERING = constant(0), constant(1)
# From here on P.1546 takes the effective height; nearer it depends on d (P.1546-6, Annex 5, sec. 3).
EFFECTIVE_FROM_KM = 15.0
_P1546, _FREE_SPACE, _HATA = int(CoverageModel.P1546), int(CoverageModel.FREE_SPACE), int(CoverageModel.HATA)
_EXTENDED_HATA = int(CoverageModel.EXTENDED_HATA)
PRUNED_TILE_PX = 32


class Radials(NamedTuple):
    """The profiles of one mast, as in ``pipeline.terrain.records.Sweep``."""

    terrain: bool
    step_deg: float
    heff_m: NDArray[np.float32]
    theta_deg: NDArray[np.float32]
    hb_m: NDArray[np.float32]
    hb_step_km: float
    sea_pieces: NDArray[np.uint16]
    sea_step_km: float
    tca_counts: NDArray[np.int16]
    tca_first_deg: float
    tca_azimuth_step_deg: float
    tca_first_km: float
    tca_step_km: float


@inlined
def circular_at(values: NDArray[np.float32], position: float) -> float:
    """Value at a position from 0 up to the number of circular values, linear between them."""
    count = values.size
    low = min(int(position), count - 1)
    high = low + 1 if low + 1 < count else 0
    first = float(values[low])
    return first + (position - low) * (float(values[high]) - first)


@kernel
def other_model_dbuvm(
    model: int, f_mhz: float, d_km: float, heff_m: float, h2_m: float, environment: int
) -> float:
    """Field of 1 kW e.r.p. by free space or Hata in dB(uV/m); these know neither time nor terrain.

    Hata takes the effective height as that of the base, as Okumura defined it, at least 1 m.
    """
    if model == _FREE_SPACE:
        rise_km = 1e-3 * (heff_m - h2_m)
        return free_space_field_dbuvm(math.sqrt(d_km * d_km + rise_km * rise_km))
    base_m = max(heff_m, 1.0)
    if model == _HATA:
        return field_from_loss_dbuvm(hata_loss_db(f_mhz, d_km, base_m, h2_m, environment)[0], f_mhz)
    if model == _EXTENDED_HATA:
        return field_from_loss_dbuvm(extended_hata_loss_db(f_mhz, d_km, base_m, h2_m, environment)[0], f_mhz)
    return math.nan


@kernel
def depression_deg(height_m: float, d_km: float) -> float:
    """Angle below the horizontal of the antenna to a point at distance d on a smooth Earth with k = 4/3."""
    return math.degrees(math.atan(1e-3 * height_m / d_km) + 0.5 * d_km / EFFECTIVE_EARTH_KM)


@inlined
def as_table(values: NDArray[Any], radials: int) -> NDArray[Any]:
    """View [radial, range] of a flattened table of profiles; it may be empty."""
    return values.reshape(radials, values.size // max(radials, 1))


@inlined
def radials_of(paths: Paths, mast: int) -> Radials:
    """The tables of one mast."""
    k, n = mast, paths.radials[mast]
    heff = slice(paths.heff_start[k], paths.heff_start[k + 1])
    counts = paths.tca_counts[paths.tca_start[k] : paths.tca_start[k + 1]]
    return Radials(
        paths.terrain[k],
        paths.step_deg[k],
        paths.heff_m[heff],
        paths.theta_deg[heff],
        as_table(paths.hb_m[paths.hb_start[k] : paths.hb_start[k + 1]], n),
        paths.hb_step_km[k],
        as_table(paths.sea_pieces[paths.sea_start[k] : paths.sea_start[k + 1]], n),
        paths.sea_step_km[k],
        as_table(counts, paths.tca_radials[k]),
        paths.tca_first_deg[k],
        paths.tca_azimuth_step_deg[k],
        paths.tca_first_km[k],
        paths.tca_step_km[k],
    )


@lent
def tile_fields(
    stations: Stations,
    paths: Paths,
    model: FieldModel,
    receiver: TvReceiver,
    t: int,
    time: int,
    pixels: NDArray[np.int64],
    ground_m: NDArray[np.float32],
    d_km: NDArray[np.floating],
    az_deg: NDArray[np.floating],
    field_dbuvm: NDArray[np.floating],
    room: LookupRoom,
) -> None:
    """Fill the field of transmitter ``t`` at the pixels listed, in dB(uV/m), e.r.p. and patterns included.

    ``time`` WANTED or INTERFERING; ``ground_m`` height of the ground above sea level, NaN = unknown,
    ``d_km``, ``az_deg``, ``field_dbuvm`` [pixel of the tile]. Where the transmitter has a table, pixels
    within its distances are read from it: which way a pixel goes is a matter of its distance alone.
    """
    losses, over_m = model.losses, antenna_over_m(stations, paths, receiver, t)
    if has_table(losses, t, time):
        table_fields(losses, t, time, d_km, az_deg, field_dbuvm, room)
        if losses.level:
            flat_rise_m = stations.agl_m[t] - receiver.h2_m
            add_slopes(over_m, flat_rise_m, ground_m, d_km, field_dbuvm)
        beyond = room.outside[: list_outside(losses, t, pixels, d_km, room.outside)]
    else:
        beyond = pixels
    if beyond.size > 0:
        direct_fields(
            stations, paths, model, receiver, t, time, over_m, beyond, ground_m, d_km, az_deg, field_dbuvm
        )
    shape_fields(stations, paths, receiver, t, pixels, ground_m, d_km, az_deg, field_dbuvm)


@lent
def direct_fields(
    stations: Stations,
    paths: Paths,
    model: FieldModel,
    receiver: TvReceiver,
    t: int,
    time: int,
    over_m: float,
    pixels: NDArray[np.int64],
    ground_m: NDArray[np.float32],
    d_km: NDArray[np.floating],
    az_deg: NDArray[np.floating],
    field_dbuvm: NDArray[np.floating],
) -> None:
    """Fill the field of 1 kW e.r.p. of transmitter ``t`` at the pixels listed by the model itself.

    ``over_m`` less the ground at a pixel is how far the antenna stands above the receiving one. Models that
    see the whole profile have tables alone.
    """
    radials, index = radials_of(paths, stations.mast[t]), stations.offset[t] + 1
    if model.code == _P1546:
        p1546_fields(
            model.prepared[2 * index + time],
            model.curves,
            receiver,
            radials,
            stations.agl_m[t],
            over_m,
            pixels,
            ground_m,
            d_km,
            az_deg,
            field_dbuvm,
        )
    else:
        f_mhz = model.f_mhz[index]
        other_fields(model.code, f_mhz, receiver, radials, pixels, d_km, az_deg, field_dbuvm)


@borrowing
def add_slopes(
    over_m: float,
    flat_rise_m: float,
    ground_m: NDArray[np.float32],
    d_km: NDArray[np.floating],
    field_dbuvm: NDArray[np.floating],
) -> None:
    """Add the slope correction to the fields between antennas of equal height, at all pixels [n].

    ``flat_rise_m`` how far one antenna stands above the other where the ground of one is unknown.
    """
    for p in range(d_km.size):
        rise_m = over_m - ground_m[p]
        rise_m = flat_rise_m if math.isnan(rise_m) else rise_m
        field_dbuvm[p] += far_slope_correction_db(d_km[p], rise_m)


@borrowing
def antenna_over_m(stations: Stations, paths: Paths, receiver: TvReceiver, t: int) -> float:
    """Height of antenna ``t`` over the receiver's but for the ground there: h_t - h_r; NaN = unknown."""
    return paths.ground_asl_m[stations.mast[t]] + stations.agl_m[t] - receiver.h2_m


@inlined
def shape_fields(
    stations: Stations,
    paths: Paths,
    receiver: TvReceiver,
    t: int,
    pixels: NDArray[np.int64],
    ground_m: NDArray[np.float32],
    d_km: NDArray[np.floating],
    az_deg: NDArray[np.floating],
    field_dbuvm: NDArray[np.floating],
) -> None:
    """Add e.r.p. and patterns of transmitter ``t`` to fields of 1 kW at the pixels listed."""
    shape_around(stations, t, az_deg, field_dbuvm)
    if not math.isnan(stations.vertical_db[t, 0]):
        shape_vertically(stations, paths, receiver, t, pixels, ground_m, d_km, az_deg, field_dbuvm)


@borrowing
def shape_around(
    stations: Stations, t: int, az_deg: NDArray[np.floating], field_dbuvm: NDArray[np.floating]
) -> None:
    """Add e.r.p. and horizontal pattern of transmitter ``t`` to fields of 1 kW, at all pixels."""
    number = field_dbuvm.dtype.type
    erp_dbkw, pattern_db = number(stations.erp_dbkw[t]), stations.pattern_db[t]
    last = np.int32(pattern_db.size - 1)
    for p in range(az_deg.size):  # listed or not: so it vectorises
        low = min(np.int32(az_deg[p]), last)
        high = np.int32(0) if low == last else np.int32(low + np.int32(1))
        first = number(pattern_db[np.uint32(low)])
        lost_db = first + (az_deg[p] - number(low)) * (number(pattern_db[np.uint32(high)]) - first)
        field_dbuvm[p] += erp_dbkw - lost_db


@lent
def p1546_fields(
    prepared: PreparedCurves,
    curves: NDArray[np.float64],
    receiver: TvReceiver,
    radials: Radials,
    agl_m: float,
    over_m: float,
    pixels: NDArray[np.int64],
    ground_m: NDArray[np.float32],
    d_km: NDArray[np.floating],
    az_deg: NDArray[np.floating],
    field_dbuvm: NDArray[np.floating],
) -> None:
    """Fill the field of 1 kW e.r.p. by P.1546-6 at the pixels listed.

    ``over_m`` less the ground at a pixel is how far the antenna stands above the receiving one; NaN where one
    of the two is unknown.
    """
    # Arrays are taken out of their tuples before the loop: each access there would count references.
    heff_m, theta_deg, hb_m = radials.heff_m, radials.theta_deg, radials.hb_m
    sea_pieces, tca_counts = radials.sea_pieces, radials.tca_counts
    count, per_deg = heff_m.size, 1.0 / radials.step_deg
    sea, clearance = sea_pieces.size > 0, tca_counts.size > 0
    for p in pixels:
        d, az = d_km[p], az_deg[p]
        hb, over_sea_km, tca_deg, theta = math.nan, 0.0, math.nan, math.nan
        heff = circular_at(heff_m, az * per_deg)
        if sea or clearance or d < EFFECTIVE_FROM_KM:
            low, high, w = radial_position(az, radials.step_deg, count)
            if d < EFFECTIVE_FROM_KM:
                hb = hb_at(hb_m, radials.hb_step_km, low, high, w, d)
            if sea:
                over_sea_km = sea_at(sea_pieces, radials.sea_step_km, low, high, w, d)
            if clearance:
                theta = heff_at(theta_deg, low, high, w)
                tca_deg = tca_at(
                    tca_counts,
                    radials.tca_first_deg,
                    radials.tca_azimuth_step_deg,
                    radials.tca_first_km,
                    radials.tca_step_km,
                    az,
                    d,
                )
        field_dbuvm[p] = p1546_pixel_field(
            prepared,
            curves,
            d,
            heff,
            hb,
            agl_m,
            receiver.h2_m,
            receiver.clutter_m,
            receiver.area,
            over_sea_km,
            receiver.warm_sea,
            tca_deg,
            theta,
            radials.terrain,
            over_m - ground_m[p],
        )


@lent
def other_fields(
    model: int,
    f_mhz: float,
    receiver: TvReceiver,
    radials: Radials,
    pixels: NDArray[np.int64],
    d_km: NDArray[np.floating],
    az_deg: NDArray[np.floating],
    field_dbuvm: NDArray[np.floating],
) -> None:
    """Fill the field of 1 kW e.r.p. by free space or Hata at the pixels listed."""
    per_deg = 1.0 / radials.step_deg
    for p in pixels:
        heff = circular_at(radials.heff_m, az_deg[p] * per_deg)
        field_dbuvm[p] = other_model_dbuvm(model, f_mhz, d_km[p], heff, receiver.h2_m, receiver.environment)


@lent
def shape_vertically(
    stations: Stations,
    paths: Paths,
    receiver: TvReceiver,
    t: int,
    pixels: NDArray[np.int64],
    ground_m: NDArray[np.float32],
    d_km: NDArray[np.floating],
    az_deg: NDArray[np.floating],
    field_dbuvm: NDArray[np.floating],
) -> None:
    """Subtract the vertical pattern at the pixels listed, seen from the height over the receiving antenna.

    Where the ground of one of the two is unknown the effective height stands in for the height over it.
    """
    radials, over_m = radials_of(paths, stations.mast[t]), antenna_over_m(stations, paths, receiver, t)
    vertical_db, tilt_deg, h2_m = stations.vertical_db[t], stations.tilt_deg[t], receiver.h2_m
    heff_m, per_deg = radials.heff_m, 1.0 / radials.step_deg
    for p in pixels:
        rise_m = over_m - ground_m[p]
        if math.isnan(rise_m):
            rise_m = circular_at(heff_m, az_deg[p] * per_deg) - h2_m
        down_deg = depression_deg(rise_m, d_km[p])
        field_dbuvm[p] -= vertical_attenuation_at(vertical_db, down_deg, tilt_deg)


class Scratch(NamedTuple):
    """Working arrays of one thread; [transmitter] or [pixel of the tile].

    ``ground_m`` above sea level, NaN = unknown; ``running``, ``squares``, ``noise`` are linear powers;
    ``direction`` [2, pixel] in m; ``environment`` where the receiver has it by pixel; ``TileFacts``.
    """

    near_km: NDArray[np.float64]
    wanted_bound_dbuvm: NDArray[np.float64]
    nuisance_bound_dbuvm: NDArray[np.float64]
    pixels: NDArray[np.int64]
    ground_m: NDArray[np.float32]
    environment: NDArray[np.uint8]
    d_km: NDArray[np.float32]
    az_deg: NDArray[np.float32]
    field_dbuvm: NDArray[np.float32]
    room: LookupRoom
    discrimination_db: NDArray[np.float32]
    level_db: NDArray[np.float32]
    mean: NDArray[np.float32]
    member: NDArray[np.bool_]
    disturbed: NDArray[np.bool_]
    best_dbuvm: NDArray[np.float32]
    server: NDArray[np.int32]
    server_km: NDArray[np.float32]
    direction: NDArray[np.float32]
    polarisation: NDArray[np.int64]
    mode: NDArray[np.int32]
    noise: NDArray[np.float64]
    wanted_dbuvm: NDArray[np.float64]
    running: NDArray[np.float64]
    squares: NDArray[np.float64]
    counted: NDArray[np.bool_]
    limits: NDArray[np.float64]


@inner
def scratch_of(transmitters: int) -> Scratch:
    """Working arrays for a number of transmitters; what is never computed stays zero."""
    n, p = transmitters, PRUNED_TILE_PX * PRUNED_TILE_PX
    return Scratch(
        np.zeros(n),
        np.zeros(n),
        np.zeros(n),
        np.zeros(p, np.int64),
        np.zeros(p, np.float32),
        np.zeros(p, np.uint8),
        np.zeros(p, np.float32),
        np.zeros(p, np.float32),
        np.zeros(p, np.float32),
        lookup_room(p),
        np.zeros(p, np.float32),
        np.zeros(p, np.float32),
        np.zeros(p, np.float32),
        np.zeros(p, np.bool_),
        np.zeros(p, np.bool_),
        np.zeros(p, np.float32),
        np.zeros(p, np.int32),
        np.zeros(p, np.float32),
        np.zeros((2, p), np.float32),
        np.zeros(p, np.int64),
        np.zeros(p, np.int32),
        np.zeros(p),
        np.zeros(p),
        np.zeros(p),
        np.zeros(p),
        np.zeros(n, np.bool_),
        np.zeros(LIMITS),
    )


@inlined
def fields_in_tile(
    inputs: ChannelInputs, t: int, time: int, pixels: NDArray[np.int64], work: Scratch
) -> None:
    """Fill the field of transmitter t at the pixels listed, whose distances and azimuths are known."""
    tile_fields(
        inputs.stations,
        inputs.paths,
        inputs.model,
        inputs.receiver,
        t,
        time,
        pixels,
        work.ground_m,
        work.d_km,
        work.az_deg,
        work.field_dbuvm,
        work.room,
    )
    if inputs.receiver.by_pixel:
        f_mhz = inputs.model.f_mhz[inputs.stations.offset[t] + 1]
        add_environments(f_mhz, work.environment, pixels, work.field_dbuvm)
