"""The part of `channelmaps validate` on coordination: networks, systems, radars, borders, links."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import xarray as xr

from pipeline.config.config import Config
from pipeline.config.coordination import Coordination, Radars
from pipeline.coordination.f1565.document import budgets_document
from pipeline.coordination.f1565.error_budget import permissible_interference
from pipeline.coordination.f1565.objectives import read_tables
from pipeline.coordination.radar.borders import foreign_borders, read_countries
from pipeline.coordination.radar.ground import check_reach
from pipeline.coordination.radar.resolution612 import read_itu_codes
from pipeline.coordination.radar.scene import (
    candidates_of,
    check_administration,
    reach_needed,
    read_stations,
    wanted_places,
)
from pipeline.coordination.rr97.epfd_document import read_judged
from pipeline.coordination.rr941.comparison import notes, read_comparison
from pipeline.coordination.rr941.interference import prepare


def check_coordination(config: Config, surface: xr.DataArray) -> list[str]:
    """Read and check all that the section names; the lines of the report. ``surface`` on the padded grid."""
    settings = config.coordination
    lines = [*_networks(settings), *_systems(settings)]
    if settings.radars is not None:
        lines += _radars(settings.radars, surface)
    return [*lines, *_links(config)]


def _networks(settings: Coordination) -> Iterator[str]:
    for comparison in settings.rr941:
        networks, limits = read_comparison(comparison)
        both = f"{networks.interferer.name} into {networks.victim.name}"
        yield f"  RR 9.41       {both}: {len(prepare(networks, limits).pairs)} pairs of assignments"
        for line in notes(networks, limits):
            yield f"  remark        {comparison.networks}: {line}"


def _systems(settings: Coordination) -> Iterator[str]:
    if settings.rr97ab is None:
        return
    systems, _, judgement = read_judged(settings.rr97ab)
    both = f"{systems.system.name} and {systems.station.name}"
    known = "" if judgement.limit_dbw_m2 is not None else ", no epfd limit: condition 1 alone decides"
    yield f"  RR {systems.provision}       {both} at {judgement.frequency_mhz:g} MHz{known}"


def _radars(settings: Radars, surface: xr.DataArray) -> list[str]:
    check_administration(settings)
    radars, found = candidates_of(settings), read_stations(settings)
    places, needed_km = reach_needed(surface.attrs["grid"], wanted_places(settings, surface), radars, found)
    check_reach(settings.borders, settings.clip_deg, places, needed_km)
    countries, ignored = read_countries(settings.borders, read_itu_codes())
    foreign = foreign_borders(countries, settings.administration, settings.clip_deg)
    lines = [
        f"  radars        {len(found)} registered, {len(foreign.administrations)} administrations around"
    ]
    lines += [f"  remark        {settings.borders}: no ITU code for {name}, left out" for name in ignored]
    lines += [
        f"  remark        Resolution 612 has no distance for {radar.frequency_mhz:g} MHz"
        for radar in radars
        if radar.separation is None
    ]
    flags = Counter(flag for station in found for flag in station.flags)
    return lines + [f"  remark        {count} radar(s): {flag}" for flag, count in sorted(flags.items())]


def _links(config: Config) -> Iterator[str]:
    """Budgets of the links; and whether devices get no more than their share of them."""
    if config.coordination.links is not None:
        budgets = budgets_document(config.coordination.links)["links"]
        assert isinstance(budgets, list)
        yield f"  fixed links   {len(budgets)} with budgets by F.1565"
    allowed_db = permissible_interference(read_tables()).other_sources_db
    fixed = None if config.incumbents is None else config.incumbents.fixed
    if fixed is not None and fixed.i_n_db.value > allowed_db:
        given = f"incumbents.fixed.i_n_db of {fixed.i_n_db.value:g} dB"
        yield f"  remark        {given} is more than the share of F.1565 for other sources, {allowed_db:g} dB"
