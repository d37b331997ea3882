"""What the receivers of each DTT channel allow at a place, one channel and group of receivers at a time.

From the maps of the job ``protect`` beside the run, if they are those of the run: its limits are their
minimum.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.config.bonds import DeviceChannel, channel_named
from pipeline.config.config import Config
from pipeline.config.protection import Device
from pipeline.dtt.channel_files import ChannelFiles, read_servers
from pipeline.dtt.device_ground import highest_class_m
from pipeline.dtt.interference_range import interference_range_km
from pipeline.dtt.station_rules import with_smallest_dq
from pipeline.dtt.victims import VictimLabel
from pipeline.errors import InputError
from pipeline.grid import raster
from pipeline.grid.open_rasters import OpenRasters
from pipeline.hashing import file_sha256
from pipeline.query.database import Database, QueryLocation, circle_on, spans, touched
from pipeline.query.results import Run, config_of, read_run
from pipeline.reference.limiting_channels import victim_channels, victims_by_offset
from pipeline.services.base import unlimited
from pipeline.services.dtt import MapRules, StoredMap, label_codes, lower_by_map, map_rules

# ReceiverGroup that share a map: the DTT channel, the name of the map.
ReceiverGroup = tuple[int, str]
# Larger circles are answered from the run alone.
_LARGEST_M = 3000.0
_MOST_PLACES, _MOST_LIMITS = 100, 100_000
_Place = tuple[str, float, float, float]


class MapsOfRun(NamedTuple):
    """The intermediates of a run: its settings, their folder; by device occupied channels, rules, reach."""

    config: Config
    build: Path
    victims: Mapping[str, list[int]]
    rules: Mapping[str, MapRules]
    reach_m: Mapping[str, float]


def maps_of_run(results: Path, database: Database) -> MapsOfRun | None:
    """The intermediates beside a run; None where there are none, or those of another run."""
    with suppress(InputError, OSError):
        run = read_run(results)
        if not _is_of(run, database):
            return None
        config = config_of(run)
        if config.protection.method != "degradation":
            return None
        devices = list(config.devices)
        victims = {one.id: _victims_of(run.build, one) for one in devices}
        occupied = victim_channels(config, run.manifest["channels"]["dtt"], config.all_device_channels())
        if not all(occupied and set(occupied) <= set(found) for found in victims.values()):
            return None
        rules = {one.id: map_rules(config, one) for one in devices}
        reach_m = {one.id: _reach_m(config, run.build, rules[one.id], victims[one.id]) for one in devices}
        return MapsOfRun(config, run.build, victims, rules, reach_m)
    return None


def _is_of(run: Run, database: Database) -> bool:
    """Whether the query rasters that were made from the intermediates are those of the run."""
    known = {entry["path"]: entry["sha256"] for entry in run.manifest.get("outputs", ())}
    return all(
        file_sha256(run.build / entry["file"]) == known.get(entry["file"])
        for entry in database.facts["devices"]
    )


def _victims_of(build: Path, device: Device) -> list[int]:
    """Channels with a map for a device."""
    names = (path.name for path in (build / "protection").glob(f"ch*_{device.id}.tif"))
    return sorted(int(name[2:].partition("_")[0]) for name in names)


def _reach_m(config: Config, build: Path, rules: MapRules, victims: list[int]) -> float:
    """Beyond this a device limits nobody, wherever it is."""
    highest_m = highest_class_m(config, build, rules.device)
    servers = [read_servers(ChannelFiles(build, victim).coverage("_servers.json")) for victim in victims]
    stated_pct = [rule.dq_pct for table in servers for rule in table.rules]
    device = with_smallest_dq(rules.device, stated_pct)
    return 1000.0 * max(
        interference_range_km(
            config,
            device,
            rules.tables,
            modes=rules.tables.modes,
            channels=victims,
            coastal=config.protection.sea_paths == "coastal",
            effective_m=effective_m,
        )
        for effective_m in (math.nan, highest_m)
    )


class VictimLimits:
    """Limits by receivers at places, read as they are asked for; the latest are kept."""

    def __init__(self, maps: MapsOfRun, database: Database) -> None:
        """Of maps that are those of an open run."""
        self._maps = maps
        self._database = database
        self._opened = OpenRasters()
        self._codes = label_codes()
        self._limits: OrderedDict[tuple[_Place, str], dict[ReceiverGroup, float]] = OrderedDict()
        self._known: OrderedDict[_Place, dict[int, list[StoredMap]]] = OrderedDict()

    def reach_m(self, profile: str) -> float:
        """How far devices of a profile limit anybody."""
        return self._maps.reach_m[profile]

    def at(
        self, profile: str, channel: str, location: QueryLocation, radius_m: float
    ) -> Mapping[ReceiverGroup, float] | None:
        """The lowest limit in dBm within a circle by receivers; None for a circle that is too large."""
        if radius_m > _LARGEST_M:
            return None
        place = (profile, location.x_m, location.y_m, radius_m)
        if (place, channel) not in self._limits:
            self._limits[place, channel] = self._limits_at(profile, channel, location, radius_m)
            if len(self._limits) > _MOST_LIMITS:
                self._limits.popitem(last=False)
        return self._limits[place, channel]

    def _limits_at(
        self, profile: str, channel: str, location: QueryLocation, radius_m: float
    ) -> dict[ReceiverGroup, float]:
        rules = self._maps.rules[profile]
        named: DeviceChannel = channel_named(channel)
        victims = victims_by_offset(self._maps.config, rules.device, named, self._maps.victims[profile])
        stored = self._stored(profile, location, radius_m)
        found = {}
        for victim, offset in victims:
            for one in stored[victim]:
                lowest = unlimited(slice(0, 1), slice(0, one.label.size))
                flat = StoredMap(one.name, one.permissible_dbm[np.newaxis], one.label[np.newaxis])
                lower_by_map(lowest, rules, victim, flat, offset, self._codes)
                limit_dbm = float(lowest.eirp_dbm.min())
                if limit_dbm < np.inf:
                    found[victim, one.name] = limit_dbm
        return found

    def _stored(self, profile: str, location: QueryLocation, radius_m: float) -> dict[int, list[StoredMap]]:
        key = (profile, location.x_m, location.y_m, radius_m)
        if key not in self._known:
            self._known[key] = {
                victim: self._read(profile, victim, location, radius_m)
                for victim in self._maps.victims[profile]
            }
            if len(self._known) > _MOST_PLACES:
                self._known.popitem(last=False)
        return self._known[key]

    def _read(self, profile: str, victim: int, location: QueryLocation, radius_m: float) -> list[StoredMap]:
        """All maps of a DTT channel on the pixels that a circle touches."""
        device = self._maps.rules[profile].device
        level, label = ChannelFiles(self._maps.build, victim).protection(device)
        opened = self._opened.of(label)
        circle = circle_on(self._database.rasters[profile], location, radius_m)
        rows, cols = (
            _clipped(span, size)
            for span, size in zip(
                spans(opened.grid, circle), (opened.grid.height, opened.grid.width), strict=True
            )
        )
        inside = touched(opened.grid, circle, rows, cols)
        labels: NDArray[np.uint8] = raster.read_window(opened, rows, cols)
        maps = []
        for band, name in enumerate(opened.layout.band_names):
            if (labels[band][inside] != VictimLabel.NONE).any():
                (levels_dbm,) = raster.read_window(self._opened.of(level), rows, cols, bands=[band])
                maps.append(StoredMap(str(name), levels_dbm[inside], labels[band][inside]))
        return maps


def _clipped(span: slice, size: int) -> slice:
    return slice(max(span.start, 0), min(span.stop, size))
