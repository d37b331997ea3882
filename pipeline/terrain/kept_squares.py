"""Squares of one degree in a tile of several that are as the last run of a job had them: read from its file.

    build/<territory>/.kept/terrain/n40e008.json, n40e008.npz

So a new mast costs the work of its own square however large the tile is. A tile of one square is not kept.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from pipeline.blocks import spread
from pipeline.grid.kept_records import facts_in, keep_maps, kept_names, record_of
from pipeline.terrain.records import Mast

_Found = TypeVar("_Found")


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


def found_in_squares(
    squares: Mapping[str, Sequence[Mast]],
    kept: Collection[str],
    read: Callable[[list[str]], _Found],
    compute: Callable[[Sequence[Mast]], _Found],
    *,
    name: str,
) -> Iterator[_Found]:
    """What each square holds, in their order: ``read`` by keys of its masts where it is kept, else computed.

    One square after another here, side by side on a cluster. ``name`` heads the progress.
    """
    tasks = [(masts,) for square, masts in squares.items() if square not in kept]
    computed = spread(compute, tasks, len(tasks), 1, name=name)
    for square, masts in squares.items():
        yield read([mast.key for mast in masts]) if square in kept else next(computed)


def keep_squares(path: Path, basis: str, squares: Mapping[str, str], copied: Collection[str]) -> None:
    """Keep the file of a tile that is written by now, of whose squares some were ``copied``."""
    if basis and len(squares) > 1:
        keep_maps([path], {"basis": basis, "squares": dict(squares)}, len(squares), len(copied))
