"""When bookings hold within the period of a run: the spans of assignments, and the slices between changes.

A span is when an assignment holds, cut to the period; a slice, how long the same assignments hold. Instants
are UTC seconds since 1970, intervals half open. Local times that come twice or not at all are read so that
bookings are longer and the period is shorter (docs/method.md, section 17).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby, pairwise
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pipeline.config.bonds import DeviceChannel
from pipeline.config.config import Config
from pipeline.config.protection import Device
from pipeline.services.pmse.pmse_victims import concerned, cut_spans, period_s

Span = tuple[int, int]
# Of a run; each may be a file for each device, open while it answers. Where there would be more, changes are
# put together.
_MOST_SLICES = 192
_STEPS_S = (60, 300, 900, 1800, 3600, 10_800, 21_600, 43_200, 86_400)


class BookingSlice(NamedTuple):
    """A part of the period in which the same assignments hold.

    ``name`` of the rasters for them, the same whenever these hold again; empty: none holds.
    """

    from_s: int
    until_s: int
    name: str


def slices_of(config: Config, register: xr.Dataset | None) -> list[BookingSlice]:
    """The slices of a run, without a gap; none where the same bookings hold all the time."""
    period = period_s(config)
    if period is None or register is None:
        return []
    which = [
        concerned(config, device, channel, register)
        for device in config.devices
        for channel in config.channels_of(device)
    ]
    spans = cut_spans(register, period)[np.logical_or.reduce(which)]
    found: list[tuple[Span, bytes]] = []
    for step_s in _STEPS_S:
        found = list(_joined(spans, _edges(spans, period, step_s)))
        if len(found) <= _MOST_SLICES:
            break
    if len(found) < 2:
        return []
    names: dict[bytes, str] = {}
    for _, holding in found:
        if any(holding):
            names.setdefault(holding, f"s{len(names) + 1:03d}")
    return [BookingSlice(*span, names.get(holding, "")) for span, holding in found]


def _edges(spans: NDArray[np.int64], period: Span, step_s: int) -> list[int]:
    """Instants at which something may change: multiples of a step around those at which it does."""
    own = spans[spans[:, 0] < spans[:, 1]].ravel()
    around = np.concatenate([own // step_s * step_s, -(-own // step_s) * step_s])
    inside = around[(around > period[0]) & (around < period[1])]
    return [period[0], *np.unique(inside).tolist(), period[1]]


def _joined(spans: NDArray[np.int64], edges: list[int]) -> Iterator[tuple[Span, bytes]]:
    """Intervals with which assignments hold in them (packed bits), neighbours with the same as one."""
    intervals = [
        ((begin, end), np.packbits((spans[:, 0] < end) & (spans[:, 1] > begin)).tobytes())
        for begin, end in pairwise(edges)
    ]
    for holding, group in groupby(intervals, key=lambda one: one[1]):
        alike = [span for span, _ in group]
        yield (alike[0][0], alike[-1][1]), holding


def spans_concerning(
    config: Config, device: Device, channel: DeviceChannel, register: xr.Dataset
) -> list[Span]:
    """The different spans of the assignments that concern a device in one channel, in order."""
    period = period_s(config)
    if period is None:
        return []
    spans = cut_spans(register, period)[concerned(config, device, channel, register)]
    return sorted({(begin, end) for begin, end in spans.tolist() if begin < end})


def holds_in(span: Span, part: BookingSlice) -> bool:
    """Whether the assignments of a span hold at any time of a slice."""
    return span[0] < part.until_s and span[1] > part.from_s
