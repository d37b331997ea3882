"""Link budgets of white-space devices: radiated power, noise, requirements, largest distance of any model.

docs/method.md, section 43. Losses are basic transmission losses at the median of time and of locations: a
location margin is added once, by the budget. A field becomes a level by its loss, ``Lb = 139.3 - E(1 kW) +
20 log10 f``, never by the field of the antenna, which is 0.07 dB less.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.propagation.models import Model, Surroundings, model_named, module_of
from pipeline.radio.conventions import DIPOLE_GAIN_DBI
from pipeline.radio.noise import noise_field_dbuvm
from pipeline.units import field_dbuvm, power_dbm

# Free space at 1 km and 1 MHz to two digits, P.525: 32.448 dB.
_FREE_SPACE_DB = 32.45
_WATT_DBM = 30.0
# Largest distances are looked for in steps of this share, from the far end inwards, then halved to 1 m.
_STEP, _NEAREST_KM, _FARTHEST_KM, _EXACT_KM = 1.02, 1e-3, 1e5, 1e-3
# E.i.r.p. of 1 kW e.r.p.
_KILOWATT_EIRP_DBM = 62.15
# There is no curve of P.1546 for a base below 10 m: a lower transmitter is the other end of the path.
_BASE_MIN_M = 10.0
# What links need of a model that knows more.
_LINK_DEFAULTS = {"q_pct": 50.0, "R2_m": 10.0, "area": float(Surroundings.RURAL)}
_FLAGS = ("sea_km", "warm_sea", "only_sea", "pathinfo")
GENERIC_MODELS = ("free_space", "p1546", "extended_hata")


class GenericPath(NamedTuple):
    """Antennas above ground in m, frequency and model of a path of which only the length is known.

    ``time_pct``: share of the time in which the loss is at most so much, where the model knows it.
    """

    model: str
    f_mhz: float
    transmitter_m: float
    receiver_m: float
    time_pct: float = 50.0


def eirp_dbm(transmitter_dbm: float, gain_dbi: float, feeder_db: float, other_loss_db: float = 0.0) -> float:
    """E.i.r.p. of a transmitter power."""
    return transmitter_dbm + gain_dbi - feeder_db - other_loss_db


def erp_dbw(eirp_dbm: float) -> float:
    """The e.r.p., which refers to a half-wave dipole, of an e.i.r.p."""
    return eirp_dbm - DIPOLE_GAIN_DBI - _WATT_DBM


def watts_dbm(power_w: float) -> float:
    """A power in W as dBm."""
    return 10.0 * math.log10(power_w) + _WATT_DBM


def noise_level_dbm(bandwidth_mhz: float, noise_figure_db: float) -> float:
    """Noise of a receiver: 10 log10(k 290 B) + 30 + NF."""
    return power_dbm(noise_field_dbuvm(1.0, bandwidth_mhz, noise_figure_db, 0.0, -DIPOLE_GAIN_DBI, 0.0), 1.0)


def required_field_dbuvm(
    level_dbm: float, f_mhz: float, gain_dbi: float, feeder_db: float, location_db: float = 0.0
) -> float:
    """Least median field in dB(uV/m) for a level at the receiver's input and a location margin."""
    return field_dbuvm(level_dbm - gain_dbi + feeder_db, f_mhz) + location_db


def level_of_field_dbm(
    field_dbuvm: float, f_mhz: float, gain_dbi: float, feeder_db: float, model: str = "free_space"
) -> float:
    """Level at the receiver's input that a required field stands for, by the loss that a model gives it.

    By the field of the antenna it would be 0.07 dB less of P.1546, and distances that much too long.
    """
    level_dbm = power_dbm(field_dbuvm, f_mhz)
    if model != "free_space":
        constant_db = model_named(model).field_constant_db
        level_dbm = field_dbuvm + _KILOWATT_EIRP_DBM - constant_db - 20.0 * math.log10(f_mhz)
    return level_dbm + gain_dbi - feeder_db


def free_space_db(path: GenericPath, d_km: NDArray[np.float64]) -> NDArray[np.float64]:
    """Basic transmission loss of free space between both antennas, [n]."""
    slant_km = np.maximum(np.hypot(d_km, 1e-3 * (path.transmitter_m - path.receiver_m)), _NEAREST_KM)
    return _FREE_SPACE_DB + 20.0 * math.log10(path.f_mhz) + 20.0 * np.log10(slant_km)


def generic_loss_db(
    path: GenericPath, d_km: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Loss in dB at distances over land [n] and whether they lie in the validity; never below free space.

    P.1546: the antennas of the path are those of the method, h1 that of the transmitter, without terrain.
    Extended Hata: open surroundings, the higher antenna is the base.
    """
    model = model_named(path.model)
    free_db = free_space_db(path, d_km)
    if path.model == "free_space":
        return free_db, np.ones(d_km.size, np.bool_)
    e_1kw_dbuvm, _, valid = module_of(model).predict_links(_links(model, path, d_km))
    loss_db = model.field_constant_db - e_1kw_dbuvm + 20.0 * math.log10(path.f_mhz)
    return np.fmax(loss_db, free_db), valid


def _links(model: Model, path: GenericPath, d_km: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """The columns that a model of links reads."""
    base_m, other_m = path.transmitter_m, path.receiver_m
    if base_m < _BASE_MIN_M or path.model == "extended_hata":
        base_m, other_m = max(base_m, other_m), min(base_m, other_m)
    given = {"f_mhz": path.f_mhz, "heff_m": base_m, "ha_m": base_m, "h2_m": other_m, "t_pct": path.time_pct}
    given |= _LINK_DEFAULTS | dict.fromkeys(_FLAGS, 0.0)
    columns = {name: np.full(d_km.size, given.get(name, math.nan)) for name in model.link_columns}
    return columns | {"d_km": d_km}


def greatest_distance_km(path: GenericPath, most_loss_db: float) -> float:
    """Largest distance with at most so much loss, to 1 m; 0 where there is none.

    Looked for from the model's largest distance inwards: where a loss falls again with the distance the
    farthest place counts.
    """
    farthest_km = min(model_named(path.model).d_km[1], _FARTHEST_KM)
    return farthest_within_km(lambda d_km: generic_loss_db(path, d_km)[0], most_loss_db, farthest_km)


def farthest_within_km(
    loss_db: Callable[[NDArray[np.float64]], NDArray[np.float64]], most_loss_db: float, farthest_km: float
) -> float:
    """The same of any loss by distance [n] up to ``farthest_km``."""
    steps = math.ceil(math.log(farthest_km / _NEAREST_KM) / math.log(_STEP))
    d_km = np.minimum(_NEAREST_KM * _STEP ** np.arange(steps + 1), farthest_km)
    within = np.flatnonzero(loss_db(d_km) <= most_loss_db)
    if within.size == 0:
        return 0.0
    last = int(within[-1])
    if last == d_km.size - 1:
        return farthest_km
    near_km, far_km = float(d_km[last]), float(d_km[last + 1])
    while far_km - near_km > _EXACT_KM:
        middle_km = 0.5 * (near_km + far_km)
        if loss_db(np.array([middle_km]))[0] <= most_loss_db:
            near_km = middle_km
        else:
            far_km = middle_km
    return near_km
