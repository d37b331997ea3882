"""Vertical patterns and slopes by the heights of the terrain: closed forms, and every pixel a second time."""

from __future__ import annotations

import numpy as np
import pytest
from pyproj import Transformer
from scene import CHANNEL, GRID, config, coverage_of, pixel_degrees, reference, scene, slope_m, sloping_ground
from test_tiles import COL, ROW, stations_around

from pipeline.coverage.field_bounds import tile_bounds
from pipeline.coverage.fields import INTERFERING, WANTED
from pipeline.coverage.inputs import channel_inputs
from pipeline.coverage.loss_lookup import lookup_room
from pipeline.coverage.nuisance import LEFT_OUT_DB
from pipeline.coverage.point_fields import fields_at_places
from pipeline.coverage.receiver_ground import ground_of_pixels
from pipeline.grid.geodesy import lattice, pixel_frames, rays
from pipeline.grid.grid import Grid
from pipeline.propagation.p1546.curves import load_curves
from pipeline.propagation.p1546.link import p1546_field
from pipeline.radio.antennas import expand_vertical
from pipeline.terrain.records import LonLatRaster

MODELS = ("p1546", "free_space", "hata", "extended_hata")
EARTH_KM = 4 / 3 * 6370.0


def with_model(name: str):
    settings = config()
    propagation = settings.propagation.model_copy(update={"coverage_model": name})
    return settings.model_copy(update={"propagation": propagation})


def plain_at(height_m: float) -> LonLatRaster:
    return LonLatRaster(np.full((100, 200), height_m, np.float32), 12.0, 48.0, 0.03, 0.03)


def station(d_km: float, *, pattern=None, tilt_deg: float = 0.0, agl_m: float = 10.0, ground=None):
    """One station of 1 kW north of the pixel, its site at 300 m, its effective height 10 m."""
    made = stations_around([(0.0, d_km)])
    points = ([], []) if pattern is None else pattern
    data = made.transmitters.assign(
        vertical_attenuation_db=(("transmitter", "depression"), expand_vertical(*points)[None, :]),
        beam_tilt_deg=("transmitter", [tilt_deg]),
        antenna_height_agl_m=("transmitter", [agl_m]),
    )
    return made._replace(transmitters=data, ground=ground)


def field_of(made, model: str) -> float:
    return float(coverage_of(made, with_model(model))["levels"].values[1, ROW, COL])


# Attenuation of 1.5 dB for each degree below the axis, 1 dB above: a mirrored or shifted table shows.
SLOPING = ([-10.0, 0.0, 40.0], [10.0, 0.0, 60.0])


def attenuation_db(below_axis_deg: float) -> float:
    return 1.5 * below_axis_deg if below_axis_deg > 0 else -below_axis_deg


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(("ground_m", "d_km"), [(50.0, 10.0), (280.0, 10.0), (700.0, 4.0), (0.0, 30.0)])
def test_vertical_pattern_is_seen_from_the_true_height(model, ground_m, d_km):
    ground = plain_at(ground_m)
    shaped = station(d_km, pattern=SLOPING, tilt_deg=0.7, agl_m=45.0, ground=ground)
    plain = station(d_km, agl_m=45.0, ground=ground)
    rise_m = 300.0 + 45.0 - (ground_m + 10.0)
    down_deg = np.degrees(np.arctan(rise_m / (1000 * d_km)) + 0.5 * d_km / EARTH_KM)
    lost_db = field_of(plain, model) - field_of(shaped, model)
    assert lost_db == pytest.approx(attenuation_db(down_deg - 0.7), abs=5e-3)


@pytest.mark.parametrize("model", MODELS)
def test_without_terrain_the_effective_height_stands_in(model):
    for ground in (None, plain_at(np.nan)):
        shaped = station(10.0, pattern=SLOPING, agl_m=45.0, ground=ground)
        lost_db = field_of(station(10.0, agl_m=45.0, ground=ground), model) - field_of(shaped, model)
        down_deg = np.degrees(0.5 * 10.0 / EARTH_KM)  # heff is 10 m, as the receiver
        assert lost_db == pytest.approx(attenuation_db(down_deg), abs=5e-3)


@pytest.mark.parametrize("d_km", [0.02, 0.3, 0.9, 1.5, 4.0, 12.0])
@pytest.mark.parametrize("ground_m", [40.0, 250.0, 900.0])
def test_slope_goes_by_the_heights_of_the_terrain(d_km, ground_m):
    made = station(d_km, agl_m=60.0, ground=plain_at(ground_m))
    nan = np.nan
    heights = {"heff_m": 10.0, "ha_m": 60.0, "hb_m": nan, "terrain": False}
    link = p1546_field(
        load_curves(), 546.0, 50.0, d_km, 0.0, False, False, *heights.values(), 10.0, 10.0, 0, nan, 50.0, nan,
        nan, 300.0, ground_m, nan, nan,
    )[0]  # fmt: skip
    found = field_of(made, "p1546")
    assert found == pytest.approx(link, abs=3e-3)
    slant_km = np.hypot(d_km, (360.0 - ground_m - 10.0) / 1000)
    assert found <= 106.9 - 20 * np.log10(slant_km) + 2e-3  # Emax on the slope
    if d_km >= 1.0 and found < 106.9 - 20 * np.log10(slant_km) - 0.1:
        flat = field_of(station(d_km, agl_m=60.0), "p1546")
        moved = 20 * np.log10(np.hypot(d_km, 0.05) / slant_km)
        assert found - flat == pytest.approx(moved, abs=2e-3)


