"""Settings that do nothing are refused or named; devices that count as indoor are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.config.base import unverified
from pipeline.config.config import Config
from pipeline.plan.no_effect import check
from pipeline.plan.plan import load_plan
from pipeline.propagation.building_entry import building_entry_db

SEVEN = {"value": 7.0, "source": "a guess", "verified": False}
COVER = {"raster": ["cover.tif"], "table": "cover.csv"}


def settings(repository: Path) -> dict:
    """The default territory, but with paths that know no terrain."""
    path = repository / "configs" / "slovenia.yaml"
    content = load_plan(path).config.model_dump(mode="json")
    content["protection"]["device_path"] = "homogeneous"
    content["propagation"]["climate"] = None
    return content


def with_indoor(repository: Path, indoor: dict, **changed: object) -> Config:
    content = settings(repository)
    content["devices"] = [content["devices"][0] | {"id": "house", "indoor": indoor} | changed]
    return Config.model_validate(content)


def test_a_share_of_places_without_a_building_is_refused(repository):
    with pytest.raises(ValueError, match="probability_pct does nothing"):
        with_indoor(repository, {"building_loss_db": SEVEN, "probability_pct": 10})


def test_a_loss_that_never_applies_is_not_among_the_numbers_not_verified(repository):
    indoor = {"building_loss_db": SEVEN, "above_m": 2.0}
    never = with_indoor(repository, indoor, type="A", height_m=10.0)
    assert not [entry for entry in unverified(never) if "indoor" in str(entry["key"])]
    assert any("house: indoor: only devices of type B" in line for line in check(never, None))
    always = with_indoor(repository, indoor, type="B", height_m=10.0)
    assert [entry["value"] for entry in unverified(always) if "indoor" in str(entry["key"])] == [7.0]
    assert any(line.startswith("  indoor        house: ") and "7 dB" in line for line in check(always, None))


def test_loss_of_a_building_is_the_least_of_the_channels_of_devices(repository):
    content = settings(repository)
    content["channels"]["wsd"] = [40]
    device = content["devices"][0] | {"id": "house", "indoor": {"building": "traditional"}}
    content["devices"] = [device]
    found = Config.model_validate(content).devices[0].indoor.building_loss_db.value
    assert 0.0 <= building_entry_db(0.626, "traditional") - found < 0.01


def test_both_kinds_of_loss_name_the_device(repository):
    with pytest.raises(ValueError, match="devices: house: indoor: give"):
        with_indoor(repository, {"building_loss_db": SEVEN, "building": "traditional"})


def test_land_cover_that_nothing_reads_is_named(repository):
    content = settings(repository)
    content["terrain"]["clutter"] = COVER
    line = "  no effect     terrain.clutter is not read by coverage_model p1546"
    assert line in list(check(Config.model_validate(content), None))
    for model in ("p1812", "hata"):
        content["propagation"]["coverage_model"] = model
        assert not [said for said in check(Config.model_validate(content), None) if "clutter" in said]


def test_settings_of_the_check_without_it_are_named(repository):
    content = settings(repository)
    content["protection"] |= {"wsd_terrain_seed": 3}
    said = list(check(Config.model_validate(content), None))
    assert "  no effect     protection.wsd_terrain_seed: read with wsd_terrain: checked only" in said


def test_reach_of_paths_over_terrain_without_them_is_named(repository):
    content = settings(repository)
    content["protection"] |= {"device_path_km": 30.0}
    line = "  no effect     protection.device_path_km: read with device_path: p1812 or smaller only"
    assert line in list(check(Config.model_validate(content), None))
    content["protection"] |= {"device_path": "smaller"}
    config = Config.model_validate(content)
    assert line not in list(check(config, None))
    assert any("propagation.climate" in str(entry["key"]) for entry in unverified(config))
    assert Config.model_validate(settings(repository)).propagation.climate is None
