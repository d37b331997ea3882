"""Commands on what white space is good for: links, rates, base stations."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.application import app

_Results = Annotated[Path | None, typer.Option(help="Run whose permitted e.i.r.p. counts, with its terrain.")]
_Modes = Annotated[
    str, typer.Option(help="Table of modes of configs/tables/link_modes by its name, or a .csv.")
]
_Quantile = Annotated[float, typer.Option("--q-pct", help="Per cent of locations that a rate holds for.")]
_Interference = Annotated[str, typer.Option(help="Television at the receivers: dtt or none.")]


@app.command(
    epilog="Examples: channelmaps links links.csv --out plan\n\n"
    "channelmaps links links.csv --results results/slovenia/latest --channel auto --out plan"
)
def links(
    table: Annotated[Path, typer.Argument(help="CSV with one link per row.")],
    out: Annotated[Path, typer.Option(help="Folder for tables, GeoPackage, page and JSON.")],
    config: Annotated[
        Path | None, typer.Option(help="Instead of --results: a territory, without limits.")
    ] = None,
    results: _Results = None,
    model: Annotated[
        str, typer.Option(help="p1812_or_p1546, p1812, p1546, extended_hata or free_space.")
    ] = "p1812_or_p1546",
    modes: _Modes = "dvbt2_8mhz",
    q_pct: _Quantile = 70.0,
    interference: _Interference = "dtt",
    channel: Annotated[
        str, typer.Option(help="Channel of rows without one: a number, a bond such as 20-21, or auto.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    strict_a5_3: Annotated[
        bool, typer.Option("--strict-a5-3", help="Refuse what lies outside the range of Table A5-3.")
    ] = False,
    profiles: Annotated[
        bool, typer.Option("--profiles", help="Write the terrain profiles into the GeoPackage.")
    ] = False,
) -> None:
    """Link budgets, rates and channels of white-space links (SM.2405, Annexes 5, 8, 9 and 10)."""
    from pipeline.links.link_files import LinkRequest, links_command

    request = LinkRequest(
        out, config, results, model, modes, q_pct, interference, channel, as_json, strict_a5_3, profiles
    )
    links_command(table, request)
