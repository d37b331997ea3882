"""How far the homogeneous paths behind the limits by DTT are from paths over terrain, at a sample of pixels.

At each sampled pixel the victim that decides the published limit by DTT is found in the stored maps and the
coverage, and the loss of its path is computed again by P.1812 along the terrain. Nothing published follows
from it (docs/method.md, section 39).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.blocks import map_blocks
from pipeline.config.bonds import DeviceChannel
from pipeline.config.config import Config
from pipeline.config.protection import Device
from pipeline.coverage.profile_fields import PlacesGround
from pipeline.dtt.channel_files import ChannelFiles, read_servers, read_victims, survey_of
from pipeline.dtt.device_ground import GroundPlaces, classes_without_ground, ground_places, read_ground
from pipeline.dtt.limiting_victims import MapSearch, map_search, strictest_victim
from pipeline.dtt.limits import ProtectionJob, bands_of, geometries, losses_to, make_job
from pipeline.dtt.protection_maps import reach_px
from pipeline.dtt.terrain_paths import terrain_of_grid, terrain_path, waves_of_device
from pipeline.dtt.victims import VictimLabel
from pipeline.grid import raster
from pipeline.grid.boxes import PixelBox, box_of, box_within_reach
from pipeline.grid.grid import Grid
from pipeline.grid.open_rasters import values_at
from pipeline.radio.channel_plan import Offset
from pipeline.radio.emission import device_cap_dbm
from pipeline.reference.limiting_channels import victims_by_channel
from pipeline.reference.ratio_tables import read_protection_tables
from pipeline.services.base import ServiceLimit
from pipeline.services.dtt import StoredMap, label_codes, lower_by_map, map_rules
from pipeline.services.table import service_code

_BLOCK_PIXELS = 64
# Side of the tiles of the grid around which victims are read.
_TILE_PX = 1024
_TO_UNIT = 2.0**-53


class SampledPixels(NamedTuple):
    """Pixels of the territory, rows and columns of the grid [n], in their order there."""

    row: NDArray[np.int64]
    col: NDArray[np.int64]


class PathStatus(IntEnum):
    """What became of a sampled pixel.

    ``ADJACENT``: the victim stands in the pixel or beside it, or nearer than 80 m; ``UNKNOWN``: the terrain
    between is not known.
    """

    UNLIMITED = 0
    ADJACENT = 1
    UNKNOWN = 2
    CHECKED = 3


class CheckedPaths(NamedTuple):
    """Paths to the victims that decide, [n] by sampled pixel: ``PathStatus``, place of the victim, losses.

    NaN, -1 and regime 0 where there is none.
    """

    status: NDArray[np.uint8]
    victim_row: NDArray[np.int64]
    victim_col: NDArray[np.int64]
    published_db: NDArray[np.float64]
    terrain_db: NDArray[np.float64]
    d_km: NDArray[np.float64]
    regime: NDArray[np.int64]

    @property
    def difference_db(self) -> NDArray[np.float64]:
        """Loss over terrain less the published one: below 0 the terrain lets more through."""
        return self.terrain_db - self.published_db


class DeviceCheck(NamedTuple):
    """What was found for a device in a channel: paths, and the DTT channel and map of each (-1, "": none)."""

    device: Device
    channel: DeviceChannel
    paths: CheckedPaths
    victim_channel: NDArray[np.int64]
    group: Sequence[str]


def sampled_pixels(home: NDArray[np.bool_], share_pct: float, seed: int) -> SampledPixels:
    """A share of the pixels of the territory, each chosen by its number among them alone.

    The number is mixed with the seed (SplitMix64 by Steele, Lea and Flood, 2014): neither the margin of the
    grid nor blocks nor the other pixels matter.
    """
    row, col = np.nonzero(home)
    number = np.arange(1, row.size + 1, dtype=np.uint64) + np.uint64(seed << 40)
    z = number * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    chosen = (z >> np.uint64(11)).astype(np.float64) * _TO_UNIT < share_pct / 100.0
    return SampledPixels(row[chosen], col[chosen])


class _Scene(NamedTuple):
    """What the checks of all channels share."""

    config: Config
    build: Path
    grid: Grid
    places: GroundPlaces
    terrain: PlacesGround
    pixels: SampledPixels
    threads: int


_MapKey = tuple[int, str]
"""DTT channel and name of a map."""


def check_paths(
    config: Config, build: Path, victims: Sequence[int], *, threads: int
) -> tuple[Grid, SampledPixels, list[DeviceCheck]]:
    """Check the sample of the territory file: grid, pixels, and each device in each of its channels.

    ``victims``: DTT channels whose maps are in the build folder.
    """
    found = raster.read(build / "territory" / "surface.tif")
    grid, settings = found.attrs["grid"], config.protection
    places = ground_places(config, build, found.values)
    pixels = sampled_pixels(places.home, settings.wsd_terrain_pct, settings.wsd_terrain_seed)
    terrain = terrain_of_grid(config, build, grid)
    scene = _Scene(config, build, grid, places, terrain, pixels, threads)
    checks = [one for group in geometries(config.devices) for one in _check_geometry(scene, group, victims)]
    ids = [device.id for device in config.devices]
    return grid, pixels, sorted(checks, key=lambda check: ids.index(check.device.id))


def _check_geometry(scene: _Scene, devices: tuple[Device, ...], victims: Sequence[int]) -> list[DeviceCheck]:
    """Devices of one geometry share maps, victims and paths."""
    stored = {channel: _stored_at(scene, devices[0], channel) for channel in victims}
    deciding = {
        (number, channel): _deciding_maps(scene, device, by_offset, stored)
        for number, device in enumerate(devices)
        for channel, by_offset in victims_by_channel(scene.config, device, victims).items()
    }
    paths: dict[_MapKey, CheckedPaths] = {}
    for victim in victims:
        needed = {one.name: np.zeros(scene.pixels.row.size, np.bool_) for one in stored[victim]}
        for keys, which in deciding.values():
            for place, (channel, name) in enumerate(keys):
                if channel == victim:
                    needed[name] |= which == place
        levels_dbm = {one.name: one.permissible_dbm for one in stored[victim]}
        for name, found in _paths_of_channel(scene, devices, victim, needed, levels_dbm).items():
            paths[victim, name] = found
    return [
        _of_device(devices[number], channel, *found, paths) for (number, channel), found in deciding.items()
    ]


# --- which map decides --------------------------------------------------------------------------------------


def _stored_at(scene: _Scene, device: Device, channel: int) -> list[StoredMap]:
    """The maps of a DTT channel at the sampled pixels; a strip of one band at a time is in memory."""
    levels, labels = ChannelFiles(scene.build, channel).protection(device)
    with raster.reading(levels) as of_levels, raster.reading(labels) as of_labels:
        return [
            StoredMap(name, *(values_at(one, band, *scene.pixels) for one in (of_levels, of_labels)))
            for band, name in enumerate(of_levels.layout.band_names)
        ]


def _deciding_maps(
    scene: _Scene,
    device: Device,
    victims: Sequence[tuple[int, Offset]],
    stored: Mapping[int, Sequence[StoredMap]],
) -> tuple[list[_MapKey], NDArray[np.int64]]:
    """Maps of the limiting channels, and which of them decides at each pixel; -1 where the cap does."""
    n, rules, codes = scene.pixels.row.size, map_rules(scene.config, device), label_codes()
    lowest = ServiceLimit(
        np.full(n, device_cap_dbm(device)), np.full(n, service_code("none"), np.uint8), np.zeros(n, np.bool_)
    )
    keys: list[_MapKey] = []
    which = np.full(n, -1, np.int64)
    for victim, offset in victims:
        for one in stored[victim]:
            before_dbm = lowest.eirp_dbm.copy()
            if (one.label != VictimLabel.NONE).any():
                lower_by_map(lowest, rules, victim, one, offset, codes)
            which[lowest.eirp_dbm < before_dbm] = len(keys)
            keys.append((victim, one.name))
    return keys, which


# --- the paths ----------------------------------------------------------------------------------------------


def _paths_of_channel(
    scene: _Scene,
    devices: tuple[Device, ...],
    channel: int,
    needed: Mapping[str, NDArray[np.bool_]],
    levels_dbm: Mapping[str, NDArray[np.float32]],
) -> dict[str, CheckedPaths]:
    """Deciding victims and their paths by map of a DTT channel, where ``needed`` [n]."""
    if not any(asked.any() for asked in needed.values()):
        return {}
    config, files, places = scene.config, ChannelFiles(scene.build, channel), scene.places
    servers = read_servers(files.coverage("_servers.json"))
    job = make_job(config, channel, devices, read_protection_tables(config.protection), servers)
    around_px = reach_px(job, files, scene.grid)
    survey = survey_of(config, files)
    box = box_within_reach(survey.box, box_of(places.home), around_px)
    if box is None:
        raise ValueError(f"channel {channel} limits without a victim")
    survey = survey_of(config, files, box)
    classes = classes_without_ground(config, scene.build, devices[0], places.sea_km)
    losses = losses_to(job, survey.nearest_sea, scene.grid, classes)
    bands = [band for band in bands_of(job) if needed[band.name].any()]
    found = {band.name: _no_paths(scene.pixels.row.size) for band in bands}
    for its in _by_tile(scene.pixels, np.logical_or.reduce([needed[band.name] for band in bands])):
        window = _around(scene.pixels, its, box, around_px)
        victims = read_victims(job, files, window)
        ground = read_ground(config, scene.build, devices[0], places, window).ground
        for band in bands:
            own = its[needed[band.name][its]]
            if own.size:
                search = map_search(job, victims, band, losses, ground)
                corner = window.rows.start, window.cols.start
                asked = _Asked(job, search, corner, levels_dbm[band.name])
                _add_paths(scene, asked, own, found[band.name])
        del victims, ground, search, asked  # before those of the next tile are made
    return found


def _by_tile(pixels: SampledPixels, wanted: NDArray[np.bool_]) -> Iterator[NDArray[np.int64]]:
    """Numbers of the pixels ``wanted`` [n] by tile of the grid: victims are read around one at a time."""
    numbers = np.flatnonzero(wanted)
    tile = np.stack([pixels.row[numbers], pixels.col[numbers]]) // _TILE_PX
    _, which = np.unique(tile, axis=1, return_inverse=True)
    yield from (numbers[which == place] for place in range(int(which.max(initial=-1)) + 1))


def _around(pixels: SampledPixels, numbers: NDArray[np.int64], box: PixelBox, by_px: int) -> PixelBox:
    """The part of a box within ``by_px`` of some sampled pixels in it."""
    spans = (
        (int(at[numbers].min()), int(at[numbers].max()), part) for at, part in zip(pixels, box, strict=True)
    )
    return PixelBox(*(slice(max(a - by_px, s.start), min(b + by_px + 1, s.stop)) for a, b, s in spans))


class _Asked(NamedTuple):
    """One map of a job: its searches on a box that begins at ``corner``, its values at the sample."""

    job: ProtectionJob
    search: MapSearch
    corner: tuple[int, int]
    level_dbm: NDArray[np.float32]


def _add_paths(scene: _Scene, asked: _Asked, numbers: NDArray[np.int64], found: CheckedPaths) -> None:
    """Fill in the victims of one map at the pixels ``numbers`` of the sample, and their paths."""

    def compute(_rows: slice, part: slice) -> CheckedPaths:
        its = _victims_at(scene, asked, numbers[part])
        _add_terrain(scene, asked.job, numbers[part], its)
        return its

    size, name = (1, numbers.size), f"paths of channel {asked.job.channel}"
    for _, part, its in map_blocks(compute, size, (1, _BLOCK_PIXELS), scene.threads, name=name):
        _put(found, numbers[part], its)


def _victims_at(scene: _Scene, asked: _Asked, numbers: NDArray[np.int64]) -> CheckedPaths:
    """The deciding victims at some pixels, their status without terrain."""
    found, corner = _no_paths(numbers.size), asked.corner
    for i, number in enumerate(numbers.tolist()):
        place = int(scene.pixels.row[number]) - corner[0], int(scene.pixels.col[number]) - corner[1]
        victim = strictest_victim(asked.search, place, float(asked.level_dbm[number]))
        if victim is None:
            raise ValueError(f"no victim limits pixel {place} although a map of {asked.job.channel} does")
        found.victim_row[i], found.victim_col[i] = victim.row + corner[0], victim.col + corner[1]
        found.published_db[i] = victim.loss_db
        away_px = max(abs(victim.row - place[0]), abs(victim.col - place[1]))
        found.status[i] = PathStatus.ADJACENT if victim.near or away_px <= 1 else PathStatus.UNKNOWN
    return found


def _add_terrain(scene: _Scene, job: ProtectionJob, numbers: NDArray[np.int64], found: CheckedPaths) -> None:
    """Fill in the paths over terrain, between the centres of the pixels."""
    device, waves = job.devices[0], waves_of_device(scene.config, job.devices[0], job.f_mhz)
    receiver_m = scene.config.coverage.receiver_height_m
    far = np.flatnonzero(found.status == PathStatus.UNKNOWN)
    own = numbers[far]
    device_deg = lonlat_of(scene.grid, scene.pixels.row[own], scene.pixels.col[own])
    victim_deg = lonlat_of(scene.grid, found.victim_row[far], found.victim_col[far])
    for i, start_deg, end_deg in zip(far.tolist(), device_deg, victim_deg, strict=True):
        way_deg = (float(start_deg[0]), float(start_deg[1])), (float(end_deg[0]), float(end_deg[1]))
        path = terrain_path(scene.terrain, device, waves, way_deg, receiver_m)
        if path is not None:
            found.status[i], found.regime[i] = PathStatus.CHECKED, path.link.regime
            found.terrain_db[i], found.d_km[i] = path.link.loss_db, path.d_km[-1]


def _no_paths(n: int) -> CheckedPaths:
    return CheckedPaths(
        np.full(n, PathStatus.UNLIMITED, np.uint8),
        np.full(n, -1, np.int64),
        np.full(n, -1, np.int64),
        np.full(n, np.nan),
        np.full(n, np.nan),
        np.full(n, np.nan),
        np.zeros(n, np.int64),
    )


def _part(paths: CheckedPaths, chosen: NDArray[np.bool_]) -> CheckedPaths:
    return CheckedPaths(*(getattr(paths, name)[chosen] for name in CheckedPaths._fields))


def _put(paths: CheckedPaths, numbers: NDArray[np.int64], part: CheckedPaths) -> None:
    for name in CheckedPaths._fields:
        getattr(paths, name)[numbers] = getattr(part, name)


def lonlat_of(grid: Grid, row: NDArray[np.int64], col: NDArray[np.int64]) -> NDArray[np.float64]:
    """Longitude and latitude of the centres of pixels, float64[n, 2]."""
    x_m, y_m = grid.centres_m()
    return np.stack(grid.to_lonlat().transform(x_m[col], y_m[row]), axis=-1)


def _of_device(
    device: Device,
    channel: DeviceChannel,
    keys: Sequence[_MapKey],
    which: NDArray[np.int64],
    paths: Mapping[_MapKey, CheckedPaths],
) -> DeviceCheck:
    """The paths of the maps that decide for one device and channel."""
    found, victim_channel = _no_paths(which.size), np.full(which.size, -1, np.int64)
    for place in np.unique(which[which >= 0]).tolist():
        here = which == place
        victim_channel[here] = keys[place][0]
        _put(found, np.flatnonzero(here), _part(paths[keys[place]], here))
    group = ["" if place < 0 else keys[place][1] for place in which.tolist()]
    return DeviceCheck(device, channel, found, victim_channel, group)
