"""Tables of the losses between the devices of a geometry and the victims of a channel (``path_classes``)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.config.config import Config
from pipeline.config.protection import Device
from pipeline.dtt.device_ground import GroundClasses
from pipeline.dtt.path_classes import DISTANCE_STEP, PathClasses, flat_paths, steps_of
from pipeline.grid.grid import Grid
from pipeline.propagation.homogeneous import (
    FARTHEST_KM,
    NEAR_KM,
    DevicePath,
    LossTables,
    coast_path_loss_db,
    loss_table_db,
    mixed_loss_db,
    offset_distance_km,
    one_surface_losses_db,
    round_down,
    sea_share_at,
    table_size,
)
from pipeline.radio.channel_plan import channel_centre_mhz

# Between the ends of a step the loss may be lower by less than this: at 0.2 % it bends by 3e-5 dB.
BEND_DB = 1e-4
_MEDIAN_TIME_PCT = 50.0
_LAST = 60_000


class PathLosses(NamedTuple):
    """Losses of flat land by (|dy|, |dx|) float32[n, n] up to 80 m and beyond, and those by class beyond.

    ``nodes_db`` float32[class, inland, node] losses at the ends of the steps of distance.
    """

    near_db: NDArray[np.float32]
    far_db: NDArray[np.float32]
    paths: PathClasses
    nodes_db: NDArray[np.float32]


class PathReach(NamedTuple):
    """How far devices matter: radius of class 0 and of the highest, loss from which no victim limits."""

    flat_km: float
    farthest_km: float
    limiting_loss_db: float


def device_path(config: Config, device: Device, f_mhz: float, effective_m: float) -> DevicePath:
    """The path of a device without sea."""
    return DevicePath(
        config.propagation.wsd_model,
        f_mhz,
        device.height_m,
        config.coverage.receiver_height_m,
        _MEDIAN_TIME_PCT,
        math.inf,
        effective_m=effective_m,
        near_slant=config.protection.near_slant,
    )


def path_ranges_km(
    config: Config,
    device: Device,
    channel: int,
    from_loss_db: float,
    heights_m: NDArray[np.float64],
    lengths_km: NDArray[np.float64],
    nearest_km: float,
) -> NDArray[np.float64]:
    """How far losses are below ``from_loss_db``, by effective height and length of land at the coast.

    float64[height, inland], never too short: the upper end of the last step of distance with such a loss;
    ``nearest_km``, beyond 80 m, where all losses from there on are larger.
    """
    f_mhz = channel_centre_mhz(config.channels, channel)
    links = [device_path(config, device, f_mhz, float(height_m)) for height_m in heights_m]
    nodes = math.ceil(math.log(FARTHEST_KM / nearest_km) / DISTANCE_STEP) + 1
    d_km = np.minimum(nearest_km * np.exp(DISTANCE_STEP * np.arange(nodes)), FARTHEST_KM)
    losses_db = _losses_db(links, lengths_km, d_km)
    limiting = np.minimum(losses_db[..., :-1], losses_db[..., 1:]) - BEND_DB < from_loss_db
    beyond = limiting.shape[-1] - np.argmax(limiting[..., ::-1], axis=-1)
    return np.where(limiting.any(axis=-1), d_km[beyond], nearest_km)


def inland_lengths_km(
    sea_km: NDArray[np.float64], longest_km: float, *, coastal: bool
) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """Lengths of land at the ends of paths over sea, ascending, and their index by victim and target.

    Longer ones than ``longest_km`` count as no sea; for coastal victims all of the path may be sea.
    """
    if coastal:
        return np.zeros(1), np.zeros((sea_km.size, sea_km.size), np.uint8)
    both_km = sea_km[:, np.newaxis] + sea_km[np.newaxis, :]
    both_km[both_km >= longest_km] = math.inf
    lengths_km, index = np.unique(both_km, return_inverse=True)
    return lengths_km, index.reshape(both_km.shape).astype(np.uint8)


def path_losses(
    config: Config,
    device: Device,
    f_mhz: float,
    grid: Grid,
    classes: GroundClasses,
    reach: PathReach,
    nearest_sea: int,
    *,
    coastal: bool,
) -> PathLosses:
    """Tables for victims at the coast or inland; ``nearest_sea`` their least class of distance."""
    path = device_path(config, device, f_mhz, classes.effective_m)
    lengths_km, inland = inland_lengths_km(classes.sea_km, reach.farthest_km, coastal=coastal)
    dry = coastal or lengths_km[inland[nearest_sea].min()] == math.inf
    flat_only = classes.heights_m.size == 1 and dry
    farthest_km = reach.flat_km if flat_only else max(reach.farthest_km, reach.flat_km)
    separation_m = device.min_separation_m.value
    scale = grid.largest_scale()
    size = table_size(farthest_km, grid.resolution_m, scale)
    distance_km = offset_distance_km(size, grid.resolution_m, scale, separation_m)
    flat = _flat_db(path, distance_km, reach.flat_km, coastal=coastal)
    if flat_only:
        return PathLosses(flat.near_db, flat.far_db, flat_paths(), np.zeros((1, 1, 2), np.float32))
    steps = _steps_to(farthest_km)
    links = [path, *(path._replace(effective_m=height_m) for height_m in classes.heights_m[1:])]
    nodes_db = _losses_db(links, lengths_km, np.maximum(steps.nodes_km, np.nextafter(NEAR_KM, 1.0)))
    rows_db = _rows_db(nodes_db, steps, reach.limiting_loss_db)
    rows_db[0] = np.minimum(rows_db[0], _lowest_by_step_db(steps, distance_km, flat.far_db))
    adjacent_km = np.array([separation_m / 1000.0])
    paths = PathClasses(
        used=True,
        loss_db=rows_db,
        floor_db=_floors_db(rows_db),
        exact_to=_exact_to(steps, lengths_km, coastal=coastal),
        inland=inland,
        adjacent=int(steps.of(adjacent_km)[0]),
        adjacent_db=_adjacent_db(links, lengths_km, adjacent_km),
        ring=np.append(np.digitize(steps.nodes_km * (1.0 - 1e-8), classes.rings.edges_km), 0),
        sectors=classes.rings.sectors,
        rings=classes.rings.rings,
        step=steps.of(distance_km),
        step_to=np.zeros((1, 1), np.uint16),
        ring_at=np.digitize(distance_km, classes.rings.edges_km).astype(np.uint8),
        sector_at=np.zeros((1, 1), np.uint8),
    )
    return PathLosses(flat.near_db, flat.far_db, paths, nodes_db.astype(np.float32))


def _flat_db(
    path: DevicePath, distance_km: NDArray[np.float64], radius_km: float, *, coastal: bool
) -> LossTables:
    """Losses of class 0 by pixel offset."""
    return loss_table_db(
        distance_km,
        radius_km,
        path.f_mhz,
        path.device_m,
        receiver_m=path.receiver_m,
        model=path.model,
        coastal=coastal,
        effective_m=path.effective_m,
        near_slant=path.near_slant,
    )


def _lowest_by_step_db(
    steps: _Steps, distance_km: NDArray[np.float64], loss_db: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Smallest loss by offset of each step, so that no bound from the steps is above one."""
    known = np.isfinite(loss_db)
    lowest_db = np.full(steps.number, np.inf, np.float32)
    np.minimum.at(lowest_db, steps.of(distance_km)[known], loss_db[known])
    return lowest_db


