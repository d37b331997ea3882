"""Protection ratios of DTT reception against white-space devices, by offset, emission class and wanted level.

r = PR0 + 10 log10(10^(-ACS/10) + 10^(-ACLR/10)), or the value of a table row (docs/method.md, section 7).
PR0 is the C/N of the mode. AFLR compares the whole power of the device with what leaks into 100 kHz (EN 301
598), so for a victim's channel of width W ACLR = AFLR - 10 log10(W / 100 kHz), however narrow the device is.
Of several rows that match, the one for the mode wins over one for the system, that over one for all, then one
for the emission class.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.config.protection import Device
from pipeline.errors import InputError
from pipeline.radio.emission import aclr_db, class_offset
from pipeline.reference.ratio_tables import ANY, ModeKey, ModeValues, ProtectionTables, Ratio

# Channels of the European raster, for which the ratios of EN 301 598 were written.
_EUROPEAN_WIDTH_MHZ = 8.0
_DTT_OFFSETS = (-1, 0, 1)


class Tier(NamedTuple):
    """Wanted levels at 0 dBi with one set of ratios: from_dbm <= P < to_dbm; infinite at the ends."""

    from_dbm: float
    to_dbm: float


class Group(NamedTuple):
    """Victims with one set of protection ratios: system, mode and tier of the wanted level."""

    system: str
    mode: str
    tier: Tier


class RatioParts(NamedTuple):
    """A protection ratio in dB, and C/N, ACS and ACLR where it was computed from them, else NaN."""

    ratio_db: float
    c_n_db: float
    acs_db: float
    aclr_db: float


def check_ratios(
    tables: ProtectionTables, keys: Iterable[ModeKey], classes: Iterable[int], offsets: Iterable[int]
) -> None:
    """Refuse tables without a ratio for every mode, class, offset and tier in use."""
    class_list, offset_list = sorted(set(classes)), sorted(set(offsets))
    for key in sorted(set(keys)):
        for group in groups_of(tables, key, offset_list):
            for emission_class in class_list:
                for offset in offset_list:
                    ratio_db(tables, group, emission_class, offset)
    for emission_class in class_list:
        for offset in offset_list:
            overload_dbm(tables, emission_class, offset)


def groups_of(tables: ProtectionTables, key: ModeKey, offsets: Sequence[int]) -> list[Group]:
    """The groups of one mode, weakest tier first: tiers are cut at every bound that any of its rows has."""
    known_mode(tables, key)
    rows = [row for row in tables.ratios if row.offset in offsets and _matches(row, key)]
    bounds_dbm = {bound for row in rows for bound in _open_ends(rows, row) if math.isfinite(bound)}
    edges_dbm = [-math.inf, *sorted(bounds_dbm), math.inf]
    return [Group(*key, Tier(low, high)) for low, high in pairwise(edges_dbm)]


def known_mode(tables: ProtectionTables, key: ModeKey) -> ModeValues:
    """Planning values of a mode; InputError for one that the table does not name."""
    if key not in tables.modes:
        raise InputError(
            "mode is not in the table of modes",
            field="mode",
            value=" ".join(key),
            allowed=", ".join(sorted(" ".join(known) for known in tables.modes)),
        )
    return tables.modes[key]


def group_name(group: Group) -> str:
    """Band description of a group in the files of the job protect."""
    return f"{group.system} {group.mode}|{group.tier.from_dbm:g}..{group.tier.to_dbm:g}"


def ratio_db(
    tables: ProtectionTables,
    group: Group,
    emission_class: int,
    offset: int,
    *,
    width_mhz: float = _EUROPEAN_WIDTH_MHZ,
    fraction: float = 1.0,
) -> float:
    """Protection ratio in dB of one group against one emission class, ``offset`` channels above (w - c).

    ``width_mhz`` of the victim's channel. A device that overlaps it (offset 0) with a ``fraction`` of its
    power has the rest beside it: r = 10 log10(f r_0 + (1 - f) r_1) of power ratios, r_1 the larger of two.
    """
    whole_db = ratio_parts(tables, group, emission_class, offset, width_mhz=width_mhz).ratio_db
    if offset != 0 or fraction >= 1.0:
        return whole_db
    beside_db = max(ratio_db(tables, group, emission_class, k, width_mhz=width_mhz) for k in (-1, 1))
    return 10.0 * math.log10(
        fraction * 10.0 ** (0.1 * whole_db) + (1.0 - fraction) * 10.0 ** (0.1 * beside_db)
    )


def ratio_parts(
    tables: ProtectionTables,
    group: Group,
    emission_class: int,
    offset: int,
    *,
    width_mhz: float = _EUROPEAN_WIDTH_MHZ,
) -> RatioParts:
    """The protection ratio of ``ratio_db`` with what it is made of, for a device wholly at its offset."""
    direct = _pick(tables, group, emission_class, offset, "pr_db")
    if direct is not None:
        return RatioParts(direct.value, math.nan, math.nan, math.nan)
    pr0_db = tables.modes[group.system, group.mode].c_n_db
    if offset == 0:
        return RatioParts(pr0_db, pr0_db, math.nan, math.nan)
    selectivity = _pick(tables, group, emission_class, offset, "acs_db")
    if selectivity is None:
        raise InputError(
            "no protection ratio and no selectivity for this offset",
            file=tables.ratios_file,
            field="offset",
            value=f"{offset}, {group_name(group)}, class {emission_class}",
            allowed="a row pr_db or acs_db for every offset in use; -3 to +3 and +9 are mandatory",
        )
    leakage_db = aclr_db(tables.aflr_db[emission_class][class_offset(offset)], width_mhz)
    leakage = 10.0 ** (-0.1 * leakage_db)
    combined_db = pr0_db + 10.0 * math.log10(10.0 ** (-0.1 * selectivity.value) + leakage)
    return RatioParts(combined_db, pr0_db, selectivity.value, leakage_db)


def overload_dbm(tables: ProtectionTables, emission_class: int, offset: int) -> float:
    """Overload threshold in dBm at the receiver's input; NaN where none is known."""
    anywhere = Group(ANY, ANY, Tier(-math.inf, math.inf))
    row = _pick(tables, anywhere, emission_class, offset, "oth_dbm")
    return math.nan if row is None else row.value


