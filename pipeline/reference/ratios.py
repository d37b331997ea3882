"""Protection ratios of DTT reception against white-space devices, by offset, emission class and wanted level.

r(k) = PR0 + 10 log10(10^(-(ACS - t - a)/10) + 10^(-ACLR/10)), or the value of a table row plus t and a
(docs/method.md, section 7); k counts slices of the victim's width, and an emission in several of them has the
mean of their ratios by power. PR0 is the C/N of the mode, t the loss at high wanted levels, a what an idle
device costs where the row is of a loaded one. AFLR compares the whole power of the device with what leaks
into 100 kHz (EN 301 598), so for a victim's channel of width W ACLR = AFLR - 10 log10(W / 100 kHz), however
narrow the device is. Of several rows that match, one of the device's load wins, then a ratio over a
selectivity, then the one for the mode over one for the system, that over one for all, then one for the class.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.config.protection import MANDATORY_OFFSETS, Device
from pipeline.errors import InputError
from pipeline.radio.channel_plan import Offset, Slice
from pipeline.radio.emission import aclr_db, class_offset
from pipeline.reference.ratio_tables import ANY, LoadRules, ModeKey, ModeValues, ProtectionTables, Ratio

# Channels of the European raster, for which the ratios of EN 301 598 were written.
_EUROPEAN_WIDTH_MHZ = 8.0
_DTT_OFFSETS = (-1, 0, 1)
_RATIOS = ("pr_db", "acs_db")
# GE06: a co-channel ratio is not lowered further where only a little of the interferer lies in the channel.
_LEAST_DTT_RATIO_DB = -30.0

LOADED = LoadRules(idle=False, penalty_db=0.0, on_ratio=False, overload_db=0.0)
"""A device that sends all the time, as most measurements have it."""


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
    """A protection ratio in dB and what it is made of; NaN where it was not computed from C/N, ACS and ACLR.

    ``row`` of the table, None co-channel without one; ``tier_db`` and ``idle_db`` what t and a add to it.
    """

    ratio_db: float
    c_n_db: float
    acs_db: float
    aclr_db: float
    tier_db: float = 0.0
    idle_db: float = 0.0
    row: Ratio | None = None


def check_ratios(
    tables: ProtectionTables, keys: Iterable[ModeKey], classes: Iterable[int], offsets: Iterable[int]
) -> None:
    """Refuse tables without a row for every mode and class at ``offsets``, or with tiers that do not join.

    A row between two others may be missing, the mandatory ones and those beyond the outermost may not.
    """
    class_list = sorted(set(classes))
    for key in sorted(set(keys)):
        for group in groups_of(tables, key):
            for emission_class in class_list:
                first, last = table_range(tables, key, emission_class)
                for k in sorted({*offsets, *range(first, last + 1)}):
                    if k in offsets:
                        _check_row(tables, key, emission_class, k)
                    ratio_db(tables, group, emission_class, k)
    for emission_class in class_list:
        overload_dbm(tables, emission_class, [Slice(0, 1.0)])


def _check_row(tables: ProtectionTables, key: ModeKey, emission_class: int, k: int) -> None:
    rows = {row.offset for row in _rows_of(tables, key, emission_class, _RATIOS)}
    first, last = table_range(tables, key, emission_class)
    within = k in rows if k in MANDATORY_OFFSETS else tables.last_row or first <= k <= last
    if k != 0 and not within:
        raise InputError(
            "no protection ratio and no selectivity for this offset",
            file=tables.ratios_file,
            field="offset",
            value=f"{k}, {' '.join(key)}, class {emission_class}",
            allowed="a row pr_db or acs_db for every offset in use; -3 to +3 and +9 are mandatory",
        )


# --- which offsets ------------------------------------------------------------------------------------------


def table_range(tables: ProtectionTables, key: ModeKey | None, emission_class: int) -> tuple[int, int]:
    """Outermost offsets with a row for a mode (None: for any) and a class; 0 is always among them."""
    offsets = {row.offset for row in _rows_of(tables, key, emission_class, _RATIOS)} | {0}
    return min(offsets), max(offsets)


def limits(
    tables: ProtectionTables, key: ModeKey | None, emission_class: int, slices: Sequence[Slice]
) -> bool:
    """Whether an emission is limited for a mode (None: for some): one of its slices has an offset in use."""
    if tables.offsets is not None:
        return any(part.k in tables.offsets for part in slices)
    first, last = table_range(tables, key, emission_class)
    return tables.last_row or any(first <= part.k <= last for part in slices)


def _row_offset(offsets: set[int], k: int) -> int:
    """The offset whose row counts at k: its own, else the next towards the victim; beyond all the last."""
    k = min(max(k, min(offsets)), max(offsets))
    while k not in offsets:
        k -= 1 if k > 0 else -1
    return k


# --- ratios -------------------------------------------------------------------------------------------------


def groups_of(tables: ProtectionTables, key: ModeKey) -> list[Group]:
    """The groups of one mode, weakest tier first: tiers are cut at every bound that any of its rows has."""
    known_mode(tables, key)
    sets: dict[tuple[object, ...], list[Ratio]] = {}
    for row in tables.ratios:
        if _matches(row, key):
            sets.setdefault(_kind(row), []).append(row)
    bounds_dbm = {
        bound
        for rows in sets.values()
        for row in rows
        for bound in _open_ends(rows, row)
        if math.isfinite(bound)
    }
    bounds_dbm |= {step.from_dbm for step in tables.tiers if math.isfinite(step.from_dbm)}
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


def load_of(tables: ProtectionTables, device: Device) -> LoadRules:
    """Load of a device and what it costs: its own settings, else those of ``protection``."""
    idle = tables.load.idle if device.load is None else device.load == "idle"
    own = device.idle_penalty_db
    rules = tables.load if own is None else tables.load._replace(penalty_db=own.value)
    return rules._replace(idle=True) if idle else LOADED


def effective_ratio_db(
    tables: ProtectionTables,
    group: Group,
    emission_class: int,
    slices: Sequence[Slice],
    *,
    width_mhz: float = _EUROPEAN_WIDTH_MHZ,
    load: LoadRules = LOADED,
) -> float:
    """r_eff = 10 log10 of the sum over slices of share 10^(r(k)/10), on the total e.i.r.p. of the device."""
    parts_db = [
        ratio_db(tables, group, emission_class, part.k, width_mhz=width_mhz, load=load) for part in slices
    ]
    if len(parts_db) == 1:
        return parts_db[0]
    powers = (part.share * 10.0 ** (0.1 * r_db) for part, r_db in zip(slices, parts_db, strict=True))
    return 10.0 * math.log10(math.fsum(powers))


def ratio_db(
    tables: ProtectionTables,
    group: Group,
    emission_class: int,
    k: int,
    *,
    width_mhz: float = _EUROPEAN_WIDTH_MHZ,
    load: LoadRules = LOADED,
) -> float:
    """r(k) in dB of one group against one emission class, k slices of the victim's ``width_mhz`` above."""
    return ratio_parts(tables, group, emission_class, k, width_mhz=width_mhz, load=load).ratio_db


