"""Capacity of base stations: what their channels carry together, and how many users at once (Table A8-3)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.links.base_stations import RadioOf

# Least throughput of a user in Table A8-3.
USER_MBPS = 1.2
CAPACITY_COLUMNS = (
    "station",
    "sector",
    "radio",
    "channel",
    "tcp_mbps",
    "capacity_mbps",
    "users_at_1_2",
    "note",
)
_GIVEN, _COMPUTED, _NO_CHANNEL = "given throughput", "harmonic mean of the maps", "no channel"


def mean_throughput_mbps(throughput_mbps: NDArray[np.float64], weight: NDArray[np.float64]) -> float:
    """Harmonic mean over what has service: equal rates for equal users; 0 without any."""
    served = (throughput_mbps > 0.0) & (weight > 0.0)
    if not served.any():
        return 0.0
    return float(weight[served].sum() / (weight[served] / throughput_mbps[served]).sum())


def users_at(capacity_mbps: float, user_mbps: float = USER_MBPS) -> int:
    """Users at once: whole ones."""
    return math.floor(capacity_mbps / user_mbps + 1e-9)


def capacity_rows(
    radios: Sequence[RadioOf], channels: Sequence[str], throughput_mbps: Sequence[float]
) -> list[dict[str, object]]:
    """A row for each radio, and one for each station with all its radios; given throughputs win.

    A radio that has no channel carries nothing, whatever is given. Notes say where a throughput is from; the
    one of a station is its own.
    """
    rows: list[dict[str, object]] = []
    totals: dict[str, float] = {}
    notes: dict[str, str] = {}
    for radio, channel, found_mbps in zip(radios, channels, throughput_mbps, strict=True):
        given = radio.station.tcp_mbps
        own_mbps = (given if given is not None else found_mbps) if channel else 0.0
        totals[radio.station.id] = totals.get(radio.station.id, 0.0) + own_mbps
        notes[radio.station.id] = radio.station.note
        said = (_COMPUTED if given is None else _GIVEN) if channel else _NO_CHANNEL
        rows.append(
            _row((radio.station.id, radio.sector.id, radio.radio.id, channel), own_mbps, own_mbps, said)
        )
    return rows + [
        _row((station, "", "", ""), None, total, notes[station]) for station, total in totals.items()
    ]


def _row(
    names: tuple[str, str, str, str], tcp_mbps: float | None, capacity_mbps: float, note: str
) -> dict[str, object]:
    tcp = "" if tcp_mbps is None else f"{tcp_mbps:.3f}"
    values = (*names, tcp, f"{capacity_mbps:.3f}", users_at(capacity_mbps), note)
    return dict(zip(CAPACITY_COLUMNS, values, strict=True))
