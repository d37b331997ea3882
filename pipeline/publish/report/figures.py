"""Pictures of the report: maps in the classes of ``map_classes.yaml``, curves, shares; PNG in memory.

Without a screen, without a clock: equal data give equal bytes.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from pipeline.errors import InputError
from pipeline.files import PNG_FILE, Output, check_outputs, write_whole
from pipeline.grid import raster
from pipeline.grid.grid import STRIP_PX, Grid
from pipeline.grid.raster import read_layout
from pipeline.layers import LAYERS
from pipeline.publish.styles import (
    TRANSPARENT,
    MapClass,
    Rgba,
    Scheme,
    class_index,
    hex_colour,
    palette,
    read_schemes,
)
from pipeline.territory.places import Settlement

_DPI = 150
_MAP_WIDTH_IN = 4.6
# Across a page of A4, and as high as leaves room for a caption.
_WIDE_IN, _HIGHEST_IN = 7.1, 8.8
_MOST_NAMES, _NAME_PT = 14, 10.0
_LETTER = 0.6  # mean width of a letter over its height
_LEGEND_PT, _PATCH_LETTERS, _PT_PER_IN = 8.0, 5, 72.0
# Of a title on the command line.
_TITLE_CHARS = 200
_BAR_IN = 0.3  # below a map, for the scale bar
# Pixels of the longer side that a map is drawn from; more cannot be seen at its size.
MAP_PX = 1200
_SCALE_STEPS_KM = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
# Okabe and Ito (2008), and markers for print without colours.
_LINES = (
    ("#0072b2", "o"),
    ("#d55e00", "s"),
    ("#009e73", "^"),
    ("#cc79a7", "D"),
    ("#e69f00", "v"),
    ("#000000", "x"),
)
# Lines on classes without a hue (not permitted, not evaluated), in pixels of the picture: printed without
# colours they would pass for a level.
_LINE_STEP_PX, _LINE_PX = 16, 3
_DARK, _LIGHT = "#5a5a5a", "#a0a0a0"
_PATTERNS = ("", "////", "....", "xxxx", "\\\\\\\\", "++++", "oooo", "----", "****", "||||")


class _Picture(NamedTuple):
    """Classes [y, x] of a scheme, side of a pixel, positions of the classes that occur, north-west corner."""

    classes: NDArray[np.uint8]
    scheme: Scheme
    pixel_km: float
    present: tuple[int, ...]
    west_north_m: tuple[float, float]

    @property
    def height_ratio(self) -> float:
        """Height over width."""
        return float(self.classes.shape[0] / self.classes.shape[1])


class Drawn(NamedTuple):
    """A map as PNG and the positions in ``scheme.classes`` of the classes that it shows."""

    png: bytes
    present: tuple[int, ...]


def draw_map(path: Path, scheme: Scheme) -> Drawn:
    """A layer of one band, cropped to the territory, thinned to single pixels where it is large."""
    picture = _picture_of(path, scheme)
    figure = Figure(figsize=(_MAP_WIDTH_IN, _MAP_WIDTH_IN * picture.height_ratio + _BAR_IN))
    _draw(figure.add_axes((0.0, 0.0, 1.0, 1.0)), picture, _lined(picture), font_pt=13.0)
    return Drawn(_png(figure), picture.present)


def draw_wide_map(path: Path, scheme: Scheme, places: Sequence[Settlement]) -> Drawn:
    """The same map across a page, with the names of the largest places on the territory."""
    picture = _picture_of(path, scheme)
    wide_in = min(_WIDE_IN, _HIGHEST_IN / picture.height_ratio)
    figure = Figure(figsize=(wide_in, wide_in * picture.height_ratio + _BAR_IN))
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    _draw(axes, picture, _lined(picture, wide_in), font_pt=_NAME_PT, wide_in=wide_in)
    _draw_names(axes, picture, raster.read_grid(path), places, wide_in)
    return Drawn(_png(figure), picture.present)


def draw_with_legend(path: Path, scheme: Scheme, title: str) -> bytes:
    """The same map with title and legend in the picture."""
    picture = _picture_of(path, scheme)
    entries = legend_entries(scheme, picture.present)
    unit = f", {scheme.unit}" if scheme.unit not in ("", "number") else ""
    legend_title = f"{scheme.title}{unit}"
    longest = max([len(legend_title), *(len(text) + _PATCH_LETTERS for _, _, text in entries)])
    legend_in, title_in = _LETTER * _LEGEND_PT / _PT_PER_IN * longest + 0.3, 0.35
    size_in = _MAP_WIDTH_IN + legend_in, _MAP_WIDTH_IN * picture.height_ratio + _BAR_IN + title_in
    figure = Figure(figsize=size_in)
    share = _MAP_WIDTH_IN / size_in[0]
    axes = figure.add_axes((0.0, 0.0, share, 1.0 - title_in / size_in[1]))
    _draw(axes, picture, palette(scheme)[picture.classes], font_pt=8.0)
    figure.text(0.01, 1.0 - 0.5 * title_in / size_in[1], title, va="center", fontsize=10, parse_math=False)
    patches = [
        Patch(facecolor=colour, edgecolor="#6b757d", linewidth=0.5, label=text) for colour, _, text in entries
    ]
    figure.legend(
        handles=patches,
        title=legend_title,
        loc="center left",
        bbox_to_anchor=(share, 0.5),
        frameon=False,
        fontsize=_LEGEND_PT,
        title_fontsize=_LEGEND_PT,
    )
    return _png(figure)


def thinned(path: Path) -> tuple[NDArray[np.generic], float]:
    """Raw values [y, x] at every n-th pixel of a layer, and the size of what each stands for in km."""
    grid = raster.read_grid(path)
    step = max(1, -(-max(grid.width, grid.height) // MAP_PX))
    strips = [
        raster.read(path, rows=slice(first, min(first + STRIP_PX * step, grid.height))).values[::step, ::step]
        for first in range(0, grid.height, STRIP_PX * step)
    ]
    return np.concatenate(strips), grid.resolution_m * step / 1000.0


def draw_curves(curves: Mapping[str, Mapping[float, NDArray[np.float64]]]) -> bytes:
    """A panel for each share, by level in dBm: [n - 1] in percent for at least n channels."""
    figure = Figure(figsize=(4.8 * len(curves), 3.9), layout="constrained")
    panels = figure.subplots(1, len(curves), squeeze=False, sharey=True)[0]
    for axes, (name, levels) in zip(panels, curves.items(), strict=True):
        for place, (level_dbm, share_pct) in enumerate(levels.items()):
            colour, marker = _LINES[place % len(_LINES)]
            axes.plot(
                np.arange(1, share_pct.size + 1),
                share_pct,
                color=colour,
                marker=marker,
                markersize=3.5,
                linewidth=1.4,
                label=f"{level_dbm:g} dBm",
            )
        axes.set_xlabel("number of channels, at least")
        axes.set_ylabel(f"% of {name}")
        axes.set_ylim(0.0, 102.0)
        axes.grid(color="#d5dade", linewidth=0.6)
        axes.legend(title="available at", frameon=False)
    return _png(figure)


def draw_shares(
    shares_pct: NDArray[np.float64],
    channels: Sequence[object],
    classes: Sequence[MapClass],
    axes_labels: tuple[str, str] = ("% of area", "channel"),
) -> bytes:
    """Stacked bars [channel, class] of the area by what limits there, or of levels by the same token."""
    high_in = max(1.2 + 0.19 * len(channels), 0.3 + 0.21 * len(classes))  # bars, and the legend beside them
    figure = Figure(figsize=(9.6, high_in), layout="constrained")
    axes = figure.subplots()
    left = np.zeros(len(channels))
    places = np.arange(len(channels))
    for share_pct, entry, pattern in zip(shares_pct.T, classes, cycle(_PATTERNS)):
        axes.barh(
            places,
            share_pct,
            left=left,
            color=hex_colour(entry.rgba),
            edgecolor="#1c2126",
            linewidth=0.4,
            label=entry.label,
            hatch=pattern,
            hatchcolor=_LIGHT if _is_dark(entry.rgba) else _DARK,
        )
        left += share_pct
    axes.set_yticks(places, [str(channel) for channel in channels])
    axes.set_ylim(len(channels) - 0.4, -0.6)
    axes.set_xlim(0.0, 100.0)
    axes.set_xlabel(axes_labels[0])
    axes.set_ylabel(axes_labels[1])
    figure.legend(loc="outside right upper", frameon=False)
    return _png(figure)


def draw_differences(found_db: NDArray[np.float64]) -> bytes:
    """Histogram of differences in dB [n], in steps of 2 dB; below 0 in a colour of its own."""
    figure = Figure(figsize=(7.2, 3.2), layout="constrained")
    axes = figure.subplots()
    low, high = 2.0 * np.floor(found_db.min() / 2.0), 2.0 * np.ceil(found_db.max() / 2.0)
    edges_db = np.arange(low, max(high, low + 2.0) + 1.0, 2.0)
    count, _ = np.histogram(found_db, edges_db)
    colours = [_LINES[1][0] if edge < 0.0 else _LINES[0][0] for edge in edges_db[:-1]]
    axes.bar(edges_db[:-1], 100.0 * count / found_db.size, width=2.0, align="edge", color=colours)
    axes.axvline(0.0, color="black", linewidth=1.0, linestyle="--")
    axes.set_xlabel("dB")
    axes.set_ylabel("% of the paths compared")
    return _png(figure)


def legend_entries(scheme: Scheme, present: Sequence[int]) -> list[tuple[str, str | None, str]]:
    """Colour, colour of the lines on it and label of the classes that occur, in the order of the scheme."""
    entries = [scheme.classes[place] for place in sorted(set(present))]
    return [
        (hex_colour(entry.rgba), lines_on(entry), entry.label)
        for entry in entries
        if entry.rgba != TRANSPARENT
    ]


def lines_on(entry: MapClass) -> str | None:
    """Colour of the lines that a map has on a class, None without: those of a class without a hue."""
    red, green, blue, alpha = entry.rgba
    if not (red == green == blue and alpha):
        return None
    return _LIGHT if _is_dark(entry.rgba) else _DARK


def _is_dark(rgba: Rgba) -> bool:
    """Luma of Rec. ITU-R BT.709, section 3.2, below the middle."""
    return bool(np.dot(rgba[:3], (0.2126, 0.7152, 0.0722)) < 128.0)


def _lined(picture: _Picture, wide_in: float = _MAP_WIDTH_IN) -> NDArray[np.uint8]:
    """Colours [y, x, 4] at the size of the figure, with diagonal lines on the classes that have some."""
    wide, high = (round(_DPI * wide_in * ratio) for ratio in (1.0, picture.height_ratio))
    rows, cols = (
        np.arange(out) * size // out for out, size in zip((high, wide), picture.classes.shape, strict=True)
    )
    classes = picture.classes[np.ix_(rows, cols)]
    colours = palette(picture.scheme)[classes]
    line = np.add.outer(np.arange(high), np.arange(wide)) % _LINE_STEP_PX < _LINE_PX
    for place, entry in enumerate(picture.scheme.classes):
        if (colour := lines_on(entry)) is not None:
            colours[line & (classes == place), :3] = int(colour[1:3], 16)
    return colours


def _extent(inside: NDArray[np.bool_]) -> tuple[slice, slice]:
    """Rows and columns with anything to show, a pixel more on each side; all where there is nothing."""
    if not inside.any():
        return slice(None), slice(None)
    rows, cols = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    return slice(max(rows[0] - 1, 0), rows[-1] + 2), slice(max(cols[0] - 1, 0), cols[-1] + 2)


def _picture_of(path: Path, scheme: Scheme) -> _Picture:
    """The part of a layer that shows anything, in the colours of its classes."""
    raw, pixel_km = thinned(path)
    classes = class_index(scheme, raw)
    shown = palette(scheme)[:, 3] > 0
    rows, cols = _extent(shown[classes])
    classes = classes[rows, cols]
    present = tuple(int(place) for place in np.unique(classes) if shown[place])
    west_m, _, _, north_m = raster.read_grid(path).bounds_m
    corner_m = west_m + 1000.0 * pixel_km * (cols.start or 0), north_m - 1000.0 * pixel_km * (rows.start or 0)
    return _Picture(classes, scheme, pixel_km, present, corner_m)


def _draw(
    axes: Axes,
    picture: _Picture,
    colours: NDArray[np.uint8],
    *,
    font_pt: float,
    wide_in: float = _MAP_WIDTH_IN,
) -> None:
    """Map and scale bar, on axes that have room for the bar below."""
    high_km, wide_km = (size * picture.pixel_km for size in picture.classes.shape)
    axes.imshow(colours, interpolation="nearest", extent=(0.0, wide_km, -high_km, 0.0))
    axes.set_ylim(-high_km - wide_km * _BAR_IN / wide_in, 0.0)
    axes.set_axis_off()
    _scale_bar(axes, wide_km, font_pt)


def _draw_names(
    axes: Axes, picture: _Picture, grid: Grid, places: Sequence[Settlement], wide_in: float
) -> None:
    """Dots and names of the largest places within what is shown, none over another."""
    wide_km = picture.classes.shape[1] * picture.pixel_km
    high_name_km = _NAME_PT / _PT_PER_IN * wide_km / wide_in
    taken: list[tuple[float, float, float, float]] = []
    for place in sorted(places, key=lambda place: (-place.persons, place.name)):
        east_m, north_m = grid.from_lonlat().transform(place.lon_deg, place.lat_deg)
        x_km = (east_m - picture.west_north_m[0]) / 1000.0
        y_km = (north_m - picture.west_north_m[1]) / 1000.0
        if not place.name or len(taken) == _MOST_NAMES or not _is_shown(picture, x_km, y_km):
            continue
        length_km = _LETTER * high_name_km * (len(place.name) + 2)
        left = x_km + length_km > wide_km
        west_km = x_km - length_km if left else x_km
        box = west_km, y_km - 0.8 * high_name_km, west_km + length_km, y_km + 0.8 * high_name_km
        if box[0] < 0.0 or any(_overlap(box, other) for other in taken):
            continue
        taken.append(box)
        _draw_name(axes, place.name, (x_km, y_km), 0.5 * _LETTER * high_name_km * (-1 if left else 1))


def _draw_name(axes: Axes, name: str, at_km: tuple[float, float], beside_km: float) -> None:
    halo = [withStroke(linewidth=2.5, foreground="white")]
    axes.plot(*at_km, marker="o", markersize=4.0, color="black", markeredgecolor="white", markeredgewidth=0.8)
    axes.text(
        at_km[0] + beside_km,
        at_km[1],
        name,
        ha="left" if beside_km > 0.0 else "right",
        va="center",
        fontsize=_NAME_PT,
        path_effects=halo,
        parse_math=False,
    )


def _is_shown(picture: _Picture, x_km: float, y_km: float) -> bool:
    """Whether a place lies in a pixel that the map shows."""
    row, col = int(-y_km // picture.pixel_km), int(x_km // picture.pixel_km)
    rows, cols = picture.classes.shape
    return 0 <= row < rows and 0 <= col < cols and int(picture.classes[row, col]) in picture.present


def _overlap(box: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    return box[0] < other[2] and other[0] < box[2] and box[1] < other[3] and other[1] < box[3]


def _scale_bar(axes: Axes, width_km: float, font_pt: float) -> None:
    """A bar of a round length, at most a quarter of the width, in the strip below the map."""
    length_km = max([step for step in _SCALE_STEPS_KM if step <= width_km / 4.0], default=width_km / 4.0)
    low, _ = axes.get_ylim()
    right, base = 0.99 * width_km, 0.96 * low
    axes.plot([right - length_km, right], [base, base], color="#1c2126", linewidth=2.0, solid_capstyle="butt")
    text = f"{length_km:g} km"
    axes.text(right - length_km - 0.01 * width_km, base, text, ha="right", va="center", fontsize=font_pt)


def _png(figure: Figure) -> bytes:
    """PNG without the program's version in it."""
    FigureCanvasAgg(figure)
    stream = io.BytesIO()
    figure.savefig(stream, dpi=_DPI, format="png", metadata={"Software": None})
    return stream.getvalue()


