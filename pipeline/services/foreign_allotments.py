"""Allotments of foreign administrations: channels that are planned in an area, on the air or not.

`reference`: every pixel that an allotment touches, but those of the own country, is a served pixel of its
channel. It receives the reference field E_ref of its planning configuration (GE06) at the channel's
frequency, its server is unknown, so D = 0, and its nuisance is the noise that the configuration plans with,
E_ref less 1.645 sigma for 95 % of locations. The limit is that of docs/method.md, section 6, but overload,

    P = E_ref - 1.645 sigma + X(q1 = 0.95) - r - 77.216 - 20 log10 f + Lb

with the ratios of the territory's default mode. `trigger`: the field of a device at the points of the contour
stays below the trigger field, by the terms of the border rule. Paths are those of the border rule: flat, near
the sea the smaller loss.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Annotated, NamedTuple, cast

import numpy as np
import shapely
from numpy.typing import NDArray
from pydantic import Field

from pipeline.budget import Budget, Term
from pipeline.config.bonds import DeviceChannel, channels_in
from pipeline.config.config import Config
from pipeline.config.protection import Device
from pipeline.config.services import BorderField, Neighbour
from pipeline.dtt.calibration import CalibratedLevels, calibrated_level_db
from pipeline.dtt.interference_range import farthest_limiting_km, permissible_levels_of
from pipeline.dtt.leakage_floor import floor_coupling, limits_dbm
from pipeline.dtt.neighbour_rules import border_budget, border_rule_range_km, path_loss_db
from pipeline.errors import InputError
from pipeline.grid import raster
from pipeline.grid.polygons import project
from pipeline.propagation.homogeneous import NEAR_KM, smaller_path_loss_db
from pipeline.radio.channel_plan import Offset, channel_centre_mhz
from pipeline.radio.coupling import Coupling
from pipeline.radio.emission import device_cap_dbm
from pipeline.reference.limiting_channels import concerns
from pipeline.reference.ratio_tables import read_protection_tables
from pipeline.reference.ratios import Group, group_shift_db, groups_of
from pipeline.registers.areas import Allotment, read_allotments
from pipeline.rows.row_models import NumberCell, SourcedRow, read_rows
from pipeline.services.area_distances import AreaDistances, area_distances, is_at_coast
from pipeline.services.base import ServiceContext, ServiceLimit, check_channels, limits_within, lower
from pipeline.shipped import TABLES
from pipeline.territory.codes import Surface
from pipeline.units import power_dbm

CONFIGURATIONS = TABLES / "reference_configurations.csv"
# Reference configurations plan for 95 % of locations.
_PLANNED_MU = 1.6449

_Levels = Callable[[NDArray[np.float64]], NDArray[np.float64]]


class _ConfigurationRow(SourcedRow):
    configuration: str
    from_mhz: Annotated[NumberCell, Field(ge=30, le=4000, description="30 to 4000 MHz")]
    to_mhz: Annotated[NumberCell, Field(ge=30, le=4000, description="30 to 4000 MHz")]
    reference_mhz: Annotated[NumberCell, Field(ge=30, le=4000, description="30 to 4000 MHz")]
    field_dbuvm: Annotated[NumberCell, Field(ge=0, le=120, description="0 to 120 dB(uV/m)")]
    per_decade_db: Annotated[NumberCell, Field(ge=0, le=60, description="0 to 60 dB")]
    location_sigma_db: Annotated[NumberCell, Field(ge=1, le=20, description="1 to 20 dB")]


class ReferenceReception(NamedTuple):
    """What an allotment's receivers are planned to have at 10 m: median field, and field of their noise."""

    field_dbuvm: float
    noise_dbuvm: float


class _Rule(NamedTuple):
    """Limit of a device by allotments of one channel, configuration and kind of rule, by distance in km."""

    eirp_dbm: _Levels
    terms: Callable[[float], tuple[Term, ...]]
    reach_km: float


class _Protected(NamedTuple):
    """Allotments of one neighbour that are protected alike; ``coastal``: each has a pixel near the sea."""

    neighbour: Neighbour
    country: str
    channel: int
    configuration: str
    coastal: bool
    allotments: tuple[Allotment, ...]


