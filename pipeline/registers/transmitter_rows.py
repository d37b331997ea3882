"""One row of the transmitter register: types, ranges and the checks that need the channel plan."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from functools import cache, lru_cache
from itertools import pairwise
from typing import Annotated, Any, Literal, NamedTuple, get_args

from pydantic import BeforeValidator, Field, ValidationInfo, model_validator
from pydantic_core import PydanticCustomError

from pipeline.config.protection import StationProtection
from pipeline.config.register_mapping import DttSystem
from pipeline.radio.channel_plan import ChannelPlan, centre_mhz, channels_in_words, segment_of
from pipeline.radio.conventions import PATTERN_POINTS
from pipeline.registers.guard_intervals import Fft, GuardFraction, guard_problem
from pipeline.rows.row_models import (
    MAY_BE_EMPTY,
    PRINTABLE,
    UPPER_CASE,
    IdCell,
    LatCell,
    LonCell,
    NumberCell,
    RowModel,
    WholeCell,
    finite,
    row_problem,
    rules_of,
)

# A transmitter's nominal channel against its stated centre frequency: offsets of a few hundred kHz exist.
CENTRE_TOLERANCE_MHZ = 0.3
_WIDTH_TOLERANCE_MHZ = 0.01
# Sampled every 5 or 10 degrees, the direction of maximum radiation may fall between two samples.
PATTERN_MINIMUM_DB = 3.0
_PATTERN_MAXIMUM_DB = 60.0
_LEAST_LARGEST_FIELD = 0.9
_FACES_OF_ROUND_ANTENNA = 3
_NULL_ISLAND_DEG = 0.01
# How nearly all patterns are written: read at once, not cell by cell.
_PLAIN_PATTERN = re.compile(r"[0-9]+(?:\.[0-9]+)?(?:;[0-9]+(?:\.[0-9]+)?)*")


class SiteBox(NamedTuple):
    """Area in which every site must lie, degrees WGS84; west > east crosses the 180th meridian."""

    west_deg: float
    south_deg: float
    east_deg: float
    north_deg: float


class RowRules(NamedTuple):
    """What a row is checked against beside its own ranges.

    ``plan`` the channel raster; ``box`` where sites may lie (None: anywhere on Earth); ``modes`` the known
    (system, mode) pairs (None: any mode); ``accept`` ids of rows that are right although they look wrong;
    ``haat_needed``: nothing fills in a HAAT of 0, which stands for one that was never computed;
    ``protections`` rules that a station may have beside the territory's (None: any).
    """

    plan: ChannelPlan
    box: SiteBox | None = None
    modes: Collection[tuple[str, str]] | None = None
    accept: Collection[str] = ()
    haat_needed: bool = False
    protections: Collection[str] | None = None


def _attenuations(text: object) -> object:
    return _attenuations_of(text) if isinstance(text, str) else text


@lru_cache(maxsize=4096)
def _attenuations_of(text: str) -> tuple[float, ...]:
    """``0.0;0.3;...`` to numbers in dB; registers repeat the patterns of sites and of antennas."""
    if _PLAIN_PATTERN.fullmatch(text):
        values = tuple(map(float, text.split(";")))
    else:
        values = tuple(finite(item) for item in text.split(";")) if text.strip() else ()
    if values and len(values) not in PATTERN_POINTS:
        raise ValueError(f"pattern has {len(values)} points")
    if values and min(values) > PATTERN_MINIMUM_DB:
        raise ValueError(f"smallest attenuation of the pattern is {min(values):g} dB")
    _refuse_relative_field(values)
    return values


def looks_like_relative_field(values: Sequence[float]) -> bool:
    """Whether a pattern may be field relative to its largest, 1, in place of attenuation in dB.

    Attenuation has a 0 in the direction of the largest radiation; field of 1 at most has it where it has a
    null. Both can be of 0 to 1. Antennas that are round within 1 dB are made of three faces or more and have
    as many zeros; relative field has one null, or two as a dipole. Sampled beside its maximum, the largest
    field is a little less than 1.
    """
    if len(values) < 2 or not _LEAST_LARGEST_FIELD <= max(values) <= 1.0:
        return False
    return _certainly_field(values) or _minima(values) < _FACES_OF_ROUND_ANTENNA


def _certainly_field(values: Sequence[float]) -> bool:
    return len(values) > 1 and max(values) == 1.0 and min(values) > 0.0


def _minima(values: Sequence[float]) -> int:
    """Separate directions around the circle in which a pattern is near its smallest value."""
    low, high = min(values), max(values)
    near = [value <= low + 0.1 * (high - low) for value in values]
    return max(sum(here and not before for before, here in zip([near[-1], *near], near, strict=False)), 1)


def _refuse_relative_field(values: Sequence[float]) -> None:
    if _certainly_field(values):
        raise ValueError(
            "pattern looks like relative field, of which the largest is 1; not attenuation in dB"
        )


def _plane(text: object) -> object:
    """Circular polarisation has half the power in each plane, as mixed."""
    plane = text.upper() if isinstance(text, str) else text
    return "M" if plane == "C" else plane


def _vertical(text: object) -> object:
    """``0:0;1.5:3;...`` to (depression in degrees, attenuation in dB) pairs, ascending."""
    if not isinstance(text, str):
        return text
    pairs = [item.split(":") for item in text.split(";")] if text.strip() else []
    if any(len(pair) != 2 for pair in pairs):
        raise ValueError("vertical pattern is not a list of depression:attenuation")
    points = [(finite(depression), finite(attenuation)) for depression, attenuation in pairs]
    if any(upper[0] >= lower[0] for upper, lower in pairwise(points)):
        raise ValueError("depressions do not ascend")
    _refuse_relative_field([attenuation for _, attenuation in points])
    return tuple(points)


def at_null_island(lon_deg: float, lat_deg: float) -> bool:
    """Whether a place is 0, 0: coordinates that were never filled in."""
    return abs(lon_deg) < _NULL_ISLAND_DEG and abs(lat_deg) < _NULL_ISLAND_DEG


_HeightAboveGround = Annotated[float, Field(ge=0, le=900)]
_HeightAboveSea = Annotated[float, Field(ge=-450, le=9000)]
_HeightAboveTerrain = Annotated[float, Field(ge=-2000, le=5000)]
_Guard = Annotated[float, Field(ge=1, le=1000)]
_Tilt = Annotated[float, Field(ge=-10, le=30)]
_Attenuation = Annotated[float, Field(ge=0, le=_PATTERN_MAXIMUM_DB)]
_Depression = Annotated[float, Field(ge=-90, le=90)]
_Points = Annotated[float, Field(ge=0.001, le=30)]
_Threshold = Annotated[float, Field(ge=0, le=120)]

SYSTEMS = ", ".join(get_args(DttSystem))
_RULES = ", ".join(get_args(StationProtection))
_NAME = "up to 64 printable characters"
_PATTERN = "empty, or 36 or 72 values of 0 to 60 dB joined by ;, the smallest about 0"
_VERTICAL = "empty, or depression:attenuation joined by ;, ascending, -90 to 90 deg, 0 to 60 dB"


class TransmitterRow(RowModel):
    """One DTT assignment as registered; an empty text or None is "not given"."""

    id: IdCell
    site: Annotated[
        str, Field(max_length=200, pattern=PRINTABLE, description="up to 200 printable characters")
    ]
    lon: LonCell
    lat: LatCell
    channel: Annotated[WholeCell, Field(description="a channel number of the plan")]
    centre_mhz: Annotated[NumberCell, Field(ge=30, le=4000, description="30 to 4000 MHz")]
    bandwidth_mhz: Annotated[NumberCell, Field(ge=1, le=20, description="1 to 20 MHz")]
    erp_kw: Annotated[NumberCell, Field(gt=0, le=5000, description="more than 0, up to 5000 kW")]
    antenna_height_agl_m: Annotated[
        _HeightAboveGround | None, MAY_BE_EMPTY, Field(description="0 to 900 m; empty only with haat_m")
    ]
    site_height_asl_m: Annotated[
        _HeightAboveSea | None, MAY_BE_EMPTY, Field(description="-450 to 9000 m or empty")
    ]
    polarisation: Annotated[
        Literal["H", "V", "M", ""],
        BeforeValidator(_plane),
        Field(description="H, V, M, or C (circular, as M), or empty"),
    ]
    pattern_azimuth_attenuation_db: Annotated[
        tuple[_Attenuation, ...], BeforeValidator(_attenuations), Field(description=_PATTERN)
    ]
    system: Annotated[DttSystem | Literal[""], Field(description=f"{SYSTEMS} or empty")]
    multiplex_mode: Annotated[str, Field(max_length=40, pattern=PRINTABLE, description="a mode or empty")]
    sfn: Annotated[str, Field(max_length=64, pattern=PRINTABLE, description=_NAME)] = ""
    country: Annotated[
        str, UPPER_CASE, Field(pattern=r"^([A-Z]{2})?$", description="two-letter code of ISO 3166 or empty")
    ] = ""
    haat_m: Annotated[
        _HeightAboveTerrain | None, MAY_BE_EMPTY, Field(description="-2000 to 5000 m or empty")
    ] = None
    fft: Annotated[Fft, Field(description="1k, 2k, 4k, 8k, 16k, 32k or empty")] = ""
    guard: Annotated[
        GuardFraction, Field(description="1/128, 1/32, 1/16, 19/256, 1/8, 19/128, 1/4 or empty")
    ] = ""
    guard_us: Annotated[_Guard | None, MAY_BE_EMPTY, Field(description="1 to 1000 us or empty")] = None
    beam_tilt_deg: Annotated[_Tilt | None, MAY_BE_EMPTY, Field(description="-10 to 30 deg or empty")] = None
    vertical_pattern_deg_attenuation_db: Annotated[
        tuple[tuple[_Depression, _Attenuation], ...], BeforeValidator(_vertical), Field(description=_VERTICAL)
    ] = ()
    station_type: Annotated[
        Literal["main", "relay", "gap filler", "analogue", ""],
        Field(description="main, relay, gap filler, analogue or empty"),
    ] = ""
    protection: Annotated[StationProtection | Literal[""], Field(description=f"{_RULES} or empty")] = ""
    dq_pct: Annotated[_Points | None, MAY_BE_EMPTY, Field(description="0.001 to 30 points or empty")] = None
    threshold_dbuvm: Annotated[
        _Threshold | None, MAY_BE_EMPTY, Field(description="0 to 120 dB(uV/m) or empty")
    ] = None

    @model_validator(mode="after")
    def _by_rules(self, info: ValidationInfo) -> TransmitterRow:
        rules = rules_of(info, RowRules)
        problem = _place_problem(self.lon, self.lat, rules.box) or _channel_problem(
            self.channel, self.centre_mhz, self.bandwidth_mhz, rules.plan
        )
        others = _Others(*(getattr(self, name) for name in _Others._fields))
        if problem := problem or _other_problem(others, rules):
            raise problem
        return self


class _Others(NamedTuple):
    """What is checked of a row together, beside its place and channel."""

    id: str
    antenna_height_agl_m: float | None
    haat_m: float | None
    pattern_azimuth_attenuation_db: tuple[float, ...]
    vertical_pattern_deg_attenuation_db: tuple[tuple[float, float], ...]
    system: str
    multiplex_mode: str
    fft: str
    guard: str
    guard_us: float | None
    protection: str
    dq_pct: float | None
    threshold_dbuvm: float | None


def keep_rules(columns: Mapping[str, Sequence[Any]], rules: RowRules) -> list[bool]:
    """Which rows of good cells keep the rules, by columns; equal cells are looked at once."""
    channel = cache(lambda number, *mhz: _channel_problem(number, mhz[0], mhz[1], rules.plan) is None)
    others = cache(lambda *cells: _other_problem(_Others(*cells), rules) is None)
    ids = (name if name in rules.accept else "" for name in columns["id"])
    heights = (None if height is None else 0.0 for height in columns["antenna_height_agl_m"])
    further = (columns[name] for name in _Others._fields[2:])
    return [
        _place_problem(lon_deg, lat_deg, rules.box) is None and channel(*cells) and others(*rest)
        for lon_deg, lat_deg, cells, rest in zip(
            columns["lon"],
            columns["lat"],
            zip(columns["channel"], columns["centre_mhz"], columns["bandwidth_mhz"], strict=True),
            zip(ids, heights, *further, strict=True),
            strict=True,
        )
    ]


def _place_problem(lon_deg: float, lat_deg: float, box: SiteBox | None) -> PydanticCustomError | None:
    if at_null_island(lon_deg, lat_deg):
        return row_problem("lon", "site is at 0, 0", "the coordinates of the site", "null_island")
    if box is None or inside_box(box, lon_deg, lat_deg):
        return None
    exchanged = "; lon and lat look exchanged" if inside_box(box, lat_deg, lon_deg) else ""
    if not box.south_deg <= lat_deg <= box.north_deg:
        allowed = f"{box.south_deg} to {box.north_deg}"
        return row_problem("lat", f"implausible location{exchanged}", allowed, "outside_box")
    allowed = f"{box.west_deg} to {box.east_deg}"
    return row_problem("lon", f"implausible location{exchanged}", allowed, "outside_box")


def inside_box(box: SiteBox, lon_deg: float, lat_deg: float) -> bool:
    """Whether a site is in a box."""
    if box.west_deg <= box.east_deg:
        within = box.west_deg <= lon_deg <= box.east_deg
    else:
        within = lon_deg >= box.west_deg or lon_deg <= box.east_deg
    return within and box.south_deg <= lat_deg <= box.north_deg


def _channel_problem(
    channel: int, f_mhz: float, bandwidth_mhz: float, plan: ChannelPlan
) -> PydanticCustomError | None:
    segment = segment_of(plan, channel)
    if segment is None:
        return row_problem("channel", "channel is not in the plan", channels_in_words(plan), "out_of_plan")
    centre = centre_mhz(segment, channel)
    if abs(f_mhz - centre) > CENTRE_TOLERANCE_MHZ:
        text = f"frequency is not that of channel {channel}"
        allowed = f"{centre:g} MHz within {CENTRE_TOLERANCE_MHZ} MHz"
        return row_problem("centre_mhz", text, allowed, "out_of_plan")
    if abs(bandwidth_mhz - segment.width_mhz) > _WIDTH_TOLERANCE_MHZ:
        text = f"bandwidth is not that of channel {channel}"
        return row_problem("bandwidth_mhz", text, f"{segment.width_mhz:g} MHz", "out_of_plan")
    return None


def _pattern_problem(record: _Others, accept: Collection[str]) -> PydanticCustomError | None:
    patterns = {
        "pattern_azimuth_attenuation_db": record.pattern_azimuth_attenuation_db,
        "vertical_pattern_deg_attenuation_db": [at for _, at in record.vertical_pattern_deg_attenuation_db],
    }
    for field, values in patterns.items():
        if looks_like_relative_field(values) and record.id not in accept:
            text = "pattern looks like relative field, or is attenuation of at most 1 dB"
            allowed = f"attenuation in dB, -20 log10 of the field; or id {record.id} in registers.accept"
            return row_problem(field, text, allowed, "bad_pattern")
    return None


def _rule_problem(record: _Others, allowed: Collection[str] | None) -> PydanticCustomError | None:
    """A rule that cannot be applied beside the territory's, or a number that belongs to another rule."""
    rule = record.protection
    if rule and allowed is not None and rule not in allowed:
        return row_problem("protection", "not with the method of this territory", ", ".join(allowed))
    for field, owner in (("dq_pct", "degradation"), ("threshold_dbuvm", "threshold")):
        if getattr(record, field) is not None and rule != owner:
            return row_problem(field, f"belongs to protection {owner}", f"empty, or protection {owner}")
    return None


def _other_problem(record: _Others, rules: RowRules) -> PydanticCustomError | None:
    if record.antenna_height_agl_m is None and record.haat_m is None:
        allowed = "0 to 900 m; empty only with haat_m"
        return row_problem("antenna_height_agl_m", "value is missing", allowed, "missing")
    if record.antenna_height_agl_m is None and record.haat_m == 0.0 and rules.haat_needed:
        text = "0 stands for a height that was never computed"
        return row_problem("haat_m", text, "a height, antenna_height_agl_m, or registers.missing_haat_m")
    if problem := _pattern_problem(record, rules.accept):
        return problem
    if problem := _rule_problem(record, rules.protections):
        return problem
    if fault := guard_problem(record.system, record.fft, record.guard, record.guard_us):
        return row_problem(*fault)
    if not record.multiplex_mode:
        return None
    if not record.system:
        return row_problem("system", "a mode without its system", SYSTEMS)
    if rules.modes is not None and (record.system, record.multiplex_mode) not in rules.modes:
        known = sorted(mode for system, mode in rules.modes if system == record.system)
        return row_problem("multiplex_mode", f"unknown mode of {record.system}", ", ".join(known) or "empty")
    return None
