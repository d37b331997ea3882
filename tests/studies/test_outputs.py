"""Outputs that a user names replace earlier outputs of the same command, and nothing else.

Everything is refused before anything is computed, so the inputs here need not be of use to their commands.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import click
import pytest
import typer
from typer.testing import CliRunner

from pipeline import files
from pipeline.cli.main import app
from pipeline.errors import InputError
from tests.published import publish

TIFF = b"II*\0" + bytes(100)
PRIORITY = "priority: [{level: 1, device: fixed30, eirp_dbm: 20.0, channels: [21]}]\n"
OPTIONS = {"out", "report", "summary", "profile", "picture"}


class Command(NamedTuple):
    """A command line without its outputs, their options, an input and, of a folder, a file written there."""

    line: str
    outputs: tuple[str, ...]
    given: str
    product: str = ""


MAPPING = "in: [links.csv]\nplan: 8MHz\ncolumns: {lon: {from: lon}, lat: {from: lat}, channel: {from: x}}\n"
COMMANDS = {
    "predict": Command("predict --model p1546 --links links.csv", ("--out",), "links.csv"),
    "rr941": Command("rr941 --networks tiny.yaml --points links.csv", ("--out",), "links.csv"),
    "import": Command("import mapping.yaml", ("--out", "--report", "--areas-out"), "links.csv"),
    "rr941 screen": Command(
        "rr941 screen --own links.csv --published links.csv --ific-date 2026-06-16 --today 2026-07-01",
        ("--out",),
        "links.csv",
        "screen.csv",
    ),
    "init": Command("init SI files", ("--proposals",), "files/links.csv"),
    "export": Command("export ge06 register.csv --administration SVN", ("--out", "--report"), "register.csv"),
    "f1565": Command("f1565 --links links.csv", ("--out",), "links.csv"),
    "radar apply": Command(
        "radar apply --register db.csv --submission links.csv --mode strict",
        ("--out", "--report"),
        "links.csv",
    ),
    "radar export": Command("radar export --register db.csv --format csv", ("--out",), "db.csv"),
    "devices request": Command(
        "devices request links.csv --results results/tiny/latest", ("--out",), "links.csv"
    ),
    "devices digest": Command("devices digest --db sqlite:///links.csv", ("--out",), "links.csv"),
    "devices recheck": Command(
        "devices recheck --results results/tiny/latest --db sqlite:///links.csv", ("--out",), "links.csv"
    ),
    "devices poll-check": Command("devices poll-check links.csv --run-s 1", ("--out",), "links.csv"),
    "listing build": Command("listing build links.csv --authority si", ("--out",), "links.csv"),
    "listing sign": Command("listing sign links.csv --key links.csv", ("--out",), "links.csv"),
    "picture": Command("picture max_eirp_a_ch21.tif", ("",), "max_eirp_a_ch21.tif"),
    "explain": Command(
        "explain --results results/tiny/latest --lon 14.1 --lat 46.1 --channel 21 --device fixed30",
        ("--profile", "--picture"),
        "register.csv",
    ),
    "run": Command("run tiny.yaml", ("--summary",), "tiny.yaml"),
    "validate-field": Command(
        "validate-field links.csv --config tiny.yaml", ("--out",), "links.csv", "rows.csv"
    ),
    "aggregate": Command(
        "aggregate tiny.yaml --density-per-km2 0.1", ("--out",), "register.csv", "aggregate_ch21.tif"
    ),
    "priority": Command("priority tiny.yaml", ("--out",), "register.csv", "priority.csv"),
    "sensitivity": Command(
        "sensitivity tiny.yaml --channel 21 --device fixed30",
        ("--out",),
        "register.csv",
        "sensitivity_fixed30_ch21.csv",
    ),
    "basestation": Command(
        "basestation links.csv --results results/tiny/latest", ("--out",), "links.csv", "capacity.csv"
    ),
    "unserved": Command(
        "unserved --results results/tiny/latest/manifest.json --device fixed30",
        ("--out",),
        "results/tiny/latest/manifest.json",
        "answer.csv",
    ),
    "reach": Command(
        "reach --results results/tiny/latest --device fixed30 --mode x --cpe-table links.csv",
        ("--out",),
        "links.csv",
        "reach_statistics.csv",
    ),
    "audit": Command(
        "audit --results results/tiny/latest --answers links.csv", ("--out",), "links.csv", "audit.csv"
    ),
    "devices export": Command("devices export --db sqlite:///links.csv", ("--out",), "links.csv"),
    "devices report": Command("devices report --db sqlite:///links.csv", ("--out", "--html"), "links.csv"),
    "devices lost": Command("devices lost --db sqlite:///links.csv", ("--out",), "links.csv"),
    "devices stop-report": Command("devices stop-report 1 --db sqlite:///links.csv", ("--out",), "links.csv"),
    "devices shares": Command("devices shares --db sqlite:///links.csv", ("--out",), "links.csv"),
    "devices placed": Command("devices placed --db sqlite:///links.csv", ("--out",), "links.csv"),
    "links": Command("links links.csv", ("--out",), "links.csv", "links.csv"),
    "contour": Command("contour tiny.yaml", ("--out",), "register.csv", "contours.gpkg"),
    "dfs": Command(
        "dfs --f-mhz 5600 --bandwidth-mhz 20 --eirp-dbm 20 --radars links.csv --results results/tiny/latest",
        ("--out",),
        "links.csv",
    ),
    "sensing": Command("sensing --config tiny.yaml --results results/tiny/latest", ("--out",), "tiny.yaml"),
    "zone": Command("zone tiny.yaml --rules links.csv", ("--out",), "links.csv", "coordination_zone.tif"),
    "occupancy": Command(
        "occupancy links.csv --results results/tiny/latest", ("--out",), "links.csv", "summary.csv"
    ),
    "parts": Command("parts tiny.yaml --side-km 50", ("--out",), "register.csv", "tiny-1-1.yaml"),
    "join": Command(
        "join results/tiny/latest other/latest",
        ("--out",),
        "results/tiny/latest/manifest.json",
        "joined.json",
    ),
    "compare": Command(
        "compare results/tiny/latest other/latest", ("--out",), "register.csv", "compare_fixed30.png"
    ),
}
FILES = [name for name, command in COMMANDS.items() if not command.product]
FOLDERS = [name for name, command in COMMANDS.items() if command.product]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a territory file, its register, a published run, and inputs that are none."""
    from tests.tiny import CONFIG, STATIONS, write_register

    folder = tmp_path_factory.mktemp("outputs")
    before = Path.cwd()
    os.chdir(folder)
    try:
        write_register(folder / "register.csv", STATIONS)
        (folder / "tiny.yaml").write_text(PRIORITY + CONFIG, encoding="utf-8")
        publish(folder / "tiny.yaml")
        (folder / "other").symlink_to("results/tiny")
        (folder / "mapping.yaml").write_text(MAPPING, encoding="utf-8")
        (folder / "files").mkdir()
        for name in ("links.csv", "files/links.csv", "db.csv", "max_eirp_a_ch21.tif", "no_text.csv"):
            (folder / name).write_bytes(b"lon,lat\n1,2\n")
    finally:
        os.chdir(before)
    return folder


