"""Tables of modes of white-space radios: which rate at which received level (docs/method.md, section 43).

A table is a CSV of ``configs/tables/link_modes`` or of the user. A mode needs a carrier-to-noise ratio or a
sensitivity; one with neither is listed and never chosen.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from statistics import NormalDist
from typing import Annotated, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from pipeline.config.products import MODE_TABLES
from pipeline.errors import InputError
from pipeline.rates.link_budget import noise_level_dbm
from pipeline.rows.row_models import (
    MAY_BE_EMPTY,
    NumberCell,
    SourcedRow,
    read_rows,
    refuse_second,
    row_problem,
)

# Standard deviation of the field over locations (GE06, BT.2036; Annex 5 by differences).
SIGMA_DB = 5.5
# A filed sensitivity and that of noise and C/N are told apart from here on.
_MISMATCH_DB = 0.5
_SAME_MHZ = 1e-6


class LinkModeRow(SourcedRow):
    """A mode: its rate in ``bandwidth_mhz``, what it needs, and limits of the receiver it belongs to."""

    table: Annotated[str, Field(min_length=1, max_length=64, description="name of the table")]
    mode: Annotated[str, Field(min_length=1, max_length=64, description="name of the mode")]
    rate_mbps: Annotated[NumberCell, Field(gt=0, le=10_000, description="above 0 to 10000 Mbit/s")]
    cn_db: Annotated[
        Annotated[float, Field(ge=-30, le=60)] | None,
        MAY_BE_EMPTY,
        Field(description="-30 to 60 dB, or nothing"),
    ] = None
    sensitivity_dbm: Annotated[
        Annotated[float, Field(ge=-150, le=0)] | None,
        MAY_BE_EMPTY,
        Field(description="-150 to 0 dBm, or nothing"),
    ] = None
    bandwidth_mhz: Annotated[NumberCell, Field(ge=0.1, le=100, description="0.1 to 100 MHz")]
    noise_bandwidth_mhz: Annotated[
        Annotated[float, Field(ge=0.1, le=100)] | None, MAY_BE_EMPTY, Field(description="0.1 to 100 MHz")
    ] = None
    noise_figure_db: Annotated[NumberCell, Field(ge=0, le=30, description="0 to 30 dB")]
    scalable: Annotated[Literal["yes", "no"], Field(description="yes or no")]
    efficiency: Annotated[NumberCell, Field(gt=0, le=1, description="above 0 to 1")] = 1.0
    max_input_dbm: Annotated[
        Annotated[float, Field(ge=-100, le=30)] | None,
        MAY_BE_EMPTY,
        Field(description="-100 to 30 dBm, or nothing"),
    ] = None
    tpc_step_db: Annotated[
        Annotated[float, Field(gt=0, le=30)] | None,
        MAY_BE_EMPTY,
        Field(description="above 0 to 30 dB, or nothing"),
    ] = None
    tpc_range_db: Annotated[
        Annotated[float, Field(ge=0, le=100)] | None,
        MAY_BE_EMPTY,
        Field(description="0 to 100 dB, or nothing"),
    ] = None
    duplex: Annotated[Literal["", "fdd", "tdd"], Field(description="fdd, tdd, or nothing")] = ""

    @property
    def noise_width_mhz(self) -> float:
        """The noise bandwidth; the bandwidth where none is given."""
        return self.noise_bandwidth_mhz or self.bandwidth_mhz

    @model_validator(mode="after")
    def _range_with_step(self) -> LinkModeRow:
        if self.tpc_range_db and not self.tpc_step_db:
            raise row_problem("tpc_step_db", "power control has a range and no step", "a step in dB")
        return self


class LinkModes(NamedTuple):
    """The rows of a table, in its order; ``notes``: what is to be said of it."""

    name: str
    rows: tuple[LinkModeRow, ...]
    notes: tuple[str, ...]

    @property
    def bandwidth_mhz(self) -> float:
        """The width that counts where none is given: that of the first row."""
        return self.rows[0].bandwidth_mhz

    @property
    def is_tdd(self) -> bool:
        """Whether both directions share the time of one channel."""
        return any(row.duplex == "tdd" for row in self.rows)


class ModeLevels(NamedTuple):
    """The modes of a table that count in one bandwidth, by ascending requirement, without dominated ones.

    ``level_dbm`` [m]: the level that a mode needs in noise alone; ``noise_dbm`` of the receiver.
    ``max_input_dbm`` +inf: no limit; ``control_db`` how far power control goes down, in steps.
    """

    name: tuple[str, ...]
    rate_mbps: NDArray[np.float64]
    level_dbm: NDArray[np.float64]
    efficiency: NDArray[np.float64]
    noise_dbm: float
    max_input_dbm: float = math.inf
    control_step_db: float = 1.0
    control_db: float = 0.0


class Rated(NamedTuple):
    """What a receiver makes of levels [n]: index of the mode (-1 none), rates, margins to modes in dB."""

    mode: NDArray[np.int64]
    rate_mbps: NDArray[np.float64]
    mean_mbps: NDArray[np.float64]
    throughput_mbps: NDArray[np.float64]
    margin_db: NDArray[np.float64]
    next_margin_db: NDArray[np.float64]


def read_modes(name: str) -> LinkModes:
    """A shipped table by its name, or the user's by its path; InputError for a table that is none."""
    path = Path(name)
    if path.suffix.lower() != ".csv":
        path = MODE_TABLES / f"{name}.csv"
        if not path.is_file():
            known = ", ".join(sorted(found.stem for found in MODE_TABLES.glob("*.csv")))
            raise InputError(
                "no such table of modes", field="--modes", value=name, allowed=f"{known}, or a .csv"
            )
    rows = read_rows(path, LinkModeRow)
    refuse_second(path, rows, ("mode", "bandwidth_mhz"))
    for row in rows:
        first = next(one for one in rows if one.bandwidth_mhz == row.bandwidth_mhz)
        for field in ("noise_width_mhz", "noise_figure_db", "max_input_dbm", "tpc_step_db", "tpc_range_db"):
            if getattr(row, field) != getattr(first, field):
                raise InputError(
                    "modes of one bandwidth have one receiver",
                    file=path,
                    row=row.row,
                    field=field.replace("noise_width", "noise_bandwidth"),
                    value=getattr(row, field),
                    allowed=str(getattr(first, field)),
                )
    return LinkModes(path.stem, tuple(rows), tuple(_mismatches(rows)))


