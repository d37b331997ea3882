"""The stages of the pipeline: the module that runs each, and the settings it reads."""

from __future__ import annotations

from typing import NamedTuple

from pipeline.config.protection import Device
from pipeline.services.pmse import pmse_victims


class Stage(NamedTuple):
    """A stage of the pipeline: the module that runs it and the keys of the configuration it reads."""

    module: str
    settings: tuple[str, ...]


# A device's profile and the power below which it does not transmit concern what is published of it, not what
# reception allows; whatever else is said of a device is taken to matter.
PROTECT_DEVICE = tuple(
    f"devices.{name}" for name in Device.model_fields if name not in {"profile", "min_eirp_dbm"}
)

STAGES = {
    # The width of the margin follows from much else: it counts itself (``workflow.rows_of_territory``).
    "territory": Stage(
        "pipeline.territory.rasters", ("territory", "grid.crs", "grid.resolution_m", "population")
    ),
    "terrain": Stage("pipeline.terrain.tile_sweeps", ("terrain", "channels.plan")),
    "coverage": Stage(
        "pipeline.coverage.channel",
        (
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
            "population",
        ),
    ),
    "protect": Stage(
        "pipeline.dtt.protection_maps",
        (
            "territory",
            "channels.plan",
            "channels.reach_km",
            "propagation.wsd_model",
            "coverage",
            "protection",
            *PROTECT_DEVICE,
            "services.dtt",
            "services.foreign_dtt",
        ),
    ),
    "combine": Stage(
        "pipeline.availability.stage",
        (
            "territory",
            "channels",
            "propagation",
            "coverage",
            "protection",
            "devices",
            "services",
            "incumbents",
            "areas",
            "neighbours",
            "notice",
            *pmse_victims.SETTINGS,
        ),
    ),
    "availability": Stage(
        "pipeline.availability.stage", ("channels.wsd", "devices", "levels_dbm", "population", "notice")
    ),
    "regions": Stage(
        "pipeline.availability.region_statistics",
        ("report.regions", "territory", "devices", "levels_dbm", "population"),
    ),
    "reception": Stage("pipeline.publish.reception", ("channels.plan", "coverage", "notice")),
    "query": Stage("pipeline.publish.query_raster", ("channels.wsd", "query.block_px")),
    "web": Stage(
        "pipeline.publish.web.stage",
        (
            "title",
            "attribution",
            "territory",
            "channels",
            "devices",
            "levels_dbm",
            "population",
            "pmse.registers",
            "pmse.at",
            "registers.as_of",
        ),
    ),
    # Everything else it reads of the configuration shows in the names or the content of the layers.
    "qgis": Stage(
        "pipeline.publish.qgis",
        (
            "title",
            "notice",
            "attribution",
            "territory",
            "channels.plan",
            "devices.id",
            "levels_dbm",
            "pmse.at",
            "validity_hours",
            "query.time_zone",
        ),
    ),
    "stac": Stage(
        "pipeline.publish.stac",
        (
            "title",
            "notice",
            "attribution",
            "devices.id",
            "pmse.at",
            "registers.as_of",
            "validity_hours",
            "query.time_zone",
        ),
    ),
    "rr941": Stage("pipeline.coordination.rr941.stage", ("coordination.rr941", "notice")),
    "rr97ab": Stage("pipeline.coordination.rr97.stage", ("coordination.rr97ab", "notice")),
    "radar612": Stage("pipeline.coordination.radar.stage", ("coordination.radars", "notice")),
    "f1565": Stage("pipeline.coordination.f1565.stage", ("coordination.links",)),
}
