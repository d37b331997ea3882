"""What a device radiates: its block, its leakage into other channels, and its two caps.

Leakage is given by the emission class of EN 301 598 as AFLR: the whole power of the device over what leaks
into 100 kHz, for the first, the second and all further adjacent channels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from pipeline.config.protection import Device

# AFLR and density caps refer to 100 kHz (EN 301 598).
DENSITY_BANDWIDTH_MHZ = 0.1
# Leakage ratios are given for the first, the second and all further adjacent channels.
CLASS_OFFSETS = (1, 2, 3)
# Least e.r.p. of SM.2405, Table A5-3, -8 dBW, as e.i.r.p.: 22.00 + 2.15 dBm; and the lowest level that its
# Annex 5 evaluates.
_LEAST_OF_FIXED_DBM = 24.15
_LEAST_OF_OTHERS_DBM = 0.0
_FIXED_FROM_M = 10.0
_BELOW_CAP_DB = 3.0


class Band(NamedTuple):
    """Edges of a frequency band in MHz."""

    low_mhz: float
    high_mhz: float


class FloorBand(NamedTuple):
    """A band with a floor of the leakage of its own."""

    band: Band
    dbm_per_100khz: float


class Emission(NamedTuple):
    """What a device radiates: its block, the width of a channel, leakage in dB by channels away (1, 2, 3+).

    ``floor_dbm_per_100khz``: leakage below this need not fall further; -inf = no floor. ``floor_bands``:
    other floors in bands that do not overlap. ``bond``: number of channels that it uses as one, from the
    edges of which the others are counted.
    """

    block: Band
    channel_mhz: float
    aflr_db: Mapping[int, float]
    floor_dbm_per_100khz: float
    floor_bands: tuple[FloorBand, ...] = ()
    bond: int = 1


def class_offset(offset: int) -> int:
    """The entry of ``CLASS_OFFSETS`` for an adjacent channel, on either side."""
    return min(abs(offset), CLASS_OFFSETS[-1])


def aclr_db(aflr_db: float, width_mhz: float) -> float:
    """Leakage ratio into a channel of ``width_mhz`` from the one into 100 kHz."""
    return aflr_db - 10.0 * math.log10(width_mhz / DENSITY_BANDWIDTH_MHZ)


def least_eirp_dbm(device: Device) -> float:
    """E.i.r.p. in dBm below which the device does not transmit (SM.2405, Annex 7 (b) and Table A5-3).

    A given one counts as it is; a derived one leaves 3 dB below the cap.
    """
    return _least_eirp(device)[0]


def least_eirp_rule(device: Device) -> str:
    """Where ``least_eirp_dbm`` comes from, in words."""
    return _least_eirp(device)[1]


def _least_eirp(device: Device) -> tuple[float, str]:
    if device.min_eirp_dbm is not None:
        return device.min_eirp_dbm, "given: min_eirp_dbm"
    if device.power_min_dbm is not None:
        derived_dbm = device.power_min_dbm + device.gain_dbi - device.feeder_db
        rule = "power_min_dbm with gain and feeder loss"
    elif device.type == "A" and device.height_m >= _FIXED_FROM_M:
        derived_dbm, rule = _LEAST_OF_FIXED_DBM, "SM.2405, Table A5-3: type A at 10 m or higher"
    else:
        derived_dbm, rule = _LEAST_OF_OTHERS_DBM, "lowest level of SM.2405, Annex 5"
    highest_dbm = device_cap_dbm(device) - _BELOW_CAP_DB
    if highest_dbm < derived_dbm:
        return highest_dbm, f"{_BELOW_CAP_DB:g} dB below the cap"
    return derived_dbm, rule


def device_cap_dbm(device: Device) -> float:
    """Largest e.i.r.p. in dBm in the device's bandwidth."""
    if device.cap_density_dbm_per_100khz is None:
        return device.cap_dbm
    ratio = device.bandwidth_mhz / DENSITY_BANDWIDTH_MHZ
    return min(device.cap_dbm, device.cap_density_dbm_per_100khz + 10.0 * math.log10(ratio))
