"""From coverage to victim maps: what each served pixel tolerates, and to which group of victims it belongs.

Sections 6 and 11 of docs/method.md. A victim's tolerated level A leaves out what depends on the offset (r),
the path (Lb) and the direction (D): P = A - r + D + Lb with A = m_U + X* - 77.216 - 20 log10 f. Victims fall
into passes with one loss table each: home or foreign, inland or coastal, directive or orthogonally polarised.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.config.config import Config
from pipeline.config.protection import Device
from pipeline.dtt.calibration import CalibratedLevels, calibrated_level_db
from pipeline.dtt.path_classes import PathClasses
from pipeline.grid.grid import Grid
from pipeline.kernels import kernel
from pipeline.reference.ratios import Group
from pipeline.territory.codes import Surface
from pipeline.units import power_dbm

NO_VICTIM = 255
FOREIGN_BIT, COASTAL_BIT, ORTHOGONAL_BIT = 1, 2, 4
_HOME, _BEYOND, _FOREIGN = int(Surface.HOME), int(Surface.HOME_BEYOND), int(Surface.FOREIGN)


class VictimLabel(IntEnum):
    """Codes of this room's label maps: whose reception limits. ``services.dtt`` has those of the layers."""

    NONE = 0
    HOME = 1
    FOREIGN = 2
    OVERLOAD = 3
    OUTSIDE = 255


class ExplainedPixel(NamedTuple):
    """A pixel (row, col of the padded grid) and a device whose limit by DTT reception is to be explained.

    ``terrain_fault`` why the terrain model of the settings is not the one behind the maps; empty: it is.
    """

    config: Config
    build: Path
    grid: Grid
    device: Device
    row: int
    col: int
    terrain_fault: str = ""

    @property
    def window(self) -> tuple[slice, slice]:
        """Rows and columns of the pixel."""
        return slice(self.row, self.row + 1), slice(self.col, self.col + 1)


LABEL_NAMES = {int(label): label.name.lower() for label in VictimLabel}


class Directivity(IntEnum):
    """What the receiving antenna takes off a device, by the polarisation of both.

    ``NO_VICTIM``: receivers of the station are none of these victims.
    """

    AZIMUTH = 0
    NONE = 1
    ORTHOGONAL = 2
    NO_VICTIM = 3


_LEFT_OUT = int(Directivity.NO_VICTIM)


class VictimKind(NamedTuple):
    """Victims that share a loss table and a label."""

    foreign: bool
    coastal: bool
    orthogonal: bool


class VictimClasses(NamedTuple):
    """Modes and tiers of one channel as arrays: mode m owns the codes ``first[m]`` and up.

    Codes run along the wanted level: tier 0, edge 0|1, tier 1, edge 1|2, ... ``edges_dbm[m]`` is padded with
    +inf. ``directivity[s]`` a ``Directivity`` for each server.
    """

    first: NDArray[np.int64]
    edges_dbm: NDArray[np.float64]
    directivity: NDArray[np.int64]


class VictimMaps(NamedTuple):
    """Maps [y, x]: tolerated level float32 up to 80 m and beyond, antenna azimuth, kind and group codes.

    ``near_dbm``, ``far_dbm`` rounded down, +inf without victim; ``azimuth_deg`` NaN = no directivity;
    ``kind`` bits of ``VictimKind`` or ``NO_VICTIM``; ``code`` of ``VictimClasses``.
    """

    near_dbm: NDArray[np.float32]
    far_dbm: NDArray[np.float32]
    azimuth_deg: NDArray[np.float32]
    kind: NDArray[np.uint8]
    code: NDArray[np.uint16]


class VictimList(NamedTuple):
    """The victims of some maps one by one, in the order of rows: pixel and what ``VictimMaps`` have there.

    ``sea`` class of the distance from the sea.
    """

    row: NDArray[np.uint16]
    col: NDArray[np.uint16]
    sea: NDArray[np.uint8]
    near_dbm: NDArray[np.float32]
    far_dbm: NDArray[np.float32]
    azimuth_deg: NDArray[np.float32]
    kind: NDArray[np.uint8]
    code: NDArray[np.uint16]


def directivity_of(wanted: str, device: str) -> Directivity:
    """Mixed or unknown wanted polarisation: D = 0; unknown one of the device: azimuth only (section 8)."""
    if wanted not in ("H", "V"):
        return Directivity.NONE
    if device in ("H", "V") and device != wanted:
        return Directivity.ORTHOGONAL
    return Directivity.AZIMUTH


