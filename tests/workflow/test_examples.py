"""The example territories of other administrations: validated, and computed for one channel on their box."""

from __future__ import annotations

import math
from pathlib import Path

import jsonschema
import numpy as np
import pytest
import yaml

from pipeline.grid import raster
from pipeline.plan.plan import load_plan, tiles_of, victims_of
from pipeline.plan.territory_file import export_schema, load_config
from pipeline.radio.channel_plan import channel_centre_mhz
from pipeline.radio.emission import device_cap_dbm
from pipeline.workflow.validate import validate_command
from tests.jobs import run_from

OWN_DATA = ["korea", "philippines", "botswana", "china_223"]
ALL = [*OWN_DATA, "usa_san_diego"]


@pytest.fixture
def top(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The repository as the working folder: example files name their inputs from there."""
    monkeypatch.chdir(repository)
    return repository


def example(name: str) -> Path:
    return Path("configs/examples") / f"{name}.yaml"


@pytest.mark.parametrize("name", ALL)
def test_example_follows_the_schema(top, name):
    schema = jsonschema.Draft202012Validator(yaml.safe_load(export_schema()))
    content = yaml.safe_load(example(name).read_text(encoding="utf-8"))
    assert [error.message for error in schema.iter_errors(content)] == []


@pytest.mark.parametrize("name", OWN_DATA)
def test_example_is_valid(top, name, capsys):
    validate_command(example(name))
    assert f"{name}: " in capsys.readouterr().out


@pytest.mark.shared_data
def test_example_of_the_fcc_is_valid(top, shared, capsys):
    validate_command(example("usa_san_diego"))
    assert "transmitters 2" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "centres_mhz"),
    [
        ("korea", {14: 473.0, 37: 611.0, 51: 695.0}),
        ("philippines", {14: 473.0, 51: 695.0}),
        ("botswana", {21: 474.0, 36: 594.0, 42: 642.0, 60: 786.0}),
        ("china_223", {12: 219.0, 23: 223.5, 34: 234.5}),
        ("usa_san_diego", {2: 57.0, 5: 79.0, 7: 177.0, 14: 473.0, 36: 605.0}),
    ],
)
def test_channel_rasters(top, name, centres_mhz):
    channels = load_config(example(name)).channels
    assert {c: channel_centre_mhz(channels, c) for c in centres_mhz} == centres_mhz


def test_korea_has_38_channels_without_the_telescopes(top):
    config = load_config(example("korea"))
    assert len(config.channels.wsd) == 38 - 1
    assert 37 not in config.channels.wsd


@pytest.mark.parametrize(
    ("device", "conducted_mw", "gain_dbi", "psd_dbm"),
    [("fixed", 1000.0, 6.0, 12.2), ("portable", 100.0, 0.0, 2.2)],
)
def test_korean_devices_are_those_of_the_table(top, device, conducted_mw, gain_dbi, psd_dbm):
    """SM.2405, Table A10-1: density in 100 kHz = 10 log(mW) - 10 log 60."""
    (found,) = [d for d in load_config(example("korea")).devices if d.id == device]
    density_dbm = 10 * math.log10(conducted_mw) - 10 * math.log10(60)
    assert density_dbm == pytest.approx(psd_dbm, abs=0.05)
    assert found.cap_density_dbm_per_100khz == pytest.approx(density_dbm + gain_dbi, abs=0.005)
    assert found.cap_dbm == pytest.approx(10 * math.log10(conducted_mw) + gain_dbi)
    assert device_cap_dbm(found) == pytest.approx(found.cap_dbm, abs=0.005)


@pytest.mark.parametrize(
    ("name", "channel"), [("korea", 21), ("philippines", 31), ("botswana", 43), ("china_223", 23)]
)
def test_example_is_computed(top, tmp_path, name, channel):
    """Every stage for one device channel: something is limited, nothing left open."""
    path, build = example(name), tmp_path
    plan = load_plan(path)
    run_from("territory", path, build)
    run_from("heights", path, build)
    for victim in victims_of(plan, channel):
        for tile in tiles_of(plan, victim):
            run_from("terrain", path, build, tile=tile)
        run_from("coverage", path, build, channel=victim)
        run_from("protect", path, build, channel=victim)
    run_from("combine", path, build, channel=channel)
    for device in plan.config.devices:
        raw = raster.read(build / f"public/max_eirp_{device.id}_ch{channel}.tif").values
        inside = raw[raw != -32768]
        assert inside.size > 400
        assert (inside != -9998).all()
        assert inside.max() <= round(100 * device_cap_dbm(device))
        assert len(np.unique(inside)) > 1
