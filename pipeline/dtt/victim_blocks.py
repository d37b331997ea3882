"""Victims of a channel by blocks of the grid: read once while a search goes down it, put into its windows."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.dtt.victims import VictimList, empty_victims, listed, place_victims
from pipeline.grid.boxes import PixelBox
from pipeline.grid.grid import STRIP_PX
from pipeline.grid.kept_records import digest_of

_VICTIM_BYTES = sum(v.dtype.itemsize for v in listed(empty_victims(1, 1), np.zeros((1, 1), np.uint8)))


class ChosenVictims(NamedTuple):
    """The victims of one search: their kind, the codes of the map's groups, the side of 80 m.

    ``bits`` of ``VictimMaps.kind``; ``codes`` bool by code, of size 0 for all; ``level_dbm`` what each
    tolerates, NaN: its own level.
    """

    bits: int
    codes: NDArray[np.bool_]
    near: bool
    level_dbm: float


class _Block(NamedTuple):
    """What a block holds, of which kinds, and its digest, if one is wanted."""

    victims: VictimList
    kinds: frozenset[int]
    digest: str


class VictimBlocks:
    """Blocks of ``STRIP_PX`` pixels of the grid that hold victims, as far as a search has come.

    Each thread that searches has its own; in another process none is read yet.
    """

    def __init__(
        self,
        read: Callable[[slice, slice], VictimList],
        number: NDArray[np.int64],
        threads: int,
        digests: bool = False,
    ) -> None:
        """``read`` the victims of a part of the grid; ``number`` of them by block row and column."""
        self._read, self._number, self._with_digests = read, number, digests
        # The same threads for all rows: each thread opens the files that it reads, and keeps them.
        self._pool = ThreadPoolExecutor(max_workers=threads)
        self._own = threading.local()

    def __reduce__(self) -> tuple[type[VictimBlocks], tuple[object, ...]]:
        """For a worker of a cluster, whose threads work on windows of their own."""
        return VictimBlocks, (self._read, self._number, 1, self._with_digests)

    def any_within(self, box: PixelBox) -> bool:
        """Whether a block that touches the box has victims."""
        rows, cols = (_blocks_of(part) for part in box)
        return bool(self._number[rows.start : rows.stop, cols.start : cols.stop].any())

    def bytes_of(self, rows: slice) -> int:
        """Memory of the victims in the blocks of some rows."""
        kept = _blocks_of(rows)
        return int(self._number[kept.start : kept.stop].sum()) * _VICTIM_BYTES

    def hold(self, window: PixelBox, shape: tuple[int, int]) -> None:
        """Read the blocks of a window of a grid (height, width) that are new, forget those of other rows."""
        kept, cols = _blocks_of(window.rows), _blocks_of(window.cols)
        for place in [place for place in self._blocks if place[0] not in kept]:
            del self._blocks[place]
        wanted = [(i, j) for i in kept for j in cols if self._number[i, j]]
        new = [place for place in wanted if place not in self._blocks]

        def read(place: tuple[int, int]) -> _Block:
            rows, cols = (
                slice(n * STRIP_PX, min((n + 1) * STRIP_PX, size))
                for n, size in zip(place, shape, strict=True)
            )
            victims = self._read(rows, cols)
            digest = digest_of(victims) if self._with_digests else ""
            return _Block(victims, frozenset(np.unique(victims.kind).tolist()), digest)

        self._blocks.update(zip(new, self._pool.map(read, new), strict=True))

    def put(
        self,
        chosen: ChosenVictims,
        window: PixelBox,
        level_dbm: NDArray[np.float32],
        azimuth_deg: NDArray[np.float32],
        sea: NDArray[np.uint8],
    ) -> bool:
        """What the chosen victims of a window tolerate into ``level_dbm`` [y, x], and whether there are any.

        +inf elsewhere; ``azimuth_deg`` and ``sea`` (class of the distance) of other pixels stay as they are.
        """
        if not any(chosen.bits in block.kinds for block in self._touched(window).values()):
            return False
        level_dbm[:], found = np.inf, 0
        for (i, j), block in self._touched(window).items():
            if chosen.bits in block.kinds:
                found += place_victims(
                    block.victims,
                    chosen.bits,
                    chosen.codes,
                    chosen.near,
                    np.float32(chosen.level_dbm),
                    (i * STRIP_PX - window.rows.start, j * STRIP_PX - window.cols.start),
                    level_dbm,
                    azimuth_deg,
                    sea,
                )
        return found > 0

    def digests(self, window: PixelBox) -> dict[tuple[int, int], str]:
        """Digests of the blocks that a window touches, by block row and column."""
        return {place: block.digest for place, block in self._touched(window).items()}

    @property
    def _blocks(self) -> dict[tuple[int, int], _Block]:
        """Those of this thread."""
        blocks: dict[tuple[int, int], _Block] = self._own.__dict__.setdefault("blocks", {})
        return blocks

    def _touched(self, window: PixelBox) -> dict[tuple[int, int], _Block]:
        """The blocks that a window touches."""
        places = [(i, j) for i in _blocks_of(window.rows) for j in _blocks_of(window.cols)]
        return {place: self._blocks[place] for place in places if place in self._blocks}


def _blocks_of(part: slice) -> range:
    """Numbers of the blocks that rows or columns touch."""
    return range(part.start // STRIP_PX, -(-part.stop // STRIP_PX))
