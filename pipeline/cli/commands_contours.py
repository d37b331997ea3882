"""Contours of transmitters for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.application import ConfigFile, app


@app.command(
    epilog="Examples: channelmaps contour configs/slovenia.yaml --out contours\n\n"
    "channelmaps contour configs/slovenia.yaml --transmitter SI001 --out contours"
)
def contour(
    config: ConfigFile,
    out: Annotated[Path, typer.Option(help="Folder for contours.gpkg and contours.kml.")],
    transmitter: Annotated[
        list[str] | None,
        typer.Option(help="Only this one, once for each; its coverage is then written as a raster, too."),
    ] = None,
    build: Annotated[Path | None, typer.Option(help="Intermediates; build/<territory> if absent.")] = None,
) -> None:
    """Coverage and protected contour of each transmitter; needs a finished run."""
    from pipeline.studies.contours import contour_command

    contour_command(config, out, transmitters=transmitter or (), build=build)
