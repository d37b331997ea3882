"""Macro-tiles with a halo: the same maps for any tiles, blocks of victims and threads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from test_protection_maps import CHANNEL, FOREIGN, HOME, SEA, SIZE, Case, a_job

from pipeline.dtt import channel_files, device_ground, macro_tiles, victim_blocks
from pipeline.dtt.channel_files import ChannelFiles, read_servers, read_victims, survey_of
from pipeline.dtt.device_ground import read_ground
from pipeline.dtt.limiting_victims import map_search, strictest_victim
from pipeline.dtt.limits import bands_of, losses_to
from pipeline.dtt.protection_maps import TileSettings, write_protection
from pipeline.errors import InputError
from pipeline.grid import raster
from pipeline.grid.boxes import PixelBox
from pipeline.grid.kept_records import digest_of
from pipeline.terrain import height_files
from pipeline.terrain.height_files import base_height_m, ring_settings, write_classes
from tests.dask_cluster import as_on_a_worker


def maps_of(case: Case, **settings: Any) -> list[bytes]:
    """Values of both files of the first device, levels and labels."""
    files = ChannelFiles(case.folder, CHANNEL)
    write_protection(case.config, files, TileSettings(1.5, **settings))
    return [raster.read(path).values.tobytes() for path in files.protection(case.config.devices[0])]


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of victims of 3 pixels, which no side of a tile is a multiple of."""
    for module in (channel_files, macro_tiles, victim_blocks):
        monkeypatch.setattr(module, "STRIP_PX", 3)


@pytest.mark.parametrize("resolution_m", [4000.0, pytest.param(60.0, marks=pytest.mark.slow)])
def test_maps_do_not_depend_on_tiles_blocks_and_threads(tmp_path, repository, monkeypatch, resolution_m):
    """At 4 km the range is a part of the territory, at 60 m pixels up to 80 m and beyond mix."""
    device = {"height_m": 10.0, "polarisation": "V"}
    case = Case(tmp_path, repository, resolution_m, device, overload=True)
    whole = maps_of(case)
    limited = raster.read(ChannelFiles(tmp_path, CHANNEL).protection(case.config.devices[0])[1])
    assert (limited.values > 0).mean() > 0.2
    for module in (channel_files, macro_tiles, victim_blocks):
        monkeypatch.setattr(module, "STRIP_PX", 3)
    for side_px, threads in ((4, 1), (5, 2), (12, 2)):
        assert maps_of(case, side_px=side_px, threads=threads) == whole, side_px


def test_tiles_on_a_cluster_give_the_same_maps_and_know_what_has_not_changed(
    tmp_path, repository, monkeypatch, small_blocks
):
    case = Case(tmp_path, repository, 20_000.0, {"height_m": 10.0, "polarisation": "V"})
    whole = maps_of(case)
    as_on_a_worker(monkeypatch)
    boxes = searched(monkeypatch)
    assert maps_of(case, side_px=5, threads=2, basis="code") == whole
    assert len(boxes) > 1
    boxes.clear()
    assert maps_of(case, side_px=5, basis="code") == whole
    assert boxes == []


