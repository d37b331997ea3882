"""Tables of basic transmission losses around a mast, whatever model filled them: samples and bounds.

A table holds counts of 0.01 dB at the nodes of radials and ranges, rounded to the nearest: at most 0.005 dB
off, and so is a sample, a mean of four nodes (bilinear in dB).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.kernels import borrowing, kernel

MOST_NODES = 12_000_000
DB_PER_COUNT = 0.01
# As for clearance angles: beyond the limit radials are thinned first, up to this, because nothing is lost
# near the mast; then ranges.
_MOST_THINNED = 8.0
_FEWEST_RADIALS, _FEWEST_SAMPLES = 4, 3
BLOCK_NODES = 16
"""Side of the blocks of ``LossTable.least``."""


class PolarLattice(NamedTuple):
    """Nodes around a mast: radials from north by east, ranges from 0 km, every ``stride`` samples.

    ``sample_km``: step of the profiles, that of the elevations.
    """

    radials: int
    ranges: int
    stride: int
    sample_km: float

    @property
    def samples(self) -> int:
        """Samples of a profile."""
        return (self.ranges - 1) * self.stride + 1


class LossTable(NamedTuple):
    """One table: ``counts`` uint16[radial, range] and the least of each of their blocks, ``least``."""

    counts: NDArray[np.uint16]
    least: NDArray[np.uint16]
    range_km: float


def polar_lattice(reach_km: float, dem_step_km: float, most_nodes: int = MOST_NODES) -> PolarLattice:
    """Nodes up to ``reach_km``: ranges and, at the limit, radials one step of the elevations apart.

    Where these are more than ``most_nodes``, first radials are thinned, then ranges by a whole number.
    """
    samples = max(math.ceil(reach_km / dem_step_km - 1e-9) + 1, _FEWEST_SAMPLES)
    radials = math.ceil(2.0 * math.pi * reach_km / dem_step_km)
    stride = math.ceil(max(radials * samples / most_nodes, 1.0) / _MOST_THINNED)
    ranges = math.ceil((samples - 1) / stride) + 1
    return PolarLattice(max(min(radials, most_nodes // ranges), _FEWEST_RADIALS), ranges, stride, dem_step_km)


def loss_table(lattice: PolarLattice, counts: NDArray[np.uint16]) -> LossTable:
    """The table of ``counts`` [radial, range]."""
    starts = [np.arange(0, size, BLOCK_NODES) for size in counts.shape]
    by_radial = np.minimum.reduceat(counts, starts[0], axis=0)
    least = np.minimum.reduceat(by_radial, starts[1], axis=1)
    return LossTable(counts, least, lattice.stride * lattice.sample_km)


@kernel
def count_of(loss_db: float) -> int:
    """The count of a loss: the nearest, at most 655.35 dB."""
    return min(max(math.floor(loss_db / DB_PER_COUNT + 0.5), 0), 65535)


@borrowing
def sample_losses(
    table: LossTable, d_km: NDArray[np.float64], az_deg: NDArray[np.float64], loss_db: NDArray[np.float64]
) -> None:
    """Fill the losses at places [n] by distance and azimuth, 0 to 360; beyond the last range those of it."""
    counts = table.counts
    radials, ranges = counts.shape
    per_km, per_deg = 1.0 / table.range_km, radials / 360.0
    for p in range(d_km.size):
        along = min(d_km[p] * per_km, ranges - 1.0)
        around = az_deg[p] * per_deg
        n, k = min(int(along), ranges - 2), min(int(around), radials - 1)
        following = k + 1 if k + 1 < radials else 0
        w, v = along - n, around - k
        near = (1.0 - v) * counts[k, n] + v * counts[following, n]
        far = (1.0 - v) * counts[k, n + 1] + v * counts[following, n + 1]
        loss_db[p] = DB_PER_COUNT * ((1.0 - w) * near + w * far)


@borrowing
def least_loss_db(table: LossTable, from_km: float, to_km: float, from_deg: float, to_deg: float) -> float:
    """A loss that no sample between two distances and two azimuths, from below ``to_deg``, is less than.

    Azimuths may pass 0 and 360. It is the least of the blocks that the nodes around the samples belong to.
    """
    radials, ranges = table.counts.shape
    per_km, per_deg = 1.0 / table.range_km, radials / 360.0
    # Rounding may carry a place over a node.
    n = min(max(int(from_km * per_km - 1e-9), 0), ranges - 1)
    last_n = min(int(to_km * per_km + 1e-9) + 1, ranges - 1)
    k = math.floor(from_deg * per_deg - 1e-9)
    last_k = min(math.floor(to_deg * per_deg + 1e-9) + 1, k + radials - 1)
    least = 65535
    while k <= last_k:
        radial = k % radials
        block = radial // BLOCK_NODES
        for b in range(n // BLOCK_NODES, last_n // BLOCK_NODES + 1):
            least = min(least, table.least[block, b])
        k += min((block + 1) * BLOCK_NODES, radials) - radial
    return DB_PER_COUNT * least
