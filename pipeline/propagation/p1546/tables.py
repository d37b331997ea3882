"""The tabulated field strengths of Rec. ITU-R P.1546-6 and their nominal values.

The figures are ITU's (see p1546_curves.txt beside the file). To rebuild the file from a CSV with the
columns ``frequency_mhz, path, time_percent, distance_km, h10 ... h1200``:

    python -m pipeline.propagation.p1546.tables curves.csv p1546_curves.npz
"""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from enum import IntEnum
from importlib import resources
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.files import write_whole

NOMINAL_MHZ = np.array([100.0, 600.0, 2000.0])
NOMINAL_T_PCT = np.array([1.0, 10.0, 50.0])
NOMINAL_H1_M = np.array([10.0, 20.0, 37.5, 75.0, 150.0, 300.0, 600.0, 1200.0])
NOMINAL_D_KM = np.concatenate(
    [np.arange(1, 20), np.arange(20, 100, 5), np.arange(100, 200, 10), np.arange(200, 1001, 25)]
).astype(np.float64)

_FILE = "p1546_curves.npz"
_PATHS = ("land", "cold_sea", "warm_sea")
_HEIGHT_COLUMNS = ("h10", "h20", "h37_5", "h75", "h150", "h300", "h600", "h1200")
_STEP_DB = 1e-6


class Surface(IntEnum):
    """Kind of path of a family of curves: second index of the table."""

    LAND = 0
    COLD_SEA = 1
    WARM_SEA = 2


class Area(IntEnum):
    """Surroundings of the receiving antenna (P.1546-6, Annex 5, sec. 9)."""

    RURAL = 0
    SUBURBAN = 1
    URBAN = 2
    DENSE_URBAN = 3
    SEA = 4


def load_curves() -> NDArray[np.float64]:
    """Field strength in dB(uV/m) for 1 kW e.r.p.: float64[3 f, 3 surface, 3 t, 78 d, 8 h1].

    Axes follow ``NOMINAL_MHZ``, ``Surface``, ``NOMINAL_T_PCT``, ``NOMINAL_D_KM``, ``NOMINAL_H1_M``.
    """
    with resources.files(__package__).joinpath(_FILE).open("rb") as stream, np.load(stream) as stored:
        # Division by a power of ten rounds once: the same doubles as reading the decimals of the source.
        return stored["field_microdb"].astype(np.float64) / 1e6


def build_file(csv: Path, out: Path) -> None:
    """Write the compact table file: the decimals of ``csv`` as int32 multiples of 1e-6 dB(uV/m)."""
    table = pd.read_csv(csv)
    keys = ["frequency_mhz", "path", "time_percent", "distance_km"]
    levels: list[Sequence[object]] = [list(NOMINAL_MHZ), _PATHS, list(NOMINAL_T_PCT), list(NOMINAL_D_KM)]
    order: pd.MultiIndex = pd.MultiIndex.from_product(levels, names=keys)
    field = table.set_index(keys).loc[order, list(_HEIGHT_COLUMNS)].to_numpy()
    shape = (NOMINAL_MHZ.size, len(_PATHS), NOMINAL_T_PCT.size, NOMINAL_D_KM.size, NOMINAL_H1_M.size)
    field_microdb = np.rint(field.reshape(shape) / _STEP_DB).astype(np.int32)
    stream = io.BytesIO()
    np.savez_compressed(stream, field_microdb=field_microdb)
    write_whole(out, stream.getvalue())


if __name__ == "__main__":
    build_file(Path(sys.argv[1]), Path(sys.argv[2]))
