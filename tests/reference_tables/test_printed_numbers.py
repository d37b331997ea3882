"""Numbers that Report ITU-R SM.2405, CR/372 and Rec. ITU-R F.1565-1 print and no other test holds."""

from __future__ import annotations

import csv
import math
from fractions import Fraction
from pathlib import Path

import pytest
import yaml

from pipeline.coordination.f1565.objectives import read_tables
from pipeline.coordination.radar.cr372_records import CR372_COLUMNS
from pipeline.plan.territory_file import load_config
from pipeline.rates.link_modes import read_modes


def example(repository: Path, monkeypatch: pytest.MonkeyPatch, name: str):
    monkeypatch.chdir(repository)
    return load_config(Path(f"configs/examples/{name}.yaml"))


def test_trial_of_annex_6_is_told_with_its_factor(repository: Path) -> None:
    """0.768 to 2.44 bit/s/Hz by detection of unused spectrum, OFDM and adaptive modulation."""
    text = (repository / "docs/sensing.md").read_text(encoding="utf-8")
    assert "0.768 to 2.44 bit/s/Hz" in text
    assert f"{2.44 / 0.768:.2f} times" in text


def test_band_of_annex_6_is_12_mhz(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = example(repository, monkeypatch, "china_223")
    (band,) = [found for found in config.channels.allocated if found.service == "in_band"]
    assert (band.from_mhz, band.to_mhz, band.to_mhz - band.from_mhz) == (223.0, 235.0, 12.0)
    with Path("data/examples/china_allotments.csv").open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    # The colours of Table A6-1 are lost: no cell is known.
    assert {row["status"] for row in rows} == {"unknown"}
    assert all(223 <= float(row["from_mhz"]) < float(row["to_mhz"]) <= 235 for row in rows)


def test_terms_of_the_licence_of_annex_8_are_in_the_notice(repository, monkeypatch) -> None:
    config = example(repository, monkeypatch, "botswana")
    for words in ("470-694 MHz", "49-60", "694-790 MHz", "36 months", "every six months", "at once"):
        assert words in config.notice


def test_stations_of_annex_9_are_in_the_box_and_have_their_radios(repository, monkeypatch) -> None:
    """Tubigon 2 channels, Ubay 4, Talibon 3, each of 12 Mbit/s; 10 km of radius at +31 dBm."""
    config = example(repository, monkeypatch, "philippines")
    west, south, east, north = config.territory.bbox_deg
    stations = yaml.safe_load(Path("configs/examples/stations_bohol.yaml").read_text())["stations"]
    radios = {station["id"]: len(station["sectors"][0]["radios"]) for station in stations}
    assert radios == {"tubigon": 2, "ubay": 4, "talibon": 3}
    for station in stations:
        assert west < station["lon"] < east
        assert south < station["lat"] < north
        assert station["sectors"][0]["power_dbm"] + station["sectors"][0]["gain_dbi"] == 31.0
    assert "698-750 MHz is used by mobile services" in config.notice


@pytest.mark.parametrize(
    ("table", "printed"),
    [
        # Table A8-1: rate and sensitivity of the modes in 7.6 MHz.
        ("sm2405_a8", {("QPSK 1/2", 2.7, -98.0), ("16QAM 2/3", 7.1, -90.0), ("64QAM 3/4", 12.0, -81.0)}),
        # Annex 9: 1.5 to 13.5 Mbit/s with QPSK and 16QAM, one sensitivity.
        ("sm2405_a9", {("QPSK", 1.5, -99.0), ("16QAM", 13.5, None)}),
        # Tables A10-2 and A10-3: no sensitivity.
        ("sm2405_a10", {("one channel", 21.0, None), ("two channels", 42.0, None)}),
    ],
)
def test_rates_of_the_radios_of_annexes_8_to_10(
    table: str, printed: set[tuple[str, float, float | None]]
) -> None:
    rows = read_modes(table).rows
    assert printed <= {(row.mode, row.rate_mbps, row.sensitivity_dbm) for row in rows}
    # Table A10-2: at most -40 dBm at the input, power in steps of 1 dB.
    korean = {(row.max_input_dbm, row.tpc_step_db) for row in rows if table == "sm2405_a10"}
    assert korean <= {(-40.0, 1.0)}


def test_antennas_of_table_a8_1_and_a10_2() -> None:
    """Log-periodic 10, panel 6 to 9, bow-tie about 0 dBi with 20 dBm; 27 dBm + 9 dBi = 36 dBm."""
    with Path("configs/tables/link_cpe.csv").open(encoding="utf-8") as lines:
        cpe = {row["id"]: (float(row["gain_dbi"]), float(row["power_dbm"])) for row in csv.DictReader(lines)}
    assert cpe["a8_panel_low"] == (6.0, 20.0)
    assert cpe["a8_panel"] == (9.0, 20.0)
    assert cpe["a8_bowtie"] == (0.0, 20.0)
    assert sum(cpe["a10"]) == 36.0


def test_40_mw_need_no_distance_beside_television_and_are_a_level(repository, monkeypatch) -> None:
    config = example(repository, monkeypatch, "korea")
    # Table A10-1: 40 mW in 6 MHz at 0 dBi are 16.02 dBm and -1.8 dBm in 100 kHz.
    assert 16.0 in config.levels_dbm
    assert 10 * math.log10(40.0) == pytest.approx(16.02, abs=0.005)
    assert 10 * math.log10(40.0 / 60.0) == pytest.approx(-1.8, abs=0.05)
    with Path("configs/tables/separation_fcc.csv").open(encoding="utf-8") as lines:
        rows = [row for row in csv.DictReader(lines) if row["relation"] == "adjacent"]
    assert rows
    assert all(row["distance_km"] == "" for row in rows if float(row["eirp_dbm"]) <= 16.0)
    assert all(float(row["distance_km"]) > 0 for row in rows if float(row["eirp_dbm"]) > 16.0)


def test_lengths_of_the_22_fields_of_cr_372() -> None:
    printed = "1/3/3/2/10/11/5/5/30/1/1/7/8/30/20/7/-/-/10/-/1/255"
    assert "/".join(str(column.max_chars or "-") for column in CR372_COLUMNS) == printed


@pytest.mark.parametrize(
    ("table", "b", "c"), [(3, ("1e-5", "1e-6"), ("4e-6", "4e-7")), (4, None, ("2e-6", "2e-7"))]
)
def test_international_rows_above_160_mbit(table: int, b, c) -> None:
    """SESR b 1e-5, BBER b 1e-6; c 4e-6 and 4e-7 intermediate, 2e-6 and 2e-7 terminating; ESR under study."""
    (found,) = [t for t in read_tables().international if t.table == table]
    row = found.rows[-1]
    assert (row.above_kbps, row.up_to_kbps, row.esr) == (160_000, 3_500_000, None)
    for pair, first, second in zip((row.sesr, row.bber), b or ("1e-5", "1e-6"), c, strict=True):
        assert pair == (Fraction(first), Fraction(second))


def test_national_rows_above_160_mbit() -> None:
    (found,) = [t for t in read_tables().national if t.standard == "G.826"]
    row = found.rows[-1]
    assert (row.esr, row.sesr, row.bber) == (None, Fraction("0.0002"), Fraction("1e-5"))


def test_study_of_annex_5_is_that_of_the_example(repository, monkeypatch) -> None:
    """5 MHz at 30 m, 1 percentage point, 3.5 dB to 80 m and 5.5 dB beyond, no payload; 0, 20 and 36 dBm."""
    config = example(repository, monkeypatch, "arkhangelsk")
    (device,) = config.devices
    assert (device.bandwidth_mhz, device.height_m, device.dq_pct, device.cap_dbm) == (5.0, 30.0, 1.0, 36.0)
    protection = config.protection
    assert (protection.near_sigma_db, protection.far_sigma_db, protection.load) == (3.5, 5.5, "idle")
    assert protection.idle_penalty_db.value == 12.0
    assert config.sensitivity.idle_penalties_db == [0.0, 12.0, 26.0]
    assert config.levels_dbm == [0.0, 20.0, 36.0]
    # DVB-T2 64QAM 4/5 needs 18.1 dB (BT.2033-2, Ricean channel).
    mode = config.coverage.default_mode
    with Path("configs/tables/modes.csv").open(encoding="utf-8") as lines:
        needed = {(row["system"], row["mode"]): row["c_n_db"] for row in csv.DictReader(lines)}
    assert needed[mode.system, mode.mode] == "18.1"
    assert (min(config.channels.wsd), max(config.channels.wsd)) == (21, 48)
    assert config.study == "SM.2405 Annex 5"
