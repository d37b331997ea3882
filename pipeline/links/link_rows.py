"""The table of links: rows as a user writes them, checked, and both ends of each as numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field, model_validator

from pipeline.config.bonds import DeviceChannel, channel_named
from pipeline.errors import InputError, raise_first
from pipeline.grid.grid import GEOD
from pipeline.radio.antennas import expand_pattern, f699_gain_dbi
from pipeline.radio.conventions import DIPOLE_GAIN_DBI, PATTERN_POINTS
from pipeline.rates.link_budget import eirp_dbm, erp_dbw, watts_dbm
from pipeline.rows.row_models import (
    MAY_BE_EMPTY,
    IdCell,
    StrippedRow,
    check_record,
    finite,
    read_records,
    row_problem,
)

AUTO, POINT = "auto", "point"
# As short as the least d_km.
_SHORTEST_M = 10.0
_PATTERNS = ("", "none", "BT.419", "F.699")
# BT.419 mirrored as a transmitting pattern: none to 20 deg, 16 dB from 60 deg on.
_BT419_DEG, _BT419_DB = (20.0, 60.0), 16.0
# Discrimination of crossed polarisations, as that of television receivers (BT.419).
_CROSS_POLAR_DB = 16.0
# Table A5-3 of Report SM.2405: W, dBd, m, dB, dBW.
_A5_3 = {
    "power_w": (0.1, 25.0),
    "gain_dbd": (5.0, 14.0),
    "height_m": (10.0, 30.0),
    "feeder_db": (1.0, 5.0),
    "erp_dbw": (-8.0, 27.0),
}
# The table rounds its e.r.p. to 1 dB: 26.98 dBW are 27. Powers in dBm are rounded too: 43.98 dBm are 25 W.
_A5_3_SLACK = {"erp_dbw": 0.05, "power_w": 0.005, "gain_dbd": 1e-6, "height_m": 0.0, "feeder_db": 0.0}


def _azimuth(text: object) -> object:
    if not isinstance(text, str):
        return text
    word = text.strip()
    return word if word == POINT else finite(word) if word else None


def _channel(text: object) -> object:
    if not isinstance(text, str):
        return text
    word = text.strip()
    return word if word in ("", AUTO) else channel_named(word)


_Lon = Annotated[
    Annotated[float, Field(ge=-180, le=180)] | None,
    MAY_BE_EMPTY,
    Field(description="-180 to 180 degrees, or nothing"),
]
_Lat = Annotated[
    Annotated[float, Field(ge=-90, le=90)] | None,
    MAY_BE_EMPTY,
    Field(description="-90 to 90 degrees, or nothing"),
]
_Watts = Annotated[
    Annotated[float, Field(gt=0, le=1e6)] | None,
    MAY_BE_EMPTY,
    Field(description="above 0 to 1000000 W, or nothing"),
]
_Dbm = Annotated[
    Annotated[float, Field(ge=-60, le=90)] | None,
    MAY_BE_EMPTY,
    Field(description="-60 to 90 dBm, or nothing"),
]
_Gain = Annotated[
    Annotated[float, Field(ge=-10, le=40)] | None, MAY_BE_EMPTY, Field(description="-10 to 40 dB, or nothing")
]
_Loss = Annotated[
    Annotated[float, Field(ge=0, le=30)] | None, MAY_BE_EMPTY, Field(description="0 to 30 dB, or nothing")
]
_Km = Annotated[
    Annotated[float, Field(ge=0.01, le=300)] | None,
    MAY_BE_EMPTY,
    Field(description="0.01 to 300 km, or nothing"),
]
_Mhz = Annotated[
    Annotated[float, Field(ge=30, le=4000)] | None,
    MAY_BE_EMPTY,
    Field(description="30 to 4000 MHz, or nothing"),
]
_Width = Annotated[
    Annotated[float, Field(ge=0.1, le=100)] | None,
    MAY_BE_EMPTY,
    Field(description="0.1 to 100 MHz, or nothing"),
]
_Field = Annotated[
    Annotated[float, Field(ge=-50, le=200)] | None,
    MAY_BE_EMPTY,
    Field(description="-50 to 200 dB(uV/m), or nothing"),
]
_Percent = Annotated[
    Annotated[float, Field(ge=1, le=99)] | None, MAY_BE_EMPTY, Field(description="1 to 99 %, or nothing")
]
_Level = Annotated[
    Annotated[float, Field(ge=-150, le=0)] | None,
    MAY_BE_EMPTY,
    Field(description="-150 to 0 dBm, or nothing"),
]
_Height = Annotated[
    float,
    BeforeValidator(lambda text: finite(text) if isinstance(text, str) else text),
    Field(ge=1, le=500, description="1 to 500 m above ground"),
]
_Azimuth = Annotated[
    float | Literal["point"] | None,
    BeforeValidator(_azimuth),
    Field(description="degrees from true north, point, or nothing"),
]
_Polarisation = Annotated[Literal["", "H", "V", "M"], Field(description="H, V, M, or nothing")]


class LinkRow(StrippedRow):
    """A link from A to B; where B has a power, in both directions. Other columns pass through."""

    id: IdCell
    a_lon: _Lon = None
    a_lat: _Lat = None
    b_lon: _Lon = None
    b_lat: _Lat = None
    d_km: _Km = None
    channel: Annotated[
        Any, BeforeValidator(_channel), Field(description="a channel, a bond such as 20-21, auto")
    ] = ""
    f_mhz: _Mhz = None
    bandwidth_mhz: _Width = None
    a_power_w: _Watts = None
    a_power_dbm: _Dbm = None
    a_eirp_dbm: _Dbm = None
    a_gain_dbd: _Gain = None
    a_gain_dbi: _Gain = None
    a_feeder_db: _Loss = None
    a_height_m: _Height
    a_azimuth_deg: _Azimuth = None
    a_pattern: str = ""
    a_polarisation: _Polarisation = ""
    b_power_w: _Watts = None
    b_power_dbm: _Dbm = None
    b_eirp_dbm: _Dbm = None
    b_gain_dbd: _Gain = None
    b_gain_dbi: _Gain = None
    b_feeder_db: _Loss = None
    b_height_m: _Height
    b_azimuth_deg: _Azimuth = None
    b_pattern: str = ""
    b_polarisation: _Polarisation = ""
    other_loss_db: _Loss = None
    required_field_dbuvm: _Field = None
    required_for_q_pct: _Percent = None
    sensitivity_dbm: _Level = None
    noise_figure_db: _Loss = None
    device: str = ""

    @model_validator(mode="after")
    def _one_place(self) -> LinkRow:
        places = [self.a_lon, self.a_lat, self.b_lon, self.b_lat]
        if self.d_km is None and any(value is None for value in places):
            names = ("a_lon", "a_lat", "b_lon", "b_lat")
            missing = next(name for name, value in zip(names, places, strict=True) if value is None)
            raise row_problem(missing, "value is missing", "degrees of all four places, or d_km")
        if self.f_mhz is not None and self.channel != "":
            raise row_problem("f_mhz", "is given beside a channel", "one of both")
        if self.required_field_dbuvm is not None and self.sensitivity_dbm is not None:
            raise row_problem("sensitivity_dbm", "is given beside required_field_dbuvm", "one of both")
        return self

    @model_validator(mode="after")
    def _one_power_each(self) -> LinkRow:
        for side in "ab":
            powers = [f"{side}_{name}" for name in ("power_w", "power_dbm", "eirp_dbm")]
            given = [name for name in powers if getattr(self, name) is not None]
            if len(given) > 1:
                raise row_problem(given[1], f"is given beside {given[0]}", "one of both")
            if side == "a" and not given:
                raise row_problem("a_power_w", "value is missing", "a_power_w, a_power_dbm or a_eirp_dbm")
            if (
                getattr(self, f"{side}_gain_dbd") is not None
                and getattr(self, f"{side}_gain_dbi") is not None
            ):
                raise row_problem(f"{side}_gain_dbi", f"is given beside {side}_gain_dbd", "one of both")
            _check_pattern(self, side)
        return self

    @property
    def has_places(self) -> bool:
        """Whether both ends have coordinates."""
        return None not in (self.a_lon, self.a_lat, self.b_lon, self.b_lat)


class LinkEnd(NamedTuple):
    """One end: e.i.r.p. on the axis (NaN: receives only), antenna gain less feeder, height, pointing.

    ``azimuth_deg`` NaN: non-directional, inf: towards the other end.
    """

    eirp_dbm: float
    gain_dbi: float
    antenna_dbi: float
    height_m: float
    azimuth_deg: float
    pattern: str
    polarisation: str


def _check_pattern(row: LinkRow, side: str) -> None:
    text = getattr(row, f"{side}_pattern")
    if text in _PATTERNS:
        return
    try:
        values = [finite(part) for part in text.split(";")]
    except ValueError:
        values = []
    if len(values) not in PATTERN_POINTS or min(values) < 0.0:
        raise row_problem(
            f"{side}_pattern", "is no pattern", "none, BT.419, F.699, or 36 or 72 attenuations in dB"
        )


def read_links_table(path: Path) -> tuple[list[LinkRow], list[Mapping[str, str]]]:
    """The rows of a table of links and their cells as text; the first bad row is refused."""
    records = read_records(path, ("id", "a_height_m", "b_height_m"))
    raise_first(records.faults)
    rows = [check_record(path, record, LinkRow) for record in records.readable]
    known: set[str] = set()
    for row in rows:
        if row.id in known:
            raise InputError(
                "id occurs twice", file=path, row=row.row, field="id", value=row.id, allowed="a unique id"
            )
        known.add(row.id)
        _refuse_one_place(path, row)
    return rows, [record.values for record in records.readable]


def _refuse_one_place(path: Path, row: LinkRow) -> None:
    """InputError for a link whose ends are one place: no model knows its loss."""
    if not row.has_places:
        return
    _, _, length_m = GEOD.inv(row.a_lon, row.a_lat, row.b_lon, row.b_lat)
    if length_m < _SHORTEST_M:
        raise InputError(
            "both ends are at one place",
            file=path,
            row=row.row,
            field="b_lon",
            value=row.b_lon,
            allowed=f"{_SHORTEST_M:g} m or more apart",
        )


def end_of(row: LinkRow, side: str) -> LinkEnd:
    """One end of a link, ``a`` or ``b``."""

    def given(name: str) -> Any:  # noqa: ANN401 - a cell
        return getattr(row, f"{side}_{name}")

    antenna_dbi = _antenna_dbi(given("gain_dbd"), given("gain_dbi"))
    feeder_db = given("feeder_db") or 0.0
    power_dbm = watts_dbm(given("power_w")) if given("power_w") is not None else given("power_dbm")
    level_dbm = given("eirp_dbm")
    if level_dbm is None:
        level_dbm = (
            math.nan
            if power_dbm is None
            else eirp_dbm(power_dbm, antenna_dbi, feeder_db, row.other_loss_db or 0.0)
        )
    azimuth = given("azimuth_deg")
    azimuth_deg = math.inf if azimuth == POINT else math.nan if azimuth is None else float(azimuth)
    return LinkEnd(
        level_dbm,
        antenna_dbi - feeder_db,
        antenna_dbi,
        given("height_m"),
        azimuth_deg,
        given("pattern"),
        given("polarisation"),
    )


def _antenna_dbi(gain_dbd: float | None, gain_dbi: float | None) -> float:
    return gain_dbd + DIPOLE_GAIN_DBI if gain_dbd is not None else gain_dbi or 0.0


def off_axis_db(end: LinkEnd, bearing_deg: float, f_mhz: float) -> float:
    """Attenuation of an end's antenna in a direction, true north; 0 where it points there or everywhere."""
    return float(attenuation_db(end, np.array([bearing_deg]), f_mhz)[0])


