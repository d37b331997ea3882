"""Rows checked by column have the faults of rows checked one by one."""

from __future__ import annotations

import random
from pathlib import Path

from pipeline.registers.entries import RegisterEntry
from pipeline.registers.finishing import Target, check_entries
from pipeline.registers.importing import plan_named
from pipeline.registers.transmitter_rows import RowRules, SiteBox, TransmitterRow, keep_rules

FIELD = ";".join(["1.00"] * 18 + ["0.10"] * 18)
GOOD: dict[str, object] = {
    "site": "Kum", "lon": 14.5, "lat": 46.1, "channel": 32, "centre_mhz": 562.0, "bandwidth_mhz": 8.0,
    "erp_kw": 1.0, "antenna_height_agl_m": 50.0, "system": "DVB-T2",
}  # fmt: skip
ODD: dict[str, tuple[object, ...]] = {
    "site": ("a\x1bb", "x" * 201, "", "Šmarna gora"),
    "lon": (0.0, 200.0, 46.0, None, 14.6),
    "lat": (0.0, 91.0, 14.5, None, -46.1),
    "channel": (99, None, 33, "32"),
    "centre_mhz": (561.0, 562.3, 570.0, 20.0, None),
    "bandwidth_mhz": (7.0, 0.5, None),
    "erp_kw": (0.0, -1.0, 6000.0, None, 5000.0, float("inf")),
    "antenna_height_agl_m": (None, -1.0, 901.0, 0.0),
    "haat_m": (None, 0.0, 200.0, 9000.0),
    "polarisation": ("H", "c", "X", ""),
    "pattern_azimuth_attenuation_db": ("", "1;2", ";".join(["0.00"] * 36), FIELD, ";".join(["4.00"] * 36)),
    "vertical_pattern_deg_attenuation_db": ("", "0:0;1:3", "1:0;0:3", "0"),
    "system": ("", "DVB-T", "PAL"),
    "multiplex_mode": ("", "64QAM 2/3", "64QAM 9/9"),
    "guard": ("", "1/4", "1/3"),
    "fft": ("", "8k", "9k"),
    "guard_us": (None, 224.0, 0.5),
    "beam_tilt_deg": (None, 1.0, 40.0),
    "country": ("si", "SI", "SVN"),
    "id": ("", "A", "B"),
}


def entries() -> list[RegisterEntry]:
    """Rows of which none, one or two cells are odd, some with ids that occur twice."""
    choice = random.Random(15)
    rows = []
    for i in range(700):
        odd = choice.sample([*ODD], choice.choice([0, 1, 1, 2]))
        values = {**GOOD, "id": f"T{i}"} | {name: choice.choice(ODD[name]) for name in odd}
        rows.append(RegisterEntry(Path("t.csv"), i + 2, values))
    return rows


def test_faults_by_column_are_those_by_row() -> None:
    known = plan_named("8MHz")
    rules = RowRules(known.plan, SiteBox(12.0, 44.0, 18.0, 48.0), known.modes, accept=["A"])
    by_row, by_column = entries(), entries()
    check_entries(by_row, Target("transmitters", TransmitterRow, rules))
    check_entries(by_column, Target("transmitters", TransmitterRow, rules, keep_rules))
    told = [[str(entry.fault) for entry in found] for found in (by_row, by_column)]
    assert told[0] == told[1]
    assert 100 < told[0].count("None") < 600
