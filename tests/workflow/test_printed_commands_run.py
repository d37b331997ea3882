"""Commands of README and docs that need no run, as they are printed in blocks."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline.cli.main import app

pytestmark = pytest.mark.slow
# Files that a reader has.
INPUTS = {
    "links.csv": "id,d_km,f_mhz,a_power_w,a_gain_dbd,a_height_m,b_height_m,b_gain_dbd\n"
    "v,8.6,600,25,12,10,10,12\n",
    "devices.csv": "id,category,kind,type,emission_class,technology_id,manufacturer_id,model_id,"
    "serial_number,ruleset_ids,lon,lat,height_m,power_dbm,bandwidth_mhz,from_mhz,to_mhz\n"
    "KX-1,master,fixed,A,1,ofdm,Alpvox,Bridge-30,1,ETSI-EN-301-598-2.1.1,14.5,46.05,30,36,8,470,694\n",
    "contacts.csv": "id,kind,fn,email\ndolina,org,Dolina Net,noc@dolina.example\n",
}
# What is not run here, and why.
LEFT_OUT = {
    r"<|\.\.\.|FOLDER|configs/x\.yaml|germany": "a name to be filled in",
    r"results/|slovenia\.yaml|lt\.yaml|^run |^what-if": "a run",
    r"^serve ": "a server: tests/loop",
    r"^listing ": "keys: tests/loop",
    r"^import |^init ": "files of others: tests/registers/test_printed_commands.py, tests/init",
}


def printed(repository: Path) -> list[str]:
    """Commands of all blocks, fenced or indented, in the order of the documents."""
    found: dict[str, None] = {}
    for path in [repository / "README.md", *sorted((repository / "docs").glob("*.md"))]:
        text = path.read_text(encoding="utf-8").replace("\\\n", " ")
        for line in re.findall(
            r"(?m)^(?: {4})?(?:\.venv/bin/)?channelmaps ([a-z][^\n#]*?)\s*(?:#.*)?$", text
        ):
            found[re.sub(r"\s+", " ", line)] = None
    return list(found)


def test_printed_commands_without_a_run_end_well(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(repository / "data/validation", tmp_path / "data/validation")
    for name, text in INPUTS.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    lines = [line for line in printed(repository) if not any(re.search(rule, line) for rule in LEFT_OUT)]
    assert {line.split()[0] for line in lines} >= {"validate-field", "links", "devices"}
    for line in lines:
        result = CliRunner().invoke(app, shlex.split(line))
        assert result.exit_code == 0, f"{line}: {result.output} {result.exception!r}"
