"""Population from a list of places: each one's people spread over the land of its own country around it."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Proj
from shapely.geometry.base import BaseGeometry

from pipeline.errors import InputError
from pipeline.grid.grid import Box, Grid
from pipeline.grid.polygons import EDGE_STEP_DEG, Boundaries, cut, project
from pipeline.territory.masks import Masks, is_land, rasterised

# People of a place live at the density of a European town, or on all land within 50 km; a place off the land
# of its country, such as a harbour, moves by at most 2 km (project choices, docs/method.md, section 24).
_SETTLED_PER_KM2 = 2000.0
_FARTHEST_KM = 50.0
_MOVED_KM = 2.0
# Halvings that find a radius of 50 km to a millionth of a metre.
_HALVINGS = 36
_KM_PER_DEG = 110.0
_COLUMNS = ("latitude", "longitude", "population")
_COUNTRY_COLUMNS = ("country", "countrycode")


class Settlement(NamedTuple):
    """Middle of a settlement in WGS84 degrees, its population and its country ("": that of the polygon).

    ``name`` is for maps; "" where the list has no such column.
    """

    lon_deg: float
    lat_deg: float
    persons: float
    country: str = ""
    name: str = ""


class PeopleAccount(NamedTuple):
    """Where the people of a country's places are; ``listed`` is the sum of the others."""

    listed: float
    on_grid: float
    beyond_grid: float
    not_placed: float


class PlacedPeople(NamedTuple):
    """``persons`` per pixel, float32[height, width], 0 away from places; accounts by country code."""

    persons: NDArray[np.float32]
    accounts: dict[str, PeopleAccount]


def read_places(path: str | Path) -> list[Settlement]:
    """Places of a CSV with the columns latitude, longitude (WGS84 degrees) and population.

    A column ``country`` or ``countrycode`` holds two-letter codes; it and its cells may be left out.
    """
    reader = csv.DictReader(_lines(Path(path)))
    for column in _COLUMNS:
        if column not in (reader.fieldnames or ()):
            raise InputError("column is missing", file=path, row=1, field=column, value=reader.fieldnames)
    places = [_place(path, reader.line_num, record) for record in reader]
    if not places:
        raise InputError("no places", file=path, allowed="at least one row")
    return places


def places_population(
    places: Sequence[Settlement], grid: Grid, masks: Masks, boundaries: Boundaries
) -> PlacedPeople:
    """Persons per pixel from places.

    A list of places says where the middle of a settlement is, not how far it reaches. The people of a place
    are spread over the part of a disc around it that is land of its country: the smallest disc that holds
    them at 2,000 per km2, of at most 50 km. Pixels whose centre lies in it share them by their area, those
    beyond the grid too. A disc without such a pixel is the pixel of the place, or the nearest land pixel of
    its country within 2 km; else the place is counted, not placed. A country without polygon is not placed.
    Where one polygon is all there is (a mere box) every place is of its country.
    """
    spread = _Spread(grid, masks, boundaries)
    persons = np.zeros(grid.shape)
    sums: dict[str, list[float]] = {}
    for place in places:
        code = spread.code_of(place)
        on_grid, beyond, not_placed = spread.add(place, code, persons)
        account = sums.setdefault(code, [0.0, 0.0, 0.0, 0.0])
        for index, part in enumerate((place.persons, on_grid, beyond, not_placed)):
            account[index] += part
    accounts = {code: PeopleAccount(*sums[code]) for code in sorted(sums)}
    return PlacedPeople(_rounded(persons, masks.country), accounts)


def without_polygon(places: Sequence[Settlement], boundaries: Boundaries) -> Iterator[str]:
    """A line on places of countries that the boundaries do not have: their people are counted, not placed."""
    if _is_everywhere(boundaries):
        return
    lost = [place for place in places if place.country and place.country not in boundaries.codes]
    if lost:
        codes = ", ".join(sorted({place.country for place in lost}))
        persons = sum(place.persons for place in lost)
        yield f"  not placed    {persons:.0f} persons of {len(lost)} places in {codes}: no polygon of it"


def _is_everywhere(boundaries: Boundaries) -> bool:
    """Whether the territory is a mere box, in which all land is of one country."""
    everywhere = shapely.box(-180.0, -90.0, 180.0, 90.0)
    return len(boundaries.codes) == 1 and bool(shapely.equals(boundaries.countries[0], everywhere))


