"""What a run tells everybody: no public file names a protected station, and `internal/` is not for others."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
import rasterio
from pmtiles.reader import MmapSource, Reader

from pipeline.errors import InputError
from pipeline.files import write_whole
from pipeline.plan.plan import load_plan
from pipeline.plan.run_files import published_files
from pipeline.publish.disclosure import WITHHELD_SETTINGS, public_facts
from pipeline.publish.manifest import run_facts, utc_now
from pipeline.publish.release import release
from pipeline.query.query import Request, answer, close_database, open_database
from pipeline.query.results import config_of, read_run
from pipeline.studies.compare import changed_inputs
from pipeline.workflow.earlier_runs import published_manifest
from tests.publish.secret_run import BOOKING, run_secret, secret_territory, secrets


@pytest.fixture(scope="module")
def secret(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a run with protected stations of every kind, made with the usual umask."""
    folder, before, mask = tmp_path_factory.mktemp("secret"), Path.cwd(), os.umask(0o022)
    os.chdir(folder)
    try:
        yield folder / run_secret(secret_territory(folder))
    finally:
        os.chdir(before)
        os.umask(mask)


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
    for name in ("manifest.json", "report.html"):
        text = (secret / "internal" / name).read_text(encoding="utf-8")
        assert "Sentinel-bunker under the hill" in text
        assert "secret-registers" in text or "Sentinel-pmse.csv" in text


@pytest.mark.slow
def test_both_manifests_list_every_file(secret: Path) -> None:
    manifests = [secret / name for name in ("manifest.json", "internal/manifest.json")]
    listed = [json.loads(path.read_text())["outputs"] for path in manifests]
    plan = load_plan(secret.parents[2] / "secret.yaml")
    reports = {"report.html", "internal/report.html"}
    assert {entry["path"] for entry in listed[0]} == {*published_files(plan), *reports}
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
