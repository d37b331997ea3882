"""The protect stage and the minimum over victim channels against the definition, pair by pair in float64.

``limit_by_definition_dbm`` is written from the definition of one limit alone; of the package it uses only the
P.1546 link, which has its own reference vectors.
"""

from __future__ import annotations

import copy
import json
import math
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import yaml
from pydantic import ValidationError
from pyproj import Proj
from scipy import optimize
from scipy.stats import norm

from pipeline.config.protection import Threshold
from pipeline.dtt.channel_files import ChannelFiles
from pipeline.dtt.limits import ProtectionJob, ServerTable, channel_range_km, make_job
from pipeline.dtt.station_rules import rule_of
from pipeline.grid import raster
from pipeline.grid.grid import Grid
from pipeline.grid.raster import make_array
from pipeline.plan.territory_file import load_config
from pipeline.propagation.p1546.curves import load_curves
from pipeline.propagation.p1546.pixel import p1546_pixel_field, prepare
from pipeline.reference.ratio_tables import read_protection_tables
from pipeline.services.base import ServiceContext
from pipeline.services.product import product_statement
from pipeline.territory.rasters import write_sea
from tests import asking
from tests.jobs import run_from

SIZE = 12
CHANNEL = 30
F_MHZ = 474.0 + 8 * (CHANNEL - 21)
SEA, HOME, FOREIGN = 0, 1, 2
MODES = [("DVB-T", "64QAM 2/3"), ("DVB-T2", "256QAM 3/4")]
C_N_DB = [20.0, 22.0]
POLARISATIONS = ["H", "V", "M", ""]
CURVES = load_curves()
PREPARED = prepare(CURVES, F_MHZ, 50.0)
RATIOS = """system,mode,emission_class,offset,from_dbm,to_dbm,quantity,value,source,verified
*,*,*,-3,,,pr_db,-45,made up,false
*,*,*,-2,,,pr_db,-40,made up,false
*,*,*,-1,,,pr_db,-30,made up,false
*,*,*,1,-90,-60,pr_db,-31,made up,false
*,*,*,1,-60,-50,pr_db,-25,made up,false
*,*,*,2,,,pr_db,-41,made up,false
*,*,*,3,,,pr_db,-46,made up,false
*,*,*,9,,,pr_db,-47,made up,false
"""
OVERLOAD = "*,*,*,2,,,oth_dbm,-40,made up,false\n"


def a_job(case: Case, servers: ServerTable) -> ProtectionJob:
    tables = read_protection_tables(case.config.protection)
    return make_job(case.config, CHANNEL, (case.config.devices[0],), tables, servers)


