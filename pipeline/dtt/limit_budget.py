"""The budget of a DTT limit: the limiting victim of one pixel, found by looking at all, and its terms.

P = m_U + X - c - r + D - 77.216 - 20 log10 f + Lb, or for overload O_th - (G - L_f) - mu sigma + D + Lb
(docs/method.md, section 6). Victims, losses and discrimination are taken again from the coverage rasters, in
the passes in which the maps are made; the maps themselves are not read, so that a budget which gives the
published number checks them too.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from pipeline.budget import Budget, Term
from pipeline.config.protection import Device
from pipeline.dtt.calibration import calibrated_level_db, calibration_db
from pipeline.dtt.channel_files import ChannelFiles, PixelBox, nuisance_bands, read_servers, read_victims
from pipeline.dtt.degradation import permissible_level_db
from pipeline.dtt.device_ground import read_ground
from pipeline.dtt.interference_range import OVERLOAD_MU, permissible_levels_of
from pipeline.dtt.limits import (
    LimitBand,
    ProtectionJob,
    bands_of,
    discrimination_of,
    geometries,
    label_of,
    losses_of,
    make_job,
    passes,
    shift_db,
)
from pipeline.dtt.min_plus_search import limiting_victim
from pipeline.dtt.path_classes import PixelClasses, prepared
from pipeline.dtt.path_ground import PathGround, facts_of, note_of, path_ground
from pipeline.dtt.path_losses import PathLosses
from pipeline.dtt.protection_maps import reach_px
from pipeline.dtt.separation import explain_separation
from pipeline.dtt.threshold import explain_threshold
from pipeline.dtt.victim_tree import offset_tables
from pipeline.dtt.victims import ExplainedPixel, VictimKind, VictimMaps
from pipeline.grid import raster
from pipeline.grid.grid import GEOD, Grid
from pipeline.propagation.homogeneous import offset_distance_km
from pipeline.radio.antennas import bt419, directivity_db
from pipeline.radio.channel_plan import Offset, receiver_band
from pipeline.reference.ratio_tables import read_protection_tables
from pipeline.reference.ratios import (
    Group,
    RatioParts,
    building_loss_db,
    effective_ratio_db,
    group_name,
    load_of,
    overload_dbm,
    overload_row,
    ratio_parts,
)
from pipeline.units import DIPOLE_GAIN_DBI, FIELD_TO_POWER_DB

# Levels are stored as float32: three sums of some 100 dB are right to a few units of 1e-5 dB.
_ROUNDING_MAX_DB = 2e-4
_LEVELS = ("wanted_dbuvm", "nuisance_dbuvm", "nuisance_sigma_db", "azimuth_deg", "probability")


class LimitingVictim(NamedTuple):
    """The victim that limits one map at one pixel.

    ``offset`` of the device from the job's channel; ``group`` None = overload; ``near`` up to 80 m; (``row``,
    ``col``) of the victim on the padded grid; ``permissible_dbm`` value of the map, ``eirp_dbm`` less the
    shift.
    """

    job: ProtectionJob
    offset: Offset
    group: Group | None
    label: int
    kind: VictimKind
    near: bool
    row: int
    col: int
    permissible_dbm: float
    eirp_dbm: float

    @property
    def sigma_db(self) -> float:
        """Standard deviation of the device's field at its distance."""
        settings = self.job.config.protection
        return settings.near_sigma_db if self.near else settings.far_sigma_db


class _Reception(NamedTuple):
    """Coverage at the victim: its best server as the job lists it, levels, location probability."""

    server: dict[str, Any]
    wanted_dbuvm: float
    nuisance_dbuvm: float
    nuisance_sigma_db: float
    azimuth_deg: float
    probability: float


class _Link(NamedTuple):
    """From the device's pixel to the victim's: ``distance_km`` counts, the others say why."""

    distance_km: float
    adjacent: bool
    directed_db: float
    directed_note: str
    ground: PathGround


def explain(asked: ExplainedPixel, victims: Sequence[tuple[int, Offset]]) -> Budget | None:
    """Budget of the strictest victim among DTT channels and their offsets; None where no victim limits."""
    method = asked.config.protection.method
    if method == "threshold":
        return explain_threshold(asked, victims)
    if method == "separation":
        return explain_separation(asked, victims)
    found = [one for channel, offset in victims for one in _limiting_victims(asked, channel, offset)]
    strictest = min(found, key=lambda one: one.eirp_dbm, default=None)
    return None if strictest is None else _budget(asked, strictest)


# --- the limiting victim ------------------------------------------------------------------------------------


