"""The annex of the report: every map, curve, table and input behind it, in English.

It tells what the manifest and the published layers tell, and comes to no number of its own but the shares of
limiting services. Only its times of computing differ between runs of the same content.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.config.bonds import DeviceChannel, channels_in, counted_as
from pipeline.config.config import Config
from pipeline.grid import raster
from pipeline.grid.grid import strips_of_rows
from pipeline.grid.layer_files import layer_file
from pipeline.plan.plan import Plan, channels_of, levels_of
from pipeline.plan.run_files import written_by
from pipeline.publish.release import REPORT, WITHHELD
from pipeline.publish.report import figures
from pipeline.publish.report import page as pages
from pipeline.publish.report.basis import (
    Facts,
    assumptions,
    inputs,
    open_numbers,
    plausibility,
    protection,
    run_times,
    services,
    shown_value,
    split_unverified,
)
from pipeline.publish.report.changes import all_changes, changes_of
from pipeline.publish.report.costs import costs
from pipeline.publish.report.left_out import left_out_parts
from pipeline.publish.report.page import PagePart
from pipeline.publish.report.path_differences import path_differences
from pipeline.publish.report.texts import read_texts
from pipeline.publish.report.used_numbers import used_numbers
from pipeline.publish.styles import Scheme, read_schemes
from pipeline.radio.allocations import is_partial
from pipeline.rows.text_records import own_rows

_CHOSEN = 6
_CURVES = (
    "Share that has at least so many channels, by e.i.r.p. level (as Report ITU-R SM.2405, Figures A5-2 "
    "to A5-4)"
)
_STATISTICS = (
    "Share in % of the territory's land and of its population with at least so many channels, as in "
    "public/statistics.csv; not evaluated counts as unavailable"
)
_SHARES = "Share of the area in % by limiting service; all: mean of the channels"
_COLUMNS = {"area_pct": "area", "population_pct": "population"}
# What release.py does, and where it does nothing.
_RENEWED_PERIOD = (
    ". While its inputs stay as they are a run is given new periods without a new report: the one in force "
    "is that of manifest.json (valid, renewed_at)."
)
_FIXED_PERIOD = ", that of the bookings of PMSE; it is not prolonged."
_AT_LEAST = (1, 5, 10)
_REGIONS = (
    "At {} dBm e.i.r.p.: mean and median number of channels available, weighted by area, and shares in % of "
    "land and population with at least so many, as in public/statistics_by_region.csv"
)
_REGION_HEAD = ("region", "area,\nkm2", "population", "mean", "median")
_OUTSIDE = 255
_Row = dict[str, str]


def annex(
    plan: Plan, facts: Facts, build: Path, benchmarks: Path, drawn: Sequence[DrawnDevice] | None = None
) -> str:
    """The whole page, from the layers in ``build`` and the files of run times in ``benchmarks``.

    ``facts`` decide what it may tell; ``drawn``: the sections of the devices, if there are any by now.
    """
    title = facts["title"] or facts["territory"]
    devices = draw_devices(plan, build) if drawn is None else drawn
    hidden = WITHHELD in facts and plan.config.publish.limiting_service == "internal"
    parts = [
        *_heading(title, facts),
        *warning(facts),
        *_costs(plan, build, with_lost=not hidden),
        *[part for device in devices for part in device.told(with_shares=not hidden)],
        *path_differences(plan.config, build),
        *all_changes(changes_of(plan.results, facts)),
        *assumptions(facts),
        *protection(facts),
        *services(facts),
        *plausibility(facts),
        *inputs(facts),
        *run_times(benchmarks),
        *open_numbers(facts),
    ]
    return pages.page(f"Annex: {title}", parts)


def _heading(title: str, facts: Facts) -> list[PagePart]:
    """Of which report this is the annex, and how long that holds."""
    told = (
        f"Annex to {REPORT}, run {facts['run_id']}, computed {facts['computed_at']}.",
        f"Published with a period of validity from {facts['valid']['from']} until {facts['valid']['until']}"
        + (_FIXED_PERIOD if facts["bookings"] and facts["bookings"]["at"] else _RENEWED_PERIOD),
    )
    return [pages.element("h1", title), *[pages.element("p", text, class_="facts") for text in told]]


def warning(facts: Facts) -> list[PagePart]:
    """The box of what is open: not evaluated, not verified."""
    used = used_numbers(facts)
    keys, tables = split_unverified(used)
    numbers = [f"{entry['key']} = {shown_value(entry['value'])} ({entry['source']})" for entry in keys]
    numbers += [
        f"{count} {'rows' if count > 1 else 'row'} of {table}" for table, count in sorted(tables.items())
    ]
    parts = [
        *left_out_parts(facts, read_texts()),
        pages.element("h3", f"Not verified: {len(used)} numbers"),
        pages.element("p", "Their sources were not read when they were entered. All are listed at the end."),
        pages.bullets(numbers),
    ]
    return [pages.wrap("section", parts, class_="warning", role="note")]


def _costs(plan: Plan, build: Path, *, with_lost: bool) -> list[PagePart]:
    """What the cautious choices cost, and by which rule channels are lost, as in their files."""
    partial = is_partial(plan.config)
    names = ("choices", plan.config.publish.lost_family)
    choices, lost = (own_rows(build / layer_file(name, partial=partial)) for name in names)
    return costs(choices, lost, read_schemes(), with_lost=with_lost)


def _rounded(text: str) -> str:
    """A published number to one decimal, a dash for none."""
    return f"{float(text):.1f}" if text else "–"


# --- one device ---------------------------------------------------------------------------------------------
class DrawnDevice(NamedTuple):
    """Sections of one device; ``shares`` and ``limits_pct`` tell what limits, which may not be public.

    ``limits_pct``: percent of the area by label, in the mean of the channels.
    """

    id: str
    maps: list[PagePart]
    shares: list[PagePart]
    regions: list[PagePart]
    limits_pct: dict[str, float]

    def told(self, *, with_shares: bool) -> list[PagePart]:
        """The sections in their order."""
        return [*self.maps, *(self.shares if with_shares else []), *self.regions]


def draw_devices(plan: Plan, build: Path) -> list[DrawnDevice]:
    """The sections of all devices from the layers in ``build``."""
    return [_draw_device(plan, device.id, build) for device in plan.config.devices]


def _draw_device(plan: Plan, device: str, build: Path) -> DrawnDevice:
    """Maps, curves, table and shares of one device."""
    schemes, partial = read_schemes(), is_partial(plan.config)
    rows = own_rows(build / layer_file("statistics", partial=partial))
    mapped = channels_of(plan, device)
    channels = chosen_channels(plan.config, mapped)
    levels = [f"{level_dbm:g}" for level_dbm in levels_of(plan, device)]
    counts = {
        f"available at {level} dBm e.i.r.p.": build
        / layer_file("available_channels", device=device, level=level, partial=partial)
        for level in levels
    }
    limits = {
        f"channel {channel}": build / layer_file("max_eirp", device=device, channel=channel, partial=partial)
        for channel in channels
    }
    title = f"Maximum permitted e.i.r.p. in {len(channels)} of {len(mapped)} channels"
    drawn = [
        pages.element("h2", f"Device {device}"),
        maps(
            f"Number of {counted_as(len(channels_in(mapped[0])))} available",
            counts,
            schemes["available_channels"],
        ),
        *_curve_section(rows, device),
        maps(title, limits, schemes["max_eirp"]),
    ]
    family = plan.config.publish.limiting_family
    paths = [
        build / layer_file(family, device=device, channel=channel, partial=partial) for channel in mapped
    ]
    shares, limits_pct = _share_section(paths, mapped, schemes["limiting_service"])
    regions = [part for file in written_by(plan, "regions") for part in _region_section(build / file, device)]
    return DrawnDevice(device, drawn, shares, regions, limits_pct)


def chosen_channels(config: Config, channels: Sequence[DeviceChannel]) -> list[DeviceChannel]:
    """Those of the configuration that a device has, or some spread evenly over its channels, ends too."""
    chosen: list[DeviceChannel] = [channel for channel in channels if channel in config.report.channels]
    if chosen:
        return chosen
    places = np.linspace(0, len(channels) - 1, min(_CHOSEN, len(channels)))
    return [channels[round(place)] for place in places]


def maps(heading: str, files: Mapping[str, Path], scheme: Scheme) -> PagePart:
    """Maps of one family side by side under one legend of the classes that occur in any of them."""
    drawn = {name: figures.draw_map(path, scheme) for name, path in files.items()}
    present = [place for picture in drawn.values() for place in picture.present]
    unit = f" in {scheme.unit}" if scheme.unit not in ("", "number") else ""
    note = f"{scheme.title}{unit}; {scheme.note}." if scheme.note else f"{scheme.title}{unit}."
    pictures = [pages.picture(picture.png, name[0].upper() + name[1:]) for name, picture in drawn.items()]
    parts = [
        pages.element("h3", heading),
        pages.element("p", note, class_="note"),
        pages.legend(figures.legend_entries(scheme, present)),
        pages.wrap("div", pictures, class_="maps"),
    ]
    return pages.wrap("div", parts, class_="whole")


def _curve_section(rows: Sequence[_Row], device: str) -> list[PagePart]:
    """Curves of channels against area and population, and the table behind them."""
    curves = {name: _curves_of(rows, device, column) for column, name in _COLUMNS.items()}
    curves = {name: levels for name, levels in curves.items() if levels}
    if not curves:
        return []
    head, body = _statistics_table(rows, device)
    return [
        pages.element("h3", "Channels against area and population"),
        pages.picture(figures.draw_curves(curves), _CURVES),
        pages.table(head, body, "n" * len(head), _STATISTICS),
    ]


def _statistics_table(rows: Sequence[_Row], device: str) -> tuple[list[str], list[list[str]]]:
    """Head and rows: number of channels, then area and population of each level, values as published."""
    own = [row for row in rows if row["device"] == device]
    levels = sorted({row["level_dbm"] for row in own}, key=float)
    numbers = sorted({int(row["channels_at_least"]) for row in own})
    value = {
        (int(row["channels_at_least"]), row["level_dbm"], column): row[column]
        for row in own
        for column in _COLUMNS
    }
    pairs = [(level, column) for level in levels for column in _COLUMNS]
    head = ["at\nleast"] + [f"{level} dBm,\n{_COLUMNS[column]}" for level, column in pairs]
    return head, [
        [str(number), *(value.get((number, level, column), "") or "–" for level, column in pairs)]
        for number in numbers
    ]


def _share_section(
    paths: Sequence[Path], channels: Sequence[DeviceChannel], scheme: Scheme
) -> tuple[list[PagePart], dict[str, float]]:
    """What limits a device, from its layers by channel: bars, the same as numbers, the means by label."""
    shares_pct = service_shares_pct(paths)
    named = [(entry.code, entry) for entry in scheme.classes if entry.code is not None]
    present = [(code, entry) for code, entry in named if code != _OUTSIDE and shares_pct[:, code].any()]
    shares_pct = shares_pct[:, [code for code, _ in present]]
    entries = [entry for _, entry in present]
    means_pct = shares_pct.mean(axis=0)
    rows = [["all", *(f"{share:.2f}" for share in means_pct)]]
    rows += [
        [str(channel), *(f"{share:.2f}" for share in line)]
        for channel, line in zip(channels, shares_pct, strict=True)
    ]
    head = ["channel", *(entry.label for entry in entries)]
    parts = [
        pages.element("h3", "What limits"),
        pages.picture(
            figures.draw_shares(shares_pct, channels, entries),
            "Share of the area by limiting service, by channel",
        ),
        pages.table(head, rows, "n" * len(head), _SHARES),
    ]
    labels = [entry.label for entry in entries]
    return parts, dict(zip(labels, means_pct.tolist(), strict=True))


def _region_section(path: Path, device: str) -> list[PagePart]:
    """A table by region for each level of a device."""
    own = [row for row in own_rows(path) if row["device"] == device]
    parts = [pages.element("h3", "By region")]
    for level in dict.fromkeys(row["level_dbm"] for row in own):
        lines = [_region_line(row) for row in own if row["level_dbm"] == level]
        head = [*_REGION_HEAD, *(f"{name},\n{n} +" for name in ("land", "population") for n in _AT_LEAST)]
        parts.append(pages.table(head, lines, "t" + "n" * (len(head) - 1), _REGIONS.format(level)))
    return parts


def _region_line(row: _Row) -> list[str]:
    """A row of the table by region, rounded for reading."""
    population = f"{float(row['population']):.0f}" if row["population"] else "–"
    shares = [_rounded(row[f"{name}_at_least_{n}_pct"]) for name in ("area", "population") for n in _AT_LEAST]
    mean = _rounded(row["channels_mean"])
    return [row["region"], _rounded(row["area_km2"]), population, mean, row["channels_median"], *shares]


# --- numbers ------------------------------------------------------------------------------------------------


def _curves_of(rows: Sequence[_Row], device: str, column: str) -> dict[float, NDArray[np.float64]]:
    """Shares in percent by level, [n - 1] for at least n channels; empty where the column is."""
    own = [row for row in rows if row["device"] == device and row[column]]
    curves: dict[float, list[tuple[int, float]]] = {}
    for row in own:
        point = (int(row["channels_at_least"]), float(row[column]))
        curves.setdefault(float(row["level_dbm"]), []).append(point)
    return {level: np.array([share for _, share in sorted(points)]) for level, points in curves.items()}


def service_shares_pct(paths: Sequence[Path]) -> NDArray[np.float64]:
    """Percent of the territory's true area by limiting service: float64[layer, code]; layers on one grid."""
    grid = raster.read_grid(paths[0])
    area_km2 = np.zeros((len(paths), _OUTSIDE))
    for rows in strips_of_rows(0, grid.height):
        pixel_km2 = grid.area_km2(rows).ravel().astype(np.float64)
        for place, path in enumerate(paths):
            codes = raster.read(path, rows=rows).values.ravel()
            inside = np.flatnonzero(codes != _OUTSIDE)
            area_km2[place] += np.bincount(codes[inside], weights=pixel_km2[inside], minlength=_OUTSIDE)
    total_km2 = area_km2.sum(axis=1, keepdims=True)
    return 100.0 * np.divide(area_km2, total_km2, out=np.zeros_like(area_km2), where=total_km2 > 0.0)
