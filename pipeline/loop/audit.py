"""`channelmaps audit`: answers of another database against the rasters of a run (docs/server.md).

The reference for a request is what ``query`` answers to it. What is offered beyond it is unsafe; what is
left out is lost spectrum; what RFC 7545 does not allow is a fault of protocol.
"""

from __future__ import annotations

import itertools
import json
import math
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.errors import InputError
from pipeline.files import (
    JsonObject,
    check_output_folder,
    csv_text,
    json_bytes,
    kind_of_start,
    kind_of_table,
    write_output,
)
from pipeline.loop.audit_pages import audit_page, audit_points
from pipeline.loop.audit_sample import AuditSample, requests_for
from pipeline.publish.release import UTC_FORMAT
from pipeline.query.database import Database, close_database, open_database
from pipeline.query.paws_request import respond
from pipeline.query.profiles import channel_entries

# Findings by severity, the worst first.
SEVERITY = {
    "TOO_HIGH": "unsafe",
    "NOT_PERMITTED_OFFERED": "unsafe",
    "NOT_EVALUATED_OFFERED": "unsafe",
    "OUTSIDE_ANSWERED": "unsafe",
    "TOO_LONG": "unsafe",
    "UNCERTAINTY_IGNORED": "unsafe",
    "HEIGHT_LAYER": "unsafe",
    "SIMULTANEOUS_MISSING": "unsafe",
    "STALE": "unsafe",
    "TOO_LOW": "lost",
    "MISSING_CHANNEL": "lost",
    "WRONG_CODE": "protocol",
    "BAD_MESSAGE": "protocol",
}
_COLUMNS = (
    "request",
    "lon",
    "lat",
    "uncertainty_m",
    "finding",
    "severity",
    "channel",
    "offered_dbm",
    "limit_dbm",
)
_RESTRICTION = "etsiEnSimultaneousChannelOperationRestriction"
_TOLERANCE_DB, _STALE_S = 0.01, 60.0
_NOISE_DB = 1e-6
_ANSWER_S = 30.0


class Exchange(NamedTuple):
    """A request, what came back, and when (UTC seconds)."""

    request: JsonObject
    response: Any
    received_s: float


class AuditFinding(NamedTuple):
    """Something wrong with an answer; levels in dBm where there are any."""

    name: str
    channel: str = ""
    offered_dbm: float | None = None
    limit_dbm: float | None = None


def audit_command(
    results: Path,
    out: Path,
    *,
    url: str | None,
    answers: Path | None,
    sample: AuditSample,
    per_s: float = 2.0,
    tolerance_db: float = _TOLERANCE_DB,
    now: datetime | None = None,
) -> int:
    """Compare, write ``audit.csv``, ``.json``, ``.html`` and ``.gpkg``; 0 where nothing is unsafe, else 1."""
    if (url is None) == (answers is None):
        raise InputError("give either --url or --answers", field="--url")
    products = {
        "audit.csv": kind_of_table("request", "finding"),
        "audit.json": kind_of_start("JSON", rb"\s*\{"),
        "audit.html": kind_of_start("HTML", rb"(?i)\s*<!doctype html"),
        "audit.gpkg": kind_of_start("GeoPackage", rb"SQLite format 3"),
    }
    check_output_folder("--out", out, products, [results, *([answers] if answers else [])])
    database = open_database(results)
    try:
        if answers is not None:
            exchanges = _read_answers(answers)
        else:
            exchanges = _asked(
                str(url), requests_for(database, sample.places, sample.device, sample.seed), per_s, now
            )
        rows = [
            row for number, one in enumerate(exchanges) for row in _rows(database, number, one, tolerance_db)
        ]
        count = len({row["request"] for row in rows})
    finally:
        close_database(database)
    found = [row for row in rows if row["finding"]]
    verdict = _verdict(database, found, count)
    out.mkdir(parents=True, exist_ok=True)
    write_output(out / "audit.csv", csv_text(_COLUMNS, found))
    write_output(out / "audit.json", json_bytes(verdict))
    write_output(out / "audit.html", audit_page(verdict, found, _COLUMNS))
    write_output(out / "audit.gpkg", audit_points(found))
    print(f"{count} answers, {verdict['findings'] or 'nothing found'}: {verdict['verdict']}")
    return 0 if verdict["verdict"] == "pass" else 1


