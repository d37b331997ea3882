"""The XML of a QGIS project: layers with their styles, the tree of groups, CRS, first view.

Everything that QGIS would number or date (ids, times) is fixed, so that equal layers give equal bytes; paths
are relative to the project's file.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from pipeline.grid.grid import LONLAT, Box
from pipeline.publish.qgis.prints import layouts_element, themes_element
from pipeline.publish.qgis.qml import QGIS_VERSION, Legend, pipe, xml_text
from pipeline.publish.styles import read_base_colours

_LAYER = {"enabled": "1", "pass": "0", "locked": "0"}


class Symbol(NamedTuple):
    """How features of one kind are drawn; ``kind`` None: all features."""

    kind: str | None
    label: str
    shape: str
    """QGIS's word for the symbol: fill, line or marker."""
    layer: str
    """QGIS's word for its only layer: SimpleFill, SimpleLine or SimpleMarker."""
    options: Mapping[str, str]


class Labels(NamedTuple):
    """Text beside features; where there is no room for all, QGIS leaves some out."""

    expression: str
    """In QGIS's own language, so that the text may depend on the scale of the map."""
    smallest_scale: int
    """No labels on maps of a smaller scale than 1 to this."""


class VectorLayer(NamedTuple):
    """A vector file in lon/lat; QGIS takes no ``id`` of less than 11 letters."""

    id: str
    title: str
    source: str
    geometry: str
    symbols: tuple[Symbol, ...]
    name_field: str | None = None
    labels: Labels | None = None


class RasterLayer(NamedTuple):
    """A band of a raster file on the grid."""

    id: str
    title: str
    source: str
    abstract: str
    band: int
    legend: Legend


_Layer = VectorLayer | RasterLayer


class Node(NamedTuple):
    """A layer, or a group of nodes, in the tree; ``layer`` None: a group.

    ``exclusive``: of its children, one at most is switched on, and switching on another switches it off.
    """

    name: str
    checked: bool
    expanded: bool = False
    layer: _Layer | None = None
    children: Sequence[Node] = ()
    exclusive: bool = False
    printed: bool = True
    """Whether printed legends have the layer's classes; of groups they never have the name."""


class Project(NamedTuple):
    """A project; ``view`` west, south, east, north in its CRS."""

    title: str
    abstract: str
    crs: str
    view: Box
    nodes: Sequence[Node]
    themes: Sequence[tuple[str, str]] = ()
    """Name of a map theme and id of the raster that it shows, with all that is switched on beside rasters."""


def project_text(project: Project) -> str:
    """The text of a ``.qgs`` file."""
    top = ET.Element("qgis", version=QGIS_VERSION, projectname=project.title)
    _text(top, "title", project.title)
    metadata = ET.SubElement(top, "projectMetadata")
    _text(metadata, "title", project.title)
    _text(metadata, "abstract", project.abstract)
    ET.SubElement(top, "projectCrs").append(_crs(project.crs))
    tree = ET.SubElement(top, "layer-tree-group")
    for node in project.nodes:
        _tree_node(tree, node)
    top.append(_canvas(project))
    top.append(_first_view(project))
    layers = ET.SubElement(top, "projectlayers")
    found = list(_layers(project.nodes))
    for layer in found:
        layers.append(_layer(layer, project.crs))
    order = ET.SubElement(top, "layerorder")
    for layer in found:
        ET.SubElement(order, "layer", id=layer.id)
    top.append(_properties())
    top.append(themes_element(project.nodes, project.themes))
    top.append(layouts_element(project.title, project.abstract, project.crs, project.view))
    return xml_text(top)


def _properties() -> ET.Element:
    """Colour of the sea; relative paths; without ``ProjectionsEnabled`` QGIS ignores the project's CRS."""
    top = ET.Element("properties")
    paths, reference = ET.SubElement(top, "Paths"), ET.SubElement(top, "SpatialRefSys")
    ET.SubElement(paths, "Absolute", type="bool").text = "false"
    ET.SubElement(reference, "ProjectionsEnabled", type="int").text = "1"
    canvas, sea = ET.SubElement(top, "Gui"), read_base_colours()["sea"]
    for place, name in ((1, "Red"), (3, "Green"), (5, "Blue")):
        part = ET.SubElement(canvas, f"CanvasColor{name}Part", type="int")
        part.text = str(int(sea[place : place + 2], 16))
    return top


def _layers(nodes: Iterable[Node]) -> Iterable[_Layer]:
    for node in nodes:
        if node.layer is not None:
            yield node.layer
        yield from _layers(node.children)


def _tree_node(parent: ET.Element, node: Node) -> None:
    checked = "Qt::Checked" if node.checked else "Qt::Unchecked"
    common = {"name": node.name, "checked": checked, "expanded": str(int(node.expanded))}
    if node.layer is None:
        group = ET.SubElement(parent, "layer-tree-group", common | _exclusive(node))
        _custom(group, {"legend/title-style": "hidden"})
        for child in node.children:
            _tree_node(group, child)
        return
    provider = "gdal" if isinstance(node.layer, RasterLayer) else "ogr"
    attributes = {"id": node.layer.id, "source": node.layer.source, "providerKey": provider}
    item = ET.SubElement(parent, "layer-tree-layer", attributes | common)
    properties = {} if node.printed else {"legend/title-style": "hidden", "legend/node-order": "empty"}
    if isinstance(node.layer, RasterLayer):
        # Where QGIS would write the band's name.
        properties["legend/label-0"] = node.layer.legend.title
    _custom(item, properties)


