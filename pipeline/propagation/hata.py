"""Okumura-Hata and extended Hata (SEAMCAT, Report ITU-R SM.2028): median basic transmission loss."""

from __future__ import annotations

import math
from enum import IntEnum

from pipeline.kernels import kernel
from pipeline.propagation.branches import Branch
from pipeline.propagation.free_space import free_space_loss_db


class Environment(IntEnum):
    """Surroundings in the sense of Hata."""

    OPEN = 0
    SUBURBAN = 1
    URBAN = 2
    LARGE_CITY = 3


_OPEN = int(Environment.OPEN)
_SUBURBAN = int(Environment.SUBURBAN)
_LARGE_CITY = int(Environment.LARGE_CITY)
_FREE_SPACE = int(Branch.FREE_SPACE)
_HATA = int(Branch.HATA)
_EXTENDED = int(Branch.EXTENDED_HATA)
_BELOW_100M = int(Branch.EXTENDED_HATA_BELOW_100M)
_BELOW_40M = int(Branch.EXTENDED_HATA_BELOW_40M)

# Texts switch the large-city formula anywhere between 200 and 400 MHz; the middle is taken.
_LARGE_CITY_SWITCH_MHZ = 300.0


@kernel
def mobile_height_db(hm_m: float, f_mhz: float) -> float:
    """a(hm) of a small or medium city in dB (Hata 1980, eq. 11)."""
    log_f = math.log10(f_mhz)
    return (1.1 * log_f - 0.7) * hm_m - (1.56 * log_f - 0.8)


@kernel
def mobile_height_large_city_db(hm_m: float, f_mhz: float) -> float:
    """a(hm) of a large city in dB (Hata 1980, eq. 12)."""
    if f_mhz < _LARGE_CITY_SWITCH_MHZ:
        return 8.29 * math.log10(1.54 * hm_m) ** 2 - 1.1
    return 3.2 * math.log10(11.75 * hm_m) ** 2 - 4.97


@kernel
def environment_db(environment: int, f_mhz: float) -> float:
    """What suburban and open surroundings take from the urban loss in dB (Hata 1980, eq. 21-22)."""
    if environment == _SUBURBAN:
        return -2.0 * math.log10(f_mhz / 28.0) ** 2 - 5.4
    if environment == _OPEN:
        log_f = math.log10(f_mhz)
        return -4.78 * log_f**2 + 18.33 * log_f - 40.94
    return 0.0


@kernel
def hata_loss_db(
    f_mhz: float, d_km: float, hb_m: float, hm_m: float, environment: int
) -> tuple[float, int, bool]:
    """Okumura-Hata median loss in dB, code of ``Branch``, validity.

    ``hb_m``, ``hm_m`` heights above ground of base and mobile antenna; ``environment`` a code of
    ``Environment``. Valid for 150-1500 MHz, 1-20 km, hb 30-200 m, hm 1-10 m (Hata 1980).
    """
    log_hb = math.log10(hb_m)
    log_f = math.log10(f_mhz)
    large = environment == _LARGE_CITY
    a = mobile_height_large_city_db(hm_m, f_mhz) if large else mobile_height_db(hm_m, f_mhz)
    loss = 69.55 + 26.16 * log_f - 13.82 * log_hb - a + (44.9 - 6.55 * log_hb) * math.log10(d_km)
    loss += environment_db(environment, f_mhz)
    valid = 150.0 <= f_mhz <= 1500.0 and 1.0 <= d_km <= 20.0
    valid = valid and 30.0 <= hb_m <= 200.0 and 1.0 <= hm_m <= 10.0
    return loss, _HATA, valid


@kernel
def _extended_urban_constant_db(f_mhz: float) -> float:
    """Part of the extended Hata loss that depends on the frequency alone, dB (Report SM.2028)."""
    if f_mhz <= 150.0:
        return 69.6 + 26.2 * math.log10(150.0) - 20.0 * math.log10(150.0 / f_mhz)
    if f_mhz <= 1500.0:
        return 69.6 + 26.2 * math.log10(f_mhz)
    if f_mhz <= 2000.0:
        return 46.3 + 33.9 * math.log10(f_mhz)
    return 46.3 + 33.9 * math.log10(2000.0) + 10.0 * math.log10(f_mhz / 2000.0)


