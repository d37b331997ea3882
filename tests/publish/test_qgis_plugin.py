"""The Processing provider for QGIS: calls of the command, installation, a real QGIS if there is one."""

from __future__ import annotations

import ast
import contextlib
import enum
import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import rasterio
from pyproj import Transformer

from pipeline.errors import InputError
from pipeline.shipped import shipped
from pipeline.workflow.qgis_plugin import PLUGIN, install_plugin, profile_folder
from tests.publish.test_qgis import SYSTEM_PYTHON, needs_qgis
from tests.published import publish
from tests.studies import test_explain
from tests.studies.test_explain import case
from tests.tiny import tiny

__all__ = ["case", "tiny"]
PROFILE = "QGIS/QGIS3/profiles/default/python/plugins"
PROBE = Path(__file__).with_name("qgis_processing_probe.py")
STUB = """
import json, os, sys
print("checking", file=sys.stderr)
print(" 40 % of all work", file=sys.stderr)
print(json.dumps({"line": sys.argv[1:], "folder": os.getcwd(), "home": os.environ.get("PYTHONHOME")}))
sys.exit(3 if "broken.yaml" in sys.argv[-1] else 0)
"""


def module(name: str) -> ModuleType:
    """A module of the plugin that needs no QGIS."""
    spec = importlib.util.spec_from_file_location(f"plugin_{name}", shipped(PLUGIN) / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


class OldVariant:
    Double = 6


class NewVariant:
    """Of PyQt 6: its types are at QMetaType, and enumerations have no short names."""


class NewMetaType:
    Type = enum.Enum("Type", {"Double": 6})


def qt_core(binding: str) -> tuple[Any, Any]:
    """QVariant and QMetaType of a binding: the real ones of PyQt 6 where it is installed."""
    if binding == "PyQt5":
        return OldVariant, None
    with contextlib.suppress(ImportError):
        from PyQt6.QtCore import QMetaType, QVariant

        return QVariant, QMetaType
    return NewVariant, NewMetaType


@pytest.mark.parametrize(("binding", "number"), [("PyQt5", "6"), ("PyQt6", "Type.Double")])
def test_plugin_is_read_by_both_bindings_of_qt(
    monkeypatch: pytest.MonkeyPatch, binding: str, number: str
) -> None:
    """With stand-ins for the classes of QGIS: what the plugin takes from Qt is there in both."""
    core, qt, gui = ModuleType("qgis.core"), ModuleType("qgis.PyQt"), ModuleType("qgis.PyQt.QtGui")
    core.__getattr__ = lambda name: type(name, (), {"Folder": 0, "Integer": 0, "Double": 1})  # type: ignore[method-assign]
    qt.QtCore = ModuleType("qgis.PyQt.QtCore")  # type: ignore[attr-defined]
    qt.QtCore.QVariant, qt.QtCore.QMetaType = qt_core(binding)
    gui.QIcon = object  # type: ignore[attr-defined]
    for found in (ModuleType("qgis"), core, qt, qt.QtCore, gui):
        monkeypatch.setitem(sys.modules, found.__name__, found)
    folder = shipped(PLUGIN)
    spec = importlib.util.spec_from_file_location(
        "both_bindings", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None
    monkeypatch.setitem(sys.modules, "both_bindings", importlib.util.module_from_spec(spec))
    for name in ("both_bindings.algorithms", "both_bindings.provider"):
        monkeypatch.delitem(sys.modules, name, raising=False)
        importlib.import_module(name)
    assert str(sys.modules["both_bindings.algorithms"].NUMBERS) == number


def test_plugin_takes_little_from_qt() -> None:
    """Whatever else it takes has to be looked up in both bindings, and in the test above."""
    names = set()
    for path in shipped(PLUGIN).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("qgis.PyQt"):
                names |= {alias.name for alias in node.names}
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "QtCore":
                names.add(node.attr)
    assert names == {"QtCore", "QIcon", "QVariant", "QMetaType"}


@pytest.fixture
def stub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A command that tells how it was called."""
    path = tmp_path / "stub.py"
    path.write_text(STUB)
    monkeypatch.setenv("CHANNELMAPS_COMMAND", json.dumps([sys.executable, str(path)]))
    return path


def test_call_hands_over_lines_percentages_and_the_answer(
    stub: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the folder asked for, and without what QGIS sets for its own Python."""
    monkeypatch.setenv("PYTHONHOME", "/nowhere")
    said: list[str] = []
    percent: list[int] = []
    answer = module("command").call(["run", "a b.yaml"], tmp_path, told=said.append, progress=percent.append)
    found = json.loads(answer)
    assert found == {"line": ["run", "a b.yaml"], "folder": str(tmp_path), "home": None}
    assert said == ["checking", " 40 % of all work"]
    assert percent == [40]


def test_failure_and_cancelling_are_told(stub: Path, tmp_path: Path) -> None:
    command = module("command")
    with pytest.raises(command.CommandError, match="40 % of all work"):
        command.call(["run", "broken.yaml"], tmp_path)
    stub.write_text("import time\ntime.sleep(60)\n")
    with pytest.raises(command.CommandError, match="cancelled"):
        command.call(["run"], tmp_path, cancelled=lambda: True)


def test_missing_command_is_told_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    command = module("command")
    monkeypatch.delenv("CHANNELMAPS_COMMAND", raising=False)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(command.CommandError, match="pipx install channelmaps"):
        command.call(["run"])
    monkeypatch.setenv("CHANNELMAPS_COMMAND", "/nowhere/channelmaps")
    with pytest.raises(command.CommandError, match="cannot be run"):
        command.call(["run"])


def test_pairs_of_points_are_ranges() -> None:
    pairs = [(470e6, 20.0), (478e6, 20.0), (478e6, 3.5), (486e6, 3.5)]
    points = [{"hz": hz, "dbm": dbm} for hz, dbm in pairs]
    message = {
        "spectrumSpecs": [
            {"spectrumSchedules": [{"spectra": [{"resolutionBwHz": 8e6, "profiles": [points]}]}]}
        ]
    }
    assert module("answers").spectrum_rows(json.dumps(message)) == [
        (470.0, 478.0, 20.0, 8.0),
        (478.0, 486.0, 3.5, 8.0),
    ]
    assert module("answers").spectrum_rows('{"spectrumSpecs": [{"spectrumSchedules": []}]}') == []


def test_installed_plugin_calls_the_command_that_installed_it(tmp_path: Path) -> None:
    folder = install_plugin(tmp_path / "plugins")
    names = {path.name for path in folder.iterdir()}
    assert {"__init__.py", "metadata.txt", "provider.py", "algorithms.py", "command.json"} <= names
    assert json.loads((folder / "command.json").read_text()) == [sys.executable, "-m", "pipeline"]
    assert install_plugin(tmp_path / "plugins") == folder, "again, over itself"
    assert "hasProcessingProvider=yes" in (folder / "metadata.txt").read_text()


def test_plugin_of_another_is_not_overwritten(tmp_path: Path) -> None:
    other = tmp_path / "channelmaps/provider.py"
    other.parent.mkdir()
    other.write_text("print('mine')\n")
    with pytest.raises(InputError, match="a file of this plugin"):
        install_plugin(tmp_path)
    assert [path.name for path in other.parent.iterdir()] == ["provider.py"]


@pytest.mark.parametrize(
    ("platform", "environment", "folder"),
    [
        ("linux", {"HOME": "/home/a"}, "/home/a/.local/share/QGIS/QGIS3/profiles/default/python/plugins"),
        ("linux", {"HOME": "/home/a", "XDG_DATA_HOME": "/d"}, f"/d/{PROFILE}"),
        (
            "darwin",
            {"HOME": "/Users/a"},
            "/Users/a/Library/Application Support/QGIS/QGIS3/profiles/default/python/plugins",
        ),
        ("win32", {"HOME": "/u", "APPDATA": "/u/R"}, "/u/R/QGIS/QGIS3/profiles/default/python/plugins"),
    ],
)
def test_folder_of_the_profile(platform: str, environment: dict[str, str], folder: str) -> None:
    assert profile_folder(platform, environment) == Path(folder)


# --- a real QGIS --------------------------------------------------------------------------------------------


def processed(folder: Path, command: list[str], *tasks: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    """What QGIS's Processing tells of the plugin, and of tasks done with it."""
    plugins = install_plugin(folder / "plugins").parent
    (folder / "tasks.json").write_text(json.dumps(tasks))
    line = [SYSTEM_PYTHON, str(PROBE), str(plugins), str(folder / "tasks.json"), str(folder / "told.json")]
    environment = {
        "QT_QPA_PLATFORM": "offscreen",
        "HOME": str(folder),
        "PATH": "/usr/bin:/bin",
        "CHANNELMAPS_COMMAND": json.dumps(command),
    }
    done = subprocess.run(line, env=environment, capture_output=True, text=True, timeout=300)
    assert (folder / "told.json").is_file(), done.stderr
    return json.loads((folder / "told.json").read_text())


def own_command(repository: Path) -> list[str]:
    """The command of this checkout; the plugin takes QGIS's search path for modules away."""
    return ["/usr/bin/env", f"PYTHONPATH={repository}", sys.executable, "-m", "pipeline"]


@needs_qgis
def test_registry_lists_the_algorithms_and_they_call_the_command(tmp_path: Path, stub: Path) -> None:
    config = tmp_path / "broken.yaml"
    config.write_text("")
    whatif = {"SETTINGS": "a.b=1\n\nc=2\n", "CONFIG": str(config), "FOLDER": str(tmp_path), "CORES": 2}
    runs = {"RUN_A": str(tmp_path), "RUN_B": str(tmp_path), "OUTPUT": str(tmp_path / "out")}
    (tmp_path / "out").mkdir()
    found = processed(
        tmp_path,
        [sys.executable, str(stub)],
        ("channelmaps:whatif", whatif),
        ("channelmaps:run", {"CONFIG": str(config), "FOLDER": str(tmp_path), "CORES": 0}),
        ("channelmaps:compare", runs),
    )
    names = {f"channelmaps:{name}" for name in ("run", "whatif", "query", "explain", "compare")}
    assert set(found["algorithms"]) == names
    assert {"RESULTS", "POINT", "DEVICE"} <= set(found["algorithms"]["channelmaps:query"])
    assert not found["left"]
    changed, failed, compared = found["tasks"]
    said = json.loads(changed["SUMMARY"])
    assert said["line"] == ["what-if", str(config), "--set", "a.b=1", "--set", "c=2", "--cores", "2"]
    assert said["folder"] == str(tmp_path)
    assert changed["RESULTS"] == str(tmp_path / "results")
    assert "40 % of all work" in failed["failed"]
    assert json.loads(compared["ANSWER"])["line"][:3] == ["compare", str(tmp_path), str(tmp_path)]


@needs_qgis
def test_query_of_a_run_is_a_layer_with_the_rasters_numbers(tiny: Path, repository: Path) -> None:
    """Levels of the file itself, in every channel that is permitted at the pixel, and in no other."""
    run = publish(tiny).resolve()
    lon_deg, lat_deg = 14.2, 46.1
    x_m, y_m = Transformer.from_crs("EPSG:4326", "EPSG:3794", always_xy=True).transform(lon_deg, lat_deg)
    wanted = {}
    for path in (run / "public").glob("max_eirp_fixed30_ch*.tif"):
        with rasterio.open(path) as source:
            raw = int(source.read(1)[source.index(x_m, y_m)])
        if raw > -9998:
            wanted[474.0 + 8.0 * (int(path.stem[-2:]) - 21)] = raw / 100.0
    task = {
        "RESULTS": str(run),
        "POINT": f"{lon_deg},{lat_deg} [EPSG:4326]",
        "AT": "2026-11-21T13:00:00Z",
        "OUTPUT": "memory:",
    }
    (found,) = processed(tiny.parent, own_command(repository), ("channelmaps:query", task))["tasks"]
    assert "failed" not in found, found
    told = {}
    for (start_mhz, stop_mhz, dbm, width_mhz), lon, lat in found["OUTPUT"]:
        assert (lon, lat) == pytest.approx((lon_deg, lat_deg))
        if width_mhz != 8.0:
            continue
        told |= {mhz: dbm for mhz in wanted if start_mhz < mhz < stop_mhz}
        assert any(start_mhz < mhz < stop_mhz for mhz in wanted)
    assert wanted
    assert told == pytest.approx(wanted)


@needs_qgis
def test_explanation_is_a_page(case: Any, repository: Path, tmp_path: Path) -> None:
    run = test_explain.publish(case)
    with rasterio.open(next((run / "public").glob("max_eirp_fixed30_ch*.tif"))) as source:
        raw, (west, north) = source.read(1), (source.transform.c, source.transform.f)
        row, col = map(int, next(iter(zip(*(raw > -9998).nonzero(), strict=True))))
        x_m, y_m = source.xy(row, col)
        crs = source.crs.to_string()
    assert west < x_m
    assert north > y_m
    task = {
        "RESULTS": str(run),
        "POINT": f"{x_m},{y_m} [{crs}]",
        "DEVICE": "fixed30",
        "CHANNEL": str(test_explain.CHANNEL),
        "BUILD": str(case.folder),
        "OUTPUT": str(tmp_path / "page.html"),
    }
    wrong = task | {"CHANNEL": "99"}
    found = processed(
        tmp_path, own_command(repository), ("channelmaps:explain", task), ("channelmaps:explain", wrong)
    )["tasks"]
    assert "failed" not in found[0], found
    assert "dBm" in found[0]["ANSWER"]
    assert found[0]["ANSWER"].splitlines()[0] in Path(found[0]["OUTPUT"]).read_text(encoding="utf-8")
    assert "99" in found[1]["failed"]
