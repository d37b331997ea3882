"""What tests of the server share."""

from __future__ import annotations

import pytest

from tests.loop import databases


@pytest.fixture(scope="session")
def postgresql():
    """A server of PostgreSQL."""
    with databases.postgresql_server() as url:
        yield url


# Those on PostgreSQL are slow for `make test`. Of a module: tests of other files, which ask for no database,
# have SQLite again.
@pytest.fixture(
    scope="module",
    params=[
        kind if kind == "sqlite" else pytest.param(kind, marks=pytest.mark.slow) for kind in databases.kinds()
    ],
)
def each_database(request: pytest.FixtureRequest):
    """Tests that use it run on SQLite, and on PostgreSQL where there is one."""
    server = None if request.param == "sqlite" else request.getfixturevalue("postgresql")
    with databases.used(server):
        yield
