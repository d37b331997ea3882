"""Limits around receivers at points against a calculation pixel by pixel from the definition.

``limit_by_definition_dbm`` uses pyproj for distances and azimuths and the P.1546 link of the package, which
has its own reference vectors; overlap and leakage are worked by hand.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Geod, Proj, Transformer
from service_scene import GRID, lonlat_deg, make_context, whole

from pipeline.grid.geodesy import rays_to
from pipeline.grid.grid import Grid
from pipeline.propagation import homogeneous as profiles
from pipeline.propagation.homogeneous import DevicePath
from pipeline.propagation.p1546.curves import load_curves
from pipeline.propagation.p1546.pixel import p1546_pixel_field, prepare
from pipeline.radio.antennas import f699_gain_dbi, gain_table_dbi
from pipeline.radio.emission import Band
from pipeline.services.base import ServiceContext
from pipeline.services.placing import ReceiverCriteria
from pipeline.services.points import explain_points, prepare_points
from pipeline.services.protected_receivers import ProtectedReceiver
from pipeline.services.table import service_code

CHANNEL = 38  # 606-614 MHz
CURVES = load_curves()
SERVICE = ReceiverCriteria(service_code("fixed"), "p1546", 20.0, margin_db=3.0)


def receiver(x_m: float, y_m: float, **changes: object) -> ProtectedReceiver:
    lon, lat = lonlat_deg(x_m, y_m)
    values: dict[str, object] = {
        "id": "R",
        "lon_deg": lon,
        "lat_deg": lat,
        "band": Band(609.5, 610.5),
        "i_max_dbm": -129.0,
        "gain_dbi": gain_table_dbi("", 6.0, 610.0),
        "azimuth_deg": 0.0,
        "feeder_db": 2.0,
        "height_m": 25.0,
        "acs_db": 60.0,
        "coastal": False,
    }
    return ProtectedReceiver(**(values | changes))  # type: ignore[arg-type]


def loss_by_definition_db(d_km: float, f_mhz: float, device_m: float, rx_m: float, t_pct: float) -> float:
    slant_km = math.hypot(d_km, (device_m - rx_m) / 1000)
    free = 32.4 + 20 * math.log10(f_mhz) + 20 * math.log10(slant_km)
    if d_km <= 0.08:
        return free
    high, low = max(device_m, rx_m, 10.0), min(device_m, rx_m)
    nan = math.nan
    e = p1546_pixel_field(
        prepare(CURVES, f_mhz, t_pct),
        CURVES,
        d_km,
        high,
        nan,
        high,
        low,
        10.0,
        0,
        0.0,
        False,
        nan,
        nan,
        False,
    )
    return max(free, 139.3 - e + 20 * math.log10(f_mhz))


def largest_scale_of(grid: Grid) -> float:
    x = np.linspace(grid.west_m, grid.west_m + grid.width * grid.resolution_m, 40)
    y = np.linspace(grid.north_m, grid.north_m - grid.height * grid.resolution_m, 40)
    proj = Proj(grid.crs)
    return float(proj.get_factors(*proj(*np.meshgrid(x, y), inverse=True)).tissot_semimajor.max())


def limit_by_definition_dbm(
    victim: ProtectedReceiver, row: int, col: int, gain_dbi: float, rejection_db: float
) -> float:
    x_m, y_m = Transformer.from_crs("EPSG:4326", GRID.crs, always_xy=True).transform(
        victim.lon_deg, victim.lat_deg
    )
    left, top = GRID.west_m + col * GRID.resolution_m, GRID.north_m - row * GRID.resolution_m
    near_x = min(max(x_m, left), left + GRID.resolution_m)
    near_y = min(max(y_m, top - GRID.resolution_m), top)
    d_km = max(math.hypot(near_x - x_m, near_y - y_m) / largest_scale_of(GRID) / 1000, 0.02)
    loss = loss_by_definition_db(d_km, 610.0, 30.0, victim.height_m, SERVICE.time_pct)
    return victim.i_max_dbm + victim.feeder_db - SERVICE.margin_db + loss - gain_dbi + rejection_db


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> ServiceContext:
    return make_context(tmp_path_factory.mktemp("points"), repository)


def limits(
    context: ServiceContext, victims: list[ProtectedReceiver], service: ReceiverCriteria = SERVICE
) -> np.ndarray:
    device = context.config.devices[0]
    return prepare_points(context, device, CHANNEL, victims, service)(*whole())


def test_limit_of_an_omnidirectional_receiver_is_the_definition(context: ServiceContext) -> None:
    victim = receiver(505_130.0, 104_260.0)
    found = limits(context, [victim])
    rejection = 10 * math.log10(8.0)
    for row, col in [(0, 0), (11, 10), (11, 11), (10, 10), (23, 23), (5, 17), (12, 9)]:
        wanted = limit_by_definition_dbm(victim, row, col, 6.0, rejection)
        value = found.eirp_dbm[row, col]
        assert value == pytest.approx(wanted, abs=0.003), (row, col)
    assert (found.label == service_code("fixed")).all()
    assert not found.not_evaluated.any()


def test_gain_is_the_largest_towards_any_part_of_the_pixel(context: ServiceContext) -> None:
    victim = receiver(500_900.0, 103_000.0, gain_dbi=gain_table_dbi("F.699", 20.0, 610.0), azimuth_deg=75.0)
    found = limits(context, [victim])
    geod = Geod(ellps="WGS84")
    for row, col in [(2, 5), (8, 20), (14, 22), (20, 3), (13, 9)]:
        x = GRID.west_m + (col + 0.5) * GRID.resolution_m
        y = GRID.north_m - (row + 0.5) * GRID.resolution_m
        azimuth, _, d_m = geod.inv(victim.lon_deg, victim.lat_deg, *lonlat_deg(x, y))
        half = math.degrees(math.asin(GRID.resolution_m * 0.7072 / d_m))
        off_axis = abs((azimuth - 75.0 + 180) % 360 - 180)
        best, worst = (
            limit_by_definition_dbm(
                victim,
                row,
                col,
                f699_gain_dbi(max(off_axis - half - slack, 0), 20.0, 610.0),
                10 * math.log10(8),
            )
            for slack in (0.0, 0.25)
        )
        assert worst - 0.003 <= found.eirp_dbm[row, col] <= best + 0.003


def test_smallest_of_many_receivers_decides_and_blocks_fit_together(context: ServiceContext) -> None:
    rng = np.random.default_rng(3)
    places = rng.uniform([500_000, 98_000], [512_000, 110_000], (12, 2))
    victims = [
        receiver(x, y, id=f"R{i}", gain_dbi=gain_table_dbi("F.699", 12.0, 610.0), azimuth_deg=30.0 * i)
        for i, (x, y) in enumerate(places.tolist())
    ]
    together = limits(context, victims)
    alone = np.min([limits(context, [victim]).eirp_dbm for victim in victims], axis=0)
    assert np.array_equal(together.eirp_dbm, alone)
    limit = prepare_points(context, context.config.devices[0], CHANNEL, victims, SERVICE)
    part = limit(slice(5, 17), slice(3, 20))
    assert np.array_equal(part.eirp_dbm, together.eirp_dbm[5:17, 3:20])


def test_beyond_its_reach_a_receiver_would_not_limit_below_the_cap(context: ServiceContext) -> None:
    weak = receiver(500_250.0, 109_750.0, i_max_dbm=-58.0)
    found = limits(context, [weak])
    assert np.isinf(found.eirp_dbm).any()
    for row, col in np.argwhere(np.isinf(found.eirp_dbm))[::20]:
        assert limit_by_definition_dbm(weak, row, col, 6.0, 10 * math.log10(8)) > 36.0
    assert (found.label[np.isinf(found.eirp_dbm)] == service_code("none")).all()


def test_explained_terms_add_up_to_the_limit(context: ServiceContext) -> None:
    rng = np.random.default_rng(5)
    victims = [
        receiver(x, y, id=f"R{i}", gain_dbi=gain_table_dbi("F.699", 15.0, 610.0), azimuth_deg=40.0 * i)
        for i, (x, y) in enumerate(rng.uniform([490_000, 98_000], [512_000, 118_000], (8, 2)).tolist())
    ]
    service = SERVICE._replace(floor_dbm_per_100khz=-84.0, exclude_below_dbm=-60.0)
    found = limits(context, victims, service)
    for row, col in rng.integers(0, GRID.height, (10, 2)).tolist():
        place = (row, col)
        told = explain_points(context, context.config.devices[0], CHANNEL, victims, service, place)
        assert told is not None
        total = sum(term.value_db for term in told.terms)
        assert total == found.eirp_dbm[row, col] or total == pytest.approx(found.eirp_dbm[row, col], abs=1e-9)
        assert told.label == service_code("fixed")
        assert told.victim["id"] in {victim.id for victim in victims}


def test_limit_below_the_exclusion_level_is_no_permission(context: ServiceContext) -> None:
    victim = receiver(505_130.0, 104_260.0)
    free = limits(context, [victim])
    cut = limits(context, [victim], SERVICE._replace(exclude_below_dbm=-20.0))
    assert (np.isneginf(cut.eirp_dbm) == (free.eirp_dbm < -20.0)).all()
    assert np.isneginf(cut.eirp_dbm).any()
    assert not np.isneginf(cut.eirp_dbm).all()


def test_receiver_outside_the_grid_counts(context: ServiceContext) -> None:
    far = receiver(380_000.0, 60_000.0, i_max_dbm=-170.0)
    found = limits(context, [far]).eirp_dbm
    # The scale of the projection between the two is larger than on the grid: at most 0.05 dB.
    for row, col in [(0, 0), (23, 12)]:
        wanted = limit_by_definition_dbm(far, row, col, 6.0, 10 * math.log10(8))
        assert wanted - 0.05 <= found[row, col] <= wanted + 0.003


def test_receiver_of_unknown_coast_takes_the_map_or_the_protected_side(
    tmp_path: Path, repository: Path
) -> None:
    coast = np.zeros((GRID.height, GRID.width), np.uint8)
    coast[:, :12] = 1
    context = make_context(tmp_path, repository, coastal=coast)
    for x_m, same in ((502_000.0, True), (510_000.0, False)):
        known = [limits(context, [receiver(x_m, 104_000.0, coastal=c)]).eirp_dbm for c in (True, False, None)]
        assert np.array_equal(known[2], known[0]) == same
        assert (known[0] <= known[1]).all()
        assert (known[0] < known[1]).any()
    far = [limits(context, [receiver(470_000.0, 104_000.0, coastal=c)]).eirp_dbm for c in (True, None)]
    assert np.array_equal(*far)


def test_rays_are_geodesics(context: ServiceContext) -> None:
    lon, lat = lonlat_deg(470_000.0, 60_000.0)
    d_km, azimuth_deg = rays_to(lon, lat, GRID, *whole())
    x = GRID.west_m + (np.arange(GRID.width) + 0.5) * GRID.resolution_m
    y = GRID.north_m - (np.arange(GRID.height) + 0.5) * GRID.resolution_m
    lons, lats = lonlat_deg(*np.meshgrid(x, y))
    azimuth, _, d_m = Geod(ellps="WGS84").inv(np.full_like(lons, lon), np.full_like(lats, lat), lons, lats)
    assert np.abs(d_km - d_m / 1000).max() < 2e-3
    assert np.abs((azimuth_deg - azimuth + 180) % 360 - 180).max() < 1e-3


@settings(max_examples=30, deadline=None)
@given(
    st.floats(0.02, 990.0),
    st.sampled_from([1.5, 10.0, 30.0]),
    st.sampled_from([1.5, 10.0, 40.0]),
    st.booleans(),
)
def test_profile_is_the_loss_itself(d_km: float, device_m: float, rx_m: float, coastal: bool) -> None:
    path = DevicePath("p1546", 611.0, device_m, rx_m, 2.0, 0.0 if coastal else math.inf)
    table = profiles.loss_profile(path, 0.02)
    found = profiles.profile_loss_db(*table, d_km)
    exact = float(profiles.exact_loss_db(path, np.array([d_km]))[0])
    near_step = abs(math.log(d_km / 0.08)) < 2 * profiles.STEP
    assert found <= exact + 0.002
    assert near_step or found == pytest.approx(exact, abs=0.002)


def test_profile_takes_the_smaller_loss_across_the_step() -> None:
    path = DevicePath("p1546", 611.0, 30.0, 10.0, 50.0, math.inf)
    table = profiles.loss_profile(path, 0.02)
    around = 0.08 * np.exp(np.linspace(-3, 3, 400) * profiles.STEP)
    exact = profiles.exact_loss_db(path, around)
    found = np.array([profiles.profile_loss_db(*table, float(d)) for d in around])
    assert (found <= exact + 1e-3).all()
