"""Fixtures that several test folders share."""

from __future__ import annotations

import gc
from functools import cache
from pathlib import Path

import pytest
import typer.main
import typer.testing
from hypothesis import settings

from tests.stand_in import workflow
from tests.tiny import change_station, tiny

__all__ = ["change_station", "tiny", "workflow"]

# `make test` says the same twice for the same code; `make test-all` looks for new examples.
settings.register_profile("repeatable", derandomize=True, database=None)

# That of the program.
gc.set_threshold(10_000, 10, 10)

# The application is built once: thousands of calls of a command in one process would each do it anew.
typer.main.get_command = typer.testing._get_command = cache(typer.main.get_command)

# Workers compile coverage's kernels once, not each of them: while one does, others have tests without any.
_FIRST = "coverage/test_channel.py"
_WITHOUT_KERNELS = ("registers", "init", "rows", "plan", "hostile", "radio", "test_config.py")

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with reference data that is not part of the project."""
    if not (SHARED / "data").is_dir():
        pytest.skip("reference data folder ../shared is not beside this checkout")
    return SHARED


@pytest.fixture(scope="session")
def repository() -> Path:
    """The top of the checkout."""
    return Path(__file__).resolve().parents[1]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The order of test files."""
    top = Path(__file__).parent

    def turn(item: pytest.Item) -> int:
        place = item.path.relative_to(top)
        return 0 if place.as_posix() == _FIRST else 1 if place.parts[0] in _WITHOUT_KERNELS else 2

    items.sort(key=turn)
