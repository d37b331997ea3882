"""Transmitters and their radial terrain profiles as plain arrays for the kernels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pipeline.grid.geodesy import site_frames
from pipeline.radio.antennas import POLARISATION_CODES
from pipeline.terrain.records import TCA_COUNT_DEG, TCA_UNKNOWN, Sweep, TerrainSource

_LIGHT_KM_PER_US = 0.299792458


class Stations(NamedTuple):
    """n transmitters in order of id.

    ``frame`` float64[n, 12] site frames; ``offset`` channel minus the wanted channel (-1, 0, 1); ``home``
    whether the station belongs to the territory's own administration; ``network`` number of the
    single-frequency network or -1, ``guard_km`` its guard interval as path difference; ``mode`` row of
    ``ratio_db``; ``mast`` index into :class:`Paths`; ``pattern_db`` float32[n, 360]; ``vertical_db``
    float32[n, depression], all NaN where none is known.
    """

    frame: NDArray[np.float64]
    offset: NDArray[np.int64]
    erp_dbkw: NDArray[np.float64]  # e.r.p.
    agl_m: NDArray[np.float64]
    polarisation: NDArray[np.int64]
    home: NDArray[np.bool_]
    network: NDArray[np.int64]
    guard_km: NDArray[np.float64]
    mode: NDArray[np.int64]
    mast: NDArray[np.int64]
    pattern_db: NDArray[np.float32]
    vertical_db: NDArray[np.float32]
    tilt_deg: NDArray[np.float64]


class Paths(NamedTuple):
    """The terrain profiles of m masts, each table flattened: mast k owns ``values[start[k]:start[k + 1]]``.

    ``radials``: number of radials of effective height, sea and hb; ``tca_radials`` that of the clearance
    angles. ``highest_m``: largest height a path of this mast can have at any azimuth and distance;
    ``lowest_angle_deg``: lower bound of horizon plus clearance angle, NaN without clearance angles.
    """

    terrain: NDArray[np.bool_]
    radials: NDArray[np.int64]
    step_deg: NDArray[np.float64]
    highest_m: NDArray[np.float64]
    lowest_angle_deg: NDArray[np.float64]
    heff_start: NDArray[np.int64]
    heff_m: NDArray[np.float32]
    theta_deg: NDArray[np.float32]
    hb_start: NDArray[np.int64]
    hb_m: NDArray[np.float32]
    hb_step_km: NDArray[np.float64]
    sea_start: NDArray[np.int64]
    sea_km: NDArray[np.float32]
    sea_step_km: NDArray[np.float64]
    tca_start: NDArray[np.int64]
    tca_counts: NDArray[np.int16]
    tca_radials: NDArray[np.int64]
    tca_first_deg: NDArray[np.float64]
    tca_azimuth_step_deg: NDArray[np.float64]
    tca_first_km: NDArray[np.float64]
    tca_step_km: NDArray[np.float64]


def pack_paths(sweeps: Sequence[Sweep], agl_m: Sequence[float]) -> Paths:
    """The terrain profiles of masts as flat arrays; ``agl_m`` antenna height above ground of each mast."""
    known = (int(TerrainSource.DEM), int(TerrainSource.PARTIAL))
    heff_start, heff_m = _flat([sweep.heff_m for sweep in sweeps], np.float32)
    hb_start, hb_m = _flat([sweep.hb_m for sweep in sweeps], np.float32)
    sea_start, sea_km = _flat([sweep.sea_km for sweep in sweeps], np.float32)
    tca_start, tca_counts = _flat([sweep.tca_counts for sweep in sweeps], np.int16)
    _, theta_deg = _flat([sweep.theta_eff1_deg for sweep in sweeps], np.float32)
    return Paths(
        terrain=np.array([sweep.terrain_source in known for sweep in sweeps], dtype=np.bool_),
        radials=np.array([sweep.heff_m.size for sweep in sweeps], dtype=np.int64),
        step_deg=np.array([sweep.azimuth_step_deg for sweep in sweeps], dtype=np.float64),
        highest_m=np.array([_highest_m(*pair) for pair in zip(sweeps, agl_m, strict=True)], dtype=np.float64),
        lowest_angle_deg=np.array([_lowest_angle_deg(sweep) for sweep in sweeps], dtype=np.float64),
        heff_start=heff_start,
        heff_m=heff_m,
        theta_deg=theta_deg,
        hb_start=hb_start,
        hb_m=hb_m,
        hb_step_km=np.array([sweep.hb_step_km for sweep in sweeps], dtype=np.float64),
        sea_start=sea_start,
        sea_km=sea_km,
        sea_step_km=np.array([sweep.sea_step_km for sweep in sweeps], dtype=np.float64),
        tca_start=tca_start,
        tca_counts=tca_counts,
        tca_radials=np.array([sweep.tca_counts.shape[0] for sweep in sweeps], dtype=np.int64),
        tca_first_deg=np.array([sweep.tca_first_azimuth_deg for sweep in sweeps], dtype=np.float64),
        tca_azimuth_step_deg=np.array([sweep.tca_azimuth_step_deg for sweep in sweeps], dtype=np.float64),
        tca_first_km=np.array([sweep.tca_first_km for sweep in sweeps], dtype=np.float64),
        tca_step_km=np.array([sweep.tca_step_km for sweep in sweeps], dtype=np.float64),
    )


def _flat(tables: Sequence[NDArray[Any]], dtype: type) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Start of each table (one more than tables) and all values in one row."""
    start = np.zeros(len(tables) + 1, dtype=np.int64)
    np.cumsum([table.size for table in tables], out=start[1:])
    values: NDArray[Any] = np.empty(int(start[-1]), dtype=dtype)
    for first, table in zip(start, tables, strict=False):
        values[first : first + table.size] = table.ravel()
    return start, values


