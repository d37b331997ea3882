"""Antenna files named in a register: MSI Planet, NSMA WG16.99.050, EDX and Radio Mobile.

Evidence: [S] seen in programs that read or write the format, [D] in documentation; no vendor's file was seen.

- MSI Planet (`.msi`, `.pln`, `.prn`) [S] [D]: `KEY value` in any order; GAIN without unit dBd; loss
  positive, azimuth clockwise, vertical 0 = horizon, 90 = nadir, 270 = zenith; its back half is not used.
- NSMA (`.adf`) [S] [D]: `KEY:,value`; elevation positive up [S]; the sense of azimuth is not settled:
  clockwise, with flag `azimuth_sense` where it matters. The older WG16.89.003 (`.nsm`) is not read.
- EDX (`.pat`) [D] [S]: field or dB, relative to its largest value; elevation positive up [S].
- Radio Mobile (`.ant`) [S]: 360 azimuths, then 360 vertical values from the zenith (-90) down.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.registers.conversion.antenna_tables import Vertical, attenuation_db, tilts_disagree, vertical
from pipeline.registers.conversion.cell_numbers import CellProblem
from pipeline.rows.row_models import finite
from pipeline.rows.text_records import content_of

_MOST_BYTES = 10_000_000
_KINDS = ".msi, .pln, .prn, .adf, .pat or .ant"
_PARTS = re.compile(r"[\s,;]+")
_EDX_HEAD = re.compile(
    r"""['"]?(?P<name>.*?)['"]?\s*[,\s]\s*(?P<gain>[-+.\d]+)\s*[,\s]\s*(?P<kind>[12])\s*,?"""
)
_END_OF_EDX = 999.0
_NONE = Vertical(None, [])
_SYMMETRIC_DB = 0.5
_NSMA_KINDS = {
    "DBR": "relative_gain_db",
    "DBI": "absolute_gain_dbi",
    "DBD": "absolute_gain_dbi",
    "LIN": "relative_field",
}


@dataclass
class AntennaFile:
    """An antenna: horizontal points (azimuth clockwise, value of a kind), the vertical pattern, flags.

    ``electrical_tilt_deg``: as stated, positive down.
    """

    horizontal: list[tuple[float, float]]
    horizontal_kind: str
    vertical: Vertical = _NONE
    electrical_tilt_deg: float | None = None
    flags: list[str] = field(default_factory=list)

    def settle_tilt(self) -> AntennaFile:
        """Take the stated tilt where the table has its maximum at 0; flag one that contradicts the table."""
        of_table, stated = self.vertical.beam_tilt_deg, self.electrical_tilt_deg
        if of_table == 0.0 and stated:
            self.vertical = Vertical(stated, self.vertical.points)
        elif tilts_disagree(of_table, stated):
            self.flags.append("tilt_disagrees")
        return self


