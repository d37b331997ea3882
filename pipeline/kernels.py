"""The one set of compiler options for every kernel, and where compiled kernels are kept.

No ``fastmath`` and no automatic parallelism: the same inputs give the same bytes on every machine and
for every thread count. ``nogil`` lets the block threads run side by side; NumPy's error model keeps
division by zero an infinity instead of an exception in a kernel.

Numba's cache looks at a kernel's own file only: after an edit of a kernel that others call, the callers would
keep the old machine code. The cache folder therefore carries the hash of all files with kernels.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np

# Numba looks whether kernels may have matrix products, of which none has any: 0.4 s to load SciPy's.
_SCIPY = "scipy"
if _SCIPY not in sys.modules:
    sys.modules[_SCIPY] = None  # type: ignore[assignment]
import numba  # noqa: E402
import numba.np.arraymath  # noqa: E402
from numba import njit  # noqa: E402

if sys.modules[_SCIPY] is None:
    del sys.modules[_SCIPY]

_Function = TypeVar("_Function", bound=Callable[..., object])

_PACKAGE = Path(__file__).resolve().parent


def kernels_hash() -> str:
    """Hash of all sources of the package that hold kernels."""
    digest = hashlib.sha256()
    for path in sorted(_PACKAGE.rglob("*.py")):
        content = path.read_bytes()
        if b"pipeline.kernels" in content:
            digest.update(content)
    return digest.hexdigest()[:16]


def keep_kernels_apart() -> None:
    """Cache compiled kernels by the state of their sources, unless NUMBA_CACHE_DIR names a place."""
    settings = numba.config
    if not getattr(settings, "CACHE_DIR", ""):
        settings.CACHE_DIR = str(_PACKAGE / "__pycache__" / f"kernels-{kernels_hash()}")  # type: ignore[attr-defined]


keep_kernels_apart()

kernel = njit(cache=True, nogil=True, error_model="numpy")
# For functions of some nanoseconds that only read and write the arrays they are given: the holders of these
# arrays are not counted at each call, which takes longer than the work itself, and the code stands in the
# callers. They must not make arrays (refused) nor return them.
borrowing = njit(  # type: ignore[call-overload]
    cache=True, nogil=True, error_model="numpy", _nrt=False, forceinline=True
)
inlined = njit(cache=True, nogil=True, error_model="numpy", inline="always")


def constant(value: int) -> int:
    """A whole number that kernels are given: for each plain one a kernel would be compiled apart."""
    return np.int64(value)  # type: ignore[return-value]


def inner(function: _Function, **options: bool) -> _Function:
    """A kernel that kernels call: compiled without a way in from Python.

    To unpack the tuples of a channel's inputs takes longer to compile than most kernels that take them. Where
    Python calls all the same (tests do), a way in is made in that process and not cached.
    """
    compiled: Any = njit(  # type: ignore[call-overload]
        cache=True, nogil=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True, **options
    )(function)
    # The entry that numba would take for the way in is a null pointer, so it must not come to know any.
    compiled._insert = lambda *_, **__: None
    way_in = njit(nogil=True, error_model="numpy", **options)(  # type: ignore[call-overload]
        lambda *values: compiled(*values)
    )
    compiled._compile_for_args = lambda *_: way_in
    return cast("_Function", compiled)


def lent(function: _Function) -> _Function:
    """An ``inner`` kernel that makes no arrays, as a ``borrowing`` one; too long to stand in its callers."""
    return inner(function, _nrt=False)