def attenuation_db(end: LinkEnd, bearing_deg: NDArray[np.float64], f_mhz: float) -> NDArray[np.float64]:
    """The same for bearings of any shape."""
    if end.pattern not in _PATTERNS:
        return np.interp(bearing_deg, np.arange(360.0), pattern_db(end), period=360.0)
    if not math.isfinite(end.azimuth_deg) or end.pattern in ("", "none"):
        return np.zeros(bearing_deg.shape)
    off_deg = np.abs((bearing_deg - end.azimuth_deg + 180.0) % 360.0 - 180.0)
    return axis_attenuation_db(end, off_deg, f_mhz)


def has_direction(end: LinkEnd) -> bool:
    """Whether an end states where its antenna does not send."""
    filed = end.pattern not in _PATTERNS
    return filed or (end.pattern not in ("", "none") and math.isfinite(end.azimuth_deg))


def pointed(end: LinkEnd, bearing_deg: float) -> LinkEnd:
    """An end whose antenna points at the other one with that azimuth in degrees."""
    return end._replace(azimuth_deg=bearing_deg) if math.isinf(end.azimuth_deg) else end


def pattern_db(end: LinkEnd) -> NDArray[np.float32]:
    """The filed attenuations of an end at 0, 1, ... 359 degrees from true north."""
    return expand_pattern([float(part) for part in end.pattern.split(";")])


