"""Loss tables of a channel by the models that see no profile: filled once, read at every pixel.

Filling costs as much as evaluating the field at each node. Where a channel has too few pixels for that, where
clearance angles make the field as rough as the terrain, near the mast and beyond what matters, the model
itself is asked: a choice by territory, channel, transmitter and distance, never by block (docs/method.md,
section 38).
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.coverage.field_bounds import bound_1kw_dbuvm
from pipeline.coverage.fields import INTERFERING, direct_fields
from pipeline.coverage.inputs import ChannelInputs, CoverageModel, FieldModel, Paths, Stations, TvReceiver
from pipeline.coverage.loss_lookup import (
    AT_1_KM_DBUVM,
    PolarTable,
    RadialNodes,
    node_km,
    octave_ranges,
    pack_losses,
)
from pipeline.grid.geodesy import ecef_m, ray
from pipeline.grid.grid import Grid, strips_of_rows
from pipeline.kernels import kernel
from pipeline.propagation.models import model_named
from pipeline.terrain.loss_tables import PER_DB, UNKNOWN

# Steps in each octave of d + 8 km: 0.25 km at 15 km, between d / 64 and d / 128 far out.
_OCTAVE_BITS, _OFFSET_KM = 6, 8.0
# Plain Hata may lie far below free space near a high mast.
_LOWEST_DB = -60.0
# Pixels of a channel for each node of a table from which on filling it pays.
_PIXELS_PER_NODE = 8
# A table ends where the transmitter is certainly this far below the noise: few pixels ask for more.
_BELOW_NOISE_DB = 30.0
_MARGIN_KM = 1.0


class _Area(NamedTuple):
    """Pixels with reception: their number, and the corners of the box around them."""

    pixels: int
    corners_m: NDArray[np.float64]


def with_tables(
    inputs: ChannelInputs,
    grid: Grid,
    surface: NDArray[np.uint8],
    kind_of_surface: NDArray[np.uint8],
    threads: int,
) -> ChannelInputs:
    """The same with tables of interfering fields for the transmitters where they pay; equal for any threads.

    Inputs that have tables, of files, keep these.
    """
    stations, paths, model = inputs.stations, inputs.paths, inputs.model
    count = stations.mast.size
    if model.losses.start.size > 0 or paths.tca_counts.size > 0 or count == 0:
        return inputs
    area = _area_of(grid, surface, kind_of_surface)
    if area is None:
        return inputs
    row = model_named(CoverageModel(model.code).name.lower())
    to_km = np.array([_reach_km(inputs, t, area, row.table_from_km) for t in range(count)])
    ranges = [octave_ranges(row.table_from_km, km, _OFFSET_KM, _OCTAVE_BITS) for km in to_km]

    def table(t: int) -> PolarTable:
        radials = int(paths.radials[stations.mast[t]])
        codes = None
        if to_km[t] > row.table_from_km and area.pixels >= _PIXELS_PER_NODE * radials * ranges[t].nodes:
            codes = _filled(inputs, t, INTERFERING, radials, ranges[t])
        return PolarTable(0.0, 360.0 / radials, ranges[t], _LOWEST_DB, (None, codes))

    with ThreadPoolExecutor(max_workers=threads) as pool:
        tables = list(pool.map(table, range(count)))
    losses = pack_losses(tables, np.full(count, row.table_from_km), to_km, level=row.slope_apart)
    return inputs._replace(model=model._replace(losses=losses))


def _area_of(grid: Grid, surface: NDArray[np.uint8], kind_of_surface: NDArray[np.uint8]) -> _Area | None:
    rows, cols = np.zeros(grid.height, np.bool_), np.zeros(grid.width, np.bool_)
    pixels = 0
    for strip in strips_of_rows(0, grid.height):
        asked = kind_of_surface[surface[strip]] > 0
        pixels += int(np.count_nonzero(asked))
        rows[strip] = asked.any(axis=1)
        cols |= asked.any(axis=0)
    if pixels == 0:
        return None
    row, col = np.flatnonzero(rows)[[0, -1]], np.flatnonzero(cols)[[0, -1]]
    corners = np.meshgrid(row + 0.5, col + 0.5, indexing="ij")
    lon_deg, lat_deg = grid.to_lonlat().transform(*grid.xy_m(*corners))
    places = zip(np.ravel(lon_deg).tolist(), np.ravel(lat_deg).tolist(), strict=True)
    return _Area(pixels, np.array([ecef_m(*place) for place in places]))


def _reach_km(inputs: ChannelInputs, t: int, area: _Area, from_km: float) -> float:
    """Distance beyond which there are no pixels, or the transmitter hardly counts for any."""
    stations, paths, rules, mast = inputs.stations, inputs.paths, inputs.rules, inputs.stations.mast[t]
    farthest_km = max(ray(stations.frame[t], *corner)[0] for corner in area.corners_m) + _MARGIN_KM
    over_noise_db = float(np.max(rules.ratio_db[:, t] - rules.noise_dbuvm)) + stations.erp_dbkw[t]
    sea_share = float(paths.sea_start[mast + 1] > paths.sea_start[mast])
    height_m, angle_deg = paths.highest_m[mast], paths.lowest_angle_deg[mast]
    offset = int(stations.offset[t])
    km = node_km(octave_ranges(from_km, max(farthest_km, from_km), _OFFSET_KM, 3))
    weak_dbuvm = -_BELOW_NOISE_DB - over_noise_db
    weak_km = weak_from_km(
        inputs.model, inputs.receiver, offset, km, height_m, sea_share, angle_deg, weak_dbuvm
    )
    return float(min(weak_km, farthest_km))


@kernel
def weak_from_km(
    model: FieldModel,
    receiver: TvReceiver,
    offset: int,
    km: NDArray[np.float64],
    height_m: float,
    sea_share: float,
    angle_deg: float,
    weak_dbuvm: float,
) -> float:
    """First of rising distances from which on no interfering field of 1 kW reaches a level; +inf: none."""
    for at_km in km:
        bound_dbuvm = bound_1kw_dbuvm(
            model, receiver, offset, INTERFERING, at_km, height_m, sea_share, angle_deg
        )
        if bound_dbuvm < weak_dbuvm:
            return at_km
    return math.inf


def _filled(
    inputs: ChannelInputs, t: int, time: int, radials: int, ranges: RadialNodes
) -> NDArray[np.uint16]:
    codes = np.empty((radials, ranges.nodes), np.uint16)
    fill_codes(inputs.stations, inputs.paths, inputs.model, inputs.receiver, t, time, node_km(ranges), codes)
    return codes


@kernel
def fill_codes(
    stations: Stations,
    paths: Paths,
    model: FieldModel,
    receiver: TvReceiver,
    t: int,
    time: int,
    d_km: NDArray[np.float64],
    codes: NDArray[np.uint16],
) -> None:
    """Fill codes [radial, range] of the losses of a transmitter at distances [range], by the model itself.

    Where the slope is added to each pixel, they are those between antennas of equal height.
    """
    radials, nodes = codes.shape
    every, level_m = np.arange(nodes), np.zeros(nodes, np.float32)
    length_db, node_km = 20.0 * np.log10(d_km), d_km.astype(np.float32)
    azimuth_deg, field_dbuvm = np.empty(nodes, np.float32), np.empty(nodes, np.float32)
    for k in range(radials):
        azimuth_deg[:] = k * (360.0 / radials)
        direct_fields(
            stations, paths, model, receiver, t, time, 0.0, every, level_m, node_km, azimuth_deg, field_dbuvm
        )
        for i in range(nodes):
            excess_db = AT_1_KM_DBUVM - length_db[i] - field_dbuvm[i]
            code = math.floor((excess_db - _LOWEST_DB) * PER_DB + 0.5)
            codes[k, i] = int(min(max(code, 0.0), UNKNOWN - 1))