def _job(asked: ExplainedPixel, channel: int) -> ProtectionJob:
    """The job that the job protect has for this channel and the device's geometry."""
    config = asked.config
    (devices,) = [group for group in geometries(config.devices) if asked.device in group]
    servers = read_servers(ChannelFiles(asked.build, channel).coverage("_servers.json"))
    return make_job(config, channel, devices, read_protection_tables(config.protection), servers)


def _limiting_victims(asked: ExplainedPixel, channel: int, offset: Offset) -> Iterator[LimitingVictim]:
    """For each map of one victim channel the victim that limits the pixel, if any does."""
    job = _job(asked, channel)
    if not job.groups:
        return
    files = ChannelFiles(asked.build, channel)
    box = _box_around(asked, reach_px(job, files, asked.grid))
    victims = read_victims(job, files, box)
    surface = raster.read(files.territory("surface")).values
    classes = read_ground(job.config, asked.build, job.devices[0], surface, asked.grid, box)
    losses = losses_of(job, victims, asked.grid, classes)
    groups = {group_name(group): group for tiers in job.groups for group in tiers}
    for band in bands_of(job):
        group = groups.get(band.name)
        more_db = shift_db(band.name, group, job.tables, asked.device, offset)
        if not math.isnan(more_db):
            place = asked.row - box.rows.start, asked.col - box.cols.start
            found = _strictest(job, victims, band, losses, classes.ground, place)
            if found is not None:
                permissible_dbm, near, kind, y, x = found
                yield LimitingVictim(
                    job,
                    offset,
                    group,
                    int(label_of(kind, band)),
                    kind,
                    near,
                    box.rows.start + y,
                    box.cols.start + x,
                    permissible_dbm,
                    permissible_dbm - more_db,
                )


def _box_around(asked: ExplainedPixel, reach_px: int) -> PixelBox:
    row, col, grid = asked.row, asked.col, asked.grid
    return PixelBox(
        slice(max(row - reach_px, 0), min(row + reach_px + 1, grid.height)),
        slice(max(col - reach_px, 0), min(col + reach_px + 1, grid.width)),
    )


def _strictest(
    job: ProtectionJob,
    victims: VictimMaps,
    band: LimitBand,
    losses: dict[bool, PathLosses],
    ground: PixelClasses,
    place: tuple[int, int],
) -> tuple[float, bool, VictimKind, int, int] | None:
    """Smallest value of one map at a place of the box: level, up to 80 m, kind, place of its victim."""
    ant = bt419(discrimination_of(job))
    best_dbm, best = np.float32(band.unconstrained_dbm), None
    for one in passes(job, victims, band, losses):
        tables = offset_tables(one.loss_db, 1)
        paths = prepared(one.paths, tables.origin) if one.paths.used else one.paths
        level_dbm, y, x = limiting_victim(
            one.permissible_dbm, victims.azimuth_deg, ant, tables, paths, ground, *place
        )
        if level_dbm < best_dbm:
            best_dbm, best = level_dbm, (float(level_dbm), one.near, one.kind, y, x)
    return best


# --- terms --------------------------------------------------------------------------------------------------


def _budget(asked: ExplainedPixel, victim: LimitingVictim) -> Budget:
    """Facts and terms of the limiting victim."""
    reception = _read_reception(asked, victim)
    link = _link_of(asked, victim, reception)
    first = (
        _overload_terms(asked, victim) if victim.group is None else _wanted_terms(asked, victim, reception)
    )
    terms = [*first, *_device_terms(asked.device), *_path_terms(link)]
    return Budget(
        _facts(asked, victim, reception, link), _with_rounding(terms, victim.eirp_dbm), victim.label
    )


def _read_reception(asked: ExplainedPixel, victim: LimitingVictim) -> _Reception:
    """The coverage rasters at the victim's pixel."""
    files = ChannelFiles(asked.build, victim.job.channel)
    rows, cols = _pixel(victim.row, victim.col)
    levels = raster.read(files.coverage(".tif"), rows=rows, cols=cols, bands=_LEVELS).values.ravel()
    levels[1:3] = _deciding_nuisance(asked, victim, float(levels[0]), rows, cols)
    number = raster.read(files.coverage("_class.tif"), rows=rows, cols=cols, bands=["server"]).values.item()
    content = json.loads(files.coverage("_servers.json").read_text(encoding="utf-8"))
    return _Reception(content["transmitters"][number - 1], *map(float, levels))


