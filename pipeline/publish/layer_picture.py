"""`channelmaps picture`: a published layer as a PNG with its legend, for a page or a slide."""

from __future__ import annotations

from pathlib import Path

from pipeline.errors import InputError
from pipeline.files import write_whole
from pipeline.grid.raster import read_layout
from pipeline.publish.report.figures import draw_with_legend
from pipeline.publish.styles import read_schemes


def picture_command(layer: Path, out: Path, *, title: str) -> None:
    """Draw a layer of one band in the classes of its family; the family is the beginning of its name."""
    schemes = read_schemes()
    families = [name for name in schemes if layer.stem.startswith(f"{name}_")]
    if not families:
        raise InputError("no classes for this kind of layer", file=layer, allowed=", ".join(sorted(schemes)))
    if not layer.is_file():
        raise InputError("no such file", file=layer)
    if len(read_layout(layer).band_names) != 1:
        raise InputError("the layer has several bands", file=layer, allowed="layers of one band")
    write_whole(out, draw_with_legend(layer, schemes[max(families, key=len)], title))
    print(out)
