"""What the files of a folder are, by what they hold: boundaries, terrain, people, registers, unknown."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline.config.register_mapping import PowerPattern
from pipeline.errors import InputError
from pipeline.grid.foreign_rasters import overview_values, stated_texts
from pipeline.grid.grid import Box
from pipeline.init.proposals import propose_table
from pipeline.init.table_layout import LaidOut, lay_out
from pipeline.init.table_proposal import TableProposal
from pipeline.registers.boundary_files import BoundaryFile, boundary_layers
from pipeline.registers.importing import format_of
from pipeline.registers.stations import ReceiverRow
from pipeline.registers.transmitter_rows import TransmitterRow
from pipeline.rows.foreign_text import file_in
from pipeline.rows.row_models import RowModel, columns_of
from pipeline.services.pmse.pmse_register import PmseRow

_RASTERS = (".tif", ".tiff", ".vrt", ".asc", ".hgt", ".img", ".bil", ".nc", ".dt0", ".dt1", ".dt2")
_POLYGONS = (".gpkg", ".geojson", ".json", ".shp")
_TABLES = (".csv", ".txt", ".tsv", ".xlsx", ".ods", ".dbf", ".kml", ".kmz", ".gpkg", ".geojson", ".shp")
# Files that stand beside another one, and those that are none of a territory.
_SIDE = (
    ".shx",
    ".prj",
    ".cpg",
    ".xml",
    ".qml",
    ".qpj",
    ".sbn",
    ".sbx",
    ".ovr",
    ".md",
    ".yaml",
    ".yml",
    ".pdf",
)
_PLACES = {"latitude", "longitude", "population"}
_PEOPLE = re.compile(r"pop|ghs|gpw|people|persons|inhabitants|census", re.IGNORECASE)
_DENSITY = re.compile(r"density", re.IGNORECASE)
_GROUND = re.compile(
    r"dem|dtm|srtm|aster|elev|height|terrain|topo|globe|copernicus|alos|merit|nasadem|[ns]\d\d_?[ew]\d{3}",
    re.IGNORECASE,
)
# Heights, but not those of the ground above the sea.
_NOT_GROUND = re.compile(
    r"canopy|building|tree|forest|vegetation|slope|aspect|roughness|clutter|geoid|undulation|hillshade|demogr",
    re.IGNORECASE,
)
_COVER = re.compile(r"cover|corine|clc|igbp|mcd12|lulc", re.IGNORECASE)
_HEIGHTS_M = (-500.0, 9000.0)
_MOST_CLASSES = 60


class FoundFile(NamedTuple):
    """A file or folder with its role, and what was found out on the way; ``note`` why it is not used.

    ``several``: it is one of the layers of its file that may be the countries.
    """

    path: Path
    role: str
    boundaries: BoundaryFile | None = None
    table: TableProposal | None = None
    form: str = ""
    note: str = ""
    several: bool = False

    @property
    def choice(self) -> str:
        """What an answer names: the file, and its layer where several of it may be meant."""
        layer = f":{self.boundaries.layer}" if self.several and self.boundaries is not None else ""
        return f"{self.path.name}{layer}"

    @property
    def told(self) -> str:
        """The role in words: of boundaries with their source, of GADM with its level."""
        if self.boundaries is None:
            return self.role
        name = self.boundaries.source.name
        level = re.fullmatch(r"NAME_(\d)", self.boundaries.name_field) if name == "gadm" else None
        return f"{self.role}: {name}" + (f" level {level[1]}" if level else "")


def look_at(folder: Path, country: str) -> list[FoundFile]:
    """All files of a folder with their roles, by name."""
    paths = [path for path in sorted(folder.iterdir()) if _counts(path)]
    found = {path: _boundaries_in(path) for path in paths}
    box = _box_of(country, [file for files in found.values() for file in files])
    return [file for path in paths for file in found[path] or [_looked_at(path, country, box)]]


def _counts(path: Path) -> bool:
    if path.name.startswith(".") or path.suffix.lower() in _SIDE:
        return False
    beside_shape = path.suffix.lower() == ".dbf" and path.with_suffix(".shp").exists()
    return not beside_shape


def _boundaries_in(path: Path) -> list[FoundFile]:
    """The layers of a file that may be countries; none of other files."""
    if path.suffix.lower() not in _POLYGONS:
        return []
    try:
        layers = [layer for layer in boundary_layers(path) if layer.codes]
    except InputError:
        return []
    return [FoundFile(path, "boundaries", boundaries=layer, several=len(layers) > 1) for layer in layers]


def _box_of(country: str, files: list[FoundFile]) -> Box | None:
    """The box of a country in the first file that has it; None where none has."""
    for file in files:
        known = file.boundaries
        if known is not None and country in known.codes:
            west, south, east, north = known.polygons_of(country).bounds
            return west, south, east, north
    return None


def _looked_at(path: Path, country: str, box: Box | None) -> FoundFile:
    """The role of one file that holds no boundaries."""
    try:
        return next(_roles(path, country, box))
    except InputError as error:
        return FoundFile(path, "unknown", note=error.problem)


def _roles(path: Path, country: str, box: Box | None) -> Iterator[FoundFile]:
    suffix = path.suffix.lower()
    if path.is_file() and suffix in _RASTERS:
        yield FoundFile(path, _raster_role(path))
        return
    if form := format_of(path):
        unit_unknown = form == "acma_rrl" and file_in(path, PowerPattern.model_fields["path"].default.name)
        note = "LICENCE_.CSV does not say its unit: a mapping with power_pattern does" if unit_unknown else ""
        yield FoundFile(path, "unknown" if unit_unknown else "transmitters", form=form, note=note)
        return
    if path.is_file() and suffix in _TABLES and (laid := lay_out(path, country)) is not None:
        yield _table_role(path, laid, box)
    yield FoundFile(path, "unknown", note="is nothing that is known here")


def _table_role(path: Path, laid: LaidOut, box: Box | None) -> FoundFile:
    headers = {*laid.foreign.table.headers}
    own = path.suffix.lower() in (".csv", ".gpkg", ".geojson") and laid.layout.separator in (",", "")
    fixed: dict[str, type[RowModel]] = {"transmitters": TransmitterRow, "pmse": PmseRow}
    for role, model in fixed.items():
        if own and {*columns_of(model, required=True)} - {"lon", "lat"} <= headers:
            return FoundFile(path, role)
    if own and {*columns_of(ReceiverRow, required=True)} - {"lon", "lat"} <= headers:
        return FoundFile(path, "unknown", note="a register of receivers: incumbents.*.registers take it")
    if headers >= _PLACES:
        return FoundFile(path, "places")
    table = propose_table(path, laid, box)
    if table is not None:
        return FoundFile(path, "transmitters", table=table)
    return FoundFile(path, "unknown", note="a table without channel, power and place")


def _raster_role(path: Path) -> str:
    """Heights, people or land cover: by what the file says and its name, else by its values."""
    values = overview_values(path)
    if values is None:
        return "unknown"
    said = " ".join([path.stem, *stated_texts(path)])
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return "unknown"
    if _COVER.search(said) and len(np.unique(finite)) <= _MOST_CLASSES:
        return "land cover"
    if _PEOPLE.search(said):
        return "unknown" if _DENSITY.search(said) else "population"
    low, high = float(finite.min()), float(finite.max())
    if low < _HEIGHTS_M[0] or high > _HEIGHTS_M[1] or len(np.unique(finite)) <= _MOST_CLASSES:
        return "unknown"
    return "dem" if _GROUND.search(said) and not _NOT_GROUND.search(said) else "raster"
