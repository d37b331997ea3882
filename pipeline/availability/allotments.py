"""Bands shared out among users by region: where a block is unused by all of them (SM.2405, Annex 6).

The static gain that the Annex argues with: an industry that is absent from a region leaves its blocks unused
there. What the table does not say is unknown, and no layer of devices is changed by it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from pipeline.config.products import Allotments
from pipeline.errors import InputError
from pipeline.files import table_bytes, write_whole
from pipeline.rows.row_models import NumberCell, RowModel, read_rows, refuse_second

ALL_REGIONS = "*"


class AllotmentUse(IntEnum):
    """Codes of the layers of blocks; 255 is outside."""

    USED = 0
    UNUSED = 1
    UNKNOWN = 2


class AllotmentRow(RowModel):
    """Whether one user uses a block in a region; ``*`` = the whole territory."""

    region: Annotated[str, Field(min_length=1, description="a region of the polygon file, or *")]
    user: Annotated[str, Field(min_length=1, description="to whom the block is allotted")]
    from_mhz: Annotated[NumberCell, Field(gt=0, le=300_000, description="more than 0, up to 300000 MHz")]
    to_mhz: Annotated[NumberCell, Field(gt=0, le=300_000, description="more than 0, up to 300000 MHz")]
    status: Annotated[Literal["used", "unused", "unknown"], Field(description="used, unused or unknown")]


class FrequencyBlock(NamedTuple):
    """A block by its edges, and its users."""

    from_mhz: float
    to_mhz: float
    users: tuple[str, ...]

    @property
    def name(self) -> str:
        """The block as it stands in file names: 223.5-224."""
        return f"{self.from_mhz:g}-{self.to_mhz:g}"


def read_allotments(settings: Allotments) -> list[AllotmentRow]:
    """The checked table; InputError for its first fault."""
    rows = read_rows(settings.table, AllotmentRow)
    refuse_second(settings.table, rows, ("region", "user", "from_mhz", "to_mhz"))
    for row in rows:
        if row.to_mhz <= row.from_mhz:
            raise _fault(settings, row, "to_mhz", "block ends where it begins or below", "above from_mhz")
        if row.region != ALL_REGIONS and settings.regions is None:
            raise _fault(settings, row, "region", "there are no regions", "*, or polygons of regions")
    return rows


def _fault(settings: Allotments, row: AllotmentRow, field: str, problem: str, allowed: str) -> InputError:
    value = getattr(row, field)
    return InputError(problem, file=settings.table, row=row.row, field=field, value=value, allowed=allowed)


def blocks_of(rows: Sequence[AllotmentRow]) -> list[FrequencyBlock]:
    """The blocks, by frequency."""
    users: dict[tuple[float, float], dict[str, None]] = {}
    for row in rows:
        users.setdefault((row.from_mhz, row.to_mhz), {})[row.user] = None
    return [FrequencyBlock(*edges, tuple(found)) for edges, found in sorted(users.items())]


def block_names(settings: Allotments | None) -> list[str]:
    """Names of the blocks that a territory has layers of."""
    return [] if settings is None else [block.name for block in blocks_of(read_allotments(settings))]


def uses_by_region(
    rows: Sequence[AllotmentRow], block: FrequencyBlock, regions: Sequence[str]
) -> NDArray[np.uint8]:
    """Codes of a block by region and, last, for land in none.

    A user without a cell for a region is unknown there; one that uses the block is enough.
    """
    known: Mapping[tuple[str, str], str] = {
        (row.region, row.user): row.status
        for row in rows
        if (row.from_mhz, row.to_mhz) == (block.from_mhz, block.to_mhz)
    }
    everywhere = {user: known.get((ALL_REGIONS, user), "unknown") for user in block.users}
    return np.array(
        [
            _use_of({known.get((region, user), everywhere[user]) for user in block.users})
            for region in (*regions, ALL_REGIONS)
        ],
        dtype=np.uint8,
    )


def _use_of(statuses: set[str]) -> AllotmentUse:
    if "used" in statuses:
        return AllotmentUse.USED
    return AllotmentUse.UNKNOWN if "unknown" in statuses else AllotmentUse.UNUSED


def share_rows(
    block: FrequencyBlock,
    uses: NDArray[np.uint8],
    inside: NDArray[np.bool_],
    area_km2: NDArray[np.floating],
    people: NDArray[np.floating] | None,
) -> dict[str, object]:
    """Shares in per cent of the territory's area and people by use; NaN without people."""
    found: dict[str, object] = {
        "block": block.name,
        "from_mhz": block.from_mhz,
        "to_mhz": block.to_mhz,
        "users": "; ".join(block.users),
    }
    for use in AllotmentUse:
        chosen = inside & (uses == use)
        found[f"{use.name.lower()}_area_pct"] = _share_pct(chosen, inside, area_km2)
        found[f"{use.name.lower()}_population_pct"] = (
            np.nan if people is None else _share_pct(chosen, inside, np.nan_to_num(people))
        )
    return found


def _share_pct(chosen: NDArray[np.bool_], inside: NDArray[np.bool_], weight: NDArray[np.floating]) -> float:
    weights = np.broadcast_to(weight, inside.shape).astype(np.float64)
    total = weights[inside].sum()
    return float(100.0 * weights[chosen].sum() / total) if total > 0.0 else float("nan")


def write_shares(rows: Sequence[dict[str, object]], path: Path) -> None:
    """Write the shares of all blocks; percentages to 0.0001, empty where unknown."""
    write_whole(path, table_bytes(pd.DataFrame(list(rows))))


def refuse_unknown_regions(rows: Sequence[AllotmentRow], names: Sequence[str], path: Path) -> None:
    """Refuse a region that the polygon file does not have."""
    for row in rows:
        if row.region != ALL_REGIONS and row.region not in names:
            raise InputError(
                "is no region",
                file=path,
                row=row.row,
                field="region",
                value=row.region,
                allowed=", ".join([ALL_REGIONS, *names]),
            )
