"""The application that all commands belong to, and the options that several of them share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from pipeline.config.bonds import DeviceChannel, channel_named
from pipeline.errors import InputError

ConfigFile = Annotated[Path, typer.Argument(help="Territory file, e.g. configs/slovenia.yaml.")]
ConfigOption = Annotated[Path, typer.Option("--config", help="Territory file.")]
ThreadsOption = Annotated[int, typer.Option("--threads", min=1, help="Threads inside this job.")]
ChannelOption = Annotated[
    str, typer.Option("--channel", help="Channel, or channels of a bond such as 20-21.")
]


def _check_once(command: Any, ctx: Any, args: list[str]) -> None:  # noqa: ANN401 - classes that typer hides
    """InputError for an option given twice, but those that make a list: the last one would win unseen."""
    _, _, given = command.make_parser(ctx).parse_args(args=list(args))
    options = [one for one in given if one.param_type_name == "option" and not one.multiple]
    for option in options:
        if options.count(option) > 1:
            raise InputError("is given twice", field=option.opts[0], allowed="once")


class _CommandOfOnce(TyperCommand):
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - a class that typer hides
        _check_once(self, ctx, args)
        return super().parse_args(ctx, args)


class _GroupOfOnce(TyperGroup):
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - a class that typer hides
        _check_once(self, ctx, args)
        return super().parse_args(ctx, args)


class CommandFamily(typer.Typer):
    """Commands that take each option once."""

    def command(self, *args: Any, **options: Any) -> Callable[..., Any]:  # noqa: ANN401 - those of typer
        """A function as a command, as in ``typer.Typer``."""
        return super().command(*args, cls=_CommandOfOnce, **options)

    def callback(self, *args: Any, **options: Any) -> Callable[..., Any]:  # noqa: ANN401 - those of typer
        """A function as what a group does without a command, as in ``typer.Typer``."""
        return super().callback(*args, cls=_GroupOfOnce, **options)


app = CommandFamily(
    name="channelmaps",
    help="Channel-availability and maximum-e.i.r.p. maps of a national territory.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # a third of the time of all imports here

        print(f"channelmaps {version('channelmaps')}")
        raise typer.Exit()


@app.callback()
def options(
    _version: Annotated[
        bool,
        typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True),
    ] = False,
) -> None:
    """Channel-availability and maximum-e.i.r.p. maps of a national territory."""


def channel_option(text: str) -> DeviceChannel:
    """The channel or bond that ``--channel`` names; InputError for anything else."""
    try:
        return channel_named(text)
    except ValueError:
        raise InputError(
            "is no channel", field="--channel", value=text, allowed="a number, or a bond such as 20-21"
        ) from None
