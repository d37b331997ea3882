"""The configuration: what is refused, how it is said, and that the exported schema is up to date."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml
from pydantic import TypeAdapter, ValidationError

from pipeline.config.base import unverified
from pipeline.config.channels import ChannelList
from pipeline.errors import InputError
from pipeline.plan.territory_file import export_schema, load_config
from pipeline.radio.channel_plan import channel_centre_mhz, plan_channels
from pipeline.shipped import TABLES


@pytest.fixture
def slovenia(repository: Path) -> str:
    return (repository / "configs" / "slovenia.yaml").read_text(encoding="utf-8")


def _refusal(tmp_path: Path, text: str) -> str:
    path = tmp_path / "broken.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as refusal:
        load_config(path)
    message = str(refusal.value)
    assert "\n" not in message
    assert str(path) in message
    return message


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("coastal_km: 5.0", "coastal_kn: 5.0", ["territory.coastal_kn", "unknown key", "coastal_km"]),
        ("resolution_m: 200.0", "resolution_m: 0", ["grid.resolution_m", "found 0"]),
        ("resolution_m: 200.0", "resolution_m: -5.0", ["grid.resolution_m", "found -5.0"]),
        ("resolution_m: 200.0", "resolution_m: .nan", ["grid.resolution_m", "nan"]),
        ("resolution_m: 200.0", "resolution_m: wide", ["grid.resolution_m", "'wide'"]),
        ("id: fixed30,", "id: fixed30, cap_dbm: true,", ["devices.0.cap_dbm", "True"]),
        ("id: fixed30,", "id: fixed30, cap_dbm: '36',", ["devices.0.cap_dbm", "'36'"]),
        ("id: fixed30,", "id: fixed30, height_m: 30.0, height_m: 3.0,", ["row ", "given twice"]),
        ("value: 0.70", "value: 7.0", ["coverage.q_min", "0.999"]),
        ("crs: EPSG:3794", "crs: Slovenia", ["grid.crs", "'Slovenia'"]),
        ('wsd: ["21-48"]', 'wsd: ["48-21"]', ["channels.wsd", "48-21"]),
        ('wsd: ["21-48"]', "wsd: [20]", ["channels", "[20]"]),
        ('wsd: ["21-48"]', "wsd: [21, 21]", ["channels", "twice"]),
        ("emission_class: 1", "emission_class: 6", ["devices.0.emission_class", "6"]),
        ("  dtt: {status: evaluate}\n", "", ["services", "dtt"]),
        ("dtt: {status: evaluate}", "dtt: {status: out_of_scope}", ["services.dtt", "reason"]),
        ("registers:", "registers:\n  model: p1546", ["registers.model", "unknown key"]),
        ("devices:", "propagation: {coverage_model: p452}\ndevices:", ["propagation.coverage_model", "p452"]),
        ("protection:", "protection:\n  offsets: [0]", ["protection", "mandatory"]),
    ],
)
def test_faulty_setting_is_refused_with_key_and_value(
    tmp_path: Path, slovenia: str, old: str, new: str, said: list[str]
) -> None:
    assert old in slovenia
    message = _refusal(tmp_path, slovenia.replace(old, new, 1))
    assert all(part in message for part in said), message


def test_missing_file_and_foreign_encoding_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        load_config(tmp_path / "absent.yaml")
    (tmp_path / "latin.yaml").write_bytes("title: Košice".encode("cp1250"))
    with pytest.raises(InputError, match="UTF-8"):
        load_config(tmp_path / "latin.yaml")


@pytest.mark.parametrize(
    ("text", "said"),
    [("", "not a mapping"), ("- 1", "not a mapping"), ("a: [", "not valid YAML"), ("words", "not a mapping")],
)
def test_file_that_is_no_mapping_is_refused(tmp_path: Path, text: str, said: str) -> None:
    assert said in _refusal(tmp_path, text)


def test_name_defaults_to_the_stem_of_the_file(tmp_path: Path, slovenia: str) -> None:
    path = tmp_path / "coast_west.yaml"
    path.write_text(slovenia, encoding="utf-8")
    assert load_config(path).name == "coast_west"


def test_shipped_table_is_found_outside_the_checkout(
    tmp_path: Path, slovenia: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the path that documents name; a file of one's own at that path wins, and no other is made up."""
    monkeypatch.chdir(tmp_path)
    path, name = tmp_path / "own.yaml", "configs/tables/report_fr.yaml"
    path.write_text(slovenia.replace("report:", f"report:\n  texts: {name}"), encoding="utf-8")
    assert load_config(path).report.texts == TABLES / "report_fr.yaml"
    (tmp_path / "configs/tables").mkdir(parents=True)
    (tmp_path / name).write_text("", encoding="utf-8")
    assert load_config(path).report.texts == Path(name)
    path.write_text(path.read_text(encoding="utf-8").replace("_fr.", "_xx."), encoding="utf-8")
    assert load_config(path).report.texts == Path("configs/tables/report_xx.yaml")


