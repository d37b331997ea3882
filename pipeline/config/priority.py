"""Who may be given which channels: levels of priority among users of the white spaces (SM.2405 Annex 7)."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated

from pydantic import Field

from pipeline.config.base import Identifier, Number, Section, Whole
from pipeline.config.channels import ChannelList


class Priority(Section):
    """One level of priority: which channels its users may be given, and where."""

    level: Annotated[Whole, Field(ge=1, le=99)]
    """Number of the level; 1 comes first."""
    device: Identifier
    """Device whose maps decide."""
    eirp_dbm: Annotated[Number, Field(ge=-99, le=60)]
    """E.i.r.p. that the users need."""
    channels: ChannelList
    """Channels of this level, as numbers or ranges such as "21-48"."""
    protection_db: Annotated[Number, Field(ge=0, le=60)] = 0.0
    """Added to every protection ratio for this level: so much more must be permitted."""
    more_than_free: Annotated[Whole, Field(ge=0, le=99)] = 0
    """A channel is given only where more than this many channels are free; 2 for a low priority."""


def priority_fault(
    levels: Collection[Priority], caps_dbm: dict[str, float], channels: Collection[int]
) -> str | None:
    """What is wrong with the levels: they must be told apart, and use devices and channels of the maps."""
    numbers = [level.level for level in levels]
    if len(set(numbers)) != len(numbers):
        return "priority: a level is named twice"
    for level in levels:
        name = f"priority: level {level.level}"
        if level.device not in caps_dbm:
            return f"{name} names the device {level.device}, which is not among {', '.join(caps_dbm)}"
        if extra := sorted(set(level.channels) - set(channels)):
            return f"{name} names channels {extra} that are not in channels.wsd"
        if level.eirp_dbm + level.protection_db > caps_dbm[level.device]:
            return f"{name} needs more than the cap of {level.device}, {caps_dbm[level.device]:g} dBm"
    return None
