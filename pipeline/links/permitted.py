"""What a run permits at places, and what its television does to receivers there (docs/method.md, section 43).

The permitted e.i.r.p. is that of the published layers, as a database answers: with a device its own layer,
without one the least of the layers on both sides of the antenna's height.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.config.bonds import DeviceChannel, channel_named, channels_in
from pipeline.config.config import Config
from pipeline.coverage.channel import NO_CLASS
from pipeline.errors import InputError
from pipeline.files import JsonObject
from pipeline.grid.open_rasters import OpenRasters, values_at
from pipeline.links.television_stations import ReceivedStation, TelevisionStations
from pipeline.quantise import NODATA_CENTI, NOT_EVALUATED, NOT_PERMITTED
from pipeline.query.database import Database, location_of, lowest_raw, open_database
from pipeline.query.paws import PawsError
from pipeline.query.profiles import AntennaHeight, channel_entries, layers_for
from pipeline.query.results import Run, config_of, read_public_run
from pipeline.radio.channel_plan import channel_block, channel_centre_mhz, index_of
from pipeline.units import power_dbm

# Selectivity of a white-space receiver against television in the first and second adjacent channel, dB: a
# choice of the project, unverified.
ADJACENT_DB = {0: 0.0, 1: 45.0, 2: 55.0}
_WORDS = {NODATA_CENTI: "outside", NOT_EVALUATED: "not_evaluated", NOT_PERMITTED: "not_permitted"}
_CENTI = 100.0


class Permits(NamedTuple):
    """An open run: its answers, settings and, where they are there, the fields of television."""

    run: Run
    database: Database
    config: Config
    fields: OpenRasters
    stations: TelevisionStations

    @property
    def channels(self) -> list[int]:
        """The channels that are mapped for white-space devices."""
        return sorted(self.config.channels.wsd)

    @property
    def has_fields(self) -> bool:
        """Whether the run's fields of television are there."""
        return (self.run.build / "coverage").is_dir()


class Permitted(NamedTuple):
    """Permitted e.i.r.p. at a place by channel, NaN where there is none, the word for it, and the cap."""

    level_dbm: dict[DeviceChannel, float]
    word: dict[DeviceChannel, str]
    cap_dbm: float


def open_permits(results: Path) -> Permits:
    """Open a run, or the latest of a territory, for levels at places."""
    run = read_public_run(results)
    config = config_of(run)
    stations = TelevisionStations(config, run.build, run.manifest["channels"]["dtt"])
    return Permits(run, open_database(results), config, OpenRasters(), stations)


def answering_devices(permits: Permits, height_m: float | None, device: str | None) -> list[JsonObject]:
    """The layers that answer for a device, or for an antenna height; InputError where none does."""
    try:
        return layers_for(permits.database.facts, AntennaHeight(None if device else height_m), device)
    except PawsError as error:
        field = "device" if device else "height_m"
        allowed = str(error.data or "")
        raise InputError(error.message, field=field, value=device or height_m, allowed=allowed) from None


def permitted_at(
    permits: Permits, lon_deg: float, lat_deg: float, height_m: float | None, device: str | None
) -> Permitted:
    """What is permitted at a place for a device, or an antenna height; InputError for an unknown device."""
    layers = answering_devices(permits, height_m, device)
    names = [
        channel_named(str(entry["channel"])) for entry in channel_entries(permits.database.facts, layers[0])
    ]
    try:
        location = location_of(permits.database, lon_deg, lat_deg)
        raw = np.minimum.reduce([lowest_raw(permits.database, layer, location, 0.0) for layer in layers])
    except PawsError:
        raw = np.full(len(names), NODATA_CENTI)
    levels = {
        name: value / _CENTI if value > NOT_EVALUATED else math.nan
        for name, value in zip(names, raw.tolist(), strict=True)
    }
    words = {name: _WORDS.get(value, "ok") for name, value in zip(names, raw.tolist(), strict=True)}
    return Permitted(levels, words, min(float(layer.get("cap_dbm", math.inf)) for layer in layers))


def permitted_in(permitted: Permitted, channel: DeviceChannel) -> tuple[float, str]:
    """Level and word in a channel, or in all of a bond together: at most the least of their limits."""
    if channel in permitted.level_dbm:
        return permitted.level_dbm[channel], permitted.word[channel]
    parts = list(channels_in(channel))
    if any(part not in permitted.level_dbm for part in parts):
        raise InputError(
            "is not mapped for the device",
            field="channel",
            value=str(channel),
            allowed=", ".join(map(str, permitted.level_dbm)),
        )
    levels = [permitted.level_dbm[part] for part in parts]
    words = [permitted.word[part] for part in parts if permitted.word[part] != "ok"]
    return (math.nan, words[0]) if words else (min(levels), "ok")


def mapped_in(permitted: Permitted, channel: DeviceChannel) -> tuple[float, str]:
    """The same for one of many candidates: a channel without a layer of the device is not evaluated."""
    known = channel in permitted.level_dbm or all(
        part in permitted.level_dbm for part in channels_in(channel)
    )
    return permitted_in(permitted, channel) if known else (math.nan, "not_evaluated")


def television_near(
    permits: Permits,
    candidates: Iterable[DeviceChannel],
    lon_deg: NDArray[np.float64],
    lat_deg: NDArray[np.float64],
) -> dict[int, list[ReceivedStation]]:
    """The stations that count at places [n], by television channel: those of the candidates and beside them.

    Where the run's stations cannot be had, its maps tell the field of the network received best: one station
    without an id, from no side.
    """
    plan = permits.config.channels
    own = [channel_block(plan, one) for one in candidates]
    found = {}
    for channel in permits.run.manifest["channels"]["dtt"]:
        block = channel_block(plan, channel)
        if any(abs(index_of(block, one)) in ADJACENT_DB for one in own):
            stations = permits.stations
            known = not stations.unknown
            found[channel] = (
                stations.fields_at(channel, lon_deg, lat_deg)
                if known
                else _best_network(permits, channel, lon_deg, lat_deg)
            )
    return found


