"""What the maps of one DTT channel are made from: its files, the box within reach, its victims."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.config.config import Config
from pipeline.config.protection import Device
from pipeline.config.reception import nuisance_times_pct
from pipeline.coverage.network import ORDINARY_BANDS
from pipeline.dtt.interference_range import PermissibleLevels, permissible_levels_of
from pipeline.dtt.limits import ProtectionJob, ServerTable
from pipeline.dtt.station_rules import StationRule, rule_of, with_dq
from pipeline.dtt.victims import (
    NO_VICTIM,
    Directivity,
    VictimClasses,
    VictimList,
    VictimMaps,
    empty_victims,
    fill_victims,
    listed,
    rows_of,
    survey_victims,
)
from pipeline.grid import raster
from pipeline.grid.boxes import PixelBox, shifted
from pipeline.grid.grid import STRIP_PX, strips_of_rows
from pipeline.grid.open_rasters import OpenRasters
from pipeline.territory.codes import Surface

_LEVELS = ("wanted_dbuvm", "nuisance_dbuvm", "nuisance_sigma_db", "azimuth_deg")
_NUISANCE = slice(1, 3)
_NOWHERE = 256  # more than any class


class ChannelFiles(NamedTuple):
    """Places of one channel's files in the build folder."""

    build: Path
    channel: int

    def coverage(self, ending: str) -> Path:
        """A file of the job coverage."""
        return self.build / "coverage" / f"ch{self.channel:02d}{ending}"

    def territory(self, name: str) -> Path:
        """A raster of the job territory."""
        return self.build / "territory" / f"{name}.tif"

    def protection(self, device: Device) -> tuple[Path, Path]:
        """Limits and labels of a device."""
        stem = f"ch{self.channel:02d}_{device.id}"
        folder = self.build / "protection"
        return folder / f"{stem}.tif", folder / f"{stem}_label.tif"


def read_servers(path: Path) -> ServerTable:
    """The table of servers that the job coverage writes."""
    content = json.loads(path.read_text(encoding="utf-8"))
    return ServerTable(
        tuple(str(entry["polarisation"]) for entry in content["transmitters"]),
        tuple((str(system), str(mode)) for system, mode in content["modes"]),
        tuple(rule_of(entry) for entry in content["transmitters"]),
    )


def protected_surfaces(config: Config) -> list[Surface]:
    """Land whose reception is protected: a service that is not evaluated limits nothing."""
    places = {
        Surface.HOME: config.services["dtt"],
        Surface.HOME_BEYOND: config.services["dtt"],
        Surface.FOREIGN: config.services["foreign_dtt"],
    }
    return [place for place, service in places.items() if service.evaluated]


class VictimSurvey(NamedTuple):
    """Where in a box the victims of a channel are, and how near the sea.

    ``box`` the smallest that holds them, None without any; ``number`` int64[block row, block column] by
    blocks of ``STRIP_PX`` pixels of the grid; ``nearest_sea`` by whether they are at the coast: least class
    of the distance.
    """

    box: PixelBox | None
    number: NDArray[np.int64]
    nearest_sea: dict[bool, int]


