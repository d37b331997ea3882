"""Planning values of a channel: noise field by wanted mode, protection ratio by mode and interferer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pipeline.config import Coverage, receiver_band
from pipeline.coverage.nuisance import noise_field_dbuvm
from pipeline.territory.geodesy import site_frames

ModeKey = tuple[str, str]
# Channels whose transmitters count: the channel itself and its neighbours (protection.md, section 1).
OFFSETS = (-1, 0, 1)


class ModeValues(NamedTuple):
    """What the planning of one (system, mode) needs: required C/N and noise bandwidth."""

    cn_db: float
    noise_bandwidth_mhz: float


class Planning(NamedTuple):
    """``modes`` in order of rows; ``noise_dbuvm`` [mode]; ``ratio_db`` [mode, transmitter]."""

    modes: tuple[ModeKey, ...]
    noise_dbuvm: NDArray[np.float64]
    ratio_db: NDArray[np.float64]


def with_default_mode(transmitters: xr.Dataset, default: ModeKey) -> xr.Dataset:
    """The dataset with every empty ``mode``, and the system beside it, replaced by the default."""
    given = transmitters["mode"].values != ""
    return transmitters.assign(
        system=("transmitter", np.where(given, transmitters["system"].values, default[0])),
        mode=("transmitter", np.where(given, transmitters["mode"].values, default[1])),
    )


def select_channel(transmitters: xr.Dataset, channel: int) -> xr.Dataset:
    """The transmitters of channels c-1, c and c+1, in order of id."""
    chosen = np.isin(transmitters["channel"].values, [channel + offset for offset in OFFSETS])
    selected = transmitters.isel(transmitter=chosen)
    return selected.isel(transmitter=np.argsort(selected["id"].values, kind="stable"))


def within_reach(
    transmitters: xr.Dataset, positions_m: NDArray[np.float64], reach_km: float
) -> NDArray[np.bool_]:
    """Which transmitters lie within ``reach_km`` of the nearest of some geocentric points [n, 3]."""
    frames = site_frames(transmitters["lon_deg"].values, transmitters["lat_deg"].values)
    nearest_m = [np.sqrt(np.min(np.sum((positions_m - frame[:3]) ** 2, axis=1))) for frame in frames]
    return np.array(nearest_m) <= 1000.0 * reach_km


def planning_values(
    transmitters: xr.Dataset,
    channel: int,
    centre_mhz: float,
    coverage: Coverage,
    mode_values: Callable[[ModeKey], ModeValues],
    ratio_db: Callable[[ModeKey, str, int], float],
) -> Planning:
    """Noise fields and protection ratios for the wanted modes of a channel.

    ``mode_values(system_mode)``; ``ratio_db(wanted system_mode, interfering system, offset)`` with the offset
    interferer minus wanted channel. Modes that occur only in the adjacent channels get rows too, unused.
    """
    modes = sorted(set(_modes(transmitters)))
    band = receiver_band(coverage, centre_mhz)
    noise = [
        noise_field_dbuvm(
            centre_mhz, values.noise_bandwidth_mhz, coverage.noise_figure_db, values.cn_db, band.gain_dbd,
            band.feeder_db,
        )
        for values in map(mode_values, modes)
    ]  # fmt: skip
    offsets = transmitters["channel"].values.astype(int) - channel
    others = [str(system) for system in transmitters["system"].values]
    ratios = [[ratio_db(mode, *other) for other in zip(others, offsets, strict=True)] for mode in modes]
    return Planning(tuple(modes), np.array(noise), np.array(ratios, dtype=np.float64).reshape(len(modes), -1))


def _modes(transmitters: xr.Dataset) -> Sequence[ModeKey]:
    pairs = zip(transmitters["system"].values, transmitters["mode"].values, strict=True)
    return [(str(system), str(mode)) for system, mode in pairs]
