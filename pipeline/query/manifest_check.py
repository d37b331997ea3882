"""What a manifest must hold for answers: a damaged one is refused in one line that names the part.

Only what the tools read is checked; parts of later versions of the program may stand beside it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from pipeline.errors import InputError, fault_of_value
from pipeline.files import JsonObject
from pipeline.publish.release import UTC_FORMAT


def _moment(text: str) -> str:
    datetime.strptime(text, UTC_FORMAT)
    return text


def _inside(name: str) -> str:
    """The name of a file within the run's folder."""
    if not name or Path(name).is_absolute() or ".." in Path(name).parts or "\0" in name:
        raise ValueError("is not a file of the run")
    return name


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, allow_inf_nan=False, extra="ignore")


_Name = Annotated[str, Field(min_length=1)]
_File = Annotated[str, AfterValidator(_inside)]
_Utc = Annotated[str, AfterValidator(_moment)]
# Edges of channels and bandwidths of devices as a territory file may give them.
_EdgeHz = Annotated[float, Field(ge=1e6, le=1e11)]
_BandwidthHz = Annotated[float, Field(ge=1e3, le=1e8)]
_HeightM = Annotated[float, Field(gt=0.0, le=1e4)]
_EmissionClass = Annotated[int, Field(ge=1, le=5)]
_DeviceType = Literal["A", "B"]
_Id = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]
_Text = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]{1,64}$")]
_Level = Annotated[float, Field(ge=-1e3, le=1e3)]
_LEAST_WIDTH_HZ = 1e3
_Number = Annotated[int, Field(ge=1, le=999)]
_BondName = Annotated[str, Field(pattern=r"^\d{1,3}-\d{1,3}$")]
_Limits = dict[str, bool | float | Literal["0", "1"]]


class _Output(_Part):
    path: _File
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Input(_Part):
    key: str
    path: str
    sha256: str


class _Settings(_Part):
    settings: dict[str, Any]


class _DeviceChannels(_Part):
    dtt: list[_Number]
    device: list[_Number] | None = None


class _Software(_Part):
    code: dict[str, str]
    packages: dict[str, str | None] = {}


class _Manifest(_Part):
    """Of every run that is read."""

    territory: Annotated[str, Field(pattern=r"^[^/\\\x00]+$")]
    run_id: _Name | None = None
    config: _Settings
    inputs: list[_Input]
    channels: _DeviceChannels
    software: _Software
    outputs: list[_Output] = []


class _Ruleset(_Part):
    authority: Annotated[str, Field(pattern=r"^[A-Za-z]{2}$")]
    rulesetId: _Text
    maxLocationChange: Annotated[float, Field(gt=0.0, le=1e5)]
    maxPollingSecs: Annotated[float, Field(ge=1.0, le=31_622_400.0)]


class _Channel(_Part):
    channel: _Number | _BondName
    start_hz: _EdgeHz
    stop_hz: _EdgeHz

    @model_validator(mode="after")
    def _ascending(self) -> _Channel:
        if self.stop_hz - self.start_hz < _LEAST_WIDTH_HZ:
            raise ValueError("stop_hz is not above start_hz")
        return self


class _Device(_Part):
    id: _Id
    file: _File
    type: _DeviceType
    emission_class: _EmissionClass
    height_m: _HeightM
    bandwidth_hz: _BandwidthHz
    base_file: _File | None = None
    cap_dbm: _Level | None = None
    bond: int = 1
    limits: _Limits | None = None
    channels: Annotated[list[_Channel], Field(min_length=1)] | None = None


class _Slice(_Part):
    startTime: _Utc
    stopTime: _Utc
    files: dict[str, _File]


class _Slave(_Part):
    emission_class: _EmissionClass
    sensitivity_dbm: Annotated[float, Field(ge=-150.0, le=0.0)]
    antenna_gain_dbi: Annotated[float, Field(ge=-20.0, le=40.0)]
    height_m: dict[_DeviceType, _HeightM]
    environment: Literal["open", "suburban", "urban"]


class _Facts(_Part):
    ruleset: _Ruleset
    limits: _Limits
    channels: Annotated[list[_Channel], Field(min_length=1)]
    devices: Annotated[list[_Device], Field(min_length=1)]
    generic_slave: _Slave
    slices: list[_Slice] = []

    @model_validator(mode="after")
    def _told_apart(self) -> _Facts:
        for name, found in (
            ("devices", [device.id for device in self.devices]),
            ("channels", [channel.channel for channel in self.channels]),
        ):
            if len(set(found)) != len(found):
                raise ValueError(f"two {name} of one name")
        return self


class _Period(_Part):
    startTime: _Utc
    stopTime: _Utc


class _Queried(_Part):
    """Of a run that is queried."""

    run_id: _Text
    query: _Facts
    valid_utc: _Period


_PARTS: Mapping[str, type[_Part]] = {"read": _Manifest, "query": _Queried}


def read_manifest(path: Path) -> JsonObject:
    """The content of a manifest, checked as far as all tools read it; InputError otherwise."""
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"cannot be read ({type(error).__name__})", file=path) from None
    if not isinstance(manifest, dict):
        raise InputError("is no manifest", file=path, allowed="a JSON object")
    check_manifest(path, manifest, "read")
    return manifest


def check_manifest(path: Path, manifest: JsonObject, purpose: Literal["read", "query"]) -> None:
    """Refuse a manifest without what a purpose needs, naming the part."""
    try:
        _PARTS[purpose].model_validate(manifest)
    except (ValidationError, RecursionError) as error:
        raise _damaged(path, error) from None


def _damaged(path: Path, error: ValidationError | RecursionError) -> InputError:
    if isinstance(error, RecursionError):
        return InputError("is nested too deeply for a manifest", file=path)
    first = error.errors()[0]
    place = ".".join(map(str, first["loc"]))
    if first["type"] == "missing":
        kind = (
            "run holds nothing for queries"
            if place in {"query", "valid_utc"}
            else "lacks a part of a manifest"
        )
        allowed = "a run made by this version of the program"
        return InputError(kind, file=path, field=place, allowed=allowed)
    value = None if isinstance(first["input"], dict | list) else first["input"]
    problem = f"damaged manifest: {fault_of_value(first)}"
    return InputError(problem, file=path, field=place, value=value, allowed="a manifest as it was published")
