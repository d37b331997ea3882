"""Report and annex: complete, from nothing but themselves, and harmless whatever a title says."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from datetime import timedelta
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import rasterio

from pipeline.errors import InputError
from pipeline.grid import raster
from pipeline.grid.grid import Grid
from pipeline.plan.digest_records import write_record
from pipeline.plan.plan import load_plan
from pipeline.plan.run_files import two_digits
from pipeline.plan.territory_file import load_config
from pipeline.publish.manifest import run_facts, utc_now
from pipeline.publish.release import renew_validity
from pipeline.publish.report.annex import annex, chosen_channels, service_shares_pct
from pipeline.publish.report.basis import rule_times
from pipeline.publish.report.figures import (
    draw_curves,
    draw_map,
    draw_with_legend,
    legend_entries,
    picture_command,
)
from pipeline.publish.report.report import report
from pipeline.publish.styles import read_schemes
from tests.jobs import run_from

GRID = Grid("EPSG:3794", 500.0, 420_000.0, 120_000.0, 40, 30)
HOSTILE = """</title><script>alert(1)</script><img src="http://127.0.0.1/x"> & $body 'x' "y" """.strip()
CHOICES = """device,setting,what,now,otherwise,set_by,verified,counted,without_dtt,channels_permitted,change_permitted,channels_0dbm,change_0dbm,channels_20dbm,change_20dbm,channels_36dbm,change_36dbm
fixed30,none,the run as it is,,,,,1 pixel in 7,,0.9811,,8.2412,,1.6701,,0.3405,
fixed30,protection.offsets,how far away,all rows,offsets -3 to +3 and +9,"protection: {offsets: [-3, 9]}",false,1 pixel in 7,,2.9811,2.0000,9.2412,1.0000,2.6701,1.0000,1.3405,1.0000
fixed30,protection.beyond_table,beyond,none,last_row,protection: {beyond_table: last_row},false,1 pixel in 7,59 61,0.5811,-0.4000,5.0712,-3.1700,0.6801,-0.9900,0.1105,-0.2300
fixed30,protection.fw_calibration,sum,table,off,protection: {fw_calibration: 'off'},true,at most,,1.0511,0.0700,8.4012,0.1600,1.7201,0.0500,0.3505,0.0100
fixed30,protection.ratios,table,own.csv,protection_ratios.csv,protection: {ratios: configs/tables/protection_ratios.csv},false,not here,,,,,,,,,
"""  # noqa: E501 - a table
LOST = """device,level_dbm,rule,share_pct,channels_mean
fixed30,0,available,60.0000,6.0000
fixed30,0,dtt_same,40.0000,4.0000
fixed30,20,available,10.0000,1.0000
fixed30,20,least_eirp,5.0000,0.5000
fixed30,20,dtt_same,40.0000,4.0000
fixed30,20,pmse,45.0000,4.5000
"""
VOID = {"meta", "img", "br", "link", "input"}


class Page(HTMLParser):
    """Tags with attributes, texts, and whether every element is closed where it should be."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.inside_warning: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)
        if "section" in self.open:
            self.inside_warning.append(data)


