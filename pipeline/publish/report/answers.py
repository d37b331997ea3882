"""Page one of the report: five answers in plain sentences, from the facts and tables of the run.

How many channels for how many people, where not, what limits, what is unsure, until when valid.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pipeline.publish.report import page as pages
from pipeline.publish.report.page import PagePart
from pipeline.publish.report.texts import Texts

# The level that the sentences speak of, where a device has it.
_LEVEL_DBM = 20.0
_MOST_NAMED = 3
# Services that limit less of the area than this are not named in the sentence.
_LEAST_PCT = 1.0
_HALF_PCT = 50.0
_Row = Mapping[str, str]


def answers(
    facts: Mapping[str, Any],
    statistics: Sequence[_Row],
    regions: Sequence[_Row],
    limits: Mapping[str, Mapping[str, float]] | None,
    unsure: Sequence[str],
    texts: Texts,
) -> list[PagePart]:
    """The section. ``limits``: percent of the area by what limits there, by device; None: not to be told."""
    chosen = dict(chosen_levels(statistics))
    counted = {device for device, _ in chosen}
    devices = [device["id"] for device in facts["config"]["settings"]["devices"]]
    uncounted = [texts.say("no_level", device=device) for device in devices if device not in counted]
    nowhere = [_where_not(chosen, texts)] if chosen else []
    parts = [
        pages.element("h2", texts.say("answers")),
        pages.element("h3", texts.say("how_many")),
        pages.bullets([*(_how_many(*place, own, facts, texts) for place, own in chosen.items()), *uncounted]),
        pages.element("h3", texts.say("where_none")),
        pages.bullets([*nowhere, *_regions(regions, chosen, texts), *uncounted]),
        pages.element("h3", texts.say("what_limits")),
        pages.element("p", _what_limits(limits, texts)),
        pages.element("h3", texts.say("what_unsure")),
        pages.bullets(unsure),
        pages.element("h3", texts.say("until_when")),
        pages.element("p", _until(facts, texts)),
    ]
    return [pages.wrap("div", parts, class_="answers")]


def chosen_levels(statistics: Sequence[_Row]) -> Iterator[tuple[tuple[str, str], list[_Row]]]:
    """Rows of the statistics of each device at the one level that is told, by device and level."""
    for device in dict.fromkeys(row["device"] for row in statistics):
        own = [row for row in statistics if row["device"] == device]
        levels = sorted({row["level_dbm"] for row in own}, key=float)
        level = min(levels, key=lambda text: (abs(float(text) - _LEVEL_DBM), float(text)))
        yield (device, level), [row for row in own if row["level_dbm"] == level]


def _share(rows: Iterable[_Row], column: str, channels: int = 1) -> float | None:
    """Percent that has at least so many channels; None where the run does not say."""
    text = next((row[column] for row in rows if int(row["channels_at_least"]) == channels), "")
    return float(text) if text else None


def _how_many(device: str, level: str, rows: Sequence[_Row], facts: Mapping[str, Any], texts: Texts) -> str:
    settings = next(one for one in facts["config"]["settings"]["devices"] if one["id"] == device)
    area, people = (_share(rows, column) for column in ("area_pct", "population_pct"))
    column, key = ("area_pct", "how_many_land") if people is None else ("population_pct", "how_many_people")
    half = sum(1 for row in rows if row[column] and float(row[column]) >= _HALF_PCT)
    return texts.say(
        key if half else f"{key}_none",
        device=device,
        height=texts.short(settings["height_m"]),
        level=level,
        count=max(int(row["channels_at_least"]) for row in rows),
        people=texts.percent(people or 0.0),
        land=texts.percent(area or 0.0),
        half=half,
    )


def _where_not(chosen: Mapping[tuple[str, str], Sequence[_Row]], texts: Texts) -> str:
    """Land without a channel, and the population there, by device."""
    parts = []
    for (device, level), rows in chosen.items():
        area, people = (_share(rows, column) for column in ("area_pct", "population_pct"))
        known = {"device": device, "level": level, "land": texts.percent(100.0 - (area or 0.0))}
        if people is None:
            parts.append(texts.say("where_not_land", **known))
        else:
            parts.append(texts.say("where_not_people", **known, people=texts.percent(100.0 - people)))
    return texts.say("where_not", devices=", ".join(parts))


def _regions(
    regions: Sequence[_Row], chosen: Mapping[tuple[str, str], object], texts: Texts
) -> Iterator[str]:
    """Regions with the fewest channels, by device."""
    for device, level in chosen:
        own = [row for row in regions if (row["device"], row["level_dbm"]) == (device, level)]
        own = sorted(
            (row for row in own if row["channels_mean"]), key=lambda row: float(row["channels_mean"])
        )
        if len(own) > 1:
            named = [
                f"{row['region']} ({texts.number(float(row['channels_mean']), 1)})"
                for row in own[:_MOST_NAMED]
            ]
            yield texts.say("fewest", device=device, level=level, regions=", ".join(named))


def _what_limits(limits: Mapping[str, Mapping[str, float]] | None, texts: Texts) -> str:
    """The largest parts of the land by what limits there, in the mean of devices and channels."""
    if limits is None:
        return texts.say("limits_withheld")
    sums_pct: Counter[str] = Counter()
    for shares_pct in limits.values():
        sums_pct.update(shares_pct)
    means = [(label, total / len(limits)) for label, total in sums_pct.most_common(_MOST_NAMED)]
    named = [
        texts.say("limits_on", label=texts.label(label), share=texts.percent(share))
        for label, share in means
        if share >= _LEAST_PCT
    ]
    return texts.say("limits_one" if len(limits) == 1 else "limits_all", limits=", ".join(named))


def _until(facts: Mapping[str, Any], texts: Texts) -> str:
    valid, bookings = facts["valid"], facts["bookings"]
    return texts.say(
        "until_fixed" if bookings and bookings["at"] else "until_renewed",
        valid_from=minute(valid["from"]),
        valid_until=minute(valid["until"]),
    )


def minute(moment: str) -> str:
    """A time of the manifest without seconds and zone."""
    return moment.replace("T", " ")[:16]


def signatures(texts: Texts) -> list[PagePart]:
    """Lines to sign on."""
    rows = [[texts.say(role), "", "", ""] for role in ("prepared", "checked", "approved")]
    head = ["", *(texts.say(f"column_{name}") for name in ("name", "date", "signature"))]
    return [
        pages.element("h2", texts.say("signatures")),
        pages.wrap("div", [pages.table(head, rows, "tttt")], class_="sign"),
    ]
