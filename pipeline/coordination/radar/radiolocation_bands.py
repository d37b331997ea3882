"""Bands of the radiolocation service between 3 and 50 MHz by Region, and the Region of a geographical area.

RR Article 5 allocates by Region, and in footnotes by country. CR/372 takes any, primary or secondary.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import BeforeValidator, Field, model_validator

from pipeline.coordination.radar.resolution612 import (
    FREQUENCY_ROUNDING_MHZ,
    MAX_FREQUENCY_MHZ,
    MIN_FREQUENCY_MHZ,
)
from pipeline.rows.row_models import NumberCell, SourcedRow, read_rows, row_problem
from pipeline.shipped import TABLES

_RADAR_BANDS = TABLES / "oceanographic_radar_bands.csv"
_AREA_REGIONS = TABLES / "area_regions.csv"
REGIONS = (1, 2, 3)

_Frequency = Annotated[
    NumberCell, Field(ge=MIN_FREQUENCY_MHZ, le=MAX_FREQUENCY_MHZ, description="3 to 50 MHz")
]
_Status = Annotated[Literal["primary", "secondary", ""], Field(description="primary, secondary or empty")]


def _codes(text: object) -> object:
    return tuple(text.split(";")) if isinstance(text, str) and text else ()


class RadarBand(NamedTuple):
    """A band, the Regions in which it is allocated, and the countries of a footnote (none: all there)."""

    from_mhz: float
    to_mhz: float
    regions: frozenset[int] = frozenset(REGIONS)
    administrations: frozenset[str] = frozenset()


class _BandRow(SourcedRow):
    from_mhz: _Frequency
    to_mhz: _Frequency
    region_1: _Status
    region_2: _Status
    region_3: _Status
    administrations: Annotated[
        tuple[str, ...], BeforeValidator(_codes), Field(description="ITU codes joined by ;, or empty")
    ]

    @model_validator(mode="after")
    def _ascending(self) -> _BandRow:
        if self.from_mhz >= self.to_mhz:
            raise row_problem("to_mhz", "is not a band", "more than from_mhz")
        return self


class _AreaRow(SourcedRow):
    area: Annotated[str, Field(pattern="^[A-Z]{1,3}$", description="one to three capital letters")]
    region: Annotated[Literal["1", "2", "3"], Field(description="1, 2 or 3")]


def read_bands(path: Path = _RADAR_BANDS) -> list[RadarBand]:
    """Bands in MHz; the same form serves for a national list."""
    return [
        RadarBand(
            row.from_mhz,
            row.to_mhz,
            frozenset(n for n in REGIONS if getattr(row, f"region_{n}")),
            frozenset(row.administrations),
        )
        for row in read_rows(path, _BandRow)
    ]


def read_area_regions(path: Path = _AREA_REGIONS) -> Mapping[str, int]:
    """Region by code of a geographical area (Preface to the BR IFIC)."""
    return {row.area: int(row.region) for row in read_rows(path, _AreaRow)}


def bands_at(bands: list[RadarBand], region: int | None, codes: set[str]) -> list[RadarBand]:
    """The bands allocated in a Region (None: in any) for these codes of administration and area."""
    return [
        band
        for band in bands
        if (region is None or region in band.regions)
        and (not band.administrations or band.administrations & codes)
    ]


def band_fits(bands: list[RadarBand], frequency_mhz: float, half_width_mhz: float = 0.0) -> bool:
    """Whether some band holds the frequency with that much on either side; edges belong to the band."""
    slack = FREQUENCY_ROUNDING_MHZ - half_width_mhz
    return any(b.from_mhz - slack <= frequency_mhz <= b.to_mhz + slack for b in bands)
