"""A foreign file named in a territory file with its mapping: the same stations as from an import."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import InputError
from pipeline.hashing import input_files
from pipeline.plan.territory_file import load_config
from pipeline.registers.transmitters import read_register
from tests.tiny import CONFIG, write_register

MAPPING = """registers:
  transmitters:
    - own.csv
    - path: list.csv
      separator: ";"
      decimal: ","
      join: {path: heights.csv, on: Nr}
      constants: {system: DVB-T2, country: SI}
      columns:
        id: {template: "X-{Nr}"}
        site: {from: Site}
        channel: {from: Ch}
        erp_kw: {from: "ERP [dBW]", unit: dBW}
        lat: {from: Lat, notation: dms}
        lon: {from: Lon, notation: dms}
        antenna_height_agl_m: {from: Height}
        status: {from: State}
      keep_status: [on_air]
"""
LIST = """Nr;Site;Ch;ERP [dBW];Lat;Lon;State
1;Hill;22;20,0;46°06'00"N;14°06'00"E;on_air
2;Vale;23;10,0;46°06'00"N;14°06'00"E;off
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_register(tmp_path / "own.csv", [("A", 14.1, 46.1, 21, 1.0)])
    (tmp_path / "list.csv").write_text(LIST, encoding="utf-8")
    (tmp_path / "heights.csv").write_text("Nr,Height\n1,50\n2,60\n", encoding="utf-8")
    text = CONFIG.replace("registers: {transmitters: [register.csv]}\n", MAPPING)
    (tmp_path / "tiny.yaml").write_text(text, encoding="utf-8")
    return tmp_path


def test_stations_of_a_mapping_are_read_with_those_of_registers(folder: Path) -> None:
    config = load_config("tiny.yaml")
    register, left_out = read_register(config)
    assert register["id"].values.tolist() == ["A", "X-1"]
    assert register["erp_kw"].values.tolist() == pytest.approx([1.0, 0.1])
    assert register["lon_deg"].values[1] == pytest.approx(14.1)
    assert [(row.row, row.problem) for row in left_out] == [(3, "left out: status")]
    files = dict(input_files(config))
    assert {str(path) for path in files.values()} >= {"own.csv", "list.csv", "heights.csv"}


def test_faults_of_a_mapped_file_name_it(folder: Path) -> None:
    (folder / "list.csv").write_text(LIST.replace("20,0", "2o"), encoding="utf-8")
    with pytest.raises(InputError, match=r"list.csv, row 2, field erp_kw: not a number; found '2o'"):
        read_register(load_config("tiny.yaml"))


def test_keys_that_stand_elsewhere_are_refused(folder: Path) -> None:
    text = (folder / "tiny.yaml").read_text(encoding="utf-8")
    (folder / "tiny.yaml").write_text(
        text.replace("keep_status", "plan: 8MHz\n      keep_status"), encoding="utf-8"
    )
    with pytest.raises(InputError, match="plan is not for a register of a territory file"):
        load_config("tiny.yaml")
    (folder / "tiny.yaml").write_text(text.replace("separator", "seperator"), encoding="utf-8")
    with pytest.raises(InputError, match="unknown key"):
        load_config("tiny.yaml")
