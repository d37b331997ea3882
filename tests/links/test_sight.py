"""Shares in sight on profiles of which they are known."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.links.sight import PathSight, sight_numbers


def sight(
    length_km: float, antennas_m: tuple[float, float], wall: tuple[float, float] | None = None, step_km=0.05
):
    """A flat profile with a wall of one sample: (km, m)."""
    d_km = np.linspace(0.0, length_km, round(length_km / step_km) + 1)
    terrain_m = np.zeros(d_km.size)
    if wall is not None:
        terrain_m[np.argmin(np.abs(d_km - wall[0]))] = wall[1]
    return PathSight(*sight_numbers(d_km, terrain_m, np.zeros(d_km.size), antennas_m, 600.0))


def test_flat_ground_is_all_in_sight() -> None:
    found = sight(8.6, (10.0, 10.0))
    assert (found.visible_pct, found.clear_pct, found.los) == (100.0, 100.0, True)
    assert found.reception_expected
    # The horizon of two antennas of 10 m is 26.1 km away.
    assert sight(26.0, (10.0, 10.0)).los
    assert not sight(26.3, (10.0, 10.0)).los


def test_wall_half_way_hides_half_and_reception_is_not_expected() -> None:
    found = sight(8.6, (10.0, 10.0), (4.3, 30.0))
    one = 100.0 / 171
    assert found.visible_pct == pytest.approx(50.0, abs=one)
    assert found.clear_pct > 99.0
    assert not found.los
    assert found.edges == 1
    # The bulge at mid-path is 1.09 m.
    assert found.obstruction_m == pytest.approx(30.0 + 1.09 - 10.0, abs=0.01)


def test_exactly_half_is_not_more_than_half() -> None:
    assert not PathSight(50.0, 50.0, 99.0, False, False, 1.0, 1).reception_expected
    assert PathSight(51.0, 50.0, 99.0, False, False, 1.0, 1).reception_expected


def test_wall_near_the_higher_end() -> None:
    """30 m at A, 10 m at B, a wall of 20 m at 1 km: the ray over it meets 10 m at 2 km."""
    found = sight(8.6, (30.0, 10.0), (1.0, 20.0))
    assert found.visible_from_a_pct == pytest.approx(88.4, abs=1.0)
    assert found.visible_from_b_pct == 100.0
    assert found.visible_pct == pytest.approx(94.2, abs=0.5)


def test_cover_of_a_place_hides_what_is_behind_it_not_itself() -> None:
    d_km = np.linspace(0.0, 2.0, 41)
    cover_m = np.zeros(41)
    cover_m[20] = 25.0
    found = PathSight(*sight_numbers(d_km, np.zeros(41), cover_m, (10.0, 10.0), 600.0))
    assert found.visible_from_a_pct == pytest.approx(100.0 * 20 / 39)
    assert found.clear_pct == pytest.approx(100.0 * 38 / 39)


def test_fresnel_zone_is_narrower_at_higher_frequencies() -> None:
    """0.6 of the first zone half-way: over 2 km at 600 MHz 9.5 m, at 2400 MHz 4.7 m."""
    d_km = np.linspace(0.0, 2.0, 41)
    flat = np.zeros(41)
    low, high = (PathSight(*sight_numbers(d_km, flat, flat, (8.0, 8.0), f)) for f in (600.0, 2400.0))
    assert (low.fresnel60_clear, high.fresnel60_clear) == (False, True)
