"""The budget of a DTT limit: the limiting victim of one pixel, found by looking at all, and its terms.

P = m_U + X - c - r + D - 77.216 - 20 log10 f + Lb, or for overload O_th - (G - L_f) - mu sigma + D + Lb
(docs/method.md, section 6). Victims, losses and discrimination are taken again from the coverage rasters, in
the passes in which the maps are made; the maps themselves are not read, so that a budget which gives the
published number checks them too.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from pipeline.budget import NEXT_LIMITS, Budget, Term, strictest
from pipeline.config.protection import Device
from pipeline.dtt.channel_files import ChannelFiles, read_servers, read_victims
from pipeline.dtt.device_ground import GroundPlaces, ground_places, read_ground
from pipeline.dtt.leakage_floor import floor_coupling, limits_dbm
from pipeline.dtt.level_terms import (
    LimitingVictim,
    Reception,
    level_facts,
    overload_terms,
    pixel_of,
    read_reception,
    wanted_terms,
)
from pipeline.dtt.limiting_victims import MapSearch, map_search, strictest_victim
from pipeline.dtt.limits import (
    LimitBand,
    ProtectionJob,
    bands_of,
    discrimination_of,
    geometries,
    label_of,
    losses_of,
    make_job,
    shift_db,
)
from pipeline.dtt.path_ground import PathGround, facts_of, note_of, path_ground
from pipeline.dtt.protection_maps import reach_px
from pipeline.dtt.separation import explain_separation
from pipeline.dtt.station_facts import station_facts
from pipeline.dtt.threshold import explain_threshold
from pipeline.dtt.victims import ExplainedPixel
from pipeline.grid import raster
from pipeline.grid.boxes import PixelBox
from pipeline.grid.grid import GEOD, Grid
from pipeline.propagation.homogeneous import offset_distance_km
from pipeline.radio.antennas import directivity_db
from pipeline.radio.channel_plan import Offset
from pipeline.reference.limiting_channels import offsets_notice
from pipeline.reference.ratio_tables import read_protection_tables
from pipeline.reference.ratios import Group, building_loss_db, group_name

# Levels are stored as float32: three sums of some 100 dB are right to a few units of 1e-5 dB.
_ROUNDING_MAX_DB = 2e-4


class _Link(NamedTuple):
    """From the device's pixel to the victim's: ``distance_km`` counts, the others say why."""

    distance_km: float
    adjacent: bool
    directed_db: float
    directed_note: str
    ground: PathGround


def explain(asked: ExplainedPixel, victims: Sequence[tuple[int, Offset]]) -> Budget | None:
    """Budget of the strictest victim among DTT channels and their offsets, and of the next ones.

    One for each map of a channel: its receivers of a mode and level, and their overload. None where no victim
    limits.
    """
    method = asked.config.protection.method
    if method == "threshold":
        return explain_threshold(asked, victims)
    if method == "separation":
        return explain_separation(asked, victims)
    places = places_of(asked)
    found = [one for channel, offset in victims for one in _limiting_victims(asked, places, channel, offset)]
    ascending = sorted(found, key=lambda one: one.eirp_dbm + one.floor_db)[: 1 + NEXT_LIMITS]
    # Stations may be protected by a threshold of their own.
    occupied = explain_threshold(asked, victims)
    taken = (occupied._replace(others=()), *occupied.others) if occupied else ()
    return strictest([*taken, *(_budget(asked, places, one) for one in ascending)])


# --- the limiting victim ------------------------------------------------------------------------------------


def _job(asked: ExplainedPixel, channel: int) -> ProtectionJob:
    """The job that the job protect has for this channel and the device's geometry."""
    config = asked.config
    (devices,) = [group for group in geometries(config.devices) if asked.device in group]
    servers = read_servers(ChannelFiles(asked.build, channel).coverage("_servers.json"))
    return make_job(config, channel, devices, read_protection_tables(config.protection), servers)


class VictimSearch(NamedTuple):
    """The search of one map of a DTT channel around a pixel: ``place`` (row, col) of it in the ``box``.

    ``more_db``: what the limit is lower than what the map holds.
    """

    job: ProtectionJob
    group: Group | None
    band: LimitBand
    search: MapSearch
    place: tuple[int, int]
    box: PixelBox
    more_db: float


def places_of(asked: ExplainedPixel) -> GroundPlaces:
    """What the searches of all channels around a pixel share; of everything else they read a window."""
    surface = raster.read(asked.build / "territory" / "surface.tif").values
    return ground_places(asked.config, asked.build, surface)


