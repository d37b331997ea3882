"""Rows that mappings of stations and areas leave out: a station left out is not protected, so it is told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from pipeline.config.config import Config
from pipeline.config.register_mapping import RegisterMapping
from pipeline.registers.areas import AREA_MODELS, area_target
from pipeline.registers.finishing import Target
from pipeline.registers.named_registers import mapped_records, station_target
from pipeline.registers.stations import RelayRow, station_registers
from pipeline.territory.rasters import CheckedTerritory


def check(config: Config, territory: CheckedTerritory) -> Iterator[str]:
    """A line for each register whose mapping leaves rows out, with how many by reason.

    Those of transmitters and of bookings are listed row by row elsewhere.
    """
    for key, item, target in _mappings(config):
        rows = mapped_records(item, target).left_out
        if rows:
            reasons = Counter(row.problem.removeprefix("left out: ") for row in rows)
            told = ", ".join(f"{reason} {count}" for reason, count in sorted(reasons.items()))
            yield f"  left out      {key}, {item.files[0]}: {len(rows)} rows by its mapping ({told})"


def _mappings(config: Config) -> Iterator[tuple[str, RegisterMapping, Target]]:
    """The mappings of stations and areas with their keys and what they write."""
    named: list[tuple[str, Path | RegisterMapping, Target]] = [
        (key, item, station_target(model))
        for key, (model, items) in station_registers(config).items()
        for item in items
    ]
    if config.areas.relay_sites is not None:
        named.append(("areas.relay_sites", config.areas.relay_sites, station_target(RelayRow)))
    for part, model in AREA_MODELS.items():
        named += [(f"areas.{part}", item, area_target(model)) for item in getattr(config.areas, part)]
    yield from ((key, item, target) for key, item, target in named if isinstance(item, RegisterMapping))
