"""What the table of models names of Rec. ITU-R P.1812-8: links of a table with their profiles."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.propagation.models import model_named
from pipeline.propagation.p1812.climate import mid_path_latitude_deg
from pipeline.propagation.p1812.diffraction import wavelength_m
from pipeline.propagation.p1812.profile_link import (
    LOS,
    Link,
    Wave,
    adjacent_terminals_loss_db,
    location_sigma_db,
    p1812_link,
)

_MODEL = model_named("p1812")
_ADJACENT_KM = 0.01
_VERTICAL = 2.0
# Stated scope of the Recommendation besides frequency and length.
_ANTENNAS_M = (1.0, 3000.0)
_LATITUDE_MAX_DEG = 80.0
# What a column may hold; both ends belong to it if the third is True.
LINK_LIMITS: Mapping[str, tuple[float, float, bool]] = {
    "f_mhz": (0.0, math.inf, False),
    "p_pct": (1.0, 50.0, True),
    "pL_pct": (1.0, 99.0, True),
    "htg_m": (0.0, math.inf, False),
    "hrg_m": (0.0, math.inf, False),
    "phi_t": (-90.0, 90.0, True),
    "phi_r": (-90.0, 90.0, True),
    "lam_t": (-360.0, 360.0, True),
    "lam_r": (-360.0, 360.0, True),
    "DN": (0.0, 157.0, False),
    "N0": (0.0, math.inf, False),
    "dct_km": (0.0, math.inf, True),
    "dcr_km": (0.0, math.inf, True),
    "wa_m": (0.0, math.inf, False),
    "R_rx_m": (0.0, math.inf, True),
    "sigma_loc_db": (0.0, math.inf, True),
}
# Averages for the lapse rate and the refractivity; the ITU's maps are not part of the project.
LINK_DEFAULTS: Mapping[str, float] = {"p_pct": 50.0, "pL_pct": 50.0, "pol": 1.0, "DN": 45.0, "N0": 325.0}


class Profile(NamedTuple):
    """A path profile: distances from the transmitter, terrain above sea level, ground cover, zones."""

    d_km: NDArray[np.float64]
    terrain_m: NDArray[np.float64]
    cover_m: NDArray[np.float64]
    zone: NDArray[np.int64]


class Prediction(NamedTuple):
    """Field of 1 kW e.r.p., regime and validity of n links, and what else is known of them.

    ``path``: ``los`` or ``transhorizon``, of the bare terrain; ``clear``: 1 where the profile with its cover
    leaves the ray free; ``clearance_f1``: of the decisive point, in radii of the first Fresnel zone.
    """

    field_dbuvm: NDArray[np.float64]
    regime: NDArray[np.int64]
    valid: NDArray[np.bool_]
    path: list[str]
    clear: NDArray[np.int64]
    clearance_f1: NDArray[np.float64]
    intermediates: dict[str, NDArray[np.float64]]


def predict_paths(links: Mapping[str, NDArray[np.float64]], profiles: Sequence[Profile]) -> Prediction:
    """Each link along its profile; columns of ``links`` as ``link_columns`` of the model, NaN = not given."""
    results = [_one(links, row, with_middle(profile)) for row, profile in enumerate(profiles)]
    f_mhz = links["f_mhz"]
    loss_db = np.array([loss for loss, _, _ in results], dtype=np.float64)
    known = [link for _, _, link in results]
    return Prediction(
        field_dbuvm=_MODEL.field_constant_db + 20.0 * np.log10(f_mhz) - loss_db,
        regime=np.array([regime for _, regime, _ in results], dtype=np.int64),
        valid=np.array([_in_scope(links, row, profile) for row, profile in enumerate(profiles)], dtype=bool),
        path=["transhorizon" if link and link.path.horizons.transhorizon else "los" for link in known],
        clear=np.array([1 if link is None else int(link.path.median.clear) for link in known]),
        clearance_f1=np.array([_clearance_f1(link) for link in known]),
        intermediates=_intermediates(known),
    )


def with_middle(profile: Profile) -> Profile:
    """The profile, with a sample half-way between both terminals where there is none at all between them."""
    if profile.d_km.size > 2:
        return profile
    return Profile(
        np.array([profile.d_km[0], profile.d_km.mean(), profile.d_km[1]]),
        np.array([profile.terrain_m[0], profile.terrain_m.mean(), profile.terrain_m[1]]),
        np.array([profile.cover_m[0], profile.cover_m.mean(), profile.cover_m[1]]),
        np.array([profile.zone[0], profile.zone[0], profile.zone[1]]),
    )


def _one(
    links: Mapping[str, NDArray[np.float64]], row: int, profile: Profile
) -> tuple[float, int, Link | None]:
    """Loss, regime and all intermediates of one link; no intermediates where the terminals are adjacent."""
    at = {name: float(values[row]) for name, values in links.items()}
    f_ghz, length_km = 1e-3 * at["f_mhz"], float(profile.d_km[-1])
    if length_km < _ADJACENT_KM:
        ends_m = (profile.terrain_m[0] + at["htg_m"], profile.terrain_m[-1] + at["hrg_m"])
        return adjacent_terminals_loss_db(length_km, ends_m, f_ghz), LOS, None
    latitude_deg = mid_path_latitude_deg(at["phi_t"], at["lam_t"], at["phi_r"], at["lam_r"], length_km)
    wave = Wave(
        f_ghz,
        at["p_pct"],
        at["pL_pct"],
        _sigma_db(at, f_ghz, float(profile.cover_m[-1])),
        at["pol"] == _VERTICAL,
        at["DN"],
        at["N0"],
    )
    link = p1812_link(
        profile.d_km,
        profile.terrain_m,
        profile.cover_m,
        profile.zone,
        (at["htg_m"], at["hrg_m"]),
        (at["dct_km"], at["dcr_km"]),
        latitude_deg,
        wave,
    )
    return link.loss_db, link.regime, link


def _sigma_db(at: Mapping[str, float], f_ghz: float, profile_cover_m: float) -> float:
    """The standard deviation given, or that of the resolution given, or none."""
    if not math.isnan(at["sigma_loc_db"]):
        return at["sigma_loc_db"]
    if math.isnan(at["wa_m"]):
        return 0.0
    cover_m = profile_cover_m if math.isnan(at["R_rx_m"]) else at["R_rx_m"]
    return float(location_sigma_db(f_ghz, at["wa_m"], at["hrg_m"], cover_m))


def _in_scope(links: Mapping[str, NDArray[np.float64]], row: int, profile: Profile) -> bool:
    """Whether a link lies in the stated scope of the Recommendation."""
    within = [
        _MODEL.f_mhz[0] <= links["f_mhz"][row] <= _MODEL.f_mhz[1],
        _MODEL.d_km[0] <= profile.d_km[-1] <= _MODEL.d_km[1],
        all(_ANTENNAS_M[0] <= links[name][row] <= _ANTENNAS_M[1] for name in ("htg_m", "hrg_m")),
        all(abs(links[name][row]) <= _LATITUDE_MAX_DEG for name in ("phi_t", "phi_r")),
    ]
    return all(within)


def _clearance_f1(link: Link | None) -> float:
    """Clearance of the decisive point in radii of the first Fresnel zone, negative below the ray."""
    if link is None:
        return math.nan
    nu = link.path.median.nu_sqrt_m / math.sqrt(wavelength_m(link.f_ghz))
    return -nu / math.sqrt(2.0)


def _intermediates(links: Sequence[Link | None]) -> dict[str, NDArray[np.float64]]:
    """Intermediate results by the names of the Recommendation, float64[n]; NaN for adjacent terminals."""
    return {
        name: np.array([math.nan if link is None else value(link) for link in links], dtype=np.float64)
        for name, value in INTERMEDIATES.items()
    }


# By the names of the Recommendation; 50 at the median Earth radius, b at that of the time b0.
INTERMEDIATES: Mapping[str, Callable[[Link], float]] = {
    "Lbfs": lambda link: link.fixed.free_space_db,
    "Lb0p": lambda link: link.terms.enhanced_db,
    "Lb0b": lambda link: link.fixed.enhanced_b0_db,
    "Lbulla50": lambda link: link.fixed.median.actual_db,
    "Lbulls50": lambda link: link.fixed.median.smooth_db,
    "Ldsph50": lambda link: link.fixed.median.spherical_db,
    "Ld50": lambda link: link.fixed.median.total_db,
    "Lbullab": lambda link: link.fixed.b0.actual_db,
    "Lbullsb": lambda link: link.fixed.b0.smooth_db,
    "Ldsphb": lambda link: link.fixed.b0.spherical_db,
    "Ldb": lambda link: link.fixed.b0.total_db,
    "Fi": lambda link: link.terms.time_weight,
    "Ldp": lambda link: link.terms.diffraction_db,
    "Lbd50": lambda link: link.joined.median_path_db,
    "Lbd": lambda link: link.joined.diffraction_path_db,
    "Lminb0p": lambda link: link.joined.least_db,
    "Lba": lambda link: link.terms.ducting_db,
    "Lminbap": lambda link: link.joined.least_ducting_db,
    "Fk": lambda link: link.length.near_weight,
    "Lbda": lambda link: link.joined.modified_db,
    "Fj": lambda link: link.fixed.sight_weight,
    "Lbam": lambda link: link.joined.before_scatter_db,
    "Lbs": lambda link: link.terms.troposcatter_db,
    "Lbc": lambda link: link.joined.total_db,
    "theta_t": lambda link: link.path.horizons.transmitter_mrad,
    "theta_r": lambda link: link.path.horizons.receiver_mrad,
    "theta": lambda link: link.fixed.path_angle_mrad,
    "dlt": lambda link: link.duct.from_transmitter_km,
    "dlr": lambda link: link.duct.from_receiver_km,
    "hst_fit": lambda link: link.path.surface.fit_m[0],
    "hsr_fit": lambda link: link.path.surface.fit_m[1],
    "hobs": lambda link: link.path.surface.obstruction_m,
    "hstd": lambda link: link.path.surface.diffraction_m[0],
    "hsrd": lambda link: link.path.surface.diffraction_m[1],
    "hst": lambda link: link.path.surface.ducting_m[0],
    "hsr": lambda link: link.path.surface.ducting_m[1],
    "hte": lambda link: link.path.ends_m[0] - link.path.surface.ducting_m[0],
    "hre": lambda link: link.path.ends_m[1] - link.path.surface.ducting_m[1],
    "hm": lambda link: link.duct.roughness_m,
    "omega": lambda link: link.path.zones.sea_share,
    "dtm": lambda link: link.path.zones.land_km,
    "dlm": lambda link: link.path.zones.inland_km,
    "phi": lambda link: link.latitude_deg,
    "b0": lambda link: math.exp(link.air.log_b0),
    "ae": lambda link: link.air.median_radius_km,
}
