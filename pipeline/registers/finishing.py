"""Entries of any format checked and completed as rows of the register; duplicates, doubtful powers.

The check is that of the register itself (``transmitter_rows``): what is written can be read.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from pydantic import ValidationError

from pipeline.config.register_mapping import Duplicates
from pipeline.grid.grid import GEOD
from pipeline.radio.channel_plan import ChannelPlan, centre_mhz, channels_in_words, segment_of
from pipeline.registers.entries import RegisterEntry
from pipeline.registers.entry_patterns import HORIZONTAL, VERTICAL
from pipeline.registers.transmitter_rows import CENTRE_TOLERANCE_MHZ
from pipeline.rows.foreign_text import RegisterFault
from pipeline.rows.row_models import BAD, FieldFault, RowModel, columns_of, first_fault, taken_cells
from pipeline.rows.text_records import unfit_character

_RANGES = {"greater_than", "greater_than_equal", "less_than", "less_than_equal", "finite_number"}
_ABSENT = {"missing", "string_too_short"}
_PATTERNS = (HORIZONTAL, VERTICAL)
# The least radius of curvature of a meridian, at the equator.
_LEAST_RADIUS_M = 6_335_000.0
# More than this share of a register outside 1 W to 1000 kW: the unit is another one.
_DOUBTFUL_SHARE, _DOUBTFUL_KW = 0.95, (1e-3, 1000.0)


class Target(NamedTuple):
    """A kind of register: the model of its rows, and what they are checked against.

    ``keep_rules``: the same as the model says of whole rows, for columns of good cells.
    """

    name: str
    model: type[RowModel]
    rules: Any
    keep_rules: Callable[[Mapping[str, Sequence[Any]], Any], list[bool]] | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the register, in its order."""
        return columns_of(self.model)


def nearest_channel(plan: ChannelPlan, f_mhz: float) -> int | None:
    """The channel whose centre is within 0.3 MHz; None if there is none."""
    for segment in plan:
        number = segment.first_channel + round((f_mhz - segment.first_centre_mhz) / segment.width_mhz)
        inside = segment.first_channel <= number <= segment.last_channel
        if inside and abs(centre_mhz(segment, number) - f_mhz) <= CENTRE_TOLERANCE_MHZ + 1e-9:
            return number
    return None


def complete_channel(entry: RegisterEntry, plan: ChannelPlan) -> None:
    """Fill in the channel of a frequency, the frequency of a channel, and the bandwidth, from the plan."""
    values = entry.values
    channel, f_mhz = values.get("channel"), values.get("centre_mhz")
    if channel is None and isinstance(f_mhz, float):
        channel = values["channel"] = nearest_channel(plan, f_mhz)
        if channel is None:
            allowed = f"a centre of channels {channels_in_words(plan)}, within {CENTRE_TOLERANCE_MHZ} MHz"
            entry.refuse("centre_mhz", "out_of_plan", "frequency of no channel", allowed)
    segment = segment_of(plan, channel) if isinstance(channel, int) else None
    if segment is None and isinstance(channel, int) and f_mhz is None:
        entry.refuse("channel", "out_of_plan", "channel is not in the plan", channels_in_words(plan))
    if segment is not None and isinstance(channel, int):
        if f_mhz is None:
            values["centre_mhz"] = centre_mhz(segment, channel)
        if values.get("bandwidth_mhz") is None:
            values["bandwidth_mhz"] = segment.width_mhz


def check_entries(entries: Iterable[RegisterEntry], target: Target) -> None:
    """Check every entry that is left as a row of the register; ids are unique among the good ones.

    Numbers and texts are checked by column, and only rows of which one is at fault one by one, for its words.
    """
    checked = list(entries)
    known: set[object] = set()
    names = {*columns_of(target.model)}
    absent = dict.fromkeys(columns_of(target.model, required=True))
    texts = {name for name in absent if target.model.model_fields[name].annotation is str}
    texts |= {
        name for name in absent if name in ("polarisation", "system", "situation", "channels", *_PATTERNS)
    }
    blank: dict[str, object] = {name: "" if name in texts else None for name in absent}
    for entry, good in zip(checked, _good_rows(checked, target, blank), strict=True):
        if not good:
            _check_row(entry, target, names, blank)
        if not entry.written:
            continue
        name = entry.values.get("id")
        if name in known and "id" in names:  # areas have none
            entry.refuse("id", "duplicate_id", "id occurs twice", "a unique id")
        known.add(name)


def _good_rows(entries: Sequence[RegisterEntry], target: Target, blank: Mapping[str, object]) -> list[bool]:
    """Which entries are good by their columns; none where the rules of rows are not known by column."""
    if target.keep_rules is None:
        return [False] * len(entries)
    columns: dict[str, list[Any]] = {}
    good = [True] * len(entries)
    given = set[str]().union(*(entry.values for entry in entries))
    for name in target.columns:
        default = blank[name] if name in blank else target.model.model_fields[name].default
        cells = [default] * len(entries)
        if name in given:
            cells = [default if (cell := entry.values.get(name)) is None else cell for entry in entries]
        taken = taken_cells(target.model, name, cells)
        columns[name] = [taken[cell] for cell in cells]
        if any(value is BAD for value in taken.values()):
            good = [fit and value is not BAD for fit, value in zip(good, columns[name], strict=True)]
    rows = [i for i, fit in enumerate(good) if fit]
    kept = target.keep_rules(
        {name: [cells[i] for i in rows] for name, cells in columns.items()}, target.rules
    )
    for i, keeps in zip(rows, kept, strict=True):
        good[i] = keeps
    return good


