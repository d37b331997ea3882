"""Files that come with the package are found in the checkout first, then in the package."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.shipped import REPOSITORY, TABLES, repository_path, shipped


@pytest.fixture
def carried(tmp_path: Path) -> Path:
    """A table where a wheel has it."""
    table = tmp_path / "pipeline/shipped/configs/tables/modes.csv"
    table.parent.mkdir(parents=True)
    table.write_text("")
    return table


def test_checkout_wins_over_the_copy_in_the_package(tmp_path: Path, carried: Path) -> None:
    assert shipped("configs/tables/modes.csv", tmp_path) == carried
    for name in ("pyproject.toml", "Snakefile"):
        (tmp_path / name).write_text("")
    assert shipped("configs/tables/modes.csv", tmp_path) == tmp_path / "configs/tables/modes.csv"


def test_configs_of_another_package_are_not_taken(tmp_path: Path, carried: Path) -> None:
    (tmp_path / "configs/tables").mkdir(parents=True)
    (tmp_path / "configs/tables/modes.csv").write_text("another's")
    assert shipped("configs/tables/modes.csv", tmp_path) == carried


def test_file_that_is_nowhere_is_named_as_in_the_checkout(tmp_path: Path) -> None:
    assert shipped("Snakefile", tmp_path) == tmp_path / "Snakefile"


def test_path_in_the_repository_is_one_for_file_and_copy(tmp_path: Path, carried: Path) -> None:
    name = Path("configs/tables/modes.csv")
    assert repository_path(carried, tmp_path) == repository_path(tmp_path / name, tmp_path) == name
    assert repository_path(tmp_path.parent / "modes.csv", tmp_path) is None


def test_tables_are_those_of_the_checkout(repository: Path) -> None:
    assert (repository, repository / "configs/tables") == (REPOSITORY, TABLES)
