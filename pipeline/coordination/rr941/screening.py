"""Own networks against all of a special section: overlap, arc, delta-T/T, decision (RR No. 9.41).

The increase of noise temperature is that of RR Appendix 8, Case I, with the satellites' largest gains, at the
worst of a lattice of places of 3 by 3 degrees around the own satellite that see both satellites, or of given
places. Only places where no other has both a smaller angle and a shorter path can be the worst, as gains do
not rise with the angle (where S.1428 rises again behind the dish, its largest gain farther out is taken).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import date
from functools import cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.config.coordination import Edition
from pipeline.coordination.rr941.appendix5 import (
    ArcTable,
    CoordinationLimits,
    arcs_of_parts,
    polarisation_divisor,
)
from pipeline.coordination.rr941.decision import (
    Criteria,
    Outcome,
    deadline,
    exclude_by_rule,
    include_by_table,
)
from pipeline.coordination.rr941.geometry import geocentric_angle_deg, sight
from pipeline.coordination.rr941.networks import BOLTZMANN_DB, LOSS_CONSTANT_DB, SMALLEST_OVERLAP_MHZ
from pipeline.coordination.rr941.plan_bands import PlanBand, outside_plans
from pipeline.coordination.rr941.screen_networks import POLARISATIONS, FlatNetwork

_LATTICE_DEG = 3.0
_NO_ARC = -1.0

_Values = NDArray[np.float64]


class ScreenRules(NamedTuple):
    """What holds for all networks of a screening; ``places`` lon/lat [2, n], None: the lattice.

    ``claimed_crc_error``: an error in the published list is claimed (note 2 of Table 2).
    """

    arcs: ArcTable
    limits: CoordinationLimits
    plans: tuple[PlanBand, ...]
    edition: Edition
    region: int
    kind: str
    ific_date: date
    today: date
    identified: frozenset[tuple[str, str]]
    places: _Values | None = None
    claimed_crc_error: bool = False


class WorstPair(NamedTuple):
    """Own and published assignment (indices) with the largest delta-T/T, and where."""

    own: int
    published: int
    percent: float
    lon_deg: float
    lat_deg: float


class GroupWorst(NamedTuple):
    """The largest delta-T/T of a group of the published network."""

    group: str
    own_group: str
    percent: float


class Screened(NamedTuple):
    """What a screening found on an own and a published network.

    ``worst`` None: no pair of assignments was calculated. Either none has to be, or no place sees both
    satellites; then there is no calculation to decide by (``NO_CALCULATION``), and ``groups`` is empty.
    """

    own: FlatNetwork
    published: FlatNetwork
    separation_deg: float
    overlaps: int
    items: tuple[str, ...]
    arc_deg: float | None
    worst: WorstPair | None
    groups: tuple[GroupWorst, ...]
    outcome: Outcome
    reason: str
    deadline: date


class _Segments(NamedTuple):
    """Frequencies cut at edges of arcs and Plans: edges [k + 1], arc [k] (-1: none), Plan and item [k]."""

    edges_mhz: _Values
    arc_deg: _Values
    in_plan: NDArray[np.bool_]
    items: tuple[str, ...]


def screen(
    own: Sequence[FlatNetwork], published: Sequence[FlatNetwork], rules: ScreenRules
) -> Iterator[Screened]:
    """Every own with every published network, in their order."""
    last_day = deadline(rules.ific_date, round(rules.limits.comment_months.value))
    segments: dict[tuple[str, str, bool], _Segments] = {}
    for other in published:
        for one in own:
            yield _screened(one, other, rules, last_day, segments)


def _screened(
    own: FlatNetwork,
    published: FlatNetwork,
    rules: ScreenRules,
    last_day: date,
    segments: dict[tuple[str, str, bool], _Segments],
) -> Screened:
    separation_deg = geocentric_angle_deg(own.network.longitude_deg, published.network.longitude_deg, 0.0)
    i, j = _overlapping(own, published)
    arc_deg, in_plan, items = _arcs_of(own, published, i, j, rules, segments)
    left_out = bool(in_plan.size) and bool(in_plan.all())
    overlaps = i.size
    i, j, arc_deg = i[~in_plan], j[~in_plan], arc_deg[~in_plan]
    inside = bool((arc_deg >= separation_deg).any())
    listed = (own.network.name, published.network.name) in rules.identified
    worst: WorstPair | None = None
    groups: tuple[GroupWorst, ...] = ()
    needed = bool(i.size) and not (inside and rules.kind == "inclusion" and not listed)
    fronts = _fronts(own, published, rules) if needed else None
    if fronts is not None and fronts[0].angle_deg.size:
        percent, place = _percent(own, published, i, j, fronts, rules.limits)
        # Inclusion counts the pairs in bands that have an arc, if there are any.
        counted = arc_deg != _NO_ARC if rules.kind == "inclusion" else np.ones(i.size, dtype=bool)
        worst = _worst(i, j, percent, place, counted if counted.any() else np.ones(i.size, dtype=bool))
        groups = _groups(own, published, i, j, percent)
    exceeded = worst is not None and worst.percent > rules.limits.threshold_pct.value
    arc_band = bool((arc_deg != _NO_ARC).any())
    tests = Criteria(rules.today <= last_day, arc_band, worst is not None, exceeded)
    outcome, reason = _decided(rules, tests, listed, inside, left_out, bool(i.size))
    widest = float(arc_deg.max()) if arc_band else None
    return Screened(
        own, published, separation_deg, overlaps, items, widest, worst, groups, outcome, reason, last_day
    )


def _worst(
    i: NDArray[np.int64], j: NDArray[np.int64], percent: _Values, place: _Values, counted: NDArray[np.bool_]
) -> WorstPair:
    k = int(np.argmax(np.where(counted, percent, -1.0)))
    return WorstPair(int(i[k]), int(j[k]), float(percent[k]), *map(float, place[k]))


def _decided(
    rules: ScreenRules, tests: Criteria, listed: bool, inside: bool, left_out: bool, any_pair: bool
) -> tuple[Outcome, str]:
    if left_out:
        return "not_applicable", "PLAN_BAND"
    if rules.kind == "exclusion":
        if not listed:
            return "not_applicable", "NOT_IDENTIFIED"
        # Without common frequencies there is nothing to calculate; the four months hold all the same.
        return exclude_by_rule(tests) if any_pair or not tests.in_time else ("exclude", "NO_FREQ_OVERLAP")
    if listed:
        return "not_applicable", "ALREADY_IDENTIFIED"
    if inside:
        return "not_applicable", "ALREADY_REQUIRED_9_7"
    if not any_pair and tests.in_time:
        return "not_include", "NO_FREQ_OVERLAP"
    return include_by_table(tests, claimed_crc_error=rules.claimed_crc_error)


def _overlapping(own: FlatNetwork, published: FlatNetwork) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices [k] of the pairs of one direction that share frequencies."""
    low = np.maximum(own.low_mhz[:, None], published.low_mhz[None, :])
    high = np.minimum(own.high_mhz[:, None], published.high_mhz[None, :])
    shared = (high - low > SMALLEST_OVERLAP_MHZ) & (own.down[:, None] == published.down[None, :])
    i, j = np.nonzero(shared)
    return i, j


