"""`channelmaps import`: foreign registers to one of the product, all or nothing, with a report.

Strict: one fault and nothing is written but the report, if one is asked for. ``lenient``: faulty rows are
left out and told. What rules leave out (status, service, duplicates) is no fault.
"""

from __future__ import annotations

import gc
import sys
import zipfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import NamedTuple, get_args

import numpy as np
from pydantic import ValidationError

from pipeline.config.load import read_model
from pipeline.config.register_mapping import FormatName, RegisterMapping
from pipeline.errors import InputError, fault_lines, fault_of_value, in_file
from pipeline.files import Output, check_outputs, json_bytes, kind_of_start, kind_of_table, write_output
from pipeline.radio.channel_plan import ChannelPlan
from pipeline.reference.ratio_tables import ModeKey, read_modes
from pipeline.registers.entries import Reading, Source
from pipeline.registers.explained import explain_lines
from pipeline.registers.finishing import Target, check_entries, faults_of, finish_transmitters
from pipeline.registers.formats.acma_list import read_acma_list
from pipeline.registers.formats.acma_rrl import read_acma_rrl
from pipeline.registers.formats.fcc_lms import read_lms
from pipeline.registers.formats.fcc_post_auction import read_post_auction
from pipeline.registers.formats.ge06 import read_ge06
from pipeline.registers.formats.hcm_lines import read_hcm_lines
from pipeline.registers.formats.ised import read_ised
from pipeline.registers.formats.mapped_table import read_tables
from pipeline.registers.formats.tvstudy import read_tvstudy
from pipeline.registers.named_plans import named_plan
from pipeline.registers.register_files import areas_document, register_text, report_of, summary_lines
from pipeline.registers.stations import ReceiverRow
from pipeline.registers.transmitter_rows import RowRules, SiteBox, TransmitterRow, keep_rules
from pipeline.rows.row_models import refuse_unless_lenient
from pipeline.shipped import TABLES

_REPORT_FILE = kind_of_start("a report in JSON", rb"\s*\{")
_HEAD_BYTES = 65_536
_GEOJSON_FILE = kind_of_start("a GeoJSON", rb"\s*\{")
_FORMATS: dict[str, Callable[[Source, Target], Reading]] = {
    "table": read_tables,
    "ge06": read_ge06,
    "fcc_lms": read_lms,
    "tvstudy": read_tvstudy,
    "fcc_post_auction": read_post_auction,
    "ised": read_ised,
    "acma_rrl": read_acma_rrl,
    "acma_list": read_acma_list,
    "hcm_lines": read_hcm_lines,
}


_OF_OTHERS = ("table", "hcm_lines")


class RegisterPlan(NamedTuple):
    """Channel raster and known (system, mode) pairs, of a territory file or by the name of the raster."""

    plan: ChannelPlan
    modes: Collection[ModeKey] | None


class ImportFiles(NamedTuple):
    """What an import writes: the register, and on demand the report and the areas of allotments.

    ``dem``: terrain model for heights above ground; ``explain``: so many rows are explained.
    """

    out: Path
    report: Path | None = None
    areas_out: Path | None = None
    dem: Path | None = None
    explain: int = 0


class Import(NamedTuple):
    """An import that has been read and checked: entries with their fate, and the words on doubtful powers."""

    mapping: RegisterMapping
    target: Target
    reading: Reading
    doubt: str


def read_mapping(path: Path) -> RegisterMapping:
    """An `import.yaml`, its paths beside it; InputError names the key."""
    mapping = read_model(path, RegisterMapping)
    areas_out = None if mapping.areas_out is None else path.parent / mapping.areas_out
    return mapping.located(path.parent).model_copy(update={"areas_out": areas_out})


def with_files(mapping: RegisterMapping, files: Sequence[Path]) -> RegisterMapping:
    """The mapping for other files."""
    return mapping.model_copy(update={"path": None, "paths": list(files), "in_": []})


