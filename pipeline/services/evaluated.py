"""Services and decisions of a territory, asked through the table, and what the product therefore is not."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from pipeline.budget import Budget, Term, total_dbm
from pipeline.config.bonds import DeviceChannel
from pipeline.config.config import Config
from pipeline.config.protection import Device
from pipeline.errors import InputError, raise_first
from pipeline.hashing import settings_hash
from pipeline.reference.ratio_tables import read_protection_tables
from pipeline.reference.ratios import largest_overload_shift_db
from pipeline.services import table
from pipeline.services.base import BlockLimit, ServiceContext, ServiceLimit, module_of
from pipeline.services.coarsening import coarsened, grouped, is_coarsened, lowest_pixel, reach_px
from pipeline.services.table import ServiceRow
from pipeline.territory.rasters import CheckedTerritory

# What float64 may lose when the terms of a budget are added in another order.
_SUM_ERROR_DB = 1e-6


class PreparedService(NamedTuple):
    """A service ready for one device and channel; ``limit`` None = no numbers: not evaluated anywhere."""

    service: ServiceRow
    limit: BlockLimit | None

    @property
    def flags(self) -> int:
        """Its bit in ``eval_flags``."""
        return 0 if self.service.flag is None else 1 << self.service.flag


def evaluated_services(config: Config) -> list[ServiceRow]:
    """Services to evaluate, by code: where two agree the lower code is named."""
    names = {name for name, service in config.services.items() if service.evaluated}
    rows = {row for row in table.SERVICES if row.name in names}
    rows |= {table.service_row(name) for row in rows for name in row.implies}
    return sorted(rows, key=lambda row: row.code)


def decisions() -> list[ServiceRow]:
    """Limits by decision rather than by a service: always evaluated, after the services."""
    return [row for row in table.SERVICES if row.always]


def service_modules(config: Config) -> list[str]:
    """Modules that the services and decisions of a territory load, by name, each once."""
    rows = [*evaluated_services(config), *decisions()]
    return sorted({row.module for row in rows if row.module is not None})


def prepare_services(
    context: ServiceContext,
    device: Device,
    channel: DeviceChannel,
    *,
    with_stations_only: bool = False,
    booked_only: bool = False,
) -> list[PreparedService]:
    """All services to evaluate for one device and channel, then the limits by decision."""
    return [
        PreparedService(row, _published_limit(row, context, device, channel))
        for row in [*evaluated_services(context.config), *decisions()]
        if (row.stations or not with_stations_only) and (row.booked or not booked_only)
    ]


def _published_limit(
    service: ServiceRow, context: ServiceContext, device: Device, channel: DeviceChannel
) -> BlockLimit | None:
    """Limit of a service as far as ``publish`` lets it tell where and what its stations are."""
    publish = context.config.publish
    limit = module_of(service).prepare(service, context, device, channel)
    if limit is None or not service.stations:
        return limit
    if is_coarsened(service, context.config):
        blocks, reach = _limit_of_blocks(service, context, device, channel)
        limit = coarsened(limit, blocks, reach, service.code)
    return grouped(limit) if publish.limiting_service == "grouped" else limit


def _limit_of_blocks(
    service: ServiceRow, context: ServiceContext, device: Device, channel: DeviceChannel
) -> tuple[BlockLimit, int]:
    """Limit of a service whose stations stand in the middle of their blocks, and how far around it counts."""
    block_m = context.config.publish.coarsen_m
    limit = module_of(service).prepare(service, replace(context, block_m=block_m), device, channel)
    if limit is None:
        raise ValueError(f"{service.name} has a limit at its places and none by blocks")
    return limit, reach_px(context.grid, block_m)


def limits_on(
    services: list[PreparedService], rows: slice, cols: slice
) -> list[tuple[int, ServiceLimit | None]]:
    """Bits and limit on a block of each service, as ``availability.combine`` takes them."""
    return [(s.flags, None if s.limit is None else s.limit(rows, cols)) for s in services]


def explain_service(
    service: ServiceRow,
    context: ServiceContext,
    device: Device,
    channel: DeviceChannel,
    pixel: tuple[int, int],
    eirp_dbm: float,
) -> Budget:
    """A service's own account of its limit at a pixel (row, col); InputError unless it adds up to it."""
    if not is_coarsened(service, context.config):
        return _own_account(service, context, device, channel, pixel, eirp_dbm)
    prepared = module_of(service).prepare(service, context, device, channel)
    own_dbm = math.inf if prepared is None else _at(prepared, pixel)
    block_m = context.config.publish.coarsen_m
    note = f"the station counts as anywhere in its block of {block_m:g} m"
    if own_dbm < math.inf:
        found = _own_account(service, context, device, channel, pixel, own_dbm)
        step_db = 0.0 if own_dbm == eirp_dbm else eirp_dbm - own_dbm
    else:  # beyond its reach: the account is that of the nearest place that it may have
        blocks, reach = _limit_of_blocks(service, context, device, channel)
        nearest, moved = lowest_pixel(blocks, pixel, reach), replace(context, block_m=block_m)
        found = _own_account(service, moved, device, channel, nearest, eirp_dbm)
        step_db, note = 0.0, f"{note}; the terms are those of pixel {nearest[0]}, {nearest[1]}"
    return found._replace(terms=(*found.terms, Term("coarsening", step_db, note)))


