"""Codes of the territory's rasters."""

from __future__ import annotations

from enum import IntEnum

NO_COUNTRY = 0


class Surface(IntEnum):
    """What a pixel centre lies on (``surface.tif``).

    HOME is land of the territory. HOME_BEYOND is land of the own country beyond a bounding box: its
    reception is served and protected like HOME, but it is no target, because victims farther out are not in
    the grid. FOREIGN is all other land. Lakes are land. OUTSIDE: no boundary file covers the place, so
    neither reception nor devices are considered there; the edge of a clip is neither a coast nor a border.
    """

    SEA = 0
    HOME = 1
    FOREIGN = 2
    HOME_BEYOND = 3
    OUTSIDE = 255


SURFACE_NAMES = {int(code): code.name.lower() for code in Surface}
