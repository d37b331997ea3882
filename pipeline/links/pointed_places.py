"""What antennas of settlements may radiate towards each other, more than a non-directional one (section 46).

The limits by direction of a place and channel are looked for once, the first time that a pair asks for them;
each pair then turns the pattern of its template towards the other end.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.links.link_rows import LinkEnd, attenuation_db
from pipeline.links.link_terrain import LinkEnds
from pipeline.links.link_world import Candidate
from pipeline.links.permitted import Permits, answering_devices
from pipeline.query.results import Run

if TYPE_CHECKING:
    from pipeline.links.pointing import DirectionalLimits


class PlaceDirections(NamedTuple):
    """The run with its intermediates, the device whose limits count, and limits by place and channel."""

    permits: Permits
    run: Run
    device: str | None
    kept: dict[tuple[float, float, float, int], list[DirectionalLimits]]


def pointed_dbm(
    directions: PlaceDirections,
    ends: LinkEnds,
    side: int,
    radio: LinkEnd,
    candidates: Sequence[Candidate],
    permitted_dbm: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Permitted e.i.r.p. [n, c] of senders at one ``side`` of pairs, never below ``permitted_dbm``.

    What is not permitted stays so; bonds get no credit.
    """
    from pipeline.links.pointing import permitted_on_axis_dbm  # compiled code that only pointing needs

    found = permitted_dbm.copy()
    for n, c in np.argwhere(np.isfinite(permitted_dbm)).tolist():
        channel = candidates[c].channel
        if isinstance(channel, int):
            limits = _limits_at(directions, ends, n, side, channel)
            aimed = radio._replace(azimuth_deg=float(ends.bearings_deg[n, side]))
            antenna = partial(attenuation_db, aimed, f_mhz=candidates[c].f_mhz)
            level_dbm = float(np.min([permitted_on_axis_dbm(one, antenna) for one in limits]))
            if not math.isnan(level_dbm):
                found[n, c] = max(found[n, c], level_dbm)
    return found


def _limits_at(
    directions: PlaceDirections, ends: LinkEnds, n: int, side: int, channel: int
) -> list[DirectionalLimits]:
    """Limits by direction of the layers that answer for an end of a pair."""
    from pipeline.links.pointing import directional_limits  # compiled code that only pointing needs

    place_deg = float(ends.lon_deg[n, side]), float(ends.lat_deg[n, side])
    height_m = float(ends.antennas_m[n, side])
    key = *place_deg, height_m, channel
    if key not in directions.kept:
        devices = answering_devices(directions.permits, height_m, directions.device)
        directions.kept[key] = [
            directional_limits(directions.run, directions.run.build, place_deg, channel, str(one["id"]))
            for one in devices
        ]
    return directions.kept[key]
