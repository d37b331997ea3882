"""Building entry loss of P.2109 against the values of a public program, and by hand."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import pytest

from pipeline.propagation.building_entry import Building, building_entry_db

BUILDINGS: dict[str, Building] = {"1": "traditional", "2": "thermally_efficient"}


def largest_difference_db(path: Path) -> tuple[int, float]:
    """Rows of a table of values, and by how much the worst one differs."""
    with path.open(newline="", encoding="utf-8") as stream:
        next(stream)
        rows = list(csv.reader(stream))
    differences = [
        abs(
            building_entry_db(
                float(f), BUILDINGS[kind], probability_pct=float(pct), elevation_deg=float(elevation)
            )
            - float(loss)
        )
        for f, pct, kind, elevation, loss in rows
    ]
    return len(rows), max(differences)


def test_values_of_a_public_program(repository: Path) -> None:
    count, worst_db = largest_difference_db(repository / "tests/reference/p2109/values.csv")
    assert count == 126
    assert worst_db < 1e-7


@pytest.mark.shared_data
def test_all_values_of_a_public_program(shared: Path) -> None:
    count, worst_db = largest_difference_db(shared / "data/p2109/validation.csv")
    assert count == 31_250
    assert worst_db < 1e-7


def test_median_by_hand() -> None:
    """At 1 GHz, level: 12.64 and 9.1 dB, and 27.8 and 28.19 dB, beside 3 dB through the openings."""
    traditional_db = 10.0 * math.log10(10.0**1.264 + 10.0**0.91 + 0.5011872)
    efficient_db = 10.0 * math.log10(10.0**2.819 + 10.0**2.78 + 0.5011872)
    assert building_entry_db(1.0, "traditional") == pytest.approx(traditional_db, abs=1e-6)
    assert building_entry_db(1.0, "thermally_efficient") == pytest.approx(efficient_db, abs=1e-6)
    # One deviation below the median: 3.04 and 4.6 dB.
    low_db = 10.0 * math.log10(10.0**0.304 + 10.0**0.46 + 0.5011872)
    assert building_entry_db(1.0, "traditional", probability_pct=15.8655254) == pytest.approx(
        low_db, abs=1e-6
    )


@pytest.mark.parametrize(("f_ghz", "pct"), [(0.079, 50.0), (101.0, 50.0), (1.0, 0.0), (1.0, 100.0)])
def test_outside_its_range_there_is_no_loss(f_ghz: float, pct: float) -> None:
    with pytest.raises(ValueError, match=r"outside|between"):
        building_entry_db(f_ghz, "traditional", probability_pct=pct)


@pytest.mark.parametrize("building", BUILDINGS.values())
def test_loss_grows_with_the_share_of_places(building: Building) -> None:
    losses_db = [building_entry_db(0.6, building, probability_pct=pct) for pct in (1, 5, 20, 50, 80, 99)]
    assert losses_db == sorted(losses_db)
