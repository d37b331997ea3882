"""Tables filled by the models against the models themselves: where they hold, how well, and when they pay."""

from __future__ import annotations

import numpy as np
import pytest
from scene import CHANNEL, GRID, coverage_of, scene
from test_heights import hilly, with_model

from pipeline.coverage import loss_filling
from pipeline.coverage.channel import kind_of_surfaces
from pipeline.coverage.field_bounds import tile_bounds
from pipeline.coverage.fields import INTERFERING, WANTED
from pipeline.coverage.inputs import channel_inputs
from pipeline.coverage.loss_lookup import lookup_room
from pipeline.coverage.nuisance import LEFT_OUT_DB
from pipeline.coverage.point_fields import fields_at_places
from pipeline.coverage.tiles import LEVEL_BANDS
from pipeline.grid.geodesy import lattice, pixel_frames, rays
from pipeline.terrain.loss_tables import UNKNOWN
from pipeline.terrain.records import TCA_UNKNOWN

MODELS = ("p1546", "free_space", "hata", "extended_hata")
TABLE_FROM_KM = {"p1546": 15.0, "free_space": 2.0, "hata": 2.0, "extended_hata": 2.0}
NUISANCE, WANTED_BAND = LEVEL_BANDS.index("nuisance_dbuvm"), LEVEL_BANDS.index("wanted_dbuvm")


@pytest.fixture
def always(monkeypatch):
    """Tables whatever they cost."""
    monkeypatch.setattr(loss_filling, "_PIXELS_PER_NODE", 0)


def inputs_of(made, model="p1546", sweeps=None):
    return channel_inputs(made.transmitters, sweeps or made.sweeps, made.planning, with_model(model), CHANNEL)


def tabled(inputs, made, threads=1):
    kinds = kind_of_surfaces(inputs)
    return loss_filling.with_tables(inputs, GRID, made.surface.values, kinds, threads)


def tiles():
    """Positions float64[3, 1024] of three tiles of the grid."""
    area = lattice(GRID)
    for row, col in ((0, 0), (0, 32), (17, 40)):
        frames = np.empty((11, 32, 32))
        pixel_frames(area.step_px, area.first_row, area.first_col, area.nodes, row, col, frames)
        yield frames[:3].reshape(3, -1).copy()


def both_fields(inputs, tables, t, time, positions, ground_m):
    """Distances and fields of the model itself and with its table at the pixels of a tile."""
    d_km, az_deg = np.empty(1024), np.empty(1024)
    rays(inputs.stations.frame[t], positions, d_km, az_deg)
    found = []
    for one in (inputs, tables):
        field = np.empty(1024)
        parts = (one.stations, one.paths, one.model, one.receiver)
        fields_at_places(
            *parts,
            t,
            time,
            np.arange(1024),
            ground_m.astype(np.float32),
            d_km,
            az_deg,
            field,
            lookup_room(d_km.size),
        )
        found.append(field)
    return d_km, *found


@pytest.mark.parametrize("model", MODELS)
def test_table_gives_the_field_of_its_model(model, always):
    made = hilly()
    inputs = inputs_of(made, model)
    tables, rng = tabled(inputs, made), np.random.default_rng(4)
    assert (tables.model.losses.start[:, INTERFERING] >= 0).all()
    differences = []
    for positions in tiles():
        for t in range(inputs.stations.mast.size):
            for ground_m in (rng.uniform(-100.0, 900.0, 1024), np.full(1024, np.nan)):
                parts = (inputs, tables, t, INTERFERING, positions, ground_m)
                d_km, direct, read = both_fields(*parts)
                near = d_km < TABLE_FROM_KM[model]
                np.testing.assert_array_equal(read[near], direct[near])
                differences.append((read - direct)[~near])
            np.testing.assert_array_equal(*both_fields(inputs, tables, t, WANTED, positions, ground_m)[1:])
    found = np.concatenate(differences)
    assert found.size > 50_000
    # Extended Hata has a corner at an effective height of 30 m; radials stand 5 degrees apart here.
    rms_db, most_db = (0.025, 0.6) if model == "extended_hata" else (0.01, 0.1)
    assert np.sqrt(np.mean(found**2)) < rms_db
    assert np.abs(found).max() < most_db


