"""Boxes of pixels: what part of the grid a channel's victims and the devices they can limit occupy."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Box(NamedTuple):
    """Rows and columns of a part of the grid."""

    rows: slice
    cols: slice


def box_of(mask: NDArray[np.bool_], first_row: int = 0) -> Box | None:
    """Smallest box of the true pixels of a strip that starts at ``first_row``; None without any."""
    rows, cols = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if rows.size == 0:
        return None
    top, bottom = int(rows[0]) + first_row, int(rows[-1]) + first_row + 1
    return Box(slice(top, bottom), slice(int(cols[0]), int(cols[-1]) + 1))


def joined(first: Box | None, second: Box | None) -> Box | None:
    """Smallest box that holds both."""
    if first is None or second is None:
        return first or second
    return Box(
        *(_span(min(a.start, b.start), max(a.stop, b.stop)) for a, b in zip(first, second, strict=True))
    )


def box_within_reach(victims: Box | None, targets: Box | None, reach_px: int) -> Box | None:
    """Box of the parts of two boxes that lie within ``reach_px`` of the other; None if there are none."""
    if victims is None or targets is None:
        return None
    return joined(_near(victims, targets, reach_px), _near(targets, victims, reach_px))


def _near(box: Box, other: Box, reach_px: int) -> Box | None:
    parts = [
        _span(max(a.start, b.start - reach_px), min(a.stop, b.stop + reach_px))
        for a, b in zip(box, other, strict=True)
    ]
    return Box(*parts) if all(part.start < part.stop for part in parts) else None


def _span(start: int, stop: int) -> slice:
    return slice(start, stop)
