"""Assigned use (SM.2405, Annex 7): requests, what can be given, grants that reserve it, the digest.

A grant is a use in state ``granted``: from its decision to its end it counts beside those of devices, so that
nobody else is offered what it takes. Its decision looks again at what is left, in the transaction that
stores it: of two that together are too much the second is refused.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
from pydantic import Field, model_validator
from sqlalchemy import Connection, insert, select, update

from pipeline.errors import InputError
from pipeline.files import JsonObject, Output, check_outputs, kind_of_table, write_output_rows
from pipeline.loop.asked_places import antenna_above_ground, at_least, sure_place
from pipeline.loop.asking import heights_m
from pipeline.loop.counted import Others
from pipeline.loop.device_rows import InstantCell, ids_by_key
from pipeline.loop.devices import PLACE_STEPS, device_named
from pipeline.loop.events import note_event
from pipeline.loop.members import SURE_PCT, Antenna, Place
from pipeline.loop.served import Clock, Served, loop_settings
from pipeline.loop.storage import files_of, open_storage, writing
from pipeline.loop.tables import DEVICE, GRANT, USE
from pipeline.loop.uses import ALIVE, GRANTED, use_columns
from pipeline.quantise import NOT_EVALUATED
from pipeline.query.paws import PawsError, instant_text
from pipeline.query.paws_request import fitting_device
from pipeline.query.query import Found, Request, found_between, found_for
from pipeline.rows.row_models import IdCell, NumberCell, StrippedRow, read_rows, row_problem

_CENTI, _NOISE_DB = 100.0, 1e-6
_ANSWERS = ("number", "device", "channel", "state", "possible_dbm", "asked_dbm", "status")
_DIGEST = (*_ANSWERS[:3], "eirp_dbm", "start", "stop", "status", "decided_by", "decided_at", "reason")


class UseRequestRow(StrippedRow):
    """A request for the use of a channel by a device of the register, where that stands."""

    device: IdCell
    channel: Annotated[str, Field(pattern=r"^\d{1,3}(-\d{1,3})?$", description="a channel or bond")]
    eirp_dbm: Annotated[NumberCell, Field(ge=-100, le=100, description="-100 to 100 dBm")]
    start: Annotated[InstantCell, Field(description="UTC, such as 2026-12-05T08:00:00Z")]
    stop: Annotated[InstantCell, Field(description="UTC, after start")]
    purpose: str = ""

    @model_validator(mode="after")
    def _ascending(self) -> UseRequestRow:
        if self.start >= self.stop:
            raise row_problem("stop", "is not after start", "a later instant", "order")
        return self


class Possible(NamedTuple):
    """What a device could be given in a channel: a word, and the level in hundredths of a dBm if any.

    ``height_m`` of its antenna above ground.
    """

    state: str
    cdbm: int | None
    found: Found | None
    height_m: float | None = None


def possible(
    served: Served,
    connection: Connection,
    device: JsonObject,
    channel: str,
    period: tuple[int, int],
    now_s: int,
) -> Possible:
    """What the run and the uses that count leave to a device of the register in a period (UTC seconds)."""
    try:
        request = _request_of(served, device)
        parts = [part.found for part in found_between(served.database, request, *period)]
    except PawsError as error:
        return Possible(error.code.name.lower(), None, None)
    names = [str(entry["channel"]) for entry in parts[0].entries]
    if channel not in names:
        return Possible("no_such_channel", None, None)
    at = names.index(channel)
    lowest = min(parts, key=lambda one: int(one.raw[at]))
    level = int(lowest.raw[at])
    if level <= NOT_EVALUATED:
        return Possible(_why_not(served, request, at, level), None, None)
    others = _others(served, connection, device["device_key"], now_s)
    if served.is_lowered(others):
        level = int(served.residual().left(lowest, others).raw[at])
    if level <= NOT_EVALUATED:
        return Possible("in_use", None, None)
    return Possible("available", level, lowest, request.height_m)


def _others(served: Served, connection: Connection, key: str, now_s: int) -> Others:
    """The uses that count beside a grant: those of other devices, and what the device was granted before."""
    _, known = served.counted.device(connection, key)
    own = select(USE.c.id).where(USE.c.device_key == key, USE.c.state.in_(ALIVE))
    own_ids = {use_id for (use_id,) in connection.execute(own)}
    others = known.others("", now_s)
    own_rows = np.array([use.use_id in own_ids for use in others.table.uses], dtype=np.bool_)
    return others._replace(chosen=others.chosen & ~own_rows)


def _why_not(served: Served, request: Request, at: int, level: int) -> str:
    """Why nothing is permitted: bookings, others for good, or nobody knows."""
    if served.database.base is not None and found_for(served.database.base, request).raw[at] > NOT_EVALUATED:
        return "in_use_temporary"
    return "not_evaluated" if level == NOT_EVALUATED else "not_permitted"


def _request_of(served: Served, device: JsonObject) -> Request:
    """What the device itself would ask: its circle as large as its place is unsure, its antenna above ground.

    PawsError where that is not known well enough.
    """
    given = {"type": device["type"], "emission_class": device["emission_class"]}
    profile = fitting_device(served.facts, {name: str(value) for name, value in given.items() if value})
    lon_deg, lat_deg = device["lon_e7"] / PLACE_STEPS, device["lat_e7"] / PLACE_STEPS
    sure_pct = SURE_PCT if device["confidence_pct"] is None else device["confidence_pct"]
    stated = Place({}, lon_deg, lat_deg, device["uncertainty_m"] or 0.0, sure_pct)
    place = at_least(served, sure_place(served, stated), device)
    above_sea = device["height_type"] == "AMSL"
    antenna = Antenna(device["height_m"], device["height_uncertainty_m"] or 0.0, above_sea)
    height_m, spread_m = heights_m(antenna_above_ground(served, antenna, place))
    return Request(
        lon_deg, lat_deg, profile, height_m, place.radius_m, height_spread_m=spread_m, of_whole_kind=True
    )


def _placed(
    connection: Connection, name: str, *, file: Path | None = None, row: int | None = None
) -> JsonObject:
    """A device of the register that has a place; InputError for another one."""
    found = device_named(connection, name)
    if found is None or found["lon_e7"] is None or found["lat_e7"] is None:
        raise InputError(
            "is no device of the register with a place",
            file=file,
            row=row,
            field="device",
            value=name,
            allowed="see devices list",
        )
    return found


# --- commands -----------------------------------------------------------------------------------------------


def _served(results: Path, db: str, loop: Path | None) -> Served:
    return Served(results, open_storage(db), loop_settings(results, loop), Clock())


def request_command(path: Path, results: Path, out: Path, db: str, loop: Path | None = None) -> None:
    """Enter requests, all or none, and write what can be given; the regulator decides."""
    check_outputs([Output("--out", out, kind_of_table(*_ANSWERS))], [path, *files_of(db)])
    rows, served, now_s = read_rows(path, UseRequestRow), _served(results, db, loop), int(time.time())
    answers = []
    with writing(served.engine) as connection:
        for row in rows:
            device = _placed(connection, row.device, file=path, row=row.row)
            found = possible(served, connection, device, row.channel, (row.start, row.stop), now_s)
            enough = found.cdbm is not None and row.eirp_dbm <= found.cdbm / _CENTI + _NOISE_DB
            status = "validated" if enough else "refused"
            number = _enter(connection, row, device["device_key"], status, found.state, now_s)
            level = "" if found.cdbm is None else f"{found.cdbm / _CENTI:.2f}"
            answers.append((number, row.device, row.channel, found.state, level, f"{row.eirp_dbm:g}", status))
        note_event(connection, "request", "register", None, {"requests": len(rows)}, now_s)
    write_output_rows(out, _ANSWERS, answers)
    print(f"{len(answers)} requests, {sum(one[-1] == 'validated' for one in answers)} can be granted")


def _enter(connection: Connection, row: UseRequestRow, key: str, status: str, state: str, now_s: int) -> int:
    content = {
        "created_at": now_s,
        "device_key": key,
        "channels": [row.channel],
        "eirp_cdbm": round(_CENTI * row.eirp_dbm),
        "from_at": row.start,
        "until_at": row.stop,
        "status": status,
        "reason": state if status == "refused" else row.purpose,
    }
    made = connection.execute(insert(GRANT).values(content)).inserted_primary_key
    return 0 if made is None else int(made[0])


def decide_command(
    number: int, results: Path, db: str, *, grant: bool, by: str, reason: str, loop: Path | None = None
) -> None:
    """Grant a request, which reserves its power, or refuse it; InputError where it no longer fits."""
    served, now_s = _served(results, db, loop), int(time.time())
    with writing(served.engine) as connection:
        decide(served, connection, number, grant=grant, by=by, reason=reason, now_s=now_s)
    print(f"request {number}: {'granted' if grant else 'refused'}")


def decide(
    served: Served, connection: Connection, number: int, *, grant: bool, by: str, reason: str, now_s: int
) -> None:
    """Decide a request within a transaction of the only writer."""
    row = connection.execute(select(GRANT).where(GRANT.c.id == number)).mappings().first()
    if row is None or row["status"] not in ("validated", "submitted"):
        raise InputError("is no open request", field="NUMBER", value=number, allowed="see devices digest")
    if grant:
        _reserve(served, connection, dict(row), now_s)
    content = {"decided_by": by, "decided_at": now_s, "reason": reason}
    status = "granted" if grant else "refused"
    connection.execute(update(GRANT).where(GRANT.c.id == number).values(content | {"status": status}))
    note_event(connection, status, by, row["device_key"], {"request": number, "reason": reason}, now_s)


def _reserve(served: Served, connection: Connection, row: JsonObject, now_s: int) -> None:
    """Count the power of a request from now on; InputError where it is more than what is left."""
    device = _placed(connection, row["device_key"])
    (channel,) = row["channels"]
    found = possible(served, connection, device, channel, (row["from_at"], row["until_at"]), now_s)
    if found.found is None or found.cdbm is None or row["eirp_cdbm"] > found.cdbm:
        left = found.state if found.cdbm is None else f"{found.cdbm / _CENTI:.2f} dBm"
        asked = f"{row['eirp_cdbm'] / _CENTI:.2f} dBm"
        raise InputError("is more than what is left", field="NUMBER", value=asked, allowed=left)
    content = use_columns(found.found, channel, row["eirp_cdbm"]) | {
        "created_at": now_s,
        "device_key": row["device_key"],
        "run_id": served.database.run_id,
        "height_m": found.height_m,
        "body_sha256": f"request {row['id']}",
        "from_at": row["from_at"],
        "until_at": row["until_at"],
        "state": GRANTED,
    }
    connection.execute(insert(USE).values(content))


def digest_command(out: Path, db: str, since_s: int | None) -> None:
    """Write all requests since an instant, or all that are open, in one file for the regulator."""
    check_outputs([Output("--out", out, kind_of_table(*_DIGEST))], files_of(db))
    wanted = select(GRANT).order_by(GRANT.c.id)
    wanted = (
        wanted.where(GRANT.c.status.in_(("submitted", "validated")))
        if since_s is None
        else wanted.where(GRANT.c.created_at >= since_s)
    )
    with open_storage(db).connect() as connection:
        rows = connection.execute(wanted).mappings().all()
        ids = ids_by_key([dict(row) for row in connection.execute(select(DEVICE)).mappings()])
        write_output_rows(out, _DIGEST, _digest_rows([dict(row) for row in rows], ids))


def _digest_rows(rows: Sequence[JsonObject], ids: JsonObject) -> Iterator[Sequence[object]]:
    for row in rows:
        times = [instant_text(row[name]) for name in ("from_at", "until_at")]
        decided = "" if row["decided_at"] is None else instant_text(row["decided_at"])
        level, channels = f"{row['eirp_cdbm'] / _CENTI:.2f}", ";".join(row["channels"])
        name = ids.get(row["device_key"], row["device_key"])
        yield (
            row["id"],
            name,
            channels,
            level,
            *times,
            row["status"],
            row["decided_by"],
            decided,
            row["reason"],
        )
