"""Foreign administrations at the border: trigger fields, and pixels near a neighbour nothing is known of.

Coverage of foreign transmitters is protected with the territory's own (``dtt``); this file adds what
``neighbours`` of the configuration asks for beside it, allotments (``foreign_allotments``) among it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.budget import Budget, Term, strictest
from pipeline.config.bonds import DeviceChannel, channels_in
from pipeline.config.config import Config
from pipeline.config.protection import Device
from pipeline.config.services import OTHER_LAND, BorderField
from pipeline.dtt.neighbour_rules import (
    BorderTerms,
    ForeignData,
    border_budget,
    border_rule_range_km,
    foreign_data,
    neighbour_of,
    path_loss_db,
    read_triggers,
    treatment_of,
    unknown_reception_range_km,
)
from pipeline.errors import InputError
from pipeline.grid import raster
from pipeline.grid.grid import GEOD
from pipeline.services.base import BlockLimit, ServiceContext, ServiceLimit, limits_within, lower, unlimited
from pipeline.services.foreign_allotments import check_allotments, explain_allotments, lower_by_allotments
from pipeline.services.table import ServiceRow, service_code
from pipeline.territory.codes import NO_COUNTRY, Surface
from pipeline.territory.neighbours import COASTAL, Layers, land_mask, land_of_band, nearest_pixel
from pipeline.territory.rasters import CheckedTerritory
from pipeline.territory.slivers import SLIVER_KM


class Border(NamedTuple):
    """One band of ``neighbours.tif`` and one channel: ``rule`` limits up to ``reach_km``.

    Within ``unknown_km`` nothing is evaluated.
    """

    band: str
    channel: int
    country: str
    coastal: bool
    rule: BorderField | None
    budget: BorderTerms | None
    reach_km: float
    unknown_km: float


def prepare(
    service: ServiceRow, context: ServiceContext, device: Device, channel: DeviceChannel
) -> BlockLimit:
    """Limit by the fields at the border; not evaluated within range of an unknown neighbour."""
    borders = _borders(context, device, channel)
    lowered = lower_by_allotments(context, device, channel, service.code)

    def limit(rows: slice, cols: slice) -> ServiceLimit:
        found = unlimited(rows, cols)
        for border, distance_km in zip(borders, _distances_km(context, borders, rows, cols), strict=True):
            found.not_evaluated[distance_km <= border.unknown_km] = True
            eirp_dbm = _eirp_dbm(context, border, device, distance_km)
            lower(found, eirp_dbm, service_code("border_field"))
        lowered(found, rows, cols)
        return found

    return limit


def explain(
    service: ServiceRow, context: ServiceContext, device: Device, channel: DeviceChannel, row: int, col: int
) -> Budget | None:
    """Budget of the border rule or the allotment that limits a pixel most; None where none does."""
    at_border = _explained_border(context, device, channel, row, col)
    allotted = explain_allotments(context, device, channel, (row, col), service.code)
    found = strictest(budget for budget in (at_border, allotted) if budget is not None)
    return None if found is None else found._replace(others=())


def _explained_border(
    context: ServiceContext, device: Device, channel: DeviceChannel, row: int, col: int
) -> Budget | None:
    borders = _borders(context, device, channel)
    rows, cols = slice(row, row + 1), slice(col, col + 1)
    distances_km = _distances_km(context, borders, rows, cols)
    limits_dbm = [
        float(_eirp_dbm(context, border, device, d_km)[0, 0])
        for border, d_km in zip(borders, distances_km, strict=True)
    ]
    if not limits_dbm or math.isinf(min(limits_dbm)):
        return None
    limiting = int(np.argmin(limits_dbm))
    border, distance_km = borders[limiting], distances_km[limiting]
    victim = _victim(context, border, row, col) | {"distance_km": float(distance_km[0, 0])}
    terms = _terms(context, border, device, distance_km)
    return Budget(victim, terms, service_code("border_field"))


def check(service: ServiceRow, config: Config, ground: CheckedTerritory) -> Iterator[str]:
    """Refuse neighbours that the boundary file does not name and faulty trigger tables.

    Reports foreign land within the padded grid of which nothing is known: it is not evaluated near it.
    """
    _check_neighbours(config, ground)
    if not config.services[service.name].evaluated:
        return
    yield from check_allotments(config)
    if joined := ground.masks.attrs.get("sliver_pixels"):
        what = f"pixels of land in no country, within {SLIVER_KM:g} km of one"
        yield f"  slivers       {joined} {what}, count as its land"
    foreign = ground.masks["surface"].values == Surface.FOREIGN
    present = np.unique(ground.masks["country"].values[foreign]).tolist()
    codes = ground.boundaries.codes
    names = [OTHER_LAND if index == NO_COUNTRY else codes[index - 1] for index in present]
    data = foreign_data(config)
    for name in sorted(names):
        if not treatment_of(config, name, data).known:
            yield f"  no data of    {name}: {_reason(config, name, data)}, not evaluated within reach of it"


def _check_neighbours(config: Config, ground: CheckedTerritory) -> None:
    boundaries = ground.boundaries
    foreign = sorted(set(boundaries.codes) - set(boundaries.home))
    for code, neighbour in config.neighbours.items():
        unknown = config.territory.polygons is not None and code not in foreign
        if code != OTHER_LAND and (unknown or code in boundaries.home):
            raise InputError(
                "is not a foreign country of the boundary file",
                file=ground.file,
                row=f"neighbours.{code}",
                value=code,
                allowed=", ".join([*foreign, OTHER_LAND]),
            )
        if neighbour.border_field is not None:
            read_triggers(neighbour.border_field.triggers)


def _reason(config: Config, code: str, data: ForeignData) -> str:
    if neighbour_of(config, code) is None:
        return "not declared under neighbours"
    return "declared without data" if code in data.countries else "no transmitter in the registers"


def _borders(context: ServiceContext, device: Device, channel: DeviceChannel) -> list[Border]:
    """The lands on the grid that limit the device or leave it open, for each channel that it uses."""
    names = raster.read_layout(_file(context)).band_names
    data = context.foreign
    range_unknown_km = cache(partial(unknown_reception_range_km, context.config, device, channel, data))
    borders = [
        _border(context, device, number, channel, str(name), data, range_unknown_km)
        for number in channels_in(channel)
        for name in names
    ]
    return [border for border in borders if border.budget is not None or border.unknown_km >= 0.0]


def _border(
    context: ServiceContext,
    device: Device,
    channel: int,
    bond: DeviceChannel,
    name: str,
    data: ForeignData,
    range_unknown_km: Callable[..., float],
) -> Border:
    config, country, coastal = context.config, name.removesuffix(COASTAL), name.endswith(COASTAL)
    rule, known = treatment_of(config, country, data)
    budget = None if rule is None else border_budget(config, rule, device, channel, bond)
    reach_km = -1.0
    if rule is not None:
        range_km = border_rule_range_km(config, rule, device, channel, bond, coastal=coastal)
        known = known and range_km is not None
        reach_km = -1.0 if range_km is None else range_km
    unknown_km = -1.0 if known else range_unknown_km(coastal=coastal)
    return Border(name, channel, country, coastal, rule, budget, reach_km, unknown_km)


def _eirp_dbm(
    context: ServiceContext, border: Border, device: Device, distance_km: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Limit by one land at distances of any shape; infinite beyond its reach."""
    rule, budget = border.rule, border.budget
    if rule is None or budget is None:
        return np.full(distance_km.shape, np.inf)
    config, coastal = context.config, border.coastal
    return limits_within(
        distance_km,
        border.reach_km,
        lambda d_km: sum(budget) + path_loss_db(config, rule, device, border.channel, d_km, coastal=coastal),
    )


