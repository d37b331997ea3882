"""`channelmaps compare` on two runs made by hand: what is expected is counted pixel by pixel."""

from __future__ import annotations

import copy
import csv
import hashlib
import json
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.figure import Figure
from pyproj import Geod, Transformer
from typer.testing import CliRunner

from pipeline.cli.main import app
from pipeline.errors import InputError
from pipeline.grid import raster
from pipeline.grid.grid import Grid
from pipeline.plan.territory_file import load_config
from pipeline.publish.manifest_changes import changed_inputs
from pipeline.publish.styles import class_index, read_schemes
from pipeline.studies import pictures
from pipeline.studies.compare import PixelChange, change_class, common_grid, compare_command, difference_centi

GRID = Grid("EPSG:3794", 500.0, 500_000.0, 100_000.0, 4, 3)
OUT, NO, OPEN = -32768, -9999, -9998
# One row of pixels for every kind of change; levels in 0.01 dBm.
BEFORE = [[1000, 1000, 1000, NO], [1000, OPEN, 3600, OPEN], [OUT, 3600, OUT, NO]]
AFTER = [[1000, 1050, 950, 2500], [NO, 2000, OPEN, OPEN], [NO, OUT, OUT, NO]]
CLASSES = [
    ["UNCHANGED", "RAISED", "LOWERED", "NOW_PERMITTED"],
    ["NO_LONGER_PERMITTED", "NOW_EVALUATED", "NO_LONGER_EVALUATED", "UNCHANGED"],
    ["NOW_INSIDE", "NO_LONGER_INSIDE", "OUTSIDE", "UNCHANGED"],
]
PERSONS = np.arange(12, dtype=np.float32).reshape(3, 4)


