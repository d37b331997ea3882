"""PMSE: radio microphones, monitors, talkback and links that are assigned a place, a band and a time.

Ofcom's calculation of the pilot of 2013 (docs/method.md, section 17); tables and rules are settings. Only
receivers within reach of a block are looked at, which changes no number: see ``pmse_kernels``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pipeline.budget import Budget, Term
from pipeline.config.bonds import DeviceChannel
from pipeline.config.config import Config
from pipeline.config.protection import Device
from pipeline.grid.grid import Grid
from pipeline.propagation.hata import Environment
from pipeline.services.base import BlockLimit, ServiceContext, ServiceLimit, unlimited
from pipeline.services.coarsening import middle_of_block_m
from pipeline.services.pmse.pmse_kernels import (
    AIRBORNE,
    BLOCKED_DBM,
    LatticeBlock,
    PmseLinkRules,
    PmseReceivers,
    lower_block,
    path_loss_db,
    pixel_limits,
    some_receivers,
)
from pipeline.services.pmse.pmse_register import active_between, read_pmse_register, summary
from pipeline.services.pmse.pmse_separation import explain_separation_of_pmse, separation_limit
from pipeline.services.pmse.pmse_terrain import tables_of, terrain_parts, with_terrain_reach
from pipeline.services.pmse.pmse_victims import (
    PmseTables,
    allowance,
    allowance_terms,
    channel_offsets,
    concerned,
    has_numbers,
    places_of,
    read_pmse_tables,
    receivers_of,
    rules_of,
)
from pipeline.services.receiver_terrain import TerrainAround, pixel_losses_db
from pipeline.services.table import ServiceRow
from pipeline.territory.rasters import CheckedTerritory


class PreparedPmse(NamedTuple):
    """Receivers that concern one device and channel, the rows they come from, and their channel offsets."""

    register: xr.Dataset
    offsets: NDArray[np.int64]
    tables: PmseTables
    rules: PmseLinkRules
    receivers: PmseReceivers
    scale: float
    around: list[TerrainAround | None]


def prepare(
    service: ServiceRow, context: ServiceContext, device: Device, channel: DeviceChannel
) -> BlockLimit | None:
    """Limit by all PMSE receivers; None without a register."""
    if not context.config.pmse.registers:
        return None
    if context.config.protection.method == "separation":
        return separation_limit(service, context, device, channel)
    prepared = _prepare(context, device, channel)
    lattice_m = context.config.pmse.lattice_m

    def limit(rows: slice, cols: slice) -> ServiceLimit:
        places = places_of(context.grid, rows, cols, lattice_m, prepared.scale)
        near, windows = within_reach(prepared.receivers, context.grid, rows, cols, places)
        lowest = unlimited(rows, cols)
        for part in terrain_parts(
            context.config, context.grid, prepared.around, near, windows, (rows.start, cols.start)
        ):
            lower_block(prepared.rules, places, *part, lowest.eirp_dbm, lowest.not_evaluated)
        lowest.label[lowest.eirp_dbm < math.inf] = service.code
        return lowest

    return limit


def explain(
    service: ServiceRow, context: ServiceContext, device: Device, channel: DeviceChannel, row: int, col: int
) -> Budget | None:
    """Budget of the limiting receiver at a pixel; None where no known one limits below the cap."""
    if not context.config.pmse.registers:
        return None
    if context.config.protection.method == "separation":
        return explain_separation_of_pmse(service, context, device, channel, row, col)
    prepared = _prepare(context, device, channel)
    pixel = slice(row, row + 1), slice(col, col + 1)
    places = places_of(context.grid, *pixel, context.config.pmse.lattice_m, prepared.scale)
    limits_dbm, d_km = np.empty((2, prepared.receivers.x_m.size))
    terrain_db = _terrain_db(prepared, context.grid, *pixel)
    smaller = context.config.protection.device_path == "smaller"
    pixel_limits(prepared.rules, places, prepared.receivers, terrain_db, smaller, limits_dbm, d_km)
    limits_dbm[~prepared.receivers.known] = math.inf
    if limits_dbm.size == 0 or limits_dbm.min() == math.inf:
        return None
    i = int(np.argmin(limits_dbm))
    terms = [Term("blocked", BLOCKED_DBM, "the receiver lies in a 10 m cell of this pixel")]
    if limits_dbm[i] != BLOCKED_DBM:
        terms = _terms(device, prepared, i, float(d_km[i]), float(terrain_db[i]), smaller)
    return Budget(_victim(prepared, i, float(d_km[i]), places), tuple(terms), service.code)


def check(service: ServiceRow, config: Config, ground: CheckedTerritory) -> Iterator[str]:
    """Read register and tables, refused if faulty; what counts; nothing if PMSE is not evaluated."""
    if not config.services[service.name].evaluated:
        return
    settings = config.pmse
    if not settings.registers:
        yield "  PMSE          no register: not evaluated anywhere"
        return
    register, rejected = read_pmse_register(config)
    tables = read_pmse_tables(settings)
    active = active_between(register, settings.at, config.validity_hours)
    counts = summary(register, active)
    when = f"on {settings.at}" if settings.at else "at any time"
    yield f"  PMSE          {', '.join(f'{name} {count}' for name, count in counts.items() if count)}, {when}"
    without = sorted(
        kind for kind in set(register["kind"].values[active].tolist()) if not has_numbers(tables.kinds[kind])
    )
    if without and config.protection.method != "separation":
        yield f"  PMSE          kinds without numbers, not evaluated: {', '.join(without)}"
    yield from (f"  PMSE          {odd}" for odd in register.attrs["odd_times"])
    yield from (f"  rejected      {row}" for row in rejected)


def within_reach(
    receivers: PmseReceivers, grid: Grid, rows: slice, cols: slice, places: LatticeBlock
) -> tuple[PmseReceivers, NDArray[np.int64]]:
    """The receivers that may limit a pixel of a block, and for each the part of the block it may limit."""
    reach_m = receivers.reach_km * 1000.0 * places.scale + 2.0 * places.lattice_m
    px = 1.0 / grid.resolution_m
    spans = [
        np.clip(np.floor((grid.north_m - receivers.y_m - reach_m) * px), rows.start, rows.stop),
        np.clip(np.ceil((grid.north_m - receivers.y_m + reach_m) * px), rows.start, rows.stop),
        np.clip(np.floor((receivers.x_m - grid.west_m - reach_m) * px), cols.start, cols.stop),
        np.clip(np.ceil((receivers.x_m - grid.west_m + reach_m) * px), cols.start, cols.stop),
    ]
    first = np.array([rows.start, rows.start, cols.start, cols.start])
    windows = np.stack(spans, axis=-1).astype(np.int64) - first
    near = (windows[:, 0] < windows[:, 1]) & (windows[:, 2] < windows[:, 3])
    return some_receivers(receivers, near), np.ascontiguousarray(windows[near])


def _prepare(context: ServiceContext, device: Device, channel: DeviceChannel) -> PreparedPmse:
    config = context.config
    register, _ = read_pmse_register(config)
    which = concerned(config, device, channel, register, context.span)
    chosen = register.isel(assignment=np.flatnonzero(which))
    tables = read_pmse_tables(config.pmse)
    receivers = receivers_of(config, device, channel, chosen, tables, context.grid)
    if context.block_m > 0.0:
        x_m, y_m = (middle_of_block_m(at_m, context.block_m) for at_m in (receivers.x_m, receivers.y_m))
        receivers = receivers._replace(x_m=x_m, y_m=y_m)
    rules = rules_of(config, device)
    receivers = with_terrain_reach(config, rules, receivers)
    return PreparedPmse(
        register=chosen,
        offsets=channel_offsets(config, device, channel, chosen),
        tables=tables,
        rules=rules,
        receivers=receivers,
        scale=context.grid.largest_scale(),
        around=tables_of(context, device, chosen["id"].values, receivers),
    )


def _terrain_db(prepared: PreparedPmse, grid: Grid, rows: slice, cols: slice) -> NDArray[np.float64]:
    """Losses over terrain from a single pixel to each receiver, NaN where there are none."""
    found = [
        math.nan if around is None else float(pixel_losses_db(around, grid, rows, cols)[0, 0])
        for around in prepared.around
    ]
    return np.array(found, np.float64)


def _terms(
    device: Device, prepared: PreparedPmse, i: int, d_km: float, terrain_db: float, smaller: bool
) -> list[Term]:
    """The budget in the order of the kernel's sum."""
    offset = int(prepared.offsets[i])
    kind = str(prepared.register["kind"].values[i])
    receivers, rules = prepared.receivers, prepared.rules
    found = allowance(prepared.tables, kind, offset, device.emission_class)
    notes = {
        "minimum wanted power": kind,
        "protection ratio": f"offset {offset}, emission class {device.emission_class}",
    }
    terms = [Term(name, value, notes.get(name, "")) for name, value in allowance_terms(found, device)]
    loss_db = float(path_loss_db(rules, receivers, i, d_km, terrain_db, smaller))
    entry_db = float(receivers.entry_db[i]) if d_km > rules.entry_from_km else 0.0
    model = _model(int(receivers.environment[i]), d_km)
    if loss_db == terrain_db:
        flat_db = path_loss_db(rules, receivers, i, d_km, math.nan, False)
        model = f"P.1812 over terrain, least of the pixel ({model} {flat_db:.2f} dB)"
    note = f"{model}, {1000.0 * d_km:.1f} m, {receivers.f_mhz[i]:g} MHz"
    return [*terms, Term("path loss", loss_db, note), Term("building entry loss", entry_db)]


