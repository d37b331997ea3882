"""Files that stay open: once for each thread, and anew in another process."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import numpy as np
import pytest

from pipeline.blocks import packed
from pipeline.errors import InputError
from pipeline.grid import raster
from pipeline.grid.grid import Grid
from pipeline.grid.open_rasters import OpenRasters

GRID = Grid("EPSG:3794", 100.0, 500_000.0, 100_000.0, 30, 20)
ROWS, COLS = slice(3, 9), slice(5, 25)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    values = np.arange(2 * 20 * 30, dtype=np.int16).reshape(2, 20, 30)
    data = raster.make_array(values, GRID, units="1", long_name="n", nodata=None, band_names=["a", "b"])
    raster.write(tmp_path / "n.tif", data, tags={}, publish=False)
    return tmp_path / "n.tif"


def test_windows_are_those_of_the_file_and_each_thread_opens_it_once(file, monkeypatch):
    opened, open_raster, together = [], raster.open_raster, Barrier(2)

    def opening(path):
        opened.append(path)
        return open_raster(path)

    def look(_: int) -> list[np.ndarray]:
        together.wait(timeout=20)
        return [rasters.window(file, ROWS, COLS), rasters.window(file, ROWS, COLS, ["b"])]

    monkeypatch.setattr(raster, "open_raster", opening)
    with OpenRasters() as rasters, ThreadPoolExecutor(2) as pool:
        for whole, second in pool.map(look, range(2)):
            assert np.array_equal(whole, raster.read(file, rows=ROWS, cols=COLS).values)
            assert np.array_equal(second, whole[1:])
        sources = [rasters.of(file).source]
    assert opened == [file] * 3
    assert all(source.closed for source in sources)


def test_unknown_band_is_refused(file):
    with OpenRasters() as rasters, pytest.raises(InputError, match="no such band"):
        rasters.window(file, ROWS, COLS, ["c"])


def test_function_that_holds_them_goes_to_another_process(file):
    rasters = OpenRasters()
    rasters.of(file)
    function = pickle.loads(packed(lambda: rasters.window(file, ROWS, COLS)))
    assert np.array_equal(function(), rasters.window(file, ROWS, COLS))


_CACHE = """
import sys
from pathlib import Path
from rasterio._env import get_gdal_config
from pipeline.grid.open_rasters import OpenRasters

with OpenRasters() as opened:
    opened.window(Path(sys.argv[1]), slice(3, 9), slice(5, 25))
    print(get_gdal_config("GDAL_CACHEMAX"))
"""


def test_blocks_that_gdal_keeps_take_no_part_of_the_machines_memory(repository: Path, file):
    """In bytes, in a process of its own: GDAL asks once."""
    environment = {name: text for name, text in os.environ.items() if name != "GDAL_CACHEMAX"}
    found = subprocess.run(
        [sys.executable, "-c", _CACHE, str(file)],
        env=environment | {"PYTHONPATH": str(repository)},
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert int(found.stdout) == 256 * 2**20
