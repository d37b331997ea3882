"""The maps of one job of a channel, macro-tile by macro-tile: each with the victims within reach of its own.

The interference range is proven, so a tile with a halo of that width has the values of the whole map, byte
for byte, whatever its size. Memory grows with the tile, the range and the width of the rows of victims that
are held, not with the territory.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.blocks import WindowArrays, block_slices
from pipeline.dtt.device_ground import GroundFiles, GroundPlaces, HeightRows
from pipeline.dtt.kept_tiles import KeptTiles, PartState
from pipeline.dtt.limits import LimitBand, ProtectionJob, bands_of, discrimination_of, label_of, pass_rules
from pipeline.dtt.min_plus_search import SearchMaps, SearchTables, min_plus, reach_of, search_tables
from pipeline.dtt.path_classes import PixelClasses
from pipeline.dtt.path_losses import PathLosses
from pipeline.dtt.victim_blocks import ChosenVictims, VictimBlocks
from pipeline.dtt.victims import Directivity, VictimKind, VictimLabel, bits_of
from pipeline.errors import InputError
from pipeline.grid.boxes import PixelBox, box_of, joined, moved
from pipeline.grid.grid import STRIP_PX, strips_of_rows
from pipeline.grid.kept_records import digest_of

# Sides of tiles: fewer pixels of halo the larger they are. One of 1536 takes a fortieth less time and a
# quarter more memory than the first.
_SIDES_PX = (1024, 512)
# Program, tables of a channel and GDAL's cache of blocks; a pixel of a window, a target, a pixel of a result.
_PROGRAM_BYTES, _WINDOW_BYTES, _TARGET_BYTES, _RESULT_BYTES = 0.75 * 2**30, 9, 5, 5


class TileLimits(NamedTuple):
    """Maps on the smallest box around the targets of a tile, [band, y, x]: value float32, label uint8."""

    box: PixelBox
    permissible_dbm: NDArray[np.float32]
    label: NDArray[np.uint8]


class TileResult(NamedTuple):
    """The maps of the parts of a tile, and what is to be noted of them."""

    limits: list[TileLimits]
    states: list[PartState]


class _Search(NamedTuple):
    """One search of a map, ready for all tiles."""

    chosen: ChosenVictims
    tables: SearchTables
    label: int


class MapSearches(NamedTuple):
    """The searches of one map, in the order in which equal limits are named."""

    band: LimitBand
    searches: tuple[_Search, ...]


def searches_of(job: ProtectionJob, losses: Mapping[bool, PathLosses]) -> list[MapSearches]:
    """The searches of all maps; ``losses`` by whether victims are at the coast, as far as there are any."""
    orthogonal = {False} | {bool(one == Directivity.ORTHOGONAL) for one in job.classes.directivity}
    kinds = [VictimKind(f, c, o) for f in (False, True) for c in losses for o in orthogonal]
    tables: dict[tuple[bool, bool, bool], SearchTables] = {}
    all_codes = sum(2 * len(tiers) - 1 for tiers in job.groups)
    found = []
    for band in bands_of(job):
        codes = np.isin(np.arange(0 if band.codes is None else all_codes), band.codes or ())
        searches = []
        for rule in pass_rules(job, band, losses, kinds):
            same = rule.near, rule.kind.coastal, rule.kind.orthogonal  # losses, whatever the band
            if same not in tables:
                tables[same] = search_tables(rule.loss_db, rule.paths)
            chosen = ChosenVictims(bits_of(rule.kind), codes, rule.near, rule.level_dbm)
            searches.append(_Search(chosen, tables[same], int(label_of(rule.kind, band))))
        found.append(MapSearches(band, tuple(searches)))
    return found


class TileSearch:
    """Finds the maps of tiles: from the victims, the ground and the searches of a job."""

    def __init__(
        self,
        job: ProtectionJob,
        searches: Sequence[MapSearches],
        victims: VictimBlocks,
        heights: HeightRows,
        grid_shape: tuple[int, int],
        *,
        threads: int,
        kept: KeptTiles | None = None,
    ) -> None:
        """``heights`` of the job's devices; ``kept`` limits of an earlier run, None: nothing is copied."""
        self._kept, self._grid_shape = kept, grid_shape
        self._discrimination, self._searches, self._threads = discrimination_of(job), searches, threads
        self._victims, self._heights = victims, heights
        self._reach_px = max((s.tables.offsets.reach for one in searches for s in one.searches), default=0)
        self._room, self._reach_of_class = WindowArrays(), dict[int, int]()

    def tiles(self, ground: GroundFiles, tile_px: int) -> list[PixelBox]:
        """Boxes around the targets of tiles, by rows, where any are near victims."""
        boxes = (ground.box_within(PixelBox(*tile)) for tile in block_slices(self._grid_shape, tile_px))
        return [box for box in boxes if box is not None and self._victims.any_within(self.window(box))]

    def of_tile(self, tile: PixelBox, places: GroundPlaces) -> TileResult:
        """The maps of a tile; ``places`` of it.

        The box of what follows from other victims than in an earlier run is searched, the rest is copied.
        """
        self._victims.hold(self.window(tile), self._grid_shape)
        if self._kept is None:
            return TileResult([self._tile(tile, places)], [])
        changed: PixelBox | None = None
        copied, states = list[TileLimits](), list[PartState]()
        for part in _parts_of(tile):
            box = box_of(places.home_of(part))
            if box is None:
                continue
            box = moved(box, part.rows.start, part.cols.start)
            window = self._grown(box, self._reach_within(box))
            if self._victims.any_within(window):
                states.append(self._kept.state_of(box, sorted(self._victims.digests(window).items())))
                if states[-1].unchanged:
                    copied.append(TileLimits(box, *self._kept.values(box)))
                else:
                    changed = joined(changed, box)
        if changed is None:
            return TileResult(copied, states)
        found = self._tile(changed, places)
        return TileResult([*copied, found], [with_values(state, found) for state in states])

    def window(self, box: PixelBox) -> PixelBox:
        """A box and what lies within reach of it."""
        return self._grown(box, self._reach_px)

    def _reach_within(self, box: PixelBox) -> int:
        """Pixels beyond which no device in a box is limited, by the highest ground there."""
        highest = self._heights.highest(box)
        if highest not in self._reach_of_class:
            reaches_px = (
                reach_of(one.tables, highest, one.chosen.level_dbm, maps.band.unconstrained_dbm)
                for maps in self._searches
                for one in maps.searches
            )
            self._reach_of_class[highest] = max(reaches_px, default=0)
        return self._reach_of_class[highest]

    def side_within(self, memory_gib: float, ground: GroundFiles) -> int:
        """The largest side of tiles with which the job stays within a memory; InputError if none does."""
        needed = {side: self._bytes_of(side, ground) / 2**30 for side in _SIDES_PX}
        fitting = [side for side, gib in needed.items() if gib <= memory_gib]
        if not fitting:
            raise InputError(
                "protection needs more memory than the job may use",
                field="memory_gib",
                value=round(memory_gib, 2),
                allowed=f"at least {math.ceil(10.0 * min(needed.values())) / 10.0:.1f} GiB"
                " (`--config memory_gib=`, or `mem_mb` of the rule on a cluster)",
            )
        return fitting[0]

    def _bytes_of(self, side_px: int, ground: GroundFiles) -> float:
        """Memory that the job needs with tiles of a side."""
        reach_px, (height, width) = self._reach_px, self._grid_shape
        rows = list(strips_of_rows(0, height, side_px))
        land = max(ground.number_in(part) for part in rows)
        held = max(self._victims.bytes_of(_grown(part, reach_px, height)) for part in rows)
        window = min(side_px + 2 * reach_px, height) * min(side_px + 2 * reach_px, width)
        heights = min(side_px * side_px, land) * (self._heights.cells + _TARGET_BYTES)
        # Boxes around the land, and a strip of both files.
        results = (2 * land + STRIP_PX * width) * len(self._searches) * _RESULT_BYTES
        return float(_PROGRAM_BYTES + _WINDOW_BYTES * window + held + heights + results)

    def _tile(self, box: PixelBox, places: GroundPlaces) -> TileLimits:
        targets, height = places.home_of(box), self._heights.of(box, places, self._room)
        if height is None:
            number, height = np.full(targets.shape, -1, np.int32), np.zeros((1, 1), np.uint8)
        else:
            number = (np.cumsum(targets, dtype=np.int32) - 1).reshape(targets.shape)
        ground, highest, maps = PixelClasses(number, height, places.sea_of(box)), int(height.max()), []
        for one in self._searches:
            best_dbm = np.full(targets.shape, np.float32(one.band.unconstrained_dbm), np.float32)
            label = np.full(targets.shape, np.uint8(VictimLabel.NONE), np.uint8)
            for search in one.searches:
                self._lower(search, box, places, targets, ground, highest, best_dbm, label)
            maps.append((best_dbm, label))
        return TileLimits(box, *(np.stack(part) for part in zip(*maps, strict=True)))

    def _lower(
        self,
        search: _Search,
        box: PixelBox,
        places: GroundPlaces,
        targets: NDArray[np.bool_],
        ground: PixelClasses,
        highest: int,
        best_dbm: NDArray[np.float32],
        label: NDArray[np.uint8],
    ) -> None:
        """One search on the window within reach of the targets; the maps are those of the box.

        ``highest`` class of the targets.
        """
        worst_dbm = float(best_dbm.max(where=targets, initial=-math.inf))
        window = self._grown(box, reach_of(search.tables, highest, search.chosen.level_dbm, worst_dbm))
        shape = window.shape
        level_dbm, azimuth_deg = (self._room.of(name, np.float32, shape) for name in ("level", "azimuth"))
        # Of victims and targets: that of other pixels nobody asks for.
        sea = self._room.of("sea", np.uint8, shape)
        if not self._victims.put(search.chosen, window, level_dbm, azimuth_deg, sea):
            return
        own = moved(box, -window.rows.start, -window.cols.start)
        sea[own] = places.sea_of(box)
        min_plus(
            level_dbm,
            search.tables,
            self._discrimination,
            SearchMaps(azimuth_deg, targets, best_dbm, label),
            search.label,
            ground=ground._replace(sea=sea),
            first=(own.rows.start, own.cols.start),
            threads=self._threads,
        )

    def _grown(self, box: PixelBox, by_px: int) -> PixelBox:
        return PixelBox(
            *(_grown(part, by_px, size) for part, size in zip(box, self._grid_shape, strict=True))
        )


