"""Losses over terrain around a place, and placed devices with them, against P.1812 path by path."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pipeline.coverage.profile_fields import PlacesGround
from pipeline.dtt.channel_files import ChannelFiles
from pipeline.dtt.degradation import degradation_of
from pipeline.dtt.multiple_interference import run
from pipeline.dtt.terrain_losses import losses_of_devices
from pipeline.dtt.terrain_paths import (
    NEAREST_KM,
    device_mast,
    least_losses_db,
    losses_around,
    losses_at_db,
    terrain_of_grid,
    terrain_path,
    waves_of_device,
)
from pipeline.errors import InputError
from pipeline.grid.geodesy import rays_to
from pipeline.plan.territory_file import load_config
from pipeline.propagation.free_space import slant_loss_db
from pipeline.terrain.path_profiles import profile_ground
from pipeline.terrain.records import LonLatRaster, Mast, MastView
from tests.availability.test_terrain_check import STEP_DEG, Hilly
from tests.dtt.test_multiple_interference import placed, whole
from tests.dtt.test_protection_maps import (
    CHANNEL,
    F_MHZ,
    HOME,
    SIZE,
    discrimination_by_definition_db,
    ratio_by_definition_db,
)
from tests.propagation import p1812_reference
from tests.terrain import profile_reference

ALL_AROUND = MastView(0.0, 360.0, 0.0, 20.0)
DEVICE_PX = (5, 2)


@pytest.fixture(scope="module")
def hilly(tmp_path_factory, repository) -> Hilly:
    return Hilly(tmp_path_factory.mktemp("hilly"), repository)


@pytest.fixture(scope="module")
def terrain(hilly) -> PlacesGround:
    return terrain_of_grid(hilly.config, hilly.folder, hilly.grid, 22.0)


def with_path(config, path: str, reach_km: float = 60.0):
    changed = {"device_path": path, "device_path_km": reach_km}
    return config.model_copy(update={"protection": config.protection.model_copy(update=changed)})


def lonlat_deg(hilly: Hilly, pixel: tuple[int, int]) -> tuple[float, float]:
    rows, cols = (slice(index, index + 1) for index in pixel)
    return tuple(float(values.item()) for values in hilly.grid.lonlat_deg(rows, cols))


def table_of(hilly: Hilly, terrain: PlacesGround, place_deg: tuple[float, float], view=ALL_AROUND):
    device = hilly.config.devices[0]
    waves = waves_of_device(hilly.config, device, F_MHZ)
    return losses_around(terrain, device_mast(device, *place_deg), waves, 10.0, view)


def test_at_the_nodes_the_loss_is_that_of_the_recommendation(hilly, terrain):
    """The naive twin along the same samples; a table keeps 0.01 dB."""
    place_deg = lonlat_deg(hilly, DEVICE_PX)
    around = table_of(hilly, terrain, place_deg)
    radials = int(around.losses.place[0, 2])
    for radial, nodes in ((0, 4), (radials // 7, 20), (radials // 2, 31), (radials - 3, 52)):
        azimuth_deg, d_km = 360.0 / radials * radial, terrain.step_km * np.arange(nodes + 1)
        lon_deg, lat_deg = profile_reference.points(*place_deg, azimuth_deg, d_km)
        row = np.floor((hilly.elevation.north_deg - lat_deg) / STEP_DEG).astype(int)
        col = np.floor((lon_deg - hilly.elevation.west_deg) / STEP_DEG).astype(int)
        height_m = profile_reference.heights(hilly.elevation, lon_deg, lat_deg)
        sea = hilly.land[row, col] == 0
        height_m[1:][sea[1:]] = 0.0
        exact_db, _ = p1812_reference.loss(
            d_km.tolist(),
            height_m.tolist(),
            [0.0] * d_km.size,
            np.where(sea, 1, np.where(height_m <= 100.0, 3, 4)).tolist(),
            f_mhz=F_MHZ,
            p=1.0,
            htg=30.0,
            hrg=10.0,
            vertical=True,
            phi=float(lat_deg[0] + lat_deg[-1]) / 2,
        )
        found_db = losses_at_db(around, d_km[-1:], np.array([azimuth_deg]))
        assert found_db.item() == pytest.approx(exact_db, abs=0.03)


def test_between_the_nodes_it_is_near_the_path_of_its_own(hilly, terrain):
    """A few places lie where the method itself jumps: at the edge of line of sight, and at coasts."""
    place_deg, device = lonlat_deg(hilly, DEVICE_PX), hilly.config.devices[0]
    around = table_of(hilly, terrain, place_deg)
    waves = waves_of_device(hilly.config, device, F_MHZ)
    off_db = []
    for pixel in np.ndindex(SIZE, SIZE):
        d_km, azimuth_deg = rays_to(*place_deg, hilly.grid, *(slice(i, i + 1) for i in pixel))
        found_db = losses_at_db(around, d_km, azimuth_deg).item()
        if d_km.item() < NEAREST_KM:
            assert math.isnan(found_db)
            continue
        path = terrain_path(terrain, device, waves, (place_deg, lonlat_deg(hilly, pixel)), 10.0)
        off_db.append(found_db - path.link.loss_db)
    assert np.quantile(np.abs(off_db), 0.5) < 0.1
    assert np.quantile(np.abs(off_db), 0.9) < 0.8
    assert np.sum(np.abs(off_db) > 2.0) <= 5


def test_least_loss_of_a_pixel_is_below_all_of_its_places(hilly, terrain):
    around = table_of(hilly, terrain, lonlat_deg(hilly, DEVICE_PX))
    rng, half_km = np.random.default_rng(4), 0.7
    for d_km, azimuth_deg in zip(rng.uniform(1.2, 19.0, 40), rng.uniform(0.0, 360.0, 40), strict=True):
        least_db = least_losses_db(around, np.array([d_km]), np.array([azimuth_deg]), half_km).item()
        angle, off_km = rng.uniform(0.0, 2.0 * np.pi, 60), half_km * np.sqrt(rng.uniform(0.0, 1.0, 60))
        x_km = d_km * math.sin(math.radians(azimuth_deg)) + off_km * np.sin(angle)
        y_km = d_km * math.cos(math.radians(azimuth_deg)) + off_km * np.cos(angle)
        there_db = losses_at_db(around, np.hypot(x_km, y_km), np.degrees(np.arctan2(x_km, y_km)) % 360.0)
        assert least_db <= np.nanmin(there_db) + 1e-3
        # Neither is it far below the nodes: the free space between both, and one step of the table.
        assert least_db > np.nanmin(there_db) - 25.0
    point_db = least_losses_db(around, np.array([7.0]), np.array([33.0]), 1e-9).item()
    assert point_db <= losses_at_db(around, np.array([7.0]), np.array([33.0])).item()


def test_where_paths_over_terrain_do_not_hold(hilly, terrain):
    around = table_of(hilly, terrain, lonlat_deg(hilly, DEVICE_PX), ALL_AROUND._replace(far_km=5.0))
    d_km, azimuth_deg = np.array([0.2, 0.3, 4.9, 5.1]), np.full(4, 80.0)
    assert np.isnan(losses_at_db(around, d_km, azimuth_deg)).tolist() == [True, False, False, True]
    assert np.isnan(least_losses_db(around, d_km, azimuth_deg, 0.04)).tolist() == [True, False, False, True]
    hole = hilly.elevation.values.copy()
    lon_deg, lat_deg = lonlat_deg(hilly, DEVICE_PX)
    col = int((lon_deg - hilly.elevation.west_deg) / STEP_DEG)
    hole[:, col + 14 : col + 30] = np.nan  # from 2.7 km in the east, wider than the gaps that are bridged
    land = LonLatRaster(hilly.land, *hilly.elevation[1:])
    whole, holed = (
        terrain._replace(profiles=profile_ground(hilly.elevation._replace(values=values), land))
        for values in (hilly.elevation.values, hole)
    )
    around = table_of(hilly, holed, (lon_deg, lat_deg))
    assert around.gaps
    for read in (losses_at_db, lambda *at: least_losses_db(*at, 0.1)):
        found_db = read(around, np.array([1.5, 9.0, 9.0]), np.array([90.0, 90.0, 270.0]))
        assert np.isnan(found_db).tolist() == [False, True, False]
    # Beside a radial into the void there is no loss, neither a part of one; the other half is as it was.
    way = np.full(3000, 9.0), np.linspace(0.0, 360.0, 3000)
    beside, same = (losses_at_db(table_of(hilly, one, (lon_deg, lat_deg)), *way) for one in (holed, whole))
    assert 0 < np.isnan(beside).sum() < 3000
    assert np.nanmax(np.abs(beside - same)) < 30.0
    assert (beside[1700:2800] == same[1700:2800]).all()


def ridge(height_m: float) -> PlacesGround:
    """Flat land at 200 m with a ridge 3 km east of 14.5 degrees."""
    values = np.full((200, 300), 200.0, np.float32)
    values[:, 127:130] = 200.0 + height_m
    raster = LonLatRaster(values, 14.22, 46.25, STEP_DEG, STEP_DEG)
    land = raster._replace(values=np.ones(values.shape, np.uint8))
    return PlacesGround(raster, profile_ground(raster, land), 0.28)


def test_hill_between_lowers_what_arrives_and_one_behind_does_not(hilly):
    """Flat land first: of a short clear path it is free space, of all that of the naive twin."""
    place_deg = (14.5, 46.0)
    flat, high = (table_of(hilly, ridge(height_m), place_deg) for height_m in (0.0, 120.0))
    east, west = np.array([90.0]), np.array([270.0])
    for d_km in (np.array([2.0]), np.array([6.0]), np.array([12.0])):
        flat_db = losses_at_db(flat, d_km, east).item()
        exact_db, _ = p1812_reference.loss(
            np.linspace(0.0, d_km.item(), 40).tolist(),
            [200.0] * 40,
            [0.0] * 40,
            [4] * 40,
            f_mhz=F_MHZ,
            p=1.0,
            htg=30.0,
            hrg=10.0,
            vertical=True,
            phi=46.0,
        )
        assert flat_db == pytest.approx(exact_db, abs=0.1)
        assert losses_at_db(high, d_km, west).item() == pytest.approx(flat_db, abs=0.02)
        behind_db = losses_at_db(high, d_km, east).item() - flat_db
        assert behind_db > 12.0 if d_km > 3.0 else behind_db == pytest.approx(0.0, abs=0.02)
    free_db = slant_loss_db(2.0, F_MHZ, 30.0, 10.0)
    assert free_db - 1.0 < losses_at_db(flat, np.array([2.0]), east).item() < free_db + 6.0


# --- placed devices -----------------------------------------------------------------------------------------


def falls(hilly: Hilly, config, devices) -> np.ndarray:
    return whole(run(config, ChannelFiles(hilly.folder, CHANNEL), devices))[0]


def test_placed_devices_take_their_paths(hilly, terrain):
    """The fall of each receiver by the loss over terrain, ratio and discrimination by definition."""
    device, eirp_dbm = (DEVICE_PX, CHANNEL, 12.0), 12.0
    config = with_path(hilly.config, "p1812")
    (over,) = losses_of_devices(config, config.devices[0], F_MHZ, terrain, hilly.grid, [DEVICE_PX], 1)
    found = falls(hilly, config, placed(device))
    victims = [p for p in np.ndindex(SIZE, SIZE) if hilly.served[p] == 1 and hilly.surface[p] == HOME]
    waves = waves_of_device(config, config.devices[0], F_MHZ)
    here_deg = lonlat_deg(hilly, DEVICE_PX)
    links = [
        terrain_path(terrain, config.devices[0], waves, (here_deg, lonlat_deg(hilly, p)), 10.0).link
        for p in victims
    ]
    apart_db = [float(over.loss_db[p]) - link.loss_db for p, link in zip(victims, links, strict=True)]
    assert abs(np.median(apart_db)) < 0.1
    assert len(victims) > 10
    for p in victims:
        lost_db = float(over.loss_db[p]) + discrimination_by_definition_db(hilly, p, DEVICE_PX)
        level_db = eirp_dbm + ratio_by_definition_db(hilly, p, 0) - lost_db
        x_db = level_db + 77.216 + 20 * np.log10(F_MHZ) - float(hilly.nuisance[p])
        margin_db = float(hilly.wanted[p]) - float(hilly.nuisance[p])
        one = degradation_of(*(np.array([v]) for v in (x_db, margin_db, float(hilly.sigma[p]), 5.5)), 0.01)
        assert found[p] == pytest.approx(100.0 * one[0][0], rel=1e-3, abs=1e-6)


def test_smaller_takes_the_worse_path_and_each_choice_its_own(hilly):
    devices = placed((DEVICE_PX, CHANNEL, 12.0), ((7, 4), CHANNEL, 20.0))
    flat, over, smaller = (
        falls(hilly, with_path(hilly.config, path), devices) for path in ("homogeneous", "p1812", "smaller")
    )
    reached = np.isfinite(over)
    assert (smaller[reached] >= np.fmax(flat, over)[reached] - 1e-5).all()
    assert (over[reached] > flat[reached]).any()
    assert (over[reached] < flat[reached]).any()
    near = falls(hilly, with_path(hilly.config, "p1812", 5.0), devices)
    apart = np.array(
        [min(math.dist(p, px) for px in (DEVICE_PX, (7, 4))) > 5.2 for p in np.ndindex(SIZE, SIZE)]
    ).reshape(SIZE, SIZE)
    assert (near[apart & reached] == flat[apart & reached]).all()
    assert (near != flat)[~apart & reached].any()


def test_threads_change_no_byte(hilly):
    devices = placed(*[((row, col), CHANNEL, 8.0) for row in range(2, 10, 2) for col in range(5)])
    config, files = with_path(hilly.config, "p1812"), ChannelFiles(hilly.folder, CHANNEL)
    one, two = (whole(run(config, files, devices, threads=threads)).tobytes() for threads in (1, 2))
    assert one == two


def test_path_over_terrain_needs_terrain_and_places_that_are_not_hidden(hilly, tmp_path):
    text = hilly.config_path.read_text()
    asked = text.replace("protection:", "protection:\n  device_path: p1812", 1)
    path = tmp_path / "asked.yaml"
    path.write_text(asked)
    assert load_config(path).protection.device_path == "p1812"
    path.write_text(asked.replace("terrain:\n  dem:", "terrain:\n  void: 0\n  dem: []\nx_unused:", 1))
    with pytest.raises(InputError):
        load_config(path)
    path.write_text(asked + "\npublish:\n  coarsen_m: 500\n")
    with pytest.raises(InputError, match="device_path: homogeneous"):
        load_config(path)


def test_mast_of_a_device_stands_on_the_terrain(hilly):
    place = device_mast(hilly.config.devices[0], 14.0, 46.0)
    assert isinstance(place, Mast)
    assert math.isnan(place.site_height_asl_m)
