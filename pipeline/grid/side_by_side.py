"""Files of the project that are written side by side, each in a thread of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from threading import Semaphore
from typing import Any

from numpy.typing import NDArray

_Put = Callable[[slice, slice, NDArray[Any]], None]


@contextmanager
def each_in_its_thread(
    files: Sequence[AbstractContextManager[_Put]], threads: int
) -> Iterator[list[Callable[..., Future[None]]]]:
    """Functions that write parts of files, each in a thread of its own; ``threads`` are finished at a time.

    Overviews and the copy that is published take longer than the parts. A file is finished in the thread in
    which it was opened, since GDAL's settings are those of a thread.
    """
    turns = Semaphore(threads)
    with ExitStack() as pools:
        opened = list[tuple[ThreadPoolExecutor, AbstractContextManager[_Put]]]()

        def leave(file: AbstractContextManager[_Put], fault: BaseException | None) -> None:
            with turns:
                if fault is None:
                    file.__exit__(None, None, None)
                else:
                    file.__exit__(type(fault), fault, fault.__traceback__)

        def leave_all(fault: BaseException | None) -> None:
            for job in [pool.submit(leave, file, fault) for pool, file in opened]:
                job.result()

        try:
            puts = []
            for file in files:
                pool = pools.enter_context(ThreadPoolExecutor(1))
                puts.append(_put_by(pool, pool.submit(file.__enter__).result()))
                opened.append((pool, file))
            yield puts
        except BaseException as fault:
            leave_all(fault)
            raise
        leave_all(None)


def put_each(
    puts: Iterable[Callable[..., Future[None]]], rows: slice, cols: slice, values: Iterable[NDArray[Any]]
) -> None:
    """Write one part of each file, ``values`` in their order; done when all of them are."""
    for written in [put(rows, cols, own) for put, own in zip(puts, values, strict=True)]:
        written.result()


def _put_by(pool: ThreadPoolExecutor, put: _Put) -> Callable[..., Future[None]]:
    """The same function in the thread of a pool."""
    return lambda rows, cols, values: pool.submit(put, rows, cols, values)
