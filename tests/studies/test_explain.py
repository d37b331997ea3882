"""`channelmaps explain`: terms add up to the published raster, and one run never explains another."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import yaml
from pyproj import Transformer
from rasterio.transform import from_origin
from scipy.stats import norm
from typer.testing import CliRunner

from pipeline.budget import Term
from pipeline.cli.main import app
from pipeline.errors import InputError
from pipeline.grid import raster
from pipeline.plan.plan import load_plan
from pipeline.plan.territory_file import load_config
from pipeline.publish.manifest import make_manifest, utc_now
from pipeline.publish.release import release
from pipeline.query.results import config_of, read_run
from pipeline.services import dtt
from pipeline.studies.explain import as_text, cap_budget, explain_point
from pipeline.studies.explain_path import DrawnProfile, WantedPath
from pipeline.studies.explain_picture import limit_name
from tests.dtt.test_protection_maps import C_N_DB, CHANNEL, F_MHZ, HOME, MODES, Case
from tests.jobs import run_from
from tests.rasters import write_raster
from tests.tiny import write_register

DEVICE = "fixed30"


def publish(case: Case, **changed: object) -> Path:
    """A run of two channels around the made-up coverage of a case; returns its folder."""
    settings = yaml.safe_load(case.config_path.read_text())
    settings["services"]["foreign_dtt"] = {"status": "out_of_scope", "reason": "test"}
    settings |= changed
    settings["registers"] = {"transmitters": [str(case.folder / "register.csv")]}
    settings["channels"]["wsd"] = [CHANNEL, CHANNEL + 1]
    settings["name"] = "case"
    case.config_path.write_text(yaml.safe_dump(settings))
    case.config = load_config(case.config_path)
    write_register(case.folder / "register.csv", [("S", 15.0, 46.0, CHANNEL, 1.0)])
    if case.config.terrain.dem is not None:
        run_from("heights", case.config_path, case.folder)
    run_from("protect", case.config_path, case.folder, channel=CHANNEL)
    for channel in case.config.channels.wsd:
        run_from("combine", case.config_path, case.folder, channel=channel)
    files = {f"public/{path.name}": path for path in sorted((case.folder / "public").glob("*.tif"))}
    plan = load_plan(case.config_path)._replace(build=case.folder)
    results = case.folder.parents[1] / "results/case"
    return release(
        files, results, "run1", lambda digests: make_manifest(plan, "run1", files, digests, utc_now())
    )


@pytest.fixture
def case(tmp_path: Path, repository: Path) -> Case:
    folder = tmp_path / "build/case"
    folder.mkdir(parents=True)
    return Case(folder, repository, 400.0, {"height_m": 10.0})


def raw_and_places(run: Path, channel: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Published integers and, by an own projection of the corners, lon and lat of the pixels."""
    layer = raster.read(run / f"public/max_eirp_{DEVICE}_ch{channel}.tif")
    to_degrees = Transformer.from_crs(layer.attrs["grid"].crs, "EPSG:4326", always_xy=True)
    lon, lat = to_degrees.transform(*np.meshgrid(layer["x_m"].values, layer["y_m"].values))
    return layer.values, lon, lat


def explained(run: Path, channel: int, lon: float, lat: float) -> dict:
    read = read_run(run)
    return explain_point(read, float(lon), float(lat), channel, DEVICE, read.build)


def check_pixel(answer: dict, raw: int, min_eirp_dbm: float) -> None:
    """What a reader of the published raster would check; the raster is the independent side."""
    total_dbm = sum(term["value_db"] for term in answer["terms"])
    assert total_dbm == pytest.approx(answer["total_dbm"], abs=1e-9)
    if raw == -9999:
        assert (answer["status"], answer["published_dbm"]) == ("not_permitted", None)
        assert total_dbm < min_eirp_dbm
    else:
        assert answer["status"] == "permitted"
        assert answer["published_dbm"] == pytest.approx(raw / 100)
        assert math.floor(100.0 * total_dbm + 1e-6) == raw


