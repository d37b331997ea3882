"""Ready-made devices: what they are, what a device overrides, what is refused, what walls and caps do."""

from __future__ import annotations

import json
import math

import jsonschema
import pytest
import yaml

from pipeline.config.base import unverified
from pipeline.errors import InputError
from pipeline.plan.territory_file import load_config
from pipeline.radio.channel_plan import Offset, Slice
from pipeline.radio.emission import device_cap_dbm
from pipeline.reference.ratio_tables import read_protection_tables
from pipeline.reference.ratios import (
    LOADED,
    Group,
    Tier,
    building_loss_db,
    group_shift_db,
    load_of,
    overload_shift_db,
)

HEIGHTS_M = {"1.5m": 1.5, "5m": 5.0, "10m": 10.0, "20m": 20.0, "30m": 30.0}
GROUP = Group("DVB-T", "64QAM 2/3", Tier(-math.inf, math.inf))


@pytest.fixture
def territory(tmp_path, repository):
    """Writes Slovenia's settings with other devices; returns the file."""

    def write(*devices, **settings):
        content = yaml.safe_load((repository / "configs/slovenia.yaml").read_text(encoding="utf-8"))
        path = tmp_path / "case.yaml"
        path.write_text(yaml.safe_dump(content | {"devices": list(devices)} | settings), encoding="utf-8")
        return path

    return write


@pytest.mark.parametrize("emission_class", range(1, 6))
@pytest.mark.parametrize("kind", ["a", "b"])
def test_every_class_type_and_height_is_ready_made(territory, kind, emission_class):
    named = [
        {"id": f"d{i}", "profile": f"en301598_{kind}_{height}", "emission_class": emission_class}
        for i, height in enumerate(HEIGHTS_M)
    ]
    devices = load_config(territory(*named)).devices
    assert [device.height_m for device in devices] == list(HEIGHTS_M.values())
    assert {device.type for device in devices} == {kind.upper()}
    assert {device.emission_class for device in devices} == {emission_class}
    assert {device.min_separation_m.value for device in devices} == {{"a": 20.0, "b": 10.0}[kind]}


# 36 dBm less 10 log10(8 / B), by hand.
@pytest.mark.parametrize(
    ("bandwidth_mhz", "cap_dbm"), [(8.0, 36.0), (7.0, 35.42), (6.0, 34.75), (5.0, 33.96)]
)
def test_narrow_device_gets_less_of_36_dbm_in_8_mhz(territory, bandwidth_mhz, cap_dbm):
    device = {"id": "d", "profile": "en301598_a_30m", "emission_class": 1, "bandwidth_mhz": bandwidth_mhz}
    found_dbm = device_cap_dbm(load_config(territory(device)).devices[0])
    assert found_dbm == pytest.approx(cap_dbm, abs=0.005)
    assert found_dbm == 36.0 or bandwidth_mhz < 8.0


def test_value_of_the_device_wins_over_the_profile(territory):
    device = {"id": "d", "profile": "en301598_a_30m", "emission_class": 1, "height_m": 12.0}
    assert load_config(territory(device)).devices[0].height_m == 12.0


def test_own_file_of_profiles_is_a_setting(territory, tmp_path):
    mine = {
        "emission_class": 4,
        "height_m": 3.0,
        "cap_dbm": 20.0,
        "min_eirp_dbm": 0.0,
        "min_separation_m": {"value": 50.0, "source": "test", "verified": True},
        "idle_penalty_db": {"value": 30.0, "source": "test", "verified": False},
    }
    (tmp_path / "own.yaml").write_text(yaml.safe_dump({"mine": mine}), encoding="utf-8")
    path = territory({"id": "d", "profile": "mine"}, device_profiles=str(tmp_path / "own.yaml"))
    device = load_config(path).devices[0]
    assert (device.cap_dbm, device.min_separation_m.value, device.idle_penalty_db.value) == (20.0, 50.0, 30.0)


@pytest.mark.parametrize("name", ["en301598_a_31m", "_type_a", ""])
def test_unknown_profile_is_refused_with_the_known_ones(territory, name):
    with pytest.raises(InputError, match=r"devices\.0\.profile.*en301598_a_30m"):
        load_config(territory({"id": "d", "profile": name, "emission_class": 1}))


def test_profile_with_a_fault_is_refused_under_the_device(territory, tmp_path):
    (tmp_path / "own.yaml").write_text("wrong: {height_m: -3.0}\nlist: [1]\n", encoding="utf-8")
    own = str(tmp_path / "own.yaml")
    with pytest.raises(InputError, match=r"devices\.0"):
        load_config(territory({"id": "d", "profile": "wrong", "emission_class": 1}, device_profiles=own))
    with pytest.raises(InputError, match="no such device profile"):
        load_config(territory({"id": "d", "profile": "list", "emission_class": 1}, device_profiles=own))


def test_device_without_profile_needs_every_value(territory, repository):
    schema = yaml.safe_load((repository / "configs/schema.json").read_text(encoding="utf-8"))
    bare = yaml.safe_load(territory({"id": "d", "emission_class": 1}).read_text(encoding="utf-8"))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(bare, schema)
    with pytest.raises(InputError, match="height_m"):
        load_config(territory({"id": "d", "emission_class": 1}))
    bare["devices"][0]["profile"] = "en301598_a_30m"
    jsonschema.validate(bare, schema)


