"""Fields of every television station at places: what white-space receivers hear (method.md, section 43).

The network, profiles and loss tables are those of the job coverage, so the strongest of the fields is the
one that its maps have; stations at home and abroad count alike.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pipeline.config.config import Config
from pipeline.config.reception import sees_profiles
from pipeline.coverage.inputs import ChannelInputs, channel_inputs, planning_of
from pipeline.coverage.network import load_losses, load_paths, network_of
from pipeline.coverage.point_fields import point_fields
from pipeline.coverage.receiver_ground import ground_at, load_ground
from pipeline.coverage.receiver_surroundings import surroundings_at
from pipeline.errors import InputError
from pipeline.grid.grid import GEOD, Grid
from pipeline.grid.raster import read_grid
from pipeline.terrain.records import LonLatRaster

_SAME = ("id", "country", "polarisation", "mast", "tile")
"""What the run has written of its stations and the register must still say."""


class ReceivedStation(NamedTuple):
    """A station at places [n]: field at the height of the coverage, bearing of the station, true north."""

    id: str
    country: str
    channel: int
    field_dbuvm: NDArray[np.float64]
    bearing_deg: NDArray[np.float64]


class TelevisionStations:
    """The stations of a run's television channels, read as they are asked for."""

    def __init__(self, config: Config, build: Path, channels: Iterable[int]) -> None:
        """``build`` folder of the run's intermediates, ``channels`` its channels of television."""
        self._config, self._build, self._channels = config, build, sorted(channels)
        self._inputs: dict[int, ChannelInputs] = {}

    @cached_property
    def unknown(self) -> str:
        """Why the stations cannot be had; empty where they can."""
        listed = [path for channel in self._channels if (path := self._servers(channel)).is_file()]
        if not listed:
            return "the run's lists of stations are not here"
        try:
            networks = self._networks
        except (InputError, OSError) as error:
            return f"the register of the run cannot be read ({error})"
        for path, channel in ((self._servers(channel), channel) for channel in self._channels):
            if path.is_file() and _of_run(path, channel) != _of_register(networks[channel]):
                return f"the register is no longer that of the run (channel {channel})"
        tables = sees_profiles(self._config.propagation.coverage_model)
        folders = ["terrain", "losses"] if tables else ["terrain"]
        tiles = {str(tile) for network in networks.values() for tile in network["tile"].values}
        files = [self._build / folder / f"{tile}.npz" for folder in folders for tile in sorted(tiles)]
        missing = next((path for path in files if not path.is_file()), None)
        return f"terrain of the run is not here ({missing.name})" if missing else ""

    def fields_at(
        self, channel: int, lon_deg: NDArray[np.float64], lat_deg: NDArray[np.float64]
    ) -> list[ReceivedStation]:
        """All stations of a channel at the centres of the pixels around places [n] of the grid."""
        network, inputs = self._networks[channel], self._inputs_of(channel)
        lon, lat, on_grid = self._centres_deg(lon_deg, lat_deg)
        ground_m = None if self._ground is None else ground_at(self._ground, lon, lat)
        around = surroundings_at(self._config, lon, lat)
        names = zip(network["id"].values.tolist(), network["country"].values.tolist(), strict=True)
        sites = zip(network["lon_deg"].values, network["lat_deg"].values, strict=True)
        found = []
        for number, ((name, country), site) in enumerate(zip(names, sites, strict=True)):
            field, _ = point_fields(inputs, number, lon, lat, inputs.receiver.h2_m, ground_m, around)
            bearing, _, _ = GEOD.inv(lon, lat, np.full(lon.size, site[0]), np.full(lon.size, site[1]))
            field[~on_grid] = np.nan
            found.append(ReceivedStation(name, country, channel, field, bearing % 360.0))
        return found

    def countries(self) -> Counter[str]:
        """Number of stations by country."""
        return Counter(name for one in self._networks.values() for name in one["country"].values.tolist())

    @cached_property
    def _grid(self) -> Grid:
        return read_grid(self._build / "territory" / "surface.tif")

    @cached_property
    def _networks(self) -> dict[int, xr.Dataset]:
        """The stations of each channel that matter to the run, in order of id."""
        every = network_of(self._config, self._grid, self._channels)
        numbers = every["channel"].values
        return {channel: every.isel(transmitter=numbers == channel) for channel in self._channels}

    @cached_property
    def _ground(self) -> LonLatRaster | None:
        return load_ground(self._config.terrain, self._grid, self._build / "territory" / "land_lonlat.tif")

    def _servers(self, channel: int) -> Path:
        return self._build / "coverage" / f"ch{channel:02d}_servers.json"

    def _inputs_of(self, channel: int) -> ChannelInputs:
        if channel not in self._inputs:
            network, config = self._networks[channel], self._config
            paths = load_paths(config, self._build, network)
            losses = load_losses(config, self._build, network)
            planning = planning_of(config, network, channel)
            self._inputs[channel] = channel_inputs(network, paths, planning, config, channel, losses=losses)
        return self._inputs[channel]

    def _centres_deg(
        self, lon_deg: NDArray[np.float64], lat_deg: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
        """Centres of the pixels around places [n], and whether these are of the grid."""
        grid = self._grid
        row, col = map(np.floor, grid.row_col(*grid.from_lonlat().transform(lon_deg, lat_deg)))
        lon, lat = grid.to_lonlat().transform(*grid.xy_m(row + 0.5, col + 0.5))
        on_grid = (row >= 0) & (row < grid.height) & (col >= 0) & (col < grid.width)
        return np.asarray(lon), np.asarray(lat), on_grid


def _of_run(path: Path, channel: int) -> list[tuple[object, ...]]:
    listed = json.loads(path.read_text(encoding="utf-8"))["transmitters"]
    return [tuple(one.get(name) for name in _SAME) for one in listed if one["channel"] == channel]


def _of_register(network: xr.Dataset) -> list[tuple[object, ...]]:
    return list(zip(*(network[name].values.tolist() for name in _SAME), strict=True))
