"""Records of maps that a job keeps for its next run, by folder and name of its maps.

    build/<territory>/.kept/protection/ch36_fixed30.json, ch36_fixed30.tif, ch36_fixed30_label.tif

The kept maps are further names of the files that the job wrote, so they take no room as long as these stay. A
record has the sums of the maps, how many parts of them there are and how many were copied, and what the
parts follow from. A record or a map that is not what was written counts as none.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.files import json_bytes, keep_aside
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


def record_of(maps: Sequence[Path]) -> Path:
    """Where the record of some maps is."""
    return maps[0].parents[1] / _FOLDER / maps[0].parent.name / f"{maps[0].stem}.json"


def kept_names(maps: Sequence[Path]) -> list[Path]:
    """The names under which maps are kept."""
    return [record_of(maps).with_name(path.name) for path in maps]


def facts_in(record: Path, maps: Sequence[Path]) -> dict[str, Any] | None:
    """What a record says of its maps; None if it is damaged or not the one of these maps."""
    content = _content_of(record)
    return None if content is None or content["maps"] != sums_of(maps) else content["facts"]


def keep_maps(
    maps: Sequence[Path],
    facts: Mapping[str, object],
    parts: int,
    copied: int,
    others: Mapping[Path, bytes] | None = None,
) -> None:
    """Keep the maps that a job has written by now, and ``others`` files, with ``facts`` as plain data."""
    record, content = (
        record_of(maps),
        {"facts": facts, "maps": sums_of(maps), "parts": parts, "copied": copied},
    )
    text = json_bytes(content | {"sum": json_hash(content)})
    with suppress(OSError):  # without further names nothing is kept
        record.unlink(missing_ok=True)
        names = dict(zip(kept_names(maps), maps, strict=True))
        keep_aside(names | dict(others or {}) | {record: text})
    if copied:
        print(f"{record.parent.name}: {copied} of {parts} parts as before", file=sys.stderr, flush=True)


def parts_by_job(build: Path) -> dict[str, dict[str, dict[str, int]]]:
    """Parts computed and copied by each job that keeps maps, when it last ran; by folder of its maps."""
    found: dict[str, dict[str, dict[str, int]]] = {}
    for record in sorted((build / _FOLDER).glob("*/*.json")):
        content = _content_of(record)
        if content is not None:
            parts, copied = int(content["parts"]), int(content["copied"])
            counts = {"computed": parts - copied, "copied": copied}
            found.setdefault(record.parent.name, {})[record.stem] = counts
    return found


def _content_of(record: Path) -> dict[str, Any] | None:
    """What a record holds; None if it is damaged or of an earlier form."""
    try:
        content: dict[str, Any] = json.loads(record.read_bytes())
        whole = content.pop("sum") == json_hash(content) and {"facts", "parts"} <= content.keys()
        return content if whole else None
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None


def sums_of(paths: Sequence[Path]) -> list[str | None]:
    """Sums of files, None where there is none."""
    return list(sha256_of_files(paths).values())
