"""Names of all files of a territory, as its jobs write them and readers find them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pipeline.availability.booked import base_file, booked_file
from pipeline.availability.limit_tags import limit_file
from pipeline.config.bonds import DeviceChannel
from pipeline.config.reception import sees_profiles
from pipeline.grid.layer_files import archive_name, layer_file, two_digits
from pipeline.plan.plan import Plan, channels_of, slice_names, tiles_of
from pipeline.plan.published_layers import (
    COLLECTION,
    LayerFile,
    published_layers,
    side_file,
    stac_item_file,
    stac_item_of,
    style_file,
)
from pipeline.radio.allocations import is_partial
from pipeline.terrain.height_files import base_heights_m, heights_file, highest_file
from pipeline.territory.rasters import ACCOUNTS_FILE, REPAIRS_FILE

# Vector layers of the QGIS projects, relative to the run's folder.
BOUNDARY_FILE, LAND_FILE = "public/boundaries.geojson", "public/land.geojson"
PLACE_FILE, RELIEF_FILE = "public/qgis/places.geojson", "public/qgis/relief.tif"
TRANSMITTER_FILE = "internal/transmitters.gpkg"
# What the built page of the web map is made of.
PAGE_FILES = ("index.html", "app.js", "app.css", "LICENSES.txt")
RELIEF_ARCHIVE = "tiles/relief.pmtiles"


def territory_files(plan: Plan) -> list[str]:
    """Files of the job territory, relative to the build folder."""
    layers = ("surface", "country", "coastal", "reach", "sea", "border", "neighbours", "land_lonlat")
    names = [f"{layer}.tif" for layer in layers]
    names += ["countries.json", REPAIRS_FILE]
    if plan.config.population is not None:
        names += ["population.tif", "density.tif"]
        names += [] if plan.config.population.places is None else [ACCOUNTS_FILE]
    return [f"territory/{name}" for name in names]


def terrain_files(plan: Plan, channel: int) -> list[str]:
    """Sweeps and losses that a DTT channel needs, relative to the build folder."""
    tiles = tiles_of(plan, channel)
    return [name for tile in tiles for name in (*sweep_files(plan, tile), *loss_files(plan, tile))]


def sweep_files(plan: Plan, tile: str) -> list[str]:
    """Sweeps of one terrain tile, relative to the build folder."""
    return [f"terrain/{tile}.npz"]


def loss_files(plan: Plan, tile: str) -> list[str]:
    """Losses from the masts of one tile, relative to the build folder; none if the model has no tables."""
    return [f"losses/{tile}.npz"] if sees_profiles(plan.config.propagation.coverage_model) else []


def all_loss_files(plan: Plan) -> list[str]:
    """Losses from the masts of all tiles, relative to the build folder."""
    return [name for tile in plan.tiles for name in loss_files(plan, tile)]


def height_files(plan: Plan) -> list[str]:
    """Classes of the heights of devices, relative to the build folder; none on flat land."""
    places = (heights_file, highest_file)
    return [place(Path(), base_m).as_posix() for base_m in base_heights_m(plan.config) for place in places]


def coverage_files(plan: Plan, channel: str) -> list[str]:
    """Files of one DTT channel's coverage, relative to the build folder."""
    return [f"coverage/ch{channel}{ending}" for ending in (".tif", "_class.tif", "_servers.json")]


def protection_files(plan: Plan, channel: str) -> list[str]:
    """Files of one victim channel's protection, relative to the build folder."""
    geometries = [device.id for device in plan.config.devices]
    return [
        f"protection/ch{channel}_{geometry}{ending}"
        for geometry in geometries
        for ending in (".tif", "_label.tif")
    ]


def combined_files(plan: Plan, channel: str) -> list[str]:
    """Files of one channel, or one bond, of the devices, relative to the build folder."""
    limits = [limit_file(device.id, channel) for device in plan.config.devices]
    booked = [name for device in plan.config.devices for name in _booked_files(plan, device.id, channel)]
    return [*written_by(plan, "combine", channel=channel), *limits, *booked]


def booked_files(plan: Plan, device_id: str) -> list[str]:
    """Limits of one device hour by hour, relative to the build folder; none where bookings do not change."""
    return [
        name for channel in channels_of(plan, device_id) for name in _booked_files(plan, device_id, channel)
    ]


def _booked_files(plan: Plan, device_id: str, channel: DeviceChannel | str) -> list[str]:
    return [base_file(device_id, channel), booked_file(device_id, channel)] if plan.slices else []


def limit_files(plan: Plan) -> list[str]:
    """Limits of all devices and channels before a least e.i.r.p., relative to the build folder."""
    return [
        limit_file(device.id, channel)
        for device in plan.config.devices
        for channel in plan.config.channels_of(device)
    ]


def count_files(plan: Plan) -> list[str]:
    """Numbers of available channels of all devices and levels, relative to the run's folder."""
    return [found.file for found in _published(plan) if found.layer.family == "available_channels"]


def max_eirp_files(plan: Plan, device_id: str) -> list[str]:
    """Maximum e.i.r.p. of one device, channels ascending, relative to the run's folder."""
    partial = is_partial(plan.config)
    return [
        layer_file("max_eirp", device=device_id, channel=channel, partial=partial)
        for channel in channels_of(plan, device_id)
    ]


