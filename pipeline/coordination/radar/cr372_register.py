"""`channelmaps radar apply`: a CR/372 submission applied to the register of oceanographic radars.

In the order of the file, on a copy. Strict mode: all or nothing. Lenient mode, the rule of the Bureau: record
by record; what is refused leaves its radar as it was, also where an S record has removed it before.
"""

from __future__ import annotations

import os
import re
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import NamedTuple

from pipeline.coordination.option_days import day_of_option
from pipeline.coordination.radar.checks import SubmissionRules, check_submitted, is_date
from pipeline.coordination.radar.cr372_actions import Pairs, WorkingCopy, pairs_of
from pipeline.coordination.radar.cr372_files import read_file
from pipeline.coordination.radar.cr372_records import Comparable, Line, Radar, key, pair_name
from pipeline.coordination.radar.cr372_text import Submission, records_bytes, report_bytes
from pipeline.coordination.radar.findings import (
    ERROR,
    WARNING,
    Finding,
    Strictness,
    as_strictness,
    errors,
    finding,
    limited,
)
from pipeline.coordination.radar.radiolocation_bands import read_area_regions, read_bands
from pipeline.coordination.radar.resolution612 import read_itu_codes
from pipeline.errors import InputError
from pipeline.files import Output, check_outputs, kind_of_start, write_together

_REGISTER = "register: "
# Lines on a register in validate and report.
_MAX_DOUBTS = 20
_NEEDED_FOR_ZONE = ("Adm", "stn_type", "freq_assgn", "lat", "long")
_NO_ZONE_CODES = ("REQUIRED", "ADM_UNKNOWN", "VALUE_NOT_ALLOWED", "COORD_FORMAT", "COORD_RANGE", "FREQ_RANGE")
# What the tables say of frequencies may have changed since a record came in; letters that only a workbook can
# hold are read, but cannot be written into the text of the next register.
_NOT_WRITABLE = "NOT_LATIN1"
_NO_FAULTS_OF_A_REGISTER = ("FREQ_BAND", "FREQ_RANGE", _NOT_WRITABLE)
# Faults by which not all of a file was read.
_WHOLE_FILE = ("FILE_UNREADABLE", "FILE_TOO_LARGE", "WORKBOOK", "TOO_MANY_FINDINGS")
REGISTER_FILE = kind_of_start("a register in the format of CR/372", rb'"?[AS]"?(,[^\n]*){21}')
_REPORT_FILE = kind_of_start("a report of this command", rb'\s*\[\s*(\]|\{\s*"line"\s*:)')


class AppliedSubmission(NamedTuple):
    """The register after a submission (the old one if it was refused) and all findings."""

    radars: list[Radar]
    findings: list[Finding]
    refused: bool = False


def radar_apply_command(
    register: Path, submission: Path, mode: str, out: Path, report: Path, day: str | None = None
) -> None:
    """Write the report always, and the new register if anything of the submission holds; else InputError.

    ``day`` the date of update of what is added, YYYY-MM-DD or DD.MM.YYYY; None: today (UTC). Files in the
    format of CR/372, text or workbook; the register's records all carry A, an empty file is an empty one.
    """
    rules = submission_rules(as_strictness(mode))
    entered = _day_of_update(day)
    _check_paths(register, submission, out, report)
    # The register may hold what lenient mode let in: it is read and checked leniently.
    outcome = apply(
        read_file(register, Strictness.LENIENT), read_file(submission, rules.mode), rules, entered
    )
    contents = {} if outcome.refused else {out: records_bytes(outcome.radars)}
    write_together({**contents, report: report_bytes(outcome.findings)})
    faults = errors(outcome.findings)
    if outcome.refused:
        raise _refusal(register, submission, report, faults)
    for entry in faults:
        where = f"{submission}, row {entry.line}"
        print(f"channelmaps: record refused: {where}: {entry.code}: {entry.message}", file=sys.stderr)


