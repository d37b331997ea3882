"""Styles for QGIS: legends of layers, and the XML of renderers as QGIS 3 reads it from .qml and .qgs.

QGIS applies scale and offset of a file before it draws, so levels are classes by value. It puts a value into
the first class whose upper bound it does not exceed (colour ramp DISCRETE). Codes alone are a palette.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping
from typing import NamedTuple

from pipeline.publish.styles import TRANSPARENT, MapClass, Rgba, Scheme, hex_colour, lowest_raw

QGIS_VERSION = "3.22.16"
_DOCTYPE = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
# Okabe and Ito (2008) without black, then paler ones: for things without an order and colours of their own.
_CATEGORY_COLOURS = (
    "#0072b2",
    "#e69f00",
    "#009e73",
    "#cc79a7",
    "#56b4e9",
    "#d55e00",
    "#f0e442",
    "#7fb8d8",
    "#f2cf7f",
    "#7fceb9",
    "#e5bcd3",
    "#aad9f4",
    "#eaae7f",
    "#f7f1a0",
)
_UNITLESS = {"", "1"}


class Entry(NamedTuple):
    """A line of a legend; ``value`` is a raw value, or the upper bound (included) of the scaled ones."""

    value: str
    rgba: Rgba
    label: str


class Legend(NamedTuple):
    """How a layer is drawn: a palette by raw value, or classes by upper bound, ascending.

    ``title`` stands above the entries and has the unit.
    """

    title: str
    palette: bool
    entries: tuple[Entry, ...]


def legend_of(scheme: Scheme, *, unit: str, whole: bool) -> Legend:
    """The legend of a scheme; ``unit`` that of the file.

    Codes come before the levels and lie below all values that occur. ``whole``: raw values are whole numbers,
    and bounds lie half a step below the next class, so that no rounding in QGIS moves a value across. Else a
    value on a bound belongs to the lower class.
    """
    titled = unit in _UNITLESS or unit in scheme.title.lower()
    title = scheme.title if titled else f"{scheme.title} [{unit}]"
    if all(entry.low is None for entry in scheme.classes):
        return Legend(title, True, tuple(Entry(str(c.code), c.rgba, c.label) for c in scheme.classes))
    codes = sorted((entry.code, entry) for entry in scheme.classes if entry.code is not None)
    levels = [entry for entry in scheme.classes if entry.low is not None]
    # Nodata is not drawn at all; the entry tells readers of the legend that nothing there means outside.
    drawn = [(code, entry) for code, entry in codes if entry.rgba[3]]
    starts = [_start(scheme, entry, whole) for entry in levels[1:]]
    lowest = drawn[0][0] if drawn else lowest_raw(scheme, levels[0])
    entries = [Entry(_bound(scheme, (lowest or 0) - 1), c.rgba, c.label) for _, c in codes if not c.rgba[3]]
    entries += [Entry(_bound(scheme, code), entry.rgba, entry.label) for code, entry in drawn]
    for upper, entry in zip([*map(_number, starts), "inf"], levels, strict=True):
        entries.append(Entry(upper, entry.rgba, _labelled(entry, unit)))
    return Legend(title, False, tuple(entries))


def categories(title: str, labels: Mapping[int, str], nodata: tuple[int, str]) -> Legend:
    """A palette for raw values that have names and no scheme; colours repeat where there are many.

    ``nodata``: the value that is not drawn and what it means; it stands last.
    """
    found = []
    for place, (value, label) in enumerate(sorted(labels.items())):
        found.append(Entry(str(value), _rgba(_CATEGORY_COLOURS[place % len(_CATEGORY_COLOURS)]), label))
    value, label = nodata
    return Legend(title, True, (*found, Entry(str(value), TRANSPARENT, label)))


def renderer(legend: Legend, band: int) -> ET.Element:
    """The element ``rasterrenderer`` of one band, numbered from 1."""
    kind = "paletted" if legend.palette else "singlebandpseudocolor"
    top = ET.Element("rasterrenderer", type=kind, band=str(band), opacity="1", alphaBand="-1", nodataColor="")
    ET.SubElement(top, "rasterTransparency")
    if legend.palette:
        holder = ET.SubElement(top, "colorPalette")
        for entry in legend.entries:
            ET.SubElement(holder, "paletteEntry", _attributes(entry))
        return top
    bounds = [entry.value for entry in legend.entries if entry.value != "inf"]
    top.attrib |= {"classificationMin": bounds[0], "classificationMax": bounds[-1]}
    shader = ET.SubElement(
        ET.SubElement(top, "rastershader"),
        "colorrampshader",
        colorRampType="DISCRETE",
        classificationMode="1",
        clip="0",
        minimumValue=bounds[0],
        maximumValue=bounds[-1],
    )
    for entry in legend.entries:
        ET.SubElement(shader, "item", _attributes(entry))
    return top


def pipe(legend: Legend, band: int) -> ET.Element:
    """The element ``pipe`` of a raster layer: pixels as they are, never smoothed."""
    top = ET.Element("pipe")
    top.append(renderer(legend, band))
    ET.SubElement(top, "rasterresampler", maxOversampling="1")
    return top


def style_text(legend: Legend, period: tuple[str, str] | None = None) -> str:
    """A file that QGIS loads with the raster of the same name; it draws band 1.

    ``period``: start and stop of its validity, so that the layers of successive runs make a series in time.
    """
    top = ET.Element("qgis", version=QGIS_VERSION, styleCategories="Symbology|Temporal")
    top.append(pipe(legend, 1))
    if period is not None:
        fixed = ET.SubElement(
            ET.SubElement(top, "temporal", enabled="1", mode="0", fetchMode="0"), "fixedRange"
        )
        ET.SubElement(fixed, "start").text, ET.SubElement(fixed, "end").text = period
    return xml_text(top)


def xml_text(top: ET.Element) -> str:
    """A document of QGIS; attributes and elements in the order in which they were made."""
    ET.indent(top, " ")
    return _DOCTYPE + ET.tostring(top, encoding="unicode") + "\n"


def _attributes(entry: Entry) -> dict[str, str]:
    """A printed legend forgets that a colour is transparent; paper is white."""
    red_green_blue = hex_colour(entry.rgba) if entry.rgba[3] else "#ffffff"
    alpha = str(entry.rgba[3])
    return {"value": entry.value, "color": red_green_blue, "alpha": alpha, "label": entry.label}


def _start(scheme: Scheme, entry: MapClass, whole: bool) -> float:
    """Lower bound of a level as the upper bound of the one below."""
    raw = lowest_raw(scheme, entry)
    if entry.low is None or raw is None:
        raise ValueError(f"{scheme.title}: {entry.label} is no level")
    return (raw - 0.5) * scheme.scale if whole else entry.low


def _bound(scheme: Scheme, code: int) -> str:
    """Upper bound that holds a code and nothing above it."""
    return _number((code + 0.5) * scheme.scale)


def _labelled(entry: MapClass, unit: str) -> str:
    """The label with its unit; words such as `none` or `not permitted` have none."""
    if unit in _UNITLESS or not any(letter.isdigit() for letter in entry.label):
        return entry.label
    number, more, _ = entry.label.partition(" and more")
    return f"{number} {unit}{more}"


def _number(value: float) -> str:
    return f"{value:.9g}"


def _rgba(colour: str) -> Rgba:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return red, green, blue, 255
