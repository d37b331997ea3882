"""Protection of DTT reception, and the devices it is protected from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from pipeline.config.base import (
    BondName,
    Identifier,
    Number,
    Section,
    Sourced,
    Whole,
    on_or_off,
    plain_number,
    within,
)
from pipeline.propagation.building_entry import Building, building_entry_db
from pipeline.shipped import TABLES

StationProtection = Literal["degradation", "threshold", "separation", "none"]
"""Rule by which the reception of a single station is protected, in a register."""
STATION_PROTECTIONS: dict[str, tuple[StationProtection, ...]] = {
    "degradation": ("degradation", "threshold", "none"),
    "threshold": ("threshold", "none"),
    "separation": ("separation", "none"),
}
"""Those that a station may have, by the method of the territory."""
MANDATORY_OFFSETS = (-3, -2, -1, 0, 1, 2, 3, 9)
"""Offsets that every territory evaluates: three channels on either side, image channel (SM.2405 Annex 7)."""

"""First and last channel of a bond, such as "20-21"."""
_WIDEST_CHANNEL_MHZ = 20.0


class Separation(Section):
    """Distances from the protected contour of each transmitter, read with `method: separation`."""

    contours: Path = TABLES / "separation_contours.csv"
    """Field of the protected contour by system and frequency."""
    distances: Path = TABLES / "separation_fcc.csv"
    """Separation by antenna height and e.i.r.p., co-channel and adjacent."""
    pmse_distances: Path = TABLES / "separation_pmse.csv"
    """The same from bookings of PMSE; a device without a row is not evaluated around them."""
    curves: Literal["fcc", "p1546"] = "fcc"
    """Curves of the contour: those of the FCC, or of Rec. ITU-R P.1546 (1.5 times the area at UHF)."""
    azimuth_step_deg: Annotated[Number, Field(ge=0.5, le=45)] = 1.0
    """Step between the radials of a contour."""


class Threshold(Section):
    """Occupied-by-threshold method (SM.2405 Annex 1; docs/method.md, section 13)."""

    field_dbuvm: Annotated[Sourced, within(0, 120)] | None = None
    """Field from which a channel is occupied; none: the planning field of the default mode."""
    offsets: Annotated[list[Whole], Field(min_length=1)] = [-1, 0, 1]
    """Channel offsets (device minus DTT), by their edges, that an occupied channel concerns; 0 is one."""
    adjacent: Literal["occupied", "cap"] = "occupied"
    """Beside an occupied channel: occupied too, or a cap."""
    adjacent_cap_dbm: dict[Annotated[int, Field(ge=1, le=99)], Annotated[Number, Field(ge=-50, le=60)]] = {}
    """Cap in dBm by distance in channels, with `adjacent: cap`."""

    @model_validator(mode="after")
    def _complete(self) -> Threshold:
        if 0 not in self.offsets:
            raise ValueError("offsets must name 0, the channel itself")
        beside = {abs(offset) for offset in self.offsets} - {0}
        if self.adjacent == "cap" and (missing := sorted(beside - set(self.adjacent_cap_dbm))):
            raise ValueError(f"adjacent_cap_dbm has no cap for the distances {missing}")
        return self


class Protection(Section):
    """Protection of DTT reception (docs/method.md, sections 5 to 13)."""

    method: Literal["degradation", "threshold", "separation"] = "degradation"
    """Location-probability degradation, occupied-by-threshold, or separation from protected contours."""
    offsets: list[Whole] | None = None
    """Offsets in victim's widths, device minus DTT, at which a device limits itself; none: all for which the
    table of ratios has a row. A list narrows them; -3 to +3 and +9 are mandatory (SM.2405 Annex 7)."""
    beyond_table: Literal["none", "last_row"] = "none"
    """Devices wholly beyond the outermost rows: not limited, or by the outermost row."""
    load: Literal["idle", "loaded"] = "idle"
    """Load of the devices; idle ones, which send short bursts, disturb receivers more (SM.2405 Annex 5)."""
    idle_penalty_db: Annotated[Sourced, BeforeValidator(plain_number), within(0, 60)] = Sourced(
        value=12.0, source="lower end of the 12 to 26 dB of ECC Report 138; 30 in BBC WHP 226", verified=False
    )
    """What an idle device costs beside the channel, where the row used was measured with a loaded one."""
    idle_on: Literal["selectivity", "ratio"] = "selectivity"
    """The penalty weakens the receiver's selectivity alone, or is added to the whole protection ratio."""
    tiers: Path | None = None
    """What receivers lose at high wanted levels, by level: see `configs/tables/tiers_example.csv`."""
    overload: Literal["rows", "none"] = "rows"
    """Receiver overload by the thresholds of the table of ratios, or not looked at."""
    overload_idle_db: Annotated[Sourced, BeforeValidator(plain_number), within(0, 30)] = Sourced(
        value=7.0, source="lower end of the 7 to 11 dB of ECC Report 138", verified=False
    )
    """By how much an idle device overloads a receiver earlier than a loaded one."""
    near_sigma_db: Annotated[Number, Field(ge=0, le=12)] = 3.5
    """Standard deviation of the device's field up to 80 m (SM.2405 Annex 5)."""
    far_sigma_db: Annotated[Number, Field(ge=0, le=12)] = 5.5
    """Standard deviation of the device's field beyond 80 m (SM.2405 Annex 5)."""
    fw_calibration: Literal["table", "flat", "off"] = "table"
    """What is taken off the permissible level because the nuisance is an approximated sum (section 5)."""
    fw_table: Path = TABLES / "fw_calibration.yaml"
    """The table of it by sigma_U and location probability."""
    sea_paths: Literal["coastal", "ignore"] = "coastal"
    """Paths over sea: all sea for coastal victims, for others the largest share that the distances of both
    ends from the sea admit; `ignore` is named in the manifest."""
    sea_classes_km: Annotated[list[Number], Field(min_length=1)] = [0.0, 5.0, 10.0, 20.0, 40.0, 70.0]
    """Lower edges of the classes of distance from the sea, from 0 up."""
    height_sectors: Literal[1, 2, 3, 4, 6, 8, 9, 12, 18, 24, 36, 72] = 24
    """Directions around a device for which its ground has a height above the surroundings."""
    height_rings_km: Annotated[list[Number], Field(max_length=12)] = [1.0, 2.0, 4.0, 7.0, 11.0, 15.0]
    """Edges of the distances for which it has one."""
    height_ratio: Annotated[Number, Field(ge=1.05, le=3)] = 1.25
    """Ratio of the effective heights of neighbouring classes: larger is safer, coarser and faster."""
    assumed_heff_m: Annotated[Number, Field(ge=1, le=3000)] | None = None
    """No device has a lower effective height: for territories without a terrain model."""
    near_slant: Literal["antennas", "horizontal"] = "antennas"
    """Path up to 80 m: between the antennas on level ground, or the horizontal distance alone, for slopes."""
    wsd_terrain: Annotated[Literal["off", "checked"], BeforeValidator(on_or_off)] = "off"
    """`checked`: at a sample of pixels the paths of devices to the receivers that decide are computed over
    terrain and held against those of the limits (section 39); no limit changes."""
    wsd_terrain_pct: Annotated[Number, Field(gt=0, le=100)] = 1.0
    """Share of the territory's pixels in that sample, drawn by their number; 100: all."""
    wsd_terrain_seed: Annotated[Whole, Field(ge=0, le=999999)] = 0
    """Another number draws another sample."""
    device_path: Literal["homogeneous", "smaller", "p1812"] = "homogeneous"
    """Path of devices to receivers of services at known places, and of devices in `aggregate`: homogeneous,
    over terrain by Rec. ITU-R P.1812 where it is known, or the smaller loss of both (section 40)."""
    device_path_km: Annotated[Number, Field(ge=1, le=100)] = 60.0
    """Distance up to which paths are computed over terrain; farther ones are homogeneous."""
    threshold: Threshold = Threshold()
    """Settings of the threshold method."""
    separation: Separation = Separation()
    """Settings of the separation method."""
    ratios: Path = TABLES / "protection_ratios.csv"
    """Protection ratios of the wanted modes against white-space devices."""
    dtt_ratios: Path = TABLES / "dtt_protection_ratios.csv"
    """Protection ratios of DTT against DTT."""
    modes: Path = TABLES / "modes.csv"
    """Systems and modes with their C/N."""
    device_classes: Path = TABLES / "device_classes.csv"
    """Leakage ratios of the device classes."""
    extra_aclr_db: Annotated[Number, Field(ge=0, le=60)] = 0.0
    """Filters at the outputs of all devices: so much less than their class leaks outside their channel;
    also less than the floor of leakage."""

    @model_validator(mode="after")
    def _ascending(self) -> Protection:
        rings_km, sea_km = self.height_rings_km, self.sea_classes_km
        if rings_km != sorted(set(rings_km)) or any(not 0 < edge <= 100 for edge in rings_km):
            raise ValueError("height_rings_km are distances up to 100, ascending")
        if sea_km != sorted(set(sea_km)) or sea_km[0] != 0:
            raise ValueError("sea_classes_km are distances from 0 up, ascending")
        return self

    @model_validator(mode="after")
    def _mandatory_offsets(self) -> Protection:
        if self.offsets is None:
            return self
        if missing := sorted(set(MANDATORY_OFFSETS) - set(self.offsets)):
            raise ValueError(f"offsets {missing} are mandatory")
        if len(set(self.offsets)) != len(self.offsets):
            raise ValueError("an offset is named twice")
        return self


