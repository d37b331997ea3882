"""Names of all files of a territory, as its jobs write them and readers find them."""

from __future__ import annotations

from pathlib import Path

from pipeline.coordination import file_names
from pipeline.plan.plan import Plan, levels_of, tiles_of

# Vector layers of the QGIS projects, relative to the run's folder.
BOUNDARIES, LAND = "public/boundaries.geojson", "public/land.geojson"
REGION_STATISTICS = "public/statistics_by_region.csv"
TRANSMITTERS = "internal/transmitters.gpkg"
COLLECTION = "stac/collection.json"

# Stages of coordination and the files of each.
COORDINATION = {
    "rr941": file_names.rr941_files,
    "rr97ab": file_names.rr97ab_files,
    "radar612": file_names.radar_files,
    "f1565": file_names.link_files,
}


def territory_files(plan: Plan) -> list[str]:
    """Files of the territory stage, relative to the build folder."""
    layers = ("surface", "country", "coastal", "border", "neighbours", "land_lonlat")
    names = [f"{layer}.tif" for layer in layers]
    names.append("countries.json")
    if plan.config.population is not None:
        names += ["population.tif", "density.tif"]
    return [f"territory/{name}" for name in names]


def terrain_files(plan: Plan, channel: int) -> list[str]:
    """Sweeps that a DTT channel needs, relative to the build folder."""
    return [name for tile in tiles_of(plan, channel) for name in sweep_files(plan, tile)]


def sweep_files(plan: Plan, tile: str) -> list[str]:
    """Sweeps of one 1-degree square, relative to the build folder."""
    return [f"terrain/{tile}.npz"]


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


def public_files_of_channel(plan: Plan, channel: int | str) -> list[str]:
    """Files of one device channel, relative to the run's folder."""
    layers = ("max_eirp", "limiting_service", "eval_flags")
    names = [device.id for device in plan.config.devices]
    return [f"public/{layer}_{device}_ch{channel}.tif" for device in names for layer in layers]


def public_files_of_devices(plan: Plan) -> list[str]:
    """Files that summarise all channels, relative to the run's folder."""
    names = ["public/statistics.csv", "public/not_evaluated.csv"]
    for device in plan.config.devices:
        names.append(f"public/max_eirp_{device.id}.vrt")
        for level_dbm in levels_of(plan, device.id):
            names.append(f"public/availability_{device.id}_{level_dbm:g}dbm.tif")
            names.append(f"public/available_channels_{device.id}_{level_dbm:g}dbm.tif")
    return names


def region_files(plan: Plan) -> list[str]:
    """Statistics by region, relative to the run's folder; none without regions."""
    return [] if plan.config.report.regions is None else [REGION_STATISTICS]


def count_files(plan: Plan) -> list[str]:
    """Numbers of available channels of all devices and levels, relative to the run's folder."""
    return [name for name in public_files_of_devices(plan) if "/available_channels_" in name]


def max_eirp_files(plan: Plan, device_id: str) -> list[str]:
    """Maximum e.i.r.p. of one device, channels ascending, relative to the run's folder."""
    return [f"public/max_eirp_{device_id}_ch{two_digits(channel)}.tif" for channel in plan.wsd]


def query_file(device_id: str) -> str:
    """All channels of one device in small blocks, relative to the run's folder."""
    return f"public/query_{device_id}.tif"


def web_sources(plan: Plan) -> list[str]:
    """Published layers that the web map shows, relative to the run's folder."""
    names = []
    for device in plan.config.devices:
        names += [f"public/available_channels_{device.id}_{x:g}dbm.tif" for x in levels_of(plan, device.id)]
        for layer in ("max_eirp", "limiting_service"):
            names += [f"public/{layer}_{device.id}_ch{two_digits(channel)}.tif" for channel in plan.wsd]
    return names


def web_files(plan: Plan) -> list[str]:
    """The web map, a folder that needs nothing else, relative to the run's folder."""
    page = ("index.html", "app.js", "app.css", "LICENSES.txt", "maps.json", "boundaries.geojson")
    names = [f"public/web/{name}" for name in page]
    names += [f"public/web/tiles/{Path(source).stem}.pmtiles" for source in web_sources(plan)]
    return names + [f"public/web/numbers/{device.id}.pmtiles" for device in plan.config.devices]


