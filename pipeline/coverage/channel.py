"""One DTT channel: wanted field, best server, nuisance, location probability and service, block by block."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import tee
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pipeline.blocks import map_blocks, tiles_in_order
from pipeline.coverage.fields import PRUNED_TILE_PX
from pipeline.coverage.inputs import ChannelInputs, Planning
from pipeline.coverage.kept_coverage import Earlier, KeptCoverage
from pipeline.coverage.loss_filling import with_tables
from pipeline.coverage.network import ORDINARY_BANDS
from pipeline.coverage.receiver_ground import ground_of_pixels
from pipeline.coverage.servers import PixelKind
from pipeline.coverage.tiles import LEVEL_BANDS, BlockValues, compute_block, empty_values, without_values
from pipeline.coverage.touched_tiles import mark_touched
from pipeline.files import json_bytes, write_whole
from pipeline.grid.geodesy import lattice
from pipeline.grid.grid import Grid, strips_of_rows
from pipeline.grid.open_rasters import OpenRasters
from pipeline.grid.raster import TILE_PX, layout_on, read, read_window, reading, writing
from pipeline.terrain.records import LonLatRaster
from pipeline.territory.codes import Surface

_BLOCK_PX = 512
CLASS_BANDS = ("served", "server", "mode")
NO_CLASS = 65535
LEVEL_UNITS = ("dB(uV/m)", "dB(uV/m)", "dB(uV/m)", "dB", "deg", "1")
_ORDINARY_UNITS = ("dB(uV/m)", "dB")

# A block of results: rows, columns, levels float32[6, y, x], classes uint16[3, y, x].
Block = tuple[slice, slice, NDArray[np.float32], NDArray[np.uint16]]


def place_files(territory: Path) -> tuple[Path, Path]:
    """What places are read from: surface, and where devices reach."""
    return territory / "surface.tif", territory / "reach.tif"


def read_places(territory: Path) -> xr.DataArray:
    """Surface codes of the grid, OUTSIDE where no device reaches: reception there is not computed."""
    of_surface, of_reach = place_files(territory)
    surface = read(of_surface)
    with reading(of_reach) as reach:
        for rows in strips_of_rows(0, reach.grid.height):
            (reached,) = read_window(reach, rows, slice(0, reach.grid.width))
            np.copyto(surface.values[rows], np.uint8(Surface.OUTSIDE), where=reached != 1)
    return surface


def compute_blocks(
    inputs: ChannelInputs,
    grid: Grid,
    surface: NDArray[np.uint8],
    density: Path | None,
    *,
    ground: LonLatRaster | None = None,
    environments: NDArray[np.uint8] | None = None,
    threads: int = 1,
    block_px: int = _BLOCK_PX,
    kept: KeptCoverage | None = None,
) -> Iterator[Block]:
    """Results block by block, row by row; sides are rounded up to whole tiles of 32 pixels.

    ``density``: file of the persons per km2, read block by block, None = all reception is protected;
    ``ground``: terrain model of the grid, None = unknown; ``environments`` uint8[y, x] as of
    ``receiver_surroundings``, None = the same everywhere; ``kept`` an earlier run, whose tiles are copied
    where they hold. The values depend neither on the threads nor on the size of the blocks, nor on it.
    """
    side_px = -(-block_px // PRUNED_TILE_PX) * PRUNED_TILE_PX
    kind_of_surface = kind_of_surfaces(inputs)
    inputs = with_tables(inputs, grid, surface, kind_of_surface, threads)
    earlier = None if kept is None else kept.earlier

    def compute(
        rows: slice, cols: slice, surface: NDArray[np.uint8], around: NDArray[np.uint8] | None
    ) -> tuple[BlockValues, NDArray[np.uint16], bool] | None:
        kinds = np.take(kind_of_surface, surface)
        if not kinds.any():  # eight megabytes that a cluster would send
            return None
        values, asked = empty_values(kinds.shape, inputs.stations.mast.size), kinds
        if earlier is not None:
            asked = outdated(inputs, grid, earlier, rows, cols, kinds, values, opened)
        if asked.any():
            ground_m = ground_of_pixels(ground, grid, rows, cols, asked)
            if around is None:
                around = np.zeros(kinds.shape, np.uint8)
            area = lattice(grid, rows, cols)
            compute_block(inputs, area, rows.start, cols.start, asked, ground_m, around, values)
        per_km2 = None if density is None else opened.window(density, rows, cols)[0]
        classes = classify(inputs, surface, per_km2, values.levels, values.servers)
        return values, classes, bool(asked.any())

    cut = (surface, environments)
    with OpenRasters() as opened:
        blocks = map_blocks(compute, grid.shape, side_px, threads, cut=cut, name="coverage")
        for rows, cols, found in blocks:
            if found is None:
                yield rows, cols, *_without_reception(inputs, surface[rows, cols])
                continue
            values, classes, computed = found
            if kept is not None:
                kept.add(rows, cols, grid.shape, values.facts, computed=computed)
            yield rows, cols, values.levels, classes


def _without_reception(
    inputs: ChannelInputs, surface: NDArray[np.uint8]
) -> tuple[NDArray[np.float32], NDArray[np.uint16]]:
    """Levels and classes of a block in which nothing is received."""
    values = without_values(surface.shape)
    return values.levels, classify(inputs, surface, None, values.levels, values.servers)


def outdated(
    inputs: ChannelInputs,
    grid: Grid,
    earlier: Earlier,
    rows: slice,
    cols: slice,
    kinds: NDArray[np.uint8],
    values: BlockValues,
    opened: OpenRasters,
) -> NDArray[np.uint8]:
    """Kinds of the pixels of a block where a tile has to be computed; ``values`` of the others are filled."""
    touched = earlier.fill(rows, cols, opened, values)
    if earlier.added.size > 0:
        area = lattice(grid, rows, cols)
        mark_touched(inputs, area, rows.start, cols.start, kinds, earlier.added, values, touched)
    again = touched.repeat(PRUNED_TILE_PX, axis=0).repeat(PRUNED_TILE_PX, axis=1)
    again = again[: kinds.shape[0], : kinds.shape[1]]
    values.levels[:, again], values.servers[again] = np.nan, 0
    return np.where(again, kinds, np.uint8(PixelKind.NO_RECEPTION))


def merge_times(planned: Iterator[Block], ordinary: Iterator[Block]) -> Iterator[Block]:
    """Blocks of two percentages of time as one: reception of either is served, the larger q1 is its q1.

    Levels get the bands ``ORDINARY_BANDS``; both sequences have the same blocks in the same order.
    """
    q1, first = LEVEL_BANDS.index("probability"), LEVEL_BANDS.index("nuisance_dbuvm")
    for (rows, cols, levels, classes), (_, _, other, other_classes) in zip(planned, ordinary, strict=True):
        classes[0] = np.maximum(classes[0], other_classes[0])
        merged = np.concatenate([levels, other[first : first + len(ORDINARY_BANDS)]])
        merged[q1] = np.fmax(levels[q1], other[q1])
        yield rows, cols, merged, classes


def kind_of_surfaces(inputs: ChannelInputs) -> NDArray[np.uint8]:
    """Kind of pixel by surface code [256]; a kind without any possible server is left out at once."""
    servers = inputs.stations.home[inputs.stations.offset == 0]
    spillover = inputs.rules.spillover and servers.size > 0
    kind = np.full(256, PixelKind.NO_RECEPTION, dtype=np.uint8)
    if servers.any() or spillover:
        kind[[Surface.HOME, Surface.HOME_BEYOND]] = PixelKind.HOME
    if (~servers).any() or spillover:
        kind[Surface.FOREIGN] = PixelKind.FOREIGN
    return kind


def classify(
    inputs: ChannelInputs,
    surface: NDArray[np.uint8],
    density_per_km2: NDArray[np.float32] | None,
    levels: NDArray[np.float32],
    servers: NDArray[np.uint16],
) -> NDArray[np.uint16]:
    """Classes uint16[3, y, x]: served 0 / 1 (65535 off land), server index + 1 (0 none), mode (65535 none).

    Served: q1 >= q_min on land, in the territory only where the population density is at least the configured
    one; a density that is not known protects.
    """
    own = (surface == Surface.HOME) | (surface == Surface.HOME_BEYOND)
    classes = np.full((len(CLASS_BANDS), *surface.shape), NO_CLASS, np.uint16)
    classes[0][own | (surface == Surface.FOREIGN)] = 0
    classes[1] = servers
    if servers.any():
        served = levels[LEVEL_BANDS.index("probability")] >= inputs.q_min
        if density_per_km2 is not None and inputs.min_density_per_km2 > 0.0:
            served &= ~((density_per_km2 < inputs.min_density_per_km2) & own)
        np.copyto(classes[0], served, where=classes[0] == 0)
        classes[2] = np.concatenate([[NO_CLASS], inputs.stations.mode])[servers]
    return classes


def write_results(stem: Path, grid: Grid, blocks: Iterator[Block], *, ordinary: bool = False) -> None:
    """Write ``<stem>.tif`` and ``<stem>_class.tif`` together by blocks; ``ordinary``: of ``merge_times``."""
    names = (*LEVEL_BANDS, *ORDINARY_BANDS) if ordinary else LEVEL_BANDS
    units = (*LEVEL_UNITS, *_ORDINARY_UNITS) if ordinary else LEVEL_UNITS
    of_levels = layout_on(
        grid, names, dtype="float32", nodata=float("nan"), units=units, long_name="DTT coverage"
    )
    of_classes = layout_on(
        grid, CLASS_BANDS, dtype="uint16", nodata=NO_CLASS, units="1", long_name="DTT service"
    )
    # In step: of what waits for the other there is one block at most.
    first, second = tee(blocks)
    levels = ((rows, cols, values) for rows, cols, values, _ in first)
    classes = ((rows, cols, values) for rows, cols, _, values in second)
    with (
        writing(stem.with_name(f"{stem.name}.tif"), of_levels, publish=False) as put_levels,
        writing(stem.with_name(f"{stem.name}_class.tif"), of_classes, publish=False) as put_classes,
    ):
        tiles = (tiles_in_order(parts, grid.shape, TILE_PX) for parts in (levels, classes))
        server = CLASS_BANDS.index("server")
        for of_level, of_class in zip(*tiles, strict=True):
            if of_class[2][server].any():
                put_levels(*of_level)
            put_classes(*of_class)


def write_servers(
    path: Path, transmitters: xr.Dataset, planning: Planning, details: Sequence[dict[str, object]] = ()
) -> None:
    """Write what the numbers of the class file mean: transmitters from 1, modes from 0.

    ``details``: what is known beside of each transmitter, as of ``network.station_details``.
    """
    names = ("id", "site", "channel", "system", "mode", "polarisation", "sfn", "country")
    columns = [transmitters[name].values.tolist() for name in names]
    rows = [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
    rows = [row | more for row, more in zip(rows, details or [{}] * len(rows), strict=True)]
    content = {"transmitters": rows, "modes": [list(mode) for mode in planning.modes]}
    write_whole(path, json_bytes(content))
