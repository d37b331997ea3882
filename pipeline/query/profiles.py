"""Which device of a run answers: for another height, for generic slaves, and how far these may be away."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from pipeline.files import JsonObject
from pipeline.query.paws import Code, PawsError
from pipeline.reference.height_layers import HIGHEST_LAYER_M, HeightLayer, layer_height_m

_NEAREST_KM, _FARTHEST_KM, _TOLERANCE_KM = 1e-3, 100.0, 1e-4


def profile_for(facts: JsonObject, device: str | None, height_m: float | None) -> JsonObject:
    """The device that answers; of the same type, class and bandwidth for another height."""
    devices = {entry["id"]: entry for entry in facts["devices"]}
    if device is not None and device not in devices:
        raise PawsError(Code.UNSUPPORTED, f"no device {device}; there are {', '.join(devices)}")
    given: JsonObject = devices[device] if device is not None else facts["devices"][0]
    if height_m is None:
        return given
    if not 0.0 < height_m <= HIGHEST_LAYER_M:
        raise PawsError(Code.INVALID_VALUE, f"height {height_m:g} m, allowed: above 0 to {HIGHEST_LAYER_M:g}")
    layer_m = _layer_for(facts, given["type"], height_m)
    alike = ("type", "emission_class", "bandwidth_hz")
    for entry in [given, *facts["devices"]]:
        if entry["height_m"] == layer_m and all(entry[name] == given[name] for name in alike):
            return dict(entry)
    message = f"no layer of {layer_m:g} m, which answers for {height_m:g} m, for devices like {given['id']}"
    raise PawsError(Code.UNSUPPORTED, message)


def _layer_for(facts: JsonObject, device_type: str, height_m: float | None) -> float:
    """Height of the layer that answers for a height, or for none given (`height_layers.csv`)."""
    layers = [
        HeightLayer(
            row["device_type"],
            math.nan if row["from_m"] is None else row["from_m"],
            math.inf if row["to_m"] is None else row["to_m"],
            row["layer_m"],
        )
        for row in facts["height_layers"]
    ]
    return layer_height_m(layers, device_type, height_m)


def slave_profile(facts: JsonObject, master: JsonObject) -> JsonObject:
    """The device that stands for the slaves of a master: its type, the class assumed of slaves, no height."""
    emission_class = facts["generic_slave"]["emission_class"]
    layer_m = _layer_for(facts, master["type"], None)
    wanted = (master["type"], emission_class, layer_m)
    found = [
        entry
        for entry in facts["devices"]
        if (entry["type"], entry["emission_class"], entry["height_m"]) == wanted
    ]
    if not found:
        message = f"generic slaves need a device of type {wanted[0]}, class {wanted[1]}, {layer_m:g} m"
        raise PawsError(Code.UNIMPLEMENTED, message)
    return min(found, key=lambda entry: abs(entry["bandwidth_hz"] - master["bandwidth_hz"]))


def coverage_range_m(
    emissions: Iterable[tuple[float, float]], height_m: float, device_type: str, slave: Mapping[str, Any]
) -> float:
    """Coverage range of a master at the reference sensitivity of its slaves: they may be anywhere within it.

    ``emissions`` e.i.r.p. in dBm and frequency in MHz, of which the farthest counts; ``height_m`` of the
    master's antenna; ``slave`` as in the manifest. Extended Hata, never less than free space, which ends at
    100 km (docs/method.md, section 25). 0 where nothing is received.
    """
    # Imported where it is needed: compiled code, of which most queries need none.
    from pipeline.propagation.hata import Environment

    received_from_dbm = slave["sensitivity_dbm"] - slave["antenna_gain_dbi"]
    environment = int(Environment[str(slave["environment"]).upper()])
    slave_m = slave["height_m"][device_type]
    radii_km = (
        _radius_km(eirp_dbm - received_from_dbm, f_mhz, height_m, slave_m, environment)
        for eirp_dbm, f_mhz in emissions
    )
    return 1000.0 * max(radii_km, default=0.0)


def _radius_km(loss_db: float, f_mhz: float, master_m: float, slave_m: float, environment: int) -> float:
    """Distance beyond which the loss is larger, rounded up to 0.1 m."""
    from pipeline.propagation.extended_hata import extended_hata_from_base_db

    def is_received(d_km: float) -> bool:
        found_db: float = extended_hata_from_base_db(f_mhz, d_km, master_m, slave_m, environment)[0]
        return found_db <= loss_db

    if not is_received(_NEAREST_KM):
        return 0.0
    if is_received(_FARTHEST_KM):
        return _FARTHEST_KM
    near_km, far_km = _NEAREST_KM, _FARTHEST_KM
    while far_km - near_km > _TOLERANCE_KM:
        middle_km = (near_km + far_km) / 2.0
        near_km, far_km = (middle_km, far_km) if is_received(middle_km) else (near_km, middle_km)
    return far_km
