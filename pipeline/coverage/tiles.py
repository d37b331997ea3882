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

from pipeline.coverage.field_bounds import bound_means, tile_bounds, towards
from pipeline.coverage.fields import INTERFERING, WANTED, Receiver, Tables, tile_fields
from pipeline.coverage.nuisance import (
    fenton_wilkinson,
    location_probability,
    lognormal_mean,
    negligible,
    variance_per_square,
)
from pipeline.coverage.packed import Paths, Stations
from pipeline.grid.geodesy import azimuth_deg, grid_azimuth_deg, pixel_frames, rays
from pipeline.kernels import kernel
from pipeline.radio.antennas import Polarisation, directivity_db, discrimination_db

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
    """Working arrays of one thread; [transmitter], [pixel of the tile] or [transmitter, pixel].

    ``running``, ``squares``, ``terms``, ``noise`` are linear powers; ``direction`` [2, pixel] in m.
    """

    near_km: NDArray[np.float64]
    wanted_bound: NDArray[np.float64]
    nuisance_bound: NDArray[np.float64]
    computed: NDArray[np.bool_]
    pixels: NDArray[np.int64]
    d_km: NDArray[np.float64]
    az_deg: NDArray[np.float64]
    field: NDArray[np.float64]
    discrimination: NDArray[np.float64]
    member: NDArray[np.bool_]
    best: NDArray[np.float64]
    server: NDArray[np.int64]
    server_km: NDArray[np.float64]
    direction: NDArray[np.float64]
    polarisation: NDArray[np.int64]
    mode: NDArray[np.int64]
    noise: NDArray[np.float64]
    wanted: NDArray[np.float64]
    running: NDArray[np.float64]
    squares: NDArray[np.float64]
    terms: NDArray[np.float64]


@kernel
def scratch_of(transmitters: int) -> Scratch:
    """Working arrays for a number of transmitters; what is never computed stays zero."""
    n, p = transmitters, TILE_PIXELS
    return Scratch(
        np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(n, np.bool_), np.zeros(p, np.int64), np.zeros(p),
        np.zeros(p), np.zeros(p), np.zeros(p), np.zeros(p, np.bool_), np.zeros(p), np.zeros(p, np.int64),
        np.zeros(p), np.zeros((2, p)), np.zeros(p, np.int64), np.zeros(p, np.int64), np.zeros(p), np.zeros(p),
        np.zeros(p), np.zeros(p), np.empty((n, p)),
    )  # fmt: skip


@kernel
def may_serve(kind: int, home: bool, spillover: bool) -> bool:
    """Own transmitters serve in the territory, foreign ones outside; with ``spillover`` all everywhere."""
    return kind != NO_RECEPTION and (spillover or home == (kind == HOME))


@kernel
def choose_candidates(
    kinds: NDArray[np.uint8], best: NDArray[np.float64], bound_dbuvm: float, home: bool, spillover: bool,
    exhaustive: bool, pixels: NDArray[np.int64],
) -> int:  # fmt: skip
    """List the pixels that a transmitter may serve and whose best field it might reach; their number."""
    chosen = 0
    for p in range(kinds.size):
        if may_serve(kinds[p], home, spillover) and (exhaustive or bound_dbuvm >= best[p]):
            pixels[chosen] = p
            chosen += 1
    return chosen


@kernel
def keep_best(
    t: int, pixels: NDArray[np.int64], field: NDArray[np.float64], d_km: NDArray[np.float64],
    best: NDArray[np.float64], server: NDArray[np.int64], server_km: NDArray[np.float64],
) -> None:  # fmt: skip
    """Make t the server of the listed pixels where its field is larger, or equal and t the lower index."""
    for p in pixels:
        e = field[p]
        if e > best[p] or (e == best[p] and t < server[p]):
            best[p], server[p], server_km[p] = e, t, d_km[p]


@kernel
def find_servers(
    stations: Stations, paths: Paths, tables: Tables, receiver: Receiver, rules: Rules,
    positions_m: NDArray[np.float64], kinds: NDArray[np.uint8], work: Scratch,
) -> bool:  # fmt: skip
    """Fill best field, server and its distance per pixel, of equals the lower index; False: no server."""
    best, server = work.best[: kinds.size], work.server[: kinds.size]
    best[:] = -math.inf
    server[:] = -1
    for t in np.argsort(-work.wanted_bound, kind="mergesort"):
        bound = work.wanted_bound[t]
        if bound == -math.inf:
            break
        chosen = choose_candidates(
            kinds, best, bound, stations.home[t], rules.spillover, rules.exhaustive, work.pixels
        )
        if chosen == 0:
            continue
        rays(stations.frame[t], positions_m, work.d_km, work.az_deg)
        listed = work.pixels[:chosen]
        tile_fields(stations, paths, tables, receiver, t, WANTED, listed, work.d_km, work.az_deg, work.field)
        keep_best(t, listed, work.field, work.d_km, best, server, work.server_km)
    return bool(np.max(server) >= 0)


