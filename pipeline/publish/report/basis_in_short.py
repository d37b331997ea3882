"""What the report says of its basis: the method in some sentences, the inputs, the open numbers by weight."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.config.config import Config
from pipeline.propagation.models import model_named
from pipeline.publish.legends import credit_line
from pipeline.publish.release import INTERNAL_REPORT, WITHHELD
from pipeline.publish.report import page as pages
from pipeline.publish.report.basis import Facts
from pipeline.publish.report.page import PagePart
from pipeline.publish.report.texts import Texts
from pipeline.publish.report.used_numbers import used_numbers
from pipeline.publish.report.weights import OpenGroup, open_groups
from pipeline.reference.ratio_tables import ModeKey

_DIGITS = 16  # of a sum on paper
_LONGEST = 90  # characters of a source
_TELEVISION = ("dtt", "foreign_dtt")


def method(facts: Facts, texts: Texts) -> list[PagePart]:
    """Sentences from the settings."""
    chosen = facts["config"]["settings"]
    path, time_pct = chosen["propagation"], chosen["propagation"]["nuisance_time_pct"]
    coverage, device = (model_named(path[key]).title for key in ("coverage_model", "wsd_model"))
    both = texts.say("method_both_times")
    evaluated = _evaluated(facts)
    others = [name for name in evaluated if name not in _TELEVISION]
    fields = texts.say(
        "method_fields",
        coverage=texts.label(coverage),
        path=texts.label(device),
        wanted=texts.short(path["wanted_time_pct"]),
        nuisance=both if time_pct == "both" else texts.short(time_pct),
    )
    without = texts.say("method_no_television", path=texts.label(device))
    told = [
        *([_protection(facts, texts), fields] if "dtt" in evaluated else [without]),
        *_television_apart(facts, evaluated, texts),
        texts.say("method_services", services=texts.services(others)),
        texts.say(
            "method_grid",
            transmitters=facts["register"]["transmitters"],
            resolution=texts.short(chosen["grid"]["resolution_m"]),
            crs=chosen["grid"]["crs"],
            terrain=texts.say("method_terrain" if chosen["terrain"]["dem"] else "method_flat"),
        ),
        texts.say("method_more"),
    ]
    return [pages.element("h2", texts.say("method")), pages.bullets(told)]


def _evaluated(facts: Facts) -> list[str]:
    """Services that limits are computed of."""
    return [
        entry["service"]
        for entry in facts["services"]
        if entry["applicable"] and entry["status"] == "evaluate"
    ]


def _television_apart(facts: Facts, evaluated: Sequence[str], texts: Texts) -> list[str]:
    """What the sentence on television does not hold for: reception at home and abroad is decided apart."""
    applies = [entry["service"] for entry in facts["services"] if entry["applicable"]]
    left_out = [name for name in _TELEVISION if name in applies and name not in evaluated]
    told = []
    if left_out and "dtt" in evaluated:
        told.append(texts.say("method_television_not", services=texts.services(left_out)))
    if "foreign_dtt" in evaluated and "dtt" not in evaluated:
        told.append(texts.say("method_television_only", services=texts.services(["foreign_dtt"])))
    return told


def _protection(facts: Facts, texts: Texts) -> str:
    chosen, entry = facts["config"]["settings"], facts["protection"]
    if entry["method"] != "degradation":
        return texts.say(f"method_{entry['method']}")
    allowed = sorted({device["dq_pct"] for device in chosen["devices"]})
    offsets, q_min = entry["offsets"], chosen["coverage"]["q_min"]
    runs = offsets == list(range(offsets[0], offsets[-1] + 1))
    span = texts.say("span", first=f"{offsets[0]:+d}", last=f"{offsets[-1]:+d}")
    return texts.say(
        "method_degradation",
        q_min=texts.short(q_min["value"] if isinstance(q_min, dict) else q_min),
        dq=", ".join(map(texts.short, allowed)),
        offsets=span if runs else ", ".join(f"{k:+d}" for k in offsets),
    )


def inputs_in_short(facts: Facts, texts: Texts) -> list[PagePart]:
    """Files with the beginnings of their sums."""
    config = facts["config"]
    rows = [[item["key"], item["path"], item["sha256"][:_DIGITS]] for item in facts["inputs"]]
    rows.append([texts.say("territory_file"), config["path"], config["sha256"][:_DIGITS]])
    head = [texts.say(f"column_{name}") for name in ("setting", "file", "sum")]
    withheld = facts.get(WITHHELD, {}).get("inputs")
    left_out = texts.say("inputs_withheld", count=withheld, file=INTERNAL_REPORT)
    credit = credit_line(config["settings"])
    return [
        pages.element("h2", texts.say("inputs")),
        pages.table(head, rows, "pps", texts.say("inputs_caption")),
        *([pages.element("p", left_out, class_="note")] if withheld else []),
        *([pages.element("p", credit, class_="note")] if credit else []),
    ]


def open_numbers_weighed(
    config: Config, modes: Sequence[ModeKey], facts: Facts, texts: Texts
) -> list[PagePart]:
    """Numbers whose source was not read, by kind, the heaviest first; ``modes`` of the register."""
    used, all_of_them = used_numbers(facts), len(facts["unverified"])
    parts = [pages.element("h2", texts.say("numbers"))]
    if not used:
        return [*parts, pages.element("p", texts.say("numbers_none"))]
    note = texts.say("numbers_note")
    if all_of_them > len(used):
        note += " " + texts.say("numbers_others", count=all_of_them - len(used))
    rows = [_weighed(group, texts) for group in open_groups(config, modes, used)]
    head = [texts.say(f"column_{name}") for name in ("number", "value", "changed", "weight", "source")]
    return [*parts, pages.element("p", note, class_="note"), pages.table(head, rows, "tttnt")]


def _weighed(group: OpenGroup, texts: Texts) -> list[str]:
    name = texts.label(group.kind)
    if group.table and group.numbers > 1:
        name = texts.say("of_rows", name=name, count=group.numbers, table=group.table)
    elif group.numbers > 1:
        name = texts.say("of_devices", name=name, count=group.numbers)
    source = group.sources[0]
    source = source if len(source) <= _LONGEST else f"{source[:_LONGEST].rsplit(' ', 1)[0]} …"
    if group.weight_db is None:
        return [name, _value(group.values, texts), "–", texts.say("not_computed"), source]
    change = texts.say("changed_share" if group.is_share else "changed_db")
    return [name, _value(group.values, texts), change, texts.number(group.weight_db, 1), source]


def _value(values: Sequence[str], texts: Texts) -> str:
    """One value, or the ends of several."""
    try:
        numbers = sorted(map(float, values))
    except ValueError:
        return values[0] if len(values) == 1 else "–"
    if len(numbers) == 1:
        return texts.short(numbers[0])
    return texts.say("value_range", low=texts.short(numbers[0]), high=texts.short(numbers[-1]))
