"""What the maps of a run rest on, for its report: assumptions, services, inputs, times, open numbers."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.plan.plausibility import COUNTS
from pipeline.propagation.models import model_named
from pipeline.publish.legends import credit_line
from pipeline.publish.release import INTERNAL_REPORT, WITHHELD
from pipeline.publish.report import page as pages
from pipeline.publish.report.page import PagePart
from pipeline.publish.report.used_numbers import used_numbers

Facts = Mapping[str, Any]
# The rule that writes the report: what its file says is of an earlier run.
_OWN_RULE = "publish"
_RATIO_KEYS = ("r_db", "loaded_db", "cautious_db")


def assumptions(facts: Facts) -> list[PagePart]:
    """Notes of the manifest, and the settings of the method in words."""
    chosen = facts["config"]["settings"]
    path, reception = chosen["propagation"], chosen["coverage"]
    coverage, device = (model_named(path[key]).title for key in ("coverage_model", "wsd_model"))
    angles, register = facts["terrain"]["clearance_angles"], facts["register"]
    told = [
        *facts["notes"],
        f"Method of protection: {chosen['protection']['method']}"
        + (f"; offsets {_listed(facts['protection']['offsets'])}." if _has_ratios(facts) else "."),
        f"Coverage by {coverage}, wanted fields at {path['wanted_time_pct']:g} % of time, "
        f"interfering ones at {_time_told(path['nuisance_time_pct'])}; paths from devices by {device}.",
        f"Reception is served from a location probability of {shown_value(reception['q_min'])}; location "
        f"variation {reception['location_sigma_db']:g} dB; receiving antennas at "
        f"{reception['receiver_height_m']:g} m.",
        f"Sea paths of devices: {facts['sea_paths']}. Clearance angles are "
        f"{'on' if angles['on'] else 'off'}: {angles['reason']}.",
        f"Register: {register['transmitters']} transmitters, {register['default_mode']} of them with the "
        f"default mode, {register['country_from_polygon']} with the country of the polygon around them, "
        f"{register['polarisation_unknown']} of unknown polarisation; the guard interval is assumed of "
        f"{register['guard_assumed']} of {register['in_networks']} in single-frequency networks; "
        f"{register['rejected_rows']} rows rejected.",
        *[_device_told(device) for device in chosen["devices"]],
    ]
    told += _people_told(facts)
    if facts["bookings"] is not None:
        bookings = facts["bookings"]
        told.append(
            f"PMSE: {bookings['active']} of {bookings['assignments']} bookings, those at {bookings['at']}; "
            f"{bookings['rejected_rows']} rows rejected."
        )
    told += [
        f"Polygon repaired: {one['file']}, row {one['row']}: {one['problem']}; covers "
        f"{one['area_km2']:.6g} km2 now."
        for one in facts["repaired_polygons"]
    ]
    told.append(f"Grid {chosen['grid']['crs']}, {chosen['grid']['resolution_m']:g} m.")
    note = "Every setting is in manifest.json under config.settings."
    if WITHHELD in facts:
        note += f" Those of protected stations are left out here: {facts[WITHHELD]['file']} has them."
    return [pages.element("h2", "Assumptions"), pages.bullets(told), pages.element("p", note, class_="note")]


def _time_told(time_pct: float | str) -> str:
    return "1 and at 50 %, the stricter counts" if time_pct == "both" else f"{time_pct:g} %"


def _people_told(facts: Facts) -> list[str]:
    """Where the people of the list of places are, those of the territory's own countries."""
    accounts = facts["population"] or {}
    own = [accounts[code] for code in facts["config"]["settings"]["territory"]["home"] if code in accounts]
    if not own:
        return []
    listed, beyond, not_placed = (
        sum(account[name] for account in own) for name in ("listed", "beyond_grid", "not_placed")
    )
    return [
        f"Population: places of {listed:.0f} people, spread over the land of their own country; "
        f"{beyond:.0f} beyond the grid, {not_placed:.0f} not placed."
    ]


def _has_ratios(facts: Facts) -> bool:
    return "offsets" in facts["protection"]


def _listed(offsets: Sequence[int]) -> str:
    return ", ".join(f"{offset:+d}" if offset else "0" for offset in offsets)


def protection(facts: Facts) -> list[PagePart]:
    """Protection ratios beside those of loaded devices and of the cautious table; what narrowing hides."""
    if not _has_ratios(facts):
        return []
    entry = facts["protection"]
    head = ["device", "offset", "r, dB", "loaded", "cautious table"]
    rows = [
        [item["device"], f"{item['offset']:+d}", *(f"{item[key]:.2f}" for key in _RATIO_KEYS)]
        for item in entry["ratios"]
    ]
    told = "Of the default mode at low wanted levels; a larger ratio permits less by the difference."
    parts = [
        pages.element("h2", "Protection ratios"),
        pages.element("p", told, class_="note"),
        pages.table(head, rows, "tnnnn"),
    ]
    if entry["narrowing"]:
        head = ["device", "level, dBm", "pixel-channels permitted", "taken away by all offsets"]
        counted = [[shown_value(value) for value in effect.values()] for effect in entry["narrowing"]]
        parts.append(pages.table(head, counted, "tnnn", "What the narrowed offsets hide"))
    if entry["channels_without_maps"]:
        missing = ", ".join(map(str, entry["channels_without_maps"]))
        parts.append(
            pages.element(
                "p", f"Not in this count, for want of maps: DTT channels {missing}; more is taken away."
            )
        )
    return parts