def building_loss_db(device: Device) -> float:
    """Building entry loss of a device that counts as indoor: type B above a height, else 0."""
    indoor = device.indoor
    if device.type != "B" or indoor is None or device.height_m <= indoor.above_m:
        return 0.0
    return indoor.building_loss_db.value


def group_shift_db(
    tables: ProtectionTables,
    group: Group,
    device: Device,
    offset: int,
    *,
    width_mhz: float = _EUROPEAN_WIDTH_MHZ,
    fraction: float = 1.0,
) -> float:
    """Stored map less the limit: ratio, burst penalty, multiple-interference margin, building entry loss."""
    ratio = ratio_db(tables, group, device.emission_class, offset, width_mhz=width_mhz, fraction=fraction)
    return ratio + device.burst_penalty_db.value + device.margin_db - building_loss_db(device)


def largest_shift_db(
    tables: ProtectionTables,
    groups: Iterable[Group],
    device: Device,
    offsets: Sequence[int],
    width_mhz: float,
) -> float:
    """Largest ``group_shift_db`` over groups and offsets; one for a partial overlap is smaller."""
    return max(
        group_shift_db(tables, group, device, offset, width_mhz=width_mhz)
        for group in groups
        for offset in offsets
    )


def overload_shift_db(tables: ProtectionTables, device: Device, offset: int) -> float:
    """Stored overload map less the limit; NaN where no threshold is known."""
    threshold_dbm = overload_dbm(tables, device.emission_class, offset)
    return device.margin_db - building_loss_db(device) - threshold_dbm


def dtt_ratio_db(tables: ProtectionTables, key: ModeKey, offset: int) -> float:
    """Protection ratio in dB of a wanted mode against DTT ``offset`` (-1, 0, 1) channels above."""
    for candidate in (key, (key[0], ANY), (ANY, ANY)):
        if (*candidate, offset) in tables.dtt_db:
            return tables.dtt_db[*candidate, offset]
    raise InputError(
        "no protection ratio against DTT",
        file=tables.dtt_file,
        field="offset",
        value=f"{offset}, {' '.join(key)}",
        allowed="rows for the offsets -1, 0, 1 of every mode in use",
    )


def dtt_ratio_table_db(tables: ProtectionTables, keys: Sequence[ModeKey]) -> NDArray[np.float64]:
    """Ratios against DTT, float64[mode, offset -1 | 0 | +1] in dB."""
    return np.array([[dtt_ratio_db(tables, key, offset) for offset in _DTT_OFFSETS] for key in keys])


def _pick(
    tables: ProtectionTables, group: Group, emission_class: int, offset: int, quantity: str
) -> Ratio | None:
    """The most specific row that applies to the whole tier of the group."""
    rows = [
        row
        for row in tables.ratios
        if row.quantity == quantity
        and row.offset == offset
        and _matches(row, (group.system, group.mode))
        and row.emission_class in (ANY, str(emission_class))
    ]
    if not rows:
        return None
    best = max(_rank(row) for row in rows)
    chosen = sorted((row for row in rows if _rank(row) == best), key=lambda row: row.from_dbm)
    _check_tiers(chosen, tables.ratios_file)
    for row in chosen:
        low_dbm, high_dbm = _open_ends(chosen, row)
        if low_dbm <= group.tier.from_dbm and group.tier.to_dbm <= high_dbm:
            return row
    raise AssertionError("tiers without gaps contain every level")


def _matches(row: Ratio, key: ModeKey) -> bool:
    return row.system in (ANY, key[0]) and row.mode in (ANY, key[1])


def _rank(row: Ratio) -> tuple[bool, bool, bool]:
    return row.mode != ANY, row.system != ANY, row.emission_class != ANY


def _open_ends(rows: list[Ratio], row: Ratio) -> tuple[float, float]:
    """Bounds of a row's tier; the lowest and the highest tier of its set are open."""
    own = [r for r in rows if r[1:5] == row[1:5] and r.quantity == row.quantity]
    first, last = min(r.from_dbm for r in own), max(r.to_dbm for r in own)
    low_dbm = -math.inf if row.from_dbm == first else row.from_dbm
    return low_dbm, math.inf if row.to_dbm == last else row.to_dbm


def _check_tiers(rows: list[Ratio], file: Path) -> None:
    """Tiers of one set, ascending, follow each other without gap or overlap."""
    for below, above in pairwise(rows):
        if below.to_dbm != above.from_dbm:
            raise InputError(
                "tiers overlap or leave a gap",
                file=file,
                row=above.row,
                field="from_dbm",
                value=above.from_dbm,
                allowed=f"{below.to_dbm}, where the tier of line {below.row} ends",
            )
