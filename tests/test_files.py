"""Writing files: whole or not at all, and by one module."""

from __future__ import annotations

import ast
import csv
from functools import cache
from pathlib import Path

import pandas as pd
import pytest

from pipeline import files
from pipeline.errors import InputError
from pipeline.rows.text_records import csv_cells

PACKAGE = Path(files.__file__).parent
WRITING = {"write_text", "write_bytes", "copyfile", "copy2", "copytree", "dump", "savez"}
# Writers of other libraries that take a path: one from ``whole_file``, or one in a folder that is removed.
FOREIGN = {"ZipFile", "rasterio.open", "archive.open"}
SCRATCH = {"np.save", "pyogrio.write_dataframe"}
# What grows while people read it has no other place to wait in.
LOGS = {"progress.py": {"log.open"}}
# Writers that take a path or a stream.
EITHER = ("np.savez_compressed", ".savefig")


@cache
def calls(path: Path) -> tuple[tuple[str, ast.Call], ...]:
    nodes = ast.walk(ast.parse(path.read_bytes()))
    return tuple((ast.unparse(node.func), node) for node in nodes if isinstance(node, ast.Call))


def opens_for_writing(name: str, call: ast.Call) -> bool:
    """A call of open, of whatever object, with a mode that makes or replaces a file."""
    to_stream = bool(call.args) and ast.unparse(call.args[0]) == "stream"
    if to_stream or name.rpartition(".")[2] not in ("open", "ZipFile"):
        return False
    arguments = [*call.args, *(keyword.value for keyword in call.keywords if keyword.arg == "mode")]
    modes = [a.value for a in arguments if isinstance(a, ast.Constant) and isinstance(a.value, str)]
    return any(set(mode) <= set("rwxabt+") and set(mode) & set("wx") for mode in modes)


def writes(path: Path) -> list[str]:
    """Names of the calls that write a file."""
    found = []
    for name, call in calls(path):
        to_file = name.endswith(".to_csv") and bool(call.args)
        to_file |= name.endswith(EITHER) and ast.unparse(call.args[0]) != "stream"
        by_name = name.rpartition(".")[2] in WRITING and not name.startswith("_Pickler")
        if by_name or to_file or name in SCRATCH or opens_for_writing(name, call):
            found.append(name)
    return found


@pytest.mark.parametrize(
    "source",
    [
        "open(path, 'w')",
        "path.open(mode='xb')",
        "path.write_text('a')",
        "json.dump(a, stream)",
        "table.to_csv(path)",
        "zipfile.ZipFile(path, 'w')",
        "shutil.copyfile(a, b)",
        "figure.savefig(path)",
        "np.save(path, values)",
    ],
)
def test_walk_finds_what_writes(tmp_path: Path, source: str) -> None:
    (tmp_path / "a.py").write_text(source)
    assert writes(tmp_path / "a.py")


def test_only_one_module_opens_files_for_writing() -> None:
    for path in sorted(PACKAGE.rglob("*.py")):
        found = set(writes(path)) if path != PACKAGE / "files.py" else set()
        foreign = {name for name in found if name.removeprefix("zipfile.") in FOREIGN}
        assert found - SCRATCH - LOGS.get(path.name, set()) == foreign, path
        if foreign:
            assert "whole_file(" in path.read_text(), path
        if found & SCRATCH:
            assert "TemporaryDirectory(" in path.read_text(), path


