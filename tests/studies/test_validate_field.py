"""`channelmaps validate-field` on synthetic measurements: known bias and spread on independent predictions.

The independent side is `predict_table` (P.1546 and free space on a table of links) with geodesic distances
of pyproj; the territory has no terrain, so that the effective height is the antenna's above ground.
"""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rasterio
from pyproj import Geod
from rasterio.transform import from_origin
from typer.testing import CliRunner

from pipeline.cli.main import app
from pipeline.plan.territory_file import load_config
from pipeline.registers.transmitters import read_register
from pipeline.studies.predict import predict_table
from pipeline.studies.validate_field import Predicted, predict_rows, read_measurements, statistics
from tests.propagation.p1812_reference import loss
from tests.tiny import STATIONS

MAST_M = 100.0


def independent_dbuvm(station: str, lon: np.ndarray, lat: np.ndarray, h2_m: float, model: str = "p1546"):
    """Field of a station of the tiny register and distance in km, from a table of links."""
    _, site_lon, site_lat, channel, erp_kw = next(entry for entry in STATIONS if entry[0] == station)
    sites = np.full(lon.size, site_lon), np.full(lon.size, site_lat)
    d_km = np.asarray(Geod(ellps="WGS84").inv(*sites, lon, lat)[2]) / 1000.0
    links = pd.DataFrame({"f_mhz": 474.0 + 8 * (channel - 21), "d_km": d_km, "h2_m": h2_m, "ptx_kw": erp_kw})
    if model == "p1546":
        links = links.assign(heff_m=MAST_M, ha_m=MAST_M, path_c="Land", d_v_km=d_km)
    else:
        links["d_km"] = np.hypot(d_km, (MAST_M - h2_m) / 1000.0)
    return predict_table(links, model)["field_dbuvm"].to_numpy(), d_km


