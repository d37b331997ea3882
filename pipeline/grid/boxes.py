"""Boxes of pixels: rows and columns of a part of a grid."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class PixelBox(NamedTuple):
    """Rows and columns of a part of the grid."""

    rows: slice
    cols: slice

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and of columns."""
        return int(self.rows.stop - self.rows.start), int(self.cols.stop - self.cols.start)


def box_of(mask: NDArray[np.bool_], first_row: int = 0) -> PixelBox | None:
    """Smallest box of the true pixels of a strip that starts at ``first_row``; None without any."""
    rows, cols = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if rows.size == 0:
        return None
    top, bottom = int(rows[0]) + first_row, int(rows[-1]) + first_row + 1
    return PixelBox(slice(top, bottom), slice(int(cols[0]), int(cols[-1]) + 1))


def moved(box: PixelBox, row: int, col: int) -> PixelBox:
    """A box that counts from a pixel of the grid, in the rows and columns of the grid."""
    return PixelBox(shifted(box.rows, row), shifted(box.cols, col))


def shifted(part: slice, by_px: int) -> slice:
    """Rows or columns that begin and end so much later."""
    return slice(part.start + by_px, part.stop + by_px)


def joined(first: PixelBox | None, second: PixelBox | None) -> PixelBox | None:
    """Smallest box that holds both."""
    if first is None or second is None:
        return first or second
    return PixelBox(
        *(slice(min(a.start, b.start), max(a.stop, b.stop)) for a, b in zip(first, second, strict=True))
    )


def box_within_reach(victims: PixelBox | None, targets: PixelBox | None, reach_px: int) -> PixelBox | None:
    """Box of the parts of two boxes that are within ``reach_px`` of the other; None if there are none."""
    if victims is None or targets is None:
        return None
    return joined(_near(victims, targets, reach_px), _near(targets, victims, reach_px))


def _near(box: PixelBox, other: PixelBox, reach_px: int) -> PixelBox | None:
    parts = [
        slice(max(a.start, b.start - reach_px), min(a.stop, b.stop + reach_px))
        for a, b in zip(box, other, strict=True)
    ]
    return PixelBox(*parts) if all(part.start < part.stop for part in parts) else None
