"""What answers depend on, in memory until the database changes: orders to stop, the uses that count.

Every transaction that may change an answer leaves a mark (`storage.writing`), whatever program wrote it. One
statement reads the mark together with the row of the device that asks; only after a change are orders and
uses read anew, of uses those that are new or ended.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, bindparam, func, select

from pipeline.files import JsonObject
from pipeline.loop.devices import PLACE_STEPS
from pipeline.loop.storage import CHANGES, QuickReads
from pipeline.loop.tables import DEVICE, META, USE
from pipeline.loop.uses import COUNTED, GRANTED
from pipeline.loop.withdrawals import Order, TimedOrder, orders_not_restored

# Of a device without one: levels of the register go to 99.
LOWEST_LEVEL = 100
_MOST_ROWS = 50_000
# More new uses than this are not looked up one by one.
_MANY = 500
# Made once, as they are asked at every request.
_MARK_AND_DEVICE = (
    select(META.c.value.label("mark"), DEVICE)
    .select_from(META.outerjoin(DEVICE, DEVICE.c.device_key == bindparam("key")))
    .where(META.c.name == CHANGES)
)
_COUNTED = select(USE.c.id, USE.c.until_at).where(USE.c.state.in_(COUNTED))
# What is granted makes no room; a device without a level has the lowest.
_LEVELS = (
    select(USE.c.id, func.coalesce(DEVICE.c.priority, LOWEST_LEVEL))
    .outerjoin(DEVICE, DEVICE.c.device_key == USE.c.device_key)
    .where(USE.c.state.in_(COUNTED), USE.c.state != GRANTED)
)
COUNTED_COLUMNS = (
    USE.c.id,
    USE.c.device_key,
    USE.c.layers,
    USE.c.channel,
    USE.c.eirp_cdbm,
    USE.c.lon_e7,
    USE.c.lat_e7,
    USE.c.radius_m,
)
"""What :func:`counted_use` takes of a row."""
_USES = select(*COUNTED_COLUMNS)


class CountedUse(NamedTuple):
    """A use that counts, in one channel; ``layers`` of the maps that its limit is the least of."""

    use_id: int
    layers: tuple[str, ...]
    channel: str
    eirp_cdbm: int
    lon_deg: float
    lat_deg: float
    radius_m: float


class UseTable(NamedTuple):
    """The uses that count and, in their order, what is looked for among them.

    ``kinds`` (layers, channel) that occur, ``kind`` of each use its index; ``level`` of each that may have to
    make room (the larger the number, the sooner), of others 0; ``of_device`` indices of the uses of a device.
    """

    uses: Sequence[CountedUse]
    until_s: NDArray[np.int64]
    lon_deg: NDArray[np.float64]
    lat_deg: NDArray[np.float64]
    radius_m: NDArray[np.float64]
    kinds: Sequence[tuple[tuple[str, ...], str]]
    kind: NDArray[np.intp]
    level: NDArray[np.float64]
    of_device: Mapping[str, Sequence[int]]


class Others(NamedTuple):
    """The uses of a table that count beside those of a device at an instant (``chosen`` of its rows)."""

    table: UseTable
    chosen: NDArray[np.bool_]


def use_table(
    uses: Mapping[int, tuple[str, CountedUse]],
    until_s: Mapping[int, int],
    level: Mapping[int, float] | None = None,
) -> UseTable:
    """A table of uses by number: the device of each, its end in UTC seconds, its level if there are any."""
    level = level or {}
    listed = [use for _, use in uses.values()]
    kinds: dict[tuple[tuple[str, ...], str], int] = {}
    kind = [kinds.setdefault((use.layers, use.channel), len(kinds)) for use in listed]
    of_device: dict[str, list[int]] = {}
    for index, (device_key, _) in enumerate(uses.values()):
        of_device.setdefault(device_key, []).append(index)
    return UseTable(
        uses=listed,
        until_s=np.array([until_s[use_id] for use_id in uses], dtype=np.int64),
        lon_deg=np.array([use.lon_deg for use in listed], dtype=np.float64),
        lat_deg=np.array([use.lat_deg for use in listed], dtype=np.float64),
        radius_m=np.array([use.radius_m for use in listed], dtype=np.float64),
        kinds=list(kinds),
        kind=np.array(kind, dtype=np.intp),
        level=np.array([level.get(use_id, 0.0) for use_id in uses], dtype=np.float64),
        of_device=of_device,
    )


class Known(NamedTuple):
    """Orders and uses as of one ``mark`` of the database; ``uses`` by number, with their devices.

    ``rows`` of devices that have asked since, by key.
    """

    mark: str | None
    orders: Sequence[TimedOrder]
    uses: Mapping[int, tuple[str, CountedUse]]
    table: UseTable
    rows: dict[str, JsonObject | None]

    def orders_at(self, now_s: int) -> list[Order]:
        """The orders that hold at an instant."""
        return [one.order for one in self.orders if one.order.from_s <= now_s < one.until_s]

    def others(self, without_key: str, now_s: int) -> Others:
        """The uses that count at an instant, but those of one device."""
        if not self.table.uses:
            return Others(self.table, np.zeros(0, dtype=np.bool_))
        chosen = self.table.until_s > now_s
        chosen[list(self.table.of_device.get(without_key, ()))] = False
        return Others(self.table, chosen)


class Counted:
    """What is known as of the latest change that was read; for several threads.

    Each asks what it was given itself: one that reads an older state of the database may come between.
    """

    def __init__(self, *, with_levels: bool = False) -> None:
        """Nothing is known yet; ``with_levels``: of uses the levels too."""
        self._with_levels = with_levels
        self._lock = Lock()
        self._latest = Known(None, (), {}, use_table({}, {}), {})

    def device(self, connection: Connection, device_key: str) -> tuple[JsonObject | None, Known]:
        """The row of a device, None where it was never seen, and what is known in its transaction.

        In a transaction that writes: before it does.
        """
        row = dict(connection.execute(_MARK_AND_DEVICE, {"key": device_key}).mappings().one())
        mark, known = row.pop("mark"), self._latest
        if mark != known.mark:
            with self._lock:
                known = self._latest = self._read(connection, mark)
        found = row if row["device_key"] is not None else None
        self._keep(known, device_key, found)
        return found, known

    def at_once(self, quick: QuickReads, device_key: str) -> tuple[JsonObject | None, Known] | None:
        """The same where nothing has changed since orders and uses were read; else None."""
        mark, known = quick.mark(), self._latest
        if mark is None or mark != known.mark:
            return None
        kept = known.rows.get(device_key, known)  # None is a device that was never seen
        if kept is not known:
            return cast(JsonObject | None, kept), known
        mark, row = quick.mark_and_device(device_key)
        if mark != known.mark:
            return None
        self._keep(known, device_key, row)
        return row, known

    def _keep(self, known: Known, device_key: str, row: JsonObject | None) -> None:
        if len(known.rows) >= _MOST_ROWS:
            known.rows.clear()
        known.rows[device_key] = row

    def _read(self, connection: Connection, mark: str) -> Known:
        orders, before = orders_not_restored(connection), self._latest.uses
        until_s: dict[int, int] = {}
        for use_id, end_s in connection.execute(_COUNTED):
            until_s[use_id] = end_s
        wanted = _USES.where(USE.c.state.in_(COUNTED))
        new = [use_id for use_id in until_s if use_id not in before]
        if len(new) <= _MANY:
            wanted = _USES.where(USE.c.id.in_(new))
        rows = connection.execute(wanted) if new else ()
        read = {row.id: (row.device_key, counted_use(row)) for row in rows}
        found = {**before, **read}
        # One that has ended since its number was read is not found any more.
        uses = {use_id: found[use_id] for use_id in until_s if use_id in found}
        level = dict(connection.execute(_LEVELS).tuples().all()) if self._with_levels else {}
        return Known(mark, orders, uses, use_table(uses, until_s, level), {})


def counted_use(row: Any) -> CountedUse:  # noqa: ANN401 - a row of the table
    """A use from its row."""
    place = (row.lon_e7 / PLACE_STEPS, row.lat_e7 / PLACE_STEPS, row.radius_m)
    return CountedUse(row.id, tuple(row.layers), row.channel, row.eirp_cdbm, *place)
