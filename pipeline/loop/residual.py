"""Devices together: what the uses that count leave to one more (docs/server.md).

A device with the e.i.r.p. P takes the share P / L of what receivers allow, where L is what they allow to
it alone. L is the least over all receivers of one DTT channel and group, so the shares of several devices
are at most those of the one receiver that they harm most: as long as they add up to no more than 1, the
sum at every receiver is within what one device alone may cause. Without the maps by receivers, L is the
limit of the run in the channel, the least of all, and the share counts for every receiver.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.grid.grid import GEOD
from pipeline.loop.counted import CountedUse, Others, UseTable
from pipeline.loop.victim_limits import ReceiverGroup, VictimLimits
from pipeline.quantise import NODATA_CENTI, NOT_EVALUATED, NOT_PERMITTED
from pipeline.query.database import Database, QueryLocation, location_of, lowest_raw, lowest_raw_at_home
from pipeline.query.profiles import channel_entries
from pipeline.query.query import Found

_CENTI = 100.0
# Noise of the arithmetic with shares and levels.
_NOISE = 1e-9
_NOISE_CENTI = 1e-6
_MOST_KNOWN = 100_000
_FULL = 1.0 + 1e-6
# Distances on a sphere of this radius are wrong by less than this part.
_MEAN_RADIUS_M, _FLATTENED = 6_371_000.0, 0.006


class Share(NamedTuple):
    """What a use takes: of each receiver that has a limit, and of all of them (``of_all``)."""

    of_all: float
    by_receivers: Mapping[ReceiverGroup, float]


class _Stored(NamedTuple):
    """A share as it is kept: receivers by number."""

    of_all: float
    receivers: NDArray[np.intp]
    parts: NDArray[np.float64]


class Residual:
    """What is left at places of an open run; shares of uses are kept by the number of the use."""

    def __init__(self, database: Database, limits: VictimLimits | None, share: float = 1.0) -> None:
        """``limits`` None: from the run alone, whose bookings each device keeps off by itself.

        ``share``: this database's part of what devices together may cause.
        """
        self._whole = share
        self._database = database.base or database
        self._limits = limits
        self._known: OrderedDict[int, _Stored] = OrderedDict()
        self._numbers: dict[ReceiverGroup, int] = {}
        self._table: UseTable | None = None
        self._shares = np.zeros(0)
        self._channels = {
            str(entry["id"]): {str(one["channel"]) for one in channel_entries(database.facts, entry)}
            for entry in database.facts["devices"]
        }

    def _stored(self, use: CountedUse) -> _Stored:
        found = self._known.get(use.use_id)
        if found is None:
            of_all, by_receivers = self._share_of(use)
            numbers = [self._numbers.setdefault(key, len(self._numbers)) for key in by_receivers]
            found = _Stored(
                of_all, np.array(numbers, dtype=np.intp), np.array(list(by_receivers.values()), dtype=float)
            )
            self._known[use.use_id] = found
            if len(self._known) > _MOST_KNOWN:
                self._known.popitem(last=False)
        return found

    def _taken(self, uses: Sequence[CountedUse]) -> Share:
        """The shares of uses together."""
        stored = [self._stored(use) for use in uses]
        of_all = math.fsum(one.of_all for one in stored)
        numbers = np.concatenate([np.zeros(0, dtype=np.intp), *(one.receivers for one in stored)])
        parts = np.concatenate([np.zeros(0), *(one.parts for one in stored)])
        sums = np.bincount(numbers, parts, minlength=len(self._numbers)).tolist()
        return Share(of_all, dict(zip(self._numbers, sums, strict=True)))

    def _taken_near(self, found: Found, others: Others) -> Share | None:
        """The shares of the uses that count at a place; None where there are none."""
        if self._limits is None:  # every use counts everywhere
            shares = self._of_all(others.table)[others.chosen]
            return Share(float(shares.sum()), {}) if shares.size else None
        location, profile = found.location, str(found.layers[-1]["id"])
        near = self.near(others, profile, (location.lon_deg, location.lat_deg, found.radius_m))
        return self._taken(near) if near else None

    def _of_all(self, table: UseTable) -> NDArray[np.float64]:
        """Shares of the uses of a table of all receivers, added up once for each table."""
        if self._table is not table:
            self._table = table
            self._shares = np.array([self._stored(use).of_all for use in table.uses], dtype=np.float64)
        return self._shares

    def _knows(self, layers: Iterable[str], channel: str) -> bool:
        """Whether the run has the devices and the channel of a use: one before it may have had others."""
        return all(channel in self._channels.get(layer, ()) for layer in layers)

    def _share_of(self, use: CountedUse) -> Share:
        if not self._knows(use.layers, use.channel):
            return Share(math.inf, {})
        location = location_of(self._database, use.lon_deg, use.lat_deg)
        eirp_dbm = use.eirp_cdbm / _CENTI
        limits = self._limits_of(use.layers, use.channel, location, use.radius_m)
        if limits is not None:
            return Share(0.0, {key: _ratio(eirp_dbm - dbm) for key, dbm in limits.items()})
        levels = [self._run_level(layer, use, location) for layer in use.layers]
        if min(levels) <= NOT_EVALUATED:
            return Share(math.inf, {})
        return Share(_ratio(eirp_dbm - min(levels) / _CENTI), {})

    def _run_level(self, layer: str, use: CountedUse, location: QueryLocation) -> int:
        """Raw level of the run in the channel of a use; of a slave that may be abroad too, at home."""
        facts = self._database.facts
        profile = next(entry for entry in facts["devices"] if entry["id"] == layer)
        raw = lowest_raw(self._database, profile, location, use.radius_m)
        if raw.max() == NODATA_CENTI:
            raw = lowest_raw_at_home(self._database, profile, location, use.radius_m)
        channels = [str(one["channel"]) for one in channel_entries(facts, profile)]
        return int(raw[channels.index(use.channel)])

    def near(self, others: Others, profile: str, place: tuple[float, float, float]) -> Sequence[CountedUse]:
        """The uses whose receivers a device at (longitude, latitude, radius in m) may reach as well."""
        table, chosen = others
        if self._limits is not None and chosen.any():
            knows = [self._knows(*kind) for kind in table.kinds]
            reach_m = [
                self._limits.reach_m(layers[-1]) if known else math.inf
                for (layers, _), known in zip(table.kinds, knows, strict=True)
            ]
            both_m = np.array(reach_m)[table.kind] + table.radius_m + self._limits.reach_m(profile) + place[2]
            chosen = chosen & are_within(table, place, both_m)
        return [table.uses[k] for k in np.flatnonzero(chosen).tolist()]

    def left(self, found: Found, others: Others) -> Found:
        """What was found, no channel above what the uses leave."""
        taken = self._taken_near(found, others)
        if taken is None and self._whole == 1.0:
            return found
        taken = taken or Share(0.0, {})
        raw = [
            self._left_in(found, str(entry["channel"]), level, taken)
            for entry, level in zip(found.entries, found.raw.tolist(), strict=True)
        ]
        return found._replace(raw=np.array(raw, dtype=np.int16))

    def _left_in(self, found: Found, channel: str, level: int, taken: Share) -> int:
        """Raw level of a channel: what the run permits, less what is taken from the receivers it concerns."""
        if level <= NOT_EVALUATED:
            return level
        layers = [str(layer["id"]) for layer in found.layers]
        limits = self._limits_of(layers, channel, found.location, found.radius_m)
        if limits is None:
            part = taken.of_all + max(taken.by_receivers.values(), default=0.0)
            return self._lowered(level, level / _CENTI, part)
        lowest = level
        for key, limit_dbm in limits.items():
            part = taken.of_all + taken.by_receivers.get(key, 0.0)
            lowest = min(lowest, self._lowered(level, limit_dbm, part))
        return lowest

    def _limits_of(
        self, layers: Iterable[str], channel: str, location: QueryLocation, radius_m: float
    ) -> dict[ReceiverGroup, float] | None:
        """The least limit by receivers over all layers that answer; None without maps by receivers."""
        if self._limits is None:
            return None
        lowest: dict[ReceiverGroup, float] = {}
        for layer in layers:
            limits = self._limits.at(layer, channel, location, radius_m)
            if limits is None:
                return None
            for key, dbm in limits.items():
                lowest[key] = min(dbm, lowest.get(key, math.inf))
        return lowest

    def fits(self, new: Sequence[CountedUse], others: Others) -> bool:
        """Whether a device's uses and those of others are together within what one device may cause."""
        first = new[0]
        near = self.near(others, first.layers[-1], (first.lon_deg, first.lat_deg, first.radius_m))
        if not near and self._whole == 1.0:
            return True
        full = self._whole * _FULL
        taken = self._taken(near)
        more = _sum_of([self._share_of(use) for use in new])
        if more.of_all > 0.0:
            return taken.of_all + max(taken.by_receivers.values(), default=0.0) + more.of_all <= full
        return all(
            taken.of_all + taken.by_receivers.get(key, 0.0) + part <= full
            for key, part in more.by_receivers.items()
        )

    def in_the_way(self, found: Found, channel: str, others: Others) -> list[CountedUse]:
        """The uses that take something of what receivers of a channel allow at a place."""
        location, layers = found.location, [str(layer["id"]) for layer in found.layers]
        near = self.near(others, layers[-1], (location.lon_deg, location.lat_deg, found.radius_m))
        limits = self._limits_of(layers, channel, location, found.radius_m)
        wanted = (
            None if limits is None else {self._numbers.setdefault(key, len(self._numbers)) for key in limits}
        )
        return [
            use
            for use in near
            for stored in [self._stored(use)]
            if wanted is None or stored.of_all > 0.0 or wanted & set(stored.receivers.tolist())
        ]

    def _lowered(self, level: int, limit_dbm: float, part: float) -> int:
        """A raw level below what is left of a limit of which a part is taken, rounded down."""
        left = self._whole - part
        if left >= 1.0:
            return level
        if left <= _NOISE:
            return NOT_PERMITTED
        centi = math.floor(_CENTI * (limit_dbm + 10.0 * math.log10(left)) + _NOISE_CENTI)
        return max(min(level, centi), NOT_PERMITTED)