def _device_told(device: Facts) -> str:
    """A device's profile in words."""
    return (
        f"Device {device['id']}: type {device['type']}, emission class {device['emission_class']}, "
        f"{device['height_m']:g} m above ground, {device['bandwidth_mhz']:g} MHz, at most "
        f"{device['cap_dbm']:g} dBm; it may lower the location probability of a served pixel by "
        f"{device['dq_pct']:g} percentage points; margin {device['margin_db']:g} dB."
    )


def services(facts: Facts) -> list[PagePart]:
    """How each service is treated, where it is not evaluated, and the areas of the administration."""
    rows = [
        [entry["service"], entry["status"] if entry["applicable"] else "not applicable", entry["reason"]]
        for entry in facts["services"]
    ]
    parts = [pages.element("h2", "Services"), pages.table(["service", "treatment", "reason"], rows, "ttt")]
    if facts["not_evaluated_area"]:
        names = ["device", "channel", "area_km2", "area_pct", "population_pct"]
        open_rows = [[shown_value(entry[name]) for name in names] for entry in facts["not_evaluated_area"]]
        parts.append(pages.table(names, open_rows, "tnnnn", "Land that is not evaluated"))
    if facts["areas"]:
        shown = [
            [
                f"{area['file']}:{area['row']}",
                ", ".join(
                    f"{name} {shown_value(value)}"
                    for name, value in area.items()
                    if name not in {"file", "row"}
                ),
            ]
            for area in facts["areas"]
        ]
        parts.append(
            pages.table(["area", "what holds"], shown, "tt", "Exclusions, masks and manual adjustments")
        )
    elif withheld := facts.get(WITHHELD, {}).get("areas"):
        told = f"{withheld} exclusions and manual adjustments hold; they are listed in {INTERNAL_REPORT}."
        parts.append(pages.element("p", told))
    return parts


def plausibility(facts: Facts) -> list[PagePart]:
    """The table of the registers: what is counted, by register, and the transmitters that are doubtful."""
    lines = facts["plausibility"]
    if not lines:
        return []
    names = [name for name in COUNTS if any(line[name] is not None for line in lines)]
    rows = [[line["register"], *("–" if line[n] is None else line[n] for n in names)] for line in lines]
    told = [f"{name}: {COUNTS[name]}" for name in names]
    ids = {name: [station for line in lines for station in line["ids"].get(name, ())] for name in names}
    head = ["register", *(name.replace("_", "\n") for name in names)]
    return [
        pages.element("h2", "Plausibility of the registers"),
        pages.table(head, rows, "p" + "n" * len(names)),
        pages.bullets(told),
        *[
            pages.element("p", f"Transmitters, {name}: {', '.join(listed)}.", class_="note")
            for name, listed in ids.items()
            if listed
        ],
    ]


def inputs(facts: Facts) -> list[PagePart]:
    """All inputs by content, and the versions of the program's parts."""
    rows = [[item["key"], item["path"], item["bytes"], item["sha256"]] for item in facts["inputs"]]
    rows.append(["config", facts["config"]["path"], "", facts["config"]["sha256"]])
    software = facts["software"]
    versions = [f"{name} {version}" for name, version in software["packages"].items() if version]
    told = f"Python {software['python']}, {', '.join(versions)}; lock file {software['lock_sha256']}."
    credit = credit_line(facts["config"]["settings"])
    return [
        pages.element("h2", "Inputs"),
        pages.table(["setting", "file", "bytes", "SHA-256"], rows, "ppnc"),
        *_left_out(facts),
        pages.element("p", told, class_="note"),
        *([pages.element("p", credit, class_="note")] if credit else []),
    ]


def _left_out(facts: Facts) -> list[PagePart]:
    """What a public report does not list."""
    withheld = facts.get(WITHHELD, {}).get("inputs")
    told = f"{withheld} registers of protected stations and areas are listed in {INTERNAL_REPORT} only."
    return [pages.element("p", told, class_="note")] if withheld else []


