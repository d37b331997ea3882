"""Links by the rate that they reach, in both readings of Fig. A5-9 of Report SM.2405."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

THRESHOLDS_MBPS = (18.0, 25.0, 30.0, 40.0)


def rate_histogram(
    rate_mbps: NDArray[np.float64],
    d_km: NDArray[np.float64],
    thresholds_mbps: Sequence[float] = THRESHOLDS_MBPS,
) -> list[dict[str, object]]:
    """Links by the rate that they exceed, in both readings of Fig. A5-9: cumulative, and each in one class.

    The exclusive class of ``all`` is what has service up to the first threshold, so that these classes and
    ``no_service`` count every link once.
    """
    count = rate_mbps.size
    ordered = sorted(thresholds_mbps)
    limits = [0.0, *ordered, math.inf]
    groups: list[tuple[str, object, NDArray[np.bool_], int]] = [
        ("all", "", np.ones(count, np.bool_), int(((rate_mbps > 0.0) & (rate_mbps <= ordered[0])).sum())),
        ("no_service", "", ~(rate_mbps > 0.0), int((~(rate_mbps > 0.0)).sum())),
    ]
    for low, high in pairwise(limits[1:]):
        above = rate_mbps > low
        groups.append((f"above_{low:g}", f"{low:g}", above, int((above & (rate_mbps <= high)).sum())))
    return [
        _group(name, threshold, rate_mbps[within], d_km[within], alone, count)
        for name, threshold, within, alone in groups
    ]


def _group(
    name: str,
    threshold: object,
    rate_mbps: NDArray[np.float64],
    d_km: NDArray[np.float64],
    alone: int,
    count: int,
) -> dict[str, object]:
    some = rate_mbps.size > 0
    quantiles = np.percentile(d_km, [50, 10, 90]) if some else np.full(3, math.nan)
    median_km, low_km, high_km = (f"{value:.2f}" if some else "" for value in quantiles.tolist())
    return {
        "group": name,
        "threshold_mbps": threshold,
        "links": rate_mbps.size,
        "share_pct": f"{100.0 * rate_mbps.size / count:.2f}" if count else "",
        "links_exclusive": alone,
        "share_exclusive_pct": f"{100.0 * alone / count:.2f}" if count else "",
        "mean_rate_mbps": f"{rate_mbps.mean():.3f}" if some else "",
        "median_d_km": median_km,
        "p10_d_km": low_km,
        "p90_d_km": high_km,
    }
