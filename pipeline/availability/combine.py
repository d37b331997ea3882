"""From the limits of all services to the published maximum e.i.r.p. of one device and channel.

protection.md, section 5: the minimum over services and caps, rounded down; "not evaluated" wins over
everything, because a number that ignores a service that should have been looked at is not a number.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.grid.layer_files import raster_of
from pipeline.quantise import NODATA_CENTI, NOT_EVALUATED, NOT_PERMITTED, to_centi
from pipeline.services.base import ServiceLimit
from pipeline.services.table import service_code


class Published(NamedTuple):
    """The three layers of one device and channel, (y, x)."""

    max_eirp_centi_dbm: NDArray[np.int16]
    limiting_service: NDArray[np.uint8]
    eval_flags: NDArray[np.uint16]


def combine(
    limits: Sequence[tuple[int, ServiceLimit | None]],
    targets: NDArray[np.bool_],
    *,
    cap_dbm: float,
    min_eirp_dbm: float,
    settled_flags: int,
) -> Published:
    """Minimum over the services and the cap, rounded down to 0.01 dB, with the limiting service.

    ``limits``: per service its bits in ``eval_flags`` and its limit, None = not evaluated at all.
    ``targets`` bool (y, x): pixels of the territory; all others are nodata. ``settled_flags``: bits that hold
    everywhere. Where two services agree the first one is named; the cap is named only where no service is as
    strict.
    """
    lowest_dbm = np.full(targets.shape, np.inf)
    label = np.full(targets.shape, service_code("device_cap"), dtype=np.uint8)
    flags = np.full(targets.shape, settled_flags, dtype=np.uint16)
    unknown = np.zeros(targets.shape, dtype=np.bool_)
    for bits, limit in limits:
        open_here = np.True_ if limit is None else limit.not_evaluated
        unknown |= open_here
        flags |= np.where(open_here, np.uint16(0), np.uint16(bits))
        if limit is not None:
            stricter = limit.eirp_dbm < lowest_dbm
            np.copyto(lowest_dbm, limit.eirp_dbm, where=stricter)
            np.copyto(label, limit.label, where=stricter)
    label[lowest_dbm > cap_dbm] = service_code("device_cap")
    lowest_dbm = np.minimum(lowest_dbm, cap_dbm)
    raw = to_centi(lowest_dbm, rounding="floor")
    raw[lowest_dbm < min_eirp_dbm] = NOT_PERMITTED
    raw[unknown] = NOT_EVALUATED
    label[unknown] = service_code("not_evaluated")
    raw[~targets] = NODATA_CENTI
    label[~targets] = raster_of("limiting_service").nodata
    flags[~targets] = raster_of("eval_flags").nodata
    return Published(raw, label, flags)
