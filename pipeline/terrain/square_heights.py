"""How far the ground of devices stands above its surroundings on paths of 15 km and more, by squares.

What tells how far devices reach needs it by squares of about a kilometre, and in most of them no better than
by a bound: the highest ground of a square, less the lowest terrain that a square has along its lines.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.grid.grid import Grid
from pipeline.kernels import kernel
from pipeline.terrain.device_heights import at_most_m, places_around, void_below
from pipeline.terrain.device_lines import (
    LANES,
    RADIALS,
    Lines,
    RingSettings,
    TerrainPlaces,
    empty_cells,
    excess_of_lanes,
    ground_of_lanes,
    lines_of,
    position,
    sample_km_of,
)
from pipeline.terrain.records import LonLatRaster
from pipeline.territory.reach import Squares, squares_with

_ROWS_A_TIME, _BLOCKS_A_TIME = 8, 256
# Larger blocks are bounded in less time and less well; exact heights are asked for in a few squares anyway.
_BLOCK_M = 3000.0
# Means are sums of float32; the positions of a line of 32 pixels are interpolated.
_ROUNDING_M = 0.1
_NONE = np.float32(np.inf)


class _Extremes(NamedTuple):
    """Lowest and highest heights of blocks of the terrain model, float32[row, column]; infinite: unknown.

    ``sides`` height and width of a block in pixels; ``half`` of a square, in rows and columns of the model.
    """

    lowest_m: NDArray[np.float32]
    highest_m: NDArray[np.float32]
    sides: tuple[int, int]
    half: tuple[float, float]


class SquareHeights:
    """Heights above the surroundings of the devices of a territory."""

    def __init__(
        self,
        elevation: LonLatRaster,
        grid: Grid,
        inside: NDArray[np.bool_],
        sectors: int,
        *,
        void_m: float | None = None,
        threads: int = 1,
    ) -> None:
        """``inside`` bool[y, x], ``elevation`` 15 km around; InputError for a pixel without known ground."""
        self.sectors, self._grid, self._inside, self._threads = sectors, grid, inside, threads
        self._values = elevation.values
        rings = RingSettings(sectors, (), far_only=True)
        self._lines = lines_of(grid, grid.largest_scale(), rings, sample_km_of(elevation))
        self._places = places_around(elevation, grid, self._lines)
        self._void = np.float32(np.nan if void_m is None else void_m)
        side_px = max(round(_BLOCK_M / grid.resolution_m), 1)
        self._blocks = squares_with(inside, (side_px, side_px), (0, 0))
        # Where heights are unknown, those of one line decide what the next one takes for them.
        self._all_lines = bool(np.isnan(elevation.values).any())
        if self._all_lines and void_m is None:
            self._require_ground()

    def bounds_m(self, squares: Squares) -> NDArray[np.float32]:
        """Nowhere below the exact heights; infinite where some around are unknown. Squares within 3 km."""
        none = np.full((1, self.sectors), -_NONE, np.float32)
        of_blocks = np.concatenate([self._bounds_of_blocks, none])
        first = squares.place * squares.sides_px - squares.before_px
        last = np.minimum(first + squares.sides_px, self._inside.shape) - 1
        side_px, number = self._blocks.sides_px[0], self._blocks.number
        rows, cols = (np.stack([np.maximum(first[:, i], 0), last[:, i]]) // side_px for i in (0, 1))
        highest_m = of_blocks[number[rows[0], cols[0]]]
        for row, col in ((rows[0], cols[1]), (rows[1], cols[0]), (rows[1], cols[1])):
            np.maximum(highest_m, of_blocks[number[row, col]], out=highest_m)
        return highest_m

    @cached_property
    def _bounds_of_blocks(self) -> NDArray[np.float32]:
        """Bounds of blocks of the grid: what is asked for squares of any place needs them once."""
        extremes = _extremes(self._values, self._places, self._blocks.sides_px)
        centre_px = self._blocks.place * self._blocks.sides_px + (np.array(self._blocks.sides_px) - 1) / 2.0
        weights, shape = _weights(self._lines), self._values.shape
        found_m = np.full((len(centre_px), self.sectors), -_NONE, np.float32)

        def part(first: int) -> None:
            its = slice(first, first + _BLOCKS_A_TIME)
            _bound_squares(extremes, shape, self._places, self._lines, weights, centre_px[its], found_m[its])

        with ThreadPoolExecutor(max_workers=self._threads) as pool:
            list(pool.map(part, range(0, len(found_m), _BLOCKS_A_TIME)))
        return found_m

    def exact_m(self, squares: Squares, wanted: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Heights where ``wanted``; -inf in other sectors and squares."""
        asked: NDArray[np.bool_] = np.any(wanted, axis=1)
        lines = np.broadcast_to(asked[:, np.newaxis], wanted.shape).copy() if self._all_lines else wanted
        found_m = np.full(wanted.shape, -_NONE, np.float32)

        def row_of_squares(row: int) -> None:
            first = row * squares.sides_px[0] - squares.before_px[0]
            rows = max(first, 0), min(first + squares.sides_px[0], self._grid.height)
            _raise_heights(
                self._values,
                self._places,
                self._lines,
                self._inside,
                squares,
                *rows,
                lines,
                self._void,
                found_m,
            )

        with ThreadPoolExecutor(max_workers=self._threads) as pool:
            list(pool.map(row_of_squares, np.unique(squares.place[asked, 0]).tolist()))
        return np.where(wanted, found_m, -_NONE)

    def _require_ground(self) -> None:
        """Refuse a terrain model that has no height for some pixel of the territory."""

        def rows(first: int) -> int:
            stop = min(first + _ROWS_A_TIME, self._grid.height)
            return int(_without_ground(self._values, self._places, self._inside, first, stop))

        with ThreadPoolExecutor(max_workers=self._threads) as pool:
            unknown = max(pool.map(rows, range(0, self._grid.height, _ROWS_A_TIME)), default=-1)
        if unknown >= 0:
            raise void_below(self._grid, *divmod(unknown, self._grid.width))


