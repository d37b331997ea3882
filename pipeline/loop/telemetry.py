"""What masters tell of the traffic of their terminals (SM.2405, Annex 7): kept, reported, never a limit.

`POST /v1/telemetry`: a list of objects (JSON), or the same columns as CSV, of up to an hour each. The same
period of a device again takes the place of what was told before.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator
from sqlalchemy import Connection, delete, func, insert, select

from pipeline.config.base import UtcInstant
from pipeline.files import JsonObject
from pipeline.loop.devices import device_named
from pipeline.loop.tables import OFFER, TELEMETRY, USE
from pipeline.query.paws import instant_s

_HOUR_S, _MOST_ROWS = 3600, 1000
_Count = Annotated[int, Field(ge=0, le=2**62)]
_NEEDED = ("device", "from", "until")
_NUMBERS = ("bytes_up", "bytes_down", "sessions", "snr_db", "retries_pct", "outage_s")


class TelemetryEntry(BaseModel):
    """A device's traffic in a period: id of the register or key, UTC instants, numbers that may be absent."""

    model_config = ConfigDict(extra="forbid")
    device: Annotated[str, Field(min_length=1, max_length=64)]
    since: Annotated[UtcInstant, Field(alias="from")]
    until: UtcInstant
    bytes_up: _Count | None = None
    bytes_down: _Count | None = None
    sessions: _Count | None = None
    snr_db: Annotated[float, Field(ge=-100, le=200)] | None = None
    retries_pct: Annotated[float, Field(ge=0, le=100)] | None = None
    outage_s: Annotated[float, Field(ge=0, le=_HOUR_S)] | None = None

    @model_validator(mode="after")
    def _of_an_hour(self) -> TelemetryEntry:
        if not 0 < self.length_s() <= _HOUR_S:
            raise ValueError("until is not after from by an hour at most")
        return self

    def length_s(self) -> int:
        """Seconds of the period."""
        return instant_s(self.until) - instant_s(self.since)


class Untold(Exception):
    """Entries that are not taken: an HTTP status, and why."""

    def __init__(self, status: int, why: object) -> None:
        self.status = status
        self.why = why
        super().__init__(str(why))


_ENTRIES = TypeAdapter(Annotated[list[TelemetryEntry], Field(max_length=_MOST_ROWS)])


def read_entries(body: bytes, content_type: str) -> list[TelemetryEntry]:
    """Entries of a body; Untold for what is none."""
    try:
        return _ENTRIES.validate_python(_plain(body, content_type))
    except ValidationError as error:
        faults = [{"at": list(one["loc"]), "problem": one["msg"]} for one in error.errors()]
        raise Untold(400, faults) from None
    except (ValueError, RecursionError, csv.Error):
        raise Untold(400, "is neither JSON nor CSV") from None


def _plain(body: bytes, content_type: str) -> Any:  # noqa: ANN401 - checked by the model
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "text/csv":
        rows = csv.DictReader(io.StringIO(body.decode("utf-8-sig")), strict=True)
        if missing := [name for name in _NEEDED if name not in (rows.fieldnames or ())]:
            raise Untold(400, f"columns are missing: {', '.join(missing)}")
        return [{name: value for name, value in row.items() if value != ""} for row in rows]
    if kind == "application/json":
        return json.loads(body)
    raise Untold(415, "application/json or text/csv")


def store_entries(
    connection: Connection, entries: Sequence[TelemetryEntry], owner: str | None, now_s: int
) -> None:
    """Store all or none; ``owner`` whose devices alone may be told of (None: all)."""
    for entry in entries:
        found = device_named(connection, entry.device)
        if found is None or (owner is not None and found["owner_key"] != owner):
            raise Untold(404, f"{entry.device} is no device of yours")
        from_s = instant_s(entry.since)
        same = (TELEMETRY.c.device_key == found["device_key"], TELEMETRY.c.from_at == from_s)
        connection.execute(delete(TELEMETRY).where(*same))
        content: JsonObject = {name: getattr(entry, name) for name in _NUMBERS}
        content |= {"created_at": now_s, "device_key": found["device_key"], "from_at": from_s}
        connection.execute(insert(TELEMETRY).values(content | {"until_at": from_s + entry.length_s()}))


def traffic_rows(connection: Connection) -> Iterator[Sequence[object]]:
    """Lines of the report: octets and outages by device, and which part of its offers it used."""
    octets = func.coalesce(TELEMETRY.c.bytes_up, 0) + func.coalesce(TELEMETRY.c.bytes_down, 0)
    outage_s = func.sum(func.coalesce(TELEMETRY.c.outage_s, 0.0))
    key = TELEMETRY.c.device_key
    told = select(key, func.count(), func.sum(octets), outage_s).group_by(key).order_by(key)
    for device, count, total, silent_s in connection.execute(told):
        yield "traffic in octets", device, count, int(total)
        yield "outage in s", device, count, round(float(silent_s), 1)
    used = select(USE.c.device_key, func.count(USE.c.offer_id.distinct())).group_by(USE.c.device_key)
    uses = dict(connection.execute(used).tuples().all())
    offers = select(OFFER.c.device_key, func.count()).group_by(OFFER.c.device_key)
    for device, count in connection.execute(offers):
        if device in uses:
            yield "part of offers used", device, count, round(uses[device] / count, 4)