def radius_km(rings: LocalRings, needed_km2: float) -> float:
    """Radius of the smallest disc around the origin with so much land in it, at most 50 km."""
    low_km, high_km = math.sqrt(needed_km2 / math.pi), _FARTHEST_KM
    if low_km >= high_km:
        return high_km
    if disc_area_km2(rings, low_km) >= needed_km2 * (1.0 - 1e-9):
        return low_km
    if disc_area_km2(rings, high_km) <= needed_km2:
        return high_km
    for _ in range(_HALVINGS):
        middle_km = 0.5 * (low_km + high_km)
        if disc_area_km2(rings, middle_km) < needed_km2:
            low_km = middle_km
        else:
            high_km = middle_km
    return high_km


class LocalRings(NamedTuple):
    """Edges of polygons in an equal-area plane, km: from and to float64[n, 2]; sign +1 outer, -1 of holes."""

    start_km: NDArray[np.float64]
    end_km: NDArray[np.float64]
    sign: NDArray[np.float64]


def disc_area_km2(rings: LocalRings, disc_km: float) -> float:
    """Area that polygons share with a disc around the origin, exact for straight edges.

    The sum over the edges of the triangle from the origin: where an edge lies inside the disc the triangle,
    elsewhere the sector that it spans.
    """
    a, way = rings.start_km, rings.end_km - rings.start_km
    length2 = np.maximum(np.einsum("ij,ij->i", way, way), 1e-30)
    along = np.einsum("ij,ij->i", a, way)
    root2 = along**2 - length2 * (np.einsum("ij,ij->i", a, a) - disc_km**2)
    root = np.sqrt(np.maximum(root2, 0.0))
    first, last = (np.clip((-along + side * root) / length2, 0.0, 1.0) for side in (-1.0, 1.0))
    enters, leaves = a + first[:, None] * way, a + last[:, None] * way
    inside = np.where(root2 > 0.0, 0.5 * _cross(enters, leaves), 0.0)
    turned = np.where(root2 > 0.0, _angle(a, enters) + _angle(leaves, rings.end_km), _angle(a, rings.end_km))
    return float(np.sum(rings.sign * (inside + 0.5 * disc_km**2 * turned)))


def _cross(u: NDArray[np.float64], v: NDArray[np.float64]) -> NDArray[np.float64]:
    product: NDArray[np.float64] = u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]
    return product


def _angle(u: NDArray[np.float64], v: NDArray[np.float64]) -> NDArray[np.float64]:
    angle: NDArray[np.float64] = np.arctan2(_cross(u, v), np.einsum("ij,ij->i", u, v))
    return angle


