"""Land that devices on hills reach: never less than by trying every pair of pixels, little more."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pipeline.grid.grid import Grid
from pipeline.territory.reach import HillReach, LandKinds, farthest_box_m, reached_land

SECTORS, CLASSES, KINDS, SEAS, NEAR_KM = 24, 5, 4, 3, 2.0
SIDE, HOME, PX_M = 90, slice(40, 50), 250.0
GRID = Grid("EPSG:3794", PX_M, 470_000.0, 130_000.0, SIDE, SIDE)


def case(seed: int) -> tuple[HillReach, LandKinds]:
    """Devices in the middle of a grid, few of them on hills, land of all kinds around."""
    rng = np.random.default_rng(seed)
    own = GRID.window(HOME, HOME)
    inside = rng.random(own.shape) < 0.6
    count = int(inside.sum())
    classes = [rng.choice(CLASSES, (count, SECTORS), p=[0.9, 0.04, 0.03, 0.02, 0.01]) for _ in range(2)]
    rise = np.arange(CLASSES)[:, np.newaxis, np.newaxis]
    falls = np.arange(KINDS)[:, np.newaxis] + 0.4 * np.arange(SEAS)
    radii_km = [1.0 + more + 1.6 * rise - 0.3 * falls for more in (0.0, 0.7)]
    kind = rng.integers(0, KINDS, (SIDE, SIDE)).astype(np.uint8)
    kind[rng.random(kind.shape) < 0.2] = 255
    land = LandKinds(kind, rng.integers(0, SEAS, kind.shape).astype(np.uint8))
    own_classes = [values.astype(np.uint8) for values in classes]
    return HillReach(own, inside, own_classes, radii_km, np.array([0.0, 5.0, np.inf]), NEAR_KM), land


def by_pairs(hills: HillReach, land: LandKinds) -> np.ndarray:
    """Pixels that some device reaches: squares, the sector of the centres, its own class and kind."""
    px_km = PX_M / GRID.largest_scale() / 1000.0
    found = np.zeros((SIDE, SIDE), bool)
    targets = np.argwhere(hills.inside) + HOME.start
    for y, x in np.argwhere(land.kind < 255):
        dy, dx = y - targets[:, 0], x - targets[:, 1]
        d_km = np.hypot(np.maximum(abs(dy) - 1, 0), np.maximum(abs(dx) - 1, 0)) * px_km
        sector = (np.degrees(np.arctan2(dx, -dy)) % 360.0 // (360.0 / SECTORS)).astype(int)
        own = land.sea[targets[:, 0], targets[:, 1]]
        for classes, radii_km in zip(hills.classes, hills.radii_km, strict=True):
            its_km = radii_km[classes[np.arange(len(targets)), sector], land.kind[y, x], own]
            found[y, x] |= bool((d_km <= np.maximum(its_km, NEAR_KM)).any())
    return found


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_land_in_reach_holds_every_pair_of_pixels(seed):
    hills, land = case(seed)
    found, exact = reached_land(hills, GRID, land, threads=seed), by_pairs(hills, land)
    assert exact.any()
    assert not (exact & ~found).any()
    assert found.mean() < 0.9
    west_m, south_m, east_m, north_m = farthest_box_m(hills)
    rows, cols = np.nonzero(exact)
    x_m, y_m = GRID.xy_m(rows + 0.5, cols + 0.5)
    assert west_m <= x_m.min()
    assert x_m.max() <= east_m
    assert south_m <= y_m.min()
    assert y_m.max() <= north_m


def test_one_hill_reaches_far_in_its_sector_alone():
    """All devices on flat ground, one of them on a hill towards the east."""
    hills, land = case(4)
    flat = np.zeros_like(hills.classes[0])
    flat[0, 6] = CLASSES - 1  # from 90 to 105 degrees
    hills = hills._replace(classes=[flat], radii_km=hills.radii_km[:1])
    land = LandKinds(np.ones((SIDE, SIDE), np.uint8), np.zeros((SIDE, SIDE), np.uint8))
    found = reached_land(hills, GRID, land)
    y, x = np.argwhere(hills.inside)[0] + HOME.start
    away_px = math.floor(1000.0 * GRID.largest_scale() * hills.radii_km[0][-1, 1, 0] / PX_M)
    # 97 degrees, the middle of the sector; a square of 4 pixels or two beyond its reach is too much.
    assert found[y + round(0.12 * away_px), x + away_px - 1]
    assert not found[y, : x - away_px + 12].any()
    assert not found[y + round(0.12 * away_px), x + away_px + 10 :].any()
