"""Maps of an earlier run of a job, by parts of the grid: what follows from the same facts is copied.

    build/<territory>/.kept/protection/ch36_fixed30.json, ch36_fixed30.tif, ch36_fixed30_label.tif
    build/<territory>/.kept/limits/fixed30_ch36.json, fixed30_ch36.tif, max_eirp_fixed30_ch36.tif, ...

The maps are further names of the files that the job wrote, so they take no room as long as these stay. The
record has the digest of all that each part of the maps follows from, and the sums of the maps. A record or a
map that is not what was written counts as none. What is made from the maps of another job takes the digests
of their parts for what is in them.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.dtt.channel_files import PixelBox
from pipeline.files import json_bytes, keep_aside
from pipeline.grid.open_rasters import OpenRasters
from pipeline.hashing import json_hash, sha256_of_files

_FOLDER = ".kept"
_DIGEST_BYTES = 16


def digest_of(*values: object) -> str:
    """Digest of nested tuples of arrays and plain values, by their bytes and texts."""
    digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    for part in _parts_of(values):
        digest.update(part)
    return digest.hexdigest()


def _parts_of(value: object) -> Iterable[bytes | memoryview]:
    if isinstance(value, np.ndarray):
        yield f"{value.dtype.str}{value.shape}".encode()
        yield np.ascontiguousarray(value).data.cast("B") if value.size else b""
    elif isinstance(value, list | tuple):
        yield f"({len(value)}".encode()
        for item in value:
            yield from _parts_of(item)
    else:
        yield f"{value!r},".encode()  # with its end: 1, 23 are not 12, 3


class KeptTiles:
    """The maps of the last run of a job, and those that the present one keeps for the next."""

    def __init__(self, maps: Sequence[Path], basis: str, opened: OpenRasters) -> None:
        """``maps`` the job's files; ``basis`` digest of what all parts of them follow from."""
        self._maps, self._record = list(maps), _record_of(maps)
        self._kept = [self._record.with_name(path.name) for path in maps]
        self._basis, self._opened = basis, opened
        self._digests: dict[str, str] = {}
        self._before = _digests_in(self._record, self._kept) or {}
        self.copied = 0

    def unchanged(self, box: PixelBox, facts: object) -> bool:
        """Whether the last run had the same box of these maps from the same facts, plain data on it alone."""
        name = "-".join(str(place) for part in box for place in (part.start, part.stop))
        self._digests[name] = json_hash([self._basis, facts])
        same = self._before.get(name) == self._digests[name]
        self.copied += same
        return same

    def values(self, box: PixelBox) -> list[NDArray[Any]]:
        """Maps [band, y, x] of a box as of the last run."""
        return [self._opened.window(path, *box) for path in self._kept]

    @property
    def parts(self) -> int:
        """Parts of the maps that were asked for."""
        return len(self._digests)

    def keep(self) -> None:
        """Keep the maps that the job has written by now, with what their parts follow from."""
        content = {"digests": self._digests, "maps": _sums_of(self._maps), "copied": self.copied}
        record = json_bytes(content | {"sum": json_hash(content)})
        with suppress(OSError):  # without further names nothing is kept
            self._record.unlink(missing_ok=True)
            keep_aside(dict(zip(self._kept, self._maps, strict=True)) | {self._record: record})
        if self.copied:
            name = self._record.parent.name
            print(f"{name}: {self.copied} of {self.parts} parts as before", file=sys.stderr, flush=True)


class MapParts:
    """What the parts of some maps of another job follow from: equal digests, equal values."""

    def __init__(self, maps: Sequence[Path]) -> None:
        """Where there is no record of the maps, all of them are one part: their sums."""
        found = _digests_in(_record_of(maps), maps)
        self._sums = _sums_of(maps) if found is None else []
        self._parts = [(_box_named(name), name, digest) for name, digest in sorted((found or {}).items())]

    def facts(self, box: PixelBox) -> list[object]:
        """The parts that a box touches, as plain data; where there is none nothing limits."""
        return [*self._sums, *([name, digest] for part, name, digest in self._parts if _touch(part, box))]


def parts_by_job(build: Path) -> dict[str, dict[str, dict[str, int]]]:
    """Parts computed and copied by each job that keeps maps, when it last ran; by folder of its maps."""
    found: dict[str, dict[str, dict[str, int]]] = {}
    for record in sorted((build / _FOLDER).glob("*/*.json")):
        content = _content_of(record)
        if content is not None:
            parts, copied = len(content["digests"]), int(content["copied"])
            counts = {"computed": parts - copied, "copied": copied}
            found.setdefault(record.parent.name, {})[record.stem] = counts
    return found


def _record_of(maps: Sequence[Path]) -> Path:
    return maps[0].parents[1] / _FOLDER / maps[0].parent.name / f"{maps[0].stem}.json"


def _digests_in(record: Path, maps: Sequence[Path]) -> dict[str, str] | None:
    """Digests of a record; None if it is damaged or not the one of these maps."""
    content = _content_of(record)
    if content is None or content["maps"] != _sums_of(maps):
        return None
    digests: dict[str, str] = content["digests"]
    return digests


def _content_of(record: Path) -> dict[str, Any] | None:
    """What a record holds; None if it is damaged."""
    try:
        content: dict[str, Any] = json.loads(record.read_bytes())
        return content if content.pop("sum") == json_hash(content) else None
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None


def _box_named(name: str) -> PixelBox:
    top, bottom, left, right = map(int, name.split("-"))
    return PixelBox(slice(top, bottom), slice(left, right))


def _touch(first: PixelBox, second: PixelBox) -> bool:
    return all(a.start < b.stop and b.start < a.stop for a, b in zip(first, second, strict=True))


def _sums_of(paths: Sequence[Path]) -> list[str | None]:
    return list(sha256_of_files(paths).values())
