"""From an error budget to the interference that a receiver may suffer (f1565.md, section 6).

With outage proportional to 10^(-fade margin / 10), an outage that grows by a share x of the budget is a
threshold that rises by (N + I) / N = 1 + x: I/N = 10 log x. The tables hold the share of 10 % of co-primary
services (Rec. ITU-R F.1094); every other source, white-space devices among them, has the tenth part of it.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from pipeline.coordination.f1565.objectives import F1565Tables


class AllowedInterference(NamedTuple):
    """Interference-to-noise ratio in dB that all sources of a class together may cause."""

    co_primary_db: float
    other_sources_db: float


def allowed_interference(tables: F1565Tables) -> AllowedInterference:
    """I/N by the two shares: -10 dB and -20 dB."""
    share = tables.co_primary_share
    return AllowedInterference(
        10.0 * math.log10(share), 10.0 * math.log10(share / tables.other_sources_divisor)
    )
