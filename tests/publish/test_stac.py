"""STAC: valid by the schemas of the specification, and true of the files it describes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import rasterio
from pyproj import Transformer
from referencing import Registry, Resource
from rio_cogeo.cogeo import cog_validate

from pipeline.plan import run_files
from pipeline.plan.plan import Plan, load_plan
from pipeline.publish import stac
from pipeline.publish.catalogue import families
from tests.jobs import run_from
from tests.publish.every_layer import KINDS, NOTICE, TITLE, inside, working_folder, write_every_layer

SCHEMAS = Path(__file__).resolve().parents[1] / "reference/stac"
BASE = "https://schemas.stacspec.org/v1.1.0"
# From the text of the extensions: projection v2.0.0 (fields) and raster v2.0.0 (fields of bands and assets).
PROJ_FIELDS = {"proj:code", "proj:shape", "proj:transform", "proj:bbox"}
RASTER_FIELDS = {"raster:scale", "raster:offset", "raster:spatial_resolution"}


def schema(name: str) -> dict[str, Any]:
    return json.loads((SCHEMAS / name).read_text(encoding="utf-8"))


def registry() -> Registry:
    found = {f"{BASE}/item-spec/json-schema/{path.name}": path for path in SCHEMAS.glob("*.json")}
    found |= {f"https://geojson.org/schema/{path.name}": path for path in SCHEMAS.glob("geojson/*.json")}
    resources = [(uri, Resource.from_contents(json.loads(path.read_text()))) for uri, path in found.items()]
    return Registry().with_resources(resources)


def schema_errors(content: dict[str, Any], name: str) -> list[str]:
    """What a schema of the specification finds wrong."""
    kind = jsonschema.Draft7Validator(schema(name), registry=registry())
    return [f"{list(error.path)}: {error.message}" for error in kind.iter_errors(content)]


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plan]:
    with working_folder(tmp_path_factory.mktemp("stac")) as config:
        found = write_every_layer(config)
        run_from("stac", config, found.build)
        yield found


def read(plan: Plan, name: str) -> dict[str, Any]:
    return json.loads((plan.build / name).read_text(encoding="utf-8"))


def items(plan: Plan) -> Iterator[dict[str, Any]]:
    yield from (read(plan, run_files.stac_item_file(name)) for name in run_files.stac_items(plan))


def test_collection_and_items_follow_the_schemas(plan: Plan) -> None:
    assert schema_errors(read(plan, "stac/collection.json"), "collection.json") == []
    found = {item["id"]: schema_errors(item, "item.json") for item in items(plan)}
    names = ("fixed30", "fixed30_ch22", "fixed30_ch25", "rr941", "rr97ab", "radar612")
    assert found == {name: [] for name in names}


@pytest.mark.parametrize(
    ("key", "value"), [("stac_version", "1.0.0"), ("bbox", [1, 2]), ("assets", {"a": {}}), ("type", "x")]
)
def test_schemas_refuse_a_faulty_item(plan: Plan, key: str, value: object) -> None:
    item = read(plan, "stac/rr97ab.json")
    assert schema_errors(item | {key: value}, "item.json") != schema_errors(item, "item.json") == []


def test_every_public_raster_is_an_asset_once_and_no_internal_one(plan: Plan) -> None:
    hrefs = [asset["href"] for item in items(plan) for asset in item["assets"].values()]
    public = [f"../{p.relative_to(plan.build)}" for p in (plan.build / "public").glob("*.tif")]
    assert sorted(hrefs) == sorted(public)
    assert len(public) == 2 * 3 + 3 * 2 + 1 + 7 + 4 + 7


def test_items_say_what_gdal_finds_in_the_files(plan: Plan) -> None:
    for item in items(plan):
        properties = item["properties"]
        for asset in item["assets"].values():
            with rasterio.open(plan.build / "stac" / asset["href"]) as file:
                assert properties["proj:code"] == f"EPSG:{file.crs.to_epsg()}"
                assert properties["proj:shape"] == [file.height, file.width]
                assert properties["proj:transform"] == list(file.transform)[:6]
                assert properties["proj:bbox"] == list(file.bounds)
                assert [band["name"] for band in asset["bands"]] == list(file.descriptions)
                assert [band["data_type"] for band in asset["bands"]] == list(file.dtypes)
                assert [band["raster:scale"] for band in asset["bands"]] == list(file.scales)
                assert [band.get("unit", "") for band in asset["bands"]] == [u or "" for u in file.units]
                for band in asset["bands"]:
                    assert float(band["nodata"]) == file.nodata or str(file.nodata) == band["nodata"]


def test_items_hold_the_fields_of_their_extensions(plan: Plan) -> None:
    for item in items(plan):
        assert set(item["stac_extensions"]) == set(stac.EXTENSIONS)
        assert {key for key in item["properties"] if key.startswith("proj:")} == PROJ_FIELDS
        for asset in item["assets"].values():
            found = {key for part in [asset, *asset["bands"]] for key in part if ":" in key}
            assert found == RASTER_FIELDS


def test_box_holds_the_territory(plan: Plan) -> None:
    item = read(plan, "stac/fixed30_ch22.json")
    with rasterio.open(plan.build / "public/max_eirp_fixed30_ch22.tif") as file:
        rows, cols = inside().nonzero()
        x_m, y_m = rasterio.transform.xy(file.transform, rows, cols)
    lon_deg, lat_deg = Transformer.from_crs(3794, 4326, always_xy=True).transform(x_m, y_m)
    west, south, east, north = item["bbox"]
    assert west < lon_deg.min() < lon_deg.max() < east
    assert south < lat_deg.min() < lat_deg.max() < north


def test_links_lead_to_files_within_the_folder(plan: Plan) -> None:
    collection = read(plan, "stac/collection.json")
    linked = {link["href"] for link in collection["links"] if link["rel"] == "item"}
    assert linked == {f"./{name}.json" for name in run_files.stac_items(plan)}
    for item in items(plan):
        for link in item["links"]:
            assert (plan.build / "stac" / link["href"]).is_file()
        assert item["collection"] == collection["id"]


def test_catalogue_points_at_public_files_of_the_run_only(plan: Plan) -> None:
    """The folders stac/ and public/ may be served without the others."""
    parts = [read(plan, "stac/collection.json"), *items(plan)]
    hrefs = [asset["href"] for part in parts for asset in part["assets"].values()]
    assert len(hrefs) > 20
    assert all(href.startswith("../public/") for href in hrefs)
    assert {href.removeprefix("../") for href in hrefs} <= set(run_files.published_files(plan))


def test_readers_learn_notice_and_codes(plan: Plan) -> None:
    item = read(plan, "stac/fixed30_ch22.json")
    assert NOTICE in item["properties"]["description"]
    assert TITLE in item["properties"]["title"]
    text = item["assets"]["max_eirp_fixed30_ch22"]["description"]
    for part in ("-9999 not permitted", "-9998 not evaluated", "-32768 outside"):
        assert part in text


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        (
            "",
            {
                "datetime": None,
                "start_datetime": "1970-01-01T00:00:00Z",
                "end_datetime": "9999-12-31T23:59:59Z",
            },
        ),
        ("as_of: 2026-03-01", {"datetime": "2026-03-01T00:00:00Z"}),
    ],
)
def test_time_is_that_of_the_data(tiny: Path, setting: str, expected: dict[str, str]) -> None:
    if setting:
        tiny.write_text(tiny.read_text().replace("[register.csv]}", f"[register.csv], {setting}}}"))
    assert stac.times_of(load_plan(tiny)) == expected


def test_time_of_bookings_is_their_day(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The default territory: 5 December 2026, from midnight where winter is an hour before UTC, two days."""
    monkeypatch.chdir(repository)
    plan = load_plan("configs/slovenia.yaml")
    query = plan.config.query.model_copy(update={"time_zone": "Europe/Ljubljana"})
    config = plan.config.model_copy(update={"validity_hours": 48.0, "query": query})
    start, stop = "2026-12-04T23:00:00Z", "2026-12-06T23:00:00Z"
    expected = {"datetime": start, "start_datetime": start, "end_datetime": stop}
    assert stac.times_of(plan._replace(config=config)) == expected


def test_box_across_180_degrees_is_cut_as_geojson_wants() -> None:
    box_deg = (178.0, -20.0, 182.5, -15.0)
    assert stac.bbox_of(box_deg) == [178.0, -20.0, -177.5, -15.0]
    parts = stac.footprint(box_deg)["coordinates"]
    assert [min(p[0] for p in part[0]) for part in parts] == [178.0, -180.0]
    assert [max(p[0] for p in part[0]) for part in parts] == [180.0, -177.5]


def test_same_layers_give_same_bytes(plan: Plan) -> None:
    before = {name: (plan.build / name).read_bytes() for name in run_files.stac_files(plan)}
    run_from("stac", plan.config_path, plan.build)
    assert {name: (plan.build / name).read_bytes() for name in run_files.stac_files(plan)} == before


def test_every_raster_is_a_cloud_optimized_geotiff(plan: Plan) -> None:
    names = [name for name in run_files.raster_files(plan) if name.endswith(".tif")]
    assert {families(plan)[name] for name in names} == set(KINDS) - {"dtt_mechanism"}  # none by P.1546
    found = {name: cog_validate(plan.build / name, strict=True, quiet=True) for name in names}
    assert found == {name: (True, [], []) for name in names}
