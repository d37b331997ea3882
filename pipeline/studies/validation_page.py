"""The page docs/validation.md: its tables, written anew from the data that are there.

What is not part of the repository (reference results, pairs of stations) is read from a folder beside it;
where that is absent their tables stay as they were written last, with the date of that day.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.availability.choices import with_values
from pipeline.errors import InputError
from pipeline.files import PNG_FILE, Output, check_outputs, kind_of_start, write_whole
from pipeline.plan.territory_file import load_config
from pipeline.registers.transmitters import read_register
from pipeline.studies.field_statistics import KEPT, REMOVED, Statistics, statistics
from pipeline.studies.measured_fields import predict_rows, read_measurements
from pipeline.studies.pictures import draw_fields
from pipeline.studies.station_pairs import (
    CHANNEL,
    CO,
    UPPER,
    PairCount,
    PairStudy,
    TvStation,
    count_pairs,
    listed_pairs,
    noise_limited_areas_km2,
    ours,
    read_pairs,
    read_rules,
    read_stations,
    study_pairs,
)
from pipeline.studies.validate_field import in_db, panel_title
from pipeline.studies.vector_checks import VECTOR_FILES, check_vectors

_MODELS = ("p1546", "hata", "extended_hata", "free_space")
_BENIN, _PICTURE = Path("validation/benin"), Path("images/validation_benin.png")
_PAIR_SETS = (("post-seed1328-st200", "Northeast"), ("post-seed87-st50-ch30", "Oklahoma and around"))
_BESIDE = Path("../shared/data")
_KINDS = {CO: "same channel", UPPER: "one above"}
_PAGE = kind_of_start("the page of validation", rb"# Validation")
_EDGES_KM = (0.0, 50.0, 100.0, 150.0, 200.0, 250.0, 300.0, math.inf)
_Lines = Iterator[str]


def validation_command(page: Path, data: Path | None, measured: Path) -> None:
    """Write tables and picture of the page; ``data``: reference data, ``measured``: those of the project.

    Without ``data`` those beside the checkout, if they are there.
    """
    if data is not None and not data.is_dir():
        allowed = "a folder with p1546, p1812, fcc_pairs"
        raise InputError("is no folder", file=data, field="--data", allowed=allowed)
    data = data or _BESIDE
    picture = page.parent / _PICTURE
    outputs = [Output("page", page, _PAGE)]
    if (measured / _BENIN).is_dir():
        outputs.append(Output("picture", picture, PNG_FILE, makes_folder=True))
    check_outputs(outputs, [data, measured])
    text = _read_page(page)
    for name in ("vectors", "pairs", "benin"):
        _require_block(text, name)
    for block in [block for block in _BLOCKS if _is_there(block, data)]:
        text = with_block(text, block.name, list(block.lines(data)), dated=True)
    benin = benin_study(measured / _BENIN) if (measured / _BENIN).is_dir() else None
    if benin is not None:
        text = with_block(text, "benin", list(benin_lines(benin)), dated=False)
    else:
        print(f"validation: benin: no {measured / _BENIN}, kept as it is")
    write_whole(page, text)
    if benin is not None:
        picture.parent.mkdir(exist_ok=True)
        draw_fields(picture, "Benin: predicted against measured field", benin.pairs_dbuvm)


def _is_there(block: _Block, data: Path) -> bool:
    """Whether the files of a block are in the folder; InputError where a part of them is."""
    missing = [name for name in block.files if not (data / name).is_file()]
    if len(missing) == len(block.files):
        print(f"validation: {block.name}: nothing of it in {data}, kept as it is")
    elif missing:
        raise InputError(
            f"reference data of {block.name} are not complete",
            file=data,
            value=f"no {', '.join(missing)}",
            allowed=f"all of {', '.join(block.files)}; or none, and their tables stay",
        )
    return not missing


def _read_page(page: Path) -> str:
    if not page.is_file():
        raise InputError("file not found", file=page, allowed="docs/validation.md")
    try:
        return page.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise InputError("is not text in UTF-8", file=page) from None


def _require_block(text: str, name: str) -> tuple[str, str]:
    """The marks of a block; InputError unless each stands in the text once, in order."""
    begin, end = f"<!-- {name}: make validation -->\n", f"<!-- end of {name} -->\n"
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(end) < text.index(begin):
        raise InputError("has no block of its own", field="page", value=name, allowed=f"once {begin.strip()}")
    return begin, end


def with_block(text: str, name: str, lines: Sequence[str], *, dated: bool) -> str:
    """The text with the lines between the marks of a block; ``dated``: with the day on which they changed."""
    begin, end = _require_block(text, name)
    before, rest = text.split(begin)
    old, after = rest.split(end)
    new = "".join(f"{line}\n" for line in lines)
    if dated:
        same = old.partition("\n\n")[2] == new
        new = old if same else f"Written on {datetime.now(UTC):%d %B %Y}.\n\n{new}"
    return before + begin + new + end + after


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> _Lines:
    for cells in (head, ["---"] * len(head), *rows):
        yield f"| {' | '.join(map(str, cells))} |"


def _vector_lines(folder: Path) -> _Lines:
    rows = [(one.name, one.origin, one.links, f"{one.largest_db:.1e}") for one in check_vectors(folder)]
    return _table(("results", "of", "number", "largest difference, dB"), rows)


# --- measured fields ----------------------------------------------------------------------------------------


class MeasuredStudy(NamedTuple):
    """Statistics by model, and pairs of measured and predicted field [n, 2] by the title of their picture."""

    found: Mapping[str, Sequence[Statistics]]
    pairs_dbuvm: dict[str, NDArray[np.float64]]


def benin_study(folder: Path) -> MeasuredStudy:
    """Models against the fields measured in Benin, with the offset of each mast and without."""
    # The file names its register as seen from the checkout; the page may be written from anywhere.
    stations = {"transmitters": [folder / "transmitters.csv"]}
    config = with_values(load_config(folder / "benin.yaml"), "registers", **stations)
    register, _ = read_register(config)
    path = folder / "measurements.csv"
    rows = read_measurements(path, register)
    predicted = predict_rows(config, register, rows, _MODELS, path)
    found = {name: statistics(rows, predicted[name], fit_offset=True) for name in _MODELS}
    pairs = {
        panel_title(name, found[name]): np.array(
            [(row.field_dbuvm, p.field_dbuvm) for row, p in zip(rows, predicted[name], strict=True)]
        )
        for name in _MODELS
    }
    return MeasuredStudy(found, pairs)


def benin_lines(study: MeasuredStudy) -> _Lines:
    """The statistics of all models side by side."""
    found = study.found
    head = ("rows", "n", *(f"{name}: bias, sigma dB" for name in _MODELS))
    groups = [(entry.by, entry.group, entry.offset) for entry in found[_MODELS[0]]]
    names = {KEPT: "", REMOVED: ", offsets removed"}
    yield from _table(
        head,
        [
            (
                f"{group}{names[offset]}",
                _entry(found[_MODELS[0]], by, group, offset).n,
                *(_numbers(_entry(found[name], by, group, offset)) for name in _MODELS),
            )
            for by, group, offset in groups
        ],
    )


def _entry(entries: Sequence[Statistics], by: str, group: str, offset: str) -> Statistics:
    (one,) = [entry for entry in entries if (entry.by, entry.group, entry.offset) == (by, group, offset)]
    return one


def _numbers(entry: Statistics) -> str:
    # A mean of zero is no "-0.0".
    return f"{round(entry.bias_db, 1) + 0.0:.1f}, {in_db(entry.sigma_db, 1)}"


# --- pairs of stations --------------------------------------------------------------------------------------


class _PairCase(NamedTuple):
    """What a row of counts is of: service areas, and what is added to the fields of the other stations."""

    label: str
    own_areas: bool
    more_db: float


_CASES = (
    _PairCase("of P.1546", True, 0.0),
    _PairCase("of the FCC", False, 0.0),
    _PairCase("of the FCC, +3 dB", False, 3.0),
    _PairCase("of the FCC, +10 dB", False, 10.0),
    _PairCase("of the FCC, -3 dB", False, -3.0),
)


def _pair_lines(data: Path) -> _Lines:
    """Our pairs against those of the FCC: by areas and offset of the fields, then by distance."""
    rows: list[tuple[str, ...]] = []
    far: list[tuple[str, ...]] = []
    for stem, name in _PAIR_SETS:
        stations, pairs = read_stations(data / _stations_file(stem)), read_pairs(data / _pairs_file(stem))
        label = f"{name}, {len(stations)} stations"
        studies = [_studied(stations, case) for case in _CASES]
        ratio = np.median(studies[0].area_km2 / np.array([one.area_km2 for one in stations]))
        yield f"{label}: areas within the contour of P.1546 are {ratio:.2f} times those of the FCC (median)."
        yield _curves_line(stations)
        yield ""
        for kind in (CO, UPPER):
            listed = listed_pairs(stations, pairs[kind])
            for case, study in zip(_CASES, studies, strict=True):
                (count,) = _counts(kind, listed, study)
                rows.append((label, case.label, *_counted(count)))
            by_distance = _counts(kind, listed, studies[1], _EDGES_KM)
            far += [
                (name, _range(one), *_counted(one)) for one in by_distance if one.listed or one.ours_alone
            ]
    columns = ("kind", "listed pairs", "of them ours", "other pairs", "of them ours")
    yield from _table(("stations", "areas, undesired fields", *columns), rows)
    yield ""
    yield f"By distance, with the areas of the FCC (channel {CHANNEL}):"
    yield ""
    yield from _table(("stations", "km", *columns), far)


def _curves_line(stations: Sequence[TvStation]) -> str:
    """Areas by the FCC's curves, as the separation method takes them, on the stations' own channels."""
    ratio = noise_limited_areas_km2(stations, read_rules()) / np.array([one.area_km2 for one in stations])
    plain = np.array([not one.directional for one in stations])
    parts = [
        f"{np.median(ratio[kind]):.2f} times ({int(kind.sum())} {name}directional stations)"
        for kind, name in ((plain, "non-"), (~plain, ""))
        if kind.any()
    ]
    return f"Within the contour of the FCC's curves, each on its own channel: {', '.join(parts)}."


def _stations_file(stem: str) -> str:
    return f"fcc_pairs/{stem}_parameters.csv"


def _pairs_file(stem: str) -> str:
    return f"fcc_pairs/{stem}_Interference_Paired.csv"


def _studied(stations: Sequence[TvStation], case: _PairCase) -> PairStudy:
    return study_pairs(stations, read_rules(), own_areas=case.own_areas, more_db=case.more_db)


def _counts(
    kind: str, listed: NDArray[np.bool_], study: PairStudy, edges_km: Sequence[float] = (0.0, math.inf)
) -> list[PairCount]:
    taken = ours(study, kind, read_rules())
    return list(count_pairs(kind, listed, taken, study.distance_km, edges_km))


def _counted(count: PairCount) -> tuple[str, ...]:
    return (
        _KINDS[count.kind],
        str(count.listed),
        _share(count.reproduced, count.listed),
        str(count.unlisted),
        _share(count.ours_alone, count.unlisted),
    )


def _share(part: int, whole: int) -> str:
    return f"{part} ({100.0 * part / whole:.1f} %)" if whole else "0"


def _range(count: PairCount) -> str:
    return f"over {count.near_km:g}" if math.isinf(count.far_km) else f"{count.near_km:g}-{count.far_km:g}"


# --- the blocks ---------------------------------------------------------------------------------------------


class _Block(NamedTuple):
    """A block of the page from reference data: their files in the folder, and its lines."""

    name: str
    files: tuple[str, ...]
    lines: Callable[[Path], Iterable[str]]


_BLOCKS = (
    _Block("vectors", VECTOR_FILES, _vector_lines),
    _Block(
        "pairs",
        tuple(file(stem) for stem, _ in _PAIR_SETS for file in (_stations_file, _pairs_file)),
        _pair_lines,
    ),
)
