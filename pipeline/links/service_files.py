"""``channelmaps basestation``: maps and tables of the service of base stations, as files."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.config.bonds import DeviceChannel, channels_in
from pipeline.errors import InputError
from pipeline.files import (
    GEOTIFF_FILE,
    OutputKind,
    check_output_folder,
    csv_text,
    json_bytes,
    kind_of_table,
    write_together,
    write_whole,
)
from pipeline.grid import raster
from pipeline.links.base_stations import (
    BaseStation,
    RadioOf,
    SiteRow,
    all_radios,
    choosing_from,
    read_stations,
)
from pipeline.links.link_files import (
    GPKG_FILE,
    JSON_FILE,
    LinkRequest,
    facts_of,
    inputs_of,
    settings_of,
    television_gaps,
    world_of,
)
from pipeline.links.link_rows import AUTO
from pipeline.links.link_styles import QML_FILE, code_names, link_style
from pipeline.links.link_world import LinkSettings, LinkWorld
from pipeline.links.permitted import Permits
from pipeline.links.radio_capacity import CAPACITY_COLUMNS
from pipeline.links.service_maps import (
    NO_SERVICE,
    NOT_EVALUATED_RATE,
    RadioService,
    ServiceRules,
    StationLimits,
    StationPixels,
    all_services,
    assign_channels,
    client_needs,
)
from pipeline.links.service_tables import (
    AZIMUTH_COLUMNS,
    azimuth_cells,
    azimuth_rows,
    service_tables,
    site_row,
    station_row,
)
from pipeline.links.station_pixels import (
    ServiceWindow,
    not_evaluated_around,
    pointed_limits,
    service_window,
    station_limits,
    station_pixels,
)
from pipeline.query.results import read_run
from pipeline.rates.client_radios import ClientRadios, ClientRow, read_clients
from pipeline.rates.link_modes import location_margin_db
from pipeline.rows.row_models import read_rows, refuse_second

# Thresholds of the classes in Mbit/s: rates of at least 1.2, 3 and 10, and above the others.
_AT_LEAST, _ABOVE = (1.2, 3.0, 10.0), (0.0, 18.0, 25.0, 30.0, 40.0)
_RASTERS = ("service_rate", "service_class", "service_channel", "service_station", "service_margin")
_PUBLIC = tuple(name for name in _RASTERS if name != "service_station")
_PRODUCTS: dict[str, OutputKind] = {f"{name}.tif": GEOTIFF_FILE for name in _RASTERS} | {
    "stations_out.csv": kind_of_table("station", "sector", "radio", "channel", "used_dbm"),
    "capacity.csv": kind_of_table(*CAPACITY_COLUMNS[:-1]),
    "service_class.qml": QML_FILE,
    "sites_out.csv": kind_of_table("id", "station", "rate_mbps", "reason"),
    "service.gpkg": GPKG_FILE,
    "service.json": JSON_FILE,
}


# What tells where protected receivers are is for internal use.
_AZIMUTHS = "internal/permitted_azimuth.csv"


class StationRequest(NamedTuple):
    """The options of base stations besides those of all links."""

    stations: Path
    radius_km: float = 30.0
    cpe: str = "a8_panel"
    cpe_table: Path | None = None
    sites: Path | None = None
    pointing: Path | None = None
    """The run whose intermediates tell where victims are; None: limits of non-directional devices."""
    try_azimuths: bool = False
    publish: bool = False
    """Also a folder of the maps without what tells of stations."""
    channels: str = AUTO
    """Channels that radios may choose from; `auto`: all that are mapped."""


class _Area(NamedTuple):
    """Dense maps of the window, flat: of the best radio at each pixel."""

    rate_mbps: NDArray[np.float64]
    throughput_mbps: NDArray[np.float64]
    radio: NDArray[np.int64]
    margin_db: NDArray[np.float64]
    unknown: NDArray[np.bool_]


def basestation_command(asked: StationRequest, request: LinkRequest) -> None:
    """Service of base stations around them; tables and maps are written at the end."""
    settings = _checked_request(asked, request)
    clients = read_clients(asked.cpe_table)
    client = clients.named(asked.cpe)
    stations = read_stations(asked.stations)
    _refuse_filters(asked, stations)
    _refuse_clients(asked, stations, clients)
    sites = _sites(asked.sites, clients)
    world = _world(request, stations, asked.radius_km)
    permits = world.permits
    if permits is None:
        raise InputError("value is missing", field="--results", allowed="a run")
    stations = choosing_from(stations, asked.channels, permits.channels)
    radios = all_radios(stations)
    rules = _rules(settings, client, radios)
    window = service_window(permits, stations, client, asked.radius_km)
    limits, pixels = _around(permits, window, stations, radios, rules, asked, settings, world)
    chosen = assign_channels(radios, limits, pixels, rules)
    services = all_services(radios, chosen, limits, pixels, rules)
    area = _best(window, radios, pixels, services, limits)
    rows = [
        station_row(*one, pixels, rules, permits, window) | azimuth_cells(one[1], limits[one[0].key])
        for one in zip(radios, services, strict=True)
    ]
    gaps = _television_gaps(stations, limits, pixels)
    notes = [*settings.modes.notes, *_beyond(permits, stations), *gaps]
    facts = facts_of(request, settings.modes, world, notes)
    facts |= _facts(stations, radios, services, window, area, asked, clients)
    own = [clients.named(site.cpe or asked.cpe) for site in sites]
    here = radios, services, pixels, settings, world
    placed = [(site, site_row(site, one, *here)) for site, one in zip(sites, own, strict=True)]
    contents = service_tables(radios, services, rows, pixels, placed, stations)
    contents["service.json"] = json_bytes(facts)
    contents["service_class.qml"] = link_style("service_class")
    _write_maps(request.out, window, stations, radios, chosen, area, facts, publish=asked.publish)
    write_together({request.out / name: content for name, content in contents.items()})
    if asked.pointing is not None:
        write_whole(request.out / _AZIMUTHS, csv_text(AZIMUTH_COLUMNS, azimuth_rows(limits)))
    print("\n".join(_text(rows, facts)))


def _checked_request(asked: StationRequest, request: LinkRequest) -> LinkSettings:
    """The settings behind the options; InputError for options and folders that cannot be."""
    tables = [path for path in (asked.stations, asked.cpe_table, asked.sites) if path is not None]
    if asked.try_azimuths and asked.pointing is None:
        raise InputError("needs limits by direction", field="--try-azimuths", allowed="with --pointing")
    more = (
        {_AZIMUTHS: kind_of_table("station", "sector", "channel", "azimuth_deg", "limit_dbm")}
        if asked.pointing is not None
        else {}
    )
    more |= {f"public/{name}.tif": GEOTIFF_FILE for name in _PUBLIC} if asked.publish else {}
    check_output_folder("--out", request.out, _PRODUCTS | more, inputs_of(request, *tables))
    settings = settings_of(request)
    if not 0.1 <= asked.radius_km <= 100.0:
        raise InputError(
            "is not allowed", field="--radius-km", value=asked.radius_km, allowed="0.1 to 100 km"
        )
    return settings


def _refuse_clients(asked: StationRequest, stations: Sequence[BaseStation], clients: ClientRadios) -> None:
    """Refuse a client radio that a station does not serve, and names of its file that there are not."""
    for station in stations:
        for name in station.cpe:
            clients.named(name)
        if station.cpe and asked.cpe not in station.cpe:
            raise InputError(
                "is not served by a station",
                file=asked.stations,
                row=station.id,
                field="cpe",
                value=asked.cpe,
                allowed=", ".join(station.cpe),
            )


def _refuse_filters(asked: StationRequest, stations: Sequence[BaseStation]) -> None:
    """Published limits know no filter: they have to be made anew from the intermediates of the run."""
    filtered = [station for station in stations if station.extra_aclr_db > 0.0]
    if filtered and asked.pointing is None:
        raise InputError(
            f"station {filtered[0].id} needs limits that are made anew",
            file=asked.stations,
            field="extra_aclr_db",
            value=filtered[0].extra_aclr_db,
            allowed="with --pointing",
        )


def _beyond(permits: Permits, stations: Sequence[BaseStation]) -> list[str]:
    """What is to be said of stations where nothing is permitted because they stand beyond the grid."""
    grid = next(iter(permits.database.rasters.values())).grid
    ids = [one.id for one in stations if not grid.has_pixel(*grid.pixel_of(one.lon, one.lat))]
    return [f"BEYOND_GRID {', '.join(ids)}: not on the grid of the run, so without a channel"] if ids else []


def _television_gaps(
    stations: Sequence[BaseStation],
    limits: Mapping[tuple[str, str], StationLimits],
    pixels: Mapping[str, StationPixels],
) -> list[str]:
    """The line on stations that do not know television somewhere, at themselves or at clients."""

    def known(station: BaseStation) -> bool:
        own = [one.television_dbm.values() for key, one in limits.items() if key[0] == station.id]
        at_clients = pixels[station.id].television_dbm.values()
        here = any(math.isnan(level_dbm) for levels in own for level_dbm in levels)
        return not here and not any(np.isnan(levels).any() for levels in at_clients)

    return television_gaps([one.id for one in stations if not known(one)], "stations")


def _rules(settings: LinkSettings, client: ClientRow, radios: Sequence[RadioOf]) -> ServiceRules:
    """What counts for all stations; InputError for a radio in whose bandwidth the table has no modes."""
    location_db = location_margin_db(settings.q_pct, 50.0, settings.sigma_db)
    rules = ServiceRules(settings.modes, client, location_db)
    for radio in radios:
        rules.modes_of(radio)
    return rules


def _sites(path: Path | None, clients: ClientRadios) -> list[SiteRow]:
    if path is None:
        return []
    rows = read_rows(path, SiteRow)
    refuse_second(path, rows, ("id",))
    for row in rows:
        if row.cpe:
            clients.named(row.cpe, "cpe")
    return rows


def _world(request: LinkRequest, stations: Sequence[BaseStation], radius_km: float) -> LinkWorld:
    """The run, with the terrain of all radii unless the model knows none."""
    away_deg = radius_km / 100.0
    lon, lat = [station.lon for station in stations], [station.lat for station in stations]
    across = away_deg / max(math.cos(math.radians(max(map(abs, lat)))), 0.1)
    corners = [[min(lon) - across, min(lat) - away_deg, max(lon) + across, max(lat) + away_deg]]
    places = np.array(corners) if request.model in ("p1812", "p1812_or_p1546") else np.empty((0, 4))
    return world_of(request, places)


def _around(
    permits: Permits,
    window: ServiceWindow,
    stations: Sequence[BaseStation],
    radios: Sequence[RadioOf],
    rules: ServiceRules,
    asked: StationRequest,
    settings: LinkSettings,
    world: LinkWorld,
) -> tuple[dict[tuple[str, str], StationLimits], dict[str, StationPixels]]:
    """Limits of every sector by the ids of station and sector, pixels of every station by its id."""
    television = settings.television and permits.has_fields
    limits: dict[tuple[str, str], StationLimits] = {}
    pixels = {}
    run = read_run(asked.pointing) if asked.pointing is not None else None
    for station in stations:
        own = [radio for radio in radios if radio.station.id == station.id]
        omni = station_limits(permits, station, own, television=television)
        for radio in own:
            if radio.key not in limits:
                wanted = _wanted(permits, radio, own)
                limits[radio.key] = omni
                if run is not None:
                    limits[radio.key] = pointed_limits(
                        permits, run, radio, wanted, omni, try_azimuths=asked.try_azimuths
                    )
        needs = client_needs(own, limits, rules)
        at = station, needs, rules.client, asked.radius_km, world.ground, settings.model
        pixels[station.id] = station_pixels(permits, window, *at, television=television)
    return limits, pixels


def _wanted(permits: Permits, radio: RadioOf, own: Sequence[RadioOf]) -> list[DeviceChannel]:
    """The single channels that radios of a sector may take."""
    alike = [one.channel for one in own if one.key == radio.key]
    if None in alike:
        return [channel for channel in permits.channels if channel not in radio.station.ban]
    return [channel for channel in dict.fromkeys(alike) if isinstance(channel, int)]


def _best(
    window: ServiceWindow,
    radios: Sequence[RadioOf],
    pixels: Mapping[str, StationPixels],
    services: Sequence[RadioService],
    limits: Mapping[tuple[str, str], StationLimits],
) -> _Area:
    """The best radio at each pixel: highest rate, then the earlier one; margin of the strongest radio.

    Unknown is a pixel without service that a channel might serve which is not evaluated.
    """
    size = window.inside.size
    empty = np.zeros(size), np.zeros(size), np.full(size, -1), np.full(size, math.nan)
    area = _Area(*empty, np.zeros(size, np.bool_))
    for i, (radio, service) in enumerate(zip(radios, services, strict=True)):
        index = pixels[radio.station.id].pixel
        better = service.rate_mbps > area.rate_mbps[index]
        at = index[better]
        area.rate_mbps[at], area.radio[at] = service.rate_mbps[better], i
        area.throughput_mbps[at] = service.throughput_mbps[better]
        area.margin_db[index] = np.fmax(area.margin_db[index], service.margin_db)
        here = pixels[radio.station.id]
        area.unknown[index] |= not_evaluated_around(window, radio, limits[radio.key], here)
    return area


# --- maps ---------------------------------------------------------------------------------------------------


def service_classes(rate_mbps: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Classes of rates: the number of thresholds that they reach."""
    classes = np.zeros(rate_mbps.shape, np.uint8)
    for least in _AT_LEAST:
        classes += rate_mbps >= least
    for least in _ABOVE:
        classes += rate_mbps > least
    return classes


