"""What the maps of oceanographic radars are computed from: candidates, registered radars, the ground."""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import shapely
import xarray as xr
from numpy.typing import NDArray

from pipeline.config.config import Config
from pipeline.config.coordination import Radars
from pipeline.coordination.radar.borders import CountryPolygon, NearPlaces, foreign_borders, read_countries
from pipeline.coordination.radar.cr372_register import doubts_of, read_registered
from pipeline.coordination.radar.ground import Ground, LonLats, check_reach, joined, outline_deg, read_ground
from pipeline.coordination.radar.radar_maps import (
    TABLE_COLUMNS,
    CandidateRadar,
    administration_table,
    candidate_radars,
    run,
)
from pipeline.coordination.radar.resolution612 import ITU_CODES, Noise, read_itu_codes
from pipeline.coordination.radar.zones import ZONE_GEOMETRIES, RegisteredRadar, stations, zone_layers
from pipeline.errors import InputError
from pipeline.files import csv_text
from pipeline.grid.geopackage import geopackage_bytes
from pipeline.grid.grid import Grid
from pipeline.grid.layer_files import layer_file
from pipeline.territory.codes import Surface
from pipeline.territory.rasters import CheckedTerritory

# A radar of the own administration farther than this from its land is no coastal radar.
_HOME_KM, _KM_PER_DEGREE = 50.0, 111.2


class RadarScene(NamedTuple):
    """Candidate and registered radars on a grid, pixels [y, x] to compute, and the ground around them."""

    candidates: list[CandidateRadar]
    stations: list[RegisteredRadar]
    grid: Grid
    wanted: NDArray[np.bool_]
    ground: Ground
    ignored: list[str]
    """Names of polygons without an ITU code."""


class RadarFiles(NamedTuple):
    """Layers (band, y, x) and contents of the other files, each by the name of its file."""

    layers: dict[str, xr.DataArray]
    contents: dict[str, bytes]


def radar_files(settings: Radars, surface: xr.DataArray, *, threads: int) -> RadarFiles:
    """Layers and table of the candidate radars, and zones of the registered ones, as far as there are any."""
    scene = _scene_of(settings, surface)
    for name in scene.ignored:
        print(f"channelmaps: {settings.borders}: no ITU code for {name}, left out", file=sys.stderr)
    layers: Mapping[str, xr.DataArray] = {}
    contents: dict[str, bytes] = {}
    if scene.candidates:
        layers, contents[layer_file("radar612_adm")] = _candidate_layers(settings, scene, threads=threads)
    if settings.register_file is not None:
        zones = zone_layers(scene.stations, scene.ground, settings.sea_min_km)
        contents[layer_file("radar612_zones")] = geopackage_bytes(zones, ZONE_GEOMETRIES)
    return RadarFiles({layer_file(f"radar612_{name}"): layer for name, layer in layers.items()}, contents)


def _scene_of(settings: Radars, surface: xr.DataArray) -> RadarScene:
    """All that the maps of a territory need; InputError for faults of configuration and register."""
    _check_administration(settings)
    grid, wanted = surface.attrs["grid"], _wanted_sites(settings, surface)
    radars, found = _candidates_of(settings), read_stations(settings)
    ground, ignored = _ground_of(settings, grid, wanted, radars, found)
    return RadarScene(radars, found, grid, wanted, ground, ignored)


def _candidate_layers(
    settings: Radars, scene: RadarScene, *, threads: int = 1
) -> tuple[Mapping[str, xr.DataArray], bytes]:
    """Layers of the candidate radars, and the table of the administrations that their bits stand for."""
    borders = foreign_borders(
        scene.ground.countries,
        settings.administration,
        settings.clip_deg,
        _places_of(scene.grid, scene.wanted),
    )
    layers = run(
        scene.candidates,
        scene.grid,
        scene.wanted,
        borders,
        scene.ground,
        sea_min_km=settings.sea_min_km,
        abroad=settings.include_sea,
        threads=threads,
    )
    rows = administration_table(layers["adm_k"].values, scene.candidates, borders.administrations)
    table = csv_text(TABLE_COLUMNS, [dict(zip(TABLE_COLUMNS, row, strict=True)) for row in rows])
    return layers, table.encode()