class Case:
    """A made-up territory in files: everything random but small."""

    def __init__(
        self, folder: Path, repository: Path, resolution_m: float, device: dict, **protection: object
    ):
        rng = np.random.default_rng(int(resolution_m))
        self.grid = Grid("EPSG:3794", resolution_m, 500_000.0, 100_000.0, SIZE, SIZE)
        self.folder, self.config_path = folder, folder / "case.yaml"
        (folder / "ratios.csv").write_text(RATIOS + (OVERLOAD if protection.pop("overload", False) else ""))
        content = yaml.safe_load((repository / "configs/slovenia.yaml").read_text())
        content["devices"] = [content["devices"][0] | device]
        content["protection"] = {"ratios": str(folder / "ratios.csv"), "load": "loaded"} | protection
        content["terrain"] = {}
        self.config_path.write_text(yaml.safe_dump(content))
        self.config = load_config(self.config_path)
        shape = (SIZE, SIZE)
        self.surface = rng.choice([SEA, HOME, HOME, FOREIGN], shape).astype(np.uint8)
        self.coastal = rng.integers(0, 2, shape).astype(np.uint8)
        self.served = np.where(self.surface == SEA, 65535, rng.integers(0, 2, shape)).astype(np.uint16)
        self.nuisance = rng.uniform(44.0, 60.0, shape).astype(np.float32)
        self.wanted = (self.nuisance + rng.uniform(3.0, 45.0, shape)).astype(np.float32)
        self.sigma = rng.uniform(0.0, 5.5, shape).astype(np.float32)
        self.azimuth = rng.uniform(0.0, 360.0, shape).astype(np.float32)
        self.server = rng.integers(1, len(POLARISATIONS) + 1, shape).astype(np.uint16)
        self.mode = rng.integers(0, len(MODES), shape).astype(np.uint16)
        self.write()

    def write(self) -> None:
        def save(name: str, values: np.ndarray, bands: list[str], nodata: float) -> None:
            data = make_array(values, self.grid, units="1", long_name=name, nodata=nodata, band_names=bands)
            raster.write(self.folder / name, data, tags={}, publish=False)

        empty = np.full((SIZE, SIZE), np.nan, np.float32)
        levels = [self.wanted, empty, self.nuisance, self.sigma, self.azimuth, empty]
        names = [
            "wanted_dbuvm",
            "field_dbuvm",
            "nuisance_dbuvm",
            "nuisance_sigma_db",
            "azimuth_deg",
            "probability",
        ]
        save(f"coverage/ch{CHANNEL}.tif", np.stack(levels), names, math.nan)
        classes = np.stack([self.served, self.server, self.mode])
        save(f"coverage/ch{CHANNEL}_class.tif", classes, ["served", "server", "mode"], 65535)
        save("territory/surface.tif", self.surface[np.newaxis], ["surface"], 255)
        save("territory/coastal.tif", self.coastal[np.newaxis], ["coastal"], 255)
        write_sea(self.folder / "territory/sea.tif", self.config, self.surface, self.grid)
        common = {"channel": CHANNEL, "country": ""}
        rows = [
            {"id": f"S{number}", "polarisation": p} | common
            for number, p in enumerate(POLARISATIONS, start=1)
        ]
        servers = {"transmitters": rows, "modes": MODES}
        (self.folder / f"coverage/ch{CHANNEL}_servers.json").write_text(json.dumps(servers))

    def limit(self, wsd_channel: int):
        return self.limit_of(self.config.devices[0], wsd_channel)

    def limit_of(self, device, wsd_channel: int):
        grid = raster.read_grid(self.folder / "territory/surface.tif")
        limit = asking.prepare(
            "dtt", ServiceContext(self.config, self.folder, grid, (CHANNEL,)), device, wsd_channel
        )
        return limit(slice(0, SIZE), slice(0, SIZE))


# --- the definition --------------------------------------------------------------------------------------


@cache
def permissible_level_by_integral_db(margin: float, sigma_u: float, sigma_i: float, dq: float) -> float:
    z = np.linspace(-8.5, 8.5, 141)
    weight = norm.pdf(z) * (z[1] - z[0])
    u = sigma_u * z[:, np.newaxis]

    def fall(x: float) -> float:
        total = 10 * np.log10(10 ** (u / 10) + 10 ** ((x + sigma_i * z) / 10))
        return weight @ (norm.cdf((margin - u) / 5.5) - norm.cdf((margin - total) / 5.5)) @ weight

    return optimize.brentq(lambda x: fall(x) - dq, -60, 80, xtol=1e-5)


CALIBRATION = yaml.safe_load(Path("configs/tables/fw_calibration.yaml").read_text(encoding="utf-8"))


def calibration_by_definition_db(margin: float, sigma_u: float, sigma_i: float) -> float:
    """Row (S of before, S], column [Q, Q of the next), no interpolation."""
    (table,) = [part["c_db"] for part in CALIBRATION["tables"] if part["sigma_i_db"] == sigma_i]
    if sigma_u <= 1e-6:
        return 0.0
    q1 = norm.cdf(margin / math.hypot(5.5, sigma_u))
    row = next((i for i, edge in enumerate(CALIBRATION["sigma_u_db"]) if sigma_u <= edge), len(table) - 1)
    column = max([j for j, edge in enumerate(CALIBRATION["q1"]) if q1 >= edge], default=0)
    return table[row][column]


