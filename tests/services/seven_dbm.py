"""A made-up service: what a service of its own file is; it limits one block of the grid to 7 dBm."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from pipeline.budget import Budget, Term
from pipeline.config.config import Config
from pipeline.config.protection import Device
from pipeline.services.base import (
    BlockLimit,
    CheckedTerritory,
    ServiceContext,
    ServiceLimit,
    lower,
    unlimited,
)
from pipeline.services.table import ServiceRow

ROWS, COLS = slice(2, 5), slice(3, 7)
LIMIT_DBM = 7.0


def prepare(service: ServiceRow, context: ServiceContext, device: Device, channel: int) -> BlockLimit:
    """The block of the whole grid, cut to that asked for."""
    whole = np.full(context.grid.shape, np.inf)
    whole[ROWS, COLS] = LIMIT_DBM

    def limit(rows: slice, cols: slice) -> ServiceLimit:
        lowest = unlimited(rows, cols)
        lower(lowest, whole[rows, cols], service.code)
        return lowest

    return limit


def explain(
    service: ServiceRow, context: ServiceContext, device: Device, channel: int, row: int, col: int
) -> Budget | None:
    """Two terms that add up to 7 dBm."""
    if not (ROWS.start <= row < ROWS.stop and COLS.start <= col < COLS.stop):
        return None
    terms = Term("protected level", LIMIT_DBM - 3.0, "made up"), Term("path loss", 3.0)
    return Budget({"id": service.name}, terms, service.code)


def check(service: ServiceRow, config: Config, territory: CheckedTerritory) -> Iterator[str]:
    """One line."""
    yield f"  {service.name}         1 block"
