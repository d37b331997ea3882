"""Base stations as a user describes them: sectors and radios, in YAML or as a table with a row per radio."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError, model_validator

from pipeline.config.base import Number, Section, Whole
from pipeline.config.bonds import DeviceChannel, channel_named, channels_in
from pipeline.config.channels import ChannelList
from pipeline.config.load import read_model
from pipeline.errors import InputError
from pipeline.links.link_rows import AUTO
from pipeline.radio.antennas import expand_pattern
from pipeline.radio.conventions import PATTERN_POINTS
from pipeline.rows.row_models import (
    IdCell,
    LatCell,
    LonCell,
    NumberCell,
    StrippedRow,
    read_rows,
    refuse_second,
)

# Sector pattern without a filed one: 12 (phi / beamwidth)^2, at most 20 dB (project choice).
_SECTOR_DB, _SECTOR_MOST_DB = 12.0, 20.0


def _channel(text: object) -> object:
    word = str(text).strip()
    if word != AUTO:
        channel_named(word)
    return word


_Id = Annotated[str, Field(min_length=1, max_length=64)]
_ChannelName = Annotated[
    str, BeforeValidator(_channel), Field(description="auto, a channel, or a bond such as 20-21")
]


class StationRadio(Section):
    """A radio of a sector: one channel, or one bond."""

    id: _Id
    """Its name."""
    channel: _ChannelName = AUTO
    """Channel, bond such as 20-21, or auto."""
    bond: Annotated[Whole, Field(ge=1, le=8)] = 1
    """Channels beside each other that `auto` takes together."""
    bandwidth_mhz: Annotated[Number, Field(ge=0.1, le=100)] | None = None
    """Bandwidth; none: that of the table of modes, for each channel of a bond."""

    @model_validator(mode="after")
    def _bond_is_chosen(self) -> StationRadio:
        if self.channel != AUTO and self.bond != 1:
            raise ValueError("bond goes with channel auto")
        return self


class StationSector(Section):
    """A sector: where its antenna points, and with how much power."""

    id: _Id
    """Its name."""
    azimuth_deg: Annotated[Number, Field(ge=0, le=360)] = 0.0
    """Axis, true north."""
    beamwidth_deg: Annotated[Number, Field(gt=0, le=360)] | None = None
    """Width at 3 dB; none and no pattern: non-directional."""
    pattern: Annotated[list[Number], Field(min_length=36, max_length=72)] | None = None
    """36 or 72 attenuations in dB from true north."""
    gain_dbi: Annotated[Number, Field(ge=-10, le=40)]
    """Gain on the axis."""
    feeder_db: Annotated[Number, Field(ge=0, le=30)] = 0.0
    """Feeder loss."""
    power_dbm: Annotated[Number, Field(ge=-60, le=90)]
    """Power of the transmitter of each radio."""
    radios: Annotated[list[StationRadio], Field(min_length=1)]
    """Radios of the sector."""

    @model_validator(mode="after")
    def _points(self) -> StationSector:
        if self.pattern is not None and (len(self.pattern) not in PATTERN_POINTS or min(self.pattern) < 0.0):
            raise ValueError("pattern must have 36 or 72 attenuations of at least 0 dB")
        return self


class BaseStation(Section):
    """A base station."""

    id: _Id
    """Its name."""
    lon: Annotated[Number, Field(ge=-180, le=180)]
    """Longitude, WGS84."""
    lat: Annotated[Number, Field(ge=-90, le=90)]
    """Latitude, WGS84."""
    height_m: Annotated[Number, Field(ge=1, le=500)]
    """Antennas above ground."""
    sectors: Annotated[list[StationSector], Field(min_length=1)]
    """Its sectors."""
    tdd_share: Annotated[Number, Field(gt=0, le=1)] = 0.5
    """Share of the time of each direction where both share a channel."""
    tcp_mbps: Annotated[Number, Field(gt=0, le=10_000)] | None = None
    """Throughput of a channel, if it is known; none: computed from the maps."""
    device: str | None = None
    """Device of the run whose limits count; none: by height."""
    ban: tuple[int, ...] = ()
    """Channels that the station leaves alone though they are permitted."""
    extra_aclr_db: Annotated[Number, Field(ge=0, le=60)] = 0.0
    """A filter at the outputs: so much less than the device's class leaks; counts with --pointing."""
    cpe: tuple[str, ...] = ()
    """Client radios that the station serves; none: any."""
    note: Annotated[str, Field(max_length=200)] = ""
    """What is to be said of it beside its capacity."""


class BaseStations(Section):
    """A file of base stations."""

    stations: Annotated[list[BaseStation], Field(min_length=1)]
    """The stations."""


def choosing_from(stations: Sequence[BaseStation], channels: str, mapped: Sequence[int]) -> list[BaseStation]:
    """The stations with radios that choose among some mapped channels only, "21-36,42"; `auto`: among all."""
    if channels == AUTO:
        return list(stations)
    allowed = f"auto, or some of the mapped channels, such as {mapped[0]} or {mapped[0]}-{mapped[-1]}"
    try:
        parts = [part.strip() for part in channels.split(",")]
        named = [int(part) if part.isdecimal() else part for part in parts]
        chosen = set(TypeAdapter(ChannelList).validate_python(named))
    except ValidationError:
        chosen = set()
    if not chosen or not chosen <= set(mapped):
        raise InputError("is not allowed", field="--channels", value=channels, allowed=allowed)
    others = set(mapped) - chosen
    return [one.model_copy(update={"ban": tuple(sorted({*one.ban, *others}))}) for one in stations]


