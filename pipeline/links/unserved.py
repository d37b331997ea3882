"""People without fast access and the base stations that would reach them: where, how many, with which power.

An order of magnitude on illustrative shares (docs/method.md, section 46): generic reach, nobody's plan.
"""

from __future__ import annotations

import heapq
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.rates.reach_of_stations import NOT_EVALUATED_RADIUS, STEP_KM
from pipeline.territory.population import window_sums

# Places that a station may stand on are so far apart.
_LATTICE_KM = 2.0
_SURROUNDINGS_KM = 5.0


class ChosenStation(NamedTuple):
    """A station at a pixel, how far it reaches, and the people it adds to those reached before."""

    row: int
    col: int
    radius_km: float
    people: float


def unserved_people(
    people: NDArray[np.float32],
    area_km2: NDArray[np.float32],
    resolution_m: float,
    share: float,
    rural_per_km2: float,
) -> NDArray[np.float64]:
    """People without fast access per pixel: a share (of 1) of those in thinly settled surroundings.

    Surroundings are squares of 5 km: lists of places spread people at the density of towns.
    """
    known = np.nan_to_num(people).astype(np.float64)
    half = max(round(500.0 * _SURROUNDINGS_KM / resolution_m), 0)
    around, land_km2 = window_sums(known, half), window_sums(area_km2.astype(np.float64), half)
    return np.where(around <= rural_per_km2 * land_km2, share * known, 0.0)


def choose_stations(
    radius: NDArray[np.uint16],
    unserved: NDArray[np.float64],
    resolution_m: float,
    least_people: float,
    most: int,
) -> tuple[list[ChosenStation], NDArray[np.bool_]]:
    """Stations one after the other where they add most people, and who is reached [y, x].

    ``radius`` in 10 m by pixel, as of ``reach_maps``. It ends with the first that would add fewer than
    ``least_people``, or with ``most`` stations. Places are those of a lattice; equal ones in its order.
    """
    step = max(round(1000.0 * _LATTICE_KM / resolution_m), 1)
    left = unserved.copy()
    reached = np.zeros(unserved.shape, np.bool_)
    queue = [
        (-gain, row, col)
        for row in range(step // 2, radius.shape[0], step)
        for col in range(step // 2, radius.shape[1], step)
        if 0 < radius[row, col] < NOT_EVALUATED_RADIUS
        and (gain := _within(left, row, col, radius[row, col], resolution_m)) >= least_people
    ]
    heapq.heapify(queue)
    chosen: list[ChosenStation] = []
    while queue and len(chosen) < most:
        _, row, col = heapq.heappop(queue)
        gain = _within(left, row, col, radius[row, col], resolution_m)
        if gain < least_people:
            continue
        if queue and gain < -queue[0][0]:  # others took some of its people: it waits for its new turn
            heapq.heappush(queue, (-gain, row, col))
            continue
        rows, cols, disc = _disc(left.shape, row, col, radius[row, col], resolution_m)
        reached[rows, cols] |= disc
        left[rows, cols][disc] = 0.0
        chosen.append(ChosenStation(row, col, STEP_KM * int(radius[row, col]), gain))
    return chosen, reached


def _within(people: NDArray[np.float64], row: int, col: int, radius: int, resolution_m: float) -> float:
    rows, cols, disc = _disc(people.shape, row, col, radius, resolution_m)
    return float(people[rows, cols][disc].sum())


def _disc(
    shape: tuple[int, ...], row: int, col: int, radius: int, resolution_m: float
) -> tuple[slice, slice, NDArray[np.bool_]]:
    """The window around a pixel and which of its pixel centres lie within a radius of 10 m units."""
    reach_px = 1000.0 * STEP_KM * int(radius) / resolution_m
    half = int(reach_px)
    rows = slice(max(row - half, 0), min(row + half + 1, shape[0]))
    cols = slice(max(col - half, 0), min(col + half + 1, shape[1]))
    dy = np.arange(rows.start, rows.stop)[:, np.newaxis] - row
    dx = np.arange(cols.start, cols.stop)[np.newaxis, :] - col
    return rows, cols, dy * dy + dx * dx <= reach_px * reach_px
