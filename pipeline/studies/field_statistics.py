"""Bias and spread of predicted less measured fields: of all rows, and by transmitter, distance and mechanism.

The offset of a transmitter is the mean of its differences. Where station data are in doubt (e.r.p., pattern,
cable of the receiver) it says more about them than about the model, and what is left once it is removed is
the spread of the model and of the places. A transmitter with one row is its own offset: nothing is left.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.studies.measured_fields import Measurement, Predicted

# Upper ends in km of the classes of distance; each holds its end.
_CLASSES_KM = (2.0, 5.0, 10.0, 20.0, 40.0, 80.0)
_CLASS_NAMES = (
    *(f"{a:g}-{b:g} km" for a, b in pairwise((0.0, *_CLASSES_KM))),
    f"over {_CLASSES_KM[-1]:g} km",
)
KEPT, REMOVED = "kept", "removed"


class Statistics(NamedTuple):
    """Predicted less measured: mean, sample standard deviation (NaN for one row), root mean square.

    ``by`` what the rows of ``group`` have in common; ``offset`` of their transmitters kept or removed.
    """

    by: str
    group: str
    offset: str
    n: int
    bias_db: float
    sigma_db: float
    rms_db: float


def difference_db(rows: Sequence[Measurement], predicted: Sequence[Predicted]) -> NDArray[np.float64]:
    """Predicted less measured of each row."""
    return np.array([p.field_dbuvm - row.field_dbuvm for row, p in zip(rows, predicted, strict=True)])


def residual_db(difference: NDArray[np.float64], predicted: Sequence[Predicted]) -> NDArray[np.float64]:
    """Differences [n] less the mean of their transmitter; NaN where it has one row alone."""
    names, left_db = _names(predicted), np.full(difference.size, np.nan)
    for name in np.unique(names):
        mine = names == name
        if mine.sum() > 1:
            left_db[mine] = difference[mine] - difference[mine].mean()
    return left_db


def statistics(
    rows: Sequence[Measurement],
    predicted: Sequence[Predicted],
    branches: Sequence[str] | None = None,
    *,
    fit_offset: bool = False,
) -> list[Statistics]:
    """All rows together, each transmitter, each class of distance, and each of the ``branches`` [n] if given.

    With ``fit_offset`` all but the transmitters once more with their offsets removed. Of all rows that
    standard deviation counts one degree of freedom less for each offset.
    """
    difference, names = difference_db(rows, predicted), _names(predicted)
    classes = np.searchsorted(_CLASSES_KM, [p.d_km for p in predicted])
    shared = [("distance", _CLASS_NAMES[k], classes == k) for k in np.unique(classes).tolist()]
    shared += [] if branches is None else _groups("branch", np.array(branches))
    found = [_statistics("all", "all", KEPT, difference)]
    found += [
        _statistics(by, name, KEPT, difference[mine]) for by, name, mine in _groups("transmitter", names)
    ]
    found += [_statistics(by, name, KEPT, difference[mine]) for by, name, mine in shared]
    if fit_offset:
        left_db = residual_db(difference, predicted)
        known = np.isfinite(left_db)
        found.append(_statistics("all", "all", REMOVED, left_db[known], np.unique(names[known]).size))
        found += [_statistics(by, name, REMOVED, left_db[mine & known]) for by, name, mine in shared]
    return [entry for entry in found if entry.n]


def _names(predicted: Sequence[Predicted]) -> NDArray[np.str_]:
    return np.array([p.transmitter for p in predicted])


def _groups(by: str, labels: NDArray[np.str_]) -> list[tuple[str, str, NDArray[np.bool_]]]:
    """Rows by label."""
    return [(by, str(label), labels == label) for label in np.unique(labels)]


def _statistics(
    by: str, group: str, offset: str, values_db: NDArray[np.float64], offsets: int = 1
) -> Statistics:
    """``offsets``: numbers that were fitted to the values, the mean by default."""
    freedom = values_db.size - offsets
    if values_db.size == 0:
        return Statistics(by, group, offset, 0, math.nan, math.nan, math.nan)
    bias_db = float(np.mean(values_db))
    sigma_db = math.sqrt(float(np.sum((values_db - bias_db) ** 2)) / freedom) if freedom > 0 else math.nan
    return Statistics(
        by, group, offset, values_db.size, bias_db, sigma_db, float(np.sqrt(np.mean(values_db**2)))
    )
