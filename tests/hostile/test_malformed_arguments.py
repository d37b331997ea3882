"""Arguments of the commands on results that cannot be: one line and exit code 2, never a traceback."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import click
import pytest
import typer

from pipeline.cli.main import app, main
from pipeline.workflow import what_if
from tests.published import publish
from tests.tiny import CONFIG, STATIONS, write_register

NO_NUMBERS = ("", "abc", "1,5", "0x10", "1 2", "nan", "inf", "-inf", "1e999", "\uff11")
PLACE = {"--lon": "14.16", "--lat": "46.1"}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A published run; its territory is the working folder."""
    with pytest.MonkeyPatch.context() as patched:
        folder = tmp_path_factory.mktemp("arguments")
        patched.chdir(folder)
        write_register(folder / "register.csv", STATIONS)
        config = folder / "tiny.yaml"
        config.write_text(CONFIG.replace('wsd: ["21-30"]', "wsd: [22, 23, 25]"), encoding="utf-8")
        yield publish(config)


def command(*arguments: object) -> tuple[int, str]:
    """Exit code and standard error output of a command in this process."""
    said = io.StringIO()
    words = ["channelmaps", *map(str, arguments)]
    with (
        patch("sys.argv", words),
        contextlib.redirect_stderr(said),
        contextlib.redirect_stdout(io.StringIO()),
    ):
        try:
            main()
        except SystemExit as end:
            return int(end.code or 0), said.getvalue()
    return 0, said.getvalue()


def options(changes: dict[str, object], base: dict[str, object]) -> list[object]:
    return [word for pair in {**base, **changes}.items() for word in pair]


def refusals(cases: list[list[object]]) -> list[str]:
    """The cases that are not refused as they should: exit code 2, one block on one fault."""
    assert len(cases) >= 60
    wrong = []
    for case in cases:
        code, said = command(*case)
        lines = said.strip().splitlines()
        usage = lines and lines[0].startswith("Usage") and said.count("Error") == 1
        if code != 2 or not (usage or (len(lines) == 1 and lines[0].startswith("channelmaps: "))):
            wrong.append(f"{' '.join(map(str, case))[:200]}: {code}: {said[:300]}")
    return wrong


def test_places_devices_and_numbers_of_a_query(run: Path) -> None:
    base: dict[str, object] = {"--results": run, **PLACE}
    cases = [
        ["query", *options({name: value}, base)]
        for name in ("--lon", "--lat", "--height", "--uncertainty", "--eirp")
        for value in (*NO_NUMBERS, "1e300", "-1e300")
    ]
    cases += [["query", *options({"--lon": value}, base)] for value in ("181", "-181", "1e6")]
    cases += [["query", *options({"--lat": value}, base)] for value in ("91", "-91", "1e6")]
    cases += [["query", *options({"--height": value}, base)] for value in ("0", "-1", "10001")]
    cases += [["query", *options({"--uncertainty": value}, base)] for value in ("-1", "-1e-300", "1e9")]
    cases += [
        ["query", *options({"--device": value}, base)] for value in ("", "x", "../x", "fixed30;", "x" * 300)
    ]
    cases += [
        ["query", *options({"--results": value}, base)]
        for value in ("", "none", "tiny.yaml", "/dev/null", run / "public", "x" * 5000)
    ]
    assert not refusals(cases)


def test_places_channels_and_folders_of_an_explanation(run: Path) -> None:
    base: dict[str, object] = {"--results": run, **PLACE, "--channel": "22", "--device": "fixed30"}
    cases = [
        ["explain", *options({name: value}, base)]
        for name in ("--lon", "--lat", "--channel")
        for value in (*NO_NUMBERS, "1e300", "-1e300")
    ]
    cases += [["explain", *options({"--channel": value}, base)] for value in ("0", "-1", "100", "26", "22.5")]
    cases += [
        ["explain", *options({"--device": value}, base)] for value in ("", "x", "../x", "FIXED30", "x" * 300)
    ]
    cases += [["explain", *options({"--lon": value}, base)] for value in ("181", "-181")]
    cases += [["explain", *options({"--lat": value}, base)] for value in ("91", "-91")]
    cases += [
        ["explain", *options({name: value}, base)]
        for name in ("--results", "--build")
        for value in ("none", "tiny.yaml", "/dev/null", run / "public", "x" * 5000)
    ]
    cases += [["explain", *options({"--results": ""}, base)], ["explain"], ["explain", "--results", run]]
    assert not refusals(cases)


