"""Job protect: what the reception of one DTT channel allows to devices around it.

Input: coverage of the channel and the territory's rasters. Output for each device: ``chNN_<device>.tif``,
float32, one band per group of victims ("system mode|from..to" of the wanted level in dBm) and, where a
threshold is known, "overload"; ``chNN_<device>_label.tif``, uint8, whose reception limits
(``victims.VictimLabel``). For what the values mean see ``limits.py``.
With ``method: threshold`` the one band is "threshold": -inf where the channel is occupied, else +inf; with
``method: separation`` there are two, "separation co" and "separation adjacent".
"""

from __future__ import annotations

from pathlib import Path

from pipeline.config.config import Config
from pipeline.dtt.channel_files import ChannelFiles
from pipeline.dtt.protection_maps import TileSettings, write_protection


def main(config: Config, build: Path, *, threads: int, channel: int, memory_gib: float, basis: str) -> None:
    """Compute each geometry of the devices and write one pair of files for every device."""
    write_protection(config, ChannelFiles(build, channel), TileSettings(memory_gib, threads, basis=basis))
