"""The jobs of a territory and the hashes that they carry."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

from pipeline.config.base import unverified
from pipeline.config.config import Config
from pipeline.errors import InputError
from pipeline.hashing import imported_sources
from pipeline.plan.dependencies import (
    rows_of_channel,
    rows_of_services,
    rows_of_territory,
    rows_of_tile,
    run_id,
    settings_of,
)
from pipeline.plan.jobs import JOBS
from pipeline.plan.plan import Plan, levels_of, load_plan, threads_per_job, victims_of
from pipeline.plan.run_files import layer_files, loss_files, published_files, terrain_files, written_by
from pipeline.workflow.what_if import margins_km

Change = Callable[..., None]


def edit(tiny: Path, old: str, new: str) -> Plan:
    text = tiny.read_text()
    assert old in text
    tiny.write_text(text.replace(old, new))
    return load_plan(tiny)


def stage_hashes(plan: Plan) -> dict[str, str]:
    return {stage: settings_of(plan, stage) for stage in JOBS}


def changed_stages(before: Plan, after: Plan) -> set[str]:
    old, new = stage_hashes(before), stage_hashes(after)
    return {stage for stage in old if old[stage] != new[stage]}


def changed_channels(before: Plan, after: Plan) -> list[int]:
    channels = sorted({*before.victims, *after.victims})
    return [c for c in channels if rows_of_channel(before, c) != rows_of_channel(after, c)]


def test_plan_has_the_channels_that_limit_a_device(tiny: Path) -> None:
    plan = load_plan(tiny)
    # 47 is out of reach of every device channel (21-30) at offsets -3..3 and 9; its tile is not needed.
    assert plan.victims == [21, 22, 23, 25]
    assert plan.wsd == list(range(21, 31))
    assert plan.tiles == ["n46e014"]


def test_victims_of_follow_the_offsets(tiny: Path) -> None:
    plan = load_plan(tiny)
    assert victims_of(plan, 21) == [21, 22, 23, 25]
    assert victims_of(plan, 30) == [21, 22, 23, 25]  # ten channels on either side, 47 is farther
    tiny.write_text(
        tiny.read_text() + "protection: {offsets: [-3, -2, -1, 0, 1, 2, 3, 9]}\n", encoding="utf-8"
    )
    plan = load_plan(tiny)
    assert victims_of(plan, 21) == [21, 22, 23]
    assert victims_of(plan, 30) == [21]  # the image channel, 9 below
    assert victims_of(plan, 29) == []


def test_register_row_concerns_its_channel_and_neighbours(tiny: Path, change_station: Change) -> None:
    before = load_plan(tiny)
    run_before = run_id(before)
    change_station(1, erp_kw=2.0)
    after = load_plan(tiny)
    assert changed_channels(before, after) == [21, 22, 23]
    assert rows_of_tile(before, "n46e014") == rows_of_tile(after, "n46e014")
    assert rows_of_territory(before) == rows_of_territory(after)
    assert run_id(after) != run_before


def test_moved_station_concerns_its_tile_and_channels_only(tiny: Path, change_station: Change) -> None:
    before = load_plan(tiny)
    change_station(3, lon=14.2)
    after = load_plan(tiny)
    assert changed_channels(before, after) == [25]
    assert rows_of_tile(before, "n46e014") != rows_of_tile(after, "n46e014")
    assert rows_of_territory(before) == rows_of_territory(after)


def test_station_beyond_the_box_of_all_sites_concerns_the_territory(
    tiny: Path, change_station: Change
) -> None:
    before = load_plan(tiny)
    change_station(4, lon=17.5)
    assert rows_of_territory(load_plan(tiny)) != rows_of_territory(before)


# Jobs that write files of devices, or read their names: whether a run is partial shows in these
# (`channels.allocated`, `study`), and follows from services, channels and the widths of devices.
NAMED_BY_WHAT_IS_LEFT_OUT = {"availability", "choices", "reach", "regions", "query", "web"}


@pytest.mark.parametrize(
    ("old", "new", "stages"),
    [
        (
            "levels_dbm: [0.0, 20.0, 36.0]",
            "levels_dbm: [0.0, 20.0]",
            {"availability", "choices", "qgis", "regions", "web"},
        ),
        ('wsd: ["21-30"]', 'wsd: ["21-29"]', {"combine", "wsd_terrain"} | NAMED_BY_WHAT_IS_LEFT_OUT),
        ("resolution_m: 500.0", "resolution_m: 250.0", {"territory"}),
        (
            "pmse: {status: out_of_scope, reason: test}",
            "pmse: {status: evaluate}",
            {"combine"} | NAMED_BY_WHAT_IS_LEFT_OUT,
        ),
        ("devices:", "terrain: {azimuth_step_deg: 1.0}\ndevices:", {"terrain"}),
        (
            "devices:",
            "terrain: {clutter: {raster: [none.tif], table: none.csv}}\ndevices:",
            {"losses", "coverage", "wsd_terrain"},
        ),
        ("devices:", "validity_hours: 48.0\ndevices:", {"qgis", "stac", "web"}),
        ("devices:", "report: {regions: {path: none.gpkg}}\ndevices:", {"regions"}),
        ("devices:", "reach: [{device: fixed30, mode: QPSK 1/2}]\ndevices:", {"reach", "web"}),
        ("devices:", "report: {costed_devices: [fixed30]}\ndevices:", {"choices"}),
        ("devices:", "query: {block_px: 64}\ndevices:", {"query"}),
        ("devices:", "query: {max_polling_s: 60}\ndevices:", set()),
        ("devices:", "keep_runs: 3\ndevices:", set()),
        (
            "devices:",
            "propagation: {wsd_model: extended_hata}\ndevices:",
            {"heights", "protect", "combine", "choices", "wsd_terrain"},
        ),
        (
            "devices:",
            "propagation: {coverage_model: hata}\ndevices:",
            {"losses", "coverage", "reception", "combine", "choices", "wsd_terrain"},
        ),
        (
            "devices:",
            "propagation: {nuisance_time_pct: 5.0}\ndevices:",
            {"losses", "coverage", "protect", "combine", "choices", "wsd_terrain"},
        ),
        ("min_eirp_dbm: -40.0", "min_eirp_dbm: -30.0", {"combine"} | NAMED_BY_WHAT_IS_LEFT_OUT),
        (
            "height_m: 30.0",
            "height_m: 10.0",
            {"heights", "protect", "combine", "wsd_terrain"} | NAMED_BY_WHAT_IS_LEFT_OUT,
        ),
        ("cap_dbm: 36.0", "cap_dbm: 30.0", {"protect", "combine", "wsd_terrain"} | NAMED_BY_WHAT_IS_LEFT_OUT),
        (
            "min_eirp_dbm: -40.0",
            "min_eirp_dbm: -40.0\n    margin_db: 3.0",
            {"protect", "combine", "wsd_terrain"} | NAMED_BY_WHAT_IS_LEFT_OUT,
        ),
    ],
)
def test_setting_concerns_the_stages_that_read_it(tiny: Path, old: str, new: str, stages: set[str]) -> None:
    before = load_plan(tiny)
    after = edit(tiny, old, new)
    assert changed_stages(before, after) == stages
    assert run_id(before) != run_id(after)


def test_every_setting_moves_the_run_id_back_and_forth(tiny: Path) -> None:
    before = run_id(load_plan(tiny))
    assert run_id(edit(tiny, "cap_dbm: 36.0", "cap_dbm: 30.0")) != before
    assert run_id(edit(tiny, "cap_dbm: 30.0", "cap_dbm: 36.0")) == before


def test_level_above_the_cap_is_not_published(tiny: Path) -> None:
    plan = edit(tiny, "cap_dbm: 36.0", "cap_dbm: 30.0")
    assert levels_of(plan, "fixed30") == [0.0, 20.0]
    assert not any("36dbm" in name for name in published_files(plan))


def test_published_files_are_those_of_the_interface(tiny: Path) -> None:
    names = published_files(load_plan(tiny))
    assert len(set(names)) == len(names)
    expected = {
        "public/max_eirp_fixed30_ch21.tif",
        "public/limiting_service_fixed30_ch30.tif",
        "public/eval_flags_fixed30_ch25.tif",
        "public/max_eirp_fixed30.vrt",
        "public/statistics.csv",
        "public/not_evaluated.csv",
        "public/choices.csv",
        "public/lost_channels.csv",
        "public/availability_fixed30_20dbm.tif",
        "public/available_channels_fixed30_0dbm.tif",
        "internal/dtt_field_ch21.tif",
        "internal/dtt_q_ch25.tif",
        "internal/dtt_served_ch22.tif",
        "internal/dtt_server_ch23.tif",
        "public/query_fixed30.tif",
    }
    assert expected <= set(names)
    # 10 channels x 3 layers, 3 levels x 2, stack, query file, statistics, not evaluated, two on choices;
    # 4 victims x 4 layers; web map: 6 files of the page, 10 channels x 2 and 3 levels, numbers
    rasters = 10 * 3 + 3 * 2 + 1 + 1 + 4 * 4
    # QGIS: a style for each raster, a side file for each but the stack, 3 projects, 3 vector layers, a view
    # for each channel
    qgis = rasters + rasters - 1 + 3 + 3 + 10
    # STAC: 10 channels, device, collection
    assert len(names) == rasters + 1 + 1 + 2 + 6 + 10 * 2 + 3 + 1 + qgis + 12


SECTIONS = """
coordination:
  rr941:
    - networks: networks.yaml
      case: {kind: inclusion, edition: WRC15, region: 1, request_received: 2026-03-02, ific_date: 2026-06-16,
             comment_received: 2026-10-09, calculation_supplied: true}
  rr97ab: {systems: systems.yaml, simulation: {hours: 1.0}}
  radars: {administration: SVN, borders: world.gpkg, frequencies_mhz: [13.5], register_file: radars.csv}
  links: links.csv
