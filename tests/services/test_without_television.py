"""A band without television: limits come from the other services, and nothing of DTT is needed."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import yaml
from pyproj import Geod, Transformer

from pipeline.errors import InputError
from pipeline.grid import raster
from pipeline.plan.dependencies import rows_of
from pipeline.plan.margin import required_margins_km
from pipeline.plan.plan import load_plan
from pipeline.plan.territory_file import load_config
from pipeline.services.base import ServiceContext
from pipeline.workflow.validate import validate_command
from tests import asking
from tests.jobs import run_from

SERVICES = ["dtt", "foreign_dtt", "pmse", "radio_astronomy", "aeronautical", "mobile", "ppdr"]
LON, LAT = 14.15, 46.1
LINK = (
    "id,lon,lat,f_mhz,bandwidth_mhz,noise_figure_db,gain_dbi,feeder_db,antenna_height_m,acs_db,azimuth_deg,"
    "pattern,coastal\nL1,{lon},{lat},1500,2,5,12,2,20,60,,,no\n"
)
TEXT = """
territory: {home: [SI], bbox_deg: [14.0, 46.0, 14.3, 46.2]}
grid: {crs: "EPSG:3794", resolution_m: 500.0}
channels:
  plan: [{first_channel: 1, last_channel: 3, first_centre_mhz: 1496.0, width_mhz: 4.0}]
  wsd: ["1-3"]
devices:
  - {id: data, emission_class: 1, height_m: 30.0, bandwidth_mhz: 4.0, cap_dbm: 36.0, min_eirp_dbm: -90.0,
     min_separation_m: {value: 20.0, source: test, verified: false}}
levels_dbm: [0.0]
"""


@pytest.fixture
def link_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A territory file with one fixed link at 1.5 GHz in the middle of its box, and no register of DTT."""
    monkeypatch.chdir(tmp_path)
    return write(tmp_path, LINK.format(lon=LON, lat=LAT))


def write(folder: Path, links: str, **more: object) -> Path:
    (folder / "links.csv").write_text(links, encoding="utf-8")
    content = yaml.safe_load(TEXT)
    absent = {"applicable": False, "reason": "test: not in this band"}
    content["services"] = dict.fromkeys(SERVICES, absent) | {"fixed": {"status": "evaluate"}}
    fixed = {"registers": ["links.csv"], "model": "free_space"}
    content["incumbents"] = {"fixed": fixed}
    path = folder / "links.yaml"
    path.write_text(yaml.safe_dump(content | more), encoding="utf-8")
    return path


def limits(path: Path, build: Path, channel: int) -> tuple[np.ndarray, np.ndarray]:
    config = load_config(path)
    surface = raster.read(build / "territory/surface.tif")
    context = ServiceContext(config, build, surface.attrs["grid"], ())
    layers = asking.layers_of(context, config.devices[0], channel, surface.values)
    return layers.limit, layers.eval_flags


