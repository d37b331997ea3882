"""A published run of made-up levels on land of 200 m with a ridge of 400 m along 14.15 E."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

from tests.published import publish
from tests.tiny import CONFIG, STATIONS, write_register

# Elevations every 0.001 degrees from 13.85 E, 46.3 N; the ridge from 14.15 to 14.16 E.
_ROWS, _COLS, _WEST_DEG, _NORTH_DEG, _STEP_DEG, _RIDGE = 400, 700, 13.85, 46.3, 0.001, slice(300, 310)


@pytest.fixture(scope="module")
def ridge_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of the run, in which the tests of a module work."""
    folder = tmp_path_factory.mktemp("ridge")
    before = Path.cwd()
    os.chdir(folder)
    try:
        heights = np.full((_ROWS, _COLS), 200.0, np.float32)
        heights[:, _RIDGE] = 400.0
        with rasterio.open(
            "dem.tif", "w", driver="GTiff", height=_ROWS, width=_COLS, count=1, dtype="float32",
            crs="EPSG:4326", transform=from_origin(_WEST_DEG, _NORTH_DEG, _STEP_DEG, _STEP_DEG),
        ) as sink:  # fmt: skip
            sink.write(heights, 1)
        write_register(folder / "register.csv", STATIONS)
        text = CONFIG.replace("registers:", "terrain: {dem: [dem.tif]}\nregisters:", 1)
        (folder / "tiny.yaml").write_text(text, encoding="utf-8")
        publish(folder / "tiny.yaml")
        yield folder
    finally:
        os.chdir(before)
