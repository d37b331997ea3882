"""`channelmaps export ge06`: a register as GT1 notices of the GE06 Agreement, and what the form cannot hold.

Places are whole seconds, powers hundredths of a dB, heights whole metres, diagrams tenths of a dB every 10
degrees. What is changed or left out is told. Import and export again give the same bytes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import InputError, raise_first
from pipeline.files import JsonObject, Output, check_outputs, json_bytes, kind_of_start, write_output
from pipeline.radio.channel_plan import ChannelPlan, centre_mhz, segment_of
from pipeline.registers.conversion.antenna_tables import plain_number
from pipeline.registers.formats.ge06 import ADMINISTRATIVE, CODE_RATES, MODULATIONS
from pipeline.registers.itu_symbols import symbol_of_country
from pipeline.registers.named_plans import named_plan
from pipeline.registers.transmitter_rows import RowRules, TransmitterRow
from pipeline.rows.row_models import check_record, columns_of, read_records
from pipeline.rows.text_records import Record

# Digits of a degree of longitude and of latitude.
_LONGITUDE_DIGITS, _LATITUDE_DIGITS = 3, 2
_WIDE_MHZ = 7.5
_NOTICES = kind_of_start("notices of GE06", rb"(?s).*?<HEAD>")
_REPORT = kind_of_start("a report in JSON", rb"\s*\{")
_ORDER = (
    "t_notice_type", "t_action", "t_is_pub_req", "t_is_resub", "t_signed_commitment", "t_fragment",
    "t_adm_ref_id", "t_plan_entry", "t_assgn_code", "t_associated_adm_allot_id",
    "t_associated_allot_sfn_id", "t_call_sign", "t_sfn_id", "t_freq_assgn", "t_offset", "t_d_inuse",
    "t_d_expiry", "t_site_name", "t_ctry", "t_long", "t_lat", "t_ref_plan_cfg", "t_sys_var",
    "t_rx_mode", "t_spect_mask", "t_erp_h_dbw", "t_erp_v_dbw", "t_ant_dir", "t_polar", "t_hgt_agl",
    "t_site_alt", "t_eff_hgtmax", "t_op_agcy", "t_addr_code", "t_op_hh_fr", "t_op_hh_to", "t_remarks",
)  # fmt: skip


class NoticeLoss(NamedTuple):
    """What a notice does not hold of a row."""

    id: str
    field: str
    had: str
    written: str
    reason: str


class NoticeForm(NamedTuple):
    """Administration (symbol of the ITU), part and action of all notices, and the channel raster.

    ``fragment`` None: that of the row, else GE06D.
    """

    administration: str
    plan: ChannelPlan
    fragment: str | None = None
    action: str = "ADD"


class _Station(NamedTuple):
    row: TransmitterRow
    cells: Mapping[str, str]


def notices_of(
    stations: Sequence[tuple[TransmitterRow, Mapping[str, str]]], form: NoticeForm
) -> tuple[str, list[NoticeLoss]]:
    """All notices as text, and what they do not hold; a row without polarisation or height is left out."""
    lines = ["<HEAD>", "t_char_set = UTF-8", f"t_adm = {form.administration}", "</HEAD>"]
    losses: list[NoticeLoss] = []
    count = 0
    for row, cells in stations:
        missing = [
            name for name in ("antenna_height_agl_m", "polarisation") if getattr(row, name) in (None, "")
        ]
        if missing:
            losses += [NoticeLoss(row.id, name, "", "", "left_out: missing") for name in missing]
            continue
        count += 1
        lines += _notice(_Station(row, cells), form, losses)
    lines += ["<TAIL>", f"t_num_notices = {count}", "</TAIL>"]
    return "\n".join(lines) + "\n", losses


def _notice(station: _Station, form: NoticeForm, losses: list[NoticeLoss]) -> Iterator[str]:
    row, cells = station
    keys = {name: cells[name] for name in ADMINISTRATIVE if cells.get(name)}
    fragment = form.fragment or keys.get("t_fragment") or "GE06D"
    keys |= {"t_notice_type": "GT1", "t_action": form.action, "t_fragment": fragment}
    keys.setdefault("t_is_pub_req", "FALSE")
    keys |= {"t_adm_ref_id": row.id.removeprefix(f"{form.administration}:"), "t_sfn_id": row.sfn}
    keys |= {"t_site_name": row.site, "t_ctry": _country(row, form), "t_polar": row.polarisation}
    keys |= {"t_d_inuse": cells.get("valid_from", ""), "t_d_expiry": cells.get("valid_to", "")}
    keys |= {"t_long": _packed(row.lon, _LONGITUDE_DIGITS), "t_lat": _packed(row.lat, _LATITUDE_DIGITS)}
    keys |= _frequency(row, form.plan)
    keys |= _heights(row, losses)
    keys |= _mode(row, keys.get("t_rx_mode", "FX"), losses)
    if not keys.get("t_sys_var"):
        keys.pop("t_rx_mode", None)
    planes = "HV" if row.polarisation == "M" else row.polarisation
    for plane in planes:
        keys[f"t_erp_{plane.lower()}_dbw"] = f"{10.0 * math.log10(row.erp_kw / len(planes)) + 30.0:.2f}"
    diagram = _diagram(row, losses)
    keys["t_ant_dir"] = "D" if diagram else "ND"
    yield "<NOTICE>"
    yield from (f"{key} = {keys[key]}" for key in _ORDER if keys.get(key))
    yield from _block(
        "ANT_HGT", "t_eff_hgt", [part for part in cells.get("effective_heights_m", "").split(";") if part]
    )
    for plane in planes if diagram else "":
        yield from _block(f"ANT_DIAGR_{plane}", "t_attn", diagram)
    yield from _affected(cells.get("t_coord_adm", ""))
    yield "</NOTICE>"


def _block(name: str, key: str, values: Sequence[str]) -> Iterator[str]:
    """Values all around, the first at north."""
    if values:
        yield f"<{name}>"
        yield from (
            f"{key}@azm{round(i * 360 / len(values)):03d} = {value}" for i, value in enumerate(values)
        )
        yield f"</{name}>"


def _affected(administrations: str) -> Iterator[str]:
    if administrations:
        yield "<COORD>"
        yield from (f"t_adm = {name}" for name in administrations.split(";"))
        yield "</COORD>"


def _country(row: TransmitterRow, form: NoticeForm) -> str:
    """The symbol of the row's country; of one without, that of the administration."""
    if not row.country:
        return form.administration
    symbol = symbol_of_country(row.country)
    if symbol is None:
        raise InputError(
            "country has no symbol of the ITU",
            file=row.file,
            row=row.row,
            field="country",
            value=row.country,
            allowed="a country of configs/tables/itu_codes.csv",
        )
    return symbol


