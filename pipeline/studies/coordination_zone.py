"""``channelmaps zone``: where devices are near a border (SM.2405, 6.2), masks for channels preferred abroad.

Administrations agree on a zone along their border with conditions, and on channels in which one of them is
preferred. Written are the zone as a map, its conditions in its tags, and the caps of the other side as
polygons for ``areas.masks``: nothing changes before a territory file names them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import geopandas as gpd
import numpy as np
import shapely
import xarray as xr
from numpy.typing import NDArray
from pydantic import Field, model_validator
from rasterio.features import shapes

from pipeline.config.base import AuthorityCode, Number, Section
from pipeline.config.channels import ChannelList
from pipeline.config.config import Config
from pipeline.config.load import read_model
from pipeline.errors import InputError, in_file
from pipeline.files import GEOTIFF_FILE, check_output_folder, kind_of_start, write_output
from pipeline.grid import raster
from pipeline.grid.geopackage import geopackage_bytes
from pipeline.grid.grid import Grid
from pipeline.plan.territory_file import files_read, load_config
from pipeline.radio.channel_plan import plan_channels
from pipeline.territory.codes import Surface
from pipeline.territory.masks import territory_window

_OUTSIDE, _ANY = 255, "any"
_ZONE_FILE, _MASKS_FILE = "coordination_zone.tif", "zone_masks.gpkg"
_PRODUCTS = {_ZONE_FILE: GEOTIFF_FILE, _MASKS_FILE: kind_of_start("a GeoPackage", rb"SQLite format 3\0")}
# So much of a pixel is taken off the edges of masks, which hold in every pixel that they touch.
_SHRINK_PX = 0.01


class ZoneRules(Section):
    """An agreement on a zone along the borders."""

    zone_km: Annotated[Number, Field(gt=0, le=500)]
    """Distance to the border up to which a place is in the zone."""
    conditions: Annotated[list[Annotated[str, Field(min_length=3)]], Field(min_length=1)]
    """What holds in the zone, in words; it stands in the tags of the map."""
    preferential: Annotated[dict[AuthorityCode, ChannelList], Field(default_factory=dict)]
    """Channels in which a neighbour is preferred, by its code."""
    zone_cap_dbm: Annotated[Number, Field(ge=-99, le=60)] | None = None
    """Cap of the own devices in the zone in these channels."""

    @model_validator(mode="after")
    def _capped(self) -> ZoneRules:
        if bool(self.preferential) != (self.zone_cap_dbm is not None):
            raise ValueError("preferential and zone_cap_dbm go together")
        return self


def zone_command(config_path: Path, rules_path: Path, out: Path, *, build: Path | None = None) -> None:
    """Write the map of the zone and, with preferential channels, the masks of the own side."""
    config = load_config(config_path)
    folder = (build or Path("build") / config.name) / "territory"
    check_output_folder("--out", out, _PRODUCTS, [rules_path, *files_read(config)])
    rules = read_model(rules_path, ZoneRules)
    surface = raster.read(folder / "surface.tif")
    grid: Grid = surface.attrs["grid"]
    home = surface.values == Surface.HOME
    with in_file(rules_path):
        _refuse_unknown(rules, config, surface.values, grid)
        zones = _zones(raster.read(folder / "neighbours.tif", stacked=True), home, rules)
    out.mkdir(parents=True, exist_ok=True)
    tags = {
        "zone_km": f"{rules.zone_km:g}",
        "conditions": "; ".join(rules.conditions),
        "notice": config.notice,
    }
    raster.write(out / _ZONE_FILE, _layer(zones, home, grid, rules), tags=tags, publish=True)
    if rules.preferential:
        frame = _masks(rules, zones, grid, rules_path.name)
        write_output(out / _MASKS_FILE, geopackage_bytes({"masks": frame}, {"masks": "MultiPolygon"}))
    inside_pct = 100.0 * float(zones[_ANY][home].mean()) if home.any() else 0.0
    print(
        f"{inside_pct:.1f} % of the territory is within {rules.zone_km:g} km of a border: {out / _ZONE_FILE}"
    )


def _refuse_unknown(rules: ZoneRules, config: Config, surface: NDArray[np.uint8], grid: Grid) -> None:
    """Channels that the plan does not have, and a zone deeper than the grid around the territory."""
    known = set(plan_channels(config.channels))
    for code, channels in rules.preferential.items():
        if missing := sorted(set(channels) - known):
            raise InputError("channel is not in the plan", row=f"preferential.{code}", value=missing[0])
    reach_km = known_zone_km(surface, grid)
    if rules.zone_km > reach_km:
        allowed = f"up to {reach_km:.3g} km, what the grid shows around the territory"
        raise InputError("reaches beyond the grid", row="zone_km", value=rules.zone_km, allowed=allowed)


def known_zone_km(surface: NDArray[np.uint8], grid: Grid) -> float:
    """How far beyond the territory the grid shows what there is, whichever side."""
    rows, cols = territory_window(surface)
    height, width = surface.shape
    margin_px = min(rows.start, cols.start, height - rows.stop, width - cols.stop)
    return float(1e-3 * grid.resolution_m / grid.largest_scale() * margin_px)


def _layer(
    zones: Mapping[str, NDArray[np.bool_]], home: NDArray[np.bool_], grid: Grid, rules: ZoneRules
) -> xr.DataArray:
    """A band for the zone of any neighbour, then one for each."""
    stack = np.stack([np.where(home, zone, _OUTSIDE).astype(np.uint8) for zone in zones.values()])
    return raster.make_array(
        stack,
        grid,
        units="",
        nodata=_OUTSIDE,
        band_names=[f"near {code}" for code in zones],
        long_name=f"within {rules.zone_km:g} km of the border",
        categories={0: "beyond the zone", 1: "in the zone"},
    )


def _zones(
    distances_km: xr.DataArray, home: NDArray[np.bool_], rules: ZoneRules
) -> dict[str, NDArray[np.bool_]]:
    """Home pixels of the zone of any neighbour and of each by its code; all land of a neighbour counts."""
    zones = {_ANY: np.zeros(home.shape, np.bool_)}
    for name, distance_km in zip(distances_km["band"].values.tolist(), distances_km.values, strict=True):
        near = home & (distance_km <= rules.zone_km)
        zones[_ANY] |= near
        code = str(name).split()[0]
        if len(code) == 2:
            zones[code] = zones.get(code, np.zeros(home.shape, np.bool_)) | near
    if absent := sorted(set(rules.preferential) - set(zones)):
        allowed = ", ".join(sorted(set(zones) - {_ANY})) or "none: there is no neighbour on the grid"
        raise InputError("is no neighbour", row="preferential", value=absent[0], allowed=allowed)
    return zones


def _masks(
    rules: ZoneRules, zones: Mapping[str, NDArray[np.bool_]], grid: Grid, source: str
) -> gpd.GeoDataFrame:
    """Polygons of ``areas.masks``: the zone beside each neighbour that is preferred in some channels."""
    rows, places = [], []
    for code, channels in rules.preferential.items():
        found = shapes(zones[code].astype(np.uint8), mask=zones[code], transform=grid.transform)
        union = shapely.union_all([shapely.geometry.shape(shape) for shape, _ in found])
        parts = shapely.buffer(union, -_SHRINK_PX * grid.resolution_m, join_style="mitre")
        if parts.is_empty:
            continue
        places.append(parts if parts.geom_type == "MultiPolygon" else shapely.MultiPolygon([parts]))
        rows.append(
            {
                "channels": ";".join(map(str, channels)),
                "cap_dbm": rules.zone_cap_dbm,
                "cap_density_dbm_per_100khz": None,
                "reason": f"channels preferred for {code} within {rules.zone_km:g} km",
                "source": source,
            }
        )
    return gpd.GeoDataFrame(rows, geometry=places, crs=grid.crs)
