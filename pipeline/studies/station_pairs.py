"""Pairs of television stations that may not share or touch a channel: those of the FCC against ours.

The FCC's lists say for each pair whether one station would take more than a share of its population from the
other, by terrain along each path (Longley-Rice). Here the fields are those of P.1546-6 over smooth ground at
the station's height over average terrain, the shares are of area, and D/U ratios are those of the FCC
(``configs/tables/tv_pairs.csv``); docs/validation.md says what comes of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.dtt.separation import ProtectedContour, contour_km
from pipeline.errors import InputError
from pipeline.grid.grid import GEOD
from pipeline.rows.row_models import NumberCell, SourcedRow, read_rows
from pipeline.rows.text_records import csv_cells, wrong_width
from pipeline.shipped import TABLES
from pipeline.studies.predict import predict_table
from pipeline.studies.predict_profiles import number_in

CO, UPPER, LOWER = "CO", "ADJ+1", "ADJ-1"
"""Kinds of pairs as the lists name them: the other station is on the same channel, one above, one below."""

# The channel whose lists are compared, and its centre; the stations of channels 14 and up are put on it.
CHANNEL, _CENTRE_MHZ, _WIDTH_MHZ, _FIRST_UHF = 25, 539.0, 6.0, 14
# 47 CFR 73.684: heights below that count as this.
_LEAST_HEIGHT_M = 30.0
_FULL_POWER = "1"
_AZIMUTHS, _RINGS = 36, 12
_D_KM = np.concatenate([np.arange(1.0, 20.0), np.arange(20.0, 600.0, 4.0)])
_LEAST_FIELD = 0.01  # of a pattern of relative field: -40 dB
_RECEIVER_M = 10.0
_PATTERN_COLUMNS = tuple(str(10 * k) for k in range(_AZIMUTHS))
_FACTS = ("FacID", "Ch", "Lat", "Lon", "HAAT", "ERP", "DA", "Rot", "Type", "Area")
_STATION_COLUMNS = (*_FACTS, *_PATTERN_COLUMNS)
_LEAST_KW, _FIRST_OTHER = 1e-6, 4


class TvStation(NamedTuple):
    """A station: degrees, height over average terrain, e.r.p., relative field by 10 degrees, its area.

    ``channel`` its own, on which it has that area.
    """

    id: str
    lon_deg: float
    lat_deg: float
    haat_m: float
    erp_kw: float
    pattern: tuple[float, ...]
    area_km2: float
    channel: int = CHANNEL
    directional: bool = False


class PairRules(NamedTuple):
    """The numbers of ``tv_pairs.csv``."""

    contour_dbuvm: float
    contour_mhz: float
    co_channel_db: float
    co_channel_weak_db: float
    upper_db: float
    lower_db: float
    front_to_back_db: float
    share_pct: float


class PairCount(NamedTuple):
    """Pairs of the list and pairs that are none, and how many of each are ours; of some distances in km."""

    kind: str
    near_km: float
    far_km: float
    listed: int
    reproduced: int
    unlisted: int
    ours_alone: int


class PairStudy(NamedTuple):
    """Lost shares of area [desired, undesired] in per cent by kind, distances in km, areas in km2."""

    lost_pct: Mapping[str, NDArray[np.float64]]
    distance_km: NDArray[np.float64]
    area_km2: NDArray[np.float64]


class _RuleRow(SourcedRow):
    name: str
    value: NumberCell


class _Fields(NamedTuple):
    """By station and distance of ``_D_KM``: field of 1 kW exceeded for 90 and for 10 % of time; gain."""

    wanted_dbuvm: NDArray[np.float64]
    other_dbuvm: NDArray[np.float64]


class _Points(NamedTuple):
    """Points of a station's area: degrees, field there, azimuth to the station, and share of the area."""

    lon_deg: NDArray[np.float64]
    lat_deg: NDArray[np.float64]
    field_dbuvm: NDArray[np.float64]
    back_deg: NDArray[np.float64]
    weight_km2: NDArray[np.float64]


# --- reading ------------------------------------------------------------------------------------------------


def read_rules(path: Path = TABLES / "tv_pairs.csv") -> PairRules:
    """The numbers of the FCC's studies; InputError where one is missing."""
    values = {row.name: float(row.value) for row in read_rows(path, _RuleRow)}
    for name in PairRules._fields:
        if name not in values:
            raise InputError("is missing", file=path, field="name", value=name)
    return PairRules(**{name: values[name] for name in PairRules._fields})


