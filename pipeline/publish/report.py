"""The report of a run: one page without anything from elsewhere, for the screen and for paper.

It tells what the manifest and the published layers tell, and comes to no number of its own but the shares of
limiting services. Only its times of computing differ between runs of the same content.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.config import Config
from pipeline.publish import report_figures as figures
from pipeline.publish import report_html as html
from pipeline.publish.report_numbers import OUTSIDE, Row, curves_of, read_rows, rule_times, service_shares_pct
from pipeline.publish.styles import Scheme, read_schemes
from pipeline.workflow import Plan, levels_of, two_digits

Facts = Mapping[str, Any]
CHOSEN = 6
# The rule that writes the report: what its file says is of an earlier run.
OWN_RULE = "publish"
CURVES = (
    "Share that has at least so many channels, by e.i.r.p. level (as Report ITU-R SM.2405, Figures A5-2 "
    "to A5-4)"
)
STATISTICS = (
    "Share in % of the territory's land and of its people with at least so many channels, as in "
    "public/statistics.csv; not evaluated counts as unavailable"
)
NOTHING_OPEN = "Nothing: every service that applies is evaluated on all land."
SHARES = "Share of the area in % by limiting service; all: mean of the channels"
COLUMNS = {"area_pct": "area", "population_pct": "population"}


def write_report(path: Path, plan: Plan, facts: Facts, benchmarks: Path) -> None:
    """Write the report of a finished build; ``facts`` are those of the manifest."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(report(plan, facts, plan.build / "public", benchmarks), encoding="utf-8")


def report(plan: Plan, facts: Facts, public: Path, benchmarks: Path) -> str:
    """The whole page, from the layers in ``public`` and the files of run times in ``benchmarks``."""
    title = facts["title"] or facts["territory"]
    schemes = read_schemes()
    parts = [*heading(title, facts), *warning(facts)]
    for device in plan.config.devices:
        parts += device_sections(plan, device.id, public, schemes)
    parts += [
        *assumptions(facts), *services(facts), *inputs(facts), *run_times(benchmarks), *open_numbers(facts)
    ]  # fmt: skip
    return html.page(f"Maps of white spaces: {title}", parts)


def heading(title: str, facts: Facts) -> list[str]:
    """What, when, with which program."""
    packages = facts["software"]["packages"]
    told = (
        f"Run {facts['run_id']}, computed {facts['computed_at']}, channelmaps {packages['channelmaps']}. "
        f"Answers from it held, when it was published, from {facts['valid']['from']} until "
        f"{facts['valid']['until']}; manifest.json tells the period in force."
    )
    return [html.element("h1", title), html.element("p", told, class_="facts")]


def warning(facts: Facts) -> list[str]:
    """The box that nobody can miss: what these maps are not, not evaluated, not verified."""
    said = [text for text in (facts["notice"], facts["product"]) if text]
    left_out = not_evaluated(facts)
    keys, tables = split_unverified(facts["unverified"])
    numbers = [f"{entry['key']} = {shown_value(entry['value'])} ({entry['source']})" for entry in keys]
    numbers += [f"{count} rows of {table}" for table, count in sorted(tables.items())]
    return [html.wrap("section", [
        html.element("h2", "Read this first"),
        *[html.wrap("p", [html.element("strong", text)]) for text in said],
        html.element("h3", "Not evaluated"),
        html.bullets(left_out) if left_out else html.element("p", NOTHING_OPEN),
        html.element("p", "“Not evaluated” is never “available”: it counts as unavailable.", class_="note"),
        *not_applicable(facts),
        html.element("h3", f"Not verified: {len(facts['unverified'])} numbers"),
        html.element("p", "Their sources were not read when they were entered. All are listed at the end."),
        html.bullets(numbers),
    ], class_="warning", role="note")]  # fmt: skip


