"""Commands that turn foreign registers into those of the product, and back."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.application import app
from pipeline.errors import InputError, fault_lines

if TYPE_CHECKING:
    from pipeline.registers.finishing import Target
    from pipeline.registers.importing import RegisterPlan

_MAPPING_SUFFIXES = (".yaml", ".yml")


@app.command(
    name="import",
    epilog="Examples: channelmaps import import.yaml --out register.csv --report report.json\n\n"
    "channelmaps import table export.csv --mapping import.yaml --plan configs/slovenia.yaml "
    "--out register.csv",
)
def import_(
    form: Annotated[
        str,
        typer.Argument(
            metavar="MAPPING|FORMAT",
            help="A mapping in YAML, or a format (auto: by content) and then the files.",
        ),
    ],
    out: Annotated[Path, typer.Option(help="Register to write, CSV.")],
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="[IN]...", help="Files or folders of the format.")
    ] = None,
    mapping: Annotated[Path | None, typer.Option(help="Mapping of a table, or options of a format.")] = None,
    plan: Annotated[
        str | None, typer.Option(help="Channel raster such as 8MHz, or a territory file with its own.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="JSON to write: every row that is not written, and why.")
    ] = None,
    lenient: Annotated[
        bool, typer.Option("--lenient", help="Leave faulty rows out instead of writing nothing.")
    ] = False,
    as_of: Annotated[str | None, typer.Option(help="Day of the register, yyyy-mm-dd.")] = None,
    keep_status: Annotated[
        list[str] | None, typer.Option(help="A word of the status that is kept; once for each.")
    ] = None,
    system: Annotated[
        str | None, typer.Option(help="Of all rows, where the format does not say it, such as DVB-T2.")
    ] = None,
    areas_out: Annotated[Path | None, typer.Option(help="GeoJSON of allotments to write (ge06).")] = None,
    dem: Annotated[
        Path | None, typer.Option(help="Terrain model: height above ground of antennas known above sea only.")
    ] = None,
    explain: Annotated[int, typer.Option(min=0, help="Explain so many rows: cells, rules, values.")] = 0,
) -> None:
    """Turn registers of other formats into one of the product."""
    from pipeline.registers.importing import (
        ImportFiles,
        as_of_day,
        import_command,
        mapping_of_command,
        with_settings,
    )

    known, source = mapping_of_command(form, files or [], mapping)
    settings = {
        "lenient": True if lenient else None,
        "as_of": as_of_day(as_of),
        "keep_status": keep_status or None,
        "system": system,
    }
    written = ImportFiles(out, report, areas_out or known.areas_out, dem, explain)
    others = {} if known.target == "transmitters" else service_targets()  # what they load takes a second
    import_command(with_settings(known, settings), source, written, _plan(plan), others)


def _plan(text: str | None) -> RegisterPlan | None:
    """The raster that ``--plan`` names, a territory file or a name of the table; None: that of a mapping."""
    from pipeline.registers.importing import RegisterPlan, plan_named

    if text is None:
        return None
    if not text.endswith(_MAPPING_SUFFIXES):
        return plan_named(text)
    from pipeline.plan.territory_file import load_config
    from pipeline.reference.ratio_tables import read_modes

    config = load_config(text)
    return RegisterPlan(config.channels.plan, read_modes(config.protection.modes))


def service_targets() -> dict[str, Target]:
    """The registers whose rows are a matter of a service."""
    from pipeline.registers.finishing import Target
    from pipeline.services.pmse.pmse_register import PmseRow, PmseRules, read_pmse_kinds
    from pipeline.shipped import TABLES

    kinds = read_pmse_kinds(TABLES / "pmse_kinds.csv")
    return {"pmse": Target("pmse", PmseRow, PmseRules(kinds, projected=False))}


@app.command(
    epilog="Example: channelmaps export ge06 register.csv --administration SVN --out gt1.txt "
    "--report losses.json"
)
def export(
    form: Annotated[str, typer.Argument(metavar="FORMAT", help="ge06: GT1 notices of the GE06 Agreement.")],
    register: Annotated[Path, typer.Argument(help="Register of transmitters.")],
    administration: Annotated[str, typer.Option(help="Symbol of the ITU, such as SVN.")],
    out: Annotated[Path, typer.Option(help="Notices to write.")],
    report: Annotated[
        Path | None, typer.Option(help="JSON to write: what the notices do not hold, and rows left out.")
    ] = None,
    fragment: Annotated[
        str | None, typer.Option(help="GE06D (the plan) or NTFD_RR (in use); that of the rows, else GE06D.")
    ] = None,
    action: Annotated[str, typer.Option(help="ADD, MODIFY or SUPPRESS.")] = "ADD",
    plan: Annotated[str | None, typer.Option(help="Channel raster; those of GE06 if absent.")] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Refuse a row without polarisation or height above ground.")
    ] = False,
) -> None:
    """Write a register in the form of others."""
    from pipeline.registers.ge06_export import NoticeForm, export_ge06_command, plan_of_notices

    for option, value, known in (
        ("FORMAT", form, ("ge06",)),
        ("--fragment", fragment or "GE06D", ("GE06D", "NTFD_RR")),
        ("--action", action, ("ADD", "MODIFY", "SUPPRESS")),
    ):
        if value not in known:
            raise InputError("is not known", field=option, value=value, allowed=", ".join(known))
    notices = NoticeForm(administration.upper(), plan_of_notices(plan), fragment, action)
    export_ge06_command(register, notices, out, report, strict=strict)


@app.command(
    epilog="Example: channelmaps init LT files --out configs/lt.yaml --answer system=DVB-T\n\n"
    "channelmaps init LT files --proposals proposals.json (what was found, and the keys of all questions)"
)
def init(
    country: Annotated[str, typer.Argument(metavar="COUNTRY", help="Two letters of ISO 3166, such as LT.")],
    folder: Annotated[Path, typer.Argument(help="Folder with boundaries, registers, terrain, people.")],
    out: Annotated[Path | None, typer.Option(help="Territory file to write; none is replaced.")] = None,
    answers: Annotated[
        Path | None, typer.Option(help="Answers in YAML: a key and its answer a line.")
    ] = None,
    answer: Annotated[list[str] | None, typer.Option(help="KEY=ANSWER; once for each.")] = None,
    proposals: Annotated[
        Path | None, typer.Option(help="JSON to write: roles of files, proposed columns, questions.")
    ] = None,
    as_of: Annotated[
        str | None, typer.Option(help="Day of the registers, yyyy-mm-dd; today if absent.")
    ] = None,
    resolution_m: Annotated[float, typer.Option(min=10, max=5000, help="Size of pixels in m.")] = 200.0,
) -> None:
    """Make a territory file of a folder of files; asks at a terminal what they do not say."""
    from pipeline.init.init import InitOptions, init_command
    from pipeline.registers.importing import as_of_day

    given = InitOptions(out, proposals, answers, answer or [], as_of_day(as_of), resolution_m)
    try:
        well = init_command(country, folder, given)
    except InputError as error:  # of several open questions all are told
        if len(error.faults) == 1:
            raise
        for line in fault_lines(error.faults):
            print(f"channelmaps: {line}", file=sys.stderr)
        well = False
    raise typer.Exit(0 if well else 2)
