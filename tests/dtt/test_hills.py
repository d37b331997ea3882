"""Limits of devices on hills and behind the coast against the exact form, pair by pair in float64."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hills_by_definition import DeviceOnHill, mixed_db, sea_distance_km

from pipeline.dtt.device_ground import GroundClasses
from pipeline.dtt.min_plus_search import SearchMaps, limiting_victim, min_plus, reach_of, search_tables
from pipeline.dtt.multiple_interference import InterferenceSources, SourcePaths, add_power
from pipeline.dtt.path_classes import PixelClasses, level_ground, prepared
from pipeline.dtt.path_losses import PathReach, path_losses, row_loss_db
from pipeline.dtt.terrain_losses import NO_TERRAIN
from pipeline.dtt.victim_tree import offset_tables
from pipeline.dtt.victims import empty_victims
from pipeline.grid.grid import Grid
from pipeline.plan.territory_file import load_config
from pipeline.propagation.homogeneous import DevicePath, coast_path_loss_db, path_loss_db
from pipeline.radio.antennas import bt419
from pipeline.terrain.device_heights import class_heights_m, height_classes
from pipeline.terrain.device_lines import RingSettings
from pipeline.terrain.records import LonLatRaster

F_MHZ, CAP_DBM = 600.0, 60.0
ANTENNA = (20.0, 60.0, 16.0)
RINGS = RingSettings(24, (1.0, 2.0, 4.0, 7.0, 11.0, 15.0))
SEA_KM = np.array([0.0, 5.0, 10.0, 20.0, 40.0, 70.0, math.inf])
SIDE, PX_M = 70, 1000.0
GRID = Grid("EPSG:3794", PX_M, 470_000.0, 130_000.0, SIDE, SIDE)


def relief_m(rng: np.random.Generator) -> np.ndarray:
    """Ridges and valleys of several lengths on the cells of a terrain model, float32[y, x]."""
    y, x = np.mgrid[:220, :300]
    height = np.zeros(y.shape)
    for length in (90.0, 40.0, 17.0, 7.0):
        turn = rng.uniform(0, math.tau)
        wave = np.cos(
            math.tau * (x * math.cos(turn) + y * math.sin(turn)) / length + rng.uniform(0, math.tau)
        )
        height += 6.0 * length * np.maximum(wave, -0.3)
    return np.maximum(height, 0.0).astype(np.float32)


class Case:
    """A grid of 70 x 70 pixels of 1 km with relief, sea in a corner, victims and targets everywhere."""

    def __init__(
        self, seed: int, repository, device: dict | None = None, sectors: int = 24, ratio: float = 1.25
    ):
        rings = RINGS._replace(sectors=sectors)
        rng = np.random.default_rng(seed)
        config = load_config(repository / "configs" / "slovenia.yaml")
        self.config, self.device = config, config.devices[0].model_copy(update=device or {})
        lon_deg, lat_deg = GRID.lonlat_deg(slice(35, 36), slice(35, 36))
        self.elevation = LonLatRaster(
            relief_m(rng), float(lon_deg.item()) - 1.5, float(lat_deg.item()) + 0.92, 0.01, 0.0083
        )
        self.scale = GRID.largest_scale()
        self.px_km = PX_M / self.scale / 1000.0
        y, x = np.mgrid[:SIDE, :SIDE]
        self.sea = np.hypot(y - 75, x + 8) < 30 if seed % 2 == 0 else np.zeros(y.shape, bool)
        self.level_dbm = np.where(rng.random(y.shape) < 0.03, rng.uniform(-125, -95, y.shape), np.inf)
        self.level_dbm[self.sea] = np.inf
        self.azimuth_deg = rng.uniform(0, 360, y.shape)
        self.azimuth_deg[rng.random(y.shape) < 0.2] = np.nan
        self.base_m = max(self.device.height_m, 10.0)
        heights_m = class_heights_m(self.base_m, ratio)
        every, levels_m = np.ones(y.shape, bool), [heights_m - self.base_m]
        ((classes,),) = height_classes(self.elevation, GRID, every, rings, levels_m, strip_px=SIDE)
        sea_class = np.array(
            [
                [np.digitize(sea_distance_km(self.sea, (i, j), self.px_km), SEA_KM[1:]) for j in range(SIDE)]
                for i in range(SIDE)
            ]
        )
        ground = PixelClasses(
            np.arange(SIDE * SIDE, dtype=np.int32).reshape(y.shape), classes, sea_class.astype(np.uint8)
        )
        self.classes = GroundClasses(ground, heights_m[: classes.max() + 1], math.nan, rings, SEA_KM)
        reach = PathReach(200.0, 200.0, 400.0)
        self.losses = path_losses(
            config, self.device, F_MHZ, GRID, self.classes, reach, int(sea_class.min()), coastal=False
        )

    def found_dbm(self, threads: int = 1, cap_dbm: float = CAP_DBM) -> np.ndarray:
        """Limits of the search on all pixels."""
        best = np.full((SIDE, SIDE), cap_dbm, np.float32)
        maps = SearchMaps(
            self.azimuth_deg.astype(np.float32), np.ones(best.shape, bool), best, best.astype(np.uint8)
        )
        for loss_db, paths in ((self.losses.near_db, None), (self.losses.far_db, self.losses.paths)):
            level_dbm = self.level_dbm.astype(np.float32)
            tables = search_tables(loss_db, paths)
            min_plus(level_dbm, tables, ANTENNA, maps, 1, ground=self.classes.ground, threads=threads)
        return maps.best_dbm

    def found_in_dbm(self, box: tuple[slice, slice], cap_dbm: float) -> tuple[np.ndarray, int]:
        """The same of a box alone, from the victims of the window within reach of it, and that reach."""
        best = np.full((SIDE, SIDE), cap_dbm, np.float32)[box]
        its = np.ones(best.shape, bool), np.ascontiguousarray(best), best.astype(np.uint8)
        ground = self.classes.ground
        number = np.ascontiguousarray(ground.number[box])
        highest, least_dbm = int(ground.height[number.ravel()].max()), float(self.level_dbm.min())
        for loss_db, paths in ((self.losses.near_db, None), (self.losses.far_db, self.losses.paths)):
            tables = search_tables(loss_db, paths)
            reach = reach_of(tables, highest, least_dbm, cap_dbm)
            window = tuple(slice(max(part.start - reach, 0), part.stop + reach) for part in box)
            first = box[0].start - window[0].start, box[1].start - window[1].start
            level_dbm, azimuth_deg, sea = (
                np.ascontiguousarray(values[window])
                for values in (self.level_dbm.astype(np.float32), self.azimuth_deg, ground.sea)
            )
            maps = SearchMaps(azimuth_deg.astype(np.float32), *its)
            own = PixelClasses(number, ground.height, sea)
            min_plus(level_dbm, tables, ANTENNA, maps, 1, ground=own, first=first, threads=1)
        return its[1], reach

    def terrain(self, x_km: np.ndarray, y_km: np.ndarray) -> np.ndarray:
        """Bilinear height at grid km from the centre of pixel (0, 0), exact positions."""
        lon, lat = GRID.to_lonlat().transform(
            GRID.west_m + 0.5 * PX_M + 1000.0 * x_km, GRID.north_m - 0.5 * PX_M + 1000.0 * y_km
        )
        col = (lon - self.elevation.west_deg) / 0.01 - 0.5
        row = (self.elevation.north_deg - lat) / 0.0083 - 0.5
        i, j = np.floor(row).astype(int), np.floor(col).astype(int)
        v, u, z = row - i, col - j, self.elevation.values.astype(float)
        upper = (1 - u) * z[i, j] + u * z[i, j + 1]
        return (1 - v) * upper + v * ((1 - u) * z[i + 1, j] + u * z[i + 1, j + 1])

    def exact_dbm(self, place: tuple[int, int]) -> float:
        """The limit of the exact form at one pixel."""
        hill = DeviceOnHill(self.terrain, float(place[1]), -float(place[0]), 0.5 * PX_M / 1000.0, self.scale)
        own_km = sea_distance_km(self.sea, place, self.px_km)
        limit_dbm = CAP_DBM
        for p in zip(*np.nonzero(np.isfinite(self.level_dbm)), strict=True):
            dy, dx = p[0] - place[0], p[1] - place[1]
            gaps = max(abs(dy) - 1, 0), max(abs(dx) - 1, 0)
            d_km = max(math.hypot(*gaps) * self.px_km, self.device.min_separation_m.value / 1000.0)
            azimuth_deg = math.degrees(math.atan2(dx, -dy)) % 360.0
            h1_m = hill.h1_m(azimuth_deg, d_km, self.base_m)
            directed_db = 0.0
            if max(abs(dy), abs(dx)) > 1 and not math.isnan(self.azimuth_deg[p]):
                off = abs((self.azimuth_deg[p] - (azimuth_deg + 180.0) + 180.0) % 360.0 - 180.0)
                directed_db = min(max((off - 20.0) * 0.4, 0.0), 16.0)
            if self.level_dbm[p] + directed_db + 60.0 > limit_dbm:
                continue
            losses = [
                float(
                    path_loss_db(np.array([d_km]), F_MHZ, self.device.height_m, path=path, effective_m=h1_m)[
                        0
                    ]
                )
                for path in ("land", "sea")
            ]
            inland_km = own_km + sea_distance_km(self.sea, p, self.px_km)
            share = 1.0 if inland_km == 0.0 else max(0.0, 1.0 - inland_km / d_km)
            limit_dbm = min(limit_dbm, self.level_dbm[p] + directed_db + mixed_db(*losses, share))
        return limit_dbm


@pytest.mark.parametrize(
    "seed", [0, pytest.param(1, marks=pytest.mark.slow), pytest.param(2, marks=pytest.mark.slow)]
)
def test_limits_are_never_above_the_exact_form_and_little_below(seed, repository):
    case = Case(seed, repository, {"height_m": [30.0, 30.0, 1.5][seed]})
    found_dbm = case.found_dbm(threads=1 + seed % 2)
    rng = np.random.default_rng(seed + 10)
    below_db = []
    for place in rng.integers(0, SIDE, (60, 2)):
        exact_dbm = case.exact_dbm(tuple(place))
        assert found_dbm[tuple(place)] <= exact_dbm + 2e-5, (place, exact_dbm)
        if exact_dbm < CAP_DBM:
            below_db.append(exact_dbm - float(found_dbm[tuple(place)]))
    assert len(below_db) > 40
    assert np.mean(below_db) < 1.5


def test_search_equals_trying_every_victim(repository):
    """The budget's search through all victims and the branch and bound give the same bytes, near and far."""
    case = Case(4, repository)
    found_dbm = case.found_dbm()
    ant = bt419(ANTENNA)
    for place in np.random.default_rng(1).integers(0, SIDE, (300, 2)):
        best = np.float32(CAP_DBM)
        for loss_db, used in ((case.losses.near_db, False), (case.losses.far_db, True)):
            tables = offset_tables(loss_db, 1)
            paths = prepared(case.losses.paths, tables.origin)._replace(used=used)
            level_dbm, *_ = limiting_victim(
                case.level_dbm.astype(np.float32),
                case.azimuth_deg.astype(np.float32),
                ant,
                tables,
                paths,
                case.classes.ground,
                *place,
            )
            best = min(best, level_dbm)
        assert best == found_dbm[tuple(place)]


