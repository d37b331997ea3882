"""Free-space propagation, Rec. ITU-R P.525."""

from __future__ import annotations

import math

from pipeline.kernels import kernel

# P.525 to one decimal, as P.1546 and Hata have it (106.9 = 139.3 - 32.4); exactly 32.448.
_LOSS_AT_1KM_1MHZ_DB = 32.4
_FIELD_AT_1KM_DBUVM = 106.9


@kernel
def free_space_loss_db(distance_km: float, f_mhz: float) -> float:
    """Basic transmission loss of free space in dB over the slant ``distance_km`` (P.525, eq. 4)."""
    return _LOSS_AT_1KM_1MHZ_DB + 20.0 * math.log10(f_mhz) + 20.0 * math.log10(distance_km)


@kernel
def free_space_field_dbuvm(distance_km: float) -> float:
    """Field of 1 kW e.r.p. in dB(uV/m) at the slant ``distance_km`` (P.1546-6, Annex 5, eq. 2)."""
    return _FIELD_AT_1KM_DBUVM - 20.0 * math.log10(distance_km)
