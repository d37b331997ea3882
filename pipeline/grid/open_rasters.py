"""Files of the project that stay open for many small reads, for each thread its own."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.grid import raster
from pipeline.grid.grid import strips_of_rows

# MiB of blocks that GDAL keeps, which it asks for once, before it opens the first file. These files are read
# outside of the settings of a single one; there it would be a twentieth of the machine's memory.
os.environ.setdefault("GDAL_CACHEMAX", "256")


def values_at(
    opened: raster.Opened, band: int, row: NDArray[np.int64], col: NDArray[np.int64]
) -> NDArray[Any]:
    """Raw values of a band, counted from 0, at pixels [n] in ascending order of rows.

    Read strip by strip, of each what lies between its pixels.
    """
    found = np.empty(row.size, opened.layout.dtype)
    for strip in strips_of_rows(0, opened.layout.height):
        its = slice(*np.searchsorted(row, (strip.start, strip.stop)).tolist())
        if its.start < its.stop:
            rows, cols = (slice(int(n[its].min()), int(n[its].max()) + 1) for n in (row, col))
            values = raster.read_window(opened, rows, cols, [band])[0]
            found[its] = values[row[its] - rows.start, col[its] - cols.start]
    return found


class OpenRasters:
    """Each file is opened once by each thread that reads it, and closed at the end of the context."""

    def __init__(self) -> None:
        """Without any file."""
        self._own, self._all = threading.local(), list[raster.Opened]()

    def __reduce__(self) -> tuple[type[OpenRasters], tuple[()]]:
        """In another process nothing is open yet."""
        return OpenRasters, ()

    def __enter__(self) -> OpenRasters:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the files of all threads, which read no more."""
        while self._all:
            self._all.pop().source.close()
        self._own = threading.local()

    def of(self, path: Path) -> raster.Opened:
        """A file, open in this thread."""
        files: dict[Path, raster.Opened] = self._own.__dict__.setdefault("files", {})
        if path not in files:
            files[path] = raster.open_raster(path)
            self._all.append(files[path])
        return files[path]

    def window(
        self, path: Path, rows: slice, cols: slice, bands: Sequence[str] | None = None
    ) -> NDArray[Any]:
        """Raw values[band, y, x] of a part of a file; ``bands`` by name, or all."""
        opened = self.of(path)
        places = [index - 1 for index in raster.band_indexes(opened.source, bands, path)]
        return raster.read_window(opened, rows, cols, places)
