"""From the limits of all services to the published maximum e.i.r.p. of one device and channel.

protection.md, section 5: the minimum over services and caps, rounded down; "not evaluated" wins over
everything, because a number that ignores a service that should have been looked at is not a number.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.raster import NODATA_CENTI, to_centi

NOT_PERMITTED = -9999
NOT_EVALUATED = -9998
OUTSIDE_CLASS = 255
OUTSIDE_FLAGS = 65535
CAP_LABEL = 9
NOT_EVALUATED_LABEL = 14


class Limit(NamedTuple):
    """What one service allows: e.i.r.p. per pixel, and the code it is published under where it decides.

    ``eirp_dbm`` float (y, x), +inf where the service sets no limit; ``label`` uint8 (y, x) or one code.
    """

    eirp_dbm: NDArray[np.floating]
    label: NDArray[np.uint8] | int


class Published(NamedTuple):
    """The three layers of one device and channel, (y, x)."""

    max_eirp_centi_dbm: NDArray[np.int16]
    limiting_service: NDArray[np.uint8]
    eval_flags: NDArray[np.uint16]


def combine(
    limits: Sequence[Limit],
    not_evaluated: NDArray[np.bool_],
    targets: NDArray[np.bool_],
    *,
    cap_dbm: float,
    min_eirp_dbm: float,
    flags: int,
) -> Published:
    """Minimum over the services and the cap, rounded down to 0.01 dB, with the service that decides.

    ``not_evaluated`` (y, x): a service that should have been evaluated could not be. ``targets`` (y, x):
    pixels of the territory; all others are nodata. Where two services agree the first one is named; the
    cap is named only where no service is as strict.
    """
    lowest_dbm = np.full(targets.shape, np.inf)
    label = np.full(targets.shape, CAP_LABEL, dtype=np.uint8)
    for limit in limits:
        stricter = limit.eirp_dbm < lowest_dbm
        np.copyto(lowest_dbm, limit.eirp_dbm, where=stricter)
        np.copyto(label, np.broadcast_to(np.asarray(limit.label, np.uint8), targets.shape), where=stricter)
    label[lowest_dbm > cap_dbm] = CAP_LABEL
    lowest_dbm = np.minimum(lowest_dbm, cap_dbm)
    raw = to_centi(lowest_dbm, rounding="floor")
    raw[lowest_dbm < min_eirp_dbm] = NOT_PERMITTED
    raw[not_evaluated] = NOT_EVALUATED
    label[not_evaluated] = NOT_EVALUATED_LABEL
    raw[~targets] = NODATA_CENTI
    label[~targets] = OUTSIDE_CLASS
    eval_flags = np.where(targets, np.uint16(flags), np.uint16(OUTSIDE_FLAGS))
    return Published(raw, label, eval_flags)
