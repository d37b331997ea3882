"""Models against reference results of the ITU's working party and of independent programs, as tables."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.propagation.models import model_named
from pipeline.propagation.p1812.profile_links import Profile, predict_paths
from pipeline.studies.predict import predict_table

_P1812 = model_named("p1812")
_SAMPLES = ("d_km", "h_amsl_m", "clutter_height_R_m")


class VectorCheck(NamedTuple):
    """A set of reference results: how many, of what, and the largest difference from them in dB."""

    name: str
    origin: str
    links: int
    largest_db: float


def check_vectors(folder: Path) -> Iterator[VectorCheck]:
    """All sets of a folder with ``p1546/`` and ``p1812/``; OSError where one is not there."""
    for name, expected, label, origin in (
        ("official", "E_expected_profile_dbuvm", "P.1546-6, examples", "ITU-R, Working Party 3K"),
        ("random", "E_dbuvm", "P.1546-6, random links", "an independent program, by the text"),
    ):
        table = pd.read_csv(folder / "p1546" / f"{name}.csv")
        found = predict_table(table, "p1546")["field_dbuvm"].to_numpy()
        yield VectorCheck(label, origin, len(table), _largest(found, table[expected]))
    official = pd.read_csv(folder / "p1812" / "official.csv")
    columns = _columns(official, {"sigma_loc_db": "sigmaL_db"})
    columns["f_mhz"] = 1e3 * official["f_ghz"].to_numpy(float)
    profiles = _profiles(folder / "p1812" / "official_profiles.csv", "profile", official["profile"])
    yield VectorCheck(
        "P.1812-8, examples",
        "ITU-R, Working Party 3K",
        len(official),
        _largest(_losses_db(columns, profiles), official["Lb_db_py1812"]),
    )
    for name, label in (("public_random", "random links"), ("public_edge", "rare cases")):
        table = pd.read_csv(folder / "p1812" / f"{name}.csv")
        profiles = _profiles(folder / "p1812" / f"{name}_profiles.csv", "link", table["link"])
        found = _losses_db(_columns(table, {}), profiles)
        origin = "an independent program, by the text"
        yield VectorCheck(f"P.1812-8, {label}", origin, len(table), _largest(found, table["Lb_db"]))


def _largest(found: NDArray[np.float64], expected: pd.Series) -> float:
    return float(np.max(np.abs(found - expected.to_numpy(float))))


def _columns(table: pd.DataFrame, other_names: Mapping[str, str]) -> dict[str, NDArray[np.float64]]:
    """The model's columns of a table, NaN where it has none."""
    nothing = np.full(len(table), math.nan)
    names = {name: other_names.get(name, name) for name in _P1812.link_columns}
    return {name: table[c].to_numpy(float) if c in table else nothing for name, c in names.items()}


def _profiles(path: Path, key: str, names: pd.Series) -> list[Profile]:
    by_name = dict(list(pd.read_csv(path).groupby(key)))
    return [_profile(by_name[name]) for name in names]


def _profile(rows: pd.DataFrame) -> Profile:
    d_km, terrain_m, cover_m = (np.ascontiguousarray(rows[name].to_numpy(float)) for name in _SAMPLES)
    return Profile(d_km, terrain_m, cover_m, rows["zone"].to_numpy(np.int64))


def _losses_db(columns: Mapping[str, NDArray[np.float64]], profiles: list[Profile]) -> NDArray[np.float64]:
    found = predict_paths(columns, profiles)
    losses_db: NDArray[np.float64] = (
        _P1812.field_constant_db + 20.0 * np.log10(columns["f_mhz"]) - found.field_dbuvm
    )
    return losses_db
