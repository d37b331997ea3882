"""Settings that a reader may take for more than they do, and devices that are declared indoor."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.config.config import Config
from pipeline.config.protection import Protection
from pipeline.propagation.models import model_named
from pipeline.territory.rasters import CheckedTerritory


def check(config: Config, territory: CheckedTerritory) -> Iterator[str]:
    """Lines on settings without effect, and on what counts as indoor."""
    del territory
    for device in config.devices:
        if device.indoor is None:
            continue
        if device.is_indoor and device.indoor.building_loss_db is not None:
            loss_db = device.indoor.building_loss_db.value
            yield f"  indoor        {device.id}: in buildings only, {loss_db:g} dB of building entry loss"
        elif not device.is_indoor:
            fault = "only devices of type B higher than above_m count as indoor"
            yield f"  no effect     devices: {device.id}: indoor: {fault}"
    model, protection = config.propagation.coverage_model, config.protection
    if protection.device_path == "homogeneous" and (
        protection.device_path_km != Protection.model_fields["device_path_km"].default
    ):
        yield "  no effect     protection.device_path_km: read with device_path: p1812 or smaller only"
    if protection.wsd_terrain == "off":
        if protection.device_path == "homogeneous" and (unread := cover_unread(config, model)):
            yield f"  no effect     {unread}"
        for name in ("wsd_terrain_pct", "wsd_terrain_seed"):
            if getattr(protection, name) != Protection.model_fields[name].default:
                yield f"  no effect     protection.{name}: read with wsd_terrain: checked only"


def cover_unread(config: Config, *models: str) -> str:
    """That land cover is given which none of some models of coverage reads; empty where one does."""
    read = {"clutter", "surroundings"}
    if config.terrain.clutter is None or any(read & model_named(name).needs for name in models):
        return ""
    return f"terrain.clutter is not read by coverage_model {', '.join(models)}"