@kernel
def point_antennas(stations: Stations, rules: Rules, frames: NDArray[np.float64], work: Scratch) -> None:
    """Fill what follows from the best server: direction of the antenna, polarisation, mode, noise power."""
    site, direction, server = stations.frame, work.direction, work.server
    polarisation, mode, noise_dbuvm = stations.polarisation, stations.mode, rules.noise_dbuvm
    wanted_polarisation, wanted_mode, noise = work.polarisation, work.mode, work.noise
    for p in range(frames.shape[1]):
        t = server[p]
        if t >= 0:
            direction[0, p], direction[1, p] = towards(site[t], frames, p)
            wanted_polarisation[p], wanted_mode[p] = polarisation[t], mode[t]
            noise[p] = 10.0 ** (0.1 * noise_dbuvm[mode[t]])


@kernel
def antenna_db(
    site: NDArray[np.float64], polarisation: int, receiver: Receiver, frames: NDArray[np.float64],
    direction: NDArray[np.float64], wanted_polarisation: NDArray[np.int64], pixels: NDArray[np.int64],
    discrimination: NDArray[np.float64],
) -> None:  # fmt: skip
    """Fill D of one transmitter at the pixels listed; each antenna points at its best server."""
    for p in pixels:
        a, b = towards(site, frames, p)
        to_a, to_b = direction[0, p], direction[1, p]
        angle_deg = azimuth_deg(abs(a * to_b - b * to_a), a * to_a + b * to_b)
        directed_db = directivity_db(angle_deg, receiver.flat_deg, receiver.end_deg, receiver.directivity_db)
        discrimination[p] = discrimination_db(
            wanted_polarisation[p], polarisation, directed_db, receiver.cross_polar_db
        )


@kernel
def mark_members(stations: Stations, rules: Rules, kinds: NDArray[np.uint8], work: Scratch, t: int) -> bool:
    """Fill ``member``: where t repeats the wanted signal inside the guard interval; False: nowhere possible.

    Uses the distances in ``work``. Only what may serve a pixel can be wanted there; the server is a member.
    """
    if stations.network[t] < 0 or stations.offset[t] != 0:
        return False
    network, home, guard_km = stations.network, stations.home[t], stations.guard_km[t]
    server, server_km, d_km, member = work.server, work.server_km, work.d_km, work.member
    for p in range(kinds.size):
        s = server[p]
        same = s >= 0 and network[s] == network[t] and may_serve(kinds[p], home, rules.spillover)
        member[p] = same and abs(d_km[p] - server_km[p]) <= guard_km
    return True


@kernel
def add_members(
    t: int, pixels: NDArray[np.int64], field: NDArray[np.float64], discrimination: NDArray[np.float64],
    server: NDArray[np.int64], wanted: NDArray[np.float64],
) -> None:  # fmt: skip
    """Add the wanted power of one member; to the server itself the antenna points."""
    for p in pixels:
        d_db = 0.0 if server[p] == t else discrimination[p]
        wanted[p] += 10.0 ** (0.1 * (field[p] - d_db))


@kernel
def add_network(
    stations: Stations, paths: Paths, tables: Tables, receiver: Receiver, rules: Rules,
    positions_m: NDArray[np.float64], frames: NDArray[np.float64], kinds: NDArray[np.uint8], work: Scratch,
) -> None:  # fmt: skip
    """Fill the wanted level: the best server, in a single-frequency network the power sum of its members.

    Members inside the guard interval count, each with its own discrimination, added in order of id.
    """
    server, network, wanted, best = work.server, stations.network, work.wanted, work.best
    farthest_km = -1.0
    for p in range(kinds.size):
        in_network = server[p] >= 0 and network[server[p]] >= 0
        wanted[p] = 0.0 if in_network else best[p]
        if in_network:
            farthest_km = max(farthest_km, work.server_km[p])
    if farthest_km < 0.0:
        return
    field, discrimination = work.field, work.discrimination
    for t in range(network.size):
        if network[t] < 0 or work.near_km[t] > farthest_km + stations.guard_km[t]:
            continue
        rays(stations.frame[t], positions_m, work.d_km, work.az_deg)
        if not mark_members(stations, rules, kinds, work, t):
            continue
        listed = np.flatnonzero(work.member[: kinds.size])
        tile_fields(stations, paths, tables, receiver, t, WANTED, listed, work.d_km, work.az_deg, field)
        antenna_db(
            stations.frame[t], stations.polarisation[t], receiver, frames, work.direction, work.polarisation,
            listed, discrimination,
        )  # fmt: skip
        add_members(t, listed, field, discrimination, server, wanted)
    for p in range(kinds.size):
        if server[p] >= 0 and network[server[p]] >= 0:
            wanted[p] = 10.0 * math.log10(wanted[p])


