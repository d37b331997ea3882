"""The one set of compiler options for every kernel.

No ``fastmath`` and no automatic parallelism: the same inputs give the same bytes on every machine and
for every thread count. ``nogil`` lets the block threads run side by side; NumPy's error model keeps
division by zero an infinity instead of an exception in a kernel.
"""

from __future__ import annotations

from numba import njit

kernel = njit(cache=True, nogil=True, error_model="numpy")
inlined = njit(cache=True, nogil=True, error_model="numpy", inline="always")
