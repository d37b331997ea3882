"""Detectors and hidden nodes: the worked example, computed by hand, and the edges of DFS."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.coordination.sensing import (
    SensingCase,
    dfs_command,
    dfs_document,
    hidden_level_dbm,
    sensing_command,
    sensing_document,
    snr_needed,
)
from pipeline.errors import InputError

EXAMPLE = {
    "f_mhz": 650.0,
    "bandwidth_mhz": 8.0,
    "sensing_ms": 1.0,
    "field_dbuvm": 56.0,
    "height_loss_db": 17.0,
    "wall_loss_db": 7.0,
}


def test_detectors_of_the_worked_example() -> None:
    # B T = 8000, Pfa 0.01, Pd 0.9: (2.3263 + 1.2816) / 89.44; 1 dB: 1.2589 - 0.7943.
    found = snr_needed(SensingCase.model_validate(EXAMPLE))
    assert found["energy"] == pytest.approx(0.0403, abs=5e-5)
    assert found["energy_wall"] == pytest.approx(0.4646, abs=5e-5)
    assert found["energy_needed"] == found["energy_wall"]
    assert found["matched_filter"] == pytest.approx(1.63e-3, abs=5e-6)
    assert (found["waveform"], found["cyclostationary"]) == (None, None)
    known = snr_needed(SensingCase.model_validate(EXAMPLE | {"noise_uncertainty_db": 0.0}))
    assert known["energy_needed"] == known["energy"]


def test_hidden_node_of_the_worked_example() -> None:
    case = SensingCase.model_validate(EXAMPLE)
    assert hidden_level_dbm(case) == pytest.approx(-119.6, abs=0.05)
    document = sensing_document(case)
    assert document["noise_dbm"] == pytest.approx(-97.9, abs=0.05)
    assert document["snr_db"] == pytest.approx(-21.6, abs=0.05)
    needed = document["snr_needed_db"]
    assert needed["energy"] == pytest.approx(-13.9, abs=0.05)
    assert needed["energy_wall"] == pytest.approx(-3.3, abs=0.05)
    assert needed["matched_filter"] == pytest.approx(-27.9, abs=0.05)
    assert document["margin_db"]["energy_needed"] == pytest.approx(-21.6 + 3.3, abs=0.1)
    assert document["margin_db"]["waveform"] is None


def test_command_prints_json_and_refuses_a_bad_case(tmp_path: Path, capsys) -> None:
    path = tmp_path / "sensing.yaml"
    path.write_text("\n".join(f"{key}: {value}" for key, value in EXAMPLE.items()))
    sensing_command(path)
    assert "does not decide" in json.loads(capsys.readouterr().out)["note"]
    path.write_text(path.read_text().replace("56.0", "high"))
    with pytest.raises(InputError, match="field_dbuvm"):
        sensing_command(path)


@pytest.mark.parametrize(
    ("eirp_dbm", "threshold_dbm"), [(23.0, -62.0), (23.0103, -64.0), (30.0, -64.0), (0.0, -62.0)]
)
def test_threshold_of_dfs_by_power(eirp_dbm: float, threshold_dbm: float) -> None:
    assert dfs_document(5300.0, 20.0, eirp_dbm)["threshold_dbm"] == threshold_dbm


def test_channels_of_dfs(capsys) -> None:
    # 5230-5250 MHz touches the band, 5235-5255 MHz is partly in it.
    assert dfs_document(5240.0, 20.0, 20.0) == {"dfs": False}
    assert dfs_document(5245.0, 20.0, 20.0)["dfs"] is True
    dfs_command(5240.0, 20.0, 20.0, as_json=False)
    dfs_command(5245.0, 20.0, 20.0, as_json=True)
    shown = capsys.readouterr().out
    assert shown.startswith("no DFS here\n{")
    with pytest.raises(InputError, match="--bandwidth-mhz"):
        dfs_document(5300.0, 0.0, 20.0)


@pytest.mark.parametrize("eirp_dbm", [30.005, 99999.0, float("inf"), float("-inf"), float("nan")])
def test_power_without_a_threshold_of_dfs_is_refused_by_its_option(eirp_dbm: float) -> None:
    with pytest.raises(InputError, match=r"--eirp-dbm: .*allowed: up to 30 dBm"):
        dfs_document(5300.0, 20.0, eirp_dbm)
    assert dfs_document(5300.0, 20.0, -99999.0)["threshold_dbm"] == -62.0
