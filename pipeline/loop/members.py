"""Members of PAWS messages: what is missing, all names at once, and what is not as RFC 7545 has it
(section 5).

A member that is ``null`` counts as absent: some clients write every field. Names are dotted, of lists with
an index: ``locations[1].point.center``. Lengths are octets of UTF-8.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pipeline.loop.rulesets import ETSI, FCC, Family
from pipeline.query.paws import Code, PawsError

Members = Mapping[str, Any]

_LONGEST_IDENTITY, _LONGEST_FCC_ID = 64, 32
_TEXTS = {
    "serialNumber": _LONGEST_IDENTITY,
    "manufacturerId": _LONGEST_IDENTITY,
    "modelId": _LONGEST_IDENTITY,
    "etsiEnTechnologyId": _LONGEST_IDENTITY,
    "fccId": _LONGEST_FCC_ID,
}
_CATEGORIES = ("master", "slave")
_CLASSES = ("1", "2", "3", "4", "5")
_HEIGHT_TYPES = ("AGL", "AMSL")
_FULL_CIRCLE_DEG, _HIGHEST_M = 360.0, 10_000.0
_FEWEST_CORNERS, _MOST_CORNERS = 4, 100
_FEWEST_POINTS, _MOST_SPECTRA = 2, 100
_NARROWEST_HZ = 1.0
SURE_PCT = 95


class Findings:
    """What is wrong with a request, collected before any of it is told."""

    def __init__(self) -> None:
        self.missing: list[str] = []
        self.invalid: list[str] = []

    def settle(self) -> None:
        """MISSING with all names, outer ones first; else INVALID_VALUE with the first fault."""
        if self.missing:
            names = sorted(dict.fromkeys(self.missing), key=lambda name: name.count("."))
            raise PawsError(Code.MISSING, ", ".join(names), {"parameters": names})
        if self.invalid:
            raise PawsError(Code.INVALID_VALUE, self.invalid[0])

    def wrong(self, name: str, problem: str) -> None:
        """Note a value that is not allowed."""
        self.invalid.append(f"{name} {problem}")

    def require(self, given: Members, names: Sequence[str], prefix: str = "") -> None:
        """Note those of ``names`` that are absent."""
        self.missing += [f"{prefix}{name}" for name in names if given.get(name) is None]

    def object_of(self, given: Members, name: str, prefix: str = "") -> Members | None:
        """A member that is an object; None where it is absent or none."""
        value = given.get(name)
        if value is None or isinstance(value, Mapping):
            return value
        self.wrong(f"{prefix}{name}", "is not an object")
        return None

    def list_of(self, given: Members, name: str, prefix: str = "") -> list[Any] | None:
        """A member that is a list; None where it is absent or none."""
        value = given.get(name)
        if value is None or isinstance(value, list):
            return value
        self.wrong(f"{prefix}{name}", "is not a list")
        return None

    def number(self, given: Members, name: str, prefix: str = "", default: float = math.nan) -> float:
        """A member that is a number; ``default`` where it is absent or none."""
        value = given.get(name)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.wrong(f"{prefix}{name}", "is not a number")
            return default
        return float(value)

    def within(self, name: str, value: float, low: float, high: float) -> None:
        """Note a number beyond its range."""
        if not math.isnan(value) and not low <= value <= high:
            self.wrong(name, f"{plain(value)}, allowed: {low:g} to {high:g}")

    def text(self, given: Members, name: str, longest: int, prefix: str = "") -> str | None:
        """A member that is a text of one to ``longest`` octets."""
        value = given.get(name)
        if value is None:
            return None
        # No database keeps a text with a NUL.
        if not isinstance(value, str) or not 0 < len(value.encode()) <= longest or "\0" in value:
            self.wrong(f"{prefix}{name}", f"is no text of 1 to {longest} octets")
            return None
        return value

    def one_of(self, given: Members, name: str, allowed: Sequence[str], prefix: str = "") -> str | None:
        """A member that is one of some words, also where a number stands for its digits."""
        value = given.get(name)
        if value is None:
            return None
        whole = isinstance(value, int) and not isinstance(value, bool)
        if (isinstance(value, str) or whole) and str(value) in allowed:
            return str(value)
        self.wrong(f"{prefix}{name}", f"is none of {', '.join(allowed)}")
        return None


def plain(value: float) -> str:
    """A number without an end of zeros: 31, 29.31, 622000000."""
    return f"{value:.0f}" if value == round(value) else f"{value:.10g}"


# --- devices ------------------------------------------------------------------------------------------------


class DeviceDesc(NamedTuple):
    """A DeviceDescriptor (RFC 7545, sections 5.2, 9.1, 9.2), as it was ``sent`` and as it was read.

    Empty texts where a member is absent; ``category`` is ``slave`` or ``master``.
    """

    sent: Members
    serial_number: str
    manufacturer_id: str
    model_id: str
    kind: str
    emission_class: str
    technology_id: str
    category: str
    fcc_id: str


def read_device(found: Findings, sent: Members, prefix: str) -> DeviceDesc:
    """A descriptor's members, those of its rulesets too; ``prefix`` ends with a dot."""
    texts = read_names(found, sent, prefix)
    kinds = {family: found.one_of(sent, family.type_member, family.types, prefix) for family in (ETSI, FCC)}
    emission_class = found.one_of(sent, "etsiEnDeviceEmissionsClass", _CLASSES, prefix)
    category = _category(found, sent, prefix) or ("slave" if kinds[FCC] == "MODE_1" else "master")
    _check_ruleset_ids(found, sent, prefix)
    return DeviceDesc(
        sent,
        texts["serialNumber"],
        texts["manufacturerId"],
        texts["modelId"],
        kinds[ETSI] or kinds[FCC] or "",
        emission_class or "",
        texts["etsiEnTechnologyId"],
        category,
        texts["fccId"],
    )


