"""Aeronautical radionavigation in the countries of RR No. 5.312.

Either the distances of Resolutions 749 and 760 as exclusion, from known stations or from all land of the
administrations; or trigger fields by system, where numbers exist. Where they do not, what lies within the
largest of these distances is not evaluated.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from pipeline.budget import Budget, Term, total_dbm
from pipeline.config.bonds import DeviceChannel
from pipeline.config.config import Config
from pipeline.config.incumbents import Aeronautical
from pipeline.config.protection import Device
from pipeline.errors import InputError
from pipeline.grid.grid import LONLAT, Grid
from pipeline.grid.polygons import project, read_frame
from pipeline.radio.antennas import gain_table_dbi
from pipeline.radio.emission import Band
from pipeline.radio.noise import limit_from_field_dbm
from pipeline.reference.arns_systems import (
    ArnsSystem,
    ArnsTable,
    TriggerReceiver,
    countries_using,
    largest_distance_km,
    read_arns_table,
)
from pipeline.registers.named_registers import read_stations
from pipeline.registers.stations import AeronauticalRow
from pipeline.services.base import BlockLimit, ServiceContext, ServiceLimit, forbid, lower, unlimited
from pipeline.services.coarsening import places_shown_deg
from pipeline.services.placing import ReceiverCriteria, emission_of
from pipeline.services.points import explain_points, prepare_points
from pipeline.services.protected_receivers import ProtectedReceiver
from pipeline.services.sections import remarks_without_section
from pipeline.services.table import ServiceRow
from pipeline.territory.rasters import CheckedTerritory

_CODE_FIELD = "iso2"


class ExclusionZone(NamedTuple):
    """Where a station or a country may stand: shape in the grid's CRS, and the distance kept from it.

    ``scale``: largest scale of the projection between the shape and the grid.
    """

    name: str
    shape: BaseGeometry
    distance_km: float
    scale: float


class RadionavigationVictims(NamedTuple):
    """What concerns one channel: zones of exclusion, receivers with numbers, zones without numbers."""

    closed: list[ExclusionZone]
    receivers: list[tuple[ProtectedReceiver, ReceiverCriteria]]
    open: list[ExclusionZone]


def prepare(
    service: ServiceRow, context: ServiceContext, device: Device, channel: DeviceChannel
) -> BlockLimit | None:
    """Limit by stations or countries; None without the section or without polygons of countries."""
    victims = victims_of(service, context, device, channel)
    if victims is None:
        return None
    at_points = [
        prepare_points(context, device, channel, [receiver], criteria)
        for receiver, criteria in victims.receivers
    ]

    def limit(rows: slice, cols: slice) -> ServiceLimit:
        lowest = unlimited(rows, cols)
        for zone in victims.closed:
            forbid(lowest, within_reach(zone, context.grid, rows, cols), service.code)
        for point in at_points:
            lower(lowest, point(rows, cols).eirp_dbm, service.code)
        for zone in victims.open:
            np.logical_or(
                lowest.not_evaluated, within_reach(zone, context.grid, rows, cols), out=lowest.not_evaluated
            )
        return lowest

    return limit


def explain(
    service: ServiceRow, context: ServiceContext, device: Device, channel: DeviceChannel, row: int, col: int
) -> Budget | None:
    """The zone that closes a pixel, or the budget of the limiting receiver."""
    victims = victims_of(service, context, device, channel)
    if victims is None:
        return None
    rows, cols = slice(row, row + 1), slice(col, col + 1)
    for zone in victims.closed:
        if within_reach(zone, context.grid, rows, cols).any():
            term = Term("Resolution 749/760", -math.inf, f"nearer than {zone.distance_km:g} km")
            return Budget({"id": zone.name}, (term,), service.code)
    budgets = [
        explain_points(context, device, channel, [receiver], criteria, (row, col))
        for receiver, criteria in victims.receivers
    ]
    known = [budget for budget in budgets if budget is not None]
    return min(known, key=lambda budget: total_dbm(budget.terms), default=None)


def check(service: ServiceRow, config: Config, ground: CheckedTerritory) -> Iterator[str]:
    """Read systems, stations and countries, refused if faulty; what is protected."""
    if config.incumbents is not None and config.incumbents.aeronautical is not None:
        yield _checked(config.incumbents.aeronautical)
    yield from remarks_without_section(service, config)


def _checked(settings: Aeronautical) -> str:
    table = read_arns_table(settings.systems)
    columns = settings.base_station, settings.land_share
    distance_km = largest_distance_km(table, settings.codes, *columns, file=settings.systems)
    if settings.stations is not None:
        stations = read_stations([settings.stations], AeronauticalRow)
        for file, rows in groupby(stations, key=lambda row: row.file):
            codes = [row.code for row in rows if row.code]
            largest_distance_km(table, codes, *columns, file=Path(file))
        _check_countries(stations, table)
        return f"  aeronautical  {len(stations)} stations, {settings.mode}"
    if settings.borders is not None:
        known = [entry.country for entry in table.administrations]
        read_countries(settings.borders, settings.countries or known)
    return f"  aeronautical  all land of RR No. 5.312, {settings.mode}, {distance_km:g} km"


def _check_countries(stations: Sequence[AeronauticalRow], table: ArnsTable) -> None:
    """Refuse a station of an administration without bands in the table: nothing would be kept free for it."""
    known = sorted(entry.country for entry in table.administrations)
    for station in stations:
        if station.country not in known:
            raise InputError(
                "administration has no band in the table of systems",
                file=station.file,
                row=station.row,
                field="country",
                value=station.country,
                allowed=", ".join(known),
            )


# --- what concerns a channel --------------------------------------------------------------------------------


def victims_of(
    service: ServiceRow, context: ServiceContext, device: Device, channel: DeviceChannel
) -> RadionavigationVictims | None:
    """Zones and receivers of the administrations whose bands the device's block overlaps."""
    incumbents = context.config.incumbents
    settings = None if incumbents is None else incumbents.aeronautical
    if settings is None:
        return None
    table = read_arns_table(settings.systems)
    block = emission_of(context, device, channel, -math.inf).block
    countries = [
        c for c in countries_using(table, block) if c in settings.countries or not settings.countries
    ]
    if not countries:
        return RadionavigationVictims([], [], [])
    if settings.stations is not None:
        return _by_stations(service, context, settings, table, block, countries)
    zones = _country_zones(context, settings, table, countries)
    if zones is None:
        return None
    return (
        RadionavigationVictims(zones, [], [])
        if settings.mode == "res760_distance"
        else RadionavigationVictims([], [], zones)
    )


