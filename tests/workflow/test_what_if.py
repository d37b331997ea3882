"""Changes of settings by dotted keys; the run itself is among the workflow tests."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import yaml

from pipeline.errors import InputError
from pipeline.workflow import what_if
from pipeline.workflow.what_if import set_value, split_change
from tests.workflow.test_refusals import dem, refusal, section

SETTINGS = {
    "devices": [{"id": "low", "dq_pct": 1.0}, {"id": "high", "dq_pct": 1.0}],
    "coverage": {"q_min": {"value": 0.7, "source": "a report", "verified": True}},
    "channels": {"wsd": [21, 22]},
}


@pytest.mark.parametrize(
    ("change", "where", "expected"),
    [
        ("devices.high.dq_pct=7", lambda s: [device["dq_pct"] for device in s["devices"]], [1.0, 7]),
        ("devices.0.dq_pct=0.5", lambda s: s["devices"][0]["dq_pct"], 0.5),
        ("channels.wsd.1=30", lambda s: s["channels"]["wsd"], [21, 30]),
        ("channels.wsd=[25]", lambda s: s["channels"]["wsd"], [25]),
        ("propagation.coverage_model=hata", lambda s: s["propagation"], {"coverage_model": "hata"}),
        ("coverage.q_min=0.95", lambda s: s["coverage"]["q_min"]["value"], 0.95),
        ("coverage.q_min=0.95", lambda s: s["coverage"]["q_min"]["verified"], False),
    ],
)
def test_change_reaches_the_setting_it_names(change, where, expected):
    settings = copy.deepcopy(SETTINGS)
    set_value(settings, *split_change(change))
    assert where(settings) == expected


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("dq_pct", "KEY=VALUE"),
        ("=3", "KEY=VALUE"),
        ("devices.none.dq_pct=3", "low, high, 0 to 1"),
        ("devices.2.dq_pct=3", "0 to 1"),
        ("devices.low.dq_pct.more=3", "no settings below"),
        ("title=[", "not YAML"),
    ],
)
def test_change_that_names_nothing_is_refused(change, said):
    with pytest.raises(InputError, match=said):
        set_value(copy.deepcopy(SETTINGS), *split_change(change))


@pytest.mark.parametrize("earlier", ["", "name: tiny\n"])
def test_refused_change_leaves_nothing_behind(
    tiny: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, earlier: str
) -> None:
    """No copy of the settings, and an earlier one as it was; `refusal` compares the working folder."""
    if earlier:
        Path("build/tiny").mkdir(parents=True)
        Path("build/tiny/what-if.yaml").write_text(earlier, encoding="utf-8")
    line = refusal(capfd, monkeypatch, "what-if", "tiny.yaml", "--set", "devices.fixed30.dq_pct=-5")
    assert "dq_pct" in line
    assert Path("build").exists() == bool(earlier)


def test_grid_keeps_what_devices_on_hills_reach(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change that needs less keeps the land in reach; one that moves it keeps the box of the grid."""
    section("terrain: {dem: [dem.tif]}", dem(12.8))(tiny.parent)
    seen, titles = [], []

    def settings_of(path: Path, _options: object) -> int:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        titles.append(content["title"])
        seen.append(content["grid"])
        return 0

    monkeypatch.setattr(what_if, "run_command", settings_of)
    what_if.what_if_command(Path("tiny.yaml"), ["devices.fixed30.dq_pct=2"])
    what_if.what_if_command(Path("tiny.yaml"), ["devices.fixed30.height_m=10"])
    assert titles[0].endswith(": what if devices.fixed30.dq_pct=2")
    assert len(seen[0]["least_limiting_losses_db"]) == 2
    assert "least_box_m" not in seen[0]
    assert seen[1]["least_limiting_losses_db"] == seen[0]["least_limiting_losses_db"]
    west_m, south_m, east_m, north_m = seen[1]["least_box_m"]
    assert east_m - west_m > 70_000.0
    assert north_m - south_m > 70_000.0
