"""Styles and projects: well formed, true of the layers, and as a real QGIS reads them (if there is one)."""

from __future__ import annotations

import json
import shutil
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely

from pipeline.config.territory import Territory
from pipeline.plan.plan import Plan, load_plan
from pipeline.plan.run_files import (
    TRANSMITTER_FILE,
    internal_project,
    project_to_pass_on,
    public_project,
    qgis_files,
    raster_files,
    style_file,
    view_file,
    viewed_files,
)
from pipeline.publish.catalogue import families, overview, shown_layers
from pipeline.publish.legends import service_namer
from pipeline.publish.qgis import vectors
from pipeline.publish.qgis.qml import legend_of, style_text
from pipeline.publish.qgis.views import view_legend
from pipeline.publish.styles import read_schemes
from tests.jobs import run_from
from tests.plan.test_plan import SECTIONS
from tests.publish.every_layer import (
    GRID,
    NOTICE,
    OTHER_PAIR,
    TITLE,
    inside,
    working_folder,
    write_every_layer,
)
from tests.publish.test_relief import write_dem
from tests.published import with_devices
from tests.tiny import STATIONS

SYSTEM_PYTHON = "/usr/bin/python3"
PROBE = Path(__file__).with_name("qgis_probe.py")
RELIEF = "relief_of_the_terrain"
FIRST = "available_channels_fixed30_20dbm_band1"
SEA, LAND_FILE = (223, 233, 240), (241, 238, 231)


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plan]:
    with working_folder(tmp_path_factory.mktemp("qgis")) as config:
        write_dem(Path("dem.tif"), 2000.0, 500.0)
        Path("places.csv").write_text(
            "name,latitude,longitude,population\nGora,45.95,14.3,90\n", encoding="utf-8"
        )
        more = "population: {places: places.csv}\nterrain: {dem: [dem.tif]}\n"
        found = write_every_layer(config, more + SECTIONS)
        run_from("qgis", config, found.build)
        yield found._replace(build=found.build.resolve())


def project(plan: Plan, name: str) -> ET.Element:
    return ET.parse(plan.build / name).getroot()


def projects(plan: Plan) -> list[str]:
    return [public_project(plan), internal_project(plan), project_to_pass_on(plan)]


def test_every_raster_has_a_style_that_tells_what_is_outside(plan: Plan) -> None:
    assert set(families(plan)) == set(raster_files(plan))
    for file, family in families(plan).items():
        top = ET.parse(plan.build / Path(file).with_suffix(".qml")).getroot()
        labels = [e.get("label") for e in top.iter() if e.tag in {"item", "paletteEntry"}]
        assert labels, file
        assert len(set(labels)) == len(labels), file
        assert sum("outside" in str(label) for label in labels) == 1, (file, family)


@pytest.mark.parametrize(
    ("raw", "label"),
    [
        (-32768, "outside"),
        (-9999, "not permitted"),
        (-9998, "not evaluated"),
        (-9997, "below -20 dBm"),
        (-2001, "below -20 dBm"),
        (-2000, "-20 to -10 dBm"),
        (-1, "-10 to 0 dBm"),
        (0, "0 to 10 dBm"),
        (3599, "30 to 36 dBm"),
        (3600, "36 dBm and more"),
        (5000, "36 dBm and more"),
    ],
)
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_first_upper_bound_that_holds_a_value_is_its_class(raw: int, label: str, kind: type) -> None:
    legend = legend_of(read_schemes()["max_eirp"], unit="dBm", whole=True)
    value = kind(raw) * kind(0.01)
    assert next(entry.label for entry in legend.entries if value <= float(entry.value)) == label


def test_six_percent_is_not_above_the_threshold() -> None:
    legend = legend_of(read_schemes()["rr941_dtt"], unit="%", whole=False)
    found = [next(e.label for e in legend.entries if v <= float(e.value)) for v in (6.0, 6.0001)]
    assert found == ["3 to 6 %", "above 6 to 12 %"]


