"""``channelmaps links``: budgets, rates and channels of a table of links (docs/method.md, section 43)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.config.bonds import DeviceChannel, channel_named, channels_in
from pipeline.config.config import Channels, Config
from pipeline.errors import InputError
from pipeline.links.link_budget import (
    GENERIC_MODELS,
    GenericPath,
    generic_loss_db,
    greatest_distance_km,
    level_of_field_dbm,
)
from pipeline.links.link_modes import (
    LinkModes,
    ModeLevels,
    desensitisation_db,
    location_margin_db,
    mode_levels,
    one_level,
)
from pipeline.links.link_rows import (
    AUTO,
    LinkEnd,
    LinkRow,
    channel_of_row,
    cross_polar_db,
    end_of,
    off_axis_db,
)
from pipeline.links.link_service import (
    Margins,
    OneWay,
    Reason,
    Sender,
    TwoWay,
    best_channel,
    no_limit,
    one_way,
    together,
)
from pipeline.links.link_terrain import LinkEnds, LinkGround, link_ends, look_along
from pipeline.links.permitted import (
    Permits,
    Permitted,
    interference_dbm,
    permitted_at,
    permitted_in,
    television_dbuvm,
)
from pipeline.links.sight import PathSight
from pipeline.propagation.models import model_named
from pipeline.radio.channel_plan import channel_centre_mhz
from pipeline.registers.named_plans import named_plan

AUTO_MODEL = "p1812_or_p1546"
LINK_MODELS = (AUTO_MODEL, *GENERIC_MODELS, "p1812")
# Standard deviation of the field over locations (GE06, BT.2036; Annex 5 by differences).
SIGMA_DB = 5.5
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


class Candidate(NamedTuple):
    """A channel that a link may use: None of a plain frequency."""

    channel: DeviceChannel | None
    f_mhz: float


class LinkLoss(NamedTuple):
    """Loss [c] of a path by candidate, the model that gave it, whether it holds, what is in sight."""

    loss_db: NDArray[np.float64]
    model: str
    valid: bool
    sight: PathSight | None


class LinkFound(NamedTuple):
    """A link with all its candidates: both directions, both together, and the one that it takes."""

    row: LinkRow
    ends: LinkEnds | None
    d_km: float
    candidates: list[Candidate]
    modes: ModeLevels
    loss: LinkLoss
    there: OneWay
    back: OneWay | None
    both: TwoWay
    permitted: tuple[NDArray[np.float64], NDArray[np.float64]]
    best: int
    d_max_km: float


def plan_link(
    row: LinkRow, settings: LinkSettings, world: LinkWorld, further_loss_db: float = 0.0
) -> LinkFound:
    """One link: its path, and what each of its candidate channels gives.

    ``further_loss_db``: what the path loses beyond the model, such as building entry, in both directions.
    """
    a, b = end_of(row, "a"), end_of(row, "b")
    ends = _ends_of(row, a, b)
    d_km = float(ends.d_km[0]) if ends is not None else float(row.d_km or 0.0)
    candidates = candidates_of(row, settings, world)
    modes, modes_back = (_modes_of(row, settings, candidates, receiver) for receiver in (b, a))
    loss = _loss_of(row, ends, d_km, (a, b), settings, world, candidates)
    margins = Margins(
        location_margin_db(settings.q_pct, row.required_for_q_pct or 50.0, settings.sigma_db),
        settings.sigma_db,
    )
    places = _places(row, world)
    there_db, back_db = (gain - further_loss_db for gain in _antennas_db(ends, a, b, candidates))
    noise = [
        _television_dbm(world, settings, place, candidates, end)
        for place, end in zip(places, (a, b), strict=True)
    ]
    senders = [_sender(world, row, place, end, candidates) for place, end in zip(places, (a, b), strict=True)]
    there = one_way(modes, senders[0], loss.loss_db, there_db, noise[1], margins)
    two_way = not math.isnan(b.eirp_dbm)
    back = one_way(modes_back, senders[1], loss.loss_db, back_db, noise[0], margins) if two_way else None
    both = together(there, back, settings.tdd_share if settings.modes.is_tdd else 1.0)
    best = int(best_channel(both))
    full_dbm = float(np.minimum(senders[0].filed_dbm, senders[0].permitted_dbm)[best])
    allowed_db = full_dbm + there_db[best] - _needed_dbm(modes, there, best, margins)
    reach = _largest_distance_km(row, settings, candidates[best], allowed_db)
    permitted = (senders[0].permitted_dbm, senders[1].permitted_dbm)
    return LinkFound(row, ends, d_km, candidates, modes, loss, there, back, both, permitted, best, reach)


def _ends_of(row: LinkRow, a: LinkEnd, b: LinkEnd) -> LinkEnds | None:
    if not row.has_places:
        return None
    lon_deg, lat_deg = np.array([[row.a_lon, row.b_lon]], float), np.array([[row.a_lat, row.b_lat]], float)
    return link_ends(lon_deg, lat_deg, np.array([[a.height_m, b.height_m]]))


def _places(row: LinkRow, world: LinkWorld) -> tuple[tuple[float, float] | None, tuple[float, float] | None]:
    if not row.has_places or world.permits is None:
        return None, None
    return (float(row.a_lon or 0.0), float(row.a_lat or 0.0)), (
        float(row.b_lon or 0.0),
        float(row.b_lat or 0.0),
    )


def candidates_of(row: LinkRow, settings: LinkSettings, world: LinkWorld) -> list[Candidate]:
    """The channels of a link: its own, or all that the territory maps for white-space devices."""
    channel = channel_of_row(row, settings.channel)
    if channel is None:
        return [Candidate(None, float(row.f_mhz or 0.0))]
    plan = world.config.channels if world.config else Channels(plan=named_plan(_PLAN), wsd=["21-69"])
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
    """One channel or bond by its name, or with ``AUTO`` or nothing all that are mapped for devices."""
    names = [channel_named(channel)] if channel not in ("", AUTO) else sorted(config.channels.wsd)
    try:
        return [Candidate(name, channel_centre_mhz(config.channels, name)) for name in names]
    except KeyError:
        raise InputError("is no channel of the plan", field="--channel", value=channel) from None


def _modes_of(
    row: LinkRow, settings: LinkSettings, candidates: Sequence[Candidate], receiver: LinkEnd
) -> ModeLevels:
    """The modes of a link in its bandwidth, or the single requirement that it states of a receiver."""
    bonded = max(len(_numbers(one)) for one in candidates)
    width_mhz = row.bandwidth_mhz or bonded * settings.modes.bandwidth_mhz
    try:
        modes = mode_levels(settings.modes, width_mhz, row.noise_figure_db)
    except InputError as fault:
        raise InputError(
            fault.problem,
            file=row.file,
            row=row.row,
            field="bandwidth_mhz",
            value=width_mhz,
            allowed=fault.allowed,
        ) from None
    if row.sensitivity_dbm is not None:
        return one_level("sensitivity", row.sensitivity_dbm, modes.noise_dbm)
    if row.required_field_dbuvm is not None:
        f_mhz, model = candidates[0].f_mhz, generic_model(settings.model)
        level_dbm = level_of_field_dbm(row.required_field_dbuvm, f_mhz, receiver.gain_dbi, 0.0, model)
        return one_level("required_field", level_dbm, modes.noise_dbm)
    return modes


def _numbers(candidate: Candidate) -> range:
    return channels_in(candidate.channel) if candidate.channel is not None else range(1)


def _loss_of(
    row: LinkRow,
    ends: LinkEnds | None,
    d_km: float,
    both: tuple[LinkEnd, LinkEnd],
    settings: LinkSettings,
    world: LinkWorld,
    candidates: Sequence[Candidate],
) -> LinkLoss:
    """Loss of a path: along its profile where the model sees one and there is one, else of a generic path."""
    sight, over_terrain = None, None
    if ends is not None and world.ground is not None:
        vertical = both[0].polarisation == "V"
        looks = look_along(world.ground, ends, [one.f_mhz for one in candidates], vertical=vertical)
        if looks.known[0]:
            sight, over_terrain = sight_of(looks.sight[0]), looks.loss_db[0]
    if settings.model in (AUTO_MODEL, "p1812"):
        if over_terrain is not None:
            model = model_named("p1812")
            valid = model.d_km[0] <= d_km <= model.d_km[1]
            return LinkLoss(over_terrain, "p1812", valid, sight)
        if settings.model == "p1812":
            return LinkLoss(np.full(len(candidates), math.nan), "p1812", True, sight)
    name = generic_model(settings.model)
    found = [
        generic_loss_db(GenericPath(name, one.f_mhz, both[0].height_m, both[1].height_m), np.array([d_km]))
        for one in candidates
    ]
    losses = np.array([loss_db[0] for loss_db, _ in found])
    return LinkLoss(losses, name, all(bool(valid[0]) for _, valid in found), sight)


def generic_model(model: str) -> str:
    """The model of paths without a profile."""
    return model if model in GENERIC_MODELS else "p1546"


def sight_of(numbers: NDArray[np.float64]) -> PathSight:
    """What is in sight from its numbers."""
    a, b, clear, los, fresnel, obstruction_m, edges = numbers.tolist()
    return PathSight(a, b, clear, bool(los), bool(fresnel), obstruction_m, int(edges))


def _antennas_db(
    ends: LinkEnds | None, a: LinkEnd, b: LinkEnd, candidates: Sequence[Candidate]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What both antennas do to the level [c], from A to B and back."""
    bearings = (0.0, 0.0) if ends is None else tuple(ends.bearings_deg[0].tolist())
    off = np.zeros(len(candidates))
    if ends is not None:
        off = np.array(
            [off_axis_db(a, bearings[0], c.f_mhz) + off_axis_db(b, bearings[1], c.f_mhz) for c in candidates]
        )
    lost = off + cross_polar_db(a, b)
    return b.gain_dbi - lost, a.gain_dbi - lost


