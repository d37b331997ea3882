"""Classes and colours of the maps, shared by QGIS styles, report and web map: ``map_classes.yaml``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml
from numpy.typing import NDArray

from pipeline.services.table import code_labels
from pipeline.shipped import TABLES

_MAP_CLASSES = TABLES / "map_classes.yaml"
Rgba = tuple[int, int, int, int]
TRANSPARENT: Rgba = (0, 0, 0, 0)
_NO_CLASS = 255
# Of services to which the file gives no class: apart from all others, as a test demands of those.
_NO_COLOUR: Rgba = (0x96, 0x78, 0xFF, 255)


class MapClass(NamedTuple):
    """A legend entry: the raw value ``code``, or all values from ``low`` to the next class's ``low``."""

    label: str
    rgba: Rgba
    code: int | None
    low: float | None


class Scheme(NamedTuple):
    """How the raw values of a family of layers are drawn; ``scale`` turns them into ``unit``.

    ``classes``: the levels, ascending, then the codes in the order of the file.
    """

    title: str
    unit: str
    scale: float
    note: str
    classes: tuple[MapClass, ...]


def read_schemes(path: Path = _MAP_CLASSES) -> dict[str, Scheme]:
    """All schemes by layer family: ``max_eirp``, ``available_channels``, ``availability``, ...

    Services without a class in the file have the label of their row and share one colour: a new row needs no
    edit of a file that users keep their own colours in.
    """
    schemes = {name: _scheme(entry) for name, entry in _load(path)["schemes"].items()}
    limiting = schemes["limiting_service"]
    known = {entry.code for entry in limiting.classes}
    added = [
        MapClass(label, _NO_COLOUR, code, None) for code, label in code_labels().items() if code not in known
    ]
    return schemes | {"limiting_service": limiting._replace(classes=(*limiting.classes, *added))}


def read_base_colours(path: Path = _MAP_CLASSES) -> dict[str, str]:
    """Colours ``#rrggbb`` of what lies below and around the layers: land, sea, borders."""
    return dict(_load(path)["base"])


def class_index(scheme: Scheme, raw: NDArray[Any]) -> NDArray[np.uint8]:
    """Position in ``scheme.classes`` of every raw value (any shape, integers of up to 16 bits).

    A level belongs to the highest class whose lower bound it reaches; compared as integers, so that a value
    on a bound is never moved by the arithmetic of ``scale``.
    """
    unsigned = np.dtype(f"u{raw.dtype.itemsize}")
    every = np.arange(np.iinfo(unsigned).max + 1).astype(unsigned)
    table = _positions(scheme, every.view(raw.dtype).astype(np.int64))
    found: NDArray[np.uint8] = table[raw.view(unsigned)]
    if (unknown := found == _NO_CLASS).any():
        raise ValueError(f"{scheme.title}: no class for the raw value {raw[unknown].flat[0]}")
    return found


def lowest_raw(scheme: Scheme, entry: MapClass) -> int | None:
    """The smallest raw value of a class of levels; none for a code."""
    return None if entry.low is None else math.ceil(round(entry.low / scheme.scale, 6))


def _positions(scheme: Scheme, values: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Position of the class of each value, ``_NO_CLASS`` where there is none."""
    lows = [low for entry in scheme.classes if (low := lowest_raw(scheme, entry)) is not None]
    found = np.searchsorted(np.asarray(lows, dtype=np.int64), values, side="right") - 1
    for place, entry in enumerate(scheme.classes):
        if entry.code is not None:
            found[values == entry.code] = place
    return np.where(found < 0, _NO_CLASS, found).astype(np.uint8)


def palette(scheme: Scheme) -> NDArray[np.uint8]:
    """Red, green, blue, alpha of every class, [class, 4]."""
    return np.array([entry.rgba for entry in scheme.classes], dtype=np.uint8)


def hex_colour(rgba: Rgba) -> str:
    """``#rrggbb``; whether it is transparent is not said."""
    return "#{:02x}{:02x}{:02x}".format(*rgba[:3])


def _load(path: Path) -> Mapping[str, Any]:
    return _parsed(path.read_text(encoding="utf-8"))


@lru_cache(maxsize=4)
def _parsed(text: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = yaml.safe_load(text)
    return found


def _scheme(entry: Mapping[str, Any]) -> Scheme:
    levels = [
        MapClass(str(item["label"]), _rgba(item["colour"]), None, float(item["from"]))
        for item in entry.get("levels", [])
    ]
    codes = [
        MapClass(str(item["label"]), _rgba(item["colour"]), int(code), None)
        for code, item in entry.get("codes", {}).items()
    ]
    return Scheme(entry["title"], entry["unit"], float(entry["scale"]), entry["note"], (*levels, *codes))


def _rgba(text: str) -> Rgba:
    if text == "transparent":
        return TRANSPARENT
    red, green, blue = (int(text[i : i + 2], 16) for i in (1, 3, 5))
    return red, green, blue, 255
