"""The stages of coordination on a small territory: the files they write, and what these say of themselves."""

from __future__ import annotations

import json
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyogrio
import pytest
import yaml
from coordinated import GRID, change, coordinate

from pipeline.config.incumbents import FixedLinks
from pipeline.coordination.f1565.error_budget import permissible_interference
from pipeline.coordination.f1565.objectives import read_tables
from pipeline.coordination.rr941.appendix5 import COORDINATION_ARCS
from pipeline.errors import InputError
from pipeline.grid import raster
from pipeline.plan.published_layers import published_layers
from pipeline.plan.territory_file import load_config
from pipeline.publish.manifest import unverified_in_decisions
from pipeline.territory.codes import Surface
from tests.jobs import run_from
from tests.tiny import CONFIG

JOBS = ("rr941", "rr97ab", "radar612", "f1565")
LAYERS = {
    "rr941_dtt_down": ("float32", "%"),
    "rr941_dtt_up": ("float32", "%"),
    "rr941_dtt_transponder": ("float32", "%"),
    "rr941_exceeds": ("uint8", "1"),
    "rr941_argpair": ("uint16", "1"),
    "rr941_theta_t": ("float32", "deg"),
    "rr941_elev": ("float32", "deg"),
    "rr97ab_epfd_max": ("float32", "dB(W/m2/40 kHz)"),
    "rr97ab_cond": ("uint8", "1"),
    "radar612_dist_foreign": ("float32", "km"),
    "radar612_path": ("uint8", "1"),
    "radar612_req": ("float32", "km"),
    "radar612_margin": ("float32", "km"),
    "radar612_coord": ("uint8", "1"),
    "radar612_n_adm": ("uint8", "1"),
    "radar612_adm_k": ("uint32", "1"),
}
NODATA = {"uint8": 255, "uint16": 65535, "uint32": 0}


