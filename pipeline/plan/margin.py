"""Width of the margin around the territory: the maximum interference range, so that no victim is left out."""

from __future__ import annotations

from collections.abc import Iterable

import xarray as xr

from pipeline.config.config import Config
from pipeline.dtt.interference_range import interference_range_km
from pipeline.dtt.neighbour_rules import border_range_km
from pipeline.radio.channel_plan import plan_channels
from pipeline.reference.limiting_channels import victim_channels
from pipeline.reference.ratio_tables import ModeKey, read_protection_tables
from pipeline.reference.separation_distances import largest_separation_km
from pipeline.registers.transmitters import read_register


def required_margin_km(config: Config, modes: Iterable[ModeKey], *, coastal: bool) -> float:
    """Maximum interference range of all devices: channels whose reception can limit one, and the border.

    ``modes``: (system, mode) of the register, empty mode = the default; ``coastal``: some victims may be
    near sea. Depends on configuration, tables and modes only, not on where transmitters stand.
    """
    border_km = max(
        border_range_km(config, device, channel, coastal=coastal)
        for device in config.devices
        for channel in config.channels.wsd
    )
    if config.protection.method == "separation":
        return max(border_km, *(largest_separation_km(config, device) for device in config.devices))
    tables = read_protection_tables(config.protection)
    keys, channels = _with_default(config, modes), limiting_channels(config)
    reception_km = max(
        interference_range_km(config, device, tables, modes=keys, channels=channels, coastal=coastal)
        for device in config.devices
    )
    return max(reception_km, border_km)


def limiting_channels(config: Config) -> list[int]:
    """Channels of the plan whose reception can limit some device, ascending."""
    return sorted(victim_channels(config, plan_channels(config.channels), config.channels.wsd))


def modes_of(config: Config, register: xr.Dataset) -> list[ModeKey]:
    """(system, mode) of all transmitters, the default in place of none."""
    modes = zip(register["system"].values.tolist(), register["mode"].values.tolist(), strict=True)
    return _with_default(config, modes)


def _with_default(config: Config, modes: Iterable[ModeKey]) -> list[ModeKey]:
    default = (config.coverage.default_mode.system, config.coverage.default_mode.mode)
    return sorted({key if key[1] else default for key in modes})


def required_margins_km(config: Config, register: xr.Dataset | None = None) -> tuple[float, float]:
    """Margins over land and with sea in reach, for the modes of the register (read if it is not given)."""
    found = read_register(config)[0] if register is None else register
    modes = set(zip(found["system"].values.tolist(), found["mode"].values.tolist(), strict=True))
    land_km, sea_km = (required_margin_km(config, modes, coastal=coastal) for coastal in (False, True))
    return land_km, sea_km
