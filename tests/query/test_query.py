"""`channelmaps query`: what it answers is what the published layers hold, read here by rasterio alone."""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from copy import deepcopy
from datetime import UTC, datetime
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import rasterio
import shapely
from pyproj import Transformer
from scipy.optimize import brentq
from typer.testing import CliRunner

from pipeline.cli.main import app
from pipeline.errors import InputError
from pipeline.publish.release import utc_period
from pipeline.query.paws_request import respond
from pipeline.query.query import Database, PawsError, Request, answer, close_database, open_database
from tests.published import NOT_EVALUATED, NOT_PERMITTED, OUTSIDE, PIXEL_M, publish, with_devices
from tests.tiny import CONFIG, STATIONS, write_register

NOW = datetime(2026, 11, 21, 13, 30, tzinfo=UTC)
DEVICES = [
    ("a30", "A", 1, 30.0),
    ("a10", "A", 1, 10.0),
    ("a5", "A", 1, 5.0),
    ("a1", "A", 1, 1.5),
    ("b1", "B", 4, 1.5),
    ("slave", "A", 5, 30.0),
]
PLACE = {"latitude": 46.1, "longitude": 14.16}
# Values that stand in a damaged manifest, by key.
DAMAGES: dict[str, list[object]] = {
    "query": [None, [], {}, 3],
    "query.devices": [None, [], {}, [None], ["a30"], [{}]],
    "query.devices.0.bandwidth_hz": [0, -8e6, None, "8000000", math.nan, math.inf],
    "query.devices.0.file": ["", "../x.tif", "/etc/passwd", "public/\0.tif", 1, None],
    "query.devices.0.height_m": [None, "30", -1.0],
    "query.devices.0.cap_dbm": ["36", 1e9],
    "query.channels": [None, [], [{}], [[]]],
    "query.channels.0.start_hz": [None, "x", 0, math.nan],
    "query.generic_slave": [None, {}],
    "query.ruleset": [None, {}, []],
    "query.limits": [None, [], {"maxTotalBwHz": "x"}],
    "valid_utc": [None, {}, [], {"startTime": "x", "stopTime": "y"}],
    "run_id": [None, 3, ""],
    "outputs": [None, {}, [{}], [{"path": "../x", "sha256": "0"}]],
    "territory": [None, 3, "a/b", [], ""],
    "config": [None, [], {}, {"settings": None}, {"settings": []}],
    "inputs": [None, {}, [None], [{}], [{"key": 1, "path": 2, "sha256": 3}]],
    "channels": [None, [], {}, {"dtt": None}, {"dtt": ["x"]}],
    "software": [None, [], {}, {"code": None}, {"code": []}],
}
NEEDED_BY_ALL = {"territory", "config", "inputs", "software"}
TO_DEGREES = Transformer.from_crs(3794, 4326, always_xy=True)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published run of six devices; the slave's layers have few gaps, for regions of many pixels."""
    folder = tmp_path_factory.mktemp("published")
    (folder / "tiny.yaml").write_text(CONFIG)
    write_register(folder / "register.csv", STATIONS)
    with_devices(folder / "tiny.yaml", *DEVICES)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return publish(Path("tiny.yaml"), gaps={"slave": 0.0005}).absolute()


@pytest.fixture
def database(run: Path):
    opened = open_database(run)
    yield opened
    close_database(opened)


@cache
def layers(run: Path, device: str) -> tuple[np.ndarray, rasterio.Affine]:
    """Raw values [channel 21 to 30, y, x] of the published layers, and their place."""
    stack = []
    for channel in range(21, 31):
        with rasterio.open(run / f"public/max_eirp_{device}_ch{channel}.tif") as layer:
            stack.append(layer.read(1))
            place = layer.transform
    return np.stack(stack), place


def random_places(run: Path, count: int) -> list[tuple[float, float]]:
    """Projected coordinates at least three pixels inside the territory."""
    stack, place = layers(run, "a30")
    home = np.argwhere(stack[0] != OUTSIDE)
    middle = home.mean(axis=0)
    home = home[np.hypot(*(home - middle).T) < 38]
    rng = np.random.default_rng(5)
    chosen = home[rng.integers(0, len(home), count)] + rng.random((count, 2))
    return [place @ (col, row) for row, col in chosen]


def touched(run: Path, device: str, x_m: float, y_m: float, radius_m: float) -> tuple[np.ndarray, np.ndarray]:
    """Raw values [channel, pixel] of all squares with a point within ``radius_m``; and the distances."""
    stack, place = layers(run, device)
    rows, cols = np.indices(stack.shape[1:])
    west, north = place @ (cols.ravel(), rows.ravel())
    squares = shapely.box(west, north - PIXEL_M, west + PIXEL_M, north)
    distance_m = shapely.distance(squares, shapely.Point(x_m, y_m))
    return stack.reshape(10, -1)[:, distance_m <= radius_m], distance_m


