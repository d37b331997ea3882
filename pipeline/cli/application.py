"""The application that all commands belong to, and the options that several of them share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.config.bonds import DeviceChannel, channel_named
from pipeline.errors import InputError

ConfigFile = Annotated[Path, typer.Argument(help="Territory file, e.g. configs/slovenia.yaml.")]
ConfigOption = Annotated[Path, typer.Option("--config", help="Territory file.")]
ThreadsOption = Annotated[int, typer.Option("--threads", min=1, help="Threads inside this job.")]
ChannelOption = Annotated[
    str, typer.Option("--channel", help="Channel, or channels of a bond such as 20-21.")
]

app = typer.Typer(
    name="channelmaps",
    help="Channel-availability and maximum-e.i.r.p. maps of a national territory.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def channel_option(text: str) -> DeviceChannel:
    """The channel or bond that ``--channel`` names; InputError for anything else."""
    try:
        return channel_named(text)
    except ValueError:
        raise InputError(
            "is no channel", field="--channel", value=text, allowed="a number, or a bond such as 20-21"
        ) from None
