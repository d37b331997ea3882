"""The budget behind a limit of DTT reception: the deciding victim of one pixel, found by looking at all.

P = m_U + X - r + D - 77.216 - 20 log10 f + Lb, or for overload O_th - (G - L_f) - mu sigma + D + Lb
(protection.md, section 3). Victims, losses and discrimination are taken again from the coverage rasters; the
maps of the protection stage are not read, so that a budget which gives the published number checks them too.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from pipeline.config.protection import Device
from pipeline.dtt import separation_budget
from pipeline.dtt.box import Box
from pipeline.dtt.limits import (
    OVERLOAD_BAND,
    Band,
    Job,
    bands_of,
    geometries,
    loss_tables,
    make_job,
    overload_level_dbm,
)
from pipeline.dtt.min_plus.bounds import Tables, offset_tables
from pipeline.dtt.min_plus.tree import (
    INF,
    Antenna,
    antenna,
    discrimination_db,
    normal_azimuth_deg,
    off_axis_deg,
)
from pipeline.dtt.protection_maps import Files, read_servers, read_victims
from pipeline.dtt.terms import (
    Decision,
    link_of,
    overload_terms,
    pixel,
    read_victim,
    victim_facts,
    wanted_terms,
    with_rounding,
)
from pipeline.dtt.threshold import occupied, threshold_dbuvm
from pipeline.dtt.victims import Kind, Victims, cross_polar_table_db, kinds_present, members
from pipeline.grid import raster
from pipeline.grid.grid import Grid
from pipeline.kernels import kernel
from pipeline.propagation.homogeneous import LossTables
from pipeline.radio.channel_plan import Offset, receiver_band, victims_by_offset
from pipeline.reference.ratio_tables import read_protection_tables
from pipeline.reference.ratios import Group, group_name, group_shift_db, overload_shift_db
from pipeline.services.base import Explanation, ServiceContext, Term
from pipeline.services.codes import LimitingService


def explain(context: ServiceContext, device: Device, channel: int, row: int, col: int) -> Explanation | None:
    """Budget of the strictest DTT victim of the pixel (row, col); None where no victim limits."""
    victims = victims_by_offset(context.config, device, channel, context.victims)
    if context.config.protection.method == "threshold":
        return _occupied(context, [victim for victim, _ in victims], row, col)
    if context.config.protection.method == "separation":
        return separation_budget.explain(context, device, victims, row, col)
    strictest: tuple[Job, Decision] | None = None
    for victim, offset in victims:
        job = _job(context, device, victim)
        for decision in _decisions(context, job, device, offset, row, col):
            if strictest is None or decision.limit_dbm < strictest[1].limit_dbm:
                strictest = job, decision
    return None if strictest is None else _budget(context, device, *strictest, row, col)


def _job(context: ServiceContext, device: Device, victim: int) -> Job:
    """The job that the protection stage has for this channel and the device's geometry."""
    config = context.config
    (devices,) = [group for group in geometries(config.devices) if device in group]
    servers = read_servers(Files(context.build, victim).coverage("_servers.json"))
    return make_job(config, victim, devices, read_protection_tables(config.protection), servers)


def _decisions(
    context: ServiceContext, job: Job, device: Device, offset: Offset, row: int, col: int
) -> Iterator[Decision]:
    """For each map of one victim channel the victim that decides at the pixel, if any does."""
    if not job.groups:
        return
    losses = {False: loss_tables(job, context.grid, coastal=False)}
    if job.config.protection.sea_paths == "coastal":
        losses[True] = loss_tables(job, context.grid, coastal=True)
    reach_px = max(tables.near_db.shape[0] for tables in losses.values()) - 1
    box = _box_around(context.grid, row, col, reach_px)
    victims = read_victims(job, Files(context.build, job.channel), box)
    groups = {group_name(group): group for tiers in job.groups for group in tiers}
    for band in bands_of(job):
        group = groups.get(band.name)
        shift_db = _shift_db(job, group, device, offset)
        if not math.isnan(shift_db):
            found = _strictest(job, victims, band, losses, row - box.rows.start, col - box.cols.start)
            if found is not None:
                stored_dbm, near, kind, y, x = found
                yield Decision(
                    job.channel,
                    offset,
                    group,
                    kind,
                    near,
                    box.rows.start + y,
                    box.cols.start + x,
                    stored_dbm,
                    stored_dbm - shift_db,
                )


def _shift_db(job: Job, group: Group | None, device: Device, offset: Offset) -> float:
    """What the map of a group (None: of overload) holds more than the limit; NaN without a threshold."""
    if group is None:
        return overload_shift_db(job.tables, device, offset.number)
    return group_shift_db(
        job.tables, group, device, offset.number, width_mhz=offset.width_mhz, fraction=offset.share
    )


def _box_around(grid: Grid, row: int, col: int, reach_px: int) -> Box:
    return Box(
        slice(max(row - reach_px, 0), min(row + reach_px + 1, grid.height)),
        slice(max(col - reach_px, 0), min(col + reach_px + 1, grid.width)),
    )


