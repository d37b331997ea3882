"""Limits of an earlier run of a job, by parts of the grid: what follows from the same facts is copied.

    build/<territory>/.kept/protection/ch36_fixed30.json, ch36_fixed30.tif, ch36_fixed30_label.tif
    build/<territory>/.kept/limits/fixed30_ch36.json, fixed30_ch36.tif, max_eirp_fixed30_ch36.tif, ...

The record has the digest of all that each part of the maps follows from, and, where it has been computed, of
its values: what is made from the maps of another job goes by these, so that a change which comes to nothing
ends there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from numpy.typing import NDArray

from pipeline.grid.boxes import PixelBox
from pipeline.grid.kept_records import facts_in, keep_maps, kept_names, record_of, sums_of
from pipeline.grid.open_rasters import OpenRasters
from pipeline.hashing import json_hash

# Of a part that the last run did not have.
_NOTHING = ["", ""]


class PartState(NamedTuple):
    """The digest of what a part of the maps follows from, whether the last run had it, that of its values."""

    box: PixelBox
    digest: str
    unchanged: bool
    values: str = ""


class KeptTiles:
    """The maps of the last run of a job, and those that the present one keeps for the next."""

    def __init__(self, maps: Sequence[Path], basis: str, opened: OpenRasters) -> None:
        """``maps`` the job's files; ``basis`` digest of what all parts of them follow from."""
        self._maps, self._kept = list(maps), kept_names(maps)
        self._basis, self._opened = basis, opened
        self._digests: dict[str, list[str]] = {}
        self._before = _digests_in(record_of(maps), self._kept) or {}
        self.copied = 0

    def unchanged(self, box: PixelBox, facts: object) -> bool:
        """Whether the last run had the same box of these maps from the same facts, plain data on it alone."""
        state = self.state_of(box, facts)
        self.note([state])
        return state.unchanged

    def state_of(self, box: PixelBox, facts: object) -> PartState:
        """The same, of which nothing is known here until it is noted: a worker of a cluster may ask."""
        digest = json_hash([self._basis, facts])
        before, values = self._before.get(_name_of(box), _NOTHING)
        return PartState(box, digest, before == digest, values if before == digest else "")

    def note(self, states: Iterable[PartState]) -> None:
        """Parts of the maps that are written now."""
        for state in states:
            self._digests[_name_of(state.box)] = [state.digest, state.values]
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
    """The digests of the values in the parts of some maps of another job."""

    def __init__(self, maps: Sequence[Path]) -> None:
        """Where there is no record of the maps, all of them are one part: their sums."""
        found = _digests_in(record_of(maps), maps)
        self._sums = sums_of(maps) if found is None else []
        self._parts = [
            (_box_named(name), name, values) for name, (_, values) in sorted((found or {}).items())
        ]

    def facts(self, box: PixelBox) -> list[object]:
        """The parts that a box touches, as plain data; where there is none nothing limits."""
        return [*self._sums, *([name, values] for part, name, values in self._parts if _touch(part, box))]


def _digests_in(record: Path, maps: Sequence[Path]) -> dict[str, list[str]] | None:
    """Both digests of each part by its name; None without a record, or where it has another form."""
    found = facts_in(record, maps)
    paired = found is not None and all(isinstance(its, list) and len(its) == 2 for its in found.values())
    return found if paired else None


def _name_of(box: PixelBox) -> str:
    return "-".join(str(place) for part in box for place in (part.start, part.stop))


def _box_named(name: str) -> PixelBox:
    top, bottom, left, right = map(int, name.split("-"))
    return PixelBox(slice(top, bottom), slice(left, right))


def _touch(first: PixelBox, second: PixelBox) -> bool:
    return all(a.start < b.stop and b.start < a.stop for a, b in zip(first, second, strict=True))
