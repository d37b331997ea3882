"""The section of the report on what the cautious choices cost, and by which rule each channel is lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from pipeline.availability.cost_tables import AVAILABLE, NO_CHOICE, RULE_LABELS, TOO_WEAK
from pipeline.publish.report import figures
from pipeline.publish.report import page as pages
from pipeline.publish.report.page import PagePart
from pipeline.publish.styles import MapClass, Rgba, Scheme
from pipeline.services.table import service_code

_CHOICES = (
    "Device {}: mean number of channels of the territory's land, the run as it is and with one setting at a "
    "time the other way (in brackets: the change), as in public/choices.csv"
)
_READING = (
    "Each line is one cautious choice. An administration that knows better numbers sets it as the third "
    "column says. Permitted: at any e.i.r.p. from the device's least on, which is what queries answer; the "
    "columns of levels are for a device that radiates exactly so much."
)
_LOST = (
    "Device {}: of all channels in all places, in % and (in brackets) in channels of the mean; a channel "
    "counts under its strictest rule"
)
_CHART = "Device {}: by which rule channels are lost, by e.i.r.p. level"
_CHANNELS, _CHANGE = "channels_", "change_"
_NOT_HERE = {
    "not here": "not computed here: channelmaps sensitivity",
    "own run": "not computed here: needs a run of its own",
}
# Television is darker the nearer it is in frequency: shares of white.
_SHADES = {"dtt_same": 0.0, "dtt_adjacent": 0.25, "dtt_2_3": 0.45, "dtt_4_9": 0.65, "dtt_beyond": 0.82}
_PALE = 0.6
_Row = Mapping[str, str]


def costs(
    choices: Sequence[_Row], lost: Sequence[_Row], schemes: Mapping[str, Scheme], *, with_lost: bool
) -> list[PagePart]:
    """Tables of both files by device, and a chart; ``with_lost``: what limits may be told."""
    devices = list(dict.fromkeys(row["device"] for row in choices))
    if not devices:
        return []
    parts = [
        pages.element("h2", "What the cautious choices cost"),
        pages.element("p", _READING, class_="note"),
    ]
    for device in devices:
        parts.append(_choice_table(device, [row for row in choices if row["device"] == device]))
        own = [row for row in lost if row["device"] == device]
        parts += _lost_parts(device, own, schemes) if with_lost and own else []
    return parts


def _choice_table(device: str, rows: Sequence[_Row]) -> PagePart:
    """The run as it is, then a line for each choice."""
    names = [name.removeprefix(_CHANNELS) for name in rows[0] if name.startswith(_CHANNELS)]
    names = [name for name in names if any(row[_CHANNELS + name] for row in rows)]
    head = ["choice: now", "otherwise", "how to set it", "number\nread"]
    head += [name if name == "permitted" else f"{name.removesuffix('dbm')} dBm" for name in names]
    lines = [[*_told(row), *(_number(row, name) for name in names)] for row in rows]
    return pages.table(head, lines, "tttt" + "n" * len(names), _CHOICES.format(device))


def _told(row: _Row) -> list[str]:
    if row["setting"] == NO_CHOICE:
        return [row["what"], f"counted on {row['counted']}", "", ""]
    other = row["otherwise"]
    if row["counted"] in _NOT_HERE:
        other = f"{other} ({_NOT_HERE[row['counted']]})"
    elif row["without_dtt"]:
        other = f"{other} (without DTT channels {row['without_dtt'].replace(' ', ', ')}: no maps)"
    verified = {"true": "yes", "false": "no"}[row["verified"]]
    return [f"{row['what']}: {row['now']}", other, row["set_by"], verified]


def _number(row: _Row, name: str) -> str:
    """A mean and its change, a dash where nothing was counted; a bound says so."""
    mean, change = row[_CHANNELS + name], row[_CHANGE + name]
    if not mean:
        return "–"
    if not change:
        return f"{float(mean):.2f}"
    bound = f"{row['counted']} " if row["counted"] in ("at most", "at least") else ""
    return f"{bound}{float(mean):.2f} ({float(change):+.2f})"


def _lost_parts(device: str, rows: Sequence[_Row], schemes: Mapping[str, Scheme]) -> list[PagePart]:
    """A chart with a bar for each level, and its numbers."""
    levels = list(dict.fromkeys(row["level_dbm"] for row in rows))
    share = {(row["level_dbm"], row["rule"]): row for row in rows}
    rules = [
        rule
        for rule in RULE_LABELS
        if any(float(share[level, rule]["share_pct"]) > 0.0 for level in levels if (level, rule) in share)
    ]
    shares_pct = np.array(
        [[float(share[lv, r]["share_pct"]) if (lv, r) in share else 0.0 for r in rules] for lv in levels]
    )
    lines = [[RULE_LABELS[rule], *(_share(share.get((level, rule))) for level in levels)] for rule in rules]
    head = ["by which rule", *(f"{level} dBm" for level in levels)]
    chart = figures.draw_shares(
        shares_pct,
        [f"{level} dBm" for level in levels],
        [MapClass(RULE_LABELS[rule], _colour(rule, schemes), None, None) for rule in rules],
        axes_labels=("% of all channels in all places", "e.i.r.p."),
    )
    return [
        pages.picture(chart, _CHART.format(device)),
        pages.table(head, lines, "t" + "n" * len(levels), _LOST.format(device)),
    ]


def _share(row: _Row | None) -> str:
    if row is None:
        return "–"
    return f"{float(row['share_pct']):.2f} ({float(row['channels_mean']):.2f})"


def _colour(rule: str, schemes: Mapping[str, Scheme]) -> Rgba:
    """The colour of a service in its layer, of what is available in that layer; television in shades."""
    if rule in (AVAILABLE, TOO_WEAK):
        colour = _colour_of(schemes["availability"], 1)
        return colour if rule == AVAILABLE else _paler(colour, _PALE)
    limiting = schemes["limiting_service"]
    if rule in _SHADES:
        return _paler(_colour_of(limiting, service_code("dtt")), _SHADES[rule])
    return _colour_of(limiting, service_code(rule))


def _colour_of(scheme: Scheme, code: int) -> Rgba:
    return next(entry.rgba for entry in scheme.classes if entry.code == code)


def _paler(colour: Rgba, white: float) -> Rgba:
    red, green, blue, alpha = colour
    red, green, blue = (round(part + white * (255 - part)) for part in (red, green, blue))
    return red, green, blue, alpha