def _best_network(
    permits: Permits, channel: int, lon_deg: NDArray[np.float64], lat_deg: NDArray[np.float64]
) -> list[ReceivedStation]:
    """The wanted field of the run's maps [n]: -inf on land that no network reaches, NaN unknown."""
    path = permits.run.build / "coverage" / f"ch{channel:02d}.tif"
    field_dbuvm = np.full(lon_deg.size, math.nan)
    if path.is_file():
        row, col, on_grid = permits.fields.of(path).grid.pixels_of(lon_deg, lat_deg)
        at = row[on_grid].astype(np.int64), col[on_grid].astype(np.int64)
        field_dbuvm[on_grid] = wanted = _map_values(permits, path, "wanted_dbuvm", *at).astype(np.float64)
        classes = path.with_name(f"{path.stem}_class.tif")
        if classes.is_file():
            on_land = _map_values(permits, classes, "served", *at) != NO_CLASS
            field_dbuvm[on_grid] = np.where(np.isnan(wanted) & on_land, -math.inf, wanted)
    return [ReceivedStation("", "", channel, field_dbuvm, np.full(lon_deg.size, math.nan))]


def _map_values(
    permits: Permits, path: Path, band: str, row: NDArray[np.int64], col: NDArray[np.int64]
) -> NDArray[Any]:
    """Values of a band of a map at pixels [n]."""
    opened, order = permits.fields.of(path), np.argsort(row, kind="stable")
    values = values_at(opened, opened.layout.band_names.index(band), row[order], col[order])
    found = np.empty_like(values)
    found[order] = values
    return found


def television_dbuvm(
    config: Config,
    received: Mapping[int, Sequence[ReceivedStation]],
    off_axis_db: Callable[[NDArray[np.float64], float], NDArray[np.float64]] | None = None,
) -> dict[int, NDArray[np.float64]]:
    """Field of all stations together at places [n], 50 % of time, 10 m, by channel; -inf none, NaN unknown.

    ``off_axis_db`` attenuation of the receiving antenna by bearing and frequency in MHz; None: everywhere
    the full gain.
    """
    found = {}
    for channel, stations in received.items():
        if not stations:
            continue
        f_mhz = channel_centre_mhz(config.channels, channel)
        power = np.zeros(stations[0].field_dbuvm.size)
        for one in stations:
            field_dbuvm = one.field_dbuvm
            if off_axis_db is not None:
                field_dbuvm = field_dbuvm - np.nan_to_num(off_axis_db(one.bearing_deg, f_mhz))
            power += 10.0 ** (0.1 * field_dbuvm)
        with np.errstate(divide="ignore"):
            found[channel] = 10.0 * np.log10(power)
    return found


def all_television_dbuvm(
    permits: Permits,
    channel: int,
    lon_deg: NDArray[np.float64],
    lat_deg: NDArray[np.float64],
    negligible_dbuvm: float,
) -> NDArray[np.float64]:
    """What ``television_dbuvm`` has of a channel at many places [n], but for what is negligible."""
    if permits.stations.unknown:
        return _best_network(permits, channel, lon_deg, lat_deg)[0].field_dbuvm
    threads = os.cpu_count() or 1
    return permits.stations.sum_at(channel, lon_deg, lat_deg, negligible_dbuvm, threads)


def television_said(permits: Permits) -> str:
    """Which television stations count as interference in white-space receivers, and which do not."""
    if why := permits.stations.unknown:
        return (
            "TELEVISION_NOT_COUNTED in receivers only the network that is received best at a place counts as "
            f"interference, not the other stations of its channels, at home not those abroad: {why}"
        )
    countries = sorted(permits.stations.countries().items())
    told = ", ".join(f"{count} of {country or 'no country'}" for country, count in countries) or "none"
    return f"TELEVISION all stations of the run's register within reach count as interference ({told})"


def above_10_m_db(height_m: float, f_mhz: float) -> float:
    """How much more field an antenna has above 10 m, in the open (P.1546-6, Annex 5, section 9)."""
    return (3.2 + 6.2 * math.log10(f_mhz)) * math.log10(max(height_m, 10.0) / 10.0)


def interference_dbm(
    config: Config, fields_dbuvm: dict[int, float], channel: DeviceChannel, gain_dbi: float, height_m: float
) -> float:
    """Level of television in a receiver: co-channel, and adjacent less its selectivity.

    -inf none, NaN where one of the fields is not known. With the full gain of the antenna, and the field at
    its height, but at least that at 10 m.
    """
    own = channel_block(config.channels, channel)
    milliwatts = 0.0
    for victim, field_dbuvm in fields_dbuvm.items():
        offset = abs(index_of(channel_block(config.channels, victim), own))
        if offset in ADJACENT_DB:
            f_mhz = channel_centre_mhz(config.channels, victim)
            field_there_dbuvm = field_dbuvm + above_10_m_db(height_m, f_mhz)
            level_dbm = power_dbm(field_there_dbuvm, f_mhz) + gain_dbi - ADJACENT_DB[offset]
            milliwatts += 10.0 ** (0.1 * level_dbm)
    return -math.inf if milliwatts == 0.0 else 10.0 * math.log10(milliwatts)
