"""Bands in which devices may not transmit: RR No. 5.340, and the nine cases of SM.2405, section 6.1."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from pipeline.errors import InputError
from pipeline.plan.band_screening import CRITERIA, PROHIBITED, SCREENING, CriterionSource, ScreenedBand, check
from pipeline.plan.territory_file import load_config
from pipeline.rows.row_models import read_rows


def territory(folder: Path, repository: Path, first_mhz: float, width_mhz: float, **more: object) -> Path:
    """Slovenia's file with a plan of two channels, without services: only the bands count."""
    content = yaml.safe_load((repository / "configs/slovenia.yaml").read_text(encoding="utf-8"))
    plan = {"first_channel": 21, "last_channel": 22, "first_centre_mhz": first_mhz, "width_mhz": width_mhz}
    content["channels"] = {"plan": [plan], "wsd": [21, 22]} | more.pop("channels", {})  # type: ignore[operator]
    device = {
        "id": "data",
        "emission_class": 1,
        "height_m": 30.0,
        "bandwidth_mhz": width_mhz,
        "cap_dbm": 36.0,
        "min_separation_m": {"value": 20.0, "source": "test", "verified": False},
    }
    content["devices"], content["report"], content["priority"] = [device], {}, []
    path = folder / "case.yaml"
    path.write_text(yaml.safe_dump(content | more), encoding="utf-8")
    return path


def said(path: Path) -> str:
    return "\n".join(check(load_config(path), None))


@pytest.mark.parametrize(
    ("first_mhz", "width_mhz", "emission"),
    [
        (1409.0, 16.0, "1401-1417 MHz"),  # two channels, 1401-1433 MHz
        (1398.5, 4.0, "1396.5-1400.5 MHz"),
        (2689.0, 4.0, "2687-2691 MHz"),
    ],
)
def test_emission_in_a_prohibited_band_is_refused(
    tmp_path: Path, repository: Path, first_mhz: float, width_mhz: float, emission: str
) -> None:
    with pytest.raises(InputError, match="RR_5_340: all emissions are prohibited") as refusal:
        load_config(territory(tmp_path, repository, first_mhz, width_mhz))
    assert emission in str(refusal.value)
    assert "case.yaml" in str(refusal.value)


def test_nothing_lifts_the_prohibition(tmp_path: Path, repository: Path) -> None:
    channels = {"accepted_cases": [{"case": 4, "reason": "test: no such thing"}]}
    with pytest.raises(InputError, match="RR_5_340"):
        load_config(territory(tmp_path, repository, 1409.0, 16.0, channels=channels))


@pytest.mark.parametrize(
    ("first_mhz", "guard_mhz", "warned"),
    [
        # Channels of 4 MHz: 1427-1431 and 1431-1435; the guard is the bandwidth unless told.
        (1429.0, None, ["1427-1431 MHz, 0 MHz from 1400-1427 MHz"]),
        (1429.0, 5.0, ["1427-1431 MHz, 0 MHz from", "1431-1435 MHz, 4 MHz from"]),
        (1431.5, None, ["1429.5-1433.5 MHz, 2.5 MHz from"]),
        (1432.0, 3.0, []),
    ],
)
def test_emission_beside_a_prohibited_band_is_named(
    tmp_path: Path, repository: Path, first_mhz: float, guard_mhz: float | None, warned: list[str]
) -> None:
    channels = {} if guard_mhz is None else {"prohibited_guard_mhz": guard_mhz}
    text = said(territory(tmp_path, repository, first_mhz, 4.0, channels=channels))
    assert text.count("RR_5_340_ADJACENT") == len(warned)
    assert all(words in text for words in warned)


def test_case_without_a_database_is_refused_until_it_is_accepted(tmp_path: Path, repository: Path) -> None:
    """Case 3: 1525-1559 MHz, downlinks of the mobile-satellite service."""
    path = territory(tmp_path, repository, 1530.0, 4.0)
    with pytest.raises(InputError, match="BAND_CASE_3") as refusal:
        said(path)
    assert "channels.accepted_cases with case 3" in str(refusal.value)
    accepted = {"accepted_cases": [{"case": 3, "reason": "trial in a mine"}]}
    text = said(territory(tmp_path, repository, 1530.0, 4.0, channels=accepted))
    assert "warning       BAND_CASE_3" in text
    assert "accepted: trial in a mine" in text


