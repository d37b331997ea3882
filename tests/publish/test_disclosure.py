"""What a run tells everybody: no public file names a protected station, and `internal/` is not for others."""

from __future__ import annotations

import gzip
import json
import math
import os
import stat
from pathlib import Path

import numpy as np
import pytest
import rasterio
from pmtiles.reader import MmapSource, Reader, all_tiles
from pyproj import Transformer

from pipeline.errors import InputError
from pipeline.files import write_whole
from pipeline.plan.plan import load_plan
from pipeline.plan.run_files import published_files
from pipeline.publish.disclosure import WITHHELD_SETTINGS, public_facts
from pipeline.publish.manifest import run_facts, utc_now
from pipeline.publish.manifest_changes import changed_inputs
from pipeline.publish.release import release
from pipeline.query.query import Request, answer, close_database, open_database
from pipeline.query.results import config_of, read_run
from pipeline.studies.explain import explain_point
from pipeline.workflow.earlier_runs import published_manifest
from tests.publish.secret_run import BOOKING, run_secret, secret_territory, secrets


def run_in(folder: Path, **publish: object) -> Path:
    """The folder of a run with protected stations of every kind, made with the usual umask."""
    before, mask = Path.cwd(), os.umask(0o022)
    os.chdir(folder)
    try:
        return folder / run_secret(secret_territory(folder, **publish))
    finally:
        os.chdir(before)
        os.umask(mask)


