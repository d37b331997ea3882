"""Paths of devices over terrain, held against those of the limits: victims, losses, sample, statistics."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import yaml
from pyproj import Geod
from rasterio.transform import from_origin

from pipeline.availability import terrain_check
from pipeline.availability.terrain_check import (
    CheckedPaths,
    DeviceCheck,
    PathStatus,
    check_paths,
    lonlat_of,
    sampled_pixels,
)
from pipeline.availability.terrain_check_files import statistics_row, worst_rows, write_checks
from pipeline.dtt.terrain_paths import waves_of_device
from pipeline.errors import InputError
from pipeline.grid import raster
from pipeline.plan.territory_file import load_config
from pipeline.propagation.p1812.climate import SEA
from pipeline.radio.emission import device_cap_dbm
from pipeline.services.base import ServiceContext
from pipeline.terrain.records import LonLatRaster
from tests import asking
from tests.dtt.test_protection_maps import CHANNEL, HOME, SIZE, Case
from tests.jobs import run_from
from tests.propagation import p1812_reference
from tests.rasters import write_raster
from tests.terrain import profile_reference

OFFSETS = (0, 1, -3)
STEP_DEG = 1 / 400
_KEPT = 4  # columns of reception, at one side


class Hilly(Case):
    """Reception at the eastern side of hills with sea in the south, devices everywhere."""

    def __init__(self, folder: Path, repository: Path) -> None:
        device = {"height_m": 30.0, "polarisation": "V"}
        super().__init__(folder, repository, 1000.0, device)
        self.surface[:] = HOME
        self.served[:, : SIZE - _KEPT] = 0
        self.served[self.served == 65535] = 0
        self.coastal[:] = 0
        self.server[: SIZE // 2] = 1  # horizontal: orthogonal to the device
        self.server[SIZE // 2 :] = 2
        self.write()
        west_deg, _, _, north_deg = self.grid.box_deg()
        west_deg, north_deg = west_deg - 0.4, north_deg + 0.4
        row, col = np.mgrid[:400, :440]
        lon_deg, lat_deg = west_deg + (col + 0.5) * STEP_DEG, north_deg - (row + 0.5) * STEP_DEG
        x_km, y_km = (lon_deg - west_deg) * 77.0, (lat_deg - north_deg) * 111.0
        height_m = 260 + 170 * np.sin(x_km / 1.3 + 0.3) * np.cos(y_km / 1.7) + 90 * np.sin(0.9 * y_km)
        self.elevation = LonLatRaster(height_m.astype(np.float32), west_deg, north_deg, STEP_DEG, STEP_DEG)
        shore_deg = float(self.grid.lonlat_deg(slice(SIZE - 3, SIZE - 2), slice(0, 1))[1].item())
        self.land = (lat_deg > shore_deg + 0.01 * np.sin(40 * lon_deg)).astype(np.uint8)
        place = from_origin(west_deg, north_deg, STEP_DEG, STEP_DEG)
        write_raster(folder / "dem.tif", self.elevation.values, place)
        write_raster(folder / "territory/land_lonlat.tif", self.land, place)
        content = yaml.safe_load(self.config_path.read_text())
        content["terrain"] = {"dem": [str(folder / "dem.tif")]}
        content["protection"] |= {"wsd_terrain": "checked", "wsd_terrain_pct": 100}
        content["channels"]["wsd"] = [CHANNEL + k for k in sorted(OFFSETS)]
        self.config_path.write_text(yaml.safe_dump(content))
        weak = content["devices"][0] | {"id": "weak", "cap_dbm": 10.0, "min_eirp_dbm": 0.0}
        content["devices"].append(weak)
        self.config_path.write_text(yaml.safe_dump(content))
        self.config = load_config(self.config_path)
        run_from("heights", self.config_path, folder)
        run_from("protect", self.config_path, folder, channel=CHANNEL)

    def loss_by_definition_db(self, start: np.ndarray, end: np.ndarray) -> float:
        """P.1812 between two places (longitude, latitude), along samples at PROJ's geodesic."""
        ellipsoid = Geod(ellps="WGS84")
        azimuth_deg, _, length_m = ellipsoid.inv(*start, *end)
        step_m = 1000.0 * max(STEP_DEG, STEP_DEG * math.cos(math.radians(self.highest_lat_deg))) * 111.195
        count = max(math.ceil(length_m / step_m), 4) + 1
        d_km = np.linspace(0.0, length_m / 1000.0, count)
        lon_deg, lat_deg = profile_reference.points(*start, azimuth_deg, d_km)
        row = np.floor((self.elevation.north_deg - lat_deg) / STEP_DEG).astype(int)
        col = np.floor((lon_deg - self.elevation.west_deg) / STEP_DEG).astype(int)
        sea = self.land[row, col] == 0
        height_m = profile_reference.heights(self.elevation, lon_deg, lat_deg)
        ends = height_m[0]
        height_m[sea] = 0.0
        height_m[0] = ends
        zone = np.where(sea, SEA, np.where(height_m <= 100.0, 3, 4))
        found_db, _ = p1812_reference.loss(
            d_km.tolist(),
            height_m.tolist(),
            [0.0] * count,
            zone.tolist(),
            f_mhz=474.0 + 8 * (CHANNEL - 21),
            p=1.0,
            htg=30.0,
            hrg=10.0,
            vertical=True,
            phi=float(lat_deg[0] + lat_deg[-1]) / 2,
        )
        return found_db

    @property
    def highest_lat_deg(self) -> float:
        return float(np.abs(self.grid.lonlat_deg()[1]).max())


