"""Which victim decides a limit: the searches of one map, prepared once and asked at single pixels.

Terms are the float32 ones of the search that makes the maps. Where the value of the map is known, the victim
is looked for from the pixel outwards until one gives that value: mostly a receiver nearby.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.dtt.limits import LimitBand, ProtectionJob, discrimination_of, passes
from pipeline.dtt.min_plus_search import limiting_victim
from pipeline.dtt.path_classes import PathClasses, PixelClasses, path_db, prepared
from pipeline.dtt.path_losses import PathLosses
from pipeline.dtt.victim_tree import OffsetTables, offset_tables
from pipeline.dtt.victims import VictimKind, VictimMaps
from pipeline.radio.antennas import Bt419, bt419

# Half the sides, in pixels, of the squares around a pixel in which its victim is looked for first.
_NEARBY_PX = (1, 8, 32, 128, 512)


class FoundVictim(NamedTuple):
    """The victim that decides at a pixel: value of the map, up to 80 m or beyond, kind, place in the box.

    ``loss_db`` the loss of the path that counts, without discrimination.
    """

    permissible_dbm: float
    near: bool
    kind: VictimKind
    row: int
    col: int
    loss_db: float


class _Pass(NamedTuple):
    """Victims of one kind on one side of 80 m, with their losses ready for the search."""

    kind: VictimKind
    near: bool
    permissible_dbm: NDArray[np.float32]
    tables: OffsetTables
    paths: PathClasses


class MapSearch(NamedTuple):
    """The searches that make up one map, on the box of its victims."""

    unconstrained_dbm: float
    ant: Bt419
    cross_polar_db: float
    azimuth_deg: NDArray[np.float32]
    ground: PixelClasses
    passes: tuple[_Pass, ...]


def map_search(
    job: ProtectionJob,
    victims: VictimMaps,
    band: LimitBand,
    losses: Mapping[bool, PathLosses],
    ground: PixelClasses,
) -> MapSearch:
    """The searches of one map of a job; ``ground`` of the box of the victims."""
    ready = []
    for rule, permissible_dbm in passes(job, victims, band, losses):
        tables = offset_tables(rule.loss_db, 1)
        paths = prepared(rule.paths, tables.origin) if rule.paths.used else rule.paths
        ready.append(_Pass(rule.kind, rule.near, permissible_dbm, tables, paths))
    return MapSearch(
        band.unconstrained_dbm,
        bt419(discrimination_of(job)),
        job.config.coverage.cross_polar_db,
        victims.azimuth_deg,
        ground,
        tuple(ready),
    )


def strictest_victim(
    search: MapSearch, place: tuple[int, int], stored_dbm: float = -math.inf
) -> FoundVictim | None:
    """The victim with the smallest value at a place (row, col) of the box; None where none limits.

    ``stored_dbm``: the value of the map there; the first square around the place with a victim of that value
    ends the search.
    """
    found = None
    for half_px in _squares(search, stored_dbm):
        best_dbm = np.float32(search.unconstrained_dbm)
        for one in search.passes:
            level_dbm, row, col = _strictest_within(search, one, place, half_px)
            if level_dbm < best_dbm:
                loss_db = _loss_db(search, one, place, (row, col))
                best_dbm, found = (
                    level_dbm,
                    FoundVictim(float(level_dbm), one.near, one.kind, row, col, loss_db),
                )
        if found is not None and found.permissible_dbm <= stored_dbm:
            break
    return found


def _squares(search: MapSearch, stored_dbm: float) -> Iterator[int]:
    """Half sides of the squares to look at, ascending; the last one is the reach of the losses."""
    reach_px = max((one.tables.reach for one in search.passes), default=0)
    if stored_dbm > -math.inf:
        yield from (half_px for half_px in _NEARBY_PX if half_px < reach_px)
    yield reach_px


def _strictest_within(
    search: MapSearch, one: _Pass, place: tuple[int, int], half_px: int
) -> tuple[np.float32, int, int]:
    """Smallest value of one pass within a square around a place, and the row and column of its victim."""
    half_px = min(half_px, one.tables.reach)
    top, left = (max(index - half_px, 0) for index in place)
    window = slice(top, place[0] + half_px + 1), slice(left, place[1] + half_px + 1)
    ground = search.ground
    level_dbm, row, col = limiting_victim(
        np.ascontiguousarray(one.permissible_dbm[window]),
        np.ascontiguousarray(search.azimuth_deg[window]),
        search.ant,
        one.tables,
        one.paths,
        PixelClasses(
            np.ascontiguousarray(ground.number[window]),
            ground.height,
            np.ascontiguousarray(ground.sea[window]),
        ),
        place[0] - top,
        place[1] - left,
    )
    return level_dbm, row + top, col + left


def _loss_db(search: MapSearch, one: _Pass, place: tuple[int, int], victim: tuple[int, int]) -> float:
    """The loss of a path as the search has it, less the cross-polar discrimination that its table holds."""
    dy, dx = place[0] - victim[0], place[1] - victim[1]
    tables, adjacent = one.tables, max(abs(dy), abs(dx)) <= 1
    if adjacent:
        flat_db = tables.adjacent_db[dy + 1, dx + 1]
    else:
        flat_db = tables.loss_db[dy + tables.origin, dx + tables.origin]
    loss_db = float(path_db(one.paths, search.ground, flat_db, place, victim))
    return loss_db - (search.cross_polar_db if one.kind.orthogonal and not adjacent else 0.0)
