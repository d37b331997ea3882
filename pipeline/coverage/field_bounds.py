"""What a transmitter can reach at most in a tile: bounds of its fields, and of its part of the nuisance.

Bounds only decide what need not be computed; a loose one costs time, a wrong one would change numbers.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from pipeline.coverage.fields import EFFECTIVE_FROM_KM, INTERFERING, WANTED, as_table, other_model_dbuvm
from pipeline.coverage.inputs import ChannelInputs, CoverageModel, FieldModel, Paths, TvReceiver
from pipeline.coverage.loss_lookup import largest_field_dbuvm
from pipeline.grid.geodesy import ray
from pipeline.kernels import inlined, kernel
from pipeline.propagation.free_space import free_space_field_dbuvm
from pipeline.propagation.p1546.pixel import p1546_upper_bound

# Added to the angle and radius of a tile: covers interpolation of positions.
ANGLE_MARGIN_DEG = 0.2
_RADIUS_MARGIN_KM = 0.01
_P1546, _HATA = int(CoverageModel.P1546), int(CoverageModel.HATA)
_P1812 = int(CoverageModel.P1812)


@kernel
def largest_between(values: NDArray[np.float32], first: int, last: int) -> float:
    """Largest of circular values from index ``first`` to ``last`` inclusive; any integers in order."""
    count = values.size
    if last - first >= count:
        first, last = 0, count - 1
    largest = -math.inf
    for k in range(first, last + 1):
        largest = max(largest, values[k % count])
    return largest


@kernel
def smallest_between(values: NDArray[np.float32], first: int, last: int) -> float:
    """Smallest of circular values from index ``first`` to ``last`` inclusive; any integers in order."""
    count = values.size
    if last - first >= count:
        first, last = 0, count - 1
    smallest = math.inf
    for k in range(first, last + 1):
        smallest = min(smallest, values[k % count])
    return smallest


@kernel
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


@kernel
def largest_sea_fraction(
    paths: Paths, mast: int, first: int, last: int, near_km: float, far_km: float
) -> float:
    """Upper bound of the sea part of paths that end between two distances, radials ``first`` to ``last``."""
    start, end = paths.sea_start[mast], paths.sea_start[mast + 1]
    if start == end:
        return 0.0
    # The length over sea grows along a radial: the range beyond the tile bounds all of it.
    sea_km = as_table(paths.sea_km[start:end], paths.radials[mast])
    column = min(int(far_km / paths.sea_step_km[mast]) + 1, sea_km.shape[1] - 1)
    return min(largest_between(sea_km[:, column], first, last) / near_km, 1.0)


@kernel
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
    stations, paths, model, receiver = inputs.stations, inputs.paths, inputs.model, inputs.receiver
    margin_db = inputs.rules.bound_margin_db
    for t in range(stations.mast.size):
        m = stations.mast[t]
        centre_km, az_deg = ray(stations.frame[t], centre_m[0], centre_m[1], centre_m[2])
        near = max(centre_km - radius_km - _RADIUS_MARGIN_KM, 1e-3)
        half_deg = 180.0
        if near > 0.1 * radius_km and near > 0.1:
            half_deg = math.degrees(math.asin(min(radius_km / centre_km, 1.0))) + ANGLE_MARGIN_DEG
        step_deg = paths.step_deg[m]
        first = math.floor((az_deg - half_deg) / step_deg)
        last = math.ceil((az_deg + half_deg) / step_deg)
        highest_m = paths.highest_m[m]
        if near > EFFECTIVE_FROM_KM:
            highest_m = largest_between(
                paths.heff_m[paths.heff_start[m] : paths.heff_start[m + 1]], first, last
            )
        far = centre_km + radius_km + _RADIUS_MARGIN_KM
        sea_fraction = largest_sea_fraction(paths, m, first, last, near, far)
        loss_db = smallest_between(
            stations.pattern_db[t], math.floor(az_deg - half_deg), math.ceil(az_deg + half_deg)
        )
        fixed_db = stations.erp_dbkw[t] - loss_db + margin_db
        offset, angle_deg = stations.offset[t], paths.lowest_angle_deg[m]
        near_km[t] = near
        wanted_dbuvm[t] = -math.inf
        if model.code == _P1812:
            from_deg, to_deg = az_deg - half_deg, az_deg + half_deg
            if offset == 0:
                wanted_dbuvm[t] = fixed_db + largest_field_dbuvm(
                    model.losses, t, WANTED, near, far, from_deg, to_deg
                )
            interfering_dbuvm[t] = fixed_db + largest_field_dbuvm(
                model.losses, t, INTERFERING, near, far, from_deg, to_deg
            )
            continue
        if offset == 0:
            wanted_dbuvm[t] = fixed_db + bound_1kw_dbuvm(
                model, receiver, 0, WANTED, near, highest_m, sea_fraction, angle_deg
            )
        interfering_dbuvm[t] = fixed_db + bound_1kw_dbuvm(
            model, receiver, offset, INTERFERING, near, highest_m, sea_fraction, angle_deg
        )


@inlined
def towards(site: NDArray[np.float64], frames: NDArray[np.float64], p: int) -> tuple[float, float]:
    """Horizontal components, on the axes of pixel p, of the way to a site."""
    dx, dy, dz = site[0] - frames[0, p], site[1] - frames[1, p], site[2] - frames[2, p]
    return (
        dx * frames[3, p] + dy * frames[4, p] + dz * frames[5, p],
        dx * frames[6, p] + dy * frames[7, p] + dz * frames[8, p],
    )
