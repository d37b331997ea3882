"""Terms of a DTT limit that do not depend on the path: reception at the victim, ratio by slices, overload.

``limit_budget`` finds the victim and adds the device and the path. Facts are plain numbers beside the terms,
so that each can be computed again (docs/method.md, sections 5 to 7).
"""

from __future__ import annotations

import json
import math
from typing import Any, NamedTuple

from pipeline.budget import Term
from pipeline.config.protection import Device
from pipeline.config.reception import nuisance_times_pct
from pipeline.dtt.calibration import calibrated_level_db, calibration_db
from pipeline.dtt.channel_files import ChannelFiles, nuisance_bands
from pipeline.dtt.degradation import permissible_level_db
from pipeline.dtt.interference_range import OVERLOAD_MU, permissible_levels_of
from pipeline.dtt.leakage_floor import floors_at
from pipeline.dtt.limits import ProtectionJob
from pipeline.dtt.station_rules import rule_of, with_dq
from pipeline.dtt.victims import ExplainedPixel, VictimKind
from pipeline.grid import raster
from pipeline.radio.channel_plan import Offset, Slice, receiver_band
from pipeline.radio.conventions import DIPOLE_GAIN_DBI
from pipeline.reference.ratio_tables import Ratio
from pipeline.reference.ratios import (
    Group,
    RatioParts,
    effective_ratio_db,
    load_of,
    overload_dbm,
    overload_row,
    ratio_parts,
)
from pipeline.units import FIELD_TO_POWER_DB

_LEVELS = ("wanted_dbuvm", "nuisance_dbuvm", "nuisance_sigma_db", "azimuth_deg", "probability")


class LimitingVictim(NamedTuple):
    """The victim that limits one map at one pixel.

    ``offset`` of the device from the job's channel; ``group`` None = overload; ``near`` up to 80 m; (``row``,
    ``col``) of the victim on the padded grid; ``permissible_dbm`` value of the map, ``eirp_dbm`` less the
    shift, to which ``floor_db`` is added (0 or less).
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
    floor_db: float

    @property
    def sigma_db(self) -> float:
        """Standard deviation of the device's field at its distance."""
        settings = self.job.config.protection
        return settings.near_sigma_db if self.near else settings.far_sigma_db


class Reception(NamedTuple):
    """Coverage at the victim: its best server as the job lists it, levels, location probability.

    ``time_pct``: percentage of time of the nuisance that decides.
    """

    server: dict[str, Any]
    wanted_dbuvm: float
    nuisance_dbuvm: float
    nuisance_sigma_db: float
    azimuth_deg: float
    probability: float
    time_pct: float


def read_reception(asked: ExplainedPixel, victim: LimitingVictim) -> Reception:
    """The coverage rasters at the victim's pixel."""
    files = ChannelFiles(asked.build, victim.job.channel)
    rows, cols = pixel_of(victim.row, victim.col)
    levels = raster.read(files.coverage(".tif"), rows=rows, cols=cols, bands=_LEVELS).values.ravel()
    server = server_at(files, victim.row, victim.col)
    device = with_dq(asked.device, rule_of(server).dq_pct)
    levels[1:3], time_pct = _deciding_nuisance(asked, device, victim, float(levels[0]), rows, cols)
    wanted, nuisance, sigma, azimuth, q1 = map(float, levels)
    return Reception(server, wanted, nuisance, sigma, azimuth, q1, time_pct)


def server_at(files: ChannelFiles, row: int, col: int) -> dict[str, Any]:
    """The best server of a pixel of the padded grid, as the job coverage lists it."""
    rows, cols = pixel_of(row, col)
    number = raster.read(files.coverage("_class.tif"), rows=rows, cols=cols, bands=["server"]).values.item()
    content = json.loads(files.coverage("_servers.json").read_text(encoding="utf-8"))
    found: dict[str, Any] = content["transmitters"][number - 1]
    return found


def pixel_of(row: int, col: int) -> tuple[slice, slice]:
    """Rows and columns of one pixel."""
    return slice(row, row + 1), slice(col, col + 1)


