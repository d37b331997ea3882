"""Width of the margin around the territory: the maximum interference range, so that no victim is left out."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import xarray as xr

from pipeline.config.config import Config
from pipeline.dtt.interference_range import interference_range_km
from pipeline.dtt.neighbour_rules import border_range_km
from pipeline.dtt.station_rules import strictest_settings
from pipeline.radio.channel_plan import plan_channels
from pipeline.reference.limiting_channels import victim_channels
from pipeline.reference.ratio_tables import ModeKey, read_protection_tables
from pipeline.reference.separation_distances import largest_separation_km
from pipeline.registers.transmitters import read_register
from pipeline.services.base import ServiceContext
from pipeline.services.evaluated import evaluated_services
from pipeline.services.receivers import margin_of_receivers_km
from pipeline.territory.rasters import boundaries_of, grid_of


def required_margin_km(config: Config, modes: Iterable[ModeKey], *, coastal: bool) -> float:
    """Maximum interference range of all devices: channels whose reception can limit one, and the border.

    ``modes``: (system, mode) of the register, empty mode = the default; ``coastal``: some victims may be
    near sea. Depends on configuration, tables and modes only, not on where transmitters stand.
    """
    border_km = max(
        border_range_km(config, device, channel, coastal=coastal)
        for device in config.devices
        for channel in config.channels_of(device)
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


def services_margin_km(config: Config) -> float:
    """Without television: so wide that the receivers abroad that limit devices are on the grid.

    A service without receivers at places reaches nowhere by this.
    """
    grid = grid_of(config, boundaries_of(config.territory), 0.0)
    context = ServiceContext(config, Path(), grid, ())
    return max((margin_of_receivers_km(row, context) for row in evaluated_services(config)), default=0.0)


def limiting_channels(config: Config) -> list[int]:
    """Channels of the plan whose reception can limit some device, ascending."""
    return sorted(victim_channels(config, plan_channels(config.channels), config.all_device_channels()))


def modes_of(config: Config, register: xr.Dataset) -> list[ModeKey]:
    """(system, mode) of all transmitters, the default in place of none."""
    modes = zip(register["system"].values.tolist(), register["mode"].values.tolist(), strict=True)
    return _with_default(config, modes)


def _with_default(config: Config, modes: Iterable[ModeKey]) -> list[ModeKey]:
    default = (config.coverage.default_mode.system, config.coverage.default_mode.mode)
    return sorted({key if key[1] else default for key in modes})


def required_margins_km(config: Config, register: xr.Dataset | None = None) -> tuple[float, float]:
    """Margins over land and with sea in reach, for the modes of the register (read if it is not given)."""
    if not config.has_television:
        own_km = services_margin_km(config)
        return own_km, own_km
    found = read_register(config)[0] if register is None else register
    modes = set(zip(found["system"].values.tolist(), found["mode"].values.tolist(), strict=True))
    strictest = strictest_settings(config, found)
    land_km, sea_km = (required_margin_km(strictest, modes, coastal=coastal) for coastal in (False, True))
    return land_km, sea_km
