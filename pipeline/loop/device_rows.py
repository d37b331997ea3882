"""Files of the register of devices: a row each, checked, and the same columns on the way out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from pipeline.config.loop import LocationMethod
from pipeline.files import JsonObject
from pipeline.loop.devices import PLACE_STEPS, key_of
from pipeline.publish.release import UTC_FORMAT
from pipeline.query.paws import instant_text
from pipeline.rows.row_models import (
    MAY_BE_EMPTY,
    IdCell,
    NumberCell,
    StrippedRow,
    columns_of,
    read_rows,
    refuse_second,
    row_problem,
)

_DAY_FORMAT = "%Y-%m-%d"


def _empty_is_none(cell: object) -> object:
    return None if cell == "" else cell


def _instant(cell: object) -> object:
    """UTC seconds of a day or an instant."""
    if not isinstance(cell, str) or not cell:
        return None if cell == "" else cell
    for form in (UTC_FORMAT, _DAY_FORMAT):
        try:
            return int(datetime.strptime(cell, form).replace(tzinfo=UTC).timestamp())
        except ValueError:
            continue
    raise ValueError("is no instant")


def _octets(text: str) -> str:
    if len(text.encode()) > _MOST_OCTETS:
        raise ValueError("longer than 64 octets")
    return text


_MOST_OCTETS = 64
_OPTIONAL = BeforeValidator(_empty_is_none)
_Text = Annotated[str, BeforeValidator(_octets), Field(max_length=64, description="up to 64 octets")]
_Number = Annotated[float | None, MAY_BE_EMPTY, Field(description="a number, or empty")]
_Positive = Annotated[NumberCell, Field(gt=0, description="a number above 0")]
InstantCell = Annotated[int, BeforeValidator(_instant)]
"""UTC seconds of a day or an instant."""
MayBeInstantCell = Annotated[int | None, BeforeValidator(_instant)]
_Instant = Annotated[
    int | None,
    BeforeValidator(_instant),
    Field(description="UTC, such as 2026-12-05 or 2026-12-05T08:00:00Z"),
]


class DeviceRow(StrippedRow):
    """One device of ``devices.csv`` (docs/server.md)."""

    id: IdCell
    category: Literal["master", "slave"]
    kind: Literal["fixed", "portable", "mobile"]
    type: Annotated[Literal["A", "B"] | None, _OPTIONAL] = None
    emission_class: Annotated[Literal["1", "2", "3", "4", "5"] | None, _OPTIONAL] = None
    technology_id: _Text = ""
    manufacturer_id: _Text = ""
    model_id: _Text = ""
    serial_number: Annotated[_Text, Field(min_length=1)]
    fcc_id: Annotated[str, Field(max_length=19, description="up to 19 characters")] = ""
    fcc_type: Annotated[Literal["FIXED", "MODE_1", "MODE_2"] | None, _OPTIONAL] = None
    ruleset_ids: Annotated[str, Field(min_length=1, description="ids with ; between")]
    owner: _Text = ""
    operator: _Text = ""
    lon: Annotated[
        Annotated[float, Field(ge=-180, le=180, description="-180 to 180")] | None, MAY_BE_EMPTY
    ] = None
    lat: Annotated[Annotated[float, Field(ge=-90, le=90, description="-90 to 90")] | None, MAY_BE_EMPTY] = (
        None
    )
    uncertainty_m: Annotated[Annotated[float, Field(ge=0, le=10_000)] | None, MAY_BE_EMPTY] = None
    confidence_pct: Annotated[Annotated[float, Field(ge=0, le=100)] | None, MAY_BE_EMPTY] = None
    location_method: Annotated[LocationMethod | None, _OPTIONAL] = None
    indoor: Annotated[Literal["yes", "no"] | None, _OPTIONAL] = None
    height_m: Annotated[Annotated[float, Field(ge=-10_000, le=10_000)] | None, MAY_BE_EMPTY] = None
    height_type: Annotated[Literal["AGL", "AMSL"] | None, _OPTIONAL] = None
    height_uncertainty_m: Annotated[Annotated[float, Field(ge=0, le=10_000)] | None, MAY_BE_EMPTY] = None
    gain_dbi: _Number = None
    feeder_db: _Number = None
    polarisation: Annotated[Literal["H", "V", "M"] | None, _OPTIONAL] = None
    azimuth_deg: Annotated[Annotated[float, Field(ge=0, lt=360)] | None, MAY_BE_EMPTY] = None
    pattern: _Text = ""
    power_min_dbm: _Number = None
    power_step_db: _Number = None
    power_dbm: Annotated[NumberCell, Field(ge=-60, le=60, description="-60 to 60")]
    bandwidth_mhz: _Positive
    from_mhz: _Positive
    to_mhz: _Positive
    master_id: _Text = ""
    priority: Annotated[Annotated[float, Field(ge=1, le=99)] | None, MAY_BE_EMPTY] = None
    valid_from: _Instant = None
    valid_until: _Instant = None
    licence: _Text = ""
    approved: _Text = ""

    @model_validator(mode="after")
    def _complete(self) -> DeviceRow:
        needed: list[tuple[str, object]] = []
        if any(one.startswith("ETSI") for one in self.rulesets()):
            needed += [(name, getattr(self, name)) for name in ("type", "emission_class", "technology_id")]
        if any(one.startswith("Fcc") for one in self.rulesets()):
            needed += [(name, getattr(self, name)) for name in ("fcc_id", "fcc_type")]
        if self.kind == "fixed":
            needed += [(name, getattr(self, name)) for name in ("lon", "lat", "height_m")]
        if self.category == "slave":
            needed.append(("master_id", self.master_id))
        for name, value in needed:
            if value in (None, ""):
                raise row_problem(name, "is missing", "a value: the category, kind or ruleset asks for it")
        if self.from_mhz >= self.to_mhz:
            raise row_problem("from_mhz", "is not below to_mhz", "the range in which the device can work")
        return self

    def rulesets(self) -> list[str]:
        """Ids of the rulesets."""
        return [one.strip() for one in self.ruleset_ids.split(";") if one.strip()]

    def device_key(self) -> str:
        """What identifies the device."""
        return key_of(self.manufacturer_id or self.fcc_id, self.model_id, self.serial_number)


class ContactRow(StrippedRow):
    """One contact of ``contacts.csv``."""

    id: IdCell
    kind: Literal["individual", "org"]
    fn: Annotated[str, Field(min_length=1, description="a name")]
    org: str = ""
    adr: str = ""
    tel: str = ""
    email: str = ""


# Columns that the table of devices has by the same name; the rest is kept as details.
_SAME = (
    "category",
    "kind",
    "type",
    "technology_id",
    "manufacturer_id",
    "model_id",
    "serial_number",
    "fcc_id",
    "fcc_type",
    "uncertainty_m",
    "confidence_pct",
    "height_m",
    "height_type",
    "height_uncertainty_m",
    "valid_from",
    "valid_until",
)
_DETAILS = (
    "location_method",
    "indoor",
    "gain_dbi",
    "feeder_db",
    "polarisation",
    "azimuth_deg",
    "pattern",
    "power_min_dbm",
    "power_step_db",
    "power_dbm",
    "bandwidth_mhz",
    "from_mhz",
    "to_mhz",
    "licence",
    "approved",
)
COLUMNS = tuple(name for name in columns_of(DeviceRow) if name not in ("row", "file"))


def read_devices(path: Path) -> list[DeviceRow]:
    """All rows of a file; the first bad one is refused, as is a second one of an id or of a device."""
    rows = read_rows(path, DeviceRow)
    refuse_second(path, rows, ["id"])
    refuse_second(path, rows, ["manufacturer_id", "model_id", "serial_number", "fcc_id"])
    return rows


def columns_in_table(row: DeviceRow, masters: Mapping[str, str]) -> JsonObject:
    """The columns of the table of devices for a row; ``masters`` keys of devices by id."""
    found: JsonObject = {name: getattr(row, name) or None for name in _SAME}
    details = {name: value for name in _DETAILS if (value := getattr(row, name)) not in (None, "")}
    return found | {
        "register_id": row.id,
        "emission_class": int(row.emission_class) if row.emission_class else None,
        "height_m": row.height_m,
        "ruleset_ids": row.rulesets(),
        "owner_key": row.owner or None,
        "operator_key": row.operator or None,
        "lon_e7": None if row.lon is None else round(row.lon * PLACE_STEPS),
        "lat_e7": None if row.lat is None else round(row.lat * PLACE_STEPS),
        "master_key": masters.get(row.master_id) if row.master_id else None,
        "priority": None if row.priority is None else int(row.priority),
        "details": details,
        "state": "registered",
    }


def cells_of(device: JsonObject, ids: Mapping[str, str]) -> list[object]:
    """A row of ``devices.csv`` for a device of the table; ``ids`` of devices by key."""
    given: JsonObject = {name: device[name] for name in _SAME} | dict(device["details"])
    for name in ("valid_from", "valid_until"):
        given[name] = None if given[name] is None else instant_text(given[name])
    given |= {
        "id": ids[device["device_key"]],
        "emission_class": device["emission_class"],
        "ruleset_ids": ";".join(device["ruleset_ids"]),
        "owner": device["owner_key"],
        "operator": device["operator_key"],
        "lon": None if device["lon_e7"] is None else device["lon_e7"] / PLACE_STEPS,
        "lat": None if device["lat_e7"] is None else device["lat_e7"] / PLACE_STEPS,
        "master_id": ids.get(device["master_key"] or "", ""),
        "priority": device["priority"],
    }
    return ["" if given.get(name) is None else given[name] for name in COLUMNS]


def ids_by_key(devices: Sequence[JsonObject]) -> dict[str, str]:
    """Ids of devices by key; those that registered by themselves have none of their own, so their key."""
    return {one["device_key"]: one["register_id"] or one["device_key"] for one in devices}