def not_evaluated(facts: Facts) -> list[str]:
    """Services that are left out, and how much land of each device is open."""
    told = [f"{entry['service']}: {entry['status']}. {entry['reason']}" for entry in facts["not_evaluated"]]
    shares_pct: dict[str, list[float]] = {}
    for entry in facts["not_evaluated_area"]:
        shares_pct.setdefault(entry["device"], []).append(entry["area_pct"])
    return told + [
        f"Device {device}: land is not evaluated in {len(found)} channels, up to {max(found):.4f} % of the "
        "area; see the table under “Services”."
        for device, found in sorted(shares_pct.items())
    ]


def not_applicable(facts: Facts) -> list[str]:
    """Services that are said not to concern the territory, and why."""
    told = [
        f"{entry['service']}: {entry['reason']}" for entry in facts["services"] if not entry["applicable"]
    ]
    return [html.element("h3", "Taken as not applicable"), html.bullets(told)] if told else []


# --- one device ---------------------------------------------------------------------------------------------


def device_sections(plan: Plan, device: str, public: Path, schemes: Mapping[str, Scheme]) -> list[str]:
    """Maps, curves, table and shares of one device."""
    rows = read_rows(public / "statistics.csv")
    channels = chosen_channels(plan.config)
    levels = [f"{level_dbm:g}" for level_dbm in levels_of(plan, device)]
    counts = {
        f"available at {level} dBm e.i.r.p.": public / f"available_channels_{device}_{level}dbm.tif"
        for level in levels
    }
    limits = {
        f"channel {channel}": public / f"max_eirp_{device}_ch{two_digits(channel)}.tif"
        for channel in channels
    }
    return [
        html.element("h2", f"Device {device}"),
        html.element("h3", "Number of channels available"),
        *maps(counts, schemes["available_channels"]),
        *curve_section(rows, device),
        html.element("h3", f"Maximum permitted e.i.r.p. in {len(channels)} of {len(plan.wsd)} channels"),
        *maps(limits, schemes["max_eirp"]),
        *share_section(public, device, plan.wsd, schemes["limiting_service"]),
    ]


def chosen_channels(config: Config) -> list[int]:
    """Those of the configuration, or some spread evenly over the devices' channels, first and last too."""
    if config.report.channels:
        return sorted(config.report.channels)
    channels = sorted(config.channels.wsd)
    places = np.linspace(0, len(channels) - 1, min(CHOSEN, len(channels)))
    return [channels[round(place)] for place in places]


def maps(files: Mapping[str, Path], scheme: Scheme) -> list[str]:
    """Maps of one family side by side under one legend of the classes that occur in any of them."""
    drawn = {name: figures.draw_map(path, scheme) for name, path in files.items()}
    present = [place for picture in drawn.values() for place in picture.present]
    unit = f" in {scheme.unit}" if scheme.unit not in ("", "number") else ""
    note = f"{scheme.title}{unit}; {scheme.note}." if scheme.note else f"{scheme.title}{unit}."
    pictures = [html.picture(picture.png, name[0].upper() + name[1:]) for name, picture in drawn.items()]
    return [
        html.element("p", note, class_="note"),
        html.legend(figures.legend_entries(scheme, present)),
        html.wrap("div", pictures, class_="maps"),
    ]


def curve_section(rows: Sequence[Row], device: str) -> list[str]:
    """Curves of channels against area and population, and the table behind them."""
    curves = {name: curves_of(rows, device, column) for column, name in COLUMNS.items()}
    curves = {name: levels for name, levels in curves.items() if levels}
    if not curves:
        return []
    head, body = statistics_table(rows, device)
    return [
        html.element("h3", "Channels against area and population"),
        html.picture(figures.draw_curves(curves), CURVES),
        html.table(head, body, "n" * len(head), STATISTICS),
    ]


