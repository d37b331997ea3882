"""What one record of a CR/372 file must be, column by column (docs/method.md, section 30)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from pipeline.coordination.radar.cr372_records import (
    CR372_COLUMNS,
    CR372_NAMES,
    EMITTING,
    LAT_DIGITS,
    LONG_DIGITS,
    Line,
    Radar,
    coordinate_of,
    foreign_character,
    number_of,
    text_of,
)
from pipeline.coordination.radar.findings import Finding, Strictness, finding
from pipeline.coordination.radar.radiolocation_bands import RadarBand, band_fits, bands_at
from pipeline.coordination.radar.resolution612 import (
    MAX_EIRP_DBW,
    MAX_FREQUENCY_MHZ,
    MIN_FREQUENCY_MHZ,
    required_separation,
)

_ALLOWED_VALUES = {
    "Int": ("A", "S"),
    "stn_type": ("TX", "RX", "TR"),
    "synch": ("Y", "N"),
    "util": ("P", "N"),
    "op_time": ("Y", "N"),
}
_EMISSION_CLASS = re.compile("[A-Z0-9]{3}[A-Z0-9-]{0,2}")  # N0N--: the last two may be dashes
_AREA = re.compile("[A-Z]{1,3}")
_EIRP = re.compile(r"[+-]?[0-9]+(\.[0-9])?")
_UNSIGNED = re.compile(r"[0-9]+(\.[0-9]+)?")
_DATE = re.compile(r"([0-9]{2})\.([0-9]{2})\.([0-9]{4})")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_BETWEEN_EMAILS = re.compile(r"[;,\s]+")
_FREE_TEXT = (
    "network_name",
    "site_name",
    "Adm_ref_id",
    "call_sign",
    "email_adm",
    "email_op",
    "d_update",
    "adm_remark",
)
# A spreadsheet takes a cell for a formula by its first character; some split text at semicolons too.
FORMULA = re.compile(r"(^|;)\s*[=@]")
_SIGNED_FORMULA = re.compile(r"(^|;)\s*[+-]\s*\S")

_Report = Callable[..., list[Finding]]


class SubmissionRules(NamedTuple):
    """What the checks depend on: mode, known administrations, allowed bands, Region by area."""

    mode: Strictness
    administrations: frozenset[str]
    bands: list[RadarBand]
    regions: Mapping[str, int] = {}


def check_submitted(line: Line, rules: SubmissionRules) -> list[Finding]:
    """All findings on one record of a submission, in the order of the columns."""

    def report(code: str, message: str, name: str = "") -> list[Finding]:
        value = text_of(line.radar, name) if name else ""
        return finding(rules.mode, line.number, code, message, name, value)

    found = [*_check_text(line, rules.mode), *_required(line.radar, report)]
    found += [
        *_words(line.radar, rules, report),
        *_frequency(line.radar, rules, report),
        *_power(line.radar, report),
        *_coordinates(line.radar, report),
        *_others(line.radar, report),
        *_reception(line.radar, report),
    ]
    return sorted(
        found, key=lambda entry: CR372_NAMES.index(entry.field) if entry.field else len(CR372_NAMES)
    )


def _check_text(line: Line, mode: Strictness) -> list[Finding]:
    """Lengths, what a spreadsheet would run (whoever writes one has to see to it), lost letters."""
    found: list[Finding] = []
    for column, text in zip(CR372_COLUMNS, line.radar, strict=True):
        if column.max_chars is not None and len(text) > column.max_chars:
            problem = f"{len(text)} characters, {column.max_chars} at most"
            found += finding(mode, line.number, "TOO_LONG", problem, column.name, text)
        if foreign := foreign_character(text):
            problem = f"{foreign!r} (U+{ord(foreign):04X}) is no character of ISO 8859-1"
            found += finding(mode, line.number, "NOT_LATIN1", problem, column.name, text)
        signed = column.name in _FREE_TEXT and _SIGNED_FORMULA.search(text)
        if FORMULA.search(text) or signed:
            problem = "a spreadsheet would run this as a formula"
            found += finding(mode, line.number, "FORMULA", problem, column.name, text)
        elif "?" in text:
            problem = "question mark: a character that the code page lacked?"
            found += finding(mode, line.number, "REPLACED_CHARACTER", problem, column.name, text)
    return found


def _required(radar: Radar, report: _Report) -> list[Finding]:
    """Without its action a record says nothing; that is an error of its own."""
    return [
        entry
        for column, text in zip(CR372_COLUMNS, radar, strict=True)
        if column.required and not text and column.name != "Int"
        for entry in report("REQUIRED", "is missing", column.name)
    ]


def _words(radar: Radar, rules: SubmissionRules, report: _Report) -> list[Finding]:
    found: list[Finding] = []
    for name, allowed in _ALLOWED_VALUES.items():
        text = text_of(radar, name)
        if text not in allowed and (text or name == "Int"):
            code = "ACTION" if name == "Int" else "VALUE_NOT_ALLOWED"
            found += report(code, f"allowed: {', '.join(allowed)}", name)
    if radar.adm and radar.adm not in rules.administrations:
        found += report("ADM_UNKNOWN", "not in the list of administrations", "Adm")
    if radar.ctry and not _AREA.fullmatch(radar.ctry):
        found += report("CTRY", "allowed: one to three capital letters", "ctry")
    elif radar.ctry and radar.ctry not in rules.regions:
        found += report("AREA_UNKNOWN", "not in the list of areas: bands of all Regions count", "ctry")
    if radar.emi_cls and not _EMISSION_CLASS.fullmatch(radar.emi_cls):
        found += report("EMI_CLS", "allowed: three to five characters of Appendix 1, e.g. N0N--", "emi_cls")
    if radar.synch == "Y" and not radar.network_name:
        found += report("SYNCH_NO_NETWORK", "synchronised, but in no network", "network_name")
    return found


def _frequency(radar: Radar, rules: SubmissionRules, report: _Report) -> list[Finding]:
    signed = radar.freq_assgn.startswith("+")
    frequency_mhz, width_khz = _positive(radar.freq_assgn.removeprefix("+")), _positive(radar.bdwdth_khz)
    found = report("FREQ_SIGN", "has a sign", "freq_assgn") if signed and frequency_mhz else []
    if radar.bdwdth_khz and width_khz is None:
        found += report("BDWDTH_FORMAT", "allowed: a positive decimal number of kHz", "bdwdth_kHz")
    if frequency_mhz is None:
        return found + report("FREQ_FORMAT", "allowed: a positive decimal number of MHz", "freq_assgn")
    if not MIN_FREQUENCY_MHZ <= frequency_mhz <= MAX_FREQUENCY_MHZ:
        allowed = f"allowed: {MIN_FREQUENCY_MHZ:g} to {MAX_FREQUENCY_MHZ:g} MHz"
        found += report("FREQ_RANGE", allowed, "freq_assgn")
        return found + report("FREQ_BAND", "in no band of oceanographic radars", "freq_assgn")
    if required_separation(frequency_mhz) is None:
        found += report("RES612_NOT_APPLICABLE", "Resolution 612 has no distances here", "freq_assgn")
    region = rules.regions.get(radar.ctry)
    bands = bands_at(rules.bands, region, {radar.adm, radar.ctry})
    where = "any Region" if region is None else f"Region {region}"
    if not band_fits(bands, frequency_mhz):
        found += report("FREQ_BAND", f"in no band of the radiolocation service of {where}", "freq_assgn")
    elif width_khz is not None and not band_fits(bands, frequency_mhz, width_khz / 2000.0):
        found += report("BAND_EDGE", "the emission reaches beyond the allocated band", "bdwdth_kHz")
    return found


def _positive(text: str) -> float | None:
    value = Decimal(text) if _UNSIGNED.fullmatch(text) else Decimal(0)
    return float(value) if value > 0 else None


def _power(radar: Radar, report: _Report) -> list[Finding]:
    text = radar.eirp_dbw
    if radar.stn_type == "RX":
        return report("RX_EIRP", "a receiving station radiates nothing", "eirp_dBW") if text else []
    if not text:
        missing = radar.stn_type in EMITTING
        return report("EIRP_MISSING", "not given for a transmitting station", "eirp_dBW") if missing else []
    number = number_of(text)
    if number is None or not _EIRP.fullmatch(text):
        return report("EIRP_FORMAT", "allowed: a signed number of dBW with one decimal", "eirp_dBW")
    found = [] if text[0] in "+-" else report("EIRP_SIGN", "has no sign", "eirp_dBW")
    if number > Decimal(MAX_EIRP_DBW):
        found += report("EIRP_OVER_LIMIT", f"Resolution 612 allows {MAX_EIRP_DBW:g} dBW", "eirp_dBW")
    return found


def _coordinates(radar: Radar, report: _Report) -> list[Finding]:
    found: list[Finding] = []
    for name, digits, form in (("lat", LAT_DIGITS, "+-DDMMSS"), ("long", LONG_DIGITS, "+-DDDMMSS")):
        text = text_of(radar, name)
        place = coordinate_of(text, digits)
        if place is None:
            found += report("COORD_FORMAT", f"allowed: {form}", name) if text else []
            continue
        if not place.signed:
            found += report("COORD_SIGN", f"has no sign; allowed: {form}", name)
        if place.digits < digits:
            found += report("COORD_LENGTH", f"leading zeros are missing; allowed: {form}", name)
        if not place.in_range:
            found += report("COORD_RANGE", "minutes, seconds or degrees are too many", name)
    return found


def _others(radar: Radar, report: _Report) -> list[Finding]:
    found: list[Finding] = []
    for name in ("email_adm", "email_op"):
        addresses = [part for part in _BETWEEN_EMAILS.split(text_of(radar, name)) if part]
        if not all(_EMAIL.fullmatch(address) for address in addresses):
            found += report("EMAIL", "does not look like e-mail addresses", name)
    if radar.d_inuse and not is_date(radar.d_inuse):
        found += report("DATE", "allowed: a date DD.MM.YYYY", "d_inuse")
    if radar.d_update:
        found += report("D_UPDATE_IGNORED", "is entered by the keeper of the register", "d_update")
    return found


def is_date(text: str) -> bool:
    """Whether a text is a date of the calendar, DD.MM.YYYY."""
    match = _DATE.fullmatch(text)
    try:
        return match is not None and bool(date(int(match[3]), int(match[2]), int(match[1])))
    except ValueError:
        return False


def _reception(radar: Radar, report: _Report) -> list[Finding]:
    if radar.stn_type != "RX":
        return []
    found = report("RX_NO_COORD", "receives only: no coordination distance", "stn_type")
    if radar.call_sign:
        found += report("RX_CALL_SIGN", "a receiving station has no call sign", "call_sign")
    return found
