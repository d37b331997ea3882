"""The tables of configs/tables on what DTT reception tolerates: modes, device classes, protection ratios.

Each number has its source in its row. ``*`` in a column of names means all.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, Field, model_validator

from pipeline.config.protection import Protection
from pipeline.errors import InputError
from pipeline.radio.emission import CLASS_OFFSETS
from pipeline.rows.row_models import (
    MAY_BE_EMPTY,
    NumberCell,
    SourcedRow,
    WholeCell,
    read_rows,
    refuse_second,
    row_problem,
)

ANY = "*"
CLASSES = (1, 2, 3, 4, 5)
"""Emission classes of EN 301 598, table 2."""

ModeKey = tuple[str, str]
"""System and mode, such as ``("DVB-T", "64QAM 2/3")``."""


def _class_or_any(text: str) -> str:
    if text not in (ANY, *map(str, CLASSES)):
        raise ValueError("not an emission class")
    return text


NameCell = Annotated[str, Field(min_length=1, description="a name or *")]
ClassCell = Annotated[WholeCell, Field(ge=1, le=5, description="1 to 5")]
ClassOrAnyCell = Annotated[str, AfterValidator(_class_or_any), Field(description="* or 1 to 5")]


class ModeValues(NamedTuple):
    """Planning values of a transmission mode: C/N needed in fixed reception and noise bandwidth."""

    c_n_db: float
    noise_bandwidth_mhz: float


class Ratio(NamedTuple):
    """One row of a table of protection ratios; bounds of the wanted level at 0 dBi, infinite where open.

    ``quantity``: ``acs_db`` selectivity of the receiver, ``pr_db`` the protection ratio itself, ``oth_dbm``
    overload threshold (NaN = not known). ``load`` of the device in the measurement, idle or loaded;
    ``tuner_percentile`` share of tuners that the row protects, in %, NaN where nobody says.
    """

    row: int
    system: str
    mode: str
    emission_class: str
    offset: int
    from_dbm: float
    to_dbm: float
    quantity: str
    value: float
    load: str = "loaded"
    tuner_percentile: float = math.nan
    verified: bool = False


class TierStep(NamedTuple):
    """What receivers lose in selectivity from a wanted level at 0 dBi on, up to ``to_dbm``; infinite ends."""

    from_dbm: float
    to_dbm: float
    loss_db: float


class LoadRules(NamedTuple):
    """What idle devices cost (docs/method.md, section 7): settings of ``protection``."""

    idle: bool
    penalty_db: float
    on_ratio: bool
    overload_db: float


class ProtectionTables(NamedTuple):
    """The tables of the protection of DTT together, and how they are read; the files for error messages.

    ``offsets`` in use, None = all with a row; ``last_row``: and those beyond by the outermost row.
    """

    modes: dict[ModeKey, ModeValues]
    aflr_db: dict[int, dict[int, float]]
    ratios: list[Ratio]
    dtt_db: dict[tuple[str, str, int], float]
    ratios_file: Path
    dtt_file: Path
    load: LoadRules
    tiers: list[TierStep]
    offsets: frozenset[int] | None
    last_row: bool


def read_protection_tables(settings: Protection) -> ProtectionTables:
    """Read and check the tables that a configuration names."""
    return ProtectionTables(
        read_modes(settings.modes),
        leakage_in_use(settings),
        ratios_in_use(settings),
        read_dtt_ratios(settings.dtt_ratios),
        settings.ratios,
        settings.dtt_ratios,
        LoadRules(
            settings.load == "idle",
            settings.idle_penalty_db.value,
            settings.idle_on == "ratio",
            settings.overload_idle_db.value,
        ),
        [] if settings.tiers is None else read_tiers(settings.tiers),
        None if settings.offsets is None else frozenset(settings.offsets),
        settings.beyond_table == "last_row",
    )


def leakage_in_use(settings: Protection) -> dict[int, dict[int, float]]:
    """AFLR as of ``read_device_classes``, more by the filters that a configuration puts at the outputs."""
    classes = read_device_classes(settings.device_classes)
    extra_db = settings.extra_aclr_db
    return {name: {k: aflr + extra_db for k, aflr in found.items()} for name, found in classes.items()}


def ratios_in_use(settings: Protection) -> list[Ratio]:
    """Rows of the table of ratios; without thresholds of overload where `overload` says so."""
    rows = read_ratios(settings.ratios)
    return rows if settings.overload == "rows" else [row for row in rows if row.quantity != "oth_dbm"]


# --- modes --------------------------------------------------------------------------------------------------


class _ModeRow(SourcedRow):
    system: NameCell
    mode: NameCell
    c_n_db: Annotated[NumberCell, Field(ge=-20, le=60, description="-20 to 60 dB")]
    noise_bandwidth_mhz: Annotated[NumberCell, Field(ge=0.1, le=20, description="0.1 to 20 MHz")]


def read_modes(path: Path) -> dict[ModeKey, ModeValues]:
    """C/N [dB] and noise bandwidth [MHz] by (system, mode)."""
    rows = read_rows(path, _ModeRow)
    refuse_second(path, rows, ("system", "mode"))
    return {(row.system, row.mode): ModeValues(row.c_n_db, row.noise_bandwidth_mhz) for row in rows}


# --- classes of devices -------------------------------------------------------------------------------------


class _ClassRow(SourcedRow):
    emission_class: ClassCell
    offset: Annotated[WholeCell, Field(ge=1, le=3, description="1 to 3 channels")]
    aflr_db: Annotated[NumberCell, Field(ge=0, le=150, description="0 to 150 dB")]


def read_device_classes(path: Path) -> dict[int, dict[int, float]]:
    """AFLR [dB, 100 kHz relative to the in-block 8 MHz] by class and distance in channels 1, 2, 3+."""
    rows = read_rows(path, _ClassRow)
    refuse_second(path, rows, ("emission_class", "offset"))
    classes: dict[int, dict[int, float]] = {number: {} for number in CLASSES}
    for row in rows:
        classes[row.emission_class][row.offset] = row.aflr_db
    for number, offsets in classes.items():
        if missing := sorted(set(CLASS_OFFSETS) - set(offsets)):
            raise InputError(
                f"class {number} lacks a leakage ratio",
                file=path,
                field="offset",
                value=missing,
                allowed="offsets 1, 2, 3 for the classes 1 to 5",
            )
    return classes


# --- protection ratios against devices ----------------------------------------------------------------------

_LEVEL = Field(description="-200 to 100 dBm or empty")
_VALUES = {"acs_db": (0.0, 150.0), "pr_db": (-150.0, 60.0), "oth_dbm": (-100.0, 50.0)}
_Level = Annotated[float, Field(ge=-200, le=100)]
_Percentile = Annotated[float, Field(ge=0, le=100)]


class _RatioRow(SourcedRow):
    system: NameCell
    mode: NameCell
    emission_class: ClassOrAnyCell
    offset: Annotated[WholeCell, Field(ge=-99, le=99, description="-99 to 99 channels")]
    from_dbm: Annotated[_Level | None, MAY_BE_EMPTY, _LEVEL]
    to_dbm: Annotated[_Level | None, MAY_BE_EMPTY, _LEVEL]
    quantity: Annotated[Literal["acs_db", "pr_db", "oth_dbm"], Field(description="acs_db, pr_db or oth_dbm")]
    value: Annotated[float | None, MAY_BE_EMPTY, Field(description="a number")]
    load: Annotated[Literal["idle", "loaded"], Field(description="idle or loaded")] = "loaded"
    tuner_percentile: Annotated[
        _Percentile | None, MAY_BE_EMPTY, Field(description="0 to 100 % or empty")
    ] = None

    @property
    def bounds_dbm(self) -> tuple[float, float]:
        """Wanted levels of the row, infinite where open."""
        low, high = self.from_dbm, self.to_dbm
        return -math.inf if low is None else low, math.inf if high is None else high

    @model_validator(mode="after")
    def _consistent(self) -> _RatioRow:
        everything = self.bounds_dbm == (-math.inf, math.inf) and self.system == self.mode == ANY
        low, high = _VALUES[self.quantity]
        if self.system == ANY != self.mode:
            raise row_problem("mode", "value is not allowed", "* where system is *")
        if self.bounds_dbm[0] >= self.bounds_dbm[1]:
            raise row_problem("to_dbm", "value is not allowed", f"more than from_dbm = {self.from_dbm}")
        if self.quantity == "oth_dbm" and not everything:
            allowed = "oth_dbm for all systems, modes and wanted levels at once"
            raise row_problem("quantity", "value is not allowed", allowed)
        if not (self.quantity == "oth_dbm" if self.value is None else low <= self.value <= high):
            raise row_problem("value", "value is not allowed", f"a number from {low} to {high}")
        if self.quantity == "acs_db" and self.offset == 0:
            allowed = "another channel than 0: co-channel there is no selectivity"
            raise row_problem("offset", "value is not allowed", allowed)
        return self


def read_ratios(path: Path) -> list[Ratio]:
    """All rows of a table of protection ratios; which of them are needed is checked where they are used."""
    return [
        Ratio(
            row.row,
            row.system,
            row.mode,
            row.emission_class,
            row.offset,
            *row.bounds_dbm,
            row.quantity,
            math.nan if row.value is None else row.value,
            row.load,
            math.nan if row.tuner_percentile is None else row.tuner_percentile,
            row.verified,
        )
        for row in read_rows(path, _RatioRow)
    ]


# --- tiers of the wanted level ------------------------------------------------------------------------------


class _TierRow(SourcedRow):
    from_dbm: Annotated[_Level | None, MAY_BE_EMPTY, _LEVEL]
    to_dbm: Annotated[_Level | None, MAY_BE_EMPTY, _LEVEL]
    loss_db: Annotated[NumberCell, Field(ge=0, le=60, description="0 to 60 dB")]


def read_tiers(path: Path) -> list[TierStep]:
    """Steps of the wanted level, weakest first; the first and the last are open, none leaves a gap."""
    rows = sorted(
        read_rows(path, _TierRow), key=lambda row: -math.inf if row.from_dbm is None else row.from_dbm
    )
    ends_dbm = [None, *(row.to_dbm for row in rows[:-1])]
    for row, from_dbm in zip(rows, ends_dbm, strict=True):
        if row.from_dbm != from_dbm or (row.to_dbm is None) != (row is rows[-1]):
            raise InputError(
                "tiers overlap or leave a gap",
                file=path,
                row=row.row,
                field="from_dbm",
                value=row.from_dbm,
                allowed="levels that follow each other, the lowest and the highest tier open",
            )
    lows = [-math.inf if row.from_dbm is None else row.from_dbm for row in rows]
    return [
        TierStep(*step)
        for step in zip(lows, [*lows[1:], math.inf], [row.loss_db for row in rows], strict=True)
    ]


# --- protection ratios against DTT --------------------------------------------------------------------------


class _DttRatioRow(SourcedRow):
    wanted_system: NameCell
    wanted_mode: NameCell
    offset: Annotated[WholeCell, Field(ge=-1, le=1, description="-1, 0 or 1 channel")]
    pr_db: Annotated[NumberCell, Field(ge=-100, le=60, description="-100 to 60 dB")]


def read_dtt_ratios(path: Path) -> dict[tuple[str, str, int], float]:
    """Protection ratio [dB] DTT against DTT by (system, mode or ``*``, offset -1, 0 or 1)."""
    rows = read_rows(path, _DttRatioRow)
    refuse_second(path, rows, ("wanted_system", "wanted_mode", "offset"))
    return {(row.wanted_system, row.wanted_mode, row.offset): row.pr_db for row in rows}
