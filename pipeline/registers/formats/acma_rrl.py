"""Format `acma_rrl`: the Australian Register of Radiocommunications Licences, a folder of CSV.

Evidence: names of tables and columns in four programs that read them [S]; no original dump was seen.

- FREQUENCY and BANDWIDTH are in Hz; EIRP in EIRP_UNIT (W if empty), else TRANSMITTER_POWER with the gain of
  the antenna (dBi) and FEEDER_LOSS [S]. Places are GDA.
- `LICENCE_.CSV` holds the power by sectors, which may cross north; no document says in which unit [?]:
  `power_pattern: {unit, reference}` must. At an azimuth counts the largest of the sectors that touch it.
- Codes of `antenna_pattern.csv` are not known [?]: it is not used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.errors import InputError
from pipeline.registers.conversion import power_units
from pipeline.registers.conversion.cell_numbers import CellProblem, fault_of_key, iso_day, number
from pipeline.registers.conversion.coordinate_notations import Axis, degrees
from pipeline.registers.entries import (
    InputFile,
    Reading,
    RegisterEntry,
    Source,
    drop_by_rule,
    unreadable_rows,
)
from pipeline.registers.entry_patterns import enter_horizontal
from pipeline.registers.finishing import Target
from pipeline.rows.foreign_text import CellTable, TextFormat, file_in, need_columns, read_text_table

_DEVICES = (
    "SDD_ID", "LICENCE_NO", "FREQUENCY", "BANDWIDTH", "DEVICE_TYPE", "TRANSMITTER_POWER", "SITE_ID",
    "ANTENNA_ID", "POLARISATION", "AZIMUTH", "HEIGHT", "FEEDER_LOSS", "EIRP", "EIRP_UNIT",
)  # fmt: skip
_KEYS = {
    "id": "SDD_ID", "centre_mhz": "FREQUENCY", "channel": "FREQUENCY", "bandwidth_mhz": "BANDWIDTH",
    "erp_kw": "EIRP", "lat": "LATITUDE", "lon": "LONGITUDE", "antenna_height_agl_m": "HEIGHT",
    "site_height_asl_m": "ELEVATION", "polarisation": "POLARISATION", "beam_tilt_deg": "TILT", "site": "NAME",
    "pattern": "POWER",
}  # fmt: skip
_BROADCASTING, _GRANTED, _TRANSMITTER = "Broadcasting", ("Granted",), "T"
_SECTOR = ("SDD_ID", "START_ANGLE", "STOP_ANGLE", "POWER")
_CIRCLE_DEG, _COARSE_DEG, _FINE_DEG = 360.0, 10.0, 5.0

_Cells = Mapping[str, str]
_Sector = tuple[float, float, float]


def read_acma_rrl(source: Source, target: Target) -> Reading:
    """Entries of all devices of all folders."""
    reading = Reading()
    for folder in source.files:
        reading.add(_read_folder(folder, source))
    return reading


def _read_folder(folder: Path, source: Source) -> Reading:
    devices = _table(folder, "device_details.csv")
    licences, licence_file = _by_key(folder, "licence.csv", "LICENCE_NO")
    sites, site_file = _by_key(folder, "site.csv", "SITE_ID")
    antennas, antenna_file = _by_key(folder, "antenna.csv", "ANTENNA_ID")
    need_columns(devices.path, devices.columns, _DEVICES)
    entries = [
        _entry(devices.path, row, cells, licences.get(cells["LICENCE_NO"]), source)
        for row, cells in devices.by_row()
    ]
    sectors = _sectors(folder, source, {entry.cells["SDD_ID"] for entry in entries if not entry.drop})
    polarisations = _polarisations(folder)
    for entry in entries:
        if not entry.drop:
            site, antenna = sites.get(entry.cells["SITE_ID"]), antennas.get(entry.cells["ANTENNA_ID"], {})
            _finish(entry, site, antenna, polarisations)
            _enter_sectors(entry, sectors.get(entry.cells["SDD_ID"], []), source)
            entry.drop = entry.drop or drop_by_rule(entry, source.mapping)
    entries += unreadable_rows(devices.path, devices.faults)
    inputs = [InputFile(devices.path, len(devices.rows)), licence_file, site_file, antenna_file]
    return Reading(sorted(entries, key=lambda entry: entry.row), inputs)


def _table(folder: Path, name: str) -> CellTable:
    path = file_in(folder, name)
    if path is None:
        raise InputError("table is missing", file=folder, value=name)
    return read_text_table(path, TextFormat())


def _by_key(folder: Path, name: str, key: str) -> tuple[dict[str, dict[str, str]], InputFile]:
    table = _table(folder, name)
    if key not in table.columns:
        raise InputError("column is missing", file=table.path, row=1, field=key)
    for fault in table.faults:
        raise fault
    return {cells[key]: cells for _, cells in table.by_row()}, InputFile(table.path, len(table.rows))


def _entry(
    path: Path, row: int, cells: dict[str, str], licence: _Cells | None, source: Source
) -> RegisterEntry:
    """The entry of a device with its licence, dropped if it does not count."""
    entry = RegisterEntry(path, row, cells={**(licence or {}), **cells}, keys=_KEYS)
    entry.source_id = entry.values["id"] = f"{cells['LICENCE_NO']}-{cells['SDD_ID']}"
    if licence is None:
        entry.drop = "join_missing"
        return entry
    entry.values["status"] = licence.get("STATUS_TEXT", "")
    if licence.get("LICENCE_TYPE_NAME") != _BROADCASTING:
        entry.drop = "service"
    elif entry.values["status"] not in (source.mapping.keep_status or _GRANTED):
        entry.drop = "status"
    elif cells["DEVICE_TYPE"] != _TRANSMITTER:
        entry.drop = "receiver"
    entry.take("valid_from", "DATE_OF_EFFECT", iso_day)
    entry.take("valid_to", "DATE_OF_EXPIRY", iso_day)
    entry.values["system"] = source.mapping.system or "DVB-T"
    return entry


def _finish(
    entry: RegisterEntry, site: _Cells | None, antenna: _Cells, polarisations: Mapping[str, str]
) -> None:
    if site is None:
        entry.drop = "join_missing"
        return
    entry.cells = {**antenna, **site, **entry.cells}
    entry.values |= {"site": site.get("NAME", ""), "country": "AU"}
    for column, key in (("centre_mhz", "FREQUENCY"), ("bandwidth_mhz", "BANDWIDTH")):
        entry.take(column, key, lambda text: 1e-6 * number(text), needed=column == "centre_mhz")
    entry.take("lat", "LATITUDE", lambda text: degrees(text, Axis("lat")), needed=True)
    entry.take("lon", "LONGITUDE", lambda text: degrees(text, Axis("lon")), needed=True)
    entry.take("antenna_height_agl_m", "HEIGHT", number)
    entry.take("site_height_asl_m", "ELEVATION", number)
    entry.take("beam_tilt_deg", "TILT", number)
    entry.take("polarisation", "POLARISATION", lambda text: _polarisation(text, polarisations))
    _power(entry)


def _polarisations(folder: Path) -> dict[str, str]:
    """Words of the codes of polarisations, if the dump has them: code and text in the first two columns."""
    path = file_in(folder, "antenna_polarity.csv")
    if path is None:
        return {}
    table = read_text_table(path, TextFormat())
    for fault in table.faults:
        raise fault
    if len(table.columns) < 2:
        raise InputError("column is missing", file=path, row=1, allowed="codes and their words")
    codes, words = [*table.columns.values()][:2]
    return {code.strip(): word.strip().upper() for code, word in zip(codes, words, strict=True)}


def _polarisation(text: str, words: Mapping[str, str]) -> str:
    if text.upper() in ("H", "V", "M"):
        return text.upper()
    word = words.get(text, "")
    if not word:
        raise CellProblem("bad_value", "unknown polarisation", "H, V, M, or a code of antenna_polarity.csv")
    return "H" if word.startswith("HORIZONTAL") else "V" if word.startswith("VERTICAL") else "M"


def _power(entry: RegisterEntry) -> None:
    """The e.r.p. of the e.i.r.p., else of the transmitter with gain and loss."""
    unit = entry.cells["EIRP_UNIT"] or "W"
    if entry.cells["EIRP"]:
        entry.take("erp_kw", "EIRP", lambda text: power_units.erp_kw(number(text), unit, "eirp"))
        return
    unit = entry.cells.get("TRANSMITTER_POWER_UNIT") or "W"
    power = entry.take("", "TRANSMITTER_POWER", lambda text: power_units.power_kw(number(text), unit))
    gain, loss = entry.take("", "GAIN", number), entry.take("", "FEEDER_LOSS", number)
    if entry.fault is not None:
        return
    if not isinstance(power, float) or not isinstance(gain, float):
        entry.drop = "no_power"
        return
    entry.values["erp_kw"] = power_units.radiated_kw(
        power, gain, "dBi", loss if isinstance(loss, float) else 0.0
    )
    entry.flags.append("power_from_gain")


# --- power by sectors ---------------------------------------------------------------------------------------


def _sectors(folder: Path, source: Source, wanted: set[str]) -> dict[str, list[_Sector]]:
    """Begin, end and level in dB of the sectors of devices; refused without a stated unit."""
    stated = source.mapping.power_pattern
    path = file_in(folder, "LICENCE_.CSV" if stated is None else stated.path.name)
    if path is None:
        if stated is not None:
            raise InputError("table is missing", file=folder, value=stated.path.name)
        return {}
    if stated is not None:
        with fault_of_key("power_pattern.unit", stated.unit):
            power_units.check_unit(stated.unit, "kW")
    found: dict[str, list[_Sector]] = {}
    for row, cells in _table_of_sectors(path).by_row():
        if cells["SDD_ID"] not in wanted:
            continue
        if stated is None:
            raise InputError(
                "unit of the power by sectors is not known",
                file=path,
                field="POWER",
                allowed="power_pattern: {unit, reference}",
            )
        first, last, power = (_figure(path, row, cells, name) for name in _SECTOR[1:])
        found.setdefault(cells["SDD_ID"], []).append((first, last, power))
    return found


def _table_of_sectors(path: Path) -> CellTable:
    table = read_text_table(path, TextFormat())
    need_columns(path, table.columns, _SECTOR)
    for fault in table.faults:
        raise fault
    return table


def _figure(path: Path, row: int, cells: _Cells, name: str) -> float:
    try:
        return number(cells[name])
    except CellProblem as problem:
        raise InputError(
            problem.problem, file=path, row=row, field=name, value=cells[name], allowed=problem.allowed
        ) from None


def _enter_sectors(entry: RegisterEntry, sectors: Sequence[_Sector], source: Source) -> None:
    """Enter the attenuations of power by sectors; a directional antenna without any is flagged."""
    stated = source.mapping.power_pattern
    if not sectors or stated is None:
        if entry.cells["AZIMUTH"]:
            entry.flags.append("pattern_missing")
        return
    coarse = all(_width_deg(sector) >= _COARSE_DEG and sector[0] % _COARSE_DEG == 0.0 for sector in sectors)
    step_deg = _COARSE_DEG if coarse else _FINE_DEG
    azimuths = [i * step_deg for i in range(int(_CIRCLE_DEG / step_deg))]
    touching = [[sector[2] for sector in sectors if _touches(azimuth, sector)] for azimuth in azimuths]
    if not all(touching):
        lost = azimuths[touching.index([])]
        entry.refuse("pattern", "bad_pattern", f"no sector at {lost:g} degrees", "sectors all around", "")
        return
    powers_kw = [power_units.power_kw(max(powers), stated.unit) for powers in touching]
    if max(powers_kw) <= 0.0 or min(powers_kw) < 0.0:
        entry.refuse("pattern", "bad_pattern", "power is not positive", "powers of more than 0", "")
        return
    shares = [power / max(powers_kw) for power in powers_kw]
    enter_horizontal(entry, [*zip(azimuths, shares, strict=True)], "relative_power", "pattern")


def _width_deg(sector: _Sector) -> float:
    return (sector[1] - sector[0]) % _CIRCLE_DEG or _CIRCLE_DEG


def _touches(azimuth: float, sector: _Sector) -> bool:
    """Whether an azimuth is in a sector or on one of its ends, across north too."""
    return (azimuth - sector[0]) % _CIRCLE_DEG <= _width_deg(sector)