def test_limits_are_those_of_a_point_receiver(link_only: Path, tmp_path: Path) -> None:
    """Own formula, co-channel: I_max + L_f - G + L_free(shortest way to the pixel) - share of the power.

    kTB in 2 MHz is -110.99 dBm; with 5 dB noise figure and I/N -20 dB I_max is -125.99 dBm; free space as
    Rec. ITU-R P.525, 32.4 + 20 log f + 20 log d. The receiver's
    2 MHz take in half of the 4 MHz of the device, 3.01 dB. The distance of a pixel is at most half a diagonal
    (0.354 km) smaller than that of its centre.
    """
    run_from("territory", link_only, tmp_path)
    limit, flags = limits(link_only, tmp_path, 2)
    surface = raster.read(tmp_path / "territory/surface.tif")
    grid = surface.attrs["grid"]
    inside = surface.values == 1
    rows, cols = np.nonzero(inside)
    x_m = grid.west_m + (cols + 0.5) * 500.0
    y_m = grid.north_m - (rows + 0.5) * 500.0
    lon, lat = Transformer.from_crs("EPSG:3794", "EPSG:4326", always_xy=True).transform(x_m, y_m)
    _, _, d_m = Geod(ellps="WGS84").inv(np.full(lon.size, LON), np.full(lat.size, LAT), lon, lat)
    i_max_dbm = -174.0 + 10 * math.log10(2e6) + 5.0 - 20.0

    def expected_dbm(d_km: np.ndarray) -> np.ndarray:
        slant_km = np.hypot(d_km, 0.010)
        loss_db = 32.4 + 20 * math.log10(1500.0) + 20 * np.log10(slant_km)
        return i_max_dbm + 2.0 - 12.0 + loss_db + 10 * math.log10(2.0)

    far = d_m > 2000.0
    found_dbm = limit[inside][far] / 100.0
    at_most = np.minimum(expected_dbm(d_m[far] / 1000.0), 36.0)
    at_least = np.minimum(expected_dbm(d_m[far] / 1000.0 - 0.354 - 0.001), 36.0)
    assert (found_dbm <= at_most + 0.02).all()
    # Losses are those at the near end of steps of 0.1 % in distance, 0.009 dB of free space.
    assert (found_dbm >= at_least - 0.03).all()
    assert len(np.unique(found_dbm)) > 50
    # Bits of DTT, foreign DTT and overload are not set: nothing of television was looked at.
    assert (flags[inside] & (1 << 1 | 1 << 8 | 1 << 13) == 0).all()
    assert (flags[inside] & (1 << 7)).all()


def test_plan_has_no_jobs_of_television(link_only: Path) -> None:
    plan = load_plan(link_only)
    assert (plan.victims, plan.tiles, plan.register.sizes["transmitter"]) == ([], [], 0)
    for job in ("territory", "qgis"):
        assert rows_of(plan, job)


def test_territory_is_valid(link_only: Path, capsys: pytest.CaptureFixture[str]) -> None:
    validate_command(link_only)
    said = capsys.readouterr().out
    assert "none: no television here" in said
    assert "not present   dtt: test: not in this band" in said


def test_grid_reaches_the_receivers_abroad_that_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A link some 77 km east of the box widens the grid so far; one in it does not."""
    monkeypatch.chdir(tmp_path)
    assert required_margins_km(load_config(write(tmp_path, LINK.format(lon=LON, lat=LAT)))) == (0.0, 0.0)
    land_km, _ = required_margins_km(load_config(write(tmp_path, LINK.format(lon=15.3, lat=LAT))))
    _, _, d_m = Geod(ellps="WGS84").inv(14.3, LAT, 15.3, LAT)
    assert land_km == pytest.approx(d_m / 1000.0, abs=2.0)


def test_nothing_evaluated_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    absent = {"applicable": False, "reason": "test: not in this band"}
    services = dict.fromkeys([*SERVICES, "fixed"], absent)
    path = write(tmp_path, LINK.format(lon=LON, lat=LAT), services=services)
    with pytest.raises(InputError, match="nothing is evaluated: no layer could say available"):
        validate_command(path)


@pytest.mark.parametrize(
    ("services", "said"),
    [
        ({"dtt": {"status": "evaluate"}}, "registers.transmitters"),
        ({"foreign_dtt": {"status": "evaluate"}}, "services.foreign_dtt cannot be evaluated"),
        ({"dtt": {"applicable": False}}, "needs a reason"),
    ],
)
def test_half_a_television_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, services: dict[str, object], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    absent = {"applicable": False, "reason": "test: not in this band"}
    whole = dict.fromkeys(SERVICES, absent) | {"fixed": {"status": "evaluate"}} | services
    path = write(tmp_path, LINK.format(lon=LON, lat=LAT), services=whole)
    with pytest.raises(InputError, match=said):
        load_config(path)
