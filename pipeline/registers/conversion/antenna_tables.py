"""Antenna patterns of registers as attenuation tables: horizontal by true azimuth, vertical by depression.

Values between those given are linear in the quantity given (field in field, dB in dB), closed across north,
and converted then. Attenuation is positive, 0 in the direction of the largest radiation, 60 dB at most.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.registers.conversion.cell_numbers import CellProblem

_MOST_DB = 60.0
_LEAST_FIELD, _LEAST_POWER = 1e-3, 1e-6
# A little above the maximum is rounding; above it by more is another sign or another quantity.
_ROUNDING_DB = 0.05
_PEAK_FLAG_DB, _PEAK_FAULT_DB = 0.5, 3.0
_ON_TENS_DEG = 1e-9
_COARSE, _FINE = 36, 72
_VERTICAL_DEG = (-10.0, 90.0)
_TILT_AGREES_DEG = 0.5
# Kinds whose values are no levels: the sign of their attenuation says nothing before they are normalised.
_SHARES = ("relative_field", "relative_power")
_SIGN = "attenuation in dB, 0 and more (kind: attenuation_db), or the kind that the values are"

Points = Sequence[tuple[float, float]]


class Turn(NamedTuple):
    """Rotation of a pattern's 0 to true north in degrees, and whether its azimuths count clockwise."""

    rotation_deg: float = 0.0
    clockwise: bool = True


class Horizontal(NamedTuple):
    """Attenuations in dB at 36 or 72 true azimuths; ``peak``: its smallest is above 0.5 dB."""

    attenuation_db: NDArray[np.float64]
    peak: bool = False


class Vertical(NamedTuple):
    """Depression of the maximum and points (depression from there, attenuation); nothing of a flat table."""

    beam_tilt_deg: float | None
    points: list[tuple[float, float]]


def attenuation_db(values: ArrayLike, kind: str, top: float) -> NDArray[np.float64]:
    """Values of a kind as attenuation in dB, 60 at most; ``top`` the largest of gains and powers in dB."""
    given = np.asarray(values, dtype=np.float64)
    if kind == "attenuation_db":
        out = given
    elif kind == "relative_gain_db":
        out = -given
    elif kind in ("absolute_gain_dbi", "erp"):
        out = top - given
    else:
        factor, least = (20.0, _LEAST_FIELD) if kind == "relative_field" else (10.0, _LEAST_POWER)
        out = np.where(given <= least, _MOST_DB, -factor * np.log10(np.maximum(given, least)))
    return np.minimum(out, _MOST_DB)


def equally_spaced(values: Sequence[float]) -> list[tuple[float, float]]:
    """36, 72 or 360 values from 0 on as (azimuth, value); CellProblem for another number of them."""
    if len(values) not in (36, 72, 360):
        problem = f"pattern of {len(values)} values"
        raise CellProblem("bad_pattern", problem, "36, 72 or 360 values", len(values))
    return [(i * 360.0 / len(values), value) for i, value in enumerate(values)]


def horizontal(points: Points, kind: str, turn: Turn, *, normalise: bool = False) -> Horizontal:
    """A pattern at true azimuths: 36 if there are at most so many points on tens of degrees, else 72."""
    azimuths, values = _ring(points)
    top = float(values.max())
    attenuations = attenuation_db(values, kind, top)
    _refuse_negative(values, kind)
    offset_db = _checked_peak(values, attenuations, kind, normalise=normalise)
    turned = (azimuths if turn.clockwise else -azimuths) + turn.rotation_deg
    tens = np.abs(turned / 10.0 - np.round(turned / 10.0)) < _ON_TENS_DEG
    count = _COARSE if len(azimuths) <= _COARSE and bool(tens.all()) else _FINE
    true_deg = np.arange(count) * (360.0 / count)
    own_deg = true_deg - turn.rotation_deg if turn.clockwise else turn.rotation_deg - true_deg
    if np.array_equal(own_deg, azimuths):
        sampled = attenuations  # as they are: without a search, of which registers have 100,000
    else:
        sampled = attenuation_db(np.interp(own_deg, azimuths, values, period=360.0), kind, top)
    return Horizontal(
        np.maximum(sampled - offset_db, 0.0), peak=attenuations.min() - offset_db > _PEAK_FLAG_DB
    )


