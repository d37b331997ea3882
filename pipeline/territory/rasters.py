"""Masks of the padded grid and population of a territory, and the files that hold them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import shapely
import xarray as xr
from numpy.typing import NDArray

from pipeline.config.config import Config
from pipeline.config.territory import Population, Territory
from pipeline.errors import InputError
from pipeline.files import json_bytes, write_whole
from pipeline.grid.grid import Box, Grid, checked_crs, make_grid
from pipeline.grid.polygons import Boundaries, box_boundaries, project, read_boundaries
from pipeline.grid.raster import Opened, layout_on, make_array, read_window, reading, write_blocks
from pipeline.grid.repair import Repair
from pipeline.reference.ratio_tables import ModeKey
from pipeline.territory.codes import SURFACE_NAMES
from pipeline.territory.masks import Masks, box_around_deg, coastal_mask, compute_masks, is_land, window_of
from pipeline.territory.neighbours import Layers, foreign_lands, neighbour_parts_km
from pipeline.territory.places import PeopleAccount, Settlement, places_population, read_places
from pipeline.territory.population import density_strips, population_strips, read_counts
from pipeline.territory.reach import HillReach, farthest_box_m, land_kinds, sea_class_strips, sea_edges_km
from pipeline.territory.reached_land import reached_land
from pipeline.territory.slivers import join_slivers

# People of each country on the grid, beyond it and not placed.
ACCOUNTS_FILE = "population.json"
# Polygons near the grid that were not valid, and what they cover now.
REPAIRS_FILE = "repairs.json"
Strips = Iterable[tuple[slice, NDArray[np.float32]]]


class CheckedTerritory(NamedTuple):
    """What `channelmaps validate` has read of a territory before it asks the rooms for their checks.

    ``file`` the territory file; ``masks`` of the padded grid; ``modes`` in use; ``victims`` DTT channels that
    limit some device channel.
    """

    file: Path
    boundaries: Boundaries
    masks: xr.Dataset
    modes: list[ModeKey]
    victims: list[int]


def run(boundaries: Boundaries, grid: Grid, *, coastal_km: float, threads: int = 1) -> xr.Dataset:
    """Masks ``surface``, ``country``, ``coastal`` on the padded grid, uint8 [y, x]; slivers are joined."""
    masks = compute_masks(boundaries, grid, threads=threads)
    sliver_pixels = join_slivers(masks.surface, masks.country, grid.resolution_m)
    coastal = coastal_mask(masks.surface, grid.resolution_m, coastal_km)
    named = {0: "none"} | dict(enumerate(boundaries.codes, 1))
    layers = {
        "surface": (masks.surface, "land of the territory, other land, sea", SURFACE_NAMES),
        "country": (masks.country, "country of the land", named),
        "coastal": (coastal, f"land within {coastal_km:g} km of the sea", {0: "no", 1: "coastal"}),
    }
    return xr.Dataset(
        {
            name: make_array(values, grid, units="", long_name=text, nodata=None, categories=categories)
            for name, (values, text, categories) in layers.items()
        },
        attrs={"grid": grid, "sliver_pixels": sliver_pixels},
    )


def boundaries_of(territory: Territory) -> Boundaries:
    """Boundaries that a configuration names."""
    polygons = territory.polygons
    if polygons is not None:
        return read_boundaries(
            polygons.path,
            territory.home,
            countries_layer=polygons.countries_layer,
            country_field=polygons.country_field,
            country_codes=polygons.country_codes,
            land_layer=polygons.land_layer,
            world=territory.world,
            bbox_deg=territory.bbox_deg,
        )
    if territory.bbox_deg is None:
        raise ValueError("a territory without polygons has a box")
    return box_boundaries(territory.home, territory.bbox_deg, world=territory.world)


class Reach(NamedTuple):
    """How far around the territory victims matter: on all sides over land and with sea in reach, in km.

    ``hills``: devices on hills and how far they reach, None on flat land.
    """

    around_km: tuple[float, float]
    hills: HillReach | None = None


def padded_masks(config: Config, boundaries: Boundaries, required: Reach, *, threads: int = 1) -> xr.Dataset:
    """Masks on the grid padded by the interference range; that over sea only if a coast is in reach.

    ``required``: largest maximum interference range over land and with sea in reach. A configured margin
    takes its place if it is no smaller; whether a coast is in reach is known by then. Devices on hills widen
    the grid to the box of what they reach (``reach``: land that some device reaches, all of it without).
    """
    required_km = required.around_km

    def masks_within(grid: Grid) -> xr.Dataset:
        return run(boundaries, grid, coastal_km=config.territory.coastal_km, threads=threads)

    margin_m(config, required_km, coastal=False)
    own_margin = config.model_copy(update={"grid": config.grid.model_copy(update={"margin_km": None})})
    coastal = config.protection.sea_paths == "coastal" and config.territory.coastal_km > 0.0
    grid = grid_of(config, boundaries, margin_m(own_margin, required_km, coastal=coastal))
    masks: xr.Dataset | None = masks_within(grid)
    if coastal and masks is not None and not masks["coastal"].values.any():
        coastal = False
        grid = grid_of(config, boundaries, margin_m(own_margin, required_km, coastal=False))
    given = config.grid.margin_km is not None
    if given:
        grid = grid_of(config, boundaries, margin_m(config, required_km, coastal=coastal))
    if required.hills is not None:
        masks = None  # those of the widest grid are the largest arrays: none are held beside them
        wide = _widened(grid, farthest_box_m(required.hills))
        around = masks_within(wide)[["surface", "coastal"]]
        box_m = _reached_box_m(config, required.hills, around, threads)
        del around
        grid = _widened_to(config, grid, box_m, given=given)
    if config.grid.least_box_m is not None:
        grid = _widened(grid, config.grid.least_box_m)
    if masks is None or grid != masks.attrs["grid"]:
        masks = masks_within(grid)
    if required.hills is None:
        reached = np.ones(grid.shape, np.uint8)
    else:
        reached = _reach_of(config, masks, required.hills, threads).view(np.uint8)
    text = "land that limits devices, by distance and terrain"
    named = {0: "out of reach", 1: "in reach"}
    masks["reach"] = make_array(reached, grid, units="", long_name=text, nodata=None, categories=named)
    return masks


def _reach_of(config: Config, masks: xr.Dataset, hills: HillReach, threads: int) -> NDArray[np.bool_]:
    grid: Grid = masks.attrs["grid"]
    land = land_kinds(config, hills, masks["surface"].values, masks["coastal"].values, grid)
    return reached_land(hills, grid, land, threads=threads)


def _reached_box_m(config: Config, hills: HillReach, masks: xr.Dataset, threads: int) -> Box:
    """Projected box of the reached land of a grid."""
    grid: Grid = masks.attrs["grid"]
    reached, surface = _reach_of(config, masks, hills, threads), masks["surface"].values
    window = window_of(lambda rows: reached[rows] & is_land(surface[rows]), grid.shape)
    assert window is not None, "a device reaches its own land"
    return grid.box_m(*window)


def _widened_to(config: Config, grid: Grid, box_m: Box, *, given: bool) -> Grid:
    """The grid widened to what devices on hills reach; InputError if a ``given`` margin does not hold it."""
    wide = _widened(grid, box_m)
    if given and wide != grid:
        given_km = config.grid.margin_km or 0.0
        lacking_m = max(abs(a - b) for a, b in zip(wide.bounds_m, grid.bounds_m, strict=True))
        raise InputError(
            "margin is smaller than the maximum interference range of devices on hills",
            file=config.file,
            row="grid",
            field="margin_km",
            value=given_km,
            allowed=f"at least {given_km + lacking_m / 1000.0:.1f}, or none",
        )
    return wide


def _widened(grid: Grid, box_m: Box) -> Grid:
    """The grid with as many pixels more on each side as hold a box."""
    west_m, south_m, east_m, north_m = grid.bounds_m
    lacking_m = (west_m - box_m[0], south_m - box_m[1], box_m[2] - east_m, box_m[3] - north_m)
    west, south, east, north = (max(math.ceil(m / grid.resolution_m), 0) for m in lacking_m)
    return Grid(
        grid.crs,
        grid.resolution_m,
        grid.west_m - west * grid.resolution_m,
        grid.north_m + north * grid.resolution_m,
        grid.width + west + east,
        grid.height + south + north,
    )


def margin_m(config: Config, required_km: tuple[float, float], *, coastal: bool) -> float:
    """Margin in metres: the configured one if it is wide enough, else the required one plus a pixel."""
    needed_km = required_km[coastal]
    if config.grid.least_margins_km is not None:
        needed_km = max(needed_km, config.grid.least_margins_km[coastal])
    given_km = config.grid.margin_km
    if given_km is not None and given_km < needed_km:
        raise InputError(
            "margin is smaller than the maximum interference range",
            file=config.file,
            row="grid",
            field="margin_km",
            value=given_km,
            allowed=f"at least {needed_km:.1f}, or none",
        )
    return 1000.0 * needed_km + config.grid.resolution_m if given_km is None else 1000.0 * given_km


def grid_of(config: Config, boundaries: Boundaries, around_m: float) -> Grid:
    """The padded grid of a territory."""
    settings = config.grid
    name = None if config.file is None else str(config.file)
    checked_crs(settings.crs, file=name)
    bounds_m = project([boundaries.territory], settings.crs)[0].bounds
    return make_grid(settings.crs, settings.resolution_m, bounds_m, around_m, file=name)


def window_with_values(opened: Opened) -> tuple[slice, slice] | None:
    """Rows and columns that just hold what is not nodata in the first band of a file; None without any."""

    def inside(rows: slice) -> NDArray[np.bool_]:
        values = read_window(opened, rows, slice(0, opened.grid.width), bands=[0])[0]
        return np.asarray(values != opened.layout.nodata)

    return window_of(inside, opened.grid.shape)


def read_people(settings: Population, grid: Grid) -> xr.DataArray | list[Settlement]:
    """Counts of a raster around the grid, or places."""
    if settings.raster is not None:
        return read_counts(settings.raster, grid)
    if settings.places is not None:
        return read_places(settings.places)
    raise ValueError("population has a raster or places")


def write_population(
    folder: Path, people: xr.DataArray | list[Settlement], masks: xr.Dataset, boundaries: Boundaries
) -> None:
    """Write ``population.tif``, ``density.tif`` and, from places, ``population.json``."""
    grid: Grid = masks.attrs["grid"]
    surface, path = masks["surface"].values, folder / "population.tif"
    if isinstance(people, xr.DataArray):
        strips: Strips = population_strips(people, grid, surface)
    else:
        placed = places_population(people, grid, Masks(surface, masks["country"].values), boundaries)
        strips = [(slice(0, grid.height), placed.persons)]
        write_accounts(folder / ACCOUNTS_FILE, placed.accounts)
    write_strips(path, grid, strips, "persons", "persons per pixel")
    with reading(path) as opened:

        def persons_of(rows: slice) -> NDArray[np.float32]:
            values: NDArray[np.float32] = read_window(opened, rows, slice(0, grid.width))[0]
            return values

        density = density_strips(persons_of, grid, surface)
        write_strips(folder / "density.tif", grid, density, "km-2", "persons per km2 of land over 1 km")


def write_accounts(path: Path, accounts: Mapping[str, PeopleAccount]) -> None:
    """Write where the people of each country's places are; "" for places in no country."""
    write_whole(path, json_bytes({code: account._asdict() for code, account in accounts.items()}))