def _mismatches(rows: Sequence[LinkModeRow]) -> list[str]:
    """Filed sensitivities that noise and C/N do not give."""
    found = []
    for row in rows:
        if row.cn_db is not None and row.sensitivity_dbm is not None:
            level_dbm = noise_level_dbm(row.noise_width_mhz, row.noise_figure_db) + row.cn_db
            if abs(level_dbm - row.sensitivity_dbm) > _MISMATCH_DB:
                found.append(
                    f"SENSITIVITY_MISMATCH {row.mode}: {row.sensitivity_dbm:g} dBm filed, "
                    f"{level_dbm:.2f} dBm by noise and C/N; the filed one counts"
                )
    return found


def mode_levels(
    modes: LinkModes, bandwidth_mhz: float | None = None, noise_figure_db: float | None = None
) -> ModeLevels:
    """The modes in a bandwidth, that of the table by default.

    Rows of that very width, else those of the first width that may be scaled: rates with the width, levels
    with 10 log10 of it. Another noise figure than the table's moves all levels. InputError without a row for
    the width.
    """
    wanted_mhz = bandwidth_mhz or modes.bandwidth_mhz
    rows = [row for row in modes.rows if abs(row.bandwidth_mhz - wanted_mhz) < _SAME_MHZ]
    rows = rows or [row for row in modes.rows if row.scalable == "yes"]
    rows = [row for row in rows if row.bandwidth_mhz == rows[0].bandwidth_mhz]
    if not rows:
        widths = ", ".join(f"{mhz:g}" for mhz in sorted({row.bandwidth_mhz for row in modes.rows}))
        raise InputError(
            f"table {modes.name} has no modes for it",
            field="bandwidth_mhz",
            value=wanted_mhz,
            allowed=f"{widths} MHz",
        )
    scale = wanted_mhz / rows[0].bandwidth_mhz
    own_noise_dbm = noise_level_dbm(rows[0].noise_width_mhz, rows[0].noise_figure_db)
    shift_db = 10.0 * math.log10(scale)
    if noise_figure_db is not None:
        shift_db += noise_figure_db - rows[0].noise_figure_db
    filed = [(_level_dbm(row, own_noise_dbm) + shift_db, row) for row in rows]
    kept: list[tuple[float, LinkModeRow]] = []
    for level_dbm, row in sorted(filed, key=lambda one: (one[0], -one[1].rate_mbps)):
        if math.isfinite(level_dbm) and (not kept or row.rate_mbps > kept[-1][1].rate_mbps):
            kept.append((level_dbm, row))
    receiver = rows[0]
    return ModeLevels(
        name=tuple(row.mode for _, row in kept),
        rate_mbps=np.array([scale * row.rate_mbps for _, row in kept]),
        level_dbm=np.array([level_dbm for level_dbm, _ in kept]),
        efficiency=np.array([row.efficiency for _, row in kept]),
        noise_dbm=own_noise_dbm + shift_db,
        max_input_dbm=math.inf if receiver.max_input_dbm is None else receiver.max_input_dbm,
        control_step_db=receiver.tpc_step_db or 1.0,
        control_db=receiver.tpc_range_db or 0.0,
    )


