"""Best server of the pixels of a tile, and the wanted level of a single-frequency network around it.

The wanted field is computed from the strongest bound down as long as a bound reaches what is already found,
which leaves the maximum exact.
"""

from __future__ import annotations

import math
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from pipeline.coverage.field_bounds import towards
from pipeline.coverage.fields import WANTED, Scratch, fields_in_tile
from pipeline.coverage.inputs import ChannelInputs
from pipeline.grid.geodesy import azimuth_deg, rays
from pipeline.kernels import inner
from pipeline.radio.antennas import directivity_db, discrimination_db


class PixelKind(IntEnum):
    """Kinds of pixel a block is made of."""

    NO_RECEPTION = 0
    HOME = 1
    FOREIGN = 2


_NO_RECEPTION, _HOME = int(PixelKind.NO_RECEPTION), int(PixelKind.HOME)


@inner
def may_serve(kind: int, home: bool, spillover: bool) -> bool:
    """Own transmitters serve in the territory, foreign ones outside; with ``spillover`` all everywhere."""
    return kind != _NO_RECEPTION and (spillover or home == (kind == _HOME))


@inner
def choose_candidates(
    kinds: NDArray[np.uint8],
    best_dbuvm: NDArray[np.float64],
    bound_dbuvm: float,
    home: bool,
    spillover: bool,
    pixels: NDArray[np.int64],
) -> int:
    """List the pixels that a transmitter may serve and whose best field it might reach; their number."""
    chosen = 0
    for p in range(kinds.size):
        if may_serve(kinds[p], home, spillover) and bound_dbuvm >= best_dbuvm[p]:
            pixels[chosen] = p
            chosen += 1
    return chosen


@inner
def lowest_best_dbuvm(
    kinds: NDArray[np.uint8], best_dbuvm: NDArray[np.float64], spillover: bool
) -> tuple[float, float]:
    """Least of the best fields at the pixels that foreign and own transmitters may serve; +inf: none."""
    foreign, own = math.inf, math.inf
    for p in range(kinds.size):
        if may_serve(kinds[p], False, spillover):
            foreign = min(foreign, best_dbuvm[p])
        if may_serve(kinds[p], True, spillover):
            own = min(own, best_dbuvm[p])
    return foreign, own


@inner
def keep_best(
    t: int,
    pixels: NDArray[np.int64],
    field_dbuvm: NDArray[np.float64],
    d_km: NDArray[np.float64],
    best_dbuvm: NDArray[np.float64],
    server: NDArray[np.int64],
    server_km: NDArray[np.float64],
) -> None:
    """Make t the server of the listed pixels where its field is larger, or equal and t the lower index."""
    for p in pixels:
        e = field_dbuvm[p]
        if e > best_dbuvm[p] or (e == best_dbuvm[p] and t < server[p]):
            best_dbuvm[p], server[p], server_km[p] = e, t, d_km[p]


@inner
def find_servers(
    inputs: ChannelInputs, positions_m: NDArray[np.float64], kinds: NDArray[np.uint8], work: Scratch
) -> bool:
    """Fill best field, server and its distance per pixel, of equals the lower index; False: no server."""
    stations, spillover = inputs.stations, inputs.rules.spillover
    best_dbuvm, server = work.best_dbuvm[: kinds.size], work.server[: kinds.size]
    best_dbuvm[:] = -math.inf
    server[:] = -1
    lowest_dbuvm = lowest_best_dbuvm(kinds, best_dbuvm, spillover)
    for t in np.argsort(-work.wanted_bound_dbuvm, kind="mergesort"):
        bound_dbuvm = work.wanted_bound_dbuvm[t]
        if bound_dbuvm == -math.inf:
            break
        if bound_dbuvm < lowest_dbuvm[int(stations.home[t])]:
            continue
        chosen = choose_candidates(kinds, best_dbuvm, bound_dbuvm, stations.home[t], spillover, work.pixels)
        rays(stations.frame[t], positions_m, work.d_km, work.az_deg)
        listed = work.pixels[:chosen]
        fields_in_tile(inputs, t, WANTED, listed, work)
        keep_best(t, listed, work.field_dbuvm, work.d_km, best_dbuvm, server, work.server_km)
        lowest_dbuvm = lowest_best_dbuvm(kinds, best_dbuvm, spillover)
    served = 0
    for s in server:
        served += int(s >= 0)
    return served > 0