def sea_share_by_definition(case: Case, p: tuple[int, int], x: tuple[int, int], d_km: float) -> float:
    """All of the path at the coast; inland what the distances of both squares from the sea leave."""
    if case.coastal[p]:
        return 1.0
    sea = [q for q in np.ndindex(SIZE, SIZE) if case.surface[q] == SEA]
    inland_km = 0.0
    for end in (p, x):
        px_km = true_px_km(case)
        gaps = [math.hypot(*(max(abs(a - b) - 1, 0) for a, b in zip(end, q, strict=True))) for q in sea]
        inland_km += max(edge for edge in (0.0, 5.0, 10.0, 20.0, 40.0, 70.0) if edge <= min(gaps) * px_km)
    return max(0.0, 1.0 - inland_km / d_km)


@cache
def loss_by_definition_db(d_km: float, height_m: float, sea_share: float) -> float:
    slant_km = math.hypot(d_km, (height_m - 10.0) / 1000.0)
    free_db = 32.4 + 20 * math.log10(F_MHZ) + 20 * math.log10(slant_km)
    if d_km <= 0.08:
        return free_db
    h1, h2 = (height_m, 10.0) if height_m >= 10 else (10.0, height_m)
    losses_db = []
    for sea_km in (0.0, d_km):
        e_dbuvm = p1546_pixel_field(
            PREPARED, CURVES, d_km, h1, math.nan, h1, h2, 10.0, 0, sea_km, False, math.nan, math.nan, False
        )
        losses_db.append(139.3 - e_dbuvm + 20 * math.log10(F_MHZ))
    land_db, sea_db = (max(free_db, loss_db) for loss_db in losses_db)
    gain_db = max(0.0, land_db - sea_db)
    return land_db - (1.0 - (1.0 - sea_share) ** (2 / 3)) ** (1.0 + gain_db / 40.0) * gain_db


def ratio_by_definition_db(case: Case, p: tuple[int, int], k: int) -> float:
    level_dbm = float(case.wanted[p]) - 77.216 - 20 * math.log10(F_MHZ)
    if k == 0:
        return C_N_DB[case.mode[p]]
    if k == 1:
        return -25.0 if level_dbm >= -60.0 else -31.0
    return {-3: -45.0, -2: -40.0, -1: -30.0, 2: -41.0, 3: -46.0, 9: -47.0}[k]


def discrimination_by_definition_db(case: Case, p: tuple[int, int], x: tuple[int, int]) -> float:
    wanted, device = POLARISATIONS[case.server[p] - 1], case.config.devices[0].polarisation
    if max(abs(x[0] - p[0]), abs(x[1] - p[1])) <= 1 or wanted not in ("H", "V"):
        return 0.0
    if device in ("H", "V") and device != wanted:
        return 16.0
    direction = math.degrees(math.atan2(x[1] - p[1], p[0] - x[0]))
    off = abs((float(case.azimuth[p]) - direction + 180.0) % 360.0 - 180.0)
    return min(max((off - 20.0) * 0.4, 0.0), 16.0)


def distance_by_definition_km(case: Case, p: tuple[int, int], x: tuple[int, int]) -> float:
    apart_px = [max(abs(a - b) - 1, 0) for a, b in zip(p, x, strict=True)]
    return max(
        math.hypot(*apart_px) * true_px_km(case), case.config.devices[0].min_separation_m.value / 1000.0
    )


def true_px_km(case: Case) -> float:
    return true_px_km_of(case.grid.west_m, case.grid.north_m, case.grid.resolution_m)


@cache
def true_px_km_of(west: float, north: float, resolution_m: float) -> float:
    step = resolution_m * SIZE
    corners = np.meshgrid([west, west + step], [north - step, north])
    lon, lat = Proj("EPSG:3794")(*corners, inverse=True)
    scale = float(np.max(Proj("EPSG:3794").get_factors(lon, lat).tissot_semimajor))
    return resolution_m / scale / 1000.0


