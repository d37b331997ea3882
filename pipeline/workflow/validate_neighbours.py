"""`channelmaps validate`, part neighbours: codes, trigger tables, and of whom nothing is known."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import xarray as xr

from pipeline.config.config import Config
from pipeline.config.neighbours import OTHER_LAND
from pipeline.dtt.border_field import read_triggers
from pipeline.dtt.foreign_data import ForeignData, foreign_data, neighbour_of, treatment_of
from pipeline.errors import InputError
from pipeline.grid.polygons import Boundaries
from pipeline.territory.codes import NO_COUNTRY, Surface


def check_neighbours(config: Config, boundaries: Boundaries, config_path: Path) -> None:
    """Refuse neighbours that the boundary file does not name, the territory itself, faulty trigger tables."""
    foreign = sorted(set(boundaries.codes) - set(boundaries.home))
    for code, neighbour in config.neighbours.items():
        unknown = config.territory.polygons is not None and code not in foreign
        if code != OTHER_LAND and (unknown or code in boundaries.home):
            raise InputError(
                "is not a foreign country of the boundary file",
                file=config_path,
                row=f"neighbours.{code}",
                value=code,
                allowed=", ".join([*foreign, OTHER_LAND]),
            )
        if neighbour.border_field is not None:
            read_triggers(neighbour.border_field.triggers)


def neighbour_remarks(config: Config, masks: xr.Dataset, codes: tuple[str, ...]) -> Iterator[str]:
    """Lines on foreign land within the padded grid of which nothing is known: not evaluated near it."""
    if not config.services["foreign_dtt"].evaluated:
        return
    foreign = masks["surface"].values == Surface.FOREIGN
    present = np.unique(masks["country"].values[foreign]).tolist()
    names = [OTHER_LAND if index == NO_COUNTRY else codes[index - 1] for index in present]
    data = foreign_data(config)
    for name in sorted(names):
        if not treatment_of(config, name, data).known:
            yield f"  no data of    {name}: {_reason(config, name, data)}, not evaluated within reach of it"


def _reason(config: Config, code: str, data: ForeignData) -> str:
    if neighbour_of(config, code) is None:
        return "not declared under neighbours"
    return "declared without data" if code in data.countries else "no transmitter in the registers"