@pytest.fixture
def work(runs: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder as the working folder; what a test added is removed, and nothing else has changed."""
    monkeypatch.chdir(runs)
    before = content(runs)
    yield runs
    for path in sorted(runs.rglob("*"), reverse=True):
        if path.relative_to(runs).as_posix() not in before:
            path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
    assert content(runs) == before


def content(folder: Path) -> dict[str, bytes | str]:
    """Every file and folder below a folder with its content."""
    return {
        path.relative_to(folder).as_posix(): str(path.readlink())
        if path.is_symlink()
        else path.read_bytes()
        if path.is_file()
        else ""
        for path in folder.rglob("*")
        if ".snakemake" not in path.parts
    }


def refused(folder: Path, name: str, *outputs: str) -> str:
    """The line of a refusal, after which all is as it was."""
    command = COMMANDS[name]
    given = [part for pair in zip(command.outputs, outputs, strict=True) for part in pair if part]
    before = content(folder)
    done = CliRunner().invoke(app, [*command.line.split(), *given])
    assert isinstance(done.exception, InputError), (done.output, done.exception)
    assert content(folder) == before
    line = str(done.exception)
    assert "\n" not in line
    return line


def others(name: str) -> list[str]:
    """Good paths for the outputs of a command but its first one."""
    return [f"other{i}.json" for i in range(len(COMMANDS[name].outputs) - 1)]


def test_every_command_that_writes_is_looked_at() -> None:
    def commands(group: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
        for name, command in getattr(group, "commands", {}).items():
            yield " ".join([*path, name]), command
            yield from commands(command, (*path, name))

    found = commands(typer.main.get_command(app))
    assert {name for name, command in found if OPTIONS & {p.name for p in command.params}} == set(COMMANDS)


@pytest.mark.parametrize("link", ["same", "dots", "symbolic", "hard"])
@pytest.mark.parametrize("name", FILES)
def test_input_is_no_output(work: Path, name: str, link: str) -> None:
    given = COMMANDS[name].given
    if link == "symbolic":
        (work / "link").symlink_to(given)
    elif link == "hard":
        (work / "link").hardlink_to(given)
    else:
        (work / "sub").mkdir()
    path = {"same": given, "dots": f"sub/../{given}"}.get(link, "link")
    assert "would change an input" in refused(work, name, path, *others(name))


@pytest.mark.parametrize("name", FOLDERS)
def test_input_in_the_folder_of_an_output(work: Path, name: str) -> None:
    (work / "out").mkdir()
    product = work / "out" / COMMANDS[name].product
    if name == "compare":
        assert "would change an input" in refused(work, name, "results/tiny/latest")
        return
    for make in (product.symlink_to, product.hardlink_to):
        make(work / COMMANDS[name].given)
        assert "would change an input" in refused(work, name, "out")
        product.unlink()


@pytest.mark.parametrize(
    "place", ["results/tiny/latest/public", "other/latest", "results/tiny", "build/tiny/coverage", "copy"]
)
@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "compare"])
def test_folders_of_runs_are_not_written_to(work: Path, name: str, place: str) -> None:
    (work / "build/tiny/coverage").mkdir(parents=True, exist_ok=True)
    for part in ("manifest.json", "public"):
        (work / "copy" / part).mkdir(parents=True)
    for path in (f"{place}/new", *([place] if name in FOLDERS else [])):
        line = refused(work, name, path, *others(name))
        # The intermediates are an input of some commands.
        assert "lies in a folder of runs" in line or "would change an input" in line


@pytest.mark.parametrize(
    "content", [TIFF, b"\x89PNG", b"id,lon\nA,1\n", b'{"type": "FeatureCollection"}', b"\xff\n"]
)
@pytest.mark.parametrize("name", COMMANDS)
def test_another_kind_of_file_stays(work: Path, name: str, content: bytes) -> None:
    place = work / "out" / COMMANDS[name].product if name in FOLDERS else work / "out"
    place.parent.mkdir(exist_ok=True)
    place.write_bytes(content)
    if name in {"aggregate", "dfs", "sensing", "zone"} and content == TIFF:
        return
    if name == "listing build" and content.startswith(b"{"):
        return
    assert "another kind" in refused(work, name, "out", *others(name))


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "run"])
def test_place_must_be_there_and_of_the_right_kind(work: Path, name: str) -> None:
    (work / "folder").mkdir()
    (work / "file").write_bytes(b"")
    (work / "circle").symlink_to("circle")
    said = "cannot be written" if name in FOLDERS else "is a link"
    assert said in refused(work, name, "circle", *others(name))
    wrong = ["file/x", "x" * 300, "file" if name in FOLDERS else "folder"]
    if name not in (*FOLDERS, "picture"):
        wrong.append("missing/x")
    for path in wrong:
        assert "cannot be written" in refused(work, name, path, *others(name)), path


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "run"])
def test_folder_that_may_not_be_written_to(work: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may write everywhere but on a read-only disk: the answer of the system is made up."""
    (work / "closed").mkdir()

    def closed(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(files, "TemporaryFile", closed)
    assert "Permission denied" in refused(work, name, "closed/x", *others(name))


@pytest.mark.skipif(not os.access("/proc", os.W_OK), reason="only to the superuser it looks writable")
@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "run"])
def test_folder_of_the_kernel_holds_no_file(work: Path, name: str) -> None:
    assert "cannot be written" in refused(work, name, "/proc/x", *others(name))