def _steps_to(farthest_km: float) -> _Steps:
    number = math.ceil(math.log(farthest_km / NEAR_KM) / DISTANCE_STEP) + 2
    return _Steps(NEAR_KM * np.exp(DISTANCE_STEP * np.arange(number)))


class _Steps(NamedTuple):
    """Steps of distance between nodes; then one beyond the range, one for pairs that are nearer than 80 m."""

    nodes_km: NDArray[np.float64]

    @property
    def beyond(self) -> int:
        return self.nodes_km.size - 1

    @property
    def number(self) -> int:
        return self.nodes_km.size + 1

    def of(self, distance_km: NDArray[np.float64]) -> NDArray[np.uint16]:
        """Step of each distance."""
        step = steps_of(distance_km, NEAR_KM, self.beyond)
        return np.where(distance_km <= NEAR_KM, np.uint16(self.beyond + 1), step)


def _losses_db(
    links: Sequence[DevicePath], lengths_km: NDArray[np.float64], d_km: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Losses float64[class, inland, distance]."""
    share = np.stack([sea_share_at(d_km, length_km) for length_km in lengths_km])
    losses_db = []
    for link in links:
        land_db, sea_db = one_surface_losses_db(d_km, link, sea=bool(share.any()))
        losses_db.append(mixed_loss_db(land_db, sea_db, share))
    return np.stack(losses_db)


def _rows_db(at_nodes_db: NDArray[np.float64], steps: _Steps, limiting_loss_db: float) -> NDArray[np.float32]:
    """Smallest loss of each step, float32[class, inland, step]; +inf from where no victim limits."""
    rows_db = np.full((*at_nodes_db.shape[:2], steps.number), np.inf)
    rows_db[..., : steps.beyond] = np.minimum(at_nodes_db[..., :-1], at_nodes_db[..., 1:]) - BEND_DB
    limiting = np.minimum.accumulate(rows_db[..., ::-1], axis=-1)[..., ::-1] < limiting_loss_db
    return round_down(np.where(limiting, rows_db, np.inf))


def _floors_db(rows_db: NDArray[np.float32]) -> NDArray[np.float32]:
    """Smallest of all steps from each on, of all classes up to each, of all lengths of land from each on."""
    floors_db = np.minimum.accumulate(rows_db, axis=0)
    floors_db = np.minimum.accumulate(floors_db[:, ::-1], axis=1)[:, ::-1]
    floors_db = np.minimum.accumulate(floors_db[..., ::-1], axis=2)[..., ::-1]
    floors_db[..., -1] = floors_db[..., 0]
    return np.ascontiguousarray(floors_db)


def _exact_to(steps: _Steps, lengths_km: NDArray[np.float64], *, coastal: bool) -> NDArray[np.int64]:
    """Last step without sea for each length of land: there flat land has its losses by offset."""
    if coastal:
        return np.full(lengths_km.size, steps.number, np.int64)
    whole = np.searchsorted(steps.nodes_km, lengths_km * (1.0 - 1e-9), side="right") - 2
    return np.where(np.isinf(lengths_km), steps.number, whole).astype(np.int64)


def _adjacent_db(
    links: Sequence[DevicePath], lengths_km: NDArray[np.float64], d_km: NDArray[np.float64]
) -> NDArray[np.float32]:
    return round_down(_losses_db(links, lengths_km, d_km)[..., 0])


def end_of_step_km(distance_km: float) -> float:
    """Upper end of the step of distance that holds a distance."""
    return float(
        NEAR_KM * np.exp(DISTANCE_STEP * (int(steps_of(np.array([distance_km]), NEAR_KM, _LAST)[0]) + 1))
    )


def row_loss_db(path: DevicePath, distance_km: float) -> float:
    """Loss that counts for a distance where losses are kept by steps."""
    step = int(steps_of(np.array([distance_km]), NEAR_KM, _LAST)[0])
    ends_km = np.maximum(
        NEAR_KM * np.exp(DISTANCE_STEP * np.array([step, step + 1])), np.nextafter(NEAR_KM, 1.0)
    )
    return float(coast_path_loss_db(ends_km, path).min()) - BEND_DB
