"""Links between settlements: all pairs in range, the best channel of each, and how many reach which rate.

SM.2405, Figs A5-5 to A5-9; docs/method.md, section 43.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pipeline.config.base import Number, Section
from pipeline.config.load import read_model
from pipeline.errors import InputError
from pipeline.links.link_rows import LinkEnd
from pipeline.links.link_service import (
    Margins,
    OneWay,
    Reason,
    Sender,
    TwoWay,
    best_channel,
    by_modes,
    one_way,
    together,
)
from pipeline.links.link_terrain import LinkEnds, link_ends, look_along
from pipeline.links.link_world import Candidate, LinkSettings, LinkWorld, generic_model, share_of_time
from pipeline.links.permitted import (
    interference_dbm,
    mapped_in,
    permitted_at,
    permitted_in,
    television_dbuvm,
    television_near,
)
from pipeline.links.pointed_places import PlaceDirections, pointed_dbm
from pipeline.radio.conventions import DIPOLE_GAIN_DBI
from pipeline.rates.link_budget import GenericPath, eirp_dbm, generic_loss_db, watts_dbm
from pipeline.rates.link_modes import ModeLevels, location_margin_db, mode_levels, read_modes
from pipeline.rows.row_models import (
    MAY_BE_EMPTY,
    IdCell,
    LatCell,
    LonCell,
    NumberCell,
    StrippedRow,
    read_rows,
    refuse_second,
)
from pipeline.shipped import TABLES

TEMPLATES = TABLES / "link_templates"
_EARTH_KM = 6371.0
# Chords of the sphere are this much longer or shorter than geodesics at most; lengths are then exact.
_CHORD_SLACK = 1.01
_PAIRS_A_TIME = 5_000


class TemplateEnd(Section):
    """A radio of a template."""

    power_w: Annotated[Number, Field(gt=0, le=1e4)]
    """Power of the transmitter."""
    gain_dbd: Annotated[Number, Field(ge=-10, le=40)]
    """Gain of its antenna over a half-wave dipole."""
    feeder_db: Annotated[Number, Field(ge=0, le=30)] = 0.0
    """Feeder loss."""
    height_m: Annotated[Number, Field(ge=1, le=500)]
    """Antenna above ground."""
    pattern: Literal["none", "BT.419", "F.699"] = "BT.419"
    """Pattern of the antenna, for what links do to each other."""


class LinkTemplate(Section):
    """The radios of all links between settlements; their antennas point at each other."""

    source: TemplateEnd
    """The end with fixed access."""
    user: TemplateEnd
    """The other end."""
    other_loss_db: Annotated[Number, Field(ge=0, le=30)] = 0.0
    """Further loss of both transmitters."""
    modes: str = "dvbt2_8mhz"
    """Table of modes."""
    device: str | None = None
    """Device of the run whose limits count; none: by height."""


class PlaceRow(StrippedRow):
    """A settlement: place, people, and whether it has fixed access (``source``) or waits for it."""

    id: IdCell
    name: str = ""
    lon: LonCell
    lat: LatCell
    population: Annotated[NumberCell, Field(ge=0, le=1e9, description="0 or more")] = 0.0
    height_m: Annotated[
        Annotated[float, Field(ge=1, le=500)] | None,
        MAY_BE_EMPTY,
        Field(description="1 to 500 m above ground, or nothing"),
    ] = None
    role: Annotated[Literal["", "source", "user"], Field(description="source, user, or nothing")] = ""


class PlacePairs(NamedTuple):
    """Pairs [n, 2] of indexes of places, with their ends."""

    places: NDArray[np.int64]
    ends: LinkEnds


class PairsFound(NamedTuple):
    """What each pair [n] gives on its best channel; ``channel`` index of the candidate.

    ``loss_db``, ``used_dbm``, ``received_dbm``, ``interference_dbm``, ``cni_db`` from the first place to the
    second; ``permitted_dbm`` [n, 2] of both; ``known``: by the model over terrain; ``sight`` [n, 7] as of
    ``PathSight``.
    """

    channel: NDArray[np.int64]
    rate_mbps: NDArray[np.float64]
    mean_mbps: NDArray[np.float64]
    throughput_mbps: NDArray[np.float64]
    margin_db: NDArray[np.float64]
    mode: NDArray[np.int64]
    loss_db: NDArray[np.float64]
    used_dbm: NDArray[np.float64]
    received_dbm: NDArray[np.float64]
    interference_dbm: NDArray[np.float64]
    cni_db: NDArray[np.float64]
    permitted_dbm: NDArray[np.float64]
    limited_by: NDArray[np.uint8]
    reason: NDArray[np.uint8]
    known: NDArray[np.bool_]
    sight: NDArray[np.float64]


def read_template(name: str) -> LinkTemplate:
    """A shipped template by its name, or the user's by its path."""
    path = Path(name)
    if path.suffix.lower() not in (".yaml", ".yml"):
        path = TEMPLATES / f"{name}.yaml"
        if not path.is_file():
            known = ", ".join(sorted(found.stem for found in TEMPLATES.glob("*.yaml")))
            raise InputError(
                "no such template", field="--template", value=name, allowed=f"{known}, or a .yaml"
            )
    return read_model(path, LinkTemplate)


