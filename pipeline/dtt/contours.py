"""The protected contour of a transmitter: where F(50,90) = 2 F(50,50) - F(50,10) falls to a field.

F(L,T) is exceeded at L % of locations for T % of the time. The fields are those of P.1546-6 over land with
the effective height of each azimuth (HAAT without a terrain model), not those of the FCC's curves, of which
no numbers are at hand.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from pipeline.kernels import kernel
from pipeline.propagation.p1546.curves import load_curves
from pipeline.propagation.p1546.pixel import PreparedCurves, flat_path_field_dbuvm, prepare
from pipeline.rows.row_models import NumberCell, SourcedRow, read_rows, row_problem

_QUANTITIES = {"field_dbuvm": (0.0, 120.0), "dipole_mhz": (30.0, 4000.0), "least_height_m": (-100.0, 1000.0)}
_Frequency = Annotated[NumberCell, Field(ge=30, le=4000, description="30 to 4000 MHz")]
_MEDIAN_PCT, _TENTH_PCT = 50.0, 10.0
_NEAREST_KM, _FARTHEST_KM, _NODES = 0.1, 500.0, 150
_HALVINGS = 25


class ContourRow(SourcedRow):
    """One number on the contours of a system between two frequencies."""

    system: str
    from_mhz: _Frequency
    to_mhz: _Frequency
    quantity: Annotated[
        Literal["field_dbuvm", "dipole_mhz", "least_height_m"], Field(description=", ".join(_QUANTITIES))
    ]
    value: NumberCell

    @model_validator(mode="after")
    def _in_range(self) -> ContourRow:
        low, high = _QUANTITIES[self.quantity]
        if not low <= self.value <= high:
            raise row_problem("value", "value is not allowed", f"a number from {low:g} to {high:g}")
        return self


class ProtectedContour(NamedTuple):
    """Field of the contour at a frequency, and the least antenna height that counts."""

    field_dbuvm: float
    least_height_m: float


def read_contours(path: Path) -> list[ContourRow]:
    """All rows of a table of contours; a line that is wrong is refused."""
    return read_rows(path, ContourRow)


def contour_of(rows: Sequence[ContourRow], system: str, f_mhz: float) -> ProtectedContour | None:
    """Contour of a system at a frequency, less the dipole factor 20 log10(f0/f) if one is given."""
    found = {
        row.quantity: row.value for row in rows if row.system == system and row.from_mhz <= f_mhz < row.to_mhz
    }
    if "field_dbuvm" not in found:
        return None
    reference_mhz = found.get("dipole_mhz", f_mhz)
    field_dbuvm = found["field_dbuvm"] - 20.0 * math.log10(reference_mhz / f_mhz)
    return ProtectedContour(field_dbuvm, found.get("least_height_m", -math.inf))


def contour_km(
    contour: ProtectedContour,
    f_mhz: float,
    height_m: NDArray[np.float64],
    erp_dbkw: NDArray[np.float64],
    receiver_m: float,
) -> NDArray[np.float64]:
    """Distance in km of the contour by radial [n], from effective height and e.r.p. of each radial.

    The farthest point that still has the field, to 1 m on the far side; 0 where not even the nearest has.
    """
    curves = load_curves()
    prepared = (prepare(curves, f_mhz, _MEDIAN_PCT), prepare(curves, f_mhz, _TENTH_PCT))
    heights_m = np.maximum(height_m, contour.least_height_m)
    nodes_km = np.geomspace(_NEAREST_KM, _FARTHEST_KM, _NODES)
    wanted_dbuvm = contour.field_dbuvm - erp_dbkw
    return farthest_km(*prepared, curves, heights_m, wanted_dbuvm, receiver_m, nodes_km)


@kernel
def f5090_dbuvm(
    median: PreparedCurves,
    tenth: PreparedCurves,
    curves: NDArray[np.float64],
    d_km: float,
    height_m: float,
    receiver_m: float,
) -> float:
    """Field of 1 kW e.r.p. exceeded for 90 % of the time: the distribution in dB is taken as symmetric."""
    e50 = flat_path_field_dbuvm(median, curves, d_km, height_m, receiver_m, 0.0)
    e10 = flat_path_field_dbuvm(tenth, curves, d_km, height_m, receiver_m, 0.0)
    return 2.0 * e50 - e10


@kernel
def farthest_km(
    median: PreparedCurves,
    tenth: PreparedCurves,
    curves: NDArray[np.float64],
    height_m: NDArray[np.float64],
    wanted_dbuvm: NDArray[np.float64],
    receiver_m: float,
    nodes_km: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Farthest distance with at least ``wanted_dbuvm`` by radial, searched from the far end."""
    distance_km = np.zeros(height_m.size)
    for i in range(height_m.size):
        h, wanted = height_m[i], wanted_dbuvm[i]
        k = nodes_km.size - 1
        while k >= 0:
            if f5090_dbuvm(median, tenth, curves, nodes_km[k], h, receiver_m) >= wanted:
                break
            k -= 1
        if k < 0:
            continue
        low = nodes_km[k]
        high = nodes_km[min(k + 1, nodes_km.size - 1)]
        for _ in range(_HALVINGS):
            middle = 0.5 * (low + high)
            if f5090_dbuvm(median, tenth, curves, middle, h, receiver_m) >= wanted:
                low = middle
            else:
                high = middle
        distance_km[i] = high
    return distance_km
