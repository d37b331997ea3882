"""How far the ground under a device stands above its surroundings, by direction and distance, in classes.

P.1546-6, Annex 5, section 3 for every pixel of the territory: the ground is the largest of the pixel's 3 x 3
lattice, the surroundings are the means along straight lines on the grid. A class holds for a pixel, a sector
of directions and a ring of distances; its height is never below that of any path in them (docs/method.md,
section 9).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.blocks import map_blocks
from pipeline.errors import InputError
from pipeline.grid.grid import Grid
from pipeline.kernels import borrowing, kernel
from pipeline.terrain.device_lines import (
    LANES,
    NODE_KM,
    RADIALS,
    Lines,
    RingSettings,
    TerrainPlaces,
    empty_cells,
    excess_of_lanes,
    ground_of_lanes,
    lines_of,
    places_of,
    sample_km_of,
)
from pipeline.terrain.radial import MEAN_TO_KM
from pipeline.terrain.records import LonLatRaster

BASE_FROM_M = 10.0
"""A lower device counts as one of this height (P.1546-6 has no lower base)."""
HIGHEST_M = 3000.0
"""P.1546-6 knows no greater effective height (Annex 5, section 3)."""
_STRIP_PX = 8
# Positions in the terrain model are interpolated between nodes: heights are right to this.
_SLACK_M = np.float32(0.05)
_NONE = np.float32(np.inf)


def class_heights_m(lowest_m: float, ratio: float) -> NDArray[np.float64]:
    """Heights h1 of the classes in m, ascending: ``lowest_m`` ratio^m, and 3000 last."""
    count = max(math.ceil(math.log(HIGHEST_M / lowest_m) / math.log(ratio) - 1e-9), 0)
    return np.append(lowest_m * ratio ** np.arange(count), HIGHEST_M)


def height_classes(
    elevation: LonLatRaster,
    grid: Grid,
    inside: NDArray[np.bool_],
    rings: RingSettings,
    excess_m: Sequence[NDArray[np.float64]],
    *,
    void_m: float | None = None,
    scale: float | None = None,
    threads: int = 1,
    strip_px: int = _STRIP_PX,
) -> Iterator[list[NDArray[np.uint8]]]:
    """Classes of the pixels ``inside`` bool[y, x] in the order of rows, uint8[pixel, sector * rings + ring].

    By strips of ``strip_px`` rows, with an array for each of ``excess_m``: heights above the surroundings in
    m, ascending; a class is the first that is not below the pixel's, at most the last. ``elevation`` holds 15
    km around the pixels; unknown heights around a pixel are the lowest known there, unknown ground is
    ``void_m``. ``scale``: grid over true distance, default the largest of the grid. InputError for a pixel
    without known ground.
    """
    lines = lines_of(grid, scale or grid.largest_scale(), rings, sample_km_of(elevation))
    places = places_around(elevation, grid, lines)
    edges = np.full((len(excess_m), max(map(len, excess_m))), _NONE, np.float32)
    for i, levels_m in enumerate(excess_m):
        edges[i, : len(levels_m)] = levels_m
    last = np.array([len(levels_m) - 1 for levels_m in excess_m])
    void = np.float32(np.nan if void_m is None else void_m)
    values, every = elevation.values, np.ones(rings.sectors, np.bool_)

    def of_strip(rows: slice, _cols: slice, its: NDArray[np.bool_]) -> list[NDArray[np.uint8]]:
        number = np.where(its, np.cumsum(its, dtype=np.int32).reshape(its.shape) - 1, np.int32(-1))
        classes = np.zeros((len(excess_m), np.count_nonzero(its), rings.cells), np.uint8)
        unknown = int(
            _classes_of_rows(values, places, lines, number, rows.start, every, edges, last, void, classes)
        )
        if unknown >= 0:
            raise void_below(grid, *divmod(unknown, grid.width))
        return list(classes)

    strips = map_blocks(of_strip, grid.shape, (strip_px, grid.width), threads, cut=(inside,), name="heights")
    yield from (classes for _, _, classes in strips)


def places_around(elevation: LonLatRaster, grid: Grid, lines: Lines) -> TerrainPlaces:
    """Positions in the terrain model of a grid and of all samples around its pixels."""
    return places_of(elevation, grid, float(np.abs(lines.down_px).max()) + LANES + 1.0)


def exact_excess_m(
    elevation: LonLatRaster,
    grid: Grid,
    place: tuple[int, int],
    azimuth_deg: float | None,
    distance_km: float,
    *,
    void_m: float | None = None,
) -> tuple[float, float]:
    """Ground of a pixel (row, col) in m, and its height over the surroundings for one direction and distance.

    The largest of the two lines and the two nodes on both sides; without a direction that of all lines.
    """
    nodes_km = np.arange(NODE_KM, MEAN_TO_KM, NODE_KM)
    rings = RingSettings(RADIALS, (*nodes_km.tolist(), MEAN_TO_KM))
    part = grid.window(slice(place[0], place[0] + 1), slice(place[1], place[1] + 1))
    lines = lines_of(part, grid.largest_scale(), rings, sample_km_of(elevation))
    places = places_of(elevation, part, float(np.abs(lines.down_px).max()) + LANES)
    ground_m, excess_m = np.empty(LANES, np.float32), np.empty((rings.cells, LANES), np.float32)
    void = np.float32(np.nan if void_m is None else void_m)
    cells = empty_cells(elevation.values)
    ground_of_lanes(elevation.values, places, 0, 0, void, cells, ground_m)
    every = np.ones(RADIALS, np.bool_)
    excess_of_lanes(elevation.values, places, lines, 0, 0, ground_m, every, cells, excess_m)
    by_line_m = excess_m[:, 0].reshape(RADIALS, rings.rings)[:, int(np.digitize(distance_km, rings.edges_km))]
    line = None if azimuth_deg is None else int(azimuth_deg / (360.0 / RADIALS)) % RADIALS
    return float(ground_m[0]), float(by_line_m.max() if line is None else by_line_m[line])


def void_below(grid: Grid, row: int, col: int) -> InputError:
    """The fault of a pixel whose ground nobody knows."""
    lon_deg, lat_deg = grid.lonlat_deg(slice(row, row + 1), slice(col, col + 1))
    return InputError(
        "terrain has a void below the territory",
        row="terrain",
        field="dem",
        value=f"no height at {lon_deg.item():.4f} deg east, {lat_deg.item():.4f} deg north",
        allowed="rasters without voids on the territory, or `terrain.void` with the height in m to take",
    )


@kernel
def at_most_m(excess_m: np.float32) -> np.float32:
    """What a height above the surroundings may be.

    Exactly level ground is that of flat land; anything else may be higher by what interpolation is off.
    """
    return excess_m if excess_m == np.float32(0.0) else excess_m + _SLACK_M


@borrowing
def _classes_of_lanes(
    excess_m: NDArray[np.float32], edges_m: NDArray[np.float32], last: int, found: NDArray[np.int32]
) -> None:
    """First class of each lane whose height above the surroundings is not below the lane's, at most ``last``.

    Classes below are counted: of a count the compiler does many lanes at a time, of a search none.
    """
    lanes = excess_m.size
    for lane in range(lanes):
        found[lane] = 0
    for level in range(last):
        edge_m = edges_m[level]
        for lane in range(lanes):
            found[lane] += np.int32(not edge_m >= at_most_m(excess_m[lane]))


@kernel
def _classes_of_rows(
    values: NDArray[np.float32],
    places: TerrainPlaces,
    lines: Lines,
    number: NDArray[np.int32],
    first: int,
    wanted: NDArray[np.bool_],
    edges_m: NDArray[np.float32],
    last: NDArray[np.int64],
    void_m: np.float32,
    classes: NDArray[np.uint8],
) -> int:
    """Classes of the numbered pixels of some rows; returns a pixel without known ground, or -1.

    ``number`` int32[y, x] of the rows from ``first`` on.
    """
    unknown = -1
    cells = wanted.size * lines.first.size
    ground_m, excess_m = np.empty(LANES, np.float32), np.empty((cells, LANES), np.float32)
    scratch, found = empty_cells(values), np.empty(LANES, np.int32)
    for row in range(first, first + number.shape[0]):
        col = 0
        while col < number.shape[1]:
            if number[row - first, col] < 0:
                col += 1
                continue
            ground_of_lanes(values, places, row, col, void_m, scratch, ground_m)
            excess_of_lanes(values, places, lines, row, col, ground_m, wanted, scratch, excess_m)
            its = number[row - first, col : col + LANES]
            for lane in range(its.size):
                if its[lane] >= 0 and np.isnan(ground_m[lane]):
                    unknown = row * number.shape[1] + col + lane
            for kind in range(edges_m.shape[0]):
                for cell in range(cells):
                    _classes_of_lanes(excess_m[cell], edges_m[kind], last[kind], found)
                    for lane in range(its.size):
                        if its[lane] >= 0:
                            classes[kind, its[lane], cell] = found[lane]
            col += LANES
    return unknown