def _refuse_negative(values: NDArray[np.float64], kind: str) -> None:
    """CellProblem for a field or power below 0, which is no direction without radiation."""
    if kind in _SHARES and float(values.min()) < 0.0:
        allowed = "0 and more, or the kind that the values are"
        raise CellProblem("bad_pattern", f"{kind} is negative", allowed, f"{values.min():g}")


def _ring(points: Points) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Azimuths of 0 to below 360, ascending, each once, with their values."""
    table = np.array(points, dtype=np.float64)
    if table[0, 0] >= 0.0 and table[-1, 0] < 360.0 and bool((np.diff(table[:, 0]) > 0.0).all()):
        return table[:, 0], table[:, 1]
    by_azimuth: dict[float, float] = {}
    for azimuth_deg, value in points:
        if by_azimuth.setdefault(azimuth_deg % 360.0, value) != value:
            problem = f"two values at {azimuth_deg % 360.0:g} degrees"
            raise CellProblem("bad_pattern", problem, "one value for each azimuth", value)
    ring = sorted(by_azimuth.items())
    return np.array([azimuth for azimuth, _ in ring]), np.array([value for _, value in ring])


def _checked_peak(
    values: NDArray[np.float64], attenuations: NDArray[np.float64], kind: str, *, normalise: bool
) -> float:
    """What is taken off all attenuations; CellProblem for gain in place of loss and for a lost maximum."""
    least = float(attenuations.min())
    at_fault = float(values[int(attenuations.argmin())])
    if least < -_ROUNDING_DB and not (normalise and kind in _SHARES):
        raise CellProblem("bad_pattern", f"attenuation of {least:.4g} dB", _SIGN, f"{at_fault:g}")
    if normalise:
        return least
    if least > _PEAK_FAULT_DB:
        allowed = f"at most {_PEAK_FAULT_DB:g} dB, or normalise: true"
        raise CellProblem("bad_pattern", f"smallest attenuation is {least:.4g} dB", allowed, f"{at_fault:g}")
    return 0.0


def vertical(points: Points, kind: str = "attenuation_db") -> Vertical:
    """A vertical pattern relative to its maximum, the middle of a run of equal ones, from -10 to 90 degrees.

    ``points`` (depression in degrees, value). The ends of the range are interpolated in dB.
    """
    table = sorted(dict(points).items())
    depressions, values = np.array([d for d, _ in table]), np.array([v for _, v in table])
    _refuse_negative(values, kind)
    attenuations = np.maximum(attenuation_db(values, kind, float(values.max())), 0.0)
    least = float(attenuations.min())
    if bool((attenuations == least).all()):
        return Vertical(None, [])
    first = last = int(attenuations.argmin())
    while last + 1 < len(attenuations) and attenuations[last + 1] == least:
        last += 1
    tilt_deg = 0.5 * float(depressions[first] + depressions[last])
    return Vertical(tilt_deg, _within(depressions - tilt_deg, attenuations - least))


def _within(depressions: NDArray[np.float64], attenuations: NDArray[np.float64]) -> list[tuple[float, float]]:
    low, high = _VERTICAL_DEG
    inner = (depressions >= low) & (depressions <= high)
    ends = [end for end in _VERTICAL_DEG if depressions[0] < end < depressions[-1] and end not in depressions]
    kept = [*zip(depressions[inner].tolist(), attenuations[inner].tolist(), strict=True)]
    kept += [(end, float(np.interp(end, depressions, attenuations))) for end in ends]
    return sorted(kept)


def tilts_disagree(of_table_deg: float | None, stated_deg: float | None) -> bool:
    """Whether two tilts, neither of them 0 or unknown, differ by more than half a degree."""
    if not of_table_deg or not stated_deg:
        return False
    return abs(of_table_deg - stated_deg) > _TILT_AGREES_DEG


def pattern_text(attenuations: ArrayLike) -> str:
    """Attenuations as the register holds them: two decimals, joined by ``;``."""
    values = np.abs(np.asarray(attenuations, dtype=np.float64)).tolist()
    return ";".join(["%.2f"] * len(values)) % tuple(values)


def vertical_text(points: Points) -> str:
    """Points of a vertical pattern as the register holds them."""
    return ";".join(f"{plain_number(depression)}:{value:.2f}" for depression, value in points)


def plain_number(value: float, digits: int = 6) -> str:
    """A number with at most so many decimals, without zeros at its end."""
    text = f"{value:.{digits}f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text