def mapping_of_command(
    form: str, files: Sequence[Path], mapping: Path | None
) -> tuple[RegisterMapping, Path | None]:
    """The mapping of a command line and its file: `MAPPING.yaml`, or `FORMAT IN...` with or without one."""
    if form.endswith((".yaml", ".yml")) and not files and mapping is None:
        return read_mapping(Path(form)), Path(form)
    if form == "auto":
        form = recognised(files)
    if form not in get_args(FormatName):
        allowed = f"a mapping in YAML, or {', '.join(get_args(FormatName))}"
        raise InputError("unknown format", field="FORMAT", value=form, allowed=allowed)
    if form == "table" and mapping is None:
        raise InputError("a table needs its mapping", field="--mapping", allowed="a mapping in YAML")
    known = RegisterMapping.model_validate({"format": form}) if mapping is None else read_mapping(mapping)
    if known.format != form:
        raise InputError(
            "mapping is of another format", file=mapping, row="format", value=known.format, allowed=form
        )
    return (with_files(known, files) if files else known), mapping


def recognised(files: Sequence[Path]) -> str:
    """The format of files by what they hold; InputError with the list for those of none."""
    found = {format_of(path) for path in files}
    if len(found) == 1 and (form := found.pop()):
        return form
    raise InputError(
        "format is not recognised",
        file=files[0] if files else None,
        field="FORMAT",
        value="auto",
        allowed=f"one of {', '.join(get_args(FormatName))}",
    )


def format_of(path: Path) -> str:
    """The format of a file or folder, or nothing."""
    if path.is_dir():
        names = {file.name.lower() for file in path.iterdir()}
        by_file = {"facility.dat": "fcc_lms", "device_details.csv": "acma_rrl", "tvstatio.dbf": "ised"}
        by_file["tv_statio.txt"] = "ised"
        return next((form for name, form in by_file.items() if name in names), "")
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            names = {name.lower().rpartition("/")[2] for name in archive.namelist()}
        return "fcc_lms" if "facility.dat" in names else ""
    with path.open("rb") as stream:
        head = stream.read(_HEAD_BYTES).decode("utf-8-sig", "replace")
    if "<NOTICE>" in head:
        return "ge06"
    lines = [line.replace('"', "").split(",") for line in head.splitlines()]
    for cells in lines:
        if cells[0] == "FacID":
            return "tvstudy" if "SrcKey" in cells else "fcc_post_auction"
    return "acma_list" if lines and lines[0][0] == "Area Served" else ""


def with_settings(mapping: RegisterMapping, settings: Mapping[str, object]) -> RegisterMapping:
    """The mapping with what the command line says (None: nothing), checked again."""
    given = {name: value for name, value in settings.items() if value is not None}
    stated = mapping.model_dump(by_alias=True, exclude_unset=True)
    try:
        return RegisterMapping.model_validate({**stated, **given})
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise InputError(fault_of_value(first), row=key, value=given.get(key)) from None


def plan_named(name: str | None) -> RegisterPlan:
    """A raster of the table with the modes that come with the program."""
    if name is None:
        raise InputError(
            "channel raster is not stated", row="plan", allowed="plan: 8MHz and the like, or --plan"
        )
    return RegisterPlan(named_plan(name), read_modes(TABLES / "modes.csv"))


def target_of(mapping: RegisterMapping, plan: RegisterPlan | None, others: Mapping[str, Target]) -> Target:
    """The kind of register that a mapping writes; ``others`` those of the rooms above."""
    if mapping.target == "transmitters" and plan is not None:
        box = None if mapping.box is None else SiteBox(*mapping.box)
        return Target("transmitters", TransmitterRow, RowRules(plan.plan, box, plan.modes), keep_rules)
    if mapping.target in ("fixed", "mobile"):
        return Target(mapping.target, ReceiverRow, None)
    if mapping.target not in others:
        raise InputError(
            "is no register that can be imported",
            row="target",
            value=mapping.target,
            allowed="transmitters, pmse, fixed, mobile",
        )
    return others[mapping.target]


def read_import(mapping: RegisterMapping, plan: RegisterPlan | None, others: Mapping[str, Target]) -> Import:
    """Read and check all files of a mapping; faults of whole files are raised, those of rows kept."""
    if not mapping.files:
        raise InputError("names no file", row="in", allowed="the files to read")
    if mapping.target == "transmitters" and plan is None:
        plan = plan_named(mapping.plan)
    return read_as(mapping, target_of(mapping, plan, others), [] if plan is None else plan.plan)


