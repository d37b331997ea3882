"""Blocks of a grid, on the threads of this job or on a Dask cluster: the only module that knows dask.

A cluster is one that dask itself is told of (``DASK_SCHEDULER_ADDRESS``, which ``channelmaps run
--dask-address`` sets). Its workers run the same code in the same folder, see ``docs/dask.md``.
"""

from __future__ import annotations

import io
import os
import pickle
import sys
import threading
import time
import warnings
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, lru_cache
from importlib import import_module
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar
from uuid import uuid4

import cloudpickle
import numpy as np
from numpy.typing import NDArray

from pipeline.errors import InputError
from pipeline.hashing import COMPUTING, json_hash, package_hash

if TYPE_CHECKING:
    from distributed import Client, Future

Result = TypeVar("Result")
Other = TypeVar("Other")
Slices = tuple[slice, slice]
PROGRESS_EVERY_S = 5.0
# Blocks handed to the scheduler at a time, per thread: bounds what waits in memory for the consumer.
BATCH_PER_THREAD = 4
CONNECT_S = 30
SCHEDULER_VARIABLE = "DASK_SCHEDULER_ADDRESS"


def block_slices(grid_shape: tuple[int, int], block_px: int | tuple[int, int]) -> list[Slices]:
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


def tiles_in_order(
    parts: Iterable[tuple[slice, slice, NDArray[Any]]], grid_shape: tuple[int, int], tile_px: int
) -> Iterator[tuple[slice, slice, NDArray[Any]]]:
    """The square tiles of parts (rows, columns, values[..., y, x]), row by row whatever parts they come in.

    A tile waits for those before it; parts that are no whole tiles do not.
    """
    height, width = grid_shape
    waiting: dict[tuple[int, int], tuple[slice, slice, NDArray[Any]]] = {}
    turn = (0, 0)
    for rows, cols, values in parts:
        if any(
            s.start % tile_px or (s.stop % tile_px and s.stop != n)
            for s, n in ((rows, height), (cols, width))
        ):
            yield rows, cols, values
            continue
        for y, x in block_slices(values.shape[-2:], tile_px):
            place = (
                slice(rows.start + y.start, rows.start + y.stop),
                slice(cols.start + x.start, cols.start + x.stop),
            )
            waiting[place[0].start, place[1].start] = (*place, values[..., y, x])
        while turn in waiting:
            yield waiting.pop(turn)
            top, left = turn
            turn = (top, left + tile_px) if left + tile_px < width else (top + tile_px, 0)
    yield from (waiting[place] for place in sorted(waiting))


def map_blocks(
    function: Callable[..., Result],
    grid_shape: tuple[int, int],
    block_px: int | tuple[int, int],
    threads: int,
    *,
    cut: Sequence[NDArray[Any] | None] = (),
    name: str = "blocks",
) -> Iterator[tuple[slice, slice, Result]]:
    """Yield ``(rows, cols, function(rows, cols, *parts))`` for the blocks of a grid (height, width), by rows.

    ``parts`` are contiguous arrays, the block's part of each raster [..., y, x] in ``cut`` (None stays None).
    ``function`` returns what it computes and writes to nothing else: it may run in another process, and twice
    if a worker is lost. At most ``4 * threads`` results exist at a time (``threads`` of the cluster, if there
    is one); order and results do not depend on them. An exception of ``function`` ends the iteration.
    ``name`` heads the progress line on stderr (at most one per 5 s).
    """
    blocks = block_slices(grid_shape, block_px)
    tasks = ((rows, cols, *(_part(raster, rows, cols) for raster in cut)) for rows, cols in blocks)
    results = spread(function, tasks, len(blocks), threads, name=name)
    for (rows, cols), result in zip(blocks, results, strict=True):
        yield rows, cols, result


def spread(
    function: Callable[..., Result],
    tasks: Iterable[tuple[Any, ...]],
    number: int,
    threads: int,
    *,
    name: str = "tasks",
) -> Iterator[Result]:
    """Yield ``function(*task)`` of a ``number`` of tasks in their order, as ``map_blocks`` does of blocks."""
    address = os.environ.get(SCHEDULER_VARIABLE)
    results = _on_cluster(function, tasks, address) if address else on_threads(function, tasks, threads)
    started_s = told_s = time.monotonic()
    for done, result in enumerate(results, 1):
        yield result
        whole_batch = done % (BATCH_PER_THREAD * threads) == 0 or done == number
        now_s = time.monotonic()
        if whole_batch and now_s - told_s >= PROGRESS_EVERY_S:
            told_s = now_s
            _tell(name, done, number, now_s - started_s)