def read_names(found: Findings, sent: Members, prefix: str = "") -> dict[str, str]:
    """The names of a descriptor, among them those that tell one device from another; empty where absent."""
    return {name: found.text(sent, name, longest, prefix) or "" for name, longest in _TEXTS.items()}


def _category(found: Findings, sent: Members, prefix: str) -> str | None:
    value = sent.get("etsiEnDeviceCategory")
    lowered = {"etsiEnDeviceCategory": value.lower() if isinstance(value, str) else value}
    return found.one_of(lowered, "etsiEnDeviceCategory", _CATEGORIES, prefix)


def _check_ruleset_ids(found: Findings, sent: Members, prefix: str) -> None:
    ids = found.list_of(sent, "rulesetIds", prefix)
    if ids is None:
        return
    if not ids or not all(isinstance(one, str) and 0 < len(one.encode()) <= _LONGEST_IDENTITY for one in ids):
        found.wrong(f"{prefix}rulesetIds", "is no list of one text or more")


def kind_under(device: DeviceDesc, family: Family) -> str:
    """What a device is under rules of a family: `A`, `FIXED`, ...; empty where it does not say."""
    value = device.sent.get(family.type_member)
    return value if isinstance(value, str) else ""


# --- places -------------------------------------------------------------------------------------------------


class Place(NamedTuple):
    """A GeoLocation (RFC 7545, section 5.1): a circle around its ellipse, or a region, as ``sent``.

    ``corners`` of a region as longitude and latitude in degrees, its last the first again; a circle has none.
    """

    sent: Members
    lon_deg: float
    lat_deg: float
    radius_m: float
    confidence_pct: float
    corners: tuple[tuple[float, float], ...] = ()


def read_place(found: Findings, given: Members, name: str) -> Place | None:
    """The place ``name`` of a message; None where it is absent or none."""
    sent = found.object_of(given, name)
    return None if sent is None else read_location(found, sent, f"{name}.")


def read_location(found: Findings, sent: Members, prefix: str) -> Place | None:
    """A GeoLocation whose members have ``prefix``."""
    confidence_pct = found.number(sent, "confidence", prefix, default=SURE_PCT)
    if not 0.0 <= confidence_pct <= 100.0 or confidence_pct % 1.0:
        found.wrong(f"{prefix}confidence", "is no whole number from 0 to 100 %")
    point, region = sent.get("point"), sent.get("region")
    if point is not None and region is not None:
        found.wrong(prefix.rstrip("."), "is both a point and a region")
    elif region is not None:
        return _read_region(found, sent, prefix, confidence_pct)
    elif point is None:
        found.missing.append(f"{prefix}point")
    else:
        return _read_point(found, sent, prefix, confidence_pct)
    return None