def _write_maps(
    out: Path,
    window: ServiceWindow,
    stations: Sequence[BaseStation],
    radios: Sequence[RadioOf],
    chosen: Sequence[DeviceChannel | None],
    area: _Area,
    facts: Mapping[str, Any],
    *,
    publish: bool,
) -> None:
    """The five rasters on the window; those without stations once more for the public."""
    shape, inside = window.grid.shape, window.inside
    rate, radio = area.rate_mbps.reshape(shape), area.radio.reshape(shape)
    unknown = (rate == 0.0) & area.unknown.reshape(shape)
    classes = service_classes(rate)
    number = np.array([0, *(0 if c is None else channels_in(c)[0] for c in chosen)], np.uint8)
    order = {station.id: i for i, station in enumerate(stations, start=1)}
    station = np.array([0, *(order[one.station.id] for one in radios)], np.uint16)
    margin = np.nan_to_num(np.clip(100.0 * area.margin_db.reshape(shape), -32767, 32767), nan=-32768)
    margin_db = _within(inside, margin, -32768, "int16")
    rates = np.where(unknown, NOT_EVALUATED_RATE, np.where(rate > 0.0, rate, NO_SERVICE))
    classes[unknown] = 254
    radio = np.where(inside, radio, -1) + 1
    layers: list[tuple[str, NDArray[Any], float, str, str]] = [
        ("service_rate", _within(inside, rates, np.nan, "float32"), math.nan, "Mbit/s", "best rate"),
        ("service_class", _within(inside, classes, 255, "uint8"), 255, "", "class of the rate"),
        ("service_channel", _within(inside, number[radio], 255, "uint8"), 255, "", "channel used"),
        ("service_station", station[radio], 0, "", "station, by its place in the file"),
        ("service_margin", margin_db, -32768, "dB", "margin to the least mode"),
    ]
    (out / "public" if publish else out).mkdir(parents=True, exist_ok=True)
    tags = {"run_id": str(facts["run_id"]), "modes": str(facts["modes"]), "cpe": str(facts["cpe"])}
    names = {"service_class": code_names("service_class"), "service_channel": _channel_names(chosen)}
    for name, values, nodata, unit, title in layers:
        more: dict[str, Any] = {"categories": names[name]} if name in names else {}
        if name == "service_margin":
            more["scale_factor"] = 0.01
        data = raster.make_array(values, window.grid, units=unit, nodata=nodata, long_name=title, **more)
        raster.write(out / f"{name}.tif", data, tags=tags, publish=True)
        if publish and name in _PUBLIC:
            raster.write(out / "public" / f"{name}.tif", data, tags=tags, publish=True)