def _model(environment: int, d_km: float) -> str:
    """The part of the loss model that a distance falls in, in words."""
    if environment == AIRBORNE:
        return "free space to an airborne receiver"
    surroundings = Environment(environment).name.lower().replace("_", " ")
    if d_km <= 0.04:
        return "free space"
    if d_km < 0.1:
        return f"between free space and extended Hata, {surroundings}"
    return f"extended Hata, {surroundings}"


def _victim(prepared: PreparedPmse, i: int, d_km: float, places: LatticeBlock) -> dict[str, object]:
    """The limiting receiver in plain values; azimuth on the grid, from the pixel's middle to the receiver."""
    row = {str(name): values.values[i].item() for name, values in prepared.register.data_vars.items()}
    east_m = prepared.receivers.x_m[i] - 0.5 * (places.west_m[0] + places.east_m[0])
    north_m = prepared.receivers.y_m[i] - 0.5 * (places.south_m[0] + places.north_m[0])
    return {
        "id": row["id"],
        "kind": row["kind"],
        "situation": row["situation"] or "outdoor",
        "freq_mhz": row["freq_mhz"],
        "bandwidth_mhz": row["bandwidth_mhz"],
        "height_m": float(prepared.receivers.height_m[i]),
        "offset_channels": int(prepared.offsets[i]),
        "distance_km": d_km,
        "grid_azimuth_deg": math.degrees(math.atan2(east_m, north_m)) % 360.0,
        # What the register says of its transmitter; nothing follows from it.
        **{name: row[name] for name in ("device_id",) if row[name]},
        **{name: row[name] for name in ("power_dbm", "eirp_dbm") if math.isfinite(row[name])},
    }
