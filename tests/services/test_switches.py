"""Whatever the switches say: no published "available" where a service that is needed was not evaluated."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from service_scene import lonlat_deg, make_context, write_csv

from pipeline.availability.classes import Availability, availability_class
from pipeline.availability.combine import combine
from pipeline.grid.grid import Grid
from pipeline.quantise import NOT_EVALUATED
from pipeline.radio.emission import device_cap_dbm
from pipeline.services.evaluated import limits_on, prepare_services, settled_flags
from pipeline.services.table import service_names, service_row

GRID = Grid("EPSG:3794", 2000.0, 500_000.0, 110_000.0, 6, 6)
CHANNELS = (30, 38, 45)
STATES = ("evaluate", "out_of_scope", "absent")
NEEDED = ("radio_astronomy", "aeronautical", "mobile", "ppdr", "fixed")
WITHOUT_SECTION = ("pmse", "in_band", "custom")
LACKS = ("nothing", "section", "numbers")


def files(folder: Path) -> dict[str, dict[str, object]]:
    """Sections by service with all their numbers."""
    lon, lat = lonlat_deg(506_500.0, 104_500.0)
    radio = {
        "id": "R",
        "lon": lon,
        "lat": lat,
        "f_mhz": 792.0,
        "bandwidth_mhz": 1,
        "noise_figure_db": 5,
        "gain_dbi": 8,
        "feeder_db": 1,
        "antenna_height_m": 20,
        "acs_db": 50,
        "azimuth_deg": "",
        "pattern": "",
        "coastal": "no",
    }
    receivers = {"registers": [str(write_csv(folder / "receivers.csv", [radio]))]}
    telescope = {
        "id": "T",
        "lon": lon,
        "lat": lat,
        "criterion": "known",
        "antenna_height_m": 25,
        "acs_db": "",
        "coastal": "no",
    }
    stations = {"stations": str(write_csv(folder / "telescopes.csv", [telescope]))}
    columns = (
        "criterion,low_mhz,high_mhz,bandwidth_mhz,antenna_k,receiver_k,integration_s,fraction,"
        "flux_dbw_m2_hz,source,verified"
    )
    for name, integration in (("full", "2000"), ("empty", "")):
        row = f"known,608,614,6,20,60,{integration},0.1,,made up,false"
        (folder / f"criteria_{name}.csv").write_text(f"{columns}\n{row}\n")
    arns = write_csv(
        folder / "arns.csv", [{"id": "A", "lon": lon, "lat": lat, "code": "AA8", "country": "UA"}]
    )
    return {
        "radio_astronomy": stations | {"criteria": str(folder / "criteria_full.csv")},
        "aeronautical": {"stations": str(arns)},
        "mobile": receivers,
        "ppdr": receivers,
        "fixed": receivers,
    }


def without_numbers(name: str, section: dict[str, object], folder: Path) -> dict[str, object] | None:
    """The section of a service whose numbers are missing: in its table, or altogether."""
    if name == "radio_astronomy":
        return section | {"criteria": str(folder / "criteria_empty.csv")}
    return section | {"mode": "field_trigger"} if name == "aeronautical" else None


def service_entry(state: str) -> dict[str, object]:
    if state == "absent":
        return {"applicable": False, "reason": "test"}
    return {"status": state, "reason": "test"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("switches")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    states=st.fixed_dictionaries({name: st.sampled_from(STATES) for name in service_names()}),
    lacks=st.fixed_dictionaries({name: st.sampled_from(LACKS) for name in NEEDED}),
    channel=st.sampled_from(CHANNELS),
    closed=st.booleans(),
)
def test_nothing_is_available_where_a_needed_service_was_not_evaluated(
    folder: Path, repository: Path, states: dict[str, str], lacks: dict[str, str], channel: int, closed: bool
) -> None:
    # The maps of DTT are no part of this test.
    states = states | {"dtt": "out_of_scope", "foreign_dtt": "out_of_scope"}
    whole = files(folder)
    sections = {name: whole[name] for name in NEEDED if lacks[name] == "nothing"}
    for name in NEEDED:
        bare = without_numbers(name, whole[name], folder) if lacks[name] == "numbers" else None
        sections |= {name: bare} if bare else {}
    shutil.rmtree(folder / "territory", ignore_errors=True)
    context = make_context(
        folder,
        repository,
        grid=GRID,
        incumbents=sections,
        pmse={},
        services={name: service_entry(state) for name, state in states.items()},
        areas={"reserved": [{"channels": [38], "reason": "test"}]} if closed else {},
    )
    device = context.config.devices[0]
    rows = cols = slice(0, GRID.height)
    limits = limits_on(prepare_services(context, device, channel), rows, cols)
    published = combine(
        limits,
        np.ones((GRID.height, GRID.width), np.bool_),
        cap_dbm=device_cap_dbm(device),
        settled_flags=settled_flags(context.config, device),
    )
    available = np.zeros_like(published.eval_flags, dtype=bool)
    for level_dbm in (-40.0, 0.0, 20.0, 36.0):
        classes = availability_class(published.limit_centi_dbm, level_dbm)
        available |= classes == Availability.AVAILABLE
    open_somewhere = False
    for name, state in states.items():
        bit = published.eval_flags >> service_row(name).flag & 1  # type: ignore[operator]
        if state == "evaluate":
            assert not (available & (bit == 0)).any(), name
            lack = "section" if name in WITHOUT_SECTION else lacks[name]
            missing = lack == "section" or (lack == "numbers" and name != "aeronautical")
            # Radionavigation has no place below 645 MHz, and its stations reach all of this grid above.
            missing |= name == "aeronautical" and lack == "numbers" and channel == 45
            assert (bit == (0 if missing else 1)).all(), name
            open_somewhere |= missing
        else:
            assert (bit == (state == "absent")).all(), name
    unknown = published.limit_centi_dbm == NOT_EVALUATED
    assert unknown.all() if open_somewhere else not unknown.any()
    assert not available.any() or not (closed and channel == 38)
