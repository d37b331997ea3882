"""The addends of a DTT limit, and what there is to tell about its victim."""

from __future__ import annotations

import json
import math
from typing import Any, NamedTuple

import numpy as np

from pipeline.config.protection import Device
from pipeline.dtt.degradation import allowed_nuisance_db
from pipeline.dtt.interference_range import OVERLOAD_MU, allowed_nuisance_of
from pipeline.dtt.limits import Job
from pipeline.dtt.protection_maps import Files
from pipeline.dtt.victims import Kind
from pipeline.grid import raster
from pipeline.grid.grid import GEOD, Grid
from pipeline.propagation.homogeneous import offset_distance_km, smaller_path_loss_db
from pipeline.radio.antennas import directivity_db
from pipeline.radio.channel_plan import Offset, receiver_band
from pipeline.reference.ratios import Group, building_loss_db, group_name, overload_dbm, ratio_db, ratio_parts
from pipeline.services.base import ServiceContext, Term
from pipeline.units import DIPOLE_GAIN_DBI, FIELD_TO_POWER_DB

# Levels are stored as float32: three sums of some 100 dB are right to a few units of 1e-5 dB.
ROUNDING_MAX_DB = 2e-4
LEVELS = ("wanted_dbuvm", "nuisance_dbuvm", "nuisance_sigma_db", "azimuth_deg", "probability")


class Decision(NamedTuple):
    """The victim that decides one map at one pixel.

    ``offset`` of the device from ``channel``; ``group`` None = overload; ``near`` up to 80 m; (``row``,
    ``col``) of the victim on the padded grid; ``stored_dbm`` value of the map, ``limit_dbm`` less the shift.
    """

    channel: int
    offset: Offset
    group: Group | None
    kind: Kind
    near: bool
    row: int
    col: int
    stored_dbm: float
    limit_dbm: float


class Victim(NamedTuple):
    """Coverage at the victim: its best server as the stage lists it, levels, location probability."""

    server: dict[str, Any]
    wanted_dbuvm: float
    nuisance_dbuvm: float
    nuisance_sigma_db: float
    azimuth_deg: float
    probability: float


class Link(NamedTuple):
    """From the device's pixel to the victim's: ``distance_km`` counts, the others say why."""

    distance_km: float
    touching: bool
    directed_db: float
    directed_note: str
    loss_db: float


def read_victim(files: Files, decision: Decision) -> Victim:
    """The coverage rasters at the victim's pixel."""
    rows, cols = pixel(decision.row, decision.col)
    levels = raster.read(files.coverage(".tif"), rows=rows, cols=cols, bands=LEVELS).values.ravel()
    number = raster.read(files.coverage("_class.tif"), rows=rows, cols=cols, bands=["server"]).values.item()
    content = json.loads(files.coverage("_servers.json").read_text(encoding="utf-8"))
    return Victim(content["transmitters"][number - 1], *map(float, levels))


def pixel(row: int, col: int) -> tuple[slice, slice]:
    """The window of one pixel."""
    return slice(row, row + 1), slice(col, col + 1)


def link_of(
    context: ServiceContext, job: Job, device: Device, decision: Decision, victim: Victim, row: int, col: int
) -> Link:
    """Distance between the squares, discrimination and loss, each in float64."""
    dy, dx = abs(row - decision.row), abs(col - decision.col)
    distance_km = offset_distance_km(
        max(dy, dx) + 1,
        context.grid.resolution_m,
        context.grid.largest_scale(),
        device.min_separation_m.value,
    )[dy, dx]
    loss_db = smaller_path_loss_db(
        np.array([distance_km]),
        job.f_mhz,
        device.height_m,
        receiver_m=job.config.coverage.receiver_height_m,
        model=job.config.propagation.wsd_model,
        coastal=decision.kind.coastal,
    )
    touching = max(dy, dx) <= 1
    directed_db, note = _discrimination(job, decision, victim, touching, row, col)
    return Link(float(distance_km), touching, directed_db, note, float(loss_db[0]))


def _discrimination(
    job: Job, decision: Decision, victim: Victim, touching: bool, row: int, col: int
) -> tuple[float, str]:
    """D in dB and how it came about (ITU-R BT.419-3)."""
    if touching:
        return 0.0, "none: the pixels touch"
    if decision.kind.orthogonal:
        return job.config.coverage.cross_polar_db, "orthogonal polarisation"
    if victim.server["polarisation"] not in ("H", "V"):
        return 0.0, "none: polarisation of the wanted signal is mixed or unknown"
    band = receiver_band(job.config.coverage, job.f_mhz)
    direction_deg = math.degrees(math.atan2(col - decision.col, decision.row - row)) % 360.0
    angle_deg = abs((victim.azimuth_deg - direction_deg + 180.0) % 360.0 - 180.0)
    directed_db = directivity_db(angle_deg, band.flat_deg, band.end_deg, band.discrimination_db)
    return directed_db, f"device {angle_deg:.1f} deg off the antenna's direction"


def wanted_terms(job: Job, device: Device, decision: Decision, victim: Victim, link: Link) -> list[Term]:
    """Terms of m_U + X - 77.216 - 20 log10 f - r + D + Lb."""
    table = allowed_nuisance_of(job.config, device)[0 if decision.near else 1]
    margin_db = victim.wanted_dbuvm - victim.nuisance_dbuvm
    allowed_db = float(allowed_nuisance_db(table, margin_db, victim.nuisance_sigma_db))
    settings = job.config.protection
    sigma_db = settings.near_sigma_db if decision.near else settings.far_sigma_db
    return [
        Term(
            "nuisance field",
            victim.nuisance_dbuvm,
            f"median, dB(uV/m); standard deviation {victim.nuisance_sigma_db:.2f} dB",
        ),
        Term(
            "allowed nuisance",
            allowed_db,
            f"one more interferer for dq {device.dq_pct:g} %: margin {margin_db:.2f} dB, "
            f"sigma {sigma_db:g} dB",
        ),
        Term("field to power", -FIELD_TO_POWER_DB, "dBm at 0 dBi and 1 MHz from dB(uV/m)"),
        Term("frequency", -20.0 * math.log10(job.f_mhz), f"-20 log10 of {job.f_mhz:g} MHz"),
        *_ratio_terms(job, device, decision),
        Term("burst penalty", -device.burst_penalty_db.value, "on the protection ratio"),
        *_device_terms(device),
        *_path_terms(link),
    ]


