"""The two caps of a device: e.i.r.p., and e.i.r.p. density over its bandwidth."""

from __future__ import annotations

import math

from pipeline.config.protection import Device

DENSITY_BANDWIDTH_MHZ = 0.1


def device_cap_dbm(device: Device) -> float:
    """Largest e.i.r.p. in dBm in the device's bandwidth (protection.md, section 3)."""
    if device.cap_density_dbm_per_100khz is None:
        return device.cap_dbm
    ratio = device.bandwidth_mhz / DENSITY_BANDWIDTH_MHZ
    return min(device.cap_dbm, device.cap_density_dbm_per_100khz + 10.0 * math.log10(ratio))
