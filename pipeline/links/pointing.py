"""What a directional antenna may radiate where a non-directional one is limited (docs/method.md, section 46).

Only limits by DTT reception have a direction here; what else limits, the caps and the least e.i.r.p. hold
unchanged.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pyproj import Proj

from pipeline.budget import total_dbm
from pipeline.config.bonds import DeviceChannel
from pipeline.config.config import Config
from pipeline.dtt.directional_limits import BEARING_SECTORS, SectorLimits, SectorVictim, limits_by_direction
from pipeline.dtt.threshold import explain_threshold
from pipeline.dtt.victims import ExplainedPixel
from pipeline.errors import InputError
from pipeline.quantise import NODATA_CENTI, NOT_EVALUATED
from pipeline.query.results import Run
from pipeline.radio.emission import device_cap_dbm, least_eirp_dbm
from pipeline.reference.limiting_channels import victims_by_offset
from pipeline.services.evaluated import limits_on, prepare_services
from pipeline.studies.explain import context_at, explained_location

# Side lobes are credited with no more than this: installations are not perfect (project choice).
MAX_CREDIT_DB = 15.0
# Foreign reception that is computed is among its limits; border fields and allotments have no direction.
_DTT = "dtt"
_SECTOR_DEG = 360.0 / BEARING_SECTORS
# Attenuations are looked at 0.1 degrees apart: the axis of a narrow beam lies between whole ones.
_STEPS_IN_SECTOR = 51
_Antenna = Callable[[NDArray[np.float64]], NDArray[np.float64]]


class DirectionalLimits(NamedTuple):
    """Limits at a place: by sector of 5 degrees from true north, of everything else, and the least e.i.r.p.

    ``omni_dbm`` what a non-directional device may; NaN: nothing. ``open`` False: pointing changes nothing.
    ``victims`` that limit the sectors; none where what limits has no direction.
    """

    sector_dbm: NDArray[np.float64]
    other_dbm: float
    least_dbm: float
    omni_dbm: float
    open: bool
    victims: tuple[SectorVictim | None, ...] = (None,) * BEARING_SECTORS


def directional_limits(
    run: Run,
    build: Path,
    place_deg: tuple[float, float],
    channel: DeviceChannel,
    device_id: str,
    extra_aclr_db: float = 0.0,
) -> DirectionalLimits:
    """The limits behind a published number by direction; InputError unless ``build`` is that of the run.

    ``extra_aclr_db``: a filter at the output of the device, beside what the run's settings have.
    """
    found = explained_location(run, *place_deg, channel, device_id)
    least_dbm = least_eirp_dbm(found.device)
    none = np.full(BEARING_SECTORS, math.inf)
    if found.config.protection.method != "degradation":
        raise InputError(
            "has no directions",
            field="protection.method",
            value=found.config.protection.method,
            allowed="degradation",
        )
    if found.raw in (NODATA_CENTI, NOT_EVALUATED):
        return DirectionalLimits(none, -math.inf, least_dbm, math.nan, open=False)
    # Whether the intermediates are those of the run is asked for its own settings.
    context = replace(context_at(found, build), config=_filtered(found.config, extra_aclr_db))
    found = found._replace(config=context.config)
    services = prepare_services(context, found.device, found.channel)
    rows, cols = slice(found.row, found.row + 1), slice(found.col, found.col + 1)
    levels = [
        (one.service.name, math.inf if limit is None else float(limit.eirp_dbm.item()))
        for one, (_, limit) in zip(services, limits_on(services, rows, cols), strict=True)
    ]
    dtt_dbm, other_dbm = with_and_without_direction(levels, device_cap_dbm(found.device))
    victims = victims_by_offset(found.config, found.device, found.channel, context.victims)
    asked = ExplainedPixel(
        found.config, build, found.grid, found.device, found.row, found.col, context.terrain_fault
    )
    sectors = limits_by_direction(asked, victims)
    if occupied := explain_threshold(asked, victims):  # what a threshold leaves has no direction
        other_dbm = min(other_dbm, total_dbm(occupied.terms))
    lon_deg, lat_deg = place_deg
    turn_deg = float(Proj(found.grid.crs).get_factors(lon_deg, lat_deg).meridian_convergence)
    sector_dbm, lying = _turned(_as_published(sectors, dtt_dbm), turn_deg)
    limits = DirectionalLimits(sector_dbm, other_dbm, least_dbm, math.nan, open=True, victims=lying)
    return limits._replace(omni_dbm=permitted_on_axis_dbm(limits, np.zeros_like))


def _filtered(config: Config, extra_aclr_db: float) -> Config:
    """Settings for a device with a filter: the maps of the run hold, what they are compared with changes."""
    protection = config.protection
    more = {"extra_aclr_db": protection.extra_aclr_db + extra_aclr_db}
    return config.model_copy(update={"protection": protection.model_copy(update=more)})


def with_and_without_direction(levels: Sequence[tuple[str, float]], cap_dbm: float) -> tuple[float, float]:
    """The least limit by DTT reception, which has directions, and that of all else, by names of services."""
    dtt_dbm = min((level for name, level in levels if name == _DTT), default=math.inf)
    return dtt_dbm, min([cap_dbm, *(level for name, level in levels if name != _DTT)])


def _as_published(sectors: SectorLimits, dtt_dbm: float) -> SectorLimits:
    """The limits with manual adjustments, which have no direction: their least is ``dtt_dbm``."""
    lowest_dbm = float(sectors.level_dbm.min())
    if math.isfinite(dtt_dbm) and math.isfinite(lowest_dbm):
        return sectors._replace(level_dbm=sectors.level_dbm + (dtt_dbm - lowest_dbm))
    return SectorLimits(np.full(BEARING_SECTORS, dtt_dbm), (None,) * BEARING_SECTORS)


def _turned(sectors: SectorLimits, turn_deg: float) -> SectorLimits:
    """Sectors from grid north as sectors from true north: each takes the least of the two that it touches."""
    if turn_deg == 0.0:
        return sectors
    first = (np.arange(BEARING_SECTORS) - math.floor(turn_deg / _SECTOR_DEG)) % BEARING_SECTORS
    second = (first - 1) % BEARING_SECTORS
    found = np.where(sectors.level_dbm[second] < sectors.level_dbm[first], second, first)
    return SectorLimits(sectors.level_dbm[found], tuple(sectors.victims[one] for one in found.tolist()))


def permitted_on_axis_dbm(limits: DirectionalLimits, attenuation_db: _Antenna) -> float:
    """Largest e.i.r.p. on the axis of an antenna with attenuations by bearing, NaN: none.

    min over sectors of limit + the smallest attenuation within the sector, at most ``MAX_CREDIT_DB``;
    rounded down to 0.01 dB.
    """
    if not limits.open:
        return math.nan
    edges = _SECTOR_DEG * np.arange(BEARING_SECTORS)[:, np.newaxis]
    bearings = edges + _SECTOR_DEG * np.linspace(0.0, 1.0, _STEPS_IN_SECTOR)
    credit_db = np.minimum(attenuation_db(bearings).min(axis=1), MAX_CREDIT_DB)
    axis_dbm = min(float((limits.sector_dbm + credit_db).min()), limits.other_dbm)
    if axis_dbm < limits.least_dbm:
        return math.nan
    return math.floor(100.0 * axis_dbm + 1e-6) / 100.0


def best_azimuth_deg(limits: Sequence[DirectionalLimits], attenuation_db: _Antenna) -> tuple[float, float]:
    """Axis in steps of 5 degrees with the largest e.i.r.p. under all limits, and that; the first one.

    ``attenuation_db`` of bearings off the axis; -inf where nothing is permitted.
    """
    found = []
    for step in range(BEARING_SECTORS):
        pointed = _turned_antenna(attenuation_db, _SECTOR_DEG * step)
        level_dbm = float(np.min([permitted_on_axis_dbm(one, pointed) for one in limits]))
        found.append(-math.inf if math.isnan(level_dbm) else level_dbm)
    best = int(np.argmax(found))
    return _SECTOR_DEG * best, found[best]


def _turned_antenna(attenuation_db: _Antenna, axis_deg: float) -> _Antenna:
    def turned(bearing_deg: NDArray[np.float64]) -> NDArray[np.float64]:
        return attenuation_db(bearing_deg - axis_deg)

    return turned


class PointedLevel(NamedTuple):
    """Permitted e.i.r.p. on the axis, what it is more than without pointing, and the limits by direction."""

    level_dbm: float
    gain_db: float
    limits: list[DirectionalLimits]


def permitted_pointing(
    run: Run,
    place_deg: tuple[float, float],
    channel: DeviceChannel,
    devices: Sequence[str],
    attenuation_db: _Antenna,
    extra_aclr_db: float = 0.0,
) -> PointedLevel:
    """The least over the layers that answer for an antenna; NaN where one of them permits nothing."""
    limits = [
        directional_limits(run, run.build, place_deg, channel, device, extra_aclr_db) for device in devices
    ]
    level_dbm = float(np.min([permitted_on_axis_dbm(one, attenuation_db) for one in limits]))
    return PointedLevel(level_dbm, level_dbm - float(np.min([one.omni_dbm for one in limits])), limits)
