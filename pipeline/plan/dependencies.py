"""What a job depends on besides earlier jobs: hashes of settings, of rows of registers, and of code.

Rules pass on what these functions return and decide nothing themselves. Every dependence on raw files, on the
configuration and on code is a hash among a job's ``params`` (see ``hashing.py``); dependence on earlier jobs
is by their files. Raw files are no inputs of rules: their content counts, neither their time nor their name.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from pipeline.availability.combine import devices_on
from pipeline.config.bonds import DeviceChannel
from pipeline.config.config import Config
from pipeline.config.reception import sees_profiles
from pipeline.dtt.leakage_floor import lowest_level_dbm
from pipeline.hashing import (
    basis_hash,
    imported_sources,
    json_hash,
    plain,
    rows_hash,
    settings_hash,
    source_hash,
)
from pipeline.layers import LAYERS
from pipeline.plan.hill_reach import reach_facts
from pipeline.plan.jobs import JOBS, Job
from pipeline.plan.margin import required_margins_km
from pipeline.plan.plan import Plan, near_channel
from pipeline.propagation.models import MODELS, Model, Surroundings, model_names
from pipeline.services.evaluated import service_modules, terrain_hash
from pipeline.services.pmse import pmse_victims
from pipeline.services.pmse.pmse_slices import spans_concerning
from pipeline.services.table import SERVICES
from pipeline.territory.masks import BUFFER_DEG
from pipeline.territory.rasters import margin_m


def settings_of(plan: Plan, job: str) -> str:
    """Hash of the settings a job reads, input files by content."""
    return settings_hash(plan.config, JOBS[job].settings)


def code_of(config: Config, job: str) -> str:
    """Hash of the code a job runs for a territory, and of what it takes from the tables of the package."""
    row = JOBS[job]
    return json_hash([source_hash(_modules_of(config, row)), plain(_table_values(config, row))])


def basis_of(config: Config, job: str) -> str:
    """Hash of the code and the settings of a job: what its layers rest on beside other files."""
    return basis_hash(code_of(config, job), settings_hash(config, JOBS[job].settings))


def sources_of_jobs(config: Config) -> list[Path]:
    """Source files that any job of a territory can load."""
    modules = {name for row in JOBS.values() for name in _modules_of(config, row)}
    return imported_sources(tuple(sorted(modules)), with_leaves=True)


def _modules_of(config: Config, row: Job) -> tuple[str, ...]:
    """The job's own module and those that rows of tables name, as far as the territory uses them."""
    models = [model.module for model in _models_of(config, row)]
    services = service_modules(config) if "services" in row.uses else []
    return (row.module, *sorted({*models, *services}))


def _table_values(config: Config, row: Job) -> dict[str, object]:
    """What a job takes from tables: rasters that it writes, rows it computes by, all that readers see."""
    written = [layer for layer in LAYERS.values() if layer.job == row.name]
    found: dict[str, object] = {
        "rasters": [(layer.family, layer.path, layer.raster, layer.when) for layer in written]
    }
    if "models" in row.uses:
        found["models"] = [model._replace(title="") for model in _models_of(config, row)]
        found["surroundings"] = {code.name: code.value for code in Surroundings}
    if "services" in row.uses:
        found["services"] = [service._replace(label="") for service in SERVICES]
    if "views" in row.uses:
        found["views"] = [(layer.family, layer.view) for layer in LAYERS.values()]
        found["labels"] = [SERVICES, MODELS]
    return found


def _models_of(config: Config, row: Job) -> list[Model]:
    """Models that a job computes with, those it reads the choice of; a receiver may take any of its role."""
    if "models" not in row.uses:
        return []
    keys = [key for key in ("coverage_model", "wsd_model") if _reads(row, f"propagation.{key}")]
    names = {str(getattr(config.propagation, key)) for key in keys}
    if "services" in row.uses:
        names |= set(model_names("receiver"))
    return [model for model in MODELS if model.name in names]


def _reads(row: Job, key: str) -> bool:
    return any(f"{key}.".startswith(f"{setting}.") for setting in row.settings)


def rows_of(plan: Plan, job: str, **wildcards: DeviceChannel | str) -> str | None:
    """Hash of what a job takes from the registers; None if nothing."""
    name = JOBS[job].rows
    return None if name is None else str(globals()[name](plan, **wildcards))