def expected(values: np.ndarray) -> dict[int, float]:
    """Available channels with their levels, from raw values [channel, pixel]."""
    found = {}
    for channel, raw in zip(range(21, 31), values, strict=True):
        if not np.isin(raw, [OUTSIDE, NOT_PERMITTED, NOT_EVALUATED]).any():
            found[channel] = raw.min() / 100.0
    return found


def ask(database: Database, x_m: float, y_m: float, **request: object) -> dict:
    """The answer; without a height or a device asked for, that of the layer of 30 m alone."""
    lon_deg, lat_deg = TO_DEGREES.transform(x_m, y_m)
    if "height_m" not in request:
        request = {"device": "a30"} | request
    return answer(database, Request(lon_deg, lat_deg, **request), NOW)


def levels(message: dict, spectrum: int = 0) -> dict[int, float]:
    """Channels (8 MHz from 470 MHz on) and levels of one spectrum of a message."""
    found = {}
    schedule = message["spectrumSpecs"][0]["spectrumSchedules"][0]
    for profile in schedule["spectra"][spectrum]["profiles"]:
        for low, high in zip(profile[::2], profile[1::2], strict=True):
            assert high["hz"] - low["hz"] == 8e6
            assert high["dbm"] == low["dbm"]
            found[21 + round((low["hz"] - 470e6) / 8e6)] = low["dbm"]
    return found


def test_point_answer_is_the_value_of_its_pixel_in_every_channel(run: Path, database: Database) -> None:
    for x_m, y_m in random_places(run, 200):
        values, _ = touched(run, "a30", x_m, y_m, 0.0)
        assert values.shape == (10, 1)
        message = ask(database, x_m, y_m)
        assert levels(message) == expected(values)
        assert {one["channel"]: one["dbm"] for one in message["channels"]} == expected(values)


def test_level_in_100_khz_is_the_even_share_rounded_down(run: Path, database: Database) -> None:
    for x_m, y_m in random_places(run, 20):
        message = ask(database, x_m, y_m)
        wide, narrow = levels(message), levels(message, 1)
        assert set(wide) == set(narrow)
        shares = [level - 10 * math.log10(80) - narrow[channel] for channel, level in wide.items()]
        assert all(-1e-9 <= share < 0.001 + 1e-9 for share in shares)


@pytest.mark.parametrize("uncertainty_m", [1.0, 50.0, 170.0, 444.0])
def test_uncertainty_takes_the_least_of_all_pixels_touched(
    run: Path, database: Database, uncertainty_m: float
) -> None:
    for x_m, y_m in random_places(run, 40):
        values, distance_m = touched(run, "a30", x_m, y_m, uncertainty_m)
        if np.abs(distance_m - uncertainty_m).min() > 0.5:  # the grid is not quite true to distance
            assert levels(ask(database, x_m, y_m, uncertainty_m=uncertainty_m)) == expected(values)


def test_pixel_touched_by_a_metre_counts(run: Path, database: Database) -> None:
    stack, place = layers(run, "a30")
    here, east = stack[:, 45, 60], stack[:, 45, 61]
    x_m, y_m = place @ (61.0, 45.5)
    alone = ask(database, x_m - 5.0, y_m, uncertainty_m=4.0)
    both = ask(database, x_m - 5.0, y_m, uncertainty_m=6.0)
    assert levels(alone) == expected(here[:, np.newaxis])
    assert levels(both) == expected(np.stack([here, east], axis=1))
    assert levels(both) != levels(alone)


def test_channel_not_evaluated_is_never_answered(run: Path, database: Database) -> None:
    kinds = {NOT_EVALUATED: 0, NOT_PERMITTED: 0}
    for x_m, y_m in random_places(run, 100):
        (values, _), message = touched(run, "a30", x_m, y_m, 0.0), ask(database, x_m, y_m)
        ranges = message["spectrumSpecs"][0]["frequencyRanges"]
        for channel, raw in zip(range(21, 31), values[:, 0], strict=True):
            centre_hz = 474e6 + 8e6 * (channel - 21)
            covered = any(r["startHz"] < centre_hz < r["stopHz"] for r in ranges)
            assert covered == (raw != NOT_EVALUATED)
            if raw in kinds:
                kinds[raw] += 1
                assert channel not in levels(message)
                assert channel not in levels(message, 1)
    assert min(kinds.values()) > 20