def _terms(
    context: ServiceContext, border: Border, device: Device, distance_km: NDArray[np.float64]
) -> tuple[Term, ...]:
    rule, budget = border.rule, border.budget
    if rule is None or budget is None:
        raise ValueError(f"{border.band} has no border rule")
    loss_db = float(
        path_loss_db(context.config, rule, device, border.channel, distance_km, coastal=border.coastal)[0, 0]
    )
    time = (
        f"{context.config.propagation.wsd_model}, {rule.time_pct.value:g} % of time, at {rule.height_m:g} m"
    )
    return (
        Term("trigger field", budget.trigger_dbuvm, "dB(uV/m), median"),
        Term("field to power", budget.to_power_db, "-77.216 - 20 log f"),
        Term("power outside the channel", budget.outside_db),
        Term("multiple-interference margin", budget.margin_db),
        Term("path loss", loss_db, f"{time}, {'smaller of land and sea' if border.coastal else 'land'}"),
    )


def _victim(context: ServiceContext, border: Border, row: int, col: int) -> dict[str, object]:
    """The nearest pixel of a land: place, and azimuth from the device."""
    folder = context.build / "territory"
    codes = json.loads((folder / "countries.json").read_text(encoding="utf-8"))
    layers = Layers(*(raster.read(folder / f"{name}.tif").values for name in Layers._fields))
    nearest = nearest_pixel(land_mask(land_of_band(border.band, codes), layers), row, col)
    (lon, lat), (to_lon, to_lat) = _place_deg(context, row, col), _place_deg(context, *nearest)
    return {
        "kind": "border field",
        "country": border.country,
        "channel": border.channel,
        "lon": to_lon,
        "lat": to_lat,
        "azimuth_deg": float(GEOD.inv(lon, lat, to_lon, to_lat)[0] % 360.0),
    }


def _place_deg(context: ServiceContext, row: int, col: int) -> tuple[float, float]:
    lon_deg, lat_deg = context.grid.lonlat_deg(slice(row, row + 1), slice(col, col + 1))
    return float(lon_deg[0, 0]), float(lat_deg[0, 0])


def _file(context: ServiceContext) -> Path:
    return context.build / "territory" / "neighbours.tif"


def _distances_km(
    context: ServiceContext, borders: Sequence[Border], rows: slice, cols: slice
) -> NDArray[np.float64]:
    """Distance to each land, [land, y, x]."""
    if not borders:
        return np.empty((0, rows.stop - rows.start, cols.stop - cols.start))
    names = [border.band for border in borders]
    layer = raster.read(_file(context), rows=rows, cols=cols, bands=names, stacked=True)
    return layer.values.astype(np.float64)
