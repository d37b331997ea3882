"""Files of several grids with common pixels as one virtual raster, none of which hides another.

Padded grids overlap: of each file only the part that is named is shown, and of this what is not nodata.
GDAL opens no file before it is asked for its pixels: sizes and types stand in the text. It takes what differs
from nodata by some ten-millionths of it for nodata: no value of a layer comes so near (masks have bits up to
30, their nodata has all 32).
"""

from __future__ import annotations

import os
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pipeline.grid.grid import Grid
from pipeline.grid.raster import TILE_PX, Layout, tags_of_file
from pipeline.grid.stacks import gdal_type, vrt_band, vrt_root


class MosaicPiece(NamedTuple):
    """The part of a file that is shown; ``grid`` that of the whole file."""

    path: Path
    grid: Grid
    rows: slice
    cols: slice


def mosaic_text(pieces: Sequence[MosaicPiece], grid: Grid, layout: Layout, folder: Path) -> str:
    """Text of a VRT in ``folder`` that shows the pieces on one grid, nodata where there is none.

    ``layout``: labels of the whole, with the bands, the type and the nodata value of each file; its size and
    place do not count. Where two pieces have a value in one pixel, the later one is shown.
    """
    root = vrt_root(grid)
    tags = ET.SubElement(root, "Metadata")
    for name, text in tags_of_file(layout).items():
        ET.SubElement(tags, "MDI", key=name).text = text
    for number, labels in enumerate(zip(layout.band_names, layout.units, strict=True), 1):
        band = vrt_band(root, number, layout, *labels)
        for piece in pieces:
            _add_piece(band, number, piece, grid, layout, folder)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode") + "\n"


def _add_piece(
    band: ET.Element, number: int, piece: MosaicPiece, grid: Grid, layout: Layout, folder: Path
) -> None:
    """A piece as a source of a band; its nodata lets what is below it through."""
    source = ET.SubElement(band, "ComplexSource")
    name = Path(os.path.relpath(piece.path, folder)).as_posix()
    ET.SubElement(source, "SourceFilename", relativeToVRT="1").text = name
    ET.SubElement(source, "SourceBand").text = str(number)
    ET.SubElement(
        source,
        "SourceProperties",
        RasterXSize=str(piece.grid.width),
        RasterYSize=str(piece.grid.height),
        DataType=gdal_type(layout),
        BlockXSize=str(TILE_PX),
        BlockYSize=str(TILE_PX),
    )
    row, col = grid.offset_px(piece.grid)
    for tag, y, x in (("SrcRect", 0, 0), ("DstRect", row, col)):
        place = {"xOff": piece.cols.start + x, "yOff": piece.rows.start + y}
        size = {"xSize": piece.cols.stop - piece.cols.start, "ySize": piece.rows.stop - piece.rows.start}
        ET.SubElement(source, tag, {key: str(value) for key, value in (place | size).items()})
    if layout.nodata is not None:
        ET.SubElement(source, "NODATA").text = str(layout.nodata)
