"""Settings and tables made to break their reader are refused in one line at once; so is little memory."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.cli import main as cli
from pipeline.config.base import FORMS
from pipeline.errors import InputError
from pipeline.plan.territory_file import export_schema
from pipeline.rows.text_records import read_csv, read_text
from tests.tiny import CONFIG
from tests.workflow.test_refusals import refusal

ALIASES = "a: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"b{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 10)
)
MERGES = "m: &a0 {k: 1}\n" + "".join(
    f"m{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 9)}], k{i}: 1}}\n" for i in range(1, 10)
)
NINES = "9" * 5000

ADDED = {
    "aliases": (ALIASES, "100000 values"),
    "merged aliases": (MERGES, "100000 values"),
    "anchor in itself": ("x: &x [*x]", "contains itself"),
    "100000 brackets": ("x: " + "[" * 100_000, "nested deeper than 50"),
    "1000 sections": ("x:" + "".join("\n" + " " * i + "a:" for i in range(1, 1000)), "nested deeper than 50"),
    "many values": (f"x: [{'x,' * 200_000}]", "100000 values"),
    "second key": ("grid: {}", "'grid' is given twice"),
    "second key below": ("query: {block_px: 1, block_px: 2}", "'block_px' is given twice"),
    "tab": ("x:\n\t- 1", "such as a tab"),
    "object": ("x: !!python/object/apply:os.system ['touch PWNED']", "a tag"),
    "5000 digits": (f"validity_hours: {NINES}", "not valid YAML"),
    "4000 digits": (f"validity_hours: {NINES[:4000]}", "validity_hours"),
    "hexadecimal": (f"validity_hours: 0x{NINES}", "validity_hours"),
    "1e400": ("validity_hours: 1e400", "validity_hours"),
    "infinite": ("validity_hours: 1.0e+400", "inf"),
    "no number": ("validity_hours: .nan", "nan"),
    "true": ("validity_hours: yes", "True"),
    "tag of a truth": ("title: !!bool perhaps", "not valid YAML"),
    "tag of a time": ("title: !!timestamp soon", "not valid YAML"),
    "30 February": ("x: 2001-02-30", "a day"),
    "year 0": ("x: 0000-01-01", "a day"),
    "list as a key": ("? [a]\n: 1", "a key"),
    "date as a key": ("2001-01-01: 1", "a key that is no text"),
    "two documents": ("---\na: 1", "a second document"),
    "21 MB": ("#" + "x" * 21_000_000, "20000000 bytes"),
    "last minute": ("pmse: {at: '9999-12-31T23:59'}", "1900 and 2999"),
    "first minute": ("pmse: {at: '0001-01-01'}", "1900 and 2999"),
    "text for a time": (f"pmse: {{at: {'x' * 5000}}}", "2014-03-01T19:30"),
    "long name": (f"name: {'a' * 5000}", "1 to 40 of a-z"),
    "long file name": (f"device_profiles: {'a' * 5000}.yaml", "longer than any"),
    "long path": (f"device_profiles: {'a/' * 2600}.yaml", "longer than any"),
    "line end in a path": ('device_profiles: "a\\nb.yaml"', "cannot be printed"),
    "NUL in a path": ('device_profiles: "a\\0b.yaml"', "U+0000"),
    "endless file": ("device_profiles: /dev/zero", "too large"),
}


@pytest.mark.parametrize("case", ADDED)
def test_settings_are_refused_at_once(
    tiny: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    added, said = ADDED[case]
    profile = "  - id: fixed30\n    profile: x\n" if case == "endless file" else "  - id: fixed30\n"
    text = CONFIG.replace("  - id: fixed30\n", profile)
    tiny.write_text(f"{text}\n{added}\n", encoding="utf-8")
    begun = time.process_time()
    line = refusal(capfd, monkeypatch, "validate", "tiny.yaml")
    assert "tiny.yaml" in line or "/dev/zero" in line
    assert said in line
    assert "^" not in line
    assert len(line) < 1200
    assert time.process_time() - begun < 10.0


def test_other_yaml_is_read_with_the_same_bounds(
    tiny: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("networks.yaml").write_text(MERGES, encoding="utf-8")
    Path("points.csv").write_text("id,lon,lat\nA,14,46\n", encoding="utf-8")
    common = ("--points", "points.csv", "--out", "x.csv")
    line = refusal(capfd, monkeypatch, "rr941", "--networks", "networks.yaml", *common)
    assert "100000 values" in line
    assert "100000 values" in refusal(
        capfd, monkeypatch, "what-if", "tiny.yaml", "--set", f"title={{{MERGES}}}".replace("\n", ",")
    )


def test_settings_with_a_byte_order_mark_and_aliases_are_read(tiny: Path) -> None:
    """What people write stays allowed: an anchor merged into several sections."""
    tiny.write_text("\ufeff" + CONFIG + "\nquery: &q {block_px: 256}\n", encoding="utf-8")
    cli.app(["validate", "tiny.yaml"], standalone_mode=False)


def test_every_form_of_text_in_settings_has_words() -> None:
    patterns = re.findall(r'"pattern": (".*")', export_schema())
    ranges = r"^\d+(-\d+)?$"  # for editors: a function reads them
    assert {json.loads(pattern) for pattern in patterns} - {ranges} == set(FORMS)


# --- tables -------------------------------------------------------------------------------------------------

TABLES: dict[str, tuple[bytes, str]] = {
    "UTF-16": ("id,b\nA,1\n".encode("utf-16"), "UTF-16"),
    "NUL": (b"id,b\nA,\0\n", "row 2: holds a NUL"),
    "long field": (b"id,b\nA," + b"x" * 200_000 + b"\n", "field larger than"),
    "open quotes": (b'id,b\nA,"x\nB,1\n', "row 2: is not a readable CSV"),
    "column twice": (b"id,b,id\nA,1,B\n", "field id: column occurs twice"),
    "no header": (b"A,1\n", "field id: column is missing"),
    "line on separators": (b"sep=;\nid;b\nA;1\n", "spreadsheet"),
    "semicolons": (b"id;b\nA;1\n", "not separated by commas"),
    "tabs": (b"id\tb\nA\t1\n", "not separated by commas"),
    "decimal comma": (b"id,b\nA,1,5\n", "row 2, field (row): row has the wrong number"),
    "newlines": (b"\n" * 10_000_000, "too many lines"),
}


@pytest.mark.parametrize("case", TABLES)
def test_tables_are_refused_by_name(tmp_path: Path, case: str) -> None:
    content, said = TABLES[case]
    (tmp_path / "t.csv").write_bytes(content)
    begun = time.process_time()
    try:
        line = str(read_csv(tmp_path / "t.csv", ["id", "b"]).faults[0])
    except InputError as error:
        line = str(error)
    assert said in line
    assert time.process_time() - begun < 2.0


def test_mixed_ends_of_lines_are_lines(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"\xef\xbb\xbfid,b\r\nA,1\nB,2\rC,3\r\n")
    rows = read_csv(tmp_path / "t.csv", ["id", "b"]).readable
    assert [(row.row, row.values["id"]) for row in rows] == [(2, "A"), (3, "B"), (4, "C")]


def test_size_is_bounded_before_a_file_is_read(tmp_path: Path) -> None:
    """Three gigabytes of nothing take no disk and no time."""
    file = tmp_path / "t.csv"
    with file.open("wb") as stream:
        stream.truncate(3_000_000_000)
    with pytest.raises(InputError, match="too large"):
        read_text(file)


def test_name_of_a_file_stays_on_its_line() -> None:
    line = str(InputError("not there", file="a\nb\x1b[31m.yaml"))
    assert line == r"a\nb\x1b[31m.yaml: not there"


# --- the process --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), "not enough memory"),
        (OSError(28, "No space left on device", "x.tif"), "x.tif: No space left on device"),
        (RuntimeError("odd\nthing"), r"RuntimeError: odd\nthing"),
    ],
    ids=["memory", "disk", "unforeseen"],
)
def test_failure_is_one_line_and_exit_code_1(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
) -> None:
    def failing() -> None:
        raise error

    monkeypatch.setattr(cli, "app", failing)
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == 1
    line = capfd.readouterr().err
    assert said in line
    assert line.count("\n") == 1


@pytest.mark.skipif(sys.platform != "linux", reason="limits of address space are of Linux")
def test_little_memory_is_one_line(repository: Path, tiny: Path) -> None:
    limited: Callable[[], None] = _limit_memory
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "validate", "tiny.yaml"],
        text=True,
        capture_output=True,
        env=os.environ | {"PYTHONPATH": str(repository)},
        timeout=60,
        preexec_fn=limited,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("channelmaps: not enough memory; found 600000000")
    assert done.stderr.count("\n") == 1


def _limit_memory() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (600_000_000, 600_000_000))
