"""`channelmaps radar apply`: a CR/372 submission applied to the register of oceanographic radars.

On a copy, in the order of the file, all or nothing.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from pipeline.coordination.radar.checks import SubmissionRules, check_submitted, check_text
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
from pipeline.coordination.radar.findings import Finding, Strictness, as_strictness, errors, finding, limited
from pipeline.coordination.radar.resolution612 import read_bands, read_itu_codes
from pipeline.errors import InputError
from pipeline.files import write_together

_REGISTER = "register: "


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
    rules = SubmissionRules(as_strictness(mode), read_itu_codes().administrations, read_bands())
    _check_paths(register, submission, out, report)
    # The register may hold what lenient mode let in: it is read leniently and checked for what is unsafe.
    outcome = apply(read_file(register, Strictness.LENIENT), read_file(submission, rules.mode), rules)
    refused = errors(outcome.findings)
    contents = {} if refused else {out: records_bytes(outcome.radars)}
    write_together({**contents, report: report_bytes(outcome.findings)})
    if refused:
        raise _refusal(register, submission, report, refused)


def apply(register: Submission, submission: Submission, rules: SubmissionRules) -> AppliedSubmission:
    """Apply the A and S records of a submission. Any error leaves the register as it was."""
    kept, found = _load(register, rules.mode)
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


def registered(register: Submission) -> AppliedSubmission:
    """The radars of a register and what makes it unfit: it is read as `radar apply` reads it."""
    return AppliedSubmission(*_load(register, Strictness.LENIENT))


def _load(register: Submission, mode: Strictness) -> tuple[list[Radar], list[Finding]]:
    """The radars of the register. What lenient mode once let in must stay readable; what would be unsafe not.

    The Bureau's date of update is kept; warnings on the register are not repeated at each submission.
    """
    found = [*register.findings]
    seen: dict[Comparable, int] = {}
    for number, radar in register.lines:
        found += check_text(Line(number, radar), mode)
        if radar.action != "A":
            found += finding(mode, number, "ACTION", "all records of a register carry A", "Int", radar.action)
        first = seen.setdefault(key(radar), number)
        if first != number:
            found += finding(mode, number, "KEY_EXISTS", f"the same radar as in line {first}")
    serious = [entry._replace(message=_REGISTER + entry.message) for entry in errors(found)]
    return [line.radar for line in register.lines], serious


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
    inputs = {register.resolve(), submission.resolve()}
    if report.resolve() in {*inputs, out.resolve()}:
        raise InputError("would overwrite another file of this command", file=report, row="--report")
    if out.resolve() == submission.resolve():
        raise InputError("would overwrite the submission", file=out, row="--out")


def _refusal(register: Path, submission: Path, report: Path, refused: list[Finding]) -> InputError:
    first = refused[0]
    more = f" (and {len(refused) - 1} more, see {report})" if len(refused) > 1 else f" (see {report})"
    return InputError(
        f"{first.code}: {first.message}{more}",
        file=register if first.message.startswith("register: ") else submission,
        row=first.line or None,
        field=first.field or None,
        value=first.value or None,
    )
