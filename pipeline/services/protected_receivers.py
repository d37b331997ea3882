"""Protected receivers of services, and where they stand: on the grid, and how far from the sea."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.grid.grid import Grid
from pipeline.radio.emission import Band
from pipeline.services.base import ServiceContext
from pipeline.territory.reach import sea_class, sea_edges_km


class ProtectedReceiver(NamedTuple):
    """One protected receiver; powers in dBm in its own bandwidth at the antenna's output.

    ``gain_dbi`` float64[3600] by tenths of a degree from the axis (``antennas``); ``azimuth_deg`` true
    azimuth of the axis; ``acs_db`` infinite where not known; ``coastal`` None = from the map of the coast;
    ``inland_km`` distance from the sea that goes before both.
    """

    id: str
    lon_deg: float
    lat_deg: float
    band: Band
    i_max_dbm: float
    gain_dbi: NDArray[np.float64]
    azimuth_deg: float
    feeder_db: float
    height_m: float
    acs_db: float
    coastal: bool | None
    inland_km: float | None = None


def project_receivers(grid: Grid, receivers: Sequence[ProtectedReceiver]) -> list[tuple[float, float]]:
    """Projected coordinates in m; infinite where the projection does not reach."""
    to_grid = grid.from_lonlat()
    return [to_grid.transform(receiver.lon_deg, receiver.lat_deg) for receiver in receivers]


def inland_lengths_km(context: ServiceContext, receivers: Sequence[ProtectedReceiver]) -> list[float]:
    """Length of land between each receiver and the sea: 0 at the coast, infinite where there is no sea.

    Lower edge of its class of distance from the sea; a register's word on the coast goes before the map.
    Where neither tells, the receiver stands at the coast: that protects more.
    """
    if context.config.protection.sea_paths == "ignore":
        return [math.inf] * len(receivers)
    grid = context.grid
    places = project_receivers(grid, receivers)
    inside = [within_m(grid, x_m, y_m, 0.0) for x_m, y_m in places]
    if not any(receiver.coastal is None and here for receiver, here in zip(receivers, inside, strict=True)):
        return [_inland_km(receiver, 0.0) for receiver in receivers]
    edges_km = sea_edges_km(context.config.protection.sea_classes_km)

    def on_map_km(place: tuple[float, float]) -> float:
        return float(edges_km[sea_class(_at(context.sea_km, grid, place), edges_km)])

    return [
        _inland_km(receiver, on_map_km(place) if here else 0.0)
        for receiver, here, place in zip(receivers, inside, places, strict=True)
    ]


def _inland_km(receiver: ProtectedReceiver, on_map_km: float) -> float:
    if receiver.inland_km is not None:
        return receiver.inland_km
    if receiver.coastal is None:
        return on_map_km
    return 0.0 if receiver.coastal else math.inf


def _at(values: NDArray[np.float32], grid: Grid, place: tuple[float, float]) -> NDArray[np.float32]:
    row, col = grid.pixel_at(*place)
    return np.asarray(values[min(row, grid.height - 1), min(col, grid.width - 1)])


def within_m(grid: Grid, x_m: float, y_m: float, margin_m: float) -> bool:
    """Whether a point lies on a grid or within a margin around it."""
    west, south, east, north = grid.bounds_m
    return west - margin_m <= x_m <= east + margin_m and south - margin_m <= y_m <= north + margin_m
