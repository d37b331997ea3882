"""The command line: thread limits, exit codes, and the commands of all files ``commands_*.py`` here.

Everything else is imported when a command needs it: the help has to appear at once.
Exit codes: 0 done, 1 failed while computing, 2 refused input (one line on stderr, nothing half-written).
"""

from __future__ import annotations

import gc
import os
import resource
import sys
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from traceback import extract_tb
from typing import NoReturn

import pipeline.cli
from pipeline.cli.application import app
from pipeline.errors import InputError, refused_by_machine

# Family on top of the help.
_FIRST = "commands_run"
# All libraries loaded, and a small territory.
_LEAST_BYTES = 750_000_000
# New objects from one search for cycles to the next: with Python's own 700 a fifth of the time to load the
# libraries goes into searching what is being loaded. With many more, arrays in cycles would stay for long.
_OBJECTS_A_SEARCH = (10_000, 10, 10)
# What libraries say, where they do not raise MemoryError.
_OUT_OF_MEMORY = (
    "cannot allocate memory",
    "failed to map segment",
    "Cannot allocate memory",
    "out of memory",
)


def load_commands() -> None:
    """Import all families of commands: each adds its own to the application."""
    found = [module.name for module in iter_modules(pipeline.cli.__path__)]
    families = [name for name in found if name.startswith("commands_")]
    for name in sorted(families, key=lambda name: (name != _FIRST, name)):
        import_module(f"pipeline.cli.{name}")


load_commands()


def main() -> None:
    """Entry point: turns refused input into one line and exit code 2."""
    gc.set_threshold(*_OBJECTS_A_SEARCH)
    _one_thread_each()
    _refuse_little_memory()
    try:
        app()
    except InputError as error:
        _stop(str(error), 2)
    except OSError as error:
        _stop(str(refused_by_machine(error, "(no file named)", "the command has failed")), 1)
    except Exception as error:
        if sys.flags.dev_mode:
            raise
        _stop(_unforeseen(error), 1)


def _refuse_little_memory() -> None:
    """Stop where libraries could not even be loaded: one of them then tries again for ever."""
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY and limit < _LEAST_BYTES:
        allowed = f"at least {_LEAST_BYTES} bytes of address space (ulimit -v)"
        _stop(str(InputError("not enough memory", value=limit, allowed=allowed)), 1)


def _stop(line: str, code: int) -> NoReturn:
    print(f"channelmaps: {line}", file=sys.stderr)
    sys.exit(code)


def _unforeseen(error: Exception) -> str:
    """A failure that nothing names, in one line: little memory, or a fault of this program."""
    if isinstance(error, MemoryError) or any(words in str(error) for words in _OUT_OF_MEMORY):
        return str(InputError("not enough memory: the command has failed"))
    own = [frame for frame in extract_tb(error.__traceback__) if "pipeline" in Path(frame.filename).parts]
    place = f" in {Path(own[-1].filename).name}, line {own[-1].lineno}" if own else ""
    fault = f"a fault of this program{place}: {type(error).__name__}: {error}"
    return str(InputError(fault, allowed="`python -X dev -m pipeline` shows where"))


def _one_thread_each() -> None:
    """Libraries must not start threads of their own: the workflow and the blocks share out the cores."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS", "GDAL_NUM_THREADS"):
        os.environ.setdefault(name, "1")
