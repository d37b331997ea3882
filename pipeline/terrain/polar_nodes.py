"""Where the nodes of a polar table around a mast stand.

Ranges lie at equal steps within each octave of a linear function of the distance: the place between two nodes
then stands in the bits of that number in single precision, first the node, then the weight.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.terrain.records import MastView

# A number in single precision: 23 bits of mantissa under the exponent, which is 127 for 1 to 2.
MANTISSA_BITS, EXPONENT_OF_1 = 23, 127
# Losses have nodes one step of the terrain model apart at least so far, and for so many steps.
_CLOSE_KM, _CLOSE_STEPS = 60.0, 200
_WIDEST_STEP_DEG = 0.25
_FULL_CIRCLE_DEG = 360.0


class RadialNodes(NamedTuple):
    """Distances of the nodes of a radial: where ``scale d_km + offset`` has only zeros in its last bits.

    ``shift`` of these bits; the others are ``first`` at node 0, one more at each of the ``nodes``.
    """

    scale: float
    offset: float
    shift: int
    first: int
    nodes: int


class LossLattice(NamedTuple):
    """Nodes of the losses of a mast: radials from ``first_azimuth_deg`` on, all around or a sector.

    The terrain is sampled every ``sample_km`` from the mast on; each node is one of these samples.
    """

    first_azimuth_deg: float
    azimuth_step_deg: float
    radials: int
    sample_km: float
    ranges: RadialNodes


def even_ranges(first_km: float, step_km: float, count: int) -> RadialNodes:
    """Nodes at equal steps: all in one octave."""
    octave = max(math.ceil(math.log2(count)), 1)
    shift = MANTISSA_BITS - octave
    scale = 1.0 / step_km
    return RadialNodes(
        scale, 2.0**octave - first_km * scale, shift, (EXPONENT_OF_1 + octave) << octave, count
    )


def octave_ranges(
    from_km: float, to_km: float, offset: float, octave_bits: int, scale: float = 1.0
) -> RadialNodes:
    """Nodes from the last one not beyond ``from_km`` to the first beyond ``to_km``.

    There are 2^``octave_bits`` steps in each octave of ``scale`` d + ``offset``, d in km.
    """
    shift = MANTISSA_BITS - octave_bits
    ends = np.array([from_km * scale + offset, to_km * scale + offset], np.float32).view(np.int32)
    first, last = int(ends[0]) >> shift, (int(ends[1]) >> shift) + 1
    return RadialNodes(scale, offset, shift, first, max(last - first + 1, 2))


def node_km(ranges: RadialNodes) -> NDArray[np.float64]:
    """Distances of the nodes, float64[nodes]."""
    bits = (ranges.first + np.arange(ranges.nodes, dtype=np.int32)) << np.int32(ranges.shift)
    return (bits.astype(np.int32).view(np.float32).astype(np.float64) - ranges.offset) / ranges.scale


def loss_lattice(dem_km: float, view: MastView) -> LossLattice:
    """Nodes of the losses in a view over terrain in steps of ``dem_km``.

    Up to 60 km, or 200 samples, and somewhat more each sample is one; then the steps double with each octave,
    and stay below a 100th of the distance. Radials are one step of the terrain apart at 60 km, or at the end
    of a nearer view, and at most a quarter of a degree. What that loses: docs/method.md, section 34.
    """
    octave_bits = math.ceil(math.log2(max(_CLOSE_KM / dem_km, _CLOSE_STEPS)))
    width_deg = min(view.width_deg, _FULL_CIRCLE_DEG)
    turn = math.radians(width_deg) * min(view.far_km, _CLOSE_KM) / dem_km
    intervals = max(math.ceil(turn), math.ceil(width_deg / _WIDEST_STEP_DEG), 4)
    full = width_deg >= _FULL_CIRCLE_DEG
    return LossLattice(
        first_azimuth_deg=0.0 if full else view.first_azimuth_deg,
        azimuth_step_deg=width_deg / intervals,
        radials=intervals if full else intervals + 1,
        sample_km=dem_km,
        ranges=octave_ranges(view.near_km, view.far_km, 2.0**octave_bits, octave_bits, 1.0 / dem_km),
    )


def samples_of_nodes(lattice: LossLattice) -> NDArray[np.int64]:
    """Numbers of the samples at the nodes, int64[range], rising; 0 is the mast."""
    return np.rint(node_km(lattice.ranges) / lattice.sample_km).astype(np.int64)


def stored_lattice(lattice: LossLattice) -> NDArray[np.float64]:
    """The numbers of a lattice as they are stored; the last is the step of the samples in km."""
    return np.array([lattice.first_azimuth_deg, lattice.azimuth_step_deg, *lattice.ranges, lattice.sample_km])


def ranges_of(numbers: NDArray[np.float64]) -> RadialNodes:
    """The distances of nodes from the numbers of ``stored_lattice``."""
    scale, offset, *others = numbers[2:7].tolist()
    return RadialNodes(scale, offset, *map(int, others))
