"""Best server, nuisance and location probability of the pixels of a block (protection.md, section 1).

A block is worked through in tiles of 32 x 32 pixels that lie on multiples of 32 pixels of the grid: what is
left out depends on the tile and the pixel, never on the block or the thread. For a tile every transmitter
gets an upper bound of its field. The wanted field is then computed from the strongest bound down as long as
a bound reaches what is already found, which leaves the maximum exact; the nuisance is summed from the
strongest bound down until all bounds that follow are together negligible (``nuisance.negligible``).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.coverage.discrimination import Polarisation, directivity_db, discrimination_db
from pipeline.coverage.fields import (
    INTERFERING,
    WANTED,
    Receiver,
    Tables,
    tile_bounds,
    tile_fields,
)
from pipeline.coverage.nuisance import (
    fenton_wilkinson,
    location_probability,
    lognormal_mean,
    negligible,
    variance_per_square,
)
from pipeline.coverage.stations import Paths, Stations
from pipeline.numba_options import kernel
from pipeline.territory.geodesy import azimuth_deg, grid_azimuth_deg, pixel_frames, rays

TILE_PX = 32
TILE_PIXELS = TILE_PX * TILE_PX
# Kinds of pixel a block is made of.
NO_RECEPTION, HOME, FOREIGN = 0, 1, 2

_HORIZONTAL, _VERTICAL = int(Polarisation.HORIZONTAL), int(Polarisation.VERTICAL)

LEVEL_BANDS = (
    "wanted_dbuvm", "field_dbuvm", "nuisance_dbuvm", "nuisance_sigma_db", "azimuth_deg", "probability",
)  # fmt: skip


class Rules(NamedTuple):
    """Planning values: ``ratio_db`` [mode, transmitter], ``noise_dbuvm`` [mode], spreads in dB.

    ``spillover``: any transmitter may serve anywhere. ``exhaustive``: nothing is left out (for tests).
    """

    ratio_db: NDArray[np.float64]
    noise_dbuvm: NDArray[np.float64]
    wanted_sigma_db: float
    interferer_sigma_db: float
    spillover: bool
    exhaustive: bool


class Scratch(NamedTuple):
    """Working arrays of one thread; [transmitter], [pixel of the tile] or [transmitter, pixel]."""

    near_km: NDArray[np.float64]
    wanted_bound: NDArray[np.float64]
    nuisance_bound: NDArray[np.float64]
    pixels: NDArray[np.int64]
    d_km: NDArray[np.float64]
    az_deg: NDArray[np.float64]
    field: NDArray[np.float64]
    best: NDArray[np.float64]
    server: NDArray[np.int64]
    server_km: NDArray[np.float64]
    direction: NDArray[np.float64]
    wanted: NDArray[np.float64]
    running: NDArray[np.float64]
    squares: NDArray[np.float64]
    terms: NDArray[np.float64]
    computed: NDArray[np.bool_]


@kernel
def scratch_of(transmitters: int) -> Scratch:
    """Working arrays for a number of transmitters."""
    n, pixels = transmitters, TILE_PIXELS
    return Scratch(
        np.empty(n), np.empty(n), np.empty(n), np.empty(pixels, np.int64), np.empty(pixels),
        np.empty(pixels), np.empty(pixels), np.empty(pixels), np.empty(pixels, np.int64), np.empty(pixels),
        np.empty((2, pixels)), np.empty(pixels), np.empty(pixels), np.empty(pixels), np.empty((n, pixels)),
        np.empty(n, np.bool_),
    )  # fmt: skip


@kernel
def may_serve(stations: Stations, t: int, kind: int, spillover: bool) -> bool:
    """Own transmitters serve in the territory, foreign ones outside; with ``spillover`` all everywhere."""
    return spillover or stations.home[t] == (kind == HOME)


@kernel
def find_servers(
    stations: Stations, paths: Paths, tables: Tables, receiver: Receiver, rules: Rules,
    positions_m: NDArray[np.float64], kinds: NDArray[np.uint8], work: Scratch,
) -> bool:  # fmt: skip
    """Fill best field, server and its distance per pixel, of equals the lower index; False: no server."""
    count = kinds.size
    work.best[:count] = -math.inf
    work.server[:count] = -1
    found = False
    for t in np.argsort(-work.wanted_bound, kind="mergesort"):
        bound = work.wanted_bound[t]
        if bound == -math.inf:
            break
        chosen = 0
        for p in range(count):
            if kinds[p] == NO_RECEPTION or not may_serve(stations, t, kinds[p], rules.spillover):
                continue
            if rules.exhaustive or bound >= work.best[p]:
                work.pixels[chosen] = p
                chosen += 1
        if chosen == 0:
            continue
        rays(stations.frame[t], positions_m, work.d_km, work.az_deg)
        listed = work.pixels[:chosen]
        tile_fields(stations, paths, tables, receiver, t, WANTED, listed, work.d_km, work.az_deg, work.field)
        for p in listed:
            e = work.field[p]
            if e > work.best[p] or (e == work.best[p] and t < work.server[p]):
                work.best[p], work.server[p], work.server_km[p] = e, t, work.d_km[p]
                found = True
    return found


@kernel
def point_antennas(stations: Stations, frames: NDArray[np.float64], work: Scratch) -> None:
    """Fill the horizontal direction towards the best server on the axes of each pixel."""
    for p in range(frames.shape[1]):
        t = work.server[p]
        if t >= 0:
            work.direction[0, p], work.direction[1, p] = towards(stations.frame[t], frames, p)


@kernel
def towards(site: NDArray[np.float64], frames: NDArray[np.float64], p: int) -> tuple[float, float]:
    """Horizontal components, on the axes of pixel p, of the way to a site."""
    dx, dy, dz = site[0] - frames[0, p], site[1] - frames[1, p], site[2] - frames[2, p]
    return (
        dx * frames[3, p] + dy * frames[4, p] + dz * frames[5, p],
        dx * frames[6, p] + dy * frames[7, p] + dz * frames[8, p],
    )


@kernel
def antenna_db(
    stations: Stations, receiver: Receiver, frames: NDArray[np.float64], work: Scratch, t: int, p: int
) -> float:
    """D of transmitter t at pixel p, whose antenna points at its best server with that one's polarisation."""
    a, b = towards(stations.frame[t], frames, p)
    to_a, to_b = work.direction[0, p], work.direction[1, p]
    angle_deg = azimuth_deg(abs(a * to_b - b * to_a), a * to_a + b * to_b)
    directed_db = directivity_db(angle_deg, receiver.flat_deg, receiver.end_deg, receiver.directivity_db)
    wanted = stations.polarisation[work.server[p]]
    return discrimination_db(wanted, stations.polarisation[t], directed_db, receiver.cross_polar_db)


