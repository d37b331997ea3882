"""Slivers of land without a country: joined to the nearest land if all of them is near, else left alone."""

from __future__ import annotations

import math
from collections import deque

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.territory.codes import NO_COUNTRY, Surface
from pipeline.territory.slivers import SLIVER_KM, join_slivers

AT, SI = 1, 7


def coast(text: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Masks of a drawing: ``a`` foreign land of AT, ``s`` home, ``?`` land of no country, ``.`` sea."""
    drawn = np.array([list(line) for line in text.split()])
    codes = {"a": Surface.FOREIGN, "s": Surface.HOME, "?": Surface.FOREIGN, ".": Surface.SEA}
    surface = np.vectorize(lambda mark: codes[mark])(drawn).astype(np.uint8)
    country = np.select([drawn == "a", drawn == "s"], [AT, SI], NO_COUNTRY).astype(np.uint8)
    return surface, country


@pytest.mark.parametrize(
    ("drawn", "resolution_m", "expected", "joined"),
    [
        ("aa..ss aa?.ss aa..ss", 100.0, "aa..ss aaa.ss aa..ss", 1),  # a pixel on the coast
        ("aa.?ss aa..ss", 100.0, "aa.sss aa..ss", 1),  # of the territory itself
        ("aa.....?", 200.0, "aa.....?", 0),  # 1.2 km from land
        ("aa....?.", 200.0, "aa....a.", 1),  # an islet at 1 km
        ("aa????..", 200.0, "aaaaaa..", 4),
        ("aa??????", 200.0, "aa??????", 0),  # reaches farther than 1 km: all of it stays
        ("a?.... ..?... ...??? ....?.", 300.0, "a?.... ..?... ...??? ....?.", 0),  # corners connect
        ("....?.", 100.0, "....?.", 0),  # nothing is known
    ],
)  # fmt: skip
def test_slivers_take_the_country_of_the_nearest_land(
    drawn: str, resolution_m: float, expected: str, joined: int
) -> None:
    surface, country = coast(drawn)
    assert join_slivers(surface, country, resolution_m) == joined
    wanted_surface, wanted_country = coast(expected)
    np.testing.assert_array_equal(surface, wanted_surface)
    np.testing.assert_array_equal(country, wanted_country)


@pytest.mark.parametrize("seed", range(20))
def test_joined_is_what_a_search_of_all_pairs_joins(seed: int) -> None:
    random = np.random.default_rng(seed)
    country = random.choice([0, 0, 0, AT, SI], (14, 18)).astype(np.uint8)
    land = random.random(country.shape) < 0.5
    surface = np.where(country > 0, Surface.FOREIGN, np.where(land, Surface.FOREIGN, Surface.SEA)).astype(
        np.uint8
    )
    if seed % 2:
        country[:, 6:] = NO_COUNTRY
    before = country.copy()
    open_land = (surface == Surface.FOREIGN) & (before == NO_COUNTRY)
    resolution_m = 400.0
    known = np.argwhere(before > 0)

    def nearest_km(y: int, x: int) -> float:
        return min(math.hypot(y - j, x - i) for j, i in known) * resolution_m / 1000.0

    expected: set[tuple[int, int]] = set()
    seen: set[tuple[int, int]] = set()
    for start in map(tuple, np.argwhere(open_land).tolist()):
        patch, waiting = set(), deque([start])
        while waiting:
            y, x = waiting.popleft()
            if (y, x) in seen or not (0 <= y < 14 and 0 <= x < 18) or not open_land[y, x]:
                continue
            seen.add((y, x))
            patch.add((y, x))
            waiting += [(y + j, x + i) for j in (-1, 0, 1) for i in (-1, 0, 1)]
        if patch and all(nearest_km(*place) <= SLIVER_KM for place in patch):
            expected |= patch
    assert join_slivers(surface, country, resolution_m) == len(expected)
    assert {(int(y), int(x)) for y, x in np.argwhere(open_land & (country > 0))} == expected
    for y, x in expected:
        near = [(math.hypot(y - j, x - i), before[j, i]) for j, i in known]
        assert country[y, x] in {code for distance, code in near if distance == min(near)[0]}
    np.testing.assert_array_equal(country[before > 0], before[before > 0])
