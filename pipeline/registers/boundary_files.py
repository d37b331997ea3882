"""Boundary files, by what they hold: GISCO, geoBoundaries, GADM, Natural Earth, or the product's own.

Evidence: attribute lists of the publishers. What is found are the keys of `territory.polygons`; the polygons
are read from the file as it comes. Areas without a code of a country, such as disputed ones, are told, never
merged into one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import geopandas as gpd
import shapely
from shapely.geometry.base import BaseGeometry

from pipeline.errors import InputError
from pipeline.files import (
    JsonObject,
    Output,
    check_outputs,
    csv_text,
    json_bytes,
    kind_of_start,
    kind_of_table,
    write_output,
)
from pipeline.grid.country_codes import BoundarySource, country_named, field_among, iso2_of, source_of
from pipeline.grid.polygons import read_frame, read_layer
from pipeline.hashing import file_sha256
from pipeline.rows.vector_files import layer_names

_COLUMNS = ("file", "layer", "source", "code_field", "country_codes", "codes", "name_field", "without_code")
_TABLE, _REPORT = kind_of_table("file", "code_field"), kind_of_start("a report in JSON", rb"\s*\{")
_KNOWN = "attributes of GISCO, geoBoundaries, GADM or Natural Earth, or iso2"


class BoundaryFile(NamedTuple):
    """What a boundary file is: the keys of `territory.polygons`, its countries in two letters, its areas.

    ``without_code``: names of areas that stand for no country of ISO 3166, each with how often.
    """

    path: Path
    layer: str
    source: BoundarySource
    code_field: str
    name_field: str
    codes: tuple[str, ...]
    without_code: tuple[str, ...]
    areas: int

    def polygons_of(self, country: str) -> BaseGeometry:
        """The polygons of a country in degrees, read from the file."""
        layer = read_layer(self.path, self.layer, self.code_field, codes=self.source.codes)
        own = [shape for shape, code in zip(layer.shapes, layer.names, strict=True) if code == country]
        return shapely.union_all(own)

    def row(self) -> JsonObject:
        """The line of the table of an import."""
        return {
            "file": self.path.name,
            "layer": self.layer,
            "source": self.source.name,
            "code_field": self.code_field,
            "country_codes": self.source.codes,
            "codes": ";".join(self.codes),
            "name_field": self.name_field,
            "without_code": ";".join(self.without_code),
        }


def boundary_file(path: Path, layer: str | None = None) -> BoundaryFile:
    """A boundary file, looked at; InputError for one of no known kind, and for several layers of them."""
    found = boundary_layers(path, layer)
    if len(found) > 1:
        several = ", ".join(file.layer for file in found)
        raise InputError("which layer holds the countries?", file=path, field="layer", allowed=several)
    return found[0]


def boundary_layers(path: Path, layer: str | None = None) -> list[BoundaryFile]:
    """The layers of a boundary file that may be its countries; InputError for one of no known kind.

    Of layers of GADM, which divide the same land ever further, those that divide it least.
    """
    names = layer_names(path) if layer is None else [layer]
    frames = {name: _attributed(path, name, several=len(names) > 1) for name in names}
    known = {name: source for name, frame in frames.items() if (source := source_of([*frame.columns]))}
    if not known:
        fields = (c for frame in frames.values() for c in frame.columns if c != "geometry")
        raise InputError(
            "is no boundary file of a known kind",
            file=path,
            field="attributes",
            value=", ".join(fields),
            allowed=_KNOWN,
        )
    levels = {name: _level(frames[name]) if source.name == "gadm" else 0 for name, source in known.items()}
    least = min(levels.values())
    return [
        _looked_at(path, name, source, frames[name])
        for name, source in known.items()
        if levels[name] == least or source.name != "gadm"
    ]


def _attributed(path: Path, layer: str, *, several: bool) -> gpd.GeoDataFrame:
    """A layer as it stands; one without shapes or CRS beside others has no attributes that count."""
    try:
        return read_frame(path, layer, repaired=False)
    except InputError:
        if not several:
            raise
        return gpd.GeoDataFrame()


def _level(frame: gpd.GeoDataFrame) -> int:
    """How far a layer of GADM divides a country: 0 not at all."""
    return sum(f"GID_{level}" in frame.columns for level in range(1, 6))


def _looked_at(path: Path, layer: str, source: BoundarySource, frame: gpd.GeoDataFrame) -> BoundaryFile:
    if source.level is not None and source.level[0] in frame:
        field, wanted = source.level
        whole = frame[frame[field] == wanted]
        frame = whole if len(whole) else frame
    code_field = field_among(frame.columns, source.code_fields)
    name_field = field_among(frame.columns, source.name_fields)
    codes = [iso2_of(code, source.codes) for code in frame[code_field]]
    known = [code if country_named(code) else "" for code in codes]
    labels = frame[name_field or code_field].astype(str)
    lost = Counter(label for label, code in zip(labels, known, strict=True) if not code)
    return BoundaryFile(
        path,
        layer,
        source,
        code_field,
        name_field,
        tuple(sorted({*known} - {""})),
        tuple(label if n == 1 else f"{label} ({n})" for label, n in sorted(lost.items())),
        len(frame),
    )


def import_boundaries(files: Sequence[Path], layer: str | None, out: Path, report: Path | None) -> None:
    """Write what boundary files are as a table, and on demand a report; print a line for each."""
    outputs = [Output("--out", out, _TABLE)]
    if report is not None:
        outputs.append(Output("--report", report, _REPORT))
    check_outputs(outputs, [*files])
    found = [boundary_file(path, layer) for path in files]
    rows = [file.row() for file in found]
    if report is not None:
        inputs = [{"path": str(f.path), "sha256": file_sha256(f.path), "rows": f.areas} for f in found]
        write_output(report, json_bytes({"target": "boundaries", "inputs": inputs, "boundaries": rows}))
    write_output(out, csv_text(_COLUMNS, rows))
    for file in found:
        lost = f"; no country: {', '.join(file.without_code)}" if file.without_code else ""
        told = f"{file.source.name}, {file.code_field}: {len(file.codes)} countries{lost}"
        print(f"{file.path.name}: {told}")