def reference_reception(configuration: str, f_mhz: float) -> ReferenceReception | None:
    """Reference field and noise of a planning configuration; None at a frequency without a row."""
    for row in _configurations():
        if row.configuration == configuration and row.from_mhz <= f_mhz <= row.to_mhz:
            field_dbuvm = row.field_dbuvm + row.per_decade_db * math.log10(f_mhz / row.reference_mhz)
            return ReferenceReception(field_dbuvm, field_dbuvm - _PLANNED_MU * row.location_sigma_db)
    return None


@lru_cache(maxsize=1)
def _configurations() -> list[_ConfigurationRow]:
    return read_rows(CONFIGURATIONS, _ConfigurationRow)


def lower_by_allotments(
    context: ServiceContext, device: Device, channel: DeviceChannel, label: int
) -> Callable[[ServiceLimit, slice, slice], None]:
    """What takes the smaller limit by all allotments in place, on rows and columns of the padded grid."""
    found = []
    for one in _protected_from(context, device, channel):
        rule = _rule_of(context, device, channel, one)
        distances = (
            None if rule is None else _distances(context, one.neighbour, one.allotments, rule.reach_km)
        )
        if rule is not None and distances is not None:
            found.append((rule, distances))

    def lowered(limit: ServiceLimit, rows: slice, cols: slice) -> None:
        for rule, distances in found:
            distance_km = distances.distance_km(rows, cols)
            lower(limit, _limits_dbm(rule, distance_km, device), label)

    return lowered


def explain_allotments(
    context: ServiceContext, device: Device, channel: DeviceChannel, pixel: tuple[int, int], label: int
) -> Budget | None:
    """Budget of the allotment that limits a pixel (row, col) most; None where none does."""
    rows, cols = (slice(index, index + 1) for index in pixel)
    best: Budget | None = None
    lowest_dbm = math.inf
    for group in _protected_from(context, device, channel):
        rule = _rule_of(context, device, channel, group)
        for allotment in group.allotments if rule is not None else ():
            one = group._replace(allotments=(allotment,))
            distances = rule and _distances(context, one.neighbour, one.allotments, rule.reach_km)
            if rule is None or distances is None:
                continue
            distance_km = distances.distance_km(rows, cols)
            eirp_dbm = float(_limits_dbm(rule, distance_km, device)[0, 0])
            if eirp_dbm < lowest_dbm:
                lowest_dbm = eirp_dbm
                facts = _facts(one, allotment, float(distance_km[0, 0]))
                best = Budget(facts, rule.terms(float(distance_km[0, 0])), label)
    return best


def check_allotments(config: Config) -> Iterator[str]:
    """Read all files, refused if faulty; how many allotments there are."""
    for country, neighbour in sorted(config.neighbours.items()):
        if neighbour.allotments is None:
            continue
        allotments = read_allotments(neighbour.allotments)
        check_channels(config, "channel", neighbour.allotments, (one.channel for one in allotments))
        for one in allotments:
            _refuse_unknown(config, neighbour.allotments, one)
        rule = "reference field" if neighbour.allotment_rule == "reference" else "trigger field"
        yield f"  allotments    {country}: {len(allotments)}, protected by their {rule}"


def _refuse_unknown(config: Config, file: Path, one: Allotment) -> None:
    """A frequency for which the table has no reference field."""
    f_mhz = channel_centre_mhz(config.channels, one.channel)
    if reference_reception(one.configuration, f_mhz) is None:
        raise InputError(
            f"no reference field of {one.configuration} at {f_mhz:g} MHz",
            file=file,
            row=one.area.row,
            field="channel",
            value=one.channel,
            allowed=f"a channel within the bands of {CONFIGURATIONS.name}",
        )


def _protected_from(context: ServiceContext, device: Device, channel: DeviceChannel) -> Iterator[_Protected]:
    """Allotments of all neighbours that a device in a channel can disturb, by what their limits depend on."""
    config = context.config
    for country, neighbour in sorted(config.neighbours.items()):
        groups: dict[tuple[int, str, bool], list[Allotment]] = {}
        for one in read_allotments(neighbour.allotments) if neighbour.allotments is not None else ():
            beside = neighbour.allotment_rule == "reference" and concerns(
                config, device, channel, one.channel
            )
            if beside or one.channel in channels_in(channel):
                at_coast = is_at_coast(context, partial(_distances, context, neighbour, [one], 0.0))
                key = one.channel, one.configuration, at_coast
                groups.setdefault(key, []).append(one)
        for key, allotments in sorted(groups.items()):
            yield _Protected(neighbour, country, *key, tuple(allotments))


# --- rules --------------------------------------------------------------------------------------------------