def test_each_block_is_read_once_and_tiles_without_victims_never(
    tmp_path, repository, monkeypatch, small_blocks
):
    case = Case(tmp_path, repository, 20_000.0, {})
    case.served[:] = 0
    case.served[1, 1] = case.served[4, 2] = 1
    case.surface[[1, 4], [1, 2]] = FOREIGN
    case.write()
    read, tiles = [], []
    fill, tile = channel_files.VictimReader.fill, macro_tiles.TileSearch._tile

    def filling(self, rows, cols, victims):
        read.append((rows.start, cols.start))
        fill(self, rows, cols, victims)

    def searching(self, box, places):
        tiles.append(box)
        return tile(self, box, places)

    monkeypatch.setattr(channel_files.VictimReader, "fill", filling)
    monkeypatch.setattr(macro_tiles.TileSearch, "_tile", searching)
    maps_of(case, side_px=3)
    assert sorted(read) == [(0, 0), (3, 0)]
    assert 0 < len(tiles) < (SIZE // 3) ** 2


@pytest.mark.parametrize("foreign_evaluated", [True, False])
def test_survey_counts_the_protected_reception(tmp_path, repository, small_blocks, foreign_evaluated):
    case = Case(tmp_path, repository, 200.0, {})
    content = case.config.services["foreign_dtt"].model_copy(
        update={"status": "evaluate" if foreign_evaluated else "out_of_scope", "reason": "test"}
    )
    services = case.config.services | {"foreign_dtt": content}
    config = case.config.model_copy(update={"services": services})
    sea = np.random.default_rng(5).integers(0, 6, (SIZE, SIZE)).astype(np.uint8)
    written = raster.make_array(sea, case.grid, units="1", long_name="sea", nodata=255)
    raster.write(tmp_path / "territory/sea.tif", written, tags={}, publish=False)
    box = PixelBox(slice(2, 9), slice(1, 11))
    found = channel_files.survey_of(config, ChannelFiles(tmp_path, CHANNEL), box)
    protected = (case.served == 1) & np.isin(case.surface, (1, FOREIGN) if foreign_evaluated else (1,))
    inside = np.zeros_like(protected)
    inside[box] = protected[box]
    rows, cols = np.nonzero(inside)
    number = np.zeros((4, 4), int)
    np.add.at(number, (rows // 3, cols // 3), 1)
    assert np.array_equal(found.number, number)
    assert found.box == (slice(rows.min(), rows.max() + 1), slice(cols.min(), cols.max() + 1))
    assert found.nearest_sea == {c: sea[inside & (case.coastal == c)].min() for c in (0, 1)}


@pytest.mark.parametrize(("memory_gib", "side_px"), [(100.0, 1024), (2.5, 1024), (1.25, 512)])
def test_tiles_are_as_large_as_fits(tmp_path, repository, monkeypatch, memory_gib, side_px):
    case, sides = Case(tmp_path, repository, 200.0, {}), []
    tiles = macro_tiles.TileSearch.tiles

    def searching(self, ground, side):
        sides.append(side)
        return tiles(self, ground, side)

    monkeypatch.setattr(macro_tiles.TileSearch, "tiles", searching)
    monkeypatch.setattr(macro_tiles.TileSearch, "_bytes_of", lambda self, side, _: side / 512 * 1.2 * 2**30)
    write_protection(case.config, ChannelFiles(tmp_path, CHANNEL), TileSettings(memory_gib))
    assert sides == [side_px]


def test_less_memory_than_the_smallest_tiles_need_is_refused(tmp_path, repository):
    case = Case(tmp_path, repository, 200.0, {})
    files = ChannelFiles(tmp_path, CHANNEL)
    with pytest.raises(InputError, match=r"memory_gib: .*needs more memory.*found 0\.6; .*at least 0\.8 GiB"):
        write_protection(case.config, files, TileSettings(0.6))
    assert not any(path.exists() for path in files.protection(case.config.devices[0]))


def test_less_memory_makes_smaller_tiles(tmp_path, repository, monkeypatch):
    """0.75 GiB; 9 bytes a pixel of a window, 20 a victim, 5 of land, 10 of it and 5 of a strip a map."""
    case = Case(tmp_path, repository, 200.0, {})
    needed = []
    bytes_of = macro_tiles.TileSearch._bytes_of
    monkeypatch.setattr(
        macro_tiles.TileSearch, "_bytes_of", lambda *asked: needed.append(bytes_of(*asked)) or 1e6
    )
    write_protection(case.config, ChannelFiles(tmp_path, CHANNEL), TileSettings(1.0))
    maps = raster.read_layout(
        ChannelFiles(tmp_path, CHANNEL).protection(case.config.devices[0])[0]
    ).band_names
    land, pixels = int((case.surface == 1).sum()), SIZE * SIZE
    of_maps = (10 * land + 5 * 512 * SIZE) * len(maps)
    victims = int(((case.served == 1) & np.isin(case.surface, (HOME, FOREIGN))).sum())
    by_hand = 0.75 * 2**30 + 9 * pixels + 20 * victims + 5 * land + of_maps
    assert needed == [by_hand] * 2


def searched(monkeypatch) -> list:
    """Boxes that are searched from now on."""
    boxes, tile = [], macro_tiles.TileSearch._tile

    def searching(self, box, places):
        boxes.append(box)
        return tile(self, box, places)

    monkeypatch.setattr(macro_tiles.TileSearch, "_tile", searching)
    return boxes


def test_a_changed_victim_searches_what_is_within_its_reach_and_gives_the_bytes_of_a_full_run(
    tmp_path, repository, monkeypatch, small_blocks
):
    case, boxes = Case(tmp_path, repository, 20_000.0, {"height_m": 10.0}), searched(monkeypatch)
    first = maps_of(case, side_px=6, basis="code")
    whole = len(boxes)
    assert whole > 1
    assert maps_of(case, side_px=6, basis="code") == first
    assert len(boxes) == whole, "nothing has changed"
    case.served[:3, :3] = 0
    case.write()
    changed = maps_of(case, side_px=6, basis="code")
    pixels = sum((b.rows.stop - b.rows.start) * (b.cols.stop - b.cols.start) for b in boxes[whole:])
    assert 0 < pixels < SIZE * SIZE / 2
    assert changed == maps_of(case, side_px=6), "as of a run that copies nothing"
    assert changed != first
    boxes.clear()
    maps_of(case, side_px=6, basis="other code")
    assert len(boxes) == whole


def on_a_hill(case: Case, class_of_east: int) -> None:
    """Give a case a terrain model: flat in the west, devices of one class in the east."""
    terrain = case.config.terrain.model_copy(update={"dem": [case.folder / "dem.tif"]})
    case.config = case.config.model_copy(update={"terrain": terrain})
    height = np.zeros((SIZE, SIZE), np.uint8)
    height[:, SIZE // 2 :] = class_of_east
    cells = ring_settings(case.config).cells
    classes = np.repeat(height[case.surface == HOME][:, np.newaxis], cells, axis=1)
    base_m = base_height_m(case.config.devices[0])
    write_classes(case.folder, [base_m], [[classes]], case.surface, cells)


def test_a_changed_victim_does_not_concern_flat_land_as_far_as_hills(
    tmp_path, repository, monkeypatch, small_blocks
):
    for module in (device_ground, height_files):
        monkeypatch.setattr(module, "STRIP_PX", 3)
    case, boxes = Case(tmp_path, repository, 20_000.0, {"height_m": 10.0}), searched(monkeypatch)
    on_a_hill(case, 12)
    case.served[case.surface != SEA] = 0  # so that hills are limited from far away
    case.served[:3, :3][case.surface[:3, :3] != SEA] = 1
    case.write()
    pixels = []
    for highest in (None, 12):
        if highest is not None:  # as if all land were as high as the east
            monkeypatch.setattr(device_ground.HeightRows, "highest", lambda _self, _box: 12)
        before = maps_of(case, side_px=3, basis=f"highest {highest}")
        boxes.clear()
        case.wanted[:3, :3] -= 1.0
        case.write()
        changed = maps_of(case, side_px=3, basis=f"highest {highest}")
        pixels.append(sum((b.rows.stop - b.rows.start) * (b.cols.stop - b.cols.start) for b in boxes))
        assert changed == maps_of(case, side_px=3), "as of a run that copies nothing"
        assert changed != before
    assert 0 < pixels[0] < pixels[1]


@pytest.mark.parametrize("left", [0, 6])
def test_each_target_and_victim_has_its_own_distance_from_the_sea(tmp_path, repository, monkeypatch, left):
    """Against the search of ``explain``, which reads the ground of a whole box and tries every victim."""
    case = Case(tmp_path, repository, 5_000.0, {"height_m": 10.0}, sea_paths="coastal")
    case.surface[:] = HOME
    case.surface[:, 0] = SEA
    case.served[:] = 0
    case.served[::3, 1::4] = 1
    case.coastal[:] = 0
    case.write()
    on_a_hill(case, 6)
    room = macro_tiles.WindowArrays.of

    def made(self, name, dtype, shape):  # as the last tile may have left it
        array = room(self, name, dtype, shape)
        if name == "sea":
            array[:] = left
        return array

    monkeypatch.setattr(macro_tiles.WindowArrays, "of", made)
    files, config, device = ChannelFiles(tmp_path, CHANNEL), case.config, case.config.devices[0]
    write_protection(config, files, TileSettings(1.5, side_px=3))
    levels_dbm = raster.read(files.protection(device)[0], stacked=True).values
    places = device_ground.ground_places(config, tmp_path, case.surface)
    assert len(np.unique(places.sea[case.surface == HOME])) > 2
    job, box = a_job(case, read_servers(files.coverage("_servers.json"))), PixelBox(*[slice(0, SIZE)] * 2)
    survey, victims = survey_of(config, files), read_victims(job, files, box)
    classes = read_ground(config, tmp_path, device, places, box)
    losses = losses_to(job, survey.nearest_sea, case.grid, classes)
    for band, level_dbm in zip(bands_of(job), levels_dbm, strict=True):
        search = map_search(job, victims, band, losses, classes.ground)
        for row, col in np.argwhere(case.surface == HOME).tolist():
            found = strictest_victim(search, (row, col))
            expected_dbm = band.unconstrained_dbm if found is None else found[0]
            assert level_dbm[row, col] == np.float32(expected_dbm), (band.name, row, col)


@pytest.mark.parametrize("damage", ["record", "map", "sum", "no record"])
def test_what_is_kept_and_damaged_is_computed(tmp_path, repository, monkeypatch, small_blocks, damage):
    case, boxes = Case(tmp_path, repository, 20_000.0, {"height_m": 10.0}), searched(monkeypatch)
    first = maps_of(case, side_px=6, basis="code")
    whole = len(boxes)
    (record,) = (tmp_path / ".kept").rglob("*.json")
    kept = next(path for path in record.parent.iterdir() if path.name.endswith("_label.tif"))
    content = record.read_text()
    if damage == "record":
        record.write_text(content[: len(content) // 2])
    elif damage == "sum":
        record.write_text(content.replace('"copied": 0', '"copied": 1'))
    elif damage == "map":
        damaged = bytearray(kept.read_bytes())
        damaged[-1] ^= 1
        kept.write_bytes(damaged)
    else:
        record.unlink()
    assert maps_of(case, side_px=6, basis="code") == first
    assert len(boxes) == 2 * whole


def test_values_that_follow_one_another_are_told_apart():
    digests = {
        digest_of(*values)
        for values in (
            ((1, 23),),
            ((12, 3),),
            (20.0, 60.0, 16.0),
            (20.0, 60.01, 6.0),
            (np.zeros(2, np.uint8),),
            (np.zeros(2, np.int8),),
            (np.zeros((1, 2), np.uint8),),
        )
    }
    assert len(digests) == 7
