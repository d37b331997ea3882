"""Services of the territory file alone: each kind of criterion against a budget worked by hand, and areas."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import yaml
from service_scene import GRID, lonlat_deg, make_context, whole, write_csv

from pipeline.errors import InputError
from pipeline.services.base import ServiceContext
from pipeline.services.table import service_code
from tests.asking import explain, layers_of, prepare

F_MHZ, WIDTH_MHZ, GAIN_DBI, FEEDER_DB = 694.0, 2.0, 12.0, 3.0
NO_FLOOR = {"value": -150.0, "source": "made up", "verified": False}
RADIO = {"f_mhz": F_MHZ, "bandwidth_mhz": WIDTH_MHZ, "noise_figure_db": 5.0, "gain_dbi": GAIN_DBI}
RADIO |= {"feeder_db": FEEDER_DB, "antenna_height_m": 30.0, "acs_db": 60.0}
NOISE_DBM = -173.975 + 10 * math.log10(WIDTH_MHZ * 1e6) + 5.0
PLACE_M = 505_250.0, 104_250.0


def sourced(value: float) -> dict[str, object]:
    return {"value": value, "source": "made up", "verified": False}


def free_space_db(d_m: float, rise_m: float = 0.0) -> float:
    return 32.4 + 20 * math.log10(F_MHZ) + 20 * math.log10(math.hypot(d_m, rise_m) / 1000)


def context_of(folder: Path, repository: Path, *entries: dict[str, object], **services) -> ServiceContext:
    known = yaml.safe_load((repository / "configs/slovenia.yaml").read_text(encoding="utf-8"))["services"]
    incumbents = {"custom": list(entries), "leakage_floor_dbm_per_100khz": NO_FLOOR, "leakage_floor": []}
    chosen = {name: {"status": "out_of_scope", "reason": "not of this test"} for name in known}
    chosen |= {"custom": {"status": "evaluate"}} | services
    return make_context(folder, repository, incumbents=incumbents, services=chosen)


def entry(folder: Path, name: str = "telemetry", **criterion: object) -> dict[str, object]:
    lon, lat = lonlat_deg(*PLACE_M)
    row = {"id": "R", "lon": lon, "lat": lat, **RADIO, "azimuth_deg": "", "pattern": "", "coastal": "no"}
    path = write_csv(folder / f"{name}.csv", [row])
    return {"id": name, "name": "a made-up service", "registers": [str(path)], "criterion": criterion}


def area_entry(folder: Path, polygon: str, **criterion: object) -> dict[str, object]:
    path = write_csv(folder / "areas.csv", [{"id": "A", **RADIO, "wkt": polygon}])
    return {"id": "meters", "name": "meters anywhere", "areas": [str(path)], "criterion": criterion}


def square_wkt(first: tuple[int, int], last: tuple[int, int]) -> str:
    """Pixels (row, col) from the first to the last, a metre within their outer edges."""
    west, north = GRID.west_m + 500 * first[1] + 1, GRID.north_m - 500 * first[0] - 1
    east, south = GRID.west_m + 500 * (last[1] + 1) - 1, GRID.north_m - 500 * (last[0] + 1) + 1
    ring = [(west, north), (east, north), (east, south), (west, south), (west, north)]
    return f"POLYGON(({', '.join('{:.9f} {:.9f}'.format(*lonlat_deg(*point)) for point in ring)}))"


# I_max at the antenna output less the gain: the antenna cancels where it looks at the device with all of it.
# E - 77.216 - 20 log f; S + 30 + 10 log(lambda^2 / 4 pi). Power and noise are at the receiver's input.
AT_INPUT = FEEDER_DB - GAIN_DBI
WAVE_M = 299.792458 / F_MHZ
CASES = [
    ({"i_n_db": sourced(-6.0)}, NOISE_DBM - 6.0 + AT_INPUT),
    ({"power_dbm": sourced(-110.0)}, -110.0 + AT_INPUT),
    ({"power_dbm": sourced(-110.0), "bandwidth_mhz": 1.0}, -110.0 + 3.0103 + AT_INPUT),
    ({"field_dbuvm": sourced(20.0)}, 20.0 - 77.216 - 20 * math.log10(F_MHZ)),
    ({"pfd_dbw_m2": sourced(-125.0)}, -125.0 + 30.0 + 10 * math.log10(WAVE_M**2 / (4 * math.pi))),
    (
        {"field_dbuvm": sourced(20.0), "aggregate": True, "effective_devices": 4.0},
        20.0 - 6.0206 - 77.216 - 20 * math.log10(F_MHZ),
    ),
]


@pytest.mark.parametrize(("criterion", "permissible_dbm"), CASES)
def test_receiver_beside_the_device_is_the_hand_budget(tmp_path, repository, criterion, permissible_dbm):
    """20 m apart at one height; of the receiver's 693 to 695 MHz one is in channel 48, 686 to 694 MHz."""
    context = context_of(tmp_path, repository, entry(tmp_path, **criterion))
    device = context.config.devices[0]
    found = prepare("custom", context, device, 48)(*whole())
    assert device.bandwidth_mhz == 8.0
    overlap_db = 10 * math.log10(8.0 / 1.0)
    wanted_dbm = permissible_dbm + free_space_db(20.0) + overlap_db
    # What leaks beyond the edge and what the receiver lets through adds less than 0.1 dB.
    assert wanted_dbm - 0.1 <= found.eirp_dbm[11, 10] <= wanted_dbm + 0.01
    assert found.label[11, 10] == service_code("custom")
    budget = explain("custom", context, device, 48, 11, 10)
    assert sum(term.value_db for term in budget.terms) == pytest.approx(found.eirp_dbm[11, 10], abs=1e-6)
    assert (budget.victim["service"], budget.victim["id"]) == ("telemetry", "R")


