"""What people decided, in order: each entry holds the hash of the one before, so that a change shows."""

from __future__ import annotations

import json
from hashlib import sha256

from sqlalchemy import Connection, insert, select

from pipeline.files import JsonObject
from pipeline.loop.tables import EVENT

_FIRST = "0" * 64


def note_event(
    connection: Connection, kind: str, actor: str, subject: str | None, detail: JsonObject, now_s: int
) -> None:
    """Append an entry."""
    before = connection.execute(select(EVENT.c.hash).order_by(EVENT.c.id.desc()).limit(1)).scalar() or _FIRST
    content = {"created_at": now_s, "kind": kind, "actor": actor, "subject": subject, "detail": detail}
    connection.execute(
        insert(EVENT).values(content | {"prev_hash": before, "hash": _hash_of(content, str(before))})
    )


def _hash_of(content: JsonObject, before: str) -> str:
    return sha256(json.dumps([content, before], sort_keys=True).encode()).hexdigest()


def first_broken_event(connection: Connection) -> int | None:
    """Number of the first entry that is not as it was written; None if all are."""
    before = _FIRST
    for row in connection.execute(select(EVENT).order_by(EVENT.c.id)).mappings():
        content = {name: row[name] for name in ("created_at", "kind", "actor", "subject", "detail")}
        if row["prev_hash"] != before or row["hash"] != _hash_of(content, before):
            return int(row["id"])
        before = str(row["hash"])
    return None
