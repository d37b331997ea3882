"""Tables of measured field strengths: a place per row, of one transmitter or of a channel's strongest."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import numpy as np
import xarray as xr
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.errors import InputError
from pipeline.registers.rows import Number, Optional, row_error
from pipeline.registers.tables import read_table

_COLUMNS = ("lon", "lat", "field_dbuvm")
_Height = Annotated[float, Field(ge=1, le=50)]
Channel = Annotated[int, Field(ge=1, le=99)]


class Measurement(BaseModel):
    """One measured field; without ``h2_m`` the receiving height of the territory."""

    model_config = ConfigDict(frozen=True, extra="ignore", str_strip_whitespace=True, allow_inf_nan=False)

    lon: Annotated[Number, Field(ge=-180, le=180, description="-180 to 180, degrees east, WGS84")]
    lat: Annotated[Number, Field(ge=-90, le=90, description="-90 to 90, degrees north, WGS84")]
    field_dbuvm: Annotated[Number, Field(ge=-60, le=200, description="-60 to 200 dB(uV/m)")]
    h2_m: Annotated[_Height | None, Optional, Field(description="1 to 50 m above ground, or empty")] = None
    channel: Annotated[Channel | None, Optional, Field(description="a channel number, or empty")] = None
    transmitter: Annotated[str, Field(max_length=64, description="id of a transmitter, or empty")] = ""


def read_measurements(path: Path, register: xr.Dataset) -> list[Measurement]:
    """Checked rows; each names a transmitter of the register, or a channel that has one."""
    table = read_table(path, _COLUMNS)
    if table.rejected:
        raise table.rejected[0]
    channels = dict(zip(register["id"].values.tolist(), register["channel"].values.tolist(), strict=True))
    return [_checked(path, record.row, record.values, channels) for record in table.records]


def channel_of(row: Measurement, register: xr.Dataset) -> int:
    """The channel of a measurement."""
    if not row.transmitter and row.channel is not None:
        return row.channel
    return int(register["channel"].values[np.flatnonzero(register["id"].values == row.transmitter)[0]])


def _checked(path: Path, line: int, values: Mapping[str, str], channels: Mapping[str, int]) -> Measurement:
    try:
        row = Measurement.model_validate(values)
    except ValidationError as error:
        raise row_error(Measurement, path, line, values, error) from None
    if row.transmitter and row.transmitter not in channels:
        raise InputError(
            "transmitter is not in the register",
            file=path,
            row=line,
            field="transmitter",
            value=row.transmitter,
            allowed="an id of registers.transmitters",
        )
    if row.transmitter and row.channel not in (None, channels[row.transmitter]):
        raise InputError(
            "transmitter is on another channel",
            file=path,
            row=line,
            field="channel",
            value=row.channel,
            allowed=str(channels[row.transmitter]),
        )
    if not row.transmitter and row.channel not in channels.values():
        used = ", ".join(str(channel) for channel in sorted(set(channels.values())))
        raise InputError(
            "neither a transmitter nor a channel with one",
            file=path,
            row=line,
            field="channel",
            value=row.channel,
            allowed=f"a transmitter, or one of {used}",
        )
    return row