@pytest.fixture(scope="module")
def secret(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_in(tmp_path_factory.mktemp("secret"))


@pytest.fixture(scope="module")
def internal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_in(tmp_path_factory.mktemp("internal"), limiting_service="internal")


@pytest.fixture(scope="module")
def grouped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_in(tmp_path_factory.mktemp("grouped"), limiting_service="grouped", coarsen_m=2000.0)


def told_by(path: Path) -> str:
    """All that a file says in words: its bytes, and what is packed within them."""
    text = path.read_bytes().decode("utf-8", "replace")
    if path.suffix in {".tif", ".vrt"}:
        with rasterio.open(path) as source:
            text += f"{source.tags()}{source.descriptions}{source.tag_namespaces()}"
            text += "".join(str(source.tags(band)) for band in source.indexes)
            text += "".join(str(source.tags(ns=name)) for name in source.tag_namespaces())
    if path.suffix == ".pmtiles":
        with path.open("rb") as stream:
            text += json.dumps(Reader(MmapSource(stream)).metadata(), ensure_ascii=False)
    return text


@pytest.mark.slow
def test_no_public_file_names_a_station_and_the_internal_ones_do(secret: Path) -> None:
    hidden = secrets(secret.parents[2])
    assert {"Sentinel-LM-41", "14.0513", "46.1319", "14.2013", "Sentinel-bunker under the hill"} <= hidden
    files = [path for path in secret.rglob("*") if path.is_file()]
    public = [path for path in files if "internal" not in path.relative_to(secret).parts]
    assert {".html", ".json", ".tif", ".vrt", ".qgs", ".qml", ".csv", ".pmtiles", ".geojson"} <= {
        path.suffix for path in public
    }
    betrayed = [(path.name, text) for path in public for text in hidden if text in told_by(path)]
    assert betrayed == []
    for name in ("manifest.json", "report_annex.html"):
        text = (secret / "internal" / name).read_text(encoding="utf-8")
        assert "Sentinel-bunker under the hill" in text
        assert "secret-registers" in text or "Sentinel-pmse.csv" in text


@pytest.mark.slow
def test_both_manifests_list_every_file(secret: Path) -> None:
    manifests = [secret / name for name in ("manifest.json", "internal/manifest.json")]
    listed = [json.loads(path.read_text())["outputs"] for path in manifests]
    plan = load_plan(secret.parents[2] / "secret.yaml")
    pages = ("report.html", "report_annex.html", "report.pdf")
    reports = {f"{folder}{name}" for folder in ("", "internal/") for name in pages}
    assert {entry["path"] for entry in listed[0]} - reports == set(published_files(plan))
    assert {"report.html", "internal/report_annex.html"} <= {entry["path"] for entry in listed[0]}
    assert listed[0] == listed[1]
    told = json.loads((secret / "manifest.json").read_text())["withheld"]
    assert told["file"] == "internal/manifest.json"
    assert told["areas"] == 2


@pytest.mark.slow
def test_internal_is_not_for_others_in_run_and_build(secret: Path) -> None:
    build = secret.parents[2] / "build/secret"
    for folder, file_mode in ((secret / "internal", 0o440), (build / "internal", 0o640)):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o750
        assert {stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*")} == {file_mode}
    assert {stat.S_IMODE(path.stat().st_mode) for path in (secret / "public").glob("*.tif")} == {0o444}


@pytest.mark.slow
def test_tools_read_the_facts_that_they_may_show(secret: Path) -> None:
    run = read_run(secret)
    assert [path.name for path in config_of(run).pmse.registers] == ["Sentinel-pmse.csv"]
    assert changed_inputs(run.manifest, run.manifest) == []
    before = published_manifest(secret.parent)
    assert before is not None
    assert before["register_rows"]["pmse.registers"] == 1
    database = open_database(secret)
    try:
        message = answer(database, Request(BOOKING["lon"], BOOKING["lat"]))
    finally:
        close_database(database)
    assert "Sentinel" not in json.dumps(message)
    assert "incumbents" not in json.loads((secret / "manifest.json").read_text())["config"]["settings"]


@pytest.mark.slow
def test_run_whose_internal_folder_is_missing_is_refused_in_one_line(secret: Path, tmp_path: Path) -> None:
    copy = tmp_path / "results/x/run"
    copy.mkdir(parents=True)
    (copy / "manifest.json").write_bytes((secret / "manifest.json").read_bytes())
    with pytest.raises(
        InputError, match=r"internal/manifest\.json: is not here or not for you to read"
    ) as error:
        read_run(copy)
    assert "\n" not in str(error.value)


def test_public_facts_leave_out_registers_areas_and_rows(tmp_path: Path) -> None:
    path = secret_territory(tmp_path)
    plan = load_plan(path)
    facts = run_facts(plan, "0" * 16, {}, utc_now())
    facts["unverified"].append(
        {"key": "Sentinel-mobile.csv:2", "value": {"id": "Sentinel-LM-41"}, "source": ""}
    )
    public = public_facts(facts)
    assert "Sentinel" in json.dumps(facts)
    assert "Sentinel" not in json.dumps(public)
    assert {entry["key"] for entry in public["inputs"]} >= {
        "registers.transmitters.0",
        "pmse.kinds",
        "incumbents.radio_astronomy.criteria",
    }
    assert not set(WITHHELD_SETTINGS) & set(public["config"]["settings"])
    assert public["config"]["settings"]["devices"] == facts["config"]["settings"]["devices"]


@pytest.mark.parametrize(
    ("mask", "folder_mode", "file_mode"),
    [(0o022, 0o750, 0o640), (0o077, 0o700, 0o600), (0o002, 0o750, 0o640)],
)
def test_umask_holds_where_it_is_stricter(
    tmp_path: Path, mask: int, folder_mode: int, file_mode: int
) -> None:
    before = os.umask(mask)
    try:
        write_whole(tmp_path / "internal/a.json", "{}")
        write_whole(tmp_path / "internal/b.json", "{}", mode=0o444)
        write_whole(tmp_path / "public/a.json", "{}")
    finally:
        os.umask(before)
    modes = [
        stat.S_IMODE((tmp_path / name).stat().st_mode)
        for name in ("internal", "internal/a.json", "internal/b.json", "public/a.json")
    ]
    assert modes == [folder_mode, file_mode, file_mode & 0o444, 0o666 & ~mask]


def test_link_to_a_file_of_an_open_run_is_closed(tmp_path: Path) -> None:
    """A run of an earlier version left `internal/` to everybody: what the next one links of it is closed."""
    source = tmp_path / "a.tif"
    source.write_bytes(b"aaaa")
    results = tmp_path / "results"
    files = {"internal/a.tif": source}

    def describe(digests: dict[str, str]) -> dict[str, object]:
        return {"outputs": [{"path": name, "sha256": digest} for name, digest in digests.items()]}

    first = release(files, results, "run1", describe)
    (first / "internal").chmod(0o755)
    (first / "internal/a.tif").chmod(0o444)
    second = release(files, results, "run2", describe)
    assert (second / "internal/a.tif").samefile(first / "internal/a.tif")
    assert stat.S_IMODE((second / "internal/a.tif").stat().st_mode) & 0o007 == 0
    assert stat.S_IMODE((second / "internal").stat().st_mode) & 0o007 == 0


# --- the layer of limiting services -------------------------------------------------------------------------


def band(path: Path) -> np.ndarray:
    with rasterio.open(path) as source:
        return source.read(1)


@pytest.mark.slow
def test_internal_layer_is_in_nothing_public(internal: Path, secret: Path) -> None:
    name = "limiting_service_fixed30_ch22"
    assert {path.suffix for path in (internal / "internal").glob(f"{name}.*")} == {".tif", ".qml", ".xml"}
    np.testing.assert_array_equal(
        band(internal / f"internal/{name}.tif"), band(secret / f"public/{name}.tif")
    )
    shown = [
        path
        for path in internal.rglob("*")
        if path.is_file() and "internal" not in path.relative_to(internal).parts
    ]
    assert [path.name for path in shown if "limiting_service" in path.name] == []
    mentions = {path.name for path in shown if "limiting_service" in told_by(path)}
    assert mentions <= {"manifest.json", "app.js"}  # settings and sums; a page of all territories
    texts = [
        (internal / name).read_text(encoding="utf-8")
        for name in ("report_annex.html", "internal/report_annex.html")
    ]
    assert ["What limits" in text for text in texts] == [False, True]


@pytest.mark.slow
def test_web_map_without_the_layer_has_levels_alone(internal: Path, secret: Path) -> None:
    facts = [json.loads((run / "public/web/maps.json").read_text()) for run in (internal, secret)]
    assert set(facts[1]["families"]) - set(facts[0]["families"]) == {"limiting_service"}
    assert facts[0]["services"] == {"255": "(not published)"}
    blocks = []
    for run in (internal, secret):
        with (run / "public/web/numbers/fixed30.pmtiles").open("rb") as stream:
            tiles = [gzip.decompress(packed) for _, packed in all_tiles(MmapSource(stream))]
            blocks.append(np.stack([np.frombuffer(tile, np.uint8).reshape(2, 3, -1) for tile in tiles]))
    np.testing.assert_array_equal(blocks[0][:, :, :2], blocks[1][:, :, :2])
    assert set(np.unique(blocks[0][:, :, 2])) == {255}
    assert len(np.unique(blocks[1][:, :, 2])) > 2


@pytest.mark.slow
def test_query_answers_alike_without_the_layer(internal: Path, secret: Path) -> None:
    answers = []
    for run in (internal, secret):
        database = open_database(run)
        try:
            answers.append(answer(database, Request(14.0913, 46.0621))["channels"])
        finally:
            close_database(database)
    assert answers[0] == answers[1]


@pytest.mark.slow
def test_grouped_layers_tell_one_code_and_all_products_follow_the_coarser_limits(
    grouped: Path, secret: Path
) -> None:
    with rasterio.open(grouped / "public/limiting_service_fixed30_ch22.tif") as source:
        codes = set(np.unique(source.read(1)).tolist())
        words = str(source.tags()) + str(source.tags(1))
    assert 17 in codes
    assert not codes & {2, 3, 4, 5, 6, 7}
    assert "protected_station" in words
    assert "pmse" not in words.replace("services.pmse", "")
    raw, own = (band(run / "public/max_eirp_fixed30_ch22.tif") for run in (grouped, secret))
    assert (raw <= own).all()
    assert (raw < own).any()
    with rasterio.open(grouped / "public/query_fixed30.tif") as source:
        np.testing.assert_array_equal(source.read(source.descriptions.index("channel 22") + 1), raw)
    with rasterio.open(grouped / "public/availability_fixed30_20dbm.tif") as source:
        found = source.read(source.descriptions.index("channel 22") + 1)
    np.testing.assert_array_equal(found == 1, raw >= 2000)


@pytest.mark.slow
def test_explanation_of_a_coarsened_run_gives_the_published_number(
    grouped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(grouped.parents[2])
    run, by_stations = read_run(grouped), band(grouped / "public/limiting_service_fixed30_ch22.tif") == 17
    with rasterio.open(grouped / "public/max_eirp_fixed30_ch22.tif") as source:
        raw, to_degrees = source.read(1), Transformer.from_crs(source.crs, 4326, always_xy=True)
        pixels = np.argwhere((raw > -9000) & by_stations)
        for row, col in pixels[:: len(pixels) // 5].tolist():
            lon, lat = to_degrees.transform(*source.xy(row, col))
            told = explain_point(run, lon, lat, 22, "fixed30", run.build)
            assert math.floor(100.0 * told["total_dbm"] + 1e-6) == raw[row, col]
            assert told["terms"][-1]["name"] == "coarsening"
            assert told["service"] in {"pmse", "mobile", "ppdr", "fixed", "radio_astronomy"}
