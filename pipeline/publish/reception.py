"""Published layers on the reception of one DTT channel: field, location probability, served, server.

By P.1812 also the mechanism of the field.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.blocks import block_slices
from pipeline.config.config import Config
from pipeline.config.reception import sees_profiles
from pipeline.coverage.mechanisms import Server, mechanisms_of
from pipeline.grid import raster
from pipeline.grid.grid import Grid
from pipeline.grid.layer_files import layer_file, layer_layout, make_layer, raster_of, two_digits
from pipeline.hashing import file_sha256, json_hash
from pipeline.quantise import to_step
from pipeline.terrain.loss_tables import read_regimes

_OFF_LAND = 65535
_FAMILIES = ("dtt_field", "dtt_q", "dtt_served", "dtt_server")
# Bands of the coverage that they are made from.
_SOURCES = frozenset({"field_dbuvm", "probability", "served", "server"})


def write_channel(config: Config, build: Path, channel: int, code: str) -> None:
    """Read a channel's coverage and write its published layers, block by block."""
    name = two_digits(channel)
    sources = [build / f"coverage/ch{name}.tif", build / f"coverage/ch{name}_class.tif"]
    tags = layer_tags(config, channel, sources, code)
    with ExitStack() as stack:
        levels, classes = (stack.enter_context(raster.reading(path)) for path in sources)
        grid = levels.grid
        puts = {
            family: stack.enter_context(_writing(build, family, channel, grid, tags)) for family in _FAMILIES
        }
        for part in block_slices(grid.shape, raster.TILE_PX):
            for family, values in reception_layers(_bands(levels, part), _bands(classes, part)).items():
                puts[family](*part, values)
    if sees_profiles(config.propagation.coverage_model):
        _write_mechanism(build, channel, sources[1], tags)


def _writing(
    build: Path, family: str, channel: int, grid: Grid, tags: Mapping[str, str]
) -> AbstractContextManager[Callable[[slice, slice, NDArray[Any]], None]]:
    """The published file of a family, to be written."""
    path = build / layer_file(family, dtt_channel=channel)
    return raster.writing(path, layer_layout(family, grid, tags=tags), publish=True)


def _bands(opened: raster.Opened, part: tuple[slice, slice]) -> dict[str, NDArray[Any]]:
    """The values [y, x] of a part by name of the band, of those that layers are made from."""
    names = opened.layout.band_names
    places = [place for place, name in enumerate(names) if name in _SOURCES]
    return dict(zip([names[p] for p in places], raster.read_window(opened, *part, bands=places), strict=True))


def _write_mechanism(build: Path, channel: int, classes: Path, tags: Mapping[str, str]) -> None:
    """Write the mechanism of the best server's field; its tables are part of the hash."""
    servers = raster.read(classes, bands=["server"])
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


def reception_layers(
    levels: Mapping[str, NDArray[np.float32]], classes: Mapping[str, NDArray[np.uint16]]
) -> dict[str, NDArray[Any]]:
    """Raw values [y, x] of layers by family, from bands of the coverage of a channel by name."""
    served = classes["served"]
    return {
        "dtt_field": _stored("dtt_field", levels["field_dbuvm"]),
        "dtt_q": _stored("dtt_q", levels["probability"]),
        "dtt_served": np.where(served == _OFF_LAND, raster_of("dtt_served").nodata, served).astype(np.uint8),
        "dtt_server": classes["server"],
    }


def _stored(family: str, values: NDArray[np.float32]) -> NDArray[Any]:
    """Raw values of a family's files."""
    row = raster_of(family)
    return to_step(values, row.scale, row.dtype, int(row.nodata))


def layer_tags(config: Config, channel: int, sources: Sequence[Path], code: str) -> Mapping[str, str]:
    """Tags that depend on the coverage of this channel, by content of its files, and on code only."""
    return {
        "channel": str(channel),
        "hash": json_hash([[file_sha256(path) for path in sources], code]),
        "model": config.propagation.coverage_model,
        "notice": config.notice,
    }
