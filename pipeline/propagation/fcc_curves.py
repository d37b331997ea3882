"""The FCC's propagation curves for FM and television (47 CFR 73.333 and 73.699; Report R-6602).

F(L,T) is the field in dB(uV/m) of 1 kW e.r.p. that is exceeded at L % of the places for T % of the time, at
9.1 m above ground: F(50,50), F(50,10), and F(50,90) = 2 F(50,50) - F(50,10). The curves are read as the FCC's
own program does: bivariate interpolation of Akima ("A method of bivariate interpolation and smooth surface
fitting based on local procedures", CACM 17, 1974; algorithm 474), linear in distance and height. The figures
stand in ``fcc_curves.npz`` (fcc_curves.txt beside it). To rebuild it from a CSV with the columns ``band,
curve, haat_m, distance_km, field_dbuvm_1kw``:

    python -m pipeline.propagation.fcc_curves curves.csv fcc_curves.npz
"""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.files import write_whole
from pipeline.propagation.free_space import FIELD_AT_1KM_DBUVM
from pipeline.propagation.models import model_named

_FILE = Path(__file__).with_name("fcc_curves.npz")
_BANDS = ("channels 2-6", "channels 7-13", "channels 14-69")
# Middle of the gaps between the bands: which curves count outside of them, where no link is valid.
_BAND_EDGES_MHZ = (141.0, 343.0)
_VALID_MHZ = ((54.0, 108.0), (174.0, 216.0), (470.0, 806.0))
_LEAST_HAAT_M, _LARGEST_HAAT_M = 30.5, 1600.0
# Nearer than this the program takes F(50,50) for F(50,10), whose curves begin at 16.09 km.
_TENTH_FROM_KM = 15.0
_TIMES_PCT = (10.0, 50.0, 90.0)
_NODES_PER_KM = 4
_HALVINGS = 30
_NEAREST_KM = 0.01
_REGIMES = model_named("fcc").regimes
_UNDEFINED, _FREE, _CURVES, _MEDIAN = (
    _REGIMES.index(word) for word in ("undefined", "free_space", "fcc_curves", "fcc_f5050_below_15km")
)

_Values = NDArray[np.float64]


class AkimaSurface(NamedTuple):
    """A surface over distance [n] and height [m]: values and slopes zx, zy, zxy float64[n, m]."""

    distance_km: _Values
    haat_m: _Values
    field_dbuvm: _Values
    by_km: _Values
    by_m: _Values
    by_both: _Values


# --- Akima's surface ----------------------------------------------------------------------------------------


def akima_surface(x: _Values, y: _Values, z: _Values) -> AkimaSurface:
    """Slopes at the nodes z [n, m] of a rectangular grid by Akima's weights; n and m at least 3."""
    along_x = np.diff(z, axis=0) / np.diff(x)[:, None]
    along_y = np.diff(z, axis=1) / np.diff(y)[None, :]
    twisted = _beyond(_beyond(np.diff(along_x, axis=1) / np.diff(y)[None, :]).T).T
    along_x, along_y = _beyond(along_x), _beyond(along_y.T).T
    x_low, x_high = _weights(along_x)
    y_low, y_high = (weight.T for weight in _weights(along_y.T))
    low, high = twisted[1:-2], twisted[2:-1]
    by_both = y_low * (x_low * low[:, 1:-2] + x_high * high[:, 1:-2])
    by_both += y_high * (x_low * low[:, 2:-1] + x_high * high[:, 2:-1])
    return AkimaSurface(
        x,
        y,
        z,
        x_low * along_x[1:-2] + x_high * along_x[2:-1],
        y_low * along_y[:, 1:-2] + y_high * along_y[:, 2:-1],
        by_both,
    )


def _beyond(slopes: _Values) -> _Values:
    """Slopes between nodes along axis 0, with two more on either side that go on linearly."""
    before = [3.0 * slopes[0] - 2.0 * slopes[1], 2.0 * slopes[0] - slopes[1]]
    behind = [2.0 * slopes[-1] - slopes[-2], 3.0 * slopes[-1] - 2.0 * slopes[-2]]
    return np.concatenate([np.array(before), slopes, np.array(behind)])


