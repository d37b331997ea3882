"""All that was found in a folder for a country, the questions that are left, and both as a document."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, get_args

from pipeline.config.register_mapping import DttSystem
from pipeline.errors import InputError
from pipeline.files import JsonObject
from pipeline.init.column_values import channel_or_none
from pipeline.init.folder import FoundFile, look_at
from pipeline.init.questions import Question
from pipeline.init.rasters_and_grids import GridChoice, entries_of, plans_on
from pipeline.init.table_proposal import NO_ANSWER, Content, TableProposal
from pipeline.registers.named_plans import plan_names
from pipeline.rows.row_models import read_records

# Systems of formats that have one alone, and their rasters.
_FORMS = {
    "tvstudy": ("ATSC", "6MHz"), "fcc_post_auction": ("ATSC", "6MHz"), "fcc_lms": ("ATSC", "6MHz"),
    "ised": ("ATSC", "6MHz"), "acma_list": ("", "7MHz"), "acma_rrl": ("", "7MHz"),
}  # fmt: skip
_SYSTEMS = get_args(DttSystem)
_NEEDED = ("boundaries", "dem")


class FolderContents(NamedTuple):
    """Files with their roles and what is not clear; ``plan`` and ``system`` empty where they are asked."""

    country: str
    files: list[FoundFile]
    questions: list[Question]
    plan: str
    system: str

    def of(self, role: str) -> list[FoundFile]:
        """The files of a role."""
        return [file for file in self.files if file.role == role]

    def homes(self) -> list[FoundFile]:
        """The boundary files that have the country."""
        return [f for f in self.of("boundaries") if f.boundaries and self.country in f.boundaries.codes]

    def home(self, answers: Mapping[str, str]) -> FoundFile:
        """The boundary file that gives the territory."""
        homes = self.homes()
        wanted = answers.get("boundaries", homes[0].choice)
        return next(file for file in homes if file.choice == wanted)


def contents_of_folder(folder: Path, country: str) -> FolderContents:
    """Look at a folder; InputError where it has no boundaries of the country, or no register."""
    files = look_at(folder, country)
    found = FolderContents(country, files, [], "", "")
    if not found.homes():
        raise InputError(
            "no boundaries of the country", file=folder, field="COUNTRY", value=country,
            allowed="a file of GISCO, geoBoundaries, GADM or Natural Earth, or with iso2, that has it",
        )  # fmt: skip
    registers = found.of("transmitters")
    if not registers:
        raise InputError(
            "no register of transmitters", file=folder, allowed="a table with channel, power, place"
        )
    questions = [question for file in registers if file.table for question in file.table.questions]
    plan, plan_question = _plan(registers)
    system, system_question = _system(registers)
    questions += [*plan_question, *system_question, *_which_files(found)]
    return FolderContents(country, files, questions, plan, system)


def _plan(registers: Sequence[FoundFile]) -> tuple[str, list[Question]]:
    """The one raster that fits all registers, else a question."""
    named = {_FORMS[file.form][1] for file in registers if file.form in _FORMS}
    f_mhz: list[float] = []
    channels: list[int | None] = []
    for file in registers:
        more = entries_of(file.table) if file.table else _own_entries(file) if not file.form else ([], [])
        f_mhz, channels = f_mhz + more[0], channels + more[1]
    fitting = plans_on(f_mhz, channels) if channels else [*named] or plan_names()
    if len(fitting) == 1:
        return fitting[0], []
    return "", [Question("plan", "which channel raster do the registers have", (*(fitting or plan_names()),))]


def _own_entries(file: FoundFile) -> tuple[list[float], list[int | None]]:
    """The same of a register with the fixed columns; what cannot be read there is a fault later."""
    values = [record.values for record in read_records(file.path, ()).readable]
    pairs = []
    for row in values:
        channel = channel_or_none(row.get("channel", ""))
        try:
            pairs.append((float(row.get("centre_mhz", "")), channel))
        except ValueError:
            continue
    return [f for f, _ in pairs], [channel for _, channel in pairs]


def _system(registers: Sequence[FoundFile]) -> tuple[str, list[Question]]:
    """The system that most rows say; asked where some register says none."""
    systems: Counter[str] = Counter()
    for file in registers:
        told: list[str]
        if file.form:
            told = [_FORMS.get(file.form, ("", ""))[0]]
        elif file.table is None:
            told = [record.values.get("system", "") for record in read_records(file.path, ()).readable]
        else:
            column = file.table.columns.get("system", {})
            cells = file.table.laid.foreign.table.columns.get(column.get("from", ""), [])
            told = [column.get("map", {}).get(cell.strip(), cell.strip()) for cell in cells]
        if not any(told):
            shown = [f"{other.path.name} has no column of it" for other in registers if other is file]
            return "", [Question("system", "which system do transmitters have", _SYSTEMS, tuple(shown))]
        systems.update(system for system in told if system)
    return systems.most_common(1)[0][0], []


def _which_files(found: FolderContents) -> list[Question]:
    """What is asked where several files could be the one."""
    questions = []
    for key, text, files in (
        ("boundaries", "which file gives the polygons of the territory", found.homes()),
        ("population", "which file says where people live", [*found.of("places"), *found.of("population")]),
    ):
        names = [file.choice for file in files]
        if len(names) > 1:
            choices = names if key == "boundaries" else [*names, NO_ANSWER]
            questions.append(Question(key, text, tuple(choices)))
    for file in found.of("raster"):
        text = f"what does {file.path.name} hold"
        questions.append(Question(file.path.name, text, ("heights", "persons per cell", NO_ANSWER)))
    return questions


# --- the document -------------------------------------------------------------------------------------------


def document_of(found: FolderContents, grid: GridChoice) -> JsonObject:
    """Roles, proposals and questions as plain data."""
    tables = {file.path.name: file.table for file in found.files if file.table is not None}
    roles = {file.choice: file.told for file in found.files}
    return {
        "roles": roles,
        "notes": {file.path.name: file.note for file in found.files if file.note},
        "missing": [role for role in _NEEDED if not found.of(role)],
        "table": {name: _layout(table) for name, table in tables.items()},
        "proposed": {name: _columns(table) for name, table in tables.items()},
        "asked": [
            {
                "key": q.key,
                "about": q.about or q.key.rpartition(":")[2],
                "column": q.column,
                "text": q.text,
                "choices": [*q.choices],
                "shown": [*q.shown],
            }
            for q in found.questions
        ],
        "plan": found.plan or None,
        "system": found.system or None,
        "grid_crs": grid.crs,
    }


def _layout(table: TableProposal) -> JsonObject:
    layout = table.laid.layout
    names = ("encoding", "separator", "decimal", "thousands", "header_row", "blank_rows")
    told: JsonObject = {name: getattr(layout, name) for name in names}
    return {
        **told,
        "rows": layout.rows - table.total_rows,
        "total_rows": table.total_rows,
        "words": [*layout.words],
    }


def _columns(table: TableProposal) -> Content:
    def short(column: dict[str, Any]) -> Any:  # noqa: ANN401 - a text, or the keys of a mapping
        return column["from"] if [*column] == ["from"] else column

    told = {
        name: short(column)
        for name, column in table.columns.items()
        if column.keys() & {"from", "template"} and name != "status"  # its words are asked
    }
    return told if table.pattern is None else {**told, "pattern": table.pattern}
