"""Channels and areas that are closed or capped whatever the registers say."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from pipeline.config.base import Section
from pipeline.config.channels import ChannelList
from pipeline.shipped import TABLES


class ReservedChannels(Section):
    """Channels kept for other uses in the whole territory, e.g. a future multiplex."""

    channels: ChannelList
    """Numbers, or ranges such as "47-48"."""
    reason: Annotated[str, Field(min_length=3)]
    """What they are kept for."""


class Areas(Section):
    """Rules by channel and place that need no register of stations; always evaluated."""

    reserved: list[ReservedChannels] = []
    """Channels in which no device may transmit."""
    channel_caps: Path | None = None
    """CSV with columns channel, emission_class (1 to 5 or *), cap_dbm, source, verified."""
    exclusions: list[Path] = []
    """Polygons in which no device may transmit (GeoPackage, GeoJSON, or CSV with a column wkt in lon/lat);
    columns channels (such as 21-23;38, or *) and reason. Quiet zones of radio astronomy belong here."""
    relay_sites: Path | None = None
    """Sites that receive television off the air: id, lon, lat, channel, parent_lon, parent_lat."""
    relay_distances: Path = TABLES / "relay_keyhole.csv"
    """Circle and arc kept free around these sites."""
    adjustments: list[Path] = []
    """Polygons (as `exclusions`) that change the limit by DTT; columns channels, adjustment_db (-100 = off),
    who, when, why. They are listed in the manifest."""