def _rule_of(
    context: ServiceContext, device: Device, channel: DeviceChannel, one: _Protected
) -> _Rule | None:
    """The rule for a device in a channel; None where these allotments do not limit it."""
    if one.neighbour.allotment_rule == "trigger":
        return _trigger_rule(context.config, device, channel, one)
    offset = concerns(context.config, device, channel, one.channel)
    return None if offset is None else _reference_rule(context.config, device, one, offset)


def _reference_rule(config: Config, device: Device, one: _Protected, offset: Offset) -> _Rule | None:
    tables = read_protection_tables(config.protection)
    f_mhz = channel_centre_mhz(config.channels, one.channel)
    reception = reference_reception(one.configuration, f_mhz)
    if reception is None:
        raise ValueError(f"no reference field at {f_mhz} MHz: `check` refuses it")
    group = _group_at(config, power_dbm(reception.field_dbuvm, f_mhz))
    shift_db = group_shift_db(tables, group, device, offset)
    if math.isnan(shift_db):
        return None
    floor = floor_coupling(config, one.channel, group, tables, device, offset)
    tolerated_db = [_tolerated_db(config, levels) for levels in permissible_levels_of(config, device)]
    loss_db = partial(_loss_db, config, device, f_mhz, coastal=one.coastal)

    def eirp_dbm(d_km: NDArray[np.float64]) -> NDArray[np.float64]:
        x_db = np.where(d_km <= NEAR_KM, *tolerated_db)
        permissible_dbm = power_dbm(reception.noise_dbuvm, f_mhz) + x_db + loss_db(d_km)
        return limits_dbm(permissible_dbm, shift_db, floor)

    def terms(d_km: float) -> tuple[Term, ...]:
        return _reference_terms(
            reception, f_mhz, (shift_db, floor), tolerated_db, (d_km, float(loss_db(np.array([d_km]))[0]))
        )

    return _with_reach(eirp_dbm, terms, device)


def _with_reach(eirp_dbm: _Levels, terms: Callable[[float], tuple[Term, ...]], device: Device) -> _Rule:
    """A rule as far as it limits; distances are raised to the smallest separation."""
    least_km, cap_dbm = device.min_separation_m.value / 1000.0, device_cap_dbm(device)
    reach_km = farthest_limiting_km(lambda d_km: eirp_dbm(d_km) < cap_dbm, least_km)
    return _Rule(
        lambda d_km: eirp_dbm(np.maximum(d_km, least_km)), lambda d_km: terms(max(d_km, least_km)), reach_km
    )


def _trigger_rule(config: Config, device: Device, channel: DeviceChannel, one: _Protected) -> _Rule | None:
    rule = one.neighbour.border_field or BorderField()
    budget = border_budget(config, rule, device, one.channel, channel)
    reach_km = border_rule_range_km(config, rule, device, one.channel, channel, coastal=one.coastal)
    if budget is None or reach_km is None:
        return None

    def loss_db(d_km: NDArray[np.float64]) -> NDArray[np.float64]:
        return path_loss_db(config, rule, device, one.channel, d_km, coastal=one.coastal)

    def terms(d_km: float) -> tuple[Term, ...]:
        note = f"{config.propagation.wsd_model}, {rule.time_pct.value:g} % of time, {d_km:.3f} km"
        return (
            Term("trigger field", budget.trigger_dbuvm, "dB(uV/m), at the points of the contour"),
            Term("field to power", budget.to_power_db, "-77.216 - 20 log f"),
            Term("power outside the channel", budget.outside_db),
            Term("multiple-interference margin", budget.margin_db),
            Term("path loss", float(loss_db(np.array([d_km]))[0]), note),
        )

    return _Rule(lambda d_km: sum(budget) + loss_db(d_km), terms, reach_km)


def _group_at(config: Config, wanted_dbm: float) -> Group:
    """The group of the default mode for a wanted level at 0 dBi."""
    default = config.coverage.default_mode
    groups = groups_of(read_protection_tables(config.protection), (default.system, default.mode))
    return next(one for one in groups if one.tier.from_dbm <= wanted_dbm < one.tier.to_dbm)


def _tolerated_db(config: Config, levels: CalibratedLevels) -> float:
    """X* of a receiver at 95 % of locations whose nuisance is noise alone."""
    return calibrated_level_db(levels, _PLANNED_MU * config.coverage.location_sigma_db, 0.0)


