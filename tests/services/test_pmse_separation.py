"""Microphones under the separation method (SM.2405, Annex 10): circles around bookings, by pixels."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.config.bonds import Bond
from pipeline.config.config import Config
from pipeline.grid.grid import Grid
from pipeline.services.base import ServiceContext
from pipeline.services.table import service_code
from tests.asking import explain, prepare
from tests.services.pmse_scene import CHANNEL, make_config, scale_of

GRID = Grid("EPSG:27700", 100.0, 532_000.0, 181_000.0, 30, 28)
PLACE_M = (533_430.0, 179_570.0)
BOOKING = {"easting_m": PLACE_M[0], "northing_m": PLACE_M[1]}
PORTABLE = {"type": "B", "height_m": 1.5, "cap_dbm": 20.0}
PAIR = {"bond": 2, "bandwidth_mhz": 16.0, "cap_dbm": 39.0}


def separated(
    folder: Path,
    repository: Path,
    device: dict[str, object] | None = None,
    table: str | None = None,
    **booking: object,
) -> Config:
    """The scene of one booking with the separation method; ``table``: rows in place of the shipped ones."""
    config = make_config(folder, repository, [BOOKING | booking], device=device)
    changes: dict[str, Any] = {"method": "separation"}
    if table is not None:
        path = folder / "table.csv"
        path.write_text(
            f"device,from_height_m,to_height_m,relation,eirp_dbm,distance_km,source,verified\n{table}\n"
        )
        separation = config.protection.separation.model_copy(update={"pmse_distances": path})
        changes["separation"] = separation
    protection = config.protection.model_copy(update=changes)
    return config.model_copy(update={"protection": protection})


def limit_in(config: Config, channel: int | Bond) -> Any:
    limit = prepare("pmse", ServiceContext(config, Path("unused"), GRID, ()), config.devices[0], channel)
    assert limit is not None
    return limit(slice(0, GRID.height), slice(0, GRID.width))


def distance_km(row: int, col: int) -> float:
    """From the square of a pixel to the booking, less than the true one by the largest scale of the grid."""
    west_m, north_m = 532_000.0 + 100.0 * col, 181_000.0 - 100.0 * row
    x_m = min(max(PLACE_M[0], west_m), west_m + 100.0)
    y_m = min(max(PLACE_M[1], north_m - 100.0), north_m)
    return math.hypot(x_m - PLACE_M[0], y_m - PLACE_M[1]) / 1000.0 / scale_of(GRID)


def circle(radius_km: float) -> np.ndarray:
    return np.array(
        [[distance_km(row, col) < radius_km for col in range(GRID.width)] for row in range(GRID.height)]
    )


@pytest.mark.parametrize(
    ("device", "channel", "radius_km"),
    [
        (None, CHANNEL, 1.0),
        (PORTABLE, CHANNEL, 0.4),
        (PAIR, Bond(CHANNEL - 1, CHANNEL), 1.0),
        (None, CHANNEL + 1, None),  # the channel of operation only
        (None, CHANNEL - 1, None),
        (PAIR, Bond(CHANNEL + 1, CHANNEL + 2), None),
    ],
)
def test_bookings_are_circles_in_their_channel(
    tmp_path: Path,
    repository: Path,
    device: dict[str, object] | None,
    channel: int | Bond,
    radius_km: float | None,
) -> None:
    found = limit_in(separated(tmp_path, repository, device), channel)
    inside = np.zeros(GRID.shape, bool) if radius_km is None else circle(radius_km)
    np.testing.assert_array_equal(found.eirp_dbm, np.where(inside, -np.inf, np.inf))
    np.testing.assert_array_equal(found.label, np.where(inside, service_code("pmse"), service_code("none")))
    assert not found.not_evaluated.any()
    assert radius_km is None or 0 < inside.sum() < inside.size


def test_booking_across_an_edge_counts_in_both_channels(tmp_path: Path, repository: Path) -> None:
    config = separated(tmp_path, repository, freq_mhz=654.0)
    for channel in (CHANNEL, CHANNEL + 1):
        assert np.isneginf(limit_in(config, channel).eirp_dbm).sum() == circle(1.0).sum()


def test_distances_depend_on_height_power_and_relation(tmp_path: Path, repository: Path) -> None:
    """20 dBm from 0.3 km, 40 from 0.8 beside the channel; 12 dBm everywhere."""
    rows = "\n".join(
        f"fixed,{low},{high},{relation},{dbm},{km},test,true"
        for low, high, relation, dbm, km in [
            (0, 20, "co", 40, 1.3),
            (20, 100, "co", 40, 1.1),
            (20, 100, "adjacent", 20, 0.3),
            (20, 100, "adjacent", 40, 0.8),
            (20, 100, "adjacent", 12, ""),
        ]
    )
    config = separated(tmp_path, repository, table=rows)
    assert np.isneginf(limit_in(config, CHANNEL).eirp_dbm).sum() == circle(1.1).sum()
    beside = np.where(circle(0.8), np.where(circle(0.3), 12.0, 20.0), np.inf)
    np.testing.assert_array_equal(limit_in(config, CHANNEL + 1).eirp_dbm, beside)


def test_device_without_a_row_is_not_evaluated_around_bookings(tmp_path: Path, repository: Path) -> None:
    """As far as the table reaches for any device."""
    config = separated(tmp_path, repository, PORTABLE, table="fixed,0,5000,co,40,0.9,test,true")
    found = limit_in(config, CHANNEL)
    np.testing.assert_array_equal(found.not_evaluated, circle(0.9))
    assert np.isposinf(found.eirp_dbm).all()
    assert not limit_in(config, CHANNEL + 1).not_evaluated.any()


def test_explanation_names_the_booking(tmp_path: Path, repository: Path) -> None:
    config = separated(tmp_path, repository)
    context = ServiceContext(config, Path("unused"), GRID, ())
    row, col = 14, 14  # the square of the booking
    budget = explain("pmse", context, config.devices[0], CHANNEL, row, col)
    assert budget is not None
    assert (budget.victim["distance_km"], budget.victim["id"]) == (0.0, "a")
    assert [term.value_db for term in budget.terms] == [-math.inf]
    assert explain("pmse", context, config.devices[0], CHANNEL, 0, 0) is None