def threads_within(threads: int) -> int:
    """Threads that a task may use itself: all where one follows another, one where they share a cluster."""
    return 1 if SCHEDULER_VARIABLE in os.environ else threads


def _part(raster: NDArray[Any] | None, rows: slice, cols: slice) -> NDArray[Any] | None:
    return None if raster is None else np.ascontiguousarray(raster[..., rows, cols])


def _tell(name: str, done: int, total: int, elapsed_s: float) -> None:
    left_s = elapsed_s * (total - done) / done
    print(f"{name}: {100 * done // total} %, about {left_s:.0f} s left", file=sys.stderr, flush=True)


class ReadOnce(Generic[Result]):
    """What tasks read and hold in common, from files: on a worker of a cluster read there and not sent."""

    def __init__(self, read: Callable[..., Result]) -> None:
        """``read`` of values that tell what is wanted; the last that was read is held."""
        self._read, self._held = read, lru_cache(maxsize=1)(read)

    def __reduce__(self) -> tuple[type[ReadOnce[Result]], tuple[Callable[..., Result]]]:
        """In another process nothing is read yet."""
        return ReadOnce, (self._read,)

    def __call__(self, *wanted: Hashable) -> Result:
        """What is wanted, as it was read before or is now."""
        return self._held(*wanted)


# --- threads ------------------------------------------------------------------------------------------------


def on_threads(
    function: Callable[..., Result], tasks: Iterable[tuple[Any, ...]], threads: int
) -> Iterator[Result]:
    """function(*task) of all tasks, in their order; at most ``4 * threads`` results exist at a time.

    Threads go on while the consumer works on what it got.
    """
    if threads == 1:
        yield from (function(*task) for task in tasks)
        return
    left = iter(tasks)
    with ThreadPoolExecutor(max_workers=threads) as pool:
        waiting = deque(pool.submit(function, *task) for task in islice(left, BATCH_PER_THREAD * threads - 1))
        while waiting:
            result = waiting.popleft().result()
            waiting.extend(pool.submit(function, *task) for task in islice(left, 1))
            yield result


def beside(one: Callable[[], Result], other: Callable[[], Other], threads: int) -> tuple[Result, Other]:
    """Results of two functions that know nothing of each other, at the same time if there are threads."""
    if threads == 1:
        return one(), other()
    with ThreadPoolExecutor(max_workers=1) as pool:
        waiting = pool.submit(other)
        return one(), waiting.result()


def without_dask() -> None:
    """Keep xarray from loading ``dask`` in this process: 0.4 s to find that an array is none of dask's.

    Nothing here makes such arrays. Not where blocks go to a cluster, whose client needs it, nor where xarray
    is loaded already and has seen that there is one.
    """
    if SCHEDULER_VARIABLE not in os.environ and "xarray" not in sys.modules:
        sys.modules.setdefault("dask", None)  # type: ignore[arg-type]


# --- cluster ------------------------------------------------------------------------------------------------


class TlsFiles(NamedTuple):
    """What this side of an encrypted connection shows and trusts, PEM: authorities, certificate, key."""

    ca: Path
    cert: Path
    key: Path


# The settings of dask, in the order of ``TlsFiles``; it takes them from variables of the environment, too.
_TLS_KEYS = tuple(f"distributed.comm.tls.{name}" for name in ("ca-file", "client.cert", "client.key"))


def tls_configured() -> TlsFiles | None:
    """The files that dask itself is told of (configuration, environment); None if not all three."""
    from dask import config

    found = [config.get(key, None) for key in _TLS_KEYS]
    return TlsFiles(*map(Path, found)) if all(found) else None


def tls_variables(files: TlsFiles) -> dict[str, str]:
    """Variables of the environment by which a process that is started uses the files."""
    names = (f"DASK_{key.replace('.', '__').replace('-', '_').upper()}" for key in _TLS_KEYS)
    return dict(zip(names, map(str, files), strict=True))


def check_cluster(address: str, tls: TlsFiles | None = None) -> int:
    """Number of threads of a scheduler's workers, all of which would compute what this process computes.

    Raises OSError where no scheduler answers, RuntimeError where it has no workers or one of them runs other
    code or runs in another folder.
    """
    from dask import config
    from distributed import Client

    settings = dict(zip(_TLS_KEYS, map(str, tls), strict=True)) if tls else {}
    with config.set(settings), Client(address, timeout=CONNECT_S) as client:
        places = client.run(workplace)
        if not places:
            raise RuntimeError(f"the scheduler at {address} has no workers")
        for worker, place in places.items():
            _check_same(workplace(), place, f"worker {worker}")
        return sum(client.nthreads().values())