# --- arcs ---------------------------------------------------------------------------------------------------


def _arcs_of(
    own: FlatNetwork,
    published: FlatNetwork,
    i: NDArray[np.int64],
    j: NDArray[np.int64],
    rules: ScreenRules,
    segments: dict[tuple[str, str, bool], _Segments],
) -> tuple[_Values, NDArray[np.bool_], tuple[str, ...]]:
    """Widest arc [k] of the parts of each overlap outside Plans, whether all is in a Plan, and all items."""
    arc_deg, in_plan = np.full(i.size, _NO_ARC), np.ones(i.size, dtype=bool)
    items: dict[str, None] = {}
    low = np.maximum(own.low_mhz[i], published.low_mhz[j])
    high = np.minimum(own.high_mhz[i], published.high_mhz[j])
    for down in (True, False):
        chosen = np.flatnonzero(own.down[i] == down)
        if not chosen.size:
            continue
        key = (own.network.service, published.network.service, down)
        if key not in segments:
            segments[key] = _segments_of(key, rules)
        cut = segments[key]
        first = np.searchsorted(cut.edges_mhz, low[chosen], side="right") - 1
        last = np.searchsorted(cut.edges_mhz, high[chosen], side="left") - 1
        for step in range(int((last - first).max()) + 1):
            here = np.minimum(first + step, last)
            free = ~cut.in_plan[here]
            arc_deg[chosen] = np.where(free, np.maximum(arc_deg[chosen], cut.arc_deg[here]), arc_deg[chosen])
            in_plan[chosen] &= ~free
            items.update(dict.fromkeys(cut.items[k] for k in np.unique(here[free])))
    return arc_deg, in_plan, tuple(items)


