"""`channelmaps rr941 screen`: what a screening found, as tables and as drafts of comments.

A comment under No. 9.41 is entered in SpaceCom and sent through the web interface "e-Submission of satellite
network filings" together with the calculations. One pair of assignments for each network suffices for
inclusion; exclusion has to show all groups of assignments (Rule of Procedure on Nos. 9.41 and 9.42).
"""

from __future__ import annotations

import math
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from itertools import count
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, get_args

import numpy as np
from pydantic import BeforeValidator, Field

from pipeline.config.coordination import Edition
from pipeline.coordination.option_days import day_of_option
from pipeline.coordination.rr941.appendix5 import polarisation_divisor, read_arcs, read_limits
from pipeline.coordination.rr941.geometry import geocentric_angle_deg, sight
from pipeline.coordination.rr941.networks import BOLTZMANN_DB, LOSS_CONSTANT_DB, Assignment
from pipeline.coordination.rr941.plan_bands import read_plan_bands
from pipeline.coordination.rr941.screen_networks import FlatNetwork, flattened, read_screened
from pipeline.coordination.rr941.screening import Screened, ScreenRules, gains_dbi, screen
from pipeline.errors import InputError
from pipeline.files import (
    check_output_folder,
    csv_text,
    json_bytes,
    kind_of_start,
    kind_of_table,
    write_together,
)
from pipeline.rows.row_models import IdCell, LatCell, LonCell, RowModel, StrippedRow, read_rows

_SCREEN = (
    "own_network",
    "own_adm",
    "published_network",
    "published_adm",
    "provision",
    "item",
    "arc_deg",
    "separation_deg",
    "overlaps",
    "worst_pct",
    "own_assignment",
    "published_assignment",
    "groups",
    "outcome",
    "reason",
    "deadline",
    "days_left",
)
_GROUPS = ["own_network", "published_network", "published_group", "own_group", "worst_pct", "above"]
_SUMMARY = ("provision", "outcome", "reason", "networks")
_SRE = ("own_network", "published_network", "ours", "published", "finding")
_PROVISION = "9.7/9.41"
_UNFIT = re.compile(r"[^A-Za-z0-9._-]+")
_DRAFTED = ("include", "exclude")
_DRAFTS = {
    ".json": kind_of_start("a draft of a comment", rb'\s*\{\s*"comment":\s*"RR No\. 9\.41"'),
    ".md": kind_of_start("a draft of a comment", rb"# Comment under RR No\. 9\.41"),
}
_COMPARISON = "sre.csv"
# Enough of a file to tell what it is.
_HEAD_BYTES = 4096
_TO_BE_ENTERED = (
    "To be entered in SpaceCom and sent through the web interface e-Submission of satellite network filings, "
    "with the results of the calculations attached."
)
_ATTACHMENTS = ("screen.csv", "groups.csv", "this document as JSON (all numbers of the calculation)")


class _Point(RowModel):
    lon: LonCell
    lat: LatCell


class _Listed(StrippedRow):
    own: IdCell
    published: IdCell


class _Examined(_Listed):
    outcome: Annotated[
        Literal["included", "refused"],
        BeforeValidator(lambda text: text or "included"),
        Field(description="included, refused or empty"),
    ] = "included"


class ScreenRequest(NamedTuple):
    """What the command is asked for; None: not given."""

    own: Path
    published: Path
    ific_date: str
    today: str
    out: Path
    region: int = 1
    edition: str = "WRC15"
    kind: str = "inclusion"
    points: Path | None = None
    identified: Path | None = None
    sre: Path | None = None
    claimed_crc_error: bool = False


def screen_command(asked: ScreenRequest) -> None:
    """Screen, and write tables and drafts into a folder, all or nothing; the summary goes to the terminal."""
    rules = _rules_of(asked)
    given = (asked.own, asked.published, asked.points, asked.identified, asked.sre)
    inputs = [path for path in given if path is not None]
    tables = {"screen.csv": _SCREEN, "groups.csv": _GROUPS, "summary.csv": _SUMMARY}
    tables |= {_COMPARISON: _SRE} if asked.sre is not None else {}
    check_output_folder("--out", asked.out, {n: kind_of_table(*c) for n, c in tables.items()}, inputs)
    own, published = (
        [flattened(network) for network in read_screened(path)] for path in (asked.own, asked.published)
    )
    names = _draft_names([one.network.name for one in own])
    found = sorted(screen(own, published, rules), key=lambda one: _order(one, rules.today))
    contents: dict[Path, bytes | str] = {
        asked.out / "screen.csv": csv_text(_SCREEN, (_row(one, rules.today) for one in found)),
        asked.out / "groups.csv": csv_text(_GROUPS, _group_rows(found, rules)),
        asked.out / "summary.csv": csv_text(_SUMMARY, _summary(found)),
    }
    if asked.sre is not None:
        contents[asked.out / _COMPARISON] = csv_text(_SRE, _compared(found, read_rows(asked.sre, _Examined)))
    contents |= _drafts(found, rules, names, asked.out)
    _check_drafts(contents, asked.out, inputs)
    write_together(contents)
    _remove_earlier(contents, asked.out)
    for row in _summary(found):
        print("  ".join(str(row[name]) for name in _SUMMARY), file=sys.stderr)


