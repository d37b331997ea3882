"""`channelmaps occupancy` beside a small published run whose levels and served pixels are set by hand."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from pyproj import Transformer
from typer.testing import CliRunner

from pipeline.cli.main import app
from pipeline.studies.occupancy import judge
from tests import published
from tests.published import HEIGHT, NORTH_M, PIXEL_M, WEST_M, WIDTH

# Rows of places: permitted 25 dBm, permitted 15 dBm, nothing permitted, not evaluated, beyond the territory.
LEVELS = (2500, 1500, published.NOT_PERMITTED, published.NOT_EVALUATED, published.OUTSIDE)


def place_of(kind: int, served: bool) -> tuple[float, float]:
    """In the middle of the strip of a kind of level; the eastern half is served."""
    x_m = WEST_M + PIXEL_M * WIDTH * (0.75 if served else 0.25)
    y_m = NORTH_M - PIXEL_M * HEIGHT * (kind + 0.5) / len(LEVELS)
    return Transformer.from_crs("EPSG:3794", "EPSG:4326", always_xy=True).transform(x_m, y_m)


@pytest.fixture
def run(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    raw = np.repeat(np.array(LEVELS, np.int16), HEIGHT // len(LEVELS))[:, None] + np.zeros(
        (1, WIDTH), np.int16
    )
    monkeypatch.setattr(published, "random_levels", lambda seed, gaps: raw)
    served = np.zeros((HEIGHT, WIDTH), np.uint8)
    served[:, WIDTH // 2 :] = 1
    return published.publish(tiny, more={"internal/dtt_served_ch21.tif": served})


def write(rows: list[str], columns: str = "lon,lat,duty_pct,channel,level_dbm") -> Path:
    path = Path("measured.csv")
    path.write_text("\n".join([columns, *rows]) + "\n")
    return path


def found(run: Path, path: Path, *options: str) -> pd.DataFrame:
    result = CliRunner().invoke(
        app, ["occupancy", str(path), "--results", str(run), "--out", "out", *options]
    )
    assert result.exit_code == 0, result.output
    assert "Occupancy does not decide availability (SM.2405 6.3)" in result.output
    return pd.read_csv("out/occupancy.csv", dtype=str, keep_default_na=False)


CASES = [
    (1.0, 2500, False, "OCCUPIED_BUT_AVAILABLE"),
    (0.99, 2500, False, "CONSISTENT"),
    (50.0, 1500, False, "CONSISTENT"),
    (50.0, published.NOT_PERMITTED, False, "CONSISTENT"),
    (50.0, published.NOT_EVALUATED, False, "NOT_EVALUATED"),
    (50.0, published.OUTSIDE, False, "NOT_EVALUATED"),
    (0.0, published.NOT_PERMITTED, True, "QUIET_BUT_SERVED"),
    # A channel that a known station serves there is detected: nothing is odd.
    (100.0, 2500, True, "CONSISTENT"),
    (0.0, published.NOT_EVALUATED, True, "QUIET_BUT_SERVED"),
]


def test_finding_by_level_reception_and_duty(run: Path) -> None:
    places = [place_of(LEVELS.index(level), served) for _, level, served, _ in CASES]
    rows = found(
        run, write([f"{lon},{lat},{case[0]},21,-60" for (lon, lat), case in zip(places, CASES, strict=True)])
    )
    for row, (_, level, served, finding) in zip(rows.to_dict("records"), CASES, strict=True):
        assert row["finding"] == finding
        assert row["served"] == ("yes" if served else "no")
        assert row["max_eirp_dbm"] == (f"{level / 100:.2f}" if level > 0 else "")


def test_every_combination_of_what_is_judged() -> None:
    cases = [(e, a, s, h) for e in (0, 1) for a in (0, 1) for s in (0, 1) for h in (0, 1)]
    said = {
        case: judge(bool(case[0]), available=bool(case[1]), served=bool(case[2]), detected=bool(case[3]))
        for case in cases
    }
    assert [case for case in cases if said[case] == "OCCUPIED_BUT_AVAILABLE"] == [(1, 1, 0, 1)]
    assert {case for case in cases if said[case] == "QUIET_BUT_SERVED"} == {
        c for c in cases if c[2] and not c[3]
    }
    assert {case for case in cases if said[case] == "NOT_EVALUATED"} == {
        c for c in cases if not c[0] and not c[2]
    }


def test_field_becomes_a_level_that_a_threshold_counts_against(run: Path) -> None:
    """54 dB(uV/m) at 474 MHz: 54 - 77.216 - 53.516 + 3 = -73.73 dBm."""
    lon, lat = place_of(0, served=False)
    columns = "lon,lat,duty_pct,f_mhz,bandwidth_mhz,field_dbuvm,threshold_dbm,antenna_dbi"
    path = write([f"{lon},{lat},20,474,8,54,{threshold},3" for threshold in (-73.8, -73.7, "")], columns)
    rows = found(run, path)
    assert rows["level_dbm"].tolist() == ["-73.73"] * 3
    assert rows["detected"].tolist() == ["yes", "no", "yes"]
    assert rows["finding"].tolist() == ["OCCUPIED_BUT_AVAILABLE", "CONSISTENT", "OCCUPIED_BUT_AVAILABLE"]


def test_band_concerns_every_channel_that_it_touches_and_an_edge_none(run: Path) -> None:
    lon, lat = place_of(0, served=False)
    columns = "lon,lat,duty_pct,f_mhz,bandwidth_mhz,level_dbm"
    rows = found(
        run,
        write(
            [f"{lon},{lat},20,478,1,-60", f"{lon},{lat},20,482,8,-60", f"{lon},{lat},20,700,8,-60"], columns
        ),
    )
    assert rows[["row", "channel"]].values.tolist() == [["2", "21"], ["2", "22"], ["3", "22"], ["4", ""]]
    assert rows["finding"].iloc[3] == "NOT_EVALUATED"


def test_summary_counts_places_and_the_map_has_a_point_each_row(run: Path) -> None:
    (lon, lat), (lon_2, lat_2) = place_of(0, served=False), place_of(1, served=False)
    rows = [f"{lon},{lat},0,22,-90", f"{lon},{lat},5,22,-60", f"{lon_2},{lat_2},0,22,-90"]
    found(run, write(rows))
    (line,) = pd.read_csv("out/summary.csv").to_dict("records")
    assert (line["channel"], line["places"], line["detected"]) == (22, 2, 1)
    assert line["text"] == "quiet at 1 of 2 places, indication only"
    layer = gpd.read_file("out/occupancy.gpkg")
    assert layer.geometry.x.tolist() == pytest.approx([lon, lon, lon_2])
    assert set(layer["note"]) == {"Occupancy does not decide availability (SM.2405 6.3)."}


BAD_ROWS = [
    ("lon,lat,duty_pct,channel,level_dbm", "14.1,46.1,101,21,-60", "field duty_pct"),
    ("lon,lat,duty_pct,channel,level_dbm", "14.1,46.1,nan,21,-60", "field duty_pct"),
    ("lon,lat,duty_pct,channel,level_dbm", "14.1,46.1,5,,-60", "field channel"),
    ("lon,lat,duty_pct,channel,level_dbm", "14.1,46.1,5,21,", "field level_dbm"),
    ("lon,lat,duty_pct,channel,f_mhz,bandwidth_mhz,level_dbm", "14.1,46.1,5,21,474,8,-60", "field channel"),
    ("lon,lat,duty_pct,f_mhz,level_dbm", "14.1,46.1,5,474,-60", "field bandwidth_mhz"),
    ("lon,lat,duty_pct,channel,level_dbm,field_dbuvm", "14.1,46.1,5,21,-60,40", "field level_dbm"),
    ("lon,lat,duty_pct,channel,level_dbm,from,to", "14.1,46.1,5,21,-60,2026-02-02,2026-02-01", "field to"),
    ("lon,lat,duty_pct,channel,level_dbm,from,to", "14.1,46.1,5,21,-60,yesterday,", "field from"),
    (
        "lon,lat,duty_pct,channel,level_dbm,from,to",
        "14.1,46.1,5,21,-60,2026-02-02T10:00Z,2026-02-03",
        "field to",
    ),
    ("lon,lat,channel,level_dbm", "14.1,46.1,21,-60", "duty_pct"),
]


def test_bad_row_is_refused_before_anything_is_written(run: Path) -> None:
    for columns, row, said in BAD_ROWS:
        path = write([row], columns)
        result = CliRunner().invoke(app, ["occupancy", str(path), "--results", str(run), "--out", "out"])
        assert result.exit_code != 0
        assert said in str(result.exception or result.output)
        assert not Path("out").exists()
