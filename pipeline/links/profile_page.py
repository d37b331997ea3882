"""``links.html``: a table of links, and a picture of the path profile of each that has one."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.links.sight import EFFECTIVE_RADIUS_KM
from pipeline.propagation.p1812.profile_links import Profile

# Pictures beyond these make the page slow; the table has all links.
MOST_PICTURES = 200
_WIDTH_PX, _HEIGHT_PX, _MARGIN_PX = 720, 220, 34
_LIGHT_M_GHZ = 0.299792458
_LEGEND = (
    "Black: the line between both antennas. Orange: the first Fresnel zone, dashed six tenths of it. Brown: "
    "terrain, bent as the Earth of 4/3 radius; green: cover on it."
)
_STYLE = (
    "body{font:14px sans-serif;margin:2em;max-width:1100px}"
    "table{border-collapse:collapse;display:block;overflow-x:auto}"
    "td,th{border:1px solid #ccc;padding:2px 6px;text-align:right}figure{margin:1em 0}"
    "figcaption{font-size:13px}"
)


class PictureOf(NamedTuple):
    """A path to draw: what it is called, its profile, antennas above ground in m, frequency in MHz."""

    caption: str
    profile: Profile
    antennas_m: tuple[float, float]
    f_mhz: float


def page(
    title: str,
    notes: Sequence[str],
    rows: Sequence[Mapping[str, object]],
    columns: Sequence[str],
    pictures: Sequence[PictureOf],
    chart: str = "",
) -> str:
    """The page: notes, the table of ``columns``, a ``chart`` of it as SVG, pictures of profiles."""
    said = "".join(f"<p>{html.escape(note)}</p>" for note in notes)
    head = "".join(f"<th>{html.escape(name)}</th>" for name in columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(str(row.get(name, '')))}</td>" for name in columns) + "</tr>"
        for row in rows
    )
    drawn = "".join(
        f"<figure>{picture(one)}<figcaption>{html.escape(one.caption)}</figcaption></figure>"
        for one in pictures[:MOST_PICTURES]
    )
    drawn = f"<p>{_LEGEND}</p>{drawn}" if drawn else ""
    left = len(pictures) - MOST_PICTURES
    more = f"<p>{left} further profiles are not drawn.</p>" if left > 0 else ""
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<style>{_STYLE}</style><h1>{html.escape(title)}</h1>{said}"
        f"<table><tr>{head}</tr>{body}</table>{chart}{drawn}{more}</html>\n"
    )


def picture(one: PictureOf) -> str:
    """An SVG of a profile over the Earth of 4/3 radius: terrain, cover, ray, first Fresnel zone."""
    d_km, length_km = one.profile.d_km, float(one.profile.d_km[-1])
    both_km2 = d_km * (length_km - d_km)
    ground_m = one.profile.terrain_m + 500.0 * both_km2 / EFFECTIVE_RADIUS_KM
    ends_m = (ground_m[0] + one.antennas_m[0], ground_m[-1] + one.antennas_m[1])
    ray_m = ends_m[0] + (ends_m[1] - ends_m[0]) * d_km / length_km
    zone_m = np.sqrt(1e3 * _LIGHT_M_GHZ / (1e-3 * one.f_mhz) * both_km2 / length_km)
    covered_m = ground_m + one.profile.cover_m
    low_m = float(min(ground_m.min(), (ray_m - zone_m).min()))
    top_m = float(max(covered_m.max(), (ray_m + zone_m).max()))
    scale = _Scale(length_km, low_m - 0.05 * (top_m - low_m) - 1.0, top_m + 1.0)
    shapes = [
        scale.area(d_km, np.full(d_km.size, scale.low_m), ground_m, "#d2b48c"),
        scale.area(d_km, ground_m, covered_m, "#5a9e4b") if one.profile.cover_m.any() else "",
        scale.area(d_km, ray_m - zone_m, ray_m + zone_m, "#ff8c00", 0.25),
        scale.line(d_km, ray_m - 0.6 * zone_m, "#ff8c00", "4 3"),
        scale.line(d_km, ray_m, "#000000", ""),
        *(scale.line(d_km[[i, i]], np.array([ground_m[i], ends_m[i]]), "#000000", "") for i in (0, -1)),
        *scale.labels(),
    ]
    return (
        f'<svg viewBox="0 0 {_WIDTH_PX} {_HEIGHT_PX}" width="{_WIDTH_PX}" role="img" '
        f'font-family="sans-serif" font-size="11">{"".join(shapes)}</svg>'
    )


class _Scale(NamedTuple):
    length_km: float
    low_m: float
    top_m: float

    def _points(self, d_km: NDArray[np.float64], height_m: NDArray[np.float64]) -> str:
        x = _MARGIN_PX + (_WIDTH_PX - 2 * _MARGIN_PX) * d_km / self.length_km
        share = (height_m - self.low_m) / (self.top_m - self.low_m)
        y = _HEIGHT_PX - _MARGIN_PX - (_HEIGHT_PX - 2 * _MARGIN_PX) * share
        return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x.tolist(), y.tolist(), strict=True))

    def area(
        self,
        d_km: NDArray[np.float64],
        from_m: NDArray[np.float64],
        to_m: NDArray[np.float64],
        colour: str,
        opacity: float = 1.0,
    ) -> str:
        points = f"{self._points(d_km, to_m)} {self._points(d_km[::-1], from_m[::-1])}"
        return f'<polygon points="{points}" fill="{colour}" fill-opacity="{opacity}"/>'

    def line(self, d_km: NDArray[np.float64], height_m: NDArray[np.float64], colour: str, dashes: str) -> str:
        dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
        points = self._points(d_km, height_m)
        return f'<polyline points="{points}" fill="none" stroke="{colour}"{dashed}/>'

    def labels(self) -> list[str]:
        bottom = _HEIGHT_PX - 12
        step_km = 10.0 ** math.floor(math.log10(self.length_km))
        marks = np.arange(0.0, self.length_km, step_km)
        x = _MARGIN_PX + (_WIDTH_PX - 2 * _MARGIN_PX) * marks / self.length_km
        ticks = [
            f'<text x="{a:.0f}" y="{bottom}">{km:g} km</text>'
            for a, km in zip(x.tolist(), marks.tolist(), strict=True)
        ]
        return [
            *ticks,
            f'<text x="2" y="{_MARGIN_PX}">{self.top_m:.0f} m</text>',
            f'<text x="2" y="{_HEIGHT_PX - _MARGIN_PX}">{self.low_m:.0f} m</text>',
        ]
