"""CR/372 files as workbooks: examples 1.1 and 2.1 beside 1.2 and 2.2, and what spreadsheets do to numbers."""

from __future__ import annotations

import io
import zipfile
from datetime import date
from pathlib import Path

import pytest
from cr372 import BLACKFELLOWS, COLUMNS, FIRST, GREEN_HEAD, LANCELIN, NOVA_CREINA, record
from workbooks import Cell, Day, edited, workbook

from pipeline.coordination.radar.cr372_files import read_file, workbook_bytes
from pipeline.coordination.radar.cr372_records import differences
from pipeline.coordination.radar.cr372_register import read_register
from pipeline.coordination.radar.cr372_text import read_records
from pipeline.coordination.radar.findings import Strictness


def days(text: str) -> Day:
    day, month, year = map(int, text.split("."))
    return Day((date(year, month, day) - date(1899, 12, 30)).days)


def typed(row: dict[str, str]) -> dict[str, Cell]:
    """A record as somebody types it into a spreadsheet: numbers and dates become what they are."""
    cells: dict[str, Cell] = dict(row)
    for name in ("lat", "long"):
        cells[name] = int(row[name])
    for name in ("freq_assgn", "bdwdth_kHz", "eirp_dBW"):
        cells[name] = float(row[name]) if row[name].strip() else row[name]
    cells["d_inuse"] = days(row["d_inuse"])
    return cells


def sheet(*rows: dict[str, Cell], order: list[str] = COLUMNS, header: bool = True) -> bytes:
    body = [[row[name] for name in order] for row in rows]
    return workbook([order, *body] if header else body)


FOUR = [LANCELIN, LANCELIN | BLACKFELLOWS, LANCELIN | NOVA_CREINA, LANCELIN | GREEN_HEAD]


def test_first_example_is_the_same_as_workbook_and_as_text(tmp_path: Path) -> None:
    blanks = {0: {"network_name": " South01"}, 1: {"site_name": "Blackfellows "}, 2: {"call_sign": " VZZ888"}}
    rows = [typed(row) | blanks.get(k, {}) for k, row in enumerate(FOUR)]
    path = tmp_path / "1-1.xlsx"
    path.write_bytes(sheet(*rows))
    found = read_file(path, Strictness.STRICT)
    wanted = read_records(FIRST.encode("latin-1"), Strictness.STRICT)
    assert len(found.lines) == len(wanted.lines) == 4
    for one, other in zip(found.lines, wanted.lines, strict=True):
        assert not differences(one.radar, other.radar)
    # The row of the sheet, whose first is the header.
    assert [line.number for line in found.lines] == [2, 3, 4, 5]
    assert [e.code for e in found.findings] == ["WHITESPACE", "WHITESPACE", "WHITESPACE", "BLANK_NOT_EMPTY"]


def test_second_example_as_workbook_keeps_the_call_sign(apply) -> None:
    register = apply("", FIRST, "bureau", "05.11.2014").out
    old = typed(LANCELIN | NOVA_CREINA) | {"Int": "S"}
    new = typed(LANCELIN | NOVA_CREINA) | {
        "eirp_dBW": 19.2,
        "d_inuse": days("10.01.2015"),
        "op_time": "Y",
        "adm_remark": None,
    }
    result = apply(register, sheet(old, new), "bureau")
    assert not result.codes("ERROR")
    assert not {"S_PARTIAL", "CALLSIGN_LOST"} & set(result.codes())
    last = dict(zip(COLUMNS, result.out.decode().splitlines()[-1].split(","), strict=True))
    wanted = LANCELIN | NOVA_CREINA | {"eirp_dBW": "19.2", "d_inuse": "10.01.2015", "op_time": "Y"}
    wanted |= {"d_update": "20.01.2015", "adm_remark": "", "bdwdth_kHz": "50.0"}
    assert last == wanted


