"""Programme making and special events: registers of bookings and the settings of their protection."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from pipeline.config.base import Number, Section, Sourced, Whole, within
from pipeline.shipped import TABLES

_PILOT = "Ofcom white-space pilot 2013, as coded in Microsoft's TVWS-DB-Code, OfcomCalculation.cs"


def _minute(value: object) -> object:
    """A date or date-time, as YAML or a text has it, to ISO text such as ``2014-03-01T19:30``."""
    moment = value
    if isinstance(value, str):
        moment = datetime.fromisoformat(value.strip())
    elif isinstance(value, date) and not isinstance(value, datetime):
        moment = datetime(value.year, value.month, value.day)
    if isinstance(moment, datetime) and moment.tzinfo is not None:
        raise ValueError("give the register's local time, without a time zone")
    return moment.isoformat(timespec="minutes") if isinstance(moment, datetime) else moment


LocalTime = Annotated[str, BeforeValidator(_minute)]


class Pmse(Section):
    """Protection of PMSE receivers (docs/method.md, section 17); read if `services.pmse` is evaluated."""

    registers: list[Path] = []
    """Booked assignments: CSV, GeoPackage or GeoJSON; none: the service is not evaluated."""
    crs: Annotated[str, Field(pattern=r"^EPSG:\d{4,6}$")] | None = None
    """CRS of the columns easting_m and northing_m; none: assignments are placed by lon and lat."""
    at: LocalTime | None = None
    """When the maps begin to hold, in the register's local time; assignments with any time in the following
    `validity_hours` are protected. None: all assignments are, whatever their time."""
    kinds: Path = TABLES / "pmse_kinds.csv"
    """Kinds of use with their least wanted power."""
    ratios: Path = TABLES / "pmse_ratios.csv"
    """Protection ratios by kind, channel offset and emission class."""
    farthest_offset: Annotated[Whole, Field(ge=0, le=60)] = 10
    """Assignments more channels away than this are not looked at."""
    own_cell: Literal["offsets", "all_channels"] = "offsets"
    """Channels blocked in the 10 m cell of a receiver: those up to the farthest offset, or all."""
    operational_parameters: Literal["specific", "generic"] = "specific"
    """Generic (place known only by the master): 10 m apart or more, no building entry loss up to there."""
    lattice_m: Annotated[Number, Field(gt=0, le=1000)] = 10.0
    """Lattice of the places in a pixel where the device may stand."""
    within_km: Annotated[Number, Field(gt=0, le=1000)] | None = None
    """Assignments farther away are not looked at (Ofcom's pilot: 5 for a master); none: all are."""
    default_height_m: Annotated[Sourced, within(1, 500)] = Sourced(value=5.0, source=_PILOT, verified=True)
    """Receiving antenna above ground where the register gives none."""
    wall_db: Annotated[Sourced, within(0, 40)] = Sourced(value=7.0, source=_PILOT, verified=True)
    """Loss of each wall: one if the device or the receiver is indoor, two if both are."""
    environment: Literal["open", "suburban", "urban"] = "open"
    """Surroundings of a receiver whose row names none; open has the smallest loss."""
    hata_base: Literal["higher", "device"] = "device"
    """Base of extended Hata: the device's antenna (Ofcom's pilot), or the higher one (SEAMCAT)."""