def _places_of(grid: Grid, wanted: NDArray[np.bool_]) -> NearPlaces:
    """The wanted pixels [y, x] by the middles of squares of about a kilometre that hold some."""
    side = max(1, round(1e3 / grid.resolution_m))
    rows, cols = np.nonzero(wanted)
    row, col = np.unique(np.stack([rows // side, cols // side]), axis=1)
    x_m, y_m = grid.xy_m((row + 0.5) * side, (col + 0.5) * side)
    lonlat_deg = np.column_stack(grid.to_lonlat().transform(x_m, y_m))
    # Half a diagonal, and what the projection may stretch of it.
    return NearPlaces(lonlat_deg, 1e-3 * grid.resolution_m * side * 0.75, grid)


def _check_administration(settings: Radars) -> None:
    """Refuse a code that no polygon can have: then no land would be the own one."""
    known = read_itu_codes().administrations
    if settings.administration not in known:
        raise InputError(
            "is no administration",
            row="coordination.radars.administration",
            value=settings.administration,
            allowed=f"an ITU code of {ITU_CODES.name}",
        )


def _candidates_of(settings: Radars) -> list[CandidateRadar]:
    """The candidate radars of a configuration."""
    return candidate_radars(
        settings.frequencies_mhz, Noise(settings.noise), conservative_gap=settings.conservative_gap
    )


def read_stations(settings: Radars) -> list[RegisteredRadar]:
    """The registered radars; a register of which no zones can be made is refused."""
    if settings.register_file is None:
        return []
    radars = read_registered(settings.register_file).radars
    return stations(radars, Noise(settings.noise), conservative_gap=settings.conservative_gap)


def _wanted_sites(settings: Radars, surface: xr.DataArray) -> NDArray[np.bool_]:
    """Pixels [y, x] to compute: the territory's land, or all that is known of the grid."""
    if settings.include_sea:
        return np.asarray(surface.values != Surface.OUTSIDE)
    return np.asarray(surface.values == Surface.HOME)


def _ground_of(
    settings: Radars,
    grid: Grid,
    wanted: NDArray[np.bool_],
    radars: Sequence[CandidateRadar],
    found: Sequence[RegisteredRadar],
) -> tuple[Ground, list[str]]:
    """Countries, land and sea around the wanted places and the registered radars."""
    locations, needed_km = _reach_needed(grid, wanted, radars, found)
    return read_ground(settings.borders, settings.clip_deg, locations, needed_km)


def _reach_needed(
    grid: Grid, wanted: NDArray[np.bool_], radars: Sequence[CandidateRadar], found: Sequence[RegisteredRadar]
) -> tuple[LonLats, float]:
    """Places around which borders must be known, and how far."""
    sited = [station for station in found if station.separation is not None]
    separations = [radar.separation for radar in radars] + [station.separation for station in sited]
    needed_km = max((known.sea_km for known in separations if known is not None), default=0.0)
    outline = outline_deg(grid, wanted)
    sites = np.array([s.lon_deg for s in sited]), np.array([s.lat_deg for s in sited])
    return joined([outline, sites]), needed_km


def check(config: Config, territory: CheckedTerritory) -> Iterator[str]:
    """Read register and borders, refused if they end too near; lines of the report."""
    settings, surface = config.coordination.radars, territory.masks["surface"]
    if settings is None:
        return
    _check_administration(settings)
    radars, found = _candidates_of(settings), read_stations(settings)
    locations, needed_km = _reach_needed(
        surface.attrs["grid"], _wanted_sites(settings, surface), radars, found
    )
    check_reach(settings.borders, settings.clip_deg, locations, needed_km)
    countries, ignored = read_countries(settings.borders, read_itu_codes())
    foreign = foreign_borders(countries, settings.administration, settings.clip_deg)
    yield f"  radars        {len(found)} registered, {len(foreign.administrations)} administrations around"
    yield from (f"  remark        {settings.borders}: no ITU code for {name}, left out" for name in ignored)
    for radar in radars:
        if radar.separation is None:
            yield f"  remark        Resolution 612 has no distance for {radar.frequency_mhz:g} MHz"
    if settings.register_file is not None:
        doubts = doubts_of(settings.register_file)
        yield from (f"  radar         {settings.register_file}{doubt}" for doubt in doubts)
    yield from _far_from_home(settings, found, countries)
    flags = Counter(flag for station in found for flag in station.flags)
    yield from (f"  remark        {count} radar(s): {flag}" for flag, count in sorted(flags.items()))


def _far_from_home(
    settings: Radars, found: Sequence[RegisteredRadar], countries: Sequence[CountryPolygon]
) -> Iterator[str]:
    """Lines on radars of the own administration beyond ``_HOME_KM`` from its land: exchanged coordinates?"""
    own = [c.shape for c in countries if settings.administration in c.administrations]
    land = shapely.union_all([shape.buffer(0) for shape in own])
    for station in found:
        if station.administration != settings.administration:
            continue
        narrowing = max(math.cos(math.radians(station.lat_deg)), 0.01)
        here = np.array([station.lon_deg, station.lat_deg])
        scale = np.array([narrowing, 1.0]) * _KM_PER_DEGREE
        away = shapely.transform(land, lambda xy, here=here, scale=scale: (xy - here) * scale)
        if shapely.distance(away, shapely.Point(0.0, 0.0)) > _HOME_KM:
            text = f"more than {_HOME_KM:g} km from the land of {settings.administration}"
            yield f"  radar         {settings.register_file}: {station.key}: {text}"
