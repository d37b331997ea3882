"""The section of the report on how far the paths of the limits by DTT are from paths over terrain."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.config.config import Config
from pipeline.grid import raster
from pipeline.grid.layer_files import layer_file, raster_of
from pipeline.publish.report import figures
from pipeline.publish.report import page as pages
from pipeline.publish.report.page import PagePart
from pipeline.rows.text_records import own_rows

_READING = (
    "Limits by DTT take a path without a profile of the terrain (docs/method.md, section 9). At {pct:g} % of "
    "the territory's pixels, drawn by number, the path to the receiver that decides was computed again over "
    "terrain (P.1812, 1 % of time; section 39). No limit follows from it: below 0 the terrain lets more "
    "through than the limit takes for granted. Receivers in the same or a touching pixel are not compared."
)
_CHART = "Device {}: loss over terrain less that of the limit, all channels; dashed: equal"
_STATISTICS = (
    "Device {}: pixels sampled and compared, difference in dB (mean, 5th, 50th and 95th percentile), share "
    "in % where the terrain lets more through, and by how many dB at most, as in internal/wsd_terrain.csv"
)
_COLUMNS = (
    "channel",
    "sampled",
    "checked",
    "mean_db",
    "p5_db",
    "p50_db",
    "p95_db",
    "lets_more_pct",
    "most_more_db",
)
_NOTHING = (
    "Device {}: no path was compared, so nothing is known of how far its limits are from the terrain. At "
    "the sampled pixels the receivers that decide are adjacent, or nothing limits; a larger wsd_terrain_pct "
    "finds more."
)
_HEAD = ("channel", "sampled", "compared", "mean", "5th", "50th", "95th", "more\nthrough", "at most")
_COUNTS = 3


def path_differences(config: Config, build: Path) -> list[PagePart]:
    """A sentence, a histogram and a table for each device; nothing where the paths were not checked."""
    if config.protection.wsd_terrain == "off":
        return []
    rows = own_rows(build / layer_file("wsd_terrain_statistics"))
    parts = [
        pages.element("h2", "Paths over terrain"),
        pages.element("p", _READING.format(pct=config.protection.wsd_terrain_pct), class_="note"),
    ]
    for device in config.devices:
        own = [row for row in rows if row["device"] == device.id]
        found_db = _differences_db(build / layer_file("wsd_terrain", device=device.id))
        if found_db.size:
            parts.append(pages.element("p", _sentence(device.id, found_db)))
            parts.append(pages.picture(figures.draw_differences(found_db), _CHART.format(device.id)))
        else:
            parts.append(pages.element("p", _NOTHING.format(device.id)))
        lines = [[_cell(row[name], place) for place, name in enumerate(_COLUMNS)] for row in own]
        parts.append(pages.table(_HEAD, lines, "n" * len(_HEAD), _STATISTICS.format(device.id)))
    return parts


def _sentence(device_id: str, found_db: NDArray[np.float64]) -> str:
    """The whole of a device in words."""
    more = found_db < 0.0
    low, middle, high = np.percentile(found_db, (5, 50, 95))
    return (
        f"Device {device_id}: of {found_db.size} paths that were compared the terrain lets more through in "
        f"{100.0 * more.mean():.1f} %, at most by {max(0.0, -found_db.min()):.1f} dB; the difference is "
        f"{found_db.mean():+.1f} dB in the mean, {middle:+.1f} dB in the median, and between {low:+.1f} and "
        f"{high:+.1f} dB in nine of ten."
    )


def _differences_db(path: Path) -> NDArray[np.float64]:
    """All differences of a device, a band at a time."""
    row = raster_of("wsd_terrain")
    with raster.reading(path) as opened:
        whole = slice(0, opened.grid.height), slice(0, opened.grid.width)
        bands: Sequence[NDArray[np.int16]] = [
            values[values != row.nodata]
            for band in range(len(opened.layout.band_names))
            for values in [raster.read_window(opened, *whole, bands=[band])]
        ]
    return row.scale * np.concatenate(bands).astype(np.float64)


def _cell(text: str, place: int) -> str:
    """A number as published, differences to one decimal, a dash for none."""
    if not text:
        return "–"
    return text if place < _COUNTS else f"{float(text):.1f}"
