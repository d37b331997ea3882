"""What the report of a run shows."""

from __future__ import annotations

from pathlib import Path

from pipeline.config.base import Section, Whole


class Regions(Section):
    """Parts of the territory that have statistics of their own: provinces, licence areas, municipalities."""

    path: Path
    """GeoPackage, GeoJSON or shapefile of polygons in any CRS that the file states."""
    layer: str | None = None
    """Layer of the polygons; none: the only one of the file."""
    name_field: str = "name"
    """Attribute with the name of the region; polygons of one name are one region."""


class Report(Section):
    """The page `report.html` of every run, and the tables behind it."""

    channels: list[Whole] = []
    """Channels whose maximum e.i.r.p. the report draws; none: six, spread evenly over `channels.wsd`."""
    regions: Regions | None = None
    """Regions of the table `public/statistics_by_region.csv`; none: no such table."""
