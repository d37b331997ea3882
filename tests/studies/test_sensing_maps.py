"""Maps of sensing on a small published run: levels by hand at single pixels."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from pyproj import Geod, Transformer
from typer.testing import CliRunner

from pipeline.cli.main import app
from pipeline.grid import raster
from tests.published import HEIGHT, NORTH_M, PIXEL_M, WEST_M, WIDTH, publish

CASE = """
f_mhz: 650.0
bandwidth_mhz: 8.0
sensing_ms: 1.0
field_dbuvm: 56.0
height_loss_db: 17.0
wall_loss_db: 7.0
"""


@pytest.fixture
def run(tiny: Path) -> Path:
    """Channels 21 and 22, served in the east and in the south; 56 and 80 dB(uV/m)."""
    east, south = np.zeros((2, HEIGHT, WIDTH), np.uint8)
    east[:, WIDTH // 2 :], south[HEIGHT // 2 :] = 1, 1
    field = np.full((HEIGHT, WIDTH), 56, np.int16)
    more = {"internal/dtt_served_ch21.tif": east, "internal/dtt_served_ch22.tif": south}
    more |= {"internal/dtt_field_ch21.tif": field, "internal/dtt_field_ch22.tif": field + np.int16(24)}
    return publish(tiny, more=more)


def test_gap_is_that_of_the_worked_example_moved_to_the_channel(run: Path) -> None:
    """-119.6 dBm at 650 MHz and -3.3 dB over -97.9 dBm of noise: a gap of 18.3 dB, less 20 log10(650/474)."""
    Path("sensing.yaml").write_text(CASE)
    line = ["sensing", "--config", "sensing.yaml", "--results", str(run), "--out", "gap.tif"]
    result = CliRunner().invoke(app, line)
    assert result.exit_code == 0, result.output
    gap = raster.read(Path("gap.tif")).values
    expected = (-97.97 - 3.33) - (56.0 - 77.216 - 20 * math.log10(474.0) - 17.0 - 7.0 - 18.09)
    assert gap[0, -1] == pytest.approx(expected, abs=0.05)
    assert gap[-1, -1] == pytest.approx(expected, abs=0.05)  # the larger of both channels
    assert gap[-1, 0] == pytest.approx(expected - 24.0 + 20 * math.log10(482.0 / 474.0), abs=0.05)
    assert np.isnan(gap[0, 0])
    assert "misses a served channel in 66.7 % of the pixels" in result.output
    assert "does not decide availability" in result.output


def detected(run: Path, radar: str) -> xr.DataArray:
    """Where a device of 20 MHz at 5600 MHz and 20 dBm detects a radar, a row of its table."""
    Path("radars.csv").write_text(f"id,lon,lat,height_m,f_mhz,bandwidth_mhz,eirp_dbm\n{radar}\n")
    options = {"f-mhz": "5600", "bandwidth-mhz": "20", "eirp-dbm": "20", "radars": "radars.csv"}
    given = {**options, "results": str(run), "out": "detect.tif"}.items()
    result = CliRunner().invoke(app, ["dfs", *(word for name, text in given for word in (f"--{name}", text))])
    assert result.exit_code == 0, result.output
    return raster.read(Path("detect.tif"))


def test_radar_is_detected_to_where_free_space_says_or_the_horizon(run: Path) -> None:
    """60 dBm, -62 dBm needed: 122 dB, 5.35 km at 5.6 GHz; 100 dBm: the horizon of 2 and 1.5 m, 10.9 km."""
    lon, lat = Transformer.from_crs("EPSG:3794", "EPSG:4326", always_xy=True).transform(WEST_M, NORTH_M)
    for eirp_dbm, reach_km in (
        (60.0, 10 ** ((122.0 - 32.45 - 20 * math.log10(5600.0)) / 20.0)),
        (100.0, None),
    ):
        row = f"a,{lon},{lat},2,5600,4,{eirp_dbm}"
        layer = detected(run, row)
        places = layer.attrs["grid"].lonlat_deg()
        site = np.full_like(places[0], lon), np.full_like(places[1], lat)
        d_km = Geod(ellps="WGS84").inv(*site, *places)[2] / 1000.0
        reach_km = reach_km or 4.12 * (math.sqrt(2.0) + math.sqrt(1.5))
        np.testing.assert_array_equal(layer.values == 1, d_km <= reach_km)


def test_radar_in_part_of_the_channel_counts_with_that_part(run: Path) -> None:
    lon, lat = Transformer.from_crs("EPSG:3794", "EPSG:4326", always_xy=True).transform(
        WEST_M + 0.5 * PIXEL_M, NORTH_M - 0.5 * PIXEL_M
    )
    rows = [f"{f_mhz},{f_mhz},{lon},{lat},30,{f_mhz},10,60" for f_mhz in (5600, 5615, 5620)]
    shares = []
    for row in rows:
        _, *cells = row.split(",")
        shares.append(int((detected(run, ",".join(cells)).values == 1).sum()))
    # 5610-5620 MHz: an edge alone; 5615-5625: nothing.
    assert shares[0] > 0
    assert shares[1:] == [0, 0]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            "dfs --f-mhz 5240 --bandwidth-mhz 20 --eirp-dbm 20 --radars r.csv --results {run} --out d.tif",
            "needs no detection",
        ),
        ("dfs --f-mhz 5600 --bandwidth-mhz 20 --eirp-dbm 20 --radars r.csv", "--results"),
        ("sensing --config sensing.yaml --out gap.tif", "--results"),
        (
            "dfs --f-mhz 5600 --bandwidth-mhz 20 --eirp-dbm 20 --radars r.csv --results {run} --out d.tif",
            "field f_mhz",
        ),
    ],
)
def test_incomplete_and_faulty_requests_are_refused(run: Path, line: str, said: str) -> None:
    Path("sensing.yaml").write_text(CASE)
    Path("r.csv").write_text("id,lon,lat,height_m,f_mhz,bandwidth_mhz,eirp_dbm\na,14,46,30,560,10,60\n")
    result = CliRunner().invoke(app, line.format(run=run).split())
    assert result.exit_code != 0
    assert said in f"{result.exception} {result.output}"
    assert not Path("d.tif").exists()