@pytest.mark.parametrize("offset", [pytest.param(0, marks=pytest.mark.slow), 1])
def test_terms_add_up_to_the_published_raster(case: Case, offset: int) -> None:
    run = publish(case)
    raw, lon, lat = raw_and_places(run, CHANNEL + offset)
    codes = raster.read(run / f"public/limiting_service_{DEVICE}_ch{CHANNEL + offset}.tif")
    places = np.random.default_rng(3).permutation(np.argwhere(raw != -32768))[:10]
    for x in map(tuple, places):
        answer = explained(run, CHANNEL + offset, lon[x], lat[x])
        check_pixel(answer, raw[x], 24.15)
        assert answer["service"] == codes.attrs["categories"][codes.values[x]]
        assert answer["pixel"] == {"row": x[0], "col": x[1]}
    outside = tuple(np.argwhere(raw == -32768)[0])
    assert explained(run, CHANNEL, lon[outside], lat[outside])["status"] == "outside"
    assert explained(run, CHANNEL, -60.0, 10.0)["terms"] == []


def leaves(value: object) -> list[object]:
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in leaves(item)]
    return [leaf for item in value for leaf in leaves(item)] if isinstance(value, list) else [value]


def test_next_limits_are_those_of_the_other_maps_and_of_the_cap(case: Case) -> None:
    """The stored maps, one for each mode and level, less C/N at the channel itself; then the cap."""
    run = publish(case)
    _, lon, lat = raw_and_places(run, CHANNEL)
    maps = raster.read(case.folder / f"protection/ch{CHANNEL}_{DEVICE}.tif", stacked=True)
    c_n_db = dict(zip([mode for _, mode in MODES], C_N_DB, strict=True))
    ratios_db = np.array([c_n_db[str(name).split("|")[0].split(" ", 1)[1]] for name in maps["band"].values])
    looked_at = 0
    for x in map(tuple, np.argwhere(case.surface == HOME)[:12]):
        answer = explained(run, CHANNEL, lon[x], lat[x])
        limits_dbm = np.sort([*(maps.values[:, *x].astype(float) - ratios_db), 36.0])
        told = [answer, *answer["next_limits"]]
        assert len(told) == 4
        looked_at += len({limit["total_dbm"] for limit in told})
        for limit, limit_dbm in zip(told, limits_dbm, strict=False):
            # A map is cut where nothing is limited any more: those limits are not told.
            assert limit["total_dbm"] == pytest.approx(limit_dbm, abs=1e-6) or limit_dbm > 36.0
            total_dbm = sum(term["value_db"] for term in limit["terms"])
            assert total_dbm == pytest.approx(limit["total_dbm"], abs=1e-6)
    assert looked_at > 24


def test_facts_alone_give_the_limit_and_hold_no_null(case: Case) -> None:
    """m_U + X* - 77.216 - 20 log10 f - r_eff + D + Lb, each from its own member."""
    run = publish(case)
    _, lon, lat = raw_and_places(run, CHANNEL)
    for offset in (0, 1):
        for x in map(tuple, np.argwhere(case.surface == HOME)[:6]):
            answer = explained(run, CHANNEL + offset, lon[x], lat[x])
            for limit in [answer, *answer["next_limits"]]:
                if "degradation" not in limit["victim"]:
                    continue
                own, ratio = limit["victim"]["degradation"], limit["victim"]["protection_ratio"]
                p = limit["victim"]["row"], limit["victim"]["col"]
                assert own["m_u_dbuvm"] == case.nuisance[p]
                assert own["m_s_dbuvm"] == case.wanted[p]
                spread_db = math.hypot(5.5, case.sigma[p])
                assert own["q1"] == pytest.approx(norm.cdf((own["m_s_dbuvm"] - own["m_u_dbuvm"]) / spread_db))
                assert own["x_star_db"] == pytest.approx(own["x_db"] - own["c_db"])
                assert [part["k"] for part in ratio["slices"]] == [offset]
                terms = {term["name"]: term["value_db"] for term in limit["terms"]}
                power_db = own["m_u_dbuvm"] + own["x_star_db"] - 77.216 - 20 * math.log10(F_MHZ)
                path_db = terms["antenna discrimination"] + terms["path loss"]
                # Inland, where a share of the path may be sea, losses are kept by steps of distance.
                path_db += terms.get("step of distance", 0.0)
                total_dbm = power_db - ratio["r_eff_db"] + path_db
                assert total_dbm == pytest.approx(limit["total_dbm"], abs=1e-3)
            assert None not in leaves({**answer, "published_dbm": 0.0})


