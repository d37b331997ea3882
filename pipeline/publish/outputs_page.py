"""The tables of `docs/outputs.md` from the table of layers; `make docs` writes them, a test compares."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pipeline.files import write_whole
from pipeline.grid.layer_files import fields_of
from pipeline.layers import LAYERS, Layer, Raster
from pipeline.publish.catalogue import band_fields

# How readers write the fields of a path.
_PLACEHOLDERS = {
    "device": "<device>",
    "level": "<level>",
    "channel": "NN",
    "mode": "<mode>",
    "km": "<km>",
    "block": "<block>",
    "dtt_channel": "NN",
    "case": "",
    "slice": "<slice>",
}
_ROUNDED = {"floor": "rounded **down**", "ceil": "rounded **up**", "nearest": "nearest", "": ""}
_HEADS = {
    "rasters": ("family", "type", "what it is", "unit, scale", "values that are codes", "nodata"),
    "documents": ("file", "what it is"),
}


def updated(text: str) -> str:
    """The document with the tables that the rows give in place of what is between its marks."""
    for name, rows in (("rasters", _raster_rows()), ("documents", _document_rows())):
        begin, end = f"<!-- {name}: from pipeline/layers.py -->\n", f"<!-- end of {name} -->\n"
        before, rest = text.split(begin)
        text = before + begin + _table(_HEADS[name], rows) + end + rest.split(end)[1]
    return text


def update(path: Path) -> None:
    """Write the tables into the document."""
    write_whole(path, updated(path.read_text(encoding="utf-8")))


def _raster_rows() -> Iterable[tuple[str, ...]]:
    for row in LAYERS.values():
        if row.raster is not None:
            yield (
                _name(row),
                _type(row.raster, row.path),
                row.view.text or row.view.title[:1].lower() + row.view.title[1:],
                _unit(row.raster),
                row.view.codes or ", ".join(f"{code} {label}" for code, label in row.raster.codes),
                f"{row.raster.nodata:.12g}".replace("nan", "NaN"),
            )


def _document_rows() -> Iterable[tuple[str, ...]]:
    return [(_name(row), row.view.title) for row in LAYERS.values() if row.raster is None]


def _name(row: Layer) -> str:
    return f"`{row.path.format_map(_PLACEHOLDERS)}`"


def _type(row: Raster, path: str) -> str:
    fields = [name.removesuffix("_mhz") for name in fields_of(row.bands) if name in band_fields(row, path)]
    return f"{row.dtype}, a band for each {fields[0]}" if fields else row.dtype


def _unit(row: Raster) -> str:
    unit = row.unit.format_map(dict.fromkeys(fields_of(row.unit), ""))
    scale = f"{row.scale:g}" if row.scale != 1.0 else ""
    return ", ".join(part for part in (unit if unit != "1" else "", scale, _ROUNDED[row.rounding]) if part)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
