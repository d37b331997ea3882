"""`channelmaps init`: from a country and a folder of files to a territory file that `validate` has checked.

Nothing is asked that the files say, and nothing guessed that they leave open. No network, no file replaced.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from pydantic import TypeAdapter, ValidationError

from pipeline.config.base import FORMS, Identifier
from pipeline.config.register_mapping import RegisterMapping
from pipeline.errors import InputError, fault_of_value
from pipeline.files import Output, check_outputs, json_bytes, kind_of_start, write_output
from pipeline.grid.country_codes import Country, country_named
from pipeline.init.folder import FoundFile
from pipeline.init.found_folder import FolderContents, contents_of_folder, document_of
from pipeline.init.questions import Asker, Question, answered, answers_of, ask_at_terminal, stated_answers
from pipeline.init.rasters_and_grids import GridChoice, grid_of_country, stations_of_neighbours
from pipeline.init.table_proposal import NO_ANSWER
from pipeline.init.territory_text import NewTerritory, territory_text
from pipeline.plan.territory_file import load_config
from pipeline.registers.named_plans import named_plan
from pipeline.registers.transmitters import read_register
from pipeline.rows.vector_files import layer_names
from pipeline.studies.pictures import draw_places
from pipeline.territory.rasters import boundaries_of
from pipeline.workflow.validate import validate_all

# The question on rows that look wrong.
_ACCEPT = "accept"
_BY_ID = re.compile(r"(?:id (\S+)|the id) in registers\.accept")
_PROPOSALS = kind_of_start("proposals in JSON", rb'\s*\{\s*"roles"')
# Formats that do not say the system of their rows.
_WITHOUT_SYSTEM = ("ge06", "acma_list", "acma_rrl")
# A boundary file of so many countries tells land from sea around another one.
_WORLD_COUNTRIES = 20


class InitOptions(NamedTuple):
    """What a command line says: files to write, answers, the day of the registers, the size of pixels."""

    out: Path | None
    proposals: Path | None = None
    answers_file: Path | None = None
    answers: Sequence[str] = ()
    as_of: date | None = None
    resolution_m: float = 200.0


def init_command(country: str, folder: Path, options: InitOptions) -> bool:
    """Write the territory file of a country and a picture of its stations; whether `validate` is content."""
    known = _country(country)
    _check_outputs(folder, options)
    stated = stated_answers(options.answers_file, options.answers)
    found = contents_of_folder(folder, known.iso2)
    homes = [file.boundaries for file in found.homes() if file.boundaries is not None]
    grid = grid_of_country(known.iso2, homes[0].polygons_of(known.iso2))
    if options.proposals is not None:
        write_output(options.proposals, json_bytes(document_of(found, grid)))
    if options.out is None:
        return True
    for file in found.files:
        note = file.note if file.table is None else file.table.notes.get("encoding", "")
        print(f"{file.choice}: {file.told}{f' ({note})' if note else ''}")
    ask: Asker | None = ask_at_terminal if sys.stdin.isatty() else None
    answers = answered(found.questions, stated, ask, later=[_ACCEPT])
    new = _new_territory(known, folder, found, answers, grid, options)
    _write(_accepting(new, options.out, stated, ask), options.out)
    print(f"written: {options.out}, {_picture(options.out)}")
    return validate_all(options.out)


def _country(text: str) -> Country:
    known = country_named(text)
    if known is None:
        raise InputError("is no country", field="COUNTRY", value=text, allowed="two letters of ISO 3166")
    return known


def _picture(out: Path) -> Path:
    return out.with_name(f"{out.stem}_stations.png")


def _check_outputs(folder: Path, options: InitOptions) -> None:
    """Refuse what is there already, and names that no territory file has."""
    if options.out is None and options.proposals is None:
        raise InputError("names nothing to write", field="--out", allowed="a territory file, or --proposals")
    outputs = [] if options.proposals is None else [Output("--proposals", options.proposals, _PROPOSALS)]
    if options.out is not None:
        if options.out.suffix not in (".yaml", ".yml"):
            raise InputError(
                "is no territory file", field="--out", value=options.out, allowed="a name in .yaml"
            )
        try:
            TypeAdapter(Identifier).validate_python(options.out.stem)
        except ValidationError as error:
            allowed = FORMS[error.errors()[0]["ctx"]["pattern"]]
            raise InputError("is no name", field="--out", value=options.out.stem, allowed=allowed) from None
        for path in (options.out, _picture(options.out)):
            if path.exists():
                raise InputError(
                    "is there already", file=path, field="--out", allowed="a file that is not there"
                )
        outputs.append(Output("--out", options.out, kind_of_start("a territory file", rb"")))
    if not folder.is_dir():
        raise InputError("is not a folder", file=folder, field="FOLDER", allowed="a folder of files")
    check_outputs(outputs, [path for path in folder.iterdir() if path.is_file()])


def _new_territory(
    country: Country,
    folder: Path,
    found: FolderContents,
    answers: Mapping[str, str],
    grid: GridChoice,
    options: InitOptions,
) -> NewTerritory:
    home = found.home(answers)
    assert home.boundaries is not None
    people = {file.path.name: file for role in ("places", "population") for file in found.of(role)}
    people |= {f.path.name: f for f in found.of("raster") if answers.get(f.path.name) == "persons per cell"}
    wanted = people.get(answers.get("population", next(iter(people), "")))
    heights = [file.path for file in found.of("dem")]
    heights += [file.path for file in found.of("raster") if answers.get(file.path.name) == "heights"]
    name = found.plan or answers["plan"]
    system = found.system or answers["system"]
    layers = layer_names(home.path)
    return NewTerritory(
        country=country,
        folder=folder,
        home=home.boundaries,
        land_layer="land" if "land" in layers and home.boundaries.layer != "land" else None,
        world=_world(found, home),
        grid=grid,
        resolution_m=options.resolution_m,
        places=wanted.path if wanted is not None and wanted.role == "places" else None,
        population=wanted.path if wanted is not None and wanted.role != "places" else None,
        dem=heights,
        registers=[_register(file, answers, system) for file in found.of("transmitters")],
        pmse=[file.path for file in found.of("pmse")],
        plan_name=name,
        plan=named_plan(name),
        system=system,
        answers=answers,
        has_days=any(file.table is not None and file.table.has_days for file in found.of("transmitters")),
        today=(options.as_of or date.today()).isoformat(),
    )


def _world(found: FolderContents, home: FoundFile) -> Path | None:
    """Another boundary file with many countries, for land beyond that of the territory."""
    others = [
        file.path
        for file in found.of("boundaries")
        if (known := file.boundaries) and file.path != home.path and len(known.codes) >= _WORLD_COUNTRIES
    ]
    return others[0] if others else None


def _register(
    file: FoundFile, answers: Mapping[str, str], system: str
) -> tuple[str | dict[str, Any], Mapping[str, str]]:
    """A register as the territory file names it: its path, or the mapping with what was answered."""
    if file.form:
        more: dict[str, Any] = {"system": system} if file.form in _WITHOUT_SYSTEM else {}
        return {"path": str(file.path), "format": file.form, **more}, {}
    if file.table is None:
        return str(file.path), {}
    content = file.table.mapping(str(file.path))
    for question in file.table.questions:
        question.apply(content, answers[question.key])
    headers = file.table.laid.foreign.table.headers
    for column in content["columns"].values():  # asked for, where two headers are the same
        if f"{column.get('from')}#2" in headers:
            column["from"] += "#1"
    if "system" not in content["columns"]:
        content.setdefault("constants", {})["system"] = system
    try:
        RegisterMapping.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise InputError(fault_of_value(first), file=file.path, row=key, value=first["input"]) from None
    return content, file.table.notes


@contextmanager
def _drafted(new: NewTerritory, out: Path) -> Iterator[Path]:
    """The territory file as it is so far, for reading."""
    with TemporaryDirectory() as folder:
        draft = Path(folder) / out.name
        write_output(draft, territory_text(new))
        yield draft


def _accepting(new: NewTerritory, out: Path, stated: Mapping[str, str], ask: Asker | None) -> NewTerritory:
    """The same with the rows that look wrong and are right, as somebody says."""
    doubtful: dict[str, str] = {}
    with _drafted(new, out) as draft:
        try:
            read_register(load_config(draft))
        except InputError as error:
            for fault in error.faults:
                if found := _BY_ID.search(fault.allowed or ""):
                    doubtful[found[1] or str(fault.value)] = f"{fault.value}: {fault.problem}"
    if not doubtful:
        return new
    text = "rows that look wrong: which of them are right"
    question = Question(_ACCEPT, text, (*doubtful, NO_ANSWER), (*doubtful.values(),), several=True)
    relevant = {key: answer for key, answer in stated.items() if key == _ACCEPT}
    answer = answered([question], relevant, ask)[_ACCEPT]
    ids = [*doubtful] if answer == "all" else [name for name in answers_of(answer) if name != NO_ANSWER]
    return new._replace(accept=ids, answers={**new.answers, _ACCEPT: answer})


def _write(new: NewTerritory, out: Path) -> None:
    """The territory file with the neighbours that its register has stations of, and the picture."""
    with _drafted(new, out) as draft:
        config = load_config(draft)
        config = config.model_copy(
            update={"registers": config.registers.model_copy(update={"lenient": True})}
        )
        boundaries = boundaries_of(config.territory)
        neighbours = stations_of_neighbours(config, boundaries)
        register, _ = read_register(config)
    write_output(out, territory_text(new._replace(neighbours=neighbours)))
    places = register["lon_deg"].values, register["lat_deg"].values
    draw_places(_picture(out), f"Stations of {new.country.name}", boundaries.territory, *places)