def limit_by_definition_dbm(
    case: Case, k: int, *, oth_dbm: float = math.nan, coast: bool = True, dq_pct: dict | None = None
):
    """Limit [dBm] and label of every home pixel, +inf and 0 elsewhere; before cap and rounding.

    ``dq_pct`` by server, where it is not that of the device; those not in it are not protected.
    """
    device = case.config.devices[0]
    allowed_pct = dict.fromkeys((1, 2, 3, 4), device.dq_pct) if dq_pct is None else dq_pct
    limits, labels = np.full((SIZE, SIZE), np.inf), np.zeros((SIZE, SIZE), int)
    victims = [
        p
        for p in np.ndindex(SIZE, SIZE)
        if case.served[p] == 1 and case.surface[p] in (HOME, FOREIGN) and case.server[p] in allowed_pct
    ]
    gain_dbi = 10 + 2.15 - 3
    for p in victims:
        margin = float(case.wanted[p]) - float(case.nuisance[p])
        x_db = {
            s: permissible_level_by_integral_db(
                margin, float(case.sigma[p]), s, allowed_pct[int(case.server[p])] / 100
            )
            - calibration_by_definition_db(margin, float(case.sigma[p]), s)
            for s in (3.5, 5.5)
        }
        for x in zip(*np.nonzero(case.surface == HOME), strict=True):
            d_km = distance_by_definition_km(case, p, x)
            sigma = 3.5 if d_km <= 0.08 else 5.5
            sea_share = sea_share_by_definition(case, p, x, d_km) if coast else 0.0
            lost_db = loss_by_definition_db(d_km, device.height_m, sea_share)
            lost_db += discrimination_by_definition_db(case, p, x)
            level = float(case.nuisance[p]) + x_db[sigma] - 77.216 - 20 * math.log10(F_MHZ)
            ratio_db = ratio_by_definition_db(case, p, k)
            candidates = [(level - ratio_db + lost_db, 1 if case.surface[p] == HOME else 8)]
            if not math.isnan(oth_dbm):
                candidates.append((oth_dbm + lost_db - gain_dbi - 1.28 * sigma, 13))
            for value, label in candidates:
                if value - device.margin_db < limits[x]:
                    limits[x], labels[x] = value - device.margin_db, label
    return limits, labels


def differences(case: Case, k: int, **options: object) -> list[str]:
    """In what the limits of the stage differ from the definition; empty where they agree."""
    found = case.limit(CHANNEL + k)
    expected_dbm, expected_label = limit_by_definition_dbm(case, k, **options)
    cap = case.config.devices[0].cap_dbm
    deciding = expected_dbm < cap - 0.05
    difference_db = found.eirp_dbm[deciding] - expected_dbm[deciding]
    free_dbm = found.eirp_dbm[~deciding & (case.surface == HOME)]
    checks = {
        "fewer than 10 pixels are limited": deciding.sum() > 10,
        # The table of X lies up to 0.02 dB below the integral, never above: limits are conservative.
        "a limit is too high": difference_db.max() <= 1e-3,
        "a limit is too low": difference_db.min() > -0.021,
        "a pixel is limited that should not be": (free_dbm >= cap - 0.05 - 0.021).all(),
        # Labels may differ where two victims allow the same within the error of X.
        "labels differ": (found.label == expected_label)[deciding].mean() > 0.97,
    }
    return [said for said, holds in checks.items() if not holds]


@pytest.fixture(scope="module")
def case(tmp_path_factory, repository):
    """200 m pixels, device on the roof with vertical polarisation: orthogonal to some servers."""
    device = {"polarisation": "V", "height_m": 30.0}
    case = Case(tmp_path_factory.mktemp("case"), repository, 200.0, device)
    run_from("protect", case.config_path, case.folder, channel=CHANNEL, threads=2)
    return case


@pytest.mark.parametrize("k", [0, 1, -3])
def test_limits_equal_the_definition(case, k):
    assert differences(case, k) == []


