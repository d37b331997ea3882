"""Blocks of a grid on several threads: the only module of the package that knows dask."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import dask

Result = TypeVar("Result")
PROGRESS_EVERY_S = 5.0
# Blocks handed to the scheduler at a time, per thread: bounds what waits in memory for the consumer.
BATCH_PER_THREAD = 4


def block_slices(grid_shape: tuple[int, int], block_px: int | tuple[int, int]) -> list[tuple[slice, slice]]:
    """(rows, cols) of all blocks of a grid (height, width), row by row from the upper left."""
    block_height, block_width = (block_px, block_px) if isinstance(block_px, int) else block_px
    if block_height < 1 or block_width < 1:
        raise ValueError(f"block of {block_height} x {block_width} pixels")
    height, width = grid_shape
    return [
        (slice(row, min(row + block_height, height)), slice(col, min(col + block_width, width)))
        for row in range(0, height, block_height)
        for col in range(0, width, block_width)
    ]


def map_blocks(
    function: Callable[[slice, slice], Result],
    grid_shape: tuple[int, int],
    block_px: int | tuple[int, int],
    threads: int,
    *,
    name: str = "blocks",
) -> Iterator[tuple[slice, slice, Result]]:
    """Yield ``(rows, cols, function(rows, cols))`` for all blocks of a grid (height, width), row by row.

    At most ``4 * threads`` results exist at a time; order and results do not depend on ``threads``. An
    exception of ``function`` ends the iteration. ``name`` heads the progress line on stderr (at most one
    per 5 s).
    """
    blocks = block_slices(grid_shape, block_px)
    started_s = told_s = time.monotonic()
    with ThreadPoolExecutor(max_workers=threads) as pool:
        for first in range(0, len(blocks), BATCH_PER_THREAD * threads):
            batch = blocks[first : first + BATCH_PER_THREAD * threads]
            for (rows, cols), result in zip(batch, _compute(function, batch, threads, pool), strict=True):
                yield rows, cols, result
            now_s = time.monotonic()
            if now_s - told_s >= PROGRESS_EVERY_S:
                told_s = now_s
                _tell(name, first + len(batch), len(blocks), now_s - started_s)


def _compute(
    function: Callable[[slice, slice], Result],
    batch: list[tuple[slice, slice]],
    threads: int,
    pool: ThreadPoolExecutor,
) -> tuple[Result, ...]:
    if threads == 1:
        return tuple(function(rows, cols) for rows, cols in batch)
    # pure=False: a result is never looked up by the hash of its arguments.
    call = dask.delayed(function, pure=False, traverse=False)
    tasks = [call(rows, cols) for rows, cols in batch]
    results: tuple[Result, ...] = dask.compute(
        *tasks, scheduler="threads", num_workers=threads, pool=pool, optimize_graph=False
    )
    return results


def _tell(name: str, done: int, total: int, elapsed_s: float) -> None:
    left_s = elapsed_s * (total - done) / done
    print(f"{name}: {100 * done // total} %, about {left_s:.0f} s left", file=sys.stderr, flush=True)
