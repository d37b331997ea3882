"""DTT reception, own and foreign, and receiver overload: minimum over the victim channels of a channel.

P_dtt(x, w) = min over victim channels c and groups of victims g of M_c,g(x) - shift(g, offset of w from c),
where M are the maps of the job protect (docs/method.md, section 6). The manual adjustments act on it.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Mapping
from functools import reduce
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from pipeline.budget import Budget, strictest
from pipeline.config.bonds import DeviceChannel
from pipeline.config.config import Config
from pipeline.config.protection import Device
from pipeline.dtt import limit_budget
from pipeline.dtt.channel_files import ChannelFiles
from pipeline.dtt.leakage_floor import floor_coupling
from pipeline.dtt.limits import THRESHOLD_BAND, shift_db, with_maps_of
from pipeline.dtt.separation import check_separation
from pipeline.dtt.threshold import beside_dbm
from pipeline.dtt.victims import ExplainedPixel, VictimLabel
from pipeline.grid import raster
from pipeline.grid.boxes import PixelBox, box_of, joined, moved
from pipeline.grid.open_rasters import OpenRasters
from pipeline.kernels import kernel
from pipeline.radio.channel_plan import Offset
from pipeline.radio.coupling import Coupling, permitted_dbm
from pipeline.reference.limiting_channels import victims_by_offset
from pipeline.reference.ratio_tables import ProtectionTables, read_protection_tables
from pipeline.reference.ratios import Group, group_name, groups_of
from pipeline.services.adjustments import adjusted_budget, adjusted_limit
from pipeline.services.base import BlockLimit, ServiceContext, ServiceLimit, part_of, unlimited
from pipeline.services.table import ServiceRow, service_code
from pipeline.territory.rasters import CheckedTerritory

_NONE = int(VictimLabel.NONE)
# Leakage that falls with the power of the device, however weak it is.
_NO_FLOOR = Coupling(np.empty((0, 2)), 0.0, -math.inf)
_NAMES = {
    VictimLabel.NONE: "none",
    VictimLabel.HOME: "dtt",
    VictimLabel.FOREIGN: "foreign_dtt",
    VictimLabel.OVERLOAD: "receiver_overload",
    VictimLabel.OUTSIDE: "outside",
}


class StoredMap(NamedTuple):
    """A map of the job protect on some pixels: name of its victims, permissible level, ``VictimLabel``."""

    name: str
    permissible_dbm: NDArray[np.float32]
    label: NDArray[np.uint8]


class MapRules(NamedTuple):
    """What stored maps mean for a device: tables of a configuration, groups of victims by name of the map."""

    config: Config
    device: Device
    tables: ProtectionTables
    groups: Mapping[str, Group]


def prepare(
    service: ServiceRow, context: ServiceContext, device: Device, channel: DeviceChannel
) -> BlockLimit:
    """Limit by all DTT victims, home and foreign, with the label of each, and by overload."""
    rules = map_rules(context.config, device)
    victims = victims_by_offset(context.config, device, channel, context.victims)
    codes, owner = label_codes(), with_maps_of(context.config, device)
    maps = cast(_LimitingMaps, context.kept.setdefault("limiting_maps", _LimitingMaps()))

    def limit(rows: slice, cols: slice) -> ServiceLimit:
        lowest = unlimited(rows, cols)
        for victim, offset in victims:
            files = ChannelFiles(context.build, victim).protection(owner)
            for stored, box in maps.of(owner, files, rows, cols):
                lower_by_map(part_of(lowest, *box), rules, victim, stored, offset, codes)
        return lowest

    return adjusted_limit(limit, context, device, channel)


def map_rules(config: Config, device: Device) -> MapRules:
    """The tables of a configuration, read once for all channels of a device."""
    tables = read_protection_tables(config.protection)
    return MapRules(config, device, tables, _groups_by_name(tables))


def lower_by_map(
    lowest: ServiceLimit,
    rules: MapRules,
    victim: int,
    stored: StoredMap,
    offset: Offset,
    codes: NDArray[np.uint8],
) -> None:
    """Take the smaller limit by one map of a DTT channel in place, on pixels of any shape.

    ``codes`` by ``VictimLabel`` name what limits.
    """
    name, permissible_dbm, label = stored
    if name == THRESHOLD_BAND and offset.number not in rules.config.protection.threshold.offsets:
        return
    group = rules.groups.get(name)
    more_db = shift_db(name, group, rules.tables, rules.device, offset)
    if not math.isnan(more_db):
        floor = group and floor_coupling(rules.config, victim, group, rules.tables, rules.device, offset)
        least_dbm = beside_dbm(rules.config, offset) if name == THRESHOLD_BAND else -math.inf
        flat = np.atleast_2d
        own, its = (flat(lowest.eirp_dbm), flat(lowest.label)), (flat(permissible_dbm), flat(label))
        _lower_where_limited(*own, *its, codes, more_db, floor or _NO_FLOOR, least_dbm)


@kernel
def _lower_where_limited(
    lowest_dbm: NDArray[np.float64],
    lowest_label: NDArray[np.uint8],
    permissible_dbm: NDArray[np.float32],
    label: NDArray[np.uint8],
    codes: NDArray[np.uint8],
    shift_db: float,
    floor: Coupling,
    least_dbm: float,
) -> None:
    """``services.base.lower`` by ``limits_dbm`` where a map limits, all [y, x]: without arrays in between.

    No limit is below ``least_dbm``.
    """
    for y in range(lowest_dbm.shape[0]):
        for x in range(lowest_dbm.shape[1]):
            if label[y, x] != _NONE:
                eirp_dbm = float(permissible_dbm[y, x]) - shift_db
                tolerated_dbm = eirp_dbm - floor.rejection_db
                if tolerated_dbm < floor.linear_from_dbm:
                    eirp_dbm = permitted_dbm(
                        tolerated_dbm, floor.lines, floor.rejection_db, floor.linear_from_dbm
                    )
                eirp_dbm = max(eirp_dbm, least_dbm)
                if eirp_dbm < lowest_dbm[y, x]:
                    lowest_dbm[y, x] = eirp_dbm
                    lowest_label[y, x] = codes[label[y, x]]


class _Kept(NamedTuple):
    """What a thread keeps of the maps of one owner: open files, and what was read of a block, by file."""

    owner: str
    place: tuple[int, int, int, int]
    opened: OpenRasters
    found: dict[Path, list[tuple[StoredMap, PixelBox]]]


class _LimitingMaps:
    """Maps that limit in a block, read once for the devices that share them and ask one after another.

    Each thread keeps those of one block and owner, and that owner's files open.
    """

    def __init__(self) -> None:
        """Nothing is read before the first device asks."""
        self._own = threading.local()

    def __reduce__(self) -> tuple[type[_LimitingMaps], tuple[()]]:
        """In another process nothing is read yet."""
        return _LimitingMaps, ()

    def of(
        self, owner: Device, files: tuple[Path, Path], rows: slice, cols: slice
    ) -> list[tuple[StoredMap, PixelBox]]:
        """The maps of a channel that limit in a block, in the smallest box outside of which none does.

        The box counts from the corner of the block; ``owner`` of the maps.
        """
        kept: _Kept | None = getattr(self._own, "kept", None)
        place = rows.start, rows.stop, cols.start, cols.stop
        if kept is None or kept.owner != owner.id:
            kept = _Kept(owner.id, place, OpenRasters(), {})
        elif kept.place != place:
            kept = kept._replace(place=place, found={})
        self._own.kept = kept
        if files[0] not in kept.found:
            kept.found[files[0]] = _limiting_maps(kept.opened, files, rows, cols)
        return kept.found[files[0]]


def _limiting_maps(
    opened: OpenRasters, files: tuple[Path, Path], rows: slice, cols: slice
) -> list[tuple[StoredMap, PixelBox]]:
    """The maps of a channel that limit in a block, in the smallest box outside of which none does.

    The box counts from the corner of the block. Labels show where a map limits: in a small part of the
    territory, and they are read faster than levels.
    """
    permissible, label = files
    names, labels = opened.of(label).layout.band_names, opened.window(label, rows, cols)
    boxes = {band: box for band, codes in enumerate(labels) if (box := box_of(codes != _NONE)) is not None}
    box = reduce(joined, boxes.values(), None)
    if box is None:
        return []
    # At once: maps lie together in the tiles of the file, each of which would be unpacked for each map.
    place = moved(box, rows.start, cols.start)
    levels_dbm = raster.read_window(opened.of(permissible), *place, bands=list(boxes))
    return [
        (StoredMap(names[band], level_dbm, labels[band][box]), box)
        for band, level_dbm in zip(boxes, levels_dbm, strict=True)
    ]


def explain(
    service: ServiceRow, context: ServiceContext, device: Device, channel: DeviceChannel, row: int, col: int
) -> Budget | None:
    """Budgets of the strictest DTT victims of the pixel, each with its manual adjustments."""
    config, build, grid = context.config, context.build, context.grid
    victims = victims_by_offset(config, device, channel, context.victims)
    asked = ExplainedPixel(config, build, grid, device, row, col, context.terrain_fault)
    found = limit_budget.explain(asked, victims)
    if found is None:
        return adjusted_budget(None, context, device, channel, row, col)
    codes = label_codes()
    ranked = [
        adjusted_budget(one._replace(label=int(codes[one.label])), context, device, channel, row, col)
        for one in (found, *found.others)
    ]
    return strictest(one._replace(others=()) for one in ranked if one is not None)


def check(service: ServiceRow, config: Config, ground: CheckedTerritory) -> Iterator[str]:
    """Refuse tables of the separation method without a number for a system or device; nothing to report."""
    check_separation(config, ground.modes, ground.victims)
    yield from ()


def label_codes() -> NDArray[np.uint8]:
    """Code in ``limiting_service`` by ``VictimLabel``, uint8[256]."""
    codes = np.zeros(256, np.uint8)
    for label, name in _NAMES.items():
        codes[label] = service_code(name)
    return codes


def _groups_by_name(tables: ProtectionTables) -> Mapping[str, Group]:
    """All groups that can occur, by the name of their band."""
    return {group_name(group): group for key in tables.modes for group in groups_of(tables, key)}