def hilly(count: int = 14):
    """The made-up network on sloping ground, half of its stations with vertical patterns."""
    made = scene(count)
    rng = np.random.default_rng(8)
    tables = np.stack(
        [
            expand_vertical([-10.0, 0.0, 3.0, 20.0], rng.uniform(0.0, 18.0, 4) * (k % 2))
            if k % 2
            else expand_vertical([], [])
            for k in range(count)
        ]
    )
    data = made.transmitters.assign(
        vertical_attenuation_db=(("transmitter", "depression"), tables),
        beam_tilt_deg=("transmitter", rng.uniform(0.0, 2.0, count)),
    )
    return made._replace(transmitters=data, ground=sloping_ground())


def test_levels_agree_with_pair_by_pair_computing_on_hills():
    made, degrees = hilly(), pixel_degrees()
    full = coverage_of(made, complete=True)
    levels, classes = full["levels"].values, full["classes"].values
    land = np.argwhere(np.isin(made.surface.values, (1, 2)))
    for row, col in np.random.default_rng(6).permutation(land)[:40]:
        expected = reference(made, row, col, degrees)
        assert classes[1, row, col] == expected.server + 1
        assert levels[:4, row, col] == pytest.approx(expected[:4], abs=3e-3)
        assert levels[5, row, col] == pytest.approx(expected.probability, abs=3e-4)
    pruned = coverage_of(made)["levels"].values
    assert np.array_equal(pruned[:2], levels[:2], equal_nan=True)
    assert np.nanmax(np.abs(pruned[2] - levels[2])) <= LEFT_OUT_DB


@pytest.mark.parametrize("model", MODELS)
def test_bounds_hold_whatever_the_heights(model):
    made = hilly()
    inputs = channel_inputs(made.transmitters, made.sweeps, made.planning, with_model(model), CHANNEL)
    count, pixels, area = inputs.stations.mast.size, np.arange(1024), lattice(GRID)
    near_km, wanted, nuisance = np.empty(count), np.empty(count), np.empty(count)
    d_km, az_deg, found = np.empty(1024), np.empty(1024), np.empty(1024)
    rng = np.random.default_rng(2)
    parts = (inputs.stations, inputs.paths, inputs.model, inputs.receiver)
    for row, col in ((0, 0), (0, 32), (17, 40)):
        frames = np.empty((11, 32, 32))
        pixel_frames(area.step_px, area.first_row, area.first_col, area.nodes, row, col, frames)
        positions = frames[:3].reshape(3, -1).copy()
        centre = positions[:, [0, 31, -32, -1]].mean(axis=1)
        radius = 1e-3 * np.linalg.norm(positions - centre[:, None], axis=0).max()
        tile_bounds(inputs, centre, radius, near_km, wanted, nuisance)
        for t in range(count):
            rays(inputs.stations.frame[t], positions, d_km, az_deg)
            for ground_m in (rng.uniform(-400.0, 4000.0, 1024), np.full(1024, 350.0), np.full(1024, np.nan)):
                for time, bound in ((INTERFERING, nuisance[t]), (WANTED, wanted[t])):
                    heights = ground_m.astype(np.float32)
                    fields_at_places(
                        *parts, t, time, pixels, heights, d_km, az_deg, found, lookup_room(d_km.size)
                    )
                    assert bound == -np.inf or found.max() <= bound


@pytest.mark.parametrize("resolution_m", [100.0, 1000.0, 5000.0])
def test_ground_of_pixels_is_that_of_their_centres(resolution_m):
    grid = Grid("EPSG:3794", resolution_m, 420_000.0, 160_000.0, 90, 70)
    rows, cols = slice(7, 41), slice(3, 88)
    lon, lat = Transformer.from_crs(3794, 4326, always_xy=True).transform(
        *np.meshgrid(
            420_000.0 + resolution_m * (np.arange(3, 88) + 0.5),
            160_000.0 - resolution_m * (np.arange(7, 41) + 0.5),
        )
    )
    wide = LonLatRaster(
        slope_m(
            *np.meshgrid(8.0 + 0.02 * (np.arange(800) + 0.5), 49.0 - 0.02 * (np.arange(450) + 0.5))
        ).astype(np.float32),
        8.0,
        49.0,
        0.02,
        0.02,
    )
    found = ground_of_pixels(wide, grid, rows, cols)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, slope_m(lon, lat), atol=0.02)
    assert np.isnan(ground_of_pixels(None, grid, rows, cols)).all()
    beyond = wide._replace(west_deg=-60.0)
    assert np.isnan(ground_of_pixels(beyond, grid, rows, cols)).all()