@pytest.mark.parametrize(
    ("kind", "height", "loss_db"), [("b", "1.5m", 0.0), ("b", "5m", 7.0), ("b", "30m", 7.0), ("a", "5m", 0.0)]
)
def test_type_b_above_2_m_counts_as_indoor(territory, kind, height, loss_db):
    named = {"id": "d", "profile": f"en301598_{kind}_{height}", "emission_class": 5}
    config = load_config(territory(named, named | {"id": "e", "indoor": None}))
    inside, outside = config.devices
    tables = read_protection_tables(config.protection)
    assert building_loss_db(inside) == loss_db
    gains_db = [
        group_shift_db(tables, GROUP, outside, offset) - group_shift_db(tables, GROUP, inside, offset)
        for offset in (Offset(k, (Slice(k, 1.0),), 8.0) for k in (0, 1))
    ]
    assert gains_db == pytest.approx([loss_db] * 2)
    assert device_cap_dbm(inside) == 36.0  # the walls raise what DTT allows, not the cap


def test_other_height_and_loss_of_indoor_devices_are_settings(territory, tmp_path):
    loss = {"value": 12.0, "source": "test", "verified": True}
    device = {
        "id": "d",
        "profile": "en301598_b_5m",
        "emission_class": 5,
        "indoor": {"above_m": 4.9, "building_loss_db": loss},
    }
    config = load_config(territory(device, device | {"id": "e", "height_m": 4.9}))
    assert [building_loss_db(device) for device in config.devices] == [12.0, 0.0]
    # Idle devices overload 7 dB earlier; the walls of the first one are 12 dB thick.
    tables = read_protection_tables(config.protection)
    shifts_db = [overload_shift_db(tables, d, [Slice(1, 0.5), Slice(3, 0.5)]) for d in config.devices]
    assert shifts_db == pytest.approx([-12.0 + 13.0 + 7.0, 13.0 + 7.0])


def test_old_name_of_the_penalty_stays_valid(territory):
    old = {"value": 3.0, "source": "test", "verified": True}
    named = {"id": "d", "profile": "en301598_b_5m", "emission_class": 5, "burst_penalty_db": old}
    (device,) = load_config(territory(named)).devices
    assert (device.idle_penalty_db.value, device.load) == (3.0, None)
    with pytest.raises(InputError, match=r"devices\.0.*old name of idle_penalty_db"):
        load_config(territory(named | {"idle_penalty_db": 3.0}))


def test_penalty_is_a_bare_number_or_one_with_its_source(territory):
    named = {"id": "d", "profile": "en301598_b_5m", "emission_class": 5}
    config = load_config(territory(named | {"idle_penalty_db": 26}, protection={"idle_penalty_db": 14.5}))
    assert config.protection.idle_penalty_db.value == 14.5
    assert config.devices[0].idle_penalty_db.value == 26.0
    tables = read_protection_tables(config.protection)
    assert load_of(tables, config.devices[0]).penalty_db == 26.0
    steady = config.devices[0].model_copy(update={"load": "loaded"})
    assert load_of(tables, steady) == LOADED


def p2109_traditional_db(f_mhz):
    """Median of a traditional building, by the numbers of the Recommendation."""
    log_f = math.log10(1e-3 * f_mhz)
    through_db, around_db = 12.64 + 3.72 * log_f + 0.96 * log_f**2, 9.1 - 3.0 * log_f
    return 10.0 * math.log10(10.0 ** (0.1 * through_db) + 10.0 ** (0.1 * around_db) + 10.0**-0.3)


def indoor_device(name, **indoor):
    return {"id": name, "profile": "en301598_a_10m", "emission_class": 1, "indoor": indoor}


def test_device_declared_indoor_has_the_least_loss_of_its_kind_of_building(territory):
    devices = [
        indoor_device("house", building="traditional"),
        indoor_device("office", building="thermally_efficient"),
        indoor_device("low", building="traditional", probability_pct=5.0),
        indoor_device("outside", building="traditional", above_m=2.0),  # type A never counts by height
        {"id": "bare", "profile": "en301598_a_10m", "emission_class": 1},
    ]
    config = load_config(territory(*devices))
    losses_db = {device.id: building_loss_db(device) for device in config.devices}
    # Channels 21 to 48: 474 to 690 MHz; the loss of traditional buildings is least in the lowest.
    least_db = min(p2109_traditional_db(474.0 + 8.0 * i) for i in range(28))
    assert losses_db["house"] == math.floor(100.0 * least_db) / 100.0
    assert 11.0 < losses_db["house"] < losses_db["office"] < 40.0
    assert 0.0 < losses_db["low"] < losses_db["house"]
    assert losses_db["outside"] == losses_db["bare"] == 0.0
    tables = read_protection_tables(config.protection)
    shifts_db = [
        group_shift_db(tables, GROUP, device, Offset(0, (Slice(0, 1.0),), 8.0)) for device in config.devices
    ]
    assert shifts_db[-1] - shifts_db[0] == pytest.approx(losses_db["house"])
    loss = next(device for device in config.devices if device.id == "house").indoor.building_loss_db
    assert "P.2109" in loss.source
    assert "traditional building, 50 %" in loss.source
    assert {entry["key"] for entry in unverified(config)} >= {"devices.0.indoor.building_loss_db"}
    # Settings as a run publishes them are read again.
    assert config.model_validate(json.loads(config.model_dump_json())).devices == config.devices


@pytest.mark.parametrize(
    ("indoor", "said"),
    [
        ({}, "building_loss_db"),
        ({"above_m": 2.0}, "building_loss_db"),
        ({"building": "wood"}, "traditional"),
        ({"building": "traditional", "probability_pct": 60.0}, "50"),
        (
            {
                "building": "traditional",
                "building_loss_db": {"value": 9.0, "source": "own", "verified": True},
            },
            "not both",
        ),
    ],
)
def test_other_words_of_a_building_are_refused(territory, indoor, said):
    with pytest.raises(InputError, match=said):
        load_config(territory(indoor_device("house", **indoor)))
