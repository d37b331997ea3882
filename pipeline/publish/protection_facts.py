"""How reception was protected, for manifest and report: offsets, load of the devices, tiers, overload."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.availability.choices import CAUTIOUS, with_ratios
from pipeline.availability.narrowed import channels_without_maps, narrowing_effects
from pipeline.config.config import Config
from pipeline.config.protection import Device, Protection
from pipeline.grid.kept_records import parts_by_job
from pipeline.plan.plan import Plan
from pipeline.reference.limiting_channels import offsets_in_use, offsets_narrowed, offsets_notice
from pipeline.reference.ratio_tables import ModeKey, ProtectionTables, ratios_in_use, read_protection_tables
from pipeline.reference.ratios import groups_of, load_of, ratio_db


def protection_entry(plan: Plan) -> dict[str, Any]:
    """Facts on the protection of reception; the method alone where it has no ratios.

    ``narrowing`` counts pixel-channels that the whole list of offsets would take away, by device and level;
    ``parts`` those of the maps that each job computed and copied when it last ran.
    """
    config = plan.config
    if config.protection.method != "degradation":
        return {"method": config.protection.method, "parts": parts_by_job(plan.build)}
    settings = config.protection
    occupied = plan.register["channel"].values.tolist()
    return {
        "method": settings.method,
        "offsets": offsets_in_use(config),
        "offsets_narrowed": offsets_narrowed(config),
        "beyond_table": settings.beyond_table,
        "not_evaluated_offsets": offsets_notice(config) or "",
        "narrowing": [effect._asdict() for effect in narrowing_effects(config, plan.build, plan.victims)],
        "channels_without_maps": channels_without_maps(config, occupied, plan.victims),
        "load": {
            "value": settings.load,
            "penalty": settings.idle_penalty_db.value,
            "source": settings.idle_penalty_db.source,
            "verified": settings.idle_penalty_db.verified,
            "on": settings.idle_on,
        },
        "parts": parts_by_job(plan.build),
        "tiers": "none" if settings.tiers is None else settings.tiers.name,
        "overload": overload_state(settings),
        "ratios": ratios_compared(config),
    }


def overload_state(settings: Protection) -> str:
    """Whether thresholds of overload are verified, unverified, or none is in use."""
    rows = [row for row in ratios_in_use(settings) if row.quantity == "oth_dbm" and row.value == row.value]
    if not rows:
        return "none"
    return "verified" if all(row.verified for row in rows) else "unverified"


def ratios_compared(config: Config) -> list[Mapping[str, Any]]:
    """Ratios in dB by device and offset, default mode, weakest levels; loaded; by the cautious table."""
    key = (config.coverage.default_mode.system, config.coverage.default_mode.mode)
    tables = read_protection_tables(config.protection)
    cautious = read_protection_tables(with_ratios(config, CAUTIOUS).protection)
    offsets = offsets_in_use(config)
    return [
        {
            "device": device.id,
            "offset": k,
            "r_db": _ratio_db(tables, key, device, k),
            "loaded_db": _ratio_db(tables, key, device.model_copy(update={"load": "loaded"}), k),
            "cautious_db": _ratio_db(cautious, key, device, k),
        }
        for device in config.devices
        for k in offsets
    ]


def _ratio_db(tables: ProtectionTables, key: ModeKey, device: Device, k: int) -> float:
    group, load = groups_of(tables, key)[0], load_of(tables, device)
    return round(ratio_db(tables, group, device.emission_class, k, load=load), 2)