def _packed(degrees: float, digits: int) -> str:
    """Sign, degrees, minutes and whole seconds, rounded half away from zero."""
    seconds = _rounded(abs(degrees) * 3600.0)
    sign = "-" if degrees < 0.0 and seconds else "+"
    return f"{sign}{seconds // 3600:0{digits}d}{seconds // 60 % 60:02d}{seconds % 60:02d}"


def _rounded(value: float) -> int:
    """The nearest whole number, half away from zero."""
    whole = math.floor(abs(value) + 0.5 + 1e-9)
    return -whole if value < 0.0 else whole


def _frequency(row: TransmitterRow, plan: ChannelPlan) -> dict[str, str]:
    """The centre of the channel, and what the station is off it in kHz."""
    segment = segment_of(plan, row.channel)
    assert segment is not None  # checked with the row
    centre = centre_mhz(segment, row.channel)
    offset = plain_number(1e3 * (row.centre_mhz - centre), 3)
    return {"t_freq_assgn": plain_number(centre), "t_offset": "" if offset == "0" else offset}


def _heights(row: TransmitterRow, losses: list[NoticeLoss]) -> dict[str, str]:
    heights = {}
    for key, name in (("t_hgt_agl", "antenna_height_agl_m"), ("t_site_alt", "site_height_asl_m")):
        value = getattr(row, name)
        if value is None:
            continue
        heights[key] = str(_rounded(value))
        if float(heights[key]) != value:
            losses.append(NoticeLoss(row.id, name, plain_number(value), heights[key], "whole_metres"))
    return heights


