"""The comparison of two runs: every aspect in which two rasters can differ is found, the hash is none."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.enums import ColorInterp, Resampling

from tests.compare_runs import differences

ROWS, COLS = 40, 30
PLACE = Affine(200.0, 0.0, 424_000.0, 0.0, -200.0, 118_000.0)


def write(folder: Path, name: str = "public/map.tif", **changed: Any) -> Path:
    """A raster of two bands with everything that a published one has, one thing changed."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.arange(2 * ROWS * COLS, dtype=changed.get("dtype", "int16")).reshape(2, ROWS, COLS)
    profile = {
        "driver": "GTiff",
        "crs": changed.get("crs", "EPSG:3794"),
        "transform": changed.get("transform", PLACE),
        "nodata": changed.get("nodata", -32768),
        "compress": changed.get("compress", "deflate"),
        "count": 2,
        "height": ROWS,
        "width": COLS,
        "dtype": values.dtype,
    }
    with rasterio.open(path, "w", **profile) as target:
        if "pixel" in changed:
            values[changed["pixel"]] += 1
        target.write(values)
        target.descriptions = changed.get("descriptions", ("channel 21", "channel 22"))
        target.units = changed.get("units", ("dBm", "dBm"))
        target.scales = changed.get("scales", (0.01, 0.01))
        target.offsets = changed.get("offsets", (0.0, 0.0))
        target.update_tags(**({"model": "p1546", "hash": "0123"} | changed.get("tags", {})))
        target.update_tags(2, **changed.get("band_tags", {}))
        if "colour" in changed:
            target.colorinterp = [changed["colour"], ColorInterp.undefined]
    with rasterio.open(path, "r+") as target:
        target.build_overviews(changed.get("overviews", [2]), changed.get("resampling", Resampling.nearest))
    return folder


def found(tmp_path: Path, **changed: Any) -> list[str]:
    return list(differences(write(tmp_path / "a"), write(tmp_path / "b", **changed)))


def test_equal_runs_do_not_differ(tmp_path: Path) -> None:
    assert not found(tmp_path)


def test_hash_may_differ(tmp_path: Path) -> None:
    assert not found(tmp_path, tags={"hash": "4567"})


@pytest.mark.parametrize(
    ("changed", "aspect"),
    [
        ({"pixel": (1, 7, 5)}, "band 2: 1 pixels differ, the first in row 7, column 5"),
        ({"crs": "EPSG:3035"}, "CRS"),
        ({"transform": PLACE @ Affine.translation(0.5, 0.0)}, "transform"),
        ({"dtype": "int32"}, "types"),
        ({"nodata": -9999}, "nodata"),
        ({"descriptions": ("channel 21", "channel 23")}, "descriptions"),
        ({"units": ("dBm", "dBW")}, "units"),
        ({"scales": (0.01, 0.1)}, "scales"),
        ({"offsets": (0.0, 1.0)}, "offsets"),
        ({"colour": ColorInterp.red}, "colours"),
        ({"tags": {"model": "fcc"}}, "tags"),
        ({"tags": {"categories": "0=none"}}, "tags"),
        ({"band_tags": {"source": "x"}}, "tags of bands"),
        ({"compress": "lzw"}, "storage"),
        ({"overviews": [2, 4]}, "overviews"),
        ({"resampling": Resampling.average}, "overview 0: band 1"),
    ],
)
def test_every_aspect_is_found(tmp_path: Path, changed: dict[str, Any], aspect: str) -> None:
    lines = found(tmp_path, **changed)
    assert any(line.startswith(f"public/map.tif: {aspect}") for line in lines), lines


def test_files_of_one_run_only_are_listed(tmp_path: Path) -> None:
    first = write(write(tmp_path / "a"), "public/old.tif")
    second = write(write(tmp_path / "b"), "public/new.tif")
    assert list(differences(first, second)) == [
        f"public/old.tif: only in {first}",
        f"public/new.tif: only in {second}",
    ]


def test_other_files_count_if_asked_for(tmp_path: Path) -> None:
    first, second = write(tmp_path / "a"), write(tmp_path / "b")
    for run in (first, second):
        for name in ("public/statistics.csv", "manifest.json"):
            (run / name).write_text(run.name)
    assert not list(differences(first, second))
    assert list(differences(first, second, everything=True)) == ["public/statistics.csv: bytes differ"]


@pytest.mark.parametrize(("changed", "code"), [({}, 0), ({"pixel": (0, 0, 0)}, 1)])
def test_exit_code_tells_a_difference(tmp_path: Path, changed: dict[str, Any], code: int) -> None:
    runs = [str(write(tmp_path / "a")), str(write(tmp_path / "b", **changed))]
    script = Path(__file__).with_name("compare_runs.py")
    assert subprocess.run([sys.executable, script, *runs], capture_output=True).returncode == code
