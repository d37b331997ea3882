"""`channelmaps radar concerned`: what a new radar means to those of a register, and they to it.

Resolution 612 has distances to the borders of other administrations, not between radars. A registered radar
is concerned where the two overlap in frequency and each is within the other's distance. With country polygons
paths are looked at; without them every path counts as one over sea, which has the larger distance.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline.coordination.radar.borders import NearPlaces, foreign_borders, geocentric_m
from pipeline.coordination.radar.cr372_records import Radar, frequency_mhz, number_of
from pipeline.coordination.radar.cr372_register import read_register
from pipeline.coordination.radar.ground import Ground, read_ground
from pipeline.coordination.radar.register_views import NOTICE, print_table
from pipeline.coordination.radar.resolution612 import RequiredSeparation
from pipeline.coordination.radar.zones import RegisteredRadar, affected, paths_over_sea, stations
from pipeline.errors import InputError
from pipeline.grid.grid import GEOD

_SEA_MIN_KM = 2.0
_COLUMNS = (
    "new",
    "registered",
    "adm",
    "distance_km",
    "path",
    "new_needs_km",
    "registered_needs_km",
    "concerned",
)


class _Sited(NamedTuple):
    """A radar with its station: where it is, and the distances that it needs, if any."""

    radar: Radar
    station: RegisteredRadar


def radar_concerned_command(register: Path, new: Path, borders: Path | None, *, as_json: bool) -> None:
    """Print which registered radars and administrations new ones concern, and which concern them.

    ``new`` records in the format of CR/372, every one an A; ``borders`` country polygons of the world or of
    all that is within reach.
    """
    known, added = _sited(read_register(register)), _sited(read_register(new))
    if not added:
        raise InputError("no radar with a location and a frequency", file=new)
    ground = None if borders is None else _ground(borders, [*known, *added])
    pairs = [row for one in added for row in _pairs(one, known, ground)]
    administrations = [] if ground is None else [entry for one in added for entry in _foreign(one, ground)]
    if as_json:
        document = {"notice": NOTICE, "radars": pairs, "administrations": administrations}
        print(json.dumps(document, indent=1, ensure_ascii=False))
        return
    print_table(_COLUMNS, [[_text(row[name]) for name in _COLUMNS] for row in pairs])
    for entry in administrations:
        print("  ".join(f"{name} {_text(value)}" for name, value in entry.items()))
    if ground is None:
        print("Without --borders no administrations are looked for, and paths count as sea.", file=sys.stderr)
    print(NOTICE, file=sys.stderr)


def _sited(radars: Sequence[Radar]) -> list[_Sited]:
    """Radars that have a frequency and a place, with their stations."""
    tuned = [radar for radar in radars if frequency_mhz(radar) is not None]
    return [_Sited(radar, station) for radar in tuned for station in stations([radar])]


def _ground(borders: Path, radars: Sequence[_Sited]) -> Ground:
    locations = (np.array([r.station.lon_deg for r in radars]), np.array([r.station.lat_deg for r in radars]))
    needed_km = max((r.station.separation.sea_km for r in radars if r.station.separation), default=0.0)
    return read_ground(borders, None, locations, needed_km)[0]


def _pairs(new: _Sited, known: Sequence[_Sited], ground: Ground | None) -> Iterator[dict[str, object]]:
    """Rows on the registered radars that share frequencies with a new one and are within some distance."""
    for other in known:
        overlap_khz = _overlap_khz(new.radar, other.radar)
        if other.radar[1:] == new.radar[1:] or not overlap_khz:
            continue
        distance_km = _distance_km(new.station, other.station)
        reach_km = [s.sea_km for s in (new.station.separation, other.station.separation) if s]
        if not reach_km or distance_km > max(reach_km):
            continue
        path = "unknown" if ground is None else _path(new.station, other.station, distance_km, ground)
        needed = _needed_km(new.station.separation, path)
        other_needed = _needed_km(other.station.separation, path)
        yield {
            "new": new.station.key,
            "registered": other.station.key,
            "adm": other.radar.adm,
            "distance_km": round(distance_km, 3),
            "path": path,
            "overlap_khz": round(overlap_khz, 3),
            "new_needs_km": needed,
            "registered_needs_km": other_needed,
            "new_reaches_registered": needed is not None and distance_km <= needed,
            "registered_reaches_new": other_needed is not None and distance_km <= other_needed,
            # A radar that only receives has no distance of its own.
            "concerned": distance_km <= min(km for km in (needed, other_needed) if km is not None),
        }


def _foreign(new: _Sited, ground: Ground) -> Iterator[dict[str, object]]:
    """Administrations whose land is within the distance of a new radar (Resolution 612, resolves 6)."""
    if new.station.separation is None:
        return
    site = NearPlaces(np.array([[new.station.lon_deg, new.station.lat_deg]]))
    borders = foreign_borders(ground.countries, new.radar.adm, near=site)
    for entry in affected(new.station, borders, ground.clearance, _SEA_MIN_KM):
        yield {
            "new": new.station.key,
            "adm": entry.administration,
            "distance_km": round(entry.least_km, 3),
            "path": "sea_or_mixed" if entry.over_sea else "land",
            "margin_km": round(entry.margin_km, 3),
        }


def _overlap_khz(one: Radar, other: Radar) -> float:
    """Common part of two emissions; a bandwidth that cannot be read counts as none of its own."""
    edges = [_edges_khz(radar) for radar in (one, other)]
    low, high = max(e[0] for e in edges), min(e[1] for e in edges)
    # Two carriers of one frequency meet, even without a bandwidth.
    return max(high - low, 1e-3 if high == low else 0.0)


def _edges_khz(radar: Radar) -> tuple[float, float]:
    width = number_of(radar.bdwdth_khz)
    centre_khz, half_khz = 1000.0 * (frequency_mhz(radar) or 0.0), 0.5 * float(width or 0)
    return centre_khz - half_khz, centre_khz + half_khz


def _distance_km(one: RegisteredRadar, other: RegisteredRadar) -> float:
    return float(GEOD.inv(one.lon_deg, one.lat_deg, other.lon_deg, other.lat_deg)[2]) / 1000.0


def _path(one: RegisteredRadar, other: RegisteredRadar, distance_km: float, ground: Ground) -> str:
    points_m = geocentric_m(np.array([[other.lon_deg, other.lat_deg]]))
    sea = paths_over_sea(one, points_m, np.array([distance_km]), ground.clearance, _SEA_MIN_KM)
    return "sea_or_mixed" if sea[0] else "land"


def _needed_km(separation: RequiredSeparation | None, path: str) -> float | None:
    """Distance that a radar needs on a path; None for one that only receives or is in no interval."""
    if separation is None:
        return None
    return separation.land_km if path == "land" else separation.sea_km


def _text(value: object) -> str:
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
