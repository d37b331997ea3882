"""What a base station and the clients around it may do, from a run: limits, losses, television, people."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.config.bonds import DeviceChannel, bonds_of_width, channel_named, channels_in
from pipeline.errors import InputError
from pipeline.grid.geodesy import rays_to
from pipeline.grid.grid import Grid
from pipeline.links.base_stations import BaseStation, RadioOf, sector_attenuation_db
from pipeline.links.link_terrain import LinkGround
from pipeline.links.link_world import generic_model
from pipeline.links.permitted import (
    ADJACENT_DB,
    Permits,
    above_10_m_db,
    all_television_dbuvm,
    answering_devices,
    interference_dbm,
    mapped_in,
    permitted_at,
    permitted_in,
    television_dbuvm,
    television_near,
)
from pipeline.links.service_maps import ClientNeeds, StationLimits, StationPixels, channels_to_try
from pipeline.links.station_terrain import StationTerrain, losses_to_clients, station_terrain
from pipeline.quantise import NODATA_CENTI, NOT_EVALUATED
from pipeline.query.paws import PawsError
from pipeline.query.profiles import AntennaHeight, channel_entries, layers_for
from pipeline.query.raster_values import values_of
from pipeline.query.results import Run, population_of
from pipeline.radio.channel_plan import channel_block, channel_centre_mhz, index_of
from pipeline.rates.client_radios import ClientRow
from pipeline.rates.link_budget import GenericPath, generic_loss_db
from pipeline.units import field_dbuvm as dbuvm

# Generic losses are looked up between distances so far apart.
_STEP_KM = 0.01
_NEAREST_KM = 1e-3
_CENTI = 100.0
# Stations of a channel that together stay so far below the noise of a client count by a bound: 0.005 dB.
_NEGLIGIBLE_DB = 30.0


class ServiceWindow(NamedTuple):
    """The part of the run's grid that holds all stations' radii, and what of it all stations share.

    ``client`` raw permitted levels of a client by channel [y, x]; ``inside`` whether a pixel is of the
    territory; ``people`` per pixel, None unknown; ``area_km2``.
    """

    grid: Grid
    rows: slice
    cols: slice
    client: Mapping[DeviceChannel, NDArray[np.int16]]
    inside: NDArray[np.bool_]
    people: NDArray[np.float32] | None
    area_km2: NDArray[np.float32]


def service_window(
    permits: Permits, stations: Sequence[BaseStation], client: ClientRow, radius_km: float
) -> ServiceWindow:
    """The window around stations near the run's grid; InputError where none is."""
    facts = permits.database.facts
    try:
        layers = layers_for(facts, AntennaHeight(client.height_m), None)
    except PawsError as error:
        allowed = str(error.data or "")
        raise InputError(error.message, field="--cpe", value=client.id, allowed=allowed) from None
    whole = permits.database.rasters[layers[0]["id"]].grid
    reach_px = math.ceil(1000.0 * radius_km * whole.largest_scale() / whole.resolution_m)
    places = np.array([whole.pixel_of(station.lon, station.lat) for station in stations])
    near = ((places + reach_px >= 0) & (places - reach_px < whole.shape)).all(axis=1)
    if not near.any():
        raise InputError("are beyond the grid of the run", field="stations")
    low = np.maximum(places[near].min(axis=0) - reach_px, 0)
    high = np.minimum(places[near].max(axis=0) + reach_px + 1, whole.shape)
    rows, cols = slice(int(low[0]), int(high[0])), slice(int(low[1]), int(high[1]))
    names = [channel_named(str(entry["channel"])) for entry in channel_entries(facts, layers[0])]
    raw = np.minimum.reduce([_read(permits, layer["id"], rows, cols) for layer in layers])
    grid = whole.window(rows, cols)
    return ServiceWindow(
        grid,
        rows,
        cols,
        dict(zip(names, raw, strict=True)),
        (raw != NODATA_CENTI).any(axis=0),
        population_of(permits.run, grid),
        grid.area_km2(),
    )


def _read(permits: Permits, device: str, rows: slice, cols: slice) -> NDArray[np.int16]:
    return values_of(permits.database.rasters[device], rows, cols)


def station_limits(
    permits: Permits, station: BaseStation, radios: Sequence[RadioOf], *, television: bool
) -> StationLimits:
    """What a station may radiate where it stands, on single channels and on the bonds of its radios."""
    permitted = permitted_at(permits, station.lon, station.lat, station.height_m, station.device)
    named = [radio.channel for radio in radios if radio.channel is not None]
    levels = {channel: mapped_in(permitted, channel) for channel in _bonds_tried(permits, radios)}
    levels |= {channel: permitted_in(permitted, channel) for channel in [*permitted.level_dbm, *named]}
    allowed = {channel: level for channel, (level, _) in levels.items() if not math.isnan(level)}
    unknown = frozenset(channel for channel, (_, word) in levels.items() if word == "not_evaluated")
    tried = {channel for radio in radios for channel in channels_to_try(radio, allowed)}
    place_deg = np.array([station.lon]), np.array([station.lat])
    stations = television_near(permits, sorted(tried, key=str), *place_deg) if television else {}
    fields = {channel: float(seen[0]) for channel, seen in television_dbuvm(permits.config, stations).items()}
    received = {
        channel: interference_dbm(permits.config, fields, channel, 0.0, station.height_m)
        for channel in allowed
        if channel in tried
    }
    return StationLimits(allowed, received, unknown=unknown)