@kernel
def within_guard(
    stations: Stations, rules: Rules, kinds: NDArray[np.uint8], work: Scratch, t: int, p: int
) -> bool:
    """Whether t repeats the wanted signal of pixel p inside the guard interval (distance in ``work``).

    Only what may serve the pixel can be wanted there.
    """
    s = work.server[p]
    if stations.network[t] < 0 or stations.network[t] != stations.network[s] or stations.offset[t] != 0:
        return False
    if not may_serve(stations, t, kinds[p], rules.spillover):
        return False
    return abs(work.d_km[p] - work.server_km[p]) <= stations.guard_km[t]


@kernel
def add_network(
    stations: Stations, paths: Paths, tables: Tables, receiver: Receiver, rules: Rules,
    positions_m: NDArray[np.float64], frames: NDArray[np.float64], kinds: NDArray[np.uint8], work: Scratch,
) -> None:  # fmt: skip
    """Fill the wanted level: the best server, in a single-frequency network the power sum of its members.

    Members inside the guard interval count, each with its own discrimination, added in order of id.
    """
    count = kinds.size
    farthest_km = 0.0
    for p in range(count):
        in_network = work.server[p] >= 0 and stations.network[work.server[p]] >= 0
        work.wanted[p] = 0.0 if in_network else work.best[p]
        if in_network:
            farthest_km = max(farthest_km, work.server_km[p])
    if farthest_km == 0.0:
        return
    for t in range(stations.network.size):
        if stations.network[t] < 0 or work.near_km[t] > farthest_km + stations.guard_km[t]:
            continue
        rays(stations.frame[t], positions_m, work.d_km, work.az_deg)
        chosen = 0
        for p in range(count):
            if work.server[p] >= 0 and within_guard(stations, rules, kinds, work, t, p):
                work.pixels[chosen] = p
                chosen += 1
        listed = work.pixels[:chosen]
        tile_fields(stations, paths, tables, receiver, t, WANTED, listed, work.d_km, work.az_deg, work.field)
        for p in listed:
            own = work.server[p] == t
            d_db = 0.0 if own else antenna_db(stations, receiver, frames, work, t, p)
            work.wanted[p] += 10.0 ** (0.1 * (work.field[p] - d_db))
    for p in range(count):
        if work.server[p] >= 0 and stations.network[work.server[p]] >= 0:
            work.wanted[p] = 10.0 * math.log10(work.wanted[p])