def repairs_near(boundaries: Boundaries, grid: Grid) -> list[Repair]:
    """Repairs of the boundaries that concern the padded grid."""
    around = shapely.box(*box_around_deg(grid))
    return [item for item in boundaries.repairs if shapely.intersects(around, shapely.box(*item.bounds_deg))]


def write_repairs(path: Path, repairs: Iterable[Repair]) -> None:
    """Write polygons that were not valid: file, row, problem, area in km2, box in degrees."""
    write_whole(path, json_bytes([repair._asdict() for repair in repairs]))


def write_codes(path: Path, codes: Sequence[str]) -> None:
    """Write the country codes: index 1 of the raster is the first."""
    write_whole(path, (json.dumps(codes) + "\n").encode())


def write_neighbours(path: Path, masks: xr.Dataset, codes: Sequence[str]) -> None:
    """Write the distance to every foreign land, a band for each, in km."""
    layers = Layers(*(masks[name].values for name in Layers._fields))
    lands = foreign_lands(layers, codes)
    grid: Grid = masks.attrs["grid"]
    names, text = [land.name for land in lands], "distance to foreign land"
    layout = layout_on(grid, names, dtype="float32", nodata=math.nan, units="km", long_name=text)
    write_blocks(path, layout, neighbour_parts_km(lands, layers, grid), publish=False)


def write_sea(path: Path, config: Config, surface: NDArray[np.uint8], grid: Grid) -> None:
    """Write the class of each pixel's distance from the sea: the search of every channel reads it."""
    edges_km = sea_edges_km(config.protection.sea_classes_km)
    strips = sea_class_strips(config, surface, grid, edges_km)
    blocks = ((rows, slice(0, grid.width), classes) for rows, classes in strips)
    title = f"class of the distance from the sea, from {', '.join(f'{km:g}' for km in edges_km[:-1])} km"
    layout = layout_on(grid, [title], dtype="uint8", nodata=None, units="1", long_name=title)
    write_blocks(path, layout, blocks, publish=False)


def write_strips(
    path: Path, grid: Grid, strips: Strips, units: str, long_name: str, bands: Sequence[str] = ()
) -> None:
    """Write a float32 raster from strips of rows; one band named by its long name if none are named."""
    every = slice(0, grid.width)
    blocks = ((rows, every, values) for rows, values in strips)
    layout = layout_on(
        grid, bands or [long_name], dtype="float32", nodata=float("nan"), units=units, long_name=long_name
    )
    write_blocks(path, layout, blocks, publish=False)
