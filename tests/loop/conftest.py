"""What tests of the server share."""

from __future__ import annotations

import pytest

from tests.loop import databases


@pytest.fixture(scope="session", params=databases.kinds())
def each_database(request: pytest.FixtureRequest):
    """Tests that use it run on SQLite, and on PostgreSQL where there is one."""
    with databases.of_kind(request.param):
        yield