def _weights(slopes: _Values) -> tuple[_Values, _Values]:
    """Shares of the slope before and behind each node: the steadier side counts more; 1/2 where both are."""
    low = np.abs(slopes[3:] - slopes[2:-1])
    high = np.abs(slopes[1:-2] - slopes[:-3])
    straight = low + high == 0.0
    low, high = np.where(straight, 1.0, low), np.where(straight, 1.0, high)
    return low / (low + high), high / (low + high)


def surface_at(surface: AkimaSurface, x: _Values, y: _Values) -> _Values:
    """Values of the bicubic pieces at places [k]; outside the grid the outermost piece goes on."""
    i = np.clip(np.searchsorted(surface.distance_km, x, side="right") - 1, 0, surface.distance_km.size - 2)
    j = np.clip(np.searchsorted(surface.haat_m, y, side="right") - 1, 0, surface.haat_m.size - 2)
    value_x, slope_x = _hermite(surface.distance_km, i, x)
    value_y, slope_y = _hermite(surface.haat_m, j, y)
    found = np.zeros(x.size)
    for a in (0, 1):
        for b in (0, 1):
            node = (i + a, j + b)
            found += value_x[a] * value_y[b] * surface.field_dbuvm[node]
            found += slope_x[a] * value_y[b] * surface.by_km[node]
            found += value_x[a] * slope_y[b] * surface.by_m[node]
            found += slope_x[a] * slope_y[b] * surface.by_both[node]
    return found


def _hermite(nodes: _Values, i: NDArray[np.int64], x: _Values) -> tuple[tuple[_Values, _Values], ...]:
    """What values and slopes at the two ends of a piece contribute at x."""
    width = nodes[i + 1] - nodes[i]
    t = (x - nodes[i]) / width
    values = (1.0 + 2.0 * t) * (1.0 - t) ** 2, t * t * (3.0 - 2.0 * t)
    return values, (width * t * (1.0 - t) ** 2, -width * t * t * (1.0 - t))


# --- the curves ---------------------------------------------------------------------------------------------


@cache
def _surfaces() -> dict[str, tuple[AkimaSurface, ...]]:
    """Surfaces of the three bands for 50 % and 10 % of the time."""
    with np.load(_FILE, allow_pickle=False) as stored:
        haat_m = stored["haat_m"]
        return {
            name: tuple(
                akima_surface(stored[f"{name}_km"], haat_m, 1e-3 * curves)
                for curves in stored[f"{name}_millidb"]
            )
            for name in ("median", "tenth")
        }


def has_curves(f_mhz: float) -> bool:
    """Whether a frequency is in a band of the curves."""
    return any(low <= f_mhz <= high for low, high in _VALID_MHZ)


def farthest_curve_km(t_pct: float) -> float:
    """Where the curves end: those of 50 % of the time sooner than those of 10 %."""
    name = "tenth" if t_pct == _TIMES_PCT[0] else "median"
    return float(_surfaces()[name][0].distance_km[-1])


def fields_dbuvm(f_mhz: float, t_pct: float, haat_m: _Values, d_km: _Values) -> _Values:
    """Field of 1 kW e.r.p. [n] exceeded at half of the places for 10, 50 or 90 % of the time.

    Heights count from 30.5 to 1600 m. Nearer than the curves free space; NaN beyond them.
    """
    band = int(np.searchsorted(_BAND_EDGES_MHZ, f_mhz))
    height_m = np.clip(haat_m, _LEAST_HAAT_M, _LARGEST_HAAT_M)
    median = _surfaces()["median"][band]
    free = d_km < median.distance_km[0]
    field = surface_at(median, d_km, height_m)
    if t_pct != 50.0:
        tenth = surface_at(_surfaces()["tenth"][band], d_km, height_m)
        tenth = np.where(d_km < _TENTH_FROM_KM, field, tenth)
        field = tenth if t_pct == _TIMES_PCT[0] else 2.0 * field - tenth
    with np.errstate(divide="ignore", invalid="ignore"):
        field = np.where(free, FIELD_AT_1KM_DBUVM - 20.0 * np.log10(d_km), field)
    return np.where((d_km > 0.0) & (d_km <= farthest_curve_km(t_pct)), field, np.nan)


