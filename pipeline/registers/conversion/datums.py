"""Places of any stated CRS as longitude and latitude of WGS84, with the operation and its accuracy.

NAD83, ETRS89, GDA94 and GDA2020 count as WGS84: they differ by less than 2 m. All others need an operation of
PROJ of known accuracy; NAD27 without its grids is refused, as no set of parameters holds for all of it.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pyproj import CRS, Transformer
from pyproj.aoi import AreaOfInterest
from pyproj.crs import BoundCRS
from pyproj.crs.coordinate_operation import ToWGS84Transformation
from pyproj.exceptions import CRSError, ProjError
from pyproj.transformer import TransformerGroup

from pipeline.errors import InputError
from pipeline.grid.grid import LONLAT
from pipeline.rows.earth_crs import is_on_earth

_SAME_AS_WGS84 = {4326, 4258, 4269, 4283, 7844, 9755, 4979, 4937}
_SAME_ACCURACY_M = 2.0
_NAD27 = 4267
_PARAMETERS = "to_wgs84 with 3 or 7 parameters, or a larger datum_accuracy_m"


class Datum(NamedTuple):
    """An operation to WGS84: its name, its accuracy in m (None: not known) and the transformer."""

    operation: str
    accuracy_m: float | None
    transformer: Transformer | None

    def degrees(self, x: ArrayLike, y: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Longitude and latitude of places; NaN and infinity where there is none."""
        if self.transformer is None:
            return np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
        lon, lat = self.transformer.transform(np.asarray(x, dtype=float), np.asarray(y, dtype=float))
        return np.asarray(lon), np.asarray(lat)


WGS84 = Datum("none (WGS84)", 0.0, None)


def known_crs(text: str) -> CRS:
    """A CRS that places points on the Earth; InputError for any other."""
    try:
        crs = CRS.from_user_input(text)
    except CRSError:
        raise InputError("unknown CRS", row="crs", value=text, allowed="such as EPSG:4326") from None
    if not is_on_earth(crs):
        raise InputError("CRS does not place points on the Earth", row="crs", value=text)
    return crs


def datum_of(
    crs: CRS, x: ArrayLike, y: ArrayLike, *, accuracy_m: float, to_wgs84: Sequence[float] | None = None
) -> Datum:
    """The operation for places of a CRS, the best that PROJ has around them; InputError if it is too rough.

    ``to_wgs84``: three or seven parameters in its place (position vector; m, arc seconds, ppm).
    """
    base = crs.geodetic_crs
    if to_wgs84 is not None:
        parameters = ToWGS84Transformation(base, *to_wgs84)
        bound = BoundCRS(crs, CRS.from_user_input(LONLAT), parameters)
        stated = f"to_wgs84 {', '.join(f'{value:g}' for value in to_wgs84)}"
        return Datum(stated, None, Transformer.from_crs(bound, LONLAT, always_xy=True))
    if base is not None and base.to_epsg() in _SAME_AS_WGS84:
        to_base = None if crs.is_geographic else Transformer.from_crs(crs, base, always_xy=True)
        same = base.to_epsg() == 4326
        name = f"{crs.name}, taken as WGS84" if not same else crs.name
        return Datum(name, 0.0 if same else _SAME_ACCURACY_M, to_base)
    return _best_operation(crs, x, y, accuracy_m)


def _best_operation(crs: CRS, x: ArrayLike, y: ArrayLike, accuracy_m: float) -> Datum:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of grids that are missing: the accuracy tells
        try:
            group = TransformerGroup(
                crs,
                LONLAT,
                always_xy=True,
                allow_ballpark=False,
                area_of_interest=_around(crs, x, y),  # type: ignore[arg-type]
            )
        except ProjError:
            raise _refused(crs, "no operation to WGS84") from None
    if not group.transformers:
        raise _refused(crs, "no operation to WGS84")
    best = group.transformers[0]
    base = crs.geodetic_crs
    if base is not None and base.to_epsg() == _NAD27 and not group.best_available and accuracy_m <= 20.0:
        raise _refused(crs, "NAD27 without its grid files")
    if best.accuracy < 0.0 or best.accuracy > accuracy_m:
        known = "of unknown accuracy" if best.accuracy < 0.0 else f"accurate to {best.accuracy:g} m only"
        raise _refused(crs, f"operation to WGS84 is {known}")
    return Datum(str(best.description), float(best.accuracy), best)


def _refused(crs: CRS, problem: str) -> InputError:
    return InputError(problem, row="crs", value=crs.name, allowed=_PARAMETERS)


def _around(crs: CRS, x: ArrayLike, y: ArrayLike) -> AreaOfInterest | None:
    """The box of the places in degrees of their own datum; None without any."""
    to_base = Transformer.from_crs(crs, crs.geodetic_crs, always_xy=True)
    lon, lat = map(np.asarray, to_base.transform(np.asarray(x, dtype=float), np.asarray(y, dtype=float)))
    known = np.isfinite(lon) & np.isfinite(lat)
    if not known.any():
        return None
    west, south, east, north = (
        float(side)
        for side in (*map(np.min, (lon[known], lat[known])), *map(np.max, (lon[known], lat[known])))
    )
    return AreaOfInterest(west, south, east, north)
