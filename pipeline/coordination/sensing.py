"""What spectrum sensing can and cannot do (SM.2405, sections 5.2, 6.3, 6.4, Annex 2): calculators, no maps.

Sensing never makes a channel available here: receivers cannot be sensed, and a device that hears nothing may
be hidden behind buildings and hills. How far below the need of a detector the signal then is, the hidden-node
margin says.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from statistics import NormalDist
from typing import Annotated

from pydantic import Field

from pipeline.config.base import Number, Section
from pipeline.config.load import read_model
from pipeline.coordination.dfs import Dfs, detection_threshold_dbm, needs_detection, read_dfs
from pipeline.errors import InputError

# E [dB(uV/m)] = P [dBm at 0 dBi] + 20 log10 f [MHz] + 77.216 (docs/method.md, section 1).
_FIELD_TO_POWER_DB = 77.216
_THERMAL_DBM_PER_HZ = -173.975
_BEYOND_ALL_DBM = 200.0
_NORMAL = NormalDist()
NOT_DECIDED = "Occupancy does not decide availability (SM.2405 6.3)."


class SensingCase(Section):
    """A detector, the signal it must find, and what hides that signal."""

    f_mhz: Annotated[Number, Field(ge=30, le=6000)]
    """Centre of the channel."""
    bandwidth_mhz: Annotated[Number, Field(gt=0, le=100)]
    """Bandwidth that is sensed."""
    sensing_ms: Annotated[Number, Field(gt=0, le=1e6)]
    """Time of one measurement."""
    false_alarm_pct: Annotated[Number, Field(gt=0, lt=50)] = 1.0
    """Probability of hearing what is not there."""
    detection_pct: Annotated[Number, Field(gt=50, lt=100)] = 90.0
    """Probability of hearing what is there."""
    noise_uncertainty_db: Annotated[Number, Field(ge=0, le=10)] = 1.0
    """How well the detector knows its own noise."""
    noise_figure_db: Annotated[Number, Field(ge=0, le=30)] = 7.0
    """Noise figure of the detector."""
    antenna_gain_dbi: Annotated[Number, Field(ge=-20, le=30)] = 0.0
    """Gain of the detector's antenna."""
    field_dbuvm: Annotated[Number, Field(ge=0, le=120)]
    """Median field at 10 m of a receiver that is just served."""
    height_loss_db: Annotated[Number, Field(ge=0, le=60)] = 0.0
    """From 10 m down to the detector."""
    wall_loss_db: Annotated[Number, Field(ge=0, le=60)] = 0.0
    """Of the building around the detector."""
    certainty_pct: Annotated[Number, Field(ge=50, lt=100)] = 99.0
    """Share of hidden places to be allowed for."""
    sigma_db: Annotated[Number, Field(ge=0, le=20)] = 5.5
    """Standard deviation with location, of receiver and detector alike."""


def snr_needed(case: SensingCase) -> dict[str, float | None]:
    """Signal-to-noise ratios as fractions that detectors need; None: no closed form."""
    products = 1e3 * case.bandwidth_mhz * case.sensing_ms
    distance = _NORMAL.inv_cdf(1.0 - 0.01 * case.false_alarm_pct) + _NORMAL.inv_cdf(0.01 * case.detection_pct)
    uncertainty = 10.0 ** (0.1 * case.noise_uncertainty_db)
    energy, wall = distance / math.sqrt(products), uncertainty - 1.0 / uncertainty
    return {
        "energy": energy,
        "energy_wall": wall,
        "energy_needed": max(energy, wall),
        "matched_filter": distance**2 / products,
        "waveform": None,
        "cyclostationary": None,
    }


def hidden_level_dbm(case: SensingCase) -> float:
    """Level at the detector where a receiver is just served and the detector badly placed."""
    open_dbm = case.field_dbuvm - 20.0 * math.log10(case.f_mhz) - _FIELD_TO_POWER_DB + case.antenna_gain_dbi
    spread_db = _NORMAL.inv_cdf(0.01 * case.certainty_pct) * math.sqrt(2.0) * case.sigma_db
    return open_dbm - case.height_loss_db - case.wall_loss_db - spread_db