def rows_of_territory(plan: Plan) -> str:
    """Hash of what the job territory takes from the register: the widths of the margin and the sites' box.

    The margin is the maximum interference range, over land and over sea; it follows from the modes in use,
    the devices and the protection ratios, and so does how far devices on hills reach. The box is as coarse as
    that of the land mask: a station that moves within it concerns its own channels only.
    """
    required_km = required_margins_km(plan.config, plan.register)
    margins_m = [margin_m(plan.config, required_km, coastal=coastal) for coastal in (False, True)]
    facts: dict[str, object] = {"margins_m": margins_m}
    if reach := reach_facts(plan.config, plan.register):
        facts["reach"] = reach
    if plan.register.sizes["transmitter"] == 0:
        return json_hash(facts)
    sites = [plan.register[name].values for name in ("lon_deg", "lat_deg")]
    low = [math.floor(values.min() - BUFFER_DEG) for values in sites]
    high = [math.ceil(values.max() + BUFFER_DEG) for values in sites]
    return json_hash(facts | {"low_deg": low, "high_deg": high})


def rows_of_neighbours(plan: Plan) -> str:
    """Hash of what the border takes from the register: which countries have transmitters, and which modes."""
    return json_hash(plan.foreign)


def rows_of_tile(plan: Plan, tile: str) -> str:
    """Hash of the masts of one tile: other facts of their stations do not concern the sweeps."""
    inside = plan.register["tile"].values == tile
    return json_hash(sorted(set(plan.register["mast"].values[inside].tolist())))


def rows_of_losses(plan: Plan, tile: str) -> str:
    """Hash of the masts of one tile with their channels and polarisations."""
    inside = np.flatnonzero(plan.register["tile"].values == tile)
    columns = [plan.register[name].values[inside].tolist() for name in ("mast", "channel", "polarisation")]
    return json_hash(sorted(set(zip(*columns, strict=True))))


def rows_of_channel(plan: Plan, channel: int) -> str:
    """Hash of the register rows of a DTT channel and its neighbours."""
    return rows_hash(plan.register, near_channel(plan, channel))


def rows_of_register(plan: Plan) -> str:
    """Hash of all rows of the register."""
    return rows_hash(plan.register, np.ones(plan.register.sizes["transmitter"], dtype=bool))


def rows_of_services(plan: Plan, channel: DeviceChannel) -> str:
    """Hash of what the services take from the registers for devices in one channel, and from the levels.

    Of the levels of the layers only the lowest counts: for weak devices leakage has a floor. Terrain counts
    where paths to receivers lead over it.
    """
    lowest_dbm = lowest_level_dbm(plan.config)
    bookings = [pmse_rows_of_channel(plan, channel), _spans_of_channel(plan, channel)]
    return json_hash([rows_of_neighbours(plan), bookings, lowest_dbm, terrain_hash(plan.config)])


def rows_of_slices(plan: Plan, device: str) -> str:
    """Hash of when bookings change."""
    return json_hash(plan.slices)


def _spans_of_channel(plan: Plan, channel: DeviceChannel) -> list[object]:
    """When bookings that concern devices in one channel hold; nothing where none changes in the period."""
    if not plan.slices or plan.bookings is None:
        return []
    return [
        spans_concerning(plan.config, device, channel, plan.bookings)
        for device in devices_on(plan.config, channel)
    ]


def rows_of_all_services(plan: Plan) -> str:
    """Hash of what the services take from the registers in all channels, and of which channels are in use."""
    channels = sorted(set(plan.register["channel"].values.tolist()))
    return json_hash([channels, *(rows_of_services(plan, channel) for channel in plan.device_channels)])


def pmse_rows_of_channel(plan: Plan, channel: DeviceChannel) -> str:
    """Hash of the PMSE assignments that concern devices in one channel."""
    return pmse_victims.bookings_hash(plan.config, plan.bookings, channel)


def coverage_hash(plan: Plan, channel: int) -> str:
    """Hash of everything that the coverage of a DTT channel is computed from."""
    jobs = ["territory", "terrain", "coverage"]
    if sees_profiles(plan.config.propagation.coverage_model):
        jobs.append("losses")
    parts = [settings_of(plan, job) for job in jobs] + [code_of(plan.config, job) for job in jobs]
    return json_hash([*parts, rows_of_territory(plan), rows_of_channel(plan, channel)])


def run_id(plan: Plan) -> str:
    """Name of a run: hash of configuration, content of all inputs, and code."""
    code = {job: code_of(plan.config, job) for job in JOBS}
    return json_hash({"config": plain(plan.config), "code": code})
