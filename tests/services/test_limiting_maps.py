"""Limits by DTT are the lowest over all maps of all victim channels, however little of them is read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import asking
import numpy as np
import pytest
from numpy.typing import NDArray
from service_scene import GRID, make_context, whole

from pipeline.dtt.channel_files import ChannelFiles
from pipeline.grid import raster
from pipeline.radio.channel_plan import offset_of
from pipeline.reference.ratio_tables import read_protection_tables
from pipeline.reference.ratios import Group, Tier, group_name, group_shift_db, overload_shift_db
from pipeline.services.base import ServiceContext
from pipeline.services.table import service_code

CHANNEL, VICTIMS = 30, (24, 29, 30, 35)
WHOLE_TIER = Tier(-np.inf, np.inf)
GROUPS = (Group("DVB-T", "64QAM 2/3", WHOLE_TIER), Group("DVB-T2", "256QAM 2/3", WHOLE_TIER))
BANDS = (*map(group_name, GROUPS), "overload")
CODES = ("none", "dtt", "foreign_dtt", "receiver_overload")
Maps = tuple[NDArray[np.float32], NDArray[np.uint8]]


def random_maps(rng: np.random.Generator) -> Maps:
    """Levels and labels [band, y, x]: a few rectangles limit, one band in four nowhere."""
    levels = np.full((len(BANDS), *GRID.shape), np.float32(90.0))
    labels = np.zeros(levels.shape, np.uint8)
    for band, name in enumerate(BANDS):
        for _ in range(rng.integers(0, 4)):
            row, col = rng.integers(0, GRID.height - 1, 2)
            part = band, slice(row, row + rng.integers(1, 9)), slice(col, col + rng.integers(1, 9))
            levels[part] = rng.uniform(-40.0, 60.0, levels[part].shape)
            labels[part] = 3 if name == "overload" else rng.integers(0, 3, labels[part].shape)
    return levels, labels


def write_maps(context: ServiceContext, maps: dict[int, Maps]) -> None:
    for victim, values in maps.items():
        for device in context.config.devices:
            for path, stack in zip(
                ChannelFiles(context.build, victim).protection(device), values, strict=True
            ):
                layout = raster.layout_on(
                    GRID, BANDS, dtype=str(stack.dtype), nodata=None, units="dBm", long_name="x"
                )
                raster.write_blocks(path, layout, [(*whole(), stack)], publish=False)


def by_definition(context: ServiceContext, number: int, maps: dict[int, Maps]) -> tuple[NDArray, NDArray]:
    """Every pixel of every map, nearest channel first: of equal limits the first names."""
    config, device = context.config, context.config.devices[number]
    tables = read_protection_tables(config.protection)
    lowest = np.full(GRID.shape, np.inf)
    code = np.full(GRID.shape, service_code("none"))
    for victim in sorted(maps, key=lambda victim: (abs(CHANNEL - victim), CHANNEL - victim)):
        offset = offset_of(config.channels, device, CHANNEL, victim)
        shifts = [group_shift_db(tables, group, device, offset) for group in GROUPS]
        shifts.append(overload_shift_db(tables, device, offset.slices))
        for level, label, shift in zip(*maps[victim], shifts, strict=True):
            for place in np.argwhere(label != 0):
                eirp_dbm = np.float64(level[tuple(place)]) - shift
                if eirp_dbm < lowest[tuple(place)]:
                    lowest[tuple(place)] = eirp_dbm
                    code[tuple(place)] = service_code(CODES[label[tuple(place)]])
    return lowest, code


@pytest.mark.parametrize("block_px", [5, 7, 24])
@pytest.mark.parametrize("number", [0, 4])
def test_limit_is_the_lowest_of_all_maps_for_any_block(
    tmp_path: Path, repository: Path, number: int, block_px: int
) -> None:
    context = replace(make_context(tmp_path, repository), victims=VICTIMS)
    rng = np.random.default_rng(10 * block_px + number)
    maps = {victim: random_maps(rng) for victim in VICTIMS}
    write_maps(context, maps)
    expected_dbm, expected_code = by_definition(context, number, maps)
    limit = asking.prepare("dtt", context, context.config.devices[number], CHANNEL)
    for row in range(0, GRID.height, block_px):
        for col in range(0, GRID.width, block_px):
            block = slice(row, min(row + block_px, GRID.height)), slice(col, min(col + block_px, GRID.width))
            found = limit(*block)
            np.testing.assert_array_equal(found.eirp_dbm, expected_dbm[block])
            np.testing.assert_array_equal(found.label, expected_code[block])
    assert np.isfinite(expected_dbm).any()


def test_levels_of_a_channel_that_limits_nowhere_are_not_read(tmp_path: Path, repository: Path) -> None:
    context = replace(make_context(tmp_path, repository), victims=(CHANNEL,))
    device = context.config.devices[0]
    nowhere = (
        np.full((len(BANDS), *GRID.shape), np.float32(90.0)),
        np.zeros((len(BANDS), *GRID.shape), np.uint8),
    )
    write_maps(context, {CHANNEL: nowhere})
    ChannelFiles(context.build, CHANNEL).protection(device)[0].unlink()
    assert np.isposinf(asking.prepare("dtt", context, device, CHANNEL)(*whole()).eirp_dbm).all()


def test_devices_that_share_maps_have_them_read_once_in_a_block(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = replace(make_context(tmp_path, repository), victims=VICTIMS)
    maps = {victim: random_maps(np.random.default_rng(victim)) for victim in VICTIMS}
    write_maps(context, maps)
    read: list[str] = []
    whole_read = raster.read_window

    def counted(opened: raster.Opened, *place: object, **bands: object) -> NDArray:
        read.append(Path(opened.source.name).stem.removesuffix("_label").split("_", 1)[1])
        return whole_read(opened, *place, **bands)

    monkeypatch.setattr(raster, "read_window", counted)
    numbers = {device.id: number for number, device in enumerate(context.config.devices)}
    for ids in [("fixed30", "fixed30_c3"), ("fixed10", "fixed10_c3", "slave10"), ("portable",)]:
        times = []
        for name in ids:
            number, before = numbers[name], len(read)
            limit = asking.prepare("dtt", context, context.config.devices[number], CHANNEL)
            expected_dbm, _ = by_definition(context, number, maps)
            np.testing.assert_array_equal(limit(*whole()).eirp_dbm, expected_dbm)
            times.append(len(read) - before)
        assert times[0] > 0
        assert times[1:] == [0] * (len(ids) - 1), ids
        assert set(read) == {ids[0]}
        read.clear()
