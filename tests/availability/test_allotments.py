"""Blocks that nobody uses in a region: what the table says, by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.availability.allotments import (
    AllotmentUse,
    block_names,
    blocks_of,
    read_allotments,
    refuse_unknown_regions,
    share_rows,
    uses_by_region,
)
from pipeline.config.products import Allotments, Regions
from pipeline.errors import InputError

HEAD = "region,user,from_mhz,to_mhz,status\n"
TABLE = (
    "North,power,223,224,unused\nNorth,mining,223,224,unused\n"
    "South,power,223,224,used\nSouth,mining,223,224,unknown\n"
    "East,power,223,224,unused\n"
    "*,power,224,224.5,unused\nSouth,power,224,224.5,used\n"
)
REGIONS = ("East", "North", "South")
UNUSED, USED, UNKNOWN = AllotmentUse.UNUSED, AllotmentUse.USED, AllotmentUse.UNKNOWN


def settings(folder: Path, text: str, *, regions: bool = True) -> Allotments:
    path = folder / "allotments.csv"
    path.write_text(HEAD + text, encoding="utf-8")
    return Allotments(table=path, regions=Regions(path=folder / "regions.geojson") if regions else None)


def test_block_is_unused_where_none_of_its_users_is_there(tmp_path: Path) -> None:
    """East lacks a cell of mining: unknown. The second block holds for the whole territory but the South."""
    rows = read_allotments(settings(tmp_path, TABLE))
    first, second = blocks_of(rows)
    assert (first.name, first.users) == ("223-224", ("power", "mining"))
    assert (second.name, second.users) == ("224-224.5", ("power",))
    assert uses_by_region(rows, first, REGIONS).tolist() == [UNKNOWN, UNUSED, USED, UNKNOWN]
    assert uses_by_region(rows, second, REGIONS).tolist() == [UNUSED, UNUSED, USED, UNUSED]


def test_shares_are_of_area_and_of_people(tmp_path: Path) -> None:
    block = blocks_of(read_allotments(settings(tmp_path, TABLE)))[0]
    uses = np.array([[UNUSED, USED, UNKNOWN, UNUSED]], np.uint8)
    inside = np.array([[True, True, True, False]])
    area_km2 = np.array([[1.0, 2.0, 1.0, 5.0]])
    found = share_rows(block, uses, inside, area_km2, np.array([[30.0, 10.0, np.nan, 9.0]]))
    assert (found["unused_area_pct"], found["unused_population_pct"]) == (25.0, 75.0)
    assert (found["used_area_pct"], found["used_population_pct"]) == (50.0, 25.0)
    assert (found["unknown_area_pct"], found["unknown_population_pct"]) == (25.0, 0.0)
    assert np.isnan(share_rows(block, uses, inside, area_km2, None)["unused_population_pct"])  # type: ignore[arg-type]


def test_territory_without_a_table_has_no_blocks() -> None:
    assert block_names(None) == []


@pytest.mark.parametrize(
    ("text", "regions", "field"),
    [
        ("North,power,224,224,unused\n", True, "to_mhz"),
        ("North,power,223,224,empty\n", True, "status"),
        ("North,power,223,224,unused\n", False, "region"),
        ("North,power,x,224,unused\n", True, "from_mhz"),
    ],
)
def test_faulty_table_is_refused(tmp_path: Path, text: str, regions: bool, field: str) -> None:
    with pytest.raises(InputError) as refusal:
        read_allotments(settings(tmp_path, text, regions=regions))
    assert (refusal.value.field, refusal.value.row) == (field, 2)


def test_region_without_a_polygon_is_refused(tmp_path: Path) -> None:
    found = settings(tmp_path, "West,power,223,224,unused\n")
    with pytest.raises(InputError, match="is no region"):
        refuse_unknown_regions(read_allotments(found), REGIONS, found.table)
