"""How foreign files become registers: the keys of `import.yaml` and of registers in territory files.

Only names, units and choices stand here; what they mean is done in `pipeline/registers` (docs/registers.md).
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    field_validator,
    model_validator,
)

from pipeline.config.base import EpsgCode, Number, Section, Whole, on_or_off


def _as_text(value: object) -> object:
    """Numbers that stand for text: YAML reads `60` and `-9999` as numbers."""
    if isinstance(value, bool):
        raise ValueError("YAML reads yes, no, on and off as true and false: they need quotes here")
    return str(value) if isinstance(value, int | float) else value


def _one_or_more(value: object) -> object:
    return value if isinstance(value, list) else [value]


Text = Annotated[str, BeforeValidator(_as_text)]
Headers = Annotated[list[Text], BeforeValidator(_one_or_more), Field(min_length=1)]
FormatName = Literal[
    "table", "ge06", "fcc_lms", "tvstudy", "fcc_post_auction", "ised", "acma_rrl", "acma_list", "hcm_lines"
]
Encoding = Literal[
    "utf-8-sig", "utf-8", "utf-16", "windows-1250", "windows-1251", "windows-1252", "windows-1257",
    "iso-8859-1", "iso-8859-2", "iso-8859-15", "cp437", "cp850", "cp852",
]  # fmt: skip
PowerReference = Literal["erp", "eirp", "per_plane"]
DttSystem = Literal["DVB-T", "DVB-T2", "ATSC", "ISDB-T", "DTMB", "ATSC3"]
"""Systems of digital television as registers name them; ATSC3 is ATSC 3.0."""
_Axis = Literal["N", "S", "E", "W"]
# Formats of a folder with several tables: that of the stations, which stands for the folder.
_MAIN_TABLES = {
    "fcc_lms": ("facility.dat",),
    "acma_rrl": ("device_details.csv",),
    "ised": ("tvstatio.dbf", "tv_statio.txt"),
}
_ANTENNA_FILES = (".msi", ".pln", ".prn", ".adf", ".pat", ".ant")


class _Mapping(Section):
    """Sections of a mapping: keys may be words of Python, such as `from` and `in`."""

    model_config = ConfigDict(populate_by_name=True)


class CellOf(_Mapping):
    """The cell of one column."""

    from_: Annotated[Text, Field(alias="from")]
    """Header of the column."""


class UnitOf(CellOf):
    """The unit that stands beside each value."""

    map: dict[Text, Text] = {}
    """Text of the cell to a unit of the list."""


class Quantity(CellOf):
    """A number beside others of which one value is made."""

    unit: Text | UnitOf = ""
    """Unit of the number; empty: that of the target."""
    na: list[Text] = []
    """Further texts that mean "not given"."""
    decimal: Literal[".", ","] | None = None
    """Decimal sign, if not that of the file."""
    thousands: Text | None = None
    """Thousands sign, if not that of the file."""


class ColumnMapping(_Mapping):
    """Where a column of the register comes from and how its cells are read."""

    from_: Annotated[Headers | None, Field(alias="from")] = None
    """Header of the column, or a list of headers where several cells make one value."""
    template: str | None = None
    """Text with `{Header}`; for `id`, `site` and `sfn`."""
    power: Quantity | None = None
    """Transmitter power, where the e.r.p. is made of power, gain and loss."""
    gain: Quantity | None = None
    """Gain of the antenna in dBi or dBd."""
    loss: Quantity | None = None
    """Loss of the feeder in dB; an empty cell is 0 dB."""
    unit: Text | UnitOf = ""
    """Unit of the number; empty: that of the target."""
    reference: PowerReference = "erp"
    """e.r.p., e.i.r.p., or the e.r.p. of each plane of a mixed polarisation."""
    notation: Literal["degrees", "dms", "parts"] = "degrees"
    """Notation of angles."""
    hemispheres: dict[Text, _Axis] = {}
    """Letters of the file to N, S, E, W."""
    west_positive: bool = False
    """Longitudes without a letter count westwards."""
    format: Text | None = None
    """Of dates, in codes of `strptime`; none: yyyy-mm-dd."""
    map: dict[Text, Text] = {}
    """Value to value; others pass unchanged unless there is `otherwise`."""
    otherwise: Text | None = None
    """What every other value becomes."""
    na: list[Text] = []
    """Further texts that mean "not given", for this column."""
    missing: Literal["error", "drop", "empty"] | None = None
    """What a cell without a value is; none: a fault where the register needs the column."""
    decimal: Literal[".", ","] | None = None
    """Decimal sign, if not that of the file."""
    thousands: Text | None = None
    """Thousands sign, if not that of the file."""

    @model_validator(mode="after")
    def _has_one_source(self) -> ColumnMapping:
        sources = [self.from_ is not None, self.template is not None, self.power is not None]
        if sum(sources) != 1:
            raise ValueError("a column has one of from, template, power (with gain and loss)")
        if self.power is None and (self.gain is not None or self.loss is not None):
            raise ValueError("gain and loss stand beside power")
        if self.power is not None and self.gain is None:
            raise ValueError("power needs its gain, in dBi or dBd")
        return self


class RowFilter(_Mapping):
    """Rows that count: the cell is one of a list, or none of it."""

    column: Text
    """Header of the column."""
    in_: Annotated[list[Text] | None, Field(alias="in")] = None
    """Texts of the rows that count."""
    not_in: list[Text] | None = None
    """Texts of the rows that do not."""

    @model_validator(mode="after")
    def _has_one_list(self) -> RowFilter:
        if (self.in_ is None) == (self.not_in is None):
            raise ValueError("a filter has one of in, not_in")
        return self


class FileText(_Mapping):
    """How the text of a table is read."""

    encoding: Encoding = "utf-8-sig"
    """Character set; undecodable bytes are refused."""
    separator: Literal[",", ";", "\t", "|"] | None = None
    """Separator of cells; none: the comma, of UTF-16 the tab."""
    decimal: Literal[".", ","] = "."
    """Decimal sign."""
    thousands: Text = ""
    """Thousands sign; empty: none."""
    header_row: Annotated[Whole, Field(ge=1)] = 1
    """Line or row of the sheet with the names of the columns, from 1."""
    sheet: Text | None = None
    """Sheet of a workbook."""
    layer: Text | None = None
    """Layer of a GeoPackage or KML."""


class Join(FileText):
    """A second table whose columns are added to the rows with the same key."""

    path: Path
    """The file."""
    on: Text
    """Header of the key, in both tables."""

    @model_validator(mode="before")
    @classmethod
    def _on_is_no_truth(cls, values: Any) -> Any:  # noqa: ANN401 - whatever YAML holds
        if isinstance(values, dict):
            return {on_or_off(key): value for key, value in values.items()}
        return values


class PatternMapping(_Mapping):
    """Where the horizontal pattern stands."""

    kind: (
        Literal[
            "attenuation_db",
            "relative_gain_db",
            "absolute_gain_dbi",
            "relative_field",
            "relative_power",
            "erp",
        ]
        | None
    ) = None
    """What the values are; needed unless they stand in an antenna file."""
    from_: Annotated[Text | None, Field(alias="from")] = None
    """Header of the one cell with all values."""
    separator: Text = ";"
    """Between the values of the cell."""
    pair: Text | None = None
    """Between azimuth and value, where the cell holds pairs."""
    columns: str | None = None
    """Headers of the values in Python's format, such as `ERP_{azimuth}`."""
    step: Annotated[Whole, Field(ge=1, le=90)] = 10
    """Degrees between the columns."""
    unit: Text = ""
    """Of `kind: erp`."""
    reference: PowerReference = "erp"
    """Of `kind: erp`."""
    file: CellOf | None = None
    """Name of an antenna file beside the register (MSI, NSMA, EDX, Radio Mobile)."""
    rotation: Number | CellOf = 0.0
    """True azimuth of the pattern's 0 in degrees, or the column that holds it."""
    north_offset_deg: Number = 0.0
    """Added to the rotation: declination or convergence."""
    direction: Literal["cw", "ccw"] = "cw"
    """Clockwise or counterclockwise."""
    nondirectional: list[Text] = ["ND", "OD", "O", "N"]
    """Texts that mean no pattern, beside the empty cell."""
    normalise: bool = False
    """Subtract the smallest attenuation."""
    mechanical_tilt: CellOf | None = None
    """Column of the mechanical tilt: not used, and said so."""
    electrical_tilt: CellOf | None = None
    """Column of the electrical tilt, degrees, positive down."""

    @model_validator(mode="after")
    def _has_one_source(self) -> PatternMapping:
        if sum(source is not None for source in (self.from_, self.columns, self.file)) != 1:
            raise ValueError("a pattern has one of from, columns, file")
        if self.kind is None and self.file is None:
            raise ValueError("kind says whether values are attenuation, gain, field, power or e.r.p.")
        if self.kind == "erp" and not self.unit:
            raise ValueError("kind erp needs the unit of its values")
        if self.columns is not None and "{azimuth" not in self.columns:
            raise ValueError("columns holds {azimuth}, such as ERP_{azimuth}")
        try:
            (self.columns or "").format(azimuth=0)
        except (LookupError, ValueError, AttributeError):
            raise ValueError(
                "columns holds {azimuth} alone, such as ERP_{azimuth} or G{azimuth:03}"
            ) from None
        return self


