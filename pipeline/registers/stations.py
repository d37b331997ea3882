"""Registers of receivers of other services: files -> checked rows, in order of id.

CSV, GeoPackage or GeoJSON as for transmitters. Every column named in a row's model must exist; an optional
value may be empty. The first bad row is refused: a receiver left out would not be protected.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator

from pipeline.errors import InputError
from pipeline.radio.antennas import PATTERN_POINTS
from pipeline.registers.rows import PRINTABLE, Number, Optional, Upper
from pipeline.registers.tables import read_table

_ATTENUATIONS = re.compile(r"\d+(\.\d+)?(;\d+(\.\d+)?)+")


def _yes_or_no(text: object) -> object:
    answers = {"yes": True, "no": False, "": None}
    if isinstance(text, str) and text.strip() not in answers:
        raise ValueError("neither yes nor no")
    return answers[text.strip()] if isinstance(text, str) else text


Coastal = Annotated[
    bool | None, BeforeValidator(_yes_or_no), Field(description="yes, no or empty (by the map)")
]
Frequency = Annotated[Number, Field(ge=30, le=6000, description="30 to 6000 MHz")]
Bandwidth = Annotated[Number, Field(gt=0, le=100, description="more than 0, up to 100 MHz")]
NoiseFigure = Annotated[Number, Field(ge=0, le=40, description="0 to 40 dB")]
Gain = Annotated[Number, Field(ge=-30, le=60, description="-30 to 60 dBi")]
Feeder = Annotated[Number, Field(ge=0, le=30, description="0 to 30 dB")]
Height = Annotated[Number, Field(ge=1, le=1000, description="1 to 1000 m above ground")]
Selectivity = Annotated[Number, Field(ge=0, le=150, description="0 to 150 dB")]


class PlaceRow(BaseModel):
    """What every station has: an id and a place in degrees, WGS84."""

    model_config = ConfigDict(frozen=True, extra="ignore", str_strip_whitespace=True, allow_inf_nan=False)

    id: Annotated[
        str, Field(min_length=1, max_length=64, pattern=PRINTABLE, description="1 to 64 printable characters")
    ]
    lon: Annotated[Number, Field(ge=-180, le=180, description="-180 to 180, degrees east, WGS84")]
    lat: Annotated[Number, Field(ge=-90, le=90, description="-90 to 90, degrees north, WGS84")]


class TelescopeRow(PlaceRow):
    """A radio telescope; ``criterion`` names a row of the table of criteria; no ``acs_db``: not known."""

    criterion: Annotated[str, Field(min_length=1, description="a criterion of the table")]
    antenna_height_m: Height
    acs_db: Annotated[Selectivity | None, Optional, Field(description="0 to 150 dB or empty")]
    coastal: Coastal


class ReceiverRow(PlaceRow):
    """A receiver with noise and antenna.

    ``pattern``: empty (the gain in all directions), ``F.699``, or 36 or 72 attenuations in dB clockwise from
    the azimuth of the antenna, joined by ``;``.
    """

    f_mhz: Frequency
    bandwidth_mhz: Bandwidth
    noise_figure_db: NoiseFigure
    gain_dbi: Gain
    feeder_db: Feeder
    antenna_height_m: Height
    acs_db: Selectivity
    azimuth_deg: Annotated[
        Annotated[float, Field(ge=0, le=360)] | None, Optional, Field(description="0 to 360 deg or empty")
    ]
    pattern: Annotated[str, Field(description="empty, F.699, or 36 or 72 values of 0 to 60 dB joined by ;")]
    coastal: Coastal

    @field_validator("pattern")
    @classmethod
    def _known_pattern(cls, text: str) -> str:
        if text in ("", "F.699"):
            return text
        if not _ATTENUATIONS.fullmatch(text) or len(text.split(";")) not in PATTERN_POINTS:
            raise ValueError("not a pattern")
        return text


class AeronauticalRow(PlaceRow):
    """A station of aeronautical radionavigation; empty ``code``: of unknown kind."""

    code: Annotated[str, Field(max_length=16, description="a code of the table of systems, or empty")]
    country: Annotated[str, Upper, Field(pattern=r"^[A-Z]{2}$", description="two letters of ISO 3166")]


class RelayRow(PlaceRow):
    """A site that receives television off the air; without a parent the arc is a full circle."""

    channel: Annotated[Number, Field(ge=1, le=99, multiple_of=1, description="a channel number of the plan")]
    parent_lon: Annotated[
        Annotated[float, Field(ge=-180, le=180)] | None, Optional, Field(description="-180 to 180 or empty")
    ]
    parent_lat: Annotated[
        Annotated[float, Field(ge=-90, le=90)] | None, Optional, Field(description="-90 to 90 or empty")
    ]


Checked = TypeVar("Checked", bound=PlaceRow)


def read_stations(paths: Sequence[Path], model: type[Checked]) -> list[Checked]:
    """Checked rows of all files together, sorted by id; InputError for the first bad one."""
    rows: dict[str, Checked] = {}
    for path in paths:
        required = [name for name in model.model_fields if name != "coastal"]
        table = read_table(Path(path), required)
        for fault in table.rejected:
            raise fault
        for record in table.records:
            row = check_station(path, record.row, {"coastal": ""} | record.values, model)
            if row.id in rows:
                raise InputError(
                    "id occurs twice",
                    file=path,
                    row=record.row,
                    field="id",
                    value=row.id,
                    allowed="a unique id",
                )
            rows[row.id] = row
    return [rows[key] for key in sorted(rows)]


def check_station(path: Path, line: int, values: dict[str, str], model: type[Checked]) -> Checked:
    """One checked row; InputError names file, row, field, value and what is allowed."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        field = str(first["loc"][0]) if first["loc"] else "(row)"
        known = model.model_fields.get(field)
        raise InputError(
            first["msg"].removeprefix("Value error, ").removeprefix("Input "),
            file=path,
            row=line,
            field=field,
            value=values.get(field, ""),
            allowed=known.description if known else None,
        ) from None
