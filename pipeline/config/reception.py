"""Reception of DTT: propagation models, receiving antenna, wanted coverage."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from pipeline.config.base import ModelFor, Number, Section, Sourced, plain_number, within
from pipeline.propagation.models import MODELS

# Location probability from a Fenton-Wilkinson sum against the true one: at most 0 too high up to 0.80.
_SHORT_ABOVE, _FENTON_WILKINSON_SHORT = 0.80, 0.004


_USUAL = "usual value of middle latitudes, quoted from memory; the maps of Rec. ITU-R P.1812 are not shipped"


class PathClimate(Section):
    """Refraction over the territory (Rec. ITU-R P.1812-8, 3.5)."""

    lapse_n_per_km: Annotated[Sourced, BeforeValidator(plain_number), within(20, 100)] = Sourced(
        value=45.0, source=_USUAL, verified=False
    )
    """Mean fall of the refractivity in the lowest kilometre, N-units per km."""
    refractivity: Annotated[Sourced, BeforeValidator(plain_number), within(250, 400)] = Sourced(
        value=325.0, source=_USUAL, verified=False
    )
    """Refractivity at sea level, N-units."""


class Propagation(Section):
    """Models for DTT coverage and for the path from the device to its victims."""

    coverage_model: Annotated[str, ModelFor("coverage")] = "p1546"
    """Model of wanted and interfering DTT fields."""
    wsd_model: Annotated[str, ModelFor("homogeneous")] = "p1546"
    """Model of the path from device to victim beyond 80 m."""
    area: Literal["rural", "suburban", "urban", "dense_urban"] = "rural"
    """Surroundings of the DTT receiver."""
    clutter_height_m: Annotated[Number, Field(ge=1, le=50)] = 10.0
    """Representative clutter height R2 at the DTT receiver; 10 with `rural` is no correction."""
    wanted_time_pct: Annotated[Number, Field(ge=1, le=50)] = 50.0
    """Percentage of time of wanted fields."""
    nuisance_time_pct: Annotated[Number, Field(ge=1, le=50)] | Literal["both"] = 1.0
    """Percentage of time of interfering fields; `both`: 1 and 50, reception of either is protected."""

    climate: PathClimate | None = None
    """Of the air over the territory, for models that see the whole profile of a path; none: defaults."""

    @model_validator(mode="before")
    @classmethod
    def _with_climate(cls, given: object) -> object:
        """The defaults stand in the settings where they count: among what is not verified."""
        if not isinstance(given, dict) or given.get("climate") is not None:
            return given
        return {**given, "climate": {}} if sees_profiles(str(given.get("coverage_model"))) else given


def sees_profiles(model: str) -> bool:
    """Whether a model of coverage asks for whole profiles of terrain: from tables of losses."""
    return any("profile" in row.needs for row in MODELS if row.name == model)


def nuisance_times_pct(setting: float | Literal["both"]) -> tuple[float, ...]:
    """Percentages of time for which the nuisance is summed, that of planning first."""
    return (1.0, 50.0) if setting == "both" else (setting,)


class ReceiverBand(Section):
    """Receiving antenna in a frequency range: from_mhz <= f < to_mhz."""

    from_mhz: Annotated[Number, Field(ge=0, le=100_000)]
    """Lower edge."""
    to_mhz: Annotated[Number, Field(ge=0, le=100_000)]
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


# DVB-T 8k 1/4 and DVB-T2 32k 1/16 in 8 MHz, ISDB-T mode 3 1/8 in 6 MHz, DTMB with the frame header of 945
# symbols, ATSC 3.0 with 1024 samples at 6.912 MHz.
_DEFAULT_GUARD_US = {"DVB-T": 224.0, "DVB-T2": 224.0, "ISDB-T": 126.0, "DTMB": 125.0, "ATSC3": 148.1}


def _by_system(given: object) -> object:
    """One number for all systems, or the defaults changed by system."""
    if isinstance(given, (int, float)) and not isinstance(given, bool):
        return dict.fromkeys((*_DEFAULT_GUARD_US, "ATSC"), given)
    return _DEFAULT_GUARD_US | given if isinstance(given, dict) else given


class Coverage(Section):
    """Wanted coverage of the DTT channels (docs/method.md, sections 3 and 4)."""

    q_min: Annotated[Sourced, within(0.5, 0.999)]
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
    guard_us: dict[str, Annotated[Number, Field(ge=1, le=1000)]] = {}
    """Guard interval by single-frequency network; it wins over the register."""
    default_guard_us: Annotated[
        dict[str, Annotated[Number, Field(ge=1, le=1000)]], BeforeValidator(_by_system)
    ] = _DEFAULT_GUARD_US
    """Guard interval by system where neither `guard_us` nor the register has one; a number holds for all."""
    protect_spillover: bool = False
    """Admit foreign transmitters as servers inside the territory, and own ones outside."""
    min_density_per_km2: Annotated[Number, Field(ge=0)] = 0.0
    """Reception is protected only where at least this many people live per km2 (0 = everywhere)."""

    @model_validator(mode="after")
    def _one_antenna_each(self) -> Coverage:
        bands = sorted(self.receiver_bands, key=lambda band: band.from_mhz)
        for lower, upper in pairwise(bands):
            if upper.from_mhz < lower.to_mhz:
                shared = f"{upper.from_mhz:g} to {min(lower.to_mhz, upper.to_mhz):g} MHz"
                raise ValueError(f"receiver_bands: two of them hold at {shared}")
        return self

    @property
    def served_from(self) -> float:
        """Location probability from which a pixel counts as served.

        Above 0.80 the approximated one may lie up to 0.004 below the true one (docs/method.md, section 4).
        """
        return self.q_min.value - (_FENTON_WILKINSON_SHORT if self.q_min.value > _SHORT_ABOVE else 0.0)


NO_COVERAGE = Coverage(
    q_min=Sourced(value=0.7, source="not used: there is no television", verified=True),
    receiver_bands=[
        ReceiverBand(
            from_mhz=0.0,
            to_mhz=100_000.0,
            gain_dbd=0.0,
            feeder_db=0.0,
            flat_deg=20.0,
            end_deg=60.0,
            discrimination_db=0.0,
        )
    ],
)
"""Of territories without television, where nothing reads it."""
