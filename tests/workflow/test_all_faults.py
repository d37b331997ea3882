"""`channelmaps validate` tells all faults at once, by file, in words of its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.errors import InputError, fault_lines
from pipeline.workflow.validate import validate_all, validate_json
from tests.tiny import CONFIG

# Words of pydantic, PyYAML, GDAL, pyogrio, shapely, Python's csv and json.
LIBRARIES = (
    "Input should", "should be", "should have", "Field required", "Extra inputs", "pydantic", "yaml.org",
    "mapping values", "block mapping", "OGR", "GDAL", "driver", "not recognized", "LinearRing",
    "closed linestring", "IllegalArgument", "Expecting", "char 0", "codec", "libtiff", "TIFF", "sqlite",
    "database disk image", "NoneType", "object of type",
)  # fmt: skip
HEAD = (
    "id,site,lon,lat,channel,centre_mhz,bandwidth_mhz,erp_kw,antenna_height_agl_m,site_height_asl_m,polarisation,"
    "pattern_azimuth_attenuation_db,system,multiplex_mode\n"
)


def row(name: str, *, lat: str = "46.1", erp: str = "1") -> str:
    return f"{name},S,14.1,{lat},21,474,8,{erp},50,,H,,DVB-T,\n"


def told(capsys: pytest.CaptureFixture[str], path: Path) -> list[str]:
    """The lines of a refusal."""
    assert not validate_all(path)
    output = capsys.readouterr()
    assert output.out == ""
    lines = output.err.splitlines()
    assert all(line.startswith("channelmaps: ") for line in lines)
    return [line.removeprefix("channelmaps: ") for line in lines]


@pytest.fixture
def territory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    config = CONFIG.replace("[register.csv]", "[a.csv, b.csv]") + "areas: {exclusions: [zones.geojson]}\n"
    Path("many.yaml").write_text(config, encoding="utf-8")
    Path("a.csv").write_text(HEAD + row("A", lat="96") + row("B") + row("C", erp="0"), encoding="utf-8")
    Path("b.csv").write_text(HEAD + row("D", erp="x"), encoding="utf-8")
    Path("zones.geojson").write_text("{", encoding="utf-8")
    return Path("many.yaml")


def test_faults_of_all_files_are_told(territory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = told(capsys, territory)
    places = [line.split(":")[0] for line in lines]
    assert places == [
        "a.csv, row 2, field lat", "a.csv, row 4, field erp_kw", "b.csv, row 2, field erp_kw",
        "zones.geojson", "4 faults",
    ]  # fmt: skip


def test_json_has_the_same_faults(territory: Path) -> None:
    text, good = validate_json(territory)
    faults = json.loads(text)["faults"]
    assert not good
    assert [(fault["file"], fault["row"], fault["field"], fault["value"]) for fault in faults] == [
        ("a.csv", 2, "lat", "96"), ("a.csv", 4, "erp_kw", "0"), ("b.csv", 2, "erp_kw", "x"),
        ("zones.geojson", None, None, None),
    ]  # fmt: skip


def test_a_column_that_is_missing_hides_no_other_file(
    territory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("a.csv").write_text("id,site\n", encoding="utf-8")
    places = [line.split(":")[0] for line in told(capsys, territory)]
    assert places == ["a.csv, row 1, field lon", "b.csv, row 2, field erp_kw", "zones.geojson", "3 faults"]


def test_all_settings_and_files_that_are_wrong(territory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = territory.read_text(encoding="utf-8").replace(
        "resolution_m: 500.0", "resolution_m: 5.0, margin: 1"
    )
    text = text.replace("levels_dbm: [0.0, 20.0, 36.0]", "levels_dbm: []")
    territory.write_text(text + "validity_hours: soon\n", encoding="utf-8")
    lines = told(capsys, territory)
    assert {line.split(": ")[0] for line in lines[:-1]} == {
        f"many.yaml, {key}" for key in ("grid.margin", "grid.resolution_m", "levels_dbm", "validity_hours")
    }


def test_files_that_are_not_there_are_told_together(
    territory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("a.csv").unlink()
    Path("zones.geojson").unlink()
    text = "\n".join(told(capsys, territory))
    assert "registers.transmitters" in text
    assert "areas.exclusions" in text
    assert "b.csv, row 2, field erp_kw" in text


def test_fifty_faults_of_a_file_are_shown() -> None:
    faults = [InputError("x", file=file, row=i) for file in ("a", "b") for i in range(60)]
    lines = [*fault_lines(faults)]
    assert len(lines) == 102
    assert (lines[50], lines[101]) == ("a: and 10 more", "b: and 10 more")


BROKEN = {
    "rubbish.gpkg": b"SQLite format 3\0" + b"x" * 200,
    "rubbish.geojson": b'{"type": "FeatureCollection", "features": [{"type": "Feature"}]}',
    "ring.geojson": json.dumps(
        {
            "type": "FeatureCollection",
            "features": [
                {
                    "type": "Feature",
                    "properties": {"channels": "*", "reason": "test"},
                    "geometry": {"type": "Polygon", "coordinates": [[[14, 46], [15, 46]]]},
                }
            ],
        }
    ).encode(),
    "cut.geojson": b'{"type": "FeatureCollection", "features": [',
    "bytes.geojson": b"\xff\xfe\xfa",
    "shape.shp": b"\0\0\x27\x0a" + b"\0" * 96,
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_polygons_are_told_in_own_words(
    territory: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    Path(name).write_bytes(BROKEN[name])
    territory.write_text(territory.read_text().replace("zones.geojson", name), encoding="utf-8")
    text = "\n".join(told(capsys, territory))
    assert name in text
    assert not [word for word in LIBRARIES if word in text], text


@pytest.mark.parametrize(
    "settings",
    [
        "a: b: c", "x: [", "x: 'y", "- a\nb: 1", "x: *y", "x: !!python/name:os.system ''", "x:\n\t- 1", "%",
        "x: 2001-02-30", "? [a]\n: 1", "grid: 7", "grid: {crs: 7, resolution_m: a}", "territory: []",
        "devices: {}", "devices: [7]", "channels: {plan: 7, wsd: x}", "registers: {transmitters: 7}",
        "registers: {transmitters: [{path: a.csv}]}", "services: {dtt: {status: maybe}}", "services: 7",
        "population: 7", "terrain: {dem: []}", "title: 7", "registers: {as_of: soon}",
        "coverage: {q_min: 2}", "pmse: {at: 7}", "neighbours: {AT: {coverage: 7}}",
    ],
)  # fmt: skip
def test_broken_settings_are_told_in_own_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], settings: str
) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(settings + "\n", encoding="utf-8")
    text = "\n".join(told(capsys, path)).replace(str(tmp_path), "")
    assert not [word for word in LIBRARIES if word in text], text


@pytest.mark.parametrize(
    "content", [b"", b"II*\0" + b"x" * 50, b"not a raster", b"\x89PNG\r\n\x1a\n" + b"x" * 40]
)
def test_broken_rasters_are_told_in_own_words(
    territory: Path, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    Path("dem.tif").write_bytes(content)
    territory.write_text(territory.read_text() + "terrain: {dem: [dem.tif]}\n", encoding="utf-8")
    text = "\n".join(told(capsys, territory))
    assert "dem.tif" in text
    assert not [word for word in LIBRARIES if word in text], text


@pytest.mark.parametrize("register", ["good", "bad"])
def test_faults_of_all_files_of_areas_are_told(
    territory: Path, capsys: pytest.CaptureFixture[str], register: str
) -> None:
    lists = "areas: {exclusions: [zones.geojson, more.csv], masks: [masks.csv], adjustments: [odd.csv]}\n"
    text = territory.read_text().replace("areas: {exclusions: [zones.geojson]}\n", lists)
    territory.write_text(text.replace("[a.csv, b.csv]", "[a.csv]"), encoding="utf-8")
    for name in ("more", "masks", "odd"):
        Path(f"{name}.csv").write_text("wkt\nPOINT (0 0)\n", encoding="utf-8")
    if register == "good":
        Path("a.csv").write_text(HEAD + row("B"), encoding="utf-8")
    files = {line.split(":")[0].split(",")[0] for line in told(capsys, territory)}
    assert files >= {"zones.geojson", "more.csv", "masks.csv", "odd.csv"}
    assert ("a.csv" in files) == (register == "bad")
