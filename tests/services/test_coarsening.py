"""Places of protected stations by blocks: what the public layers tell, and that they only ever fall."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from service_scene import lonlat_deg, make_context, whole, write_csv

from pipeline.availability.combine import Combined, combine
from pipeline.grid.grid import Grid
from pipeline.radio.emission import device_cap_dbm
from pipeline.services import coarsening
from pipeline.services.base import ServiceContext
from pipeline.services.evaluated import explain_service, limits_on, prepare_services, settled_flags
from pipeline.services.table import code_names, service_row

GRID = Grid("EPSG:3794", 100.0, 500_000.0, 110_000.0, 80, 80)
BLOCK_M = 1000.0
# In the block 503 to 504 km east, 105 to 106 km north: corners, middle, and places between pixels.
IN_ONE_BLOCK = [
    (503_001.0, 105_001.0),
    (503_999.0, 105_999.0),
    (503_012.0, 105_950.0),
    (503_930.0, 105_033.0),
    (503_500.0, 105_500.0),
    (503_377.0, 105_641.0),
]
NEXT_BLOCK = (504_040.0, 105_500.0)
CHANNEL = 30
OUT = {
    name: {"status": "out_of_scope", "reason": "test"}
    for name in ("dtt", "foreign_dtt", "pmse", "radio_astronomy", "aeronautical", "mobile", "ppdr", "fixed")
}
RADIO = {
    "f_mhz": 546.0,
    "bandwidth_mhz": 4.5,
    "noise_figure_db": 5,
    "feeder_db": 1,
    "antenna_height_m": 20,
    "coastal": "no",
}
PATTERN = ";".join(str(min(25.0, 0.02 * min(k, 36 - k) ** 2 * 5)) for k in range(36))
KINDS = ("mobile", "fixed", "pmse", "aeronautical")


def context_of(
    folder: Path, repository: Path, kind: str, place_m: tuple[float, float], **publish: object
) -> ServiceContext:
    """One station at projected metres, of a service or (fixed) with a directional antenna."""
    folder.mkdir(parents=True, exist_ok=True)
    lon, lat = lonlat_deg(*place_m, grid=GRID)
    place = {"id": "S", "lon": repr(lon), "lat": repr(lat)}
    sections: dict[str, object] = {"incumbents": {}, "pmse": {}, "areas": {}}
    if kind == "mobile":
        row = place | RADIO | {"gain_dbi": 0, "acs_db": 60, "azimuth_deg": "", "pattern": ""}
        sections["incumbents"] = {
            kind: {"registers": [str(write_csv(folder / "r.csv", [row]))], "model": "free_space"}
        }
    elif kind == "fixed":
        row = place | RADIO | {"gain_dbi": 20, "acs_db": 80, "azimuth_deg": 57.0, "pattern": PATTERN}
        sections["incumbents"] = {kind: {"registers": [str(write_csv(folder / "r.csv", [row]))]}}
    elif kind == "aeronautical":
        row = place | {"code": "", "country": "BY"}
        sections["incumbents"] = {kind: {"stations": str(write_csv(folder / "r.csv", [row]))}}
    else:
        row = place | {
            "kind": "wireless_microphone",
            "situation": "outdoor",
            "antenna_height_agl_m": 1.5,
            "freq_mhz": 546.0,
            "bandwidth_mhz": 0.2,
            "start": "",
            "finish": "",
        }
        sections["pmse"] = {"registers": [str(write_csv(folder / "r.csv", [row]))]}
    services = OUT | {kind: {"status": "evaluate"}}
    return make_context(folder, repository, grid=GRID, services=services, publish=publish, **sections)


def published(context: ServiceContext, channel: int = CHANNEL) -> Combined:
    """The three layers of the first device."""
    device = context.config.devices[0]
    return combine(
        limits_on(prepare_services(context, device, channel), *whole(GRID)),
        np.ones(GRID.shape, np.bool_),
        cap_dbm=device_cap_dbm(device),
        settled_flags=settled_flags(context.config, device),
    )


def found_place_m(layers: Combined) -> tuple[float, float]:
    """Where a reader of the public layers would look for the station: the middle of the lowest pixels."""
    raw = layers.limit_centi_dbm
    row, col = np.nonzero(raw == raw.min())
    return GRID.west_m + (col.mean() + 0.5) * 100.0, GRID.north_m - (row.mean() + 0.5) * 100.0


def away_m(one: tuple[float, float], other: tuple[float, float]) -> float:
    return math.hypot(one[0] - other[0], one[1] - other[1])


@pytest.mark.parametrize("kind", ["mobile", "pmse"])
def test_full_layers_give_a_station_away_within_100_m(tmp_path: Path, repository: Path, kind: str) -> None:
    for number, place_m in enumerate(IN_ONE_BLOCK):
        layers = published(context_of(tmp_path / str(number), repository, kind, place_m))
        assert away_m(found_place_m(layers), place_m) < 100.0
        assert (layers.limiting_service != service_row("device_cap").code).sum() > 0


@pytest.mark.parametrize("kind", KINDS)
def test_all_stations_of_a_block_have_one_map(tmp_path: Path, repository: Path, kind: str) -> None:
    """Whatever a reader does with the layers, he cannot tell them apart: the block is all there is."""
    channel = 45 if kind == "aeronautical" else CHANNEL
    maps = [
        published(
            context_of(
                tmp_path / str(number),
                repository,
                kind,
                place_m,
                coarsen_m=BLOCK_M,
                limiting_service="grouped",
            ),
            channel,
        )
        for number, place_m in enumerate([*IN_ONE_BLOCK, NEXT_BLOCK])
    ]
    *same, other = maps
    for layers in same[1:]:
        for one, first in zip(layers, same[0], strict=True):
            np.testing.assert_array_equal(one, first)
    assert (other.limit_centi_dbm != same[0].limit_centi_dbm).any() or kind == "aeronautical"
    estimate_m = found_place_m(same[0])
    assert max(away_m(estimate_m, place_m) for place_m in IN_ONE_BLOCK) >= 0.5 * BLOCK_M
    names = {code_names(grouped=True)[code] for code in np.unique(same[0].limiting_service).tolist()}
    assert names <= {"protected_station", "device_cap"}


@pytest.mark.parametrize("kind", KINDS)
def test_limits_only_fall(tmp_path: Path, repository: Path, kind: str) -> None:
    channel = 45 if kind == "aeronautical" else CHANNEL
    for number, place_m in enumerate(IN_ONE_BLOCK):
        own = published(context_of(tmp_path / f"{number}a", repository, kind, place_m), channel)
        coarse = published(
            context_of(tmp_path / f"{number}b", repository, kind, place_m, coarsen_m=BLOCK_M), channel
        )
        assert (coarse.limit_centi_dbm <= own.limit_centi_dbm).all()
        assert (coarse.eval_flags == own.eval_flags).all()


def test_limit_is_the_lowest_over_the_places_in_the_block(tmp_path: Path, repository: Path) -> None:
    """Against the definition: stations all over the block, each at its place, and 300 m around it."""
    coarse = published(
        context_of(tmp_path / "c", repository, "mobile", IN_ONE_BLOCK[0], coarsen_m=BLOCK_M)
    ).limit_centi_dbm

    def lowest(beyond_m: float, steps: int) -> np.ndarray:
        offsets = np.linspace(1.0 - beyond_m, BLOCK_M - 1.0 + beyond_m, steps)
        found = [
            published(
                context_of(
                    tmp_path / f"{beyond_m}{east}{north}", repository, "mobile", (503e3 + east, 105e3 + north)
                )
            ).limit_centi_dbm
            for east in offsets
            for north in offsets
        ]
        return np.minimum.reduce(found)

    assert (coarse <= lowest(0.0, 6)).all()
    x_m, y_m = (axis.ravel() for axis in GRID.centres_m())
    dx_m = np.maximum(0.0, np.maximum(503e3 - x_m, x_m - 504e3))
    dy_m = np.maximum(0.0, np.maximum(105e3 - y_m, y_m - 106e3))
    outside = np.hypot(dx_m[np.newaxis, :], dy_m[:, np.newaxis]) > 600.0
    assert (coarse >= lowest(300.0, 5))[outside].all()


@pytest.mark.parametrize("kind", ["mobile", "fixed", "pmse"])
def test_explanation_adds_up_and_names_the_coarsening(tmp_path: Path, repository: Path, kind: str) -> None:
    context = context_of(tmp_path, repository, kind, IN_ONE_BLOCK[3], coarsen_m=BLOCK_M)
    device, row = context.config.devices[0], service_row(kind)
    (limit,) = [one.limit for one in prepare_services(context, device, CHANNEL) if one.service == row]
    exact = replace(
        context, config=context.config.model_copy(update={"publish": type(context.config.publish)()})
    )
    (own,) = [one.limit for one in prepare_services(exact, device, CHANNEL) if one.service == row]
    found, before = limit(*whole(GRID)).eirp_dbm, own(*whole(GRID)).eirp_dbm
    fell = np.argwhere(np.isfinite(found) & (found < before))
    assert len(fell) > 50
    beyond = np.argwhere(np.isfinite(found) & np.isinf(before))
    assert (len(beyond) > 0) == (kind == "pmse")
    for pixel in [*fell[:: len(fell) // 12].tolist(), *beyond[:3].tolist()]:
        place = (pixel[0], pixel[1])
        budget = explain_service(row, context, device, CHANNEL, place, float(found[place]))
        assert sum(term.value_db for term in budget.terms) == pytest.approx(found[place], abs=1e-9)
        assert budget.terms[-1].name == "coarsening"
        step_db = 0.0 if math.isinf(before[place]) else found[place] - before[place]
        assert budget.terms[-1].value_db == pytest.approx(step_db, abs=1e-9)
        assert budget.label == row.code


def test_block_size_changes_nothing_for_any_division(tmp_path: Path, repository: Path) -> None:
    """The same numbers for any block of pixels, also at the edges of the grid."""
    context = context_of(tmp_path, repository, "mobile", (500_020.0, 109_990.0), coarsen_m=700.0)
    device = context.config.devices[0]
    (limit,) = [s.limit for s in prepare_services(context, device, CHANNEL) if s.service.name == "mobile"]
    at_once = limit(*whole(GRID)).eirp_dbm
    parts = [
        [limit(slice(r, r + 40), slice(c, c + 16)).eirp_dbm for c in range(0, 80, 16)]
        for r in range(0, 80, 40)
    ]
    np.testing.assert_allclose(np.block(parts), at_once, rtol=0.0, atol=1e-12)


def test_land_of_whole_countries_is_not_coarsened(tmp_path: Path, repository: Path) -> None:
    context = make_context(
        tmp_path,
        repository,
        grid=GRID,
        services=OUT | {"aeronautical": {"status": "evaluate"}},
        incumbents={"aeronautical": {}},
        pmse={},
        areas={},
        publish={"coarsen_m": BLOCK_M},
    )
    assert not coarsening.is_coarsened(service_row("aeronautical"), context.config)
    assert coarsening.disclosure(context.config) == ""


@pytest.mark.parametrize(
    ("publish", "said"),
    [
        ({}, "about 100 m (publish.coarsen_m: 0) and its service (publish.limiting_service: full): mobile"),
        ({"limiting_service": "internal"}, "each receiver within about 100 m (publish.coarsen_m: 0): mobile"),
        ({"coarsen_m": 2000}, "the block of 2000 m of each receiver and its service"),
        ({"coarsen_m": 2000, "limiting_service": "grouped"}, "the block of 2000 m of each receiver: mobile"),
    ],
)
def test_notice_says_what_is_disclosed(
    tmp_path: Path, repository: Path, publish: dict[str, object], said: str
) -> None:
    context = context_of(tmp_path, repository, "mobile", IN_ONE_BLOCK[0], **publish)
    told = coarsening.disclosure(context.config)
    assert said in told
    assert "\n" not in told
