"""Inputs of users that once failed or were taken wrongly, as they came: refused by name, or read right."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import InputError
from pipeline.grid import raster
from pipeline.grid.foreign_rasters import read_external
from pipeline.plan.plan import load_plan
from pipeline.plan.territory_file import load_config
from pipeline.registers.transmitters import read_register
from pipeline.services.pmse.pmse_register import read_pmse_register
from pipeline.terrain.elevation import load_elevation
from pipeline.terrain.records import LonLatRaster
from pipeline.terrain.tile_sweeps import above_ground, masts_of_tile
from pipeline.workflow.validate import validate_command
from tests.jobs import run_from

pytestmark = pytest.mark.shared_data
Case = Callable[[str], Path]


@pytest.fixture
def case(shared: Path, tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch) -> Case:
    """Stands in a copy of a case, beside the data that its territory files name."""

    def stand_in(name: str) -> Path:
        folder = tmp_path / name
        shutil.copytree(shared / "cases" / name, folder, copy_function=shutil.copyfile)
        for path in [folder, *folder.rglob("*")]:
            path.chmod(0o755 if path.is_dir() else 0o644)
        (folder / "data").symlink_to(repository / "data")
        monkeypatch.chdir(folder)
        return folder

    return stand_in


def at(elevation: LonLatRaster, lon_deg: float, lat_deg: float) -> float:
    column = int((lon_deg - elevation.west_deg) / elevation.step_lon_deg)
    row = int((elevation.north_deg - lat_deg) / elevation.step_lat_deg)
    return float(elevation.values[row, column])


@pytest.mark.parametrize("file", ["same-twice.yaml", "licence-and-permit.yaml"])
def test_a_record_twice_is_refused(case: Case, file: str) -> None:
    case("01-duplicate-record")
    with pytest.raises(InputError, match="same channel and site"):
        read_register(load_config(file))
    assert read_register(load_config("one-record.yaml"))[0].sizes["transmitter"] == 1


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("lat-lon-swapped.yaml", "lon and lat look exchanged"),
        ("west-sign.yaml", "the sign of lon looks wrong"),
        ("booking-swapped.yaml", "lon and lat look exchanged"),
        ("link-swapped.yaml", "lon and lat look exchanged"),
        ("excl-swapped.yaml", "lon and lat look exchanged"),
    ],
)
def test_exchanged_coordinates_are_refused(case: Case, file: str, said: str) -> None:
    case("03-swapped-coordinates")
    with pytest.raises(InputError) as refused:
        validate_command(Path(file))
    assert said in str(refused.value)


def test_a_site_height_of_zero_is_named_and_does_not_bury_the_antenna(
    case: Case, capsys: pytest.CaptureFixture[str]
) -> None:
    """The terrain model has some 1580 m at the mast; 1740 m is right there, 0 stands for "not known"."""
    case("04-site-height-zero")
    for file, differs in (("site-1740.yaml", 0), ("site-empty.yaml", 0), ("site-0.yaml", 1)):
        validate_command(Path(file))
        assert f"height_differs {differs}" in capsys.readouterr().out, file
    elevation = load_elevation([Path("data/slovenia/dem_globe_30s.tif")], (14.4, 46.2, 14.6, 46.4), None)
    (mast,) = masts_of_tile(read_register(load_config("site-0.yaml"))[0], "n46e014")
    assert mast.site_height_asl_m == 0.0
    assert above_ground(mast, elevation).site_height_asl_m == pytest.approx(1580.0, abs=20.0)


@pytest.mark.slow
def test_maxima_of_a_site_height_of_zero_are_those_of_none(case: Case) -> None:
    """At every pixel; with 1740 m, 160 m above the terrain model, they differ by a few dB at most."""
    case("04-site-height-zero")
    of_zero, of_none, of_1740 = (maxima_raw(f"site-{name}.yaml") for name in ("0", "empty", "1740"))
    np.testing.assert_array_equal(of_zero, of_none)
    permitted = of_none > -9998
    assert permitted.any()
    assert of_none[permitted].max() < 0
    np.testing.assert_array_equal(of_1740 > -9998, permitted)
    assert np.abs(of_1740[permitted] - of_none[permitted]).max() < 300


def maxima_raw(territory: str) -> np.ndarray:
    """Maximum e.i.r.p. of channel 30 in 0.01 dBm as published, computed job by job."""
    plan = load_plan(territory)
    run_from("territory", territory, plan.build)
    for tile in plan.tiles:
        run_from("terrain", territory, plan.build, tile=tile)
    run_from("heights", territory, plan.build)
    for channel in plan.victims:
        run_from("coverage", territory, plan.build, channel=channel)
        run_from("protect", territory, plan.build, channel=channel)
    run_from("combine", territory, plan.build, channel=30)
    return np.asarray(raster.read(plan.build / "public/max_eirp_d_ch30.tif").values)


def test_the_same_hill_in_three_units_is_one(case: Case) -> None:
    folder = case("06-dem-units-and-scale")
    box = (14.4, 46.2, 14.6, 46.4)
    heights = [
        at(load_elevation([folder / f"{unit}.tif"], box, None), 14.5308, 46.295)
        for unit in ("metres", "decimetres", "feet")
    ]
    assert heights[0] > 1000.0
    assert heights[1:] == pytest.approx([heights[0]] * 2, abs=0.6)


def test_spellings_of_a_network_are_one(case: Case) -> None:
    case("08-sfn-spelling")
    for file in ("same-name.yaml", "other-case.yaml"):
        assert len(set(read_register(load_config(file))[0]["sfn"].values.tolist())) == 1


def test_relative_field_is_refused(case: Case) -> None:
    case("09-relative-field-pattern")
    with pytest.raises(InputError, match="relative field"):
        read_register(load_config("relative-field.yaml"))
    assert read_register(load_config("in-db.yaml"))[0]["attenuation_db"].max() > 30.0


def test_times_of_a_geopackage_have_seconds_and_may_be_open(case: Case) -> None:
    case("11-gpkg-datetime")
    bookings, rejected = read_pmse_register(load_config("bookings.yaml"))
    assert not rejected
    assert bookings.sizes["assignment"] == 2


def test_tiles_of_one_model_with_two_steps_join(case: Case) -> None:
    folder = case("12-copernicus-50N")
    elevation = load_elevation(sorted(folder.glob("*.tif")), (13.5, 49.5, 15.5, 50.5), None)
    assert np.isfinite(elevation.values).all()


def test_rasters_with_the_south_on_top_are_turned(case: Case) -> None:
    folder = case("13-south-up")
    elevation = load_elevation([folder / "south_up.tif"], (14.4, 46.2, 14.6, 46.4), None)
    assert np.isfinite(elevation.values).all()
    people = read_external(folder / "people_south_up.tif")
    assert people.attrs["transform"].e < 0.0


def test_a_path_with_a_blank_is_a_path(case: Case) -> None:
    case("14-path-with-space")
    assert load_plan("my data/tiny.yaml").config.devices


@pytest.mark.slow
def test_a_run_of_a_path_with_a_blank_is_published(case: Case, repository: Path) -> None:
    folder = case("14-path-with-space")
    command = [sys.executable, "-m", "pipeline", "run", "my data/tiny.yaml"]
    environment = os.environ | {"PYTHONPATH": str(repository)}
    run = subprocess.run(command, cwd=folder, env=environment, text=True, capture_output=True, timeout=900)
    assert run.returncode == 0, run.stdout + run.stderr
    assert (folder / "results/tiny/latest/public/max_eirp_d_ch30.tif").is_file()