def _channel_names(chosen: Sequence[DeviceChannel | None]) -> dict[int, str]:
    """Names of the values of ``service_channel``: a bond by its first channel, 0 none."""
    named = {0: "no service"}
    for channel in dict.fromkeys(one for one in chosen if one is not None):
        first = channels_in(channel)[0]
        named[first] = f"{named[first]}, {channel}" if first in named else str(channel)
    return named


def _within(inside: NDArray[np.bool_], values: NDArray[Any], nodata: float, dtype: str) -> NDArray[Any]:
    """Values of the territory's pixels, nodata elsewhere."""
    return np.where(inside, values, nodata).astype(dtype)


def _facts(
    stations: Sequence[BaseStation],
    radios: Sequence[RadioOf],
    services: Sequence[RadioService],
    window: ServiceWindow,
    area: _Area,
    asked: StationRequest,
    clients: ClientRadios,
) -> dict[str, Any]:
    """What the answer says in numbers."""
    served = area.rate_mbps > 0.0
    people = None if window.people is None else round(float(np.nansum(window.people.ravel()[served])))
    used = [one.used_dbm for one in services if one.channel is not None]
    client = clients.named(asked.cpe)
    return {
        "cpe": asked.cpe,
        "cpe_source": client.source,
        "radius_km": asked.radius_km,
        "stations": len(stations),
        "radios": len(radios),
        "radios_without_channel": sum(one.channel is None for one in services),
        "pixels_not_evaluated": int((area.unknown & ~served).sum()),
        "area_served_km2": round(float(window.area_km2.ravel()[served].sum()), 2),
        "people_served": people,
        "largest_eirp_dbm": round(max(used), 2) if used else None,
    }


def _text(rows: Iterable[Mapping[str, object]], facts: Mapping[str, Any]) -> list[str]:
    lines = [
        f"{row['station']} {row['sector']} {row['radio']}: channel {row['channel'] or '-'}, "
        f"{row['used_dbm'] or '-'} dBm ({row['limited_by']}), {row['area_km2']} km2, "
        f"{row['people_served'] or '-'} people"
        for row in rows
    ]
    people = "-" if facts["people_served"] is None else facts["people_served"]
    return [*lines, f"together {facts['area_served_km2']} km2, {people} people"]
