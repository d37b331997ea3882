"""Links of a table, and chains between settlements, as planned links that are looked at together."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.config.bonds import DeviceChannel
from pipeline.errors import InputError
from pipeline.links.link_rows import LinkEnd, end_of
from pipeline.links.link_service import row_of_ways
from pipeline.links.link_terrain import LinkEnds
from pipeline.links.link_world import LinkSettings, LinkWorld, channel_plan_of, share_of_time
from pipeline.links.mutual_interference import MOST_ASSIGNED, Disturbed, PlannedLink, disturbed_links
from pipeline.links.plan_links import LinkFound
from pipeline.links.settlements import LinkTemplate, PairTerms, PairWays, PlacePairs, TemplateEnd
from pipeline.radio.conventions import DIPOLE_GAIN_DBI

# More planned links are not looked at together: it would take hours.
MOST_TOGETHER = 3000


class Together(NamedTuple):
    """What links do to each other, by their place among those that were asked for; notes on the rest."""

    found: dict[int, Disturbed]
    notes: list[str]


def table_together(
    found: Sequence[LinkFound], settings: LinkSettings, world: LinkWorld, *, assign: bool
) -> Together:
    """The links of a table that have places and channels."""
    asked = [i for i, link in enumerate(found) if link.ends is not None and _channels(link)]
    own = [_planned(found[i], settings) for i in asked]
    return _together(asked, own, [found[i].best for i in asked], settings, world, assign=assign)


def _channels(link: LinkFound) -> tuple[DeviceChannel, ...]:
    return tuple(one.channel for one in link.candidates if one.channel is not None)


def _planned(link: LinkFound, settings: LinkSettings) -> PlannedLink:
    """A link of a table with all its candidates: one where its row names the channel."""
    if link.ends is None:
        raise ValueError("a link without places has no neighbours")
    return PlannedLink(
        link.ends,
        (end_of(link.row, "a"), end_of(link.row, "b")),
        _channels(link),
        tuple(one.f_mhz for one in link.candidates),
        (link.modes, link.modes_back),
        link.there,
        link.back,
        link.margins,
        share_of_time(settings),
    )


def chains_together(
    pairs: PlacePairs, ways: PairWays, rules: PairTerms, chosen: NDArray[np.int64], *, assign: bool
) -> Together:
    """The links of relay chains, whose antennas point at each other."""
    channels = [one.channel for one in rules.candidates]
    names = tuple(one for one in channels if one is not None)
    f_mhz = tuple(one.f_mhz for one in rules.candidates)
    template = rules.template
    own = [
        PlannedLink(
            LinkEnds(*(values[n : n + 1] for values in pairs.ends)),
            _template_ends(template, pairs.ends.antennas_m[n]),
            names,
            f_mhz,
            (rules.modes, rules.modes),
            row_of_ways(ways.there, n),
            row_of_ways(ways.back, n),
            rules.margins,
            share_of_time(rules.settings),
        )
        for n in range(len(pairs.places))
    ]
    return _together(list(range(len(own))), own, chosen.tolist(), rules.settings, rules.world, assign=assign)


def _template_ends(template: LinkTemplate, heights_m: NDArray[np.float64]) -> tuple[LinkEnd, LinkEnd]:
    def end(radio: TemplateEnd, height_m: float) -> LinkEnd:
        gain_dbi = radio.gain_dbd + DIPOLE_GAIN_DBI
        return LinkEnd(math.nan, gain_dbi - radio.feeder_db, gain_dbi, height_m, math.inf, radio.pattern, "")

    return end(template.source, float(heights_m[0])), end(template.user, float(heights_m[1]))


def _together(
    asked: Sequence[int],
    own: Sequence[PlannedLink],
    chosen: Sequence[int],
    settings: LinkSettings,
    world: LinkWorld,
    *,
    assign: bool,
) -> Together:
    if assign and len(own) > MOST_ASSIGNED:
        raise InputError(
            "links are too many to choose channels for together",
            field="--assign",
            value=len(own),
            allowed=f"at most {MOST_ASSIGNED} links",
        )
    if not own:
        return Together({}, [])
    if len(own) > MOST_TOGETHER:
        return Together({}, [f"NOT_TOGETHER {len(own)} links: what they do to each other is not counted"])
    threads, plan = os.cpu_count() or 1, channel_plan_of(world)
    found = disturbed_links(own, chosen, plan, world.ground, settings.model, assign=assign, threads=threads)
    return Together(dict(zip(asked, found, strict=True)), [])
