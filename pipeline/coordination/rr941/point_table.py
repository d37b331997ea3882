"""``channelmaps rr941``: delta-T/T between two satellite networks at the points of a table."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.coordination.rr941.appendix5 import read_limits
from pipeline.coordination.rr941.interference import EXCEEDS_UNKNOWN, interference, prepare, remarks
from pipeline.coordination.rr941.networks import read_networks, warnings
from pipeline.files import Output, check_outputs, kind_of_table, write_output_rows
from pipeline.rows.row_models import LatCell, LonCell, RowModel, read_rows

_COLUMNS = (
    "lon",
    "lat",
    "theta_t_deg",
    "elevation_deg",
    "dtt_down_pct",
    "dtt_up_pct",
    "dtt_transponder_pct",
    "exceeds",
)


class _Point(RowModel):
    lon: LonCell
    lat: LatCell


def rr941_command(networks: Path, points: Path, out: Path) -> None:
    """Read both files, compute, write ``out`` whole or not at all.

    For down-links the victim's earth station is at the point, for up-links the interferer's. ``nan``: no
    such assignments, or the satellite of that earth station is below the horizon.
    """
    check_outputs([Output("--out", out, kind_of_table(*_COLUMNS))], [networks, points])
    compared = read_networks(networks)
    lon_deg, lat_deg = _read_points(points)
    problem = prepare(compared, read_limits())
    for line in [*warnings(compared), *remarks(problem)]:
        print(f"channelmaps: {line}", file=sys.stderr)
    found = interference(problem, lon_deg, lat_deg)
    columns = (
        lon_deg,
        lat_deg,
        found.angle_deg,
        found.elevation_deg,
        found.down_pct,
        found.up_pct,
        found.transponder_pct,
    )
    rows = ([*map(_text, row), _flag(e)] for *row, e in zip(*columns, found.exceeds, strict=True))
    write_output_rows(out, _COLUMNS, rows)


def _read_points(path: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Longitudes and latitudes [n] in degrees from a table with columns lon and lat."""
    rows = read_rows(path, _Point)
    return np.array([row.lon for row in rows]), np.array([row.lat for row in rows])


def _text(value: float) -> str:
    return "nan" if math.isnan(value) else repr(float(value))


def _flag(code: int) -> str:
    return "nan" if code == EXCEEDS_UNKNOWN else str(int(code))
