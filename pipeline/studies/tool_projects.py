"""Projects of QGIS beside what tools write: its layers with names, styles and an order to look at them in.

A raster or a GeoPackage opened alone has the name of its file and, a GeoPackage, any colour.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipeline.files import OutputKind, kind_of_start
from pipeline.grid.grid import Box
from pipeline.publish.qgis.project import (
    Labels,
    Node,
    Project,
    RasterLayer,
    Symbol,
    VectorLayer,
    project_text,
)
from pipeline.publish.qgis.qml import legend_of
from pipeline.publish.styles import read_schemes

STYLE_FILE: OutputKind = kind_of_start("a style of QGIS", rb"<!DOCTYPE qgis")
QGS_FILE: OutputKind = kind_of_start("a project of QGIS", rb"<(!DOCTYPE )?qgis")

_LINE_MM = "0.6"
_NAMED_TO_SCALE = 5_000_000
# Of a fill through which the other areas are seen, in 255ths.
_FAINT = 40


def maps_project(
    title: str, abstract: str, crs: str, view: Box, groups: Mapping[str, Sequence[tuple[str, str, str]]]
) -> str:
    """Groups of rasters: a scheme of ``map_classes.yaml``, a title and a file each; the first is shown."""
    schemes = read_schemes()
    nodes: list[Node] = []
    for name, maps in groups.items():
        layers: list[Node] = []
        for scheme, said, file in maps:
            legend = legend_of(schemes[scheme], unit=schemes[scheme].unit, whole=True)
            layer = RasterLayer(f"{file.removesuffix('.tif')}_band1", said, f"./{file}", abstract, 1, legend)
            first = not nodes and not layers
            layers.append(Node(said, first, expanded=first, layer=layer))
        nodes.append(Node(name, not nodes, expanded=not nodes, children=layers, exclusive=True))
    return project_text(Project(title, abstract, crs, view, nodes))


def areas_project(title: str, crs: str, view: Box, file: str, layers: Mapping[str, tuple[str, bool]]) -> str:
    """Layers of a GeoPackage of overlapping areas, by name: colour of the line, whether there is a fill."""
    nodes = []
    for name, (colour, filled) in layers.items():
        red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
        options = {
            "color": f"{red},{green},{blue},{_FAINT if filled else 0}",
            "outline_color": colour,
            "outline_width": _LINE_MM,
        }
        symbol = Symbol(None, name, "fill", "SimpleFill", options)
        layer = VectorLayer(
            f"vector_{name}",
            name,
            f"./{file}|layername={name}",
            "Polygon",
            (symbol,),
            "id",
            Labels('"id"', _NAMED_TO_SCALE),
        )
        nodes.append(Node(name, checked=True, layer=layer))
    return project_text(Project(title, "", crs, view, nodes))
