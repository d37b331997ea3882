"""Heights above sea level as heights above ground: the terrain model of the run around a place.

A device that says how high it is above sea level stands somewhere in its circle, on the lowest or on the
highest ground there: both ends are asked of the maps, and what allows less answers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline.errors import InputError
from pipeline.grid.grid import Box
from pipeline.loop.members import Antenna
from pipeline.query.results import config_of, read_public_run

_METRES_PER_DEG = 110_500.0  # less than a degree of latitude anywhere: boxes become larger
_STEEPEST_COS = 0.01
_SOME_DEG = 1e-6
_MOST_PLACES = 20_000
Files = tuple[str, ...]


class GroundRange(NamedTuple):
    """Lowest and highest ground in m above sea level."""

    low_m: float
    high_m: float


def terrain_files(results: Path) -> Files:
    """Files of the terrain model that a run was computed with; none where it had none, or they are gone."""
    with suppress(InputError, OSError):
        files = config_of(read_public_run(results)).terrain.dem or ()
        if all(Path(one).is_file() for one in files):
            return tuple(map(str, files))
    return ()


@lru_cache(maxsize=_MOST_PLACES)
def ground_around(
    files: Files, corners_deg: Sequence[tuple[float, float]], radius_m: float
) -> GroundRange | None:
    """The ground within a distance of places (longitude, latitude), of more than that rather than of less.

    None where the model does not know all of it.
    """
    from pipeline.terrain.elevation import load_elevation  # compiled code, for few requests

    lon_deg, lat_deg = zip(*corners_deg, strict=True)
    high_deg = radius_m / _METRES_PER_DEG
    wide_deg = high_deg / max(math.cos(math.radians(max(map(abs, lat_deg)))), _STEEPEST_COS)
    box = min(lon_deg), min(lat_deg), max(lon_deg), max(lat_deg)
    with suppress(InputError, OSError):
        about = load_elevation(files, _wider(box, wide_deg + _SOME_DEG, high_deg + _SOME_DEG), None)
        if about is None:
            return None
        # Between the centres of pixels the ground is that of both: a pixel more.
        wider = _wider(box, wide_deg + about.step_lon_deg, high_deg + about.step_lat_deg)
        found = load_elevation(files, wider, None)
        if found is not None and not np.isnan(found.values).any():
            return GroundRange(float(found.values.min()), float(found.values.max()))
    return None


def _wider(box: Box, wide_deg: float, high_deg: float) -> Box:
    west, south, east, north = box
    return west - wide_deg, south - high_deg, east + wide_deg, north + high_deg


def above_ground(antenna: Antenna, ground: GroundRange) -> Antenna:
    """An antenna that is given above sea level, above ground: its spread has that of the ground in it."""
    if antenna.height_m is None:
        return antenna._replace(above_sea=False)
    low_m = antenna.height_m - antenna.spread_m - ground.high_m
    high_m = antenna.height_m + antenna.spread_m - ground.low_m
    return Antenna((low_m + high_m) / 2.0, (high_m - low_m) / 2.0, above_sea=False)