def axis_attenuation_db(end: LinkEnd, off_deg: NDArray[np.float64], f_mhz: float) -> NDArray[np.float64]:
    """Attenuation of a pattern of angles off the axis, 0 to 180, of any shape."""
    if end.pattern == "BT.419":
        flat_deg, end_deg = _BT419_DEG
        return _BT419_DB * np.clip((off_deg - flat_deg) / (end_deg - flat_deg), 0.0, 1.0)
    if end.pattern == "F.699":
        gains_dbi = [f699_gain_dbi(angle, end.antenna_dbi, f_mhz) for angle in off_deg.ravel().tolist()]
        return end.antenna_dbi - np.array(gains_dbi).reshape(off_deg.shape)
    return np.zeros(off_deg.shape)


def cross_polar_db(a: LinkEnd, b: LinkEnd) -> float:
    """Loss of crossed linear polarisations; mixed or unknown ones count as alike."""
    return _CROSS_POLAR_DB if {a.polarisation, b.polarisation} == {"H", "V"} else 0.0


def beyond_a5_3(row: LinkRow) -> list[str]:
    """What of a link lies outside the range of Table A5-3, as lines."""
    found = []
    for side in "ab":
        end = end_of(row, side)
        if side == "b" and math.isnan(end.eirp_dbm):
            continue
        power_w = getattr(row, f"{side}_power_w")
        if power_w is None and getattr(row, f"{side}_power_dbm") is not None:
            power_w = 10.0 ** (0.1 * (getattr(row, f"{side}_power_dbm") - 30.0))
        gain_dbd, gain_dbi = getattr(row, f"{side}_gain_dbd"), getattr(row, f"{side}_gain_dbi")
        values = {
            "power_w": power_w,
            "gain_dbd": gain_dbd if gain_dbi is None else gain_dbi - DIPOLE_GAIN_DBI,
            "height_m": end.height_m,
            "feeder_db": getattr(row, f"{side}_feeder_db"),
            "erp_dbw": erp_dbw(end.eirp_dbm),
        }
        for name, (low, high) in _A5_3.items():
            value, slack = values[name], _A5_3_SLACK[name]
            if value is not None and not low - slack <= value <= high + slack:
                found.append(
                    f"A5_3_RANGE link {row.id}, {side}_{name}: {value:.4g}, in Table A5-3 {low:g} to {high:g}"
                )
    return found


def channel_of_row(row: LinkRow, default: str) -> DeviceChannel | str | None:
    """The channel of a link, or ``AUTO``; None where it has a frequency."""
    if row.f_mhz is not None:
        return None
    if row.channel != "":
        found: DeviceChannel | str = row.channel
        return found
    if not default:
        raise InputError(
            "value is missing",
            file=row.file,
            row=row.row,
            field="channel",
            allowed="a channel, f_mhz, or --channel",
        )
    return AUTO if default == AUTO else channel_named(default)