def _by_stations(
    service: ServiceRow,
    context: ServiceContext,
    settings: Aeronautical,
    table: ArnsTable,
    block: Band,
    countries: Sequence[str],
) -> RadionavigationVictims:
    victims = RadionavigationVictims([], [], [])
    receivers = {receiver.code: receiver for receiver in table.receivers}
    systems = {system.code: system for system in table.systems}
    for station in read_stations([settings.stations] if settings.stations else [], AeronauticalRow):
        if station.country not in countries:
            continue
        row = _shown(context, station)
        zone = _station_zone(context.grid, settings, table, row)
        numbers = receivers.get(row.code)
        if settings.mode == "res760_distance":
            victims.closed.append(zone)
        elif numbers is None or numbers.field_dbuvm is None or numbers.bandwidth_mhz is None:
            victims.open.append(zone)
        else:
            victims.receivers.append(
                _triggered(service.code, settings, row, systems[row.code], numbers, block)
            )
    return victims


def _shown(context: ServiceContext, row: AeronauticalRow) -> AeronauticalRow:
    """The station where it counts as standing."""
    if context.block_m == 0.0:
        return row
    lon_deg, lat_deg = places_shown_deg(context, np.array([row.lon]), np.array([row.lat]))
    return row.model_copy(update={"lon": float(lon_deg[0]), "lat": float(lat_deg[0])})


def _station_zone(
    grid: Grid, settings: Aeronautical, table: ArnsTable, row: AeronauticalRow
) -> ExclusionZone:
    codes = [row.code] if row.code else settings.codes
    distance_km = _distance_km(settings, table, codes)
    (shape,) = project([shapely.Point(row.lon, row.lat)], grid.crs)
    return ExclusionZone(row.id, shape, distance_km, _scale_between(grid, shape, distance_km))


def _distance_km(settings: Aeronautical, table: ArnsTable, codes: Sequence[str]) -> float:
    """Distance to keep; without trigger numbers the largest, so that nothing concerned is left out."""
    if settings.mode == "field_trigger":
        return largest_distance_km(table, [], "transmitting", "less_than_half", file=settings.systems)
    return largest_distance_km(
        table, codes, settings.base_station, settings.land_share, file=settings.systems
    )


def _triggered(
    code: int,
    settings: Aeronautical,
    row: AeronauticalRow,
    system: ArnsSystem,
    numbers: TriggerReceiver,
    block: Band,
) -> tuple[ProtectedReceiver, ReceiverCriteria]:
    """A station with a trigger field, in the middle of the device's block: its frequency is not known.

    Aircraft are reached by free space, wherever they are above the station.
    """
    centre_mhz, half_mhz = 0.5 * (block.low_mhz + block.high_mhz), 0.5 * (numbers.bandwidth_mhz or 0.0)
    i_max_dbm = limit_from_field_dbm(numbers.field_dbuvm or 0.0, centre_mhz, 0.0)
    receiver = ProtectedReceiver(
        id=row.id,
        lon_deg=row.lon,
        lat_deg=row.lat,
        band=Band(centre_mhz - half_mhz, centre_mhz + half_mhz),
        i_max_dbm=i_max_dbm,
        gain_dbi=gain_table_dbi("", 0.0, centre_mhz),
        azimuth_deg=0.0,
        feeder_db=0.0,
        height_m=numbers.rx_height_m,
        acs_db=math.inf,
        coastal=None,
    )
    model = "free_space" if system.receiver == "aircraft" else "p1546"
    return receiver, ReceiverCriteria(code, model, settings.time_pct.value)