def test_limits_of_a_box_are_those_of_the_whole_bit_for_bit(repository):
    """From the victims within reach of its own heights alone."""
    for seed in (1, 2):
        case = Case(seed, repository)
        whole = case.found_dbm(cap_dbm=-10.0)
        for row, col in ((0, 0), (13, 40), (50, 52)):
            box = np.s_[row : row + 9, col : col + 18]
            found, reach = case.found_in_dbm(box, cap_dbm=-10.0)
            assert found.tobytes() == np.ascontiguousarray(whole[box]).tobytes()
            assert 2 < reach < 30
            assert (found < -10.0).any()


def test_flat_terrain_gives_the_flat_limits_bit_for_bit(repository):
    case = Case(1, repository)
    level = case.elevation._replace(values=np.full(case.elevation.values.shape, 317.3, np.float32))
    heights_m = class_heights_m(30.0, 1.25)
    every = np.ones((SIDE, SIDE), bool)
    ((classes,),) = height_classes(level, GRID, every, RINGS, [heights_m - 30.0], strip_px=SIDE)
    assert (classes == 0).all()
    flat = case.classes._replace(
        ground=level_ground((SIDE, SIDE))._replace(sea=case.classes.ground.sea), heights_m=heights_m[:1]
    )
    case.classes = flat
    case.losses = path_losses(
        case.config, case.device, F_MHZ, GRID, flat, PathReach(200.0, 200.0, 400.0), 6, coastal=False
    )
    assert not case.losses.paths.used
    without = case.found_dbm()
    case.classes = flat._replace(
        ground=PixelClasses(
            np.arange(SIDE * SIDE, dtype=np.int32).reshape(SIDE, SIDE), classes, flat.ground.sea
        ),
        heights_m=heights_m[:3],
    )
    case.losses = path_losses(
        case.config, case.device, F_MHZ, GRID, case.classes, PathReach(200.0, 200.0, 400.0), 6, coastal=False
    )
    assert case.losses.paths.used
    assert case.found_dbm().tobytes() == without.tobytes()


