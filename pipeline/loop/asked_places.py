"""Places as they are answered: circles that hold them, made larger or refused where they are not known."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pipeline.files import JsonObject
from pipeline.grid.grid import GEOD
from pipeline.loop.asking import Asked, check_inside, check_layers
from pipeline.loop.ground_heights import above_ground, ground_around
from pipeline.loop.members import SURE_PCT, Antenna, Place
from pipeline.loop.served import Served
from pipeline.query.paws import Code, PawsError

_LEAST_PCT = 50


def circle_of(place: Place) -> tuple[float, float, float]:
    """Longitude, latitude and radius in m of a circle that holds a place; of a region around a corner."""
    if not place.corners:
        return place.lon_deg, place.lat_deg, place.radius_m
    lon_deg, lat_deg = zip(*place.corners, strict=True)
    own = ([place.lon_deg] * len(lon_deg), [place.lat_deg] * len(lat_deg))
    _, _, far_m = GEOD.inv(*own, lon_deg, lat_deg)
    # Edges are straight in degrees and bend by less between corners.
    return place.lon_deg, place.lat_deg, 1.01 * max(far_m)


def region_km2(corners: Sequence[tuple[float, float]]) -> float:
    """True area of a ring."""
    lon_deg, lat_deg = zip(*corners, strict=True)
    area_m2, _ = GEOD.polygon_area_perimeter(lon_deg, lat_deg)
    return abs(float(area_m2)) / 1e6


def checked_place(served: Served, place: Place) -> Place:
    """The place as it is answered; the last refusals: UNIMPLEMENTED for what this database does not do."""
    large = bool(place.corners) and region_km2(place.corners) > served.loop.max_region_km2
    if large or _is_unsure(place):
        check_inside(served, place)
    if large:
        raise PawsError(Code.UNIMPLEMENTED, f"regions are at most {served.loop.max_region_km2:g} km2 here")
    return sure_place(served, place)


def at_least(served: Served, place: Place, row: JsonObject | None) -> Place:
    """A place whose circle is as large as the way in which the device is located makes it at least."""
    method = None if row is None else row["details"].get("location_method")
    least_m = served.loop.min_uncertainty_m.get(method, 0.0) if method else 0.0
    return place if place.corners else place._replace(radius_m=max(place.radius_m, least_m))


def with_ground(served: Served, asked: Asked, place: Place) -> Asked:
    """A request at a place, its antenna above ground; UNIMPLEMENTED where the ground is not known."""
    if not asked.antenna.above_sea:
        return asked
    check_inside(served, place)
    found = asked._replace(antenna=antenna_above_ground(served, asked.antenna, place))
    check_layers(served, found, place)
    return found


def antenna_above_ground(served: Served, antenna: Antenna, place: Place) -> Antenna:
    """An antenna at a place with its height above ground; UNIMPLEMENTED where the ground is not known."""
    if not antenna.above_sea:
        return antenna
    corners = place.corners or ((place.lon_deg, place.lat_deg),)
    ground = ground_around(served.terrain, corners, place.radius_m)
    if ground is None:
        raise PawsError(Code.UNIMPLEMENTED, "no ground heights here: give the height above ground (AGL)")
    return above_ground(antenna, ground)


def _is_unsure(place: Place) -> bool:
    return place.confidence_pct < SURE_PCT and place.radius_m > 0.0


def sure_place(served: Served, place: Place) -> Place:
    """A place that is known well enough, its circle enlarged if need be; else UNIMPLEMENTED."""
    if not _is_unsure(place):
        return place
    if not served.loop.enlarge_low_confidence or place.confidence_pct < _LEAST_PCT:
        raise PawsError(Code.UNIMPLEMENTED, f"places are known with {SURE_PCT} % confidence or more")
    # Ratio of the radii of a Rayleigh distribution.
    ratio = math.log(1.0 - SURE_PCT / 100.0) / math.log(1.0 - place.confidence_pct / 100.0)
    return place._replace(radius_m=place.radius_m * math.sqrt(ratio))
