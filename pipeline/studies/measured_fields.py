"""Measured field strengths of a table, and what the models of coverage say of the same places.

A row of the table is a place, and of one transmitter or of the strongest of a channel.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from pydantic import Field, ValidationInfo, model_validator

from pipeline.availability.choices import with_values
from pipeline.config.config import Config
from pipeline.config.reception import sees_profiles
from pipeline.coverage.point_fields import PointTerrain, point_fields, point_inputs, terrain_to_points
from pipeline.coverage.profile_fields import PlacesGround, ground_of_paths, profile_fields
from pipeline.coverage.receiver_surroundings import surroundings_at
from pipeline.errors import InputError
from pipeline.grid.grid import GEOD
from pipeline.propagation.models import model_named
from pipeline.rows.row_models import (
    MAY_BE_EMPTY,
    LatCell,
    LonCell,
    NumberCell,
    RowModel,
    read_rows,
    row_problem,
    rules_of,
)
from pipeline.terrain.records import UnknownTerrain

_Height = Annotated[float, Field(ge=1, le=50)]
_Channel = Annotated[int, Field(ge=1, le=99)]


class Measurement(RowModel):
    """One measured field; without ``h2_m`` the receiving height of the territory.

    Checked against the channels of the register by the ids of its transmitters.
    """

    lon: LonCell
    lat: LatCell
    field_dbuvm: Annotated[NumberCell, Field(ge=-60, le=200, description="-60 to 200 dB(uV/m)")]
    h2_m: Annotated[_Height | None, MAY_BE_EMPTY, Field(description="1 to 50 m above ground, or empty")] = (
        None
    )
    channel: Annotated[_Channel | None, MAY_BE_EMPTY, Field(description="a channel number, or empty")] = None
    transmitter: Annotated[str, Field(max_length=64, description="id of a transmitter, or empty")] = ""

    @model_validator(mode="after")
    def _of_the_register(self, info: ValidationInfo) -> Measurement:
        channels: dict[str, int] = rules_of(info, dict)
        if not self.transmitter:
            if self.channel not in channels.values():
                used = ", ".join(str(channel) for channel in sorted(set(channels.values())))
                problem = "neither a transmitter nor a channel with one"
                raise row_problem("channel", problem, f"a transmitter, or one of {used}")
            return self
        if self.transmitter not in channels:
            problem = "transmitter is not in the register"
            raise row_problem("transmitter", problem, "an id of registers.transmitters")
        if self.channel not in (None, channels[self.transmitter]):
            problem = "transmitter is on another channel"
            raise row_problem("channel", problem, str(channels[self.transmitter]))
        return self


class Predicted(NamedTuple):
    """What a model says of one measurement: the transmitter, its distance, and the field.

    ``field_dbuvm`` is the sum of powers over the transmitter's single-frequency network, ``network_db`` what
    its other members add. ``branch``: which part of the method decided, of a model that sees profiles.
    """

    transmitter: str
    channel: int
    d_km: float
    field_dbuvm: float
    network_db: float = 0.0
    branch: str = ""


class _Places(NamedTuple):
    """The measurements of a channel: their places [n], heights, names asked for, and transmitters [t].

    ``d_km`` and ``asked`` [t, n]: distances, and which transmitters count at a place.
    """

    channel: int
    lon_deg: NDArray[np.float64]
    lat_deg: NDArray[np.float64]
    heights_m: NDArray[np.float64]
    names: list[str]
    network: xr.Dataset
    d_km: NDArray[np.float64]
    asked: NDArray[np.bool_]


class _Fields(NamedTuple):
    """Fields of each transmitter at each place, minus infinity where it does not count; their regimes."""

    field_dbuvm: NDArray[np.float64]
    regime: NDArray[np.int64]


def read_measurements(path: Path, register: xr.Dataset) -> list[Measurement]:
    """Checked rows; each names a transmitter of the register, or a channel that has one."""
    channels = dict(zip(register["id"].values.tolist(), register["channel"].values.tolist(), strict=True))
    return read_rows(path, Measurement, context=channels)


def predict_rows(
    config: Config, register: xr.Dataset, rows: Sequence[Measurement], models: Sequence[str], path: Path
) -> dict[str, list[Predicted]]:
    """The predictions of every row by each model: of its transmitter, or the strongest one of its channel.

    ``path``: file of the rows, for the refusal of a place that no map gives to its transmitter.
    """
    channels = np.array([_channel_of(row, register) for row in rows])
    parts = [(np.flatnonzero(channels == channel), channel) for channel in np.unique(channels).tolist()]
    places = []
    for mine, channel in parts:
        part = [rows[i] for i in mine.tolist()]
        places.append(_places_of(config, register, part, channel))
        _refuse_far(config, path, part, places[-1])
    found: dict[str, dict[int, Predicted]] = {model: {} for model in models}
    for number, ((mine, channel), here) in enumerate(zip(parts, places, strict=True), 1):
        print(f"validate-field {number} of {len(parts)}: channel {channel}", file=sys.stderr, flush=True)
        with _row_named(path, [rows[i] for i in mine.tolist()]):
            terrain = terrain_to_points(config, here.network, here.lon_deg, here.lat_deg)
            paths = _paths_of(config, here, terrain, models)
            for model in models:
                chosen = with_values(config, "propagation", coverage_model=model)
                fields = _fields_of(chosen, here, terrain, paths)
                for k, i in enumerate(mine.tolist()):
                    found[model][i] = _chosen(here, fields, k, model)
    return {model: [of_model[i] for i in range(len(rows))] for model, of_model in found.items()}


@contextmanager
def _row_named(path: Path, rows: Sequence[Measurement]) -> Iterator[None]:
    """Name the row of the place whose terrain is not known."""
    try:
        yield
    except UnknownTerrain as error:
        row = next(row for row in rows if (row.lon, row.lat) == error.place)
        raise InputError(
            error.problem,
            file=path,
            row=row.row,
            field="lon, lat",
            value=f"{row.lon:g}, {row.lat:g}",
            allowed=error.allowed,
        ) from None


def _channel_of(row: Measurement, register: xr.Dataset) -> int:
    """The channel of a measurement."""
    if not row.transmitter and row.channel is not None:
        return row.channel
    return int(register["channel"].values[np.flatnonzero(register["id"].values == row.transmitter)[0]])


def _places_of(config: Config, register: xr.Dataset, rows: Sequence[Measurement], channel: int) -> _Places:
    """The places of a channel's rows with the transmitters that count at any of them.

    At a place these are the one that is named, or the nearest, and, within reach, the members of its network
    or, where none is named, all of the channel.
    """
    network = register.isel(transmitter=np.flatnonzero(register["channel"].values == channel))
    ids, lon_deg = network["id"].values, np.array([row.lon for row in rows])
    lat_deg = np.array([row.lat for row in rows])
    d_km = _distances_km(network, lon_deg, lat_deg)
    reached, asked = d_km <= config.channels.reach_km, np.zeros(d_km.shape, np.bool_)
    for k, row in enumerate(rows):
        first = int(np.argmax(ids == row.transmitter)) if row.transmitter else int(np.argmin(d_km[:, k]))
        others = _network_of(network, first) if row.transmitter else np.ones(ids.size, np.bool_)
        asked[:, k] = others & reached[:, k]
        asked[first, k] = True
    some = np.flatnonzero(asked.any(axis=1))
    heights_m = np.array([row.h2_m or config.coverage.receiver_height_m for row in rows])
    names = [row.transmitter for row in rows]
    kept = network.isel(transmitter=some)
    return _Places(channel, lon_deg, lat_deg, heights_m, names, kept, d_km[some], asked[some])


def _distances_km(
    network: xr.Dataset, lon_deg: NDArray[np.float64], lat_deg: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Geodesic distances [transmitter, place]."""
    sites = network["lon_deg"].values[:, None], network["lat_deg"].values[:, None]
    from_lon, from_lat, to_lon, to_lat = np.broadcast_arrays(*sites, lon_deg, lat_deg)
    return np.asarray(GEOD.inv(from_lon, from_lat, to_lon, to_lat)[2]) / 1000.0


