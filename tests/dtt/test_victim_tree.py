"""Nodes of the tree over victims against the victims in their squares, level by level."""

from __future__ import annotations

import numpy as np

from pipeline.dtt.victim_tree import LEAF_PX, LEVELS, build_tree
from pipeline.radio.antennas import bt419

BAND_V = (20.0, 60.0, 16.0)


def test_nodes_hold_the_least_level_and_the_nearest_sea_of_their_victims():
    random = np.random.default_rng(11)
    shape = 150, 333
    level_dbm = random.uniform(-80.0, -40.0, shape).astype(np.float32)
    level_dbm[random.random(shape) < 0.97] = np.inf
    level_dbm[:, 100:180] = np.inf
    azimuth_deg = random.uniform(0.0, 360.0, shape).astype(np.float32)
    sea = random.integers(0, 7, shape).astype(np.uint8)
    tree = build_tree(level_dbm, azimuth_deg, sea, bt419(BAND_V), threads=2)
    victims, empty = np.isfinite(level_dbm), 0
    for level in range(LEVELS):
        side = LEAF_PX << level
        for i in range(tree.height[level]):
            for j in range(tree.width[level]):
                square = np.s_[i * side : (i + 1) * side, j * side : (j + 1) * side]
                row = tree.row[tree.start[level] + i * tree.width[level] + j]
                its = victims[square]
                assert (row >= 0) == its.any()
                empty += row < 0
                if row >= 0:
                    assert tree.sea[row] == sea[square][its].min()
                    assert tree.any_dbm[row] == level_dbm[square][its].min()
    assert empty > 0
