"""Stage radar612: coordination distances of oceanographic radars (Resolution 612, Rev.WRC-12).

Input: country polygons and register of the configuration, ``territory/surface.tif``. Output:
``public/radar612_*.tif`` (radar612.md, section 2; a band for each frequency), ``public/radar612_adm.csv``
(what the bits of ``adm_k`` stand for) and, with a register, ``internal/radar612.gpkg`` with the layers
``radar612_zone`` and ``radar612_affected``.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pipeline.config.coordination import Radars
from pipeline.config.load import load_config
from pipeline.coordination import file_names as files
from pipeline.coordination.radar.borders import foreign_borders
from pipeline.coordination.radar.cr372_files import read_file
from pipeline.coordination.radar.cr372_register import registered
from pipeline.coordination.radar.findings import Strictness
from pipeline.coordination.radar.ground import Ground, LonLats, joined, outline_deg, read_ground
from pipeline.coordination.radar.radar_maps import (
    TABLE_COLUMNS,
    CandidateRadar,
    administration_table,
    candidate_radars,
    run,
)
from pipeline.coordination.radar.resolution612 import DISTANCES, ITU_CODES, Noise, read_itu_codes
from pipeline.coordination.radar.zones import ZONE_GEOMETRIES, RegisteredRadar, stations, zone_layers
from pipeline.errors import InputError
from pipeline.files import write_together
from pipeline.grid import raster
from pipeline.grid.geopackage import geopackage_bytes
from pipeline.grid.grid import Grid
from pipeline.hashing import file_sha256, json_hash, plain, source_hash
from pipeline.territory.codes import Surface


def main(config_path: Path, build: Path, *, threads: int = 1) -> None:
    """Compute and write the files, if radars are configured."""
    config = load_config(config_path)
    settings = config.coordination.radars
    if settings is None:
        return
    surface_path = build / "territory" / "surface.tif"
    surface = raster.read(surface_path)
    grid: Grid = surface.attrs["grid"]
    check_administration(settings)
    wanted = wanted_places(settings, surface)
    radars, found = candidates_of(settings), read_stations(settings)
    ground, ignored = ground_of(settings, grid, wanted, radars, found)
    for name in ignored:
        print(f"channelmaps: {settings.borders}: no ITU code for {name}, left out", file=sys.stderr)
    contents: dict[Path, bytes] = {}
    if radars:
        borders = foreign_borders(ground.countries, settings.administration, settings.clip_deg)
        layers = run(
            radars,
            grid,
            wanted,
            borders,
            ground,
            sea_min_km=settings.sea_min_km,
            abroad=settings.include_sea,
            threads=threads,
        )
        rows = administration_table(layers["adm_k"].values, radars, borders.administrations)
        contents[build / files.RADAR_TABLE] = _csv_bytes([TABLE_COLUMNS, *rows])
        own = [plain(settings), file_sha256(surface_path), source_hash(__name__)]
        tags = {"source": DISTANCES.name, "hash": json_hash(own), "notice": config.notice}
        for name, layer in layers.items():
            raster.write(build / files.radar_layer(name), layer, tags=tags, publish=True)
    if settings.register_file is not None:
        zones = zone_layers(found, ground, settings.sea_min_km)
        contents[build / files.RADAR_ZONES] = geopackage_bytes(zones, ZONE_GEOMETRIES)
    write_together(contents)


def check_administration(settings: Radars) -> None:
    """Refuse a code that no polygon can have: then no land would be the own one."""
    known = read_itu_codes().administrations
    if settings.administration not in known:
        raise InputError(
            "is no administration",
            row="coordination.radars.administration",
            value=settings.administration,
            allowed=f"an ITU code of {ITU_CODES.name}",
        )


def candidates_of(settings: Radars) -> list[CandidateRadar]:
    """The candidate radars of a configuration."""
    return candidate_radars(
        settings.frequencies_mhz, Noise(settings.noise), conservative_gap=settings.conservative_gap
    )


def read_stations(settings: Radars) -> list[RegisteredRadar]:
    """The registered radars; a register that `radar apply` would not take is refused."""
    if settings.register_file is None:
        return []
    radars, refused = registered(read_file(settings.register_file, Strictness.LENIENT))
    if refused:
        first = refused[0]
        raise InputError(
            f"{first.code}: {first.message}",
            file=settings.register_file,
            row=first.line or None,
            field=first.field or None,
            value=first.value or None,
        )
    return stations(radars, Noise(settings.noise), conservative_gap=settings.conservative_gap)


def wanted_places(settings: Radars, surface: xr.DataArray) -> NDArray[np.bool_]:
    """Pixels [y, x] to compute: the territory's land, or all that is known of the grid."""
    if settings.include_sea:
        return np.asarray(surface.values != Surface.OUTSIDE)
    return np.asarray(surface.values == Surface.HOME)


def ground_of(
    settings: Radars,
    grid: Grid,
    wanted: NDArray[np.bool_],
    radars: Sequence[CandidateRadar],
    found: Sequence[RegisteredRadar],
) -> tuple[Ground, list[str]]:
    """Countries, land and sea around the wanted places and the registered radars."""
    places, needed_km = reach_needed(grid, wanted, radars, found)
    return read_ground(settings.borders, settings.clip_deg, places, needed_km)


def reach_needed(
    grid: Grid, wanted: NDArray[np.bool_], radars: Sequence[CandidateRadar], found: Sequence[RegisteredRadar]
) -> tuple[LonLats, float]:
    """Places around which borders must be known, and how far."""
    sited = [station for station in found if station.separation is not None]
    separations = [radar.separation for radar in radars] + [station.separation for station in sited]
    needed_km = max((known.sea_km for known in separations if known is not None), default=0.0)
    outline = outline_deg(grid, wanted)
    sites = np.array([s.lon_deg for s in sited]), np.array([s.lat_deg for s in sited])
    return joined([outline, sites]), needed_km


def _csv_bytes(rows: Sequence[Sequence[str]]) -> bytes:
    return "".join(",".join(row) + "\n" for row in rows).encode()
