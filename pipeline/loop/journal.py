"""What is written soon after an answer, many rows at once: requests, offers, devices seen for the first time.

What must be on the disk before it is acknowledged (notices, registrations) does not come here. A notice that
follows an answer finds its offer: the journal is written before.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any, NamedTuple

from sqlalchemy import Engine, delete, insert
from sqlalchemy.exc import OperationalError

from pipeline.files import JsonObject
from pipeline.loop.devices import PLACE_STEPS, Registration, key_of_sent, note_device
from pipeline.loop.members import Antenna, Findings, read_device
from pipeline.loop.rpc import RpcRequest
from pipeline.loop.storage import writing
from pipeline.loop.tables import OFFER, REQUEST, TELEMETRY

_LOG = logging.getLogger("channelmaps.serve")
_MOST_WAITING = _MOST_SEEN = 100_000
_DAY_S = 86_400


class JournalLine(NamedTuple):
    """A request that was answered: its row, what it offered to which device, its line in the log."""

    request: JsonObject
    offers: Sequence[JsonObject]
    device_desc: Mapping[str, Any]
    told: str


class Journal:
    """Lines that wait to be written; ``flush`` writes them in one transaction."""

    def __init__(self, engine: Engine) -> None:
        """Of a database that is open."""
        self._engine = engine
        self._lines: list[JournalLine] = []
        self._seen: dict[str, None] = {}  # keys of devices that are in the register, or were
        self.is_behind = False
        self._lock, self._writing = Lock(), Lock()

    def add(self, line: JournalLine) -> None:
        """Note a request; the oldest are left out where the disk does not keep up."""
        with self._lock:
            self._lines.append(line)
            del self._lines[:-_MOST_WAITING]

    def flush(self) -> None:
        """Write what waits; what cannot be written waits on."""
        with self._writing:  # who comes second finds what the first has written
            with self._lock:
                lines, self._lines = self._lines, []
            if not lines:
                return
            self._tell(lines)
            try:
                self._write(lines)
            except OperationalError as error:
                self.is_behind = True
                with self._lock:
                    self._lines = [*(line._replace(told="") for line in lines), *self._lines]
                _LOG.error("journal: %s", type(error).__name__)
            except Exception as error:
                _LOG.error("journal: %s, line by line", type(error).__name__)
                self._write_each(lines)
            else:
                self.is_behind = False

    def _tell(self, lines: Sequence[JournalLine]) -> None:
        """Lines of the log, once: those that could not be written before were told then."""
        new = [line.told for line in lines if line.told]
        if new:
            _LOG.info("\n".join(new))

    def _write_each(self, lines: Sequence[JournalLine]) -> None:
        """Write lines of which one cannot be: that one is left out, or it would hold up all others."""
        for line in lines:
            try:
                self._write([line])
            except Exception as error:
                _LOG.error("journal: a line is left out, %s", type(error).__name__)

    def _write(self, lines: Sequence[JournalLine]) -> None:
        offers = [row | _made(line) for line in lines for row in line.offers]
        offering = {row["device_key"]: line for line in lines for row in line.offers}
        asking = {key: line for key, line in offering.items() if key not in self._seen}
        with writing(self._engine, answers_stay=True) as connection:
            connection.execute(insert(REQUEST), [line.request for line in lines])
            for line in asking.values():
                device = read_device(Findings(), line.device_desc, "")
                ids = [str(one) for one in line.device_desc.get("rulesetIds") or ()]
                asked = Registration(device, ids, None, Antenna(None, 0.0, above_sea=False), {})
                note_device(connection, asked, line.request["created_at"])
            if offers:
                connection.execute(insert(OFFER), offers)
        self._seen = dict.fromkeys([*self._seen, *asking][-_MOST_SEEN:])

    def forget(self, now_s: int, keep_days: int) -> None:
        """Remove requests and offers that are older than they are kept."""
        before_s = now_s - keep_days * _DAY_S
        with writing(self._engine, answers_stay=True) as connection:
            for table in (REQUEST, OFFER, TELEMETRY):
                connection.execute(delete(table).where(table.c.created_at < before_s))


def _made(line: JournalLine) -> JsonObject:
    return {"created_at": line.request["created_at"]}


def request_row(request: RpcRequest, code: int, *, run_id: str, ms: float, at_s: int) -> JsonObject:
    """A row of the log of requests; its parameters as they came, whatever they are."""
    method, params = request.method.rpartition(".")[2], request.params
    given = params if isinstance(params, Mapping) else {}
    desc = given.get("deviceDesc")
    desc = desc if isinstance(desc, Mapping) else {}
    lon_e7, lat_e7 = _centre_e7(given.get("location"))
    return {
        "created_at": at_s,
        "method": method.replace("\0", "")[:32],
        "rpc_id": str(request.request_id)[:256],
        "device_key": key_of_sent(desc) if desc else None,
        "lon_e7": lon_e7,
        "lat_e7": lat_e7,
        "code": code,
        "run_id": run_id,
        "ms": ms,
        "body_sha256": request.body_sha256,
    }


def _centre_e7(location: object) -> tuple[int | None, int | None]:
    """Longitude and latitude of a place, if it is one."""
    try:
        centre = location["point"]["center"]  # type: ignore[index]
        lon_deg, lat_deg = centre["longitude"], centre["latitude"]
        if not (abs(lon_deg) <= 180.0 and abs(lat_deg) <= 90.0):
            return None, None
        return round(lon_deg * PLACE_STEPS), round(lat_deg * PLACE_STEPS)
    except (TypeError, KeyError, ValueError, OverflowError):
        return None, None
