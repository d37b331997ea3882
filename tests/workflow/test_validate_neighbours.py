"""Neighbours that cannot be, and what is said of those of whom nothing is known."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import InputError
from pipeline.workflow.validate import validate_command


@pytest.fixture
def slovenia(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the default territory on a coarse grid, to be edited."""
    monkeypatch.chdir(repository)
    text = (repository / "configs/slovenia.yaml").read_text(encoding="utf-8")
    path = tmp_path / "slovenia.yaml"
    path.write_text(text.replace("resolution_m: 200.0", "resolution_m: 1000.0"), encoding="utf-8")
    return path


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.mark.parametrize(
    "code", ["SI", pytest.param("XX", marks=pytest.mark.slow), pytest.param("AUT", marks=pytest.mark.slow)]
)
def test_neighbour_that_is_no_foreign_country_is_refused(slovenia, code):
    change(slovenia, "AT: {coverage: true}", f"{code}: {{coverage: true}}")
    with pytest.raises(InputError, match=rf"neighbours\.{code}.*AT, BA, DE, HR, HU, IT, SK, \*"):
        validate_command(slovenia)


def test_faulty_trigger_table_is_refused_before_anything_is_computed(slovenia, tmp_path):
    (tmp_path / "t.csv").write_text("from_mhz,to_mhz,field_dbuvm,source,verified\n600,470,21,made up,false\n")
    change(slovenia, "AT: {coverage: true}", f"AT: {{border_field: {{triggers: {tmp_path / 't.csv'}}}}}")
    with pytest.raises(InputError, match=r"t\.csv, row 2"):
        validate_command(slovenia)


@pytest.mark.slow
def test_land_without_data_is_named(slovenia, capsys):
    change(slovenia, "HU: {coverage: true}", "HU: {}")
    change(slovenia, "AT: {coverage: true}", "AT: {unaffected: test}")
    validate_command(slovenia)
    said = [line for line in capsys.readouterr().out.splitlines() if line.startswith("  no data of")]
    assert [line.split()[3].rstrip(":") for line in said] == ["*", "BA", "DE", "HU"]
    # The grid reaches a little farther west than the polygons of countries.
    assert "not declared under neighbours" in said[0]
    assert "declared without data" in said[3]