def victim_classes(
    groups: Sequence[Sequence[Group]], polarisations: Sequence[str], device_polarisation: str
) -> VictimClasses:
    """Arrays from the groups of each mode (ascending tiers) and the polarisation of each server."""
    inner = [[group.tier.from_dbm for group in tiers[1:]] for tiers in groups]
    edges_dbm = np.full((len(groups), max([1, *map(len, inner)])), np.inf)
    for m, edges in enumerate(inner):
        edges_dbm[m, : len(edges)] = edges
    counts = [2 * len(tiers) - 1 for tiers in groups]
    first = np.concatenate([[0], np.cumsum(counts)[:-1]]) if counts else np.zeros(0)
    directivity = [int(directivity_of(p, device_polarisation)) for p in polarisations]
    return VictimClasses(first.astype(np.int64), edges_dbm, np.array(directivity, dtype=np.int64))


def group_codes(classes: VictimClasses, groups: Sequence[Sequence[Group]], mode: int, tier: int) -> list[int]:
    """Codes whose victims belong to a group: its tier and the edges on both sides (the larger r counts)."""
    first, last = int(classes.first[mode]), int(classes.first[mode]) + 2 * len(groups[mode]) - 2
    centre = first + 2 * tier
    return [code for code in (centre - 1, centre, centre + 1) if first <= code <= last]


@kernel
def _tier_code(edges_dbm: NDArray[np.float64], level_dbm: float) -> int:
    code = 0
    for edge in edges_dbm:
        if level_dbm > edge:
            code += 2
        elif level_dbm == edge:
            code += 1
    return code


@kernel
def _below(value: float) -> np.float32:
    """The largest float32 not above a value."""
    nearest = np.float32(value)
    if nearest > value:
        return np.nextafter(nearest, np.float32(-np.inf))
    return nearest


@kernel
def fill_victims(
    levels: NDArray[np.float32],
    served: NDArray[np.uint16],
    server: NDArray[np.uint16],
    mode: NDArray[np.uint16],
    surface: NDArray[np.uint8],
    coastal: NDArray[np.uint8],
    protect: tuple[bool, bool],
    f_mhz: float,
    near: CalibratedLevels,
    far: CalibratedLevels,
    classes: VictimClasses,
    out: VictimMaps,
) -> None:
    """Victims of a strip [y, x], in place.

    ``levels`` float32[4, y, x]: wanted and nuisance dB(uV/m), sigma_U dB, azimuth deg. ``protect``: home,
    foreign reception. ``near``, ``far`` tables of X*.
    """
    for y in range(served.shape[0]):
        for x in range(served.shape[1]):
            out.kind[y, x] = NO_VICTIM
            out.near_dbm[y, x] = out.far_dbm[y, x] = np.float32(np.inf)
            place = surface[y, x]
            own = place in (_HOME, _BEYOND)
            inside = (own and protect[0]) or (place == _FOREIGN and protect[1])
            if served[y, x] != 1 or not inside:
                continue
            directivity = classes.directivity[server[y, x] - 1]
            if directivity == _LEFT_OUT:
                continue
            wanted, nuisance = float(levels[0, y, x]), float(levels[1, y, x])
            sigma = float(levels[2, y, x])
            nuisance_dbm = power_dbm(nuisance, f_mhz)
            margin = wanted - nuisance
            out.near_dbm[y, x] = _below(nuisance_dbm + calibrated_level_db(near, margin, sigma))
            out.far_dbm[y, x] = _below(nuisance_dbm + calibrated_level_db(far, margin, sigma))
            out.azimuth_deg[y, x] = levels[3, y, x] if directivity == 0 else np.float32(np.nan)
            kind = FOREIGN_BIT if place == _FOREIGN else 0
            kind += COASTAL_BIT if coastal[y, x] == 1 else 0
            out.kind[y, x] = kind + (ORTHOGONAL_BIT if directivity == 2 else 0)
            m = mode[y, x]
            out.code[y, x] = classes.first[m] + _tier_code(classes.edges_dbm[m], power_dbm(wanted, f_mhz))


