"""Models against reference results of the ITU's working party and of independent programs, as tables."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import InputError
from pipeline.propagation.models import model_named
from pipeline.propagation.p1812.profile_links import predict_paths
from pipeline.studies.predict import Cells, numbers, predict_cells, read_cells, require_columns
from pipeline.studies.predict_profiles import link_columns, profiles_of, read_profiles

_P1812 = model_named("p1812")
_OFFICIAL, _TEXT = "ITU-R, Working Party 3K", "an independent program, by the text"


class VectorCheck(NamedTuple):
    """A set of reference results: how many, of what, and the largest difference from them in dB."""

    name: str
    origin: str
    links: int
    largest_db: float


class _VectorSet(NamedTuple):
    """A table of links, the column with the expected result, and what the page calls them.

    ``profiles``: the table of their path profiles, if they have any, by the column ``key``.
    """

    links: str
    expected: str
    name: str
    origin: str
    profiles: str = ""
    key: str = "link"


_SETS = (
    _VectorSet("p1546/official.csv", "E_expected_profile_dbuvm", "P.1546-6, examples", _OFFICIAL),
    _VectorSet("p1546/random.csv", "E_dbuvm", "P.1546-6, random links", _TEXT),
    _VectorSet(
        "p1812/official.csv",
        "Lb_db_py1812",
        "P.1812-8, examples",
        _OFFICIAL,
        "p1812/official_profiles.csv",
        "profile",
    ),
    _VectorSet(
        "p1812/public_random.csv",
        "Lb_db",
        "P.1812-8, random links",
        _TEXT,
        "p1812/public_random_profiles.csv",
    ),
    _VectorSet(
        "p1812/public_edge.csv", "Lb_db", "P.1812-8, rare cases", _TEXT, "p1812/public_edge_profiles.csv"
    ),
)
VECTOR_FILES = tuple(name for one in _SETS for name in (one.links, one.profiles) if name)
"""The files of a folder that are read."""


def check_vectors(folder: Path) -> Iterator[VectorCheck]:
    """All sets of a folder; InputError names file, row and field where one is not there or cannot be read."""
    for one in _SETS:
        cells = read_cells(folder / one.links)
        if not cells.lines:
            raise InputError("holds no rows", file=cells.file, allowed="one row or more below the header")
        require_columns(cells, [one.expected])
        expected = numbers(cells, one.expected)
        _require_numbers(cells, one.expected, expected, "is no result")
        found = _losses_db(cells, one, folder) if one.profiles else _fields_dbuvm(cells)
        _require_numbers(cells, "(row)", found, "is a link of which the model says nothing")
        yield VectorCheck(one.name, one.origin, len(expected), float(np.max(np.abs(found - expected))))


def _require_numbers(cells: Cells, field: str, values: NDArray[np.float64], problem: str) -> None:
    missing = np.flatnonzero(np.isnan(values))
    if missing.size:
        row = cells.lines[int(missing[0])]
        raise InputError(problem, file=cells.file, row=row, field=field, allowed="a number")


def _fields_dbuvm(cells: Cells) -> NDArray[np.float64]:
    """Fields by P.1546 of a table of links."""
    return predict_cells(cells, "p1546")["field_dbuvm"].to_numpy(float)


def _losses_db(cells: Cells, one: _VectorSet, folder: Path) -> NDArray[np.float64]:
    """Losses by P.1812 of a table of links along their profiles."""
    cells = _in_our_columns(cells)
    columns, path = link_columns(cells, _P1812), folder / one.profiles
    found = predict_paths(columns, profiles_of(cells, read_profiles(path, one.key), path, one.key))
    losses_db: NDArray[np.float64] = (
        _P1812.field_constant_db + 20.0 * np.log10(columns["f_mhz"]) - found.field_dbuvm
    )
    return losses_db


def _in_our_columns(cells: Cells) -> Cells:
    """The table with the columns of ``predict``; the examples have another unit and name of two."""
    table = cells.table.rename(columns={"sigmaL_db": "sigma_loc_db"})
    if "f_ghz" in table:
        table["f_mhz"] = 1e3 * numbers(cells, "f_ghz")
    return cells._replace(table=table)