def test_message_has_what_rfc_7545_requires(run: Path, database: Database) -> None:
    message = ask(database, *random_places(run, 1)[0])
    assert (message["type"], message["version"]) == ("AVAIL_SPECTRUM_RESP", "1.0")
    assert message["timestamp"] == "2026-11-21T13:30:00Z"
    assert message["deviceDesc"]["etsiEnDeviceCategory"] == "master"
    assert message["deviceDesc"]["etsiEnDeviceEmissionsClass"] == "1"
    (spec,) = message["spectrumSpecs"]
    assert spec["rulesetInfo"]["authority"] == "si"
    assert spec["rulesetInfo"]["rulesetId"] == message["deviceDesc"]["rulesetIds"][0]
    (schedule,) = spec["spectrumSchedules"]
    assert schedule["eventTime"] == {"startTime": "2026-11-21T12:00:00Z", "stopTime": "2026-11-22T12:00:00Z"}
    assert [one["resolutionBwHz"] for one in schedule["spectra"]] == [8e6, 1e5]
    json.dumps(message, allow_nan=False)


def test_profiles_are_ordered_disjoint_and_step_where_channels_meet(run: Path, database: Database) -> None:
    steps = 0
    for x_m, y_m in random_places(run, 30):
        schedule = ask(database, x_m, y_m)["spectrumSpecs"][0]["spectrumSchedules"][0]
        profiles = schedule["spectra"][0]["profiles"]
        ends = [(profile[0]["hz"], profile[-1]["hz"]) for profile in profiles]
        assert all(stop < start for (_, stop), (start, _) in pairwise(ends))
        for profile in profiles:
            hz = [point["hz"] for point in profile]
            assert hz == sorted(hz)
            assert max(hz.count(one) for one in hz) <= 2
            steps += len(hz) - len(set(hz))
    assert steps > 0


def test_pixel_is_named_by_its_corner(run: Path, database: Database) -> None:
    _, place = layers(run, "a30")
    x_m, y_m = place @ (60.5, 45.25)
    west_m, south_m = place @ (60, 46)
    pixel = ask(database, x_m, y_m)["pixel"]
    assert pixel == {"id": f"EPSG:3794/200/E{west_m:.0f}N{south_m:.0f}", "row": 45, "col": 60}


def least(run: Path, names: Sequence[str], x_m: float, y_m: float, radius_m: float = 0.0) -> dict[int, float]:
    """The levels of several layers at a place: a channel needs one in each, and gets the lowest."""
    values = [touched(run, name, x_m, y_m, radius_m)[0] for name in names]
    return expected(np.concatenate(values, axis=1))


@pytest.mark.parametrize(
    ("height_m", "spread_m", "names"),
    [
        (0.5, 0.0, ["a1"]),
        (1.5, 0.0, ["a1"]),
        (1.6, 0.0, ["a1", "a5"]),
        (5.0, 0.0, ["a5"]),
        (7.5, 0.0, ["a5", "a10"]),
        (10.0, 0.0, ["a10"]),
        (10.0, 0.1, ["a5", "a10", "a30"]),
        (12.0, 2.0, ["a10", "a30"]),
        (20.0, 0.0, ["a10", "a30"]),
        (30.0, 0.0, ["a30"]),
        (4.0, 9.0, ["a1", "a5", "a10", "a30"]),
        (0.5, 1.0, ["a1"]),
    ],
)
def test_height_is_answered_by_the_layers_on_both_sides(
    run: Path, database: Database, height_m: float, spread_m: float, names: list[str]
) -> None:
    for x_m, y_m in random_places(run, 3):
        message = ask(database, x_m, y_m, height_m=height_m, height_spread_m=spread_m)
        assert message["layers"] == names
        assert message["device"] == names[-1]
        assert levels(message) == least(run, names, x_m, y_m)


@pytest.mark.parametrize(("height_m", "spread_m"), [(30.1, 0.0), (29.0, 2.0), (400.0, 0.0)])
def test_height_above_the_highest_layer_is_not_answered(
    database: Database, height_m: float, spread_m: float
) -> None:
    with pytest.raises(PawsError) as refused:
        answer(database, Request(14.16, 46.1, height_m=height_m, height_spread_m=spread_m), NOW)
    assert int(refused.value.code) == -102
    assert refused.value.data == "highest antenna height of this database is 30 m"


def test_no_height_is_the_least_of_all_heights_of_the_kind(run: Path, database: Database) -> None:
    for x_m, y_m in random_places(run, 3):
        message = ask(database, x_m, y_m, height_m=None)
        assert message["layers"] == ["a1", "a5", "a10", "a30"]
        assert levels(message) == least(run, message["layers"], x_m, y_m)


def test_several_channels_together_are_restricted(database: Database, run: Path) -> None:
    x_m, y_m = random_places(run, 1)[0]
    spec = ask(database, x_m, y_m)["spectrumSpecs"][0]
    assert spec["etsiEnSimultaneousChannelOperationRestriction"] == "1"
    # A table of RFC 7545 cuts the name off, and there are devices that read it so.
    assert spec["etsiEnSimultaneousChannelOpera"] == "1"
    assert (spec["maxTotalBwHz"], spec["maxContiguousBwHz"]) == (8e6, 8e6)


