"""The table of aeronautical radionavigation: systems with distances and receivers, administrations, bands."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from pipeline.config.base import Number, Section
from pipeline.config.load import read_model
from pipeline.errors import InputError
from pipeline.radio.emission import Band

_Kilometres = Annotated[Number, Field(gt=0, le=1000)] | Annotated[int, Field(gt=0, le=1000)]
_Megahertz = Annotated[Number, Field(ge=30, le=6000)] | Annotated[int, Field(ge=30, le=6000)]
_LAND_FRACTIONS = ("half_or_more", "less_than_half")


class ArnsSystem(Section):
    """Distances of one system in km, for land fractions of at least half and of less."""

    code: str
    name: str
    receiver: Literal["ground", "aircraft"]
    receiving_km: tuple[_Kilometres, _Kilometres]
    transmitting_km: tuple[_Kilometres, _Kilometres]


class TriggerReceiver(Section):
    """Field that a system tolerates in its bandwidth; null = in no source."""

    code: str
    field_dbuvm: Number | None
    bandwidth_mhz: Annotated[Number, Field(gt=0)] | None
    rx_height_m: Annotated[Number, Field(gt=0)]


class Administration(Section):
    """Bands that an administration of RR No. 5.312 uses, in MHz."""

    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
    bands_mhz: list[tuple[_Megahertz, _Megahertz]]


class ArnsTable(Section):
    """The whole table with its source."""

    source: Annotated[str, Field(min_length=3)]
    verified: bool
    systems: Annotated[list[ArnsSystem], Field(min_length=1)]
    receivers: list[TriggerReceiver]
    administrations: list[Administration]

    @model_validator(mode="after")
    def _same_codes(self) -> ArnsTable:
        codes = [system.code for system in self.systems]
        if len(set(codes)) != len(codes) or sorted(codes) != sorted(r.code for r in self.receivers):
            raise ValueError("systems and receivers must have the same codes, each once")
        return self


def read_arns_table(path: Path) -> ArnsTable:
    """Read and check the table."""
    return read_model(path, ArnsTable)


def largest_distance_km(
    table: ArnsTable, codes: Iterable[str], base_station: str, land_share: str, *, file: Path
) -> float:
    """Largest distance of some systems (none named: of all)."""
    wanted = list(codes) or [system.code for system in table.systems]
    by_code = {system.code: system for system in table.systems}
    if unknown := [code for code in wanted if code not in by_code]:
        raise InputError(
            "no such system", file=file, field="code", value=unknown[0], allowed=", ".join(by_code)
        )
    column = _LAND_FRACTIONS.index(land_share)
    pairs = [
        by_code[c].transmitting_km if base_station == "transmitting" else by_code[c].receiving_km
        for c in wanted
    ]
    return float(max(pair[column] for pair in pairs))


def countries_using(table: ArnsTable, block: Band) -> list[str]:
    """Administrations with a band that a device's block overlaps."""
    return [
        administration.country
        for administration in table.administrations
        if any(
            block.low_mhz < high_mhz and block.high_mhz > low_mhz
            for low_mhz, high_mhz in administration.bands_mhz
        )
    ]
