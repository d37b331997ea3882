"""Commands of the coordination with other services and administrations."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.application import CommandFamily, app

radar = CommandFamily(help="Register of oceanographic radars.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(radar, name="radar")


@app.command(
    epilog="Example: channelmaps rr941 --networks networks.yaml --points points.csv --out result.csv"
)
def rr941(
    networks: Annotated[Path, typer.Option(help="YAML with the victim and the interferer network.")],
    points: Annotated[Path, typer.Option(help="CSV with the columns lon,lat.")],
    out: Annotated[Path, typer.Option(help="CSV to write; nan where nothing could be computed.")],
) -> None:
    """Increase of noise temperature between two satellite networks at points (RR No. 9.41)."""
    from pipeline.coordination.rr941.point_table import rr941_command

    rr941_command(networks, points, out)


@app.command(epilog="Example: channelmaps f1565 --links links.csv --out budget.json")
def f1565(
    links: Annotated[Path, typer.Option(help="CSV with one fixed link per row.")],
    out: Annotated[Path, typer.Option(help="JSON to write: budgets of every link.")],
) -> None:
    """Error-performance budgets of fixed links (Rec. ITU-R F.1565-1)."""
    from pipeline.coordination.f1565.error_budget import f1565_command

    f1565_command(links, out)


@radar.command(
    epilog="Example: channelmaps radar apply --register db.csv --submission new.csv --mode strict "
    "--out db2.csv --report report.json"
)
def apply(
    register: Annotated[Path, typer.Option(help="Register in the CR/372 format; an empty file is empty.")],
    submission: Annotated[Path, typer.Option(help="Records to apply, in the CR/372 format.")],
    mode: Annotated[str, typer.Option(help="strict or lenient.")],
    out: Annotated[Path, typer.Option(help="New register to write.")],
    report: Annotated[Path, typer.Option(help="JSON with all findings, written in every case.")],
) -> None:
    """Apply a submission to the register of oceanographic radars (BR Circular Letter CR/372)."""
    from pipeline.coordination.radar.cr372_register import radar_apply_command

    radar_apply_command(register, submission, mode, out, report)


@radar.callback()
def _radar() -> None:
    """Keep `apply` a sub-command of its own."""
