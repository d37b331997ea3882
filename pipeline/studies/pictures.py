"""Pictures of the tools, drawn without a screen."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from pipeline.files import write_whole
from pipeline.studies.explain_path import DrawnProfile

_DPI = 120
# Channels that have room for their number below a bar.
_MOST_NUMBERED = 20
# Beyond these values a bar ends, whatever the number beside it: it would leave no room for the others.
_LONGEST_BAR_DB = 250.0
_Bounds = tuple[float, float, float, float]


def draw_changes(
    path: Path,
    title: str,
    net: NDArray[np.float64],
    bounds_m: _Bounds,
    bars: Mapping[int | str, tuple[float, float]],
) -> None:
    """Map of the net change of the number of channels [y, x], NaN outside; km2 gained and lost by channel."""
    figure = Figure(figsize=(12.0, 5.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    west, south, east, north = (value / 1000.0 for value in bounds_m)
    most = max(1.0, float(np.nanmax(np.abs(net), initial=0.0)))
    image = left.imshow(net, cmap="RdBu", vmin=-most, vmax=most, extent=(west, east, south, north))
    figure.colorbar(image, ax=left, label="channels gained less channels lost")
    rows, cols = np.nonzero(~np.isnan(net))
    if rows.size:
        step = (east - west) / net.shape[1]
        left.set_xlim(west + step * cols.min(), west + step * (cols.max() + 1))
        left.set_ylim(north - step * (rows.max() + 1), north - step * rows.min())
    left.set_facecolor("lightgrey")
    left.set_xlabel("km east")
    left.set_ylabel("km north")
    _draw_bars(right, bars)
    figure.suptitle(title, fontsize="medium", wrap=True, parse_math=False)
    _save(figure, path)


def _draw_bars(axes: Axes, bars: Mapping[int | str, tuple[float, float]]) -> None:
    """Area gained above the line and lost below it, by channel; every few channels have their number."""
    places, step = range(len(bars)), 1 + len(bars) // _MOST_NUMBERED
    gained_km2, lost_km2 = zip(*bars.values(), strict=True)
    axes.bar(places, gained_km2, color="#2166ac", label="gained")
    axes.bar(places, [-area_km2 for area_km2 in lost_km2], color="#b2182b", hatch="//", label="lost")
    axes.axhline(0.0, color="black", linewidth=0.8)
    axes.set_xticks(places[::step], [str(channel) for channel in bars][::step])
    if not any(gained_km2) and not any(lost_km2):
        axes.set_ylim(-1.0, 1.0)
        axes.text(0.5, 0.6, "no channel gained, none lost", ha="center", transform=axes.transAxes)
    axes.set_xlabel("channel")
    axes.set_ylabel("area gained, and lost (below the line), km²")
    axes.legend()


def draw_fields(path: Path, title: str, panels: Mapping[str, NDArray[np.float64]]) -> None:
    """Predicted against measured field, a panel each by title: [n, 2] measured and predicted."""
    figure = Figure(figsize=(5.0 * len(panels) + 1.0, 6.0), layout="constrained")
    every = np.concatenate(list(panels.values()))
    ends = [float(every.min()), float(every.max())]
    for axes, (name, fields_dbuvm) in zip(
        figure.subplots(1, len(panels), squeeze=False, sharey=True)[0], panels.items(), strict=True
    ):
        axes.scatter(fields_dbuvm[:, 0], fields_dbuvm[:, 1], s=8, alpha=0.6)
        axes.plot(ends, ends, color="black", linewidth=0.8)
        axes.set_aspect("equal")
        axes.set_xlabel("measured, dB(µV/m)")
        axes.set_title(name, fontsize="small")
    figure.axes[0].set_ylabel("predicted, dB(µV/m)")
    figure.suptitle(title)
    _save(figure, path)


def draw_profile(path: Path, title: str, drawn: DrawnProfile) -> None:
    """Terrain over the effective Earth, ray, first Fresnel zone with 0.6 of it, horizons, cover if any."""
    figure = Figure(figsize=(11.0, 5.0), layout="constrained")
    axes = figure.subplots()
    d_km, ground_m = drawn.d_km, drawn.earth_m + drawn.terrain_m
    top_m, low_m = float((drawn.ray_m + drawn.fresnel_m).max()), float(ground_m.min())
    floor_m = low_m - 0.05 * (max(top_m, float(ground_m.max())) - low_m)
    axes.fill_between(d_km, floor_m, ground_m, color="tan", label="terrain over the effective Earth")
    if drawn.cover_m.any():
        axes.fill_between(
            d_km, ground_m, ground_m + drawn.cover_m, color="tab:green", alpha=0.6, label="cover"
        )
    axes.plot(d_km, drawn.earth_m, color="tab:blue", linewidth=0.8, label="sea level")
    zone_m = drawn.fresnel_m
    axes.fill_between(
        d_km,
        drawn.ray_m - zone_m,
        drawn.ray_m + zone_m,
        color="tab:orange",
        alpha=0.25,
        label="first Fresnel zone",
    )
    axes.plot(d_km, drawn.ray_m - 0.6 * zone_m, color="tab:orange", linestyle="--", label="0.6 of it")
    axes.plot(d_km, drawn.ray_m, color="black", linewidth=1.0, label="ray")
    for end in (0, -1):
        axes.plot([d_km[end]] * 2, [ground_m[end], drawn.ray_m[end]], color="black", linewidth=2.0)
    for name, marker, at_km in zip(("station", "receiver"), ("<", ">"), drawn.horizons_km, strict=False):
        height_m = float(np.interp(at_km, d_km, ground_m))
        axes.plot(at_km, height_m, marker, color="tab:red", label=f"horizon of the {name}")
    axes.set_xlabel("km from the station")
    axes.set_ylabel("m above the chord of sea level")
    axes.set_ylim(bottom=floor_m)
    axes.set_title(title, fontsize="medium")
    figure.legend(loc="outside lower center", ncols=4, fontsize="small")
    _save(figure, path)


def draw_places(
    path: Path, title: str, home: BaseGeometry, lon_deg: NDArray[np.float64], lat_deg: NDArray[np.float64]
) -> None:
    """Stations over the outline of a territory, in degrees: coordinates that are exchanged show at once."""
    figure = Figure(figsize=(8.0, 8.0), layout="constrained")
    axes = figure.subplots()
    for polygon in shapely.get_parts(home):
        axes.plot(*np.asarray(polygon.exterior.coords).T[:2], color="black", linewidth=0.8)
    axes.plot(lon_deg, lat_deg, ".", color="tab:red", markersize=5.0)
    south, north = home.bounds[1], home.bounds[3]
    axes.set_aspect(1.0 / np.cos(np.radians((south + north) / 2.0)))
    axes.set_xlabel("degrees east")
    axes.set_ylabel("degrees north")
    axes.set_title(title, fontsize="medium")
    _save(figure, path)


def draw_terms(
    path: Path, title: str, terms: Sequence[tuple[str, float]], limits: Sequence[tuple[str, float]]
) -> None:
    """Terms in dB by name, each bar beginning where the last one ended; beside them limits in dBm by name."""
    figure = Figure(figsize=(11.0, 2.4 + 0.32 * max(len(terms), len(limits))), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(3.0, 2.0))
    values_db = np.clip([value_db for _, value_db in terms], -_LONGEST_BAR_DB, _LONGEST_BAR_DB)
    ends_db = np.cumsum(values_db)
    colours = ["#2166ac" if value_db >= 0.0 else "#b2182b" for value_db in values_db]
    bars = left.barh(range(len(terms)), values_db, left=ends_db - values_db, color=colours)
    left.bar_label(bars, [_number(value_db, "+.2f") for _, value_db in terms], padding=3, fontsize="small")
    left.set_yticks(range(len(terms)), [name for name, _ in terms])
    left.set_xlabel("dB, each term on the sum of those above it")
    levels_dbm = np.clip([level_dbm for _, level_dbm in limits], -_LONGEST_BAR_DB, _LONGEST_BAR_DB)
    shades = ["#1c2126", *["#9aa5ad"] * len(limits)][: len(limits)]
    bars = right.barh(range(len(limits)), levels_dbm, color=shades)
    right.bar_label(bars, [_number(level_dbm, ".2f") for _, level_dbm in limits], padding=3, fontsize="small")
    right.set_yticks(range(len(limits)), [name.replace(", ", ",\n", 1) for name, _ in limits])
    right.set_xlabel("dBm: the limit that decides, and the next")
    for axes in (left, right):
        axes.use_sticky_edges = False  # room for the numbers beside the bars
        axes.margins(x=0.35)
        axes.invert_yaxis()
        axes.axvline(0.0, color="black", linewidth=0.8)
    figure.suptitle(title, fontsize="medium", parse_math=False)
    _save(figure, path)


def _number(value: float, form: str) -> str:
    """A number beside its bar; one that leaves nothing is said in words."""
    return "forbids all" if value < -_LONGEST_BAR_DB else format(value, form)


def _save(figure: Figure, path: Path) -> None:
    """Write a PNG without the program's version in it: equal data give equal bytes."""
    FigureCanvasAgg(figure)
    metadata: dict[str, Any] = {"Software": None}
    stream = io.BytesIO()
    figure.savefig(stream, dpi=_DPI, format="png", metadata=metadata)
    write_whole(path, stream.getvalue())
