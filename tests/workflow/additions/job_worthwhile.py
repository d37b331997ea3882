"""Job worthwhile, which a test adds: where a channel is worth using, by ``report.worthwhile_dbm``."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipeline.config.config import Config
from pipeline.grid import raster
from pipeline.grid.layer_files import layer_file, make_layer, raster_of
from pipeline.hashing import file_sha256


def main(config: Config, build: Path, *, threads: int, channel: int, code: str) -> None:
    """Write the layer of every device in one white-space channel."""
    for device in config.devices:
        source = build / layer_file("max_eirp", device=device.id, channel=channel)
        limit = raster.read(source)
        enough = limit.values >= round(100.0 * config.report.worthwhile_dbm)
        outside = limit.values == raster_of("max_eirp").nodata
        values = np.where(outside, raster_of("worthwhile").nodata, enough).astype(np.uint8)
        fields = {"device": device.id, "channel": channel}
        layer = make_layer("worthwhile", values, limit.attrs["grid"], fields)
        tags = {"device": device.id, "channel": str(channel), "hash": f"{file_sha256(source)}-{code}"}
        raster.write(build / layer_file("worthwhile", **fields), layer, tags=tags, publish=True)
