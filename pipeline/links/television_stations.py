"""Fields of every television station at places: what white-space receivers hear (method.md, section 43).

The network, profiles and loss tables are those of the job coverage, so the strongest of the fields is the
one that its maps have; stations at home and abroad count alike.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pipeline.blocks import on_threads
from pipeline.config.config import Config
from pipeline.config.reception import sees_profiles
from pipeline.coverage.field_bounds import wanted_bounds_dbuvm
from pipeline.coverage.inputs import ChannelInputs, channel_inputs, planning_of
from pipeline.coverage.network import load_losses, load_paths, network_of
from pipeline.coverage.point_fields import point_fields, rays_from
from pipeline.coverage.receiver_ground import ground_at, load_ground
from pipeline.coverage.receiver_surroundings import surroundings_at
from pipeline.errors import InputError
from pipeline.grid.geodesy import positions_of_places_m
from pipeline.grid.grid import GEOD, Grid
from pipeline.grid.raster import read_grid
from pipeline.terrain.loss_tables import UNKNOWN, LossTable
from pipeline.terrain.polar_nodes import node_km
from pipeline.terrain.records import LonLatRaster

_SAME = ("id", "country", "polarisation", "mast", "tile")
"""What the run has written of its stations and the register must still say."""


class ReceivedStation(NamedTuple):
    """A station at places [n]: field at the height of the coverage, bearing of the station, true north.

    The field is NaN where it is not known: off the grid of the run, or across land of unknown height.
    """

    id: str
    country: str
    channel: int
    field_dbuvm: NDArray[np.float64]
    bearing_deg: NDArray[np.float64]


class _Places(NamedTuple):
    """Centres of pixels [n], whether they are of the grid; ground above sea level, surroundings."""

    lon_deg: NDArray[np.float64]
    lat_deg: NDArray[np.float64]
    on_grid: NDArray[np.bool_]
    ground_m: NDArray[np.float64] | None
    environments: NDArray[np.uint8] | None


class _Channel(NamedTuple):
    """What fields of a channel follow from; loss tables that are not known everywhere, by station."""

    inputs: ChannelInputs
    with_gaps: dict[int, LossTable]


class TelevisionStations:
    """The stations of a run's television channels, read as they are asked for."""

    def __init__(self, config: Config, build: Path, channels: Iterable[int]) -> None:
        """``build`` folder of the run's intermediates, ``channels`` its channels of television."""
        self._config, self._build, self._channels = config, build, sorted(channels)
        self._inputs: dict[int, _Channel] = {}

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
        network, places = self._networks[channel], self._places(lon_deg, lat_deg)
        names = zip(network["id"].values.tolist(), network["country"].values.tolist(), strict=True)
        sites = zip(network["lon_deg"].values, network["lat_deg"].values, strict=True)
        found = []
        for number, ((name, country), site) in enumerate(zip(names, sites, strict=True)):
            to = np.full(lon_deg.size, site[0]), np.full(lon_deg.size, site[1])
            bearing_deg, _, _ = GEOD.inv(places.lon_deg, places.lat_deg, *to)
            field_dbuvm = self._field_of(channel, number, places)
            found.append(ReceivedStation(name, country, channel, field_dbuvm, bearing_deg % 360.0))
        return found

    def sum_at(
        self,
        channel: int,
        lon_deg: NDArray[np.float64],
        lat_deg: NDArray[np.float64],
        negligible_dbuvm: float,
        threads: int = 1,
    ) -> NDArray[np.float64]:
        """All stations of a channel together at the same places, in dB(uV/m); NaN where one is unknown.

        Of the weakest, together below ``negligible_dbuvm``, what none of the places exceeds counts.
        """
        places = self._places(lon_deg, lat_deg)
        bounds = 10.0 ** (0.1 * self._bounds_dbuvm(channel, places))
        order = np.argsort(bounds)
        weak = np.zeros(bounds.size, np.bool_)
        weak[order] = np.cumsum(bounds[order]) < 10.0 ** (0.1 * negligible_dbuvm)
        weak[list(self._inputs_of(channel).with_gaps)] = False
        power = np.full(lon_deg.size, bounds[weak].sum())
        each = ((channel, number, places) for number in np.flatnonzero(~weak).tolist())
        for field_dbuvm in on_threads(self._field_of, each, threads):
            power += 10.0 ** (0.1 * field_dbuvm)
        with np.errstate(divide="ignore"):
            found: NDArray[np.float64] = 10.0 * np.log10(power)
        found[~places.on_grid] = np.nan
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

    def _field_of(self, channel: int, number: int, places: _Places) -> NDArray[np.float64]:
        """Field of a station of a channel at places [n], NaN unknown."""
        inputs, with_gaps = self._inputs_of(channel)
        at = places.lon_deg, places.lat_deg
        around = places.ground_m, places.environments
        field_dbuvm, d_km = point_fields(inputs, number, *at, inputs.receiver.h2_m, *around)
        known = places.on_grid
        if number in with_gaps:
            known = known & ~_unknown_at(with_gaps[number], d_km, rays_from(inputs, number, *at)[1])
        return np.where(known, field_dbuvm, np.nan)

    def _bounds_dbuvm(self, channel: int, places: _Places) -> NDArray[np.float64]:
        """What the field of each station of a channel does not exceed at any of some places."""
        positions_m = positions_of_places_m(places.lon_deg, places.lat_deg)
        centre_m = 0.5 * (positions_m.min(axis=1) + positions_m.max(axis=1))
        apart_m = np.linalg.norm(positions_m - centre_m[:, np.newaxis], axis=0)
        found: NDArray[np.float64] = wanted_bounds_dbuvm(
            self._inputs_of(channel).inputs, centre_m, 1e-3 * float(apart_m.max(initial=0.0))
        )
        return found

    def _inputs_of(self, channel: int) -> _Channel:
        if channel not in self._inputs:
            network, config = self._networks[channel], self._config
            threads = os.cpu_count() or 1
            paths = load_paths(config, self._build, network, threads)
            losses = load_losses(config, self._build, network, threads)
            tables = None if losses is None else list(losses)
            planning = planning_of(config, network, channel)
            inputs = channel_inputs(network, paths, planning, config, channel, losses=tables)
            with_gaps = {t: table for t, table in enumerate(tables or ()) if _has_unknown(table)}
            self._inputs[channel] = _Channel(inputs, with_gaps)
        return self._inputs[channel]

    def _places(self, lon_deg: NDArray[np.float64], lat_deg: NDArray[np.float64]) -> _Places:
        """Centres of the pixels around places [n]."""
        grid = self._grid
        row, col, on_grid = grid.pixels_of(lon_deg, lat_deg)
        lon, lat = grid.to_lonlat().transform(*grid.xy_m(row + 0.5, col + 0.5))
        ground_m = None if self._ground is None else ground_at(self._ground, lon, lat)
        return _Places(lon, lat, on_grid, ground_m, surroundings_at(self._config, lon, lat))


