"""The configuration of one territory: one YAML file, checked completely before anything is computed.

Every key carries its unit in its name. Unknown keys, NaN, text in a number and values outside their range
are refused. A number that was recollected rather than read in a source is written as
``{value, source, verified}``; those with ``verified: false`` are listed in every manifest.
Reading and error messages: ``config_file.py``.
Relative paths are taken from the working directory (the top of the repository for ``make maps``).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    WithJsonSchema,
    model_validator,
)

from pipeline.errors import InputError

REPOSITORY = Path(__file__).resolve().parents[1]
TABLES = REPOSITORY / "configs" / "tables"

Number = Annotated[float, Strict()]
Whole = Annotated[int, Strict()]
Identifier = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]

SERVICE_NAMES = (
    "dtt",
    "foreign_dtt",
    "pmse",
    "radio_astronomy",
    "aeronautical",
    "mobile",
    "ppdr",
    "fixed",
)
ServiceName = Literal[
    "dtt", "foreign_dtt", "pmse", "radio_astronomy", "aeronautical", "mobile", "ppdr", "fixed"
]


class Section(BaseModel):
    """Base of every section: frozen, no unknown keys, no infinite numbers, every field documented."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)


class Sourced(Section):
    """A number with its origin, used where no readable source fixes it for good."""

    value: Number
    """The number, in the unit of the key it stands under."""
    source: Annotated[str, Field(min_length=3)]
    """Where the number comes from."""
    verified: bool
    """True only if it was read in the source named."""


def _within(low: float, high: float) -> AfterValidator:
    def check(number: Sourced) -> Sourced:
        if not low <= number.value <= high:
            raise ValueError(f"value {number.value} is outside {low} to {high}")
        return number

    return AfterValidator(check)


class Polygons(Section):
    """Boundary file with country and land polygons in any CRS that the file states."""

    path: Path
    """GeoPackage, GeoJSON or shapefile."""
    countries_layer: str = "countries"
    """Layer of country polygons."""
    country_field: str = "iso2"
    """Attribute of the country layer that `home` and the registers' `country` refer to."""
    land_layer: str | None = "land"
    """Layer of land polygons; none: the union of the countries is the land."""


class Territory(Section):
    """What is mapped: the polygons of `home`, a bounding box, or (both given) their intersection."""

    home: Annotated[list[str], Field(min_length=1)]
    """Code(s) of the administration whose territory this is."""
    polygons: Polygons | None = None
    """Boundaries; without them the whole box is land of the territory."""
    bbox_deg: tuple[Number, Number, Number, Number] | None = None
    """West, south, east, north in degrees, WGS84."""
    world: Path | None = None
    """Wider land polygons, used for path sections beyond the boundary file."""
    sea: Literal["cold", "warm"] = "cold"
    """P.1546 sea family of all seas around."""
    coastal_km: Annotated[Number, Field(ge=0, le=100)] = 5.0
    """A victim nearer than this to the sea is protected along the smaller loss of land and sea."""

    @model_validator(mode="after")
    def _some_extent(self) -> Territory:
        if self.polygons is None and self.bbox_deg is None:
            raise ValueError("give `polygons`, `bbox_deg` or both")
        if self.bbox_deg is not None:
            west, south, east, north = self.bbox_deg
            if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
                raise ValueError("bbox_deg is west, south, east, north with west < east and south < north")
        return self


class GridSettings(Section):
    """The pixel grid: projected CRS, square pixels snapped to multiples of the resolution."""

    crs: Annotated[str, Field(pattern=r"^EPSG:\d{4,6}$")]
    """Projected CRS in metres, e.g. a national grid or UTM; EPSG:3035 for several countries."""
    resolution_m: Annotated[Number, Field(gt=0, ge=10, le=5000)] = 200.0
    """Pixel size (SM.2405: 200 m recommended, 100 m the practice of Ofcom)."""
    margin_km: Annotated[Number, Field(gt=0, le=300)] | None = None
    """Margin around the territory; none: the largest proven radius of the devices. Smaller is refused."""


class Population(Section):
    """Where people live: a raster of counts, or a list of places."""

    raster: Path | None = None
    """Raster of persons per cell in any CRS."""
    places: Path | None = None
    """CSV with columns latitude, longitude, population."""

    @model_validator(mode="after")
    def _one_of(self) -> Population:
        if (self.raster is None) == (self.places is None):
            raise ValueError("give either `raster` or `places`")
        return self


