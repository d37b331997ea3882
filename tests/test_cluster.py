"""Blocks on a Dask cluster: as on threads, also when a worker is lost, and never by other code."""

from __future__ import annotations

import os
import pickle
import signal
from collections.abc import Iterator
from pathlib import Path

import dask
import numpy as np
import pytest

from pipeline import blocks
from pipeline.cli.main import main
from pipeline.coverage.tiles import compute_block
from pipeline.errors import InputError
from pipeline.workflow.run import RunOptions, run_command
from tests.dask_cluster import dask_cluster

pytest.importorskip("distributed")

SHAPE = (100, 70)
PLACES = [(r, c) for r in range(0, 100, 16) for c in range(0, 70, 16)]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with dask_cluster(Path.cwd(), tmp_path_factory.mktemp("dask")) as running:
        yield running


@pytest.fixture
def cluster(address: str) -> Iterator[str]:
    with dask.config.set({"scheduler-address": address}):
        yield address


def test_blocks_of_a_cluster_come_in_order_with_their_parts(cluster: str) -> None:
    raster = np.arange(7000.0).reshape(SHAPE)
    shift = np.float64(0.5)

    def block(rows: slice, cols: slice, part: np.ndarray, nothing: None) -> tuple[int, np.ndarray]:
        assert nothing is None
        return os.getpid(), part + shift

    found = list(blocks.map_blocks(block, SHAPE, 16, 1, cut=(raster, None)))
    assert [(rows.start, cols.start) for rows, cols, _ in found] == PLACES
    for rows, cols, (_, part) in found:
        np.testing.assert_array_equal(part, raster[rows, cols] + 0.5)
    workers = {pid for _, _, (pid, _) in found}
    assert os.getpid() not in workers
    assert len(workers) > 1


def test_blocks_of_a_lost_worker_are_computed_by_others(cluster: str, tmp_path: Path) -> None:
    def block(rows: slice, cols: slice) -> tuple[int, int]:
        lost = tmp_path / "lost"
        if (rows.start, cols.start) == (48, 32) and not lost.exists():
            lost.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return rows.start, cols.start

    found = [result for _, _, result in blocks.map_blocks(block, SHAPE, 16, 1)]
    assert (tmp_path / "lost").exists()
    assert found == PLACES


def test_exception_on_a_worker_reaches_the_caller(cluster: str) -> None:
    def fail(rows: slice, cols: slice) -> None:
        if rows.start == 3:
            raise InputError("block 3")

    with pytest.raises(InputError, match="block 3"):
        list(blocks.map_blocks(fail, (10, 1), 1, 1))


def test_kernels_are_sent_by_name() -> None:
    closed_over = np.zeros(3)
    kernel, values = pickle.loads(blocks.packed(lambda: (compute_block, closed_over)))()
    assert kernel is compute_block
    assert values.flags.writeable


def test_workers_with_other_code_are_refused(cluster: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert 0 < blocks.check_cluster(cluster) <= 3  # one that was lost may not be back yet
    monkeypatch.setattr(blocks, "_code_hash", lambda: "of another checkout")
    with pytest.raises(RuntimeError, match="other code or other packages"):
        blocks.check_cluster(cluster)
    with pytest.raises(RuntimeError, match="other code or other packages"):
        list(blocks.map_blocks(lambda r, c: None, (2, 1), 1, 1))


def test_workers_in_another_folder_are_refused(
    cluster: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RuntimeError, match="both need the same folder"):
        blocks.check_cluster(cluster)


def test_scheduler_without_workers_is_refused(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    refused = pytest.raises(InputError, match=r"--dask-address.*has no workers")
    with dask_cluster(tiny.parent, tmp_path_factory.mktemp("empty"), workers=0) as empty, refused:
        run_command(tiny, RunOptions(dask_address=empty))
    assert not (tiny.parent / "build").exists()


def test_address_without_a_scheduler_is_refused(
    tiny: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(blocks, "CONNECT_S", 0.5)
    monkeypatch.setattr("sys.argv", ["channelmaps", "run", str(tiny), "--dask-address", "tcp://127.0.0.1:9"])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    assert "--dask-address" in capsys.readouterr().err.splitlines()[-1]
    assert not (tiny.parent / "build").exists()
