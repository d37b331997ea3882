"""The branch and bound gives the numbers of the pair-by-pair definition for any tiles and threads."""

from __future__ import annotations

from unittest.mock import patch

import numpy as np
import pytest
from brute_force import brute_force, limits_db
from brute_force import discrimination_db as twin_discrimination_db

from pipeline.dtt import min_plus_search as search
from pipeline.dtt.victim_tree import BINS, SECTORS, sector_discrimination_db
from pipeline.radio.antennas import bt419

BAND_V, BAND_III, NONE = (20.0, 60.0, 16.0), (27.0, 60.0, 12.0), (20.0, 60.0, 0.0)
CAP_DB = 57.0


def _disc_loss_db(n: int, slope_db: float, rng: np.random.Generator | None = None) -> np.ndarray:
    """Losses growing with distance, +inf beyond the disc; with ``rng`` in no order at all."""
    away = np.hypot(*np.mgrid[:n, :n])
    loss = 70.0 + slope_db * np.log10(np.maximum(away, 0.3))
    if rng is not None:
        loss += rng.normal(0.0, 8.0, loss.shape)
    loss[away > max(n - 1, 1)] = np.inf
    return loss.astype(np.float32)


def _azimuths_deg(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Towards one or two masts, or all mixed; now and then a receiver without directivity."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    kind = rng.integers(3)
    if kind == 0:
        azimuth = rng.uniform(0, 360, shape)
    else:
        azimuth = np.zeros(shape)
        for part in range(kind):
            ty, tx = rng.uniform(-20, shape[0] + 20), rng.uniform(-20, shape[1] + 20)
            towards = np.degrees(np.arctan2(tx - x, y - ty)) % 360
            azimuth = np.where((x + y) % kind == part, towards, azimuth)
    azimuth[rng.random(shape) < rng.choice([0.0, 0.0, 0.1])] = np.nan
    return azimuth.astype(np.float32)


def _random_case(seed: int) -> dict[str, object]:
    """One map: smooth or rough levels, patches or speckle without victims, any table size."""
    rng = np.random.default_rng(seed)
    shape = (int(rng.integers(1, 80)), int(rng.integers(1, 80)))
    n = int(rng.choice([1, 2, 3, 9, 25, 70]))
    allowed = rng.normal(-100, rng.choice([0.0, 1.0, 6.0, 20.0]), shape)
    allowed += rng.choice([0.0, 0.5]) * np.hypot(*np.mgrid[: shape[0], : shape[1]])
    if rng.random() < 0.5:
        allowed[rng.random(shape) < rng.choice([0.3, 0.9, 0.99])] = np.inf
    else:
        y, x = rng.integers(0, shape[0]), rng.integers(0, shape[1])
        allowed[np.hypot(*(np.mgrid[: shape[0], : shape[1]] - np.array([y, x])[:, None, None])) > 12] = np.inf
    loss = _disc_loss_db(n, rng.choice([20.0, 40.0]), rng if rng.random() < 0.4 else None)
    return {
        "allowed_db": allowed.astype(np.float32),
        "azimuth_deg": _azimuths_deg(rng, shape),
        "loss_db": loss,
        "discrimination": [BAND_V, BAND_V, BAND_III, NONE, (0.0, 180.0, 30.0)][seed % 5],
        "targets": rng.random(shape) < rng.choice([0.02, 0.5, 1.0]),
        "best_db": np.full(shape, rng.choice([CAP_DB, CAP_DB, -30.0]), np.float32),
        "label": np.zeros(shape, np.uint8),
        "label_value": 8,
    }


def _run(
    case: dict[str, object],
    threads: int = 1,
    tile_px: tuple[int, int] = search.TARGET_TILE_PX,
    band_tiles: int = search.BAND_TILES,
) -> tuple[np.ndarray, np.ndarray]:
    """Best values and labels of one search, with tiles that change the speed only."""
    maps = search.SearchMaps(
        case["azimuth_deg"], case["targets"], case["best_db"].copy(), case["label"].copy()
    )
    with patch.multiple(search, TARGET_TILE_PX=tile_px, BAND_TILES=band_tiles):
        tables = search.search_tables(case["loss_db"])
        search.min_plus(
            case["allowed_db"], tables, case["discrimination"], maps, case["label_value"], threads=threads
        )
    return maps.best_dbm, maps.label


def _single(allowed: dict[tuple[int, int], float], azimuth: float, **changes: object) -> dict[str, object]:
    """An 11 x 11 map with the given victims, all looking the same way, loss 10 dB everywhere."""
    shape = (11, 11)
    levels = np.full(shape, np.inf, np.float32)
    for place, level in allowed.items():
        levels[place] = level
    case = {
        "allowed_db": levels,
        "azimuth_deg": np.full(shape, azimuth, np.float32),
        "loss_db": np.full((11, 11), 10.0, np.float32),
        "discrimination": BAND_V,
        "targets": np.ones(shape, np.bool_),
        "best_db": np.full(shape, CAP_DB, np.float32),
        "label": np.zeros(shape, np.uint8),
        "label_value": 1,
    }
    return case | changes


@pytest.mark.parametrize(
    "first", [0, 50, *(pytest.param(n, marks=pytest.mark.slow) for n in range(100, 400, 50))]
)
def test_min_plus_on_random_maps_equals_brute_force(first: int) -> None:
    for seed in range(first, first + 50):
        case = _random_case(seed)
        expected_db, expected_label = brute_force(**case)
        found_db, found_label = _run(case, threads=1 + seed % 2)
        np.testing.assert_allclose(found_db, expected_db, atol=1e-4, rtol=0, err_msg=f"seed {seed}")
        np.testing.assert_array_equal(found_label, expected_label, err_msg=f"seed {seed}")


def test_targets_of_a_part_of_the_window_equal_brute_force() -> None:
    """Targets, limits and labels of a box alone; victims all around it."""
    for seed in range(40):
        case = _random_case(seed)
        expected_db, expected_label = brute_force(**case)
        height, width = case["targets"].shape
        rng = np.random.default_rng(seed)
        top, left = int(rng.integers(height)), int(rng.integers(width))
        box = np.s_[top : int(rng.integers(top, height)) + 1, left : int(rng.integers(left, width)) + 1]
        its = [np.ascontiguousarray(case[name][box]) for name in ("targets", "best_db", "label")]
        maps = search.SearchMaps(case["azimuth_deg"], *its)
        tables = search.search_tables(case["loss_db"])
        first = (top, left)
        search.min_plus(case["allowed_db"], tables, case["discrimination"], maps, 8, first=first, threads=2)
        np.testing.assert_allclose(maps.best_dbm, expected_db[box], atol=1e-4, rtol=0, err_msg=f"seed {seed}")
        np.testing.assert_array_equal(maps.label, expected_label[box], err_msg=f"seed {seed}")


def test_targets_beyond_the_window_are_refused() -> None:
    case = _single({}, 0.0)
    maps = search.SearchMaps(case["azimuth_deg"], case["targets"], case["best_db"], case["label"])
    tables = search.search_tables(case["loss_db"])
    with pytest.raises(ValueError, match="within the window"):
        search.min_plus(case["allowed_db"], tables, BAND_V, maps, 1, first=(1, 0), threads=1)


def test_reach_ends_where_no_victim_lowers_a_limit() -> None:
    """By hand: 10 dB a pixel; a level of 20 dBm lowers limits of 57 dBm as far as losses are below 37 dB."""
    loss = 10.0 * np.maximum(*np.mgrid[:9, :9]).astype(np.float32)
    tables = search.search_tables(loss)
    assert search.reach_of(tables, 0, np.nan, CAP_DB) == 8
    assert search.reach_of(tables, 0, 20.0, CAP_DB) == 3
    assert search.reach_of(tables, 0, 60.0, CAP_DB) == 1


@pytest.mark.parametrize("azimuth_kind", ["to_mast", "mixed"])
def test_min_plus_with_nodes_of_all_levels_equals_brute_force(azimuth_kind: str) -> None:
    """A coverage disc and a few strays on 500 x 700 pixels: limits often come from far across the disc."""
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:500, :700]
    away = np.hypot(y - 240, x - 150)
    allowed = np.where(away < 110, -60 - 30 * np.log10((away + 5) / 5) + rng.normal(0, 2, away.shape), np.inf)
    allowed[rng.random(away.shape) < 2e-4] = -105
    azimuth = np.degrees(np.arctan2(150 - x, y - 240)) % 360
    if azimuth_kind == "mixed":
        azimuth = np.where(rng.random(away.shape) < 0.5, azimuth, 90.0)
    allowed, azimuth = allowed.astype(np.float32), azimuth.astype(np.float32)
    loss = _disc_loss_db(400, 40.0)
    targets = rng.random(away.shape) < 4e-3
    best, label = np.full(away.shape, CAP_DB, np.float32), np.zeros(away.shape, np.uint8)
    maps = search.SearchMaps(azimuth, targets, best, label)
    ys, xs = np.nonzero(targets)
    expected = np.minimum(limits_db(allowed, azimuth, loss, *BAND_V, ys, xs), CAP_DB)
    search.min_plus(allowed, search.search_tables(loss), BAND_V, maps, 1, threads=2)
    np.testing.assert_allclose(best[ys, xs], expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("discrimination", [BAND_V, (5.0, 15.0, 40.0)])
@pytest.mark.parametrize("tile_px", [(1, 1), (8, 16)])
def test_victim_that_barely_improves_is_not_passed_over(
    tile_px: tuple[int, int], discrimination: tuple[float, float, float]
) -> None:
    """Incoming limits 0.01 dB above the outcome and a loss without slope: a bound a little too high shows."""
    rng = np.random.default_rng(7)
    shape = (150, 170)
    for _ in range(12):
        allowed, azimuth = np.full(shape, np.inf, np.float32), np.full(shape, np.nan, np.float32)
        place = rng.integers(0, shape[0]), rng.integers(0, shape[1])
        allowed[place], azimuth[place] = -50.0, rng.uniform(0, 360)
        case = _single({}, 0.0, loss_db=np.full((171, 171), 90.0, np.float32), discrimination=discrimination)
        case |= {"allowed_db": allowed, "azimuth_deg": azimuth, "targets": rng.random(shape) < 0.04}
        case |= {"label": np.zeros(shape, np.uint8), "best_db": np.full(shape, 1000.0, np.float32)}
        expected_db, _ = brute_force(**case)
        found_db, label = _run(case | {"best_db": (expected_db + 0.01).astype(np.float32)}, tile_px=tile_px)
        found_db = np.where(case["targets"], found_db, expected_db)
        np.testing.assert_array_equal(label != 0, case["targets"])
        np.testing.assert_allclose(found_db, expected_db, atol=1e-4, rtol=0)


@pytest.mark.parametrize("discrimination", [BAND_V, (5.0, 15.0, 40.0), NONE])
def test_sector_discrimination_is_never_above_the_antenna(discrimination: tuple[float, float, float]) -> None:
    bound_db = sector_discrimination_db(bt419(discrimination))
    edge_deg = np.array([1e-3, 0.5, 1.0, 1.5, 2.0 - 1e-3])
    azimuths = (np.arange(SECTORS)[:, None] * 360 / SECTORS + edge_deg * 180 / SECTORS).ravel()
    for direction in np.concatenate(
        [np.arange(BINS) * 360 / BINS + 1e-3, np.arange(1, BINS + 1) * 360 / BINS - 1e-3]
    ):
        exact = [twin_discrimination_db(azimuth, direction, *discrimination) for azimuth in azimuths]
        sectors = (azimuths * SECTORS / 360).astype(int)
        slack_db = np.array(exact) - bound_db[sectors, int(direction * BINS / 360)]
        assert slack_db.min() >= 0.0
    assert bound_db[SECTORS].max() == 0.0
    assert bound_db.max() == discrimination[2]


@pytest.mark.parametrize("tile_px", [(1, 1), (8, 16)])
@pytest.mark.parametrize("reach", [0, 1, 2, 7, 20])
def test_reach_ends_with_the_loss_table(reach: int, tile_px: tuple[int, int]) -> None:
    y, x = np.mgrid[:48, :48]
    for place in ((0, 0), (23, 24), (47, 40)):
        case = _single({}, np.nan, loss_db=np.full((reach + 1, reach + 1), 10.0, np.float32))
        case |= {
            "allowed_db": np.full((48, 48), np.inf, np.float32),
            "azimuth_deg": np.zeros((48, 48), np.float32),
        }
        case |= {"targets": np.ones((48, 48), np.bool_), "label": np.zeros((48, 48), np.uint8)}
        case |= {"best_db": np.full((48, 48), CAP_DB, np.float32)}
        case["allowed_db"][place] = -50.0
        _, label = _run(case, tile_px=tile_px)
        np.testing.assert_array_equal(label != 0, np.maximum(abs(y - place[0]), abs(x - place[1])) <= reach)


@pytest.mark.parametrize("seed", range(6))
def test_min_plus_gives_same_bytes_for_any_tile_band_and_thread_count(seed: int) -> None:
    case = _random_case(5 * seed) | {"loss_db": _disc_loss_db(30, 40.0, np.random.default_rng(seed))}
    reference = _run(case)
    for options in (
        {"threads": 2},
        {"threads": 5, "band_tiles": 1},
        {"tile_px": (8, 8)},
        {"tile_px": (1, 1)},
        {"tile_px": (13, 5), "threads": 2, "band_tiles": 3},
        {"tile_px": (64, 64)},
    ):
        for found, expected in zip(_run(case, **options), reference, strict=True):
            assert found.tobytes() == expected.tobytes(), options


def test_min_plus_with_wider_radius_changes_nothing() -> None:
    for seed in range(20):
        rng = np.random.default_rng(seed)
        case = _random_case(seed) | {"best_db": np.full((60, 60), -20.0, np.float32)}
        case |= {
            name: np.zeros((60, 60), dtype) for name, dtype in (("label", np.uint8), ("targets", np.bool_))
        }
        case["targets"][:] = True
        case["allowed_db"] = rng.uniform(-100, -80, (60, 60)).astype(np.float32)
        case["azimuth_deg"] = _azimuths_deg(rng, (60, 60))
        # 70 + 40 lg d - 100 >= -20 from 17.8 pixels on: nothing farther than 18 limits
        near, far = _disc_loss_db(19, 40.0), _disc_loss_db(50, 40.0)
        for found, wider in zip(_run(case | {"loss_db": near}), _run(case | {"loss_db": far}), strict=True):
            assert found.tobytes() == wider.tobytes()


@pytest.mark.parametrize(
    ("azimuth", "north", "east", "south", "west"),
    [
        (0.0, 0.0, 16.0, 16.0, 16.0),
        (90.0, 16.0, 0.0, 16.0, 16.0),
        (130.0, 16.0, 8.0, 12.0, 16.0),
        (-50.0, 12.0, 16.0, 16.0, 8.0),
        (670.0, 12.0, 16.0, 16.0, 8.0),
        (360.0, 0.0, 16.0, 16.0, 16.0),
        (np.nan, 0.0, 0.0, 0.0, 0.0),
    ],
)
def test_discrimination_counts_clockwise_from_north(
    azimuth: float, north: float, east: float, south: float, west: float
) -> None:
    best, _ = _run(_single({(5, 5): -50.0}, azimuth))
    assert best[1, 5] == pytest.approx(-40.0 + north, abs=1e-4)
    assert best[5, 9] == pytest.approx(-40.0 + east, abs=1e-4)
    assert best[9, 5] == pytest.approx(-40.0 + south, abs=1e-4)
    assert best[5, 1] == pytest.approx(-40.0 + west, abs=1e-4)


def test_touching_pixels_have_no_discrimination() -> None:
    best, _ = _run(_single({(5, 5): -50.0}, 0.0))
    assert (best[4:7, 4:7] == -40.0).all()
    assert best[7, 5] == pytest.approx(-24.0)


def test_loss_that_falls_with_distance_is_found() -> None:
    loss = np.full((11, 11), 60.0, np.float32)
    loss[9, 2] = 0.0
    best, _ = _run(_single({(0, 5): -50.0}, np.nan, loss_db=loss))
    assert best[9, 3] == best[9, 7] == -50.0
    assert (best == -50.0).sum() == 2


def test_label_is_set_only_where_the_limit_falls() -> None:
    label = np.full((11, 11), 7, np.uint8)
    incoming = np.full((11, 11), CAP_DB, np.float32)
    incoming[:, 5] = -40.0  # what the victim gives: a tie keeps the first label
    incoming[:, 6] = -41.0
    best, label = _run(_single({(5, 5): -50.0}, np.nan, best_db=incoming, label=label, label_value=8))
    assert (label[:, 5:7] == 7).all()
    assert (label[:, :5] == 8).all()
    assert (label[:, 7:] == 8).all()
    assert (best[:, 6] == -41.0).all()


def test_pixels_that_are_not_targets_stay_untouched() -> None:
    targets = np.zeros((11, 11), np.bool_)
    targets[2, 2] = True
    best, label = _run(_single({(5, 5): -50.0}, np.nan, targets=targets))
    assert best[2, 2] == -40.0
    assert label[2, 2] == 1
    assert (best == CAP_DB).sum() == (label == 0).sum() == 120


def test_map_without_victims_changes_nothing() -> None:
    case = _single({(0, 0): np.nan}, 0.0)  # neither +inf nor NaN is a victim
    best, label = _run(case)
    assert (best == CAP_DB).all()
    assert not label.any()


def test_undefined_incoming_limit_stays_undefined() -> None:
    incoming = np.full((11, 11), CAP_DB, np.float32)
    incoming[4, 4] = np.nan
    best, label = _run(_single({(5, 5): -50.0}, np.nan, best_db=incoming))
    assert np.isnan(best[4, 4])
    assert label[4, 4] == 0
    assert np.isfinite(best).sum() == 120


def test_inputs_are_not_modified() -> None:
    case = _random_case(11)
    before = {name: case[name].copy() for name in ("allowed_db", "azimuth_deg", "loss_db", "targets")}
    _run(case)
    for name, array in before.items():
        assert array.tobytes() == case[name].tobytes(), name


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"loss_db": np.full((2, 2), np.nan, np.float32)}, ValueError),
        ({"loss_db": np.zeros((2, 3), np.float32)}, ValueError),
        ({"loss_db": np.zeros((2, 2))}, TypeError),
        ({"targets": np.ones((11, 10), np.bool_)}, ValueError),
        ({"best_db": np.zeros((11, 11))}, TypeError),
        ({"discrimination": (60.0, 20.0, 16.0)}, ValueError),
        ({"discrimination": (20.0, 60.0, -1.0)}, ValueError),
    ],
)
def test_unusable_arguments_are_refused(changes: dict[str, object], error: type[Exception]) -> None:
    with pytest.raises(error):
        _run(_single({(5, 5): -50.0}, 0.0, **changes))
