"""`channelmaps parts`: boxes that hold the land once, and files that differ in name and box alone."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely
import yaml
from typer.testing import CliRunner

from pipeline.cli.main import app
from pipeline.errors import InputError
from pipeline.grid.grid import make_grid
from pipeline.plan.territory_file import load_config
from pipeline.studies.territory_parts import parts_command, parts_of
from pipeline.territory.codes import Surface
from pipeline.territory.masks import compute_masks
from pipeline.territory.rasters import boundaries_of, grid_of

# A country in the form of an L, with an island in the north-east that is smaller than a pixel.
HOME = shapely.union_all(
    [
        shapely.box(13.9, 45.9, 14.1, 46.3),
        shapely.box(14.1, 45.9, 14.5, 46.05),
        shapely.box(14.45, 46.2, 14.4501, 46.2001),
    ]
)


@pytest.fixture
def country(tiny: Path) -> Path:
    """The tiny territory with polygons and without a box."""
    land = gpd.GeoDataFrame({"iso2": ["SI"]}, geometry=[HOME], crs="EPSG:4326")
    land.to_file(tiny.parent / "land.gpkg", driver="GPKG", layer="countries")
    text = tiny.read_text().replace("  bbox_deg: [14.0, 46.0, 14.3, 46.2]\n", "")
    polygons = "  polygons: {path: land.gpkg, land_layer: null}\n"
    tiny.write_text(text.replace("  home: [SI]\n", f"  home: [SI]\n{polygons}"))
    return tiny


def boxes(config: Path, side_km: float) -> dict[str, tuple[float, float, float, float]]:
    return {part.name: part.bbox_deg for part in parts_of(load_config(config), side_km)}


def test_every_place_of_the_land_is_in_one_part(country: Path) -> None:
    found = boxes(country, 12.0)
    assert len(found) > 6
    rng = np.random.default_rng(3)
    lon_deg, lat_deg = rng.uniform(13.8, 14.6, 20_000), rng.uniform(45.8, 46.4, 20_000)
    inside = shapely.contains_xy(HOME, lon_deg, lat_deg) & (lon_deg < 14.44)
    held = [
        (lon_deg > west) & (lon_deg < east) & (lat_deg > south) & (lat_deg < north)
        for west, south, east, north in found.values()
    ]
    assert inside.sum() > 1000
    assert np.all(np.sum(held, axis=0)[inside] == 1)


@pytest.mark.parametrize("crs", ["EPSG:3794", "EPSG:3035"])
def test_every_pixel_of_the_land_is_of_one_part(country: Path, crs: str) -> None:
    """Also along the cuts, which the projection bends, and where these cross the border."""
    config = load_config(country)
    grid = config.grid.model_copy(update={"crs": crs, "resolution_m": 50.0})
    config = config.model_copy(update={"grid": grid})
    whole = boundaries_of(config.territory)
    round_land = shapely.difference(
        shapely.Point(14.2, 46.1).buffer(0.25, quad_segs=90), shapely.Point(14.2, 46.12).buffer(0.02)
    )
    whole = whole._replace(land=(round_land,), countries=(round_land,), territory=round_land)
    pixels = grid_of(config, whole, 0.0)
    wanted = compute_masks(whole, pixels).surface == Surface.HOME
    times = np.zeros(wanted.shape, dtype=np.int64)
    lons, lats = (np.linspace(low, low + 0.5, 5).round(4) for low in (13.95, 45.85))
    for south, north in pairwise(lats):
        for west, east in pairwise(lons):
            piece = shapely.intersection(round_land, shapely.box(west, south, east, north))
            part = whole._replace(territory=piece)
            times += compute_masks(part, pixels).surface == Surface.HOME
    assert wanted.sum() > 400_000
    np.testing.assert_array_equal(times, wanted.astype(np.int64))


def test_parts_are_numbered_from_the_north_west_and_have_land(country: Path) -> None:
    found = boxes(country, 24.0)
    # 48 by 44 km in three rows, or two, of which the upper one has land in the west only.
    assert list(found) == ["tiny-1-1", "tiny-2-1", "tiny-2-2"]
    assert found["tiny-1-1"] == (13.9, 46.1, 14.2, 46.3)
    assert found["tiny-2-2"] == (14.2, 45.9, 14.5, 46.1)


def test_box_of_the_territory_is_kept(tiny: Path) -> None:
    west, south, east, north = np.array(list(boxes(tiny, 12.0).values())).T
    assert (west.min(), south.min(), east.max(), north.max()) == (14.0, 46.0, 14.3, 46.2)
    assert len(west) == 4


def test_files_differ_in_name_and_box_alone(country: Path) -> None:
    done = CliRunner().invoke(app, ["parts", str(country), "--side-km", "24", "--out", "parts"])
    assert done.exit_code == 0, done.exception
    files = sorted(Path("parts").iterdir())
    assert [path.name for path in files] == ["tiny-1-1.yaml", "tiny-2-1.yaml", "tiny-2-2.yaml"]
    whole = load_config(country)
    for path in files:
        config = load_config(path)
        found, expected = config.model_dump(), whole.model_dump()
        assert found.pop("name") == path.stem
        assert found["territory"].pop("bbox_deg") != expected["territory"].pop("bbox_deg")
        assert found == {key: value for key, value in expected.items() if key != "name"}
        assert f"channelmaps run parts/{path.name}" in done.output
    assert "channelmaps join results/tiny-1-1/latest results/tiny-2-1/latest" in done.output
    assert yaml.safe_load(files[0].read_text())["registers"] == {"transmitters": ["register.csv"]}


@pytest.mark.parametrize(
    ("side_km", "name", "said"),
    [
        (0.1, "tiny", "boxes; found 0.1; allowed: more than 0.5"),
        (50.0, "x" * 37, "is too long for its parts"),
    ],
)
def test_refusals_write_nothing(country: Path, side_km: float, name: str, said: str) -> None:
    path = country.rename(country.with_name(f"{name}.yaml"))
    with pytest.raises(InputError, match=said):
        parts_command(path, side_km, Path("parts"))
    assert not Path("parts").exists()


def test_folder_that_holds_something_is_refused(country: Path) -> None:
    Path("parts").mkdir()
    Path("parts/tiny-9-9.yaml").write_text("# Part of a territory: tiny\n")
    with pytest.raises(InputError, match="--out: is not empty; allowed: a new folder"):
        parts_command(country, 24.0, Path("parts"))
    assert [path.name for path in Path("parts").iterdir()] == ["tiny-9-9.yaml"]


def test_grid_that_is_too_large_names_the_way_out() -> None:
    with pytest.raises(InputError, match="or compute it in parts with `channelmaps parts`"):
        make_grid("EPSG:3035", 100.0, (2.5e6, 1.4e6, 7.4e6, 5.5e6), 0.0)
