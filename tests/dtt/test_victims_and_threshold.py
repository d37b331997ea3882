"""Polarisation rules, boxes within reach, threshold of an occupied channel."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.config.base import Sourced
from pipeline.dtt.threshold import occupied, threshold_dbuvm
from pipeline.dtt.victims import Directivity, cross_polar_table_db, directivity_of
from pipeline.grid.boxes import PixelBox, box_of, box_within_reach
from pipeline.plan.territory_file import load_config
from pipeline.services.table import service_names, service_row


@pytest.mark.parametrize(
    ("wanted", "device", "expected"),
    [
        ("H", "H", Directivity.AZIMUTH),
        ("H", "V", Directivity.ORTHOGONAL),
        ("V", "H", Directivity.ORTHOGONAL),
        ("V", "unknown", Directivity.AZIMUTH),
        ("M", "V", Directivity.NONE),
        ("", "H", Directivity.NONE),
    ],
)
def test_polarisation_rule(wanted, device, expected):
    assert directivity_of(wanted, device) == expected


def test_orthogonal_discrimination_is_flat_but_not_where_squares_touch():
    loss_db = np.full((4, 4), 100.0, dtype=np.float32)
    table_db = cross_polar_table_db(loss_db, 16.0)
    assert (table_db[:2, :2] == 100.0).all()
    assert (table_db == 116.0).sum() == 12
    assert (loss_db == 100.0).all()


def test_box_holds_all_pairs_within_reach():
    rng = np.random.default_rng(1)
    for _ in range(50):
        victims, targets = np.zeros((40, 50), bool), np.zeros((40, 50), bool)
        victims[rng.integers(0, 40, 3), rng.integers(0, 50, 3)] = True
        targets[rng.integers(0, 40, 3), rng.integers(0, 50, 3)] = True
        reach_px = int(rng.integers(1, 20))
        box = box_within_reach(box_of(victims), box_of(targets), reach_px)
        for p in np.argwhere(victims):
            for x in np.argwhere(targets):
                if np.abs(p - x).max() <= reach_px:
                    for row, col in (p, x):
                        assert box is not None
                        assert box.rows.start <= row < box.rows.stop
                        assert box.cols.start <= col < box.cols.stop


def test_nothing_within_reach_has_no_box():
    assert box_within_reach(None, PixelBox(slice(0, 5), slice(0, 5)), 10) is None
    far = PixelBox(slice(0, 5), slice(100, 105)), PixelBox(slice(0, 5), slice(0, 5))
    assert box_within_reach(*far, 10) is None
    assert box_of(np.zeros((3, 3), bool)) is None


def test_default_threshold_is_the_planning_field(repository):
    """650 MHz, DVB-T2 64QAM 2/3, 95 %: 49.7 dBuV/m (planning table of the method)."""
    config = load_config(repository / "configs/slovenia.yaml")
    mode = config.coverage.default_mode.model_copy(update={"system": "DVB-T2"})
    coverage = config.coverage.model_copy(update={"default_mode": mode})
    config = config.model_copy(update={"coverage": coverage})
    assert threshold_dbuvm(config, 43) == pytest.approx(49.7, abs=0.06)
    given = config.protection.threshold.model_copy(
        update={"field_dbuvm": Sourced(value=55.5, source="test", verified=False)}
    )
    protection = config.protection.model_copy(update={"threshold": given})
    assert threshold_dbuvm(config.model_copy(update={"protection": protection}), 43) == 55.5


def test_occupied_from_the_threshold_on():
    field = np.array([49.99, 50.0, np.nan, 80.0], dtype=np.float32)
    assert occupied(field, 50.0).tolist() == [False, True, False, True]


def test_codes_are_those_of_the_published_layer():
    expected = {
        "dtt": 1,
        "pmse": 2,
        "radio_astronomy": 3,
        "aeronautical": 4,
        "mobile": 5,
        "ppdr": 6,
        "fixed": 7,
        "foreign_dtt": 8,
        "in_band": 16,
        "custom": 18,
    }
    assert {name: service_row(name).code for name in service_names()} == expected
