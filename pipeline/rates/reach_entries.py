"""What the entries of ``reach`` in a territory file ask for, and whether their tables have it."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.config.config import Config
from pipeline.config.products import ReachLayers
from pipeline.errors import InputError
from pipeline.rates.client_radios import read_clients
from pipeline.rates.link_modes import read_modes
from pipeline.rates.reach_layers import ReachOf, level_in_channel_dbm
from pipeline.territory.rasters import CheckedTerritory


def check(config: Config, territory: CheckedTerritory) -> Iterator[str]:
    """InputError for a table, a mode or a radio that is not there; nothing to remark."""
    for entry in config.reach:
        asked = asked_of(config, entry)
        (device,) = [device for device in config.devices if device.id == entry.device]
        for channel in config.channels_of(device):
            level_in_channel_dbm(asked, channel, "reach.mode")
    yield from ()


def asked_of(config: Config, entry: ReachLayers) -> ReachOf:
    """What an entry of the settings asks for; InputError for radios and tables that are not there."""
    (device,) = [device for device in config.devices if device.id == entry.device]
    try:
        modes = read_modes(str(entry.modes))
        client = read_clients(entry.cpe_table).named(entry.cpe, "cpe")
    except InputError as fault:
        raise InputError(
            fault.problem,
            file=fault.file or config.file,
            row="reach" if fault.row is None else fault.row,
            field=fault.field,
            value=fault.value,
            allowed=fault.allowed,
        ) from None
    distances = tuple(entry.at_least_km)
    return ReachOf(device.id, device.height_m, modes, entry.mode, client, entry.q_pct, distances)