class Indoor(Section):
    """Devices inside buildings (Ofcom: type B higher than 2 m counts as indoor)."""

    above_m: Annotated[Number, Field(ge=0, le=500)] | None = None
    """A device of type B whose antenna is higher than this counts as indoor; none: this device is declared to
    be used in buildings only, whatever its type."""
    building_loss_db: Annotated[Sourced, within(0, 40)] | None = None
    """Building entry loss: added to what DTT reception allows, before the caps. None: that of `building`."""
    building: Building | None = None
    """Kind of building for the loss of Rec. ITU-R P.2109, the least of the channels that devices may use."""
    probability_pct: Annotated[Number, Field(ge=1, le=50)] = 50.0
    """Share of the places in such buildings with no more than this loss: 50 is the median, less is safer."""

    @model_validator(mode="after")
    def _some_loss(self) -> Indoor:
        if self.building_loss_db is None and self.building is None:
            raise ValueError("give `building_loss_db` or `building`")
        if self.building is None and self.probability_pct != 50.0:
            raise ValueError("probability_pct does nothing without `building`")
        return self

    def with_loss(self, f_mhz: Sequence[float]) -> Indoor:
        """These settings with the least loss of the building at some frequencies, rounded down to 0.01 dB.

        ValueError where another one is stated beside the building, and for frequencies that it is not for.
        """
        if self.building is None:
            return self
        losses_db = [
            building_entry_db(1e-3 * f, self.building, probability_pct=self.probability_pct) for f in f_mhz
        ]
        words = f"{self.building.replace('_', ' ')} building, {self.probability_pct:g} %"
        loss_db = Sourced(
            value=math.floor(100.0 * min(losses_db)) / 100.0,
            source=f"Rec. ITU-R P.2109, {words}, as public programs have it; least of the channels",
            verified=False,
        )
        if self.building_loss_db not in (None, loss_db):
            raise ValueError("give `building_loss_db` or `building`, not both")
        return self.model_copy(update={"building_loss_db": loss_db})