def _on_cluster(
    function: Callable[..., Result], tasks: Iterable[tuple[Any, ...]], address: str
) -> Iterator[Result]:
    """The same on the workers of a scheduler; the blocks of a worker that is lost are computed by others."""
    waiting: deque[Future] = deque()
    with _client(address) as client:
        shared = _share(client, function)
        at_once = BATCH_PER_THREAD * max(sum(client.nthreads().values()), 1)
        # Files that a function has opened are those of its own call: by the next they may have been replaced.
        here, call = workplace(), uuid4().hex
        for task in tasks:
            waiting.append(_submitted(client, _call, here, call, shared, *task))
            if len(waiting) >= at_once:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _client(address: str) -> Client:
    """A connection to the scheduler of this process; InputError where there is none to be had."""
    try:
        from distributed import Client

        # Results would else pass through the scheduler, which packs each of them again.
        return Client(address, timeout=CONNECT_S, direct_to_workers=True)
    except (ImportError, OSError, TypeError, ValueError) as error:
        raise InputError(
            f"no connection ({' '.join(str(error).split()) or type(error).__name__})",
            field=SCHEDULER_VARIABLE,
            value=address,
            allowed="a scheduler with workers, see docs/dask.md",
        ) from None


def _share(client: Client, function: Callable[..., object]) -> Future:
    """The function with all that it holds, once for each worker.

    As the result of a task and not as data sent once (``scatter``): the scheduler has it made anew when the
    workers that held it are lost.
    """
    return _submitted(client, bytes, packed(function))


def _submitted(client: Client, function: Callable[..., object], *task: object) -> Future:
    """A task, whether its parts are large or not."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sending large graph", category=UserWarning)
        return client.submit(function, *task, pure=False)


class _Pickler(cloudpickle.Pickler):
    """Kernels go by their name: each worker would compile anew what goes by its code."""

    def reducer_override(self, obj: Any) -> Any:  # noqa: ANN401 as in the library
        # Answers at a point read rasters by blocks too, where no compiler is installed or wanted.
        from numba.extending import is_jitted

        if is_jitted(obj):
            return _kernel_named, (obj.py_func.__module__, obj.py_func.__name__)
        return super().reducer_override(obj)


def packed(function: Callable[..., object]) -> bytes:
    """A function with all that it holds, closures included, for ``pickle.loads``."""
    with io.BytesIO() as stream:
        _Pickler(stream).dump(function)
        return stream.getvalue()


def _kernel_named(module: str, name: str) -> Any:  # noqa: ANN401 whatever has this name
    return getattr(import_module(module), name)


def _call(expected: tuple[str, str], call: str, function: bytes, *task: object) -> Any:  # noqa: ANN401 its result
    """On a worker: one block."""
    _check_same(expected, workplace(), "this worker")
    return _unpacked(call, function)(*task)


@lru_cache(maxsize=4)
def _unpacked(_call: str, function: bytes) -> Callable[..., Any]:
    """Unpacked once for all blocks of a call; the functions of a few jobs at a time."""
    return pickle.loads(function)


def workplace() -> tuple[str, str]:
    """What decides the bytes of a block: code and packages (a hash), and where relative paths start."""
    return _code_hash(), str(Path.cwd())


@cache
def _code_hash() -> str:
    packages = [(name, version(name)) for name in sorted(COMPUTING)]
    return json_hash([package_hash(), sys.version_info[:3], packages])


def _check_same(expected: tuple[str, str], found: tuple[str, str], who: str) -> None:
    if found[0] != expected[0]:
        raise RuntimeError(f"{who} has other code or other packages than this run")
    if found[1] != expected[1]:
        raise RuntimeError(f"{who} runs in {found[1]}, this run in {expected[1]}: both need the same folder")


class WindowArrays:
    """Arrays of windows, made once in each thread for the largest."""

    def __init__(self) -> None:
        self._own = threading.local()

    def __reduce__(self) -> tuple[type[WindowArrays], tuple[()]]:
        return WindowArrays, ()

    def of(self, name: str, dtype: type[np.generic], shape: tuple[int, int]) -> Any:  # noqa: ANN401 of the dtype
        """Contiguous, of any content."""
        size, flat = shape[0] * shape[1], self._own.__dict__
        if name not in flat or flat[name].size < size:
            flat[name] = np.empty(size, dtype)
        return flat[name][:size].reshape(shape)
