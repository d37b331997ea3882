"""Rules by which single stations are protected where these are not the territory's.

A receiver belongs to the station that it receives best, and is protected by the rule of that station
(docs/method.md, section 48). Rules are those of the table of servers, which the job coverage writes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pipeline.config.config import Config
from pipeline.config.protection import Device


class StationRule(NamedTuple):
    """Rule of one station; empty, NaN: that of the territory, of the device or of the settings."""

    protection: str = ""
    dq_pct: float = math.nan
    threshold_dbuvm: float = math.nan


def rule_of(server: Mapping[str, Any]) -> StationRule:
    """The rule of an entry of the table of servers."""
    return StationRule(
        str(server.get("protection", "")),
        float(server.get("dq_pct", math.nan)),
        float(server.get("threshold_dbuvm", math.nan)),
    )


def thresholds_dbuvm(rules: Sequence[StationRule], method: str, common_dbuvm: float) -> NDArray[np.float64]:
    """Field from which the channel is occupied by server, index 0 no server; NaN: never by this method.

    ``method`` of the territory, ``common_dbuvm`` the threshold of stations that name none.
    """
    fields_dbuvm = [
        (common_dbuvm if math.isnan(rule.threshold_dbuvm) else rule.threshold_dbuvm)
        if (rule.protection or method) == "threshold"
        else math.nan
        for rule in rules
    ]
    return np.array([math.nan, *fields_dbuvm])


def by_threshold(rules: Iterable[StationRule]) -> bool:
    """Whether a station asks for a threshold of its own accord."""
    return any(rule.protection == "threshold" for rule in rules)


def with_dq(device: Device, dq_pct: float) -> Device:
    """The device as a station with a dq of its own sees it; NaN: as all do."""
    return device if math.isnan(dq_pct) else device.model_copy(update={"dq_pct": dq_pct})


def with_smallest_dq(device: Device, stated_pct: Iterable[float]) -> Device:
    """The device as the most demanding of the stations sees it; NaN: a station that states nothing."""
    smallest_pct = min((dq_pct for dq_pct in stated_pct if not math.isnan(dq_pct)), default=math.inf)
    return with_dq(device, smallest_pct) if smallest_pct < device.dq_pct else device


def strictest_settings(config: Config, register: xr.Dataset) -> Config:
    """The territory with devices as the most demanding station of its register sees them."""
    stated_pct = register["dq_pct"].values.tolist()
    devices = [with_smallest_dq(device, stated_pct) for device in config.devices]
    return config if devices == config.devices else config.model_copy(update={"devices": devices})
