"""Satellite antenna gain towards locations on Earth: a beam after S.672-4, or published contours.

Gains are relative to the maximum gain, in dB, <= 0. Without beam data the maximum gain holds everywhere,
which overestimates interference.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray

from pipeline.coordination.rr941.geometry import angle_at_satellite_deg
from pipeline.kernels import kernel

# S.672-4: the level Gm + Ls of the near side lobes lasts to b psi0; psi0 is half the 3 dB beamwidth.
_SIDE_LOBE_END = 6.32
# Where the main lobe 3 (psi/psi0)^2 meets -Ls, as tabulated; 1.83 from a public implementation.
_MAIN_LOBE_END = {-10.0: 1.83, -20.0: 2.58, -25.0: 2.88, -30.0: 3.16}


class Beam(NamedTuple):
    """A circular beam: boresight on the ground, half of the 3 dB beamwidth, level Ls, maximum gain."""

    aim_lon_deg: float
    aim_lat_deg: float
    half_beamwidth_deg: float
    side_lobe_db: float
    peak_dbi: float


class BeamContour(NamedTuple):
    """Line of equal gain: level relative to the maximum (<= 0) and the ring of (lon, lat) in degrees."""

    relative_db: float
    ring_deg: Sequence[tuple[float, float]]


@kernel
def beam_relative_db(
    psi_deg: float, half_beamwidth_deg: float, main_lobe_end: float, side_lobe_db: float, peak_dbi: float
) -> float:
    """Gain of S.672-4 relative to the maximum at the angle psi off boresight; floor of 0 dBi."""
    offset = psi_deg / half_beamwidth_deg
    if offset <= main_lobe_end:
        relative_db = -3.0 * offset * offset
    elif offset <= _SIDE_LOBE_END:
        relative_db = side_lobe_db
    else:
        relative_db = side_lobe_db + 20.0 - 25.0 * math.log10(offset)
    return max(relative_db, min(-peak_dbi, 0.0))


@kernel
def _fill_beam(
    lon_deg: NDArray[np.float64],
    lat_deg: NDArray[np.float64],
    satellite_deg: float,
    aim_lon_deg: float,
    aim_lat_deg: float,
    shape: tuple[float, float, float, float],
    relative_db: NDArray[np.float64],
) -> None:
    for i in range(lon_deg.size):
        psi_deg = angle_at_satellite_deg(lon_deg[i], lat_deg[i], aim_lon_deg, aim_lat_deg, satellite_deg)
        relative_db[i] = beam_relative_db(psi_deg, shape[0], shape[1], shape[2], shape[3])


def relative_gain_of_beam_db(
    lon_deg: NDArray[np.float64], lat_deg: NDArray[np.float64], satellite_deg: float, beam: Beam
) -> NDArray[np.float64]:
    """Relative gain at locations [n] of a beam from a satellite at a longitude."""
    relative_db = np.empty(lon_deg.size)
    shape = (beam.half_beamwidth_deg, _MAIN_LOBE_END[beam.side_lobe_db], beam.side_lobe_db, beam.peak_dbi)
    _fill_beam(lon_deg, lat_deg, satellite_deg, beam.aim_lon_deg, beam.aim_lat_deg, shape, relative_db)
    return relative_db


def relative_gain_of_contours_db(
    lon_deg: NDArray[np.float64],
    lat_deg: NDArray[np.float64],
    satellite_deg: float,
    contours: Sequence[BeamContour],
) -> NDArray[np.float64]:
    """Largest relative gain that the contours allow at locations [n].

    Between two contours the gain is at most the level of the inner one, inside the innermost at most the
    maximum, outside the outermost at most its level.
    """
    levels_db = sorted({contour.relative_db for contour in contours})
    relative_db = np.full(lon_deg.size, levels_db[0])
    east_deg = _east_of(lon_deg, satellite_deg)
    for level_db, upper_db in zip(levels_db, [*levels_db[1:], 0.0], strict=True):
        rings = [contour.ring_deg for contour in contours if contour.relative_db == level_db]
        area = shapely.union_all([_polygon(ring, satellite_deg) for ring in rings])
        shapely.prepare(area)
        relative_db[shapely.intersects_xy(area, east_deg, lat_deg)] = upper_db
    return relative_db


def _polygon(ring_deg: Sequence[tuple[float, float]], satellite_deg: float) -> shapely.Geometry:
    points = np.asarray(ring_deg, dtype=np.float64)
    return shapely.make_valid(
        shapely.Polygon(np.column_stack([_east_of(points[:, 0], satellite_deg), points[:, 1]]))
    )


def _east_of(lon_deg: NDArray[np.float64], satellite_deg: float) -> NDArray[np.float64]:
    """Longitude relative to the satellite, -180 to 180: no visible contour crosses the cut."""
    return (lon_deg - satellite_deg + 180.0) % 360.0 - 180.0
