"""Rows of a file as checked values: what is refused, in which words, and what a lenient reader leaves out."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import Annotated, Literal
from xml.parsers import expat

import pytest
from pydantic import Field, ValidationInfo, model_validator

from pipeline.errors import InputError
from pipeline.rows.row_models import (
    MAY_BE_EMPTY,
    IdCell,
    NumberCell,
    RowModel,
    SourcedRow,
    WholeCell,
    columns_of,
    read_by_id,
    read_rows,
    refuse_second,
    refuse_unless_lenient,
    row_problem,
    rules_of,
)
from pipeline.rows.text_records import unfit_character


class Mast(RowModel):
    id: IdCell
    height_m: Annotated[NumberCell, Field(ge=0, le=900, description="0 to 900 m")]
    floors: Annotated[WholeCell | None, MAY_BE_EMPTY, Field(description="a number or empty")] = None

    @model_validator(mode="after")
    def _not_too_high(self, info: ValidationInfo) -> Mast:
        highest_m = rules_of(info, float)
        if self.height_m > highest_m:
            raise row_problem("height_m", f"higher than {highest_m:g} {{m}}", "a lower mast")
        return self


class Loss(SourcedRow):
    wall: Literal["wood", "brick"]
    loss_db: NumberCell


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def read(path: Path, highest_m: object = 500.0) -> list[Mast]:
    return read_rows(path, Mast, context=highest_m)


def test_rows_know_where_they_stand_and_further_columns_do_not_matter(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "id,note,height_m,row", "", 'a,"two', 'lines",10,77', "b,,2e1,77")
    assert [(row.row, row.id, row.height_m, row.floors) for row in read(path)] == [
        (3, "a", 10.0, None),
        (5, "b", 20.0, None),
    ]


@pytest.mark.parametrize(
    ("line", "field", "value", "problem", "allowed"),
    [
        ("a,x", "height_m", "x", "not a number", "0 to 900 m"),
        ("a,1_0", "height_m", "1_0", "not a number", "0 to 900 m"),
        ("a,1e999", "height_m", "1e999", "is no finite number", "0 to 900 m"),
        ("a,", "height_m", "", "value is missing", "0 to 900 m"),
        ("a,901", "height_m", "901", "is more than 900", "0 to 900 m"),
        ("a,600", "height_m", "600", "higher than 500 {m}", "a lower mast"),
        (",6", "id", "", "text has fewer than 1 characters", "1 to 64 printable characters"),
        ("a", "(row)", 1, "row has the wrong number of values", "2 values, as in the header"),
    ],
)
def test_refusal_names_place_value_and_what_is_allowed(
    tmp_path: Path, line: str, field: str, value: object, problem: str, allowed: str
) -> None:
    path = write(tmp_path / "a.csv", "id,height_m", "good,1", line)
    with pytest.raises(InputError) as refused:
        read(path)
    error = refused.value
    assert (error.file, error.row, error.field, error.value) == (str(path), 3, field, value)
    assert (error.problem, error.allowed) == (problem, allowed)


def test_context_of_another_kind_is_a_fault_of_the_program(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="float, not NoneType"):
        read(write(tmp_path / "a.csv", "id,height_m", "a,1"), None)


def test_columns_without_a_default_must_exist(tmp_path: Path) -> None:
    assert columns_of(Mast) == ("id", "height_m", "floors")
    assert columns_of(Mast, required=True) == ("id", "height_m")
    path = write(tmp_path / "a.csv", "id", "a")
    with pytest.raises(InputError, match="field height_m: column is missing; allowed: columns id, height_m"):
        read(path)
    with pytest.raises(InputError, match="field floors: column is missing"):
        read_rows(write(path, "id,height_m", "a,1"), Mast, context=500.0, columns=["floors"])


def test_file_without_rows_is_refused_unless_it_may_be_empty(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "id,height_m")
    with pytest.raises(InputError, match="holds no rows"):
        read(path)
    assert read_rows(path, Mast, context=500.0, may_be_empty=True) == []


def test_lenient_reading_keeps_the_good_rows_of_all_files_by_id(tmp_path: Path) -> None:
    first = write(tmp_path / "1.csv", "id,height_m", "z,1", "b,x", "c", "z,2")
    second = write(tmp_path / "2.csv", "id,height_m", "z,3", "a,4", "bad,5")

    def bad(path: Path, rows: list[Mast]) -> list[InputError]:
        return [InputError("is bad", file=path, row=row.row, field="id") for row in rows if row.id == "bad"]

    rows, faults = read_by_id([first, second], Mast, context=500.0, faults_of=bad)
    assert [(row.id, row.height_m) for row in rows] == [("a", 4.0), ("z", 1.0)]
    assert [(fault.file, fault.row, fault.problem) for fault in faults] == [
        (str(first), 3, "not a number"),
        (str(first), 4, "row has the wrong number of values"),
        (str(first), 5, "id occurs twice"),
        (str(second), 2, "id occurs twice"),
        (str(second), 4, "is bad"),
    ]
    assert [entry.row for entry in refuse_unless_lenient(faults, lenient=True)] == [3, 4, 5, 2, 4]
    with pytest.raises(
        InputError, match=r"1\.csv, row 3, field height_m: not a number \(and 4 more bad rows\)"
    ):
        refuse_unless_lenient(faults, lenient=False)
    assert refuse_unless_lenient([], lenient=False) == []


def test_second_row_of_one_key_is_refused_with_its_row(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "id,height_m", "a,1", "b,1", "a,2", "a,1")
    rows = read(path)
    with pytest.raises(InputError, match=r"row 5, field height_m: is given twice; found 'a 1\.0'"):
        refuse_second(path, rows, ("id", "height_m"))
    refuse_second(path, rows[:3], ("id", "height_m"))


@pytest.mark.parametrize(
    ("line", "field"),
    [("wood,3,me,true", "source"), ("wood,3,a book,yes", "verified"), ("wool,3,a book,true", "wall")],
)
def test_numbers_of_tables_need_their_source(tmp_path: Path, line: str, field: str) -> None:
    path = write(tmp_path / "a.csv", "wall,loss_db,source,verified", " brick , 3 , a book , false ", line)
    with pytest.raises(InputError) as refused:
        read_rows(path, Loss)
    assert (refused.value.row, refused.value.field) == (3, field)
    (row,) = read_rows(write(path, *path.read_text().splitlines()[:2]), Loss)
    assert (row.wall, row.loss_db, row.source, row.verified) == ("brick", 3.0, "a book", False)


# --- characters ---------------------------------------------------------------------------------------------


def breaks_documents(character: str) -> bool:
    """What a parser of XML refuses, a control character, or a mark of direction, by its class in Unicode."""
    turns = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
    if unicodedata.category(character) == "Cc" or unicodedata.bidirectional(character) in turns:
        return character not in "\t\n"
    try:
        expat.ParserCreate().Parse(f"<a>&#{ord(character)};</a>", True)
    except expat.ExpatError:
        return True
    return False


def test_characters_that_break_documents_are_those_of_xml_and_unicode() -> None:
    codes = [*range(0x10000), 0x1F600, 0x1FFFE, 0x10FFFF]
    assert [code for code in codes if breaks_documents(chr(code)) != bool(unfit_character(chr(code)))] == []
    assert unfit_character("two\r\nlines\tof text") is None
    assert unfit_character("a\r") == "U+000D"


@pytest.mark.parametrize("suffix", ["csv", "geojson"])
@pytest.mark.parametrize("character", ["\x07", "\x0b", "\x1b", "\x7f", "\x85", "\u202e", "\u2066", "\uffff"])
@pytest.mark.parametrize("text", ["{}", "a{}b", "a{}", "{}a"])
def test_row_with_such_a_character_is_refused(tmp_path: Path, suffix: str, character: str, text: str) -> None:
    """Also where it stands among blanks, which are taken off: row, field, and the words of the field."""
    path, name = tmp_path / f"a.{suffix}", text.format(character)
    if suffix == "csv":
        write(path, "id,height_m", "good,1", f"{name},2")
    else:
        rows = [{"id": "good", "height_m": 1}, {"id": name, "height_m": 2}]
        features = [{"type": "Feature", "properties": row, "geometry": None} for row in rows]
        path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    with pytest.raises(InputError, match="1 to 64 printable characters") as refused:
        read(path)
    assert (refused.value.row, refused.value.field) == (3 if suffix == "csv" else 2, "id")
    assert f"holds the character U+{ord(character):04X}" in str(refused.value)
    assert str(refused.value).isprintable()


def test_lone_surrogate_of_a_geojson_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.geojson"
    feature = '{"type": "Feature", "properties": {"id": "a\\ud800", "height_m": 1}, "geometry": null}'
    path.write_text(f'{{"type": "FeatureCollection", "features": [{feature}]}}')
    with pytest.raises(InputError, match=r"U\+D800"):
        read(path)


def test_other_columns_may_hold_what_they_like(tmp_path: Path) -> None:
    assert read(write(tmp_path / "a.csv", "id,note,height_m", "a,\x0b\u202e,1"))