def _bonds_tried(permits: Permits, radios: Sequence[RadioOf]) -> list[DeviceChannel]:
    """The bonds among which radios choose that take several channels together."""
    channels, reserved = permits.config.channels, permits.config.reserved_channels
    widths = {radio.width for radio in radios if radio.channel is None} - {1}
    return [
        bond
        for width in sorted(widths)
        for bond in bonds_of_width(channels, width, set(channels.wsd) - reserved)
    ]


def pointed_limits(
    permits: Permits,
    run: Run,
    radio: RadioOf,
    channels: Sequence[DeviceChannel],
    own: StationLimits,
    *,
    try_azimuths: bool = False,
) -> StationLimits:
    """The limits of a sector whose antenna points where it does, on single channels; bonds get no credit.

    ``try_azimuths``: also the axis that would be permitted most.
    """
    # Compiled code that only pointing needs.
    from pipeline.links.pointing import best_azimuth_deg, permitted_pointing

    station = radio.station
    devices = [str(one["id"]) for one in answering_devices(permits, station.height_m, station.device)]

    def antenna(bearing_deg: NDArray[np.float64]) -> NDArray[np.float64]:
        return sector_attenuation_db(radio.sector, bearing_deg)

    def turned(off_deg: NDArray[np.float64]) -> NDArray[np.float64]:
        return antenna(off_deg + radio.sector.azimuth_deg)

    levels, gains, sectors, victims, best = dict(own.permitted_dbm), {}, {}, {}, {}
    for channel in channels:
        place_deg = station.lon, station.lat
        found = permitted_pointing(run, place_deg, channel, devices, antenna, station.extra_aclr_db)
        if not math.isnan(found.level_dbm):
            levels[channel], gains[channel] = found.level_dbm, found.gain_db
        by_device = np.array([one.sector_dbm for one in found.limits])
        sectors[channel] = by_device.min(axis=0)
        strictest = by_device.argmin(axis=0).tolist()
        victims[channel] = [found.limits[device].victims[n] for n, device in enumerate(strictest)]
        if try_azimuths:
            best[channel] = best_azimuth_deg(found.limits, turned)
    return StationLimits(levels, own.television_dbm, gains, sectors, victims, best, own.unknown)


def station_pixels(
    permits: Permits,
    window: ServiceWindow,
    station: BaseStation,
    needs: ClientNeeds,
    client: ClientRow,
    radius_km: float,
    ground: LinkGround | None,
    model: str,
    *,
    television: bool,
) -> StationPixels:
    """The territory's pixels within a station's radius, with everything by its permitted channels.

    ``ground``: losses over terrain where it is known; None: all generic. Unknown losses are generic too,
    unless the model is ``p1812``.
    """
    whole = Grid(*window.grid)
    f_mhz = {one: channel_centre_mhz(permits.config.channels, one) for one in needs.largest_loss_db}
    d_km, bearing_deg = rays_to(
        station.lon, station.lat, whole, slice(0, whole.height), slice(0, whole.width)
    )
    index = np.flatnonzero((d_km <= radius_km) & window.inside)
    ways = d_km.ravel()[index], bearing_deg.ravel()[index]
    lon_deg, lat_deg = (values.ravel()[index] for values in whole.lonlat_deg())
    terrain = None
    if ground is not None and f_mhz:
        terrain = station_terrain(ground, station, client.height_m, f_mhz, radius_km)
    losses = _losses(station, (lon_deg, lat_deg), ways, f_mhz, client, model, terrain)
    permitted = {channel: _client_dbm(window, channel, index) for channel in f_mhz}
    weight = window.area_km2 if window.people is None else window.people
    return StationPixels(
        index,
        ways[1],
        losses,
        permitted,
        _television(permits, (lon_deg, lat_deg), losses, needs, client.height_m)
        if television
        else _none(list(f_mhz), index.size),
        np.nan_to_num(weight.ravel()[index]).astype(np.float64),
        terrain,
    )


