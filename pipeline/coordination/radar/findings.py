"""What a CR/372 file can have wrong with it: every code, and how grave it is in either mode.

Strict mode is the check of a sender before sending: any error refuses the whole file. Lenient mode is the
rule of the Bureau (CR/372, Annex 1, no. 5): data are taken as received, and only a record that cannot be
read, that the text of a register cannot hold, that is in no radiolocation band between 3 and 50 MHz, or that
suppresses what is not there is refused.
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


# Another name of lenient mode.
_BUREAU = "bureau"


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
    "WORKBOOK": (ERROR, ERROR),
    "TOO_MANY_FINDINGS": (ERROR, ERROR),
    "REPORT_CUT": (WARNING, WARNING),
    "BOM": (ERROR, WARNING),
    "ENCODING": (ERROR, WARNING),
    "CODE_PAGE": (ERROR, WARNING),
    "CONTROL_CHARACTER": (ERROR, WARNING),
    "EMPTY_LINE": (WARNING, WARNING),
    "HEADER": (ERROR, WARNING),
    # no record can be read
    "NUL": (ERROR, ERROR),
    "LINE_TOO_LONG": (ERROR, ERROR),
    "COLUMN_COUNT": (ERROR, ERROR),
    "QUOTING": (ERROR, ERROR),
    "ACTION": (ERROR, ERROR),
    "FREQ_FORMAT": (ERROR, ERROR),
    "NOT_LATIN1": (ERROR, ERROR),
    # the one thing that the Bureau checks
    "FREQ_BAND": (ERROR, ERROR),
    "FREQ_RANGE": (ERROR, WARNING),  # never without FREQ_BAND
    # one field
    "REQUIRED": (ERROR, WARNING),
    "FREQ_SIGN": (ERROR, WARNING),
    "BLANK_NOT_EMPTY": (WARNING, WARNING),
    "WHITESPACE": (WARNING, WARNING),
    "REPLACED_CHARACTER": (WARNING, WARNING),
    "TOO_LONG": (ERROR, WARNING),
    "FORMULA": (WARNING, WARNING),
    "ADM_UNKNOWN": (ERROR, WARNING),
    "CTRY": (ERROR, WARNING),
    "AREA_UNKNOWN": (WARNING, WARNING),
    "VALUE_NOT_ALLOWED": (ERROR, WARNING),
    "BDWDTH_FORMAT": (ERROR, WARNING),
    "BAND_EDGE": (WARNING, WARNING),
    "EIRP_FORMAT": (ERROR, WARNING),
    "EIRP_SIGN": (WARNING, None),
    "EIRP_MISSING": (WARNING, WARNING),
    "EIRP_OVER_LIMIT": (WARNING, WARNING),
    "EMI_CLS": (ERROR, WARNING),
    "SYNCH_NO_NETWORK": (WARNING, WARNING),
    "COORD_FORMAT": (ERROR, WARNING),
    "COORD_SIGN": (ERROR, WARNING),
    "COORD_LENGTH": (ERROR, WARNING),
    "COORD_RANGE": (ERROR, WARNING),
    "EMAIL": (WARNING, WARNING),
    "DATE": (ERROR, WARNING),
    "D_UPDATE_IGNORED": (WARNING, WARNING),
    "RX_EIRP": (WARNING, WARNING),
    "RX_CALL_SIGN": (WARNING, WARNING),
    "RX_NO_COORD": (INFO, INFO),
    "RES612_NOT_APPLICABLE": (WARNING, WARNING),
    # one record against the register
    "FIRST_NOT_A": (ERROR, WARNING),
    "S_NO_MATCH": (ERROR, ERROR),
    "S_AMBIGUOUS": (ERROR, ERROR),
    "S_PARTIAL": (WARNING, WARNING),
    "S_DUPLICATE": (ERROR, WARNING),
    "PAIR_REFUSED": (None, ERROR),
    "A_EXISTS": (ERROR, WARNING),
    "KEY_EXISTS": (ERROR, WARNING),
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
    """At most ``MAX_FINDINGS`` entries, in the order of lines, errors before all others if they are more."""
    ordered = sorted(found, key=lambda entry: entry.line)
    if len(ordered) <= MAX_FINDINGS:
        return ordered
    grave_first = sorted(ordered, key=lambda entry: entry.severity != ERROR)
    kept = sorted(grave_first[: MAX_FINDINGS - 1], key=lambda entry: entry.line)
    more = len(ordered) - len(kept)
    return kept + finding(mode, kept[-1].line, "REPORT_CUT", f"{more} further findings are left out")


def too_many(mode: Strictness, found: list[Finding]) -> list[Finding]:
    """What is said of a file with so many findings that its rest is not read; nothing of any other."""
    if len(found) <= MAX_FINDINGS:
        return []
    return finding(mode, 0, "TOO_MANY_FINDINGS", "so much is wrong with the file that its rest was not read")


def errors(found: list[Finding]) -> list[Finding]:
    """The findings that refuse: a file in strict mode, a record in lenient mode."""
    return [entry for entry in found if entry.severity == ERROR]


def as_strictness(text: str) -> Strictness:
    """The mode of a name, ``bureau`` standing for lenient; any other name is refused."""
    name = Strictness.LENIENT.value if text == _BUREAU else text
    if name not in (Strictness.STRICT.value, Strictness.LENIENT.value):
        raise InputError("unknown mode", row="--mode", value=text, allowed="strict, lenient, bureau")
    return Strictness(name)
