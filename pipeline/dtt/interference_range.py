"""The maximum interference range: beyond it no victim, however weak, can limit a device below its cap.

Section 10 of docs/method.md. The worst served victim has the noise field of its mode, a margin that just
gives q_min, no other interferer (sigma_U = 0) and no discrimination, and the largest protection ratio
applies. Found from configuration and tables alone, before any coverage is known.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.config.config import Config
from pipeline.config.protection import Device
from pipeline.dtt.calibration import CalibratedLevels, calibration_of, smallest_calibrated_level_db
from pipeline.dtt.degradation import permissible_level_table
from pipeline.errors import InputError
from pipeline.propagation.homogeneous import FARTHEST_KM, NEAR_KM, smaller_path_loss_db
from pipeline.radio.channel_plan import channel_centre_mhz, channel_width_mhz, receiver_band
from pipeline.radio.conventions import DIPOLE_GAIN_DBI
from pipeline.radio.emission import device_cap_dbm
from pipeline.radio.noise import noise_field_dbuvm
from pipeline.reference.ratio_tables import ModeKey, ProtectionTables
from pipeline.reference.ratios import groups_of, largest_overload_shift_db, largest_shift_db
from pipeline.units import power_dbm

# Overload is kept from 90 % of locations: mu of one standard deviation (docs/method.md, section 6).
OVERLOAD_MU = 1.28
_COARSE_STEPS = 1200
_FINE_STEPS = 64


class PermissibleLevels(NamedTuple):
    """X* up to 80 m and beyond."""

    near: CalibratedLevels
    far: CalibratedLevels


def permissible_levels_of(config: Config, device: Device) -> PermissibleLevels:
    """X* for the two distance ranges of a device."""
    dq, wanted_db = device.dq_pct / 100.0, config.coverage.location_sigma_db
    sigmas_db = (config.protection.near_sigma_db, config.protection.far_sigma_db)
    return PermissibleLevels(
        *(
            CalibratedLevels(
                permissible_level_table(sigma_db, dq, wanted_db), calibration_of(config, device, sigma_db)
            )
            for sigma_db in sigmas_db
        )
    )


def interference_range_km(
    config: Config,
    device: Device,
    tables: ProtectionTables,
    *,
    modes: Iterable[ModeKey],
    channels: Iterable[int],
    coastal: bool,
    effective_m: float = math.nan,
) -> float:
    """Maximum interference range in km for victims of ``modes`` on ``channels``.

    ``coastal``: some of them may be near the sea. ``effective_m`` effective height of the device; NaN: that
    of flat land.
    """
    keys, numbers = sorted(set(modes)), sorted(set(channels))
    allowed_db = [
        smallest_permissible_level_db(levels, config.coverage.served_from)
        for levels in permissible_levels_of(config, device)
    ]
    # The ratios know the width of a channel, not the channel.
    shifts = {
        width_mhz: _largest_shifts(device, tables, keys, width_mhz)
        for width_mhz in {channel_width_mhz(config.channels, channel) for channel in numbers}
    }
    return max(
        _range_at_km(
            config,
            device,
            tables,
            shifts[channel_width_mhz(config.channels, channel)],
            channel,
            allowed_db,
            coastal,
            effective_m,
        )
        for channel in numbers
    )


def limiting_loss_db(
    config: Config, device: Device, tables: ProtectionTables, *, modes: Iterable[ModeKey], channel: int
) -> float:
    """Loss from which on not even the weakest victim beyond 80 m limits a device below its cap."""
    allowed_db = [
        smallest_permissible_level_db(levels, config.coverage.served_from)
        for levels in permissible_levels_of(config, device)
    ]
    width_mhz = channel_width_mhz(config.channels, channel)
    shifts = _largest_shifts(device, tables, sorted(set(modes)), width_mhz)
    _, far_dbm = _permissible_dbm(config, device, tables, shifts, channel, allowed_db)
    return device_cap_dbm(device) - far_dbm


class _LargestShifts(NamedTuple):
    """``largest_shift_db`` of each mode in channels of a width, ``largest_overload_shift_db``."""

    of_mode_db: Mapping[ModeKey, float]
    overload_db: float


def _largest_shifts(
    device: Device, tables: ProtectionTables, keys: Iterable[ModeKey], width_mhz: float
) -> _LargestShifts:
    of_mode_db = {key: largest_shift_db(tables, groups_of(tables, key), device, width_mhz) for key in keys}
    return _LargestShifts(of_mode_db, largest_overload_shift_db(tables, device))


def _range_at_km(
    config: Config,
    device: Device,
    tables: ProtectionTables,
    shifts: _LargestShifts,
    channel: int,
    allowed_db: Sequence[float],
    coastal: bool,
    effective_m: float,
) -> float:
    f_mhz = channel_centre_mhz(config.channels, channel)
    permissible_dbm = _permissible_dbm(config, device, tables, shifts, channel, allowed_db)
    cap = device_cap_dbm(device)

    def limits(d_km: NDArray[np.float64]) -> NDArray[np.bool_]:
        loss_db = smaller_path_loss_db(
            d_km,
            f_mhz,
            device.height_m,
            receiver_m=config.coverage.receiver_height_m,
            model=config.propagation.wsd_model,
            coastal=coastal,
            effective_m=effective_m,
            near_slant=config.protection.near_slant,
        )
        return np.where(d_km <= NEAR_KM, permissible_dbm[0], permissible_dbm[1]) + loss_db < cap

    return farthest_limiting_km(limits, device.min_separation_m.value / 1000.0)


def _permissible_dbm(
    config: Config,
    device: Device,
    tables: ProtectionTables,
    shifts: _LargestShifts,
    channel: int,
    allowed_db: Sequence[float],
) -> tuple[float, float]:
    """Smallest e.i.r.p. less path loss that any served victim tolerates, up to 80 m and beyond."""
    f_mhz = channel_centre_mhz(config.channels, channel)
    settings, band = config.coverage, receiver_band(config.coverage, f_mhz)
    weakest_dbm = math.inf
    for key, largest_db in shifts.of_mode_db.items():
        mode = tables.modes[key]
        noise_dbuvm = noise_field_dbuvm(
            f_mhz,
            mode.noise_bandwidth_mhz,
            settings.noise_figure_db,
            mode.c_n_db,
            band.gain_dbd,
            band.feeder_db,
        )
        weakest_dbm = min(weakest_dbm, power_dbm(noise_dbuvm, f_mhz) - largest_db)
    overload = math.inf if math.isnan(shifts.overload_db) else -shifts.overload_db
    overload -= band.gain_dbd + DIPOLE_GAIN_DBI - band.feeder_db
    sigmas_db = (config.protection.near_sigma_db, config.protection.far_sigma_db)
    near, far = (
        min(weakest_dbm + smallest_db, overload - OVERLOAD_MU * sigma_db)
        for smallest_db, sigma_db in zip(allowed_db, sigmas_db, strict=True)
    )
    return near, far


def smallest_permissible_level_db(levels: CalibratedLevels, q_min: float) -> float:
    """Smallest X* of any receiver served from ``q_min`` on: noise alone, or any spread of the nuisance."""
    wanted_db, quantile = levels.calibration.wanted_sigma_db, NormalDist().inv_cdf(q_min)
    sigmas_db = np.arange(0.0, 6.0, 0.25) + 1e-4
    served_db = np.array([quantile * math.hypot(wanted_db, sigma_db) for sigma_db in sigmas_db])
    margins_db = served_db[:, np.newaxis] + np.arange(0.0, 10.0, 0.05)
    return float(smallest_calibrated_level_db(levels, margins_db, sigmas_db))


def farthest_limiting_km(limits: Callable[[NDArray[np.float64]], NDArray[np.bool_]], from_km: float) -> float:
    """Smallest distance beyond which ``limits`` (bool of d_km, vectorised) is false up to 1000 km.

    Searched from the far end: a loss that falls again with distance cannot hide a farther victim.
    """
    coarse_km = np.geomspace(min(from_km, NEAR_KM / 4.0), FARTHEST_KM, _COARSE_STEPS)
    limiting = np.flatnonzero(limits(coarse_km))
    if limiting.size == 0:
        return float(coarse_km[0])
    last = int(limiting[-1])
    if last == coarse_km.size - 1:
        raise InputError(
            f"a victim would limit the device even {FARTHEST_KM:g} km away",
            row="devices",
            allowed="a smaller cap_dbm or dq_pct",
        )
    fine_km = np.linspace(coarse_km[last], coarse_km[last + 1], _FINE_STEPS)
    within = np.flatnonzero(limits(fine_km))
    return float(fine_km[min(int(within[-1]) + 1, _FINE_STEPS - 1)])