def victim_searches(
    asked: ExplainedPixel, places: GroundPlaces, channel: int, offset: Offset
) -> Iterator[VictimSearch]:
    """The searches of all maps of one victim channel that could limit the pixel; of ``places_of`` it."""
    job = _job(asked, channel)
    if not job.groups:
        return
    files = ChannelFiles(asked.build, channel)
    box = _box_around(asked, reach_px(job, files, asked.grid))
    victims = read_victims(job, files, box)
    classes = read_ground(job.config, asked.build, job.devices[0], places, box)
    losses = losses_of(job, victims, asked.grid, classes)
    groups = {group_name(group): group for tiers in job.groups for group in tiers}
    place = asked.row - box.rows.start, asked.col - box.cols.start
    for band in bands_of(job):
        group = groups.get(band.name)
        more_db = shift_db(band.name, group, job.tables, asked.device, offset)
        if not math.isnan(more_db):
            search = map_search(job, victims, band, losses, classes.ground)
            yield VictimSearch(job, group, band, search, place, box, more_db)


def _limiting_victims(
    asked: ExplainedPixel, places: GroundPlaces, channel: int, offset: Offset
) -> Iterator[LimitingVictim]:
    """For each map of one victim channel the victim that limits the pixel, if any does."""
    for one in victim_searches(asked, places, channel, offset):
        found = strictest_victim(one.search, one.place)
        if found is not None:
            permissible_dbm, near, kind, y, x, _ = found
            yield LimitingVictim(
                one.job,
                offset,
                one.group,
                int(label_of(kind, one.band)),
                kind,
                near,
                one.box.rows.start + y,
                one.box.cols.start + x,
                permissible_dbm,
                permissible_dbm - one.more_db,
                floor_db(one, asked.device, offset, permissible_dbm),
            )


def floor_db(one: VictimSearch, device: Device, offset: Offset, permissible_dbm: float) -> float:
    """What the floor of the leakage takes off the limit of one group; -inf where it leaves none."""
    if one.group is None:
        return 0.0
    job = one.job
    floor = floor_coupling(job.config, job.channel, one.group, job.tables, device, offset)
    level_dbm = limits_dbm(np.array([permissible_dbm]), one.more_db, floor)
    return float(level_dbm[0] - (permissible_dbm - one.more_db))


def _box_around(asked: ExplainedPixel, reach_px: int) -> PixelBox:
    row, col, grid = asked.row, asked.col, asked.grid
    return PixelBox(
        slice(max(row - reach_px, 0), min(row + reach_px + 1, grid.height)),
        slice(max(col - reach_px, 0), min(col + reach_px + 1, grid.width)),
    )


# --- terms --------------------------------------------------------------------------------------------------


def _budget(asked: ExplainedPixel, places: GroundPlaces, victim: LimitingVictim) -> Budget:
    """Facts and terms of the limiting victim."""
    reception = read_reception(asked, victim)
    link = _link_of(asked, places, victim, reception)
    first = overload_terms(asked, victim) if victim.group is None else wanted_terms(asked, victim, reception)
    terms = [*first, *_device_terms(asked.device), *_path_terms(link)]
    terms = _with_rounding(terms, victim.eirp_dbm)
    if victim.floor_db != 0.0:
        note = "leakage stays as the power falls; -inf: more than is tolerated at any power"
        terms.append(Term("leakage floor", victim.floor_db, note))
    return Budget(_facts(asked, victim, reception, link), tuple(terms), victim.label)


def _link_of(
    asked: ExplainedPixel, places: GroundPlaces, victim: LimitingVictim, reception: Reception
) -> _Link:
    """Distance between the squares, discrimination and loss, each in float64."""
    device, grid = asked.device, asked.grid
    dy, dx = abs(asked.row - victim.row), abs(asked.col - victim.col)
    size, separation_m = max(dy, dx) + 1, device.min_separation_m.value
    distance_km = float(
        offset_distance_km(size, grid.resolution_m, grid.largest_scale(), separation_m)[dy, dx]
    )
    place, f_mhz = (victim.row, victim.col), victim.job.f_mhz
    ground = path_ground(asked, places, place, f_mhz, distance_km, coastal=victim.kind.coastal)
    adjacent = max(dy, dx) <= 1
    directed_db, note = _discrimination(asked, victim, reception, adjacent)
    return _Link(distance_km, adjacent, directed_db, note, ground)


