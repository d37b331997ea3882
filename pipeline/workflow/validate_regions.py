"""What `channelmaps validate` checks and says of the regions of the report."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.config.config import Config
from pipeline.grid.polygons import Boundaries
from pipeline.territory.regions import read_regions


def region_remarks(config: Config, boundaries: Boundaries) -> Iterator[str]:
    """Read the regions, refused if faulty; a line on how many touch the territory; none without regions."""
    settings = config.report.regions
    if settings is not None:
        names = read_regions(settings, boundaries.territory).names
        yield f"  regions       {len(names)} that touch the territory: {_some(names)}"


def _some(names: tuple[str, ...], most: int = 12) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
