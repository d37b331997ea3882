"""What validate says of queries."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import InputError
from pipeline.workflow.validate import validate_command
from tests.published import with_devices


def lines(capsys: pytest.CaptureFixture[str], path: Path) -> list[str]:
    validate_command(path)
    out = capsys.readouterr().out.splitlines()
    return [line.split(maxsplit=2)[2] for line in out if line.split()[:2] == ["not", "answered"]]


def test_missing_layers_and_devices_for_slaves_are_named(
    tiny: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert lines(capsys, tiny) == [
        "type A, class 1: no layer of 10 m",
        "queries for generic slaves of type A: no device of class 5",
    ]
    with_devices(tiny, ("fixed30", "A", 1, 30.0), ("slave", "A", 5, 30.0), ("b", "B", 4, 1.5))
    assert lines(capsys, tiny) == [
        "type A, class 1: no layer of 10 m",
        "type A, class 5: no layer of 10 m",
        "queries for generic slaves of type B: no device of class 5",
    ]


def test_bad_table_of_height_layers_is_refused(tiny: Path) -> None:
    text = "device_type,layer_m,source,verified\nC,10,for a test,true\n"
    (tiny.parent / "layers.csv").write_text(text)
    tiny.write_text(tiny.read_text().replace("devices:", "query: {height_layers: layers.csv}\ndevices:"))
    with pytest.raises(InputError, match="device_type"):
        validate_command(tiny)


@pytest.mark.parametrize(("margin_db", "refused"), [(6.0, True), (6.03, False)])
def test_channels_without_restriction_need_a_margin(tiny: Path, margin_db: float, refused: bool) -> None:
    # Four channels together: 10 log10 4 = 6.02 dB.
    text = tiny.read_text().replace("cap_dbm: 36.0", f"cap_dbm: 36.0\n    margin_db: {margin_db}")
    query = 'query: {simultaneous: "0", max_total_bw_mhz: 32.0}'
    tiny.write_text(text.replace("devices:", f"{query}\ndevices:"))
    if refused:
        with pytest.raises(InputError, match=r"margin_db of 6\.02 or more; fixed30 has 6"):
            validate_command(tiny)
    else:
        validate_command(tiny)


@pytest.mark.parametrize("zone", ["Europe/Atlantis", "../../etc/passwd"])
def test_unknown_time_zone_is_refused(tiny: Path, zone: str) -> None:
    tiny.write_text(tiny.read_text().replace("devices:", f"query: {{time_zone: {zone}}}\ndevices:"))
    with pytest.raises(InputError, match=r"query\.time_zone"):
        validate_command(tiny)
