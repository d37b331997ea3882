"""What the receiving antenna takes off a signal by direction and polarisation (ITU-R BT.419-3)."""

from __future__ import annotations

import math
from enum import IntEnum

from pipeline.kernels import kernel


class Polarisation(IntEnum):
    """Polarisation of a transmission; MIXED radiates half its power in each plane."""

    UNKNOWN = 0
    HORIZONTAL = 1
    VERTICAL = 2
    MIXED = 3


# Letters of the register.
POLARISATION_CODES = {
    "": Polarisation.UNKNOWN,
    "H": Polarisation.HORIZONTAL,
    "V": Polarisation.VERTICAL,
    "M": Polarisation.MIXED,
}

_UNKNOWN = int(Polarisation.UNKNOWN)
_MIXED = int(Polarisation.MIXED)


@kernel
def directivity_db(angle_deg: float, flat_deg: float, end_deg: float, largest_db: float) -> float:
    """Discrimination off the main direction: 0 up to ``flat_deg``, linear, full from ``end_deg`` on.

    BT.419-3, Bands IV and V: 20 deg, 60 deg, 16 dB. ``angle_deg`` 0 to 180.
    """
    share = (angle_deg - flat_deg) / (end_deg - flat_deg)
    return largest_db * min(max(share, 0.0), 1.0)


@kernel
def discrimination_db(wanted: int, other: int, directed_db: float, cross_polar_db: float) -> float:
    """D: discrimination of one signal in dB, given its directivity ``directed_db`` (verified.md, section 2).

    The antenna has the polarisation ``wanted``. An orthogonal signal gets ``cross_polar_db`` at all azimuths,
    not added to the directivity; a mixed one is split into two halves whose powers are summed; one of
    unknown polarisation keeps the directivity. Mixed or unknown ``wanted``: neither, D = 0.
    """
    if wanted in (_UNKNOWN, _MIXED):
        return 0.0
    if other in (_UNKNOWN, wanted):
        return directed_db
    if other == _MIXED:
        passed = 0.5 * (10.0 ** (-0.1 * directed_db) + 10.0 ** (-0.1 * cross_polar_db))
        return -10.0 * math.log10(passed)
    return cross_polar_db
