"""The mapping and the commands that docs/registers.md prints, on files that fit them, as they are printed."""

from __future__ import annotations

import csv
import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline.cli.main import app

EXPORT = """Stations;;;;;;;;;;
in force;;;;;;;;;;
;;;;;;;;;;
No;Site;Channel;Service;ERP [dBW];Latitude;Longitude;Height [ft];Status;Since;Diagram
7;Škofja Loka;32;DVB-T2;40,0;46°10'00"N;14°18'30"O;100;in operation;1.5.2020;{diagram}
8;Žiri;33;DVB-T2;30,0;46°02'24"N;14°06'00"O;200;in operation;1.5.2020;
9;Kum;34;DAB;30,0;46°05'00"N;15°04'00"O;100;in operation;1.5.2020;
10;Krim;35;DVB-T;30,0;45°55'00"N;14°28'00"O;100;closed;1.5.2020;
11;Nanos;36;DVB-T;30,0;45°46'00"N;14°03'00"O;100;in operation;1.5.2027;
"""


def printed(repository: Path, sign: str) -> list[str]:
    """Lines of the page that begin so, and commands in its text."""
    text = (repository / "docs/registers.md").read_text(encoding="utf-8")
    lines = re.findall(r"(?m)^channelmaps .+$|(?<=`)channelmaps [^`]+(?=`)", text)
    return [line for line in lines if sign in line]


@pytest.fixture
def folder(tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The printed mapping with a table that fits it; the second command has another name for the table."""
    text = (repository / "docs/registers.md").read_text(encoding="utf-8")
    mapping = next(block for block in re.findall(r"```yaml\n(.*?)```", text, re.S) if block.startswith("in:"))
    table = EXPORT.format(diagram="/".join(["0,0"] * 18 + ["12,5"] * 18))
    (tmp_path / "import.yaml").write_text(mapping, encoding="utf-8")
    for name in ("export_2026-11.csv", "export.csv"):
        (tmp_path / name).write_bytes(table.encode("windows-1250"))
    (tmp_path / "configs").symlink_to(repository / "configs")
    (tmp_path / "data").symlink_to(repository / "data")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def done(line: str) -> str:
    result = CliRunner().invoke(app, shlex.split(line)[1:])
    assert result.exit_code == 0, f"{line}: {result.output}"
    return result.output


def test_printed_imports_and_export_run(folder: Path, repository: Path) -> None:
    for line in printed(repository, "import.yaml --out register.csv") + printed(repository, "import table"):
        (folder / "register.csv").unlink(missing_ok=True)
        assert "dropped: 3 (filter 1; not_yet 1; status 1" in done(line), line
        rows = [*csv.DictReader((folder / "register.csv").open(encoding="utf-8"))]
        assert [(row["id"], row["site"], row["erp_kw"]) for row in rows] == [
            ("SI-7-32", "Škofja Loka", "10"),
            ("SI-8-33", "Žiri", "1"),
        ]
        assert [(row["lon"], row["lat"]) for row in rows] == [
            ("14.308333", "46.166667"),
            ("14.100000", "46.040000"),
        ]
        assert [float(row["antenna_height_agl_m"]) for row in rows] == [30.48, 60.96]
        assert rows[0]["pattern_azimuth_attenuation_db"] == ";".join(["0.00"] * 18 + ["12.50"] * 18)
    text = (folder / "register.csv").read_text(encoding="utf-8").replace(",,0.00", ",H,0.00", 1)
    (folder / "register.csv").write_text(text, encoding="utf-8")
    (line,) = printed(repository, "export ge06")
    done(line)
    notices = (folder / "gt1.txt").read_text(encoding="utf-8")
    assert "t_num_notices = 1" in notices  # the second has no polarisation, which losses.json says
    assert "SI-8-33" in (folder / "losses.json").read_text(encoding="utf-8")
