"""Tables of measured field strengths: a place per row, of one transmitter or of a channel's strongest."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import xarray as xr
from pydantic import Field, ValidationInfo, model_validator

from pipeline.rows.row_models import (
    MAY_BE_EMPTY,
    LatCell,
    LonCell,
    NumberCell,
    RowModel,
    read_rows,
    row_problem,
    rules_of,
)

_Height = Annotated[float, Field(ge=1, le=50)]
Channel = Annotated[int, Field(ge=1, le=99)]


class Measurement(RowModel):
    """One measured field; without ``h2_m`` the receiving height of the territory.

    Checked against the channels of the register by the ids of its transmitters.
    """

    lon: LonCell
    lat: LatCell
    field_dbuvm: Annotated[NumberCell, Field(ge=-60, le=200, description="-60 to 200 dB(uV/m)")]
    h2_m: Annotated[_Height | None, MAY_BE_EMPTY, Field(description="1 to 50 m above ground, or empty")] = (
        None
    )
    channel: Annotated[Channel | None, MAY_BE_EMPTY, Field(description="a channel number, or empty")] = None
    transmitter: Annotated[str, Field(max_length=64, description="id of a transmitter, or empty")] = ""

    @model_validator(mode="after")
    def _of_the_register(self, info: ValidationInfo) -> Measurement:
        channels: dict[str, int] = rules_of(info, dict)
        if not self.transmitter:
            if self.channel not in channels.values():
                used = ", ".join(str(channel) for channel in sorted(set(channels.values())))
                problem = "neither a transmitter nor a channel with one"
                raise row_problem("channel", problem, f"a transmitter, or one of {used}")
            return self
        if self.transmitter not in channels:
            problem = "transmitter is not in the register"
            raise row_problem("transmitter", problem, "an id of registers.transmitters")
        if self.channel not in (None, channels[self.transmitter]):
            problem = "transmitter is on another channel"
            raise row_problem("channel", problem, str(channels[self.transmitter]))
        return self


def read_measurements(path: Path, register: xr.Dataset) -> list[Measurement]:
    """Checked rows; each names a transmitter of the register, or a channel that has one."""
    channels = dict(zip(register["id"].values.tolist(), register["channel"].values.tolist(), strict=True))
    return read_rows(path, Measurement, context=channels)


def channel_of(row: Measurement, register: xr.Dataset) -> int:
    """The channel of a measurement."""
    if not row.transmitter and row.channel is not None:
        return row.channel
    return int(register["channel"].values[np.flatnonzero(register["id"].values == row.transmitter)[0]])