def places(count: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(11)
    return rng.uniform(14.0, 14.3, count), rng.uniform(46.0, 46.2, count)


def write(path: Path, rows: list[dict[str, object]]) -> Path:
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return path


def predicted(tiny: Path, rows: list[dict[str, object]]) -> list[Predicted]:
    config = load_config(tiny)
    register, _ = read_register(config)
    path = write(tiny.parent / "m.csv", rows)
    return predict_rows(config, register, read_measurements(path, register))


@pytest.mark.parametrize(("model", "h2_m"), [("p1546", 10.0), ("p1546", 3.0), ("free_space", 10.0)])
def test_prediction_equals_the_table_of_links(tiny: Path, model: str, h2_m: float) -> None:
    tiny.write_text(tiny.read_text() + f"propagation: {{coverage_model: {model}}}\n")
    lon, lat = places(40)
    rows = [
        {"lon": x, "lat": y, "field_dbuvm": 50, "transmitter": "B", "h2_m": h2_m}
        for x, y in zip(lon, lat, strict=True)
    ]
    found = predicted(tiny, rows)
    expected_dbuvm, d_km = independent_dbuvm("B", lon, lat, h2_m, model)
    assert [entry.d_km for entry in found] == pytest.approx(d_km, rel=1e-4, abs=2e-4)
    assert [entry.field_dbuvm for entry in found] == pytest.approx(expected_dbuvm, abs=0.02)


STEP_DEG, WEST_DEG, NORTH_DEG = 1.0 / 240.0, 13.7, 46.5


def hills_m() -> np.ndarray:
    """Ridges across all paths, some hundred metres over the valleys."""
    y, x = np.mgrid[0:200, 0:220].astype(float)
    ridges_m = 350.0 + 250.0 * np.sin(x / 5.0 + y / 9.0) + 80.0 * np.cos(y / 3.0)
    return ridges_m.astype(np.float32)


def height_m(heights_m: np.ndarray, lon_deg: float, lat_deg: float) -> float:
    """Bilinear between the centres of pixels."""
    row, col = (NORTH_DEG - lat_deg) / STEP_DEG - 0.5, (lon_deg - WEST_DEG) / STEP_DEG - 0.5
    i, j = math.floor(row), math.floor(col)
    weights = np.outer([1 - (row - i), row - i], [1 - (col - j), col - j])
    return float((heights_m[i : i + 2, j : j + 2].astype(float) * weights).sum())


def test_p1812_follows_the_profile_to_each_place(tiny: Path) -> None:
    """Against the naive twin along the geodesic; valleys lie up to tens of dB below free space."""
    heights_m, geod = hills_m(), Geod(ellps="WGS84")
    place = from_origin(WEST_DEG, NORTH_DEG, STEP_DEG, STEP_DEG)
    shape = {"height": 200, "width": 220, "count": 1, "dtype": "float32"}
    with rasterio.open(
        tiny.parent / "dem.tif", "w", driver="GTiff", crs="EPSG:4326", transform=place, **shape
    ) as sink:
        sink.write(heights_m, 1)
    more = "terrain: {dem: [dem.tif]}\npropagation: {coverage_model: p1812, climate: {lapse_n_per_km: 50}}\n"
    tiny.write_text(tiny.read_text() + more)
    lon, lat = places(12)
    rows = [
        {"lon": x, "lat": y, "field_dbuvm": 50, "transmitter": "B", "h2_m": 10.0}
        for x, y in zip(lon, lat, strict=True)
    ]
    found, excess_db = predicted(tiny, rows), []
    _, site_lon, site_lat, channel, _ = STATIONS[1]
    f_mhz = 474.0 + 8 * (channel - 21)
    for entry, x, y in zip(found, lon, lat, strict=True):
        azimuth_deg, _, length_m = geod.inv(site_lon, site_lat, x, y)
        # Steps as long as those of the terrain model, or a little shorter.
        count = max(math.ceil(length_m / 1000.0 / (STEP_DEG * math.pi * 6371.0 / 180.0)), 4)
        d_km = [length_m / 1000.0 * i / count for i in range(count + 1)]
        along = [geod.fwd(site_lon, site_lat, azimuth_deg, 1000.0 * d)[:2] for d in d_km]
        profile_m = [height_m(heights_m, *each) for each in along]
        half = geod.fwd(site_lon, site_lat, azimuth_deg, 0.5 * length_m)[1]
        loss_db, _ = loss(
            d_km,
            profile_m,
            [0.0] * len(d_km),
            [4] * len(d_km),
            f_mhz=f_mhz,
            p=50.0,
            htg=MAST_M,
            hrg=10.0,
            vertical=False,
            phi=half,
            dn=50.0,
            n0=325.0,
        )
        # Heights are float32, and radials go straight between knots 2 km apart.
        assert entry.field_dbuvm == pytest.approx(139.36 + 20 * math.log10(f_mhz) - loss_db, abs=0.05)
        excess_db.append(106.96 - 20.0 * math.log10(length_m / 1000.0) - entry.field_dbuvm)
    assert max(excess_db) > 20.0


def test_strongest_transmitter_of_a_channel_is_compared(tiny: Path) -> None:
    register = tiny.parent / "register.csv"
    weak = register.read_text().splitlines()[2].replace("B,B,14.11,46.11", "W,W,14.25,46.02").split(",")
    weak[7] = "0.001"
    register.write_text(register.read_text() + ",".join(weak) + "\n")
    rows = [
        {"lon": 14.12, "lat": 46.12, "field_dbuvm": 50, "channel": 22},
        {"lon": 14.2501, "lat": 46.0201, "field_dbuvm": 50, "channel": 22},
    ]
    assert [entry.transmitter for entry in predicted(tiny, rows)] == ["B", "W"]


def test_bias_and_sigma_of_synthetic_measurements_come_back(tiny: Path) -> None:
    """Measured = independent prediction - 3 dB + noise of 6 dB: bias 3, sigma that of the noise drawn."""
    lon, lat = places(300)
    noise_db = np.random.default_rng(4).normal(0.0, 6.0, 300)
    rows = []
    for i, station in enumerate(np.tile(["A", "D"], 150)):
        field, _ = independent_dbuvm(station, lon[i : i + 1], lat[i : i + 1], 10.0)
        rows.append(
            {
                "lon": lon[i],
                "lat": lat[i],
                "field_dbuvm": field[0] - 3.0 + noise_db[i],
                "transmitter": station,
                "h2_m": "",
            }
        )
    path = write(tiny.parent / "m.csv", rows)
    out = tiny.parent / "out"
    command = ["validate-field", str(path), "--config", str(tiny), "--out", str(out)]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    found = {row["group"]: row for row in csv.DictReader((out / "statistics.csv").open())}
    assert {name: int(row["n"]) for name, row in found.items()} == {"all": 300, "A": 150, "D": 150}
    for name, chosen in (("all", slice(None)), ("A", slice(0, None, 2)), ("D", slice(1, None, 2))):
        drawn_db = noise_db[chosen]
        assert float(found[name]["bias_db"]) == pytest.approx(3.0 - drawn_db.mean(), abs=0.02)
        assert float(found[name]["sigma_db"]) == pytest.approx(drawn_db.std(ddof=1), abs=0.02)
        assert float(found[name]["rms_db"]) == pytest.approx(
            math.sqrt(((3.0 - drawn_db) ** 2).mean()), abs=0.02
        )
    lines = list(csv.DictReader((out / "rows.csv").open()))
    assert float(lines[7]["difference_db"]) == pytest.approx(3.0 - noise_db[7], abs=0.02)
    assert (out / "fields.png").read_bytes().startswith(b"\x89PNG")
    assert "bias" in result.output


def test_one_row_has_no_sigma(tiny: Path) -> None:
    register, _ = read_register(load_config(tiny))
    path = write(tiny.parent / "m.csv", [{"lon": 14.1, "lat": 46.0, "field_dbuvm": 60.0, "transmitter": "A"}])
    (row, *_) = statistics(read_measurements(path, register), [Predicted("A", 21, 1.0, 62.5)])
    assert (row.n, row.bias_db, row.rms_db) == (1, 2.5, 2.5)
    assert math.isnan(row.sigma_db)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"lon": 200}, "lon"),
        ({"lat": "x"}, "lat"),
        ({"field_dbuvm": "nan"}, "field_dbuvm"),
        ({"h2_m": 0}, "h2_m"),
        ({"transmitter": "Z"}, "transmitter"),
        ({"channel": 40, "transmitter": ""}, "channel"),
        ({"channel": 21, "transmitter": "B"}, "channel"),
        ({"channel": "", "transmitter": ""}, "channel"),
        ({"channel": 21.5, "transmitter": ""}, "channel"),
    ],
)
def test_faulty_rows_are_refused_by_field_and_line(tiny: Path, changed: dict, field: str) -> None:
    good = {"lon": 14.1, "lat": 46.1, "field_dbuvm": 60, "h2_m": "", "channel": "", "transmitter": "A"}
    path = write(tiny.parent / "m.csv", [good, good | changed])
    result = CliRunner().invoke(app, ["validate-field", str(path), "--config", str(tiny)])
    assert result.exit_code == 1
    error = result.exception
    assert (error.row, error.field) == (3, field)