def _weights(lines: Lines) -> NDArray[np.float32]:
    """Share of each sample of a line in its mean, float32[sample]: trapezoids between its ends."""

    def until(place: int, part: float) -> NDArray[np.float64]:
        share = np.zeros(lines.down_px.shape[1])
        share[:place] += 0.5
        share[1 : place + 1] += 0.5
        share[place] += part - 0.5 * part * part
        share[place + 1] += 0.5 * part * part
        return share

    (low, high), (low_part, high_part) = lines.place[-1].tolist(), lines.part[-1].tolist()
    share = (until(high, high_part) - until(low, low_part)) / float(lines.length_km[-1])
    return share.astype(np.float32)


def _extremes(values: NDArray[np.float32], places: TerrainPlaces, sides_px: tuple[int, int]) -> _Extremes:
    """Extremes by blocks of about half a square, and how far positions in a square may be off its centre."""
    half: list[float] = []
    for at in (places.row, places.col):
        by_row, by_col = (np.abs(np.diff(at, axis=axis)).max() / places.step_px for axis in (0, 1))
        steps = max(1, int(np.ceil(0.5 * LANES / places.step_px)))
        bent = np.abs(at[:, 2 * steps :] - 2.0 * at[:, steps:-steps] + at[:, : -2 * steps]).max(initial=0.0)
        half.append(0.5 * (sides_px[0] * by_row + sides_px[1] * by_col + bent) + 0.01)
    sides = max(int(half[0]), 1), max(int(half[1]), 1)
    starts = [np.arange(0, size, side) for size, side in zip(values.shape, sides, strict=True)]
    unknown = np.isnan(values)
    lowest_m, highest_m = (
        extreme.reduceat(extreme.reduceat(np.where(unknown, fill, values), starts[0], 0), starts[1], 1)
        for extreme, fill in ((np.minimum, -_NONE), (np.maximum, _NONE))
    )
    return _Extremes(lowest_m, highest_m, sides, (half[0], half[1]))


@kernel
def _extreme_around(
    values: NDArray[np.float32],
    highest: bool,
    extremes: _Extremes,
    shape: tuple[int, int],
    at: tuple[float, float],
) -> np.float32:
    """Lowest or highest of all heights that positions of a square around ``at`` (row, column) are made of."""
    top = int(min(max(np.floor(at[0] - extremes.half[0]), 0), shape[0] - 1)) // extremes.sides[0]
    bottom = int(min(max(np.floor(at[0] + extremes.half[0]) + 1, 0), shape[0] - 1)) // extremes.sides[0]
    left = int(min(max(np.floor(at[1] - extremes.half[1]), 0), shape[1] - 1)) // extremes.sides[1]
    right = int(min(max(np.floor(at[1] + extremes.half[1]) + 1, 0), shape[1] - 1)) // extremes.sides[1]
    found = values[top, left]
    for row in range(top, bottom + 1):
        for col in range(left, right + 1):
            found = max(found, values[row, col]) if highest else min(found, values[row, col])
    return found


