"""Places of a territory's registers: what is in reach of it, at home, and what cannot be right."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import shapely
import xarray as xr
from numpy.typing import NDArray
from pyproj import Transformer

from pipeline.config.config import Config
from pipeline.coverage.network import places_within_reach
from pipeline.errors import InputError
from pipeline.grid.geodesy import outline_m
from pipeline.grid.grid import LONLAT, Grid
from pipeline.grid.polygons import Boundaries
from pipeline.registers.areas import ChannelArea
from pipeline.registers.named_registers import records_by_file, station_target
from pipeline.registers.same_station import PLACES
from pipeline.registers.stations import PMSE_KEY, TRANSMITTERS_KEY, NamedStations, RelayRow, station_registers
from pipeline.rows.text_records import Record
from pipeline.services.pmse.pmse_register import bookings_of, pmse_target

# What (lon, lat) may have been meant as, by the doubt: matrices from the right.
_OTHER_NUMBERS = {
    "lon and lat look exchanged": ((0, 1), (1, 0)),
    "the sign of lon looks wrong": ((-1, 0), (0, 1)),
    "the sign of lat looks wrong": ((1, 0), (0, -1)),
}
_FAR_AREA_DEG = 10.0
# A home station farther than this outside home is no lighthouse or border mast.
HOME_KM = 50.0
_KM_PER_DEGREE = 111.2


class Places(NamedTuple):
    """The rows of one file that are used: ``home`` none or the code of the territory."""

    key: str
    file: Path
    ids: list[str]
    rows: list[int]
    lon_deg: NDArray[np.float64]
    lat_deg: NDArray[np.float64]
    home: NDArray[np.bool_]


# Whether places [n], longitudes and latitudes in degrees, are where they should be: bool[n].
Fits = Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.bool_]]


class ReachCounts(NamedTuple):
    """Counts of the rows of a file; ``accepted`` those that ``registers.accept`` names."""

    rows: int
    in_reach: int
    out_of_reach: int
    accepted: int


def transmitters_of(path: Path, named: xr.Dataset, config: Config) -> Places:
    """The transmitters of a file in order of row."""
    known = named.attrs[PLACES]
    ids = named["id"].values.tolist()
    chosen = sorted(
        (i for i, name in enumerate(ids) if path in (file := Path(known[name][0]), *file.parents)),
        key=lambda i: known[ids[i]][1],
    )
    lon_deg, lat_deg = (named[name].values[chosen].astype(np.float64) for name in ("lon_deg", "lat_deg"))
    rows = [known[ids[i]][1] for i in chosen]
    return Places(
        TRANSMITTERS_KEY,
        path,
        [ids[i] for i in chosen],
        rows,
        lon_deg,
        lat_deg,
        is_home(config, named)[chosen],
    )


def is_home(config: Config, named: xr.Dataset) -> NDArray[np.bool_]:
    """Which transmitters are of the territory's own administration, or of none."""
    home: NDArray[np.bool_] = np.isin(named["country"].values, ["", *config.territory.home])
    return home


def station_places(config: Config) -> Iterator[Places]:
    """The rows of the registers of receivers that are evaluated, by file; of relay sites too."""
    named = {
        key: registers
        for key, registers in station_registers(config).items()
        if (service := config.services.get(key.split(".")[1])) is not None and service.evaluated
    }
    if config.areas.relay_sites is not None:
        named["areas.relay_sites"] = NamedStations(RelayRow, [config.areas.relay_sites])
    for key, (model, items) in named.items():
        by_file = (pair for item in items for pair in records_by_file(item, station_target(model)))
        yield from (_places_of(key, path, records, None) for path, records in by_file)


def booking_places(config: Config) -> Iterator[Places]:
    """The bookings of PMSE, by file."""
    bookings = bookings_of(config)
    if bookings is not None:
        to_degrees = Transformer.from_crs(bookings.attrs["crs"], LONLAT, always_xy=True)
        lon_deg, lat_deg = to_degrees.transform(bookings["x"].values, bookings["y"].values)
        sites = zip(lon_deg.tolist(), lat_deg.tolist(), strict=True)
        known = dict(zip(bookings["id"].values.tolist(), sites, strict=True))
        for item in config.pmse.registers:
            by_file = records_by_file(item, pmse_target(config))
            yield from (_places_of(PMSE_KEY, path, records, known) for path, records in by_file)


