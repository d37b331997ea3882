"""The threshold method: a channel is occupied where a DTT field reaches a threshold (SM.2405, Annex 1)."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.budget import Budget, Term, strictest
from pipeline.config.config import Config
from pipeline.dtt.channel_files import ChannelFiles
from pipeline.dtt.station_rules import by_threshold, rule_of, thresholds_dbuvm
from pipeline.dtt.victims import ExplainedPixel, VictimLabel
from pipeline.grid import raster
from pipeline.radio.channel_plan import Offset, channel_centre_mhz, receiver_band
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
    return float(noise_dbuvm + NormalDist().inv_cdf(_PLANNING_Q) * coverage.location_sigma_db)


def occupied(field_dbuvm: NDArray[np.float32], from_dbuvm: float | NDArray[np.float64]) -> NDArray[np.bool_]:
    """Where a field (any shape, NaN = none) reaches the threshold; compared as stored, never rounded.

    ``from_dbuvm`` everywhere, or of each value; NaN: it reaches it nowhere.
    """
    return field_dbuvm >= from_dbuvm


class OccupiedPixels(NamedTuple):
    """Where a channel is occupied by threshold, bool[y, x], whose reception it is (``VictimLabel``), and why.

    Field and threshold in dB(uV/m) [y, x]; NaN: no station, or none that is protected by a threshold.
    """

    occupied: NDArray[np.bool_]
    label: NDArray[np.uint8]
    field_dbuvm: NDArray[np.float32]
    from_dbuvm: NDArray[np.float64]


class ChannelThresholds(NamedTuple):
    """Thresholds of a channel by server, index 0 none; NaN: not protected by one."""

    files: ChannelFiles
    from_dbuvm: NDArray[np.float64]
    label: NDArray[np.uint8]

    @property
    def used(self) -> bool:
        """Whether any station is protected by a threshold."""
        return bool(np.isfinite(self.from_dbuvm).any())

    def at(self, rows: slice, cols: slice) -> OccupiedPixels:
        """The occupied pixels of a part of the grid."""
        files = self.files
        field_dbuvm, server = (
            raster.read(files.coverage(ending), rows=rows, cols=cols, bands=[band]).values
            for ending, band in ((".tif", "field_dbuvm"), ("_class.tif", "server"))
        )
        from_dbuvm = self.from_dbuvm[server]
        taken = occupied(field_dbuvm, from_dbuvm)
        label = np.where(taken, self.label[server], np.uint8(VictimLabel.NONE))
        return OccupiedPixels(taken, label, field_dbuvm, from_dbuvm)


def channel_thresholds(config: Config, files: ChannelFiles) -> ChannelThresholds:
    """The thresholds of all stations of a channel, those of their own among them."""
    listed = json.loads(files.coverage("_servers.json").read_text(encoding="utf-8"))["transmitters"]
    own = [transmitter.get("country", "") in ("", *config.territory.home) for transmitter in listed]
    labels = [VictimLabel.HOME, *(VictimLabel.HOME if home else VictimLabel.FOREIGN for home in own)]
    rules = [rule_of(entry) for entry in listed]
    asked = config.protection.method == "threshold" or by_threshold(rules)
    common_dbuvm = threshold_dbuvm(config, files.channel) if asked else math.nan
    from_dbuvm = thresholds_dbuvm(rules, config.protection.method, common_dbuvm)
    return ChannelThresholds(files, from_dbuvm, np.array(labels, np.uint8))


def beside_dbm(config: Config, offset: Offset) -> float:
    """What a device may radiate at an offset from an occupied channel, in dBm: -inf or the cap beside it."""
    settings = config.protection.threshold
    if offset.number == 0 or settings.adjacent == "occupied":
        return -math.inf
    return settings.adjacent_cap_dbm[abs(offset.number)]


def explain_threshold(asked: ExplainedPixel, victims: Sequence[tuple[int, Offset]]) -> Budget | None:
    """The strictest channel whose field reaches the threshold in the pixel itself, and the next ones."""
    budgets = [_occupied_budget(asked, channel, offset) for channel, offset in victims]
    return strictest(budget for budget in budgets if budget is not None)


def _occupied_budget(asked: ExplainedPixel, channel: int, offset: Offset) -> Budget | None:
    """What one channel leaves in the pixel; None where its field does not reach the threshold."""
    rows, cols = asked.window
    thresholds = channel_thresholds(asked.config, ChannelFiles(asked.build, channel))
    if not thresholds.used or offset.number not in asked.config.protection.threshold.offsets:
        return None
    found = thresholds.at(rows, cols)
    if not found.occupied.all():
        return None
    permitted_dbm = beside_dbm(asked.config, offset)
    field_dbuvm, from_dbuvm = found.field_dbuvm.item(), found.from_dbuvm.item()
    note = f"{field_dbuvm:.2f} dB(uV/m) of {from_dbuvm:.2f}: occupied, offset {offset.number:+d}"
    name = "field threshold" if permitted_dbm == -math.inf else "cap beside an occupied channel"
    facts = {
        "kind": "pixel",
        "channel": channel,
        "row": asked.row,
        "col": asked.col,
        "offset": offset.number,
        "field_dbuvm": field_dbuvm,
        "threshold_dbuvm": from_dbuvm,
    }
    return Budget(facts, (Term(name, permitted_dbm, note),), int(found.label.item()))
