"""What a point query needs beside the rasters, as plain data for the manifest: no settings are read again."""

from __future__ import annotations

import math
from collections.abc import Iterator

from pipeline.config.config import Config
from pipeline.config.products import Query
from pipeline.config.protection import Device
from pipeline.grid.layer_files import layer_file
from pipeline.radio.channel_plan import HZ_PER_MHZ, channel_centre_mhz, channel_width_mhz
from pipeline.radio.emission import device_cap_dbm
from pipeline.reference.height_layers import HeightLayer, layer_height_m, read_height_layers
from pipeline.territory.rasters import CheckedTerritory


def query_facts(config: Config) -> dict[str, object]:
    """Rules, channels, devices, height layers and generic slaves of a run."""
    query = config.query
    return {
        "ruleset": {
            "authority": (query.authority or config.territory.home[0]).lower(),
            "rulesetId": query.ruleset_id,
            "maxLocationChange": query.max_location_change_m,
            "maxPollingSecs": query.max_polling_s,
        },
        "limits": bandwidth_limits(query),
        "channels": [channel_entry(config, channel) for channel in sorted(config.channels.wsd)],
        "devices": [device_entry(device) for device in config.devices],
        "height_layers": [layer_entry(layer) for layer in read_height_layers(query.height_layers)],
        "generic_slave": {
            "emission_class": query.generic_slave.emission_class,
            "sensitivity_dbm": query.generic_slave.sensitivity_dbm.value,
            "antenna_gain_dbi": query.generic_slave.antenna_gain_dbi,
            "height_m": {"A": query.generic_slave.height_type_a_m, "B": query.generic_slave.height_type_b_m},
            "environment": query.generic_slave.environment,
        },
    }


def bandwidth_limits(query: Query) -> dict[str, object]:
    """Optional members of a SpectrumSpec (RFC 7545, section 5.9)."""
    limits_mhz = {"maxTotalBwHz": query.max_total_bw_mhz, "maxContiguousBwHz": query.max_contiguous_bw_mhz}
    return {"needsSpectrumReport": query.needs_spectrum_report} | {
        name: limit_mhz * HZ_PER_MHZ for name, limit_mhz in limits_mhz.items() if limit_mhz is not None
    }


def channel_entry(config: Config, channel: int) -> dict[str, object]:
    """Edges of a channel in Hz."""
    centre_mhz = channel_centre_mhz(config.channels, channel)
    half_mhz = channel_width_mhz(config.channels, channel) / 2.0
    return {
        "channel": channel,
        "start_hz": round((centre_mhz - half_mhz) * HZ_PER_MHZ, 3),
        "stop_hz": round((centre_mhz + half_mhz) * HZ_PER_MHZ, 3),
    }


def device_entry(device: Device) -> dict[str, object]:
    """What distinguishes one published device from another."""
    return {
        "id": device.id,
        "file": layer_file("query", device=device.id),
        "type": device.type,
        "emission_class": device.emission_class,
        "height_m": device.height_m,
        "bandwidth_hz": device.bandwidth_mhz * HZ_PER_MHZ,
        "cap_dbm": device_cap_dbm(device),
    }


def layer_entry(layer: HeightLayer) -> dict[str, object]:
    """A row of the table of height layers; null = no height given, or open upwards."""
    return {
        name: value if isinstance(value, str) or math.isfinite(value) else None
        for name, value in layer._asdict().items()
    }


def check(config: Config, _: CheckedTerritory) -> Iterator[str]:
    """Check the table of height layers; kinds of devices whose generic slaves cannot be answered for."""
    layers = read_height_layers(config.query.height_layers)
    emission_class = config.query.generic_slave.emission_class
    answered = {(device.type, device.emission_class, device.height_m) for device in config.devices}
    for kind in sorted({device.type for device in config.devices}):
        layer_m = layer_height_m(layers, kind, None)
        if (kind, emission_class, layer_m) not in answered:
            missing = f"no device of class {emission_class} at {layer_m:g} m"
            yield f"  not answered  queries for generic slaves of type {kind}: {missing}"