@kernel
def bound_means(stations: Stations, rules: Rules, work: Scratch) -> NDArray[np.float64]:
    """Upper bounds of each transmitter's mean nuisance power in the tile, for any wanted mode."""
    means = np.empty(stations.mast.size)
    for t in range(means.size):
        ratio_db = np.max(rules.ratio_db[:, t])
        means[t] = lognormal_mean(work.nuisance_bound[t] + ratio_db, rules.interferer_sigma_db)
    return means


@kernel
def sum_nuisance(
    stations: Stations, paths: Paths, tables: Tables, receiver: Receiver, rules: Rules,
    positions_m: NDArray[np.float64], frames: NDArray[np.float64], kinds: NDArray[np.uint8], work: Scratch,
) -> None:  # fmt: skip
    """Fill mean nuisance powers ``terms`` of the transmitters that matter; ``computed`` says which rows."""
    count = kinds.size
    means = bound_means(stations, rules, work)
    order = np.argsort(-means, kind="mergesort")
    left_mean = means[order]
    for k in range(order.size - 2, -1, -1):
        left_mean[k] += left_mean[k + 1]
    work.computed[:] = False
    for p in range(count):
        if work.server[p] >= 0:
            work.running[p] = 10.0 ** (0.1 * rules.noise_dbuvm[stations.mode[work.server[p]]])
    for k in range(order.size):
        t = order[k]
        rays(stations.frame[t], positions_m, work.d_km, work.az_deg)
        chosen, needed = 0, False
        for p in range(count):
            if work.server[p] < 0 or (not rules.exhaustive and negligible(left_mean[k], work.running[p])):
                continue
            needed = True
            if t != work.server[p] and not within_guard(stations, rules, kinds, work, t, p):
                work.pixels[chosen] = p
                chosen += 1
        if not needed:
            break
        if chosen == 0:
            continue
        listed = work.pixels[:chosen]
        tile_fields(
            stations, paths, tables, receiver, t, INTERFERING, listed, work.d_km, work.az_deg, work.field
        )
        work.computed[t] = True
        work.terms[t, :count] = 0.0
        for p in listed:
            ratio_db = rules.ratio_db[stations.mode[work.server[p]], t]
            level = work.field[p] + ratio_db - antenna_db(stations, receiver, frames, work, t, p)
            work.terms[t, p] = lognormal_mean(level, rules.interferer_sigma_db)
            work.running[p] += work.terms[t, p]


@kernel
def total_nuisance(stations: Stations, rules: Rules, work: Scratch, count: int) -> None:
    """Fill mean and sum of squared means of the power per pixel: noise, then interferers in order of id."""
    for p in range(count):
        work.squares[p] = 0.0
        if work.server[p] >= 0:
            work.running[p] = 10.0 ** (0.1 * rules.noise_dbuvm[stations.mode[work.server[p]]])
    for t in range(work.computed.size):
        if work.computed[t]:
            terms = work.terms[t]
            for p in range(count):
                work.running[p] += terms[p]
                work.squares[p] += terms[p] * terms[p]


@kernel
def pointing_deg(stations: Stations, frames: NDArray[np.float64], work: Scratch, p: int) -> float:
    """Grid azimuth towards the best server; NaN where its polarisation leaves no discrimination."""
    polarisation = stations.polarisation[work.server[p]]
    if polarisation != _HORIZONTAL and polarisation != _VERTICAL:
        return math.nan
    return grid_azimuth_deg(work.direction[0, p], work.direction[1, p], frames[9, p], frames[10, p])