def test_projects_have_relative_paths_to_files_and_distinct_ids(plan: Plan) -> None:
    for name in projects(plan):
        top, folder = project(plan, name), (plan.build / name).parent
        ids = [e.text or "" for e in top.findall("projectlayers/maplayer/id")]
        assert ids
        assert len(set(ids)) == len(ids)
        assert min(map(len, ids)) > 10, "QGIS would replace it"
        assert [e.get("id") for e in top.iter("layer-tree-layer")] == ids
        for source in top.findall("projectlayers/maplayer/datasource"):
            path = (source.text or "").split("|")[0]
            assert path.startswith(("./", "../"))
            assert (folder / path).is_file(), path


def test_project_for_everybody_tells_nothing_of_stations(plan: Plan) -> None:
    for name in (public_project(plan), project_to_pass_on(plan)):
        text = (plan.build / name).read_text()
        for word in ("transmitters", "Site 1", "dtt_server", "radar612.gpkg"):
            assert word not in text, (name, word)
    internal = (plan.build / internal_project(plan)).read_text()
    for word in ("gpkg|layername=sites", "gpkg|layername=transmitters", "gpkg|layername=radar612_zone"):
        assert word in internal
    assert "Site 1 (S1)" in internal


def test_project_to_pass_on_needs_its_own_folder_only(plan: Plan) -> None:
    sources = project(plan, project_to_pass_on(plan)).findall("projectlayers/maplayer/datasource")
    assert sources
    assert all((source.text or "").startswith("./") for source in sources)


MORE = "More: by channel, reception, coordination"
GROUPS = [
    "Availability",
    "Maximum e.i.r.p. by channel",
    "Limiting service by channel",
    "Evaluated services by channel",
    "DTT",
    "Coordination",
]


def test_groups_are_those_of_the_interface(plan: Plan) -> None:
    tree = project(plan, public_project(plan)).find("layer-tree-group")
    assert tree is not None
    groups = [child.get("name") for child in tree if child.get("name")]
    assert groups == ["Places", "Boundaries", "Relief of the terrain", "Maps, one at a time", "Land"]
    maps = tree.find("layer-tree-group[@name='Maps, one at a time']")
    assert maps is not None
    first = [f"channels available fixed30 at {level} dBm" for level in (0, 20, 36)]
    assert [child.get("name") for child in maps if child.get("name")] == [*first, MORE]
    more = maps.find(f"layer-tree-group[@name='{MORE}']")
    assert more is not None
    assert more.get("expanded") == "0"
    assert [child.get("name") for child in more if child.get("name")] == GROUPS
    inside = tree.findall(".//layer-tree-group[@name='Maximum e.i.r.p. by channel']//layer-tree-layer")
    assert [layer.get("name") for layer in inside] == [
        "max e.i.r.p. ch 22 fixed30",
        "max e.i.r.p. ch 25 fixed30",
    ]


def test_names_of_layers_are_unique_and_few_are_looked_at_first(plan: Plan) -> None:
    for name in projects(plan):
        names = [e.text for e in project(plan, name).findall("projectlayers/maplayer/layername")]
        assert len(set(names)) == len(names)


def test_first_look_is_at_twenty_layers_at_most(tmp_path: Path) -> None:
    """All levels of the first device, the middle one of every other, then what there is room for."""
    with working_folder(tmp_path) as config:
        with_devices(config, *((f"d{k}", "A", 1, 30.0) for k in range(8)))
        plan = load_plan(config)
        first = [layer.title for layer in overview(plan, shown_layers(plan))]
    assert len(first) == 20
    assert {f"channels available d0 at {level} dBm" for level in (0, 20, 36)} <= set(first)
    assert {f"channels available d{k} at 20 dBm" for k in range(8)} <= set(first)


def test_device_below_all_levels_opens_with_its_maximum(tmp_path: Path) -> None:
    with working_folder(tmp_path) as config:
        config.write_text(config.read_text().replace("cap_dbm: 36.0", "cap_dbm: -10.0"))
        plan = write_every_layer(config, coordination="")
        run_from("qgis", config, plan.build)
        found = project(plan, public_project(plan)).findall(".//layer-tree-layer[@checked='Qt::Checked']")
    shown = [layer.get("id") for layer in found]
    assert shown == ["vector_boundaries", "max_eirp_fixed30_ch22_band1", "vector_land"]


