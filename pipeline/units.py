"""Decibel arithmetic and the only conversion constants between field strength, power and loss.

Scalar functions are compiled and are called by kernels; NumPy arrays go through the ``_array`` forms.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.kernels import kernel

# P[dBm] = E[dBuV/m] - 77.216 - 20 log10 f_MHz for an isotropic antenna (docs/method.md, section 1).
FIELD_TO_POWER_DB = 77.216
# Gain of a half-wave dipole: e.r.p. is referred to the dipole, e.i.r.p. to the isotropic antenna.
DIPOLE_GAIN_DBI = 2.15
# Lb = 139.3 - E + 20 log10 f with E the field of 1 kW e.r.p. (P.1546-6, Annex 5, sec. 17).
FIELD_TO_LOSS_DB = 139.3


@kernel
def decibel(ratio: float) -> float:
    """10 log10 of a power ratio."""
    return 10.0 * math.log10(ratio)


@kernel
def power_ratio(level_db: float) -> float:
    """Power ratio of a level in dB."""
    return 10.0 ** (0.1 * level_db)


@kernel
def power_dbm(field_dbuvm: float, f_mhz: float) -> float:
    """Power in dBm that an isotropic antenna receives from a field in dB(uV/m)."""
    return field_dbuvm - FIELD_TO_POWER_DB - 20.0 * math.log10(f_mhz)


@kernel
def field_dbuvm(level_dbm: float, f_mhz: float) -> float:
    """Field in dB(uV/m) that gives ``level_dbm`` in an isotropic antenna."""
    return level_dbm + FIELD_TO_POWER_DB + 20.0 * math.log10(f_mhz)


@kernel
def loss_from_field_db(e_1kw_dbuvm: float, f_mhz: float) -> float:
    """Basic transmission loss in dB from the field of 1 kW e.r.p. (P.1546-6, Annex 5, sec. 17)."""
    return FIELD_TO_LOSS_DB - e_1kw_dbuvm + 20.0 * math.log10(f_mhz)


@kernel
def field_from_loss_dbuvm(loss_db: float, f_mhz: float) -> float:
    """Field of 1 kW e.r.p. in dB(uV/m) for a basic transmission loss in dB."""
    return FIELD_TO_LOSS_DB - loss_db + 20.0 * math.log10(f_mhz)


def erp_to_eirp_db(erp_db: float) -> float:
    """e.i.r.p. level from an e.r.p. level, same unit."""
    return erp_db + DIPOLE_GAIN_DBI


def eirp_to_erp_db(eirp_db: float) -> float:
    """e.r.p. level from an e.i.r.p. level, same unit."""
    return eirp_db - DIPOLE_GAIN_DBI


def decibel_array(ratio: ArrayLike) -> NDArray[np.float64]:
    """10 log10 of power ratios, any shape."""
    return 10.0 * np.log10(np.asarray(ratio, dtype=np.float64))
