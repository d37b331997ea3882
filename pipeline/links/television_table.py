"""Which television stations the receivers of a link hear on its channel: rows of ``links_television.csv``."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from pipeline.links.link_rows import LinkEnd, attenuation_db, end_of, pointed
from pipeline.links.link_table import fixed
from pipeline.links.link_world import LinkSettings, LinkWorld
from pipeline.links.permitted import ADJACENT_DB, Permits, above_10_m_db, television_near
from pipeline.links.plan_links import LinkFound
from pipeline.radio.channel_plan import channel_block, channel_centre_mhz, index_of
from pipeline.units import power_dbm

TELEVISION_COLUMNS = (
    "id",
    "end",
    "channel_used",
    "station",
    "country",
    "station_channel",
    "field_dbuvm",
    "off_axis_db",
    "selectivity_db",
    "level_dbm",
)


def television_rows(link: LinkFound, settings: LinkSettings, world: LinkWorld) -> Iterator[dict[str, object]]:
    """A row for each station at each receiving end, the strongest first; none where television is left out.

    Levels add up to ``interference_dbm``; those that are not known are empty, and last. A station without an
    id is the network received best, where the stations of the run cannot be had.
    """
    permits, ends, row = world.permits, link.ends, link.row
    if permits is None or ends is None or not (settings.television and permits.has_fields):
        return
    bearings = ends.bearings_deg[0].tolist()
    sides = [("b", end_of(row, "b"), (row.b_lon, row.b_lat), bearings[1])]
    if link.back is not None:
        sides.insert(0, ("a", end_of(row, "a"), (row.a_lon, row.a_lat), bearings[0]))
    for name, end, place, bearing in sides:
        found = list(_at_end(permits, link, pointed(end, bearing), np.array([place], float)))
        for level_dbm, cells in sorted(found, key=lambda one: -np.nan_to_num(one[0], nan=-math.inf)):
            yield dict(zip(TELEVISION_COLUMNS, (row.id, name, *cells, fixed(level_dbm, 2)), strict=True))


def _at_end(
    permits: Permits, link: LinkFound, receiver: LinkEnd, place_deg: np.ndarray
) -> Iterator[tuple[float, tuple[object, ...]]]:
    """Level in dBm of each station in a receiver, and the cells before it."""
    channel = link.candidates[link.best].channel
    if channel is None:
        return
    plan = permits.config.channels
    for victim, stations in television_near(permits, [channel], place_deg[:, 0], place_deg[:, 1]).items():
        f_mhz = channel_centre_mhz(plan, victim)
        offset = abs(index_of(channel_block(plan, victim), channel_block(plan, channel)))
        for one in stations:
            field_dbuvm = float(one.field_dbuvm[0]) + above_10_m_db(receiver.height_m, f_mhz)
            lost_db = float(np.nan_to_num(attenuation_db(receiver, one.bearing_deg, f_mhz))[0])
            selectivity_db = ADJACENT_DB[offset]
            level_dbm = power_dbm(field_dbuvm, f_mhz) + receiver.gain_dbi - lost_db - selectivity_db
            if level_dbm != -math.inf:
                numbers = (fixed(field_dbuvm, 2), fixed(lost_db, 2), fixed(selectivity_db, 1))
                yield level_dbm, (channel, one.id, one.country, victim, *numbers)