def _places_of(
    key: str, path: Path, records: Sequence[Record], known: Mapping[str, tuple[float, float]] | None
) -> Places:
    """The rows of a file with the places in ``known`` by id, or (None) those of its own columns."""
    ids, rows, places = [], [], []
    for record in records:
        name = record.values.get("id", "").strip()
        place = _stated_place(record.values) if known is None else known.get(name)
        if place is not None:
            places.append(place)
            ids.append(name)
            rows.append(record.row)
    lon_deg, lat_deg = np.array(places, dtype=np.float64).reshape(-1, 2).T
    return Places(key, path, ids, rows, lon_deg, lat_deg, np.ones(len(ids), dtype=np.bool_))


def _stated_place(values: Mapping[str, str]) -> tuple[float, float] | None:
    """The place of a row; None for one that its own check refuses."""
    try:
        place = float(values["lon"]), float(values["lat"])
    except (KeyError, ValueError):
        return None
    return place if abs(place[0]) <= 180.0 and abs(place[1]) <= 90.0 else None


def in_reach_of(config: Config, grid: Grid) -> Fits:
    """Whether places lie within reach of the padded grid."""
    return partial(places_within_reach, positions_m=outline_m(grid), reach_km=config.channels.reach_km)


def near_home(config: Config, boundaries: Boundaries, most_km: float) -> Fits:
    """Whether places lie within a distance of the home polygons, or of the box that stands for them."""
    by_code = zip(boundaries.codes, boundaries.countries, strict=True)
    home = shapely.union_all([shape for code, shape in by_code if code in boundaries.home])
    if config.territory.polygons is None and config.territory.bbox_deg is not None:
        home = shapely.box(*config.territory.bbox_deg)
    shapely.prepare(home)

    def fits(lon_deg: NDArray[np.float64], lat_deg: NDArray[np.float64]) -> NDArray[np.bool_]:
        turned_deg = [lon_deg + turn for turn in (0.0, 360.0, -360.0)]
        found = np.logical_or.reduce([shapely.intersects_xy(home, lon, lat_deg) for lon in turned_deg])
        for i in np.flatnonzero(~found).tolist():
            lat = float(lat_deg[i])
            found[i] = any(_distance_km(home, float(lon[i]), lat) <= most_km for lon in turned_deg)
        return np.asarray(found)

    return fits


def _distance_km(shape: shapely.Geometry, lon_deg: float, lat_deg: float) -> float:
    """Distance to a polygon in lon/lat around, on a plane at the place; infinite beyond twice ``HOME_KM``."""
    narrowing = max(math.cos(math.radians(lat_deg)), 0.01)
    high = 2.0 * HOME_KM / _KM_PER_DEGREE
    wide = high / narrowing
    near = shapely.clip_by_rect(shape, lon_deg - wide, lat_deg - high, lon_deg + wide, lat_deg + high)
    if near.is_empty:
        return math.inf
    scale = np.array([narrowing, 1.0]) * _KM_PER_DEGREE
    local = shapely.transform(near, lambda xy: (xy - [lon_deg, lat_deg]) * scale)
    return float(shapely.distance(local, shapely.Point(0.0, 0.0)))


def _hint(lon_deg: float, lat_deg: float, fits: Fits, *, signs: bool) -> str:
    """What looks wrong about a place that does not fit; empty where nothing would make it fit."""
    if abs(lon_deg) <= 90.0 and _fits_one(fits, lat_deg, lon_deg):
        return "; lon and lat look exchanged"
    flipped = {"lon": (-lon_deg, lat_deg), "lat": (lon_deg, -lat_deg)} if signs else {}
    for name, place in flipped.items():
        if _fits_one(fits, *place):
            return f"; the sign of {name} looks wrong"
    return ""


def _fits_one(fits: Fits, lon_deg: float, lat_deg: float) -> bool:
    return bool(fits(np.array([lon_deg]), np.array([lat_deg]))[0])


# --- checks -------------------------------------------------------------------------------------------------


def far_from_home(places: Places, at_home: Fits) -> list[int]:
    """Home stations far outside home."""
    home = np.flatnonzero(places.home)
    far: list[int] = home[~at_home(places.lon_deg[home], places.lat_deg[home])].tolist()
    return far


