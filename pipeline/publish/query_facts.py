"""What a point query needs beside the rasters, as plain data for the manifest: no settings are read again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from pipeline.config.bonds import DeviceChannel, plain_channel
from pipeline.config.config import Config
from pipeline.config.products import is_etsi
from pipeline.config.protection import Device
from pipeline.grid.layer_files import layer_file
from pipeline.radio.allocations import is_partial, partial_statement
from pipeline.radio.channel_plan import HZ_PER_MHZ, channel_centre_mhz, channel_width_mhz
from pipeline.radio.emission import device_cap_dbm
from pipeline.reference.height_layers import read_height_layers
from pipeline.services.pmse.pmse_slices import BookingSlice
from pipeline.territory.rasters import CheckedTerritory

# Of the receivers: the layer at their height has the smallest loss near by (docs/method.md, section 25).
_NEAREST_HEIGHT_M = 10.0
_SIMULTANEOUS, _CUT_OFF = "etsiEnSimultaneousChannelOperationRestriction", 30


def query_facts(config: Config, slices: Sequence[BookingSlice] = ()) -> dict[str, object]:
    """Rules, channels, devices and generic slaves of a run; a device that uses bonds has its own channels.

    ``slices`` of its period, where bookings change within it.
    """
    query = config.query
    timed = {"slices": [slice_entry(config, part) for part in slices]} if slices else {}
    return timed | {
        "ruleset": {
            "authority": (query.authority or config.territory.home[0]).lower(),
            "rulesetId": query.ruleset_id,
            "maxLocationChange": query.max_location_change_m,
            "maxPollingSecs": query.max_polling_s,
        },
        "refused": partial_statement(config),
        "limits": bandwidth_limits(config),
        "channels": [channel_entry(config, channel) for channel in sorted(config.channels.wsd)],
        "devices": [
            device_entry(config, device)
            | ({"base_file": slice_file(config, device, "base")} if slices else {})
            for device in config.devices
        ],
        "generic_slave": {
            "emission_class": query.generic_slave.emission_class,
            "sensitivity_dbm": query.generic_slave.sensitivity_dbm.value,
            "antenna_gain_dbi": query.generic_slave.antenna_gain_dbi,
            "height_m": {"A": query.generic_slave.height_type_a_m, "B": query.generic_slave.height_type_b_m},
            "environment": query.generic_slave.environment,
        },
    }


def slice_entry(config: Config, part: BookingSlice) -> dict[str, object]:
    """When the same bookings hold, and the files by device of what they change; none: nothing."""
    files = {device.id: slice_file(config, device, part.name) for device in config.devices if part.name}
    ends = {"startTime": part.from_s, "stopTime": part.until_s}
    told = {
        name: datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") for name, at_s in ends.items()
    }
    return {**told, "files": files}


def slice_file(config: Config, device: Device, name: str) -> str:
    """The raster of a device for a slice, or the base, relative to the run's folder."""
    return layer_file("query_slices", device=device.id, slice=name, partial=is_partial(config))


def bandwidth_limits(config: Config, bond: int = 1) -> dict[str, object]:
    """Members of a SpectrumSpec on bandwidth and on channels together (RFC 7545, 5.9, 9.1.2.2, 9.2.2.7).

    Each channel's limit uses up what reception allows: together they are safe as long as their sum is not
    above the least of them. The table of 9.1.2.2 cuts the name off, and there are clients that read it so.
    ``bond``: number of channels that a device uses as one.
    """
    query = config.query
    limits_mhz = {"maxTotalBwHz": query.max_total_bw_mhz, "maxContiguousBwHz": query.max_contiguous_bw_mhz}
    channel_mhz = min(channel_width_mhz(config.channels, channel) for channel in config.channels.wsd)
    found: dict[str, object] = {"needsSpectrumReport": query.needs_spectrum_report} | {
        name: (bond * channel_mhz if limit_mhz is None else limit_mhz) * HZ_PER_MHZ
        for name, limit_mhz in limits_mhz.items()
    }
    if is_etsi(query.ruleset_id):
        found |= dict.fromkeys((_SIMULTANEOUS, _SIMULTANEOUS[:_CUT_OFF]), query.simultaneous)
    return found


def channel_entry(config: Config, channel: DeviceChannel) -> dict[str, object]:
    """Edges of a channel or bond in Hz."""
    centre_mhz = channel_centre_mhz(config.channels, channel)
    half_mhz = channel_width_mhz(config.channels, channel) / 2.0
    return {
        "channel": plain_channel(channel),
        "start_hz": round((centre_mhz - half_mhz) * HZ_PER_MHZ, 3),
        "stop_hz": round((centre_mhz + half_mhz) * HZ_PER_MHZ, 3),
    }


def device_entry(config: Config, device: Device) -> dict[str, object]:
    """What distinguishes one published device from another; one that uses bonds has channels of its own."""
    entry: dict[str, object] = {
        "id": device.id,
        "file": layer_file("query", device=device.id, partial=is_partial(config)),
        "type": device.type,
        "emission_class": device.emission_class,
        "height_m": device.height_m,
        "bandwidth_hz": device.bandwidth_mhz * HZ_PER_MHZ,
        "cap_dbm": device_cap_dbm(device),
    }
    if device.bond > 1:
        entry["bond"] = device.bond
        entry["limits"] = bandwidth_limits(config, device.bond)
        entry["channels"] = [channel_entry(config, channel) for channel in config.channels_of(device)]
    return entry


def check(config: Config, _: CheckedTerritory) -> Iterator[str]:
    """Lines on the antenna heights and kinds of devices that queries are answered for, and are not."""
    layers = read_height_layers(config.query.height_layers)
    kinds: dict[tuple[str, int], set[float]] = {}
    for device in config.devices:
        kinds.setdefault((device.type, device.emission_class), set()).add(device.height_m)
    for (kind, emission_class), heights_m in sorted(kinds.items()):
        if missing := [layer_m for layer_m in layers[kind] if layer_m not in heights_m]:
            listed = ", ".join(f"{layer_m:g} m" for layer_m in missing)
            yield f"  not answered  type {kind}, class {emission_class}: no layer of {listed}"
    for (kind, emission_class), heights_m in sorted(kinds.items()):
        if min(heights_m) > _NEAREST_HEIGHT_M:
            lower = f"antennas below {min(heights_m):g} m get a layer that is up to 7 dB too high within 80 m"
            yield f"  not safe      type {kind}, class {emission_class}: {lower}; add one at 10 m"
    slave_class = config.query.generic_slave.emission_class
    for kind in sorted({kind for kind, _ in kinds}):
        if (kind, slave_class) not in kinds:
            missing_device = f"no device of class {slave_class}"
            yield f"  not answered  queries for generic slaves of type {kind}: {missing_device}"