def _country_zones(
    context: ServiceContext, settings: Aeronautical, table: ArnsTable, countries: Sequence[str]
) -> list[ExclusionZone] | None:
    """The land of administrations within reach of the grid; None without polygons."""
    path = settings.borders or context.config.territory.world
    if path is None:
        return None
    distance_km = _distance_km(settings, table, settings.codes)
    zones = []
    for country, shape_deg in read_countries(path, countries).items():
        shape = near_grid(shape_deg, context.grid, distance_km)
        if shape is not None:
            zones.append(
                ExclusionZone(country, shape, distance_km, _scale_between(context.grid, shape, distance_km))
            )
    return zones


# --- geometry -----------------------------------------------------------------------------------------------


def read_countries(path: Path, countries: Sequence[str]) -> dict[str, BaseGeometry]:
    """Polygons in lon/lat of some countries by two-letter code; one that the file lacks is left out."""
    frame = read_frame(path)
    if _CODE_FIELD not in frame:
        known = ", ".join(name for name in frame.columns if name != "geometry")
        raise InputError("no such attribute", file=path, field=_CODE_FIELD, allowed=known)
    found = frame[frame[_CODE_FIELD].isin(countries)].to_crs(LONLAT)
    groups = found.groupby(_CODE_FIELD)
    return {str(code): shapely.union_all(group.geometry.to_numpy()) for code, group in groups}


def near_grid(shape_deg: BaseGeometry, grid: Grid, distance_km: float) -> BaseGeometry | None:
    """The part of a country that may lie within a distance of the grid, projected; None if there is none."""
    west, south, east, north = grid.box_deg()
    # A degree of latitude is at least 110.5 km; of longitude, at the poleward end of the box, less.
    up_deg = 1.05 * distance_km / 110.5
    across_deg = up_deg / max(math.cos(math.radians(min(max(abs(south), abs(north)) + up_deg, 85.0))), 0.05)
    part = shapely.clip_by_rect(
        shape_deg, west - across_deg, south - up_deg, east + across_deg, north + up_deg
    )
    if part.is_empty:
        return None
    (shape,) = project([part], grid.crs)
    return shape


def within_reach(zone: ExclusionZone, grid: Grid, rows: slice, cols: slice) -> NDArray[np.bool_]:
    """True where the square of a pixel is at most the zone's distance from its shape.

    Squares of pixels are halved from the whole window down: one wholly within or wholly beyond needs no
    smaller ones.
    """
    reach_m = zone.distance_km * 1000.0 * zone.scale
    inside = np.zeros((rows.stop - rows.start, cols.stop - cols.start), dtype=np.bool_)
    shapely.prepare(zone.shape)
    waiting = [(rows.start, rows.stop, cols.start, cols.stop)]
    while waiting:
        top, bottom, left, right = waiting.pop()
        box = shapely.box(*grid.box_m(slice(top, bottom), slice(left, right)))
        if not shapely.dwithin(zone.shape, box, reach_m):
            continue
        half_diagonal_m = 0.5 * grid.resolution_m * math.hypot(bottom - top, right - left)
        single = bottom - top == 1 and right - left == 1
        if single or shapely.dwithin(zone.shape, box.centroid, reach_m - half_diagonal_m):
            inside[top - rows.start : bottom - rows.start, left - cols.start : right - cols.start] = True
            continue
        middle, centre = (top + bottom + 1) // 2, (left + right + 1) // 2
        waiting.extend(
            (*across, *along)
            for across in ((top, middle), (middle, bottom))
            for along in ((left, centre), (centre, right))
            if across[0] < across[1] and along[0] < along[1]
        )
    return inside


def _scale_between(grid: Grid, shape: BaseGeometry, distance_km: float) -> float:
    """Largest scale of the projection between grid and shape: distances are never overrated.

    Parts of the shape beyond the distance do not count.
    """
    reach_m = 1.02 * distance_km * 1000.0
    low_x, low_y, high_x, high_y = shapely.bounds(shape)
    west, south, east, north = grid.bounds_m
    west, east = min(west, max(low_x, west - reach_m)), max(east, min(high_x, east + reach_m))
    south, north = min(south, max(low_y, south - reach_m)), max(north, min(high_y, north + reach_m))
    return grid.spanning((west, south, east, north)).largest_scale()
