"""`channelmaps radar apply`: a CR/372 submission applied to the register of oceanographic radars.

On a copy, in the order of the file, all or nothing.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pipeline.coordination.radar.checks import SubmissionRules, check_submitted, is_date
from pipeline.coordination.radar.cr372_records import (
    Comparable,
    Line,
    Radar,
    Submission,
    differences,
    key,
    read_file,
    records_bytes,
    report_bytes,
    text_of,
)
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
from pipeline.coordination.radar.resolution612 import read_bands, read_itu_codes
from pipeline.errors import InputError
from pipeline.files import Output, check_outputs, kind_of_start, write_together

_REGISTER = "register: "
# Lines on a register in validate and report.
_MAX_DOUBTS = 20
_NEEDED_FOR_ZONE = ("Adm", "stn_type", "freq_assgn", "lat", "long")
_REGISTER_FILE = kind_of_start("a register in the format of CR/372", rb'"?[AS]"?(,[^\n]*){21}')
_REPORT_FILE = kind_of_start("a report of this command", rb'\s*\[\s*(\]|\{\s*"line"\s*:)')


class AppliedSubmission(NamedTuple):
    """The register after a submission (the old one if anything was wrong) and all findings."""

    radars: list[Radar]
    findings: list[Finding]


class _Copy(NamedTuple):
    """The copy that actions work on.

    ``current`` radars by key in the order of the register; ``removed`` what this file has suppressed;
    ``suppressions`` the lines of S records by key; ``done`` lines that were taken out of turn.
    """

    mode: Strictness
    current: dict[Comparable, Radar]
    removed: defaultdict[Comparable, list[Radar]]
    suppressions: defaultdict[Comparable, list[Line]]
    done: set[int]


def radar_apply_command(register: Path, submission: Path, mode: str, out: Path, report: Path) -> None:
    """Write the report always, and the new register if there is no error; else InputError (exit code 2).

    Files in the format of CR/372; the register's records all carry A, an empty file is an empty register.
    """
    rules = submission_rules(as_strictness(mode))
    _check_paths(register, submission, out, report)
    # The register may hold what lenient mode let in: it is read and checked leniently.
    outcome = apply(read_file(register, Strictness.LENIENT), read_file(submission, rules.mode), rules)
    refused = errors(outcome.findings)
    contents = {} if refused else {out: records_bytes(outcome.radars)}
    write_together({**contents, report: report_bytes(outcome.findings)})
    if refused:
        raise _refusal(register, submission, report, refused)


def apply(register: Submission, submission: Submission, rules: SubmissionRules) -> AppliedSubmission:
    """Apply the A and S records of a submission. Any error leaves the register as it was."""
    kept, about = check_register(register, rules)
    # Warnings on the register are not repeated at each submission.
    found = [entry._replace(message=_REGISTER + entry.message) for entry in errors(about)]
    found += submission.findings
    for line in submission.lines:
        found += check_submitted(line, rules)
    copy = _Copy(
        rules.mode, {key(radar): radar for radar in kept}, defaultdict(list), defaultdict(list), set()
    )
    for line in submission.lines:
        if line.radar.action == "S":
            copy.suppressions[key(line.radar)].append(line)
    for line in submission.lines:
        found += _act(copy, line)
    found = limited(rules.mode, found)
    return AppliedSubmission(kept if errors(found) else list(copy.current.values()), found)


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


def read_registered(path: Path) -> AppliedSubmission:
    """The radars of a territory's register, with what is odd about them.

    InputError for the first fault for which `radar apply` would refuse the register, and for what lenient
    mode lets in but no zone can be made of: no location, type of station, frequency or administration, or a
    frequency beyond those of oceanographic radars.
    """
    register = read_file(path, Strictness.LENIENT)
    radars, found = check_register(register, submission_rules(Strictness.LENIENT))
    found = limited(Strictness.LENIENT, found)
    for entry in found:
        if entry.severity == ERROR or entry.code == "FREQ_RANGE" or _has_no_zone(entry):
            raise _refused(path, entry)
    return AppliedSubmission(radars, found)


def doubts_of(path: Path, *, values: bool = True) -> Iterator[str]:
    """What is odd about records that are used, as ends of lines that begin with the name of the file.

    ``values`` with what stands in the record. Beyond ``_MAX_DOUBTS`` the codes are counted.
    """
    found = [entry for entry in read_registered(path).findings if entry.severity == WARNING]
    for entry in found[:_MAX_DOUBTS]:
        field = f", field {entry.field}" if entry.field else ""
        value = f"; found {entry.value!r}" if values and entry.value else ""
        yield f", row {entry.line}{field}: {entry.code}: {entry.message}{value}"
    if more := Counter(entry.code for entry in found[_MAX_DOUBTS:]):
        yield ": and " + ", ".join(f"{code} {count}" for code, count in sorted(more.items()))


def submission_rules(mode: Strictness) -> SubmissionRules:
    """The checks with the shipped tables of administrations and bands."""
    return SubmissionRules(mode, read_itu_codes().administrations, read_bands())


def _has_no_zone(entry: Finding) -> bool:
    return entry.code == "REQUIRED" and entry.field in _NEEDED_FOR_ZONE


def _act(copy: _Copy, line: Line) -> list[Finding]:
    if line.number in copy.done:
        return []
    if line.radar.action == "S":
        return _suppress(copy, line)
    return _add(copy, line) if line.radar.action == "A" else []


def _suppress(copy: _Copy, line: Line) -> list[Finding]:
    identity = key(line.radar)
    present = copy.current.get(identity)
    differing = [] if present is None else differences(present, line.radar)
    earlier = copy.removed[identity]
    if present is None or differing:
        forgiving = copy.mode is Strictness.LENIENT
        again = any(not differences(radar, line.radar) for radar in earlier)
        if again or (forgiving and present is None and earlier):
            return _on(copy, line, "S_DUPLICATE", "the record is already suppressed by this file")
        if present is None or not forgiving:
            reason = f"differs in {', '.join(differing)}" if differing else "no such radar"
            return _on(copy, line, "S_NO_MATCH", f"no record of the register is equal: {reason}", "Int")
    found: list[Finding] = []
    for name in differing:
        was = text_of(copy.current[identity], name)
        found += _on(copy, line, "S_DIFFERS", f"the register has {was[:120]!r}", name)
    earlier.append(copy.current.pop(identity))
    return found


def _add(copy: _Copy, line: Line) -> list[Finding]:
    identity = key(line.radar)
    found: list[Finding] = []
    later = [s for s in copy.suppressions[identity] if s.number > line.number]
    if later and len(later) == len(copy.suppressions[identity]):
        found += _on(copy, line, "ORDER", f"its S record comes later, in line {later[0].number}", "Int")
        if identity in copy.current and copy.mode is Strictness.STRICT:
            return found
        if identity in copy.current:
            copy.done.add(later[0].number)
            found += _suppress(copy, later[0])
    present = copy.current.get(identity)
    earlier = copy.removed[identity]
    found += _call_sign_lost(copy, line, present or (earlier[-1] if earlier else None))
    if present is not None:
        differing = differences(present, line.radar)
        code = "KEY_EXISTS" if differing else "A_EXISTS"
        reason = f"with other {', '.join(differing)}: suppress it first" if differing else "unchanged"
        return found + _on(copy, line, code, f"the radar is already in the register, {reason}", "Int")
    copy.current[identity] = line.radar
    if earlier:
        changed = ", ".join(differences(earlier[-1], line.radar)) or "nothing"
        found += _on(copy, line, "MODIFY", f"modification of {changed}", "site_name")
    return found


def _call_sign_lost(copy: _Copy, line: Line, before: Radar | None) -> list[Finding]:
    if before is None or not before.call_sign or line.radar.call_sign:
        return []
    problem = f"the register has {before.call_sign[:20]!r}, the new record has none"
    return _on(copy, line, "CALLSIGN_LOST", problem, "call_sign")


def _on(copy: _Copy, line: Line, code: str, message: str, name: str = "") -> list[Finding]:
    value = text_of(line.radar, name) if name else ""
    return finding(copy.mode, line.number, code, message, name, value)


def _check_paths(register: Path, submission: Path, out: Path, report: Path) -> None:
    """A report must not replace an input, nor the new register the submission; it may replace the old one."""
    in_place = os.path.realpath(out) == os.path.realpath(register)
    kind = _REGISTER_FILE._replace(fits=lambda _: True) if in_place else _REGISTER_FILE
    outputs = [Output("--report", report, _REPORT_FILE), Output("--out", out, kind)]
    check_outputs(outputs[:1], [register, submission])
    check_outputs(outputs, [submission] if in_place else [register, submission])


def _refusal(register: Path, submission: Path, report: Path, refused: list[Finding]) -> InputError:
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
