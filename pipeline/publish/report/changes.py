"""What changed since the run before: inputs, settings, program, and the mean number of channels by level."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.grid.layer_files import layer_file
from pipeline.publish.manifest_changes import ChangedInput, changed_inputs
from pipeline.publish.release import INTERNAL_MANIFEST, MANIFEST, WITHHELD, is_sealed
from pipeline.publish.report import page as pages
from pipeline.publish.report.answers import minute
from pipeline.publish.report.basis import Facts
from pipeline.publish.report.page import PagePart
from pipeline.publish.report.texts import Texts
from pipeline.rows.text_records import own_rows

_MOST_NAMED = 6
_PARTIAL = (False, True)
_Row = Mapping[str, str]


class Changes(NamedTuple):
    """The run before, what went in differently, and its rows of `statistics.csv` (none: not known).

    ``public``: only what is public was compared.
    """

    run: str
    computed_at: str
    inputs: list[ChangedInput]
    statistics: list[dict[str, str]]
    public: bool = False


def changes_of(results: Path, facts: Facts) -> Changes | None:
    """Against the newest other run of the territory that lies under ``results``; None where there is none.

    A public report is held against public manifests, which tell nothing of protected stations; those of
    versions that published one manifest with all in it count as none.
    """
    public = WITHHELD in facts
    name = MANIFEST if public else INTERNAL_MANIFEST
    found = [read for path in results.glob(f"[0-9a-f]*/{name}") if (read := _read(path)) is not None]
    others = [
        (manifest, path)
        for manifest, path in found
        if manifest["run_id"] != facts["run_id"] and (WITHHELD in manifest) == public
    ]
    if not others:
        return None
    before, path = max(others, key=lambda item: (item[0]["computed_at"], item[0]["run_id"]))
    folder = path.parent.parent if name == INTERNAL_MANIFEST else path.parent
    tables = [folder / layer_file("statistics", partial=partial) for partial in _PARTIAL]
    rows = [row for table in tables if table.is_file() for row in own_rows(table)]
    return Changes(before["run_id"], before["computed_at"], changed_inputs(before, facts), rows, public)


def _read(path: Path) -> tuple[dict[str, Any], Path] | None:
    """A manifest that is as it was published; None of any other."""
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        needed = {"run_id", "computed_at", "inputs", "config", "software"}
        return (manifest, path) if needed <= set(manifest) and is_sealed(manifest) else None
    except (OSError, ValueError, TypeError, RecursionError):
        return None


def changes_section(found: Changes | None, statistics: Sequence[_Row], texts: Texts) -> list[PagePart]:
    """In sentences, and as a table of levels."""
    head = pages.element("h2", texts.say("changes"))
    if found is None:
        return [head, pages.element("p", texts.say("changes_none"))]
    same = texts.say("changes_nothing_public" if found.public else "changes_nothing")
    told = _sentences(found.inputs, texts) or [same]
    rows = _table(found.statistics, statistics, texts)
    zero = texts.number(0.0, 2, signed=True)
    moved = [row for row in rows if row[-1] != zero]
    if len(moved) < len(rows):
        told.append(
            texts.say("changes_same" if not moved else "changes_same_rest", step=texts.number(0.005, 3))
        )
    names = ("column_device", "column_level", "column_before", "column_now", "column_change")
    titles = [texts.say(name) for name in names]
    return [
        head,
        pages.element("p", texts.say("changes_against", run=found.run, when=minute(found.computed_at))),
        pages.bullets(told),
        *([pages.table(titles, moved, "tnnnn", texts.say("changes_caption"))] if moved else []),
        *([] if rows else [pages.element("p", texts.say("changes_not_told"))]),
    ]


def _sentences(changed: Sequence[ChangedInput], texts: Texts) -> list[str]:
    by_kind: dict[str, list[ChangedInput]] = {}
    for change in changed:
        by_kind.setdefault(change.kind, []).append(change)
    nothing = texts.say("nothing")
    named = {
        "changes_inputs": [change.key for change in by_kind.get("input", ())],
        "changes_settings": [
            texts.say("changes_setting", name=c.key, before=c.run_a or nothing, after=c.run_b or nothing)
            for c in by_kind.get("setting", ())
        ],
        "changes_code": [change.key for change in by_kind.get("code", ())],
        "changes_packages": [change.key for change in by_kind.get("package", ())],
    }
    return [
        texts.say(key, names=_some(names, texts), count=len(names)) for key, names in named.items() if names
    ]


def _some(names: Sequence[str], texts: Texts) -> str:
    if len(names) <= _MOST_NAMED:
        return ", ".join(names)
    named = ", ".join(names[:_MOST_NAMED])
    return texts.say("and_more", names=named, count=len(names) - _MOST_NAMED)


def _table(before: Sequence[_Row], now: Sequence[_Row], texts: Texts) -> list[list[str]]:
    """Lines of the levels that both runs have."""
    means = [mean_channels(rows) for rows in (before, now)]
    return [
        [
            device,
            level,
            texts.number(means[0][device, level], 2),
            texts.number(means[1][device, level], 2),
            texts.number(means[1][device, level] - means[0][device, level], 2, signed=True),
        ]
        for device, level in means[1]
        if (device, level) in means[0]
    ]


def mean_channels(rows: Sequence[_Row]) -> dict[tuple[str, str], float]:
    """Mean number of channels of the land by device and level: the sum of the shares with at least n."""
    sums: dict[tuple[str, str], float] = {}
    for row in rows:
        place = row["device"], row["level_dbm"]
        sums[place] = sums.get(place, 0.0) + float(row["area_pct"] or 0.0) / 100.0
    return sums


def all_changes(found: Changes | None) -> list[PagePart]:
    """Every difference in a table, for the annex."""
    if found is None or not found.inputs:
        return []
    caption = f"Inputs, settings, code of jobs and packages that differ from run {found.run}"
    head = ["kind", "what", "then", "now"]
    return [pages.element("h2", "What changed"), pages.table(head, found.inputs, "tppp", caption)]
