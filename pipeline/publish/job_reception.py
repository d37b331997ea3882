"""Job reception: published layers on the reception of one DTT channel."""

from __future__ import annotations

from pathlib import Path

from pipeline.config.config import Config
from pipeline.grid import raster
from pipeline.grid.layer_files import layer_file, two_digits
from pipeline.publish.reception import layer_tags, reception_layers


def main(config: Config, build: Path, *, threads: int, channel: int, code: str) -> None:
    """Read a channel's coverage and write its published layers; compression is not threaded."""
    name = two_digits(channel)
    sources = [build / f"coverage/ch{name}.tif", build / f"coverage/ch{name}_class.tif"]
    levels = raster.read(sources[0], bands=["field_dbuvm", "probability"])
    classes = raster.read(sources[1], bands=["served", "server"])
    layers = reception_layers(levels, classes)
    tags = layer_tags(config, channel, sources, code)
    for family, layer in layers.items():
        path = build / layer_file(family, dtt_channel=channel)
        raster.write(path, layer, tags=tags, publish=True)
