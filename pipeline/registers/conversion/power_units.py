"""Powers, lengths and frequencies of registers in the units of the product; e.r.p. of e.i.r.p.

e.r.p. = e.i.r.p. - 2.15 dB and dBd = dBi - 2.15 dB: gain of a half-wave dipole (Radio Regulations,
Nos. 1.161, 1.162). E.m.r.p., of a short vertical monopole, is not a unit here.
"""

from __future__ import annotations

from collections.abc import Callable

from pipeline.radio.conventions import DIPOLE_GAIN_DBI
from pipeline.registers.conversion.cell_numbers import CellProblem

_KW: dict[str, Callable[[float], float]] = {
    "kW": lambda value: value,
    "W": lambda value: value * 1e-3,
    "mW": lambda value: value * 1e-6,
    "MW": lambda value: value * 1e3,
    "dBW": lambda value: _power(value - 30.0),
    "dBm": lambda value: _power(value - 60.0),
    "dBkW": lambda value: _power(value),
    "dBk": lambda value: _power(value),
}
_FACTORS = {
    "m": {"m": 1.0, "ft": 0.3048, "km": 1000.0},
    "MHz": {"MHz": 1.0, "kHz": 1e-3, "Hz": 1e-6, "GHz": 1e3},
    "deg": {"deg": 1.0},
    "dB": {"dB": 1.0},
}
# Gains over an isotropic antenna, and whether the power that follows is an e.i.r.p.
_GAINS = {"dBi": 0.0, "dBd": DIPOLE_GAIN_DBI}


def _power(level_db: float) -> float:
    return 10.0 ** (0.1 * min(level_db, 300.0))


def power_kw(value: float, unit: str) -> float:
    """A power in kW; CellProblem ``bad_unit`` for a unit that is not in the list."""
    if unit not in _KW:
        raise unknown_unit(unit, list(_KW))
    return _KW[unit](value)


def erp_kw(value: float, unit: str, reference: str) -> float:
    """The e.r.p. in kW of a power stated as ``erp`` or ``eirp``."""
    power = power_kw(value, unit)
    return power / _power(DIPOLE_GAIN_DBI) if reference == "eirp" else power


def radiated_kw(transmitter_kw: float, gain: float, gain_unit: str, loss_db: float) -> float:
    """The e.r.p. in kW of a transmitter's power with the gain of the antenna (dBi or dBd) and the loss."""
    if gain_unit not in _GAINS:
        raise unknown_unit(gain_unit, list(_GAINS))
    gain_dbd = gain + _GAINS[gain_unit] - DIPOLE_GAIN_DBI
    return transmitter_kw * _power(gain_dbd - loss_db)


def in_unit_of(target: str, value: float, unit: str) -> float:
    """A length, frequency or angle in the unit of its column: m, MHz, deg or dB."""
    known = _FACTORS[target]
    if unit not in known:
        raise unknown_unit(unit, list(known))
    return value * known[unit]


def unknown_unit(unit: str, known: list[str]) -> CellProblem:
    """The problem of a unit that is not in the list."""
    return CellProblem("bad_unit", "unknown unit", ", ".join(known), unit)


def check_unit(unit: str, target: str) -> None:
    """CellProblem for a unit that no value of this target can have: kW, m, MHz, deg or dB."""
    known = list(_KW) if target == "kW" else list(_FACTORS[target])
    if unit not in known:
        raise unknown_unit(unit, known)