def statistics_table(rows: Sequence[Row], device: str) -> tuple[list[str], list[list[str]]]:
    """Head and rows: number of channels, then area and population of each level, values as published."""
    own = [row for row in rows if row["device"] == device]
    levels = sorted({row["level_dbm"] for row in own}, key=float)
    numbers = sorted({int(row["channels_at_least"]) for row in own})
    value = {
        (int(row["channels_at_least"]), row["level_dbm"], column): row[column]
        for row in own
        for column in COLUMNS
    }
    pairs = [(level, column) for level in levels for column in COLUMNS]
    head = ["at least"] + [f"{level} dBm, {COLUMNS[column]}" for level, column in pairs]
    return head, [
        [str(number), *(value.get((number, level, column), "") or "–" for level, column in pairs)]
        for number in numbers
    ]


def share_section(public: Path, device: str, channels: Sequence[int], scheme: Scheme) -> list[str]:
    """What limits the devices, by channel: bars, and the same as numbers."""
    paths = [public / f"limiting_service_{device}_ch{two_digits(channel)}.tif" for channel in channels]
    shares_pct = service_shares_pct(paths)
    named = [(entry.code, entry) for entry in scheme.classes if entry.code is not None]
    present = [(code, entry) for code, entry in named if code != OUTSIDE and shares_pct[:, code].any()]
    shares_pct = shares_pct[:, [code for code, _ in present]]
    entries = [entry for _, entry in present]
    rows = [["all", *(f"{share:.2f}" for share in shares_pct.mean(axis=0))]]
    rows += [
        [str(channel), *(f"{share:.2f}" for share in line)]
        for channel, line in zip(channels, shares_pct, strict=True)
    ]
    head = ["channel", *(entry.label for entry in entries)]
    return [
        html.element("h3", "What limits"),
        html.picture(
            figures.draw_shares(shares_pct, channels, entries),
            "Share of the area by limiting service, by channel",
        ),
        html.table(head, rows, "n" * len(head), SHARES),
    ]


# --- what it rests on ---------------------------------------------------------------------------------------


def assumptions(facts: Facts) -> list[str]:
    """Notes of the manifest, and the settings of the method in words."""
    chosen = facts["config"]["settings"]
    path, reception = chosen["propagation"], chosen["coverage"]
    angles, register = facts["terrain"]["clearance_angles"], facts["register"]
    told = [
        *facts["notes"],
        f"Method of protection: {chosen['protection']['method']}; channel offsets "
        f"{', '.join(str(offset) for offset in chosen['protection']['offsets'])}.",
        f"Coverage by {path['coverage_model']}, wanted fields at {path['wanted_time_pct']:g} % of time, "
        f"interfering ones at {path['nuisance_time_pct']:g} %; paths from devices by {path['wsd_model']}.",
        f"Reception is served from a location probability of {shown_value(reception['q_min'])}; location "
        f"variation {reception['location_sigma_db']:g} dB; receiving antennas at "
        f"{reception['receiver_height_m']:g} m.",
        f"Sea paths of devices: {facts['sea_paths']}. Clearance angles are "
        f"{'on' if angles['on'] else 'off'}: {angles['reason']}.",
        f"Register: {register['transmitters']} transmitters, {register['default_mode']} of them with the "
        f"default mode, {register['country_from_polygon']} with the country of the polygon around them, "
        f"{register['polarisation_unknown']} of unknown polarisation; "
        f"{register['rejected_rows']} rows rejected.",
        *[device_told(device) for device in chosen["devices"]],
    ]
    if facts["bookings"] is not None:
        bookings = facts["bookings"]
        told.append(
            f"PMSE: {bookings['active']} of {bookings['assignments']} bookings, those at {bookings['at']}; "
            f"{bookings['rejected_rows']} rows rejected."
        )
    told.append(f"Grid {chosen['grid']['crs']}, {chosen['grid']['resolution_m']:g} m.")
    note = "Every setting is in manifest.json under config.settings."
    return [html.element("h2", "Assumptions"), html.bullets(told), html.element("p", note, class_="note")]


