"""Tags of the published layers of devices: what a layer depends on, and nothing else."""

from __future__ import annotations

from pathlib import Path

from pipeline.config.base import unverified
from pipeline.config.config import Config
from pipeline.config.protection import Device
from pipeline.dtt.channel_files import ChannelFiles
from pipeline.hashing import file_sha256, json_hash, settings_hash
from pipeline.services.evaluated import product_statement
from pipeline.services.pmse import pmse_victims
from pipeline.services.pmse.pmse_register import bookings_of


def tags_of_channel(
    config: Config, build: Path, device: Device, channel: int, victims: tuple[int, ...], *, code: str
) -> dict[str, str]:
    """What one layer depends on: its own maps by content, the settings and the code; no clock."""
    maps = [
        file_sha256(path) for victim in victims for path in ChannelFiles(build, victim).protection(device)
    ]
    sections = (
        "devices",
        "protection",
        "services",
        "incumbents",
        "areas",
        "neighbours",
        "notice",
        "pmse",
        "-pmse.registers",
        "-pmse.at",
    )
    settings = settings_hash(config, sections)
    bookings = pmse_victims.bookings_hash(config, bookings_of(config), channel)
    return common_tags(config) | {
        "channel": str(channel),
        "device": device.id,
        "hash": json_hash([maps, settings, bookings, code]),
    }


def tags_of_level(
    config: Config, device: Device, level: str, paths: list[Path], *, code: str
) -> dict[str, str]:
    """Tags of the layers of one level, which are made from the maximum e.i.r.p. in all channels."""
    own = json_hash([[file_sha256(path) for path in paths], level, code])
    return common_tags(config) | {"device": device.id, "level_dbm": level, "hash": own}


def common_tags(config: Config) -> dict[str, str]:
    """Tags of every layer of devices: method, models, what is not verified or not evaluated."""
    open_numbers = ", ".join(str(entry["key"]) for entry in unverified(config))
    return {
        "method": config.protection.method,
        "model": f"{config.propagation.coverage_model}, {config.propagation.wsd_model}",
        "notice": config.notice,
        "product": product_statement(config),
        "unverified": f"{open_numbers}; rows of the tables listed in manifest.json",
    }
