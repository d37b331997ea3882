"""For people and tools beside PAWS: availability at a place, the register, metrics, the published map and
report.

What names devices needs the token of the settings (`loop.admin_token_sha256`); of a run only what is
public is given.
"""

from __future__ import annotations

import hmac
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Table, func, select
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from pipeline.files import JsonObject
from pipeline.loop.request_limits import Refused, body_of, token_sha256
from pipeline.loop.served import Served
from pipeline.loop.storage import writing
from pipeline.loop.tables import DEVICE, USE
from pipeline.loop.telemetry import TelemetryEntry, Untold, read_entries, store_entries
from pipeline.loop.uses import ALIVE
from pipeline.publish.release import REPORT
from pipeline.query.paws import Code, PawsError, error_object
from pipeline.query.query import Request as Asked
from pipeline.query.query import answer

_QUIET = {"cache-control": "no-store"}
_STATUS = {Code.OUTSIDE_COVERAGE: 404}
_MOST_ROWS, _LONGEST_NUMBER = 1000, 18
_PUBLIC = "public"
_NUMBERS: Mapping[str, JsonObject] = {
    "lon": {"description": "longitude in degrees, WGS84", "minimum": -180, "maximum": 180},
    "lat": {"description": "latitude in degrees, WGS84", "minimum": -90, "maximum": 90},
    "height": {"description": "antenna above ground in m", "exclusiveMinimum": 0, "maximum": 10_000},
    "uncertainty": {"description": "radius in m within which the device is", "minimum": 0},
}
# As JSON writes a number; Python reads more than that as one.
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
# Columns of the register and of uses that are told to who has the token.
_DEVICE_COLUMNS = (
    "device_key",
    "register_id",
    "category",
    "type",
    "emission_class",
    "serial_number",
    "state",
)
_USE_COLUMNS = ("device_key", "channel", "eirp_cdbm", "profile", "state", "from_at", "until_at")


class RequestCounts:
    """Requests by method and code, since the worker began."""

    def __init__(self) -> None:
        self._by_kind: Counter[tuple[str, int]] = Counter()
        self._seconds = 0.0

    def add(self, method: str, code: int, ms: float) -> None:
        """Count an answer."""
        self._by_kind[method, code] += 1
        self._seconds += ms / 1e3

    def lines(self) -> list[str]:
        """Lines in the text format of Prometheus."""
        lines = ["# TYPE channelmaps_requests_total counter"]
        for (method, code), count in sorted(self._by_kind.items()):
            lines.append(f'channelmaps_requests_total{{method="{method}",code="{code}"}} {count}')
        return [
            *lines,
            "# TYPE channelmaps_request_seconds_total counter",
            f"channelmaps_request_seconds_total {self._seconds:.6f}",
        ]


