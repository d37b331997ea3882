"""Rasters whose values are levels and codes, for the projects: classes to draw, and levels without codes.

QGIS applies scale and offset before it tells a value: the code -9999 of a level in 0.01 dBm would be told as
-99.99 dBm. A view is a VRT over the published file: band 1 has classes (drawn, and named by a table of
attributes where QGIS reads one), band 2 the level, which a code leaves without a value.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

from pipeline.files import write_whole
from pipeline.grid import raster
from pipeline.grid.raster import Layout
from pipeline.plan.plan import Plan
from pipeline.plan.run_files import view_file, viewed_files
from pipeline.publish.qgis.qml import Entry, Legend, legend_of
from pipeline.publish.side_files import Terms, metadata_element, tags_of
from pipeline.publish.styles import Scheme, lowest_raw
from pipeline.quantise import NODATA_CENTI

_HIGHEST = 32767
_OUTSIDE = 0


def view_legend(scheme: Scheme, unit: str) -> Legend:
    """The palette of band 1: what is outside, codes, then levels, numbered from 0."""
    legend = legend_of(scheme, unit=unit, whole=True)
    entries = (Entry(str(number), entry.rgba, entry.label) for number, entry in enumerate(legend.entries))
    return Legend(legend.title, True, tuple(entries))


def view_text(scheme: Scheme, layout: Layout, source: str, unit: str, tags: Terms) -> str:
    """Text of the view of a file; ``source`` its path from the view's folder, ``tags`` of its side file."""
    entries = view_legend(scheme, unit).entries
    root = ET.Element("VRTDataset", rasterXSize=str(layout.width), rasterYSize=str(layout.height))
    ET.SubElement(root, "SRS").text = layout.crs
    root.append(metadata_element(tags))
    corner = layout.transform.to_gdal()
    ET.SubElement(root, "GeoTransform").text = ", ".join(repr(float(value)) for value in corner)
    codes = entries[1 : sum(entry.code is not None for entry in scheme.classes)]
    named = ", ".join(f"{entry.value} {entry.label}" for entry in codes)
    first = _band(root, 1, "Byte", _OUTSIDE, f"class ({named}, from {len(codes) + 1} levels)")
    _attribute_table(first, entries)
    _source(first, layout, source, _class_table(scheme))
    second = _band(root, 2, "Int16", NODATA_CENTI, f"{layout.band_names[0]}, {unit}; no data: see the class")
    ET.SubElement(second, "UnitType").text = unit
    ET.SubElement(second, "Scale").text = repr(scheme.scale)
    _source(second, layout, source, _level_table(scheme))
    ET.indent(root)
    return ET.tostring(root, encoding="unicode") + "\n"


def _band(root: ET.Element, number: int, kind: str, nodata: int, name: str) -> ET.Element:
    band = ET.SubElement(root, "VRTRasterBand", dataType=kind, band=str(number))
    ET.SubElement(band, "Description").text = name
    ET.SubElement(band, "NoDataValue").text = str(nodata)
    return band


def _source(band: ET.Element, layout: Layout, source: str, table: list[tuple[int, int]]) -> None:
    found = ET.SubElement(band, "ComplexSource")
    ET.SubElement(found, "SourceFilename", relativeToVRT="1").text = source
    ET.SubElement(found, "SourceBand").text = "1"
    part = {"xOff": "0", "yOff": "0", "xSize": str(layout.width), "ySize": str(layout.height)}
    ET.SubElement(found, "SrcRect", part)
    ET.SubElement(found, "DstRect", part)
    ET.SubElement(found, "LUT").text = ", ".join(f"{raw}:{value}" for raw, value in table)


def _class_table(scheme: Scheme) -> list[tuple[int, int]]:
    """Raw values and classes; GDAL interpolates between them, which no whole number notices."""
    codes = sorted(entry.code for entry in scheme.classes if entry.code is not None)
    lows = [low for entry in scheme.classes if (low := lowest_raw(scheme, entry)) is not None]
    starts = [*codes, codes[-1] + 1, *lows[1:]]
    table: list[tuple[int, int]] = []
    for number, raw in enumerate(starts):
        if table and table[-1][0] != raw - 1:
            table.append((raw - 1, number - 1))
        table.append((raw, number))
    return [*table, (_HIGHEST, len(starts) - 1)]


def _level_table(scheme: Scheme) -> list[tuple[int, int]]:
    """Raw values and levels: themselves, but for codes."""
    highest = max(entry.code for entry in scheme.classes if entry.code is not None)
    table = [(NODATA_CENTI, NODATA_CENTI), (highest, NODATA_CENTI), (highest + 1, highest + 1)]
    return [*table, (_HIGHEST, _HIGHEST)]


def _attribute_table(band: ET.Element, entries: tuple[Entry, ...]) -> None:
    """Names and colours of the classes; QGIS 3.30 and newer tells them where one asks for a pixel."""
    top = ET.SubElement(band, "GDALRasterAttributeTable", tableType="thematic")
    # Types 0 whole, 2 text; uses 5 value (0 and 1: smallest and largest), 2 name, 6 to 9 colours.
    columns = [
        ("Value", 0, 5),
        ("Class", 2, 2),
        ("Red", 0, 6),
        ("Green", 0, 7),
        ("Blue", 0, 8),
        ("Alpha", 0, 9),
    ]
    for place, (name, kind, usage) in enumerate(columns):
        column = ET.SubElement(top, "FieldDefn", index=str(place))
        for tag, value in (("Name", name), ("Type", str(kind)), ("Usage", str(usage))):
            ET.SubElement(column, tag).text = value
    for place, entry in enumerate(entries):
        row = ET.SubElement(top, "Row", index=str(place))
        for value in (entry.value, entry.label, *map(str, entry.rgba)):
            ET.SubElement(row, "F").text = value


def write_views(plan: Plan, build: Path, scheme: Scheme) -> dict[tuple[str, int], Legend]:
    """Write the views of a run; their legends by file and band."""
    found = {}
    for file in viewed_files(plan):
        layout = raster.read_layout(build / file)
        tags = tags_of(plan, layout.long_name, of_device=True)
        text = view_text(scheme, layout, f"../{Path(file).name}", layout.units[0], tags)
        write_whole(build / view_file(file), text.encode())
        found[file, 1] = view_legend(scheme, layout.units[0])
    return found