def _network_of(network: xr.Dataset, number: int) -> NDArray[np.bool_]:
    """Which transmitters share the single-frequency network of one, itself included."""
    names = network["sfn"].values
    members: NDArray[np.bool_] = (names == names[number]) & (names != "")
    members[number] = True
    return members


def _refuse_far(config: Config, path: Path, rows: Sequence[Measurement], places: _Places) -> None:
    """Refuse a place where no map uses the transmitter: its coordinates cannot be right."""
    ids = places.network["id"].values
    for k, row in enumerate(rows):
        t = int(np.argmax(ids == row.transmitter)) if row.transmitter else int(np.argmin(places.d_km[:, k]))
        if places.d_km[t, k] > config.channels.reach_km:
            raise InputError(
                f"is {places.d_km[t, k]:.0f} km from transmitter {ids[t]}; are lon and lat exchanged?",
                file=path,
                row=row.row,
                field="lon, lat",
                value=f"{row.lon:g}, {row.lat:g}",
                allowed=f"within channels.reach_km ({config.channels.reach_km:g} km)",
            )


def _paths_of(
    config: Config, places: _Places, terrain: PointTerrain, models: Iterable[str]
) -> PlacesGround | None:
    """Terrain of the whole paths, if a model asks for it."""
    if not any(sees_profiles(model) for model in models):
        return None
    return ground_of_paths(config, places.network, terrain.land, places.lon_deg, places.lat_deg)