def test_failure_leaves_what_was_there_and_nothing_beside(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b.tif"
    files.write_whole(path, b"old")

    def fail() -> None:
        with files.whole_file(path) as waiting:
            waiting.write_bytes(b"ne")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert path.read_bytes() == b"old"
    assert [p.name for p in path.parent.iterdir()] == ["b.tif"]


def test_files_written_together_appear_together(tmp_path: Path) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    files.write_together({a: "1", b: "1"})
    with pytest.raises(OSError):
        files.write_together({a: "2", tmp_path / ("x" * 300): "2"})
    assert sorted((p.name, p.read_text()) for p in tmp_path.iterdir()) == [("a", "1"), ("b", "1")]


def test_mode_and_content(tmp_path: Path) -> None:
    files.write_whole(tmp_path / "a", "ä\n", mode=0o444, durable=True)
    files.copy_whole(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == "ä\n".encode()
    assert [(tmp_path / name).stat().st_mode & 0o200 for name in "ab"] == [0, 0o200]


@pytest.mark.parametrize("place", ["missing/a.csv", "folder"])
def test_output_of_a_user_is_refused_in_one_line(tmp_path: Path, place: str) -> None:
    (tmp_path / "folder").mkdir()
    for write in (
        lambda path: files.write_output(path, "a"),
        lambda path: files.write_output_rows(path, ["a"], [[1]]),
    ):
        with pytest.raises(InputError, match=rf"{place}: cannot be written \(.+\); allowed: a path in"):
            write(tmp_path / place)
    assert [path.name for path in tmp_path.rglob("*")] == ["folder"]


def test_tables_as_text(tmp_path: Path) -> None:
    files.write_output_rows(tmp_path / "a.csv", ["x", "y"], [[0.1, 'say "a,b"'], [1, None]])
    assert (tmp_path / "a.csv").read_bytes() == b'x,y\n0.1,"say ""a,b"""\n1,\n'
    assert files.csv_text(["x", "y"], [{"y": 2, "x": 1}]) == "x,y\n1,2\n"
    table = pd.DataFrame({"x": [0.123456, float("nan")]})
    assert files.table_bytes(table) == b'x\n0.1235\n""\n'
    assert files.table_bytes(table, number_format=None) == b'x\n0.123456\n""\n'


# --- spreadsheets -------------------------------------------------------------------------------------------

FORMULAS = [
    "=1+1",
    "+1+1",
    "-1+cmd|' /C calc'!A0",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "=",
    "-",
    "-5 dB",
    "＝1",
]
HARMLESS = [
    "-19.2", "5e-3", "+5E-3", "-.5", "-5.", "-inf", "+nan", "-0", "0", "", "a=b", "1-2", "'", "'a", "“=1”",
]  # fmt: skip


def frame_of_rows(texts: list[str]) -> pd.DataFrame:
    return pd.DataFrame({"a": texts, "b": 1.5})


WRITERS = {
    "rows": lambda path, texts: files.write_output_rows(path, ["a", "b"], [[text, 1] for text in texts]),
    "text": lambda path, texts: path.write_text(
        files.csv_text("ab", [{"a": text, "b": 1} for text in texts]), newline=""
    ),
    "table": lambda path, texts: path.write_bytes(files.table_bytes(frame_of_rows(texts))),
    "columns": lambda path, texts: path.write_bytes(files.table_bytes(pd.DataFrame([texts], columns=texts))),
}


def starts_a_formula(cell: str) -> bool:
    """What a spreadsheet computes (OWASP, "CSV Injection"), by hand: a first character, and no number."""
    try:
        float(cell)
    except ValueError:
        return cell[:1] in set("=+-@\t\r\n＝＋－＠")
    return False


@pytest.mark.parametrize("writer", WRITERS)
def test_no_cell_is_a_formula_and_every_text_comes_back(tmp_path: Path, writer: str) -> None:
    texts = [*FORMULAS, *HARMLESS, *(f"'{text}" for text in FORMULAS), *(f"''{text}" for text in FORMULAS)]
    WRITERS[writer](tmp_path / "a.csv", texts)
    with (tmp_path / "a.csv").open(encoding="utf-8", newline="") as stream:
        cells = [row for row in csv.reader(stream) if row]
    assert not [cell for row in cells for cell in row if starts_a_formula(cell)]
    read = [row for _, row in csv_cells(tmp_path / "a.csv")]
    if writer == "columns":
        assert read == [texts, texts]
        assert set(HARMLESS) <= set(cells[0])
    else:
        assert [row[0] for row in read[1:]] == texts
        assert set(HARMLESS) <= {row[0] for row in cells[1:]}


def test_numbers_are_no_texts() -> None:
    table = pd.DataFrame({"x": [-19.2, 5e-3], "n": [-1, 2], "m": [-1.5, "-x"]})
    assert files.table_bytes(table) == b"x,n,m\n-19.2000,-1,-1.5\n0.0050,2,'-x\n"
    assert files.csv_text(["x"], [{"x": -19.2}, {"x": 5e-3}, {"x": None}]) == 'x\n-19.2\n0.005\n""\n'


def test_tables_are_written_in_one_way() -> None:
    """But what the Bureau reads of CR/372, which stays as it was given, and the patterns of registers."""
    tables = ("csv.writer", "csv.DictWriter", ".to_csv", "','.join")
    found = {path.name for path in PACKAGE.rglob("*.py") for name, _ in calls(path) if name.endswith(tables)}
    assert found == {"files.py", "cr372_text.py", "register_files.py"}