def read_as(mapping: RegisterMapping, target: Target, raster: ChannelPlan) -> Import:
    """Read and check all files of a mapping as a kind of register; ``raster`` of its channels, if any."""
    if target.name != "transmitters" and mapping.format not in _OF_OTHERS:
        raise InputError(
            "format holds transmitters", row="format", value=mapping.format, allowed=", ".join(_OF_OTHERS)
        )
    reading = _FORMATS[mapping.format](Source(mapping, list(mapping.files), raster), target)
    doubt = ""
    if target.name == "transmitters":
        doubt = finish_transmitters(reading.entries, target, raster, mapping.duplicates)
    else:
        check_entries((entry for entry in reading.entries if entry.written), target)
    return Import(mapping, target, reading, doubt)


def with_ground(found: Import, dem: Path) -> None:
    """Enter heights above ground of entries that state theirs above sea only, from a terrain model.

    Antennas below its ground keep what they have (flag `below_ground`).
    """
    from pipeline.grid.foreign_rasters import sampled_m  # half a second that every import would take

    entries = [
        entry
        for entry in found.reading.written()
        if entry.values.get("antenna_height_agl_m") is None
        and isinstance(entry.values.get("rcamsl_m"), float)
    ]
    places = np.array([[entry.values["lon"], entry.values["lat"]] for entry in entries], float).reshape(-1, 2)
    ground_m = sampled_m(dem, places[:, 0], places[:, 1])
    for entry, height_m in zip(entries, ground_m.tolist(), strict=True):
        above_m = float(str(entry.values["rcamsl_m"])) - height_m
        if above_m > 0.0:
            entry.values["antenna_height_agl_m"] = round(above_m, 1)
        elif above_m <= 0.0:
            entry.flags.append("below_ground")


def write_import(found: Import, files: ImportFiles) -> None:
    """Write the register, unless it is refused, and the report; print what was done.

    Strict: InputError for the first fault, with the number of further ones; all of them are told before it.
    """
    mapping, reading = found.mapping, found.reading
    if files.report is not None:
        write_output(files.report, json_bytes(report_of(reading, mapping)))
    faults = faults_of(reading.entries)
    for line in fault_lines(faults if mapping.lenient else faults[1:]):
        print(f"channelmaps: {line}", file=sys.stderr)
    refuse_unless_lenient(faults, lenient=mapping.lenient)
    write_output(files.out, register_text(reading.written(), found.target))
    if files.areas_out is not None:
        write_output(files.areas_out, json_bytes(areas_document(reading.areas)))
    if found.doubt:
        print(f"channelmaps: {found.doubt}", file=sys.stderr)
    print("\n".join(summary_lines(reading)))


def import_command(
    mapping: RegisterMapping,
    mapping_file: Path | None,
    files: ImportFiles,
    plan: RegisterPlan | None,
    others: Mapping[str, Target],
) -> None:
    """Import registers as a mapping says; see ``write_import``. Of boundaries what they are is written."""
    if mapping.target == "boundaries":
        from pipeline.registers.boundary_files import import_boundaries

        import_boundaries(mapping.files, mapping.layer, files.out, files.report)
        return
    outputs = [Output("--out", files.out, kind_of_table("id", "lon", "lat"))]
    if files.report is not None:
        outputs.append(Output("--report", files.report, _REPORT_FILE))
    if files.areas_out is not None:
        outputs.append(Output("--areas-out", files.areas_out, _GEOJSON_FILE))
    own = [] if mapping_file is None else [mapping_file]
    own += [] if files.dem is None else [files.dem]
    check_outputs(outputs, [*mapping.files, *mapping.further_files, *own])
    with _without_search_for_rings():
        with in_file(mapping_file or "(command line)"):
            found = read_import(mapping, plan, others)
        if files.dem is not None:
            with_ground(found, files.dem)
        for line in explain_lines(found.reading.entries, mapping, files.explain):
            print(line)
        write_import(found, files)


@contextmanager
def _without_search_for_rings() -> Iterator[None]:
    """Cells and entries stay to the end: looking through them for garbage takes a fifth of all."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def as_of_day(text: str | None) -> date | None:
    """The day that ``--as-of`` names; InputError for anything else."""
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        raise InputError("is no day", field="--as-of", value=text, allowed="yyyy-mm-dd") from None