@pytest.fixture(scope="module")
def hilly(tmp_path_factory, repository) -> Hilly:
    return Hilly(tmp_path_factory.mktemp("hilly"), repository)


@pytest.fixture(scope="module")
def checks(hilly: Hilly):
    return check_paths(hilly.config, hilly.folder, [CHANNEL], threads=1)


def explained(hilly: Hilly, check: DeviceCheck, place: tuple[int, int]):
    grid = raster.read_grid(hilly.folder / "territory/surface.tif")
    context = ServiceContext(hilly.config, hilly.folder, grid, (CHANNEL,))
    return asking.explain("dtt", context, check.device, check.channel, *place)


def test_victim_and_published_loss_are_those_that_explain_finds(hilly, checks):
    """``explain`` looks at all victims, and computes the loss from the terrain anew in float64."""
    _, pixels, found = checks
    channels = [CHANNEL + k for k in sorted(OFFSETS)]
    assert [(check.device, check.channel) for check in found] == [
        (device, channel) for device in hilly.config.devices for channel in channels
    ]
    compared, notes = 0, set()
    for check in found:
        far = np.flatnonzero(check.paths.status == PathStatus.CHECKED)[::5]
        for n in np.union1d(far, np.arange(0, pixels.row.size, 25)):
            budget = explained(hilly, check, (int(pixels.row[n]), int(pixels.col[n])))
            if check.paths.status[n] == PathStatus.UNLIMITED:
                total = math.inf if budget is None else math.fsum(term.value_db for term in budget.terms)
                assert total >= device_cap_dbm(check.device)
                continue
            victim, terms = budget.victim, {term.name: term.value_db for term in budget.terms}
            assert (victim["row"], victim["col"]) == (check.paths.victim_row[n], check.paths.victim_col[n])
            assert victim["group"] == check.group[n]
            exact_db = terms["path loss"] + terms.get("step of distance", 0.0)
            assert check.paths.published_db[n] == pytest.approx(exact_db, abs=1e-4)
            assert math.fsum(term.value_db for term in budget.terms) < device_cap_dbm(check.device)
            notes |= {
                term.note for term in budget.terms if n in far and term.name == "antenna discrimination"
            }
            compared += 1
    assert compared > 20
    assert "orthogonal polarisation" in notes


def test_loss_over_terrain_is_that_of_the_recommendation(hilly, checks):
    """The naive twin along bilinear heights and PROJ's geodesics, for 1 % of time, sea by the land mask."""
    grid, pixels, found = checks
    compared = 0
    for check in found:
        far = np.flatnonzero(check.paths.status == PathStatus.CHECKED)[::2]
        start = lonlat_of(grid, pixels.row[far], pixels.col[far])
        end = lonlat_of(grid, check.paths.victim_row[far], check.paths.victim_col[far])
        for n, *ends in zip(far, start, end, strict=True):
            exact_db = hilly.loss_by_definition_db(*ends)
            assert check.paths.terrain_db[n] == pytest.approx(exact_db, abs=0.03)
            compared += 1
    assert compared > 20


def test_wave_is_vertical_where_the_device_says_so(hilly):
    device = hilly.config.devices[0]
    polarised = {p: device.model_copy(update={"polarisation": p}) for p in ("H", "V", "unknown")}
    vertical = {p: waves_of_device(hilly.config, one, 546.0).vertical for p, one in polarised.items()}
    assert vertical == {"H": False, "V": True, "unknown": False}


def test_adjacent_victims_are_counted_and_not_compared(checks):
    _, pixels, found = checks
    for check in found:
        limited = check.paths.status != PathStatus.UNLIMITED
        rows, cols = check.paths.victim_row - pixels.row, check.paths.victim_col - pixels.col
        adjacent = limited & (np.maximum(abs(rows), abs(cols)) <= 1)
        np.testing.assert_array_equal(check.paths.status == PathStatus.ADJACENT, adjacent)
        assert adjacent.any()
        assert np.isnan(check.paths.terrain_db[adjacent]).all()
        assert np.isfinite(check.paths.terrain_db[limited & ~adjacent]).all()


def test_result_depends_neither_on_threads_nor_on_tiles(hilly, checks, monkeypatch):
    monkeypatch.setattr(terrain_check, "_TILE_PX", 5)
    again = check_paths(hilly.config, hilly.folder, [CHANNEL], threads=3)
    for one, other in zip(checks[2], again[2], strict=True):
        for first, second in zip(one.paths, other.paths, strict=True):
            np.testing.assert_array_equal(first, second)


