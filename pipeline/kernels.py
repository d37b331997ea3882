"""The one set of compiler options for every kernel, and where compiled kernels are kept.

No ``fastmath`` and no automatic parallelism: the same inputs give the same bytes on every machine and
for every thread count. ``nogil`` lets the block threads run side by side; NumPy's error model keeps
division by zero an infinity instead of an exception in a kernel.

Numba's cache looks at a kernel's own file only: after an edit of a kernel that others call, the callers would
keep the old machine code. The cache folder therefore carries the hash of all files with kernels.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numba
from numba import njit

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