def test_device_answers_for_itself(run: Path, database: Database) -> None:
    x_m, y_m = random_places(run, 1)[0]
    message = ask(database, x_m, y_m, device="b1")
    assert levels(message) == expected(touched(run, "b1", x_m, y_m, 0.0)[0])
    assert message["deviceDesc"]["etsiEnDeviceType"] == "B"


def refusal(database: Database, lon_deg: float, lat_deg: float, **request: object) -> int:
    with pytest.raises(PawsError) as refused:
        answer(database, Request(lon_deg, lat_deg, **request), NOW)
    return int(refused.value.code)


@pytest.mark.parametrize(
    ("lon_deg", "lat_deg", "code"),
    [
        (14.16, 90.5, -202),
        (180.5, 46.1, -202),
        (math.nan, 46.1, -202),
        (14.16, math.inf, -202),
        (15.5, 46.1, -104),
        (14.16, -46.1, -104),
        (-100.0, 40.0, -104),
        (14.16, 90.0, -104),
    ],
)
def test_place_elsewhere_or_nowhere_is_refused(
    database: Database, lon_deg: float, lat_deg: float, code: int
) -> None:
    assert refusal(database, lon_deg, lat_deg) == code


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ({"uncertainty_m": -1.0}, -202),
        ({"uncertainty_m": math.nan}, -202),
        ({"height_m": 0.0}, -202),
        ({"height_m": -3.0}, -202),
        ({"height_m": math.inf}, -202),
        ({"height_m": 10.0, "height_spread_m": -1.0}, -202),
        ({"height_m": 10.0, "height_spread_m": math.nan}, -202),
        ({"eirp_dbm": math.nan}, -202),
        ({"device": "a31"}, -102),
        ({"device": "b1", "height_m": 12.0}, -102),
        ({"device": "b1", "generic_slave": True}, -103),
        ({"uncertainty_m": 1e6}, -104),
        ({"uncertainty_m": 1e7}, -202),
        ({"eirp_dbm": 10.0}, -202),
        ({"height_m": 1e6}, -202),
    ],
)
def test_request_that_cannot_be_answered_has_its_code(
    database: Database, request_: dict[str, object], code: int
) -> None:
    assert refusal(database, 14.16, 46.1, **request_) == code


def test_uncertainty_that_reaches_outside_is_not_covered(run: Path, database: Database) -> None:
    stack, place = layers(run, "a30")
    row = 45
    col = np.flatnonzero(stack[0, row] != OUTSIDE).max()
    lon_deg, lat_deg = TO_DEGREES.transform(*(place @ (col + 0.5, row + 0.5)))
    assert answer(database, Request(lon_deg, lat_deg, uncertainty_m=90.0), NOW)
    assert refusal(database, lon_deg, lat_deg, uncertainty_m=110.0) == -104


# --- generic slaves -----------------------------------------------------------------------------------------


def open_hata_db(d_km: float, f_mhz: float, hb_m: float, hm_m: float) -> float:
    """Extended Hata over open land from 0.1 km on, written from Report ITU-R SM.2028."""
    log_f, log_hb = math.log10(f_mhz), math.log10(max(30.0, hb_m))
    alpha = 1.0
    if d_km > 20.0:
        alpha += (0.14 + 1.87e-4 * f_mhz + 1.07e-3 * hb_m) * math.log10(d_km / 20.0) ** 0.8
    a_hm = (1.1 * log_f - 0.7) * min(10.0, hm_m) - (1.56 * log_f - 0.8) + max(0, 20 * math.log10(hm_m / 10))
    b_hb = min(0.0, 20 * math.log10(hb_m / 30))
    urban = 69.6 + 26.2 * log_f - 13.82 * log_hb + (44.9 - 6.55 * log_hb) * math.log10(d_km) ** alpha
    free = 32.4 + 20 * log_f + 10 * math.log10(d_km**2 + ((hb_m - hm_m) / 1000) ** 2)
    return max(free, urban - a_hm - b_hb - 4.78 * log_f**2 + 18.33 * log_f - 40.94)


def coverage_range_m(emissions: dict[int, float], height_m: float) -> float:
    """Where a slave of type A (10 m, 0 dBi) receives -114 dBm of the channel that reaches farthest."""
    radii = [
        brentq(lambda d, e=eirp, f=474 + 8 * (c - 21): e - open_hata_db(d, f, height_m, 10) + 114, 0.1, 100)
        for c, eirp in emissions.items()
    ]
    return 1000 * max(radii)


