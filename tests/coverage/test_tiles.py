"""Single pixels worked out by hand: networks, guard interval, polarisation; and bounds that must hold."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from pyproj import Transformer
from scene import CHANNEL, ELLIPSOID, GRID, NOISE_DBUVM, Scene, config, coverage_of, scene, sum_levels, sweep

from pipeline.coverage.field_bounds import tile_bounds
from pipeline.coverage.fields import INTERFERING, WANTED
from pipeline.coverage.inputs import Planning, channel_inputs
from pipeline.coverage.loss_lookup import lookup_room
from pipeline.coverage.nuisance import bearings, minimum_discrimination_db
from pipeline.coverage.point_fields import fields_at_places
from pipeline.grid.geodesy import lattice, pixel_frames, rays
from pipeline.radio.antennas import directivity_db, discrimination_db
from pipeline.terrain.loss_tables import LossTable
from pipeline.terrain.polar_nodes import even_ranges

ROW, COL = 20, 30
LIGHT_KM_PER_US = 0.299792458


def free_space(**changes):
    """Settings with the free-space model: fields follow from the distance alone."""
    settings = config(**changes)
    return settings.model_copy(
        update={"propagation": settings.propagation.model_copy(update={"coverage_model": "free_space"})}
    )


def stations_around(places, **columns):
    """Isotropic 1 kW stations at (azimuth, km) from the pixel, and a surface with that pixel alone."""
    x_m = GRID.west_m + (COL + 0.5) * GRID.resolution_m
    y_m = GRID.north_m - (ROW + 0.5) * GRID.resolution_m
    lon, lat = Transformer.from_crs(GRID.crs, "EPSG:4326", always_xy=True).transform(x_m, y_m)
    count = len(places)
    azimuth, d_km = np.array(places, float).T
    lons, lats, _ = ELLIPSOID.fwd(np.full(count, lon), np.full(count, lat), azimuth, 1000 * d_km)
    made = scene()
    columns = {"sfn": "", "polarisation": "H", "country": "SI", "channel": CHANNEL} | columns
    of = "transmitter"
    data = made.transmitters.isel(transmitter=[0] * count).assign(
        id=(of, [f"s{k}" for k in range(count)]),
        lon_deg=(of, lons),
        lat_deg=(of, lats),
        erp_kw=(of, np.ones(count)),
        antenna_height_agl_m=(of, np.full(count, 10.0)),
        mast=(of, ["m"] * count),
        attenuation_db=((of, "azimuth"), np.zeros((count, 360), np.float32)),
        mode=(of, ["64QAM 2/3"] * count),
        system=(of, ["DVB-T"] * count),
        **{name: (of, [value] * count if np.isscalar(value) else value) for name, value in columns.items()},
    )
    flat = sweep(np.random.default_rng(0), sea=False, terrain=False)
    flat = flat._replace(heff_m=np.full_like(flat.heff_m, 10.0))
    codes = np.zeros((GRID.height, GRID.width), np.uint8)
    codes[ROW, COL] = 1
    ratio_db = np.where(data["channel"].values == CHANNEL, 20.0, -30.0)[None, :]
    planning = Planning((("DVB-T", "64QAM 2/3"),), NOISE_DBUVM[:1], ratio_db)
    surface = xr.DataArray(codes, dims=("y", "x"), attrs={"grid": GRID})
    return Scene(surface, data, {"m": flat}, planning)


def pixel(places, settings=None, **columns):
    result = coverage_of(stations_around(places, **columns), settings or free_space())
    levels = result["levels"].values[:, ROW, COL]
    return levels, int(result["classes"].values[1, ROW, COL]) - 1


def field(d_km):
    return 106.9 - 20 * np.log10(d_km)


def power_sum(*levels_db):
    return 10 * np.log10(np.sum(10 ** (np.array(levels_db) / 10)))


def test_two_stations_by_hand():
    levels, server = pixel([(40.0, 10.0), (80.0, 30.0)])
    assert server == 0
    interference = field(30.0) + 20.0 - 8.0  # 40 deg off: 8 dB
    expected = [field(10.0), field(10.0), *sum_levels(NOISE_DBUVM[0], np.array([interference]))]
    assert levels[:4] == pytest.approx(expected, abs=2e-4)


def test_adjacent_channel_counts_with_its_ratio_and_never_serves():
    levels, server = pixel([(0.0, 5.0), (0.0, 10.0)], channel=[CHANNEL + 1, CHANNEL])
    assert server == 1
    expected = sum_levels(NOISE_DBUVM[0], np.array([field(5.0) - 30.0]))
    assert levels[2:4] == pytest.approx(expected, abs=2e-4)


def test_orthogonal_interferer_gets_the_flat_value():
    levels, _ = pixel([(0.0, 10.0), (90.0, 12.0), (0.0, 14.0)], polarisation=["H", "V", "V"])
    interference = np.array([field(12.0), field(14.0)]) + 20.0 - 16.0
    assert levels[2:4] == pytest.approx(sum_levels(NOISE_DBUVM[0], interference), abs=2e-4)


def test_mixed_wanted_has_neither_directivity_nor_azimuth():
    levels, _ = pixel([(0.0, 10.0), (180.0, 12.0)], polarisation=["M", "V"])
    expected = sum_levels(NOISE_DBUVM[0], np.array([field(12.0) + 20.0]))
    assert levels[2:4] == pytest.approx(expected, abs=2e-4)
    assert np.isnan(levels[4])


def test_network_member_inside_the_guard_interval_adds_with_its_discrimination():
    # 60 us: 17.987 km of path difference
    levels, server = pixel([(0.0, 10.0), (15.0, 27.9)], sfn="net")
    assert server == 0
    assert levels[0] == pytest.approx(power_sum(field(10.0), field(27.9)), abs=2e-4)
    assert levels[1] == pytest.approx(field(10.0), abs=2e-4)
    assert levels[2:4] == pytest.approx([NOISE_DBUVM[0], 0.0], abs=1e-4)
    turned, _ = pixel([(0.0, 10.0), (70.0, 27.9)], sfn="net")
    assert turned[0] == pytest.approx(power_sum(field(10.0), field(27.9) - 16.0), abs=2e-4)


def test_network_member_outside_the_guard_interval_interferes():
    levels, _ = pixel([(0.0, 10.0), (20.0, 28.1)], sfn="net")
    assert levels[0] == pytest.approx(field(10.0), abs=2e-4)
    expected = sum_levels(NOISE_DBUVM[0], np.array([field(28.1) + 20.0]))
    assert levels[2:4] == pytest.approx(expected, abs=2e-4)


def test_guard_interval_is_that_of_the_network():
    inside = 10.0 + LIGHT_KM_PER_US * 224.0 - 0.1
    for d_km, name, wanted in ((inside, "other", 2), (inside, "net", 1), (inside + 0.2, "other", 1)):
        levels, _ = pixel([(0.0, 10.0), (0.0, d_km)], sfn=name)
        members = [field(10.0), field(d_km)][:wanted]
        assert levels[0] == pytest.approx(power_sum(*members), abs=2e-4)


def test_equal_names_are_no_network_when_empty_or_in_another_channel():
    for columns in ({"sfn": ""}, {"sfn": "net", "channel": [CHANNEL, CHANNEL - 1]}):
        levels, _ = pixel([(0.0, 10.0), (0.0, 12.0)], **columns)
        assert levels[0] == pytest.approx(field(10.0), abs=2e-4)
        assert levels[3] > 0.0


def test_foreign_station_does_not_serve_and_interferes():
    levels, server = pixel([(0.0, 5.0), (0.0, 10.0)], country=["AT", "SI"])
    assert server == 1
    expected = sum_levels(NOISE_DBUVM[0], np.array([field(5.0) + 20.0]))
    assert levels[2:4] == pytest.approx(expected, abs=2e-4)


def test_pattern_and_power_shift_the_wanted_field():
    surface, data, sweeps, planning, _ = stations_around([(0.0, 10.0)])
    pattern = np.zeros((1, 360), np.float32)
    pattern[0, 175:186] = 7.0  # towards the pixel, south of the station
    data = data.assign(attenuation_db=data["attenuation_db"].copy(data=pattern), erp_kw=data["erp_kw"] * 10)
    result = coverage_of(Scene(surface, data, sweeps, planning), free_space())
    levels = result["levels"].values[:, ROW, COL]
    assert levels[0] == pytest.approx(field(10.0) + 10.0 - 7.0, abs=2e-4)


def random_tables(stations):
    """Loss tables whose neighbouring nodes have nothing in common, far beyond the grid."""
    rng = np.random.default_rng(8)
    return [
        LossTable(0.0, 1.0, even_ranges(0.0, 2.0, 300), rng.integers(900, 9000, (2, 360, 300), np.uint16))
        for _ in range(stations)
    ]


@pytest.mark.parametrize("model", ["p1546", "free_space", "hata", "extended_hata", "p1812"])
def test_bounds_of_a_tile_hold_for_every_pixel(model):
    made, settings = scene(), config()
    propagation = settings.propagation.model_copy(update={"coverage_model": model})
    settings = settings.model_copy(update={"propagation": propagation})
    tables = random_tables(made.transmitters.sizes["transmitter"])
    inputs = channel_inputs(made.transmitters, made.sweeps, made.planning, settings, CHANNEL, losses=tables)
    count, pixels = inputs.stations.mast.size, np.arange(1024)
    ground_m = np.full(1024, np.nan, np.float32)
    area = lattice(GRID)
    near_km, wanted, nuisance = np.empty(count), np.empty(count), np.empty(count)
    d_km, az_deg, found = np.empty(1024), np.empty(1024), np.empty(1024)
    gaps = []
    for row, col in ((0, 0), (0, 32), (17, 40)):
        frames = np.empty((11, 32, 32))
        pixel_frames(area.step_px, area.first_row, area.first_col, area.nodes, row, col, frames)
        positions = frames[:3].reshape(3, -1).copy()
        centre = positions[:, [0, 31, -32, -1]].mean(axis=1)
        radius = 1e-3 * np.linalg.norm(positions - centre[:, None], axis=0).max()
        parts = (inputs.stations, inputs.paths, inputs.model, inputs.receiver)
        tile_bounds(inputs, centre, radius, near_km, wanted, nuisance)
        for t in range(count):
            rays(inputs.stations.frame[t], positions, d_km, az_deg)
            assert near_km[t] <= d_km.min()
            fields_at_places(
                *parts, t, INTERFERING, pixels, ground_m, d_km, az_deg, found, lookup_room(d_km.size)
            )
            assert found.max() <= nuisance[t]
            gaps.append(nuisance[t] - found.max())
            fields_at_places(*parts, t, WANTED, pixels, ground_m, d_km, az_deg, found, lookup_room(d_km.size))
            assert wanted[t] == -np.inf or found.max() <= wanted[t]
            assert (wanted[t] == -np.inf) == (inputs.stations.offset[t] != 0)
    assert np.isfinite(gaps).all()


def test_least_discrimination_holds_wherever_in_the_tile():
    rng = np.random.default_rng(4)
    places = list(zip(rng.uniform(0, 360, 40), np.geomspace(0.5, 200, 40), strict=True))
    polarisation = rng.choice(["H", "V", "M", ""], 40)
    _, data, sweeps, planning, _ = stations_around(places, polarisation=list(polarisation))
    inputs = channel_inputs(data, sweeps, planning, config(), CHANNEL)
    stations, receiver, area = inputs.stations, inputs.receiver, lattice(GRID)
    frames = np.empty((11, 32, 32))
    pixel_frames(area.step_px, area.first_row, area.first_col, area.nodes, 0, 0, frames)
    frames = frames.reshape(11, -1)
    positions = frames[:3]
    radius = 1e-3 * np.linalg.norm(positions - positions[:, [512 + 16]], axis=0).max()
    seen = bearings(stations, frames, 512 + 16, radius)
    # Directions from every pixel by the geodesic; the same convention on both sides.
    lon, lat = Transformer.from_crs("EPSG:4978", "EPSG:4326", always_xy=True).transform(*positions)[:2]
    azimuth = np.array(
        [
            ELLIPSOID.inv(lon, lat, np.full(1024, x), np.full(1024, y))[0]
            for x, y in zip(data["lon_deg"].values, data["lat_deg"].values, strict=True)
        ]
    )
    gained = 0.0
    for s in range(40):
        for t in range(40):
            apart = np.abs((azimuth[t] - azimuth[s] + 180.0) % 360.0 - 180.0).min()
            directed = directivity_db(apart, receiver.flat_deg, receiver.end_deg, receiver.directivity_db)
            codes = (stations.polarisation[s], stations.polarisation[t])
            actual = discrimination_db(*codes, directed, receiver.cross_polar_db)
            least = minimum_discrimination_db(stations, receiver, *seen, s, t)
            assert least <= actual + 1e-9
            gained += least
    assert gained / 1600 > 2.0
