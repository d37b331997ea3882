"""The tree of a QGIS project: which layers lie in which groups, and what is switched on when it opens.

Rasters cover one another, so they are a choice: whichever layer is ticked takes the place of the one shown.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from pipeline.grid.layer_files import layer_file
from pipeline.plan.plan import Plan
from pipeline.plan.run_files import BOUNDARY_FILE, LAND_FILE, TRANSMITTER_FILE, written_by
from pipeline.publish.catalogue import Shown, first_shown
from pipeline.publish.qgis import vectors
from pipeline.publish.qgis.project import Labels, Node, RasterLayer, Symbol, VectorLayer
from pipeline.publish.qgis.qml import Legend

_RADAR_ZONES = layer_file("radar612_zones")
_MAPS, _STATIONS, _RADARS = "Maps, one at a time", "Transmitters", "Oceanographic radars, zones"


class Scene(NamedTuple):
    """What the nodes of one project share; ``legends`` by file and band."""

    plan: Plan
    project: str
    abstract: str
    legends: Mapping[tuple[str, int], Legend]


def public_nodes(scene: Scene, layers: Sequence[Shown]) -> list[Node]:
    """Borders on top, the rasters in their groups, land below."""
    maps = group_node(scene, _MAPS, [(layer.group, layer) for layer in layers])
    return [
        vector_node(scene, "Boundaries", BOUNDARY_FILE, "Line", vectors.line_symbols()),
        maps,
        vector_node(scene, "Land", LAND_FILE, "Polygon", vectors.area_symbols()),
    ]


def internal_nodes(scene: Scene) -> list[Node]:
    """Transmitters and zones of radars, above everything; of these the sites alone are switched on."""
    sites = vector_node(
        scene,
        "Sites",
        f"{TRANSMITTER_FILE}|{vectors.SITE_LAYER}",
        "Point",
        vectors.site_symbols(),
        name_field="site",
        labels=vectors.site_labels(),
        expanded=True,
    )
    rows = vector_node(
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


def _radar_node(scene: Scene) -> Node:
    affected = vector_node(
        scene,
        "Radars, one for each affected administration",
        f"{_RADAR_ZONES}|radar612_affected",
        "Point",
        vectors.affected_symbols(),
        name_field="adm",
    )
    zones = vector_node(
        scene,
        "Coordination zones of registered radars",
        f"{_RADAR_ZONES}|radar612_zone",
        "Polygon",
        vectors.zone_symbols(),
        name_field="radar",
        labels=vectors.zone_labels(),
    )
    return Node(_RADARS, False, children=(affected, zones))


def group_node(scene: Scene, name: str, layers: Sequence[tuple[tuple[str, ...], Shown]]) -> Node:
    """A group, of whose children one at most is switched on; ``layers`` with the headings within the group.

    Its own layers come first, then a group for each further heading. The groups on the way to the layer that
    is shown first are open and switched on.
    """
    children = [raster_node(scene, layer) for path, layer in layers if not path]
    for heading in dict.fromkeys(path[0] for path, _ in layers if path):
        inside = [(path[1:], layer) for path, layer in layers if path and path[0] == heading]
        children.append(group_node(scene, heading, inside))
    shown = any(child.checked for child in children)
    return Node(name, shown, expanded=shown, children=children, exclusive=True)


def raster_node(scene: Scene, layer: Shown) -> Node:
    """The node of a raster's band."""
    shown = RasterLayer(
        layer.id,
        layer.title,
        relative(layer.file, scene.project),
        scene.abstract,
        layer.band,
        scene.legends[layer.file, layer.band],
    )
    first = layer.file == first_shown(scene.plan)
    return Node(layer.title, first, expanded=first, layer=shown)


def vector_node(
    scene: Scene,
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
    place = relative(file, scene.project) + (f"|layername={layer}" if layer else "")
    name = f"vector_{layer or Path(file).stem}"
    shown = VectorLayer(name, title, place, geometry, symbols, name_field, labels)
    return Node(title, checked, expanded=expanded, layer=shown)


def relative(file: str, project: str) -> str:
    """Path of a file as seen from a project; both relative to the run's folder."""
    path = Path(os.path.relpath(file, Path(project).parent)).as_posix()
    return path if path.startswith("..") else f"./{path}"