class Terrain(Section):
    """Terrain model; without `dem` antenna heights above ground (or HAAT) serve as effective heights."""

    dem: Annotated[list[Path], Field(min_length=1)] | None = None
    """One or more elevation rasters in metres; together they must cover the padded grid."""
    tca: Literal["auto", "on", "off"] = "auto"
    """Terrain clearance angle; auto: on where the step of the DEM is at most `tca_max_step_m`."""
    tca_max_step_m: Annotated[Number, Field(gt=0, le=5000)] = 250.0
    """Coarsest DEM for which `auto` computes clearance angles."""
    azimuth_step_deg: Annotated[Number, Field(gt=0, le=10)] = 0.5
    """Step between the radials of effective height and land/sea sections."""


class Registers(Section):
    """The regulator's registers."""

    transmitters: Annotated[list[Path], Field(min_length=1)]
    """DTT transmitters, own and foreign: CSV, GeoPackage or GeoJSON."""
    lenient: bool = False
    """Leave bad rows out and count them in the manifest, instead of refusing the register."""


class PlanSegment(Section):
    """A run of equally spaced channels."""

    first_channel: Annotated[Whole, Field(ge=1, le=99)]
    """Number of the first channel."""
    last_channel: Annotated[Whole, Field(ge=1, le=99)]
    """Number of the last channel."""
    first_centre_mhz: Annotated[Number, Field(ge=30, le=4000)]
    """Centre frequency of the first channel."""
    width_mhz: Annotated[Number, Field(ge=1, le=20)]
    """Channel width and spacing."""

    @model_validator(mode="after")
    def _ascending(self) -> PlanSegment:
        if self.last_channel < self.first_channel:
            raise ValueError("last_channel lies below first_channel")
        return self


def _expand_ranges(value: object) -> object:
    """`["21-23", 30]` -> `[21, 22, 23, 30]`; anything else is left for the type check to refuse."""
    if not isinstance(value, list):
        return value
    channels: list[object] = []
    for item in value:
        first, dash, last = item.partition("-") if isinstance(item, str) else ("", "", "")
        if dash and first.isdecimal() and last.isdecimal() and int(first) <= int(last) <= 99:
            channels.extend(range(int(first), int(last) + 1))
        else:
            channels.append(item)
    return channels


_RANGES_SCHEMA = WithJsonSchema(
    {
        "type": "array",
        "minItems": 1,
        "items": {"anyOf": [{"type": "integer"}, {"type": "string", "pattern": r"^\d+-\d+$"}]},
    }
)


class Channels(Section):
    """Channel raster and the channels that are computed for white-space devices."""

    plan: Annotated[list[PlanSegment], Field(min_length=1)]
    """Segments of the channel raster; together they must name each channel once."""
    wsd: Annotated[list[Whole], BeforeValidator(_expand_ranges), Field(min_length=1), _RANGES_SCHEMA]
    """Channels to publish, as numbers or ranges such as "21-48"."""
    reach_km: Annotated[Number, Field(ge=10, le=1000)] = 1000.0
    """Transmitters farther than this from the padded grid are left out (P.1546 ends at 1000 km)."""

    @model_validator(mode="after")
    def _consistent(self) -> Channels:
        known = [c for s in self.plan for c in range(s.first_channel, s.last_channel + 1)]
        if len(set(known)) != len(known):
            raise ValueError("the segments of the plan overlap")
        if missing := sorted(set(self.wsd) - set(known)):
            raise ValueError(f"wsd channels {missing} are not in the plan")
        if len(set(self.wsd)) != len(self.wsd):
            raise ValueError("wsd names a channel twice")
        return self


class Propagation(Section):
    """Models for DTT coverage and for the path from the device to its victims."""

    coverage_model: Literal["p1546", "free_space", "hata", "extended_hata"] = "p1546"
    """Model of wanted and interfering DTT fields."""
    wsd_model: Literal["p1546", "extended_hata"] = "p1546"
    """Model of the path from device to victim beyond 80 m."""
    area: Literal["rural", "suburban", "urban", "dense_urban"] = "rural"
    """Surroundings of the DTT receiver."""
    clutter_height_m: Annotated[Number, Field(ge=1, le=50)] = 10.0
    """Representative clutter height R2 at the DTT receiver; 10 with `rural` is no correction."""
    wanted_time_pct: Annotated[Number, Field(ge=1, le=50)] = 50.0
    """Percentage of time of wanted fields."""
    nuisance_time_pct: Annotated[Number, Field(ge=1, le=50)] = 1.0
    """Percentage of time of interfering fields."""


