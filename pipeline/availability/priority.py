"""Channels of each level of priority, from the published maximum e.i.r.p. (SM.2405 Annex 7).

A channel is free for a level where its device is permitted the e.i.r.p. it needs and the level's additional
protection. A user of the level may be given it where more than a number of the mapped channels are free; what
is not evaluated is not free.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.availability.classes import Availability, availability_class
from pipeline.config.priority import Priority

ANY_CHANNEL = "any"


def priority_classes(
    max_eirp_centi_dbm: NDArray[np.int16], channels: Sequence[int], level: Priority
) -> NDArray[np.uint8]:
    """Classes ``Availability`` [channel, y, x]: AVAILABLE where a user of the level may be given the channel.

    ``max_eirp_centi_dbm`` int16[channel, y, x], all mapped channels of the level's device, raw.
    """
    classes = availability_class(max_eirp_centi_dbm, level.eirp_dbm + level.protection_db)
    free = (classes == Availability.AVAILABLE).sum(axis=0)
    scarce = free <= level.more_than_free
    own = np.isin(channels, level.channels)[:, np.newaxis, np.newaxis]
    inside = classes != Availability.OUTSIDE
    classes[~own & inside] = Availability.UNAVAILABLE
    classes[(classes == Availability.AVAILABLE) & scarce] = Availability.UNAVAILABLE
    return classes


def priority_shares(
    classes: NDArray[np.uint8],
    channels: Sequence[int],
    level: Priority,
    area_km2: NDArray[np.floating],
    population: NDArray[np.floating] | None,
) -> pd.DataFrame:
    """Share of area and people where the level may be given each of its channels, and any of them.

    Columns level, device, eirp_dbm, protection_db, more_than_free, channel, area_pct, population_pct.
    """
    inside = (classes != Availability.OUTSIDE).any(axis=0)
    given = classes == Availability.AVAILABLE
    masks = {str(channel): given[i] for i, channel in enumerate(channels) if channel in level.channels}
    masks[ANY_CHANNEL] = given.any(axis=0)
    weights = (area_km2, population)
    shares = [[share_pct(mask, inside, weight) for weight in weights] for mask in masks.values()]
    table = pd.DataFrame(shares, columns=["area_pct", "population_pct"])
    table.insert(0, "channel", list(masks))
    for name in ("more_than_free", "protection_db", "eirp_dbm", "device", "level"):
        table.insert(0, name, getattr(level, name))
    return table


def share_pct(
    mask: NDArray[np.bool_], inside: NDArray[np.bool_], weight: NDArray[np.floating] | None
) -> float:
    """Per cent of the weight of the inside pixels that ``mask`` holds; NaN without weight."""
    if weight is None:
        return float("nan")
    weights = np.where(inside, np.nan_to_num(np.broadcast_to(weight, mask.shape)), 0.0).astype(np.float64)
    total = float(weights.sum())
    return 100.0 * float(weights[mask].sum()) / total if total > 0.0 else float("nan")
