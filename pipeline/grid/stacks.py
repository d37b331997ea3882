"""Stacks of files of one band each on one grid: as a virtual raster, and part by part in memory."""

from __future__ import annotations

import os
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from pipeline.blocks import block_slices
from pipeline.errors import InputError
from pipeline.grid.grid import STRIP_PX, Grid
from pipeline.grid.open_rasters import OpenRasters
from pipeline.grid.raster import Layout, Part, read_layout

# Columns of a part: whole rows of all channels of a country are half a gigabyte.
_PART_PX = 1024
# GDAL's names of types, of those that differ by more than a capital letter.
_GDAL_TYPES = {"uint8": "Byte", "uint16": "UInt16", "uint32": "UInt32"}


def parts(paths: Sequence[Path], grid: Grid) -> Iterator[Part]:
    """The files stacked [file, y, x], part by part from the north-west."""
    with OpenRasters() as opened:
        for rows, cols in block_slices(grid.shape, (STRIP_PX, _PART_PX)):
            yield rows, cols, np.concatenate([opened.window(path, rows, cols) for path in paths])


def build_vrt(paths: Sequence[str | Path], names: Sequence[str], *, folder: str | Path | None = None) -> str:
    """Text of a VRT that stacks band 1 of ``paths`` under the band descriptions ``names``.

    Its paths are relative to ``folder`` (default: the folder of the first file). All files lie on one grid.
    """
    layouts = [read_layout(path) for path in paths]
    for path, layout in zip(paths, layouts, strict=True):
        if (layout.crs, layout.transform, layout.width, layout.height) != layouts[0][:4]:
            raise InputError("raster is on another grid", file=path, allowed=f"the grid of {paths[0]}")
    base = Path(paths[0]).parent if folder is None else Path(folder)
    relative = [Path(os.path.relpath(path, base)).as_posix() for path in paths]
    root = vrt_root(layouts[0])
    for number, (layout, file, name) in enumerate(zip(layouts, relative, names, strict=True), 1):
        _add_band(root, number, layout, file, name)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode") + "\n"


def vrt_root(place: Layout | Grid) -> ET.Element:
    """A VRT of the size and place of a file or a grid, without bands."""
    root = ET.Element("VRTDataset", rasterXSize=str(place.width), rasterYSize=str(place.height))
    ET.SubElement(root, "SRS").text = place.crs
    ET.SubElement(root, "GeoTransform").text = ", ".join(repr(float(v)) for v in place.transform.to_gdal())
    return root


def vrt_band(root: ET.Element, number: int, layout: Layout, name: str, unit: str) -> ET.Element:
    """A band of a VRT with its labels, without sources."""
    band = ET.SubElement(root, "VRTRasterBand", dataType=gdal_type(layout), band=str(number))
    ET.SubElement(band, "Description").text = name
    if layout.nodata is not None:
        ET.SubElement(band, "NoDataValue").text = str(layout.nodata)
    ET.SubElement(band, "UnitType").text = unit
    ET.SubElement(band, "Offset").text = "0"
    ET.SubElement(band, "Scale").text = repr(layout.scale_factor)
    return band


def gdal_type(layout: Layout) -> str:
    """GDAL's name of the type of a file's values."""
    return _GDAL_TYPES.get(layout.dtype, layout.dtype.capitalize())


def _add_band(root: ET.Element, number: int, layout: Layout, path: str, name: str) -> None:
    band = vrt_band(root, number, layout, name, layout.units[0])
    source = ET.SubElement(band, "SimpleSource")
    ET.SubElement(source, "SourceFilename", relativeToVRT="1").text = path
    ET.SubElement(source, "SourceBand").text = "1"
    part = {"xOff": "0", "yOff": "0", "xSize": str(layout.width), "ySize": str(layout.height)}
    ET.SubElement(source, "SrcRect", part)
    ET.SubElement(source, "DstRect", part)