def _deciding_nuisance(
    asked: ExplainedPixel, victim: LimitingVictim, wanted_dbuvm: float, rows: slice, cols: slice
) -> list[float]:
    """Nuisance and its spread at the percentage of time that permits less."""
    path = ChannelFiles(asked.build, victim.job.channel).coverage(".tif")
    levels = permissible_levels_of(victim.job.config, asked.device)[0 if victim.near else 1]
    found: list[list[float]] = [
        raster.read(path, rows=rows, cols=cols, bands=pair).values.ravel().tolist()
        for pair in nuisance_bands(victim.job.config)
    ]
    return min(found, key=lambda u: u[0] + calibrated_level_db(levels, wanted_dbuvm - u[0], u[1]))


def _pixel(row: int, col: int) -> tuple[slice, slice]:
    return slice(row, row + 1), slice(col, col + 1)


def _link_of(asked: ExplainedPixel, victim: LimitingVictim, reception: _Reception) -> _Link:
    """Distance between the squares, discrimination and loss, each in float64."""
    device, grid = asked.device, asked.grid
    dy, dx = abs(asked.row - victim.row), abs(asked.col - victim.col)
    size, separation_m = max(dy, dx) + 1, device.min_separation_m.value
    distance_km = float(
        offset_distance_km(size, grid.resolution_m, grid.largest_scale(), separation_m)[dy, dx]
    )
    place, f_mhz = (victim.row, victim.col), victim.job.f_mhz
    ground = path_ground(asked, place, f_mhz, distance_km, coastal=victim.kind.coastal)
    adjacent = max(dy, dx) <= 1
    directed_db, note = _discrimination(asked, victim, reception, adjacent)
    return _Link(distance_km, adjacent, directed_db, note, ground)