@kernel
def tile_ball(positions_m: NDArray[np.float64], rows: int, cols: int) -> tuple[NDArray[np.float64], float]:
    """Centre in m and radius in km of a ball that holds the pixel centres of a tile."""
    corners = np.array([0, cols - 1, (rows - 1) * cols, rows * cols - 1])
    centre_m = np.zeros(3)
    for corner in corners:
        centre_m += 0.25 * positions_m[:, corner]
    radius_km = 0.0
    for corner in corners:
        apart_m = positions_m[:, corner] - centre_m
        radius_km = max(radius_km, 1e-3 * math.sqrt(np.sum(apart_m * apart_m)))
    return centre_m, radius_km


@kernel
def compute_tile(
    stations: Stations, paths: Paths, tables: Tables, receiver: Receiver, rules: Rules,
    frames: NDArray[np.float64], kinds: NDArray[np.uint8], rows: int, cols: int, work: Scratch,
    levels: NDArray[np.float32], servers: NDArray[np.uint16],
) -> None:  # fmt: skip
    """Fill ``levels`` float32[6, pixel] (LEVEL_BANDS) and ``servers`` uint16[pixel] (index + 1) of a tile."""
    positions_m = frames[:3]
    centre_m, radius_km = tile_ball(positions_m, rows, cols)
    tile_bounds(
        stations, paths, tables, receiver, centre_m, radius_km, work.near_km, work.wanted_bound,
        work.nuisance_bound,
    )  # fmt: skip
    if not find_servers(stations, paths, tables, receiver, rules, positions_m, kinds, work):
        return
    point_antennas(stations, frames, work)
    add_network(stations, paths, tables, receiver, rules, positions_m, frames, kinds, work)
    sum_nuisance(stations, paths, tables, receiver, rules, positions_m, frames, kinds, work)
    total_nuisance(stations, rules, work, kinds.size)
    relative_variance = variance_per_square(rules.interferer_sigma_db)
    for p in range(kinds.size):
        if work.server[p] < 0:
            continue
        nuisance, sigma = fenton_wilkinson(work.running[p], relative_variance * work.squares[p])
        levels[0, p], levels[1, p] = work.wanted[p], work.best[p]
        levels[2, p], levels[3, p] = nuisance, sigma
        levels[4, p] = pointing_deg(stations, frames, work, p)
        levels[5, p] = location_probability(work.wanted[p], nuisance, rules.wanted_sigma_db, sigma)
        servers[p] = work.server[p] + 1


@kernel
def compute_block(
    stations: Stations, paths: Paths, tables: Tables, receiver: Receiver, rules: Rules,
    step_px: int, first_row: int, first_col: int, nodes: NDArray[np.float64], row: int, col: int,
    kinds: NDArray[np.uint8], levels: NDArray[np.float32], servers: NDArray[np.uint16],
) -> None:  # fmt: skip
    """Fill ``levels`` float32[6, y, x] and ``servers`` uint16[y, x] of a block of ``kinds`` uint8[y, x].

    The block starts at pixel (row, col), multiples of 32. Pixels without reception keep what they hold.
    """
    work = scratch_of(stations.mast.size)
    height, width = kinds.shape
    for top in range(0, height, TILE_PX):
        for left in range(0, width, TILE_PX):
            part = np.ascontiguousarray(kinds[top : top + TILE_PX, left : left + TILE_PX])
            if not np.any(part):
                continue
            rows, cols = part.shape
            frames = np.empty((11, rows, cols))
            pixel_frames(step_px, first_row, first_col, nodes, row + top, col + left, frames)
            tile_levels = np.full((levels.shape[0], rows * cols), np.float32(math.nan), np.float32)
            tile_servers = np.zeros(rows * cols, np.uint16)
            compute_tile(
                stations, paths, tables, receiver, rules, frames.reshape(11, -1), part.ravel(), rows, cols,
                work, tile_levels, tile_servers,
            )  # fmt: skip
            inside = (slice(top, top + rows), slice(left, left + cols))
            levels[:, inside[0], inside[1]] = tile_levels.reshape(levels.shape[0], rows, cols)
            servers[inside[0], inside[1]] = tile_servers.reshape(rows, cols)