def test_what_forbids_is_a_number_and_the_limits_behind_it_are_told(case: Case) -> None:
    run = publish(case, areas={"reserved": [{"channels": [CHANNEL], "reason": "test"}]})
    _, lon, lat = raw_and_places(run, CHANNEL)
    x = tuple(np.argwhere(case.surface == HOME)[0])
    answer = explained(run, CHANNEL, lon[x], lat[x])
    assert (answer["service"], answer["total_dbm"]) == ("reserved_channel", -999.0)
    assert [term["value_db"] for term in answer["terms"]] == [-999.0]
    assert answer["next_limits"][0]["service"] in {"dtt", "device_cap"}
    assert all(limit["total_dbm"] > -200.0 for limit in answer["next_limits"])
    assert "next limit 1: " in as_text(answer)


def test_a_limit_is_named_in_a_few_words_and_outside_nothing_limits() -> None:
    """In the first line and beside the bars of the picture: service, channel and station, not all facts."""
    station = {"id": "SI037", "site": "Lubnik", "lon": 14.2661}
    television = {"service": "foreign_dtt", "victim": {"channel": 21, "station": station}}
    assert limit_name(television) == "foreign dtt, channel 21, SI037"
    assert limit_name({"service": "dtt", "victim": {"station": "SI001"}}) == "dtt, SI001"
    assert limit_name({"service": "pmse", "victim": {"id": "SI-P-001"}}) == "pmse, SI-P-001"
    assert limit_name({"service": "device_cap", "victim": {"kind": "device", "id": "x"}}) == "device cap"
    outside = {"channel": 21, "device": "x", "lon": 2.0, "lat": 45.0, "published_dbm": None}
    assert as_text(outside | {"status": "outside", "service": "outside"}).count("\n") == 0


def test_height_is_explained_by_the_lowest_of_the_layers_around_it(case: Case) -> None:
    first = yaml.safe_load(case.config_path.read_text())["devices"][0]
    run = publish(case, devices=[first | {"height_m": 30.0}, first | {"id": "low", "height_m": 10.0}])
    raw, lon, lat = raw_and_places(run, CHANNEL)
    low = raster.read(run / f"public/max_eirp_low_ch{CHANNEL}.tif").values
    read = read_run(run)
    for x in map(tuple, np.argwhere(case.surface == HOME)[:4]):
        at = float(lon[x]), float(lat[x]), CHANNEL, DEVICE, read.build
        answer = explain_point(read, *at, 20.0)
        assert answer["height_rule"]["height_m"] == 20.0
        assert [layer["height_m"] for layer in answer["height_rule"]["layers"]] == [10.0, 30.0]
        check_pixel(answer, min(raw[x], low[x]), 24.15)
        assert [layer["height_m"] for layer in explain_point(read, *at, 30.0)["height_rule"]["layers"]] == [
            30
        ]
        with pytest.raises(InputError, match="31 m above ground"):
            explain_point(read, *at, 31.0)


def test_not_evaluated_names_the_services_left_open(case: Case) -> None:
    settings = yaml.safe_load(case.config_path.read_text())
    foreign = {"status": "out_of_scope", "reason": "test"}
    services = settings["services"] | {"ppdr": {"status": "evaluate"}, "foreign_dtt": foreign}
    incumbents = {name: section for name, section in settings["incumbents"].items() if name != "ppdr"}
    run = publish(case, services=services, incumbents=incumbents)
    raw, lon, lat = raw_and_places(run, CHANNEL)
    x = tuple(np.argwhere(raw != -32768)[0])
    answer = explained(run, CHANNEL, lon[x], lat[x])
    assert (answer["status"], answer["service"]) == ("not_evaluated", "not_evaluated")
    assert answer["victim"] == {"services_not_evaluated": ["ppdr"]}
    assert answer["total_dbm"] is None


