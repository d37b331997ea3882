"""Tables of many masts one after another in one array, as kernels take them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


class FlatTables:
    """An array that grows where it is: those of a channel are gigabytes, and no two copies of all exist."""

    def __init__(self, kind: type) -> None:
        """Without any."""
        self.values: NDArray[Any] = np.empty(0, kind)
        self._starts = [0]

    def add(self, table: NDArray[Any]) -> int:
        """Copy a table of any shape behind the others; where it begins."""
        first = self._starts[-1]
        self._starts.append(first + table.size)
        self.values.resize(first + table.size, refcheck=False)
        self.values[first:] = table.ravel()
        return first

    @property
    def start(self) -> NDArray[np.int64]:
        """Start of each table, one more than tables."""
        return np.array(self._starts, np.int64)