class _RadioRow(StrippedRow):
    station: IdCell
    lon: LonCell
    lat: LatCell
    height_m: NumberCell
    sector: IdCell
    azimuth_deg: str = ""
    beamwidth_deg: str = ""
    gain_dbi: NumberCell
    feeder_db: NumberCell = 0.0
    power_dbm: NumberCell
    radio: IdCell
    channel: str = AUTO
    bandwidth_mhz: str = ""
    bond: str = ""


class SiteRow(StrippedRow):
    """A place to be served, such as a school."""

    id: IdCell
    name: str = ""
    lon: LonCell
    lat: LatCell
    cpe: str = ""


class RadioOf(NamedTuple):
    """A radio with the station and the sector that it belongs to, and its place among all."""

    station: BaseStation
    sector: StationSector
    radio: StationRadio

    @property
    def key(self) -> tuple[str, str]:
        """Ids of its station and sector."""
        return self.station.id, self.sector.id

    @property
    def channel(self) -> DeviceChannel | None:
        """Its channel; None: to be chosen."""
        return None if self.radio.channel == AUTO else channel_named(self.radio.channel)

    @property
    def width(self) -> int:
        """How many channels it takes together."""
        return self.radio.bond if self.channel is None else len(channels_in(self.channel))


def read_stations(path: Path) -> list[BaseStation]:
    """The stations of a YAML (a list, or ``stations``) or of a CSV with a row for each radio."""
    is_table = path.suffix.lower() == ".csv"
    stations = _from_table(path) if is_table else read_model(path, BaseStations, "stations").stations
    known: set[str] = set()
    for station in stations:
        sectors = [sector.id for sector in station.sectors]
        if station.id in known or len(set(sectors)) != len(sectors):
            raise InputError("id occurs twice", file=path, field="id", value=station.id, allowed="unique ids")
        known.add(station.id)
    return stations


def _from_table(path: Path) -> list[BaseStation]:
    rows = read_rows(path, _RadioRow)
    refuse_second(path, rows, ("station", "sector", "radio"))
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        station = found.setdefault(
            row.station,
            {"id": row.station, "lon": row.lon, "lat": row.lat, "height_m": row.height_m, "sectors": {}},
        )
        for name in ("lon", "lat", "height_m"):
            if station[name] != getattr(row, name):
                raise InputError(
                    "differs from the row above of the same station",
                    file=path,
                    row=row.row,
                    field=name,
                    value=getattr(row, name),
                    allowed=str(station[name]),
                )
        sector = station["sectors"].setdefault(row.sector, _sector_of(path, row))
        width_mhz = _number_of(path, row, "bandwidth_mhz")
        bond = int(_number_of(path, row, "bond") or 1)
        radio = {"id": row.radio, "channel": row.channel or AUTO, "bandwidth_mhz": width_mhz, "bond": bond}
        sector["radios"].append(radio)
    whole = [station | {"sectors": list(station["sectors"].values())} for station in found.values()]
    try:
        return [BaseStation.model_validate(station) for station in whole]
    except ValueError as error:
        raise InputError(f"is no table of radios: {error}", file=path) from None


def _sector_of(path: Path, row: _RadioRow) -> dict[str, Any]:
    return {
        "id": row.sector,
        "azimuth_deg": _number_of(path, row, "azimuth_deg") or 0.0,
        "beamwidth_deg": _number_of(path, row, "beamwidth_deg"),
        "gain_dbi": row.gain_dbi,
        "feeder_db": row.feeder_db,
        "power_dbm": row.power_dbm,
        "radios": [],
    }


def _number_of(path: Path, row: _RadioRow, name: str) -> float | None:
    text = getattr(row, name)
    try:
        return float(text) if text else None
    except ValueError:
        raise InputError("not a number", file=path, row=row.row, field=name, value=text) from None


def all_radios(stations: list[BaseStation]) -> list[RadioOf]:
    """Every radio, in the order of the file."""
    return [
        RadioOf(station, sector, radio)
        for station in stations
        for sector in station.sectors
        for radio in sector.radios
    ]


def sector_attenuation_db(sector: StationSector, bearing_deg: NDArray[np.float64]) -> NDArray[np.float64]:
    """Attenuation of a sector's antenna towards bearings, any shape."""
    if sector.pattern is not None:
        table = expand_pattern(sector.pattern).astype(np.float64)
        return np.interp(bearing_deg, np.arange(360.0), table, period=360.0)
    if sector.beamwidth_deg is None:
        return np.zeros(bearing_deg.shape)
    off_deg = np.abs((bearing_deg - sector.azimuth_deg + 180.0) % 360.0 - 180.0)
    return np.minimum(_SECTOR_DB * (off_deg / sector.beamwidth_deg) ** 2, _SECTOR_MOST_DB)
