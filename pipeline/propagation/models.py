"""THE table of propagation models: a model is one file and one row here.

Data only: a row names its module as text, whose functions have fixed names by the roles of the row:

``link`` (``channelmaps predict``)
    ``predict_links(links)`` with ``links`` the columns ``link_columns`` by name, float64[n], NaN = not given;
    returns the field of 1 kW e.r.p. in dB(uV/m), float64[n], the index of its propagation regime in
    ``regimes``, int64[n], and whether the link lies in the validity of the model, bool[n].
``path`` (``channelmaps predict`` with profiles)
    ``predict_paths(links, profiles)`` with a profile for each link; returns besides further columns and, by
    name, the intermediate results.
``homogeneous`` (a device to its victims in DTT) and ``receiver`` (a device to a receiver at a point)
    ``flat_path_loss_db(d_km, f_mhz, device_m, receiver_m, time_pct, over_sea, effective_m)``: basic
    transmission loss in dB over land or sea at the ground distances ``d_km``, float64[n]; ``effective_m`` the
    effective height of the device, NaN = that of flat land. Models that know none take flat land.
``coverage`` (fields of DTT transmitters)
    kernels that ``coverage/fields.py`` and its bounds choose by hand: a function handed to a cached kernel
    would be compiled again in every process.

Codes of regimes and surroundings are frozen into compiled kernels; the name pipeline.kernels in this sentence
lets the cache of the kernels notice an edit.
"""

from __future__ import annotations

import math
from enum import IntEnum
from importlib import import_module
from types import ModuleType
from typing import Literal, NamedTuple

Role = Literal["coverage", "homogeneous", "receiver", "link", "path"]


class Surroundings(IntEnum):
    """Surroundings of the receiving antenna, codes of the column ``area`` (P.1546-6, Annex 5, sec. 9)."""

    RURAL = 0
    SUBURBAN = 1
    URBAN = 2
    DENSE_URBAN = 3
    SEA = 4


class Model(NamedTuple):
    """A propagation model.

    ``needs``: dem, sea, clearance, profile, clutter, surroundings, climate. ``f_mhz`` and ``d_km``: first and
    last value of the stated validity. ``field_constant_db``: E(1 kW e.r.p.) + Lb - 20 log10 f. ``regimes``:
    words of the column ``branch``, the first one for "no value". ``link_columns``: what ``predict_links``
    reads, in ``link_required`` what a table of links must have (a model with ``sea_km`` takes lengths by
    section too). Tables of losses hold from ``table_from_km`` on, nearer than that coverage asks the model;
    the slope of the path is not in them where it is a correction of its own (``slope_apart``).
    """

    name: str
    title: str
    module: str
    roles: frozenset[Role]
    needs: frozenset[str]
    f_mhz: tuple[float, float]
    d_km: tuple[float, float]
    field_constant_db: float
    regimes: tuple[str, ...]
    link_columns: tuple[str, ...]
    link_required: tuple[str, ...]
    table_from_km: float = 0.0
    slope_apart: bool = False