def _ratio_terms(job: Job, device: Device, decision: Decision) -> list[Term]:
    """The protection ratio, as far as it was put together from parts."""
    assert decision.group is not None
    group, offset, emission_class = decision.group, decision.offset, device.emission_class
    parts = ratio_parts(job.tables, group, emission_class, offset.number, width_mhz=offset.width_mhz)
    if math.isnan(parts.c_n_db):
        terms = [Term("protection ratio", -parts.ratio_db, f"offset {offset.number:+d}, from the table")]
    else:
        terms = [Term("carrier to noise", -parts.c_n_db, "C/N of the wanted mode")]
    if not math.isnan(parts.acs_db):
        note = f"offset {offset.number:+d}: ACS {parts.acs_db:.2f} dB with ACLR {parts.aclr_db:.2f} dB"
        terms.append(Term("selectivity and leakage", parts.c_n_db - parts.ratio_db, note))
    if offset.number == 0 and offset.share < 1.0:
        ratio = ratio_db(
            job.tables, group, emission_class, 0, width_mhz=offset.width_mhz, fraction=offset.share
        )
        note = f"{100.0 * offset.share:.1f} % of the device's power inside the channel"
        terms.append(Term("partial overlap", parts.ratio_db - ratio, note))
    return terms


def overload_terms(job: Job, device: Device, decision: Decision, victim: Victim, link: Link) -> list[Term]:
    """Terms of O_th - (G - L_f) - mu sigma + D + Lb."""
    band, settings = receiver_band(job.config.coverage, job.f_mhz), job.config.protection
    sigma_db = settings.near_sigma_db if decision.near else settings.far_sigma_db
    threshold_dbm = overload_dbm(job.tables, device.emission_class, decision.offset.number)
    gain_dbi = band.gain_dbd + DIPOLE_GAIN_DBI
    return [
        Term("overload threshold", threshold_dbm, f"dBm at the receiver, offset {decision.offset.number:+d}"),
        Term("antenna gain", -gain_dbi, "dBi of the receiving antenna"),
        Term("feeder loss", band.feeder_db, "between antenna and receiver"),
        Term("location margin", -OVERLOAD_MU * sigma_db, f"{OVERLOAD_MU:g} of {sigma_db:g} dB"),
        *_device_terms(device),
        *_path_terms(link),
    ]


def _device_terms(device: Device) -> list[Term]:
    return [
        Term("margin for several devices", -device.margin_db, "at one point"),
        Term("building loss", building_loss_db(device), "walls around an indoor device"),
    ]


def _path_terms(link: Link) -> list[Term]:
    length_m = 1000.0 * link.distance_km
    between = "the smallest separation" if link.touching else "between the nearest edges of the pixels"
    return [
        Term("antenna discrimination", link.directed_db, link.directed_note),
        Term("path loss", link.loss_db, f"{length_m:.1f} m, {between}"),
    ]


def with_rounding(terms: list[Term], limit_dbm: float) -> tuple[Term, ...]:
    """The terms and what single precision took off their sum; ArithmeticError if that is more than it can."""
    rounding_db = limit_dbm - math.fsum(term.value_db for term in terms)
    if not abs(rounding_db) <= ROUNDING_MAX_DB:
        raise ArithmeticError(f"the budget misses the limit by {rounding_db:g} dB")
    return (*terms, Term("single precision", rounding_db, "levels and losses are rounded down"))


def victim_facts(
    context: ServiceContext, job: Job, decision: Decision, victim: Victim, link: Link, row: int, col: int
) -> dict[str, object]:
    """Where the victim lies, seen from the device, and what it receives."""
    lons_deg, lats_deg = zip(
        *(_lonlat_deg(context.grid, *place) for place in ((row, col), (decision.row, decision.col))),
        strict=True,
    )
    azimuth_deg, _, length_m = GEOD.inv(lons_deg[0], lats_deg[0], lons_deg[1], lats_deg[1])
    group = "overload" if decision.group is None else group_name(decision.group)
    return {
        "kind": "foreign reception" if decision.kind.foreign else "reception",
        "channel": job.channel,
        "offset": decision.offset.number,
        "row": decision.row,
        "col": decision.col,
        "lon": round(lons_deg[1], 6),
        "lat": round(lats_deg[1], 6),
        "distance_km": round(link.distance_km, 4),
        "between_centres_km": round(length_m / 1000.0, 4),
        "azimuth_deg": round(azimuth_deg % 360.0, 2) if length_m > 0.0 else None,
        "group": group,
        "coastal": decision.kind.coastal,
        "antenna_azimuth_deg": round(victim.azimuth_deg, 2),
        "wanted_dbuvm": round(victim.wanted_dbuvm, 2),
        "location_probability": round(victim.probability, 4),
        "station": victim.server,
    }


def _lonlat_deg(grid: Grid, row: int, col: int) -> tuple[float, float]:
    lon_deg, lat_deg = grid.lonlat_deg(*pixel(row, col))
    return float(lon_deg.item()), float(lat_deg.item())