@pytest.mark.parametrize("seed", [0, 2])
def test_devices_together_take_the_paths_of_the_search(seed, repository):
    """What is permitted on a hill is just tolerated: no receiver gets more, the deciding one little less."""
    case = Case(seed, repository)
    found_dbm = case.found_dbm()
    n = case.losses.far_db.shape[0]
    near_db, far_db = (np.stack([table] * 2) for table in (case.losses.near_db, case.losses.far_db))
    by_class = prepared(case.losses.paths, n)
    nodes_db = case.losses.nodes_db
    paths = SourcePaths(
        near_db, far_db, by_class, by_class, nodes_db, nodes_db, case.classes.ground, case.px_km
    )
    victims = empty_victims(SIDE, SIDE)
    served = np.isfinite(case.level_dbm)
    victims.kind[served] = 0
    victims.azimuth_deg[:] = case.azimuth_deg
    for place in np.random.default_rng(3).integers(0, SIDE, (40, 2)):
        eirp_dbm = float(found_dbm[tuple(place)])
        sources = InterferenceSources(place[:1].copy(), place[1:].copy(), np.array([[eirp_dbm]]))
        power = np.zeros((2, SIDE, SIDE))
        add_power(victims, 0, sources, paths, NO_TERRAIN, ANTENNA, 16.0, power)
        assert (power.sum(axis=0)[served] > 0.0).all()
        above_db = 10.0 * np.log10(power.sum(axis=0)[served]) - case.level_dbm[served]
        assert above_db.max() < 1e-3
        if eirp_dbm < CAP_DBM:
            assert above_db.max() > -0.1


