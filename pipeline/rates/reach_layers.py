"""The layers of reach, part by part, so that a large country needs no more memory than a small one.

Those of a run (job reach) and those of ``channelmaps reach`` are written here; docs/method.md, section 46.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.config.bonds import DeviceChannel, channels_in
from pipeline.config.channels import Channels
from pipeline.config.products import mode_slug
from pipeline.grid import raster
from pipeline.grid.grid import Grid
from pipeline.grid.layer_files import layer_layout
from pipeline.grid.raster import Part
from pipeline.radio.channel_plan import channel_centre_mhz
from pipeline.rates.client_radios import ClientRow
from pipeline.rates.link_budget import GenericPath
from pipeline.rates.link_modes import SIGMA_DB, LinkModes, level_of_mode_dbm, location_margin_db
from pipeline.rates.reach_of_stations import ReachMaps, radius_table, reach_maps, reach_sums, shares_pct

REACH_NOTICE = "generic land path, without terrain and without interference: not a coverage prediction"
REACH_COLUMNS = ("device", "modes", "mode", "cpe", "q_pct", "km", "area_pct", "population_pct")
_Weights = Callable[[slice, slice], Sequence[NDArray[np.floating[Any]] | None]]
_PathOf = Callable[[str, Mapping[str, object]], Path]


def reach_files(device: str, mode: str, from_km: Sequence[float]) -> list[tuple[str, dict[str, object]]]:
    """Families of rasters with the fields of their names: radius, its channel, numbers by distance."""
    fields: dict[str, object] = {"device": device, "mode": mode_slug(mode)}
    counts = [("reach_channels", fields | {"km": km}) for km in from_km]
    return [("reach", fields), ("reach_channel", fields), *counts]


class ReachOf(NamedTuple):
    """What is asked: a device of a height as station, a mode that clients must have, distances to count."""

    device: str
    height_m: float
    modes: LinkModes
    mode: str
    client: ClientRow
    q_pct: float
    from_km: tuple[float, ...]

    @property
    def files(self) -> list[tuple[str, dict[str, object]]]:
        """As of ``reach_files``."""
        return reach_files(self.device, self.mode, self.from_km)

    @property
    def tags(self) -> dict[str, str]:
        """What the rasters say of it."""
        return {
            "path": REACH_NOTICE,
            "modes": self.modes.name,
            "mode": self.mode,
            "cpe": self.client.id,
            "q_pct": f"{self.q_pct:g}",
        }


def reach_tables(
    asked: ReachOf, plan: Channels, channels: Sequence[DeviceChannel], option: str = "--mode"
) -> list[NDArray[np.uint16]]:
    """Radius by raw level for each channel of a device; InputError, with ``option``, for an unknown mode."""
    tables = []
    for channel in channels:
        level_dbm = level_in_channel_dbm(asked, channel, option)
        margin_db = location_margin_db(asked.q_pct, 50.0, SIGMA_DB)
        f_mhz = channel_centre_mhz(plan, channel)
        path = GenericPath("p1546", f_mhz, asked.height_m, asked.client.height_m)
        tables.append(radius_table(path, asked.client.receive_db - level_dbm - margin_db))
    return tables


def level_in_channel_dbm(asked: ReachOf, channel: DeviceChannel, option: str) -> float:
    """The level that the mode needs in a channel, or in all channels of a bond; InputError without one."""
    width_mhz = len(channels_in(channel)) * asked.modes.bandwidth_mhz
    return level_of_mode_dbm(asked.modes, asked.mode, width_mhz, option)


def write_reach_layers(
    asked: ReachOf,
    channels: Sequence[DeviceChannel],
    tables: Sequence[NDArray[np.uint16]],
    levels: Iterable[Part],
    grid: Grid,
    weights: _Weights,
    path_of: _PathOf,
    tags: Mapping[str, str],
) -> list[dict[str, str]]:
    """Write all rasters from raw levels [channel, y, x] in parts; rows of ``reach_statistics.csv``.

    ``weights``: area and people of a part, None unknown. A channel of the map is its number, of a bond the
    first.
    """
    firsts = np.arange(256, dtype=np.uint8)  # codes stay
    firsts[1 : len(channels) + 1] = [channels_in(channel)[0] for channel in channels]
    sums = np.zeros((2, 1 + len(asked.from_km)))
    with ExitStack() as stack:
        puts = []
        for family, fields in asked.files:
            layout = layer_layout(family, grid, fields=fields, tags={**tags, **asked.tags})
            path = path_of(family, fields)
            puts.append(stack.enter_context(raster.writing(path, layout, publish=True)))
        for rows, cols, raw in levels:
            maps = reach_maps(raw, tables, asked.from_km)
            sums += reach_sums(maps.radius, asked.from_km, weights(rows, cols))
            for put, values in zip(puts, _rasters(maps, firsts), strict=True):
                put(rows, cols, values)
    return _rows(asked, shares_pct(sums))


def _rasters(maps: ReachMaps, firsts: NDArray[np.uint8]) -> list[NDArray[Any]]:
    return [maps.radius, firsts[maps.channel], *maps.number]


def _rows(asked: ReachOf, shares: NDArray[np.float64]) -> list[dict[str, str]]:
    own = (asked.device, asked.modes.name, asked.mode, asked.client.id, f"{asked.q_pct:g}")
    return [
        dict(zip(REACH_COLUMNS, (*own, f"{km:g}", _cell(area), _cell(people)), strict=True))
        for km, area, people in zip(asked.from_km, *shares.tolist(), strict=True)
    ]


def _cell(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.4f}"
