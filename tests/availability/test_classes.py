"""Availability classes, counts and curves against values worked out by hand."""

from __future__ import annotations

import numpy as np

from pipeline.availability.classes import availability_class, count_available, level_name
from pipeline.availability.level_files import classified
from pipeline.availability.statistics import AvailabilityCurve, Weights
from pipeline.quantise import NOT_EVALUATED, NOT_PERMITTED

RAW = np.array([[2000, 1999, NOT_PERMITTED, NOT_EVALUATED, -32768, 3600]], dtype=np.int16)


def test_classes_separate_unavailable_not_evaluated_and_outside() -> None:
    assert availability_class(RAW, 20.0).tolist() == [[1, 0, 0, 2, 255, 1]]


def test_codes_are_never_available_at_any_level() -> None:
    assert availability_class(RAW, -200.0).tolist() == [[1, 1, 0, 2, 255, 1]]


def test_level_between_two_steps_needs_the_higher_one() -> None:
    assert availability_class(np.array([[2000, 2001]], dtype=np.int16), 20.005).tolist() == [[0, 1]]


def test_count_leaves_out_not_evaluated_channels() -> None:
    classes = np.array([[[1, 2, 255]], [[1, 1, 255]], [[0, 2, 255]]], dtype=np.uint8)
    assert count_available(classes).tolist() == [[2, 1, 255]]


def test_curve_weights_by_area_and_population() -> None:
    count = np.array([[0, 1, 2, 255]], dtype=np.uint8)
    area = np.array([[1.0, 1.0, 2.0, 100.0]])
    people = np.array([[0.0, 3.0, 1.0, 100.0]])
    whole = AvailabilityCurve()
    for cols in (slice(0, 1), slice(1, 4)):
        whole.add(count[:, cols], Weights(area[:, cols], people[:, cols]))
    curve = whole.table(3)
    assert curve["channels_at_least"].tolist() == [1, 2, 3]
    assert curve["area_pct"].tolist() == [75.0, 50.0, 0.0]
    assert curve["population_pct"].tolist() == [100.0, 25.0, 0.0]


def test_curve_without_population_leaves_the_column_empty() -> None:
    curve = AvailabilityCurve()
    curve.add(np.array([[1]], dtype=np.uint8), Weights(np.array([[1.0]]), None))
    assert curve.table(1)["population_pct"].isna().all()


def test_parts_have_the_classes_and_counts_of_every_level() -> None:
    rng, levels_dbm = np.random.default_rng(3), (36.0, 0.0, 20.005)
    limits = rng.choice(
        np.array([3600, 2001, 2000, 0, -1, NOT_PERMITTED, NOT_EVALUATED], np.int16), (5, 6, 9)
    )
    limits[:, 2:, :3] = -32768
    parts = [(slice(0, 6), cols, limits[:, :, cols].copy()) for cols in (slice(0, 3), slice(3, 9))]
    outside = (slice(6, 9), slice(0, 9), np.full((5, 3, 9), -32768, np.int16))
    for _, cols, raw, classes, counts in (found := list(classified([*parts, outside], levels_dbm))):
        assert np.array_equal(raw, limits[:, :, cols])
        for level_dbm, own, count in zip(levels_dbm, classes, counts, strict=True):
            assert np.array_equal(own, availability_class(limits[:, :, cols], level_dbm))
            assert np.array_equal(count, count_available(own))
    assert len(found) == 2


def test_level_names_have_no_trailing_zeros() -> None:
    assert [level_name(x) for x in (0.0, 20.0, 36.0, 12.5)] == ["0", "20", "36", "12.5"]
