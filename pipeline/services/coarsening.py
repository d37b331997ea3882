"""How closely public limits tell where protected stations stand: by blocks, if ``publish.coarsen_m`` says so.

docs/method.md, section 32. The plane of the grid's CRS is divided into squares of that side, counted from its
origin. A station limits as if it stood anywhere in its block, so that all stations of one block have one map:

    limit(pixel) = min over |dx|, |dy| <= reach of limit from the middle of the block (pixel + (dx, dy))

Paths from devices are flat: a limit depends on where pixel and station lie to each other, and moving the
station is moving the pixel. ``reach`` is half of the block and a pixel more, for the places between pixels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.config.config import Config
from pipeline.grid.grid import Grid
from pipeline.registers.stations import station_registers
from pipeline.services.base import BlockLimit, ServiceContext, ServiceLimit, lower
from pipeline.services.protected_receivers import ProtectedReceiver, inland_lengths_km
from pipeline.services.table import SERVICES, ServiceRow, service_code


def has_stations(service: ServiceRow, config: Config) -> bool:
    """Whether a territory names stations of a service, at places of their own."""
    treated = config.services.get(service.name)
    if not service.stations or treated is None or not treated.evaluated:
        return False
    sections = {key.split(".")[1] for key in station_registers(config)}
    return service.name in sections or (service.name == "pmse" and bool(config.pmse.registers))


def is_coarsened(service: ServiceRow, config: Config) -> bool:
    """Whether the stations of a service are known by their block only."""
    return config.publish.coarsen_m > 0.0 and has_stations(service, config)


def middle_of_block_m(place_m: NDArray[np.float64] | float, block_m: float) -> NDArray[np.float64]:
    """A coordinate of the middle of the block that holds it, m; infinite ones stay."""
    return np.asarray((np.floor(np.asarray(place_m) / block_m) + 0.5) * block_m)


def places_shown_deg(
    context: ServiceContext, lon_deg: NDArray[np.float64], lat_deg: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where stations count as standing, degrees: in the middle of their blocks, if there are blocks.

    What the projection does not reach stays where it is: it limits nothing.
    """
    if context.block_m == 0.0:
        return lon_deg, lat_deg
    x_m, y_m = context.grid.from_lonlat().transform(lon_deg, lat_deg)
    moved_lon, moved_lat = context.grid.to_lonlat().transform(
        middle_of_block_m(x_m, context.block_m), middle_of_block_m(y_m, context.block_m)
    )
    reached = np.isfinite(moved_lon) & np.isfinite(moved_lat)
    return np.where(reached, moved_lon, lon_deg), np.where(reached, moved_lat, lat_deg)


def receivers_shown(
    context: ServiceContext, receivers: Sequence[ProtectedReceiver]
) -> list[ProtectedReceiver]:
    """The receivers where they count as standing; whether one is near the sea is that of its own place."""
    if context.block_m == 0.0 or not receivers:
        return list(receivers)
    lon_deg, lat_deg = places_shown_deg(
        context, np.array([one.lon_deg for one in receivers]), np.array([one.lat_deg for one in receivers])
    )
    return [
        receiver._replace(lon_deg=float(lon), lat_deg=float(lat), inland_km=inland_km)
        for receiver, lon, lat, inland_km in zip(
            receivers, lon_deg, lat_deg, inland_lengths_km(context, receivers), strict=True
        )
    ]


# --- limits -------------------------------------------------------------------------------------------------


def reach_px(grid: Grid, block_m: float) -> int:
    """Pixels around one within which the lowest limit counts."""
    return math.ceil(0.5 * block_m / grid.resolution_m) + 1


def coarsened(own: BlockLimit, of_blocks: BlockLimit, reach: int, label: int) -> BlockLimit:
    """The lowest of ``of_blocks``, by stations in the middle of their blocks, within ``reach`` pixels.

    Never above ``own``, by stations where they stand.
    """

    def limit(rows: slice, cols: slice) -> ServiceLimit:
        lowest, around = own(rows, cols), of_blocks(_wider(rows, reach), _wider(cols, reach))
        lower(lowest, _lowest_around(around.eirp_dbm, reach), label)
        # What is not evaluated is where one is: the highest is the lowest of the opposite.
        near = ~_lowest_around(~around.not_evaluated, reach)
        np.logical_or(lowest.not_evaluated, near, out=lowest.not_evaluated)
        return lowest

    return limit


def lowest_pixel(of_blocks: BlockLimit, pixel: tuple[int, int], reach: int) -> tuple[int, int]:
    """Row and column of the pixel whose limit ``coarsened`` takes for a pixel."""
    rows, cols = (_wider(slice(index, index + 1), reach) for index in pixel)
    eirp_dbm = of_blocks(rows, cols).eirp_dbm
    row, col = np.unravel_index(int(np.argmin(eirp_dbm)), eirp_dbm.shape)
    return rows.start + int(row), cols.start + int(col)


def grouped(own: BlockLimit) -> BlockLimit:
    """The same limit under the code that stands for all services with stations."""

    def limit(rows: slice, cols: slice) -> ServiceLimit:
        found = own(rows, cols)
        found.label[found.label != service_code("none")] = service_code("protected_station")
        return found

    return limit


def _wider(part: slice, reach: int) -> slice:
    return slice(part.start - reach, part.stop + reach)


def _lowest_around(values: NDArray[Any], reach: int) -> NDArray[Any]:
    """Lowest of each square of 2 reach + 1 pixels that lies in [y, x] as a whole."""
    from scipy.ndimage import minimum_filter  # 0.2 s that every job would take

    found = minimum_filter(values, size=2 * reach + 1)
    return np.asarray(found[reach:-reach, reach:-reach])


# --- notice -------------------------------------------------------------------------------------------------


def disclosure(config: Config) -> str:
    """What the public maps tell of protected stations, in a sentence; empty where there are none."""
    names = [row.name for row in SERVICES if has_stations(row, config)]
    if not names:
        return ""
    publish, listed = config.publish, ", ".join(names)
    place = (
        f"the block of {publish.coarsen_m:g} m of each receiver"
        if publish.coarsen_m > 0.0
        else "each receiver within about 100 m (publish.coarsen_m: 0)"
    )
    service = " and its service (publish.limiting_service: full)"
    return (
        f"public maps show {place}{service if publish.limiting_service == 'full' else ''}: {listed}; "
        "docs/disclosure.md"
    )
