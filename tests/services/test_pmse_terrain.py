"""PMSE receivers with paths over terrain, against single paths from devices and the rule of the pilot."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from pyproj import Transformer
from rasterio.transform import from_origin

from pipeline.dtt.terrain_paths import terrain_of_grid, terrain_path, waves_of_device
from pipeline.grid.grid import Grid
from pipeline.services.base import ServiceContext
from tests.asking import explain, prepare
from tests.availability.test_terrain_check import STEP_DEG
from tests.rasters import write_raster
from tests.services.pmse_scene import CHANNEL, F_MHZ, lattice_distance_m, loss_db, make_config, scale_of

GRID = Grid("EPSG:27700", 250.0, 530_000.0, 183_000.0, 24, 24)
X_M, Y_M = 532_650.0, 180_450.0
TO_DEG = Transformer.from_crs("EPSG:27700", "EPSG:4326", always_xy=True)
# Least wanted power less the ratio in the channel itself.
MICROPHONE_DBM, VIDEO_DBM = -61.0, -90.0


def context_of(folder: Path, repository: Path, path: str, **row: object) -> ServiceContext:
    """Rolling land with a ridge of 60 m a kilometre east of the receiver."""
    lon_deg, lat_deg = TO_DEG.transform(X_M, Y_M)
    west_deg, north_deg = lon_deg - 0.2, lat_deg + 0.2
    north, east = np.mgrid[:160, :160]
    height_m = 60.0 + 8.0 * np.sin(north / 5.0) * np.cos(east / 4.0)
    height_m[:, 86:88] += 60.0
    place = from_origin(west_deg, north_deg, STEP_DEG, STEP_DEG)
    write_raster(folder / "dem.tif", height_m.astype(np.float32), place)
    write_raster(folder / "territory/land_lonlat.tif", np.ones(height_m.shape, np.uint8), place)
    config = make_config(folder, repository, [{"easting_m": X_M, "northing_m": Y_M} | row])
    changed = {
        "protection": config.protection.model_copy(update={"device_path": path, "device_path_km": 8.0}),
        "terrain": config.terrain.model_copy(update={"dem": [folder / "dem.tif"]}),
    }
    return ServiceContext(config.model_copy(update=changed), folder, GRID, ())


def limit_dbm(context: ServiceContext, rows=slice(0, 24), cols=slice(0, 24)) -> np.ndarray:
    return prepare("pmse", context, context.config.devices[0], CHANNEL)(rows, cols).eirp_dbm


def test_limit_is_below_that_of_any_device_in_the_pixel(tmp_path: Path, repository: Path) -> None:
    context, rng = (
        context_of(tmp_path, repository, "p1812", kind="programme_video_link"),
        np.random.default_rng(2),
    )
    found_dbm, device = limit_dbm(context), context.config.devices[0]
    terrain = terrain_of_grid(context.config, tmp_path, GRID, 8.0)
    waves, above_db = waves_of_device(context.config, device, F_MHZ), []
    for row, col in [(0, 0), (3, 20), (10, 22), (22, 22), (20, 4), (10, 4), (5, 10)]:
        x_m = GRID.west_m + (col + rng.uniform(0.0, 1.0, 25)) * GRID.resolution_m
        y_m = GRID.north_m - (row + rng.uniform(0.0, 1.0, 25)) * GRID.resolution_m
        ways = [
            ((lon, lat), TO_DEG.transform(X_M, Y_M))
            for lon, lat in zip(*TO_DEG.transform(x_m, y_m), strict=True)
        ]
        least_db = min(terrain_path(terrain, device, waves, way, 5.0).link.loss_db for way in ways)
        above_db.append(VIDEO_DBM + least_db - min(found_dbm[row, col], 36.0))
    assert min(above_db) > -0.05
    assert np.median(above_db) < 4.0


def test_ridge_hides_and_the_rule_of_the_pilot_holds_near_the_receiver(
    tmp_path: Path, repository: Path
) -> None:
    flat, over, smaller = (
        limit_dbm(context_of(tmp_path, repository, path)) for path in ("homogeneous", "p1812", "smaller")
    )
    row, col = (int(v) for v in GRID.row_col(X_M, Y_M))
    for place in ((row, col + 1), (row - 1, col), (row + 1, col + 1)):
        apart_km = lattice_distance_m(GRID, *place, X_M, Y_M) / scale_of(GRID) / 1e3
        exact_dbm = MICROPHONE_DBM + loss_db(apart_km, F_MHZ, 30, 5, "open")
        assert over[place] == pytest.approx(exact_dbm, abs=1e-4)
        assert over[place] == flat[place]
    assert over[row, col] == flat[row, col] == -999.0
    # Behind the ridge nothing limits; in clear sight land devices reach farther than by extended Hata.
    assert np.isinf(over[row, col + 8 :]).all()
    assert np.isfinite(flat[row, col + 8])
    assert (over < flat).any()
    assert np.array_equal(smaller, np.minimum(flat, over))


def test_blocks_fit_together_and_airborne_receivers_have_free_space(tmp_path: Path, repository: Path) -> None:
    context = context_of(tmp_path, repository, "p1812")
    together = limit_dbm(context)
    part = limit_dbm(context, slice(3, 17), slice(6, 23))
    assert np.array_equal(part, together[3:17, 6:23])
    above = {"situation": "airborne", "antenna_height_agl_m": 100}
    flat, over = (
        limit_dbm(context_of(tmp_path, repository, path, **above)) for path in ("homogeneous", "p1812")
    )
    assert np.array_equal(flat, over)


@pytest.mark.parametrize("path", ["homogeneous", "p1812", "smaller"])
def test_explained_terms_add_up_and_name_the_path(tmp_path: Path, repository: Path, path: str) -> None:
    context = context_of(tmp_path, repository, path, kind="programme_video_link")
    found_dbm, over = limit_dbm(context), 0
    for place in [(0, 0), (10, 4), (11, 11), (20, 4), (5, 10), (10, 20), (9, 11)]:
        told = explain("pmse", context, context.config.devices[0], CHANNEL, *place)
        if math.isinf(found_dbm[place]):
            assert told is None
            continue
        assert sum(term.value_db for term in told.terms) == pytest.approx(found_dbm[place], abs=1e-9)
        over += any("P.1812 over terrain" in term.note for term in told.terms)
    assert (over > 0) == (path != "homogeneous")
