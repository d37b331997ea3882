"""Layers under RR No. 9.41: each pixel holds what the formulas give at its centre, stored as specified."""

from __future__ import annotations

import csv
import math

import numpy as np
import pyproj
import pytest
from satellites import case_a, case_b, exact_view, write_yaml

from pipeline.coordination.rr941.appendix5 import read_limits
from pipeline.coordination.rr941.comparison import NO_PAIR, RR941_LAYERS, WAYS, run
from pipeline.coordination.rr941.networks import Networks
from pipeline.coordination.rr941.point_table import rr941_command
from pipeline.grid.grid import Grid

LIMITS = read_limits()
GRID = Grid("EPSG:3794", 10_000.0, 380_000.0, 200_000.0, 9, 7)
WANTED = np.ones((7, 9), dtype=bool)
WANTED[0, :4] = WANTED[5, 5] = False


def centres_deg() -> tuple[np.ndarray, np.ndarray]:
    """Longitude and latitude of the pixel centres, by hand."""
    x_m, y_m = np.meshgrid(385_000.0 + 10_000.0 * np.arange(9), 195_000.0 - 10_000.0 * np.arange(7))
    return pyproj.Transformer.from_crs("EPSG:3794", "EPSG:4326", always_xy=True).transform(x_m, y_m)


def varied(content):
    """Both satellites with beams, so that no two pixels are alike."""
    beam = {"boresight_lon_deg": 15.0, "boresight_lat_deg": 45.0, "beamwidth_deg": 1.0, "side_lobe_db": -20}
    for role in ("victim", "interferer"):
        for assignment in content[role]["assignments"]:
            assignment["satellite_beam"] = beam
    return content


def mapped(content, **options):
    return run(Networks.model_validate(content), LIMITS, GRID, WANTED, **options)


@pytest.fixture(scope="module")
def maps():
    return mapped(varied(case_b()))


def test_pixels_are_what_the_point_command_gives_there(maps, tmp_path):
    lon, lat = centres_deg()
    points, out = tmp_path / "points.csv", tmp_path / "out.csv"
    text = [f"{a!r},{b!r}" for a, b in zip(lon[WANTED].tolist(), lat[WANTED].tolist(), strict=True)]
    points.write_text("\n".join(["lon,lat", *text]) + "\n")
    rr941_command(write_yaml(tmp_path / "n.yaml", varied(case_b())), points, out)
    rows = list(csv.DictReader(out.read_text().splitlines()))
    for layer, column in [
        ("dtt_down", "dtt_down_pct"),
        ("dtt_up", "dtt_up_pct"),
        ("exceeds", "exceeds"),
        ("theta_t", "theta_t_deg"),
        ("elev", "elevation_deg"),
    ]:
        expected = np.array([float(row[column]) for row in rows])
        stored = maps.layers[layer].values[0][WANTED].astype(float)
        np.testing.assert_allclose(stored, expected, rtol=3e-7)
    assert len(np.unique(maps.layers["dtt_down"].values[0][WANTED])) > 50


def test_angles_are_those_of_vectors_at_the_place_of_the_pixel(maps):
    lon, lat = centres_deg()
    for row, col in [(0, 8), (6, 0), (3, 4), (6, 8)]:
        angle, _, elevation = exact_view(lon[row, col], lat[row, col], 42.0, 50.5)
        assert maps.layers["theta_t"].values[0, row, col] == pytest.approx(angle, abs=3e-3)
        assert maps.layers["elev"].values[0, row, col] == pytest.approx(elevation, abs=1e-3)
        # The other way the own satellite is that at 50.5 E.
        elevation = exact_view(lon[row, col], lat[row, col], 50.5, 42.0)[2]
        assert maps.layers["elev"].values[1, row, col] == pytest.approx(elevation, abs=1e-3)


def test_other_way_is_the_comparison_with_exchanged_roles(maps):
    content = varied(case_b())
    exchanged = mapped({"victim": content["interferer"], "interferer": content["victim"]})
    for name in RR941_LAYERS:
        np.testing.assert_array_equal(exchanged.layers[name].values[0], maps.layers[name].values[1])


