"""Squares of one degree in a tile of several that are as the last run of a job had them: read from its file.

    build/<territory>/.kept/terrain/n40e008.json, n40e008.npz

So a new mast costs the work of its own square however large the tile is. A tile of one square is not kept.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from pipeline.grid.kept_records import facts_in, keep_maps, kept_names, record_of


def kept_squares(path: Path, basis: str, squares: Mapping[str, str]) -> tuple[Path, set[str]]:
    """The kept file of a tile, and which of its squares hold what they would be computed to.

    ``basis``: digest of all that is not of one square, empty where nothing is kept; ``squares``: digest of
    what each follows from, by name.
    """
    (kept,) = kept_names([path])
    found = facts_in(record_of([path]), [kept]) if basis and len(squares) > 1 else None
    if found is None or found["basis"] != basis:
        return kept, set()
    return kept, {name for name, digest in squares.items() if found["squares"].get(name) == digest}


def keep_squares(path: Path, basis: str, squares: Mapping[str, str], copied: Collection[str]) -> None:
    """Keep the file of a tile that is written by now, of whose squares some were ``copied``."""
    if basis and len(squares) > 1:
        keep_maps([path], {"basis": basis, "squares": dict(squares)}, len(squares), len(copied))