@pytest.mark.parametrize(
    ("name", "cell", "text"),
    [
        ("long", 1151942, "+1151942"),
        ("long", -33, "-0000033"),
        ("long", "+0133420", "+0133420"),
        ("lat", -311306, "-311306"),
        ("lat", 1234, "+001234"),
        ("lat", 0, "+000000"),
        ("lat", 3.11306e5, "+311306"),
        ("long", 1e300, "1e+300"),
        ("lat", "31.21", "31.21"),
        ("freq_assgn", 4.463, "4.463"),
        ("freq_assgn", 13.0, "13"),
        ("freq_assgn", 0.1 + 0.2, "0.30000000000000004"),
        ("bdwdth_kHz", 50, "50.0"),
        ("bdwdth_kHz", 1e-3, "0.001"),
        ("bdwdth_kHz", 12.5, "12.5"),
        ("eirp_dBW", 19, "19.0"),
        ("eirp_dBW", -3.5, "-3.5"),
        ("eirp_dBW", "+22.85", "+22.85"),
        ("d_inuse", Day(42014), "10.01.2015"),
        ("d_inuse", "10.01.2015", "10.01.2015"),
        ("adm_remark", "'=1+1", "=1+1"),
        ("adm_remark", 7, "7"),
    ],
)
def test_cells_become_the_text_of_the_format(tmp_path: Path, name: str, cell: Cell, text: str) -> None:
    path = tmp_path / "a.xlsx"
    path.write_bytes(sheet({**LANCELIN, name: cell}, header=False))
    (line,) = read_file(path, Strictness.LENIENT).lines
    assert line.radar[COLUMNS.index(name)] == text


