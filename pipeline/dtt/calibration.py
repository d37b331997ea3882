"""Calibration of the permissible interfering level for the Fenton-Wilkinson nuisance: X* = X - c.

X is exact for a log-normal nuisance (``degradation``). The nuisance is a sum of log-normals that only has the
mean and the variance of one, and adding an interferer at X lets the true location probability fall by 0.99 to
1.13 percentage points where it should fall by 1. c (docs/method.md, section 5) takes that back: by sigma_U,
q1 and sigma_i from a table, made and tested by numerical convolution of the sum.
"""

from __future__ import annotations

import math
from functools import lru_cache
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from pipeline.config.base import Number, Section
from pipeline.config.config import Config
from pipeline.config.load import read_model
from pipeline.config.protection import Device
from pipeline.dtt.degradation import PermissibleLevelTable, permissible_level_db
from pipeline.hashing import file_sha256
from pipeline.kernels import kernel

# A nuisance steadier than this is the noise alone: nothing was approximated.
_STEADY_DB = 1e-6
# Levels are stored as float32: near an edge of the table the larger of both sides counts.
_EDGE_DB, _EDGE_Q = 1e-5, 2e-6
# One number in place of the table, below and above this sigma_U; and where the table does not hold.
_FLAT_FROM_DB, _FLAT_LOW_DB, _FLAT_HIGH_DB = 0.25, 0.02, 0.52
_OTHER_SIGMAS_DB = 0.6
# For dq below one percentage point the table is up to 0.058 dB short.
_SMALL_DQ_PCT, _SMALL_DQ_DB = 1.0, 0.1
_Decibel = Annotated[Number, Field(ge=0, le=3)]
_Ascending = Annotated[list[Number], Field(min_length=1)]


class CalibrationPart(Section):
    """Rows sigma_U, columns q1, for interferers of one standard deviation."""

    sigma_i_db: Number
    c_db: list[list[_Decibel]]


class CalibrationTable(Section):
    """Content of the file: edges of rows and columns, one table for each sigma_i."""

    source: str
    verified: bool
    dq_pct: Annotated[int, Field(ge=1, le=1)]
    wanted_sigma_db: Number
    sigma_u_db: list[Number | int]
    q1: _Ascending
    tables: list[CalibrationPart]

    @model_validator(mode="after")
    def _complete(self) -> CalibrationTable:
        shape = (len(self.sigma_u_db), len(self.q1))
        for part in self.tables:
            if {len(part.c_db), *map(len, part.c_db)} - set(shape) or np.shape(part.c_db) != shape:
                raise ValueError(f"c_db of sigma_i {part.sigma_i_db:g} needs {shape[0]} rows of {shape[1]}")
        if sorted(self.sigma_u_db) != self.sigma_u_db or sorted(self.q1) != self.q1:
            raise ValueError("sigma_u_db and q1 ascend")
        return self


class Calibration(NamedTuple):
    """c in dB, float64[sigma_U, q1]; row i up to ``sigma_u_db[i]``, column j from ``q1[j]`` on."""

    c_db: NDArray[np.float64]
    sigma_u_db: NDArray[np.float64]
    q1: NDArray[np.float64]
    wanted_sigma_db: float


class CalibratedLevels(NamedTuple):
    """X and what is taken off it."""

    table: PermissibleLevelTable
    calibration: Calibration


@kernel
def calibration_db(calibration: Calibration, margin_db: float, sigma_u_db: float) -> float:
    """C in dB: no interpolation; 0 where the nuisance does not vary; on an edge the larger. NaN gives 0."""
    if not sigma_u_db > _STEADY_DB:
        return 0.0
    wanted_db = calibration.wanted_sigma_db
    spread_db = math.sqrt(wanted_db * wanted_db + sigma_u_db * sigma_u_db)
    q1 = 0.5 * math.erfc(-margin_db / (spread_db * math.sqrt(2.0)))
    largest_db = 0.0
    for side in (-1.0, 1.0):
        above = int(np.searchsorted(calibration.sigma_u_db, sigma_u_db + side * _EDGE_DB))
        i = min(above, calibration.sigma_u_db.size - 1)
        for other in (-1.0, 1.0):
            j = max(int(np.searchsorted(calibration.q1, q1 + other * _EDGE_Q, side="right")) - 1, 0)
            largest_db = max(largest_db, float(calibration.c_db[i, j]))
    return largest_db


