"""Radios of clients (CPE): the shipped table, or the user's (docs/method.md, section 46)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import BeforeValidator, Field

from pipeline.config.products import CLIENT_TABLE
from pipeline.errors import InputError
from pipeline.rates.link_budget import eirp_dbm
from pipeline.rows.row_models import IdCell, NumberCell, StrippedRow, read_rows, refuse_second


class ClientRow(StrippedRow):
    """A client radio; its antenna points at the station, or has no direction (0 dBi)."""

    id: IdCell
    gain_dbi: Annotated[NumberCell, Field(ge=-10, le=40, description="-10 to 40 dBi")]
    feeder_db: Annotated[NumberCell, Field(ge=0, le=30, description="0 to 30 dB")] = 0.0
    height_m: Annotated[NumberCell, Field(ge=1, le=500, description="1 to 500 m above ground")]
    power_dbm: Annotated[NumberCell, Field(ge=-60, le=90, description="-60 to 90 dBm")]
    pattern: str = ""
    indoor_loss_db: Annotated[NumberCell, Field(ge=0, le=60, description="0 to 60 dB")] = 0.0
    source: str = ""
    verified: Annotated[bool, BeforeValidator(lambda text: str(text).strip() == "true")] = False

    @property
    def receive_db(self) -> float:
        """What the client adds to a level: gain less feeder and building entry loss."""
        return self.gain_dbi - self.feeder_db - self.indoor_loss_db

    @property
    def eirp_dbm(self) -> float:
        """Its e.i.r.p. on the axis."""
        return eirp_dbm(self.power_dbm, self.gain_dbi, self.feeder_db)


class ClientRadios(NamedTuple):
    """Client radios by id, the user's own before shipped ones of the same id."""

    by_id: dict[str, ClientRow]

    def named(self, name: str, option: str = "--cpe") -> ClientRow:
        """A radio by its id; InputError with the known ones."""
        if name not in self.by_id:
            raise InputError("no such client radio", field=option, value=name, allowed=", ".join(self.by_id))
        return self.by_id[name]


def read_clients(own: Path | None = None) -> ClientRadios:
    """The shipped table, and the user's if there is one."""
    found: dict[str, ClientRow] = {}
    for path in (CLIENT_TABLE, *([own] if own is not None else [])):
        rows = read_rows(path, ClientRow)
        refuse_second(path, rows, ("id",))
        found |= {row.id: row for row in rows}
    return ClientRadios(found)
