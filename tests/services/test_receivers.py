"""Radio astronomy, land mobile, PPDR and fixed links against budgets worked by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from service_scene import GRID, lonlat_deg, make_context, whole, write_csv

from pipeline.errors import InputError
from pipeline.services.base import ServiceContext
from pipeline.services.table import service_code
from tests.asking import explain, prepare

RADIO = {"bandwidth_mhz": 4.5, "noise_figure_db": 5, "gain_dbi": 15, "feeder_db": 3, "acs_db": 50}
AREA_HEADER = (
    "id,f_mhz,bandwidth_mhz,noise_figure_db,gain_dbi,feeder_db,antenna_height_m,acs_db,separation_m,"
    "source,verified"
)
# Whole leakage of class 1 three channels off or more, and the selectivity: what A(df) is made of.
AFLR_DB = 84.0


NO_FLOOR = {"value": -150.0, "source": "made up", "verified": False}


def free_space_db(d_m: float, rise_m: float, f_mhz: float) -> float:
    return 32.4 + 20 * math.log10(f_mhz) + 20 * math.log10(math.hypot(d_m, rise_m) / 1000)


def receiver_row(x_m: float, y_m: float, **changes: object) -> dict[str, object]:
    lon, lat = lonlat_deg(x_m, y_m)
    row: dict[str, object] = {"id": "R", "lon": lon, "lat": lat, "f_mhz": 847.0, **RADIO}
    row |= {"antenna_height_m": 30.0, "azimuth_deg": "", "pattern": "", "coastal": "no"}
    return row | changes


def context_with(folder: Path, repository: Path, **incumbents: object) -> ServiceContext:
    return make_context(folder, repository, incumbents=incumbents)


# --- land mobile and PPDR -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "i_n_db", "label"), [("mobile", -6.0, 5), ("ppdr", -10.0, 6)])
def test_base_station_beside_the_device_is_the_hand_budget(
    tmp_path: Path, repository: Path, name: str, i_n_db: float, label: int
) -> None:
    path = write_csv(tmp_path / "bases.csv", [receiver_row(505_250.0, 104_250.0)])
    sections = {
        name: {"registers": [str(path)]},
        "leakage_floor_dbm_per_100khz": NO_FLOOR,
        "leakage_floor": [],
    }
    context = context_with(tmp_path, repository, **sections)
    device = context.config.devices[0]
    limit = prepare(name, context, device, 48)
    assert limit is not None
    found = limit(*whole())
    # In its own pixel: 20 m, both antennas at 30 m. N = -102.47 dBm; channel 48 is 690 MHz.
    leak_db = AFLR_DB - 10 * math.log10(45)
    rejection = -10 * math.log10(10 ** (-leak_db / 10) + 10**-5.0)
    wanted = -102.47 + i_n_db + 3 + free_space_db(20, 0, 847) - 15 + rejection
    assert found.eirp_dbm[11, 10] == pytest.approx(wanted, abs=0.02)
    assert found.label[11, 10] == label
    assert not found.not_evaluated.any()


def test_receiver_anywhere_gives_one_limit_for_the_territory(tmp_path: Path, repository: Path) -> None:
    table = tmp_path / "anywhere.csv"
    table.write_text(f"{AREA_HEADER}\nUE,796,4.5,9,0,0,1.5,33,50,made up,false\n")
    # At 796 MHz leakage stays at -54 dBm in 100 kHz, -37.5 dBm in 4.5 MHz, far above what the terminal bears.
    closed = context_with(tmp_path, repository, mobile={"area_wide": str(table)})
    limit = prepare("mobile", closed, closed.config.devices[0], 48)
    assert limit is not None
    assert np.isneginf(limit(*whole()).eirp_dbm).all()
    context = context_with(tmp_path, repository, mobile={"area_wide": str(table)}, leakage_floor=[])
    device = context.config.devices[0]
    limit = prepare("mobile", context, device, 48)
    assert limit is not None
    found = limit(*whole())
    rejection = -10 * math.log10(10 ** (-(AFLR_DB - 10 * math.log10(45)) / 10) + 10**-3.3)
    wanted = -104.47 + free_space_db(50, 28.5, 796) + rejection
    assert np.ptp(found.eirp_dbm) == 0.0
    assert found.eirp_dbm[3, 3] == pytest.approx(wanted, abs=0.02)
    told = explain("mobile", context, device, 48, 3, 3)
    assert told is not None
    assert sum(term.value_db for term in told.terms) == pytest.approx(found.eirp_dbm[3, 3], abs=1e-9)
    assert told.victim["id"] == "UE"


def test_floor_of_the_leakage_closes_a_channel_beside_a_receiver(tmp_path: Path, repository: Path) -> None:
    # 20 m from a base station: I_max 12 dB below what the floor of -84 dBm / 100 kHz brings.
    path = write_csv(
        tmp_path / "bases.csv", [receiver_row(505_250.0, 104_250.0, gain_dbi=18, feeder_db=0, acs_db=120)]
    )
    found = {}
    for floor in (-84.0, -150.0):
        entry = {"value": floor, "source": "made up", "verified": False}
        context = context_with(
            tmp_path,
            repository,
            mobile={"registers": [str(path)]},
            leakage_floor_dbm_per_100khz=entry,
            leakage_floor=[],
        )
        limit = prepare("mobile", context, context.config.devices[0], 48)
        assert limit is not None
        found[floor] = limit(*whole()).eirp_dbm
    leaked_dbm = -84 + 10 * math.log10(45)
    tolerated_dbm = -102.47 - 6 + free_space_db(20, 0, 847) - 18
    assert tolerated_dbm < leaked_dbm
    assert np.isneginf(found[-84.0][11, 10])
    assert np.isfinite(found[-150.0][11, 10])
    assert (found[-84.0] <= found[-150.0]).all()


def test_ppdr_is_protected_4_db_more_than_mobile(tmp_path: Path, repository: Path) -> None:
    path = str(write_csv(tmp_path / "bases.csv", [receiver_row(503_000.0, 104_000.0, f_mhz=690.0)]))
    sections = {"registers": [path]}
    context = context_with(tmp_path, repository, mobile=sections, ppdr=sections)
    device = context.config.devices[0]
    first, second = (prepare(name, context, device, 48) for name in ("mobile", "ppdr"))
    assert first is not None
    assert second is not None
    both = first(*whole()).eirp_dbm, second(*whole()).eirp_dbm
    assert both[0] - both[1] == pytest.approx(np.full_like(both[0], 4.0), abs=1e-9)


def test_service_without_its_section_is_not_evaluated(tmp_path: Path, repository: Path) -> None:
    context = make_context(tmp_path, repository)
    device = context.config.devices[0]
    empty = replace(context, config=context.config.model_copy(update={"incumbents": None}))
    for name in ("mobile", "ppdr", "fixed", "radio_astronomy"):
        assert prepare(name, empty, device, 38) is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("gain_dbi", ""),
        ("noise_figure_db", ""),
        ("pattern", "1;2;3"),
        ("coastal", "maybe"),
        ("acs_db", ""),
        ("f_mhz", "nan"),
        ("lat", "91"),
    ],
)
def test_receiver_without_a_number_is_refused(
    tmp_path: Path, repository: Path, field: str, value: object
) -> None:
    path = write_csv(tmp_path / "bases.csv", [receiver_row(505_000.0, 104_000.0, **{field: value})])
    context = context_with(tmp_path, repository, fixed={"registers": [str(path)]})
    with pytest.raises(InputError, match=rf"bases.csv, row 2, field {field}"):
        prepare("fixed", context, context.config.devices[0], 48)


# --- fixed links --------------------------------------------------------------------------------------------


def test_fixed_link_is_the_formula_of_f1565(tmp_path: Path, repository: Path) -> None:
    # 1 MHz, NF 5: I_max -159 dBW; the link looks east, devices behind it meet the back lobe of F.699.
    row = receiver_row(
        505_250.0, 104_250.0, f_mhz=690.0, bandwidth_mhz=1.0, gain_dbi=20, azimuth_deg=90.0, pattern="F.699"
    )
    path = write_csv(tmp_path / "links.csv", [row])
    context = context_with(
        tmp_path,
        repository,
        fixed={"registers": [str(path)], "model": "free_space", "effective_devices": 4.0},
    )
    device = context.config.devices[0]
    limit = prepare("fixed", context, device, 48)
    assert limit is not None
    found = limit(*whole())
    budget = -159 + 30 + 3 - 10 * math.log10(4) + 10 * math.log10(8)
    own_pixel = budget - 20 + free_space_db(20, 0, 690)
    assert found.eirp_dbm[11, 10] == pytest.approx(own_pixel, abs=0.01)
    # The pixel's edge five pixels west: 5000 m - 250 m in the grid, whose scale is below one.
    west = budget - (-5.075) + free_space_db(4750, 0, 690)
    assert found.eirp_dbm[11, 0] == pytest.approx(west, abs=0.02)
    east = budget - 20 + free_space_db(4750, 0, 690)
    assert found.eirp_dbm[11, 20] == pytest.approx(east, abs=0.02)
    assert (found.label == service_code("fixed")).all()
    for place in ((11, 0), (0, 17), (11, 10)):
        told = explain("fixed", context, device, 48, *place)
        assert told is not None
        assert sum(term.value_db for term in told.terms) == pytest.approx(found.eirp_dbm[place], abs=1e-9)


# --- radio astronomy ----------------------------------------------------------------------------------------


def telescope(folder: Path, **changes: object) -> str:
    lon, lat = lonlat_deg(505_250.0, 104_250.0)
    row = {
        "id": "T",
        "lon": lon,
        "lat": lat,
        "criterion": "continuum_611",
        "antenna_height_m": 25.0,
        "acs_db": "",
        "coastal": "no",
    }
    return str(write_csv(folder / "telescopes.csv", [row | changes]))


def test_channel_38_at_a_telescope_needs_the_loss_of_ra_769(tmp_path: Path, repository: Path) -> None:
    context = context_with(tmp_path, repository, radio_astronomy={"stations": telescope(tmp_path)})
    device = context.config.devices[0]
    limit = prepare("radio_astronomy", context, device, 38)
    assert limit is not None
    found = limit(*whole())
    # -202.18 dBW in 6 MHz at 0 dBi, six of eight MHz overlap, 20 m and 5 m of rise.
    wanted = -172.18 + 10 * math.log10(8 / 6) + free_space_db(20, 5, 611)
    assert found.eirp_dbm[11, 10] == pytest.approx(wanted, abs=0.01)
    assert (found.label == service_code("radio_astronomy")).all()
    assert found.eirp_dbm.max() < 0.0  # 208 dB of loss for 36 dBm: nowhere within 12 km


@pytest.mark.parametrize(("channel", "aflr_db"), [(37, 74.0), (39, 74.0), (36, 79.0), (45, 84.0)])
def test_adjacent_channels_reach_a_telescope_by_leakage(
    tmp_path: Path, repository: Path, channel: int, aflr_db: float
) -> None:
    context = context_with(
        tmp_path,
        repository,
        radio_astronomy={"stations": telescope(tmp_path)},
        leakage_floor_dbm_per_100khz=NO_FLOOR,
        leakage_floor=[],
    )
    limit = prepare("radio_astronomy", context, context.config.devices[0], channel)
    assert limit is not None
    wanted = -172.18 + aflr_db - 10 * math.log10(60) + free_space_db(20, 5, 611)
    assert limit(*whole()).eirp_dbm[11, 10] == pytest.approx(wanted, abs=0.01)


@pytest.mark.parametrize(
    ("criterion", "stricter_db"), [("interferometer_611", -253 + 236), ("vlbi_611", -253 + 211)]
)
def test_other_observations_tolerate_what_their_flux_says(
    tmp_path: Path, repository: Path, criterion: str, stricter_db: float
) -> None:
    limits = []
    for name in ("continuum_611", criterion):
        stations = telescope(tmp_path, criterion=name)
        context = context_with(tmp_path, repository, radio_astronomy={"stations": stations})
        limit = prepare("radio_astronomy", context, context.config.devices[0], 38)
        assert limit is not None
        limits.append(limit(slice(11, 12), slice(10, 11)).eirp_dbm[0, 0])
    # The table prints -253 for the continuum, its formula gives -252.8.
    assert limits[0] - limits[1] == pytest.approx(stricter_db, abs=0.25)


def test_limit_below_0_dbm_can_be_an_exclusion(tmp_path: Path, repository: Path) -> None:
    section = {"stations": telescope(tmp_path), "exclude_below_dbm": 0.0}
    context = context_with(tmp_path, repository, radio_astronomy=section)
    limit = prepare("radio_astronomy", context, context.config.devices[0], 38)
    assert limit is not None
    assert np.isneginf(limit(*whole()).eirp_dbm).all()
    assert GRID.height == 24


def test_criterion_without_numbers_is_not_evaluated(tmp_path: Path, repository: Path) -> None:
    table = tmp_path / "criteria.csv"
    table.write_text(
        "criterion,low_mhz,high_mhz,bandwidth_mhz,antenna_k,receiver_k,integration_s,fraction,flux_dbw_m2_hz,"
        "source,verified\nlines,608,614,6,20,60,,0.1,,made up,false\n"
    )
    section = {"stations": telescope(tmp_path, criterion="lines"), "criteria": str(table)}
    context = context_with(tmp_path, repository, radio_astronomy=section)
    assert prepare("radio_astronomy", context, context.config.devices[0], 38) is None
    section = {"stations": telescope(tmp_path, criterion="pulsars"), "criteria": str(table)}
    context = context_with(tmp_path, repository, radio_astronomy=section)
    with pytest.raises(InputError, match="criterion"):
        prepare("radio_astronomy", context, context.config.devices[0], 38)