class ReceiverBand(Section):
    """Receiving antenna in a frequency range: from_mhz <= f < to_mhz."""

    from_mhz: Number
    """Lower edge."""
    to_mhz: Number
    """Upper edge, excluded."""
    gain_dbd: Annotated[Number, Field(ge=-10, le=30)]
    """Gain over a half-wave dipole."""
    feeder_db: Annotated[Number, Field(ge=0, le=20)]
    """Feeder loss."""
    flat_deg: Annotated[Number, Field(ge=0, le=180)]
    """BT.419: no discrimination up to this angle."""
    end_deg: Annotated[Number, Field(gt=0, le=180)]
    """BT.419: full discrimination from this angle on."""
    discrimination_db: Annotated[Number, Field(ge=0, le=40)]
    """BT.419: full discrimination."""

    @model_validator(mode="after")
    def _ordered(self) -> ReceiverBand:
        if self.to_mhz <= self.from_mhz or self.end_deg <= self.flat_deg:
            raise ValueError("to_mhz must exceed from_mhz, end_deg must exceed flat_deg")
        return self


class Mode(Section):
    """Transmission system and mode, spelled as in the table of modes."""

    system: str
    """Such as DVB-T."""
    mode: str
    """Such as 64QAM 2/3."""


class Coverage(Section):
    """Wanted coverage of the DTT channels (protection.md, section 1)."""

    q_min: Annotated[Sourced, _within(0.5, 0.999)]
    """Location probability from which a pixel counts as served."""
    location_sigma_db: Annotated[Number, Field(gt=0, le=12)] = 5.5
    """Standard deviation of wanted and DTT interfering fields (GE06, BT.2036)."""
    noise_figure_db: Annotated[Number, Field(ge=0, le=20)] = 6.0
    """Receiver noise figure (BT.2036)."""
    receiver_height_m: Annotated[Number, Field(ge=1.5, le=30)] = 10.0
    """Height of the receiving antenna above ground."""
    receiver_bands: Annotated[list[ReceiverBand], Field(min_length=1)]
    """Antenna data by frequency."""
    cross_polar_db: Annotated[Number, Field(ge=0, le=30)] = 16.0
    """Discrimination of orthogonal polarisation at all azimuths, not added to directivity."""
    default_mode: Mode = Mode(system="DVB-T", mode="64QAM 2/3")
    """Mode of transmitters whose record names none."""
    guard_us: dict[str, Annotated[Number, Field(gt=0, le=1000)]] = {}
    """Guard interval by single-frequency network."""
    default_guard_us: Annotated[Number, Field(gt=0, le=1000)] = 224.0
    """Guard interval of networks not named in `guard_us` (DVB-T 8k 1/4)."""
    protect_spillover: bool = False
    """Admit foreign transmitters as servers inside the territory, and own ones outside."""
    min_density_per_km2: Annotated[Number, Field(ge=0)] = 0.0
    """Reception is protected only where at least this many people live per km2 (0 = everywhere)."""


class Threshold(Section):
    """Occupied-by-threshold method (SM.2405 Annex 1; protection.md, section 6)."""

    field_dbuvm: Annotated[Sourced, _within(0, 120)] | None = None
    """Field from which a channel is occupied; none: the planning field of the default mode."""
    offsets: Annotated[list[Whole], Field(min_length=1)] = [0]
    """Channel offsets (device minus DTT) that an occupied channel blocks."""


class Protection(Section):
    """Protection of DTT reception (protection.md, sections 2 to 4 and 6)."""

    method: Literal["degradation", "threshold"] = "degradation"
    """Location-probability degradation, or occupied-by-threshold."""
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


