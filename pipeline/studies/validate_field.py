"""``channelmaps validate-field``: measured field strengths against models of coverage of a territory."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from pipeline.config.config import Config
from pipeline.config.reception import sees_profiles
from pipeline.errors import InputError
from pipeline.files import PNG_FILE, check_output_folder, csv_text, kind_of_table, write_output
from pipeline.plan.no_effect import cover_unread
from pipeline.plan.territory_file import files_read, load_config
from pipeline.propagation.models import model_names
from pipeline.registers.transmitters import read_register
from pipeline.studies.field_statistics import (
    KEPT,
    REMOVED,
    Statistics,
    difference_db,
    residual_db,
    statistics,
)
from pipeline.studies.measured_fields import (
    Measurement,
    Predicted,
    branches_of,
    predict_rows,
    read_measurements,
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
_MORE_ROW_COLUMNS = ("model", "network_db", "branch", "residual_db")
_STATISTICS_COLUMNS = ("group", "n", "bias_db", "sigma_db", "rms_db")
_MORE_STATISTICS_COLUMNS = ("model", "by", "offset")
# What tells an earlier output from any other table: the columns that it always had.
_PRODUCTS = {
    "rows.csv": kind_of_table(*_ROW_COLUMNS),
    "statistics.csv": kind_of_table(*_STATISTICS_COLUMNS),
    "fields.png": PNG_FILE,
}
_Lines = Iterator[dict[str, object]]


def validate_field_command(
    measurements: Path,
    config_path: Path,
    out: Path | None = None,
    *,
    models: str | None = None,
    fit_offset: bool = False,
) -> None:
    """Print bias and standard deviation; with ``out`` write the rows, the statistics and a picture there.

    ``models``: names with commas between, None that of the territory; ``fit_offset``: also with the mean
    difference of each transmitter removed.
    """
    config = load_config(config_path)
    names = _models_of(config, models)
    if unread := cover_unread(config, *names):
        print(unread)
    if out is not None:
        check_output_folder("--out", out, _PRODUCTS, [measurements, *files_read(config)])
    register, _ = read_register(config)
    rows = read_measurements(measurements, register)
    predicted = predict_rows(config, register, rows, names, measurements)
    branches = branches_of(predicted)
    found = {name: statistics(rows, predicted[name], branches, fit_offset=fit_offset) for name in names}
    for name, entries in found.items():
        print(*_text(name, entries, fit_offset), sep="\n")
    if out is not None:
        _write(out, config, rows, predicted, found, fit_offset)


def _models_of(config: Config, models: str | None) -> list[str]:
    """Different models of coverage that the territory has the data for, in the order given."""
    if models is None:
        return [config.propagation.coverage_model]
    known = model_names("coverage")
    names = list(dict.fromkeys(name.strip() for name in models.split(",")))
    for name in names:
        if name not in known:
            raise InputError(
                "no such model of coverage", field="--models", value=name, allowed=", ".join(known)
            )
        if sees_profiles(name) and config.terrain.dem is None:
            raise InputError(
                "needs terrain.dem", field="--models", value=name, allowed="a territory with a terrain model"
            )
    return names


# --- what is printed and written ----------------------------------------------------------------------------


def _text(model: str, entries: Sequence[Statistics], fit_offset: bool) -> Iterator[str]:
    """The statistics of a model as lines; what the offsets are and leave, if they are fitted."""
    yield f"{model}, predicted less measured:"
    yield from (_line(entry) for entry in entries if entry.offset == KEPT)
    if not fit_offset:
        return
    masts = [entry for entry in entries if entry.by == "transmitter"]
    yield f"{model}, the bias of each transmitter removed ({sum(entry.n > 1 for entry in masts)} offsets):"
    left = [entry for entry in entries if entry.offset == REMOVED]
    yield from (_line(entry) for entry in left)
    single = [entry.group for entry in masts if entry.n == 1]
    if single:
        yield f"  left out, one measurement is its own offset and leaves nothing: {', '.join(single)}"


def _line(entry: Statistics) -> str:
    # A mechanism is that of P.1812 along the path, whichever model is held against the field there.
    group = f"P.1812: {entry.group}" if entry.by == "branch" else entry.group
    numbers = f"bias {entry.bias_db:7.2f} dB  sigma {in_db(entry.sigma_db):>6} dB  rms {entry.rms_db:6.2f} dB"
    return f"  {group:<24} n {entry.n:6d}  {numbers}"


def in_db(value_db: float, digits: int = 2) -> str:
    """A number of dB; a dash for the spread of one value, which is none."""
    return "-" if math.isnan(value_db) else f"{value_db:.{digits}f}"


def _write(
    out: Path,
    config: Config,
    rows: Sequence[Measurement],
    predicted: Mapping[str, Sequence[Predicted]],
    found: Mapping[str, Sequence[Statistics]],
    fit_offset: bool,
) -> None:
    """The tables and the picture; a model's rows stand together."""
    out.mkdir(parents=True, exist_ok=True)
    lines = [line for name in predicted for line in _lines(config, rows, name, predicted[name], fit_offset)]
    write_output(out / "rows.csv", csv_text((*_ROW_COLUMNS, *_MORE_ROW_COLUMNS), lines))
    numbers = [line for name in found for line in _numbers(name, found[name])]
    write_output(out / "statistics.csv", csv_text((*_STATISTICS_COLUMNS, *_MORE_STATISTICS_COLUMNS), numbers))
    pairs = {
        panel_title(name, found[name]): np.array(
            [(row.field_dbuvm, p.field_dbuvm) for row, p in zip(rows, predicted[name], strict=True)]
        )
        for name in predicted
    }
    draw_fields(out / "fields.png", config.name, pairs)


def panel_title(model: str, entries: Sequence[Statistics]) -> str:
    """A model with the numbers of all its rows."""
    overall = entries[0]
    return f"{model}: n {overall.n}, bias {overall.bias_db:.2f} dB, sigma {in_db(overall.sigma_db)} dB"


def _lines(
    config: Config, rows: Sequence[Measurement], model: str, predicted: Sequence[Predicted], fit_offset: bool
) -> _Lines:
    difference = difference_db(rows, predicted)
    left_db = residual_db(difference, predicted) if fit_offset else np.full(len(rows), math.nan)
    for row, p, whole_db, rest_db in zip(rows, predicted, difference, left_db, strict=True):
        values = (
            row.lon,
            row.lat,
            row.h2_m or config.coverage.receiver_height_m,
            p.channel,
            p.transmitter,
            f"{p.d_km:.4f}",
            row.field_dbuvm,
            f"{p.field_dbuvm:.3f}",
            f"{whole_db:.3f}",
            model,
            f"{p.network_db:.3f}",
            p.branch,
            _cell(rest_db),
        )
        yield dict(zip((*_ROW_COLUMNS, *_MORE_ROW_COLUMNS), values, strict=True))


def _numbers(model: str, found: Sequence[Statistics]) -> _Lines:
    for entry in found:
        numbers = [_cell(value) for value in (entry.bias_db, entry.sigma_db, entry.rms_db)]
        values = (entry.group, entry.n, *numbers, model, entry.by, entry.offset)
        yield dict(zip((*_STATISTICS_COLUMNS, *_MORE_STATISTICS_COLUMNS), values, strict=True))


def _cell(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.3f}"
