"""Limits around receivers with paths over terrain, against single paths from devices to the receiver."""

from __future__ import annotations

import math
import pickle
from pathlib import Path

import numpy as np
import pytest
from pyproj import Geod
from rasterio.transform import from_origin
from service_scene import GRID, lonlat_deg, make_context, whole

from pipeline.blocks import packed
from pipeline.dtt.terrain_paths import terrain_of_grid, terrain_path, waves_of_device
from pipeline.radio.antennas import gain_table_dbi
from pipeline.services import receiver_terrain
from pipeline.services.base import ServiceContext
from pipeline.services.placing import ReceiverCriteria, least_terrain_losses
from pipeline.services.points import explain_points, prepare_points
from pipeline.services.protected_receivers import ProtectedReceiver
from pipeline.services.receiver_terrain import ReceiverEnd, losses_of, pixel_losses_db
from pipeline.services.table import service_code
from tests.availability.test_terrain_check import STEP_DEG
from tests.rasters import write_raster
from tests.services.test_points import CHANNEL, receiver

HERE_DEG = lonlat_deg(506_000.0, 104_000.0)
WEST_DEG, NORTH_DEG = HERE_DEG[0] - 0.3, HERE_DEG[1] + 0.25
REJECTION_DB = 10 * math.log10(8.0)


def heights_m() -> np.ndarray:
    """Rolling land with a ridge of 150 m, 4 km west of the middle of the grid."""
    row, col = np.mgrid[:200, :240]
    height_m = 300.0 + 25.0 * np.sin(row / 6.0) * np.cos(col / 7.0)
    height_m[:, 98:101] += 150.0
    return height_m.astype(np.float32)


def scene(
    folder: Path, repository: Path, path: str, *, hole: bool = False, **protection: object
) -> ServiceContext:
    height_m = heights_m()
    if hole:
        height_m[:, 98:112] = np.nan
    place = from_origin(WEST_DEG, NORTH_DEG, STEP_DEG, STEP_DEG)
    write_raster(folder / "dem.tif", height_m, place)
    write_raster(folder / "territory/land_lonlat.tif", np.ones(height_m.shape, np.uint8), place)
    return make_context(
        folder,
        repository,
        terrain={"dem": [str(folder / "dem.tif")]},
        protection={"device_path": path} | protection,
    )