def contents(build: Path) -> dict[str, bytes]:
    """All files of the results by name."""
    return {
        path.relative_to(build).as_posix(): path.read_bytes()
        for folder in ("public", "internal")
        for path in sorted((build / folder).glob("*"))
    }


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a territory for which all four stages have run."""
    folder = tmp_path_factory.mktemp("coordinated")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        (folder / "tiny.yaml").write_text(CONFIG, encoding="utf-8")
        built = coordinate(folder / "tiny.yaml")
        for job in JOBS:
            run_from(job, folder / "tiny.yaml", built)
    return built


def test_stages_write_the_files_of_the_plan_and_no_others(build: Path) -> None:
    config = load_config(build.parents[1] / "tiny.yaml")
    planned = [found.file for job in JOBS for found in published_layers(config, job=job)]
    assert set(contents(build)) == set(planned)
    assert len(planned) == len(LAYERS) + 1 + 2 + 1 + 2  # pair table, decisions, zones, table of bits, links


@pytest.mark.parametrize("name", LAYERS)
def test_layer_has_its_type_unit_nodata_and_grid(build: Path, name: str) -> None:
    layer = raster.read(build / f"public/{name}.tif", stacked=True)
    dtype, units = LAYERS[name]
    assert (str(layer.dtype), layer.attrs["units"]) == (dtype, units)
    assert layer.attrs["grid"] == GRID
    nodata = layer.attrs["nodata"]
    expected = -9999.0 if name.startswith("radar612") else np.nan
    np.testing.assert_equal(nodata, NODATA.get(dtype, expected))
    tags = layer.attrs["tags"]
    assert len(tags["hash"]) == 16
    assert not any("20" in value and ":" in value for key, value in tags.items() if key != "source")


def test_same_inputs_give_the_same_bytes(build: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(build.parents[1])
    before = contents(build)
    for job in JOBS:
        run_from(job, Path("tiny.yaml"), build)
    assert contents(build) == before


def test_decision_is_that_of_the_layers(build: Path) -> None:
    document = json.loads((build / "internal/rr941_decision.json").read_text())
    down, up = (raster.read(build / f"public/rr941_{name}.tif").values[0] for name in ("dtt_down", "dtt_up"))
    assert document["max_pct"] == pytest.approx(np.nanmax([down, up]), rel=3e-7)
    assert (document["decision"], document["reason"]) == ("include", "OK")
    assert document["deadline"] == "2021-02-13"
    assert document["territory"]["share_above_threshold_pct"]["published into requester"] == 100.0
    assert {entry["key"] for entry in document["unverified"]} == {"method", "item 2"}
    pairs = json.loads((build / "public/rr941_argpair.json").read_text())["bands"]
    assert [band["victim"] for band in pairs] == ["ARS wanted", "F published"]
    assert [entry["pair"] for entry in pairs[0]["pairs"]] == [0, 1]
    tags = raster.read_layout(build / "public/rr941_dtt_down.tif").tags
    assert (tags["edition"], tags["unverified"]) == ("WRC15", "method, item 2")


def test_elevation_of_the_territory_file_masks(tiny: Path) -> None:
    build = coordinate(tiny)
    text = tiny.read_text().replace("- networks:", "- min_elevation_deg: 89.0\n      networks:")
    tiny.write_text(text)
    run_from("rr941", tiny, build)
    assert np.isnan(raster.read(build / "public/rr941_dtt_down.tif").values).all()
    document = json.loads((build / "internal/rr941_decision.json").read_text())
    (least,) = [entry for entry in document["evidence"] if entry["key"] == "min_elevation_deg"]
    assert (least["value"], document["reason"]) == (89.0, "BELOW_THRESHOLD")


def test_own_tables_decide_and_are_named(tiny: Path) -> None:
    build = coordinate(tiny)
    own = tiny.parent / "our_arcs.yaml"
    own.write_text(COORDINATION_ARCS.read_text().replace("WRC15: {value: 6.0", "WRC15: {value: 9.0"))
    tiny.write_text(tiny.read_text().replace("- networks:", "- arcs: our_arcs.yaml\n      networks:"))
    run_from("rr941", tiny, build)
    document = json.loads((build / "internal/rr941_decision.json").read_text())
    # 8.5 degrees apart: inside an arc of 9 degrees.
    assert document["reason"] == "ALREADY_REQUIRED_9_7"
    assert {e["file"] for e in document["evidence"] if e["key"] == "item 2"} == {"our_arcs.yaml"}


def test_places_at_sea_and_abroad_are_computed_if_asked_for(tiny: Path) -> None:
    build = coordinate(tiny)
    change(tiny, radars__include_sea=True, radars__frequencies_mhz=[42.25])
    run_from("radar612", tiny, build)
    surface = raster.read(build / "territory/surface.tif").values
    distance_km = raster.read(build / "public/radar612_dist_foreign.tif").values
    assert (distance_km != -9999.0).all()
    assert (distance_km[surface == Surface.HOME] > 0.0).all()
    lon = GRID.lonlat_deg()[0]
    # West of 13.8 E lies the neighbour of the polygons.
    np.testing.assert_array_equal(distance_km == 0.0, lon < 13.8)


def test_several_comparisons_have_files_of_their_own(tiny: Path) -> None:
    build = coordinate(tiny)
    first = yaml.safe_load(tiny.read_text())["coordination"]["rr941"][0]
    change(tiny, rr941=[first, {**first, "id": "second"}])
    run_from("rr941", tiny, build)
    names = set(contents(build))
    assert {"public/rr941_elev.tif", "public/rr941_second_elev.tif"} <= names
    assert {"internal/rr941_decision.json", "internal/rr941_second_decision.json"} <= names
    change(tiny, rr941=[first, first])
    with pytest.raises(InputError, match="same id"):
        run_from("rr941", tiny, build)


def test_decision_under_9_7b_lists_what_is_not_verified(build: Path) -> None:
    document = json.loads((build / "internal/rr97ab_decision.json").read_text())
    assert (document["condition_1"], document["condition_2"], document["coordination"]) == (
        True,
        False,
        False,
    )
    assert document["epfd_limit_dbw_m2"] == -174.5
    assert document["epfd_max_dbw_m2"] == pytest.approx(-188.526, abs=6e-4)
    assert [entry["verified"] for entry in document["unverified"]] == [False]
    tags = raster.read_layout(build / "public/rr97ab_epfd_max.tif").tags
    assert (tags["mode"], tags["unverified"]) == ("bound", "condition_2 10700-12750 MHz")


def test_zones_are_a_geopackage_of_two_layers(build: Path) -> None:
    path = build / "internal/radar612.gpkg"
    assert {name for name, _ in pyogrio.list_layers(path)} == {"radar612_zone", "radar612_affected"}
    zones, affected = (gpd.read_file(path, layer=name) for name in ("radar612_zone", "radar612_affected"))
    # The receiver and the radar outside the intervals have no zone.
    assert [key.split()[1] for key in zones["radar"]] == ["H-1", "I-1"]
    assert set(zones.geometry.geom_type) == {"MultiPolygon"}
    assert (zones["d_l_km"].tolist(), zones["d_s_km"].tolist()) == ([100.0, 100.0], [230.0, 230.0])
    # Each radar concerns the others' administrations, never its own.
    concerned = {(row.radar.split()[0], row.adm) for row in affected.itertuples()}
    assert concerned == {("SVN", "I"), ("SVN", "HRV"), ("I", "SVN"), ("I", "HRV")}


def test_budget_of_links_has_the_worked_example(build: Path) -> None:
    document = json.loads((build / "internal/f1565_budget.json").read_text())
    (link,) = document["links"]
    assert link["co_primary"]["counts_per_month"] == {"es": 44, "ses": 3, "bbe": 871}
    assert document["interference_to_noise"] == {"co_primary_db": -10.0, "other_sources_db": -20.0}


def test_share_of_other_sources_is_the_limit_of_fixed_links() -> None:
    allowed = permissible_interference(read_tables())
    assert FixedLinks.model_fields["i_n_db"].default.value == allowed.other_sources_db == -20.0


def test_territory_without_the_section_has_no_files(tiny: Path) -> None:
    for job in JOBS:
        run_from(job, tiny, tiny.parent / "build/tiny")
    assert not (tiny.parent / "build").exists()


def test_broken_register_stops_before_anything_is_written(tiny: Path) -> None:
    build = coordinate(tiny)
    path = tiny.parent / "radars.csv"
    path.write_bytes(path.read_bytes().replace(b"TX,42.25", b"TX,=HYPERLINK(1)"))
    with pytest.raises(InputError, match=r"radars\.csv, row 1, field freq_assgn: FREQ_FORMAT"):
        run_from("radar612", tiny, build)
    assert not contents(build)


def test_manifest_lists_the_open_numbers_of_the_decisions(build: Path) -> None:
    names = ["internal/rr941_decision.json", "internal/rr97ab_decision.json", "public/rr941_elev.tif"]
    found = unverified_in_decisions({name: build / name for name in names})
    assert [entry["key"] for entry in found] == [
        "internal/rr941_decision.json: method",
        "internal/rr941_decision.json: item 2",
        "internal/rr97ab_decision.json: condition_2 10700-12750 MHz",
    ]
    assert all(set(entry) == {"key", "value", "source"} for entry in found)
