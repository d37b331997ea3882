"""Services that limit devices: one function each, all of one signature.

A function gives the limit of a service for one device and channel on a part of the grid, or ``None`` where
the service has no usable numbers: it is then "not evaluated", never "available".
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.config import Config, Device


class ServiceContext(NamedTuple):
    """What a service may read: settings, the build folder, and the part of the grid asked for.

    ``victims`` channels with DTT transmitters whose maps are in the build folder.
    """

    config: Config
    build: Path
    victims: tuple[int, ...]
    rows: slice
    cols: slice


class ServiceLimit(NamedTuple):
    """Limit of one service, [y, x]: e.i.r.p. float64 in dBm, +inf = none, and the code where it decides."""

    eirp_dbm: NDArray[np.float64]
    label: NDArray[np.uint8]


Service = Callable[[ServiceContext, Device, int], ServiceLimit | None]
"""(context, device, white-space channel) -> limit, or None = not evaluated."""
