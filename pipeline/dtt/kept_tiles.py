"""Limits of an earlier run of a job, by parts of the grid: what follows from the same victims is copied.

    build/<territory>/.kept/protection/ch36_fixed30.json, ch36_fixed30.tif, ch36_fixed30_label.tif

The maps are further names of the files that the job wrote, so they take no room as long as these stay. The
record has the digest of all that each part of the maps follows from, and the sums of the maps. A record or a
map that is not what was written counts as none.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
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
    """The limits of the last run of a job, and those that the present one keeps for the next."""

    def __init__(self, maps: Sequence[Path], basis: str, opened: OpenRasters) -> None:
        """``maps`` the job's files; ``basis`` digest of what all parts of them follow from, victims apart."""
        folder = maps[0].parents[1] / _FOLDER / maps[0].parent.name
        self._maps, self._record = list(maps), folder / f"{maps[0].stem}.json"
        self._kept = [folder / path.name for path in maps]
        self._basis, self._opened = basis, opened
        self._digests: dict[str, str] = {}
        self._before = self._read()
        self.copied = 0

    def limits(self, box: PixelBox, victims: Mapping[tuple[int, int], str]) -> list[NDArray[Any]] | None:
        """Maps [band, y, x] of a box as of the last run; None if it had another or other victims in reach.

        ``victims`` digests of the blocks that hold them.
        """
        name = "-".join(str(place) for part in box for place in (part.start, part.stop))
        self._digests[name] = json_hash([self._basis, sorted(victims.items())])
        if self._before.get(name) != self._digests[name]:
            return None
        self.copied += 1
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

    def _read(self) -> dict[str, str]:
        """Digests of the last run; none if its record or one of its maps is damaged."""
        try:
            content = json.loads(self._record.read_bytes())
            whole = content.pop("sum") == json_hash(content)
            digests: dict[str, str] = content["digests"]
            return digests if whole and content["maps"] == _sums_of(self._kept) else {}
        except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
            return {}


def _sums_of(paths: Sequence[Path]) -> list[str | None]:
    return list(sha256_of_files(paths).values())
