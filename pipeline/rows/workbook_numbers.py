"""Which cells of a workbook are numbers: GDAL gives the text of all cells alike.

In Office Open XML a cell without a type, or of type `n`, is a number; in OpenDocument one whose value type is
float, percentage or currency.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Iterator
from pathlib import Path

WORKBOOKS = (".xlsx", ".ods")
_REFERENCE = re.compile(r"([A-Z]+)\d+")
_OPEN_DOCUMENT_NUMBERS = ("float", "percentage", "currency")
_MOST_REPEATED = 1000


def number_cells(path: Path, sheet: str) -> frozenset[tuple[int, int]]:
    """Row from 1 and column from 0 of the cells of a sheet that are numbers; none of other files."""
    read = _of_office if path.suffix.lower() == ".xlsx" else _of_open_document
    try:
        with zipfile.ZipFile(path) as archive:
            return frozenset(read(archive, sheet))
    except (KeyError, ValueError, ET.ParseError, zipfile.BadZipFile):
        return frozenset()


def _name(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def _attribute(element: ET.Element, name: str) -> str:
    return next((value for key, value in element.attrib.items() if key.rpartition("}")[2] == name), "")


def _part_of(archive: zipfile.ZipFile, sheet: str) -> str:
    """The part of the archive that holds a sheet."""
    book = ET.fromstring(archive.read("xl/workbook.xml"))
    relation = {each.get("name"): _attribute(each, "id") for each in book.iter() if _name(each) == "sheet"}
    relations = ET.fromstring(archive.read("xl/_rels/workbook.xml.rels"))
    target = {each.get("Id"): each.get("Target", "") for each in relations}[relation[sheet]]
    return target.lstrip("/") if target.startswith("/") else f"xl/{target}"


def _of_office(archive: zipfile.ZipFile, sheet: str) -> Iterator[tuple[int, int]]:
    row = column = 0
    with archive.open(_part_of(archive, sheet)) as stream:
        for event, element in ET.iterparse(stream, ("start", "end")):
            name = _name(element)
            if event == "start" and name == "row":
                row, column = int(element.get("r", row + 1)), 0
            elif event == "end" and name == "c":
                if found := _REFERENCE.fullmatch(element.get("r", "")):
                    column = _column(found[1])
                if element.get("t", "n") == "n":
                    yield row, column
                column += 1
            elif event == "end" and name == "row":
                element.clear()


def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = 26 * number + ord(letter) - ord("A") + 1
    return number - 1


def _of_open_document(archive: zipfile.ZipFile, sheet: str) -> Iterator[tuple[int, int]]:
    current, row = "", 0
    with archive.open("content.xml") as stream:
        for event, element in ET.iterparse(stream, ("start", "end")):
            name = _name(element)
            if event == "start" and name == "table":
                current, row = _attribute(element, "name"), 0
            elif event == "end" and name == "table-row":
                times = int(_attribute(element, "number-rows-repeated") or 1)
                if current == sheet:
                    columns = [*_numbers_in(element)]
                    yield from ((row + i + 1, c) for i in range(min(times, _MOST_REPEATED)) for c in columns)
                row += times
                element.clear()


def _numbers_in(row: ET.Element) -> Iterator[int]:
    column = 0
    for cell in row:
        times = int(_attribute(cell, "number-columns-repeated") or 1)
        if _attribute(cell, "value-type") in _OPEN_DOCUMENT_NUMBERS:
            yield from range(column, column + min(times, _MOST_REPEATED))
        column += times
