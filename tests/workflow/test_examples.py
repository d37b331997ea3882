"""The example territories of other administrations: validated, and computed for one channel on their box."""

from __future__ import annotations

import csv
import itertools
import math
from pathlib import Path

import geopandas
import jsonschema
import numpy as np
import pytest
import rasterio
import shapely
import yaml
from pyproj import Geod

from pipeline.availability.classes import availability_class
from pipeline.availability.combine import devices_on
from pipeline.config.bonds import Bond
from pipeline.grid import raster
from pipeline.plan.plan import load_plan, tiles_of, victims_of
from pipeline.plan.territory_file import export_schema, load_config
from pipeline.radio.allocations import open_allocations
from pipeline.radio.channel_plan import channel_centre_mhz
from pipeline.radio.emission import device_cap_dbm
from pipeline.services.base import ServiceContext
from pipeline.territory.codes import Surface
from pipeline.workflow.validate import validate_command
from tests import asking
from tests.jobs import run_from

OWN_DATA = ["korea", "philippines", "botswana", "china_223", "arkhangelsk", "slovenia_p1812"]
# Of terrain by P.1812, which they read from the shared data.
RELIEF = ["alps", "sao_miguel"]
ALL = [*OWN_DATA, *RELIEF, "usa_san_diego"]


@pytest.fixture
def top(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The repository as the working folder: example files name their inputs from there."""
    monkeypatch.chdir(repository)
    return repository


def example(name: str) -> Path:
    return Path("configs/examples") / f"{name}.yaml"


@pytest.mark.parametrize("name", ALL)
def test_example_follows_the_schema(top, name):
    schema = jsonschema.Draft202012Validator(yaml.safe_load(export_schema()))
    content = yaml.safe_load(example(name).read_text(encoding="utf-8"))
    assert [error.message for error in schema.iter_errors(content)] == []


@pytest.mark.parametrize("name", OWN_DATA)
def test_example_is_valid(top, name, capsys):
    validate_command(example(name))
    assert f"{name}: " in capsys.readouterr().out


@pytest.mark.shared_data
@pytest.mark.parametrize("name", RELIEF)
def test_example_of_relief_is_valid(top, shared, name, capsys):
    validate_command(example(name))
    told = capsys.readouterr().out
    assert f"{name}: " in told
    assert "not verified  propagation.climate.lapse_n_per_km" in told


@pytest.mark.shared_data
def test_example_of_the_fcc_is_valid(top, shared, capsys):
    validate_command(example("usa_san_diego"))
    assert "transmitters 2" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "centres_mhz"),
    [
        ("korea", {14: 473.0, 37: 611.0, 51: 695.0}),
        ("philippines", {14: 473.0, 41: 635.0, 59: 743.0}),
        ("botswana", {21: 474.0, 36: 594.0, 42: 642.0, 48: 690.0}),
        ("china_223", {12: 219.0, 23: 223.5, 34: 234.5}),
        ("usa_san_diego", {2: 57.0, 5: 79.0, 7: 177.0, 14: 473.0, 36: 605.0}),
    ],
)
def test_channel_rasters(top, name, centres_mhz):
    channels = load_config(example(name)).channels
    assert {c: channel_centre_mhz(channels, c) for c in centres_mhz} == centres_mhz


def test_korea_has_all_38_channels_of_470_to_698_mhz(top):
    """SM.2405, Annex 10: 38 channels of 6 MHz; a telescope is a matter of the list, not of the raster."""
    assert load_config(example("korea")).channels.wsd == list(range(14, 52))
    assert 38 * 6 == 698 - 470


def test_philippines_have_the_channels_whole_within_630_to_750_mhz(top):
    """SM.2405, Annex 9: range of the radios; on the raster of 6 MHz with 14 = 470-476 MHz."""
    whole = [n for n in range(14, 70) if 470 + 6 * (n - 14) >= 630 and 476 + 6 * (n - 14) <= 750]
    assert load_config(example("philippines")).channels.wsd == whole
    assert (whole[0], whole[-1]) == (41, 59)


def test_botswana_has_the_channels_of_table_a8_2_within_the_licence(top):
    """SM.2405, Annex 8: channels 21-36 and 42-60, licence for 470-694 MHz, off at once when asked."""
    config = load_config(example("botswana"))
    table = [*range(21, 37), *range(42, 61)]
    assert config.channels.wsd == [n for n in table if 478 + 8 * (n - 21) <= 694]
    assert config.query.max_polling_s <= 60


@pytest.mark.parametrize(
    ("name", "device", "eirp_dbm", "width_mhz", "bond"),
    [
        # Annex 9: +31 dBm conducted for 5, 10 and 20 MHz; 0 dBi.
        ("philippines", "cpe5", 31.0, 5.0, 1),
        ("philippines", "bs10", 31.0, 10.0, 2),
        ("philippines", "bs20", 31.0, 20.0, 4),
        # Table A8-1: 20 dBm conducted in 7.6 MHz with 10, 9 and 0 dBi.
        ("botswana", "base", 30.0, 7.6, 1),
        ("botswana", "client_panel", 29.0, 7.6, 1),
        ("botswana", "client_bowtie", 20.0, 7.6, 1),
    ],
)
def test_devices_of_annexes_8_and_9(top, name, device, eirp_dbm, width_mhz, bond):
    """The cap on density is that of the whole power in the device's width, and takes nothing off it."""
    config = load_config(example(name))
    (found,) = [d for d in config.devices if d.id == device]
    assert (found.bandwidth_mhz, found.bond, found.cap_dbm) == (width_mhz, bond, eirp_dbm)
    density_dbm = eirp_dbm - 10 * math.log10(10 * width_mhz)
    assert found.cap_density_dbm_per_100khz == pytest.approx(density_dbm, abs=0.005)
    assert device_cap_dbm(found) == eirp_dbm
    assert name == "philippines" or found.polarisation == "V"


def test_half_of_the_box_on_bohol_is_sea(top, tmp_path):
    """By Natural Earth 48.5 % of the box is land; channels of mobile services are closed."""
    path = example("philippines")
    run_from("territory", path, tmp_path)
    surface = raster.read(tmp_path / "territory/surface.tif").values
    config = load_config(path)
    west, south, east, north = config.territory.bbox_deg
    middle = math.cos(math.radians((south + north) / 2))
    box_km2 = (east - west) * (north - south) * middle * 111.32 * 110.60
    assert (surface == Surface.HOME).sum() / box_km2 == pytest.approx(0.485, abs=0.01)
    assert (surface == Surface.SEA).any()
    device = config.devices[0]
    assert [found.key for found in open_allocations(config, device, 52)] == ["mobile"]
    assert open_allocations(config, device, 51) == []


@pytest.mark.parametrize(
    ("device", "conducted_mw", "gain_dbi", "psd_dbm"),
    [("fixed", 1000.0, 6.0, 12.2), ("portable", 100.0, 0.0, 2.2)],
)
def test_korean_devices_are_those_of_the_table(top, device, conducted_mw, gain_dbi, psd_dbm):
    """SM.2405, Table A10-1: density in 100 kHz = 10 log(mW) - 10 log 60."""
    (found,) = [d for d in load_config(example("korea")).devices if d.id == device]
    density_dbm = 10 * math.log10(conducted_mw) - 10 * math.log10(60)
    assert density_dbm == pytest.approx(psd_dbm, abs=0.05)
    assert found.cap_density_dbm_per_100khz == pytest.approx(density_dbm + gain_dbi, abs=0.005)
    assert found.cap_dbm == pytest.approx(10 * math.log10(conducted_mw) + gain_dbi)
    assert device_cap_dbm(found) == pytest.approx(found.cap_dbm, abs=0.005)


def test_device_of_table_a10_2_has_39_dbm_on_two_channels(top):
    """30 dBm and 9 dBi in 12 MHz; 38 channels have 37 pairs that touch."""
    config = load_config(example("korea"))
    (device,) = [device for device in config.devices if device.id == "tvbd12"]
    assert device_cap_dbm(device) == pytest.approx(30 + 9)
    assert device.cap_density_dbm_per_100khz == pytest.approx(39 - 10 * math.log10(120), abs=0.005)
    bonds = [str(bond) for bond in config.channels_of(device)]
    assert (bonds[0], bonds[-1], len(bonds)) == ("14-15", "50-51", 37)


@pytest.mark.parametrize(
    ("name", "channel"),
    [
        ("korea", 21),
        ("korea", 26),  # of a microphone
        ("korea", Bond(21, 22)),
        ("philippines", 47),
        ("philippines", Bond(47, 50)),
        ("botswana", 43),
    ],
)
def test_example_is_computed(top, tmp_path, name, channel):
    """Every stage for one device channel: something is limited, nothing left open.

    What is limited may lie below the least that a device radiates: 24.15 dBm of a fixed device from 10 m up,
    0 dBm of others, at most 3 dB below their caps (Report ITU-R SM.2405, Annex 7 (b) and Table A5-3). So the
    limit is looked at before that rule, and the published value has to follow from it.
    """
    path, build = example(name), tmp_path
    plan = load_plan(path)
    run_from("territory", path, build)
    run_from("heights", path, build)
    for victim in victims_of(plan, channel):
        for tile in tiles_of(plan, victim):
            run_from("terrain", path, build, tile=tile)
        run_from("coverage", path, build, channel=victim)
        run_from("protect", path, build, channel=victim)
    run_from("combine", path, build, channel=channel)
    for device in devices_on(plan.config, channel):
        raw = raster.read(build / f"public/max_eirp_{device.id}_ch{channel}.tif").values
        inside = raw[raw != -32768]
        assert inside.size > 400
        assert (inside != -9998).all()
        assert inside.max() <= round(100 * device_cap_dbm(device))
        limit = raster.read(build / f"limits/{device.id}_ch{channel}.tif").values[raw != -32768]
        assert len(np.unique(limit)) > 1
        usual_dbm = 24.15 if device.type == "A" and device.height_m >= 10.0 else 0.0
        least_centi = round(100 * min(usual_dbm, device.cap_dbm - 3.0))
        np.testing.assert_array_equal(inside, np.where(limit < least_centi, -9999, limit))


def sight_lines(terrain: Path, lon_deg, lat_deg):
    """Least height in m over the ground of lines from Pico das Eguas to 10 m over places, and their km."""
    with rasterio.open(terrain) as source:
        ground_m, place = np.maximum(source.read(1), 0.0), source.transform

    def height_m(lon, lat):
        cols, rows = ~place * (lon, lat)
        rows, cols = (
            at.astype(int).clip(0, n - 1) for at, n in zip((rows, cols), ground_m.shape, strict=True)
        )
        return ground_m[rows, cols]

    mast_deg, mast_m = (-25.7531, 37.8260), 827.0 + 20.0
    masts_deg = [np.full_like(lon_deg, angle) for angle in mast_deg]
    _, _, metres = Geod(ellps="WGS84").inv(*masts_deg, lon_deg, lat_deg)
    part = np.linspace(0.02, 0.98, 200)[:, np.newaxis]
    between_deg = (near + part * (far - near) for near, far in zip(mast_deg, (lon_deg, lat_deg), strict=True))
    between_m = height_m(*between_deg)
    bulge_m = part * (1 - part) * metres**2 / (2 * 8.5e6)
    line_m = mast_m + part * (height_m(lon_deg, lat_deg) + 10.0 - mast_m)
    return (line_m - between_m - bulge_m).min(axis=0), metres / 1000.0


@pytest.mark.slow
@pytest.mark.shared_data
def test_hills_of_an_island_hide_a_station(top, shared, tmp_path):
    """Fields over Sao Miguel against a search for the sight line of each place, of its own.

    Pico das Eguas, 0.5 kW without a pattern, 847 m: places in sight have nearly the field of free space,
    but for cover near them; places more than 100 m below it lack at least the 6 dB of a grazing edge.
    """
    path, channel = example("sao_miguel"), 42
    run_from("territory", path, tmp_path)
    for job in ("terrain", "losses"):
        for tile in tiles_of(load_plan(path), channel):
            run_from(job, path, tmp_path, tile=tile)
    run_from("coverage", path, tmp_path, channel=channel)
    found = raster.read(tmp_path / f"coverage/ch{channel}.tif", bands=["wanted_dbuvm"])
    home = raster.read(tmp_path / "territory/surface.tif").values == Surface.HOME
    y, x = np.nonzero(home)
    y, x = y[::7], x[::7]
    grid = found.attrs["grid"]
    lon_deg, lat_deg = grid.to_lonlat().transform(*grid.xy_m(y, x))
    clearance_m, distance_km = sight_lines(shared / "sao_miguel/eu_dem_v11.tif", lon_deg, lat_deg)
    beyond_db = 106.9 + 10 * math.log10(0.5) - 20 * np.log10(distance_km) - found.values[y, x]
    far = distance_km > 2
    assert np.median(beyond_db[far & (clearance_m > 50)]) < 6
    hidden = beyond_db[far & (clearance_m < -100)]
    assert hidden.min() > 6
    assert np.median(hidden) > 25


def test_nothing_is_available_in_china_without_the_register_of_the_band(top, tmp_path):
    """SM.2405, Annex 6: the users of the band are registered, and that register is not here.

    The maps of television are left out: whatever it allows, its neighbours in frequency are not evaluated.
    """
    path, build = example("china_223"), tmp_path
    config = load_config(path)
    run_from("territory", path, build)
    surface = raster.read(build / "territory/surface.tif")
    (device,) = config.devices
    for channel in sorted(config.channels.wsd):
        context = ServiceContext(config, build, surface.attrs["grid"], ())
        limit, raw, _, flags = asking.layers_of(context, device, channel, surface.values)
        assert np.unique(raw).tolist() == [-32768, -9998]
        assert (raw == -9998).sum() == 472
        assert ((flags[raw == -9998] & 1) == 0).all()
        assert (flags[raw == -9998] & 2).all()
        for level_dbm in config.levels_dbm:
            assert np.unique(availability_class(limit, level_dbm)).tolist() == [2, 255]
    assert "register is not part of this example" in config.notice


def test_blocks_of_china_are_unknown_everywhere(top, tmp_path):
    path, build = example("china_223"), tmp_path
    run_from("territory", path, build)
    run_from("allotments", path, build)
    blocks = ("223-224", "224-225", "225-226", "229-230", "230-231", "231-232", "232-233")
    for block in blocks:
        found = raster.read(build / f"public/allotment_unused_{block}.tif").values
        assert np.unique(found).tolist() == [2, 255]
    shares = (build / "public/allotment_shares.csv").read_text().splitlines()
    assert len(shares) == 1 + len(blocks)
    assert all(",100.0," in line or line.count("100") for line in shares[1:])


def test_network_of_arkhangelsk_is_as_its_script_says(top):
    """SM.2405, Annex 5, prints none: 40 sites within 5 km of the largest places, channels kept apart."""
    with Path("data/examples/arkhangelsk_places.csv").open(encoding="utf-8") as lines:
        places = list(csv.DictReader(lines))
    with Path("data/examples/arkhangelsk_transmitters.csv").open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    at = {row["site"]: (float(row["lon"]), float(row["lat"])) for row in rows}
    assert (len(rows), len(at)) == (80, 40)
    towns = {
        f"Illustrative, {row['name']}": (float(row["longitude"]), float(row["latitude"]))
        for row in reversed(places)  # of two places of one name the larger
    }
    assert all(_km(place, towns[site]) <= 5.03 for site, place in at.items())
    northern = {site.split(", ")[1] for site, (_, lat_deg) in at.items() if lat_deg > 64.8}
    assert northern == {"Mezen\N{RIGHT SINGLE QUOTATION MARK}", "Leshukonskoye"}
    powers = [float(row["erp_kw"]) for row in rows]
    assert [powers.count(erp_kw) for erp_kw in (5.0, 1.0, 0.1)] == [8, 20, 52]
    heights_m = {5.0: (150, 250), 1.0: (70, 100), 0.1: (40, 60)}
    for row in rows:
        low_m, high_m = heights_m[float(row["erp_kw"])]
        assert low_m <= float(row["antenna_height_agl_m"]) <= high_m
    for one, other in itertools.combinations(rows, 2):
        if one["channel"] == other["channel"]:
            large = "5" in (one["erp_kw"], other["erp_kw"])
            assert _km(at[one["site"]], at[other["site"]]) >= (200.0 if large else 120.0) * 0.995


def test_land_of_arkhangelsk_is_the_right_way_round(top):
    """Towns and straits by their places on any map; the polygon it was made of had them turned over."""
    (land,) = geopandas.read_file("data/examples/arkhangelsk_land.gpkg").query("name == 'Russia'").geometry
    towns = {"Mezen": (44.25, 65.84), "Umba": (34.33, 66.69), "Varzuga": (36.6, 66.4), "Pinega": (43.4, 64.7)}
    straits = {
        "Gorlo": (39.8, 65.9),
        "off Kola": (38.2, 65.9),
        "Dvina Bay": (39.3, 64.9),
        "Onega Bay": (37.3, 64.2),
    }
    assert {name for name, place in towns.items() if land.contains(shapely.Point(place))} == set(towns)
    assert not {name for name, place in straits.items() if land.contains(shapely.Point(place))}


def _km(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Distance on a sphere of 6371 km, within 0.5 %."""
    (lon1, lat1), (lon2, lat2) = (map(math.radians, place) for place in (one, other))
    half = math.sin((lat2 - lat1) / 2) ** 2
    half += math.cos(lat1) * math.cos(lat2) * math.sin((lon2 - lon1) / 2) ** 2
    return 2 * 6371.0 * math.asin(math.sqrt(half))
