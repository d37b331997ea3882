"""``channelmaps validate-field``: measured field strengths against the coverage model of a territory.

A row of the table is a location, and of one transmitter or of the strongest of a channel.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from pydantic import Field, ValidationInfo, model_validator

from pipeline.config.config import Config
from pipeline.config.reception import sees_profiles
from pipeline.coverage.point_fields import ground_of_points, point_fields, point_inputs, sweeps_to_points
from pipeline.coverage.profile_fields import ground_of_paths, profile_fields
from pipeline.errors import InputError
from pipeline.files import PNG_FILE, check_output_folder, csv_text, kind_of_table, write_output
from pipeline.plan.territory_file import files_read, load_config
from pipeline.registers.transmitters import read_register
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
from pipeline.studies.pictures import draw_fields

_ROW_COLUMNS = (
    "lon",
    "lat",
    "h2_m",
    "channel",
    "transmitter",
    "d_km",
    "measured_dbuvm",
    "predicted_dbuvm",
    "difference_db",
)
_Height = Annotated[float, Field(ge=1, le=50)]
_Channel = Annotated[int, Field(ge=1, le=99)]
_STATISTICS_COLUMNS = ("group", "n", "bias_db", "sigma_db", "rms_db")
_PRODUCTS = {
    "rows.csv": kind_of_table(*_ROW_COLUMNS),
    "statistics.csv": kind_of_table(*_STATISTICS_COLUMNS),
    "fields.png": PNG_FILE,
}


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
    """What the model says of one measurement: transmitter, distance, field."""

    transmitter: str
    channel: int
    d_km: float
    field_dbuvm: float


class Statistics(NamedTuple):
    """Predicted less measured: mean, sample standard deviation (NaN for one row), root mean square."""

    group: str
    n: int
    bias_db: float
    sigma_db: float
    rms_db: float


def validate_field_command(measurements: Path, config_path: Path, out: Path | None = None) -> None:
    """Print bias and standard deviation; with ``out`` write the rows, the statistics and a picture there."""
    config = load_config(config_path)
    if out is not None:
        check_output_folder("--out", out, _PRODUCTS, [measurements, *files_read(config)])
    register, _ = read_register(config)
    rows = read_measurements(measurements, register)
    predicted = predict_rows(config, register, rows)
    _refuse_far(measurements, config, rows, predicted)
    found = statistics(rows, predicted)
    model = config.propagation.coverage_model
    print(f"{model}, predicted less measured:")
    for entry in found:
        print(
            f"  {entry.group:<24} n {entry.n:6d}  bias {entry.bias_db:7.2f} dB  "
            f"sigma {entry.sigma_db:6.2f} dB  rms {entry.rms_db:6.2f} dB"
        )
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        write_output(out / "rows.csv", csv_text(_ROW_COLUMNS, [*_lines(config, rows, predicted)]))
        write_output(out / "statistics.csv", csv_text(_STATISTICS_COLUMNS, [*_numbers(found)]))
        pairs = np.array([(row.field_dbuvm, p.field_dbuvm) for row, p in zip(rows, predicted, strict=True)])
        overall = found[0]
        numbers = f"n {overall.n}, bias {overall.bias_db:.2f} dB, sigma {overall.sigma_db:.2f} dB"
        draw_fields(out / "fields.png", f"{config.name}, {model}: {numbers}", pairs)


def read_measurements(path: Path, register: xr.Dataset) -> list[Measurement]:
    """Checked rows; each names a transmitter of the register, or a channel that has one."""
    channels = dict(zip(register["id"].values.tolist(), register["channel"].values.tolist(), strict=True))
    return read_rows(path, Measurement, context=channels)


def _refuse_far(
    path: Path, config: Config, rows: Sequence[Measurement], predicted: Sequence[Predicted]
) -> None:
    """Refuse a place where no map uses the transmitter: its coordinates cannot be right."""
    for row, found in zip(rows, predicted, strict=True):
        if found.d_km > config.channels.reach_km:
            raise InputError(
                f"is {found.d_km:.0f} km from transmitter {found.transmitter}; are lon and lat exchanged?",
                file=path,
                row=row.row,
                field="lon, lat",
                value=f"{row.lon:g}, {row.lat:g}",
                allowed=f"within channels.reach_km ({config.channels.reach_km:g} km)",
            )


def _channel_of(row: Measurement, register: xr.Dataset) -> int:
    """The channel of a measurement."""
    if not row.transmitter and row.channel is not None:
        return row.channel
    return int(register["channel"].values[np.flatnonzero(register["id"].values == row.transmitter)[0]])


def predict_rows(config: Config, register: xr.Dataset, rows: Sequence[Measurement]) -> list[Predicted]:
    """The prediction for every row: its transmitter, or the strongest one of its channel."""
    channels = np.array([_channel_of(row, register) for row in rows])
    heights_m = np.array([row.h2_m or config.coverage.receiver_height_m for row in rows])
    found: dict[int, Predicted] = {}
    for channel in np.unique(channels).tolist():
        network = register.isel(transmitter=np.flatnonzero(register["channel"].values == channel))
        mine = np.flatnonzero(channels == channel)
        lon_deg, lat_deg = np.array([(rows[i].lon, rows[i].lat) for i in mine.tolist()]).T
        job = point_inputs(config, network, sweeps_to_points(config, network, lon_deg, lat_deg), channel)
        by_profile = sees_profiles(config.propagation.coverage_model)
        paths = ground_of_paths(config, network, lon_deg, lat_deg) if by_profile else None
        ground_m = ground_of_points(config, network, lon_deg, lat_deg)
        ids = network["id"].values.tolist()
        for h2_m in np.unique(heights_m[mine]).tolist():
            here = np.flatnonzero(heights_m[mine] == h2_m)
            places = lon_deg[here], lat_deg[here], h2_m
            if paths is None:
                fields = [point_fields(job, t, *places, ground_m[here]) for t in range(len(ids))]
            else:
                alone = [network.isel(transmitter=[t]) for t in range(len(ids))]
                fields = [profile_fields(config, alone[t], job, t, paths, *places) for t in range(len(ids))]
            for k, i in enumerate(mine[here].tolist()):
                found[i] = _chosen(rows[i].transmitter, ids, fields, k, channel)
    return [found[i] for i in range(len(rows))]


def _chosen(
    wanted: str,
    ids: Sequence[str],
    fields: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]],
    k: int,
    channel: int,
) -> Predicted:
    """The transmitter asked for, or the one with the largest field at place k."""
    t = ids.index(wanted) if wanted else int(np.argmax([field_dbuvm[k] for field_dbuvm, _ in fields]))
    field_dbuvm, d_km = fields[t]
    return Predicted(ids[t], channel, float(d_km[k]), float(field_dbuvm[k]))


def statistics(rows: Sequence[Measurement], predicted: Sequence[Predicted]) -> list[Statistics]:
    """All rows together, then each transmitter."""
    difference_db = np.array(
        [p.field_dbuvm - row.field_dbuvm for row, p in zip(rows, predicted, strict=True)]
    )
    names = np.array([p.transmitter for p in predicted])
    groups = [("all", np.ones(names.size, dtype=np.bool_))]
    groups += [(str(name), names == name) for name in np.unique(names)]
    return [_statistics(group, difference_db[chosen]) for group, chosen in groups]


def _statistics(group: str, difference_db: NDArray[np.float64]) -> Statistics:
    sigma_db = float(np.std(difference_db, ddof=1)) if difference_db.size > 1 else math.nan
    rms_db = float(np.sqrt(np.mean(difference_db**2)))
    return Statistics(group, difference_db.size, float(np.mean(difference_db)), sigma_db, rms_db)


def _lines(
    config: Config, rows: Sequence[Measurement], predicted: Sequence[Predicted]
) -> Iterable[dict[str, object]]:
    for row, p in zip(rows, predicted, strict=True):
        h2_m = row.h2_m or config.coverage.receiver_height_m
        values = (
            row.lon,
            row.lat,
            h2_m,
            p.channel,
            p.transmitter,
            f"{p.d_km:.4f}",
            row.field_dbuvm,
            f"{p.field_dbuvm:.3f}",
            f"{p.field_dbuvm - row.field_dbuvm:.3f}",
        )
        yield dict(zip(_ROW_COLUMNS, values, strict=True))


def _numbers(found: Sequence[Statistics]) -> Iterable[dict[str, object]]:
    for entry in found:
        numbers = ["" if math.isnan(value) else f"{value:.3f}" for value in entry[2:]]
        yield dict(zip(_STATISTICS_COLUMNS, (entry.group, entry.n, *numbers), strict=True))