def _fields_of(config: Config, places: _Places, terrain: PointTerrain, paths: PlacesGround | None) -> _Fields:
    """Fields by the model of coverage of ``config``; ``paths`` is given if it sees profiles."""
    inputs = point_inputs(config, places.network, terrain.sweeps, places.channel)
    by_profile = sees_profiles(config.propagation.coverage_model)
    around = surroundings_at(config, places.lon_deg, places.lat_deg)
    found = _Fields(np.full(places.asked.shape, -np.inf), np.zeros(places.asked.shape, np.int64))
    for t, asked in enumerate(places.asked):
        for h2_m in np.unique(places.heights_m[asked]).tolist():
            here = np.flatnonzero(asked & (places.heights_m == h2_m))
            at, ground_m = (places.lon_deg[here], places.lat_deg[here], h2_m), terrain.ground_m[here]
            if by_profile and paths is not None:
                alone = places.network.isel(transmitter=[t])
                seen = profile_fields(config, alone, inputs, t, paths, *at, ground_m)
                found.field_dbuvm[t, here], found.regime[t, here] = seen.field_dbuvm, seen.regime
            else:
                environments = None if around is None else around[here]
                found.field_dbuvm[t, here] = point_fields(inputs, t, *at, ground_m, environments)[0]
    return found


def _chosen(places: _Places, fields: _Fields, k: int, model: str) -> Predicted:
    """The transmitter asked for, or the one with the largest field at place k, with its network."""
    ids, of_place = places.network["id"].values.tolist(), fields.field_dbuvm[:, k]
    t = ids.index(places.names[k]) if places.names[k] else int(np.argmax(of_place))
    members = _network_of(places.network, t)
    # Relative to the field of the transmitter itself: a member that does not count adds nothing.
    network_db = 10.0 * float(np.log10(np.sum(10.0 ** (0.1 * (of_place[members] - of_place[t])))))
    branch = model_named(model).regimes[fields.regime[t, k]] if sees_profiles(model) else ""
    field_dbuvm = float(of_place[t]) + network_db
    return Predicted(ids[t], places.channel, float(places.d_km[t, k]), field_dbuvm, network_db, branch)


def branches_of(found: Mapping[str, Sequence[Predicted]]) -> list[str] | None:
    """The branch of each row by the first model that tells one; None if none does."""
    for model, predicted in found.items():
        if sees_profiles(model):
            return [p.branch for p in predicted]
    return None
