"""Whether places and heights of a territory's registers can be right: the table of `channelmaps validate`.

A station typed with exchanged coordinates or a wrong sign protects nothing and is missed by nobody. Refused,
if ``registers.accept`` does not name the row: a place out of reach that would be in reach with lon and lat
exchanged; a home station more than 50 km outside every home polygon (of a mere box: out of reach); a register
of which nothing is in reach. All else is counted. Ids are given of transmitters alone: receivers may be
protected stations that nobody is told of.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import shapely
import xarray as xr
from numpy.typing import NDArray

from pipeline.config.config import Config
from pipeline.config.register_mapping import files_of_item
from pipeline.coverage.home_reception import estimated_idle, idle_in_coverage
from pipeline.coverage.network import with_countries
from pipeline.errors import InputError
from pipeline.grid.grid import Grid
from pipeline.grid.polygons import Boundaries
from pipeline.grid.raster import read_grid
from pipeline.grid.repair import repair_lines
from pipeline.plan.plan import Plan
from pipeline.plan.plausible_places import (
    HOME_KM,
    Places,
    booking_places,
    counts_of,
    far_from_home,
    in_reach_of,
    is_home,
    near_home,
    nothing_in_reach,
    place_faults,
    refuse_exchanged_area,
    station_places,
    transmitters_of,
)
from pipeline.reference.limiting_channels import victim_channels
from pipeline.registers.areas import ChannelArea, read_adjustments, read_exclusions, read_masks
from pipeline.registers.same_station import PLACES, SPELLINGS, twins
from pipeline.terrain.elevation import elevation_of
from pipeline.terrain.radial import CLEARANCE_KM
from pipeline.terrain.records import LonLatRaster
from pipeline.terrain.sweep import ground_at
from pipeline.terrain.tile_sweeps import box_around, grid_lattice_deg, read_land
from pipeline.territory.rasters import boundaries_of

# A receiver is outside if it is farther out than generalised coasts and borders are wrong.
_OUTSIDE_KM = 5.0
# Coarse terrain clips peaks: the illustrative register differs by up to 420 m from a model of 30 arc seconds.
_HEIGHT_DIFFERS_M = 250.0
# A stated 0 m where the terrain is higher is a height that was not known.
_NOT_SEA_LEVEL_M = 30.0


class RegisterFacts(NamedTuple):
    """One line of the table: counts of rows of a file; None: not known of this kind of register.

    ``key`` of the territory file; ``ids`` of transmitters, by the name of the count.
    """

    register: str
    key: str
    rows: int
    in_reach: int
    out_of_reach: int
    serving_nothing_at_home: int | None = None
    duplicates: int | None = None
    height_differs: int | None = None
    height_unknown: int | None = None
    code_without_polygon: int | None = None
    far_from_home: int | None = None
    receivers_outside: int | None = None
    accepted: int = 0
    ids: Mapping[str, list[str]] = {}


class Plausibility(NamedTuple):
    """The lines of the table by file, and the rows that cannot be right in order of file and row."""

    facts: list[RegisterFacts]
    faults: list[InputError]


# What a count of the table says, for readers.
COUNTS = {
    "rows": "rows that are used",
    "in_reach": "rows within channels.reach_km of the territory",
    "out_of_reach": "rows beyond it, which count nowhere",
    "serving_nothing_at_home": "home stations that serve less than 0.1 km2 at home (`validate`: none of up to"
    " 100 pixels around, by their field)",
    "duplicates": "further records of a channel and site",
    "height_differs": f"site heights more than {_HEIGHT_DIFFERS_M:g} m from the terrain model, or 0 on land",
    "height_unknown": "effective heights of neither terrain nor register: the height above ground stands in",
    "code_without_polygon": "country codes of which there is no polygon",
    "far_from_home": f"home stations more than {HOME_KM:g} km outside home",
    "receivers_outside": f"receivers more than {_OUTSIDE_KM:g} km outside home",
    "accepted": "rows that registers.accept names",
}


def check_transmitters(
    config: Config,
    boundaries: Boundaries,
    register: xr.Dataset,
    grid: Grid,
    elevation: LonLatRaster | None,
    idle: Collection[str] | None = None,
) -> Plausibility:
    """The lines of the transmitter register, by file, and the places that cannot be right.

    ``idle``: ids of home stations that serve nothing at home; None: not known.
    """
    reach, at_home = in_reach_of(config, grid), near_home(config, boundaries, HOME_KM)
    named = with_countries(config, register)
    doubtful = _doubtful(config, boundaries, named, elevation)
    if idle is not None:
        doubtful["serving_nothing_at_home"] = set(idle)
    files = [transmitters_of(path, named, config) for path in config.registers.files]
    facts, faults = [], []
    for places in files:
        counts = counts_of(config, places, reach)
        doubtful["far_from_home"] = {places.ids[index] for index in far_from_home(places, at_home)}
        facts.append(
            _with_ids(RegisterFacts(str(places.file), places.key, **counts._asdict()), doubtful, places)
        )
        faults += place_faults(config, places, reach, at_home)
    faults += _void_faults(config, named, elevation)
    if any(line.in_reach for line in facts):  # else validate says that there is none at all
        for places in files:
            faults += nothing_in_reach(config, places, counts_of(config, places, reach))
    return Plausibility(facts, faults)


def _with_ids(line: RegisterFacts, doubtful: Mapping[str, set[str]], places: Places) -> RegisterFacts:
    """The line with the transmitters of its file that are doubtful, and how many there are of each kind."""
    ids = {name: sorted(found & set(places.ids)) for name, found in doubtful.items()}
    counts = {name: len(listed) for name, listed in ids.items()}
    return RegisterFacts(**line._asdict() | counts | {"ids": {k: v for k, v in ids.items() if v}})


def check_receivers(
    config: Config, boundaries: Boundaries, grid: Grid, files: Iterable[Places]
) -> Plausibility:
    """The lines of registers of receivers, by file, and the places that cannot be right."""
    reach, inside = in_reach_of(config, grid), near_home(config, boundaries, _OUTSIDE_KM)
    facts, faults = [], []
    for places in files:
        counts = counts_of(config, places, reach)
        outside = len(far_from_home(places, inside))
        line = RegisterFacts(str(places.file), places.key, **counts._asdict(), receivers_outside=outside)
        facts.append(line)
        faults += place_faults(config, places, reach) or nothing_in_reach(config, places, counts)
    return Plausibility(facts, faults)


def idle_by_estimate(
    config: Config, register: xr.Dataset, surface: xr.DataArray, elevation: LonLatRaster | None
) -> set[str]:
    """Home stations that serve none of up to 100 pixels at home around them; see ``home_reception``."""
    named = with_countries(config, register)
    victims = victim_channels(config, named["channel"].values.tolist(), config.all_device_channels())
    return estimated_idle(config, named, is_home(config, named), victims, surface, elevation)


def register_facts(plan: Plan) -> list[RegisterFacts]:
    """The table of a finished build: home stations that serve nothing are those of the coverage.

    Empty where the territory is not computed. InputError for a register that validate refuses.
    """
    surface, config = plan.build / "territory" / "surface.tif", plan.config
    if not surface.is_file():
        return []
    grid, boundaries = read_grid(surface), boundaries_of(config.territory)
    named = with_countries(config, plan.register)
    home, channels = is_home(config, named), named["channel"].values
    ids = named["id"].values
    idle = idle_in_coverage(plan.build, {c: ids[home & (channels == c)].tolist() for c in plan.victims})
    transmitters = check_transmitters(config, boundaries, plan.register, grid, _terrain(plan, grid), idle)
    files = chain(station_places(config), booking_places(config))
    return [*transmitters.facts, *check_receivers(config, boundaries, grid, files).facts]


def _terrain(plan: Plan, grid: Grid) -> LonLatRaster | None:
    """The terrain model around the padded grid."""
    land = plan.build / "territory" / "land_lonlat.tif"
    if plan.config.terrain.dem is None or not land.is_file():
        return None
    box = box_around(*grid_lattice_deg(grid), CLEARANCE_KM)
    return elevation_of(plan.config.terrain, box, read_land(land))


def check_areas(config: Config, boundaries: Boundaries) -> Iterator[str]:
    """Lines on files of polygons of which none touches the territory.

    InputError for one that would touch it with longitude and latitude exchanged.
    """
    territory = boundaries.territory
    shapely.prepare(territory)
    for path, areas in _areas_by_file(config):
        yield from repair_lines(area.repair for area in areas if area.repair is not None)
        touching = [bool(shapely.intersects(territory, area.shape)) for area in areas]
        for area, touches in zip(areas, touching, strict=True):
            if not touches:
                refuse_exchanged_area(area, boundaries)
        if areas and not any(touching):
            yield f"  no effect     {path}: none of its {len(areas)} polygons touches the territory"


def _areas_by_file(config: Config) -> Iterator[tuple[Path, list[ChannelArea]]]:
    """All areas of the configuration with their files."""
    areas = config.areas
    closed = [*areas.exclusions, *areas.licensed]
    yield from ((files_of_item(item)[0], read_exclusions([item])) for item in closed)
    yield from ((files_of_item(item)[0], [mask.area for mask in read_masks([item])]) for item in areas.masks)
    yield from (
        (files_of_item(item)[0], [adjustment.area for adjustment in read_adjustments([item])])
        for item in areas.adjustments
    )


def table_lines(entries: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """The table as text, a line for each register, from its lines as plain data."""
    for entry in entries:
        counts = [f"{name} {entry[name]}" for name in COUNTS if entry[name] is not None]
        yield f"  plausibility  {entry['register']}: {', '.join(counts)}"


def register_lines(register: xr.Dataset, facts: Sequence[RegisterFacts]) -> Iterator[str]:
    """Lines on doubtful stations, names of networks spelt differently, patterns that may be field."""
    told = {
        "serving_nothing_at_home": "  serving       the fields around give no reception at home",
        "height_differs": f"  site height   differs by more than "
        f"{_HEIGHT_DIFFERS_M:g} m from the terrain model",
        "height_unknown": "  height        neither by terrain nor by haat_m, that above ground stands in",
        "code_without_polygon": "  country       no polygon of the country code",
        "far_from_home": f"  far away      more than {HOME_KM:g} km outside home",
    }
    for name, text in told.items():
        if listed := [station for line in facts for station in line.ids.get(name, ())]:
            yield f"{text}: {_listed(listed)}"
    for text in register.attrs.get(SPELLINGS, []):
        yield f"  sfn           {text}: they differ only in case, blanks or signs"
    attenuation_db = register["attenuation_db"].values
    either = np.flatnonzero(attenuation_db.max(axis=1, initial=0.0) == 1.0)
    if either.size:
        names = _listed(register["id"].values[either].tolist())
        yield f"  pattern       0 to exactly 1 dB, relative field looks like this: {names}"


def _listed(ids: Sequence[str]) -> str:
    return ", ".join(ids[:10]) + (f" and {len(ids) - 10} more" if len(ids) > 10 else "")


# --- doubtful stations --------------------------------------------------------------------------------------


def _doubtful(
    config: Config, boundaries: Boundaries, register: xr.Dataset, elevation: LonLatRaster | None
) -> dict[str, set[str]]:
    """Ids of transmitters by the name of the count; none of a count that nothing tells."""
    ids, terrain_m = register["id"].values, _terrain_at_sites(register, elevation)
    found = {
        "duplicates": {str(ids[later]) for _, later in twins(register, also_of_one_network=True)},
        "height_unknown": set(ids[_height_unknown(register, terrain_m, elevation)].tolist()),
    }
    if elevation is not None:
        found["height_differs"] = set(ids[_height_differs(register, terrain_m)].tolist())
    if config.territory.polygons is not None:
        unknown = ~np.isin(register["country"].values, [*boundaries.codes, ""])
        found["code_without_polygon"] = set(ids[unknown].tolist())
    return found


def _void_faults(config: Config, register: xr.Dataset, elevation: LonLatRaster | None) -> list[InputError]:
    """Home stations of no known height within the terrain model: it has a void under the mast."""
    if elevation is None:
        return []
    terrain_m = _terrain_at_sites(register, elevation)
    doubtful = is_home(config, register) & _height_unknown(register, terrain_m, elevation)
    rows, cols = elevation.values.shape
    row = (elevation.north_deg - register["lat_deg"].values) / elevation.step_lat_deg
    col = (register["lon_deg"].values - elevation.west_deg) / elevation.step_lon_deg
    inside = (row >= 0.0) & (row <= rows) & (col >= 0.0) & (col <= cols)
    known = ~np.isnan(register["antenna_height_agl_m"].values)
    chosen = np.flatnonzero(doubtful & inside & known & np.isnan(terrain_m))
    ids = [name for name in register["id"].values[chosen].tolist() if name not in config.registers.accept]
    return [
        InputError(
            "the terrain model has no height under the mast",
            file=register.attrs[PLACES][name][0],
            row=register.attrs[PLACES][name][1],
            field="site_height_asl_m",
            value="",
            allowed=f"a site height or haat_m, terrain without a void; or id {name} in registers.accept",
        )
        for name in ids
    ]


def _terrain_at_sites(register: xr.Dataset, elevation: LonLatRaster | None) -> NDArray[np.float64]:
    """Terrain at the sites in m, NaN where it is not known."""
    sites = zip(register["lon_deg"].values.tolist(), register["lat_deg"].values.tolist(), strict=True)
    if elevation is None:
        return np.full(register.sizes["transmitter"], np.nan)
    return np.array([ground_at(elevation, *site) for site in sites], dtype=np.float64)


def _height_differs(register: xr.Dataset, terrain_m: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which stated site heights cannot be that of the terrain; where either is not known: not."""
    stated_m = register["site_height_asl_m"].values
    differs = np.abs(stated_m - terrain_m) > _HEIGHT_DIFFERS_M
    return np.asarray(differs | ((stated_m == 0.0) & (terrain_m > _NOT_SEA_LEVEL_M)))


def _height_unknown(
    register: xr.Dataset, terrain_m: NDArray[np.float64], elevation: LonLatRaster | None
) -> NDArray[np.bool_]:
    """Which effective heights follow from neither terrain nor register (``terrain/sweep.py``)."""
    site_m, agl_m, haat_m = (
        register[name].values for name in ("site_height_asl_m", "antenna_height_agl_m", "haat_m")
    )
    by_terrain = ~np.isnan(np.where(np.isnan(site_m), terrain_m, site_m) + agl_m) & (elevation is not None)
    return np.asarray(~by_terrain & (np.isnan(haat_m) | (haat_m == 0.0)))
