"""A table of transmitters while its columns are found: headers and cells, what is proposed, what is asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.grid.grid import Box
from pipeline.init.column_values import ColumnCells, cells_of, channel_or_none, number_of
from pipeline.init.column_words import Header, columns_meant, understood
from pipeline.init.questions import Question
from pipeline.init.table_layout import LaidOut
from pipeline.registers.conversion.cell_numbers import NumberFormat
from pipeline.rows.foreign_text import TextFormat

POWER_UNITS = ("kW", "W", "dBW", "dBm", "dBkW")
NO_ANSWER = "none"
"""The answer that no column or file is the one."""

Content = dict[str, Any]
"""A part of a mapping as YAML holds it."""

MEANINGS = {
    "id": "the id of each entry",
    "channel": "the channel, or the frequency in MHz",
    "erp_kw": "the e.r.p. in kW",
    "lat": "the latitude",
    "lon": "the longitude",
    "antenna_height_agl_m": "the height of the antenna above ground in m",
}


@dataclass(slots=True)
class TableProposal:
    """A table of transmitters as it is understood.

    ``columns`` and ``pattern``: content of a mapping; ``questions`` what is not; ``notes`` on guesses by the
    column they are of; ``total_rows`` without channel, power and place.
    """

    path: Path
    laid: LaidOut
    columns: Content = field(default_factory=dict)
    pattern: Content | None = None
    questions: list[Question] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)
    na: list[str] = field(default_factory=list)
    total_rows: int = 0

    @property
    def has_days(self) -> bool:
        """Whether entries say from when or until when they hold."""
        return any(
            question.key.endswith((":valid_from", ":valid_to")) for question in self.questions
        ) or bool({"valid_from", "valid_to"} & self.columns.keys())

    def numbers(self, target: str) -> list[float | None]:
        """The numbers of a proposed column by row; all None where none is proposed."""
        name = self.columns.get(target, {}).get("from")
        rows = len(self.laid.foreign.table.rows)
        if not isinstance(name, str):
            return [None] * rows
        layout, typed = self.laid.layout, name in (self.laid.foreign.typed or ())
        form = NumberFormat(layout.decimal or ".", layout.thousands, typed)
        return [number_of(text.strip(), form) for text in self.laid.foreign.table.columns[name]]

    def channels(self) -> list[int | None]:
        """The channels of the proposed column by row."""
        name = self.columns.get("channel", {}).get("from")
        cells = (
            self.laid.foreign.table.columns[name] if isinstance(name, str) else [""] * len(self.numbers("id"))
        )
        return [channel_or_none(text) for text in cells]

    def mapping(self, path: str) -> Content:
        """The content of the mapping, before answers; ``path`` as the territory file names the table."""
        layout = self.laid.layout
        content: Content = {"path": path}
        if layout.encoding != TextFormat().encoding:
            content["encoding"] = layout.encoding
        if layout.separator and layout.separator != ("\t" if layout.encoding == "utf-16" else ","):
            content["separator"] = layout.separator
        if layout.decimal == ",":
            content["decimal"] = ","
        if layout.thousands:
            content["thousands"] = layout.thousands
        if layout.header_row != 1:
            content["header_row"] = layout.header_row
        if layout.sheet is not None:
            content["sheet"] = layout.sheet
        if self.na:
            content["na"] = ["", *self.na]
        content["columns"] = {name: dict(column) for name, column in self.columns.items()}
        if self.pattern is not None:
            content["pattern"] = dict(self.pattern)
        return content


class TableDraft:
    """A table with its headers, what they may mean and their cells, and the proposal so far."""

    def __init__(self, path: Path, laid: LaidOut, box: Box | None) -> None:
        """Read headers and cells; ``box`` of the country, None where it is not known."""
        self.proposal = TableProposal(path, laid)
        self.box = box
        table = laid.foreign.table
        form = NumberFormat(laid.layout.decimal or ".", laid.layout.thousands)
        typed = laid.foreign.typed or ()
        self.headers = [understood(name) for name in table.headers if name]
        self.cells = {
            name: cells_of(column, NumberFormat(typed=True) if name in typed else form)
            for name, column in table.columns.items()
        }
        self.raw = table.columns
        self.meant = {header.text: columns_meant(header) for header in self.headers}
        self.by_text = {header.text: header for header in self.headers}
        self.azimuths: set[str] = set()
        self.points = laid.foreign.points is not None

    def of(self, target: str) -> list[Header]:
        """The headers that may mean a column and are not used."""
        used = {name for column in self.proposal.columns.values() for name in headers_in(column)}
        return [h for h in self.headers if target in self.meant[h.text] and h.text not in used]

    def ask(
        self,
        key: str,
        text: str,
        choices: Sequence[str],
        apply: Callable[[dict[str, Any], str], None],
        *,
        shown: Sequence[str] = (),
        several: bool = False,
        about: str = "",
        column: str = "",
    ) -> None:
        """Leave a question; its key begins with the name of the file."""
        name = f"{self.proposal.path.name}:{key}"
        question = Question(name, text, (*choices,), (*shown,), several, apply, about, column)
        self.proposal.questions.append(question)

    def propose(self, target: str, check: Callable[[ColumnCells, Header], Content | None]) -> None:
        """Propose the one header whose words and cells agree; several that do are asked."""
        found = {h.text: more for h in self.of(target) if (more := check(self.cells[h.text], h)) is not None}
        if len(found) == 1:
            ((header, more),) = found.items()
            self.proposal.columns[target] = {"from": header, **more}
        elif found:

            def apply(content: dict[str, Any], answer: str) -> None:
                if answer != NO_ANSWER:
                    content["columns"][target] = {"from": answer, **found[answer]}

            self.ask(target, f"which column holds {MEANINGS.get(target, target)}", (*found, NO_ANSWER), apply)

    def examples(self, header: str, most: int = 3) -> list[str]:
        """The first cells of a column, with the names of their sites."""
        site = self.proposal.columns.get("site", {}).get("from")
        rows = [i for i, cell in enumerate(self.raw[header]) if cell.strip()][:most]
        return [
            f"{header} = {self.raw[header][i].strip()}" + (f" ({self.raw[site][i].strip()})" if site else "")
            for i in rows
        ]


def at_key(path: str) -> Callable[[dict[str, Any], str], None]:
    """Enter an answer at a dotted key of a mapping."""
    *above, last = path.split(".")

    def apply(content: dict[str, Any], answer: str) -> None:
        for name in above:
            content = content.setdefault(name, {})
        content[last] = answer

    return apply


def headers_in(column: Content) -> list[str]:
    """The headers that a proposed column is made of."""
    named = column.get("from", [])
    return [named] if isinstance(named, str) else list(named)


def as_content(name: str | None) -> Content | None:
    """A notation of angles as keys of a column; None where there is none."""
    return None if name is None else {} if name == "degrees" else {"notation": name}