def _loss_db(
    config: Config, device: Device, f_mhz: float, d_km: NDArray[np.float64], *, coastal: bool
) -> NDArray[np.float64]:
    return smaller_path_loss_db(
        d_km,
        f_mhz,
        device.height_m,
        receiver_m=config.coverage.receiver_height_m,
        model=config.propagation.wsd_model,
        coastal=coastal,
        near_slant=config.protection.near_slant,
    )


def _limits_dbm(rule: _Rule, distance_km: NDArray[np.float64], device: Device) -> NDArray[np.float64]:
    """Limits at distances of any shape; infinite beyond reach."""
    reach_km = max(rule.reach_km, device.min_separation_m.value / 1000.0)
    return limits_within(distance_km, reach_km, rule.eirp_dbm)


def _reference_terms(
    reception: ReferenceReception,
    f_mhz: float,
    coupling: tuple[float, Coupling | None],
    tolerated_db: Sequence[float],
    path: tuple[float, float],
) -> tuple[Term, ...]:
    """The terms of a limit by the reference field; ``path``: distance and loss."""
    (d_km, loss_db), (shift_db, floor) = path, coupling
    terms = [
        Term("reference field", reception.field_dbuvm, "dB(uV/m), median at 10 m, 50 % of locations"),
        Term(
            "noise below it", reception.noise_dbuvm - reception.field_dbuvm, "planned for 95 % of locations"
        ),
        Term("permissible level X", tolerated_db[0 if d_km <= NEAR_KM else 1], "relative to the noise"),
        Term("ratio, margin, building loss", -shift_db, "of the default mode at the offset"),
        Term("antenna discrimination", 0.0, "none: the server of an allotment is not known"),
        Term("field to power", power_dbm(0.0, f_mhz), "-77.216 - 20 log f"),
        Term("path loss", loss_db, f"{1000.0 * d_km:.1f} m, between the nearest edges of the pixels"),
    ]
    permissible_dbm = math.fsum(term.value_db for term in terms) + shift_db
    rest_db = float(limits_dbm(np.array([permissible_dbm]), shift_db, floor)[0]) - (
        permissible_dbm - shift_db
    )
    if rest_db != 0.0:
        terms.append(Term("leakage floor", rest_db, "leakage stays as the power falls"))
    return tuple(terms)


# --- places -------------------------------------------------------------------------------------------------


def _distances(
    context: ServiceContext, neighbour: Neighbour, allotments: Sequence[Allotment], reach_km: float
) -> AreaDistances | None:
    """Distances from the allotments or the points of their contours; kept for all devices of a job."""
    kept = cast(dict[object, AreaDistances | None], context.kept.setdefault("allotment_distances", {}))
    rows = tuple((one.area.file, one.area.row) for one in allotments)
    key = neighbour.allotment_rule, rows, reach_km
    if key not in kept:
        kept[key] = _measured(context, neighbour, allotments, reach_km)
    return kept[key]


def _measured(
    context: ServiceContext, neighbour: Neighbour, allotments: Sequence[Allotment], reach_km: float
) -> AreaDistances | None:
    shapes = [one.area.shape for one in allotments]
    if neighbour.allotment_rule == "trigger":
        # The points of the file: what is added to edges for the projection is no point of a contour.
        points = [_on_grid(context, shapely.MultiPoint(shapely.get_coordinates(shape))) for shape in shapes]
        return area_distances(context.grid, points, reach_km)
    own = None if context.config.coverage.protect_spillover else _own_land(context)
    return area_distances(context.grid, project(shapes, context.grid.crs), reach_km, left_out=own)


def _on_grid(context: ServiceContext, points: shapely.MultiPoint) -> shapely.MultiPoint:
    xy_m = context.grid.from_lonlat().transform(*shapely.get_coordinates(points).T)
    return shapely.MultiPoint(np.column_stack(xy_m))


def _own_land(context: ServiceContext) -> NDArray[np.bool_]:
    """Land of the own country: foreign reception on it is not protected."""
    surface = raster.read(context.build / "territory" / "surface.tif").values
    return np.isin(surface, (Surface.HOME, Surface.HOME_BEYOND))


def _facts(one: _Protected, allotment: Allotment, distance_km: float) -> dict[str, object]:
    return {
        "kind": "foreign allotment",
        "id": allotment.id,
        "country": one.country,
        "channel": one.channel,
        "configuration": one.configuration,
        "rule": one.neighbour.allotment_rule,
        "distance_km": round(distance_km, 4),
    }
