"""What a transmitter can reach at most in a tile: bounds of its fields, and of its part of the nuisance.

Bounds only decide what need not be computed; a loose one costs time, a wrong one would change numbers.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.coverage.fields import EFFECTIVE_FROM_KM, INTERFERING, WANTED, other_model_dbuvm
from pipeline.coverage.inputs import ChannelInputs, CoverageModel, FieldModel, Paths, TvReceiver
from pipeline.coverage.loss_lookup import has_table, largest_field_dbuvm
from pipeline.grid.geodesy import ray
from pipeline.kernels import borrowing, inlined, kernel, lent
from pipeline.propagation.free_space import free_space_field_dbuvm
from pipeline.propagation.p1546.pixel import p1546_upper_bound
from pipeline.terrain.records import SEA_PIECES

# Added to the angle and radius of a tile: covers interpolation of positions.
ANGLE_MARGIN_DEG = 0.2
_RADIUS_MARGIN_KM = 0.01
_P1546, _HATA = int(CoverageModel.P1546), int(CoverageModel.HATA)


@borrowing
def largest_between(
    values: NDArray[Any], start: int, count: int, stride: int, first: int, last: int
) -> float:
    """Largest of circular values from index ``first`` to ``last`` inclusive; any integers in order.

    There are ``count`` of them, ``stride`` apart from position ``start`` on.
    """
    if last - first >= count:
        first, last = 0, count - 1
    largest, k = -math.inf, first % count
    for _ in range(first, last + 1):
        largest = max(largest, values[start + k * stride])
        k = k + 1 if k + 1 < count else 0
    return largest


@borrowing
def smallest_between(values: NDArray[np.float32], first: int, last: int) -> float:
    """Smallest of circular values from index ``first`` to ``last`` inclusive; any integers in order."""
    count = values.size
    if last - first >= count:
        first, last = 0, count - 1
    smallest, k = math.inf, first % count
    for _ in range(first, last + 1):
        smallest = min(smallest, values[k])
        k = k + 1 if k + 1 < count else 0
    return smallest


@borrowing
def bound_1kw_dbuvm(
    model: FieldModel,
    receiver: TvReceiver,
    offset: int,
    time: int,
    near_km: float,
    highest_m: float,
    sea_fraction: float,
    lowest_angle_deg: float,
) -> float:
    """Field of 1 kW e.r.p. that no pixel from ``near_km`` on exceeds.

    Heights are up to ``highest_m``, at most ``sea_fraction`` of each path lies over sea.
    """
    f_mhz = model.f_mhz[offset + 1]
    if model.code == _P1546:
        prepared = model.prepared[2 * (offset + 1) + time]
        return p1546_upper_bound(
            prepared, near_km, highest_m, sea_fraction, receiver.warm_sea, receiver.h2_m, lowest_angle_deg
        )
    bound = free_space_field_dbuvm(near_km)
    if model.code == _HATA:
        # Plain Hata may exceed free space; it falls with distance and rises with height beyond 10 m.
        at_least_km = max(near_km, 0.01)
        bound = max(
            bound,
            other_model_dbuvm(_HATA, f_mhz, at_least_km, highest_m, receiver.h2_m, receiver.environment),
        )
    return bound


@borrowing
def largest_sea_fraction(
    paths: Paths, mast: int, first: int, last: int, near_km: float, far_km: float
) -> float:
    """Upper bound of the sea part of paths that end between two distances, radials ``first`` to ``last``."""
    start, end = paths.sea_start[mast], paths.sea_start[mast + 1]
    if start == end:
        return 0.0
    # The length over sea grows along a radial: the range beyond the tile bounds all of it.
    radials = paths.radials[mast]
    ranges = (end - start) // radials
    step_km = paths.sea_step_km[mast]
    column = min(int(far_km / step_km) + 1, ranges - 1)
    pieces = largest_between(paths.sea_pieces, start + column, radials, ranges, first, last)
    # Beyond the last range the part of the path is that up to there.
    length_km = pieces * (step_km / SEA_PIECES)
    return min(length_km / min(near_km, (ranges - 1) * step_km), 1.0)


@lent
def tile_bounds(
    inputs: ChannelInputs,
    centre_m: NDArray[np.float64],
    radius_km: float,
    near_km: NDArray[np.float64],
    wanted_dbuvm: NDArray[np.float64],
    interfering_dbuvm: NDArray[np.float64],
) -> None:
    """Fill, per transmitter, the smallest distance to a tile and upper bounds of its fields anywhere in it.

    ``wanted_dbuvm`` is -inf for the adjacent channels. The tile is the ball of ``radius_km`` around
    ``centre_m``; only the azimuths under which it is seen count for heights, sea and patterns.
    """
    for t in range(inputs.stations.mast.size):
        near_km[t], wanted_dbuvm[t], interfering_dbuvm[t] = station_bounds(inputs, t, centre_m, radius_km)


@kernel
def wanted_bounds_dbuvm(
    inputs: ChannelInputs, centre_m: NDArray[np.float64], radius_km: float
) -> NDArray[np.float64]:
    """Upper bounds [transmitter] of wanted fields anywhere in a ball, as of ``tile_bounds``."""
    count = inputs.stations.mast.size
    near_km, wanted, interfering = np.empty(count), np.empty(count), np.empty(count)
    tile_bounds(inputs, centre_m, radius_km, near_km, wanted, interfering)
    return wanted


@borrowing
def station_bounds(
    inputs: ChannelInputs, t: int, centre_m: NDArray[np.float64], radius_km: float
) -> tuple[float, float, float]:
    """``tile_bounds`` of one transmitter."""
    stations = inputs.stations
    centre_km, az_deg = ray(stations.frame[t], centre_m[0], centre_m[1], centre_m[2])
    near = max(centre_km - radius_km - _RADIUS_MARGIN_KM, 1e-3)
    half_deg = 180.0
    if near > 0.1 * radius_km and near > 0.1:
        half_deg = math.degrees(math.asin(min(radius_km / centre_km, 1.0))) + ANGLE_MARGIN_DEG
    far = centre_km + radius_km + _RADIUS_MARGIN_KM
    loss_db = smallest_between(
        stations.pattern_db[t], math.floor(az_deg - half_deg), math.ceil(az_deg + half_deg)
    )
    fixed_db = stations.erp_dbkw[t] - loss_db + inputs.rules.bound_margin_db
    sector = (near, far, az_deg - half_deg, az_deg + half_deg)
    wanted_dbuvm = -math.inf
    if stations.offset[t] == 0:
        wanted_dbuvm = fixed_db + sector_bound_dbuvm(inputs, t, WANTED, *sector)
    return near, wanted_dbuvm, fixed_db + sector_bound_dbuvm(inputs, t, INTERFERING, *sector)


@borrowing
def sector_bound_dbuvm(
    inputs: ChannelInputs, t: int, time: int, near_km: float, far_km: float, from_deg: float, to_deg: float
) -> float:
    """Field of 1 kW e.r.p. that no pixel of a sector exceeds, from a table and wherever it does not hold."""
    losses, bound = inputs.model.losses, -math.inf
    if has_table(losses, t, time):
        table_near_km, table_far_km = max(near_km, losses.from_km[t]), min(far_km, losses.to_km[t])
        if table_near_km <= table_far_km:
            bound = largest_field_dbuvm(losses, t, time, table_near_km, table_far_km, from_deg, to_deg)
        if near_km >= losses.from_km[t] and far_km <= losses.to_km[t]:
            return bound
    paths, mast = inputs.paths, inputs.stations.mast[t]
    first = math.floor(from_deg / paths.step_deg[mast])
    last = math.ceil(to_deg / paths.step_deg[mast])
    highest_m = paths.highest_m[mast]
    if near_km > EFFECTIVE_FROM_KM:
        start, end = paths.heff_start[mast], paths.heff_start[mast + 1]
        highest_m = largest_between(paths.heff_m, start, end - start, 1, first, last)
    direct = bound_1kw_dbuvm(
        inputs.model,
        inputs.receiver,
        inputs.stations.offset[t],
        time,
        near_km,
        highest_m,
        largest_sea_fraction(paths, mast, first, last, near_km, far_km),
        paths.lowest_angle_deg[mast],
    )
    return max(bound, direct)


@inlined
def towards(site: NDArray[np.float64], frames: NDArray[np.float64], p: int) -> tuple[float, float]:
    """Horizontal components, on the axes of pixel p, of the way to a site."""
    dx, dy, dz = site[0] - frames[0, p], site[1] - frames[1, p], site[2] - frames[2, p]
    return (
        dx * frames[3, p] + dy * frames[4, p] + dz * frames[5, p],
        dx * frames[6, p] + dy * frames[7, p] + dz * frames[8, p],
    )