def test_files_hold_what_was_found(hilly, checks, tmp_path):
    grid, pixels, found = checks
    write_checks(hilly.config, tmp_path, grid, pixels, found)
    device = hilly.config.devices[0].id
    of_all, found = found, [check for check in found if check.device.id == device]
    layer = raster.read(tmp_path / f"internal/wsd_terrain_{device}.tif")
    assert layer.coords["band"].values.tolist() == [f"channel {check.channel}" for check in found]
    for check, band in zip(found, layer.values, strict=True):
        known = check.paths.status == PathStatus.CHECKED
        stored = band[pixels.row, pixels.col]
        assert (stored[~known] == -32768).all()
        np.testing.assert_allclose(stored[known] / 100, check.paths.difference_db[known], atol=0.0051)
    lines = (tmp_path / "internal/wsd_terrain.csv").read_text().splitlines()
    assert len(lines) == 1 + len(of_all)
    worst = (tmp_path / "internal/wsd_terrain_worst.csv").read_text().splitlines()
    assert worst[0].startswith("device,channel,lon,lat,victim_channel")
    assert len(worst) > 1


# --- the sample ---------------------------------------------------------------------------------------------


def test_sample_does_not_depend_on_the_margin_of_the_grid():
    home = np.random.default_rng(1).random((300, 200)) < 0.7
    padded = np.pad(home, ((11, 5), (40, 3)))
    own, other = sampled_pixels(home, 1.0, 3), sampled_pixels(padded, 1.0, 3)
    np.testing.assert_array_equal(own.row + 11, other.row)
    np.testing.assert_array_equal(own.col + 40, other.col)
    assert home[own.row, own.col].all()


def test_sample_is_the_share_that_was_asked_for():
    home = np.ones((1000, 1000), bool)
    sizes = [sampled_pixels(home, 1.0, seed).row.size for seed in range(4)]
    assert all(abs(size - 10_000) < 500 for size in sizes)
    assert len(set(sizes)) > 1
    assert sampled_pixels(home, 100.0, 0).row.size == home.size
    # As many in each quarter: neighbouring numbers are not drawn together.
    quarters = np.histogram2d(*sampled_pixels(home, 1.0, 0), bins=2, range=[[0, 1000], [0, 1000]])[0]
    assert (abs(quarters - 2500) < 250).all()


# --- statistics ---------------------------------------------------------------------------------------------


def made_up(config, difference_db: list[float]) -> DeviceCheck:
    """Five pixels that are not checked, then some that are."""
    status = [0, 1, 1, 2, 0] + [3] * len(difference_db)
    n, nothing = len(status), np.full(len(status), np.nan)
    terrain_db = np.r_[nothing[:5], 120.0 + np.array(difference_db)]
    victims = np.arange(n) % SIZE
    paths = CheckedPaths(
        np.array(status, np.uint8),
        victims,
        victims,
        np.full(n, 120.0),
        terrain_db,
        np.full(n, 5.0),
        np.zeros(n, int),
    )
    return DeviceCheck(config.devices[0], CHANNEL, paths, np.full(n, CHANNEL), ["x"] * n)


def test_statistics_count_and_order(hilly):
    row = statistics_row(made_up(hilly.config, [-12.0, -2.0, 1.0, 3.0, 20.0]))
    counts = [row[name] for name in ("sampled", "limited", "adjacent", "unknown", "checked")]
    assert counts == [10, 8, 2, 1, 5]
    assert row["mean_db"] == pytest.approx(2.0)
    assert row["p50_db"] == 1.0
    assert row["p5_db"] == pytest.approx(-10.0)
    assert row["p95_db"] == pytest.approx(16.6)
    assert (row["lets_more_pct"], row["lets_10db_more_pct"]) == (40.0, 20.0)
    assert row["most_more_db"] == 12.0


def test_worst_cases_are_those_over_which_most_more_comes(hilly):
    pixels = sampled_pixels(np.ones((SIZE, SIZE), bool), 100.0, 0)
    found = worst_rows(
        made_up(hilly.config, [-2.0, 4.0, -12.0, 0.5]),
        raster.read_grid(hilly.folder / "territory/surface.tif"),
        pixels,
    )
    assert [round(row["difference_db"], 6) for row in found] == [-12.0, -2.0]
    grid = raster.read_grid(hilly.folder / "territory/surface.tif")
    assert grid.pixel_of(found[0]["lon"], found[0]["lat"]) == (0, 7)
    assert found[0]["mechanism"] == "undefined"


# --- refusals -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("section", "value", "said"),
    [("terrain", {}, "terrain.dem"), ("protection", {"method": "threshold"}, "degradation")],
)
def test_what_the_check_lacks_is_named(hilly, tmp_path, section, value, said):
    content = yaml.safe_load(hilly.config_path.read_text())
    content[section] = value | ({"wsd_terrain": "checked"} if section == "protection" else {})
    (tmp_path / "case.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(InputError, match=f"wsd_terrain: checked needs .*{said}"):
        load_config(tmp_path / "case.yaml")
