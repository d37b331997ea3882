"""Which layer answers for which antenna height: a regulator's table.

Layers are computed for a few heights; a device asks with its own. Rows without ``from_m`` apply to a type of
device that gives no height.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from pipeline.errors import InputError
from pipeline.reference.ratio_tables import ANY
from pipeline.rows.row_models import MAY_BE_EMPTY, NumberCell, SourcedRow, read_rows

_TYPES = ("A", "B")
HIGHEST_LAYER_M = 10_000.0
_Height = Annotated[float, Field(ge=0, le=HIGHEST_LAYER_M)]


class HeightLayer(NamedTuple):
    """``from_m`` <= height < ``to_m`` is answered from the layer of ``layer_m``; NaN = no height given."""

    device_type: str
    from_m: float
    to_m: float
    layer_m: float


class _LayerRow(SourcedRow):
    device_type: Annotated[Literal["*", "A", "B"], Field(description="*, A, B")]
    from_m: Annotated[_Height | None, MAY_BE_EMPTY, Field(description="0 to 10000 m or empty")]
    to_m: Annotated[_Height | None, MAY_BE_EMPTY, Field(description="0 to 10000 m or empty")]
    layer_m: Annotated[NumberCell, Field(ge=1, le=HIGHEST_LAYER_M, description="1 to 10000 m")]


def read_height_layers(path: Path) -> list[HeightLayer]:
    """The table, checked: every height of every type has exactly one layer, and so has none given."""
    layers = [
        HeightLayer(
            row.device_type,
            math.nan if row.from_m is None else row.from_m,
            math.inf if row.to_m is None else row.to_m,
            row.layer_m,
        )
        for row in read_rows(path, _LayerRow)
    ]
    for kind in _TYPES:
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
