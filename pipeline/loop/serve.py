"""`channelmaps serve`: checks what it is started with, then runs the application in one worker or several."""

from __future__ import annotations

import asyncio
import ctypes
import ipaddress
import json
import logging
import os
import ssl
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from pipeline.config.loop import Loop
from pipeline.errors import InputError
from pipeline.loop.listing import faults_of
from pipeline.loop.served import loop_settings, neighbours_of, open_run
from pipeline.loop.server import SETTINGS, ServerSettings, log_to_stderr
from pipeline.loop.storage import open_storage
from pipeline.query.database import close_database

_APP = "pipeline.loop.server:app"
_HEADERS_S, _KEEP_ALIVE_S, _STOP_S = 10.0, 60, 30
# Of adjtimex(2): STA_UNSYNC, STA_NANO.
_UNSYNCHRONISED, _NANOSECONDS = 0x0040, 0x2000
_WRONG_S = 2.0
_LOCAL_NAMES = ("localhost",)


class Listening(NamedTuple):
    """Where and how to listen."""

    host: str
    port: int
    tls_cert: Path | None
    tls_key: Path | None
    workers: int
    client_ca: Path | None = None


class TimedHttp(HttpToolsProtocol):
    """HTTP connections on which headers do not take for ever; bodies are the application's to time."""

    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first headers."""
        super().connection_made(transport)
        self._wait()

    def on_message_begin(self) -> None:
        """Begin to wait for the rest of the headers."""
        super().on_message_begin()
        self._wait()

    def on_headers_complete(self) -> None:
        """Wait no more."""
        self._stop()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._stop()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._stop()
        self._timer = self.loop.call_later(_HEADERS_S, self.transport.close)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def listening(
    listen: str, cert: Path | None, key: Path | None, workers: int, client_ca: Path | None = None
) -> Listening:
    """Where ``--listen HOST:PORT`` is; InputError for what is none, or half of what TLS needs."""
    host, _, port = listen.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isdigit() or int(port) > 65_535:
        raise InputError("is no address", field="--listen", value=listen, allowed="HOST:PORT")
    if (cert is None) != (key is None):
        missing = "--tls-key" if key is None else "--tls-cert"
        raise InputError("is missing", field=missing, allowed="a certificate and its key")
    if client_ca is not None and cert is None:
        raise InputError("is without TLS", field="--client-ca", allowed="with --tls-cert and --tls-key")
    for field, path in (("--tls-cert", cert), ("--tls-key", key), ("--client-ca", client_ca)):
        if path is not None and not path.is_file():
            raise InputError("is no file", field=field, value=str(path), allowed="a file in PEM format")
    return Listening(host, int(port), cert, key, workers, client_ca)


def is_local(host: str) -> bool:
    """Whether only programs of this machine reach an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host in _LOCAL_NAMES


class _Timex(ctypes.Structure):
    """The beginning of ``struct timex`` (adjtimex(2)), and room for the rest."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_char * 256),
    )


def clock_error_s() -> float | None:
    """How wrong the kernel thinks its clock is; None where nothing keeps it (no NTP), or it does not tell."""
    told = _Timex()
    try:
        state = ctypes.CDLL(None).adjtimex(ctypes.byref(told))
    except (AttributeError, OSError):
        return None
    if state < 0 or told.status & _UNSYNCHRONISED:
        return None
    return abs(told.offset) / (1e9 if told.status & _NANOSECONDS else 1e6)


def refuse_wrong_clock() -> None:
    """InputError where the clock is known to be wrong by more than 2 s; a warning where nobody keeps it."""
    error_s = clock_error_s()
    if error_s is None:
        print("channelmaps: nothing keeps this clock synchronised (NTP)", file=sys.stderr)
    elif error_s > _WRONG_S:
        raise InputError(
            "the clock of this machine is wrong",
            value=f"{error_s:.1f} s",
            allowed=f"{_WRONG_S:g} s, or --allow-unsynchronised",
        )


def warn_unlisted(loop: Loop) -> None:
    """A line on stderr where the listing of approved databases does not have this one."""
    if loop.listing is None or loop.uri is None:
        return
    neighbours_of(loop)  # refused if it is no listing
    content = json.loads(loop.listing.read_text(encoding="utf-8"))
    for fault in faults_of(content, loop.uri, int(time.time())):
        print(f"channelmaps: {loop.listing}: {fault}", file=sys.stderr)


def serve_command(settings: ServerSettings, where: Listening) -> int:
    """Serve until stopped; InputError for what cannot begin, before anything listens."""
    local = is_local(where.host)
    if not local and where.tls_cert is None and not settings.behind_proxy:
        raise InputError(
            "would be reached without TLS",
            field="--listen",
            value=f"{where.host}:{where.port}",
            allowed="an address of this machine alone, or --tls-cert and --tls-key, or --behind-proxy",
        )
    if settings.begin is not None and not local:
        raise InputError("is for tests on this machine", field="--now", allowed="with --listen 127.0.0.1:...")
    warn_unlisted(loop_settings(settings.results, settings.loop))
    run = open_run(settings.results)
    close_database(run.database)
    open_storage(settings.db).dispose()
    os.environ[SETTINGS] = settings.model_dump_json()
    log_to_stderr()
    told = {"event": "start", "run": run.database.run_id, "listen": f"{where.host}:{where.port}"}
    logging.getLogger("channelmaps.serve").info(json.dumps(told))
    uvicorn.run(_APP, **uvicorn_options(where))
    return 0


def uvicorn_options(where: Listening) -> dict[str, Any]:
    """How uvicorn listens: with TLS if there is a certificate, for clients with one alone if so wished."""
    return {
        "host": where.host,
        "port": where.port,
        "workers": where.workers,
        "http": TimedHttp,
        "ssl_certfile": where.tls_cert,
        "ssl_keyfile": where.tls_key,
        "ssl_ca_certs": where.client_ca,
        "ssl_cert_reqs": ssl.CERT_NONE if where.client_ca is None else ssl.CERT_REQUIRED,
        "timeout_keep_alive": _KEEP_ALIVE_S,
        "timeout_graceful_shutdown": _STOP_S,
        "timeout_worker_healthcheck": _STOP_S,
        "server_header": False,
        "access_log": False,
        "proxy_headers": False,
        "log_level": "warning",
    }
