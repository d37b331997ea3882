"""Coupling of a device into other receivers: worked cases by hand, and the root of I(P) = T by search."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from pipeline.config.protection import Device
from pipeline.radio.coupling import coupling_of, floors_in, permitted_dbm
from pipeline.radio.emission import Band, Emission, FloorBand, least_eirp_dbm

CLASS_1 = {1: 74.0, 2: 79.0, 3: 84.0}
NO_FLOOR = -math.inf


def emission(centre_mhz: float, width_mhz: float = 8.0, floor_dbm: float = NO_FLOOR) -> Emission:
    block = Band(centre_mhz - width_mhz / 2, centre_mhz + width_mhz / 2)
    return Emission(block, 8.0, CLASS_1, floor_dbm)


def test_narrow_receiver_inside_the_block_takes_its_share() -> None:
    # 10 log(8 MHz / 12.5 kHz); the receiver's own selectivity cannot help.
    coupling = coupling_of(emission(610.0), Band(609.99375, 610.00625), 60.0)
    assert coupling.rejection_db == pytest.approx(28.0618, abs=1e-3)


def test_receiver_wider_than_the_block_takes_all() -> None:
    coupling = coupling_of(emission(610.0, 5.0), Band(600.0, 620.0), 60.0)
    assert coupling.rejection_db == pytest.approx(0.0, abs=1e-4)


def test_channel_38_overlaps_the_radio_astronomy_band_by_three_quarters() -> None:
    assert coupling_of(emission(610.0), Band(608.0, 614.0), math.inf).rejection_db == pytest.approx(
        10 * math.log10(8 / 6), abs=1e-6
    )


@pytest.mark.parametrize(
    ("channel_centre", "aflr"), [(602.0, 74.0), (618.0, 74.0), (594.0, 79.0), (474.0, 84.0)]
)
def test_leakage_alone_counts_by_100_khz(channel_centre: float, aflr: float) -> None:
    coupling = coupling_of(emission(channel_centre), Band(608.0, 614.0), math.inf)
    assert coupling.rejection_db == pytest.approx(aflr - 10 * math.log10(60), abs=1e-9)


def test_leakage_over_8_mhz_and_selectivity_combine_as_ratios() -> None:
    # A = -10 log(10^(-ACLR/10) + 10^(-ACS/10)), ACLR = AFLR - 19.03 (docs/method.md, section 16).
    coupling = coupling_of(emission(602.0), Band(606.0, 614.0), 50.0)
    aclr_db = 74.0 - 10 * math.log10(80)
    assert coupling.rejection_db == pytest.approx(
        -10 * math.log10(10 ** (-aclr_db / 10) + 10**-5.0), abs=1e-9
    )


def test_leakage_ratio_is_that_of_fixed_service_rejection() -> None:
    # Rec. ITU-R F.1565-1: R_f = 10 log(B_fs / B_wsd) - ACLR for a 2 MHz link in the next channel.
    coupling = coupling_of(emission(602.0), Band(610.0, 612.0), math.inf)
    assert -coupling.rejection_db == pytest.approx(10 * math.log10(2 / 8) - (74 - 10 * math.log10(80)))


# 16 MHz of a receiver at 782-798 MHz, beside channel 59 at 774-782: 8 MHz with the floor of -84, 8 with -54.
ABOVE_790 = (FloorBand(Band(0.0, 470.0), -54.0), FloorBand(Band(790.0, 1e6), -54.0))


@pytest.mark.parametrize("tolerated_dbm", [-34.0, -33.0, -20.0, 0.0])
def test_floor_is_that_of_the_frequency(tolerated_dbm: float) -> None:
    """First adjacent 782-790 MHz, second 790-798 MHz, 80 segments of 100 kHz each; by hand and by search."""
    wide = emission(778.0, floor_dbm=-84.0)._replace(floor_bands=ABOVE_790)
    receiver = Band(782.0, 798.0)
    assert floors_in(wide, receiver) == [-84.0, -54.0]
    assert floors_in(wide, Band(782.0, 790.0)) == [-84.0]
    assert floors_in(wide, Band(460.0, 470.0)) == [-54.0]

    def interference_dbm(p_dbm: float) -> float:
        leaked = 80 * 10 ** (max(p_dbm - 74.0, -84.0) / 10) + 80 * 10 ** (max(p_dbm - 79.0, -54.0) / 10)
        return 10 * math.log10(leaked)

    found = permitted_dbm(tolerated_dbm, *coupling_of(wide, receiver, math.inf))
    expected = brentq(lambda p: interference_dbm(p) - tolerated_dbm, -200, 200)
    assert found == pytest.approx(expected, abs=1e-6)
    # 80 segments at -54 dBm are -34.97 dBm: less cannot be reached at any power.
    assert permitted_dbm(-34.98, *coupling_of(wide, receiver, math.inf)) == -math.inf


def total_dbm(p_dbm: float, acs_db: float, floor_dbm: float) -> float:
    """Interference through the selectivity, and leakage of 80 segments of each offset."""
    power = 10 ** ((p_dbm - acs_db) / 10)
    for ratio_db in CLASS_1.values():
        power += 80 * 10 ** (max(p_dbm - ratio_db, floor_dbm) / 10)
    return 10 * math.log10(power)


@settings(deadline=None)
@given(tolerated_dbm=st.floats(-79.0, 0.0), acs_db=st.floats(20.0, 100.0), floor_dbm=st.floats(-140.0, -84.0))
def test_permitted_power_just_uses_up_what_is_tolerated(
    tolerated_dbm: float, acs_db: float, floor_dbm: float
) -> None:
    # The receiver takes in 8 MHz of leakage of each of the three classes.
    coupling = coupling_of(emission(602.0, floor_dbm=floor_dbm), Band(606.0, 630.0), acs_db)
    found = permitted_dbm(tolerated_dbm, *coupling)
    floor_alone = floor_dbm + 10 * math.log10(240)
    if tolerated_dbm <= floor_alone:
        assert found == -math.inf
        return
    wanted = brentq(lambda p: total_dbm(p, acs_db, floor_dbm) - tolerated_dbm, -400, 250)
    assert found == pytest.approx(wanted, abs=1e-6)


@settings(deadline=None)
@given(st.floats(-300.0, 100.0), st.floats(0.0, 30.0))
def test_permitted_power_rises_with_what_is_tolerated(tolerated_dbm: float, more_db: float) -> None:
    coupling = coupling_of(emission(602.0, floor_dbm=-84.0), Band(608.0, 614.0), 70.0)
    assert permitted_dbm(tolerated_dbm, *coupling) <= permitted_dbm(tolerated_dbm + more_db, *coupling) + 1e-9


def device(**given: object) -> Device:
    whole = {
        "id": "d",
        "emission_class": 1,
        "height_m": 30.0,
        "min_separation_m": {"value": 20.0, "source": "test", "verified": False},
        "cap_dbm": 36.0,
        "burst_penalty_db": {"value": 0.0, "source": "test", "verified": True},
    }
    return Device.model_validate(whole | given)


@pytest.mark.parametrize(
    ("given", "least_dbm"),
    [
        # SM.2405, Table A5-3: -8 dBW e.r.p. are 22.00 dBm, 24.15 dBm e.i.r.p.
        ({}, 24.15),
        ({"height_m": 10.0}, 24.15),
        ({"height_m": 9.9}, 0.0),
        ({"type": "B", "height_m": 30.0}, 0.0),
        # Table A5-3 row by row: 20 dBm, 7.15 dBi, 5 dB of feeder.
        ({"power_min_dbm": 20.0, "gain_dbi": 7.15, "feeder_db": 5.0}, 22.15),
        # 3 dB below the cap, also where the density is the cap.
        ({"cap_dbm": 16.0}, 13.0),
        ({"type": "B", "height_m": 1.5, "cap_dbm": 2.0}, -1.0),
        ({"cap_density_dbm_per_100khz": 1.0}, 1.0 + 10.0 * math.log10(80.0) - 3.0),
        ({"min_eirp_dbm": -40.0}, -40.0),
        ({"min_eirp_dbm": 35.0, "power_min_dbm": 20.0}, 35.0),
    ],
)
def test_least_eirp(given: dict[str, object], least_dbm: float) -> None:
    assert least_eirp_dbm(device(**given)) == pytest.approx(least_dbm, abs=1e-12)
