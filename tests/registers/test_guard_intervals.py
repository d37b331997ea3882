"""Guard intervals by system, FFT and fraction, and of networks whose members state several or none."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from pipeline.config.reception import Coverage
from pipeline.errors import InputError
from pipeline.registers.guard_intervals import guard_interval_us, guard_intervals, guard_summary
from pipeline.registers.transmitters import read_transmitters
from tests.channel_plans import named_plan

SLOVENIA = Path("data") / "slovenia" / "transmitters.csv"
BANDS = [
    {"from_mhz": 400, "to_mhz": 900, "gain_dbd": 10, "feeder_db": 3, "flat_deg": 20, "end_deg": 60}
    | {"discrimination_db": 16}
]
Q_MIN = {"value": 0.7, "source": "test", "verified": True}


def coverage(**changes) -> Coverage:
    return Coverage.model_validate({"q_min": Q_MIN, "receiver_bands": BANDS} | changes)


@pytest.mark.parametrize(
    ("system", "fft", "guard", "width_mhz", "expected_us"),
    [
        ("DVB-T", "8k", "1/4", 8.0, 224.0),
        ("DVB-T", "8k", "1/32", 8.0, 28.0),
        ("DVB-T", "2k", "1/4", 8.0, 56.0),
        ("DVB-T", "8k", "1/4", 7.0, 256.0),
        ("DVB-T2", "32k", "1/16", 8.0, 224.0),
        ("DVB-T2", "32k", "19/256", 8.0, 266.0),
        ("DVB-T2", "32k", "1/128", 8.0, 28.0),
        ("DVB-T2", "16k", "19/128", 8.0, 266.0),
        ("DVB-T2", "4k", "1/4", 8.0, 112.0),
        ("DVB-T2", "1k", "1/8", 8.0, 14.0),
        ("ISDB-T", "8k", "1/8", 6.0, 126.0),
        ("ISDB-T", "8k", "1/4", 8.0, 189.0),
    ],
)
def test_guard_interval_by_system_and_fft(system, fft, guard, width_mhz, expected_us):
    assert guard_interval_us(system, fft, guard, width_mhz) == pytest.approx(expected_us, rel=1e-12)


def register(tmp_path, repository, *cells: dict[str, str]) -> xr.Dataset:
    """Rows of the Slovenian register with other cells, on one channel as in the file."""
    with (repository / SLOVENIA).open(encoding="utf-8", newline="") as lines:
        rows = [row for row in csv.DictReader(lines) if row["channel"] == "32"][: len(cells)]
    changed = [
        {**row, "fft": "", "guard": "", "guard_us": "", **cell} for row, cell in zip(rows, cells, strict=True)
    ]
    path = tmp_path / "t.csv"
    with path.open("w", encoding="utf-8", newline="") as sink:
        writer = csv.DictWriter(sink, changed[0])
        writer.writeheader()
        writer.writerows(changed)
    return read_transmitters([path], named_plan("8MHz"), lenient=False)[0]


def test_network_has_the_smallest_of_its_members(tmp_path, repository):
    t2 = {"sfn": "a", "system": "DVB-T2", "multiplex_mode": "256QAM 2/3"}
    members = ({"fft": "32k", "guard": "1/8"}, {"fft": "32k", "guard": "1/16"}, {"guard_us": "300"}, {})
    found = guard_intervals(register(tmp_path, repository, *[t2 | cell for cell in members]), coverage())
    np.testing.assert_array_equal(found.guard_us, [224.0] * 4)
    assert not found.assumed.any()


def test_network_without_guard_interval_gets_the_default_of_its_system(tmp_path, repository):
    cells = [{"sfn": "a", "system": "", "multiplex_mode": ""}, {"sfn": "a", "fft": "8k"}, {"sfn": ""}]
    data = register(tmp_path, repository, *cells)
    found = guard_intervals(data, coverage())
    np.testing.assert_array_equal(found.guard_us[:2], 224.0)
    np.testing.assert_array_equal(found.assumed, [True, True, False])
    assert guard_summary(data, coverage()) == {"in_networks": 2, "guard_assumed": 2}
    other = coverage(default_guard_us={"DVB-T": 28.0})
    np.testing.assert_array_equal(guard_intervals(data, other).guard_us[:2], 28.0)
    assert other.default_guard_us["DVB-T2"] == 224.0
    named = guard_intervals(data, coverage(guard_us={"a": 60.0}))
    np.testing.assert_array_equal(named.guard_us[:2], 60.0)
    assert not named.assumed.any()
    # One number for every system, as in older files.
    assert set(coverage(default_guard_us=100).default_guard_us.values()) == {100.0}


def test_equal_names_on_two_channels_are_two_networks(tmp_path, repository):
    data = register(tmp_path, repository, {"sfn": "a", "guard_us": "50"}, {"sfn": "a", "guard_us": "90"})
    data["channel"].values[1] = 33
    np.testing.assert_array_equal(guard_intervals(data, coverage()).guard_us, [50.0, 90.0])


def test_atsc_has_no_network_but_one_mast(tmp_path, repository):
    data = register(tmp_path, repository, {"sfn": "a"}, {"sfn": "a"})
    data = data.assign(system=("transmitter", ["ATSC", "ATSC"]))
    assert (guard_intervals(data, coverage()).guard_us * 0.2998 < 0.31).all()


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ({"guard": "1/4"}, r"field fft: a guard interval as a fraction without its FFT"),
        ({"fft": "8k", "guard": "1/4", "guard_us": "224"}, r"field guard_us: guard interval is given twice"),
        ({"system": "DVB-T", "fft": "32k"}, r"field fft: DVB-T has no such FFT.*'32k'.*2k, 4k, 8k"),
        ({"system": "DVB-T", "fft": "8k", "guard": "19/256"}, r"field guard: DVB-T has no such guard"),
        ({"system": "ATSC", "multiplex_mode": "", "guard_us": "5"}, r"field guard_us: ATSC has no guard"),
        ({"fft": "9k"}, r"field fft.*'9k'.*1k, 2k, 4k, 8k, 16k, 32k or empty"),
        ({"guard_us": "0"}, r"field guard_us.*'?0'?.*1 to 1000 us"),
    ],
)
def test_guard_intervals_that_cannot_be_are_refused(tmp_path, repository, cell, message):
    with pytest.raises(InputError, match=message):
        register(tmp_path, repository, cell)
