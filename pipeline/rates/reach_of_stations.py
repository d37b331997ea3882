"""How far a base station would reach that radiates what is permitted: a radius for every pixel.

Generic land paths, no terrain, no interference: not a coverage prediction (docs/method.md, section 46).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.quantise import NODATA_CENTI, NOT_EVALUATED
from pipeline.rates.link_budget import GenericPath, generic_loss_db

NOT_EVALUATED_RADIUS, OUTSIDE_RADIUS = 65534, 65535
NOT_EVALUATED_CHANNEL, OUTSIDE_CHANNEL = 254, 255
STEP_KM = 0.01
# No client is farther away: P.1546 for some hundred kilometres describes no service.
_FARTHEST_KM = 300.0
_CENTI = 100.0


class ReachMaps(NamedTuple):
    """``radius`` uint16[y, x] in 10 m, ``channel`` index + 1 of the one that gives it, uint8[y, x] (0 none).

    ``number`` uint8[km, y, x]: channels that reach at least so far.
    """

    radius: NDArray[np.uint16]
    channel: NDArray[np.uint8]
    number: NDArray[np.uint8]


def least_losses_beyond_db(path: GenericPath) -> NDArray[np.float64]:
    """Least loss at each multiple of ``STEP_KM`` from the first on, or farther, up to 300 km: rising."""
    d_km = STEP_KM * np.arange(1, round(_FARTHEST_KM / STEP_KM) + 1, dtype=np.float64)
    loss_db, _ = generic_loss_db(path, d_km)
    return np.minimum.accumulate(loss_db[::-1])[::-1]


def radius_table(path: GenericPath, allowed_db_at_0_dbm: float) -> NDArray[np.uint16]:
    """Radius in 10 m by raw level of 0.01 dBm, uint16[65536], in the order of uint16.

    ``allowed_db_at_0_dbm``: loss that 0 dBm e.i.r.p. bears. Rounded down; the farthest place counts where the
    loss falls again with the distance. Codes have radius 0.
    """
    raw = np.arange(-32768, 32768)
    allowed_db = raw / _CENTI + allowed_db_at_0_dbm
    steps = np.searchsorted(least_losses_beyond_db(path), allowed_db, side="right")
    steps[raw <= NOT_EVALUATED] = 0
    return np.roll(steps, 32768).astype(np.uint16)


def reach_maps(
    raw: NDArray[np.int16], tables: Sequence[NDArray[np.uint16]], from_km: Sequence[float]
) -> ReachMaps:
    """Largest radius over channels of raw levels int16[channel, y, x], its channel, and how many reach."""
    shape = raw.shape[1:]
    radius, channel = np.zeros(shape, np.uint16), np.zeros(shape, np.uint8)
    number = np.zeros((len(from_km), *shape), np.uint8)
    least = [math.ceil(km / STEP_KM - 1e-9) for km in from_km]
    for index, (levels, table) in enumerate(zip(raw, tables, strict=True), start=1):
        own = table[levels.view(np.uint16)]
        farther = own > radius
        radius[farther], channel[farther] = own[farther], index
        for k, steps in enumerate(least):
            number[k] += own >= steps
    outside = (raw == NODATA_CENTI).all(axis=0)
    unknown = (radius == 0) & (raw == NOT_EVALUATED).any(axis=0)
    for values, code, beyond in (
        (radius, NOT_EVALUATED_RADIUS, OUTSIDE_RADIUS),
        (channel, NOT_EVALUATED_CHANNEL, OUTSIDE_CHANNEL),
    ):
        values[unknown], values[outside] = code, beyond
    number[:, unknown], number[:, outside] = NOT_EVALUATED_CHANNEL, OUTSIDE_CHANNEL
    return ReachMaps(radius, channel, number)


def reach_sums(
    radius: NDArray[np.uint16], from_km: Sequence[float], weights: Sequence[NDArray[np.floating] | None]
) -> NDArray[np.float64]:
    """Sums of each weight [y, x] inside, and where a station reaches each distance: [weight, 1 + distance].

    NaN for a weight that is not known; sums of parts of a grid add up.
    """
    inside = radius != OUTSIDE_RADIUS
    far = np.where(radius >= NOT_EVALUATED_RADIUS, 0, radius)
    masks = [inside, *(far >= math.ceil(km / STEP_KM - 1e-9) for km in from_km)]
    sums = np.full((len(weights), len(masks)), math.nan)
    for k, weight in enumerate(weights):
        if weight is not None:
            known = np.nan_to_num(weight).astype(np.float64)
            sums[k] = [known[inside & mask].sum() for mask in masks]
    return sums


def shares_pct(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Per cent [weight, distance] of such sums; NaN where there is nothing to share."""
    whole = np.where(sums[:, :1] > 0.0, sums[:, :1], math.nan)
    return 100.0 * sums[:, 1:] / whole
