"""Rows of the tables of links: what is found of each, in the columns of the answer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from pipeline.links.link_service import LimitedBy, Reason
from pipeline.links.mutual_interference import Disturbed
from pipeline.links.plan_links import LinkFound
from pipeline.links.sight import PathSight
from pipeline.propagation.models import model_named
from pipeline.rates.link_budget import erp_dbw

_SIGHT = ("los", "los_visible_pct", "los_clear_pct", "fresnel60_clear", "obstruction_m", "reception_expected")
_MORE_SIGHT = ("los_visible_from_a_pct", "los_visible_from_b_pct", "n_edges")


def row_of(found: LinkFound, beside: Disturbed | None = None) -> dict[str, object]:
    """The columns that ``links.csv`` adds to a link; ``beside``: what it has beside the others."""
    at, there = found.best, found.there
    candidate = found.candidates[at]
    loss_db, used_dbm = float(found.loss.loss_db[at]), float(there.used_dbm[at])
    bearings = [math.nan, math.nan] if found.ends is None else found.ends.bearings_deg[0].tolist()
    mode = int(there.rated.mode[at])
    permitted = [float(levels[at]) for levels in found.permitted]
    return {
        "d_km": fixed(found.d_km, 4),
        "bearing_ab_deg": fixed(bearings[0], 2),
        "bearing_ba_deg": fixed(bearings[1], 2),
        "erp_dbw": fixed(erp_dbw(used_dbm), 2),
        "eirp_dbm": fixed(used_dbm, 2),
        "permitted_a_dbm": fixed(permitted[0], 2),
        "permitted_b_dbm": fixed(permitted[1], 2) if found.back is not None else "",
        "limited_by": LimitedBy(int(there.limited_by[at])).name.lower(),
        "model_used": found.loss.model,
        "loss_db": fixed(loss_db, 2),
        "field_dbuvm": fixed(field_of_link_dbuvm(loss_db, used_dbm, candidate.f_mhz, found.loss.model), 2),
        "prx_dbm": fixed(float(there.received_dbm[at]), 2),
        "noise_dbm": fixed(found.modes[at].noise_dbm, 2),
        "interference_dbm": fixed(float(there.interference_dbm[at]), 2),
        "cni_db": fixed(float(there.cni_db[at]), 2),
        "mode": found.modes[at].name[mode] if mode >= 0 else "",
        "rate_mbps": fixed(float(found.both.rate_mbps[at]), 3),
        "rate_mean_mbps": fixed(float(found.both.mean_mbps[at]), 3),
        "throughput_mbps": fixed(float(found.both.throughput_mbps[at]), 3),
        "margin_db": fixed(float(found.both.margin_db[at]), 2),
        "d_max_km": floored_km(found.d_max_km),
        **sight_columns(found.loss.sight, _SIGHT),
        "reason": _reason_of(found, beside).word,
        **_further_columns(found, beside),
    }


def field_of_link_dbuvm(loss_db: float, used_dbm: float, f_mhz: float, model: str) -> float:
    """Field at the receiver of an e.i.r.p. whose loss is by a model."""
    constant_db = model_named(model).field_constant_db
    return constant_db - loss_db + 20.0 * math.log10(f_mhz) + erp_dbw(used_dbm) - 30.0


def _further_columns(found: LinkFound, beside: Disturbed | None) -> dict[str, object]:
    """Columns after those that every reader wants: channel, next mode, sight, others at work, pointing."""
    at = found.best
    candidate, loss_db = found.candidates[at], float(found.loss.loss_db[at])
    return {
        "channel_used": "" if candidate.channel is None else str(candidate.channel),
        "f_mhz_used": fixed(candidate.f_mhz, 3),
        "next_margin_db": fixed(float(found.there.rated.next_margin_db[at]), 2),
        **sight_columns(found.loss.sight, _MORE_SIGHT),
        "valid": int(found.loss.valid and not math.isnan(loss_db)),
        **beside_columns(beside, found.modes[at].name),
        "pointing_a_db": fixed(found.pointing_db[0], 2),
        "pointing_b_db": fixed(found.pointing_db[1], 2),
        "television_unknown": television_unknown(found, at),
    }


def television_unknown(found: LinkFound, candidate: int) -> str:
    """The receiving ends at which television is not known on a candidate channel: ``a``, ``b``, ``a b``."""
    ways = {"a": found.back, "b": found.there}
    asked = {end: way for end, way in ways.items() if way is not None}
    return " ".join(end for end, way in asked.items() if math.isnan(way.interference_dbm[candidate]))


def has_television_gap(found: LinkFound) -> bool:
    """Whether television is not known on a candidate at an end."""
    return any(television_unknown(found, candidate) for candidate in range(len(found.candidates)))


def beside_columns(beside: Disturbed | None, modes: Sequence[str]) -> dict[str, object]:
    """What is left of a link beside all others: interference at B, carrier to all of it, mode and rate."""
    names = ("i_links_dbm", "cni_all_db", "mode_all", "rate_all_mbps")
    if beside is None:
        return dict.fromkeys(names, "")
    mode = int(beside.there.rated.mode[0])
    found = (
        fixed(beside.at_b_dbm, 2),
        fixed(float(beside.there.cni_db[0]), 2),
        modes[mode] if mode >= 0 else "",
        fixed(beside.rate_mbps, 3),
    )
    return dict(zip(names, found, strict=True))


def _reason_of(found: LinkFound, beside: Disturbed | None) -> Reason:
    """Why a link has the service that it has; one that has, beyond what the model is stated for, says so."""
    reason = Reason(int(found.both.reason[found.best]))
    if reason is Reason.OK and beside is not None and beside.harms(float(found.both.rate_mbps[found.best])):
        return Reason.MUTUAL_INTERFERENCE
    return Reason.BEYOND_MODEL if reason is Reason.OK and not found.loss.valid else reason


def sight_columns(sight: PathSight | None, names: Sequence[str]) -> dict[str, object]:
    """What is in sight by column, empty without a profile."""
    if sight is None:
        return dict.fromkeys(names, "")
    values = {
        "los": int(sight.los),
        "los_visible_pct": fixed(sight.visible_pct, 1),
        "los_clear_pct": fixed(sight.clear_pct, 1),
        "fresnel60_clear": int(sight.fresnel60_clear),
        "obstruction_m": fixed(sight.obstruction_m, 1),
        "reception_expected": "yes" if sight.reception_expected else "no",
        "los_visible_from_a_pct": fixed(sight.visible_from_a_pct, 1),
        "los_visible_from_b_pct": fixed(sight.visible_from_b_pct, 1),
        "n_edges": sight.edges,
    }
    return {name: values[name] for name in names}


def channel_rows(found: LinkFound) -> list[dict[str, object]]:
    """The rows of ``links_channels.csv``: each direction on each candidate channel."""
    ways = [("ab", found.there), *([("ba", found.back)] if found.back is not None else [])]
    rows: list[dict[str, object]] = []
    for word, way in ways:
        permitted = found.permitted[0 if word == "ab" else 1]
        for at, candidate in enumerate(found.candidates):
            mode = int(way.rated.mode[at])
            rows.append(
                {
                    "id": found.row.id,
                    "direction": word,
                    "channel": "" if candidate.channel is None else str(candidate.channel),
                    "f_mhz": fixed(candidate.f_mhz, 3),
                    "permitted_dbm": fixed(float(permitted[at]), 2),
                    "eirp_dbm": fixed(float(way.used_dbm[at]), 2),
                    "limited_by": LimitedBy(int(way.limited_by[at])).name.lower(),
                    "loss_db": fixed(float(found.loss.loss_db[at]), 2),
                    "prx_dbm": fixed(float(way.received_dbm[at]), 2),
                    "interference_dbm": fixed(float(way.interference_dbm[at]), 2),
                    "cni_db": fixed(float(way.cni_db[at]), 2),
                    "mode": found.modes[at].name[mode] if mode >= 0 else "",
                    "rate_mbps": fixed(float(way.rated.rate_mbps[at]), 3),
                    "margin_db": fixed(float(way.rated.margin_db[at]), 2),
                    "reason": Reason(int(way.reason[at])).word,
                }
            )
    return rows


def fixed(value: float, digits: int) -> str:
    """A number with so many digits; nothing for none and for infinite ones."""
    return f"{value:.{digits}f}" if math.isfinite(value) else ""


def floored_km(d_km: float) -> str:
    """A distance rounded down to 10 m."""
    return "" if math.isnan(d_km) else f"{math.floor(100.0 * d_km + 1e-9) / 100.0:.2f}"


def merged(cells: Mapping[str, str], added: Mapping[str, object]) -> dict[str, object]:
    """A row of the input, then what is found, which wins over cells of the same name."""
    return {name: text for name, text in cells.items() if name not in added} | dict(added)
