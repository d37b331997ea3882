"""Which layer answers for which antenna height: a regulator's table (whitespace-rules.md, section 1.2).

Layers are computed for a few heights; a device asks with its own. Rows without ``from_m`` hold for a type of
device that gives no height.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import InputError
from pipeline.reference.number_tables import ANY, read_number, read_rows

COLUMNS = ("device_type", "from_m", "to_m", "layer_m")
TYPES = (ANY, "A", "B")
HIGHEST_M = 10_000.0


class HeightLayer(NamedTuple):
    """``from_m`` <= height < ``to_m`` is answered from the layer of ``layer_m``; NaN = no height given."""

    device_type: str
    from_m: float
    to_m: float
    layer_m: float


def read_height_layers(path: Path) -> list[HeightLayer]:
    """The table, checked: every height of every type has exactly one layer, and so has none given."""
    layers = []
    for row in read_rows(path, COLUMNS):
        kind = row.values["device_type"]
        if kind not in TYPES:
            raise InputError(
                "value is not allowed",
                file=path,
                row=row.line,
                field="device_type",
                value=kind,
                allowed=", ".join(TYPES),
            )
        from_m = read_number(row, "from_m", 0.0, HIGHEST_M, empty=math.nan)
        to_m = read_number(row, "to_m", 0.0, HIGHEST_M, empty=math.inf)
        layers.append(HeightLayer(kind, from_m, to_m, read_number(row, "layer_m", 1.0, HIGHEST_M)))
    for kind in TYPES[1:]:
        _check_complete(path, [layer for layer in layers if layer.device_type in (ANY, kind)], kind)
    return layers


def layer_height_m(layers: list[HeightLayer], device_type: str, height_m: float | None) -> float:
    """Height of the layer for a device of type A or B at ``height_m`` above ground; None = not given."""
    for layer in layers:
        if layer.device_type in (ANY, device_type) and _holds(layer, height_m):
            return layer.layer_m
    raise InputError("no layer for this height", field="height_m", value=height_m, allowed="0 m or more")


def _holds(layer: HeightLayer, height_m: float | None) -> bool:
    if height_m is None:
        return math.isnan(layer.from_m)
    return layer.from_m <= height_m < layer.to_m


def _check_complete(path: Path, layers: list[HeightLayer], kind: str) -> None:
    """Refuse a table that leaves a height without a layer, or gives it two."""
    if sum(math.isnan(layer.from_m) for layer in layers) != 1:
        raise InputError(
            f"one row without height is needed for type {kind}",
            file=path,
            field="from_m",
            allowed="empty once",
        )
    upper_m = 0.0
    for layer in sorted((one for one in layers if not math.isnan(one.from_m)), key=lambda one: one.from_m):
        if layer.from_m != upper_m:
            raise InputError(
                f"heights of type {kind} overlap or leave a gap",
                file=path,
                field="from_m",
                value=layer.from_m,
                allowed=f"{upper_m:g}, where the layer below ends",
            )
        upper_m = layer.to_m
    if upper_m != math.inf:
        raise InputError(
            f"the highest layer of type {kind} is bounded",
            file=path,
            field="to_m",
            value=upper_m,
            allowed="nothing: open upwards",
        )
