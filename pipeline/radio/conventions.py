"""What powers and patterns of registers refer to, where no compiler is loaded: registers are read at once."""

from __future__ import annotations

# Gain of a half-wave dipole: e.r.p. is referred to the dipole, e.i.r.p. to the isotropic antenna.
DIPOLE_GAIN_DBI = 2.15
# Values that a horizontal pattern may have, from north and clockwise: each 10 or each 5 degrees.
PATTERN_POINTS = (36, 72)
