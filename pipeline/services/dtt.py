"""DTT reception, own and foreign, and receiver overload: minimum over the victim channels of a channel.

P_dtt(x, w) = min over victim channels c and groups of victims g of M_c,g(x) - shift(g, offset of w from c),
where M are the maps of the protection stage (protection.md, section 3).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from pipeline.config.config import Config
from pipeline.config.protection import Device
from pipeline.dtt.limits import OVERLOAD_BAND
from pipeline.dtt.protection_maps import Files
from pipeline.dtt.threshold import THRESHOLD_BAND
from pipeline.grid import raster
from pipeline.radio.channel_plan import Offset, victims_by_offset
from pipeline.reference.ratio_tables import ProtectionTables, read_protection_tables
from pipeline.reference.ratios import Group, group_name, group_shift_db, groups_of, overload_shift_db
from pipeline.reference.separation_distances import SEPARATION_BANDS
from pipeline.services.base import BlockLimit, ServiceContext, ServiceLimit, lower, unlimited
from pipeline.services.codes import LimitingService


def prepare(context: ServiceContext, device: Device, channel: int) -> BlockLimit:
    """Limit by all DTT victims (``dtt`` and ``foreign_dtt``); label home 1, foreign 8, overload 13."""
    tables = read_protection_tables(context.config.protection)
    groups = _groups_by_name(context.config, tables)
    victims = victims_by_offset(context.config, device, channel, context.victims)

    def limit(rows: slice, cols: slice) -> ServiceLimit:
        lowest = unlimited(rows, cols)
        for victim, offset in victims:
            _lower_by(lowest, context, device, tables, groups, victim, offset, rows, cols)
        return lowest

    return limit


def _groups_by_name(config: Config, tables: ProtectionTables) -> Mapping[str, Group]:
    """All groups that can occur, by the name of their band."""
    used = config.protection.offsets
    return {group_name(group): group for key in tables.modes for group in groups_of(tables, key, used)}


def _lower_by(
    lowest: ServiceLimit,
    context: ServiceContext,
    device: Device,
    tables: ProtectionTables,
    groups: Mapping[str, Group],
    victim: int,
    offset: Offset,
    rows: slice,
    cols: slice,
) -> None:
    """Lower the limit in place by the maps of one victim channel."""
    limits_file, labels_file = Files(context.build, victim).protection(device)
    maps = raster.read(limits_file, rows=rows, cols=cols, stacked=True)
    labels = raster.read(labels_file, rows=rows, cols=cols, stacked=True)
    for name, map_dbm, label in zip(maps["band"].values, maps.values, labels.values, strict=True):
        shift_db = _shift_db(str(name), tables, groups, device, offset)
        if not math.isnan(shift_db):
            limit_dbm = map_dbm.astype(np.float64) - shift_db
            lower(lowest, np.where(label == LimitingService.NONE, np.inf, limit_dbm), label)


def _shift_db(
    name: str, tables: ProtectionTables, groups: Mapping[str, Group], device: Device, offset: Offset
) -> float:
    if name == THRESHOLD_BAND:
        return 0.0
    if name in SEPARATION_BANDS:
        return 0.0 if offset.number in SEPARATION_BANDS[name] else math.nan
    if name == OVERLOAD_BAND:
        return overload_shift_db(tables, device, offset.number)
    if name not in groups:
        return math.nan
    return group_shift_db(
        tables, groups[name], device, offset.number, width_mhz=offset.width_mhz, fraction=offset.share
    )
