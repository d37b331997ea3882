"""The database of devices on disk: opened, brought up to date, written in whole transactions.

SQLite by default (a file, write-ahead log, every commit on the disk before it is acknowledged), PostgreSQL
for several servers. One writer at a time: ``BEGIN IMMEDIATE`` there, an advisory lock here.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from alembic import command
from alembic.config import Config as AlembicConfig
from sqlalchemy import Connection, Engine, bindparam, create_engine, event, insert, select, text, update
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.types import JSON

from pipeline.errors import InputError
from pipeline.files import JsonObject
from pipeline.loop.rpc import Written
from pipeline.loop.tables import DEVICE, META

_MIGRATIONS = Path(__file__).parent / "migrations"
_SQLITE_SETTINGS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA busy_timeout=5000",
)
# Key of the lock that the writers of one database take in turn; they wait as long as those of SQLite do.
_LOCK, _WAIT = 7545, "SET LOCAL lock_timeout = '5s'"
# Row of the table of facts that is another one after every change of what answers depend on.
CHANGES = "changes"
_DEVICE_NAMES = tuple(column.name for column in DEVICE.c)
_DEVICE_JSON = tuple(column.name for column in DEVICE.c if isinstance(column.type, JSON))
_MARK_AND_DEVICE = (
    f"SELECT meta.value, {', '.join(f'device.{name}' for name in _DEVICE_NAMES)} "
    "FROM meta LEFT JOIN device ON device.device_key = ? WHERE meta.name = ?"
)
_CHANGED = update(META).where(META.c.name == CHANGES).values(value=bindparam("mark"))
_OWNER_ONLY = 0o600
_ALLOWED = "such as sqlite:///loop.db or postgresql+psycopg://user@host/name"


def open_storage(url: str) -> Engine:
    """The database at a URL, its tables made or brought up to date; InputError where it cannot be used."""
    try:
        engine = _engine(url)
        migrate(engine)
    except (ArgumentError, ImportError, ValueError) as error:
        raise InputError(f"is no database ({error})", field="--db", value=url, allowed=_ALLOWED) from None
    except SQLAlchemyError as error:
        told = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise InputError(f"cannot be used ({told})", field="--db", value=url, allowed=_ALLOWED) from None
    return engine


class QuickReads:
    """The mark that changes leave, and devices, read as fast as can be: at every request."""

    def __init__(self, engine: Engine) -> None:
        """Of a database that is open; of SQLite with a connection of each thread's own."""
        name = engine.url.database if engine.url.get_backend_name() == "sqlite" else None
        self._path = name if name is not None and Path(name).is_file() else None
        self._of_thread = threading.local()

    def mark(self) -> str | None:
        """The mark; None where it is read together with a device."""
        if self._path is None:
            return None
        found = self._connection().execute("SELECT value FROM meta WHERE name = ?", (CHANGES,)).fetchone()
        return None if found is None else str(found[0])

    def mark_and_device(self, device_key: str) -> tuple[str, JsonObject | None]:
        """The mark and the row of a device, as of one instant; of SQLite alone."""
        (mark, *values) = self._connection().execute(_MARK_AND_DEVICE, (device_key, CHANGES)).fetchone()
        if values[0] is None:
            return mark, None
        row = dict(zip(_DEVICE_NAMES, values, strict=True))
        return mark, row | {name: json.loads(row[name]) for name in _DEVICE_JSON}

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._of_thread, "connection", None)
        if connection is None:
            connection = sqlite3.connect(str(self._path), isolation_level=None)
            connection.execute("PRAGMA busy_timeout=5000")
            self._of_thread.connection = connection
        return connection


def files_of(url: str) -> list[Path]:
    """The file of a database, if it is one; InputError for what is no URL."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise InputError("is no database", field="--db", value=url, allowed=_ALLOWED) from None
    return [Path(parsed.database)] if parsed.get_backend_name() == "sqlite" and parsed.database else []


def _engine(url: str) -> Engine:
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return create_engine(parsed, pool_pre_ping=True, pool_timeout=5, json_serializer=_column_text)
    if parsed.database in (None, "", ":memory:"):
        raise ValueError("a database in memory forgets")
    path = Path(str(parsed.database))
    if not path.exists():
        path.touch(_OWNER_ONLY)
    arguments = {"timeout": 5, "check_same_thread": False}
    engine = create_engine(parsed, connect_args=arguments, json_serializer=_column_text)
    event.listen(engine, "connect", _configure_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _column_text(value: object) -> str:
    """A column of JSON as text; some are written already."""
    return value.text if isinstance(value, Written) else json.dumps(value)


def _configure_sqlite(connection: sqlite3.Connection, _: object) -> None:
    connection.isolation_level = None  # transactions begin as `_begin_sqlite` says
    for setting in _SQLITE_SETTINGS:
        connection.execute(setting)


def _begin_sqlite(connection: Connection) -> None:
    if connection.get_execution_options().get("writing"):
        connection.exec_driver_sql("BEGIN IMMEDIATE")  # statements that read alone need no transaction


def migrate(engine: Engine) -> None:
    """Bring the tables to those of this program, all steps or none."""
    config = AlembicConfig()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    with writing(engine, answers_stay=True) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        if connection.execute(select(META.c.id).where(META.c.name == CHANGES)).first() is None:
            connection.execute(insert(META).values(created_at=0, name=CHANGES, value=uuid4().hex))


@contextmanager
def writing(engine: Engine, *, answers_stay: bool = False) -> Iterator[Connection]:
    """A transaction of the only writer; on the disk when it ends, undone when it fails.

    Servers keep what answers depend on in memory and read it anew after each, unless ``answers_stay``: it
    wrote no device that was known, no use and no order.
    """
    with engine.connect().execution_options(writing=True) as connection, connection.begin():
        if engine.dialect.name == "postgresql":
            connection.execute(text(_WAIT))
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        yield connection
        if not answers_stay:
            connection.execute(_CHANGED, {"mark": uuid4().hex})
