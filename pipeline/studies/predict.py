"""``channelmaps predict``: field strength and basic transmission loss of a table of links.

Cells become numbers, paths and codes, or the table is refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.errors import InputError
from pipeline.files import Output, check_outputs, kind_of_table, write_output_rows
from pipeline.propagation.models import Model, Surroundings, model_named, model_names, module_of
from pipeline.rows.row_models import finite
from pipeline.rows.text_records import check_columns, csv_cells, wrong_width

# --- the table of links -------------------------------------------------------------------------------------


_AREAS = {
    "rural": Surroundings.RURAL,
    "suburban": Surroundings.SUBURBAN,
    "urban": Surroundings.URBAN,
    "dense urban": Surroundings.DENSE_URBAN,
    "sea": Surroundings.SEA,
}
# Representative clutter height of each area (P.1546-6, Annex 5, sec. 9).
_CLUTTER_M = {
    Surroundings.RURAL: 10.0,
    Surroundings.SUBURBAN: 10.0,
    Surroundings.URBAN: 15.0,
    Surroundings.DENSE_URBAN: 20.0,
    Surroundings.SEA: 10.0,
}
_SECTIONS = ("land", "cold", "warm", "sea")
# What counts where a cell is empty; everything else is then absent.
_DEFAULTS = {"t_pct": 50.0, "q_pct": 50.0, "h2_m": 10.0}
# A length that is given twice, once in sections, may differ by what writing it with few digits does.
_LENGTH_TOLERANCE = 1e-3
T = TypeVar("T")
# What a number of a column can be at all; whether a model holds there is what ``valid`` says. Frequencies,
# distances and powers that are not positive have no field: ``valid`` 0 and nothing predicted.
_POSSIBLE = {
    "f_mhz": (-1e6, 1e6),
    "d_km": (-1e6, 1e6),
    "ptx_kw": (-1e6, 1e6),
    "heff_m": (-1e4, 1e5),
    "hb_m": (-1e4, 1e5),
    "ha_m": (0.0, 1e5),
    "h2_m": (-1e4, 1e5),
    "htter_m": (-1e3, 1e5),
    "hrter_m": (-1e3, 1e5),
    "R1_m": (0.0, 1e3),
    "R2_m": (0.0, 1e3),
    "wa_m": (0.0, 1e5),
    "tca_deg": (-90.0, 90.0),
    "eff1_deg": (-90.0, 90.0),
    "eff2_deg": (-90.0, 90.0),
}
# Of any other column, and the least that is not nothing: a micrometre, a millihertz, a milliwatt.
_ANY, _LEAST = (-1e9, 1e9), 1e-9


class Cells(NamedTuple):
    """A table with what an error message needs: the file and the line of each row."""

    table: pd.DataFrame
    file: str | None
    lines: Sequence[int]


class _LinkPath(NamedTuple):
    """Length of a path and its sea part in km, and whether it is warm or a single stretch of sea."""

    d_km: float
    sea_km: float
    warm_sea: bool
    only_sea: bool


def read_cells(path: Path) -> Cells:
    """Read a CSV with all cells as text, exactly as they stand."""
    lines = list(csv_cells(path))
    if not lines:
        raise InputError("holds no header", file=path, row=1, allowed="a header line with column names")
    header = lines[0][1]
    check_columns(path, [name.strip() for name in header], ())
    for line, cells in lines:
        if len(cells) != len(header):
            raise wrong_width(path, line, cells, header)
    table = pd.DataFrame([cells for _, cells in lines[1:]], columns=header, dtype=object)
    return Cells(table, str(path), [line for line, _ in lines[1:]])


def column_of(cells: Cells, name: str) -> object | None:
    """The label of the column called ``name`` but for surrounding blanks; None where there is none."""
    return next((label for label in cells.table.columns if str(label).strip() == name), None)


def read_links(cells: Cells, model: Model) -> dict[str, NDArray[np.float64]]:
    """The columns that ``model`` reads, float64[n] by name, NaN = not given; ``area`` as ``Surroundings``."""
    in_sections = "sea_km" in model.link_columns
    lengths_given = in_sections and column_of(cells, "d_v_km") is not None
    require_columns(cells, [name for name in model.link_required if name != "d_km" or not lengths_given])
    area = _areas(cells) if "area" in model.link_columns else []
    links: dict[str, NDArray[np.float64]] = {}
    if in_sections:
        found = _paths(cells)
        links = {name: np.array([getattr(path, name) for path in found], float) for name in _LinkPath._fields}
    for name in model.link_columns:
        if name == "area":
            links[name] = np.array(area, dtype=np.float64)
        elif name == "pathinfo":
            links[name] = _flags(cells, name)
        elif name not in links:
            links[name] = numbers(cells, name, _DEFAULTS.get(name, math.nan))
    if "R2_m" in links:
        default_m = np.array([_CLUTTER_M[code] for code in area])
        links["R2_m"] = np.where(np.isnan(links["R2_m"]), default_m, links["R2_m"])
    return links


def require_columns(cells: Cells, names: Sequence[str]) -> None:
    """InputError for the first of ``names`` that is no column."""
    for name in names:
        if column_of(cells, name) is None:
            raise InputError("column is missing", file=cells.file, row=1, field=name)


def parsed_column(cells: Cells, name: str, absent: T, parse: Callable[[str], T], allowed: str) -> list[T]:
    """Column ``name`` through ``parse``; ``absent`` for empty cells and for a column that is not there."""
    label = column_of(cells, name)
    if label is None:
        return [absent] * len(cells.table)
    values = []
    for value, line in zip(cells.table[label], cells.lines, strict=True):
        text = _text(value)
        try:
            values.append(parse(text) if text else absent)
        except ValueError:
            raise InputError(
                "not understood", file=cells.file, row=line, field=name, value=text, allowed=allowed
            ) from None
    return values


def _text(value: object) -> str:
    """A cell as text: NaN and None, which a table in memory holds for empty cells, are empty."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return str(value).strip()


