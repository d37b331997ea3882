"""Protection of DTT reception, and the devices it is protected from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, model_validator

from pipeline.config.base import Identifier, Number, Section, Sourced, Whole, within
from pipeline.shipped import TABLES


class Separation(Section):
    """Distances from the protected contour of each transmitter, read with `method: separation`."""

    contours: Path = TABLES / "separation_contours.csv"
    """Field of the protected contour by system and frequency."""
    distances: Path = TABLES / "separation_fcc.csv"
    """Separation by antenna height and e.i.r.p., co-channel and adjacent."""
    azimuth_step_deg: Annotated[Number, Field(ge=0.5, le=45)] = 1.0
    """Step between the radials of a contour."""


class Threshold(Section):
    """Occupied-by-threshold method (SM.2405 Annex 1; docs/method.md, section 13)."""

    field_dbuvm: Annotated[Sourced, within(0, 120)] | None = None
    """Field from which a channel is occupied; none: the planning field of the default mode."""
    offsets: Annotated[list[Whole], Field(min_length=1)] = [0]
    """Channel offsets (device minus DTT) that an occupied channel blocks."""


class Protection(Section):
    """Protection of DTT reception (docs/method.md, sections 5 to 13)."""

    method: Literal["degradation", "threshold", "separation"] = "degradation"
    """Location-probability degradation, occupied-by-threshold, or separation from protected contours."""
    offsets: list[Whole] = [-3, -2, -1, 0, 1, 2, 3, 9]
    """Channel offsets device minus DTT; -3 to +3 and +9 are mandatory."""
    near_sigma_db: Annotated[Number, Field(ge=0, le=12)] = 3.5
    """Standard deviation of the device's field up to 80 m (SM.2405 Annex 5)."""
    far_sigma_db: Annotated[Number, Field(ge=0, le=12)] = 5.5
    """Standard deviation of the device's field beyond 80 m (SM.2405 Annex 5)."""
    sea_paths: Literal["coastal", "ignore"] = "coastal"
    """Coastal victims use the smaller loss of land and sea; `ignore` is named in the manifest."""
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

    @model_validator(mode="after")
    def _mandatory_offsets(self) -> Protection:
        if missing := sorted({-3, -2, -1, 0, 1, 2, 3, 9} - set(self.offsets)):
            raise ValueError(f"offsets {missing} are mandatory")
        if len(set(self.offsets)) != len(self.offsets):
            raise ValueError("an offset is named twice")
        return self


class Indoor(Section):
    """Devices inside buildings (Ofcom: type B higher than 2 m counts as indoor)."""

    above_m: Annotated[Number, Field(ge=0, le=500)]
    """A device of type B whose antenna is higher than this counts as indoor."""
    building_loss_db: Annotated[Sourced, within(0, 40)]
    """Building entry loss: added to what DTT reception allows, before the caps."""


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
    bandwidth_mhz: Annotated[Number, Field(ge=0.001, le=20)] = 8.0
    """Bandwidth the permitted e.i.r.p. refers to; the emission lies in the middle of its channel."""
    indoor: Indoor | None = None
    """When the device counts as indoor; none: it never does."""
    min_separation_m: Annotated[Sourced, within(1, 1000)]
    """Smallest distance to a receiver in the device's own and the touching pixels."""
    cap_dbm: Annotated[Number, Field(ge=-50, le=60)]
    """Largest e.i.r.p. whatever the protection allows."""
    cap_density_dbm_per_100khz: Annotated[Number, Field(ge=-70, le=60)] | None = None
    """Largest e.i.r.p. density: 36 dBm in 8 MHz is 16.97."""
    min_eirp_dbm: Annotated[Number, Field(ge=-99, le=60)]
    """Below this the device does not transmit: published as not permitted; up to the cap."""
    dq_pct: Annotated[Number, Field(ge=0.001, le=30)] = 1.0
    """Allowed fall of location probability, in percentage points."""
    polarisation: Literal["H", "V", "unknown"] = "unknown"
    """Polarisation of the device's antenna; unknown gains no polarisation discrimination."""
    burst_penalty_db: Annotated[Sourced, within(0, 60)]
    """Added to every protection ratio for bursty emissions."""
    margin_db: Annotated[Number, Field(ge=0, le=30)] = 0.0
    """Margin for several devices at one point."""

    @model_validator(mode="after")
    def _may_transmit(self) -> Device:
        if self.min_eirp_dbm > self.cap_dbm:
            least = f"min_eirp_dbm, {self.min_eirp_dbm:g} dBm"
            raise ValueError(f"{least}, is above cap_dbm, {self.cap_dbm:g} dBm: it could never transmit")
        return self
