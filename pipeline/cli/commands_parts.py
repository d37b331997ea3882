"""Commands for a territory too large for one grid: cut into parts, and shown as one map again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.application import ConfigFile, ThreadsOption, app


@app.command(epilog="Example: channelmaps parts configs/slovenia.yaml --side-km 100 --out parts")
def parts(
    config: ConfigFile,
    side_km: Annotated[
        float, typer.Option("--side-km", min=1.0, help="Side of a part in km, about; without its margin.")
    ],
    out: Annotated[Path, typer.Option(help="New or empty folder to write the territory files to.")],
) -> None:
    """Cut a territory into parts: a territory file for each, and the commands that compute and join them."""
    from pipeline.studies.territory_parts import parts_command

    parts_command(config, side_km, out)


@app.command(
    epilog="Example: channelmaps join results/slovenia-1-1/latest results/slovenia-1-2/latest --out joined"
)
def join(
    runs: Annotated[list[Path], typer.Argument(help="Folders of published runs, one of each part.")],
    out: Annotated[Path, typer.Option(help="New or empty folder to write the joined maps to.")],
    threads: ThreadsOption = 1,
) -> None:
    """Show published runs of the parts of a territory as one map: rasters, QGIS, web map, STAC."""
    from pipeline.studies.joined_maps import join_command

    join_command(runs, out, threads=threads)