def run_times(benchmarks: Path) -> list[PagePart]:
    """Times of the latest execution of every job; jobs that were up to date keep those of an earlier run."""
    times = rule_times(benchmarks, leave_out=[_OWN_RULE])
    if not times:
        return []
    rows = [
        [time.rule, time.jobs, f"{time.total_s:.1f}", f"{time.longest_s:.1f}", f"{time.memory_mb:.0f}"]
        for time in [*times, _all_rules(times)]
    ]
    head = ["rule", "jobs", "s, all jobs", "s, longest", "MB, largest"]
    note = (
        "Of the latest execution of each job; those that were up to date keep the times of an earlier run. "
        "Jobs run side by side: their sum is more than the run took."
    )
    return [
        pages.element("h2", "Run times"),
        pages.element("p", note, class_="note"),
        pages.table(head, rows, "tnnnn"),
    ]


def _all_rules(times: Iterable[RuleTime]) -> RuleTime:
    """The jobs of all rules together."""
    _, jobs, total_s, longest_s, memory_mb = zip(*times, strict=True)
    return RuleTime("all", sum(jobs), sum(total_s), max(longest_s), max(memory_mb))


def open_numbers(facts: Facts) -> list[PagePart]:
    """Numbers of this run whose source was not read: settings, then rows of tables, by file."""
    used, all_of_them = used_numbers(facts), len(facts["unverified"])
    if not all_of_them:
        return []
    others = (
        f"{all_of_them - len(used)} more are in rows of tables that this run had no use for: manifest.json."
    )
    parts = [pages.element("h2", "Numbers that are not verified")]
    parts += [pages.element("p", others, class_="note")] if all_of_them > len(used) else []
    by_file = sorted(used, key=lambda entry: _table_and_row(entry["key"])[0] != "")
    for file, entries in groupby(by_file, lambda entry: _table_and_row(entry["key"])[0]):
        parts.append(_open_table(file, list(entries)))
    return parts


def _open_table(file: str, entries: Sequence[Facts]) -> PagePart:
    """Settings, or the rows of one file under the names of its columns."""
    if not file:
        rows = [[entry["key"], shown_value(entry["value"]), entry["source"]] for entry in entries]
        return pages.table(["where", "value", "source"], rows, "ttt", "Settings and decisions")
    names = list(dict.fromkeys(name for entry in entries for name in entry["value"]))
    rows = [
        [
            _table_and_row(entry["key"])[1],
            *(shown_value(entry["value"].get(name)) for name in names),
            entry["source"],
        ]
        for entry in entries
    ]
    head = ["row", *(name.replace("_", " ") for name in names), "source"]
    return pages.table(head, rows, "t" * len(head), file)


def _table_and_row(key: str) -> tuple[str, str]:
    """File and row of a key such as ``file.csv:7``; no file and the key itself of any other."""
    table, mark, row = key.rpartition(":")
    return (table, row) if mark and row.isdigit() else ("", key)


def split_unverified(entries: Iterable[Facts]) -> tuple[list[Facts], dict[str, int]]:
    """Settings one by one, and rows of tables (``file.csv:7``) counted by file."""
    settings: list[Facts] = []
    tables: Counter[str] = Counter()
    for entry in entries:
        table, _ = _table_and_row(str(entry["key"]))
        if table:
            tables[table] += 1
        else:
            settings.append(entry)
    return settings, dict(tables)


def shown_value(value: object) -> str:
    """A value of the manifest in words: a sourced number without its source, a mapping as ``name value``."""
    if isinstance(value, Mapping):
        if "value" in value and "verified" in value:
            return str(value["value"])
        return ", ".join(f"{key} {shown_value(item)}" for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(shown_value(item) for item in value)
    return "–" if value is None or value == "" else str(value)


# --- run times ----------------------------------------------------------------------------------------------


class RuleTime(NamedTuple):
    """Jobs of one rule of the workflow: wall time in seconds, largest memory in MB."""

    rule: str
    jobs: int
    total_s: float
    longest_s: float
    memory_mb: float


def rule_times(folder: Path, leave_out: Iterable[str] = ()) -> list[RuleTime]:
    """Run times from the benchmark files ``<rule>.tsv`` and ``<rule>/<job>.tsv``, the longest rule first."""
    jobs: dict[str, list[tuple[float, float]]] = {}
    for path in sorted(folder.rglob("*.tsv")):
        rule = path.relative_to(folder).parts[0].removesuffix(".tsv")
        if rule not in leave_out:
            jobs.setdefault(rule, []).extend(_measured(path))
    times = [_rule_time(rule, np.array(found)) for rule, found in jobs.items() if found]
    return sorted(times, key=lambda time: (-time.total_s, time.rule))


def _rule_time(rule: str, found: NDArray[np.float64]) -> RuleTime:
    """``found`` [job, (seconds, megabytes)]."""
    seconds, megabytes = found.T
    return RuleTime(rule, len(found), float(seconds.sum()), float(seconds.max()), float(megabytes.max()))


def _measured(path: Path) -> list[tuple[float, float]]:
    """Seconds and megabytes of the jobs in one file; a job too short to be measured has no memory."""
    with path.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    return [(_number(row.get("s")), _number(row.get("max_rss"))) for row in rows]


def _number(text: str | None) -> float:
    try:
        return float(text or 0.0)
    except ValueError:
        return 0.0