def read_stations(path: Path) -> list[TvStation]:
    """Full-power stations on channels 14 and up with one site and a height over average terrain.

    Longitudes of the file count westward; its pattern is relative field and turned by ``Rot`` where the
    antenna is directional.
    """
    lines = csv_cells(path)
    header = [name.strip() for name in next(lines, (1, [""]))[1]]
    for name in _STATION_COLUMNS:
        if name not in header:
            raise InputError("column is missing", file=path, row=1, field=name)
    at = {name: header.index(name) for name in _STATION_COLUMNS}
    found = []
    for line, row in lines:
        if len(row) != len(header):
            raise wrong_width(path, line, row, header)
        cell = {name: row[k].strip() for name, k in at.items()}
        if cell["Type"] == _FULL_POWER and cell["Ch"] and cell["HAAT"]:
            station = _station(path, line, cell)
            if station is not None:
                found.append(station)
    if len(found) < 2:
        what = f"stations of full power on channels from {_FIRST_UHF} with HAAT and Area"
        raise InputError("holds no pair", file=path, value=len(found), allowed=f"two or more {what}")
    return found


def _station(path: Path, line: int, cell: Mapping[str, str]) -> TvStation | None:
    """The station of a row; None without a height, an area, or a channel that is compared."""

    def number(name: str, low: float, high: float) -> float:
        return number_in(path, line, cell, name, low, high)

    area_km2 = number("Area", 0.0, 1e7) if cell["Area"] else 0.0
    haat_m = number("HAAT", -1e4, 1e4)
    if number("Ch", 1, 99) < _FIRST_UHF or haat_m <= 0.0 or area_km2 <= 0.0:
        return None
    turned_deg = number("Rot", -360.0, 360.0) if cell["DA"] == "DA" and cell["Rot"] else 0.0
    pattern = [number(name, 0.0, 1.0) if cell[name] else 1.0 for name in _PATTERN_COLUMNS]
    return TvStation(
        cell["FacID"],
        -number("Lon", -180.0, 180.0),
        number("Lat", -90.0, 90.0),
        haat_m,
        number("ERP", _LEAST_KW, 1e4),
        _turned(pattern, turned_deg),
        area_km2,
        int(number("Ch", 1, 99)),
        cell["DA"] == "DA",
    )


def _turned(pattern: Sequence[float], turned_deg: float) -> tuple[float, ...]:
    """A pattern by 10 degrees turned clockwise, linear between its points."""
    step_deg = 360.0 / _AZIMUTHS
    wanted_deg = (step_deg * np.arange(_AZIMUTHS) - turned_deg) % 360.0
    known_deg = step_deg * np.arange(_AZIMUTHS + 1)
    return tuple(np.interp(wanted_deg, known_deg, [*pattern, pattern[0]]).tolist())


def read_pairs(path: Path, channel: int = CHANNEL) -> dict[str, set[tuple[str, str]]]:
    """Pairs by kind: a station on the channel, and one that may not stand on the other channel of the row."""
    found: dict[str, set[tuple[str, str]]] = {CO: set(), UPPER: set(), LOWER: set()}
    for line, cells in csv_cells(path):
        if len(cells) < _FIRST_OTHER + 1:
            problem, allowed = "row names no pair", "kind, two channels, a station and one or more others"
            raise InputError(problem, file=path, row=line, value=", ".join(cells), allowed=allowed)
        kind, own, _, subject = (cell.strip() for cell in cells[:_FIRST_OTHER])
        if kind not in found:
            allowed = ", ".join(found)
            raise InputError("unknown kind of pair", file=path, row=line, value=kind, allowed=allowed)
        if own == str(channel):
            found[kind] |= {(subject, other.strip()) for other in cells[_FIRST_OTHER:]}
    if not any(found.values()):
        raise InputError(
            f"names no pair on channel {channel}", file=path, allowed="a list of this channel too"
        )
    return found


# --- computing ----------------------------------------------------------------------------------------------