def reach_sources(plan: Plan) -> list[str]:
    """Maximum e.i.r.p. of the devices whose reach is mapped, relative to the run's folder."""
    devices = dict.fromkeys(entry.device for entry in plan.config.reach)
    return [name for device in devices for name in max_eirp_files(plan, device)]


def query_file(plan: Plan, device_id: str) -> str:
    """All channels of one device in small blocks, relative to the run's folder."""
    return layer_file("query", device=device_id, partial=is_partial(plan.config))


def web_sources(plan: Plan) -> list[str]:
    """Published layers that the web map shows, relative to the run's folder."""
    return [found.file for found in _published(plan) if found.layer.view.web]


def web_files(plan: Plan) -> list[str]:
    """The web map, a folder that needs nothing else, relative to the run's folder."""
    page = (*PAGE_FILES, "maps.json", "boundaries.geojson")
    names = [f"public/web/{name}" for name in page]
    names += [f"public/web/tiles/{archive_name(source)}.pmtiles" for source in web_sources(plan)]
    names += [] if plan.config.terrain.dem is None else [f"public/web/{RELIEF_ARCHIVE}"]
    return names + [f"public/web/numbers/{device.id}.pmtiles" for device in plan.config.devices]


def layer_files(plan: Plan) -> list[str]:
    """Layers, tables and decisions of a run, relative to its folder."""
    return [found.file for found in _published(plan)]


def written_by(plan: Plan, job: str, **fields: object) -> list[str]:
    """Published files that a job writes, relative to the run's folder; for some ``fields`` only."""
    return [
        found.file
        for found in published_layers(plan.config, plan.victims, slice_names(plan), job=job, **fields)
    ]


def _published(plan: Plan) -> Iterator[LayerFile]:
    return published_layers(plan.config, plan.victims, slice_names(plan))


def raster_files(plan: Plan) -> list[str]:
    """Published rasters, relative to the run's folder."""
    return sorted(name for name in layer_files(plan) if Path(name).suffix in {".tif", ".vrt"})


def public_project(plan: Plan) -> str:
    """The QGIS project for everybody, relative to the run's folder."""
    return f"{plan.config.name}.qgs"


def internal_project(plan: Plan) -> str:
    """The QGIS project with the transmitters, relative to the run's folder."""
    return f"internal/{plan.config.name}_internal.qgs"


def project_to_pass_on(plan: Plan) -> str:
    """The QGIS project that needs nothing but the folder ``public/``, relative to the run's folder."""
    return f"public/{plan.config.name}_public.qgs"


def qgis_sources(plan: Plan) -> list[str]:
    """What styles and projects are made from, relative to the build folder."""
    tables = [f"coverage/ch{two_digits(channel)}_servers.json" for channel in plan.victims]
    radars = [name for name in written_by(plan, "radar612") if name.endswith(".csv")]
    return [*raster_files(plan), *tables, *radars]


def qgis_files(plan: Plan) -> list[str]:
    """Styles, projects and their vector layers, relative to the run's folder."""
    names = [public_project(plan), project_to_pass_on(plan), internal_project(plan)]
    names += [BOUNDARY_FILE, LAND_FILE, TRANSMITTER_FILE]
    population = plan.config.population
    names += [] if population is None or population.places is None else [PLACE_FILE]
    names += [] if plan.config.terrain.dem is None else [RELIEF_FILE]
    rasters = raster_files(plan)
    # GDAL reads no side file of a virtual raster.
    tagged = [side_file(name) for name in rasters if name.endswith(".tif")]
    return [*names, *map(style_file, rasters), *tagged, *map(view_file, viewed_files(plan))]


def viewed_files(plan: Plan) -> list[str]:
    """Published rasters that the projects show through a view of them (``publish/qgis/views.py``)."""
    return [found.file for found in _published(plan) if found.layer.family == "max_eirp"]


def view_file(file: str) -> str:
    """The view of a published raster, relative to the run's folder as that is."""
    path = Path(file)
    return (path.parent / "qgis" / f"{path.stem}.vrt").as_posix()


def stac_items(plan: Plan) -> dict[str, list[str]]:
    """Public rasters by STAC item: each device in each channel, its summaries, each kind of coordination."""
    public = [
        found
        for found in _published(plan)
        if found.file.startswith("public/") and found.file.endswith(".tif")
    ]
    devices = [device.id for device in plan.config.devices]
    items: dict[str, list[str]] = {}
    for found in sorted(public, key=lambda found: _place_in_catalogue(found, devices)):
        items.setdefault(stac_item_of(found), []).append(found.file)
    return items


def _place_in_catalogue(found: LayerFile, devices: list[str]) -> tuple[int, bool]:
    """Devices in their order, the channels of each before its summaries, then the rest."""
    device = found.fields.get("device")
    place = devices.index(str(device)) if device in devices else len(devices)
    return place, "channel" not in found.fields


def stac_sources(plan: Plan) -> list[str]:
    """Rasters that STAC describes, relative to the run's folder."""
    return sorted({name for files in stac_items(plan).values() for name in files})


def stac_files(plan: Plan) -> list[str]:
    """The STAC collection and its items, relative to the run's folder."""
    return [COLLECTION, *map(stac_item_file, stac_items(plan))]


def published_files(plan: Plan) -> list[str]:
    """All files of a run but its manifest, relative to the run's folder."""
    return sorted([*layer_files(plan), *web_files(plan), *qgis_files(plan), *stac_files(plan)])
