"""How foreign administrations are protected: what is known of them, and their border rule (GE06).

The border rule keeps the median field of a device on a neighbour's land below a trigger:

P(d) = E_trigger - 77.216 - 20 log10 f + Lb(d, t%) - 10 log10(share) - margin, in dBm e.i.r.p.; ``share`` is
the part of the device's power inside a TV channel, to which the trigger refers; of a bond each channel
counts. Lb is that of the devices'
paths (docs/method.md, section 9), at the rule's percentage of time and receiving height; near the sea the
smaller loss of land and sea.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from pydantic import Field

from pipeline.config.bonds import DeviceChannel, channels_in
from pipeline.config.config import Config
from pipeline.config.protection import Device
from pipeline.config.services import OTHER_LAND, BorderField, Neighbour
from pipeline.coverage.network import with_countries
from pipeline.dtt.interference_range import farthest_limiting_km, interference_range_km
from pipeline.errors import InputError
from pipeline.propagation.homogeneous import smaller_path_loss_db
from pipeline.radio.channel_plan import SAME_EDGE_MHZ, channel_centre_mhz, channel_width_mhz, plan_channels
from pipeline.radio.emission import device_cap_dbm
from pipeline.reference.limiting_channels import victims_by_offset
from pipeline.reference.ratio_tables import ModeKey, read_protection_tables
from pipeline.reference.separation_distances import largest_separation_km
from pipeline.registers.transmitters import read_register
from pipeline.rows.row_models import NumberCell, SourcedRow, read_rows
from pipeline.units import power_dbm

_Frequency = Annotated[NumberCell, Field(ge=30, le=4000, description="30 to 4000 MHz")]
_COVERED_MHZ = 1e-6


class ForeignData(NamedTuple):
    """What the registers say: administrations with transmitters, and all modes in use, both sorted."""

    countries: tuple[str, ...]
    modes: tuple[ModeKey, ...]


class NeighbourTreatment(NamedTuple):
    """How a land is protected: its border rule if there is one; ``known`` False = not evaluated."""

    rule: BorderField | None
    known: bool


def foreign_data(config: Config, register: xr.Dataset | None = None) -> ForeignData:
    """Countries and modes of the transmitter register (read if it is not given)."""
    found = read_register(config)[0] if register is None else register
    countries = set(with_countries(config, found)["country"].values.tolist()) - {""}
    default = (config.coverage.default_mode.system, config.coverage.default_mode.mode)
    pairs = zip(found["system"].values.tolist(), found["mode"].values.tolist(), strict=True)
    modes = {(system, mode) if mode else default for system, mode in pairs}
    return ForeignData(tuple(sorted(countries)), tuple(sorted(modes)))


def neighbour_of(config: Config, code: str) -> Neighbour | None:
    """The entry for a country code, else that for all other land."""
    return config.neighbours.get(code, config.neighbours.get(OTHER_LAND))


def treatment_of(config: Config, code: str, data: ForeignData) -> NeighbourTreatment:
    """How the land of a country (``*``: land that no polygon names) is protected.

    Coverage without a single transmitter is no data: what a neighbour receives is then not known.
    """
    neighbour = neighbour_of(config, code)
    if neighbour is None:
        return NeighbourTreatment(None, known=False)
    covered = neighbour.coverage and code in data.countries
    known = (
        covered
        or neighbour.border_field is not None
        or neighbour.allotments is not None
        or bool(neighbour.unaffected)
    )
    return NeighbourTreatment(neighbour.border_field, known)


def unknown_reception_range_km(
    config: Config, device: Device, channel: DeviceChannel, data: ForeignData, *, coastal: bool
) -> float:
    """How far a device in a channel could limit itself for reception of which nothing is known.

    The maximum interference range over the channels that it can disturb, whether or not anyone uses them;
    with separation distances the largest of them: contours are taken to end at the border.
    """
    if config.protection.method == "separation":
        return largest_separation_km(config, device)
    victims = [v for v, _ in victims_by_offset(config, device, channel, plan_channels(config.channels))]
    tables = read_protection_tables(config.protection)
    near_sea = coastal and config.protection.sea_paths == "coastal"
    return interference_range_km(config, device, tables, modes=data.modes, channels=victims, coastal=near_sea)


class _TriggerRow(SourcedRow):
    from_mhz: _Frequency
    to_mhz: _Frequency
    field_dbuvm: Annotated[NumberCell, Field(ge=-50, le=120, description="-50 to 120 dB(uV/m)")]


class TriggerField(NamedTuple):
    """TriggerField field from a lower to an upper edge frequency."""

    from_mhz: float
    to_mhz: float
    field_dbuvm: float


class BorderTerms(NamedTuple):
    """What does not depend on the place: terms that, with the path loss, add up to the limit in dBm."""

    trigger_dbuvm: float
    to_power_db: float
    outside_db: float
    margin_db: float


def read_triggers(path: Path) -> list[TriggerField]:
    """TriggerField fields by band; a line that is wrong is refused."""
    triggers: list[TriggerField] = []
    for row in read_rows(path, _TriggerRow):
        from_mhz, to_mhz = row.from_mhz, row.to_mhz
        if from_mhz >= to_mhz or any(t.from_mhz < to_mhz and from_mhz < t.to_mhz for t in triggers):
            raise InputError(
                "band is empty or overlaps another",
                file=path,
                row=row.row,
                field="from_mhz",
                value=f"{from_mhz:g} to {to_mhz:g}",
                allowed="bands that do not overlap",
            )
        triggers.append(TriggerField(from_mhz, to_mhz, row.field_dbuvm))
    return triggers


def trigger_dbuvm(triggers: Sequence[TriggerField], centre_mhz: float, width_mhz: float) -> float | None:
    """Smallest trigger of the bands that a channel touches; None unless they cover the whole channel."""
    low, high = centre_mhz - 0.5 * width_mhz, centre_mhz + 0.5 * width_mhz
    touched = [t for t in triggers if t.from_mhz < high and low < t.to_mhz]
    covered_mhz = sum(min(t.to_mhz, high) - max(t.from_mhz, low) for t in touched)
    if covered_mhz < width_mhz - _COVERED_MHZ:
        return None
    return min(t.field_dbuvm for t in touched)


def border_budget(
    config: Config, rule: BorderField, device: Device, channel: int, bond: DeviceChannel | None = None
) -> BorderTerms | None:
    """The budget of a device in a channel; None where no trigger is given for the channel.

    ``bond``: what the device radiates over, if more than this channel.
    """
    f_mhz = channel_centre_mhz(config.channels, channel)
    width_mhz = channel_width_mhz(config.channels, channel)
    field_dbuvm = trigger_dbuvm(read_triggers(rule.triggers), f_mhz, width_mhz)
    if field_dbuvm is None:
        return None
    whole_mhz = f_mhz if bond is None else channel_centre_mhz(config.channels, bond)
    common_mhz = _common_mhz(whole_mhz - f_mhz, device.bandwidth_mhz, width_mhz)
    if common_mhz <= SAME_EDGE_MHZ:
        return BorderTerms(field_dbuvm, power_dbm(0.0, f_mhz), math.inf, 0.0 - device.margin_db)
    outside_db = 10.0 * math.log10(max(1.0, device.bandwidth_mhz / common_mhz))
    return BorderTerms(field_dbuvm, power_dbm(0.0, f_mhz), outside_db, 0.0 - device.margin_db)


def _common_mhz(apart_mhz: float, first_mhz: float, second_mhz: float) -> float:
    """Width that two bands have in common, from the distance of their middles."""
    low_mhz = max(apart_mhz - 0.5 * first_mhz, -0.5 * second_mhz)
    return min(apart_mhz + 0.5 * first_mhz, 0.5 * second_mhz) - low_mhz


def path_loss_db(
    config: Config,
    rule: BorderField,
    device: Device,
    channel: int,
    d_km: NDArray[np.float64],
    *,
    coastal: bool,
) -> NDArray[np.float64]:
    """Basic transmission loss to the neighbour's land; distances are raised to the smallest separation."""
    return smaller_path_loss_db(
        np.maximum(d_km, device.min_separation_m.value / 1000.0),
        channel_centre_mhz(config.channels, channel),
        device.height_m,
        receiver_m=rule.height_m,
        model=config.propagation.wsd_model,
        coastal=coastal and config.protection.sea_paths == "coastal",
        time_pct=rule.time_pct.value,
    )


def border_rule_range_km(
    config: Config,
    rule: BorderField,
    device: Device,
    channel: int,
    bond: DeviceChannel | None = None,
    *,
    coastal: bool,
) -> float | None:
    """Distance beyond which one rule does not limit a device below its cap; None without a trigger."""
    budget = border_budget(config, rule, device, channel, bond)
    if budget is None:
        return None
    level_dbm, cap_dbm = sum(budget), device_cap_dbm(device)

    def limits(d_km: NDArray[np.float64]) -> NDArray[np.bool_]:
        return level_dbm + path_loss_db(config, rule, device, channel, d_km, coastal=coastal) < cap_dbm

    return farthest_limiting_km(limits, device.min_separation_m.value / 1000.0)


def border_range_km(config: Config, device: Device, channel: DeviceChannel, *, coastal: bool) -> float:
    """Largest range of the border rules of all neighbours; 0 without any."""
    rules = (neighbour.border_field for neighbour in config.neighbours.values())
    ranges_km = (
        border_rule_range_km(config, rule, device, number, channel, coastal=coastal)
        for rule in rules
        if rule is not None
        for number in channels_in(channel)
    )
    return max((range_km for range_km in ranges_km if range_km is not None), default=0.0)