def _text_of(content: bytes) -> str:
    """Keys and numbers are ASCII; a mark of another encoding counts."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16")
    return content.removeprefix(codecs.BOM_UTF8).decode("iso-8859-1")


def read_antenna_file(path: Path) -> AntennaFile:
    """An antenna file by its suffix; CellProblem ``bad_pattern`` with the name of the file."""
    readers = {".msi": _msi, ".pln": _msi, ".prn": _msi, ".adf": _nsma, ".pat": _edx, ".ant": _radio_mobile}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise CellProblem("bad_pattern", "unknown kind of antenna file", _KINDS, path.name)
    content = content_of(path, _MOST_BYTES)
    try:
        lines = _text_of(content).splitlines()
        return reader(lines).settle_tilt()
    except (ValueError, IndexError, StopIteration, RuntimeError) as error:  # in a generator: RuntimeError
        said = error.problem if isinstance(error, CellProblem) else "is damaged"
        raise CellProblem(
            "bad_pattern", f"antenna file {said}", "a complete antenna file", path.name
        ) from None


def _numbers(line: str) -> list[float]:
    return [finite(part) for part in _PARTS.split(line.strip()) if part]


# --- MSI Planet ---------------------------------------------------------------------------------------------


def _msi(lines: Sequence[str]) -> AntennaFile:
    keys: dict[str, str] = {}
    tables: dict[str, list[tuple[float, float]]] = {}
    declared: dict[str, str] = {}
    current: list[tuple[float, float]] | None = None
    for line in filter(str.strip, lines):
        key, value = [*line.split(maxsplit=1), ""][:2]
        if key.upper() in ("HORIZONTAL", "VERTICAL"):
            current = tables.setdefault(key.upper(), [])
            declared[key.upper()] = value.strip()
        elif current is not None and (line.strip()[0] in "+-." or line.strip()[0].isdigit()):
            angle, loss = _numbers(line)[:2]
            current.append((angle, loss))
        else:
            current = None
            keys[key.upper()] = value.strip()
    flags = ["points_declared"] if any(str(len(tables[k])) != n for k, n in declared.items() if n) else []
    if any(loss < 0.0 for table in tables.values() for _, loss in table):
        flags.append("signs_turned")
    if "HORIZONTAL" not in tables or not tables["HORIZONTAL"]:
        raise CellProblem("bad_pattern", "has no HORIZONTAL table", "HORIZONTAL n and n lines")
    horizontal = [(angle, abs(loss)) for angle, loss in tables["HORIZONTAL"]]
    found = AntennaFile(horizontal, "attenuation_db", flags=flags)
    if tables.get("VERTICAL"):
        front = [(_msi_depression(angle), abs(loss)) for angle, loss in tables["VERTICAL"]]
        found.vertical = vertical([point for point in front if -90.0 <= point[0] <= 90.0])
        found.electrical_tilt_deg = _first_number(keys.get("ELECTRICAL_TILT", ""))
    else:
        flags.append("vertical_missing")
        stated = _first_number(keys.get("ELECTRICAL_TILT", ""))
        found.electrical_tilt_deg = stated if stated is not None else _first_number(keys.get("TILT", ""))
    return found


def _msi_depression(angle: float) -> float:
    """0 = horizon, 90 = nadir, 270 = zenith, as degrees down; the back half beyond the nadir."""
    return angle if angle < 180.0 else angle - 360.0


def _first_number(text: str) -> float | None:
    found = re.search(r"[-+]?\d+(\.\d+)?", text)
    return float(found[0]) if found else None


# --- NSMA ---------------------------------------------------------------------------------------------------


def _nsma(lines: Sequence[str]) -> AntennaFile:
    keys: dict[str, str] = {}
    cuts: list[dict[str, str]] = []
    tables: list[list[tuple[float, float]]] = []
    for line in (text.split("!")[0].strip() for text in lines):
        key, colon, value = line.partition(":")
        if colon and key.strip().isalpha():
            name, given = key.strip().upper(), value.strip(" ,")
            if name == "PATCUT":
                cuts.append({"PATCUT": given.upper()})
                tables.append([])
            (cuts[-1] if cuts else keys)[name] = given
        elif line and cuts:
            angle, gain = _numbers(line)[:2]
            tables[-1].append((angle, gain))
    data = keys.get("GUNITS", "DBI/DBR").upper().replace(" ", "").partition("/")[2] or "DBR"
    if data not in _NSMA_KINDS:
        raise CellProblem("bad_pattern", f"has the unit {data}", ", ".join(_NSMA_KINDS))
    horizontal, flags = _cut(cuts, tables, ("AZ", "H"))
    up, more = _cut(cuts, tables, ("EL", "V"))
    if not horizontal:
        raise CellProblem("bad_pattern", "has no co-polar cut of azimuth", "PATCUT AZ or H")
    kind = _NSMA_KINDS[data]
    found = AntennaFile(horizontal, kind, flags=sorted({*flags, *more, *_sense(horizontal, kind)}))
    if up:
        front = [((elevation + 180.0) % 360.0 - 180.0, gain) for elevation, gain in up]  # also of 0..360
        down = [(-elevation, gain) for elevation, gain in front if -90.0 <= elevation <= 90.0]
        found.vertical = vertical(_relative(down, kind), kind)
    found.electrical_tilt_deg = _first_number(keys.get("ELTILT", ""))
    return found


def _cut(
    cuts: Sequence[dict[str, str]], tables: Sequence[list[tuple[float, float]]], names: tuple[str, str]
) -> tuple[list[tuple[float, float]], list[str]]:
    """The first co-polar cut of a plane, and what is odd about it."""
    for cut, table in zip(cuts, tables, strict=True):
        if cut["PATCUT"] in names and _co_polar(cut.get("POLARI", "")):
            declared = cut.get("NUPOIN", "")
            once = {angle % 360.0: (angle, gain) for angle, gain in reversed(table)}  # both ends may be one
            flags = ["points_declared"] if declared and declared != str(len(table)) else []
            return [*reversed(once.values())], flags
    return [], []


def _co_polar(text: str) -> bool:
    first, slash, second = text.upper().replace(" ", "").partition("/")
    return not slash or first == second


def _relative(points: Sequence[tuple[float, float]], kind: str) -> list[tuple[float, float]]:
    """Field relative to its largest, which CellProblem says if it is none; levels as they are."""
    most = max(value for _, value in points) if kind == "relative_field" else 1.0
    if most <= 0.0:
        raise CellProblem("bad_pattern", "has no field above 0", "fields relative to the largest")
    return [(angle, value / most) for angle, value in points]


def _sense(points: Sequence[tuple[float, float]], kind: str) -> list[str]:
    """Flag a cut that is another one seen the other way round."""
    top = max(value for _, value in points)
    losses = attenuation_db([value for _, value in points], kind, top).tolist()
    table = {round(angle % 360.0, 6): loss for (angle, _), loss in zip(points, losses, strict=True)}
    mirrored = (abs(loss - table.get(round(-angle % 360.0, 6), loss)) for angle, loss in table.items())
    return ["azimuth_sense"] if any(difference > _SYMMETRIC_DB for difference in mirrored) else []


# --- EDX and Radio Mobile -----------------------------------------------------------------------------------


def _edx(lines: Sequence[str]) -> AntennaFile:
    rest = iter([line for line in lines if line.strip()])
    head = _EDX_HEAD.fullmatch(next(rest).strip())
    if head is None:
        raise CellProblem("bad_pattern", "has no line with name, gain and kind", "'name', gain, 1 or 2")
    kind = "relative_field" if head["kind"] == "1" else "absolute_gain_dbi"
    horizontal: list[tuple[float, float]] = []
    for line in rest:
        values = _numbers(line)
        if values[0] == _END_OF_EDX:
            break
        horizontal.append((values[0], values[1]))
    largest_deg = max(horizontal, key=lambda point: point[1])[0]
    found = AntennaFile(_relative(horizontal, kind), kind)
    if up := _edx_slice(rest, largest_deg):
        found.vertical = vertical(_relative([(-angle, value) for angle, value in up], kind), kind)
    else:
        found.flags.append("vertical_missing")
    return found


def _edx_slice(rest: Iterator[str], wanted_deg: float) -> list[tuple[float, float]]:
    """The slice at the azimuth of the horizontal maximum, else at 0, else the first."""
    sizes = next(rest, "")
    if not sizes:
        return []
    count, points = (int(value) for value in _numbers(sizes)[:2])
    slices: dict[float, list[tuple[float, float]]] = {}
    for _ in range(count):
        azimuth = _numbers(next(rest))[0] % 360.0
        slices[azimuth] = [(values[0], values[1]) for values in (_numbers(next(rest)) for _ in range(points))]
    for azimuth in (wanted_deg % 360.0, 0.0):
        if azimuth in slices:
            return slices[azimuth]
    return next(iter(slices.values()), [])


def _radio_mobile(lines: Sequence[str]) -> AntennaFile:
    values = [_numbers(line)[0] for line in lines if line.strip()]
    if len(values) != 720:
        raise CellProblem("bad_pattern", f"has {len(values)} values", "360 azimuths and 360 vertical ones")
    down = [(float(angle), value) for angle, value in zip(range(-90, 91), values[360:541], strict=True)]
    horizontal = [(float(azimuth), value) for azimuth, value in enumerate(values[:360])]
    return AntennaFile(horizontal, "relative_gain_db", vertical(down, "relative_gain_db"))
