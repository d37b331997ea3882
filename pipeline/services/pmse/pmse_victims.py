"""From booked PMSE assignments to the receivers that limit a device in one channel.

P_max = P_S0 - r(offset, class) + path loss + building entry loss, in dBm in 8 MHz; a device of another
bandwidth keeps its density (docs/method.md, section 17). An offset is counted in channel widths between the
device's channel and the band of the assignment, so an assignment across an edge counts for both channels.
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from pyproj import CRS

from pipeline.config.bonds import DeviceChannel, channels_in
from pipeline.config.config import Config
from pipeline.config.incumbents import Pmse, utc_readings
from pipeline.config.protection import Device
from pipeline.errors import InputError
from pipeline.grid.grid import Grid, transformer
from pipeline.hashing import json_hash, rows_hash
from pipeline.propagation.hata import Environment
from pipeline.radio.channel_plan import SAME_EDGE_MHZ, channel_centre_mhz, channel_width_mhz
from pipeline.radio.emission import device_cap_dbm
from pipeline.reference.ratio_tables import CLASSES
from pipeline.services.pmse.pmse_kernels import (
    AIRBORNE,
    LatticeBlock,
    PmseLinkRules,
    PmseReceivers,
    reaches_km,
)
from pipeline.services.pmse.pmse_register import PmseKind, active_between, read_pmse_kinds, read_pmse_ratios

RATIO_WIDTH_MHZ = 8.0
"""Bandwidth of the device's power in the protection ratios."""
GENERIC_NEAREST_KM = 0.01
ENVIRONMENTS = {"open": Environment.OPEN, "suburban": Environment.SUBURBAN, "urban": Environment.URBAN}


class PmseTables(NamedTuple):
    """Kinds of use, and protection ratios in dB by (set, offset, emission class)."""

    kinds: dict[str, PmseKind]
    ratios_db: dict[tuple[str, int, int], float]


class PmseAllowance(NamedTuple):
    """Minimum wanted power and ratio of a kind at an offset; ``known`` False: those of the strictest kind."""

    wanted_dbm: float
    ratio_db: float
    known: bool


def read_pmse_tables(settings: Pmse) -> PmseTables:
    """The tables of kinds and ratios; refused if a kind with numbers lacks a ratio for an offset in use."""
    tables = PmseTables(read_pmse_kinds(settings.kinds), read_pmse_ratios(settings.ratios))
    used = {kind.ratios for kind in tables.kinds.values() if has_numbers(kind)}
    for name in sorted(used):
        for offset in range(settings.farthest_offset + 1):
            for emission_class in CLASSES:
                if (name, offset, emission_class) not in tables.ratios_db:
                    raise InputError(
                        "no protection ratio",
                        file=settings.ratios,
                        field="offset",
                        value=f"{name}, {offset}, class {emission_class}",
                        allowed=f"offsets 0 to {settings.farthest_offset}, classes 1 to 5",
                    )
    return tables


def has_numbers(kind: PmseKind) -> bool:
    """Whether a kind can be evaluated."""
    return not math.isnan(kind.wanted_dbm) and kind.ratios != ""


def channel_offsets(
    config: Config, device: Device | None, channel: DeviceChannel, register: xr.Dataset
) -> NDArray[np.int64]:
    """Channel widths between a device's channel or bond and each assignment, 0 where they overlap, int64[n].

    ``device`` None: one that fills its channel.
    """
    centre_mhz, whole_mhz = (
        channel_centre_mhz(config.channels, channel),
        channel_width_mhz(config.channels, channel),
    )
    width_mhz = whole_mhz / len(channels_in(channel))
    half_mhz = 0.5 * max(whole_mhz, 0.0 if device is None else device.bandwidth_mhz)
    half_band_mhz = 0.5 * register["bandwidth_mhz"].values
    gap_mhz = np.abs(register["freq_mhz"].values - centre_mhz) - half_mhz - half_band_mhz
    apart = np.floor((gap_mhz + SAME_EDGE_MHZ) / width_mhz).astype(np.int64) + 1
    return np.where(gap_mhz < -SAME_EDGE_MHZ, 0, apart)


