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
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from pipeline.config.loop import LoopRate
from pipeline.files import JsonObject
from pipeline.loop.journal import Journal, JournalLine, request_row
from pipeline.loop.methods import METHODS, execute, method_named
from pipeline.loop.request_limits import LARGEST_BODY, Buckets, Refused, check_http, content_of, http_of
from pipeline.loop.rest import RequestCounts, Rest
from pipeline.loop.rpc import Envelope, RpcRequest, answer_envelope, read_envelope
from pipeline.loop.served import Clock, Served, loop_settings
from pipeline.loop.storage import open_storage
from pipeline.loop.use_states import settle_uses
from pipeline.query.paws import instant_text

SETTINGS = "CHANNELMAPS_SERVE"
_LOG = logging.getLogger("channelmaps.serve")
_BODY_S, _REQUEST_S = 10.0, 30.0
_FLUSH_S, _REFRESH_S, _SETTLE_S, _FORGET_S = 0.2, 1.0, 1.0, 3600.0
_RETRY_S = 10
_QUIET = {"cache-control": "no-store"}
_SHORT_HASH = 12


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
        self._refreshed_s = self._forgot_s = self._settled_s = time.monotonic()

    async def paws(self, request: Request) -> Response:
        """`POST /paws`: JSON-RPC; every answer of it is HTTP 200."""
        if request.method == "OPTIONS":
            return Response(status_code=204, headers=_QUIET | self._cors())
        if request.method != "POST":
            return Response(status_code=405, headers=_QUIET | {"allow": "POST"})
        try:
            async with asyncio.timeout(_REQUEST_S):
                return await self._paws(request)
        except Refused as refused:
            return Response(status_code=refused.status, headers=_QUIET | refused.headers)
        except (TimeoutError, ClientDisconnect):
            return Response(status_code=408, headers=_QUIET | {"connection": "close"})

    async def _paws(self, request: Request) -> Response:
        http = http_of(request.headers)
        check_http(http)
        if not self.served.clock.is_steady():
            raise Refused(503, {"retry-after": str(_RETRY_S)})
        self._take("address", self._address_of(request))
        envelope = read_envelope(content_of(await _body_of(request), http.content_encoding))
        self._limit_devices(envelope)
        self._refresh()
        answer = await self._answer(envelope)
        if answer is None:
            return Response(status_code=204, headers=_QUIET | self._cors())
        return Response(answer, media_type="application/json", headers=_QUIET | self._cors())

    async def _answer(self, envelope: Envelope) -> bytes | None:
        """Answers of an envelope; what writes waits for the disk in a thread of its own."""
        asked = [part for part in envelope.parts if isinstance(part, RpcRequest)]
        methods = [method_named(part.method) for part in asked if part.request_id is not None]
        if any(method is not None and method.writes for method in methods) or any(map(_brings_owner, asked)):
            return await run_in_threadpool(self._answer_after_writing, envelope)
        if envelope.is_batch or METHODS["getSpectrumBatch"] in methods:  # others do not wait for all of it
            answer = await run_in_threadpool(answer_envelope, envelope, self._handle)
        else:
            answer = answer_envelope(envelope, self._handle)
        if self.settings.workers > 1:
            await run_in_threadpool(self.journal.flush)  # the next request may come to another worker
        return answer

    def _answer_after_writing(self, envelope: Envelope) -> bytes | None:
        return answer_envelope(envelope, self._handle_after_writing)

    def _handle_after_writing(self, request: RpcRequest) -> tuple[str, JsonObject]:
        self.journal.flush()  # a notice finds the offer that was answered just now
        return self._handle(request)

    def _handle(self, request: RpcRequest) -> tuple[str, JsonObject]:
        outcome = execute(self.served, request)
        code = int(outcome.content["code"]) if outcome.member == "error" else 0
        row = request_row(
            request.method.rpartition(".")[2],
            request.params,
            code,
            rpc_id=str(request.request_id),
            run_id=self.served.database.run_id,
            ms=round(outcome.ms, 3),
            at_s=int(self.served.clock.now_s()),
        )
        self.journal.add(JournalLine(row, outcome.offers, _desc_of(request.params)))
        self.counts.add("other" if method_named(request.method) is None else row["method"], code, outcome.ms)
        _log_request(row)
        return outcome.member, outcome.content

    def _address_of(self, request: Request) -> str:
        """Who asks: the peer, or the last address that a trusted proxy names."""
        forwarded = request.headers.getlist("x-forwarded-for")  # a proxy may add a line of its own
        if self.settings.behind_proxy and forwarded:
            return forwarded[-1].rpartition(",")[2].strip()
        return request.client.host if request.client else ""

    def limit_place(self, request: Request) -> None:
        """Refused for an address that asks for places too often; devices behind it are not starved."""
        self._take("place", self._address_of(request))

    def _take(self, bucket: str, key: str) -> None:
        wait_s = self._buckets[bucket].wait_s(key, time.monotonic())
        if wait_s > 0.0:
            raise Refused(429, {"retry-after": str(int(wait_s) + 1)})

    def _limit_devices(self, envelope: Envelope) -> None:
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


def _log_request(row: JsonObject) -> None:
    """One line a request, without places and without names."""
    key = row["device_key"]
    line = {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "method": row["method"],
        "code": row["code"],
        "ms": row["ms"],
        "device": None if key is None else key[:_SHORT_HASH],
    }
    _LOG.info(json.dumps(line))


async def _body_of(request: Request) -> bytes:
    """The body, read no farther than any may be; Refused where it takes too long."""
    parts, size = [], 0
    try:
        async with asyncio.timeout(_BODY_S):
            async for part in request.stream():
                parts.append(part)
                size += len(part)
                if size > LARGEST_BODY:
                    raise Refused(413, {"connection": "close"})
    except TimeoutError:
        raise Refused(408, {"connection": "close"}) from None
    return b"".join(parts)


def make_app(settings: ServerSettings) -> Starlette:
    """The application of a worker; InputError where it cannot begin."""
    worker = Worker(settings)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        house = asyncio.create_task(worker.keep_house())
        yield
        house.cancel()
        worker.journal.flush()
        worker.served.engine.dispose()

    every = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
    made = Starlette(
        routes=[
            Route("/paws", worker.paws, methods=every),
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