def ratio_parts(
    tables: ProtectionTables,
    group: Group,
    emission_class: int,
    k: int,
    *,
    width_mhz: float = _EUROPEAN_WIDTH_MHZ,
    load: LoadRules = LOADED,
) -> RatioParts:
    """The protection ratio of ``ratio_db`` with what it is made of."""
    key = (group.system, group.mode)
    rows = _rows_of(tables, key, emission_class, _RATIOS)
    at = _row_offset({row.offset for row in rows} | {0}, k)
    row = _chosen(tables, [row for row in rows if row.offset == at], group, load)
    pr0_db = tables.modes[key].c_n_db
    if at == 0:
        whole_db = pr0_db if row is None else row.value
        return RatioParts(whole_db, pr0_db if row is None else math.nan, math.nan, math.nan, row=row)
    assert row is not None
    tier_db = next((s.loss_db for s in tables.tiers if s.from_dbm <= group.tier.from_dbm < s.to_dbm), 0.0)
    idle_db = load.penalty_db if load.idle and row.load == "loaded" else 0.0
    if row.quantity == "pr_db":
        worse_db = row.value + tier_db + idle_db
        return RatioParts(worse_db, math.nan, math.nan, math.nan, tier_db, idle_db, row)
    leakage_db = aclr_db(tables.aflr_db[emission_class][class_offset(k)], width_mhz)

    def combined_db(loss_db: float) -> float:
        return pr0_db + 10.0 * math.log10(
            10.0 ** (-0.1 * (row.value - loss_db)) + 10.0 ** (-0.1 * leakage_db)
        )

    ratios_db = [combined_db(0.0), combined_db(tier_db), combined_db(tier_db + idle_db)]
    if load.on_ratio:
        ratios_db[2] = ratios_db[1] + idle_db
    steps_db = (ratios_db[1] - ratios_db[0], ratios_db[2] - ratios_db[1])
    return RatioParts(ratios_db[2], pr0_db, row.value, leakage_db, *steps_db, row)


def overload_row(
    tables: ProtectionTables, emission_class: int, k: int, load: LoadRules = LOADED
) -> Ratio | None:
    """The row of the overload threshold at k, between and beyond rows as for ratios; None without any."""
    rows = [r for r in _rows_of(tables, None, emission_class, ("oth_dbm",)) if not math.isnan(r.value)]
    if not rows:
        return None
    offsets = {row.offset for row in rows}
    nearer = {offset for offset in offsets if abs(offset) <= abs(k) and offset * k >= 0}
    at = max(nearer, key=abs) if nearer else min(offsets, key=lambda offset: (abs(offset - k), abs(offset)))
    return _chosen(
        tables, [r for r in rows if r.offset == at], Group(ANY, ANY, Tier(-math.inf, math.inf)), load
    )