def _verdict(database: Database, found: Sequence[JsonObject], count: int) -> JsonObject:
    counts = Counter(str(row["finding"]) for row in found)
    unsafe = any(SEVERITY[name] == "unsafe" for name in counts)
    read = count - counts["BAD_MESSAGE"]  # what cannot be read tells of no place
    share = f"the share of unsafe places is below {3.0 / max(read, 1):.2g} with 95 % confidence"
    return {
        "verdict": "fail" if unsafe or not count else "pass",
        "run": database.run_id,
        "answers": count,
        "findings": dict(counts.most_common()),
        "statement": "" if unsafe or read < 1 else share,
    }


def _rows(database: Database, number: int, one: Exchange, tolerance_db: float) -> Iterator[JsonObject]:
    """Rows of the table for an answer; one without a finding where there is none."""
    point = _member(one.request, "params", "location", "point")
    centre = _member(point, "center")
    place = {"request": number, "lon": centre.get("longitude"), "lat": centre.get("latitude")}
    place |= {"uncertainty_m": point.get("semiMajorAxis")}
    for finding in findings_of(database, one, tolerance_db) or [AuditFinding("")]:
        yield place | {
            "finding": finding.name,
            "severity": SEVERITY.get(finding.name, ""),
            "channel": finding.channel,
            "offered_dbm": finding.offered_dbm,
            "limit_dbm": finding.limit_dbm,
        }


def _member(given: object, *names: str) -> Mapping[str, Any]:
    """An object within another, empty where there is none."""
    for name in names:
        given = given.get(name) if isinstance(given, Mapping) else None
    return given if isinstance(given, Mapping) else {}


# --- one answer ---------------------------------------------------------------------------------------------


def findings_of(database: Database, one: Exchange, tolerance_db: float = _TOLERANCE_DB) -> list[AuditFinding]:
    """What is wrong with an answer."""
    instant = datetime.fromtimestamp(one.received_s, UTC)
    wanted = respond(database, one.request, instant)
    if not isinstance(one.response, Mapping) or ("result" in one.response) == ("error" in one.response):
        return [AuditFinding("BAD_MESSAGE")]
    if "error" in one.response:
        code = one.response["error"].get("code") if isinstance(one.response["error"], Mapping) else None
        return [] if code == wanted.get("error", {}).get("code") else [AuditFinding("WRONG_CODE")]
    try:
        offered = _levels_of(database, one.response["result"], one.request)
        if "error" in wanted:
            return (
                [AuditFinding("OUTSIDE_ANSWERED")] if any(offered.values()) else [AuditFinding("WRONG_CODE")]
            )
        by_time = [
            finding
            for period in _periods(wanted["result"])
            if (part := _during(one.response["result"], period)) is not None
            for finding in _of_levels(database, one, instant, part, period, tolerance_db)
        ]
        return [*dict.fromkeys(by_time), *_of_message(database, one, offered, wanted["result"])]
    except (KeyError, TypeError, IndexError, ValueError, AttributeError):
        return [AuditFinding("BAD_MESSAGE")]


# Highest level in dBm by resolution in Hz and channel.
_Levels = dict[float, dict[str, float]]


