"""The six recipes of CONTRIBUTING.md in a copy of the tree, for real: what is added is there everywhere.

The copy compiles its kernels, which are those of another tree. Quick tests of the same with a row in memory:
`tests/propagation/test_models.py`, `tests/services/test_table.py`, `tests/publish/test_layers.py`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import rasterio
from rasterio.warp import transform

from pipeline.layers import Layer, Raster, View
from pipeline.plan.jobs import Job
from pipeline.services.table import ServiceRow
from tests.propagation import constant_loss
from tests.tiny import CONFIG, STATIONS, write_register
from tests.workflow.test_dag import planned

pytestmark = pytest.mark.slow
EXAMPLES = Path(__file__).parent / "additions"
TREE = ("pipeline", "rules", "profiles", "envs", "configs", "docs")
FILES = ("Snakefile", "pyproject.toml", "requirements.lock")

MODEL = constant_loss.ROW._replace(module="pipeline.propagation.constant_loss")
LOSS_DB = 150.0
SERVICE = ServiceRow("seven", 18, 20, "seven dBm", "pipeline.services.seven_dbm")
BLOCK = slice(60, 63), slice(60, 64)
JOB = Job(
    name="worthwhile",
    title="where channel {channel} is worth using",
    module="pipeline.availability.job_worthwhile",
    settings=("report.worthwhile_dbm", "devices.id"),
    wildcards=("channel",),
    values=("code",),
)
LAYER = Layer(
    family="worthwhile",
    path="public/worthwhile_{device}_ch{channel}.tif",
    job="worthwhile",
    view=View("Worth using, {channel}", ("Worth using", "{device}"), "availability", "made up", web=True),
    raster=Raster(
        "uint8", 255, "1", "worth using, {device}, channel {channel}", codes=((0, "no"), (1, "yes"))
    ),
)
REPORT = '''class Report(Section):
    """The page `report.html` of every run, and the tables behind it."""
'''
SETTING = '''
    worthwhile_dbm: Annotated[Number, Field(ge=-100, le=60)] = 10.0
    """E.i.r.p. from which a channel is worth using."""
'''
TERRITORY = {
    'wsd: ["21-30"]': "wsd: [22, 25]",
    # Beyond 80 m every path has the loss of the model.
    "min_separation_m: {value: 20.0,": "min_separation_m: {value: 100.0,",
    "coverage:\n": "propagation: {wsd_model: constant}\ncoverage:\n",
    "services:\n": "services:\n  seven: {status: evaluate}\n",
}


class Copy(NamedTuple):
    """A copy of the tree with what was added, and the folder in which its territory is run."""

    root: Path
    work: Path

    @property
    def latest(self) -> Path:
        return self.work / "results/tiny/latest"

    def python(self, *arguments: str) -> str:
        """What a process of the copy prints."""
        environment = os.environ | {"PYTHONPATH": str(self.root), "COLUMNS": "200"}
        line = [sys.executable, *arguments]
        done = subprocess.run(
            line, cwd=self.work, env=environment, text=True, capture_output=True, timeout=1500
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def channelmaps(self, *arguments: str) -> str:
        return self.python("-m", "pipeline", *arguments)

    def published(self, name: str) -> np.ndarray:
        with rasterio.open(self.latest / "public" / name) as source:
            return source.read(1)


def replace(path: Path, old: str, new: str) -> None:
    """Edit a file at the one place where a text stands."""
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{path.name}: {old}"
    path.write_text(text.replace(old, new), encoding="utf-8")


def add_row(path: Path, row: NamedTuple, after_it: str) -> None:
    """A row at the end of a table, as text."""
    replace(path, after_it, f"\n    {row!r},{after_it}")


def add_all(root: Path) -> None:
    """The six recipes, each with nothing but the files that it names."""
    package, tests = root / "pipeline", EXAMPLES.parents[1]
    # A propagation model: a file and a row.
    model = package / "propagation/constant_loss.py"
    shutil.copy(tests / "propagation/constant_loss.py", model)
    replace(model, "LOSS_DB = 120.0", f"LOSS_DB = {LOSS_DB}")
    replace(model, "HORIZON_KM = math.inf", "HORIZON_KM = 20.0")
    add_row(package / "propagation/models.py", MODEL, "\n)\n\n\ndef model_names(")
    # A service: a file and a row.
    service = package / "services/seven_dbm.py"
    shutil.copy(tests / "services/seven_dbm.py", service)
    replace(service, "slice(2, 5), slice(3, 7)", f"{BLOCK[0]}, {BLOCK[1]}")
    add_row(package / "services/table.py", SERVICE, "\n)\n\n\ndef service_row(")
    # A job: its module, a row and a rule.
    shutil.copy(EXAMPLES / "job_worthwhile.py", package / "availability")
    add_row(package / "plan/jobs.py", JOB, "\n)\n\nJOBS =")
    shutil.copy(EXAMPLES / "worthwhile.smk", root / "rules")
    replace(
        root / "rules/workflow.smk", 'include: "web.smk"\n', 'include: "worthwhile.smk"\ninclude: "web.smk"\n'
    )
    # A layer: a row; the added job writes it.
    add_row(package / "layers.py", LAYER, "\n)\n# fmt: on")
    # A command: a file.
    shutil.copy(EXAMPLES / "commands_channels.py", package / "cli")
    # A setting: a field; the row of the job names it.
    (section,) = [path for path in (package / "config").glob("*.py") if REPORT in path.read_text("utf-8")]
    replace(section, REPORT, REPORT + SETTING)


@pytest.fixture(scope="module")
def copy(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """The copy with a published run."""
    folder = tmp_path_factory.mktemp("additions")
    found = Copy(folder / "tree", folder / "work")
    for name in TREE:
        shutil.copytree(
            repository / name, found.root / name, ignore=shutil.ignore_patterns("__pycache__", "node_modules")
        )
    for name in FILES:
        shutil.copy(repository / name, found.root)
    add_all(found.root)
    found.work.mkdir()
    write_register(found.work / "register.csv", STATIONS)
    (found.work / "tiny.yaml").write_text(CONFIG, encoding="utf-8")
    for old, new in TERRITORY.items():
        replace(found.work / "tiny.yaml", old, new)
    said = found.channelmaps("run", "tiny.yaml", "--verbose", "--cores", "1")
    assert "  seven         1 block" in said
    assert "where channel 22 is worth using" in said
    return found


@pytest.fixture
def work(copy: Copy, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The territory file, in the working folder; what a test changes there is taken back."""
    monkeypatch.chdir(copy.work)
    monkeypatch.setenv("PYTHONPATH", str(copy.root))
    path = copy.work / "tiny.yaml"
    text = path.read_text(encoding="utf-8")
    yield path
    path.write_text(text, encoding="utf-8")


