"""Where base stations give service: levels, modes and rates by pixel, channels without harm to each other.

Down and up, with what is permitted at the station and at the client, television and the stations' own use of
a channel as interference (docs/method.md, section 46).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.config.bonds import DeviceChannel, channels_in
from pipeline.dtt.directional_limits import SectorVictim
from pipeline.links.base_stations import RadioOf, sector_attenuation_db
from pipeline.links.station_terrain import StationTerrain
from pipeline.rates.client_radios import ClientRow
from pipeline.rates.link_budget import eirp_dbm
from pipeline.rates.link_modes import LinkModes, ModeLevels, desensitisation_db, mode_levels, power_control_db

NO_SERVICE, NOT_EVALUATED_RATE = -1.0, -2.0


class StationPixels(NamedTuple):
    """Pixels [n] within the radius of a station: places in the window, distance, bearing, loss by channel.

    ``permitted_dbm``, ``television_dbm``: of a client there, by channel [n]; NaN: not permitted, not known.
    Television is -inf where the station does not reach a client even without any.
    """

    pixel: NDArray[np.int64]
    bearing_deg: NDArray[np.float64]
    loss_db: Mapping[DeviceChannel, NDArray[np.float64]]
    permitted_dbm: Mapping[DeviceChannel, NDArray[np.float64]]
    television_dbm: Mapping[DeviceChannel, NDArray[np.float64]]
    weight: NDArray[np.float64]
    terrain: StationTerrain | None = None
    """Where the losses are from, None where all are of generic paths."""


class StationLimits(NamedTuple):
    """What a station may radiate by channel, in dBm (only channels where something is permitted).

    ``television_dbm``: level of television in its receivers, with 0 dBi; ``gain_db``: what pointing adds to
    that of a non-directional device; ``sector_dbm`` its limits by sector of 5 degrees, each by channel,
    ``sector_victims`` whose they are; ``best_axis`` the axis in degrees that would be permitted most, with
    that; ``unknown`` channels that are not evaluated there.
    """

    permitted_dbm: Mapping[DeviceChannel, float]
    television_dbm: Mapping[DeviceChannel, float]
    gain_db: Mapping[DeviceChannel, float] = MappingProxyType({})
    sector_dbm: Mapping[DeviceChannel, NDArray[np.float64]] = MappingProxyType({})
    sector_victims: Mapping[DeviceChannel, Sequence[SectorVictim | None]] = MappingProxyType({})
    best_axis: Mapping[DeviceChannel, tuple[float, float]] = MappingProxyType({})
    unknown: frozenset[DeviceChannel] = frozenset()


class RadioService(NamedTuple):
    """What a radio gives at the pixels [n] of its station on its channel; None: there is none for it."""

    channel: DeviceChannel | None
    used_dbm: float
    permitted_dbm: float
    rate_mbps: NDArray[np.float64]
    throughput_mbps: NDArray[np.float64]
    margin_db: NDArray[np.float64]
    level_dbm: NDArray[np.float64]


class ServiceRules(NamedTuple):
    """What counts for all stations."""

    table: LinkModes
    client: ClientRow
    location_db: float

    def modes_of(self, radio: RadioOf) -> ModeLevels:
        """The modes in the bandwidth of a radio: its own, else that of the table for each of its channels."""
        return mode_levels(self.table, radio.radio.bandwidth_mhz or radio.width * self.table.bandwidth_mhz)


class ClientNeeds(NamedTuple):
    """What clients of a station need: by channel the largest loss at which one may be reached; their noise.

    ``noise_dbm``: as much at 0 dBi as the noise is in the receiver.
    """

    largest_loss_db: Mapping[DeviceChannel, float]
    noise_dbm: float


def client_needs(
    radios: Sequence[RadioOf], limits: Mapping[tuple[str, str], StationLimits], rules: ServiceRules
) -> ClientNeeds:
    """The needs of the clients of a station's radios on their axis, without interference.

    On the channels that its radios may take.
    """
    found: dict[DeviceChannel, float] = {}
    noise_dbm = math.inf
    for radio in radios:
        modes = rules.modes_of(radio)
        least_dbm = float(modes.level_dbm[0]) if modes.level_dbm.size else math.inf
        noise_dbm = min(noise_dbm, modes.noise_dbm - rules.client.receive_db)
        permitted_dbm = limits[radio.key].permitted_dbm
        for channel in channels_to_try(radio, permitted_dbm):
            level_dbm = min(filed_dbm(radio), permitted_dbm[channel]) + rules.client.receive_db
            most_db = level_dbm - rules.location_db - least_dbm
            found[channel] = max(found.get(channel, -math.inf), most_db)
    return ClientNeeds(found, noise_dbm)


def radio_levels_dbm(
    radio: RadioOf, pixels: StationPixels, channel: DeviceChannel, used_dbm: float
) -> NDArray[np.float64]:
    """Level of a radio at 0 dBi in the pixels [n] of a station that need not be its own."""
    away_db = sector_attenuation_db(radio.sector, pixels.bearing_deg)
    return used_dbm - away_db - pixels.loss_db[channel]


def filed_dbm(radio: RadioOf) -> float:
    """The e.i.r.p. of a radio on its axis."""
    return eirp_dbm(radio.sector.power_dbm, radio.sector.gain_dbi, radio.sector.feeder_db)


def service_of(
    radio: RadioOf,
    channel: DeviceChannel,
    limits: StationLimits,
    pixels: StationPixels,
    rules: ServiceRules,
    others_dbm: NDArray[np.float64] | None = None,
) -> RadioService:
    """The service of a radio on a channel; ``others_dbm`` [n]: other radios on it at a client, 0 dBi."""
    modes, client = rules.modes_of(radio), rules.client
    permitted_dbm = limits.permitted_dbm[channel]
    used_dbm = min(filed_dbm(radio), permitted_dbm)
    level_dbm = radio_levels_dbm(radio, pixels, channel, used_dbm) + client.receive_db
    harm_dbm = pixels.television_dbm[channel] + client.receive_db
    if others_dbm is not None:
        both = 10.0 ** (0.1 * harm_dbm) + 10.0 ** (0.1 * (others_dbm + client.receive_db))
        with np.errstate(divide="ignore"):
            harm_dbm = 10.0 * np.log10(both)
    down_dbm = level_dbm - desensitisation_db(modes.noise_dbm, harm_dbm)
    sent_dbm = np.minimum(client.eirp_dbm, pixels.permitted_dbm[channel]) - client.indoor_loss_db
    gain_dbi = radio.sector.gain_dbi - radio.sector.feeder_db
    away_db = sector_attenuation_db(radio.sector, pixels.bearing_deg)
    up_dbm = sent_dbm - pixels.loss_db[channel] - away_db + gain_dbi
    television_dbm = np.array([limits.television_dbm.get(channel, -math.inf) + gain_dbi])
    (less_down_db, over_down), (less_up_db, over_up) = (
        power_control_db(modes, values) for values in (level_dbm, up_dbm)
    )
    up_dbm = up_dbm - desensitisation_db(modes.noise_dbm, television_dbm)
    usable_dbm = np.minimum(down_dbm - less_down_db, up_dbm - less_up_db) - rules.location_db
    usable_dbm = np.where(over_down | over_up, math.nan, usable_dbm)
    share = radio.station.tdd_share if rules.table.is_tdd else 1.0
    return _rated(modes, channel, (used_dbm, permitted_dbm), usable_dbm, level_dbm, share)


def _rated(
    modes: ModeLevels,
    channel: DeviceChannel,
    powers_dbm: tuple[float, float],
    usable_dbm: NDArray[np.float64],
    level_dbm: NDArray[np.float64],
    share: float,
) -> RadioService:
    """Rates of levels: both directions take the mode of the weaker one."""
    mode = np.searchsorted(modes.level_dbm, usable_dbm, side="right") - 1
    mode = np.where(np.isnan(usable_dbm), -1, mode)
    rates = np.append(modes.rate_mbps, 0.0) * share
    throughputs = np.append(modes.rate_mbps * modes.efficiency, 0.0) * share
    least_dbm = modes.level_dbm[0] if modes.level_dbm.size else math.inf
    return RadioService(
        channel, *powers_dbm, rates[mode], throughputs[mode], usable_dbm - least_dbm, level_dbm
    )


def no_service(pixels: StationPixels) -> RadioService:
    """A radio for which there is no channel."""
    count = pixels.pixel.size
    nothing = np.full(count, math.nan)
    return RadioService(None, math.nan, math.nan, np.zeros(count), np.zeros(count), nothing, nothing)


def assign_channels(
    radios: Sequence[RadioOf],
    limits: Mapping[tuple[str, str], StationLimits],
    pixels: Mapping[str, StationPixels],
    rules: ServiceRules,
) -> list[DeviceChannel | None]:
    """A channel for each radio in the order of the file: that with most people (or area) times rate.

    Radios of a sector have different channels. A second pass counts what all other radios do on a channel.
    Equal sums take the lower channel.
    """
    chosen: list[DeviceChannel | None] = [None] * len(radios)
    for own_use in (False, True):
        for i, radio in enumerate(radios):
            station = radio.station.id
            taken = {
                number
                for k, other in enumerate(radios)
                if k != i and other.station.id == station and other.sector.id == radio.sector.id
                for number in (channels_in(chosen[k]) if chosen[k] is not None else ())  # type: ignore[arg-type]
                if own_use or k < i
            }
            best, most = None, 0.0
            for channel in channels_to_try(radio, limits[radio.key].permitted_dbm):
                if taken & set(channels_in(channel)):
                    continue
                others = None
                if own_use:
                    others = others_dbm(i, channel, radios, chosen, limits, pixels)
                found = service_of(radio, channel, limits[radio.key], pixels[station], rules, others)
                value = float((found.rate_mbps * pixels[station].weight).sum())
                if value > most:
                    best, most = channel, value
            chosen[i] = best
    return chosen


def channels_to_try(radio: RadioOf, permitted: Collection[DeviceChannel]) -> list[DeviceChannel]:
    """The channels that a radio may take, ascending: its own, or all permitted ones that it does not ban."""
    if radio.channel is not None:
        return [radio.channel] if radio.channel in permitted else []
    banned = set(radio.station.ban)
    alike = [channel for channel in permitted if len(channels_in(channel)) == radio.width]
    return sorted((c for c in alike if not banned & set(channels_in(c))), key=lambda c: list(channels_in(c)))


def others_dbm(
    own: int,
    channel: DeviceChannel,
    radios: Sequence[RadioOf],
    chosen: Sequence[DeviceChannel | None],
    limits: Mapping[tuple[str, str], StationLimits],
    pixels: Mapping[str, StationPixels],
) -> NDArray[np.float64]:
    """Power sum at 0 dBi, at the pixels [n] of a radio's station, of all other radios on a part of a channel.

    -inf without any; a radio counts within the radius of its own station.
    """
    here = pixels[radios[own].station.id]
    milliwatts = np.zeros(1 + max(int(one.pixel.max(initial=0)) for one in pixels.values()))
    for k, other in enumerate(radios):
        use = chosen[k]
        if k == own or use is None or not set(channels_in(use)) & set(channels_in(channel)):
            continue
        there = pixels[other.station.id]
        used_dbm = min(filed_dbm(other), limits[other.key].permitted_dbm[use])
        milliwatts[there.pixel] += 10.0 ** (0.1 * radio_levels_dbm(other, there, use, used_dbm))
    with np.errstate(divide="ignore"):
        found: NDArray[np.float64] = 10.0 * np.log10(milliwatts[here.pixel])
    return found


def all_services(
    radios: Sequence[RadioOf],
    chosen: Sequence[DeviceChannel | None],
    limits: Mapping[tuple[str, str], StationLimits],
    pixels: Mapping[str, StationPixels],
    rules: ServiceRules,
) -> list[RadioService]:
    """The service of every radio on its channel, with the others' use of it."""
    found = []
    for i, (radio, channel) in enumerate(zip(radios, chosen, strict=True)):
        station = radio.station.id
        if channel is None:
            found.append(no_service(pixels[station]))
        else:
            others = others_dbm(i, channel, radios, chosen, limits, pixels)
            found.append(service_of(radio, channel, limits[radio.key], pixels[station], rules, others))
    return found
