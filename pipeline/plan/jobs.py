"""The jobs of the workflow, one row each: what runs, what it reads, what it depends on, what it writes.

A row is data. Rule, hidden command (``channelmaps job NAME``), log and benchmark have the name of the job;
the rest of a rule is derived from the row in ``plan/rules.py``. The inputs of a job are named in its rule.
"""

from __future__ import annotations

from typing import NamedTuple


class Job(NamedTuple):
    """A job of the workflow, or one for each value of its wildcards."""

    name: str
    """Name of rule, command, log and benchmark."""
    title: str
    """What is done when it ends; wildcards in braces."""
    module: str
    """Module with ``main(config, build, *, threads, **wildcards, **values)``."""
    files: str | None = None
    """Function of ``plan/run_files.py``: what it writes, by plan and wildcards; None: its rows of
    ``layers.py``."""
    settings: tuple[str, ...] = ()
    """Keys of the configuration that it reads; ``-key`` leaves a part of an earlier key out."""
    wildcards: tuple[str, ...] = ()
    """Channel, tile or device that one job of the rule is for."""
    rows: str | None = None
    """Function of ``plan/dependencies.py``: hash of what it takes from registers, by plan and wildcards."""
    values: tuple[str, ...] = ()
    """Values that ``main`` is given besides, by name; see ``plan/run_job.py``. Each is part of ``rows`` or
    follows from code and settings, so that a change of it runs the job again;
    ``memory_gib`` changes no byte."""
    uses: tuple[str, ...] = ()
    """Tables it works by: ``models`` and ``services`` with the modules of the rows that a territory uses;
    ``views``, all titles and labels that readers see."""
    threads: str = "one"
    """One, all, or the jobs of the rule share the cores: the member of the plan that counts them."""


