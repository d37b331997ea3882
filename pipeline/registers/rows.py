"""One row of the transmitter register: types, ranges and the checks that need the channel plan.

Field names are the columns of the file. The description of a field is what an error message gives as allowed.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from pipeline.errors import InputError
from pipeline.radio.antennas import PATTERN_POINTS
from pipeline.radio.channel_plan import Plan, centre_mhz, channels_in_words, segment_of

# A transmitter's nominal channel against its stated centre frequency: offsets of a few hundred kHz exist.
CENTRE_TOLERANCE_MHZ = 0.3
WIDTH_TOLERANCE_MHZ = 0.01
# Sampled every 5 or 10 degrees, the direction of maximum radiation may fall between two samples.
PATTERN_MINIMUM_DB = 3.0
PATTERN_MAXIMUM_DB = 60.0
NULL_ISLAND_DEG = 0.01

_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
_WHOLE = re.compile(r"[0-9]{1,4}(\.0*)?")


class Box(NamedTuple):
    """Area in which every site must lie, degrees WGS84; west > east crosses the 180th meridian."""

    west_deg: float
    south_deg: float
    east_deg: float
    north_deg: float


class RowRules(NamedTuple):
    """What a row is checked against beside its own ranges.

    ``plan`` the channel raster; ``box`` where sites may lie (None: anywhere on Earth); ``modes`` the known
    (system, mode) pairs (None: any mode).
    """

    plan: Plan
    box: Box | None = None
    modes: Collection[tuple[str, str]] | None = None


def _finite(text: str) -> float:
    """Text to a finite number; NaN, infinity, digit separators and words are refused."""
    if not _NUMBER.fullmatch(text.strip()):
        raise ValueError("not a number" if text.strip() else "value is missing")
    return float(text)


def _number(text: object) -> object:
    return _finite(text) if isinstance(text, str) else text


def _optional_number(text: object) -> object:
    return None if isinstance(text, str) and not text.strip() else _number(text)


def _whole(text: object) -> object:
    if not isinstance(text, str):
        return text
    if not _WHOLE.fullmatch(text.strip()):
        raise ValueError("value is missing" if not text.strip() else "not a whole number")
    return int(float(text))


def _attenuations(text: object) -> object:
    """``0.0;0.3;...`` to numbers in dB."""
    if not isinstance(text, str):
        return text
    values = tuple(_finite(item) for item in text.split(";")) if text.strip() else ()
    if values and len(values) not in PATTERN_POINTS:
        raise ValueError(f"pattern has {len(values)} points")
    if values and min(values) > PATTERN_MINIMUM_DB:
        raise ValueError(f"smallest attenuation of the pattern is {min(values):g} dB")
    return values


def _vertical(text: object) -> object:
    """``0:0;1.5:3;...`` to (depression in degrees, attenuation in dB) pairs, ascending."""
    if not isinstance(text, str):
        return text
    pairs = [item.split(":") for item in text.split(";")] if text.strip() else []
    if any(len(pair) != 2 for pair in pairs):
        raise ValueError("vertical pattern is not a list of depression:attenuation")
    points = [(_finite(depression), _finite(attenuation)) for depression, attenuation in pairs]
    if any(upper[0] >= lower[0] for upper, lower in pairwise(points)):
        raise ValueError("depressions do not ascend")
    return tuple(points)


Number = Annotated[float, BeforeValidator(_number)]
Upper = BeforeValidator(lambda text: text.upper() if isinstance(text, str) else text)
PRINTABLE = r"^[^\x00-\x1f\x7f]*$"

HeightAboveGround = Annotated[float, Field(ge=0, le=900)]
HeightAboveSea = Annotated[float, Field(ge=-450, le=9000)]
HeightAboveTerrain = Annotated[float, Field(ge=-2000, le=5000)]
Tilt = Annotated[float, Field(ge=-10, le=30)]
Attenuation = Annotated[float, Field(ge=0, le=PATTERN_MAXIMUM_DB)]
Depression = Annotated[float, Field(ge=-90, le=90)]
Optional = BeforeValidator(_optional_number)

NAME = "up to 64 printable characters"
PATTERN = "empty, or 36 or 72 values of 0 to 60 dB joined by ;, the smallest about 0"
VERTICAL = "empty, or depression:attenuation joined by ;, ascending, -90 to 90 deg, 0 to 60 dB"


class TransmitterRow(BaseModel):
    """One DTT assignment as registered; an empty text or None is "not given"."""

    model_config = ConfigDict(frozen=True, extra="ignore", str_strip_whitespace=True, allow_inf_nan=False)

    id: Annotated[
        str, Field(min_length=1, max_length=64, pattern=PRINTABLE, description="1 to 64 printable characters")
    ]
    site: Annotated[
        str, Field(max_length=200, pattern=PRINTABLE, description="up to 200 printable characters")
    ]
    lon: Annotated[Number, Field(ge=-180, le=180, description="-180 to 180, degrees east, WGS84")]
    lat: Annotated[Number, Field(ge=-90, le=90, description="-90 to 90, degrees north, WGS84")]
    channel: Annotated[int, BeforeValidator(_whole), Field(description="a channel number of the plan")]
    centre_mhz: Annotated[Number, Field(ge=30, le=4000, description="30 to 4000 MHz")]
    bandwidth_mhz: Annotated[Number, Field(ge=1, le=20, description="1 to 20 MHz")]
    erp_kw: Annotated[Number, Field(gt=0, le=5000, description="more than 0, up to 5000 kW")]
    antenna_height_agl_m: Annotated[
        HeightAboveGround | None, Optional, Field(description="0 to 900 m; empty only with haat_m")
    ]
    site_height_asl_m: Annotated[
        HeightAboveSea | None, Optional, Field(description="-450 to 9000 m or empty")
    ]
    polarisation: Annotated[Literal["H", "V", "M", ""], Upper, Field(description="H, V, M or empty")]
    pattern_azimuth_attenuation_db: Annotated[
        tuple[Attenuation, ...], BeforeValidator(_attenuations), Field(description=PATTERN)
    ]
    system: Annotated[Literal["DVB-T", "DVB-T2", "ATSC", ""], Field(description="DVB-T, DVB-T2 or ATSC")]
    multiplex_mode: Annotated[str, Field(max_length=40, pattern=PRINTABLE, description="a mode or empty")]
    sfn: Annotated[str, Field(max_length=64, pattern=PRINTABLE, description=NAME)] = ""
    country: Annotated[
        str, Upper, Field(pattern=r"^([A-Z]{2})?$", description="two-letter code of ISO 3166 or empty")
    ] = ""
    haat_m: Annotated[HeightAboveTerrain | None, Optional, Field(description="-2000 to 5000 m or empty")] = (
        None
    )
    beam_tilt_deg: Annotated[Tilt | None, Optional, Field(description="-10 to 30 deg or empty")] = None
    vertical_pattern_deg_attenuation_db: Annotated[
        tuple[tuple[Depression, Attenuation], ...], BeforeValidator(_vertical), Field(description=VERTICAL)
    ] = ()


REQUIRED_COLUMNS = tuple(name for name, field in TransmitterRow.model_fields.items() if field.is_required())


def check_row(path: Path, row: int, values: Mapping[str, str], rules: RowRules) -> TransmitterRow:
    """The checked row; InputError names file, row, field, value and what is allowed."""
    try:
        record = TransmitterRow.model_validate(dict(values))
    except ValidationError as error:
        raise row_error(TransmitterRow, path, row, values, error) from None
    problem = _place_problem(record, rules.box) or _channel_problem(record, rules.plan)
    problem = problem or _other_problem(record, rules)
    if problem is not None:
        raise InputError(
            problem.text,
            file=path,
            row=row,
            field=problem.field,
            value=values.get(problem.field, ""),
            allowed=problem.allowed,
        )
    return record


class _Problem(NamedTuple):
    field: str
    text: str
    allowed: str


def _place_problem(record: TransmitterRow, box: Box | None) -> _Problem | None:
    if abs(record.lon) < NULL_ISLAND_DEG and abs(record.lat) < NULL_ISLAND_DEG:
        return _Problem("lon", "site lies at 0, 0", "the coordinates of the site")
    if box is None or _inside(box, record.lon, record.lat):
        return None
    exchanged = "; lon and lat look exchanged" if _inside(box, record.lat, record.lon) else ""
    if not box.south_deg <= record.lat <= box.north_deg:
        return _Problem("lat", f"implausible place{exchanged}", f"{box.south_deg} to {box.north_deg}")
    return _Problem("lon", f"implausible place{exchanged}", f"{box.west_deg} to {box.east_deg}")


def _inside(box: Box, lon_deg: float, lat_deg: float) -> bool:
    if box.west_deg <= box.east_deg:
        within = box.west_deg <= lon_deg <= box.east_deg
    else:
        within = lon_deg >= box.west_deg or lon_deg <= box.east_deg
    return within and box.south_deg <= lat_deg <= box.north_deg


def _channel_problem(record: TransmitterRow, plan: Plan) -> _Problem | None:
    segment = segment_of(plan, record.channel)
    if segment is None:
        return _Problem("channel", "channel is not in the plan", channels_in_words(plan))
    centre = centre_mhz(segment, record.channel)
    if abs(record.centre_mhz - centre) > CENTRE_TOLERANCE_MHZ:
        text = f"frequency is not that of channel {record.channel}"
        return _Problem("centre_mhz", text, f"{centre:g} MHz within {CENTRE_TOLERANCE_MHZ} MHz")
    if abs(record.bandwidth_mhz - segment.width_mhz) > WIDTH_TOLERANCE_MHZ:
        text = f"bandwidth is not that of channel {record.channel}"
        return _Problem("bandwidth_mhz", text, f"{segment.width_mhz:g} MHz")
    return None


def _other_problem(record: TransmitterRow, rules: RowRules) -> _Problem | None:
    if record.antenna_height_agl_m is None and record.haat_m is None:
        return _Problem("antenna_height_agl_m", "value is missing", "0 to 900 m; empty only with haat_m")
    if not record.multiplex_mode:
        return None
    if not record.system:
        return _Problem("system", "a mode without its system", "DVB-T, DVB-T2 or ATSC")
    if rules.modes is not None and (record.system, record.multiplex_mode) not in rules.modes:
        known = sorted(mode for system, mode in rules.modes if system == record.system)
        return _Problem("multiplex_mode", f"unknown mode of {record.system}", ", ".join(known) or "empty")
    return None


def row_error(
    model: type[BaseModel], path: Path, row: int, values: Mapping[str, str], error: ValidationError
) -> InputError:
    """The first fault of a row as InputError; what is allowed is the description of the field."""
    first = error.errors()[0]
    field = str(first["loc"][0])
    text = first["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return InputError(
        f"refused: {text}" if text.startswith("should") else text,
        file=path,
        row=row,
        field=field,
        value=values.get(field, ""),
        allowed=model.model_fields[field].description,
    )
