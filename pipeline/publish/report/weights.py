"""How much a number whose source was not read weighs: by how many dB a limit moves if it is changed a little.

docs/method.md, section 44. The largest change over devices, modes and offsets, where the number decides the
limit; None where only another run could tell.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.config.config import Config
from pipeline.config.protection import Device
from pipeline.radio.channel_plan import Slice
from pipeline.reference.ratio_tables import ModeKey, ProtectionTables, read_protection_tables
from pipeline.reference.ratios import groups_of, load_of, overload_shift_db, ratio_db, table_range

_Entry = Mapping[str, Any]
# Changes that weights are told for.
STEP_DB, STEP_SHARE = 1.0, 0.1
# Columns that say which row it is, not what number stands in it.
_NUMBERS = ("acs_db", "oth_dbm", "aflr_db", "pr_db", "c_n_db")


class OpenGroup(NamedTuple):
    """Numbers of one kind: ``kind`` a setting (those of devices together) or a quantity of a table.

    ``table`` that they stand in, "" for settings; ``values`` each once; ``weight_db`` for the change of
    STEP_DB, or of STEP_SHARE (``is_share``); None: not computed.
    """

    kind: str
    table: str
    numbers: int
    values: list[str]
    sources: list[str]
    weight_db: float | None
    is_share: bool


def open_groups(config: Config, modes: Sequence[ModeKey], entries: Iterable[_Entry]) -> list[OpenGroup]:
    """Groups of the numbers in the order of their first one; ``modes`` of the register."""
    found: dict[tuple[str, str], list[_Entry]] = {}
    for entry in entries:
        found.setdefault(_kind_of(entry), []).append(entry)
    groups = []
    for (kind, table), own in found.items():
        values = list(dict.fromkeys(_value_of(entry, kind) for entry in own))
        sources = list(dict.fromkeys(str(entry["source"]) for entry in own))
        weight_db = _weight_db(config, modes, kind)
        is_share = kind == _SEPARATION
        groups.append(OpenGroup(kind, table, len(own), values, sources, weight_db, is_share))
    return sorted(groups, key=lambda group: (group.weight_db is None, -(group.weight_db or 0.0)))


_SEPARATION = "devices.min_separation_m"


def _kind_of(entry: _Entry) -> tuple[str, str]:
    """Kind and table: the quantity of a row, else the name of its file; a setting without its number."""
    table, _, row = str(entry["key"]).rpartition(":")
    if not (table and row.isdigit()):
        return ".".join(part for part in str(entry["key"]).split(".") if not part.isdigit()), ""
    value, name = entry["value"], Path(table).name
    quantity = value.get("quantity") or next((column for column in _NUMBERS if column in value), name)
    return str(quantity), name


def _value_of(entry: _Entry, kind: str) -> str:
    """The number itself as text."""
    value = entry["value"]
    if isinstance(value, Mapping):
        return str(value.get("value", value.get(kind, "")))
    return str(value)


def _weight_db(config: Config, modes: Sequence[ModeKey], kind: str) -> float | None:
    if kind == _SEPARATION:
        return max(_separation_db(config, device) for device in config.devices)
    if config.protection.method != "degradation":
        return None
    tables = read_protection_tables(config.protection)
    changed = _changed(tables, kind)
    return None if changed is None else _moved_db(config, modes, tables, changed)


def _changed(tables: ProtectionTables, kind: str) -> ProtectionTables | None:
    """The tables with all numbers of a kind worse by STEP_DB."""
    load = tables.load
    if kind in ("acs_db", "oth_dbm"):
        rows = [
            row._replace(value=row.value - STEP_DB) if row.quantity == kind and not row.verified else row
            for row in tables.ratios
        ]
        return tables._replace(ratios=rows)
    if kind == "aflr_db":
        worse = {
            name: {offset: value_db - STEP_DB for offset, value_db in by_offset.items()}
            for name, by_offset in tables.aflr_db.items()
        }
        return tables._replace(aflr_db=worse)
    if kind == "protection.idle_penalty_db":
        return tables._replace(load=load._replace(penalty_db=load.penalty_db + STEP_DB))
    if kind == "protection.overload_idle_db":
        return tables._replace(load=load._replace(overload_db=load.overload_db + STEP_DB))
    return None


def _moved_db(
    config: Config, modes: Sequence[ModeKey], tables: ProtectionTables, changed: ProtectionTables
) -> float:
    """Largest change of a protection ratio, or of what overload takes, over devices, modes and offsets."""
    moved_db = 0.0
    for device in config.devices:
        loads = [load_of(found, device) for found in (tables, changed)]
        for key in modes:
            first, last = table_range(tables, key, device.emission_class)
            for k in range(first, last + 1):
                for group in groups_of(tables, key):
                    before_db, after_db = (
                        ratio_db(found, group, device.emission_class, k, load=load)
                        for found, load in zip((tables, changed), loads, strict=True)
                    )
                    moved_db = max(moved_db, after_db - before_db)
        moved_db = max(moved_db, _overload_moved_db(device, tables, changed))
    return moved_db


def _overload_moved_db(device: Device, tables: ProtectionTables, changed: ProtectionTables) -> float:
    offsets = {row.offset for row in tables.ratios if row.quantity == "oth_dbm"}
    moved_db = [
        overload_shift_db(changed, device, [Slice(k, 1.0)])
        - overload_shift_db(tables, device, [Slice(k, 1.0)])
        for k in offsets
    ]
    return max((value for value in moved_db if not math.isnan(value)), default=0.0)


def _separation_db(config: Config, device: Device) -> float:
    """Free space on the slope distance from the device to a receiver, which models have within 40 m."""
    rise_m = device.height_m - config.coverage.receiver_height_m
    ends_m = [device.min_separation_m.value * scale for scale in (1.0, 1.0 - STEP_SHARE)]
    far_m, near_m = (math.hypot(distance_m, rise_m) for distance_m in ends_m)
    return 20.0 * math.log10(far_m / near_m)
