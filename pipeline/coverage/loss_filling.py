"""Loss tables of a channel by the models that see no profile: filled once, read at every pixel.

Filling costs as much as evaluating the field at each node. Where a channel has too few pixels for that, where
clearance angles make the field as rough as the terrain, near the mast and beyond what matters, the model
itself is asked: a choice by territory, channel, transmitter and distance, never by block (docs/method.md,
section 38).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.blocks import on_threads
from pipeline.coverage.field_bounds import ANGLE_MARGIN_DEG, bound_1kw_dbuvm
from pipeline.coverage.fields import INTERFERING, PRUNED_TILE_PX, direct_fields
from pipeline.coverage.inputs import ChannelInputs, CoverageModel, FieldModel, Paths, Stations, TvReceiver
from pipeline.coverage.loss_lookup import AT_1_KM_DBUVM, PolarTable, pack_losses, side_of_blocks
from pipeline.grid.geodesy import ecef_m, positions_of_pixels_m, ray
from pipeline.grid.grid import Grid, strips_of_rows
from pipeline.kernels import kernel
from pipeline.propagation.models import model_named
from pipeline.terrain.loss_tables import PER_DB, UNKNOWN
from pipeline.terrain.polar_nodes import RadialNodes, node_km, octave_ranges

# Steps in each octave of d + 8 km: 0.25 km at 15 km, between d / 64 and d / 128 far out.
_OCTAVE_BITS, _OFFSET_KM = 6, 8.0
# Plain Hata may lie far below free space near a high mast.
_LOWEST_DB = -60.0
# Pixels of a channel for each node of a table from which on filling it pays.
_PIXELS_PER_NODE = 8
# A table ends where the transmitter is certainly this far below the noise: few pixels ask for more.
_BELOW_NOISE_DB = 30.0
_MARGIN_KM = 1.0


# Side of the boxes by which is told which nodes are read: whole tiles of coverage.
_BOX_PX = 4 * PRUNED_TILE_PX
# Bounds of a tile ask for its ball, which lies in that of its box but for a part of its own radius.
_BALLS_OF_TILES = 1.5
# Nodes and radials around a ball that bounds and fields in it may read.
_BESIDE = 2


class _Area(NamedTuple):
    """Pixels with reception: their number, corners of the box around them, balls around boxes with some.

    ``corners_m`` [4, 3], ``centre_m`` [n, 3] geocentric, ``radius_km`` [n].
    """

    pixels: int
    corners_m: NDArray[np.float64]
    centre_m: NDArray[np.float64]
    radius_km: NDArray[np.float64]


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
            codes = _filled(inputs, t, INTERFERING, area, ranges[t])
        return PolarTable(0.0, 360.0 / radials, ranges[t], _LOWEST_DB, (None, codes))

    tables = on_threads(table, ((t,) for t in range(count)), threads)
    losses = pack_losses(tables, np.full(count, row.table_from_km), to_km, level=row.slope_apart)
    return inputs._replace(model=model._replace(losses=losses))


def _area_of(grid: Grid, surface: NDArray[np.uint8], kind_of_surface: NDArray[np.uint8]) -> _Area | None:
    rows, cols = np.zeros(grid.height, np.bool_), np.zeros(grid.width, np.bool_)
    codes = np.flatnonzero(kind_of_surface).astype(np.uint8)
    if codes.size == 0:
        return None
    box_cols, boxes, pixels = np.arange(0, grid.width, _BOX_PX), list[NDArray[np.bool_]](), 0
    for strip in strips_of_rows(0, grid.height, _BOX_PX):
        asked: NDArray[np.bool_] = np.logical_or.reduce([surface[strip] == code for code in codes])
        pixels += int(np.count_nonzero(asked))
        rows[strip] = asked.any(axis=1)
        boxes.append(np.logical_or.reduceat(asked.any(axis=0), box_cols))
        cols |= asked.any(axis=0)
    if pixels == 0:
        return None
    row, col = np.flatnonzero(rows)[[0, -1]], np.flatnonzero(cols)[[0, -1]]
    corners = np.meshgrid(row + 0.5, col + 0.5, indexing="ij")
    lon_deg, lat_deg = grid.to_lonlat().transform(*grid.xy_m(*corners))
    places = zip(np.ravel(lon_deg).tolist(), np.ravel(lat_deg).tolist(), strict=True)
    return _Area(pixels, np.array([ecef_m(*place) for place in places]), *_balls(grid, np.array(boxes)))


def _balls(grid: Grid, boxes: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centres and radii of balls around the balls of all tiles of the boxes marked [row, column]."""
    nodes_m = positions_of_pixels_m(grid, *(_BOX_PX * np.arange(count + 1) for count in boxes.shape))
    corners_m = np.stack([nodes_m[:-1, :-1], nodes_m[:-1, 1:], nodes_m[1:, :-1], nodes_m[1:, 1:]])
    corners_m = corners_m[:, boxes]
    centre_m = corners_m.mean(axis=0)
    radius_m = np.linalg.norm(corners_m - centre_m, axis=-1).max(axis=0)
    return centre_m, 1e-3 * _BALLS_OF_TILES * radius_m


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