def test_offsets_beyond_the_table_do_not_limit(case):
    for channel in (CHANNEL - 4, CHANNEL + 10):
        assert np.isinf(case.limit(channel).eirp_dbm).all()


@pytest.mark.parametrize("k", [4, 8])
def test_hole_between_rows_takes_the_row_nearer_to_the_victim(case, k):
    """Rows for +3 and +9: the one of +3 counts in between, not that of the image."""
    assert np.array_equal(case.limit(CHANNEL + k).eirp_dbm, case.limit(CHANNEL + 3).eirp_dbm)


def test_last_row_counts_beyond_and_a_list_narrows(tmp_path, repository):
    case = Case(tmp_path, repository, 400.0, {})
    run_from("protect", case.config_path, case.folder, channel=CHANNEL)

    def limit(k: int, **changed: object):
        protection = case.config.protection.model_copy(update=changed)
        other = copy.copy(case)
        other.config = case.config.model_copy(update={"protection": protection})
        return other.limit(CHANNEL + k).eirp_dbm

    for k, row in ((10, 9), (25, 9), (-4, -3), (-9, -3)):
        assert np.array_equal(limit(k, beyond_table="last_row"), limit(row))
    narrow = [-3, -2, -1, 0, 1, 2, 3, 9]
    assert np.isinf(limit(5, offsets=narrow)).all()
    assert np.array_equal(limit(2, offsets=narrow), limit(2))


@pytest.mark.parametrize(
    ("resolution_m", "device", "protection", "options"),
    [
        (30.0, {"height_m": 1.5, "cap_dbm": 36.0}, {}, {}),  # near and far distances mix
        (30.0, {"height_m": 1.5, "polarisation": "H"}, {"sea_paths": "ignore"}, {"coast": False}),
        (4000.0, {"height_m": 10.0, "dq_pct": 7.0, "margin_db": 3.0}, {}, {}),  # the radius cuts pairs off
    ],
)
def test_other_geometries_equal_the_definition(
    tmp_path, repository, resolution_m, device, protection, options
):
    case = Case(tmp_path, repository, resolution_m, device, **protection)
    run_from("protect", case.config_path, case.folder, channel=CHANNEL)
    assert differences(case, 0, **options) == []


def test_overload_limits_where_a_threshold_is_known(tmp_path, repository):
    case = Case(tmp_path, repository, 100.0, {"height_m": 10.0}, overload=True)
    run_from("protect", case.config_path, case.folder, channel=CHANNEL)
    assert differences(case, 2, oth_dbm=-40.0) == []
    assert (case.limit(CHANNEL + 2).label == 13).any()
    # Beyond the last row of overload, that row.
    assert (case.limit(CHANNEL + 3).label == 13).any()
    assert not (case.limit(CHANNEL + 10).label == 13).any()


def test_unprotected_foreign_reception_limits_nothing(tmp_path, repository):
    case = Case(tmp_path, repository, 200.0, {})
    content = yaml.safe_load(case.config_path.read_text())
    content["services"]["foreign_dtt"] = {"status": "out_of_scope", "reason": "test"}
    case.config_path.write_text(yaml.safe_dump(content))
    run_from("protect", case.config_path, case.folder, channel=CHANNEL)
    without = case.limit(CHANNEL)
    assert set(np.unique(without.label)) == {0, 1}
    case.served[case.surface == FOREIGN] = 0
    assert differences(case, 0) == []


def test_wider_radius_changes_nothing(tmp_path, repository, monkeypatch):
    case = Case(tmp_path, repository, 4000.0, {"height_m": 10.0})
    run_from("protect", case.config_path, case.folder, channel=CHANNEL)
    before = case.limit(CHANNEL)
    cap = case.config.devices[0].cap_dbm
    from pipeline.dtt import limits

    exact_km = limits.interference_range_km
    monkeypatch.setattr(limits, "interference_range_km", lambda *args, **kw: 3 * exact_km(*args, **kw))
    run_from("protect", case.config_path, case.folder, channel=CHANNEL)
    after = case.limit(CHANNEL)
    assert (np.minimum(before.eirp_dbm, cap) == np.minimum(after.eirp_dbm, cap)).all()
    assert (before.label == after.label)[before.eirp_dbm < cap].all()


