"""``channelmaps links``: budgets, rates and channels of a table of links (docs/method.md, section 43)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import InputError
from pipeline.links.link_rows import (
    LinkEnd,
    LinkRow,
    attenuation_db,
    cross_polar_db,
    end_of,
    has_direction,
    off_axis_db,
    pointed,
)
from pipeline.links.link_service import (
    Margins,
    OneWay,
    Reason,
    Sender,
    TwoWay,
    best_channel,
    by_modes,
    no_limit,
    one_way,
    together,
)
from pipeline.links.link_terrain import LinkEnds, link_ends, look_along
from pipeline.links.link_world import (
    AUTO_MODEL,
    Candidate,
    LinkSettings,
    LinkWorld,
    candidates_of,
    generic_model,
    share_of_time,
)
from pipeline.links.permitted import (
    Permitted,
    answering_devices,
    interference_dbm,
    mapped_in,
    permitted_at,
    permitted_in,
    television_dbuvm,
    television_near,
)
from pipeline.links.sight import PathSight
from pipeline.propagation.models import model_named
from pipeline.rates.link_budget import GenericPath, generic_loss_db, greatest_distance_km, level_of_field_dbm
from pipeline.rates.link_modes import (
    ModeLevels,
    desensitisation_db,
    location_margin_db,
    mode_levels,
    one_level,
)


class LinkLoss(NamedTuple):
    """Loss [c] of a path by candidate, the model that gave it, whether it holds, what is in sight."""

    loss_db: NDArray[np.float64]
    model: str
    valid: bool
    sight: PathSight | None


class LinkFound(NamedTuple):
    """A link with all its candidates: both directions, both together, and the one that it takes.

    ``modes``, ``modes_back`` at B and at A, of each candidate.
    """

    row: LinkRow
    ends: LinkEnds | None
    d_km: float
    candidates: list[Candidate]
    modes: list[ModeLevels]
    modes_back: list[ModeLevels]
    margins: Margins
    loss: LinkLoss
    there: OneWay
    back: OneWay | None
    both: TwoWay
    permitted: tuple[NDArray[np.float64], NDArray[np.float64]]
    best: int
    d_max_km: float
    pointing_db: tuple[float, float] = (math.nan, math.nan)


def plan_link(
    row: LinkRow,
    settings: LinkSettings,
    world: LinkWorld,
    further_loss_db: float = 0.0,
    over_terrain_db: float = math.nan,
) -> LinkFound:
    """One link: its path, and what each of its candidate channels gives.

    ``further_loss_db``: what the path loses beyond the model, such as building entry, in both directions.
    ``over_terrain_db``: loss by P.1812 where it is known from elsewhere; NaN: the path is asked.
    """
    a, b = end_of(row, "a"), end_of(row, "b")
    ends = _ends_of(row, a, b)
    d_km = float(ends.d_km[0]) if ends is not None else float(row.d_km or 0.0)
    candidates = candidates_of(row, settings, world)
    modes, modes_back = (_modes_by_candidate(row, settings, candidates, receiver) for receiver in (b, a))
    loss = _loss_of(row, ends, d_km, (a, b), settings, world, candidates)
    if not math.isnan(over_terrain_db):
        loss = loss._replace(loss_db=np.full(len(candidates), over_terrain_db), model="p1812")
    location_db = location_margin_db(settings.q_pct, row.required_for_q_pct or 50.0, settings.sigma_db)
    margins = Margins(location_db, settings.sigma_db)
    there_db, back_db = (gain - further_loss_db for gain in _antennas_db(ends, a, b, candidates))
    bearings = (0.0, 0.0) if ends is None else tuple(ends.bearings_deg[0].tolist())
    from_a, from_b = (
        _side(world, settings, row, place, pointed(end, bearing), candidates)
        for place, end, bearing in zip(_places(row, world), (a, b), bearings, strict=True)
    )
    there = _way(modes, from_a.sender, loss.loss_db, there_db, from_b.television_dbm, margins)
    back = None
    if not math.isnan(b.eirp_dbm):
        back = _way(modes_back, from_b.sender, loss.loss_db, back_db, from_a.television_dbm, margins)
    both = together(there, back, share_of_time(settings))
    best = int(best_channel(both))
    full_dbm = float(np.minimum(from_a.sender.filed_dbm, from_a.sender.permitted_dbm)[best])
    allowed_db = full_dbm + there_db[best] - _needed_dbm(modes[best], there, best, margins)
    return LinkFound(
        row, ends, d_km, candidates, modes, modes_back, margins, loss, there, back, both,
        (from_a.sender.permitted_dbm, from_b.sender.permitted_dbm), best,
        _largest_distance_km(row, settings, candidates[best], allowed_db),
        (float(from_a.credit_db[best]), float(from_b.credit_db[best])),
    )  # fmt: skip


class _Side(NamedTuple):
    """What an end sends, is credited for its pointing, and receives of television, by candidate."""

    sender: Sender
    credit_db: NDArray[np.float64]
    television_dbm: NDArray[np.float64]


def _side(
    world: LinkWorld,
    settings: LinkSettings,
    row: LinkRow,
    place: tuple[float, float] | None,
    end: LinkEnd,
    candidates: Sequence[Candidate],
) -> _Side:
    sender, credit_db = _sender(world, row, place, end, candidates)
    return _Side(sender, credit_db, _television_dbm(world, settings, place, candidates, end))


def _way(
    modes: Sequence[ModeLevels],
    sender: Sender,
    loss_db: NDArray[np.float64],
    gain_db: NDArray[np.float64],
    interference_dbm: NDArray[np.float64],
    margins: Margins,
) -> OneWay:
    """A direction by candidate, each with its own modes."""

    def way(kind: ModeLevels, own: NDArray[np.int64]) -> OneWay:
        part = sender._replace(
            filed_dbm=sender.filed_dbm[own],
            permitted_dbm=sender.permitted_dbm[own],
            reason=sender.reason[own],
        )
        return one_way(kind, part, loss_db[own], gain_db[own], interference_dbm[own], margins)

    return by_modes(modes, way)


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


def _modes_by_candidate(
    row: LinkRow, settings: LinkSettings, candidates: Sequence[Candidate], receiver: LinkEnd
) -> list[ModeLevels]:
    """The modes of each candidate: one object for all of one width."""
    found: dict[int, ModeLevels] = {}
    for one in candidates:
        if one.bonded not in found:
            found[one.bonded] = _modes_of(row, settings, one, receiver)
    return [found[one.bonded] for one in candidates]


def _modes_of(row: LinkRow, settings: LinkSettings, candidate: Candidate, receiver: LinkEnd) -> ModeLevels:
    """The modes of a link in its bandwidth, or the single requirement that it states of a receiver."""
    width_mhz = row.bandwidth_mhz or candidate.bonded * settings.modes.bandwidth_mhz
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
        f_mhz, model = candidate.f_mhz, generic_model(settings.model)
        level_dbm = level_of_field_dbm(row.required_field_dbuvm, f_mhz, receiver.gain_dbi, 0.0, model)
        return one_level("required_field", level_dbm, modes.noise_dbm)
    return modes


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
    channels = [one.channel for one in candidates if one.channel is not None]
    received = television_near(permits, channels, np.array([place[0]]), np.array([place[1]]))
    seen = television_dbuvm(permits.config, received, partial(attenuation_db, receiver))
    fields = {channel: float(field_dbuvm[0]) for channel, field_dbuvm in seen.items()}
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
) -> tuple[Sender, NDArray[np.float64]]:
    """The power of an end by channel: what it has, and what is permitted where it stands; credits in dB."""
    filed_dbm = np.full(len(candidates), end.eirp_dbm)
    gains_db = np.full(len(candidates), math.nan)
    if world.permits is None or place is None or candidates[0].channel is None:
        return no_limit(filed_dbm), gains_db
    try:
        permitted = permitted_at(world.permits, *place, end.height_m, row.device or None)
        ask = permitted_in if len(candidates) == 1 else mapped_in
        found = [ask(permitted, one.channel) for one in candidates if one.channel is not None]
        if world.pointing is not None and has_direction(end):
            found, gains_db = _pointing(world, row, place, end, candidates, found)
    except InputError as fault:
        raise InputError(
            fault.problem,
            file=row.file,
            row=row.row,
            field=fault.field,
            value=fault.value,
            allowed=fault.allowed,
        ) from None
    return sender_of(filed_dbm, found, permitted), gains_db


def _pointing(
    world: LinkWorld,
    row: LinkRow,
    place: tuple[float, float],
    end: LinkEnd,
    candidates: Sequence[Candidate],
    found: Sequence[tuple[float, str]],
) -> tuple[list[tuple[float, str]], NDArray[np.float64]]:
    """Levels and words with credit for victims that the antenna does not point at, and the credits in dB.

    What is not permitted or not evaluated stays so; bonds get no credit.
    """
    from pipeline.links.pointing import permitted_pointing  # compiled code that only pointing needs

    if world.permits is None or world.pointing is None:
        return list(found), np.full(len(candidates), math.nan)
    devices = [str(one["id"]) for one in answering_devices(world.permits, end.height_m, row.device or None)]
    levels, gains_db = list(found), np.full(len(candidates), math.nan)
    for c, one in enumerate(candidates):
        if not isinstance(one.channel, int) or math.isnan(found[c][0]):
            continue
        level = permitted_pointing(
            world.pointing, place, one.channel, devices, partial(attenuation_db, end, f_mhz=one.f_mhz)
        )
        if level.level_dbm >= found[c][0]:
            levels[c], gains_db[c] = (level.level_dbm, found[c][1]), level.gain_db
    return levels, gains_db


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
