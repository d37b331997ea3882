"""The ASGI application: HTTP around PAWS, health, listing (docs/server.md).

``app`` is made from the environment variable ``CHANNELMAPS_SERVE`` (``ServerSettings`` as JSON), so that
any server can host it and each worker opens its own files.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from pipeline.config.loop import LoopRate
from pipeline.files import JsonObject
from pipeline.loop.journal import Journal, JournalLine, request_row
from pipeline.loop.methods import METHODS, execute, method_named
from pipeline.loop.request_limits import (
    Buckets,
    Refused,
    body_of,
    check_http,
    content_of,
    http_of,
    token_sha256,
)
from pipeline.loop.rest import RequestCounts, Rest
from pipeline.loop.rpc import Envelope, RpcRequest, answer_envelope, read_envelope
from pipeline.loop.served import Clock, Served, loop_settings
from pipeline.loop.storage import open_storage
from pipeline.loop.use_states import settle_uses
from pipeline.query.paws import instant_text

SETTINGS = "CHANNELMAPS_SERVE"
_LOG = logging.getLogger("channelmaps.serve")
_REQUEST_S = 30.0
_FLUSH_S, _REFRESH_S, _SETTLE_S, _FORGET_S = 0.2, 1.0, 1.0, 3600.0
# The thread that writes what waits gives way to answers this soon; Python would let it go on for 5 ms.
_SWITCH_S = 0.0005
_RETRY_S = 10
_QUIET = {"cache-control": "no-store"}
_SHORT_HASH = 12
_PAWS = "/paws"


class ServerSettings(BaseModel):
    """What one worker is started with; ``begin`` shifts its clock, for tests."""

    results: Path
    db: str
    loop: Path | None = None
    begin: datetime | None = None
    behind_proxy: bool = False
    cors: str | None = None
    workers: int = 1


class Worker:
    """One worker: what answers, what limits, what is written after answers."""

    def __init__(self, settings: ServerSettings) -> None:
        """Open the run and the database; InputError where they cannot be used."""
        loop = loop_settings(settings.results, settings.loop)
        engine = open_storage(settings.db)
        self.settings = settings
        self.served = Served(settings.results, engine, loop, Clock(settings.begin))
        self.journal = Journal(engine)
        self.served.flush = self.journal.flush
        self.counts = RequestCounts()
        self._buckets = _buckets_of(loop.rate)
        self._limits_devices = loop.rate.device_per_s > 0.0 or loop.rate.register_per_min > 0.0
        self._refreshed_s = self._forgot_s = self._settled_s = time.monotonic()

    async def paws(self, scope: Scope, receive: Receive, send: Send) -> None:
        """`POST /paws`: JSON-RPC; every answer of it is HTTP 200."""
        answer: bytes | None = None
        status, headers = 204, _QUIET | self._cors()
        if scope["method"] not in ("POST", "OPTIONS"):
            status, headers = 405, _QUIET | {"allow": "POST"}
        elif scope["method"] == "POST":
            try:
                async with asyncio.timeout(_REQUEST_S):
                    answer = await self._paws(scope, receive)
                if answer is not None:
                    status = 200
            except Refused as refused:
                status, headers = refused.status, _QUIET | refused.headers
            except TimeoutError:
                status, headers = 408, _QUIET | {"connection": "close"}
        await _send(send, status, headers, answer)

    async def _paws(self, scope: Scope, receive: Receive) -> bytes | None:
        http = http_of(_headers_of(scope))
        check_http(http)
        if not self.served.clock.is_steady():
            raise Refused(503, {"retry-after": str(_RETRY_S)})
        self._take("address", self._address_of(scope))
        envelope = read_envelope(content_of(await body_of(receive), http.content_encoding))
        self._limit_devices(envelope)
        self._refresh()
        client = token_sha256(http.authorization) if self.served.loop.client_tokens else ""
        return await self._answer(envelope, client)

    async def _answer(self, envelope: Envelope, client: str) -> bytes | None:
        """Answers of an envelope; what writes waits for the disk in a thread of its own."""
        asked = [part for part in envelope.parts if isinstance(part, RpcRequest)]
        methods = [method_named(part.method) for part in asked if part.request_id is not None]
        writes = any(method is not None and method.writes for method in methods)
        if writes or any(map(_brings_owner, asked)) or self.served.loop.policy == "priority":
            return await run_in_threadpool(self._answer_after_writing, envelope, client)
        if envelope.is_batch or METHODS["getSpectrumBatch"] in methods:  # others do not wait for all of it
            answer = await run_in_threadpool(answer_envelope, envelope, partial(self._handle, client))
        else:
            answer = answer_envelope(envelope, partial(self._handle, client))
        if self.settings.workers > 1:
            await run_in_threadpool(self.journal.flush)  # the next request may come to another worker
        return answer

    def _answer_after_writing(self, envelope: Envelope, client: str) -> bytes | None:
        return answer_envelope(envelope, partial(self._handle_after_writing, client))

    def _handle_after_writing(self, client: str, request: RpcRequest) -> tuple[str, JsonObject]:
        self.journal.flush()  # a notice finds the offer that was answered just now
        return self._handle(client, request)

    def _handle(self, client: str, request: RpcRequest) -> tuple[str, JsonObject]:
        outcome = execute(self.served, request, client)
        code = int(outcome.content["code"]) if outcome.member == "error" else 0
        row = request_row(
            request,
            code,
            run_id=self.served.database.run_id,
            ms=round(outcome.ms, 3),
            at_s=int(self.served.clock.now_s()),
        )
        self.journal.add(JournalLine(row, outcome.offers, _desc_of(request.params), _told(row)))
        self.counts.add("other" if method_named(request.method) is None else row["method"], code, outcome.ms)
        return outcome.member, outcome.content

    def _address_of(self, scope: Scope) -> str:
        """Who asks: the peer, or the last address that a trusted proxy names."""
        if self.settings.behind_proxy:
            # A proxy may add a line of its own.
            forwarded = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
            if forwarded:
                return str(forwarded[-1].decode("latin-1").rpartition(",")[2].strip())
        return str(scope["client"][0]) if scope.get("client") else ""

    def limit_place(self, request: Request) -> None:
        """Refused for an address that asks for places too often; devices behind it are not starved."""
        self._take("place", self._address_of(request.scope))

    def _take(self, bucket: str, key: str) -> None:
        wait_s = self._buckets[bucket].wait_s(key, time.monotonic())
        if wait_s > 0.0:
            raise Refused(429, {"retry-after": str(int(wait_s) + 1)})

    def _limit_devices(self, envelope: Envelope) -> None:
        if not self._limits_devices:
            return
        for part in envelope.parts:
            if isinstance(part, RpcRequest) and (desc := _desc_of(part.params)):
                names = ("manufacturerId", "fccId", "modelId", "serialNumber")
                key = json.dumps([desc.get(name) for name in names], default=str)
                kind = part.method.rpartition(".")[2]
                self._take(kind if kind in self._buckets else "device", key)

    def _refresh(self) -> None:
        """Look for a new run at most once a second; requests that are answered finish on the old one."""
        if time.monotonic() - self._refreshed_s >= _REFRESH_S:
            self._refreshed_s = time.monotonic()
            if self.served.refresh():
                _LOG.info(json.dumps({"event": "run", "run": self.served.database.run_id}))

    def _cors(self) -> dict[str, str]:
        origin = self.settings.cors
        if origin is None:
            return {}
        return {
            "access-control-allow-origin": origin,
            "access-control-allow-methods": "POST",
            "access-control-allow-headers": "content-type",
        }

    async def health(self, _: Request) -> Response:
        """`GET /health`: whether devices are answered."""
        self._refresh()
        run, now_s = self.served.run, self.served.clock.now_s()
        content = {
            "status": "ok",
            "run": run.database.run_id,
            "validUntil": instant_text(run.until_s),
            "db": "ok" if await run_in_threadpool(self._is_writable) else "failed",
            "clock": "ok" if self.served.clock.is_steady() else "failed",
        }
        faults = {
            "RUN_EXPIRED": now_s >= run.until_s,
            "RUN_NOT_YET_VALID": now_s < run.from_s,
            "DB_FAILED": content["db"] != "ok",
            "CLOCK_FAILED": content["clock"] != "ok",
        }
        content["status"] = next((name for name, is_so in faults.items() if is_so), "ok")
        return JSONResponse(content, status_code=503 if any(faults.values()) else 200, headers=_QUIET)

    def _settle_uses(self) -> None:
        """Once a second: uses that are over, devices that are lost."""
        if time.monotonic() - self._settled_s >= _SETTLE_S:
            self._settled_s = time.monotonic()
            try:
                settle_uses(self.served, int(self.served.clock.now_s()))
            except SQLAlchemyError as error:
                _LOG.error("uses: %s", type(error).__name__)

    def _is_writable(self) -> bool:
        with suppress(SQLAlchemyError), self.served.engine.connect() as connection:
            connection.execute(text("SELECT 1"))
            return not self.journal.is_behind  # a full disk can be read
        return False

    async def listing(self, _: Request) -> Response:
        """`GET /listing.json`: the approved databases, as the settings name the file."""
        path = self.served.loop.listing
        if path is None:
            return Response(status_code=404, headers=_QUIET)
        return Response(path.read_bytes(), media_type="application/json", headers=_QUIET)

    async def keep_house(self) -> None:
        """Write what waits, open new runs, forget what is old; until cancelled."""
        if self.served.loop.aggregate == "enforce":
            await run_in_threadpool(self.served.residual)  # takes seconds: not when the second device asks
        while True:
            await asyncio.sleep(_FLUSH_S)
            try:
                await self._keep_house_once()
            except Exception as error:  # or no use would expire from now on
                _LOG.exception("house", exc_info=error)

    async def _keep_house_once(self) -> None:
        await run_in_threadpool(self.journal.flush)
        await run_in_threadpool(self._settle_uses)
        self._refresh()
        if time.monotonic() - self._forgot_s >= _FORGET_S:
            self._forgot_s = time.monotonic()
            now_s, keep_days = int(self.served.clock.now_s()), self.served.loop.keep_days
            await run_in_threadpool(self.journal.forget, now_s, keep_days)


def _buckets_of(rate: LoopRate) -> dict[str, Buckets]:
    """Buckets by what they limit; methods with one of their own are never starved by others."""
    return {
        "device": Buckets(rate.device_per_s, rate.device_burst),
        "notifySpectrumUse": Buckets(rate.device_per_s, rate.device_burst),
        "register": Buckets(rate.register_per_min / 60.0, rate.device_burst),
        "address": Buckets(rate.address_per_s, rate.address_burst),
        "place": Buckets(rate.address_per_s, rate.address_burst),
    }


def _desc_of(params: object) -> JsonObject:
    desc = params.get("deviceDesc") if isinstance(params, dict) else None
    return desc if isinstance(desc, dict) else {}


def _brings_owner(request: RpcRequest) -> bool:
    """Whether a request for spectrum registers its device too."""
    return isinstance(request.params, dict) and request.params.get("owner") is not None


def _told(row: JsonObject) -> str:
    """A line for a request, without places and without names."""
    time_text = datetime.now(UTC).isoformat(timespec="milliseconds")
    method, key = json.dumps(row["method"]), row["device_key"]
    device = "null" if key is None else f'"{key[:_SHORT_HASH]}"'
    return (
        f'{{"time": "{time_text}", "method": {method}, "code": {row["code"]}, "ms": {row["ms"]}, '
        f'"device": {device}}}'
    )


def _headers_of(scope: Scope) -> dict[str, str]:
    """Headers by name in lower case, of several of one name the first."""
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in reversed(scope["headers"])}


async def _send(send: Send, status: int, headers: Mapping[str, str], body: bytes | None) -> None:
    """A whole answer."""
    told = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    if status != HTTPStatus.NO_CONTENT:
        told.append((b"content-length", str(len(body or b"")).encode()))
    if body is not None:
        told.append((b"content-type", b"application/json"))
    await send({"type": "http.response.start", "status": status, "headers": told})
    await send({"type": "http.response.body", "body": body or b""})


class DeviceApplication(Starlette):
    """The application: devices are answered without what pages need."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection's request."""
        if scope["type"] == "http" and scope["path"] == _PAWS:
            await self.state.worker.paws(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def make_app(settings: ServerSettings) -> Starlette:
    """The application of a worker; InputError where it cannot begin."""
    worker = Worker(settings)
    sys.setswitchinterval(_SWITCH_S)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        house = asyncio.create_task(worker.keep_house())
        yield
        house.cancel()
        worker.journal.flush()
        worker.served.engine.dispose()

    made = DeviceApplication(
        routes=[
            Route("/health", worker.health, methods=["GET"]),
            Route("/listing.json", worker.listing, methods=["GET"]),
            *Rest(worker.served, worker.counts, worker.limit_place).routes(),
        ],
        lifespan=lifespan,
    )
    made.router.redirect_slashes = False  # devices are never sent on
    made.state.worker = worker
    return made


def log_to_stderr() -> None:
    """Lines of JSON, as they are made."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    _LOG.handlers, _LOG.propagate = [handler], False
    _LOG.setLevel(logging.INFO)


def __getattr__(name: str) -> Any:  # noqa: ANN401 - what a module may hold
    """``app``, made when a server asks for it."""
    if name != "app":
        raise AttributeError(name)
    log_to_stderr()
    return make_app(ServerSettings.model_validate_json(os.environ[SETTINGS]))
