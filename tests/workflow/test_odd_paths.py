"""Names of files and folders that a shell, Snakemake or YAML would take for more than names."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.jobs import snakemake
from tests.tiny import CONFIG, STATIONS, write_register
from tests.workflow.test_refusals import refusal

NAMES = ["a\nb.yaml", "123", "1_0", "a: b.yaml", "a # b.yaml", "#a.yaml", "- a.yaml", '"a".yaml', "!a.yaml"]
ODD = "my 'own' \"data\" $(touch PWNED) `touch PWNED` {x} &;#"


@pytest.mark.slow
def test_jobs_get_odd_paths_as_they_are(repository: Path, tmp_path: Path) -> None:
    """A job, in a folder and with a territory file of odd names; no command in them is run."""
    folder = tmp_path / ODD
    (folder / ODD).mkdir(parents=True)
    write_register(folder / ODD / "register.csv", STATIONS)
    register = f"{ODD}/register.csv".replace('"', '\\"')
    text = CONFIG.replace("[register.csv]", f'["{register}"]')
    (folder / ODD / "tiny.yaml").write_text(text, encoding="utf-8")
    surface = "build/tiny/territory/surface.tif"
    snakemake(repository, surface, territory=f"{ODD}/tiny.yaml", folder=folder)
    assert (folder / surface).is_file()
    assert not [path for path in tmp_path.rglob("PWNED*") if path.name == "PWNED"]


@pytest.mark.parametrize("name", NAMES)
def test_names_that_the_workflow_takes_for_more_are_refused(
    tiny: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    tiny.rename(name)
    Path(name).write_text(f"name: odd\n{CONFIG}", encoding="utf-8")
    line = refusal(capfd, monkeypatch, "validate", "--", name)
    assert "cannot be told" in line
    assert refusal(capfd, monkeypatch, "run", "--", name) == line