def test_threads_and_second_run_give_the_same_bytes(case):
    files = ChannelFiles(case.folder, CHANNEL).protection(case.config.devices[0])
    before = [file.read_bytes() for file in files]
    run_from("protect", case.config_path, case.folder, channel=CHANNEL, threads=1)
    assert [file.read_bytes() for file in files] == before


def test_victim_on_the_bound_of_two_tiers_gets_the_larger_ratio(tmp_path, repository):
    """Over the edge the level differs by one float32 step, on it both tiers hold the victim."""
    from pipeline.dtt.victims import _tier_code, group_codes, victim_classes
    from pipeline.reference.ratios import Group, Tier

    tiers = [Group(*MODES[0], Tier(a, b)) for a, b in ((-math.inf, -60.0), (-60.0, -50.0), (-50.0, math.inf))]
    classes = victim_classes([tiers], ["H"], "V")
    member_of = [
        {
            i
            for i in range(3)
            if _tier_code(classes.edges_dbm[0], level) in group_codes(classes, [tiers], 0, i)
        }
        for level in (-200.0, np.nextafter(-60.0, -70), -60.0, np.nextafter(-60.0, 0), -50.0, 10.0)
    ]
    assert member_of == [{0}, {0}, {0, 1}, {1}, {1, 2}, {2}]


def test_devices_of_one_geometry_share_a_map_and_differ_by_ratio(tmp_path, repository):
    case = Case(tmp_path, repository, 200.0, {})
    content = yaml.safe_load(case.config_path.read_text())
    strict = content["devices"][0] | {"id": "strict", "cap_dbm": 20.0, "margin_db": 6.0}
    content["devices"].append(strict)
    case.config_path.write_text(yaml.safe_dump(content))
    case.config = load_config(case.config_path)
    run_from("protect", case.config_path, case.folder, channel=CHANNEL)
    first, second = (case.limit_of(device, CHANNEL) for device in case.config.devices)
    limited = first.label > 0
    assert limited.any()
    assert first.eirp_dbm[limited] - second.eirp_dbm[limited] == pytest.approx(6.0)


def test_another_table_of_ratios_moves_the_limit_by_the_difference(tmp_path, repository):
    case = Case(tmp_path, repository, 200.0, {})
    run_from("protect", case.config_path, case.folder, channel=CHANNEL)
    before = case.limit(CHANNEL - 1)
    (tmp_path / "new.csv").write_text(RATIOS.replace("*,*,*,-1,,,pr_db,-30", "*,*,*,-1,,,pr_db,-23.5"))
    content = yaml.safe_load(case.config_path.read_text())
    content["protection"]["ratios"] = str(tmp_path / "new.csv")
    case.config_path.write_text(yaml.safe_dump(content))
    case.config = load_config(case.config_path)
    run_from("protect", case.config_path, case.folder, channel=CHANNEL)
    after = case.limit(CHANNEL - 1)
    limited = before.eirp_dbm < case.config.devices[0].cap_dbm
    assert limited.any()
    # -30 dB by the shipped table of this test, -23.5 dB by the new one; float32 maps.
    assert before.eirp_dbm[limited] - after.eirp_dbm[limited] == pytest.approx(6.5, abs=1e-4)


