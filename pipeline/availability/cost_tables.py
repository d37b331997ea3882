"""The tables ``choices.csv`` and ``lost_channels.csv``, and the words of their rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from pipeline.availability.choices import Choice
from pipeline.availability.classes import level_name
from pipeline.files import table_bytes, write_whole
from pipeline.services.table import SERVICES

NO_CHOICE = "none"
"""Name of the line of the run as it is."""
AVAILABLE, TOO_WEAK = "available", "least_eirp"
RULE_LABELS = {
    AVAILABLE: "available",
    TOO_WEAK: "device cannot be so weak",
    "dtt_same": "television in the same channel",
    "dtt_adjacent": "television in the adjacent channel",
    "dtt_2_3": "television 2 or 3 channels away",
    "dtt_4_9": "television 4 to 9 channels away",
    "dtt_beyond": "television 10 and more channels away",
    **{row.name: row.label for row in SERVICES},
}
"""Words for the rules of `lost_channels.csv`, in their order: available, television, services."""
_ANY = "permitted"
_LOST_COLUMNS = ("device", "level_dbm", "rule", "share_pct", "channels_mean")


class Lost(NamedTuple):
    """Share of 1 of the pixel-channels of a device at a level, under one rule."""

    device: str
    level_dbm: float
    rule: str
    share: float


class Cost(NamedTuple):
    """Mean number of channels with one setting the other way.

    ``choice`` None: the run as it is; ``means``: a permission at all, then by level of e.i.r.p.; empty where
    stored maps do not tell. ``without``: DTT channels that would limit and have no maps.
    """

    device: str
    choice: Choice | None
    means: Mapping[float | None, float]
    without: tuple[int, ...] = ()


class Costs(NamedTuple):
    """All lines of all devices; ``step``: of the sample, 1 = every pixel."""

    costs: list[Cost]
    lost: list[Lost]
    step: int


def write_choices(found: Costs, levels_dbm: Sequence[float], path: Path) -> None:
    """One line for the run as it is and one for each choice, by device; numbers to 0.0001."""
    base = {cost.device: cost for cost in found.costs if cost.choice is None}
    rows = [_cost_row(cost, base[cost.device], levels_dbm, found.step) for cost in found.costs]
    columns = list(_cost_row(Cost("", None, {}), Cost("", None, {}), levels_dbm, found.step))
    write_whole(path, table_bytes(pd.DataFrame(rows, columns=columns)))


def write_lost(lost: Sequence[Lost], channels: dict[str, int], path: Path) -> None:
    """Shares of all pixel-channels by device, level and rule, in the order of the rules."""
    order = {rule: place for place, rule in enumerate(RULE_LABELS)}
    rows = [
        (
            each.device,
            level_name(each.level_dbm),
            each.rule,
            100.0 * each.share,
            each.share * channels[each.device],
        )
        for each in sorted(lost, key=lambda each: (each.device, each.level_dbm, order[each.rule]))
    ]
    write_whole(path, table_bytes(pd.DataFrame(rows, columns=list(_LOST_COLUMNS))))


def _cost_row(cost: Cost, base: Cost, levels_dbm: Sequence[float], step: int) -> dict[str, object]:
    choice = cost.choice
    row: dict[str, object] = {
        "device": cost.device,
        "setting": NO_CHOICE if choice is None else choice.key,
        "what": "the run as it is" if choice is None else choice.words,
        "now": "" if choice is None else choice.now,
        "otherwise": "" if choice is None else choice.otherwise,
        "set_by": "" if choice is None else choice.set_by,
        "verified": "" if choice is None else str(choice.verified).lower(),
        "counted": _counted(cost, step),
        "without_dtt": " ".join(map(str, cost.without)),
    }
    for level_dbm in (None, *levels_dbm):
        name = _ANY if level_dbm is None else f"{level_name(level_dbm)}dbm"
        mean = cost.means.get(level_dbm)
        row[f"channels_{name}"] = mean
        row[f"change_{name}"] = None if mean is None or choice is None else mean - base.means[level_dbm]
    return row


def _counted(cost: Cost, step: int) -> str:
    """How the numbers of a line were found."""
    if not cost.means:
        return "own run" if cost.choice is not None and cost.choice.own_run else "not here"
    if cost.choice is not None and cost.choice.more_db:
        return "at most" if cost.choice.more_db > 0.0 else "at least"
    return "all pixels" if step == 1 else f"1 pixel in {step}"