def _strictest(
    job: Job, victims: Victims, band: Band, losses: dict[bool, LossTables], row: int, col: int
) -> tuple[float, bool, Kind, int, int] | None:
    """Smallest value of one map at (row, col) of the box: level, up to 80 m, kind, place of its victim."""
    receiver = receiver_band(job.config.coverage, job.f_mhz)
    ant = antenna((receiver.flat_deg, receiver.end_deg, receiver.discrimination_db))
    best_dbm, best = np.float32(band.open_dbm), None
    for kind in kinds_present(victims):
        chosen = members(victims, kind, band.codes)
        if not chosen.any():
            continue
        for near in (True, False):
            allowed_dbm = _allowed_dbm(job, victims, chosen, band, near)
            table_db = losses[kind.coastal].near_db if near else losses[kind.coastal].far_db
            if kind.orthogonal:
                table_db = cross_polar_table_db(table_db, job.config.coverage.cross_polar_db)
            tables = offset_tables(table_db, 1)
            level_dbm, y, x = _nearest_below(allowed_dbm, victims.azimuth_deg, ant, tables, row, col)
            if level_dbm < best_dbm:
                best_dbm, best = level_dbm, (float(level_dbm), near, kind, y, x)
    return best


def _allowed_dbm(
    job: Job, victims: Victims, chosen: NDArray[np.bool_], band: Band, near: bool
) -> NDArray[np.float32]:
    """What the chosen victims tolerate, +inf elsewhere; the same for all of them where it is overload."""
    settings = job.config.protection
    tolerated_dbm = victims.near_dbm if near else victims.far_dbm
    if band.name == OVERLOAD_BAND:
        sigma_db = settings.near_sigma_db if near else settings.far_sigma_db
        tolerated_dbm = np.full_like(tolerated_dbm, np.float32(overload_level_dbm(job, sigma_db)))
    return np.where(chosen, tolerated_dbm, np.float32(np.inf))


@kernel
def _nearest_below(
    allowed_db: NDArray[np.float32],
    azimuth_deg: NDArray[np.float32],
    ant: Antenna,
    tables: Tables,
    row: int,
    col: int,
) -> tuple[np.float32, int, int]:
    """Smallest float32 term over all victims of the box, as ``min_plus`` adds it, and where it comes from."""
    best_db, best_y, best_x = INF, -1, -1
    for y in range(allowed_db.shape[0]):
        for x in range(allowed_db.shape[1]):
            dy, dx = row - y, col - x
            if not allowed_db[y, x] < INF or abs(dy) > tables.reach or abs(dx) > tables.reach:
                continue
            if abs(dy) <= 1 and abs(dx) <= 1:
                term_db = allowed_db[y, x] + tables.touching_db[dy + 1, dx + 1]
            else:
                i, j = dy + tables.origin, dx + tables.origin
                directed_db = allowed_db[y, x]
                if not np.isnan(azimuth_deg[y, x]):
                    aim_deg = normal_azimuth_deg(azimuth_deg[y, x])
                    directed_db += discrimination_db(ant, off_axis_deg(aim_deg, tables.direction_deg[i, j]))
                term_db = directed_db + tables.loss_db[i, j]
            if term_db < best_db:
                best_db, best_y, best_x = term_db, y, x
    return best_db, best_y, best_x


def _budget(
    context: ServiceContext, device: Device, job: Job, decision: Decision, row: int, col: int
) -> Explanation:
    """Facts and terms of a decision."""
    victim = read_victim(Files(context.build, job.channel), decision)
    link = link_of(context, job, device, decision, victim, row, col)
    terms = wanted_terms if decision.group is not None else overload_terms
    code = LimitingService.FOREIGN_DTT if decision.kind.foreign else LimitingService.DTT
    return Explanation(
        victim_facts(context, job, decision, victim, link, row, col),
        with_rounding(terms(job, device, decision, victim, link), decision.limit_dbm),
        int(code if decision.group is not None else LimitingService.RECEIVER_OVERLOAD),
    )


def _occupied(context: ServiceContext, channels: list[int], row: int, col: int) -> Explanation | None:
    """Threshold method: the first channel whose field reaches the threshold in the pixel itself."""
    for channel in channels:
        path = Files(context.build, channel).coverage(".tif")
        rows, cols = pixel(row, col)
        field_dbuvm = raster.read(path, rows=rows, cols=cols, bands=["field_dbuvm"]).values
        from_dbuvm = threshold_dbuvm(context.config, channel)
        if occupied(field_dbuvm, from_dbuvm).all():
            note = f"{field_dbuvm.item():.2f} dB(uV/m) of {from_dbuvm:.2f}: occupied"
            facts = {"kind": "pixel", "channel": channel, "row": row, "col": col}
            return Explanation(facts, (Term("field threshold", -math.inf, note),), int(LimitingService.DTT))
    return None
