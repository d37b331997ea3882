"""Where links are and what counts for all of them: settings, territory, terrain, run, candidate channels."""

from __future__ import annotations

from typing import NamedTuple

from pipeline.config.bonds import DeviceChannel, channel_named, channels_in
from pipeline.config.config import Channels, Config
from pipeline.errors import InputError
from pipeline.links.link_rows import AUTO, LinkRow, channel_of_row
from pipeline.links.link_terrain import LinkGround
from pipeline.links.permitted import Permits
from pipeline.query.results import Run
from pipeline.radio.channel_plan import channel_centre_mhz
from pipeline.rates.link_budget import GENERIC_MODELS
from pipeline.rates.link_modes import SIGMA_DB, LinkModes
from pipeline.registers.named_plans import named_plan

AUTO_MODEL = "p1812_or_p1546"
LINK_MODELS = (AUTO_MODEL, *GENERIC_MODELS, "p1812")
# Share of the time that each direction has where both share a channel: a choice of the project.
TDD_SHARE = 0.5
# Without a territory channels are those of this plan.
_PLAN = "8MHz"


class LinkSettings(NamedTuple):
    """What counts for all links of a table; ``channel``: for rows with neither channel nor frequency."""

    model: str
    modes: LinkModes
    q_pct: float = 70.0
    channel: str = ""
    television: bool = True
    sigma_db: float = SIGMA_DB
    tdd_share: float = TDD_SHARE


class LinkWorld(NamedTuple):
    """Where the links are: settings of the territory, its terrain, a run; None where there is none."""

    config: Config | None = None
    ground: LinkGround | None = None
    permits: Permits | None = None
    pointing: Run | None = None
    """The run whose intermediates tell where victims are; None: limits of non-directional devices."""


class Candidate(NamedTuple):
    """A channel that a link may use: None of a plain frequency."""

    channel: DeviceChannel | None
    f_mhz: float

    @property
    def bonded(self) -> int:
        """Number of channels that it uses as one."""
        return 1 if self.channel is None else len(channels_in(self.channel))


def channel_plan_of(world: LinkWorld) -> Channels:
    """The channels of the territory; without one those of a common plan."""
    return world.config.channels if world.config else Channels(plan=named_plan(_PLAN), wsd=["21-69"])


def candidates_of(row: LinkRow, settings: LinkSettings, world: LinkWorld) -> list[Candidate]:
    """The channels of a link: its own, or all that the territory maps for white-space devices."""
    channel = channel_of_row(row, settings.channel)
    if channel is None:
        return [Candidate(None, float(row.f_mhz or 0.0))]
    plan = channel_plan_of(world)
    if not isinstance(channel, str):
        try:
            return [Candidate(channel, channel_centre_mhz(plan, channel))]
        except KeyError:
            raise InputError(
                "is no channel of the plan", file=row.file, row=row.row, field="channel", value=str(channel)
            ) from None
    if world.config is None:
        raise InputError(
            "needs a territory",
            file=row.file,
            row=row.row,
            field="channel",
            value=AUTO,
            allowed="--results or --config",
        )
    return candidates_of_territory(world.config, AUTO)


def candidates_of_territory(config: Config, channel: str) -> list[Candidate]:
    """One channel or bond by its name, or with ``AUTO`` or nothing all that are mapped for devices.

    Single channels come first, then the bonds of devices that use several as one.
    """
    names: list[DeviceChannel] = [*sorted(config.channels.wsd)]
    names += [name for name in config.all_device_channels() if not isinstance(name, int)]
    if channel not in ("", AUTO):
        names = [channel_named(channel)]
    try:
        return [Candidate(name, channel_centre_mhz(config.channels, name)) for name in names]
    except KeyError:
        raise InputError("is no channel of the plan", field="--channel", value=channel) from None


def share_of_time(settings: LinkSettings) -> float:
    """Share of the time that each of two directions has."""
    return settings.tdd_share if settings.modes.is_tdd else 1.0


def generic_model(model: str) -> str:
    """The model of paths without a profile."""
    return model if model in GENERIC_MODELS else "p1546"
