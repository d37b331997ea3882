"""Inputs that say the same in another way give the same maximum e.i.r.p., through all jobs to the dBm."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
import yaml
from rasterio.transform import from_origin

from pipeline.grid import raster
from pipeline.plan.plan import load_plan
from pipeline.workflow.validate import validate_command
from tests.jobs import run_from
from tests.tiny import write_register

CHANNEL = 21
WEST, NORTH, STEP_DEG = 11.5, 48.0, 0.02
SITE = (14.15, 46.10)


def hill_m() -> np.ndarray:
    """A cone of 1500 m, 1000 m above the plain, under the station; 0.02 degrees, 11.5 to 17 E."""
    y, x = np.mgrid[0:200, 0:275]
    lon_deg, lat_deg = WEST + (x + 0.5) * STEP_DEG, NORTH - (y + 0.5) * STEP_DEG
    away_km = np.hypot((lon_deg - SITE[0]) * 77.1, (lat_deg - SITE[1]) * 111.2)
    return np.round(500.0 + 1000.0 * np.clip(1.0 - away_km / 8.0, 0.0, 1.0))


def write_dem(
    path: Path, values: np.ndarray, *, scale: float = 1.0, unit: str = "", south_up: bool = False
) -> None:
    rows, cols = values.shape
    place = from_origin(WEST, NORTH, STEP_DEG, STEP_DEG)
    if south_up:
        values = values[::-1]
        place = rasterio.Affine(STEP_DEG, 0.0, WEST, 0.0, STEP_DEG, NORTH - rows * STEP_DEG)
    shape = {"height": rows, "width": cols, "count": 1, "dtype": values.dtype}
    with rasterio.open(path, "w", driver="GTiff", crs="EPSG:4326", transform=place, **shape) as sink:
        sink.write(values, 1)
        sink.scales, sink.units = (scale,), (unit,)


@pytest.fixture
def station(tiny: Path) -> Path:
    """The tiny territory with one station, of 1 kW and 85 m, on a hill, for one channel and device."""
    content = yaml.safe_load(tiny.read_text(encoding="utf-8"))
    content["channels"]["wsd"] = [CHANNEL]
    content["grid"]["resolution_m"] = 2000.0
    content["terrain"] = {"dem": ["dem.tif"]}
    tiny.write_text(yaml.safe_dump(content), encoding="utf-8")
    write_dem(tiny.parent / "dem.tif", hill_m().astype(np.float32))
    records(tiny, {})
    return tiny


def records(tiny: Path, *rows: dict[str, object]) -> None:
    """Write a register of records at the site, with some cells changed."""
    stations = [(f"A{i}", *SITE, CHANNEL, 1.0) for i in range(len(rows))]
    path = tiny.parent / "register.csv"
    write_register(path, stations)
    lines = [line.split(",") for line in path.read_text(encoding="utf-8").splitlines()]
    lines[0] += ["sfn", "haat_m"]
    for line, cells in zip(lines[1:], rows, strict=True):
        line += ["", ""]
        for name, value in {"antenna_height_agl_m": 85, **cells}.items():
            line[lines[0].index(name)] = str(value)
    path.write_text("\n".join(",".join(line) for line in lines) + "\n", encoding="utf-8")


def maxima_dbm(tiny: Path) -> tuple[np.ndarray, np.ndarray]:
    """Maximum e.i.r.p. in dBm (NaN: not permitted) and field in dB(uV/m) at all pixels, computed anew."""
    validate_command(tiny)
    plan = load_plan(tiny)
    run_from("territory", tiny, plan.build)
    for tile in plan.tiles:
        run_from("terrain", tiny, plan.build, tile=tile)
    run_from("heights", tiny, plan.build)
    for channel in plan.victims:
        run_from("coverage", tiny, plan.build, channel=channel)
        run_from("protect", tiny, plan.build, channel=channel)
    run_from("combine", tiny, plan.build, channel=CHANNEL)
    levels = raster.read(plan.build / f"public/max_eirp_fixed30_ch{CHANNEL}.tif").values.astype(np.float64)
    field = raster.read(plan.build / f"coverage/ch{CHANNEL}.tif", bands=["field_dbuvm"]).values
    inside = levels != -32768
    return np.where(levels[inside] == -9999, np.nan, levels[inside] / 100.0), field


def feet(tiny: Path) -> None:
    write_dem(
        tiny.parent / "dem.tif", (hill_m() / (1200.0 / 3937.0)).astype(np.float32), unit="US survey foot"
    )


def decimetres(tiny: Path) -> None:
    write_dem(tiny.parent / "dem.tif", (10 * hill_m()).astype(np.int16), scale=0.1)


def decimetres_by_side_file(tiny: Path) -> None:
    write_dem(tiny.parent / "dem.tif", (10 * hill_m()).astype(np.int16))
    side = '<PAMDataset><PAMRasterBand band="1"><Scale>0.1</Scale></PAMRasterBand></PAMDataset>'
    (tiny.parent / "dem.tif.aux.xml").write_text(side, encoding="utf-8")


def south_up(tiny: Path) -> None:
    write_dem(tiny.parent / "dem.tif", hill_m().astype(np.float32), south_up=True)


def site_height_zero(tiny: Path) -> None:
    records(tiny, {"site_height_asl_m": 0})


def network_names_by_case(tiny: Path) -> None:
    records(tiny, {"sfn": "NORTH-A"}, {"sfn": "North -a"})


@pytest.mark.parametrize(
    "way",
    [
        feet,
        pytest.param(decimetres, marks=pytest.mark.slow),
        pytest.param(decimetres_by_side_file, marks=pytest.mark.slow),
        pytest.param(south_up, marks=pytest.mark.slow),
        site_height_zero,
    ],
)
def test_another_way_to_state_the_same_terrain_and_height_gives_the_same_dbm(
    station: Path, way: Callable[[Path], None]
) -> None:
    right_dbm, right_dbuvm = maxima_dbm(station)
    assert np.nanmax(right_dbm) < 0.0  # everything is served, and protected
    way(station)
    found_dbm, found_dbuvm = maxima_dbm(station)
    np.testing.assert_allclose(found_dbuvm, right_dbuvm, atol=0.01)
    np.testing.assert_allclose(found_dbm, right_dbm, atol=0.011)


def test_spellings_of_a_network_protect_what_one_spelling_protects(station: Path) -> None:
    records(station, {"sfn": "NORTH-A"}, {"sfn": "NORTH-A"})
    right_dbm, _ = maxima_dbm(station)
    network_names_by_case(station)
    np.testing.assert_array_equal(maxima_dbm(station)[0], right_dbm)
    assert np.nanmax(right_dbm) < 0.0


def test_an_accepted_second_record_adds_power_and_never_interferes(station: Path) -> None:
    alone_dbm, _ = maxima_dbm(station)
    records(station, {}, {})
    content = yaml.safe_load(station.read_text(encoding="utf-8"))
    content["registers"]["accept"] = ["A1"]
    station.write_text(yaml.safe_dump(content), encoding="utf-8")
    twice_dbm, _ = maxima_dbm(station)
    permitted = ~np.isnan(alone_dbm)
    risen_db = (twice_dbm - alone_dbm)[permitted & ~np.isnan(twice_dbm)]
    assert risen_db.size > 0.9 * permitted.sum()
    assert risen_db.min() > -0.02
    assert risen_db.max() < 10.0 * np.log10(2.0) + 0.5  # twice the wanted power, a little more of its margin


def test_a_null_lowers_the_field_by_its_decibels(station: Path) -> None:
    _, round_dbuvm = maxima_dbm(station)
    # Relative field 0.02 all around but north: 20 log10 0.02 = -33.98 dB.
    pattern = ";".join(["0", *["33.98"] * 35])
    records(station, {"pattern_azimuth_attenuation_db": pattern})
    _, found_dbuvm = maxima_dbm(station)
    lower_db = (round_dbuvm - found_dbuvm)[np.isfinite(round_dbuvm) & np.isfinite(found_dbuvm)]
    assert np.median(lower_db) == pytest.approx(33.98, abs=0.01)
    assert lower_db.min() >= -0.01


def test_haat_of_exactly_0_is_that_of_nobody(station: Path) -> None:
    content = yaml.safe_load(station.read_text(encoding="utf-8"))
    del content["terrain"]
    station.write_text(yaml.safe_dump(content), encoding="utf-8")
    right_dbm, _ = maxima_dbm(station)  # 85 m above ground
    records(station, {"haat_m": 0})
    np.testing.assert_array_equal(maxima_dbm(station)[0], right_dbm)
