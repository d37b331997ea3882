"""Thermal noise, and the interference a receiver tolerates: from I/N, field strength or power flux density.

All criteria end in one quantity, I_max in dBm in the receiver's bandwidth at the antenna's output
(docs/method.md, section 16). A share of a fixed link's error budget is an I/N: with multipath outage
proportional to 10^(-fade margin / 10), x % more outage is a noise floor higher by x %, so the shares of 10 %
(co-primary) and 1 % (others) of Rec. ITU-R F.1565-1 give -10 and -20 dB, the long-term criteria of
Rec. ITU-R F.758.
"""

from __future__ import annotations

import math

from pipeline.radio.conventions import DIPOLE_GAIN_DBI
from pipeline.units import field_dbuvm, power_dbm

# Boltzmann's constant (SI, exact), J/K.
_BOLTZMANN_J_K = 1.380649e-23
_REFERENCE_TEMPERATURE_K = 290.0
# k T0 for receivers of other services, rounded as in Rec. ITU-R F.758; DTT takes it unrounded (-173.975).
_THERMAL_NOISE_DBM_HZ = -174.0
_LIGHT_M_S = 299_792_458.0
_MILLIWATT_DB = 30.0


def noise_dbm(bandwidth_mhz: float, noise_figure_db: float) -> float:
    """Receiver noise in its bandwidth."""
    return _THERMAL_NOISE_DBM_HZ + 60.0 + 10.0 * math.log10(bandwidth_mhz) + noise_figure_db


def noise_field_dbuvm(
    f_mhz: float,
    bandwidth_mhz: float,
    noise_figure_db: float,
    cn_db: float,
    gain_dbd: float,
    feeder_db: float,
) -> float:
    """E_n: field at which a noise-limited receiver just works, a median without location margin, in dB(uV/m).

    10 log10(k 290 B) + 30 + F + C/N - (G_dBd + 2.15 - L_f) + 77.216 + 20 log10 f (Report ITU-R BT.2036;
    docs/method.md, section 4).
    """
    thermal_w = _BOLTZMANN_J_K * _REFERENCE_TEMPERATURE_K * bandwidth_mhz * 1e6
    antenna_dbi = gain_dbd + DIPOLE_GAIN_DBI - feeder_db
    level_dbm = 10.0 * math.log10(thermal_w) + _MILLIWATT_DB + noise_figure_db + cn_db - antenna_dbi
    return field_dbuvm(level_dbm, f_mhz)


def interference_limit_dbm(bandwidth_mhz: float, noise_figure_db: float, i_n_db: float) -> float:
    """I_max for an interference-to-noise criterion."""
    return noise_dbm(bandwidth_mhz, noise_figure_db) + i_n_db


def limit_from_field_dbm(field_dbuvm: float, f_mhz: float, gain_dbi: float) -> float:
    """I_max for a field strength that an antenna of ``gain_dbi`` receives."""
    return power_dbm(field_dbuvm, f_mhz) + gain_dbi


def limit_from_flux_dbm(pfd_dbw_m2: float, f_mhz: float, gain_dbi: float) -> float:
    """I_max for a power flux density: the antenna's aperture is lambda^2 G / 4 pi."""
    return pfd_dbw_m2 + _MILLIWATT_DB + isotropic_area_db_m2(f_mhz) + gain_dbi


def isotropic_area_db_m2(f_mhz: float) -> float:
    """Effective area of an isotropic antenna, lambda^2 / 4 pi, in dB(m2)."""
    wavelength_m = _LIGHT_M_S / (f_mhz * 1e6)
    return 10.0 * math.log10(wavelength_m**2 / (4.0 * math.pi))


def radiometer_limit_dbm(
    antenna_k: float, receiver_k: float, bandwidth_mhz: float, integration_s: float, fraction: float
) -> float:
    """Power that raises a radio telescope's smallest detectable power by ``fraction``.

    dP_H = fraction k dT B with dT = (T_A + T_rx) / sqrt(B t) (Rec. ITU-R RA.769-2, Annex 1, eq. 2 to 4).
    """
    bandwidth_hz = bandwidth_mhz * 1e6
    rise_k = (antenna_k + receiver_k) / math.sqrt(bandwidth_hz * integration_s)
    return 10.0 * math.log10(fraction * _BOLTZMANN_J_K * rise_k * bandwidth_hz) + _MILLIWATT_DB
