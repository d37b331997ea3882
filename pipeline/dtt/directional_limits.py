"""Limits by DTT reception at one pixel by the direction of the victims (docs/method.md, section 46).

The published limit is that of a device that radiates equally in all directions: the least of these.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.dtt.channel_files import ChannelFiles
from pipeline.dtt.level_terms import server_at
from pipeline.dtt.limit_budget import VictimSearch, floor_db, places_of, victim_searches
from pipeline.dtt.limiting_victims import MapSearch, strictest_victim
from pipeline.dtt.victims import ExplainedPixel
from pipeline.radio.channel_plan import Offset

BEARING_SECTORS = 72
_SECTOR_DEG = 360.0 / BEARING_SECTORS
# Device and victim may be anywhere in their pixels: half a diagonal each.
_SPREAD_PX = math.sqrt(2.0)
# Services of victims at home and abroad.
_OWN, _FOREIGN = "dtt", "foreign_dtt"


class SectorVictim(NamedTuple):
    """The reception that limits a sector: its service, channel, and the station that is received."""

    service: str
    channel: int
    station: str


class SectorLimits(NamedTuple):
    """Limit in dBm, float64[72], by sector of 5 degrees, inf none; and the victim that it is of."""

    level_dbm: NDArray[np.float64]
    victims: tuple[SectorVictim | None, ...]


def limits_by_direction(asked: ExplainedPixel, victims: Sequence[tuple[int, Offset]]) -> SectorLimits:
    """Limits by the sector from grid north in which victims lie.

    A victim counts in every sector that it could lie in, one in a touching pixel in all. For the method
    ``degradation``.
    """
    lowest_dbm, places = np.full(BEARING_SECTORS, math.inf), places_of(asked)
    lying: dict[int, tuple[str, int, int, int]] = {}
    for channel, offset in victims:
        for one in victim_searches(asked, places, channel, offset):
            for sector, search in _by_sector(one):
                found = strictest_victim(search, one.place)
                if found is not None:
                    level_dbm = found.permissible_dbm - one.more_db
                    level_dbm += floor_db(one, asked.device, offset, found.permissible_dbm)
                    if level_dbm < lowest_dbm[sector]:
                        lowest_dbm[sector] = level_dbm
                        place = one.box.rows.start + found.row, one.box.cols.start + found.col
                        lying[sector] = _FOREIGN if found.kind.foreign else _OWN, channel, *place
    named = {one: SectorVictim(*one[:2], _station(asked, *one[1:])) for one in set(lying.values())}
    return SectorLimits(
        lowest_dbm, tuple(named[lying[n]] if n in lying else None for n in range(BEARING_SECTORS))
    )


def _station(asked: ExplainedPixel, channel: int, row: int, col: int) -> str:
    return str(server_at(ChannelFiles(asked.build, channel), row, col)["id"])


def _by_sector(one: VictimSearch) -> Iterator[tuple[int, MapSearch]]:
    """The search with the victims of one sector alone, for each sector that has any."""
    if not one.search.passes:
        return
    low, high = _sectors_of(one.search.passes[0].permissible_dbm.shape, one.place)
    known = np.logical_or.reduce([np.isfinite(part.permissible_dbm) for part in one.search.passes])
    for sector in range(BEARING_SECTORS):
        within = (low <= sector) & (sector <= high)
        # Intervals run from below 0 to beyond 71.
        within |= (low <= sector - BEARING_SECTORS) & (sector - BEARING_SECTORS <= high)
        within |= (low <= sector + BEARING_SECTORS) & (sector + BEARING_SECTORS <= high)
        if (within & known).any():
            passes = tuple(
                part._replace(
                    permissible_dbm=np.where(within, part.permissible_dbm, np.float32(np.inf)).astype(
                        np.float32
                    )
                )
                for part in one.search.passes
            )
            yield sector, one.search._replace(passes=passes)


def _sectors_of(
    shape: tuple[int, ...], place: tuple[int, int]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First and last sector [y, x] in which a victim of each pixel could lie, seen from a place."""
    north = place[0] - np.arange(shape[0])[:, np.newaxis]
    east = np.arange(shape[1])[np.newaxis, :] - place[1]
    apart_px = np.hypot(north, east)
    bearing_deg = np.degrees(np.arctan2(east, north)) % 360.0
    touching = (np.abs(north) <= 1) & (np.abs(east) <= 1)
    half_deg = np.degrees(np.arcsin(np.minimum(_SPREAD_PX / np.maximum(apart_px, _SPREAD_PX), 1.0)))
    half_deg = np.where(touching, 180.0, half_deg)
    low = np.floor((bearing_deg - half_deg) / _SECTOR_DEG).astype(np.int64)
    return low, np.floor((bearing_deg + half_deg) / _SECTOR_DEG).astype(np.int64)