@kernel
def _extended_far_db(f_mhz: float, d_km: float, hb_m: float, hm_m: float, environment: int) -> float:
    """Extended Hata loss from 0.1 km on, dB."""
    gain_m = mobile_height_db(min(10.0, hm_m), f_mhz) + max(0.0, 20.0 * math.log10(hm_m / 10.0))
    gain_b = min(0.0, 20.0 * math.log10(hb_m / 30.0))
    log_hb = math.log10(max(30.0, hb_m))
    log_d = math.log10(d_km)
    if d_km > 20.0:
        bend = (0.14 + 1.87e-4 * f_mhz + 1.07e-3 * hb_m) * math.log10(d_km / 20.0) ** 0.8
        log_d = log_d ** (1.0 + bend)
    loss = _extended_urban_constant_db(f_mhz) - 13.82 * log_hb + (44.9 - 6.55 * log_hb) * log_d
    within_mhz = min(max(150.0, f_mhz), 2000.0)
    return loss - gain_m - gain_b + environment_db(environment, within_mhz)


@kernel
def _extended_near_db(f_mhz: float, d_km: float, hb_m: float, hm_m: float) -> float:
    """Extended Hata loss up to 0.04 km: free space on the slope distance, dB."""
    rise_km = 1e-3 * (hb_m - hm_m)
    return free_space_loss_db(math.sqrt(d_km * d_km + rise_km * rise_km), f_mhz)


@kernel
def extended_hata_loss_db(
    f_mhz: float, d_km: float, h1_m: float, h2_m: float, environment: int
) -> tuple[float, int, bool]:
    """Extended Hata median loss in dB, code of ``Branch``, validity (SEAMCAT; Report ITU-R SM.2028).

    ``h1_m``, ``h2_m`` antenna heights above ground: the higher is the base. ``environment`` a code of
    ``Environment``, a large city counts as urban. Never less than free space. Valid for 30-3000 MHz,
    d <= 40 km (the formula reaches 100 km), base up to 200 m, mobile from 1 m.
    """
    hm = max(min(h1_m, h2_m), 1.0)
    hb = max(h1_m, h2_m, hm)
    loss, branch = extended_hata_from_base_db(f_mhz, d_km, hb, hm, environment)
    valid = 30.0 <= f_mhz <= 3000.0 and d_km <= 40.0 and hb <= 200.0 and min(h1_m, h2_m) >= 1.0
    return loss, branch, valid


@kernel
def extended_hata_from_base_db(
    f_mhz: float, d_km: float, hb_m: float, hm_m: float, environment: int
) -> tuple[float, int]:
    """Extended Hata loss in dB and code of ``Branch`` for a given base, even if it is the lower end."""
    free = _extended_near_db(f_mhz, d_km, hb_m, hm_m)
    if d_km <= 0.04:
        return free, _BELOW_40M
    if d_km >= 0.1:
        loss = _extended_far_db(f_mhz, d_km, hb_m, hm_m, environment)
        branch = _EXTENDED
    else:
        at_40m = _extended_near_db(f_mhz, 0.04, hb_m, hm_m)
        at_100m = _extended_far_db(f_mhz, 0.1, hb_m, hm_m, environment)
        weight = math.log(d_km / 0.04) / math.log(0.1 / 0.04)
        loss = at_40m + weight * (at_100m - at_40m)
        branch = _BELOW_100M
    if loss < free:
        return free, _FREE_SPACE
    return loss, branch


@kernel
def extended_hata_sigma_db(d_km: float, above_roof: bool) -> float:
    """Standard deviation over locations of extended Hata in dB (SEAMCAT; Report ITU-R SM.2028).

    ``above_roof`` whether both antennas stand above the roofs.
    """
    widest = 12.0 if above_roof else 17.0
    if d_km <= 0.04:
        return 3.5
    if d_km <= 0.1:
        return 3.5 + (widest - 3.5) / 0.06 * (d_km - 0.04)
    if d_km <= 0.2:
        return widest
    if d_km <= 0.6:
        return widest - (widest - 9.0) / 0.4 * (d_km - 0.2)
    return 9.0