@pytest.mark.parametrize("name", FILES)
def test_device_is_no_file(work: Path, name: str) -> None:
    assert "another kind" in refused(work, name, os.devnull, *others(name))


@pytest.mark.parametrize("name", FILES)
def test_link_and_unprintable_path_are_no_outputs(work: Path, name: str) -> None:
    """A link would be replaced, and what it leads to stay as it was: `/dev/stdout` is one."""
    (work / "empty").write_bytes(b"")
    (work / "to_empty").symlink_to("empty")
    (work / "to_none").symlink_to("none")
    for path, said in [("to_empty", "is a link"), ("to_none", "is a link"), ("a\nb", "cannot be printed")]:
        assert said in refused(work, name, path, *others(name))


@pytest.mark.parametrize("second", ["new", "sub/../new", "link/new", "NEW"])
def test_two_outputs_are_two_files(work: Path, second: str) -> None:
    (work / "sub").mkdir()
    (work / "link").symlink_to(".")
    assert "another output of this command" in refused(work, "radar apply", "new", second)


def test_summary_that_is_refused_is_not_written(work: Path) -> None:
    """The summary of a refused run is written; not where it must not be."""
    (work / "tiny.yaml").rename(work / "kept.yaml")
    try:
        (work / "tiny.yaml").write_text("name: 7\n")
        assert "would change an input" in refused(work, "run", "tiny.yaml")
    finally:
        (work / "kept.yaml").replace(work / "tiny.yaml")


def test_earlier_output_is_replaced(work: Path) -> None:
    (work / "good.csv").write_text(
        "f_mhz,d_km,h1_m,t_pct,h2_m,area,=note,name\n600,10,150,50,10,rural,-5,'=1\n600,10,150,50,10,rural,@x,b\n"
    )
    command = "predict --model p1546 --links good.csv --out out.csv"
    done = [CliRunner().invoke(app, command.split()) for _ in range(2)]
    assert [(result.exit_code, result.exception) for result in done] == [(0, None)] * 2
