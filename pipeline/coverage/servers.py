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
from pipeline.coverage.inputs import ChannelInputs, TvReceiver
from pipeline.coverage.tile_facts import LOWEST_FOREIGN_DBUVM, LOWEST_HOME_DBUVM, NETWORK_KM
from pipeline.grid.geodesy import TilePlaces, single_azimuth_deg, tile_rays
from pipeline.kernels import borrowing, lent
from pipeline.radio.antennas import Bt419, Polarisation, bt419_db, discrimination_db


class PixelKind(IntEnum):
    """Kinds of pixel a block is made of."""

    NO_RECEPTION = 0
    HOME = 1
    FOREIGN = 2


_NO_RECEPTION, _HOME = int(PixelKind.NO_RECEPTION), int(PixelKind.HOME)
_SEVERAL, _MIXED = -1, int(Polarisation.MIXED)


@borrowing
def may_serve(kind: int, home: bool, spillover: bool) -> bool:
    """Own transmitters serve in the territory, foreign ones outside; with ``spillover`` all everywhere."""
    return kind != _NO_RECEPTION and (spillover or home == (kind == _HOME))


@borrowing
def choose_candidates(
    kinds: NDArray[np.uint8],
    best_dbuvm: NDArray[np.float32],
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


@borrowing
def lowest_best_dbuvm(
    kinds: NDArray[np.uint8], best_dbuvm: NDArray[np.float32], spillover: bool
) -> tuple[float, float]:
    """Least of the best fields at the pixels that foreign and own transmitters may serve; +inf: none."""
    foreign, own = math.inf, math.inf
    for p in range(kinds.size):
        if may_serve(kinds[p], False, spillover):
            foreign = min(foreign, best_dbuvm[p])
        if may_serve(kinds[p], True, spillover):
            own = min(own, best_dbuvm[p])
    return foreign, own


@borrowing
def keep_best(
    t: int,
    pixels: NDArray[np.int64],
    field_dbuvm: NDArray[np.float32],
    d_km: NDArray[np.float32],
    best_dbuvm: NDArray[np.float32],
    server: NDArray[np.int32],
    server_km: NDArray[np.float32],
) -> None:
    """Make t the server of the listed pixels where its field is larger, or equal and t the lower index."""
    for p in pixels:
        e = field_dbuvm[p]
        if e > best_dbuvm[p] or (e == best_dbuvm[p] and t < server[p]):
            best_dbuvm[p], server[p], server_km[p] = e, t, d_km[p]


@lent
def find_servers(
    inputs: ChannelInputs, tile: TilePlaces, kinds: NDArray[np.uint8], order: NDArray[np.int64], work: Scratch
) -> bool:
    """Fill best field, server and its distance per pixel, of equals the lower index; False: no server."""
    stations, spillover = inputs.stations, inputs.rules.spillover
    best_dbuvm, server = work.best_dbuvm[: kinds.size], work.server[: kinds.size]
    best_dbuvm[:] = -math.inf
    server[:] = -1
    lowest_dbuvm = lowest_best_dbuvm(kinds, best_dbuvm, spillover)
    for t in order:
        bound_dbuvm = work.wanted_bound_dbuvm[t]
        if bound_dbuvm == -math.inf:
            break
        if bound_dbuvm < lowest_dbuvm[int(stations.home[t])]:
            continue
        chosen = choose_candidates(kinds, best_dbuvm, bound_dbuvm, stations.home[t], spillover, work.pixels)
        tile_rays(stations.frame[t], tile, work.d_km, work.az_deg)
        listed = work.pixels[:chosen]
        fields_in_tile(inputs, t, WANTED, listed, work)
        keep_best(t, listed, work.field_dbuvm, work.d_km, best_dbuvm, server, work.server_km)
        lowest_dbuvm = lowest_best_dbuvm(kinds, best_dbuvm, spillover)
    work.limits[LOWEST_FOREIGN_DBUVM], work.limits[LOWEST_HOME_DBUVM] = lowest_dbuvm
    counted, served = work.counted, 0
    for s in server:
        if s >= 0:
            served += 1
            counted[s] = True
    return served > 0


@borrowing
def point_antennas(inputs: ChannelInputs, frames: NDArray[np.float64], work: Scratch) -> None:
    """Fill what follows from the best server: direction of the antenna, polarisation, mode, noise power."""
    stations, rules = inputs.stations, inputs.rules
    site, direction, server = stations.frame, work.direction, work.server
    polarisation, mode, noise_dbuvm = stations.polarisation, stations.mode, rules.noise_dbuvm
    wanted_polarisation, wanted_mode, noise = work.polarisation, work.mode, work.noise
    noise_mode, noise_power = -1, 0.0
    for p in range(frames.shape[1]):
        t = server[p]
        if t >= 0:
            direction[0, p], direction[1, p] = towards(site[t], frames, p)
            wanted_polarisation[p], wanted_mode[p] = polarisation[t], mode[t]
            if mode[t] != noise_mode:  # a power takes longer than all the rest
                noise_mode, noise_power = mode[t], 10.0 ** (0.1 * noise_dbuvm[mode[t]])
            noise[p] = noise_power


@borrowing
def one_polarisation(server: NDArray[np.int32], polarisation: NDArray[np.int64]) -> int:
    """Polarisation of all antennas of a tile, -1 where they differ."""
    found = _SEVERAL
    for s in server:
        if s >= 0:
            if found not in (_SEVERAL, polarisation[s]):
                return _SEVERAL
            found = polarisation[s]
    return found


@borrowing
def antenna_db(
    inputs: ChannelInputs, t: int, tile: TilePlaces, wanted: int, pixels: NDArray[np.int64], work: Scratch
) -> None:
    """Fill D of transmitter t at the pixels listed; each antenna points at its best server.

    ``wanted``: of ``one_polarisation``.
    """
    receiver, other = inputs.receiver, inputs.stations.polarisation[t]
    out_db, full_db = work.discrimination_db, receiver.directivity_db
    alike = wanted != _SEVERAL and other != _MIXED
    if alike:
        ahead_db = discrimination_db(wanted, other, 0.0, receiver.cross_polar_db)
        if ahead_db == discrimination_db(wanted, other, full_db, receiver.cross_polar_db):
            out_db[:] = ahead_db
            return
    turned_away_db(receiver, inputs.stations.frame[t], tile, work.direction, out_db)
    if not alike:
        for p in pixels:
            out_db[p] = discrimination_db(work.polarisation[p], other, out_db[p], receiver.cross_polar_db)


@borrowing
def turned_away_db(
    receiver: TvReceiver,
    site: NDArray[np.float64],
    tile: TilePlaces,
    direction: NDArray[np.float32],
    out_db: NDArray[np.float32],
) -> None:
    """Fill the directivity against a site at all pixels of antennas with these directions [2, pixel]."""
    centre_m, x_m, y_m, z_m = tile.centre_m, tile.around_m[0], tile.around_m[1], tile.around_m[2]
    a_x, a_y, a_z = tile.axes[0], tile.axes[1], tile.axes[2]
    b_x, b_y, b_z = tile.axes[3], tile.axes[4], tile.axes[5]
    to_a, to_b = direction[0], direction[1]
    site_x, site_y = np.float32(site[0] - centre_m[0]), np.float32(site[1] - centre_m[1])
    site_z = np.float32(site[2] - centre_m[2])
    slope = receiver.directivity_db / (receiver.end_deg - receiver.flat_deg)
    antenna = Bt419(
        np.float32(receiver.flat_deg),
        np.float32(receiver.end_deg),
        np.float32(slope),
        np.float32(receiver.directivity_db),
    )
    for p in range(x_m.size):
        dx, dy, dz = site_x - x_m[p], site_y - y_m[p], site_z - z_m[p]
        a = dx * a_x[p] + dy * a_y[p] + dz * a_z[p]
        b = dx * b_x[p] + dy * b_y[p] + dz * b_z[p]
        angle_deg = single_azimuth_deg(abs(a * to_b[p] - b * to_a[p]), a * to_a[p] + b * to_b[p])
        out_db[p] = bt419_db(antenna, np.float32(angle_deg))


@borrowing
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


@borrowing
def list_marked(marked: NDArray[np.bool_], count: int, pixels: NDArray[np.int64]) -> int:
    """List those of the first ``count`` pixels that are marked; their number."""
    found = 0
    for p in range(count):
        pixels[found] = p
        found += int(marked[p])
    return found


@borrowing
def add_members(
    t: int,
    pixels: NDArray[np.int64],
    field_dbuvm: NDArray[np.float32],
    discrimination_db: NDArray[np.float32],
    server: NDArray[np.int32],
    wanted_power: NDArray[np.float64],
) -> None:
    """Add the wanted power of one member; to the server itself the antenna points."""
    for p in pixels:
        d_db = 0.0 if server[p] == t else discrimination_db[p]
        wanted_power[p] += 10.0 ** (0.1 * (field_dbuvm[p] - d_db))


@lent
def add_network(
    inputs: ChannelInputs, tile: TilePlaces, polarisation: int, kinds: NDArray[np.uint8], work: Scratch
) -> None:
    """Fill the wanted level: the best server, in a single-frequency network the power sum of its members.

    Members inside the guard interval count, each with its own discrimination, added in order of id.
    ``polarisation``: of ``one_polarisation``.
    """
    stations = inputs.stations
    server, network, wanted, best_dbuvm = work.server, stations.network, work.wanted_dbuvm, work.best_dbuvm
    farthest_km = -1.0
    for p in range(kinds.size):
        in_network = server[p] >= 0 and network[server[p]] >= 0
        wanted[p] = 0.0 if in_network else best_dbuvm[p]
        if in_network:
            farthest_km = max(farthest_km, work.server_km[p])
    work.limits[NETWORK_KM] = farthest_km
    if farthest_km < 0.0:
        return
    for t in range(network.size):
        if network[t] < 0 or work.near_km[t] > farthest_km + stations.guard_km[t]:
            continue
        tile_rays(stations.frame[t], tile, work.d_km, work.az_deg)
        if not mark_members(inputs, kinds, work, t):
            continue
        listed = work.pixels[: list_marked(work.member, kinds.size, work.pixels)]
        work.counted[t] |= listed.size > 0
        fields_in_tile(inputs, t, WANTED, listed, work)
        antenna_db(inputs, t, tile, polarisation, listed, work)
        add_members(t, listed, work.field_dbuvm, work.discrimination_db, server, wanted)
    for p in range(kinds.size):
        if server[p] >= 0 and network[server[p]] >= 0:
            wanted[p] = 10.0 * math.log10(wanted[p])
