"""What the ground does to one path, for its explanation: effective height, sea between, losses of both.

Class and step are those of the search; the exact height of the pair is computed from the terrain model again,
where this is still the one of the run.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from pipeline.dtt.device_ground import GroundClasses, GroundPlaces, read_ground
from pipeline.dtt.path_classes import sector_table
from pipeline.dtt.path_losses import device_path, end_of_step_km, row_loss_db
from pipeline.dtt.victims import ExplainedPixel
from pipeline.propagation.homogeneous import (
    NEAR_KM,
    DevicePath,
    mixed_loss_db,
    one_surface_losses_db,
    sea_share_at,
)
from pipeline.terrain.device_heights import HIGHEST_M, exact_excess_m
from pipeline.terrain.height_files import base_height_m, elevation_around, knows_terrain, lowest_height_m
from pipeline.terrain.tile_sweeps import read_land
from pipeline.territory.reach import sea_distances_at_km


class PathGround(NamedTuple):
    """Ground and sea of one path.

    ``ground_m`` above sea level and ``exact_m`` h1 of the pair, NaN where no terrain is known or ``fault``
    says why that of the run is not; ``class_m`` h1 of the class that counts. ``device_sea_km``,
    ``victim_sea_km`` distances from the sea, ``inland_km`` the length of land that counts, ``sea_share`` Fs
    and ``sea_weight`` A of P.1546-6, Annex 5, section 8. Losses of all land, all sea and of the path;
    ``step_db`` what the step of distance takes off the last.
    """

    ground_m: float
    sector: int
    ring: int
    exact_m: float
    class_m: float
    device_sea_km: float
    victim_sea_km: float
    inland_km: float
    sea_share: float
    sea_weight: float
    land_db: float
    sea_db: float
    loss_db: float
    step_db: float
    fault: str = ""


def path_ground(
    asked: ExplainedPixel,
    places: GroundPlaces,
    victim: tuple[int, int],
    f_mhz: float,
    distance_km: float,
    *,
    coastal: bool,
) -> PathGround:
    """Ground of the path from the asked pixel to a victim at (row, col) of the grid."""
    config, device, own = asked.config, asked.device, (asked.row, asked.col)
    classes = read_ground(config, asked.build, device, places, asked.window)
    way = asked.row - victim[0], asked.col - victim[1]
    sector, ring, height = _class_of(classes, way, distance_km)
    class_m = float(classes.heights_m[height])
    inland_km = 0.0 if coastal else float(classes.sea_km[[places.sea[victim], places.sea[own]]].sum())
    effective_m = classes.effective_m if height == 0 else class_m
    path = device_path(config, device, f_mhz, effective_m)._replace(inland_km=inland_km)
    device_sea_km, victim_sea_km = sea_distances_at_km(places.surface, asked.grid, [own, victim])
    ground_m, exact_m = _exact_heights_m(asked, way, distance_km)
    return PathGround(
        ground_m,
        sector,
        ring,
        exact_m,
        class_m,
        device_sea_km,
        victim_sea_km,
        *_losses(path, distance_km, flat=height == 0, coastal=coastal),
        asked.terrain_fault,
    )


def _class_of(classes: GroundClasses, way: tuple[int, int], distance_km: float) -> tuple[int, int, int]:
    """Sector, ring and class of height of a path from the one pixel of ``classes``; ``way`` to it."""
    ring = int(np.digitize(distance_km, classes.rings.edges_km))
    origin = max(abs(way[0]), abs(way[1]))
    sector = int(sector_table(origin, classes.rings.sectors)[way[0] + origin, way[1] + origin])
    row = int(classes.ground.number[0, 0])
    if row < 0:
        return sector, ring, 0
    by_sector = classes.ground.height[row].reshape(classes.rings.sectors, -1)[:, ring]
    return sector, ring, int(by_sector.max() if way == (0, 0) else by_sector[sector])


def _exact_heights_m(asked: ExplainedPixel, way: tuple[int, int], distance_km: float) -> tuple[float, float]:
    """Ground of the device in m above sea level, and its effective height towards the victim."""
    config, grid = asked.config, asked.grid
    if asked.terrain_fault or not knows_terrain(config):
        return math.nan, math.nan
    land = read_land(asked.build / "territory" / "land_lonlat.tif")
    elevation = elevation_around(config, grid.window(*asked.window), land)
    assert elevation is not None
    azimuth_deg = None if way == (0, 0) else math.degrees(math.atan2(-way[1], way[0])) % 360.0
    ground_m, excess_m = exact_excess_m(
        elevation, grid, (asked.row, asked.col), azimuth_deg, distance_km, void_m=config.terrain.void
    )
    base_m = base_height_m(asked.device)
    return ground_m, min(max(base_m + excess_m, lowest_height_m(config, base_m)), HIGHEST_M)


def _losses(
    path: DevicePath, distance_km: float, *, flat: bool, coastal: bool
) -> tuple[float, float, float, float, float, float, float]:
    """Length of land that counts, Fs, A, losses of land, sea and path, and what the step takes off."""
    d_km = np.array([distance_km])
    share = sea_share_at(d_km, path.inland_km)
    land_db, sea_db = one_surface_losses_db(d_km, path, sea=bool(share[0] > 0.0))
    gain_db = max(0.0, float(land_db[0] - sea_db[0]))
    weight = (1.0 - (1.0 - float(share[0])) ** (2.0 / 3.0)) ** (1.0 + gain_db / 40.0)
    loss_db = float(mixed_loss_db(land_db, sea_db, share)[0])
    # Flat land has its losses by offset where there is no sea between, and at the coast.
    by_offset = flat and (coastal or end_of_step_km(distance_km) <= path.inland_km)
    step_db = 0.0 if by_offset or distance_km <= NEAR_KM else row_loss_db(path, distance_km) - loss_db
    return path.inland_km, float(share[0]), weight, float(land_db[0]), float(sea_db[0]), loss_db, step_db


def facts_of(ground: PathGround) -> dict[str, object]:
    """Numbers for the explanation; what is not known or infinite is left out."""
    numbers = {
        "ground_m": (ground.ground_m, 1),
        "sector": (ground.sector, 0),
        "ring": (ground.ring, 0),
        "h1_exact_m": (ground.exact_m, 2),
        "h1_class_m": (ground.class_m, 4),
        "device_to_sea_km": (ground.device_sea_km, 3),
        "victim_to_sea_km": (ground.victim_sea_km, 3),
        "inland_km": (ground.inland_km, 3),
        "sea_share": (ground.sea_share, 6),
        "sea_weight": (ground.sea_weight, 6),
        "loss_land_db": (ground.land_db, 4),
        "loss_sea_db": (ground.sea_db, 4),
    }
    known = {name: round(value, digits) for name, (value, digits) in numbers.items() if math.isfinite(value)}
    return known | ({"h1_exact_note": ground.fault} if ground.fault else {})


def note_of(ground: PathGround) -> str:
    """What the loss rests on."""
    said = f"h1 {ground.class_m:.1f} m"
    if math.isfinite(ground.exact_m):
        said += f" (exactly {ground.exact_m:.1f} m, ground {ground.ground_m:.0f} m)"
    if ground.fault:
        said += f" (not known exactly: {ground.fault})"
    if ground.sea_share > 0.0:
        said += (
            f"; sea share up to {ground.sea_share:.3f}, weight {ground.sea_weight:.3f}:"
            f" land {ground.land_db:.2f} dB, sea {ground.sea_db:.2f} dB"
        )
    return said