def _rules_of(asked: ScreenRequest) -> ScreenRules:
    if asked.edition not in get_args(Edition):
        allowed = ", ".join(get_args(Edition))
        raise InputError("unknown edition", row="--edition", value=asked.edition, allowed=allowed)
    if asked.kind not in ("inclusion", "exclusion"):
        raise InputError("unknown kind", row="--kind", value=asked.kind, allowed="inclusion, exclusion")
    if asked.region not in (1, 2, 3):
        raise InputError("no Region", row="--region", value=asked.region, allowed="1, 2, 3")
    places = None
    if asked.points is not None:
        places = np.array([(row.lon, row.lat) for row in read_rows(asked.points, _Point)]).T
    listed = [] if asked.identified is None else read_rows(asked.identified, _Listed)
    given = (("--ific-date", asked.ific_date), ("--today", asked.today))
    published, today = (day_of_option(*one, "a date such as 2026-06-16") for one in given)
    if today < published:
        raise InputError("is before --ific-date", row="--today", value=asked.today, allowed="a later date")
    return ScreenRules(
        arcs=read_arcs(),
        limits=read_limits(),
        plans=tuple(read_plan_bands()),
        edition=asked.edition,  # type: ignore[arg-type]
        region=asked.region,
        kind=asked.kind,
        ific_date=published,
        today=today,
        identified=frozenset((row.own, row.published) for row in listed),
        places=places,
        claimed_crc_error=asked.claimed_crc_error,
    )


# --- tables -------------------------------------------------------------------------------------------------


def _days_left(one: Screened, today: date) -> int:
    return (one.deadline - today).days


def _order(one: Screened, today: date) -> tuple[int, float, str, str]:
    worst = 0.0 if one.worst is None else one.worst.percent
    return _days_left(one, today), -worst, one.own.network.name, one.published.network.name


def _row(one: Screened, today: date) -> dict[str, object]:
    worst = one.worst
    return {
        "own_network": one.own.network.name,
        "own_adm": one.own.network.adm,
        "published_network": one.published.network.name,
        "published_adm": one.published.network.adm,
        "provision": _PROVISION,
        "item": "+".join(one.items),
        "arc_deg": "" if one.arc_deg is None else f"{one.arc_deg:g}",
        "separation_deg": f"{one.separation_deg:.4f}",
        "overlaps": one.overlaps,
        "worst_pct": "" if worst is None else f"{worst.percent:.6g}",
        "own_assignment": "" if worst is None else one.own.network.assignments[worst.own].id,
        "published_assignment": ""
        if worst is None
        else one.published.network.assignments[worst.published].id,
        "groups": len(one.groups),
        "outcome": one.outcome,
        "reason": one.reason,
        "deadline": one.deadline.isoformat(),
        "days_left": _days_left(one, today),
    }


def _group_rows(found: Iterable[Screened], rules: ScreenRules) -> Iterator[dict[str, object]]:
    """Groups of the published network: of inclusions, and of all that an exclusion is asked for."""
    for one in found:
        if one.outcome != "include" and rules.kind == "inclusion":
            continue
        for group in one.groups:
            yield {
                "own_network": one.own.network.name,
                "published_network": one.published.network.name,
                "published_group": group.group,
                "own_group": group.own_group,
                "worst_pct": f"{group.percent:.6g}",
                "above": int(group.percent > rules.limits.threshold_pct.value),
            }


def _summary(found: Iterable[Screened]) -> list[dict[str, object]]:
    counts = Counter((one.outcome, one.reason) for one in found)
    return [
        {"provision": _PROVISION, "outcome": outcome, "reason": reason, "networks": count}
        for (outcome, reason), count in sorted(counts.items())
    ]


