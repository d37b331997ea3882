"""Services that limit devices: one file and one row of ``services.table`` each, all of one signature.

A service is prepared once for a device and a white-space channel and then asked block by block. Where it has
no usable numbers its pixels are "not evaluated", never "available". ``explain`` gives the budget behind one
pixel's limit, ``check`` what `channelmaps validate` refuses and reports.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import NamedTuple, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from pipeline.budget import Budget
from pipeline.config.bonds import DeviceChannel
from pipeline.config.config import Config
from pipeline.config.protection import Device
from pipeline.dtt.neighbour_rules import ForeignData, foreign_data
from pipeline.errors import InputError
from pipeline.grid import raster
from pipeline.grid.grid import Grid
from pipeline.radio.channel_plan import plan_channels
from pipeline.services.table import ServiceRow, service_code
from pipeline.territory.codes import Surface
from pipeline.territory.rasters import CheckedTerritory
from pipeline.territory.reach import sea_distance_km


@dataclass(frozen=True)
class ServiceContext:
    """What a service may read: settings, the build folder, the padded grid. One serves all devices of a job.

    ``victims`` channels with DTT transmitters whose maps are in the build folder. ``block_m``: protected
    stations stand in the middle of their block of this side (``services.coarsening``); 0: where they stand.
    ``terrain_fault`` why the terrain model of the settings is not the one behind the maps; empty: it is.
    ``span``: of stations that are protected for a time, only those for exactly this part of the run's period
    (UTC seconds, half open); None: all.
    """

    config: Config
    build: Path
    grid: Grid
    victims: tuple[int, ...]
    block_m: float = 0.0
    terrain_fault: str = ""
    span: tuple[int, int] | None = None

    @cached_property
    def sea_km(self) -> NDArray[np.float32]:
        """Distance of each pixel from the sea [y, x] in km: 0 at the coast, infinite without any sea."""
        folder = self.build / "territory"
        surface = raster.read(folder / "surface.tif").values
        near_sea = (raster.read(folder / "coastal.tif").values == 1) | (surface == Surface.SEA)
        found = sea_distance_km(surface, self.grid)
        found[near_sea] = 0.0
        return found

    @cached_property
    def kept(self) -> dict[str, object]:
        """What services keep for all devices and channels of a job, by name."""
        return {}

    def during(self, span: tuple[int, int]) -> ServiceContext:
        """The same for stations of one ``span`` alone, with all that is kept."""
        found = replace(self, span=span)
        vars(found)["kept"] = self.kept
        return found

    @cached_property
    def foreign(self) -> ForeignData:
        """What the registers say of other administrations."""
        return foreign_data(self.config)


class ServiceLimit(NamedTuple):
    """Limit of one service on a block, [y, x].

    ``eirp_dbm`` float64 in the device's bandwidth, +inf = none; ``label`` uint8 code where it is limiting;
    ``not_evaluated`` pixels that the service could concern but has no numbers for.
    """

    eirp_dbm: NDArray[np.float64]
    label: NDArray[np.uint8]
    not_evaluated: NDArray[np.bool_]


BlockLimit = Callable[[slice, slice], ServiceLimit]
"""(rows, cols of the padded grid) -> limit."""


class ServiceModule(Protocol):
    """What a module has that a row of the table names."""

    def prepare(
        self, service: ServiceRow, context: ServiceContext, device: Device, channel: DeviceChannel
    ) -> BlockLimit | None:
        """Limit by block for a device in a white-space channel; None = not evaluated anywhere."""

    def explain(
        self,
        service: ServiceRow,
        context: ServiceContext,
        device: Device,
        channel: DeviceChannel,
        row: int,
        col: int,
    ) -> Budget | None:
        """Budget of the limiting victim of a pixel; None = nothing limits there."""

    def check(self, service: ServiceRow, config: Config, ground: CheckedTerritory) -> Iterator[str]:
        """Read all that a territory names for the service, refused if faulty; lines of the report."""


def module_of(service: ServiceRow) -> ServiceModule:
    """The module of a row; ValueError for a label."""
    if service.module is None:
        raise ValueError(f"{service.name} is a label without a module")
    return cast(ServiceModule, import_module(service.module))


def unlimited(rows: slice, cols: slice) -> ServiceLimit:
    """A block on which nothing limits and nothing is left open."""
    shape = (rows.stop - rows.start, cols.stop - cols.start)
    return ServiceLimit(
        np.full(shape, np.inf), np.full(shape, service_code("none"), np.uint8), np.zeros(shape, np.bool_)
    )


def everywhere(eirp_dbm: float, label: int) -> BlockLimit:
    """The same limit in every pixel."""

    def limit(rows: slice, cols: slice) -> ServiceLimit:
        lowest = unlimited(rows, cols)
        lower(lowest, np.full(lowest.eirp_dbm.shape, eirp_dbm), label)
        return lowest

    return limit


def part_of(limit: ServiceLimit, rows: slice, cols: slice) -> ServiceLimit:
    """A part of a block, in place: rows and columns count from its corner."""
    return ServiceLimit(limit.eirp_dbm[rows, cols], limit.label[rows, cols], limit.not_evaluated[rows, cols])


def lower(limit: ServiceLimit, eirp_dbm: NDArray[np.floating], label: NDArray[np.uint8] | int) -> None:
    """Take the smaller e.i.r.p. in place, with the code of what is strictly stricter."""
    stricter = eirp_dbm < limit.eirp_dbm
    np.copyto(limit.eirp_dbm, eirp_dbm, where=stricter)
    np.copyto(limit.label, np.asarray(label, np.uint8), where=stricter)


def limits_within(
    distance_km: NDArray[np.float64],
    reach_km: float,
    limits_dbm: Callable[[NDArray[np.float64]], NDArray[np.float64]],
) -> NDArray[np.float64]:
    """Limits at distances of any shape; infinite beyond reach. Each distance [n] is looked at once."""
    eirp_dbm = np.full(distance_km.shape, np.inf)
    within = distance_km <= reach_km
    if within.any():
        unique_km, place = np.unique(distance_km[within], return_inverse=True)
        eirp_dbm[within] = limits_dbm(unique_km)[place]
    return eirp_dbm


def forbid(limit: ServiceLimit, inside: NDArray[np.bool_], label: int) -> None:
    """No permission in some pixels, in place."""
    lower(limit, np.where(inside, -np.inf, np.inf), label)


def check_channels(config: Config, field: str, file: Path | None, channels: Iterable[int]) -> None:
    """Refuse channels that the plan of a territory does not have."""
    known = plan_channels(config.channels)
    if missing := sorted(set(channels) - set(known)):
        raise InputError(
            "channel is not in the plan",
            file=file,
            field=field,
            value=missing[0],
            allowed=f"{min(known)} to {max(known)}",
        )