@kernel
def survey_victims(
    served: NDArray[np.uint16],
    coastal: NDArray[np.uint8],
    surface: NDArray[np.uint8],
    sea: NDArray[np.uint8],
    protect: tuple[bool, bool],
    first: tuple[int, int],
    block_px: int,
    number: NDArray[np.int64],
    box: NDArray[np.int64],
    nearest_sea: NDArray[np.int64],
) -> None:
    """Victims of a strip that begins at the pixel ``first`` of the grid: where, how many, how near the sea.

    ``served``, ``coastal``, ``surface`` and ``sea`` (classes of the distance) [y, x] of the strip. ``number``
    by columns of blocks grows; ``box`` (first row, row after the last, first column, column after the last)
    widens; ``nearest_sea`` (inland, coastal) falls.
    """
    top, left = first
    for y in range(served.shape[0]):
        for x in range(served.shape[1]):
            place = surface[y, x]
            own = place in (_HOME, _BEYOND)
            if served[y, x] != 1 or not ((own and protect[0]) or (place == _FOREIGN and protect[1])):
                continue
            number[(left + x) // block_px] += 1
            box[0], box[1] = min(box[0], top + y), max(box[1], top + y + 1)
            box[2], box[3] = min(box[2], left + x), max(box[3], left + x + 1)
            at_coast = 1 if coastal[y, x] == 1 else 0
            nearest_sea[at_coast] = min(nearest_sea[at_coast], np.int64(sea[y, x]))


@kernel
def place_victims(
    victims: VictimList,
    bits: int,
    codes: NDArray[np.bool_],
    near: bool,
    common_dbm: np.float32,
    place: tuple[int, int],
    level_dbm: NDArray[np.float32],
    aim_deg: NDArray[np.float32],
    sea: NDArray[np.uint8],
) -> int:
    """Put those victims of a block that are of a kind into a window; returns their number.

    ``place`` of the block's first pixel in the window, which may lie outside. ``codes`` True for those of the
    map, of size 0: all. ``common_dbm`` what each tolerates, NaN: its own level, up to 80 m where ``near``.
    """
    found, (top, left), own = 0, place, np.isnan(common_dbm)
    own_dbm = victims.near_dbm if near else victims.far_dbm
    height, width = level_dbm.shape
    for n in range(victims.kind.size):
        y, x = top + np.int64(victims.row[n]), left + np.int64(victims.col[n])
        inside = 0 <= y < height and 0 <= x < width
        if inside and victims.kind[n] == bits and (codes.size == 0 or codes[victims.code[n]]):
            level_dbm[y, x] = own_dbm[n] if own else common_dbm
            aim_deg[y, x], sea[y, x] = victims.azimuth_deg[n], victims.sea[n]
            found += 1
    return found


def listed(victims: VictimMaps, sea: NDArray[np.uint8]) -> VictimList:
    """The victims of maps of at most 65,536 rows and columns; ``sea`` uint8[y, x] classes there."""
    where = np.nonzero(victims.kind != NO_VICTIM)
    places: list[Any] = [place.astype(np.uint16) for place in where]
    return VictimList(*places, *(maps[where] for maps in (sea, *victims)))


def empty_victims(height: int, width: int) -> VictimMaps:
    """Maps without a victim."""
    return VictimMaps(
        np.full((height, width), np.inf, dtype=np.float32),
        np.full((height, width), np.inf, dtype=np.float32),
        np.full((height, width), np.nan, dtype=np.float32),
        np.full((height, width), NO_VICTIM, dtype=np.uint8),
        np.zeros((height, width), dtype=np.uint16),
    )


def rows_of(victims: VictimMaps, rows: slice) -> VictimMaps:
    """Views of some rows of the maps."""
    return VictimMaps(
        victims.near_dbm[rows],
        victims.far_dbm[rows],
        victims.azimuth_deg[rows],
        victims.kind[rows],
        victims.code[rows],
    )


def kinds_present(victims: VictimMaps) -> list[VictimKind]:
    """Kinds that occur, home before foreign: on equal limits the home victim is named."""
    codes = [int(code) for code in np.unique(victims.kind) if code != NO_VICTIM]
    return sorted(
        VictimKind(bool(c & FOREIGN_BIT), bool(c & COASTAL_BIT), bool(c & ORTHOGONAL_BIT)) for c in codes
    )


def bits_of(kind: VictimKind) -> int:
    """The code of a kind in ``VictimMaps``."""
    return FOREIGN_BIT * kind.foreign + COASTAL_BIT * kind.coastal + ORTHOGONAL_BIT * kind.orthogonal


def members(victims: VictimMaps, kind: VictimKind, codes: Sequence[int] | None) -> NDArray[np.bool_]:
    """Victims of one kind and group, bool[y, x]; ``codes`` None = of all groups."""
    chosen = victims.kind == bits_of(kind)
    if codes is not None:
        chosen &= np.isin(victims.code, np.asarray(codes, dtype=np.uint16))
    return chosen


def cross_polar_table_db(loss_db: NDArray[np.float32], cross_polar_db: float) -> NDArray[np.float32]:
    """Loss table for orthogonally polarised victims: flat discrimination, none where the squares touch."""
    table_db = loss_db + np.float32(cross_polar_db)
    table_db[:2, :2] = loss_db[:2, :2]
    return table_db


def cross_polar_paths(paths: PathClasses, cross_polar_db: float) -> PathClasses:
    """Losses by class for orthogonally polarised victims; those of adjacent pixels stay."""
    more_db = np.float32(cross_polar_db)
    return paths._replace(loss_db=paths.loss_db + more_db, floor_db=paths.floor_db + more_db)


def members_at_coast(victims: VictimMaps, *, coastal: bool) -> NDArray[np.bool_]:
    """Victims at the coast or those inland, bool[y, x]."""
    bit = COASTAL_BIT if coastal else 0
    return (victims.kind != NO_VICTIM) & ((victims.kind & COASTAL_BIT) == bit)
