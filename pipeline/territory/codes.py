"""Codes of the territory's rasters."""

from __future__ import annotations

from enum import IntEnum

NO_COUNTRY = 0
MAX_COUNTRIES = 254


class Surface(IntEnum):
    """What a pixel centre lies on (``surface.tif``).

    HOME is land of the territory, FOREIGN all other land: of another country, or of the own country beyond
    the bounding box (``country.tif`` tells). Lakes are land. OUTSIDE: no boundary file covers the place, so
    neither reception nor devices are considered there; the edge of a clip is neither a coast nor a border.
    """

    SEA = 0
    HOME = 1
    FOREIGN = 2
    OUTSIDE = 255


SURFACE_NAMES = {int(code): code.name.lower() for code in Surface}
