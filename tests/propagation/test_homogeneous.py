"""Device path loss: free space near, P.1546 beyond, distances between squares, rounding down."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config.protection import Device
from pipeline.propagation.homogeneous import (
    DevicePath,
    coast_path_loss_db,
    loss_table_db,
    offset_distance_km,
    path_loss_db,
    round_down,
    table_size,
)
from pipeline.propagation.p1546.curves import load_curves
from pipeline.propagation.p1546.pixel import device_field_dbuvm, prepare
from pipeline.radio.emission import device_cap_dbm

F_MHZ = 600.0
FREE_1KM_DB = 32.4 + 20 * math.log10(F_MHZ)


def loss(d_km: float, height_m: float = 30.0, **options: object) -> float:
    return float(path_loss_db(np.array([d_km]), F_MHZ, height_m, **options)[0])


# Free space by hand: 20 m apart, 30 m over 10 m: slant 28.28 m.
@pytest.mark.parametrize(
    ("d_km", "height_m", "slant_m"), [(0.02, 30.0, 28.2843), (0.02, 10.0, 20.0), (0.08, 1.5, 80.4503)]
)
def test_up_to_80_m_loss_is_free_space_on_the_slant(d_km, height_m, slant_m):
    expected_db = FREE_1KM_DB + 20 * math.log10(slant_m / 1000)
    for model in ("p1546", "extended_hata"):
        assert loss(d_km, height_m, model=model) == pytest.approx(expected_db, abs=1e-4)


@pytest.mark.shared_data
@pytest.mark.parametrize(("path", "name"), [("land", "land"), ("sea", "cold_sea")])
def test_at_tabulated_points_loss_is_that_of_the_curves(shared, path, name):
    """600 MHz, 20 m, 50 %: a point of the Recommendation's own table; antenna heights differ by 10 m."""
    rows = np.genfromtxt(
        shared / "data/p1546/curves.csv", delimiter=",", names=True, dtype=None, encoding="utf-8"
    )
    chosen = (rows["frequency_mhz"] == 600) & (rows["path"] == name) & (rows["time_percent"] == 50)
    for row in rows[chosen & np.isin(rows["distance_km"], [2, 10, 40, 80])]:
        d_km = float(row["distance_km"])
        slope_db = 20 * math.log10(d_km / math.hypot(d_km, 0.01))
        expected_db = 139.3 - (float(row["h20"]) + slope_db) + 20 * math.log10(600)
        assert loss(d_km, 20.0, path=path) == pytest.approx(expected_db, abs=1e-3)


def test_low_device_is_the_low_end_of_a_path_from_10_m():
    """P.1546-6, sec. 9, rural: E falls by K log10(h2 / 10), K = 3.2 + 6.2 log10 f, against 10 m."""
    k_db = (3.2 + 6.2 * math.log10(F_MHZ)) * math.log10(1.5 / 10)
    slope_db = 20 * math.log10(5 / math.hypot(5, 0.0085))
    assert loss(5.0, 1.5) == pytest.approx(loss(5.0, 10.0) - k_db - slope_db, abs=1e-6)


@pytest.mark.parametrize("height_m", [1.5, 10.0, 30.0, 200.0])
@pytest.mark.parametrize("model", ["p1546", "extended_hata"])
@pytest.mark.parametrize("path", ["land", "sea"])
def test_loss_is_never_below_free_space(height_m, model, path):
    d_km = np.geomspace(0.01, 900, 400)
    slant_km = np.hypot(d_km, (height_m - 10) / 1000)
    free_db = FREE_1KM_DB + 20 * np.log10(slant_km)
    assert (path_loss_db(d_km, F_MHZ, height_m, model=model, path=path) >= free_db - 1e-9).all()


def test_distance_is_between_the_squares_over_the_largest_scale():
    d_km = offset_distance_km(5, 200.0, 1.01, 20.0)
    assert d_km[:2, :2].tolist() == [[0.02, 0.02], [0.02, 0.02]]
    assert d_km[0, 2] == pytest.approx(0.2 / 1.01)
    assert d_km[4, 3] == pytest.approx(math.hypot(0.6, 0.4) / 1.01)
    assert (d_km == d_km.T).all()


