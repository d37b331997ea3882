"""Limits of an earlier run of a job, by parts of the grid: what follows from the same facts is copied.

    build/<territory>/.kept/protection/ch36_fixed30.json, ch36_fixed30.tif, ch36_fixed30_label.tif
    build/<territory>/.kept/limits/fixed30_ch36.json, fixed30_ch36.tif, max_eirp_fixed30_ch36.tif, ...

The record has the digest of all that each part of the maps follows from. What is made from the maps of
another job takes the digests of their parts for what is in them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from numpy.typing import NDArray

from pipeline.dtt.channel_files import PixelBox
from pipeline.grid.kept_records import facts_in, keep_maps, kept_names, record_of, sums_of
from pipeline.grid.open_rasters import OpenRasters
from pipeline.hashing import json_hash


class PartState(NamedTuple):
    """What a part of the maps follows from, and whether it is as in the last run."""

    name: str
    digest: str
    unchanged: bool


class KeptTiles:
    """The maps of the last run of a job, and those that the present one keeps for the next."""

    def __init__(self, maps: Sequence[Path], basis: str, opened: OpenRasters) -> None:
        """``maps`` the job's files; ``basis`` digest of what all parts of them follow from."""
        self._maps, self._kept = list(maps), kept_names(maps)
        self._basis, self._opened = basis, opened
        self._digests: dict[str, str] = {}
        self._before = facts_in(record_of(maps), self._kept) or {}
        self.copied = 0

    def unchanged(self, box: PixelBox, facts: object) -> bool:
        """Whether the last run had the same box of these maps from the same facts, plain data on it alone."""
        state = self.state_of(box, facts)
        self.note([state])
        return state.unchanged

    def state_of(self, box: PixelBox, facts: object) -> PartState:
        """The same, of which nothing is known here until it is noted: a worker of a cluster may ask."""
        name = "-".join(str(place) for part in box for place in (part.start, part.stop))
        digest = json_hash([self._basis, facts])
        return PartState(name, digest, self._before.get(name) == digest)

    def note(self, states: Iterable[PartState]) -> None:
        """Parts of the maps that are written now."""
        for state in states:
            self._digests[state.name] = state.digest
            self.copied += state.unchanged

    def values(self, box: PixelBox) -> list[NDArray[Any]]:
        """Maps [band, y, x] of a box as of the last run."""
        return [self._opened.window(path, *box) for path in self._kept]

    @property
    def parts(self) -> int:
        """Parts of the maps that were asked for."""
        return len(self._digests)

    def keep(self) -> None:
        """Keep the maps that the job has written by now, with what their parts follow from."""
        keep_maps(self._maps, self._digests, self.parts, self.copied)


class MapParts:
    """What the parts of some maps of another job follow from: equal digests, equal values."""

    def __init__(self, maps: Sequence[Path]) -> None:
        """Where there is no record of the maps, all of them are one part: their sums."""
        found = facts_in(record_of(maps), maps)
        self._sums = sums_of(maps) if found is None else []
        self._parts = [(_box_named(name), name, digest) for name, digest in sorted((found or {}).items())]

    def facts(self, box: PixelBox) -> list[object]:
        """The parts that a box touches, as plain data; where there is none nothing limits."""
        return [*self._sums, *([name, digest] for part, name, digest in self._parts if _touch(part, box))]


def _box_named(name: str) -> PixelBox:
    top, bottom, left, right = map(int, name.split("-"))
    return PixelBox(slice(top, bottom), slice(left, right))


def _touch(first: PixelBox, second: PixelBox) -> bool:
    return all(a.start < b.stop and b.start < a.stop for a, b in zip(first, second, strict=True))