def _periods(result: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Start and stop of the schedules of an answer; texts of instants are in the order of time."""
    times = [one["eventTime"] for one in result["spectrumSpecs"][0]["spectrumSchedules"]]
    return [(one["startTime"], one["stopTime"]) for one in times]


def _during(result: Mapping[str, Any], period: tuple[str, str]) -> Mapping[str, Any] | None:
    """An answer with those of its schedules that hold at any time of a period; None where none does."""
    specs = [
        spec
        | {
            "spectrumSchedules": [
                one
                for one in spec["spectrumSchedules"]
                if one["eventTime"]["startTime"] < period[1] and one["eventTime"]["stopTime"] > period[0]
            ]
        }
        for spec in result["spectrumSpecs"]
    ]
    return {**result, "spectrumSpecs": specs} if any(spec["spectrumSchedules"] for spec in specs) else None


def _levels_of(database: Database, result: Mapping[str, Any], request: JsonObject) -> _Levels:
    """The highest level that an answer offers anywhere in each channel, over all its schedules."""
    device = respond(database, request).get("result", {}).get("device")
    facts = database.facts
    profile = next((one for one in facts["devices"] if one["id"] == device), facts["devices"][0])
    levels: _Levels = {}
    for spec in result["spectrumSpecs"]:
        for schedule in spec["spectrumSchedules"]:
            for spectrum in schedule["spectra"]:
                known = levels.setdefault(float(spectrum["resolutionBwHz"]), {})
                for entry in channel_entries(facts, profile):
                    name = str(entry["channel"])
                    for dbm in _in_channel(spectrum["profiles"], entry):
                        known[name] = max(dbm, known.get(name, dbm))
    return levels


def _in_channel(profiles: Sequence[Sequence[Mapping[str, float]]], entry: JsonObject) -> Iterator[float]:
    """Levels at the points of profiles within a channel, its edges included where they belong to it."""
    for points in profiles:
        for low, high in itertools.pairwise(points):
            if low["hz"] < entry["stop_hz"] and high["hz"] > entry["start_hz"]:
                levels_dbm = (float(low["dbm"]), float(high["dbm"]))
                if any(map(math.isnan, levels_dbm)):
                    raise ValueError("a level that is no number")
                yield from levels_dbm


def _of_levels(
    database: Database,
    one: Exchange,
    instant: datetime,
    part: Mapping[str, Any],
    period: tuple[str, str],
    tolerance_db: float,
) -> Iterator[AuditFinding]:
    """What is wrong with the levels of a part of an answer, in a period for which the reference has one."""
    offered = _levels_of(database, part, one.request)
    wanted = _during(respond(database, one.request, instant)["result"], period)
    assert wanted is not None
    limits = _levels_of(database, wanted, one.request)
    limits |= _at_other_resolutions(limits, offered)
    evaluated = wanted["spectrumSpecs"][0]["frequencyRanges"]
    for resolution_hz, by_channel in limits.items():
        given = offered.get(resolution_hz, {})
        for channel in sorted({*given, *by_channel}):
            dbm, limit_dbm = given.get(channel), by_channel.get(channel)
            if dbm is None and resolution_hz not in offered and any(channel in by for by in offered.values()):
                yield AuditFinding("TOO_HIGH", channel, None, limit_dbm)  # nothing limits it there
            elif dbm is None:
                yield AuditFinding("MISSING_CHANNEL", channel, None, limit_dbm)
            elif limit_dbm is None:
                name = _not_offered(database, channel, evaluated)
                yield AuditFinding(_reason(database, one, instant, offered, period) or name, channel, dbm)
            elif dbm > limit_dbm + tolerance_db + _NOISE_DB:
                yield AuditFinding(
                    _reason(database, one, instant, offered, period) or "TOO_HIGH", channel, dbm, limit_dbm
                )
            elif dbm < limit_dbm - tolerance_db - _NOISE_DB:
                yield AuditFinding("TOO_LOW", channel, dbm, limit_dbm)


def _at_other_resolutions(limits: _Levels, offered: _Levels) -> _Levels:
    """Limits in resolutions that the reference does not answer in: its widest, spread evenly."""
    widest_hz = max(limits, default=0.0)
    return {
        hz: {
            name: dbm + min(0.0, 10.0 * math.log10(hz / widest_hz)) for name, dbm in limits[widest_hz].items()
        }
        for hz in offered.keys() - limits.keys()
        if widest_hz > 0.0
    }


def _not_offered(database: Database, channel: str, evaluated: Sequence[Mapping[str, float]]) -> str:
    """Why the reference has not a channel: nothing is permitted, or nothing is known."""
    entries = [one for one in database.facts["channels"] if str(one["channel"]) == channel.partition("-")[0]]
    inside = any(
        part["startHz"] <= entry["start_hz"] < part["stopHz"] for entry in entries for part in evaluated
    )
    return "NOT_PERMITTED_OFFERED" if inside else "NOT_EVALUATED_OFFERED"


def _reason(
    database: Database, one: Exchange, instant: datetime, offered: _Levels, period: tuple[str, str]
) -> str | None:
    """What an answer that is too high is the right one for: no uncertainty, another height."""
    for name, request in _mistaken(database, one.request):
        found = respond(database, request, instant)
        part = _during(found["result"], period) if "result" in found else None
        if part is not None and _levels_of(database, part, one.request) == offered:
            return name
    return None


def _mistaken(database: Database, request: JsonObject) -> Iterator[tuple[str, JsonObject]]:
    params = request["params"]
    point = params["location"]["point"]
    if point.get("semiMajorAxis"):
        exact = {"point": point | {"semiMajorAxis": 0, "semiMinorAxis": 0}}
        yield "UNCERTAINTY_IGNORED", request | {"params": params | {"location": exact}}
    for height_m in sorted({entry["height_m"] for entry in database.facts["devices"]}):
        antenna = {"height": height_m, "heightType": "AGL"}
        yield "HEIGHT_LAYER", request | {"params": params | {"antenna": antenna}}


def _of_message(
    database: Database, one: Exchange, offered: _Levels, wanted: JsonObject
) -> Iterator[AuditFinding]:
    """What is wrong beside levels: validity, polling, channels together, time."""
    result = one.response["result"]
    longest_s = wanted["spectrumSpecs"][0]["rulesetInfo"]["maxPollingSecs"]
    end_s = _instant_s(database.valid["stopTime"])
    several = any(len(by_channel) > 1 for by_channel in offered.values())
    for spec in result["spectrumSpecs"]:
        schedules = spec["spectrumSchedules"]
        used = [one for one in schedules if any(spectrum["profiles"] for spectrum in one["spectra"])]
        too_late = any(_instant_s(one["eventTime"]["stopTime"]) > end_s for one in used)
        if too_late or spec["rulesetInfo"].get("maxPollingSecs", longest_s) > longest_s:
            yield AuditFinding("TOO_LONG")
        restriction = wanted["spectrumSpecs"][0].get(_RESTRICTION)
        if restriction == "1" and several and spec.get(_RESTRICTION) != "1":
            yield AuditFinding("SIMULTANEOUS_MISSING")
    told_s = _instant_s(result["timestamp"])
    if abs(told_s - one.received_s) > _STALE_S or result.get("runId", database.run_id) != database.run_id:
        yield AuditFinding("STALE")


def _instant_s(text: str) -> float:
    """UTC seconds of an instant of a message; ValueError for another format."""
    return datetime.strptime(text, UTC_FORMAT).replace(tzinfo=UTC).timestamp()


# --- answers ------------------------------------------------------------------------------------------------


def _read_answers(path: Path) -> Iterator[Exchange]:
    """Lines of ``answers.jsonl``."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot be read ({type(error).__name__})", file=path) from None
    for number, line in enumerate(lines, 1):
        try:
            content = json.loads(line)
            received = datetime.fromisoformat(content["receivedAt"]).astimezone(UTC)
            if not isinstance(content["request"], dict):
                raise TypeError
            exchange = Exchange(content["request"], content["response"], received.timestamp())
        except (ValueError, KeyError, TypeError, RecursionError):
            allowed = '{"request": ..., "response": ..., "receivedAt": "2026-12-05T08:00:00Z"}'
            raise InputError("is no answer", file=path, row=number, allowed=allowed) from None
        yield exchange


def _asked(
    url: str, requests: Sequence[JsonObject], per_s: float, now: datetime | None
) -> Iterator[Exchange]:
    """What a database answers, asked no faster than ``per_s``."""
    shift_s = 0.0 if now is None else now.timestamp() - time.time()
    for number, request in enumerate(requests):
        if number:
            time.sleep(1.0 / per_s)
        yield Exchange(request, _post(url, request), time.time() + shift_s)


def _post(url: str, request: JsonObject) -> object:
    if not url.startswith(("http://", "https://")):
        raise InputError("is no address", field="--url", value=url, allowed="http:// or https://")
    message = urllib.request.Request(
        url, json.dumps(request).encode(), {"Content-Type": "application/json"}, method="POST"
    )
    try:
        with urllib.request.urlopen(message, timeout=_ANSWER_S) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        return f"HTTP {error.code}"
    except urllib.error.URLError as error:
        raise InputError(f"does not answer ({error.reason})", field="--url", value=url) from None
    except (OSError, ValueError):
        return None
