"""What the writer and the readers of query rasters agree on; importing it costs nothing."""

from __future__ import annotations

HZ_PER_MHZ = 1e6
# Tag of a query raster: largest ratio of grid distance to true distance on its grid.
SCALE_TAG = "largest_scale"


def band_name(channel: int) -> str:
    """Description of a channel's band."""
    return f"channel {channel}"
