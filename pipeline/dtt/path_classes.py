"""Losses of a device's path by class of its ground, by sea between, and by distance, for the search.

A target has a class of height for each sector and ring around it (``terrain/device_heights.py``); target and
victim each have a class of distance from the sea. Beside the exact losses of flat land by pixel offset there
is one row of losses for each class of height and each length of land at the coast, by steps of distance; a
row holds the smallest loss of its step, so that a limit is never too high (docs/method.md, section 9).
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.dtt.victim_tree import LEAF_PX
from pipeline.kernels import borrowing, inlined, kernel

DISTANCE_STEP = 0.002
"""Steps of distance are 0.2 % wide: at most 0.09 dB of loss up to 30 m (docs/method.md, section 9)."""
_MARGIN_DEG = np.float32(0.02)
_ROUNDING_DB = np.float32(1e-3)
_HALF_TURN_DEG, _TURN_DEG = np.float32(180.0), np.float32(360.0)


class PathClasses(NamedTuple):
    """Losses by class, and what the class and the step of a pixel offset are.

    ``used`` False: the table of offsets is all there is. ``loss_db``, ``floor_db`` float32[class, inland,
    step]: smallest loss of a step, and of all steps from there on and all classes up to there; the last step
    is beyond the range. ``exact_to`` int64[inland]: up to this step class 0 has the losses by offset.
    ``inland`` uint8[victim, target]: length of land by the two classes of distance from the sea, ascending.
    ``adjacent_db`` float32[class, inland] the losses where the squares are adjacent, whose step is
    ``adjacent``. ``ring`` int64[step] the nearest ring of a step. ``step`` uint16, ``ring_at`` uint8[n, n] by
    (|dy|, |dx|), ``step_to`` uint16[n, 2 m + 1] the former by (|dy|, dx + m); ``sector_at`` uint8[2 m + 1,
    2 m + 1] by (dy + m, dx + m), target less victim: the sector in which the target sees the victim. A cell
    is sector * rings + ring.
    """

    used: bool
    loss_db: NDArray[np.float32]
    floor_db: NDArray[np.float32]
    exact_to: NDArray[np.int64]
    inland: NDArray[np.uint8]
    adjacent: int
    adjacent_db: NDArray[np.float32]
    ring: NDArray[np.int64]
    sectors: int
    rings: int
    step: NDArray[np.uint16]
    step_to: NDArray[np.uint16]
    ring_at: NDArray[np.uint8]
    sector_at: NDArray[np.uint8]


class PixelClasses(NamedTuple):
    """Classes of the pixels of a search: of the targets, and of all that may be victims.

    ``number`` int32[y, x] row of a target in ``height`` uint8[row, cell], -1 none; ``sea`` uint8[y, x] class
    of the distance from the sea, on the window of the victims.
    """

    number: NDArray[np.int32]
    height: NDArray[np.uint8]
    sea: NDArray[np.uint8]


class TileGround(NamedTuple):
    """Classes of the targets of a tile, and bounds of them.

    Targets are counted row by row. ``height`` uint8[cell, target]; ``highest`` uint8[sectors + 1, ring,
    target] largest class in a sector from a ring on, the last sector that of all; ``top`` uint8[sectors + 1,
    ring] the same of all targets; ``sea`` uint8[target], ``nearest_sea`` int64[1] the smallest of them.
    Scratch: ``toward`` int64[target] largest class in the sectors of the node at hand, ``level_dbm``
    float32[LEAF_PX] levels of a row of a leaf, ``least_dbm`` float32[target] bounds of the terms of a victim.
    """

    height: NDArray[np.uint8]
    highest: NDArray[np.uint8]
    top: NDArray[np.uint8]
    sea: NDArray[np.uint8]
    nearest_sea: NDArray[np.int64]
    toward: NDArray[np.int64]
    level_dbm: NDArray[np.float32]
    least_dbm: NDArray[np.float32]


def flat_paths() -> PathClasses:
    """No classes: every path is that of the table of offsets."""
    none = np.zeros((1, 1, 1), np.float32)
    one, place = np.zeros(1, np.int64), np.zeros((1, 1), np.uint8)
    return PathClasses(
        used=False,
        loss_db=none,
        floor_db=none,
        exact_to=one,
        inland=np.zeros((1, 1), np.uint8),
        adjacent=0,
        adjacent_db=none[0],
        ring=one,
        sectors=1,
        rings=1,
        step=place.astype(np.uint16),
        step_to=place.astype(np.uint16),
        ring_at=place,
        sector_at=place,
    )


def level_ground(shape: tuple[int, int]) -> PixelClasses:
    """All pixels of the lowest class and at the sea; with ``flat_paths`` neither is looked at."""
    return PixelClasses(np.full(shape, -1, np.int32), np.zeros((1, 1), np.uint8), np.zeros(shape, np.uint8))


def steps_of(distance_km: NDArray[np.float64], from_km: float, beyond: int) -> NDArray[np.uint16]:
    """Step of each distance, ``beyond`` at most; nearer ones than ``from_km`` are in the first."""
    steps = np.floor(np.log(np.maximum(distance_km, from_km) / from_km) / DISTANCE_STEP + 1e-9)
    return np.minimum(steps, beyond).astype(np.uint16)


def prepared(paths: PathClasses, origin: int) -> PathClasses:
    """The classes with tables out to ``origin`` pixels, beyond the range in the last step but one."""
    more = origin + 1 - paths.step.shape[0]
    beyond = paths.ring.size - 2
    step = np.pad(paths.step, (0, more), constant_values=beyond)
    step[:2, :2] = beyond + 1  # adjacent pixels are no part of the search
    ring_at = np.pad(paths.ring_at, (0, more), mode="edge")
    step_to = np.concatenate([step[:, :0:-1], step], axis=1)
    sector_at = sector_table(origin, paths.sectors)
    return paths._replace(step=step, step_to=step_to, ring_at=ring_at, sector_at=sector_at)


@lru_cache(maxsize=2)
def sector_table(origin: int, sectors: int) -> NDArray[np.uint8]:
    """Sector in which a target sees a victim, uint8[2 m + 1, 2 m + 1] by the offset target less victim."""
    offset = np.arange(-origin, origin + 1, dtype=np.float64)
    # The way back, from the target to the victim.
    azimuth_deg = np.degrees(np.arctan2(-offset[np.newaxis, :], offset[:, np.newaxis])) % 360.0
    return np.minimum((azimuth_deg / (360.0 / sectors)).astype(np.uint8), np.uint8(sectors - 1))


def tile_ground(paths: PathClasses, tile_px: tuple[int, int]) -> TileGround:
    """Room for the classes of a tile."""
    targets = tile_px[0] * tile_px[1]
    return TileGround(
        np.zeros((paths.sectors * paths.rings, targets), np.uint8),
        np.zeros((paths.sectors + 1, paths.rings, targets), np.uint8),
        np.zeros((paths.sectors + 1, paths.rings), np.uint8),
        np.zeros(targets, np.uint8),
        np.zeros(1, np.int64),
        np.zeros(targets, np.int64),
        np.zeros(LEAF_PX, np.float32),
        np.zeros(targets, np.float32),
    )


@borrowing
def fill_tile_ground(
    paths: PathClasses,
    ground: PixelClasses,
    first: tuple[int, int],
    tile_y: int,
    tile_x: int,
    best_dbm: NDArray[np.float32],
    tile: TileGround,
) -> None:
    """Classes of the targets of a tile: those whose best value is not -inf.

    ``first``: row and column in ``ground.sea`` of the first pixel of ``ground.number``.
    """
    height, highest, top, sea = tile.height, tile.highest, tile.top, tile.sea
    numbers, heights, seas = ground.number, ground.height, ground.sea
    sectors, rings = top.shape[0] - 1, top.shape[1]
    width, targets = best_dbm.shape[1], sea.size
    level, nearest_sea = np.uint8(0), 255
    for n in range(targets):
        y, x = tile_y + n // width, tile_x + n % width
        row = -1
        if best_dbm[n // width, n % width] != -np.inf:
            sea[n] = seas[y, x]
            nearest_sea = min(nearest_sea, sea[n])
            row = numbers[y - first[0], x - first[1]]
        for cell in range(sectors * rings):
            height[cell, n] = heights[row, cell] if row >= 0 else level
    tile.nearest_sea[0] = nearest_sea
    for ring in range(rings - 1, -1, -1):
        for n in range(targets):
            highest[sectors, ring, n] = highest[sectors, ring + 1, n] if ring + 1 < rings else level
        for sector in range(sectors):
            top[sector, ring] = _farther_class(height, highest, sector, ring)
        most = level
        for n in range(targets):
            most = max(most, highest[sectors, ring, n])
        top[sectors, ring] = most


@borrowing
def _farther_class(height: NDArray[np.uint8], highest: NDArray[np.uint8], sector: int, ring: int) -> np.uint8:
    """Largest classes from a ring on, of a sector and of all, into ``highest``; the largest of any target."""
    sectors, rings = highest.shape[0] - 1, highest.shape[1]
    most, cell = np.uint8(0), sector * rings + ring
    for n in range(height.shape[1]):
        value = height[cell, n]
        if ring + 1 < rings:
            value = max(value, highest[sector, ring + 1, n])
        highest[sector, ring, n] = value
        highest[sectors, ring, n] = max(highest[sectors, ring, n], value)
        most = max(most, value)
    return most


@inlined
def cell_at(paths: PathClasses, dy: int, dx: int) -> int:
    """Cell of the victim at an offset target less victim."""
    m = paths.sector_at.shape[0] // 2
    return paths.sector_at[dy + m, dx + m] * paths.rings + paths.ring_at[abs(dy), abs(dx)]


@borrowing
def sectors_between(sectors: int, first_deg: np.float32, last_deg: np.float32) -> tuple[int, int]:
    """First and last sector towards victims from where a tile lies in the directions first..last, clockwise.

    ``last_deg`` below 0: any direction, twice the number of the row for all sectors.
    """
    if last_deg < 0:
        return sectors, sectors
    per_deg = np.float32(sectors) / _TURN_DEG
    first = int((first_deg + _HALF_TURN_DEG - _MARGIN_DEG) * per_deg) % sectors
    last = int((last_deg + _HALF_TURN_DEG + _MARGIN_DEG) * per_deg) % sectors
    return first, last


@borrowing
def look_toward(tile: TileGround, ring: int, first: int, last: int) -> None:
    """Largest class of each target in the sectors first..last, clockwise, from a ring on."""
    highest, toward = tile.highest, tile.toward
    sectors = highest.shape[0] - 1
    for n in range(toward.size):
        toward[n] = highest[first, ring, n]
    while first != last:
        first = first + 1 if first + 1 < sectors else 0
        for n in range(toward.size):
            toward[n] = max(toward[n], np.int64(highest[first, ring, n]))


@borrowing
def tolerated_dbm(
    floor_db: NDArray[np.float32],
    tile: TileGround,
    inland: NDArray[np.uint8],
    best_dbm: NDArray[np.float32],
    step: int,
) -> np.float32:
    """Level from which on no victim at a step or beyond, where the targets look, lowers any of them.

    What a target's best value is above the smallest loss of its own class there; rounding is allowed for.
    ``inland``: length of land by the class of the target, of the victims nearest to the sea.
    """
    toward, sea, width, most_dbm = tile.toward, tile.sea, best_dbm.shape[1], -np.float32(np.inf)
    for n in range(toward.size):
        most_dbm = max(most_dbm, best_dbm[n // width, n % width] - floor_db[toward[n], inland[sea[n]], step])
    return most_dbm + _ROUNDING_DB


@borrowing
def top_class(top: NDArray[np.uint8], ring: int, first: int, last: int) -> int:
    """Largest class of a tile in the sectors first..last, clockwise, from a ring on."""
    sectors, most = top.shape[0] - 1, top[first, ring]
    while first != last:
        first = first + 1 if first + 1 < sectors else 0
        most = max(most, top[first, ring])
    return most


@kernel
def path_db(
    paths: PathClasses,
    ground: PixelClasses,
    exact_db: np.float32,
    target: tuple[int, int],
    victim: tuple[int, int],
) -> np.float32:
    """Loss beyond 80 m between two pixels (row, col); ``exact_db`` that of flat land at their offset."""
    if not paths.used:
        return exact_db
    away_y, away_x = abs(target[0] - victim[0]), abs(target[1] - victim[1])
    if away_y <= 1 and away_x <= 1:
        if exact_db < np.inf:
            number = ground.number[target[0], target[1]]
            return adjacent_loss_db(paths, ground, number, exact_db, target, victim)
        return exact_db
    height, inland = classes_between(paths, ground, target, victim)
    step = paths.step[away_y, away_x]
    if height == 0 and step <= paths.exact_to[inland]:
        return exact_db
    return paths.loss_db[height, inland, step]


@kernel
def classes_between(
    paths: PathClasses, ground: PixelClasses, target: tuple[int, int], victim: tuple[int, int]
) -> tuple[int, int]:
    """Class of height, and of the length of land at the coast, of the path between two pixels (row, col)."""
    (row, col), (y, x) = target, victim
    own = ground.number[row, col]
    height = ground.height[own, cell_at(paths, row - y, col - x)] if own >= 0 else 0
    return height, paths.inland[ground.sea[y, x], ground.sea[row, col]]


@inlined
def adjacent_loss_db(
    paths: PathClasses,
    ground: PixelClasses,
    number: int,
    exact_db: np.float32,
    target: tuple[int, int],
    victim: tuple[int, int],
) -> np.float32:
    """Loss between adjacent pixels (row, col) where it depends on the class; ``number`` of the target.

    Towards a victim in the same pixel the direction is not known: the largest class of all counts.
    """
    (y, x), (p, q) = target, victim
    height = 0
    if number >= 0:
        cell = cell_at(paths, y - p, x - q)
        height = ground.height[number, cell]
        if y == p and x == q:
            for sector in range(paths.sectors):
                height = max(height, ground.height[number, sector * paths.rings + cell % paths.rings])
    inland = paths.inland[ground.sea[p, q], ground.sea[y, x]]
    if height == 0 and paths.adjacent <= paths.exact_to[inland]:
        return exact_db
    return paths.adjacent_db[height, inland]