@pytest.mark.parametrize("model", MODELS)
def test_no_pixel_exceeds_the_bound_of_its_tile(model, always):
    made, rng = hilly(), np.random.default_rng(2)
    inputs = inputs_of(made, model)
    tables = tabled(inputs, made)
    count = inputs.stations.mast.size
    near_km, wanted, nuisance = np.empty(count), np.empty(count), np.empty(count)
    gaps = []
    for positions in tiles():
        centre = positions[:, [0, 31, -32, -1]].mean(axis=1)
        radius = 1e-3 * np.linalg.norm(positions - centre[:, None], axis=0).max()
        tile_bounds(tables, centre, radius, near_km, wanted, nuisance)
        for t in range(count):
            ground_m = rng.uniform(-400.0, 4000.0, 1024)
            _, _, read = both_fields(inputs, tables, t, INTERFERING, positions, ground_m)
            assert read.max() <= nuisance[t]
            gaps.append(nuisance[t] - read.max())
    assert np.median(gaps) < 20.0


def test_levels_with_tables_are_those_without(monkeypatch):
    made = hilly()
    direct = coverage_of(made)["levels"].values
    monkeypatch.setattr(loss_filling, "_PIXELS_PER_NODE", 0)
    read = coverage_of(made)["levels"].values
    np.testing.assert_array_equal(read[:2], direct[:2])
    difference_db = (read - direct)[NUISANCE][np.isfinite(direct[NUISANCE])]
    assert 0.0 < np.abs(difference_db).max() < LEFT_OUT_DB + 0.05
    assert np.sqrt(np.mean(difference_db**2)) < 0.01


@pytest.mark.parametrize(("block_px", "threads"), [(32, 2), (512, 2), (64, 1)])
def test_neither_blocks_nor_threads_change_a_byte(block_px, threads, always):
    made = scene()
    first, other = coverage_of(made), coverage_of(made, block_px=block_px, threads=threads)
    for name in ("levels", "classes"):
        assert other[name].values.tobytes() == first[name].values.tobytes()


def test_nodes_that_are_left_out_are_never_read(monkeypatch, always):
    """Whatever stands in them, fields and bounds are those of whole tables."""
    made, nodes = hilly(), []
    inputs = inputs_of(made)
    monkeypatch.setattr(loss_filling, "_BOX_PX", 32)

    def whole(frame, centre_m, radius_km, node_km, span):
        span[:] = 0, node_km.size

    with monkeypatch.context() as patched:
        patched.setattr(loss_filling, "span_nodes", whole)
        expected, full = coverage_of(made), tabled(inputs, made).model.losses
    for other in (0, UNKNOWN):
        monkeypatch.setattr(loss_filling, "UNKNOWN", other)
        found, some = coverage_of(made), tabled(inputs, made).model.losses
        for name in ("levels", "classes"):
            assert found[name].values.tobytes() == expected[name].values.tobytes()
        nodes.append(some.codes != full.codes)
    left_out = nodes[0] | nodes[1]
    assert 0.2 < left_out.mean() < 0.95


def test_few_pixels_and_clearance_angles_ask_the_model(monkeypatch):
    made = scene()
    inputs = inputs_of(made)
    assert (tabled(inputs, made).model.losses.start == -1).all()
    counts = np.full((4, 100), TCA_UNKNOWN, np.int16)
    sweeps = {key: sweep._replace(tca_counts=counts) for key, sweep in made.sweeps.items()}
    monkeypatch.setattr(loss_filling, "_PIXELS_PER_NODE", 0)
    assert (tabled(inputs, made).model.losses.start[:, INTERFERING] >= 0).all()
    rough = inputs_of(made, sweeps=sweeps)
    assert tabled(rough, made) is rough


def test_beyond_what_matters_the_model_is_asked(monkeypatch, always):
    """A table may end anywhere: pixels beyond it have the field of the model."""
    made = hilly()
    inputs = inputs_of(made)
    monkeypatch.setattr(loss_filling, "_BELOW_NOISE_DB", -20.0)
    tables = tabled(inputs, made)
    to_km = tables.model.losses.to_km
    beyond = 0
    for positions in tiles():
        for t in range(inputs.stations.mast.size):
            parts = (inputs, tables, t, INTERFERING, positions, np.full(1024, 300.0))
            d_km, direct, read = both_fields(*parts)
            np.testing.assert_array_equal(read[d_km > to_km[t]], direct[d_km > to_km[t]])
            beyond += np.count_nonzero(d_km > to_km[t])
    assert beyond > 1000
