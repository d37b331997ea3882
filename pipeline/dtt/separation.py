"""The separation method: devices keep a distance from protected contours (SM.2405 Annex 10, 47 CFR 15.712).

The e.i.r.p. that a pixel may use is the largest step of the table whose distance it keeps, measured between
its square and the nearest pixel that a contour touches. An e.i.r.p. between two steps needs the distance of
the higher one; a device of at most 100 kHz needs those of 36 dBm.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import shapely
import xarray as xr
from numpy.typing import NDArray
from pyproj import Transformer
from rasterio.features import rasterize

from pipeline.config.config import Config
from pipeline.config.protection import Device
from pipeline.config.services import ServiceName
from pipeline.coverage.network import load_sweeps, read_network
from pipeline.dtt.contours import Contour, contour_km, contour_of, read_contours
from pipeline.errors import InputError
from pipeline.grid.grid import GEOD, LONLAT, Grid
from pipeline.radio.antennas import AZIMUTHS
from pipeline.radio.channel_plan import channel_centre_mhz
from pipeline.radio.emission import device_cap_dbm
from pipeline.reference.separation_distances import RELATIONS, permitted_dbm, read_distances, steps_of
from pipeline.services.codes import LimitingService
from pipeline.terrain.records import Sweep
from pipeline.territory.neighbours import square_distance_px


def contour_polygons(
    config: Config, channel: int, stations: xr.Dataset, sweeps: dict[str, Sweep], crs: str
) -> list[shapely.Polygon]:
    """Contours of the stations in a projected CRS, one each."""
    f_mhz = channel_centre_mhz(config.channels, channel)
    settings = config.protection.separation
    rows = read_contours(settings.contours)
    azimuths_deg = np.arange(0.0, 360.0, settings.azimuth_step_deg)
    to_grid = Transformer.from_crs(LONLAT, crs, always_xy=True)
    polygons = []
    for i in range(stations.sizes["transmitter"]):
        station = stations.isel(transmitter=i)
        contour = contour_of(rows, str(station["system"].item()), f_mhz)
        if contour is None:
            raise InputError(
                "no contour for a system",
                file=settings.contours,
                field="system",
                value=f"{station['system'].item()} at {f_mhz:g} MHz",
                allowed="rows for every system in use",
            )
        sweep = sweeps[str(station["mast"].item())]
        radius_km = _radii_km(config, contour, station, sweep, azimuths_deg, f_mhz)
        polygons.append(_polygon(station, azimuths_deg, radius_km, to_grid))
    return polygons


def _radii_km(
    config: Config,
    contour: Contour,
    station: xr.Dataset,
    sweep: Sweep,
    azimuths_deg: NDArray[np.float64],
    f_mhz: float,
) -> NDArray[np.float64]:
    """Contour distance at each azimuth, widened so that straight edges do not cut into the circle."""
    radials_deg = np.arange(sweep.heff_m.size) * sweep.azimuth_step_deg
    height_m = np.interp(azimuths_deg, radials_deg, sweep.heff_m.astype(np.float64), period=360.0)
    pattern_db = station["attenuation_db"].values.astype(np.float64)
    attenuation_db = np.interp(azimuths_deg, np.arange(AZIMUTHS), pattern_db, period=360.0)
    erp_dbkw = 10.0 * math.log10(float(station["erp_kw"])) - attenuation_db
    radius_km = contour_km(contour, f_mhz, height_m, erp_dbkw, config.coverage.receiver_height_m)
    return radius_km / math.cos(math.radians(0.5 * config.protection.separation.azimuth_step_deg))


def _polygon(
    station: xr.Dataset,
    azimuths_deg: NDArray[np.float64],
    radius_km: NDArray[np.float64],
    to_grid: Transformer,
) -> shapely.Polygon:
    lon_deg, lat_deg = (np.full(azimuths_deg.size, float(station[name])) for name in ("lon_deg", "lat_deg"))
    lon_deg, lat_deg, _ = GEOD.fwd(lon_deg, lat_deg, azimuths_deg, 1000.0 * radius_km)
    return shapely.Polygon(np.column_stack(to_grid.transform(lon_deg, lat_deg)))


def inside_contours(polygons: Sequence[shapely.Polygon], grid: Grid) -> NDArray[np.bool_]:
    """Pixels that any contour touches, bool[y, x]."""
    inside = np.zeros((grid.height, grid.width), dtype=np.uint8)
    box = shapely.box(*grid.bounds_m)
    near = [polygon for polygon in polygons if polygon.intersects(box)]
    if near:
        rasterize([(p, 1) for p in near], out=inside, transform=grid.transform, all_touched=True)
    return inside.astype(np.bool_)


class Maps(NamedTuple):
    """E.i.r.p. float32 and label uint8 by relation, [co | adjacent, y, x]."""

    limit_dbm: NDArray[np.float32]
    label: NDArray[np.uint8]


def separation_maps(config: Config, build: Path, channel: int, device: Device, grid: Grid) -> Maps:
    """Maps of one DTT channel and device: contours of own and of foreign stations, as far as evaluated."""
    network = read_network(config, grid, channel)
    network = network.isel(transmitter=network["channel"].values == channel)
    sweeps = load_sweeps(build, network)
    home = np.isin(network["country"].values, config.territory.home)
    shape = (len(RELATIONS), grid.height, grid.width)
    maps = Maps(np.full(shape, np.inf, np.float32), np.zeros(shape, np.uint8))
    parts: tuple[tuple[ServiceName, NDArray[np.bool_], LimitingService], ...] = (
        ("dtt", home, LimitingService.DTT),
        ("foreign_dtt", ~home, LimitingService.FOREIGN_DTT),
    )
    for service, chosen, label in parts:
        if config.services[service].evaluated and chosen.any():
            stations = network.isel(transmitter=np.flatnonzero(chosen))
            inside = inside_contours(contour_polygons(config, channel, stations, sweeps, grid.crs), grid)
            _lower(maps, config, device, inside, grid, label)
    return maps


def _lower(
    maps: Maps, config: Config, device: Device, inside: NDArray[np.bool_], grid: Grid, label: LimitingService
) -> None:
    """Lower the maps by one set of contours."""
    file = config.protection.separation.distances
    rules = read_distances(file)
    km_per_px = grid.resolution_m / 1000.0 / grid.largest_scale()
    distance_km = square_distance_px(inside).astype(np.float64) * km_per_px
    for k, relation in enumerate(RELATIONS):
        steps = steps_of(rules, device, relation, file)
        limit_dbm = permitted_dbm(steps, device_cap_dbm(device), inside, distance_km)
        stricter = limit_dbm < maps.limit_dbm[k]
        maps.limit_dbm[k][stricter] = limit_dbm[stricter]
        maps.label[k][stricter] = label
