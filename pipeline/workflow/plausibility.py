"""Whether places and heights of a territory's registers can be right: the table of `channelmaps validate`.

A station typed with exchanged coordinates or a wrong sign protects nothing and is missed by nobody. Refused,
if ``registers.accept`` does not name the row: a place out of reach that would be in reach with lon and lat
exchanged; a home station more than 50 km outside every home polygon; a register of which nothing is in reach.
All else is counted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import shapely
import xarray as xr
from numpy.typing import NDArray
from pyproj import Transformer

from pipeline.config.config import Config
from pipeline.coverage.network import outline_m, with_countries
from pipeline.errors import InputError
from pipeline.grid.geodesy import site_frames
from pipeline.grid.grid import LONLAT, Grid
from pipeline.grid.polygons import Boundaries
from pipeline.registers.areas import ChannelArea, read_adjustments, read_exclusions
from pipeline.registers.same_station import SPELLINGS, twins
from pipeline.registers.stations import PMSE_KEY, TRANSMITTERS_KEY, station_files
from pipeline.rows.row_models import read_records
from pipeline.services.pmse.pmse_register import bookings_of
from pipeline.terrain.records import LonLatRaster
from pipeline.terrain.sweep import ground_at

# A home station farther than this outside home is no lighthouse or border mast.
HOME_KM = 50.0
# Coarse terrain clips peaks: the illustrative register differs by up to 420 m from a model of 30 arc seconds.
_HEIGHT_DIFFERS_M = 250.0
_KM_PER_DEGREE = 111.2


class RegisterFacts(NamedTuple):
    """One line of the table: counts of rows of a file; None: not known of this kind of register."""

    register: str
    rows: int
    in_reach: int
    out_of_reach: int
    duplicates: int | None = None
    height_differs: int | None = None
    code_without_polygon: int | None = None


class _Places(NamedTuple):
    """The rows of one file that are used: ``home`` none or the code of the territory."""

    key: str
    file: Path
    ids: list[str]
    rows: list[int]
    lon_deg: NDArray[np.float64]
    lat_deg: NDArray[np.float64]
    home: NDArray[np.bool_]


_Fits = Callable[[float, float], bool]


def check_transmitters(
    config: Config, boundaries: Boundaries, register: xr.Dataset, grid: Grid, elevation: LonLatRaster | None
) -> list[RegisterFacts]:
    """The lines of the transmitter register, by file; InputError for a place that cannot be right."""
    reach = _reach(config, grid)
    named = with_countries(config, register)
    home = np.isin(named["country"].values, ["", *config.territory.home])
    at_home = _near_home(boundaries)
    columns = (register["lon_deg"].values, register["lat_deg"].values, home)
    known = dict(zip(register["id"].values.tolist(), zip(*columns, strict=True), strict=True))
    doubtful = _doubtful(config, boundaries, register, elevation)
    files = [_places_of(TRANSMITTERS_KEY, path, known) for path in config.registers.transmitters]
    facts = []
    for places in files:
        _refuse_far_from_home(config, places, at_home)
        line = _checked_reach(config, places, reach)
        counts = (None if ids is None else sum(name in ids for name in places.ids) for ids in doubtful)
        facts.append(RegisterFacts(*line[:4], *counts))
    if any(line.in_reach for line in facts):  # else validate says that there is none at all
        for places, line in zip(files, facts, strict=True):
            _refuse_all_out_of_reach(config, places, line)
    return facts


def check_others(config: Config, grid: Grid) -> list[RegisterFacts]:
    """The lines of the registers of the other services that are evaluated, by file, and of relay sites."""
    reach = _reach(config, grid)
    files = {
        key: paths
        for key, paths in station_files(config).items()
        if (service := config.services.get(key.split(".")[1])) is not None and service.evaluated
    }
    if config.areas.relay_sites is not None:
        files["areas.relay_sites"] = [config.areas.relay_sites]
    found = [_places_of(key, path, None) for key, paths in files.items() for path in paths]
    bookings = bookings_of(config)
    if bookings is not None:
        to_degrees = Transformer.from_crs(bookings.attrs["crs"], LONLAT, always_xy=True)
        lon_deg, lat_deg = to_degrees.transform(bookings["x"].values, bookings["y"].values)
        everywhere = [True] * len(lon_deg)
        columns = zip(lon_deg.tolist(), lat_deg.tolist(), everywhere, strict=True)
        known = dict(zip(bookings["id"].values.tolist(), columns, strict=True))
        found += [_places_of(PMSE_KEY, path, known) for path in config.pmse.registers]
    facts = [_checked_reach(config, places, reach) for places in found]
    for places, line in zip(found, facts, strict=True):
        _refuse_all_out_of_reach(config, places, line)
    return facts


def check_areas(config: Config, boundaries: Boundaries) -> Iterator[str]:
    """Lines on files of polygons of which none touches the territory.

    InputError for one that would touch it with longitude and latitude exchanged.
    """
    territory = boundaries.territory
    shapely.prepare(territory)
    for path in [*config.areas.exclusions, *config.areas.adjustments]:
        of_file = path in config.areas.exclusions
        areas = read_exclusions([path]) if of_file else [item.area for item in read_adjustments([path])]
        touching = [bool(shapely.intersects(territory, area.shape)) for area in areas]
        for area, touches in zip(areas, touching, strict=True):
            if not touches:
                _refuse_exchanged_area(area, boundaries)
        if areas and not any(touching):
            yield f"  no effect     {path}: none of its {len(areas)} polygons touches the territory"


def table_lines(facts: Sequence[RegisterFacts]) -> Iterator[str]:
    """The table as text, a line for each register."""
    for line in facts:
        counts = [f"{name} {value}" for name, value in line._asdict().items() if isinstance(value, int)]
        yield f"  plausibility  {line.register}: {', '.join(counts)}"


def register_lines(register: xr.Dataset, elevation: LonLatRaster | None) -> Iterator[str]:
    """Lines on network names spelt differently, patterns that may be relative field, and site heights."""
    if elevation is not None and (far := _height_differs(register, elevation)).any():
        text = f"differs by more than {_HEIGHT_DIFFERS_M:g} m from the terrain model"
        yield f"  site height   {text}: {_listed(register['id'].values[far].tolist())}"
    for text in register.attrs.get(SPELLINGS, []):
        yield f"  sfn           {text}: they differ only in case or blanks"
    attenuation_db = register["attenuation_db"].values
    either = np.flatnonzero(attenuation_db.max(axis=1, initial=0.0) == 1.0)
    if either.size:
        names = _listed(register["id"].values[either].tolist())
        yield f"  pattern       0 to exactly 1 dB, relative field looks like this: {names}"


def _listed(ids: Sequence[str]) -> str:
    return ", ".join(ids[:10]) + (f" and {len(ids) - 10} more" if len(ids) > 10 else "")


# --- places -------------------------------------------------------------------------------------------------


def _places_of(key: str, path: Path, known: dict[str, tuple[float, float, bool]] | None) -> _Places:
    """The rows of a file with the places in ``known`` by id, or (None) those of its own columns."""
    ids, rows, places = [], [], []
    for record in read_records(path, (), may_be_empty=True).readable:
        name = record.values.get("id", "").strip()
        if known is None or name in known:
            own = record.values
            places.append((float(own["lon"]), float(own["lat"]), True) if known is None else known[name])
            ids.append(name)
            rows.append(record.row)
    lon_deg, lat_deg, home = np.array(places, dtype=np.float64).reshape(-1, 3).T
    return _Places(key, path, ids, rows, lon_deg, lat_deg, home.astype(np.bool_))


def _reach(config: Config, grid: Grid) -> _Fits:
    """Whether a place lies within reach of the padded grid."""
    positions_m, reach_m = outline_m(grid), 1000.0 * config.channels.reach_km

    def fits(lon_deg: float, lat_deg: float) -> bool:
        frame = site_frames(np.array([lon_deg]), np.array([lat_deg]))[0]
        return bool(np.min(np.sum((positions_m - frame[:3]) ** 2, axis=1)) <= reach_m**2)

    return fits


def _near_home(boundaries: Boundaries) -> _Fits:
    """Whether a place lies within ``HOME_KM`` of the home polygons; true everywhere for a mere box."""
    by_code = zip(boundaries.codes, boundaries.countries, strict=True)
    home = shapely.union_all([shape for code, shape in by_code if code in boundaries.home])
    shapely.prepare(home)

    def fits(lon_deg: float, lat_deg: float) -> bool:
        return any(_distance_km(home, lon_deg + turn, lat_deg) <= HOME_KM for turn in (0.0, 360.0, -360.0))

    return fits


def _distance_km(shape: shapely.Geometry, lon_deg: float, lat_deg: float) -> float:
    """Distance to a polygon in lon/lat, on a plane at the place; infinite beyond twice ``HOME_KM``."""
    site = shapely.Point(lon_deg, lat_deg)
    if shapely.intersects(shape, site):
        return 0.0
    narrowing = max(math.cos(math.radians(lat_deg)), 0.01)
    high = 2.0 * HOME_KM / _KM_PER_DEGREE
    wide = high / narrowing
    near = shapely.clip_by_rect(shape, lon_deg - wide, lat_deg - high, lon_deg + wide, lat_deg + high)
    if near.is_empty:
        return math.inf
    scale = np.array([narrowing, 1.0]) * _KM_PER_DEGREE
    local = shapely.transform(near, lambda xy: (xy - [lon_deg, lat_deg]) * scale)
    return float(shapely.distance(local, shapely.Point(0.0, 0.0)))


def _hint(lon_deg: float, lat_deg: float, fits: _Fits, *, signs: bool) -> str:
    """What looks wrong about a place that does not fit; empty where nothing would make it fit."""
    if abs(lon_deg) <= 90.0 and fits(lat_deg, lon_deg):
        return "; lon and lat look exchanged"
    flipped = {"lon": (-lon_deg, lat_deg), "lat": (lon_deg, -lat_deg)} if signs else {}
    for name, place in flipped.items():
        if fits(*place):
            return f"; the sign of {name} looks wrong"
    return ""


# --- checks -------------------------------------------------------------------------------------------------


def _refuse_far_from_home(config: Config, places: _Places, at_home: _Fits) -> None:
    for index in np.flatnonzero(places.home).tolist():
        place = float(places.lon_deg[index]), float(places.lat_deg[index])
        if places.ids[index] not in config.registers.accept and not at_home(*place):
            codes = " ".join(config.territory.home)
            hint = _hint(*place, at_home, signs=True)
            allowed = f"within {HOME_KM:g} km of the polygons of {codes}"
            raise _implausible(places, index, f"home station far outside home{hint}", allowed)


def _checked_reach(config: Config, places: _Places, reach: _Fits) -> RegisterFacts:
    """The counts of a file; refused rows as the module says."""
    accepted = [name in config.registers.accept for name in places.ids]
    near = [reach(*place) for place in zip(places.lon_deg.tolist(), places.lat_deg.tolist(), strict=True)]
    for index in np.flatnonzero(~(np.array(near, bool) | np.array(accepted, bool))).tolist():
        place = float(places.lon_deg[index]), float(places.lat_deg[index])
        if hint := _hint(*place, reach, signs=bool(places.home[index])):
            raise _implausible(places, index, f"implausible location{hint}", _in_reach(config))
    return RegisterFacts(str(places.file), len(near), sum(near), len(near) - sum(near))


def _refuse_all_out_of_reach(config: Config, places: _Places, facts: RegisterFacts) -> None:
    if facts.rows and not facts.in_reach and not set(places.ids) & set(config.registers.accept):
        text = f"all {facts.rows} rows of {places.key} are out of reach"
        raise _implausible(places, 0, text, _in_reach(config))


def _in_reach(config: Config) -> str:
    return f"within channels.reach_km ({config.channels.reach_km:g} km) of the territory"


def _implausible(places: _Places, index: int, problem: str, allowed: str) -> InputError:
    return InputError(
        problem,
        file=places.file,
        row=places.rows[index],
        field="lon, lat",
        value=f"{places.lon_deg[index]:g}, {places.lat_deg[index]:g}",
        allowed=f"{allowed}; or id {places.ids[index]} in registers.accept",
    )


def _refuse_exchanged_area(area: ChannelArea, boundaries: Boundaries) -> None:
    exchanged = shapely.transform(area.shape, lambda xy: xy[:, ::-1])
    if shapely.intersects(boundaries.territory, exchanged):
        west, south, east, north = shapely.bounds(area.shape)
        raise InputError(
            "polygon is outside the territory; lon and lat look exchanged",
            file=area.file,
            row=area.row,
            field="geometry",
            value=f"{west:g} to {east:g} east, {south:g} to {north:g} north",
            allowed="longitude first, then latitude",
        )


def _doubtful(
    config: Config, boundaries: Boundaries, register: xr.Dataset, elevation: LonLatRaster | None
) -> tuple[set[str], set[str] | None, set[str] | None]:
    """Ids of further records of one channel and site, of heights that differ, of codes without a polygon.

    None where nothing tells: no terrain model, no polygons.
    """
    ids = register["id"].values
    second = {str(ids[later]) for _, later in twins(register, also_of_one_network=True)}
    differs = None if elevation is None else set(ids[_height_differs(register, elevation)].tolist())
    if config.territory.polygons is None:
        return second, differs, None
    unknown = ~np.isin(register["country"].values, [*boundaries.codes, ""])
    return second, differs, set(ids[unknown].tolist())


def _height_differs(register: xr.Dataset, elevation: LonLatRaster) -> NDArray[np.bool_]:
    """Which transmitters' stated site height is far from the terrain; where either is not known: not."""
    sites = zip(register["lon_deg"].values.tolist(), register["lat_deg"].values.tolist(), strict=True)
    terrain_m = np.array([ground_at(elevation, *site) for site in sites])
    far: NDArray[np.bool_] = np.abs(register["site_height_asl_m"].values - terrain_m) > _HEIGHT_DIFFERS_M
    return far
