"""P.1812-8 of whole radials: each receiver as its own link to the last bit, and as the naive twin."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import rasterio

from pipeline.propagation.p1812.climate import INLAND, SEA, Zone, median_radius_km, mid_path_latitude_deg
from pipeline.propagation.p1812.profile_link import DIFFRACTION, DUCTING, LOS, TROPOSCATTER, Wave, p1812_link
from pipeline.propagation.p1812.radial_losses import FIRST_RECEIVER, radial_losses, shared_terms
from tests.propagation.p1812_reference import loss

DEM = Path(__file__).resolve().parents[2] / "data" / "slovenia" / "dem_globe_30s.tif"
DN, N0 = 45.0, 325.0
STEP_KM = 0.35
# Masts in the Julian Alps, by the sea, and on a hill over the plain: longitude and latitude.
MASTS = {"alps": (13.85, 46.40), "coast": (13.58, 45.53), "plain": (16.00, 46.50)}


@pytest.fixture(scope="module")
def dem():
    with rasterio.open(DEM) as source:
        values = source.read(1).astype(float)
        values[values == source.nodata] = 0.0
        return values, source.transform


def radial(dem, place, azimuth_deg, count=320):
    """Distances, terrain, cover, zones and latitudes half-way along a radial, bilinear in the elevations.

    Sea where the terrain is at most 0 m; coastal land within 10 km of the mast; cover of three heights.
    """
    values, transform = dem
    lon_deg, lat_deg = MASTS[place]
    d_km = np.arange(count) * STEP_KM
    north, east = math.cos(math.radians(azimuth_deg)), math.sin(math.radians(azimuth_deg))
    lat = lat_deg + d_km * north / 111.2
    lon = lon_deg + d_km * east / (111.2 * math.cos(math.radians(lat_deg)))
    col, row = (lon - transform.c) / transform.a, (lat - transform.f) / transform.e
    col, row = np.clip(col - 0.5, 0, values.shape[1] - 2), np.clip(row - 0.5, 0, values.shape[0] - 2)
    i, j = row.astype(int), col.astype(int)
    u, v = row - i, col - j
    terrain_m = (1 - u) * ((1 - v) * values[i, j] + v * values[i, j + 1])
    terrain_m += u * ((1 - v) * values[i + 1, j] + v * values[i + 1, j + 1])
    zone = np.where(d_km < 10.0, int(Zone.COASTAL_LAND), INLAND)
    zone[terrain_m <= 0.0] = SEA
    cover_m = np.random.default_rng(int(azimuth_deg)).choice([0.0, 10.0, 15.0], count)
    cover_m[zone == SEA] = 0.0
    half_way = [mid_path_latitude_deg(lat_deg, lon_deg, lat[n], lon[n], d_km[n]) for n in range(count)]
    return d_km, terrain_m, cover_m, zone, np.array(half_way)


def losses(profile, antennas_m, f_ghz, time_pct, vertical=False):
    """Losses and regimes [f, t, n] of a radial with one height of receivers."""
    found, regime = several_losses(profile, antennas_m[0], antennas_m[1:], f_ghz, time_pct, vertical)
    return found[0], regime[0]


def several_losses(profile, antenna_m, receivers_m, f_ghz, time_pct, vertical=False):
    """Losses and regimes [h, f, t, n] of a radial."""
    *path, half_way = profile
    shape = (len(receivers_m), len(f_ghz), len(time_pct), len(half_way))
    found, regime = np.full(shape, np.nan), np.zeros(shape, np.uint8)
    shared = shared_terms(
        path[0],
        f_ghz,
        time_pct,
        vertical=vertical,
        median_radius_km=float(median_radius_km(DN)),
        refractivity=N0,
    )
    radial_losses(
        *path, half_way, antenna_m, np.array(receivers_m), np.arange(half_way.size), shared, found, regime
    )
    return found, regime


CASES = [
    ("alps", 20.0, (30.0, 10.0), False),
    ("alps", 200.0, (5.0, 1.5), True),
    ("coast", 270.0, (60.0, 10.0), True),
    ("coast", 300.0, (3.0, 30.0), False),
    ("coast", 90.0, (150.0, 3.0), False),
    ("plain", 130.0, (200.0, 10.0), False),
]


@pytest.mark.parametrize("covered", [False, True])
@pytest.mark.parametrize(("place", "azimuth_deg", "antennas_m", "vertical"), CASES)
def test_receivers_of_a_radial_are_links_to_the_last_bit(
    dem, place, azimuth_deg, antennas_m, vertical, covered
):
    d_km, terrain_m, cover_m, zone, half_way = radial(dem, place, azimuth_deg)
    cover_m = cover_m if covered else np.zeros(d_km.size)
    f_ghz, time_pct = (0.1, 0.474, 0.69, 3.5), (50.0, 1.0, 10.0)
    profile = d_km, terrain_m, cover_m, zone, half_way
    found, regime = losses(profile, antennas_m, f_ghz, time_pct, vertical)
    assert np.isnan(found[:, :, :FIRST_RECEIVER]).all()
    for n in range(FIRST_RECEIVER, d_km.size):
        path = [np.ascontiguousarray(part[: n + 1]) for part in (d_km, terrain_m, cover_m, zone)]
        for i, f in enumerate(f_ghz):
            for t, pct in enumerate(time_pct):
                wave = Wave(f, pct, 50.0, 0.0, vertical, DN, N0)
                link = p1812_link(*path, antennas_m, (math.nan, math.nan), half_way[n], wave)
                assert (found[i, t, n], regime[i, t, n]) == (link.loss_db, link.regime), (n, f, pct)


@pytest.mark.parametrize(("place", "azimuth_deg", "antennas_m", "vertical"), CASES)
def test_receivers_of_a_radial_equal_the_naive_twin(dem, place, azimuth_deg, antennas_m, vertical):
    profile = radial(dem, place, azimuth_deg)
    f_ghz, time_pct = (0.2, 0.6), (50.0, 1.0)
    found, _ = losses(profile, antennas_m, f_ghz, time_pct, vertical)
    *path, half_way = [part.tolist() for part in profile]
    expected = np.full(found.shape, np.nan)
    for n in range(FIRST_RECEIVER, len(half_way)):
        part = [values[: n + 1] for values in path]
        for i, f in enumerate(f_ghz):
            for t, pct in enumerate(time_pct):
                expected[i, t, n], _ = loss(
                    *part,
                    f_mhz=1e3 * f,
                    p=pct,
                    htg=antennas_m[0],
                    hrg=antennas_m[1],
                    vertical=vertical,
                    phi=half_way[n],
                    dn=DN,
                    n0=N0,
                )
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)


def test_one_frequency_and_percentage_give_what_several_give(dem):
    profile = radial(dem, "coast", 270.0)
    f_ghz, time_pct = (0.1, 0.474, 0.69), (50.0, 1.0, 10.0)
    together, regime = losses(profile, (30.0, 10.0), f_ghz, time_pct)
    for i, f in enumerate(f_ghz):
        for t, pct in enumerate(time_pct):
            alone, alone_regime = losses(profile, (30.0, 10.0), (f,), (pct,))
            np.testing.assert_array_equal(together[i, t], alone[0, 0])
            np.testing.assert_array_equal(regime[i, t], alone_regime[0, 0])


def test_several_heights_of_receivers_give_what_each_gives(dem):
    profile = radial(dem, "coast", 300.0)
    together, regime = several_losses(profile, 30.0, (10.0, 1.5, 300.0), (0.2, 0.69), (50.0, 1.0))
    for r, height_m in enumerate((10.0, 1.5, 300.0)):
        alone, alone_regime = losses(profile, (30.0, height_m), (0.2, 0.69), (50.0, 1.0))
        np.testing.assert_array_equal(together[r], alone)
        np.testing.assert_array_equal(regime[r], alone_regime)


@pytest.mark.parametrize("seed", range(30))
def test_random_radials_are_links_and_equal_the_naive_twin(seed):
    """Even and uneven steps, any zones and latitude, cover, ties by whole metres, land below sea level."""
    rng = np.random.default_rng(seed)
    count, step_km = int(rng.integers(5, 60)), 10 ** rng.uniform(-1.7, 1.0)
    gaps = rng.choice([1.0, 1.0, 0.2], count - 1) if seed % 2 else np.ones(count - 1)
    d_km = np.concatenate([[0.0], np.cumsum(gaps * step_km)])
    terrain_m = np.round(np.cumsum(rng.normal(0, 10 ** rng.uniform(-1, 2.3), count)) + rng.uniform(-50, 500))
    zone = rng.choice([1, 3, 4] if seed % 3 else [1 if seed % 2 else 4], count)
    terrain_m[zone == SEA] = 0.0
    cover_m = np.where((zone != SEA) & (rng.random(count) < 0.5), 10.0 * (seed % 5 // 2), 0.0)
    half_way = np.full(count, rng.uniform(-80, 80))
    antennas_m = (10 ** rng.uniform(0, 3), 10 ** rng.uniform(0, 2.5))
    f_ghz, time_pct = tuple(10 ** rng.uniform(-1.5, 0.78, 2)), (50.0, float(rng.uniform(1, 50)))
    path = d_km, terrain_m, cover_m, zone.astype(np.int64)
    found, regime = losses((*path, half_way), antennas_m, f_ghz, time_pct, bool(seed % 2))
    for n in range(FIRST_RECEIVER, count, 1 + count // 12):
        for i, f in enumerate(f_ghz):
            for t, pct in enumerate(time_pct):
                part = [np.ascontiguousarray(values[: n + 1]) for values in path]
                wave = Wave(f, pct, 50.0, 0.0, bool(seed % 2), DN, N0)
                link = p1812_link(*part, antennas_m, (math.nan, math.nan), half_way[n], wave)
                assert (found[i, t, n], regime[i, t, n]) == (link.loss_db, link.regime)
                expected_db, _ = loss(
                    *(values.tolist() for values in part),
                    f_mhz=1e3 * f,
                    p=pct,
                    htg=antennas_m[0],
                    hrg=antennas_m[1],
                    vertical=bool(seed % 2),
                    phi=half_way[n],
                    dn=DN,
                    n0=N0,
                )
                assert found[i, t, n] == pytest.approx(expected_db, abs=1e-9)


def test_every_mechanism_is_tried(dem):
    seen = set()
    for place, azimuth_deg, antennas_m, _ in CASES:
        _, regime = losses(radial(dem, place, azimuth_deg), antennas_m, (0.6,), (50.0, 1.0))
        seen |= set(regime[0, :, FIRST_RECEIVER:].ravel().tolist())
    assert seen == {LOS, DIFFRACTION, TROPOSCATTER, DUCTING}