def _television_dbm(
    world: LinkWorld,
    settings: LinkSettings,
    place: tuple[float, float] | None,
    candidates: Sequence[Candidate],
    receiver: LinkEnd,
) -> NDArray[np.float64]:
    """Level of television in a receiver [c], -inf where it is not looked at."""
    permits = world.permits
    if place is None or permits is None or not (settings.television and permits.has_fields):
        return np.full(len(candidates), -math.inf)
    fields = television_dbuvm(permits, *place)
    return np.array(
        [
            -math.inf
            if one.channel is None
            else interference_dbm(permits.config, fields, one.channel, receiver.gain_dbi, receiver.height_m)
            for one in candidates
        ]
    )


def _sender(
    world: LinkWorld,
    row: LinkRow,
    place: tuple[float, float] | None,
    end: LinkEnd,
    candidates: Sequence[Candidate],
) -> Sender:
    """The power of an end by channel: what it has, and what is permitted where it stands."""
    filed_dbm = np.full(len(candidates), end.eirp_dbm)
    if world.permits is None or place is None or candidates[0].channel is None:
        return no_limit(filed_dbm)
    try:
        permitted = permitted_at(world.permits, *place, end.height_m, row.device or None)
        found = [permitted_in(permitted, one.channel) for one in candidates if one.channel is not None]
    except InputError as fault:
        raise InputError(
            fault.problem,
            file=row.file,
            row=row.row,
            field=fault.field,
            value=fault.value,
            allowed=fault.allowed,
        ) from None
    return sender_of(filed_dbm, found, permitted)