def test_safety_of_life_is_not_accepted(tmp_path: Path, repository: Path) -> None:
    accepted = {"accepted_cases": [{"case": 1, "reason": "test: refused all the same"}]}
    with pytest.raises(InputError, match="BAND_CASE_1"):
        said(territory(tmp_path, repository, 1000.0, 4.0, channels=accepted))


def test_telescopes_need_zones(tmp_path: Path, repository: Path) -> None:
    """608-614 MHz is named where neither exclusions nor radio astronomy are configured."""
    bare = territory(tmp_path, repository, 610.0, 4.0, incumbents={}, areas={})
    assert "NO_PASSIVE_ZONES" in said(bare)
    assert "NO_PASSIVE_ZONES" not in said(territory(tmp_path, repository, 610.0, 4.0))


@pytest.mark.parametrize(("first_mhz", "noted"), [(690.0, False), (698.0, True), (782.0, True)])
def test_second_dividend_is_noted(tmp_path: Path, repository: Path, first_mhz: float, noted: bool) -> None:
    channels = {"wsd": [21]}
    text = said(territory(tmp_path, repository, first_mhz, 8.0, channels=channels))
    assert ("MOBILE_694: channels 21" in text) == noted


def test_tables_say_that_they_are_quoted_from_memory() -> None:
    text = PROHIBITED.read_text(encoding="utf-8")
    assert text.count(",false\n") == len(text.splitlines()) - 1 == 21
    rows = read_rows(SCREENING, ScreenedBand)
    assert {int(row.case) for row in rows} == {1, 2, 3, 5, 6, 7, 8, 9}  # case 4 is the other table
    assert not any(row.verified for row in rows)


@pytest.mark.parametrize(
    ("name", "noted"), [("slovenia", []), ("lithuania", ["NO_PASSIVE_ZONES", "MOBILE_694: channels 49 50"])]
)
def test_what_shipped_territories_are_told(
    repository: Path, monkeypatch: pytest.MonkeyPatch, name: str, noted: list[str]
) -> None:
    monkeypatch.chdir(repository)
    text = said(repository / f"configs/{name}.yaml")
    assert len(text.splitlines()) == len(noted)
    assert all(words in text for words in noted)


@pytest.mark.parametrize(
    ("allocation", "named"),
    [
        (
            {"from_mhz": 690.0, "to_mhz": 790.0, "service": "mobile"},
            "mobile, 690-790 MHz: ITU-R M.1808 (Char",
        ),
        (
            {"from_mhz": 645.0, "to_mhz": 790.0, "service": "aeronautical"},
            "aeronautical, 645-790 MHz: ITU-R M.1830",
        ),
        ({"from_mhz": 470.0, "to_mhz": 790.0, "service": "broadcasting"}, "dtt, 470-790 MHz: ITU-R BT.1368"),
        (
            {"from_mhz": 470.0, "to_mhz": 790.0, "service": "in_band"},
            "in_band, 470-790 MHz: no Recommendation",
        ),
        ({"from_mhz": 470.0, "to_mhz": 694.0, "service": "fixed"}, None),  # no emission in it
    ],
)
def test_incumbents_are_told_where_their_criteria_come_from(
    tmp_path: Path, repository: Path, allocation: dict[str, object], named: str | None
) -> None:
    text = said(territory(tmp_path, repository, 700.0, 8.0, channels={"allocated": [allocation]}))
    assert ("criteria" in text) == (named is not None)
    assert named is None or f"  criteria      {named}" in text


def test_criterion_of_land_mobile_ends_at_869_mhz(tmp_path: Path, repository: Path) -> None:
    """Rec. ITU-R M.1808 is on systems below 869 MHz, as SM.2405, Annex 3, quotes it."""
    allocation = {"from_mhz": 870.0, "to_mhz": 960.0, "service": "mobile"}
    text = said(territory(tmp_path, repository, 900.0, 8.0, channels={"allocated": [allocation]}))
    assert "mobile, 870-960 MHz: no Recommendation is listed" in text


def test_sources_of_criteria_name_services_and_no_numbers(repository: Path) -> None:
    rows = read_rows(CRITERIA, CriterionSource)
    known = load_config(repository / "configs/slovenia.yaml").services
    assert {row.service for row in rows} <= set(known)
    assert not any(row.verified for row in rows)