def not_evaluated_around(
    window: ServiceWindow, radio: RadioOf, limits: StationLimits, pixels: StationPixels
) -> NDArray[np.bool_]:
    """Pixels [n] of a station where a channel that a radio might take is not evaluated, here or there.

    That its television, or the terrain on the path, is not known counts alike.
    """
    index = pixels.pixel
    asked = [radio.channel] if radio.channel is not None else list(window.client)
    found = np.zeros(index.size, np.bool_)
    for channel in asked:
        if channel in radio.station.ban:
            continue
        parts = [channel] if channel in window.client else list(channels_in(channel))
        raw = [window.client[part].ravel()[index] for part in parts if part in window.client]
        found |= channel in limits.unknown or math.isnan(limits.television_dbm.get(channel, -math.inf))
        for known in (pixels.television_dbm, pixels.loss_db):
            found |= np.isnan(known.get(channel, np.zeros(1)))
        found |= np.any([values == NOT_EVALUATED for values in raw], axis=0)
    return found


def _none(channels: Sequence[DeviceChannel], count: int) -> dict[DeviceChannel, NDArray[np.float64]]:
    return {channel: np.full(count, -math.inf) for channel in channels}


def _client_dbm(
    window: ServiceWindow, channel: DeviceChannel, index: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Permitted level of a client [n], NaN none; of a bond without a layer the least of its channels."""
    parts = [channel] if channel in window.client else list(channels_in(channel))
    if any(part not in window.client for part in parts):
        return np.full(index.size, math.nan)
    raw = np.minimum.reduce([window.client[part].ravel()[index] for part in parts])
    return np.where(raw > NOT_EVALUATED, raw / _CENTI, math.nan)


def _losses(
    station: BaseStation,
    places_deg: tuple[NDArray[np.float64], NDArray[np.float64]],
    ways: tuple[NDArray[np.float64], NDArray[np.float64]],
    f_mhz: Mapping[DeviceChannel, float],
    client: ClientRow,
    model: str,
    terrain: StationTerrain | None,
) -> dict[DeviceChannel, NDArray[np.float64]]:
    """Loss [n] by channel: over terrain where it is known, else, unless only that is wanted, generic.

    ``ways``: distances in km and bearings from the station.
    """
    over_terrain = {} if terrain is None else losses_to_clients(terrain, places_deg, *ways)
    far_km = np.maximum(ways[0], _NEAREST_KM)
    losses = {}
    for channel, f in f_mhz.items():
        losses[channel] = over_terrain.get(channel, np.full(far_km.size, math.nan))
        unknown = np.isnan(losses[channel])
        if model != "p1812" and unknown.any():
            path = GenericPath(generic_model(model), f, station.height_m, client.height_m)
            knots = np.arange(1, math.ceil(far_km.max() / _STEP_KM) + 2) * _STEP_KM
            knots = np.concatenate([np.geomspace(_NEAREST_KM, _STEP_KM, 20, endpoint=False), knots])
            table_db, _ = generic_loss_db(path, knots)
            losses[channel][unknown] = np.interp(np.log(far_km[unknown]), np.log(knots), table_db)
    return losses


def _television(
    permits: Permits,
    places_deg: tuple[NDArray[np.float64], NDArray[np.float64]],
    losses: Mapping[DeviceChannel, NDArray[np.float64]],
    needs: ClientNeeds,
    height_m: float,
) -> dict[DeviceChannel, NDArray[np.float64]]:
    """Level of television at 0 dBi [n] by channel where a client may be reached: as of the point tool."""
    plan = permits.config.channels
    reached = {channel: losses[channel] <= needs.largest_loss_db[channel] for channel in losses}
    milliwatts = {channel: np.zeros(places_deg[0].size) for channel in losses}
    for victim in permits.run.manifest["channels"]["dtt"]:
        block = channel_block(plan, victim)
        offsets = {one: abs(index_of(block, channel_block(plan, one))) for one in losses}
        near = {one: ADJACENT_DB[offset] for one, offset in offsets.items() if offset in ADJACENT_DB}
        at = np.flatnonzero(np.any([reached[one] for one in near], axis=0)) if near else np.empty(0)
        if not at.size:
            continue
        f_mhz = channel_centre_mhz(plan, victim)
        more_db = above_10_m_db(height_m, f_mhz)
        negligible_dbm = needs.noise_dbm - _NEGLIGIBLE_DB + min(near.values())
        lon_deg, lat_deg = places_deg[0][at], places_deg[1][at]
        negligible_dbuvm = dbuvm(negligible_dbm, f_mhz) - more_db
        field_dbuvm = all_television_dbuvm(permits, victim, lon_deg, lat_deg, negligible_dbuvm)
        power = 10.0 ** (0.1 * (field_dbuvm + more_db - dbuvm(0.0, f_mhz)))
        for one, lost_db in near.items():
            milliwatts[one][at] += power * 10.0 ** (-0.1 * lost_db)
    with np.errstate(divide="ignore"):
        return {one: np.where(reached[one], 10.0 * np.log10(milliwatts[one]), -math.inf) for one in losses}
