"""Land that devices on hills reach: never less than by trying every pair of pixels, little more."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pipeline.grid.grid import Grid
from pipeline.territory.reach import HillReach, LandKinds, Squares, farthest_box_m
from pipeline.territory.reached_land import reached_land

SECTORS, CLASSES, KINDS, SEAS, NEAR_KM = 24, 5, 4, 3, 2.0
# Upper edges of the classes of two kinds of devices: those of the second begin a class higher.
EDGES_M = [np.arange(CLASSES, dtype=np.float32), np.maximum(np.arange(CLASSES, dtype=np.float32) - 1.0, 0.0)]
SIDE, HOME, PX_M = 90, slice(40, 50), 250.0
GRID = Grid("EPSG:3794", PX_M, 470_000.0, 130_000.0, SIDE, SIDE)


class Heights:
    """Heights of pixels, by whatever squares are asked for; the bounds are up to 2 m above them."""

    def __init__(self, inside: np.ndarray, height_m: np.ndarray, seed: int) -> None:
        """``height_m`` [pixel, sector] of the pixels inside in the order of rows."""
        self.inside, self.height_m, self.sectors = inside, height_m.astype(np.float32), height_m.shape[1]
        self.rng, self.asked = np.random.default_rng(seed), 0

    def _largest_m(self, squares: Squares) -> np.ndarray:
        found_m = np.full((len(squares.place), self.sectors), -np.inf, np.float32)
        for (row, col), height_m in zip(np.argwhere(self.inside), self.height_m, strict=True):
            y, x = (
                (at + b) // n
                for at, b, n in zip((row, col), squares.before_px, squares.sides_px, strict=True)
            )
            if squares.number[y, x] >= 0:
                its_m = found_m[squares.number[y, x]]
                np.maximum(its_m, height_m, out=its_m)
        return found_m

    def bounds_m(self, squares: Squares) -> np.ndarray:
        """Random ones above the heights."""
        return self._largest_m(squares) + self.rng.uniform(0.0, 2.0, (len(squares.place), 1)).astype(
            np.float32
        )

    def exact_m(self, squares: Squares, wanted: np.ndarray) -> np.ndarray:
        """The heights, as far as they are wanted."""
        self.asked += int(np.count_nonzero(wanted))
        return np.where(wanted, self._largest_m(squares), np.float32(-np.inf))


def case(seed: int) -> tuple[HillReach, LandKinds]:
    """Devices in the middle of a grid, few of them on hills, land of all kinds around."""
    rng = np.random.default_rng(seed)
    own = GRID.window(HOME, HOME)
    inside = rng.random(own.shape) < 0.6
    count = int(inside.sum())
    height_m = rng.choice(CLASSES, (count, SECTORS), p=[0.9, 0.04, 0.03, 0.02, 0.01])
    rise = np.arange(CLASSES)[:, np.newaxis, np.newaxis]
    falls = np.arange(KINDS)[:, np.newaxis] + 0.4 * np.arange(SEAS)
    radii_km = [1.0 + more + 1.6 * rise - 0.3 * falls for more in (0.0, 0.7)]
    kind = rng.integers(0, KINDS, (SIDE, SIDE)).astype(np.uint8)
    kind[rng.random(kind.shape) < 0.2] = 255
    land = LandKinds(kind, rng.integers(0, SEAS, kind.shape).astype(np.uint8))
    ground, sea_km = Heights(inside, height_m, seed), np.array([0.0, 5.0, np.inf])
    return HillReach(own, inside, ground, EDGES_M, radii_km, sea_km, NEAR_KM), land


def in_strips(land: LandKinds, strip_px: int):
    """Land by strips of rows."""
    for first in range(0, SIDE, strip_px):
        rows = slice(first, min(first + strip_px, SIDE))
        yield rows, LandKinds(land.kind[rows], land.sea[rows])


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
        height_m = hills.ground.height_m[np.arange(len(targets)), sector]
        for edges_m, radii_km in zip(hills.edges_m, hills.radii_km, strict=True):
            classes = [int(np.argmax(edges_m >= height)) for height in height_m]
            its_km = radii_km[classes, land.kind[y, x], own]
            found[y, x] |= bool((d_km <= np.maximum(its_km, NEAR_KM)).any())
    return found


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_land_in_reach_holds_every_pair_of_pixels(seed):
    hills, land = case(seed)
    found, exact = reached_land(hills, GRID, in_strips(land, 7 * seed), threads=seed), by_pairs(hills, land)
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
    flat = np.zeros_like(hills.ground.height_m)
    flat[0, 6] = CLASSES - 1  # from 90 to 105 degrees
    ground = Heights(hills.inside, flat, 4)
    hills = hills._replace(ground=ground, edges_m=hills.edges_m[:1], radii_km=hills.radii_km[:1])
    land = LandKinds(np.ones((SIDE, SIDE), np.uint8), np.zeros((SIDE, SIDE), np.uint8))
    found = reached_land(hills, GRID, in_strips(land, SIDE))
    y, x = np.argwhere(hills.inside)[0] + HOME.start
    away_px = math.floor(1000.0 * GRID.largest_scale() * hills.radii_km[0][-1, 1, 0] / PX_M)
    # 97 degrees, the middle of the sector; a square of 4 pixels or two beyond its reach is too much.
    assert found[y + round(0.12 * away_px), x + away_px - 1]
    assert not found[y, : x - away_px + 12].any()
    assert not found[y + round(0.12 * away_px), x + away_px + 10 :].any()


@pytest.mark.parametrize("seed", [5, 6])
def test_bounds_change_nothing_but_what_is_asked_for(seed):
    """Heights that are their own bounds give the same land and box; loose bounds ask for more of them."""
    hills, land = case(seed)
    tight = Heights(hills.inside, hills.ground.height_m, seed)
    tight.bounds_m = tight._largest_m
    found = [
        (reached_land(one, GRID, in_strips(land, 30)), farthest_box_m(one))
        for one in (hills, hills._replace(ground=tight))
    ]
    np.testing.assert_array_equal(found[0][0], found[1][0])
    assert found[0][1] == found[1][1]
    assert tight.asked <= hills.ground.asked
