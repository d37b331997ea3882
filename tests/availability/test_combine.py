"""The published maximum e.i.r.p.: minimum over services, codes, rounding to the protected side."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from rasterio.transform import from_origin

from pipeline.availability.combine import combine, max_eirp_centi_dbm, tags_of_channel
from pipeline.quantise import NOT_EVALUATED, NOT_PERMITTED
from pipeline.services.base import ServiceLimit
from tests.rasters import write_raster
from tests.services.service_scene import make_context

HERE = np.array([[True]])


def _limit(value: float, label: int, *, evaluated: bool = True) -> ServiceLimit:
    label_array = np.array([[label]], np.uint8)
    return ServiceLimit(np.array([[value]], dtype=np.float32), label_array, np.array([[not evaluated]]))


def _one(
    limits: list[tuple[float, int]], *, evaluated: bool = True, inside: bool = True
) -> tuple[int, int, int]:
    published = combine(
        [(1 << label, _limit(value, label, evaluated=evaluated)) for value, label in limits],
        np.array([[inside]]),
        cap_dbm=36.0,
        settled_flags=1 << 9,
    )
    return tuple(int(layer[0, 0]) for layer in published)


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ([(10.0, 1)], (1000, 1)),
        ([(10.0, 1), (9.5, 2)], (950, 2)),
        ([(10.0, 1), (10.0, 2)], (1000, 1)),  # a tie names the first service
        ([(50.0, 1)], (3600, 9)),
        ([(36.0, 1)], (3600, 1)),  # as strict as the cap: the service is named
        ([(50.0, 1), (36.0, 2)], (3600, 2)),
        ([(np.inf, 1)], (3600, 9)),
        ([], (3600, 9)),
        ([(-99.0, 1)], (-9900, 1)),
        ([(-np.inf, 2)], (NOT_PERMITTED, 2)),
    ],
)
def test_combine_takes_the_strictest_limit(
    limits: list[tuple[float, int]], expected: tuple[int, int]
) -> None:
    assert _one(limits)[:2] == expected


def test_combine_rounds_down_on_both_sides_of_zero() -> None:
    assert _one([(12.3456, 1)])[0] == 1234
    assert _one([(-12.3456, 1)])[0] == -1235


def test_not_evaluated_wins_over_not_permitted() -> None:
    assert _one([(-100.0, 1)], evaluated=False)[:2] == (NOT_EVALUATED, 14)


def test_outside_is_nodata_in_every_layer() -> None:
    assert _one([(10.0, 1)], inside=False) == (-32768, 255, 4294967295)


def test_service_without_function_is_not_evaluated_and_its_bit_unset() -> None:
    limits = [(1 << 1, _limit(10.0, 1)), (1 << 2, None)]
    raw, label, flags = combine(limits, HERE, cap_dbm=36.0, settled_flags=1 << 9)
    assert (raw[0, 0], label[0, 0], flags[0, 0]) == (NOT_EVALUATED, 14, 1 << 1 | 1 << 9)


def test_bit_is_unset_only_where_the_service_has_no_numbers() -> None:
    places = np.array([[True, True]])
    part = ServiceLimit(np.array([[10.0, 10.0]]), np.array([[2, 2]], np.uint8), np.array([[False, True]]))
    raw, _, flags = combine([(1 << 2, part)], places, cap_dbm=36.0, settled_flags=1 << 9)
    assert raw.tolist() == [[1000, NOT_EVALUATED]]
    assert flags.tolist() == [[1 << 2 | 1 << 9, 1 << 9]]


@pytest.mark.parametrize(
    ("limit", "least_dbm", "expected"),
    [
        (2415, 24.15, 2415),
        (2414, 24.15, NOT_PERMITTED),
        (2414, 24.141, NOT_PERMITTED),  # a limit was rounded down: 24.14 may be less than 24.141
        (-9900, 24.15, NOT_PERMITTED),
        (-1, 0.0, NOT_PERMITTED),
        (0, 0.0, 0),
        (-4000, -40.0, -4000),
        (NOT_PERMITTED, -99.0, NOT_PERMITTED),
        (NOT_EVALUATED, 24.15, NOT_EVALUATED),
        (-32768, 24.15, -32768),
    ],
)
def test_limit_below_the_least_eirp_is_not_permitted(limit: int, least_dbm: float, expected: int) -> None:
    found = max_eirp_centi_dbm(np.array([[limit]], dtype=np.int16), least_dbm)
    assert (found.dtype, int(found[0, 0])) == (np.int16, expected)


@pytest.mark.parametrize("path", ["homogeneous", "smaller", "p1812"])
def test_hash_of_a_layer_holds_the_terrain_that_its_paths_lead_over(
    tmp_path: Path, repository: Path, path: str
) -> None:
    place, height_m = from_origin(14.0, 47.0, 0.01, 0.01), np.full((20, 20), 300.0, np.float32)
    dem = write_raster(tmp_path / "dem.tif", height_m, place)
    terrain = {"dem": [str(dem)]}
    context = make_context(tmp_path, repository, terrain=terrain, protection={"device_path": path})

    def found() -> str:
        config = context.config
        return tags_of_channel(config, context.build, config.devices[0], 39, (), basis="the same")["hash"]

    before = found()
    assert found() == before
    height_m[3, 4] += 1.0
    write_raster(dem, height_m, place)
    assert (found() == before) == (path == "homogeneous")
