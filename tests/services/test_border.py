"""The border rule: closed forms, who is protected how, and where nothing is known."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from pipeline.config.bonds import Bond
from pipeline.config.config import Config
from pipeline.dtt.neighbour_rules import (
    border_rule_range_km,
    foreign_data,
    read_triggers,
    trigger_dbuvm,
    unknown_reception_range_km,
)
from pipeline.errors import InputError
from pipeline.grid import raster
from pipeline.grid.grid import Grid
from pipeline.grid.raster import make_array
from pipeline.plan.margin import required_margin_km
from pipeline.plan.territory_file import load_config
from pipeline.propagation.p1546.curves import load_curves
from pipeline.propagation.p1546.pixel import p1546_pixel_field, prepare
from pipeline.services.base import ServiceContext
from pipeline.services.table import service_code
from pipeline.territory.neighbours import Layers, foreign_lands, neighbour_parts_km
from tests import asking

CHANNEL = 30
F_MHZ = 546.0
SEA, HOME, FOREIGN = 0, 1, 2
CODES = ["AT", "IT", "SI"]
CURVES = load_curves()
MODE = ("DVB-T", "64QAM 2/3")


def config_of(repository: Path, folder: Path, neighbours: dict, **device: object) -> Config:
    content = yaml.safe_load((repository / "configs/slovenia.yaml").read_text(encoding="utf-8"))
    content["neighbours"] = neighbours
    content["devices"] = [content["devices"][0] | device]
    path = folder / "border.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return load_config(path)


@pytest.fixture(scope="module")
def build(tmp_path_factory) -> Path:
    """A strip of 2 km pixels: Italy (coastal) | sea | home | Austria, so that distances are plain numbers."""
    folder = tmp_path_factory.mktemp("build")
    grid = Grid("EPSG:3794", 2000.0, 400_000.0, 150_000.0, 140, 100)
    surface = np.full((100, 140), HOME, np.uint8)
    surface[:45] = surface[55:] = SEA
    surface[:, :50], surface[:, 90:] = SEA, FOREIGN
    surface[45:55, 46] = FOREIGN
    country = np.where(surface == FOREIGN, np.where(np.arange(140) > 60, 1, 2), 0).astype(np.uint8)
    coastal = (surface == FOREIGN) & (country == 2)
    layers = Layers(surface, country, coastal.astype(np.uint8))
    for name, values in layers._asdict().items():
        data = make_array(values, grid, units="", long_name=name, nodata=None)
        raster.write(folder / f"territory/{name}.tif", data, tags={}, publish=False)
    lands = foreign_lands(layers, CODES)
    blocks = neighbour_parts_km(lands, layers, grid)
    names = [land.name for land in lands]
    layout = raster.layout_on(grid, names, dtype="float32", nodata=math.nan, units="km", long_name="distance")
    raster.write_blocks(folder / "territory/neighbours.tif", layout, blocks, publish=False)
    (folder / "territory/countries.json").write_text(json.dumps(CODES))
    return folder


def limit_of(config: Config, build: Path):
    grid = raster.read_grid(build / "territory/surface.tif")
    context = ServiceContext(config, build, grid, ())
    return asking.prepare("foreign_dtt", context, config.devices[0], CHANNEL)(
        slice(45, 55), slice(50, 90)
    ), context


def p1546_dbuvm(d_km: float, time_pct: float, sea: bool) -> float:
    """Field of 1 kW from 30 m to 10 m over open land or cold sea."""
    return p1546_pixel_field(
        prepare(CURVES, F_MHZ, time_pct),
        CURVES,
        d_km,
        30.0,
        math.nan,
        30.0,
        10.0,
        10.0,
        0,
        d_km if sea else 0.0,
        False,
        math.nan,
        math.nan,
        False,
    )


def test_field_at_the_border_is_the_trigger(repository, tmp_path, build):
    """Turned back into a field: 1 kW e.r.p. = 62.15 dBm e.i.r.p., to 0.07 dB of the two constants."""
    config = config_of(
        repository,
        tmp_path,
        {"AT": {"border_field": {}}, "IT": {"unaffected": "test"}, "*": {"unaffected": "test"}},
    )
    limit, _ = limit_of(config, build)
    scale = 2.0 / float(raster.read(build / "territory/neighbours.tif", bands=["AT"]).values[50, 88])
    for gap in (1, 3, 7):
        d_km = 2.0 * gap / scale
        eirp_dbm = limit.eirp_dbm[5, 39 - gap]
        assert p1546_dbuvm(d_km, 1.0, sea=False) + eirp_dbm - 62.15 == pytest.approx(21.0, abs=0.07)
    assert (limit.label[np.isfinite(limit.eirp_dbm)] == service_code("border_field")).all()
    assert not limit.not_evaluated.any()


def test_touching_pixel_sees_free_space_at_the_smallest_separation(repository, tmp_path, build):
    config = config_of(repository, tmp_path, {"*": {"border_field": {}}})
    limit, _ = limit_of(config, build)
    slant_km = math.hypot(0.020, 0.020)  # 20 m apart, 30 m and 10 m high
    loss_db = 32.4 + 20 * math.log10(F_MHZ) + 20 * math.log10(slant_km)
    assert limit.eirp_dbm[5, 39] == pytest.approx(21.0 - 77.216 - 20 * math.log10(F_MHZ) + loss_db, abs=0.01)


def test_coast_is_limited_over_the_sea(repository, tmp_path, build):
    config = config_of(
        repository,
        tmp_path,
        {"IT": {"border_field": {}}, "AT": {"unaffected": "test"}, "*": {"unaffected": "test"}},
    )
    limit, _ = limit_of(config, build)
    d_km = float(raster.read(build / "territory/neighbours.tif", bands=["IT coastal"]).values[50, 60])
    assert d_km == pytest.approx(26.0, rel=2e-3)
    assert p1546_dbuvm(d_km, 1.0, sea=True) + limit.eirp_dbm[5, 10] - 62.15 == pytest.approx(21.0, abs=0.07)
    settings = config.protection.model_copy(update={"sea_paths": "ignore"})
    inland, _ = limit_of(config.model_copy(update={"protection": settings}), build)
    assert p1546_dbuvm(20.0, 1.0, sea=False) < p1546_dbuvm(20.0, 1.0, sea=True)
    assert (inland.eirp_dbm >= limit.eirp_dbm).all()
    assert (inland.eirp_dbm > limit.eirp_dbm).any()


def test_device_wider_than_the_channel_may_send_more(repository, tmp_path, build):
    """16 MHz over one channel of 8 MHz: half of the power falls outside it."""
    neighbours = {"*": {"border_field": {}}}
    narrow, _ = limit_of(config_of(repository, tmp_path, neighbours, bandwidth_mhz=5.0), build)
    wide, _ = limit_of(config_of(repository, tmp_path, neighbours, bandwidth_mhz=16.0), build)
    limited = np.isfinite(narrow.eirp_dbm) & np.isfinite(wide.eirp_dbm)
    np.testing.assert_allclose((wide.eirp_dbm - narrow.eirp_dbm)[limited], 10 * math.log10(2))


def test_border_limits_the_power_that_a_bond_has_in_each_of_its_channels(repository, tmp_path, build):
    """A pair may send twice what the stricter of its channels allows: half of it lies in each."""
    neighbours = {"*": {"border_field": {}}}
    single, context = limit_of(config_of(repository, tmp_path, neighbours), build)
    window = slice(45, 55), slice(50, 90)
    own = context.config.devices[0]
    above = asking.prepare("foreign_dtt", context, own, CHANNEL + 1)(*window)
    pair = config_of(repository, tmp_path, neighbours, bond=2, bandwidth_mhz=16.0)
    both = asking.prepare(
        "foreign_dtt", replace(context, config=pair), pair.devices[0], Bond(CHANNEL, CHANNEL + 1)
    )(*window)
    stricter_dbm = np.minimum(single.eirp_dbm, above.eirp_dbm)
    limited = np.isfinite(both.eirp_dbm)
    assert limited.any()
    np.testing.assert_allclose((both.eirp_dbm - stricter_dbm)[limited], 10 * math.log10(2), atol=1e-9)


@pytest.mark.parametrize(
    ("neighbours", "open_lands"),
    [
        ({}, ["AT", "IT"]),
        ({"AT": {}}, ["AT", "IT"]),
        ({"AT": {"coverage": True}}, ["IT"]),
        ({"AT": {"coverage": True}, "IT": {"border_field": {}}}, []),
        ({"AT": {"unaffected": "no television there"}, "IT": {"coverage": True}}, []),
        ({"*": {"border_field": {}}}, []),
    ],
)
def test_pixels_near_an_unknown_neighbour_are_not_evaluated(
    repository, tmp_path, build, neighbours, open_lands
):
    config = config_of(repository, tmp_path, neighbours)
    limit, _ = limit_of(config, build)
    device, data = config.devices[0], foreign_data(config)
    radius_km = {
        c: unknown_reception_range_km(config, device, CHANNEL, data, coastal=c) for c in (False, True)
    }
    assert 30 < radius_km[False] < 45
    assert radius_km[True] > 55
    cols = np.arange(50, 90)
    distance_km = {"AT": 2.0 * np.maximum(90 - cols - 1, 0), "IT": 2.0 * np.maximum(cols - 46 - 1, 0)}
    expected = np.zeros(40, bool)
    for land in open_lands:
        expected |= distance_km[land] < radius_km[land == "IT"]
    certain = np.array(
        [
            all(abs(d[i] - r) > 0.2 for d in distance_km.values() for r in radius_km.values())
            for i in range(40)
        ]
    )
    assert (limit.not_evaluated[4] == expected)[certain].all()


def test_coverage_without_a_transmitter_is_no_data(repository, tmp_path, build):
    """No Austrian row in the register: what Austria receives is not known, whatever the file says."""
    config = config_of(repository, tmp_path, {"*": {"coverage": True}})
    register = tmp_path / "register.csv"
    lines = config.registers.transmitters[0].read_text(encoding="utf-8").splitlines()
    register.write_text(
        "\n".join(line for line in lines if not line.startswith("AT")) + "\n", encoding="utf-8"
    )
    without = config.model_copy(
        update={"registers": config.registers.model_copy(update={"transmitters": [register]})}
    )
    assert not limit_of(config, build)[0].not_evaluated.any()
    open_here = limit_of(without, build)[0].not_evaluated
    assert open_here[:, -1].all()
    assert not open_here[:, 5].any()


def test_channel_without_a_trigger_is_not_evaluated(repository, tmp_path, build):
    table = tmp_path / "triggers.csv"
    table.write_text("from_mhz,to_mhz,field_dbuvm,source,verified\n470,540,21,made up,false\n")
    config = config_of(repository, tmp_path, {"*": {"border_field": {"triggers": str(table)}}})
    limit, _ = limit_of(config, build)
    assert limit.not_evaluated[:, -1].all()
    assert np.isinf(limit.eirp_dbm).all()


def test_explained_terms_add_up_to_the_limit(repository, tmp_path, build):
    config = config_of(repository, tmp_path, {"*": {"border_field": {}}}, margin_db=3.0)
    limit, context = limit_of(config, build)
    rng = np.random.default_rng(3)
    for row, col in zip(rng.integers(0, 10, 30), rng.integers(0, 40, 30), strict=True):
        found = asking.explain(
            "foreign_dtt", context, config.devices[0], CHANNEL, 45 + int(row), 50 + int(col)
        )
        if found is None:
            assert np.isinf(limit.eirp_dbm[row, col])
        else:
            assert sum(term.value_db for term in found.terms) == pytest.approx(
                limit.eirp_dbm[row, col], abs=1e-9
            )
            assert found.victim["country"] in ("AT", "IT")
            json.dumps(found.victim)
    east = asking.explain("foreign_dtt", context, config.devices[0], CHANNEL, 50, 88)
    assert east is not None
    assert east.victim["country"] == "AT"
    assert east.victim["azimuth_deg"] == pytest.approx(90.0, abs=45.0)


def test_margin_grows_with_the_border_rule(repository, tmp_path):
    """1 % of time over the sea reaches farther than reception does."""
    plain = config_of(repository, tmp_path, {})
    ruled = config_of(repository, tmp_path, {"IT": {"border_field": {}}})
    at_sea = border_rule_range_km(
        ruled, ruled.neighbours["IT"].border_field, ruled.devices[0], 21, coastal=True
    )
    assert (
        required_margin_km(ruled, [MODE], coastal=True)
        >= at_sea
        > required_margin_km(plain, [MODE], coastal=True)
    )
    assert required_margin_km(ruled, [MODE], coastal=False) == required_margin_km(
        plain, [MODE], coastal=False
    )


@pytest.mark.parametrize(
    ("centre_mhz", "width_mhz", "expected"),
    [
        (200.0, 7.0, 17.0),
        (546.0, 8.0, 21.0),
        (586.0, 8.0, 23.0),
        (582.0, 8.0, 21.0),
        (722.0, 8.0, 25.0),
        (450.0, 8.0, None),
        (470.0, 8.0, None),
    ],
)
def test_trigger_is_that_of_the_band(repository, centre_mhz, width_mhz, expected):
    triggers = read_triggers(repository / "configs/tables/border_triggers.csv")
    assert trigger_dbuvm(triggers, centre_mhz, width_mhz) == expected


@pytest.mark.parametrize("row", ["582,470,21", "470,600,21\n590,700,20", "a,600,21", "470,600,200"])
def test_faulty_trigger_table_is_refused(tmp_path, row):
    table = tmp_path / "t.csv"
    lines = [f"{line},made up,false" for line in row.split("\n")]
    table.write_text("\n".join(["from_mhz,to_mhz,field_dbuvm,source,verified", *lines]) + "\n")
    with pytest.raises(InputError, match=r"t\.csv"):
        read_triggers(table)


def test_neighbour_cannot_be_both_unaffected_and_protected(repository, tmp_path):
    with pytest.raises(InputError, match=r"neighbours\.AT.*either"):
        config_of(repository, tmp_path, {"AT": {"coverage": True, "unaffected": "agreement"}})