def strips_with(tiles: Iterable[TileLimits], rows: slice) -> Iterator[TileLimits]:
    """The parts of tiles that lie in some rows."""
    for box, permissible_dbm, label in tiles:
        first, last = max(rows.start, box.rows.start), min(rows.stop, box.rows.stop)
        if first < last:
            own = slice(first - box.rows.start, last - box.rows.start)
            yield TileLimits(PixelBox(slice(first, last), box.cols), permissible_dbm[:, own], label[:, own])


def with_values(state: PartState, found: TileLimits) -> PartState:
    """The state of a part with the digest of its values, where these were computed."""
    if state.unchanged:
        return state
    box = moved(state.box, -found.box.rows.start, -found.box.cols.start)
    return state._replace(values=digest_of(found.permissible_dbm[:, *box], found.label[:, *box]))


def _parts_of(tile: PixelBox) -> Iterator[PixelBox]:
    """The parts of a tile by blocks of the grid."""
    starts = [range(part.start // STRIP_PX * STRIP_PX, part.stop, STRIP_PX) for part in tile]
    for row, col in product(*starts):
        yield PixelBox(
            *(
                slice(max(first, part.start), min(first + STRIP_PX, part.stop))
                for first, part in zip((row, col), tile, strict=True)
            )
        )


def _grown(part: slice, by_px: int, size: int) -> slice:
    return slice(max(part.start - by_px, 0), min(part.stop + by_px, size))