def test_header_may_name_the_columns_in_any_order_and_case(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    names = [name.upper() for name in reversed(COLUMNS)]
    path.write_bytes(workbook([names, [LANCELIN[name] for name in reversed(COLUMNS)]]))
    (line,) = read_file(path, Strictness.STRICT).lines
    assert list(line.radar) == list((LANCELIN | {"bdwdth_kHz": "50.0"}).values())


def test_row_with_too_many_cells_is_refused_with_its_number(apply) -> None:
    rows = [list(LANCELIN.values()), [*LANCELIN.values(), "more"]]
    result = apply("", workbook(rows), "lenient")
    assert [(e["line"], e["code"]) for e in result.report if e["severity"] == "ERROR"] == [
        (2, "COLUMN_COUNT")
    ]


def test_workbook_written_is_read_back_and_runs_nothing(tmp_path: Path) -> None:
    odd = record(
        adm_remark="=1+1;-x", site_name="C\u00f4te <&>", lat="here", eirp_dBW="+22.85", email_op="'a"
    )
    first = FIRST.replace(",50,", ",50.0,")
    odd = odd.replace(",50,", ",50.0,")
    lines = read_records(f"{first}{odd}\n".encode("latin-1"), Strictness.LENIENT).lines
    path = tmp_path / "out.xlsx"
    path.write_bytes(workbook_bytes([line.radar for line in lines]))
    assert [line.radar for line in read_file(path, Strictness.LENIENT).lines] == [x.radar for x in lines]
    with zipfile.ZipFile(path) as archive:
        content = archive.read("xl/worksheets/sheet1.xml")
        assert b"<f>" not in content
        # Shared texts only: no cell is a number.
        assert content.count(b"<c ") == content.count(b't="s"')
        assert b"<t>'=1+1;-x</t>" in archive.read("xl/sharedStrings.xml")
    assert path.read_bytes() == workbook_bytes([line.radar for line in lines])


def test_line_break_in_a_cell_does_not_break_the_register(apply, tmp_path: Path) -> None:
    rows = sheet(typed(LANCELIN | {"adm_remark": "one\ntwo"}), typed(LANCELIN | GREEN_HEAD))
    result = apply("", rows, "lenient")
    assert "CONTROL_CHARACTER" in result.codes("WARNING")
    radars = read_register(tmp_path / "new.csv")
    assert [radar.adm_remark for radar in radars] == ["one two", LANCELIN["adm_remark"]]
    assert apply("", rows, "strict").codes("ERROR") == ["CONTROL_CHARACTER"]


def test_row_longer_than_a_line_is_refused_as_in_text(apply) -> None:
    rows = sheet(typed(LANCELIN | {"adm_remark": "x" * 5000}), typed(LANCELIN | GREEN_HEAD))
    result = apply("", rows, "lenient")
    assert result.codes("ERROR") == ["LINE_TOO_LONG"]
    assert len(result.out.splitlines()) == 1


FOREIGN = {"site_name": "\u010crnomelj", "Adm_ref_id": "SVN - 1"}


def test_character_that_the_register_cannot_hold_refuses_its_record_and_is_named(apply) -> None:
    rows = sheet(typed(LANCELIN), typed(LANCELIN | FOREIGN), typed(LANCELIN | GREEN_HEAD))
    result = apply("", rows, "lenient")
    (entry,) = [e for e in result.report if e["severity"] == "ERROR"]
    assert (entry["line"], entry["code"], entry["field"]) == (3, "NOT_LATIN1", "site_name")
    assert "'\u010c' (U+010C)" in entry["message"]
    assert entry["value"] == FOREIGN["site_name"]
    assert [line.split(",")[13] for line in result.out.decode("latin-1").splitlines()] == [
        "Lancelin",
        "Green Head",
    ]
    result = apply("", rows, "strict")
    assert result.refused
    assert result.codes("ERROR") == ["NOT_LATIN1"]


def test_change_with_such_a_character_is_no_removal(apply) -> None:
    register = apply("", FIRST, "lenient", "05.11.2014").out
    change = sheet(typed(LANCELIN | {"Int": "S"}), typed(LANCELIN | {"adm_remark": "\u20ac 5"}))
    result = apply(register, change, "lenient")
    assert result.refused
    assert set(result.codes("ERROR")) == {"PAIR_REFUSED", "NOT_LATIN1"}


def test_register_with_such_a_character_is_read_but_not_written_as_text(apply, tmp_path: Path) -> None:
    register = sheet(typed(LANCELIN | FOREIGN), header=False)
    result = apply(register, FIRST, "lenient")
    assert result.refused
    (entry,) = [e for e in result.report if e["severity"] == "ERROR"]
    assert entry["code"] == "NOT_LATIN1"
    assert entry["message"].startswith("register: ")
    (radar,) = read_register(tmp_path / "db.csv")
    assert radar.site_name == FOREIGN["site_name"]


def bomb() -> bytes:
    stream = io.BytesIO()
    with (
        zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("xl/worksheets/sheet1.xml", "w") as part,
    ):
        for _ in range(300):
            part.write(b"\0" * 1_000_000)
    return stream.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        workbook([list(LANCELIN.values())], macros=True),
        workbook([list(LANCELIN.values())])[:-200],
        bomb(),
        b"PK\x03\x04" + b"\0" * 11_000_000,
    ],
    ids=["macros", "cut", "bomb", "large"],
)
def test_hostile_workbook_is_refused(apply, content: bytes) -> None:
    result = apply("", content, "lenient")
    assert result.refused
    assert result.codes() == ["WORKBOOK"]


def test_days_from_1904_are_the_same_days(tmp_path: Path) -> None:
    """Old workbooks of Macs: 1 January 1904 is day 0, 1,462 days after the usual one."""
    usual = days("01.10.2014")
    path = tmp_path / "a.xlsx"
    content = sheet({**LANCELIN, "d_inuse": Day(usual.number - 1462)})
    path.write_bytes(
        edited(content, book=lambda text: text.replace("<sheets>", '<workbookPr date1904="1"/><sheets>'))
    )
    (line,) = read_file(path, Strictness.STRICT).lines
    assert line.radar.d_inuse == "01.10.2014"


