"""Page one of the report: five answers in plain sentences, from the facts and tables of the run.

How many channels for how many people, where not, what limits, what is unsure, until when valid.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pipeline.publish.report import page as pages
from pipeline.publish.report.page import PagePart

# The level that the sentences speak of, where a device has it.
_LEVEL_DBM = 20.0
_MOST_NAMED = 3
# Services that limit less of the area than this are not named in the sentence.
_LEAST_PCT = 1.0
_HALF_PCT = 50.0
# The blank before the sign is one that no line is broken at.
_PERCENT = "\N{NO-BREAK SPACE}%"
_Row = Mapping[str, str]


def answers(
    facts: Mapping[str, Any],
    statistics: Sequence[_Row],
    regions: Sequence[_Row],
    limits: Mapping[str, Mapping[str, float]] | None,
    unsure: Sequence[str],
) -> list[PagePart]:
    """The section. ``limits``: percent of the area by what limits there, by device; None: not to be told."""
    chosen = dict(_chosen_levels(statistics))
    parts = [
        pages.element("h2", "Five answers"),
        pages.element("h3", "How many channels, for how many people?"),
        pages.bullets(_how_many(device, level, own, facts) for (device, level), own in chosen.items()),
        pages.element("h3", "Where are there none?"),
        pages.bullets([_where_not(chosen), *_regions(regions, chosen)]),
        pages.element("h3", "What limits?"),
        pages.element("p", _what_limits(limits)),
        pages.element("h3", "What is unsure?"),
        pages.bullets(unsure),
        pages.element("h3", "Until when is it valid?"),
        pages.element("p", _until(facts)),
    ]
    return [pages.wrap("div", parts, class_="answers")]


def _chosen_levels(statistics: Sequence[_Row]) -> Iterator[tuple[tuple[str, str], list[_Row]]]:
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


def percent(value: float) -> str:
    """A percentage for readers: no digits that say nothing, and no 0 or 100 that is not exactly that."""
    if 0.0 < value < 1.0:
        return f"less than 1{_PERCENT}"
    if 99.0 < value < 100.0:
        return f"more than 99{_PERCENT}"
    return f"{value:.0f}{_PERCENT}"


def _how_many(device: str, level: str, rows: Sequence[_Row], facts: Mapping[str, Any]) -> str:
    settings = next(one for one in facts["config"]["settings"]["devices"] if one["id"] == device)
    of = max(int(row["channels_at_least"]) for row in rows)
    area, people = (_share(rows, column) for column in ("area_pct", "population_pct"))
    where = f"on {percent(area or 0.0)} of the land"
    who = f"for {percent(people)} of the population, {where}" if people is not None else where
    column = "area_pct" if people is None else "population_pct"
    half = sum(1 for row in rows if row[column] and float(row[column]) >= _HALF_PCT)
    whose = "the land" if people is None else "the population"
    median = f"half of {whose} has at least {half}" if half else f"more than half of {whose} has none"
    return (
        f"Device {device} (antenna {settings['height_m']:g} m above ground) with {level} dBm: at least one "
        f"of {of} channels {who}; {median}."
    )


def _where_not(chosen: Mapping[tuple[str, str], Sequence[_Row]]) -> str:
    """Land without a channel, and the population there, by device."""
    parts = []
    for (device, level), rows in chosen.items():
        area, people = (_share(rows, column) for column in ("area_pct", "population_pct"))
        who = "" if people is None else f" ({percent(100.0 - people)} of the population)"
        parts.append(f"{device} with {level} dBm on {percent(100.0 - (area or 0.0))} of the land{who}")
    return f"No channel is available for {', '.join(parts)}; the maps of each device show where."


def _regions(regions: Sequence[_Row], chosen: Mapping[tuple[str, str], object]) -> Iterator[str]:
    """Regions with the fewest channels, by device."""
    for device, level in chosen:
        own = [row for row in regions if (row["device"], row["level_dbm"]) == (device, level)]
        own = sorted(
            (row for row in own if row["channels_mean"]), key=lambda row: float(row["channels_mean"])
        )
        if len(own) > 1:
            named = [f"{row['region']} ({float(row['channels_mean']):.1f})" for row in own[:_MOST_NAMED]]
            yield f"Device {device} with {level} dBm: regions of the lowest mean number: {', '.join(named)}."


def _what_limits(limits: Mapping[str, Mapping[str, float]] | None) -> str:
    """The largest parts of the land by what limits there, in the mean of devices and channels."""
    if limits is None:
        return "What limits where is not published: it would show where protected stations are."
    sums_pct: Counter[str] = Counter()
    for shares_pct in limits.values():
        sums_pct.update(shares_pct)
    means = [(label, total / len(limits)) for label, total in sums_pct.most_common(_MOST_NAMED)]
    named = [f"{label} on {percent(share)}" for label, share in means if share >= _LEAST_PCT]
    whose = "the device's channels" if len(limits) == 1 else "all devices and channels"
    return f"In the mean of {whose}: {', '.join(named)} of the land."


def _until(facts: Mapping[str, Any]) -> str:
    valid, bookings = facts["valid"], facts["bookings"]
    renewed = "" if bookings and bookings["at"] else " or a renewal, which manifest.json tells"
    return (
        f"From {_minute(valid['from'])} until {_minute(valid['until'])}. After that nothing in this report "
        f"may be relied on without a new run{renewed}."
    )


def _minute(moment: str) -> str:
    """A time of the manifest without seconds."""
    return moment.replace("T", " ")[:16]


def signatures() -> list[PagePart]:
    """Lines to sign on."""
    rows = [[role, "", "", ""] for role in ("Prepared", "Checked", "Approved")]
    head = ["", "name", "date", "signature"]
    return [
        pages.element("h2", "Signatures"),
        pages.wrap("div", [pages.table(head, rows, "tttt")], class_="sign"),
    ]
