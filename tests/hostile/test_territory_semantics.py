"""Settings that are of the right kind each, but cannot be meant: refused by name, before anything is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.errors import InputError
from pipeline.plan.territory_file import load_config
from pipeline.workflow.validate import validate_command

SEGMENT = {"first_channel": 21, "last_channel": 48, "first_centre_mhz": 474.0, "width_mhz": 8.0}
BAND = {
    "from_mhz": 470.0,
    "to_mhz": 862.0,
    "gain_dbd": 10.0,
    "feeder_db": 3.0,
    "flat_deg": 20.0,
    "end_deg": 60.0,
    "discrimination_db": 16.0,
}
LEVEL = {"level": 1, "device": "fixed30", "eirp_dbm": 20.0, "channels": [22]}

# dotted key (numbers are places in a list), value, what the message names
IMPOSSIBLE: list[tuple[str, Any, str]] = [
    ("devices.0.min_eirp_dbm", 36.01, "min_eirp_dbm"),
    ("devices.0.cap_dbm", -41.0, "min_eirp_dbm"),
    ("devices.0.bandwidth_mhz", -8.0, "bandwidth_mhz"),
    ("devices.0.bandwidth_mhz", 0.0, "bandwidth_mhz"),
    ("devices.0.bandwidth_mhz", 1e-300, "bandwidth_mhz"),
    ("devices.0.dq_pct", 1e-300, "dq_pct"),
    ("devices.0.dq_pct", -1.0, "dq_pct"),
    ("devices.0.height_m", 1e-300, "height_m"),
    ("devices.0.margin_db", -1.0, "margin_db"),
    ("devices.0.idle_penalty_db", -1.0, "idle_penalty_db"),
    ("devices.0.min_separation_m.value", 0.0, "min_separation_m"),
    ("devices", [], "devices"),
    ("validity_hours", 1e-300, "validity_hours"),
    ("validity_hours", 0.0, "validity_hours"),
    ("validity_hours", -24.0, "validity_hours"),
    ("validity_hours", 1e300, "validity_hours"),
    ("levels_dbm", [], "levels_dbm"),
    ("levels_dbm", [20.0, 20.0], "levels_dbm"),
    ("levels_dbm", [20.0, 99.0], "levels_dbm"),
    ("levels_dbm", [-1e300], "levels_dbm"),
    ("channels.wsd", [], "wsd"),
    ("channels.wsd", [22, 22], "twice: 22"),
    ("channels.wsd", ["21-24", "24-26"], "twice: 24"),
    ("channels.wsd", ["26-21"], "wsd"),
    ("channels.wsd", [49], "wsd"),
    ("channels.wsd", ["21-480"], "wsd"),
    ("channels.plan", [], "plan"),
    ("channels.plan", [SEGMENT, SEGMENT], "overlap"),
    ("channels.plan.0.last_channel", 20, "last_channel"),
    ("channels.plan.0.width_mhz", -8.0, "width_mhz"),
    ("channels.plan.0.first_centre_mhz", 1e-300, "first_centre_mhz"),
    ("channels.reach_km", 0.0, "reach_km"),
    ("areas", {"reserved": [{"channels": [50], "reason": "future"}]}, "areas.reserved"),
    ("areas", {"reserved": [{"channels": [], "reason": "future"}]}, "areas.reserved"),
    ("areas", {"reserved": [{"channels": [30, 30], "reason": "future"}]}, "twice: 30"),
    ("report", {"channels": [22, 22]}, "report.channels"),
    ("report", {"channels": [48]}, "report.channels"),
    ("priority", [LEVEL, LEVEL], "level is named twice"),
    ("priority", [{**LEVEL, "eirp_dbm": 36.1}], "cap"),
    ("priority", [{**LEVEL, "channels": []}], "channels"),
    ("priority", [{**LEVEL, "channels": [22, 22]}], "twice: 22"),
    ("priority", [{**LEVEL, "device": "none"}], "device"),
    ("coverage.guard_us", {"A": -7.0}, "guard_us"),
    ("coverage.guard_us", {"A": 0.0}, "guard_us"),
    ("coverage.guard_us", {"A": 1e-300}, "guard_us"),
    ("coverage.default_guard_us", 1e-300, "default_guard_us"),
    ("coverage.default_guard_us", 2000.0, "default_guard_us"),
    ("coverage.receiver_bands", [], "receiver_bands"),
    ("coverage.receiver_bands", [BAND, {**BAND, "from_mhz": 790.0}], "790 to 862 MHz"),
    ("coverage.receiver_bands.0.from_mhz", -1.0, "from_mhz"),
    ("coverage.receiver_bands.0.to_mhz", 470.0, "to_mhz"),
    ("coverage.receiver_bands.0.end_deg", 20.0, "end_deg"),
    ("coverage.q_min.value", 1.0, "q_min"),
    ("coverage.location_sigma_db", 0.0, "location_sigma_db"),
    ("query", {"max_total_bw_mhz": 8.0, "max_contiguous_bw_mhz": 16.0}, "max_contiguous_bw_mhz"),
    ("query", {"max_total_bw_mhz": 1e-300}, "max_total_bw_mhz"),
    ("query", {"max_location_change_m": 1e-300}, "max_location_change_m"),
    ("query", {"max_polling_s": 0}, "max_polling_s"),
    ("query", {"time_zone": "Europe/Nowhere"}, "time_zone"),
    ("pmse", {"lattice_m": 1e-300}, "lattice_m"),
    ("pmse", {"within_km": 1e-300}, "within_km"),
    ("pmse", {"at": "2014-03-01T25:00"}, "at"),
    ("pmse", {"farthest_offset": -1}, "farthest_offset"),
    ("protection", {"offsets": []}, "offsets"),
    ("protection", {"offsets": [-3, -2, -1, 0, 0, 1, 2, 3, 9]}, "offset"),
    ("territory.home", [], "home"),
    ("territory.bbox_deg", [14.3, 46.0, 14.0, 46.2], "bbox_deg"),
    ("territory.bbox_deg", [14.0, 46.0, 14.3], "bbox_deg"),
    ("grid.resolution_m", 1e-300, "resolution_m"),
    ("grid.margin_km", -1.0, "margin_km"),
    ("terrain", {"azimuth_step_deg": 0.0001}, "azimuth_step_deg"),
    ("registers.transmitters", [], "transmitters"),
    ("registers.bbox_deg", [15.0, 46.0, 14.0, 47.0], "bbox_deg"),
    ("registers.max_shrink_pct", 101.0, "max_shrink_pct"),
    ("keep_runs", 0, "keep_runs"),
    ("services.dtt", {"status": "out_of_scope"}, "reason"),
]


def changed(tiny: Path, key: str, value: Any) -> Path:
    content = yaml.safe_load(tiny.read_text(encoding="utf-8"))
    *sections, last = [int(part) if part.isdigit() else part for part in key.split(".")]
    node = content
    for section in sections:
        node = node[section]
    node[last] = value
    tiny.write_text(yaml.safe_dump(content), encoding="utf-8")
    return tiny


@pytest.mark.parametrize(
    ("key", "value", "said"), IMPOSSIBLE, ids=[f"{k}-{n}" for n, (k, _, _) in enumerate(IMPOSSIBLE)]
)
def test_what_cannot_be_meant_is_refused_by_name(tiny: Path, key: str, value: Any, said: str) -> None:
    with pytest.raises(InputError) as refusal:
        load_config(changed(tiny, key, value))
    message = str(refusal.value)
    assert said in message
    assert refusal.value.file == str(tiny)
    assert message.isprintable()


@pytest.mark.slow
def test_least_eirp_above_the_cap_of_the_density_is_refused_by_validate(tiny: Path) -> None:
    changed(tiny, "devices.0.cap_density_dbm_per_100khz", 16.97)  # 36 dBm in 8 MHz
    changed(tiny, "devices.0.min_eirp_dbm", 36.0)
    validate_command(tiny)
    changed(tiny, "devices.0.cap_density_dbm_per_100khz", 16.0)  # 35.03 dBm
    with pytest.raises(InputError, match=r"devices\.0\.min_eirp_dbm.*35\.03"):
        validate_command(tiny)


def test_levels_above_every_cap_are_not_written_and_said(
    tiny: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A level above the cap is left out of the product; the maximum e.i.r.p. is still computed."""
    validate_command(changed(tiny, "levels_dbm", [36.5, 40.0]))
    said = capsys.readouterr().out
    assert said.count("not written   fixed30 at") == 2


def test_guard_interval_of_an_unknown_network_is_pointed_out(
    tiny: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    validate_command(changed(tiny, "coverage.guard_us", {"typo": 224.0}))
    assert "guard_us: typo is no network of the register" in capsys.readouterr().out