MODELS: tuple[Model, ...] = (
    Model(
        name="p1546",
        title="Rec. ITU-R P.1546-6",
        module="pipeline.propagation.p1546.method",
        roles=frozenset({"coverage", "homogeneous", "receiver", "link"}),
        needs=frozenset({"dem", "sea", "clearance"}),
        f_mhz=(30.0, 4000.0),
        d_km=(0.0, 1000.0),
        field_constant_db=139.3,
        regimes=(
            "undefined",
            "land",
            "land_h1_below_10m",
            "land_h1_negative",
            "land_h1_above_1200m",
            "sea",
            "sea_h1_below_10m",
            "sea_h1_above_1200m",
            "sea_below_100mhz",
            "mixed",
            "beyond_1000km",
            "troposcatter",
            "below_1km",
            "below_40m",
            "field_limit",
        ),
        link_columns=(
            "f_mhz",
            "t_pct",
            "d_km",
            "sea_km",
            "warm_sea",
            "only_sea",
            "heff_m",
            "ha_m",
            "hb_m",
            "pathinfo",
            "h2_m",
            "R2_m",
            "area",
            "R1_m",
            "q_pct",
            "wa_m",
            "tca_deg",
            "htter_m",
            "hrter_m",
            "eff1_deg",
            "eff2_deg",
        ),
        link_required=("f_mhz", "d_km"),
        # Up to there its effective height depends on the distance, and jumps (Annex 5, sec. 3).
        table_from_km=15.0,
        slope_apart=True,
    ),
    Model(
        name="p1812",
        title="Rec. ITU-R P.1812-8",
        module="pipeline.propagation.p1812.profile_links",
        roles=frozenset({"coverage", "path"}),
        needs=frozenset({"dem", "sea", "profile", "clutter", "climate"}),
        f_mhz=(30.0, 6000.0),
        d_km=(0.25, 3000.0),
        field_constant_db=139.36,
        regimes=("undefined", "los", "diffraction", "troposcatter", "ducting"),
        link_columns=(
            "f_mhz",
            "p_pct",
            "pol",
            "htg_m",
            "hrg_m",
            "phi_t",
            "lam_t",
            "phi_r",
            "lam_r",
            "DN",
            "N0",
            "dct_km",
            "dcr_km",
            "pL_pct",
            "wa_m",
            "R_rx_m",
            "sigma_loc_db",
        ),
        link_required=("f_mhz", "htg_m", "hrg_m", "phi_t", "lam_t", "phi_r", "lam_r"),
    ),
    Model(
        name="free_space",
        title="free space (Rec. ITU-R P.525)",
        module="pipeline.propagation.free_space",
        roles=frozenset({"coverage", "receiver", "link"}),
        needs=frozenset({"dem"}),
        f_mhz=(0.0, math.inf),
        d_km=(0.0, math.inf),
        field_constant_db=139.3,
        regimes=("undefined", "free_space"),
        link_columns=("f_mhz", "d_km"),
        link_required=("f_mhz", "d_km"),
        table_from_km=2.0,
    ),
    Model(
        name="hata",
        title="Okumura-Hata",
        module="pipeline.propagation.hata",
        roles=frozenset({"coverage", "link"}),
        needs=frozenset({"dem", "surroundings"}),
        f_mhz=(150.0, 1500.0),
        d_km=(1.0, 20.0),
        field_constant_db=139.3,
        regimes=("undefined", "hata"),
        link_columns=("f_mhz", "d_km", "ha_m", "h2_m", "area"),
        link_required=("f_mhz", "d_km", "ha_m"),
        table_from_km=2.0,
    ),
    Model(
        name="extended_hata",
        title="extended Hata (Report ITU-R SM.2028)",
        module="pipeline.propagation.extended_hata",
        roles=frozenset({"coverage", "homogeneous", "link"}),
        needs=frozenset({"dem"}),
        f_mhz=(30.0, 3000.0),
        d_km=(0.0, 40.0),
        field_constant_db=139.3,
        regimes=(
            "undefined",
            "free_space",
            "extended_hata",
            "extended_hata_below_100m",
            "extended_hata_below_40m",
        ),
        link_columns=("f_mhz", "d_km", "ha_m", "h2_m", "area"),
        link_required=("f_mhz", "d_km", "ha_m"),
        table_from_km=2.0,
    ),
    Model(
        name="fcc",
        title="FCC F(50,50), F(50,10), F(50,90) curves (47 CFR 73.699)",
        module="pipeline.propagation.fcc_curves",
        roles=frozenset({"link"}),
        needs=frozenset({"dem"}),
        f_mhz=(54.0, 806.0),
        # Curves of 50 % of the time; those of 10 % reach 498.9 km.
        d_km=(1.609344, 321.8688),
        field_constant_db=139.3,
        regimes=("undefined", "free_space", "fcc_curves", "fcc_f5050_below_15km"),
        link_columns=("f_mhz", "t_pct", "d_km", "heff_m"),
        link_required=("f_mhz", "d_km", "heff_m"),
    ),
)


def model_names(role: Role) -> tuple[str, ...]:
    """Names of the models with a role, in the order of the table."""
    return tuple(model.name for model in MODELS if role in model.roles)


def model_named(name: str) -> Model:
    """The row of a model; KeyError for a name that is not in the table."""
    for model in MODELS:
        if model.name == name:
            return model
    raise KeyError(name)


def module_of(model: Model) -> ModuleType:
    """The module of a model, loaded now: the table itself loads none."""
    return import_module(model.module)


def regime_words() -> list[str]:
    """All words of the column ``branch``, in the order of the table, each once."""
    return list(dict.fromkeys(word for model in MODELS for word in model.regimes))
