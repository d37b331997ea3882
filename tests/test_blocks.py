"""Blocks: every pixel once, in order, the same for any number of threads, in bounded memory."""

from __future__ import annotations

import itertools
import threading
from types import SimpleNamespace

import numpy as np
import pytest

from pipeline import blocks
from pipeline.grid.grid import Grid
from pipeline.grid.open_rasters import OpenRasters
from pipeline.grid.raster import make_array, write

SHAPE = (1000, 703)


@pytest.mark.parametrize("block_px", [256, (100, 703), 5000, 1])
def test_blocks_cover_each_pixel_once(block_px):
    shape = (37, 23) if block_px == 1 else SHAPE
    seen = np.zeros(shape, dtype=int)
    for rows, cols in blocks.block_slices(shape, block_px):
        seen[rows, cols] += 1
    assert (seen == 1).all()


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_results_come_row_by_row_for_any_thread_count(threads):
    found = list(blocks.map_blocks(lambda r, c: (r.start, c.start), SHAPE, 128, threads))
    expected = [(r, c) for r in range(0, 1000, 128) for c in range(0, 703, 128)]
    assert [result for _, _, result in found] == expected
    assert [(rows.start, cols.start) for rows, cols, _ in found] == expected


def test_threads_run_side_by_side():
    barrier = threading.Barrier(2, timeout=20)
    results = list(blocks.map_blocks(lambda r, c: barrier.wait() >= 0, (2, 1), 1, 2))
    assert [result for _, _, result in results] == [True, True]


@pytest.mark.parametrize("threads", [1, 2])
def test_blocks_wait_for_the_consumer(threads):
    started = []
    for taken, _ in enumerate(blocks.map_blocks(lambda r, c: started.append(r), (1000, 1), 1, threads), 1):
        assert len(started) <= taken + blocks.BATCH_PER_THREAD * threads
        if taken == 50:
            break


def test_blocks_go_on_while_the_consumer_is_busy():
    ahead, busy_with = threading.Event(), 2 * blocks.BATCH_PER_THREAD
    computed = itertools.count(1)

    def compute(rows: slice, cols: slice) -> None:
        if next(computed) > busy_with:
            ahead.set()

    for taken, _ in enumerate(blocks.map_blocks(compute, (100, 1), 1, 2), 1):
        if taken == busy_with:
            assert ahead.wait(timeout=20)
            break


@pytest.mark.parametrize("threads", [1, 2])
def test_exception_in_a_block_reaches_the_caller(threads):
    def fail(rows: slice, cols: slice) -> None:
        if rows.start == 3:
            raise ValueError("block 3")

    with pytest.raises(ValueError, match="block 3"):
        list(blocks.map_blocks(fail, (10, 1), 1, threads))


def test_progress_names_the_stage_and_counts_up(capsys, monkeypatch):
    monkeypatch.setattr(blocks, "PROGRESS_EVERY_S", 0.0)
    list(blocks.map_blocks(lambda r, c: None, (16, 1), 1, 2, name="coverage 27"))
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert lines[0].startswith("coverage 27: 50 %, about ")
    assert lines[-1].startswith("coverage 27: 100 %")


@pytest.mark.parametrize(("block_s", "said"), [(0.07, []), (0.1, ["87 %"]), (0.2, ["50 %", "100 %"])])
def test_short_work_is_silent(capsys, monkeypatch, block_s, said):
    """By a clock of its own, on which each of 64 blocks takes so long: on a busy machine nothing is short.

    A line at most every 5 s, at the end of a batch of 4 times 2 blocks: after 56 blocks of 0.1 s (5.6 s), 32
    of 0.2 s (6.4 s).
    """
    clock = itertools.count()
    monkeypatch.setattr(blocks, "time", SimpleNamespace(monotonic=lambda: block_s * next(clock)))
    list(blocks.map_blocks(lambda r, c: None, (64, 1), 1, 2))
    assert [line.split(", ")[0] for line in capsys.readouterr().err.splitlines()] == [
        f"blocks: {share}" for share in said
    ]


def test_empty_block_is_a_fault():
    with pytest.raises(ValueError, match="block of 0"):
        blocks.block_slices(SHAPE, 0)


def test_a_worker_reads_the_files_as_they_are_at_each_call(tmp_path):
    """The same function of a later run, of the same bytes: its maps have been replaced meanwhile."""
    path, grid, opened = tmp_path / "map.tif", Grid("EPSG:3794", 100.0, 0.0, 0.0, 2, 2), OpenRasters()

    def first_pixel(rows: slice) -> float:
        return float(opened.window(path, rows, slice(0, 2))[0, 0, 0])

    packed, found = blocks.packed(first_pixel), []
    for run in (1.0, 2.0):
        values = make_array(np.full((2, 2), run), grid, units="", long_name="map", nodata=None)
        write(path, values, tags={}, publish=False)
        found += [blocks._call(blocks.workplace(), f"run {run}", packed, slice(0, 2)) for _ in range(2)]
    assert found == [1.0, 1.0, 2.0, 2.0]
