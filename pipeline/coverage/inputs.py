"""What the blocks of a channel are computed from: planning values, stations, model and receiver as arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pipeline.config.config import Config
from pipeline.config.reception import Coverage
from pipeline.coverage.fields import CoverageModel, FieldModel, TvReceiver
from pipeline.coverage.network import OFFSETS
from pipeline.coverage.packed import pack_paths, pack_stations
from pipeline.coverage.tile_state import ChannelInputs, ReceptionRules
from pipeline.errors import InputError
from pipeline.propagation.hata import Environment
from pipeline.propagation.models import Surroundings
from pipeline.propagation.p1546.curves import load_curves
from pipeline.propagation.p1546.pixel import prepare
from pipeline.radio.channel_plan import channel_centre_mhz, receiver_band
from pipeline.radio.noise import noise_field_dbuvm
from pipeline.reference.ratio_tables import ModeKey, ModeValues, read_protection_tables
from pipeline.reference.ratios import dtt_ratio_db
from pipeline.terrain.records import Sweep


class Planning(NamedTuple):
    """``modes`` in order of rows; ``noise_dbuvm`` [mode]; ``ratio_db`` [mode, transmitter]."""

    modes: tuple[ModeKey, ...]
    noise_dbuvm: NDArray[np.float64]
    ratio_db: NDArray[np.float64]


def planning_of(config: Config, transmitters: xr.Dataset, channel: int) -> Planning:
    """Planning values from the tables that the configuration names."""
    tables = read_protection_tables(config.protection)
    return planning_values(
        transmitters,
        channel,
        channel_centre_mhz(config.channels, channel),
        config.coverage,
        tables.modes,
        lambda mode, offset: dtt_ratio_db(tables, mode, offset),
    )


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


def channel_inputs(
    transmitters: xr.Dataset, sweeps: Mapping[str, Sweep], planning: Planning, config: Config, channel: int
) -> ChannelInputs:
    """Arrays for the kernels.

    ``transmitters`` as of ``network.select_channel``; ``sweeps`` terrain profiles by mast key.
    """
    coverage = config.coverage
    masts = sorted({str(key) for key in transmitters["mast"].values})
    agl_m = dict(zip(transmitters["mast"].values, transmitters["antenna_height_agl_m"].values, strict=True))
    rules = ReceptionRules(
        planning.ratio_db,
        planning.noise_dbuvm,
        coverage.location_sigma_db,
        coverage.location_sigma_db,
        # The threshold method asks for the field of any transmitter (docs/method.md, section 13).
        coverage.protect_spillover or config.protection.method == "threshold",
    )
    stations = pack_stations(
        transmitters,
        channel,
        config.territory.home,
        planning.modes,
        masts,
        coverage.guard_us,
        coverage.default_guard_us,
    )
    return ChannelInputs(
        stations,
        pack_paths([sweeps[key] for key in masts], [float(agl_m[key]) for key in masts]),
        _field_model(config, channel),
        _receiver(config, channel),
        rules,
        coverage.q_min.value,
        coverage.min_density_per_km2,
    )


def _field_model(config: Config, channel: int) -> FieldModel:
    """The model at the channel and its neighbours; a neighbour outside the plan has no transmitters."""
    centre_mhz = channel_centre_mhz(config.channels, channel)
    f_mhz = np.array([_centre_or(config, channel + offset, centre_mhz) for offset in OFFSETS])
    settings = config.propagation
    t_pct = (settings.wanted_time_pct, settings.nuisance_time_pct)
    curves = load_curves()
    prepared = tuple(prepare(curves, f, t) for f in f_mhz for t in t_pct)
    return FieldModel(int(CoverageModel[settings.coverage_model.upper()]), curves, prepared, f_mhz)


def _centre_or(config: Config, channel: int, otherwise_mhz: float) -> float:
    try:
        return channel_centre_mhz(config.channels, channel)
    except KeyError:
        return otherwise_mhz


def _receiver(config: Config, channel: int) -> TvReceiver:
    band = receiver_band(config.coverage, channel_centre_mhz(config.channels, channel))
    area = config.propagation.area
    environment = {"rural": Environment.OPEN, "suburban": Environment.SUBURBAN}.get(area, Environment.URBAN)
    return TvReceiver(
        config.coverage.receiver_height_m,
        config.propagation.clutter_height_m,
        int(Surroundings[area.upper()]),
        int(environment),
        config.territory.sea == "warm",
        band.flat_deg,
        band.end_deg,
        band.discrimination_db,
        config.coverage.cross_polar_db,
    )
