"""Distance to marked pixels, against scipy's exact transform."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import binary_dilation, distance_transform_edt

from pipeline.grid.distance import (
    column_distance_px,
    row_distance_px,
    strips_column_px,
    widened,
    widened_rows,
)


@pytest.mark.parametrize("share", [0.001, 0.02, 0.5, 0.999])
def test_distance_equals_scipys(share):
    generator = np.random.default_rng(3)
    for shape in ((90, 131), (131, 90), (1, 50), (50, 1)):
        marked = generator.random(shape) < share
        marked[generator.integers(shape[0]), generator.integers(shape[1])] = True
        found = row_distance_px(column_distance_px(marked))
        np.testing.assert_allclose(found, distance_transform_edt(~marked), rtol=1e-6)


def test_distance_without_marks_is_infinite():
    assert np.isinf(row_distance_px(column_distance_px(np.zeros((3, 4), dtype=np.bool_)))).all()


def test_rows_can_be_computed_in_strips():
    marked = np.random.default_rng(1).random((60, 80)) < 0.01
    column = column_distance_px(marked)
    strips = np.concatenate([row_distance_px(column[r : r + 7]) for r in range(0, 60, 7)])
    np.testing.assert_array_equal(strips, row_distance_px(column))


def test_distance_between_pixels_that_are_not_square_is_in_widths():
    marked = np.random.default_rng(3).random((70, 90)) < 0.01
    found = row_distance_px(column_distance_px(marked), 1.7)
    np.testing.assert_allclose(found, distance_transform_edt(~marked, sampling=(1.7, 1.0)), rtol=1e-6)


@pytest.mark.parametrize("shape", [(40, 61), (1, 9), (9, 1), (1, 1)])
def test_widened_by_the_eight_around_each(shape):
    marked = np.random.default_rng(4).random(shape) < 0.1
    np.testing.assert_array_equal(widened(marked), binary_dilation(marked, np.ones((3, 3))))


@pytest.mark.parametrize("strip_px", [1, 7, 60, 100])
def test_distances_by_strips_are_those_of_the_whole(strip_px):
    rng = np.random.default_rng(strip_px)
    for share in (0.0, 0.002, 0.1):
        marked = rng.random((60, 45)) < share
        strips = [slice(first, min(first + strip_px, 60)) for first in range(0, 60, strip_px)]
        found = list(strips_column_px(lambda rows, its=marked: its[rows], strips, 45))
        assert [rows for rows, _ in found] == strips
        assert np.array_equal(np.concatenate([its_px for _, its_px in found]), column_distance_px(marked))
        around = [widened_rows(lambda rows, its=marked: its[rows], rows, 60) for rows in strips]
        assert np.array_equal(np.concatenate(around), widened(marked))
