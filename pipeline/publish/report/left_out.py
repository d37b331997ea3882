"""What a run leaves out, in words: services, land, numbers whose source was not read.

A service that is not evaluated closes the channels of its band if ``channels.allocated`` gives it one
(``radio.allocations``); any other is simply not protected: channels are available without regard to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.publish.report import page as pages
from pipeline.publish.report.basis import Facts, split_unverified
from pipeline.publish.report.page import PagePart
from pipeline.publish.report.texts import Texts
from pipeline.publish.report.used_numbers import used_numbers


def left_out_parts(facts: Facts, texts: Texts) -> list[PagePart]:
    """What is not evaluated, and what is said not to concern the territory."""
    left_out = not_evaluated(facts, texts)
    apart = [
        texts.say("service_reason", service=texts.services([entry["service"]]), reason=entry["reason"])
        for entry in facts["services"]
        if not entry["applicable"]
    ]
    parts = [
        pages.element("h2", texts.say("open")),
        pages.element("h3", texts.say("not_evaluated")),
        pages.bullets(left_out) if left_out else pages.element("p", texts.say("nothing_open")),
        pages.element("p", texts.say("not_evaluated_note"), class_="note"),
    ]
    return [
        *parts,
        *([pages.element("h3", texts.say("not_applicable")), pages.bullets(apart)] if apart else []),
    ]


def not_evaluated(facts: Facts, texts: Texts) -> list[str]:
    """Services that are left out and what that means, and how much land of each device is open."""
    closed = _closed_channels(facts)
    reasons = {entry["service"]: entry["reason"].rstrip(" .") for entry in facts["not_evaluated"]}
    told = []
    for name, status in _left_out(facts, closed, texts).items():
        meaning = _meaning(facts, name, closed.get(name), texts)
        known = {"service": texts.services([name]), "status": status, "meaning": meaning}
        if name in reasons:
            told.append(texts.say("service_left_out_reason", **known, reason=reasons[name]))
        else:
            told.append(texts.say("service_left_out", **known))
    told += _offsets(facts, texts)
    shares_pct: dict[str, list[float]] = {}
    for entry in facts["not_evaluated_area"]:
        shares_pct.setdefault(entry["device"], []).append(entry["area_pct"])
    return told + [
        texts.say("land_open", device=device, channels=len(found), share=texts.number(max(found), 4))
        for device, found in sorted(shares_pct.items())
    ]


def unsure(facts: Facts, texts: Texts) -> list[str]:
    """What is unsure in some sentences; the box of what is open has the details."""
    land = max((entry["area_pct"] for entry in facts["not_evaluated_area"]), default=0.0)
    keys, tables = split_unverified(used_numbers(facts))
    numbers = [texts.say("numbers_of_settings", count=len(keys))] if keys else []
    for table, count in sorted(tables.items()):
        numbers.append(texts.say("numbers_of_table", count=count, table=Path(table).name))
    told = _services_unsure(facts, texts)
    told += [texts.say("land_unsure", share=texts.percent(land))] if land > 0.0 else []
    told += _offsets(facts, texts)
    told += [texts.say("all_evaluated")] if not told else []
    told += [texts.say("numbers_unsure", numbers=", ".join(numbers))] if numbers else []
    return told


def _services_unsure(facts: Facts, texts: Texts) -> list[str]:
    """A sentence for each service that closes channels, and one for all that are not protected."""
    closed = _closed_channels(facts)
    left_out = _left_out(facts, closed, texts)
    told = [
        texts.say(
            "service_closes",
            service=texts.services([name]),
            status=left_out[name],
            meaning=_meaning(facts, name, channels, texts),
        )
        for name, channels in closed.items()
    ]
    free = [name for name in left_out if name not in closed]
    return [*told, texts.say("services_free", services=texts.services(free))] if free else told


def _offsets(facts: Facts, texts: Texts) -> list[str]:
    """Offsets at which no device is looked at, as the manifest says; nothing where all are."""
    entry = facts["protection"]
    if not entry.get("not_evaluated_offsets"):
        return []
    used = entry["offsets"]
    if entry["offsets_narrowed"]:
        return [texts.say("offsets_narrowed", offsets=", ".join(map(str, used)))]
    width_mhz = max(segment["width_mhz"] for segment in facts["config"]["settings"]["channels"]["plan"])
    reach = f"±{used[-1]}" if -used[0] == used[-1] else f"{used[0]}, {used[-1]:+d}"
    farthest_mhz = width_mhz * max(-used[0], used[-1])
    return [texts.say("offsets_beyond", reach=reach, mhz=texts.short(farthest_mhz))]


def _closed_channels(facts: Facts) -> Mapping[str, Sequence[int | str]]:
    """Channels, then bonds, closed by a service, for some device.

    By one that is left out, which the reproduction of a study does not heed, or by one without receivers.
    """
    left_out: Mapping[str, Sequence[int | str]] = facts["channels_of_incumbents_not_evaluated"]
    return ({} if facts["study"] else left_out) | facts["channels_without_receivers"]


def _left_out(facts: Facts, closed: Mapping[str, object], texts: Texts) -> dict[str, str]:
    """Status by name of services that are not evaluated; those that no setting names come last."""
    named = {entry["service"]: texts.say(entry["status"]) for entry in facts["not_evaluated"]}
    return named | {name: texts.say("unnamed") for name in closed if name not in named}


def _meaning(facts: Facts, name: str, channels: Sequence[int | str] | None, texts: Texts) -> str:
    """What it means for the maps that a service is left out; ``channels`` that it closes, None: none."""
    if channels is None:
        return texts.say("not_protected")
    partial = facts["partial"] and name not in facts["channels_without_receivers"]
    return texts.say("closed_partial" if partial else "closed", channels=texts.channels(channels))
