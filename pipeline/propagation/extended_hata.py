"""Extended Hata (SEAMCAT; Report ITU-R SM.2028): median basic transmission loss."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pipeline.kernels import inner, kernel
from pipeline.propagation.free_space import free_space_loss_db
from pipeline.propagation.hata import Environment, environment_db, mobile_height_db, predict_by_loss
from pipeline.propagation.models import model_named

_OPEN = int(Environment.OPEN)
_REGIMES = model_named("extended_hata").regimes
_FREE_SPACE = _REGIMES.index("free_space")
_EXTENDED_HATA = _REGIMES.index("extended_hata")
_BELOW_100M = _REGIMES.index("extended_hata_below_100m")
_BELOW_40M = _REGIMES.index("extended_hata_below_40m")


@inner
def _urban_constant_db(f_mhz: float) -> float:
    """Part of the extended Hata loss that depends on the frequency alone, dB (Report SM.2028)."""
    if f_mhz <= 150.0:
        return 69.6 + 26.2 * math.log10(150.0) - 20.0 * math.log10(150.0 / f_mhz)
    if f_mhz <= 1500.0:
        return 69.6 + 26.2 * math.log10(f_mhz)
    if f_mhz <= 2000.0:
        return 46.3 + 33.9 * math.log10(f_mhz)
    return 46.3 + 33.9 * math.log10(2000.0) + 10.0 * math.log10(f_mhz / 2000.0)


@inner
def _long_range_db(f_mhz: float, d_km: float, hb_m: float, hm_m: float, environment: int) -> float:
    """Extended Hata loss from 0.1 km on, dB."""
    gain_m = mobile_height_db(min(10.0, hm_m), f_mhz) + max(0.0, 20.0 * math.log10(hm_m / 10.0))
    gain_b = min(0.0, 20.0 * math.log10(hb_m / 30.0))
    log_hb = math.log10(max(30.0, hb_m))
    log_d = math.log10(d_km)
    if d_km > 20.0:
        bend = (0.14 + 1.87e-4 * f_mhz + 1.07e-3 * hb_m) * math.log10(d_km / 20.0) ** 0.8
        log_d = log_d ** (1.0 + bend)
    loss = _urban_constant_db(f_mhz) - 13.82 * log_hb + (44.9 - 6.55 * log_hb) * log_d
    within_mhz = min(max(150.0, f_mhz), 2000.0)
    return loss - gain_m - gain_b + environment_db(environment, within_mhz)


@inner
def _short_range_db(f_mhz: float, d_km: float, hb_m: float, hm_m: float) -> float:
    """Extended Hata loss up to 0.04 km: free space on the slope distance, dB."""
    rise_km = 1e-3 * (hb_m - hm_m)
    return free_space_loss_db(math.sqrt(d_km * d_km + rise_km * rise_km), f_mhz)


@kernel
def extended_hata_loss_db(
    f_mhz: float, d_km: float, h1_m: float, h2_m: float, environment: int
) -> tuple[float, int, bool]:
    """Extended Hata median loss in dB, index of the regime, validity (SEAMCAT; Report ITU-R SM.2028).

    ``h1_m``, ``h2_m`` antenna heights above ground: the higher is the base. ``environment`` a code of
    ``Environment``, a large city counts as urban. Never less than free space. Valid for 30-3000 MHz,
    d <= 40 km (the formula reaches 100 km), base up to 200 m, mobile from 1 m.
    """
    hm = max(min(h1_m, h2_m), 1.0)
    hb = max(h1_m, h2_m, hm)
    loss, regime = extended_hata_from_base_db(f_mhz, d_km, hb, hm, environment)
    valid = 30.0 <= f_mhz <= 3000.0 and d_km <= 40.0 and hb <= 200.0 and min(h1_m, h2_m) >= 1.0
    return loss, regime, valid


@kernel
def extended_hata_from_base_db(
    f_mhz: float, d_km: float, hb_m: float, hm_m: float, environment: int
) -> tuple[float, int]:
    """Extended Hata loss in dB and index of the regime for a given base, even if it is the lower end."""
    free = _short_range_db(f_mhz, d_km, hb_m, hm_m)
    if d_km <= 0.04:
        return free, _BELOW_40M
    if d_km >= 0.1:
        loss = _long_range_db(f_mhz, d_km, hb_m, hm_m, environment)
        regime = _EXTENDED_HATA
    else:
        at_40m = _short_range_db(f_mhz, 0.04, hb_m, hm_m)
        at_100m = _long_range_db(f_mhz, 0.1, hb_m, hm_m, environment)
        weight = math.log(d_km / 0.04) / math.log(0.1 / 0.04)
        loss = at_40m + weight * (at_100m - at_40m)
        regime = _BELOW_100M
    if loss < free:
        return free, _FREE_SPACE
    return loss, regime


@kernel
def _open_losses_db(
    d_km: NDArray[np.float64], f_mhz: float, device_m: float, receiver_m: float
) -> NDArray[np.float64]:
    loss_db = np.empty(d_km.size)
    for i in range(d_km.size):
        loss_db[i] = extended_hata_loss_db(f_mhz, d_km[i], device_m, receiver_m, _OPEN)[0]
    return loss_db


def flat_path_loss_db(
    d_km: NDArray[np.float64],
    f_mhz: float,
    device_m: float,
    receiver_m: float,
    time_pct: float,
    over_sea: bool,
    effective_m: float,
) -> NDArray[np.float64]:
    """Loss of the table's role ``homogeneous``: open surroundings, median in time, no sea."""
    del time_pct, over_sea, effective_m
    return _open_losses_db(d_km, f_mhz, device_m, receiver_m)


def predict_links(
    links: Mapping[str, NDArray[np.float64]],
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.bool_]]:
    """Field, regime and validity of links by extended Hata."""
    return predict_by_loss(links, extended_hata_loss_db)