def counts_of(config: Config, places: Places, reach: Fits) -> ReachCounts:
    """How many rows of a file there are, and where."""
    near = int(np.count_nonzero(reach(places.lon_deg, places.lat_deg)))
    accepted = sum(name in config.registers.accept for name in places.ids)
    return ReachCounts(len(places.ids), near, len(places.ids) - near, accepted)


def place_faults(
    config: Config, places: Places, reach: Fits, at_home: Fits | None = None
) -> list[InputError]:
    """The rows of a file that cannot be right, of which ``registers.accept`` names none, by row.

    ``at_home``: what of transmitters is near home. A mere box is often a part of its country: a station
    beyond it is refused only out of reach, and only if the register is not cut to a box of its own.
    """
    mere_box = config.territory.polygons is None
    exchanged = _exchanged_faults(config, places, reach)
    far: dict[int, InputError] = {}
    cut = mere_box and config.registers.bbox_deg is not None
    none_near = mere_box and not counts_of(config, places, reach).in_reach  # has a fault of its own
    if at_home is not None and not cut and not none_near:
        far = _far_faults(config, places, at_home, reach if mere_box else None)
    faults = {**far, **exchanged} if mere_box else {**exchanged, **far}
    faults = {i: fault for i, fault in faults.items() if places.ids[i] not in config.registers.accept}
    return [faults[index] for index in sorted(faults)]


def _exchanged_faults(config: Config, places: Places, reach: Fits) -> dict[int, InputError]:
    """Rows out of reach whose numbers look exchanged or wrongly signed, by index."""
    faults = {}
    for index in np.flatnonzero(~reach(places.lon_deg, places.lat_deg)).tolist():
        place = float(places.lon_deg[index]), float(places.lat_deg[index])
        if hint := _hint(*place, reach, signs=bool(places.home[index])):
            faults[index] = _implausible(places, index, f"implausible location{hint}", _within(config))
    return faults


def _far_faults(
    config: Config, places: Places, at_home: Fits, pass_within: Fits | None
) -> dict[int, InputError]:
    """Home stations far outside home, but for those in ``pass_within``, by index."""
    home = f"within {HOME_KM:g} km of the polygons of {' '.join(config.territory.home)}"
    faults = {}
    for index in far_from_home(places, at_home):
        place = float(places.lon_deg[index]), float(places.lat_deg[index])
        if pass_within is None or not _fits_one(pass_within, *place):
            problem = f"home station far outside home{_hint(*place, at_home, signs=True)}"
            allowed = home if pass_within is None else _within(config)
            faults[index] = _implausible(places, index, problem, allowed)
    return faults


def nothing_in_reach(config: Config, places: Places, counts: ReachCounts) -> list[InputError]:
    """The fault of a file of which no row is in reach or accepted."""
    if counts.rows and not counts.in_reach and not counts.accepted:
        text = f"all {counts.rows} rows of {places.key} are out of reach"
        return [_implausible(places, 0, text, _within(config))]
    return []


def _within(config: Config) -> str:
    return f"within channels.reach_km ({config.channels.reach_km:g} km) of the territory"


def _implausible(places: Places, index: int, problem: str, allowed: str) -> InputError:
    return InputError(
        problem,
        file=places.file,
        row=places.rows[index],
        field="lon, lat",
        value=f"{places.lon_deg[index]:g}, {places.lat_deg[index]:g}",
        allowed=f"{allowed}; or id {places.ids[index]} in registers.accept",
    )


def refuse_exchanged_area(area: ChannelArea, boundaries: Boundaries) -> None:
    """InputError for a polygon that would touch the territory with lon and lat exchanged or another sign."""
    for doubt, numbers in _OTHER_NUMBERS.items():
        meant = shapely.transform(area.shape, lambda lon_lat, numbers=numbers: lon_lat @ np.array(numbers))
        away_deg = 0.0 if "exchanged" in doubt else _FAR_AREA_DEG  # across Greenwich both signs are near
        if not shapely.intersects(boundaries.territory, meant):
            continue
        if shapely.distance(boundaries.territory, area.shape) < away_deg:
            continue
        west, south, east, north = shapely.bounds(area.shape)
        raise InputError(
            f"polygon is outside the territory; {doubt}",
            file=area.file,
            row=area.row,
            field="geometry",
            value=f"{west:g} to {east:g} east, {south:g} to {north:g} north",
            allowed="longitude first, then latitude; degrees east and north",
        )
