"""The cautious choices behind a number of channels: settings that an administration may know better.

Each is the territory with one setting the other way. The job ``choices`` counts from the stored maps what it
costs in channels, ``channelmaps sensitivity`` computes it anew; docs/method.md, section 33.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from pipeline.config.config import Config
from pipeline.config.protection import MANDATORY_OFFSETS, Device
from pipeline.dtt.calibration import calibration_of, read_calibration
from pipeline.radio.emission import least_eirp_dbm
from pipeline.reference.limiting_channels import with_all_offsets
from pipeline.reference.ratio_tables import Ratio, ratios_in_use, read_protection_tables, read_ratios
from pipeline.reference.ratios import group_name, groups_of, largest_overload_shift_db, largest_shift_db
from pipeline.shipped import TABLES

CAUTIOUS = TABLES / "protection_ratios_cautious.csv"
"""The table beside which reports show the ratios of a run."""
NO_LEAST_DBM = -99.0
_RATIOS = ("acs_db", "pr_db")


class Choice(NamedTuple):
    """One setting as it is and the other way.

    ``key`` of the territory file, ``now`` and ``otherwise`` its values in words, ``words`` what it decides,
    ``set_by`` the lines that set it so; ``config`` the territory with the other value; ``verified`` whether
    the numbers behind the present value were read in a source. ``stations``: services other than television
    change too; ``more_db``: what the permissible level rises by at most where only new maps could tell;
    ``own_run``: nothing but a run of the territory tells.
    """

    key: str
    now: str
    otherwise: str
    words: str
    set_by: str
    config: Config
    verified: bool
    stations: bool = False
    more_db: float = 0.0
    own_run: bool = False


def choices_of(config: Config, device: Device) -> list[Choice]:
    """The choices of the territory's method of protection, then those of the device and of other services."""
    by_method = {"degradation": _of_degradation, "threshold": _of_threshold}
    found = list(by_method[config.protection.method](config, device)) if _protects(config) else []
    return [*found, _least(config, device), *_leakage(config)]


def _protects(config: Config) -> bool:
    """Whether television is looked at, by a method that has choices."""
    evaluated = [name for name in ("dtt", "foreign_dtt") if config.services[name].evaluated]
    return bool(evaluated) and config.protection.method != "separation"


# --- television ---------------------------------------------------------------------------------------------


def _of_degradation(config: Config, device: Device) -> Iterator[Choice]:
    yield _offsets(config)
    yield _beyond(config)
    yield _load(config, device)
    yield _idle_on(config)
    yield _overload(config)
    yield _ratios(config)
    yield _calibration(config, device)
    if config.terrain.dem:
        yield _heights(config)


def _offsets(config: Config) -> Choice:
    few = "offsets -3 to +3 and +9"
    words = "how far away television channels are protected by their ratio"
    if config.protection.offsets is None:
        listed = ", ".join(map(str, MANDATORY_OFFSETS))
        other = with_values(config, "protection", offsets=list(MANDATORY_OFFSETS))
        used = [row for row in _rows(config) if row.offset not in MANDATORY_OFFSETS]
        set_by = f"protection: {{offsets: [{listed}]}}"
        return Choice("protection.offsets", "all rows", few, words, set_by, other, _are_verified(used))
    other = with_all_offsets(config)
    now = few if set(config.protection.offsets) == set(MANDATORY_OFFSETS) else "a list"
    set_by = "protection: {offsets: null}"
    return Choice("protection.offsets", now, "all rows", words, set_by, other, _are_verified(_rows(config)))


def _beyond(config: Config) -> Choice:
    now = config.protection.beyond_table
    other = "last_row" if now == "none" else "none"
    rows = _rows(config)
    outermost = {min((row.offset for row in rows), default=0), max((row.offset for row in rows), default=0)}
    return Choice(
        "protection.beyond_table",
        now,
        other,
        "whether television beyond the outermost row of the table is protected",
        f"protection: {{beyond_table: {other}}}",
        with_values(config, "protection", beyond_table=other),
        _are_verified([row for row in rows if row.offset in outermost]),
    )