def _deciding_nuisance(
    asked: ExplainedPixel,
    device: Device,
    victim: LimitingVictim,
    wanted_dbuvm: float,
    rows: slice,
    cols: slice,
) -> tuple[list[float], float]:
    """Nuisance and its spread at the percentage of time that permits less, and that percentage."""
    config = victim.job.config
    path = ChannelFiles(asked.build, victim.job.channel).coverage(".tif")
    levels = permissible_levels_of(config, device)[0 if victim.near else 1]
    found: list[list[float]] = [
        raster.read(path, rows=rows, cols=cols, bands=pair).values.ravel().tolist()
        for pair in nuisance_bands(config)
    ]
    times_pct = nuisance_times_pct(config.propagation.nuisance_time_pct)
    return min(
        zip(found, times_pct, strict=True),
        key=lambda u: u[0][0] + calibrated_level_db(levels, wanted_dbuvm - u[0][0], u[0][1]),
    )


# --- terms --------------------------------------------------------------------------------------------------


class _Tolerance(NamedTuple):
    """What a victim tolerates over its nuisance field: margin, q1 of it, X and what is taken off it."""

    margin_db: float
    q1: float
    x_db: float
    c_db: float


def _tolerance(victim: LimitingVictim, device: Device, reception: Reception) -> _Tolerance:
    levels = permissible_levels_of(victim.job.config, device)[0 if victim.near else 1]
    margin_db = reception.wanted_dbuvm - reception.nuisance_dbuvm
    sigma_db = reception.nuisance_sigma_db
    spread_db = math.hypot(victim.job.config.coverage.location_sigma_db, sigma_db)
    return _Tolerance(
        margin_db,
        0.5 * math.erfc(-margin_db / (spread_db * math.sqrt(2.0))),
        float(permissible_level_db(levels.table, margin_db, sigma_db)),
        float(calibration_db(levels.calibration, margin_db, sigma_db)),
    )


def wanted_terms(asked: ExplainedPixel, victim: LimitingVictim, reception: Reception) -> list[Term]:
    """Terms of m_U + X - c - 77.216 - 20 log10 f - r."""
    job, device = victim.job, with_dq(asked.device, rule_of(reception.server).dq_pct)
    found = _tolerance(victim, device, reception)
    return [
        Term(
            "nuisance field",
            reception.nuisance_dbuvm,
            f"median, dB(uV/m); standard deviation {reception.nuisance_sigma_db:.2f} dB",
        ),
        Term(
            "permissible interfering level",
            found.x_db,
            f"over the nuisance field, for dq {device.dq_pct:g} %: margin {found.margin_db:.2f} dB, "
            f"sigma {victim.sigma_db:g} dB",
        ),
        Term(
            "calibration of the nuisance sum",
            -found.c_db,
            f"c for sigma_U {reception.nuisance_sigma_db:.4f} dB, q1 {found.q1:.6f}",
        ),
        Term("field to power", -FIELD_TO_POWER_DB, "dBm at 0 dBi and 1 MHz from dB(uV/m)"),
        Term("frequency", -20.0 * math.log10(job.f_mhz), f"-20 log10 of {job.f_mhz:g} MHz"),
        *_ratio_terms(job, device, victim),
    ]


def _parts_of(victim: LimitingVictim, device: Device) -> list[tuple[Slice, RatioParts]]:
    """The slices of the emission, each with its ratio."""
    assert victim.group is not None
    tables, width_mhz = victim.job.tables, victim.offset.width_mhz
    load, emission_class = load_of(tables, device), device.emission_class
    return [
        (part, ratio_parts(tables, victim.group, emission_class, part.k, width_mhz=width_mhz, load=load))
        for part in victim.offset.slices
    ]


def _effective_ratio_db(victim: LimitingVictim, device: Device) -> float:
    assert victim.group is not None
    tables, offset = victim.job.tables, victim.offset
    return effective_ratio_db(
        tables,
        victim.group,
        device.emission_class,
        offset.slices,
        width_mhz=offset.width_mhz,
        load=load_of(tables, device),
    )


def _ratio_terms(job: ProtectionJob, device: Device, victim: LimitingVictim) -> list[Term]:
    """The protection ratio over the slices of the emission: C/N, receiver and leakage, level, load."""
    assert victim.group is not None
    parts, ratio = _parts_of(victim, device), _effective_ratio_db(victim, device)
    told = "slice " + "; ".join(_slice_told(piece.k, piece.share, found) for piece, found in parts)
    (_, first), several = parts[0], len(parts) > 1
    c_n_db = job.tables.modes[victim.group.system, victim.group.mode].c_n_db if several else first.c_n_db
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


