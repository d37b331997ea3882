"""Layers of Resolution 612 on the grid: a band for each frequency of candidate radars."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import shapely
import xarray as xr
from numpy.typing import NDArray

from pipeline.coordination.radar.borders import Borders
from pipeline.coordination.radar.distances import (
    NO_CODE,
    NO_DISTANCE,
    NOT_ABROAD,
    CandidateSites,
    RadarDistances,
    compute_distances,
    empty_distances,
)
from pipeline.coordination.radar.ground import Ground, window_of
from pipeline.coordination.radar.resolution612 import Noise, RequiredSeparation, required_separation
from pipeline.grid.grid import Grid
from pipeline.grid.layer_files import empty_values, make_layer, raster_of
from pipeline.grid.polygons import cut, project
from pipeline.territory.masks import rasterised

_ADMINISTRATIONS_PER_BAND = 32
TABLE_COLUMNS = ("frequency_mhz", "noise", "adm", "band", "bit", "pixels")


class CandidateRadar(NamedTuple):
    """A frequency of candidate radars; ``separation`` None: outside the intervals of the Resolution."""

    frequency_mhz: float
    noise: Noise
    separation: RequiredSeparation | None

    @property
    def band_name(self) -> str:
        """Description of its bands."""
        row = raster_of("radar612_req")
        return row.bands.format(frequency_mhz=self.frequency_mhz, noise=self.noise.value)


def candidate_radars(
    frequencies_mhz: Sequence[float], noise: Noise, *, conservative_gap: bool = False
) -> list[CandidateRadar]:
    """Candidate radars with what the Resolution requires of them."""
    return [
        CandidateRadar(f, noise, required_separation(f, noise, conservative_gap=conservative_gap))
        for f in frequencies_mhz
    ]


def run(
    wanted_radars: Sequence[CandidateRadar],
    grid: Grid,
    wanted: NDArray[np.bool_],
    borders: Borders,
    ground: Ground,
    *,
    sea_min_km: float = 2.0,
    abroad: bool = False,
    threads: int = 1,
) -> dict[str, xr.DataArray]:
    """All layers (band, y, x) by name, nodata where not ``wanted`` [y, x].

    ``abroad``: some wanted locations may lie in foreign territory, where the distance is 0.
    """
    window = window_of(wanted)
    lon_deg, lat_deg = grid.lonlat_deg(*window)
    lies_in = np.full(lon_deg.shape, NOT_ABROAD, np.int16)
    if abroad:
        lies_in = _foreign_index(grid, window, borders, ground)
    sites = CandidateSites(lon_deg, lat_deg, wanted[window], lies_in)
    found: dict[RequiredSeparation | None, RadarDistances] = {}
    for radar in wanted_radars:
        if radar.separation in found:
            continue
        part = compute_distances(
            sites,
            borders,
            ground.clearance,
            radar.separation,
            resolution_km=grid.resolution_m / 1000.0,
            sea_min_km=sea_min_km,
            threads=threads,
        )
        found[radar.separation] = _within_reach(part, ground.reach_km)
    return _labelled([found[r.separation] for r in wanted_radars], wanted_radars, grid, window, borders)


def _administration_bands(radars: Sequence[CandidateRadar], administrations: int) -> list[str]:
    """Descriptions of the bands of ``adm_k``: for each frequency as many as its administrations need."""
    words = len(empty_distances((0, 0), administrations).affected)
    return [
        f"{radar.band_name}, administrations {32 * k}-{32 * k + 31}" for radar in radars for k in range(words)
    ]


def administration_table(
    words: NDArray[np.uint32], radars: Sequence[CandidateRadar], administrations: Sequence[str]
) -> list[tuple[str, ...]]:
    """Rows of TABLE_COLUMNS: where the bit of each administration stands and how often it is set.

    ``words`` [band, y, x] are those of the layer ``adm_k``.
    """
    per_radar = len(words) // max(len(radars), 1)
    rows: list[tuple[str, ...]] = []
    for i, radar in enumerate(radars):
        for k, name in enumerate(administrations):
            band, bit = i * per_radar + k // _ADMINISTRATIONS_PER_BAND, k % _ADMINISTRATIONS_PER_BAND
            pixels = int(np.count_nonzero(words[band] & np.uint32(1 << bit)))
            where = (str(band + 1), str(bit), str(pixels))
            rows.append((f"{radar.frequency_mhz:g}", radar.noise.value, name, *where))
    return rows


def _foreign_index(
    grid: Grid, window: tuple[slice, slice], borders: Borders, ground: Ground
) -> NDArray[np.int16]:
    """Index of the foreign administration that each pixel of a window is in, -1 at home and at sea.

    Where several claim a location the last in the alphabet is named.
    """
    rows, cols = window
    shape = rows.stop - rows.start, cols.stop - cols.start
    place = grid.window(rows, cols).transform
    box = shapely.box(*grid.box_deg()).buffer(0.1).bounds
    index = np.full(shape, NOT_ABROAD, np.int16)
    for k, name in enumerate(borders.administrations):
        shapes = [country.shape for country in ground.countries if name in country.administrations]
        index[rasterised(project(cut(shapes, box), grid.crs), shape, place)] = k
    return index


def _within_reach(found: RadarDistances, reach_km: float) -> RadarDistances:
    """Distances beyond the edge of the country polygons are not known: something nearer may lie there."""
    beyond = found.distance_km > reach_km
    if not beyond.any():
        return found
    return found._replace(
        distance_km=np.where(beyond, np.float32(NO_DISTANCE), found.distance_km),
        margin_km=np.where(beyond, np.float32(NO_DISTANCE), found.margin_km),
        required_km=np.where(beyond, np.float32(NO_DISTANCE), found.required_km),
        path=np.where(beyond, np.uint8(NO_CODE), found.path),
    )


def _labelled(
    found: Sequence[RadarDistances],
    radars: Sequence[CandidateRadar],
    grid: Grid,
    window: tuple[slice, slice],
    borders: Borders,
) -> dict[str, xr.DataArray]:
    """The layers on the whole grid with the labels that a reader of the files sees."""
    by_name: dict[str, list[NDArray[Any]]] = {
        "path": [part.path for part in found],
        "req": [part.required_km for part in found],
        "margin": [part.margin_km for part in found],
        "coord": [part.coordination for part in found],
        "n_adm": [part.administrations for part in found],
    }
    names = [radar.band_name for radar in radars]
    arrays = {name: _array(name, parts, grid, window, names) for name, parts in by_name.items()}
    nearest = [raster_of("radar612_dist_foreign").long_name]
    arrays["dist_foreign"] = _array("dist_foreign", [found[0].distance_km], grid, window, nearest)
    words = [word for part in found for word in part.affected]
    bands = _administration_bands(radars, len(borders.administrations))
    arrays["adm_k"] = _array("adm_k", words, grid, window, bands)
    return arrays


def _array(
    name: str, parts: Sequence[NDArray[Any]], grid: Grid, window: tuple[slice, slice], bands: Sequence[str]
) -> xr.DataArray:
    family = f"radar612_{name}"
    values = empty_values(family, (len(parts), grid.height, grid.width))
    for band, part in enumerate(parts):
        values[band][window] = part
    return make_layer(family, values, grid, bands=bands)