def _discrimination(
    asked: ExplainedPixel, victim: LimitingVictim, reception: Reception, adjacent: bool
) -> tuple[float, str]:
    """D in dB and how it came about (Rec. ITU-R BT.419-3)."""
    if adjacent:
        return 0.0, "none: the pixels touch"
    if victim.kind.orthogonal:
        return victim.job.config.coverage.cross_polar_db, "orthogonal polarisation"
    if reception.server["polarisation"] not in ("H", "V"):
        return 0.0, "none: polarisation of the wanted signal is mixed or unknown"
    direction_deg = math.degrees(math.atan2(asked.col - victim.col, victim.row - asked.row)) % 360.0
    angle_deg = abs((reception.azimuth_deg - direction_deg + 180.0) % 360.0 - 180.0)
    directed_db = directivity_db(angle_deg, *discrimination_of(victim.job))
    return directed_db, f"device {angle_deg:.1f} deg off the antenna's direction"


def _device_terms(device: Device) -> list[Term]:
    loss_db, indoor = building_loss_db(device), device.indoor
    note = "building entry loss of an indoor device"
    if loss_db and indoor is not None and indoor.building_loss_db is not None and indoor.building is not None:
        note += f": {indoor.building_loss_db.source}"
    return [
        Term("multiple-interference margin", -device.margin_db, "at one point"),
        Term("building loss", loss_db, note),
    ]


def _path_terms(link: _Link) -> list[Term]:
    length_m = 1000.0 * link.distance_km
    between = "the smallest separation" if link.adjacent else "between the nearest edges of the pixels"
    terms = [
        Term("antenna discrimination", link.directed_db, link.directed_note),
        Term("path loss", link.ground.loss_db, f"{length_m:.1f} m, {between}; {note_of(link.ground)}"),
    ]
    if link.ground.step_db != 0.0:
        terms.append(Term("step of distance", link.ground.step_db, "the smallest loss within 0.2 % counts"))
    return terms


def _with_rounding(terms: list[Term], eirp_dbm: float) -> list[Term]:
    """The terms and what single precision took off their sum; ArithmeticError if that is more than it can."""
    rounding_db = eirp_dbm - math.fsum(term.value_db for term in terms)
    if not abs(rounding_db) <= _ROUNDING_MAX_DB:
        raise ArithmeticError(f"the budget misses the limit by {rounding_db:g} dB")
    return [*terms, Term("single precision", rounding_db, "levels and losses are rounded down")]


def _facts(
    asked: ExplainedPixel, victim: LimitingVictim, reception: Reception, link: _Link
) -> dict[str, object]:
    """Where the victim is located, seen from the device, and what it receives."""
    device_deg = _lonlat_deg(asked.grid, asked.row, asked.col)
    victim_deg = _lonlat_deg(asked.grid, victim.row, victim.col)
    azimuth_deg, _, length_m = GEOD.inv(*device_deg, *victim_deg)
    return {
        "kind": "foreign reception" if victim.kind.foreign else "reception",
        "channel": victim.job.channel,
        "offset": victim.offset.number,
        "not_evaluated_offsets": offsets_notice(victim.job.config) or "",
        "slices": {f"{part.k:+d}": round(part.share, 6) for part in victim.offset.slices},
        "row": victim.row,
        "col": victim.col,
        "lon": round(victim_deg[0], 6),
        "lat": round(victim_deg[1], 6),
        "distance_km": round(link.distance_km, 4),
        "between_centres_km": round(length_m / 1000.0, 4),
        "azimuth_deg": round(azimuth_deg % 360.0, 2) if length_m > 0.0 else 0.0,
        "group": "overload" if victim.group is None else group_name(victim.group),
        "coastal": victim.kind.coastal,
        **facts_of(link.ground),
        "antenna_azimuth_deg": round(reception.azimuth_deg, 2),
        "wanted_dbuvm": round(reception.wanted_dbuvm, 2),
        "location_probability": round(reception.probability, 4),
        **level_facts(asked, victim, reception),
        **station_facts(asked, victim.job.channel, reception.server, victim.row, victim.col),
    }


def _lonlat_deg(grid: Grid, row: int, col: int) -> tuple[float, float]:
    lon_deg, lat_deg = grid.lonlat_deg(*pixel_of(row, col))
    return float(lon_deg.item()), float(lat_deg.item())
