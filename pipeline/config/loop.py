"""Section on the database in service: devices, what they use, and how they are answered."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from pipeline.config.base import Identifier, Number, RulesetId, Section, UtcInstant, Whole, on_or_off

LocationMethod = Literal["gnss", "survey", "network", "ip", "operator"]
"""How a device knows where it is."""


class LoopRate(Section):
    """How often a device or an address may ask; 0 is no limit."""

    device_per_s: Annotated[Number, Field(ge=0, le=1e6)] = 1.0
    """Requests of one device in a second, on average."""
    device_burst: Annotated[Whole, Field(ge=1, le=1_000_000)] = 10
    """Requests of one device at once."""
    address_per_s: Annotated[Number, Field(ge=0, le=1e6)] = 20.0
    """Requests from one address in a second, on average."""
    address_burst: Annotated[Whole, Field(ge=1, le=1_000_000)] = 100
    """Requests from one address at once."""
    register_per_min: Annotated[Number, Field(ge=0, le=1e6)] = 1.0
    """Registrations of one device in a minute, on average; `device_burst` at once."""


class LoopRuleset(Section):
    """Rules that are answered beside those of the run."""

    id: RulesetId
    """Identifier of the rules, as devices name them in `rulesetIds`."""
    required: list[Annotated[str, Field(min_length=1, max_length=64)]] = []
    """Members that the rules demand in `deviceDesc`, beside those of their family (ETSI, FCC)."""
    resolution_hz: Annotated[list[Annotated[Number, Field(ge=1e3, le=1e8)]], Field(min_length=1)] | None = (
        None
    )
    """Bandwidths that levels are given in; none: those of the family, else the width of a channel."""
    registration: Annotated[Literal["required", "optional", "off"], BeforeValidator(on_or_off)] | None = None
    """Whether devices under these rules must be registered; none: as `loop.registration`."""
    profiles: dict[str, Identifier] = {}
    """Device of the maps by type of device (`FIXED`, `MODE_1`, `MODE_2`, `A`, `B`)."""


class LoopSharing(Section):
    """How much of the spectrum one owner's devices may have; a device without owner is its own."""

    max_bandwidth_mhz: Annotated[Number, Field(gt=0, le=10_000)] | None = None
    """Bandwidth that an owner's devices use at one place; none: no limit."""
    max_share_of_available: Annotated[Number, Field(gt=0, le=1)] | None = None
    """Part of the channels that are free at a place, at least one of them; none: no limit."""
    max_hours_per_day: Annotated[Number, Field(gt=0, le=24)] | None = None
    """Hours of a day (UTC) in which any of an owner's devices is in use; none: no limit."""
    max_devices_per_km2: Annotated[Number, Field(gt=0, le=1e6)] | None = None
    """Devices of an owner in use in the square kilometre around a place; none: no limit."""


class LoopDatabase(Section):
    """Another database, as answers name it."""

    name: Annotated[str, Field(min_length=1, max_length=64)]
    """Name of the database."""
    uri: Annotated[str, Field(min_length=1, max_length=1024)]
    """Where devices ask it."""


class Loop(Section):
    """What `channelmaps serve` does beside answering from the maps; a file of its own may replace it."""

    aggregate: Annotated[Literal["off", "margin", "enforce"], BeforeValidator(on_or_off)] = "enforce"
    """`enforce`: devices together stay below what one may do; `margin`: counted only; `off`: neither."""
    policy: Literal["first_come", "priority"] = "first_come"
    """Among devices: nobody makes room for another, or lower levels of the register do for higher ones."""
    sharing: LoopSharing = LoopSharing()
    """Limits for the devices of one owner."""
    databases: Annotated[Whole, Field(ge=1, le=1000)] = 1
    """Databases that answer devices in this territory at the same time."""
    share: Annotated[Number, Field(gt=0, le=1)] | None = None
    """This database's part of what devices together may cause; none: one of `databases` equal parts."""
    registration: Annotated[Literal["required", "optional", "off"], BeforeValidator(on_or_off)] = "optional"
    """Whether devices must be registered before they get spectrum; `off`: nobody can register."""
    rulesets: list[LoopRuleset] = []
    """Rules answered beside `query.ruleset_id`."""
    rate: LoopRate = LoopRate()
    """Limits on how often is asked."""
    slaves_need_master: bool = True
    """Whether a slave is answered only where its master is named and known."""
    enlarge_low_confidence: bool = False
    """A place known with less than 95 %: a larger circle instead of a refusal (not below 50 %)."""
    max_uncertainty_m: Annotated[Number, Field(ge=1, le=100_000)] = 10_000.0
    """Largest uncertainty of a place that is answered."""
    min_uncertainty_m: dict[LocationMethod, Annotated[Number, Field(ge=0, le=100_000)]] = {}
    """Least uncertainty of devices by how the register says they are located; none: as they say."""
    max_region_km2: Annotated[Number, Field(gt=0, le=100_000)] = 400.0
    """Largest region that is answered."""
    max_batch_locations: Annotated[Whole, Field(ge=1, le=100)] = 100
    """Places of one request that are answered, the first ones."""
    grace_s: Annotated[Whole, Field(ge=0, le=86_400)] = 30
    """A device that is silent for this much longer than its polling interval counts as lost."""
    keep_days: Annotated[Whole, Field(ge=1, le=36_500)] = 400
    """How long requests and offers are kept."""
    admin_token_sha256: Annotated[str, Field(min_length=64, max_length=64)] | None = None
    """SHA-256 (hex) of the token that `/v1/devices` and `/v1/uses` ask for; none: they answer nobody."""
    client_tokens: dict[Annotated[str, Field(pattern="^[0-9a-f]{64}$")], str] = {}
    """Owner (key of contacts; empty: any) by SHA-256 (hex) of the token of its devices; none: no token."""
    uri: Annotated[str, Field(min_length=1, max_length=1024)] | None = None
    """Where devices ask this database; with `listing` a start without it there is told of."""
    listing: Path | None = None
    """Listing of approved databases (JSON); neighbours in it are named to devices that are outside."""
    moved_to: list[LoopDatabase] = []
    """Databases that take over; named in every answer (`databaseChange`) until `moved_from`."""
    moved_from: UtcInstant | None = None
    """Instant (UTC) from which devices are only sent on to `moved_to` (-105)."""
