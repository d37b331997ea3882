"""`channelmaps validate`, part separation: contours for every system, distances for every device."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.config.config import Config
from pipeline.dtt.contours import contour_of, read_contours
from pipeline.errors import InputError
from pipeline.radio.channel_plan import channel_centre_mhz
from pipeline.reference.ratio_tables import ModeKey
from pipeline.reference.separation_distances import RELATIONS, read_distances, steps_of


def check_separation(config: Config, modes: Iterable[ModeKey], victims: Iterable[int]) -> None:
    """Refuse tables without a contour for a system in use or without distances for a device."""
    if config.protection.method != "separation":
        return
    settings = config.protection.separation
    contours, rules = read_contours(settings.contours), read_distances(settings.distances)
    for device in config.devices:
        for relation in RELATIONS:
            steps_of(rules, device, relation, settings.distances)
    for system in sorted({system for system, _ in modes}):
        for channel in victims:
            f_mhz = channel_centre_mhz(config.channels, channel)
            if contour_of(contours, system, f_mhz) is None:
                raise InputError(
                    "no contour for a system",
                    file=settings.contours,
                    field="system",
                    value=f"{system} at {f_mhz:g} MHz",
                    allowed="a field_dbuvm row for every system in use",
                )
