"""`channelmaps validate` reads and checks all that the section of coordination names."""

from __future__ import annotations

from pathlib import Path

import pytest
import xarray as xr
from coordinated import GRID, RADARS, change, coordinate

from pipeline.errors import InputError
from pipeline.grid import raster
from pipeline.plan.territory_file import load_config
from pipeline.publish.manifest import notes
from pipeline.territory.rasters import CheckedTerritory, boundaries_of
from pipeline.workflow.validate import ROOMS, validate_command


def report(tiny: Path) -> list[str]:
    surface = raster.read(tiny.parent / "build/tiny/territory/surface.tif")
    assert surface.attrs["grid"] == GRID
    config = load_config(tiny)
    masks = xr.Dataset({"surface": surface})
    territory = CheckedTerritory(tiny, boundaries_of(config.territory), masks, [], [])
    rooms = [room for room in ROOMS if room.__name__.startswith("pipeline.coordination.")]
    return [line for room in rooms for line in room.check(config, territory)]


def test_report_says_what_is_compared_and_what_is_odd(tiny: Path) -> None:
    coordinate(tiny)
    text = "\n".join(report(tiny))
    for part in (
        "published into wanted: 2 pairs",
        "RR 9.7B",
        "4 registered, 2 administrations",
        "no distance for 30 MHz",
        "1 radar(s): RX_NO_COORD",
        "1 radar(s): RES612_NOT_APPLICABLE",
        "1 with budgets by F.1565",
    ):
        assert part in text


def test_validate_prints_it(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    coordinate(tiny)
    change(tiny, radars__clip_deg=None)
    validate_command(tiny)
    assert "published into wanted: 2 pairs" in capsys.readouterr().out


def test_section_that_is_absent_is_not_reported(tiny: Path) -> None:
    coordinate(tiny)
    change(tiny, rr941=[], rr97ab=None, radars=None, links=None)
    assert report(tiny) == []


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("networks.yaml", "direction: up", "direction: sideways", "victim.assignments.1.direction"),
        ("networks.yaml", "victim:", "victim:\n  colour: red", "unknown key"),
        ("networks.yaml", "name: wanted", "name: " + "w" * 10_000_000, "victim.name"),
        ("networks.yaml", "name: wanted", "name: wan\0ted", "not valid YAML"),
        ("networks.yaml", "name: wanted", "name: want\xe9d", "UTF-8"),
        ("systems.yaml", "reference_khz: 40.0", "reference_khz: 4.0", "reference_khz"),
        ("radars.csv", "TX,42.25", "TX,@SUM(A1)", "FREQ_FORMAT"),
        ("radars.csv", "Home", "Ho\0me", "NUL"),
        ("radars.csv", "Home", "H" * 10_000_000, "LINE_TOO_LONG"),
        ("radars.csv", "A,SVN,SVN,TX,42", "S,SVN,SVN,TX,42", "ACTION"),
        ("radars.csv", ",+19.0,", ",", "COLUMN_COUNT"),
        ("links.csv", "G.828", "G.999", "standard"),
        ("links.csv", "one", "o\0ne", "NUL"),
        ("links.csv", "150336", "149000", "bit_rate_kbps"),
    ],
)
def test_faulty_file_is_refused_by_name(tiny: Path, file: str, old: str, new: str, said: str) -> None:
    coordinate(tiny)
    path = tiny.parent / file
    text = path.read_text(encoding="latin-1")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="latin-1")
    with pytest.raises(InputError, match=file) as refusal:
        report(tiny)
    message = str(refusal.value)
    assert said in message
    assert len(message) < 500
    assert message.isprintable()


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"radars__administration": "QQQ"}, "administration"),
        ({"radars__clip_deg": [12.0, 44.5, 17.0, 47.5]}, "too near"),
        ({"radars__clip_deg": [14.2, 43.0, 18.5, 49.0]}, "0 km around"),
        ({"radars__borders": "links.csv"}, "links.csv"),
        ({"radars__frequencies_mhz": [2.9]}, "frequencies_mhz"),
        ({"radars__frequencies_mhz": [42.0, 42.0]}, "twice"),
        ({"radars__frequencies_mhz": [], "radars__register_file": None}, "register_file"),
        ({"radars__noise": "city"}, "noise"),
        ({"rr941": [{"networks": "networks.yaml"}]}, "case"),
    ],
)
def test_faulty_setting_is_refused(tiny: Path, keys: dict[str, object], said: str) -> None:
    coordinate(tiny)
    change(tiny, **keys)
    with pytest.raises(InputError, match=said):
        report(tiny)


def test_radar_far_from_the_polygons_is_refused(tiny: Path) -> None:
    """Its borders would be those of the clip."""
    coordinate(tiny)
    path = tiny.parent / "radars.csv"
    path.write_text(RADARS.replace("+453000,+0133000", "-453000,+0133000"))
    with pytest.raises(InputError, match="too near to the territory or to a radar"):
        report(tiny)


def test_odd_radar_is_named_in_validate_and_in_the_notes_of_the_report(tiny: Path) -> None:
    coordinate(tiny)
    change(tiny, radars__clip_deg=None)
    path = tiny.parent / "radars.csv"
    path.write_text(RADARS.replace("+455000,+0142000,Home", "+455000,+0163000,Home"))
    text = "\n".join(report(tiny))
    assert "radars.csv, row 4, field freq_assgn: FREQ_BAND" in text  # 7 MHz
    assert "more than 50 km from the land of SVN" in text  # 1 degree of longitude east of 15.5 E
    assert text.count("from the land of SVN") == 1
    assert any("radars.csv, row 4, field freq_assgn: FREQ_BAND" in note for note in notes(load_config(tiny)))


def test_pairs_that_cannot_be_numbered_are_refused(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    coordinate(tiny)
    monkeypatch.setattr("pipeline.coordination.rr941.comparison.NO_PAIR", 2)
    with pytest.raises(InputError, match=r"networks\.yaml: too many overlapping pairs"):
        report(tiny)


def test_more_interference_to_links_than_their_share_is_pointed_out(tiny: Path) -> None:
    coordinate(tiny)
    text = tiny.read_text()
    ratio = '{value: -15.0, source: "test", verified: true}'
    tiny.write_text(text + f"incumbents: {{fixed: {{registers: [links.csv], i_n_db: {ratio}}}}}\n")
    assert any("-15 dB is more than" in line for line in report(tiny))
    tiny.write_text(tiny.read_text().replace("-15.0", "-20.0"))
    assert not any("is more than" in line for line in report(tiny))