def study_pairs(
    stations: Sequence[TvStation], rules: PairRules, *, own_areas: bool, more_db: float = 0.0
) -> PairStudy:
    """The share of each station's area that each other one would take.

    ``own_areas``: within the contour of P.1546, else within one that is drawn in or out until its area is
    that of the FCC. ``more_db`` is added to the fields of the other stations.
    """
    fields = [_fields_of(station.haat_m) for station in stations]
    n = len(stations)
    lost = {kind: np.zeros((n, n)) for kind in (CO, UPPER, LOWER)}
    distance_km, areas_km2 = np.zeros((n, n)), np.zeros(n)
    contour_dbuvm = _contour_dbuvm(rules)
    for i, station in enumerate(stations):
        points = _points_of(station, fields[i], contour_dbuvm, own_areas)
        areas_km2[i] = points.weight_km2.sum()
        for j, other in enumerate(stations):
            away_m = GEOD.inv(station.lon_deg, station.lat_deg, other.lon_deg, other.lat_deg)[2]
            distance_km[i, j] = away_m / 1000.0
            if i != j and distance_km[i, j] < _D_KM[-1]:
                over_db = points.field_dbuvm - _received_dbuvm(points, other, fields[j], rules) - more_db
                co_db = _co_channel_db(points, contour_dbuvm, rules)
                for kind, ratio_db in ((CO, co_db), (UPPER, rules.upper_db), (LOWER, rules.lower_db)):
                    taken_km2 = points.weight_km2[over_db < ratio_db].sum()
                    lost[kind][i, j] = 100.0 * taken_km2 / areas_km2[i]
    return PairStudy(lost, distance_km, areas_km2)


def noise_limited_areas_km2(stations: Sequence[TvStation], rules: PairRules) -> NDArray[np.float64]:
    """Areas [n] within the contour F(50,90) of the FCC's curves, each station on its own channel.

    The height over average terrain of the record stands for those of all azimuths.
    """
    return np.array([_noise_limited_area_km2(station, rules) for station in stations])


def _noise_limited_area_km2(station: TvStation, rules: PairRules) -> float:
    f_mhz = _CENTRE_MHZ + _WIDTH_MHZ * (station.channel - CHANNEL)
    contour = ProtectedContour(_contour_dbuvm(rules, f_mhz), _LEAST_HEIGHT_M)
    pattern_db = 20.0 * np.log10(np.maximum(station.pattern, _LEAST_FIELD))
    erp_dbkw = 10.0 * math.log10(station.erp_kw) + pattern_db
    radii_km = contour_km(contour, f_mhz, np.full(_AZIMUTHS, station.haat_m), erp_dbkw, None)
    return float(math.pi / _AZIMUTHS * (radii_km**2).sum())


def _contour_dbuvm(rules: PairRules, f_mhz: float = _CENTRE_MHZ) -> float:
    return rules.contour_dbuvm - 20.0 * math.log10(rules.contour_mhz / f_mhz)


def _fields_of(haat_m: float) -> _Fields:
    """Fields of 1 kW over land by P.1546; for 90 % of time 2 E(50 %) - E(10 %), as the FCC has it."""
    links = {"f_mhz": _CENTRE_MHZ, "d_km": _D_KM, "heff_m": haat_m, "h2_m": _RECEIVER_M, "d_v_km": _D_KM}
    half, tenth = (
        predict_table(pd.DataFrame(links | {"t_pct": t, "path_c": "Land"}), "p1546")["field_dbuvm"].to_numpy()
        for t in (50.0, 10.0)
    )
    return _Fields(2.0 * half - tenth, tenth)


def _gain_db(station: TvStation, azimuth_deg: NDArray[np.float64]) -> NDArray[np.float64]:
    """e.r.p. over 1 kW in some directions."""
    pattern = np.append(station.pattern, station.pattern[0])
    field = np.interp(azimuth_deg % 360.0, 360.0 / _AZIMUTHS * np.arange(_AZIMUTHS + 1), pattern)
    relative_db: NDArray[np.float64] = 20.0 * np.log10(np.maximum(field, _LEAST_FIELD))
    return 10.0 * math.log10(station.erp_kw) + relative_db