def _noise_dbm(case: SensingCase) -> float:
    return _THERMAL_DBM_PER_HZ + 60.0 + 10.0 * math.log10(case.bandwidth_mhz) + case.noise_figure_db


def level_needed_dbm(case: SensingCase) -> float:
    """Least level that an energy detector finds."""
    needed = snr_needed(case)["energy_needed"]
    assert needed is not None
    return _noise_dbm(case) + 10.0 * math.log10(needed)


def sensing_document(case: SensingCase) -> dict[str, object]:
    """All results as plain data; margins are negative where the detector misses the signal."""
    noise_dbm = _noise_dbm(case)
    snr_db = hidden_level_dbm(case) - noise_dbm
    needed_db = {
        name: None if value is None or value <= 0.0 else 10.0 * math.log10(value)
        for name, value in snr_needed(case).items()
    }
    return {
        "note": NOT_DECIDED,
        "level_dbm": hidden_level_dbm(case),
        "noise_dbm": noise_dbm,
        "snr_db": snr_db,
        "snr_needed": snr_needed(case),
        "snr_needed_db": needed_db,
        "margin_db": {
            name: None if (need := needed_db[name]) is None else snr_db - need
            for name in ("energy_needed", "matched_filter", "waveform", "cyclostationary")
        },
        "without_closed_form": {
            "waveform": "short and reliable; needs prior information (SM.2405, Table A2-1)",
            "cyclostationary": "works at low signal-to-noise ratios; costly (SM.2405, Table A2-1)",
        },
    }


def sensing_command(config: Path) -> None:
    """Print what a detector needs and what it gets, as JSON."""
    print(json.dumps(sensing_document(read_model(config, SensingCase)), indent=1))


def dfs_document(f_mhz: float, bandwidth_mhz: float, eirp_dbm: float) -> dict[str, object]:
    """Threshold and times for a channel and e.i.r.p.; ``dfs`` False: the channel is in no band for it."""
    if not (bandwidth_mhz > 0.0 and f_mhz > 0.5 * bandwidth_mhz):
        raise InputError("no channel", row="--bandwidth-mhz", value=bandwidth_mhz, allowed="more than 0")
    dfs: Dfs = read_dfs()
    if not needs_detection(dfs, f_mhz - 0.5 * bandwidth_mhz, f_mhz + 0.5 * bandwidth_mhz):
        return {"dfs": False}
    return {
        "dfs": True,
        "threshold_dbm": detection_threshold_dbm(dfs, _eirp_mw(dfs, eirp_dbm)),
        "averaging_us": dfs.averaging_us.value,
        "availability_check_s": dfs.availability_check_s.value,
        "non_occupancy_min": dfs.non_occupancy_min.value,
        "channel_move_s": dfs.channel_move_s.value,
    }


def _eirp_mw(dfs: Dfs, eirp_dbm: float) -> float:
    """To 0.01 mW (23.0103 dBm are 200 mW); InputError beyond the last threshold and for what is no number."""
    most_mw = dfs.thresholds[-1].to_mw
    # The power of ten of any number may be none at all.
    eirp_mw = round(10.0 ** (0.1 * min(eirp_dbm, _BEYOND_ALL_DBM)), 2)
    if not (math.isfinite(eirp_dbm) and eirp_mw <= most_mw):
        allowed = f"up to {10.0 * math.log10(most_mw):g} dBm"
        problem = "no detection threshold for this e.i.r.p."
        raise InputError(problem, row="--eirp-dbm", value=eirp_dbm, allowed=allowed)
    return eirp_mw


def dfs_command(f_mhz: float, bandwidth_mhz: float, eirp_dbm: float, *, as_json: bool) -> None:
    """Print the parameters of DFS, or that there are none."""
    document = dfs_document(f_mhz, bandwidth_mhz, eirp_dbm)
    if as_json:
        print(json.dumps(document, indent=1))
    elif document["dfs"]:
        print("\n".join(f"{name} {value}" for name, value in document.items() if name != "dfs"))
    else:
        print("no DFS here")