def read_link_places(path: Path, min_population: float) -> list[PlaceRow]:
    """The places of a table with at least so many people, in its order."""
    rows = read_rows(path, PlaceRow)
    refuse_second(path, rows, ("id",))
    return [row for row in rows if row.population >= min_population]


def pair_range(text: str) -> tuple[float, float]:
    """Least and greatest distance in km of ``MIN:MAX``."""
    parts = text.split(":")
    try:
        low_km, high_km = (float(part) for part in parts)
    except ValueError:
        low_km, high_km = math.nan, math.nan
    if not 0.0 < low_km < high_km <= 300.0:
        raise InputError("is no range", field="--pairs", value=text, allowed="MIN:MAX in km, such as 2:20")
    return low_km, high_km


def pairs_in_range(
    places: Sequence[PlaceRow], range_km: tuple[float, float], template: LinkTemplate, most: int
) -> PlacePairs:
    """All pairs of places at these distances, each once, between a source and a user where roles are given.

    The first of a pair is the source, or the earlier row. InputError for more than ``most`` pairs.
    """
    from scipy.spatial import cKDTree  # 0.1 s that most commands would take

    lon_deg = np.array([place.lon for place in places])
    lat_deg = np.array([place.lat for place in places])
    lon, lat = np.radians(lon_deg), np.radians(lat_deg)
    points = np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=1)
    chord = 2.0 * math.sin(0.5 * _CHORD_SLACK * range_km[1] / _EARTH_KM)
    tree = cKDTree(points)
    in_reach = int((tree.count_neighbors(tree, chord) - len(places)) // 2)
    if in_reach > most:
        raise InputError(
            "are more pairs than --max-pairs", field="--pairs", value=in_reach, allowed=f"at most {most}"
        )
    pairs = tree.query_pairs(chord, output_type="ndarray").astype(np.int64).reshape(-1, 2)
    pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
    pairs = _by_role(places, pairs)
    heights_m = np.array(
        [
            [place.height_m or template.source.height_m, place.height_m or template.user.height_m]
            for place in places
        ]
    ).reshape(-1, 2)
    antennas_m = np.stack([heights_m[pairs[:, 0], 0], heights_m[pairs[:, 1], 1]], axis=1)
    ends = link_ends(lon_deg[pairs], lat_deg[pairs], antennas_m)
    kept = (ends.d_km >= range_km[0]) & (ends.d_km <= range_km[1])
    return PlacePairs(pairs[kept], LinkEnds(*(values[kept] for values in ends)))


def _by_role(places: Sequence[PlaceRow], pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    """Pairs of a source and a user, the source first; all pairs where no place has a role."""
    roles = np.array([place.role for place in places])
    if not (roles != "").any():
        return pairs
    ordered = np.where((roles[pairs[:, 1]] == "source")[:, np.newaxis], pairs[:, ::-1], pairs)
    return ordered[(roles[ordered[:, 0]] == "source") & (roles[ordered[:, 1]] != "source")]


class PlacesPermitted(NamedTuple):
    """Permitted e.i.r.p., its reason and the level of television at 0 dBi; the cap.

    Each [end, place, candidate]: of a place as source and as user.
    """

    permitted_dbm: NDArray[np.float64]
    reason: NDArray[np.uint8]
    cap_dbm: float
    television_dbm: NDArray[np.float64]

    def television_known(self) -> list[bool]:
        """Of each place, whether television is known there on all candidates."""
        unknown = np.isnan(self.television_dbm)
        return [not unknown[:, place].any() for place in range(unknown.shape[1])]


class PairTerms(NamedTuple):
    """What counts for all pairs; ``modes`` of each candidate; ``directions`` None: no credit for pointing."""

    template: LinkTemplate
    candidates: Sequence[Candidate]
    settings: LinkSettings
    world: LinkWorld
    modes: Sequence[ModeLevels]
    at: PlacesPermitted
    margins: Margins
    directions: PlaceDirections | None = None


class PairWays(NamedTuple):
    """What pairs [n] give on every candidate: both directions [n, c], together, loss; known and in sight.

    ``permitted_dbm`` [n, c] of the first and of the second place.
    """

    there: OneWay
    back: OneWay
    both: TwoWay
    permitted_dbm: tuple[NDArray[np.float64], NDArray[np.float64]]
    loss_db: NDArray[np.float64]
    known: NDArray[np.bool_]
    sight: NDArray[np.float64]


def plan_pairs(pairs: PlacePairs, rules: PairTerms, *, threads: int = 1) -> PairsFound:
    """The best channel of every pair, both directions; the same for any number of threads."""
    parts = []
    for first in range(0, len(pairs.places), _PAIRS_A_TIME):
        ways = pair_ways(_some(pairs, slice(first, first + _PAIRS_A_TIME)), rules, threads)
        parts.append(_best_of(ways))
    return PairsFound(*(np.concatenate(values) for values in zip(*parts, strict=True)))


def pair_rules(
    places: Sequence[PlaceRow],
    template: LinkTemplate,
    candidates: Sequence[Candidate],
    settings: LinkSettings,
    world: LinkWorld,
) -> PairTerms:
    """What counts for all pairs, with what the run says at each place."""
    width_mhz = settings.modes.bandwidth_mhz
    kinds = {one.bonded: mode_levels(settings.modes, one.bonded * width_mhz) for one in candidates}
    at = at_places(places, template, candidates, settings, world)
    margins = Margins(location_margin_db(settings.q_pct, 50.0, settings.sigma_db), settings.sigma_db)
    modes = [kinds[one.bonded] for one in candidates]
    directions = None
    if world.permits is not None and world.pointing is not None:
        directions = PlaceDirections(world.permits, world.pointing, template.device, {})
    return PairTerms(template, candidates, settings, world, modes, at, margins, directions)


def _some(pairs: PlacePairs, part: slice) -> PlacePairs:
    return PlacePairs(pairs.places[part], LinkEnds(*(values[part] for values in pairs.ends)))


def at_places(
    places: Sequence[PlaceRow],
    template: LinkTemplate,
    candidates: Sequence[Candidate],
    settings: LinkSettings,
    world: LinkWorld,
) -> PlacesPermitted:
    """What the run says at each place, on every candidate channel."""
    shape = 2, len(places), len(candidates)
    at = PlacesPermitted(
        np.full(shape, math.inf), np.zeros(shape, np.uint8), math.inf, np.full(shape, -math.inf)
    )
    permits = world.permits
    if permits is None:
        return at
    cap_dbm = math.inf
    channels = [(c, one.channel) for c, one in enumerate(candidates) if one.channel is not None]
    counts = settings.television and permits.has_fields
    asked = [channel for _, channel in channels] if counts else []
    lon_deg, lat_deg = np.array([place.lon for place in places]), np.array([place.lat for place in places])
    seen = television_dbuvm(permits.config, television_near(permits, asked, lon_deg, lat_deg))
    for i, place in enumerate(places):
        fields = {channel: float(field_dbuvm[i]) for channel, field_dbuvm in seen.items()}
        for end, radio in enumerate((template.source, template.user)):
            height_m = place.height_m or radio.height_m
            permitted = permitted_at(permits, place.lon, place.lat, height_m, template.device)
            cap_dbm = min(cap_dbm, permitted.cap_dbm)
            for c, channel in channels:
                ask = permitted_in if len(candidates) == 1 else mapped_in
                level_dbm, word = ask(permitted, channel)
                at.permitted_dbm[end, i, c], at.reason[end, i, c] = level_dbm, int(Reason[word.upper()])
                at.television_dbm[end, i, c] = interference_dbm(
                    permits.config, fields, channel, 0.0, height_m
                )
    return at._replace(cap_dbm=cap_dbm)


def pair_ways(pairs: PlacePairs, rules: PairTerms, threads: int = 1) -> PairWays:
    """What some pairs give on every candidate."""
    template, at, settings = rules.template, rules.at, rules.settings
    loss_db, known, sight = _losses(pairs, rules.candidates, settings, rules.world, threads)
    first, second = pairs.places[:, 0], pairs.places[:, 1]
    source_dbm, user_dbm = (eirp_of_end_dbm(end, template) for end in (template.source, template.user))
    gains_db = [gain_of_end_dbi(end) for end in (template.source, template.user)]

    permitted = _permitted_dbm(pairs, rules, 0, first), _permitted_dbm(pairs, rules, 1, second)

    def way(end: int, sender: NDArray[np.int64], receiver: NDArray[np.int64], filed_dbm: float) -> OneWay:
        gain_db, every_dbm = gains_db[1 - end], permitted[end]

        def of_kind(modes: ModeLevels, own: NDArray[np.int64]) -> OneWay:
            part = np.s_[:, own]
            filed, gain = np.full(loss_db[part].shape, filed_dbm), np.full(loss_db[part].shape, gain_db)
            permitted_dbm, reason = every_dbm[part], at.reason[end, sender][part]
            television_dbm = at.television_dbm[1 - end, receiver][part] + gain_db
            sent = Sender(filed, permitted_dbm, reason, at.cap_dbm)
            return one_way(modes, sent, loss_db[part], gain, television_dbm, rules.margins)

        return by_modes(rules.modes, of_kind)

    there = way(0, first, second, source_dbm)
    back = way(1, second, first, user_dbm)
    both = together(there, back, share_of_time(settings))
    return PairWays(there, back, both, permitted, loss_db, known, sight)


def _permitted_dbm(
    pairs: PlacePairs, rules: PairTerms, end: int, sender: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Permitted e.i.r.p. [n, c] of one end of pairs, with credit for pointing where it was asked for."""
    permitted_dbm: NDArray[np.float64] = rules.at.permitted_dbm[end, sender]
    radio = (rules.template.source, rules.template.user)[end]
    if rules.directions is None or radio.pattern == "none":
        return permitted_dbm
    gain_dbi = radio.gain_dbd + DIPOLE_GAIN_DBI
    aimed = LinkEnd(math.nan, gain_dbi - radio.feeder_db, gain_dbi, math.nan, math.inf, radio.pattern, "")
    return pointed_dbm(rules.directions, pairs.ends, end, aimed, rules.candidates, permitted_dbm)


def _best_of(ways: PairWays) -> PairsFound:
    there, _, both, permitted, loss_db, known, sight = ways
    best = best_channel(both)

    def take(values: NDArray[Any]) -> NDArray[Any]:
        return np.take_along_axis(values, best[:, np.newaxis], axis=1)[:, 0]

    return PairsFound(
        best,
        take(both.rate_mbps),
        take(both.mean_mbps),
        take(both.throughput_mbps),
        take(both.margin_db),
        take(there.rated.mode).astype(np.int64),
        take(loss_db),
        take(there.used_dbm),
        take(there.received_dbm),
        take(there.interference_dbm),
        take(there.cni_db),
        np.stack([take(permitted[0]), take(permitted[1])], axis=1),
        take(there.limited_by).astype(np.uint8),
        take(both.reason).astype(np.uint8),
        known,
        sight,
    )


def _losses(
    pairs: PlacePairs, candidates: Sequence[Candidate], settings: LinkSettings, world: LinkWorld, threads: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.float64]]:
    """Loss [n, c] by the model of the settings, whether it is over terrain [n], and what is in sight."""
    count = len(pairs.places)
    known, sight = np.zeros(count, np.bool_), np.full((count, 7), math.nan)
    loss_db = np.full((count, len(candidates)), math.nan)
    sees_terrain = settings.model in ("p1812", "p1812_or_p1546")
    if world.ground is not None:
        looks = look_along(world.ground, pairs.ends, [one.f_mhz for one in candidates], threads=threads)
        known, sight = looks.known, looks.sight
        if sees_terrain:
            loss_db = looks.loss_db
    left = np.flatnonzero(~known) if sees_terrain else np.arange(count)
    if settings.model != "p1812":
        loss_db[left] = _generic_losses(pairs.ends, left, candidates, generic_model(settings.model))
    return loss_db, known & sees_terrain, sight


def _generic_losses(
    ends: LinkEnds, rows: NDArray[np.int64], candidates: Sequence[Candidate], model: str
) -> NDArray[np.float64]:
    """Losses [row, c] of generic paths, by the different heights of their antennas."""
    loss_db = np.empty((rows.size, len(candidates)))
    heights = ends.antennas_m[rows]
    for pair in np.unique(heights, axis=0).tolist():
        alike = (heights == pair).all(axis=1)
        for c, candidate in enumerate(candidates):
            path = GenericPath(model, candidate.f_mhz, pair[0], pair[1])
            loss_db[alike, c] = generic_loss_db(path, ends.d_km[rows][alike])[0]
    return loss_db


def eirp_of_end_dbm(end: TemplateEnd, template: LinkTemplate) -> float:
    """E.i.r.p. of a radio of a template."""
    return eirp_dbm(
        watts_dbm(end.power_w), end.gain_dbd + DIPOLE_GAIN_DBI, end.feeder_db, template.other_loss_db
    )


def gain_of_end_dbi(end: TemplateEnd) -> float:
    """Gain of a radio of a template as a receiver, less its feeder."""
    return end.gain_dbd + DIPOLE_GAIN_DBI - end.feeder_db


def template_settings(template: LinkTemplate, settings: LinkSettings) -> LinkSettings:
    """The settings with the modes of the template."""
    return settings._replace(modes=read_modes(template.modes))