def test_tables_split_at_80_m_and_end_at_the_radius():
    size = table_size(1.2, 30.0, 1.0)
    d_km = offset_distance_km(size, 30.0, 1.0, 10.0)
    tables = loss_table_db(d_km, 1.2, F_MHZ, 10.0)
    assert np.isfinite(tables.near_db).tolist() == (d_km <= 0.08).tolist()
    assert np.isfinite(tables.far_db).tolist() == ((d_km > 0.08) & (d_km <= 1.2)).tolist()
    # No pair within the radius lies outside the table.
    assert (size - 1) * 30.0 > 1200.0


def test_coastal_victims_get_the_smaller_loss_of_land_and_sea():
    d_km = offset_distance_km(table_size(60.0, 2000.0, 1.0), 2000.0, 1.0, 20.0)
    land, coast = (
        loss_table_db(d_km, 60.0, F_MHZ, 30.0, coastal=coastal).far_db for coastal in (False, True)
    )
    known = np.isfinite(land)
    assert (coast[known] <= land[known]).all()
    assert coast[0, 20] == pytest.approx(loss(38.0, path="sea"), abs=1e-4)
    assert land[0, 20] - coast[0, 20] > 10.0


@pytest.mark.parametrize("effective_m", [30.0, 437.0, 1665.0])
@pytest.mark.parametrize("share", [0.03, 0.2, 0.5, 0.8, 0.97])
def test_loss_with_a_share_of_sea_is_that_of_a_mixed_path(effective_m, share):
    """P.1546-6, Annex 5, section 8: E = (1 - A) E_land + A E_sea, A = (1 - (1 - Fs)^(2/3))^(1 + D/40)."""
    curves = load_curves()
    prepared = prepare(curves, F_MHZ, 50.0)
    compared = 0
    for d_km in np.geomspace(1.0, 390.0, 60):
        land, sea, mixed = (
            device_field_dbuvm(prepared, curves, d_km, effective_m, 30.0, 10.0, part * d_km)
            for part in (0.0, 1.0, share)
        )
        more_db = sea - land
        weight = (1.0 - (1.0 - share) ** (2.0 / 3.0)) ** (1.0 + max(0.0, more_db) / 40.0)
        inland_km = (1.0 - share) * d_km
        path = DevicePath("p1546", F_MHZ, 30.0, 10.0, 50.0, inland_km, effective_m=effective_m)
        loss_db = float(coast_path_loss_db(np.array([d_km]), path)[0])
        to_field_db = 139.3 + 20.0 * math.log10(F_MHZ)
        if more_db > 0.0 and sea < 106.9 - 20.0 * math.log10(d_km) - 0.01:  # below free space
            assert loss_db == pytest.approx(to_field_db - (land + weight * more_db), abs=1e-9)
            assert loss_db == pytest.approx(to_field_db - mixed, abs=1e-9)
            compared += 1
    assert compared > 8


@given(st.floats(-300, 300))
@settings(max_examples=200, deadline=None)
def test_stored_level_is_the_float32_below(value):
    stored = round_down(np.array([value]))[0]
    assert stored.dtype == np.float32
    assert float(stored) <= value < float(np.nextafter(stored, np.float32(np.inf)))


def test_density_cap_of_a_narrow_device_is_33_96_dbm():
    sourced = {"value": 20.0, "source": "test", "verified": False}
    device = Device(
        id="narrow",
        emission_class=1,
        height_m=30.0,
        bandwidth_mhz=5.0,
        min_separation_m=sourced,
        cap_dbm=36.0,
        cap_density_dbm_per_100khz=36.0 - 10 * math.log10(80),
        min_eirp_dbm=-40.0,
    )
    assert device_cap_dbm(device) == pytest.approx(33.96, abs=0.002)
    assert device_cap_dbm(device.model_copy(update={"bandwidth_mhz": 8.0})) == pytest.approx(36.0, abs=1e-9)
    assert device_cap_dbm(device.model_copy(update={"cap_density_dbm_per_100khz": None})) == 36.0
