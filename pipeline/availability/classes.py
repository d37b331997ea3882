"""Availability at each level of e.i.r.p., from the limits: classes and counts of all channels."""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from pipeline.config.config import Config
from pipeline.config.protection import Device
from pipeline.grid.layer_files import raster_of
from pipeline.quantise import NODATA_CENTI, NOT_EVALUATED
from pipeline.radio.emission import device_cap_dbm

OUTSIDE_COUNT = int(raster_of("available_channels").nodata)


class Availability(IntEnum):
    """Codes of the availability layers."""

    UNAVAILABLE = 0
    AVAILABLE = 1
    NOT_EVALUATED = 2
    OUTSIDE = 255


def level_name(level_dbm: float) -> str:
    """The level as it stands in file names: 36, 0, 12.5."""
    return f"{level_dbm:g}"


def published_levels_dbm(config: Config, device: Device) -> list[float]:
    """Levels published for a device: those its cap allows."""
    return [level for level in config.levels_dbm if level <= device_cap_dbm(device)]


def threshold_centi(level_dbm: float) -> int:
    """Least raw limit that reaches a level; of one between two steps the higher."""
    # No code among the levels is higher than "not evaluated", and no level is as low.
    return max(int(np.ceil(round(level_dbm * 100.0, 6))), NOT_EVALUATED + 1)


def availability_class(limit_centi_dbm: NDArray[np.int16], level_dbm: float) -> NDArray[np.uint8]:
    """Class of every pixel at one e.i.r.p. level, for a device that radiates exactly this level.

    The limit is already rounded down, so it reaches the level exactly where the unrounded one does, as
    long as the level is a multiple of 0.01 dBm; other levels are rounded up.
    """
    classes = (limit_centi_dbm >= threshold_centi(level_dbm)).astype(np.uint8)
    np.copyto(classes, np.uint8(Availability.NOT_EVALUATED), where=limit_centi_dbm == NOT_EVALUATED)
    np.copyto(classes, np.uint8(Availability.OUTSIDE), where=limit_centi_dbm == NODATA_CENTI)
    return classes


def count_available(classes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Number of available channels from classes (band, y, x); 255 outside."""
    count = (classes == Availability.AVAILABLE).sum(axis=0, dtype=np.uint8)
    count[classes[0] == Availability.OUTSIDE] = OUTSIDE_COUNT
    return count