def _number(text: str, low: float = _ANY[0], high: float = _ANY[1]) -> float:
    value = finite(text)
    if not low <= value <= high or 0.0 < abs(value) < _LEAST:
        raise ValueError(text)
    return value


def numbers(cells: Cells, name: str, absent: float = math.nan) -> NDArray[np.float64]:
    """Column ``name`` as float64[n]; ``absent`` where nothing is given."""
    low, high = _POSSIBLE.get(name, _ANY)
    allowed = f"a number from {low:g} to {high:g}, or nothing"
    return np.array(
        parsed_column(cells, name, absent, lambda text: _number(text, low, high), allowed), dtype=np.float64
    )


def _flags(cells: Cells, name: str) -> NDArray[np.float64]:
    """Column ``name`` of 0 and 1 as float64[n]; nothing given is 0."""

    def parse(text: str) -> float:
        value = _number(text)
        if value not in (0.0, 1.0):
            raise ValueError(text)
        return value

    return np.array(parsed_column(cells, name, 0.0, parse, "0 or 1"), dtype=np.float64)


def _areas(cells: Cells) -> list[Surroundings]:
    """Column ``area`` as codes; nothing given is rural."""

    def parse(text: str) -> Surroundings:
        if text.lower() not in _AREAS:
            raise ValueError(text)
        return _AREAS[text.lower()]

    return parsed_column(cells, "area", Surroundings.RURAL, parse, "Rural, Suburban, Urban, Dense Urban, Sea")


def _paths(cells: Cells) -> list[_LinkPath]:
    """Length and sea part of each link from ``d_km``, ``d_v_km`` and ``path_c``.

    One kind for one length, or as many kinds as sections; nothing given is a path over land.
    """
    totals_km = numbers(cells, "d_km")
    no_lengths: list[float] = []
    no_kinds: list[str] = []
    lengths_km = parsed_column(
        cells, "d_v_km", no_lengths, _sections_km, "numbers not below 0 separated by ;"
    )
    kinds = parsed_column(cells, "path_c", no_kinds, _section_kinds, "Land, Cold, Warm, Sea separated by ;")
    rows = zip(cells.lines, totals_km, lengths_km, kinds, strict=True)
    return [_path(cells.file, *row) for row in rows]


def _sections_km(text: str) -> list[float]:
    return [_number(part.strip(), 0.0, _POSSIBLE["d_km"][1]) for part in text.split(";")]