def _points_of(station: TvStation, fields: _Fields, contour_dbuvm: float, own_areas: bool) -> _Points:
    """Points on rings up to the contour, at the middle of each ring."""
    azimuth_deg = 360.0 / _AZIMUTHS * np.arange(_AZIMUTHS, dtype=np.float64)
    level_dbuvm = fields.wanted_dbuvm + _gain_db(station, azimuth_deg)[:, None]
    served = level_dbuvm >= contour_dbuvm
    last = np.where(served.any(axis=1), served.shape[1] - 1 - np.argmax(served[:, ::-1], axis=1), 0)
    radius_km: NDArray[np.float64] = _D_KM[last]
    sector = math.radians(360.0 / _AZIMUTHS)
    if not own_areas:
        radius_km = radius_km * math.sqrt(station.area_km2 / (0.5 * sector * float((radius_km**2).sum())))
    share = (np.arange(_RINGS) + 0.5) / _RINGS
    d_km = radius_km[:, None] * share
    level = np.stack([np.interp(d_km[k], _D_KM, level_dbuvm[k]) for k in range(_AZIMUTHS)])
    every = np.repeat(azimuth_deg, _RINGS)
    start = np.full(every.size, station.lon_deg), np.full(every.size, station.lat_deg)
    lon_deg, lat_deg, back_deg = GEOD.fwd(*start, every, 1000.0 * d_km.ravel())
    weight_km2 = sector * d_km * radius_km[:, None] / _RINGS
    return _Points(
        np.asarray(lon_deg), np.asarray(lat_deg), level.ravel(), np.asarray(back_deg), weight_km2.ravel()
    )


def _received_dbuvm(
    points: _Points, other: TvStation, fields: _Fields, rules: PairRules
) -> NDArray[np.float64]:
    """Field of another station at points whose antennas are directed at their own."""
    ends = np.full(points.lon_deg.size, other.lon_deg), np.full(points.lon_deg.size, other.lat_deg)
    found = GEOD.inv(*ends, points.lon_deg, points.lat_deg)
    out_deg, in_deg, length_m = (np.asarray(values, dtype=np.float64) for values in found)
    level_dbuvm: NDArray[np.float64] = np.interp(length_m / 1000.0, _D_KM, fields.other_dbuvm)
    off_deg = np.abs((in_deg - points.back_deg + 180.0) % 360.0 - 180.0)
    ahead = np.maximum(np.cos(np.radians(off_deg)), 1e-6)
    received_db = np.maximum(80.0 * np.log10(ahead), -rules.front_to_back_db)
    return level_dbuvm + _gain_db(other, out_deg) + received_db


def _co_channel_db(points: _Points, contour_dbuvm: float, rules: PairRules) -> NDArray[np.float64]:
    """D/U of the same channel: more where the wanted field is hardly above the noise."""
    above_db = np.maximum(points.field_dbuvm - contour_dbuvm, 1e-3)
    weak_db = rules.co_channel_db - 10.0 * np.log10(1.0 - 10.0 ** (-0.1 * above_db))
    return np.minimum(weak_db, rules.co_channel_weak_db)


# --- comparing ----------------------------------------------------------------------------------------------


def ours(study: PairStudy, kind: str, rules: PairRules) -> NDArray[np.bool_]:
    """Whether either of two stations would take too much of the other, [on the channel, other].

    A station one channel above the first is disturbed by one that lies below it.
    """
    opposite = {CO: CO, UPPER: LOWER, LOWER: UPPER}[kind]
    taken: NDArray[np.bool_] = np.maximum(study.lost_pct[kind], study.lost_pct[opposite].T) > rules.share_pct
    return taken


def listed_pairs(stations: Sequence[TvStation], pairs: set[tuple[str, str]]) -> NDArray[np.bool_]:
    """The FCC's pairs among some stations, [on the channel, other]."""
    ids = [station.id for station in stations]
    return np.array([[(a, b) in pairs for b in ids] for a in ids], dtype=np.bool_).reshape(len(ids), -1)


def count_pairs(
    kind: str,
    listed: NDArray[np.bool_],
    taken: NDArray[np.bool_],
    distance_km: NDArray[np.float64],
    edges_km: Sequence[float] = (0.0, math.inf),
) -> Iterator[PairCount]:
    """Counts by class of distance; of the same channel each pair counts once, else each order of it."""
    chosen = np.triu(np.ones_like(listed), 1) if kind == CO else ~np.eye(len(listed), dtype=np.bool_)
    for near_km, far_km in pairwise(edges_km):
        here = chosen & (distance_km >= near_km) & (distance_km < far_km)
        yield PairCount(
            kind,
            near_km,
            far_km,
            int((listed & here).sum()),
            int((listed & taken & here).sum()),
            int((~listed & here).sum()),
            int((~listed & taken & here).sum()),
        )