def _check_row(
    entry: RegisterEntry, target: Target, names: Collection[str], blank: Mapping[str, object]
) -> None:
    """Check one entry as a row of the register, and note its first fault."""
    given = {name: value for name, value in entry.values.items() if name in names and value is not None}
    _check_texts(entry, given)
    if entry.written:
        try:
            target.model.model_validate({**blank, **given, "row": entry.row}, context=target.rules)
        except ValidationError as error:
            _note(entry, target.model, error)


def _check_texts(entry: RegisterEntry, values: Mapping[str, object]) -> None:
    for name, value in values.items():
        if isinstance(value, str) and not value.isprintable() and (found := unfit_character(value)):
            entry.refuse(name, "bad_value", f"holds the character {found}", "printable text")


def _note(entry: RegisterEntry, model: type[RowModel], error: ValidationError) -> None:
    first = first_fault(model, error)
    shown = "pattern" if first.field == HORIZONTAL else first.field
    entry.refuse(shown, first.reason or _reason(first, entry), first.problem, first.allowed)


def _reason(first: FieldFault, entry: RegisterEntry) -> str:
    if first.field in _PATTERNS:
        return "bad_pattern"
    if first.kind in _ABSENT or entry.values.get(first.field) is None:
        return "missing"
    return "out_of_range" if first.kind in _RANGES else "bad_value"


# --- duplicates ---------------------------------------------------------------------------------------------


def mark_duplicates(entries: Sequence[RegisterEntry], rule: Duplicates) -> None:
    """Drop further entries of a channel at one place, or flag them ``co_sited`` where all are kept.

    Two co-channel entries outside a network at one mast would count as interferers of each other and wipe out
    the coverage that is to be protected.
    """
    by_channel: dict[object, list[RegisterEntry]] = {}
    for entry in entries:
        if entry.written:
            by_channel.setdefault(entry.values.get("channel"), []).append(entry)
    for group in by_channel.values():
        near = _near(group, rule.within_m)
        if rule.keep == "all":
            for i in near:
                group[i].flags.append("co_sited")
            continue
        kept: set[int] = set()
        for i in sorted(near, key=lambda i: _precedence(group[i], i, rule.keep)):
            if kept & near[i]:
                group[i].drop = "duplicate"
            else:
                kept.add(i)


def _precedence(entry: RegisterEntry, i: int, keep: str) -> tuple[float, int]:
    power, since = entry.values.get("erp_kw"), entry.values.get("valid_from")
    if keep == "latest":
        return (-float(str(since).replace("-", "") if since else 0), i)
    return (-float(power) if keep == "max_erp" and isinstance(power, float) else 0.0, i)


def _near(group: Sequence[RegisterEntry], within_m: float) -> dict[int, set[int]]:
    """Entries that have others within a distance, by index, with those others."""
    lon, lat = (np.array([entry.values[name] for entry in group], float) for name in ("lon", "lat"))
    order = np.argsort(lat, kind="stable")
    # Those behind a place, by latitude, that may be near it.
    band_deg = np.degrees(1.01 * within_m / _LEAST_RADIUS_M) + 1e-9
    counts = np.searchsorted(lat[order], lat[order] + band_deg, side="right") - np.arange(lat.size) - 1
    first = np.repeat(np.arange(lat.size), counts)
    behind = np.arange(first.size) - np.repeat(np.cumsum(counts) - counts, counts)
    first, second = order[first], order[first + behind + 1]
    apart_m = GEOD.inv(lon[first], lat[first], lon[second], lat[second])[2]
    near: dict[int, set[int]] = {}
    for i, k in zip(first[apart_m <= within_m].tolist(), second[apart_m <= within_m].tolist(), strict=True):
        near.setdefault(i, set()).add(k)
        near.setdefault(k, set()).add(i)
    return near


# --- powers -------------------------------------------------------------------------------------------------


def flag_doubtful_powers(entries: Sequence[RegisterEntry]) -> str:
    """Flag a register of which nearly all powers are implausible; the other reading in words, or nothing."""
    written = (entry for entry in entries if entry.written)
    powers = [(entry, power) for entry in written if isinstance(power := entry.values["erp_kw"], float)]
    least_kw, most_kw = _DOUBTFUL_KW
    for name, doubtful, reading in (
        ("above 1000 kW", [e for e, kw in powers if kw > most_kw], "are they W, or levels in dBW?"),
        ("below 1 W", [e for e, kw in powers if kw < least_kw], "are they kW, or levels in dBkW?"),
    ):
        if powers and len(doubtful) > _DOUBTFUL_SHARE * len(powers):
            for entry in doubtful:
                entry.flags.append("erp_doubtful")
            return f"{len(doubtful)} of {len(powers)} powers lie {name}: {reading}"
    return ""


def faults_of(entries: Iterable[RegisterEntry]) -> list[RegisterFault]:
    """The faults of entries that are not dropped, in their order."""
    return [entry.fault for entry in entries if entry.fault is not None and not entry.drop]


def finish_transmitters(
    entries: Sequence[RegisterEntry], target: Target, plan: ChannelPlan, duplicates: Duplicates
) -> str:
    """Complete, check and thin out entries of transmitters; what is doubtful of all powers in words."""
    for entry in entries:
        if entry.written:
            complete_channel(entry, plan)
    check_entries((entry for entry in entries if entry.written), target)
    mark_duplicates(entries, duplicates)
    return flag_doubtful_powers(entries)
