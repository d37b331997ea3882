"""Availability classes, channel counts and the statistics curves, all from the published maximum e.i.r.p."""

from __future__ import annotations

from enum import IntEnum

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.config.config import Config
from pipeline.config.protection import Device
from pipeline.grid.layer_files import raster_of
from pipeline.quantise import NODATA_CENTI, NOT_EVALUATED, NOT_PERMITTED
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


def availability_class(max_eirp_centi_dbm: NDArray[np.int16], level_dbm: float) -> NDArray[np.uint8]:
    """Class of every pixel at one e.i.r.p. level.

    The maximum is already rounded down, so it reaches the level exactly where the unrounded one does, as
    long as the level is a multiple of 0.01 dBm; other levels are rounded up.
    """
    threshold_centi = int(np.ceil(round(level_dbm * 100.0, 6)))
    special = (max_eirp_centi_dbm == NOT_PERMITTED) | (max_eirp_centi_dbm == NOT_EVALUATED)
    available = (max_eirp_centi_dbm >= threshold_centi) & ~special
    classes = np.where(available, Availability.AVAILABLE, Availability.UNAVAILABLE).astype(np.uint8)
    classes[max_eirp_centi_dbm == NOT_EVALUATED] = Availability.NOT_EVALUATED
    classes[max_eirp_centi_dbm == NODATA_CENTI] = Availability.OUTSIDE
    return classes


def count_available(classes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Number of available channels from classes (band, y, x); 255 outside."""
    count = (classes == Availability.AVAILABLE).sum(axis=0, dtype=np.uint8)
    count[classes[0] == Availability.OUTSIDE] = OUTSIDE_COUNT
    return count


def availability_curve(
    count: NDArray[np.uint8],
    channels: int,
    area_km2: NDArray[np.floating],
    population: NDArray[np.floating] | None,
) -> pd.DataFrame:
    """Share of area and of people with at least n available channels, n = 1 .. ``channels``.

    SM.2405, Figures A5-3 and A5-4: weighted by the true area of each pixel (``area_km2`` broadcasts to
    the grid); ``population_pct`` is NaN without population. Columns channels_at_least, area_pct,
    population_pct.
    """
    inside = count != OUTSIDE_COUNT
    return pd.DataFrame(
        {
            "channels_at_least": np.arange(1, channels + 1),
            "area_pct": _share_with_at_least(count, inside, channels, area_km2),
            "population_pct": np.nan
            if population is None
            else _share_with_at_least(count, inside, channels, np.nan_to_num(population)),
        }
    )


def _share_with_at_least(
    count: NDArray[np.uint8], inside: NDArray[np.bool_], channels: int, weight: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Per cent of the weight of the inside pixels with at least 1 .. ``channels`` channels."""
    weights = np.broadcast_to(weight, count.shape)[inside].astype(np.float64)
    by_count = np.bincount(count[inside], weights=weights, minlength=channels + 1)
    total = by_count.sum()
    if total <= 0:
        return np.full(channels, np.nan)
    at_least = np.cumsum(by_count[::-1])[::-1]
    return np.asarray(100.0 * at_least[1 : channels + 1] / total)
