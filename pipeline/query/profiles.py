"""Which layers of a run answer: for a height, for generic slaves, and how far these may be away."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from pipeline.files import JsonObject
from pipeline.query.paws import Code, PawsError

# An antenna is at least 1 m above ground in all methods.
_LOWEST_M, _HIGHEST_M = 1.0, 10_000.0
_NEAREST_KM, _FARTHEST_KM, _TOLERANCE_KM = 1e-3, 100.0, 1e-4


class AntennaHeight(NamedTuple):
    """Height above ground that a request asks for, give or take ``spread_m`` (95 %); None = not given.

    ``of_whole_kind``: without a height all layers of the device's kind answer, not the device alone.
    ``generic_slave``: the height is the master's, that of its slaves is assumed.
    """

    height_m: float | None = None
    spread_m: float = 0.0
    of_whole_kind: bool = False
    generic_slave: bool = False


def layers_for(facts: JsonObject, asked: AntennaHeight, device: str | None) -> list[JsonObject]:
    """The layers whose minimum answers for a height, lowest first; PawsError where none covers it.

    Far away a higher antenna has the smaller loss, near by one at the height of the receiver: the layers on
    both sides of every height that the antenna may have count (docs/method.md, section 25). Without
    ``device`` the first of the run whose kind (type, class, bandwidth, bonds) covers the height.
    """
    devices = {entry["id"]: entry for entry in facts["devices"]}
    if device is not None and device not in devices:
        raise PawsError(Code.UNSUPPORTED, f"no device {device}; there are {', '.join(devices)}")
    given = list(devices.values()) if device is None else [devices[device]]
    if asked.height_m is None:
        if device is not None and not asked.of_whole_kind:
            return [given[0]]
        layers = alike(facts, given[0])
        return _any_height(facts, layers) if asked.of_whole_kind and not asked.generic_slave else layers
    low_m, high_m = _span_m(asked.height_m, asked.spread_m)
    kinds = [alike(facts, entry) for entry in given]
    covering = next((kind for kind in kinds if kind[-1]["height_m"] >= high_m), None)
    if covering is None:
        highest_m = max(kind[-1]["height_m"] for kind in kinds)
        raise PawsError(
            Code.UNSUPPORTED,
            f"no layer for an antenna {high_m:g} m above ground",
            f"highest antenna height of this database is {highest_m:g} m",
        )
    return _bracketing(covering, low_m, high_m)


def _any_height(facts: JsonObject, layers: list[JsonObject]) -> list[JsonObject]:
    """All layers of a kind, for an antenna of any height; PawsError where others of its type are higher."""
    of_type = [entry["height_m"] for entry in facts["devices"] if entry["type"] == layers[-1]["type"]]
    if layers[-1]["height_m"] < max(of_type):
        raise PawsError(
            Code.UNSUPPORTED,
            "no layer for an antenna of any height",
            f"give the antenna height: up to {layers[-1]['height_m']:g} m for this class of device",
        )
    return layers


def channel_entries(facts: JsonObject, profile: JsonObject) -> list[JsonObject]:
    """The channels of a device, in the order of its bands: its own bonds, else the channels of the run."""
    return list(profile.get("channels") or facts["channels"])


def alike(facts: JsonObject, given: JsonObject) -> list[JsonObject]:
    """The layers of the same type, class, bandwidth and bonds, one for each height, lowest first."""
    kind = ("type", "emission_class", "bandwidth_hz", "bond", "channels")
    same = [entry for entry in facts["devices"] if all(entry.get(name) == given.get(name) for name in kind)]
    by_height_m = {entry["height_m"]: entry for entry in [*reversed(same), given]}
    return [dict(by_height_m[height_m]) for height_m in sorted(by_height_m)]


def _span_m(height_m: float, spread_m: float) -> tuple[float, float]:
    """Lowest and highest antenna that a request may mean, in m above ground."""
    if not 0.0 < height_m <= _HIGHEST_M:
        raise PawsError(Code.INVALID_VALUE, f"height {height_m:g} m, allowed: above 0 to {_HIGHEST_M:g}")
    if not 0.0 <= spread_m <= _HIGHEST_M:
        raise PawsError(
            Code.INVALID_VALUE, f"uncertainty of height {spread_m:g} m, allowed: 0 to {_HIGHEST_M:g}"
        )
    return max(height_m - spread_m, _LOWEST_M), max(height_m + spread_m, _LOWEST_M)


def _bracketing(layers: list[JsonObject], low_m: float, high_m: float) -> list[JsonObject]:
    """The layers between two heights and the nearest beyond them; below the lowest layer that one alone."""
    heights_m = [entry["height_m"] for entry in layers]
    first = max(bisect_right(heights_m, low_m) - 1, 0)
    return layers[first : bisect_left(heights_m, high_m) + 1]


def slave_layers(facts: JsonObject, master: JsonObject) -> list[JsonObject]:
    """The layers that stand for the slaves of a master: its type, the class assumed of slaves, any height."""
    emission_class = facts["generic_slave"]["emission_class"]
    wanted = (master["type"], emission_class)
    found = [entry for entry in facts["devices"] if (entry["type"], entry["emission_class"]) == wanted]
    if not found:
        message = f"generic slaves need a device of type {wanted[0]}, class {wanted[1]}"
        raise PawsError(Code.UNIMPLEMENTED, message)
    return alike(facts, min(found, key=lambda entry: abs(entry["bandwidth_hz"] - master["bandwidth_hz"])))


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
