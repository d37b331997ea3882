"""The command line: thread limits, exit codes, and the commands of all files ``commands_*.py`` here.

Everything else is imported when a command needs it: the help has to appear at once.
Exit codes: 0 done, 1 failed while computing, 2 refused input (one line on stderr, nothing half-written).
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from pkgutil import iter_modules

import pipeline.cli
from pipeline.cli.application import app
from pipeline.errors import InputError

# Family on top of the help.
_FIRST = "commands_run"


def load_commands() -> None:
    """Import all families of commands: each adds its own to the application."""
    found = [module.name for module in iter_modules(pipeline.cli.__path__)]
    families = [name for name in found if name.startswith("commands_")]
    for name in sorted(families, key=lambda name: (name != _FIRST, name)):
        import_module(f"pipeline.cli.{name}")


load_commands()


def main() -> None:
    """Entry point: turns refused input into one line and exit code 2."""
    _one_thread_each()
    try:
        app()
    except InputError as error:
        print(f"channelmaps: {error}", file=sys.stderr)
        sys.exit(2)


def _one_thread_each() -> None:
    """Libraries must not start threads of their own: the workflow and the blocks share out the cores."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS", "GDAL_NUM_THREADS"):
        os.environ.setdefault(name, "1")