def _profile_or_all(schema: dict[str, Any]) -> None:
    """A device names a profile, or gives every value itself; its id is always its own."""
    whole = [name for name in schema["required"] if name != "id"]
    schema["required"] = ["id"]
    schema["anyOf"] = [{"required": ["profile"]}, {"required": whole}]


class Device(Section):
    """One profile of white-space devices; each has its own set of published layers."""

    model_config = ConfigDict(json_schema_extra=_profile_or_all)

    id: Identifier
    """Short name used in file names."""
    profile: str | None = None
    """Entry of `device_profiles` whose values hold where this device gives none."""
    type: Literal["A", "B"] = "A"
    """EN 301 598: A is fixed, B is not."""
    emission_class: Annotated[Whole, Field(ge=1, le=5)]
    """Emission class of EN 301 598."""
    height_m: Annotated[Number, Field(ge=1, le=500)]
    """Antenna height above ground."""
    bond: Annotated[Whole, Field(ge=1, le=8)] = 1
    """Number of channels that touch which the device radiates over as one; its layers are those of bonds
    such as 20-21, its available channels are bonds."""
    bonds: Annotated[list[BondName], Field(min_length=1)] | None = None
    """Bonds to publish, such as "20-21"; none: all that `channels.wsd` has."""
    bandwidth_mhz: Annotated[Number, Field(ge=0.001, le=160)] = 8.0
    """Bandwidth the permitted e.i.r.p. refers to, at most 20 MHz for each channel of a bond; the emission
    lies in the middle of its channel or bond."""
    indoor: Indoor | None = None
    """When the device counts as indoor; none: it never does."""
    min_separation_m: Annotated[Sourced, within(1, 1000)]
    """Smallest distance to a receiver in the device's own and the touching pixels."""
    cap_dbm: Annotated[Number, Field(ge=-50, le=60)]
    """Largest e.i.r.p. whatever the protection allows."""
    cap_density_dbm_per_100khz: Annotated[Number, Field(ge=-70, le=60)] | None = None
    """Largest e.i.r.p. density: 36 dBm in 8 MHz is 16.97."""
    min_eirp_dbm: Annotated[Number, Field(ge=-99, le=60)] | None = None
    """Least e.i.r.p. of the device, up to the cap; where less is allowed the channel is published as not
    permitted (SM.2405 Annex 7 (b)). None: by `power_min_dbm`, else 24.15 dBm for type A at 10 m or higher
    (SM.2405 Table A5-3), 0 dBm for all others, and never above 3 dB below the cap."""
    power_min_dbm: Annotated[Number, Field(ge=-99, le=60)] | None = None
    """Least conducted power: with gain and feeder loss it gives the least e.i.r.p."""
    gain_dbi: Annotated[Number, Field(ge=-30, le=60)] = 0.0
    """Gain of the device's antenna; counts with `power_min_dbm` only."""
    feeder_db: Annotated[Number, Field(ge=0, le=60)] = 0.0
    """Loss between the device and its antenna; counts with `power_min_dbm` only."""
    dq_pct: Annotated[Number, Field(ge=0.001, le=30)] = 1.0
    """Allowed fall of location probability, in percentage points."""
    polarisation: Literal["H", "V", "unknown"] = "unknown"
    """Polarisation of the device's antenna; unknown gains no polarisation discrimination."""
    load: Literal["idle", "loaded"] | None = None
    """Load of this device; none: `protection.load`."""
    idle_penalty_db: Annotated[Sourced, BeforeValidator(plain_number), within(0, 60)] | None = None
    """What this device costs when idle; none: `protection.idle_penalty_db`."""
    margin_db: Annotated[Number, Field(ge=0, le=30)] = 0.0
    """Margin for several devices at one point."""

    @property
    def is_indoor(self) -> bool:
        """Whether the device counts as indoor: declared, or type B above a height."""
        if self.indoor is None:
            return False
        above_m = self.indoor.above_m
        return above_m is None or (self.type == "B" and self.height_m > above_m)

    @property
    def unread(self) -> frozenset[str]:
        """`indoor` of a device that never counts as indoor."""
        return frozenset() if self.is_indoor else frozenset({"indoor"})

    @model_validator(mode="after")
    def _fits(self) -> Device:
        if self.bandwidth_mhz > _WIDEST_CHANNEL_MHZ * self.bond:
            allowed = f"at most {_WIDEST_CHANNEL_MHZ * self.bond:g} MHz"
            raise ValueError(f"bandwidth_mhz {self.bandwidth_mhz:g} is too wide: {allowed}")
        if len(set(self.bonds or ())) != len(self.bonds or ()):
            raise ValueError("bonds names one twice")
        return self

    @model_validator(mode="before")
    @classmethod
    def _renamed(cls, content: Any) -> Any:  # noqa: ANN401 - whatever the file holds
        """The old name of `idle_penalty_db`, which stays valid; it is an error to give both."""
        if not isinstance(content, dict) or "burst_penalty_db" not in content:
            return content
        if "idle_penalty_db" in content:
            raise ValueError("burst_penalty_db is the old name of idle_penalty_db, which is given too")
        renamed = dict(content)
        renamed["idle_penalty_db"] = renamed.pop("burst_penalty_db")
        return renamed

    @model_validator(mode="after")
    def _may_transmit(self) -> Device:
        if self.min_eirp_dbm is not None and self.min_eirp_dbm > self.cap_dbm:
            least = f"min_eirp_dbm, {self.min_eirp_dbm:g} dBm"
            raise ValueError(f"{least}, is above cap_dbm, {self.cap_dbm:g} dBm: it could never transmit")
        return self
