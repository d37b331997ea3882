"""Interference that a receiver tolerates: from I/N, field strength, power flux density or a share of outage.

All of them end in one quantity, I_max in dBm in the receiver's bandwidth at the antenna's output
(incumbents.md, section 1). A share of a fixed link's error budget is an I/N: with multipath outage
proportional to 10^(-fade margin / 10), x % more outage is a noise floor higher by x %, so the shares of 10 %
(co-primary) and 1 % (others) of Rec. ITU-R F.1565-1 give -10 and -20 dB, the long-term criteria of
Rec. ITU-R F.758.
"""

from __future__ import annotations

import math

from pipeline.units import FIELD_TO_POWER_DB

CO_PRIMARY_SHARE_PCT = 10.0
OTHER_SOURCES_SHARE_PCT = 1.0
# 10 log10 of k T0 with T0 = 290 K, rounded as in Rec. ITU-R F.758 and in incumbents.md, dB(mW/Hz).
THERMAL_NOISE_DBM_HZ = -174.0
# Boltzmann's constant (SI, exact), J/K.
BOLTZMANN_J_K = 1.380649e-23
LIGHT_M_S = 299_792_458.0
MILLIWATT_DB = 30.0


def noise_dbm(bandwidth_mhz: float, noise_figure_db: float) -> float:
    """Receiver noise in its bandwidth."""
    return THERMAL_NOISE_DBM_HZ + 60.0 + 10.0 * math.log10(bandwidth_mhz) + noise_figure_db


def interference_limit_dbm(bandwidth_mhz: float, noise_figure_db: float, i_n_db: float) -> float:
    """I_max for an interference-to-noise criterion."""
    return noise_dbm(bandwidth_mhz, noise_figure_db) + i_n_db


def interference_to_noise_db(share_pct: float) -> float:
    """Long-term I/N that uses up a share of the error budget (F.1565; f1565.md, section 6)."""
    return 10.0 * math.log10(share_pct / 100.0)


def limit_from_field_dbm(field_dbuvm: float, f_mhz: float, gain_dbi: float) -> float:
    """I_max for a field strength that an antenna of ``gain_dbi`` receives."""
    return field_dbuvm - FIELD_TO_POWER_DB - 20.0 * math.log10(f_mhz) + gain_dbi


def field_from_limit_dbuvm(limit_dbm: float, f_mhz: float, gain_dbi: float) -> float:
    """Field strength that gives ``limit_dbm`` behind an antenna of ``gain_dbi``."""
    return limit_dbm + FIELD_TO_POWER_DB + 20.0 * math.log10(f_mhz) - gain_dbi


def limit_from_flux_dbm(pfd_dbw_m2: float, f_mhz: float, gain_dbi: float) -> float:
    """I_max for a power flux density: the antenna's aperture is lambda^2 G / 4 pi."""
    return pfd_dbw_m2 + MILLIWATT_DB + isotropic_area_db_m2(f_mhz) + gain_dbi


def isotropic_area_db_m2(f_mhz: float) -> float:
    """Effective area of an isotropic antenna, lambda^2 / 4 pi, in dB(m2)."""
    wavelength_m = LIGHT_M_S / (f_mhz * 1e6)
    return 10.0 * math.log10(wavelength_m**2 / (4.0 * math.pi))


def radiometer_limit_dbm(
    antenna_k: float, receiver_k: float, bandwidth_mhz: float, integration_s: float, fraction: float
) -> float:
    """Power that raises a radio telescope's smallest detectable power by ``fraction``.

    dP_H = fraction k dT B with dT = (T_A + T_rx) / sqrt(B t) (Rec. ITU-R RA.769-2, Annex 1, eq. 2 to 4).
    """
    bandwidth_hz = bandwidth_mhz * 1e6
    rise_k = (antenna_k + receiver_k) / math.sqrt(bandwidth_hz * integration_s)
    return 10.0 * math.log10(fraction * BOLTZMANN_J_K * rise_k * bandwidth_hz) + MILLIWATT_DB
