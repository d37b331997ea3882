"""The FCC's curves against results of its own program, and Akima's surface against what it must reproduce."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.interpolate import Akima1DInterpolator

from pipeline.dtt.separation import ProtectedContour, contour_km
from pipeline.propagation.fcc_curves import (
    akima_surface,
    distances_km,
    farthest_curve_km,
    fields_dbuvm,
    predict_links,
    surface_at,
)
from pipeline.studies.predict import predict_table

TIMES = {"F(50;50)": 50.0, "F(50;10)": 10.0, "F(50;90)": 90.0}
# Channel, curve, HAAT in m, e.r.p. in kW, distance in km, field; field, distance to it in km.
PROGRAM = [
    (5, "F(50;50)", 926.5, 39.295, 244.32, 20.7461, 62.3, 87.068),
    (8, "F(50;50)", 1335.7, 367.946, 10.94, 110.9774, 44.7, 185.032),
    (45, "F(50;50)", 32.9, 245.868, 7.68, 89.1304, 54.8, 44.276),
    (3, "F(50;10)", 279.9, 0.013, 22.67, 47.4339, 52.7, 16.153),
    (8, "F(50;10)", 1195.9, 4.569, 153.51, 41.9769, 40.1, 160.620),
    (45, "F(50;10)", 959.6, 0.974, 46.95, 61.7794, 35.6, 131.189),
    (3, "F(50;90)", 40.5, 134.741, 2.63, 107.2308, 48.1, 51.265),
    (8, "F(50;90)", 1047.9, 0.47, 11.22, 81.6206, 70.7, 30.850),
    (20, "F(50;90)", 31.3, 60.376, 193.76, 1.1497, 58.5, 27.961),
    # Between 15 and 16.09 km the curves of 10 % go on.
    (3, "F(50;10)", 782.5, 0.191, 15.89, 72.9967, 48.6, 69.694),
]


def channel_mhz(channel: int) -> float:
    """A frequency in the band of a channel."""
    return 60.0 if channel <= 6 else 190.0 if channel <= 13 else 600.0


def one(value: float) -> np.ndarray:
    return np.array([value])


@pytest.mark.parametrize("row", PROGRAM)
def test_results_of_the_program_of_the_fcc(row) -> None:
    channel, curve, haat_m, erp_kw, d_km, field, wanted, distance = row
    f_mhz, t_pct, erp_dbkw = channel_mhz(channel), TIMES[curve], 10.0 * math.log10(erp_kw)
    assert fields_dbuvm(f_mhz, t_pct, one(haat_m), one(d_km))[0] + erp_dbkw == pytest.approx(field, abs=0.05)
    assert distances_km(f_mhz, t_pct, one(haat_m), one(wanted - erp_dbkw))[0] == pytest.approx(
        distance, abs=0.1
    )


@pytest.mark.shared_data
def test_all_results_of_the_program_of_the_fcc(shared: Path) -> None:
    with (shared / "data/fcc_curves/golden.csv").open(encoding="utf-8") as lines:
        # A field of 0: the program refuses so much power in that band.
        rows = [row for row in csv.DictReader(lines) if row["field_dbuvm"] != "0"]
    assert len(rows) == 478
    away_km = []
    for row in rows:
        f_mhz, t_pct = channel_mhz(int(row["channel"])), TIMES[row["curve"]]
        erp_dbkw, haat_m = 10.0 * math.log10(float(row["erp_kw"])), one(float(row["haat_m"]))
        field = fields_dbuvm(f_mhz, t_pct, haat_m, one(float(row["distance_km"])))[0] + erp_dbkw
        assert field == pytest.approx(float(row["field_dbuvm"]), abs=0.05)
        distance = distances_km(f_mhz, t_pct, haat_m, one(float(row["at_field_dbuvm"]) - erp_dbkw))[0]
        away_km.append(abs(distance - float(row["distance_to_field_km"])))
    # One contour lies at the seam of the curves at 15 km, where the field jumps.
    assert sum(away > 0.1 for away in away_km) <= 1
    assert max(away_km) < 0.15


def test_known_contour() -> None:
    assert distances_km(79.0, 50.0, one(150.0), one(28.0))[0] == pytest.approx(86.29, abs=0.01)


@pytest.mark.shared_data
def test_nodes_are_the_figures_of_the_curves(shared: Path) -> None:
    table = pd.read_csv(shared / "data/fcc_curves/curves.csv")
    assert len(table) == 3 * 13 * (25 + 31)
    for (band, curve), rows in table.groupby(["band", "curve"]):
        f_mhz = {"channels 2-6": 60.0, "channels 7-13": 190.0, "channels 14-69": 600.0}[band]
        rows = rows[rows["haat_m"] > 30.5]
        found = fields_dbuvm(
            f_mhz,
            50.0 if curve == "F(50,50)" else 10.0,
            rows["haat_m"].to_numpy(),
            rows["distance_km"].to_numpy(),
        )
        np.testing.assert_allclose(found, rows["field_dbuvm_1kw"], atol=1e-9)


def test_surface_reproduces_planes_twisted_planes_and_one_dimensional_curves() -> None:
    x, y = np.array([0.0, 1.0, 2.5, 4.0, 7.0, 9.0]), np.array([1.0, 2.0, 4.0, 8.0, 9.0])
    at_x, at_y = np.linspace(-0.5, 9.5, 41), np.linspace(0.5, 9.5, 41)
    twisted = akima_surface(x, y, 2.0 + 3.0 * x[:, None] - y[None, :] + 0.5 * x[:, None] * y[None, :])
    np.testing.assert_allclose(
        surface_at(twisted, at_x, at_y), 2 + 3 * at_x - at_y + 0.5 * at_x * at_y, atol=1e-9
    )
    values = np.array([0.0, 2.0, 1.0, 5.0, 5.5, 3.0])
    inside = np.linspace(0.0, 9.0, 91)
    ridge = akima_surface(x, y, np.repeat(values[:, None], y.size, axis=1))
    wanted = Akima1DInterpolator(x, values)(inside)
    np.testing.assert_allclose(surface_at(ridge, inside, np.full(91, 3.3)), wanted, atol=1e-9)
    across = akima_surface(y, x, np.repeat(values[None, :], y.size, axis=0))
    np.testing.assert_allclose(surface_at(across, np.full(91, 3.3), inside), wanted, atol=1e-9)


def test_limits_of_height_distance_and_time() -> None:
    d_km = np.array([40.0, 40.0])
    for pair in ((20.0, 30.5), (1600.0, 5000.0)):
        low, high = fields_dbuvm(600.0, 50.0, np.array(pair), d_km)
        assert low == high
    near = fields_dbuvm(600.0, 90.0, one(100.0), one(1.0))
    assert near[0] == pytest.approx(106.9)
    assert (farthest_curve_km(50.0), farthest_curve_km(90.0)) == pytest.approx((321.87, 321.87), abs=0.01)
    assert farthest_curve_km(10.0) == pytest.approx(498.9, abs=0.01)
    assert np.isnan(fields_dbuvm(600.0, 90.0, one(100.0), one(322.0)))[0]
    assert not np.isnan(fields_dbuvm(600.0, 10.0, one(100.0), one(322.0)))[0]
    assert distances_km(600.0, 50.0, one(100.0), one(300.0))[0] == 0.0
    # 90 % of the time is the mirror of 10 %.
    e50, e10, e90 = (fields_dbuvm(600.0, t, one(300.0), one(80.0))[0] for t in (50.0, 10.0, 90.0))
    assert e50 - e90 == pytest.approx(e10 - e50)


def test_links_by_the_table_of_models() -> None:
    columns = {
        "f_mhz": [600.0, 600.0, 600.0, 300.0, 600.0, 600.0],
        "t_pct": [50.0, 10.0, 1.0, 50.0, 90.0, 50.0],
        "heff_m": [150.0, 150.0, 150.0, 150.0, 150.0, np.nan],
        "d_km": [50.0, 10.0, 50.0, 50.0, 1.0, 50.0],
    }
    field, regime, valid = predict_links({name: np.array(values) for name, values in columns.items()})
    assert regime.tolist() == [2, 3, 0, 2, 1, 0]
    assert valid.tolist() == [True, True, False, False, False, False]
    assert np.isnan(field).tolist() == [False, False, True, False, False, True]
    table = predict_table(pd.DataFrame({"f_mhz": [79.0], "d_km": [86.29], "heff_m": [150.0]}), "fcc")
    assert float(table["field_dbuvm"][0]) == pytest.approx(28.0, abs=0.01)
    assert (table["branch"][0], int(table["valid"][0])) == ("fcc_curves", 1)


def test_contour_of_the_separation_method_by_these_curves() -> None:
    erp_dbkw = np.array([0.0, 30.0])
    found = contour_km(ProtectedContour(41.0, 30.0), 617.0, np.array([10.0, 300.0]), erp_dbkw, None)
    wanted = [distances_km(617.0, 90.0, one(h), one(41.0 - p))[0] for h, p in ((30.5, 0.0), (300.0, 30.0))]
    assert found == pytest.approx(wanted)
    # 1000 kW at 300 m: 41 dBu of F(50,90) at some 95 km (47 CFR 73.622), and P.1546 farther out.
    assert contour_km(ProtectedContour(41.0, 30.0), 617.0, one(300.0), one(30.0), 10.0)[0] > found[1]