def _filled(inputs: ChannelInputs, t: int, time: int, area: _Area, ranges: RadialNodes) -> NDArray[np.uint16]:
    """Codes [radial, range] wherever a field or a bound in the area reads them, elsewhere the highest."""
    radials, km = int(inputs.paths.radials[inputs.stations.mast[t]]), node_km(ranges)
    codes = np.full((radials, ranges.nodes), UNKNOWN, np.uint16)
    span = np.empty((radials, 2), np.int64)
    span_nodes(inputs.stations.frame[t], area.centre_m, area.radius_km, km, span)
    span = _whole_blocks(span, side_of_blocks((radials + 1) * ranges.nodes), ranges.nodes)
    fill_codes(inputs.stations, inputs.paths, inputs.model, inputs.receiver, t, time, km, span, codes)
    return codes


@kernel
def span_nodes(
    frame: NDArray[np.float64],
    centre_m: NDArray[np.float64],
    radius_km: NDArray[np.float64],
    node_km: NDArray[np.float64],
    span: NDArray[np.int64],
) -> None:
    """Fill the first and the end of the nodes of each radial [radial, 2] that places in balls [n] may read.

    A radial that none reads has no nodes: its end is not after its first.
    """
    radials, nodes = span.shape[0], node_km.size
    span[:, 0], span[:, 1] = nodes, 0
    for i in range(radius_km.size):
        centre_km, az_deg = ray(frame, centre_m[i, 0], centre_m[i, 1], centre_m[i, 2])
        near_km, far_km = centre_km - radius_km[i], centre_km + radius_km[i]
        half_deg = 180.0
        if near_km > 0.0:
            half_deg = math.degrees(math.asin(radius_km[i] / centre_km)) + ANGLE_MARGIN_DEG
        first = max(np.searchsorted(node_km, near_km) - _BESIDE, 0)
        end = min(np.searchsorted(node_km, far_km) + _BESIDE, nodes)
        low = math.floor((az_deg - half_deg) * radials / 360.0) - _BESIDE
        count = min(math.ceil((az_deg + half_deg) * radials / 360.0) + _BESIDE + 1 - low, radials)
        for k in range(low, low + count):
            span[k % radials, 0] = min(span[k % radials, 0], first)
            span[k % radials, 1] = max(span[k % radials, 1], end)


def _whole_blocks(span: NDArray[np.int64], side: int, nodes: int) -> NDArray[np.int64]:
    """``span`` widened to whole blocks of the table, in which the first radial comes again after the last."""
    radials = span.shape[0]
    starts = np.arange(0, radials + 1, side)
    first = np.minimum.reduceat(np.append(span[:, 0], span[0, 0]), starts).repeat(side)[: radials + 1]
    end = np.maximum.reduceat(np.append(span[:, 1], span[0, 1]), starts).repeat(side)[: radials + 1]
    first[0], end[0] = min(first[0], first[-1]), max(end[0], end[-1])
    return np.stack([first // side * side, np.minimum(-(-end // side) * side, nodes)], axis=1)[:-1]


@kernel
def fill_codes(
    stations: Stations,
    paths: Paths,
    model: FieldModel,
    receiver: TvReceiver,
    t: int,
    time: int,
    d_km: NDArray[np.float64],
    span: NDArray[np.int64],
    codes: NDArray[np.uint16],
) -> None:
    """Fill codes [radial, range] of the losses of a transmitter at distances [range], by the model itself.

    Of each radial those from the first to before the end of ``span`` [radial, 2]; the others are left.

    Where the slope is added to each pixel, they are those between antennas of equal height.
    """
    radials, nodes = codes.shape
    level_m = np.zeros(nodes, np.float32)
    length_db, node_km = 20.0 * np.log10(d_km), d_km.astype(np.float32)
    azimuth_deg, field_dbuvm = np.empty(nodes, np.float32), np.empty(nodes, np.float32)
    for k in range(radials):
        azimuth_deg[:] = k * (360.0 / radials)
        some = np.arange(span[k, 0], span[k, 1])
        direct_fields(
            stations, paths, model, receiver, t, time, 0.0, some, level_m, node_km, azimuth_deg, field_dbuvm
        )
        for i in some:
            excess_db = AT_1_KM_DBUVM - length_db[i] - field_dbuvm[i]
            code = math.floor((excess_db - _LOWEST_DB) * PER_DB + 0.5)
            codes[k, i] = int(min(max(code, 0.0), UNKNOWN - 1))
