"""How far a master is heard: generic slaves may stand anywhere within (whitespace-rules.md, section 1.2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pipeline.propagation.extended_hata import extended_hata_from_base_db
from pipeline.propagation.hata import Environment

_NEAREST_KM, _FARTHEST_KM = 1e-3, 100.0
TOLERANCE_KM = 1e-4


def coverage_radius_m(
    emissions: Iterable[tuple[float, float]], height_m: float, device_type: str, slave: Mapping[str, Any]
) -> float:
    """Largest distance at which a slave hears one of ``emissions`` (e.i.r.p. in dBm, frequency in MHz).

    ``height_m`` of the master's antenna; ``slave`` as in the manifest. Extended Hata, never less than free
    space, which ends at 100 km. 0 where nothing is heard.
    """
    hears_from_dbm = slave["sensitivity_dbm"] - slave["antenna_gain_dbi"]
    environment = int(Environment[str(slave["environment"]).upper()])
    slave_m = slave["height_m"][device_type]
    radii_km = (
        _radius_km(eirp_dbm - hears_from_dbm, f_mhz, height_m, slave_m, environment)
        for eirp_dbm, f_mhz in emissions
    )
    return 1000.0 * max(radii_km, default=0.0)


def _radius_km(loss_db: float, f_mhz: float, master_m: float, slave_m: float, environment: int) -> float:
    """Distance beyond which the loss is larger, rounded up to 0.1 m."""

    def heard(d_km: float) -> bool:
        found_db: float = extended_hata_from_base_db(f_mhz, d_km, master_m, slave_m, environment)[0]
        return found_db <= loss_db

    if not heard(_NEAREST_KM):
        return 0.0
    if heard(_FARTHEST_KM):
        return _FARTHEST_KM
    near_km, far_km = _NEAREST_KM, _FARTHEST_KM
    while far_km - near_km > TOLERANCE_KM:
        middle_km = (near_km + far_km) / 2.0
        near_km, far_km = (middle_km, far_km) if heard(middle_km) else (near_km, middle_km)
    return far_km
