"""Databases for tests of the server: SQLite in a folder, or PostgreSQL where there is one.

``CHANNELMAPS_TEST_POSTGRESQL`` names a database in which schemas may be made and removed
(``postgresql+psycopg://postgres@/postgres?host=/run/postgresql``). Without it a server of Debian's package
is started for the tests, on a socket of its own; without that, or without psycopg, all is tested on SQLite
alone, and one test is skipped and says why.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL, make_url

SERVER = "CHANNELMAPS_TEST_POSTGRESQL"
# What the tests that run now use: its kind, the server if it is PostgreSQL, schemas made on it.
_now: dict[str, Any] = {"kind": "sqlite", "server": None, "made": set()}


def url_of(folder: Path) -> str:
    """The database of a folder, of the kind that is tested now; on PostgreSQL a schema, made if need be."""
    if _now["kind"] == "sqlite":
        return f"sqlite:///{folder}/loop.db"
    server: URL = _now["server"]
    name = f"loop_{sha256(str(folder).encode()).hexdigest()[:24]}"
    if name not in _now["made"]:
        _now["made"].add(name)
        engine = create_engine(server)
        with engine.begin() as connection:
            connection.execute(text(f"DROP SCHEMA IF EXISTS {name} CASCADE"))
            connection.execute(text(f"CREATE SCHEMA {name}"))
        engine.dispose()
    path = server.update_query_dict({"options": f"-csearch_path={name}"})
    return path.render_as_string(hide_password=False)


def rows(folder: Path, query: str) -> list[tuple[Any, ...]]:
    """What a query finds in the database of a folder."""
    engine = create_engine(url_of(folder))
    with engine.connect() as connection:
        found = [tuple(row) for row in connection.execute(text(query))]
    engine.dispose()
    return found


def is_sqlite() -> bool:
    return bool(_now["kind"] == "sqlite")


def without_postgresql() -> str | None:
    """Why nothing is tested on PostgreSQL here; None where it is."""
    if find_spec("psycopg") is None:
        return "psycopg is not installed (pip install 'channelmaps[postgresql]')"
    if SERVER not in os.environ and not _programs():
        return f"PostgreSQL is not installed (apt-get install postgresql, or {SERVER})"
    return None


def kinds() -> list[str]:
    """The kinds of databases that there are."""
    return ["sqlite"] if without_postgresql() else ["sqlite", "postgresql"]


@contextmanager
def used(server: URL | None) -> Iterator[None]:
    """Tests within use that server of PostgreSQL; SQLite for None."""
    before = dict(_now)
    _now.update(kind="sqlite" if server is None else "postgresql", server=server)
    try:
        yield
    finally:
        _now.update(before)


def _programs() -> list[Path]:
    """Folders with the programs of a server, the oldest first."""
    return sorted(path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))


@contextmanager
def postgresql_server() -> Iterator[URL]:
    """The server that the environment names, or one for as long as the context lasts."""
    if SERVER in os.environ:
        yield make_url(os.environ[SERVER])
        return
    folder = Path(tempfile.mkdtemp(prefix="channelmaps-pg-"))
    try:
        with _started(_programs()[-1], folder) as url:
            yield url
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _started(programs: Path, folder: Path) -> Iterator[URL]:
    """A server in a folder, reached through a socket there; PostgreSQL does not run as root."""
    user: dict[str, Any] = {"user": "postgres", "group": "postgres"} if os.getuid() == 0 else {}
    if user:
        shutil.chown(folder, **user)

    def run(*line: str | Path) -> None:
        subprocess.run([*line], check=True, capture_output=True, cwd=folder, **user)

    data = folder / "data"
    run(programs / "initdb", "-D", data, "-A", "trust", "-U", "postgres", "--no-sync", "-E", "UTF8")
    # A killed program loses nothing of the kernel's memory: what reaches the disk is not tested here.
    settings = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off"
    run(programs / "pg_ctl", "-D", data, "-w", "-l", folder / "log", "-o", settings, "start")
    try:
        yield make_url(f"postgresql+psycopg://postgres@/postgres?host={folder}")
    finally:
        run(programs / "pg_ctl", "-D", data, "-m", "immediate", "stop")