def make_run(
    root: Path, tiny: Path, run_id: str, values: list, grid: Grid = GRID, **software: object
) -> Path:
    """A published run of one device and channel."""
    folder = root / "results/tiny" / run_id
    config = load_config(tiny)
    config = config.model_copy(update={"channels": config.channels.model_copy(update={"wsd": [30]})})
    layer = raster.make_array(
        np.array(values, dtype=np.int16), grid, units="dBm", long_name="x", nodata=OUT, scale_factor=0.01
    )
    path = folder / "public/max_eirp_fixed30_ch30.tif"
    raster.write(path, layer, tags={}, publish=True)
    published = [path, *(write_level(folder, level, values, grid) for level in (0, 20, 36))]
    manifest = {
        "territory": "tiny",
        "run_id": run_id,
        "channels": {"device": [30], "dtt": []},
        "config": {"settings": json.loads(config.model_dump_json())},
        "inputs": [{"key": "registers.transmitters.0", "path": "register.csv", "sha256": "aa"}],
        "software": {"python": "3.11", "packages": {}, "code": {"combine": "c"}} | software,
    }
    manifest["outputs"] = [
        {"path": f"public/{file.name}", "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
        for file in published
    ]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def write_level(folder: Path, level_dbm: int, values: list, grid: Grid) -> Path:
    """Classes of one level, two channels: what is available may be so below the least of the device."""
    raw = np.array(values)
    classes = np.where(raw >= 100 * level_dbm, 1, 0)
    classes[(raw == NO) & (level_dbm == 0)] = 1
    classes[raw == OPEN], classes[raw == OUT] = 2, 255
    layer = raster.make_array(
        np.stack([0 * classes, classes]).astype(np.uint8),
        grid,
        units="",
        long_name="x",
        nodata=255,
        band_names=["channel 29", "channel 30"],
    )
    path = folder / f"public/availability_fixed30_{level_dbm}dbm.tif"
    raster.write(path, layer, tags={}, publish=True)
    return path


def write_population(root: Path, latest: Path) -> None:
    """The build folder as the latest run leaves it."""
    (root / "results/tiny/latest").symlink_to(latest.name)
    layer = raster.make_array(PERSONS, GRID, units="persons", long_name="x", nodata=np.nan)
    raster.write(root / "build/tiny/territory/population.tif", layer, tags={}, publish=False)


def test_differences_are_of_levels_only_and_codes_become_classes() -> None:
    a, b = np.array(BEFORE, np.int16), np.array(AFTER, np.int16)
    expected = np.full((3, 4), OUT)
    expected[0, :3] = [0, 50, -50]
    assert difference_centi(a, b).tolist() == expected.tolist()
    assert [[PixelChange(code).name for code in row] for row in change_class(a, b)] == CLASSES


def test_far_levels_do_not_overflow() -> None:
    a, b = np.array([[-9900]], np.int16), np.array([[6000]], np.int16)
    assert difference_centi(a, b).item() == 15900


def test_comparison_writes_maps_tables_and_a_picture(tiny: Path, tmp_path: Path) -> None:
    first = make_run(tmp_path, tiny, "run1", BEFORE)
    second = make_run(tmp_path, tiny, "run2", AFTER, code={"combine": "d"})
    write_population(tmp_path, second)
    out = tmp_path / "out"
    result = CliRunner().invoke(app, ["compare", str(first), str(second), "--out", str(out)])
    assert result.exit_code == 0, result.output
    difference = raster.read(out / "difference_fixed30_ch30.tif")
    assert difference.values[0].tolist() == [0, 50, -50, OUT]
    assert (difference.attrs["units"], difference.attrs["scale_factor"]) == ("dB", 0.01)
    assert raster.read(out / "change_fixed30_ch30.tif").values[2].tolist() == [7, 8, 255, 0]
    rows = {row["level_dbm"]: row for row in csv.DictReader((out / "channels.csv").open())}
    assert set(rows) == {"0", "20", "36"}
    # At 20 dBm: gained where 25 dBm and 20 dBm appear, lost where 36 dBm became open and where it left.
    assert float(rows["20"]["gained_persons"]) == PERSONS[0, 3] + PERSONS[1, 1]
    assert float(rows["20"]["lost_persons"]) == PERSONS[1, 2] + PERSONS[2, 1]
    assert float(rows["20"]["gained_km2"]) == pytest.approx(geodesic_km2(0, 3) + geodesic_km2(1, 1), abs=2e-3)
    assert float(rows["36"]["gained_km2"]) == 0.0
    # At 0 dBm what the maximum e.i.r.p. does not permit is available: nothing is lost there, none gained.
    assert float(rows["0"]["gained_persons"]) == PERSONS[1, 1] + PERSONS[2, 0]
    assert float(rows["0"]["lost_persons"]) == PERSONS[1, 2] + PERSONS[2, 1]
    inputs = list(csv.DictReader((out / "inputs.csv").open()))
    assert [(row["kind"], row["key"]) for row in inputs] == [("code", "combine")]
    assert (out / "compare_fixed30.png").read_bytes().startswith(b"\x89PNG")
    assert "gained" in result.output


def test_other_model_of_coverage_is_among_the_changed_inputs(tiny: Path, tmp_path: Path) -> None:
    """By P.1812 with the numbers that the settings state for it, and nothing of the files that stay."""
    text = f"{tiny.read_text()}terrain: {{dem: [dem.tif]}}\n"
    tiny.write_text(text)
    first = make_run(tmp_path, tiny, "run1", BEFORE)
    tiny.write_text(text + "propagation: {coverage_model: p1812, climate: {lapse_n_per_km: 50}}\n")
    second = make_run(tmp_path, tiny, "run2", AFTER)
    out = tmp_path / "out"
    compare_command(first, second, out)
    found = {row["key"]: row for row in csv.DictReader((out / "inputs.csv").open())}
    model = found["propagation.coverage_model"]
    assert (model["run_a"], model["run_b"]) == ("p1546", "p1812")
    assert found["propagation.climate.lapse_n_per_km.value"]["run_b"] == "50.0"
    assert {row["kind"] for row in found.values()} == {"setting"}
    assert all(key.startswith("propagation.") for key in found)


def geodesic_km2(row: int, col: int) -> float:
    """True area of a pixel from its corners, by GeographicLib."""
    x, y = 500_000.0 + 500.0 * col, 100_000.0 - 500.0 * row
    to_degrees = Transformer.from_crs("EPSG:3794", "EPSG:4326", always_xy=True)
    lon, lat = to_degrees.transform([x, x + 500, x + 500, x], [y, y, y - 500, y - 500])
    return abs(Geod(ellps="WGS84").polygon_area_perimeter(lon, lat)[0]) / 1e6


def test_what_changed_is_told_and_the_picture_is_whole(tiny: Path, tmp_path: Path) -> None:
    """Settings with both values; a file of equal content elsewhere and what a what-if adds are no change."""
    first = make_run(tmp_path, tiny, "run1", BEFORE)
    second = make_run(tmp_path, tiny, "run2", AFTER)
    manifest = json.loads((second / "manifest.json").read_text())
    settings = manifest["config"]["settings"]
    settings["devices"][0]["dq_pct"] = 2.0
    settings |= {"results": "tiny-what-if", "title": "tiny: what if devices.fixed30.dq_pct=2"}
    settings["grid"]["least_margins_km"] = [10.0, 20.0]
    manifest["inputs"][0]["path"] = "elsewhere/register.csv"
    (second / "manifest.json").write_text(json.dumps(manifest))
    write_population(tmp_path, second)
    for folder in ("results", "build"):
        (tmp_path / folder / "tiny-what-if").symlink_to("tiny")
    result = CliRunner().invoke(app, ["compare", str(first), str(second), "--out", str(tmp_path / "out")])
    changed = result.stdout.split("Changed:\n")[1].split("Gained")[0]
    assert changed == "  setting devices.fixed30.dq_pct: 1.0 -> 2.0\n"
    assert "  fixed30 at 20 dBm: gained 0.5 km2 with 8 people, lost 0.5 km2 with 15 people" in result.stdout
    same = CliRunner().invoke(app, ["compare", str(first), str(first), "--out", str(tmp_path / "same")])
    assert "Inputs, settings and program are the same." in same.stdout


def test_project_of_a_comparison_has_every_map_with_its_title(tiny: Path, tmp_path: Path) -> None:
    """One of them is shown, the view is that of the pixels inside, and the notice says what is compared."""
    first = make_run(tmp_path, tiny, "run1", BEFORE)
    second = make_run(tmp_path, tiny, "run2", AFTER)
    compare_command(first, second, tmp_path / "out")
    found = ElementTree.parse(tmp_path / "out/compare.qgs").getroot()
    layers = {layer.findtext("layername"): layer.findtext("datasource") for layer in found.iter("maplayer")}
    assert layers == {
        "kind of change ch 30 fixed30": "./change_fixed30_ch30.tif",
        "change of max e.i.r.p. ch 30 fixed30": "./difference_fixed30_ch30.tif",
    }
    shown = [
        node.get("name") for node in found.iter("layer-tree-layer") if node.get("checked") != "Qt::Unchecked"
    ]
    assert shown == ["kind of change ch 30 fixed30"]
    assert "(run1) to tiny" in found.findtext("projectMetadata/abstract")
    assert float(found.findtext("mapcanvas/extent/xmin")) == pytest.approx(499_500.0)


def test_bars_are_numbered_by_whole_channels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bonds too, however many; the title has its lines, and nothing gained is said in words."""
    drawn: list[Figure] = []
    monkeypatch.setattr(pictures, "_save", lambda figure, path: drawn.append(figure))
    bars = dict.fromkeys(range(21, 61), (1.0, 0.5))
    pictures.draw_changes(tmp_path / "x.png", "a\nb", np.zeros((2, 2)), (0.0, 0.0, 1e3, 1e3), bars)
    pictures.draw_changes(
        tmp_path / "x.png", "a", np.zeros((2, 2)), (0.0, 0.0, 1e3, 1e3), {"20-21": (0.0, 0.0)}
    )
    labels = [label.get_text() for label in drawn[0].axes[1].get_xticklabels()]
    assert labels == [str(channel) for channel in range(21, 61, 3)]
    assert [text.get_text() for text in drawn[1].axes[1].texts] == ["no channel gained, none lost"]
    assert drawn[1].axes[1].get_xticklabels()[0].get_text() == "20-21"


def test_population_of_another_run_is_not_used(tiny: Path, tmp_path: Path) -> None:
    first = make_run(tmp_path, tiny, "run1", BEFORE)
    second = make_run(tmp_path, tiny, "run2", AFTER)
    third = make_run(tmp_path, tiny, "run3", AFTER)
    write_population(tmp_path, third)
    manifest = json.loads((third / "manifest.json").read_text())
    manifest["inputs"].append({"key": "population.raster", "path": "p.tif", "sha256": "bb"})
    (third / "manifest.json").write_text(json.dumps(manifest))
    compare_command(first, second, tmp_path / "out")
    (row, *_) = csv.DictReader((tmp_path / "out/channels.csv").open())
    assert (row["gained_persons"], row["lost_persons"]) == ("", "")


def test_grids_that_grew_are_laid_over_each_other(tiny: Path, tmp_path: Path) -> None:
    first = make_run(tmp_path, tiny, "run1", BEFORE)
    larger = GRID._replace(north_m=100_500.0, west_m=499_000.0, width=6, height=4)
    values = np.full((4, 6), OUT)
    values[1:, 2:] = AFTER
    second = make_run(tmp_path, tiny, "run2", values.tolist(), larger)
    compare_command(first, second, tmp_path / "out")
    change = raster.read(tmp_path / "out/change_fixed30_ch30.tif")
    assert change.attrs["grid"] == larger
    named = [[PixelChange(code).name for code in row] for row in change.values[1:, 2:]]
    assert named == CLASSES


def test_other_pixels_are_refused() -> None:
    other = GRID._replace(resolution_m=100.0)
    with pytest.raises(InputError, match="different pixels"):
        common_grid(GRID, other, file=Path("x.tif"))


def test_changed_inputs_names_each_kind() -> None:
    first = {
        "inputs": [{"key": "registers.transmitters.0", "path": "a.csv", "sha256": "1"}],
        "config": {
            "settings": {
                "devices": [{"id": "x", "dq_pct": 1.0}],
                "channels": {"wsd": [21, 22]},
                "registers": {"transmitters": ["a.csv"]},
            }
        },
        "software": {"python": "3.11", "packages": {"numpy": "1"}, "code": {"protect": "p"}},
    }
    second = copy.deepcopy(first)
    assert changed_inputs(first, second) == []
    second["inputs"][0]["sha256"] = "2"
    second["config"]["settings"]["devices"][0]["dq_pct"] = 2.0
    second["config"]["settings"]["devices"].append({"id": "y", "dq_pct": 1.0})
    second["config"]["settings"]["channels"]["wsd"] = [21]
    second["software"]["packages"]["numpy"] = "2"
    second["software"]["code"]["protect"] = "q"
    found = {
        (change.kind, change.key): (change.run_a, change.run_b) for change in changed_inputs(first, second)
    }
    assert found[("setting", "devices.x.dq_pct")] == ("1.0", "2.0")
    assert found[("setting", "devices.y.dq_pct")] == ("", "1.0")
    assert set(found) == {
        ("input", "registers.transmitters.0"),
        ("setting", "devices.x.dq_pct"),
        ("setting", "devices.y.dq_pct"),
        ("setting", "devices.y.id"),
        ("setting", "channels.wsd"),
        ("code", "protect"),
        ("package", "numpy"),
    }


def test_maps_have_styles_with_a_class_for_every_value() -> None:
    schemes = read_schemes()
    codes = {entry.code: entry.label for entry in schemes["change"].classes}
    assert codes == {int(code): code.name.lower().replace("_", " ") for code in PixelChange}
    values = np.array([-32768, -1001, -1000, -300, -1, 0, 1, 299, 300, 1000, 32767], np.int16)
    scheme = schemes["difference"]
    labels = [scheme.classes[place].label for place in class_index(scheme, values)]
    assert labels == [
        "outside",
        "falls by more than 10",
        *["falls by 3 to 10", "falls by up to 3", "falls by up to 3"],
        "unchanged",
        *["rises by up to 3"] * 2,
        *["rises by 3 to 10", "rises by 10 and more", "rises by 10 and more"],
    ]
