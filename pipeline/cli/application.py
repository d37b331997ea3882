"""The application that all commands belong to, and the options that several of them share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ConfigFile = Annotated[Path, typer.Argument(help="Territory file, e.g. configs/slovenia.yaml.")]
ConfigOption = Annotated[Path, typer.Option("--config", help="Territory file.")]
ThreadsOption = Annotated[int, typer.Option("--threads", min=1, help="Threads inside this job.")]
ChannelOption = Annotated[int, typer.Option("--channel", min=1, max=99, help="Channel number.")]

app = typer.Typer(
    name="channelmaps",
    help="Channel-availability and maximum-e.i.r.p. maps of a national territory.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
