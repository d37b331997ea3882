"""Classes of effective height of a territory's devices: for which heights there are any, and their files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.config.config import Config
from pipeline.config.protection import Device
from pipeline.config.territory import Terrain
from pipeline.files import json_bytes, whole_stream, write_whole
from pipeline.grid.grid import STRIP_PX, Grid
from pipeline.propagation.models import model_named
from pipeline.terrain.device_heights import BASE_FROM_M, class_heights_m, height_classes
from pipeline.terrain.device_lines import RingSettings
from pipeline.terrain.elevation import elevation_of, fill_coast_voids
from pipeline.terrain.radial import MEAN_TO_KM
from pipeline.terrain.records import LonLatRaster
from pipeline.terrain.tile_sweeps import box_around, grid_lattice_deg
from pipeline.territory.codes import Surface
from pipeline.territory.masks import territory_window


def base_height_m(device: Device) -> float:
    """Height of the device as the base of its path."""
    return max(float(device.height_m), BASE_FROM_M)


def lowest_height_m(config: Config, base_m: float) -> float:
    """Effective height below which no device of a base height counts."""
    return max(base_m, config.protection.assumed_heff_m or 0.0)


def ring_settings(config: Config) -> RingSettings:
    """Sectors and rings of a territory."""
    return RingSettings(config.protection.height_sectors, tuple(config.protection.height_rings_km))


def knows_terrain(config: Config) -> bool:
    """Whether devices have an effective height of their own: a terrain model, and a model of paths for it."""
    with_heights = "clearance" in model_named(config.propagation.wsd_model).needs
    known = config.terrain.dem is not None and with_heights
    return known and config.has_television and config.protection.method == "degradation"


def base_heights_m(config: Config) -> list[float]:
    """Base heights of the devices of a territory, for which there are classes."""
    if not knows_terrain(config):
        return []
    return sorted({base_height_m(device) for device in config.devices})


def terrain_notice(config: Config) -> str | None:
    """What a reader has to know where devices have no effective height of their own; None where they have."""
    protects = config.has_television and config.protection.method == "degradation"
    if knows_terrain(config) or not protects:
        return None
    cause = (
        "No terrain"
        if config.terrain.dem is None
        else f"No effective heights in {config.propagation.wsd_model}"
    )
    said = "devices on hills are treated as on a plain; in hilly country limits are up to 33 dB too high"
    assumed_m = config.protection.assumed_heff_m
    also = "" if assumed_m is None else f"; effective heights of at least {assumed_m:g} m are assumed"
    return f"{cause}: {said}{also}."


def heights_file(build: Path, base_m: float) -> Path:
    """File with the classes of devices of a base height."""
    return build / "terrain" / f"heights_{base_m:g}m.npy"


def highest_file(build: Path, base_m: float) -> Path:
    """File with the highest of these classes by block, asked for before any is read."""
    return heights_file(build, base_m).with_suffix(".json")


def highest_class(build: Path, base_m: float) -> int:
    """Highest class that occurs."""
    return int(highest_classes(build, base_m).max(initial=0))


def highest_classes(build: Path, base_m: float) -> NDArray[np.uint8]:
    """Highest class in each block of ``STRIP_PX`` pixels of the grid [block row, block column]."""
    content = json.loads(highest_file(build, base_m).read_text(encoding="utf-8"))
    return np.array(content["blocks"], np.uint8)


def pixels_before(surface: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Number of the territory's pixels before each row of a grid, int64[y + 1]; the last is that of all."""
    in_row = [np.count_nonzero(row == Surface.HOME) for row in surface]
    return np.concatenate([[0], np.cumsum(in_row)]).astype(np.int64)


def coast_lines(terrain: Terrain, elevation: LonLatRaster | None, land: LonLatRaster) -> Iterator[str]:
    """A line on the voids of a terrain model that count as sea level, which they do from here on."""
    if elevation is None or terrain.coast_void_km <= 0.0:
        return
    within = f"on land within {terrain.coast_void_km:g} km of the sea (terrain.coast_void_km)"
    number = fill_coast_voids(elevation, land, terrain.coast_void_km)
    yield f"  terrain       {number} pixels of no known height {within} count as sea level"


def elevation_around(config: Config, grid: Grid, land: LonLatRaster | None) -> LonLatRaster | None:
    """The terrain model of a grid and what lies within 15 km of it."""
    return elevation_of(config.terrain, box_around(*grid_lattice_deg(grid), MEAN_TO_KM), land)


def classes_of_territory(
    config: Config, surface: NDArray[np.uint8], grid: Grid, land: LonLatRaster, *, threads: int = 1
) -> Iterator[list[NDArray[np.uint8]]]:
    """Classes of the territory's pixels by strips of rows, uint8[pixel, cell] for each base height."""
    bases_m = base_heights_m(config)
    window = territory_window(surface)
    elevation = elevation_around(config, grid.window(*window), land)
    assert elevation is not None
    ratio = config.protection.height_ratio
    return height_classes(
        elevation,
        grid.window(*window),
        surface[window] == Surface.HOME,
        ring_settings(config),
        [class_heights_m(lowest_height_m(config, base_m), ratio) - base_m for base_m in bases_m],
        void_m=config.terrain.void,
        scale=grid.largest_scale(),
        threads=threads,
    )


def write_classes(
    build: Path,
    bases_m: Sequence[float],
    strips: Iterable[Sequence[NDArray[np.uint8]]],
    surface: NDArray[np.uint8],
    cells: int,
) -> None:
    """Write the classes of each base height to its file, strip after strip, and the highest beside it.

    ``strips`` uint8[pixel, cell] of the territory's pixels in the order of rows, ``surface`` uint8[y, x] of
    the grid. Readers read parts of the files.
    """
    before = pixels_before(surface)
    blocks = np.zeros((len(bases_m), *(-(-side // STRIP_PX) for side in surface.shape)), np.uint8)
    done = 0
    with ExitStack() as stack:
        streams = [stack.enter_context(whole_stream(heights_file(build, base_m))) for base_m in bases_m]
        header = np.lib.format.header_data_from_array_1_0(np.zeros((0, 0), np.uint8))
        for stream in streams:
            np.lib.format.write_array_header_1_0(stream, header | {"shape": (int(before[-1]), cells)})
        for strip in strips:
            its = slice(done, done := done + len(strip[0]))
            place = _blocks_of_pixels(surface, before, its)
            for highest, stream, values in zip(blocks, streams, strip, strict=True):
                stream.write(values.data)
                np.maximum.at(highest, place, values.max(axis=1, initial=0))
    for base_m, highest in zip(bases_m, blocks, strict=True):
        write_whole(highest_file(build, base_m), json_bytes({"blocks": highest.tolist()}))


def _blocks_of_pixels(
    surface: NDArray[np.uint8], before: NDArray[np.int64], its: slice
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Block row and column of some of the territory's pixels; ``before`` their number before each row."""
    first, last = np.searchsorted(before, (its.start, max(its.stop - 1, its.start)), side="right") - 1
    rows, cols = np.nonzero(surface[first : last + 1] == Surface.HOME)
    own = slice(its.start - before[first], its.stop - before[first])
    return (rows[own] + first) // STRIP_PX, cols[own] // STRIP_PX
