"""Losses over terrain between receivers of services and the pixels around them (docs/method.md, section 40).

One sweep from the receiver is that from all pixels: at the median of locations P.1812 is the same either way.
A device may stand anywhere in its pixel, so the least loss of all nodes that the pixel touches counts.
"""

from __future__ import annotations

import math
import sys
import threading
from collections import OrderedDict
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from pipeline.config.config import Config
from pipeline.config.protection import Device
from pipeline.coverage.profile_fields import PlacesGround
from pipeline.dtt.terrain_paths import (
    LossesAround,
    least_losses_db,
    losses_around,
    terrain_of_grid,
    waves_of_device,
)
from pipeline.grid.geodesy import rays_to
from pipeline.grid.grid import Grid
from pipeline.services.base import ServiceContext
from pipeline.terrain.records import Mast, MastView
from pipeline.terrain.sweep import view_of
from pipeline.terrain.tile_sweeps import grid_lattice_deg, outline_of

# Half of a pixel's diagonal per side, with room for the scale of the projection.
HALF_DIAGONAL = 0.5 * math.sqrt(2.0) * 1.01
_REACHES_KM = (5.0, 10.0, 20.0, 40.0)
KEPT_TABLES_BYTES = 256 * 1024 * 1024
"""Of the tables that a job keeps; out to 60 km on a terrain of 3 seconds one has 6 MB."""


class ReceiverEnd(NamedTuple):
    """A receiver as the end of paths: what losses depend on beside the device, and how far they matter."""

    id: str
    lon_deg: float
    lat_deg: float
    height_m: float
    f_mhz: float
    time_pct: float
    reach_km: float


_TableKey = tuple[ReceiverEnd, float, bool]


class _ReceiverTerrain:
    """The terrain of a territory, and losses around receivers: each table is made once, for all channels.

    Those that were asked for last are kept, up to ``KEPT_TABLES_BYTES``; one that is not is made again.
    """

    def __init__(self, config: Config, build: Path, grid: Grid) -> None:
        """Nothing is read before the first receiver asks."""
        self._config, self._build, self._grid = config, build, grid
        self._tables: OrderedDict[_TableKey, LossesAround] = OrderedDict()
        self._told: set[str] = set()
        self._turn = threading.Lock()

    def __reduce__(self) -> tuple[type[_ReceiverTerrain], tuple[Config, Path, Grid]]:
        """In another process nothing is read yet."""
        return _ReceiverTerrain, (self._config, self._build, self._grid)

    @cached_property
    def _ground(self) -> PlacesGround:
        return terrain_of_grid(self._config, self._build, self._grid, self._config.protection.device_path_km)

    @cached_property
    def _outline_deg(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        lon_deg, lat_deg = grid_lattice_deg(self._grid)
        return outline_of(lon_deg), outline_of(lat_deg)

    def around(self, end: ReceiverEnd, device: Device) -> TerrainAround | None:
        """Losses from devices of a kind to a receiver; None where the grid is beyond its reach."""
        end = end._replace(reach_km=self._swept_km(end.reach_km))
        view = view_of(end.lon_deg, end.lat_deg, *self._outline_deg)
        view = MastView(*view[:3], min(view.far_km, end.reach_km))
        return None if view.far_km <= view.near_km else TerrainAround(self, end, device, view)

    def losses(self, around: TerrainAround) -> LossesAround:
        """The table of a receiver, kept or made."""
        key = around.end, around.device.height_m, around.device.polarisation == "V"
        with self._turn:
            if key not in self._tables:
                self._tables[key] = self._swept(around)
            self._tables.move_to_end(key)
            while len(self._tables) > 1 and sum(map(_bytes_of, self._tables.values())) > KEPT_TABLES_BYTES:
                self._tables.popitem(last=False)
            return self._tables[key]

    def _swept_km(self, reach_km: float) -> float:
        """How far a table goes, so that it knows all of a pixel that begins within the reach of a receiver.

        In few steps, that devices of one height share a table.
        """
        whole_km = reach_km + 2.0 * HALF_DIAGONAL * self._grid.resolution_m / 1000.0
        known_km = self._config.protection.device_path_km
        return min(known_km, next((step_km for step_km in _REACHES_KM if step_km >= whole_km), known_km))

    def _swept(self, around: TerrainAround) -> LossesAround:
        end, device = around.end, around.device
        place = Mast(end.id, end.lon_deg, end.lat_deg, end.height_m, math.nan, math.nan)
        waves = waves_of_device(self._config, device, end.f_mhz, end.time_pct)
        found = losses_around(self._ground, place, waves, device.height_m, around.view)
        if found.gaps and end.id not in self._told:
            what = "terrain around it is not known everywhere: there its path is homogeneous"
            print(f"receiver {end.id}: {what}", file=sys.stderr)
            self._told.add(end.id)
        return found


class TerrainAround(NamedTuple):
    """Losses over terrain from devices of a kind to a receiver, made when they are asked for."""

    terrain: _ReceiverTerrain
    end: ReceiverEnd
    device: Device
    view: MastView


def _bytes_of(around: LossesAround) -> int:
    return int(around.losses.codes.nbytes)


def losses_of(context: ServiceContext, end: ReceiverEnd, device: Device) -> TerrainAround | None:
    """Losses over terrain from devices of a kind to a receiver; None where the grid is beyond its reach."""
    made = _ReceiverTerrain(context.config, context.build, context.grid)
    terrain = cast(_ReceiverTerrain, context.kept.setdefault("receiver_terrain", made))
    return terrain.around(end, device)


def pixel_losses_db(around: TerrainAround, grid: Grid, rows: slice, cols: slice) -> NDArray[np.float64]:
    """Losses of no place in a pixel less, float64[rows, cols]; NaN where the homogeneous path holds."""
    ways = rays_to(around.end.lon_deg, around.end.lat_deg, grid, rows, cols)
    return least_losses_db(around.terrain.losses(around), *ways, HALF_DIAGONAL * grid.resolution_m / 1000.0)


def chosen_losses_db(
    homogeneous_db: NDArray[np.float64], terrain_db: NDArray[np.float64], *, smaller: bool
) -> NDArray[np.float64]:
    """Losses over terrain where known, else homogeneous ones; with ``smaller`` the smaller of both."""
    if smaller:
        return np.fmin(homogeneous_db, terrain_db)
    return np.where(np.isnan(terrain_db), homogeneous_db, terrain_db)
