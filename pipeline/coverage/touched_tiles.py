"""Which tiles of a block new stations may change: bounds of their fields against the facts of the tiles."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.coverage.field_bounds import station_bounds
from pipeline.coverage.fields import PRUNED_TILE_PX
from pipeline.coverage.inputs import ChannelInputs
from pipeline.coverage.nuisance import bearings, largest_mean
from pipeline.coverage.tile_facts import LEAST_MEAN, LOWEST_FOREIGN_DBUVM, NETWORK_KM, SPARE_MEAN
from pipeline.coverage.tiles import BlockValues, tile_ball
from pipeline.grid.geodesy import Lattice, pixel_frames
from pipeline.kernels import borrowing, inner, kernel

# The bounds of another run may differ in their last bits.
_MARGIN = 1.0 - 1e-9
_MARGIN_DB = 1e-6


@borrowing
def is_served(servers: NDArray[np.uint16], found: NDArray[np.bool_]) -> bool:
    """Mark the stations that serve a pixel of a tile; whether there is any."""
    found[:] = False
    some = False
    for y in range(servers.shape[0]):
        for x in range(servers.shape[1]):
            if servers[y, x] > 0:
                found[servers[y, x] - 1] = some = True
    return some


@borrowing
def may_be_wanted(
    inputs: ChannelInputs, t: int, near_km: float, wanted_dbuvm: float, limits: NDArray[np.float64]
) -> bool:
    """Whether a station may serve a pixel of a tile, or repeat the wanted signal of its network there."""
    stations = inputs.stations
    if stations.offset[t] != 0:
        return False
    if wanted_dbuvm >= limits[LOWEST_FOREIGN_DBUVM + int(stations.home[t])] - _MARGIN_DB:
        return True
    return stations.network[t] >= 0 and near_km <= limits[NETWORK_KM] + stations.guard_km[t]


@inner
def is_touched(
    inputs: ChannelInputs,
    frames: NDArray[np.float64],
    rows: int,
    cols: int,
    added: NDArray[np.int64],
    found: NDArray[np.bool_],
    limits: NDArray[np.float64],
) -> bool:
    """Whether stations ``added`` may change a tile, served by ``found``; takes their power off the rest."""
    centre_m, radius_km = tile_ball(frames[:3], rows, cols)
    middle = (rows // 2) * cols + cols // 2
    direction_deg, turned_deg = bearings(inputs.stations, frames, middle, 2.0 * radius_km)
    together = 0.0
    for t in added:
        near_km, wanted_dbuvm, interfering_dbuvm = station_bounds(inputs, t, centre_m, radius_km)
        if may_be_wanted(inputs, t, near_km, wanted_dbuvm, limits):
            return True
        mean = 0.0
        for s in range(found.size):
            if found[s]:
                own = largest_mean(inputs, direction_deg, turned_deg, s, t, interfering_dbuvm)
                mean = max(mean, own)
        if not mean < _MARGIN * limits[LEAST_MEAN]:
            return True
        together += mean
    limits[SPARE_MEAN] -= together
    return not limits[SPARE_MEAN] >= 0.0


@kernel
def mark_touched(
    inputs: ChannelInputs,
    area: Lattice,
    row: int,
    col: int,
    kinds: NDArray[np.uint8],
    added: NDArray[np.int64],
    values: BlockValues,
    touched: NDArray[np.bool_],
) -> None:
    """Mark in ``touched`` [tile row, tile column] where the stations ``added`` may change a block.

    Arguments else as of ``compute_block``; ``values`` those of the last run. In other tiles the facts are
    then those with the added stations.
    """
    found = np.zeros(inputs.stations.mast.size, np.bool_)
    height, width = kinds.shape
    for i in range(touched.shape[0]):
        for j in range(touched.shape[1]):
            top, left = i * PRUNED_TILE_PX, j * PRUNED_TILE_PX
            rows, cols = min(PRUNED_TILE_PX, height - top), min(PRUNED_TILE_PX, width - left)
            if touched[i, j] or not kinds[top : top + rows, left : left + cols].any():
                continue
            if not is_served(values.servers[top : top + rows, left : left + cols], found):
                touched[i, j] = True
                continue
            frames = np.empty((11, rows, cols))
            pixel_frames(
                area.step_px, area.first_row, area.first_col, area.nodes, row + top, col + left, frames
            )
            limits = values.facts.limits[i, j]
            touched[i, j] = is_touched(inputs, frames.reshape(11, -1), rows, cols, added, found, limits)