@kernel
def _bound_squares(
    extremes: _Extremes,
    shape: tuple[int, int],
    places: TerrainPlaces,
    lines: Lines,
    weights: NDArray[np.float32],
    centre_px: NDArray[np.float64],
    bound_m: NDArray[np.float32],
) -> None:
    """Raise ``bound_m`` [square, sector] to what no pixel of a square exceeds; ``centre_px`` [square, 2]."""
    sectors, a_sector = bound_m.shape[1], RADIALS // bound_m.shape[1]
    for n in range(bound_m.shape[0]):
        at = position(places, centre_px[n, 0], centre_px[n, 1])
        ground_m = _extreme_around(extremes.highest_m, True, extremes, shape, at)
        for radial in range(RADIALS):
            mean_m = np.float32(0.0)
            for sample in range(weights.size):
                if weights[sample] > 0.0:
                    row = centre_px[n, 0] + lines.down_px[radial, sample]
                    at = position(places, row, centre_px[n, 1] + lines.right_px[radial, sample])
                    mean_m += weights[sample] * _extreme_around(extremes.lowest_m, False, extremes, shape, at)
            its_m = at_most_m(ground_m - mean_m + np.float32(_ROUNDING_M))
            for shared in range(2 if radial % a_sector == 0 else 1):
                sector = (radial // a_sector - shared) % sectors
                bound_m[n, sector] = max(bound_m[n, sector], its_m)


@kernel
def _raise_heights(
    values: NDArray[np.float32],
    places: TerrainPlaces,
    lines: Lines,
    inside: NDArray[np.bool_],
    squares: Squares,
    first: int,
    stop: int,
    wanted: NDArray[np.bool_],
    void_m: np.float32,
    height_m: NDArray[np.float32],
) -> None:
    """Raise ``height_m`` [square, sector] to those of the pixels of some rows, where ``wanted``."""
    sectors, width = wanted.shape[1], inside.shape[1]
    ground_m, excess_m = np.empty(LANES, np.float32), np.empty((sectors, LANES), np.float32)
    scratch, asked, square = empty_cells(values), np.empty(sectors, np.bool_), np.empty(LANES, np.int64)
    for row in range(first, stop):
        square_row = (row + squares.before_px[0]) // squares.sides_px[0]
        col = 0
        while col < width:
            if not inside[row, col]:
                col += 1
                continue
            asked[:] = False
            for lane in range(LANES):
                square[lane] = -1
                if col + lane < width and inside[row, col + lane]:
                    at = (col + lane + squares.before_px[1]) // squares.sides_px[1]
                    square[lane] = squares.number[square_row, at]
                if square[lane] >= 0:
                    asked |= wanted[square[lane]]
            if asked.any():
                ground_of_lanes(values, places, row, col, void_m, scratch, ground_m)
                excess_of_lanes(values, places, lines, row, col, ground_m, asked, scratch, excess_m)
                for lane in range(LANES):
                    for sector in range(sectors):
                        if square[lane] >= 0 and wanted[square[lane], sector]:
                            its_m = at_most_m(excess_m[sector, lane])
                            height_m[square[lane], sector] = max(height_m[square[lane], sector], its_m)
            col += LANES


@kernel
def _without_ground(
    values: NDArray[np.float32], places: TerrainPlaces, inside: NDArray[np.bool_], first: int, stop: int
) -> int:
    """A pixel of some rows of no known ground, by its number in the grid; -1: none."""
    ground_m, scratch, unknown, width = np.empty(LANES, np.float32), empty_cells(values), -1, inside.shape[1]
    for row in range(first, stop):
        col = 0
        while col < width:
            if not inside[row, col]:
                col += 1
                continue
            ground_of_lanes(values, places, row, col, np.float32(np.nan), scratch, ground_m)
            for lane in range(min(LANES, width - col)):
                if inside[row, col + lane] and np.isnan(ground_m[lane]):
                    unknown = row * width + col + lane
            col += LANES
    return unknown