class _Spread:
    """The grid, its masks and the polygons, ready to take one place after the other."""

    def __init__(self, grid: Grid, masks: Masks, boundaries: Boundaries) -> None:
        self.grid, self.masks, self.boundaries = grid, masks, boundaries
        self.to_grid, self.to_lonlat, self.projection = grid.from_lonlat(), grid.to_lonlat(), Proj(grid.crs)
        self.land, self.one_country = is_land(masks.surface), _is_everywhere(boundaries)
        self.scale = grid.largest_scale()
        self.ground = cache(self._ground)

    def code_of(self, place: Settlement) -> str:
        """Country of a place: its own, else that of the polygon around it; "" if there is neither."""
        codes = self.boundaries.codes
        if self.one_country:
            return codes[0]
        if place.country:
            return place.country
        point = shapely.Point(place.lon_deg, place.lat_deg)
        around = (code for code in codes if shapely.intersects(self.ground(code), point))
        return next(around, "")

    def add(self, place: Settlement, code: str, persons: NDArray[np.float64]) -> tuple[float, float, float]:
        """Add a place to ``persons``; its people on the grid, beyond it and not placed."""
        if place.persons == 0.0:
            return 0.0, 0.0, 0.0
        if code not in self.boundaries.codes:
            return 0.0, 0.0, place.persons
        plane = Proj(proj="laea", lat_0=place.lat_deg, lon_0=place.lon_deg, ellps="WGS84")
        needed_km2 = place.persons / _SETTLED_PER_KM2
        disc_km = self._disc_km(place, code, plane, needed_km2)
        row, col = self.grid.row_col(*self.to_grid.transform(place.lon_deg, place.lat_deg))
        half_px = max(disc_km, _MOVED_KM) * 1000.0 * self.scale / self.grid.resolution_m + 2.0
        if not self._meets_grid(row, col, half_px):
            near_km = max(disc_km, _MOVED_KM)
            rings = _local_rings(self._near(place, code, near_km), plane)
            found = disc_area_km2(rings, near_km) > 0.0
            return (0.0, place.persons, 0.0) if found else (0.0, 0.0, place.persons)
        corner = math.floor(row - half_px), math.floor(col - half_px)
        side = math.ceil(2.0 * half_px) + 1
        part = self.grid.window(slice(corner[0], corner[0] + side), slice(corner[1], corner[1] + side))
        own, inside = self._own_pixels(corner, part, code)
        pixel = math.floor(row) - corner[0], math.floor(col) - corner[1]
        share = self._shares(part, own, plane, disc_km, pixel)
        if share is None:
            return 0.0, 0.0, place.persons
        people = place.persons * share
        window = self._window(corner, side)
        persons[window[0]] += people[window[1]]
        return float(people[inside].sum()), float(people[~inside].sum()), 0.0

    def _meets_grid(self, row: float, col: float, half_px: float) -> bool:
        if not (math.isfinite(row) and math.isfinite(col)):
            return False
        height, width = self.grid.shape
        return -half_px <= row <= height + half_px and -half_px <= col <= width + half_px

    def _disc_km(self, place: Settlement, code: str, plane: Proj, needed_km2: float) -> float:
        """Radius of a place's disc; the polygon is cut the wider the less of it is land."""
        around_km = math.sqrt(needed_km2 / math.pi)
        while True:
            around_km = min(2.0 * around_km + 1.0, _FARTHEST_KM)
            rings = _local_rings(self._near(place, code, around_km), plane)
            if around_km >= _FARTHEST_KM or disc_area_km2(rings, around_km) >= needed_km2:
                return radius_km(rings, needed_km2)

    def _near(self, place: Settlement, code: str, around_km: float) -> list[BaseGeometry]:
        """Land of a country around a place, in degrees."""
        return cut([self.ground(code)], _box_around_deg(place, around_km))

    def _ground(self, code: str) -> BaseGeometry:
        """Land of a country: of overlapping polygons the first has it, as on the masks."""
        number = self.boundaries.codes.index(code)
        own = self.boundaries.countries[number]
        land = [shape for shape in self.boundaries.land if shapely.intersects(shape, own)]
        ground = shapely.intersection(own, shapely.union_all(land))
        before = [shape for shape in self.boundaries.countries[:number] if shapely.overlaps(shape, own)]
        return shapely.difference(ground, shapely.union_all(before)) if before else ground

    def _window(self, corner: tuple[int, int], side: int) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
        """The part of the grid that a window shares with it, in the grid and in the window."""
        spans = [
            (max(first, 0), max(min(first + side, size), 0))
            for first, size in zip(corner, self.grid.shape, strict=True)
        ]
        in_grid = slice(*spans[0]), slice(*spans[1])
        rows, cols = (
            slice(low - first, max(high - first, low - first))
            for (low, high), first in zip(spans, corner, strict=True)
        )
        return in_grid, (rows, cols)

    def _own_pixels(
        self, corner: tuple[int, int], part: Grid, code: str
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Land pixels of a country in a window, by the masks or beyond the grid by polygons; those inside."""
        in_grid, in_part = self._window(corner, part.height)
        inside = np.zeros(part.shape, dtype=np.bool_)
        inside[in_part] = True
        own = np.zeros(part.shape, dtype=np.bool_)
        if not inside.all():
            polygons = project(cut([self.ground(code)], part.box_deg()), part.crs)
            own = rasterised(polygons, part.shape, part.transform) & ~inside
        number = self.boundaries.codes.index(code) + 1
        own[in_part] = self.land[in_grid] & (self.masks.country[in_grid] == number)
        return own, inside

    def _shares(
        self, part: Grid, own: NDArray[np.bool_], plane: Proj, disc_km: float, pixel: tuple[int, int]
    ) -> NDArray[np.float64] | None:
        """Share of each pixel of a window in a place's people; None where no pixel can take them."""
        lon_deg, lat_deg = self.to_lonlat.transform(*np.meshgrid(*part.centres_m()))
        x_m, y_m = plane(lon_deg, lat_deg)
        distance_km = np.where(own, np.hypot(x_m, y_m) / 1000.0, np.inf)
        taken = distance_km <= disc_km
        if not taken.any():
            nearest = pixel if own[pixel] else np.unravel_index(np.argmin(distance_km), own.shape)
            if not own[pixel] and distance_km[nearest] > _MOVED_KM:
                return None
            taken[nearest] = True
        shares = np.zeros(own.shape)
        shares[taken] = 1.0 / self.projection.get_factors(lon_deg[taken], lat_deg[taken]).areal_scale
        return shares / shares.sum()


def _box_around_deg(place: Settlement, around_km: float) -> Box:
    """Box that holds a disc, with a tenth to spare."""
    high_deg = 1.1 * around_km / _KM_PER_DEG
    wide_deg = high_deg / math.cos(math.radians(min(abs(place.lat_deg) + high_deg, 89.0)))
    lon_deg, lat_deg = place.lon_deg, place.lat_deg
    return lon_deg - wide_deg, lat_deg - high_deg, lon_deg + wide_deg, lat_deg + high_deg


def _local_rings(shapes: Sequence[BaseGeometry], plane: Proj) -> LocalRings:
    """Edges of lon/lat polygons in a local plane."""
    starts, ends, signs = [np.empty((0, 2))], [np.empty((0, 2))], [np.empty(0)]
    for polygon in shapely.get_parts(np.array([shapely.segmentize(s, EDGE_STEP_DEG) for s in shapes])):
        rings = [(shapely.get_exterior_ring(polygon), 1.0)]
        rings += [(shapely.get_interior_ring(polygon, k), -1.0) for k in range(len(polygon.interiors))]
        for ring, sign in rings:
            lon_deg, lat_deg = shapely.get_coordinates(ring).T
            edge_km = np.column_stack(plane(lon_deg, lat_deg)) / 1000.0
            starts.append(edge_km[:-1])
            ends.append(edge_km[1:])
            signs.append(np.full(len(edge_km) - 1, sign if shapely.is_ccw(ring) else -sign))
    return LocalRings(np.concatenate(starts), np.concatenate(ends), np.concatenate(signs))


def _rounded(persons: NDArray[np.float64], country: NDArray[np.uint8]) -> NDArray[np.float32]:
    """As float32 with the sum of each country kept: its most populated pixel takes what rounding left."""
    rounded = persons.astype(np.float32)
    left = persons - rounded
    for number in np.unique(country[persons > 0.0]):
        own = np.flatnonzero((country == number).ravel())
        top = own[np.argmax(persons.flat[own])]
        rounded.flat[top] += np.float32(left.flat[own].sum())
    return rounded


def _lines(path: Path) -> list[str]:
    if not path.is_file():
        raise InputError("file not found", file=path, allowed="an existing CSV file")
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        problem = f"cannot be read as UTF-8 text ({type(error).__name__})"
        raise InputError(problem, file=path, allowed="a CSV file in UTF-8") from None


def _place(path: str | Path, row: int, record: dict[str, str]) -> Settlement:
    limits = {"latitude": (-90.0, 90.0), "longitude": (-180.0, 180.0), "population": (0.0, 1e9)}
    numbers = {}
    for column, (low, high) in limits.items():
        try:
            numbers[column] = float(record[column])
        except (TypeError, ValueError):
            numbers[column] = math.nan
        if not low <= numbers[column] <= high:
            raise InputError(
                "not a number in range",
                file=path,
                row=row,
                field=column,
                value=record[column],
                allowed=f"{low:g} to {high:g}",
            )
    position = numbers["longitude"], numbers["latitude"]
    name = (record.get("name") or "").strip()
    return Settlement(*position, numbers["population"], _country(path, row, record), name)


def _country(path: str | Path, row: int, record: dict[str, str]) -> str:
    """Two-letter code of a place, "" where none is given."""
    column = next((name for name in _COUNTRY_COLUMNS if name in record), None)
    code = "" if column is None else (record[column] or "").strip().upper()
    if code and not (len(code) == 2 and code.isalpha() and code.isascii()):
        raise InputError(
            "not a country code",
            file=path,
            row=row,
            field=str(column),
            value=record[str(column)],
            allowed="two letters or empty",
        )
    return code
