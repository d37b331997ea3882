"""Horizontal patterns of a mapped table: one cell, columns by azimuth, or an antenna file beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pipeline.config.register_mapping import CellOf, PatternMapping
from pipeline.registers.conversion import power_units
from pipeline.registers.conversion.antenna_tables import Turn, equally_spaced, horizontal, pattern_text
from pipeline.registers.conversion.cell_numbers import CellProblem, NumberFormat, fault_of_key, number
from pipeline.registers.entries import RegisterEntry
from pipeline.registers.entry_patterns import HORIZONTAL, enter_tilt, enter_vertical
from pipeline.registers.formats.antenna_files import AntennaFile, read_antenna_file
from pipeline.registers.mapped.mapped_cells import MappedCells

_DIRECTIONAL = {"D", "DA", "DIR", "DIRECTIONAL"}
_NO_NUMBER = "a number of degrees"


class _Read(NamedTuple):
    """Points (azimuth, value), or flags without any; ``cells``: what they were read from."""

    points: list[tuple[float, float]]
    flags: tuple[str, ...] = ()
    cells: object = None

    @property
    def directional(self) -> bool:
        """Whether the values differ."""
        return len({value for _, value in self.points}) > 1


class _Figures(NamedTuple):
    """Cells of a column of numbers, how they are read, and what was read by text."""

    texts: Sequence[str]
    form: NumberFormat
    known: dict[str, float]


class Patterns:
    """The patterns of a table by row; equal ones are computed once."""

    def __init__(self, cells: MappedCells, mapping: PatternMapping, folder: Path) -> None:
        """Look up columns and unit; InputError for one that is not there. ``folder`` of antenna files."""
        self.cells, self.mapping, self.folder = cells, mapping, folder
        self._form = NumberFormat()
        self._known: dict[object, tuple[str, bool, float | None]] = {}
        self._numbers_of: dict[str, float] = {}
        self._reads: dict[object, tuple[_Read, bool]] = {}
        self._files: dict[str, AntennaFile] = {}
        self._azimuths: list[float] = []
        self._columns: list[list[str]] = []
        if mapping.columns is not None:
            self._azimuths = [float(azimuth) for azimuth in range(0, 360, mapping.step)]
            names = [mapping.columns.format(azimuth=int(azimuth)) for azimuth in self._azimuths]
            self._columns = [cells.figures(name) for name in names]
            self._form = cells.number_format(names[0])
        elif mapping.from_ is not None:
            self._form = cells.number_format(mapping.from_)
        if mapping.kind == "erp":
            with fault_of_key("pattern.unit", mapping.unit):
                power_units.check_unit(mapping.unit, "kW")
        self._rotation = self._numbers(mapping.rotation)
        self._electrical = self._numbers(mapping.electrical_tilt)
        self._mechanical = self._numbers(mapping.mechanical_tilt)
        self._names = [] if mapping.file is None else cells.of(mapping.file.from_)
        self._texts = [] if mapping.from_ is None else cells.of(mapping.from_)

    def _numbers(self, source: float | CellOf | None) -> _Figures | float | None:
        if not isinstance(source, CellOf):
            return source
        return _Figures(self.cells.figures(source.from_), self.cells.number_format(source.from_), {"": 0.0})

    def _at(self, source: _Figures | float | None, i: int) -> float:
        """A number of a row, 0 where there is none."""
        if not isinstance(source, _Figures):
            return float(source or 0.0)
        text = source.texts[i]
        if text in source.known:
            return source.known[text]
        try:
            return source.known.setdefault(text, number(text, source.form))
        except CellProblem as problem:
            raise CellProblem("bad_pattern", problem.problem, _NO_NUMBER, text) from None

    def _turn_deg(self, i: int, *, directional: bool) -> float:
        """The true azimuth of a pattern's 0; a directional pattern whose row does not say it is at fault."""
        rotation = self._rotation
        if directional and isinstance(rotation, _Figures) and not rotation.texts[i]:
            raise CellProblem("bad_pattern", "rotation of the pattern is missing", _NO_NUMBER, "")
        return self._at(rotation, i) + self.mapping.north_offset_deg

    def enter(self, entry: RegisterEntry, i: int) -> None:
        """Put the pattern of row ``i`` into its entry, with its flags or its fault."""
        try:
            self._enter(entry, i)
        except CellProblem as problem:
            entry.refuse("pattern", "bad_pattern", problem.problem, problem.allowed, problem.value)

    def _enter(self, entry: RegisterEntry, i: int) -> None:
        if self._at(self._mechanical, i):
            entry.flags.append("mechanical_tilt_ignored")
        tilt_deg = None
        if self._names:
            tilt_deg = self._from_file(entry, self._names[i], i)
        elif known := self._points(i):
            found, directional = known
            entry.flags += found.flags
            if found.points:
                self._put(entry, found, str(self.mapping.kind), self._turn_deg(i, directional=directional))
        if self._electrical is not None:
            enter_tilt(entry, tilt_deg, self._at(self._electrical, i) or None)

    def _points(self, i: int) -> tuple[_Read, bool] | None:
        """The points of a row and whether they differ; the same cells are read once."""
        cells = tuple(column[i] for column in self._columns) if self.mapping.columns else self._texts[i]
        if not any(cells):
            return None
        if cells not in self._reads:
            read = self._from_cell(cells) if isinstance(cells, str) else self._from_columns(cells)
            self._reads[cells] = read._replace(cells=cells), read.directional
        return self._reads[cells]

    def _from_columns(self, row: tuple[str, ...]) -> _Read:
        if not all(row):
            lost = self._azimuths[row.index("")]
            raise CellProblem(
                "bad_pattern", f"no value at {lost:g} degrees", "values at all azimuths, or none", ""
            )
        return _Read([*zip(self._azimuths, self._values(row), strict=True)])

    def _from_cell(self, text: str) -> _Read:
        none = {word.upper() for word in self.mapping.nondirectional}
        if text.upper() in none:
            return _Read([])
        if text.upper() in _DIRECTIONAL:
            return _Read([], ("pattern_missing",))
        separator, pair = self.mapping.separator, self.mapping.pair
        parts = text.split() if not separator.strip() else [part.strip() for part in text.split(separator)]
        if pair is None:
            parts = parts[:-1] if len(parts) > 1 and not parts[-1] else parts  # a separator at the end
            return _Read(equally_spaced(self._values(parts)))
        return _Read([_pair(part, pair, self._form) for part in parts if part])

    def _values(self, texts: Sequence[str]) -> list[float]:
        """Cells as numbers; each text is read once, for patterns repeat few of them."""
        known = self._numbers_of
        for text in texts:
            if text not in known:
                known[text] = _value(text, self._form)
        return [known[text] for text in texts]

    def _put(self, entry: RegisterEntry, read: _Read, kind: str, turn_deg: float) -> None:
        key = (read.cells, kind, turn_deg)
        if key not in self._known:
            self._known[key] = self._computed(read.points, kind, turn_deg)
        text, peak, erp_kw = self._known[key]
        entry.values[HORIZONTAL] = text
        if peak:
            entry.flags.append("pattern_peak")
        if erp_kw is not None:
            entry.values["erp_kw"] = erp_kw
            entry.add_other_plane(self.mapping.reference)

    def _computed(
        self, points: list[tuple[float, float]], kind: str, turn_deg: float
    ) -> tuple[str, bool, float | None]:
        mapping = self.mapping
        turn = Turn(turn_deg, clockwise=mapping.direction == "cw")
        erp_kw = None
        if kind == "erp":
            most = max(value for _, value in points)
            erp_kw = power_units.erp_kw(most, mapping.unit, mapping.reference)
            if not mapping.unit.startswith("dB"):  # by power: relative to the largest
                if min(value for _, value in points) < 0.0 or most <= 0.0:
                    raise CellProblem(
                        "bad_pattern", "power is not positive", "powers of more than 0", f"{most:g}"
                    )
                points, kind = [(azimuth, value / most) for azimuth, value in points], "relative_power"
        found = horizontal(points, kind, turn, normalise=mapping.normalise)
        return pattern_text(found.attenuation_db), found.peak, erp_kw

    def _from_file(self, entry: RegisterEntry, name: str, i: int) -> float | None:
        """Enter the patterns of an antenna file; the depression of its maximum, if it has a vertical one."""
        if not name:
            return None
        if name not in self._files:
            self._files[name] = read_antenna_file(self._beside(name))
        antenna = self._files[name]
        entry.flags += antenna.flags
        if antenna.horizontal:
            read = _Read(antenna.horizontal, cells=("file", name))
            turn_deg = self._turn_deg(i, directional=read.directional)
            self._put(entry, read, antenna.horizontal_kind, turn_deg)
        enter_vertical(entry, antenna.vertical)
        if not antenna.vertical.points and antenna.electrical_tilt_deg is not None:
            entry.values["beam_tilt_deg"] = antenna.electrical_tilt_deg
        return antenna.vertical.beam_tilt_deg

    def _beside(self, name: str) -> Path:
        path = self.folder / name
        if Path(name).name != name or not path.is_file():
            raise CellProblem(
                "bad_pattern", "antenna file is not beside the register", "the name of a file there", name
            )
        return path


def _value(text: str, form: NumberFormat) -> float:
    try:
        return number(text, form)
    except CellProblem as problem:
        raise CellProblem("bad_pattern", problem.problem, problem.allowed, text) from None


def _pair(text: str, sign: str, form: NumberFormat) -> tuple[float, float]:
    azimuth, found, value = text.partition(sign)
    if not found:
        raise CellProblem("bad_pattern", "not a pair", f"azimuth{sign}value", text)
    return _value(azimuth.strip(), form), _value(value.strip(), form)