def overload_dbm(
    tables: ProtectionTables, emission_class: int, slices: Sequence[Slice], load: LoadRules = LOADED
) -> float:
    """Overload threshold in dBm at the receiver's input, the smallest of the slices touched; NaN: none known.

    Idle devices overload earlier, unless the row is one of idle devices.
    """
    thresholds_dbm = []
    for part in slices:
        row = overload_row(tables, emission_class, part.k, load)
        if row is not None:
            idle_db = load.overload_db if load.idle and row.load == "loaded" else 0.0
            thresholds_dbm.append(row.value - idle_db)
    return min(thresholds_dbm, default=math.nan)


def building_loss_db(device: Device) -> float:
    """Building entry loss of a device that counts as indoor, else 0."""
    if not device.is_indoor or device.indoor is None or device.indoor.building_loss_db is None:
        return 0.0
    return device.indoor.building_loss_db.value


def group_shift_db(tables: ProtectionTables, group: Group, device: Device, offset: Offset) -> float:
    """Stored map less the limit: ratio, multiple-interference margin, building entry loss.

    NaN where no offset in use has a share of the device's power.
    """
    if not limits(tables, (group.system, group.mode), device.emission_class, offset.slices):
        return math.nan
    load = load_of(tables, device)
    ratio = effective_ratio_db(
        tables, group, device.emission_class, offset.slices, width_mhz=offset.width_mhz, load=load
    )
    return ratio + device.margin_db - building_loss_db(device)


def largest_shift_db(
    tables: ProtectionTables, groups: Iterable[Group], device: Device, width_mhz: float
) -> float:
    """Largest ``group_shift_db`` over groups and offsets: no mean over slices is above the largest ratio."""
    load, emission_class = load_of(tables, device), device.emission_class
    largest_db = max(
        ratio_db(tables, group, emission_class, k, width_mhz=width_mhz, load=load)
        for group in groups
        for k in _all_offsets(tables, (group.system, group.mode), emission_class)
    )
    return largest_db + device.margin_db - building_loss_db(device)


def _all_offsets(tables: ProtectionTables, key: ModeKey, emission_class: int) -> range:
    first, last = table_range(tables, key, emission_class)
    return range(first, last + 1)


def overload_shift_db(tables: ProtectionTables, device: Device, slices: Sequence[Slice]) -> float:
    """Stored overload map less the limit; NaN where no threshold is known."""
    threshold_dbm = overload_dbm(tables, device.emission_class, slices, load_of(tables, device))
    return device.margin_db - building_loss_db(device) - threshold_dbm


def largest_overload_shift_db(tables: ProtectionTables, device: Device) -> float:
    """Largest ``overload_shift_db`` of all offsets; NaN where no threshold is known."""
    offsets = {row.offset for row in tables.ratios if row.quantity == "oth_dbm"} | {0}
    return max(overload_shift_db(tables, device, [Slice(k, 1.0)]) for k in offsets)


def dtt_overlap_ratio_db(tables: ProtectionTables, key: ModeKey, index: int, common_share: float) -> float:
    """Ratio against a DTT channel by index; one of another raster that overlaps counts with what is common.

    PR = max(-30, PR0 + 10 log10(common width over the interferer's)) (GE06).
    """
    ratio = dtt_ratio_db(tables, key, index)
    if index != 0 or common_share >= 1.0:
        return ratio
    return max(_LEAST_DTT_RATIO_DB, ratio + 10.0 * math.log10(common_share))


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


def _rows_of(
    tables: ProtectionTables, key: ModeKey | None, emission_class: int, quantities: Sequence[str]
) -> list[Ratio]:
    """Rows of some quantities that match a mode (None: any) and a class."""
    return [
        row
        for row in tables.ratios
        if row.quantity in quantities
        and row.emission_class in (ANY, str(emission_class))
        and (key is None or _matches(row, key))
    ]


def _chosen(tables: ProtectionTables, rows: list[Ratio], group: Group, load: LoadRules) -> Ratio | None:
    """Of the rows at one offset the one that counts for the whole tier of the group; None without any."""
    if not rows:
        return None
    wanted_load = "idle" if load.idle else "loaded"

    def rank(row: Ratio) -> tuple[bool, ...]:
        return row.load == wanted_load, row.quantity == "pr_db", *_rank(row)

    best = max(map(rank, rows))
    chosen = sorted((row for row in rows if rank(row) == best), key=lambda row: row.from_dbm)
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
    own = [r for r in rows if _kind(r) == _kind(row)]
    first, last = min(r.from_dbm for r in own), max(r.to_dbm for r in own)
    low_dbm = -math.inf if row.from_dbm == first else row.from_dbm
    return low_dbm, math.inf if row.to_dbm == last else row.to_dbm


def _kind(row: Ratio) -> tuple[object, ...]:
    """What the tiers of one set have in common."""
    return row.system, row.mode, row.emission_class, row.offset, row.quantity, row.load


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