def level_of_mode_dbm(modes: LinkModes, mode: str, bandwidth_mhz: float, option: str = "--mode") -> float:
    """The level that one mode needs in a bandwidth, dominated by others or not; InputError without one."""
    rows = tuple(row for row in modes.rows if row.mode == mode)
    levels = mode_levels(modes._replace(rows=rows), bandwidth_mhz).level_dbm if rows else np.empty(0)
    if not levels.size:
        known = dict.fromkeys(row.mode for row in modes.rows if math.isfinite(_level_dbm(row, 0.0)))
        raise InputError(
            "no such mode with a requirement", field=option, value=mode, allowed=", ".join(known)
        )
    return float(levels[0])


def one_level(name: str, level_dbm: float, noise_dbm: float) -> ModeLevels:
    """A single requirement without a rate: a field or a sensitivity that a user states."""
    return ModeLevels((name,), np.array([math.nan]), np.array([level_dbm]), np.ones(1), noise_dbm)


def _level_dbm(row: LinkModeRow, noise_dbm: float) -> float:
    if row.sensitivity_dbm is not None:
        return row.sensitivity_dbm
    return math.inf if row.cn_db is None else noise_dbm + row.cn_db


def desensitisation_db(noise_dbm: float, interference_dbm: NDArray[np.float64]) -> NDArray[np.float64]:
    """What interference adds to the noise, in dB; -inf dBm adds nothing."""
    return 10.0 * np.log10(1.0 + 10.0 ** (0.1 * (interference_dbm - noise_dbm)))


def power_control_db(
    modes: ModeLevels, received_dbm: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """By how much transmitters go down above the largest input, in whole steps; where that is not enough."""
    step_db = modes.control_step_db
    with np.errstate(invalid="ignore"):
        over_db = np.maximum(received_dbm - modes.max_input_dbm, 0.0)
        back_db = np.ceil(over_db / step_db - 1e-9) * step_db
        overload = back_db > modes.control_db
    return np.where(overload | np.isnan(back_db), 0.0, back_db), overload


def rate_levels(
    modes: ModeLevels,
    level_dbm: NDArray[np.float64],
    interference_dbm: NDArray[np.float64],
    location_db: float,
    sigma_db: float,
) -> Rated:
    """The mode of highest rate whose requirement median levels [n], less a location margin, meet.

    The mean is that over log-normal locations. Where no mode is met the margin is that to the first one.
    NaN levels have no mode.
    """
    count = modes.level_dbm.size
    usable_dbm = level_dbm - desensitisation_db(modes.noise_dbm, interference_dbm)
    nothing = np.full(level_dbm.shape, math.nan)
    if count == 0:
        zero = np.zeros(level_dbm.shape)
        return Rated(np.full(level_dbm.shape, -1), zero, zero, zero, nothing, nothing)
    met = np.searchsorted(modes.level_dbm, usable_dbm - location_db, side="right") - 1
    met = np.where(np.isnan(usable_dbm), -1, met)
    own = np.maximum(met, 0)
    rate_mbps = np.where(met >= 0, modes.rate_mbps[own], 0.0)
    after = np.minimum(met + 1, count - 1)
    next_db = np.where(met + 1 < count, usable_dbm - location_db - modes.level_dbm[after], math.nan)
    return Rated(
        met,
        rate_mbps,
        _mean_mbps(modes, usable_dbm, sigma_db),
        rate_mbps * modes.efficiency[own],
        usable_dbm - location_db - modes.level_dbm[own],
        next_db,
    )


def _mean_mbps(modes: ModeLevels, usable_dbm: NDArray[np.float64], sigma_db: float) -> NDArray[np.float64]:
    """Expectation of the rate over log-normal locations: each mode adds what it has over the one below."""
    from scipy.special import ndtr  # 0.2 s that most commands would take

    steps_mbps = np.diff(modes.rate_mbps, prepend=0.0)
    mean_mbps = np.zeros(usable_dbm.shape)
    for step_mbps, level_dbm in zip(steps_mbps, modes.level_dbm, strict=True):
        mean_mbps += step_mbps * ndtr((usable_dbm - level_dbm) / sigma_db)
    return np.where(np.isnan(usable_dbm), 0.0, mean_mbps)


def location_margin_db(q_pct: float, required_for_q_pct: float, sigma_db: float) -> float:
    """What a median must exceed to hold at ``q_pct`` of locations, beyond what the requirement holds."""
    normal = NormalDist()
    return (normal.inv_cdf(0.01 * q_pct) - normal.inv_cdf(0.01 * required_for_q_pct)) * sigma_db
