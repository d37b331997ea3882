"""A large earth station and a non-geostationary system, read from YAML (RR Nos. 9.7A and 9.7B).

The description of a field is what an error message gives as allowed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from pipeline.config.base import Number, Section, Whole
from pipeline.config.load import read_model
from pipeline.coordination.rr941.antenna_patterns import PatternError, pattern_segments
from pipeline.coordination.rr941.networks import AdministrationCode, Longitude, SystemName

Elevation = Annotated[Number, Field(ge=0, lt=90, description="0 to less than 90 degrees")]
_FrequencyMhz = Annotated[Number, Field(ge=1, le=300_000, description="1 to 300000 MHz")]


class GeostationaryStation(Section):
    """Earth station of a geostationary network that may be anywhere in the territory."""

    adm: AdministrationCode
    name: SystemName
    satellite_longitude_deg: Longitude
    frequency_mhz: _FrequencyMhz
    bandwidth_mhz: Annotated[Number, Field(ge=1e-3, le=10_000, description="0.001 to 10000 MHz")]
    gain_dbi: Annotated[Number, Field(ge=30, le=90, description="30 to 90 dBi")]
    g_over_t_dbk: Annotated[Number, Field(ge=0, le=80, description="0 to 80 dB/K")]
    min_elevation_deg: Elevation = 0.0

    @model_validator(mode="after")
    def _consistent(self) -> GeostationaryStation:
        if self.bandwidth_mhz >= 2.0 * self.frequency_mhz:
            raise ValueError("bandwidth_mhz reaches below 0 Hz")
        try:
            pattern_segments("S.1428", self.frequency_mhz, gain_dbi=self.gain_dbi)
        except PatternError as error:
            raise ValueError(f"gain_dbi: {error}") from None
        return self

    @property
    def band_mhz(self) -> tuple[float, float]:
        """Frequencies received."""
        return self.frequency_mhz - 0.5 * self.bandwidth_mhz, self.frequency_mhz + 0.5 * self.bandwidth_mhz


class MaskPoint(Section):
    """Largest power flux-density of one space station at an angle of arrival; linear in dB between points."""

    elevation_deg: Annotated[Number, Field(ge=0, le=90, description="0 to 90 degrees")]
    pfd_dbw_m2: Annotated[Number, Field(ge=-300, le=0, description="-300 to 0 dB(W/m2)")]


class Shell(Section):
    """Walker constellation T/P/F of circular orbits: all stations of one altitude and inclination."""

    satellites: Annotated[Whole, Field(ge=1, le=100_000, description="1 to 100000 in all planes (T)")]
    planes: Annotated[Whole, Field(ge=1, description="1 or more, a divisor of satellites (P)")]
    phasing: Annotated[Whole, Field(ge=0, description="0 to less than planes (F)")]
    inclination_deg: Annotated[Number, Field(ge=0, le=180, description="0 to 180 degrees")]
    altitude_km: Annotated[Number, Field(gt=100, le=200_000, description="100 to 200000 km")]

    @model_validator(mode="after")
    def _consistent(self) -> Shell:
        if self.satellites % self.planes:
            raise ValueError("planes does not divide satellites")
        if self.phasing >= self.planes:
            raise ValueError("phasing is not below planes")
        return self


class NonGeostationarySystem(Section):
    """Non-geostationary system."""

    adm: AdministrationCode
    name: SystemName
    from_mhz: _FrequencyMhz
    to_mhz: _FrequencyMhz
    altitudes_km: Annotated[
        tuple[Annotated[Number, Field(gt=100, le=200_000)], ...],
        Field(min_length=1, max_length=1000, description="one or more altitudes, 100 to 200000 km"),
    ]
    satellites_in_use: Annotated[Whole, Field(ge=1, le=10_000, description="1 to 10000 at a time (N_co)")]
    avoidance_deg: Annotated[Number, Field(ge=0, le=90, description="0 to 90 degrees off the arc (alpha_0)")]
    min_elevation_deg: Elevation = 0.0
    reference_khz: Annotated[Number, Field(gt=0, description="40 or 1000, as Appendix 5 has for the band")]
    pfd_mask: Annotated[
        tuple[MaskPoint, ...], Field(min_length=1, max_length=1000, description="one or more points")
    ]
    constellation: Annotated[
        tuple[Shell, ...], Field(max_length=100, description="up to 100 shells, for a simulation")
    ] = ()

    @model_validator(mode="after")
    def _consistent(self) -> NonGeostationarySystem:
        if self.from_mhz >= self.to_mhz:
            raise ValueError("from_mhz is not below to_mhz")
        elevations = [point.elevation_deg for point in self.pfd_mask]
        if any(np.diff(elevations) <= 0):
            raise ValueError("pfd_mask is not in the order of rising elevation")
        shells_km = {shell.altitude_km for shell in self.constellation}
        if self.constellation and shells_km != set(self.altitudes_km):
            raise ValueError("constellation has not the altitudes of altitudes_km")
        return self


class Systems(Section):
    """What is compared, and under which provision."""

    provision: Annotated[Literal["9.7A", "9.7B"], Field(description='"9.7A" (station) or "9.7B" (system)')]
    """No. 9.7A: the earth station is notified; No. 9.7B: the system is."""
    station: Annotated[GeostationaryStation, Field(description="an earth station")]
    system: Annotated[NonGeostationarySystem, Field(description="a non-geostationary system")]

    @property
    def common_mhz(self) -> tuple[float, float]:
        """Common frequencies; the first is not below the second where there are none."""
        low_mhz, high_mhz = self.station.band_mhz
        return max(low_mhz, self.system.from_mhz), min(high_mhz, self.system.to_mhz)


def read_systems(path: Path) -> Systems:
    """Read and check a file of an earth station and a system."""
    return read_model(path, Systems)


def largest_pfd_dbw_m2(
    system: NonGeostationarySystem, low_deg: NDArray[np.float64], high_deg: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Largest value of the mask at elevations in use between low and high [k], -inf where there are none."""
    nodes_deg = np.array([point.elevation_deg for point in system.pfd_mask])
    mask = np.array([point.pfd_dbw_m2 for point in system.pfd_mask])
    low_deg, high_deg = np.maximum(low_deg, system.min_elevation_deg), np.minimum(high_deg, 90.0)
    largest = np.maximum(np.interp(low_deg, nodes_deg, mask), np.interp(high_deg, nodes_deg, mask))
    for node_deg, level in zip(nodes_deg, mask, strict=True):
        inside = (low_deg <= node_deg) & (node_deg <= high_deg)
        largest = np.where(inside, np.maximum(largest, level), largest)
    return np.where(low_deg > high_deg, -np.inf, largest)