def _read_point(found: Findings, sent: Members, prefix: str, confidence_pct: float) -> Place | None:
    point = found.object_of(sent, "point", prefix)
    if point is None:
        return None
    prefix = f"{prefix}point."
    found.require(point, ["center"], prefix)
    orientation_deg = found.number(point, "orientation", prefix, default=0.0)
    found.within(f"{prefix}orientation", orientation_deg, -_FULL_CIRCLE_DEG, _FULL_CIRCLE_DEG)
    major_m, minor_m = (
        found.number(point, name, prefix, default=0.0) for name in ("semiMajorAxis", "semiMinorAxis")
    )
    for name, axis_m in (("semiMajorAxis", major_m), ("semiMinorAxis", minor_m)):
        if axis_m < 0.0:
            found.wrong(f"{prefix}{name}", f"{plain(axis_m)} is negative")
    if point.get("semiMajorAxis") is not None and minor_m > major_m:
        found.wrong(f"{prefix}semiMinorAxis", "is above semiMajorAxis")
    centre = found.object_of(point, "center", prefix)
    if centre is None:
        return None
    lon_deg, lat_deg = _read_degrees(found, centre, f"{prefix}center.")
    return Place(sent, lon_deg, lat_deg, max(major_m, minor_m, 0.0), confidence_pct)


def _read_degrees(found: Findings, given: Members, prefix: str) -> tuple[float, float]:
    """Longitude and latitude."""
    found.require(given, ["latitude", "longitude"], prefix)
    lat_deg, lon_deg = (found.number(given, name, prefix) for name in ("latitude", "longitude"))
    found.within(f"{prefix}latitude", lat_deg, -90.0, 90.0)
    found.within(f"{prefix}longitude", lon_deg, -180.0, 180.0)
    return lon_deg, lat_deg


def _read_region(found: Findings, sent: Members, prefix: str, confidence_pct: float) -> Place | None:
    region = found.object_of(sent, "region", prefix)
    if region is None:
        return None
    prefix = f"{prefix}region."
    found.require(region, ["exterior"], prefix)
    exterior = found.list_of(region, "exterior", prefix)
    if exterior is None:
        return None
    name = f"{prefix}exterior"
    if not _FEWEST_CORNERS <= len(exterior) <= _MOST_CORNERS:
        found.wrong(name, f"has not {_FEWEST_CORNERS} to {_MOST_CORNERS} points")
        return None
    if not all(isinstance(corner, Mapping) for corner in exterior):
        found.wrong(name, "is no list of points")
        return None
    corners = tuple(_read_degrees(found, corner, f"{name}[{k}].") for k, corner in enumerate(exterior))
    if corners[0] != corners[-1]:
        found.wrong(name, "does not end where it begins")
    elif _crosses_itself(corners):
        found.wrong(name, "crosses itself")
    return Place(sent, *corners[0], 0.0, confidence_pct, corners)


def _crosses_itself(corners: Sequence[tuple[float, float]]) -> bool:
    """Whether a ring has an edge that meets another one, or no area."""
    from shapely import Polygon  # few requests have a region

    if any(math.isnan(value) for corner in corners for value in corner):
        return False
    return not Polygon(corners).is_valid


# --- antennas, capabilities ---------------------------------------------------------------------------------


class Antenna(NamedTuple):
    """AntennaCharacteristics (RFC 7545, section 5.3); ``height_m`` None where it is not given."""

    height_m: float | None
    spread_m: float
    above_sea: bool


def read_antenna(found: Findings, given: Members, *, needed: bool = False) -> Antenna:
    """The member ``antenna`` of a message; ``needed``: with a height."""
    if needed:
        found.require(given, ["antenna"])
    antenna = found.object_of(given, "antenna")
    if antenna is None:
        return Antenna(None, 0.0, above_sea=False)
    prefix = "antenna."
    if needed:
        found.require(antenna, ["height"], prefix)
    height_m = found.number(antenna, "height", prefix)
    found.within("antenna.height", height_m, -_HIGHEST_M, _HIGHEST_M)
    spread_m = found.number(antenna, "heightUncertainty", prefix, default=0.0)
    found.within("antenna.heightUncertainty", spread_m, 0.0, _HIGHEST_M)
    kind = found.one_of(antenna, "heightType", _HEIGHT_TYPES, prefix)
    return Antenna(None if math.isnan(height_m) else height_m, spread_m, above_sea=kind == "AMSL")


def read_ranges_hz(found: Findings, given: Members) -> tuple[tuple[float, float], ...]:
    """Ranges of ``capabilities`` (RFC 7545, section 5.9), those that touch as one; none: all."""
    capabilities = found.object_of(given, "capabilities")
    ranges = None if capabilities is None else found.list_of(capabilities, "frequencyRanges", "capabilities.")
    joined: list[tuple[float, float]] = []
    for start_hz, stop_hz in sorted(_read_range(found, one, k) for k, one in enumerate(ranges or [])):
        if joined and start_hz <= joined[-1][1]:
            start_hz, stop_hz = joined[-1][0], max(stop_hz, joined.pop()[1])
        joined.append((start_hz, stop_hz))
    return tuple(joined)


