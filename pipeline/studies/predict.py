"""``channelmaps predict``: field strength and basic transmission loss of a table of links."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.errors import InputError
from pipeline.files import write_output_rows
from pipeline.propagation.models import Model, model_named, model_names, module_of
from pipeline.studies.link_table import Cells, column_of, numbers, read_cells, read_links

_OUTPUT_COLUMNS = ("field_dbuvm", "loss_db", "branch", "valid")


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


def _predict(cells: Cells, name: str) -> pd.DataFrame:
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
