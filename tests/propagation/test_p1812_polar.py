"""P.1812-8 all around a mast: nodes of the polar table are links, for any threads, heights and strides."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pipeline.errors import InputError
from pipeline.propagation.loss_tables import PolarLattice
from pipeline.propagation.p1812.climate import SEA, half_way_latitude_deg, median_radius_km
from pipeline.propagation.p1812.polar_table import MastWave, RadialProfiles, polar_counts
from pipeline.propagation.p1812.profile_link import Wave, p1812_link
from tests.propagation.p1812_reference import loss

DN, N0, LATITUDE_DEG = 45.0, 325.0, 44.0
NOT_GIVEN = (math.nan, math.nan)
MAST = MastWave(
    LATITUDE_DEG, 25.0, (10.0, 1.5), (0.474, 0.69), (50.0, 1.0), True, float(median_radius_km(DN)), N0
)
LATTICE = PolarLattice(radials=37, ranges=41, stride=3, sample_km=0.25)


@pytest.fixture(scope="module")
def profiles():
    """Hills around a mast, a bay in the south, woods on every third sample."""
    rng = np.random.default_rng(0)
    turn = 2 * np.pi * np.arange(LATTICE.radials)[:, None] / LATTICE.radials
    d_km = LATTICE.sample_km * np.arange(LATTICE.samples)
    hills_m = 120 + 80 * np.sin(d_km / 3 + turn) + np.cumsum(rng.normal(0, 6, (37, d_km.size)), axis=1)
    hills_m[:, 0] = 140.0
    bay = (np.cos(turn) < -0.6) & (d_km > 4)
    hills_m = np.where(bay, 0.0, hills_m)
    zone = np.where(bay, SEA, np.where(d_km < 15, 3, 4))
    cover_m = np.where(bay | (np.arange(d_km.size) % 3 > 0), 0.0, 15.0)
    return RadialProfiles(hills_m.astype(np.float32), cover_m.astype(np.float32), zone.astype(np.uint8))


@pytest.fixture(scope="module")
def counts(profiles):
    return polar_counts(LATTICE, profiles, MAST)


def test_nodes_are_links(profiles, counts):
    assert counts.shape == (2, 2, 2, LATTICE.radials, LATTICE.ranges)
    d_km = LATTICE.sample_km * np.arange(LATTICE.samples)
    for k in range(0, LATTICE.radials, 5):
        azimuth = 2 * math.pi * k / LATTICE.radials
        for node in range(1, LATTICE.ranges):
            n = node * LATTICE.stride
            path = [d_km[: n + 1], *(part[k, : n + 1].astype(float) for part in profiles[:2])]
            path.append(profiles.zone[k, : n + 1].astype(np.int64))
            latitude_deg = half_way_latitude_deg(math.radians(LATITUDE_DEG), azimuth, d_km[n])
            for r, receiver_m in enumerate(MAST.receivers_m):
                for i, f_ghz in enumerate(MAST.f_ghz):
                    for t, pct in enumerate(MAST.time_pct):
                        wave = Wave(f_ghz, pct, 50.0, 0.0, True, DN, N0)
                        link = p1812_link(*path, (25.0, receiver_m), NOT_GIVEN, latitude_deg, wave)
                        assert counts[r, i, t, k, node] == math.floor(100 * link.loss_db + 0.5)


def test_azimuths_go_from_north_by_east():
    # Half-way on a meridian, and on the equator by its symmetry.
    half_degree_km = math.radians(1.0) * 6371.0
    assert half_way_latitude_deg(math.radians(44.0), 0.0, half_degree_km) == pytest.approx(44.5, abs=1e-9)
    assert half_way_latitude_deg(0.0, math.pi / 2, half_degree_km) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("threads", [2, 5])
def test_threads_change_no_byte(profiles, counts, threads):
    assert polar_counts(LATTICE, profiles, MAST, threads).tobytes() == counts.tobytes()


def test_nodes_beside_the_mast(profiles):
    lattice = PolarLattice(37, LATTICE.samples, 1, LATTICE.sample_km)
    found = polar_counts(lattice, profiles, MAST)
    for i, f_ghz in enumerate(MAST.f_ghz):
        # Free space over the 15 m between both antennas; then four parts of even, bare ground.
        free_db = 92.4 + 20 * math.log10(f_ghz) + 20 * math.log10(0.015)
        np.testing.assert_allclose(0.01 * found[0, i, :, :, 0], free_db, atol=0.00501)
        for k in range(0, 37, 6):
            ground_m = np.linspace(*profiles.terrain_m[k, :2].astype(float), 5).tolist()
            expected, _ = loss(
                [0.0, 0.0625, 0.125, 0.1875, 0.25],
                ground_m,
                [0.0] * 5,
                [3] * 5,
                f_mhz=1e3 * f_ghz,
                p=1.0,
                htg=25.0,
                hrg=10.0,
                vertical=True,
                phi=LATITUDE_DEG,
                dn=DN,
                n0=N0,
            )
            assert 0.01 * found[0, i, 1, k, 1] == pytest.approx(expected, abs=0.0051)


def test_thinned_ranges_are_those_of_the_whole(profiles, counts):
    whole = polar_counts(PolarLattice(37, LATTICE.samples, 1, LATTICE.sample_km), profiles, MAST)
    np.testing.assert_array_equal(counts, whole[..., :: LATTICE.stride])


def test_unknown_terrain_is_refused(profiles):
    hole = profiles.terrain_m.copy()
    hole[5, 7] = np.nan
    with pytest.raises(InputError, match="terrain all around"):
        polar_counts(LATTICE, profiles._replace(terrain_m=hole), MAST)
    with pytest.raises(ValueError, match="lattice"):
        polar_counts(LATTICE._replace(radials=36), profiles, MAST)