def with_row(row: str) -> bytes:
    plain = sheet(typed(LANCELIN))
    return edited(plain, sheet=lambda text: text.replace("</sheetData>", f"{row}</sheetData>"))


def beside_an_empty_first_sheet() -> bytes:
    empty = "<worksheet xmlns='http://schemas.openxmlformats.org/spreadsheetml/2006/main'><sheetData/></worksheet>"
    second = '<sheet name="Notes" sheetId="2" r:id="rId3"/>'
    kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet"
    target = f'<Relationship Id="rId3" Type="{kind}" Target="worksheets/sheet2.xml"/></Relationships>'
    return edited(
        sheet(typed(LANCELIN)),
        book=lambda text: text.replace("<sheets>", f"<sheets>{second}"),
        relations=lambda text: text.replace("</Relationships>", target),
        second=lambda _: empty,
    )


ODD_BOOKS = {
    "first sheet is empty": beside_an_empty_first_sheet(),
    "it has no sheet": edited(sheet(typed(LANCELIN)), sheet=lambda _: None),
    "is damaged": edited(sheet(typed(LANCELIN)), sheet=lambda text: text[: len(text) // 2]),
    "a cell lies too far out": with_row('<row r="1048576"><c r="A1048576"><v>1</v></c></row>'),
    "in pieces": with_row(
        '<row r="3"><c r="A3" t="inlineStr"><is><r><t>A</t></r><r><t>B</t></r></is></c></row>'
    ),
    "columns are missing": workbook([COLUMNS[1:], list(LANCELIN.values())[1:]]),
    "columns stand twice": workbook([[*COLUMNS, "Lat"], [*LANCELIN.values(), "+100000"]]),
    "below other rows": workbook([["Radars of 2014"], COLUMNS, list(LANCELIN.values())]),
}


@pytest.mark.parametrize("problem", ODD_BOOKS)
@pytest.mark.parametrize("mode", ["lenient", "strict"])
def test_workbook_that_would_be_read_wrongly_is_refused_by_name(apply, problem: str, mode: str) -> None:
    result = apply("", ODD_BOOKS[problem], mode)
    assert result.refused
    (entry,) = result.report
    assert entry["code"] == "WORKBOOK"
    assert problem in entry["message"]


def test_cell_in_the_last_column_of_excel_is_no_work(apply) -> None:
    """XFD is the 16,384th column: GDAL took 39 s for it."""
    result = apply("", with_row('<row r="3"><c r="XFD3"><v>1</v></c></row>'), "lenient")
    assert result.report[0]["value"] == "found XFD3; allowed up to 200000 rows and 702 columns (ZZ)"


@pytest.mark.parametrize(
    ("row", "found"),
    [
        ('<row r="3"><c r="A3" t="e"><v>#REF!</v></c></row>', "#REF!"),
        ('<row r="3"><c r="A3"><f>1+1</f></c><c r="B3" t="str"><f>B2</f><v>AUS</v></c></row>', ""),
        ('<row r="3"><c r="A3" t="b"><v>1</v></c></row>', "1"),
    ],
    ids=["error", "formula without a value", "truth"],
)
def test_cells_that_are_no_text_refuse_their_row_alone(apply, row: str, found: str) -> None:
    result = apply("", with_row(row), "lenient")
    faults = [entry for entry in result.report if entry["severity"] == "ERROR"]
    assert {entry["line"] for entry in faults} == {3}
    assert ("ACTION", "Int", found) in [(e["code"], e["field"], e["value"]) for e in faults]
    assert len(result.out.splitlines()) == 1


def test_empty_workbook_changes_nothing(apply) -> None:
    register = record(eirp_dBW="+22.8") + "\n"
    assert apply(register, workbook([]), "lenient").out == register.encode()
    assert apply(register, workbook([COLUMNS]), "lenient").out == register.encode()