def _segments_of(key: tuple[str, str, bool], rules: ScreenRules) -> _Segments:
    """Arcs and Plans for two services and a direction, over all frequencies."""
    services, down = (key[0], key[1]), key[2]
    bands = [(row.from_mhz, row.to_mhz) for row in rules.arcs.rows]
    bands += [(plan.from_mhz, plan.to_mhz) for plan in rules.plans]
    edges = sorted({0.0, 1e7, *(edge for band in bands for edge in band)})
    arcs, plans, items = [], [], []
    for low, high in pairwise(edges):
        parts = outside_plans(
            rules.plans,
            (low, high),
            region=rules.region,
            direction="down" if down else "up",
            services=services,
        )
        (arc,) = arcs_of_parts(
            rules.arcs,
            [(low, high)],
            edition=rules.edition,
            region=rules.region,
            services=services,  # type: ignore[arg-type]
            # Later than its day, which the table of networks does not have: nearer than any other.
            received=rules.ific_date,
        )
        arcs.append(_NO_ARC if arc.arc_deg is None else arc.arc_deg)
        plans.append(not parts)
        items.append(arc.item)
    return _Segments(np.array(edges), np.array(arcs), np.array(plans), tuple(items))


# --- increase of noise temperature --------------------------------------------------------------------------


class Front(NamedTuple):
    """Places [n] that can be the worst: angle, distance in dB, lon/lat."""

    angle_deg: _Values
    path_db: _Values
    lon_deg: _Values
    lat_deg: _Values


def _percent(
    own: FlatNetwork,
    published: FlatNetwork,
    i: NDArray[np.int64],
    j: NDArray[np.int64],
    fronts: tuple[Front, Front],
    limits: CoordinationLimits,
) -> tuple[_Values, _Values]:
    """Largest delta-T/T in % of the pairs [k] and its place [k, 2]; some place sees both satellites."""
    percent, place = np.zeros(i.size), np.full((i.size, 2), np.nan)
    down, divisors_db = own.down[i], _divisors_db(limits)
    for front, chosen, station, index, emitter in (
        (fronts[0], np.flatnonzero(down), own, i, published.satellite_dbi[j]),
        (fronts[1], np.flatnonzero(~down), published, j, own.satellite_dbi[i]),
    ):
        if not chosen.size:
            continue
        used, back = np.unique(index[chosen], return_inverse=True)
        level_db = gains_dbi(station.patterns[used], front.angle_deg) - front.path_db
        best = np.argmax(level_db, axis=1)
        k = i[chosen], j[chosen]
        constant_db = (
            published.power_dbw_hz[k[1]]
            + emitter[chosen]
            + BOLTZMANN_DB
            - LOSS_CONSTANT_DB
            - 20.0 * np.log10(own.centre_mhz[k[0]])
            - divisors_db[own.polarisation[k[0]], published.polarisation[k[1]]]
            + 20.0
            - own.noise_db[k[0]]
        )
        found = level_db[np.arange(used.size), best]
        percent[chosen] = 10.0 ** (0.1 * (constant_db + found[back]))
        place[chosen, 0], place[chosen, 1] = front.lon_deg[best][back], front.lat_deg[best][back]
    return percent, place


def gains_dbi(patterns: _Values, angle_deg: _Values) -> _Values:
    """Largest gain [n, m] of patterns [n, SEGMENTS, 4] at angles [m] or farther from the axis, up to 180."""
    log_angle = np.log10(np.maximum(angle_deg, 1e-9))
    gain = np.full((patterns.shape[0], angle_deg.size), -np.inf)
    start = np.zeros(patterns.shape[0])
    for k in range(patterns.shape[1]):
        end, a, b, c = (patterns[:, k, m] for m in range(4))
        # Within a segment the gain does not rise: at its beginning for all angles before it.
        at = np.maximum(angle_deg[None, :], np.minimum(start, 180.0)[:, None])
        with np.errstate(divide="ignore"):
            log_at = np.where(at == angle_deg[None, :], log_angle[None, :], np.log10(np.maximum(at, 1e-9)))
        value = a[:, None] + b[:, None] * log_at + c[:, None] * at * at
        open_segment = (at < end[:, None]) & (start[:, None] <= 180.0) & (start < end)[:, None]
        gain = np.where(open_segment, np.maximum(gain, value), gain)
        start = np.maximum(start, end)
    return gain


