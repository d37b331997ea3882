"""Checks of the registers and tables of other services and of areas, and what their reader has to know."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from pipeline.config.config import Config
from pipeline.config.incumbents import Aeronautical, FixedLinks, Incumbents, Receivers
from pipeline.errors import InputError
from pipeline.radio.channel_plan import plan_channels
from pipeline.reference.arns_systems import largest_distance_km, read_arns_table
from pipeline.registers.areas import ChannelArea, read_adjustments, read_exclusions
from pipeline.registers.stations import AeronauticalRow, RelayRow, read_stations
from pipeline.services.aeronautical import read_countries
from pipeline.services.radio_astronomy import receivers_of
from pipeline.services.receivers import read_victims
from pipeline.services.relay_sites import read_distances
from pipeline.services.restrictions import read_channel_caps


def service_remarks(config: Config) -> Iterator[str]:
    """Read all that the sections ``incumbents`` and ``areas`` name; lines of the report."""
    if config.incumbents is not None:
        yield from _incumbents(config.incumbents)
    yield from _areas(config)
    yield from _without_numbers(config)


def _incumbents(incumbents: Incumbents) -> Iterator[str]:
    sections: dict[str, Receivers | FixedLinks | None] = {
        "mobile": incumbents.mobile,
        "ppdr": incumbents.ppdr,
        "fixed": incumbents.fixed,
    }
    for name, section in sections.items():
        if section is not None:
            victims = read_victims(section)
            yield f"  {name:<13} {len(victims.placed)} receivers, {len(victims.anywhere)} assumed anywhere"
    if incumbents.radio_astronomy is not None:
        telescopes = receivers_of(incumbents.radio_astronomy)
        found = "a criterion has no numbers" if telescopes is None else f"{len(telescopes)} telescopes"
        yield f"  astronomy     {found}"
    if incumbents.aeronautical is not None:
        yield from _aeronautical(incumbents.aeronautical)


def _aeronautical(settings: Aeronautical) -> Iterator[str]:
    table = read_arns_table(settings.systems)
    distance_km = largest_distance_km(
        table, settings.codes, settings.base_station, settings.land_share, file=settings.systems
    )
    if settings.stations is not None:
        stations = read_stations([settings.stations], AeronauticalRow)
        codes = [row.code for row in stations if row.code]
        largest_distance_km(table, codes, settings.base_station, settings.land_share, file=settings.stations)
        yield f"  aeronautical  {len(stations)} stations, {settings.mode}"
        return
    if settings.borders is not None:
        known = [entry.country for entry in table.administrations]
        read_countries(settings.borders, settings.countries or known)
    yield f"  aeronautical  all land of RR No. 5.312, {settings.mode}, {distance_km:g} km"


def _areas(config: Config) -> Iterator[str]:
    areas, known = config.areas, set(plan_channels(config.channels))
    for entry in areas.reserved:
        _check_channels("areas.reserved", None, entry.channels, known)
    if areas.channel_caps is not None:
        channels = [channel for channel, _ in read_channel_caps(areas.channel_caps)]
        _check_channels("channel", areas.channel_caps, channels, known)
    exclusions = read_exclusions(areas.exclusions)
    adjustments = read_adjustments(areas.adjustments)
    polygons: list[ChannelArea] = [*exclusions, *(adjustment.area for adjustment in adjustments)]
    for area in polygons:
        _check_channels("channels", Path(area.file), sorted(area.channels or ()), known)
    if areas.relay_sites is not None:
        read_distances(areas.relay_distances)
        sites = read_stations([areas.relay_sites], RelayRow)
        _check_channels("channel", areas.relay_sites, [int(site.channel) for site in sites], known)
        yield f"  relay sites   {len(sites)}"
    if exclusions or adjustments:
        yield f"  areas         {len(exclusions)} exclusions, {len(adjustments)} manual adjustments"


def _check_channels(field: str, file: Path | None, channels: Sequence[int], known: set[int]) -> None:
    if missing := sorted(set(channels) - known):
        raise InputError(
            "channel is not in the plan",
            file=file,
            field=field,
            value=missing[0],
            allowed=f"{min(known)} to {max(known)}",
        )


def _without_numbers(config: Config) -> Iterator[str]:
    """Services that are to be evaluated and have no section."""
    for name in ("radio_astronomy", "aeronautical", "mobile", "ppdr", "fixed"):
        section = None if config.incumbents is None else getattr(config.incumbents, name)
        if config.services[name].evaluated and section is None:
            yield f"  no numbers    {name}: incumbents.{name} is missing, so no pixel will be evaluated"
