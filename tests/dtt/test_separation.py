"""Separation distances and contours: published rows, closed forms, and maps against geodesic distances."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from pyproj import Geod, Transformer
from scipy.optimize import brentq

from pipeline.config.config import Config
from pipeline.dtt.channel_files import ChannelFiles
from pipeline.dtt.protection_maps import TileSettings, write_protection
from pipeline.dtt.separation import (
    ProtectedContour,
    contour_km,
    contour_of,
    f5090_dbuvm,
    read_contours,
    separation_maps,
)
from pipeline.dtt.victims import VictimLabel
from pipeline.errors import InputError
from pipeline.grid import raster
from pipeline.plan.margin import required_margin_km
from pipeline.plan.territory_file import load_config
from pipeline.propagation.p1546.curves import load_curves
from pipeline.propagation.p1546.pixel import p1546_pixel_field, prepare
from pipeline.reference.separation_distances import (
    DistanceStep,
    largest_separation_km,
    permitted_dbm,
    read_distances,
    steps_of,
)
from pipeline.registers.transmitters import read_register
from pipeline.services.base import ServiceContext
from tests import asking
from tests.jobs import run_from

CURVES = load_curves()
CHANNEL, F_MHZ = 30, 569.0
HEADER = (
    "id,site,lon,lat,channel,centre_mhz,bandwidth_mhz,erp_kw,antenna_height_agl_m,site_height_asl_m,polarisation,"
    "pattern_azimuth_attenuation_db,system,multiplex_mode,country,haat_m"
)
PATTERN_DB = [0.0] * 18 + [12.0] * 18
STATIONS = [
    ("US1", -117.0, 33.0, 30, 0.05, "US", 60.0, PATTERN_DB),
    ("MX1", -116.9, 32.5, 30, 0.02, "MX", 40.0, [0.0] * 36),
    ("US2", -117.2, 33.1, 31, 0.01, "US", 40.0, [0.0] * 36),
]


def field_dbuvm(time_pct: float, d_km: float, height_m: float, f_mhz: float = F_MHZ) -> float:
    return p1546_pixel_field(
        prepare(CURVES, f_mhz, time_pct),
        CURVES,
        d_km,
        height_m,
        math.nan,
        height_m,
        10.0,
        10.0,
        0,
        0.0,
        False,
        math.nan,
        math.nan,
        False,
    )


def contour_by_root_km(erp_kw: float, height_m: float, wanted_dbuvm: float, f_mhz: float = F_MHZ) -> float:
    def above(d_km: float) -> float:
        f5090 = 2 * field_dbuvm(50.0, d_km, height_m, f_mhz) - field_dbuvm(10.0, d_km, height_m, f_mhz)
        return f5090 + 10 * math.log10(erp_kw) - wanted_dbuvm

    return brentq(above, 0.5, 300.0, xtol=1e-6)


# --- numbers ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def fcc(repository):
    return read_distances(repository / "configs/tables/separation_fcc.csv")


def usa(repository: Path, **device: object) -> Config:
    config = load_config(repository / "configs/examples/usa_san_diego.yaml")
    devices = [config.devices[0].model_copy(update=device)]
    return config.model_copy(update={"devices": devices})


@pytest.mark.parametrize(
    ("height_m", "relation", "expected_km"),
    [
        (1.5, "co", {16: 1.3, 20: 1.7, 24: 2.1, 28: 2.7, 32: 3.3, 36: 4.0, 40: 4.5, 42: 5.0}),
        (3.0, "co", {16: 2.4, 20: 3.1, 24: 3.8, 28: 4.8, 32: 6.1, 36: 7.3, 40: 8.5, 42: 9.4}),
        (10.0, "co", {16: 4.2, 20: 5.1, 24: 6.0, 28: 7.1, 32: 8.9, 36: 11.1, 40: 13.9}),
        (249.0, "co", {16: 12.1, 20: 14.3, 24: 18.2, 28: 22.0, 32: 27.3, 36: 31.2, 40: 39.5}),
        (2.0, "adjacent", {16: None, 36: 0.4}),
        (29.9, "adjacent", {16: None, 36: 1.2}),
        (120.0, "adjacent", {16: None, 36: 2.2}),
    ],
)
def test_distances_are_those_of_the_rules(repository, fcc, height_m, relation, expected_km):
    device = usa(repository, height_m=height_m).devices[0]
    assert {s.eirp_dbm: s.distance_km for s in steps_of(fcc, device, relation, Path("t"))} == expected_km


def test_narrowband_device_needs_the_distances_of_36_dbm(repository, fcc):
    device = usa(repository, bandwidth_mhz=0.1).devices[0]
    assert steps_of(fcc, device, "co", Path("t"))[0] == DistanceStep(36.0, 11.1)


def test_device_above_the_table_is_refused(repository, fcc):
    with pytest.raises(InputError, match="no co separation"):
        steps_of(fcc, usa(repository, height_m=260.0).devices[0], "co", Path("t.csv"))


def test_margin_is_the_largest_distance(repository):
    config = usa(repository)
    assert largest_separation_km(config, config.devices[0]) == 13.9
    assert required_margin_km(config, [("ATSC", "8VSB")], coastal=True) == 13.9


def test_power_between_two_steps_needs_the_distance_of_the_higher():
    steps = [DistanceStep(16.0, None), DistanceStep(20.0, 1.0), DistanceStep(36.0, 4.0)]
    inside = np.array([True, False, False, False, False])
    distance_km = np.array([0.0, 0.0, 1.0, 3.999, 4.0])
    found = permitted_dbm(steps, 30.0, inside, distance_km)
    assert found.tolist() == [16.0, 16.0, 20.0, 20.0, math.inf]
    assert permitted_dbm(steps, 36.0, inside, distance_km)[-1] == math.inf
    assert permitted_dbm(steps, 40.0, inside, distance_km)[-1] == 36.0
    assert permitted_dbm(steps[1:], 30.0, inside, distance_km)[:2].tolist() == [-math.inf, -math.inf]


@pytest.mark.parametrize(
    ("f_mhz", "field", "height_m"),
    [
        (57.0, 28.0, 30.0),
        (213.0, 36.0, 30.0),
        (615.0, 41.0, 30.0),
        (473.0, 38.72, 30.0),
        (695.0, 42.06, 30.0),
    ],
)
def test_contour_field_of_the_rules_with_the_dipole_factor(repository, f_mhz, field, height_m):
    """41 - 20 log10(615 / f) in UHF."""
    rows = read_contours(repository / "configs/tables/separation_contours.csv")
    assert contour_of(rows, "ATSC", f_mhz) == pytest.approx((field, height_m), abs=0.005)
    assert contour_of(rows, "DVB-T", f_mhz) is None
    assert contour_of(rows, "ATSC", 300.0) is None


def test_90_per_cent_of_time_is_the_mirror_of_10_per_cent():
    tables = prepare(CURVES, F_MHZ, 50.0), prepare(CURVES, F_MHZ, 10.0)
    for d_km in (5.0, 40.0, 120.0):
        e50, e10 = field_dbuvm(50.0, d_km, 200.0), field_dbuvm(10.0, d_km, 200.0)
        e90 = f5090_dbuvm(*tables, CURVES, d_km, 200.0, 10.0)
        assert e50 - e90 == pytest.approx(e10 - e50, abs=1e-9)
        assert e90 < e50 < e10


def test_contour_lies_where_the_field_falls_to_its_value():
    heights_m, erp_kw = np.array([30.0, 150.0, 600.0, 5.0]), np.array([1.0, 50.0, 1000.0, 1.0])
    found = contour_km(ProtectedContour(41.0, 30.0), 617.0, heights_m, 10 * np.log10(erp_kw), 10.0)
    for height_m, power_kw, d_km in zip(np.maximum(heights_m, 30.0), erp_kw, found, strict=True):
        assert d_km == pytest.approx(contour_by_root_km(power_kw, height_m, 41.0, 617.0), abs=0.002)
    assert found[3] == found[0]


def test_station_too_weak_has_no_contour():
    assert (
        contour_km(ProtectedContour(41.0, 30.0), F_MHZ, np.array([30.0]), np.array([-150.0]), 10.0)[0] == 0.0
    )


@pytest.mark.parametrize(
    ("table", "row"),
    [
        ("distances", "fixed,0,3,beside,16,1,made up,false"),
        ("distances", "boat,0,3,co,16,1,made up,false"),
        ("distances", "*,0,3,co,99,1,made up,false"),
        ("contours", "ATSC,470,806,field,41,made up,false"),
    ],
)
def test_faulty_tables_are_refused(tmp_path, table, row):
    columns = {
        "distances": "device,from_height_m,to_height_m,relation,eirp_dbm,distance_km,source,verified",
        "contours": "system,from_mhz,to_mhz,quantity,value,source,verified",
    }
    (tmp_path / "t.csv").write_text(f"{columns[table]}\n{row}\n")
    with pytest.raises(InputError, match=r"t\.csv, row 2"):
        {"distances": read_distances, "contours": read_contours}[table](tmp_path / "t.csv")


# --- maps -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def case(repository, tmp_path_factory) -> tuple[Path, Config]:
    """Own and foreign low-power stations around a box of a few kilometres, up to the protection stage."""
    folder = tmp_path_factory.mktemp("separation")
    lines = [HEADER]
    for name, lon, lat, channel, erp_kw, country, haat_m, pattern in STATIONS:
        text = ";".join(f"{a:g}" for a in pattern)
        centre = 473 + 6 * (channel - 14)
        lines.append(
            f"{name},,{lon},{lat},{channel},{centre},6,{erp_kw},,,,{text},ATSC,8VSB,{country},{haat_m}"
        )
    (folder / "register.csv").write_text("\n".join(lines) + "\n")
    content = yaml.safe_load((repository / "configs/examples/usa_san_diego.yaml").read_text(encoding="utf-8"))
    content["territory"] = {"home": ["US"], "bbox_deg": [-117.2, 32.7, -116.7, 33.2]}
    content["registers"] = {"transmitters": [str(folder / "register.csv")]}
    # What is expected here are contours by P.1546.
    content["protection"].setdefault("separation", {})["curves"] = "p1546"
    path = folder / "case.yaml"
    path.write_text(yaml.safe_dump(content))
    run_from("territory", path, folder)
    config = load_config(path)
    for tile in sorted(set(read_register(config)[0]["tile"].values.tolist())):
        run_from("terrain", path, folder, tile=tile)
    for channel in (30, 31):
        run_from("protect", path, folder, channel=channel)
    return folder, config


def distance_outside_km(station, grid, rows, cols) -> np.ndarray:
    """Distance in km of pixel centres from the contour of an omnidirectional station."""
    _, lon, lat, channel, erp_kw, _, haat_m, _ = station
    f_mhz = 473.0 + 6 * (channel - 14)
    radius_km = contour_by_root_km(erp_kw, haat_m, 41.0 - 20 * math.log10(615.0 / f_mhz), f_mhz)
    to_lonlat = Transformer.from_crs(grid.crs, "EPSG:4326", always_xy=True)
    x_m = grid.west_m + (cols + 0.5) * grid.resolution_m
    y_m = grid.north_m - (rows + 0.5) * grid.resolution_m
    lons, lats = to_lonlat.transform(x_m, y_m)
    _, _, d_m = Geod(ellps="WGS84").inv(np.full(lons.shape, lon), np.full(lons.shape, lat), lons, lats)
    return d_m / 1000.0 - radius_km


def test_map_keeps_the_distances_from_a_foreign_contour(case):
    """Square to square the distance is up to two pixel diagonals (1.42 km) shorter than from the centre."""
    folder, config = case
    only_mx = config.model_copy(
        update={
            "services": config.services
            | {"dtt": config.services["dtt"].model_copy(update={"status": "out_of_scope", "reason": "test"})}
        }
    )
    grid = raster.read_grid(folder / "territory/surface.tif")
    maps = separation_maps(only_mx, folder, CHANNEL, config.devices[0], grid)
    rows, cols = np.mgrid[0 : grid.height, 0 : grid.width]
    outside_km = distance_outside_km(STATIONS[1], grid, rows, cols)
    # In the margin the nearest part of a contour may lie beyond the grid.
    home = raster.read(folder / "territory/surface.tif").values == 1
    for relation, allowed in (
        (0, [(16, 4.2), (20, 5.1), (24, 6.0), (28, 7.1), (32, 8.9), (np.inf, 11.1)]),
        (1, [(16, -np.inf), (np.inf, 1.2)]),
    ):
        for level, distance_km in allowed:
            permitted = maps.eirp_dbm[relation] >= level
            assert not permitted[home & (outside_km < distance_km - 0.01)].any()
            assert permitted[outside_km > distance_km + 1.45].all()
    assert (maps.label[np.isfinite(maps.eirp_dbm)] == VictimLabel.FOREIGN).all()
    assert (outside_km < 0).any()
    assert np.isneginf(maps.eirp_dbm[0][outside_km < 0]).all()


def test_bond_keeps_the_distances_of_its_power_in_one_channel(case):
    """39 dBm on two channels are 36 dBm in each: the same pixels, 3.01 dB more."""
    folder, config = case
    grid = raster.read_grid(folder / "territory/surface.tif")
    single = config.devices[0].model_copy(update={"cap_dbm": 36.0, "cap_density_dbm_per_100khz": None})
    wide = {"bond": 2, "bandwidth_mhz": 12.0, "cap_dbm": 36.0 + 10 * math.log10(2)}
    one, two = (
        separation_maps(config, folder, CHANNEL, device, grid).eirp_dbm
        for device in (single, single.model_copy(update=wide))
    )
    assert np.array_equal(np.isinf(one), np.isinf(two))
    assert np.array_equal(np.isneginf(one), np.isneginf(two))
    steps = np.isfinite(one)
    assert steps.any()
    np.testing.assert_allclose((two - one)[steps], 10 * math.log10(2), atol=1e-5)


def test_pattern_shapes_the_contour(case):
    """12 dB less to the west: the contour is nearer there."""
    folder, config = case
    grid = raster.read_grid(folder / "territory/surface.tif")
    maps = separation_maps(config, folder, CHANNEL, config.devices[0], grid)
    x_m, y_m = Transformer.from_crs("EPSG:4326", grid.crs, always_xy=True).transform(-117.0, 33.0)
    row, col = int((grid.north_m - y_m) / 500.0), int((x_m - grid.west_m) / 500.0)
    inside = np.isneginf(maps.eirp_dbm[0][row])
    wanted_dbuvm = 41.0 - 20 * math.log10(615.0 / F_MHZ)
    east_km = 0.5 * np.argmin(inside[col:]) - 4.2
    west_km = 0.5 * np.argmin(inside[: col + 1][::-1]) - 4.2
    assert east_km == pytest.approx(contour_by_root_km(0.05, 60.0, wanted_dbuvm), abs=1.2)
    assert west_km == pytest.approx(contour_by_root_km(0.05 / 10**1.2, 60.0, wanted_dbuvm), abs=1.2)
    assert (maps.label == VictimLabel.HOME).any()


def test_limit_is_the_stricter_of_co_channel_and_adjacent(case):
    folder, config = case
    grid = raster.read_grid(folder / "territory/surface.tif")
    device = config.devices[0]
    context = ServiceContext(config, folder, grid, (30, 31))
    every = slice(0, grid.height), slice(0, grid.width)
    for channel, relations in ((30, (0, 1)), (31, (1, 0)), (32, (None, 1)), (33, (None, None))):
        expected = np.full(grid.shape, np.inf)
        for victim, relation in zip((30, 31), relations, strict=True):
            if relation is not None:
                maps = separation_maps(config, folder, victim, device, grid)
                expected = np.minimum(expected, maps.eirp_dbm[relation])
        found = asking.prepare("dtt", context, device, channel)(*every)
        np.testing.assert_array_equal(found.eirp_dbm, expected)


def test_devices_of_one_height_keep_the_distances_of_their_own_power(case):
    """20 dBm are free from 5.1 km on; a stronger device of the same height is not."""
    folder, config = case
    grid = raster.read_grid(folder / "territory/surface.tif")
    device = config.devices[0]
    weak = device.model_copy(update={"id": "weak", "cap_dbm": 20.0, "cap_density_dbm_per_100khz": None})
    both = config.model_copy(update={"devices": [weak, device]})
    write_protection(both, ChannelFiles(folder, CHANNEL), TileSettings(1.5))
    context = ServiceContext(both, folder, grid, (CHANNEL,))
    for one in (weak, device):
        expected = separation_maps(both, folder, CHANNEL, one, grid).eirp_dbm[0]
        found = asking.prepare("dtt", context, one, CHANNEL)(slice(0, grid.height), slice(0, grid.width))
        np.testing.assert_array_equal(found.eirp_dbm, expected)


def test_explanation_names_the_station_and_its_term_is_the_limit(case):
    folder, config = case
    grid = raster.read_grid(folder / "territory/surface.tif")
    device = config.devices[0]
    context = ServiceContext(config, folder, grid, (30, 31))
    found = asking.prepare("dtt", context, device, 30)(slice(0, grid.height), slice(0, grid.width))
    rng = np.random.default_rng(2)
    seen = set()
    for row, col in zip(rng.integers(0, grid.height, 25), rng.integers(0, grid.width, 25), strict=True):
        explained = asking.explain("dtt", context, device, 30, int(row), int(col))
        if explained is None:
            assert np.isposinf(found.eirp_dbm[row, col])
            continue
        assert sum(term.value_db for term in explained.terms) == found.eirp_dbm[row, col]
        assert explained.label == found.label[row, col]
        seen.add(explained.victim["station"])
    assert seen <= {"US1", "MX1", "US2"}
    assert {"US1", "MX1"} <= seen


@pytest.mark.shared_data
def test_records_without_haat_count_as_configured(repository, shared):
    """800 of the Canadian and Mexican records hold 0 in place of a height above average terrain."""
    config = usa(repository)
    folder = shared / "data/real/usa"
    paths = [folder / "transmitters.csv", folder / "transmitters_ca_mx_2015.csv"]
    # Some of these records are two of one channel and site; all of them count here.
    twins = [name for path in paths for name in pd.read_csv(path, dtype=str)["id"]]
    whole = {"transmitters": paths, "bbox_deg": None, "accept": twins}
    registers = config.registers.model_copy(update=whole)
    # As the files have them, read without the package; a height above ground stands in for a zero, or 150 m.
    columns = ["country", "haat_m", "antenna_height_agl_m"]
    records = pd.concat([pd.read_csv(path, index_col="id")[columns] for path in paths])
    filled = read_register(config.model_copy(update={"registers": registers}))[0]
    records = records.loc[filled["id"].values]
    zero = records["haat_m"].values == 0.0
    assert (zero & (records["country"].values != "US")).sum() == 800
    expected_m = np.fmax(records["antenna_height_agl_m"].values[zero], 150.0)
    np.testing.assert_array_equal(filled["haat_m"].values[zero], expected_m)
    np.testing.assert_array_equal(filled["haat_m"].values[~zero], records["haat_m"].values[~zero])
    # Without the setting such a record is no height: what has none above ground either is refused.
    plain = registers.model_copy(update={"missing_haat_m": None})
    without = zero & records["antenna_height_agl_m"].isna().values
    with pytest.raises(InputError, match=f"and {without.sum() - 1} more bad rows.*registers.missing_haat_m"):
        read_register(config.model_copy(update={"registers": plain}))
    assert set(filled["country"].values) == {"US", "CA", "MX"}
    boxed = registers.model_copy(update={"bbox_deg": (-123.0, 27.5, -111.0, 38.5)})
    near = read_register(config.model_copy(update={"registers": boxed}))[0]
    assert 100 < near.sizes["transmitter"] < 400
    assert near["lon_deg"].values.max() <= -111.0
