"""What the Snakefile needs to know: the jobs of a territory, what each depends on, and where its files lie.

Rules pass on what these functions return and decide nothing themselves. Every dependence on raw files, on the
configuration and on code is a hash among a job's ``params`` (see ``hashes.py``); dependence on earlier stages
is by their files. Raw files are no inputs of rules: their content counts, neither their time nor their name.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import xarray as xr

from pipeline.config.config import Config
from pipeline.config.load import load_config
from pipeline.coordination.file_names import link_files, radar_files, rr97ab_files, rr941_files
from pipeline.dtt.foreign_data import foreign_data
from pipeline.hashing import json_hash, plain, rows_hash, settings_hash, source_hash
from pipeline.plan.jobs import STAGES
from pipeline.plan.margin import margin_m
from pipeline.radio.caps import device_cap_dbm
from pipeline.radio.channel_offsets import victim_channels
from pipeline.registers.transmitters import read_register
from pipeline.services.pmse import pmse_victims
from pipeline.services.pmse.pmse_register import bookings_of
from pipeline.territory.surface import ROOM_DEG

# Nuisance in a DTT channel comes from the channel itself and its two neighbours (protection.md, section 1).
NEIGHBOURS = (-1, 0, 1)

# Vector layers of the QGIS projects, relative to the run's folder.
BOUNDARIES, LAND = "public/boundaries.geojson", "public/land.geojson"
REGION_STATISTICS = "public/statistics_by_region.csv"
TRANSMITTERS = "internal/transmitters.gpkg"
COLLECTION = "stac/collection.json"

# Stages of coordination and the files of each.
COORDINATION = {"rr941": rr941_files, "rr97ab": rr97ab_files, "radar612": radar_files, "f1565": link_files}


class Plan(NamedTuple):
    """The jobs of one territory; channels ascending, tiles by name, folders relative to where it runs."""

    config_path: Path
    config: Config
    register: xr.Dataset
    bookings: xr.Dataset | None
    victims: list[int]
    wsd: list[int]
    tiles: list[str]
    build: Path
    results: Path


def load_plan(config_path: str | Path) -> Plan:
    """Read a territory file and its register and list the jobs."""
    path = Path(os.path.relpath(config_path))
    config = load_config(path)
    register, _ = read_register(config)
    victims = victim_channels(config, register["channel"].values.tolist(), config.channels.wsd)
    near = np.isin(register["channel"].values, _with_neighbours(victims))
    return Plan(
        config_path=path,
        config=config,
        register=register,
        bookings=bookings_of(config),
        victims=victims,
        wsd=sorted(config.channels.wsd),
        tiles=sorted(set(register["tile"].values[near].tolist())),
        build=Path("build") / config.name,
        results=results_of(config),
    )


def results_of(config: Config) -> Path:
    """Folder of the published runs, relative to where the workflow runs."""
    return Path("results") / (config.results or config.name)


def victims_of(plan: Plan, wsd_channel: int) -> list[int]:
    """Victim channels that limit devices in one channel."""
    return victim_channels(plan.config, plan.victims, [wsd_channel])


def tiles_of(plan: Plan, channel: int) -> list[str]:
    """Terrain tiles with a mast that matters in a DTT channel: its own stations' and the neighbours'."""
    return sorted(set(plan.register["tile"].values[_rows_near(plan, channel)].tolist()))


# --- what a job depends on ----------------------------------------------------------------------------------


def settings_of(plan: Plan, stage: str) -> str:
    """Hash of the settings a stage reads, input files by content."""
    return settings_hash(plan.config, STAGES[stage].settings)


def code_of(stage: str) -> str:
    """Hash of the code a stage runs."""
    return source_hash(STAGES[stage].module)


def rows_of_territory(plan: Plan) -> str:
    """Hash of what the territory stage takes from the register: the widths of the margin and the sites' box.

    The margin is the proven radius, over land and over sea; it follows from the modes in use, the devices and
    the protection ratios. The box is as coarse as that of the land mask: a station that moves within it
    concerns its own channels only.
    """
    modes = sorted(set(zip(*_texts(plan, "system", "mode"), strict=True)))
    margins_m = [margin_m(plan.config, modes, coastal=coastal) for coastal in (False, True)]
    sites = [plan.register[name].values for name in ("lon_deg", "lat_deg")]
    low = [math.floor(values.min() - ROOM_DEG) for values in sites]
    high = [math.ceil(values.max() + ROOM_DEG) for values in sites]
    return json_hash({"margins_m": margins_m, "low_deg": low, "high_deg": high})


def rows_of_neighbours(plan: Plan) -> str:
    """Hash of what the border takes from the register: which countries have transmitters, and which modes."""
    return json_hash(foreign_data(plan.config))


def rows_of_tile(plan: Plan, tile: str) -> str:
    """Hash of the masts of one tile: other facts of their stations do not concern the sweeps."""
    inside = plan.register["tile"].values == tile
    return json_hash(sorted(set(plan.register["mast"].values[inside].tolist())))


def rows_of_channel(plan: Plan, channel: int) -> str:
    """Hash of the register rows of a DTT channel and its neighbours."""
    return rows_hash(plan.register, _rows_near(plan, channel))


def rows_of_register(plan: Plan) -> str:
    """Hash of all rows of the register."""
    return rows_hash(plan.register, np.ones(plan.register.sizes["transmitter"], dtype=bool))


def pmse_rows_of_channel(plan: Plan, channel: int) -> str:
    """Hash of the PMSE assignments that concern devices in one channel."""
    return pmse_victims.bookings_hash(plan.config, plan.bookings, channel)


def coverage_hash(plan: Plan, channel: int) -> str:
    """Hash of everything that the coverage of a DTT channel is computed from."""
    stages = ("territory", "terrain", "coverage")
    parts = [settings_of(plan, stage) for stage in stages] + [code_of(stage) for stage in stages]
    return json_hash([*parts, rows_of_territory(plan), rows_of_channel(plan, channel)])


def run_id(plan: Plan) -> str:
    """Name of a run: hash of configuration, content of all inputs, and code."""
    code = {stage: code_of(stage) for stage in STAGES} | {"publish": source_hash("pipeline.publish.stage")}
    return json_hash({"config": plain(plan.config), "code": code})


def _rows_near(plan: Plan, channel: int) -> np.ndarray:
    return np.isin(plan.register["channel"].values, _with_neighbours([channel]))


def _with_neighbours(channels: Iterable[int]) -> list[int]:
    return sorted({channel + offset for channel in channels for offset in NEIGHBOURS})


def _texts(plan: Plan, *names: str) -> list[list[str]]:
    return [plan.register[name].values.tolist() for name in names]


# --- files --------------------------------------------------------------------------------------------------


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
    return [f"terrain/{tile}.npz" for tile in tiles_of(plan, channel)]


def coverage_files(channel: str) -> list[str]:
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


def levels_of(plan: Plan, device_id: str) -> list[float]:
    """Levels published for a device: those its cap allows."""
    (device,) = [device for device in plan.config.devices if device.id == device_id]
    return [level for level in plan.config.levels_dbm if level <= device_cap_dbm(device)]


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


def internal_files_of_channel(channel: int | str) -> list[str]:
    """Files on the reception of one DTT channel, relative to the run's folder."""
    return [f"internal/dtt_{layer}_ch{channel}.tif" for layer in ("field", "q", "served", "server")]


def coordination_files(plan: Plan, stage: str) -> list[str]:
    """Files of one stage of coordination, relative to the run's folder; none if it is not configured."""
    return COORDINATION[stage](plan.config.coordination)


def layer_files(plan: Plan) -> list[str]:
    """Layers, tables and decisions of a run, relative to its folder."""
    names = public_files_of_devices(plan) + region_files(plan)
    names += [query_file(device.id) for device in plan.config.devices]
    names += [name for stage in COORDINATION for name in coordination_files(plan, stage)]
    names += [name for channel in plan.wsd for name in public_files_of_channel(plan, two_digits(channel))]
    names += [name for channel in plan.victims for name in internal_files_of_channel(two_digits(channel))]
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


def threads_per_job(cores: int | None, jobs: int) -> int:
    """Threads of one job where ``jobs`` of its kind can run side by side."""
    return max(1, (cores or 1) // max(1, jobs))
