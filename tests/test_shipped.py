"""Files that come with the package are found in the checkout first, then in the package."""

from __future__ import annotations

from pathlib import Path

from pipeline.shipped import REPOSITORY, TABLES, shipped


def test_checkout_wins_over_the_copy_in_the_package(tmp_path: Path) -> None:
    carried = tmp_path / "pipeline/carried/Snakefile"
    carried.parent.mkdir(parents=True)
    carried.write_text("")
    assert shipped("Snakefile", tmp_path) == carried
    (tmp_path / "Snakefile").write_text("")
    assert shipped("Snakefile", tmp_path) == tmp_path / "Snakefile"


def test_file_that_is_nowhere_is_named_as_in_the_checkout(tmp_path: Path) -> None:
    assert shipped("Snakefile", tmp_path) == tmp_path / "Snakefile"


def test_tables_are_those_of_the_checkout(repository: Path) -> None:
    assert (repository, repository / "configs/tables") == (REPOSITORY, TABLES)