def _compared(found: Iterable[Screened], published: Iterable[_Examined]) -> list[dict[str, object]]:
    """Our inclusions beside the list of the special section CR/E: confirmed, refused, missing, extra."""
    ours = {(o.own.network.name, o.published.network.name) for o in found if o.outcome == "include"}
    theirs = {(row.own, row.published): row.outcome for row in published}
    rows: list[dict[str, object]] = []
    for pair in sorted(ours | set(theirs)):
        said = theirs.get(pair, "")
        finding = "missing" if not said else "refused" if said == "refused" else "confirmed"
        if pair not in ours:
            finding = "extra" if said == "included" else "refused"
        mine = "include" if pair in ours else ""
        rows.append(dict(zip(_SRE, (*pair, mine, said, finding), strict=True)))
    return rows


# --- drafts -------------------------------------------------------------------------------------------------


def _draft_names(networks: Sequence[str]) -> dict[str, str]:
    """Names of files by network; different networks have different ones, whatever the case of letters."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for network in networks:
        name = stem = f"comment_{_UNFIT.sub('_', network)[:80]}"
        numbers = count(2)
        while name.casefold() in taken:  # a network may have the name of another with its number
            name = f"{stem}__{next(numbers)}"
        taken.add(name.casefold())
        names[network] = name
    return names


def _drafts(
    found: Iterable[Screened], rules: ScreenRules, names: Mapping[str, str], out: Path
) -> dict[Path, bytes | str]:
    by_own: defaultdict[str, list[Screened]] = defaultdict(list)
    for one in found:
        if one.outcome in _DRAFTED:
            by_own[one.own.network.name].append(one)
    contents: dict[Path, bytes | str] = {}
    for name, comments in sorted(by_own.items()):
        document = _document(comments, rules)
        contents[out / f"{names[name]}.json"] = json_bytes(document)
        contents[out / f"{names[name]}.md"] = _text(document)
    return contents


def _check_drafts(contents: Mapping[Path, bytes | str], out: Path, inputs: Sequence[Path]) -> None:
    drafts = {path.name: _DRAFTS[path.suffix] for path in contents if path.suffix in _DRAFTS}
    check_output_folder("--out", out, drafts, inputs)


def _remove_earlier(written: Iterable[Path], out: Path) -> None:
    """Drafts and the comparison of an earlier run that this one has not written: nobody must send them."""
    kept = {path.stat().st_ino for path in written}
    for path in sorted(out.iterdir()):
        kind = _DRAFTS.get(path.suffix) if path.name.startswith("comment_") else None
        kind = kind_of_table(*_SRE) if path.name == _COMPARISON else kind
        if kind is None or path.is_symlink() or not path.is_file() or path.stat().st_ino in kept:
            continue
        with path.open("rb") as stream:
            fits = kind.fits(stream.read(_HEAD_BYTES))
        if fits:
            path.unlink()
            print(f"removed, of an earlier screening: {path}", file=sys.stderr)


def _document(comments: Sequence[Screened], rules: ScreenRules) -> dict[str, object]:
    own = comments[0].own.network
    return {
        "comment": "RR No. 9.41",
        "kind": rules.kind,
        "network": {"adm": own.adm, "name": own.name, "longitude_deg": own.longitude_deg},
        "ific_date": rules.ific_date.isoformat(),
        "last_day": comments[0].deadline.isoformat(),
        "days_left": _days_left(comments[0], rules.today),
        "note": _TO_BE_ENTERED,
        "attachments": list(_ATTACHMENTS),
        "requests": [_request(one, rules) for one in comments],
    }


def _request(one: Screened, rules: ScreenRules) -> dict[str, object]:
    theirs = one.published.network
    threshold = rules.limits.threshold_pct.value
    word = "exceeds" if one.outcome == "include" else "does not exceed"
    reason = f"delta-T/T by RR Appendix 8 {word} {threshold:g} % (RR No. 9.41; Appendix 5, Table 5-1)"
    if one.reason == "NO_FREQ_OVERLAP":
        reason = "no assignments of the two networks share frequencies"
    # Inclusion is asked by who is not identified, exclusion by who has sent the request (RR No. 9.41).
    sides = one.own.network.adm, theirs.adm
    commenting, other = sides if rules.kind == "inclusion" else sides[::-1]
    return {
        "commenting": commenting,
        "addressee": [other, "Radiocommunication Bureau"],
        "published_network": theirs.name,
        "longitude_deg": theirs.longitude_deg,
        "outcome": one.outcome,
        "reason": reason,
        "separation_deg": one.separation_deg,
        "items": list(one.items),
        "calculation": None if one.worst is None else calculation(one, rules),
        "groups": [] if one.outcome == "include" else [group._asdict() for group in one.groups],
    }


def calculation(one: Screened, rules: ScreenRules) -> dict[str, object]:
    """The pair with the largest delta-T/T, every input and every step of Appendix 8, Case I."""
    assert one.worst is not None
    worst, own, other = one.worst, one.own, one.published
    ours, theirs = own.network.assignments[worst.own], other.network.assignments[worst.published]
    slack_deg = own.network.tolerance_deg + other.network.tolerance_deg
    place = np.array([worst.lon_deg]), np.array([worst.lat_deg])
    seen = sight(*place, own.network.longitude_deg, other.network.longitude_deg, slack_deg)
    down = ours.direction == "down"
    station: FlatNetwork = own if down else other
    index = worst.own if down else worst.published
    station_dbi = float(gains_dbi(station.patterns[[index]], seen.angle_deg)[0, 0])
    path_km = float((seen.other_km if down else seen.own_km)[0])
    satellite_dbi = theirs.satellite_gain_dbi if down else ours.satellite_gain_dbi
    loss_db = 20.0 * (math.log10(ours.frequency_mhz) + math.log10(path_km)) + LOSS_CONSTANT_DB
    divisor = polarisation_divisor(ours.polarisation, theirs.polarisation, rules.limits)
    y = 1.0 if divisor is None else divisor.value
    rise_db = theirs.power_density_dbw_hz + station_dbi + satellite_dbi + BOLTZMANN_DB - loss_db
    rise_k = 10.0 ** (0.1 * rise_db) / y
    return {
        "direction": ours.direction,
        **_side_of(own, ours, "own"),
        **_side_of(other, theirs, "published"),
        "earth_station": {"of": station.name, "lon_deg": worst.lon_deg, "lat_deg": worst.lat_deg},
        "earth_station_antenna": (ours if down else theirs).earth_station.model_dump(exclude_none=True),
        "frequency_mhz": ours.frequency_mhz,
        "geocentric_deg": geocentric_angle_deg(
            own.network.longitude_deg, other.network.longitude_deg, slack_deg
        ),
        "topocentric_deg": float(seen.angle_deg[0]),
        "power_density_dbw_hz": theirs.power_density_dbw_hz,
        "earth_station_gain_dbi": station_dbi,
        "satellite_gain_dbi": satellite_dbi,
        "path_km": path_km,
        "loss_db": loss_db,
        "polarisation_divisor": y,
        "delta_t_k": rise_k,
        "noise_temperature_k": ours.noise_temperature_k,
        "delta_t_over_t_pct": 100.0 * rise_k / ours.noise_temperature_k,
        "threshold_pct": rules.limits.threshold_pct.value,
    }


def _side_of(network: FlatNetwork, assignment: Assignment, side: str) -> dict[str, object]:
    """What the calculation takes from one of the two networks besides its powers and gains."""
    centre_mhz, half_mhz = assignment.frequency_mhz, assignment.bandwidth_khz / 2000.0
    return {
        f"{side}_assignment": assignment.id,
        f"{side}_mhz": f"{centre_mhz - half_mhz:.10g} to {centre_mhz + half_mhz:.10g}",
        f"{side}_longitude_deg": network.network.longitude_deg,
        f"{side}_tolerance_deg": network.network.tolerance_deg,
        f"{side}_polarisation": assignment.polarisation,
    }


def _text(document: Mapping[str, object]) -> str:
    """The draft for people."""
    network, requests = document["network"], document["requests"]
    assert isinstance(network, dict)
    assert isinstance(requests, list)
    lines = [
        "# Comment under RR No. 9.41 (draft)",
        "",
        f"{network['adm']}, network {network['name']} at {network['longitude_deg']:g} degrees; "
        f"BR IFIC of {document['ific_date']}; last day {document['last_day']}, "
        f"{document['days_left']} days left.",
        "",
        str(document["note"]),
        "",
        "Attachments: " + "; ".join(_ATTACHMENTS) + ".",
    ]
    for request in requests:
        lines += ["", f"## {request['outcome']}: {request['published_network']}", ""]
        lines.append(f"{request['commenting']} to {' and '.join(request['addressee'])}. {request['reason']}.")
        if request["calculation"] is not None:
            lines += ["", "| quantity | value |", "|---|---|"]
            lines += [f"| {name} | {_shown(value)} |" for name, value in request["calculation"].items()]
        if request["groups"]:
            lines += ["", "| group | own group | delta-T/T in % |", "|---|---|---|"]
            lines += [f"| {g['group']} | {g['own_group']} | {g['percent']:.4g} |" for g in request["groups"]]
    return "\n".join(lines) + "\n"


def _shown(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_shown(part)}" for name, part in value.items())
    return str(value)
