"""Job combine: the limits of all services become the published e.i.r.p. of one channel.

For each device ``public/max_eirp_<device>_chNN.tif``, ``eval_flags_...`` and ``limiting_service_...``, which
``publish.limiting_service`` may put into ``internal/``; in ``limits/`` the limit before the least e.i.r.p. of
the device, which the layers of levels are made from.
"""

from __future__ import annotations

from pathlib import Path

from pipeline.availability.combine import devices_on, limit_file, run, tags_of_channel, victims_of
from pipeline.config.bonds import DeviceChannel
from pipeline.config.config import Config
from pipeline.grid import raster
from pipeline.grid.layer_files import layer_file
from pipeline.radio.allocations import is_partial
from pipeline.services.base import ServiceContext


def main(config: Config, build: Path, *, threads: int, channel: DeviceChannel, basis: str) -> None:
    """Write the three layers of every device in one white-space channel, or of those that use such bonds."""
    surface = raster.read(build / "territory" / "surface.tif")
    victims = victims_of(config, channel)
    context, partial = ServiceContext(config, build, surface.attrs["grid"], victims), is_partial(config)
    for device in devices_on(config, channel):
        layers = run(context, device, channel, surface, threads=threads)
        tags = tags_of_channel(config, build, device, channel, victims, basis=basis)
        for name, layer in layers.items():
            if name == "limit":
                raster.write(build / limit_file(device.id, channel), layer, tags=tags, publish=False)
                continue
            family = config.publish.limiting_family if name == "limiting_service" else str(name)
            path = build / layer_file(family, device=device.id, channel=channel, partial=partial)
            raster.write(path, layer, tags=tags, publish=True)
