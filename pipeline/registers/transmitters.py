"""The DTT transmitter register: files -> one checked dataset, sorted by id.

Strict reading refuses the first bad row; lenient reading leaves bad rows out and returns each of them for
the manifest. A fault of a whole file (missing, not UTF-8, a column missing, wrong CRS) is refused either way.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from datetime import date
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from pipeline.config.config import Config
from pipeline.config.protection import STATION_PROTECTIONS
from pipeline.config.register_mapping import RegisterMapping, files_of_item
from pipeline.errors import InputError
from pipeline.grid.grid import LONLAT
from pipeline.radio.antennas import (
    AZIMUTHS,
    VERTICAL_COUNT,
    VERTICAL_FIRST_DEG,
    VERTICAL_STEP_DEG,
    expand_pattern,
    expand_vertical,
)
from pipeline.radio.channel_plan import ChannelPlan
from pipeline.reference.ratio_tables import ModeKey, read_modes
from pipeline.registers.finishing import Target
from pipeline.registers.named_registers import read_named
from pipeline.registers.same_station import (
    PLACES,
    twin_faults,
    twins,
    with_common_networks,
    with_one_spelling,
)
from pipeline.registers.terrain_tiles import with_tiles
from pipeline.registers.transmitter_rows import RowRules, SiteBox, TransmitterRow, inside_box
from pipeline.rows.row_models import RejectedRow, refuse_unless_lenient

# Generalised coastlines leave stations on the shore outside every polygon; farther out a station is at sea.
_SHORE_KM = 5.0
_KM_PER_DEGREE = 111.2
# Variable of the dataset -> column of the register, its type and its unit ("" = text or a pure number).
_VARIABLES: dict[str, tuple[str, type, str]] = {
    "id": ("id", str, ""),
    "site": ("site", str, ""),
    "lon_deg": ("lon", float, "deg"),
    "lat_deg": ("lat", float, "deg"),
    "channel": ("channel", int, ""),
    "centre_mhz": ("centre_mhz", float, "MHz"),
    "bandwidth_mhz": ("bandwidth_mhz", float, "MHz"),
    "erp_kw": ("erp_kw", float, "kW"),
    "antenna_height_agl_m": ("antenna_height_agl_m", float, "m"),
    "site_height_asl_m": ("site_height_asl_m", float, "m"),
    "haat_m": ("haat_m", float, "m"),
    "polarisation": ("polarisation", str, ""),
    "system": ("system", str, ""),
    "mode": ("multiplex_mode", str, ""),
    "sfn": ("sfn", str, ""),
    "country": ("country", str, ""),
    "beam_tilt_deg": ("beam_tilt_deg", float, "deg"),
    "fft": ("fft", str, ""),
    "guard": ("guard", str, ""),
    "guard_us": ("guard_us", float, "us"),
    "station_type": ("station_type", str, ""),
    "protection": ("protection", str, ""),
    "dq_pct": ("dq_pct", float, "%"),
    "threshold_dbuvm": ("threshold_dbuvm", float, "dB(uV/m)"),
}
_Variable = tuple[tuple[str, ...], np.ndarray, dict[str, str]]


def country_of(
    lon_deg: ArrayLike, lat_deg: ArrayLike, countries: gpd.GeoDataFrame, field: str
) -> NDArray[np.str_]:
    """Code of the country that contains each site, float[n] -> str[n]; "" where there is none.

    ``countries``: polygons in any CRS with the code in column ``field``; those without a code are ignored.
    A site on a border belongs to the country listed first; one in no country to the nearest within 5 km.
    """
    known = countries[countries[field].notna() & (countries[field] != "")].to_crs(LONLAT)
    shapes, codes = known.geometry.to_numpy(), [str(code) for code in known[field]]
    sites = np.atleast_1d(shapely.points(np.asarray(lon_deg, float), np.asarray(lat_deg, float)))
    owner = np.full(sites.size, -1)
    pairs = shapely.STRtree(shapes).query(sites, predicate="intersects")
    for site, shape in sorted(zip(*pairs.tolist(), strict=True), reverse=True):
        owner[site] = shape
    for site in np.flatnonzero(owner < 0):
        owner[site] = _nearest(sites[site], shapes)
    return np.array([codes[shape] if shape >= 0 else "" for shape in owner], dtype=np.str_)


def fill_countries(transmitters: xr.Dataset, countries: gpd.GeoDataFrame, field: str) -> xr.Dataset:
    """The dataset with every empty ``country`` taken from the polygons, and which ones were.

    Adds ``country_from_polygon`` bool [transmitter]. A site in no country keeps the empty text.
    """
    stated = transmitters["country"].to_numpy()
    empty = stated == ""
    found = country_of(
        transmitters["lon_deg"].to_numpy()[empty], transmitters["lat_deg"].to_numpy()[empty], countries, field
    )
    filled = pd.Series(stated, dtype=object)
    filled[empty] = found
    return transmitters.assign(
        country=("transmitter", filled.to_numpy(dtype=np.str_)),
        country_from_polygon=("transmitter", empty & (filled != "").to_numpy()),
    )


def with_missing_haat(transmitters: xr.Dataset, minimum_m: float) -> xr.Dataset:
    """The dataset with every absent or zero ``haat_m`` raised to the height above ground or ``minimum_m``.

    Records of the FCC contain 0 where it never was computed, among them most of Canada and Mexico; taken
    literally, hardly any of their coverage would be protected. ``mast`` keys follow.
    """
    haat_m, agl_m = (transmitters[name].values for name in ("haat_m", "antenna_height_agl_m"))
    missing = np.isnan(haat_m) | (haat_m == 0.0)
    filled_m = np.where(missing, np.fmax(agl_m, minimum_m), haat_m)
    masts = [
        f"{key}_{height_m:g}" if changed else key
        for key, height_m, changed in zip(transmitters["mast"].values, filled_m, missing, strict=True)
    ]
    return transmitters.assign(
        haat_m=("transmitter", filled_m, transmitters["haat_m"].attrs),
        mast=("transmitter", np.array(masts, dtype=np.str_)),
    )


def _nearest(site: shapely.Point, shapes: NDArray[np.object_]) -> int:
    """Index of the nearest polygon within ``_SHORE_KM``, -1 if there is none."""
    margin_deg = _SHORE_KM / _KM_PER_DEGREE
    narrowing = math.cos(math.radians(site.y))
    wide_deg = margin_deg / max(narrowing, 0.01)
    box = shapely.box(site.x - wide_deg, site.y - margin_deg, site.x + wide_deg, site.y + margin_deg)
    near = np.flatnonzero(shapely.intersects(shapes, box))
    if near.size == 0:
        return -1
    parts = shapely.clip_by_rect(shapes[near], *box.bounds)
    local_km = shapely.transform(
        parts, lambda xy: (xy - [site.x, site.y]) * [narrowing, 1.0] * _KM_PER_DEGREE
    )
    distance_km = shapely.distance(local_km, shapely.Point(0.0, 0.0))
    best = int(np.argmin(distance_km))
    return int(near[best]) if distance_km[best] <= _SHORE_KM else -1


def read_transmitters(
    paths: Sequence[Path],
    plan: ChannelPlan,
    *,
    lenient: bool,
    box: SiteBox | None = None,
    modes: Collection[ModeKey] | None = None,
) -> tuple[xr.Dataset, list[RejectedRow]]:
    """Read and check registers in CSV, GeoPackage or GeoJSON; ids are unique over all files together.

    Returns the dataset (see ``to_dataset``) and, if ``lenient``, the rows left out in order of file and row.
    Strict: InputError for the first bad row, with the number of further ones. ``box`` limits where sites may
    lie, ``modes`` which (system, mode) pairs are known.
    """
    rows, rejected = _read_rows(paths, RowRules(plan, box, modes), lenient=lenient)
    return to_dataset(rows).assign_attrs(rejected_rows=len(rejected)), rejected


def _read_rows(
    items: Sequence[Path | RegisterMapping], rules: RowRules, *, lenient: bool, as_of: date | None = None
) -> tuple[list[TransmitterRow], list[RejectedRow]]:
    """The good rows by id, and those left out; InputError as ``read_transmitters``.

    Rows of foreign files (``as_of`` the day where their mapping names none) follow those of registers.
    """
    target = Target("transmitters", TransmitterRow, rules)
    found = read_named(items, target, raster=rules.plan, as_of=as_of)
    rejected = refuse_unless_lenient(found.faults, lenient=lenient)
    if items and not found.rows:
        raise InputError(
            "no row of the register can be used",
            file=files_of_item(items[0])[0],
            allowed="one good row or more",
        )
    return found.rows, [*rejected, *found.left_out]


def read_register(config: Config) -> tuple[xr.Dataset, list[RejectedRow]]:
    """The register that a territory file names, as strictly as it says; see ``read_transmitters``.

    With the terrain tile of each mast besides (``terrain_tiles.py``).

    A mode that the table of modes does not name is a fault of its row, and so is a second record of a station
    (``same_station.twins``) unless ``registers.accept`` names one of them: then they are one network.
    """
    registers = config.registers
    rules = RowRules(
        config.channels.plan,
        modes=read_modes(config.protection.modes),
        accept=registers.accept,
        haat_needed=registers.missing_haat_m is None,
        protections=STATION_PROTECTIONS[config.protection.method],
    )
    paths = registers.transmitters if config.has_television else []
    rows, rejected = _read_rows(paths, rules, lenient=registers.lenient, as_of=registers.as_of)
    places = {row.id: (row.file, row.row) for row in rows}
    transmitters = to_dataset(rows).assign_attrs({"rejected_rows": len(rejected), PLACES: places})
    if registers.bbox_deg is not None and rows:
        transmitters = _within(transmitters, SiteBox(*registers.bbox_deg))
    if registers.missing_haat_m is not None:
        transmitters = with_missing_haat(transmitters, registers.missing_haat_m.value)
    transmitters = with_one_spelling(transmitters, config.coverage.guard_us)
    pairs = list(twins(transmitters))
    faults = twin_faults(transmitters, pairs, registers.accept)
    if seconds := refuse_unless_lenient(faults, lenient=registers.lenient):
        transmitters = _without(transmitters, [row.value for row in seconds])
        rejected = [*rejected, *seconds]
        transmitters.attrs["rejected_rows"] = len(rejected)
        pairs = list(twins(transmitters))
    return with_tiles(with_common_networks(transmitters, pairs)), rejected


def _without(transmitters: xr.Dataset, ids: Sequence[str]) -> xr.Dataset:
    """The transmitters of other ids."""
    return transmitters.isel(transmitter=np.flatnonzero(~np.isin(transmitters["id"].values, ids)))


def _within(transmitters: xr.Dataset, box: SiteBox) -> xr.Dataset:
    """The transmitters in a box; refused if there are none."""
    sites = zip(transmitters["lon_deg"].values, transmitters["lat_deg"].values, strict=True)
    inside = [inside_box(box, lon_deg, lat_deg) for lon_deg, lat_deg in sites]
    if not any(inside):
        raise InputError("no transmitter is in the box", row="registers", field="bbox_deg", value=tuple(box))
    return transmitters.isel(transmitter=np.flatnonzero(inside))


def to_dataset(rows: Sequence[TransmitterRow]) -> xr.Dataset:
    """Checked rows as a dataset over ``transmitter``, in the given order.

    Numbers not given are NaN, texts not given empty. ``attenuation_db`` float32 [transmitter, azimuth];
    ``vertical_attenuation_db`` float32 [transmitter, depression], NaN where none is given; ``mast`` the key
    of stations that share one terrain sweep.
    """
    variables: dict[str, _Variable] = {name: _variable(rows, *source) for name, source in _VARIABLES.items()}
    horizontal = [expand_pattern(row.pattern_azimuth_attenuation_db) for row in rows]
    vertical = [_vertical_table(row) for row in rows]
    variables["mast"] = (("transmitter",), _texts([_mast_key(row) for row in rows]), {})
    variables["attenuation_db"] = (("transmitter", "azimuth"), _stack(horizontal, AZIMUTHS), {"units": "dB"})
    variables["vertical_attenuation_db"] = (
        ("transmitter", "depression"),
        _stack(vertical, VERTICAL_COUNT),
        {"units": "dB"},
    )
    depressions_deg = np.round(VERTICAL_FIRST_DEG + VERTICAL_STEP_DEG * np.arange(VERTICAL_COUNT), 6)
    return xr.Dataset(variables, coords={"azimuth": np.arange(AZIMUTHS), "depression": depressions_deg})


def _mast_key(row: TransmitterRow) -> str:
    """What a terrain sweep depends on: site, height above ground, site height and, if given, HAAT."""
    place = f"{row.lon:.6f}_{row.lat:.6f}"
    key = f"{place}_{_given(row.antenna_height_agl_m):.1f}_{_given(row.site_height_asl_m)}"
    return key if row.haat_m is None else f"{key}_{row.haat_m}"


def summary(dataset: xr.Dataset) -> dict[str, int]:
    """Counts for the manifest: rows used and rejected, and where a default or an assumption fills a gap.

    ``country_from_polygon`` counts rows that state no country; after ``fill_countries`` those still
    without one are ``country_unknown``.
    """
    given = dataset["country"].to_numpy() != ""
    filled = dataset["country_from_polygon"].to_numpy() if "country_from_polygon" in dataset else ~given
    flat = (dataset["attenuation_db"].to_numpy() == 0).all(axis=1)
    no_vertical = np.isnan(dataset["vertical_attenuation_db"].to_numpy()[:, 0])
    counts = {
        "transmitters": dataset.sizes["transmitter"],
        "rejected_rows": dataset.attrs.get("rejected_rows", 0),
        "default_mode": (dataset["mode"].to_numpy() == "").sum(),
        "country_from_polygon": filled.sum(),
        "country_unknown": (~given).sum() if "country_from_polygon" in dataset else 0,
        "polarisation_unknown": (dataset["polarisation"].to_numpy() == "").sum(),
        "omnidirectional": flat.sum(),
        "without_antenna_height_agl": np.isnan(dataset["antenna_height_agl_m"].to_numpy()).sum(),
        "beam_tilt_without_vertical_pattern": (
            no_vertical & (dataset["beam_tilt_deg"].to_numpy() != 0)
        ).sum(),
        "protected_by_a_rule_of_their_own": (~np.isin(dataset["protection"].to_numpy(), ("", "none"))).sum(),
        "not_protected": (dataset["protection"].to_numpy() == "none").sum(),
    }
    return {name: int(count) for name, count in counts.items()}


def _given(number: float | None) -> float:
    return math.nan if number is None else number


def _variable(rows: Sequence[TransmitterRow], column: str, kind: type, units: str) -> _Variable:
    values = [getattr(row, column) for row in rows]
    attributes = {"units": units} if units else {}
    if kind is str:
        return ("transmitter",), _texts(values), attributes
    if column == "beam_tilt_deg":
        values = [value or 0.0 for value in values]
    numbers = np.array([_given(value) for value in values], dtype=np.int64 if kind is int else np.float64)
    return ("transmitter",), numbers, attributes


def _texts(values: Sequence[str]) -> np.ndarray:
    return np.array(values, dtype=np.str_)


def _stack(tables: Sequence[np.ndarray], width: int) -> np.ndarray:
    return np.stack(tables) if tables else np.empty((0, width), dtype=np.float32)


def _vertical_table(row: TransmitterRow) -> np.ndarray:
    points = row.vertical_pattern_deg_attenuation_db
    return expand_vertical([p[0] for p in points], [p[1] for p in points])