def test_area_is_a_receiver_at_its_nearest_pixel(tmp_path, repository):
    """Free space from pixel square to square; within and beside the area the smallest separation."""
    polygon = square_wkt((4, 14), (9, 18))
    criterion = {"field_dbuvm": sourced(30.0)}
    one = area_entry(tmp_path, polygon, **criterion) | {"model": "free_space"}
    context = context_of(tmp_path, repository, one)
    device = context.config.devices[0]
    found = prepare("custom", context, device, 48)(*whole()).eirp_dbm
    point = prepare("custom", context_of(tmp_path, repository, entry(tmp_path, **criterion)), device, 48)
    beside_dbm = point(*whole()).eirp_dbm[11, 10] - free_space_db(20.0)
    km_per_px = 0.5 / GRID.largest_scale()
    for row, col in ((6, 2), (20, 3), (0, 13), (6, 16), (10, 19)):
        gaps = [max(4 - row, row - 9, 0), max(14 - col, col - 18, 0)]
        d_km = max(math.hypot(*(max(gap - 1, 0) for gap in gaps)) * km_per_px, 0.02)
        wanted_dbm = beside_dbm + free_space_db(1000 * d_km)
        assert found[row, col] == pytest.approx(wanted_dbm, abs=0.02)
        budget = explain("custom", context, device, 48, row, col)
        assert sum(term.value_db for term in budget.terms) == pytest.approx(found[row, col], abs=1e-6)


def test_smallest_limit_of_several_services_counts(tmp_path, repository):
    weak, strong = (
        entry(tmp_path, name, field_dbuvm=sourced(e)) for name, e in (("weak", 40.0), ("strong", 20.0))
    )
    context = context_of(tmp_path, repository, weak, strong)
    device = context.config.devices[0]
    both = prepare("custom", context, device, 48)(*whole()).eirp_dbm
    alone = prepare("custom", context_of(tmp_path, repository, strong), device, 48)(*whole()).eirp_dbm
    np.testing.assert_array_equal(both, alone)
    assert explain("custom", context, device, 48, 11, 10).victim["service"] == "strong"


def test_layers_tell_that_it_was_evaluated(tmp_path, repository):
    """Bit 16; without its section nothing is evaluated; a territory that does not name it leaves the bit."""
    surface = np.full(GRID.shape, 1, np.uint8)
    context = context_of(tmp_path, repository, entry(tmp_path, field_dbuvm=sourced(20.0)))
    device = context.config.devices[0]
    layers = layers_of(context, device, 48, surface)
    assert (layers.eval_flags >> 16 & 1 == 1).all()
    assert layers.max_eirp.min() == -9999
    sections = {"incumbents": {"leakage_floor": []}}
    without = make_context(
        tmp_path, repository, services=_services(context) | {"custom": {"status": "evaluate"}}, **sections
    )
    assert (layers_of(without, device, 48, surface).max_eirp == -9998).all()


def _services(context: ServiceContext) -> dict[str, object]:
    return {
        name: {"status": "out_of_scope", "reason": "not of this test"} for name in context.config.services
    }


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"criterion": {}}, "exactly one of"),
        ({"criterion": {"i_n_db": sourced(-6.0), "power_dbm": sourced(-100.0)}}, "exactly one of"),
        ({"criterion": {"i_n_db": sourced(-6.0), "aggregate": True}}, "effective_devices"),
        ({"criterion": {"i_n_db": sourced(-6.0), "bandwidth_mhz": 1.0}}, "bandwidth_mhz goes with"),
        ({"registers": []}, "registers"),
    ],
)
def test_faulty_definition_is_refused(tmp_path, repository, changes, told):
    faulty = entry(tmp_path, i_n_db=sourced(-6.0)) | changes
    with pytest.raises(InputError, match=told):
        context_of(tmp_path, repository, faulty)