def _divisors_db(limits: CoordinationLimits) -> _Values:
    """10 log10 of the factor Y by the polarisations of the two assignments."""
    found = np.zeros((len(POLARISATIONS), len(POLARISATIONS)))
    for a, first in enumerate(POLARISATIONS):
        for b, second in enumerate(POLARISATIONS):
            divisor = polarisation_divisor(first, second, limits)
            found[a, b] = 0.0 if divisor is None else 10.0 * math.log10(divisor.value)
    return found


def _fronts(own: FlatNetwork, published: FlatNetwork, rules: ScreenRules) -> tuple[Front, Front]:
    """Places for down-links (path to the published satellite) and up-links (path to the own one)."""
    slack_deg = own.network.tolerance_deg + published.network.tolerance_deg
    own_deg, other_deg = own.network.longitude_deg, published.network.longitude_deg
    least_deg = rules.limits.min_elevation_deg.value
    if rules.places is not None:
        return _fronts_at(rules.places[0], rules.places[1], own_deg, other_deg, slack_deg, least_deg)
    east_deg = (other_deg - own_deg + 180.0) % 360.0 - 180.0
    lattice = _lattice_fronts(round(east_deg, 6), round(slack_deg, 6), least_deg)
    down, up = (
        front._replace(lon_deg=(front.lon_deg + own_deg + 180.0) % 360.0 - 180.0) for front in lattice
    )
    return down, up


@cache
def _lattice_fronts(east_deg: float, slack_deg: float, least_deg: float) -> tuple[Front, Front]:
    """The same for the lattice around an own satellite at longitude 0; north stands for south as well."""
    lon_deg, lat_deg = np.meshgrid(np.arange(-81.0, 82.0, _LATTICE_DEG), np.arange(0.0, 82.0, _LATTICE_DEG))
    return _fronts_at(lon_deg.ravel(), lat_deg.ravel(), 0.0, east_deg, slack_deg, least_deg)


def _fronts_at(
    lon_deg: _Values, lat_deg: _Values, own_deg: float, other_deg: float, slack_deg: float, least_deg: float
) -> tuple[Front, Front]:
    seen = sight(lon_deg, lat_deg, own_deg, other_deg, slack_deg)
    visible = np.minimum(seen.own_elevation_deg, seen.other_elevation_deg) >= least_deg
    place = lon_deg[visible], lat_deg[visible]
    angle_deg = seen.angle_deg[visible]
    down = _front(angle_deg, 20.0 * np.log10(seen.other_km[visible]), *place)
    return down, _front(angle_deg, 20.0 * np.log10(seen.own_km[visible]), *place)


def _front(angle_deg: _Values, path_db: _Values, lon_deg: _Values, lat_deg: _Values) -> Front:
    """Places that no other beats in both angle and path."""
    order = np.lexsort((path_db, angle_deg))
    least = np.minimum.accumulate(path_db[order])
    kept = order[np.concatenate([[True], path_db[order][1:] < least[:-1]])] if order.size else order
    return Front(angle_deg[kept], path_db[kept], lon_deg[kept], lat_deg[kept])


def _groups(
    own: FlatNetwork, published: FlatNetwork, i: NDArray[np.int64], j: NDArray[np.int64], percent: _Values
) -> tuple[GroupWorst, ...]:
    """The worst pair of each group of the published network."""
    found: dict[str, GroupWorst] = {}
    for k in np.argsort(-percent, kind="stable"):
        theirs = published.network.assignments[int(j[k])]
        group = theirs.group or theirs.id
        if group not in found:
            ours = own.network.assignments[int(i[k])]
            found[group] = GroupWorst(group, ours.group or ours.id, float(percent[k]))
    return tuple(found.values())
