"""The QGIS projects of a run: which layers each shows, within which view."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline.grid import raster
from pipeline.grid.grid import Box, Grid
from pipeline.plan.plan import Plan
from pipeline.plan.run_files import internal_project, project_to_pass_on, public_project
from pipeline.publish.catalogue import ALL_BANDS, Shown
from pipeline.publish.legends import legend
from pipeline.publish.qgis.layer_tree import Scene, internal_nodes, public_nodes
from pipeline.publish.qgis.project import Project
from pipeline.publish.qgis.qml import Legend
from pipeline.publish.styles import Scheme
from pipeline.publish.web.place import box_of_pixels

# Buffer around the territory when a project opens, as a fraction of its size.
_BUFFER_FRACTION = 0.04


class TerritoryView(NamedTuple):
    """Box around the territory, in the CRS of the grid and in degrees."""

    crs: str
    resolution_m: float
    box_m: Box
    box_deg: Box


def legends_of(
    build: Path, layers: Iterable[Shown], schemes: dict[str, Scheme]
) -> dict[tuple[str, int], Legend]:
    """The legend of every layer by file and band."""
    return {
        (layer.file, layer.band): legend(build, layer.file, layer.band, layer.family, schemes)
        for layer in layers
    }


def projects(
    plan: Plan, layers: list[Shown], legends: dict[tuple[str, int], Legend], view: TerritoryView
) -> Iterator[tuple[str, Project]]:
    """The projects by file."""
    public = [layer for layer in layers if not layer.internal]
    passed_on = [layer for layer in public if layer.file.startswith("public/")]
    for file, shown in (
        (public_project(plan), public),
        (project_to_pass_on(plan), passed_on),
        (internal_project(plan), layers),
    ):
        scene = Scene(plan, file, abstract_of(plan), legends)
        internal = internal_nodes(scene) if file == internal_project(plan) else []
        nodes = [*internal, *public_nodes(scene, shown)]
        yield file, Project(title_of(plan), scene.abstract, view.crs, with_buffer(view.box_m), nodes)


def title_of(plan: Plan) -> str:
    """Title of a project."""
    return plan.config.title or plan.config.name


def abstract_of(plan: Plan) -> str:
    """What a reader of every layer must know."""
    return " ".join(text for text in (plan.config.notice, plan.config.attribution) if text)


def territory_view(path: Path) -> TerritoryView:
    """Box around the pixels of a layer that are not outside."""
    layer = raster.read(path)
    grid: Grid = layer.attrs["grid"]
    inside = layer.values != layer.attrs["nodata"]
    rows, cols = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    if not rows.size:
        rows, cols = np.arange(grid.height), np.arange(grid.width)
    box_px = (float(cols[0]), float(rows[0]), float(cols[-1] + 1), float(rows[-1] + 1))
    box_m = grid.box_m(slice(rows[0], rows[-1] + 1), slice(cols[0], cols[-1] + 1))
    return TerritoryView(grid.crs, grid.resolution_m, box_m, box_of_pixels(grid, box_px))


def with_buffer(box_m: Box) -> Box:
    """The box with a buffer around it."""
    west, south, east, north = box_m
    buffer_m = _BUFFER_FRACTION * max(east - west, north - south)
    return west - buffer_m, south - buffer_m, east + buffer_m, north + buffer_m


def expanded(build: Path, layers: Iterable[Shown]) -> Iterator[Shown]:
    """The layers with those of ALL_BANDS as one layer for each band, named by it."""
    for layer in layers:
        if layer.band != ALL_BANDS:
            yield layer
            continue
        names = raster.read_layout(build / layer.file).band_names
        for band, name in enumerate(names, start=1):
            title = f"{layer.title}, {name}" if len(names) > 1 else layer.title
            yield layer._replace(band=band, title=title)
