"""`channelmaps aggregate` on a made-up territory: tables in, findings out, what is refused."""

from __future__ import annotations

import csv
import math

import numpy as np
import pytest
import yaml
from pyproj import Transformer

from pipeline.errors import InputError
from pipeline.grid import raster
from pipeline.grid.grid import Grid
from pipeline.grid.raster import make_array
from pipeline.plan.territory_file import load_config
from pipeline.quantise import NODATA_CENTI
from pipeline.studies.aggregate import aggregate_command, lattice, round_up
from tests.dtt.test_protection_maps import CHANNEL, HOME, SIZE, Case

HEAD = "lon,lat,channel,eirp_dbm,device\n"


@pytest.fixture(scope="module")
def case(tmp_path_factory, repository):
    """One DTT channel, so that no other channel's coverage is looked for; permitted is 10 dBm or nothing."""
    case = Case(tmp_path_factory.mktemp("placed"), repository, 200.0, {"height_m": 10.0})
    content = yaml.safe_load(case.config_path.read_text())
    register = case.folder / "one.csv"
    with (repository / content["registers"]["transmitters"][0]).open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    with register.open("w", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(row for row in rows if row["channel"] == str(CHANNEL))
    content["registers"]["transmitters"] = [str(register)]
    content["channels"]["wsd"] = [CHANNEL, CHANNEL + 1]
    content["population"] = None
    case.config_path.write_text(yaml.safe_dump(content))
    case.config = load_config(case.config_path)
    permitted = np.where(case.surface == HOME, 1000, NODATA_CENTI).astype(np.int16)
    permitted[6:][case.surface[6:] == HOME] = -9999
    for channel in (CHANNEL, CHANNEL + 1):
        layer = make_array(permitted, case.grid, units="dBm", long_name="x", nodata=NODATA_CENTI)
        path = case.folder / "public" / f"max_eirp_{case.config.devices[0].id}_ch{channel}.tif"
        raster.write(path, layer, tags={}, publish=False)
    return case


def place(case, row: int, col: int) -> str:
    x_m = case.grid.west_m + (col + 0.5) * case.grid.resolution_m
    y_m = case.grid.north_m - (row + 0.5) * case.grid.resolution_m
    lon, lat = Transformer.from_crs(case.grid.crs, "EPSG:4326", always_xy=True).transform(x_m, y_m)
    return f"{lon:.8f},{lat:.8f}"


def check(case, tmp_path, *lines: str, **options):
    table = tmp_path / "placed.csv"
    table.write_text(HEAD + "".join(f"{line}\n" for line in lines), encoding="utf-8")
    aggregate_command(case.config_path, tmp_path / "out", devices=table, build=case.folder, **options)
    with (tmp_path / "out" / "aggregate.csv").open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def first_home(case, rows=slice(0, 6)) -> tuple[int, int]:
    return tuple(int(i) for i in np.argwhere(case.surface[rows] == HOME)[0] + [rows.start, 0])


def test_margin_of_the_table_is_enough_for_the_map(case, tmp_path, capsys):
    here = place(case, *first_home(case))
    (row,) = check(case, tmp_path, *[f"{here},{CHANNEL},-30,fixed30"] * 3)
    assert float(row["margin_db"]) > 1.0
    assert f"required margin_db for all: {float(row['margin_db']):.2f}" in capsys.readouterr().out
    layers = raster.read(tmp_path / "out" / f"aggregate_ch{CHANNEL}.tif")
    fall, excess, margin = layers.values
    assert np.nanmax(excess) == pytest.approx(np.nanmax(fall) - 1.0, abs=1e-4)
    assert layers["band"].values.tolist() == ["fall_pct", "excess_pct", "margin_db"]
    assert float(row["fall_max_pct"]) == pytest.approx(np.nanmax(fall), abs=1e-4)
    assert int(row["excess_pixels"]) == (fall > 1.0).sum()
    assert float(row["fall_p90_pct"]) == pytest.approx(np.nanpercentile(fall, 90), abs=1e-4)
    assert float(row["excess_km2"]) == pytest.approx(0.04 * (fall > 1.0).sum(), rel=1e-3)
    less = -30.0 - float(row["margin_db"])
    (enough,) = check(case, tmp_path, *[f"{here},{CHANNEL},{less},fixed30"] * 3)
    assert 0.99 < float(enough["fall_max_pct"]) <= 1.0
    assert float(enough["margin_db"]) == 0.0
    assert np.nanmax(margin) <= float(row["margin_db"])


def test_empty_eirp_is_what_the_maps_permit(case, tmp_path):
    here = place(case, *first_home(case))
    permitted = check(case, tmp_path, f"{here},{CHANNEL},,fixed30")
    assert permitted == check(case, tmp_path, f"{here},{CHANNEL},10.0,fixed30")


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ("{home},30,40,fixed30", "eirp_dbm"),
        ("{home},30,nan,fixed30", "eirp_dbm"),
        ("{home},30,much,fixed30", "eirp_dbm"),
        ("{home},99,0,fixed30", "channel"),
        ("{home},,0,fixed30", "channel"),
        ("{home},30,0,other", "device"),
        ("0,0,30,0,fixed30", "lon"),
        ("200,46,30,0,fixed30", "lon"),
        ("{home},30,,fixed30", "eirp_dbm"),  # in the part where nothing is permitted
    ],
)
def test_bad_row_is_refused_with_its_line_and_nothing_written(case, tmp_path, line, field):
    home = place(case, *first_home(case, slice(6, SIZE)))
    good = f"{place(case, *first_home(case))},30,0,fixed30"
    with pytest.raises(InputError) as caught:
        check(case, tmp_path, good, line.format(home=home))
    assert (caught.value.row, caught.value.field) == (3, field)
    assert not (tmp_path / "out").exists()


