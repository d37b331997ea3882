"""Services that limit devices: one file each, all of one signature.

A service is prepared once for a device and a white-space channel and then asked block by block. Where it has
no usable numbers its pixels are "not evaluated", never "available". ``explain`` gives the budget behind one
pixel's limit.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.config.config import Config
from pipeline.config.protection import Device
from pipeline.grid.grid import Grid
from pipeline.services.codes import LimitingService


class ServiceContext(NamedTuple):
    """What a service may read: settings, the build folder, the padded grid.

    ``victims`` channels with DTT transmitters whose maps are in the build folder.
    """

    config: Config
    build: Path
    grid: Grid
    victims: tuple[int, ...]


class ServiceLimit(NamedTuple):
    """Limit of one service on a block, [y, x].

    ``eirp_dbm`` float64 in the device's bandwidth, +inf = none; ``label`` uint8 code where it decides;
    ``not_evaluated`` pixels that the service could concern but has no numbers for.
    """

    eirp_dbm: NDArray[np.float64]
    label: NDArray[np.uint8]
    not_evaluated: NDArray[np.bool_]


class Term(NamedTuple):
    """One addend of a budget, and where it comes from."""

    name: str
    value_db: float
    note: str = ""


class Explanation(NamedTuple):
    """The deciding victim of a pixel, with plain JSON values, and terms that add up to the limit in dBm."""

    victim: dict[str, object]
    terms: tuple[Term, ...]
    label: int


BlockLimit = Callable[[slice, slice], ServiceLimit]
"""(rows, cols of the padded grid) -> limit."""
Prepare = Callable[[ServiceContext, Device, int], BlockLimit | None]
"""(context, device, white-space channel) -> limit by block, or None = not evaluated anywhere."""
Explain = Callable[[ServiceContext, Device, int, int, int], Explanation | None]
"""(context, device, channel, row, col) -> budget of the deciding victim, or None = nothing limits here."""


def unlimited(rows: slice, cols: slice) -> ServiceLimit:
    """A block on which nothing limits and nothing is left open."""
    shape = (rows.stop - rows.start, cols.stop - cols.start)
    return ServiceLimit(
        np.full(shape, np.inf), np.full(shape, LimitingService.NONE, np.uint8), np.zeros(shape, np.bool_)
    )


def lower(limit: ServiceLimit, eirp_dbm: NDArray[np.floating], label: NDArray[np.uint8] | int) -> None:
    """Take the smaller e.i.r.p. in place, with the code of what is strictly stricter."""
    stricter = eirp_dbm < limit.eirp_dbm
    np.copyto(limit.eirp_dbm, eirp_dbm, where=stricter)
    np.copyto(limit.label, np.asarray(label, np.uint8), where=stricter)