def device_told(device: Facts) -> str:
    """A device's profile in words."""
    return (
        f"Device {device['id']}: type {device['type']}, emission class {device['emission_class']}, "
        f"{device['height_m']:g} m above ground, {device['bandwidth_mhz']:g} MHz, at most "
        f"{device['cap_dbm']:g} dBm; it may lower the location probability of a served pixel by "
        f"{device['dq_pct']:g} percentage points; margin {device['margin_db']:g} dB."
    )


def services(facts: Facts) -> list[str]:
    """How each service is treated, where it is not evaluated, and the areas of the administration."""
    rows = [
        [entry["service"], entry["status"] if entry["applicable"] else "not applicable", entry["reason"]]
        for entry in facts["services"]
    ]
    parts = [html.element("h2", "Services"), html.table(["service", "treatment", "reason"], rows, "ttt")]
    if facts["not_evaluated_area"]:
        names = ["device", "channel", "area_km2", "area_pct", "population_pct"]
        open_rows = [[shown_value(entry[name]) for name in names] for entry in facts["not_evaluated_area"]]
        parts.append(html.table(names, open_rows, "tnnnn", "Land that is not evaluated"))
    if facts["areas"]:
        shown = [
            [f"{area['file']}:{area['row']}", ", ".join(
                f"{name} {shown_value(value)}" for name, value in area.items() if name not in {"file", "row"}
            )] for area in facts["areas"]
        ]  # fmt: skip
        parts.append(html.table(["area", "what holds"], shown, "tt", "Exclusions and manual adjustments"))
    return parts


def inputs(facts: Facts) -> list[str]:
    """All inputs by content, and the versions of the program's parts."""
    rows = [[item["key"], item["path"], item["bytes"], item["sha256"]] for item in facts["inputs"]]
    rows.append(["config", facts["config"]["path"], "", facts["config"]["sha256"]])
    software = facts["software"]
    versions = [f"{name} {version}" for name, version in software["packages"].items() if version]
    told = f"Python {software['python']}, {', '.join(versions)}; lock file {software['lock_sha256']}."
    credit = facts["config"]["settings"]["attribution"]
    return [
        html.element("h2", "Inputs"),
        html.table(["setting", "file", "bytes", "SHA-256"], rows, "ttnc"),
        html.element("p", told, class_="note"),
        *([html.element("p", credit, class_="note")] if credit else []),
    ]


def run_times(benchmarks: Path) -> list[str]:
    """Times of the latest execution of every job; jobs that were up to date keep those of an earlier run."""
    rows = [
        [time.rule, time.jobs, f"{time.total_s:.1f}", f"{time.longest_s:.1f}", f"{time.memory_mb:.0f}"]
        for time in rule_times(benchmarks, leave_out=[OWN_RULE])
    ]
    if not rows:
        return []
    head = ["rule", "jobs", "s, all jobs", "s, longest", "MB, largest"]
    note = "Of the latest execution of each job; those that were up to date keep the times of an earlier run."
    return [html.element("h2", "Run times"), html.table(head, rows, "tnnnn", note)]


def open_numbers(facts: Facts) -> list[str]:
    """All numbers whose source was not read."""
    if not facts["unverified"]:
        return []
    rows = [[entry["key"], shown_value(entry["value"]), entry["source"]] for entry in facts["unverified"]]
    return [
        html.element("h2", "Numbers that are not verified"),
        html.table(["where", "value", "source"], rows, "ttt"),
    ]


def split_unverified(entries: Iterable[Facts]) -> tuple[list[Facts], dict[str, int]]:
    """Settings one by one, and rows of tables (``file.csv:7``) counted by file."""
    settings: list[Facts] = []
    tables: Counter[str] = Counter()
    for entry in entries:
        table, mark, row = str(entry["key"]).rpartition(":")
        if mark and row.isdigit():
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