"""


COORDINATION = ("rr941", "rr97ab", "radar612", "f1565")


def test_coordination_concerns_its_own_stages(tiny: Path) -> None:
    without = load_plan(tiny)
    assert not any(written_by(without, stage) for stage in COORDINATION)
    tiny.write_text(tiny.read_text() + SECTIONS)
    before = load_plan(tiny)
    assert changed_stages(without, before) == set(COORDINATION)
    added = set(layer_files(before)) - set(layer_files(without))
    assert added == {name for stage in COORDINATION for name in written_by(before, stage)}
    assert {
        "public/rr941_dtt_down.tif",
        "public/rr97ab_cond.tif",
        "public/radar612_margin.tif",
        "internal/rr941_decision.json",
        "internal/radar612.gpkg",
    } <= added
    for old, new, stages in [
        ("ific_date: 2026-06-16", "ific_date: 2026-06-17", {"rr941"}),
        ("[13.5]", "[13.5, 4.5]", {"radar612"}),
    ]:
        assert changed_stages(before, edit(tiny, old, new)) == stages
        edit(tiny, new, old)
    for name, stage in [
        ("networks.yaml", "rr941"),
        ("systems.yaml", "rr97ab"),
        ("world.gpkg", "radar612"),
        ("radars.csv", "radar612"),
        ("links.csv", "f1565"),
    ]:
        old_hashes = stage_hashes(before)
        (tiny.parent / name).write_text("new content")
        new_hashes = stage_hashes(load_plan(tiny))
        assert {key for key in old_hashes if old_hashes[key] != new_hashes[key]} == {stage}


def test_a_lower_level_computes_the_limits_again(tiny: Path) -> None:
    """The leakage of weaker devices has a floor; levels above the lowest read the same limits."""
    before = load_plan(tiny)
    lower = edit(tiny, "levels_dbm: [0.0, 20.0, 36.0]", "levels_dbm: [-20.0, 20.0, 36.0]")
    assert rows_of_services(lower, 21) != rows_of_services(before, 21)
    fewer = edit(tiny, "levels_dbm: [-20.0, 20.0, 36.0]", "levels_dbm: [0.0, 36.0]")
    assert rows_of_services(fewer, 21) == rows_of_services(before, 21)


def test_threads_share_the_cores_among_jobs() -> None:
    assert threads_per_job(2, 28) == 1
    assert threads_per_job(64, 28) == 2
    assert threads_per_job(8, 0) == 8
    assert threads_per_job(None, 3) == 1


def keys_read(path: Path) -> set[str]:
    """Dotted keys that a source file reads from something called ``config``."""
    found = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        names: list[str] = []
        while isinstance(node, ast.Attribute):
            names.append(node.attr)
            node = node.value
        if isinstance(node, ast.Name) and node.id == "config" and names:
            found.add(".".join(reversed(names)))
    named = {key.removesuffix(".model_copy") for key in found}
    return {key for key in named if key.split(".")[0] in Config.model_fields}


@pytest.mark.parametrize("stage", sorted(set(JOBS) - {"publish"}))  # the run counts all settings
def test_stage_names_every_setting_that_its_code_reads(stage: str) -> None:
    declared = JOBS[stage].settings
    folder = Path(__file__).parents[2] / "pipeline" / JOBS[stage].module.split(".")[1]
    # The register is followed row by row, the margin by its width, the name by the paths.
    elsewhere = {"registers", "name"}
    if stage == "territory":
        elsewhere |= {
            "devices",
            "protection",
            "coverage",
            "channels",
            "grid.margin_km",
            "grid.least_margins_km",
            "grid.least_limiting_losses_db",
        }
    if stage == "availability":  # its tags repeat what the layers of ``combine`` were computed with
        elsewhere |= set(JOBS["combine"].settings)
    for source in imported_sources(JOBS[stage].module):
        if source.parent != folder:
            continue
        for key in keys_read(source) - elsewhere:
            known = any(key == d or key.startswith(d + ".") or d.startswith(key + ".") for d in declared)
            assert known or {key, key.split(".")[0]} & elsewhere, f"{source.name} reads {key}"


def test_margin_of_the_published_maps_keeps_the_grid_when_a_change_needs_less(tiny: Path) -> None:
    before = load_plan(tiny)
    needed = margins_km(before.config)
    looser = edit(tiny, "height_m: 30.0", "height_m: 30.0\n    dq_pct: 5.0")
    assert rows_of_territory(looser) != rows_of_territory(before)
    kept = edit(tiny, "resolution_m: 500.0", f"resolution_m: 500.0, least_margins_km: {needed}")
    assert rows_of_territory(kept) == rows_of_territory(before)
    assert {"protect", "combine"} <= changed_stages(before, kept)
    assert "territory" not in changed_stages(before, kept)


def test_model_of_profiles_has_tables_of_losses_and_states_its_air(tiny: Path) -> None:
    assert load_plan(tiny).config.propagation.climate is None
    assert loss_files(load_plan(tiny), "n46e014") == []
    write_hills(tiny.parent / "dem.tif")
    before = tiny.read_text()
    tiny.write_text(before + "terrain: {dem: [dem.tif]}\npropagation: {coverage_model: p1812}\n")
    plan = load_plan(tiny)
    assert plan.tiles == ["n46e014"]
    assert terrain_files(plan, 21) == ["terrain/n46e014.npz", "losses/n46e014.npz"]
    unread = {entry["key"] for entry in unverified(plan.config)}
    assert {"propagation.climate.lapse_n_per_km", "propagation.climate.refractivity"} <= unread
    tiny.write_text(before + "propagation: {coverage_model: p1812}\n")
    with pytest.raises(InputError, match=r"propagation\.coverage_model: p1812 needs terrain\.dem"):
        load_plan(tiny)
    tiny.write_text(before + "sensitivity: {coverage_models: [hata, p1812]}\n")
    with pytest.raises(InputError, match=r"sensitivity\.coverage_models: p1812 needs terrain\.dem"):
        load_plan(tiny)


def write_hills(path: Path) -> None:
    """A raster of heights around the stations of the tiny territory."""
    heights_m = np.full((20, 30), 300.0, np.float32)
    place = {"crs": "EPSG:4326", "transform": from_origin(13.5, 46.6, 0.1, 0.1)}
    with rasterio.open(
        path, "w", driver="GTiff", height=20, width=30, count=1, dtype="float32", **place
    ) as sink:
        sink.write(heights_m, 1)


def test_terrain_concerns_the_services_where_paths_to_receivers_lead_over_it(tiny: Path) -> None:
    write_hills(tiny.parent / "dem.tif")
    flat = edit(tiny, "devices:", "terrain: {dem: [dem.tif]}\ndevices:")
    voids = edit(tiny, "{dem: [dem.tif]}", "{dem: [dem.tif], coast_void_km: 1.0}")
    assert rows_of_services(voids, 21) == rows_of_services(flat, 21)
    over = edit(tiny, "terrain: ", "protection: {device_path: smaller}\nterrain: ")
    assert {"combine", "choices"} <= changed_stages(voids, over)
    assert not {"protect", "coverage", "territory", "heights"} & changed_stages(voids, over)
    known = edit(tiny, "coast_void_km: 1.0", "coast_void_km: 2.0")
    assert rows_of_services(known, 21) != rows_of_services(over, 21)