def test_threshold_method_occupies_from_the_field_on(tmp_path, repository):
    case = Case(
        tmp_path,
        repository,
        200.0,
        {},
        method="threshold",
        threshold={"field_dbuvm": {"value": 60.0, "source": "test", "verified": False}, "offsets": [0, 1]},
    )
    path = case.folder / f"coverage/ch{CHANNEL}.tif"
    levels = raster.read(path)
    field = np.linspace(50, 70, SIZE * SIZE, dtype=np.float32).reshape(SIZE, SIZE)
    levels.values[1] = field
    raster.write(path, levels, tags={}, publish=False)
    run_from("protect", case.config_path, case.folder, channel=CHANNEL)
    for k, blocked in ((0, True), (1, True), (2, False), (-1, False)):
        found = case.limit(CHANNEL + k)
        assert (found.eirp_dbm == np.where((field >= 60.0) & blocked, -np.inf, np.inf)).all()
    assert set(np.unique(case.limit(CHANNEL).label)) == {0, 1}

    def limit(k: int, **changed: object):
        threshold = case.config.protection.threshold.model_copy(update=changed)
        other = copy.copy(case)
        protection = case.config.protection.model_copy(update={"threshold": threshold})
        other.config = case.config.model_copy(update={"protection": protection})
        return other.limit(CHANNEL + k)

    # By default both channels beside are closed inside the same contour, those farther are free.
    for k, blocked in ((0, True), (1, True), (-1, True), (2, False), (-2, False)):
        found_dbm = limit(k, offsets=Threshold().offsets).eirp_dbm
        assert (found_dbm == np.where((field >= 60.0) & blocked, -np.inf, np.inf)).all()
    capped = {"offsets": [-1, 0, 1], "adjacent": "cap", "adjacent_cap_dbm": {1: 16.02}}
    for k, permitted_dbm in ((0, -np.inf), (1, 16.02), (-1, 16.02), (2, np.inf)):
        found_dbm = limit(k, **capped).eirp_dbm
        assert (found_dbm == np.where(field >= 60.0, permitted_dbm, np.inf)).all()


def test_threshold_names_the_side_of_the_strongest_transmitter(tmp_path, repository):
    threshold = {"field_dbuvm": {"value": 60.0, "source": "test", "verified": False}}
    case = Case(tmp_path, repository, 200.0, {}, method="threshold", threshold=threshold)
    path = case.folder / f"coverage/ch{CHANNEL}.tif"
    levels = raster.read(path)
    levels.values[1] = 70.0
    raster.write(path, levels, tags={}, publish=False)
    countries = ["SI", "AT", "", "HR"]
    listed = [{"polarisation": "H", "country": country} for country in countries]
    servers = {"transmitters": listed, "modes": MODES}
    (case.folder / f"coverage/ch{CHANNEL}_servers.json").write_text(json.dumps(servers))
    run_from("protect", case.config_path, case.folder, channel=CHANNEL)
    codes = np.array([1, 8, 1, 8])[case.server.astype(int) - 1]
    assert np.array_equal(case.limit(CHANNEL).label, codes)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"offsets": [-1, 1]}, "must name 0"),
        ({"offsets": [-2, 0, 1], "adjacent": "cap", "adjacent_cap_dbm": {1: 10.0}}, r"distances \[2\]"),
    ],
)
def test_threshold_that_leaves_an_offset_open_is_refused(settings, text):
    with pytest.raises(ValidationError, match=text):
        Threshold(**settings)


def test_co_channel_only_is_said_in_the_product_statement(tmp_path, repository):
    for offsets, said in (([0], True), ([-1, 0, 1], False)):
        threshold = {"field_dbuvm": {"value": 60.0, "source": "test", "verified": False}, "offsets": offsets}
        case = Case(tmp_path, repository, 200.0, {}, method="threshold", threshold=threshold)
        text = "co-channel only; adjacent channels not studied (SM.2405 6.1)"
        assert (text in product_statement(case.config)) == said


