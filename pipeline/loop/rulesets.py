"""Rulesets as plain facts: which members their devices give, which bandwidths answers are in.

RFC 7545, section 9; EN 301 598; 47 CFR 15 H. Types of devices are those of RFC 7545: the page of IANA has
the texts of ``fccTvbdDeviceType`` and ``etsiEnDeviceType`` exchanged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pipeline.config.loop import Loop, LoopRuleset
from pipeline.files import JsonObject
from pipeline.query.paws import Code, PawsError


class Family(NamedTuple):
    """Rules of one authority, whatever their edition.

    ``prefix`` of their ids; ``required`` of every device, in the order they are named in; ``type_member``
    tells what a device is, of ``types`` those whose antenna's height is needed are ``fixed``.
    ``resolutions_hz`` of answers: 0 stands for the width of a channel. ``registered`` types need a
    registration, with an owner. ``own`` begins the names of members of this family.
    """

    prefix: str
    own: str
    required: tuple[str, ...]
    type_member: str
    types: tuple[str, ...]
    fixed: tuple[str, ...]
    resolutions_hz: tuple[float, ...]
    registered: tuple[str, ...] = ()


_IDENTITY = ("serialNumber", "manufacturerId", "modelId")
ETSI = Family(
    prefix="ETSI",
    own="etsi",
    required=(
        *_IDENTITY,
        "etsiEnDeviceType",
        "etsiEnDeviceEmissionsClass",
        "etsiEnTechnologyId",
        "etsiEnDeviceCategory",
    ),
    type_member="etsiEnDeviceType",
    types=("A", "B"),
    fixed=("A",),
    resolutions_hz=(0.0, 1e5),
)
FCC = Family(
    prefix="Fcc",
    own="fcc",
    required=("fccId", "fccTvbdDeviceType", "serialNumber"),
    type_member="fccTvbdDeviceType",
    types=("FIXED", "MODE_1", "MODE_2"),
    fixed=("FIXED",),
    resolutions_hz=(6e6,),
    registered=("FIXED",),
)
NATIONAL = Family(
    prefix="",
    own="",
    required=("serialNumber",),
    type_member="etsiEnDeviceType",
    types=("A", "B"),
    fixed=(),
    resolutions_hz=(0.0,),
)
FAMILIES = (ETSI, FCC, NATIONAL)


class Ruleset(NamedTuple):
    """Rules that this database answers under."""

    id: str
    family: Family
    required: tuple[str, ...]
    resolutions_hz: tuple[float, ...]
    registration: str
    profiles: Mapping[str, str]


def served_rulesets(own_id: str, loop: Loop) -> tuple[Ruleset, ...]:
    """The run's own rules, then those of the settings; an entry for the own id completes it."""
    given = {entry.id: entry for entry in loop.rulesets}
    entries = [given.pop(own_id, LoopRuleset(id=own_id)), *given.values()]
    return tuple(_ruleset(entry, loop) for entry in entries)


def _ruleset(entry: LoopRuleset, loop: Loop) -> Ruleset:
    family = next(one for one in FAMILIES if entry.id.startswith(one.prefix))
    return Ruleset(
        entry.id,
        family,
        (*family.required, *(name for name in entry.required if name not in family.required)),
        tuple(entry.resolution_hz or family.resolutions_hz),
        entry.registration or loop.registration,
        entry.profiles,
    )


def rulesets_of(served: Sequence[Ruleset], device_desc: Mapping[str, Any]) -> list[Ruleset]:
    """Those that a device asks for and that are served, in its order; UNSUPPORTED where there are none.

    A device that names none gets those of the family whose members it has, else all.
    """
    asked = device_desc.get("rulesetIds")
    if not isinstance(asked, list) or not asked:
        own = [one for one in served if one.family.own and _has_members(one.family, device_desc)]
        return own or list(served)
    by_id = {one.id: one for one in served}
    found = [by_id[name] for name in dict.fromkeys(map(str, asked)) if name in by_id]
    if not found:
        told = ", ".join(by_id)
        raise PawsError(Code.UNSUPPORTED, f"the ruleset{'s' * (len(by_id) > 1)} here {_is(by_id)} {told}")
    return found


def _is(several: Mapping[str, object]) -> str:
    return "are" if len(several) > 1 else "is"


def _has_members(family: Family, device_desc: Mapping[str, Any]) -> bool:
    return any(name.startswith(family.own) for name, value in device_desc.items() if value is not None)


def ruleset_info(ruleset: Ruleset, facts: JsonObject, polling_s: int) -> JsonObject:
    """RulesetInfo (RFC 7545, section 5.6)."""
    own = facts["ruleset"]
    return {
        "authority": own["authority"],
        "rulesetId": ruleset.id,
        "maxLocationChange": own["maxLocationChange"],
        "maxPollingSecs": polling_s,
    }