@pytest.mark.parametrize("eirp_dbm", [-40.0, -12.0, None])
def test_generic_slave_has_the_least_wherever_it_hears_its_master(
    run: Path, database: Database, eirp_dbm: float | None
) -> None:
    sizes = []
    for x_m, y_m in random_places(run, 12):
        own = expected(touched(run, "a10", x_m, y_m, 20.0)[0])
        most = math.inf if eirp_dbm is None else eirp_dbm
        radius_m = 20.0 + coverage_range_m({c: min(level, most) for c, level in own.items()}, 10.0)
        values, distance_m = touched(run, "slave", x_m, y_m, radius_m)
        home = values[:, values[0] != OUTSIDE]
        message = ask(
            database, x_m, y_m, height_m=10.0, uncertainty_m=20.0, generic_slave=True, eirp_dbm=eirp_dbm
        )
        assert message["location"]["point"]["semiMajorAxis"] == pytest.approx(radius_m, abs=0.5)
        assert message["deviceDesc"]["etsiEnDeviceEmissionsClass"] == "5"
        assert message["deviceDesc"]["etsiEnDeviceCategory"] == "slave"
        if np.abs(distance_m - radius_m).min() > 1e-4 * radius_m + 0.1:
            sizes.append((home.shape[1], len(expected(home))))
            assert levels(message) == expected(home)
    assert any(pixels > 3 and channels > 0 for pixels, channels in sizes)


def test_slaves_of_a_silent_master_have_no_spectrum(run: Path, database: Database) -> None:
    _, place = layers(run, "a30")
    x_m, y_m = place @ (60.0, 45.0)
    message = ask(database, x_m, y_m, generic_slave=True, uncertainty_m=3000.0)
    assert expected(touched(run, "a30", x_m, y_m, 3000.0)[0]) == {}
    assert levels(message) == levels(message, 1) == {}
    assert message["location"]["point"]["semiMajorAxis"] == 3000.0


# --- the run ------------------------------------------------------------------------------------------------


def test_query_rasters_and_manifest_are_all_it_needs(run: Path, database: Database, tmp_path: Path) -> None:
    places = random_places(run, 5)
    before = [ask(database, *place, uncertainty_m=60.0, height_m=25.0) for place in places]
    copy = tmp_path / "latest"
    shutil.copytree(run, copy, ignore=shutil.ignore_patterns("max_eirp*"))
    assert len(list(copy.rglob("*.tif"))) == len(DEVICES)
    again = open_database(copy)
    assert [ask(again, *place, uncertainty_m=60.0, height_m=25.0) for place in places] == before
    close_database(again)


def test_run_without_query_rasters_is_refused(run: Path, tmp_path: Path) -> None:
    manifest = json.loads((run / "manifest.json").read_text())
    del manifest["query"]
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(InputError, match="nothing for queries"):
        open_database(tmp_path)


