"""Format `fcc_lms`: public dump of the FCC's Licensing and Management System, a folder of `.dat` or its ZIP.

Evidence: names of tables and fields, header line in each file [S] (TVStudy); joins and counts of a dump of
2026 [D]; a second reader [S]. The original dump was not seen.

- `|` between cells without quoting, names in line 1 in any case and order, records end with `|^|` [S].
- A facility counts if it is active, of a television service, and licensed; LICSL is silent but licensed.
- Its licence is the granted one in force of the filing that it names; the latest wins. Places are NAD83.
- Power is the e.r.p. stated, else the largest, else that of the stronger plane; never the sum, which would
  count one authorisation twice [S]. Fields are relative, not turned; elevation patterns count downwards.
- No height above ground in these tables: `rcamsl_m` is kept, HAAT 0 or empty is not known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from pipeline.registers.conversion import coordinate_notations as notations
from pipeline.registers.conversion.antenna_tables import Turn, Vertical, vertical
from pipeline.registers.conversion.cell_numbers import CellProblem, channel_number, number, number_or_none
from pipeline.registers.conversion.coordinate_notations import Axis
from pipeline.registers.entries import InputFile, Reading, RegisterEntry, Source
from pipeline.registers.entry_patterns import enter_horizontal, enter_tilt, enter_vertical
from pipeline.registers.finishing import Target
from pipeline.registers.formats.lms_tables import LmsRow, lms_records, opened_table
from pipeline.registers.formats.tvstudy import enter_haat

_SERVICES = (
    "DTV", "DTS", "DCA", "DC", "CA", "CADTS", "LPD", "LD", "LDTS", "LPT", "TX", "DRT", "TDTS"
)  # fmt: skip
_STATUSES = ("LICEN", "LICRP", "LICSL")
_SILENT, _UNITED_STATES = "LICSL", "US"
_KEYS = {
    "id": "facility_id", "lat": "aloc_lat_deg", "lon": "aloc_long_deg", "channel": "aafq_channel",
    "erp_kw": "aafq_power_erp_kw", "haat_m": "aant_rc_haat", "pattern": "aafv_field_value",
}  # fmt: skip
_POWERS = (("aafq_power_erp_kw",), ("aafq_max_erp_kw",), ("aafq_horiz_erp_kw", "aafq_vert_erp_kw"))
_CHANNELS = ("aafq_channel", "afac_channel", "channel")
_POSITION = ("deg", "mm", "ss", "dir")

_Cells = Mapping[str, str]


class _Tables(NamedTuple):
    """What hangs on the licences that count, by the key of what it hangs on."""

    locations: dict[str, list[LmsRow]]
    antennas: dict[str, list[LmsRow]]
    frequencies: dict[str, list[LmsRow]]
    fields: dict[str, list[LmsRow]]
    elevations: dict[str, list[LmsRow]]


class _Facility(NamedTuple):
    """A facility with its entry and the row of its licence."""

    row: LmsRow
    entry: RegisterEntry
    licence: _Cells


def read_lms(source: Source, target: Target) -> Reading:
    """Entries of all facilities of all dumps, a row for each site of a licence."""
    reading = Reading()
    for path in source.files:
        reading.add(_read_dump(path, source))
    return reading


def _read_dump(path: Path, source: Source) -> Reading:
    reading = Reading()
    with opened_table(path, "facility") as (_, file):
        facility_file = file
    kept: dict[str, _Facility] = {}
    count = 0
    needed = ("active_ind", "facility_id", "facility_status", "license_filing_id", "service_code", "channel")
    for row in lms_records(path, "facility", needed):
        count += 1
        entry = _facility_entry(facility_file, row, source)
        reading.entries.append(entry)
        if not entry.drop:
            kept[row.cells["facility_id"]] = _Facility(row, entry, {})
    reading.inputs.append(InputFile(facility_file if facility_file.exists() else path, count))
    licensed, superseded = _licensed(path, kept)
    tables = _tables(path, {facility.licence["afac_application_id"] for facility in licensed.values()})
    entries: list[RegisterEntry] = []
    for entry in reading.entries:
        facility = licensed.get(entry.cells["facility_id"]) if not entry.drop else None
        entries += [entry] if facility is None else _stations(facility, tables, facility_file.parent)
    reading.entries = entries + superseded
    return reading


def _facility_entry(file: Path, row: LmsRow, source: Source) -> RegisterEntry:
    """The entry of a facility, dropped if it does not count."""
    cells = row.cells
    entry = RegisterEntry(file, row.row, cells=cells, keys=_KEYS, source_id=cells["facility_id"])
    entry.values["status"] = cells["facility_status"]
    if cells["active_ind"] != "Y":
        entry.drop = "inactive"
    elif cells["service_code"] not in (source.mapping.services or _SERVICES):
        entry.drop = "service"
    elif cells["facility_status"] not in (source.mapping.keep_status or _STATUSES):
        entry.drop = "status"
    return entry


# --- licences -----------------------------------------------------------------------------------------------


def _licensed(path: Path, kept: Mapping[str, _Facility]) -> tuple[dict[str, _Facility], list[RegisterEntry]]:
    """The facilities with the licence in force, and the entries of applications that another one replaced."""
    needed = ("afac_application_id", "afac_facility_id", "afac_license_filing_id")
    candidates: dict[str, list[LmsRow]] = {}
    for row in lms_records(path, "application_facility", needed):
        facility = kept.get(row.cells["afac_facility_id"])
        if (
            facility is not None
            and row.cells["afac_license_filing_id"] == facility.row.cells["license_filing_id"]
        ):
            candidates.setdefault(row.cells["afac_facility_id"], []).append(row)
    versions = _versions(
        path, {row.cells["afac_application_id"] for rows in candidates.values() for row in rows}
    )
    with opened_table(path, "application_facility") as (_, file):
        own_file = file
    licensed: dict[str, _Facility] = {}
    superseded: list[RegisterEntry] = []
    for name, facility in kept.items():
        rows = candidates.get(name, [])
        granted = [
            row for row in rows if _in_force(versions.get(row.cells["afac_application_id"]), row.cells)
        ]
        if not granted:
            facility.entry.drop = "join_missing"
            continue
        best = max(granted, key=lambda row: versions[row.cells["afac_application_id"]]["last_update_ts"])
        superseded += [
            RegisterEntry(own_file, row.row, source_id=name, drop="superseded")
            for row in rows
            if row is not best
        ]
        if best.cells.get("country_code", _UNITED_STATES) not in ("", _UNITED_STATES):
            facility.entry.drop = "foreign"
        else:
            licensed[name] = facility._replace(licence=best.cells)
    return licensed, superseded


def _versions(path: Path, applications: set[str]) -> dict[str, _Cells]:
    needed = ("filing_version_id", "active_ind", "auth_type_code", "current_status_code", "last_update_ts")
    rows = lms_records(path, "license_filing_version", needed)
    return {
        row.cells["filing_version_id"]: row.cells
        for row in rows
        if row.cells["filing_version_id"] in applications
    }


def _in_force(version: _Cells | None, application: _Cells) -> bool:
    if version is None or application.get("active_ind", "Y") != "Y":
        return False
    state = (version["active_ind"], version["auth_type_code"], version["current_status_code"])
    return state == ("Y", "L", "GRA")


# --- sites --------------------------------------------------------------------------------------------------


def _tables(path: Path, applications: set[str]) -> _Tables:
    """The locations of applications, their antennas, and what belongs to these."""
    needed = ("aloc_active_ind", "aloc_aapp_application_id", "aloc_loc_record_id", "aloc_loc_seq_id")
    places = [f"aloc_{axis}_{part}" for axis in ("lat", "long") for part in _POSITION]
    locations = _grouped(path, "app_location", "aloc_aapp_application_id", applications, (*needed, *places))
    sites = {row.cells["aloc_loc_record_id"] for rows in locations.values() for row in rows}
    needed = ("aant_active_ind", "aant_aloc_loc_record_id", "aant_antenna_record_id", "aant_rc_haat")
    antennas = _grouped(path, "app_antenna", "aant_aloc_loc_record_id", sites, needed)
    names = {row.cells["aant_antenna_record_id"] for rows in antennas.values() for row in rows}
    of_antenna = (
        ("app_antenna_frequency", "aafq_aant_antenna_record_id"),
        ("app_antenna_field_value", "aafv_aant_antenna_record_id"),
        ("app_antenna_elevation_pattern", "aaep_antenna_record_id"),
    )
    frequencies, fields, elevations = (_grouped(path, table, key, names, (key,)) for table, key in of_antenna)
    return _Tables(locations, antennas, frequencies, fields, elevations)


def _grouped(
    path: Path, table: str, key: str, wanted: set[str], needed: Sequence[str]
) -> dict[str, list[LmsRow]]:
    """The active records of a table whose key is wanted, by that key."""
    found: dict[str, list[LmsRow]] = {}
    for row in lms_records(path, table, needed):
        if row.cells[key] in wanted and _is_active(row.cells):
            found.setdefault(row.cells[key], []).append(row)
    return found


def _is_active(cells: _Cells) -> bool:
    return next((cell for name, cell in cells.items() if name.endswith("active_ind")), "Y") in ("Y", "")


def _stations(facility: _Facility, tables: _Tables, folder: Path) -> list[RegisterEntry]:
    """An entry for each site of a licence; the reference site of a distributed transmitter is none."""
    rows = tables.locations.get(facility.licence["afac_application_id"], [])
    sites = [row for row in rows if row.cells.get("aloc_dts_reference_location_ind") != "Y"]
    name = facility.row.cells["facility_id"]
    entries = [entry for site in sites for entry in _at_site(facility, site, tables)]
    if not entries:
        facility.entry.drop = "join_missing"
        entries = [facility.entry]
    if len(sites) > 1:
        for entry in entries:
            entry.values["sfn"] = name
    references = [row for row in rows if row not in sites]
    return entries + [
        RegisterEntry(
            folder / "app_location.dat",
            row.row,
            source_id=f"{name}-{row.cells['aloc_loc_seq_id']}",
            drop="reference_site",
        )
        for row in references
    ]


def _station(
    facility: _Facility, site: LmsRow, antenna: _Cells | None, power: _Cells, tables: _Tables
) -> RegisterEntry:
    cells = facility.row.cells
    entry = RegisterEntry(facility.entry.file, facility.row.row, keys=_KEYS)
    entry.source_id = entry.values["id"] = f"{cells['facility_id']}-{site.cells['aloc_loc_seq_id']}"
    entry.values |= {"status": cells["facility_status"], "country": _UNITED_STATES, "system": "ATSC"}
    entry.values["multiplex_mode"] = "8VSB"
    city = facility.licence.get("afac_community_city")
    entry.values["site"] = city or cells.get("community_served_city", "")
    if cells["facility_status"] == _SILENT:
        entry.flags.append("silent")
    if "Y" in (cells.get("atsc3_ind"), facility.licence.get("atsc3_ind")):
        entry.flags.append("atsc3")
    if antenna is None:
        entry.drop = "join_missing"
        return entry
    entry.cells = {**cells, **facility.licence, **site.cells, **antenna, **power}
    _place(entry)
    if unreadable := _unreadable(power):
        entry.refuse(unreadable, "bad_value", "not a number", "a power in kW")
        return entry
    if _erp(power) is None:
        entry.drop = "no_power"
        return entry
    _radiation(entry, antenna, power, tables)
    return entry


def _place(entry: RegisterEntry) -> None:
    for column, name in (("lat", "lat"), ("lon", "long")):
        parts = [entry.cells[f"aloc_{name}_{part}"] for part in _POSITION]
        try:
            entry.values[column] = notations.parts(parts, Axis(column))
        except (CellProblem, IndexError) as problem:
            allowed = problem.allowed if isinstance(problem, CellProblem) else None
            entry.refuse(column, "bad_value", "not a position", allowed, " ".join(parts))


def _at_site(facility: _Facility, site: LmsRow, tables: _Tables) -> list[RegisterEntry]:
    """An entry for each channel of a site, with its largest power; that of the largest keeps the plain id."""
    antennas = [row.cells for row in tables.antennas.get(site.cells["aloc_loc_record_id"], [])]
    by_channel: dict[str, list[tuple[_Cells, _Cells]]] = {}
    for antenna in antennas:
        for row in tables.frequencies.get(antenna["aant_antenna_record_id"], []):
            cells = {**facility.row.cells, **facility.licence, **row.cells}
            channel = next((cells[key] for key in _CHANNELS if cells.get(key)), "")
            by_channel.setdefault(channel, []).append((antenna, row.cells))
    if not by_channel:
        return [_station(facility, site, antennas[0] if antennas else None, {}, tables)]
    entries: list[RegisterEntry] = []
    largest = {channel: max(pairs, key=_rank) for channel, pairs in by_channel.items()}
    for channel, (own, power) in sorted(largest.items(), key=lambda item: -_rank(item[1])):
        entry = _station(facility, site, own, power, tables)
        if entries:
            entry.source_id = entry.values["id"] = f"{entry.source_id}-{channel}"
        entries.append(entry)
    return entries


def _rank(pair: tuple[_Cells, _Cells]) -> float:
    """A power in kW to compare; what cannot be read is told before all others, what is empty after them."""
    power_kw = _erp(pair[1])
    return float("inf") if _unreadable(pair[1]) else -1.0 if power_kw is None else power_kw


def _unreadable(cells: _Cells) -> str:
    """The first key of a power that is not empty and no number, or nothing."""
    keys = (key for names in _POWERS for key in names)
    return next((key for key in keys if cells.get(key) and number_or_none(cells[key]) is None), "")


def _erp(cells: _Cells) -> float | None:
    """The e.r.p. in kW: as stated, else the largest, else that of the stronger plane; None without any."""
    for names in _POWERS:
        powers = [power for name in names if (power := number_or_none(cells.get(name, ""))) is not None]
        if powers:
            return max(powers)
    return None


def _radiation(entry: RegisterEntry, antenna: _Cells, power: _Cells, tables: _Tables) -> None:
    entry.values["erp_kw"] = _erp(power)
    for key in _CHANNELS:
        if entry.cells.get(key):
            entry.take("channel", key, channel_number)
            break
    planes = [
        plane
        for plane, name in (("H", "horiz"), ("V", "vert"))
        if (number_or_none(power.get(f"aafq_{name}_erp_kw", "")) or 0.0) > 0.0
    ]
    entry.values["polarisation"] = "M" if len(planes) == 2 else "".join(planes)
    enter_haat(entry, "aant_rc_haat")
    entry.take("rcamsl_m", "aant_rc_amsl", number)
    name = antenna["aant_antenna_record_id"]
    points = _points(entry, tables.fields.get(name, []), ("aafv_azimuth", "aafv_field_value"))
    if not points and antenna.get("aant_antenna_type_code", "").upper() == "DIR":
        entry.flags.append("pattern_missing")
    rotation = entry.take("", "aant_rotation_deg", number)
    enter_horizontal(
        entry, points, "relative_field", "pattern", Turn(rotation if isinstance(rotation, float) else 0.0)
    )
    pattern = _elevation(entry, tables.elevations.get(name, []), points)
    enter_vertical(entry, pattern)
    electrical = entry.take("", "aant_electrical_deg", number)
    enter_tilt(entry, pattern.beam_tilt_deg, electrical if isinstance(electrical, float) else None)
    if entry.take("", "aant_mechanical_deg", number):
        entry.flags.append("mechanical_tilt_ignored")


def _points(
    entry: RegisterEntry, rows: Sequence[LmsRow], names: tuple[str, str]
) -> list[tuple[float, float]]:
    found = []
    for row in rows:
        pair = [number_or_none(row.cells.get(name, "")) for name in names]
        if pair[0] is None or pair[1] is None:
            given = row.cells.get(names[1], "")
            entry.refuse("pattern", "bad_pattern", "not an angle with its field", "numbers", given)
        else:
            found.append((pair[0], pair[1]))
    return found


def _elevation(
    entry: RegisterEntry, rows: Sequence[LmsRow], horizontal: Sequence[tuple[float, float]]
) -> Vertical:
    """The elevation pattern; of several by azimuth that nearest to the maximum of the horizontal one."""
    largest_deg = max(horizontal, key=lambda point: point[1])[0] if horizontal else 0.0
    azimuths = {row.cells.get("aaep_azimuth", "") for row in rows}

    def apart_deg(text: str) -> float:
        return abs(((number_or_none(text) or 0.0) - largest_deg + 180.0) % 360.0 - 180.0)

    chosen = "" if "" in azimuths else min(azimuths, key=apart_deg, default="")
    rows = [row for row in rows if row.cells.get("aaep_azimuth", "") == chosen]
    points = _points(entry, rows, ("aaep_depression_angle", "aaep_field_value"))
    try:
        return vertical(points, "relative_field") if points else Vertical(None, [])
    except CellProblem as problem:
        entry.refuse_cell("aaep_field_value", problem)
        return Vertical(None, [])