@kernel
def calibrated_level_db(levels: CalibratedLevels, margin_db: float, sigma_u_db: float) -> float:
    """X* = X - c in dB relative to m_U. NaN in, NaN out."""
    level_db = permissible_level_db(levels.table, margin_db, sigma_u_db)
    return level_db - calibration_db(levels.calibration, margin_db, sigma_u_db)


@kernel
def smallest_calibrated_level_db(
    levels: CalibratedLevels, margins_db: NDArray[np.float64], sigmas_u_db: NDArray[np.float64]
) -> float:
    """Smallest X* of all ``margins_db`` float64[sigma, margin] with their ``sigmas_u_db`` float64[sigma]."""
    smallest_db = math.inf
    for i in range(sigmas_u_db.size):
        for j in range(margins_db.shape[1]):
            smallest_db = min(smallest_db, calibrated_level_db(levels, margins_db[i, j], sigmas_u_db[i]))
    return smallest_db


def calibration_of(config: Config, device: Device, sigma_i_db: float) -> Calibration:
    """What is taken off for a sigma_i, as ``protection.fw_calibration`` and dq of the device ask."""
    kind, wanted_db = config.protection.fw_calibration, config.coverage.location_sigma_db
    table = read_calibration(config.protection.fw_table)
    more_db = _SMALL_DQ_DB if device.dq_pct < _SMALL_DQ_PCT else 0.0
    part = _part_of(table, sigma_i_db, wanted_db)
    if kind == "off":
        return _constant([0.0], [math.inf], wanted_db)
    if part is None:
        return _constant([_OTHER_SIGMAS_DB + more_db], [math.inf], wanted_db)
    if kind == "flat":
        found_db = [_FLAT_LOW_DB + more_db, _FLAT_HIGH_DB + more_db]
        return _constant(found_db, [_FLAT_FROM_DB, math.inf], wanted_db)
    edges = np.array(table.sigma_u_db, np.float64), np.array(table.q1, np.float64)
    return Calibration(np.array(part.c_db) + more_db, *edges, wanted_db)


def _part_of(table: CalibrationTable, sigma_i_db: float, wanted_db: float) -> CalibrationPart | None:
    """The table for a sigma_i; None where nothing was computed for it or for the wanted field's sigma."""
    parts = (part for part in table.tables if part.sigma_i_db == sigma_i_db)
    return next(parts, None) if wanted_db == table.wanted_sigma_db else None


def _constant(c_db: list[float], sigma_u_db: list[float], wanted_db: float) -> Calibration:
    return Calibration(np.array(c_db)[:, np.newaxis], np.array(sigma_u_db), np.zeros(1), wanted_db)


def read_calibration(path: Path) -> CalibrationTable:
    """The checked table; read once for all devices as long as the file stays what it is."""
    return _calibration_of_content(path, file_sha256(path) if path.is_file() else "")


@lru_cache(maxsize=4)
def _calibration_of_content(path: Path, _sha256: str) -> CalibrationTable:
    return read_model(path, CalibrationTable)


def calibration_notice(config: Config) -> str | None:
    """What a reader has to know of the calibration: off, flat, or a table that does not hold; else None."""
    protection, wanted_db = config.protection, config.coverage.location_sigma_db
    if protection.method != "degradation":
        return None
    if protection.fw_calibration == "off":
        return "The nuisance sum is not calibrated: location probability may fall by up to 1.13 times dq."
    table = read_calibration(protection.fw_table)
    sigmas_db = (protection.near_sigma_db, protection.far_sigma_db)
    if any(_part_of(table, sigma_db, wanted_db) is None for sigma_db in sigmas_db):
        return f"No calibration of the nuisance sum is known for these sigmas: {_OTHER_SIGMAS_DB:g} dB flat."
    if any(device.dq_pct < _SMALL_DQ_PCT / 2.0 for device in config.devices):
        return "The calibration of the nuisance sum was not computed for dq below 0.5 points."
    return None