def _of_run(path: Path, channel: int) -> list[tuple[object, ...]]:
    listed = json.loads(path.read_text(encoding="utf-8"))["transmitters"]
    return [tuple(one.get(name) for name in _SAME) for one in listed if one["channel"] == channel]


def _of_register(network: xr.Dataset) -> list[tuple[object, ...]]:
    return list(zip(*(network[name].values.tolist() for name in _SAME), strict=True))


def _has_unknown(table: LossTable) -> bool:
    """Whether some wanted loss of a mast is not known."""
    return bool((table.codes[0] == UNKNOWN).any())


def _unknown_at(
    table: LossTable, d_km: NDArray[np.float64], azimuth_deg: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Whether one of the four nodes around places [n] has a wanted loss that is not known."""
    radials, ranges = table.codes.shape[1:]
    around = radials * table.step_deg > 360.0 - 1e-6
    bearing = ((azimuth_deg - table.first_deg) % 360.0) / table.step_deg
    low = np.minimum(bearing.astype(np.int64), radials - 1)
    high = (low + 1) % radials if around else np.minimum(low + 1, radials - 1)
    after = np.clip(np.searchsorted(node_km(table.ranges), d_km), 1, ranges - 1)
    found: NDArray[np.bool_] = np.any(
        [table.codes[0, radial, node] == UNKNOWN for radial in (low, high) for node in (after - 1, after)],
        axis=0,
    )
    return found