def test_pixels_outside_are_nodata_and_types_are_those_of_the_specification(maps):
    types = {"exceeds": ("uint8", 255), "argpair": ("uint16", 65535)}
    for name, layer in maps.layers.items():
        dtype, nodata = types.get(name, ("float32", math.nan))
        assert (layer.dtype, layer.shape) == (dtype, (2, 7, 9))
        assert list(layer["band"].values) == list(WAYS)
        outside = layer.values[:, ~WANTED]
        assert np.isnan(outside).all() if math.isnan(nodata) else (outside == nodata).all()
        assert layer.attrs["units"] == ("%" if name.startswith("dtt") else "1" if name in types else "deg")


def test_stored_percentage_and_decision_of_a_pixel_agree(maps):
    """Rounded up, so that a pixel is above 6 % exactly where it says so."""
    content = case_b()
    content["victim"]["assignments"].pop(1)
    at_limit = mapped(content).layers["dtt_down"].values[0][WANTED].astype(float)
    # Scaled so that the largest value lies just at the threshold.
    lowest = 10.0 * math.log10(6.0 / at_limit.max())
    for shift in (-1e-9, 0.0, 1e-9):
        content["interferer"]["assignments"][0]["power_density_dbw_hz"] = -57.0 + lowest + shift
        found = mapped(content).layers
        stored = found["dtt_down"].values[0][WANTED]
        np.testing.assert_array_equal(stored > 6.0, found["exceeds"].values[0][WANTED] == 1)
    both = np.fmax(maps.layers["dtt_down"].values, maps.layers["dtt_up"].values)
    np.testing.assert_array_equal(both[:, WANTED] > 6.0, maps.layers["exceeds"].values[:, WANTED] == 1)


def test_result_does_not_depend_on_threads(maps):
    for name, layer in mapped(varied(case_b()), threads=2).layers.items():
        np.testing.assert_array_equal(layer.values, maps.layers[name].values)


def test_largest_value_of_each_pair_stands_where_the_layer_has_it(maps):
    lon, lat = centres_deg()
    for result in maps.results:
        layer = maps.layers["dtt_down" if result.pair.direction == "down" else "dtt_up"]
        values = np.where(WANTED, layer.values[int(result.reverse)], -1.0)
        row, col = np.unravel_index(np.argmax(values), values.shape)
        assert result.max_pct == pytest.approx(values[row, col], rel=3e-7)
        assert (result.lon_deg, result.lat_deg) == pytest.approx((lon[row, col], lat[row, col]), abs=1e-9)
    assert len(maps.results) == 4


def test_satellite_below_the_horizon_leaves_the_elevation_alone():
    content = case_a()
    content["victim"]["longitude_deg"] = -75.0
    content["interferer"]["longitude_deg"] = -67.0
    layers = mapped(content).layers
    low = layers["elev"].values[0] < 0.0
    assert low[WANTED].any()
    for name in ("dtt_down", "dtt_transponder", "theta_t"):
        assert np.isnan(layers[name].values[0][low & WANTED]).all()
    limits = LIMITS.model_copy(
        update={"min_elevation_deg": LIMITS.min_elevation_deg.model_copy(update={"value": 89.0})}
    )
    nothing = run(Networks.model_validate(case_a()), limits, GRID, WANTED).layers
    assert (nothing["exceeds"].values == 255).all()
    assert (nothing["argpair"].values == NO_PAIR).all()


def test_transponder_method_adds_the_largest_up_link_of_the_territory():
    """AP8 2.2.1.1: 100 (gamma dTs + dTe) / (Te + gamma Ts), dTs the largest over the interferer's places."""
    content = varied(case_b())
    maps = mapped(content)
    gamma, te_k, ts_k = 0.1, 150.0, 500.0
    down, up = (np.where(WANTED, maps.layers[name].values[0], np.nan) for name in ("dtt_down", "dtt_up"))
    dts_k = np.nanmax(up) / 100.0 * ts_k
    expected = 100.0 * (gamma * dts_k + down / 100.0 * te_k) / (te_k + gamma * ts_k)
    found = maps.layers["dtt_transponder"].values
    np.testing.assert_allclose(found[0][WANTED], expected[WANTED], rtol=1e-6)
    # The published network states no gain: nothing is known the other way.
    assert np.isnan(found[1]).all()
