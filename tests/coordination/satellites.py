"""Networks for the tests of RR 9.41 and an own evaluation of AP8 with vectors, in plain Python."""

from __future__ import annotations

import math
from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml

ORBIT_KM, EARTH_KM = 42164.0, 6378.0


def assignment(name: str, direction: str, **changes: Any) -> dict[str, Any]:
    """An assignment with plausible values, some of them changed."""
    values = {
        "id": name,
        "direction": direction,
        "frequency_mhz": 12500.0 if direction == "down" else 14250.0,
        "bandwidth_khz": 36000.0,
        "earth_station": {"pattern": "AP8", "diameter_m": 1.8},
        "power_density_dbw_hz": -62.0,
        "satellite_gain_dbi": 33.0,
        "noise_temperature_k": 150.0,
    }
    return {**values, **changes}


def case(
    diameter_m: float, psd: float, g3: float, te: float, pe: float, g2: float, ts: float
) -> dict[str, Any]:
    """A worked case of RR Appendix 8, computed by hand, as the content of NETWORKS.yaml; gamma -10 dB."""
    dish = {"pattern": "AP8", "diameter_m": diameter_m}
    return {
        "victim": {
            "adm": "ARS",
            "name": "wanted",
            "longitude_deg": 42.0,
            "assignments": [
                assignment(
                    "d1", "down", earth_station=dish, noise_temperature_k=te, transmission_gain_db=-10.0
                ),
                assignment("u1", "up", earth_station=dish, noise_temperature_k=ts, satellite_gain_dbi=g2),
            ],
        },
        "interferer": {
            "adm": "F",
            "name": "published",
            "longitude_deg": 50.5,
            "assignments": [
                assignment("d2", "down", earth_station=dish, power_density_dbw_hz=psd, satellite_gain_dbi=g3),
                assignment("u2", "up", earth_station=dish, power_density_dbw_hz=pe),
            ],
        },
    }


def case_a() -> dict[str, Any]:
    return case(1.8, -62.0, 33.0, 150.0, -50.0, 30.0, 600.0)


def case_b() -> dict[str, Any]:
    return case(0.75, -57.0, 36.0, 150.0, -46.0, 33.0, 500.0)


def write_yaml(path: Path, content: object) -> Path:
    # Without aliases: what a person would write.
    path.write_text(yaml.safe_dump(deepcopy(content), sort_keys=False), encoding="utf-8")
    return path


def from_centre_km(radius_km: float, lon_deg: float, lat_deg: float) -> tuple[float, float, float]:
    lon, lat = math.radians(lon_deg), math.radians(lat_deg)
    return (
        radius_km * math.cos(lat) * math.cos(lon),
        radius_km * math.cos(lat) * math.sin(lon),
        radius_km * math.sin(lat),
    )


def minus(a: tuple[float, ...], b: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(x - y for x, y in zip(a, b, strict=True))


def angle_deg(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    """Angle between two vectors, without the loss of digits of acos."""
    cross = math.hypot(a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0])
    return math.degrees(math.atan2(cross, sum(x * y for x, y in zip(a, b, strict=True))))


def exact_view(
    lon_deg: float, lat_deg: float, first_deg: float, second_deg: float
) -> tuple[float, float, float]:
    """Angle between two satellites, distance to the first, its elevation: vectors on a sphere of 6378 km."""
    place = from_centre_km(EARTH_KM, lon_deg, lat_deg)
    first = minus(from_centre_km(ORBIT_KM, first_deg, 0.0), place)
    second = minus(from_centre_km(ORBIT_KM, second_deg, 0.0), place)
    return angle_deg(first, second), math.hypot(*first), 90.0 - angle_deg(first, place)