def are_within(
    table: UseTable, place: tuple[float, float, float], reach_m: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Which uses are within a distance of a place; exact only where a sphere does not tell."""
    lon_deg, lat_deg, _ = place
    lon, lat, own_lat = np.radians(table.lon_deg - lon_deg), np.radians(table.lat_deg), math.radians(lat_deg)
    half = np.sin((lat - own_lat) / 2.0) ** 2 + np.cos(lat) * math.cos(own_lat) * np.sin(lon / 2.0) ** 2
    apart_m = 2.0 * _MEAN_RADIUS_M * np.arcsin(np.sqrt(np.minimum(half, 1.0)))
    within = apart_m * (1.0 - _FLATTENED) <= reach_m
    unsure = np.flatnonzero(within & (apart_m * (1.0 + _FLATTENED) > reach_m))
    if unsure.size:
        own = (np.full(unsure.size, lon_deg), np.full(unsure.size, lat_deg))
        _, _, exact_m = GEOD.inv(*own, table.lon_deg[unsure], table.lat_deg[unsure])
        within[unsure] = exact_m <= reach_m[unsure]
    return within


def _ratio(db: float) -> float:
    return float(10.0 ** (db / 10.0))


def _sum_of(shares: Sequence[Share]) -> Share:
    total: dict[ReceiverGroup, float] = {}
    for share in shares:
        for key, part in share.by_receivers.items():
            total[key] = total.get(key, 0.0) + part
    return Share(math.fsum(share.of_all for share in shares), total)
