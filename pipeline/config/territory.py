"""What is mapped and on which grid: territory, grid, population, terrain."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from pipeline.config.base import EpsgCode, Number, Section, on_or_off


class Polygons(Section):
    """Boundary file with country and land polygons in any CRS that the file states."""

    path: Path
    """GeoPackage, GeoJSON or shapefile."""
    countries_layer: str = "countries"
    """Layer of country polygons."""
    country_field: str = "iso2"
    """Attribute of the country layer that `home` and the registers' `country` refer to."""
    country_codes: Literal["as_stated", "iso3", "gisco"] = "as_stated"
    """How the file writes countries: as `home` and the registers do; in the three letters of ISO 3166 (GADM,
    geoBoundaries); or as GISCO (EL, UK). Of the last two `home` has the two letters of ISO 3166."""
    land_layer: str | None = "land"
    """Layer of land polygons; none: the union of the countries is the land."""


class Territory(Section):
    """What is mapped: the polygons of `home`, a bounding box, or (both given) their intersection."""

    home: Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1)]
    """Code(s) of the administration whose territory this is."""
    polygons: Polygons | None = None
    """Boundaries; without them the whole box is land of the territory."""
    bbox_deg: tuple[Number, Number, Number, Number] | None = None
    """West, south, east, north in degrees, WGS84."""
    world: Path | None = None
    """Wider land polygons, used for path sections beyond the boundary file."""
    sea: Literal["cold", "warm"] = "cold"
    """P.1546 sea family of all seas around."""
    coastal_km: Annotated[Number, Field(ge=0, le=100)] = 5.0
    """A victim nearer than this to the sea is protected along the smaller loss of land and sea."""

    @model_validator(mode="after")
    def _some_extent(self) -> Territory:
        if self.polygons is None and self.bbox_deg is None:
            raise ValueError("give `polygons`, `bbox_deg` or both")
        if self.bbox_deg is not None:
            west, south, east, north = self.bbox_deg
            if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
                raise ValueError("bbox_deg is west, south, east, north with west < east and south < north")
        return self


class GridSettings(Section):
    """The pixel grid: projected CRS, square pixels snapped to multiples of the resolution."""

    crs: EpsgCode
    """Projected CRS in metres, e.g. a national grid or UTM; EPSG:3035 for several countries."""
    resolution_m: Annotated[Number, Field(gt=0, ge=10, le=5000)] = 200.0
    """Pixel size (SM.2405: 200 m recommended, 100 m the practice of Ofcom)."""
    margin_km: Annotated[Number, Field(gt=0, le=300)] | None = None
    """Margin around the territory; none: their largest maximum interference range. Smaller is refused."""
    least_margins_km: tuple[Number, Number] | None = None
    """No margin is narrower, without and with sea in reach; `what-if` keeps the grid by them."""
    least_box_m: tuple[Number, Number, Number, Number] | None = None
    """The padded grid holds at least this projected box (west, south, east, north); `what-if` sets it."""
    least_limiting_losses_db: list[Number] | None = None
    """Devices on hills reach at least as far as these losses in the lowest and the highest channel; `what-if`
    keeps the land in reach by them."""


class Population(Section):
    """Where people live: a raster of counts, or a list of places."""

    raster: Path | None = None
    """Raster of persons per cell in any CRS."""
    places: Path | None = None
    """CSV with columns latitude, longitude, population and, if known, country (two letters)."""

    @model_validator(mode="after")
    def _one_of(self) -> Population:
        if (self.raster is None) == (self.places is None):
            raise ValueError("give either `raster` or `places`")
        return self


class Clutter(Section):
    """Land cover: over the terrain of whole profiles (method.md, section 36), or around receivers (42)."""

    raster: Annotated[list[Path], Field(min_length=1)]
    """One or more rasters of classes in any CRS, such as CORINE, ESA WorldCover, MCD12."""
    table: Path
    """Representative height and surroundings of each class: `configs/tables/clutter_corine.csv`,
    `clutter_worldcover.csv`, `clutter_igbp.csv`, or one of your own. All classes on land around the paths
    need a row."""


class Terrain(Section):
    """Terrain model; without `dem` antenna heights above ground (or HAAT) serve as effective heights."""

    dem: Annotated[list[Path], Field(min_length=1)] | None = None
    """One or more elevation rasters in metres; together they must cover the padded grid."""
    tca: Annotated[Literal["auto", "on", "off"], BeforeValidator(on_or_off)] = "auto"
    """Terrain clearance angle; auto: on where the step of the DEM is at most `tca_max_step_m`."""
    tca_max_step_m: Annotated[Number, Field(gt=0, le=5000)] = 250.0
    """Coarsest DEM for which `auto` computes clearance angles."""
    azimuth_step_deg: Annotated[Number, Field(ge=0.01, le=10)] = 0.5
    """Step between the radials of effective height and land/sea sections."""
    clutter: Clutter | None = None
    """Land cover between transmitters and receivers; none: paths run over bare terrain."""
    void: Annotated[Number, Field(ge=-450, le=9000)] | None = None
    """Height in m of ground of the territory that the model does not know; none: it is refused."""
    coast_void_km: Annotated[Number, Field(ge=0, le=10)] = 0.0
    """Land up to so far from the sea counts as sea level where the model knows no height; 0: none."""
