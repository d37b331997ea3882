"""Allotments of neighbours: the limit of a receiver at their nearest edge, worked by hand and searched."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import shapely
from service_scene import GRID, lonlat_deg, make_context, whole

from pipeline.errors import InputError
from pipeline.grid import raster
from pipeline.propagation.p1546.curves import load_curves
from pipeline.propagation.p1546.pixel import p1546_pixel_field, prepare
from pipeline.services.area_distances import area_distances
from pipeline.services.base import ServiceContext
from pipeline.services.foreign_allotments import reference_reception
from pipeline.services.table import service_code
from tests import asking

CHANNEL, F_MHZ = 30, 546.0
HOME, FOREIGN = 1, 2
CURVES = load_curves()
# Permissible level of a receiver at 95 % of locations with noise alone, for an interferer of 5.5 dB: worked
# value of docs/method.md, section 5, to two decimals.
X_DB = -12.70


def feature(ring_m: list[tuple[float, float]], **properties: object) -> dict[str, object]:
    ring = [lonlat_deg(*point) for point in [*ring_m, ring_m[0]]]
    known = {"id": "A1", "channel": CHANNEL, "ref_plan_cfg": "RPC1", "polarisation": "H"}
    geometry = {"type": "Polygon", "coordinates": [ring]}
    return {"type": "Feature", "properties": known | properties, "geometry": geometry}


def block_m(rows: tuple[int, int], cols: tuple[int, int]) -> list[tuple[float, float]]:
    """Pixels from the first to the last row and column, a metre within their outer edges."""
    (west, north), (east, south) = (
        (GRID.west_m + 500.0 * cols[0] + 1.0, GRID.north_m - 500.0 * rows[0] - 1.0),
        (GRID.west_m + 500.0 * (cols[1] + 1) - 1.0, GRID.north_m - 500.0 * (rows[1] + 1) + 1.0),
    )
    return [(west, north), (east, north), (east, south), (west, south)]


def context_of(
    folder: Path, repository: Path, features: list[dict[str, object]], **neighbour: object
) -> ServiceContext:
    """Own land up to column 15; no land of which nothing is known."""
    path = folder / "allotments.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    surface = np.full(GRID.shape, HOME, np.uint8)
    surface[:, 16:] = FOREIGN
    neighbours = {"IT": {"allotments": str(path)} | neighbour, "*": {"unaffected": "test"}}
    context = make_context(folder, repository, surface=surface, neighbours=neighbours)
    layout = raster.layout_on(
        GRID, ["IT", "*"], dtype="float32", nodata=math.nan, units="km", long_name="distance"
    )
    values = np.full((2, *GRID.shape), np.inf, np.float32)
    raster.write_blocks(folder / "territory/neighbours.tif", layout, [(*whole(), values)], publish=False)
    return context


def loss_db(d_km: float, time_pct: float = 50.0, f_mhz: float = F_MHZ) -> float:
    """P.1546 over open land from 30 m to 10 m."""
    heights = (30.0, math.nan, 30.0, 10.0, 10.0, 0, 0.0, False, math.nan, math.nan, False)
    field_dbuvm = p1546_pixel_field(prepare(CURVES, f_mhz, time_pct), CURVES, d_km, *heights)
    return 139.3 - field_dbuvm + 20.0 * math.log10(f_mhz)


def test_limit_is_that_of_a_receiver_at_the_nearest_edge(tmp_path, repository):
    """E_ref of RPC1 is 56 dB(uV/m) at 650 MHz and falls with 20 log f; the ratio in the channel is C/N."""
    context = context_of(tmp_path, repository, [feature(block_m((5, 15), (18, 22)))])
    device = context.config.devices[0]
    limit = asking.prepare("foreign_dtt", context, device, CHANNEL)(*whole())
    ratio_db = limit_ratio_db(repository, device)
    noise_dbuvm = 56.0 + 20.0 * math.log10(F_MHZ / 650.0) - 1.645 * 5.5
    km_per_px = 0.5 / GRID.largest_scale()
    for col in (1, 8, 14):
        level_dbm = noise_dbuvm + X_DB - ratio_db - 77.216 - 20.0 * math.log10(F_MHZ)
        expected_dbm = level_dbm + loss_db((18 - col - 1) * km_per_px)
        assert limit.eirp_dbm[10, col] == pytest.approx(expected_dbm, abs=0.03)
        assert limit.label[10, col] == service_code("foreign_dtt")
        budget = asking.explain("foreign_dtt", context, device, CHANNEL, 10, col)
        assert sum(term.value_db for term in budget.terms) == pytest.approx(limit.eirp_dbm[10, col], abs=1e-6)
        assert (budget.victim["id"], budget.victim["configuration"]) == ("A1", "RPC1")
    assert not limit.not_evaluated.any()


def limit_ratio_db(repository: Path, device) -> float:
    """Ratio in the same channel: C/N of the default mode, as it stands in the table of modes."""
    modes = (repository / "configs/tables/modes.csv").read_text(encoding="utf-8").splitlines()
    columns = modes[0].split(",")
    row = next(line.split(",") for line in modes if line.startswith("DVB-T,64QAM 2/3,"))
    own = float(row[columns.index("c_n_db")])
    assert device.margin_db == 0.0
    return own


def test_distances_are_those_by_definition(repository, tmp_path):
    """Random triangles on and around the grid: all pixels that they touch against all pixels of the grid."""
    rng = np.random.default_rng(5)
    west, south, east, north = GRID.bounds_m
    boxes = [
        (row, col, shapely.box(*GRID.box_m(slice(row, row + 1), slice(col, col + 1))))
        for row in range(-30, GRID.height + 30)
        for col in range(-30, GRID.width + 30)
    ]
    tree = shapely.STRtree([box for _, _, box in boxes])
    for _ in range(12):
        corners = rng.uniform((west - 9000, south - 9000), (east + 9000, north + 9000), (3, 2))
        middle = corners.mean(axis=0)
        triangle = shapely.Polygon(middle + (corners - middle) * rng.uniform(0.1, 0.5))
        marked = [boxes[i][:2] for i in tree.query(triangle, predicate="intersects")]
        found = area_distances(GRID, [triangle], 15.0)
        distance_km = found.distance_km(*whole())
        rows, cols = np.array(marked).T
        scale = found.km_per_px
        for row, col in rng.integers(0, 24, (20, 2)):
            gaps = np.hypot(np.maximum(abs(rows - row) - 1, 0), np.maximum(abs(cols - col) - 1, 0))
            nearest_km = gaps.min() * scale
            if nearest_km <= 15.0:
                assert distance_km[row, col] == pytest.approx(nearest_km, rel=1e-6)
            else:
                assert distance_km[row, col] > 15.0


def test_windows_and_own_land_do_not_change_the_limit(tmp_path, repository):
    """An allotment that covers own land: its receivers there are not protected."""
    both = [feature(block_m((5, 15), (10, 22)))]
    abroad = [feature(block_m((5, 15), (16, 22)))]
    (tmp_path / "b").mkdir()
    first, second = (
        context_of(folder, repository, features)
        for folder, features in ((tmp_path, both), (tmp_path / "b", abroad))
    )
    device = first.config.devices[0]
    limits = [asking.prepare("foreign_dtt", one, device, CHANNEL) for one in (first, second)]
    values = limits[0](*whole()).eirp_dbm
    np.testing.assert_array_equal(values, limits[1](*whole()).eirp_dbm)
    part = slice(3, 9), slice(5, 17)
    np.testing.assert_array_equal(limits[0](*part).eirp_dbm, values[part])


def test_trigger_is_kept_at_the_points_of_the_contour(tmp_path, repository):
    """21 dB(uV/m) at 546 MHz and 1 % of time, at the corners only: the middle of an edge is farther off."""
    corners = block_m((5, 15), (18, 22))
    context = context_of(tmp_path, repository, [feature(corners)], allotment_rule="trigger")
    device = context.config.devices[0]
    limit = asking.prepare("foreign_dtt", context, device, CHANNEL)(*whole())
    km_per_px = 0.5 / GRID.largest_scale()
    level_dbm = 21.0 - 77.216 - 20.0 * math.log10(F_MHZ)
    for row, gap_rows in ((5, 0), (10, 4), (2, 2)):
        d_km = math.hypot(gap_rows, 18 - 9 - 1) * km_per_px
        assert limit.eirp_dbm[row, 9] == pytest.approx(level_dbm + loss_db(d_km, 1.0), abs=0.01)
    budget = asking.explain("foreign_dtt", context, device, CHANNEL, 10, 9)
    assert sum(term.value_db for term in budget.terms) == pytest.approx(limit.eirp_dbm[10, 9], abs=1e-9)
    assert asking.prepare("foreign_dtt", context, device, CHANNEL + 1)(*whole()).eirp_dbm.min() == np.inf


def test_adjacent_channel_is_limited_less_and_far_ones_not(tmp_path, repository):
    context = context_of(tmp_path, repository, [feature(block_m((5, 15), (18, 22)))])
    device = context.config.devices[0]
    own, beside, far = (
        asking.prepare("foreign_dtt", context, device, channel)(*whole()).eirp_dbm[10, 14]
        for channel in (CHANNEL, CHANNEL + 1, CHANNEL + 14)
    )
    assert own < beside < far


@pytest.mark.parametrize(
    ("configuration", "f_mhz", "field", "sigma"),
    [("RPC1", 200, 50, 5.5), ("RPC2", 650, 78, 5.5), ("RPC3", 650, 88, 7.8), ("RPC3", 200, 76, 6.3)],
)
def test_reference_fields_are_those_of_the_plan(configuration, f_mhz, field, sigma):
    """GE06, table A.3.5-1; RPC2 and RPC3 change with 30 log f."""
    found = reference_reception(configuration, f_mhz)
    assert found.field_dbuvm == field
    assert found.noise_dbuvm == pytest.approx(field - 1.645 * sigma, abs=0.001)
    if configuration == "RPC2":
        assert reference_reception("RPC2", 520.0).field_dbuvm == pytest.approx(78 + 30 * math.log10(0.8))
    assert reference_reception(configuration, 300.0) is None


def test_faults_of_a_file_are_named(tmp_path, repository):
    faulty = [feature(block_m((5, 15), (18, 22)), ref_plan_cfg="RPC9")]
    context = context_of(tmp_path, repository, faulty)
    with pytest.raises(InputError, match="RPC9") as caught:
        asking.prepare("foreign_dtt", context, context.config.devices[0], CHANNEL)
    assert (caught.value.field, caught.value.row) == ("ref_plan_cfg", 1)


def test_neighbour_with_allotments_is_known_and_not_unaffected(tmp_path, repository):
    """Land whose allotments are known is evaluated; a rule without a file is refused."""
    with pytest.raises(InputError, match="allotment_rule without allotments"):
        make_context(tmp_path, repository, neighbours={"IT": {"allotment_rule": "trigger"}})
    content = {"IT": {"allotments": "x.geojson", "unaffected": "no reception"}}
    with pytest.raises(InputError, match="either unaffected or protected"):
        make_context(tmp_path, repository, neighbours=content)
