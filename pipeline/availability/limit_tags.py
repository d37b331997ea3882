"""Files of limits, and the tags of layers that are made from them."""

from __future__ import annotations

from pathlib import Path

from pipeline.config.base import unverified
from pipeline.config.bonds import DeviceChannel
from pipeline.config.config import Config
from pipeline.config.protection import Device
from pipeline.grid.layer_files import two_digits
from pipeline.hashing import file_sha256, json_hash
from pipeline.services.product import product_statement

# They hold for a device that has the level, whatever the least of the profile.
_LEVEL_RULE = "radiates exactly this level"


def limit_file(device_id: str, channel: DeviceChannel | str) -> str:
    """The limit of one device and channel, relative to the build folder; ``{channel}`` may stay open."""
    return f"limits/{device_id}_ch{channel if isinstance(channel, str) else two_digits(channel)}.tif"


def tags_of_level(
    config: Config, device: Device, level: str, paths: list[Path], *, basis: str
) -> dict[str, str]:
    """Tags of the layers of one level, which are made from the limits in all channels."""
    own = json_hash([[file_sha256(path) for path in paths], level, basis])
    own_tags = {"device": device.id, "level_dbm": level, "level_rule": _LEVEL_RULE, "hash": own}
    return tags_of_devices(config) | own_tags


def tags_of_devices(config: Config) -> dict[str, str]:
    """Tags of every layer of devices: method, models, what is not verified or not evaluated."""
    open_numbers = ", ".join(str(entry["key"]) for entry in unverified(config))
    return {
        "method": config.protection.method,
        "model": f"{config.propagation.coverage_model}, {config.propagation.wsd_model}",
        "notice": config.notice,
        "product": product_statement(config),
        "unverified": f"{open_numbers}; rows of the tables listed in manifest.json",
    }
