"""Rows of ``links.csv`` between settlements: what is found of each pair, as a table of links has it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.links.link_service import LimitedBy, Reason
from pipeline.links.link_table import beside_columns, field_of_link_dbuvm, fixed, floored_km, sight_columns
from pipeline.links.link_terrain import LinkEnds
from pipeline.links.link_world import generic_model
from pipeline.links.mutual_interference import Disturbed
from pipeline.links.plan_links import sight_of
from pipeline.links.settlements import (
    PairsFound,
    PairTerms,
    PlacePairs,
    PlaceRow,
    eirp_of_end_dbm,
    gain_of_end_dbi,
)
from pipeline.rates.link_budget import GenericPath, erp_dbw
from pipeline.rates.link_modes import ModeLevels, desensitisation_db
from pipeline.rates.reach_of_stations import STEP_KM, least_losses_beyond_db

_SIGHT = ("los", "los_visible_pct", "los_clear_pct", "fresnel60_clear", "obstruction_m", "reception_expected")


def pair_rows(
    places: Sequence[PlaceRow],
    pairs: PlacePairs,
    found: PairsFound,
    rules: PairTerms,
    beside: Mapping[int, Disturbed],
) -> Iterator[dict[str, object]]:
    """A row for each pair; ``beside``: what those that are hops of chains have beside the others, by pair."""
    model = rules.settings.model
    unprofiled = "p1812" if model == "p1812" else generic_model(model)
    farthest_km = largest_distances_km(pairs, found, rules)
    unknown = np.isnan(rules.at.television_dbm)
    some = bool(unknown.any())
    for n, (i, k) in enumerate(pairs.places.tolist()):
        c = int(found.channel[n])
        modes, candidate = rules.modes[c], rules.candidates[c]
        mode, own_model = int(found.mode[n]), "p1812" if found.known[n] else unprofiled
        loss_db, used_dbm = float(found.loss_db[n]), float(found.used_dbm[n])
        sight = sight_of(found.sight[n]) if not math.isnan(found.sight[n, 0]) else None
        own = beside.get(n)
        if own is not None and own.chosen != c:
            own = None
        yield {
            **_way_columns(places[i], places[k], pairs.ends, n),
            "channel_used": str(candidate.channel),
            "erp_dbw": fixed(erp_dbw(used_dbm), 2),
            "eirp_dbm": fixed(used_dbm, 2),
            "permitted_a_dbm": fixed(float(found.permitted_dbm[n, 0]), 2),
            "permitted_b_dbm": fixed(float(found.permitted_dbm[n, 1]), 2),
            "limited_by": LimitedBy(int(found.limited_by[n])).name.lower(),
            "model_used": own_model,
            "loss_db": fixed(loss_db, 2),
            "field_dbuvm": fixed(field_of_link_dbuvm(loss_db, used_dbm, candidate.f_mhz, own_model), 2),
            "prx_dbm": fixed(float(found.received_dbm[n]), 2),
            "noise_dbm": fixed(modes.noise_dbm, 2),
            "interference_dbm": fixed(float(found.interference_dbm[n]), 2),
            "cni_db": fixed(float(found.cni_db[n]), 2),
            "mode": modes.name[mode] if mode >= 0 else "",
            "rate_mbps": fixed(float(found.rate_mbps[n]), 3),
            "rate_mean_mbps": fixed(float(found.mean_mbps[n]), 3),
            "throughput_mbps": fixed(float(found.throughput_mbps[n]), 3),
            "margin_db": fixed(float(found.margin_db[n]), 2),
            "d_max_km": floored_km(float(farthest_km[n])),
            **sight_columns(sight, _SIGHT),
            "reason": _reason_of(Reason(int(found.reason[n])), float(found.rate_mbps[n]), own).word,
            **beside_columns(own, modes.name),
            "television_unknown": _television_unknown(unknown[:, :, c], i, k) if some else "",
        }


def _way_columns(a: PlaceRow, b: PlaceRow, ends: LinkEnds, n: int) -> dict[str, object]:
    """Where a pair begins and ends."""
    return {
        "id": f"{a.id}-{b.id}",
        "a": a.id,
        "b": b.id,
        "a_lon": f"{a.lon:.6f}",
        "a_lat": f"{a.lat:.6f}",
        "b_lon": f"{b.lon:.6f}",
        "b_lat": f"{b.lat:.6f}",
        "d_km": f"{ends.d_km[n]:.4f}",
        "bearing_ab_deg": f"{ends.bearings_deg[n, 0]:.2f}",
        "bearing_ba_deg": f"{ends.bearings_deg[n, 1]:.2f}",
    }


def _reason_of(alone: Reason, rate_mbps: float, beside: Disturbed | None) -> Reason:
    harmed = alone is Reason.OK and beside is not None and beside.harms(rate_mbps)
    return Reason.MUTUAL_INTERFERENCE if harmed else alone


def _television_unknown(unknown: NDArray[np.bool_], source: int, user: int) -> str:
    """The receiving ends at which television is not known, [end, place]: ``a``, ``b``, ``a b``."""
    return " ".join(end for end, gap in zip("ab", (unknown[0, source], unknown[1, user]), strict=True) if gap)


def largest_distances_km(pairs: PlacePairs, found: PairsFound, rules: PairTerms) -> NDArray[np.float64]:
    """Generic distance [n] at which the loss is as much as the full power of the first place bears.

    As a table of links has it, but in steps of 10 m and at most 300 km; NaN where something is not known.
    """
    template = rules.template
    full_dbm = np.minimum(eirp_of_end_dbm(template.source, template), found.permitted_dbm[:, 0])
    allowed_db = full_dbm + gain_of_end_dbi(template.user)
    for c in np.unique(found.channel).tolist():
        own = found.channel == c
        allowed_db[own] -= _needed_dbm(rules.modes[c], found.mode[own], found.interference_dbm[own])
    allowed_db -= rules.margins.location_db
    kinds = np.column_stack([found.channel, pairs.ends.antennas_m])
    farthest_km = np.full(allowed_db.size, math.nan)
    for kind in np.unique(kinds, axis=0).tolist():
        own = (kinds == kind).all(axis=1) & ~np.isnan(allowed_db)
        f_mhz = rules.candidates[int(kind[0])].f_mhz
        path = GenericPath(generic_model(rules.settings.model), f_mhz, kind[1], kind[2])
        steps = np.searchsorted(least_losses_beyond_db(path), allowed_db[own], side="right")
        farthest_km[own] = STEP_KM * steps
    return farthest_km


def _needed_dbm(
    modes: ModeLevels, mode: NDArray[np.int64], interference_dbm: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Level of the modes [n] of pairs, or else of the first one, with interference; NaN without any."""
    if modes.level_dbm.size == 0:
        return np.full(mode.shape, math.nan)
    return modes.level_dbm[np.maximum(mode, 0)] + desensitisation_db(modes.noise_dbm, interference_dbm)
