"""Format `ised`: the Canadian broadcasting data base (baserad, dBase III), or its extract with `|`.

Evidence: manuals of 1994 and 2017, corrective notes of 2013, a notice of the FCC on its extract of 2012 [D];
a schema of tables [S]. No original file was seen.

- ERPVPK is in watts, the maximum of the pattern; ERPATA 0 is analogue, 1 and 2 digital since 2013, a power
  before (`vintage: old`) [D].
- RAD_CENTER is above mean sea level (2017; the manual of 1994 says above ground): the height above ground is
  RAD_CENTER - GROUND_LEV, and must fit below the mast (OVERALL_H) for most rows [D].
- Places are ddmmss and dddmmss in NAD83, longitude positive west, above 180 too [D].
- APATDAT: dB relative to ERPVPK; the sign of angles of vertical patterns is not known [?]: they are not used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.errors import InputError
from pipeline.registers.conversion import coordinate_notations as notations
from pipeline.registers.conversion.cell_numbers import channel_number, number, number_or_none
from pipeline.registers.conversion.coordinate_notations import Axis
from pipeline.registers.entries import InputFile, Reading, RegisterEntry, Source, unreadable_rows
from pipeline.registers.entry_patterns import enter_horizontal
from pipeline.registers.finishing import Target
from pipeline.rows.foreign_files import read_foreign
from pipeline.rows.foreign_text import CellTable, TextFormat, file_in, need_columns

_LANGUAGE_BYTE = 29
_PIPE = TextFormat("windows-1252", "|")
_NAMES = {
    "stations": ("tvstatio.dbf", "tv_statio.txt"),
    "keys": ("apatstat.dbf", "tv_apatstat.txt"),
    "patterns": ("apatdesc.dbf", "tv_apatdesc.txt"),
    "points": ("apatdat.dbf", "tv_apatdat.txt"),
}
_NEEDED = (
    "CALL_SIGN", "BANNER", "PROVINCE", "CITY", "LATITUDE", "LONGITUDE", "ERPVPK", "ERPATA", "GROUND_LEV",
    "OVERALL_H", "RAD_CENTER", "EHAATT", "BEAM_TILT", "CHANNEL",
)  # fmt: skip
_KEPT = ("AP", "AU", "OP", "TO")
_PROVINCES = {"AB", "BC", "MB", "NB", "NF", "NL", "NS", "NT", "NU", "ON", "PE", "PQ", "QC", "SK", "YK", "YT"}
_KEYS = {
    "id": "CALL_SIGN", "lat": "LATITUDE", "lon": "LONGITUDE", "channel": "CHANNEL",
    "centre_mhz": "CHANNEL",
    "erp_kw": "ERPVPK", "haat_m": "EHAATT", "beam_tilt_deg": "BEAM_TILT",
    "antenna_height_agl_m": "RAD_CENTER",
    "site_height_asl_m": "GROUND_LEV", "pattern": "GAIN", "site": "CITY",
}  # fmt: skip
_TELEVISION = range(2, 70)
_ANALOGUE, _MOST_CODE = 0.0, 2.0
_OVER_MAST_M = 20.0

_Cells = Mapping[str, str]


def read_ised(source: Source, target: Target) -> Reading:
    """Entries of all stations of all folders."""
    reading = Reading()
    for folder in source.files:
        reading.add(_read_folder(folder, source))
    return reading


def _read_folder(folder: Path, source: Source) -> Reading:
    tables = {name: _table(folder, names) for name, names in _NAMES.items()}
    stations = tables["stations"]
    rows = _rows(stations, _NEEDED)
    entries = [_entry(stations.path, row, cells, source) for row, cells in rows]
    counted = [entry for entry in entries if not entry.drop]
    _refuse_other_readings(stations.path, counted, source)
    patterns = _patterns(tables)
    for entry in counted:
        _finish(entry, patterns.get(_station_key(entry.cells), []))
    inputs = [InputFile(table.path, len(table.rows)) for table in tables.values()]
    return Reading([*entries, *unreadable_rows(stations.path, stations.faults)], inputs)


def _table(folder: Path, names: Sequence[str]) -> CellTable:
    path = file_in(folder, *names)
    if path is None:
        raise InputError("table is missing", file=folder, allowed=" or ".join(names))
    return read_foreign(path, _form(path)).table


def _form(path: Path) -> TextFormat:
    """How text is read, and a dBase file that does not say its letters (language byte 0): windows-1252."""
    if path.suffix.lower() != ".dbf":
        return _PIPE
    with path.open("rb") as stream:
        silent = stream.read(_LANGUAGE_BYTE + 1)[_LANGUAGE_BYTE:] == b"\0"
    return _PIPE if silent and not path.with_suffix(".cpg").exists() else TextFormat()


def _rows(table: CellTable, needed: Sequence[str]) -> list[tuple[int, dict[str, str]]]:
    """The rows of a table with their cells by upper-case name."""
    columns = {name.upper(): cells for name, cells in table.columns.items()}
    need_columns(table.path, columns, needed, row=None)
    return table._replace(columns=columns).by_row()


def _entry(path: Path, row: int, cells: dict[str, str], source: Source) -> RegisterEntry:
    """The entry of a station, dropped if it does not count."""
    entry = RegisterEntry(path, row, cells=cells, keys=_KEYS)
    entry.source_id = entry.values["id"] = f"{cells['CALL_SIGN']}-{cells['BANNER']}"
    entry.values["status"] = cells["BANNER"]
    channel = number_or_none(cells["CHANNEL"])
    if cells["BANNER"] not in (source.mapping.keep_status or _KEPT):
        entry.drop = "status"
    elif cells["PROVINCE"].upper() not in _PROVINCES:
        entry.drop = "foreign"
    elif channel is not None and channel not in _TELEVISION:
        entry.drop = "service"
    elif source.mapping.vintage != "old" and number_or_none(cells["ERPATA"]) == _ANALOGUE:
        entry.drop = "analogue"
    return entry


def _refuse_other_readings(path: Path, entries: Sequence[RegisterEntry], source: Source) -> None:
    """Refuse a table of which most rows, or a code, say that columns mean something else."""
    codes = [code for entry in entries if (code := number_or_none(entry.cells["ERPATA"])) is not None]
    if source.mapping.vintage != "old" and any(code > _MOST_CODE for code in codes):
        raise InputError(
            "is no code, but a power as before 2013", file=path, field="ERPATA", value=max(codes),
            allowed="0, 1, 2; or vintage: old",
        )  # fmt: skip
    heights = [_height_and_mast(entry.cells) for entry in entries]
    known = [pair for pair in heights if pair is not None]
    wrong = [height for height, mast in known if height < 0.0 or height > mast + _OVER_MAST_M]
    if len(wrong) > 0.5 * len(known):
        raise InputError(
            f"of {len(wrong)} of {len(known)} rows is no height above sea; is it above ground?",
            file=path,
            field="RAD_CENTER",
            allowed="the height of the radiation centre above mean sea level",
        )


def _height_and_mast(cells: _Cells) -> tuple[float, float] | None:
    centre, ground, mast = (number_or_none(cells[name]) for name in ("RAD_CENTER", "GROUND_LEV", "OVERALL_H"))
    return None if centre is None or ground is None or mast is None else (centre - ground, mast)


def _finish(entry: RegisterEntry, patterns: Sequence[tuple[str, list[tuple[float, float]]]]) -> None:
    cells, values = entry.cells, entry.values
    values |= {"site": cells["CITY"], "country": "CA", "system": "ATSC", "multiplex_mode": "8VSB"}
    entry.take("lat", "LATITUDE", lambda text: _packed(text, Axis("lat")), needed=True)
    entry.take("lon", "LONGITUDE", lambda text: _east_deg(_packed(text, Axis("lon"))), needed=True)
    entry.take("channel", "CHANNEL", channel_number, needed=True)
    entry.take("erp_kw", "ERPVPK", lambda text: 1e-3 * number(text))
    if not cells["ERPVPK"]:
        entry.drop = "no_power"
    ground = entry.take("site_height_asl_m", "GROUND_LEV", number)
    centre = entry.take("", "RAD_CENTER", number)
    if isinstance(ground, float) and isinstance(centre, float):
        values["antenna_height_agl_m"] = centre - ground
    entry.take("haat_m", "EHAATT", number)
    entry.take("beam_tilt_deg", "BEAM_TILT", number)
    horizontal = [points for plane, points in patterns if plane == "H"]
    if any(plane == "V" for plane, _ in patterns):
        entry.flags.append("vertical_ignored")
    if horizontal:
        enter_horizontal(entry, horizontal[0], "relative_gain_db", "pattern")
    elif cells.get("ANT_MODE", "").upper().startswith("D"):
        entry.flags.append("pattern_missing")


def _packed(text: str, axis: Axis) -> float:
    sign = -1.0 if text.startswith("-") else 1.0
    return sign * notations.packed(text.removeprefix("-"), axis)


def _east_deg(west_deg: float) -> float:
    """A longitude that counts westwards, beyond 180 too, as -180 to 180 east."""
    return (180.0 - west_deg) % 360.0 - 180.0


def _station_key(cells: _Cells) -> tuple[str, str]:
    return "".join(cells["CALL_SIGN"].split()), cells["BANNER"]


def _patterns(
    tables: Mapping[str, CellTable],
) -> dict[tuple[str, str], list[tuple[str, list[tuple[float, float]]]]]:
    """Plane and points (azimuth, gain in dB over ERPVPK) by call sign and banner."""
    for fault in (fault for name in ("keys", "patterns", "points") for fault in tables[name].faults):
        raise fault
    points: dict[str, list[tuple[float, float]]] = {}
    for row, cells in _rows(tables["points"], ("PATT_KEY", "ANGLE", "GAIN")):
        pair = number_or_none(cells["ANGLE"]), number_or_none(cells["GAIN"])
        if pair[0] is None or pair[1] is None:
            raise InputError(
                "not an angle with its gain",
                file=tables["points"].path,
                row=row,
                field="GAIN",
                value=cells["GAIN"],
            )
        points.setdefault(cells["PATT_KEY"], []).append((pair[0], pair[1]))
    planes = {
        cells["PATT_KEY"]: cells["HOR_VER"].upper()[:1]
        for _, cells in _rows(tables["patterns"], ("PATT_KEY", "HOR_VER"))
    }
    found: dict[tuple[str, str], list[tuple[str, list[tuple[float, float]]]]] = {}
    for _, cells in _rows(tables["keys"], ("PATT_KEY",)):
        name = _named_station(cells)
        if cells["PATT_KEY"] in points:
            found.setdefault(name, []).append((planes.get(cells["PATT_KEY"], "H"), points[cells["PATT_KEY"]]))
    return found


def _named_station(cells: _Cells) -> tuple[str, str]:
    """Call sign and banner: the last two characters of CALLS_BANR, or behind the ~ of the extract's key."""
    if key := cells.get("CALL_BANR_KEY", ""):
        call, _, banner = key.partition("~")
        return "".join(call.split()), banner.strip()
    text = cells.get("CALLS_BANR", "")
    return "".join(text[:-2].split()), text[-2:]
