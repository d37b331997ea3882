"""Format `ge06`: electronic notices of the GE06 Agreement, GT1 as transmitters, GT2 with GA1 as areas.

Evidence: keys and grammar as two programs write and one reads them [S]; existence of the guidelines of the
ITU [D]; no original notice was seen.

- GT1 a station; GS1, G02, GB1, GS2 other services (dropped); TB5 and SUPPRESS take a notice away, MODIFY
  replaces the one of the same reference earlier in the files [S].
- `t_erp_h_dbw`, `t_erp_v_dbw` by `t_polar`; one program writes dBkW there (`erp_unit: dBkW`) [S].
- `t_sys_var`: A, B, C are QPSK, 16QAM, 64QAM in 8 MHz, D, E, F the same in 7 MHz [S]; no code for DVB-T2 [?]:
  `system` states it for all rows.
- Points of contours: one program writes the latitude, first and with six digits, under `t_long` as well [S].
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import numpy as np

from pipeline.registers.conversion import coordinate_notations as notations
from pipeline.registers.conversion import power_units
from pipeline.registers.conversion.antenna_tables import plain_number
from pipeline.registers.conversion.cell_numbers import CellProblem, iso_day, number
from pipeline.registers.conversion.coordinate_notations import Axis
from pipeline.registers.entries import InputFile, Reading, RegisterEntry, Source, drop_by_rule
from pipeline.registers.entry_patterns import enter_horizontal
from pipeline.registers.finishing import Target, nearest_channel
from pipeline.registers.formats.ge06_notices import Notice, read_notices
from pipeline.registers.itu_symbols import country_of_cell
from pipeline.rows.foreign_text import RegisterFault

MODULATIONS = ("QPSK", "16QAM", "64QAM")
CODE_RATES = {"1": "1/2", "2": "2/3", "3": "3/4", "5": "5/6", "7": "7/8"}
_OTHER_SERVICES = {"GS1", "G02", "GB1", "GS2"}
_AREAS = {"GT2", "GA1"}
_POSITION = re.compile(r"[+-]?(\d+)")
_KEYS = {
    "id": "t_adm_ref_id", "site": "t_site_name", "lon": "t_long", "lat": "t_lat", "channel": "t_freq_assgn",
    "centre_mhz": "t_freq_assgn", "polarisation": "t_polar", "country": "t_ctry", "sfn": "t_sfn_id",
    "antenna_height_agl_m": "t_hgt_agl", "site_height_asl_m": "t_site_alt", "multiplex_mode": "t_sys_var",
    "valid_from": "t_d_inuse", "valid_to": "t_d_expiry",
}  # fmt: skip
# Kept as they are, for the way back.
ADMINISTRATIVE = (
    "t_fragment", "t_plan_entry", "t_assgn_code", "t_associated_adm_allot_id", "t_associated_allot_sfn_id",
    "t_call_sign", "t_op_agcy", "t_addr_code", "t_op_hh_fr", "t_op_hh_to", "t_is_pub_req", "t_is_resub",
    "t_signed_commitment", "t_remarks", "t_ref_plan_cfg", "t_rx_mode", "t_spect_mask", "t_eff_hgtmax",
)  # fmt: skip
# Below this in ten notices or more: they are dBkW.
_LEVEL_DOUBTFUL_DBW, _LEAST_NOTICES = 23.0, 10


def read_ge06(source: Source, target: Target) -> Reading:
    """Entries of all GT1 notices, and the areas of allotments."""
    reading = Reading()
    notices: list[Notice] = []
    for path in source.files:
        found = read_notices(path)
        notices += found
        reading.inputs.append(InputFile(path, len(found)))
    fragments = source.mapping.fragments
    known: _Known = {}
    for notice in notices:
        if fragments is not None and notice.get("t_fragment") not in ("", *fragments):
            reading.entries.append(_dropped(notice, "filter"))
        elif (kind := notice.get("t_notice_type").upper()) in _AREAS:
            continue
        elif kind in _OTHER_SERVICES:
            reading.entries.append(_dropped(notice, "service"))
        else:
            reading.entries += _assignments(notice, kind, source, known)
    _thin_out(known)
    reading.areas, faults = _areas(notices, source)
    reading.entries += faults
    _flag_levels(reading.entries)
    return reading


_Known = dict[tuple[str, str, str], RegisterEntry]
"""Entries by administration, reference and fragment (plan, or in use)."""


def _reference(notice: Notice) -> str:
    return notice.get("t_adm_ref_id") or notice.get("t_trg_adm_ref_id")


def _administration(notice: Notice) -> str:
    return notice.administration or notice.get("t_adm")


def _id(notice: Notice) -> str:
    prefix = _administration(notice)
    return f"{prefix}:{_reference(notice)}" if prefix else _reference(notice)


def _entry(notice: Notice) -> RegisterEntry:
    cells = {key: values[0] for key, values in notice.keys.items()}
    return RegisterEntry(notice.file, notice.row, cells=cells, keys=_KEYS, source_id=_id(notice))


def _dropped(notice: Notice, reason: str) -> RegisterEntry:
    entry = _entry(notice)
    entry.drop = reason
    return entry


def _assignments(notice: Notice, kind: str, source: Source, known: _Known) -> list[RegisterEntry]:
    """The entry of a notice, if it makes one; those before that it replaces or takes away are dropped."""
    action = notice.get("t_action").upper()
    if kind not in ("GT1", "TB5") or action not in ("ADD", "MODIFY", "SUPPRESS", "WITHDRAW"):
        entry = _entry(notice)
        wrong = "t_notice_type" if kind not in ("GT1", "TB5") else "t_action"
        entry.refuse(
            wrong,
            "bad_value",
            "unknown notice",
            "GT1, GT2, GS1, GS2, GA1, G02, GB1, TB5; ADD, MODIFY, SUPPRESS",
        )
        return [entry]
    concerned = _concerned(notice, known) if action != "ADD" or kind == "TB5" else None
    before = None if concerned is None else known.pop(concerned)
    if kind == "TB5" or action in ("SUPPRESS", "WITHDRAW"):
        if before is not None:
            before.drop = "suppressed"
            return []
        return [_dropped(notice, "suppressed")]
    entry = _station(notice, source)
    if before is not None and concerned is not None and not entry.written:
        known[concerned] = before  # not in force, or at fault: it takes nothing away
        return [entry]
    if before is not None:
        before.drop = "superseded"
    elif action == "MODIFY":
        entry.flags.append("modify_without_original")
    key = _administration(notice), _reference(notice), notice.get("t_fragment")
    known.setdefault(key, entry)
    return [entry]


def _concerned(notice: Notice, known: _Known) -> tuple[str, str, str] | None:
    """The entry that a notice changes or takes away: of its administration, and of its fragment if both say.

    What is notified as in use is another entry than that of the plan.
    """
    reference = notice.get("t_trg_adm_ref_id") or notice.get("t_adm_ref_id")
    fragment = notice.get("t_fragment")
    own = [key for key in known if key[:2] == (_administration(notice), reference)]
    return next((key for key in own if not fragment or key[2] in ("", fragment)), None)


def _thin_out(known: _Known) -> None:
    """Of one station in the plan and as in use the stronger stays; on two channels both would share an id."""
    stations: dict[tuple[object, ...], list[RegisterEntry]] = {}
    for (administration, reference, _), entry in known.items():
        if entry.written:
            stations.setdefault((administration, reference, entry.values.get("channel")), []).append(entry)
    for entries in stations.values():
        strongest = max(entries, key=lambda entry: float(str(entry.values.get("erp_kw") or 0.0)))
        for entry in entries:
            entry.drop = "" if entry is strongest else "duplicate"


# --- stations -----------------------------------------------------------------------------------------------


def _station(notice: Notice, source: Source) -> RegisterEntry:
    mapping = source.mapping
    entry = _entry(notice)
    values = entry.values
    values["id"] = _id(notice) if _reference(notice) else None
    values["site"] = notice.get("t_site_name")
    entry.take("valid_from", "t_d_inuse", iso_day)
    entry.take("valid_to", "t_d_expiry", iso_day)
    _frequency(entry, notice, source)
    entry.take("country", "t_ctry", country_of_cell, needed=True)
    entry.take("lon", "t_long", _longitude, needed=True)
    entry.take("lat", "t_lat", _latitude, needed=True)
    entry.take("", "t_trg_long", _longitude)
    entry.take("", "t_trg_lat", _latitude)
    entry.take("", "t_trg_freq_assgn", number)
    entry.take("polarisation", "t_polar", _polarisation, needed=True)
    _heights(entry, notice)
    values["system"] = mapping.system or "DVB-T"
    if values["system"] == "DVB-T":
        entry.take("multiplex_mode", "t_sys_var", _mode)
    values["sfn"] = notice.get("t_sfn_id") or None
    if entry.fault is None:
        _radiation(entry, notice, mapping.erp_unit, mapping.mixed_erp)
    values |= {key: notice.get(key) for key in ADMINISTRATIVE if notice.get(key)}
    if affected := notice.values_in("COORD", "t_adm"):
        values["t_coord_adm"] = ";".join(affected)
    entry.drop = drop_by_rule(entry, mapping)
    return entry


def _frequency(entry: RegisterEntry, notice: Notice, source: Source) -> None:
    entry.take("centre_mhz", "t_freq_assgn", number, needed=True)
    entry.take("_offset_khz", "t_offset", number)
    offset_khz, f_mhz = entry.values.pop("_offset_khz", 0.0), entry.values.get("centre_mhz")
    if isinstance(f_mhz, float) and isinstance(offset_khz, float):
        entry.values["channel"] = nearest_channel(source.plan, f_mhz)
        entry.values["centre_mhz"] = f_mhz + 1e-3 * offset_khz


def _angle(text: str, axis: Axis) -> float:
    """`+0143012` and `+460312`: a sign, DDDMMSS or DDMMSS."""
    found = _POSITION.fullmatch(text.strip())
    if found is None or len(found[1]) != (6 if axis.name == "lat" else 7):
        form = "DDMMSS" if axis.name == "lat" else "DDDMMSS"
        raise CellProblem("bad_value", "not a position", f"sign and {form}")
    return notations.packed(found[1], axis) * (-1.0 if text.strip().startswith("-") else 1.0)


def _longitude(text: str) -> float:
    return _angle(text, Axis("lon"))


def _latitude(text: str) -> float:
    return _angle(text, Axis("lat"))


def _polarisation(text: str) -> str:
    if text.upper() not in ("H", "V", "M"):
        raise CellProblem("bad_value", "unknown polarisation", "H, V or M")
    return text.upper()


def _mode(text: str) -> str:
    """A1 to C7 (8 MHz) and D1 to F7 (7 MHz): modulation and code rate."""
    variant, rate = text.upper()[:1], CODE_RATES.get(text[1:])
    if len(text) != 2 or variant not in "ABCDEF" or rate is None:
        raise CellProblem("bad_value", "unknown system variant", "A1 to C7, or D1 to F7")
    return f"{MODULATIONS['ABCDEF'.index(variant) % 3]} {rate}"


def _heights(entry: RegisterEntry, notice: Notice) -> None:
    entry.take("antenna_height_agl_m", "t_hgt_agl", number)
    entry.take("site_height_asl_m", "t_site_alt", number)
    cells = notice.by_azimuth("ANT_HGT")
    if not cells:
        return
    try:
        heights = [number(text) for _, text in cells]
    except CellProblem as problem:
        entry.refuse_cell("ANT_HGT", problem)
        return
    entry.values["effective_heights_m"] = ";".join(plain_number(height) for height in heights)
    if entry.values.get("antenna_height_agl_m") is None:
        entry.values["haat_m"] = sum(heights) / len(heights)


# --- radiation ----------------------------------------------------------------------------------------------

_Points = list[tuple[float, float]]


def _radiation(entry: RegisterEntry, notice: Notice, unit: str, rule: str) -> None:
    """Power and pattern of the planes of the polarisation, as one."""
    planes = {"H": "H", "V": "V", "M": "HV"}[str(entry.values["polarisation"])]
    direction = notice.get("t_ant_dir").upper()
    if direction not in ("D", "ND", ""):
        entry.refuse("t_ant_dir", "bad_value", "unknown kind of antenna", "D or ND")
    entry.keys = {**_KEYS, "erp_kw": f"t_erp_{planes[0].lower()}_dbw", "pattern": f"ANT_DIAGR_{planes[0]}"}
    powers_kw: dict[str, float] = {}
    patterns: dict[str, _Points] = {}
    for plane in planes:
        key, block = f"t_erp_{plane.lower()}_dbw", f"ANT_DIAGR_{plane}"
        entry.take("_level", key, lambda text: _level_kw(text, unit), needed=True)
        power = entry.values.pop("_level", None)
        powers_kw[plane] = power if isinstance(power, float) else 0.0
        patterns[plane] = []
        if direction == "D" and not notice.has_block(block):
            entry.refuse(
                block, "missing", "directional antenna without a diagram", "attenuations by azimuth", ""
            )
        elif direction != "ND":
            patterns[plane] = _diagram(entry, notice, block)
    if entry.fault is not None:
        return
    if len(planes) == 1 or rule == "max":
        plane = max(planes, key=lambda plane: powers_kw[plane])
        entry.values["erp_kw"] = powers_kw[plane]
        enter_horizontal(entry, patterns[plane], "attenuation_db", f"ANT_DIAGR_{plane}")
    else:
        _add_planes(entry, powers_kw, patterns)


def _level_kw(text: str, unit: str) -> float:
    return power_units.erp_kw(number(text), unit, "erp")


def _diagram(entry: RegisterEntry, notice: Notice, block: str) -> _Points:
    points: _Points = []
    for azimuth_deg, text in notice.by_azimuth(block):
        try:
            points.append((azimuth_deg, number(text)))
        except CellProblem as problem:
            entry.refuse(block, "bad_pattern", problem.problem, problem.allowed, text)
    given = sorted(azimuth_deg for azimuth_deg, _ in points)
    wanted = [round(i * 360.0 / len(given)) for i in range(len(given))]
    if odd := [there for there, due in zip(given, wanted, strict=True) if there != due]:
        allowed = f"{len(given)} azimuths from 0 on, by 360 / {len(given)} degrees"
        entry.refuse(block, "bad_pattern", "diagram is not all around", allowed, f"azm{odd[0]:03.0f}")
    return points


def _add_planes(
    entry: RegisterEntry, powers_kw: Mapping[str, float], patterns: Mapping[str, _Points]
) -> None:
    """Powers of both planes added in each direction of the finer diagram."""
    finer = max(patterns.values(), key=len)
    entry.flags.append("planes_added")
    if not finer:
        entry.values["erp_kw"] = sum(powers_kw.values())
        return
    azimuths = sorted({azimuth for azimuth, _ in finer})
    total_kw = np.zeros(len(azimuths))
    for plane, points in patterns.items():
        ring = sorted(points) or [(0.0, 0.0)]
        if min(value for _, value in ring) < 0.0:
            enter_horizontal(entry, points, "attenuation_db", f"ANT_DIAGR_{plane}")  # says what is wrong
        known_deg, known_db = zip(*ring, strict=True)
        total_kw += powers_kw[plane] * 10.0 ** (-0.1 * np.interp(azimuths, known_deg, known_db, period=360.0))
    most_kw = float(total_kw.max())
    entry.values["erp_kw"] = most_kw
    shares = zip(azimuths, (total_kw / most_kw).tolist(), strict=True)
    enter_horizontal(entry, [*shares], "relative_power", "ANT_DIAGR_H")


def _flag_levels(entries: Iterable[RegisterEntry]) -> None:
    """Flag levels that are dBkW by all appearance: none of ten or more is above 23 dBW."""
    powers = [
        (entry, entry.values["erp_kw"]) for entry in entries if entry.written and "erp_kw" in entry.values
    ]
    limit_kw = 10.0 ** (0.1 * (_LEVEL_DOUBTFUL_DBW - 30.0))
    if len(powers) >= _LEAST_NOTICES and all(isinstance(kw, float) and kw <= limit_kw for _, kw in powers):
        for entry, _ in powers:
            entry.flags.append("erp_doubtful")


# --- areas --------------------------------------------------------------------------------------------------


def _areas(notices: Iterable[Notice], source: Source) -> tuple[list[dict[str, object]], list[RegisterEntry]]:
    """The contours of allotments, one area each, and the faults of notices."""
    faults: list[RegisterEntry] = []
    contours: dict[tuple[str, str], list[tuple[float, float]]] = {}
    allotments: list[Notice] = []
    for notice in notices:
        kind = notice.get("t_notice_type").upper()
        if kind == "GT2":
            allotments.append(notice)
        elif kind == "GA1":
            try:
                contours[(notice.get("t_ctry"), notice.get("t_contour_id"))] = _ring(notice)
            except RegisterFault as fault:
                faults.append(RegisterEntry(notice.file, notice.row, fault=fault))
    areas: list[dict[str, object]] = []
    for notice in allotments:
        entry = _entry(notice)
        areas += _allotment(entry, notice, contours, source)
        if entry.fault is not None:
            faults.append(entry)
    return areas, faults


def _ring(notice: Notice) -> list[tuple[float, float]]:
    """The points of a contour, closed; their number is that which it states."""
    points = []
    for name, content in notice.blocks:
        if name != "POINT":
            continue
        cells = [value for key, value in content if key in ("t_long", "t_lat")]
        try:
            lat, lon = sorted(cells, key=lambda text: len(text.strip().lstrip("+-")))
            points.append((_angle(lon, Axis("lon")), _angle(lat, Axis("lat"))))
        except (CellProblem, ValueError) as problem:
            allowed = problem.allowed if isinstance(problem, CellProblem) else "t_long and t_lat"
            raise RegisterFault(
                "bad_value",
                "not a position",
                file=notice.file,
                row=notice.row,
                field="POINT",
                value=" ".join(cells),
                allowed=allowed,
            ) from None
    declared = notice.get("t_nb_test_pts")
    if len(points) < 3 or (declared and declared != str(len(points))):
        raise RegisterFault(
            "count", "number of points is not that stated", file=notice.file, row=notice.row,
            field="t_nb_test_pts", value=declared, allowed=f"{len(points)} as there are, 3 at least",
        )  # fmt: skip
    return [*points, points[0]]


def _allotment(
    entry: RegisterEntry,
    notice: Notice,
    contours: Mapping[tuple[str, str], list[tuple[float, float]]],
    source: Source,
) -> list[dict[str, object]]:
    _frequency(entry, notice, source)
    entry.take("country", "t_ctry", country_of_cell, needed=True)
    if entry.fault is None and entry.values.get("channel") is None:
        entry.refuse("t_freq_assgn", "out_of_plan", "frequency of no channel", "a centre of the plan")
    areas = []
    for name in notice.keys.get("t_contour_id", []):
        ring = contours.get((notice.get("t_ctry"), name))
        if ring is None:
            entry.refuse("t_contour_id", "no_contour", "contour is not in the files", "a GA1 notice", name)
            continue
        areas.append(
            {
                "id": _id(notice),
                "contour": name,
                "channel": entry.values.get("channel"),
                "centre_mhz": entry.values.get("centre_mhz"),
                "polarisation": notice.get("t_polar"),
                "ref_plan_cfg": notice.get("t_ref_plan_cfg"),
                "ring": ring,
            }
        )
    return areas if entry.fault is None else []
