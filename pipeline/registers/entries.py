"""Entries: rows of foreign registers on their way into one of the product.

An entry is written, dropped by a rule (with its reason), or at fault. What is dropped is no fault: a licence
that has ended may say what it likes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from pipeline.config.register_mapping import RegisterMapping
from pipeline.radio.channel_plan import ChannelPlan
from pipeline.registers.conversion.cell_numbers import CellProblem
from pipeline.registers.conversion.datums import WGS84, Datum
from pipeline.rows.foreign_text import RegisterFault


@dataclass(slots=True)
class RegisterEntry:
    """One row of a source.

    ``values`` by column of the register; ``cells`` as they stand, by the same columns (or by the keys of the
    format, ``keys``: column -> key), for messages; ``drop`` and ``fault``: why it is not written.
    """

    file: Path
    row: int
    values: dict[str, object] = field(default_factory=dict)
    cells: Mapping[str, str] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)
    flags: list[str] = field(default_factory=list)
    source_id: str = ""
    drop: str = ""
    fault: RegisterFault | None = None

    @property
    def written(self) -> bool:
        """Whether nothing keeps it from the register."""
        return not self.drop and self.fault is None

    def refuse(
        self, column: str, reason: str, problem: str, allowed: str | None, value: object = None
    ) -> None:
        """Note a fault; the first one of an entry stays."""
        if self.fault is None:
            key = self.keys.get(column, column)
            found = self.cells.get(key, self.cells.get(column, "")) if value is None else value
            self.fault = RegisterFault(
                reason, problem, file=self.file, row=self.row, field=key, value=found, allowed=allowed
            )

    def take(self, column: str, key: str, read: Callable[[str], object], *, needed: bool = False) -> object:
        """Read the cell of a key into a column (no column: only check it); the value, None without one.

        A bad cell is the fault of the entry, and so is an empty one where it is ``needed``.
        """
        text = self.cells.get(key, "").strip()
        if not text:
            if needed:
                self.refuse(key, "missing", "value is missing", f"a value of {key}", "")
            return None
        try:
            value = read(text)
        except CellProblem as problem:
            self.refuse_cell(key, problem)
            return None
        if column:
            self.values[column] = value
        return value

    def add_other_plane(self, reference: str) -> None:
        """Make the e.r.p. of one plane that of both, where a mixed polarisation states it ``per_plane``."""
        power = self.values.get("erp_kw")
        mixed = str(self.values.get("polarisation", "")).upper() == "M"
        if reference == "per_plane" and mixed and isinstance(power, float):
            self.values["erp_kw"] = 2.0 * power

    def refuse_cell(self, column: str, problem: CellProblem) -> None:
        """Note what is wrong with the cell of a column."""
        self.refuse(column, problem.reason, problem.problem, problem.allowed, problem.value)


def unreadable_rows(path: Path, faults: Iterable[RegisterFault]) -> list[RegisterEntry]:
    """Entries of rows that have no readable cells."""
    return [RegisterEntry(path, int(str(fault.row)), fault=fault) for fault in faults]


class Source(NamedTuple):
    """What a format is read from: its files, and how they are read."""

    mapping: RegisterMapping
    files: list[Path]
    plan: ChannelPlan


class InputFile(NamedTuple):
    """A file that was read, and its number of rows."""

    path: Path
    rows: int


def _roughness_m(datum: Datum) -> float:
    """The accuracy in m; parameters of unknown accuracy count as the widest."""
    return math.inf if datum.accuracy_m is None else datum.accuracy_m


@dataclass(slots=True)
class Reading:
    """All entries of a source in its order, the files, the widest datum and what was not used."""

    entries: list[RegisterEntry] = field(default_factory=list)
    inputs: list[InputFile] = field(default_factory=list)
    datum: Datum = WGS84
    not_used: list[str] = field(default_factory=list)
    areas: list[dict[str, object]] = field(default_factory=list)

    def add(self, other: Reading) -> None:
        """Take in the entries of another file."""
        self.entries += other.entries
        self.inputs += other.inputs
        self.areas += other.areas
        self.not_used += [name for name in other.not_used if name not in self.not_used]
        self.datum = max(self.datum, other.datum, key=_roughness_m)

    def written(self) -> Iterator[RegisterEntry]:
        """The entries that go into the register."""
        return (entry for entry in self.entries if entry.written)


def drop_by_rule(entry: RegisterEntry, mapping: RegisterMapping) -> str:
    """The reason of status or date for which an entry is left out, or nothing.

    Where neither a column nor the format says the status of rows, no row is left out for it.
    """
    has_status = "status" in mapping.columns or "status" in entry.values
    if (
        has_status
        and mapping.keep_status is not None
        and entry.values.get("status") not in mapping.keep_status
    ):
        return "status"
    if mapping.as_of is None:
        return ""
    today = mapping.as_of.isoformat()
    if str(entry.values.get("valid_from") or "") > today:
        return "not_yet"
    until = str(entry.values.get("valid_to") or "")
    return "expired" if until and until < today else ""
