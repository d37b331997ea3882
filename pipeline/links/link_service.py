"""What a direction of a link gives on each candidate channel: power used, level, mode, rate, and why not."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.rates.link_modes import ModeLevels, Rated, power_control_db, rate_levels


class Reason(IntEnum):
    """Why a link has the service that it has; the words of the column ``reason``."""

    OK = 0
    BELOW_SENSITIVITY = 1
    OVERLOAD = 2
    NOT_PERMITTED = 3
    NOT_EVALUATED = 4
    OUTSIDE = 5
    NO_PROFILE = 6
    BEYOND_MODEL = 7
    MUTUAL_INTERFERENCE = 8
    TELEVISION_UNKNOWN = 9

    @property
    def word(self) -> str:
        """As tables have it."""
        return self.name.lower()


class LimitedBy(IntEnum):
    """What bounds the power used: the device's own power, the permitted e.i.r.p., its cap."""

    DEVICE = 0
    PERMITTED = 1
    CAP = 2


class Margins(NamedTuple):
    """What a median level must exceed for a share of locations, and the spread over locations, in dB."""

    location_db: float
    sigma_db: float


class Sender(NamedTuple):
    """E.i.r.p. in dBm on the axis: filed, permitted (NaN none, inf no limit) with its reason, and the cap."""

    filed_dbm: NDArray[np.float64]
    permitted_dbm: NDArray[np.float64]
    reason: NDArray[np.uint8]
    cap_dbm: float


class OneWay(NamedTuple):
    """One direction [...] of links and channels; levels NaN where nothing is sent or no loss is known."""

    used_dbm: NDArray[np.float64]
    limited_by: NDArray[np.uint8]
    received_dbm: NDArray[np.float64]
    interference_dbm: NDArray[np.float64]
    cni_db: NDArray[np.float64]
    rated: Rated
    reason: NDArray[np.uint8]


class TwoWay(NamedTuple):
    """Rates of both directions together, mean rate, throughput and the smaller margin [...]."""

    rate_mbps: NDArray[np.float64]
    mean_mbps: NDArray[np.float64]
    throughput_mbps: NDArray[np.float64]
    margin_db: NDArray[np.float64]
    reason: NDArray[np.uint8]


def no_limit(filed_dbm: NDArray[np.float64]) -> Sender:
    """A sender whose power nothing but itself bounds."""
    free = np.full(filed_dbm.shape, math.inf)
    return Sender(filed_dbm, free, np.zeros(filed_dbm.shape, np.uint8), math.inf)


def one_way(
    modes: ModeLevels,
    sender: Sender,
    loss_db: NDArray[np.float64],
    gain_db: NDArray[np.float64],
    interference_dbm: NDArray[np.float64],
    margins: Margins,
) -> OneWay:
    """A direction: min(filed, permitted) less the loss, plus ``gain_db``, what both antennas do to the level.

    Above the largest input of the receiver power control goes down in its steps, as far as it reaches. Where
    the interference is not known (NaN) there is no rate, unless the level is too low without any.
    """
    used_dbm = np.minimum(sender.filed_dbm, sender.permitted_dbm)
    limited = np.where(
        sender.permitted_dbm < sender.filed_dbm, int(LimitedBy.PERMITTED), int(LimitedBy.DEVICE)
    )
    at_cap = (limited == int(LimitedBy.PERMITTED)) & (sender.permitted_dbm >= sender.cap_dbm)
    limited = np.where(at_cap, int(LimitedBy.CAP), limited).astype(np.uint8)
    received_dbm = used_dbm - loss_db + gain_db
    back_db, overload = power_control_db(modes, received_dbm)
    used_dbm, received_dbm = used_dbm - back_db, received_dbm - back_db
    unknown = np.isnan(interference_dbm)
    rated = rate_levels(modes, received_dbm, np.where(unknown, -math.inf, interference_dbm), *margins)
    reason = np.where(unknown, int(Reason.TELEVISION_UNKNOWN), int(Reason.OK))
    reason = np.where(rated.mode < 0, int(Reason.BELOW_SENSITIVITY), reason)
    reason = np.where(overload, int(Reason.OVERLOAD), reason)
    reason = np.where(np.isnan(loss_db), int(Reason.NO_PROFILE), reason)
    reason = np.where(sender.reason != int(Reason.OK), sender.reason, reason).astype(np.uint8)
    served = reason == int(Reason.OK)
    own = np.power(10.0, 0.1 * modes.noise_dbm) + np.power(10.0, 0.1 * interference_dbm)
    return OneWay(
        used_dbm,
        limited,
        received_dbm,
        interference_dbm,
        received_dbm - 10.0 * np.log10(own),
        rated._replace(
            mode=np.where(served, rated.mode, -1),
            rate_mbps=np.where(served, rated.rate_mbps, 0.0),
            mean_mbps=np.where((reason <= int(Reason.BELOW_SENSITIVITY)) & ~unknown, rated.mean_mbps, 0.0),
            throughput_mbps=np.where(served, rated.throughput_mbps, 0.0),
            margin_db=np.where(unknown, math.nan, rated.margin_db),
            next_margin_db=np.where(unknown, math.nan, rated.next_margin_db),
        ),
        reason,
    )


