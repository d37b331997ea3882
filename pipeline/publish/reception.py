"""Published layers on the reception of one DTT channel: field, location probability, served, server.

By P.1812 also the mechanism of the field.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pipeline.config.config import Config
from pipeline.config.reception import sees_profiles
from pipeline.coverage.mechanisms import Server, mechanisms_of
from pipeline.grid import raster
from pipeline.grid.layer_files import layer_file, make_layer, raster_of, two_digits
from pipeline.hashing import file_sha256, json_hash
from pipeline.quantise import to_step
from pipeline.terrain.loss_tables import read_regimes

_OFF_LAND = 65535


def write_channel(config: Config, build: Path, channel: int, code: str) -> None:
    """Read a channel's coverage and write its published layers."""
    name = two_digits(channel)
    sources = [build / f"coverage/ch{name}.tif", build / f"coverage/ch{name}_class.tif"]
    levels = raster.read(sources[0], bands=["field_dbuvm", "probability"])
    classes = raster.read(sources[1], bands=["served", "server"])
    tags = layer_tags(config, channel, sources, code)
    for family, layer in reception_layers(levels, classes).items():
        raster.write(build / layer_file(family, dtt_channel=channel), layer, tags=tags, publish=True)
    if sees_profiles(config.propagation.coverage_model):
        _write_mechanism(build, channel, classes.sel(band="server"), tags)


def _write_mechanism(build: Path, channel: int, servers: xr.DataArray, tags: Mapping[str, str]) -> None:
    """Write the mechanism of the best server's field; its tables are part of the hash."""
    grid, numbers = servers.attrs["grid"], servers.values
    stations = _stations(build, channel, np.unique(numbers[numbers > 0]).tolist())
    digest = hashlib.sha256(tags["hash"].encode())
    for station in stations.values():
        digest.update(station.table.regimes.tobytes())
    layer = make_layer("dtt_mechanism", mechanisms_of(grid, numbers, stations), grid)
    file = build / layer_file("dtt_mechanism", dtt_channel=channel)
    raster.write(file, layer, tags={**tags, "hash": digest.hexdigest()}, publish=True)


def _stations(build: Path, channel: int, numbers: Iterable[int]) -> dict[int, Server]:
    """The stations with some numbers, counted from 1 as the job coverage lists them."""
    path = build / f"coverage/ch{two_digits(channel)}_servers.json"
    listed = json.loads(path.read_text(encoding="utf-8"))["transmitters"]
    found = {}
    for number in numbers:
        row = listed[number - 1]
        place = (float(row["lon"]), float(row["lat"]))
        tables = build / "losses" / f"{row['tile']}.npz"
        found[number] = Server(
            *place, read_regimes(tables, row["mast"], row["channel"], row["polarisation"] == "V")
        )
    return found


def reception_layers(levels: xr.DataArray, classes: xr.DataArray) -> dict[str, xr.DataArray]:
    """Layers by family from the coverage of a channel; arguments (band, y, x) as its job stores them."""
    grid = levels.attrs["grid"]
    served = classes.sel(band="served").values
    values = {
        "dtt_field": _stored("dtt_field", levels.sel(band="field_dbuvm")),
        "dtt_q": _stored("dtt_q", levels.sel(band="probability")),
        "dtt_served": np.where(served == _OFF_LAND, raster_of("dtt_served").nodata, served).astype(np.uint8),
        "dtt_server": classes.sel(band="server").values,
    }
    return {family: make_layer(family, raw, grid) for family, raw in values.items()}


def _stored(family: str, values: xr.DataArray) -> NDArray[Any]:
    """Raw values of a family's files."""
    row = raster_of(family)
    return to_step(values.values, row.scale, row.dtype, int(row.nodata))


def layer_tags(config: Config, channel: int, sources: Sequence[Path], code: str) -> Mapping[str, str]:
    """Tags that depend on the coverage of this channel, by content of its files, and on code only."""
    return {
        "channel": str(channel),
        "hash": json_hash([[file_sha256(path) for path in sources], code]),
        "model": config.propagation.coverage_model,
        "notice": config.notice,
    }
