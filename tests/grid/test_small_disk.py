"""Files on a disk that has too little room: whole, or an error that names the file; nothing is cut off."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
from shapely import Point

from pipeline.files import copy_whole, disk_fault, write_together, write_whole
from pipeline.grid import raster
from pipeline.grid.geopackage import geopackage_bytes
from pipeline.grid.grid import Grid

GRID = Grid("EPSG:3794", 100.0, 400_000.0, 200_000.0, 700, 700)
VALUES = np.random.default_rng(1).integers(0, 255, GRID.shape).astype(np.uint8)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """Function that gives a disk of so many KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if shutil.which("mount") is None or os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")

    def mounted(size_kib: int) -> Path:
        if os.path.ismount(folder):
            subprocess.run(["umount", str(folder)], check=True, timeout=60)
        line = ["mount", "-t", "tmpfs", "-o", f"size={size_kib}k", "tmpfs", str(folder)]
        if subprocess.run(line, capture_output=True, timeout=60).returncode:
            pytest.skip("no right to mount")
        return folder

    yield mounted
    if os.path.ismount(folder):
        subprocess.run(["umount", "-l", str(folder)], check=True, timeout=60)


def write_raster(path: Path, *, publish: bool) -> None:
    layer = raster.make_array(VALUES, GRID, units="", long_name="x", nodata=None)
    raster.write(path, layer, tags={}, publish=publish)


@pytest.mark.parametrize("publish", [False, True])
def test_raster_is_whole_or_names_the_file_whatever_the_room(
    disk: Callable[[int], Path], tmp_path: Path, publish: bool
) -> None:
    """Room for all but the last tiles is the worst: they are written when the file is closed."""
    write_raster(tmp_path / "whole.tif", publish=publish)
    wanted = (tmp_path / "whole.tif").read_bytes()
    # Of the plain file first, and of the file to be published beside it.
    edges_kib = [len(wanted) // 1024, (len(wanted) + VALUES.size) // 1024, 1744]
    sizes_kib = sorted({8, 200, 900, 4000, *(edge + 4 * k for edge in edges_kib for k in range(-5, 4))})
    ends = []
    for size_kib in sizes_kib:
        path = disk(size_kib) / "layer.tif"
        refusal = None
        try:
            write_raster(path, publish=publish)
        except OSError as error:
            refusal = error.errno, error.filename
        if refusal is None:
            assert path.read_bytes() == wanted, size_kib
        else:
            assert refusal == (errno.ENOSPC, str(path)), size_kib
            assert list(path.parent.iterdir()) == [], size_kib
        ends.append("whole" if refusal is None else "refused")
    assert ends[0] == "refused"
    assert ends[-1] == "whole"
    assert ends == sorted(ends), "more room is never worse"


def test_failed_write_leaves_the_file_of_before(disk: Callable[[int], Path]) -> None:
    path = disk(400) / "layer.tif"
    path.write_bytes(b"before")
    with pytest.raises(OSError, match="No space left"):
        write_raster(path, publish=True)
    assert path.read_bytes() == b"before"


@pytest.mark.parametrize(
    "write",
    [
        lambda path: write_whole(path, bytes(100_000)),
        lambda path: write_together({path: bytes(100_000), path.with_name("other"): b""}),
        lambda path: copy_whole(Path(sys.executable), path),
    ],
    ids=["whole", "together", "copy"],
)
def test_file_of_python_is_named(disk: Callable[[int], Path], write: Callable[[Path], None]) -> None:
    path = disk(16) / "table.csv"
    with pytest.raises(OSError, match="No space left") as caught:
        write(path)
    assert (caught.value.filename2 or caught.value.filename) == str(path)
    assert list(path.parent.iterdir()) == []


def test_geopackage_without_room_for_temporary_files_names_them(
    disk: Callable[[int], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = disk(60)
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    points = gpd.GeoDataFrame({"name": ["a" * 100] * 999}, geometry=[Point(0, 0)] * 999, crs="EPSG:4326")
    with pytest.raises(OSError) as caught:
        geopackage_bytes({"sites": points}, {"sites": "Point"})
    assert str(caught.value.filename).startswith(str(folder))
    assert list(folder.iterdir()) == []


def test_fault_that_is_not_of_the_disk_is_what_the_library_said(tmp_path: Path) -> None:
    fault = disk_fault(tmp_path / "a.tif", "the tape is torn")
    assert (fault.errno, fault.strerror, fault.filename) == (
        errno.EIO,
        "the tape is torn",
        str(tmp_path / "a.tif"),
    )
    assert list(tmp_path.iterdir()) == []


def test_job_on_a_full_disk_is_one_line(
    repository: Path, tiny: Path, disk: Callable[[int], Path], tmp_path: Path
) -> None:
    line = [sys.executable, "-m", "pipeline", "job", "territory", "--config", "tiny.yaml"]
    line += ["--build", str(disk(24)), "--key", "a"]
    environment = os.environ | {"PYTHONPATH": str(repository)}
    done = subprocess.run(line, text=True, capture_output=True, env=environment, timeout=300)
    assert done.returncode == 1, done.stderr
    (said,) = [text for text in done.stderr.splitlines() if not text.startswith("_tiff")]  # of GDAL itself
    assert said.startswith(f"channelmaps: {tmp_path / 'disk'}/territory/")
    assert said.endswith(": No space left on device: the command has failed")
    assert [path for path in (tmp_path / "disk").rglob("*") if path.name.startswith(".")] == []
