"""What the manifest says of the product as a whole: what it is not, and which terrain stands behind it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
import xarray as xr
from affine import Affine

from pipeline.grid import raster
from pipeline.grid.grid import Grid
from pipeline.plan.plan import load_plan
from pipeline.publish.disclosure import public_facts
from pipeline.publish.manifest import make_manifest, utc_now
from pipeline.publish.report import basis
from pipeline.shipped import shipped
from tests.jobs import run_from
from tests.tiny import STATIONS, write_register

GRID = Grid("EPSG:3794", 500.0, 420_000.0, 120_000.0, 40, 40)


def manifest_of(tiny: Path) -> dict[str, object]:
    return make_manifest(load_plan(tiny), "run", {}, {}, utc_now())


def edit(tiny: Path, old: str, new: str) -> None:
    text = tiny.read_text()
    assert old in text
    tiny.write_text(text.replace(old, new))


def write_terrain(tiny: Path, step_deg: float) -> None:
    """A flat terrain model of 13 E to 15 E, 45 to 47 N, and the sweeps of the tiny territory on it."""
    side = round(2.0 / step_deg)
    profile = {
        "driver": "GTiff",
        "width": side,
        "height": side,
        "count": 1,
        "dtype": "int16",
        "crs": "EPSG:4326",
        "transform": Affine(step_deg, 0, 13.0, 0, -step_deg, 47.0),
    }
    with rasterio.open(tiny.parent / "dem.tif", "w", **profile) as sink:
        sink.write(np.full((1, side, side), 300, np.int16))
    if "terrain:" not in tiny.read_text():
        edit(tiny, "registers:", "terrain: {dem: [dem.tif]}\nregisters:")
    write_sweeps(tiny)


def write_sweeps(tiny: Path) -> None:
    """Run the terrain stage on a small grid; the sea begins far in the west, at 12.8 E."""
    plan = load_plan(tiny)
    territory = plan.build / "territory"
    ones = np.ones((40, 40), np.uint8)
    surface = raster.make_array(ones, GRID, units="", long_name="surface", nodata=None)
    for name in ("surface", "reach"):
        raster.write(territory / f"{name}.tif", surface, tags={}, publish=False)
    land = np.ones((200, 400), np.uint8)
    land[:, :80] = 0
    attrs = {
        "crs": "EPSG:4326",
        "transform": Affine(0.01, 0, 12.0, 0, -0.01, 47.0),
        "units": "",
        "long_name": "land",
        "nodata": None,
    }
    mask = xr.DataArray(land, dims=("y", "x"), attrs=attrs)
    raster.write(territory / "land_lonlat.tif", mask, tags={}, publish=False)
    for tile in plan.tiles:
        run_from("terrain", tiny, plan.build, tile=tile)


def test_bits_of_the_evaluated_services_are_named(tiny: Path) -> None:
    bits = manifest_of(tiny)["service_bits"]
    assert isinstance(bits, dict)
    assert (bits["dtt"], bits["pmse"], bits["manual_adjustment"]) == (1, 2, 15)
    assert len(set(bits.values())) == len(bits)


def test_product_is_named_for_what_it_leaves_out(tiny: Path) -> None:
    assert manifest_of(tiny)["product"] == "DTT only, not for licensing"
    text = tiny.read_text()
    tiny.write_text(text.replace("status: out_of_scope", "applicable: false"))
    assert manifest_of(tiny)["product"] == ""


@pytest.mark.parametrize("setting", ["coastal", "ignore"])
def test_treatment_of_sea_paths_is_named(tiny: Path, setting: str) -> None:
    edit(tiny, "devices:", f"protection: {{sea_paths: {setting}}}\ndevices:")
    manifest = manifest_of(tiny)
    assert manifest["sea_paths"] == setting
    assert any("Sea paths" in note for note in manifest["notes"]) == (setting == "ignore")


@pytest.mark.parametrize("path", ["homogeneous", "p1812", "smaller"])
def test_paths_over_terrain_are_named(tiny: Path, path: str) -> None:
    write_terrain(tiny, 0.01)
    edit(tiny, "devices:", f"protection: {{device_path: {path}, device_path_km: 40}}\ndevices:")
    first, second, *_ = manifest_of(tiny)["notes"]
    over = path != "homogeneous"
    assert first.startswith(f"Paths from devices to {'DTT ' * over}receivers take no account of the terrain")
    assert ("by Rec. ITU-R P.1812, up to 40 km" in second) == over
    assert ("flat land gives less loss" in second) == (path == "smaller")


@pytest.mark.parametrize("method", ["degradation", "separation"])
def test_contours_that_are_not_those_of_the_fcc_are_named(tiny: Path, method: str) -> None:
    edit(tiny, "devices:", f"protection: {{method: {method}}}\ndevices:")
    found = [note for note in manifest_of(tiny)["notes"] if "contours" in note]
    assert len(found) == (method == "separation")


def test_without_terrain_model_heights_are_those_above_ground(tiny: Path) -> None:
    register = tiny.parent / "register.csv"
    lines = register.read_text().splitlines()
    lines = [f"{line},{haat}" for line, haat in zip(lines, ["haat_m", 250, "", "", "", ""], strict=True)]
    register.write_text("\n".join(lines) + "\n")
    write_sweeps(tiny)
    terrain = manifest_of(tiny)["terrain"]
    # Station A has a height above average terrain, B, C and D have none; E is in a tile that nobody needs.
    assert terrain["masts"] == {
        "dem": 0,
        "partial": 0,
        "haat": 1,
        "agl": 3,
        "with_clearance_angles": 0,
        "with_sea": 0,
    }
    assert terrain["clearance_angles"] == {"on": False, "reason": "no terrain model"}
    assert terrain["troposcatter_floor"]["on"] is False


def test_coarse_terrain_gives_heights_but_no_angles(tiny: Path) -> None:
    write_terrain(tiny, 0.01)
    terrain = manifest_of(tiny)["terrain"]
    assert (terrain["masts"]["dem"], terrain["masts"]["with_clearance_angles"]) == (4, 0)
    assert terrain["clearance_angles"] == {
        "on": False,
        "reason": "the terrain model has a step of more than 250 m (terrain.tca_max_step_m)",
    }
    assert terrain["troposcatter_floor"] == {"on": False, "reason": "clearance angles are off"}


def test_fine_terrain_gives_angles_until_they_are_switched_off(tiny: Path) -> None:
    write_terrain(tiny, 0.002)
    terrain = manifest_of(tiny)["terrain"]
    assert terrain["masts"]["with_clearance_angles"] == 4
    assert terrain["clearance_angles"]["on"] is True
    assert "at most 250 m" in terrain["clearance_angles"]["reason"]
    assert terrain["troposcatter_floor"] == {"on": True, "reason": "clearance angles are on"}
    edit(tiny, "terrain: {dem: [dem.tif]}", "terrain: {dem: [dem.tif], tca: off}")
    write_sweeps(tiny)
    off = manifest_of(tiny)["terrain"]["clearance_angles"]
    assert off == {"on": False, "reason": "terrain.tca is off"}


def test_mast_at_the_edge_of_the_terrain_counts_as_partial(tiny: Path) -> None:
    write_register(tiny.parent / "register.csv", [*STATIONS, ("F", 14.9, 46.5, 22, 1.0)])
    write_terrain(tiny, 0.01)
    masts = manifest_of(tiny)["terrain"]["masts"]
    assert (masts["dem"], masts["partial"]) == (4, 1)


def test_bands_quoted_from_memory_are_among_the_unverified(tiny: Path) -> None:
    """All 21 bands of RR No. 5.340 and those of the nine cases: every territory is held against them."""
    keys = [str(entry["key"]) for entry in manifest_of(tiny)["unverified"]]
    for table in ("prohibited_bands.csv", "band_screening.csv"):
        lines = (Path(shipped("configs/tables")) / table).read_text(encoding="utf-8").splitlines()
        assert sum(f"{table}:" in key for key in keys) == len(lines) - 1 > 20


def test_repaired_polygons_are_named(tiny: Path) -> None:
    """A bow tie of two triangles, abroad and as an exclusion."""
    crossed = [[13.9, 46.0], [14.1, 46.2], [14.1, 46.0], [13.9, 46.2], [13.9, 46.0]]
    land = {"type": "Polygon", "coordinates": [crossed]}
    home = {"type": "Polygon", "coordinates": [[[14, 46], [14.3, 46], [14.3, 46.2], [14, 46.2], [14, 46]]]}
    features = [
        {"type": "Feature", "properties": {"iso2": code}, "geometry": shape}
        for code, shape in (("SI", home), ("AT", land))
    ]
    Path("land.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    zone = {"type": "Feature", "properties": {"channels": "*", "reason": "test"}, "geometry": land}
    Path("zones.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": [zone]}))
    edit(
        tiny,
        "territory:",
        "territory:\n  polygons: {path: land.geojson, countries_layer: land, land_layer: null}",
    )
    tiny.write_text(f"{tiny.read_text()}areas: {{exclusions: [zones.geojson]}}\n")
    run_from("territory", tiny, "build/tiny")
    facts = manifest_of(tiny)
    (repair,) = facts["repaired_polygons"]
    assert (repair["file"], repair["row"]) == ("land.geojson", 2)
    assert "Self-intersection" in repair["problem"]
    # Triangles: base 0.2 degrees of latitude (22.23 km), height 0.1 of longitude (7.73 km).
    assert repair["area_km2"] == pytest.approx(2 * 0.5 * 22.23 * 7.73, rel=0.01)
    (area,) = facts["areas"]
    assert area["repaired"].endswith("km2 now")
    assert "row" in area
    assert public_facts(facts)["areas"] == []
    text = "".join(str(part) for part in basis.assumptions(facts))
    assert "Polygon repaired: land.geojson, row 2" in text


def test_device_declared_indoor_is_named(tiny: Path) -> None:
    edit(tiny, "min_eirp_dbm: -40.0", "min_eirp_dbm: -40.0\n    indoor: {building: traditional}")
    found = manifest_of(tiny)
    (note,) = [note for note in found["notes"] if "buildings only" in note]
    assert note.startswith("Device fixed30 is declared")
    (loss,) = [entry for entry in found["unverified"] if "building_loss_db" in str(entry["key"])]
    assert f"{loss['value']:g} dB of building entry loss" in note
    assert "P.2109" in str(loss["source"])


def test_land_cover_is_named_where_it_counts_and_where_it_does_not(tiny: Path) -> None:
    assert manifest_of(tiny)["terrain"]["clutter"] == {
        "on": False,
        "reason": "no land cover (terrain.clutter)",
    }
    assert not [note for note in manifest_of(tiny)["notes"] if "bare terrain" in note]
    write_terrain(tiny, 0.1)
    text = tiny.read_text()
    table = "configs/tables/clutter_igbp.csv"
    edit(tiny, "dem: [dem.tif]", f"dem: [dem.tif], clutter: {{raster: [dem.tif], table: {table}}}")
    unread = manifest_of(tiny)
    assert unread["terrain"]["clutter"] == {"on": False, "reason": "p1546 takes no account of land cover"}
    assert (
        "Fields of DTT are those over bare terrain: p1546 takes no account of land cover." in unread["notes"]
    )
    tiny.write_text(text + "propagation: {coverage_model: p1812}\n")
    assert [note for note in manifest_of(tiny)["notes"] if "bare terrain" in note] == [
        "Fields of DTT are those over bare terrain: no land cover (terrain.clutter)."
    ]
    edit(tiny, "dem: [dem.tif]", f"dem: [dem.tif], clutter: {{raster: [dem.tif], table: {table}}}")
    assert manifest_of(tiny)["terrain"]["clutter"] == {"on": True, "reason": f"heights of {table}"}
    assert not [note for note in manifest_of(tiny)["notes"] if "bare terrain" in note]
    edit(tiny, "coverage_model: p1812", "coverage_model: hata")
    reason = f"surroundings of receivers of {table}"
    assert manifest_of(tiny)["terrain"]["clutter"] == {"on": True, "reason": reason}


def test_manifest_names_no_place_of_this_machine(tiny: Path, repository: Path) -> None:
    """Also in settings that are lists of shipped tables."""
    manifest = manifest_of(tiny)
    settings = manifest["config"]["settings"]
    assert settings["sensitivity"]["ratio_tables"] == ["configs/tables/protection_ratios_cautious.csv"]
    assert str(repository) not in json.dumps(manifest)
