"""The curves, read once."""

from __future__ import annotations

import pytest

from pipeline.propagation.p1546.curves import load_curves


@pytest.fixture(scope="session")
def curves():
    return load_curves()
