"""Links by the rate that they reach, in both readings of Fig. A5-9 of Report SM.2405."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import InputError

THRESHOLDS_MBPS = "18,25,30,40"
"""Groups of Fig. A5-9."""
_WIDTH_PX, _HEIGHT_PX, _FOOT_PX, _TOP_PX, _BAR_PX = 720, 200, 24, 18, 34
_READINGS = {
    "share_pct": ("above the threshold", "#2c6fa8"),
    "share_exclusive_pct": ("each link once", "#a8c6e0"),
}


def thresholds_of(text: str) -> tuple[float, ...]:
    """Rates in Mbit/s, with commas, rising; InputError for what is none."""
    try:
        found = tuple(float(part) for part in text.split(","))
    except ValueError:
        found = ()
    if not found or not all(0.0 < rate < 1e6 for rate in found) or list(found) != sorted(set(found)):
        raise InputError(
            "is no list of rates",
            field="--thresholds",
            value=text,
            allowed=f"rising Mbit/s, {THRESHOLDS_MBPS}",
        )
    return found


def rate_histogram(
    rate_mbps: NDArray[np.float64],
    d_km: NDArray[np.float64],
    thresholds_mbps: Sequence[float] = thresholds_of(THRESHOLDS_MBPS),
) -> list[dict[str, object]]:
    """Links by the rate that they exceed, in both readings of Fig. A5-9: cumulative, and each in one class.

    The exclusive class of ``all`` is what has service up to the first threshold, so that these classes and
    ``no_service`` count every link once.
    """
    count = rate_mbps.size
    limits = [0.0, *thresholds_mbps, math.inf]
    groups: list[tuple[str, object, NDArray[np.bool_], int]] = [
        ("all", "", np.ones(count, np.bool_), int(((rate_mbps > 0.0) & (rate_mbps <= limits[1])).sum())),
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


def histogram_picture(rows: Sequence[Mapping[str, object]]) -> str:
    """An SVG of the shares of links by group, both readings side by side, in per cent of all pairs."""
    step_px = (_WIDTH_PX - 40) / max(len(rows), 1)
    shapes = []
    for n, row in enumerate(rows):
        left = 20 + n * step_px
        shapes.append(f'<text x="{left:.0f}" y="{_HEIGHT_PX - 8}">{row["group"]}</text>')
        for k, (name, (_, colour)) in enumerate(_READINGS.items()):
            share = float(str(row[name] or 0.0))
            tall = (_HEIGHT_PX - _FOOT_PX - _TOP_PX - 14) * share / 100.0
            x, y = left + k * _BAR_PX, _HEIGHT_PX - _FOOT_PX - tall
            size = f'width="{_BAR_PX - 4}" height="{tall:.1f}"'
            shapes.append(f'<rect x="{x:.0f}" y="{y:.1f}" {size} fill="{colour}"/>')
            shapes.append(f'<text x="{x:.0f}" y="{y - 3:.1f}">{share:.1f}</text>')
    for k, (said, colour) in enumerate(_READINGS.values()):
        shapes.append(f'<rect x="{20 + 200 * k}" y="2" width="10" height="10" fill="{colour}"/>')
        shapes.append(f'<text x="{34 + 200 * k}" y="11">{said}, % of pairs</text>')
    return (
        f'<svg viewBox="0 0 {_WIDTH_PX} {_HEIGHT_PX}" width="{_WIDTH_PX}" role="img" '
        f'font-family="sans-serif" font-size="11">{"".join(shapes)}</svg>'
    )
