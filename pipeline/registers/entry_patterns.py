"""Patterns and tilts put into entries, with their flags or their fault."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.registers.conversion.antenna_tables import (
    Turn,
    Vertical,
    horizontal,
    pattern_text,
    tilts_disagree,
    vertical_text,
)
from pipeline.registers.conversion.cell_numbers import CellProblem
from pipeline.registers.entries import RegisterEntry

HORIZONTAL, VERTICAL = "pattern_azimuth_attenuation_db", "vertical_pattern_deg_attenuation_db"


def enter_horizontal(
    entry: RegisterEntry,
    points: Sequence[tuple[float, float]],
    kind: str,
    key: str,
    turn: Turn = Turn(),  # noqa: B008 - immutable
) -> None:
    """Enter a pattern of points (azimuth, value); nothing without any. ``key``: what a fault names."""
    if not points:
        return
    try:
        found = horizontal(points, kind, turn)
    except CellProblem as problem:
        entry.refuse(key, "bad_pattern", problem.problem, problem.allowed, problem.value)
        return
    entry.values[HORIZONTAL] = pattern_text(found.attenuation_db)
    if found.peak:
        entry.flags.append("pattern_peak")


def enter_vertical(entry: RegisterEntry, pattern: Vertical) -> None:
    """Enter a vertical pattern with the depression of its maximum; nothing of a flat one."""
    if pattern.points:
        entry.values[VERTICAL] = vertical_text(pattern.points)
        entry.values["beam_tilt_deg"] = pattern.beam_tilt_deg


def enter_tilt(entry: RegisterEntry, of_table_deg: float | None, stated_deg: float | None) -> None:
    """Enter a stated electrical tilt: the table wins unless its maximum is at 0 or there is none."""
    if stated_deg is None:
        return
    if of_table_deg is None or of_table_deg == 0.0:
        entry.values["beam_tilt_deg"] = stated_deg
    elif tilts_disagree(of_table_deg, stated_deg):
        entry.flags.append("tilt_disagrees")
