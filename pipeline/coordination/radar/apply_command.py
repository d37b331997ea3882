"""`channelmaps radar apply`: a CR/372 submission applied to the register of oceanographic radars."""

from __future__ import annotations

from pathlib import Path

from pipeline.coordination.radar.checks import SubmissionRules
from pipeline.coordination.radar.cr372_files import read_file, records_bytes, report_bytes
from pipeline.coordination.radar.cr372_register import apply
from pipeline.coordination.radar.findings import Finding, Strictness, as_strictness, errors
from pipeline.coordination.radar.resolution612 import read_bands, read_itu_codes
from pipeline.errors import InputError
from pipeline.files import write_together


def radar_apply_command(register: Path, submission: Path, mode: str, out: Path, report: Path) -> None:
    """Write the report always, and the new register if there is no error; else InputError (exit code 2).

    Files in the format of CR/372; the register's records all carry A, an empty file is an empty register.
    """
    rules = SubmissionRules(as_strictness(mode), read_itu_codes().administrations, read_bands())
    _check_places(register, submission, out, report)
    # The register may hold what lenient mode let in: it is read leniently and checked for what is unsafe.
    outcome = apply(read_file(register, Strictness.LENIENT), read_file(submission, rules.mode), rules)
    refused = errors(outcome.findings)
    contents = {} if refused else {out: records_bytes(outcome.radars)}
    write_together({**contents, report: report_bytes(outcome.findings)})
    if refused:
        raise _refusal(register, submission, report, refused)


def _check_places(register: Path, submission: Path, out: Path, report: Path) -> None:
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