class PowerPattern(_Mapping):
    """The power by sectors of a licence register, of which no document says the unit."""

    path: Path = Path("LICENCE_.CSV")
    """File beside the register."""
    unit: Text
    """Unit of POWER."""
    reference: Literal["erp", "eirp"]
    """e.r.p. or e.i.r.p."""


class Duplicates(_Mapping):
    """Several entries of one channel at one place."""

    within_m: Annotated[Number, Field(ge=0, le=10_000)] = 100.0
    """Entries of one channel nearer than this are one station."""
    keep: Literal["max_erp", "first", "latest", "all"] = "max_erp"
    """Which of them is written."""


class RegisterMapping(FileText):
    """A foreign file, or several of one kind, and how its rows become those of a register."""

    path: Path | None = None
    """The file, in a territory file."""
    paths: list[Path] = []
    """The files, if there are several."""
    in_: Annotated[list[Path], BeforeValidator(_one_or_more), Field(alias="in")] = []
    """The files, in `import.yaml`."""
    format: FormatName = "table"
    """`table`, or the name of a known format."""
    plan: Text | None = None
    """Channel raster, a name of configs/tables/channel_plans.csv; in a territory file its own."""
    target: Literal["transmitters", "pmse", "fixed", "mobile", "boundaries"] = "transmitters"
    """Kind of register."""
    box: tuple[Number, Number, Number, Number] | None = None
    """West, south, east, north in degrees; a place outside is a fault."""
    lenient: bool = False
    """Leave faulty rows out, instead of writing nothing."""
    crs: EpsgCode | None = None
    """Of x and y, or of lat and lon; none: WGS84, or what the file says."""
    to_wgs84: Annotated[list[Number], Field(min_length=3, max_length=7)] | None = None
    """Three or seven parameters (position vector; m, arc seconds, ppm) in place of the choice of PROJ."""
    datum_accuracy_m: Annotated[Number, Field(gt=0, le=1000)] = 20.0
    """Worse transformations are refused."""
    na: list[Text] = [""]
    """Texts that mean "not given", in all columns."""
    as_of: date | None = None
    """Day of the register: entries that are not yet or no longer valid are left out."""
    keep_status: list[Text] | None = None
    """Words of the status that are kept; none: all."""
    filter: list[RowFilter] = []
    """Rows that count."""
    join: Join | None = None
    """A second table."""
    constants: dict[str, Text] = {}
    """Columns with one value for all rows."""
    columns: dict[str, ColumnMapping] = {}
    """The columns of the register."""
    pattern: PatternMapping | None = None
    """The horizontal pattern."""
    duplicates: Duplicates = Duplicates()
    """Several entries of one channel at one place."""
    mixed_erp: Literal["sum", "max"] = "sum"
    """`ge06`, and columns erp_h, erp_v: powers of both planes are added, or the stronger is taken."""
    erp_unit: Literal["dBW", "dBkW"] = "dBW"
    """`ge06`: unit of the values written as dBW."""
    fragments: list[Literal["GE06D", "NTFD_RR"]] | None = None
    """`ge06`: parts that are read; none: all."""
    system: DttSystem | None = None
    """Of all rows of a format that does not say it."""
    services: list[Text] | None = None
    """`fcc_lms`: service codes that are kept."""
    patterns: Path | None = None
    """`fcc_post_auction`: parameter table with the patterns."""
    power_pattern: PowerPattern | None = None
    """`acma_rrl`: the file with the power by sectors."""
    vintage: Literal["new", "old"] | None = None
    """`ised`: records of before 2013, in which ERPATA is a power."""
    areas_out: Path | None = None
    """`ge06`: GeoJSON of the allotments to write."""

    @field_validator("to_wgs84")
    @classmethod
    def _three_or_seven(cls, values: list[float] | None) -> list[float] | None:
        if values is not None and len(values) not in (3, 7):
            raise ValueError("to_wgs84 has 3 or 7 numbers")
        return values

    @model_validator(mode="after")
    def _has_columns(self) -> RegisterMapping:
        if self.format == "table" and self.target != "boundaries" and not self.columns:
            raise ValueError("a table needs columns (a mapping)")
        if sum(bool(named) for named in (self.path, self.paths, self.in_)) > 1:
            raise ValueError("the files stand under one of path, paths, in")
        return self

    def located(self, folder: Path) -> RegisterMapping:
        """The mapping with its files in a folder; a bare name of a further file is beside the first of them.

        Naming twice changes nothing.
        """
        files = [self._table_of(folder / file) for file in self.files]

        def beside(path: Path | None) -> Path | None:
            if path is None:
                return None
            return files[0].parent / path if len(path.parts) == 1 and files else folder / path

        join = self.join and self.join.model_copy(update={"path": beside(self.join.path)})
        update = {"path": None, "paths": files, "in_": [], "join": join, "patterns": beside(self.patterns)}
        return self.model_copy(update=update)

    def _table_of(self, path: Path) -> Path:
        """The table of the stations in a folder of tables; any other path as it is."""
        names = _MAIN_TABLES.get(self.format, ())
        found = sorted(file for file in path.iterdir() if file.name.lower() in names) if path.is_dir() else []
        return found[0] if found else path

    @property
    def files(self) -> list[Path]:
        """The files, whatever key names them."""
        return [self.path] if self.path is not None else self.paths or self.in_

    @property
    def further_files(self) -> list[Path]:
        """The files that are read beside those: the second table, the table of patterns."""
        joined = None if self.join is None else self.join.path
        return [path for path in (joined, self.patterns) if path is not None]

    @property
    def files_beside(self) -> list[Path]:
        """What is read besides without being named: further tables of a folder, antenna files."""
        suffixes = {file.suffix.lower() for file in self.files if self.format in _MAIN_TABLES}
        suffixes -= {".zip"}
        if self.pattern is not None and self.pattern.file is not None:
            suffixes |= {*_ANTENNA_FILES}
        folders = {file.parent for file in self.files if suffixes and file.parent.is_dir()}
        near = [file for folder in sorted(folders) for file in sorted(folder.iterdir())]
        return [file for file in near if file.suffix.lower() in suffixes and file not in self.files]


def _kind_of_item(item: object) -> str:
    return "mapping" if isinstance(item, dict | RegisterMapping) else "file"


def _of_territory(item: Path | RegisterMapping) -> Path | RegisterMapping:
    """Refuse keys that the territory file says elsewhere; further files of a mapping are beside it."""
    if not isinstance(item, RegisterMapping):
        return item
    if not item.files:
        raise ValueError("a mapping needs path, or paths")
    for name, default in (
        ("plan", None),
        ("target", "transmitters"),
        ("areas_out", None),
        ("lenient", False),
    ):
        if getattr(item, name) != default:
            raise ValueError(f"{name} is not for a register of a territory file")
    return item.located(Path())


RegisterItem = Annotated[
    Annotated[Path, Tag("file")] | Annotated[RegisterMapping, Tag("mapping")],
    Discriminator(_kind_of_item),
    AfterValidator(_of_territory),
]
"""A register with the fixed columns, or a foreign file with the mapping of its columns."""


def files_of_item(item: Path | RegisterMapping) -> list[Path]:
    """The files of a register, with fixed columns or with a mapping."""
    return item.files if isinstance(item, RegisterMapping) else [item]