def _load(config: Config, device: Device) -> Choice:
    now = device.load or config.protection.load
    other = "loaded" if now == "idle" else "idle"
    return Choice(
        "protection.load",
        now,
        other,
        "whether devices count as idle, sending short bursts that upset receivers more",
        f"protection: {{load: {other}}}",
        with_device(config, device, load=other),
        _penalty_verified(config, device),
    )


def _idle_on(config: Config) -> Choice:
    now = config.protection.idle_on
    other = "ratio" if now == "selectivity" else "selectivity"
    return Choice(
        "protection.idle_on",
        now,
        other,
        "what the bursts of idle devices weaken: the receiver's selectivity, or the whole ratio",
        f"protection: {{idle_on: {other}}}",
        with_values(config, "protection", idle_on=other),
        False,
    )


def _overload(config: Config) -> Choice:
    now = config.protection.overload
    other = "none" if now == "rows" else "rows"
    rows = [row for row in read_ratios(config.protection.ratios) if row.quantity == "oth_dbm"]
    return Choice(
        "protection.overload",
        now,
        other,
        "whether strong devices may overload receivers near by on any channel",
        f"protection: {{overload: {other}}}",
        with_values(config, "protection", overload=other),
        _are_verified(rows) and config.protection.overload_idle_db.verified,
    )


def _ratios(config: Config) -> Choice:
    now = config.protection.ratios
    other = CAUTIOUS if now != CAUTIOUS else TABLES / "protection_ratios.csv"
    return Choice(
        "protection.ratios",
        now.name,
        "the cautious table" if other == CAUTIOUS else other.name,
        "how well receivers tell channels apart: the table of ratios",
        f"protection: {{ratios: configs/tables/{other.name}}}",
        with_ratios(config, other),
        _are_verified(_rows(config)),
    )


def _calibration(config: Config, device: Device) -> Choice:
    now = config.protection.fw_calibration
    other = "off" if now != "off" else "table"
    found = with_values(config, "protection", fw_calibration=other)
    largest_db = _largest_calibration_db(config if now != "off" else found, device)
    return Choice(
        "protection.fw_calibration",
        now,
        other,
        "what is taken off because the sum of interferers is approximated",
        f"protection: {{fw_calibration: {other if other == 'table' else repr(other)}}}",
        found,
        read_calibration(config.protection.fw_table).verified,
        more_db=largest_db if now != "off" else -largest_db,
    )


def _heights(config: Config) -> Choice:
    return Choice(
        "terrain.dem",
        "by direction and distance",
        "flat paths",
        "effective heights of devices on hills, which reach farther than on a plain",
        "terrain: {dem: null}, which takes those of stations too",
        with_values(config, "terrain", dem=None),
        True,
        own_run=True,
    )


def _of_threshold(config: Config, device: Device) -> Iterator[Choice]:
    settings = config.protection.threshold
    beside, given = settings.offsets, settings.field_dbuvm
    other = [0] if set(beside) != {0} else [-1, 0, 1]
    yield Choice(
        "protection.threshold.offsets",
        _in_words(beside),
        _in_words(other),
        "which channels beside an occupied one are closed",
        f"protection: {{threshold: {{offsets: {other}}}}}",
        with_values(config, "protection", threshold=settings.model_copy(update={"offsets": other})),
        given is not None and given.verified,
    )


def _in_words(offsets: Sequence[int]) -> str:
    return "its own only" if set(offsets) == {0} else f"offsets {', '.join(map(str, sorted(offsets)))}"


# --- devices and other services -----------------------------------------------------------------------------