def test_below_the_minimum_is_not_permitted_and_still_explained(case: Case) -> None:
    devices = yaml.safe_load(case.config_path.read_text())["devices"]
    run = publish(case, devices=[devices[0] | {"min_eirp_dbm": 35.9}])
    raw, lon, lat = raw_and_places(run, CHANNEL)
    x = tuple(np.argwhere(raw == -9999)[0])
    answer = explained(run, CHANNEL, lon[x], lat[x])
    check_pixel(answer, -9999, 35.9)
    first, *_, last = as_text(answer).splitlines()
    assert first.endswith(f": not permitted; limited by {limit_name(answer)}")
    assert last.split()[:2] == ["total", f"{answer['total_dbm']:.4f}"]
    assert last.endswith("below 35.90 dBm, the least e.i.r.p. of the device: not permitted")
    assert answer["least_eirp_dbm"] == 35.9


def test_maps_of_another_run_are_refused(case: Case) -> None:
    run = publish(case)
    raw, lon, lat = raw_and_places(run, CHANNEL)
    x = tuple(np.argwhere(raw != -32768)[0])
    map_path = case.folder / f"protection/ch{CHANNEL}_{DEVICE}.tif"
    limits = raster.read(map_path, stacked=True)
    limits.values[0, 0, 0] += 1.0
    raster.write(map_path, limits, tags={}, publish=False)
    with pytest.raises(InputError, match="another run"):
        explained(run, CHANNEL, lon[x], lat[x])
    map_path.unlink()
    with pytest.raises(InputError, match="not here"):
        explained(run, CHANNEL, lon[x], lat[x])


def test_coverage_of_another_run_is_refused(case: Case) -> None:
    """The layer's hash does not hold the coverage: the budget itself must notice."""
    run = publish(case)
    raw, lon, lat = raw_and_places(run, CHANNEL)
    x = tuple(np.argwhere(raw != -32768)[0])
    case.nuisance += np.float32(0.5)
    case.write()
    with pytest.raises(InputError, match="does not give its limit"):
        explained(run, CHANNEL, lon[x], lat[x])


