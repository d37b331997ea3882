"""The one command of all jobs, which only the workflow calls; not shown in the help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.application import ConfigOption, ThreadsOption, app


@app.command(hidden=True)
def job(
    name: Annotated[str, typer.Argument(help="Name of a job in pipeline/plan/jobs.py.")],
    config: ConfigOption,
    build: Annotated[Path, typer.Option(help="Folder of the territory's intermediates.")],
    threads: ThreadsOption = 1,
    channel: Annotated[int | None, typer.Option(min=1, max=99, help="Channel number.")] = None,
    tile: Annotated[str | None, typer.Option(help="1-degree square, e.g. n46e014.")] = None,
    device: Annotated[str | None, typer.Option(help="Id of a device profile.")] = None,
) -> None:
    """Run one job of the workflow."""
    from pipeline.plan.run_job import run_job, title_of
    from pipeline.plan.territory_file import load_config

    options = {"channel": channel, "tile": tile, "device": device}
    wildcards = {key: value for key, value in options.items() if value is not None}
    run_job(name, load_config(config), build, threads=threads, **wildcards)
    print(f"done: {title_of(name, **wildcards)}")