def _highest_m(sweep: Sweep, agl_m: float) -> float:
    tables = (np.array([agl_m]), sweep.heff_m, sweep.hb_m)
    return max((float(np.nanmax(table)) for table in tables if np.isfinite(table).any()), default=0.0)


def _lowest_angle_deg(sweep: Sweep) -> float:
    known = sweep.tca_counts[sweep.tca_counts != TCA_UNKNOWN]
    if known.size == 0 or not np.isfinite(sweep.theta_eff1_deg).any():
        return float("nan")
    return float(np.nanmin(sweep.theta_eff1_deg)) + TCA_COUNT_DEG * float(known.min())


def pack_stations(
    transmitters: xr.Dataset,
    channel: int,
    home: Sequence[str],
    modes: Sequence[tuple[str, str]],
    masts: Sequence[str],
    guard_us: Mapping[str, float],
    default_guard_us: float,
) -> Stations:
    """The transmitters of channels c-1, c, c+1 (dim ``transmitter``, by id) as arrays.

    ``modes`` (system, mode) in order of the rows of the ratio table; every transmitter's mode is among them.
    ``masts`` the keys in order of :class:`Paths`.
    """
    networks = sorted({str(name) for name in transmitters["sfn"].values if name})
    sfn = [str(name) for name in transmitters["sfn"].values]
    pairs = zip(transmitters["system"].values, transmitters["mode"].values, strict=True)
    return Stations(
        frame=site_frames(transmitters["lon_deg"].values, transmitters["lat_deg"].values),
        offset=transmitters["channel"].values.astype(np.int64) - channel,
        erp_dbkw=10.0 * np.log10(transmitters["erp_kw"].values.astype(np.float64)),
        agl_m=transmitters["antenna_height_agl_m"].values.astype(np.float64),
        polarisation=_indices(transmitters["polarisation"].values, POLARISATION_CODES),
        home=np.isin(transmitters["country"].values, list(home)),
        network=np.array([networks.index(name) if name else -1 for name in sfn], dtype=np.int64),
        guard_km=_LIGHT_KM_PER_US * np.array([guard_us.get(name, default_guard_us) for name in sfn]),
        mode=np.array([modes.index((str(s), str(m))) for s, m in pairs], dtype=np.int64),
        mast=_indices(transmitters["mast"].values, {key: index for index, key in enumerate(masts)}),
        pattern_db=np.ascontiguousarray(transmitters["attenuation_db"].values, dtype=np.float32),
        vertical_db=np.ascontiguousarray(transmitters["vertical_attenuation_db"].values, dtype=np.float32),
        tilt_deg=np.nan_to_num(transmitters["beam_tilt_deg"].values.astype(np.float64)),
    )


def _indices(names: NDArray[np.str_], codes: Mapping[str, int]) -> NDArray[np.int64]:
    return np.array([int(codes[str(name)]) for name in names], dtype=np.int64)
