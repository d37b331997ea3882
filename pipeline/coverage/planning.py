"""Planning values of a channel: noise field by wanted mode, protection ratio by mode and interferer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pipeline.config.reception import Coverage
from pipeline.errors import InputError
from pipeline.grid.geodesy import site_frames
from pipeline.radio.channel_plan import receiver_band
from pipeline.radio.noise import noise_field_dbuvm
from pipeline.reference.ratio_tables import ModeKey, ModeValues

# Channels whose transmitters count: the channel itself and its neighbours (protection.md, section 1).
OFFSETS = (-1, 0, 1)


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
    modes: Mapping[ModeKey, ModeValues],
    ratio_db: Callable[[ModeKey, int], float],
) -> Planning:
    """Noise fields and protection ratios for the wanted modes of a channel.

    ``modes``: C/N and noise bandwidth by (system, mode); ``ratio_db(wanted mode, offset)`` with the
    offset of the interferer. Modes that occur only in the adjacent channels get rows too, which nothing uses.
    """
    used = sorted(set(_modes(transmitters)))
    if missing := [key for key in used if key not in modes]:
        known = ", ".join(" ".join(key) for key in sorted(modes))
        raise InputError("unknown mode", field="multiplex_mode", value=" ".join(missing[0]), allowed=known)
    band = receiver_band(coverage, centre_mhz)
    antenna = (band.gain_dbd, band.feeder_db)
    noise = [
        noise_field_dbuvm(
            centre_mhz, modes[key].noise_bandwidth_mhz, coverage.noise_figure_db, modes[key].c_n_db, *antenna
        )
        for key in used
    ]
    offsets = (transmitters["channel"].values.astype(int) - channel).tolist()
    ratios = [[ratio_db(key, offset) for offset in offsets] for key in used]
    return Planning(tuple(used), np.array(noise), np.array(ratios, dtype=np.float64).reshape(len(used), -1))


def _modes(transmitters: xr.Dataset) -> Sequence[ModeKey]:
    pairs = zip(transmitters["system"].values, transmitters["mode"].values, strict=True)
    return [(str(system), str(mode)) for system, mode in pairs]
