"""Width of the margin around the territory: the proven radius, so that no victim that counts is left out."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pipeline.config.config import Config
from pipeline.dtt.border_field import border_radius_km
from pipeline.dtt.interference_range import proven_radius_km
from pipeline.errors import InputError
from pipeline.radio.channel_plan import plan_channels
from pipeline.reference.ratio_tables import ModeKey, read_protection_tables
from pipeline.reference.separation_distances import largest_separation_km


def required_margin_km(config: Config, modes: Iterable[ModeKey], *, coastal: bool) -> float:
    """Largest proven radius of the devices: all channels whose reception can limit one, and the border.

    ``modes``: (system, mode) of the register, empty mode = the default; ``coastal``: some victims may be
    near sea. Depends on configuration, tables and modes only, not on where transmitters stand.
    """
    border_km = max(
        border_radius_km(config, device, channel, coastal=coastal)
        for device in config.devices
        for channel in config.channels.wsd
    )
    if config.protection.method == "separation":
        return max(border_km, *(largest_separation_km(config, device) for device in config.devices))
    tables = read_protection_tables(config.protection)
    default = (config.coverage.default_mode.system, config.coverage.default_mode.mode)
    keys = {key if key[1] else default for key in modes}
    offsets = config.protection.offsets
    limiting = {channel - offset for channel in config.channels.wsd for offset in offsets}
    channels = limiting & set(plan_channels(config.channels))
    reception_km = max(
        proven_radius_km(config, device, tables, modes=keys, channels=channels, coastal=coastal)
        for device in config.devices
    )
    return max(reception_km, border_km)


def margin_m(config: Config, modes: Iterable[ModeKey], *, coastal: bool, file: Path | None = None) -> float:
    """Margin in metres: the configured one if it is wide enough, else the required one plus a pixel."""
    needed_km = required_margin_km(config, modes, coastal=coastal)
    if config.grid.least_margins_km is not None:
        needed_km = max(needed_km, config.grid.least_margins_km[coastal])
    given_km = config.grid.margin_km
    if given_km is not None and given_km < needed_km:
        raise InputError(
            "margin is smaller than the proven radius",
            file=file,
            row="grid",
            field="margin_km",
            value=given_km,
            allowed=f"at least {needed_km:.1f}, or none",
        )
    return 1000.0 * needed_km + config.grid.resolution_m if given_km is None else 1000.0 * given_km