def test_every_band_of_availability_is_a_layer_named_by_its_channel(plan: Plan) -> None:
    layers = project(plan, public_project(plan)).findall("projectlayers/maplayer")
    found = [
        (layer.findtext("layername"), layer.find("pipe/rasterrenderer").get("band"))  # type: ignore[union-attr]
        for layer in layers
        if "availability_fixed30_20dbm" in (layer.findtext("datasource") or "")
    ]
    assert found == [
        (f"availability ch {channel} fixed30 at 20 dBm", str(band)) for channel, band in ((22, 1), (25, 2))
    ]


def test_each_band_has_names_for_its_own_values(plan: Plan) -> None:
    """Other pairs may decide in the second band, and its bits may stand for other administrations."""
    layers = project(plan, public_project(plan)).findall("projectlayers/maplayer")
    labels = {
        layer.findtext("id"): {entry.get("label") for entry in layer.iter("paletteEntry")} for layer in layers
    }
    assert "pair 0" in labels["rr941_argpair_band1"]
    assert labels["rr941_argpair_band2"] == {f"pair {OTHER_PAIR}", "no pair, or outside"}
    for band, first, second in ((1, "HRV", "I"), (2, "AUT", "HNG")):
        names = {first, second, f"{first}, {second}", "none of these, or outside"}
        assert labels[f"radar612_adm_k_band{band}"] == names


@pytest.mark.parametrize(
    ("mask", "label"),
    [
        (0, "none"),
        (0b110, "DTT reception, PMSE"),
        (0b1_1011_1111_1111_1111, "all"),
        (0b1_1011_1111_1111_1110, "all but systems of the band"),
        (0b0_1011_1111_1111_1111, "all but other service"),
        (0b1_1000_1111_1111_1111, "all but field at the border, receiver overload"),
    ],
)
def test_services_evaluated_are_named_the_short_way(mask: int, label: str) -> None:
    assert service_namer(read_schemes())(mask) == label


def test_every_raster_of_a_project_carries_the_notice(plan: Plan) -> None:
    for name in projects(plan):
        layers = project(plan, name).findall("projectlayers/maplayer[@type='raster']")
        assert {layer.findtext("abstract") for layer in layers} == {NOTICE}


def test_transmitters_are_the_register(plan: Plan) -> None:
    frame = gpd.read_file(plan.build / TRANSMITTER_FILE, layer="transmitters")
    assert frame["id"].tolist() == [station[0] for station in STATIONS]
    assert frame.geometry.x.tolist() == pytest.approx([station[1] for station in STATIONS])


def test_site_has_all_channels_of_its_place() -> None:
    """Four rows at three places; at one without a name the record's own stands for it."""
    columns = {
        "id": ["a", "b", "c", "d"],
        "site": ["Hill", "Hill", "", "Tor"],
        "channel": [30, 21, 40, 22],
        "erp_kw": [1.0, 5.0, 2.0, 3.0],
        "country": ["SI", "SI", "", "AT"],
    }
    rows = gpd.GeoDataFrame(columns, geometry=gpd.points_from_xy([14, 14, 15, 16], [46] * 4), crs="EPSG:4326")
    sites = vectors.site_frame(rows, ["SI"])
    assert sites["site"].tolist() == ["Hill", "c", "Tor"]
    assert sites["channels"].tolist() == ["21, 30", "40", "22"]
    assert sites["largest_erp_kw"].tolist() == [5.0, 2.0, 3.0]
    assert sites["kind"].tolist() == ["home", "abroad", "abroad"]
    assert sites.geometry.x.tolist() == [14.0, 15.0, 16.0]


