"""Best server, nuisance and location probability of the pixels of a block (docs/method.md, sections 3 and 4).

A block is worked through in tiles of 32 x 32 pixels that lie on multiples of 32 pixels of the grid: what is
left out depends on the tile and the pixel, never on the block or the thread. For a tile every transmitter
gets an upper bound of its field; ``servers`` and ``nuisance`` leave out what the bounds exclude.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.coverage.field_bounds import tile_bounds
from pipeline.coverage.fields import PRUNED_TILE_PX, Scratch, scratch_of
from pipeline.coverage.inputs import ChannelInputs
from pipeline.coverage.nuisance import (
    fenton_wilkinson,
    location_probability,
    order_interferers,
    sum_nuisance,
    variance_per_square,
)
from pipeline.coverage.servers import PixelKind, add_network, find_servers, one_polarisation, point_antennas
from pipeline.coverage.tile_facts import NETWORK_KM, TileFacts, empty_facts, tiles_in
from pipeline.grid.geodesy import Lattice, grid_azimuth_deg, pixel_frames, tile_places
from pipeline.kernels import borrowing, inlined, inner, kernel
from pipeline.radio.antennas import Polarisation

_NO_RECEPTION = int(PixelKind.NO_RECEPTION)
_HORIZONTAL, _VERTICAL = int(Polarisation.HORIZONTAL), int(Polarisation.VERTICAL)

LEVEL_BANDS = (
    "wanted_dbuvm",
    "field_dbuvm",
    "nuisance_dbuvm",
    "nuisance_sigma_db",
    "azimuth_deg",
    "probability",
)


@inner
def pointing_deg(
    polarisation: int, direction: NDArray[np.float32], frames: NDArray[np.float64], p: int
) -> float:
    """Grid azimuth towards the best server; NaN where its polarisation leaves no discrimination."""
    if polarisation != _HORIZONTAL and polarisation != _VERTICAL:
        return math.nan
    return grid_azimuth_deg(direction[0, p], direction[1, p], frames[9, p], frames[10, p])


@inner
def tile_ball(positions_m: NDArray[np.float64], rows: int, cols: int) -> tuple[NDArray[np.float64], float]:
    """Centre in m and radius in km of a ball that holds the pixel centres of a tile."""
    corners = (0, cols - 1, (rows - 1) * cols, rows * cols - 1)
    centre_m = np.zeros(3)
    for corner in corners:
        for axis in range(3):
            centre_m[axis] += 0.25 * positions_m[axis, corner]
    radius_km = 0.0
    for corner in corners:
        square_m2 = 0.0
        for axis in range(3):
            apart_m = positions_m[axis, corner] - centre_m[axis]
            square_m2 += apart_m * apart_m
        radius_km = max(radius_km, 1e-3 * math.sqrt(square_m2))
    return centre_m, radius_km


@inlined
def compute_tile(
    inputs: ChannelInputs,
    frames: NDArray[np.float64],
    kinds: NDArray[np.uint8],
    rows: int,
    cols: int,
    work: Scratch,
    levels: NDArray[np.float32],
    servers: NDArray[np.uint16],
) -> None:
    """Fill ``levels`` float32[6, y, x] (LEVEL_BANDS) and ``servers`` uint16[y, x] (index + 1) of a tile.

    ``frames`` float64[11, pixel], ``kinds`` uint8[pixel].
    """
    positions_m = frames[:3]
    centre_m, radius_km = tile_ball(positions_m, rows, cols)
    tile_bounds(inputs, centre_m, radius_km, work.near_km, work.wanted_bound_dbuvm, work.nuisance_bound_dbuvm)
    pixels = tile_places(frames, centre_m)
    order = np.argsort(-work.wanted_bound_dbuvm, kind="mergesort")
    if not find_servers(inputs, pixels, kinds, order, work):
        return
    rules = inputs.rules
    point_antennas(inputs, frames, work)
    one = one_polarisation(work.server[: kinds.size], inputs.stations.polarisation)
    add_network(inputs, pixels, one, kinds, work)
    middle = (rows // 2) * cols + cols // 2
    order, means, left_mean = order_interferers(inputs, frames, middle, 2.0 * radius_km, kinds.size, work)
    sum_nuisance(inputs, pixels, kinds, order, means, left_mean, one, work)
    server, wanted_dbuvm, best_dbuvm, direction = (
        work.server,
        work.wanted_dbuvm,
        work.best_dbuvm,
        work.direction,
    )
    running, squares, polarisation = work.running, work.squares, work.polarisation
    relative_variance = variance_per_square(rules.interferer_sigma_db)
    for p in range(kinds.size):
        if server[p] < 0:
            continue
        nuisance_dbuvm, sigma_db = fenton_wilkinson(running[p], relative_variance * squares[p])
        y, x = p // cols, p % cols
        levels[0, y, x], levels[1, y, x] = wanted_dbuvm[p], best_dbuvm[p]
        levels[2, y, x], levels[3, y, x] = nuisance_dbuvm, sigma_db
        levels[4, y, x] = pointing_deg(polarisation[p], direction, frames, p)
        levels[5, y, x] = location_probability(
            wanted_dbuvm[p], nuisance_dbuvm, rules.wanted_sigma_db, sigma_db
        )
        servers[y, x] = server[p] + 1


@inner
def cut_tile(
    kinds: NDArray[np.uint8],
    ground_m: NDArray[np.float32],
    environment: NDArray[np.uint8],
    top: int,
    left: int,
    cols: int,
    tile_kinds: NDArray[np.uint8],
    work: Scratch,
) -> bool:
    """Copy a tile out of the rasters [y, x] of a block, pixel by pixel; False: no reception in it."""
    tile_ground_m, tile_environment = work.ground_m, work.environment
    some = False
    for p in range(tile_kinds.size):
        y, x = top + p // cols, left + p % cols
        tile_kinds[p], tile_ground_m[p] = kinds[y, x], ground_m[y, x]
        tile_environment[p] = environment[y, x]
        some = some or kinds[y, x] != _NO_RECEPTION
    return some


class BlockValues(NamedTuple):
    """``levels`` float32[6, y, x] (LEVEL_BANDS), ``servers`` uint16[y, x] (index + 1), facts of tiles."""

    levels: NDArray[np.float32]
    servers: NDArray[np.uint16]
    facts: TileFacts


def empty_values(shape: tuple[int, int], transmitters: int) -> BlockValues:
    """Values of a block (height, width) without reception."""
    levels = np.full((len(LEVEL_BANDS), *shape), np.nan, dtype=np.float32)
    facts = empty_facts(tiles_in(shape, PRUNED_TILE_PX), transmitters)
    return BlockValues(levels, np.zeros(shape, dtype=np.uint16), facts)


def without_values(shape: tuple[int, int]) -> BlockValues:
    """The same of a block where none is asked for: to be read only, and without facts."""
    levels = np.broadcast_to(np.float32(np.nan), (len(LEVEL_BANDS), *shape))
    return BlockValues(levels, np.broadcast_to(np.uint16(0), shape), empty_facts((0, 0), 0))


@borrowing
def begin_facts(work: Scratch) -> None:
    """Facts of a tile of which nothing is known yet: no station counts, no other may."""
    work.counted[:] = False
    work.limits[:] = math.inf
    work.limits[NETWORK_KM] = -1.0


@kernel
def compute_block(
    inputs: ChannelInputs,
    area: Lattice,
    row: int,
    col: int,
    kinds: NDArray[np.uint8],
    ground_m: NDArray[np.float32],
    environment: NDArray[np.uint8],
    filled: BlockValues,
) -> None:
    """Fill the values of a block of ``kinds`` uint8[y, x].

    ``ground_m`` float32[y, x]: ground above sea level, NaN = unknown; ``environment`` uint8[y, x] of Hata, of
    account where the receiver has surroundings by pixel.

    The block starts at pixel (row, col), multiples of 32. Pixels without reception keep what they hold, tiles
    without any also their facts.
    """
    work = scratch_of(inputs.stations.mast.size)
    height, width = kinds.shape
    for top in range(0, height, PRUNED_TILE_PX):
        for left in range(0, width, PRUNED_TILE_PX):
            rows, cols = min(PRUNED_TILE_PX, height - top), min(PRUNED_TILE_PX, width - left)
            part = np.empty(rows * cols, np.uint8)
            if not cut_tile(kinds, ground_m, environment, top, left, cols, part, work):
                continue
            frames = np.empty((11, rows, cols))
            begin_facts(work)
            pixel_frames(
                area.step_px, area.first_row, area.first_col, area.nodes, row + top, col + left, frames
            )
            compute_tile(
                inputs,
                frames.reshape(11, -1),
                part,
                rows,
                cols,
                work,
                filled.levels[:, top : top + rows, left : left + cols],
                filled.servers[top : top + rows, left : left + cols],
            )
            place = top // PRUNED_TILE_PX, left // PRUNED_TILE_PX
            filled.facts.counted[place], filled.facts.limits[place] = work.counted, work.limits
