"""Rule packs of countries: each is part of a territory file that loads, with a source for every limit."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from pipeline.cli.main import app
from pipeline.config.config import Config
from pipeline.errors import InputError
from pipeline.plan.territory_file import load_config
from pipeline.reference.rule_packs import RulePack, pack_names, read_pack, value_at

COUNTRIES = ["ca", "gb", "ke", "ng", "us", "za"]
CHANNELS = {"ca": 23, "gb": 27, "ke": 28, "ng": 28, "us": 22, "za": 27}
# Limits of rules; heights and geometry are choices of whoever plans.
LIMITS = ("cap_dbm", "cap_density_dbm_per_100khz", "dq_pct")


def with_pack(tiny: Path, code: str) -> Config:
    content = yaml.safe_load(tiny.read_text()) | read_pack(code).settings
    receivers = yaml.safe_load(tiny.read_text())["coverage"]
    content["coverage"] = receivers | content["coverage"]
    tiny.write_text(yaml.safe_dump(content))
    return load_config(tiny)


def test_countries_that_were_asked_for_have_a_pack() -> None:
    assert pack_names() == COUNTRIES


@pytest.mark.parametrize("code", COUNTRIES)
def test_pack_is_part_of_a_territory_file(tiny: Path, code: str) -> None:
    config = with_pack(tiny, code)
    assert len(config.channels.wsd) == CHANNELS[code]
    width = config.channels.plan[-1].width_mhz
    assert width == (6.0 if code in ("us", "ca") else 8.0)


@pytest.mark.parametrize("code", COUNTRIES)
def test_every_limit_in_the_settings_has_a_source(code: str) -> None:
    pack = read_pack(code)
    keys = {number.key for number in pack.numbers}
    assert "channels.wsd" in keys
    for k, device in enumerate(pack.settings["devices"]):
        assert {f"devices.{k}.{name}" for name in LIMITS if name in device} <= keys
    assert pack.not_found


def test_no_pack_permits_radio_astronomy_or_what_is_quoted_from_memory_as_verified(tiny: Path) -> None:
    assert 38 not in with_pack(tiny, "za").channels.wsd  # 606-614 MHz
    for code in COUNTRIES:
        pack = read_pack(code)
        for entry in [*pack.numbers, *pack.stated]:
            assert not (entry.verified and "memory" in entry.source)


def test_number_that_contradicts_its_setting_is_refused() -> None:
    content = read_pack("za").model_dump()
    content["numbers"][2]["value"] = 31.0
    with pytest.raises(ValueError, match=r"devices\.0\.height_m is 30\.0 in the settings, not 31"):
        RulePack.model_validate(content)
    content["numbers"][2] |= {"key": "devices.4.height_m", "value": 30.0}
    with pytest.raises(ValueError, match="is None"):
        RulePack.model_validate(content)
    assert value_at({"a": [{"b": 1}]}, "a.0.b") == 1
    assert value_at({"a": 1}, "a.0.b") is None


def test_command_prints_settings_that_can_be_read_back_and_what_is_missing() -> None:
    result = CliRunner().invoke(app, ["rules", "ZA"])
    assert result.exit_code == 0, result.output
    assert yaml.safe_load(result.output) == read_pack("za").settings
    assert "# Looked for and not found" in result.output
    assert "regulation 7(1)" in result.output
    listed = CliRunner().invoke(app, ["rules"]).output
    assert [line.split()[0] for line in listed.splitlines()] == COUNTRIES


def test_country_without_a_pack_is_refused() -> None:
    with pytest.raises(InputError, match="no rules of this country"):
        read_pack("zz")