def test_density_spreads_devices_at_what_is_permitted(case, tmp_path, capsys):
    aggregate_command(case.config_path, tmp_path / "out", density_per_km2=25.0, build=case.folder)
    count = 2 * (case.surface[:6] == HOME).sum()  # one per pixel and channel, where something is permitted
    assert capsys.readouterr().out.startswith(f"{count} devices")


@pytest.mark.parametrize(
    "options",
    [{}, {"density_per_km2": 0.0}, {"density_per_km2": 26.0}, {"density_per_km2": 1.0, "device_id": "other"}],
)
def test_impossible_requests_are_refused(case, tmp_path, options):
    with pytest.raises(InputError):
        aggregate_command(case.config_path, tmp_path / "out", build=case.folder, **options)


def test_threshold_method_has_no_location_probability_to_lose(case, tmp_path):
    content = yaml.safe_load(case.config_path.read_text())
    content["protection"]["method"] = "threshold"
    (tmp_path / "threshold.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(InputError, match=r"protection\.method"):
        aggregate_command(tmp_path / "threshold.yaml", tmp_path, density_per_km2=1.0, build=case.folder)


@pytest.mark.parametrize("density_per_km2", [0.01, 0.3, 1.0, 25.0])
def test_lattice_has_the_density_asked_for(density_per_km2):
    row, col = lattice(Grid("EPSG:3794", 200.0, 0.0, 0.0, 600, 400), density_per_km2)
    area_km2 = 600 * 400 * 0.04
    assert row.size == pytest.approx(density_per_km2 * area_km2, rel=0.06)
    assert len(set(zip(row.tolist(), col.tolist(), strict=True))) == row.size
    assert (row.max(), col.max()) < (400, 600)


@pytest.mark.parametrize(("margin_db", "written"), [(0.0, 0.0), (3.0103, 3.02), (3.01, 3.01), (1e-9, 0.0)])
def test_margin_is_rounded_up(margin_db, written):
    assert math.isclose(round_up(margin_db), written)


@pytest.fixture
def wide(case, tmp_path):
    """The territory with a device of 16 MHz over two channels, which may radiate 13 dBm or nothing."""
    content = yaml.safe_load(case.config_path.read_text())
    content["devices"].append(content["devices"][0] | {"id": "wide", "bond": 2, "bandwidth_mhz": 16.0})
    path = tmp_path / "case.yaml"
    path.write_text(yaml.safe_dump(content | {"name": "case"}))
    permitted = np.where(case.surface == HOME, 1300, NODATA_CENTI).astype(np.int16)
    permitted[6:][case.surface[6:] == HOME] = -9999
    layer = make_array(permitted, case.grid, units="dBm", long_name="x", nodata=NODATA_CENTI)
    layer_path = case.folder / "public" / f"max_eirp_wide_ch{CHANNEL}-{CHANNEL + 1}.tif"
    raster.write(layer_path, layer, tags={}, publish=False)
    return path


def falls(case, config_path, out, **options) -> np.ndarray:
    aggregate_command(config_path, out, build=case.folder, **options)
    return raster.read(out / f"aggregate_ch{CHANNEL}.tif").values[0]


@pytest.mark.parametrize("eirp", ["-20", ""])
def test_bond_counts_with_the_half_of_its_power_in_the_victims_channel(case, wide, tmp_path, eirp):
    """Slices 0.5 and 0.5: what lies beside counts 45 dB and more less, so all is as co-channel at half."""
    here = place(case, *first_home(case))
    level_dbm = float(eirp or 13.0) + 10 * math.log10(0.5)
    for name, line in (
        ("bond", f"{here},{CHANNEL}-{CHANNEL + 1},{eirp},wide"),
        ("single", f"{here},{CHANNEL},{level_dbm},fixed30"),
    ):
        (tmp_path / f"{name}.csv").write_text(f"{HEAD}{line}\n", encoding="utf-8")
    bond, single = (
        falls(case, wide, tmp_path / name, devices=tmp_path / f"{name}.csv") for name in ("bond", "single")
    )
    assert np.nanmax(single) > 0.5
    np.testing.assert_allclose(bond, single, rtol=2e-4, atol=1e-5)


def test_density_spreads_bonds_at_what_is_permitted(case, wide, tmp_path, capsys):
    falls(case, wide, tmp_path / "out", density_per_km2=25.0, device_id="wide")
    count = (case.surface[:6] == HOME).sum()
    assert capsys.readouterr().out.startswith(f"{count} devices")


@pytest.mark.parametrize("channel", [f"{CHANNEL}", f"{CHANNEL + 1}-{CHANNEL + 2}", f"{CHANNEL}-", "x"])
def test_channel_that_is_no_bond_of_the_device_is_refused(case, wide, tmp_path, channel):
    (tmp_path / "bad.csv").write_text(
        f"{HEAD}{place(case, *first_home(case))},{channel},0,wide\n", encoding="utf-8"
    )
    with pytest.raises(InputError) as caught:
        falls(case, wide, tmp_path / "out", devices=tmp_path / "bad.csv")
    assert (caught.value.row, caught.value.field) == (2, "channel")