def _section_kinds(text: str) -> list[str]:
    kinds = [part.strip().lower() for part in text.split(";")]
    if not set(kinds) <= set(_SECTIONS):
        raise ValueError(text)
    return kinds


def _path(
    file: str | None, line: int, total_km: float, lengths_km: list[float], kinds: list[str]
) -> _LinkPath:
    """One path; the sections decide the length, which ``d_km`` must not contradict."""
    given = bool(lengths_km)
    if not given:
        lengths_km = [float(total_km)]
    if not kinds:
        kinds = ["land"] * len(lengths_km)
    if len(kinds) != len(lengths_km):
        allowed = f"{len(lengths_km)} kinds, one per length of d_v_km"
        raise InputError(
            "not one kind per section",
            file=file,
            row=line,
            field="path_c",
            value=";".join(kinds),
            allowed=allowed,
        )
    d_km = math.fsum(lengths_km) if given and len(lengths_km) > 1 else lengths_km[0]
    if given and abs(d_km - total_km) > _LENGTH_TOLERANCE * max(d_km, 1e-3):
        raise InputError(
            "sections do not add up to d_km",
            file=file,
            row=line,
            field="d_v_km",
            value=f"{d_km:g}",
            allowed=f"{total_km:g}",
        )
    sea_km = math.fsum(km for km, kind in zip(lengths_km, kinds, strict=True) if kind != "land")
    return _LinkPath(d_km, sea_km, "warm" in kinds, len(kinds) == 1 and kinds[0] != "land")


# --- prediction ---------------------------------------------------------------------------------------------


_OUTPUT_COLUMNS = ("field_dbuvm", "loss_db", "branch", "valid")


def predict_command(model: str, links: Path, out: Path) -> None:
    """Read ``links``, predict with ``model``, write ``out`` whole or not at all."""
    check_outputs([Output("--out", out, kind_of_table(*_OUTPUT_COLUMNS))], [links])
    cells = read_cells(links)
    predicted = predict_cells(cells, model)
    write_output_rows(out, list(predicted.columns), predicted.itertuples(index=False, name=None))


def predict_table(links: pd.DataFrame, model: str) -> pd.DataFrame:
    """``links`` with ``field_dbuvm``, ``loss_db``, ``branch``, ``valid`` added.

    Cells may be text or numbers, empty or NaN = not given. In messages the first row is line 2.
    """
    table = links.reset_index(drop=True)
    predicted = predict_cells(Cells(table, None, range(2, len(table) + 2)), model)
    for name in ("field_dbuvm", "loss_db"):
        predicted[name] = predicted[name].astype(np.float64)
    return predicted.set_axis(links.index)


def predict_cells(cells: Cells, name: str) -> pd.DataFrame:
    """The table with the output columns: numbers to 1e-6 dB, words and 0 or 1."""
    model = _model_for_links(name)
    for column in _OUTPUT_COLUMNS:
        if column_of(cells, column) is not None:
            raise InputError("is a column that predict writes", file=cells.file, row=1, field=column)
    links = read_links(cells, model)
    power_kw = numbers(cells, "ptx_kw", 1.0)
    e_1kw_dbuvm, regime, valid = module_of(model).predict_links(links)
    with np.errstate(invalid="ignore", divide="ignore"):
        power_dbkw = np.where(power_kw > 0.0, 10.0 * np.log10(power_kw), np.nan)
        loss_db = model.field_constant_db - e_1kw_dbuvm + 20.0 * np.log10(links["f_mhz"])
    field_dbuvm = e_1kw_dbuvm + power_dbkw
    known = ~np.isnan(field_dbuvm)
    table = cells.table.copy()
    table["field_dbuvm"] = [f"{value:.6f}" for value in field_dbuvm]
    table["loss_db"] = [f"{value:.6f}" for value in loss_db]
    table["branch"] = np.array(model.regimes, dtype=object)[np.where(known, regime, 0)]
    table["valid"] = (valid & known).astype(np.int64)
    return table


def _model_for_links(name: str) -> Model:
    """The row of the table; InputError for a model that predicts no links."""
    names = model_names("link")
    if name not in names:
        raise InputError("unknown model", field="model", value=name, allowed=", ".join(names))
    return model_named(name)
