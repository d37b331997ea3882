"""Answers of a white-space database from the published rasters (RFC 7545; docs/method.md, section 25)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field

from pipeline.config.base import Number, Section, Sourced, Whole, within
from pipeline.shipped import TABLES

_PILOT = "Ofcom pilot 2013, read in github richstep/TVWS-DB-Code @fed8464"


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (OSError, ValueError, KeyError):  # an unknown zone is a KeyError
        raise ValueError(f"time zone {name!r} is not known here") from None
    return name


class GenericSlave(Section):
    """Slaves of which only the master is known: they may stand wherever they hear it."""

    emission_class: Annotated[Whole, Field(ge=1, le=5)] = 5
    """Class that is assumed of every slave; the run needs a device of this class and of the master's type."""
    sensitivity_dbm: Annotated[Sourced, within(-150, 0)] = Sourced(value=-114.0, source=_PILOT, verified=True)
    """Least power at which a slave hears its master, in the master's bandwidth (PREFSENS)."""
    antenna_gain_dbi: Annotated[Number, Field(ge=-20, le=40)] = 0.0
    """Gain of the slave's antenna towards its master; more gain reaches farther."""
    height_type_a_m: Annotated[Number, Field(ge=1, le=500)] = 10.0
    """Antenna height at which a slave of type A is taken to hear its master."""
    height_type_b_m: Annotated[Number, Field(ge=1, le=500)] = 1.5
    """Antenna height at which a slave of type B is taken to hear its master."""
    environment: Literal["open", "suburban", "urban"] = "open"
    """Surroundings in extended Hata; open reaches farthest."""


class Query(Section):
    """What `channelmaps query` needs beside the rasters; all of it is in the manifest of a run."""

    height_layers: Path = TABLES / "height_layers.csv"
    """Which device answers for which antenna height."""
    authority: Annotated[str, Field(pattern=r"^[A-Za-z]{2}$")] | None = None
    """Two letters of the country whose rules hold; none: the first of `territory.home`."""
    ruleset_id: Annotated[str, Field(min_length=1, max_length=64)] = "ETSI-EN-301-598-2.1.1"
    """Identifier of the rules; IANA has registered ETSI-EN-301-598-1.1.1 and FccTvBandWhiteSpace-2010."""
    max_location_change_m: Annotated[Number, Field(gt=0, le=100_000)] = 50.0
    """A device that has moved farther asks again."""
    max_polling_s: Annotated[Whole, Field(ge=1, le=31_622_400)] = 900
    """A device asks again after this time at the latest."""
    needs_spectrum_report: bool = True
    """Whether devices report which spectrum they use."""
    max_total_bw_mhz: Annotated[Number, Field(gt=0, le=4000)] | None = None
    """Largest bandwidth of a device in all; none: not limited."""
    max_contiguous_bw_mhz: Annotated[Number, Field(gt=0, le=4000)] | None = None
    """Largest contiguous bandwidth of a device; none: not limited."""
    time_zone: Annotated[str, AfterValidator(_known_zone)] = "UTC"
    """Zone of the register's local time (`pmse.at`), e.g. Europe/Ljubljana; answers are in UTC."""
    block_px: Annotated[Whole, Field(ge=16, le=512, multiple_of=16)] = 32
    """Side of the blocks of `public/query_<device>.tif`; small blocks make point reads fast."""
    generic_slave: GenericSlave = GenericSlave()
    """Answers for slaves of which only the master is known."""
