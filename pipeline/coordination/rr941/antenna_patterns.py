"""Antenna patterns of both ends: earth stations (AP8 Annex III, S.465-6, S.580-6, S.1428) and satellites.

The pattern of an earth station is an array [SEGMENTS, 4] of rows (end_deg, a, b, c): up to ``end_deg``,
which belongs to the next row, the gain is a + b log10(phi) + c phi^2 in dBi, phi in degrees. Unused rows
repeat the last one.

The gain of a satellite towards locations on Earth is that of a beam after S.672-4, or of published contours,
relative to its maximum, in dB, <= 0. Without beam data the maximum gain holds everywhere, which overestimates
interference.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple, get_args

import numpy as np
import shapely
from numpy.typing import NDArray

from pipeline.coordination.rr941.geometry import angle_at_satellite_deg
from pipeline.kernels import kernel

# --- earth stations -----------------------------------------------------------------------------------------


PatternName = Literal["AP8", "S.465", "S.580", "S.1428"]
PATTERN_NAMES: tuple[str, ...] = get_args(PatternName)
SEGMENTS = 7
_LIGHT_M_PER_US = 299.792458
_SMALLEST_DEG = 1e-9

_PatternRow = tuple[float, float, float, float]
Segments = NDArray[np.float64]

# Gmax - 20 log10(D / lambda) in dB: AP8 and S.1428 up to D/lambda 100; S.1428 above; and an aperture of
# efficiency 0.7, which the BR takes for S.580-6 (10 log10(0.7 pi^2)).
_GAIN_OF_ONE_WAVELENGTH_DBI = 7.7
_GAIN_OF_ONE_WAVELENGTH_LARGE_DBI = 8.4
_GAIN_OF_ONE_WAVELENGTH_S580_DBI = 10.0 * math.log10(0.7 * math.pi**2)
_AP8_MIN_GAIN_DBI = 9.3
_S1428_MIN_RATIO = 20.0
_S1428_LARGE_RATIO = 100.0


class PatternError(ValueError):
    """An antenna for which the pattern is not defined."""


@kernel
def gain_dbi(segments: NDArray[np.float64], phi_deg: float) -> float:
    """Gain at the off-axis angle phi (0 to 180 degrees)."""
    row = 0
    while row < segments.shape[0] - 1 and phi_deg >= segments[row, 0]:
        row += 1
    gain = segments[row, 1]
    if segments[row, 2] != 0.0:
        gain += segments[row, 2] * math.log10(max(phi_deg, _SMALLEST_DEG))
    return gain + segments[row, 3] * phi_deg * phi_deg


def pattern_segments(
    pattern: str, frequency_mhz: float, *, diameter_m: float | None = None, gain_dbi: float | None = None
) -> Segments:
    """Segments of an antenna given by its diameter or by its maximum gain; PatternError if not defined."""
    if (diameter_m is None) == (gain_dbi is None):
        raise PatternError("give either diameter_m or gain_dbi")
    if diameter_m is not None:
        ratio = diameter_m * frequency_mhz / _LIGHT_M_PER_US
        gain = _gain_of_ratio_dbi(pattern, ratio)
    else:
        assert gain_dbi is not None
        gain = gain_dbi
        ratio = _ratio_of_gain(pattern, gain)
    rows = _BUILDERS[pattern](ratio, gain)
    rows += [rows[-1]] * (SEGMENTS - len(rows))
    return np.array(rows, dtype=np.float64)


def max_gain_beyond_dbi(segments: Segments, phi_deg: float) -> float:
    """Largest gain at any off-axis angle from phi on: patterns rise again behind the dish."""
    starts = np.concatenate([[0.0], segments[:-1, 0]])
    # Within a segment the gain falls or is level, so that its largest value stands at its beginning.
    later = [start for start in starts if phi_deg < start <= 180.0]
    return max(gain_dbi(segments, angle) for angle in [phi_deg, *later])


def _gain_of_ratio_dbi(pattern: str, ratio: float) -> float:
    constant = _GAIN_OF_ONE_WAVELENGTH_DBI
    if pattern == "S.580":
        constant = _GAIN_OF_ONE_WAVELENGTH_S580_DBI
    elif pattern == "S.1428" and ratio > _S1428_LARGE_RATIO:
        constant = _GAIN_OF_ONE_WAVELENGTH_LARGE_DBI
    return 20.0 * math.log10(ratio) + constant


def _ratio_of_gain(pattern: str, gain: float) -> float:
    """D/lambda; S.1428 has a gap of gains between its two formulas, which then stands for D/lambda = 100."""
    if pattern == "S.580":
        return _ratio(gain, _GAIN_OF_ONE_WAVELENGTH_S580_DBI)
    if pattern != "S.1428":
        return _ratio(gain, _GAIN_OF_ONE_WAVELENGTH_DBI)
    large = _ratio(gain, _GAIN_OF_ONE_WAVELENGTH_LARGE_DBI)
    if large > _S1428_LARGE_RATIO:
        return large
    return min(_ratio(gain, _GAIN_OF_ONE_WAVELENGTH_DBI), _S1428_LARGE_RATIO)


def _ratio(gain: float, constant_dbi: float) -> float:
    return 10.0 ** ((gain - constant_dbi) / 20.0)


def _main_lobe(ratio: float, gain: float, shoulder_dbi: float, shoulder_end_deg: float) -> list[_PatternRow]:
    """Gmax - 2.5e-3 (D/lambda phi)^2 down to the level of the first side lobe, then level."""
    if gain < shoulder_dbi:
        raise PatternError("maximum gain lies below the first side lobe")
    lobe_end_deg = 20.0 / ratio * math.sqrt(gain - shoulder_dbi)
    return [
        (lobe_end_deg, gain, 0.0, -2.5e-3 * ratio**2),
        (max(shoulder_end_deg, lobe_end_deg), shoulder_dbi, 0.0, 0.0),
    ]


def _shoulder_end_deg(ratio: float) -> float:
    return 15.85 * ratio**-0.6 if ratio >= 100.0 else 100.0 / ratio


def _ap8(ratio: float, gain: float) -> list[_PatternRow]:
    """RR Appendix 8, Annex III (BR pattern APERR_001V01)."""
    if gain < _AP8_MIN_GAIN_DBI:
        raise PatternError(f"AP8 is defined from {_AP8_MIN_GAIN_DBI} dBi on")
    shoulder_dbi = 2.0 + 15.0 * math.log10(ratio)
    # Up to 48 degrees at most: the last branch begins there for every antenna.
    rows = _main_lobe(ratio, gain, shoulder_dbi, min(_shoulder_end_deg(ratio), 48.0))
    if ratio >= 100.0:
        return [*rows, (48.0, 32.0, -25.0, 0.0), (math.inf, -10.0, 0.0, 0.0)]
    loss_db = 10.0 * math.log10(ratio)
    return [*rows, (48.0, 52.0 - loss_db, -25.0, 0.0), (math.inf, 10.0 - loss_db, 0.0, 0.0)]


def _s465(ratio: float, gain: float) -> list[_PatternRow]:
    """Rec. ITU-R S.465-6; no main lobe is given: the maximum gain up to phi_min."""
    start_deg = max(1.0, 100.0 / ratio) if ratio >= 50.0 else max(2.0, 114.0 * ratio**-1.09)
    first: _PatternRow = (min(start_deg, 48.0), gain, 0.0, 0.0)
    return [first, (48.0, 32.0, -25.0, 0.0), (math.inf, -10.0, 0.0, 0.0)]


def _s580(ratio: float, gain: float) -> list[_PatternRow]:
    """Rec. ITU-R S.580-6 as the BR extends it (APEREC015V01): main lobe of AP7, below D/lambda 50 as AP8."""
    end_deg = 10.0 ** (42.0 / 25.0)
    if ratio < 50.0:
        loss_db = 10.0 * math.log10(ratio)
        rows = _main_lobe(ratio, gain, 2.0 + 15.0 * math.log10(ratio), min(_shoulder_end_deg(ratio), end_deg))
        return [*rows, (end_deg, 52.0 - loss_db, -25.0, 0.0), (math.inf, 10.0 - loss_db, 0.0, 0.0)]
    slope = (-1.0, 15.0) if ratio >= 100.0 else (-21.0, 25.0)
    shoulder_dbi = slope[0] + slope[1] * math.log10(ratio)
    return [
        *_main_lobe(ratio, gain, shoulder_dbi, _shoulder_end_deg(ratio)),
        (19.95, 29.0, -25.0, 0.0),
        (10.0 ** (35.5 / 25.0), -3.5, 0.0, 0.0),
        (end_deg, 32.0, -25.0, 0.0),
        (math.inf, -10.0, 0.0, 0.0),
    ]


def _s1428(ratio: float, gain: float) -> list[_PatternRow]:
    """Rec. ITU-R S.1428, three ranges of D/lambda from 20 on."""
    if ratio < _S1428_MIN_RATIO:
        raise PatternError(f"S.1428 is defined from D/lambda {_S1428_MIN_RATIO:g} on")
    if ratio > _S1428_LARGE_RATIO:
        return [
            *_main_lobe(ratio, gain, -1.0 + 15.0 * math.log10(ratio), 15.85 * ratio**-0.6),
            (10.0, 29.0, -25.0, 0.0),
            (34.1, 34.0, -30.0, 0.0),
            (80.0, -12.0, 0.0, 0.0),
            (120.0, -7.0, 0.0, 0.0),
            (math.inf, -12.0, 0.0, 0.0),
        ]
    shoulder_end_deg = 95.0 / ratio
    rows = _main_lobe(ratio, gain, 29.0 - 25.0 * math.log10(shoulder_end_deg), shoulder_end_deg)
    rows += [(33.1, 29.0, -25.0, 0.0), (80.0, -9.0, 0.0, 0.0)]
    if ratio > 25.0:
        return [*rows, (120.0, -4.0, 0.0, 0.0), (math.inf, -9.0, 0.0, 0.0)]
    return [*rows, (math.inf, -5.0, 0.0, 0.0)]


_BUILDERS: dict[str, Callable[[float, float], list[_PatternRow]]] = {
    "AP8": _ap8,
    "S.465": _s465,
    "S.580": _s580,
    "S.1428": _s1428,
}


# --- satellites ---------------------------------------------------------------------------------------------


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
