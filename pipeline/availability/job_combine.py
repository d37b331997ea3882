"""Job combine: the limits of all services become the published e.i.r.p. of one channel.

For each device ``public/max_eirp_<device>_chNN.tif``, ``eval_flags_...`` and ``limiting_service_...``, which
``publish.limiting_service`` may put into ``internal/``; in ``limits/`` the limit before the least e.i.r.p. of
the device, which the layers of levels are made from.
"""

from __future__ import annotations

from pathlib import Path

from pipeline.availability.combine import devices_on, tags_of_channel, victims_of, write_layers
from pipeline.config.bonds import DeviceChannel
from pipeline.config.config import Config
from pipeline.dtt.limits import geometries
from pipeline.grid import raster
from pipeline.services.base import ServiceContext


def main(config: Config, build: Path, *, threads: int, channel: DeviceChannel, basis: str, key: str) -> None:
    """Write the layers of every device in one white-space channel, or of those that use such bonds."""
    surface = raster.read(build / "territory" / "surface.tif")
    victims = victims_of(config, channel)
    context = ServiceContext(config, build, surface.attrs["grid"], victims)
    # Those that share the maps of the job protect have these read once.
    for group in geometries(devices_on(config, channel)):
        tags = {
            device.id: tags_of_channel(config, build, device, channel, victims, basis=basis)
            for device in group
        }
        write_layers(context, group, channel, surface.values, tags, threads=threads, key=key)
