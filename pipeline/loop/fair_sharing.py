"""Fair sharing (SM.2405, Annex 6): how much of the spectrum the devices of one owner may have.

The limits of the settings are held against the uses of all devices of an owner, at a place against those
whose receivers a device there reaches as well. A device without owner is a system of its own.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sqlalchemy import ColumnElement, Connection, func, select

from pipeline.config.loop import LoopSharing
from pipeline.files import JsonObject, Output, check_outputs, kind_of_table, write_output_rows
from pipeline.loop.counted import Known, Others
from pipeline.loop.devices import PLACE_STEPS
from pipeline.loop.residual import are_within
from pipeline.loop.served import Served
from pipeline.loop.storage import files_of, open_storage
from pipeline.loop.tables import DEVICE, USE
from pipeline.query.paws import Code, PawsError, Segment

_DAY_S, _HOUR_S, _HZ_PER_MHZ = 86_400, 3600.0, 1e6
_KM2_RADIUS_M = 1000.0 / math.sqrt(math.pi)
_NOISE = 1e-9
_TABLE = ("owner", "region", "mhz_hours", "channels", "devices")


class Allowance(NamedTuple):
    """What a device may still be offered; ``held`` channels that its owner has by other devices.

    ``until_s`` its day's hours are used up (UTC seconds, infinite without such a limit).
    """

    limits: LoopSharing
    held: frozenset[str]
    until_s: float
    is_crowded: bool


def allowance_of(
    served: Served,
    connection: Connection,
    row: JsonObject | None,
    key: str,
    known: Known,
    circle: tuple[float, float, float],
    profile: str,
    now_s: int,
) -> Allowance | None:
    """What an owner may still have around a place (longitude, latitude, radius in m); None: no limits."""
    limits = served.loop.sharing
    if not served.has_shares:
        return None
    owner = None if row is None else row["owner_key"]
    keys = {key} if owner is None else _keys_of(connection, owner)
    others = known.others(key, now_s)
    of_owner = np.zeros(len(others.table.uses), dtype=np.bool_)
    for one in keys - {key}:
        of_owner[list(others.table.of_device.get(one, ()))] = True
    chosen = others.chosen & of_owner
    near = served.residual().near(Others(others.table, chosen), profile, circle)
    around = chosen & are_within(others.table, circle, np.full(chosen.size, _KM2_RADIUS_M))
    crowd = sum(bool(around[list(others.table.of_device.get(one, ()))].any()) for one in keys)
    most = limits.max_devices_per_km2
    return Allowance(
        limits,
        frozenset(use.channel for use in near),
        _until_s(connection, keys, limits, now_s),
        is_crowded=most is not None and crowd + 1 > most + _NOISE,
    )


def _keys_of(connection: Connection, owner: str) -> set[str]:
    found = connection.execute(select(DEVICE.c.device_key).where(DEVICE.c.owner_key == owner))
    return {str(key) for (key,) in found}


def _until_s(connection: Connection, keys: Iterable[str], limits: LoopSharing, now_s: int) -> float:
    """When the hours of the day are used up, if a device is in use from now on."""
    if limits.max_hours_per_day is None:
        return math.inf
    day_s = now_s - now_s % _DAY_S
    end: ColumnElement[int] = func.coalesce(USE.c.ended_at, USE.c.until_at)
    wanted = select(USE.c.from_at, end).where(USE.c.device_key.in_(list(keys)), end > day_s)
    found = connection.execute(wanted)
    spans = sorted((max(from_s, day_s), min(until_s, now_s)) for from_s, until_s in found)
    used_s, at_s = 0, day_s
    for from_s, until_s in spans:
        used_s += max(0, until_s - max(from_s, at_s))
        at_s = max(at_s, until_s)
    left_s = _HOUR_S * limits.max_hours_per_day - used_s
    # Of the next day there are as many hours again.
    return math.inf if now_s + left_s >= day_s + _DAY_S else math.floor(now_s + left_s)


def most_channels(allowance: Allowance, free: int) -> float:
    """How many channels an owner may have where a number of them is free."""
    share = allowance.limits.max_share_of_available
    return math.inf if share is None else max(1, math.floor(share * free + _NOISE))


def fair_segments(allowance: Allowance, segments: Sequence[Segment], free: int) -> tuple[Segment, ...]:
    """Those of the channels offered that an owner may have: what it has, then those of the highest levels.

    ``free``: how many there were before any was left out.
    """
    if allowance.is_crowded:
        return ()
    most = most_channels(allowance, free)
    used = [one for one in segments if str(one.channel) in allowance.held]
    kept, channels = list(used), set(allowance.held)
    widths_hz = {str(one.channel): one.stop_hz - one.start_hz for one in segments}
    total_hz = sum(widths_hz.get(channel, _usual_hz(segments)) for channel in channels)
    most_hz = _HZ_PER_MHZ * (allowance.limits.max_bandwidth_mhz or math.inf)
    for one in sorted(segments, key=lambda one: -one.limit_dbm):
        name = str(one.channel)
        if name in channels:
            continue
        if len(channels) + 1 > most or total_hz + widths_hz[name] > most_hz + 1.0:
            break
        channels.add(name)
        total_hz += widths_hz[name]
        kept.append(one)
    return tuple(sorted(kept, key=lambda one: one.start_hz))


def _usual_hz(segments: Sequence[Segment]) -> float:
    """Width of a channel that an owner has, though it is not free here."""
    return max((one.stop_hz - one.start_hz for one in segments), default=0.0)


def refuse_more(
    allowance: Allowance | None, segments: Sequence[Segment], free: int, used: Sequence[Segment]
) -> None:
    """INVALID_VALUE for a use beyond what is the owner's fair share, as others of its devices used it."""
    if allowance is not None:
        kept = {one.channel for one in fair_segments(allowance, segments, free)}
        if not all(one.channel in kept for one in used):
            raise PawsError(Code.INVALID_VALUE, "SHARE: the owner has its share: ask again")


# --- shares -------------------------------------------------------------------------------------------------


def shares_command(out: Path, db: str) -> None:
    """Write what each owner has had, by region (a tenth of a degree)."""
    check_outputs([Output("--out", out, kind_of_table(*_TABLE))], files_of(db))
    wanted = select(USE, DEVICE.c.owner_key).outerjoin(DEVICE, DEVICE.c.device_key == USE.c.device_key)
    found: dict[tuple[str, str], tuple[float, set[str], set[str]]] = {}
    with open_storage(db).connect() as connection:
        now_s = int(time.time())
        for use in connection.execute(wanted):
            until_s = use.ended_at or min(use.until_at, now_s)
            hours = max(0, until_s - use.from_at) / _HOUR_S
            mhz_hours = hours * (use.stop_hz - use.start_hz) / _HZ_PER_MHZ
            place = (use.owner_key or use.device_key, _region(use.lon_e7, use.lat_e7))
            before, channels, devices = found.get(place, (0.0, set(), set()))
            found[place] = (before + mhz_hours, channels | {use.channel}, devices | {use.device_key})
    write_output_rows(
        out,
        _TABLE,
        (
            (*place, f"{mhz_hours:.2f}", ";".join(sorted(channels)), len(devices))
            for place, (mhz_hours, channels, devices) in sorted(found.items())
        ),
    )


def _region(lon_e7: int, lat_e7: int) -> str:
    """South-west corner of a tenth of a degree."""
    return " ".join(f"{math.floor(10.0 * one / PLACE_STEPS) / 10.0:.1f}" for one in (lat_e7, lon_e7))