def cut_spans(register: xr.Dataset, period: tuple[int, int]) -> NDArray[np.int64]:
    """First second and the one after the last of each assignment within a period, int64[n, 2]."""
    ends = [register["begin_s"].values, register["end_s"].values]
    return np.stack([np.clip(values, *period) for values in ends], axis=-1)


def period_s(config: Config) -> tuple[int, int] | None:
    """The period of a run whose bookings have times, UTC seconds, half open; None without a date."""
    if config.pmse.at is None:
        return None
    begin = datetime.fromisoformat(config.pmse.at)
    zone, end = config.query.time_zone, begin + timedelta(hours=config.validity_hours)
    return int(max(utc_readings(begin, zone)).timestamp()), int(min(utc_readings(end, zone)).timestamp())


def concerned(
    config: Config,
    device: Device | None,
    channel: DeviceChannel,
    register: xr.Dataset,
    span: tuple[int, int] | None = None,
) -> NDArray[np.bool_]:
    """Assignments that hold on the date and can limit a device in one channel, bool[n].

    ``span``: only those that hold for exactly this part of the run's period; None: all.
    """
    settings = config.pmse
    active = active_between(register, settings.at, config.validity_hours)
    if span is not None and (period := period_s(config)) is not None:
        active &= (cut_spans(register, period) == span).all(axis=1)
    if settings.own_cell == "all_channels":
        return active
    return active & (channel_offsets(config, device, channel, register) <= settings.farthest_offset)


def bookings_hash(config: Config, register: xr.Dataset | None, channel: DeviceChannel) -> str:
    """Hash of the assignments that can limit a device in one channel; of nothing without a register."""
    if register is None:
        return json_hash(None)
    bond = len(channels_in(channel))
    chosen = [
        concerned(config, device, channel, register) for device in config.devices if device.bond == bond
    ]
    return rows_hash(register, np.logical_or.reduce(chosen))


def allowance(tables: PmseTables, kind: str, offset: int, emission_class: int) -> PmseAllowance:
    """Numbers of a kind, or those of the strictest kind that has any (-inf: there is none)."""
    own = tables.kinds[kind]
    if has_numbers(own):
        return PmseAllowance(own.wanted_dbm, tables.ratios_db[own.ratios, offset, emission_class], True)
    known = [
        allowance(tables, name, offset, emission_class)
        for name, other in tables.kinds.items()
        if has_numbers(other)
    ]
    strictest = min(
        known, key=lambda a: a.wanted_dbm - a.ratio_db, default=PmseAllowance(-math.inf, 0.0, False)
    )
    return strictest._replace(known=False)


def loss_frequency_mhz(config: Config, channel: DeviceChannel, register: xr.Dataset) -> NDArray[np.float64]:
    """Centre of the channel that holds each carrier, float64[n]; on an edge the lower one (less loss)."""
    lowest = channels_in(channel)[0]
    centre_mhz, width_mhz = (
        channel_centre_mhz(config.channels, lowest),
        channel_width_mhz(config.channels, lowest),
    )
    steps = (register["freq_mhz"].values - centre_mhz - SAME_EDGE_MHZ) / width_mhz
    return np.asarray(centre_mhz + width_mhz * np.ceil(steps - 0.5))


def bandwidth_shift_db(device: Device) -> float:
    """From a limit in 8 MHz to the device's bandwidth at the same density."""
    return 10.0 * math.log10(device.bandwidth_mhz / RATIO_WIDTH_MHZ)


def building_entries(settings: Pmse, device: Device, situation: str) -> int:
    """Buildings that the path enters or leaves; none to an airborne receiver."""
    if situation == "airborne":
        return 0
    return int(situation == "indoor") + int(device.is_indoor)