def _mode(row: TransmitterRow, rx_mode: str, losses: list[NoticeLoss]) -> dict[str, str]:
    """The code of a mode of DVB-T; other systems have none."""
    if row.system == "DVB-T" and row.multiplex_mode:
        modulation, _, rate = row.multiplex_mode.partition(" ")
        rates = {text: digit for digit, text in CODE_RATES.items()}
        letters = "ABC" if row.bandwidth_mhz > _WIDE_MHZ else "DEF"
        if modulation in MODULATIONS and rate in rates:
            return {"t_sys_var": letters[MODULATIONS.index(modulation)] + rates[rate], "t_rx_mode": rx_mode}
    if row.multiplex_mode:
        losses.append(NoticeLoss(row.id, "multiplex_mode", row.multiplex_mode, "", "no_code"))
    if row.system not in ("", "DVB-T"):
        losses.append(NoticeLoss(row.id, "system", row.system, "", "no_code"))
    return {}


def _diagram(row: TransmitterRow, losses: list[NoticeLoss]) -> list[str]:
    """Attenuations every 10 degrees with one decimal; none of an antenna that is the same all around."""
    values = row.pattern_azimuth_attenuation_db
    if not any(values):
        return []
    if len(values) > 36:
        had, written = f"{len(values)} points", "36 points"
        losses.append(NoticeLoss(row.id, "pattern_azimuth_attenuation_db", had, written, "every_10_degrees"))
    return [plain_number(_rounded(10.0 * value) / 10.0, 1) for value in values[:: len(values) // 36]]


# --- command ------------------------------------------------------------------------------------------------


def read_stations_of(path: Path, plan: ChannelPlan) -> list[tuple[TransmitterRow, dict[str, str]]]:
    """The rows of a register in its order, with their cells; InputError for the first bad one.

    A row without any height is no fault here: it is left out and told.
    """
    records = read_records(path, columns_of(TransmitterRow, required=True))
    raise_first(records.faults)
    rules = RowRules(plan)
    return [(_checked(path, record, rules), record.values) for record in records.readable]


def _checked(path: Path, record: Record, rules: RowRules) -> TransmitterRow:
    values = record.values
    if not values["antenna_height_agl_m"].strip() and not values.get("haat_m", "").strip():
        record = Record(record.row, {**values, "haat_m": "0"})
    return check_record(path, record, TransmitterRow, rules)


def export_ge06_command(
    register: Path, form: NoticeForm, out: Path, report: Path | None, *, strict: bool
) -> None:
    """Write the notices of a register; ``strict`` refuses a row that cannot be one."""
    outputs = [Output("--out", out, _NOTICES)]
    outputs += [] if report is None else [Output("--report", report, _REPORT)]
    check_outputs(outputs, [register])
    stations = read_stations_of(register, form.plan)
    text, losses = notices_of(stations, form)
    left_out = [loss for loss in losses if loss.reason.startswith("left_out")]
    if strict and left_out:
        first = left_out[0]
        raise InputError(
            "cannot be a notice: value is missing", file=register, field=first.field, value=first.id
        )
    heights = any(cells.get("effective_heights_m") for _, cells in stations)
    if report is not None:
        write_output(report, json_bytes(_report(register, losses, effective_heights=heights)))
    write_output(out, text)
    print(f"notices: {len(stations) - len({loss.id for loss in left_out})} of {len(stations)} rows")
    print(f"losses: {len(losses)}" + ("" if heights else "; no effective heights: the register has none"))
    for loss in left_out:
        print(f"left out: {loss.id}: {loss.field} is missing")


def _report(register: Path, losses: Sequence[NoticeLoss], *, effective_heights: bool) -> JsonObject:
    return {
        "register": str(register),
        "losses": [loss._asdict() for loss in losses],
        "effective_heights": effective_heights,
    }


def plan_of_notices(name: str | None) -> ChannelPlan:
    """A raster by name; without one those of GE06: 8 MHz in UHF, 7 MHz in VHF."""
    return named_plan(name) if name is not None else [*named_plan("8MHz"), *named_plan("7MHz-GE06")]
