"""What the report of a run shows."""

from __future__ import annotations

from pipeline.config.base import Section, Whole


class Report(Section):
    """The page `report.html` of every run."""

    channels: list[Whole] = []
    """Channels whose maximum e.i.r.p. the report draws; none: six, spread evenly over `channels.wsd`."""