def survey_of(config: Config, files: ChannelFiles, within: PixelBox | None = None) -> VictimSurvey:
    """The reception in a box, None: on all the grid, that is protected; read strip by strip."""
    height, width = raster.read_grid(files.territory("surface")).shape
    within = within or PixelBox(slice(0, height), slice(0, width))
    number = np.zeros((-(-height // STRIP_PX), -(-width // STRIP_PX)), np.int64)
    box, nearest_sea = np.array([height, 0, width, 0]), np.full(2, _NOWHERE)
    along_sea = config.protection.sea_paths == "coastal"
    with (
        raster.reading(files.coverage("_class.tif")) as classes,
        raster.reading(files.territory("coastal")) as coast,
        raster.reading(files.territory("surface")) as surface,
        raster.reading(files.territory("sea")) as sea,
    ):
        served_band = [classes.layout.band_names.index("served")]
        for block in range(within.rows.start // STRIP_PX, -(-within.rows.stop // STRIP_PX)):
            first = max(block * STRIP_PX, within.rows.start)
            rows = slice(first, min((block + 1) * STRIP_PX, within.rows.stop))
            served = raster.read_window(classes, rows, within.cols, served_band)[0]
            coastal = raster.read_window(coast, rows, within.cols)[0] if along_sea else _no_coast(served)
            survey_victims(
                served,
                coastal,
                raster.read_window(surface, rows, within.cols)[0],
                raster.read_window(sea, rows, within.cols)[0],
                _protected(config),
                (first, within.cols.start),
                STRIP_PX,
                number[block],
                box,
                nearest_sea,
            )
    known = {bool(at_coast): int(least) for at_coast, least in enumerate(nearest_sea) if least < _NOWHERE}
    top, bottom, left, right = box.tolist()
    found = PixelBox(slice(top, bottom), slice(left, right)) if known else None
    return VictimSurvey(found, number, known)


def _no_coast(served: NDArray[np.uint16]) -> NDArray[np.uint8]:
    return np.zeros(served.shape, np.uint8)


def _protected(config: Config) -> tuple[bool, bool]:
    """Whether home and foreign reception are protected."""
    protected = protected_surfaces(config)
    return Surface.HOME in protected, Surface.FOREIGN in protected


class VictimReader:
    """The victims of a job in any part of the grid, from files that stay open in each thread."""

    def __init__(self, job: ProtectionJob, files: ChannelFiles, opened: OpenRasters) -> None:
        """What the levels of a victim follow from."""
        self._job, self._files, self._opened = job, files, opened
        self._groups = _groups_of_stations(job)
        self._names = (*_LEVELS, *(name for pair in nuisance_bands(job.config)[1:] for name in pair))

    def fill(self, rows: slice, cols: slice, victims: VictimMaps) -> None:
        """Victims of a part of the grid, in place; of two percentages of time the smaller level counts."""
        facts = self._facts(rows, cols)
        levels = self._opened.window(self._files.coverage(".tif"), rows, cols, self._names)
        self._fill(levels[: len(_LEVELS)], facts, victims)
        if self._names != _LEVELS:
            planned = [victims.near_dbm.copy(), victims.far_dbm.copy()]
            levels[_NUISANCE] = levels[len(_LEVELS) :]
            self._fill(levels[: len(_LEVELS)], facts, victims)
            for level_dbm, planned_dbm in zip((victims.near_dbm, victims.far_dbm), planned, strict=True):
                np.minimum(level_dbm, planned_dbm, out=level_dbm)

    def victims(self, rows: slice, cols: slice) -> VictimList:
        """Victims of a part of the grid one by one."""
        maps = empty_victims(rows.stop - rows.start, cols.stop - cols.start)
        self.fill(rows, cols, maps)
        return listed(maps, self._opened.window(self._files.territory("sea"), rows, cols)[0])

    def _fill(self, levels: NDArray[np.float32], facts: Sequence[Any], victims: VictimMaps) -> None:
        job, (served, server, mode, surface, coastal) = self._job, facts
        places = served, server, mode, surface, coastal, _protected(job.config)
        for number, ((near, far), classes) in enumerate(self._groups):
            found = victims if number == 0 else empty_victims(*served.shape)
            fill_victims(levels, *places, job.f_mhz, near, far, classes, found)
            if number > 0:  # receivers of stations with a dq of their own: none of them is among the others
                its = found.kind != NO_VICTIM
                _put(victims, found, its)

    def _facts(self, rows: slice, cols: slice) -> tuple[Any, ...]:
        """Classes of the coverage, surface and coast."""
        files, opened, config = self._files, self._opened, self._job.config
        served, server, mode = opened.window(files.coverage("_class.tif"), rows, cols)
        (surface,) = opened.window(files.territory("surface"), rows, cols)
        coastal = _no_coast(served)
        if config.protection.sea_paths == "coastal":
            (coastal,) = opened.window(files.territory("coastal"), rows, cols)
        return served, server, mode, surface, coastal


def _groups_of_stations(job: ProtectionJob) -> list[tuple[PermissibleLevels, VictimClasses]]:
    """What receivers tolerate, first of the stations without a dq of their own, then by dq.

    The classes of each group leave out all other stations, and those that this method does not protect.
    """
    count = job.classes.directivity.size
    rules = job.rules or (StationRule(),) * count
    protected = np.array([rule.protection in ("", "degradation") for rule in rules], np.bool_)
    dq_pct = np.array([rule.dq_pct for rule in rules])
    found = []
    for own_pct in (math.nan, *sorted(set(dq_pct[protected & ~np.isnan(dq_pct)].tolist()))):
        its = protected & (np.isnan(dq_pct) if math.isnan(own_pct) else dq_pct == own_pct)
        directivity = np.where(its, job.classes.directivity, int(Directivity.NO_VICTIM))
        levels = permissible_levels_of(job.config, with_dq(job.devices[0], own_pct))
        found.append((levels, job.classes._replace(directivity=directivity)))
    return found


def _put(victims: VictimMaps, others: VictimMaps, where: NDArray[np.bool_]) -> None:
    """Victims of one group of stations among those of others, in place."""
    for name in VictimMaps._fields:
        np.copyto(getattr(victims, name), getattr(others, name), where=where)


def read_victims(job: ProtectionJob, files: ChannelFiles, box: PixelBox) -> VictimMaps:
    """Victim maps of a box, read strip by strip."""
    victims = empty_victims(*box.shape)
    with OpenRasters() as opened:
        reader = VictimReader(job, files, opened)
        for rows in strips_of_rows(box.rows.start, box.rows.stop):
            part = rows_of(victims, shifted(rows, -box.rows.start))
            reader.fill(rows, box.cols, part)
    return victims


def nuisance_bands(config: Config) -> list[tuple[str, str]]:
    """Bands of the nuisance and its spread for each percentage of time, that of planning first."""
    pairs = [(_LEVELS[1], _LEVELS[2]), (ORDINARY_BANDS[0], ORDINARY_BANDS[1])]
    return pairs[: len(nuisance_times_pct(config.propagation.nuisance_time_pct))]
