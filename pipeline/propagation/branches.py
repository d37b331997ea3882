"""Which part of a propagation model decided a value: the words of the column ``branch``."""

from __future__ import annotations

from enum import IntEnum


class Branch(IntEnum):
    """Code of the deciding part; the name in lower case is the word users read."""

    UNDEFINED = 0
    """No value: an input that the model needs is missing or meaningless."""
    LAND = 1
    """P.1546 land curves, 10 <= h1 <= 1200 m."""
    LAND_H1_BELOW_10M = 2
    """P.1546 sec. 4.2, 0 <= h1 < 10 m."""
    LAND_H1_NEGATIVE = 3
    """P.1546 sec. 4.3, antenna below the mean terrain."""
    LAND_H1_ABOVE_1200M = 4
    """P.1546 curves extrapolated above 1200 m."""
    SEA = 5
    """P.1546 sea curves, 10 <= h1 <= 1200 m."""
    SEA_H1_BELOW_10M = 6
    """P.1546 sec. 4.2 over sea, eq. 10-11."""
    SEA_H1_ABOVE_1200M = 7
    """P.1546 sea curves extrapolated above 1200 m."""
    SEA_BELOW_100MHZ = 8
    """P.1546 eq. 15: sea path below 100 MHz inside the Fresnel distance of 600 MHz."""
    MIXED = 9
    """P.1546 sec. 8: land and sea combined by the interpolation factor."""
    BEYOND_1000KM = 10
    """P.1546 curves extrapolated beyond their last distance."""
    TROPOSCATTER = 11
    """P.1546 sec. 13: the troposcatter field exceeds that of the curves."""
    BELOW_1KM = 12
    """P.1546 sec. 15, 0.04 < d < 1 km."""
    BELOW_40M = 13
    """P.1546 sec. 15, d <= 0.04 km: free space on the slope distance."""
    FIELD_LIMIT = 14
    """P.1546 step 19: the maximum field caps the value."""
    FREE_SPACE = 15
    """Free space, or the free-space floor of another model's loss."""
    HATA = 16
    """Okumura-Hata formula."""
    EXTENDED_HATA = 17
    """Extended Hata, d >= 0.1 km."""
    EXTENDED_HATA_BELOW_100M = 18
    """Extended Hata, interpolated between 0.04 and 0.1 km."""
    EXTENDED_HATA_BELOW_40M = 19
    """Extended Hata, d <= 0.04 km."""


def branch_words() -> list[str]:
    """The words in the order of their codes."""
    return [code.name.lower() for code in Branch]