def _least(config: Config, device: Device) -> Choice:
    now_dbm = least_eirp_dbm(device)
    ruled = now_dbm > NO_LEAST_DBM
    return Choice(
        "devices.min_eirp_dbm",
        f"at least {now_dbm:g} dBm" if ruled else "none",
        "none" if ruled else "by the rule",
        "power below which a device cannot transmit: a channel that allows less is refused",
        f"devices: - {{id: {device.id}, min_eirp_dbm: {f'{NO_LEAST_DBM:g}' if ruled else 'null'}}}",
        with_device(config, device, min_eirp_dbm=NO_LEAST_DBM if ruled else None),
        True,
    )


def _leakage(config: Config) -> Iterator[Choice]:
    incumbents = config.incumbents
    if incumbents is None:
        return
    floors = incumbents.leakage_floor
    general_dbm = incumbents.leakage_floor_dbm_per_100khz.value
    highest_dbm = max((floor.dbm_per_100khz for floor in floors), default=general_dbm)
    everywhere = f"at {general_dbm:g} dBm everywhere"
    standard = type(incumbents).model_fields["leakage_floor"].get_default()
    yield Choice(
        "incumbents.leakage_floor",
        f"up to {highest_dbm:g} dBm in 100 kHz" if floors else everywhere,
        everywhere if floors else "higher outside 470-790 MHz",
        "leakage that a device keeps however low its power, towards other services",
        "incumbents: {leakage_floor: []}" if floors else "incumbents: without leakage_floor",
        with_values(config, "incumbents", leakage_floor=[] if floors else standard),
        all(floor.verified for floor in floors) and incumbents.leakage_floor_dbm_per_100khz.verified,
        stations=True,
    )


# --- the territory with something changed -------------------------------------------------------------------


def with_values(config: Config, section: str, **values: object) -> Config:
    """The settings with values of one section changed; the file they came from is kept for messages."""
    return config.model_copy(update={section: getattr(config, section).model_copy(update=values)})


def with_device(config: Config, device: Device, **values: object) -> Config:
    """The settings with values of one device changed."""
    devices = [each.model_copy(update=values) if each.id == device.id else each for each in config.devices]
    return config.model_copy(update={"devices": devices})


def with_ratios(config: Config, path: Path) -> Config:
    """The settings with another table of protection ratios."""
    return with_values(config, "protection", ratios=path)


def device_of(config: Config, device: Device) -> Device:
    """The device of the same id in other settings."""
    (found,) = [each for each in config.devices if each.id == device.id]
    return found


# --- stored maps --------------------------------------------------------------------------------------------


def maps_hold(
    config: Config, choice: Choice, device: Device, names: Collection[str], width_mhz: float
) -> bool:
    """Whether the maps that were stored under these settings tell the limits of a choice exactly.

    A map knows no limit above the cap plus the largest ratio that was in use when it was made, and no groups
    of victims but its own (``names``).
    """
    tables, other = (read_protection_tables(found.protection) for found in (config, choice.config))
    changed_device = device_of(choice.config, device)
    groups = {group_name(group): group for key in tables.modes for group in groups_of(tables, key)}
    others = {group_name(group): group for key in other.modes for group in groups_of(other, key)}
    for name in set(names) & set(groups):
        if name not in others or (
            largest_shift_db(other, [others[name]], changed_device, width_mhz)
            > largest_shift_db(tables, [groups[name]], device, width_mhz)
        ):
            return False
    overload_db = largest_overload_shift_db(other, changed_device)
    return math.isnan(overload_db) or overload_db <= largest_overload_shift_db(tables, device)


def _rows(config: Config) -> list[Ratio]:
    return [row for row in ratios_in_use(config.protection) if row.quantity in _RATIOS]


def _are_verified(rows: Sequence[Ratio]) -> bool:
    return all(row.verified for row in rows)


def _penalty_verified(config: Config, device: Device) -> bool:
    own = device.idle_penalty_db or config.protection.idle_penalty_db
    return own.verified


def _largest_calibration_db(config: Config, device: Device) -> float:
    protection = config.protection
    return max(
        float(calibration_of(config, device, sigma_db).c_db.max())
        for sigma_db in (protection.near_sigma_db, protection.far_sigma_db)
    )
