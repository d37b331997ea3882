"""Caps by channel and emission class from a table, with the label of the device's own cap."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from pydantic import Field

from pipeline.budget import Budget, Term
from pipeline.config.bonds import DeviceChannel, channels_in, plain_channel
from pipeline.config.config import Config
from pipeline.config.protection import Device
from pipeline.reference.ratio_tables import ANY, ClassOrAnyCell
from pipeline.rows.row_models import NumberCell, SourcedRow, WholeCell, read_rows, refuse_second
from pipeline.services.base import BlockLimit, ServiceContext, check_channels, everywhere
from pipeline.services.table import ServiceRow
from pipeline.territory.rasters import CheckedTerritory


class _CapRow(SourcedRow):
    channel: Annotated[WholeCell, Field(ge=1, le=99, description="1 to 99")]
    emission_class: ClassOrAnyCell
    cap_dbm: Annotated[NumberCell, Field(ge=-99, le=60, description="-99 to 60 dBm")]


def prepare(
    service: ServiceRow, context: ServiceContext, device: Device, channel: DeviceChannel
) -> BlockLimit:
    """The cap of a channel for the device's emission class; with no table, none."""
    return everywhere(channel_cap_dbm(context.config.areas.channel_caps, device, channel), service.code)


def explain(
    service: ServiceRow, context: ServiceContext, device: Device, channel: DeviceChannel, row: int, col: int
) -> Budget | None:
    """The cap of the channel."""
    table = context.config.areas.channel_caps
    cap_dbm = channel_cap_dbm(table, device, channel)
    if table is None or math.isinf(cap_dbm):
        return None
    note = f"{table.name}, emission class {device.emission_class}"
    return Budget({"channel": plain_channel(channel)}, (Term("channel cap", cap_dbm, note),), service.code)


def check(service: ServiceRow, config: Config, ground: CheckedTerritory) -> Iterator[str]:
    """Read the table, refused if faulty or if the plan does not have its channels; nothing to report."""
    table = config.areas.channel_caps
    if table is not None:
        check_channels(config, "channel", table, [channel for channel, _ in read_channel_caps(table)])
    yield from ()


def channel_cap_dbm(table: Path | None, device: Device, channel: DeviceChannel) -> float:
    """Smallest cap that the table gives for a channel and the device's class; infinite without one.

    Of a bond the smallest of its channels, on the whole e.i.r.p.
    """
    caps = {} if table is None else read_channel_caps(table)
    keys = [(number, name) for number in channels_in(channel) for name in (ANY, str(device.emission_class))]
    return min((caps[key] for key in keys if key in caps), default=math.inf)


def read_channel_caps(path: Path) -> dict[tuple[int, str], float]:
    """Cap in dBm (in the device's bandwidth) by channel and emission class, ``*`` = all classes."""
    rows = read_rows(path, _CapRow)
    refuse_second(path, rows, ("channel", "emission_class"))
    return {(row.channel, row.emission_class): row.cap_dbm for row in rows}
