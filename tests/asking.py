"""Services asked by name, as the pipeline asks them: through the table."""

from __future__ import annotations

import numpy as np

from pipeline.availability.combine import ChannelLayers, run
from pipeline.budget import Budget
from pipeline.config.bonds import DeviceChannel
from pipeline.config.protection import Device
from pipeline.services.base import BlockLimit, ServiceContext, module_of
from pipeline.services.table import service_row


def prepare(name: str, context: ServiceContext, device: Device, channel: int) -> BlockLimit | None:
    row = service_row(name)
    return module_of(row).prepare(row, context, device, channel)


def explain(
    name: str, context: ServiceContext, device: Device, channel: int, row: int, col: int
) -> Budget | None:
    service = service_row(name)
    return module_of(service).explain(service, context, device, channel, row, col)


def layers_of(
    context: ServiceContext, device: Device, channel: DeviceChannel, surface: np.ndarray
) -> ChannelLayers:
    """The layers of the job combine on the whole grid."""
    whole: ChannelLayers | None = None
    for rows, cols, found in run(context, [device], channel, surface):
        if whole is None:
            whole = ChannelLayers(*(np.empty(surface.shape, one.dtype) for one in found[device.id].layers))
        for layer, part in zip(whole, found[device.id].layers, strict=True):
            layer[rows, cols] = part
    assert whole is not None
    return whole
