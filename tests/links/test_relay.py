"""Relay chains on networks of which the answer is known."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from pipeline.links.relay import RelayHop, relay_tree


def test_hops_on_one_channel_share_it_and_on_others_do_not() -> None:
    same = relay_tree(3, [RelayHop(0, 1, "21", 40.0), RelayHop(1, 2, "21", 40.0)], [0], 5, 10.0)
    other = relay_tree(3, [RelayHop(0, 1, "21", 40.0), RelayHop(1, 2, "30", 30.0)], [0], 5, 10.0)
    assert (same[2].end_to_end_mbps, other[2].end_to_end_mbps) == (pytest.approx(20.0), pytest.approx(30.0))
    assert [one.hops for one in other] == [0, 1, 2]
    assert [one.parent for one in other] == [None, 0, 1]


def test_three_hops_on_two_channels() -> None:
    hops = [RelayHop(0, 1, "21", 30.0), RelayHop(1, 2, "21", 30.0), RelayHop(2, 3, "22", 12.0)]
    assert relay_tree(4, hops, [0], 5, 1.0)[3].end_to_end_mbps == pytest.approx(12.0)
    assert relay_tree(4, hops, [0], 5, 13.0)[3].end_to_end_mbps == 0.0


def test_hops_are_bounded() -> None:
    line = [RelayHop(i, i + 1, str(21 + i), 40.0) for i in range(5)]
    found = relay_tree(6, line, [0], 3, 1.0)
    assert [one.end_to_end_mbps > 0.0 for one in found] == [True] * 4 + [False] * 2


def test_tree_is_that_of_least_cost() -> None:
    """Against all ways of a small network, by brute force, where each hop has a channel of its own."""
    rng = np.random.default_rng(7)
    for _ in range(20):
        pairs = list(itertools.combinations(range(6), 2))
        hops = [
            RelayHop(a, b, str(i), float(rate))
            for i, ((a, b), rate) in enumerate(zip(pairs, rng.uniform(5, 40, len(pairs)), strict=True))
            if rng.random() < 0.6
        ]
        found = relay_tree(6, hops, [0], 5, 1.0)
        rates = {frozenset((h.first, h.second)): h.rate_mbps for h in hops}
        for goal in range(1, 6):
            costs = [
                sum(1.0 / rates[frozenset(step)] + 0.005 for step in itertools.pairwise((0, *way, goal)))
                for length in range(5)
                for way in itertools.permutations(set(range(1, 6)) - {goal}, length)
                if all(frozenset(step) in rates for step in itertools.pairwise((0, *way, goal)))
            ]
            own, place = 0.0, goal
            while place and (one := found[place]).parent is not None:
                own += 1.0 / one.rate_mbps + 0.005
                place = one.parent
            assert (own if found[goal].hops else math.inf) == pytest.approx(min(costs, default=math.inf))
