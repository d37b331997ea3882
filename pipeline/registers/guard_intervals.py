"""Guard intervals of single-frequency networks: of the register, of the settings, or assumed by the system.

T_g = T_u x fraction x 8 MHz / width, with the useful symbol T_u of the FFT in 8 MHz (EN 300 744, EN 302 755,
ARIB STD-B31; quoted from memory, docs/method.md, section 31).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.config.reception import Coverage

if TYPE_CHECKING:
    import xarray as xr

Fft = Literal["", "1k", "2k", "4k", "8k", "16k", "32k"]
GuardFraction = Literal["", "1/128", "1/32", "1/16", "19/256", "1/8", "19/128", "1/4"]

_USEFUL_8MHZ_US = {"1k": 112.0, "2k": 224.0, "4k": 448.0, "8k": 896.0, "16k": 1792.0, "32k": 3584.0}
# Mode 3 of ISDB-T, and modes 1 and 2 in proportion.
_ISDB_T_8MHZ_US = {"2k": 189.0, "4k": 378.0, "8k": 756.0}
_DVB_T_FFTS, _DVB_T_FRACTIONS = ("2k", "4k", "8k"), ("1/32", "1/16", "1/8", "1/4")
# Frame headers, and guard intervals in samples.
_STATED_IN_US = ("DTMB", "ATSC3")
# What a system without guard interval (ATSC) is given: stations of one mast are one signal, no others.
_ONE_MAST_US = 1.0


class GuardIntervals(NamedTuple):
    """``guard_us`` float64 and whether it is assumed, bool [transmitter]; no network: assumed of nothing."""

    guard_us: NDArray[np.float64]
    assumed: NDArray[np.bool_]


def guard_interval_us(system: str, fft: str, guard: str, width_mhz: float) -> float:
    """Guard interval of an FFT (``8k``) and a fraction (``1/4``) of a system in a channel.

    KeyError for an FFT that the system does not have.
    """
    useful_us = (_ISDB_T_8MHZ_US if system == "ISDB-T" else _USEFUL_8MHZ_US)[fft]
    part, whole = guard.split("/")
    return useful_us * int(part) / int(whole) * 8.0 / width_mhz


def guard_problem(system: str, fft: str, guard: str, guard_us: float | None) -> tuple[str, str, str] | None:
    """What is wrong with the guard interval of a record: column, problem, what is allowed; None: nothing."""
    if guard and not fft:
        return "fft", "a guard interval as a fraction without its FFT", "1k, 2k, 4k, 8k, 16k or 32k"
    if guard and guard_us is not None:
        return "guard_us", "guard interval is given twice", "either guard or guard_us"
    if system == "ATSC" and (guard or guard_us is not None):
        return "guard" if guard else "guard_us", "ATSC has no guard interval", "empty"
    if system in _STATED_IN_US and (fft or guard):
        field = "guard" if guard else "fft"
        return field, f"the guard interval of {system} is not that of an FFT here", "guard_us"
    if system == "DVB-T" and fft and fft not in _DVB_T_FFTS:
        return "fft", "DVB-T has no such FFT", ", ".join(_DVB_T_FFTS)
    if system == "DVB-T" and guard and guard not in _DVB_T_FRACTIONS:
        return "guard", "DVB-T has no such guard interval", ", ".join(_DVB_T_FRACTIONS)
    return None


def guard_intervals(transmitters: xr.Dataset, coverage: Coverage) -> GuardIntervals:
    """Guard interval of every transmitter's network, which is of one name and channel.

    That of the settings by name, else the smallest that its members state, else the smallest of the defaults
    of their systems, which is assumed. Without columns of guard intervals nothing is stated.
    """
    systems = [str(name) or coverage.default_mode.system for name in transmitters["system"].values]
    stated_us = _stated_us(transmitters, systems)
    names, channels = transmitters["sfn"].values, transmitters["channel"].values
    guard_us = np.array([coverage.default_guard_us.get(name, _ONE_MAST_US) for name in systems], float)
    assumed = names != ""
    for name, channel in {(str(n), int(c)) for n, c in zip(names, channels, strict=True) if n}:
        members = (names == name) & (channels == channel)
        known_us = stated_us[members & np.isfinite(stated_us)]
        if name in coverage.guard_us:
            known_us = np.array([coverage.guard_us[name]])
        assumed[members] = known_us.size == 0
        guard_us[members] = known_us.min() if known_us.size else guard_us[members].min()
    return GuardIntervals(guard_us, assumed)


def _stated_us(transmitters: xr.Dataset, systems: Sequence[str]) -> NDArray[np.float64]:
    """What the records state, NaN where they do not."""
    count = transmitters.sizes["transmitter"]
    stated_us = np.full(count, np.nan)
    if "guard_us" not in transmitters:
        return stated_us
    stated_us[:] = transmitters["guard_us"].values
    columns = [transmitters[name].values for name in ("fft", "guard", "bandwidth_mhz")]
    for row, (system, fft, guard, width_mhz) in enumerate(zip(systems, *columns, strict=True)):
        if guard and fft:
            stated_us[row] = guard_interval_us(system, str(fft), str(guard), float(width_mhz))
    return stated_us


def guard_summary(transmitters: xr.Dataset, coverage: Coverage) -> dict[str, int]:
    """Counts for the manifest: transmitters in networks, and those whose guard interval is assumed."""
    found = guard_intervals(transmitters, coverage)
    return {
        "in_networks": int((transmitters["sfn"].values != "").sum()),
        "guard_assumed": int(found.assumed.sum()),
    }
