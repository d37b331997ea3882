"""Land that no country's polygon holds because two layers of boundaries draw the coast a little differently.

A single pixel of it would be land of an unknown neighbour, and nothing would be evaluated within its reach.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.territory.codes import NO_COUNTRY, Surface

# Coast lines of Natural Earth 1:10 million are simplified by up to about 0.3 km, others by more.
SLIVER_KM = 1.0
_ALL_AROUND = np.ones((3, 3), dtype=np.bool_)


def join_slivers(surface: NDArray[np.uint8], country: NDArray[np.uint8], resolution_m: float) -> int:
    """Give slivers to the country of the nearest land, in place; number of pixels.

    ``surface`` codes and ``country`` indexes uint8[y, x]. A sliver is connected land without a country,
    all of which lies within ``SLIVER_KM`` of land with one. Other land stays without.
    """
    from scipy.ndimage import find_objects, label  # 0.2 s that every job would take

    open_land = (surface == Surface.FOREIGN) & (country == NO_COUNTRY)
    if not open_land.any():
        return 0
    patches, _ = label(open_land, _ALL_AROUND)
    reach_px = int(1000.0 * SLIVER_KM / resolution_m) + 1
    joined: list[tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.uint8], NDArray[np.uint8]]] = []
    for number, (rows, cols) in enumerate(find_objects(patches), start=1):
        top, left = max(rows.start - reach_px, 0), max(cols.start - reach_px, 0)
        around = slice(top, rows.stop + reach_px), slice(left, cols.stop + reach_px)
        found = _nearest_land(patches[around] == number, country[around], 1000.0 * SLIVER_KM / resolution_m)
        if found is not None:
            (y, x), nearest = np.nonzero(patches[around] == number), (found[0] + top, found[1] + left)
            joined.append((y + top, x + left, surface[nearest], country[nearest]))
    for y, x, codes, indexes in joined:
        surface[y, x], country[y, x] = codes, indexes
    return sum(len(y) for y, *_ in joined)


def _nearest_land(
    patch: NDArray[np.bool_], country: NDArray[np.uint8], reach_px: float
) -> tuple[NDArray[np.intp], NDArray[np.intp]] | None:
    """Row and column of the nearest pixel with a country for each pixel of a patch; None: one is too far."""
    from scipy.ndimage import distance_transform_edt

    known = country != NO_COUNTRY
    if not known.any():
        return None
    distance_px, (row, col) = distance_transform_edt(~known, return_indices=True)
    return (row[patch], col[patch]) if (distance_px[patch] <= reach_px).all() else None
