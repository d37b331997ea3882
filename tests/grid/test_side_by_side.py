"""Files that are written side by side: same bytes as one after another, nothing left of a fault."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.grid import raster
from pipeline.grid.grid import make_grid
from pipeline.grid.side_by_side import each_in_its_thread

GRID = make_grid("EPSG:3035", 100.0, (4_000_000.0, 2_500_000.0, 4_110_000.0, 2_560_000.0), 0.0)
NAMES = ("first", "second", "third")


def write(folder: Path, threads: int, fails: str = "") -> None:
    folder.mkdir()
    layout = raster.layout_on(
        GRID, ["ch21", "ch22"], dtype="uint8", nodata=255, units="1", long_name="class", categories={0: "no"}
    )
    random = np.random.default_rng(5)
    files = [raster.writing(folder / f"{name}.tif", layout, publish=True) for name in NAMES]
    with each_in_its_thread(files, threads) as puts:
        for start in range(0, GRID.height, 512):
            rows, cols = slice(start, min(start + 512, GRID.height)), slice(0, GRID.width)
            shape = 2, rows.stop - rows.start, GRID.width
            jobs = [put(rows, cols, random.integers(0, 3, shape, np.uint8)) for put in puts]
            if fails and start:
                raise ValueError(fails)
            for job in jobs:
                job.result()


def test_bytes_do_not_depend_on_the_threads(tmp_path):
    for threads in (1, 3):
        write(tmp_path / str(threads), threads)
    one, three = ([(tmp_path / str(n) / f"{name}.tif").read_bytes() for name in NAMES] for n in (1, 3))
    assert one == three
    assert len(set(one)) == len(NAMES)


@pytest.mark.parametrize("threads", [1, 3])
def test_fault_leaves_no_file(tmp_path, threads):
    with pytest.raises(ValueError, match="no more"):
        write(tmp_path / "out", threads, fails="no more")
    assert not list((tmp_path / "out").iterdir())


def test_fault_of_one_file_comes_through(tmp_path):
    layout = raster.layout_on(GRID, ["a"], dtype="uint8", nodata=255, units="1", long_name="class")
    files = [raster.writing(tmp_path / f"{name}.tif", layout, publish=True) for name in NAMES]
    two_bands = np.zeros((2, 512, GRID.width), np.uint8)

    def write_wrong() -> None:
        with each_in_its_thread(files, 2) as puts:
            puts[1](slice(0, 512), slice(0, GRID.width), two_bands).result()

    with pytest.raises(ValueError, match="reshape"):
        write_wrong()
    assert not list(tmp_path.iterdir())