def test_run_of_another_program_is_refused(case: Case) -> None:
    run = publish(case)
    raw, lon, lat = raw_and_places(run, CHANNEL)
    x = tuple(np.argwhere(raw != -32768)[0])
    manifest = json.loads((run / "manifest.json").read_text())
    manifest["software"]["code"]["combine"] = "0" * 16
    (run / "manifest.json").chmod(0o644)
    (run / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(InputError, match="another version"):
        explained(run, CHANNEL, lon[x], lat[x])


def test_changed_settings_do_not_reach_the_explanation_of_an_old_run(case: Case) -> None:
    """Settings come from the manifest, not from the territory file as it stands now."""
    run = publish(case)
    margin_db = config_of(read_run(run)).devices[0].margin_db
    settings = yaml.safe_load(case.config_path.read_text())
    settings["devices"][0]["margin_db"] = margin_db + 5.0
    case.config_path.write_text(yaml.safe_dump(settings))
    assert config_of(read_run(run)).devices[0].margin_db == margin_db


def test_budget_that_misses_its_limit_is_refused(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    run = publish(case)
    raw, lon, lat = raw_and_places(run, CHANNEL)
    x = tuple(np.argwhere(raw != -32768)[0])
    real = dtt.explain

    def off(*arguments: object):
        found = real(*arguments)
        return found._replace(terms=found.terms[1:])

    monkeypatch.setattr(dtt, "explain", off)
    with pytest.raises(InputError, match="does not give its limit"):
        explained(run, CHANNEL, lon[x], lat[x])


@pytest.mark.parametrize(
    ("density_dbm", "bandwidth_mhz", "expected_dbm", "terms"),
    [(None, 8.0, 36.0, 1), (16.97, 5.0, 16.97 + 16.9897, 2), (30.0, 8.0, 36.0, 1)],
)
def test_cap_budget_takes_the_smaller_cap(case: Case, density_dbm, bandwidth_mhz, expected_dbm, terms):
    changed = {"cap_density_dbm_per_100khz": density_dbm, "bandwidth_mhz": bandwidth_mhz, "cap_dbm": 36.0}
    device = case.config.devices[0].model_copy(update=changed)
    found = cap_budget(device)
    assert len(found.terms) == terms
    assert sum(term.value_db for term in found.terms) == pytest.approx(expected_dbm, abs=1e-4)


def test_command_prints_a_table_or_json(case: Case) -> None:
    run = publish(case)
    raw, lon, lat = raw_and_places(run, CHANNEL)
    x = tuple(np.argwhere(raw != -32768)[0])
    command = ["explain", "--results", str(run), "--lon", str(lon[x]), "--lat", str(lat[x])]
    command += ["--channel", str(CHANNEL), "--device", DEVICE]
    shown = CliRunner().invoke(app, command)
    assert shown.exit_code == 0, shown.output
    assert "total" in shown.output
    answer = json.loads(CliRunner().invoke(app, [*command, "--json"]).stdout)
    picture = case.folder.parents[1] / "budget.png"
    drawn = CliRunner().invoke(app, [*command, "--picture", str(picture)])
    assert drawn.stdout == shown.stdout
    assert picture.read_bytes().startswith(b"\x89PNG")
    wanted = {"channel", "device", "lon", "lat", "published_dbm", "status", "service", "victim", "terms"}
    assert wanted | {"total_dbm"} <= set(answer)
    assert {"name", "value_db", "note"} == set(answer["terms"][0])


def test_profile_is_drawn_and_the_wanted_field_told(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """A made-up path stands for that of the victim; without terrain there is none, and nothing is written."""
    run = publish(case)
    raw, lon, lat = raw_and_places(run, CHANNEL)
    x = tuple(np.argwhere(raw != -32768)[0])
    picture = case.folder.parents[1] / "path.png"
    command = ["explain", "--results", str(run), "--lon", str(lon[x]), "--lat", str(lat[x])]
    command += ["--channel", str(CHANNEL), "--device", DEVICE, "--profile", str(picture)]
    refused = CliRunner().invoke(app, command)
    assert (refused.exception.field, picture.exists()) == ("--profile", False)
    along = np.linspace(0.0, 10.0, 5)
    drawn = DrawnProfile(along, 0.0 * along, 0.0 * along, 0.0 * along, 50.0 - along, along + 1.0, (4.0, 6.0))
    facts = {"station": "S", "channel": CHANNEL, "lon": 1.0, "lat": 2.0, "model": "p1812"}
    facts |= {"mechanism_p1812": "los", "obstruction": {"clearance_f1": 0.7}}
    terms = (Term("free space, 1 kW e.r.p.", 80.5), Term("diffraction", -20.25, "edge"))
    asked: list[dict] = []

    def made_up(_: object, victim: dict) -> WantedPath:
        asked.append(victim)
        return WantedPath(facts, terms, drawn)

    monkeypatch.setattr("pipeline.studies.explain.wanted_path", made_up)
    shown = CliRunner().invoke(app, command)
    assert shown.exit_code == 0, shown.output
    assert "wanted field of the victim, from S" in shown.stdout
    assert "60.2500" in shown.stdout
    assert picture.read_bytes().startswith(b"\x89PNG")
    told = json.loads(CliRunner().invoke(app, [*command, "--json"]).stdout)
    assert told["wanted_path"]["total_dbuvm"] == 60.25
    assert told["wanted_path"]["mechanism_p1812"] == "los"
    assert asked[0] == told["victim"]
    for option, field in (("path.pdf", "--profile"), ("path.png", "lon, lat")):
        picture.unlink(missing_ok=True)
        elsewhere = [*command[:-1], str(picture.with_name(option))]
        elsewhere[elsewhere.index("--lon") + 1] = str(float(lon[x]) + 90.0)
        refused = CliRunner().invoke(app, elsewhere)
        assert (refused.exception.field, picture.exists()) == (field, False)
    monkeypatch.setattr("pipeline.studies.explain._changed", lambda *_: "dem.tif is not here")
    refused = CliRunner().invoke(app, command)
    assert "dem.tif is not here" in str(refused.exception)
    assert (refused.exception.field, picture.exists()) == ("--profile", False)
    shown = CliRunner().invoke(app, command[:-2])
    assert shown.exit_code == 0, shown.output
    assert "nor its path drawn: dem.tif is not here\nlimited by" in shown.stdout


def test_a_run_without_its_terrain_is_explained_but_for_exact_heights(case: Case) -> None:
    """The heights of today are not those of the maps; the classes that count are files of the run."""
    west_deg, _, _, north_deg = case.grid.box_deg()
    place = from_origin(west_deg - 0.4, north_deg + 0.4, 0.01, 0.01)
    row, col = np.mgrid[:200, :200]
    dem = write_raster(case.folder / "dem.tif", (300.0 + 9.0 * row + 5.0 * col).astype(np.float32), place)
    write_raster(case.folder / "territory/land_lonlat.tif", np.ones((200, 200), np.uint8), place)
    run = read_run(publish(case, terrain={"dem": [str(dem)]}))
    whole = dem.read_bytes()
    lon, lat = case.grid.lonlat_deg()
    pixels = zip(*np.nonzero((case.surface == HOME) & (case.served == 0)), strict=True)

    def asked(pixel: tuple[int, int]) -> dict:
        return explain_point(run, lon[pixel], lat[pixel], CHANNEL, DEVICE, run.build)

    pixel = next(pixel for pixel in pixels if "h1_exact_m" in asked(pixel)["victim"])
    first = asked(pixel)
    assert "exactly" in as_text(first)
    for said in ("has changed since the run", "is not here"):
        if "changed" in said:
            write_raster(dem, np.full((200, 200), 500.0, np.float32), place)
        else:
            dem.unlink()
        answer = asked(pixel)
        assert answer["victim"]["h1_exact_note"] == f"dem.tif {said}"
        assert not {"h1_exact_m", "ground_m"} & set(answer["victim"])
        assert answer["victim"]["h1_class_m"] == first["victim"]["h1_class_m"]
        values = [[term["value_db"] for term in one["terms"]] for one in (first, answer)]
        assert values[0] == values[1]
        assert f"(not known exactly: dem.tif {said})" in as_text(answer)
    dem.write_bytes(whole)
    assert asked(pixel) == first


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"channel": 40}, "no such channel"),
        ({"device_id": "x"}, "no such device"),
        ({"lat_deg": 91.0}, "not a place"),
        ({"lon_deg": math.nan}, "not a place"),
    ],
)
def test_unknown_channel_device_or_place_is_refused(case: Case, changed: dict, message: str) -> None:
    run = read_run(publish(case))
    asked = {"lon_deg": 15.0, "lat_deg": 46.0, "channel": CHANNEL, "device_id": DEVICE} | changed
    with pytest.raises(InputError, match=message):
        explain_point(run, *asked.values(), run.build)


def test_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no published run"):
        read_run(tmp_path)


@pytest.mark.slow
def test_500_random_pixels_of_a_real_run_add_up(tiny: Path, repository: Path) -> None:
    from tests.workflow.test_full_run import run as run_command

    tiny.write_text(tiny.read_text().replace('wsd: ["21-30"]', "wsd: [22, 25, 28]"))
    run_command(repository)
    folder = tiny.parent / "results/tiny/latest"
    rng = np.random.default_rng(500)
    for channel, count in ((22, 200), (25, 150), (28, 150)):
        raw, lon, lat = raw_and_places(folder, channel)
        for x in map(tuple, rng.permutation(np.argwhere(raw != -32768))[:count]):
            check_pixel(explained(folder, channel, lon[x], lat[x]), raw[x], -40.0)
