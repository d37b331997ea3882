"""Published layers on the reception of one DTT channel: field, location probability, served, server."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pipeline.grid import raster
from pipeline.grid.layer_files import layer_file, make_layer, raster_of, two_digits
from pipeline.hashing import source_hash
from pipeline.plan.dependencies import coverage_hash
from pipeline.plan.plan import Plan, load_plan
from pipeline.quantise import to_step

OFF_LAND = 65535


def reception_layers(levels: xr.DataArray, classes: xr.DataArray) -> dict[str, xr.DataArray]:
    """Layers by family from the coverage of a channel; arguments (band, y, x) as its stage stores them."""
    grid = levels.attrs["grid"]
    served = classes.sel(band="served").values
    values = {
        "dtt_field": _stored("dtt_field", levels.sel(band="field_dbuvm")),
        "dtt_q": _stored("dtt_q", levels.sel(band="probability")),
        "dtt_served": np.where(served == OFF_LAND, raster_of("dtt_served").nodata, served).astype(np.uint8),
        "dtt_server": classes.sel(band="server").values,
    }
    return {family: make_layer(family, raw, grid) for family, raw in values.items()}


def _stored(family: str, values: xr.DataArray) -> NDArray[Any]:
    """Raw values of a family's files."""
    row = raster_of(family)
    return to_step(values.values, row.scale, row.dtype, int(row.nodata))


def layer_tags(plan: Plan, channel: int) -> Mapping[str, str]:
    """Tags that depend on this channel's own inputs, settings and code only."""
    own = [coverage_hash(plan, channel), source_hash("pipeline.publish.reception")]
    return {
        "channel": str(channel),
        "hash": "-".join(own),
        "model": plan.config.propagation.coverage_model,
        "notice": plan.config.notice,
    }


def main(config_path: Path, build_dir: Path, *, channel: int, threads: int = 1) -> None:
    """Read a channel's coverage and write its published layers; compression is not threaded."""
    plan = load_plan(config_path)
    name = two_digits(channel)
    levels = raster.read(build_dir / f"coverage/ch{name}.tif", bands=["field_dbuvm", "probability"])
    classes = raster.read(build_dir / f"coverage/ch{name}_class.tif", bands=["served", "server"])
    layers = reception_layers(levels, classes)
    tags = layer_tags(plan, channel)
    for family, layer in layers.items():
        path = build_dir / layer_file(family, dtt_channel=channel)
        raster.write(path, layer, tags=tags, publish=True)
