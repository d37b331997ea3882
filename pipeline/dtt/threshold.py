"""The threshold method: a channel is occupied where a DTT field reaches a threshold (SM.2405, Annex 1)."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from pipeline.budget import Budget, Term
from pipeline.config.config import Config
from pipeline.dtt.channel_files import ChannelFiles
from pipeline.dtt.victims import ExplainedPixel, VictimLabel
from pipeline.grid import raster
from pipeline.radio.channel_plan import channel_centre_mhz, receiver_band
from pipeline.radio.noise import noise_field_dbuvm
from pipeline.reference.ratio_tables import read_protection_tables
from pipeline.reference.ratios import known_mode

# Planning fields hold at 95 % of locations (BT.2036, GE06).
_PLANNING_Q = 0.95


def threshold_dbuvm(config: Config, channel: int) -> float:
    """Field at 10 m from which a channel is occupied: configured, or planning field of the default mode.

    E_med = E_n + mu sigma for 95 % of locations (docs/method.md, section 13).
    """
    given = config.protection.threshold.field_dbuvm
    if given is not None:
        return given.value
    coverage, f_mhz = config.coverage, channel_centre_mhz(config.channels, channel)
    default = (coverage.default_mode.system, coverage.default_mode.mode)
    mode = known_mode(read_protection_tables(config.protection), default)
    band = receiver_band(coverage, f_mhz)
    noise_dbuvm = noise_field_dbuvm(
        f_mhz, mode.noise_bandwidth_mhz, coverage.noise_figure_db, mode.c_n_db, band.gain_dbd, band.feeder_db
    )
    return float(noise_dbuvm + ndtri(_PLANNING_Q) * coverage.location_sigma_db)


def occupied(field_dbuvm: NDArray[np.float32], from_dbuvm: float) -> NDArray[np.bool_]:
    """Where a field (any shape, NaN = none) reaches the threshold; compared as stored, never rounded."""
    return field_dbuvm >= from_dbuvm


def explain_threshold(asked: ExplainedPixel, channels: Iterable[int]) -> Budget | None:
    """The first channel whose field reaches the threshold in the pixel itself; None if none does."""
    rows, cols = asked.window
    for channel in channels:
        path = ChannelFiles(asked.build, channel).coverage(".tif")
        field_dbuvm = raster.read(path, rows=rows, cols=cols, bands=["field_dbuvm"]).values
        from_dbuvm = threshold_dbuvm(asked.config, channel)
        if occupied(field_dbuvm, from_dbuvm).all():
            note = f"{field_dbuvm.item():.2f} dB(uV/m) of {from_dbuvm:.2f}: occupied"
            facts = {"kind": "pixel", "channel": channel, "row": asked.row, "col": asked.col}
            return Budget(facts, (Term("field threshold", -math.inf, note),), int(VictimLabel.HOME))
    return None
