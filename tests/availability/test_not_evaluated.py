"""Area that is not evaluated, against sums written here."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.availability.statistics import (
    NotEvaluatedArea,
    OpenLand,
    Weights,
    not_evaluated_table,
    write_not_evaluated,
)

RAW = np.array([[-32768, -9998, -9999], [3600, -9998, 1200]], np.int16)
AREA_KM2 = np.array([[9.0, 1.0, 2.0], [3.0, 4.0, 5.0]])
PEOPLE = np.array([[np.nan, 10.0, np.nan], [20.0, 5.0, 65.0]])


def areas(people: np.ndarray | None) -> list[NotEvaluatedArea]:
    """Of a channel with the values above and of one that is not evaluated anywhere, seen in two strips."""
    everywhere = np.where(RAW == -32768, RAW, np.int16(-9998))
    limits = np.stack([RAW, everywhere])
    land = OpenLand(2)
    for rows in (slice(0, 1), slice(1, 2)):
        land.add(limits[:, rows], Weights(AREA_KM2[rows], None if people is None else people[rows]))
    return land.areas()


def test_not_evaluated_area_is_weighted_by_true_area_and_people():
    first, second = areas(PEOPLE)
    assert first == pytest.approx((5.0, 100 * 5 / 15, 15.0))
    assert second == pytest.approx((15.0, 100.0, 100.0))


def test_table_has_empty_shares_without_population(tmp_path):
    tables = [not_evaluated_table("fixed30", [21, 22], areas(None)), not_evaluated_table("b", [], [])]
    write_not_evaluated(tables, tmp_path / "n.csv")
    lines = (tmp_path / "n.csv").read_text().splitlines()
    assert lines == [
        "device,channel,area_km2,area_pct,population_pct",
        "fixed30,21,5.0000,33.3333,",
        "fixed30,22,15.0000,100.0000,",
    ]