def _day_of_update(day: str | None) -> str:
    """The date as DD.MM.YYYY."""
    if day is None:
        return datetime.now(UTC).strftime("%d.%m.%Y")
    if is_date(day):
        return day
    return day_of_option("--date", day, "a date such as 2015-01-20 or 20.01.2015").strftime("%d.%m.%Y")


def apply(
    register: Submission, submission: Submission, rules: SubmissionRules, day: str = ""
) -> AppliedSubmission:
    """Apply the A and S records of a submission; ``day`` becomes the date of update of those added.

    Strict mode: any error leaves the register as it was. Lenient mode: only what is refused; the whole if
    the register or the file cannot be read, or if nothing could be applied.
    """
    kept, about = check_register(register, rules)[:2]
    # Warnings on the register are not repeated at each submission.
    faults = [entry for entry in about if _is_fault_of_register(entry)]
    faults += [entry for entry in about if entry.code == _NOT_WRITABLE]
    found = [entry._replace(message=_REGISTER + entry.message) for entry in faults]
    unreadable = bool(found) or any(entry.code in _WHOLE_FILE for entry in errors(submission.findings))
    found += submission.findings
    checked = [(line, check_submitted(line, rules)) for line in submission.lines]
    found += [entry for _, entries in checked for entry in entries]
    pairs = pairs_of(submission.lines)
    unfit = {line.number for line, entries in checked if errors(entries)}
    halves = _other_halves(submission, pairs, unfit, rules.mode)
    found += halves
    unfit |= {entry.line for entry in halves}
    copy = WorkingCopy(kept, rules.mode, pairs, day)
    for line in submission.lines:
        if rules.mode is Strictness.STRICT or line.number not in unfit:
            found += copy.act(line) if line.radar.action in ("A", "S") else []
    strictly = rules.mode is Strictness.STRICT and bool(errors(found))
    something = bool(submission.lines) or bool(submission.unread)
    refused = unreadable or strictly or (something and not copy.applied)
    return AppliedSubmission(kept if refused else copy.radars(), limited(rules.mode, found), refused)


def _other_halves(submission: Submission, pairs: Pairs, unfit: set[int], mode: Strictness) -> list[Finding]:
    """S records of radars of which another record is refused: a change must not become a removal."""
    refused = [line for line in submission.lines if line.number in unfit and line.radar.action != "S"]
    by_name = {pair_name(line.radar): line.number for line in reversed(refused)}
    found: list[Finding] = []
    for line in submission.lines:
        if line.radar.action != "S" or line.number in unfit:
            continue
        adding, name = pairs.added_by.get(line.number), pair_name(line.radar)
        if adding is not None and adding.number not in unfit:
            continue
        if adding is not None:
            problem = f"its A record, in line {adding.number}, is refused: the radar stays as it was"
        elif name in by_name:
            problem = f"a record of the same radar, in line {by_name[name]}, is refused: it stays as it was"
        elif _named_in(line.radar, submission.unread):
            problem = "a line that cannot be read names the same radar, which stays as it was"
        else:
            continue
        found += finding(mode, line.number, "PAIR_REFUSED", problem, "Int", line.radar.action)
    return found


def _named_in(radar: Radar, unread: tuple[str, ...]) -> bool:
    """Whether a line that is no record has the name of a radar, not as part of a longer one."""
    name = radar.adm_ref_id or radar.site_name
    whole = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)")
    return bool(name) and any(whole.search(text) for text in unread)


def check_register(register: Submission, rules: SubmissionRules) -> AppliedSubmission:
    """The radars of a register, and all that is wrong with it: the one reader of commands and of maps.

    Its records are checked as submitted ones. What lenient mode once let in must stay readable, so that the
    mode of ``rules`` does not count; the date of update, which the Bureau sets, belongs here.
    """
    mode = Strictness.LENIENT
    found = [*register.findings]
    seen: dict[Comparable, int] = {}
    for number, radar in register.lines:
        without_update = Line(number, radar._replace(d_update=""))
        found += check_submitted(without_update, rules._replace(mode=mode))
        if radar.action == "S":
            found += finding(mode, number, "ACTION", "all records of a register carry A", "Int", radar.action)
        if radar.d_update and not is_date(radar.d_update):
            found += finding(mode, number, "DATE", "allowed: a date DD.MM.YYYY", "d_update", radar.d_update)
        first = seen.setdefault(key(radar), number)
        if first != number:
            found += finding(mode, number, "KEY_EXISTS", f"the same radar as in line {first}")
    return AppliedSubmission([line.radar for line in register.lines], found)


