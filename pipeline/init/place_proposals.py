"""Columns of places: their words and cells must agree, and lie around the country."""

from __future__ import annotations

from typing import Any

from pipeline.init.column_values import (
    ColumnCells,
    are_grid_references,
    are_numbers,
    both_notation,
    has_letter_o,
    notation_of,
)
from pipeline.init.table_proposal import Content, TableDraft, as_content, at_key


def propose_places(draft: TableDraft) -> None:
    """Propose latitude and longitude, or what stands for them: grid references, both in a cell, metres."""
    if draft.points:
        return
    for target in ("lat", "lon"):
        if not _parts(draft, target):
            draft.propose(target, lambda cells, _, axis=target: _angle(draft, cells, axis))  # type: ignore[misc]
    columns = draft.proposal.columns
    if {"lat", "lon"} & columns.keys():
        return
    draft.propose("ngr", lambda cells, _: {} if are_grid_references(cells) else None)
    if "ngr" in columns:
        return
    draft.propose("lat_lon", lambda cells, _: as_content(both_notation(cells, draft.box)))
    if "lat_lon" in columns:
        return
    for target in ("x", "y"):
        draft.propose(target, lambda cells, _: {} if _are_metres(cells) else None)
    if {"x", "y"} <= columns.keys():
        names = f"{columns['x']['from']} and {columns['y']['from']}"
        draft.ask("crs", f"EPSG code of {names}, such as EPSG:27700", (), at_key("crs"))
    else:
        columns.pop("x", None)
        columns.pop("y", None)


def _angle(draft: TableDraft, cells: ColumnCells, axis: str) -> Content | None:
    found = as_content(notation_of(cells, axis, draft.box))
    if found is not None and axis == "lon" and has_letter_o(cells):

        def apply(content: dict[str, Any], answer: str) -> None:
            content["columns"]["lon"]["hemispheres"] = {"O": answer}

        draft.ask("hemisphere O", "is O East or West", ("E", "W"), apply)
    return found


def _parts(draft: TableDraft, axis: str) -> bool:
    """Degrees, minutes and seconds in cells of their own, with the letter behind them if there is one."""
    named = [h.text for h in draft.of(axis)]
    if not 2 <= len(named) <= 3 or not all(are_numbers(draft.cells[n], -180.0, 180.0) for n in named):
        return False
    if not all(are_numbers(draft.cells[name], 0.0, 60.0) for name in named[1:]):
        return False
    order = [header.text for header in draft.headers]
    behind = order[order.index(named[-1]) + 1 : order.index(named[-1]) + 2]
    letters = {"N", "S"} if axis == "lat" else {"E", "W"}
    named += [name for name in behind if draft.cells[name].texts and {*draft.cells[name].texts} <= letters]
    draft.proposal.columns[axis] = {"from": named, "notation": "parts"}
    return True


def _are_metres(cells: ColumnCells) -> bool:
    return are_numbers(cells, -2e7, 2e7) and not are_numbers(cells, -360.0, 360.0)
