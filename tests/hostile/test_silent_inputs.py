"""Inputs that were taken without a word and opened channels or hid people: refused in one line each."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from pipeline.config.load import parse_yaml
from pipeline.errors import InputError
from pipeline.registers.areas import parse_channels
from pipeline.rows.text_records import read_text
from pipeline.studies.compare import compare_command
from pipeline.workflow.validate import validate_command
from tests.published import publish
from tests.tiny import CONFIG

RING = "POLYGON(({0} {1},{2} {1},{2} {3},{0} {3},{0} {1}))"
RECEIVER = (
    "id,lon,lat,f_mhz,bandwidth_mhz,noise_figure_db,gain_dbi,feeder_db,antenna_height_m,acs_db,azimuth_deg,pattern\n"
    "R,14.1,46.1,475,0.0125,7,6,2,25,80,90,{}\n"
)


def validated(tiny: Path, section: str) -> None:
    tiny.write_text(f"{CONFIG}{section}\n", encoding="utf-8")
    validate_command(tiny)


@pytest.mark.parametrize("text", ["21-", "-21", "21--23", "\u0662\u0661", "021-23", "21.0", "21-23-25", ""])
def test_list_of_channels_with_half_a_range_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="channels"):
        parse_channels(text)


def test_lists_of_channels_are_read() -> None:
    assert parse_channels("21-23; 38 ;40 - 41") == {21, 22, 23, 38, 40, 41}
    assert parse_channels("*") is None


@pytest.mark.parametrize("when", ["2026-01-01junk", "2026-01-01T99:99", "2026-02-30", "01.02.2026"])
def test_adjustment_without_a_date_is_refused(tiny: Path, when: str) -> None:
    ring = RING.format(14.1, 46.05, 14.2, 46.15)
    text = f'wkt,channels,adjustment_db,who,when,why\n"{ring}",*,-3,me,{when},test\n'
    Path("a.csv").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match="row 2, field when"):
        validated(tiny, "areas: {adjustments: [a.csv]}")


@pytest.mark.parametrize(
    ("box", "said"),
    [
        ((46.05, 14.1, 46.15, 14.2), "exchanged"),
        ((-14.2, 46.05, -14.1, 46.15), "sign of lon"),
        ((14.1, -46.15, 14.2, -46.05), "sign of lat"),
    ],
)
def test_area_of_other_signs_is_refused(tiny: Path, box: tuple[float, ...], said: str) -> None:
    Path("a.csv").write_text(f'wkt,channels,reason\n"{RING.format(*box)}",*,test\n', encoding="utf-8")
    with pytest.raises(InputError, match=said):
        validated(tiny, "areas: {exclusions: [a.csv]}")


def test_area_across_greenwich_is_no_fault(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Beside the territory, both signs are of places around it."""
    text = CONFIG.replace("[14.0, 46.0, 14.3, 46.2]", "[0.1, 46.0, 0.4, 46.2]").replace(
        "EPSG:3794", "EPSG:32631"
    )
    register = Path("register.csv").read_text(encoding="utf-8")
    Path("register.csv").write_text(
        register.replace(",14.1", ",0.1").replace(",15.1", ",0.1"), encoding="utf-8"
    )
    Path("a.csv").write_text(f'wkt,channels,reason\n"{RING.format(-0.3, 46.05, -0.2, 46.15)}",*,test\n')
    tiny.write_text(text + "areas: {exclusions: [a.csv]}\n", encoding="utf-8")
    validate_command(tiny)
    assert "no effect     a.csv" in capsys.readouterr().out


@pytest.mark.parametrize("values_db", [["61"] * 36, ["20"] * 36, ["3.1"] * 72])
def test_pattern_of_a_receiver_without_its_main_beam_is_refused(tiny: Path, values_db: list[str]) -> None:
    """A receiver that hears nothing from anywhere protected nothing."""
    Path("r.csv").write_text(RECEIVER.format(";".join(values_db)), encoding="utf-8")
    text = CONFIG.replace("fixed: {status: out_of_scope, reason: test}", "fixed: {status: evaluate}")
    tiny.write_text(text + "incumbents: {fixed: {registers: [r.csv]}}\n", encoding="utf-8")
    with pytest.raises(InputError, match="row 2, field pattern"):
        validate_command(tiny)


def test_places_of_people_with_exchanged_coordinates_are_refused(
    tiny: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    places: Callable[[str], int] = Path("p.csv").write_text
    places("latitude,longitude,population\n46.1,14.1,500\n-20,100,5\n")
    validated(tiny, "population: {places: p.csv}")
    assert "people        1 of 2 places on the padded grid" in capsys.readouterr().out
    places("latitude,longitude,population\n14.1,46.1,500\n")
    with pytest.raises(InputError, match=r"p\.csv.*look exchanged"):
        validated(tiny, "population: {places: p.csv}")


@pytest.mark.parametrize("changed", ["title: !!binary AAAA", "notice: !!binary aGk="])
def test_binary_text_is_refused(tiny: Path, changed: str) -> None:
    with pytest.raises(InputError, match="is binary"):
        validated(tiny, changed)


def test_home_without_a_name_is_refused(tiny: Path) -> None:
    content = parse_yaml(CONFIG)
    assert isinstance(content, dict)
    content["territory"]["home"] = [""]
    tiny.write_text(yaml.safe_dump(content), encoding="utf-8")
    with pytest.raises(InputError, match=r"territory\.home\.0"):
        validate_command(tiny)


def test_pipe_that_nobody_writes_to_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="is a pipe"):
        read_text(tmp_path / "pipe")


def test_comparison_with_a_damaged_layer_writes_nothing(tiny: Path) -> None:
    """The last of the layers is damaged: maps of the others were written before it was read."""
    tiny.write_text(CONFIG.replace('wsd: ["21-30"]', "wsd: [22, 23, 25]"), encoding="utf-8")
    run = publish(tiny)
    layer = run / "public/max_eirp_fixed30_ch25.tif"
    content = bytearray(layer.read_bytes())
    content[len(content) // 2] ^= 1
    layer.chmod(0o644)
    layer.write_bytes(bytes(content))
    with pytest.raises(InputError, match=r"ch25\.tif.*is damaged"):
        compare_command(run, run, Path("changes"))
    assert not Path("changes").exists()