def query_files(plan: Plan, device: str) -> list[str]:
    """What the job ``query`` writes for one device."""
    return [query_file(device)]


def internal_files_of_channel(plan: Plan, channel: int | str) -> list[str]:
    """Files on the reception of one DTT channel, relative to the run's folder."""
    return [f"internal/dtt_{layer}_ch{channel}.tif" for layer in ("field", "q", "served", "server")]


def coordination_files(plan: Plan, stage: str) -> list[str]:
    """Files of one stage of coordination, relative to the run's folder; none if it is not configured."""
    return COORDINATION[stage](plan.config.coordination)


def rr941_files(plan: Plan) -> list[str]:
    """What the job ``rr941`` writes."""
    return coordination_files(plan, "rr941")


def rr97ab_files(plan: Plan) -> list[str]:
    """What the job ``rr97ab`` writes."""
    return coordination_files(plan, "rr97ab")


def radar612_files(plan: Plan) -> list[str]:
    """What the job ``radar612`` writes."""
    return coordination_files(plan, "radar612")


def f1565_files(plan: Plan) -> list[str]:
    """What the job ``f1565`` writes."""
    return coordination_files(plan, "f1565")


def layer_files(plan: Plan) -> list[str]:
    """Layers, tables and decisions of a run, relative to its folder."""
    names = public_files_of_devices(plan) + region_files(plan)
    names += [query_file(device.id) for device in plan.config.devices]
    names += [name for stage in COORDINATION for name in coordination_files(plan, stage)]
    names += [name for channel in plan.wsd for name in public_files_of_channel(plan, two_digits(channel))]
    names += [
        name for channel in plan.victims for name in internal_files_of_channel(plan, two_digits(channel))
    ]
    return names


def raster_files(plan: Plan) -> list[str]:
    """Published rasters, relative to the run's folder."""
    return sorted(name for name in layer_files(plan) if Path(name).suffix in {".tif", ".vrt"})


def style_file(name: str) -> str:
    """The style that QGIS loads with a raster: it lies beside it and has its name."""
    return Path(name).with_suffix(".qml").as_posix()


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
    radars = [name for name in coordination_files(plan, "radar612") if name.endswith(".csv")]
    return [*raster_files(plan), *tables, *radars]


def qgis_files(plan: Plan) -> list[str]:
    """Styles, projects and their vector layers, relative to the run's folder."""
    projects = [public_project(plan), project_to_pass_on(plan), internal_project(plan)]
    return [*projects, BOUNDARIES, LAND, TRANSMITTERS, *map(style_file, raster_files(plan))]


def stac_items(plan: Plan) -> dict[str, list[str]]:
    """Public rasters by STAC item: each device in each channel, its summaries, each kind of coordination."""
    public = [name for name in raster_files(plan) if name.startswith("public/") and name.endswith(".tif")]
    items: dict[str, list[str]] = {}
    for device in plan.config.devices:
        for channel in map(two_digits, plan.wsd):
            layers = public_files_of_channel(plan, channel)
            items[f"{device.id}_ch{channel}"] = [name for name in layers if f"_{device.id}_ch" in name]
        levels = [f"_{device.id}_{level_dbm:g}dbm.tif" for level_dbm in levels_of(plan, device.id)]
        summaries = [name for name in public if name.endswith(tuple(levels))]
        items[device.id] = [*summaries, query_file(device.id)]
    for stage in COORDINATION:
        files = [name for name in coordination_files(plan, stage) if name in public]
        items |= {stage: files} if files else {}
    return items


def stac_sources(plan: Plan) -> list[str]:
    """Rasters that STAC describes, relative to the run's folder."""
    return sorted({name for files in stac_items(plan).values() for name in files})


def stac_item_file(item: str) -> str:
    """The file of a STAC item, relative to the run's folder."""
    return f"stac/{item}.json"


def stac_files(plan: Plan) -> list[str]:
    """The STAC collection and its items, relative to the run's folder."""
    return [COLLECTION, *map(stac_item_file, stac_items(plan))]


def published_files(plan: Plan) -> list[str]:
    """All files of a run but its manifest, relative to the run's folder."""
    return sorted([*layer_files(plan), *web_files(plan), *qgis_files(plan), *stac_files(plan)])


def two_digits(channel: int) -> str:
    """A channel as it stands in file names."""
    return f"{channel:02d}"
