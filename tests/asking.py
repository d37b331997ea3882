"""Services asked by name, as the pipeline asks them: through the table."""

from __future__ import annotations

from pipeline.budget import Budget
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
