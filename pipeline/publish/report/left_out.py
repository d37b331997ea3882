"""What a run leaves out, in words: services, land, numbers whose source was not read.

A service that is not evaluated closes the channels of its band if ``channels.allocated`` gives it one
(``radio.allocations``); any other is simply not protected: channels are available without regard to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.config.bonds import in_words
from pipeline.publish.report.answers import percent
from pipeline.publish.report.basis import Facts, split_unverified
from pipeline.publish.report.used_numbers import used_numbers

ALL_EVALUATED = "Every service that applies is evaluated on all land."
NOT_EVALUATED_NOTE = (
    "What the maps show as “not evaluated” is never “available”: it counts as unavailable. A service that "
    "they do not protect is not shown so: channels are available without regard to it."
)
_UNNAMED = "not named in the territory file"
# A device that is narrower than another, or has other channels, may not meet the band in all of those named.
_CLOSED = "for devices that overlap its band; in other channels the maps do not protect it."
_FREE = "channels are available without regard to them."
_PARTIAL = "Maps of e.i.r.p. give levels there all the same, made without regard to it."


def not_evaluated(facts: Facts) -> list[str]:
    """Services that are left out and what that means, and how much land of each device is open."""
    closed = _closed_channels(facts)
    reasons = {entry["service"]: entry["reason"].rstrip(" .") for entry in facts["not_evaluated"]}
    told = []
    for name, status in _left_out(facts, closed).items():
        reason = f"{reasons[name]}. " if name in reasons else ""
        told.append(f"{name}: {status}. {reason}{_meaning(facts, closed.get(name))}")
    told += [text for text in (facts["protection"].get("not_evaluated_offsets"),) if text]
    shares_pct: dict[str, list[float]] = {}
    for entry in facts["not_evaluated_area"]:
        shares_pct.setdefault(entry["device"], []).append(entry["area_pct"])
    return told + [
        f"Device {device}: land is not evaluated in {len(found)} channels, up to {max(found):.4f} % of the "
        "area; see the table under “Services”."
        for device, found in sorted(shares_pct.items())
    ]


def unsure(facts: Facts) -> list[str]:
    """What is unsure in some sentences; the box of what is open has the details."""
    land = max((entry["area_pct"] for entry in facts["not_evaluated_area"]), default=0.0)
    keys, tables = split_unverified(used_numbers(facts))
    rows = [f"{count} in {Path(table).name}" for table, count in sorted(tables.items())]
    numbers = ", ".join([*([f"{len(keys)} settings"] if keys else []), *rows])
    told = _services_unsure(facts)
    told += [f"In some channels up to {percent(land)} of the land is not evaluated."] if land > 0.0 else []
    told += [text for text in (facts["protection"].get("not_evaluated_offsets"),) if text]
    told += [ALL_EVALUATED] if not told else []
    told += [f"Sources were not read of these numbers that the maps rest on: {numbers}."] if numbers else []
    return told


def _services_unsure(facts: Facts) -> list[str]:
    """A sentence for each service that closes channels, and one for all that are not protected."""
    closed = _closed_channels(facts)
    left_out = _left_out(facts, closed)
    told = [
        f"Not evaluated: {name} ({left_out[name]}). {_meaning(facts, channels)}"
        for name, channels in closed.items()
    ]
    free = [f"{name} ({status})" for name, status in left_out.items() if name not in closed]
    if free:
        told.append(f"Not evaluated: the maps do not protect {', '.join(free)}; {_FREE}")
    return told


def _closed_channels(facts: Facts) -> Mapping[str, Sequence[int | str]]:
    """Channels, then bonds, closed by a service, for some device; none in the reproduction of a study."""
    closed: Mapping[str, Sequence[int | str]] = facts["channels_of_incumbents_not_evaluated"]
    return {} if facts["study"] else closed


def _left_out(facts: Facts, closed: Mapping[str, object]) -> dict[str, str]:
    """Status by name of services that are not evaluated; those that no setting names come last."""
    named = {entry["service"]: entry["status"] for entry in facts["not_evaluated"]}
    return named | {name: _UNNAMED for name in closed if name not in named}


def _meaning(facts: Facts, channels: Sequence[int | str] | None) -> str:
    """What it means for the maps that a service is left out; ``channels`` that it closes, None: none."""
    if channels is None:
        return "The maps do not protect it."
    told = f"Counted as unavailable in {in_words(channels)}, {_CLOSED}"
    return f"{told} {_PARTIAL}" if facts["partial"] else told
