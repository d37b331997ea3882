"""Straight lines on the grid around a pixel, terrain along them, its means (P.1546-6, Annex 5, section 3).

32 neighbouring pixels of a row are worked on at a time: samples at one distance lie on one line of the
terrain model, evenly spaced.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.grid.grid import Grid
from pipeline.kernels import borrowing, kernel
from pipeline.terrain.radial import MEAN_FROM_KM, MEAN_TO_KM, height_at
from pipeline.terrain.records import KM_PER_DEG, LonLatRaster

RADIALS = 72
"""Lines around a pixel, 5 degrees apart on the grid."""
NODE_KM = 0.25
"""Step of the distances for which a mean height below 15 km is taken."""
LANES = 32
_SHORT_PATH_FRACTION = 0.2
_COARSE_STEP_KM, _FINE_STEP_KM = 0.25, 0.1
_LATTICE_KM = 1.5
_NONE = np.float32(np.inf)


class RingSettings(NamedTuple):
    """Sectors of direction, of 360 / ``sectors`` deg from grid north clockwise, and edges of the rings.

    ``far_only``: one ring, that of distances from 15 km on.
    """

    sectors: int
    edges_km: tuple[float, ...]
    far_only: bool = False

    @property
    def rings(self) -> int:
        """Number of rings: the last one has no end."""
        return len(self.edges_km) + 1

    @property
    def cells(self) -> int:
        """Sectors times rings."""
        return self.sectors * self.rings


class Lines(NamedTuple):
    """Samples along the lines around a pixel, and which of them make up a mean.

    ``down_px``, ``right_px`` float64[radial, sample] from the pixel's centre; ``place`` int64[node, 2] sample
    before the two ends of a mean, ``part`` float32[node, 2] how far beyond it, ``length_km`` float32[node];
    the last node is the mean from 3 to 15 km. ``first``, ``last`` int64[ring] nodes that count in a ring
    (none: last < first), ``far`` bool[ring] whether the last node does.
    """

    down_px: NDArray[np.float64]
    right_px: NDArray[np.float64]
    place: NDArray[np.int64]
    part: NDArray[np.float32]
    length_km: NDArray[np.float32]
    first: NDArray[np.int64]
    last: NDArray[np.int64]
    far: NDArray[np.bool_]


class TerrainPlaces(NamedTuple):
    """Positions in the terrain model (0 = centre of its first pixel) at every ``step_px`` of the grid.

    ``col``, ``row`` float64[y, x]; the first node stands ``before_px`` before the first pixel.
    """

    col: NDArray[np.float64]
    row: NDArray[np.float64]
    step_px: float
    before_px: float


class LaneCells(NamedTuple):
    """Cells of the terrain model that hold ``LANES`` positions, and the places in them: scratch of a thread.

    ``height_m`` float32[pixel] the model row after row; ``place`` uint32[lane] in it of the upper left pixel,
    unsigned: an index that cannot be negative needs no test; ``down``, ``across`` float32[lane], 0 to 1;
    ``corner_m`` float32[4, lane] heights of the four around.
    """

    height_m: NDArray[np.float32]
    place: NDArray[np.uint32]
    down: NDArray[np.float32]
    across: NDArray[np.float32]
    corner_m: NDArray[np.float32]


@kernel
def empty_cells(values: NDArray[np.float32]) -> LaneCells:
    """Room for the cells of one thread in a terrain model [row, column] of less than 2^32 pixels."""
    return LaneCells(
        values.ravel(),
        np.empty(LANES, np.uint32),
        np.empty(LANES, np.float32),
        np.empty(LANES, np.float32),
        np.empty((4, LANES), np.float32),
    )


def sample_km_of(elevation: LonLatRaster) -> float:
    """Step of the samples: 0.25 km, or 0.1 km where the terrain model is finer than that."""
    return _FINE_STEP_KM if elevation.step_lat_deg * KM_PER_DEG < _COARSE_STEP_KM else _COARSE_STEP_KM


def lines_of(grid: Grid, scale: float, rings: RingSettings, sample_km: float) -> Lines:
    """Samples out to 15 km on all lines; ``scale``: grid over true distance."""
    samples = round(MEAN_TO_KM / sample_km)
    reach_px = np.arange(samples + 1) * sample_km * 1000.0 * scale / grid.resolution_m
    azimuth = np.radians(np.arange(RADIALS) * (360.0 / RADIALS))[:, np.newaxis]
    nodes_km = np.arange(NODE_KM, MEAN_TO_KM - 0.5 * NODE_KM, NODE_KM)
    ends_km = np.stack(
        [np.append(_SHORT_PATH_FRACTION * nodes_km, MEAN_FROM_KM), np.append(nodes_km, MEAN_TO_KM)], axis=1
    )
    place = np.minimum(np.floor(ends_km / sample_km + 1e-9).astype(np.int64), samples - 1)
    low_km, high_km = np.array([0.0, *rings.edges_km]), np.array([*rings.edges_km, np.inf])
    last_node = nodes_km.size - 1
    first = np.maximum(np.floor(low_km / NODE_KM + 1e-9) - 1, 0)
    last = np.minimum(np.ceil(np.minimum(high_km, MEAN_TO_KM) / NODE_KM - 1e-9) - 1, last_node)
    last[low_km >= MEAN_TO_KM] = -1
    if rings.far_only:
        first[:], last[:], place, ends_km = 0, -1, place[-1:], ends_km[-1:]
    return Lines(
        down_px=-np.cos(azimuth) * reach_px,
        right_px=np.sin(azimuth) * reach_px,
        place=place,
        part=(ends_km / sample_km - place).astype(np.float32),
        length_km=((ends_km[:, 1] - ends_km[:, 0]) / sample_km).astype(np.float32),
        first=first.astype(np.int64),
        last=last.astype(np.int64),
        far=high_km > MEAN_TO_KM,
    )


def places_of(elevation: LonLatRaster, grid: Grid, around_px: float) -> TerrainPlaces:
    """Positions in a terrain model out to ``around_px`` pixels around a grid."""
    step_px = max(_LATTICE_KM * 1000.0 / grid.resolution_m, 1.0)
    before_px = (math.ceil(around_px / step_px) + 1) * step_px
    rows, cols = (np.arange(-before_px, side + before_px + step_px, step_px) for side in grid.shape)
    x_m, y_m = grid.xy_m(rows + 0.5, cols + 0.5)
    lon_deg, lat_deg = grid.to_lonlat().transform(*np.meshgrid(x_m, y_m))
    middle_deg = elevation.west_deg + 0.5 * elevation.values.shape[1] * elevation.step_lon_deg
    lon_deg = lon_deg + 360.0 * np.round((middle_deg - lon_deg) / 360.0)
    return TerrainPlaces(
        (lon_deg - elevation.west_deg) / elevation.step_lon_deg - 0.5,
        (elevation.north_deg - lat_deg) / elevation.step_lat_deg - 0.5,
        step_px,
        before_px,
    )


@borrowing
def position(places: TerrainPlaces, row: float, col: float) -> tuple[float, float]:
    """Row and column in the terrain model of a place of the grid (0 = centre of its first pixel)."""
    y, x = (row + places.before_px) / places.step_px, (col + places.before_px) / places.step_px
    i, j = int(y), int(x)
    v, u = y - i, x - j
    upper = places.row[i, j] + (places.row[i, j + 1] - places.row[i, j]) * u
    lower = places.row[i + 1, j] + (places.row[i + 1, j + 1] - places.row[i + 1, j]) * u
    left = places.col[i, j] + (places.col[i, j + 1] - places.col[i, j]) * u
    right = places.col[i + 1, j] + (places.col[i + 1, j + 1] - places.col[i + 1, j]) * u
    return upper + (lower - upper) * v, left + (right - left) * v


@borrowing
def _lanes_below(
    values: NDArray[np.float32],
    start: tuple[float, float],
    end: tuple[float, float],
    cells: LaneCells,
    ground_m: NDArray[np.float32],
    below_m: NDArray[np.float32],
) -> None:
    """How far ``LANES`` positions from ``start`` towards ``end`` (row, column) lie below ``ground_m`` [lane].

    NaN beside unknown heights; a height is exactly that of the four around where these are equal: flat land
    stays flat.
    """
    rows, cols = values.shape
    down_a_lane, right_a_lane = (end[0] - start[0]) / LANES, (end[1] - start[1]) / LANES
    last_row, last_col = max(rows - 2.0, 0.0), max(cols - 2.0, 0.0)
    first_row, first_col, a_row = start[0], start[1], np.uint32(cols)
    place, down, across = cells.place, cells.down, cells.across
    # Cells, their corners, heights: short loops. Of the first and the last the compiler does many lanes at a
    # time; to 64 bit it could not turn them, and while it looks up four corners it does not.
    for lane in range(LANES):
        row = min(max(first_row + lane * down_a_lane, 0.0), rows - 1.0)
        col = min(max(first_col + lane * right_a_lane, 0.0), cols - 1.0)
        whole_row, whole_col = np.floor(min(row, last_row)), np.floor(min(col, last_col))
        place[lane] = np.uint32(np.int32(whole_row)) * a_row + np.uint32(np.int32(whole_col))
        down[lane], across[lane] = np.float32(row - whole_row), np.float32(col - whole_col)
    next_row, next_col = np.uint32(cols if rows > 1 else 0), np.uint32(cols > 1)
    model_m, corner_m = cells.height_m, cells.corner_m
    for lane in range(LANES):
        upper_left = place[lane]
        lower_left = np.uint32(upper_left + next_row)
        corner_m[0, lane], corner_m[1, lane] = model_m[upper_left], model_m[np.uint32(upper_left + next_col)]
        corner_m[2, lane], corner_m[3, lane] = model_m[lower_left], model_m[np.uint32(lower_left + next_col)]
    for lane in range(LANES):
        upper = corner_m[0, lane] + (corner_m[1, lane] - corner_m[0, lane]) * across[lane]
        lower = corner_m[2, lane] + (corner_m[3, lane] - corner_m[2, lane]) * across[lane]
        below_m[lane] = ground_m[lane] - (upper + (lower - upper) * down[lane])


@borrowing
def _known_lanes_below(
    values: NDArray[np.float32],
    start: tuple[float, float],
    end: tuple[float, float],
    ground_m: NDArray[np.float32],
    below_m: NDArray[np.float32],
) -> None:
    """As ``_lanes_below``, from the known ones of four where some are unknown."""
    for lane in range(LANES):
        share = lane / LANES
        row, col = start[0] + share * (end[0] - start[0]), start[1] + share * (end[1] - start[1])
        below_m[lane] = ground_m[lane] - np.float32(height_at(values, row, col))


@kernel
def ground_of_lanes(
    values: NDArray[np.float32],
    places: TerrainPlaces,
    row: int,
    col: int,
    void_m: np.float32,
    cells: LaneCells,
    ground_m: NDArray[np.float32],
) -> None:
    """Largest height of the 3 x 3 lattice of each pixel: corners, middles of edges, centre."""
    sea_level_m, below_m = np.zeros(LANES, np.float32), np.empty(LANES, np.float32)
    ground_m[:] = -_NONE
    for i in range(-1, 2):
        for j in range(-1, 2):
            start = position(places, row + 0.5 * i, col + 0.5 * j)
            end = position(places, row + 0.5 * i, col + LANES + 0.5 * j)
            _lanes_below(values, start, end, cells, sea_level_m, below_m)
            if np.isnan(below_m).any():
                _known_lanes_below(values, start, end, sea_level_m, below_m)
            for lane in range(LANES):
                if -below_m[lane] > ground_m[lane]:
                    ground_m[lane] = -below_m[lane]
    for lane in range(LANES):
        if ground_m[lane] == -_NONE:
            ground_m[lane] = void_m


@borrowing
def _line_below_ground(
    values: NDArray[np.float32],
    places: TerrainPlaces,
    lines: Lines,
    radial: int,
    row: int,
    col: int,
    ground_m: NDArray[np.float32],
    known_only: bool,
    cells: LaneCells,
    below_m: NDArray[np.float32],
) -> None:
    """Fill ``below_m`` [sample, lane]: how far the terrain along a line lies below the ground."""
    for sample in range(below_m.shape[0]):
        at_row, at_col = row + lines.down_px[radial, sample], col + lines.right_px[radial, sample]
        start, end = position(places, at_row, at_col), position(places, at_row, at_col + LANES)
        if known_only:
            _known_lanes_below(values, start, end, ground_m, below_m[sample])
        else:
            _lanes_below(values, start, end, cells, ground_m, below_m[sample])


@borrowing
def sum_along(
    below_m: NDArray[np.float32], running: NDArray[np.float32], summed: NDArray[np.float32]
) -> bool:
    """Integrals along a line to each sample, [sample, lane], and whether all heights on it are known.

    ``running`` is scratch: with sums read back from the row before, no two lanes are done at a time.
    """
    half, samples, lanes = np.float32(0.5), below_m.shape[0], below_m.shape[1]
    for lane in range(lanes):
        running[lane] = summed[0, lane] = np.float32(0.0)
    for sample in range(1, samples):
        for lane in range(lanes):
            running[lane] += half * (below_m[sample - 1, lane] + below_m[sample, lane])
            summed[sample, lane] = running[lane]
    known = True  # one that is not makes all sums behind it no numbers
    for lane in range(lanes):
        known = known and not np.isnan(running[lane])
    return known


@borrowing
def _largest_means(
    lines: Lines,
    below_m: NDArray[np.float32],
    summed: NDArray[np.float32],
    mean_m: NDArray[np.float32],
    ring_m: NDArray[np.float32],
) -> None:
    """Largest mean of ``below_m`` in each ring, float32[ring, lane], from its integrals ``summed``."""
    half, last_node, lanes = np.float32(0.5), lines.length_km.size - 1, below_m.shape[1]
    for node in range(lines.length_km.size):
        low, high = lines.place[node, 0], lines.place[node, 1]
        low_part, high_part = lines.part[node, 0], lines.part[node, 1]
        per_length = np.float32(1.0) / lines.length_km[node]
        for lane in range(lanes):
            first, second = below_m[low, lane], below_m[low + 1, lane]
            before = summed[low, lane] + low_part * (first + half * low_part * (second - first))
            first, second = below_m[high, lane], below_m[high + 1, lane]
            whole = summed[high, lane] + high_part * (first + half * high_part * (second - first))
            mean_m[node, lane] = (whole - before) * per_length
    for ring in range(lines.first.size):
        for lane in range(lanes):
            ring_m[ring, lane] = mean_m[last_node, lane] if lines.far[ring] else -_NONE
        _raise_to_largest(mean_m, lines.first[ring], lines.last[ring], ring_m[ring])


@borrowing
def _raise_to_largest(
    mean_m: NDArray[np.float32], first: int, last: int, largest_m: NDArray[np.float32]
) -> None:
    """Raise ``largest_m`` [lane] to the largest of the means of some nodes.

    Four at a time: with one, the compiler does lane after lane.
    """
    node, lanes = first, largest_m.size
    while node + 3 <= last:
        for lane in range(lanes):
            one = max(mean_m[node, lane], mean_m[node + 1, lane])
            other = max(mean_m[node + 2, lane], mean_m[node + 3, lane])
            largest_m[lane] = max(largest_m[lane], max(one, other))
        node += 4
    while node <= last:
        for lane in range(lanes):
            largest_m[lane] = max(largest_m[lane], mean_m[node, lane])
        node += 1


@kernel
def _lowest_known(
    values: NDArray[np.float32],
    places: TerrainPlaces,
    lines: Lines,
    row: int,
    col: int,
    ground_m: NDArray[np.float32],
    cells: LaneCells,
    below_m: NDArray[np.float32],
    deepest_m: NDArray[np.float32],
) -> None:
    """Fill how far the lowest known height on all lines lies below the ground, float32[lane]; 0 if none."""
    deepest_m[:] = -_NONE
    for radial in range(RADIALS):
        _line_below_ground(values, places, lines, radial, row, col, ground_m, True, cells, below_m)
        for sample in range(below_m.shape[0]):
            for lane in range(LANES):
                if below_m[sample, lane] > deepest_m[lane]:
                    deepest_m[lane] = below_m[sample, lane]
    for lane in range(LANES):
        if deepest_m[lane] == -_NONE:
            deepest_m[lane] = np.float32(0.0)


@kernel
def excess_of_lanes(
    values: NDArray[np.float32],
    places: TerrainPlaces,
    lines: Lines,
    row: int,
    col: int,
    ground_m: NDArray[np.float32],
    wanted: NDArray[np.bool_],
    cells: LaneCells,
    excess_m: NDArray[np.float32],
) -> None:
    """Ground over the mean of the surroundings, the largest of each cell: float32[cell, lane].

    Of the ``wanted`` sectors bool[sector]; in others it may be too small.
    """
    sectors = wanted.size
    samples, rings, a_sector = lines.down_px.shape[1], lines.first.size, RADIALS // sectors
    below_m, summed = np.empty((samples, LANES), np.float32), np.empty((samples, LANES), np.float32)
    mean_m = np.empty((lines.length_km.size, LANES), np.float32)
    ring_m, deepest_m = np.empty((rings, LANES), np.float32), np.empty(LANES, np.float32)
    running = np.empty(LANES, np.float32)
    excess_m[:] = -_NONE
    known_only = False
    for radial in range(RADIALS):
        at_edge = radial % a_sector == 0  # of the sector before, too
        if not (wanted[radial // a_sector] or (at_edge and wanted[(radial // a_sector - 1) % sectors])):
            continue
        _line_below_ground(values, places, lines, radial, row, col, ground_m, known_only, cells, below_m)
        if not sum_along(below_m, running, summed):
            if not known_only:
                known_only = True
                _lowest_known(values, places, lines, row, col, ground_m, cells, below_m, deepest_m)
                _line_below_ground(
                    values, places, lines, radial, row, col, ground_m, known_only, cells, below_m
                )
            for sample in range(samples):
                for lane in range(LANES):
                    if np.isnan(below_m[sample, lane]):
                        below_m[sample, lane] = deepest_m[lane]
            sum_along(below_m, running, summed)
        _largest_means(lines, below_m, summed, mean_m, ring_m)
        for shared in range(2 if at_edge else 1):
            sector = (radial // a_sector - shared) % sectors
            for ring in range(rings):
                for lane in range(LANES):
                    cell = excess_m[sector * rings + ring]
                    cell[lane] = max(cell[lane], ring_m[ring, lane])
