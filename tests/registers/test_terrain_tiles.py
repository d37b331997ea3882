"""Terrain tiles: squares of one degree as long as these are few, larger ones for a continent."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from pipeline.registers.terrain_tiles import MOST_TILES, tile_name, with_tiles


@pytest.mark.parametrize(
    ("lon_deg", "lat_deg", "side_deg", "name"),
    [
        (14.5, 46.3, 1, "n46e014"),
        (-0.1, 51.5, 1, "n51w001"),
        (-70.6, -33.4, 1, "s34w071"),
        (14.0, 46.0, 1, "n46e014"),
        (14.5, 46.3, 8, "n40e008"),
        (-0.1, -0.1, 4, "s04w004"),
    ],
)
def test_tile_is_named_by_its_south_west_corner(lon_deg, lat_deg, side_deg, name):
    assert tile_name(lon_deg, lat_deg, side_deg) == name


@pytest.mark.parametrize(("rows", "cols", "side_deg"), [(6, 8, 1), (7, 7, 2), (30, 40, 8)])
def test_tiles_are_the_smallest_of_which_there_are_some_tens(rows, cols, side_deg):
    """A mast in the middle of each square of a block whose corner all sides of tiles share."""
    north, east = np.mgrid[:rows, :cols] + 0.5
    places = {"lon_deg": ("transmitter", east.ravel()), "lat_deg": ("transmitter", 48.0 + north.ravel())}
    found = with_tiles(xr.Dataset(places))["tile"].values.tolist()
    corners = zip(*(side_deg * (part.ravel() // side_deg) for part in (48 + north, east)), strict=True)
    assert found == [f"n{south:02.0f}e{west:03.0f}" for south, west in corners]
    assert len(set(found)) <= MOST_TILES < (rows * cols if side_deg > 1 else 49)


def test_no_masts_have_no_tiles():
    none = xr.Dataset({name: ("transmitter", np.empty(0)) for name in ("lon_deg", "lat_deg")})
    assert with_tiles(none)["tile"].size == 0
