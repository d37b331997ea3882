"""Text of a GDAL virtual raster that stacks files band by band, written as plain XML."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.grid.raster import Layout

GDAL_TYPES = {
    "uint8": "Byte",
    "int8": "Int8",
    "uint16": "UInt16",
    "int16": "Int16",
    "uint32": "UInt32",
    "int32": "Int32",
    "float32": "Float32",
    "float64": "Float64",
}


def vrt_text(layouts: Sequence[Layout], relative_paths: Sequence[str], names: Sequence[str]) -> str:
    """VRT of band 1 of each file, described as ``names``; the caller has checked that all share one grid."""
    first = layouts[0]
    root = ET.Element("VRTDataset", rasterXSize=str(first.width), rasterYSize=str(first.height))
    ET.SubElement(root, "SRS").text = first.crs
    ET.SubElement(root, "GeoTransform").text = ", ".join(repr(float(v)) for v in first.transform.to_gdal())
    for number, (layout, path, name) in enumerate(zip(layouts, relative_paths, names, strict=True), 1):
        _add_band(root, number, layout, path, name)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode") + "\n"


def _add_band(root: ET.Element, number: int, layout: Layout, path: str, name: str) -> None:
    kind = GDAL_TYPES[layout.dtype]
    band = ET.SubElement(root, "VRTRasterBand", dataType=kind, band=str(number))
    ET.SubElement(band, "Description").text = name
    if layout.nodata is not None:
        ET.SubElement(band, "NoDataValue").text = str(layout.nodata)
    ET.SubElement(band, "UnitType").text = layout.units[0]
    ET.SubElement(band, "Offset").text = "0"
    ET.SubElement(band, "Scale").text = repr(layout.scale_factor)
    source = ET.SubElement(band, "SimpleSource")
    ET.SubElement(source, "SourceFilename", relativeToVRT="1").text = path
    ET.SubElement(source, "SourceBand").text = "1"
    part = {"xOff": "0", "yOff": "0", "xSize": str(layout.width), "ySize": str(layout.height)}
    ET.SubElement(source, "SrcRect", part)
    ET.SubElement(source, "DstRect", part)
