"""Levels as integers of a fixed step, and back; thresholds are compared before this, never after."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

Rounding = Literal["floor", "nearest", "ceil"]
NODATA_CENTI = -32768
# Codes among levels of 0.01 dBm; a minimum over pixels keeps them, as all levels are higher.
NOT_PERMITTED = -9999
NOT_EVALUATED = -9998
# In rasters of slices of a run's period: what holds without bookings.
AS_BASE = -32767


def to_step(
    values: ArrayLike, step: float, dtype: str, nodata: int, rounding: Rounding = "nearest"
) -> NDArray[Any]:
    """Integers n so that n x ``step`` stands for ``values`` (any shape); NaN -> ``nodata``, excess clipped.

    ``floor`` and ``ceil`` first forgive the noise of the arithmetic, else a limit of 33.96 dBm that was
    computed as 33.96 - 1e-13 would be published as 33.95: float64 by 1e-9 (unit of the values), float32 by
    one unit in the last place of the value. Nothing beyond that noise is ever rounded to the unprotected
    side.
    """
    given = np.asarray(values)
    if np.isnan(given).all():  # most blocks of a territory at the sea
        return np.full(given.shape, nodata, dtype)
    exact = given.astype(np.float64)
    if rounding == "floor":
        raw = np.floor((exact + _noise(given)) / step)
    elif rounding == "ceil":
        raw = np.ceil((exact - _noise(given)) / step)
    else:
        raw = np.rint(exact / step)
    limits = np.iinfo(dtype)
    low = limits.min + 1 if nodata == limits.min else limits.min
    high = limits.max - 1 if nodata == limits.max else limits.max
    return np.where(np.isnan(exact), nodata, np.clip(raw, low, high)).astype(dtype)


def _noise(given: NDArray[Any]) -> NDArray[np.float64]:
    """What arithmetic may have added to values or taken from them; 0 where they are not finite."""
    noise = np.abs(np.spacing(given)).astype(np.float64) if given.dtype == np.float32 else 1e-9
    return np.where(np.isfinite(given), noise, 0.0)


def to_centi(values: ArrayLike, rounding: Rounding = "nearest") -> NDArray[np.int16]:
    """Levels in dB as int16 of 0.01 dB, NaN = -32768 (:func:`to_step`); maximum e.i.r.p. with ``floor``."""
    return to_step(values, 0.01, "int16", NODATA_CENTI, rounding)


def to_float32(values: ArrayLike, rounding: Literal["floor", "ceil"]) -> NDArray[np.float32]:
    """Nearest float32 values that are not above (``floor``) or not below (``ceil``) the given ones."""
    exact = np.asarray(values, dtype=np.float64)
    rounded = exact.astype(np.float32)
    wrong = rounded > exact if rounding == "floor" else rounded < exact
    towards = np.float32(-np.inf if rounding == "floor" else np.inf)
    return np.where(wrong, np.nextafter(rounded, towards), rounded)


def from_raw(data: xr.DataArray) -> xr.DataArray:
    """Float64 values of a raw array: nodata as NaN, ``scale_factor`` applied."""
    nodata, scale = data.attrs.get("nodata"), data.attrs.get("scale_factor", 1.0)
    values = data.astype(np.float64)
    if nodata is not None:
        values = values.where(data != nodata)
    result = values * scale
    result.attrs = {k: v for k, v in data.attrs.items() if k not in {"nodata", "scale_factor"}}
    return result
