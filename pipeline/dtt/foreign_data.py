"""Which foreign administrations are protected how, and what is not known of them."""

from __future__ import annotations

from typing import NamedTuple

from pipeline.config.config import Config
from pipeline.config.neighbours import OTHER_LAND, BorderField, Neighbour
from pipeline.config.protection import Device
from pipeline.coverage.network import with_countries
from pipeline.dtt.interference_range import interference_range_km
from pipeline.radio.channel_plan import plan_channels, victim_offsets
from pipeline.reference.ratio_tables import ModeKey, read_protection_tables
from pipeline.reference.separation_distances import largest_separation_km
from pipeline.registers.transmitters import read_register


class ForeignData(NamedTuple):
    """What the registers say: administrations with transmitters, and all modes in use, both sorted."""

    countries: tuple[str, ...]
    modes: tuple[ModeKey, ...]


class NeighbourTreatment(NamedTuple):
    """How a land is protected: its border rule if there is one; ``known`` False = not evaluated."""

    rule: BorderField | None
    known: bool


def foreign_data(config: Config) -> ForeignData:
    """Countries and modes of the configured registers."""
    register, _ = read_register(config)
    countries = set(with_countries(config, register)["country"].values.tolist()) - {""}
    default = (config.coverage.default_mode.system, config.coverage.default_mode.mode)
    pairs = zip(register["system"].values.tolist(), register["mode"].values.tolist(), strict=True)
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
    known = covered or neighbour.border_field is not None or bool(neighbour.unaffected)
    return NeighbourTreatment(neighbour.border_field, known)


def unknown_reception_range_km(
    config: Config, device: Device, channel: int, data: ForeignData, *, coastal: bool
) -> float:
    """How far a device in a channel could limit itself for reception of which nothing is known.

    The maximum interference range over the channels that it can disturb, whether or not anyone uses them;
    with separation distances the largest of them: contours are taken to end at the border.
    """
    if config.protection.method == "separation":
        return largest_separation_km(config, device)
    offsets = victim_offsets(config)
    victims = {channel - offset for offset in offsets} & set(plan_channels(config.channels))
    tables = read_protection_tables(config.protection)
    near_sea = coastal and config.protection.sea_paths == "coastal"
    return interference_range_km(config, device, tables, modes=data.modes, channels=victims, coastal=near_sea)
