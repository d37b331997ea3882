"""Stage qgis: a style beside every published raster, two projects, and the vector layers that they show.

``<territory>.qgs`` has no data of stations: what reception tells of them is in ``internal/`` together with
``internal/<territory>_internal.qgs``, which shows it too.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline import raster
from pipeline.publish import vectors
from pipeline.publish.catalogue import ALL_BANDS, Shown, families, shown_layers
from pipeline.publish.legends import legend
from pipeline.publish.qgis_project import Box, Node, Project, RasterLayer, VectorLayer, project_text
from pipeline.publish.qml import Legend, style_text
from pipeline.publish.styles import read_schemes
from pipeline.publish.web.place import box_of_pixels
from pipeline.workflow import (
    BOUNDARIES,
    LAND,
    TRANSMITTERS,
    Plan,
    internal_project,
    load_plan,
    max_eirp_files,
    public_project,
    style_file,
)

# Layers whose legend or values name stations; the project for everybody leaves them out.
OF_STATIONS = {"dtt_server"}


class View(NamedTuple):
    """Box around the territory, in the CRS of the grid and in degrees."""

    crs: str
    resolution_m: float
    box_m: Box
    box_deg: Box


def main(config_path: Path, build: Path, *, threads: int = 1) -> None:
    """Write styles, vector layers and projects into ``build``."""
    plan, schemes = load_plan(config_path), read_schemes()
    legends = {file: legend(build, file, family, schemes) for file, family in sorted(families(plan).items())}
    for file, found in legends.items():
        _replace(build / style_file(file), style_text(found).encode())
    view = territory_view(build / max_eirp_files(plan, plan.config.devices[0].id)[0])
    texts = vectors.boundary_texts(plan.config.territory, view.box_deg, view.resolution_m)
    for name, text in zip((LAND, BOUNDARIES), (texts["land"], texts["boundaries"]), strict=True):
        _replace(build / name, text.encode())
    _replace(build / TRANSMITTERS, vectors.transmitter_bytes(plan.register))
    layers = list(expanded(build, shown_layers(plan)))
    public = [layer for layer in layers if layer.family not in OF_STATIONS]
    for name, shown, extra in (
        (public_project(plan), public, []),
        (internal_project(plan), layers, [station_node(internal_project(plan))]),
    ):
        nodes = [*extra, *project_nodes(shown, legends, name, plan)]
        project = Project(title_of(plan), abstract_of(plan), view.crs, view.box_m, nodes)
        _replace(build / name, project_text(project).encode())


def title_of(plan: Plan) -> str:
    """Title of a project."""
    return plan.config.title or plan.config.name


def abstract_of(plan: Plan) -> str:
    """What a reader of every layer must know."""
    return " ".join(text for text in (plan.config.notice, plan.config.attribution) if text)


def territory_view(path: Path) -> View:
    """Box around the pixels of a layer that are not outside."""
    layer = raster.read(path)
    grid: raster.Grid = layer.attrs["grid"]
    inside = layer.values != layer.attrs["nodata"]
    rows, cols = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    if not rows.size:
        rows, cols = np.arange(grid.height), np.arange(grid.width)
    box_px = (float(cols[0]), float(rows[0]), float(cols[-1] + 1), float(rows[-1] + 1))
    step_m = grid.resolution_m
    box_m = (
        grid.west_m + box_px[0] * step_m, grid.north_m - box_px[3] * step_m,
        grid.west_m + box_px[2] * step_m, grid.north_m - box_px[1] * step_m,
    )  # fmt: skip
    return View(grid.crs, step_m, box_m, box_of_pixels(grid, box_px))


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


def project_nodes(
    layers: Sequence[Shown], legends: Mapping[str, Legend], project: str, plan: Plan
) -> list[Node]:
    """The tree: borders, groups in their order, land below; the first count of channels is switched on."""
    first = next(layer for layer in layers)
    nodes: list[Node] = [vector_node("Boundaries", BOUNDARIES, "Line", project)]
    names = list(dict.fromkeys(layer.group[0] for layer in layers))
    for name in names:
        inside = [(layer.group[1:], layer) for layer in layers if layer.group[0] == name]
        children = _group_nodes(inside, legends, project, plan, first)
        nodes.append(Node(name, True, expanded=name == first.group[0], children=children))
    return [*nodes, vector_node("Land", LAND, "Polygon", project)]


def _group_nodes(
    layers: Sequence[tuple[tuple[str, ...], Shown]],
    legends: Mapping[str, Legend],
    project: str,
    plan: Plan,
    first: Shown,
) -> list[Node]:
    """Nodes of one group: its own layers, then a group for each further heading."""
    own = [layer for path, layer in layers if not path]
    found = [raster_node(layer, legends[layer.file], project, plan, checked=layer is first) for layer in own]
    for heading in dict.fromkeys(path[0] for path, _ in layers if path):
        inside = [(path[1:], layer) for path, layer in layers if path and path[0] == heading]
        found.append(Node(heading, True, children=_group_nodes(inside, legends, project, plan, first)))
    return found


def raster_node(layer: Shown, legend: Legend, project: str, plan: Plan, *, checked: bool) -> Node:
    """The node of a raster's band."""
    shown = RasterLayer(
        layer.id, layer.title, relative(layer.file, project), abstract_of(plan), layer.band, legend
    )
    return Node(layer.title, checked, expanded=checked, layer=shown)


def vector_node(title: str, file: str, geometry: str, project: str) -> Node:
    """The node of boundaries or land."""
    symbols = vectors.line_symbols() if geometry == "Line" else vectors.area_symbols()
    shown = VectorLayer(f"vector_{Path(file).stem}", title, relative(file, project), geometry, symbols)
    return Node(title, True, layer=shown)


def station_node(project: str) -> Node:
    """The node of the transmitters."""
    source = f"{relative(TRANSMITTERS, project)}|layername={vectors.TRANSMITTERS}"
    shown = VectorLayer(
        "vector_transmitters", "Transmitters", source, "Point", vectors.station_symbols(), "site"
    )
    return Node("Transmitters", True, layer=shown)


def relative(file: str, project: str) -> str:
    """Path of a file as seen from a project; both relative to the run's folder."""
    path = Path(os.path.relpath(file, Path(project).parent)).as_posix()
    return path if path.startswith("..") else f"./{path}"


def _replace(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    waiting = path.with_name(path.name + ".tmp")
    waiting.write_bytes(content)
    waiting.replace(path)
