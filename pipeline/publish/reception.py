"""Published layers on the reception of one DTT channel: field, location probability, served, server."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import xarray as xr

from pipeline.grid import raster
from pipeline.hashing import source_hash
from pipeline.plan.dependencies import coverage_hash
from pipeline.plan.plan import Plan, load_plan
from pipeline.plan.run_files import internal_files_of_channel, two_digits
from pipeline.quantise import NODATA_CENTI, to_centi, to_step

PROBABILITY_STEP = 0.0001
NO_PROBABILITY = 65535
NO_SERVICE = 255
NO_SERVER = 0
OFF_LAND = 65535
SERVED_NAMES = {0: "not served", 1: "served"}


def reception_layers(levels: xr.DataArray, classes: xr.DataArray) -> dict[str, xr.DataArray]:
    """Layers by name from a channel's coverage; arguments (band, y, x) as the coverage stage stores them.

    ``field`` int16 0.01 dB(uV/m), wanted field of the best server at 10 m; ``q`` uint16 0.0001; ``served``
    uint8 0/1, 255 off land; ``server`` uint16, number of the best server (from 1) in the manifest's table,
    0 none.
    """
    grid = levels.attrs["grid"]
    field = to_centi(levels.sel(band="field_dbuvm").values)
    q = to_step(levels.sel(band="probability").values, PROBABILITY_STEP, "uint16", NO_PROBABILITY)
    served = classes.sel(band="served").values
    served = np.where(served == OFF_LAND, NO_SERVICE, served).astype(np.uint8)
    server = classes.sel(band="server").values
    make = raster.make_array
    return {
        "field": make(
            field,
            grid,
            units="dB(uV/m)",
            long_name="wanted field of the best server at 10 m",
            nodata=NODATA_CENTI,
            scale_factor=0.01,
        ),
        "q": make(
            q,
            grid,
            units="1",
            long_name="location probability of DTT reception",
            nodata=NO_PROBABILITY,
            scale_factor=PROBABILITY_STEP,
        ),
        "served": make(
            served,
            grid,
            units="1",
            long_name="DTT reception served",
            nodata=NO_SERVICE,
            categories=SERVED_NAMES,
        ),
        "server": make(
            server, grid, units="1", long_name="best server, number in the manifest's table", nodata=NO_SERVER
        ),
    }


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
    for path, layer in zip(internal_files_of_channel(name), layers.values(), strict=True):
        raster.write(build_dir / path, layer, tags=tags, publish=True)