@pytest.fixture(scope="module")
def contexts(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> dict[str, ServiceContext]:
    return {
        path: scene(tmp_path_factory.mktemp(path), repository, path)
        for path in ("homogeneous", "p1812", "smaller")
    }


def criteria(context: ServiceContext) -> ReceiverCriteria:
    return ReceiverCriteria(
        service_code("fixed"), "p1546", 5.0, margin_db=3.0, device_path=context.config.protection.device_path
    )


def limits_dbm(context: ServiceContext, *victims: ProtectedReceiver, window=None) -> np.ndarray:
    device = context.config.devices[0]
    return prepare_points(context, device, CHANNEL, victims, criteria(context))(*(window or whole())).eirp_dbm


def pixel_places(rng: np.random.Generator, row: int, col: int, count: int) -> list[tuple[float, float]]:
    x_m = GRID.west_m + (col + rng.uniform(0.0, 1.0, count)) * GRID.resolution_m
    y_m = GRID.north_m - (row + rng.uniform(0.0, 1.0, count)) * GRID.resolution_m
    return [lonlat_deg(float(x), float(y)) for x, y in zip(x_m, y_m, strict=True)]


def least_link_db(context: ServiceContext, victim: ProtectedReceiver, places) -> float:
    """The least loss of single paths from devices at some places to the receiver."""
    device = context.config.devices[0]
    terrain = terrain_of_grid(context.config, context.build, GRID, 20.0)
    waves = waves_of_device(context.config, device, 610.0, 5.0)
    end_deg = victim.lon_deg, victim.lat_deg
    found = [terrain_path(terrain, device, waves, (place, end_deg), victim.height_m) for place in places]
    return min(path.link.loss_db for path in found)


def test_limit_is_below_that_of_any_device_in_the_pixel(contexts: dict[str, ServiceContext]) -> None:
    """Paths from the device, one by one; the sweep runs from the receiver."""
    context, rng = contexts["p1812"], np.random.default_rng(3)
    victim = receiver(505_130.0, 104_260.0, height_m=15.0)
    found_dbm, above_db = limits_dbm(context, victim), []
    for row, col in [(0, 0), (0, 23), (23, 23), (5, 17), (12, 3), (12, 19), (20, 2), (3, 1), (11, 7)]:
        loss_db = least_link_db(context, victim, pixel_places(rng, row, col, 25))
        exact_dbm = victim.i_max_dbm + victim.feeder_db - 3.0 + loss_db - 6.0 + REJECTION_DB
        above_db.append(exact_dbm - found_dbm[row, col])
    assert min(above_db) > -0.05
    # Neither does it forbid what no place of the pixel asks for: nodes of the table beside it count too.
    assert np.median(above_db) < 3.0


def test_ridge_between_lets_devices_radiate_more_and_clear_sight_less(
    contexts: dict[str, ServiceContext],
) -> None:
    victim = receiver(505_130.0, 104_260.0, height_m=15.0)
    flat, over, smaller = (limits_dbm(contexts[path], victim) for path in ("homogeneous", "p1812", "smaller"))
    x_m = (
        111.195e3
        * math.cos(math.radians(HERE_DEG[1]))
        * STEP_DEG
        * (99.5 - (HERE_DEG[0] - WEST_DEG) / STEP_DEG)
    )
    ridge_px = (6_000.0 + x_m) / GRID.resolution_m
    behind = over[8:16, : int(ridge_px) - 2] - flat[8:16, : int(ridge_px) - 2]
    assert behind.size > 0
    assert behind.min() > 5.0
    assert (over < flat - 5.0).any()
    assert np.array_equal(smaller, np.minimum(flat, over))
    near = np.hypot(*np.meshgrid(np.arange(24) + 0.5 - 10.26, np.arange(24) + 0.5 - 11.48)) < 1.0
    assert near.sum() >= 2
    assert np.array_equal(over[near], flat[near])


def test_blocks_fit_together_and_a_receiver_outside_the_grid_counts(
    contexts: dict[str, ServiceContext],
) -> None:
    context = contexts["p1812"]
    victims = [
        receiver(498_700.0, 104_000.0, height_m=40.0, id="outside"),
        receiver(508_000.0, 101_000.0, id="inside", gain_dbi=gain_table_dbi("F.699", 12.0, 610.0)),
    ]
    together = limits_dbm(context, *victims)
    alone = np.min([limits_dbm(context, victim) for victim in victims], axis=0)
    assert np.array_equal(together, alone)
    part = limits_dbm(context, *victims, window=(slice(5, 17), slice(3, 20)))
    assert np.array_equal(part, together[5:17, 3:20])
    flat = limits_dbm(contexts["homogeneous"], victims[0])
    assert (limits_dbm(context, victims[0]) != flat).all()


def test_explained_terms_add_up_and_name_the_path(contexts: dict[str, ServiceContext]) -> None:
    victims = [receiver(505_130.0, 104_260.0, height_m=15.0), receiver(509_900.0, 100_200.0, id="B")]
    said = set()
    for path, context in contexts.items():
        found_dbm = limits_dbm(context, *victims)
        for place in [(0, 0), (11, 10), (23, 23), (12, 2), (20, 19), (19, 22)]:
            told = explain_points(
                context, context.config.devices[0], CHANNEL, victims, criteria(context), place
            )
            assert told is not None
            assert sum(term.value_db for term in told.terms) == pytest.approx(found_dbm[place], abs=1e-9)
            (note,) = [term.note for term in told.terms if term.name == "path loss"]
            said.add(
                (path, "P.1812 over terrain" in note, "not over terrain" in note, "; over terrain" in note)
            )
    assert ("homogeneous", False, False, False) in said
    assert {("p1812", True, False, False), ("p1812", False, True, False)} <= said
    assert {("smaller", True, False, False), ("smaller", False, False, True)} <= said


def test_homogeneous_path_holds_over_unknown_terrain_and_beyond_the_reach(
    tmp_path: Path, repository: Path, contexts: dict[str, ServiceContext], capsys: pytest.CaptureFixture[str]
) -> None:
    victim = receiver(508_000.0, 104_000.0, height_m=15.0)
    flat, over = (limits_dbm(contexts[path], victim) for path in ("homogeneous", "p1812"))
    assert capsys.readouterr().err == ""
    holed = limits_dbm(scene(tmp_path, repository, "p1812", hole=True), victim)
    assert "receiver R: terrain around it is not known everywhere" in capsys.readouterr().err
    assert np.array_equal(holed[:, :4], flat[:, :4])
    assert np.array_equal(holed[12, 17:], over[12, 17:])
    near = limits_dbm(scene(tmp_path, repository, "p1812", device_path_km=3.0), victim)
    far = np.abs(np.arange(24) - 15.5) > 8
    assert np.array_equal(near[:, far], flat[:, far])
    assert (near[12, 18:20] == over[12, 18:20]).all()


def test_receiver_limits_farther_in_clear_sight_than_over_flat_land(
    contexts: dict[str, ServiceContext],
) -> None:
    """Weak enough that flat paths end on the grid: paths over terrain are looked for beyond."""
    victim = receiver(505_130.0, 104_260.0, height_m=60.0, i_max_dbm=-71.0)
    flat, over = (limits_dbm(contexts[path], victim) for path in ("homogeneous", "p1812"))
    farther = np.argwhere(np.isinf(flat) & (over < 36.0))
    assert farther.shape[0] > 10
    row, col = farther[len(farther) // 2].tolist()
    places = pixel_places(np.random.default_rng(5), row, col, 25)
    exact_dbm = -71.0 + 2.0 - 3.0 + least_link_db(contexts["p1812"], victim, places) - 6.0 + REJECTION_DB
    assert exact_dbm - 4.0 < over[row, col] < exact_dbm + 0.05


def test_percentage_of_time_is_that_of_the_service(contexts: dict[str, ServiceContext]) -> None:
    """On a clear path of 8 km half of the year has 2.6 (1 - exp(-0.8)) dB more loss than 5 % of it."""
    context, victim = contexts["p1812"], receiver(505_130.0, 104_260.0, height_m=300.0)
    rare, median = (
        prepare_points(context, context.config.devices[0], CHANNEL, [victim], one)(*whole()).eirp_dbm[2, 23]
        for one in (criteria(context), criteria(context)._replace(time_pct=50.0))
    )
    assert median - rare == pytest.approx(2.6 * (1.0 - math.exp(-0.8)), abs=0.2)


def test_no_path_over_terrain_has_less_loss_than_the_bound(contexts: dict[str, ServiceContext]) -> None:
    """By which receivers are left out before any path is computed."""
    profile = least_terrain_losses(610.0, 5.0, 60.0)
    context = contexts["p1812"]
    victim = receiver(505_130.0, 104_260.0, height_m=400.0)
    device = context.config.devices[0].model_copy(update={"height_m": 400.0})
    terrain = terrain_of_grid(context.config, context.build, GRID, 20.0)
    waves = waves_of_device(context.config, device, 610.0, 5.0)
    for place in pixel_places(np.random.default_rng(1), 3, 3, 20):
        path = terrain_path(terrain, device, waves, (place, (victim.lon_deg, victim.lat_deg)), 400.0)
        node = int(np.log(path.d_km[-1] / 0.25) / 1e-3)
        assert path.link.loss_db >= profile.left_db[node]
        assert path.link.loss_db < profile.left_db[node] + 3.0


@pytest.mark.parametrize("reach_km", [2.0, 4.9])
def test_table_knows_all_of_a_pixel_that_begins_within_the_reach(
    contexts: dict[str, ServiceContext], reach_km: float
) -> None:
    """Where it did not, the flat path held in a ring: a device could be allowed more than over terrain."""
    context, victim = contexts["p1812"], receiver(505_130.0, 104_260.0)
    end = ReceiverEnd("R", victim.lon_deg, victim.lat_deg, 15.0, 610.0, 5.0, reach_km)
    around = losses_of(context, end, context.config.devices[0])
    assert around is not None
    known = np.isfinite(pixel_losses_db(around, GRID, *whole()))
    lon_deg, lat_deg = GRID.lonlat_deg()
    apart_m = Geod(ellps="WGS84").inv(
        np.full(lon_deg.shape, victim.lon_deg), np.full(lon_deg.shape, victim.lat_deg), lon_deg, lat_deg
    )[2]
    half_km = 1e-3 * GRID.resolution_m * math.sqrt(0.5)
    nearest_km = 1e-3 * apart_m - half_km
    begins_within = (nearest_km > 0.27) & (nearest_km < reach_km)
    assert (nearest_km + 2.0 * half_km > reach_km)[begins_within].sum() > 10
    assert known[begins_within].all()


def test_tables_beyond_what_may_be_kept_are_made_again(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Limits of two blocks by three receivers: equal however few tables are kept, and told of once."""
    victims = [receiver(x_m, 104_260.0, height_m=15.0, id=f"R{x_m:g}") for x_m in (503e3, 505e3, 508e3)]
    blocks = [(slice(0, 24), slice(0, 12)), (slice(0, 24), slice(12, 24))]
    whole_dbm = limits_dbm(scene(tmp_path / "all", repository, "p1812", hole=True), *victims)
    told = capsys.readouterr().err
    assert told.count("terrain around it is not known everywhere") == 3
    made, swept = [], receiver_terrain.losses_around
    monkeypatch.setattr(receiver_terrain, "KEPT_TABLES_BYTES", 1)
    monkeypatch.setattr(
        receiver_terrain, "losses_around", lambda *values: made.append(values[1].key) or swept(*values)
    )
    context = scene(tmp_path / "few", repository, "p1812", hole=True)
    limit = prepare_points(context, context.config.devices[0], CHANNEL, victims, criteria(context))
    found_dbm = np.hstack([limit(*block).eirp_dbm for block in blocks])
    assert np.array_equal(found_dbm, whole_dbm)
    assert made == 2 * [victim.id for victim in victims]
    assert capsys.readouterr().err == told
    again = pickle.loads(packed(limit))
    assert np.array_equal(again(*blocks[1]).eirp_dbm, whole_dbm[blocks[1]])
