"""Files that are no rasters: complete or not there, one or several at once."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pandas as pd


def json_bytes(document: object) -> bytes:
    """A document as UTF-8 text; numbers that do not exist must be None."""
    return (json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def table_bytes(table: pd.DataFrame) -> bytes:
    """A table as CSV; numbers to 0.0001, empty where unknown."""
    return table.to_csv(index=False, float_format="%.4f", lineterminator="\n").encode()


def write_whole(path: Path, content: bytes) -> None:
    """Write one file; its folder is made if need be."""
    write_together({path: content})


def write_together(contents: Mapping[Path, bytes]) -> None:
    """Write files so that none appears before all are complete; each replaces its old self at once."""
    written: dict[Path, Path] = {}
    try:
        for path, content in contents.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            written[path] = path.with_name(f".{path.name}.{os.getpid()}.tmp")
            written[path].write_bytes(content)
        for path, temporary in written.items():
            temporary.replace(path)
    finally:
        for temporary in written.values():
            with suppress(FileNotFoundError):
                temporary.unlink()