def _read_range(found: Findings, one: object, number: int) -> tuple[float, float]:
    name = f"capabilities.frequencyRanges[{number}]"
    if not isinstance(one, Mapping):
        found.wrong(name, "is not an object")
        return 0.0, 0.0
    found.require(one, ["startHz", "stopHz"], f"{name}.")
    start_hz, stop_hz = (found.number(one, member, f"{name}.") for member in ("startHz", "stopHz"))
    if start_hz >= stop_hz:
        found.wrong(f"{name}.startHz", "is not below stopHz")
    return start_hz, stop_hz


# --- what a device uses -------------------------------------------------------------------------------------


class UsedSpectrum(NamedTuple):
    """A Spectrum (RFC 7545, section 5.11): profiles of (Hz, dBm), dBm in ``resolution_hz``."""

    resolution_hz: float
    profiles: list[list[tuple[float, float]]]


def read_spectra(found: Findings, given: Members) -> list[UsedSpectrum]:
    """The member ``spectra`` of SPECTRUM_USE_NOTIFY; empty: the device uses nothing."""
    spectra = found.list_of(given, "spectra") or []
    if len(spectra) > _MOST_SPECTRA:
        found.wrong("spectra", f"has more than {_MOST_SPECTRA} entries")
        return []
    return [_read_spectrum(found, one, f"spectra[{k}]") for k, one in enumerate(spectra)]


def _read_spectrum(found: Findings, one: object, name: str) -> UsedSpectrum:
    if not isinstance(one, Mapping):
        found.wrong(name, "is not an object")
        return UsedSpectrum(0.0, [])
    found.require(one, ["resolutionBwHz", "profiles"], f"{name}.")
    resolution_hz = found.number(one, "resolutionBwHz", f"{name}.")
    profiles = found.list_of(one, "profiles", f"{name}.") or []
    read = [_read_profile(found, points, f"{name}.profiles[{k}]") for k, points in enumerate(profiles)]
    return UsedSpectrum(resolution_hz, read)


def _read_profile(found: Findings, points: object, name: str) -> list[tuple[float, float]]:
    if not isinstance(points, list) or not all(isinstance(point, Mapping) for point in points):
        found.wrong(name, "is no list of points")
        return []
    if len(points) < _FEWEST_POINTS:
        found.wrong(name, f"has less than {_FEWEST_POINTS} points")
    read = []
    for k, point in enumerate(points):
        prefix = f"{name}[{k}]."
        found.require(point, ["hz", "dbm"], prefix)
        read.append((found.number(point, "hz", prefix), found.number(point, "dbm", prefix)))
    hz = [point[0] for point in read]
    if any(b < a for a, b in itertools.pairwise(hz)) or any(hz[k] == hz[k + 2] for k in range(len(hz) - 2)):
        found.wrong(name, "is not in the order of its frequencies, at most two points at one")
    if hz and hz[-1] - hz[0] < _NARROWEST_HZ:
        found.wrong(name, "covers no frequency")
    return read


# --- owners -------------------------------------------------------------------------------------------------

_CARD_PARTS = 2
_FEWEST_PROPERTY = 4


def read_owner(found: Findings, given: Members, name: str) -> dict[str, list[Any]]:
    """DeviceOwner (RFC 7545, section 5.5): cards (jCard, RFC 7095) of ``owner`` and ``operator``."""
    sent = found.object_of(given, name)
    if sent is None:
        return {}
    found.require(sent, ["owner"], f"{name}.")
    cards = {}
    for role in ("owner", "operator"):
        card = sent.get(role)
        if card is not None:
            if not _is_card(card):
                found.wrong(f"{name}.{role}", "is no jCard")
            cards[role] = card
    return cards


def _is_card(card: object) -> bool:
    if not (isinstance(card, list) and len(card) == _CARD_PARTS and card[0] == "vcard"):
        return False
    return isinstance(card[1], list) and all(
        isinstance(one, list) and len(one) >= _FEWEST_PROPERTY and isinstance(one[0], str) for one in card[1]
    )


def card_texts(card: Sequence[Any]) -> dict[str, str]:
    """Properties of a card by name, as text; the first of each name."""
    found: dict[str, str] = {}
    for one in card[1]:
        value: object = one[3]
        if isinstance(value, list):
            value = ", ".join(str(part) for part in value if part)
        found.setdefault(one[0].lower(), str(value).replace("\0", ""))
    return found