def by_modes(modes: Sequence[ModeLevels], way: Callable[[ModeLevels, NDArray[np.int64]], OneWay]) -> OneWay:
    """A direction [..., c] whose candidates have modes of their own: ``way`` is asked once for each kind.

    It is given the modes and the indexes of the candidates that have them.
    """
    kinds = list({id(one): one for one in modes}.values())
    groups = [np.array([c for c, one in enumerate(modes) if one is kind], np.int64) for kind in kinds]
    parts = [way(kind, own) for kind, own in zip(kinds, groups, strict=True)]
    if len(parts) == 1:
        return parts[0]
    back = np.argsort(np.concatenate(groups))
    return _map_arrays(lambda *values: np.concatenate(values, axis=-1)[..., back], *parts)


def part_of(way: OneWay, candidates: NDArray[np.int64]) -> OneWay:
    """A direction on some of its candidates."""
    return _map_arrays(lambda values: values[..., candidates], way)


def row_of_ways(way: OneWay, row: int) -> OneWay:
    """One link [c] of a direction of several [n, c]."""
    return _map_arrays(lambda values: values[row], way)


def _map_arrays(change: Callable[..., NDArray[Any]], *ways: OneWay) -> OneWay:
    """The direction with all arrays changed, those of the rates too."""
    rated = Rated(*(change(*values) for values in zip(*(way.rated for way in ways), strict=True)))
    found = {
        name: change(*(getattr(way, name) for way in ways)) for name in OneWay._fields if name != "rated"
    }
    return OneWay(rated=rated, **found)


def together(there: OneWay, back: OneWay | None, tdd_share: float) -> TwoWay:
    """Both directions: the smaller rate, times the share of time that a direction has; or one alone."""
    own = there.rated
    if back is None:
        return TwoWay(own.rate_mbps, own.mean_mbps, own.throughput_mbps, own.margin_db, there.reason)
    other = back.rated
    return TwoWay(
        tdd_share * np.fmin(own.rate_mbps, other.rate_mbps),
        tdd_share * np.fmin(own.mean_mbps, other.mean_mbps),
        tdd_share * np.fmin(own.throughput_mbps, other.throughput_mbps),
        np.minimum(own.margin_db, other.margin_db),
        np.where(
            (there.reason == int(Reason.OK)) | (back.reason == int(Reason.OUTSIDE)), back.reason, there.reason
        ).astype(np.uint8),
    )


def best_channel(found: TwoWay) -> NDArray[np.int64]:
    """Index [...] of the candidate, on the last axis, of highest rate; then larger margin; then the first."""
    rate = np.where(np.isnan(found.rate_mbps), 0.0, found.rate_mbps)
    served = found.reason == int(Reason.OK)
    highest = np.where(served, rate, -1.0)
    highest = np.where(highest == highest.max(axis=-1, keepdims=True), 1.0, -1.0)
    margin_db = np.where(np.isnan(found.margin_db), -math.inf, found.margin_db)
    score = np.where(highest > 0.0, margin_db, -math.inf)
    # All alike without a margin: the first of highest rate.
    return np.where(np.isinf(score).all(axis=-1), np.argmax(highest, axis=-1), np.argmax(score, axis=-1))
