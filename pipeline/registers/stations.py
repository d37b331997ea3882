"""Rows of the registers of receivers of other services, and which registers a territory names.

CSV, GeoPackage or GeoJSON as for transmitters. Every column without a default in a row's model must exist;
an optional value may be empty. The first bad row is refused: a receiver left out would not be protected.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import BeforeValidator, Field, field_validator, model_validator

from pipeline.config.config import Config
from pipeline.config.register_mapping import RegisterMapping
from pipeline.radio.conventions import PATTERN_POINTS
from pipeline.registers.transmitter_rows import PATTERN_MINIMUM_DB, looks_like_relative_field
from pipeline.rows.row_models import (
    MAY_BE_EMPTY,
    UPPER_CASE,
    IdCell,
    LatCell,
    LonCell,
    NumberCell,
    RowModel,
    row_problem,
)

# Keys of the territory file under which the rows of a register are counted.
TRANSMITTERS_KEY, PMSE_KEY = "registers.transmitters", "pmse.registers"

_ATTENUATIONS = re.compile(r"\d+(\.\d+)?(;\d+(\.\d+)?)+")


def _yes_or_no(text: object) -> object:
    answers = {"yes": True, "no": False, "": None}
    if isinstance(text, str) and text.strip() not in answers:
        raise ValueError("neither yes nor no")
    return answers[text.strip()] if isinstance(text, str) else text


_Coastal = Annotated[
    bool | None, BeforeValidator(_yes_or_no), Field(description="yes, no or empty (by the map)")
]
_Frequency = Annotated[NumberCell, Field(ge=30, le=6000, description="30 to 6000 MHz")]
_Bandwidth = Annotated[NumberCell, Field(gt=0, le=100, description="more than 0, up to 100 MHz")]
_NoiseFigure = Annotated[NumberCell, Field(ge=0, le=40, description="0 to 40 dB")]
_Gain = Annotated[NumberCell, Field(ge=-30, le=60, description="-30 to 60 dBi")]
_Feeder = Annotated[NumberCell, Field(ge=0, le=30, description="0 to 30 dB")]
_Height = Annotated[NumberCell, Field(ge=1, le=1000, description="1 to 1000 m above ground")]
_Selectivity = Annotated[NumberCell, Field(ge=0, le=150, description="0 to 150 dB")]


class _StationRow(RowModel):
    """What every station has: an id and a place in degrees, WGS84."""

    id: IdCell
    lon: LonCell
    lat: LatCell


class TelescopeRow(_StationRow):
    """A radio telescope; ``criterion`` names a row of the table of criteria; no ``acs_db``: not known."""

    criterion: Annotated[str, Field(min_length=1, description="a criterion of the table")]
    antenna_height_m: _Height
    acs_db: Annotated[_Selectivity | None, MAY_BE_EMPTY, Field(description="0 to 150 dB or empty")]
    coastal: _Coastal = None


class ReceiverRow(_StationRow):
    """A receiver with noise and antenna.

    ``pattern``: empty (the gain in all directions), ``F.699``, or 36 or 72 attenuations in dB clockwise from
    the azimuth of the antenna, joined by ``;``.
    """

    f_mhz: _Frequency
    bandwidth_mhz: _Bandwidth
    noise_figure_db: _NoiseFigure
    gain_dbi: _Gain
    feeder_db: _Feeder
    antenna_height_m: _Height
    acs_db: _Selectivity
    azimuth_deg: Annotated[
        Annotated[float, Field(ge=0, le=360)] | None, MAY_BE_EMPTY, Field(description="0 to 360 deg or empty")
    ]
    pattern: Annotated[str, Field(description="empty, F.699, or 36 or 72 values of 0 to 60 dB joined by ;")]
    coastal: _Coastal = None

    @field_validator("pattern")
    @classmethod
    def _known_pattern(cls, text: str) -> str:
        if text in ("", "F.699"):
            return text
        if not _ATTENUATIONS.fullmatch(text) or len(text.split(";")) not in PATTERN_POINTS:
            raise ValueError("not a pattern")
        values_db = [float(value) for value in text.split(";")]
        if looks_like_relative_field(values_db):
            raise ValueError("pattern looks like relative field, not attenuation in dB")
        if min(values_db) > PATTERN_MINIMUM_DB:  # the gain would be nowhere that of the row
            raise ValueError(f"smallest attenuation of the pattern is {min(values_db):g} dB")
        return text

    @model_validator(mode="after")
    def _directed(self) -> ReceiverRow:
        if self.pattern and self.azimuth_deg is None:
            text = "directional pattern without an azimuth"
            raise row_problem("azimuth_deg", text, "0 to 360 deg; or an empty pattern, the gain all around")
        return self


class UnplacedReceiverRow(ReceiverRow):
    """A receiver that may stand anywhere, omnidirectional; whether near the sea is not its own matter."""

    lon: LonCell = 0.0
    lat: LatCell = 0.0
    azimuth_deg: float | None = None
    pattern: str = ""
    coastal: bool | None = False

    @property
    def channels(self) -> None:
        """It concerns all channels: its frequency decides."""
        return


class AeronauticalRow(_StationRow):
    """A station of aeronautical radionavigation; empty ``code``: of unknown kind."""

    code: Annotated[str, Field(max_length=16, description="a code of the table of systems, or empty")]
    country: Annotated[str, UPPER_CASE, Field(pattern=r"^[A-Z]{2}$", description="two letters of ISO 3166")]


class RelayRow(_StationRow):
    """A site that receives television off the air; without a parent the arc is a full circle."""

    channel: Annotated[
        NumberCell, Field(ge=1, le=99, multiple_of=1, description="a channel number of the plan")
    ]
    parent_lon: Annotated[
        Annotated[float, Field(ge=-180, le=180)] | None,
        MAY_BE_EMPTY,
        Field(description="-180 to 180 or empty"),
    ]
    parent_lat: Annotated[
        Annotated[float, Field(ge=-90, le=90)] | None, MAY_BE_EMPTY, Field(description="-90 to 90 or empty")
    ]


# Kinds of stations by section of `incumbents`; those of other sections are receivers.
_MODELS: dict[str, type[RowModel]] = {"radio_astronomy": TelescopeRow, "aeronautical": AeronauticalRow}


class NamedStations(NamedTuple):
    """Registers of one key of the territory file, and the kind of their rows."""

    model: type[RowModel]
    items: list[Path | RegisterMapping]


def station_registers(config: Config) -> dict[str, NamedStations]:
    """Registers of the services other than DTT and PMSE, by key: `registers` or `stations` of a section."""
    found: dict[str, NamedStations] = {}
    for name in type(config.incumbents).model_fields if config.incumbents is not None else ():
        section = getattr(config.incumbents, name)
        for one in section if name == "custom" and section is not None else ():
            if one.registers:
                key = f"incumbents.custom.{one.id}.registers"
                found[key] = NamedStations(ReceiverRow, list(one.registers))
        for part in ("registers", "stations"):
            value = getattr(section, part, None)
            if items := value if isinstance(value, list) else [value] if value is not None else []:
                model = _MODELS.get(name, ReceiverRow)
                found[f"incumbents.{name}.{part}"] = NamedStations(model, items)
    return found
