"""The numbers of the radar layers: separation distances, country codes. All of configs/tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from pipeline.config.load import read_model
from pipeline.rows.row_models import SourcedRow, read_rows
from pipeline.shipped import TABLES

DISTANCES = TABLES / "res612_distances.yaml"
ITU_CODES = TABLES / "itu_codes.csv"
MIN_FREQUENCY_MHZ, MAX_FREQUENCY_MHZ = 3.0, 50.0
# Frequencies are compared within a hertz: 4.488 is not above 4.463 + 0.025.
FREQUENCY_ROUNDING_MHZ = 1.0e-6
MAX_EIRP_DBW = 25.0  # Resolution 612 (Rev.WRC-12), resolves 2

_Km = Annotated[float, Field(gt=0.0, le=5000.0)]


class Noise(StrEnum):
    """Noise category of the receiving site (Rec. ITU-R P.372); the Bureau always takes the quiet one."""

    RURAL = "rural"
    QUIET_RURAL = "quiet_rural"


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class _ByNoise(_Strict):
    rural: _Km
    quiet_rural: _Km


class _Row(_Strict):
    centre_mhz: Annotated[float, Field(gt=0.0)]
    tolerance_mhz: Annotated[float, Field(gt=0.0)]
    land_km: _ByNoise
    sea_or_mixed_km: _ByNoise


class _Distances(_Strict):
    source: Annotated[str, Field(min_length=3)]
    verified: bool
    default_noise: Literal["rural", "quiet_rural"]
    rows: Annotated[list[_Row], Field(min_length=1)]


class RequiredSeparation(NamedTuple):
    """Required distances for one frequency row and noise category: D_L over land, D_S over sea or mixed."""

    row_mhz: float
    land_km: float
    sea_km: float


def _codes(text: object) -> object:
    codes = tuple(code for code in text.split(";") if code) if isinstance(text, str) else ()
    if not all(code.isalpha() and code.isupper() and len(code) <= 3 for code in codes):
        raise ValueError("is no ITU code")
    return codes


class _CodesRow(SourcedRow):
    iso_numeric: str
    name: str
    adm: Annotated[
        tuple[str, ...],
        BeforeValidator(_codes),
        Field(description="one to three capital letters, several joined by ;"),
    ]


class ItuCodes(NamedTuple):
    """Administrations by polygon: through the numeric code of ISO 3166 where there is one, else by name.

    The value is a tuple of codes: none (ignored), one, or all parties of a disputed area.
    """

    by_iso_numeric: Mapping[str, tuple[str, ...]]
    by_name: Mapping[str, tuple[str, ...]]

    @property
    def administrations(self) -> frozenset[str]:
        """Every code that stands for an administration in the table."""
        return frozenset(c for t in (*self.by_iso_numeric.values(), *self.by_name.values()) for c in t)


def required_separation(
    frequency_mhz: float,
    noise: Noise = Noise.QUIET_RURAL,
    *,
    conservative_gap: bool = False,
    path: Path = DISTANCES,
) -> RequiredSeparation | None:
    """Distances of Resolution 612, *resolves* 6; None where the Resolution gives none.

    The intervals include both ends. ``conservative_gap`` takes the next lower row between intervals.
    """
    rows = sorted(_distances(path).rows, key=lambda row: row.centre_mhz)
    fitting = [
        row
        for row in rows
        if abs(frequency_mhz - row.centre_mhz) <= row.tolerance_mhz + FREQUENCY_ROUNDING_MHZ
    ]
    if not fitting and conservative_gap:
        fitting = [row for row in rows if row.centre_mhz < frequency_mhz][-1:]
    if not fitting:
        return None
    row = fitting[0]
    return RequiredSeparation(
        row.centre_mhz, getattr(row.land_km, noise.value), getattr(row.sea_or_mixed_km, noise.value)
    )


def unknown_administrations(codes: Iterable[str]) -> list[str]:
    """Those of the codes, also of organisations such as F/EUT, whose administration is not in the table."""
    known = read_itu_codes().administrations
    return sorted({code for code in codes if code.partition("/")[0] not in known})


def read_itu_codes(path: Path = ITU_CODES) -> ItuCodes:
    """Administration codes of country polygons; ``adm`` holds codes joined by ``;`` or nothing."""
    by_iso, by_name = {}, {}
    for row in read_rows(path, _CodesRow):
        by_name[row.name] = row.adm
        if row.iso_numeric:
            by_iso[row.iso_numeric] = row.adm
    return ItuCodes(by_iso, by_name)


@cache
def _distances(path: Path) -> _Distances:
    return read_model(path, _Distances)
