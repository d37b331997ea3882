"""What a CR/372 file can have wrong with it: every code, and how grave it is in either mode.

CR/372 asks for all items but leaves reporting to the administrations: some faults are errors in strict mode
and warnings in lenient mode. An error in either mode refuses the whole file.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from pipeline.errors import InputError

ERROR, WARNING, INFO = "ERROR", "WARNING", "INFO"
# Values in the report are cut to this many characters.
_VALUE_CHARS = 120
# A file of rubbish must not fill the disk with its report.
MAX_FINDINGS = 10_000


class Strictness(StrEnum):
    """How much is forgiven."""

    STRICT = "strict"
    LENIENT = "lenient"


class Finding(NamedTuple):
    """An entry of the report; ``line`` counts from 1 and is 0 for the file as a whole."""

    line: int
    code: str
    severity: str
    field: str
    value: str
    message: str


# code: (severity in strict mode, in lenient mode); None: not worth a word.
SEVERITIES: dict[str, tuple[str | None, str | None]] = {
    # the file
    "FILE_UNREADABLE": (ERROR, ERROR),
    "FILE_TOO_LARGE": (ERROR, ERROR),
    "EXCEL_WORKBOOK": (ERROR, ERROR),
    "BOM": (ERROR, WARNING),
    "ENCODING": (ERROR, WARNING),
    "CODE_PAGE": (ERROR, ERROR),
    "NUL": (ERROR, ERROR),
    "CONTROL_CHARACTER": (ERROR, ERROR),
    "LINE_TOO_LONG": (ERROR, ERROR),
    "EMPTY_LINE": (WARNING, WARNING),
    "HEADER": (ERROR, WARNING),
    "COLUMN_COUNT": (ERROR, ERROR),
    "QUOTING": (ERROR, ERROR),
    "TOO_MANY_FINDINGS": (ERROR, ERROR),
    # one field
    "ACTION": (ERROR, ERROR),
    "REQUIRED": (ERROR, WARNING),
    "BLANK_NOT_EMPTY": (ERROR, WARNING),
    "WHITESPACE": (WARNING, WARNING),
    "REPLACED_CHARACTER": (WARNING, WARNING),
    "TOO_LONG": (ERROR, ERROR),
    "FORMULA": (ERROR, ERROR),
    "ADM_UNKNOWN": (ERROR, ERROR),
    "CTRY": (ERROR, ERROR),
    "VALUE_NOT_ALLOWED": (ERROR, ERROR),
    "FREQ_FORMAT": (ERROR, ERROR),
    "FREQ_RANGE": (ERROR, WARNING),
    "FREQ_BAND": (ERROR, WARNING),
    "BDWDTH_FORMAT": (ERROR, ERROR),
    "OCC_BAND": (WARNING, WARNING),
    "EIRP_FORMAT": (ERROR, ERROR),
    "EIRP_SIGN": (WARNING, None),
    "EIRP_MISSING": (WARNING, WARNING),
    "EIRP_OVER_LIMIT": (WARNING, WARNING),
    "EMI_CLS": (ERROR, ERROR),
    "SYNCH_NO_NETWORK": (WARNING, WARNING),
    "COORD_FORMAT": (ERROR, ERROR),
    "COORD_SIGN": (ERROR, WARNING),
    "COORD_LENGTH": (ERROR, WARNING),
    "COORD_RANGE": (ERROR, ERROR),
    "EMAIL": (WARNING, WARNING),
    "DATE": (ERROR, ERROR),
    "D_UPDATE": (ERROR, ERROR),
    "RX_EIRP": (WARNING, WARNING),
    "RX_CALL_SIGN": (WARNING, WARNING),
    "RX_NO_COORD": (INFO, INFO),
    "RES612_NOT_APPLICABLE": (WARNING, WARNING),
    # one record against the register
    "S_NO_MATCH": (ERROR, ERROR),
    "S_DUPLICATE": (ERROR, ERROR),
    "S_DIFFERS": (None, WARNING),
    "A_EXISTS": (ERROR, ERROR),
    "KEY_EXISTS": (ERROR, ERROR),
    "ORDER": (ERROR, WARNING),
    "CALLSIGN_LOST": (WARNING, WARNING),
    "MODIFY": (INFO, INFO),
}


def finding(
    mode: Strictness, line: int, code: str, message: str, field: str = "", value: str = ""
) -> list[Finding]:
    """The entry for a code at a location, as a list of one, or of none where the mode says nothing of it."""
    strict, lenient = SEVERITIES[code]
    severity = strict if mode is Strictness.STRICT else lenient
    if severity is None:
        return []
    shown = value if len(value) <= _VALUE_CHARS else value[: _VALUE_CHARS - 3] + "..."
    return [Finding(line, code, severity, field, shown, message)]


def limited(mode: Strictness, found: list[Finding]) -> list[Finding]:
    """At most ``MAX_FINDINGS`` entries, in the order of lines; the last then says that there are more."""
    ordered = sorted(found, key=lambda entry: entry.line)
    if len(ordered) <= MAX_FINDINGS:
        return ordered
    kept = ordered[: MAX_FINDINGS - 1]
    more = len(ordered) - len(kept)
    return kept + finding(mode, kept[-1].line, "TOO_MANY_FINDINGS", f"{more} further findings are left out")


def errors(found: list[Finding]) -> list[Finding]:
    """The findings that refuse a file."""
    return [entry for entry in found if entry.severity == ERROR]


def as_strictness(text: str) -> Strictness:
    """The mode of a name; any other name is refused."""
    if text not in (Strictness.STRICT.value, Strictness.LENIENT.value):
        raise InputError("unknown mode", row="--mode", value=text, allowed="strict, lenient")
    return Strictness(text)
