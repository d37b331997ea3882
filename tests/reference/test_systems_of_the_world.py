"""Systems, rasters and polarisations of other regions than the default territory's."""

from __future__ import annotations

from typing import get_args

import pytest

from pipeline.config.reception import Coverage
from pipeline.config.register_mapping import DttSystem
from pipeline.init.rasters_and_grids import plans_on
from pipeline.radio.channel_plan import centre_mhz, segment_of
from pipeline.reference.ratio_tables import read_modes
from pipeline.registers.guard_intervals import guard_problem
from pipeline.registers.named_plans import named_plan
from pipeline.registers.transmitter_rows import RowRules, TransmitterRow
from pipeline.rows.row_models import check_record
from pipeline.rows.text_records import Record, read_csv
from pipeline.shipped import TABLES

SYSTEMS = get_args(DttSystem)
# Noise bandwidth: 5617 carriers of 1/1008 us, 3780 symbols per 500 us, and 6 MHz less its rolloff.
BANDWIDTHS_MHZ = {"ISDB-T": 5.572, "DTMB": 7.56, "ATSC3": 5.833}


def test_every_system_has_modes_and_ratios() -> None:
    modes = read_modes(TABLES / "modes.csv")
    ratios = [record.values for record in read_csv(TABLES / "dtt_protection_ratios.csv", ()).readable]
    for system in SYSTEMS:
        own = {mode for name, mode in modes if name == system}
        assert own
        rows = {(row["wanted_mode"], row["offset"]) for row in ratios if row["wanted_system"] == system}
        assert {(mode, "0") for mode in own} | {("*", "-1"), ("*", "1")} == rows


def test_what_is_quoted_from_memory_says_so() -> None:
    for record in read_csv(TABLES / "modes.csv", ()).readable:
        if record.values["system"] in BANDWIDTHS_MHZ:
            assert record.values["verified"] == "false"
            wanted = BANDWIDTHS_MHZ[record.values["system"]]
            assert float(record.values["noise_bandwidth_mhz"]) == pytest.approx(wanted, abs=0.01)


@pytest.mark.parametrize(
    ("plan", "channel", "f_mhz"),
    [
        ("China", 24, 562.0),
        ("China", 25, 610.0),
        ("Japan", 13, 473.142857),
        ("6MHz-ISDB", 14, 473.142857),
        ("6MHz-ISDB", 51, 695.142857),
        ("GE06", 12, 226.5),
        ("GE06", 21, 474.0),
        ("8MHz-OIRT", 12, 226.0),
    ],
)
def test_centres_of_channels(plan: str, channel: int, f_mhz: float) -> None:
    segment = segment_of(named_plan(plan), channel)
    assert segment is not None
    assert centre_mhz(segment, channel) == pytest.approx(f_mhz, abs=1e-5)


@pytest.mark.parametrize(
    ("f_mhz", "channels", "plans"),
    [
        ([473.142857, 479.142857], [14, 15], ["6MHz-ISDB"]),
        ([473.142857, 479.142857], [13, 14], ["Japan"]),
        ([473.0, 479.0], [14, 15], ["6MHz"]),
        ([177.5, 474.0], [5, 21], ["GE06"]),
        ([474.0], [13], ["China"]),
        ([226.0, 562.0], [12, 32], ["8MHz-OIRT"]),
    ],
)
def test_rasters_of_regions_are_told_apart(
    f_mhz: list[float], channels: list[int | None], plans: list[str]
) -> None:
    assert plans_on(f_mhz, channels) == plans


@pytest.mark.parametrize(("text", "plane"), [("C", "M"), ("c", "M"), ("m", "M"), ("h", "H"), ("", "")])
def test_circular_polarisation_is_mixed(text: str, plane: str) -> None:
    values = {
        "id": "A", "site": "S", "lon": "-47.9", "lat": "-15.8", "channel": "14", "centre_mhz": "473.142857",
        "bandwidth_mhz": "6", "erp_kw": "1", "antenna_height_agl_m": "50", "site_height_asl_m": "",
        "polarisation": text, "pattern_azimuth_attenuation_db": "", "system": "ISDB-T",
        "multiplex_mode": "64QAM 3/4",
    }  # fmt: skip
    rules = RowRules(named_plan("6MHz-ISDB"), modes=read_modes(TABLES / "modes.csv"))
    row = check_record(TABLES / "x.csv", Record(2, values), TransmitterRow, rules)
    assert row.polarisation == plane


def test_guard_intervals_of_other_systems() -> None:
    """1008 us/8 in 6 MHz, 945 symbols of 1/7.56 us, 1024 samples of 1/6.912 us."""
    defaults = Coverage.model_fields["default_guard_us"].default
    assert defaults["ISDB-T"] == pytest.approx(1008 / 8)
    assert defaults["DTMB"] == pytest.approx(945 / 7.56)
    assert defaults["ATSC3"] == pytest.approx(1024 / 6.912, abs=0.1)
    assert guard_problem("DTMB", "", "1/4", None) is not None
    assert guard_problem("ATSC3", "", "", 148.0) is None