def overload_terms(asked: ExplainedPixel, victim: LimitingVictim) -> list[Term]:
    """Terms of O_th - o - (G - L_f) - mu sigma."""
    job, sigma_db = victim.job, victim.sigma_db
    band = receiver_band(job.config.coverage, job.f_mhz)
    k, row, idle_db = _overload_row(victim, asked.device)
    verified = "verified" if row.verified else "not verified"
    return [
        Term("overload threshold", row.value, f"dBm at the receiver, slice {k:+d}, {verified}"),
        Term("idle load", -idle_db, "idle devices overload earlier"),
        Term("antenna gain", -(band.gain_dbd + DIPOLE_GAIN_DBI), "dBi of the receiving antenna"),
        Term("feeder loss", band.feeder_db, "between antenna and receiver"),
        Term("location margin", -OVERLOAD_MU * sigma_db, f"{OVERLOAD_MU:g} of {sigma_db:g} dB"),
    ]


def _overload_row(victim: LimitingVictim, device: Device) -> tuple[int, Ratio, float]:
    """Slice with the lowest threshold, the row of the table there, and what an idle device costs."""
    tables, slices = victim.job.tables, victim.offset.slices
    emission_class, load = device.emission_class, load_of(tables, device)
    lowest = min(slices, key=lambda part: overload_dbm(tables, emission_class, [part], load))
    row = overload_row(tables, emission_class, lowest.k, load)
    assert row is not None
    return lowest.k, row, row.value - overload_dbm(tables, emission_class, slices, load)


# --- facts --------------------------------------------------------------------------------------------------


def level_facts(asked: ExplainedPixel, victim: LimitingVictim, reception: Reception) -> dict[str, object]:
    """What the terms are computed from, as plain numbers in full; what there is none of is left out."""
    if victim.group is None:
        return {"overload": _overload_facts(asked, victim)}
    device = with_dq(asked.device, rule_of(reception.server).dq_pct)
    found = _tolerance(victim, device, reception)
    degradation = {
        "dq_pct": device.dq_pct,
        "sigma_i_db": victim.sigma_db,
        "m_s_dbuvm": reception.wanted_dbuvm,
        "m_u_dbuvm": reception.nuisance_dbuvm,
        "sigma_u_db": reception.nuisance_sigma_db,
        "nuisance_time_pct": reception.time_pct,
        "margin_db": found.margin_db,
        "q1": found.q1,
        "x_db": found.x_db,
        "c_db": found.c_db,
        "x_star_db": found.x_db - found.c_db,
    }
    slices = [_slice_facts(part, parts) for part, parts in _parts_of(victim, asked.device)]
    ratio = {
        "r_eff_db": _effective_ratio_db(victim, asked.device),
        "slices": slices,
        "leakage_floor_dbm_per_100khz": [
            part.dbm_per_100khz
            for part in floors_at(victim.job.config, victim.job.channel, victim.offset.width_mhz)
        ],
    }
    return {"degradation": degradation, "protection_ratio": ratio}


def _slice_facts(part: Slice, found: RatioParts) -> dict[str, object]:
    """One slice: share s_k, ratio r(k), what it is made of, and the row of the table that it comes from."""
    facts: dict[str, object] = {"k": part.k, "share": part.share, "r_db": found.ratio_db}
    made_of = {"c_n_db": found.c_n_db, "acs_db": found.acs_db, "aclr_db": found.aclr_db}
    facts |= {name: value for name, value in made_of.items() if not math.isnan(value)}
    facts |= {"t_db": found.tier_db, "a_db": found.idle_db}
    return facts if found.row is None else facts | {"row": _row_facts(found.row)}


def _row_facts(row: Ratio) -> dict[str, object]:
    """A row of the table of ratios: its line, and what it says."""
    return {
        "line": row.row,
        "offset": row.offset,
        "quantity": row.quantity,
        "value": row.value,
        "load": row.load,
        "verified": row.verified,
    }


def _overload_facts(asked: ExplainedPixel, victim: LimitingVictim) -> dict[str, object]:
    band = receiver_band(victim.job.config.coverage, victim.job.f_mhz)
    k, row, idle_db = _overload_row(victim, asked.device)
    return {
        "o_th_dbm": row.value,
        "o_db": idle_db,
        "k": k,
        "row": _row_facts(row),
        "gain_dbi": band.gain_dbd + DIPOLE_GAIN_DBI,
        "feeder_db": band.feeder_db,
        "sigma_db": victim.sigma_db,
    }
