"""`channelmaps zone` on a straight border: distances and masks that can be counted by hand."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from pipeline.cli.main import app
from pipeline.grid import raster
from pipeline.grid.grid import Grid
from pipeline.grid.raster import make_array
from pipeline.registers.areas import read_masks
from pipeline.territory.codes import Surface

GRID = Grid("EPSG:3794", 1000.0, 420_000.0, 130_000.0, 30, 20)
# Home in columns 10 to 19; HR to its east, another in the west, of which nothing is known beyond the margin.
HOME = np.zeros((20, 30), np.bool_)
HOME[5:15, 10:20] = True
RULES = {
    "zone_km": 3.0,
    "conditions": ["agreement of 2026"],
    "preferential": {"HR": ["21-23"]},
    "zone_cap_dbm": 5.0,
}


@pytest.fixture
def build(tmp_path: Path) -> Path:
    surface = np.where(HOME, Surface.HOME, Surface.FOREIGN).astype(np.uint8)
    columns = np.arange(30, dtype=np.float32)[np.newaxis] + np.zeros((20, 1), np.float32)
    east, west = np.where(HOME, 19.0 - columns, np.nan), np.where(HOME, columns - 10.0, np.nan)
    far = np.where(HOME, np.inf, np.nan)
    folder = tmp_path / "made/territory"
    layer = make_array(surface, GRID, units="", long_name="surface", nodata=None)
    raster.write(folder / "surface.tif", layer, tags={}, publish=False)
    stack = np.stack([far, east, west]).astype(np.float32)
    names = ["*", "HR", "IT coastal"]
    layer = make_array(stack, GRID, units="km", long_name="distance", nodata=np.nan, band_names=names)
    raster.write(folder / "neighbours.tif", layer, tags={}, publish=False)
    return tmp_path / "made"


def zone(tiny: Path, build: Path, **changes: object):
    Path("zone.yaml").write_text(
        yaml.safe_dump({k: v for k, v in (RULES | changes).items() if v is not None})
    )
    line = ["zone", str(tiny), "--rules", "zone.yaml", "--out", "zone", "--build", str(build)]
    return CliRunner().invoke(app, line)


def test_zone_is_what_lies_within_the_distance_of_each_neighbour(tiny: Path, build: Path) -> None:
    result = zone(tiny, build)
    assert result.exit_code == 0, result.output
    layer = raster.read(Path("zone/coordination_zone.tif"))
    assert layer["band"].values.tolist() == ["near any", "near HR", "near IT"]
    column = np.arange(30)[np.newaxis] + np.zeros((20, 1), int)
    for band, inside in zip(
        layer.values, [(column >= 16) | (column <= 13), column >= 16, column <= 13], strict=True
    ):
        np.testing.assert_array_equal(band, np.where(HOME, inside, 255))
    tags = raster.read_layout(Path("zone/coordination_zone.tif")).tags
    assert (tags["zone_km"], tags["conditions"]) == ("3", "agreement of 2026")
    assert "80.0 % of the territory" in result.output


def test_masks_of_the_zone_cap_its_pixels_and_no_others(tiny: Path, build: Path) -> None:
    assert zone(tiny, build).exit_code == 0
    (mask,) = read_masks([Path("zone/zone_masks.gpkg")])
    assert mask.area.channels == {21, 22, 23}
    assert mask.eirp_dbm(8.0) == 5.0
    assert mask.area.values["reason"] == "channels preferred for HR within 3 km"
    (area,) = gpd.read_file("zone/zone_masks.gpkg").geometry
    # Four columns of ten pixels, a hundredth of a pixel off each edge.
    assert area.area == pytest.approx((4e3 - 20) * (10e3 - 20), rel=1e-6)


def test_zone_without_preferential_channels_has_no_masks(tiny: Path, build: Path) -> None:
    assert zone(tiny, build, preferential=None, zone_cap_dbm=None).exit_code == 0
    assert not Path("zone/zone_masks.gpkg").exists()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"zone_km": 5.5}, "reaches beyond the grid"),
        ({"preferential": {"AT": ["21-23"]}}, "is no neighbour"),
        ({"preferential": {"HR": [60]}}, "not in the plan"),
        ({"preferential": {"HR": ["60"]}}, "not in the plan"),
        ({"preferential": {"HR": ["sixty"]}}, "no whole number"),
        ({"zone_cap_dbm": None}, "go together"),
        ({"conditions": []}, "conditions"),
        ({"zone_km": -1.0}, "zone_km"),
    ],
)
def test_rules_that_cannot_hold_are_refused_before_anything_is_written(tiny, build, changes, said) -> None:
    result = zone(tiny, build, **changes)
    assert result.exit_code != 0
    assert said in f"{result.exception} {result.output}"
    assert not Path("zone").exists()
