"""The definition of the limit, written out pair by pair in float64: the twin of ``min_plus``.

Nothing is shared with the package. The direction from the victim to the device is clockwise from grid
north; the row index grows southward.
"""

from __future__ import annotations

import math

import numba
import numpy as np


@numba.njit(nogil=True)
def discrimination_db(azimuth_deg, direction_deg, flat_deg, end_deg, max_db):
    """ITU-R BT.419: 0 dB up to flat, straight to max at end."""
    angle = abs(azimuth_deg - direction_deg) % 360.0
    if angle > 180.0:
        angle = 360.0 - angle
    if angle <= flat_deg:
        return 0.0
    if angle >= end_deg:
        return max_db
    return max_db * (angle - flat_deg) / (end_deg - flat_deg)


@numba.njit(nogil=True)
def limit_db(allowed_db, azimuth_deg, loss_db, flat_deg, end_deg, max_db, y, x):
    """Smallest allowed + loss + discrimination over all victims of one target (y, x); +inf without any."""
    height, width = allowed_db.shape
    n = loss_db.shape[0]
    limit = np.inf
    for p in range(max(0, y - n + 1), min(height, y + n)):
        for q in range(max(0, x - n + 1), min(width, x + n)):
            term = float(allowed_db[p, q]) + float(loss_db[abs(y - p), abs(x - q)])
            if not term < limit:  # discrimination is never negative
                continue
            touching = abs(y - p) <= 1 and abs(x - q) <= 1
            if not touching and not math.isnan(azimuth_deg[p, q]):
                north, east = p - y, x - q
                direction = math.degrees(math.atan2(east, north))
                term += discrimination_db(float(azimuth_deg[p, q]), direction, flat_deg, end_deg, max_db)
            limit = min(limit, term)
    return limit


@numba.njit(nogil=True)
def limits_db(allowed_db, azimuth_deg, loss_db, flat_deg, end_deg, max_db, ys, xs):
    """``limit_db`` at the targets (ys[i], xs[i])."""
    result = np.empty(ys.size)
    for i in range(ys.size):
        result[i] = limit_db(allowed_db, azimuth_deg, loss_db, flat_deg, end_deg, max_db, ys[i], xs[i])
    return result


def brute_force(allowed_db, azimuth_deg, loss_db, discrimination, targets, best_db, label, label_value):
    """Limits [dB] float64 and labels of the whole map; inputs as of ``min_plus``, left untouched."""
    ys, xs = np.nonzero(targets)
    found = limits_db(allowed_db, azimuth_deg, loss_db, *map(float, discrimination), ys, xs)
    limits, labels = best_db.astype(np.float64), label.copy()
    lower = found < limits[ys, xs]
    limits[ys[lower], xs[lower]] = found[lower]
    labels[ys[lower], xs[lower]] = label_value
    return limits, labels
