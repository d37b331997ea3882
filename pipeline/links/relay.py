"""Relay chains from settlement to settlement: a tree that reaches places at a rate (SM.2405, Fig. A5-6)."""

from __future__ import annotations

import heapq
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

# What a hop costs beside 1 / its rate, in s/Mbit: of paths of nearly one rate that of fewer hops.
_HOP_COST = 0.005


class RelayHop(NamedTuple):
    """A link that may be used, by the indexes of its places, with its channel and rate in Mbit/s."""

    first: int
    second: int
    channel: str
    rate_mbps: float


class Reached(NamedTuple):
    """How a place is reached: from ``parent`` (None: a source, or not at all) by a hop.

    ``end_to_end_mbps`` 0 where it is not reached, infinite at a source.
    """

    place: int
    parent: int | None
    hops: int
    channel: str
    rate_mbps: float
    end_to_end_mbps: float


class _Way(NamedTuple):
    """Hops to a place: rate of the narrowest run of hops on one channel, and what the last run costs."""

    reached: Reached
    before_mbps: float
    run_cost: float


def relay_tree(
    count: int, hops: Iterable[RelayHop], sources: Sequence[int], most_hops: int, least_mbps: float
) -> list[Reached]:
    """The tree of least sum of 1/rate plus a cost a hop, of all places by index.

    Hops in a row on one channel share its time: 1 / sum(1/rate) together; the smallest of such runs is the
    rate from end to end. No way has more than ``most_hops`` or falls below ``least_mbps``.
    """
    neighbours: dict[int, list[tuple[int, RelayHop]]] = defaultdict(list)
    for hop in hops:
        if hop.rate_mbps >= least_mbps:
            neighbours[hop.first].append((hop.second, hop))
            neighbours[hop.second].append((hop.first, hop))
    found: dict[int, _Way] = {}
    queue: list[tuple[float, int, int, _Way]] = []
    for turn, source in enumerate(sources):
        here = Reached(source, None, 0, "", math.inf, math.inf)
        queue.append((0.0, 0, turn, _Way(here, math.inf, 0.0)))
    heapq.heapify(queue)
    turn = len(queue)
    while queue:
        cost, _, _, way = heapq.heappop(queue)
        place = way.reached.place
        if place in found:
            continue
        found[place] = way
        if way.reached.hops == most_hops:
            continue
        for other, hop in neighbours[place]:
            longer = _longer(way, other, hop)
            if other not in found and longer.reached.end_to_end_mbps >= least_mbps:
                turn += 1
                price = cost + 1.0 / hop.rate_mbps + _HOP_COST
                heapq.heappush(queue, (price, longer.reached.hops, turn, longer))
    nothing = [Reached(place, None, 0, "", 0.0, 0.0) for place in range(count)]
    return [found[place].reached if place in found else nothing[place] for place in range(count)]


def end_to_end_mbps(tree: Sequence[Reached], hops: Mapping[int, RelayHop]) -> dict[int, float]:
    """Rates from end to end of the places of a tree with other channels and rates of its hops, by place."""
    ways: dict[int, _Way] = {}
    for one in sorted(tree, key=lambda reached: reached.hops):
        if one.parent is None:
            here = Reached(one.place, None, 0, "", math.inf, math.inf)
            ways[one.place] = _Way(here, math.inf, 0.0)
        elif hops[one.place].rate_mbps > 0.0 and one.parent in ways:
            ways[one.place] = _longer(ways[one.parent], one.place, hops[one.place])
    return {place: way.reached.end_to_end_mbps for place, way in ways.items()}


def _longer(way: _Way, other: int, hop: RelayHop) -> _Way:
    """A way with one hop more."""
    same = hop.channel == way.reached.channel
    run_cost = 1.0 / hop.rate_mbps + (way.run_cost if same else 0.0)
    before_mbps = way.before_mbps if same else min(way.before_mbps, _rate(way.run_cost))
    end_to_end_mbps = min(before_mbps, _rate(run_cost))
    place = way.reached.place
    reached = Reached(other, place, way.reached.hops + 1, hop.channel, hop.rate_mbps, end_to_end_mbps)
    return _Way(reached, before_mbps, run_cost)


def _rate(cost: float) -> float:
    return math.inf if cost == 0.0 else 1.0 / cost
