"""Map themes of a project, and the page that it prints: map, legend, scale, title, notice."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from pipeline.grid.grid import Box

LAYOUT = "A4 with legend"
# QGIS's numbers of the kinds of items.
_PAGE, _MAP, _LABEL, _LEGEND, _SCALE_BAR = "65638", "65639", "65641", "65642", "65646"
_MAP_ID = "{6d617000-0000-4000-8000-000000000001}"
_MAP_MM = (10.0, 22.0, 205.0, 158.0)  # left, top, width, height
_NICE = (1, 2, 5)
# Kinds of text in a legend, size in points, room above in mm.
_LEGEND_STYLES = (("group", 10, "3"), ("subgroup", 9, "2.5"), ("symbol", 8, "1.5"), ("symbolLabel", 8, "1.5"))


class _Shown(Protocol):
    @property
    def id(self) -> str: ...


class _Node(Protocol):
    """A node of the tree as ``project.py`` has it."""

    @property
    def name(self) -> str: ...

    @property
    def checked(self) -> bool: ...

    @property
    def exclusive(self) -> bool: ...

    @property
    def layer(self) -> _Shown | None: ...

    @property
    def children(self) -> Sequence[_Node]: ...


def themes_element(nodes: Sequence[_Node], themes: Iterable[tuple[str, str]]) -> ET.Element:
    """A theme for each raster named: it and all vectors that are switched on; the groups above it open."""
    top = ET.Element("visibility-presets")
    vectors = [node.layer.id for node in _walk(nodes) if node.layer is not None and _always(node)]
    for name, layer_id in themes:
        theme = ET.SubElement(
            top, "visibility-preset", {"name": name, "has-checked-group-info": "1", "has-expanded-info": "1"}
        )
        for shown in (*vectors, layer_id):
            expanded = str(int(shown == layer_id))
            ET.SubElement(theme, "layer", id=shown, visible="1", style="default", expanded=expanded)
        checked = ET.SubElement(theme, "checked-group-nodes")
        for path in _groups_above(nodes, layer_id):
            ET.SubElement(checked, "checked-group-node", id=path)
    return top


def layouts_element(title: str, notice: str, crs: str, view: Box) -> ET.Element:
    """One page of A4: what the window shows, with the legend of it."""
    top = ET.Element("Layouts")
    layout = ET.SubElement(top, "Layout", name=LAYOUT, units="mm", printResolution="300")
    pages = ET.SubElement(layout, "PageCollection")
    _item(pages, _PAGE, "page", (0.0, 0.0, 297.0, 210.0))
    extent = _fitted(view)
    chart = _item(
        layout, _MAP, "map", _MAP_MM, uuid=_MAP_ID, frame="true", followPreset="false", keepLayerSet="false"
    )
    ET.SubElement(chart, "Extent", extent)
    _crs(chart, crs)
    _label(layout, title, (10.0, 6.0, 277.0, 12.0), size_pt=16)
    _label(layout, notice, (10.0, 182.0, 277.0, 14.0), size_pt=8)
    legend = _item(
        layout,
        _LEGEND,
        "legend",
        (220.0, 22.0, 70.0, 140.0),
        map_uuid=_MAP_ID,
        legendFilterByAtlas="0",
        splitLayer="0",
        columnCount="1",
        resizeToContents="1",
        title="",
        symbolWidth="6",
        symbolHeight="3.5",
        wrapChar="",
    )
    legend.attrib["legendFilterByMap"] = "1"
    styles = ET.SubElement(legend, "styles")
    for name, size_pt, room_mm in _LEGEND_STYLES:
        room = {"marginTop": room_mm, "marginLeft": "2"} if name == "symbolLabel" else {"marginTop": room_mm}
        style = ET.SubElement(styles, "style", {"name": name, "alignment": "1", "indent": "0"} | room)
        ET.SubElement(style, "styleFont", description=f"Sans,{size_pt},-1,5,50,0,0,0,0,0", style="")
    _scale_bar(layout, extent)
    return top


def _walk(nodes: Sequence[_Node]) -> Iterable[_Node]:
    for node in nodes:
        yield node
        yield from _walk(node.children)


def _always(node: _Node) -> bool:
    """Whether a node is a vector that is switched on; rasters are a choice."""
    return bool(node.checked) and not hasattr(node.layer, "legend")


def _groups_above(nodes: Sequence[_Node], layer_id: str, above: tuple[str, ...] = ()) -> list[str]:
    """Paths of the groups that hold a layer, as QGIS writes them; vectors' groups that are on besides."""
    found = []
    for node in nodes:
        path = (*above, node.name)
        if node.layer is None and node.checked and not node.exclusive:
            found.append("/".join(path))
        if node.layer is None and any(
            child.layer is not None and child.layer.id == layer_id for child in _walk(node.children)
        ):
            found += ["/".join(path), *_groups_above(node.children, layer_id, path)]
    return list(dict.fromkeys(found))