def _discrimination(
    asked: ExplainedPixel, victim: LimitingVictim, reception: _Reception, adjacent: bool
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


def _wanted_terms(asked: ExplainedPixel, victim: LimitingVictim, reception: _Reception) -> list[Term]:
    """Terms of m_U + X - c - 77.216 - 20 log10 f - r."""
    job, device = victim.job, asked.device
    levels = permissible_levels_of(job.config, device)[0 if victim.near else 1]
    margin_db = reception.wanted_dbuvm - reception.nuisance_dbuvm
    permissible_db = float(permissible_level_db(levels.table, margin_db, reception.nuisance_sigma_db))
    taken_db = float(calibration_db(levels.calibration, margin_db, reception.nuisance_sigma_db))
    return [
        Term(
            "nuisance field",
            reception.nuisance_dbuvm,
            f"median, dB(uV/m); standard deviation {reception.nuisance_sigma_db:.2f} dB",
        ),
        Term(
            "permissible interfering level",
            permissible_db,
            f"over the nuisance field, for dq {device.dq_pct:g} %: margin {margin_db:.2f} dB, "
            f"sigma {victim.sigma_db:g} dB",
        ),
        Term(
            "calibration of the nuisance sum",
            -taken_db,
            f"c for sigma_U {reception.nuisance_sigma_db:.4f} dB, q1 {reception.probability:.6f}",
        ),
        Term("field to power", -FIELD_TO_POWER_DB, "dBm at 0 dBi and 1 MHz from dB(uV/m)"),
        Term("frequency", -20.0 * math.log10(job.f_mhz), f"-20 log10 of {job.f_mhz:g} MHz"),
        *_ratio_terms(job, device, victim),
    ]


def _ratio_terms(job: ProtectionJob, device: Device, victim: LimitingVictim) -> list[Term]:
    """The protection ratio over the slices of the emission: C/N, receiver and leakage, level, load."""
    assert victim.group is not None
    group, offset = victim.group, victim.offset
    load = load_of(job.tables, device)

    def parts_at(k: int) -> RatioParts:
        return ratio_parts(job.tables, group, device.emission_class, k, width_mhz=offset.width_mhz, load=load)

    parts = [(piece, parts_at(piece.k)) for piece in offset.slices]
    told = "slice " + "; ".join(_slice_told(piece.k, piece.share, found) for piece, found in parts)
    ratio = effective_ratio_db(
        job.tables, group, device.emission_class, offset.slices, width_mhz=offset.width_mhz, load=load
    )
    (_, first), several = parts[0], len(parts) > 1
    c_n_db = job.tables.modes[group.system, group.mode].c_n_db if several else first.c_n_db
    raised_db = 0.0 if several else first.tier_db + first.idle_db
    if math.isnan(c_n_db):
        terms = [Term("protection ratio", raised_db - ratio, f"from the table, {told}")]
    else:
        terms = [Term("carrier to noise", -c_n_db, "C/N of the wanted mode")]
        if several or not math.isnan(first.acs_db):
            note = f"{told}; r_eff {ratio:.4f} dB"
            terms.append(Term("selectivity and leakage", c_n_db + raised_db - ratio, note))
    if raised_db != 0.0:
        terms.append(Term("wanted-level tier", -first.tier_db, "t, on the protection ratio"))
        terms.append(Term("idle load", -first.idle_db, "a, on the protection ratio"))
    return terms


def _slice_told(k: int, share: float, parts: RatioParts) -> str:
    """One slice in words: share of the power, r(k), what it is made of, the row of the table."""
    told = [f"{k:+d}: share {share:.6f}, r {parts.ratio_db:.4f} dB"]
    if not math.isnan(parts.acs_db):
        told.append(f"ACS {parts.acs_db:.2f} dB with ACLR {parts.aclr_db:.2f} dB")
    if parts.tier_db or parts.idle_db:
        told.append(f"t {parts.tier_db:.4f} dB, a {parts.idle_db:.4f} dB")
    if parts.row is not None:
        row = parts.row
        verified = "verified" if row.verified else "not verified"
        told.append(f"row {row.row} for {row.offset:+d}, {row.load}, {verified}")
    return ", ".join(told)


def _overload_terms(asked: ExplainedPixel, victim: LimitingVictim) -> list[Term]:
    """Terms of O_th - o - (G - L_f) - mu sigma."""
    job, slices, sigma_db = victim.job, victim.offset.slices, victim.sigma_db
    band = receiver_band(job.config.coverage, job.f_mhz)
    emission_class, load = asked.device.emission_class, load_of(job.tables, asked.device)
    threshold_dbm = overload_dbm(job.tables, emission_class, slices, load)
    strictest = min(slices, key=lambda part: overload_dbm(job.tables, emission_class, [part], load))
    row = overload_row(job.tables, emission_class, strictest.k, load)
    assert row is not None
    verified = "verified" if row.verified else "not verified"
    return [
        Term("overload threshold", row.value, f"dBm at the receiver, slice {strictest.k:+d}, {verified}"),
        Term("idle load", threshold_dbm - row.value, "idle devices overload earlier"),
        Term("antenna gain", -(band.gain_dbd + DIPOLE_GAIN_DBI), "dBi of the receiving antenna"),
        Term("feeder loss", band.feeder_db, "between antenna and receiver"),
        Term("location margin", -OVERLOAD_MU * sigma_db, f"{OVERLOAD_MU:g} of {sigma_db:g} dB"),
    ]


def _device_terms(device: Device) -> list[Term]:
    return [
        Term("multiple-interference margin", -device.margin_db, "at one point"),
        Term("building loss", building_loss_db(device), "building entry loss of an indoor device"),
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


def _with_rounding(terms: list[Term], eirp_dbm: float) -> tuple[Term, ...]:
    """The terms and what single precision took off their sum; ArithmeticError if that is more than it can."""
    rounding_db = eirp_dbm - math.fsum(term.value_db for term in terms)
    if not abs(rounding_db) <= _ROUNDING_MAX_DB:
        raise ArithmeticError(f"the budget misses the limit by {rounding_db:g} dB")
    return (*terms, Term("single precision", rounding_db, "levels and losses are rounded down"))


def _facts(
    asked: ExplainedPixel, victim: LimitingVictim, reception: _Reception, link: _Link
) -> dict[str, object]:
    """Where the victim is located, seen from the device, and what it receives."""
    device_deg = _lonlat_deg(asked.grid, asked.row, asked.col)
    victim_deg = _lonlat_deg(asked.grid, victim.row, victim.col)
    azimuth_deg, _, length_m = GEOD.inv(*device_deg, *victim_deg)
    return {
        "kind": "foreign reception" if victim.kind.foreign else "reception",
        "channel": victim.job.channel,
        "offset": victim.offset.number,
        "slices": {f"{part.k:+d}": round(part.share, 6) for part in victim.offset.slices},
        "row": victim.row,
        "col": victim.col,
        "lon": round(victim_deg[0], 6),
        "lat": round(victim_deg[1], 6),
        "distance_km": round(link.distance_km, 4),
        "between_centres_km": round(length_m / 1000.0, 4),
        "azimuth_deg": round(azimuth_deg % 360.0, 2) if length_m > 0.0 else None,
        "group": "overload" if victim.group is None else group_name(victim.group),
        "coastal": victim.kind.coastal,
        **facts_of(link.ground),
        "antenna_azimuth_deg": round(reception.azimuth_deg, 2),
        "wanted_dbuvm": round(reception.wanted_dbuvm, 2),
        "location_probability": round(reception.probability, 4),
        "station": reception.server,
    }


def _lonlat_deg(grid: Grid, row: int, col: int) -> tuple[float, float]:
    lon_deg, lat_deg = grid.lonlat_deg(*_pixel(row, col))
    return float(lon_deg.item()), float(lat_deg.item())