@pytest.mark.parametrize(
    ("damage", "problem"),
    [("cut", "damaged"), ("noise", "damaged"), ("gone", "No such file"), ("other", "not the query raster")],
)
def test_query_raster_that_is_not_what_was_published_is_named(
    run: Path, tmp_path: Path, damage: str, problem: str
) -> None:
    copy = tmp_path / "latest"
    shutil.copytree(run, copy, ignore=shutil.ignore_patterns("max_eirp*_ch2[2-9]*"))
    raster = copy / "public/query_a30.tif"
    content = raster.read_bytes()
    raster.unlink()
    if damage == "cut":
        raster.write_bytes(content[: len(content) // 3])
    elif damage == "noise":
        raster.write_bytes(np.random.default_rng(1).bytes(5000))
    elif damage == "other":
        shutil.copy(copy / "public/max_eirp_a30_ch21.tif", raster)
        state_digest(copy, "public/query_a30.tif")
    done = CliRunner().invoke(app, ["query", "--results", str(copy), "--lon", "14.16", "--lat", "46.1"])
    assert isinstance(done.exception, InputError)  # main() makes one line and exit code 2 of it
    assert problem in str(done.exception)
    assert "query_a30.tif" in str(done.exception)
    assert "\n" not in str(done.exception)


def state_digest(run: Path, name: str) -> None:
    """Let the manifest name the content that a file has now."""
    path = run / "manifest.json"
    manifest = json.loads(path.read_text())
    (entry,) = [entry for entry in manifest["outputs"] if entry["path"] == name]
    entry["sha256"] = hashlib.sha256((run / name).read_bytes()).hexdigest()
    path.chmod(0o644)
    path.write_text(json.dumps(manifest))


def test_no_flipped_bit_of_a_query_raster_changes_an_answer(run: Path, tmp_path: Path) -> None:
    copy = tmp_path / "latest"
    shutil.copytree(run, copy, ignore=shutil.ignore_patterns("max_eirp*"))
    path = copy / "public/query_b1.tif"
    content = path.read_bytes()
    path.chmod(0o644)
    rng = np.random.default_rng(10)
    for bit in rng.integers(0, 8 * len(content), 250).tolist():
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        with pytest.raises(InputError, match=r"query_b1\.tif: is damaged: its content .*; found .SHA-256"):
            open_database(copy)
    path.write_bytes(content)
    close_database(open_database(copy))


def test_level_above_the_cap_is_never_answered(run: Path, tmp_path: Path) -> None:
    """A raster with its sum: the cap of these devices is 36 dBm."""
    copy = tmp_path / "latest"
    shutil.copytree(run, copy, ignore=shutil.ignore_patterns("max_eirp*"))
    path = copy / "public/query_a30.tif"
    path.chmod(0o644)
    with rasterio.open(path, "r+", IGNORE_COG_LAYOUT_BREAK="YES") as raster:
        values = raster.read()
        values[values != OUTSIDE] = 3601
        raster.write(values)
    state_digest(copy, "public/query_a30.tif")
    opened = open_database(copy)
    with pytest.raises(InputError, match=r"above the cap of the device; found '36\.01 dBm'; allowed: 36 dBm"):
        answer(opened, Request(14.16, 46.1), NOW)
    params = {"type": "AVAIL_SPECTRUM_REQ", "version": "1.0", "location": {"point": {"center": PLACE}}}
    params["deviceDesc"] = {
        "etsiEnDeviceType": "A",
        "etsiEnDeviceEmissionsClass": "1",
        "rulesetIds": [opened.facts["ruleset"]["rulesetId"]],
    }
    request = {"jsonrpc": "2.0", "method": "spectrum.paws.getSpectrum", "id": 1, "params": params}
    assert respond(opened, request, NOW)["error"]["code"] == -32603
    close_database(opened)


def test_layer_that_was_damaged_is_not_explained(run: Path, tmp_path: Path) -> None:
    copy = tmp_path / "latest"
    shutil.copytree(run, copy)
    path = copy / "public/max_eirp_a30_ch21.tif"
    path.chmod(0o644)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    place = ["--lon", "14.16", "--lat", "46.1", "--channel", "21", "--device", "a30"]
    for command in (
        ["explain", "--results", str(copy), *place],
        ["compare", str(copy), str(copy), "--out", "x"],
    ):
        done = CliRunner().invoke(app, command)
        assert isinstance(done.exception, InputError), done.output
        assert "max_eirp_a30_ch21.tif: is damaged" in str(done.exception)


@pytest.mark.parametrize("key", DAMAGES)
@pytest.mark.parametrize("command", ["query", "explain", "compare"])
def test_damaged_manifest_is_one_line(run: Path, tmp_path: Path, key: str, command: str) -> None:
    manifest = json.loads((run / "manifest.json").read_text())
    *sections, last = key.split(".")
    for value in DAMAGES[key]:
        damaged = deepcopy(manifest)
        part = damaged
        for section in sections:
            part = part[int(section)] if section.isdigit() else part[section]
        part[last] = value
        assert refusal_of(command, tmp_path, json.dumps(damaged), run, needed=last in NEEDED_BY_ALL)


@pytest.mark.parametrize("command", ["query", "explain", "compare"])
@pytest.mark.parametrize("depth", [500, 5_000, 200_000])
def test_deep_manifest_is_one_line(run: Path, tmp_path: Path, command: str, depth: int) -> None:
    manifest = json.loads((run / "manifest.json").read_text()) | {"inputs": "HERE"}
    text = json.dumps(manifest).replace('"HERE"', "[" * depth + "]" * depth)
    assert refusal_of(command, tmp_path, text, run, needed=True)


def refusal_of(command: str, folder: Path, manifest: str, sound: Path, *, needed: bool) -> str:
    """The line in which a command refuses a run with this manifest; any other failure fails the test."""
    (folder / "manifest.json").write_text(manifest)
    place = ["--lon", "14.16", "--lat", "46.1"]
    arguments = {
        "query": ["--results", str(folder), *place],
        "explain": ["--results", str(folder), *place, "--channel", "21", "--device", "a30"],
        "compare": [str(folder), str(sound), "--out", str(folder / "out")],
    }
    done = CliRunner().invoke(app, [command, *arguments[command]])
    # Without its rasters the run is refused in any case; what counts is that it is one line.
    assert isinstance(done.exception, InputError), (done.exception, done.output)
    line = str(done.exception)
    assert "\n" not in line
    if needed or command == "query":
        assert "manifest.json" in line
    return line


@pytest.mark.parametrize("text", ["null", "[]", "3", "{", ""])
def test_manifest_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(InputError, match=r"manifest\.json"):
        open_database(tmp_path)


def test_open_database_stays_with_its_run(tiny: Path) -> None:
    with_devices(tiny, ("a30", "A", 1, 30.0))
    first = publish(tiny, "1" * 16)
    opened = open_database(tiny.parent / "results/tiny")
    place = (14.16, 46.1)
    before = answer(opened, Request(*place, uncertainty_m=900.0), NOW)
    publish(tiny, "2" * 16, gaps={"a30": 0.0})
    shutil.rmtree(first)
    assert answer(opened, Request(*place, uncertainty_m=900.0), NOW) == before
    again = open_database(tiny.parent / "results/tiny")
    assert answer(again, Request(*place), NOW)["runId"] == "2" * 16
    close_database(opened)
    close_database(again)


def test_bond_is_answered_with_its_own_edges(tiny: Path) -> None:
    """16 MHz on two channels: edges of the pair, an even part of its power in each channel's width."""
    with_devices(tiny, ("a30", "A", 1, 30.0), ("pair", "A", 1, 30.0))
    head, tail = tiny.read_text().split("  - id: pair\n")
    bond = "  - id: pair\n    bond: 2\n    bandwidth_mhz: 16.0\n"
    tiny.write_text(head + bond + tail.replace("cap_dbm: 36.0", "cap_dbm: 39.01", 1))
    publish(tiny, gaps={"a30": 0.0, "pair": 0.0})
    opened = open_database(tiny.parent / "results/tiny")
    found = answer(opened, Request(14.16, 46.1, "pair"), NOW)
    names = [f"{first}-{first + 1}" for first in range(21, 30)]
    assert [entry["channel"] for entry in found["channels"]] == names
    (spec,) = found["spectrumSpecs"]
    assert spec["frequencyRanges"] == [{"startHz": 470e6, "stopHz": 550e6}]
    assert spec["maxContiguousBwHz"] == spec["maxTotalBwHz"] == 16e6
    in_channel, in_100_khz = spec["spectrumSchedules"][0]["spectra"]
    assert (in_channel["resolutionBwHz"], in_100_khz["resolutionBwHz"]) == (8e6, 1e5)
    by_edges = {
        (points[i]["hz"], points[i + 1]["hz"]): points[i]["dbm"]
        for points in in_channel["profiles"]
        for i in range(0, len(points), 2)
    }
    for k, entry in enumerate(found["channels"]):
        part_dbm = by_edges[470e6 + 8e6 * k, 486e6 + 8e6 * k]
        assert part_dbm == pytest.approx(entry["dbm"] - 10 * math.log10(2), abs=1.1e-3)
        assert part_dbm <= entry["dbm"] - 10 * math.log10(2)
    single = answer(opened, Request(14.16, 46.1, "a30"), NOW)
    assert [entry["channel"] for entry in single["channels"]] == list(range(21, 31))
    assert single["spectrumSpecs"][0]["maxContiguousBwHz"] == 8e6
    close_database(opened)


def test_point_answers_need_no_compiler(repository: Path) -> None:
    """Numba compiles for a minute where its cache is empty, as on the machine of a database."""
    program = (
        "import sys, pipeline.query.query; sys.exit(bool({'numba', 'dask', 'scipy'} & set(sys.modules)))"
    )
    environment = os.environ | {"PYTHONPATH": str(repository)}
    assert subprocess.run([sys.executable, "-c", program], env=environment).returncode == 0


@pytest.mark.parametrize(
    ("start", "stop", "zone", "expected_utc"),
    [
        ("2026-12-05T00:00:00", "2026-12-06T00:00:00", "Europe/Ljubljana", ("12-04T23:00", "12-05T23:00")),
        ("2026-07-01T06:00:00", "2026-07-01T18:00:00", "Europe/Ljubljana", ("07-01T04:00", "07-01T16:00")),
        ("2026-12-05T00:00:00", "2026-12-06T00:00:00", "UTC", ("12-05T00:00", "12-06T00:00")),
        ("2026-12-05T00:00+00:00", "2026-12-06T00:00+00:00", "Asia/Seoul", ("12-05T00:00", "12-06T00:00")),
        # 2:30 comes twice on 25 October, first in summer time: the period is the shorter one.
        ("2026-10-25T02:30:00", "2026-10-25T12:00:00", "Europe/Ljubljana", ("10-25T01:30", "10-25T11:00")),
        ("2026-10-24T12:00:00", "2026-10-25T02:30:00", "Europe/Ljubljana", ("10-24T10:00", "10-25T00:30")),
        # 2:30 does not come on 29 March: bookings from 3:00 on, which are 1:00 UTC, do not begin before it.
        ("2026-03-28T12:00:00", "2026-03-29T02:30:00", "Europe/Ljubljana", ("03-28T11:00", "03-29T00:30")),
        ("2026-03-29T02:30:00", "2026-03-29T12:00:00", "Europe/Ljubljana", ("03-29T01:30", "03-29T10:00")),
        # A day of 23 hours and one of 25, from midnight to midnight.
        ("2026-03-29T00:00:00", "2026-03-30T00:00:00", "Europe/Ljubljana", ("03-28T23:00", "03-29T22:00")),
        ("2026-10-25T00:00:00", "2026-10-26T00:00:00", "Europe/Ljubljana", ("10-24T22:00", "10-25T23:00")),
    ],
)
def test_period_of_validity_is_in_utc(
    start: str, stop: str, zone: str, expected_utc: tuple[str, str]
) -> None:
    found = utc_period({"from": start, "until": stop}, zone)
    assert tuple(found.values()) == tuple(f"2026-{text}:00Z" for text in expected_utc)


# --- the command --------------------------------------------------------------------------------------------


@pytest.fixture
def command(run: Path) -> Callable[..., tuple[int, dict, str]]:
    def call(*arguments: str) -> tuple[int, dict, str]:
        done = CliRunner().invoke(app, ["query", "--results", str(run), *arguments])
        return done.exit_code, json.loads(done.stdout), done.stderr

    return call


def test_command_prints_the_message(command: Callable[..., tuple[int, dict, str]], run: Path) -> None:
    x_m, y_m = random_places(run, 1)[0]
    lon_deg, lat_deg = TO_DEGREES.transform(x_m, y_m)
    place = ("--lon", str(lon_deg), "--lat", str(lat_deg))
    code, message, _ = command(*place, "--height", "12", "--uncertainty", "30")
    assert code == 0
    assert levels(message) == least(run, ["a10", "a30"], x_m, y_m, 30.0)
    assert command(*place, "--generic-slave", "--eirp", "0")[1]["device"] == "slave"


def test_device_anywhere_in_an_area_gets_the_least_of_all_its_pixels(
    command, run: Path, tmp_path: Path
) -> None:
    stack, place = layers(run, "a30")
    for x_m, y_m in random_places(run, 3):
        corners = [
            (x_m, y_m),
            (x_m + 2.3 * PIXEL_M, y_m + 0.4 * PIXEL_M),
            (x_m + 0.6 * PIXEL_M, y_m - 1.7 * PIXEL_M),
        ]
        fence = shapely.Polygon([TO_DEGREES.transform(*corner) for corner in corners])
        path = tmp_path / "fence.geojson"
        path.write_text(shapely.to_geojson(fence))
        rows, cols = np.indices(stack.shape[1:])
        west, north = place @ (cols.ravel(), rows.ravel())
        squares = shapely.box(west, north - PIXEL_M, west + PIXEL_M, north)
        inside = shapely.intersects(squares, shapely.Polygon(corners).buffer(0.01))
        code, message, _ = command("--area", str(path), "--device", "a30")
        assert code == 0
        assert levels(message) == expected(stack.reshape(10, -1)[:, inside])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--lat", "46"], "--lon: is missing"),
        ([], "--lon: is missing"),
        (["--area", "fence.geojson", "--lon", "14", "--lat", "46"], "an area and a point"),
        (["--area", "fence.geojson", "--uncertainty", "5"], "an area and a point"),
        (["--area", "two.geojson"], "is not one area"),
        (["--lon", "14.5", "--lat", "46", "--height", "400"], "; highest antenna height of this database is"),
    ],
)
def test_place_that_is_none_is_refused(run: Path, tmp_path: Path, options: list[str], said: str) -> None:
    one, other = shapely.box(14.0, 46.0, 14.01, 46.01), shapely.box(15.0, 46.0, 15.01, 46.01)
    (tmp_path / "fence.geojson").write_text(shapely.to_geojson(one))
    (tmp_path / "two.geojson").write_text(shapely.to_geojson(shapely.MultiPolygon([one, other])))
    given = [str(tmp_path / option) if option.endswith(".geojson") else option for option in options]
    done = CliRunner().invoke(app, ["query", "--results", str(run), *given])
    assert done.exit_code != 0
    assert said in f"{done.stderr}{done.exception}"


@pytest.mark.parametrize(
    ("lat", "exit_code", "code", "name"),
    [("91", 2, -202, "INVALID_VALUE"), ("60", 0, -104, "OUTSIDE_COVERAGE")],
)
def test_command_prints_errors_as_json_rpc(
    command: Callable[..., tuple[int, dict, str]], lat: str, exit_code: int, code: int, name: str
) -> None:
    found_code, response, errors = command("--lon", "14.16", "--lat", lat)
    assert (found_code, response["jsonrpc"], response["error"]["code"]) == (exit_code, "2.0", code)
    assert len(response["error"]["message"].encode()) <= 128
    assert name in errors
    assert f"latitude {lat}, longitude 14.16" in errors
