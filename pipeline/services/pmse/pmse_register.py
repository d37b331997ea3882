"""The PMSE register: files -> one checked dataset of assignments, sorted by id.

Strict reading refuses the first bad row; lenient reading leaves bad rows out and returns each of them for
the manifest. A fault of a whole file is refused either way. A file without rows is one without assignments.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError

from pipeline.config.config import Config
from pipeline.errors import InputError
from pipeline.grid.grid import GEOD, LONLAT
from pipeline.rows.row_models import RejectedRow, read_by_id, refuse_unless_lenient
from pipeline.services.pmse.pmse_rows import (
    SAME_PLACE_M,
    PmseRow,
    PmseRules,
    read_pmse_kinds,
    required_columns,
)

# Minutes since 1970 of assignments without a start or an end.
_ALWAYS, _FOREVER = -(2**62), 2**62


def read_pmse(
    paths: Sequence[Path], kinds: Collection[str], *, crs: str | None = None, lenient: bool = False
) -> tuple[xr.Dataset, list[RejectedRow]]:
    """Read and check registers; ids are unique over all files together.

    ``crs`` of the columns easting_m and northing_m, which then place the assignments (lon and lat, if given
    as well, must agree within 100 m); None: lon and lat do. Returns the dataset (see ``to_dataset``) and, if
    ``lenient``, the rows left out.
    """
    to_degrees = None if crs is None else _to_degrees(crs)
    rows, faults = read_by_id(
        paths,
        PmseRow,
        columns=required_columns(crs is not None),
        context=PmseRules(kinds, crs is not None),
        may_be_empty=True,
        faults_of=partial(_place_faults, to_degrees),
    )
    rejected = refuse_unless_lenient(faults, lenient=lenient)
    dataset = to_dataset(rows, crs)
    dataset.attrs["rejected_rows"] = len(rejected)
    return dataset, rejected


def read_pmse_register(config: Config) -> tuple[xr.Dataset, list[RejectedRow]]:
    """The PMSE registers that a territory file names, as strictly as it says."""
    settings = config.pmse
    kinds = read_pmse_kinds(settings.kinds)
    return read_pmse(settings.registers, kinds, crs=settings.crs, lenient=config.registers.lenient)


def bookings_of(config: Config) -> xr.Dataset | None:
    """The assignments of a territory; None where PMSE is not evaluated or has no register."""
    if not config.services["pmse"].evaluated or not config.pmse.registers:
        return None
    return read_pmse_register(config)[0]


def to_dataset(rows: Sequence[PmseRow], crs: str | None) -> xr.Dataset:
    """Checked rows as a dataset over ``assignment``, in the given order.

    ``x``, ``y`` in the CRS of attribute ``crs``: metres, or degrees east and north; height NaN where none (or
    0) is given; times in minutes since 1970, ``finish_minute`` is the last one of use.
    """
    places = ("lon", "lat") if crs is None else ("easting_m", "northing_m")
    numbers = {
        "x": [getattr(row, places[0]) for row in rows],
        "y": [getattr(row, places[1]) for row in rows],
        "height_m": [row.antenna_height_agl_m or math.nan for row in rows],
        "freq_mhz": [row.freq_mhz for row in rows],
        "bandwidth_mhz": [row.bandwidth_mhz for row in rows],
    }
    names = ("id", "kind", "situation", "environment")
    texts = {name: [getattr(row, name) for row in rows] for name in names}
    times = {
        "start_minute": [_minute(row.start, _ALWAYS) for row in rows],
        "finish_minute": [_minute(row.finish, _FOREVER) for row in rows],
    }
    variables = {name: np.array(values, dtype=np.float64) for name, values in numbers.items()}
    variables |= {name: np.array(values, dtype=np.str_) for name, values in texts.items()}
    variables |= {name: np.array(values, dtype=np.int64) for name, values in times.items()}
    data = {name: ("assignment", values) for name, values in variables.items()}
    return xr.Dataset(data, attrs={"crs": crs or LONLAT})


def active_between(dataset: xr.Dataset, at: str | None, hours: float) -> NDArray[np.bool_]:
    """Assignments with any time in [at, at + hours), bool[assignment]; all of them without ``at``."""
    if at is None:
        return np.ones(dataset.sizes["assignment"], dtype=np.bool_)
    begin = _minute(datetime.fromisoformat(at), _ALWAYS)
    begun = dataset["start_minute"].values < begin + 60.0 * hours
    return np.asarray(begun & (dataset["finish_minute"].values >= begin))


def summary(dataset: xr.Dataset, active: NDArray[np.bool_]) -> dict[str, int]:
    """Counts for reports: assignments, those that hold on the date, rows left out, and filled gaps."""
    counts = {
        "assignments": dataset.sizes["assignment"],
        "active": active.sum(),
        "rejected_rows": dataset.attrs.get("rejected_rows", 0),
        "without_start": (dataset["start_minute"].values == _ALWAYS).sum(),
        "without_finish": (dataset["finish_minute"].values == _FOREVER).sum(),
        "without_height": np.isnan(dataset["height_m"].values).sum(),
    }
    return {name: int(count) for name, count in counts.items()}


def _place_faults(
    to_degrees: Transformer | None, path: Path, rows: Sequence[PmseRow]
) -> Iterator[InputError]:
    """Rows whose easting and northing lie nowhere, or elsewhere than their lon and lat."""
    if to_degrees is None or not rows:
        return
    columns = ("easting_m", "northing_m", "lon", "lat")
    values = np.array([[getattr(row, name) for name in columns] for row in rows], dtype=np.float64)
    lon, lat = to_degrees.transform(values[:, 0], values[:, 1])
    on_earth = np.isfinite(lon) & np.isfinite(lat)
    apart_m = np.zeros(len(rows))
    both = on_earth & np.isfinite(values[:, 2:]).all(axis=1)
    apart_m[both] = GEOD.inv(lon[both], lat[both], *values[both, 2:].T)[2]
    for i in np.flatnonzero(~on_earth | (apart_m > SAME_PLACE_M)).tolist():
        nowhere = "place is nowhere on the Earth"
        elsewhere = f"easting and northing lie {apart_m[i]:.0f} m from lon and lat"
        yield InputError(
            elsewhere if on_earth[i] else nowhere,
            file=path,
            row=rows[i].row,
            field="easting_m",
            value=rows[i].easting_m,
            allowed=f"one place in the CRS of pmse.crs, within {SAME_PLACE_M:g} m",
        )


def _to_degrees(crs: str) -> Transformer:
    try:
        known = CRS.from_user_input(crs)
    except CRSError:
        raise InputError("unknown CRS", row="pmse.crs", value=crs, allowed="a projected CRS") from None
    if not known.is_projected:
        raise InputError("CRS is not projected", row="pmse.crs", value=crs, allowed="a projected CRS")
    return Transformer.from_crs(known, LONLAT, always_xy=True)


def _minute(moment: datetime | None, otherwise: int) -> int:
    """Minutes since 1970 of a local time."""
    return otherwise if moment is None else (moment - datetime(1970, 1, 1)) // timedelta(minutes=1)