def test_two_percentages_of_time_count_by_the_stricter(tmp_path, repository):
    """Nuisance at 1 and at 50 % of time: the smaller m_U + X* of each victim, up to 80 m and beyond."""
    case = Case(tmp_path, repository, 60.0, {"height_m": 1.5})
    content = yaml.safe_load(case.config_path.read_text())
    content["propagation"] = {"nuisance_time_pct": "both"}
    case.config_path.write_text(yaml.safe_dump(content))
    case.config = load_config(case.config_path)
    rng = np.random.default_rng(4)
    planned = case.nuisance, case.sigma
    ordinary = (planned[0] - rng.uniform(0.0, 6.0, planned[0].shape)).astype(np.float32), planned[1] * 0.5
    path = tmp_path / f"coverage/ch{CHANNEL}.tif"
    levels = raster.read(path)
    names = [*levels["band"].values.tolist(), "ordinary_nuisance_dbuvm", "ordinary_nuisance_sigma_db"]
    values = np.concatenate([levels.values, np.stack(ordinary).astype(np.float32)])
    data = make_array(values, case.grid, units="1", long_name="levels", nodata=math.nan, band_names=names)
    raster.write(path, data, tags={}, publish=False)
    run_from("protect", case.config_path, case.folder, channel=CHANNEL)
    found = case.limit(CHANNEL)
    expected = []
    for case.nuisance, case.sigma in (planned, ordinary):
        expected.append(limit_by_definition_dbm(case, 0)[0])
    strictest = np.minimum(*expected)
    assert (expected[0] != expected[1]).any()
    deciding = strictest < case.config.devices[0].cap_dbm - 0.05
    difference_db = found.eirp_dbm[deciding] - strictest[deciding]
    assert difference_db.max() <= 1e-3
    assert difference_db.min() > -0.021


@pytest.mark.slow
def test_stations_are_protected_by_rules_of_their_own(tmp_path, repository):
    """One not at all, one by a dq stricter than the device's, one by a threshold, one as the territory."""
    device = {"height_m": 10.0, "dq_pct": 7.0}
    case = Case(tmp_path, repository, 1000.0, device, sea_paths="ignore")
    case.served[:, ::2] = 0
    case.write()
    rules = [{"protection": "none"}, {"protection": "degradation", "dq_pct": 1.0}]
    rules += [{"protection": "threshold", "threshold_dbuvm": 55.0}, {"country": "SI"}]
    listed = [{"id": f"S{i}", "polarisation": POLARISATIONS[i]} | rule for i, rule in enumerate(rules)]
    servers = {"transmitters": listed, "modes": MODES}
    (tmp_path / f"coverage/ch{CHANNEL}_servers.json").write_text(json.dumps(servers))
    path = tmp_path / f"coverage/ch{CHANNEL}.tif"
    levels = raster.read(path)
    levels.values[1] = np.linspace(50, 60, SIZE * SIZE, dtype=np.float32).reshape(SIZE, SIZE)
    raster.write(path, levels, tags={}, publish=False)
    run_from("protect", case.config_path, case.folder, channel=CHANNEL)
    occupied = (levels.values[1] >= 55.0) & (case.server == 3)
    assert 5 < occupied.sum() < SIZE * SIZE / 4
    for k, beside_dbm in ((1, -math.inf), (2, math.inf)):
        found = case.limit(CHANNEL + k).eirp_dbm[occupied]
        assert np.isneginf(found).all() if beside_dbm < 0 else np.isfinite(found).any()
    found = case.limit(CHANNEL).eirp_dbm
    expected_dbm, _ = limit_by_definition_dbm(case, 0, coast=False, dq_pct={2: 1.0, 4: 7.0})
    assert np.isneginf(found[occupied]).all()
    deciding = (expected_dbm < case.config.devices[0].cap_dbm - 0.05) & ~occupied
    difference_db = found[deciding] - expected_dbm[deciding]
    assert deciding.sum() > 10
    assert difference_db.max() <= 1e-3
    assert difference_db.min() > -0.021
    # The range is that of the station with the smallest dq, not that of the device.
    job, ranges_km = (
        a_job(case, ServerTable(tuple(POLARISATIONS), tuple(MODES), tuple(map(rule_of, listed)))),
        [],
    )
    for dq_pct in (7.0, 1.0):
        alone = job._replace(rules=(), devices=(job.devices[0].model_copy(update={"dq_pct": dq_pct}),))
        ranges_km.append(channel_range_km(alone, coastal=False))
    assert channel_range_km(job, coastal=False) == ranges_km[1] > ranges_km[0]
