"""Surroundings of each receiver by its land cover: by Okumura-Hata a field differs by those of its pixel."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from pyproj import Transformer
from scene import GRID, coverage_of
from test_heights import hilly, with_model
from test_loss_filling import inputs_of, tabled, tiles

from pipeline.config.territory import Clutter
from pipeline.coverage import loss_filling
from pipeline.coverage.field_bounds import tile_bounds
from pipeline.coverage.fields import INTERFERING, WANTED
from pipeline.coverage.inputs import channel_inputs
from pipeline.coverage.loss_lookup import lookup_room
from pipeline.coverage.nuisance import LEFT_OUT_DB
from pipeline.coverage.point_fields import fields_at_places
from pipeline.coverage.receiver_surroundings import surroundings_at, surroundings_of_pixels
from pipeline.coverage.tiles import LEVEL_BANDS
from pipeline.errors import InputError
from pipeline.grid.geodesy import rays
from pipeline.grid.grid import Grid
from pipeline.plan.territory_file import load_config
from pipeline.propagation.hata import add_environments
from pipeline.territory.codes import Surface
from tests.terrain.test_land_cover import raster

AREAS = ("rural", "suburban", "urban")
LEVELS = [LEVEL_BANDS.index(name) for name in ("wanted_dbuvm", "field_dbuvm", "nuisance_dbuvm")]
TABLE = """code,land_cover,clutter_height_m,environment,source,verified
1,fields,0,open,test,true
2,village,10,suburban,test,true
3,town,20,urban,test,true
4,wood,15,,test,true
"""


def by_cover():
    """The settings with land cover, by Hata, and urban surroundings where there is none."""
    settings = with_model("hata")
    clutter = Clutter(raster=[Path("cover.tif")], table=Path("cover.csv"))
    terrain = settings.terrain.model_copy(update={"clutter": clutter})
    propagation = settings.propagation.model_copy(update={"area": "urban"})
    return settings.model_copy(update={"terrain": terrain, "propagation": propagation})


def everywhere(area: str):
    settings = with_model("hata")
    propagation = settings.propagation.model_copy(update={"area": area})
    return settings.model_copy(update={"propagation": propagation})


def step_db(code: int, f_mhz: float) -> float:
    """Field in suburban or urban surroundings less that in open ones (Hata 1980, eq. 21 and 22)."""
    log_f = math.log10(f_mhz)
    open_db = 4.78 * log_f**2 - 18.33 * log_f + 40.94
    return [0.0, 2.0 * math.log10(f_mhz / 28.0) ** 2 + 5.4 - open_db, -open_db][code]


@pytest.mark.parametrize("f_mhz", [150.0, 594.0, 1500.0])
def test_surroundings_are_a_constant_of_the_frequency(f_mhz: float) -> None:
    codes, field = np.array([0, 1, 2, 1], np.uint8), np.array([50.0, 60.0, 70.0, 80.0])
    add_environments(f_mhz, codes, np.array([0, 1, 2]), field)
    expected = [base + step_db(code, f_mhz) for base, code in ((50, 0), (60, 1), (70, 2))]
    assert field.tolist() == pytest.approx([*expected, 80.0], abs=1e-9)
    assert step_db(2, f_mhz) < step_db(1, f_mhz) < 0.0


@pytest.mark.parametrize("with_tables", [False, True])
def test_pixels_have_the_levels_of_their_surroundings(with_tables: bool, monkeypatch) -> None:
    """As a run with those surroundings everywhere has them, whatever stands around the next pixel."""
    if with_tables:
        monkeypatch.setattr(loss_filling, "_PIXELS_PER_NODE", 0)
    made = hilly()
    codes = np.random.default_rng(5).integers(0, 3, GRID.shape).astype(np.uint8)
    mixed = coverage_of(made, by_cover(), environments=codes)
    levels = mixed["levels"].values
    for code, area in enumerate(AREAS):
        alone = coverage_of(made, everywhere(area))
        here = codes == code
        np.testing.assert_array_equal(
            mixed["classes"].values[1][here], alone["classes"].values[1][here], strict=True
        )
        of_area = alone["levels"].values[:, here]
        assert np.isfinite(of_area[0]).sum() > 500
        np.testing.assert_allclose(levels[:, here][LEVELS[:2]], of_area[LEVELS[:2]], atol=1e-4)
        nuisance = levels[:, here][LEVELS[2]] - of_area[LEVELS[2]]
        assert np.nanmax(np.abs(nuisance)) <= LEFT_OUT_DB + (0.02 if with_tables else 1e-4)
    full = coverage_of(made, by_cover(), environments=codes, complete=True)["levels"].values
    np.testing.assert_array_equal(levels[LEVELS[:2]], full[LEVELS[:2]])
    blocks = coverage_of(made, by_cover(), environments=codes, block_px=32, threads=2)["levels"].values
    np.testing.assert_array_equal(blocks, levels)


@pytest.mark.parametrize("with_tables", [False, True])
def test_no_pixel_exceeds_its_bound_in_any_surroundings(with_tables: bool, monkeypatch) -> None:
    monkeypatch.setattr(loss_filling, "_PIXELS_PER_NODE", 0)
    made, rng = hilly(), np.random.default_rng(2)
    from scene import CHANNEL

    inputs = channel_inputs(made.transmitters, made.sweeps, made.planning, by_cover(), CHANNEL)
    inputs = tabled(inputs, made) if with_tables else inputs
    count = inputs.stations.mast.size
    bounds = np.empty((3, count))
    d_km, az_deg, found, every = np.empty(1024), np.empty(1024), np.empty(1024), np.arange(1024)
    for positions in tiles():
        centre = positions[:, [0, 31, -32, -1]].mean(axis=1)
        radius_km = 1e-3 * np.linalg.norm(positions - centre[:, None], axis=0).max()
        tile_bounds(inputs, centre, radius_km, *bounds)
        for t in range(count):
            rays(inputs.stations.frame[t], positions, d_km, az_deg)
            ground_m = rng.uniform(-400.0, 4000.0, 1024).astype(np.float32)
            for time, bound in ((WANTED, bounds[1, t]), (INTERFERING, bounds[2, t])):
                parts = (inputs.stations, inputs.paths, inputs.model, inputs.receiver)
                for code in range(3):
                    fields_at_places(
                        *parts, t, time, every, ground_m, d_km, az_deg, found, lookup_room(d_km.size)
                    )
                    f_mhz = inputs.model.f_mhz[inputs.stations.offset[t] + 1]
                    add_environments(f_mhz, np.full(1024, code, np.uint8), every, found)
                    assert bound == -np.inf or found.max() <= bound


def test_land_cover_changes_nothing_by_other_models() -> None:
    made, settings = hilly(), by_cover()
    codes = np.random.default_rng(5).integers(0, 3, GRID.shape).astype(np.uint8)
    for model in ("p1546", "extended_hata"):
        propagation = settings.propagation.model_copy(update={"coverage_model": model, "area": "rural"})
        other = settings.model_copy(update={"propagation": propagation})
        read = coverage_of(made, other, environments=codes)["levels"].values
        np.testing.assert_array_equal(read, coverage_of(made, with_model(model))["levels"].values)
    assert not inputs_of(made, "hata").receiver.by_pixel


# --- where they come from -----------------------------------------------------------------------------------

PLACE = Grid("EPSG:3794", 200.0, 424_000.0, 118_000.0, 61, 83)


def with_cover(tiny: Path, classes: np.ndarray, table: str = TABLE, model: str = "hata"):
    raster(tiny.parent / "cover.tif", classes, corner=(13.9, 46.25), step=0.01)
    (tiny.parent / "cover.csv").write_text(table, encoding="utf-8")
    clutter = "terrain: {clutter: {raster: [cover.tif], table: cover.csv}}"
    tiny.write_text(f"{tiny.read_text()}{clutter}\npropagation: {{coverage_model: {model}}}\n")
    return load_config(tiny)


def chequered() -> np.ndarray:
    row, col = np.mgrid[:40, :50]
    return (1 + (row // 3 + 2 * (col // 4)) % 3).astype(np.uint8)


def land_where(needed: np.ndarray) -> np.ndarray:
    return np.where(needed, Surface.FOREIGN, Surface.OUTSIDE).astype(np.uint8)


def test_pixels_have_the_surroundings_of_the_class_at_their_centre(tiny: Path) -> None:
    classes = chequered()
    config = with_cover(tiny, classes)
    needed = np.ones(PLACE.shape, np.bool_)
    needed[:5] = False
    found = surroundings_of_pixels(config, PLACE, land_where(needed))
    assert found is not None
    to_lonlat = Transformer.from_crs(PLACE.crs, "EPSG:4326", always_xy=True)
    x_m = PLACE.west_m + 200.0 * (np.arange(PLACE.width) + 0.5)
    y_m = PLACE.north_m - 200.0 * (np.arange(PLACE.height) + 0.5)
    lon_deg, lat_deg = to_lonlat.transform(*np.meshgrid(x_m, y_m))
    col, row = (lon_deg - 13.9) / 0.01, (46.25 - lat_deg) / 0.01
    clear = (np.abs(col % 1 - 0.5) < 0.499) & (np.abs(row % 1 - 0.5) < 0.499)
    expected = np.where(needed, classes[row.astype(int), col.astype(int)] - 1, 0)
    np.testing.assert_array_equal(found[clear], expected[clear])
    assert set(np.unique(found)) == {0, 1, 2}
    at = surroundings_at(config, lon_deg[50, :], lat_deg[50, :])
    np.testing.assert_array_equal(at, found[50])


@pytest.mark.parametrize(("code", "row"), [(4, "code 4"), (9, "code 9")])
def test_class_without_surroundings_is_refused_where_receivers_are(tiny: Path, code: int, row: str) -> None:
    classes = chequered()
    classes[20:, :] = code
    config = with_cover(tiny, classes)
    needed = np.zeros(PLACE.shape, np.bool_)
    needed[0] = True
    assert surroundings_of_pixels(config, PLACE, land_where(needed)) is not None
    needed[-1] = True
    with pytest.raises(InputError) as caught:
        surroundings_of_pixels(config, PLACE, land_where(needed))
    assert (caught.value.row, caught.value.field) == (row, "environment")
    assert str(caught.value.value).startswith("none, on ")


def test_unknown_cover_is_refused_but_with_a_row_of_its_own(tiny: Path) -> None:
    classes = chequered()[:15]
    config = with_cover(tiny, classes)
    needed = np.ones(PLACE.shape, np.bool_)
    with pytest.raises(InputError) as caught:
        surroundings_of_pixels(config, PLACE, land_where(needed))
    assert caught.value.row == "nodata"
    (tiny.parent / "cover.csv").write_text(f"{TABLE}nodata,unknown,0,urban,test,true\n", encoding="utf-8")
    found = surroundings_of_pixels(config, PLACE, land_where(needed))
    assert found is not None
    assert (found[-1] == 2).all()


def test_models_without_surroundings_read_no_land_cover(tiny: Path) -> None:
    config = with_cover(tiny, chequered(), model="extended_hata")
    (tiny.parent / "cover.tif").unlink()
    assert surroundings_of_pixels(config, PLACE, land_where(np.ones(PLACE.shape, np.bool_))) is None
    assert surroundings_at(config, np.array([14.1]), np.array([46.1])) is None
