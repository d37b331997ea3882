"""Job reception: published layers on the reception of all DTT channels."""

from __future__ import annotations

from pathlib import Path

from pipeline.blocks import on_threads
from pipeline.config.config import Config
from pipeline.plan.plan import plan_of
from pipeline.publish.reception import write_channel


def main(config: Config, build: Path, *, threads: int, code: str) -> None:
    """Write the layers of each channel from its coverage, a channel on each thread.

    One job for all: what a channel takes is less than the start of a process.
    """

    def write(channel: int) -> None:
        write_channel(config, build, channel, code)

    for _ in on_threads(write, ((channel,) for channel in plan_of(config).victims), threads):
        pass
