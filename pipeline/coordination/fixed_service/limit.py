"""From the share of the error budget to an interference power at a fixed link's receiver.

With multipath outage proportional to 10^(-fade margin / 10), x % more outage is a noise floor higher by x %:
(N + I) / N = 1 + x / 100. The shares of 10 % (co-primary) and 1 % (others) of Rec. ITU-R F.1565-1 thus give
I/N = -10 dB and -20 dB, the long-term criteria of Rec. ITU-R F.758. White-space devices are not co-primary:
-20 dB for all of them together.
"""

from __future__ import annotations

import math

CO_PRIMARY_SHARE_PCT = 10.0
OTHER_SOURCES_SHARE_PCT = 1.0
# 10 log10 of k T0 with T0 = 290 K, dB(W/Hz).
THERMAL_NOISE_DBW_HZ = -204.0


def interference_to_noise_db(share_pct: float) -> float:
    """Long-term I/N that uses up a share of the error budget."""
    return 10.0 * math.log10(share_pct / 100.0)


def noise_dbw(bandwidth_mhz: float, noise_figure_db: float) -> float:
    """Receiver noise in its bandwidth."""
    return THERMAL_NOISE_DBW_HZ + 60.0 + 10.0 * math.log10(bandwidth_mhz) + noise_figure_db


def interference_limit_dbw(
    bandwidth_mhz: float, noise_figure_db: float, *, share_pct: float = OTHER_SOURCES_SHARE_PCT
) -> float:
    """Highest aggregate interference in the receiver's bandwidth, long term."""
    return noise_dbw(bandwidth_mhz, noise_figure_db) + interference_to_noise_db(share_pct)


def channel_rejection_db(
    link_bandwidth_mhz: float, channel_width_mhz: float, leakage_ratio_db: float
) -> float:
    """R_f <= 0: part of a device's power in the link's bandwidth; leakage ratio 0 co-channel."""
    return 10.0 * math.log10(min(1.0, link_bandwidth_mhz / channel_width_mhz)) - leakage_ratio_db
