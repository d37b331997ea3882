"""Stage territory: masks of the padded grid, population, and land and sea for the paths.

Input: boundaries and population named in the configuration, sites and modes of the register.
Output in ``<build>/territory``: ``surface.tif``, ``country.tif`` with ``countries.json`` (index 1 upward),
``coastal.tif``, ``border.tif`` (km), ``neighbours.tif`` (km, a band for each foreign land),
``land_lonlat.tif`` and, if configured, ``population.tif`` (persons per pixel) and ``density.tif`` (persons
per km2).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pipeline.config.config import Config
from pipeline.config.load import load_config
from pipeline.config.territory import Population, Territory
from pipeline.files import write_whole
from pipeline.grid.grid import Grid, checked_crs, make_grid
from pipeline.grid.polygons import Boundaries, box_boundaries, project, read_boundaries
from pipeline.grid.raster import layout_on, make_array, write, write_blocks
from pipeline.plan.margin import ModeKey, margin_m
from pipeline.registers.transmitters import read_register
from pipeline.territory.codes import SURFACE_NAMES
from pipeline.territory.masks import border_strips_km, coastal_mask, compute_masks
from pipeline.territory.neighbours import Layers, foreign_lands, neighbour_strips_km
from pipeline.territory.population import (
    Settlement,
    density_strips,
    places_population,
    population_strips,
    read_counts,
    read_places,
)
from pipeline.territory.surface import paths_box_deg, surface_mask

Strips = Iterable[tuple[slice, NDArray[np.float32]]]


def run(boundaries: Boundaries, grid: Grid, *, coastal_km: float, threads: int = 1) -> xr.Dataset:
    """Masks ``surface``, ``country``, ``coastal`` on the padded grid, uint8 [y, x]."""
    masks = compute_masks(boundaries, grid, threads=threads)
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
        attrs={"grid": grid},
    )


def main(config_path: str | Path, build: str | Path, *, threads: int = 1) -> None:
    """Compute and write all files of the territory."""
    config, folder = load_config(Path(config_path)), Path(build) / "territory"
    register, _ = read_register(config)
    modes = sorted(set(zip(register["system"].values, register["mode"].values, strict=True)))
    boundaries = boundaries_of(config.territory)
    masks = padded_masks(config, boundaries, modes, threads=threads, file=Path(config_path))
    grid: Grid = masks.attrs["grid"]
    people = None if config.population is None else read_people(config.population, grid)
    for name, layer in masks.items():
        write(folder / f"{name}.tif", layer, tags={}, publish=False)
    _write_codes(folder / "countries.json", boundaries.codes)
    surface = masks["surface"].values
    border = border_strips_km(surface, grid.resolution_m)
    _write_strips(folder / "border.tif", grid, border, "km", "distance to foreign land")
    _write_neighbours(folder / "neighbours.tif", masks, boundaries.codes)
    if people is not None:
        write_population(folder, people, grid, surface)
    box_deg = paths_box_deg(grid, register["lon_deg"].values, register["lat_deg"].values)
    land = surface_mask(boundaries, box_deg, threads=threads)
    write(folder / "land_lonlat.tif", land, tags={}, publish=False)


def boundaries_of(territory: Territory) -> Boundaries:
    """Boundaries that a configuration names."""
    polygons = territory.polygons
    if polygons is not None:
        return read_boundaries(
            polygons.path,
            territory.home,
            countries_layer=polygons.countries_layer,
            country_field=polygons.country_field,
            land_layer=polygons.land_layer,
            world=territory.world,
            bbox_deg=territory.bbox_deg,
        )
    if territory.bbox_deg is None:
        raise ValueError("a territory without polygons has a box")
    return box_boundaries(territory.home, territory.bbox_deg, world=territory.world)


def padded_masks(
    config: Config,
    boundaries: Boundaries,
    modes: Iterable[ModeKey],
    *,
    threads: int = 1,
    file: Path | None = None,
) -> xr.Dataset:
    """Masks on the grid padded by the interference range; that over sea only if a coast is in reach.

    A configured margin takes its place if it is no smaller; whether a coast is in reach is known by then.
    """
    modes = list(modes)

    def masks_within(around_m: float) -> xr.Dataset:
        grid = grid_of(config, boundaries, around_m, file=file)
        return run(boundaries, grid, coastal_km=config.territory.coastal_km, threads=threads)

    margin_m(config, modes, coastal=False, file=file)
    own_margin = config.model_copy(update={"grid": config.grid.model_copy(update={"margin_km": None})})
    coastal = config.protection.sea_paths == "coastal" and config.territory.coastal_km > 0.0
    masks = masks_within(margin_m(own_margin, modes, coastal=coastal))
    if coastal and not masks["coastal"].values.any():
        coastal = False
        masks = masks_within(margin_m(own_margin, modes, coastal=False))
    if config.grid.margin_km is not None:
        masks = masks_within(margin_m(config, modes, coastal=coastal, file=file))
    return masks


def grid_of(config: Config, boundaries: Boundaries, margin_m: float, *, file: Path | None = None) -> Grid:
    """The padded grid of a territory."""
    settings = config.grid
    name = None if file is None else str(file)
    checked_crs(settings.crs, file=name)
    bounds_m = project([boundaries.territory], settings.crs)[0].bounds
    return make_grid(settings.crs, settings.resolution_m, bounds_m, margin_m, file=name)


def read_people(settings: Population, grid: Grid) -> xr.DataArray | list[Settlement]:
    """Counts of a raster around the grid, or places."""
    if settings.raster is not None:
        return read_counts(settings.raster, grid)
    if settings.places is not None:
        return read_places(settings.places)
    raise ValueError("population has a raster or places")


def write_population(
    folder: Path, people: xr.DataArray | list[Settlement], grid: Grid, surface: NDArray[np.uint8]
) -> None:
    """Write ``population.tif`` and ``density.tif``."""
    if isinstance(people, xr.DataArray):
        population = np.empty(surface.shape, dtype=np.float32)
        for rows, persons in population_strips(people, grid, surface):
            population[rows] = persons
    else:
        population = places_population(people, grid, surface)
    whole = [(slice(0, grid.height), population)]
    _write_strips(folder / "population.tif", grid, whole, "persons", "persons per pixel")
    density = density_strips(population, grid, surface)
    _write_strips(folder / "density.tif", grid, density, "km-2", "persons per km2 of land over 1 km")


def _write_codes(path: Path, codes: Sequence[str]) -> None:
    write_whole(path, (json.dumps(codes) + "\n").encode())


def _write_neighbours(path: Path, masks: xr.Dataset, codes: Sequence[str]) -> None:
    layers = Layers(*(masks[name].values for name in Layers._fields))
    lands = foreign_lands(layers, codes)
    grid: Grid = masks.attrs["grid"]
    strips = neighbour_strips_km(lands, layers, grid)
    _write_strips(path, grid, strips, "km", "distance to foreign land", [land.name for land in lands])


def _write_strips(
    path: Path, grid: Grid, strips: Strips, units: str, long_name: str, bands: Sequence[str] = ()
) -> None:
    every = slice(0, grid.width)
    blocks = ((rows, every, values) for rows, values in strips)
    layout = layout_on(
        grid, bands or [long_name], dtype="float32", nodata=float("nan"), units=units, long_name=long_name
    )
    write_blocks(path, layout, blocks, publish=False)
