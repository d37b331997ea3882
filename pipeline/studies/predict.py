"""``channelmaps predict``: field strength and basic transmission loss of a table of links."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.errors import InputError
from pipeline.files import write_output_rows
from pipeline.propagation.branches import Branch, branch_words
from pipeline.propagation.free_space import free_space_field_dbuvm
from pipeline.propagation.hata import Environment, extended_hata_loss_db, hata_loss_db
from pipeline.propagation.p1546.links import LINK_COLUMNS, p1546_links
from pipeline.propagation.p1546.tables import Area, load_curves
from pipeline.studies.link_table import (
    CLUTTER_M,
    Cells,
    LinkPath,
    areas,
    column_of,
    flags,
    numbers,
    paths,
    read_cells,
    require,
)
from pipeline.units import FIELD_TO_LOSS_DB

OUTPUT_COLUMNS = ("field_dbuvm", "loss_db", "branch", "valid")
_HATA_ENVIRONMENT = {
    Area.RURAL: Environment.OPEN,
    Area.SEA: Environment.OPEN,
    Area.SUBURBAN: Environment.SUBURBAN,
    Area.URBAN: Environment.URBAN,
    Area.DENSE_URBAN: Environment.URBAN,
}
Loss = Callable[[float, float, float, float, int], tuple[float, int, bool]]


class Prediction(NamedTuple):
    """Field of 1 kW e.r.p. in dB(uV/m), code of ``Branch`` and validity of each link, arrays [n]."""

    e_1kw_dbuvm: NDArray[np.float64]
    branch: NDArray[np.int64]
    valid: NDArray[np.bool_]


def predict_command(model: str, links: Path, out: Path) -> None:
    """Read ``links``, predict with ``model``, write ``out`` whole or not at all."""
    cells = read_cells(links)
    predicted = _predict(cells, model)
    write_output_rows(out, list(predicted.columns), predicted.itertuples(index=False, name=None))


def predict_table(links: pd.DataFrame, model: str) -> pd.DataFrame:
    """``links`` with ``field_dbuvm``, ``loss_db``, ``branch``, ``valid`` added.

    Cells may be text or numbers, empty or NaN = not given. In messages the first row is line 2.
    """
    table = links.reset_index(drop=True)
    predicted = _predict(Cells(table, None, range(2, len(table) + 2)), model)
    for name in ("field_dbuvm", "loss_db"):
        predicted[name] = predicted[name].astype(np.float64)
    return predicted.set_axis(links.index)


def _predict(cells: Cells, model: str) -> pd.DataFrame:
    """The table with the output columns: numbers to 1e-6 dB, words and 0 or 1."""
    predictor = _MODELS.get(model)
    if predictor is None:
        raise InputError("unknown model", field="model", value=model, allowed=", ".join(_MODELS))
    for name in OUTPUT_COLUMNS:
        if column_of(cells, name) is not None:
            raise InputError("is a column that predict writes", file=cells.file, row=1, field=name)
    f_mhz = numbers(cells, "f_mhz")
    power_kw = numbers(cells, "ptx_kw", 1.0)
    result = predictor(cells, f_mhz)
    with np.errstate(invalid="ignore", divide="ignore"):
        power_db = np.where(power_kw > 0.0, 10.0 * np.log10(power_kw), np.nan)
        loss_db = FIELD_TO_LOSS_DB - result.e_1kw_dbuvm + 20.0 * np.log10(f_mhz)
    field_dbuvm = result.e_1kw_dbuvm + power_db
    words = np.array(branch_words(), dtype=object)
    known = ~np.isnan(field_dbuvm)
    table = cells.table.copy()
    table["field_dbuvm"] = [f"{value:.6f}" for value in field_dbuvm]
    table["loss_db"] = [f"{value:.6f}" for value in loss_db]
    table["branch"] = words[np.where(known, result.branch, int(Branch.UNDEFINED))]
    table["valid"] = (result.valid & known).astype(np.int64)
    return table


def _p1546(cells: Cells, f_mhz: NDArray[np.float64]) -> Prediction:
    """P.1546-6 with everything the table may give."""
    require(cells, ["f_mhz"] if column_of(cells, "d_v_km") is not None else ["f_mhz", "d_km"])
    area = areas(cells)
    path = paths(cells)
    clutter_m = numbers(cells, "R2_m")
    default_m = np.array([CLUTTER_M[code] for code in area])
    columns = {
        "f_mhz": f_mhz,
        "t_pct": numbers(cells, "t_pct", 50.0),
        "q_pct": numbers(cells, "q_pct", 50.0),
        "h2_m": numbers(cells, "h2_m", 10.0),
        "r2_m": np.where(np.isnan(clutter_m), default_m, clutter_m),
        "r1_m": numbers(cells, "R1_m"),
        "area": np.array(area, dtype=np.float64),
        "terrain": flags(cells, "pathinfo"),
        **{name: np.array([getattr(p, name) for p in path], dtype=np.float64) for name in LinkPath._fields},
    }
    given = [columns[name] if name in columns else numbers(cells, name) for name in LINK_COLUMNS]
    return Prediction(*p1546_links(load_curves(), np.stack(given, axis=1)))


def _free_space(cells: Cells, f_mhz: NDArray[np.float64]) -> Prediction:
    """Free space over ``d_km``, taken as the length of the ray (P.525)."""
    require(cells, ["f_mhz", "d_km"])
    d_km = numbers(cells, "d_km")
    defined = (d_km > 0.0) & (f_mhz > 0.0)
    field = np.array(
        [free_space_field_dbuvm(d) if ok else math.nan for d, ok in zip(d_km, defined, strict=True)]
    )
    return Prediction(field, np.full(d_km.size, int(Branch.FREE_SPACE)), defined)


def _from_loss(cells: Cells, f_mhz: NDArray[np.float64], loss: Loss) -> Prediction:
    """A model that gives the loss from frequency, distance, two heights and the environment."""
    require(cells, ["f_mhz", "d_km", "ha_m"])
    d_km, ha_m = numbers(cells, "d_km"), numbers(cells, "ha_m")
    h2_m = numbers(cells, "h2_m", 10.0)
    area = areas(cells)
    result = Prediction(
        np.full(d_km.size, np.nan), np.zeros(d_km.size, dtype=np.int64), np.zeros(d_km.size, dtype=np.bool_)
    )
    defined = (f_mhz > 0.0) & (d_km > 0.0) & (ha_m > 0.0) & (h2_m > 0.0)
    for row in np.flatnonzero(defined):
        environment = int(_HATA_ENVIRONMENT[area[row]])
        loss_db, branch, valid = loss(f_mhz[row], d_km[row], ha_m[row], h2_m[row], environment)
        result.e_1kw_dbuvm[row] = FIELD_TO_LOSS_DB - loss_db + 20.0 * math.log10(f_mhz[row])
        result.branch[row] = branch
        # Neither model knows paths over sea.
        result.valid[row] = valid and area[row] != Area.SEA
    return result


def _hata(cells: Cells, f_mhz: NDArray[np.float64]) -> Prediction:
    return _from_loss(cells, f_mhz, hata_loss_db)


def _extended_hata(cells: Cells, f_mhz: NDArray[np.float64]) -> Prediction:
    return _from_loss(cells, f_mhz, extended_hata_loss_db)


_MODELS: dict[str, Callable[[Cells, NDArray[np.float64]], Prediction]] = {
    "free_space": _free_space,
    "hata": _hata,
    "extended_hata": _extended_hata,
    "p1546": _p1546,
}
MODELS = tuple(_MODELS)