def _custom(item: ET.Element, properties: Mapping[str, str]) -> None:
    """Properties of a node of the tree that its panel and printed legends go by."""
    if properties:
        options = ET.SubElement(ET.SubElement(item, "customproperties"), "Option", type="Map")
        for name, value in properties.items():
            _option(options, name, value)


def _exclusive(node: Node) -> dict[str, str]:
    if not node.exclusive:
        return {}
    place = next((place for place, child in enumerate(node.children) if child.checked), -1)
    return {"mutually-exclusive": "1", "mutually-exclusive-child": str(place)}


def _canvas(project: Project) -> ET.Element:
    canvas = ET.Element("mapcanvas", name="theMapCanvas")
    _text(canvas, "units", "meters")
    extent = ET.SubElement(canvas, "extent")
    for name, value in zip(("xmin", "ymin", "xmax", "ymax"), project.view, strict=True):
        _text(extent, name, f"{value:.10g}")
    _text(canvas, "rotation", "0")
    ET.SubElement(canvas, "destinationsrs").append(_crs(project.crs))
    return canvas


def _first_view(project: Project) -> ET.Element:
    top = ET.Element("ProjectViewSettings", UseProjectScales="0")
    names = ("xmin", "ymin", "xmax", "ymax")
    box = {name: f"{value:.10g}" for name, value in zip(names, project.view, strict=True)}
    ET.SubElement(top, "DefaultViewExtent", box).append(_crs(project.crs))
    return top


def _layer(layer: _Layer, crs: str) -> ET.Element:
    if isinstance(layer, RasterLayer):
        return _raster_layer(layer, crs)
    labelled = str(int(layer.labels is not None))
    top = ET.Element("maplayer", type="vector", geometry=layer.geometry, labelsEnabled=labelled)
    _head(top, layer, LONLAT, "ogr")
    top.append(_vector_renderer(layer.symbols))
    if layer.labels is not None:
        top.append(_labelling(layer.labels, layer.geometry))
    if layer.name_field is not None:
        _text(top, "previewExpression", f'"{layer.name_field}"')
    return top


def _labelling(labels: Labels, geometry: str) -> ET.Element:
    """Small text with a halo: beside points (placement 6, the order of cartographers), within areas (4)."""
    top = ET.Element("labeling", type="simple")
    settings = ET.SubElement(top, "settings")
    text = ET.SubElement(
        settings,
        "text-style",
        fieldName=labels.expression,
        isExpression="1",
        fontSize="9",
        fontSizeUnit="Point",
        textColor="0,0,0,255",
        textOpacity="1",
    )
    ET.SubElement(
        text,
        "text-buffer",
        bufferDraw="1",
        bufferSize="1",
        bufferSizeUnits="MM",
        bufferColor="255,255,255,255",
        bufferOpacity="0.9",
        bufferNoFill="1",
    )
    beside = {"placement": "6", "predefinedPositionOrder": "TR,TL,BR,BL,R,L,TSR,BSR"}
    place = beside if geometry == "Point" else {"placement": "4"}
    ET.SubElement(settings, "placement", place | {"dist": "0.6", "distUnits": "MM", "offsetType": "1"})
    ET.SubElement(
        settings,
        "rendering",
        drawLabels="1",
        scaleVisibility="1",
        scaleMin="0",
        obstacle="1",
        scaleMax=str(labels.smallest_scale),
    )
    return top


def _raster_layer(layer: RasterLayer, crs: str) -> ET.Element:
    top = ET.Element("maplayer", type="raster")
    _head(top, layer, crs, "gdal")
    _text(top, "abstract", layer.abstract)
    top.append(pipe(layer.legend, layer.band))
    _text(top, "blendMode", "0")
    return top


def _head(top: ET.Element, layer: _Layer, crs: str, provider: str) -> None:
    _text(top, "id", layer.id)
    _text(top, "datasource", layer.source)
    _text(top, "layername", layer.title)
    ET.SubElement(top, "srs").append(_crs(crs))
    _text(top, "provider", provider)


def _vector_renderer(symbols: Sequence[Symbol]) -> ET.Element:
    if [symbol.kind for symbol in symbols] == [None]:
        top = ET.Element("renderer-v2", type="singleSymbol", symbollevels="0", enableorderby="0")
    else:
        top = ET.Element("renderer-v2", type="categorizedSymbol", attr="kind", symbollevels="0")
        classes = ET.SubElement(top, "categories")
        for number, symbol in enumerate(symbols):
            ET.SubElement(
                classes,
                "category",
                render="true",
                symbol=str(number),
                value=symbol.kind or "",
                label=symbol.label,
                type="string",
            )
    holder = ET.SubElement(top, "symbols")
    for number, symbol in enumerate(symbols):
        attributes = {"type": symbol.shape, "name": str(number), "alpha": "1", "clip_to_extent": "1"}
        drawn = ET.SubElement(holder, "symbol", attributes)
        layer = ET.SubElement(drawn, "layer", _LAYER | {"class": symbol.layer})
        options = ET.SubElement(layer, "Option", type="Map")
        for name, value in sorted(symbol.options.items()):
            _option(options, name, value)
    return top


def _option(parent: ET.Element, name: str, value: str) -> None:
    ET.SubElement(parent, "Option", name=name, value=value, type="QString")


def _crs(code: str) -> ET.Element:
    """QGIS looks a CRS up by its code if ``srsid`` says that it is no user's own; any small number does."""
    top = ET.Element("spatialrefsys")
    _text(top, "srsid", "1")
    _text(top, "authid", code)
    return top


def _text(parent: ET.Element, tag: str, text: str) -> None:
    ET.SubElement(parent, tag).text = text
