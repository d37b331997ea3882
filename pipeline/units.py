"""The only conversions between field strength, power and loss, with their constants."""

from __future__ import annotations

import math

from pipeline.kernels import kernel

# P[dBm] = E[dBuV/m] - 77.216 - 20 log10 f_MHz for an isotropic antenna (docs/method.md, section 1).
FIELD_TO_POWER_DB = 77.216
# Lb = 139.3 - E + 20 log10 f with E the field of 1 kW e.r.p. (P.1546-6, Annex 5, sec. 17).
FIELD_TO_LOSS_DB = 139.3


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