def _at(limit: BlockLimit, pixel: tuple[int, int]) -> float:
    rows, cols = (slice(index, index + 1) for index in pixel)
    return float(limit(rows, cols).eirp_dbm.item())


def _own_account(
    service: ServiceRow,
    context: ServiceContext,
    device: Device,
    channel: DeviceChannel,
    pixel: tuple[int, int],
    eirp_dbm: float,
) -> Budget:
    """What the module says of one limit, checked against it."""
    found = module_of(service).explain(service, context, device, channel, *pixel)
    sum_dbm = math.inf if found is None else total_dbm(found.terms)
    if found is None or not (sum_dbm == eirp_dbm or abs(sum_dbm - eirp_dbm) <= _SUM_ERROR_DB):
        raise InputError(
            f"budget of {service.name} does not give its limit",
            file=context.build,
            value=sum_dbm,
            allowed=f"{eirp_dbm}; the intermediates are of different runs: run again",
        )
    return found


def check(config: Config, territory: CheckedTerritory) -> Iterator[str]:
    """Have every service and decision check what the territory names for it; lines of the report.

    InputError for the first that refuses, after all were asked.
    """
    faults = []
    for row in table.SERVICES:
        if row.module is not None:
            try:
                yield from module_of(row).check(row, config, territory)
            except InputError as error:
                faults.append(error)
    raise_first(faults)


def settled_flags(config: Config, device: Device) -> int:
    """Bits of what needs no looking at a pixel: the cap, services that do not exist here.

    Receiver overload counts where thresholds are known.
    """
    absent = {name for name, service in config.services.items() if not service.applicable}
    # Without television nothing of it was looked at.
    settled = {"device_cap"} | (absent if config.has_television else absent - {"dtt", "foreign_dtt"})
    tables = read_protection_tables(config.protection)
    known = not math.isnan(largest_overload_shift_db(tables, device))
    if config.has_television and config.protection.method == "degradation" and known:
        settled.add("receiver_overload")
    bits = {table.service_row(name).flag for name in settled}
    return sum(1 << bit for bit in bits if bit is not None)


def terrain_hash(config: Config) -> str | None:
    """Hash of the terrain that paths to receivers lead over, files by content; None: they lead over none."""
    if config.protection.device_path == "homogeneous":
        return None
    read = ("terrain.dem", "terrain.void", "terrain.coast_void_km", "terrain.clutter")
    return settings_hash(config, read)
