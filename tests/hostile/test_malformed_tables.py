"""Tables of the tools with one cell or line wrong: refused by file, row and field, never computed with."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.cli.main import main
from pipeline.coordination.f1565.budget_document import f1565_command
from pipeline.coordination.rr941.point_table import rr941_command
from pipeline.plan.territory_file import load_config
from pipeline.registers.transmitters import read_register
from pipeline.studies.aggregate import aggregate_command
from pipeline.studies.measured_fields import read_measurements
from pipeline.studies.predict import predict_command
from pipeline.studies.validate_field import validate_field_command
from tests.coordination.satellites import case_b, write_yaml
from tests.hostile.malformed import NO_NUMBERS, Case, as_csv, cells, files, verdicts
from tests.jobs import run_from
from tests.tiny import CONFIG, STATIONS, write_register

P1546 = dict.fromkeys(
    [
        "f_mhz",
        "t_pct",
        "heff_m",
        "h2_m",
        "R2_m",
        "area",
        "d_km",
        "d_v_km",
        "path_c",
        "pathinfo",
        "q_pct",
        "wa_m",
        "ptx_kw",
        "ha_m",
        "hb_m",
        "R1_m",
        "tca_deg",
        "htter_m",
        "hrter_m",
        "eff1_deg",
        "eff2_deg",
    ],
    "",
) | {"f_mhz": "600", "heff_m": "100", "d_km": "30", "d_v_km": "10;20", "path_c": "Land;Sea", "area": "Rural"}
HATA = {"f_mhz": "600", "d_km": "3", "ha_m": "50", "h2_m": "10", "area": "Urban", "ptx_kw": "1"}
FREE_SPACE = {"f_mhz": "600", "d_km": "3", "ptx_kw": "1"}
LINKS = {"p1546": P1546, "hata": HATA, "extended_hata": HATA, "free_space": FREE_SPACE}
WORDS = ("area", "path_c", "d_v_km", "pathinfo")
# Numbers that no link can have; frequencies, distances and powers that are not positive get valid 0 instead.
IMPOSSIBLE = {
    "R2_m": ("-1", "1e6"),
    "R1_m": ("-1", "1e6"),
    "wa_m": ("-1", "1e6"),
    "ha_m": ("-1", "1e6"),
    "heff_m": ("-1e5", "1e6"),
    "h2_m": ("-1e5", "1e6"),
    "tca_deg": ("-91", "91"),
    "eff1_deg": ("-91", "91"),
    "eff2_deg": ("-91", "91"),
    "d_km": ("1e7", "1e-300"),
    "f_mhz": ("1e7", "1e-300"),
    "ptx_kw": ("1e7", "1e-300"),
    "pathinfo": ("2", "yes", "0.5"),
    "area": ("Ocean", "rural;urban", "1"),
    "path_c": ("Land", "Land;Sea;Land", "Land;Lake", ";", "Land;"),
    "d_v_km": ("10;-20", "10;20;", "10;x", ";", "10,20"),
}


@pytest.mark.parametrize("model", LINKS)
def test_links_that_cannot_be_are_refused(tmp_path: Path, model: str) -> None:
    path, out, good = tmp_path / "links.csv", tmp_path / "out.csv", LINKS[model]
    faults = [
        *cells(good, [name for name in good if name not in WORDS], NO_NUMBERS),
        *[case for name in good for case in cells(good, [name], IMPOSSIBLE.get(name, ()))],
        *[case for case in files(good, "f_mhz") if case.name != "header alone"],
    ]
    assert len(faults) >= 60
    assert not verdicts(path, faults, lambda: predict_command(model, path, out))
    assert not out.exists()


POINT = {"lon": "46.7", "lat": "24.7"}


def test_points_that_are_nowhere_are_refused(tmp_path: Path) -> None:
    networks, path, out = tmp_path / "networks.yaml", tmp_path / "points.csv", tmp_path / "out.csv"
    write_yaml(networks, case_b())
    faults = [
        *cells(POINT, POINT, [*NO_NUMBERS, "", " "]),
        *cells(POINT, ["lon"], ["180.001", "-181", "1e6"]),
        *cells(POINT, ["lat"], ["90.001", "-91", "1e6"]),
        *files(POINT, "lon"),
    ]
    assert len(faults) >= 60
    assert not verdicts(path, faults, lambda: rr941_command(networks, path, out))
    assert not out.exists()


LINK = dict(
    zip(
        [
            "id",
            "portion",
            "country",
            "standard",
            "bit_rate_kbps",
            "length_km",
            "br",
            "a1",
            "b",
            "c",
            "blocks_per_s",
            "built_before_1996",
        ],
        ["one", "international", "intermediate", "G.828", "150336", "105", "1", "", "", "", "8000", ""],
        strict=True,
    )
)


def test_fixed_links_without_an_objective_are_refused(tmp_path: Path) -> None:
    path, out = tmp_path / "links.csv", tmp_path / "budget.json"
    long_haul = {**LINK, "portion": "long_haul", "country": "", "br": "", "a1": "0.015"}
    faults = [
        *cells(LINK, ["bit_rate_kbps", "length_km", "br", "blocks_per_s"], [*NO_NUMBERS, "-1", "0", "1e99"]),
        *cells(LINK, ["bit_rate_kbps"], ["", "1", "150337"]),
        *cells(LINK, ["length_km"], ["", "27501"]),
        *cells(LINK, ["br"], ["", "1.0001"]),
        *cells(LINK, ["portion"], ["", "International", "short", "1"]),
        *cells(LINK, ["country"], ["", "transit", "SI"]),
        *cells(LINK, ["standard"], ["", "G.827", "g.828", "828"]),
        *cells(LINK, ["id"], ["", " ", "x" * 65, "a\x1bb"]),
        *cells(LINK, ["built_before_1996"], ["1995", "maybe", "2"]),
        *cells(long_haul, ["a1"], ["", "-0.015", "0", "1.5", "15%"]),
        *files(LINK, "portion"),
        Case("id twice", as_csv(LINK) + as_csv(LINK).splitlines()[1] + "\n", 3, "id"),
    ]
    assert len(faults) >= 60
    assert not verdicts(path, faults, lambda: f1565_command(path, out))
    assert not out.exists()


@pytest.fixture(scope="module")
def territory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tables")
    write_register(folder / "register.csv", STATIONS)
    content = CONFIG.replace("[register.csv]", f"[{folder / 'register.csv'}]")
    (folder / "tiny.yaml").write_text(content, encoding="utf-8")
    run_from("territory", folder / "tiny.yaml", folder / "build/tiny")
    return folder / "tiny.yaml"


MEASURED = {
    "lon": "14.12",
    "lat": "46.12",
    "field_dbuvm": "60",
    "channel": "21",
    "transmitter": "A",
    "h2_m": "10",
}


def test_measurements_that_cannot_be_are_refused(territory: Path, tmp_path: Path) -> None:
    register, _ = read_register(load_config(territory))
    path = tmp_path / "measured.csv"
    faults = [
        *cells(MEASURED, ["lon", "lat", "field_dbuvm", "channel", "h2_m"], NO_NUMBERS),
        *cells(MEASURED, ["lon", "lat", "field_dbuvm"], ["", " "]),
        *cells(MEASURED, ["lon"], ["180.001", "-181"]),
        *cells(MEASURED, ["lat"], ["90.001", "-91"]),
        *cells(MEASURED, ["field_dbuvm"], ["-61", "201", "60 dBuV/m"]),
        *cells(MEASURED, ["h2_m"], ["0", "-10", "51"]),
        *cells(MEASURED, ["channel"], ["0", "100", "21.5", "22"]),
        *cells(MEASURED, ["transmitter"], ["Z", "a", "A;B", "x" * 65]),
        *files(MEASURED, "field_dbuvm"),
    ]
    assert len(faults) >= 60
    assert not verdicts(path, faults, lambda: read_measurements(path, register))


def test_measurements_with_exchanged_coordinates_are_refused(territory: Path, tmp_path: Path) -> None:
    path = tmp_path / "measured.csv"
    faults = [
        Case("exchanged", as_csv({**MEASURED, "lon": "46.12", "lat": "14.12"}), 2, "lon, lat"),
        Case("wrong sign", as_csv({**MEASURED, "lat": "-46.12"}), 2, "lon, lat"),
    ]
    assert not verdicts(path, faults, lambda: validate_field_command(path, territory))


PLACED = {"lon": "14.12", "lat": "46.12", "channel": "22", "eirp_dbm": "10", "device": "fixed30"}


def test_devices_that_cannot_stand_there_are_refused(territory: Path, tmp_path: Path) -> None:
    path, out = tmp_path / "placed.csv", tmp_path / "out"
    faults = [
        *cells(PLACED, ["lon", "lat", "channel", "eirp_dbm"], NO_NUMBERS),
        *cells(PLACED, ["lon", "lat", "channel", "device"], ["", " "]),
        *cells(PLACED, ["lon"], ["14.12000000E2", "-14.12", "15"]),
        *cells(PLACED, ["eirp_dbm"], ["36.01", "-201", "1W"]),
        *cells(PLACED, ["channel"], ["20", "31", "22.5", "0"]),
        *cells(PLACED, ["device"], ["fixed", "FIXED30", "fixed30;fixed30"]),
        Case("exchanged", as_csv({**PLACED, "lon": "46.12", "lat": "14.12"}), 2, "lon"),
        *files(PLACED, "channel"),
    ]
    assert len(faults) >= 60

    def run() -> None:
        aggregate_command(territory, out, devices=path, build=territory.parent / "build/tiny")

    assert not verdicts(path, faults, run)
    assert not out.exists()


@pytest.mark.parametrize("density", ["0", "-1", "nan", "inf", "1e300", "1e-300", "4.01"])
def test_density_that_is_none_is_refused(territory: Path, tmp_path: Path, density: str) -> None:
    build = territory.parent / "build/tiny"
    arguments = ["aggregate", str(territory), "--density-per-km2", density, "--out", str(tmp_path / "out")]
    assert command([*arguments, "--build", str(build)])[0] == 2


def command(arguments: list[str]) -> tuple[int, list[str]]:
    """Exit code and lines on the standard error output of a command, in this process."""
    import contextlib
    import io
    from unittest.mock import patch

    said = io.StringIO()
    with patch("sys.argv", ["channelmaps", *arguments]), contextlib.redirect_stderr(said):
        try:
            main()
        except SystemExit as end:
            return int(end.code or 0), said.getvalue().strip().splitlines()
    return 0, said.getvalue().strip().splitlines()


FAMILIES = {
    "predict": (
        FREE_SPACE,
        "f_mhz",
        ["predict", "--model", "free_space", "--links", "in.csv", "--out", "o.csv"],
    ),
    "rr941": (POINT, "lon", ["rr941", "--networks", "n.yaml", "--points", "in.csv", "--out", "o.csv"]),
    "f1565": (LINK, "length_km", ["f1565", "--links", "in.csv", "--out", "o.json"]),
    "validate-field": (MEASURED, "lat", ["validate-field", "in.csv", "--config", "tiny.yaml"]),
    "aggregate": (PLACED, "lat", ["aggregate", "tiny.yaml", "--devices", "in.csv", "--out", "o"]),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_command_ends_in_one_line_that_names_file_row_field_value(
    territory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, family: str
) -> None:
    monkeypatch.chdir(tmp_path)
    good, column, arguments = FAMILIES[family]
    write_yaml(tmp_path / "n.yaml", case_b())
    (tmp_path / "tiny.yaml").symlink_to(territory)
    (tmp_path / "build").symlink_to(territory.parent / "build")
    for value in ("nan", "1,5", "1e300", "abc", "\uff11"):
        (tmp_path / "in.csv").write_text(as_csv({**good, column: value}), encoding="utf-8")
        code, lines = command(arguments)
        assert (code, len(lines)) == (2, 1)
        assert f"in.csv, row 2, field {column}" in lines[0]
        assert value in lines[0]
        assert "allowed: " in lines[0]
