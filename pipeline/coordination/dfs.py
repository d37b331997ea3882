"""Dynamic frequency selection in 5 GHz (SM.2405, Table A2-3): bands, detection thresholds, times."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pipeline.config.base import Sourced
from pipeline.config.load import read_model
from pipeline.errors import InputError
from pipeline.shipped import TABLES

_DFS_TABLE = TABLES / "dfs.yaml"


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class DfsBand(_Entry):
    """A band in which radars have to be detected."""

    from_mhz: float
    to_mhz: float
    source: str
    verified: bool


class DfsThreshold(_Entry):
    """Detection threshold in dBm for from_mw <= e.i.r.p. < to_mw."""

    from_mw: Annotated[float, Field(ge=0)]
    to_mw: float
    threshold_dbm: float
    source: str
    verified: bool


class Dfs(_Entry):
    """All parameters; thresholds follow each other without gap."""

    bands_mhz: list[DfsBand]
    thresholds: Annotated[list[DfsThreshold], Field(min_length=1)]
    averaging_us: Sourced
    availability_check_s: Sourced
    non_occupancy_min: Sourced
    channel_move_s: Sourced

    @model_validator(mode="after")
    def _without_gaps(self) -> Dfs:
        for below, above in zip(self.thresholds, self.thresholds[1:], strict=False):
            if below.to_mw != above.from_mw:
                raise ValueError("thresholds overlap or leave a gap")
        return self


def read_dfs(path: Path = _DFS_TABLE) -> Dfs:
    """The table; InputError if it is not complete."""
    return read_model(path, Dfs)


def detection_threshold_dbm(dfs: Dfs, eirp_mw: float) -> float:
    """Threshold at 0 dBi for a largest e.i.r.p.; the strongest devices of the table are the last allowed."""
    for threshold in dfs.thresholds:
        if threshold.from_mw <= eirp_mw < threshold.to_mw:
            return threshold.threshold_dbm
    last = dfs.thresholds[-1]
    if eirp_mw == last.to_mw:
        return last.threshold_dbm
    raise InputError(
        "no detection threshold for this e.i.r.p.",
        field="eirp_mw",
        value=eirp_mw,
        allowed=f"{dfs.thresholds[0].from_mw:g} to {last.to_mw:g} mW",
    )


def needs_detection(dfs: Dfs, from_mhz: float, to_mhz: float) -> bool:
    """Whether a channel is in a band of the table, be it in part."""
    return any(band.from_mhz < to_mhz and from_mhz < band.to_mhz for band in dfs.bands_mhz)