class Device(Section):
    """One profile of white-space devices; each has its own set of published layers."""

    id: Identifier
    """Short name used in file names."""
    emission_class: Annotated[Whole, Field(ge=1, le=5)]
    """Emission class of EN 301 598."""
    height_m: Annotated[Number, Field(ge=1, le=500)]
    """Antenna height above ground."""
    bandwidth_mhz: Annotated[Number, Field(gt=0, le=20)] = 8.0
    """Bandwidth the permitted e.i.r.p. refers to."""
    min_separation_m: Annotated[Sourced, _within(1, 1000)]
    """Smallest distance to a receiver in the device's own and the touching pixels."""
    cap_dbm: Annotated[Number, Field(ge=-50, le=60)]
    """Largest e.i.r.p. whatever the protection allows."""
    cap_density_dbm_per_100khz: Annotated[Number, Field(ge=-70, le=60)] | None = None
    """Largest e.i.r.p. density."""
    min_eirp_dbm: Annotated[Number, Field(ge=-99, le=60)]
    """Below this the device does not transmit: published as not permitted."""
    dq_pct: Annotated[Number, Field(gt=0, le=30)] = 1.0
    """Allowed fall of location probability, in percentage points."""
    polarisation: Literal["H", "V", "unknown"] = "unknown"
    """Polarisation of the device's antenna; unknown gains no polarisation discrimination."""
    burst_penalty_db: Annotated[Sourced, _within(0, 60)]
    """Added to every protection ratio for bursty emissions."""
    margin_db: Annotated[Number, Field(ge=0, le=30)] = 0.0
    """Margin for several devices at one point."""


class Service(Section):
    """Whether a service is protected, does not exist here, or is left out of this product."""

    status: Literal["evaluate", "out_of_scope"] = "evaluate"
    """`evaluate` without usable numbers gives "not evaluated", never "available"."""
    applicable: bool = True
    """False where the service does not exist in this territory: it then limits nothing."""
    reason: str = ""
    """Needed unless the service is evaluated."""

    @model_validator(mode="after")
    def _reason_given(self) -> Service:
        if (not self.applicable or self.status != "evaluate") and len(self.reason.strip()) < 3:
            raise ValueError("a service that is not evaluated needs a reason")
        return self


class Config(Section):
    """All settings of one published product."""

    name: Identifier = "territory"
    """Folder name under results/; the stem of the file by default."""
    title: str = ""
    """Shown in the manifest and to readers of the maps."""
    notice: str = ""
    """What a reader must know, e.g. that the network is illustrative; goes into tags and manifest."""
    territory: Territory
    grid: GridSettings
    population: Population | None = None
    terrain: Terrain = Terrain()
    registers: Registers
    channels: Channels
    propagation: Propagation = Propagation()
    coverage: Coverage
    protection: Protection = Protection()
    devices: Annotated[list[Device], Field(min_length=1)]
    services: dict[ServiceName, Service]
    levels_dbm: Annotated[list[Number], Field(min_length=1)] = [0.0, 20.0, 36.0]
    """E.i.r.p. levels of the availability layers."""
    validity_hours: Annotated[Number, Field(gt=0, le=8784)] = 24.0
    """How long answers from these layers may be used."""

    @model_validator(mode="after")
    def _complete(self) -> Config:
        ids = [device.id for device in self.devices]
        if len(set(ids)) != len(ids):
            raise ValueError("two devices have the same id")
        if missing := [name for name in SERVICE_NAMES if name not in self.services]:
            raise ValueError(f"services: say for {', '.join(missing)} whether they are evaluated")
        if len(set(self.levels_dbm)) != len(self.levels_dbm):
            raise ValueError("levels_dbm names a level twice")
        return self


def channel_centre_mhz(channels: Channels, channel: int) -> float:
    """Centre frequency of a channel of the plan; KeyError for a channel outside it."""
    segment = _segment(channels, channel)
    return segment.first_centre_mhz + segment.width_mhz * (channel - segment.first_channel)


def channel_width_mhz(channels: Channels, channel: int) -> float:
    """Width of a channel of the plan; KeyError for a channel outside it."""
    return _segment(channels, channel).width_mhz


def plan_channels(channels: Channels) -> list[int]:
    """All channel numbers of the plan, ascending."""
    return sorted(c for s in channels.plan for c in range(s.first_channel, s.last_channel + 1))


def _segment(channels: Channels, channel: int) -> PlanSegment:
    for segment in channels.plan:
        if segment.first_channel <= channel <= segment.last_channel:
            return segment
    raise KeyError(channel)


def receiver_band(coverage: Coverage, f_mhz: float) -> ReceiverBand:
    """The receiving antenna at a frequency; InputError where the configuration names none."""
    for band in coverage.receiver_bands:
        if band.from_mhz <= f_mhz < band.to_mhz:
            return band
    raise InputError(
        "no receiving antenna is given for this frequency",
        row="coverage.receiver_bands",
        value=f"{f_mhz} MHz",
        allowed="bands that cover every channel in use",
    )
