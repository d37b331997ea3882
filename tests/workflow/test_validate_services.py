"""What `validate` says of other services and areas, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from pipeline.errors import InputError
from pipeline.plan.territory_file import load_config
from pipeline.publish.manifest import area_entries
from pipeline.services.base import module_of
from pipeline.services.table import SERVICES
from pipeline.territory.rasters import CheckedTerritory

POLYGON = '"POLYGON((14 46,14.1 46,14.1 46.1,14 46))"'


def remarks(folder: Path, repository: Path, **sections: object) -> str:
    content = yaml.safe_load((repository / "configs/slovenia.yaml").read_text(encoding="utf-8"))
    path = folder / "case.yaml"
    path.write_text(yaml.safe_dump(content | sections), encoding="utf-8")
    config, ground = load_config(path), CheckedTerritory(path, None, None, [], [])
    asked = [row for row in SERVICES if row.module is not None and row.name != "foreign_dtt"]
    return "\n".join(line for row in asked for line in module_of(row).check(row, config, ground))


def test_default_territory_counts_its_receivers(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository)
    said = remarks(tmp_path, repository)
    assert "mobile        16 receivers" in said
    assert "1 telescopes" in said
    assert "1 exclusions, 0 manual adjustments" in said
    assert "no numbers" not in said


def test_service_without_its_section_is_named(tmp_path: Path, repository: Path) -> None:
    said = remarks(tmp_path, repository, incumbents={}, areas={})
    for name in ("radio_astronomy", "mobile", "ppdr", "fixed"):
        assert f"no numbers    {name}" in said
    assert "aeronautical" not in said  # does not exist there


@pytest.mark.parametrize(
    ("key", "name", "text", "said"),
    [
        ("exclusions", "a.csv", f"channels,reason,wkt\n20,a,{POLYGON}\n", "channel is not in the plan"),
        (
            "adjustments",
            "a.csv",
            f"channels,adjustment_db,who,when,why,wkt\n*,-3,A,soon,b,{POLYGON}\n",
            "when",
        ),
        (
            "channel_caps",
            "a.csv",
            "channel,emission_class,cap_dbm,source,verified\n20,*,3,made up,false\n",
            "channel is not in the plan",
        ),
        ("relay_sites", "a.csv", "id,lon,lat,channel,parent_lon,parent_lat\nR,14,46,30.5,,\n", "channel"),
        (
            "relay_distances",
            "a.csv",
            "kind,circle_km,arc_km,half_angle_deg,source,verified\nco,8,80,30,made up,false\n",
            "kind is missing",
        ),
    ],
)
def test_faulty_area_file_is_refused(
    tmp_path: Path, repository: Path, key: str, name: str, text: str, said: str
) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    areas: dict[str, object] = {key: [str(path)] if key in ("exclusions", "adjustments") else str(path)}
    if key == "relay_distances":
        sites = tmp_path / "sites.csv"
        sites.write_text("id,lon,lat,channel,parent_lon,parent_lat\nR,14,46,30,,\n", encoding="utf-8")
        areas["relay_sites"] = str(sites)
    with pytest.raises(InputError, match=said) as refusal:
        remarks(tmp_path, repository, incumbents={}, areas=areas)
    assert name in str(refusal.value)


def test_antenna_outside_its_reference_pattern_is_refused_with_its_receiver(
    tmp_path: Path, repository: Path
) -> None:
    path = tmp_path / "links.csv"
    path.write_text(
        "id,lon,lat,f_mhz,bandwidth_mhz,noise_figure_db,gain_dbi,feeder_db,antenna_height_m,acs_db,"
        "azimuth_deg,pattern,coastal\nL1,14,46,450,1,5,2,1,20,60,90,F.699,\n"
    )
    with pytest.raises(InputError, match="L1, field pattern"):
        remarks(tmp_path, repository, incumbents={"fixed": {"registers": [str(path)]}}, areas={})


def test_reserved_channel_outside_the_plan_is_refused(tmp_path: Path, repository: Path) -> None:
    reserved = [{"channels": [12], "reason": "test"}]
    with pytest.raises(InputError, match="not in the plan"):
        remarks(tmp_path, repository, incumbents={}, areas={"reserved": reserved})


def test_manifest_logs_who_adjusted_what_when_and_why(tmp_path: Path, repository: Path) -> None:
    path = tmp_path / "changes.csv"
    path.write_text(f"channels,adjustment_db,who,when,why,wkt\n30,-100,A. Officer,2026-11-21,off,{POLYGON}\n")
    content = yaml.safe_load((repository / "configs/slovenia.yaml").read_text(encoding="utf-8"))
    (tmp_path / "case.yaml").write_text(yaml.safe_dump(content | {"areas": {"adjustments": [str(path)]}}))
    (entry,) = area_entries(load_config(tmp_path / "case.yaml"))
    assert entry["row"] == 2
    assert (entry["channels"], entry["adjustment_db"], entry["who"]) == ("30", "-100", "A. Officer")
    assert (entry["when"], entry["why"]) == ("2026-11-21", "off")
    assert entry["box_deg"] == [14.0, 46.0, 14.1, 46.1]