def _item(
    parent: ET.Element, kind: str, name: str, place_mm: tuple[float, float, float, float], **more: str
) -> ET.Element:
    left, top, width, height = place_mm
    at, size = f"{left:g},{top:g},mm", f"{width:g},{height:g},mm"
    fixed = {"type": kind, "id": name, "position": at, "positionOnPage": at, "size": size, "visibility": "1"}
    fixed |= {"opacity": "1", "referencePoint": "0", "background": "true", "frame": "false", "zValue": "1"}
    return ET.SubElement(parent, "LayoutItem", fixed | {"uuid": f"{{{name}}}"} | more)


def _label(layout: ET.Element, text: str, place_mm: tuple[float, float, float, float], size_pt: int) -> None:
    item = _item(layout, _LABEL, f"label {size_pt}", place_mm, labelText=text, htmlState="0", halign="1")
    item.attrib |= {"valign": "32", "marginX": "0", "marginY": "0", "background": "false"}
    ET.SubElement(item, "LabelFont", description=f"Sans,{size_pt},-1,5,50,0,0,0,0,0", style="")
    ET.SubElement(item, "FontColor", red="0", green="0", blue="0", alpha="255")


def _scale_bar(layout: ET.Element, extent: Mapping[str, str]) -> None:
    """Two parts of a round number of kilometres, together about a quarter of the map."""
    width_km = (float(extent["xmax"]) - float(extent["xmin"])) / 1000.0
    steps = [nice * 10.0**power for power in range(-2, 4) for nice in _NICE]
    part_km = max([step for step in steps if step <= width_km / 8.0], default=steps[0])
    segment_mm = part_km / width_km * _MAP_MM[2]
    _item(
        layout,
        _SCALE_BAR,
        "scale bar",
        (10.0, 198.0, 70.0, 10.0),
        mapUuid=_MAP_ID,
        style="Single Box",
        unitType="km",
        unitLabel="km",
        numUnitsPerSegment=f"{part_km:g}",
        numMapUnitsPerScaleBarUnit="1",
        fontSize="8",
        numSegments="2",
        numSegmentsLeft="0",
        segmentSizeMode="0",
        segmentMillimeters=f"{segment_mm:.4f}",
        height="3",
        labelBarSpace="3",
        boxContentSpace="1",
    )


def _fitted(view: Box) -> dict[str, str]:
    """The view with the ratio of the map on the page, its middle kept."""
    west, south, east, north = view
    width = max(east - west, (north - south) * _MAP_MM[2] / _MAP_MM[3])
    height = width * _MAP_MM[3] / _MAP_MM[2]
    x, y = (west + east) / 2.0, (south + north) / 2.0
    sides = {"xmin": x - width / 2, "ymin": y - height / 2, "xmax": x + width / 2, "ymax": y + height / 2}
    return {name: f"{value:.10g}" for name, value in sides.items()}


def _crs(parent: ET.Element, code: str) -> None:
    top = ET.SubElement(ET.SubElement(parent, "crs"), "spatialrefsys")
    ET.SubElement(top, "srsid").text = "1"
    ET.SubElement(top, "authid").text = code