def distances_km(f_mhz: float, t_pct: float, haat_m: _Values, field_dbuvm: _Values) -> _Values:
    """The farthest distance [n] with at least this field of 1 kW e.r.p.; 0 where not even the nearest has it.

    Where the field is still stronger at the end of the curves that end is returned.
    """
    last_km = farthest_curve_km(t_pct)
    nodes_km = np.append(np.arange(_NEAREST_KM, last_km, 1.0 / _NODES_PER_KM), last_km)
    at_nodes = np.repeat(haat_m, nodes_km.size), np.tile(nodes_km, haat_m.size)
    fields = fields_dbuvm(f_mhz, t_pct, *at_nodes).reshape(haat_m.size, nodes_km.size)
    enough = fields >= field_dbuvm[:, None]
    last = nodes_km.size - 1 - np.argmax(enough[:, ::-1], axis=1)
    low_km, high_km = nodes_km[last], nodes_km[np.minimum(last + 1, nodes_km.size - 1)]
    for _ in range(_HALVINGS):
        middle_km = 0.5 * (low_km + high_km)
        reached = fields_dbuvm(f_mhz, t_pct, haat_m, middle_km) >= field_dbuvm
        low_km, high_km = np.where(reached, middle_km, low_km), np.where(reached, high_km, middle_km)
    return np.where(enough.any(axis=1), high_km, 0.0)


def predict_links(
    links: Mapping[str, NDArray[np.float64]],
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.bool_]]:
    """Field, regime and validity of links; ``heff_m`` is the height above average terrain (HAAT)."""
    f_mhz, t_pct, haat_m, d_km = (links[name] for name in ("f_mhz", "t_pct", "heff_m", "d_km"))
    field = np.full(d_km.size, np.nan)
    known = (f_mhz > 0.0) & (d_km > 0.0) & np.isfinite(haat_m)
    for frequency_mhz, time_pct in sorted(set(zip(f_mhz[known], t_pct[known], strict=True))):
        if time_pct in _TIMES_PCT:
            chosen = known & (f_mhz == frequency_mhz) & (t_pct == time_pct)
            field[chosen] = fields_dbuvm(frequency_mhz, time_pct, haat_m[chosen], d_km[chosen])
    defined = np.isfinite(field)
    free = d_km < _surfaces()["median"][0].distance_km[0]
    near = (t_pct != 50.0) & (d_km < _TENTH_FROM_KM)
    regime = np.select([~defined, free, near], [_UNDEFINED, _FREE, _MEDIAN], _CURVES)
    in_band = np.array([has_curves(frequency_mhz) for frequency_mhz in f_mhz], dtype=bool)
    valid = defined & ~free & in_band & (haat_m >= _LEAST_HAAT_M) & (haat_m <= _LARGEST_HAAT_M)
    return field, regime.astype(np.int64), valid


# --- the file -----------------------------------------------------------------------------------------------


def build_file(source: Path, target: Path) -> None:
    """Write the compact table file: the rows of a CSV as int32 multiples of 1e-3 dB(uV/m)."""
    with source.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    heights = sorted({float(row["haat_m"]) for row in rows})
    arrays: dict[str, Any] = {"haat_m": np.array(heights)}
    for name, curve in (("median", "F(50,50)"), ("tenth", "F(50,10)")):
        chosen = {
            (row["band"], float(row["distance_km"]), float(row["haat_m"])): float(row["field_dbuvm_1kw"])
            for row in rows
            if row["curve"] == curve
        }
        distances = sorted({distance for _, distance, _ in chosen})
        fields = [[[chosen[band, d, h] for h in heights] for d in distances] for band in _BANDS]
        arrays[f"{name}_km"] = np.array(distances)
        arrays[f"{name}_millidb"] = np.round(1e3 * np.array(fields)).astype(np.int32)
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    write_whole(target, stream.getvalue())


if __name__ == "__main__":
    build_file(Path(sys.argv[1]), Path(sys.argv[2]))