def sender_of(
    filed_dbm: NDArray[np.float64], found: Sequence[tuple[float, str]], permitted: Permitted
) -> Sender:
    """A sender from levels and words by candidate."""
    reasons = np.array([int(Reason[word.upper()]) for _, word in found], np.uint8)
    return Sender(filed_dbm, np.array([level for level, _ in found]), reasons, permitted.cap_dbm)


def _needed_dbm(modes: ModeLevels, there: OneWay, best: int, margins: Margins) -> float:
    """Median level of the mode that A reaches B with, or else of the first one; NaN without any."""
    if modes.level_dbm.size == 0:
        return math.nan
    level_dbm = float(modes.level_dbm[max(int(there.rated.mode[best]), 0)])
    raised_db = float(desensitisation_db(modes.noise_dbm, there.interference_dbm[best : best + 1])[0])
    return level_dbm + margins.location_db + raised_db


def _largest_distance_km(
    row: LinkRow, settings: LinkSettings, candidate: Candidate, allowed_db: float
) -> float:
    """Generic distance at which the loss is as much as the full power of A bears; NaN where that is NaN."""
    if math.isnan(allowed_db):
        return math.nan
    path = GenericPath(generic_model(settings.model), candidate.f_mhz, row.a_height_m, row.b_height_m)
    return greatest_distance_km(path, allowed_db)