def test_site_without_a_country_has_that_of_its_place(tmp_path: Path) -> None:
    squares = [shapely.box(14, 45, 15, 47), shapely.box(15, 45, 16, 47)]
    frame = gpd.GeoDataFrame({"iso2": ["SI", "HU"]}, geometry=squares, crs="EPSG:4326")
    frame.to_file(tmp_path / "world.gpkg", layer="countries")
    rows = gpd.GeoDataFrame(
        {"country": ["", "", "IT"]}, geometry=gpd.points_from_xy([14.5, 15.5, 14.5], [46] * 3)
    )
    polygons = Territory(home=["SI"], polygons={"path": tmp_path / "world.gpkg"})
    assert vectors.countries_of(rows, polygons).tolist() == ["SI", "HU", "IT"]
    box = Territory(home=["SI"], bbox_deg=(14.0, 46.0, 15.0, 47.0))
    assert vectors.countries_of(rows, box).tolist() == ["SI", "SI", "IT"]


def test_layers_of_devices_have_the_period_of_the_bookings(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    period = ("2026-12-04T23:00:00Z", "2026-12-05T23:00:00Z")
    monkeypatch.setattr("pipeline.publish.qgis.job.period_of_bookings", lambda plan: period)
    run_from("qgis", plan.config_path, plan.build)
    monkeypatch.undo()
    for file in families(plan):
        path = plan.build / style_file(file)
        found = [ET.parse(path).getroot().findtext(f"temporal/fixedRange/{end}") for end in ("start", "end")]
        assert found == (list(period) if "_fixed30" in file else [None, None]), file
    run_from("qgis", plan.config_path, plan.build)


def test_same_layers_give_same_bytes(plan: Plan) -> None:
    before = {name: (plan.build / name).read_bytes() for name in qgis_files(plan)}
    run_from("qgis", plan.config_path, plan.build)
    assert {name: (plan.build / name).read_bytes() for name in qgis_files(plan)} == before


# --- a real QGIS --------------------------------------------------------------------------------------------


def has_qgis() -> bool:
    if shutil.which(SYSTEM_PYTHON) is None:
        return False
    return subprocess.run([SYSTEM_PYTHON, "-c", "import qgis.core"], capture_output=True).returncode == 0


needs_qgis = pytest.mark.skipif(
    not has_qgis(), reason="no QGIS on this machine; `make test-qgis` installs it"
)


@pytest.fixture(scope="module")
def views(plan: Plan) -> list[tuple[np.ndarray, np.ndarray, np.ndarray, rasterio.DatasetReader]]:
    """Raw values, classes and levels of every view."""
    found = []
    for file in viewed_files(plan):
        with rasterio.open(plan.build / file) as source, rasterio.open(plan.build / view_file(file)) as view:
            found.append((source.read(1), view.read(1), view.read(2), view.scales[1]))
    return found


def test_view_has_classes_and_levels_but_no_code_among_these(views: list[Any]) -> None:
    """Classes by the bounds of the scheme, by hand; a level is the published one, at codes there is none."""
    lows = [-4000, -2000, -1000, 0, 1000, 2000, 3000, 3600]
    assert len(views) == 2
    for raw, classes, levels, scale in views:
        wanted = 2 + np.searchsorted(lows, raw, side="right")
        wanted[raw == -9999], wanted[raw == -9998], wanted[raw == -32768] = 1, 2, 0
        assert np.array_equal(classes, wanted)
        coded = raw <= -9998
        assert set(levels[coded].tolist()) == {-32768}
        assert np.array_equal(levels[~coded], raw[~coded])
        assert scale == 0.01


def test_view_names_its_classes_in_a_table(plan: Plan) -> None:
    top = ET.parse(plan.build / view_file(viewed_files(plan)[0])).getroot()
    rows = [[cell.text for cell in row] for row in top.iter("Row")]
    assert [row[:2] for row in rows[:4]] == [
        ["0", "outside"],
        ["1", "not permitted"],
        ["2", "not evaluated"],
        ["3", "below -20 dBm"],
    ]
    assert [row[1] for row in rows] == [
        entry.label for entry in view_legend(read_schemes()["max_eirp"], "dBm").entries
    ]


def probed(file: Path, folder: Path, *rasters: str) -> dict[str, Any]:
    """What QGIS says of a project; the picture of its first view beside."""
    result = folder / f"{file.stem}.json"
    line = [SYSTEM_PYTHON, str(PROBE), str(file), str(result), *rasters]
    environment = {"QT_QPA_PLATFORM": "offscreen", "HOME": str(folder), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(line, env=environment, capture_output=True, text=True, timeout=300)
    assert result.is_file(), done.stderr
    assert "Warning" not in done.stderr
    return json.loads(result.read_text()) | {"picture": result.with_suffix(".png")}


@pytest.fixture(scope="module")
def seen(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What QGIS says of the projects, by name; rasters opened alone with the first.

    The one to pass on lies elsewhere with its folder alone, in a path with blanks and umlauts.
    """
    folder = tmp_path_factory.mktemp("seen")
    alone = [str(plan.build / file) for file in raster_files(plan)]
    public, internal, passed_on = projects(plan)
    copy = folder / "für alle, 2026"
    shutil.copytree(plan.build / "public", copy / "public")
    return {
        public: probed(plan.build / public, folder, *alone),
        internal: probed(plan.build / internal, folder),
        passed_on: probed(copy / passed_on, folder),
    }


@needs_qgis
def test_qgis_opens_the_projects_with_every_layer_valid(plan: Plan, seen: dict[str, Any]) -> None:
    for name in projects(plan):
        facts, expected = seen[name], project(plan, name).findall("projectlayers/maplayer/id")
        assert facts["opened"]
        assert facts["title"] == TITLE
        assert facts["crs"] == "EPSG:3794"
        assert set(facts["layers"]) == {e.text for e in expected}
        for key, layer in facts["layers"].items():
            assert layer["valid"], key
            assert layer["crs"] == ("EPSG:4326" if key.startswith("vector_") else "EPSG:3794"), key
    layers = seen[internal_project(plan)]["layers"]
    assert layers["vector_transmitters"]["features"] == layers["vector_sites"]["features"] == len(STATIONS)
    assert layers["vector_radar612_zone"]["features"] == 1


@needs_qgis
def test_projects_open_with_one_map_over_the_territory(plan: Plan, seen: dict[str, Any]) -> None:
    """The number of channels at the level in the middle; groups beside it are closed."""
    rows, cols = inside().nonzero()
    west, north = GRID.west_m, GRID.north_m
    disc = [
        west + 500.0 * cols.min(),
        north - 500.0 * (rows.max() + 1),
        west + 500.0 * (cols.max() + 1),
        north - 500.0 * rows.min(),
    ]
    room_m = 0.04 * max(disc[2] - disc[0], disc[3] - disc[1])
    for name in projects(plan):
        shown = [key for key in seen[name]["shown"] if not key.startswith("vector_")]
        assert shown == [FIRST]
        expected = [disc[0] - room_m, disc[1] - room_m, disc[2] + room_m, disc[3] + room_m]
        assert seen[name]["extent"] == pytest.approx(expected)
        maps = next(node for node in seen[name]["tree"] if node.get("group") == "Maps, one at a time")
        assert [group["expanded"] for group in maps["children"] if "group" in group] == [False]
    vectors_shown = [key for key in seen[internal_project(plan)]["shown"] if key.startswith("vector_")]
    assert vectors_shown == ["vector_sites", "vector_places", "vector_boundaries", "vector_land"]


@needs_qgis
def test_ticking_a_map_puts_it_in_place_of_the_other(plan: Plan, seen: dict[str, Any]) -> None:
    for name in projects(plan):
        ticked = dict(seen[name]["ticked"])
        assert ticked.pop(RELIEF)[0] == RELIEF, "over the maps, beside them"
        assert len(ticked) > 20
        assert ticked == {key: [key] for key in ticked}


@needs_qgis
def test_legend_has_the_unit_where_qgis_writes_the_band(plan: Plan, seen: dict[str, Any]) -> None:
    printed = seen[internal_project(plan)]["printed"]
    assert printed.pop("relief_of_the_terrain") == []
    first = {key: labels[0] for key, labels in printed.items()}
    assert not [key for key, label in first.items() if "Band" in label]
    assert first["max_eirp_fixed30_ch22_band1"] == "Maximum permitted e.i.r.p. [dBm]"
    assert first["dtt_field_ch22_band1"] == "Wanted field of DTT [dB(uV/m)]"
    assert first["radar612_margin_band1"] == "Distance beyond the required one [km]"
    assert first["available_channels_fixed30_20dbm_band1"] == "Channels available"
    assert first["dtt_server_ch22_band1"] == "Best server"
    assert printed["availability_fixed30_20dbm_band2"][1:] == [
        "unavailable",
        "available",
        "not evaluated",
        "outside",
    ]


@needs_qgis
def test_sites_are_named_and_have_their_channels_on_maps_of_a_large_scale(
    plan: Plan, seen: dict[str, Any]
) -> None:
    layers = seen[internal_project(plan)]["layers"]
    sites = layers["vector_sites"]["labels"]
    assert sites["100000"] == [f"{station[0]}\nch {station[3]}" for station in STATIONS]
    assert sites["1000000"] == [station[0] for station in STATIONS]
    assert sites["100000000"] == layers["vector_transmitters"]["labels"]["100000"] == []
    assert layers["vector_radar612_zone"]["labels"]["1000000"] == ["R-1\n320 km over sea, 100 km over land"]


@needs_qgis
def test_territory_of_two_devices_without_coordination_opens(tmp_path: Path) -> None:
    with working_folder(tmp_path) as config:
        with_devices(config, ("fixed30", "A", 1, 30.0), ("slave", "B", 4, 1.5))
        plan = write_every_layer(config, coordination="")
        run_from("qgis", config, plan.build)
        facts = probed(plan.build.resolve() / internal_project(plan), tmp_path)
    assert all(layer["valid"] for layer in facts["layers"].values())
    maps = next(node for node in facts["tree"] if node.get("group") == "Maps, one at a time")
    assert [node["name"] for node in maps["children"] if "layer" in node] == [
        f"channels available {device} at {level} dBm"
        for device in ("fixed30", "slave")
        for level in (0, 20, 36)
    ]
    more = maps["children"][-1]["children"]
    groups = {node["group"]: [child.get("group") for child in node["children"]] for node in more}
    assert groups.pop("DTT") == ["Wanted field", "Location probability", "Served", "Best server"]
    assert groups == {name: ["fixed30", "slave"] for name in GROUPS[:4]}
    assert facts["ticked"] == {key: [key] for key in facts["ticked"]}


@needs_qgis
def test_qgis_takes_the_style_beside_every_raster(plan: Plan, seen: dict[str, Any]) -> None:
    for path, layer in seen[public_project(plan)]["rasters"].items():
        top = ET.parse(Path(path).with_suffix(".qml")).getroot()
        wanted = [e.get("label") for e in top.iter() if e.tag in {"item", "paletteEntry"}]
        assert layer["valid"], path
        assert [label for label, _ in layer["legend"]] == wanted, path


@needs_qgis
def test_style_has_the_period_of_the_bookings(plan: Plan, tmp_path: Path) -> None:
    """So that QGIS takes rasters of successive runs for a series in time."""
    project_file = plan.build / project_to_pass_on(plan)
    shutil.copytree(project_file.parent, tmp_path / "public")
    raster = tmp_path / "public/max_eirp_fixed30_ch22.tif"
    legend = legend_of(read_schemes()["max_eirp"], unit="dBm", whole=True)
    period = ("2026-12-04T23:00:00Z", "2026-12-05T23:00:00Z")
    raster.with_suffix(".qml").write_text(style_text(legend, period), encoding="utf-8")
    other = raster.with_name("max_eirp_fixed30_ch25.tif")
    found = probed(tmp_path / "public" / project_file.name, tmp_path, str(raster), str(other))["rasters"]
    assert found[str(raster)]["period"] == list(period)
    assert found[str(other)]["period"] == []


@needs_qgis
def test_project_of_the_run_opens_without_the_internal_layers(plan: Plan, tmp_path: Path) -> None:
    """As docs/outputs.md says: what lies in internal/ is unavailable, the rest is there."""
    shutil.copytree(plan.build / "public", tmp_path / "public")
    name = public_project(plan)
    shutil.copy(plan.build / name, tmp_path / name)
    facts = probed(tmp_path / name, tmp_path)
    missing = {key for key, layer in facts["layers"].items() if not layer["valid"]}
    assert missing == {key for key in facts["layers"] if key.startswith("dtt_")} != set()
    assert facts["shown"] == [
        "vector_places",
        "vector_boundaries",
        "available_channels_fixed30_20dbm_band1",
        "vector_land",
    ]


@needs_qgis
def test_legend_of_qgis_has_units_and_tells_codes_apart(plan: Plan, seen: dict[str, Any]) -> None:
    legend = dict(seen[public_project(plan)]["layers"]["max_eirp_fixed30_ch22_band1"]["legend"])
    assert "0 to 10 dBm" in legend
    codes = [legend[name] for name in ("not permitted", "not evaluated", "outside")]
    assert codes == ["#ff141414", "#ffc6c6c6", "#00ffffff"], "a printed legend shows it without alpha"
    assert list(legend.values()).count("#ff141414") == list(legend.values()).count("#ffc6c6c6") == 1


@needs_qgis
def test_picture_of_qgis_shows_the_layer_on_land_in_the_sea(plan: Plan, seen: dict[str, Any]) -> None:
    """Colours drawn are those of the classes that occur; around the disc the land of the territory shows."""
    with rasterio.open(seen[public_project(plan)]["picture"]) as picture:
        colours = {tuple(int(v) for v in c) for c in picture.read([1, 2, 3]).reshape(3, -1).T}
    legend = seen[public_project(plan)]["layers"]["available_channels_fixed30_20dbm_band1"]["legend"]
    wanted = {tuple(bytes.fromhex(colour[3:])) for _, colour in legend if colour.startswith("#ff")}
    assert wanted <= colours
    assert colours & {SEA, LAND_FILE}


@needs_qgis
def test_pixel_is_told_without_a_code_among_levels(plan: Plan, seen: dict[str, Any]) -> None:
    """What the tool of QGIS tells at places of every kind: never -99.99 dBm."""
    told = seen[public_project(plan)]["told"]["max_eirp_fixed30_ch22_band1"]
    assert {values[0] for values in told if values[1] is None} == {None, 1, 2}
    levels = [values for values in told if values[1] is not None]
    assert levels
    assert all(values[0] >= 3 and -40.0 <= values[1] <= 36.0 for values in levels)


@needs_qgis
def test_themes_show_one_map_each(plan: Plan, seen: dict[str, Any]) -> None:
    for name in projects(plan):
        themes = seen[name]["themes"]
        assert len(themes) == 3
        for theme, shown in themes.items():
            rasters = [key for key in shown if not key.startswith("vector_")]
            assert rasters == [f"available_channels_fixed30_{theme.split()[-2]}dbm_band1"]
            assert {"vector_boundaries", "vector_land", "vector_places"} <= set(shown)


@needs_qgis
def test_layout_prints_map_legend_and_notice(plan: Plan, seen: dict[str, Any]) -> None:
    """The legend has the classes of the map that is shown, and no other layer's."""
    for name in projects(plan):
        printed = seen[name]["layouts"]["A4 with legend"]
        assert {"map", "legend", "scale bar"} <= set(printed["items"])
        assert NOTICE in printed["texts"]
        assert TITLE in printed["texts"]
        with rasterio.open(printed["picture"]) as picture:
            colours = picture.read([1, 2, 3]).reshape(3, -1).T
        found = {tuple(int(v) for v in c) for c in np.unique(colours, axis=0)}
        legend = seen[name]["layers"][FIRST]["legend"]
        assert {tuple(bytes.fromhex(colour[3:])) for _, colour in legend if colour.startswith("#ff")} <= found


@needs_qgis
def test_relief_and_places_are_there(plan: Plan, seen: dict[str, Any]) -> None:
    for name in projects(plan):
        layers = seen[name]["layers"]
        assert layers["relief_of_the_terrain"]["valid"]
        assert layers["vector_places"]["labels"]["1000000"] == ["Gora"]
