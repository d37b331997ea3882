"""The versioned tables of RR Appendix 5: coordination arcs, and the numbers of Nos. 9.41, 9.7A and 9.7B."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import Field, model_validator

from pipeline.config.base import Number, Section, Sourced, Whole
from pipeline.config.coordination import Day, Edition, SatelliteService
from pipeline.config.load import read_model
from pipeline.shipped import TABLES

COORDINATION_ARCS = TABLES / "coordination_arcs.yaml"
COORDINATION_LIMITS = TABLES / "rr941.yaml"
ITEM_WITHOUT_ARC = "9"


class SourcedMethod(Section):
    """The method of AP8 that counts; the transponder method is reported beside it."""

    value: Literal["independent"]
    source: Annotated[str, Field(min_length=3)]
    verified: bool


class ArcRow(Section):
    """One band of an item of Table 5-1; ``since`` the first day of the requests that it holds for."""

    item: str
    from_mhz: Number
    to_mhz: Number
    above: bool = False
    regions: Annotated[tuple[Whole, ...], Field(min_length=1)]
    services: Annotated[tuple[tuple[SatelliteService, SatelliteService], ...], Field(min_length=1)]
    arcs: dict[Edition, Sourced]
    since: Day | None = None


class ArcTable(Section):
    """All bands, in the order in which they are looked up."""

    sources: dict[str, str]
    rows: Annotated[tuple[ArcRow, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _sources_exist(self) -> ArcTable:
        named = {arc.source for row in self.rows for arc in row.arcs.values()}
        if missing := sorted(named - set(self.sources)):
            raise ValueError(f"sources {missing} are not listed")
        return self


class Polarisations(Section):
    """Divisors Y of delta-T by the polarisations of the two assignments."""

    opposite_circular: Sourced
    linear_circular: Sourced
    same: Sourced


class LargeStation(Section):
    """Condition 1 of Nos. 9.7A and 9.7B in a band."""

    from_mhz: Number
    to_mhz: Number
    gain_dbi: Number
    g_over_t_dbk: Number
    bandwidth_mhz: Number
    source: str
    verified: bool


class EpfdBand(Section):
    """Condition 2 of Nos. 9.7A and 9.7B in a band: epfd(down) in dB(W/m2) in the reference bandwidth."""

    from_mhz: Number
    to_mhz: Number
    reference_khz: Number
    low_dbw_m2: Number
    high_dbw_m2: Number
    source: str
    verified: bool


class EpfdLimits(Section):
    """Condition 2: limits for low constellations and for those with any satellite above ``low_orbit_km``."""

    low_orbit_km: Number
    bands: tuple[EpfdBand, ...]


class CoordinationLimits(Section):
    """Numbers of the procedure."""

    method: SourcedMethod
    threshold_pct: Sourced
    min_elevation_deg: Sourced
    polarisation_divisor: Polarisations
    comment_months: Sourced
    first_date: Day
    both_conditions_since: Day
    condition_1: tuple[LargeStation, ...]
    condition_2: EpfdLimits


class Arc(NamedTuple):
    """Item of Table 5-1 that applies to a pair of assignments; no arc in item 9."""

    item: str
    arc_deg: float | None
    source: str
    verified: bool


def read_arcs(path: Path = COORDINATION_ARCS) -> ArcTable:
    """The table of coordination arcs."""
    return read_model(path, ArcTable)


def read_limits(path: Path = COORDINATION_LIMITS) -> CoordinationLimits:
    """The numbers of the procedure."""
    return read_model(path, CoordinationLimits)


def find_arc(
    table: ArcTable,
    *,
    edition: Edition,
    frequency_mhz: float,
    region: int,
    services: tuple[SatelliteService, SatelliteService],
    received: date,
) -> Arc:
    """The first row with the frequency, the Region and the two services (in any order); else item 9.

    ``received``: when the Bureau got the coordination request.
    """
    for row in table.rows:
        if row.since is not None and received < row.since:
            continue
        starts = row.from_mhz < frequency_mhz if row.above else row.from_mhz <= frequency_mhz
        pairs = [sorted(pair) for pair in row.services]
        within = starts and frequency_mhz <= row.to_mhz and region in row.regions
        if within and sorted(services) in pairs and edition in row.arcs:
            arc = row.arcs[edition]
            return Arc(row.item, arc.value, table.sources[arc.source], arc.verified)
    # What no row says of these services may be missing from the table as well as from the Regulations.
    named = any(sorted(services) in [sorted(pair) for pair in row.services] for row in table.rows)
    return Arc(ITEM_WITHOUT_ARC, None, "no row of Table 5-1", named)


def arcs_of_parts(
    table: ArcTable,
    parts: Sequence[tuple[float, float]],
    *,
    edition: Edition,
    region: int,
    services: tuple[SatelliteService, SatelliteService],
    received: date,
) -> list[Arc]:
    """The items that parts of a band belong to, each cut at the edges of all rows; every item once."""
    edges = sorted({edge for row in table.rows for edge in (row.from_mhz, row.to_mhz)})
    found: dict[Arc, None] = {}
    for low_mhz, high_mhz in parts:
        inner = [edge for edge in edges if low_mhz < edge < high_mhz]
        for start_mhz, end_mhz in pairwise([low_mhz, *inner, high_mhz]):
            middle_mhz = 0.5 * (start_mhz + end_mhz)
            arc = find_arc(
                table,
                edition=edition,
                frequency_mhz=middle_mhz,
                region=region,
                services=services,
                received=received,
            )
            found.setdefault(arc)
    return list(found)


def polarisation_divisor(first: str, second: str, limits: CoordinationLimits) -> Sourced | None:
    """Y of AP8; None where a polarisation is not notified, which counts as 1."""
    if "NA" in (first, second):
        return None
    if first == second:
        return limits.polarisation_divisor.same
    if "L" in (first, second):
        return limits.polarisation_divisor.linear_circular
    return limits.polarisation_divisor.opposite_circular