@inner
def point_antennas(inputs: ChannelInputs, frames: NDArray[np.float64], work: Scratch) -> None:
    """Fill what follows from the best server: direction of the antenna, polarisation, mode, noise power."""
    stations, rules = inputs.stations, inputs.rules
    site, direction, server = stations.frame, work.direction, work.server
    polarisation, mode, noise_dbuvm = stations.polarisation, stations.mode, rules.noise_dbuvm
    wanted_polarisation, wanted_mode, noise = work.polarisation, work.mode, work.noise
    for p in range(frames.shape[1]):
        t = server[p]
        if t >= 0:
            direction[0, p], direction[1, p] = towards(site[t], frames, p)
            wanted_polarisation[p], wanted_mode[p] = polarisation[t], mode[t]
            noise[p] = 10.0 ** (0.1 * noise_dbuvm[mode[t]])


@inner
def antenna_db(
    inputs: ChannelInputs, t: int, frames: NDArray[np.float64], pixels: NDArray[np.int64], work: Scratch
) -> None:
    """Fill D of transmitter t at the pixels listed; each antenna points at its best server."""
    receiver, site, polarisation = inputs.receiver, inputs.stations.frame[t], inputs.stations.polarisation[t]
    direction, wanted_polarisation, out_db = work.direction, work.polarisation, work.discrimination_db
    flat_deg, end_deg, most_db = receiver.flat_deg, receiver.end_deg, receiver.directivity_db
    # At all pixels, listed or not: so it vectorises.
    for p in range(frames.shape[1]):
        a, b = towards(site, frames, p)
        to_a, to_b = direction[0, p], direction[1, p]
        angle_deg = azimuth_deg(abs(a * to_b - b * to_a), a * to_a + b * to_b)
        out_db[p] = directivity_db(angle_deg, flat_deg, end_deg, most_db)
    for p in pixels:
        out_db[p] = discrimination_db(
            wanted_polarisation[p], polarisation, out_db[p], receiver.cross_polar_db
        )


@inner
def mark_members(inputs: ChannelInputs, kinds: NDArray[np.uint8], work: Scratch, t: int) -> bool:
    """Fill ``member``: where t repeats the wanted signal inside the guard interval; False: nowhere possible.

    Uses the distances in ``work``. Only what may serve a pixel can be wanted there; the server is a member.
    """
    stations, spillover = inputs.stations, inputs.rules.spillover
    if stations.network[t] < 0 or stations.offset[t] != 0:
        return False
    network, home, guard_km = stations.network, stations.home[t], stations.guard_km[t]
    server, server_km, d_km, member = work.server, work.server_km, work.d_km, work.member
    for p in range(kinds.size):
        s = server[p]
        same = s >= 0 and network[s] == network[t] and may_serve(kinds[p], home, spillover)
        member[p] = same and abs(d_km[p] - server_km[p]) <= guard_km
    return True


@inner
def add_members(
    t: int,
    pixels: NDArray[np.int64],
    field_dbuvm: NDArray[np.float64],
    discrimination_db: NDArray[np.float64],
    server: NDArray[np.int64],
    wanted_power: NDArray[np.float64],
) -> None:
    """Add the wanted power of one member; to the server itself the antenna points."""
    for p in pixels:
        d_db = 0.0 if server[p] == t else discrimination_db[p]
        wanted_power[p] += 10.0 ** (0.1 * (field_dbuvm[p] - d_db))


@inner
def add_network(
    inputs: ChannelInputs,
    positions_m: NDArray[np.float64],
    frames: NDArray[np.float64],
    kinds: NDArray[np.uint8],
    work: Scratch,
) -> None:
    """Fill the wanted level: the best server, in a single-frequency network the power sum of its members.

    Members inside the guard interval count, each with its own discrimination, added in order of id.
    """
    stations = inputs.stations
    server, network, wanted, best_dbuvm = work.server, stations.network, work.wanted_dbuvm, work.best_dbuvm
    farthest_km = -1.0
    for p in range(kinds.size):
        in_network = server[p] >= 0 and network[server[p]] >= 0
        wanted[p] = 0.0 if in_network else best_dbuvm[p]
        if in_network:
            farthest_km = max(farthest_km, work.server_km[p])
    if farthest_km < 0.0:
        return
    for t in range(network.size):
        if network[t] < 0 or work.near_km[t] > farthest_km + stations.guard_km[t]:
            continue
        rays(stations.frame[t], positions_m, work.d_km, work.az_deg)
        if not mark_members(inputs, kinds, work, t):
            continue
        listed = np.flatnonzero(work.member[: kinds.size])
        fields_in_tile(inputs, t, WANTED, listed, work)
        antenna_db(inputs, t, frames, listed, work)
        add_members(t, listed, work.field_dbuvm, work.discrimination_db, server, wanted)
    for p in range(kinds.size):
        if server[p] >= 0 and network[server[p]] >= 0:
            wanted[p] = 10.0 * math.log10(wanted[p])