@kernel
def choose_disturbed(
    t: int, server: NDArray[np.int64], running: NDArray[np.float64], member: NDArray[np.bool_],
    members: bool, left_mean: float, exhaustive: bool, pixels: NDArray[np.int64],
) -> int:  # fmt: skip
    """List the pixels to which t and what follows it may matter; their number, -1 if there is none at all.

    Not listed though it may matter: where t is wanted.
    """
    chosen, needed = 0, False
    for p in range(server.size):
        if server[p] >= 0 and (exhaustive or not negligible(left_mean, running[p])):
            needed = True
            if t != server[p] and not (members and member[p]):
                pixels[chosen] = p
                chosen += 1
    return chosen if needed else -1


@kernel
def add_terms(
    ratio_db: NDArray[np.float64], sigma_db: float, pixels: NDArray[np.int64], field: NDArray[np.float64],
    discrimination: NDArray[np.float64], mode: NDArray[np.int64], terms: NDArray[np.float64],
    running: NDArray[np.float64],
) -> None:  # fmt: skip
    """Mean nuisance powers of one transmitter at the pixels listed, also added to the running sums."""
    for p in pixels:
        terms[p] = lognormal_mean(field[p] + ratio_db[mode[p]] - discrimination[p], sigma_db)
        running[p] += terms[p]


@kernel
def sum_nuisance(
    stations: Stations, paths: Paths, tables: Tables, receiver: Receiver, rules: Rules,
    positions_m: NDArray[np.float64], frames: NDArray[np.float64], kinds: NDArray[np.uint8], middle: int,
    radius_km: float, work: Scratch,
) -> None:  # fmt: skip
    """Fill mean nuisance powers ``terms`` of the transmitters that matter; ``computed`` says which rows.

    No pixel of the tile is farther than ``radius_km`` from the pixel ``middle``.
    """
    means = bound_means(
        stations, receiver, rules.ratio_db, rules.interferer_sigma_db, frames, middle, radius_km,
        work.server[: kinds.size], work.nuisance_bound,
    )  # fmt: skip
    order = np.argsort(-means, kind="mergesort")
    left_mean = means[order]
    for k in range(order.size - 2, -1, -1):
        left_mean[k] += left_mean[k + 1]
    work.computed[:] = False
    work.running[:] = work.noise
    server, ratios_db = work.server[: kinds.size], np.ascontiguousarray(rules.ratio_db.T)
    for k, t in enumerate(order):
        rays(stations.frame[t], positions_m, work.d_km, work.az_deg)
        members = mark_members(stations, rules, kinds, work, t)
        chosen = choose_disturbed(
            t, server, work.running, work.member, members, left_mean[k], rules.exhaustive, work.pixels
        )
        if chosen < 0:
            break
        if chosen == 0:
            continue
        listed = work.pixels[:chosen]
        tile_fields(
            stations, paths, tables, receiver, t, INTERFERING, listed, work.d_km, work.az_deg, work.field
        )
        antenna_db(
            stations.frame[t], stations.polarisation[t], receiver, frames, work.direction, work.polarisation,
            listed, work.discrimination,
        )  # fmt: skip
        work.computed[t] = True
        work.terms[t, :] = 0.0
        add_terms(
            ratios_db[t], rules.interferer_sigma_db, listed, work.field, work.discrimination, work.mode,
            work.terms[t], work.running,
        )  # fmt: skip


@kernel
def total_nuisance(work: Scratch, count: int) -> None:
    """Fill mean and sum of squared means of the power per pixel: noise, then interferers in order of id."""
    running, squares = work.running, work.squares
    running[:] = work.noise
    squares[:] = 0.0
    for t in range(work.computed.size):
        if work.computed[t]:
            terms = work.terms[t]
            for p in range(count):
                running[p] += terms[p]
                squares[p] += terms[p] * terms[p]


@kernel
def pointing_deg(
    polarisation: int, direction: NDArray[np.float64], frames: NDArray[np.float64], p: int
) -> float:
    """Grid azimuth towards the best server; NaN where its polarisation leaves no discrimination."""
    if polarisation != _HORIZONTAL and polarisation != _VERTICAL:
        return math.nan
    return grid_azimuth_deg(direction[0, p], direction[1, p], frames[9, p], frames[10, p])


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
    point_antennas(stations, rules, frames, work)
    add_network(stations, paths, tables, receiver, rules, positions_m, frames, kinds, work)
    middle = (rows // 2) * cols + cols // 2
    sum_nuisance(
        stations, paths, tables, receiver, rules, positions_m, frames, kinds, middle, 2.0 * radius_km, work
    )
    total_nuisance(work, kinds.size)
    server, wanted, best, direction = work.server, work.wanted, work.best, work.direction
    running, squares, polarisation = work.running, work.squares, work.polarisation
    relative_variance = variance_per_square(rules.interferer_sigma_db)
    for p in range(kinds.size):
        if server[p] < 0:
            continue
        nuisance, sigma = fenton_wilkinson(running[p], relative_variance * squares[p])
        levels[0, p], levels[1, p], levels[2, p], levels[3, p] = wanted[p], best[p], nuisance, sigma
        levels[4, p] = pointing_deg(polarisation[p], direction, frames, p)
        levels[5, p] = location_probability(wanted[p], nuisance, rules.wanted_sigma_db, sigma)
        servers[p] = server[p] + 1


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
