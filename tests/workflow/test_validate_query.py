"""What validate says of queries."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import InputError
from pipeline.workflow.validate import validate_command
from tests.published import with_devices


def lines(capsys: pytest.CaptureFixture[str], path: Path) -> list[str]:
    validate_command(path)
    return [line for line in capsys.readouterr().out.splitlines() if "generic slaves" in line]


def test_missing_device_for_slaves_is_named(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (line,) = lines(capsys, tiny)
    assert "type A: no device of class 5 at 30 m" in line
    with_devices(tiny, ("fixed30", "A", 1, 30.0), ("slave", "A", 5, 30.0), ("b", "B", 5, 5.0))
    (line,) = lines(capsys, tiny)
    assert "type B: no device of class 5 at 1.5 m" in line


def test_table_of_height_layers_with_a_gap_is_refused(tiny: Path) -> None:
    rows = ["*,0,2.5,1.5", "*,7.5,,10", "A,,,30", "B,,,1.5"]
    header = "device_type,from_m,to_m,layer_m,source,verified\n"
    text = header + "".join(f"{row},for a test,true\n" for row in rows)
    (tiny.parent / "layers.csv").write_text(text)
    tiny.write_text(tiny.read_text().replace("devices:", "query: {height_layers: layers.csv}\ndevices:"))
    with pytest.raises(InputError, match="gap"):
        validate_command(tiny)


@pytest.mark.parametrize("zone", ["Europe/Atlantis", "../../etc/passwd"])
def test_unknown_time_zone_is_refused(tiny: Path, zone: str) -> None:
    tiny.write_text(tiny.read_text().replace("devices:", f"query: {{time_zone: {zone}}}\ndevices:"))
    with pytest.raises(InputError, match=r"query\.time_zone"):
        validate_command(tiny)
