"""The QGIS projects of a run: which layers each shows in which groups, and what is switched on when it opens.

Rasters cover one another, so they are a choice: whichever layer is ticked takes the place of the one shown.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from pipeline.grid import raster
from pipeline.grid.grid import Box
from pipeline.grid.layer_files import layer_file
from pipeline.plan.plan import Plan
from pipeline.plan.run_files import (
    BOUNDARY_FILE,
    LAND_FILE,
    PLACE_FILE,
    RELIEF_FILE,
    TRANSMITTER_FILE,
    internal_project,
    project_to_pass_on,
    public_project,
    view_file,
    viewed_files,
    written_by,
)
from pipeline.publish.catalogue import ALL_BANDS, Shown, first_shown, overview
from pipeline.publish.legends import credit_line, legend
from pipeline.publish.qgis import vectors
from pipeline.publish.qgis.below import relief_legend
from pipeline.publish.qgis.project import Labels, Node, Project, RasterLayer, Symbol, VectorLayer
from pipeline.publish.qgis.qml import Legend
from pipeline.publish.styles import Scheme
from pipeline.publish.web.place import box_of_pixels
from pipeline.territory.rasters import window_with_values

# Buffer around the territory when a project opens, as a fraction of its size.
_BUFFER_FRACTION = 0.04
_RADAR_ZONES = layer_file("radar612_zones")
_MAPS, _STATIONS, _RADARS = "Maps, one at a time", "Transmitters", "Oceanographic radars, zones"
_MORE = "More: by channel, reception, coordination"


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
    plan: Plan,
    layers: list[Shown],
    legends: dict[tuple[str, int], Legend],
    view: TerritoryView,
    below: Collection[str],
) -> Iterator[tuple[str, Project]]:
    """The projects by file; ``below``: which of places and relief there are to show."""
    public = [layer for layer in layers if not layer.internal]
    passed_on = [layer for layer in public if layer.file.startswith("public/")]
    for file, shown in (
        (public_project(plan), public),
        (project_to_pass_on(plan), passed_on),
        (internal_project(plan), layers),
    ):
        scene = _Scene(plan, file, _abstract_of(plan), legends)
        internal = _internal_nodes(scene) if file == internal_project(plan) else []
        nodes = [*internal, *_public_nodes(scene, shown, below)]
        themes = [(layer.title, layer.id) for layer in overview(plan, shown)]
        box_m = _with_buffer(view.box_m)
        yield file, Project(_title_of(plan), scene.abstract, view.crs, box_m, nodes, themes)


def _title_of(plan: Plan) -> str:
    """Title of a project."""
    return plan.config.title or plan.config.name


def _abstract_of(plan: Plan) -> str:
    """What a reader of every layer must know."""
    credit = credit_line(plan.config.model_dump(include={"attribution", "licence"}))
    return " ".join(text for text in (plan.config.notice, credit) if text)


def territory_view(path: Path) -> TerritoryView:
    """Box around the pixels of a layer that are not outside."""
    with raster.reading(path) as opened:
        grid = opened.grid
        rows, cols = window_with_values(opened) or (slice(0, grid.height), slice(0, grid.width))
    box_px = (float(cols.start), float(rows.start), float(cols.stop), float(rows.stop))
    return TerritoryView(grid.crs, grid.resolution_m, grid.box_m(rows, cols), box_of_pixels(grid, box_px))


def _with_buffer(box_m: Box) -> Box:
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


# --- layers in their groups ---------------------------------------------------------------------------------


class _Scene(NamedTuple):
    """What the nodes of one project share; ``legends`` by file and band."""

    plan: Plan
    project: str
    abstract: str
    legends: Mapping[tuple[str, int], Legend]


def _public_nodes(scene: _Scene, layers: Sequence[Shown], below: Collection[str]) -> list[Node]:
    """Names, borders and relief on top, the rasters looked at first, the rest in groups, land below."""
    first = overview(scene.plan, layers)
    known = {layer.id for layer in first}
    rest = [(layer.group, layer) for layer in layers if layer.id not in known]
    more = [_group_node(scene, _MORE, rest)] if rest else []
    children = [*(_raster_node(scene, layer) for layer in first), *more]
    maps = Node(_MAPS, True, expanded=True, children=children, exclusive=True)
    nodes = [_vector_node(scene, "Boundaries", BOUNDARY_FILE, "Line", vectors.line_symbols()), maps]
    if RELIEF_FILE in below:
        nodes.insert(1, _relief_node(scene))
    if PLACE_FILE in below:
        nodes.insert(0, _place_node(scene))
    return [*nodes, _vector_node(scene, "Land", LAND_FILE, "Polygon", vectors.area_symbols())]


def _relief_node(scene: _Scene) -> Node:
    title, source = "Relief of the terrain", _relative(RELIEF_FILE, scene.project)
    layer = RasterLayer("relief_of_the_terrain", title, source, scene.abstract, 1, relief_legend())
    return Node(title, False, layer=layer, printed=False)


def _place_node(scene: _Scene) -> Node:
    symbols, labels = vectors.place_symbols(), vectors.place_labels()
    node = _vector_node(scene, "Places", PLACE_FILE, "Point", symbols, name_field="name", labels=labels)
    return node._replace(printed=False)


def _internal_nodes(scene: _Scene) -> list[Node]:
    """Transmitters and zones of radars, above everything; of these the sites alone are switched on."""
    sites = _vector_node(
        scene,
        "Sites",
        f"{TRANSMITTER_FILE}|{vectors.SITE_LAYER}",
        "Point",
        vectors.site_symbols(),
        name_field="site",
        labels=vectors.site_labels(),
        expanded=True,
    )
    rows = _vector_node(
        scene,
        "Transmitters, one for each channel",
        f"{TRANSMITTER_FILE}|{vectors.TRANSMITTER_LAYER}",
        "Point",
        vectors.station_symbols(),
        name_field="id",
        checked=False,
    )
    found = [Node(_STATIONS, True, expanded=True, children=(sites, rows))]
    if _RADAR_ZONES in written_by(scene.plan, "radar612"):
        found.append(_radar_node(scene))
    return found


def _radar_node(scene: _Scene) -> Node:
    affected = _vector_node(
        scene,
        "Radars, one for each affected administration",
        f"{_RADAR_ZONES}|radar612_affected",
        "Point",
        vectors.affected_symbols(),
        name_field="adm",
    )
    zones = _vector_node(
        scene,
        "Coordination zones of registered radars",
        f"{_RADAR_ZONES}|radar612_zone",
        "Polygon",
        vectors.zone_symbols(),
        name_field="radar",
        labels=vectors.zone_labels(),
    )
    return Node(_RADARS, False, children=(affected, zones))


def _group_node(scene: _Scene, name: str, layers: Sequence[tuple[tuple[str, ...], Shown]]) -> Node:
    """A group, of whose children one at most is switched on; ``layers`` with the headings within the group.

    Its own layers come first, then a group for each further heading. The groups on the way to the layer that
    is shown first are open and switched on.
    """
    children = [_raster_node(scene, layer) for path, layer in layers if not path]
    for heading in dict.fromkeys(path[0] for path, _ in layers if path):
        inside = [(path[1:], layer) for path, layer in layers if path and path[0] == heading]
        children.append(_group_node(scene, heading, inside))
    shown = any(child.checked for child in children)
    return Node(name, shown, expanded=shown, children=children, exclusive=True)


def _raster_node(scene: _Scene, layer: Shown) -> Node:
    """The node of a raster's band, or of the view of it that knows its codes."""
    viewed = layer.file in viewed_files(scene.plan)
    shown = RasterLayer(
        layer.id,
        layer.title,
        _relative(view_file(layer.file) if viewed else layer.file, scene.project),
        scene.abstract,
        layer.band,
        scene.legends[layer.file, layer.band],
    )
    first = layer.file == first_shown(scene.plan)
    return Node(layer.title, first, expanded=first, layer=shown)


def _vector_node(
    scene: _Scene,
    title: str,
    source: str,
    geometry: str,
    symbols: tuple[Symbol, ...],
    *,
    name_field: str | None = None,
    labels: Labels | None = None,
    checked: bool = True,
    expanded: bool = False,
) -> Node:
    """The node of a vector file, or of a layer of it: ``file|layer``."""
    file, _, layer = source.partition("|")
    place = _relative(file, scene.project) + (f"|layername={layer}" if layer else "")
    name = f"vector_{layer or Path(file).stem}"
    shown = VectorLayer(name, title, place, geometry, symbols, name_field, labels)
    return Node(title, checked, expanded=expanded, layer=shown)


def _relative(file: str, project: str) -> str:
    """Path of a file as seen from a project; both relative to the run's folder."""
    path = Path(os.path.relpath(file, Path(project).parent)).as_posix()
    return path if path.startswith("..") else f"./{path}"