def test_finer_classes_lie_nearer_to_the_exact_form(repository):
    """72 sectors and steps of 5 %: at most 1 dB below in the mean."""
    case = Case(2, repository, {"height_m": 30.0}, sectors=72, ratio=1.05)
    found_dbm, below_db = case.found_dbm(), []
    for place in np.random.default_rng(12).integers(0, SIDE, (40, 2)):
        exact_dbm = case.exact_dbm(tuple(place))
        assert found_dbm[tuple(place)] <= exact_dbm + 2e-5, (place, exact_dbm)
        below_db.append(exact_dbm - float(found_dbm[tuple(place)]))
    assert np.mean(below_db) < 1.0


@pytest.mark.parametrize(("h1_m", "far_db"), [(30.0, 0.09), (1000.0, 0.19)])
@pytest.mark.parametrize("inland_km", [0.0, 8.0])
def test_loss_of_a_step_is_never_above_and_little_below_that_of_the_distance(
    h1_m: float, far_db: float, inland_km: float
) -> None:
    """docs/method.md, section 9: at places drawn at random, half of them within 1 to 8 km."""
    path = DevicePath("p1546", 690.0, 30.0, 10.0, 50.0, inland_km, effective_m=h1_m)
    d_km = np.exp(
        np.random.default_rng(9).uniform(np.log([[0.081], [1.0]]), np.log([[250.0], [8.0]]), (2, 16))
    )
    lower_db = np.array([coast_path_loss_db(row, path) for row in d_km])
    lower_db -= np.array([[row_loss_db(path, one_km) for one_km in row] for row in d_km])
    assert lower_db.min() >= 0.0
    assert lower_db[1].max() <= 0.043
    assert 0.01 < lower_db.mean() < 0.03
    assert lower_db.max() <= far_db
