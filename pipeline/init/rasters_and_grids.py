"""What follows from the data of a folder: the channel raster, the grid of the country, its neighbours."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Annotated, NamedTuple

import numpy as np
import shapely
from pydantic import Field
from pyproj import CRS
from shapely.geometry.base import BaseGeometry

from pipeline.config.config import Config
from pipeline.coverage.network import with_countries
from pipeline.grid.grid import Box
from pipeline.grid.polygons import Boundaries, cut, project
from pipeline.init.table_proposal import TableProposal
from pipeline.radio.channel_plan import ChannelPlan, centre_mhz, segment_of
from pipeline.registers.finishing import nearest_channel
from pipeline.registers.named_plans import named_plan, plan_names
from pipeline.registers.transmitter_rows import CENTRE_TOLERANCE_MHZ
from pipeline.registers.transmitters import read_register
from pipeline.rows.row_models import SourcedRow, read_rows
from pipeline.shipped import TABLES

_GRIDS = TABLES / "national_grids.csv"
# So many of the frequencies of a register lie on its raster; others are errors of entries.
_ON_RASTER = 0.98
# As near is a raster within this of the nearest: others are 1/7 MHz off.
_AS_NEAR_MHZ = 0.01
_NEIGHBOUR_KM = 300.0
# Degrees around a territory in which neighbours are looked for: more than 300 km up to 65 degrees north.
_AROUND_DEG = 7.0
# A national grid is taken if this part of the country lies in its area of use; polygons farther from it than
# so many degrees are overseas.
_MOST_OF_IT, _NEAR_DEG = 0.5, 1.0


class _GridRow(SourcedRow):
    iso2: Annotated[str, Field(pattern=r"^[A-Z]{2}$", description="two letters")]
    crs: Annotated[str, Field(pattern=r"^EPSG:\d{4,6}$", description="EPSG code")]
    name: str


def plans_on(frequencies_mhz: Sequence[float], channels: Sequence[int | None]) -> list[str]:
    """The rasters on which nearly all frequencies lie nearest, with their channels where these are known.

    Of rasters that hold one another the first of the table.

    Frequencies and channels by entry. Without frequencies: those that have the channels.
    """
    found: dict[str, float] = {}
    for name in plan_names():
        plan = named_plan(name)
        if frequencies_mhz:
            pairs = zip(frequencies_mhz, channels, strict=True)
            good = [(n := nearest_channel(plan, f)) is not None and c in (n, None) for f, c in pairs]
        else:
            known = {n for s in plan for n in range(s.first_channel, s.last_channel + 1)}
            good = [channel in known for channel in channels]
        if good and sum(good) >= _ON_RASTER * len(good):
            found[name] = (
                float(np.mean([_off_mhz(plan, f) for f in frequencies_mhz])) if frequencies_mhz else 0.0
            )
    nearest = [name for name, off in found.items() if off <= min(found.values()) + _AS_NEAR_MHZ]
    chosen: dict[str, frozenset[tuple[int, float]]] = {}
    for name in nearest:
        raster = _raster_of(name)
        if not any(raster <= other or other <= raster for other in chosen.values()):
            chosen[name] = raster
    return [*chosen]


def _off_mhz(plan: ChannelPlan, f_mhz: float) -> float:
    """How far a frequency is from the centre of its channel; the tolerance where it is in none."""
    number = nearest_channel(plan, f_mhz)
    segment = None if number is None else segment_of(plan, number)
    if segment is None or number is None:
        return CENTRE_TOLERANCE_MHZ
    return abs(f_mhz - centre_mhz(segment, number))


def _raster_of(name: str) -> frozenset[tuple[int, float]]:
    """Channels of a raster with their centres: that of UHF alone is a part of that with VHF."""
    return frozenset(
        (number, round(centre_mhz(segment, number), 3))
        for segment in named_plan(name)
        for number in range(segment.first_channel, segment.last_channel + 1)
    )


def entries_of(table: TableProposal) -> tuple[list[float], list[int | None]]:
    """Frequencies in MHz and channels of a proposed table by entry; no frequencies where it has none."""
    factor = {"kHz": 1e-3, "Hz": 1e-6, "GHz": 1e3}.get(
        table.columns.get("centre_mhz", {}).get("unit", ""), 1.0
    )
    f_mhz = table.numbers("centre_mhz")
    channels = table.channels()
    if not any(value is not None for value in f_mhz):
        return [], [channel for channel in channels if channel is not None]
    pairs = [(f * factor, c) for f, c in zip(f_mhz, channels, strict=True) if f is not None]
    return [f for f, _ in pairs], [c for _, c in pairs]


class GridChoice(NamedTuple):
    """The CRS of the grid and why; ``bbox_deg``: the part of the country in its area of use, None for all."""

    crs: str
    note: str
    bbox_deg: Box | None = None


def grid_of_country(country: str, home: BaseGeometry) -> GridChoice:
    """The national grid, else the UTM zone of the middle of the country's polygons in degrees.

    Parts overseas, which no grid holds together with the others, are cut off.
    """
    row = next((row for row in read_rows(_GRIDS, _GridRow) if row.iso2 == country), None)
    area = None if row is None else CRS.from_user_input(row.crs).area_of_use
    if row is not None and area is not None:
        used = shapely.box(area.west, area.south, area.east, area.north)
        if shapely.intersection(home, used).area >= _MOST_OF_IT * home.area:
            parts = shapely.get_parts(home)
            near = shapely.dwithin(parts, used, _NEAR_DEG)
            cut_to = None if near.all() else _rounded(shapely.total_bounds(parts[near]))
            return GridChoice(row.crs, f"national grid, {row.name}", cut_to)
    west, south, east, north = home.bounds
    zone = int((((west + east) / 2.0 + 180.0) % 360.0) // 6.0) + 1
    code = (32600 if south + north >= 0.0 else 32700) + zone
    return GridChoice(f"EPSG:{code}", f"GUESS: UTM zone {zone} of the middle of the country")


def _rounded(box_deg: Sequence[float]) -> Box:
    """A box widened to tenths of a degree."""
    west, south = (math.floor(10.0 * value) / 10.0 for value in box_deg[:2])
    east, north = (math.ceil(10.0 * value) / 10.0 for value in box_deg[2:])
    return west, south, east, north


def stations_of_neighbours(config: Config, boundaries: Boundaries) -> dict[str, int]:
    """Countries within 300 km of the territory, with how many stations the register has of each."""
    register, _ = read_register(config)
    stated: Collection[str] = with_countries(config, register)["country"].values.tolist()
    near = _near(boundaries, config.grid.crs)
    return {code: list(stated).count(code) for code in near}


def _near(boundaries: Boundaries, crs: str) -> list[str]:
    west, south, east, north = boundaries.territory.bounds
    box = west - _AROUND_DEG, south - _AROUND_DEG, east + _AROUND_DEG, north + _AROUND_DEG
    own = shapely.union_all(project([boundaries.territory], crs))
    found = []
    for code, shape in zip(boundaries.codes, boundaries.countries, strict=True):
        parts = [] if code in boundaries.home else project(cut([shape], box), crs)
        if any(shapely.distance(own, part) <= 1000.0 * _NEIGHBOUR_KM for part in parts):
            found.append(code)
    return found