# What the limits of all services follow from.
_COMBINED = (
    "territory",
    "channels",
    "propagation",
    "coverage",
    "protection",
    "-protection.wsd_terrain",
    "-protection.wsd_terrain_pct",
    "-protection.wsd_terrain_seed",
    "devices",
    "services",
    "study",
    "incumbents",
    "areas",
    "neighbours",
    "notice",
    "publish",
    # Of the register and the date a channel depends on its own rows only.
    "pmse",
    "-pmse.registers",
    "-pmse.at",
)
_ROWS = (
    Job(
        name="territory",
        title="territory",
        module="pipeline.territory.job",
        files="territory_files",
        # The width of the margin follows from much else: it counts itself.
        settings=(
            "territory",
            "grid.crs",
            "grid.resolution_m",
            "grid.least_box_m",
            "population",
            # How far devices on hills reach.
            "terrain.dem",
            "terrain.coast_void_km",
            "terrain.void",
            "protection.height_sectors",
            "protection.sea_paths",
            "protection.sea_classes_km",
        ),
        rows="rows_of_territory",
        values=("required",),
        threads="all",
    ),
    Job(
        name="terrain",
        title="terrain {tile}",
        module="pipeline.terrain.job",
        files="sweep_files",
        settings=("terrain", "-terrain.clutter", "channels.plan"),
        wildcards=("tile",),
        rows="rows_of_tile",
        values=("basis",),
        threads="tiles",
    ),
    Job(
        name="losses",
        title="losses {tile}",
        module="pipeline.terrain.job_losses",
        files="loss_files",
        settings=(
            "terrain.dem",
            "terrain.coast_void_km",
            "terrain.void",
            "terrain.clutter",
            "channels.plan",
            "propagation.coverage_model",
            "propagation.climate",
            "propagation.wanted_time_pct",
            "propagation.nuisance_time_pct",
            "coverage.receiver_height_m",
        ),
        wildcards=("tile",),
        rows="rows_of_losses",
        values=("basis",),
        uses=("models",),
        threads="tiles",
    ),
    Job(
        name="heights",
        title="heights of devices over their surroundings",
        module="pipeline.terrain.job_heights",
        files="height_files",
        settings=(
            "terrain.dem",
            "terrain.coast_void_km",
            "terrain.void",
            "propagation.wsd_model",
            "protection.method",
            "protection.height_sectors",
            "protection.height_rings_km",
            "protection.height_ratio",
            "protection.assumed_heff_m",
            "devices.height_m",
        ),
        uses=("models",),
        threads="all",
    ),
    Job(
        name="coverage",
        title="coverage of channel {channel}",
        module="pipeline.coverage.job",
        files="coverage_files",
        settings=(
            "territory",
            "channels.plan",
            "channels.reach_km",
            "propagation.coverage_model",
            "propagation.area",
            "propagation.clutter_height_m",
            "propagation.wanted_time_pct",
            "propagation.nuisance_time_pct",
            "coverage",
            "protection.method",
            "protection.modes",
            "protection.dtt_ratios",
            "terrain.dem",
            "terrain.clutter",
            "terrain.coast_void_km",
            "population",
        ),
        wildcards=("channel",),
        rows="rows_of_channel",
        values=("basis",),
        uses=("models",),
        threads="victims",
    ),
    Job(
        name="protect",
        title="protection of channel {channel}",
        module="pipeline.dtt.job",
        files="protection_files",
        settings=(
            "territory",
            "channels.plan",
            "channels.reach_km",
            "propagation.wsd_model",
            "propagation.nuisance_time_pct",
            "terrain.dem",
            "terrain.coast_void_km",
            "coverage",
            "protection",
            "-protection.wsd_terrain",
            "-protection.wsd_terrain_pct",
            "-protection.wsd_terrain_seed",
            "-protection.device_path",
            "-protection.device_path_km",
            # A profile and the least power of a device concern what is published of it,
            # not what reception allows; whatever else is said of a device is taken to matter.
            "devices",
            "-devices.profile",
            "-devices.min_eirp_dbm",
            "-devices.power_min_dbm",
            "-devices.gain_dbi",
            "-devices.feeder_db",
            "services.dtt",
            "services.foreign_dtt",
        ),
        wildcards=("channel",),
        values=("memory_gib", "basis"),
        uses=("models",),
        threads="victims",
    ),
    Job(
        name="combine",
        title="maximum e.i.r.p. in channel {channel}",
        module="pipeline.availability.job_combine",
        files="combined_files",
        settings=_COMBINED,
        wildcards=("channel",),
        rows="rows_of_services",
        values=("basis", "key"),
        uses=("models", "services"),
        threads="device_channels",
    ),
    Job(
        name="availability",
        title="availability and statistics",
        module="pipeline.availability.job_availability",
        threads="all",
        settings=(
            "channels",
            "areas.reserved",
            "services",
            "study",
            "devices",
            "levels_dbm",
            "population",
            "notice",
        ),
        values=("basis",),
    ),
    Job(
        name="choices",
        title="what each choice costs",
        module="pipeline.availability.job_choices",
        settings=(*_COMBINED, "levels_dbm", "report.costed_devices", "terrain.dem"),
        rows="rows_of_all_services",
        uses=("models", "services"),
    ),
    Job(
        name="wsd_terrain",
        title="paths of devices over terrain, held against those of the limits",
        module="pipeline.availability.job_wsd_terrain",
        settings=(
            "territory",
            "channels",
            "propagation",
            "coverage",
            "protection",
            "-protection.device_path",
            "-protection.device_path_km",
            "devices",
            "-devices.profile",
            "-devices.min_eirp_dbm",
            "-devices.power_min_dbm",
            "-devices.gain_dbi",
            "-devices.feeder_db",
            "services.dtt",
            "services.foreign_dtt",
            "terrain.dem",
            "terrain.coast_void_km",
            "terrain.clutter",
            "notice",
        ),
        uses=("models",),
        threads="all",
    ),
    Job(
        name="regions",
        title="statistics by region",
        module="pipeline.availability.job_regions",
        settings=(
            "report.regions",
            "territory",
            "channels",
            "services",
            "study",
            "devices",
            "levels_dbm",
            "population",
        ),
    ),
    Job(
        name="allotments",
        title="allotments",
        module="pipeline.availability.job_allotments",
        settings=("allotments", "territory", "population", "notice"),
        values=("code",),
    ),
    Job(
        name="reception",
        title="layers of DTT reception",
        module="pipeline.publish.job_reception",
        threads="all",
        settings=("channels.plan", "coverage", "propagation.coverage_model", "notice"),
        values=("code",),
    ),
    Job(
        name="query",
        title="query raster of {device}",
        module="pipeline.publish.job_query",
        settings=("channels", "areas.reserved", "services", "study", "devices", "query.block_px"),
        wildcards=("device",),
        rows="rows_of_slices",
        values=("code",),
    ),
    Job(
        name="reach",
        title="reach of permitted base stations",
        module="pipeline.rates.job_reach",
        settings=(
            "reach",
            "channels",
            "areas.reserved",
            "services",
            "study",
            "devices",
            "population",
            "notice",
        ),
        values=("basis",),
    ),
    Job(
        name="web",
        title="web map",
        module="pipeline.publish.web.job",
        files="web_files",
        settings=(
            "title",
            "attribution",
            "licence",
            "territory",
            "channels",
            "areas.reserved",
            "services",
            "study",
            "devices",
            "levels_dbm",
            "reach",
            "population",
            "publish.limiting_service",
            "publish.basemap",
            "terrain.dem",
            "pmse.registers",
            "pmse.at",
            "registers.as_of",
            # Of the licence's line: until when the maps hold.
            "validity_hours",
            "query.time_zone",
        ),
        uses=("views",),
    ),
    Job(
        name="qgis",
        title="styles and projects for QGIS",
        module="pipeline.publish.qgis.job",
        files="qgis_files",
        # Everything else it reads of the configuration shows in the names or the content of the layers.
        settings=(
            "title",
            "notice",
            "attribution",
            "licence",
            "publish.limiting_service",
            "territory",
            "population",
            "terrain.dem",
            "channels.plan",
            "devices.id",
            "levels_dbm",
            "pmse.at",
            "validity_hours",
            "query.time_zone",
        ),
        uses=("views",),
        rows="rows_of_register",
    ),
    Job(
        name="stac",
        title="STAC",
        module="pipeline.publish.job_stac",
        files="stac_files",
        settings=(
            "title",
            "notice",
            "attribution",
            "licence",
            "publish.limiting_service",
            "devices.id",
            "pmse.at",
            "registers.as_of",
            "validity_hours",
            "query.time_zone",
        ),
        uses=("views",),
    ),
    Job(
        name="rr941",
        title="RR No. 9.41",
        module="pipeline.coordination.rr941.job",
        settings=("coordination.rr941", "notice"),
        values=("code",),
    ),
    Job(
        name="rr97ab",
        title="RR Nos. 9.7A and 9.7B",
        module="pipeline.coordination.rr97.job",
        settings=("coordination.rr97ab", "notice"),
        values=("code",),
    ),
    Job(
        name="radar612",
        title="oceanographic radars",
        module="pipeline.coordination.radar.job",
        settings=("coordination.radars", "notice"),
        values=("code",),
    ),
    Job(
        name="f1565",
        title="budgets of fixed links",
        module="pipeline.coordination.f1565.job",
        settings=("coordination.links",),
    ),
    Job(
        name="publish",
        title="publish",
        module="pipeline.publish.job_publish",
        # All settings, all inputs, the code of all jobs.
        rows="run_id",
        uses=("views",),
    ),
)

JOBS = {row.name: row for row in _ROWS}
