"""CR/372 files as text: from bytes to records, never trusting the file, and back.

Circular Letter CR/372 asks for ASCII or ISO 8859-1 text, one radar per line, 22 columns parted by commas,
without a header. It has no rule for quotes: strict mode refuses them, lenient mode reads them as in CSV.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pipeline.coordination.radar.cr372_records import CR372_NAMES, Line, Radar
from pipeline.coordination.radar.findings import Finding, Strictness, errors, finding, too_many

# The longest honest record has about 600 characters and two e-mail addresses without limit.
_MAX_LINE_CHARS = 4000
_BYTE_ORDER_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
LINE_END = re.compile("\r\n|\r|\n")
_CONTROL = re.compile("[\x01-\x1f\x7f]")
_C1_CONTROL = re.compile("[\x80-\x9f]")


class Submission(NamedTuple):
    """The readable records of a file in their order, and what was found on the way.

    ``unread`` the text of lines that are no records.
    """

    lines: list[Line]
    findings: list[Finding]
    unread: tuple[str, ...] = ()


def read_records(content: bytes, mode: Strictness) -> Submission:
    """Records of the bytes of a file. An empty file has none."""
    text, found = _decoded(content, mode)
    lines: list[Line] = []
    unread: list[str] = []
    rows = LINE_END.split(text)
    if rows and not rows[-1]:
        rows.pop()
    for number, row in enumerate(rows, 1):
        line, more = _record(number, row, mode)
        found += more
        if line is not None:
            lines.append(line)
        elif errors(more):
            unread.append(row)
        if beyond := too_many(mode, found):
            found += beyond
            break
    return Submission(lines, found, tuple(unread))


def _decoded(content: bytes, mode: Strictness) -> tuple[str, list[Finding]]:
    """ISO 8859-1 text. UTF-8 shows by its multi-byte characters; lenient mode takes what Latin-1 can say."""
    found: list[Finding] = []
    mark = next((m for m in _BYTE_ORDER_MARKS if content.startswith(m)), b"")
    if mark:
        found += finding(mode, 1, "BOM", "starts with a byte order mark: not ISO 8859-1 text")
        content = content[len(mark) :]
    text = content.decode("latin-1")
    if text.isascii():
        return text, found
    try:
        as_utf8 = content.decode("utf-8")
    except UnicodeDecodeError:
        return text, found
    line = content.count(b"\n", 0, _first_non_ascii(content)) + 1
    found += finding(mode, line, "ENCODING", "text is UTF-8, not ISO 8859-1")
    try:
        as_utf8.encode("latin-1")
    except UnicodeEncodeError as error:
        problem = "holds a character that ISO 8859-1 does not have"
        found += finding(mode, line, "CODE_PAGE", problem, value=as_utf8[error.start])
        return text, found
    return as_utf8, found


def _first_non_ascii(content: bytes) -> int:
    match = re.search(rb"[\x80-\xff]", content)
    return 0 if match is None else match.start()


def _record(number: int, row: str, mode: Strictness) -> tuple[Line | None, list[Finding]]:
    unfit = unfit_line(number, row, mode)
    if not row.strip() or errors(unfit):
        return None, unfit
    fields = _fields(row, mode)
    if fields is None:
        return None, finding(mode, number, "QUOTING", "CR/372 knows no quotes", value=row)
    if tuple(name.strip().casefold() for name in fields) == tuple(name.casefold() for name in CR372_NAMES):
        return None, finding(mode, number, "HEADER", "column names: the format has no header line")
    if len(fields) != len(CR372_NAMES):
        problem = f"{len(fields)} columns instead of {len(CR372_NAMES)} (a comma inside a field counts)"
        return None, finding(mode, number, "COLUMN_COUNT", problem, value=row)
    return line_of(number, fields), unfit + white_space(number, fields, mode)


def line_of(number: int, fields: Sequence[str]) -> Line:
    """The record of 22 texts in the order of the columns, without blanks around them."""
    return Line(number, Radar(*(field.strip(" ") for field in fields)))


def unfit_line(number: int, row: str, mode: Strictness) -> list[Finding]:
    """What a line must not hold, whatever its columns: at most one finding."""
    if len(row) > _MAX_LINE_CHARS:
        problem = f"{len(row)} characters, {_MAX_LINE_CHARS} at most"
        return finding(mode, number, "LINE_TOO_LONG", problem, value=row[:40])
    if "\0" in row:
        return finding(mode, number, "NUL", "holds a NUL character", value=repr(row))
    if match := _CONTROL.search(row):
        return finding(mode, number, "CONTROL_CHARACTER", "holds a control character", value=repr(match[0]))
    if match := _C1_CONTROL.search(row):
        return finding(mode, number, "CODE_PAGE", "no character of ISO 8859-1", value=repr(match[0]))
    if not row.strip():
        return finding(mode, number, "EMPTY_LINE", "line is empty")
    return []


def _fields(row: str, mode: Strictness) -> list[str] | None:
    """The columns of a line, None where quotes forbid reading it."""
    if '"' not in row:
        return row.split(",")
    if mode is Strictness.STRICT:
        return None
    try:
        return next(csv.reader([row], strict=True))
    except (csv.Error, StopIteration):
        return None


def white_space(number: int, fields: Sequence[str], mode: Strictness) -> list[Finding]:
    """Blanks around texts, or in place of one."""
    found: list[Finding] = []
    for name, text in zip(CR372_NAMES, fields, strict=True):
        if text and not text.strip(" "):
            found += finding(
                mode, number, "BLANK_NOT_EMPTY", "blank characters in an empty field", name, text
            )
        elif text != text.strip(" "):
            problem = "blank characters before or after the value"
            found += finding(mode, number, "WHITESPACE", problem, name, text)
    return found


def _records_text(radars: Iterable[Radar], *, line_end: str = "\n") -> str:
    """One radar per line, 22 columns, no header. A text with a comma or a quote is quoted as in CSV."""
    stream = io.StringIO(newline="")
    csv.writer(stream, lineterminator=line_end).writerows(radars)
    return stream.getvalue()


def records_bytes(radars: Iterable[Radar], *, line_end: str = "\n") -> bytes:
    """The file of a register, ISO 8859-1. CR/372 does not name a line end: LF unless asked otherwise."""
    return _records_text(radars, line_end=line_end).encode("latin-1")


def report_bytes(findings: Iterable[Finding]) -> bytes:
    """The report: a JSON list of {line, code, severity, field, value, message}, ASCII."""
    entries = [entry._asdict() for entry in findings]
    return (json.dumps(entries, indent=1, ensure_ascii=True) + "\n").encode("ascii")
