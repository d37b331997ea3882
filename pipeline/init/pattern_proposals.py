"""Antenna patterns in a table: columns by azimuth, or a cell with all values. Signs and kinds are asked."""

from __future__ import annotations

import re

from pipeline.init.column_values import pattern_values
from pipeline.init.column_words import understood
from pipeline.init.table_proposal import POWER_UNITS, Content, TableDraft, at_key

_KINDS = ("attenuation_db", "relative_gain_db", "relative_field", "relative_power")
_FAMILY = re.compile(r"(.*?)(\d{1,3})(\D*)")
_KIND_WORDS = {
    "erp": ("erp",),
    "attenuation_db": ("att", "damp", "slablj", "utlum", "tlum"),
    "relative_field": ("field", "feld"),
}


def propose_pattern_columns(draft: TableDraft) -> None:
    """Columns of one name with azimuths in steps of 10 or 5 degrees."""
    families: dict[tuple[str, str], dict[int, str]] = {}
    for header in draft.headers:
        if found := _FAMILY.fullmatch(header.text):
            families.setdefault((found[1], found[3]), {})[int(found[2])] = found[2]
    for (before, behind), azimuths in families.items():
        step = next((s for s in (10, 5) if {*range(0, 360, s)} <= azimuths.keys()), None)
        if step is None:
            continue
        padded = ":03" if azimuths[0] == "000" else ""
        words = understood(before or "x").words
        kind = next((kind for kind, said in _KIND_WORDS.items() if any(w in words for w in said)), None)
        columns = f"{before}{{azimuth{padded}}}{behind}"
        draft.proposal.pattern = {"columns": columns, "step": step, "kind": kind}
        first = f"{before}{azimuths[0]}{behind}"
        for azimuth in azimuths.values():
            draft.meant[f"{before}{azimuth}{behind}"] = []
            draft.azimuths.add(f"{before}{azimuth}{behind}")
        unit = understood(first.replace(azimuths[0], " ")).unit
        if kind == "erp" and unit in POWER_UNITS:
            draft.proposal.pattern["unit"] = unit
        else:
            _ask_kind(draft, kind, first)


def _ask_kind(draft: TableDraft, kind: str | None, first: str) -> None:
    shown = draft.examples(first)
    if kind is None:
        draft.ask("pattern", f"what are the values of {first} and its like", _KINDS, at_key("pattern.kind"),
                  shown=shown)  # fmt: skip
    elif kind == "erp":
        draft.ask(
            "erp unit", f"unit of {first} and its like", POWER_UNITS, at_key("pattern.unit"), shown=shown
        )


def propose_pattern_cell(draft: TableDraft) -> None:
    """Propose the cell with all values of a pattern; what they are is asked."""
    if draft.proposal.pattern is not None:
        return
    for header in draft.of("pattern"):
        found = pattern_values(draft.cells[header.text])
        if found is None:
            continue
        separator, values = found
        more: Content = {} if separator == ";" else {"separator": separator}
        draft.proposal.pattern = {"from": header.text, **more, "kind": None}
        signs = "both signs" if min(values) < 0.0 < max(values) else f"{min(values):g} to {max(values):g}"
        text = f"what are the values of {header.text} ({signs})"
        draft.ask("pattern", text, _KINDS, at_key("pattern.kind"), shown=draft.examples(header.text, 1))
        return