def inside_block(shape: tuple[int, ...]) -> np.ndarray:
    inside = np.zeros(shape, dtype=np.bool_)
    inside[BLOCK] = True
    return inside


def explained(copy: Copy, row: int, col: int) -> dict:
    """What `channelmaps explain` says of a pixel."""
    with rasterio.open(copy.latest / "public/max_eirp_fixed30_ch25.tif") as source:
        x_m, y_m = source.xy(row, col)
        (lon_deg,), (lat_deg,) = transform(source.crs, "EPSG:4326", [x_m], [y_m])
    return json.loads(
        copy.channelmaps(
            *("explain", "--results", "results/tiny/latest", "--channel", "25", "--device", "fixed30"),
            *("--lon", str(lon_deg), "--lat", str(lat_deg), "--json"),
        )
    )


def test_model_is_a_choice_and_gives_the_loss_of_all_paths(copy: Copy) -> None:
    properties = json.loads(copy.channelmaps("schema"))["$defs"]["Propagation"]["properties"]
    assert properties["wsd_model"]["enum"][-1] == "constant"
    (copy.work / "links.csv").write_text("f_mhz,d_km\n600,10\n2000,10\n", encoding="utf-8")
    copy.channelmaps("predict", "--model", "constant", "--links", "links.csv", "--out", "fields.csv")
    table = np.genfromtxt(copy.work / "fields.csv", delimiter=",", names=True, dtype=None, encoding="utf-8")
    assert table["loss_db"] == pytest.approx([LOSS_DB] * 2, abs=1e-6)
    assert table["branch"].tolist() == ["constant"] * 2
    assert table["valid"].tolist() == [1, 0]
    with rasterio.open(copy.latest / "public/max_eirp_fixed30_ch25.tif") as source:
        assert source.tags()["model"] == "p1546, constant"
    assert "paths from devices by constant loss" in (copy.latest / "report_annex.html").read_text(
        encoding="utf-8"
    )
    limited_by_dtt = copy.published("limiting_service_fixed30_ch25.tif") == 1
    row, col = np.argwhere(limited_by_dtt)[0]
    answer = explained(copy, int(row), int(col))
    (loss_db,) = [term["value_db"] for term in answer["terms"] if term["name"] == "path loss"]
    assert loss_db == pytest.approx(LOSS_DB, abs=1e-3)
    assert 0.0 <= answer["total_dbm"] - answer["published_dbm"] < 0.01


