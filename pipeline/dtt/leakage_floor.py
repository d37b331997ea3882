"""Leakage of weak devices does not fall below the floor of the mask (docs/method.md, section 7).

r(k) takes leakage as a share of the e.i.r.p., which EN 301 598 asks for only down to a floor in 100 kHz:
max(P - AFLR, F). With it the interference of one group of victims, at a ratio of 0 dB,

    I(P) = P through + sum over parts of the channel of max(P leaked, F)

is the largest of a few lines in P; the limit is the smallest of their roots, and there is none where the
floor alone exceeds what is tolerated. From P = AFLR + F on, at most 0 dBm for a floor of -84 dBm, the line of
r(k) decides: devices whose least e.i.r.p. is not below that need no other.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.config.config import Config
from pipeline.config.incumbents import Incumbents
from pipeline.config.protection import Device
from pipeline.radio.channel_plan import Offset, channel_centre_mhz
from pipeline.radio.coupling import Coupling, permitted_array_dbm
from pipeline.radio.emission import (
    DENSITY_BANDWIDTH_MHZ,
    Band,
    FloorBand,
    aclr_db,
    class_offset,
    least_eirp_dbm,
)
from pipeline.reference.ratio_tables import ProtectionTables
from pipeline.reference.ratios import Group, RatioParts, load_of, ratio_parts


class LeakageFloors(NamedTuple):
    """What the leakage of no device falls below, in dBm per 100 kHz: in general, and in some bands."""

    general_dbm_per_100khz: float
    bands: tuple[FloorBand, ...]


def leakage_floors(config: Config) -> LeakageFloors:
    """The floors of ``incumbents``; a filter at the output takes from them what it takes from all leakage."""
    settings, filter_db = config.incumbents or Incumbents(), config.protection.extra_aclr_db
    return LeakageFloors(
        settings.leakage_floor_dbm_per_100khz.value - filter_db,
        tuple(
            FloorBand(Band(one.from_mhz, one.to_mhz), one.dbm_per_100khz - filter_db)
            for one in settings.leakage_floor
        ),
    )


def floors_at(config: Config, channel: int, width_mhz: float) -> list[FloorBand]:
    """The parts of a channel with one floor each, in dBm per 100 kHz."""
    centre_mhz = channel_centre_mhz(config.channels, channel)
    band = Band(centre_mhz - 0.5 * width_mhz, centre_mhz + 0.5 * width_mhz)
    floors = leakage_floors(config)
    parts = [
        one._replace(band=Band(max(one.band.low_mhz, band.low_mhz), min(one.band.high_mhz, band.high_mhz)))
        for one in floors.bands
    ]
    parts = [part for part in parts if _width_mhz(part.band) > 0.0]
    rest_mhz = _width_mhz(band) - sum(_width_mhz(part.band) for part in parts)
    if rest_mhz > 0.0:
        rest = Band(band.low_mhz, band.low_mhz + rest_mhz)
        parts.append(FloorBand(rest, floors.general_dbm_per_100khz))
    return parts


def lowest_level_dbm(config: Config) -> float:
    """The lowest e.i.r.p. in dBm that a layer speaks of, levels of priority among them.

    It speaks of a device that radiates just so much, also where that is below the device's least e.i.r.p.
    """
    return min([*config.levels_dbm, *(one.eirp_dbm for one in config.priority)])


def _width_mhz(band: Band) -> float:
    return band.high_mhz - band.low_mhz


def floor_coupling(
    config: Config, victim: int, group: Group, tables: ProtectionTables, device: Device, offset: Offset
) -> Coupling | None:
    """The lines of I(P) for one group of victims of a channel; None where the floor does not count.

    That is co-channel, and where nobody asks for a device so weak that its leakage is at the floor.
    """
    floors = floors_at(config, victim, offset.width_mhz)
    aflr_db = tables.aflr_db[device.emission_class]
    beside_db = [aflr_db[class_offset(part.k)] for part in offset.slices if part.k != 0]
    highest_dbm = max(floor.dbm_per_100khz for floor in floors)
    lowest_dbm = min(least_eirp_dbm(device), lowest_level_dbm(config))
    if not beside_db or lowest_dbm >= max(beside_db) + highest_dbm:
        return None
    width_mhz, load = offset.width_mhz, load_of(tables, device)
    through, leaked, floor_factor = 0.0, 0.0, 0.0
    for part in offset.slices:
        found = ratio_parts(tables, group, device.emission_class, part.k, width_mhz=width_mhz, load=load)
        whole = 10.0 ** (0.1 * found.ratio_db)
        leakage, factor = _leakage(tables, group, device, part.k, width_mhz, found)
        leaked += part.share * min(leakage, whole)
        through += part.share * max(whole - leakage, 0.0)
        floor_factor = max(floor_factor, factor)
    return _lines(through, leaked, floor_factor, floors)


def _leakage(
    tables: ProtectionTables, group: Group, device: Device, k: int, width_mhz: float, parts: RatioParts
) -> tuple[float, float]:
    """What leakage contributes to the ratio of a slice per share of power, and what 1 mW of it counts.

    A ratio of the table as a whole does not tell: then the leakage of the device's class at C/N is part of
    it, or all of it where it is more.
    """
    if k == 0:
        return 0.0, 0.0
    c_n_db = tables.modes[group.system, group.mode].c_n_db
    load = load_of(tables, device)
    on_leakage_db = parts.idle_db if load.on_ratio else 0.0
    factor = 10.0 ** (0.1 * (c_n_db + on_leakage_db))
    leaked = aclr_db(tables.aflr_db[device.emission_class][class_offset(k)], width_mhz)
    return factor * 10.0 ** (-0.1 * leaked), factor


def _lines(through: float, leaked: float, floor_factor: float, floors: list[FloorBand]) -> Coupling:
    """Lines of I(P), the last without a floor: the parts with the highest floors stay first as P falls."""
    width_mhz = sum(_width_mhz(part.band) for part in floors)
    ascending = sorted(floors, key=lambda part: part.dbm_per_100khz)
    # Ascending floors: line n has the n lowest ones still falling with P.
    shares = through + leaked * np.cumsum([0.0, *(_width_mhz(part.band) / width_mhz for part in ascending)])
    stay_mw = [floor_factor * floor_mw(part) for part in ascending]
    floors_mw = np.cumsum([0.0, *reversed(stay_mw)])[::-1]
    # The floors are left where P times the share in 100 kHz reaches the highest of them.
    highest = ascending[-1]
    bend_mw = stay_mw[-1] * width_mhz / (leaked * _width_mhz(highest.band))
    return Coupling(
        np.column_stack([shares, floors_mw]),
        -10.0 * math.log10(shares[-1]),
        10.0 * math.log10(bend_mw * shares[-1]),
    )


def floor_mw(part: FloorBand) -> float:
    """Power of a part of a band at its floor, in mW."""
    return 10.0 ** (0.1 * part.dbm_per_100khz) * _width_mhz(part.band) / DENSITY_BANDWIDTH_MHZ


def limits_dbm(
    permissible_dbm: NDArray[np.floating], shift_db: float, coupling: Coupling | None
) -> NDArray[np.float64]:
    """Limits of any shape from stored levels, ``shift_db`` as of ``limits.shift_db``; with the floor."""
    eirp_dbm = permissible_dbm.astype(np.float64) - shift_db
    if coupling is not None:
        tolerated_dbm = eirp_dbm - coupling.rejection_db
        low = tolerated_dbm < coupling.linear_from_dbm
        eirp_dbm[low] = permitted_array_dbm(tolerated_dbm[low], *coupling)
    return eirp_dbm