def test_runs_and_layers_that_are_none(run: Path) -> None:
    layer = run / "public/max_eirp_fixed30_ch22.tif"
    for name, content in {
        "max_eirp_a.tif": b"",
        "max_eirp_b.tif": b"II*\0",
        "max_eirp_c.tif": layer.read_bytes()[:300],
        "max_eirp_d.tif": b"x" * 1000,
        "available_channels_x_1dbm.tif": layer.read_bytes(),
    }.items():
        Path(name).write_bytes(content)
    nowhere: list[object] = [
        "none",
        "",
        "tiny.yaml",
        "/dev/null",
        run / "public",
        run.parent.parent,
        "x" * 5000,
    ]
    nowhere += ["a\nb", "\x1b[31m", "..", "results/tiny/none", "register.csv"]
    cases: list[list[object]] = [["compare", run, other, "--out", "changes"] for other in nowhere]
    cases += [["compare", other, run, "--out", "changes"] for other in nowhere]
    cases += [["picture", other, "map.png"] for other in nowhere]
    cases += [["picture", name, "map.png"] for name in sorted(map(str, Path().glob("*_*.tif")))]
    cases += [["picture", run / "public/query_fixed30.tif", "map.png"]]
    cases += [
        ["picture", layer, "map.png", "--title", title] for title in ("\x0b", "x" * 201, "a\nb", "\u202e")
    ]
    cases += [["compare", run, run], ["compare", run, "--out", "changes"], ["picture", layer], ["picture"]]
    cases += [
        [
            "sensitivity",
            "tiny.yaml",
            *options({name: value}, {"--channel": "22", "--device": "fixed30", "--out": "s"}),
        ]
        for name in ("--channel", "--threads")
        for value in ("", "x", "0", "-1", "1.5", "nan")
    ]
    assert not refusals(cases)
    assert not Path("map.png").exists()
    assert not Path("changes").exists()


def test_changes_of_settings_that_cannot_be(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.plan.territory_file import load_config

    def checked(path: Path, *_: object) -> int:
        load_config(path)
        return 0

    monkeypatch.setattr(what_if, "run_command", checked)
    monkeypatch.setattr(what_if, "margins_km", lambda _: [30.0, 30.0])  # of the published settings, each time
    device = "devices.fixed30"
    changes = [
        "",
        "=",
        "a",
        "=1",
        "a=",
        "a=b",
        ".=1",
        "..=1",
        "devices.=1",
        ".devices=1",
        "a.b.c=1",
        "devices=1",
        f"{device}=1",
        f"{device}.dq_pct=.nan",
        f"{device}.dq_pct=.inf",
        f"{device}.dq_pct=-1",
        f"{device}.dq_pct=nan",
        f"{device}.dq_pct=1,5",
        f"{device}.dq_pct=[",
        f"{device}.dq_pct={{",
        f"{device}.dq_pct=2020-13-45",
        f"{device}.dq_pct=2020-02-30",
        f"{device}.dq_pct=" + "[" * 3000,
        f"{device}.dq_pct=&a [*a]",
        f"{device}.dq_pct=!!python/object/apply:os.system [x]",
        f"{device}.min_eirp_dbm=36.5",
        f"{device}.cap_dbm=-41",
        f"{device}.bandwidth_mhz=-8",
        f"{device}.height_m=0",
        f"{device}.id=../x",
        "devices.none.dq_pct=1",
        "devices.9.dq_pct=1",
        "devices.-1.dq_pct=1",
        "devices.\uff11.dq_pct=1",
        "devices.\u00b2=1",
        "grid.crs=1",
        "grid.crs=EPSG:1",
        "grid.resolution_m=0",
        "grid.resolution_m=1e300",
        "grid.colour=1",
        "grid=null",
        "name=x",
        "name=../x",
        "results=x",
        "results=/etc",
        "channels.wsd=[]",
        "channels.wsd=22",
        "channels.wsd.0=99",
        "channels.wsd.0.0=99",
        "channels.wsd=[22, 22]",
        "levels_dbm=[]",
        "levels_dbm=[1, 1]",
        "levels_dbm=[99]",
        "levels_dbm.0.x=1",
        "coverage.q_min=2",
        "coverage.q_min.value=2",
        "coverage.q_min.value.x=2",
        "services.dtt=1",
        "services.dtt.status=maybe",
        "services=null",
        "territory.bbox_deg=[1, 2, 3]",
        "validity_hours=1e-300",
        "territory.bbox_deg=[15, 46, 14, 47]",
        "grid.margin_km=-1",
        "registers.transmitters=[]",
        "x" * 5000 + "=1",
        "coverage.receiver_bands=[]",
        "coverage.receiver_bands.0.gain_dbd=x",
    ]
    assert not refusals([["what-if", "tiny.yaml", "--set", change] for change in changes])


def commands_of(group: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Commands below a group with the words that name them."""
    for name, one in getattr(group, "commands", {}).items():
        yield from commands_of(one, (*path, name))
        yield (*path, name), one


def test_an_option_is_given_once() -> None:
    """Of each command, each option; the files named are not looked for before."""
    seen = 0
    for words, one in commands_of(typer.main.get_command(app)):
        for option in one.params:
            if option.param_type_name != "option" or option.name == "help":
                continue
            twice = [option.opts[0], *([] if option.is_flag else ["7"])] * 2
            code, said = command(*words, *twice)
            if option.multiple:
                assert "given twice" not in said, (words, option.name)
                continue
            assert (code, "is given twice" in said, option.opts[0] in said) == (2, True, True), (words, said)
            seen += 1
    assert seen > 60