def read_register(path: Path) -> list[Radar]:
    """The radars of a register, whatever lenient mode has let in; InputError if it cannot be read."""
    register = read_file(path, Strictness.LENIENT)
    radars, found = check_register(register, submission_rules(Strictness.LENIENT))[:2]
    for entry in filter(_is_fault_of_register, found):
        raise _refused(path, entry)
    return radars


def read_registered(path: Path) -> AppliedSubmission:
    """The radars of a territory's register, with what is odd about them.

    InputError for the first fault for which `radar apply` would refuse the register, and for what lenient
    mode lets in but no zone can be made of: no location, type of station, frequency or administration, or a
    frequency beyond those of oceanographic radars.
    """
    register = read_file(path, Strictness.LENIENT)
    radars, found = check_register(register, submission_rules(Strictness.LENIENT))[:2]
    found = limited(Strictness.LENIENT, found)
    for entry in found:
        if _is_fault_of_register(entry) or _has_no_zone(entry):
            raise _refused(path, entry)
    return AppliedSubmission(radars, found)


def doubts_of(path: Path, *, values: bool = True) -> Iterator[str]:
    """What is odd about records that are used, as ends of lines that begin with the name of the file.

    ``values`` with what stands in the record. Beyond ``_MAX_DOUBTS`` the codes are counted.
    """
    found = [entry for entry in read_registered(path).findings if entry.severity in (ERROR, WARNING)]
    for entry in found[:_MAX_DOUBTS]:
        field = f", field {entry.field}" if entry.field else ""
        value = f"; found {entry.value!r}" if values and entry.value else ""
        yield f", row {entry.line}{field}: {entry.code}: {entry.message}{value}"
    if more := Counter(entry.code for entry in found[_MAX_DOUBTS:]):
        yield ": and " + ", ".join(f"{code} {count}" for code, count in sorted(more.items()))


@cache
def submission_rules(mode: Strictness) -> SubmissionRules:
    """The checks with the shipped tables of administrations, bands and areas."""
    return SubmissionRules(mode, read_itu_codes().administrations, read_bands(), read_area_regions())


def _is_fault_of_register(entry: Finding) -> bool:
    """What makes a register unreadable: none of what a lenient mode has let in."""
    return entry.severity == ERROR and entry.code not in _NO_FAULTS_OF_A_REGISTER


def _has_no_zone(entry: Finding) -> bool:
    return entry.code in _NO_ZONE_CODES and entry.field in _NEEDED_FOR_ZONE


def _check_paths(register: Path, submission: Path, out: Path, report: Path) -> None:
    """A report must not replace an input, nor the new register the submission; it may replace the old one."""
    in_place = os.path.realpath(out) == os.path.realpath(register)
    kind = REGISTER_FILE._replace(fits=lambda _: True) if in_place else REGISTER_FILE
    outputs = [Output("--report", report, _REPORT_FILE), Output("--out", out, kind)]
    check_outputs(outputs[:1], [register, submission])
    check_outputs(outputs, [submission] if in_place else [register, submission])


def _refusal(register: Path, submission: Path, report: Path, refused: list[Finding]) -> InputError:
    if not refused:
        return InputError(f"nothing of it changes the register (see {report})", file=submission)
    first = refused[0]
    more = f" (and {len(refused) - 1} more, see {report})" if len(refused) > 1 else f" (see {report})"
    return _refused(register if first.message.startswith(_REGISTER) else submission, first, more)


def _refused(file: Path, entry: Finding, more: str = "") -> InputError:
    return InputError(
        f"{entry.code}: {entry.message}{more}",
        file=file,
        row=entry.line or None,
        field=entry.field or None,
        value=entry.value or None,
    )
