"""``channelmaps predict`` of a model that reads path profiles: a table of links, and one of profiles."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.config.territory import Clutter
from pipeline.errors import InputError
from pipeline.files import Output, check_outputs, kind_of_table, write_output_rows
from pipeline.propagation.models import Model, model_named, model_names, module_of
from pipeline.propagation.p1812.climate import Zone
from pipeline.propagation.p1812.profile_links import LINK_DEFAULTS, LINK_LIMITS, Prediction, Profile
from pipeline.rows.row_models import finite
from pipeline.rows.text_records import read_csv
from pipeline.studies.predict import (
    Cells,
    column_of,
    numbers,
    parsed_column,
    predict_command,
    read_cells,
    require_columns,
)
from pipeline.terrain.path_profiles import PathSources, box_of_path, load_surroundings, profile_between

_PROFILE_COLUMNS = ("i", "d_km", "h_amsl_m", "clutter_height_R_m", "zone")
# Those that tell a table of this command from any other.
_OUTPUT_COLUMNS = ("field_dbuvm", "loss_db", "branch", "valid", "path", "clear", "clearance_f1")
_POLARISATIONS = {"1": 1.0, "2": 2.0, "H": 1.0, "V": 2.0, "h": 1.0, "v": 2.0}
# Of what a map of the atmosphere would give; a default of these is named in the result.
_CLIMATE = ("DN", "N0")
_ENDS = ("lam_t", "phi_t", "lam_r", "phi_r")
# The terrain of a profile may lie anywhere on Earth, and nothing else.
_TERRAIN_M = (-500.0, 9000.0)
_SQUARE_DEG = 2.0


class ProfileSources(NamedTuple):
    """Where path profiles come from: a table, or elevations, with a land mask and land cover if there are."""

    profiles: Path | None = None
    dem: tuple[Path, ...] = ()
    land: Path | None = None
    clutter: tuple[Path, ...] = ()
    clutter_table: Path | None = None


_NO_PROFILES = ProfileSources()


def predict_links_command(
    model: str, links: Path, out: Path, *, sources: ProfileSources = _NO_PROFILES, intermediates: bool = False
) -> None:
    """Predict ``links`` with or without profiles, as the model has it; else InputError."""
    with_profiles, without = model_names("path"), model_names("link")
    if model not in (*with_profiles, *without):
        allowed = ", ".join((*without, *with_profiles))
        raise InputError("unknown model", field="--model", value=model, allowed=allowed)
    if model in with_profiles:
        _check_sources(sources)
        _predict_profiles(model_named(model), links, sources, out, intermediates)
        return
    for option, is_given in (_given(sources) | {"--intermediates": intermediates}).items():
        if is_given:
            raise InputError(
                "is not read by this model", field=option, value=model, allowed=", ".join(with_profiles)
            )
    predict_command(model, links, out)


def _given(sources: ProfileSources) -> dict[str, bool]:
    """By option whether it is given."""
    return {f"--{name.replace('_', '-')}": bool(value) for name, value in sources._asdict().items()}


def _check_sources(sources: ProfileSources) -> None:
    """Profiles come from a table or from elevations; a land mask and land cover belong to these."""
    if sources.profiles is None and not sources.dem:
        raise InputError(
            "reads path profiles", field="--profiles", allowed="a table of profiles, or --dem with elevations"
        )
    for option, is_given in _given(sources).items():
        if is_given and sources.profiles is not None and option != "--profiles":
            raise InputError("is not read with a table of profiles", field=option, allowed="one of the two")
    if bool(sources.clutter) != (sources.clutter_table is not None):
        missing = "--clutter-table" if sources.clutter else "--clutter"
        raise InputError(
            "is missing", field=missing, allowed="rasters of land cover with a table of their heights"
        )


def _predict_profiles(
    model: Model, links: Path, sources: ProfileSources, out: Path, intermediates: bool
) -> None:
    """Read the links and their profiles, predict, write ``out`` whole or not at all."""
    files = (links, sources.profiles, *sources.dem, sources.land, *sources.clutter, sources.clutter_table)
    read = [path for path in files if path is not None]
    check_outputs([Output("--out", out, kind_of_table(*_OUTPUT_COLUMNS))], read)
    cells = read_cells(links)
    assumed: tuple[str, ...] = ()
    if sources.profiles is None:
        columns = link_columns(cells, model)
        profiles = _profiles_of_terrain(cells, columns, sources)
        unknown = {"clutter_height_R_m": not sources.clutter, "zone": sources.land is None}
        assumed = tuple(name for name, is_unknown in unknown.items() if is_unknown)
    else:
        by_name = read_profiles(sources.profiles)
        profiles = profiles_of(cells, by_name, sources.profiles)
        columns = link_columns(cells, model)
    found: Prediction = module_of(model).predict_paths(columns, profiles)
    table = _with_results(cells, model, columns, found, intermediates, assumed)
    write_output_rows(out, list(table.columns), table.itertuples(index=False, name=None))


def _profiles_of_terrain(
    cells: Cells, columns: Mapping[str, NDArray[np.float64]], sources: ProfileSources
) -> list[Profile]:
    """The profile of each link between its terminals; InputError names the row whose terrain is unknown.

    Files are read once for all links from one square of ``_SQUARE_DEG``: links may be anywhere on Earth.
    """
    clutter = None
    if sources.clutter_table is not None:
        clutter = Clutter(raster=list(sources.clutter), table=sources.clutter_table)
    files = PathSources(sources.dem, sources.land, clutter)
    rows = range(len(cells.lines))
    ends_deg = [[float(columns[name][row]) for name in _ENDS] for row in rows]
    squares: dict[tuple[int, int], list[int]] = {}
    for row, (lam_t, phi_t, _, _) in enumerate(ends_deg):
        squares.setdefault((int(lam_t // _SQUARE_DEG), int(phi_t // _SQUARE_DEG)), []).append(row)
    found: dict[int, Profile] = {}
    for _, inside in sorted(squares.items()):
        paths = [
            ((ends_deg[row][0], ends_deg[row][1]), (ends_deg[row][2], ends_deg[row][3])) for row in inside
        ]
        west, south, east, north = zip(*(box_of_path(path) for path in paths), strict=True)
        with _options_named():
            ground = load_surroundings(files, (min(west), min(south), max(east), max(north)))
        for row, path in zip(inside, paths, strict=True):
            found[row] = profile_between(ground, path)
            _require_known(cells, row, found[row], sources)
    return [found[row] for row in rows]


@contextmanager
def _options_named() -> Iterator[None]:
    """Name the option whose files are at fault in place of the setting of a territory that they would be."""
    try:
        yield
    except InputError as error:
        if not str(error.row).startswith("terrain"):
            raise
        option = "--clutter" if error.row == "terrain.clutter" else "--dem"
        raise InputError(
            error.problem, file=error.file, field=option, value=error.value, allowed=error.allowed
        ) from None


def _require_known(cells: Cells, row: int, profile: Profile, sources: ProfileSources) -> None:
    """InputError with the row of a link of whose path the files do not know a part."""
    for what, heights_m, files in (
        ("elevations do", profile.terrain_m, sources.dem),
        ("land cover does", profile.cover_m, sources.clutter),
    ):
        unknown = np.isnan(heights_m)
        if unknown.any():
            raise InputError(
                f"the {what} not cover the path",
                file=cells.file,
                row=cells.lines[row],
                value=f"nothing {profile.d_km[np.argmax(unknown)]:.1f} km from the transmitter",
                allowed="links within " + ", ".join(str(path) for path in files),
            )


class _Sample(NamedTuple):
    """One sample of a profile: distance in km, terrain and height of the cover in m, zone."""

    d_km: float
    terrain_m: float
    cover_m: float
    zone: int


# --- profiles -----------------------------------------------------------------------------------------------


def read_profiles(path: Path, key: str = "link") -> dict[str, Profile]:
    """Profiles by name of a table with a row per sample, in order from the transmitter; else InputError.

    ``key``: the column with the names.
    """
    records = read_csv(path, (key, *_PROFILE_COLUMNS))
    if records.faults:
        raise records.faults[0]
    samples: dict[str, list[_Sample]] = {}
    for record in records.readable:
        name = record.values[key].strip()
        before = samples.setdefault(name, [])
        _check_order(path, record.row, record.values, before)
        before.append(_sample(path, record.row, record.values))
    for name, rows in samples.items():
        if len(rows) < 2:
            raise InputError("profile has one sample only", file=path, field=key, value=name, allowed="2")
    return {name: _profile(rows) for name, rows in samples.items()}


def _profile(rows: list[_Sample]) -> Profile:
    d_km, terrain_m, cover_m, zone = (np.array(column) for column in zip(*rows, strict=True))
    return Profile(d_km, terrain_m, cover_m, zone.astype(np.int64))


def _sample(path: Path, row: int, values: Mapping[str, str]) -> _Sample:
    """The sample of one row."""
    d_km = number_in(path, row, values, "d_km", 0.0, math.inf)
    terrain_m = number_in(path, row, values, "h_amsl_m", *_TERRAIN_M)
    cover_m = number_in(path, row, values, "clutter_height_R_m", 0.0, math.inf)
    zone = number_in(path, row, values, "zone", min(Zone), max(Zone))
    if zone not in set(Zone):
        allowed = ", ".join(f"{zone.value} {zone.name.lower().replace('_', ' ')}" for zone in Zone)
        raise InputError(
            "unknown zone", file=path, row=row, field="zone", value=values["zone"], allowed=allowed
        )
    return _Sample(d_km, terrain_m, cover_m, int(zone))


def _check_order(path: Path, row: int, values: Mapping[str, str], before: Sequence[_Sample]) -> None:
    """Samples are numbered from 0 without gaps, the first at 0 km, each farther than the one before."""
    index = number_in(path, row, values, "i", 0.0, math.inf)
    d_km = number_in(path, row, values, "d_km", 0.0, math.inf)
    if index != len(before):
        raise InputError(
            "sample out of order", file=path, row=row, field="i", value=values["i"], allowed=f"{len(before)}"
        )
    if d_km <= before[-1].d_km if before else d_km != 0.0:
        allowed = f"more than {before[-1].d_km:g}" if before else "0 at the first sample"
        raise InputError(
            "distance out of order", file=path, row=row, field="d_km", value=values["d_km"], allowed=allowed
        )


def number_in(
    path: Path, row: int, values: Mapping[str, str], field: str, lowest: float, highest: float
) -> float:
    """The number in a column of a row; InputError where there is none or it is out of range."""
    text = values[field].strip()
    try:
        value = finite(text)
    except ValueError:
        value = math.nan
    if not (lowest <= value <= highest) or math.isinf(value):
        allowed = f"a number from {lowest:g} to {highest:g}" if highest < math.inf else f"{lowest:g} or more"
        raise InputError("not understood", file=path, row=row, field=field, value=text, allowed=allowed)
    return value


# --- links --------------------------------------------------------------------------------------------------


def profiles_of(
    cells: Cells, profiles: Mapping[str, Profile], path: Path, key: str = "link"
) -> list[Profile]:
    """The profile of each link: one of those of ``path``, with as many points as the link says."""
    require_columns(cells, [key])
    names = parsed_column(cells, key, "", str, "")
    points = numbers(cells, "points")
    for name, count, line in zip(names, points, cells.lines, strict=True):
        if name not in profiles:
            raise InputError(
                "has no profile",
                file=cells.file,
                row=line,
                field=key,
                value=name,
                allowed=f"a {key} of {path}",
            )
        size = profiles[name].d_km.size
        if not math.isnan(count) and count != size:
            raise InputError(
                "is not the number of samples of the profile",
                file=cells.file,
                row=line,
                field="points",
                value=f"{count:g}",
                allowed=str(size),
            )
    return [profiles[name] for name in names]


def link_columns(cells: Cells, model: Model) -> dict[str, NDArray[np.float64]]:
    """The columns that the model reads, float64[n] by name, within their limits; NaN = not given."""
    require_columns(cells, model.link_required)
    columns = {name: numbers(cells, name, LINK_DEFAULTS.get(name, math.nan)) for name in LINK_LIMITS}
    columns["pol"] = np.array(parsed_column(cells, "pol", LINK_DEFAULTS["pol"], _polarisation, "1 H, 2 V"))
    for name, values in columns.items():
        if name in model.link_required:
            _refuse(cells, name, np.isnan(values), "a value")
        if name in LINK_LIMITS:
            _refuse(cells, name, _outside(values, *LINK_LIMITS[name]), _range_text(*LINK_LIMITS[name]))
    unknown_spread = (
        (columns["pL_pct"] != 50.0) & np.isnan(columns["sigma_loc_db"]) & np.isnan(columns["wa_m"])
    )
    _refuse(cells, "pL_pct", unknown_spread, "50, or another value with sigma_loc_db or wa_m")
    return columns


def _polarisation(text: str) -> float:
    if text not in _POLARISATIONS:
        raise ValueError(text)
    return _POLARISATIONS[text]


def _outside(values: NDArray[np.float64], lowest: float, highest: float, closed: bool) -> NDArray[np.bool_]:
    """Whether a given value lies outside its range."""
    inside = (lowest < values) & (values < highest)
    if closed:
        inside |= (values == lowest) | (values == highest)
    return ~inside & ~np.isnan(values)


def _range_text(lowest: float, highest: float, closed: bool) -> str:
    if math.isinf(highest):
        return f"{lowest:g} or more" if closed else f"above {lowest:g}"
    return f"{lowest:g} to {highest:g}" if closed else f"above {lowest:g} and below {highest:g}"


def _refuse(cells: Cells, name: str, wrong: NDArray[np.bool_], allowed: str) -> None:
    """InputError at the first row that is ``wrong``."""
    if not wrong.any():
        return
    row = int(np.argmax(wrong))
    label = column_of(cells, name)
    text = "" if label is None else str(cells.table[label].iloc[row])
    raise InputError(
        "is not allowed", file=cells.file, row=cells.lines[row], field=name, value=text, allowed=allowed
    )


# --- results ------------------------------------------------------------------------------------------------


def _with_results(
    cells: Cells,
    model: Model,
    columns: Mapping[str, NDArray[np.float64]],
    found: Prediction,
    intermediates: bool,
    assumed: tuple[str, ...],
) -> pd.DataFrame:
    """The table of links with its results: numbers of the field to 1e-9 dB, intermediates to 13 digits.

    ``assumed``: columns of profiles of which nothing is known.
    """
    power_kw = numbers(cells, "ptx_kw", 1.0)
    _refuse(cells, "ptx_kw", power_kw <= 0.0, "above 0")
    loss_db = model.field_constant_db + 20.0 * np.log10(columns["f_mhz"]) - found.field_dbuvm
    results: dict[str, Any] = {
        "field_dbuvm": [f"{value:.9f}" for value in found.field_dbuvm + 10.0 * np.log10(power_kw)],
        "loss_db": [f"{value:.9f}" for value in loss_db],
        "branch": np.array(model.regimes, dtype=object)[found.regime],
        "valid": found.valid.astype(np.int64),
        "path": found.path,
        "clear": found.clear,
        "clearance_f1": [f"{value:.13g}" for value in found.clearance_f1],
        "assumed": _assumed(cells, assumed),
    }
    if intermediates:
        results |= {name: [f"{x:.13g}" for x in values] for name, values in found.intermediates.items()}
    for name in results:
        if column_of(cells, name) is not None:
            raise InputError("is a column that predict writes", file=cells.file, row=1, field=name)
    return cells.table.assign(**results)


def _assumed(cells: Cells, of_profiles: tuple[str, ...]) -> list[str]:
    """The columns, by link, of which a default was taken: of the atmosphere and of profiles."""
    missing = {name: np.isnan(numbers(cells, name)) for name in _CLIMATE}
    return [
        ";".join((*(name for name in _CLIMATE if missing[name][row]), *of_profiles))
        for row in range(len(cells.table))
    ]