def receivers_of(
    config: Config,
    device: Device,
    channel: DeviceChannel,
    register: xr.Dataset,
    tables: PmseTables,
    grid: Grid,
) -> PmseReceivers:
    """The receivers of all rows of a register (those that are ``concerned``) on a grid."""
    settings = config.pmse
    x_m, y_m = on_grid_m(register, grid)
    offsets = channel_offsets(config, device, channel, register)
    rows = [
        permissible_dbm(settings, tables, device, kind, offset)
        for kind, offset in zip(register["kind"].values.tolist(), offsets.tolist(), strict=True)
    ]
    situations = register["situation"].values.tolist()
    height_m = register["height_m"].values
    receivers = PmseReceivers(
        x_m=x_m,
        y_m=y_m,
        f_mhz=loss_frequency_mhz(config, channel, register),
        height_m=np.where(np.isnan(height_m), settings.default_height_m.value, height_m),
        environment=environments(settings, situations, register["environment"].values.tolist()),
        permissible_dbm=np.array([dbm for dbm, _ in rows], dtype=np.float64),
        entry_db=np.array(
            [building_entries(settings, device, s) * settings.wall_db.value for s in situations], np.float64
        ),
        known=np.array([known for _, known in rows], dtype=np.bool_),
        reach_km=np.zeros(len(rows)),
        terrain_km=np.zeros(len(rows)),
        number=np.arange(len(rows)),
    )
    return receivers._replace(reach_km=reaches_km(rules_of(config, device), receivers))


def permissible_dbm(
    settings: Pmse, tables: PmseTables, device: Device, kind: str, offset: int
) -> tuple[float, bool]:
    """Sum of ``allowance_terms``, and whether the kind has numbers; +inf beyond the farthest offset."""
    if offset > settings.farthest_offset:
        return math.inf, True
    found = allowance(tables, kind, offset, device.emission_class)
    return sum(value for _, value in allowance_terms(found, device)), found.known


def allowance_terms(found: PmseAllowance, device: Device) -> list[tuple[str, float]]:
    """Names and values in dB of what a device may radiate at a loss of 0 dB, in order of summation."""
    return [
        ("minimum wanted power", found.wanted_dbm),
        ("protection ratio", -found.ratio_db),
        ("device's bandwidth to 8 MHz", bandwidth_shift_db(device)),
        ("multiple-interference margin", -device.margin_db),
    ]


def environments(settings: Pmse, situations: list[str], stated: list[str]) -> NDArray[np.int64]:
    """Codes of ``Environment`` or AIRBORNE, int64[n]."""
    codes = [
        AIRBORNE if situation == "airborne" else int(ENVIRONMENTS[name or settings.environment])
        for situation, name in zip(situations, stated, strict=True)
    ]
    return np.array(codes, dtype=np.int64)


def rules_of(config: Config, device: Device) -> PmseLinkRules:
    """What all receivers share for one device."""
    settings = config.pmse
    generic = settings.operational_parameters == "generic"
    return PmseLinkRules(
        height_m=device.height_m,
        device_is_base=settings.hata_base == "device",
        nearest_km=GENERIC_NEAREST_KM if generic else 0.0,
        entry_from_km=GENERIC_NEAREST_KM if generic else -1.0,
        within_km=math.inf if settings.within_km is None else settings.within_km,
        cap_dbm=device_cap_dbm(device),
    )


def on_grid_m(register: xr.Dataset, grid: Grid) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Grid coordinates of the receivers; +inf where the projection does not reach."""
    x, y = register["x"].values, register["y"].values
    source, target = CRS.from_user_input(register.attrs["crs"]), CRS.from_user_input(grid.crs)
    if source == target or x.size == 0:
        return x, y
    return transformer(register.attrs["crs"], grid.crs).transform(x, y)


def places_of(grid: Grid, rows: slice, cols: slice, lattice_m: float, scale: float) -> LatticeBlock:
    """Lattice coordinates of the pixels of a block; equal pixels get equal ones in every block."""
    left_m, top_m = grid.xy_m(
        np.arange(rows.start, rows.stop, dtype=np.float64), np.arange(cols.start, cols.stop, dtype=np.float64)
    )
    return LatticeBlock(
        west_m=np.floor(left_m / lattice_m) * lattice_m,
        east_m=np.ceil((left_m + grid.resolution_m) / lattice_m) * lattice_m,
        south_m=np.floor((top_m - grid.resolution_m) / lattice_m) * lattice_m,
        north_m=np.ceil(top_m / lattice_m) * lattice_m,
        lattice_m=lattice_m,
        scale=scale,
    )