def test_schema_in_the_repository_is_the_exported_one(repository: Path) -> None:
    stored = (repository / "configs" / "schema.json").read_text(encoding="utf-8")
    assert stored == export_schema(), "run: .venv/bin/channelmaps schema > configs/schema.json"


@pytest.mark.parametrize("name", ["slovenia", "lithuania"])
def test_shipped_territories_follow_the_schema(repository: Path, name: str) -> None:
    content = yaml.safe_load((repository / "configs" / f"{name}.yaml").read_text(encoding="utf-8"))
    schema = jsonschema.Draft202012Validator(yaml.safe_load(export_schema()))
    assert [error.message for error in schema.iter_errors(content)] == []
    misspelt = content | {"teritory": content["territory"]}
    assert [error.message for error in schema.iter_errors(misspelt)] != []


def test_unverified_numbers_are_listed_with_their_source(repository: Path) -> None:
    entries = unverified(load_config(repository / "configs" / "slovenia.yaml"))
    times = {f"incumbents.{name}.time_pct" for name in ("radio_astronomy", "mobile", "ppdr", "fixed")}
    separations = {f"devices.{number}.min_separation_m" for number in range(6)}
    assert {entry["key"] for entry in entries} == times | separations | {
        "coverage.q_min",
        "propagation.climate.refractivity",
        "propagation.climate.lapse_n_per_km",
        "incumbents.leakage_floor_dbm_per_100khz",
        "protection.idle_penalty_db",
        "protection.overload_idle_db",
    }
    assert all(entry["source"] for entry in entries)


def test_european_plan_gives_the_ge06_centres(repository: Path) -> None:
    channels = load_config(repository / "configs" / "slovenia.yaml").channels
    assert [channel_centre_mhz(channels, c) for c in (21, 48, 69)] == [474.0, 690.0, 858.0]
    assert plan_channels(channels) == list(range(21, 70))


@pytest.mark.parametrize(
    "code", [0x00, 0x07, 0x0B, 0x0D, 0x1B, 0x7F, 0x9B, 0x202E, 0x2067, 0xD800, 0xFFFE, 0xFFFF]
)
@pytest.mark.parametrize(
    "key", ["title", "notice", "services.pmse.reason", "territory.home.0", "population.places"]
)
def test_character_that_breaks_documents_is_refused_in_every_text(
    tmp_path: Path, slovenia: str, code: int, key: str
) -> None:
    content = yaml.safe_load(slovenia)
    *sections, last = (int(part) if part.isdigit() else part for part in key.split("."))
    section = content
    for part in sections:
        section = section.setdefault(part, {}) if isinstance(section, dict) else section[part]
    section[last] = f"a{chr(code)}b"
    said = _refusal(tmp_path, json.dumps(content))
    assert f"{key}: holds the character U+{code:04X}" in said
    assert said.isprintable()


def test_such_a_character_is_refused_as_it_is_in_names_and_profiles(tmp_path: Path, slovenia: str) -> None:
    assert "row 2: is not valid YAML: holds the character U+007F" in _refusal(tmp_path, "a: 1\nb: a\x7fb\n")
    assert "territory: holds the character U+202E" in _refusal(
        tmp_path, slovenia.replace("territory:\n", "territory:\n  a\u202eb: 1\n", 1)
    )
    profiles = tmp_path / "profiles.yaml"
    profiles.write_text('mine: {type: "A\\x1b"}\n')
    said = slovenia.replace("  - id: fixed30\n", "  - id: fixed30\n    profile: mine\n", 1)
    path = tmp_path / "territory.yaml"
    path.write_text(f"device_profiles: {profiles}\n{said}", encoding="utf-8")
    with pytest.raises(InputError, match=r"profiles\.yaml, mine\.type: holds the character U\+001B"):
        load_config(path)


def test_texts_of_several_lines_and_of_any_script_are_taken(tmp_path: Path, slovenia: str) -> None:
    text = "Zahlen\n\tمرحبا שלום \u200f日本 😀 \u00a0"
    path = tmp_path / "texts.yaml"
    path.write_text(
        json.dumps(yaml.safe_load(slovenia) | {"notice": text}, ensure_ascii=False), encoding="utf-8"
    )
    assert load_config(path).notice == text


@pytest.mark.parametrize(
    ("word", "meant"), [("on", "on"), ("off", "off"), ("auto", "auto"), ("'off'", "off")]
)
def test_switch_of_the_clearance_angles_takes_bare_words(
    tmp_path: Path, slovenia: str, word: str, meant: str
) -> None:
    path = tmp_path / "switch.yaml"
    path.write_text(slovenia.replace("terrain:\n", f"terrain:\n  tca: {word}\n"), encoding="utf-8")
    assert load_config(path).terrain.tca == meant


def test_channels_are_numbers_or_ranges_whether_quoted_or_not() -> None:
    channels = TypeAdapter(ChannelList)
    assert channels.validate_python(["21-23", "30", 31]) == [21, 22, 23, 30, 31]
    for refused in ("30-", "-30", "", "30a", "100", "30-29"):
        with pytest.raises(ValidationError):
            channels.validate_python([refused])