def rows_of(text: str) -> list[list[str]]:
    """Cells of all rows of all tables of a page."""
    lines = re.findall(r"<tr>(.*?)</tr>", text)
    return [[unescape(cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", line)] or [""] for line in lines]


def write_layer(path: Path, values: np.ndarray, nodata: int) -> None:
    layer = raster.make_array(values, GRID, units="", long_name="test", nodata=nodata)
    path.parent.mkdir(parents=True, exist_ok=True)
    raster.write(path, layer, tags={}, publish=False)


@pytest.fixture
def built(tiny: Path) -> Path:
    """The tiny territory with layers that somebody computed: left half one thing, right half another."""
    plan = load_plan(tiny)
    public = plan.build / "public"
    right = np.zeros((GRID.height, GRID.width), dtype=bool)
    right[:, 20:] = True
    for level in ("0", "20", "36"):
        counts = np.where(right, 4, 0).astype(np.uint8)
        write_layer(public / f"available_channels_fixed30_{level}dbm.tif", counts, 255)
    for channel in map(two_digits, plan.wsd):
        write_layer(
            public / f"max_eirp_fixed30_ch{channel}.tif",
            np.where(right, 2000, -9998).astype(np.int16),
            -32768,
        )
        services = np.where(right, 1, 14).astype(np.uint8)
        services[:3] = 255
        write_layer(public / f"limiting_service_fixed30_ch{channel}.tif", services, 255)
    with (public / "statistics.csv").open("w", newline="") as sink:
        rows = csv.writer(sink, lineterminator="\n")
        rows.writerow(["device", "level_dbm", "channels_at_least", "area_pct", "population_pct"])
        rows.writerows(
            ["fixed30", level, n, f"{91.2345 - n - level:.4f}", f"{81.4321 - n - level:.4f}"]
            for level in (0, 20, 36)
            for n in range(1, 11)
        )
    with (public / "choices.csv").open("w") as sink:
        sink.write(CHOICES)
    with (public / "lost_channels.csv").open("w") as sink:
        sink.write(LOST)
    with (public / "not_evaluated.csv").open("w") as sink:
        sink.write("device,channel,area_km2,area_pct,population_pct\nfixed30,21,150.0,50.1234,\n")
    return tiny


def facts_of(config: Path) -> dict[str, object]:
    plan = load_plan(config)
    names = ("public/statistics.csv", "public/not_evaluated.csv")
    return run_facts(plan, "0123456789abcdef", {name: plan.build / name for name in names}, utc_now())


def page_of(config: Path, benchmarks: Path = Path("none")) -> str:
    """The annex."""
    plan = load_plan(config)
    return annex(plan, facts_of(config), plan.build, benchmarks)


def report_of(config: Path) -> str:
    plan = load_plan(config)
    return report(plan, facts_of(config), plan.build)


def test_annex_is_whole_and_holds_the_published_numbers(built: Path) -> None:
    text = page_of(built)
    page = Page(text)
    assert page.open == []
    assert text.startswith("<!DOCTYPE html>")
    with (load_plan(built).build / "public/statistics.csv").open() as stream:
        numbers = [row[name] for row in csv.DictReader(stream) for name in ("area_pct", "population_pct")]
    assert len(numbers) == 60
    assert set(numbers) <= set(page.texts)
    maps = 3 + 6
    assert sum(tag == "img" for tag, _ in page.tags) == maps + 2 + 1
    sums = {entry["sha256"] for entry in run_facts(load_plan(built), "x", {}, utc_now())["inputs"]}
    assert sums
    assert sums <= set(page.texts)


def test_report_has_one_line_for_each_choice(built: Path) -> None:
    """Mean and change; channels without maps, bounds and what was not computed say so."""
    rows = rows_of(page_of(built))
    set_by = [row[2] for row in rows if len(row) == 8 and row[2].startswith("protection: ")]
    lines = {row[2]: row for row in rows if len(row) == 8}
    assert sum(row[0] == "the run as it is" for row in rows) == 1
    assert len(set_by) == len(set(set_by)) == 4
    offsets = lines["protection: {offsets: [-3, 9]}"]
    assert offsets[:2] == ["how far away: all rows", "offsets -3 to +3 and +9"]
    assert offsets[3:] == ["no", "2.98 (+2.00)", "9.24 (+1.00)", "2.67 (+1.00)", "1.34 (+1.00)"]
    beyond = lines["protection: {beyond_table: last_row}"]
    assert beyond[1] == "last_row (without DTT channels 59, 61: no maps)"
    assert beyond[5] == "5.07 (-3.17)"
    bound = lines["protection: {fw_calibration: 'off'}"]
    assert bound[3:5] == ["yes", "at most 1.05 (+0.07)"]
    unknown = lines["protection: {ratios: configs/tables/protection_ratios.csv}"]
    assert unknown[1].endswith("(not computed here: channelmaps sensitivity)")
    assert unknown[4:] == ["–"] * 4


def test_report_tells_by_which_rule_channels_are_lost(built: Path) -> None:
    rows = {row[0]: row[1:] for row in rows_of(page_of(built)) if len(row) == 3}
    assert rows["available"] == ["60.00 (6.00)", "10.00 (1.00)"]
    assert rows["device cannot be so weak"] == ["–", "5.00 (0.50)"]
    assert rows["television in the same channel"] == ["40.00 (4.00)", "40.00 (4.00)"]
    assert rows["PMSE"] == ["–", "45.00 (4.50)"]


def test_summary_is_that_of_the_curves(built: Path) -> None:
    """Share of land with at least n channels 91.2345 - n - level, of people 81.4321 - n - level."""
    rows = rows_of(report_of(built))
    (row,) = [row for row in rows if row[:2] == ["fixed30", "36"]]
    assert row[2:] == ["54.2", "50.2", "45.2", "44.4", "40.4", "35.4", "5"]
    (row,) = [row for row in rows if row[:2] == ["fixed30", "20"]]
    assert row[2:] == ["70.2", "66.2", "61.2", "60.4", "56.4", "51.4", "10"]


def test_report_has_a_table_by_region_if_there_are_regions(built: Path) -> None:
    assert "By region" not in page_of(built)
    built.write_text(built.read_text() + "report: {regions: {path: regions.gpkg}}\n")
    head = "device,level_dbm,region,area_km2,population,channels_mean,channels_median"
    shares = [f"{of}_at_least_{n}_pct" for of in ("area", "population") for n in (1, 5, 10)]
    text = "\n".join(
        [
            ",".join([head, *shares]),
            "fixed30,0,Kras & Brkini,12.3456,,3.4567,3,99.4321,20.5,0.0,,,",
            "fixed30,36,Kras & Brkini,12.3456,4321.6,1.0,1,50.0,0.0,0.0,75.25,0.0,0.0",
        ]
    )
    (load_plan(built).build / "public/statistics_by_region.csv").write_text(text + "\n")
    found = [row for row in rows_of(page_of(built)) if row[0] == "Kras & Brkini"]
    assert found == [
        ["Kras & Brkini", "12.3", "–", "3.5", "3", "99.4", "20.5", "0.0", "–", "–", "–"],
        ["Kras & Brkini", "12.3", "4322", "1.0", "1", "50.0", "0.0", "0.0", "75.2", "0.0", "0.0"],
    ]


def test_report_says_how_far_base_stations_reach_if_that_was_asked(built: Path) -> None:
    assert "What it is good for" not in report_of(built)
    built.write_text(built.read_text() + "reach: [{device: fixed30, mode: QPSK 1/2}]\n")
    head = "device,modes,mode,cpe,q_pct,km,area_pct,population_pct"
    row = "fixed30,sm2405_a8,QPSK 1/2,a8_panel,70,5,12.3456,"
    (load_plan(built).build / "public/reach_statistics.csv").write_text(f"{head}\n{row}\n")
    page = report_of(built)
    assert "not a prediction of coverage" in page
    assert ["fixed30", "QPSK 1/2", "a8_panel", "5", "12.3", "–"] in rows_of(page)


def test_report_shows_how_far_paths_are_from_those_over_terrain(built: Path) -> None:
    pictures = page_of(built).count("<img")
    content = built.read_text()
    for old, new in [
        ('"21-30"', '"21-22"'),
        ("devices:", "terrain: {dem: [dem.tif]}\nprotection: {wsd_terrain: checked}\ndevices:"),
    ]:
        content = content.replace(old, new)
    built.write_text(content)
    (built.parent / "dem.tif").touch()
    internal = load_plan(built).build / "internal"
    internal.mkdir()
    numbers = "4006,3998,3732,0,4,2.5000,-8.9500,1.5000,15.4500,25.0000,25.0000,11.0000"
    (internal / "wsd_terrain.csv").write_text(
        "device,channel,sampled,limited,adjacent,unknown,checked,mean_db,p5_db,p50_db,p95_db,lets_more_pct,"
        f"lets_10db_more_pct,most_more_db\nfixed30,21,{numbers}\nfixed30,22,5,1,1,0,0,,,,,,,\n"
    )
    values = np.full((2, GRID.height, GRID.width), -32768, np.int16)
    values[0, 3, :4] = [-1100, 100, 200, 1800]
    layer = raster.make_array(
        values, GRID, units="dB", long_name="test", nodata=-32768, band_names=["a", "b"]
    )
    raster.write(internal / "wsd_terrain_fixed30.tif", layer, tags={}, publish=False)
    text = page_of(built)
    assert "of 4 paths that were compared the terrain lets more through in 25.0 %, at most by 11.0 dB" in text
    assert "+2.5 dB in the mean, +1.5 dB in the median" in text
    lines = [row for row in rows_of(text) if row[:2] in (["21", "4006"], ["22", "5"])]
    assert lines[0] == ["21", "4006", "4", "2.5", "-8.9", "1.5", "15.4", "25.0", "11.0"]
    assert lines[1] == ["22", "5", "0", *["–"] * 6]
    assert text.count("<img") == pictures - 4 + 1  # fewer channels to choose from, and the histogram
    assert "no path was compared" not in text
    layer.values[:] = -32768
    raster.write(internal / "wsd_terrain_fixed30.tif", layer, tags={}, publish=False)
    nothing = page_of(built)
    assert "Device fixed30: no path was compared, so nothing is known" in nothing
    assert nothing.count("<img") == pictures - 4


def test_report_does_not_contradict_a_renewed_manifest(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "pipeline.publish.job_publish.published_files", lambda plan: ["public/statistics.csv"]
    )
    plan = load_plan(built)
    write_record(plan.build, "availability", {}, "made up", [plan.build / "public/statistics.csv"])
    run_from("publish", built, plan.build)
    latest = plan.results / "latest"
    before = json.loads((latest / "manifest.json").read_text())
    assert renew_validity(plan.results, plan, utc_now() + timedelta(hours=20))
    after = json.loads((latest / "manifest.json").read_text())
    assert after["valid"] != before["valid"]
    (told,) = [text for text in Page((latest / "report_annex.html").read_text()).texts if "validity" in text]
    assert told.startswith(f"Published with a period of validity from {before['valid']['from']}")
    assert told.endswith("the one in force is that of manifest.json (valid, renewed_at).")
    listed = {item["path"]: item["sha256"] for item in after["outputs"]}
    assert listed["report.html"] == hashlib.sha256((latest / "report.html").read_bytes()).hexdigest()


def test_period_of_bookings_is_not_said_to_be_prolonged(built: Path) -> None:
    facts = run_facts(load_plan(built), "x", {}, utc_now())
    plan = load_plan(built)
    text = annex(
        plan,
        facts | {"bookings": {"at": "2026-12-05", "active": 1, "assignments": 2, "rejected_rows": 0}},
        plan.build,
        Path("none"),
    )
    assert "that of the bookings of PMSE; it is not prolonged." in text
    assert "renewed_at" not in text


def test_open_rows_of_tables_stand_under_their_columns(built: Path) -> None:
    rows = rows_of(page_of(built))
    with Path(load_config(built).protection.ratios).open(newline="") as stream:
        table = list(csv.DictReader(stream))
    number, first = next((n, row) for n, row in enumerate(table, 2) if row["verified"] == "false")
    values = [value for name, value in first.items() if name not in {"verified", "source"} and value]
    assert [str(number), *values, first["source"]] in rows


def test_maps_without_colours_tell_black_and_grey_classes_from_levels(tmp_path: Path) -> None:
    """Lines lie on what has no hue, and on nothing else."""
    for name, raw, line in [
        ("max_eirp", -9999, "#a0a0a0"),
        ("max_eirp", -9998, "#5a5a5a"),
        ("max_eirp", 2500, None),
        ("max_eirp", -3000, None),
    ]:
        write_layer(tmp_path / "x.tif", np.full((GRID.height, GRID.width), raw, np.int16), -32768)
        drawn = draw_map(tmp_path / "x.tif", read_schemes()[name])
        with rasterio.MemoryFile(drawn.png) as file, file.open() as picture:
            wide = picture.width
            block = picture.read([1, 2, 3])[:, : int(0.7 * wide), :].reshape(3, -1).T
        found = {"#{:02x}{:02x}{:02x}".format(*colour) for colour in np.unique(block, axis=0)}
        ((colour, lines, _),) = legend_entries(read_schemes()[name], drawn.present)
        assert lines == line
        assert found - {"#ffffff"} == {colour} | ({line} if line else set())


def test_report_warns_of_what_is_open_before_anything_else(built: Path) -> None:
    for text in (report_of(built), page_of(built)):
        page = Page(text)
        box = " ".join(page.inside_warning)
        assert "PMSE: outside the scope of these maps. test" in box
        assert "aeronautical radionavigation: test" in box
        assert "1 channels, up to 50.1234 % of the area" in box
        names = [tag for tag, _ in page.tags]
        assert names.index("section") < names.index("img")
        assert "warning" in [attributes.get("class") for tag, attributes in page.tags if tag == "section"]
    assert "coverage.q_min = 0.7 (test)" in box
    box = " ".join(Page(report_of(built)).inside_warning)
    assert "These maps regard television only: not for licensing." in box
    assert not re.findall(r"\b(?:out_of_scope|foreign_dtt|radio_astronomy)\b", box)


def test_report_loads_nothing_and_escapes_what_it_is_given(built: Path) -> None:
    quoted = HOSTILE.replace("\\", "\\\\").replace('"', '\\"')
    built.write_text(f'title: "{quoted}"\nnotice: "{quoted}"\n' + built.read_text())
    beside = Page(page_of(built))
    assert beside.open == []
    assert not {"script", "link", "iframe", "object", "a"} & {tag for tag, _ in beside.tags}
    page = Page(report_of(built))
    assert page.open == []
    assert not {"script", "link", "iframe", "object", "a"} & {tag for tag, _ in page.tags}
    sources = [
        value
        for _, attributes in page.tags
        for name, value in attributes.items()
        if name in {"src", "href", "srcset", "data"}
    ]
    assert sources
    assert all(str(source).startswith("data:image/png;base64,") for source in sources)
    assert page.texts.count(HOSTILE) == 2
    policy = [attributes for tag, attributes in page.tags if tag == "meta" and "http-equiv" in attributes]
    assert "default-src 'none'" in str(policy[0]["content"])
    style = "".join(page.texts[: page.texts.index(HOSTILE)])
    assert "url(" not in style
    assert "@import" not in style


def test_report_differs_only_by_the_time(built: Path) -> None:
    for made in (page_of, report_of):
        first, second = (made(built).splitlines() for _ in range(2))
        shown = [line for line in zip(first, second, strict=True) if line[0] != line[1]]
        assert all("computed" in one or "period of" in one or "From" in one for one, _ in shown)


def test_map_shows_each_value_in_the_colour_of_its_class(built: Path) -> None:
    scheme = read_schemes()["available_channels"]
    drawn = draw_map(load_plan(built).build / "public/available_channels_fixed30_0dbm.tif", scheme)
    with rasterio.MemoryFile(drawn.png) as file, file.open() as picture:
        red, green, blue = picture.read([1, 2, 3])
    row = int(red.shape[0] * 0.3)
    colours = [
        f"#{red[row, col]:02x}{green[row, col]:02x}{blue[row, col]:02x}"
        for col in (red.shape[1] // 4, 3 * red.shape[1] // 4)
    ]
    labels = {"#141414": "none", "#46327e": "3 to 5"}
    assert [labels[colour] for colour in colours] == ["none", "3 to 5"]
    assert [scheme.classes[place].label for place in drawn.present] == ["none", "3 to 5"]


def test_large_map_is_thinned_to_pixels_of_the_raster(
    built: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from pipeline.publish.report import figures as report_figures

    monkeypatch.setattr(report_figures, "MAP_PX", 15)
    monkeypatch.setattr(report_figures, "STRIP_PX", 4)
    values = np.arange(GRID.height * GRID.width, dtype=np.int16).reshape(GRID.height, GRID.width)
    write_layer(tmp_path / "x.tif", values, -32768)
    raw, pixel_km = report_figures.thinned(tmp_path / "x.tif")
    assert pixel_km == 1.5
    np.testing.assert_array_equal(raw, values[::3, ::3])


def test_shares_of_services_are_those_of_the_area_inside(built: Path) -> None:
    path = load_plan(built).build / "public/limiting_service_fixed30_ch21.tif"
    (shares_pct,) = service_shares_pct([path])
    # The scale of the projection changes by some 1e-5 over 10 km.
    assert shares_pct[[1, 14]] == pytest.approx([50.0, 50.0], abs=0.01)
    assert shares_pct.sum() == pytest.approx(100.0)


def test_curves_without_population_have_one_panel() -> None:
    curve = {36.0: np.array([90.0, 10.0])}
    sizes = []
    for curves in ({"area": curve}, {"area": curve, "population": curve}):
        with rasterio.MemoryFile(io.BytesIO(draw_curves(curves)).read()) as file, file.open() as picture:
            sizes.append(picture.width)
    assert sizes[1] == 2 * sizes[0]


def test_run_times_are_summed_by_rule(built: Path, tmp_path: Path) -> None:
    head = "s\th:m:s\tmax_rss\n"
    folder = tmp_path / "benchmarks/tiny"
    (folder / "coverage").mkdir(parents=True)
    (folder / "coverage/ch21.tsv").write_text(head + "10.5\t0:00:10\t300.0\n")
    (folder / "coverage/ch22.tsv").write_text(head + "2.0\t0:00:02\tNA\n")
    (folder / "territory.tsv").write_text(head + "4.0\t0:00:04\t100.0\n")
    (folder / "publish.tsv").write_text(head + "9999.0\t2:46:39\t100.0\n")
    assert rule_times(folder, leave_out=["publish"]) == [
        ("coverage", 2, 12.5, 10.5, 300.0),
        ("territory", 1, 4.0, 4.0, 100.0),
    ]
    texts = Page(page_of(built, folder)).texts
    assert "12.5" in texts
    assert "9999.0" not in texts
    assert "Run times" not in Page(page_of(built)).texts


def test_channels_of_the_report_are_chosen_or_spread(tiny: Path) -> None:
    mapped = list(range(21, 31))
    assert chosen_channels(load_config(tiny), mapped) == [21, 23, 25, 26, 28, 30]
    text = tiny.read_text()
    tiny.write_text(text + "report: {channels: [30, 22]}\n")
    assert chosen_channels(load_config(tiny), mapped) == [22, 30]
    tiny.write_text(text + "report: {channels: [40]}\n")
    with pytest.raises(InputError, match="40"):
        load_config(tiny)


def test_picture_has_the_map_beside_its_legend(built: Path, tmp_path: Path) -> None:
    layer = load_plan(built).build / "public/available_channels_fixed30_20dbm.tif"
    picture_command(layer, tmp_path / "new/x.png", title="20 dBm, $not math")
    with rasterio.open(tmp_path / "new/x.png") as picture:
        red, green, blue = picture.read([1, 2, 3]).astype(int)
    codes = red * 65536 + green * 256 + blue
    beside = codes[:, int(codes.shape[1] * 0.8) :]
    # The map has both colours in equal parts, the legend a patch of each.
    for colour in (0x141414, 0x46327E):
        assert 0.3 < (codes == colour).mean() < 0.45
        assert 50 < (beside == colour).sum() < 2000


def test_legend_of_a_picture_is_not_cut_off(tmp_path: Path) -> None:
    """Title and unit of the maximum e.i.r.p. are the longest line; services have long names."""
    for name in ("max_eirp", "limiting_service"):
        scheme = read_schemes()[name]
        raw = np.full((GRID.height, GRID.width), 4 if name == "limiting_service" else -9999, np.int16)
        write_layer(tmp_path / "x.tif", raw, -32768)
        with rasterio.MemoryFile(draw_with_legend(tmp_path / "x.tif", scheme, "x")) as file:
            picture = file.open().read([1, 2, 3])
        assert (picture[:, :, -8:] == 255).all()
        assert (picture[:, :, -150:] < 128).any()


def test_picture_has_the_classes_of_its_family(tmp_path: Path) -> None:
    """Used, unused and unknown in thirds; the channel of a reach is not the reach."""
    thirds = np.repeat(np.arange(3, dtype=np.uint8), -(-GRID.width // 3))[: GRID.width]
    layer = tmp_path / "allotment_unused_223-224.tif"
    write_layer(layer, np.tile(thirds, (GRID.height, 1)), 255)
    picture_command(layer, tmp_path / "x.png", title="223-224 MHz")
    with rasterio.open(tmp_path / "x.png") as picture:
        red, green, blue = picture.read([1, 2, 3]).astype(int)
    codes = red * 65536 + green * 256 + blue
    assert all(0.15 < (codes == colour).mean() < 0.35 for colour in (0xD55E00, 0x56B4E9, 0xC6C6C6))
    layer.rename(tmp_path / "reach_channel_fixed30_qpsk.tif")
    with pytest.raises(InputError, match="no classes"):
        picture_command(tmp_path / "reach_channel_fixed30_qpsk.tif", tmp_path / "y.png", title="")


def test_picture_refuses_what_has_no_classes(built: Path, tmp_path: Path) -> None:
    public = load_plan(built).build / "public"
    for name in ("statistics.csv", "max_eirp_fixed30_ch99.tif"):
        with pytest.raises(InputError, match=name):
            picture_command(public / name, tmp_path / "x.png", title="")
    assert not (tmp_path / "x.png").exists()


def test_publishing_puts_the_report_into_run_and_manifest(
    built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "pipeline.publish.job_publish.published_files", lambda plan: ["public/statistics.csv"]
    )
    built.write_text(built.read_text() + "report: {pdf: false}\n")
    plan = load_plan(built)
    write_record(plan.build, "availability", {}, "made up", [plan.build / "public/statistics.csv"])
    run_from("publish", built, plan.build)
    latest = plan.results / "latest"
    manifest = json.loads((latest / "manifest.json").read_text())
    listed = {item["path"]: item["sha256"] for item in manifest["outputs"]}
    pages = ("report.html", "report_annex.html")
    assert set(listed) == {"public/statistics.csv", *pages, *(f"internal/{name}" for name in pages)}
    text = (latest / "report.html").read_bytes()
    assert listed["report.html"] == hashlib.sha256(text).hexdigest()
    assert b"Read this first" in text