def picture_command(layer: Path, out: Path, *, title: str) -> None:
    """Draw a layer of one band in the classes of its family; the family is the beginning of its name."""
    check_outputs([Output("out", out, PNG_FILE, makes_folder=True)], [layer])
    schemes = read_schemes()
    # Maps of `compare` and `basestation` are no published layers: their names begin as their classes.
    known = {name: name for name in schemes} | {row.family: row.view.scheme for row in LAYERS.values()}
    families = [name for name in known if f"{layer.stem}_".startswith(f"{name}_")]
    scheme = known[max(families, key=len)] if families else None
    if scheme is None:
        drawn = ", ".join(sorted(name for name, found in known.items() if found is not None))
        raise InputError("no classes for this kind of layer", file=layer, allowed=drawn)
    if not layer.is_file():
        raise InputError("no such file", file=layer)
    if len(read_layout(layer).band_names) != 1:
        raise InputError("the layer has several bands", file=layer, allowed="layers of one band")
    if len(title) > _TITLE_CHARS or not title.isprintable():
        allowed = f"up to {_TITLE_CHARS} printable characters in one line"
        raise InputError("is no line of text", field="--title", value=title, allowed=allowed)
    try:
        content = draw_with_legend(layer, schemes[scheme], title)
    except ValueError as error:
        raise InputError(f"is no layer of this kind: {error}", file=layer) from None
    write_whole(out, content)
    print(out)