def test_service_limits_its_block_and_is_named_everywhere(copy: Copy) -> None:
    limit, label, flags = (
        copy.published(f"{family}_fixed30_ch25.tif")
        for family in ("max_eirp", "limiting_service", "eval_flags")
    )
    inside, land = inside_block(limit.shape), limit != -32768
    assert (limit[inside] == 700).all()
    assert ((label == 18) == inside).all()
    assert (limit[land & ~inside] > 700).all()
    assert (flags[land] & (1 << 20) != 0).all()
    assert (flags[land] & (1 << 1) != 0).all()
    answer = explained(copy, BLOCK[0].start, BLOCK[1].start)
    assert (answer["service"], answer["published_dbm"]) == ("seven", 7.0)
    assert sum(term["value_db"] for term in answer["terms"]) == 7.0
    style = (copy.latest / "public/limiting_service_fixed30_ch25.qml").read_text(encoding="utf-8")
    assert 'label="seven dBm"' in style
    assert "seven dBm" in (copy.latest / "public/eval_flags_fixed30_ch25.qml").read_text(encoding="utf-8")
    report = (copy.latest / "report_annex.html").read_text(encoding="utf-8")
    assert "<td>seven</td>" in report
    assert "seven dBm</th>" in report
    maps = json.loads((copy.latest / "public/web/maps.json").read_text(encoding="utf-8"))
    assert maps["services"]["18"] == "seven dBm"
    schema = json.loads(copy.channelmaps("schema"))
    assert "seven" in schema["properties"]["services"]["propertyNames"]["enum"]


def test_layer_is_in_file_style_catalogue_web_map_project_and_document(copy: Copy) -> None:
    name = "worthwhile_fixed30_ch25"
    limit, values = copy.published("max_eirp_fixed30_ch25.tif"), copy.published(f"{name}.tif")
    expected = np.where(limit == -32768, 255, limit >= 1000)
    assert (values == expected).all()
    assert set(np.unique(values)) == {0, 1, 255}
    with rasterio.open(copy.latest / f"public/{name}.tif") as source:
        assert (source.dtypes[0], source.nodata, source.units[0]) == ("uint8", 255, "1")
        assert source.tags()["long_name"] == "worth using, fixed30, channel 25"
    assert 'label="available"' in (copy.latest / f"public/{name}.qml").read_text(encoding="utf-8")
    item = json.loads((copy.latest / "stac/fixed30_ch25.json").read_text(encoding="utf-8"))
    assert item["assets"][name]["href"] == f"../public/{name}.tif"
    assert item["assets"][name]["bands"][0]["nodata"] == 255
    maps = json.loads((copy.latest / "public/web/maps.json").read_text(encoding="utf-8"))
    assert "worthwhile" in maps["families"]
    assert f"tiles/{name}.pmtiles" in maps["files"]
    assert (copy.latest / f"public/web/tiles/{name}.pmtiles").is_file()
    for project in ("tiny.qgs", "public/tiny_public.qgs"):
        text = (copy.latest / project).read_text(encoding="utf-8")
        assert 'name="Worth using"' in text
        assert 'name="Worth using, 25"' in text
    listed = json.loads((copy.latest / "manifest.json").read_text(encoding="utf-8"))["outputs"]
    assert f"public/{name}.tif" in {entry["path"] for entry in listed}
    document = copy.root / "docs/outputs.md"
    code = "import sys, pathlib, pipeline.publish.outputs_page as o; o.update(pathlib.Path(sys.argv[1]))"
    copy.python("-c", code, str(document))
    row = "| `public/worthwhile_<device>_chNN.tif` | uint8 | made up |  | 0 no, 1 yes | 255 |"
    assert row in document.read_text(encoding="utf-8")


def test_command_is_in_the_help_and_runs(copy: Copy) -> None:
    listed = " ".join(copy.channelmaps("--help").split())
    assert "channels Channels that the devices of a territory may use." in listed
    assert copy.channelmaps("channels", "tiny.yaml").split() == ["22", "25"]


def test_job_ran_with_log_and_benchmark_and_is_in_the_report(copy: Copy) -> None:
    for channel in (22, 25):
        log = copy.work / f"logs/tiny/worthwhile/ch{channel}.log"
        assert log.is_file()
        benchmark = copy.work / f"benchmarks/tiny/worthwhile/ch{channel}.tsv"
        assert float(benchmark.read_text(encoding="utf-8").splitlines()[1].split("\t")[0]) > 0.0
    summary = json.loads((copy.work / "results/tiny/summary.json").read_text(encoding="utf-8"))
    assert summary["jobs"]["worthwhile"]["jobs"] == 2
    assert "<td>worthwhile</td>" in (copy.latest / "report_annex.html").read_text(encoding="utf-8")


def test_setting_is_checked_and_concerns_the_job_that_reads_it(copy: Copy, work: Path) -> None:
    section = json.loads(copy.channelmaps("schema"))["$defs"]["Report"]["properties"]["worthwhile_dbm"]
    assert (section["default"], section["minimum"], section["maximum"]) == (10.0, -100, 60)
    assert section["description"] == "E.i.r.p. from which a channel is worth using."
    assert planned(copy.root) == {}
    work.write_text(work.read_text(encoding="utf-8") + "report: {worthwhile_dbm: 5.0}\n", encoding="utf-8")
    followers = {name: [""] for name in ("web", "qgis", "stac", "publish")}
    assert planned(copy.root) == {"worthwhile": ["22", "25"], **followers}


def test_second_run_computes_nothing(copy: Copy) -> None:
    before = copy.latest.resolve()
    assert "Nothing to be done" in copy.channelmaps("run", "tiny.yaml", "--cores", "1")
    assert copy.latest.resolve() == before
