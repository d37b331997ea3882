"""Loss tables of masts: nodes are links of P.1812-8 along the profiles of the terrain, for any threads."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pyproj import Geod

from pipeline.errors import InputError
from pipeline.propagation.p1812.climate import half_way_latitude_deg
from pipeline.propagation.p1812.profile_link import Wave, p1812_link
from pipeline.reference.clutter_heights import NO_DATA
from pipeline.terrain.land_cover import LandCover
from pipeline.terrain.loss_tables import (
    FREE_SPACE_DB,
    UNKNOWN,
    MastLosses,
    SquareLosses,
    Waves,
    code_of_excess,
    profile_steps_km,
    read_loss_table,
    read_regimes,
    require_known,
    table_name,
    write_losses,
)
from pipeline.terrain.loss_tables import run as run_losses
from pipeline.terrain.path_profiles import MastSite, ProfileGround, profile_ground, sample_profile
from pipeline.terrain.polar_nodes import (
    LossLattice,
    even_ranges,
    loss_lattice,
    node_km,
    octave_ranges,
    samples_of_nodes,
    stored_lattice,
)
from pipeline.terrain.records import LonLatRaster, Mast, MastView
from tests.propagation.p1812_reference import loss

DN, N0 = 45.0, 325.0
WEST_DEG, NORTH_DEG, STEP_DEG = 13.0, 46.5, 1.0 / 120.0
MAST = Mast("mast", 13.55, 46.05, 40.0, 300.0, math.nan)
WAVES = Waves(np.array([0.474, 0.69]), np.array([50.0, 1.0]), True, DN, N0)
RECEIVER_M = 10.0
SAMPLE_KM = 0.9


def every(
    stride: int, ranges: int, first: int = 0, radials: int = 30, azimuth_deg: float = 0.0
) -> LossLattice:
    """Radials 12 degrees apart, nodes at every so many samples."""
    nodes = even_ranges(first * SAMPLE_KM, stride * SAMPLE_KM, ranges)
    return LossLattice(azimuth_deg, 12.0, radials, SAMPLE_KM, nodes)


LATTICE = every(2, 16)
GEOD = Geod(ellps="WGS84")


def run(
    mast: Mast, ground: ProfileGround, lattice: LossLattice, waves: Waves, receiver_m: float, threads: int = 1
) -> NDArray[np.uint16]:
    return run_losses(mast, ground, lattice, waves, receiver_m, threads=threads).codes


def surfaces() -> tuple[LonLatRaster, LonLatRaster]:
    """Hills that rise to the north, sea in the south, from three sines."""
    y, x = np.mgrid[0:120, 0:150].astype(float)
    hills_m = 250.0 + 180.0 * np.sin(x / 7.0) * np.cos(y / 9.0) + 60.0 * np.sin((x + y) / 3.0) - 1.5 * y
    land = (y < 85.0).astype(np.uint8)
    heights_m = np.where(land == 1, np.maximum(hills_m, 5.0), 0.0).astype(np.float32)
    frame = (WEST_DEG, NORTH_DEG, STEP_DEG, STEP_DEG)
    return LonLatRaster(heights_m, *frame), LonLatRaster(land, *frame)


@pytest.fixture(scope="module")
def ground() -> ProfileGround:
    return profile_ground(*surfaces())


@pytest.fixture(scope="module")
def codes(ground: ProfileGround) -> NDArray[np.uint16]:
    return run(MAST, ground, LATTICE, WAVES, RECEIVER_M)


def bilinear(values: NDArray[np.floating], lon_deg: float, lat_deg: float) -> float:
    col, row = (lon_deg - WEST_DEG) / STEP_DEG - 0.5, (NORTH_DEG - lat_deg) / STEP_DEG - 0.5
    i, j = math.floor(row), math.floor(col)
    down, across = row - i, col - j
    corners = values[i : i + 2, j : j + 2].astype(float)
    return float(np.array([1 - down, down]) @ corners @ np.array([1 - across, across]))


def profile_to(azimuth_deg: float, samples: int) -> tuple[list[float], list[float], list[int]]:
    """Distances, heights and zones by the geodesic and the definitions, sample by sample."""
    elevation, land = surfaces()
    sea_lat_deg = NORTH_DEG - (85 + 0.5) * STEP_DEG  # centre of the first row of sea
    d_km, height_m, zones = [], [], []
    for i in range(samples + 1):
        d = SAMPLE_KM * i
        lon_deg, lat_deg, _ = GEOD.fwd(MAST.lon_deg, MAST.lat_deg, azimuth_deg, 1000.0 * d)
        row = math.floor((NORTH_DEG - lat_deg) / STEP_DEG)
        col = math.floor((lon_deg - WEST_DEG) / STEP_DEG)
        at_sea = land.values[row, col] == 0
        h = 0.0 if at_sea else bilinear(elevation.values, lon_deg, lat_deg)
        h = MAST.site_height_asl_m if i == 0 else h
        centre_deg = NORTH_DEG - (row + 0.5) * STEP_DEG
        near = (centre_deg - sea_lat_deg) * math.pi * 6371.0 / 180.0 <= 50.0
        d_km.append(d)
        height_m.append(h)
        zones.append(1 if at_sea else 3 if near and h <= 100.0 else 4)
    return d_km, height_m, zones


def half_way_deg(azimuth_deg: float, length_km: float) -> float:
    """Latitude half-way on a sphere of 6371 km."""
    phi, azimuth, arc = math.radians(MAST.lat_deg), math.radians(azimuth_deg), length_km / 2.0 / 6371.0
    return math.degrees(
        math.asin(math.sin(phi) * math.cos(arc) + math.cos(phi) * math.sin(arc) * math.cos(azimuth))
    )


def expected_code(
    profile: tuple[list[float], list[float], list[int]],
    azimuth_deg: float,
    f: int,
    t: int,
    cover_m: list[float] | None = None,
) -> float:
    d_km, height_m, zones = profile
    f_ghz = WAVES.f_ghz[f]
    loss_db, _ = loss(
        d_km,
        height_m,
        cover_m or [0.0] * len(d_km),
        zones,
        f_mhz=1e3 * f_ghz,
        p=WAVES.time_pct[t],
        htg=MAST.antenna_height_agl_m,
        hrg=RECEIVER_M,
        vertical=True,
        phi=half_way_deg(azimuth_deg, d_km[-1]),
        dn=DN,
        n0=N0,
    )
    return 100.0 * (loss_db - 92.4 - 20.0 * math.log10(f_ghz) - 20.0 * math.log10(d_km[-1]) + 10.0)


@pytest.mark.parametrize("radial", [0, 4, 9, 14, 15, 22])
def test_nodes_are_links_along_the_terrain(codes: NDArray[np.uint16], radial: int) -> None:
    azimuth_deg = 12.0 * radial
    for node in (1, 2, 5, 11, 15):
        profile = profile_to(azimuth_deg, node * 2)
        for f in range(2):
            for t in range(2):
                # Half a count, and what float32 heights and straight knots of the radial may differ.
                assert codes[f, t, radial, node] == pytest.approx(
                    expected_code(profile, azimuth_deg, f, t), abs=6.0
                )


def test_beside_the_mast_bare_ground_rises_evenly(ground: ProfileGround) -> None:
    lattice = every(1, 4)
    codes = run(MAST, ground, lattice, WAVES, RECEIVER_M)
    for radial in (3, 20):
        d_km, height_m, zones = profile_to(12.0 * radial, 1)
        near = [d_km[1] * k / 4 for k in range(5)]
        even_m = [height_m[0] + (height_m[1] - height_m[0]) * k / 4 for k in range(5)]
        profile = near, even_m, [zones[0]] * 2 + [zones[1]] * 3
        expected = expected_code(profile, 12.0 * radial, 1, 1)
        assert codes[1, 1, radial, 1] == pytest.approx(expected, abs=6.0)
        assert codes[1, 1, radial, 0] == codes[1, 1, radial, 1]


@pytest.mark.parametrize("threads", [2, 5])
def test_threads_change_no_byte(ground: ProfileGround, codes: NDArray[np.uint16], threads: int) -> None:
    found = run(MAST, ground, LATTICE._replace(radials=150), WAVES, RECEIVER_M, threads=threads)
    alone = run(MAST, ground, LATTICE._replace(radials=150), WAVES, RECEIVER_M)
    assert found.tobytes() == alone.tobytes()
    np.testing.assert_array_equal(found[:, :, :30], codes)


def test_sector_and_thinned_ranges_are_parts_of_the_whole(
    ground: ProfileGround, codes: NDArray[np.uint16]
) -> None:
    part = run(MAST, ground, every(4, 5, first=4, radials=3, azimuth_deg=24.0), WAVES, RECEIVER_M)
    np.testing.assert_array_equal(part, codes[:, :, 2:5, 2:11:2])


def test_unknown_terrain_ends_a_radial_and_is_refused_where_it_is_needed() -> None:
    elevation, land = surfaces()
    heights_m = elevation.values.copy()
    heights_m[:54, 60:] = np.nan  # north of the mast
    codes = run(MAST, profile_ground(elevation._replace(values=heights_m), land), LATTICE, WAVES, RECEIVER_M)
    assert (codes[:, :, 0, 6:] == UNKNOWN).all()
    assert (codes[:, :, 0, :2] != UNKNOWN).all()
    assert (codes[:, :, 15] != UNKNOWN).all()
    lon_deg, lat_deg = np.meshgrid(np.linspace(13.45, 13.65, 9), np.linspace(46.15, 45.95, 9))
    south = lat_deg < 46.02
    require_known(MAST, codes[0, 0], LATTICE, lon_deg, lat_deg, south)
    with pytest.raises(InputError, match="a place is not known"):
        require_known(MAST, codes[0, 0], LATTICE, lon_deg, lat_deg, np.ones_like(south))


# --- land cover ---------------------------------------------------------------------------------------------

COVER_STEP_DEG = STEP_DEG / 3.0
HEIGHTS_M = {1: 0.0, 2: 10.0, 3: 15.0, 4: 20.0}


def land_cover(unknown: bool = False) -> LandCover:
    """Blocks of classes of some kilometres, three pixels to one of the terrain model; also over the sea."""
    y, x = np.mgrid[0:360, 0:450]
    codes = (1 + (x // 23 + y // 17) % 4).astype(np.uint16)
    if unknown:
        codes[:162, 180:] = NO_DATA
    heights_m = np.full(NO_DATA + 1, np.nan)
    heights_m[list(HEIGHTS_M)] = list(HEIGHTS_M.values())
    return LandCover(LonLatRaster(codes, WEST_DEG, NORTH_DEG, COVER_STEP_DEG, COVER_STEP_DEG), heights_m)


@pytest.fixture(scope="module")
def covered() -> ProfileGround:
    return profile_ground(*surfaces(), land_cover())


@pytest.fixture(scope="module")
def covered_codes(covered: ProfileGround) -> NDArray[np.uint16]:
    return run(MAST, covered, LATTICE, WAVES, RECEIVER_M)


def cover_to(azimuth_deg: float, d_km: list[float], zones: list[int]) -> list[float]:
    """Heights of the classes at the places of a profile by the geodesic; the sea has none."""
    classes = land_cover().classes.values
    found = []
    for d, zone in zip(d_km, zones, strict=True):
        lon_deg, lat_deg, _ = GEOD.fwd(MAST.lon_deg, MAST.lat_deg, azimuth_deg, 1000.0 * d)
        row = math.floor((NORTH_DEG - lat_deg) / COVER_STEP_DEG)
        col = math.floor((lon_deg - WEST_DEG) / COVER_STEP_DEG)
        found.append(0.0 if zone == 1 else HEIGHTS_M[int(classes[row, col])])
    return found


@pytest.mark.parametrize("radial", [0, 4, 9, 14, 15, 22])
def test_nodes_are_links_along_the_terrain_with_its_cover(
    codes: NDArray[np.uint16], covered_codes: NDArray[np.uint16], radial: int
) -> None:
    azimuth_deg = 12.0 * radial
    for node in (1, 2, 5, 11, 15):
        profile = profile_to(azimuth_deg, node * 2)
        cover_m = cover_to(azimuth_deg, profile[0], profile[2])
        for f in range(2):
            for t in range(2):
                expected = expected_code(profile, azimuth_deg, f, t, cover_m)
                assert covered_codes[f, t, radial, node] == pytest.approx(expected, abs=6.0)
    assert (covered_codes != codes).mean() > 0.5


def covered_evenly() -> ProfileGround:
    """20 m everywhere by the raster of classes, at sea too."""
    cover = land_cover()
    cover.classes.values[:] = 4
    return profile_ground(*surfaces(), cover)


def test_the_sea_is_bare_whatever_its_class() -> None:
    # The coast is 29 km to the south.
    codes = run(MAST, covered_evenly(), every(2, 27), WAVES, RECEIVER_M)
    for node in (20, 26):
        profile = profile_to(180.0, node * 2)
        assert profile[2].count(1) >= 7
        cover_m = [0.0 if zone == 1 else 20.0 for zone in profile[2]]
        expected = expected_code(profile, 180.0, 1, 0, cover_m)
        assert codes[1, 0, 15, node] == pytest.approx(expected, abs=6.0)
        assert expected_code(profile, 180.0, 1, 0, [20.0] * len(cover_m)) > expected + 20.0


def test_nodes_are_links_to_the_last_bit(covered: ProfileGround) -> None:
    lattice = every(1, 31)
    codes = run(MAST, covered, lattice, WAVES, RECEIVER_M)
    site = MastSite(MAST.lon_deg, MAST.lat_deg, MAST.site_height_asl_m, MAST.antenna_height_agl_m)
    d_km = 0.9 * np.arange(31)
    for radial in (0, 7, 16):
        azimuth_deg = 12.0 * radial
        terrain_m, cover_m, zone = np.empty(31), np.empty(31), np.empty(31, np.int64)
        assert sample_profile(covered, site, azimuth_deg, 0.9, terrain_m, cover_m, zone) == 31
        assert cover_m.max() == 20.0
        for n in (2, 3, 10, 30):
            half_way = half_way_latitude_deg(math.radians(MAST.lat_deg), math.radians(azimuth_deg), d_km[n])
            wave = Wave(0.474, 1.0, 50.0, 0.0, True, DN, N0)
            path = [part[: n + 1].copy() for part in (d_km, terrain_m, cover_m, zone)]
            link = p1812_link(
                *path, (MAST.antenna_height_agl_m, RECEIVER_M), (math.nan, math.nan), half_way, wave
            )
            free_db = FREE_SPACE_DB + 20.0 * np.log10(0.474)
            excess_db = link.loss_db - free_db - 20.0 * math.log10(d_km[n])
            assert codes[0, 1, radial, n] == code_of_excess(excess_db)


def test_regimes_of_nodes_are_those_of_links(covered: ProfileGround) -> None:
    """Of the first percentage; on the radial of the mast itself that of the first sample."""
    lattice = every(1, 31)
    found = run_losses(MAST, covered, lattice, WAVES, RECEIVER_M)
    site = MastSite(MAST.lon_deg, MAST.lat_deg, MAST.site_height_asl_m, MAST.antenna_height_agl_m)
    seen = set()
    for radial in range(30):
        azimuth_deg = 12.0 * radial
        terrain_m, cover_m, zone = np.empty(31), np.empty(31), np.empty(31, np.int64)
        sample_profile(covered, site, azimuth_deg, 0.9, terrain_m, cover_m, zone)
        for n in (2, 9, 30):
            half_way = half_way_latitude_deg(math.radians(MAST.lat_deg), math.radians(azimuth_deg), 0.9 * n)
            path = [part[: n + 1].copy() for part in (0.9 * np.arange(31), terrain_m, cover_m, zone)]
            antennas_m = (MAST.antenna_height_agl_m, RECEIVER_M)
            wave = Wave(0.69, 50.0, 50.0, 0.0, True, DN, N0)
            link = p1812_link(*path, antennas_m, (math.nan, math.nan), half_way, wave)
            assert found.regimes[1, radial, n] == link.regime
            seen.add(link.regime)
    assert len(seen) > 1
    np.testing.assert_array_equal(found.regimes[:, :, 0], found.regimes[:, :, 1])
    assert (found.regimes[:, :, 0] > 0).all()


def test_beside_the_mast_cover_counts() -> None:
    lattice = every(1, 4)
    codes = run(MAST, covered_evenly(), lattice, WAVES, RECEIVER_M)
    for radial in (3, 20):
        d_km, height_m, zones = profile_to(12.0 * radial, 1)
        near = [d_km[1] * k / 4 for k in range(5)]
        even_m = [height_m[0] + (height_m[1] - height_m[0]) * k / 4 for k in range(5)]
        profile = near, even_m, [zones[0]] * 2 + [zones[1]] * 3
        expected = expected_code(profile, 12.0 * radial, 1, 1, [20.0] * 5)
        assert codes[1, 1, radial, 1] == pytest.approx(expected, abs=6.0)
        assert expected > expected_code(profile, 12.0 * radial, 1, 1) + 100.0


def test_beside_the_mast_cover_rises_evenly() -> None:
    """Trees 20 m high at the first sample alone: three quarters of them stand before its receiver."""
    cover = land_cover()
    cover.classes.values[:] = 1
    lon_deg, lat_deg, _ = GEOD.fwd(MAST.lon_deg, MAST.lat_deg, 36.0, 900.0)
    row, col = (NORTH_DEG - lat_deg) / COVER_STEP_DEG, (lon_deg - WEST_DEG) / COVER_STEP_DEG
    cover.classes.values[int(row), int(col)] = 4
    codes = run(MAST, profile_ground(*surfaces(), cover), every(1, 4), WAVES, RECEIVER_M)
    d_km, height_m, zones = profile_to(36.0, 1)
    even_m = [height_m[0] + (height_m[1] - height_m[0]) * k / 4 for k in range(5)]
    profile = [d_km[1] * k / 4 for k in range(5)], even_m, [zones[0]] * 2 + [zones[1]] * 3
    expected = expected_code(profile, 36.0, 1, 1, [0.0, 5.0, 10.0, 15.0, 20.0])
    assert codes[1, 1, 3, 1] == pytest.approx(expected, abs=6.0)
    assert expected > expected_code(profile, 36.0, 1, 1) + 20.0


def test_own_cover_of_the_ends_counts_nowhere() -> None:
    """The classes below mast and receiver may be anything: only what stands between counts."""
    bare, tall = land_cover(), land_cover()
    for cover, code in ((bare, 1), (tall, 4)):
        cover.classes.values[:] = 1
        for azimuth_deg, d_m in ((0.0, 0.0), (0.0, 9000.0)):
            lon_deg, lat_deg, _ = GEOD.fwd(MAST.lon_deg, MAST.lat_deg, azimuth_deg, d_m)
            row, col = (NORTH_DEG - lat_deg) / COVER_STEP_DEG, (lon_deg - WEST_DEG) / COVER_STEP_DEG
            cover.classes.values[int(row), int(col)] = code
    alone = every(1, 14, radials=1)
    found = [
        run(MAST, profile_ground(*surfaces(), cover), alone, WAVES, RECEIVER_M) for cover in (bare, tall)
    ]
    np.testing.assert_array_equal(found[0][:, :, 0, 2:11], found[1][:, :, 0, 2:11])
    # It stands before the receiver behind it.
    assert found[1][0, 0, 0, 11] > found[0][0, 0, 0, 11]


def test_land_cover_that_is_not_known_ends_a_radial() -> None:
    codes = run(MAST, profile_ground(*surfaces(), land_cover(unknown=True)), LATTICE, WAVES, RECEIVER_M)
    assert (codes[:, :, 0, 6:] == UNKNOWN).all()  # north of the mast
    assert (codes[:, :, 15] != UNKNOWN).all()
    ground = profile_ground(*surfaces(), land_cover(unknown=True))
    regimes = run_losses(MAST, ground, LATTICE, WAVES, RECEIVER_M).regimes
    np.testing.assert_array_equal(regimes == 0, codes[:, 0] == UNKNOWN)


def test_file_gives_back_what_was_written(tmp_path: Path, codes: NDArray[np.uint16]) -> None:
    path = tmp_path / "n46e013.npz"
    regimes = np.arange(30 * 16, dtype=np.uint8).reshape(30, 16) % 5
    tables = {
        table_name("mast", 21, True): MastLosses(codes[0], regimes),
        table_name("mast", 48, True): MastLosses(codes[1], regimes[::-1]),
    }
    write_losses(path, [SquareLosses({"mast": stored_lattice(LATTICE)}, tables)])
    first = path.read_bytes()
    table = read_loss_table(path, "mast", 48, True)
    assert table[:3] == (0.0, 12.0, LATTICE.ranges)
    np.testing.assert_array_equal(table.codes, codes[1])
    mechanisms = read_regimes(path, "mast", 48, True)
    assert mechanisms[:3] == table[:3]
    np.testing.assert_array_equal(mechanisms.regimes, regimes[::-1])
    write_losses(path, [SquareLosses({"mast": stored_lattice(LATTICE)}, tables)])
    assert path.read_bytes() == first
    assert profile_steps_km(path) == [0.9]
    assert profile_steps_km(tmp_path / "none.npz") == []
    with pytest.raises(InputError, match="file not found"):
        read_loss_table(tmp_path / "none.npz", "mast", 48, True)


def test_nodes_are_samples_close_by_and_a_share_of_the_distance_far_out() -> None:
    """One sample to 60 km, then below a 100th of the distance; radials a 4th of a degree apart, or less."""
    for dem_km, view in (
        (0.9266, MastView(0.0, 360.0, 0.0, 1300.0)),
        (0.0926, MastView(0.0, 360.0, 0.0, 330.0)),
        (0.9266, MastView(40.0, 70.0, 210.0, 900.0)),
        (0.0926, MastView(0.0, 360.0, 0.0, 11.0)),
    ):
        lattice = loss_lattice(dem_km, view)
        km = node_km(lattice.ranges)
        np.testing.assert_allclose(km / dem_km, samples_of_nodes(lattice), atol=1e-6)
        assert km[0] <= view.near_km
        assert km[-1] > view.far_km
        step_km = np.diff(km)
        np.testing.assert_allclose(step_km[km[1:] <= 60.0], dem_km, rtol=1e-6)
        assert (step_km <= np.maximum(km[1:] / 100.0, dem_km * (1.0 + 1e-6))).all()
        arc_km = math.radians(lattice.azimuth_step_deg) * min(60.0, view.far_km)
        assert lattice.azimuth_step_deg <= 0.25
        assert arc_km <= dem_km or lattice.azimuth_step_deg < 0.25
        around_deg = lattice.azimuth_step_deg * (lattice.radials - (view.width_deg < 360.0))
        assert around_deg == pytest.approx(view.width_deg)


def test_thinned_nodes_have_the_losses_of_all_samples(ground: ProfileGround) -> None:
    """A node's loss follows from the whole profile, whichever other nodes there are."""
    lattice = loss_lattice(SAMPLE_KM, MastView(0.0, 360.0, 0.0, 26.0))
    few = lattice._replace(ranges=octave_ranges(0.0, 26.0, 4.0, 2, 1.0 / SAMPLE_KM))
    whole, thinned = (run(MAST, ground, nodes, WAVES, RECEIVER_M) for nodes in (lattice, few))
    samples = samples_of_nodes(few)
    assert samples.size < samples[-1]
    known = samples < whole.shape[-1]
    np.testing.assert_array_equal(thinned[..., known], whole[..., samples[known]])