class Rest:
    """What a worker answers to GET."""

    def __init__(self, served: Served, counts: RequestCounts, limit_place: Callable[[Request], None]) -> None:
        """Of the state of a worker; ``limit_place`` raises Refused for who asks too often."""
        self._limit_place = limit_place
        self._served = served
        self._counts = counts

    def routes(self) -> list[Route]:
        """Paths and what answers them."""
        return [
            Route("/v1/availability", self.availability, methods=["GET"]),
            Route("/v1/devices", self.devices, methods=["GET"]),
            Route("/v1/uses", self.uses, methods=["GET"]),
            Route("/v1/telemetry", self.telemetry, methods=["POST"]),
            Route("/v1/openapi.json", self.openapi, methods=["GET"]),
            Route("/metrics", self.metrics, methods=["GET"]),
            Route(f"/{REPORT}", self.report, methods=["GET"]),
            Route(f"/{_PUBLIC}/{{name:path}}", self.public, methods=["GET"]),
        ]

    def availability(self, request: Request) -> Response:
        """Channels at a place, as `channelmaps query` answers: no device is known, no use is left out."""
        try:
            self._limit_place(request)
            asked = _asked(request.query_params)
            with self._served.reading:
                now = datetime.fromtimestamp(self._served.clock.now_s(), UTC)
                return JSONResponse(answer(self._served.database, asked, now), headers=_QUIET)
        except Refused as refused:
            return Response(status_code=refused.status, headers=_QUIET | refused.headers)
        except PawsError as error:
            status = _STATUS.get(error.code, 400)
            return JSONResponse({"error": error_object(error)}, status_code=status, headers=_QUIET)

    def devices(self, request: Request) -> Response:
        """The register, for who has the token."""
        return self._rows(request, DEVICE, _DEVICE_COLUMNS)

    def uses(self, request: Request) -> Response:
        """The uses that count, for who has the token."""
        return self._rows(request, USE, _USE_COLUMNS)

    def _rows(self, request: Request, table: Table, columns: tuple[str, ...]) -> Response:
        if not self._is_admin(request):
            return Response(status_code=401, headers=_QUIET | {"www-authenticate": "Bearer"})
        after = request.query_params.get("after", "0")
        if not (after.isascii() and after.isdigit() and len(after) <= _LONGEST_NUMBER):
            return JSONResponse({"error": "after is no number of a row"}, status_code=400, headers=_QUIET)
        wanted = select(table.c.id, *(table.c[name] for name in columns)).order_by(table.c.id)
        wanted = wanted.where(table.c.id > int(after)).limit(_MOST_ROWS)
        if table is USE:
            wanted = wanted.where(USE.c.state.in_(ALIVE))
        with self._served.engine.connect() as connection:
            rows = [dict(row) for row in connection.execute(wanted).mappings()]
        return JSONResponse(rows, headers=_QUIET)

    async def telemetry(self, request: Request) -> Response:
        """Traffic that masters tell of, with the token of their owner or of the settings."""
        try:
            self._limit_place(request)
            owner = self._served.loop.client_tokens.get(token_sha256(request.headers.get("authorization")))
            if owner is None and not self._is_admin(request):
                return Response(status_code=401, headers=_QUIET | {"www-authenticate": "Bearer"})
            body = await body_of(request.receive)
            entries = read_entries(body, request.headers.get("content-type", ""))
            await run_in_threadpool(self._store, entries, owner or None)
        except Refused as refused:
            return Response(status_code=refused.status, headers=_QUIET | refused.headers)
        except Untold as untold:
            return JSONResponse({"error": untold.why}, status_code=untold.status, headers=_QUIET)
        return JSONResponse({"stored": len(entries)}, headers=_QUIET)

    def _store(self, entries: Sequence[TelemetryEntry], owner: str | None) -> None:
        with writing(self._served.engine, answers_stay=True) as connection:
            store_entries(connection, entries, owner, int(self._served.clock.now_s()))

    def _is_admin(self, request: Request) -> bool:
        wanted = self._served.loop.admin_token_sha256
        given = token_sha256(request.headers.get("authorization"))
        return wanted is not None and hmac.compare_digest(given, wanted)

    def metrics(self, _: Request) -> Response:
        """RequestCounts for Prometheus; of devices only how many there are."""
        with self._served.engine.connect() as connection:
            devices = connection.execute(select(DEVICE.c.state, func.count()).group_by(DEVICE.c.state)).all()
            uses = connection.execute(select(USE.c.state, func.count()).group_by(USE.c.state)).all()
        lines = [*self._counts.lines(), "# TYPE channelmaps_run_ends_seconds gauge"]
        lines += [f"channelmaps_run_ends_seconds {self._served.run.until_s}"]
        for name, rows in (("devices", devices), ("uses", uses)):
            lines.append(f"# TYPE channelmaps_{name} gauge")
            lines += [f'channelmaps_{name}{{state="{state}"}} {count}' for state, count in rows]
        return PlainTextResponse("\n".join([*lines, ""]), headers=_QUIET)

    def report(self, _: Request) -> Response:
        """The public report of the run."""
        return _file_of(self._served.database.folder, REPORT)

    def public(self, request: Request) -> Response:
        """A public file of the run: layers, the web map."""
        return _file_of(self._served.database.folder / _PUBLIC, request.path_params["name"])

    def openapi(self, _: Request) -> Response:
        """What there is, for tools."""
        ids = [str(entry["id"]) for entry in self._served.facts["devices"]]
        return JSONResponse(_openapi(ids), headers=_QUIET)


