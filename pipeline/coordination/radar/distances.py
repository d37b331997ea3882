"""Coordination distances of Resolution 612 on a grid of candidate sites (docs/method.md, section 29).

An administration is affected if some point b of its border or coast has d(p, b) <= D(path from p to b):
the nearest point alone is not enough, since a farther one across the sea has a larger D.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.blocks import map_blocks
from pipeline.coordination.radar.border_search import (
    AFFECTED_EVERYWHERE,
    AFFECTED_NOWHERE,
    AFFECTED_UNKNOWN,
    BorderSearch,
    Candidates,
    Survey,
    affecting_candidates,
    bit_words,
    empty_candidates,
    is_affected,
    nearest_and_limiting,
    nearest_candidates,
    survey,
)
from pipeline.coordination.radar.borders import Borders
from pipeline.coordination.radar.ground import Clearance
from pipeline.coordination.radar.paths import PATH_LAND, PATH_SEA_OR_MIXED, fill_frame, middle, sampling
from pipeline.coordination.radar.resolution612 import RequiredSeparation
from pipeline.kernels import inlined, kernel

# Cells of this size are looked at together, and blocks of 8 x 8 cells; a cell has at most 8 x 8 locations.
_CELL_KM, _MAX_CELL_PX, _BLOCK_CELLS = 1.6, 8, 8
# In cells up to this size corners and middle may speak for the rest (docs/method.md, section 29): the
# paths are sampled every 2 km anyway.
_PROBE_RADIUS_KM = 1.25
NO_DISTANCE, NO_CODE = -9999.0, 255
NOT_ABROAD = -1


class CandidateSites(NamedTuple):
    """Candidate sites [y, x] on a part of a grid.

    ``lon_deg``, ``lat_deg`` WGS84; ``abroad`` the index of the foreign administration in which a site is
    located, -1 at home and at sea: there the distance is 0. Nothing is computed where not ``wanted``.
    """

    lon_deg: NDArray[np.float64]
    lat_deg: NDArray[np.float64]
    wanted: NDArray[np.bool_]
    abroad: NDArray[np.int16]


class RadarDistances(NamedTuple):
    """Layers [y, x] of one frequency row and noise category, with their nodata values.

    ``distance_km`` to the nearest foreign territory (0 inside it); ``path`` 1 land, 2 sea or mixed,
    ``required_km`` and ``margin_km`` = d - D of the limiting border point, the one with the smallest margin;
    ``coordination`` 1 where the margin is <= 0; ``administrations`` their number; ``affected``
    uint32[word, y, x], bit k of word w = administration 32 w + k of :class:`Borders`.
    """

    distance_km: NDArray[np.float32]
    path: NDArray[np.uint8]
    required_km: NDArray[np.float32]
    margin_km: NDArray[np.float32]
    coordination: NDArray[np.uint8]
    administrations: NDArray[np.uint8]
    affected: NDArray[np.uint32]


def compute_distances(
    sites: CandidateSites,
    borders: Borders,
    clearance: Clearance,
    separation: RequiredSeparation | None,
    *,
    resolution_km: float = 0.2,
    sea_min_km: float = 2.0,
    threads: int = 1,
) -> RadarDistances:
    """Layers for candidate sites [y, x], nodata where not ``wanted``.

    ``resolution_km`` between neighbouring sites decides how many are looked at together. Without
    ``separation`` (RES612_NOT_APPLICABLE) only the distance is given. The result does not depend on
    ``threads``. Distance, margin, path and decision are those of trying every border point at every site; the
    administrations of a cell of sites may be those of its corners and middle where these agree.
    """
    layers = empty_distances(sites.wanted.shape, len(borders.administrations))
    # Plain floats: other number types would be compiled anew.
    limits = RequiredSeparation(*(float(number) for number in separation or (0.0, 0.0, 0.0)))
    scene = BorderSearch(borders.points, clearance, sampling(sea_min_km), limits)

    cell_px = min(max(round(_CELL_KM / resolution_km), 1), _MAX_CELL_PX)

    def block(
        rows: slice,
        cols: slice,
        lon_deg: NDArray[np.float64],
        lat_deg: NDArray[np.float64],
        wanted: NDArray[np.bool_],
        abroad: NDArray[np.int16],
    ) -> RadarDistances:
        part = empty_distances(wanted.shape, len(borders.administrations))
        _block(scene, lon_deg, lat_deg, wanted, abroad, cell_px, part)
        return part

    blocks = map_blocks(
        block, sites.wanted.shape, _BLOCK_CELLS * cell_px, threads, cut=sites, name="radar distances"
    )
    for rows, cols, part in blocks:
        for name in RadarDistances._fields:
            getattr(layers, name)[..., rows, cols] = getattr(part, name)
    if separation is not None:
        return layers
    blank = empty_distances(sites.wanted.shape, len(borders.administrations))
    return blank._replace(distance_km=layers.distance_km)


def empty_distances(shape: tuple[int, ...], administrations: int) -> RadarDistances:
    """Layers of nodata."""
    return RadarDistances(
        np.full(shape, NO_DISTANCE, np.float32),
        np.full(shape, NO_CODE, np.uint8),
        np.full(shape, NO_DISTANCE, np.float32),
        np.full(shape, NO_DISTANCE, np.float32),
        np.full(shape, NO_CODE, np.uint8),
        np.full(shape, NO_CODE, np.uint8),
        np.zeros((max(bit_words(administrations), 1), *shape), np.uint32),
    )


@inlined
def _cut(layers: RadarDistances, rows: slice, cols: slice) -> RadarDistances:
    """Views of a part of the layers."""
    return RadarDistances(
        layers.distance_km[rows, cols],
        layers.path[rows, cols],
        layers.required_km[rows, cols],
        layers.margin_km[rows, cols],
        layers.coordination[rows, cols],
        layers.administrations[rows, cols],
        layers.affected[:, rows, cols],
    )


@kernel
def _block(
    scene: BorderSearch,
    lon_deg: NDArray[np.float64],
    lat_deg: NDArray[np.float64],
    wanted: NDArray[np.bool_],
    abroad: NDArray[np.int16],
    cell_px: int,
    out: RadarDistances,
) -> None:
    """Fill the layers of one block of locations."""
    frame = np.empty(6)
    radius_km = middle(lon_deg, lat_deg, wanted, frame)
    if radius_km < 0.0:
        return
    known = survey(scene, frame, radius_km)
    size = scene.points.administration.size
    nearest = empty_candidates(size)
    limiting = empty_candidates(size)
    for row in range(0, lon_deg.shape[0], cell_px):
        for col in range(0, lon_deg.shape[1], cell_px):
            rows, cols = slice(row, row + cell_px), slice(col, col + cell_px)
            lon, lat, here = lon_deg[rows, cols], lat_deg[rows, cols], wanted[rows, cols]
            radius_km = middle(lon, lat, here, frame)
            if radius_km < 0.0:
                continue
            n = nearest_candidates(scene, known, frame, radius_km, nearest)
            part, lies_in = _cut(out, rows, cols), abroad[rows, cols]
            _margins(scene, lon, lat, here, lies_in, nearest, n, part)
            _administrations(scene, known, frame, radius_km, lon, lat, here, lies_in, limiting, part)


@kernel
def _margins(
    scene: BorderSearch,
    lon_deg: NDArray[np.float64],
    lat_deg: NDArray[np.float64],
    wanted: NDArray[np.bool_],
    abroad: NDArray[np.int16],
    work: Candidates,
    n: int,
    out: RadarDistances,
) -> None:
    """Distance, path, required distance, margin and decision of the locations of a cell."""
    frame = np.empty(6)
    for i in range(lon_deg.shape[0]):
        for j in range(lon_deg.shape[1]):
            if not wanted[i, j]:
                continue
            fill_frame(lon_deg[i, j], lat_deg[i, j], frame)
            d_km, margin_km, over_sea = nearest_and_limiting(scene, frame, work, n)
            if abroad[i, j] != NOT_ABROAD:
                d_km = 0.0
                if -scene.limits.land_km < margin_km:
                    margin_km, over_sea = -scene.limits.land_km, False
            out.distance_km[i, j] = d_km
            out.margin_km[i, j] = margin_km
            out.path[i, j] = PATH_SEA_OR_MIXED if over_sea else PATH_LAND
            out.required_km[i, j] = scene.limits.sea_km if over_sea else scene.limits.land_km
            out.coordination[i, j] = 1 if margin_km <= 0.0 else 0


@kernel
def _probed(
    scene: BorderSearch,
    lon_deg: NDArray[np.float64],
    lat_deg: NDArray[np.float64],
    wanted: NDArray[np.bool_],
    work: Candidates,
    n: int,
) -> int:
    """The state that corners and middle of a cell agree on, else still open."""
    last_row, last_col = lon_deg.shape[0] - 1, lon_deg.shape[1] - 1
    here, witness, tried, hits = np.empty(6), -1, 0, 0
    for i, j in ((0, 0), (0, last_col), (last_row, 0), (last_row, last_col), (last_row // 2, last_col // 2)):
        if not wanted[i, j]:
            return AFFECTED_UNKNOWN
        fill_frame(lon_deg[i, j], lat_deg[i, j], here)
        found = is_affected(scene, here, work, n, witness)
        witness = found if found >= 0 else witness
        tried, hits = tried + 1, hits + (found >= 0)
        if 0 < hits < tried:
            return AFFECTED_UNKNOWN
    return AFFECTED_EVERYWHERE if hits else AFFECTED_NOWHERE


@kernel
def _administrations(
    scene: BorderSearch,
    known: Survey,
    frame: NDArray[np.float64],
    radius_km: float,
    lon_deg: NDArray[np.float64],
    lat_deg: NDArray[np.float64],
    wanted: NDArray[np.bool_],
    abroad: NDArray[np.int16],
    work: Candidates,
    out: RadarDistances,
) -> None:
    """Which administrations are affected at the locations of a cell, one after the other.

    Small cells are probed only where another administration is affected throughout, so that the number of
    administrations and the decision, which is exact everywhere, cannot contradict each other.
    """
    here = np.empty(6)
    probing = radius_km <= _PROBE_RADIUS_KM and np.any(known.state == AFFECTED_EVERYWHERE)
    for i in range(lon_deg.shape[0]):
        for j in range(lon_deg.shape[1]):
            if wanted[i, j]:
                out.administrations[i, j] = 0
    for a in range(known.state.size):
        state, n = int(known.state[a]), 0
        if state == AFFECTED_UNKNOWN:
            state, n = affecting_candidates(scene, known, frame, radius_km, a, work)
        if state == AFFECTED_UNKNOWN and probing:
            state = _probed(scene, lon_deg, lat_deg, wanted, work, n)
        witness = -1
        for i in range(lon_deg.shape[0]):
            for j in range(lon_deg.shape[1]):
                if not wanted[i, j]:
                    continue
                affected = state == AFFECTED_EVERYWHERE or abroad[i, j] == a
                if not affected and state == AFFECTED_UNKNOWN:
                    fill_frame(lon_deg[i, j], lat_deg[i, j], here)
                    found = is_affected(scene, here, work, n, witness)
                    witness = found if found >= 0 else witness
                    affected = found >= 0
                if affected:
                    out.administrations[i, j] += 1
                    out.affected[a // 32, i, j] |= np.uint32(1 << (a % 32))