def _file_of(folder: Path, name: str) -> Response:
    """A file below a folder, nothing beside it."""
    try:
        path = (folder / name).resolve()
        inside = path.is_relative_to(folder.resolve()) and path.is_file()
    except (OSError, ValueError):
        inside = False
    return FileResponse(path) if inside else Response(status_code=404, headers=_QUIET)


def _asked(given: Mapping[str, str]) -> Asked:
    """The request of a query string; INVALID_VALUE for what is no number, MISSING without a place."""
    missing = [name for name in ("lon", "lat") if name not in given]
    if missing:
        raise PawsError(Code.MISSING, ", ".join(missing), {"parameters": missing})
    numbers: dict[str, float] = {}
    for name in _NUMBERS.keys() & given.keys():
        if not _NUMBER.fullmatch(given[name]):
            raise PawsError(Code.INVALID_VALUE, f"{name} is not a number")
        numbers[name] = float(given[name])
    return Asked(
        numbers["lon"],
        numbers["lat"],
        given.get("device"),
        numbers.get("height"),
        numbers.get("uncertainty", 0.0),
    )


def _telemetry() -> JsonObject:
    entries = {"type": "array", "maxItems": 1000, "items": TelemetryEntry.model_json_schema()}
    told = {"200": "stored", "400": "not as it should be", "401": "no token", "404": "no such device"}
    told |= {"408": "too slow", "413": "too large", "415": "neither JSON nor CSV", "429": "asked too often"}
    return {
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": entries}, "text/csv": {"schema": {"type": "string"}}},
        },
        "security": [{"token": []}],
        "responses": {status: {"description": text} for status, text in told.items()},
    }


def _openapi(ids: Sequence[str]) -> JsonObject:
    """OpenAPI 3.1 of the paths for tools, with the ids of devices; PAWS is described by RFC 7545."""
    parameters: list[JsonObject] = [
        {
            "name": name,
            "in": "query",
            "required": name in ("lon", "lat"),
            "schema": {"type": "number", **told},
        }
        for name, told in _NUMBERS.items()
    ]
    parameters.append({"name": "device", "in": "query", "schema": {"type": "string", "enum": list(ids)}})
    table: JsonObject = {
        "parameters": [
            {"name": "after", "in": "query", "required": False, "schema": {"type": "integer", "minimum": 0}}
        ],
        "security": [{"token": []}],
        "responses": {
            "200": {"description": "rows, at most 1000"},
            "400": {"description": "after is no number of a row"},
            "401": {"description": "no token"},
        },
    }
    answers: dict[str, Any] = {"200": {"description": "AVAIL_SPECTRUM_RESP of RFC 7545"}}
    answers |= {"400": {"description": "refused"}, "404": {"description": "outside the territory"}}
    answers |= {"429": {"description": "asked too often; Retry-After tells when again"}}
    plain = {"responses": {"200": {"description": "as it says"}}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "channelmaps", "version": "1"},
        "paths": {
            "/v1/availability": {"get": {"parameters": parameters, "responses": answers}},
            "/v1/devices": {"get": table},
            "/v1/uses": {"get": table},
            "/v1/telemetry": {"post": _telemetry()},
            "/health": {
                "get": plain | {"responses": {**plain["responses"], "503": {"description": "not answering"}}}
            },
            "/metrics": {"get": plain},
        },
        "components": {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
    }
